"""Declared gaps are tried again: one an hour, in turn, as long as the service may have them."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.collect.gaps import PROBE_EVERY, GapProbe
from office365_message_trace.coverage import Cause, Gap, Policy
from tests.support import NOON, minutes

POLICY = Policy(timedelta(minutes=5), timedelta(minutes=1), timedelta(hours=24), timedelta(days=10))
OLD, MIDDLE, NEW = (
    Gap(minutes(start, start + 1), cause)
    for start, cause in ((-300, Cause.UNREADABLE), (-200, Cause.INCOMPLETE), (-100, Cause.HIDDEN))
)
LOST = Gap(minutes(-20_000, -19_000), Cause.TOO_OLD)


def tried(probe: GapProbe, gaps: list[Gap], hours: int, first: int = 1) -> list[Gap | None]:
    return [
        probe.next(gaps, POLICY, NOON, hour * PROBE_EVERY) for hour in range(first, first + hours)
    ]


def test_nothing_is_tried_in_the_first_hour() -> None:
    probe = GapProbe(0.0)
    assert probe.wait(0.0) == PROBE_EVERY
    assert probe.next([NEW], POLICY, NOON, PROBE_EVERY - 1) is None


def test_one_gap_an_hour_is_tried_the_newest_first_and_all_in_turn() -> None:
    probe, gaps = GapProbe(0.0), [OLD, MIDDLE, NEW]
    assert tried(probe, gaps, 6) == [NEW, MIDDLE, OLD, NEW, MIDDLE, OLD]
    assert probe.next(gaps, POLICY, NOON, 6 * PROBE_EVERY + 1) is None


def test_a_gap_that_is_closed_and_one_that_is_declared_change_the_turn() -> None:
    probe = GapProbe(0.0)
    assert tried(probe, [OLD, NEW], 1) == [NEW]
    assert tried(probe, [OLD, MIDDLE], 2, first=2) == [MIDDLE, OLD]


def test_after_a_gap_that_can_be_read_all_others_of_its_turn_are_tried_at_once() -> None:
    probe, gaps = GapProbe(0.0), [OLD, MIDDLE, NEW]
    assert tried(probe, gaps, 1) == [NEW]
    probe.hurry()
    assert probe.wait(PROBE_EVERY) == 0.0
    assert probe.next(gaps[:2], POLICY, NOON, PROBE_EVERY) == MIDDLE
    assert probe.next(gaps[:2], POLICY, NOON, PROBE_EVERY) is None, "that one could not be read"
    assert tried(probe, gaps[:2], 1, first=2) == [OLD]


def test_a_gap_that_is_declared_again_after_it_could_be_read_waits_for_its_turn() -> None:
    probe, gaps = GapProbe(0.0), [NEW]
    assert tried(probe, gaps, 1) == [NEW]
    probe.hurry()
    assert probe.next(gaps, POLICY, NOON, PROBE_EVERY) is None
    assert probe.wait(PROBE_EVERY) == PROBE_EVERY
    assert tried(probe, gaps, 1, first=2) == [NEW]


def test_what_the_service_no_longer_keeps_is_not_tried() -> None:
    probe = GapProbe(0.0)
    assert tried(probe, [LOST, OLD], 3) == [OLD, OLD, OLD]


def test_gaps_of_which_none_can_be_tried_are_looked_at_once_an_hour_too() -> None:
    """Else the collector would look without a pause."""
    probe = GapProbe(0.0)
    assert probe.next([LOST], POLICY, NOON, PROBE_EVERY) is None
    assert probe.wait(PROBE_EVERY) == PROBE_EVERY
