"""`python -m sandbox demo`, as a new user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import Report, Sandbox
from sandbox.demo import Outcome, account
from sandbox.process import ROOT, Exit
from tests.end_to_end.conftest import compiled_in

STOPPED = Exit(status=0, seconds=0.2)


@pytest.mark.parametrize(
    ("trigger", "trace_id"), [("basic", '"MessageTraceId"'), ("graph", '"id"')], ids=str
)
def test_the_demo_ends_by_itself_within_a_minute_and_shows_that_nothing_is_lost(
    bytecode: Path, trigger: str, trace_id: str
) -> None:
    began = time.monotonic()
    demo = subprocess.run(
        [sys.executable, "-m", "sandbox", "demo", "--trigger", trigger],
        cwd=ROOT,
        env={**os.environ, **compiled_in(bytecode)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert time.monotonic() - began < 60
    assert demo.stderr == ""
    table = dict(re.findall(r"^  (\S+(?: \S+)*)  +(\S+)", demo.stdout, re.MULTILINE))
    assert table["Lost"] == table["Repeated"] == "0"
    assert table["Rows the API had"] == table["Events accepted"]
    assert table["Failures overcome"] == "4"
    assert demo.stdout.count(trace_id) == 2


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Report(repeated=["{}"]), STOPPED),
        Outcome(Report(unreadable=["?"]), STOPPED),
        Outcome(Report(), Exit(status=1, seconds=0.2)),
        Outcome(Report(), STOPPED, trouble="It was not done after 45 seconds."),
    ],
    ids=["a repeated event", "an unreadable event", "an exit status", "too little time"],
)
def test_the_demo_fails_for(outcome: Outcome) -> None:
    assert not outcome.ok
    assert account(Sandbox(), outcome)[-1].startswith("FAILED")
