"""How a backlog shrinks: the share that is done, and how long the rest takes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from office365_message_trace.collect.progress import CatchUp, progress_line
from tests.support import NOON

HOUR = 3600.0


def after(minutes: float) -> CatchUp:
    """An hour of backlog at noon, and what ``minutes`` later is left if ten take a quarter of it."""
    now = NOON + timedelta(minutes=minutes)
    return CatchUp().at(NOON, HOUR).at(now, HOUR - minutes * 90)


@pytest.mark.parametrize(
    ("minutes", "done", "left"),
    [(0, 0.0, None), (10, 0.25, 30), (20, 0.5, 20), (39, 0.975, 1)],
    ids=["just begun", "a quarter", "half", "nearly all"],
)
def test_share_and_time_left_follow_from_the_pace_so_far(
    minutes: float, done: float, left: float | None
) -> None:
    progress = after(minutes)
    assert progress.done == pytest.approx(done)
    found = progress.left(NOON + timedelta(minutes=minutes))
    assert found == (None if left is None else timedelta(minutes=left))


def test_next_to_nothing_tells_no_pace() -> None:
    """It would tell of millions of years."""
    month = 30 * 24 * HOUR
    progress = CatchUp().at(NOON, month).at(NOON, month - 0.002)
    assert progress.left(NOON + timedelta(hours=30)) is None


def test_without_a_backlog_there_is_nothing_to_tell() -> None:
    assert after(40) == CatchUp()
    assert CatchUp().done is None
    assert CatchUp().left(NOON) is None


def test_a_backlog_that_grows_begins_anew() -> None:
    grown = after(10).at(NOON + timedelta(minutes=11), 2 * HOUR)
    assert grown == CatchUp(2 * HOUR, 2 * HOUR, NOON + timedelta(minutes=11))


def test_a_pace_that_cannot_be_told_is_not_told() -> None:
    standing = CatchUp().at(NOON, HOUR).at(NOON + timedelta(hours=1), HOUR)
    assert (standing.done, standing.left(NOON + timedelta(hours=1))) == (0.0, None)
    assert after(10).left(NOON) is None, "the clock was set back"


@pytest.mark.parametrize(
    ("minutes", "rest"),
    [
        (40, ""),
        (0, "; 1 hour of backlog left, 0% done"),
        (20, "; 30 minutes of backlog left, 50% done, about 20 minutes to go"),
    ],
    ids=["no backlog", "just begun", "half"],
)
def test_a_line_says_how_far_how_late_how_many_and_how_long_the_backlog_takes(
    minutes: float, rest: str
) -> None:
    now = NOON + timedelta(minutes=minutes)
    live = now - timedelta(minutes=5, seconds=20)
    line = progress_line(now, live, 1234, after(minutes))
    assert line == (
        f"Read up to {live:%Y-%m-%d %H:%M:%S} UTC, 5.3 minutes ago; "
        f"1234 events forwarded since the last line{rest}."
    )
