"""What is read when: every instant by every pass, nothing twice, nothing early."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office365_message_trace.coverage import Coverage, Kind, Pass, Policy, Read, Wait, plan
from office365_message_trace.model import Window
from tests.support import NOON, minutes

HOUR = timedelta(hours=1)
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


@given(passes, windows, instants)
def test_a_pass_forgets_exactly_the_window_that_was_read(
    each: Pass, window: Window, instant: datetime
) -> None:
    read = window.start <= instant < window.end
    assert pending_at(each.without(window), instant) == (pending_at(each, instant) and not read)


@given(passes, windows)
def test_completing_a_window_twice_is_completing_it_once(each: Pass, window: Window) -> None:
    assert each.without(window).without(window) == each.without(window)


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
    left = each.without(window).split_at(window.end)
    assert all(before.end < after.start for before, after in pairwise(left.behind))
    assert all(interval.start < interval.end <= left.edge for interval in left.behind)


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
        step = plan(coverage, chosen, now, widths)
        if isinstance(step, Wait):
            assert step.until > now
            now = step.until
            continue
        after = coverage.completed(step)
        assert after != coverage, "a read that leads nowhere"
        assert step.window.end <= now - chosen.delay
        for old, new in zip(coverage.passes, after.passes, strict=True):
            for instant in grid:
                old_enough = instant < now.replace(microsecond=0) - old.trail
                read = old_enough and step.window.start <= instant < step.window.end
                assert pending_at(new, instant) == (pending_at(old, instant) and not read)
        coverage = after
        now += timedelta(seconds=1)
    for each in coverage.passes:
        overdue = end - (each.trail or chosen.delay) * 1.25 - max(chosen.frequency, HOUR / 2)
        assert not any(pending_at(each, instant) for instant in grid if instant < overdue)


@given(policies)
def test_trails_catch_a_late_row_within_three_times_its_lateness(chosen: Policy) -> None:
    trails = chosen.trails
    assert len(trails) <= 9
    if chosen.lookback <= chosen.delay:
        assert trails == ()
        return
    assert trails[-1] == chosen.lookback
    assert all(later / earlier < 2.25 for earlier, later in pairwise(trails))
    reachable = max(chosen.delay, timedelta(minutes=10))
    assert trails[0] <= reachable * 2.25 or trails[0] == chosen.lookback


@given(policies, policies, instants)
def test_changed_settings_lose_nothing_that_was_not_read(
    old: Policy, new: Policy, instant: datetime
) -> None:
    coverage = Coverage.starting(NOON - 30 * HOUR, old)
    step = plan(coverage, old, NOON, WIDE)
    if isinstance(step, Read):
        coverage = coverage.completed(step)
    adapted = coverage.adapted(new)
    assert tuple(p.trail for p in adapted.passes[1:]) == new.trails
    for each in adapted.passes[1:]:
        slower = [p for p in coverage.passes[1:] if p.trail >= each.trail]
        source = slower[0] if slower else coverage.passes[-1]
        assert pending_at(each, instant) == pending_at(source, instant)


def test_a_delay_of_a_day_switches_re_reads_off() -> None:
    assert policy(delay=1440, lookback=24).trails == ()


def test_fresh_mail_goes_before_everything_else() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 10 * HOUR, chosen).with_outage_behind(NOON, chosen)
    step = plan(coverage, chosen, NOON, WIDE)
    assert isinstance(step, Read)
    assert step.kind is Kind.LIVE
    assert step.window == minutes(-6, -5)


def test_an_outage_is_read_from_its_beginning_after_the_fresh_mail() -> None:
    chosen = policy(lookback=0)
    coverage = Coverage.starting(NOON - 10 * HOUR, chosen).with_outage_behind(NOON, chosen)
    live = plan(coverage, chosen, NOON, WIDE)
    assert isinstance(live, Read)
    step = plan(coverage.completed(live), chosen, NOON, dict.fromkeys(Kind, HOUR))
    assert step == Read(Kind.BACKLOG, Window(NOON - 10 * HOUR, NOON - 9 * HOUR), NOON)


def test_backlog_older_than_the_look_back_is_read_by_all_passes_at_once() -> None:
    chosen = policy()
    coverage = Coverage.starting(NOON - 100 * HOUR, chosen).with_outage_behind(NOON, chosen)
    old = Read(Kind.BACKLOG, Window(NOON - 100 * HOUR, NOON - 90 * HOUR), NOON)
    after = coverage.completed(old)
    assert all(each.pending()[0].start == NOON - 90 * HOUR for each in after.passes)


def test_re_reads_or_backlog_go_first_as_is_asked() -> None:
    chosen = policy()
    behind = Pass(timedelta(0), NOON - timedelta(minutes=5), (minutes(-600, -500),))
    reread = Pass(timedelta(minutes=10), NOON - timedelta(minutes=30))
    both = Coverage((behind, reread))
    kinds = [plan(both, chosen, NOON, WIDE, first) for first in (Kind.REREAD, Kind.BACKLOG)]
    assert [step.kind for step in kinds if isinstance(step, Read)] == [Kind.REREAD, Kind.BACKLOG]


def test_a_clock_set_back_has_the_look_back_read_again() -> None:
    chosen = policy()
    ahead = Coverage.starting(NOON + 48 * HOUR, chosen)
    mended = ahead.with_clock_set_back(NOON, chosen)
    assert all(each.edge <= NOON - 24 * HOUR for each in mended.passes)
    assert mended.with_clock_set_back(NOON, chosen) is mended


def test_a_clock_that_was_ahead_for_days_has_all_read_again_since_the_last_known_row() -> None:
    """What was received meanwhile was never there when its time was read."""
    ahead = Coverage.starting(NOON + 48 * HOUR, policy())
    recorded = [minutes(-4335, -4320), minutes(-4320, -4305)]
    mended = ahead.with_clock_set_back(NOON, policy(), recorded)
    assert all(each.edge == NOON - 96 * HOUR for each in mended.passes)
    stray = [*recorded, minutes(9000, 9015)]
    assert ahead.with_clock_set_back(NOON, policy(), stray) == mended


def test_rows_from_the_future_show_that_it_is_now_that_the_clock_is_wrong() -> None:
    right = Coverage.starting(NOON, policy())
    before = NOON - 48 * HOUR
    assert right.with_clock_set_back(before, policy(), [minutes(-60, -45)]) is right
    assert right.with_clock_set_back(before, policy(), [minutes(-3000, -2985)]) is not right


def test_a_live_edge_in_the_past_is_no_reason_to_doubt_the_clock() -> None:
    coverage = Coverage.starting(NOON, policy())
    assert coverage.with_clock_set_back(NOON, policy()) is coverage


@pytest.mark.parametrize("read_before", [False, True], ids=["never read", "read once"])
def test_time_beyond_the_history_is_a_gap_only_if_it_was_never_read(read_before: bool) -> None:
    chosen = policy()
    start = NOON - 40 * 24 * HOUR
    coverage = Coverage.starting(start, chosen)
    if read_before:
        coverage = coverage.completed(Read(Kind.LIVE, Window(start, NOON), start + HOUR))
        coverage = Coverage((coverage.passes[0].without(Window(start, NOON)), *coverage.passes[1:]))
    oldest = chosen.oldest_kept(NOON)
    given_up = coverage.without_before(oldest)
    assert given_up.gaps == (() if read_before else (Window(start, oldest),))
    assert given_up.oldest >= oldest


def test_history_is_counted_by_calendar_day() -> None:
    assert policy().oldest_kept(NOON) == datetime(2026, 5, 16, tzinfo=UTC)


def test_gaps_that_touch_are_declared_as_one() -> None:
    coverage = Coverage.starting(NOON, policy()).with_gap(minutes(0, 5)).with_gap(minutes(5, 9))
    assert coverage.gaps == (minutes(0, 9),)


def test_a_window_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Window(NOON, NOON - HOUR)


def test_what_was_owed_is_read_by_the_first_pass_if_no_later_ones_are_wanted() -> None:
    """A shorter look-back, no longer than the delay: rows may still come late within it."""
    minute = timedelta(minutes=1)
    wide = Policy(delay=60 * minute, frequency=minute, lookback=3 * HOUR)
    narrow = Policy(delay=60 * minute, frequency=minute, lookback=HOUR)
    coverage = Coverage.starting(NOON - 10 * HOUR, wide)
    coverage = coverage.completed(Read(Kind.LIVE, Window(NOON - 10 * HOUR, NOON), NOON))
    owed = coverage.passes[1].edge
    assert coverage.live > owed
    (first,) = coverage.adapted(narrow).passes
    assert first.pending()[0].start == owed
