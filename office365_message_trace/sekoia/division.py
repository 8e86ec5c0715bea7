"""Finds the events of a batch that the intake refuses, by sending parts of it again.

There are three kinds of answers (see `Verdict`):

* Each event has its verdict: nothing is sent again.
* The batch was refused as a whole. One event is enough for that, so the batch is divided down to the
  events at fault. Nothing was accepted, so nothing is repeated.
* Some events have no id, and the answer does not tell which. Every part that is sent again repeats
  what was accepted of it, so the parts are small, the largest events come first, and the search ends
  with the last missing one: what was not sent again by then is accepted. For one missing event among
  n that costs at most n - 1 repeats, and half as many on average.

An intake may start refusing everything in the middle of a search, and then each event looks missing.
So a search ends only after two checks: the intake accepts one more event that is sent again, and then
refuses the events that were found once more.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isqrt

from office365_message_trace.errors import Refused
from office365_message_trace.model import Event
from office365_message_trace.sekoia.intake_verdict import ALL_REFUSED, Verdict

_MOST_SURPLUS = 8  # events refused beyond those missing, before the intake is found at fault


@dataclass(frozen=True, slots=True)
class Answered:
    """The events that one answer settles. ``any_accepted`` is true if the intake took any event of that
    request, even if it is not settled which."""

    accepted: list[Event]
    refused: list[Event]
    any_accepted: bool


def settle(
    parts: Iterable[list[Event]], post: Callable[[list[Event]], Verdict]
) -> Iterator[Answered]:
    """Send ``parts`` with ``post``, then smaller ones where needed, until each event is settled.

    Yields after each request, before the next. Larger parts go first, each with a single event of
    it, so that an intake that takes nothing is recognised before each event is sent alone.
    Raises `Refused` if the intake refuses what it has just accepted.
    """
    waiting = deque(parts)
    while waiting:
        part = waiting.popleft()
        verdict = post(part)
        if verdict.positions is not None:
            yield _settled(part, verdict.positions)
        elif verdict.missing == len(part):
            yield Answered([], [], False)
            middle = len(part) // 2
            waiting += filter(None, (part[:1], part[1:middle], part[middle:]))
        else:
            yield Answered([], [], True)
            yield from _search(part, verdict.missing, post)


def piece_size(events: int, missing: int) -> int:
    """The number of events to send at once to find ``missing`` ones among ``events``.

    The square root balances requests against repeats. Where many are missing, pieces are so small
    that about half of them lack none. A piece is at most half of two or more events that are left:
    sending the last ones together would reveal nothing new.
    """
    return max(1, min(isqrt(events), events // (2 * missing)))


def _settled(part: list[Event], refused: tuple[int, ...]) -> Answered:
    if not refused:
        return Answered(part, [], True)
    without = set(refused)
    accepted = [event for n, event in enumerate(part) if n not in without]
    return Answered(accepted, [part[n] for n in refused], bool(accepted))


def _search(
    part: list[Event], missing: int, post: Callable[[list[Event]], Verdict]
) -> Iterator[Answered]:
    """Find the ``missing`` events of ``part``. Only an event that is refused alone counts as found.

    If more are found than were missing, their number proves nothing, and all of the part is sent
    again.
    """
    left = sorted(part, key=lambda event: len(event.text), reverse=True)
    found: list[Event] = []
    works = True
    while left:
        short = missing - len(found)
        if works and not short:
            recovered = [event for event in found if not post([event]).missing]
            if not recovered:
                break
            found = [event for event in found if event not in recovered]
            yield Answered(recovered, [], True)
            continue
        if not works and short < -_MOST_SURPLUS:
            raise Refused(ALL_REFUSED, "it refuses what it has just accepted")
        size = piece_size(len(left), abs(short)) if works or short > 0 else 1
        piece, left = left[:size], left[size:]
        for answered in settle([piece], post):
            found += answered.refused
            works = answered.any_accepted
            yield Answered(answered.accepted, [], works)
    yield Answered(left, found, works)
