"""The Graph trigger delivers what Microsoft Graph shows, in either format, exactly once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxOptions
from sandbox.event_formats import ConvertedForm, GraphForm
from sandbox.process import ROOT, TriggerProcess
from tests.end_to_end.scene import settled_mail


@pytest.mark.parametrize("event_format", ["graph", "reporting"])
def test_every_row_arrives_once_over_several_pages(tmp_path: Path, event_format: str) -> None:
    end = SandboxOptions().now() - timedelta(minutes=12)
    start = end - timedelta(minutes=40)
    mail = settled_mail(20, start, end)
    with Sandbox(SandboxOptions(mail=mail)) as world:
        world.graph.options.page_size = 200
        expected = world.tenant.count(start, end, world.now())
        with TriggerProcess(
            world, tmp_path, "graph", timedelta=0, start_time=2, event_format=event_format
        ) as process:
            process.start()
            process.wait_until(lambda: world.intake.counts.events >= expected)
            process.wait_until_quiet(0.5)
            assert process.stop().status == 0
        chosen = GraphForm if event_format == "graph" else ConvertedForm
        report = world.check(start, end, world.now(), form=chosen(world.graph.options))
        assert report.ok, report
        assert world.request_log.count("graph") > expected / 200
    assert world.failures == []


def test_the_module_names_no_trigger_it_does_not_have() -> None:
    done = subprocess.run(
        [sys.executable, "main.py", "message_trace_unknown"],
        cwd=ROOT,
        env={**os.environ, "MODULE_CONFIGURATION": "{}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "message_trace_unknown" in done.stderr
