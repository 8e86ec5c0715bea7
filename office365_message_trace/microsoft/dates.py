"""Microsoft's time from the ``Date`` of its answers: pure, and in seconds throughout.

An *offset* is a time of day, in seconds since 1970, less the monotonic clock at that moment: added to
the monotonic clock, it gives the time. A ``Date`` has whole seconds, and the answer takes time to travel,
so its offset is behind by up to a second and that travel time, and never ahead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from office365_message_trace.model import span

AGREEMENT = 60.0
"""Seconds by which times may differ and still count as the same."""
PERIOD = 300.0
"""Seconds for which every reading of a service counts; only the last few of the older ones do."""
FEWEST = 5
"""Readings of a service that count, however old they are."""
APART = 3.0
"""Seconds between readings of a service, once there are a few; sooner ones add nothing."""

_EARLIEST, _LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_IMF_FIXDATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", re.ASCII)


class Reading(NamedTuple):
    """The offsets of the service's time, from one ``Date``, and of the machine's clock, when the monotonic
    clock was ``at``."""

    at: float
    offset: float
    machine: float

    @property
    def ahead(self) -> float:
        """The lead of the machine's clock over the service's."""
        return self.machine - self.offset


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion from the readings of all services.

    ``offset`` is that of Microsoft's time, None if no service gives one. ``confirmed`` is true if more
    than a single reading supports it. ``contradiction`` names two services that differ by more than
    `AGREEMENT`, and the difference.
    """

    offset: float | None = None
    confirmed: bool = False
    contradiction: tuple[str, str, timedelta] | None = None


def seconds_of(date: str) -> float | None:
    """The seconds since 1970 that a ``Date`` header names (RFC 9110, section 5.6.7).

    None for anything but the current form in GMT, and for implausible years.
    """
    if not _IMF_FIXDATE.fullmatch(date):
        return None
    try:
        instant = parsedate_to_datetime(date)
    except ValueError:
        return None
    return instant.timestamp() if _EARLIEST <= instant < _LATEST else None


def with_reading(readings: tuple[Reading, ...], new: Reading) -> tuple[Reading, ...]:
    """The readings of one service that count once ``new`` has come, oldest first."""
    if len(readings) >= FEWEST and new.at < readings[-1].at + APART:
        return readings
    *older, last = sorted([*readings, new])
    recent = [each for each in older if each.at > last.at - PERIOD]
    few = older[-FEWEST + 1 :]
    return (*(recent if len(recent) > len(few) else few), last)


def from_before_a_sleep(reading: Reading, new: Reading) -> bool:
    """True if the monotonic clock stood still between the two, as it does while a machine sleeps.

    Then the services' time and the machine's have advanced together. If only the machine's clock was set,
    the services' time did not move, and ``reading`` still counts.
    """
    moved = abs(new.offset - reading.offset) > AGREEMENT
    return moved and abs(new.ahead - reading.ahead) <= AGREEMENT


def agreed(readings: Sequence[Reading]) -> float | None:
    """The offset on which most of a service's ``readings`` agree; None if they do not.

    It is the median, the upper one of two. So a wrong ``Date`` among right ones changes nothing, and a
    service whose ``Date`` stands still or jumps around tells no time.
    """
    offsets = sorted(each.offset for each in readings)
    most = len(offsets) // 2 + 1
    together = zip(offsets, offsets[most - 1 :], strict=False)
    if any(last - first <= AGREEMENT for first, last in together):
        return offsets[len(offsets) // 2]
    return None


def judge(readings: dict[str, tuple[Reading, ...]], machine: float) -> Verdict:
    """Judge the ``readings`` of each service; ``machine`` is the present offset of the machine's clock.

    If services agree, the latest time counts, because none is ahead. If they contradict each other, the
    one nearest to the machine's clock counts.
    """
    told = {name: offset for name, each in readings.items() if (offset := agreed(each)) is not None}
    if not told:
        return Verdict()
    first, last = min(told, key=told.__getitem__), max(told, key=told.__getitem__)
    apart = told[last] - told[first]
    if apart <= AGREEMENT:
        return Verdict(told[last], sum(len(readings[name]) for name in told) > 1)
    nearest = min(told, key=lambda name: abs(told[name] - machine))
    confirmed = all(len(readings[name]) > 1 for name in (first, last))
    contradiction = (first, last, timedelta(seconds=apart)) if confirmed else None
    return Verdict(told[nearest], len(readings[nearest]) > 1, contradiction)


def off_sentence(ahead: timedelta) -> str:
    """A warning of a machine's clock that is ``ahead`` of Microsoft's, or behind it if negative."""
    where = "ahead of" if ahead > timedelta(0) else "behind"
    return (
        f"This machine's clock is {span(ahead)} {where} Microsoft's. Mail is collected by Microsoft's "
        "time and is not affected, but certificates and other programs depend on this clock: have a "
        "time service (NTP) set it on the machine that runs the container."
    )


def contradiction_sentence(first: str, last: str, apart: timedelta) -> str:
    """A warning of two services whose times contradict each other."""
    first, last = (name.replace("The ", "the ", 1) for name in (first, last))
    return (
        f"The clocks of {first} and {last} are {span(apart)} apart. The one that is nearer to this "
        "machine's clock counts, so see that a time service (NTP) sets that; if it lasts, look for a "
        "proxy that changes the Date of answers."
    )
