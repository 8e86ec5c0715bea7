"""Crashes: where the process can die, and when it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
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

TAKEOVER_PLACES = (
    "waiting",
    "before asking Microsoft",
    "after asking Microsoft",
    "after posting",
    "after a write",
)
"""Where a process can stand still while another one takes over. Not right before a post or a write: it
has just looked who owns the storage, and no look can come after the last one."""

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


@dataclass(slots=True)
class Takeover:
    """From `at_ms` on, at the next of its places, the process stands still for `lasts_ms`, and
    meanwhile another one is started on the same storage."""

    at_ms: int
    lasts_ms: int


class Crashes:
    """The kills and takeovers of a run, in the order of their times."""

    def __init__(self, kills: Iterable[Kill], takeovers: Iterable[Takeover] = ()) -> None:
        self._kills = deque(sorted(kills, key=lambda kill: kill.at_ms))
        self._takeovers = deque(sorted(takeovers, key=lambda takeover: takeover.at_ms))
        self._taken_over = False
        self.take_over: Callable[[Takeover], None] = lambda takeover: None
        """Runs the other process to its end, in which nobody takes over once more."""

    def strike(self, place: str, now_ms: int) -> bool:
        """Whether the process dies at `place` now; counts the passage. Others may take over first."""
        if (
            self._takeovers
            and now_ms >= self._takeovers[0].at_ms
            and place in TAKEOVER_PLACES
            and not self._taken_over
        ):
            takeover = self._takeovers.popleft()
            self._taken_over = True
            try:
                self.take_over(takeover)
            finally:
                self._taken_over = False
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
        """The instant between the two at which something interrupts a wait, if anything does."""
        if self._takeovers and not self._taken_over and self._takeovers[0].at_ms <= to_ms:
            return max(self._takeovers[0].at_ms, from_ms)
        if not self._kills or self._kills[0].at_ms > to_ms:
            return None
        kill = self._kills[0]
        instant = max(kill.at_ms, from_ms)
        if kill.place not in ("waiting", _ANY):
            instant = max(kill.at_ms + _PATIENCE_MS + 1, from_ms)
        return instant if instant <= to_ms else None

    def pass_until(self, now_ms: int) -> None:
        """Let what would have struck while the process was down pass."""
        for queue in (self._kills, self._takeovers):
            while queue and queue[0].at_ms < now_ms:
                queue.popleft()


def draw_kills(rng: Random, from_ms: int, to_ms: int, count: int) -> tuple[Kill, ...]:
    """`count` kills between the two instants."""
    return tuple(
        Kill(rng.randrange(from_ms, to_ms), rng.choice((*PLACES, _ANY)), rng.choice((0, 0, 1, 3)))
        for _ in range(count)
    )


def draw_takeovers(rng: Random, from_ms: int, to_ms: int, count: int) -> tuple[Takeover, ...]:
    """`count` takeovers between the two instants, of a minute to six hours."""
    return tuple(
        Takeover(rng.randrange(from_ms, to_ms), int(60_000 * 360 ** rng.random()))
        for _ in range(count)
    )
