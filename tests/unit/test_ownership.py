"""The process that started last owns the state; the one before sees it, and neither writes nor pushes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from office365_message_trace.collect.coverage import Policy
from office365_message_trace.collect.ownership import (
    LOOK_EVERY,
    Mark,
    OwnedHttp,
    OwnedStorage,
    Ownership,
    read_mark,
)
from office365_message_trace.errors import Replaced, Stopped
from office365_message_trace.monitoring.activity_log import ActivityLog, read_activity
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.location import storage_at
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.session import Answer
from tests.support import NOON, FaultyStorage, Logbook, ScriptedHttp, TurnedClock

FOLDER = "message_trace"
MARK = f"{FOLDER}/owner.json"

SPAN = timedelta(minutes=1)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, s3_root: Path) -> Storage:
    return storage_at(tmp_path if request.param == "folder" else s3_root / request.node.name)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def process(storage: Storage, clock: TurnedClock, log: Logbook | None = None) -> Ownership:
    """The claim of a process that starts now."""
    owner = Ownership(storage, FOLDER, clock, log or Logbook())
    owner.claim()
    return owner


def test_the_last_one_to_start_owns_the_state_and_the_mark_says_since_when(
    storage: Storage, clock: TurnedClock
) -> None:
    process(storage, clock).check()
    clock.wait(90)
    second = process(storage, clock)
    second.check()
    mark = read_mark(storage, FOLDER)
    assert mark is not None
    assert mark.since == NOON + timedelta(seconds=90)


def test_a_process_that_was_replaced_sees_it_at_its_next_check_and_never_claims_again(
    storage: Storage, clock: TurnedClock
) -> None:
    first, second = process(storage, clock), process(storage, clock)
    mark = read_mark(storage, FOLDER)
    with pytest.raises(Replaced, match="Another process has taken over"):
        first.check()
    storage.delete(MARK)
    for look in (first.check, first.check_if_due):
        with pytest.raises(Replaced):
            look()
    assert read_mark(storage, FOLDER) is None
    second.check()
    assert read_mark(storage, FOLDER) == mark


def test_of_two_that_start_at_once_exactly_one_goes_on(clock: TurnedClock, tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    both = [Ownership(storage, FOLDER, clock, Logbook()) for _ in range(2)]
    for each in both:
        each.claim()
    gone = []
    for each in both * 2:
        try:
            each.check()
        except Replaced:
            gone.append(each)
    assert gone == [both[0]] * 2


@pytest.mark.parametrize(
    "damage", [None, b"", b"{", b"[]", b'"x"', b'{"id": "x"}', b'{"id": 1, "since": 2}', b"\xff"]
)
def test_a_mark_that_is_missing_or_damaged_is_written_again(
    damage: bytes | None, clock: TurnedClock, tmp_path: Path
) -> None:
    storage = FolderStorage(tmp_path)
    owner = process(storage, clock)
    mark = read_mark(storage, FOLDER)
    if damage is None:
        storage.delete(MARK)
    else:
        storage.write(MARK, damage)
    assert read_mark(storage, FOLDER) is None
    owner.check_if_due()
    owner.check()
    assert read_mark(storage, FOLDER) == mark


def test_checks_while_waiting_read_the_mark_now_and_then_and_see_what_a_pause_of_the_process_hid(
    clock: TurnedClock, tmp_path: Path
) -> None:
    storage = FaultyStorage(FolderStorage(tmp_path))
    owner = process(storage, clock)
    for _ in range(600):
        owner.check_if_due()
        clock.wait(1.0)
    assert storage.reads == pytest.approx(600 / LOOK_EVERY, abs=1)
    process(storage, clock)
    clock.wait(3600)
    with pytest.raises(Replaced):
        owner.check_if_due()


def test_a_storage_that_fails_is_waited_for_by_a_check_and_not_while_waiting(
    clock: TurnedClock, tmp_path: Path
) -> None:
    storage, log = FaultyStorage(FolderStorage(tmp_path)), Logbook()
    owner = process(storage, clock, log)
    clock.wait(LOOK_EVERY)
    storage.failures, before = 2, clock.monotonic()
    owner.check_if_due()
    assert (storage.failures, clock.monotonic(), log.lines) == (1, before, [])
    owner.check()
    assert storage.failures == 0
    assert clock.monotonic() > before
    assert len(log.texts("error")) == 1


def test_to_be_replaced_is_a_stop_which_whatever_handles_failures_lets_pass() -> None:
    assert issubclass(Replaced, Stopped)


WRITES: dict[str, Callable[[Storage], None]] = {
    "write": lambda storage: storage.write("state", b"old"),
    "extend": lambda storage: storage.extend("state", b"new", b"old"),
    "delete": lambda storage: storage.delete("state"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_process_that_was_replaced_changes_nothing_of_what_is_stored(
    write: Callable[[Storage], None], clock: TurnedClock, tmp_path: Path
) -> None:
    storage = FolderStorage(tmp_path)
    first = OwnedStorage(storage, process(storage, clock))
    first.write("state", b"new")
    process(storage, clock)
    clock.wait(LOOK_EVERY)
    with pytest.raises(Replaced):
        write(first)
    assert storage.read("state") == first.read("state") == b"new"


def test_the_new_owner_s_activity_log_is_left_alone_by_one_that_was_replaced(
    clock: TurnedClock, tmp_path: Path
) -> None:
    storage = FolderStorage(tmp_path)
    owned = OwnedStorage(storage, process(storage, clock))
    activity = ActivityLog(owned, clock, Policy(SPAN, SPAN, SPAN), Logbook())
    activity.note("before", "error")
    process(storage, clock)
    clock.wait(LOOK_EVERY)
    activity.note("after", "error")
    assert [each.text for each in read_activity(storage).problems] == ["before"]


def test_every_request_is_preceded_by_a_look_so_that_none_is_made_after_a_replacement(
    clock: TurnedClock, tmp_path: Path
) -> None:
    storage, intake = FolderStorage(tmp_path), ScriptedHttp(rest=Answer(200, {}, b""))
    http = OwnedHttp(intake, process(storage, clock))
    http.begin(Request("POST", "one"))()
    process(storage, clock)
    with pytest.raises(Replaced):
        http.begin(Request("POST", "two"))
    assert [request.url for request in intake.sent] == ["one"]


def test_the_mark_tells_nothing_of_the_machine(clock: TurnedClock, tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    process(storage, clock)
    mark = read_mark(storage, FOLDER)
    assert mark is not None
    assert mark == Mark(mark.id, NOON)
    assert len(bytes.fromhex(mark.id)) == 16
