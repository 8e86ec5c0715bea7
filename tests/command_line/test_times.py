"""Times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from office365_message_trace.formatting import count, span
from office365_message_trace.time_arguments import parse_time
from tests.support import NOON

MIDNIGHT = datetime(2026, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-06-14T09:30:00Z", datetime(2026, 6, 14, 9, 30, tzinfo=UTC)),
        ("2026-06-14T09:30", datetime(2026, 6, 14, 9, 30, tzinfo=UTC)),
        ("2026-06-14 09:30:15.250", datetime(2026, 6, 14, 9, 30, 15, 250_000, tzinfo=UTC)),
        ("2026-06-14T09:30+02:00", datetime(2026, 6, 14, 7, 30, tzinfo=UTC)),
        ("2026-06-14", datetime(2026, 6, 14, tzinfo=UTC)),
        ("now", NOON),
        (" NOW ", NOON),
        ("today", MIDNIGHT),
        ("yesterday", MIDNIGHT - timedelta(days=1)),
        ("30m ago", NOON - timedelta(minutes=30)),
        ("90 s ago", NOON - timedelta(seconds=90)),
        ("2h ago", NOON - timedelta(hours=2)),
        ("2h", NOON - timedelta(hours=2)),
        ("1.5d", NOON - timedelta(hours=36)),
        ("1.5 hours ago", NOON - timedelta(minutes=90)),
        ("3 days ago", NOON - timedelta(days=3)),
        ("1 Week ago", NOON - timedelta(weeks=1)),
    ],
)
def test_a_time_is_understood(text: str, meant: datetime) -> None:
    assert parse_time(text, NOON) == meant


@pytest.mark.parametrize(
    "text", ["", "soon", "2", "ago", "5 moons ago", "-2h ago", "2026-13-01", "999999999 weeks ago"]
)
def test_what_is_no_time_is_answered_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time") as caught:
        parse_time(text, NOON)
    assert f"'{text}'" in str(caught.value)
    assert "such as 30m, 2h or 3d" in str(caught.value)
    assert "2026-11-23T14:30+01:00" in str(caught.value)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "1.5 minutes"),
        (timedelta(hours=-2), "2 hours"),
        (timedelta(days=1), "1 day"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(time: timedelta, words: str) -> None:
    assert span(time) == words


def test_numbers_come_with_their_noun() -> None:
    assert [count(1, "row"), count(2000, "row"), count(3, "batch")] == [
        "1 row",
        "2,000 rows",
        "3 batches",
    ]
