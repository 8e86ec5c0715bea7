"""Declared gaps are tried again: one in each hour, in turn, as long as the service may have them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from office365_message_trace.collect.coverage import Cause, Gap, Policy, minus
from office365_message_trace.collect.gaps import PROBE_EVERY, GapProbe, part_to_try
from office365_message_trace.model import Window
from tests.support import minutes

POLICY = Policy(timedelta(minutes=5), timedelta(minutes=1), timedelta(hours=24), timedelta(days=10))
OLD, MIDDLE, NEW = (
    Gap(minutes(start, start + 1), cause)
    for start, cause in ((-300, Cause.UNREADABLE), (-200, Cause.INCOMPLETE), (-100, Cause.HIDDEN))
)
LOST = Gap(minutes(-20_000, -19_000), Cause.TOO_OLD)


FOREVER = replace(POLICY, history=timedelta(days=3650))
HOUR = timedelta(hours=1)
FIRST = datetime(2026, 6, 15, 0, 23, 17, tzinfo=UTC)  # whose hour's number is a multiple of six


def probing(start: datetime = FIRST) -> GapProbe:
    return GapProbe(start, _moment(start))


def tried(probe: GapProbe, gaps: list[Gap], hours: int, first: int = 1) -> list[Gap | None]:
    return [at(probe, gaps, FIRST + hour * HOUR) for hour in range(first, first + hours)]


def at(probe: GapProbe, gaps: list[Gap], now: datetime) -> Gap | None:
    return probe.next(gaps, POLICY, now, _moment(now))


def _moment(now: datetime) -> float:
    return (now - FIRST).total_seconds()


def test_nothing_is_tried_before_its_time() -> None:
    probe = probing(FIRST + HOUR / 4)
    assert probe.wait(PROBE_EVERY / 4) == PROBE_EVERY * 3 / 4
    assert at(probe, [NEW], FIRST + HOUR * 0.99) is None
    assert at(probe, [NEW], FIRST + HOUR) == NEW


def test_one_gap_an_hour_is_tried_and_all_in_turn() -> None:
    probe, gaps = probing(), [OLD, MIDDLE, NEW]
    assert tried(probe, gaps, 6) == [MIDDLE, OLD, NEW, MIDDLE, OLD, NEW]
    assert at(probe, gaps, FIRST + 6.1 * HOUR) is None


def test_however_often_the_process_begins_again_all_gaps_have_their_turn() -> None:
    gaps = [OLD, MIDDLE, NEW]
    found = {
        at(probing(FIRST + (hour - 0.3) * HOUR), gaps, FIRST + hour * HOUR) for hour in range(1, 4)
    }
    assert found == set(gaps)


def test_after_a_gap_that_can_be_read_all_others_of_its_turn_are_tried_at_once() -> None:
    probe, gaps = probing(), [OLD, MIDDLE, NEW]
    assert tried(probe, gaps, 1) == [MIDDLE]
    probe.hurry()
    assert probe.wait(PROBE_EVERY) == 0.0
    gaps.remove(MIDDLE)
    assert at(probe, gaps, FIRST + HOUR) == OLD
    assert at(probe, gaps, FIRST + HOUR) is None, "that one could not be read"


def test_a_gap_that_is_declared_again_after_it_could_be_read_waits_for_its_turn() -> None:
    probe, gaps = probing(), [NEW]
    assert tried(probe, gaps, 1) == [NEW]
    probe.hurry()
    assert at(probe, gaps, FIRST + HOUR) is None
    assert probe.wait(PROBE_EVERY) == PROBE_EVERY
    assert tried(probe, gaps, 1, first=2) == [NEW]


def test_what_the_service_no_longer_keeps_is_not_tried() -> None:
    assert tried(probing(), [LOST, OLD], 3) == [OLD, OLD, OLD]


def test_gaps_of_which_none_can_be_tried_are_looked_at_once_an_hour_too() -> None:
    """Else the collector would look without a pause."""
    probe = probing()
    assert tried(probe, [LOST], 1) == [None]
    assert probe.wait(PROBE_EVERY) == PROBE_EVERY


def test_of_a_gap_the_newest_part_is_tried() -> None:
    for hour in range(5):
        part = part_to_try(LOST, HOUR, LOST.window.start, FIRST + hour * HOUR, hour)
        assert part == Window(LOST.window.end - HOUR, LOST.window.end)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 24])
@pytest.mark.parametrize("others", [0, 1, 12, 20, 54], ids="beside {} gaps".format)
def test_of_hidden_time_all_parts_have_their_turn_soon(parts: int, others: int) -> None:
    hidden = Gap(minutes(-60 * parts - 1500, -1500), Cause.HIDDEN)
    bad = [Gap(minutes(-500 + n, -499 + n), Cause.UNREADABLE) for n in range(others)]
    start, probe, tried = hidden.window.start, probing(), list[Window]()
    for hour in range(1, 5 * parts * (others + 1)):
        now = FIRST + hour * HOUR
        if probe.next([hidden, *bad], FOREVER, now, _moment(now)) == hidden:
            tried.append(part_to_try(hidden, HOUR, start, now, probe.turn))
    assert len(set(tried)) == parts
    assert minus([hidden.window], tried) == []


def test_no_part_is_tried_that_the_service_no_longer_keeps_or_that_has_not_come() -> None:
    hidden = Gap(minutes(-240, 60), Cause.HIDDEN)
    now, oldest = hidden.window.start + 4 * HOUR, hidden.window.start + 90 * minutes(0, 1).span
    for hour in range(12):
        part = part_to_try(hidden, HOUR, oldest, now + hour * minutes(0, 1).span, hour)
        assert oldest <= part.start < part.end <= now + hour * minutes(0, 1).span
