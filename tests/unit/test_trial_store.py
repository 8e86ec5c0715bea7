"""Failed windows are remembered across restarts."""

import json
from collections.abc import Collection
from datetime import timedelta

import orjson
import pytest

from office365_message_trace.collect.coverage import Coverage, Kind, Read
from office365_message_trace.collect.failed_windows import LONGEST_PAUSE, FailedWindows, Trial
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.model import Window
from sandbox.blobs import Blobs
from tests.support import NOON, minutes

HOUR = timedelta(hours=1)
READ = Read(Kind.BACKLOG, minutes(-60, 0), NOON)
UNREAD = Coverage.starting(NOON - 9 * HOUR).with_left_behind(NOON)
SAMPLE = Window(NOON - HOUR, NOON - HOUR + timedelta(milliseconds=10))


class Blob(Blobs):
    """Counts the writes."""

    writes = 0

    def write(self, name: str, data: bytes) -> None:
        self.writes += 1
        super().write(name, data)


def saved(trials: Collection[Trial], blobs: Blob, moment: float = 0.0) -> Blob:
    TrialStore(blobs).save(FailedWindows(trials), (), NOON, moment)
    return blobs


def loaded(blobs: Blob, coverage: Coverage = UNREAD, passed: float = 0.0) -> list[Trial]:
    """In a process whose monotonic clock shows 1000, so many seconds later."""
    now = NOON + timedelta(seconds=passed)
    return TrialStore(blobs).load(coverage, now, 1000.0).trials


@pytest.mark.parametrize(
    "trial",
    [
        Trial(READ, 60.0, failures=2),
        Trial(Read(Kind.REREAD, SAMPLE, NOON, final=True), 60.0, 3, 0, whole=minutes(-60, 0)),
        Trial(READ, 60.0, failures=1, sampled=True),
        Trial(Read(Kind.CONFIRM, minutes(-60, 0), NOON, final=True), 60.0, news=1, refusals=2),
    ],
    ids=["failed", "sample", "part", "repeated"],
)
def test_a_trial_is_continued_as_it_was(trial: Trial) -> None:
    (again,) = loaded(saved([trial], Blob()))
    assert again == Trial(
        trial.read,
        1060.0,
        trial.failures,
        0,
        trial.news,
        trial.refusals,
        trial.whole,
        trial.sampled,
    )


def test_it_is_due_when_it_was_and_after_the_longest_pause_at_most() -> None:
    blobs = saved([Trial(READ, 560.0, failures=2)], Blob(), 500.0)
    assert [each.due for each in loaded(blobs, passed=50.0)] == [1010.0]
    assert [each.due for each in loaded(blobs, passed=-9e6)] == [1000.0 + LONGEST_PAUSE]


def test_whether_others_were_read_since_is_kept() -> None:
    failed, blobs, fresh = FailedWindows(), Blob(), Trial(READ)
    failed.failed(fresh, 0.0)
    failed.succeeded()
    TrialStore(blobs).save(failed, (), NOON, 0.0)
    again = TrialStore(blobs).load(UNREAD, NOON, 0.0)
    (trial,) = again.trials
    assert trial.successes < again.successes
    failed.fresh_mail = True
    TrialStore(blobs).save(failed, (), NOON, 0.0)
    assert TrialStore(blobs).load(UNREAD, NOON, 0.0).fresh_mail


def test_what_is_being_read_counts_too_and_what_only_waits_does_not() -> None:
    failed, blobs = FailedWindows(), Blob()
    failed.postpone(READ, 900.0)
    TrialStore(blobs).save(failed, [Trial(READ, failures=1)], NOON, 0.0)
    assert [trial.failures for trial in loaded(blobs)] == [1]


def test_time_that_is_no_longer_to_be_read_is_left_out() -> None:
    blobs = saved([Trial(READ, failures=1)], Blob())
    store = TrialStore(blobs)
    failed = store.load(Coverage.starting(NOON), NOON, 0.0)
    assert failed.trials == []
    store.save(failed, (), NOON, 0.0)
    assert loaded(blobs) == [], "nor is it kept"


def test_only_changes_are_written() -> None:
    blobs, failed = Blob(), FailedWindows()
    store = TrialStore(blobs)
    store.load(UNREAD, NOON, 0.0)
    for second in range(3):
        store.save(failed, (), NOON + timedelta(seconds=second), second)
    assert blobs.writes == 0
    failed.failed(Trial(READ), 3.0)
    for second in range(3, 9):
        store.save(failed, (), NOON + timedelta(seconds=second), second)
    assert blobs.writes == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"trials": 5, "fresh_mail": true}',
        b'{"trials": [5], "fresh_mail": true}',
        b'{"trials": [{}], "fresh_mail": true}',
        b'{"trials": [], "fresh_mail": []}',
    ],
)
def test_a_damaged_document_is_none(content: bytes) -> None:
    blobs = Blob()
    blobs.write("trials.json", content)
    assert loaded(blobs) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "else"),
        ("window", ["9999-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"]),
        ("window", ["2026-01-01T00:00:00", "2026-01-02T00:00:00"]),
        ("due", 10**30),
        ("failures", 1e999),
        ("failures", None),
        ("whole", 7),
    ],
)
def test_an_entry_that_cannot_be_is_no_trial(name: str, value: object) -> None:
    blobs = saved([Trial(READ, failures=1)], Blob())
    document = orjson.loads(blobs.read("trials.json") or b"")
    document["trials"][0][name] = value
    blobs.write("trials.json", json.dumps(document).encode())
    assert loaded(blobs) == []
