"""Whether the promises were kept. Shares no code with the collector.

It knows what the tenant showed and when, what the intake took and when, which faults there were,
and the settings; not how the collector reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice

from sandbox.clock import from_ms
from sandbox.simulation import limits
from sandbox.simulation.events import POISON_ID, Identity
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.promises import Promises, Shown, shown_versions
from sandbox.simulation.settings import HOUR_MS, Settings
from sandbox.simulation.witness import Witness
from sandbox.simulation.world import World

_BEFORE_MS = 36 * HOUR_MS  # a clock set back may have more read than was asked for
_QUARTER_MS = 900_000
_TOLD = 5  # violations of one sort that are told one by one


def judge(world: World, history: list[tuple[int, Settings]], owed_from_ms: int) -> Outcome:
    """Judge a run that has ended. `history` holds the settings of each life."""
    scenario, witness = world.scenario, world.witness
    outcome = Outcome(
        seeds=1,
        days=scenario.days,
        hours=(world.clock.ms - scenario.start_ms) / 3_600_000,
        events=len(witness.accepted),
        requests=sum(len(life.microsoft) for life in witness.lives),
        kills=witness.kills,
        stops=witness.stops - 1,
        faults=Counter(witness.faults),
        violations=list(witness.violations),
        trace=witness.trace,
    )
    if world.clock.ms < scenario.end_ms:
        return outcome
    everything = list(
        world.tenant.versions(
            from_ms(min(owed_from_ms, scenario.start_ms) - _BEFORE_MS),
            from_ms(world.clock.ms),
            world.clock.true(),
        )
    )
    arrivals = [(witness.events.of(text), at_ms) for text, at_ms in witness.accepted]
    arrived: dict[Identity, int] = {}
    for event, at_ms in arrivals:
        arrived.setdefault(event, at_ms)
    promises = Promises(scenario, witness, history, owed_from_ms)
    by_row: dict[tuple[str, str], list[Shown]] = {}
    unknown = set(arrived)
    for shown in shown_versions(everything, witness.events):
        unknown.discard(shown.identity)
        by_row.setdefault(shown.row, []).append(shown)
    twins = (
        _twins(by_row) if scenario.service == "graph" and scenario.graph.strict_cursor else set()
    )
    for row, versions in by_row.items():
        if row in twins:
            continue
        if owed_from_ms < versions[0].received_ms < scenario.mail_until_ms:
            outcome.rows += 1
            outcome.versions += len(versions)
            if "intake" not in scenario.groups or not row[0].startswith(POISON_ID):
                promises.judge_row(versions, arrived, outcome)
    outcome.pages_needed = -(-outcome.rows // scenario.page_size)
    if unknown:
        _violated(outcome, "events that no row explains", unknown)
    _judge_repeats(witness, arrivals, outcome)
    limits.judge_requests(scenario, witness, outcome)
    limits.judge_gaps(scenario, witness, outcome)
    if not scenario.groups:
        limits.judge_reads(world, outcome)
    return outcome


def _twins(by_row: dict[tuple[str, str], list[Shown]]) -> set[tuple[str, str]]:
    """Rows of the same time and recipient: a strict cursor loses one of them between two pages."""
    places = Counter((versions[0].received_ms, row[1]) for row, versions in by_row.items())
    return {row for row, versions in by_row.items() if places[versions[0].received_ms, row[1]] > 1}


def _judge_repeats(
    witness: Witness, arrivals: list[tuple[Identity, int]], outcome: Outcome
) -> None:
    """Every repeat wants an explanation: a crash, a lost answer, a lost record, a clock set
    back, a stray from before the look-back."""
    times = Counter[Identity]()
    unexplained: list[Identity] = []
    spare = Counter(witness.excused)
    forgotten = set[tuple[Identity, int]]()
    for event, at_ms in arrivals:
        times[event] += 1
        if times[event] == 1:
            continue
        outcome.repeats += 1
        if spare[event] > 0:
            spare[event] -= 1
        elif not _may_be_forgotten(witness, event, at_ms, forgotten):
            unexplained.append(event)
    surplus = unexplained[witness.lost_records :]
    outcome.repeats -= len(surplus)
    outcome.unexplained += len(surplus)
    if surplus:
        _violated(outcome, "repeated without reason", surplus)


def _may_be_forgotten(
    witness: Witness, event: Identity, at_ms: int, used: set[tuple[Identity, int]]
) -> bool:
    received = witness.events.received_ms(event)
    if witness.strays and received <= max(at_ms - witness.strays[0], witness.strays[1]):
        return True
    explained = [since <= at_ms and received <= to for since, to in witness.excused_before]
    explained += [
        since <= at_ms and received // _QUARTER_MS not in quarters
        for since, quarters in witness.recorded_quarters
    ]
    for number, explains in enumerate(explained):
        if explains and (event, number) not in used:
            used.add((event, number))
            return True
    return False


def _violated(outcome: Outcome, what: str, events: Collection[Identity]) -> None:
    outcome.violations.append(f"{what}: {len(events)}")
    outcome.violations += [f"  {event}" for event in islice(events, _TOLD)]
