"""What is read when: every instant by every pass, nothing early, nothing final after one read."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office365_message_trace.coverage import (
    CONFIRM_AFTER,
    Cause,
    Coverage,
    Gap,
    Kind,
    Pass,
    Policy,
    Read,
    Wait,
    plan,
)
from office365_message_trace.model import Window
from tests.support import NOON, minutes

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WIDE = dict.fromkeys(Kind, timedelta(days=10))


def policy(delay: float = 5, frequency: float = 60, lookback: float = 24) -> Policy:
    return Policy(timedelta(minutes=delay), timedelta(seconds=frequency), timedelta(hours=lookback))


policies = st.builds(
    policy,
    delay=st.sampled_from([0, 1, 5, 30, 720, 1440]),
    frequency=st.sampled_from([10, 60, 600, 3600]),
    lookback=st.sampled_from([0, 1, 6, 24, 72]),
)
sluggish = st.builds(
    policy,
    delay=st.sampled_from([0, 5, 720]),
    frequency=st.sampled_from([600, 3600]),
    lookback=st.sampled_from([0, 6, 72]),
)
instants = st.integers(-3000, 3000).map(lambda minute: NOON + timedelta(minutes=minute))
windows = st.tuples(instants, instants).map(lambda pair: Window(min(pair), max(pair)))
causes = st.sampled_from(Cause)


def _fragmented(edge: datetime, read: list[Window]) -> Pass:
    result = Pass(HOUR, edge)
    for window in read:
        result = result.without(window)
    return result


passes = st.builds(
    _fragmented,
    instants,
    st.lists(windows, max_size=4),
)


def pending_at(each: Pass, instant: datetime) -> bool:
    return any(w.start <= instant < w.end for w in each.pending())


def collected(
    coverage: Coverage,
    chosen: Policy,
    now: datetime,
    end: datetime,
    widths: dict[Kind, timedelta] | None = None,
) -> tuple[Coverage, list[Read]]:
    """The coverage at ``end``, and what was read from ``now`` on, each window in a second."""
    reads = []
    while now < end:
        coverage = coverage.with_outage_behind(now, chosen)
        step = plan(coverage, chosen, now, widths or WIDE, Kind)
        if isinstance(step, Wait):
            now = step.until
            continue
        coverage = coverage.completed(step)
        reads.append(step)
        now += timedelta(seconds=1)
    return coverage, reads


def touching(reads: Iterable[Read], instant: datetime) -> list[Read]:
    return [read for read in reads if read.window.start <= instant < read.window.end]


# Passes


@given(passes, windows, instants)
def test_a_pass_forgets_exactly_the_window_that_was_read(
    each: Pass, window: Window, instant: datetime
) -> None:
    read = window.start <= instant < window.end
    assert pending_at(each.without(window), instant) == (pending_at(each, instant) and not read)


@given(passes, windows)
def test_completing_a_window_twice_is_completing_it_once(each: Pass, window: Window) -> None:
    assert each.without(window).without(window) == each.without(window)


@given(passes, windows, instants)
def test_a_pass_that_is_to_read_a_window_again_lacks_that_and_nothing_else(
    each: Pass, window: Window, instant: datetime
) -> None:
    wanted = pending_at(each, instant) or window.start <= instant < window.end
    assert pending_at(each.with_behind(window), instant) == wanted


@given(passes, passes, instants)
def test_a_pass_that_takes_over_another_lacks_what_either_lacks(
    each: Pass, other: Pass, instant: datetime
) -> None:
    both = each.with_pending(other)
    assert pending_at(both, instant) == (pending_at(each, instant) or pending_at(other, instant))


@given(passes, instants, instants)
def test_reading_again_from_an_instant_lacks_all_from_then_on(
    each: Pass, start: datetime, instant: datetime
) -> None:
    again = each.again_from(start)
    assert pending_at(again, instant) == (pending_at(each, instant) or instant >= start)


@given(passes, instants, instants)
def test_leaving_time_behind_changes_nothing_of_what_is_pending(
    each: Pass, cut: datetime, instant: datetime
) -> None:
    split = each.split_at(cut)
    assert pending_at(split, instant) == pending_at(each, instant)
    assert split.edge >= each.edge


@given(passes, windows)
def test_what_is_left_behind_stays_disjoint_in_order_and_before_the_edge(
    each: Pass, window: Window
) -> None:
    left = each.without(window).split_at(window.end).with_behind(window)
    assert all(before.end < after.start for before, after in pairwise(left.behind))
    assert all(interval.start < interval.end <= left.edge for interval in left.behind)


# All passes together


@settings(max_examples=25)
@given(sluggish, st.integers(0, 720), st.integers(1, 24))
def test_every_pass_reads_every_instant_once_and_never_too_early(
    chosen: Policy, start_hours: int, width_hours: int
) -> None:
    start = NOON - timedelta(hours=start_hours)
    coverage = Coverage.starting(start, chosen)
    widths = dict.fromkeys(Kind, timedelta(hours=width_hours))
    grid = [start + timedelta(hours=hour, seconds=1) for hour in range(0, start_hours + 4, 3)]
    now, end = NOON, NOON + timedelta(hours=4)
    while now < end:
        coverage = coverage.with_outage_behind(now, chosen)
        step = plan(coverage, chosen, now, widths, Kind)
        if isinstance(step, Wait):
            assert step.until > now
            now = step.until
            continue
        after = coverage.completed(step)
        assert after != coverage, "a read that leads nowhere"
        assert step.window.end <= now - chosen.delay
        first, last = coverage.passes[0], coverage.passes[-1]
        for old, new in zip(coverage.passes, after.passes, strict=True):
            for instant in grid:
                old_enough = instant < now.replace(microsecond=0) - old.trail
                read = old_enough and step.window.start <= instant < step.window.end
                if old is last:
                    read = read and step.final and not pending_at(first, instant)
                assert pending_at(new, instant) == (pending_at(old, instant) and not read)
        coverage = after
        now += timedelta(seconds=1)
    for each in coverage.passes:
        overdue = end - (each.trail or chosen.delay) * 1.25 - max(chosen.frequency, HOUR / 2)
        assert not any(pending_at(each, instant) for instant in grid if instant < overdue)


@settings(max_examples=25)
@given(sluggish, st.integers(0, 720), st.integers(1, 24))
def test_no_time_is_final_before_its_second_read(
    chosen: Policy, start_hours: int, width_hours: int
) -> None:
    start = NOON - timedelta(hours=start_hours)
    widths = dict.fromkeys(Kind, timedelta(hours=width_hours))
    end = NOON + timedelta(hours=6)
    coverage, reads = collected(Coverage.starting(start, chosen), chosen, NOON, end, widths)
    grid = [start + timedelta(hours=hour, seconds=1) for hour in range(0, start_hours + 6, 3)]
    for instant in grid:
        before = touching(reads, instant)
        if not pending_at(coverage.passes[-1], instant):
            assert len(before) >= 2
            assert before[-1].final
            assert before[-1].at - instant >= chosen.final_age
            assert not before[0].final or before[0].at < before[-1].at


@given(policies)
def test_trails_catch_a_late_row_within_three_times_its_lateness(chosen: Policy) -> None:
    trails = chosen.trails
    assert len(trails) <= 9
    assert trails[-1] == chosen.final_age >= chosen.delay + CONFIRM_AFTER
    if chosen.lookback <= chosen.delay:
        assert trails == (chosen.final_age,)
        return
    assert all(later / earlier < 2.25 for earlier, later in pairwise(trails))
    reachable = max(chosen.delay, timedelta(minutes=10))
    assert trails[0] <= reachable * 2.25 or trails[0] == chosen.final_age


def test_without_a_look_back_time_is_read_once_more_half_an_hour_later() -> None:
    chosen = policy(lookback=0)
    assert chosen.trails == (35 * MINUTE,)
    coverage = Coverage.starting(NOON, chosen)
    _, reads = collected(coverage, chosen, NOON, NOON + 3 * HOUR)
    first, second = touching(reads, NOON + 10 * MINUTE)
    assert (first.kind, first.final) == (Kind.LIVE, False)
    assert (second.kind, second.final) == (Kind.REREAD, True)


# Other settings


@given(policies, policies, instants)
def test_changed_settings_lose_nothing_that_was_not_read(
    old: Policy, new: Policy, instant: datetime
) -> None:
    since = NOON - 30 * HOUR
    coverage = Coverage.starting(since, old)
    for kind in Kind:
        step = plan(coverage, old, NOON, WIDE, (kind,))
        if isinstance(step, Read):
            coverage = coverage.completed(step)
    adapted = coverage.adapted(new, NOON)
    first, *slower, last = adapted.passes
    assert tuple(p.trail for p in adapted.passes[1:]) == new.trails
    if pending_at(coverage.passes[0], instant):
        assert pending_at(first, instant)
    if pending_at(coverage.passes[-1], instant):
        assert pending_at(last, instant), "not confirmed is not confirmed"
    for each in [*slower, last]:
        sources = [p for p in coverage.passes[1:] if p.trail >= each.trail]
        younger = not sources and max(since, NOON - each.trail) <= instant
        if younger or (sources and pending_at(sources[0], instant)):
            assert pending_at(each, instant)


def test_a_look_back_that_was_short_for_a_while_is_made_up_for() -> None:
    """24 hours, then 1, then 24 again: what came late meanwhile is looked for."""
    wide, narrow = policy(lookback=24), policy(lookback=1)
    coverage = Coverage.starting(NOON - 60 * HOUR, wide)
    coverage, _ = collected(coverage, wide, NOON - 59 * HOUR, NOON - 24 * HOUR)
    coverage = coverage.adapted(narrow, NOON - 24 * HOUR)
    coverage, _ = collected(coverage, narrow, NOON - 24 * HOUR, NOON)
    coverage = coverage.adapted(wide, NOON)
    _, reads = collected(coverage, wide, NOON, NOON + 25 * HOUR)
    for hours in (1, 6, 12, 20, 23):
        again = touching(reads, NOON - hours * HOUR)
        assert again
        assert again[-1].final
        assert again[-1].at >= NOON + (24 - hours) * HOUR
    assert not touching(reads, NOON - 26 * HOUR), "older than the look-back"


def test_a_backlog_that_was_read_once_is_confirmed_although_the_look_back_shrinks() -> None:
    wide, narrow = policy(lookback=24), policy(lookback=1)
    coverage = Coverage.starting(NOON - 10 * HOUR, wide).with_outage_behind(NOON, wide)
    backlog = Read(Kind.BACKLOG, coverage.backlog[0], NOON)
    coverage = coverage.completed(backlog).adapted(narrow, NOON)
    _, reads = collected(coverage, narrow, NOON, NOON + HOUR)
    assert [read.final for read in touching(reads, NOON - 9 * HOUR)] == [True]


@pytest.mark.parametrize("delay", [60, 300, 720, 1440])
def test_a_longer_delay_makes_no_narrow_windows(delay: int) -> None:
    """An hour after a first start."""
    chosen = policy()
    coverage = Coverage.starting(NOON - 24 * HOUR, chosen)
    coverage, _ = collected(coverage, chosen, NOON, NOON + HOUR)
    later = policy(delay=delay)
    coverage = coverage.adapted(later, NOON + HOUR)
    _, reads = collected(coverage, later, NOON + HOUR, NOON + 6 * HOUR)
    usual = 5 * HOUR / later.frequency
    assert len(reads) <= 1.5 * usual
    assert sum(read.window.span < MINUTE / 2 for read in reads) <= 1, "the end of a backlog"


def test_a_delay_of_a_day_leaves_the_last_pass_alone() -> None:
    assert policy(delay=1440, lookback=24).trails == (24.5 * HOUR,)


def test_what_was_owed_is_read_by_the_first_pass_if_no_later_ones_are_wanted() -> None:
    """A shorter look-back, no longer than the delay: rows may still come late within it."""
    wide = Policy(delay=60 * MINUTE, frequency=MINUTE, lookback=3 * HOUR)
    narrow = Policy(delay=181 * MINUTE, frequency=MINUTE, lookback=HOUR)
    coverage = Coverage.starting(NOON - 10 * HOUR, wide)
    coverage = coverage.completed(Read(Kind.LIVE, Window(NOON - 10 * HOUR, NOON), NOON))
    owed = coverage.passes[1].edge
    assert coverage.live > owed
    first, last = coverage.adapted(narrow, NOON).passes
    assert first.pending()[0].start <= owed
    assert last.pending()[0].start == NOON - 10 * HOUR, "read once is not confirmed"


# What goes first


def test_fresh_mail_goes_before_everything_else() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 10 * HOUR, chosen).with_outage_behind(NOON, chosen)
    step = plan(coverage, chosen, NOON, WIDE, Kind)
    assert isinstance(step, Read)
    assert step.kind is Kind.LIVE
    assert step.window == minutes(-6, -5)


def test_an_outage_is_read_from_its_beginning_after_the_fresh_mail() -> None:
    chosen = policy(lookback=0)
    coverage = Coverage.starting(NOON - 10 * HOUR, chosen).with_outage_behind(NOON, chosen)
    live = plan(coverage, chosen, NOON, WIDE, Kind)
    assert isinstance(live, Read)
    step = plan(coverage.completed(live), chosen, NOON, dict.fromkeys(Kind, HOUR), Kind)
    assert step == Read(Kind.BACKLOG, Window(NOON - 10 * HOUR, NOON - 9 * HOUR), NOON)


def test_a_short_pause_during_a_backlog_is_read_before_the_rest_of_the_backlog() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 240 * HOUR, chosen)
    coverage, _ = collected(coverage, chosen, NOON, NOON + 2 * HOUR, dict.fromkeys(Kind, MINUTE))
    assert coverage.backlog_span > 100 * HOUR
    back = NOON + 2 * HOUR + 8 * MINUTE
    paused = coverage.live
    coverage = coverage.with_outage_behind(back, chosen)
    step = plan(coverage, chosen, back, WIDE, (Kind.BACKLOG,))
    assert isinstance(step, Read)
    assert step.window == Window(paused, back - 6 * MINUTE)


def test_what_was_read_before_a_pause_is_read_again_in_time_and_not_after_the_backlog() -> None:
    """Re-reads that no later pass has begun with, too: a row of then may be hours late."""
    chosen = policy()
    narrow = dict.fromkeys(Kind, MINUTE)
    coverage = Coverage.starting(NOON - 1200 * HOUR, chosen)
    coverage, _ = collected(coverage, chosen, NOON, NOON + HOUR, narrow)
    back = NOON + HOUR + 8 * MINUTE
    coverage, reads = collected(coverage, chosen, back, back + 10 * HOUR, narrow)
    assert coverage.backlog, "it goes on all the time"
    instant = NOON + 40 * MINUTE
    ages = [read.at - instant for read in touching(reads, instant)]
    for earlier, later in pairwise([28 * MINUTE, *ages]):
        assert later <= 3 * max(earlier, 28 * MINUTE)
    assert ages[-1] > 3 * HOUR


def test_backlog_older_than_the_look_back_is_read_by_all_passes_but_the_last_at_once() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen).with_outage_behind(NOON, chosen)
    old = Read(Kind.BACKLOG, Window(NOON - 100 * HOUR, NOON - 90 * HOUR), NOON)
    after = coverage.completed(old)
    assert all(each.pending()[0].start == NOON - 90 * HOUR for each in after.passes[:-1])
    assert after.passes[-1].pending()[0].start == NOON - 100 * HOUR


def test_backlog_older_than_the_look_back_is_confirmed_when_nothing_else_is_due() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen)
    coverage, reads = collected(coverage, chosen, NOON, NOON + HOUR)
    old = touching(reads, NOON - 90 * HOUR)
    assert [(read.kind, read.final) for read in old] == [
        (Kind.BACKLOG, False),
        (Kind.CONFIRM, True),
    ]
    assert coverage.oldest >= NOON - 24 * HOUR


@given(windows)
def test_a_final_read_of_time_that_was_never_read_confirms_nothing(window: Window) -> None:
    """Else the first reading of it would be the only one."""
    chosen = policy()
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen)
    after = coverage.completed(Read(Kind.REREAD, window, NOON + 60 * HOUR, final=True))
    assert after.passes[-1] == coverage.passes[-1]


@given(windows)
def test_a_read_that_is_not_final_confirms_nothing(window: Window) -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen)
    for _ in range(2):
        coverage = coverage.completed(Read(Kind.BACKLOG, window, NOON + 60 * HOUR))
    assert coverage.passes[-1] == Coverage.starting(NOON - 100 * HOUR, chosen).passes[-1]


def test_final_windows_are_no_wider_than_those_that_fit_one_page() -> None:
    chosen = policy()
    widths = WIDE | {Kind.CONFIRM: HOUR}
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen)
    _, reads = collected(coverage, chosen, NOON, NOON + 30 * HOUR, widths)
    final = [read for read in reads if read.final]
    assert {read.kind for read in final} == {Kind.REREAD, Kind.CONFIRM}
    assert max(read.window.span for read in final) == HOUR


def test_re_reads_or_backlog_go_first_as_is_asked() -> None:
    chosen = policy()
    behind = Pass(timedelta(0), NOON - timedelta(minutes=5), (minutes(-600, -500),))
    reread = Pass(timedelta(minutes=10), NOON - timedelta(minutes=30))
    both = Coverage((behind, reread, Pass(24 * HOUR, NOON - 20 * HOUR)))
    orders = ((Kind.REREAD, Kind.BACKLOG), (Kind.BACKLOG, Kind.REREAD))
    kinds = [plan(both, chosen, NOON, WIDE, order) for order in orders]
    assert [step.kind for step in kinds if isinstance(step, Read)] == [Kind.REREAD, Kind.BACKLOG]


# Clocks


def test_time_that_was_read_before_it_came_is_read_again() -> None:
    chosen = policy()
    ahead = Coverage.starting(NOON - 60 * HOUR, chosen)
    ahead = ahead.completed(
        Read(Kind.LIVE, Window(NOON - 60 * HOUR, NOON + 48 * HOUR), NOON + 49 * HOUR)
    )
    right = ahead.without_future(NOON, chosen)
    assert all(each.edge <= NOON - 24 * HOUR for each in right.passes)
    assert right.without_future(NOON, chosen) is right


@pytest.mark.parametrize("read", [False, True], ids=["nothing read", "an hour read"])
@pytest.mark.parametrize("hours", [5, -2], ids=["begins later than now", "begins before now"])
def test_a_first_start_by_a_clock_that_was_ahead_begins_where_now_allows(
    hours: int, read: bool
) -> None:
    chosen = policy()
    start = NOON + hours * HOUR
    ahead = Coverage.starting(start, chosen)
    if read or hours < 0:
        later = NOON + 6 * HOUR
        ahead = ahead.completed(Read(Kind.LIVE, Window(start, later), later))
    right = ahead.without_future(NOON, chosen)
    assert right.live <= NOON - 24 * HOUR
    assert right.since <= right.oldest
    assert right.without_future(NOON, chosen) is right, "once"


def test_a_clock_that_is_set_back_behind_the_beginning_stops_no_reading_and_changes_no_beginning() -> (
    None
):
    chosen = policy()
    since = NOON - HOUR
    begun = Coverage.starting(since, chosen).showing(NOON)
    begun = begun.completed(Read(Kind.LIVE, Window(since, NOON), NOON + HOUR))
    then = NOON - 48 * HOUR
    behind = begun.without_future(then, chosen).without_unwanted(then)
    assert behind.since == since
    assert behind.live == then - chosen.delay
    assert behind.without_future(then, chosen) is behind, "once"
    right = behind.without_future(NOON, chosen).without_unwanted(NOON)
    assert right.oldest == right.live == since
    assert right.without_unwanted(NOON) is right


@given(st.integers(-300, 60))
def test_a_live_edge_that_is_not_ahead_is_no_reason_to_doubt_the_time(seconds: int) -> None:
    coverage = Coverage.starting(NOON + timedelta(seconds=seconds), policy())
    assert coverage.without_future(NOON, policy()) is coverage


# History and gaps


@pytest.mark.parametrize("read_before", [False, True], ids=["never read", "read once"])
def test_time_beyond_the_history_is_a_gap_only_if_it_was_never_read(read_before: bool) -> None:
    chosen = policy()
    start = NOON - 40 * 24 * HOUR
    coverage = Coverage.starting(start, chosen)
    if read_before:
        coverage = coverage.completed(Read(Kind.LIVE, Window(start, NOON), start + HOUR))
        first = coverage.passes[0].without(Window(start, NOON))
        coverage = replace(coverage, passes=(first, *coverage.passes[1:]))
    oldest = chosen.oldest_kept(NOON)
    given_up = coverage.without_before(oldest)
    expected = () if read_before else (Gap(Window(start, oldest), Cause.TOO_OLD),)
    assert given_up.gaps == expected
    assert given_up.oldest >= oldest


def test_history_is_counted_by_calendar_day() -> None:
    assert policy().oldest_kept(NOON) == datetime(2026, 5, 16, tzinfo=UTC)


@given(causes)
def test_gaps_that_touch_are_declared_as_one(cause: Cause) -> None:
    coverage = Coverage.starting(NOON, policy())
    for window in (minutes(0, 5), minutes(7, 9), minutes(5, 7)):
        coverage = coverage.with_gap(Gap(window, cause))
    assert coverage.gaps == (Gap(minutes(0, 9), cause),)


def test_gaps_of_two_causes_stay_two() -> None:
    coverage = Coverage.starting(NOON, policy())
    coverage = coverage.with_gap(Gap(minutes(5, 9), Cause.UNREADABLE))
    coverage = coverage.with_gap(Gap(minutes(0, 7), Cause.REFUSED))
    assert [gap.cause for gap in coverage.gaps] == [Cause.REFUSED, Cause.UNREADABLE]


@given(windows, instants, causes)
def test_what_is_declared_is_not_read_and_what_is_reopened_is_read_by_all(
    window: Window, instant: datetime, cause: Cause
) -> None:
    coverage = Coverage.starting(NOON - 10 * HOUR, policy())
    gap = Gap(window, cause)
    declared = coverage.with_gap(gap)
    inside = window.start <= instant < window.end
    for before, after in zip(coverage.passes, declared.passes, strict=True):
        assert pending_at(after, instant) == (pending_at(before, instant) and not inside)
    assert declared.with_gap_closed(gap).gaps == ()
    reopened = declared.with_gap_reopened(gap)
    assert reopened.gaps == ()
    for before, after in zip(coverage.passes, reopened.passes, strict=True):
        assert pending_at(after, instant) == (pending_at(before, instant) or inside)


def test_a_reopened_gap_is_backlog_that_is_read_and_confirmed() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 60 * HOUR, chosen)
    gap = Gap(minutes(-3000, -2999), Cause.UNREADABLE)
    coverage, _ = collected(coverage.with_gap(gap), chosen, NOON, NOON + HOUR)
    coverage = coverage.with_gap_reopened(gap)
    _, reads = collected(coverage, chosen, NOON + HOUR, NOON + 2 * HOUR)
    again = touching(reads, gap.window.start)
    assert [read.final for read in again] == [False, True]
    assert all(read.window == gap.window for read in again)


@given(windows, causes)
def test_what_is_known_of_a_gap_is_needed_as_long_as_it_is_declared(
    window: Window, cause: Cause
) -> None:
    """It is tried again, and must not repeat what it shows each time."""
    old = Window(window.start - 1000 * HOUR, window.end - 1000 * HOUR + MINUTE)
    coverage = Coverage.starting(NOON - 60 * HOUR, policy())
    assert not coverage.will_read(old)
    assert coverage.with_gap(Gap(old, cause)).will_read(old)


def test_a_window_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Window(NOON, NOON - HOUR)


def test_a_beginning_is_hidden_once_its_last_read_shows_nothing_up_to_the_first_row() -> None:
    since, first, now = NOON - 9 * DAY, NOON - 2 * DAY, NOON + HOUR
    policy = Policy(5 * MINUTE, MINUTE, HOUR)
    coverage = Coverage.starting(since, policy).showing(NOON).showing(first)
    all_time = Window(since, NOON)
    coverage = coverage.completed(Read(Kind.BACKLOG, all_time, now))
    assert coverage.hidden == ()
    read = Read(Kind.CONFIRM, Window(since, first - HOUR), now, final=True)
    coverage = coverage.completed(read)
    assert coverage.hidden == (), "the rest is not confirmed yet"
    coverage = coverage.completed(Read(Kind.CONFIRM, Window(first - HOUR, NOON), now, final=True))
    (gap,) = coverage.hidden
    assert gap.cause is Cause.HIDDEN
    assert gap.window.start == since
    assert first - 5 * timedelta(seconds=1) < gap.window.end < first
    assert coverage.with_gap(gap).hidden == (), "it is declared"
    assert coverage.showing(since).hidden == ()
    too_old = Gap(Window(since, first - 2 * DAY), Cause.TOO_OLD)
    assert coverage.with_gap(too_old).hidden == (), "the rest is as short as quiet times are"
