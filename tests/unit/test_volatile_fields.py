"""A field that changes by itself is noticed once, also one that identifies rows; changes that are natural are not."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from office365_message_trace.collect.ledger import KEPT_FOR, Ledger, Unseen
from office365_message_trace.collect.volatile_fields import (
    FOLLOWED,
    LEAST_ROWS,
    TIMES,
    VolatileFields,
)
from office365_message_trace.microsoft.rows import REPORTING_ROWS
from office365_message_trace.model import Event, Row, milliseconds
from office365_message_trace.storage.folder import FolderStorage
from tests.support import NOON, Logbook, row

SOON = milliseconds(NOON)
HOUR = timedelta(hours=1)
MINUTES = 60_000
COUNT = 240
LEAST_HOURS = -(-LEAST_ROWS // FOLLOWED)
Reading = Callable[..., None]


@pytest.fixture
def log() -> Logbook:
    return Logbook()


@pytest.fixture
def reading(tmp_path: Path, log: Logbook) -> Reading:
    """Reads rows at an age of the newest, in pages of 20, and has them accepted, or else refused."""
    volatile = VolatileFields(log, lambda each: REPORTING_ROWS.said(each.fields))
    ledger = Ledger(FolderStorage(tmp_path))

    def read(rows: list[Row], age: timedelta, accepts: bool = True) -> None:
        for at in range(0, len(rows), 20):
            page = rows[at : at + 20]
            unseen = ledger.unseen(page)
            events = [Event(each.received, "", name, "") for name, each in unseen.items()]
            accepted = events if accepts else []
            ledger.record((each.received, each.fingerprint) for each in accepted)
            volatile.observe(page, unseen, accepted, NOON + age)

    return read


def mail(count: int = COUNT, every: int = 2 * MINUTES, **fields: object) -> list[Row]:
    """Rows of the hours before noon, newest first, one every so many milliseconds."""
    return [_one(n, every, fields) for n in range(count)]


def one(n: int, **fields: object) -> Row:
    return _one(n, 2 * MINUTES, fields)


def _one(n: int, every: int, fields: dict[str, object]) -> Row:
    names = {"MessageTraceId": str(n), "RecipientAddress": "r@x.example"}
    return row(SOON - n * every - 1, **names | fields)


def some(share: int, **fields: object) -> list[Row]:
    """The same, of which one in so many has these fields."""
    return [one(n, **({} if n % share else fields)) for n in range(COUNT)]


IDENTIFIERS = [
    ("MessageTraceId", lambda n, at: f"{n}-{at}"),
    ("RecipientAddress", lambda n, at: f"r{at}@x.example"),
]
identifiers = pytest.mark.parametrize(("name", "value"), IDENTIFIERS, ids=["id", "recipient"])
Value = Callable[[int, int], str]


def test_a_field_that_changes_at_each_reading_is_named_once_and_never_its_values(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        reading(mail(Route=f"secret-{number}"), (1 + number) * HOUR)
    ((level, text),) = log.lines
    assert level == "warning"
    assert "change by itself (Route)" in text
    assert "maintainers" in text
    assert "secret" not in text


@pytest.mark.parametrize("share", [3, 5])
def test_a_field_that_changes_in_some_rows_is_named(
    reading: Reading, log: Logbook, share: int
) -> None:
    for number in range(9):
        reading(some(share, Route=("", "a")[number % 2], Status=str(number)), (1 + number) * HOUR)
    (text,) = log.texts("warning")
    assert "Many rows change" in text
    assert "Status" in text
    assert "Route" in text


def test_it_is_noticed_the_fourth_time_that_rows_have_changed(
    reading: Reading, log: Logbook
) -> None:
    for number in range(TIMES):
        reading(mail(Route=number), (1 + number) * HOUR)
    assert log.lines == []
    reading(mail(Route=TIMES), 9 * HOUR)
    assert "(Route)" in log.texts("warning")[0]


@identifiers
def test_rows_of_another_name_at_each_reading_are_told_once(
    reading: Reading, log: Logbook, name: str, value: Value
) -> None:
    for number in range(9):
        rows = [one(n, **{name: value(n, number)}) for n in range(COUNT)]
        reading(rows, (1 + number) * HOUR)
    (text,) = log.texts("warning")
    assert "not recognised" in text
    assert f"by itself ({name})" in text


@identifiers
def test_some_rows_of_another_name_are_told_too(
    reading: Reading, log: Logbook, name: str, value: Value
) -> None:
    for number in range(9):
        rows = [one(n, **({} if n % 3 else {name: value(n, number)})) for n in range(COUNT)]
        reading(rows, number * HOUR / 4)  # first while most of them are young, as fresh mail is
    (text,) = log.texts("warning")
    assert "not recognised" in text


def test_recipients_of_one_message_may_all_have_another_name_each_time(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        rows = [
            one(n, MessageTraceId=f"{n}-{number}", RecipientAddress=f"{to}@x.example")
            for n in range(COUNT // 2)
            for to in ("ab", "ba")[number % 2]
        ]
        reading(rows, (1 + number) * HOUR)
    (text,) = log.texts("warning")
    assert "not recognised" in text
    assert "RecipientAddress" not in text


def test_fields_and_names_that_change_are_told_each_once(reading: Reading, log: Logbook) -> None:
    for number in range(9):
        rows = [
            one(n, **({"Route": number} if n % 2 else {"MessageTraceId": f"{n}-{number}"}))
            for n in range(COUNT)
        ]
        reading(rows, (1 + number) * HOUR)
    assert len(log.texts("warning")) == 2


def test_rows_that_stay_as_they_are_or_are_read_for_the_first_time_are_nothing_to_say(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        reading(mail(), (1 + number) * HOUR)
    reading(mail(RecipientAddress="other@x.example"), 20 * HOUR)
    assert log.lines == []


def test_young_rows_may_change_at_each_reading_and_then_a_few_times(
    reading: Reading, log: Logbook
) -> None:
    for hour in range(2 * LEAST_HOURS):
        for number, age in enumerate([15, 30, 45, 60, 120, 180, 240]):
            rows = [
                row(SOON + n * MINUTES, MessageTraceId=str(n), Status=str(min(number, 5)))
                for n in range(60 * hour, 60 * hour + 15)
            ]
            reading(rows, hour * HOUR + age * HOUR / 60)
    assert log.lines == []


def test_few_rows_of_many_may_change_each_time(reading: Reading, log: Logbook) -> None:
    for number in range(9):
        rows = [one(n, **({} if n % 20 else {"Status": str(number)})) for n in range(5 * COUNT)]
        reading(rows, (2 + number) * HOUR)
    assert log.lines == []


def test_rows_that_are_shown_late_come_once(reading: Reading, log: Logbook) -> None:
    for number in range(12):
        reading([one(n) for n in range(COUNT) if n % 12 <= number], (1 + number) * HOUR)
    assert log.lines == []


def test_recipients_of_one_message_may_be_shown_one_after_another(
    reading: Reading, log: Logbook
) -> None:
    for number in range(1, 9):
        rows = [
            one(n, RecipientAddress=f"{to}@x.example") for n in range(COUNT) for to in range(number)
        ]
        reading(rows, (1 + number) * HOUR)
    assert log.lines == []


def test_hours_that_are_shown_after_an_outage_and_released_from_quarantine_are_natural(
    reading: Reading, log: Logbook
) -> None:
    reading(mail(COUNT // 2, Status="Pending"), HOUR)
    for number, status in enumerate(["Delivered", "Quarantined", "Delivered"]):
        for again in range(3):
            reading(mail(Status=status), (2 + 3 * number + again) * HOUR)
    assert log.lines == []


def test_a_lost_record_and_an_answer_of_the_past_cost_one_repeat(
    tmp_path: Path, log: Logbook
) -> None:
    volatile = VolatileFields(log, lambda each: each.fields)
    for number in range(2):
        ledger = Ledger(FolderStorage(tmp_path / str(number)))
        for status in ["old", "new", "new", "old", "new"] if number else ["old", "new"]:
            rows = mail(Status=status)
            unseen = ledger.unseen(rows)
            events = [Event(each.received, "", name, "") for name, each in unseen.items()]
            ledger.record((each.received, each.fingerprint) for each in events)
            volatile.observe(rows, unseen, events, NOON + (1 + number) * HOUR)
    assert log.lines == []


def test_what_the_intake_does_not_accept_comes_again_for_that_reason(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        reading(mail(), (1 + number) * HOUR, accepts=False)
    assert log.lines == []


def test_pages_of_one_reading_that_show_the_same_time_are_one(
    reading: Reading, log: Logbook
) -> None:
    for to in range(9):
        reading(mail(RecipientAddress=f"{to}@x.example"), HOUR)
    assert log.lines == []


def test_rows_of_which_the_record_is_gone_are_new_each_time(reading: Reading, log: Logbook) -> None:
    for number in range(9):
        rows = [one(n, MessageTraceId=f"{n}-{number}") for n in range(COUNT)]
        reading(rows, KEPT_FOR + number * HOUR)
    assert log.lines == []


@pytest.mark.parametrize(
    ("count", "every", "told"),
    [
        (LEAST_ROWS - 1, 60 * MINUTES, False),
        (LEAST_ROWS, 60 * MINUTES, True),
        (COUNT, MINUTES // 60, False),  # a campaign of some minutes
        (COUNT, LEAST_HOURS * 60 * MINUTES // COUNT, True),
    ],
)
def test_few_rows_prove_nothing_nor_do_those_of_a_few_hours(
    reading: Reading, log: Logbook, count: int, every: int, told: bool
) -> None:
    for number in range(9):
        reading(mail(count, every, Route=number), (1 + number) * HOUR)
    assert len(log.lines) == told


def test_what_is_followed_is_bounded(log: Logbook) -> None:
    volatile = VolatileFields(log, lambda each: each.fields)
    unseen = Unseen()
    tracemalloc.start()
    try:
        for hour in range(400):
            for again in range(2):
                unseen.clear()
                rows = [
                    row(SOON + hour * 60 * MINUTES + n, MessageTraceId=f"{n}-{again}")
                    for n in range(2 * FOLLOWED)
                ]
                unseen.update((str(n).encode(), each) for n, each in enumerate(rows))
                events = [Event(each.received, "", name, "") for name, each in unseen.items()]
                volatile.observe(rows, unseen, events, NOON + (hour + 2 + again) * HOUR)
        del rows, events
        unseen.clear()
        assert tracemalloc.get_traced_memory()[0] < 400_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["odd name", "\x1b[31m", "x" * 500, "жж", "a\nb"])
def test_a_name_that_is_no_word_is_not_logged(reading: Reading, log: Logbook, name: str) -> None:
    for number in range(5):
        reading(mail(**{name: number + 1}), (2 + number) * HOUR)
    (text,) = log.texts("warning")
    assert name not in text
    assert "by itself." in text


@pytest.mark.parametrize("forms", [(1, 1.0), (True, 1), ({"n": 0}, {"n": 0.0})], ids=str)
def test_numbers_that_are_equal_but_written_in_two_ways_are_named(
    reading: Reading, log: Logbook, forms: tuple[object, object]
) -> None:
    for number in range(5):
        reading(mail(Size=forms[number % 2]), (2 + number) * HOUR)
    assert "(Size)" in log.texts("warning")[0]


def test_half_a_character_in_a_row_does_no_harm(reading: Reading, log: Logbook) -> None:
    for number in range(5):
        reading(mail(Subject="\ud83d", Route=number + 1), (2 + number) * HOUR)
    assert "(Route)" in log.texts("warning")[0]


@pytest.mark.parametrize("received", [0, SOON * 2])
def test_rows_without_a_usable_time_do_no_harm(
    reading: Reading, log: Logbook, received: int
) -> None:
    for number in range(9):
        odd = [row(received, MessageTraceId=str(n), Status=number) for n in range(60)]
        reading(odd + mail(Route=number), (2 + number) * HOUR)
    assert "(Route)" in log.texts("warning")[0]
