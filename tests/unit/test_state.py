"""The state survives everything that can happen to two small files, and says what did."""

from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.coverage import Cause, Coverage, Gap, Policy
from office365_message_trace.errors import Refused
from office365_message_trace.ledger import Ledger
from office365_message_trace.resume import opening_coverage
from office365_message_trace.state import COPIES, StateStore
from office365_message_trace.storage import Damage, FolderStorage
from tests.support import NOON, Logbook, minutes, row

POLICY = Policy(timedelta(minutes=5), timedelta(seconds=60), timedelta(hours=24))
HOUR = timedelta(hours=1)
NEWEST = COPIES[1]  # after two saves: the first one writes both


def coverage(hours: float) -> Coverage:
    """A coverage whose live edge is some hours after noon, with backlog and a gap of every cause."""
    base = Coverage.starting(NOON, POLICY)
    for start, cause in enumerate(Cause):
        base = base.with_gap(Gap(minutes(start - 90, start - 30), cause))
    return base.with_outage_behind(NOON + (hours + 0.2) * HOUR, POLICY)


def saved(root: Path, *states: Coverage) -> StateStore:
    store = StateStore(FolderStorage(root), Logbook())
    store.load()
    for state in states:
        store.save(state)
    return store


def reloaded(root: Path) -> tuple[Coverage | None, Logbook]:
    log = Logbook()
    return StateStore(FolderStorage(root), log).load(), log


def test_what_was_saved_last_is_loaded(tmp_path: Path) -> None:
    saved(tmp_path, coverage(1), coverage(2), coverage(3))
    state, log = reloaded(tmp_path)
    assert state == coverage(3)
    assert log.lines == []


def test_the_first_row_that_was_shown_is_part_of_it(tmp_path: Path) -> None:
    saved(tmp_path, coverage(1).showing(NOON + HOUR).showing(NOON + 2 * HOUR))
    state, _ = reloaded(tmp_path)
    assert state is not None
    assert state.shown_from == NOON + HOUR


def test_saving_goes_on_counting_after_a_restart(tmp_path: Path) -> None:
    for hours in range(1, 6):
        saved(tmp_path, coverage(hours))
    assert reloaded(tmp_path)[0] == coverage(5)


def test_without_files_there_is_no_state_and_nothing_to_say(tmp_path: Path) -> None:
    assert reloaded(tmp_path)[0] is None
    assert reloaded(tmp_path)[1].lines == []


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"schema": 2}', b"\x00" * 300])
def test_a_damaged_newest_copy_is_said_and_the_other_one_used(
    tmp_path: Path, damage: bytes
) -> None:
    saved(tmp_path, coverage(1), coverage(2))
    (tmp_path / NEWEST).write_bytes(damage)
    state, log = reloaded(tmp_path)
    assert state == coverage(1)
    assert "damaged" in log.texts("warning")[0]


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_that_vanished_is_said_and_the_other_one_used(tmp_path: Path, name: str) -> None:
    saved(tmp_path, coverage(1), coverage(2))
    (tmp_path / name).unlink()
    state, log = reloaded(tmp_path)
    assert state in (coverage(1), coverage(2))
    assert "missing or damaged" in log.texts("warning")[0]


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    root = tmp_path_factory.mktemp("state")
    saved(root, coverage(1), coverage(2))
    newest = root / NEWEST
    data = bytearray(newest.read_bytes())
    data[position % len(data)] ^= 1 << bit
    newest.write_bytes(data)
    try:
        state, _ = reloaded(root)
    except Refused:  # the schema number became a larger one
        return
    assert state in (coverage(1), coverage(2))


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    saved(tmp_path, coverage(1), coverage(2))
    path = tmp_path / NEWEST
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"schema": 3}))
    with pytest.raises(Refused, match="newer version"):
        reloaded(tmp_path)


def opened(root: Path, repaired: list[Damage] | None = None) -> tuple[Coverage, Logbook]:
    log = Logbook()
    told = [] if repaired is None else repaired
    storage = FolderStorage(root)
    store, ledger = StateStore(storage, log), Ledger(storage)
    return opening_coverage(store, ledger, storage, POLICY, HOUR, NOON, log, told.append), log


def test_the_first_start_goes_back_as_far_as_the_setting_says(tmp_path: Path) -> None:
    assert opened(tmp_path)[0].oldest == NOON - HOUR - timedelta(seconds=1)


def test_a_restart_continues_from_the_saved_state(tmp_path: Path) -> None:
    saved(tmp_path, coverage(1))
    assert opened(tmp_path)[0] == coverage(1)


def test_damage_is_told_of_once_it_is_made_up_for_and_only_then(tmp_path: Path) -> None:
    repaired: list[Damage] = []
    opened(tmp_path, repaired)
    saved(tmp_path, coverage(1), coverage(2))
    opened(tmp_path, repaired)
    assert repaired == []
    (tmp_path / NEWEST).write_bytes(b"{")
    opened(tmp_path, repaired)
    assert repaired == [Damage.COPY]


def test_without_a_state_the_ledger_tells_how_far_back_to_read(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    known = row(int((NOON - 20 * HOUR).timestamp() * 1000))
    ledger.record((each.received, fp) for fp, each in ledger.unseen([known]).items())
    repaired: list[Damage] = []
    state, log = opened(tmp_path, repaired)
    assert state.oldest <= NOON - 20 * HOUR
    assert repaired == [Damage.STATE]
    assert "without repeating" in log.texts("warning")[0]


def test_the_mark_tells_exactly_unless_a_clock_ahead_made_it(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    known = row(int((NOON - 20 * HOUR).timestamp() * 1000))
    ledger.record((each.received, fp) for fp, each in ledger.unseen([known]).items())
    ledger.mark(NOON - 3 * HOUR)
    assert opened(tmp_path)[0].oldest == NOON - 3 * HOUR
    ledger.mark(NOON + 3 * HOUR)
    assert NOON - 20.25 * HOUR <= opened(tmp_path)[0].oldest <= NOON - 20 * HOUR


@pytest.mark.parametrize(
    "text",
    ["2026-06-15T03:00:00+00:00", "2026-06-15T03:00:00", "2026-06-15T05:00:00.000000+02:00"],
)
def test_the_former_module_s_cursor_is_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "context.json").write_bytes(orjson.dumps({"most_recent_date_requested": text}))
    state, log = opened(tmp_path)
    assert state.oldest == NOON - 9 * HOUR
    assert "former module" in log.texts("info")[0]


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[",
        b'{"most_recent_date_requested": 5}',
        b'{"most_recent_date_requested": "alan@mail.example"}',
    ],
)
def test_an_unreadable_cursor_of_the_former_module_is_said_but_not_quoted(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "context.json").write_bytes(content)
    state, log = opened(tmp_path)
    assert state.oldest == NOON - HOUR - timedelta(seconds=1)
    assert "context.json" in log.texts("warning")[0]
    assert "mail.example" not in log.texts("warning")[0]
