"""When time is read again: no row slips between two reads, and no tenant is too large."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect.coverage import Policy, Span
from office365_message_trace.collect.timetable import Sweeps, Timetable, Trails, choose
from office365_message_trace.collect.window_sizes import WindowSizes
from office365_message_trace.model import Window
from tests.support import NOON

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
A_DAY = 90 * 288  # requests
FILLED = WindowSizes(2000, one_page=True).rows_a_page
"""Rows on a page of the Reporting Web Service, whose windows should fit one."""

sweeps = st.builds(
    Sweeps,
    st.sampled_from([2, 3, 5, 10]),
    st.sampled_from([MINUTE, 2 * MINUTE, 10 * MINUTE]),
    st.sampled_from([1, 6, 24]).map(lambda hours: hours * HOUR),
)
trails = st.builds(
    Trails, st.integers(1, 12), st.just(MINUTE), st.sampled_from([6 * HOUR, 24 * HOUR])
)


def reads_of(
    timetable: Timetable, first: datetime, end: datetime, tick: timedelta
) -> Iterator[datetime]:
    """When the second from ``first`` on is read, first at ``first``; looked at each ``tick``."""
    instant = Window(first - SECOND, first)
    now = read_at = first
    yield read_at
    while now < end:
        now += tick
        if any(True for _ in timetable.due(Span(instant, read_at), read_at, now)):
            read_at = now
            yield read_at


@given(sweeps, st.integers(0, 600))
def test_sweeps_read_all_time_within_their_bound_up_to_the_look_back(
    timetable: Sweeps, minutes: int
) -> None:
    first = NOON + minutes * MINUTE
    previous = first
    end = first + timetable.lookback
    for read_at in reads_of(timetable, first, end, timetable.frequency):
        shown = previous - first  # just after that read, at worst
        assert read_at - first <= timetable.bound * shown + 2 * timetable.frequency
        previous = read_at
    assert end - previous <= timetable.frequency * 2**timetable.turns


@given(sweeps, st.integers(0, 300))
def test_what_was_not_read_at_its_tick_stays_due(timetable: Sweeps, late: int) -> None:
    """A sweep takes its time, and the process may have been down."""
    span = Span(Window(NOON - HOUR, NOON - HOUR / 2))
    due_at = next(
        NOON + tick * timetable.frequency
        for tick in range(1, 2000)
        if list(timetable.due(span, NOON, NOON + tick * timetable.frequency))
    )
    (first,) = timetable.due(span, NOON, due_at)
    now = due_at + late * timetable.frequency
    wanted = max(first.window.start, now - timetable.lookback)
    if wanted < first.window.end:
        (later,) = timetable.due(span, NOON, now)
        assert later.window.start <= wanted
        assert later.window.end == first.window.end


@given(sweeps, st.integers(1, 59))
def test_nothing_is_due_twice_at_one_tick(timetable: Sweeps, seconds: int) -> None:
    span = Span(Window(NOON - HOUR, NOON))
    assert not list(timetable.due(span, NOON, NOON + seconds * SECOND))


def test_sweeps_reach_the_further_the_more_rarely() -> None:
    """From an instant of which every power of two divides the number of its tick."""
    timetable = Sweeps(10, MINUTE, 24 * HOUR)
    zero = datetime.fromtimestamp(60 * 2**24 * 2, tz=NOON.tzinfo)
    span = Span(Window(zero - 48 * HOUR, zero))

    def reach(tick: int) -> timedelta:
        now = zero + tick * MINUTE
        before = now - MINUTE
        (due,) = timetable.due(Span(Window(span.window.start, before)), before, now)
        return now - due.window.start

    assert [reach(tick) for tick in (1, 2, 3, 4, 8)] == [
        10 * MINUTE,
        20 * MINUTE,
        10 * MINUTE,
        40 * MINUTE,
        80 * MINUTE,
    ]
    assert reach(2**timetable.turns) == 24 * HOUR + 2**timetable.turns * MINUTE


@given(trails, st.integers(0, 600))
def test_trails_read_all_time_within_their_bound(timetable: Trails, minutes: int) -> None:
    first = NOON + minutes * MINUTE
    previous = first
    for read_at in reads_of(timetable, first, first + timetable.lookback, MINUTE):
        shown = max(previous - first, 10 * MINUTE)
        assert read_at - first <= timetable.bound * shown + MINUTE
        previous = read_at
    assert previous - first >= timetable.ages[-1]


@given(st.sampled_from([0, 1, 30, 1440, 10080]), st.sampled_from([0, 1, 24]))
def test_without_a_look_back_beyond_the_delay_nothing_is_read_again(
    delay: int, lookback: int
) -> None:
    policy = Policy(delay * MINUTE, MINUTE, lookback * HOUR)
    if policy.lookback > policy.delay:
        return
    timetable = choose(policy, 1_000_000, 5000, A_DAY)
    for hours in range(200):
        now = NOON + hours * HOUR
        assert not list(timetable.due(Span(Window(NOON - HOUR, NOON)), NOON, now))


@pytest.mark.parametrize(
    ("page", "rows", "bound"),
    [
        (5000, 1_000, 1.25),
        (5000, 1_000_000, 1.25),
        (5000, 3_000_000, 1.7),
        (5000, 14_000_000, 3.0),
        (FILLED, 1_000, 1.25),
        (FILLED, 1_000_000, 1.5),
        (FILLED, 5_000_000, 3.0),
    ],
)
def test_the_larger_the_tenant_the_wider_the_bound_and_none_is_wider_than_it_must_be(
    page: int, rows: int, bound: float
) -> None:
    policy = Policy(MINUTE, MINUTE, 24 * HOUR)
    chosen = choose(policy, rows, page, A_DAY)
    assert chosen.bound <= bound
    assert chosen.cost(rows, page) <= A_DAY


@given(st.integers(0, 12_000_000), st.sampled_from([FILLED, 5000]), st.integers(45, 90))
def test_what_is_chosen_fits_the_budget(rows: int, page: int, limit: int) -> None:
    chosen = choose(Policy(MINUTE, MINUTE, 24 * HOUR), rows, page, limit * 288)
    if rows * 90 / limit <= (14_000_000 if page == 5000 else 5_000_000):
        assert chosen.bound <= 3
        assert chosen.cost(rows, page) <= limit * 288


def test_a_tenant_beyond_everything_is_read_as_rarely_as_possible() -> None:
    chosen = choose(Policy(MINUTE, MINUTE, 24 * HOUR), 50_000_000, 2000, A_DAY)
    assert isinstance(chosen, Trails)
    assert len(chosen.ages) == 1


@given(
    st.integers(0, 20_000_000),
    st.floats(0.95, 1.05),
    st.sampled_from([2000, 5000]),
    st.sampled_from([5, 30, 90]),
)
def test_the_choice_does_not_go_to_and_fro_with_the_amount_of_mail(
    rows: int, ratio: float, page: int, limit: int
) -> None:
    policy = Policy(MINUTE, MINUTE, 24 * HOUR)
    chosen = choose(policy, rows, page, limit * 288)
    settled = [chosen]
    for amount in (rows * ratio, rows, rows * ratio, rows):
        chosen = choose(policy, int(amount), page, limit * 288, chosen)
        settled.append(chosen)
    assert len(set(settled[2:])) == 1


def test_when_there_is_less_mail_or_more_is_granted_a_fresher_timetable_comes_back() -> None:
    policy = Policy(MINUTE, MINUTE, 24 * HOUR)
    rare = choose(policy, 20_000_000, 5000, A_DAY)
    for rows, requests in ((1_000, A_DAY), (20_000_000, 100 * A_DAY)):
        assert choose(policy, rows, 5000, requests, rare) == Sweeps(10, MINUTE, 24 * HOUR)


@pytest.mark.parametrize("frequency", [10, 15, 20, 30, 60, 300, 3600])
@pytest.mark.parametrize("density", [3, 4, 5, 6, 8, 10])
def test_a_backlog_puts_no_re_read_off_beyond_half_the_age_of_its_time(
    frequency: int, density: int
) -> None:
    """The urgency of time ends at the density, so a limit beyond it would never be reached."""
    sweeps = Sweeps(density, frequency * SECOND, 24 * HOUR)
    read_at = NOON
    for age in (3 * HOUR, 10 * HOUR):
        now = read_at + age * 0.6
        span = Span(Window(now - age - MINUTE, now - age), read_at)
        assert max((due.urgency for due in sweeps.due(span, read_at, now)), default=0.0) >= (
            sweeps.before_backlog
        )
