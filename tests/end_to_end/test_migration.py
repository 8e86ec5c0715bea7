"""Moving from a Reporting trigger to the Graph trigger loses nothing and repeats the overlap once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxOptions
from sandbox.clock import from_ms
from sandbox.process import TriggerProcess
from tests.end_to_end.scene import settled_mail

MAIL_LASTS = timedelta(minutes=100)
MAIL_ENDED = timedelta(minutes=12)
"""Before the move begins: everything is visible and settled by then."""
BEHIND = timedelta(minutes=20)
"""How far the Reporting trigger trails: mail younger than that is left to the Graph trigger."""
OVERLAP_HOURS = 1
A_MOMENT = timedelta(seconds=2)

UNNAMED = "UnknownFutureValue"
"""What Graph calls a status that its documented enumeration lacks: `None` is one of these."""

Key = tuple[str, str, str]
"""Trace id, recipient, status."""


@dataclass(frozen=True)
class Move:
    """What the intake has of a move, and what there was."""

    reported: list[str]
    moved: list[str]
    shown: set[Key]
    stopped: datetime
    started: datetime
    record_before: dict[Path, bytes]
    record_after: dict[Path, bytes]


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    folder = tmp_path_factory.mktemp("move")
    end = SandboxOptions().now() - MAIL_ENDED
    start = end - MAIL_LASTS
    mail = settled_mail(10, start, end)
    with Sandbox(SandboxOptions(mail=mail)) as world:
        due = world.tenant.count(start, world.now() - BEHIND, world.now())
        minutes_behind = int(BEHIND / timedelta(minutes=1))
        with TriggerProcess(
            world, folder, "oauth", timedelta=minutes_behind, start_time=3
        ) as reporting:
            reporting.start()
            reporting.wait_until(lambda: world.intake.counts.events >= due)
            reporting.wait_until_quiet(0.5)
            assert reporting.stop().status == 0
            stopped = world.now()
        reported = world.intake.events
        record = contents(folder)
        # What the former module left behind, and the Reporting trigger has taken over long ago.
        cursor = {"most_recent_date_requested": start.replace(tzinfo=None).isoformat()}
        (reporting.data / "context.json").write_text(json.dumps(cursor))
        started = world.now()
        with TriggerProcess(
            world,
            folder,
            "graph",
            timedelta=0,
            start_time=OVERLAP_HOURS,
            event_format="reporting",
        ) as graph:
            graph.start()
            graph.wait_until(lambda: world.request_log.count("graph"))
            begin = world.now() - timedelta(hours=OVERLAP_HOURS)  # after the trigger's own
            due = world.tenant.count(begin, end, started)
            graph.wait_until(lambda: world.intake.counts.events >= len(reported) + due)
            graph.wait_until_quiet(0.5)
            assert graph.stop().status == 0
        now = world.now()
        yield Move(
            reported=reported,
            moved=world.intake.events[len(reported) :],
            shown={key(row) for row in world.tenant.rows(start, end, now)},
            stopped=stopped,
            started=started,
            record_before=record,
            record_after={path: data for path, data in contents(folder).items() if path in record},
        )
    assert world.failures == []


def key(row: dict[str, str]) -> Key:
    status = UNNAMED if row["Status"] == "None" else row["Status"]
    return row["MessageTraceId"], row["RecipientAddress"], status


def keys(events: Iterable[str]) -> Counter[Key]:
    return Counter(key(json.loads(event)) for event in events)


def received(event: str) -> datetime:
    (milliseconds,) = re.findall(r"/Date\((\d+)\)/", json.loads(event)["Received"])
    return from_ms(int(milliseconds))


def contents(folder: Path) -> dict[Path, bytes]:
    """The files of the Reporting trigger's record."""
    files = (folder / "data").rglob("message_trace/**/*")
    return {path: path.read_bytes() for path in files if path.is_file()}


def test_no_row_or_status_is_missing_after_the_move(move: Move) -> None:
    assert keys(move.reported + move.moved).keys() == move.shown
    assert keys(move.reported).keys() < move.shown, "the Graph trigger had something left to add"


def test_only_the_overlap_is_repeated_and_only_once(move: Move) -> None:
    assert max(keys(move.reported).values()) == max(keys(move.moved).values()) == 1
    begin, end = move.started - timedelta(hours=OVERLAP_HOURS) - A_MOMENT, move.stopped - BEHIND
    before = keys(move.reported)
    repeats = [event for event in move.moved if key(json.loads(event)) in before]
    assert repeats
    assert all(begin <= received(event) <= end for event in repeats)


def test_the_whole_overlap_is_read_again_so_that_nothing_falls_between(move: Move) -> None:
    # the process reads its clock a little after `started`
    begin = min(map(received, move.moved))
    overlap = keys(event for event in move.reported if received(event) >= begin)
    assert overlap
    assert overlap.keys() <= keys(move.moved).keys()


def test_the_record_of_the_reporting_trigger_is_left_as_it_was(move: Move) -> None:
    assert move.record_before
    assert move.record_after == move.record_before
