"""An intake that fails, or refuses events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from office365_message_trace.transport.session import Answer
from tests.claims.intake import ids
from tests.claims.oddities.effects import allow_errors
from tests.claims.oddities.table import Table, entered
from tests.claims.worlds import Event, Span, World

TABLE: Table = {}
_oddity = partial(entered, TABLE)


def _judge_batches(
    world: World, span: Span, verdict: Callable[[list[Event]], Answer | None]
) -> None:
    """Have batches answered otherwise in the span."""
    lab, before = world.lab, world.lab.intake.verdict

    def both(events: list[Event]) -> Answer | None:
        answer = verdict(events) if span.has(lab.clock.ms) else None
        return before(events) if answer is None else answer

    world.lab.intake.verdict = both


def name_of(event: Event) -> str:
    """The trace id."""
    return str(event.get("MessageTraceId") or event.get("id"))


@_oddity("intake")
def intake_fails(world: World, span: Span) -> None:
    answer = Answer(world.rng.choice((429, 500, 503)), {}, b"")
    world.facts.faults.append(span)
    allow_errors(world, span)
    _judge_batches(world, span, lambda events: answer)


@_oddity("intake")
def acknowledgements_are_lost(world: World, span: Span) -> None:
    lab, rng = world.lab, world.another_rng()
    world.facts.faults.append(span)

    def verdict(events: list[Event]) -> Answer | None:
        if rng.random() > 0.3:
            return None
        lab.intake.accept(events)
        world.facts.unconfirmed += events
        return Answer(502, {}, b"")

    _judge_batches(world, span, verdict)


@_oddity("intake")
def event_is_refused(world: World, span: Span) -> None:
    name = world.rng.choice(world.mail).id
    world.facts.refused.add(name)
    allow_errors(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        refused = any(name_of(event) == name for event in events)
        return Answer(400, {}, b"") if refused else None

    _judge_batches(world, span, verdict)


@_oddity("intake")
def some_events_get_no_id(world: World, span: Span) -> None:
    """The answer says which."""
    lab, rng = world.lab, world.another_rng()
    allow_errors(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        if len(events) < 2 or rng.random() > 0.2:
            return None
        refused = rng.randrange(len(events))
        world.facts.refused.add(name_of(events[refused]))
        lab.intake.accept([event for n, event in enumerate(events) if n != refused])
        return ids([None if n == refused else "an id" for n in range(len(events))])

    _judge_batches(world, span, verdict)


@_oddity("intake")
def one_id_less_than_events(world: World, span: Span) -> None:
    """The answer does not say which event was refused."""
    lab, name = world.lab, world.rng.choice(world.mail).id
    world.facts.refused.add(name)
    allow_errors(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        good = [event for event in events if name_of(event) != name]
        if len(good) == len(events):
            return None
        if len(events) > 1:
            world.facts.unconfirmed += good
        return lab.intake.accept(good) if good else Answer(400, {}, b"{}")

    _judge_batches(world, span, verdict)
