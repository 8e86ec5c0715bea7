"""What reading costs, in numbers; `python -m sandbox measure` prints them all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.__main__ import main
from sandbox.measures import Rig
from sandbox.measures.command import memory_of_burst
from sandbox.measures.mail import SteadyMail
from sandbox.simulation.graph import OtherClient

pytestmark = pytest.mark.timeout(600)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SMALL_PAGE = 500
"""A tenth of the real page, with a tenth of the mail: as many requests, in a tenth of the time."""


def rig(rows_per_day: int, backlog: timedelta, **options: object) -> Rig:
    return Rig("graph", SteadyMail(rows_per_day), backlog, page_size=SMALL_PAGE, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("frequency", "pages"), [(60, 74), (300, 78)])
def test_a_backlog_is_read_at_the_speed_of_the_request_budget(frequency: int, pages: int) -> None:
    counted = rig(100_000, 10 * DAY, frequency=frequency).run(HOUR / 6, HOUR / 6)
    assert counted.refused == 0
    assert counted.requests <= 2 * 90
    assert counted.rows >= 2 * pages * SMALL_PAGE
    assert counted.worst_lag < 60


@pytest.mark.parametrize(("requests", "seconds"), [(10, 60), (50, 300)])
def test_a_client_that_spends_half_the_quota_starves_nothing(requests: int, seconds: int) -> None:
    counted = rig(100_000, 10 * DAY, other=OtherClient(requests, seconds)).run(HOUR)
    assert counted.refused <= 30
    assert counted.rows >= 12 * 32 * SMALL_PAGE
    assert counted.worst_lag < 15 * 60


@pytest.mark.parametrize(("days", "most"), [(30, 16), (90, 24)])
def test_a_quiet_backlog_costs_few_requests(days: int, most: int) -> None:
    counted = Rig("graph", SteadyMail(0), days * DAY).run(HOUR / 6)
    assert counted.past <= most


@pytest.mark.parametrize("service", ["graph", "reporting"])
def test_a_day_of_mail_costs_a_request_a_minute_and_sixty_times_its_pages(service: str) -> None:
    """As much as the densest timetable costs, which is the one of a tenant of this size."""
    size = 50
    steady = Rig(service, SteadyMail(10_000), HOUR, page_size=size)
    counted = steady.run(DAY / 4, DAY * 13 / 12)
    pages = 2_500 / size
    assert counted.bound < 1.25
    assert counted.live <= 360 + pages
    assert counted.requests <= 360 + 60 * pages
    assert counted.rows == pytest.approx(2_500, rel=0.05)


def test_a_burst_is_read_in_bounded_memory() -> None:
    assert 1_000_000 < memory_of_burst(20_000) < 10_000_000


def test_the_command_prints_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "quiet"]) == 0
    assert "graph, 30 days of 0 rows a day: " in capsys.readouterr().out
    assert main(["measure", "nonsense"]) == 2
