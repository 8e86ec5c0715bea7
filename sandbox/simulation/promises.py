"""What is owed of each row, and by when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sandbox.clock import from_ms, to_ms
from sandbox.rows import Version
from sandbox.simulation.events import Events, Identity
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS, Settings
from sandbox.simulation.witness import Interval, Witness

LEAST_LATENESS_MS = 10 * MINUTE_MS
SLACK_MS = 60_000
"""One read: pages of a request each, and their delivery."""
CROWDED_MS = 15 * MINUTE_MS
"""How much later mail may come while another client spends of the quota."""

_NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Shown:
    """A version of a row, and when the API showed it; milliseconds since 1970."""

    row: tuple[str, str]
    received_ms: int
    from_ms: int
    until_ms: int
    identity: Identity

    @property
    def lateness_ms(self) -> int:
        """How long after receipt it was first shown."""
        return self.from_ms - self.received_ms

    def __str__(self) -> str:
        return (
            f"received {from_ms(self.received_ms):%d. %H:%M:%S.%f}, shown "
            f"{self.lateness_ms / MINUTE_MS:.1f} min after"
        )


def shown_versions(versions: Iterable[Version], events: Events) -> Iterator[Shown]:
    """The same versions, each with the time until which it was shown."""
    earlier: Version | None = None
    for version in versions:
        if earlier is not None:
            same = earlier.row == version.row and not earlier.last
            yield _shown(earlier, to_ms(version.visible_at) if same else _NEVER, events)
        earlier = version
    if earlier is not None:
        yield _shown(earlier, _NEVER, events)


def _shown(version: Version, until_ms: int, events: Events) -> Shown:
    return Shown(
        version.row,
        to_ms(version.received),
        to_ms(version.visible_at),
        until_ms,
        events.expected(version.content),
    )


class Promises:
    """Judges rows by the settings that were in force and the faults that there were."""

    def __init__(
        self,
        scenario: Scenario,
        witness: Witness,
        history: list[tuple[int, Settings]],
        owed_from_ms: int,
    ) -> None:
        self._history = history
        self._crowded = scenario.crowded
        self._starts = [since for since, _ in history]
        self._furthest_ms = scenario.furthest_offset_ms
        self._right_from_ms = scenario.clock_steps[-1][0] if scenario.clock_steps else 0
        self._longest_delay_ms = max(each.delay_ms for _, each in history)
        self._disturbances = _merged(witness.disturbances)
        self._busy = _merged(witness.busy)
        self._gaps = [gap for _, gap in witness.gaps]
        first_start = min(since for since, _ in history)
        self._fresh_from_ms = max(owed_from_ms, first_start)

    def judge_row(
        self, versions: list[Shown], arrived: dict[Identity, int], outcome: Outcome
    ) -> None:
        """Judge all versions of one row, oldest first."""
        arrivals = [arrived.get(shown.identity) for shown in versions]
        owed = [n for n, shown in enumerate(versions) if self._within_reach(shown)]
        if owed and all(arrival is None for arrival in arrivals[owed[-1] :]):
            self._lost(versions[owed[-1]], "lost", outcome)
        for shown, arrival in zip(versions, arrivals, strict=True):
            if shown.received_ms >= self._fresh_from_ms:
                self._judge_delay(shown, arrival, outcome)

    def _within_reach(self, shown: Shown) -> bool:
        """Whether every setting in force since its receipt has it looked for."""
        first = max(bisect_right(self._starts, shown.received_ms) - 1, 0)
        reach = min(max(each.lookback_ms, each.delay_ms) for _, each in self._history[first:])
        return shown.lateness_ms <= reach - self._error_ms(shown.received_ms)

    def _error_ms(self, received_ms: int) -> int:
        """By how much a clock that was ahead may have shortened the look-back.

        A clock ahead by more than the delay is noticed once it is set right, and the last hour at
        least is read again.
        """
        if received_ms > self._right_from_ms:
            return 0
        if received_ms > self._right_from_ms - HOUR_MS:
            return min(self._furthest_ms, self._longest_delay_ms)
        return self._furthest_ms

    def _judge_delay(self, shown: Shown, arrival: int | None, outcome: Outcome) -> None:
        settings = self._history[max(bisect_right(self._starts, shown.received_ms) - 1, 0)][1]
        on_time = shown.lateness_ms <= settings.delay_ms
        if on_time:
            bound = settings.delay_ms + settings.frequency_ms
        elif shown.lateness_ms <= settings.lookback_ms:
            bound = 3 * max(shown.lateness_ms, LEAST_LATENESS_MS)
        else:
            return
        deadline = shown.received_ms + bound + SLACK_MS + (CROWDED_MS if self._crowded else 0)
        if shown.until_ms <= deadline or _touches(self._disturbances, shown.received_ms, deadline):
            return
        if not on_time and _touches(self._busy, shown.received_ms, deadline):
            return
        outcome.judged_delays += 1
        if arrival is None:
            self._lost(shown, "not forwarded in time, nor ever", outcome)
            return
        delay = arrival - shown.received_ms
        slack = (delay - bound) / 1000
        if self._crowded:
            outcome.worst_crowded_slack = max(outcome.worst_crowded_slack, slack)
        else:
            outcome.worst_slack = max(outcome.worst_slack, slack)
        if not self._crowded and not on_time and shown.lateness_ms >= LEAST_LATENESS_MS:
            outcome.worst_ratio = max(outcome.worst_ratio, delay / shown.lateness_ms)
        if arrival > deadline:
            outcome.violations.append(
                f"late: {shown}, forwarded {delay / MINUTE_MS:.1f} min after, "
                f"{bound / MINUTE_MS:.1f} promised"
            )

    def _lost(self, shown: Shown, how: str, outcome: Outcome) -> None:
        if any(first <= shown.received_ms <= last for first, last in self._gaps):
            outcome.gaps += 1
            return
        outcome.lost += 1
        outcome.violations.append(f"{how}: {shown}")


def _touches(intervals: list[Interval], first_ms: int, last_ms: int) -> bool:
    before = bisect_right(intervals, (last_ms, _NEVER))
    return before > 0 and intervals[before - 1][1] >= first_ms


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
