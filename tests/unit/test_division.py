"""The search for the events that an intake refuses: what it finds, and what it costs."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.errors import Refused
from office365_message_trace.model import Event
from office365_message_trace.sekoia.division import settle
from office365_message_trace.sekoia.intake_verdict import Verdict


def some(count: int, large: int = -1) -> list[Event]:
    return [
        Event(n, "", n.to_bytes(16, "big"), "x" * (999 if n == large else 9)) for n in range(count)
    ]


@dataclass
class Intake:
    """Refuses the events ``bad``: whole batches, or single events with or without their positions."""

    bad: set[int]
    answer: str = "short"
    down_from: int = 1_000_000  # number of the request from which on it refuses everything
    down_to: int = 1_000_000
    requests: int = 0
    taken: Counter[int] = field(default_factory=Counter)

    def post(self, part: list[Event]) -> Verdict:
        self.requests += 1
        numbers = [event.received for event in part]
        if self.down_from <= self.requests < self.down_to:
            return Verdict(len(part), (0,) if len(part) == 1 else None, "status 400")
        missing = tuple(n for n, number in enumerate(numbers) if number in self.bad)
        if self.answer == "batch" and missing:
            return Verdict(len(part), (0,) if len(part) == 1 else None, "status 400")
        self.taken.update(set(numbers) - self.bad)
        if self.answer == "places" or not missing or len(missing) == len(part):
            return Verdict(len(missing), missing, "status 200")
        return Verdict(len(missing), None, "status 200")

    @property
    def repeats(self) -> int:
        return self.taken.total() - len(self.taken)


def settled(intake: Intake, events: list[Event]) -> tuple[list[int], list[int]]:
    accepted: list[int] = []
    refused: list[int] = []
    for answered in settle([events], intake.post):
        accepted += [event.received for event in answered.accepted]
        refused += [event.received for event in answered.refused]
    return accepted, refused


@given(
    st.integers(1, 120).flatmap(
        lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1)))
    ),
    st.sampled_from(["batch", "short", "places"]),
)
def test_every_event_is_settled_once_and_rightly(case: tuple[int, set[int]], answer: str) -> None:
    count, bad = case
    intake = Intake(bad, answer)
    accepted, refused = settled(intake, some(count))
    assert set(refused) == bad
    assert sorted(accepted + refused) == list(range(count))
    assert set(accepted) == set(intake.taken)
    if answer != "short":
        assert intake.repeats == 0
    assert intake.repeats <= 4 * count


@pytest.mark.parametrize("bad", [0, 1, 30, 31, 500, 967, 968, 990, 998, 999])
def test_one_missing_id_costs_fewer_repeats_than_the_batch_has_events(bad: int) -> None:
    intake = Intake({bad})
    assert settled(intake, some(1000))[1] == [bad]
    assert intake.repeats < 1000
    assert intake.requests <= 80


def test_one_missing_id_costs_half_a_batch_on_average() -> None:
    repeats = 0
    for bad in range(0, 1000, 10):
        intake = Intake({bad})
        settled(intake, some(1000))
        repeats += intake.repeats
    assert repeats / 100 < 600


def test_the_largest_event_is_suspected_first() -> None:
    intake = Intake({700})
    assert settled(intake, some(1000, large=700))[1] == [700]
    assert intake.repeats < 70


@pytest.mark.parametrize("many", [10, 100, 500, 900])
def test_many_missing_ids_cost_few_repeats_for_each_accepted_event(many: int) -> None:
    bad = {n * 1000 // many for n in range(many)}
    intake = Intake(bad)
    assert set(settled(intake, some(1000))[1]) == bad
    assert intake.repeats <= 2 * (1000 - many)


@pytest.mark.parametrize("many", [2, 10, 30, 60, 150, 400])
def test_several_missing_ids_cost_a_third_more_than_the_batch_at_most(many: int) -> None:
    for seed in range(10):
        intake = Intake(set(Random(seed).sample(range(1000), many)))
        settled(intake, some(1000))
        assert intake.repeats < 4 / 3 * 1000


@pytest.mark.parametrize("begins", range(2, 40))
@pytest.mark.parametrize("lasts", [1, 2, 3, 5, 40, 1_000_000])
def test_an_intake_that_begins_to_refuse_all_makes_no_missing_event_look_accepted(
    begins: int, lasts: int
) -> None:
    intake = Intake({70}, down_from=begins, down_to=begins + lasts)
    events = some(100)
    accepted: set[int] = set()
    try:
        for answered in settle([events], intake.post):
            accepted |= {event.received for event in answered.accepted}
    except Refused:
        assert lasts > 8
    assert accepted <= set(intake.taken)


def test_parts_shrink_and_single_events_come_early_when_batches_are_refused() -> None:
    intake = Intake(set(range(1000)), "batch")
    sizes: list[int] = []

    def post(part: list[Event]) -> Verdict:
        sizes.append(len(part))
        return intake.post(part)

    for _ in zip(range(8), settle([some(1000)], post), strict=False):
        pass
    assert sizes == [1000, 1, 499, 500, 1, 248, 250, 1]
