"""What the dates of answers come to: which are believed, and what time they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email.utils import format_datetime
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from office365_message_trace.microsoft.dates import (
    AGREEMENT,
    APART,
    FEWEST,
    PERIOD,
    Reading,
    agreed,
    from_before_a_sleep,
    judge,
    seconds_of,
    with_reading,
)
from tests.support import NOON

OFFSET = NOON.timestamp()
HOUR = 3600.0


def read(offsets: Sequence[float], every: float = 60.0, machine: float = OFFSET) -> list[Reading]:
    """Readings so far apart, the oldest first."""
    return [
        Reading(at, offset, machine) for at, offset in zip(count(0, every), offsets, strict=False)
    ]


def kept(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """What counts after they came one by one."""
    result: tuple[Reading, ...] = ()
    for each in readings:
        result = with_reading(result, each)
    return result


def test_a_date_is_read_to_the_second() -> None:
    assert seconds_of(format_datetime(NOON, usegmt=True)) == OFFSET


@pytest.mark.parametrize(
    "date",
    ["", "now", "Mon, 15 Jun 2026 12:00:00", "Mon, 15 Jun 2026 12:00:00 +0200",
     "Mon, 15 Jun 2026 12:00:00 CEST", "2026-06-15T12:00:00Z", "Mon, 15 Jun 0001 12:00:00 GMT",
     "Mon, 15 Jun 1970 12:00:00 GMT", "Mon, 15 Jun 9999 12:00:00 GMT", "Mon, 32 Jun 2026 12:00:00 GMT",
     "Mon, 31 Jun 2026 12:00:00 GMT", "Mon, 15 Foo 2026 12:00:00 GMT", "Mon, 15 Jun 2026 25:00:00 GMT",
     "Mon, 15 Jun 2026 12:00:60 GMT", "Mon, 00 Jun 2026 12:00:00 GMT", "Mon, 15 Jun " + "9" * 5000,
     "Mon, 15 Jun 2026 12:00:00 GMT, Mon, 15 Jun 2026 12:00:00 GMT", "Mon, \u0661\u0665 Jun 2026 12:00:00 GMT",
     "Mon, 15 Jun 2026 12:00:00 GMT\n", "\x00\udcff"],
)  # fmt: skip
def test_what_is_no_date_of_our_time_tells_nothing(date: str) -> None:
    assert seconds_of(date) is None


@given(st.text())
@example("Mon, 99 Jan 2026 99:99:99 GMT")
def test_no_text_is_too_strange(date: str) -> None:
    assert seconds_of(date) is None or date.endswith(" GMT")


def test_the_first_reading_is_believed() -> None:
    assert agreed(read([OFFSET])) == OFFSET


def test_without_readings_no_time_is_told() -> None:
    assert agreed([]) is None
    assert judge({}, OFFSET).offset is None


@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 90.0, -90.0, 1e9, -1e9])
@pytest.mark.parametrize("place", range(1, 5))
def test_a_lone_wrong_date_changes_nothing(wrong: float, place: int) -> None:
    offsets = [OFFSET] * 5
    offsets[place] += wrong
    for number in (*range(1, place + 1), *range(3, 6)):
        assert agreed(read(offsets[:number])) == OFFSET


def test_a_first_date_that_is_wrong_counts_for_two_answers() -> None:
    offsets = [OFFSET + HOUR, OFFSET, OFFSET]
    assert agreed(read(offsets[:2])) is None
    assert agreed(read(offsets)) == OFFSET


@pytest.mark.parametrize("every", [1.0, 3.4, 60.0, HOUR], ids=str)
def test_a_date_that_stands_still_is_not_believed_for_long(every: float) -> None:
    """As from a cache. Until then, the time is late by no more than the readings may differ."""
    believed = [
        number * every
        for number in range(1, 400)
        if agreed(kept(read([OFFSET - n * every for n in range(number + 1)], every))) is not None
    ]
    assert max(believed, default=0) <= 2 * (AGREEMENT + APART) + every


def test_dates_at_random_tell_no_time() -> None:
    offsets = [OFFSET + (n * 7919 % 1000) * 1000 for n in range(30)]
    told = [agreed(kept(read(offsets[:number], 10))) for number in range(3, 30)]
    assert told == [None] * 27


def test_readings_of_five_minutes_count_and_the_last_few_however_old() -> None:
    assert len(kept(read([OFFSET] * 5000, 0.1))) <= FEWEST + PERIOD / APART
    usual = kept(read([OFFSET] * 500, 10))
    assert usual[-1].at - usual[0].at < PERIOD
    assert len(usual) == PERIOD // 10
    assert len(kept(read([OFFSET] * 500, HOUR))) == FEWEST


def test_a_pause_of_the_whole_machine_is_caught_up_with_in_minutes() -> None:
    """Both of its clocks stood still, so nothing but the dates shows it."""
    before, after = [OFFSET] * 60, [OFFSET + HOUR] * 4
    assert agreed(kept(read(before + after))) == OFFSET + HOUR


def test_readings_from_before_a_sleep_are_told_from_those_before_a_step() -> None:
    new = Reading(100, OFFSET, OFFSET)
    asleep = Reading(0, OFFSET - HOUR, OFFSET - HOUR)
    stepped = Reading(0, OFFSET, OFFSET + 48 * HOUR)
    wrong_date = Reading(0, OFFSET - HOUR, OFFSET)
    assert from_before_a_sleep(asleep, new)
    assert not from_before_a_sleep(stepped, new)
    assert not from_before_a_sleep(wrong_date, new)


def test_a_machine_that_is_wrong_all_the_time_sleeps_like_any_other() -> None:
    new = Reading(100, OFFSET, OFFSET + 25 * HOUR)
    assert from_before_a_sleep(Reading(0, OFFSET - HOUR, OFFSET + 24 * HOUR), new)


def told(**offsets: float) -> dict[str, tuple[Reading, ...]]:
    """Two readings of each service."""
    return {name: tuple(read([offset] * 2)) for name, offset in offsets.items()}


def test_of_services_that_agree_the_latest_counts_because_none_is_ahead() -> None:
    verdict = judge(told(graph=OFFSET - 2, entra=OFFSET), OFFSET - HOUR)
    assert (verdict.offset, verdict.contradiction) == (OFFSET, None)


@pytest.mark.parametrize("machine", [-600.0, 0.0, 2 * HOUR])
def test_of_services_that_contradict_each_other_the_nearest_to_the_machine_counts(
    machine: float,
) -> None:
    verdict = judge(told(graph=OFFSET + HOUR, entra=OFFSET), OFFSET + machine)
    assert verdict.offset == (OFFSET + HOUR if machine > HOUR else OFFSET)
    assert verdict.contradiction == ("entra", "graph", timedelta(hours=1))


def test_a_single_reading_is_no_contradiction_worth_a_word() -> None:
    readings = told(entra=OFFSET) | {"graph": tuple(read([OFFSET + HOUR]))}
    verdict = judge(readings, OFFSET)
    assert (verdict.offset, verdict.contradiction) == (OFFSET, None)


def test_a_service_that_tells_no_time_leaves_it_to_the_other() -> None:
    jumping = tuple(read([OFFSET + n * HOUR for n in range(5)]))
    assert judge(told(entra=OFFSET) | {"graph": jumping}, OFFSET + HOUR).offset == OFFSET


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30), st.floats(0.5, 4000))
def test_honest_dates_are_never_ahead_and_behind_by_their_way_at_most(
    ways: list[float], every: float
) -> None:
    """``ways`` are the seconds that answers took."""
    readings: tuple[Reading, ...] = ()
    for number, way in enumerate(ways):
        at = number * every
        date = float(int(OFFSET + at - way))
        readings = with_reading(readings, Reading(at, date - at, OFFSET))
        offset = agreed(readings)
        assert offset is not None
        assert OFFSET - max(ways) - 1.001 <= offset <= OFFSET + 0.001
