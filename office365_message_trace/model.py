"""The values that pass through the collector, all frozen. Time is aware UTC, to the millisecond."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNDATED = 0
"""The receive time of a row that does not tell a usable one."""
MILLISECOND = timedelta(milliseconds=1)

Fields = dict[str, Any]
Log = Callable[[str, str], None]
"""Where a sentence for the user goes: (text, level), the level one of the platform's."""

_LAST_YEAR = 9000

_UNITS = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)


def milliseconds(instant: datetime) -> int:
    """Whole milliseconds from 1970 to ``instant``, rounded down."""
    passed = instant - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000


def instant(milliseconds_since_1970: int) -> datetime:
    """The inverse of `milliseconds`."""
    return EPOCH + timedelta(milliseconds=milliseconds_since_1970)


def sensible(stored: datetime) -> datetime:
    """An instant that was read from the storage, in UTC. Raises ValueError if it names no zone or cannot
    be counted with: mail is not older than 1970, and some centuries from now the calendar ends."""
    if stored.tzinfo is None or not 1970 <= stored.year < _LAST_YEAR:
        raise ValueError("an impossible instant")
    return max(stored.astimezone(UTC), EPOCH)


def span(time: timedelta) -> str:
    """``time`` in its largest fitting unit, to one digit after the point: ``1.5 hours``."""
    name, unit = next((each for each in _UNITS if abs(time) >= each[1]), _UNITS[-1])
    number = f"{abs(time) / unit:.1f}".removesuffix(".0")
    return f"{number} {name}" if number == "1" else f"{number} {name}s"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A closed interval of receive time; neighbours share their boundary instant."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a window cannot end ({self.end}) before it starts ({self.start})")

    @property
    def span(self) -> timedelta:
        return self.end - self.start

    @property
    def is_divisible(self) -> bool:
        """True if it is longer than a millisecond, the resolution of receive times."""
        return self.span > MILLISECOND

    def divided_at(self, *cuts: datetime) -> "list[Window]":
        """The window in parts that share their bounds, which are those of ``cuts`` inside it."""
        inside = sorted({cut for cut in cuts if self.start < cut < self.end})
        bounds = [self.start, *inside, self.end]
        return [Window(start, end) for start, end in pairwise(bounds)]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S} UTC"


class RowSource(Protocol):
    """The page or row that a `Row` was read from. ``place`` is the row's index on a page."""

    def text(self, place: int) -> str:
        """The row as it is forwarded: as it came, as far as possible, in one line of JSON."""

    def fields(self, place: int) -> Fields:
        """The members of the row."""

    def content(self, place: int) -> bytes:
        """The row without echoes of the query, annotations and empty fields, and with its receive time in
        milliseconds, as bytes to compare."""

    def lasting(self, place: int) -> bytes:
        """The content without the fields that change while the message is under way."""

    def alone(self, place: int) -> "RowSource":
        """A source of this row only, at place 0, which does not keep the page in memory."""


class Row(NamedTuple):
    """A row for one message and one recipient; its fields are decoded only on demand.

    ``received`` is in milliseconds since 1970; ``trace_id`` and ``recipient`` are empty if the row has
    none. ``form`` is a hash of the values, with a secret of this process. Rows of equal form have equal
    content; rows of different form may have, too.
    """

    received: int
    trace_id: str
    recipient: str
    form: int
    source: RowSource
    place: int = 0

    @property
    def text(self) -> str:
        """The row as it is forwarded: as it came, as far as possible, in one line of JSON."""
        return self.source.text(self.place)

    @property
    def fields(self) -> Fields:
        """The members of the row."""
        return self.source.fields(self.place)

    @property
    def content(self) -> bytes:
        """The row without echoes of the query, annotations and empty fields, and with its receive time in
        milliseconds, as bytes to compare."""
        return self.source.content(self.place)

    @property
    def alone(self) -> "Row":
        """The same row, which does not keep its page in memory."""
        return self._replace(source=self.source.alone(self.place), place=0)

    @property
    def identity(self) -> Hashable:
        """Identifies the row in spite of later changes; rows of equal content have equal identities.

        Without a trace id or a recipient, a row may be one of several of a message, so all fields that
        do not change identify it.
        """
        if self.trace_id and self.recipient:
            return self.received, self.trace_id, self.recipient.lower()
        return self.source.lasting(self.place)

    @property
    def key(self) -> bytes:
        """The identity as it is recorded."""
        if self.trace_id and self.recipient:
            key = f"{self.received} {self.trace_id} {self.recipient.lower()}"
            return key.encode("utf-8", "surrogatepass")
        return self.source.lasting(self.place)


class Event(NamedTuple):
    """A row on its way to the intake: ``text`` is the JSON that is pushed."""

    received: int
    trace_id: str
    fingerprint: bytes
    text: str


class Delivery(NamedTuple):
    """Events that the intake accepted, which took ``seconds``, or that it refused although it accepts others."""

    accepted: list[Event]
    refused: list[Event]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """One well-formed answer of the API.

    ``covered`` is the part of the window that was asked for of which every row has come by now, and
    ``more`` is true if others follow it, or smaller windows are to be read instead. ``strays`` counts the
    rows from outside the time that was asked for.
    """

    rows: list[Row]
    covered: Window | None = None
    more: bool = False
    strays: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """The next page cannot come before ``seconds`` have passed: others may go first."""

    seconds: float
