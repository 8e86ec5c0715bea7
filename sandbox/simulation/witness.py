"""What happens in a run, as seen from outside the collector, for the judge."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from sandbox.simulation.events import Events, Identity

Interval = tuple[int, int]
"""Milliseconds since 1970, both inside."""

MINUTE_MS = 60_000

_CATCHING_UP_MS = 15 * MINUTE_MS

SPELL_RECOVERY = 45
"""Minutes after a fault that lasted until everything is caught up with."""


@dataclass
class Life:
    """One process, from its start to its end. Times are milliseconds since 1970."""

    began: int
    microsoft: list[int] = field(default_factory=list)
    """When it sent a request to the message trace service."""
    refused: list[int] = field(default_factory=list)
    """When it was refused for good, by whomever: not because a token had run out."""


@dataclass
class Witness:
    """Collects. Nothing here comes from the collector itself."""

    events: Events
    lives: list[Life] = field(default_factory=list)
    accepted: list[tuple[str, int]] = field(default_factory=list)
    """What the intake took, and when (true time)."""
    disturbances: list[Interval] = field(default_factory=list)
    """When something was wrong, and the time that recovery is granted afterwards."""
    busy: list[Interval] = field(default_factory=list)
    """When the request budget made windows of the past wait, and the time to catch up: fresh mail
    has no excuse then."""
    excused: Counter[Identity] = field(default_factory=Counter)
    """How often an event may be repeated."""
    excused_before: list[Interval] = field(default_factory=list)
    """(From when on, received up to when): such events may come again once."""
    recorded_quarters: list[tuple[int, frozenset[int]]] = field(default_factory=list)
    """(From when on, quarters of an hour since 1970): what was received in others may come again
    once, because it was off the record when the whole state was lost."""
    strays: tuple[int, int] | None = None
    """Events of at least that age, or received before that instant, may come again at any time: the
    service gives them without being asked, and they are off the record. None: it does not."""
    lost_records: int = 0
    """Records of acceptance that a fault destroyed: as many repeats are explained."""
    gaps: list[tuple[int, Interval]] = field(default_factory=list)
    """Gaps that the state declared, and when."""
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    over_quota: list[int] = field(default_factory=list)
    """When the service said that the tenant had spent its quota."""
    budget_lost: list[int] = field(default_factory=list)
    """When the storage lost, or could not take, the record of what was spent."""
    kills: int = 0
    stops: int = 0
    saved_first: int | None = None
    """When the state was durable for the first time."""

    def __post_init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._unrecorded: list[str] = []
        self._hindered = False
        self._extended = False

    @property
    def trace(self) -> str:
        """A hash over everything that happened, in its order."""
        return self._hash.hexdigest()

    def note(self, now_ms: int, *words: object) -> None:
        """Add to the trace."""
        self._hash.update(f"{now_ms} {words}\n".encode("utf-8", "surrogatepass"))

    def fault(self, now_ms: int, name: str, recovery_minutes: int = 10) -> None:
        """Something went wrong; from now on, and for the recovery, no delay is judged."""
        self.faults[name] += 1
        self.disturbed(now_ms, now_ms + recovery_minutes * MINUTE_MS)
        self.note(now_ms, name)
        self._hindered = True

    def paced(self, now_ms: int, *, background: bool) -> None:
        """The request budget did not allow a request."""
        if background:
            self.faults["paced"] += 1
            self.note(now_ms, "paced")
            self.busy.append((now_ms, now_ms + _CATCHING_UP_MS))
        else:
            self.fault(now_ms, "fresh mail paced", recovery_minutes=15)

    def disturbed(self, from_ms: int, to_ms: int) -> None:
        """No delay is judged that touches this time."""
        if self.disturbances and from_ms <= self.disturbances[-1][1]:
            before = self.disturbances[-1]
            self.disturbances[-1] = (min(before[0], from_ms), max(before[1], to_ms))
        else:
            self.disturbances.append((from_ms, to_ms))

    def sending(self) -> None:
        """A request begins: what was accepted and recorded before is settled."""
        if self._extended:
            self._unrecorded.clear()
            self._extended = self._hindered = False

    def took(self, now_ms: int, events: list[str], *, acknowledged: bool) -> None:
        """The intake accepted `events`, and perhaps could say so."""
        self.accepted += [(text, now_ms) for text in events]
        for text in events:
            self.note(now_ms, text)
        if acknowledged:
            self._unrecorded += events
            self._extended = False
        else:
            self.excused.update(self.events.of(text) for text in events)

    def recorded(self) -> None:
        """The collector's record of acceptance grew."""
        self._extended = True

    def ended(self, *, killed: bool) -> None:
        """The process ended; a kill, or a fault before the stop, explains what was not recorded."""
        if killed or self._hindered:
            self.excused.update(self.events.of(text) for text in self._unrecorded)
        self._unrecorded.clear()
        self._extended = self._hindered = False

    def held(self) -> None:
        """A refusal made the collector leave a batch that was accepted in part."""
        self.excused.update(self.events.of(text) for text in self._unrecorded)
        self._unrecorded.clear()
