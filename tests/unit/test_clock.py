"""Waiting on the machine's clocks: it can be stopped, and no clock that is set makes it endless."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import Stopped


class Machine:
    """Clocks that can be set while somebody waits."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.naps = 0
        self.ahead = 0.0
        self.speed = 1.0
        self._began = time.time()
        self.clock = SystemClock(
            self.stop,
            self._nap,
            lambda: self._began + self.ahead + self._passed(),
            self._passed,
        )

    def _passed(self) -> float:
        return self.speed * (time.time() - self._began)

    def _nap(self) -> None:
        self.naps += 1

    def seconds(self, wait: float | timedelta) -> float:
        """How long a wait really takes."""
        began = time.monotonic()
        if isinstance(wait, timedelta):
            self.clock.wait_until(self.clock.now() + wait)
        else:
            self.clock.wait(wait)
        return time.monotonic() - began

    def soon(self, name: str, value: float) -> None:
        threading.Timer(0.1, setattr, (self, name, value)).start()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_wait_takes_as_long_as_was_asked_and_shows_signs_of_life(machine: Machine) -> None:
    assert 0.6 <= machine.seconds(0.6) < 2
    assert machine.naps >= 3
    assert machine.seconds(timedelta(seconds=0.3)) >= 0.3


@pytest.mark.parametrize("wait", [3600.0, timedelta(hours=1)], ids=["duration", "instant"])
def test_a_stop_ends_a_wait_at_once(machine: Machine, wait: float | timedelta) -> None:
    threading.Timer(0.1, machine.stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        machine.seconds(wait)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("wait", [0.0, timedelta(0), timedelta(hours=-1)], ids=str)
def test_a_stop_is_noticed_without_a_wait(machine: Machine, wait: float | timedelta) -> None:
    machine.stop.set()
    with pytest.raises(Stopped):
        machine.seconds(wait)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["ahead", "back"])
@pytest.mark.parametrize("wait", [0.5, timedelta(seconds=0.5)], ids=["duration", "instant"])
def test_setting_the_time_of_day_makes_no_wait_longer_or_shorter(
    machine: Machine, wait: float | timedelta, ahead: float
) -> None:
    machine.soon("ahead", ahead)
    assert 0.5 <= machine.seconds(wait) < 2


@pytest.mark.parametrize("wait", [120.0, timedelta(minutes=2)], ids=["duration", "instant"])
def test_a_clock_that_runs_faster_than_waits_is_hardly_overslept(
    machine: Machine, wait: float | timedelta
) -> None:
    machine.speed = 100.0
    assert 1.2 <= machine.seconds(wait) < 3


def test_elapsed_seconds_do_not_step_with_the_time_of_day(machine: Machine) -> None:
    began = machine.clock.monotonic()
    for ahead in (0.0, 5.0, -3600.0, 2.0, 0.0):
        machine.ahead = ahead
        assert 0 <= machine.clock.monotonic() - began < 5


def test_now_is_the_time_of_day_in_utc(machine: Machine) -> None:
    machine.ahead = 86400.0
    assert abs(machine.clock.now() - datetime.now(UTC) - timedelta(days=1)) < timedelta(seconds=5)
