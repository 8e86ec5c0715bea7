"""What goes wrong, and when: spells that last, and single faults that strike by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

HOUR_MS = 3_600_000

SPELLS: Mapping[str, tuple[tuple[str, float, float], ...]] = {
    "microsoft": (
        ("outage", 0.05, 4),
        ("not json", 0.05, 1),
        ("next link refused", 0.1, 2),
        ("truncated", 0.5, 6),
    ),
    "throttling": (("throttled", 0.05, 2),),
    "credentials": (
        ("forbidden", 0.1, 3),
        ("unauthorized", 0.1, 2),
        ("token refused", 0.1, 3),
        ("no token", 0.05, 1),
    ),
    "intake": (
        ("intake down", 0.1, 5),
        ("key refused", 0.1, 3),
        ("intake throttled", 0.05, 1),
        ("events refused", 0.05, 3),
    ),
    "rows": (("stale", 0.05, 0.3),),
    "storage": (("disk full", 0.02, 1), ("storage down", 0.02, 1)),
}
"""By group: kinds of spells with their shortest and longest duration in hours."""

CHANCES: Mapping[str, tuple[str, ...]] = {
    "microsoft": ("page", "next link"),
    "answers": ("lie", "odd answer"),
    "throttling": ("throttle",),
    "credentials": ("revoked",),
    "intake": ("post",),
    "storage": ("storage",),
}
"""By group: what strikes by chance, request by request."""


@dataclass(frozen=True, slots=True)
class Spell:
    """From `from_ms` (inclusive) to `to_ms` (exclusive) something does not work."""

    kind: str
    from_ms: int
    to_ms: int


class Disturbances:
    """Answers whether something is wrong now. `odds` are probabilities by what strikes."""

    def __init__(
        self,
        spells: Iterable[Spell],
        odds: Mapping[str, float],
        until_ms: int,
        now_ms: Callable[[], int],
        rng: Random,
    ) -> None:
        self._spells: dict[str, list[Spell]] = {}
        for spell in spells:
            self._spells.setdefault(spell.kind, []).append(spell)
        self._odds = {name: odd for name, odd in odds.items() if odd}
        self._until_ms = until_ms
        self._now_ms = now_ms
        self._rng = rng

    @property
    def over(self) -> bool:
        """Whether the run winds up, and nothing is wrong any more."""
        return self._now_ms() >= self._until_ms

    def active(self, kind: str) -> bool:
        """Whether a spell of that kind is on."""
        spells = self._spells.get(kind)
        if spells is None:
            return False
        now_ms = self._now_ms()
        return any(spell.from_ms <= now_ms < spell.to_ms for spell in spells)

    def chance(self, name: str) -> bool:
        """Whether the single fault of that name strikes this time."""
        odd = self._odds.get(name)
        return odd is not None and not self.over and self._rng.random() < odd


def draw_spells(rng: Random, group: str, from_ms: int, to_ms: int) -> list[Spell]:
    """The spells of a group between the two instants: none to a few of each kind."""
    spells = []
    for kind, shortest, longest in SPELLS.get(group, ()):
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            begin = rng.randrange(from_ms, to_ms)
            lasts = shortest * (longest / shortest) ** rng.random() * HOUR_MS
            spells.append(Spell(kind, begin, min(begin + int(lasts), to_ms)))
    return spells


def draw_odds(rng: Random, group: str) -> dict[str, float]:
    """How likely the single faults of a group are, for the whole run."""
    return {name: rng.choice((0.0, 0.0005, 0.002, 0.02, 0.1)) for name in CHANCES.get(group, ())}
