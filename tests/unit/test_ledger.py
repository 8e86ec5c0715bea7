"""What was accepted stays known; damage may cost a repeat, never a loss."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect import ledger as module
from office365_message_trace.collect.ledger import (
    BUCKET_SPAN,
    FINGERPRINT_BYTES,
    KEPT_FOR,
    Ledger,
    stored_volume,
)
from office365_message_trace.model import MILLISECOND, Row, Window, milliseconds
from office365_message_trace.storage.base import Damage
from office365_message_trace.storage.folder import FolderStorage
from tests.support import NOON, Repairs, row

SOON = milliseconds(NOON)
NAMED = {"MessageTraceId": "one", "RecipientAddress": "r@x.example"}
BUCKET = int(BUCKET_SPAN.total_seconds() * 1000)

MUCH_LATER = datetime(2100, 1, 1, tzinfo=UTC)


def accept(ledger: Ledger, rows: list[Row]) -> list[Row]:
    """Deliver ``rows`` as the collector would; what had to be delivered."""
    fresh = ledger.unseen(rows)
    ledger.record((each.received, fingerprint) for fingerprint, each in fresh.items())
    return list(fresh.values())


def bucket_files(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("ledger/*/*") if path.is_file())


def test_a_row_is_new_once_also_after_a_restart(tmp_path: Path) -> None:
    rows = [row(SOON + n * 60_000, Subject=str(n)) for n in range(50)]
    assert accept(Ledger(FolderStorage(tmp_path)), rows) == rows
    assert accept(Ledger(FolderStorage(tmp_path)), rows) == []


def test_a_row_that_changed_is_new_again(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [row(SOON, Status="GettingStatus")])
    assert len(accept(ledger, [row(SOON, Status="Delivered")])) == 1


def test_recipients_of_one_message_are_rows_of_their_own(tmp_path: Path) -> None:
    rows = [row(SOON, MessageTraceId="one", RecipientAddress=f"r{n}@x.example") for n in range(3)]
    assert accept(Ledger(FolderStorage(tmp_path)), rows) == rows


def test_the_same_row_twice_in_a_page_is_one(tmp_path: Path) -> None:
    assert len(accept(Ledger(FolderStorage(tmp_path)), [row(SOON), row(SOON)])) == 1


def test_a_row_costs_sixteen_bytes_and_nothing_of_it_can_be_read(tmp_path: Path) -> None:
    rows = [row(SOON + n, Subject="Salary of Jane", RecipientAddress="j@x.example") for n in (1, 2)]
    accept(Ledger(FolderStorage(tmp_path)), rows)
    (bucket,) = bucket_files(tmp_path)
    assert bucket.stat().st_size == len(rows) * FINGERPRINT_BYTES
    assert b"Salary" not in bucket.read_bytes()


def test_equal_rows_have_other_fingerprints_in_another_storage(tmp_path: Path) -> None:
    for name in ("one", "other"):
        accept(Ledger(FolderStorage(tmp_path / name)), [row(SOON)])
    (one,), (other,) = bucket_files(tmp_path / "one"), bucket_files(tmp_path / "other")
    assert one.read_bytes() != other.read_bytes()


@given(st.integers(1, 40), st.integers(0, FINGERPRINT_BYTES * 40), st.integers(1, 10))
def test_a_torn_tail_costs_a_repeat_of_the_torn_rows_only(
    tmp_path_factory: object, count: int, torn: int, more: int
) -> None:
    root = tmp_path_factory.mktemp("ledger")  # type: ignore[attr-defined]
    rows = [row(SOON + n, Subject=str(n)) for n in range(count)]
    accept(Ledger(FolderStorage(root)), rows)
    (bucket,) = bucket_files(root)
    kept = max(count * FINGERPRINT_BYTES - torn, 0)
    bucket.write_bytes(bucket.read_bytes()[:kept])
    ledger = Ledger(FolderStorage(root))
    assert accept(ledger, rows) == rows[kept // FINGERPRINT_BYTES :]
    later = [row(SOON + 1000 + n, Subject="later") for n in range(more)]
    accept(ledger, later)
    assert accept(Ledger(FolderStorage(root)), rows + later) == []


@given(st.binary(max_size=400))
def test_any_bytes_in_a_bucket_never_hide_a_row(tmp_path_factory: object, noise: bytes) -> None:
    root = tmp_path_factory.mktemp("ledger")  # type: ignore[attr-defined]
    accept(Ledger(FolderStorage(root)), [row(SOON)])
    (bucket,) = bucket_files(root)
    bucket.write_bytes(noise)
    fresh = row(SOON, Subject="fresh")
    assert accept(Ledger(FolderStorage(root)), [fresh]) == [fresh]


def test_a_bucket_that_vanished_costs_a_repeat(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [row(SOON)])
    accept(ledger, [row(SOON + 10 * BUCKET)])
    bucket_files(tmp_path)[0].unlink()
    assert accept(Ledger(FolderStorage(tmp_path)), [row(SOON)]) == [row(SOON)]


def test_what_is_in_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOADED_BYTES", 5 * FINGERPRINT_BYTES)
    ledger = Ledger(FolderStorage(tmp_path))
    for n in range(20):
        accept(ledger, [row(SOON + n * BUCKET)])
    ledger.unseen([row(SOON)])
    assert sum(bucket.size for bucket in ledger._loaded.values()) <= 5 * FINGERPRINT_BYTES


@pytest.mark.parametrize("batch", [1, 3, 7, 50])
def test_a_large_bucket_is_kept_in_parts_that_no_write_exceeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 5 * FINGERPRINT_BYTES)
    rows = [row(SOON + n, Subject=str(n)) for n in range(53)]
    for at in range(0, len(rows), batch):
        ledger = Ledger(FolderStorage(tmp_path))
        assert accept(ledger, rows[at : at + batch]) == rows[at : at + batch]
        assert accept(ledger, rows[: at + batch]) == []
    sizes = [path.stat().st_size for path in bucket_files(tmp_path)]
    assert max(sizes) == 5 * FINGERPRINT_BYTES
    assert sum(sizes) == len(rows) * FINGERPRINT_BYTES
    assert accept(Ledger(FolderStorage(tmp_path)), rows) == []
    late = row(SOON + KEPT_FOR // MILLISECOND + 2 * BUCKET)
    accept(ledger, [late])
    ledger.forget(lambda window: False, MUCH_LATER)
    assert [path.stat().st_size for path in bucket_files(tmp_path)] == [FINGERPRINT_BYTES]


def test_a_torn_part_costs_a_repeat_of_its_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 5 * FINGERPRINT_BYTES)
    rows = [row(SOON + n, Subject=str(n)) for n in range(12)]
    accept(Ledger(FolderStorage(tmp_path)), rows)
    parts = sorted(bucket_files(tmp_path), key=lambda path: (len(path.name), path.name))
    parts[0].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[: FINGERPRINT_BYTES + 3])
    told: list[Damage] = []
    ledger = Ledger(FolderStorage(tmp_path), Repairs(told))
    assert accept(ledger, rows) == rows[:5] + rows[11:]
    assert told == [Damage.RECORD]
    assert accept(Ledger(FolderStorage(tmp_path), Repairs(told)), rows) == []
    assert told == [Damage.RECORD], "it was made whole"


def test_buckets_that_nothing_will_read_are_removed_but_not_their_neighbours(
    tmp_path: Path,
) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    for n in (*range(10), 10 + KEPT_FOR // BUCKET_SPAN):
        accept(ledger, [row(SOON + n * BUCKET)])
    last = ledger.buckets[-2]
    ledger.forget(lambda window: window.start <= last.end and last.start < window.end, MUCH_LATER)
    assert ledger.buckets[0].end == last.start
    assert len(bucket_files(tmp_path)) == len(ledger.buckets) == 3
    assert isinstance(ledger.buckets[0], Window)


def test_a_mark_tells_from_where_on_anything_is_read(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    assert ledger.since is None
    for since in (NOON, NOON, NOON + BUCKET_SPAN, NOON - BUCKET_SPAN):
        ledger.mark(since)
        assert ledger.since == since
        assert Ledger(FolderStorage(tmp_path)).since == since
    assert ledger.buckets == []
    assert stored_volume(FolderStorage(tmp_path)) == (0, 0)
    assert len(bucket_files(tmp_path)) == 1


def test_of_two_marks_the_earlier_counts_until_the_next(tmp_path: Path) -> None:
    """A crash may leave both."""
    ledger = Ledger(FolderStorage(tmp_path))
    ledger.mark(NOON)
    (mark,) = bucket_files(tmp_path)
    ledger.mark(NOON + BUCKET_SPAN)
    mark.write_bytes(b"")
    reopened = Ledger(FolderStorage(tmp_path))
    assert reopened.since == NOON
    reopened.mark(NOON + 2 * BUCKET_SPAN)
    assert Ledger(FolderStorage(tmp_path)).since == NOON + 2 * BUCKET_SPAN
    assert len(bucket_files(tmp_path)) == 1


def test_what_a_longer_look_back_would_read_again_stays_though_nothing_needs_it_now(
    tmp_path: Path,
) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    longest = 1.25 * timedelta(hours=72)
    instants = [NOON, NOON + BUCKET_SPAN, NOON + longest + BUCKET_SPAN]
    accept(ledger, [row(milliseconds(each)) for each in instants])
    accept(ledger, [row(milliseconds(datetime(9999, 12, 31, tzinfo=UTC)))])
    ledger.forget(lambda window: False, MUCH_LATER)
    assert [each.start for each in ledger.buckets][:2] == instants[1:]


def test_a_row_dated_in_the_future_lets_nothing_be_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    odd = row(milliseconds(datetime(2099, 1, 1, tzinfo=UTC)))
    usual = row(milliseconds(NOON))
    accept(ledger, [usual, odd])
    ledger.forget(lambda window: False, NOON + timedelta(hours=1))
    assert accept(ledger, [usual, odd]) == []


def test_rows_without_a_usable_time_are_remembered_but_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 5 * FINGERPRINT_BYTES)
    monkeypatch.setattr(module, "MOST_PARTS", 2)
    ledger = Ledger(FolderStorage(tmp_path))
    rows = [row(0, Subject=str(n)) for n in range(11)]
    accept(ledger, rows[:10])
    ledger.forget(lambda window: False, MUCH_LATER)
    assert accept(ledger, rows) == rows[10:]
    ledger.forget(lambda window: True, MUCH_LATER)
    assert bucket_files(tmp_path) == []


def test_a_row_that_goes_back_to_an_earlier_content_is_new(tmp_path: Path) -> None:
    sent = []
    for status in ("Delivered", "Delivered", "Quarantined", "Delivered", "Delivered"):
        shown = row(SOON, **NAMED, Status=status)
        sent += accept(Ledger(FolderStorage(tmp_path)), [shown])
    assert [each.fields["Status"] for each in sent] == ["Delivered", "Quarantined", "Delivered"]


def test_rows_of_one_key_on_a_page_are_rows_of_their_own(tmp_path: Path) -> None:
    twins = [row(SOON, **NAMED, Status=status) for status in ("Expanded", "Delivered", "Failed")]
    single = row(SOON, MessageTraceId="other", RecipientAddress="r@x.example")
    ledger = Ledger(FolderStorage(tmp_path))
    assert accept(ledger, [*twins, single]) == [*twins, single]
    for page in (twins, twins[::-1], twins[1:], [single, *twins]):
        assert accept(ledger, page) == []
    changed = row(SOON, **NAMED, Status="Resolved")
    assert changed in accept(ledger, [changed, *twins[1:]])
    accept(ledger, [changed, *twins[1:]])
    assert accept(ledger, [changed, *twins[1:]]) == []


def test_a_row_shown_in_two_states_on_one_page_ends_in_the_one_that_is_shown_afterwards(
    tmp_path: Path,
) -> None:
    old, new = (row(SOON, **NAMED, Status=status) for status in ("Pending", "Delivered"))
    for order in ([old, new], [new, old]):
        ledger = Ledger(FolderStorage(tmp_path / order[0].fields["Status"]))
        sent = accept(ledger, order) + accept(ledger, [new]) + accept(ledger, [new])
        assert sent[-1] == new
        assert len(sent) <= 3


def test_case_of_the_recipient_makes_no_other_row(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [row(SOON, MessageTraceId="one", RecipientAddress="Jane@X.example")])
    shown = [row(SOON, MessageTraceId="one", RecipientAddress="jane@x.example")]
    unseen = ledger.unseen(shown)
    assert unseen.changed == set(unseen)


def test_a_change_is_told_from_a_row_that_was_never_accepted(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    before = [row(SOON + n, **NAMED, Status="Pending") for n in range(3)]
    accept(ledger, before)
    now = [before[0], *(row(SOON + n, **NAMED, Status="Delivered") for n in (1, 2, 3))]
    unseen = ledger.unseen(now)
    assert list(unseen.values()) == now[1:]
    assert [unseen[each].received for each in unseen if each in unseen.changed] == [
        SOON + 1,
        SOON + 2,
    ]


def test_rows_without_a_recipient_are_known_whatever_others_of_the_message_came_last(
    tmp_path: Path,
) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    rows = [row(SOON, MessageTraceId="one", Size=size) for size in (1, 2)]
    for each in rows:
        accept(ledger, [each])
    assert ledger.unseen(rows[:1]) == {}


def refuse(ledger: Ledger, rows: list[Row]) -> int:
    """What is new of ``rows`` is sent, and the intake refuses it."""
    fresh = ledger.unseen(rows)
    return ledger.record_refused(
        (each.received, fingerprint) for fingerprint, each in fresh.items()
    )


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in bucket_files(root))


ALL = Window(NOON - BUCKET_SPAN, NOON + 3 * BUCKET_SPAN)


def test_a_refused_row_stays_new_and_is_owed_until_it_is_accepted(tmp_path: Path) -> None:
    shown = [row(SOON + n, **NAMED) for n in range(2)]
    assert refuse(Ledger(FolderStorage(tmp_path)), shown) == 2
    ledger = Ledger(FolderStorage(tmp_path))
    assert ledger.refused(ALL) == [SOON, SOON + 1]
    assert refuse(ledger, shown) == 0, "they are owed already"
    unseen = ledger.unseen(shown)
    assert list(unseen.values()) == shown
    assert unseen.changed == set(), "it was never accepted"
    assert accept(ledger, shown[:1]) == shown[:1]
    assert Ledger(FolderStorage(tmp_path)).refused(ALL) == [SOON + 1]
    assert accept(ledger, shown) == shown[1:]
    assert ledger.refused(ALL) == []
    assert accept(ledger, shown) == []


def test_a_row_that_is_refused_again_costs_no_other_record(tmp_path: Path) -> None:
    for _ in range(5):
        refuse(Ledger(FolderStorage(tmp_path)), [row(SOON, **NAMED)])
    assert size(tmp_path) == FINGERPRINT_BYTES
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [row(SOON, **NAMED)])
    refuse(ledger, [row(SOON, **NAMED, Status=status) for status in ("Failed", "Pending")])
    assert size(tmp_path) == 3 * FINGERPRINT_BYTES
    assert ledger.refused(ALL) == [SOON]


def test_what_is_owed_at_the_bound_of_two_windows_is_owed_in_the_later_one(tmp_path: Path) -> None:
    times = [SOON, SOON + 1, SOON + 2, SOON + BUCKET, SOON + 2 * BUCKET]
    ledger = Ledger(FolderStorage(tmp_path))
    refuse(ledger, [row(at, **NAMED) for at in times])
    accept(ledger, [row(at + 7, Subject="accepted") for at in times])
    assert ledger.refused(ALL) == times
    bounds = NOON + MILLISECOND, NOON + BUCKET_SPAN, NOON + 2 * BUCKET_SPAN
    parts = ALL.divided_at(*bounds)
    assert [ledger.refused(part) for part in parts] == [
        times[:1],
        times[1:3],
        times[3:4],
        times[4:],
    ]
    assert ledger.refused(Window(NOON, NOON)) == []


def test_a_refused_change_leaves_known_what_was_accepted_and_can_be_taken_back(
    tmp_path: Path,
) -> None:
    before, changed = (row(SOON, **NAMED, Status=status) for status in ("Delivered", "Failed"))
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [before])
    refuse(ledger, [changed])
    unseen = ledger.unseen([changed])
    assert unseen.changed == set(unseen) != set()
    assert unseen.reverted == []
    unseen = ledger.unseen([before])
    assert unseen == {}
    assert ledger.refused(ALL) == [SOON], "looking at it changes nothing"
    ledger.record(unseen.reverted)
    assert ledger.refused(ALL) == []
    assert ledger.unseen([before]).reverted == []
    assert accept(ledger, [changed]) == [changed]


def test_of_rows_with_one_key_a_known_one_does_not_take_back_the_refusal_of_another(
    tmp_path: Path,
) -> None:
    known, refused = (row(SOON, **NAMED, Status=status) for status in ("Expanded", "Failed"))
    ledger = Ledger(FolderStorage(tmp_path))
    accept(ledger, [known])
    refuse(ledger, [known, refused])
    unseen = ledger.unseen([known, refused])
    assert list(unseen.values()) == [refused]
    assert unseen.reverted == []
    assert accept(ledger, [known, refused]) == [refused]
    assert ledger.refused(ALL) == []
    assert accept(ledger, [known, refused]) == []


@pytest.mark.parametrize("received", [0, milliseconds(datetime(9999, 12, 31, tzinfo=UTC))])
def test_a_refused_row_without_a_usable_time_is_not_recorded(tmp_path: Path, received: int) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    refuse(ledger, [row(received, **NAMED)])
    assert bucket_files(tmp_path) == []
    accept(ledger, [row(received, **NAMED)])
    everything = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert ledger.refused(everything) == []


STATES = st.lists(st.sampled_from("ABC"), min_size=1, max_size=12)


@given(st.lists(STATES, min_size=1, max_size=4), st.booleans())
def test_the_last_content_that_was_sent_is_the_one_that_was_shown_last(
    tmp_path_factory: pytest.TempPathFactory, lives: list[list[str]], restarts: bool
) -> None:
    """And nothing is sent twice in a row; whatever the states of neighbours in the same bucket."""
    storage = FolderStorage(tmp_path_factory.mktemp("ledger"))
    ledger = Ledger(storage)
    sent: dict[str, list[str]] = {str(number): [] for number in range(len(lives))}
    for turn in range(max(map(len, lives))):
        ledger = Ledger(storage) if restarts else ledger
        shown = [
            row(SOON, MessageTraceId=str(number), RecipientAddress="r@x.example", Status=life[turn])
            for number, life in enumerate(lives)
            if turn < len(life)
        ]
        for each in accept(ledger, shown):
            sent[each.trace_id].append(each.fields["Status"])
    for number, life in enumerate(lives):
        expected = [state for state, _ in groupby(life)]
        assert sent[str(number)] == expected


# Forms


class Untold:
    """The source of rows of which nothing more may be read."""

    def text(self, place: int) -> Any:
        raise AssertionError("read although it is known")

    fields = content = lasting = alone = text


def test_of_rows_in_known_forms_nothing_is_read_nor_any_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    rows = [row(SOON + n * 60_000, **NAMED, Size=n) for n in range(50)]
    accept(ledger, rows)
    monkeypatch.setattr(module, "_LOADED_BYTES", 0)
    ledger.unseen([row(SOON - 10 * BUCKET)])  # has the others leave the memory
    monkeypatch.setattr(FolderStorage, "read", Untold.text)
    assert not ledger.unseen([each._replace(source=Untold()) for each in rows])


def test_equal_rows_in_another_form_repeat_nothing_and_are_known_from_then_on(
    tmp_path: Path,
) -> None:
    rows = [row(SOON + n, **NAMED, Size=n) for n in range(5)]
    accept(Ledger(FolderStorage(tmp_path)), rows)
    ledger = Ledger(FolderStorage(tmp_path))
    for form in (1, 2):
        shown = [each._replace(form=10 * form + n) for n, each in enumerate(rows)]
        assert accept(ledger, shown) == []
        assert accept(ledger, [each._replace(source=Untold()) for each in shown]) == []


def test_a_row_that_goes_to_another_content_and_back_is_new_each_time(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    contents = [row(SOON, **NAMED, Status=status) for status in "ABABBACCA"]
    sent = [each for content in contents for each in accept(ledger, [content])]
    assert sent == [contents[n] for n in (0, 1, 2, 3, 5, 6, 8)]


def test_rows_of_one_key_on_a_page_are_compared_together_in_whatever_form(tmp_path: Path) -> None:
    one, other = (row(SOON, **NAMED, Size=size) for size in (1, 2))
    accept(Ledger(FolderStorage(tmp_path)), [one, other])
    ledger = Ledger(FolderStorage(tmp_path))
    assert accept(ledger, [other]) == []
    assert accept(ledger, [one, other]) == []
    assert accept(ledger, [one]) == [one], "alone it says that the other has changed"


_FEW_ROWS = st.lists(
    st.builds(
        lambda received, trace_id, size, form: row(
            SOON + received, MessageTraceId=trace_id, RecipientAddress="r@x.example", Size=size
        )._replace(form=1000 * received + 100 * ord(trace_id or " ") + 10 * size + form),
        st.sampled_from([0, 1, 70_000, 2 * BUCKET]),
        st.sampled_from(["a", "b", ""]),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    max_size=6,
)
_TAKEN = st.sampled_from(["accepted", "refused", "lost"])


@given(st.lists(st.tuples(_FEW_ROWS, _TAKEN), max_size=8))
def test_what_is_remembered_of_forms_makes_no_difference(
    tmp_path_factory: object, pages: list[tuple[list[Row], str]]
) -> None:
    root = tmp_path_factory.mktemp("ledger")  # type: ignore[attr-defined]
    lasting = Ledger(FolderStorage(root / "one"))
    Ledger(FolderStorage(root / "other")).mark(NOON)
    for rows, taken in pages:
        reopened = Ledger(FolderStorage(root / "other"))
        found = []
        for ledger in (lasting, reopened):
            unseen = ledger.unseen(rows)
            changed = {id(unseen[each]) for each in unseen.changed}
            told = [(id(each), id(each) in changed) for each in unseen.values()]
            found.append((sorted(told), sorted(time for time, _ in unseen.reverted)))
            ledger.record(unseen.reverted)
            fingerprints = [(each.received, name) for name, each in unseen.items()]
            if taken == "accepted":
                ledger.record(fingerprints)
            elif taken == "refused":
                ledger.record_refused(fingerprints)
        assert found[0] == found[1]


def test_the_memory_of_forms_is_bounded_and_keeps_the_youngest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FORMS_BYTES", 10 * module._SHELF_BYTES)
    ledger = Ledger(FolderStorage(tmp_path))
    rows = [row(SOON + n * 60_000, **NAMED) for n in range(50)]
    for each in rows:
        accept(ledger, [each])
    young = [each._replace(source=Untold()) for each in rows[-5:]]
    assert accept(ledger, young) == []
    assert ledger._forms._size <= 10 * module._SHELF_BYTES
    assert sum(len(forms) for forms, _ in ledger._forms._shelves.values()) < 10
