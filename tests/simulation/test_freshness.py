"""How soon rows reach the intake that Microsoft shows late, in hours of mail as it usually comes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from office365_message_trace.collect.freshness import BANDS
from sandbox.measures.freshness import Freshness, measured

pytestmark = pytest.mark.timeout(600)

NAMES = {name: bound for bound, name in BANDS.items()}
MOST = {
    1_000: {"5m": (33, 68), "10m": (34, 68), "30m": (78, 260), "2h": (290, 1010)},
    100_000: {"5m": (39, 91), "10m": (37, 125), "30m": (92, 260), "2h": (340, 1020)},
}
"""By rows a day and by how late a row is shown: seconds from then to the intake, half and 99 % of the rows."""


@pytest.fixture(scope="module", params=[(1_000, 24), (100_000, 4)], ids=["small", "larger"])
def found(request: pytest.FixtureRequest) -> Freshness:
    rows, hours = request.param
    return measured("graph", rows, timedelta(hours=hours))


def test_rows_that_are_shown_late_arrive_within_minutes_of_that(found: Freshness) -> None:
    took = {
        name: (found.percentile(NAMES[name], 0.5), found.percentile(NAMES[name], 0.99))
        for name in MOST[found.rows_a_day]
    }
    for name, (half, nearly_all) in MOST[found.rows_a_day].items():
        assert took[name][0] <= half, took
        assert took[name][1] <= nearly_all, took


def test_that_costs_about_a_request_a_minute(found: Freshness) -> None:
    most, share = {1_000: (1500, 1.0), 100_000: (2100, 4 / 24)}[found.rows_a_day]
    assert found.figures.requests <= most * share


def test_the_bound_that_is_told_is_kept(found: Freshness) -> None:
    """Beyond the age of the first read, and but for the two live reads that a sweep may wait."""
    assert 1 < found.figures.bound <= 1.25
    for bound in list(NAMES.values())[1:]:
        late = bound.total_seconds()
        worst = max(found.seconds.get(bound, [0.0]))
        assert worst <= (found.figures.bound - 1) * late + 120, bound
