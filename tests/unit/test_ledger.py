"""What was accepted stays known; damage may cost a repeat, never a loss."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace import ledger as module
from office365_message_trace.ledger import BUCKET_SPAN, FINGERPRINT_BYTES, Ledger, stored_volume
from office365_message_trace.model import Row, Window, milliseconds
from office365_message_trace.storage import Damage, FolderStorage
from tests.support import NOON, row

SOON = milliseconds(NOON)
NO_REACH = -timedelta(days=1)
BUCKET = int(BUCKET_SPAN.total_seconds() * 1000)


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
    ledger.forget(lambda window: False, NO_REACH)
    assert bucket_files(tmp_path) == []


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
    ledger = Ledger(FolderStorage(tmp_path), told.append)
    assert accept(ledger, rows) == rows[:5] + rows[11:]
    assert told == [Damage.RECORD]
    assert accept(Ledger(FolderStorage(tmp_path), told.append), rows) == []
    assert told == [Damage.RECORD], "it was made whole"


def test_buckets_that_nothing_will_read_are_removed_but_not_their_neighbours(
    tmp_path: Path,
) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    for n in range(10):
        accept(ledger, [row(SOON + n * BUCKET)])
    last = ledger.buckets[-1]
    ledger.forget(lambda window: window.start <= last.end and last.start < window.end, NO_REACH)
    assert ledger.buckets[0].end == last.start
    assert len(bucket_files(tmp_path)) == len(ledger.buckets) == 2
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


def test_what_a_clock_that_is_ahead_no_longer_needs_stays(tmp_path: Path) -> None:
    ledger = Ledger(FolderStorage(tmp_path))
    for n in range(10):
        accept(ledger, [row(SOON + n * BUCKET)])
    ledger.forget(lambda window: False, reach=4 * BUCKET_SPAN)
    assert ledger.buckets[0].start == NOON + 5 * BUCKET_SPAN
