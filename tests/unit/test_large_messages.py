"""Messages to very many recipients are noticed, and each is asked for by its id once a stage."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.collect.large_messages import (
    LargeMessages,
    Message,
    MessageCounter,
)
from office365_message_trace.model import UNDATED, Row, Window, milliseconds
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
    assert found == Message("big", Window(NOON, NOON))
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
    (found,) = counted(*[page("big", 1, START + 60_000)] * 5)
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
