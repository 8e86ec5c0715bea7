"""A drawn world: a laboratory, its processes and kills, and what a judge has to know of its oddities."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from office365_message_trace.collect.coverage import Policy
from office365_message_trace.transport.session import Answer
from sandbox.blobs import Blobs
from sandbox.simulation.crashes import Killed
from tests.claims.laboratory import T0, Laboratory
from tests.claims.service import Asked, H, Mail, Service

Event = dict[str, Any]
Place = Literal["request", "delivery", "write"]
"""The points at which a process can be killed: before the answer to a request, after the intake has accepted a batch, or
during a write."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``first`` to ``last``, in milliseconds since 1970, both inside."""

    first: int
    last: int

    def has(self, instant: int) -> bool:
        return self.first <= instant <= self.last

    def __str__(self) -> str:
        return f"{(self.first - T0) / H:.2f}-{(self.last - T0) / H:.2f}h"


@dataclass(slots=True)
class Facts:
    """The faults and oddities of a world for which `docs/guarantees.md` has exceptions."""

    faults: list[Span] = field(default_factory=list)
    """Spans in which the service, the intake or a process failed."""
    searches: list[Span] = field(default_factory=list)
    """Spans in which bad records are searched."""
    bad: set[int] = field(default_factory=set)
    """Receive times of records that never can be read."""
    searched: int = 0
    """Bad records, with those that are repaired."""
    crowds: dict[int, int] = field(default_factory=dict)
    """Receive times at which so many rows share a recipient."""
    lies: list[Asked] = field(default_factory=list)
    """Requests that got a false answer."""
    stale: dict[Span, int] = field(default_factory=dict)
    """Spans in which some answers are so many milliseconds old."""
    refused: set[str] = field(default_factory=set)
    """Trace ids of which the intake refused an event."""
    unconfirmed: list[Event] = field(default_factory=list)
    """Events that were accepted, of which the collector could not learn it or not record it."""
    errors: int = 0
    """Lines of the levels error and critical that the faults deserve."""
    takeovers: int = 0


@dataclass(slots=True)
class World:
    """Everything that a seed draws. Processes live from ``begin`` to ``end``, oddities end hours before."""

    seed: int
    rng: Random
    lab: Laboratory
    begin: int
    end: int
    start_time: int
    """Hours."""
    mail: list[Mail]
    page_size: int
    """Rows on a page at most."""
    facts: Facts = field(default_factory=Facts)
    words: list[str] = field(default_factory=list)
    """A description of what was drawn, for failure messages."""
    stops: list[tuple[int, Callable[[], object]]] = field(default_factory=list)
    """When a process ends, and what is done before the next one begins."""
    kills: list[tuple[int, Place]] = field(default_factory=list)
    lives: list[tuple[int, Policy]] = field(default_factory=list)
    """When each process began, and its settings."""
    by_cursor: bool = True
    """True while Graph continues a page after the time and recipient of its last row, not after a position."""
    answers: int = 1
    """Requests that a page takes."""

    @property
    def service(self) -> Service:
        return self.lab.service

    def __str__(self) -> str:
        return f"seed{self.seed:03}: {' '.join(self.words)}"

    @property
    def skips_alike(self) -> bool:
        """True if a page edge skips rows with the same time and recipient as the last row of the page."""
        return self.by_cursor and self.service.kind == "graph"

    def another_rng(self) -> Random:
        """A source of its own for an oddity, so that no other one changes what it draws."""
        return Random(self.rng.random())

    def run(self) -> None:
        """Let all processes live."""
        lab = self.lab
        lab.service.receive(self.mail)
        self._arm()
        lab.pause(self.begin)
        for until, action in sorted(self.stops, key=lambda stop: stop[0]):
            self._live(until)
            action()
        self._live(self.end)

    def _live(self, until: int) -> None:
        while self.lab.clock.ms < until:
            self.lives.append((self.lab.clock.ms, self.lab.settings))
            with suppress(Killed):
                self.lab.run(until)

    def _arm(self) -> None:
        """Have the kills strike."""
        lab, service = self.lab, self.lab.service
        instead, verdict = service.instead, lab.intake.verdict

        def asked(request: Asked, rows: list[Mail]) -> Answer | None:
            if self._strikes("request"):
                raise Killed
            return instead(request, rows)

        def delivered(events: list[Event]) -> Answer | None:
            answer = verdict(events)
            if answer is None and self._strikes("delivery"):
                lab.intake.accept(events)
                self.facts.unconfirmed += events
                raise Killed
            return answer

        service.instead, lab.intake.verdict = asked, delivered
        lab.storage = _Storage(self._tears)

    def _tears(self) -> bool:
        if not self._strikes("write"):
            return False
        accepted = self.lab.intake.accepted
        last = accepted[-1][0] if accepted else 0
        self.facts.unconfirmed += [event for at, event in accepted if at == last]
        return True

    def _strikes(self, place: Place) -> bool:
        for number, (at, where) in enumerate(self.kills):
            if where == place and at <= self.lab.clock.ms:
                del self.kills[number]
                return True
        return False


class _Storage(Blobs):
    """A storage whose writes a kill may tear."""

    def __init__(
        self,
        tears: Callable[[], bool],
        content: dict[str, bytes] | None = None,
        root: str = "",
    ) -> None:
        super().__init__(content, root)
        self._tears, self._path = tears, root

    def folder(self, name: str) -> _Storage:
        return _Storage(self._tears, self.content, f"{self._path}{name}/")

    def write(self, name: str, data: bytes) -> None:
        """Replace the blob as a whole, or die before it."""
        if self._tears():
            raise Killed
        super().write(name, data)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Leave a half of what is added, if it dies here."""
        if self._tears():
            super().write(name, known + added[: len(added) // 2])
            raise Killed
        super().write(name, known + added)
