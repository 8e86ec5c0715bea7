"""What is read within a time limit, and what is declared as missing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from office365_message_trace.actions.reading import OutOfTime, Reading, TimeLimit
from office365_message_trace.errors import (
    AnswerTruncated,
    HistoryExceeded,
    MessageTraceError,
    Refused,
    Rejected,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.microsoft.conditions import Condition, Conditions
from office365_message_trace.microsoft.rows import GRAPH_ROWS
from office365_message_trace.model import Page, Pause, Row, Window, milliseconds
from tests.support import NOON, TurnedClock, minutes

Step = Page | Pause | MessageTraceError


class Script:
    """A service that answers each window with the next list of pages, pauses and errors."""

    name: ClassVar[str] = "Microsoft Graph"

    def __init__(self, *answers: list[Step]) -> None:
        self.asked: list[tuple[Window, Conditions]] = []
        self._answers = deque(answers)

    def matching(self, window: Window, conditions: Conditions) -> Iterator[Page | Pause]:
        self.asked.append((window, conditions))
        for step in self._answers.popleft() if self._answers else []:
            if isinstance(step, MessageTraceError):
                raise step
            yield step

    @property
    def windows(self) -> list[Window]:
        return [window for window, _ in self.asked]


def row(at: datetime = NOON, **fields: str) -> Row:
    members = {"id": "x", "recipientAddress": "a@b", **fields}
    return GRAPH_ROWS.row(milliseconds(at), members)


PAGE = Page([row()])
HOURS = [minutes(0, 60), minutes(-60, 0), minutes(-120, -60)]
"""Three windows, newest first."""


def read(
    script: Script, windows: list[Window] = HOURS, seconds: float = 60, many: int = 1000
) -> tuple[int, Reading, TurnedClock]:
    """The number of rows, the reading, and the clock."""
    clock = TurnedClock()
    reading = Reading(script, clock, TimeLimit(clock, seconds), many)
    return sum(len(rows) for rows in reading.rows(windows, ())), reading, clock


def test_windows_are_read_one_after_another() -> None:
    script = Script([PAGE, PAGE], [], [PAGE])
    rows, reading, _ = read(script)
    assert (rows, reading.missing, script.windows) == (3, [], HOURS)


def test_a_pause_is_waited_out_within_the_limit() -> None:
    rows, reading, clock = read(Script([Pause(20), PAGE, Pause(20), PAGE]), seconds=50)
    assert (rows, reading.missing, clock.waits) == (2, [], [20, 20])


def test_a_pause_beyond_the_limit_ends_all_and_the_rest_is_missing() -> None:
    newest = Window(NOON + timedelta(minutes=40), HOURS[0].end)
    script = Script([Page([row()], newest), Pause(90), PAGE])
    rows, reading, clock = read(script)
    assert (rows, clock.waits, len(script.asked)) == (1, [], 1)
    assert [window for window, _ in reading.missing] == [
        Window(HOURS[0].start, newest.start),
        *HOURS[1:],
    ]
    assert {reason for _, reason in reading.missing} == {
        "The next request has to wait 1.5 minutes for the request quota or the service, which exceeds the "
        "time limit."
    }


def test_a_window_that_was_read_completely_when_time_ends_is_not_missing() -> None:
    clock = TurnedClock()

    class Slow(Script):
        def matching(self, window: Window, conditions: Conditions) -> Iterator[Page | Pause]:
            clock.wait(60)
            yield Page([row()], window)

    reading = Reading(Slow(), clock, TimeLimit(clock, 60), 1000)
    assert sum(len(rows) for rows in reading.rows(HOURS, ())) == 1
    assert [window for window, _ in reading.missing] == HOURS[1:]
    assert reading.missing[0][1] == "The time limit of 1 minute was reached."


def test_rows_read_oldest_first_leave_the_end_missing() -> None:
    oldest = Window(HOURS[0].start, NOON + timedelta(minutes=40))
    _, reading, _ = read(Script([Page([row()], oldest), Pause(90)]), HOURS[:1])
    assert [window for window, _ in reading.missing] == [Window(oldest.end, HOURS[0].end)]


def test_time_that_no_longer_counts_as_covered_is_missing() -> None:
    """As when a page out of order shows that earlier ones may lack rows."""
    newest = Window(NOON + timedelta(minutes=40), HOURS[0].end)
    _, reading, _ = read(Script([Page([row()], newest), Page([row()]), Pause(90)]), HOURS[:1])
    assert [window for window, _ in reading.missing] == HOURS[:1]
    assert reading.complete_from == HOURS[0].end


def test_a_window_that_is_too_large_is_halved_newest_first() -> None:
    script = Script([PAGE, WindowTooLarge("too many")], [PAGE], [PAGE])
    rows, reading, _ = read(script, HOURS[:1])
    assert (rows, reading.missing) == (3, [])
    assert script.windows == [HOURS[0], minutes(30, 60), minutes(0, 30)]


def test_a_millisecond_that_cannot_be_read_is_missing_and_the_time_around_it_is_read() -> None:
    crowded = Window(NOON + timedelta(minutes=9), NOON + timedelta(minutes=10))
    script = Script([AnswerTruncated("too many rows in one millisecond", window=crowded)])
    _, reading, _ = read(script, HOURS[:1])
    assert script.windows == [HOURS[0], minutes(10, 60), minutes(0, 9)]
    ((window, reason),) = reading.missing
    assert window == crowded
    assert reason == "It cannot be read completely: too many rows in one millisecond."


def test_a_service_for_which_every_window_is_too_large_is_given_up_in_time() -> None:
    class Endless(Script):
        def matching(self, window: Window, conditions: Conditions) -> Iterator[Page | Pause]:
            self.asked.append((window, conditions))
            yield Pause(1)
            raise WindowTooLarge("too many")

    script = Endless()
    _, reading, _ = read(script, seconds=30)
    assert len(script.asked) <= 31
    whole = sum((window.span for window, _ in reading.missing), timedelta(0))
    assert whole == timedelta(hours=3)


def test_one_window_that_fails_does_not_withhold_the_others() -> None:
    script = Script([PAGE], [Unavailable("a fault", "status 500")], [PAGE])
    rows, reading, _ = read(script)
    assert rows == 2
    ((window, reason),) = reading.missing
    assert window == HOURS[1]
    assert reason == "Microsoft Graph does not answer as it should (a fault). [status 500]"


@pytest.mark.parametrize("error", [Unavailable("a fault"), Rejected("Rejected.")], ids=type)
def test_after_two_failures_in_a_row_nothing_more_is_asked(error: MessageTraceError) -> None:
    script = Script([PAGE], [error], [error], [PAGE])
    _, reading, _ = read(script, [*HOURS, minutes(-180, -120)])
    assert len(script.asked) == 3
    assert len(reading.missing) == 3


def test_a_refusal_at_first_is_an_error_and_later_ends_the_reading() -> None:
    with pytest.raises(Refused):
        read(Script([Refused("No.")]))
    rows, reading, _ = read(Script([PAGE], [Refused("No.", "status 403")], [PAGE]))
    assert rows == 1
    assert [reason for _, reason in reading.missing] == ["No. [status 403]"] * 2


def test_time_that_the_service_keeps_no_longer_is_missing_and_younger_time_is_read() -> None:
    window = Window(NOON - timedelta(days=20), NOON - timedelta(days=10))
    script = Script([HistoryExceeded("old", 15)], [PAGE])
    rows, reading, _ = read(script, [window])
    assert rows == 1
    kept = NOON - timedelta(days=15) + timedelta(hours=2)
    assert script.windows == [window, Window(kept, window.end)]
    assert reading.missing == [
        (Window(window.start, kept), "Microsoft Graph keeps mail for 15 days only.")
    ]


def test_rows_that_meet_no_condition_are_left_out() -> None:
    script = Script([Page([row(status="failed"), row(status="delivered"), row()])])
    clock = TurnedClock()
    reading = Reading(script, clock, TimeLimit(clock, 60), 1000)
    (rows,) = reading.rows(HOURS[:1], (Condition("status", "Failed"),))
    assert [each.fields["status"] for each in rows] == ["failed"]
    assert reading.unmatched == 2


def test_a_message_to_very_many_is_read_by_its_id_as_well_within_the_time_asked_for() -> None:
    at = NOON + timedelta(minutes=30)
    listed = [row(at, id="big", recipientAddress=f"{n}@x") for n in range(5)]
    script = Script([Page([*listed, row(id="small")])], [Page([*listed, *listed])])
    rows, _, _ = read(script, HOURS[:1], many=10)
    assert rows == 16
    assert script.asked[1:] == [(HOURS[0], (Condition("id", "big"),))]


def test_a_message_that_was_asked_for_by_its_id_is_not_asked_for_again() -> None:
    listed = [row(NOON, id="big", recipientAddress=f"{n}@x", messageId="m") for n in range(5)]
    script = Script([Page(listed)], [Page(listed)])
    clock = TurnedClock()
    reading = Reading(script, clock, TimeLimit(clock, 60), 10)
    for condition in (Condition("id", "big"), Condition("messageId", "m")):
        assert sum(len(rows) for rows in reading.rows(HOURS[:1], (condition,))) == 5
    assert len(script.asked) == 2


def test_a_limit_that_is_reached_is_noticed_before_a_request() -> None:
    clock = TurnedClock()
    limit = TimeLimit(clock, 10)
    limit.check()
    clock.wait(10)
    with pytest.raises(OutOfTime, match="limit of 10 seconds"):
        limit.check()
