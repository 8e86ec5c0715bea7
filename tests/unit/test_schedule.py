"""What is read next: fresh mail first, all else by how long it waits, the last read of all time included."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office365_message_trace.collect.coverage import (
    CONFIRM_AFTER,
    Cause,
    Coverage,
    Gap,
    Kind,
    Policy,
    Read,
    Span,
)
from office365_message_trace.collect.schedule import Schedule, Size, Sizes, Wait
from office365_message_trace.collect.timetable import Sweeps, Timetable, Trails, choose
from office365_message_trace.model import Window
from tests.support import NOON, minutes

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at_most(span: timedelta, rows: float = inf, room: float = 0) -> Sizes:
    return Sizes(dict.fromkeys(Kind, Size(span, rows)), Size(span, rows), room)


WIDE = at_most(10 * DAY)
A_DAY = 90 * 288  # requests


def policy(delay: float = 1, frequency: float = 60, lookback: float = 24) -> Policy:
    return Policy(timedelta(minutes=delay), timedelta(seconds=frequency), timedelta(hours=lookback))


PLAIN = policy()
SWEEPS = Sweeps(10, MINUTE, DAY)

sluggish = st.builds(
    policy,
    delay=st.sampled_from([0, 1, 5, 720]),
    frequency=st.sampled_from([600, 3600]),
    lookback=st.sampled_from([0, 6, 72]),
)
timetables = st.sampled_from([0, 2_000_000, 8_000_000])  # rows a day that lead to them


def due(
    coverage: Coverage,
    now: datetime,
    kinds: Iterable[Kind] = Kind,
    chosen: Policy = PLAIN,
    sizes: Sizes = WIDE,
    timetable: Timetable = SWEEPS,
    busy: tuple[Window, ...] = (),
) -> Read | Wait:
    return Schedule(coverage, chosen, timetable, now, sizes, busy).next(kinds)


def window(step: Read | Wait) -> Window:
    assert isinstance(step, Read), step
    return step.window


def read_at(at: datetime, start: float, end: float, rows: int = 0) -> Span:
    return Span(minutes(start, end), at, rows)


def collected(
    coverage: Coverage,
    chosen: Policy,
    now: datetime,
    end: datetime,
    sizes: Sizes = WIDE,
    rows_a_day: int = 0,
) -> tuple[Coverage, list[Read]]:
    """The coverage at ``end``, and what was read from ``now`` on, each window in a second."""
    found = []
    timetable = choose(chosen, rows_a_day, 5000, A_DAY)
    while now < end:
        coverage = coverage.with_outage_behind(now, chosen)
        step = due(coverage, now, Kind, chosen, sizes, timetable)
        if isinstance(step, Wait):
            assert step.until > now
            now = step.until
            continue
        after = coverage.completed(step, 0, chosen.frequency)
        assert after != coverage, "a read that leads nowhere"
        assert step.window.end <= now - chosen.delay
        coverage = after
        found.append(step)
        now += SECOND
    return coverage, found


def touching(reads: Iterable[Read], instant: datetime) -> list[Read]:
    return [read for read in reads if read.window.start <= instant < read.window.end]


# All together


@settings(max_examples=30, deadline=None)
@given(sluggish, timetables, st.integers(0, 720), st.integers(1, 24))
def test_all_time_is_read_again_and_none_is_final_before_its_second_read_at_the_final_age(
    chosen: Policy, rows: int, start_hours: int, width_hours: int
) -> None:
    start = NOON - start_hours * HOUR
    sizes = at_most(width_hours * HOUR)
    end = NOON + 8 * HOUR
    coverage, reads = collected(Coverage.starting(start), chosen, NOON, end, sizes, rows)
    assert not coverage.backlog
    assert end - coverage.live <= chosen.usual_lag + chosen.frequency
    for hour in range(0, start_hours + 8, 3):
        instant = start + hour * HOUR + SECOND
        if instant >= coverage.live:
            break
        seen = touching(reads, instant)
        assert seen
        known = any(s.window.start <= instant < s.window.end for s in coverage.spans)
        if not known:
            assert len(seen) >= 2
            assert seen[-1].final
            assert seen[-1].at - instant >= chosen.final_age
            assert not seen[0].final
        else:
            assert end - instant < 1.25 * chosen.final_age + HOUR, "it is final by then"


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([0, 3_000_000, 14_000_000]), st.integers(0, 100))
def test_a_row_shown_late_is_read_within_the_bound(rows: int, offset: int) -> None:
    chosen = policy(lookback=6)
    timetable = choose(chosen, rows, 5000, A_DAY)
    start = NOON + offset * MINUTE
    sizes = at_most(HOUR)
    _, reads = collected(Coverage.starting(start), chosen, start, start + 14 * HOUR, sizes, rows)
    for hours in (1.0, 2.2, 4.1):
        instant = start + hours * HOUR
        ages = [read.at - instant for read in touching(reads, instant)]
        previous = 10 * MINUTE
        for age in ages:
            if age <= chosen.lookback:
                assert age <= timetable.bound * max(previous, 10 * MINUTE) + 2 * MINUTE
            previous = age
        assert chosen.final_age <= ages[-1] <= 1.3 * chosen.final_age


def test_without_a_look_back_time_is_read_once_more_half_an_hour_later() -> None:
    chosen = policy(delay=5, lookback=0)
    _, reads = collected(Coverage.starting(NOON), chosen, NOON, NOON + 3 * HOUR)
    first, second = touching(reads, NOON + 10 * MINUTE)
    assert (first.kind, first.final) == (Kind.LIVE, False)
    assert (second.kind, second.final) == (Kind.REREAD, True)
    assert second.at - (NOON + 10 * MINUTE) >= 5 * MINUTE + CONFIRM_AFTER


def test_with_a_delay_beyond_the_look_back_time_is_read_when_it_is_that_old_and_confirmed() -> None:
    chosen = policy(delay=1440, lookback=24)
    _, reads = collected(Coverage.starting(NOON), chosen, NOON + DAY, NOON + DAY + 12 * HOUR)
    first, second = touching(reads, NOON + HOUR)
    assert first.kind is Kind.LIVE
    assert second.final


@pytest.mark.parametrize("frequency", [60, 300])
@pytest.mark.parametrize("seconds", [0, 17, 187])
def test_a_small_tenant_costs_one_request_a_tick_whenever_it_begins(
    seconds: int, frequency: int
) -> None:
    chosen = policy(frequency=frequency)
    start = NOON + seconds * SECOND
    coverage = replace(Coverage.starting(NOON - 30 * HOUR), live=start - MINUTE)
    known = Window(NOON - 30 * HOUR, start - MINUTE)
    coverage = replace(coverage, spans=(Span(known, start, 1000),))
    sizes = replace(WIDE, room=4500.0)
    _, reads = collected(coverage, chosen, start, start + 12 * HOUR, sizes)
    assert len(reads) <= 12 * 3600 / frequency + 6
    assert {read.kind for read in reads if not read.final} == {Kind.LIVE}


@pytest.mark.parametrize("delay", [60, 300, 720, 1440])
def test_a_longer_delay_makes_no_narrow_windows(delay: int) -> None:
    """An hour after a first start."""
    coverage, _ = collected(Coverage.starting(NOON - DAY), PLAIN, NOON, NOON + HOUR)
    later = policy(delay=delay)
    coverage = coverage.adapted(later, NOON + HOUR)
    _, reads = collected(coverage, later, NOON + HOUR, NOON + 6 * HOUR)
    assert sum(read.window.span < MINUTE / 2 for read in reads) <= 1, "the end of a backlog"


# Fresh mail


def test_fresh_mail_goes_before_everything_else() -> None:
    coverage = Coverage.starting(NOON - 10 * HOUR).with_outage_behind(NOON, PLAIN)
    step = due(coverage, NOON)
    assert isinstance(step, Read)
    assert step.kind is Kind.LIVE
    assert step.window == minutes(-2, -1)


def test_a_live_window_reaches_back_to_what_is_due_as_far_as_a_page_holds() -> None:
    before = read_at(NOON - MINUTE, -2002, -2, 20_000)
    coverage = Coverage(NOON - 2 * MINUTE, (before,))
    sizes = [0.0, 10, 40, 90, 30_000]
    reach = [due(coverage, NOON, sizes=replace(WIDE, room=room)) for room in sizes]
    starts = [round((NOON - window(step).start) / MINUTE, 1) for step in reach]
    assert starts == [2, 2, 5, 10, starts[-1]]
    assert starts[-1] in (10 * 2**z for z in range(8)), "as deep as this tick's sweep"


def test_without_room_a_live_window_does_not_reach_over_quiet_time_either() -> None:
    """There is none while nothing of the past can be read."""
    coverage = Coverage(NOON - 2 * MINUTE, (read_at(NOON - MINUTE, -2002, -2, 0),))
    starts = [
        window(due(coverage, NOON, (Kind.LIVE,), sizes=replace(WIDE, room=room))).start
        for room in (0, 1)
    ]
    assert starts[0] == coverage.live
    assert starts[1] <= NOON - 10 * MINUTE


@pytest.mark.parametrize("cause", Cause)
def test_the_last_moments_before_a_bad_record_are_left_to_the_last_read(cause: Cause) -> None:
    """Services read beyond the end of a window: each that ends there would fail."""
    coverage = Coverage(NOON - MINUTE, (read_at(NOON - DAY, -3000, -1),))
    bad = Window(NOON - 100 * MINUTE, NOON - 100 * MINUTE + SECOND / 1000)
    coverage = coverage.with_gap(Gap(bad, cause))
    left_out: dict[bool, timedelta] = {}
    for now in (NOON, NOON + 31 * HOUR):
        while isinstance(step := due(coverage, now, (Kind.REREAD, Kind.CONFIRM)), Read):
            if step.window.start < bad.start:
                ends_before = bad.start - step.window.end
                left_out[step.final] = min(left_out.get(step.final, DAY), ends_before)
            coverage = coverage.completed(step, 0, MINUTE)
    spoilt = cause is Cause.UNREADABLE
    assert left_out == {False: 2 * SECOND if spoilt else timedelta(0), True: timedelta(0)}


@pytest.mark.parametrize(
    "hole", ["a gap", "a window that is being read", "never read", "final"], ids=str
)
def test_a_live_window_reaches_over_no_hole(hole: str) -> None:
    """A declared gap may be a record that no page can be read with."""
    at = NOON - MINUTE
    coverage = Coverage(NOON - 2 * MINUTE, (read_at(at, -100, -2, 98),))
    busy: tuple[Window, ...] = ()
    match hole:
        case "a gap":
            coverage = coverage.with_gap(Gap(minutes(-6, -5), Cause.UNREADABLE))
        case "a window that is being read":
            busy = (minutes(-60, -5),)
        case "never read":
            spans = (read_at(at, -100, -6), Span(minutes(-6, -5)), read_at(at, -5, -2))
            coverage = replace(coverage, spans=spans)
        case "final":
            coverage = replace(coverage, spans=(read_at(at, -5, -2),))
    step = due(coverage, NOON, (Kind.LIVE,), sizes=replace(WIDE, room=4500), busy=busy)
    assert window(step).start == NOON - 5 * MINUTE


def test_much_fresh_mail_is_read_from_its_beginning_in_windows() -> None:
    coverage = Coverage.starting(NOON - 4 * MINUTE)
    step = due(coverage, NOON, sizes=at_most(MINUTE, room=1000))
    assert window(step) == minutes(-4, -3)


def test_nothing_is_due_before_the_next_tick_of_fresh_mail() -> None:
    coverage = Coverage(NOON - 70 * SECOND, (read_at(NOON - 10 * SECOND, -60, -7 / 6),))
    step = due(coverage, NOON - 10 * SECOND, (Kind.LIVE,))
    assert step == Wait(NOON)


# Backlog


def test_of_an_outage_the_newest_is_read_first() -> None:
    chosen = policy(lookback=0)
    coverage = Coverage.starting(NOON - 10 * HOUR).with_left_behind(NOON - MINUTE)
    step = due(coverage, NOON, chosen=chosen, sizes=at_most(HOUR))
    assert step == Read(Kind.BACKLOG, minutes(-61, -1), NOON)


def test_a_pause_during_a_backlog_is_read_before_the_rest_of_the_backlog() -> None:
    narrow = at_most(MINUTE)
    start = Coverage.starting(NOON - 240 * HOUR)
    coverage, _ = collected(start, PLAIN, NOON, NOON + 2 * HOUR, narrow)
    assert coverage.backlog_span > 100 * HOUR
    back = NOON + 2 * HOUR + 8 * MINUTE
    paused = coverage.live
    coverage = coverage.with_outage_behind(back, PLAIN)
    step = due(coverage, back, (Kind.BACKLOG,))
    assert window(step) == Window(paused, back - 2 * MINUTE)


def test_what_the_service_will_soon_keep_no_longer_is_read_before_newer_backlog() -> None:
    oldest = PLAIN.oldest_kept(NOON + DAY)
    narrow = at_most(HOUR)
    coverage = Coverage.starting(oldest - 3 * HOUR).with_left_behind(NOON - MINUTE)
    evening = NOON + 7 * HOUR
    assert window(due(coverage, NOON, (Kind.BACKLOG,), sizes=narrow)).end == coverage.live
    step = due(coverage, evening, (Kind.BACKLOG,), sizes=narrow)
    assert window(step) == Window(oldest - 3 * HOUR, oldest - 2 * HOUR)


def test_what_is_under_way_is_not_read_twice() -> None:
    coverage = Coverage.starting(NOON - HOUR).with_left_behind(NOON - MINUTE)
    step = due(coverage, NOON, (Kind.BACKLOG,), busy=(minutes(-30, -1),))
    assert window(step) == minutes(-60, -30)
    assert isinstance(due(coverage, NOON, (Kind.BACKLOG,), busy=(minutes(-90, 0),)), Wait)


# Re-reads and last reads


def test_what_waits_longest_for_its_age_goes_first() -> None:
    """Else the deepest sweeps of a tenant with much mail would never end."""
    spans = (read_at(NOON - 5 * HOUR, -600, -500), read_at(NOON - MINUTE, -30, -2))
    coverage = Coverage(NOON - MINUTE, spans)
    assert window(due(coverage, NOON, (Kind.REREAD,))) == minutes(-600, -500)


def test_of_adjoining_time_sweeps_read_the_newest_first_and_trails_the_oldest() -> None:
    coverage = Coverage(NOON - MINUTE, (read_at(NOON - 5 * HOUR, -900, -300),))
    narrow = at_most(HOUR)
    step = due(coverage, NOON, (Kind.REREAD,), sizes=narrow)
    assert window(step) == minutes(-360, -300)
    narrow = at_most(MINUTE)
    step = due(coverage, NOON, (Kind.REREAD,), sizes=narrow, timetable=Trails(1, MINUTE, DAY))
    assert window(step) == minutes(-310, -309)


def test_trails_wait_until_a_window_is_full_or_late() -> None:
    trails = Trails(5, MINUTE, DAY)
    coverage = Coverage(NOON - MINUTE, (read_at(NOON - MINUTE, -11, -6),))
    assert isinstance(due(coverage, NOON, (Kind.REREAD,), timetable=trails), Wait)
    full = at_most(MINUTE)
    step = due(coverage, NOON, (Kind.REREAD,), sizes=full, timetable=trails)
    assert window(step) == minutes(-11, -10)
    late = NOON + 2 * MINUTE
    step = due(coverage, late, (Kind.REREAD,), timetable=trails)
    assert window(step) == minutes(-11, -8)


def test_what_was_read_just_now_is_not_read_for_the_last_time() -> None:
    for ago, waits in ((14, True), (15, False)):
        coverage = Coverage(NOON - MINUTE, (read_at(NOON - ago * MINUTE, -6000, -5000),))
        step = due(coverage, NOON, (Kind.CONFIRM,))
        assert isinstance(step, Wait) is waits


ONCE = Trails(0, MINUTE, DAY)
"""No re-reads but the last one."""


def test_the_last_read_of_time_that_was_younger_when_it_was_read_is_a_reread_however_overdue() -> (
    None
):
    for at in (-2000, -3000, -6000):
        young = Coverage(NOON - MINUTE, (read_at(NOON + (at + 1000) * MINUTE, at - 10, at),))
        step = due(young, NOON, (Kind.REREAD,), timetable=ONCE)
        assert step == Read(Kind.REREAD, minutes(at - 10, at), NOON, final=True)
        assert isinstance(due(young, NOON, (Kind.CONFIRM,), timetable=ONCE), Wait)


def test_the_last_read_of_time_that_was_old_enough_when_it_was_read_confirms_and_may_wait() -> None:
    old = Coverage(NOON - MINUTE, (read_at(NOON - HOUR, -2200, -2000),))
    assert isinstance(due(old, NOON, (Kind.REREAD,), timetable=ONCE), Wait)
    step = due(old, NOON, (Kind.CONFIRM,), timetable=ONCE)
    assert step == Read(Kind.CONFIRM, minutes(-2200, -2000), NOON, final=True)


def test_time_of_which_a_part_was_old_enough_when_it_was_read_is_divided() -> None:
    across = Coverage(NOON - MINUTE, (read_at(NOON - 560 * MINUTE, -2040, -1960),))
    last, confirmed = (
        due(across, NOON, (kind,), timetable=ONCE) for kind in (Kind.REREAD, Kind.CONFIRM)
    )
    assert window(last) == minutes(-2000, -1960)
    assert window(confirmed) == minutes(-2040, -2000)


def test_last_windows_are_no_wider_than_those_that_fit_one_page() -> None:
    sizes = replace(WIDE, final=Size(HOUR))
    start = Coverage.starting(NOON - 100 * HOUR)
    _, reads = collected(start, PLAIN, NOON, NOON + 30 * HOUR, sizes)
    final = [read for read in reads if read.final]
    assert {read.kind for read in final} == {Kind.REREAD, Kind.CONFIRM}
    assert max(read.window.span for read in final) == HOUR


def test_backlog_beyond_the_look_back_is_read_and_confirmed_and_no_more() -> None:
    start = Coverage.starting(NOON - 100 * HOUR)
    coverage, reads = collected(start, PLAIN, NOON, NOON + HOUR)
    old = touching(reads, NOON - 90 * HOUR)
    assert [(read.kind, read.final) for read in old] == [
        (Kind.BACKLOG, False),
        (Kind.CONFIRM, True),
    ]
    assert coverage.oldest >= NOON - 1.5 * DAY


def test_a_reopened_gap_is_backlog_that_is_read_and_confirmed() -> None:
    gap = Gap(minutes(-3000, -2999), Cause.UNREADABLE)
    start = Coverage.starting(NOON - 60 * HOUR).with_gap(gap)
    coverage, _ = collected(start, PLAIN, NOON, NOON + HOUR)
    coverage = coverage.with_gap_reopened(gap)
    _, reads = collected(coverage, PLAIN, NOON + HOUR, NOON + 2 * HOUR)
    again = touching(reads, gap.window.start)
    assert [read.final for read in again] == [False, True]
    assert all(read.window == gap.window for read in again)


def test_kinds_go_in_the_order_that_is_asked_for() -> None:
    spans = (Span(minutes(-600, -500)), read_at(NOON - 9 * HOUR, -30, -1))
    both = Coverage(NOON - MINUTE, spans)
    orders = ((Kind.REREAD, Kind.BACKLOG), (Kind.BACKLOG, Kind.REREAD))
    steps = [due(both, NOON, order) for order in orders]
    assert [step.kind for step in steps if isinstance(step, Read)] == [Kind.REREAD, Kind.BACKLOG]


def test_during_a_backlog_only_what_waits_long_is_read_again() -> None:
    again = read_at(NOON - MINUTE, -30, -1)
    assert isinstance(due(Coverage(NOON - MINUTE, (again,)), NOON), Read)
    both = Coverage(NOON - MINUTE, (Span(minutes(-600, -500)), again))
    for waited, kind in ((0, Kind.BACKLOG), (16, Kind.REREAD)):
        step = due(both, NOON + waited * MINUTE, (Kind.REREAD, Kind.BACKLOG))
        assert isinstance(step, Read)
        assert step.kind is kind
