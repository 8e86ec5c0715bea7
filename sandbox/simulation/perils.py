"""Crashes: where the process can die, and when it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

PLACES = (
    "waiting",
    "before asking Microsoft",
    "after asking Microsoft",
    "before posting",
    "after posting",
    "before a write",
    "inside a write",
    "inside an append",
    "after a write",
)
"""The kinds of steps between (or, for a write, inside) which the process can be killed."""

_ANY = "anywhere"
_PATIENCE_MS = 30 * 60_000  # after this a kill does not wait for its place any more


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, what is durable stays."""


@dataclass(slots=True)
class Kill:
    """From `at_ms` on, die at `place`, after having passed such a place `skip` times."""

    at_ms: int
    place: str
    skip: int


class Perils:
    """The kills of a run, in the order of their times."""

    def __init__(self, kills: Iterable[Kill]) -> None:
        self._kills = deque(sorted(kills, key=lambda kill: kill.at_ms))

    def strike(self, place: str, now_ms: int) -> bool:
        """Whether the process dies at `place` now; counts the passage."""
        if not self._kills or now_ms < self._kills[0].at_ms:
            return False
        kill = self._kills[0]
        overdue = now_ms - kill.at_ms > _PATIENCE_MS
        if kill.place not in (place, _ANY) and not overdue:
            return False
        if kill.skip and not overdue:
            kill.skip -= 1
            return False
        self._kills.popleft()
        return True

    def in_wait(self, from_ms: int, to_ms: int) -> int | None:
        """The instant of a kill that ends a wait between the two instants, if there is one."""
        if not self._kills or self._kills[0].at_ms > to_ms:
            return None
        kill = self._kills[0]
        instant = max(kill.at_ms, from_ms)
        if kill.place not in ("waiting", _ANY):
            instant = max(kill.at_ms + _PATIENCE_MS + 1, from_ms)
        return instant if instant <= to_ms else None

    def pass_until(self, now_ms: int) -> None:
        """Let the kills of a time when the process was down pass."""
        while self._kills and self._kills[0].at_ms < now_ms:
            self._kills.popleft()


def draw_kills(rng: Random, from_ms: int, to_ms: int, count: int) -> tuple[Kill, ...]:
    """`count` kills between the two instants."""
    return tuple(
        Kill(rng.randrange(from_ms, to_ms), rng.choice((*PLACES, _ANY)), rng.choice((0, 0, 1, 3)))
        for _ in range(count)
    )
