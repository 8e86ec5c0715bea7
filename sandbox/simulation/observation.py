"""What happens in a run, as seen from outside the collector, for the judge."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from sandbox.simulation.allowances import BAD_RECORD_MS, CATCHING_UP_MS, RECOVERY_MINUTES
from sandbox.simulation.event_identity import Events, Identity
from sandbox.simulation.gaps import Gap
from sandbox.simulation.settings import MINUTE_MS, Settings
from sandbox.simulation.tenant import WatchedTenant

Interval = tuple[int, int]
"""Milliseconds since 1970, both inside."""


@dataclass
class Life:
    """One process, from its start to its end. Times are milliseconds since 1970."""

    began: int
    tenant: str = ""
    """Which one it collects."""
    microsoft: list[int] = field(default_factory=list)
    """When it sent a request to the message trace service."""
    refused: list[int] = field(default_factory=list)
    """When Microsoft refused it for good: not because a token had run out."""
    refused_by_intake: list[int] = field(default_factory=list)
    """When the intake refused its key."""
    marked: bool = False
    """Whether its mark became durable, by which it owns the storage until a later process's does."""
    replaced: int | None = None
    """When it went on, after another process had become the owner of its storage."""


@dataclass
class Collected:
    """A tenant, and how it was collected. Times are milliseconds since 1970."""

    tenant: WatchedTenant
    folder: str
    """Where its state lies."""
    history: list[tuple[int, Settings]] = field(default_factory=list)
    clock_ahead: list[int] = field(default_factory=list)
    """How far the machine's clock was ahead at the beginning of each life, in milliseconds."""
    """The settings of each life, with the time of its beginning."""
    owed_from_ms: int = 0
    absent: list[Interval] = field(default_factory=list)
    """When another tenant was collected, and the time that recovery is granted afterwards."""
    saved_first: int | None = None
    """When its state was durable for the first time."""
    gaps: list[tuple[int, Gap]] = field(default_factory=list)
    """Gaps that its state declared, and when."""

    @property
    def first_start_ms(self) -> int:
        """When it was collected for the first time."""
        return self.history[0][0]


@dataclass
class Observation:
    """Collects. Nothing here comes from the collector itself."""

    events: Events
    lives: list[Life] = field(default_factory=list)
    collected: list[Collected] = field(default_factory=list)
    """All tenants, the usual one first."""
    current: Collected | None = None
    """The one that is collected now."""
    accepted: list[tuple[str, int]] = field(default_factory=list)
    """What the intake took, and when (true time)."""
    disturbances: list[Interval] = field(default_factory=list)
    """When something was wrong, and the time that recovery is granted afterwards."""
    busy: list[Interval] = field(default_factory=list)
    """When the request budget made windows of the past wait, and the time to catch up: fresh mail
    has no excuse then."""
    misled: list[Interval] = field(default_factory=list)
    """Receive times of which an answer showed less than there was, or what had been."""
    stale: list[Interval] = field(default_factory=list)
    """When a replica answered that was behind."""
    excused: Counter[Identity] = field(default_factory=Counter)
    """How often an event may be repeated."""
    refused_alone: set[Identity] = field(default_factory=set)
    """Events that were in a batch of their own when the intake refused it, whatever the reason."""
    doubtful: set[Identity] = field(default_factory=set)
    """Events of which the collector may not know that they were accepted."""
    excused_before: list[Interval] = field(default_factory=list)
    """(From when on, received up to when): such events may come again once."""
    recorded_quarters: list[tuple[int, frozenset[int]]] = field(default_factory=list)
    """(From when on, quarters of an hour since 1970): what was received in others may come again
    once, because it was off the record when the whole state was lost."""
    strays: int | None = None
    """Events of at least that age, in milliseconds, may come again at any time: the service gives them
    without being asked, and they are off the record. None: it does not."""
    lost_records: int = 0
    """Records of acceptance that a fault destroyed: as many repeats are explained."""
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    over_quota: list[int] = field(default_factory=list)
    """When the service said that the tenant had spent its quota."""
    budget_lost: list[int] = field(default_factory=list)
    """When the storage lost, or could not take, the record of what was spent, or another process spent
    of it at the same time."""
    kills: int = 0
    stops: int = 0
    takeovers: int = 0
    bad_records: dict[int, int] = field(default_factory=dict)
    """When a page first failed because of the bad record received then."""

    def __post_init__(self) -> None:
        self.life = Life(0)
        """The process that runs now."""
        self._hash = hashlib.blake2b(digest_size=16)
        self._unrecorded: list[str] = []
        self._hindered = False
        self._extended = False

    @property
    def trace(self) -> str:
        """A hash over everything that happened, in its order."""
        return self._hash.hexdigest()

    @property
    def owner(self) -> Life | None:
        """The process that was started last of those that left their mark."""
        return next((life for life in reversed(self.lives) if life.marked), None)

    def begins(self, life: Life) -> None:
        """A process is started."""
        self.lives.append(life)
        self.life = life

    def note(self, now_ms: int, *words: object) -> None:
        """Add to the trace."""
        self._hash.update(f"{now_ms} {words}\n".encode("utf-8", "surrogatepass"))

    def saved(self, now_ms: int, gaps: list[Gap]) -> None:
        """The state was made durable, and declares those gaps."""
        if self.current is None:
            return
        if self.current.saved_first is None:
            self.current.saved_first = now_ms
        known = {gap for _, gap in self.current.gaps}
        self.current.gaps += [(now_ms, gap) for gap in gaps if gap not in known]

    def marked(self) -> None:
        """The mark of the process that runs now was made durable."""
        self.life.marked = True

    def fault(self, now_ms: int, name: str) -> None:
        """Something went wrong; from now on, and for the recovery, bounds do not hold."""
        self.faults[name] += 1
        self.disturbed(now_ms, now_ms + RECOVERY_MINUTES * MINUTE_MS)
        self.note(now_ms, name)
        self._hindered = True

    def met_bad_records(self, now_ms: int, received: list[int]) -> None:
        """A page failed because of the bad records that were received then. Once they can be known, that
        disturbs nothing any more."""
        first = [self.bad_records.setdefault(each, now_ms) for each in received]
        if any(now_ms < each + BAD_RECORD_MS for each in first):
            self.fault(now_ms, "bad record")
        else:
            self.faults["bad record, again"] += 1

    def paced(self, now_ms: int, *, background: bool) -> None:
        """The request budget did not allow a request."""
        if background:
            self.faults["paced"] += 1
            self.note(now_ms, "paced")
            self.busy.append((now_ms, now_ms + CATCHING_UP_MS))
        else:
            self.fault(now_ms, "fresh mail paced")

    def disturbed(self, from_ms: int, to_ms: int) -> None:
        """Bounds do not hold in this time."""
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
            self.excuse(events)

    def excuse(self, events: list[str]) -> None:
        """Those events may come again once more: the collector may not know that they were accepted."""
        identities = [self.events.of(text) for text in events]
        self.excused.update(identities)
        self.doubtful.update(identities)

    def recorded(self) -> None:
        """The collector's record of acceptance grew."""
        self._extended = True

    def ended(self, *, killed: bool) -> None:
        """The process ended; a kill, or a fault before the stop, explains what was not recorded."""
        if killed or self._hindered:
            self.excuse(self._unrecorded)
        self._unrecorded.clear()
        self._extended = self._hindered = False

    def held(self) -> None:
        """A refusal made the collector leave a batch that was accepted in part."""
        self.excuse(self._unrecorded)
        self._unrecorded.clear()
