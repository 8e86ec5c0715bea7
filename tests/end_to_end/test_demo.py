"""`python -m sandbox demo`, as a new user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import Report
from sandbox.demo import PAGE_SIZE, Outcome, verdict
from sandbox.process import ROOT, Exit
from tests.end_to_end.conftest import compiled_in

STOPPED = Exit(status=0, seconds=0.2)


@pytest.mark.parametrize(
    ("trigger", "begins"), [("basic", '{"__metadata":'), ("graph", '{"id":"')], ids=str
)
def test_the_demo_ends_by_itself_within_a_minute_and_shows_that_nothing_is_lost(
    bytecode: Path, trigger: str, begins: str
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
    numbers = {
        name: int(text.replace(",", ""))
        for name, text in table.items()
        if text[:1].isdigit() and "." not in text
    }
    assert numbers["Lost"] == 0
    assert numbers["Repeated"] <= PAGE_SIZE, "the batch in flight at the kill"
    assert numbers["Events accepted"] == numbers["Rows the API had"] + numbers["Repeated"]
    assert numbers["Failures overcome"] == 4
    assert demo.stdout.count(f"\n{begins}") == 1, "a sample"
    assert "Killed (SIGKILL). Started again" in demo.stdout
    assert "This machine's clock is 3 hours ahead of Microsoft's." in demo.stdout
    assert re.search(r"^ +\d+\.\d s  Stopped\.$", demo.stdout, re.MULTILINE), "time that passed"
    end = demo.stdout[demo.stdout.index("  Rows the API had") :].splitlines()
    assert len(end) <= 24, "proof and freshness are on one screen"
    assert max(map(len, end)) <= 100
    assert "1 day of receipt" in "".join(end)
    assert end[-1].startswith("Nothing lost, ")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Report(repeated=["{}"] * (PAGE_SIZE + 1)), STOPPED),
        Outcome(Report(unknown=["{}"]), STOPPED),
        Outcome(Report(unreadable=["?"]), STOPPED),
        Outcome(Report(), Exit(status=1, seconds=0.2)),
        Outcome(Report(), STOPPED, trouble="It was not done after 45 seconds."),
    ],
    ids=[
        "more than a batch repeated",
        "an unknown event",
        "an unreadable event",
        "an exit status",
        "too little time",
    ],
)
def test_the_demo_fails_for(outcome: Outcome) -> None:
    assert not outcome.ok
    assert verdict(outcome).plain.strip().startswith("FAILED")


def test_the_batch_in_flight_at_the_kill_may_come_again() -> None:
    outcome = Outcome(Report(repeated=["{}"] * PAGE_SIZE), STOPPED)
    assert outcome.ok
    assert verdict(outcome).plain.strip() == "Nothing lost, 500 events repeated by the kill."
