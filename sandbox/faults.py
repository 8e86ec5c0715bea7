"""Faults that can be scheduled on any service.

Fault
 ├─ Answer        a status of one's choice, instead of the service's answer
 ├─ Drop          the connection ends before an answer; the service never saw the request
 ├─ Hang          no answer; then the connection ends
 ├─ Delay         the service's own answer, later
 ├─ Drip          the service's own answer, byte by byte
 ├─ Truncate      the answer announces its whole length and stops short of it
 ├─ OtherDate     the service's own answer with another Date, or without one
 └─ LoseAnswer    the service does its work; the connection ends instead of the answer
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from urllib.parse import unquote

from sandbox.clock import Clock, wall_clock


class Fault:
    """Base of what can happen to a request."""

    @property
    def name(self) -> str:
        """The name in the request log."""
        return type(self).__name__


@dataclass(frozen=True)
class Answer(Fault):
    """Answer in the service's place."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop(Fault):
    """End the connection before the request reaches the service."""


@dataclass(frozen=True)
class Hang(Fault):
    """Say nothing for `seconds` (None: until the sandbox closes), then end the connection."""

    seconds: float | None = None


@dataclass(frozen=True)
class Delay(Fault):
    """Wait `seconds`, then let the service answer."""

    seconds: float


@dataclass(frozen=True)
class Drip(Fault):
    """Send the service's own answer a byte at a time, with a `pause` of so many seconds before each
    byte of the body."""

    pause: float


@dataclass(frozen=True)
class Truncate(Fault):
    """Send `fraction` (0 to 1) of the body that Content-Length announced, then end."""

    fraction: float = 0.5


@dataclass(frozen=True)
class OtherDate(Fault):
    """Send the service's own answer with that ``Date`` header; without one if it is empty."""

    date: str = ""


@dataclass(frozen=True)
class LoseAnswer(Fault):
    """Let the service accept the request, then end the connection without an answer."""


def html_page(status: int = 200, title: str = "Sign in to your account") -> Answer:
    """The HTML page that sometimes comes where JSON was expected (observed with status 200)."""
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Answer(status, text.encode(), "text/html; charset=utf-8")


@dataclass
class Rule:
    """When a fault strikes. Every condition given must hold; those left out always do."""

    fault: Fault
    service: str | None = None
    """Exactly this service: entra, reporting, graph, intake or playbook."""
    method: str | None = None
    path: str | None = None
    """A part of the decoded path and query, in any case."""
    nth: int | None = None
    """Only from the nth matching request on, counted from 1 since the rule was added."""
    times: int | None = 1
    """Strike that often; None for always."""
    probability: float = 1.0
    seed: int = 1
    between: tuple[datetime, datetime] | None = None
    """From the first instant (inclusive) to the second (exclusive)."""
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def concerns(self, service: str, method: str, target: str) -> bool:
        """Whether the request is of the kind this rule is about."""
        return (
            self.service in (None, service)
            and self.method in (None, method)
            and (self.path is None or self.path.lower() in unquote(target).lower())
        )

    def strikes(self, now: datetime) -> bool:
        """Count a request that concerns the rule; whether the fault strikes it."""
        self.seen += 1
        if self.times is not None and self.struck >= self.times:
            return False
        if self.nth is not None and self.seen < self.nth:
            return False
        if self.between is not None and not self.between[0] <= now < self.between[1]:
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        self.struck += 1
        return True


class FaultPlan:
    """Rules in the order they were added; the first that strikes decides. Thread-safe."""

    def __init__(self, now: Clock = wall_clock) -> None:
        self._now = now
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> Rule:
        """Schedule a rule; returned so that its `struck` can be read later."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule out; nothing happens if it is not there."""
        with self._lock:
            self._rules = [other for other in self._rules if other is not rule]

    def clear(self) -> None:
        """Take all rules out."""
        with self._lock:
            self._rules.clear()

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The fault of this request, if any; counts the request."""
        with self._lock:
            now = self._now()
            for rule in self._rules:
                if rule.concerns(service, method, path) and rule.strikes(now):
                    return rule.fault
        return None
