"""The activity log that a trigger keeps for ``status``."""

from __future__ import annotations

import json
from datetime import timedelta
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.cli.console import as_json
from office365_message_trace.cli.status import Status
from office365_message_trace.collect.coverage import Coverage, Policy
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.model import Delivery, Event
from office365_message_trace.monitoring.activity_log import (
    MOST_PROBLEMS,
    Activity,
    ActivityLog,
    read_activity,
)
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.untrusted_text import LONGEST_LINE
from tests.support import NOON, FaultyStorage, Logbook, TurnedClock

POLICY = Policy(timedelta(minutes=5), timedelta(minutes=1), timedelta(hours=24))


@pytest.fixture
def storage(tmp_path: Path) -> FaultyStorage:
    return FaultyStorage(FolderStorage(tmp_path))


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def accepted(events: int) -> Delivery:
    return Delivery([Event(0, "", b"", "")] * events, [])


def behind(hours: float) -> Coverage:
    """A coverage with so many hours of backlog."""
    start = NOON - timedelta(hours=hours)
    return Coverage.starting(start).with_outage_behind(NOON + timedelta(minutes=6), POLICY)


def test_a_new_problem_is_written_at_once(storage: FaultyStorage, clock: TurnedClock) -> None:
    ActivityLog(storage, clock, POLICY, Logbook()).note("It is broken.", "error")
    (problem,) = read_activity(storage).problems
    assert (problem.at, problem.level, problem.text, problem.times) == (
        NOON,
        "error",
        "It is broken.",
        1,
    )


def test_what_is_said_again_is_counted_and_written_once_a_minute(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    for _ in range(120):
        activity.note("It is broken.", "warning")
        clock.wait(1)
    assert storage.writes == 3, "at the start, at once, and after a minute"
    (problem,) = read_activity(storage).problems
    assert problem.times == 61


def test_what_is_no_problem_is_not_kept(storage: FaultyStorage, clock: TurnedClock) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    activity.note("All is well.", "info")
    activity.note("Very well.", "debug")
    assert storage.writes == 1, "the start"
    assert read_activity(storage).problems == ()


def test_the_latest_problems_are_kept_over_restarts_the_latest_last(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    for number in range(MOST_PROBLEMS + 5):
        ActivityLog(storage, clock, POLICY, Logbook()).note(f"problem {number}", "error")
    kept = [each.text for each in read_activity(storage).problems]
    assert kept == [f"problem {number}" for number in range(5, MOST_PROBLEMS + 5)]


def test_progress_is_written_once_a_minute_at_most(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    for _ in range(180):
        activity.delivered(accepted(10))
        activity.covered(behind(2), clock.now())
        clock.wait(1)
    assert storage.writes == 4
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.started == NOON
    assert progress.forwarded == 1210
    assert progress.at == NOON + timedelta(minutes=2)


def test_the_first_events_are_written_at_once(storage: FaultyStorage, clock: TurnedClock) -> None:
    """Else `status` says for a minute, and after a kill for good, that there are none."""
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    activity.covered(behind(2), clock.now())
    for _ in range(3):
        clock.wait(1)
        activity.delivered(accepted(10))
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.forwarded == 10
    assert storage.writes == 3


def test_a_new_bound_is_written_at_once(storage: FaultyStorage, clock: TurnedClock) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    activity.covered(behind(2), clock.now())
    activity.promised(1.2)
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.bound == 1.2


def test_a_stop_is_noted_until_the_next_start(storage: FaultyStorage, clock: TurnedClock) -> None:
    ActivityLog(storage, clock, POLICY, Logbook()).close()
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.stopped == NOON
    clock.wait(60)
    ActivityLog(storage, clock, POLICY, Logbook())
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.stopped is None
    assert progress.started == NOON + timedelta(minutes=1)


def test_a_start_by_a_wrong_clock_is_told_by_microsofts_once_that_is_known(
    storage: FaultyStorage,
) -> None:
    machine = TurnedClock(NOON + timedelta(hours=3))
    clock = MicrosoftClock(machine, Logbook())
    activity = ActivityLog(storage, clock, POLICY, Logbook(), lambda: clock.ahead)
    progress = read_activity(storage).progress
    assert progress is not None
    assert (progress.started, progress.ahead) == (NOON + timedelta(hours=3), None)
    machine.wait(90)
    clock.heard("Entra ID", "Mon, 15 Jun 2026 12:01:30 GMT", clock.monotonic())
    activity.covered(behind(2), clock.now())
    progress = read_activity(storage).progress
    assert progress is not None
    assert (progress.started, progress.ahead) == (NOON, timedelta(hours=3))
    assert progress.at == NOON + timedelta(seconds=90)


@pytest.mark.parametrize("seconds", [-10_800.5, 0.0, 90.0])
def test_the_lead_of_the_machines_clock_is_kept(storage: FaultyStorage, seconds: float) -> None:
    lead = timedelta(seconds=seconds)
    ActivityLog(storage, TurnedClock(), POLICY, Logbook(), lambda: lead)
    progress = read_activity(storage).progress
    assert progress is not None
    assert progress.ahead == lead


def test_the_longest_backlog_is_remembered_until_there_is_none(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    seen = []
    for hours in (4, 10, 6, 3, 0, 2):
        activity.covered(behind(hours), clock.now())
        progress = read_activity(storage).progress
        assert progress is not None
        seen.append(
            (round(progress.catch_up.backlog / 3600), round(progress.catch_up.longest / 3600))
        )
        clock.wait(60)
    assert seen == [(4, 4), (10, 10), (6, 10), (3, 10), (0, 0), (2, 2)]


def test_a_storage_that_fails_hinders_nobody_and_the_next_write_holds_everything(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    storage.failures = 1
    activity.note("first", "error")
    assert read_activity(storage).problems == ()
    activity.note("second", "error")
    assert [each.text for each in read_activity(storage).problems] == ["first", "second"]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"7", b'{"problems": 7}', b'{"problems": [{}]}', b'{"progress": {"at": "x"}}'],
)
def test_a_damaged_activity_log_is_ignored_and_written_anew(
    storage: FaultyStorage, clock: TurnedClock, content: bytes
) -> None:
    storage.write("activity.json", content)
    assert read_activity(storage) == Activity()
    ActivityLog(storage, clock, POLICY, Logbook()).note("anew", "error")
    assert [each.text for each in read_activity(storage).problems] == ["anew"]


def test_the_activity_log_never_raises(tmp_path: Path, clock: TurnedClock) -> None:
    storage = FaultyStorage(FolderStorage(tmp_path), failure=RuntimeError("a defect"))
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    storage.failures = inf
    activity.note("It is broken.", "error")
    activity.delivered(accepted(7))
    activity.covered(behind(2), clock.now())
    activity.close()


@pytest.mark.parametrize("text", ["half \ud800", "\x1b[2J\nforged", "x" * 10**6], ids=range(3))
def test_whatever_is_logged_can_be_noted(
    storage: FaultyStorage, clock: TurnedClock, text: str
) -> None:
    ActivityLog(storage, clock, POLICY, Logbook()).note(text, "error")
    (problem,) = read_activity(storage).problems
    assert problem.text.isprintable()
    assert len(problem.text) <= LONGEST_LINE


def test_what_was_accepted_is_written_at_the_end(
    storage: FaultyStorage, clock: TurnedClock
) -> None:
    activity = ActivityLog(storage, clock, POLICY, Logbook())
    activity.covered(behind(2), clock.now())
    for _ in range(69_937):
        activity.delivered(accepted(1))
    activity.close()
    progress = read_activity(storage).progress
    assert progress is not None
    assert (progress.forwarded, progress.usual_lag) == (69_937, timedelta(minutes=10))


FIELDS = st.sampled_from(["at", "level", "text", "problems", "progress", "catch_up"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(NOON.isoformat()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=30,
)
ENTRIES = st.fixed_dictionaries(
    {
        "at": st.just("0001-01-01T00:00:00+14:00") | st.just(NOON.isoformat()) | JSON,
        "started": st.just(NOON.isoformat()) | JSON,
        "level": st.sampled_from(["error", "\x1b[2J"]) | JSON,
        "text": st.text() | JSON,
        "times": st.integers() | JSON,
        "forwarded": st.integers() | JSON,
        "usual_lag": st.floats() | JSON,
        "ahead": st.none() | st.floats() | JSON,
        "catch_up": st.fixed_dictionaries(
            {"backlog": st.floats() | JSON, "longest": st.floats(), "longest_at": st.none() | JSON}
        ),
    }
)


@given(
    st.binary(max_size=100)
    | (JSON | st.fixed_dictionaries({"problems": st.lists(ENTRIES), "progress": ENTRIES})).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_lies_there_an_activity_log_can_be_read_shown_and_continued(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        storage = FolderStorage(Path(folder))
        storage.write("activity.json", data)
        diary = read_activity(storage)
        assert all(each.text.isprintable() for each in diary.problems)
        status = Status(NOON, None, behind(2), (), diary, None, 0, 0, 0, 90)
        assert list(status.lines(verbose=True))
        assert as_json(status.as_dict())
        ActivityLog(storage, TurnedClock(), POLICY, Logbook()).note("anew", "error")
        assert read_activity(storage).problems[-1].text == "anew"
