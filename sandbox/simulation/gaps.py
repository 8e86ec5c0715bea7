"""Gaps as the state of the collector declares them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from sandbox.clock import to_ms


@dataclass(frozen=True, slots=True)
class Gap:
    """Receive times, milliseconds since 1970, that the state declares as missing, and why."""

    first_ms: int
    last_ms: int
    cause: str

    def has(self, received_ms: int) -> bool:
        """Whether it declares that time."""
        return self.first_ms <= received_ms <= self.last_ms


def declared_gaps(state: bytes) -> list[Gap]:
    """The gaps in a copy of the state: documents with a cause, or pairs of what is too old."""
    gaps = []
    for entry in orjson.loads(state)["payload"]["gaps"]:
        first, last, cause = (
            (entry["start"], entry["end"], entry["cause"])
            if isinstance(entry, dict)
            else (*entry, "too_old")
        )
        gaps.append(Gap(_ms(first), _ms(last), cause))
    return gaps


def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))
