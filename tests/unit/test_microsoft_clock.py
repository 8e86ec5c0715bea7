"""The clock that goes by Microsoft's answers, whatever the machine's clock does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.clock import MicrosoftClock
from tests.support import NOON, Logbook, TurnedClock

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
ENTRA, TRACE = "Entra ID", "The Reporting Web Service"


class Machine(TurnedClock):
    """A machine whose ticks stood still while it was ``asleep``."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        super().__init__(ahead=ahead)
        self.asleep = timedelta(0)
        self.waited: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if seconds:
            self.waited()

    def true(self) -> datetime:
        return super().true() + self.asleep


class Site:
    """A machine, a clock on it, and services that know the time."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.machine = Machine(ahead)
        self.log = Logbook()
        self.clock = MicrosoftClock(self.machine, self.log)

    def answer(self, service: str = TRACE, off: timedelta = timedelta(0), wait: float = 60) -> None:
        """Let ``wait`` seconds pass, then an answer of ``service`` arrive."""
        self.clock.wait(wait)
        date = format_datetime(self.machine.true() + off, usegmt=True)
        self.clock.heard(service, date, self.clock.monotonic())
        self.clock.wait(0)

    @property
    def late(self) -> timedelta:
        """How far the clock is behind the true time."""
        return self.machine.true() - self.clock.now()

    @property
    def right(self) -> bool:
        return timedelta(0) <= self.late <= SECOND

    @property
    def warnings(self) -> list[str]:
        return self.log.texts("warning")


AHEAD = pytest.mark.parametrize("ahead", [25 * HOUR, 9 * HOUR, -2 * DAY, 3650 * DAY], ids=str)


def test_before_the_first_answer_the_machine_counts() -> None:
    site = Site(HOUR)
    assert site.clock.now() == site.machine.now()
    assert site.clock.ahead is None


@AHEAD
def test_a_machine_that_is_wrong_all_the_time_is_named_once_and_changes_nothing(
    ahead: timedelta,
) -> None:
    site = Site(ahead)
    for _ in range(60):
        site.answer()
        assert site.right
    (warning,) = site.warnings
    assert ("ahead of" if ahead > timedelta(0) else "behind") in warning
    assert "is not affected" in warning
    assert "time service (NTP)" in warning


def test_how_far_the_machine_is_off_is_said_in_words() -> None:
    site = Site(25 * HOUR)
    site.answer(ENTRA)
    assert site.warnings == [], "one answer may be wrong"
    site.answer(TRACE)
    assert "This machine's clock is 1 day ahead of Microsoft's." in site.warnings[0]
    assert site.clock.ahead is not None
    assert abs(site.clock.ahead - 25 * HOUR) <= SECOND


@pytest.mark.parametrize("ahead", [timedelta(0), 58 * SECOND, -58 * SECOND], ids=str)
def test_a_machine_that_is_about_right_is_not_named(ahead: timedelta) -> None:
    site = Site(ahead)
    for _ in range(60):
        site.answer()
    assert site.warnings == []


def test_a_clock_that_is_set_right_and_goes_wrong_again_is_named_again() -> None:
    site = Site(HOUR)
    for ahead in (HOUR, timedelta(0), -HOUR):
        site.machine.ahead = ahead
        for _ in range(5):
            site.answer()
            assert site.right
    assert len(site.warnings) == 2
    assert "behind" in site.warnings[1]


def test_a_clock_on_the_edge_of_being_wrong_is_named_once() -> None:
    site = Site()
    for number in range(60):
        site.machine.ahead = (58 + number % 2 * 5) * SECOND
        site.answer()
    assert len(site.warnings) == 1


@pytest.mark.parametrize("apart", [9 * MINUTE, 40 * MINUTE, 90 * MINUTE], ids=str)
def test_a_clock_that_goes_wrong_again_and_again_is_named_once_an_hour(apart: timedelta) -> None:
    site = Site()
    for number in range(4 * 60):
        site.machine.ahead = HOUR if number * MINUTE % (2 * apart) < apart else timedelta(0)
        site.answer()
        assert site.right
    assert len(site.warnings) == min(4, -(-4 * HOUR // (2 * apart)))


def test_a_clock_that_goes_wrong_again_soon_and_stays_so_is_named_after_an_hour() -> None:
    site = Site(HOUR)
    for number in range(150):
        site.machine.ahead = timedelta(0) if 10 <= number < 20 else HOUR
        site.answer()
    assert len(site.warnings) == 2


def test_a_clock_that_steps_about_changes_nothing() -> None:
    site = Site()
    site.answer()
    for step in (2 * DAY, -HOUR, timedelta(0), 3650 * DAY, -3650 * DAY):
        site.machine.ahead = step
        assert site.right, "without another answer"
        site.answer()
        assert site.right


def test_a_step_and_a_wrong_date_at_once_change_nothing() -> None:
    site = Site()
    for _ in range(5):
        site.answer()
    site.machine.ahead = 2 * DAY
    site.answer(off=-HOUR)
    assert site.right


def test_after_a_sleep_the_first_answer_tells_the_time() -> None:
    site = Site()
    for service in (ENTRA, ENTRA, TRACE, TRACE, TRACE):
        site.answer(service)
    site.machine.asleep = 8 * HOUR
    site.answer()
    assert site.right
    for _ in range(10):
        site.answer()
    site.answer(ENTRA)
    assert site.right
    assert site.warnings == []


@pytest.mark.parametrize("off", [DAY, -DAY, 3650 * DAY], ids=str)
def test_one_answer_with_another_time_changes_nothing(off: timedelta) -> None:
    site = Site()
    site.answer(ENTRA)
    for number in range(20):
        site.answer(off=off if number % 7 == 3 else timedelta(0))
        assert site.right
    assert site.warnings == []


@pytest.mark.parametrize("date", ["", "nonsense", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_without_usable_dates_the_machine_counts(date: str) -> None:
    site = Site(HOUR)
    for _ in range(10):
        site.clock.heard(TRACE, date, site.clock.monotonic())
        site.clock.wait(60)
    assert site.clock.now() == site.machine.now()
    assert site.warnings == []


def test_answers_that_stop_telling_the_time_leave_what_is_known() -> None:
    site = Site(HOUR)
    site.answer()
    for _ in range(100):
        site.clock.heard(TRACE, "", site.clock.monotonic())
        site.clock.wait(60)
    assert site.right


@pytest.mark.parametrize("wait", [3.4, 60.0])
def test_a_date_that_stands_still_leaves_the_time_to_the_machine(wait: float) -> None:
    site = Site()
    date = format_datetime(site.machine.true(), usegmt=True)
    for _ in range(100):
        site.clock.heard(TRACE, date, site.clock.monotonic())
        assert site.late <= 2 * MINUTE
        site.clock.wait(wait)
    assert site.clock.now() == site.machine.now()


def test_services_that_contradict_each_other_are_named_once_and_the_machine_decides() -> None:
    site = Site()
    for _ in range(20):
        site.answer(ENTRA, off=DAY)
        site.answer(TRACE)
    assert site.right
    (warning,) = site.warnings
    assert "The clocks of the Reporting Web Service and Entra ID are 1 day apart." in warning
    assert "time service (NTP)" in warning


def test_a_wait_until_an_instant_goes_by_microsofts_time() -> None:
    site = Site(9 * HOUR)
    site.answer()
    site.clock.wait_until(NOON + HOUR)
    assert site.right
    assert timedelta(0) <= site.machine.true() - (NOON + HOUR) <= SECOND


@pytest.mark.parametrize(
    ("ahead", "most"), [(-HOUR, 10 * SECOND), (2 * DAY, 31 * MINUTE)], ids=["behind", "ahead"]
)
def test_an_answer_during_a_wait_may_shorten_it_but_never_makes_it_longer(
    ahead: timedelta, most: timedelta
) -> None:
    """Begun by a machine that is wrong; another thread hears the time meanwhile."""
    site = Site(ahead)
    site.machine.waited = lambda: site.clock.heard(
        TRACE, format_datetime(site.machine.true(), usegmt=True), site.clock.monotonic()
    )
    site.clock.wait_until(site.clock.now() + 30 * MINUTE)
    assert site.right
    assert site.machine.true() - NOON <= most


def test_a_stop_ends_a_wait() -> None:
    clock = MicrosoftClock(TurnedClock(stop_after=100), Logbook())
    with pytest.raises(Stopped):
        clock.wait_until(NOON + HOUR)


def test_answers_are_heard_in_many_threads() -> None:
    site = Site(25 * HOUR)
    date = format_datetime(site.machine.true(), usegmt=True)

    def hear() -> None:
        for _ in range(200):
            site.clock.heard(TRACE, date, site.clock.monotonic())

    threads = [threading.Thread(target=hear) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    site.clock.wait(0)
    assert site.right
    assert len(site.warnings) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([ENTRA, TRACE]), st.floats(0, 400), st.floats(0, 1)),
        min_size=1,
        max_size=60,
    ),
    st.lists(st.floats(-1e8, 1e8), min_size=1, max_size=60),
)
def test_by_honest_answers_the_time_is_late_by_two_seconds_at_most_and_never_early(
    answers: list[tuple[str, float, float]], steps: list[float]
) -> None:
    """Each answer comes after a pause and takes up to a second; before it the machine's clock is set."""
    site = Site()
    for number, (service, pause, way) in enumerate(answers):
        site.machine.ahead = timedelta(seconds=steps[number % len(steps)])
        site.answer(service, timedelta(seconds=-way), pause)
        assert timedelta(microseconds=-10) <= site.late <= 2 * SECOND
    site.clock.wait(100_000)
    assert timedelta(microseconds=-10) <= site.late <= 2 * SECOND
