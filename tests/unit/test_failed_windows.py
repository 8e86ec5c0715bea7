"""A bad record is found by dividing its window; a fault of the service divides nothing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect.coverage import Kind, Read
from office365_message_trace.collect.failed_windows import (
    FailedWindows,
    Trial,
    divided,
    divided_around,
)
from office365_message_trace.model import MILLISECOND, Window
from tests.support import NOON, minutes

HOUR = timedelta(hours=1)


def read(window: Window, final: bool = False) -> Read:
    return Read(Kind.BACKLOG, window, NOON, final)


def searched(window: Window, bad: set[int], others_succeed: bool = True) -> tuple[set[Window], int]:
    """Try ``window`` and its parts until nothing waits or a day is over.

    Reads fail that touch one of the ``bad`` milliseconds after `NOON`. Returns what was found to be
    at fault, and how many reads it took.
    """
    failed, found, reads = FailedWindows(), set[Window](), 0
    trial: Trial | None = Trial(read(window))
    now = 0.0
    while now < 86_400:
        if trial is None:
            if not failed.windows:
                break
            now += max(failed.wait(now), 1.0)
            trial = failed.next_due(now)
            continue
        reads += 1
        tried = trial.read.window
        if any(tried.start <= NOON + ms * MILLISECOND <= tried.end for ms in bad):
            fault = failed.failed(trial, now)
            if fault is not None:
                found.add(fault)
            if others_succeed:
                failed.succeeded()
        else:
            failed.completed(trial, now)
        trial = failed.next_due(now)
    return found, reads


@given(st.integers(0, 6 * 3600 * 1000))
def test_a_bad_millisecond_is_found_in_few_reads(bad: int) -> None:
    found, reads = searched(Window(NOON, NOON + 6 * HOUR), {bad})
    assert 1 <= len(found) <= 2, "bounds belong to both of their neighbours"
    for window in found:
        assert window.start <= NOON + bad * MILLISECOND <= window.end
        assert window.span <= MILLISECOND
    assert reads <= 120


def test_two_bad_milliseconds_are_found_both() -> None:
    found, reads = searched(Window(NOON, NOON + HOUR), {1_000_500, 3_000_500})
    bad = [NOON + ms * MILLISECOND for ms in (1_000_500, 3_000_500)]
    assert all(any(w.start <= instant <= w.end for w in found) for instant in bad)
    assert len(found) <= 4
    assert reads <= 220


@pytest.mark.parametrize("bad", [16, 48, 200])
def test_bad_records_are_found_however_many_a_window_holds(bad: int) -> None:
    every = 3_600_000 // bad
    found, _ = searched(Window(NOON, NOON + HOUR), {500 + n * every for n in range(bad)})
    assert bad <= len(found) <= 2 * bad


def test_bad_records_are_found_however_many_windows_hold_one() -> None:
    failed, found, now = FailedWindows(), set[Window](), 0.0
    bad = [NOON + n * HOUR + timedelta(minutes=7) for n in range(40)]
    trials: list[Trial | None] = [Trial(read(minutes(n * 60, n * 60 + 60))) for n in range(40)]
    while now < 6 * 3600:
        trial = trials.pop() if trials else failed.next_due(now)
        if trial is None:
            now += max(failed.wait(now), 1.0)
        elif any(trial.read.window.start <= each <= trial.read.window.end for each in bad):
            found |= {fault} if (fault := failed.failed(trial, now)) else set()
        else:
            failed.completed(trial, now)
        failed.succeeded()
    assert all(any(each.start <= at <= each.end for each in found) for at in bad)


def test_in_a_general_outage_nothing_is_divided() -> None:
    """A window that fails while nothing else works says nothing about itself."""
    window = minutes(0, 60)
    found, reads = searched(window, set(range(0, 3_600_001, 100)), others_succeed=False)
    assert found == set()
    assert reads < 110, "tried about every quarter of an hour"


def test_in_an_outage_of_a_part_of_the_past_little_is_divided_however_long_it_lasts() -> None:
    """Everything older than some instant fails, and what is younger is read all the time."""
    failed, reads, now = FailedWindows(), 0, 0.0
    trial: Trial | None = Trial(read(minutes(0, 360)))
    while now < 5 * 86_400:
        if trial is None:
            now += max(failed.wait(now), 1.0)
        else:
            reads += 1
            assert failed.failed(trial, now) is None, "no gap"
            failed.succeeded()
        trial = failed.next_due(now)
    assert len(failed.windows) <= 20
    assert reads < 5 * 24 * 80


def test_one_failure_divides_nothing() -> None:
    failed = FailedWindows()
    assert failed.failed(Trial(read(minutes(0, 60))), 0.0) is None
    failed.succeeded()
    assert failed.windows == [minutes(0, 60)]
    assert failed.next_due(59.9) is None
    again = failed.next_due(60.0)
    assert again is not None
    assert again.read.window == minutes(0, 60)
    assert failed.windows == []


def test_a_window_is_sampled_before_it_is_divided_and_elsewhere_each_time() -> None:
    failed, whole = FailedWindows(), minutes(0, 60)
    failed.failed(Trial(read(whole)), 0.0)
    failed.succeeded()
    trial, now, places = failed.next_due(60.0), 60.0, set[Window]()
    for _ in range(20):
        assert trial is not None
        failed.failed(trial, now)
        assert failed.windows == [whole], "which is not planned meanwhile"
        now += 900.0
        trial = failed.next_due(now)
        assert trial is not None
        sample = trial.read.window
        assert whole.start <= sample.start < sample.end <= whole.end
        assert sample.span < timedelta(seconds=1), "too short to hold a bad record, too"
        places.add(sample)
    assert len(places) == 20


def test_parts_keep_what_the_read_is_for() -> None:
    failed = FailedWindows()
    failed.failed(Trial(read(minutes(0, 60), final=True)), 0.0)
    failed.succeeded()
    trial = failed.next_due(60.0)
    assert trial is not None
    failed.failed(trial, 60.0)
    sample = failed.next_due(240.0)
    assert sample is not None
    assert sample.read.final
    failed.completed(sample, 240.0)
    parts = [failed.next_due(300.0) for _ in range(4)]
    assert [part.read.final for part in parts if part] == [True] * 4
    assert [part.read.window for part in parts if part] == divided(minutes(0, 60), 4)


def test_a_millisecond_is_at_fault_only_if_it_failed_often_while_others_were_read() -> None:
    failed, moment = FailedWindows(), Window(NOON, NOON + MILLISECOND)
    trial: Trial | None = Trial(read(moment))
    for now in (0.0, 60.0, 600.0):
        assert trial is not None
        assert failed.failed(trial, now) is None, "nothing else was read meanwhile"
        trial = failed.next_due(now + 900.0)
    failed.succeeded()
    assert trial is not None
    assert failed.failed(trial, 1500.0) == moment


def test_a_passing_fault_beside_a_bad_record_puts_no_other_millisecond_at_fault() -> None:
    """All of the four milliseconds fail for two minutes more while others are read; one does for ever."""
    failed, found, bad = FailedWindows(), set[Window](), NOON + MILLISECOND / 2
    trial: Trial | None = Trial(read(Window(NOON, NOON + 4 * MILLISECOND)))
    now = 0.0
    while now < 3600:
        if trial is not None:
            window = trial.read.window
            if now < 180 or window.start <= bad <= window.end:
                fault = failed.failed(trial, now)
                found |= {fault} if fault else set()
        failed.succeeded()
        now += 1
        trial = failed.next_due(now)
    assert found == {Window(NOON, NOON + MILLISECOND)}


def test_rows_of_fresh_mail_let_one_window_be_divided_where_nothing_else_is_read() -> None:
    """Each of them may hold a bad record. If all of the past is at fault, little is tried."""
    failed, found, reads, now = FailedWindows(), set[Window](), Counter[timedelta](), 0.0
    for number in range(4):
        failed.postpone(read(minutes(720 * number, 720 * number + 720)), 0.0)
    while now < 24 * 3600:
        if trial := failed.next_due(now):
            reads[trial.read.window.span] += 1
            if trial.whole is not None:
                failed.completed(trial, now)
            elif fault := failed.failed(trial, now):
                found.add(fault)
        now += 1
        failed.fresh_mail = failed.fresh_mail or now % 300 == 0
    assert min(reads) == MILLISECOND
    assert len(failed.windows) < 50
    assert sum(reads.values()) < 24 * 180
    assert found == set(), "no single millisecond by that alone"


def test_a_sample_shows_nothing_of_other_windows() -> None:
    failed = FailedWindows()
    failed.completed(Trial(read(minutes(0, 1)), whole=minutes(0, 60)), 0.0)
    assert failed.successes == 0
    failed.completed(Trial(read(minutes(0, 1))), 0.0)
    assert failed.successes == 1


def test_what_is_postponed_did_not_fail() -> None:
    failed = FailedWindows()
    failed.postpone(read(minutes(0, 60)), 900.0)
    assert failed.wait(300.0) == 600.0
    assert failed.windows == [minutes(0, 60)]
    trial = failed.next_due(900.0)
    assert trial is not None
    assert trial.failures == 0


def test_what_is_due_longest_goes_first_and_hurry_makes_all_due() -> None:
    failed = FailedWindows()
    assert failed.wait(0.0) == float("inf")
    failed.postpone(read(minutes(0, 1)), 900.0)
    failed.postpone(read(minutes(1, 2)), 300.0)
    assert failed.next_due(0.0) is None
    later = failed.next_due(1000.0)
    assert later is not None
    assert later.read.window == minutes(1, 2)
    failed.hurry()
    assert failed.wait(0.0) == 0.0


def test_hurry_leaves_what_waits_for_a_reason_of_its_own() -> None:
    failed, moment = FailedWindows(), Window(NOON, NOON + MILLISECOND)
    failed.failed(Trial(read(moment)), 0.0)
    failed.postpone(read(minutes(0, 60), final=True), 900.0, news=1)
    failed.postpone(read(minutes(60, 120), final=True), 900.0, refusals=1)
    failed.hurry()
    assert failed.next_due(59.0) is None
    assert [failed.next_due(900.0) is not None for _ in range(3)] == [True] * 3


@given(st.integers(1, 10**8), st.integers(2, 6))
def test_the_parts_of_a_window_are_the_window(milliseconds: int, parts: int) -> None:
    window = Window(NOON, NOON + milliseconds * MILLISECOND)
    found = divided(window, parts)
    assert 1 <= len(found) <= parts
    assert found[0].start == window.start
    assert found[-1].end == window.end
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(part.span >= MILLISECOND for part in found)
    assert len(found) == min(parts, milliseconds) or milliseconds < parts * parts


@pytest.mark.parametrize("span", [timedelta(0), MILLISECOND, 2 * MILLISECOND, timedelta(days=10)])
def test_a_window_of_any_width_can_be_divided(span: timedelta) -> None:
    window = Window(NOON, NOON + span)
    assert divided(window, 4)[0].start == window.start
    assert divided(window, 4)[-1].end == window.end


@pytest.mark.parametrize("span", [HOUR, timedelta(seconds=1), 3 * MILLISECOND])
def test_a_crowded_instant_behind_a_window_is_approached_in_few_steps(span: timedelta) -> None:
    """The end is read beyond by up to a second, or a sixteenth of the window."""
    window, reads = Window(NOON - span, NOON), 0
    while window.span > 2 * MILLISECOND:
        *clear, window = divided_around(window, NOON)
        assert clear
        for part in clear:
            beyond = min(timedelta(seconds=1), max(part.span // 16, MILLISECOND))
            assert part.end + beyond < NOON
        reads += 1 + len(clear)
    assert reads <= 20
    assert window.end == NOON


def test_a_window_is_divided_around_the_instant_that_fills_a_page() -> None:
    parts = divided_around(Window(NOON - HOUR, NOON + HOUR), NOON)
    assert Window(NOON, NOON + MILLISECOND) in parts
    assert len(parts) == 3
    assert divided_around(Window(NOON, NOON + HOUR), NOON - HOUR) == divided(
        Window(NOON, NOON + HOUR), 2
    )
