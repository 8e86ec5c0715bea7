"""Reads the rows that meet conditions within a time limit, and keeps account of what is missing.

A partial answer is worth having, so nothing but a refusal of the very first request is an error: what could not
be read is declared.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, TypeVar

from office365_message_trace.clock import Clock
from office365_message_trace.collect.large_messages import MessageCounter
from office365_message_trace.errors import (
    HistoryExceeded,
    Refused,
    Rejected,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.microsoft.conditions import Condition, Conditions
from office365_message_trace.microsoft.field_names import GRAPH
from office365_message_trace.model import MILLISECOND, Page, Pause, Row, Window, span

MOST_ROWS = 100_000
"""Of an answer; conditions that more rows meet describe nothing."""
_ENOUGH_FAILURES = 2  # windows in a row; then all others would most likely fail, too
_MARGIN = timedelta(hours=2)  # within the history, so that the same claim is not believed again

_T = TypeVar("_T")


class Source(Protocol):
    """Microsoft Graph."""

    name: ClassVar[str]

    def matching(self, window: Window, conditions: Conditions) -> Iterator[Page | Pause]:
        """The pages of the rows of ``window`` that meet ``conditions``."""


class OutOfTime(Exception):
    """The time limit was reached, or a wait would exceed it; the text is a sentence."""


class TimeLimit:
    """Ends the work of an action after ``seconds``, or before a wait that would take longer."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock.monotonic() + seconds

    def check(self) -> None:
        """Raise `OutOfTime` if the limit is reached."""
        if self._clock.monotonic() >= self._end:
            limit = span(timedelta(seconds=self._seconds))
            raise OutOfTime(f"The time limit of {limit} was reached.")

    def of(self, pages: Iterator[_T | Pause]) -> Iterator[_T]:
        """``pages`` without the pauses, which are waited out. Raises `OutOfTime`."""
        for page in pages:
            if isinstance(page, Pause):
                self._wait(page.seconds)
            else:
                yield page
            self.check()

    def _wait(self, seconds: float) -> None:
        self.check()
        if self._clock.monotonic() + seconds > self._end:
            wait = span(timedelta(seconds=round(seconds)))
            raise OutOfTime(
                f"The next request has to wait {wait} for the request quota or the service, which exceeds "
                "the time limit."
            )
        self._clock.wait(seconds)


class Reading:
    """Reads windows of ``source`` until the limit; ``missing`` is what could not be read, and why.

    Messages to ``many`` recipients or more are read by their id as well: a listing may not show all of
    their rows, because Get-MessageTraceV2 requires the id for them.
    """

    def __init__(self, source: Source, clock: Clock, limit: TimeLimit, many: int) -> None:
        self.missing: list[tuple[Window, str]] = []
        self.unmatched = 0
        """Rows that did not meet the conditions."""
        self.complete_from: datetime | None = None
        """All rows of the latest query that were received from then on have been given, but for those in
        ``missing``. Pages do not have to come newest first."""
        self._source = source
        self._clock = clock
        self._limit = limit
        self._many = many
        self._read_by_id: set[str] = set()  # messages all of whose rows were asked for
        self._given_up: str | None = None
        self._answered = False
        self._failures = 0

    def rows(self, windows: Sequence[Window], conditions: Conditions) -> Iterator[list[Row]]:
        """The rows of ``windows``, newest first, that meet ``conditions``: a list a page. A row may come twice.

        Raises `Refused` if the first request of all is refused.
        """
        counter = MessageCounter(self._many)
        for rows in self._listed(windows, conditions):
            counter.add(rows)
            yield rows
        ids = {each.value for each in conditions if each.name == GRAPH.trace_id}
        if ids:
            self._read_by_id |= ids if len(conditions) == 1 else set()
            return
        for message in counter.large:
            if message.trace_id.lower() in self._read_by_id:
                continue
            start = max(message.window.start, windows[-1].start)
            end = min(message.window.end, windows[0].end)
            by_id = (*conditions, Condition(GRAPH.trace_id, message.trace_id))
            yield from self._listed([Window(start, end)], by_id)

    def _listed(self, windows: Sequence[Window], conditions: Conditions) -> Iterator[list[Row]]:
        parts = deque(windows)
        self.complete_from = windows[0].end
        while parts:
            part = parts.popleft()
            if self._given_up:
                self.missing.append((part, self._given_up))
                continue
            covered: Window | None = None
            try:
                self._limit.check()
                for page in self._limit.of(self._source.matching(part, conditions)):
                    covered = page.covered
                    newest_first = covered is not None and covered.end == part.end
                    self.complete_from = covered.start if covered and newest_first else part.end
                    self._answered, self._failures = True, 0
                    yield self._matched(page.rows, conditions)
            except WindowTooLarge as problem:
                parts.extendleft(reversed(self._smaller(part, problem)))
            except HistoryExceeded as problem:
                parts.extendleft(self._younger(part, problem))
            except (Refused, Unavailable) as problem:
                self._failed(problem)
                self._miss(part, covered, self._reason(problem))
            except OutOfTime as problem:
                self._given_up = str(problem)
                self._miss(part, covered, self._given_up)

    def _matched(self, rows: list[Row], conditions: Conditions) -> list[Row]:
        """``rows`` without those that do not meet ``conditions``: Graph ignores without an error what it does
        not understand, and an answer to another question is none."""
        met = [row for row in rows if all(each.holds(row.fields) for each in conditions)]
        self.unmatched += len(rows) - len(met)
        return met

    def _failed(self, problem: Refused | Unavailable) -> None:
        """Decide if other windows are worth a request. Raises ``problem`` if it is the first answer and one
        that a person has to act on."""
        if isinstance(problem, Refused) and not self._answered:
            raise problem
        self._failures += 1
        others_too = isinstance(problem, Refused) and not isinstance(problem, Rejected)
        if others_too or self._failures >= _ENOUGH_FAILURES:
            self._given_up = self._reason(problem)

    def _reason(self, problem: Refused | Unavailable) -> str:
        if isinstance(problem, Refused):
            return str(problem)
        detail = f" [{problem.detail}]" if problem.detail else ""
        return f"{problem.about(self._source.name)}{detail}"

    def _miss(self, part: Window, covered: Window | None, reason: str) -> None:
        """Declare ``part`` without the time at one of its ends that is ``covered``, if any is left."""
        if covered is not None:
            ends = Window(part.start, covered.start), Window(covered.end, part.end)
            part = max(ends, key=lambda each: each.span)
            if not part.span:
                return
        self.missing.append((part, reason))

    def _smaller(self, part: Window, problem: WindowTooLarge) -> list[Window]:
        """``part`` in smaller windows, newest first; declares what cannot be divided."""
        if problem.window is None and part.is_divisible:
            half = part.start + part.span / 2 // MILLISECOND * MILLISECOND
            return part.divided_at(half)[::-1]
        crowded = problem.window or part
        start = min(max(crowded.start, part.start), part.end)
        end = min(max(crowded.end, start), part.end)
        self.missing.append((Window(start, end), f"It cannot be read completely: {problem}."))
        ends = Window(end, part.end), Window(part.start, start)
        return [each for each in ends if each.span]

    def _younger(self, part: Window, problem: HistoryExceeded) -> list[Window]:
        """The end of ``part`` that the service still keeps; declares the rest."""
        kept = self._clock.now() - timedelta(days=problem.days) + _MARGIN
        kept = min(max(kept, part.start), part.end)
        reason = f"{self._source.name} keeps mail for {problem.days} days only."
        self.missing.append((Window(part.start, kept), reason))
        return [Window(kept, part.end)] if part.start < kept < part.end else []
