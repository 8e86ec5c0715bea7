"""`python -m sandbox demo`, as a new user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sandbox import Report
from sandbox.demo import PAGE_SIZE, Outcome, freshness, schedule_faults, verdict
from sandbox.faults import FaultPlan
from sandbox.measures.freshness import Freshness
from sandbox.process import ROOT, Exit
from sandbox.screen import PICTURE, pictured_terminal
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


def lines(picture: str) -> list[str]:
    """The lines of a pictured terminal, with its title."""
    texts = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    by_line: dict[str, str] = {}
    for each in texts:
        y = each.attrib["y"]
        by_line[y] = by_line.get(y, "") + (each.text or "").replace("\xa0", " ")
    return [" ".join(line.split()) for line in by_line.values()]


def test_the_picture_in_the_readme_shows_what_the_demo_prints() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text()
    shown = lines(picture)
    assert {f"- {each}" for each in schedule_faults(FaultPlan(), "graph")} <= set(shown)
    assert "Lost 0" in shown
    assert sum(line.startswith("Nothing lost, ") for line in shown) == 1
    assert picture.count("http") == 1, "its name space: it loads nothing"


def test_a_picture_holds_all_that_is_printed() -> None:
    console = pictured_terminal()
    for each in freshness(Freshness(1000, 500)):
        console.print(each)
    shown = lines(console.export_svg(title="a title", code_format=PICTURE, unique_id="x"))
    assert shown[0] == "a title"
    assert "shown withinhalf of them99 %" in shown
