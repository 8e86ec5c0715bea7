"""Windows become as wide as their rows ask for, and no narrower by what tells nothing."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.collect.backoff import SlowProbe
from office365_message_trace.collect.window_width import WindowWidth
from office365_message_trace.model import MILLISECOND

MINUTE = timedelta(minutes=1)


def width_of(now: timedelta) -> WindowWidth:
    """For 100 rows, of which that much time held so many."""
    width = WindowWidth(100)
    width.observe(now, 100)
    return width


def test_a_window_that_held_too_many_rows_makes_the_next_one_narrower() -> None:
    width = width_of(60 * MINUTE)
    width.observe(60 * MINUTE, 400)
    assert width.now == 15 * MINUTE


def test_a_part_of_a_window_that_held_its_share_and_more_makes_the_next_one_narrower() -> None:
    width = width_of(60 * MINUTE)
    width.observe(10 * MINUTE, 50)
    assert width.now == 20 * MINUTE


def test_the_millisecond_of_a_single_row_tells_nothing() -> None:
    width = width_of(60 * MINUTE)
    width.observe(MILLISECOND, 1)
    assert width.now == 60 * MINUTE


def test_the_millisecond_of_many_rows_tells_little() -> None:
    width = width_of(60 * MINUTE)
    width.observe(MILLISECOND, 100)
    assert width.now > 3 * MINUTE


def test_parts_of_a_window_that_is_too_large_do_not_add_up() -> None:
    """They were planned before the first of them failed."""
    width = width_of(60 * MINUTE)
    for span in (60 * MINUTE, 40 * MINUTE, 60 * MINUTE, 20 * MINUTE):
        width.narrow(span)
    assert width.now == 5 * MINUTE


def test_a_quiet_second_beside_a_burst_does_not_lead_back_to_a_width_that_failed() -> None:
    width = width_of(60 * MINUTE)
    width.narrow(60 * MINUTE)
    width.observe(15 * MINUTE, 0)
    assert width.now == 30 * MINUTE
    width.observe(30 * MINUTE, 0)
    width.observe(60 * MINUTE, 0)
    assert width.now == 16 * 60 * MINUTE, "it was not too large after all"


def test_a_probe_is_certain_after_some_lasting_failures_in_a_row_only() -> None:
    probe = SlowProbe()
    for round_ in range(2):
        certain = []
        for _ in range(5):
            probe.failed(0.0, lasting=True)
            certain.append(probe.certain)
        assert certain == [False, False, False, True, True], round_
        probe.reset()


def test_one_lasting_failure_after_many_that_pass_is_not_certain() -> None:
    probe = SlowProbe()
    for _ in range(5):
        probe.failed(0.0)
        assert not probe.certain
    probe.failed(0.0, lasting=True)
    assert not probe.certain
