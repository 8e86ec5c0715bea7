"""The bounds on what the collector may ask for, and on what it may give up."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise

from sandbox.clock import from_ms
from sandbox.simulation.allowances import HIDDEN_MS, NEXT_MS
from sandbox.simulation.event_identity import REFUSED_ID
from sandbox.simulation.gaps import Gap
from sandbox.simulation.observation import Collected, Observation
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.scenario import DAY_MS, Scenario
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS
from sandbox.simulation.tenant import WatchedTenant
from sandbox.simulation.world import World

BUDGET, BUDGET_MS = 90, 300_000
REFUSALS_MS = 10 * MINUTE_MS
REFUSALS = 10
"""Requests that Microsoft may refuse in that time."""
REFUSALS_BY_INTAKE = 20
"""Batches that the intake may refuse: one a minute while it is in doubt, and three where the key is believed wrong."""
OVER_QUOTA, OVER_QUOTA_MS = 30, 60 * MINUTE_MS
"""Requests that may find the quota spent by another client, and in what time."""
MOST_READS = 90
_READING_MS = 15 * MINUTE_MS  # that a crowded millisecond may take; rows may vanish meanwhile
_SHORT_MS = 10  # neighbouring bad milliseconds are one gap


def judge_requests(scenario: Scenario, observation: Observation, outcome: Outcome) -> None:
    """The budget of a tenant holds for all processes together, unless the storage lost it or one process replaced
    another; and no process may exceed it, or insist where it is refused."""
    for life in observation.lives:
        _judge_budget(life.microsoft, outcome)
        if (most := _most_within(life.refused, REFUSALS_MS)) > REFUSALS:
            outcome.violations.append(f"{most} requests refused by Microsoft in ten minutes")
        if (most := _most_within(life.refused_by_intake, REFUSALS_MS)) > REFUSALS_BY_INTAKE:
            outcome.violations.append(f"{most} batches refused by the intake in ten minutes")
    lost = sorted(observation.budget_lost)
    for tenant in {life.tenant: None for life in observation.lives}:
        lives = [life for life in observation.lives if life.tenant == tenant]
        together = sorted(instant for life in lives for instant in life.microsoft)
        ends = [bisect_right(together, instant) for instant in lost]
        for first, last in pairwise([0, *ends, len(together)]):
            _judge_budget(together[first:last], outcome)
    if scenario.crowded:
        if (most := _most_within(observation.over_quota, OVER_QUOTA_MS)) > OVER_QUOTA:
            outcome.violations.append(f"{most} requests over the shared quota in an hour")
    else:
        for instant in observation.over_quota:
            number = bisect_right(lost, instant)
            if not number or lost[number - 1] < instant - 2 * BUDGET_MS:
                outcome.violations.append(f"over the quota, alone, at {from_ms(instant):%d. %H:%M}")


def _judge_budget(instants: list[int], outcome: Outcome) -> None:
    if (most := _most_within(instants, BUDGET_MS)) > BUDGET:
        outcome.violations.append(f"{most} requests to Microsoft in five minutes")


def judge_gaps(scenario: Scenario, collected: Collected, outcome: Outcome) -> None:
    """Only what is true of the service or the intake may be declared, and no more time than that."""
    for at_ms, gap in collected.gaps:
        if not _is_justified(scenario, collected, at_ms, gap):
            outcome.violations.append(
                f"declared {gap.cause} at {from_ms(at_ms):%d. %H:%M}: "
                f"{from_ms(gap.first_ms):%d. %H:%M:%S.%f} to {from_ms(gap.last_ms):%d. %H:%M:%S.%f}"
            )


def _is_justified(scenario: Scenario, collected: Collected, at_ms: int, gap: Gap) -> bool:
    tenant, short = collected.tenant, gap.last_ms - gap.first_ms <= _SHORT_MS
    match gap.cause:
        case "too_old":
            days = scenario.history_days
            return days is not None and gap.last_ms <= at_ms - days * DAY_MS + HOUR_MS
        case "unreadable":
            around = range(gap.first_ms - NEXT_MS, gap.last_ms + NEXT_MS + 1) if short else ()
            return any(bad in around for bad in tenant.mail.bad_ms)
        case "incomplete":
            instants = range(at_ms - _READING_MS, at_ms + 1, MINUTE_MS)
            return short and any(_crowded(scenario, tenant, gap, each) for each in instants)
        case "refused":
            rows = tenant.rows(from_ms(gap.first_ms), from_ms(gap.last_ms), from_ms(at_ms))
            return short and any(row["MessageTraceId"].startswith(REFUSED_ID) for row in rows)
        case "hidden":
            hides = "history" in scenario.groups and scenario.history_rule == "hide"
            return hides and gap.first_ms < at_ms - (scenario.history_days or 0) * DAY_MS
    return False


def _crowded(scenario: Scenario, tenant: WatchedTenant, gap: Gap, at_ms: int) -> bool:
    """True if any millisecond in the gap held at least one full page of rows at ``at_ms``."""
    rows = tenant.rows(from_ms(gap.first_ms), from_ms(gap.last_ms), from_ms(at_ms))
    most = Counter(row["Received"] for row in rows).most_common(1)
    return bool(most) and most[0][1] >= scenario.page_size


def judge_hidden(scenario: Scenario, collected: Collected, outcome: Outcome) -> None:
    """What a service hides of a first start, without an error, is declared."""
    if scenario.history_rule != "hide" or scenario.history_days is None:
        return
    start_ms = collected.first_start_ms
    oldest_ms = (start_ms // DAY_MS - scenario.history_days) * DAY_MS
    if oldest_ms - collected.owed_from_ms < HIDDEN_MS:
        return
    declared = [gap for _, gap in collected.gaps if gap.cause == "hidden"]
    if not any(gap.has(collected.owed_from_ms + HOUR_MS) for gap in declared):
        outcome.violations.append(
            f"hidden and not declared: {from_ms(collected.owed_from_ms):%d. %H:%M} to "
            f"{from_ms(oldest_ms):%d. %H:%M}"
        )


def judge_reads(world: World, outcome: Outcome) -> None:
    """Where nothing failed, no row is read more often than the densest timetable has it read.

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
