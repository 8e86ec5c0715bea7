"""Whether the promises were kept. Shares no code with the collector.

It knows what the tenant showed and when, what the intake took and when, which faults there were,
and the settings; not how the collector reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice

from sandbox.clock import from_ms
from sandbox.simulation import request_bounds as limits
from sandbox.simulation.event_identity import Identity, RowKey
from sandbox.simulation.expectations import Arrival, Promises, Shown, shown_versions
from sandbox.simulation.observation import Collected, Observation
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.settings import HOUR_MS
from sandbox.simulation.world import World

_BEFORE_MS = 36 * HOUR_MS  # a clock that is behind may have more read than was asked for
_QUARTER_MS = 900_000
_TOLD = 5  # violations of one sort that are told one by one


def judge(world: World) -> Outcome:
    """Judge a run that has ended."""
    scenario, observation = world.scenario, world.observation
    outcome = Outcome(
        seeds=1,
        days=scenario.days,
        hours=(world.clock.ms - scenario.start_ms) / 3_600_000,
        events=len(observation.accepted),
        requests=sum(len(life.microsoft) for life in observation.lives),
        kills=observation.kills,
        stops=observation.stops - 1,
        faults=Counter(observation.faults),
        violations=list(observation.violations),
        trace=observation.trace,
    )
    if world.clock.ms < scenario.end_ms:
        return outcome
    events = [(observation.events.of(text), at_ms) for text, at_ms in observation.accepted]
    arrivals: dict[RowKey | None, list[Arrival]] = {}
    for identity, at_ms in events:
        arrivals.setdefault(observation.events.row(identity), []).append(Arrival(at_ms, identity))
    unknown = {identity for identity, _ in events}
    for collected in observation.collected:
        if collected.history:
            unknown -= _judge_tenant(world, collected, arrivals, outcome)
    outcome.pages_needed = -(-outcome.rows // scenario.page_size)
    if unknown:
        _violated(outcome, "events that no row explains", unknown)
    _judge_repeats(observation, arrivals, outcome)
    limits.judge_requests(scenario, observation, outcome)
    if not scenario.groups:
        limits.judge_reads(world, outcome)
    return outcome


def _judge_tenant(
    world: World,
    collected: Collected,
    arrivals: dict[RowKey | None, list[Arrival]],
    outcome: Outcome,
) -> set[Identity]:
    """Judge the rows of a tenant; returns the events that they explain."""
    scenario, owed_from_ms = world.scenario, collected.owed_from_ms
    everything = collected.tenant.versions(
        from_ms(min(owed_from_ms, scenario.start_ms) - _BEFORE_MS),
        from_ms(world.clock.ms),
        world.clock.true(),
    )
    by_row: dict[RowKey, list[Shown]] = {}
    explained = set[Identity]()
    for shown in shown_versions(everything, world.observation.events, scenario):
        explained.add(shown.identity)
        by_row.setdefault(shown.row, []).append(shown)
    promises = Promises(scenario, world.observation, collected, world.clock.ms)
    bad_ms = set(collected.tenant.mail.bad_ms)
    for row, versions in by_row.items():
        received_ms, events = versions[0].received_ms, arrivals.get(row, [])
        if received_ms in bad_ms:
            explained.update(each.identity for each in events)
        if owed_from_ms < received_ms < scenario.mail_until_ms:
            outcome.rows += 1
            outcome.versions += len(versions)
            promises.judge_row(versions, events, outcome)
    limits.judge_gaps(scenario, collected, outcome)
    limits.judge_hidden(scenario, collected, outcome)
    return explained


def _judge_repeats(
    observation: Observation, arrivals: dict[RowKey | None, list[Arrival]], outcome: Outcome
) -> None:
    """A row comes again when it differs from what came last. Else it wants an explanation: a crash, a
    lost answer, a lost record, a stray from before the look-back."""
    spare = Counter(observation.excused)
    unexplained: list[Identity] = []
    forgotten = set[tuple[Identity, int]]()
    for row, events in arrivals.items():
        last: Identity | None = None
        for event in events if row is not None else ():
            repeated, last = event.identity == last, event.identity
            if not repeated:
                continue
            outcome.repeats += 1
            if spare[event.identity] > 0:
                spare[event.identity] -= 1
            elif not _may_be_forgotten(observation, event, forgotten):
                unexplained.append(event.identity)
    surplus = unexplained[observation.lost_records :]
    outcome.repeats -= len(surplus)
    outcome.unexplained += len(surplus)
    if surplus:
        _violated(outcome, "repeated without reason", surplus)


def _may_be_forgotten(
    observation: Observation, event: Arrival, used: set[tuple[Identity, int]]
) -> bool:
    received = observation.events.received_ms(event.identity)
    if observation.strays and received <= event.at_ms - observation.strays:
        return True
    explained = [
        since <= event.at_ms and received <= to for since, to in observation.excused_before
    ]
    explained += [
        since <= event.at_ms and received // _QUARTER_MS not in quarters
        for since, quarters in observation.recorded_quarters
    ]
    for number, explains in enumerate(explained):
        if explains and (event.identity, number) not in used:
            used.add((event.identity, number))
            return True
    return False


def _violated(outcome: Outcome, what: str, events: Collection[Identity]) -> None:
    outcome.violations.append(f"{what}: {len(events)}")
    outcome.violations += [f"  {event}" for event in islice(events, _TOLD)]
