"""What is known of receive time: a read tells of exactly its window, and nothing is final after one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect.coverage import (
    MOST_SPANS,
    Cause,
    Coverage,
    Gap,
    Kind,
    Policy,
    Read,
    Span,
    minus,
)
from office365_message_trace.model import Window
from tests.support import NOON, minutes

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PLAIN = Policy(5 * MINUTE, MINUTE, 24 * HOUR)

instants = st.integers(-3000, 0).map(lambda minute: NOON + timedelta(minutes=minute))
windows = (
    st.tuples(instants, instants)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: Window(min(pair), max(pair)))
)
causes = st.sampled_from(Cause)
reads = st.builds(
    Read, st.sampled_from(Kind), windows, instants.map(lambda at: at + 3000 * MINUTE), st.booleans()
)


def done(coverage: Coverage, read: Read, rows: int = 0) -> Coverage:
    return coverage.completed(read, rows, MINUTE)


def first_read(window: Window, at: datetime = NOON) -> Read:
    return Read(Kind.BACKLOG, window, at)


def final_read(window: Window, at: datetime = NOON) -> Read:
    return Read(Kind.CONFIRM, window, at, final=True)


def _after(several: list[Read]) -> Coverage:
    coverage = Coverage.starting(NOON - 3000 * MINUTE).with_left_behind(NOON - 100 * MINUTE)
    for read in sorted(several, key=lambda each: each.at):
        coverage = done(coverage, read)
    return coverage


coverages = st.lists(reads, max_size=6).map(_after)


def span_at(coverage: Coverage, instant: datetime) -> Span | None:
    """What is known of ``instant``; None if it is final or declared as a gap, or beyond the live edge."""
    found = [s for s in coverage.spans if s.window.start <= instant < s.window.end]
    assert len(found) <= 1
    return found[0] if found else None


# Reads


@given(coverages, windows, instants)
def test_a_read_tells_of_its_window_and_of_nothing_else(
    coverage: Coverage, window: Window, instant: datetime
) -> None:
    after = done(coverage, first_read(window, NOON + 3000 * MINUTE))
    before, now = span_at(coverage, instant), span_at(after, instant)
    if window.start <= instant < window.end:
        if before is not None or instant >= coverage.live:
            assert now is not None
            assert now.read_at == NOON + 3000 * MINUTE
        else:
            assert now is None, "what is final stays so"
    elif before is None:
        assert now is None or instant >= coverage.live
    elif before.read_at is None:
        assert now is not None
        assert now.read_at is None
    else:
        assert now is not None
        assert now.read_at is not None
        age = NOON + 3000 * MINUTE - instant
        assert before.read_at - max(age / 8, MINUTE) <= now.read_at <= before.read_at


@given(st.lists(reads, max_size=6))
def test_without_a_last_read_all_time_stays_in_the_map(several: list[Read]) -> None:
    coverage = _after([replace(each, final=False) for each in several])
    starts = [s.window.start for s in coverage.spans]
    ends = [s.window.end for s in coverage.spans]
    assert starts == [NOON - 3000 * MINUTE, *ends[:-1]]
    assert ends[-1] == coverage.live


@given(coverages)
def test_spans_are_in_order_disjoint_and_before_the_live_edge(coverage: Coverage) -> None:
    assert all(one.window.end <= other.window.start for one, other in pairwise(coverage.spans))
    assert all(s.window.start < s.window.end <= coverage.live for s in coverage.spans)


@given(coverages, windows, instants)
def test_a_final_read_ends_what_was_read_before_and_nothing_else(
    coverage: Coverage, window: Window, instant: datetime
) -> None:
    """Else the first reading of some time would be the only one."""
    after = done(coverage, final_read(window, NOON + 3000 * MINUTE))
    before, now = span_at(coverage, instant), span_at(after, instant)
    if before is not None and before.read_at is not None and window.start <= instant < window.end:
        assert now is None
    elif before is not None:
        assert now is not None, "never read, or outside"


@given(coverages, windows)
def test_what_was_read_later_stays_so(coverage: Coverage, window: Window) -> None:
    early = NOON - 3000 * MINUTE
    after = done(coverage, Read(Kind.REREAD, window, early))
    for instant in (window.start, window.start + MINUTE):
        known, now = span_at(coverage, instant), span_at(after, instant)
        if known is not None and known.read_at is not None:
            assert now is not None
            assert now.read_at is not None
            assert now.read_at > early


def test_reading_up_to_now_moves_the_live_edge_and_no_read_moves_it_beyond() -> None:
    coverage = Coverage.starting(NOON - HOUR)
    coverage = done(coverage, Read(Kind.LIVE, minutes(-60, 5), NOON))
    assert coverage.live == NOON
    assert done(coverage, Read(Kind.LIVE, minutes(5, 6), NOON)) is coverage


def test_what_lies_between_the_live_edge_and_a_read_is_backlog() -> None:
    """As when the newest pages of a live window came and the others did not."""
    coverage = done(Coverage.starting(NOON - HOUR), Read(Kind.LIVE, minutes(-20, 0), NOON))
    assert coverage.live == NOON
    assert coverage.backlog == (minutes(-60, -20),)


def test_a_live_read_that_reaches_back_tells_of_the_time_before_as_well() -> None:
    coverage = done(Coverage.starting(NOON - HOUR), Read(Kind.LIVE, minutes(-60, -10), NOON))
    after = done(coverage, Read(Kind.LIVE, minutes(-30, 0), NOON + MINUTE))
    assert [(s.window, s.read_at) for s in after.spans] == [
        (minutes(-60, -30), NOON),
        (minutes(-30, 0), NOON + MINUTE),
    ]


@given(st.integers(0, 1000), st.integers(1, 50))
def test_rows_are_counted_where_they_were_found(rows: int, cut: int) -> None:
    coverage = done(Coverage.starting(NOON - HOUR), Read(Kind.LIVE, minutes(-60, 0), NOON), rows)
    assert coverage.rows_since(NOON - DAY) == rows
    assert coverage.rows_since(NOON) == 0
    again = Read(Kind.REREAD, minutes(-60, -cut), NOON + HOUR)
    less = done(coverage, again).rows_since(NOON - DAY)
    assert abs(less - rows * cut / 60) <= 1


def test_rows_of_the_look_back_are_counted_without_those_before_it() -> None:
    """Backlog that was read and waits for its last read tells nothing of the mail of a day."""
    coverage = done(Coverage.starting(NOON - 30 * DAY), first_read(minutes(-43200, -1440)), 30_000)
    coverage = done(coverage, Read(Kind.LIVE, minutes(-1440, 0), NOON + HOUR), 1000)
    assert [span.rows for span in coverage.spans] == [30_000, 1000]
    assert coverage.rows_since(NOON - DAY) == 1000
    assert coverage.rows_since(NOON - HOUR) == pytest.approx(1000 / 24, abs=1)
    assert coverage.rows_since(NOON + HOUR) == 0


def test_a_map_of_very_many_reads_stays_small() -> None:
    """Neighbours join as they get older."""
    coverage = Coverage.starting(NOON)
    for tick in range(1, 3000):
        now = NOON + tick * MINUTE
        coverage = done(coverage, Read(Kind.LIVE, Window(coverage.live, now), now))
    assert len(coverage.spans) < 500


# Live edge and backlog


def test_a_short_lag_is_no_outage() -> None:
    coverage = Coverage.starting(NOON)
    assert coverage.with_outage_behind(NOON + 10 * MINUTE, PLAIN) is coverage


def test_an_outage_is_backlog_and_the_live_edge_goes_on_behind_it() -> None:
    coverage = Coverage.starting(NOON - HOUR).with_outage_behind(NOON, PLAIN)
    assert coverage.live == NOON - 6 * MINUTE
    assert coverage.backlog == (minutes(-60, -6),)
    assert coverage.backlog_span == 54 * MINUTE
    assert coverage.oldest == NOON - HOUR
    assert coverage.with_left_behind(NOON - 7 * MINUTE) is coverage


def test_what_was_left_behind_twice_is_one_backlog() -> None:
    coverage = Coverage.starting(NOON).with_left_behind(NOON + MINUTE)
    assert coverage.with_left_behind(NOON + 2 * MINUTE).backlog == (minutes(0, 2),)


# Other settings


def test_a_longer_look_back_has_what_was_final_read_again() -> None:
    """24 hours, then 1, then 24 again: what came late meanwhile is looked for."""
    coverage = done(Coverage.starting(NOON - 60 * HOUR), Read(Kind.LIVE, minutes(-3600, 0), NOON))
    coverage = done(coverage, final_read(minutes(-3600, -60)))
    again = coverage.adapted(PLAIN, NOON)
    assert [(s.window, s.read_at) for s in again.spans] == [
        (minutes(-1440, -60), NOON - HOUR),
        (minutes(-60, -5), NOON),
    ]
    narrow = Policy(timedelta(0), MINUTE, HOUR)
    assert coverage.adapted(narrow, NOON).spans == coverage.spans


def test_final_time_is_reopened_but_gaps_and_what_is_to_be_read_anyway_are_not() -> None:
    coverage = done(Coverage.starting(NOON - 60 * HOUR), Read(Kind.LIVE, minutes(-3600, 0), NOON))
    coverage = done(coverage, final_read(minutes(-3600, -600)))
    coverage = coverage.with_gap(Gap(minutes(-800, -700), Cause.UNREADABLE))
    again = coverage.with_final_reopened(NOON - 900 * MINUTE, NOON)
    assert [(s.window, s.read_at) for s in again.spans[:2]] == [
        (minutes(-900, -800), NOON - 800 * MINUTE),
        (minutes(-700, -600), NOON - 600 * MINUTE),
    ]
    assert again.spans[2:] == coverage.spans
    assert coverage.with_final_reopened(NOON - 70 * HOUR, NOON - 61 * HOUR) == coverage


@given(coverages, windows, causes)
def test_settings_that_stay_change_nothing_but_what_is_younger_than_the_final_age(
    coverage: Coverage, window: Window, cause: Cause
) -> None:
    coverage = coverage.with_gap(Gap(window, cause))
    adapted = coverage.adapted(PLAIN, NOON)
    for minute in range(-3000, 0, 50):
        instant = NOON + minute * MINUTE
        before, after = span_at(coverage, instant), span_at(adapted, instant)
        if before is not None:
            assert after is not None
        elif after is not None:
            assert instant >= NOON - PLAIN.final_age
            assert not window.start <= instant < window.end, "declared is declared"


def test_what_lies_before_the_beginning_is_not_wanted_by_a_longer_look_back() -> None:
    coverage = Coverage.starting(NOON - HOUR).with_left_behind(NOON - HOUR / 2)
    assert coverage.adapted(PLAIN, NOON) == coverage


def test_what_a_longer_delay_makes_too_young_is_read_again_when_it_is_old_enough() -> None:
    coverage = done(Coverage.starting(NOON - HOUR), Read(Kind.LIVE, minutes(-60, -1), NOON), 59)
    adapted = coverage.adapted(Policy(HOUR / 2, MINUTE, DAY), NOON)
    assert adapted.live == NOON - HOUR / 2
    assert adapted.spans == (Span(minutes(-60, -30), NOON, 30),)


# Clocks


def test_time_that_was_read_before_it_came_is_read_again() -> None:
    ahead = Coverage.starting(NOON - 60 * HOUR)
    window = Window(NOON - 60 * HOUR, NOON + 48 * HOUR)
    ahead = done(ahead, Read(Kind.LIVE, window, NOON + 49 * HOUR))
    right = ahead.without_future(NOON, PLAIN)
    assert right.live <= NOON - 24 * HOUR
    assert all(s.window.end <= right.live for s in right.spans)
    assert right.without_future(NOON, PLAIN) is right


@pytest.mark.parametrize("read", [False, True], ids=["nothing read", "an hour read"])
@pytest.mark.parametrize("hours", [5, -2], ids=["begins later than now", "begins before now"])
def test_a_first_start_by_a_clock_that_was_ahead_goes_on_where_now_allows(
    hours: int, read: bool
) -> None:
    start, later = NOON + hours * HOUR, NOON + 6 * HOUR
    ahead = Coverage.starting(start)
    if read or hours < 0:
        ahead = done(ahead, Read(Kind.LIVE, Window(start, later), later))
    right = ahead.without_future(NOON, PLAIN)
    assert right.live == right.oldest == min(start, NOON - PLAIN.delay)
    assert right.since == start
    assert right.without_future(NOON, PLAIN) is right, "once"


def test_a_clock_that_is_set_back_behind_the_beginning_stops_no_reading_and_changes_no_beginning() -> (
    None
):
    since = NOON - HOUR
    begun = Coverage.starting(since).showing(NOON)
    begun = done(begun, Read(Kind.LIVE, Window(since, NOON), NOON + HOUR))
    then = NOON - 48 * HOUR
    behind = begun.without_future(then, PLAIN).without_unwanted(then)
    assert behind.since == since
    assert behind.live == then - PLAIN.delay
    assert behind.without_future(then, PLAIN) is behind, "once"
    right = behind.without_future(NOON, PLAIN).without_unwanted(NOON)
    assert right.oldest == right.live == since
    assert right.without_unwanted(NOON) is right


@given(st.integers(-300, 60))
def test_a_live_edge_that_is_not_ahead_is_no_reason_to_doubt_the_time(seconds: int) -> None:
    coverage = Coverage.starting(NOON + timedelta(seconds=seconds))
    assert coverage.without_future(NOON, PLAIN) is coverage


# History and gaps


@pytest.mark.parametrize("read_before", [False, True], ids=["never read", "read once"])
def test_time_beyond_the_history_is_a_gap_only_if_it_was_never_read(read_before: bool) -> None:
    start = NOON - 40 * DAY
    coverage = Coverage.starting(start).with_left_behind(NOON)
    if read_before:
        coverage = done(coverage, first_read(Window(start, NOON)))
    oldest = PLAIN.oldest_kept(NOON)
    given_up = coverage.without_before(oldest)
    assert given_up.gaps == (() if read_before else (Gap(Window(start, oldest), Cause.TOO_OLD),))
    assert given_up.oldest == oldest


def test_a_live_edge_beyond_the_history_is_given_up_as_well() -> None:
    oldest = NOON - 30 * DAY
    given_up = Coverage.starting(NOON - 40 * DAY).without_before(oldest)
    assert given_up.live == given_up.oldest == oldest
    assert given_up.gaps == (Gap(Window(NOON - 40 * DAY, oldest), Cause.TOO_OLD),)


def test_history_is_counted_by_calendar_day() -> None:
    assert PLAIN.oldest_kept(NOON) == datetime(2026, 5, 16, tzinfo=UTC)


@given(causes)
def test_gaps_that_touch_are_declared_as_one(cause: Cause) -> None:
    coverage = Coverage.starting(NOON)
    for window in (minutes(0, 5), minutes(7, 9), minutes(5, 7)):
        coverage = coverage.with_gap(Gap(window, cause))
    assert coverage.gaps == (Gap(minutes(0, 9), cause),)


def test_gaps_of_two_causes_stay_two() -> None:
    coverage = Coverage.starting(NOON)
    coverage = coverage.with_gap(Gap(minutes(5, 9), Cause.UNREADABLE))
    coverage = coverage.with_gap(Gap(minutes(0, 7), Cause.REFUSED))
    assert [gap.cause for gap in coverage.gaps] == [Cause.REFUSED, Cause.UNREADABLE]


@given(coverages, windows, instants, causes)
def test_what_is_declared_is_not_read_and_what_is_reopened_is_backlog(
    coverage: Coverage, window: Window, instant: datetime, cause: Cause
) -> None:
    gap = Gap(window, cause)
    declared = coverage.with_gap(gap)
    inside = window.start <= instant < window.end
    if inside:
        assert span_at(declared, instant) is None
    else:
        assert (span_at(declared, instant) is None) == (span_at(coverage, instant) is None)
    assert declared.with_gap_closed(gap).gaps == ()
    reopened = declared.with_gap_reopened(gap)
    assert reopened.gaps == ()
    again = span_at(reopened, instant)
    if inside and instant < reopened.live:
        assert again is not None
        assert again.read_at is None


@given(windows, causes)
def test_what_is_known_of_a_gap_is_needed_as_long_as_it_is_declared(
    window: Window, cause: Cause
) -> None:
    """It is tried again, and must not repeat what it shows each time."""
    old = Window(window.start - 1000 * HOUR, window.end - 1000 * HOUR + MINUTE)
    coverage = Coverage.starting(NOON - 60 * HOUR)
    assert not coverage.will_read(old)
    assert coverage.with_gap(Gap(old, cause)).will_read(old)


@given(coverages, windows)
def test_what_is_in_a_span_or_beyond_the_live_edge_is_needed(
    coverage: Coverage, window: Window
) -> None:
    inside = any(span_at(coverage, at) for at in (window.start, window.end))
    if inside or window.end >= coverage.live:
        assert coverage.will_read(window)


def test_a_window_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Window(NOON, NOON - HOUR)


def test_a_beginning_is_hidden_once_its_last_read_shows_nothing_up_to_the_first_row() -> None:
    since, first, now = NOON - 9 * DAY, NOON - 2 * DAY, NOON + HOUR
    coverage = Coverage.starting(since).showing(NOON).showing(first)
    coverage = done(coverage, first_read(Window(since, NOON), now))
    assert coverage.hidden == ()
    coverage = done(coverage, final_read(Window(since, first - HOUR), now))
    assert coverage.hidden == (), "the rest is not confirmed yet"
    coverage = done(coverage, final_read(Window(first - HOUR, NOON), now))
    (gap,) = coverage.hidden
    assert gap.cause is Cause.HIDDEN
    assert gap.window.start == since
    assert first - 5 * SECOND < gap.window.end < first
    assert coverage.with_gap(gap).hidden == (), "it is declared"
    assert coverage.showing(since).hidden == ()
    (gap,) = replace(coverage, started_at=since + 4 * DAY).hidden
    assert gap.window.end < since + 4 * DAY
    assert replace(coverage, started_at=since + 2 * DAY).hidden == (), "later time was read fresh"
    too_old = Gap(Window(since, first - 2 * DAY), Cause.TOO_OLD)
    assert coverage.with_gap(too_old).hidden == (), "the rest is as short as quiet times are"


def missed(start: datetime, end: datetime) -> Coverage:
    """Nothing was read from ``start`` on, until an outage ended at ``end``."""
    began = Coverage.starting(start - DAY, start).with_left_behind(start)
    return began.showing(start - HOUR).with_outage_behind(end, PLAIN)


def test_the_beginning_of_an_outage_is_hidden_as_that_of_a_first_start_is() -> None:
    start = NOON - 9 * DAY
    coverage = missed(start, NOON).showing(NOON).showing(NOON - 2 * DAY)
    assert coverage.hidden == (), "it is backlog"
    (gap,) = replace(coverage, spans=()).hidden
    assert gap.window.start == start
    assert NOON - 2 * DAY - 5 * SECOND < gap.window.end < NOON - 2 * DAY
    assert replace(coverage.showing(start), spans=()).hidden == ()


def test_an_outage_that_goes_on_is_one_and_short_ones_are_forgotten() -> None:
    coverage = missed(NOON - 9 * DAY, NOON)
    (first,) = coverage.outages
    (longer,) = coverage.with_outage_behind(NOON + DAY, PLAIN).outages
    assert longer.window.start == first.window.start
    assert longer.window.end == first.window.end + DAY
    for hours in range(2, 200, 2):
        now = NOON + hours * HOUR
        coverage = coverage.showing(now - HOUR).with_outage_behind(now, PLAIN)
    assert len(coverage.outages) == 2


def test_a_first_start_by_a_clock_that_was_ahead_is_moved_back_by_as_much() -> None:
    began, ahead, kept = NOON, NOON + 3 * HOUR, NOON - 30 * DAY
    start = Coverage.starting(ahead - DAY, ahead)
    coverage = start.with_left_behind(ahead).showing(NOON)
    moved = coverage.with_first_start_earlier(3 * HOUR, kept)
    assert (moved.since, moved.started_at) == (began - DAY, began)
    assert moved.backlog == (Window(began - DAY, ahead),)
    early = start.with_first_start_earlier(3 * HOUR, kept)
    assert early.backlog == (Window(began - DAY, ahead - DAY),)


def test_a_first_start_is_moved_back_to_what_the_service_keeps_at_most() -> None:
    start = Coverage.starting(NOON, NOON + DAY)
    moved = start.with_first_start_earlier(9 * DAY, NOON - 2 * DAY)
    assert (moved.since, moved.backlog_span) == (NOON - 2 * DAY, 2 * DAY)
    assert start.with_first_start_earlier(9 * DAY, NOON + DAY).since == NOON


def test_an_outage_by_a_clock_that_was_ahead_is_none() -> None:
    coverage = missed(NOON, NOON + 9 * DAY).without_future(NOON, PLAIN)
    assert coverage.outages == ()
    (outage,) = missed(NOON - 9 * DAY, NOON + 9 * DAY).without_future(NOON, PLAIN).outages
    assert outage.window.end <= NOON


def test_a_burst_keeps_its_rows_to_itself_and_quiet_time_stays_in_one_span() -> None:
    """Or windows of the hours around it would be planned as if its rows lay all over them."""
    at = NOON + 4 * HOUR
    coverage = Coverage.starting(NOON)
    for minute in range(4 * 60):
        window = Window(NOON + minute * MINUTE, NOON + (minute + 1) * MINUTE)
        rows = 300 if 120 <= minute < 125 else minute % 3
        coverage = coverage.completed(Read(Kind.REREAD, window, at), rows, MINUTE)
    before, burst, after = coverage.spans
    assert burst.window == Window(NOON + 120 * MINUTE, NOON + 125 * MINUTE)
    assert (before.rows, burst.rows, after.rows) == (120, 1500, 116)


@given(st.lists(windows, max_size=6), st.lists(windows, max_size=6))
def test_what_is_left_of_windows_is_in_none_of_the_others(
    several: list[Window], others: list[Window]
) -> None:
    def within(parts: list[Window], instant: datetime) -> int:
        return sum(each.start <= instant < each.end for each in parts)

    left = minus(several, others)
    for minute in range(-3000, 0):
        instant = NOON + timedelta(minutes=minute)
        expected = 0 if within(others, instant) else within(several, instant)
        assert within(left, instant) == expected


def test_a_state_with_thousands_of_gaps_can_be_planned_with() -> None:
    """Each may be a single bad record, and whoever writes to the storage may put them there."""
    gaps = [Gap(minutes(-n, -n + 0.5), Cause.REFUSED) for n in range(1, 10_001)]
    state = replace(Coverage.starting(NOON), since=NOON - 30 * DAY, gaps=tuple(gaps[::-1]))
    began = process_time()
    again = state.adapted(replace(PLAIN, lookback=20 * DAY), NOON + 5 * MINUTE)
    assert process_time() - began < 2
    assert len(again.spans) == len(gaps) + 1


def test_a_map_of_bursts_does_not_grow_without_end() -> None:
    """No burst is joined to its neighbours, until there are very many."""
    second = timedelta(seconds=1)
    count = MOST_SPANS + 500
    coverage = Coverage.starting(NOON - count * second).with_left_behind(NOON)
    bursts = [
        Span(
            Window(NOON - (count - n) * second, NOON - (count - 1 - n) * second), NOON, n % 2 * 900
        )
        for n in range(count)
    ]
    coverage = replace(coverage, spans=tuple(bursts))
    read = Read(Kind.REREAD, bursts[7].window, NOON)
    after = coverage.completed(read, 900, timedelta(minutes=1))
    assert len(coverage.spans) == count
    assert len(after.spans) <= MOST_SPANS / 2 + 500
    assert after.oldest == coverage.oldest
    assert sum((s.window.span for s in after.spans), timedelta()) == count * second
    assert sum(s.rows for s in after.spans) == sum(s.rows for s in coverage.spans)
    assert {s.read_at for s in after.spans} == {NOON}
