"""The type of oddities, and their registration in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.claims.worlds import Span, World

Oddity = Callable[[World, Span], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """An oddity in a table. No two of the same ``aspect`` are combined."""

    name: str
    aspect: str
    set_up: Oddity


Table = dict[str, Entry]


def entered(table: Table, aspect: str) -> Callable[[Oddity], Oddity]:
    """Enter a function into ``table`` by its name."""

    def enter(set_up: Oddity) -> Oddity:
        name = set_up.__name__.replace("_", " ")
        table[name] = Entry(name, aspect, set_up)
        return set_up

    return enter
