"""What an unfinished window has covered: certain for pages in order, nothing for others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.model import Window, milliseconds
from office365_message_trace.sweep import Sweep
from tests.support import NOON, minutes, row

HOUR = minutes(0, 60)


def swept(*pages: list[float], window: Window = HOUR) -> Window | None:
    """What pages cover whose rows were received so many seconds after noon."""
    sweep = Sweep(window)
    for page in pages:
        sweep.add([row(milliseconds(NOON + timedelta(seconds=second))) for second in page])
    return sweep.covered


def seconds(start: float, end: float) -> Window:
    return Window(NOON + timedelta(seconds=start), NOON + timedelta(seconds=end))


@pytest.mark.parametrize(
    ("pages", "covered"),
    [
        pytest.param([[3500, 3000], [2000, 1000.5]], seconds(1001, 3600), id="newest first"),
        pytest.param([[3500, 3000], [], [2000, 1000]], seconds(1001, 3600), id="an empty page"),
        pytest.param([[5, 9], [9, 700.2]], seconds(0, 699), id="oldest first"),
        pytest.param([[3500, 1000]], None, id="one page proves no order"),
        pytest.param([[3500, 3000], [3200, 1000]], None, id="pages that overlap"),
        pytest.param([[3000, 3500], [2000, 1000]], None, id="a page in disorder"),
        pytest.param(
            [[3000, 3500], [1000, 2000]], None, id="pages newest first, rows oldest first"
        ),
        pytest.param([[9, 9], [9, 9]], None, id="one instant"),
        pytest.param([[3599.9], [3599.2]], None, id="less than a second"),
        pytest.param([[3500, 3000], [2000, -8000]], None, id="a stray at the end"),
        pytest.param([], None, id="no page"),
    ],
)
def test_the_covered_part(pages: list[list[float]], covered: Window | None) -> None:
    assert swept(*pages) == covered


@given(
    st.lists(st.integers(0, 3_600_000), min_size=2, unique=True),
    st.integers(1, 20),
    st.booleans(),
    st.data(),
)
def test_no_row_of_a_page_to_come_lies_in_it(
    received: list[int], size: int, rising: bool, data: st.DataObject
) -> None:
    """If the service keeps to an order at all."""
    ordered = [NOON + timedelta(milliseconds=ms) for ms in sorted(received, reverse=not rising)]
    pages = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    given_pages = data.draw(st.integers(0, len(pages) - 1))
    sweep = Sweep(HOUR)
    for page in pages[:given_pages]:
        sweep.add([row(milliseconds(each)) for each in page])
    to_come = [each for page in pages[given_pages:] for each in page]
    if sweep.covered is not None:
        inside = sweep.covered
        assert not any(inside.start <= each <= inside.end for each in to_come)
        assert sweep.rows == given_pages * size
