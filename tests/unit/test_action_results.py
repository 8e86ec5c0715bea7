"""Times in the results of actions."""

from datetime import UTC, datetime

import pytest

from office365_message_trace.actions.results import written


@pytest.mark.parametrize(
    ("microsecond", "expected"),
    [(0, "09:30:05Z"), (7, "09:30:05Z"), (164_999, "09:30:05.164Z")],
)
def test_a_time_has_milliseconds_only_if_there_are_any(microsecond: int, expected: str) -> None:
    at = datetime(2026, 11, 24, 9, 30, 5, microsecond, tzinfo=UTC)
    assert written(at) == f"2026-11-24T{expected}"
