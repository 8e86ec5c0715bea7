"""A field that changes by itself is noticed once; changes that are natural are not."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.volatile_fields import LEAST_PAGES, LEAST_ROWS, Flicker
from office365_message_trace.microsoft.rows import REPORTING_ROWS
from office365_message_trace.model import Row, milliseconds
from office365_message_trace.storage.folder import FolderStorage
from tests.support import NOON, Logbook, row

SOON = milliseconds(NOON)
HOUR = timedelta(hours=1)
Reading = Callable[..., None]


@pytest.fixture
def log() -> Logbook:
    return Logbook()


@pytest.fixture
def reading(tmp_path: Path, log: Logbook) -> Reading:
    """Reads rows at an age, in pages of 20, and has them accepted."""
    flicker = Flicker(log, lambda each: REPORTING_ROWS.said(each.fields))
    ledger = Ledger(FolderStorage(tmp_path))

    def read(rows: list[Row], age: timedelta) -> None:
        for at in range(0, len(rows), 20):
            page = rows[at : at + 20]
            unseen = ledger.unseen(page)
            flicker.observe(page, unseen, NOON + age)
            ledger.record((each.received, fingerprint) for fingerprint, each in unseen.items())

    return read


def mail(count: int = 3 * LEAST_ROWS, **fields: object) -> list[Row]:
    return [
        row(
            SOON - n * 1000,
            **{"MessageTraceId": str(n), "RecipientAddress": "r@x.example"} | fields,
        )
        for n in range(count)
    ]


def test_a_field_that_changes_at_each_reading_is_named_once_and_never_its_values(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        reading(mail(Route=f"secret-{number}"), (1 + number) * HOUR)
    ((level, text),) = log.lines
    assert level == "warning"
    assert "(Route)" in text
    assert "maintainers" in text
    assert "secret" not in text


def test_it_is_noticed_at_the_second_reading_with_other_content(
    reading: Reading, log: Logbook
) -> None:
    reading(mail(), 0 * HOUR)
    reading(mail(Route="a"), 2 * HOUR)
    assert "(Route)" in log.texts("warning")[0]


def test_rows_that_stay_as_they_are_or_are_read_for_the_first_time_are_nothing_to_say(
    reading: Reading, log: Logbook
) -> None:
    for number in range(9):
        reading(mail(), (1 + number) * HOUR)
    reading(mail(RecipientAddress="other@x.example"), 20 * HOUR)
    assert log.lines == []


def test_young_rows_may_change(reading: Reading, log: Logbook) -> None:
    for number in range(9):
        reading(mail(Status=str(number)), number * HOUR / 9)
    assert log.lines == []


def test_a_minority_may_change(reading: Reading, log: Logbook) -> None:
    for number in range(9):
        rows = mail()
        rows[::3] = [
            row(each.received, **{**each.fields, "Status": str(number)}) for each in rows[::3]
        ]
        reading(rows, (2 + number) * HOUR)
    assert log.lines == []


@pytest.mark.parametrize("count", [LEAST_ROWS // 2, LEAST_ROWS - 1])
def test_few_rows_prove_nothing(reading: Reading, log: Logbook, count: int) -> None:
    reading(mail(count), 2 * HOUR)
    reading(mail(count, Route="a"), 3 * HOUR)
    assert log.lines == []
    for number in range(LEAST_PAGES):
        reading(mail(count, Route=str(number)), 4 * HOUR)
    assert len(log.lines) == 1, "but some readings of them do"


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
    for number in range(3):
        reading(mail(Subject="\ud83d", Route=number + 1), (2 + number) * HOUR)
    assert "(Route)" in log.texts("warning")[0]


def test_rows_without_a_usable_time_do_no_harm(reading: Reading, log: Logbook) -> None:
    for number in range(3):
        reading(
            [row(0, MessageTraceId="x", RecipientAddress=str(n), Route=number) for n in range(60)],
            2 * HOUR,
        )
    assert len(log.lines) == 1
