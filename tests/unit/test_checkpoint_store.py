"""The state survives everything that can happen to two small files, and says what did."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect.beginning import Beginning
from office365_message_trace.collect.checkpoint_store import (
    COPIES,
    SCHEMA,
    CheckpointStore,
    Damaged,
    decoded,
)
from office365_message_trace.collect.coverage import (
    MOST_GAPS,
    Cause,
    Coverage,
    Gap,
    Kind,
    Policy,
    Read,
)
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.resume import opening_coverage
from office365_message_trace.collect.schedule import Schedule, Size, Sizes
from office365_message_trace.collect.timetable import choose
from office365_message_trace.errors import Refused
from office365_message_trace.model import EPOCH, Window, instant
from office365_message_trace.storage.base import LARGEST_BLOB, Damage
from office365_message_trace.storage.folder import FolderStorage
from tests.support import NOON, Logbook, Repairs, minutes, row

POLICY = Policy(timedelta(minutes=5), timedelta(seconds=60), timedelta(hours=24))
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NEWEST = COPIES[1]  # after two saves: the first one writes both


def coverage(hours: float) -> Coverage:
    """A coverage whose live edge is some hours after noon, with backlog and a gap of every cause."""
    base = Coverage.starting(NOON)
    for start, cause in enumerate(Cause):
        base = base.with_gap(Gap(minutes(start - 90, start - 30), cause))
    return base.with_outage_behind(NOON + (hours + 0.2) * HOUR, POLICY)


def entry(start: float, end: float, rows: object = 0) -> list[object]:
    """A span in the document, by minutes after noon."""
    bounds = minutes(start, end)
    return [(each - EPOCH) // MICROSECOND for each in (bounds.start, bounds.end)] + [None, rows]


def saved(root: Path, *states: Coverage) -> CheckpointStore:
    store = CheckpointStore(FolderStorage(root), Logbook())
    store.load()
    for state in states:
        store.save(state)
    return store


def reloaded(root: Path) -> tuple[Coverage | None, Logbook]:
    log = Logbook()
    return CheckpointStore(FolderStorage(root), log).load(), log


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


def test_when_the_first_process_started_is_part_of_it(tmp_path: Path) -> None:
    first, _ = opened(tmp_path)
    assert first.started_at == NOON
    saved(tmp_path, first)
    assert reloaded(tmp_path)[0] == first


def test_outages_are_part_of_it(tmp_path: Path) -> None:
    first, _ = opened(tmp_path)
    days = (NOON + timedelta(days=4), NOON + timedelta(days=9))
    once = first.with_outage_behind(days[0], POLICY).showing(days[0])
    twice = once.with_outage_behind(days[1], POLICY)
    assert [outage.shown_from for outage in twice.outages] == [days[0], None]
    saved(tmp_path, twice)
    assert reloaded(tmp_path)[0] == twice


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


def made_newer(path: Path) -> None:
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"schema": SCHEMA + 1}))


@pytest.mark.parametrize("other", [None, b"", "newer"])
def test_a_state_of_a_newer_version_alone_is_refused_with_what_to_do(
    tmp_path: Path, other: object
) -> None:
    saved(tmp_path, coverage(1), coverage(2))
    made_newer(tmp_path / NEWEST)
    if isinstance(other, bytes):
        (tmp_path / COPIES[0]).write_bytes(other)
    elif other:
        made_newer(tmp_path / COPIES[0])
    else:
        (tmp_path / COPIES[0]).unlink()
    with pytest.raises(Refused, match="newer version"):
        reloaded(tmp_path)


def test_a_newer_version_s_copy_beside_an_intact_one_stops_nothing(tmp_path: Path) -> None:
    """A newer version that saved once and was replaced leaves it, or somebody else."""
    saved(tmp_path, coverage(1), coverage(2))
    made_newer(tmp_path / NEWEST)
    state, log = reloaded(tmp_path)
    assert state == coverage(1)
    assert f"{NEWEST} of the trigger's state is of a newer version" in log.texts("warning")[0]
    saved(tmp_path, coverage(3))
    assert reloaded(tmp_path)[1].lines == []
    assert reloaded(tmp_path)[0] == coverage(3)


@pytest.mark.parametrize("sequence", [2**52, 2**53 - 2, 2**53 - 1])
def test_saving_goes_on_after_the_largest_sequence_numbers(tmp_path: Path, sequence: int) -> None:
    saved(tmp_path, coverage(1))
    payload = orjson.loads((tmp_path / NEWEST).read_bytes())["payload"] | {"sequence": sequence}
    (tmp_path / NEWEST).write_bytes(document(payload))
    saved(tmp_path, coverage(2), coverage(3), coverage(4))
    assert reloaded(tmp_path)[0] == coverage(4)


def test_a_state_with_as_many_gaps_as_are_kept_is_loaded(tmp_path: Path) -> None:
    """Also where each of them divides the time that is to be read again."""
    apart = 70 * HOUR / (MOST_GAPS + 100)
    starts = [NOON - 71 * HOUR + n * apart for n in range(MOST_GAPS + 100)]
    gaps = [Gap(Window(start, start + MICROSECOND), Cause.REFUSED) for start in starts]
    declared = Coverage.starting(NOON - 80 * HOUR).with_left_behind(NOON).with_gaps(gaps)
    assert len(declared.gaps) == MOST_GAPS
    assert declared.gaps[-1] == gaps[-1]
    state = replace(declared, spans=()).adapted(replace(POLICY, lookback=72 * HOUR), NOON)
    assert len(state.spans) > MOST_GAPS
    saved(tmp_path, state)
    assert reloaded(tmp_path)[0] == state
    assert (tmp_path / NEWEST).stat().st_size < LARGEST_BLOB / 2


def opened(root: Path, repaired: list[Damage] | None = None) -> tuple[Coverage, Logbook]:
    log = Logbook()
    storage = FolderStorage(root)
    store, ledger = CheckpointStore(storage, log), Ledger(storage)
    monitor = Repairs([] if repaired is None else repaired)
    return opening_coverage(store, ledger, storage, POLICY, NOON - HOUR, NOON, log, monitor), log


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
    ledger.mark(NOON - 30 * HOUR)
    assert opened(tmp_path)[0].oldest == NOON - 30 * HOUR
    ledger.mark(NOON + 3 * HOUR)
    assert NOON - 20.25 * HOUR <= opened(tmp_path)[0].oldest <= NOON - 20 * HOUR


def test_without_a_state_the_look_back_is_read_again_as_far_as_it_was_wanted(
    tmp_path: Path,
) -> None:
    """It may have been made longer, or be made longer later."""
    ledger = Ledger(FolderStorage(tmp_path))
    for hours in (30, 5):
        known = row(int((NOON - hours * HOUR).timestamp() * 1000))
        ledger.record((each.received, fp) for fp, each in ledger.unseen([known]).items())
    ledger.mark(NOON - HOUR)
    state, _ = opened(tmp_path)
    assert state.oldest == NOON - POLICY.lookback
    longer = state.adapted(replace(POLICY, lookback=timedelta(hours=72)), NOON)
    assert NOON - 30.25 * HOUR <= longer.oldest <= NOON - 30 * HOUR
    assert longer.hidden == ()


@pytest.mark.parametrize(
    "text",
    ["2026-06-15T03:00:00+00:00", "2026-06-15T03:00:00", "2026-06-15T05:00:00.000000+02:00"],
)
def test_the_former_module_s_cursor_is_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "context.json").write_bytes(orjson.dumps({"most_recent_date_requested": text}))
    state, log = opened(tmp_path)
    assert state.oldest == NOON - 9 * HOUR
    later = Beginning(NOON - 8 * HOUR, 0.0, NOON - 8 * HOUR)
    assert not later.first_start_ahead(state, NOON, 8 * 3600.0), "no clock of ours told that time"
    assert "former module" in log.texts("info")[0]


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[",
        b'{"most_recent_date_requested": 5}',
        b'{"most_recent_date_requested": "0001-01-01T00:00:00+14:00"}',
        b'{"most_recent_date_requested": "9999-12-31T23:59:59-14:00"}',
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


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-06-15T12:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
MILLISECONDS = st.integers(0, 200_000_000_000_000)


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, object]:
    """What could be a coverage: spans in order, before the live edge."""
    bounds = sorted(draw(st.lists(MILLISECONDS, min_size=1, max_size=11, unique=True)))
    live = instant(bounds.pop()).isoformat()
    spans = [
        [start * 1000, end * 1000, read_at and read_at * 1000, draw(st.integers(0, 10**6))]
        for start, end in zip(bounds[::2], bounds[1::2], strict=False)
        for read_at in [draw(st.none() | MILLISECONDS)]
    ]
    times = MILLISECONDS.map(lambda number: instant(number).isoformat())
    pairs = st.lists(times, min_size=2, max_size=2).map(sorted)
    gaps = st.lists(
        pairs.map(lambda p: {"start": p[0], "end": p[1], "cause": "too_old"}), max_size=3
    )
    return {
        "sequence": draw(st.integers(1, 2**52)),
        "live": live,
        "spans": spans,
        "gaps": draw(gaps),
        "since": draw(times),
        "read_at": draw(times),
        "shown_from": draw(st.none() | times),
        "started_at": draw(st.none() | times),
        "outages": draw(
            st.lists(pairs.flatmap(lambda p: st.sampled_from([[*p, None], [*p, p[1]]])))
        ),
    }


def document(payload: object, schema: object = SCHEMA) -> bytes:
    """A copy of the state with a checksum that is right."""
    text = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    checksum = hashlib.sha256(text).hexdigest()
    return orjson.dumps({"schema": schema, "checksum": checksum, "payload": payload})


def decodes(data: bytes) -> Coverage | None:
    try:
        return decoded(data).coverage
    except Damaged:
        return None


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_no_copy_of_the_state_is_damage(data: bytes) -> None:
    assert decodes(data) is None


@given(
    st.dictionaries(st.sampled_from(["sequence", "live", "spans", "gaps", "since"]), JSON) | JSON
)
def test_a_right_checksum_makes_no_copy_of_other_json(payload: object) -> None:
    try:
        data = document(payload)
    except TypeError:  # orjson writes no half of a surrogate pair and no integer beyond 64 bits
        return
    assert decodes(data) is None


@given(payloads())
def test_whatever_decodes_can_be_planned_with(payload: object) -> None:
    state = decodes(document(payload))
    assert state is not None
    sizes = Sizes(dict.fromkeys(Kind, Size(6 * HOUR, 5000)), Size(HOUR), 1000)
    timetable = choose(POLICY, state.rows_since(NOON - HOUR), 5000, 25_000)
    for now in (NOON, state.live):
        state = state.adapted(POLICY, now).without_future(now, POLICY)
        state = state.with_outage_behind(now, POLICY)
        step = Schedule(state, POLICY, timetable, now, sizes).next(Kind)
        if isinstance(step, Read):
            state = state.completed(step, 10, POLICY.frequency)
        state = state.without_before(POLICY.oldest_kept(now))
        assert state.backlog_span >= timedelta(0)


@given(st.lists(st.integers(0, 2000), max_size=40))
def test_what_a_collector_saves_is_what_is_loaded(reads: list[int]) -> None:
    state = Coverage.starting(NOON - 30 * HOUR)
    for number, start in enumerate(reads):
        at = NOON + timedelta(minutes=number)
        window = minutes(start - 2000, start - 1990)
        state = state.with_outage_behind(at, POLICY)
        state = state.completed(Read(Kind.BACKLOG, window, at), start, POLICY.frequency)
    with TemporaryDirectory() as folder:
        saved(Path(folder), state)
        assert reloaded(Path(folder))[0] == state


def test_time_of_less_than_a_millisecond_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    """A former module's cursor has microseconds, pages end at whole milliseconds."""
    state = Coverage.starting(NOON - HOUR + 456 * MICROSECOND)
    for start, end in ((0, 456), (456, 1000)):
        window = Window(*(NOON - HOUR / 2 + each * MICROSECOND for each in (start, end)))
        state = state.completed(Read(Kind.BACKLOG, window, NOON), 1, POLICY.frequency)
        state = state.with_left_behind(NOON - HOUR / 3)
        saved(tmp_path, state)
        assert reloaded(tmp_path)[0] == state


@pytest.mark.parametrize(
    "change",
    [
        {"live": NOON.isoformat()},
        {"spans": [entry(-30, -10), entry(-20, -5)]},
        {"spans": [entry(-20, -5), entry(-30, -25)]},
        {"spans": [entry(-30, -30)]},
        {"spans": [entry(0, 100_000)]},
        {"spans": [entry(-30, -10, rows=-1)]},
        {"spans": [entry(-30, -10, rows="3")]},
        {"spans": [entry(n - 21_000, n - 20_999) for n in range(20_001)]},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"read_at": "9999-12-31T23:59:59-14:00"},
        {"read_at": "2026-06-15T12:00:00"},
        {"sequence": "7"},
        {"sequence": 2**60},
        {"gaps": {"start": 1}},
    ],
    ids=lambda change: str(change)[:60],
)
def test_absurd_content_under_a_right_checksum_is_damage(
    tmp_path: Path, change: dict[str, object]
) -> None:
    saved(tmp_path, coverage(1), coverage(2))
    path = tmp_path / NEWEST
    payload = orjson.loads(path.read_bytes())["payload"] | change
    path.write_bytes(document(payload))
    state, log = reloaded(tmp_path)
    assert state == coverage(1)
    assert "damaged" in log.texts("warning")[0]


@pytest.mark.parametrize("schema", ["99", 99.5, None, [99], {"a": 1}])
def test_a_schema_that_is_no_number_is_damage_and_no_newer_version(schema: object) -> None:
    assert decodes(document({}, schema)) is None


@pytest.mark.parametrize(
    "name",
    ["9" * 20, "9" * 9, "1.99999999", "since-" + "9" * 20, "since-" + "9" * 14, "\u0661", "1.2.3"],
)
def test_no_name_in_the_ledger_hinders_a_start(tmp_path: Path, name: str) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    known = row(int((NOON - 20 * HOUR).timestamp() * 1000))
    ledger.record((each.received, fp) for fp, each in ledger.unseen([known]).items())
    (folder,) = (tmp_path / "ledger").iterdir()
    (folder / name).write_bytes(b"")
    state, _ = opened(tmp_path)
    assert NOON - 20.25 * HOUR <= state.oldest <= NOON - 20 * HOUR
    again = Ledger(FolderStorage(tmp_path))
    again.mark(NOON - 21 * HOUR)
    again.forget(lambda window: True, NOON)
    assert not again.unseen([known])


def test_a_record_of_the_future_alone_is_no_place_to_begin(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    known = row(int((NOON + 20 * HOUR).timestamp() * 1000))
    ledger.record((each.received, fp) for fp, each in ledger.unseen([known]).items())
    assert opened(tmp_path)[0].oldest == NOON - HOUR - timedelta(seconds=1)
