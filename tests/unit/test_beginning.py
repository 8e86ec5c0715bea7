"""When a process began, and the first one of all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from office365_message_trace.collect.beginning import Beginning
from office365_message_trace.collect.coverage import Coverage
from office365_message_trace.model import EPOCH
from tests.support import NOON

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AHEAD = 3 * HOUR


def ahead(beginning: Beginning, coverage: Coverage, passed: timedelta) -> timedelta:
    """After a correct answer, so long after the process began at noon, the monotonic zero."""
    return beginning.first_start_ahead(coverage, NOON + passed, passed.total_seconds())


def test_the_process_of_a_first_start_knows_exactly_by_how_much_its_time_was_ahead() -> None:
    beginning = Beginning(NOON + AHEAD, 0.0, EPOCH)
    start = Coverage.starting(NOON + AHEAD - 24 * HOUR, NOON + AHEAD)
    assert ahead(beginning, start, 5 * MINUTE) == AHEAD
    moved = start.with_first_start_earlier(AHEAD, EPOCH)
    assert not ahead(beginning, moved, 9 * MINUTE)


@pytest.mark.parametrize("told", [timedelta(0), AHEAD], ids=["right at once", "also wrong"])
@pytest.mark.parametrize("lived", [0 * MINUTE, 2 * HOUR])
def test_a_later_one_moves_the_first_start_back_as_far_as_its_own_can_tell(
    told: timedelta, lived: timedelta
) -> None:
    """It began after the first one, by the time that the first one lived."""
    began_before = NOON - lived + AHEAD
    start = Coverage.starting(began_before - 24 * HOUR, began_before)
    found = ahead(Beginning(NOON + told, 0.0, began_before + lived), start, MINUTE)
    assert found == AHEAD


def test_a_beginning_that_was_right_stays() -> None:
    start = Coverage.starting(NOON - 24 * HOUR, NOON)
    assert not ahead(Beginning(NOON, 0.0, EPOCH), start, HOUR)
    long_before = Coverage.starting(NOON - 90 * HOUR, NOON - 80 * HOUR)
    assert not ahead(Beginning(NOON + AHEAD, 0.0, NOON), long_before, HOUR)
    assert not ahead(Beginning(NOON + AHEAD, 0.0, NOON), replace(start, started_at=None), HOUR)


def test_time_before_mail_that_was_shown_is_wrong_itself() -> None:
    start = Coverage.starting(NOON + 10 * HOUR, NOON + 34 * HOUR).showing(NOON + 11 * HOUR)
    assert not ahead(Beginning(NOON + 34 * HOUR, 0.0, EPOCH), start, HOUR)


def test_a_process_that_began_earlier_than_was_known_is_told_once() -> None:
    beginning = Beginning(NOON + AHEAD, 0.0, EPOCH)
    assert beginning.earlier(NOON + AHEAD + MINUTE, 60.0) is None
    assert beginning.earlier(NOON + HOUR, 3600.0) == (NOON, NOON + AHEAD)
    assert beginning.earlier(NOON + 2 * HOUR, 7200.0) is None
