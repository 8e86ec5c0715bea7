"""What the intake does not take is neither lost nor recorded as taken, and costs few repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from office365_message_trace.coverage import Cause
from office365_message_trace.transport import Answer
from sandbox.clock import from_ms
from tests.claims.intake import ids
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import H, M, Mail, S, Service


def _trace_id(event: Any) -> str:
    return str(event["MessageTraceId"])


def _refusing(lab: Laboratory, refused: Callable[[str], bool]) -> None:
    """Leave out what is refused, without saying which; a batch of only such events is a 400."""

    def verdict(events: list[Any]) -> Answer | None:
        good = [event for event in events if not refused(_trace_id(event))]
        if len(good) == len(events):
            return None
        return lab.intake.accept(good) if good else Answer(400, {}, b"{}")

    lab.intake.verdict = verdict


def _mail(rows: int, every: int = S) -> list[Mail]:
    return [Mail(T0 + n * every, f"r{n}") for n in range(rows)]


@pytest.mark.parametrize("minutes", [1, 20, 120])
@pytest.mark.parametrize("bad", [{"r100"}, {"r100", "r101", "r590"}], ids=["one", "three"])
def test_an_event_that_is_refused_for_a_while_is_not_lost(minutes: int, bad: set[str]) -> None:
    lab = Laboratory(Service("reporting", _mail(600)))

    def refused(name: str) -> bool:
        return name in bad and T0 + 7 * M <= lab.clock.ms < T0 + (7 + minutes) * M

    _refusing(lab, refused)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.given_up_events == 0


def test_an_event_that_is_always_refused_is_declared_when_its_time_is_final() -> None:
    later = [Mail(T0 + n * 10 * M, f"later{n}") for n in range(60)]
    lab = Laboratory(Service("reporting", [*_mail(600), *later]))
    _refusing(lab, lambda name: name == "r100")
    lab.run(T0 + 5 * H)
    assert lab.given_up_events == 0
    lab.run(T0 + 12 * H)
    assert [row.id for row in lab.missing()] == ["r100"]
    (gap,) = lab.gaps
    assert gap.cause is Cause.REFUSED
    assert lab.given_up_events == 1
    assert lab.said("error")


def test_after_a_restart_a_refused_event_is_declared_once_the_intake_accepts_another_one() -> None:
    """Until then it may be the intake that is at fault: that is logged, and the time stays open."""
    lab = Laboratory(Service("reporting", [*_mail(600), Mail(T0 + 30 * H, "the next mail")]))
    _refusing(lab, lambda name: name == "r100")
    lab.run(T0 + 2 * H).run(T0 + 29 * H)
    assert lab.given_up_events == 0
    assert lab.saved.oldest <= from_ms(T0 + 100 * S)
    assert any("accepts none of the events" in text for text in lab.said("error"))
    lab.run(T0 + 32 * H)
    assert [row.id for row in lab.missing()] == ["r100"]
    (gap,) = lab.gaps
    assert gap.cause is Cause.REFUSED


def test_an_event_that_is_taken_in_the_end_closes_its_gap() -> None:
    lab = Laboratory(Service("reporting", _mail(600)), policy(lookback=2))
    _refusing(lab, lambda name: name == "r100" and lab.clock.ms < T0 + 6 * H)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@pytest.mark.parametrize("bad", [{"r500"}, {"r0"}, {"r999"}, {"r0", "r500", "r999"}], ids=str)
def test_an_event_without_an_id_costs_less_than_its_batch(bad: set[str]) -> None:
    lab = Laboratory(Service("reporting", _mail(1000, 60)))

    def verdict(events: list[Any]) -> Answer:
        return lab.intake.accept([event for event in events if _trace_id(event) not in bad])

    lab.intake.verdict = verdict
    lab.run(T0 + 3 * H)
    assert {row.id for row in lab.missing()} == bad
    assert lab.repeats() < 1000


@pytest.mark.parametrize("no_id", [None, "", " ", 0, 17, False, [], {}], ids=repr)
def test_only_a_text_is_an_id(no_id: object) -> None:
    lab = Laboratory(Service("reporting", _mail(100, 60)))

    def verdict(events: list[Any]) -> Answer:
        good = [event for event in events if not _trace_id(event).startswith("r5")]
        lab.intake.accept(good)
        return ids(["an id" if event in good else no_id for event in events])

    lab.intake.verdict = verdict
    lab.run(T0 + 3 * H)
    assert len(lab.missing()) == 11
    assert lab.repeats() == 0
    lab.intake.verdict = lambda events: None
    lab.run(T0 + 8 * H)
    assert lab.missing() == []


def test_an_answer_without_any_id_is_not_believed() -> None:
    lab = Laboratory(Service("reporting", _mail(100, 60)))
    lab.intake.verdict = lambda events: ids([]) if lab.clock.ms < T0 + H else None
    lab.run(T0 + 5 * H)
    assert lab.missing() == []
    assert lab.given_up_events == 0
