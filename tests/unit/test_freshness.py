"""How long rows waited, and how stale each age is: what the metrics and ``status`` tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from office365_message_trace.collect.coverage import Coverage, Policy, Span
from office365_message_trace.collect.freshness import BANDS, band, staleness, waits
from office365_message_trace.model import UNDATED, Window, milliseconds
from tests.support import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)


def span(oldest: timedelta, youngest: timedelta, read_ago: timedelta | None) -> Span:
    """Time of these ages at `NOON`, which was last read so long ago."""
    window = Window(NOON - oldest, NOON - youngest)
    return Span(window, None if read_ago is None else NOON - read_ago, 7)


KNOWN = replace(
    Coverage.starting(NOON - 2 * DAY),
    live=NOON - MINUTE,
    spans=(
        span(30 * HOUR, 20 * HOUR, 6 * HOUR),
        span(20 * HOUR, 3 * HOUR, None),
        span(2 * HOUR, 8 * MINUTE, 40 * MINUTE),
        span(8 * MINUTE, MINUTE, 2 * MINUTE),
    ),
)
"""From the oldest: read long ago, never read, final, read lately, read just now, beyond the live edge."""


def waited(age: timedelta) -> tuple[str, float]:
    (told,) = waits(KNOWN, [milliseconds(NOON - age)], NOON)
    return told


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (timedelta(0), "5m"),
        (-MINUTE, "5m"),
        (5 * MINUTE, "5m"),
        (5 * MINUTE + MILLISECOND, "10m"),
        (10 * MINUTE, "10m"),
        (30 * MINUTE, "30m"),
        (2 * HOUR, "2h"),
        (DAY, "1d"),
        (DAY + MILLISECOND, "3d"),
        (3 * DAY, "3d"),
        (300 * DAY, "3d"),
    ],
)
def test_an_age_belongs_to_the_first_band_that_reaches_it(age: timedelta, name: str) -> None:
    assert band(age) == name


def test_bands_grow_and_each_has_a_name_of_its_own() -> None:
    assert list(BANDS) == sorted(BANDS)
    assert len(set(BANDS.values())) == len(BANDS)


@pytest.mark.parametrize(
    ("age", "since"),
    [
        (5 * MINUTE, 2 * MINUTE),
        (20 * MINUTE, 40 * MINUTE),
        (25 * HOUR, 6 * HOUR),
    ],
)
def test_a_row_was_shown_after_the_last_read_that_did_not_find_it(
    age: timedelta, since: timedelta
) -> None:
    assert waited(age) == (band(age), since.total_seconds())


@pytest.mark.parametrize(
    "age", [MINUTE / 2, 10 * HOUR, 150 * MINUTE, 40 * HOUR], ids=["fresh", "never", "final", "old"]
)
def test_a_row_of_time_of_which_no_read_is_known_can_have_been_shown_since_it_was_received(
    age: timedelta,
) -> None:
    assert waited(age) == (band(age), age.total_seconds())


def test_a_row_between_two_spans_belongs_to_the_later_one() -> None:
    """The earlier one's read is longer ago, but the later one's covered that instant, too."""
    assert waited(8 * MINUTE) == ("10m", 120.0)


def test_a_row_from_the_end_of_a_span_before_time_that_is_final_belongs_to_it() -> None:
    ending = replace(KNOWN, spans=KNOWN.spans[:1])
    (told,) = waits(ending, [milliseconds(NOON - 20 * HOUR)], NOON)
    assert told == ("1d", 6 * 3600.0)


def test_each_row_is_told_in_turn_and_none_waited_less_than_no_time() -> None:
    ahead = [milliseconds(NOON + each) for each in (MINUTE, -5 * MINUTE, 10 * MINUTE)]
    assert list(waits(KNOWN, ahead, NOON)) == [("5m", 0.0), ("5m", 120.0), ("5m", 0.0)]
    assert list(waits(KNOWN, [], NOON)) == []


def test_a_row_without_a_receive_time_waited_for_no_time_that_can_be_told() -> None:
    assert list(waits(KNOWN, [UNDATED, milliseconds(NOON)], NOON)) == [("5m", 0.0)]


def test_before_anything_is_read_there_is_a_wait_and_no_staleness() -> None:
    nothing = Coverage.starting(NOON - HOUR)
    assert list(waits(nothing, [milliseconds(NOON - MINUTE)], NOON)) == [("5m", 60.0)]
    assert list(staleness(nothing, NOON)) == []


def test_each_band_is_as_stale_as_what_was_read_first_of_it() -> None:
    """Time that was never read is backlog, and what is final is not waited for."""
    assert dict(staleness(KNOWN, NOON)) == {
        5 * MINUTE: 2 * MINUTE,
        10 * MINUTE: 40 * MINUTE,
        30 * MINUTE: 40 * MINUTE,
        2 * HOUR: 40 * MINUTE,
        DAY: 6 * HOUR,
        3 * DAY: 6 * HOUR,
    }


def test_a_band_that_only_touches_time_is_not_as_stale_as_that() -> None:
    touching = replace(KNOWN, spans=(span(10 * MINUTE, 5 * MINUTE, HOUR),))
    assert dict(staleness(touching, NOON)) == {10 * MINUTE: HOUR}


def test_what_a_longer_look_back_has_read_again_is_as_stale_as_its_end() -> None:
    """When it was read last is not known any more; a time before all mail would be told of as 56 years."""
    final = replace(KNOWN, spans=KNOWN.spans[-1:])
    longer = final.adapted(Policy(MINUTE, MINUTE, 3 * DAY), NOON)
    assert dict(staleness(longer, NOON))[3 * DAY] == 8 * MINUTE
