"""Messages to very many recipients are noticed, and each is asked for by its id once a stage."""

from __future__ import annotations

from datetime import timedelta

import pytest

from office365_message_trace.collect.large_messages import (
    AnswerById,
    LargeMessages,
    Message,
    MessageCounter,
)
from office365_message_trace.model import UNDATED, Page, Row, Window, milliseconds
from tests.support import NOON, minutes, row

HOUR = timedelta(hours=1)
START = milliseconds(NOON)


def page(trace_id: str, rows: int, received: int = START) -> list[Row]:
    return [
        row(received, MessageTraceId=trace_id, RecipientAddress=f"r{n}@x.example")
        for n in range(rows)
    ]


def counted(*pages: list[Row], many: int = 10) -> list[Message]:
    counter = MessageCounter(many)
    for rows in pages:
        counter.add(rows)
    return counter.large


def test_a_message_with_half_of_many_rows_on_a_page_is_noticed_with_the_hours_around_it() -> None:
    (found,) = counted(page("big", 5) + page("small", 4))
    assert found == Message("big", Window(NOON, NOON), listed=5)
    assert found.window == Window(NOON - HOUR, NOON + HOUR)


def test_rows_without_a_trace_id_are_no_message() -> None:
    """It could not be asked for, and would be declared as incomplete."""
    assert counted(page("", 20)) == []


def test_one_row_less_is_no_large_message() -> None:
    assert counted(page("small", 4)) == []
    many, half = 1000, 500
    assert counted(page("small", half - 1), many=many) == []
    assert len(counted(page("big", half), many=many)) == 1


def test_the_rows_of_a_message_are_counted_over_pages_however_small() -> None:
    (found,) = counted(*[page("big", 5, START + 60_000)[n : n + 1] for n in range(5)])
    assert found.trace_id == "big"
    assert found.window.start <= NOON
    assert found.window.end == NOON + timedelta(minutes=61)


def test_rows_that_tell_no_time_count_but_do_not_widen_the_window() -> None:
    (found,) = counted(page("big", 4) + page("big", 2, UNDATED))
    assert found.known == Window(NOON, NOON)


def test_a_message_is_asked_for_until_it_is_completed_and_at_its_final_read() -> None:
    messages, big = LargeMessages(), Message("big", minutes(0, 0))
    assert messages.to_ask([big], final=False) == [big]
    assert messages.to_ask([big], final=False) == [big]
    messages.completed(big)
    assert messages.to_ask([big], final=False) == []
    assert messages.to_ask([big], final=True) == [big]


def test_what_was_completed_is_remembered_of_so_many_messages_only() -> None:
    messages = LargeMessages()
    first, *others, last = [Message(str(number), minutes(0, 0)) for number in range(3000)]
    for message in (first, *others, last):
        messages.completed(message)
    assert messages.to_ask([first, last], final=False) == [first]


def test_a_row_that_comes_twice_counts_once() -> None:
    assert counted(page("small", 4), page("small", 4)) == []
    (found,) = counted(page("big", 7), page("big", 10))
    assert found.listed == 10


@pytest.mark.parametrize(("rows", "cut"), [(9, False), (10, True), (11, False)])
def test_a_message_with_just_as_many_rows_as_a_listing_may_show_may_have_more(
    rows: int, cut: bool
) -> None:
    (found,) = counted(page("big", rows))
    assert found.cut is cut


HOURS = minutes(-60, 60)


def answered(message: Message, *pages: list[Row], ended: bool = True) -> AnswerById:
    answer = AnswerById(message)
    for number, rows in enumerate(pages, 1):
        answer.add(Page(rows, HOURS if ended and number == len(pages) else None))
    return answer


def test_all_rows_of_a_listing_by_the_id_complete_a_message() -> None:
    (message,) = counted(page("big", 10))
    assert not answered(message, page("big", 6), page("big", 12)[6:]).lacks_rows
    assert not answered(message, page("big", 10)).lacks_rows


def test_fewer_rows_by_the_id_or_those_of_a_listing_do_not() -> None:
    (message,) = counted(page("big", 10))
    assert answered(message, page("big", 9)).lacks_rows
    assert answered(message, []).lacks_rows
    assert answered(message, page("big", 9) + page("other", 5)).lacks_rows
    assert answered(message, page("big", 10), ended=False).lacks_rows


def test_no_answer_by_the_id_makes_a_listing_incomplete_that_is_not_cut() -> None:
    for rows in (9, 11):
        (message,) = counted(page("big", rows))
        assert not answered(message, [], ended=False).lacks_rows
