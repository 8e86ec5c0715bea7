"""Messages to very many recipients are noticed, and each is asked for by its id once a stage."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.collect.large_messages import (
    MANY_RECIPIENTS,
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


def test_a_message_with_many_rows_on_a_page_is_noticed_with_the_hours_around_it() -> None:
    (found,) = counted(page("big", 10) + page("small", 9))
    assert found == Message("big", Window(NOON - HOUR, NOON + HOUR))


def test_one_row_less_is_no_large_message() -> None:
    assert counted(page("small", 9)) == []
    assert counted(page("small", MANY_RECIPIENTS - 1), many=MANY_RECIPIENTS) == []
    assert len(counted(page("big", MANY_RECIPIENTS), many=MANY_RECIPIENTS)) == 1


def test_the_rows_of_a_message_are_counted_over_pages() -> None:
    (found,) = counted(page("big", 6), page("big", 6, START + 60_000))
    assert found.trace_id == "big"
    assert found.window.start <= NOON
    assert found.window.end == NOON + timedelta(minutes=61)


def test_rows_that_tell_no_time_count_but_do_not_widen_the_window() -> None:
    (found,) = counted(page("big", 8) + page("big", 2, UNDATED))
    assert found.window == Window(NOON - HOUR, NOON + HOUR)


def test_a_message_is_asked_for_once_when_it_is_noticed_and_once_at_its_final_read() -> None:
    messages, big = LargeMessages(), Message("big", minutes(-60, 60))
    assert messages.next() is None
    for final in (False, False, True, True, False):
        messages.notice([big], final)
    assert [messages.next() for _ in range(3)] == [big, big, None]


def test_a_message_that_could_not_be_asked_for_is_asked_for_again() -> None:
    messages, big = LargeMessages(), Message("big", minutes(-60, 60))
    messages.notice([big], False)
    assert messages.next() == big
    messages.again(big)
    assert messages.next() == big
    assert messages.next() is None


def test_what_was_asked_for_is_remembered_of_so_many_messages_only() -> None:
    messages = LargeMessages()
    for number in range(3000):
        messages.notice([Message(str(number), minutes(0, 1))], False)
        assert messages.next() is not None
    messages.notice([Message("2999", minutes(0, 1)), Message("0", minutes(0, 1))], False)
    assert messages.next() == Message("0", minutes(0, 1))
    assert messages.next() is None
