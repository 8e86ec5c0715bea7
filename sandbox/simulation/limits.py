"""The bounds on what the collector may ask for, and on what it may give up."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from sandbox.clock import from_ms
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.scenario import DAY_MS, Scenario
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS
from sandbox.simulation.witness import Witness
from sandbox.simulation.world import World

BUDGET, BUDGET_MS = 90, 300_000
REFUSALS, REFUSALS_MS = 10, 10 * MINUTE_MS
OVER_QUOTA, OVER_QUOTA_MS = 30, 60 * MINUTE_MS
"""Requests that may find the quota spent by another client, and in what time."""
MOST_READS = 10


def judge_requests(scenario: Scenario, witness: Witness, outcome: Outcome) -> None:
    """The budget holds for all processes together, unless the storage lost it or the clock stepped;
    and no process may exceed it, or insist where it is refused."""
    for life in witness.lives:
        _judge_budget(life.microsoft, outcome)
        if (most := _most_within(life.refused, REFUSALS_MS)) > REFUSALS:
            outcome.violations.append(f"{most} refused requests in ten minutes")
    lost = sorted([*witness.budget_lost, *(at for at, _ in scenario.clock_steps)])
    together = sorted(instant for life in witness.lives for instant in life.microsoft)
    ends = [bisect_right(together, instant) for instant in lost]
    for first, last in pairwise([0, *ends, len(together)]):
        _judge_budget(together[first:last], outcome)
    if scenario.crowded:
        if (most := _most_within(witness.over_quota, OVER_QUOTA_MS)) > OVER_QUOTA:
            outcome.violations.append(f"{most} requests over the shared quota in an hour")
    else:
        for instant in witness.over_quota:
            number = bisect_right(lost, instant)
            if not number or lost[number - 1] < instant - 2 * BUDGET_MS:
                outcome.violations.append(f"over the quota, alone, at {from_ms(instant):%d. %H:%M}")


def _judge_budget(instants: list[int], outcome: Outcome) -> None:
    if (most := _most_within(instants, BUDGET_MS)) > BUDGET:
        outcome.violations.append(f"{most} requests to Microsoft in five minutes")


def judge_gaps(scenario: Scenario, witness: Witness, outcome: Outcome) -> None:
    """Only what the service no longer keeps may be given up."""
    for at_ms, (first_ms, last_ms) in witness.gaps:
        days = scenario.history_days
        kept_from_ms = at_ms - (days or 0) * DAY_MS + scenario.furthest_offset_ms + HOUR_MS
        if days is None or last_ms > kept_from_ms:
            outcome.violations.append(
                f"given up at {from_ms(at_ms):%d. %H:%M}: {from_ms(first_ms):%d. %H:%M} to "
                f"{from_ms(last_ms):%d. %H:%M}"
            )


def judge_reads(world: World, outcome: Outcome) -> None:
    """Where nothing failed, no row is read more often than there are passes.

    With small pages, a burst makes windows too large, and they are begun again, and strays come
    with every window: nothing is claimed. Nor where each page is picked from all rows of the window,
    because all of them would count.
    """
    scenario = world.scenario
    if not scenario.real_pages or scenario.strays or scenario.graph.order == "scattered":
        return
    outcome.most_reads = max(world.tenant.reads.values(), default=0)
    if outcome.most_reads > MOST_READS:
        outcome.violations.append(f"a row was read {outcome.most_reads} times")


def _most_within(instants: list[int], span_ms: int) -> int:
    most = first = 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - span_ms:
            first += 1
        most = max(most, last - first + 1)
    return most
