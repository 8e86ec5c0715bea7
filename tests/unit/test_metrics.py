"""Metrics show what is known, and nothing before."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from prometheus_client import REGISTRY

from office365_message_trace.clock import SystemClock
from office365_message_trace.collect.coverage import Cause, Coverage, Gap, Policy
from office365_message_trace.model import Window
from office365_message_trace.monitoring.metrics import Metrics

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DECLARED = "message_trace_gap_declared_timestamp_seconds"


def declared_at() -> datetime | None:
    value = REGISTRY.get_sample_value(DECLARED)
    return None if value is None else datetime.fromtimestamp(value, UTC)


def coverage(*gaps: int) -> Coverage:
    """One with a gap in each of these minutes before noon."""
    result = Coverage.starting(NOON)
    for minutes in gaps:
        start = NOON - minutes * MINUTE
        result = result.with_gap(Gap(Window(start, start + MINUTE), Cause.UNREADABLE))
    return result


def test_a_process_that_does_not_collect_yet_shows_no_gauges() -> None:
    """Zero would say that nothing is behind and no gap is declared."""
    script = (
        "from office365_message_trace.monitoring import metrics\n"
        "from prometheus_client import REGISTRY\n"
        "print([s.name for f in REGISTRY.collect() if f.type == 'gauge' for s in f.samples"
        " if s.name.startswith('message_trace_')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_gap_is_new_if_it_was_declared_since_the_start() -> None:
    policy = Policy(delay=MINUTE, frequency=MINUTE, lookback=60 * MINUTE)
    metrics = Metrics("key", policy, SystemClock(Event(), lambda: None))
    before = declared_at()
    metrics.covered(coverage(30), NOON)
    assert declared_at() == before, "it is from an earlier process"
    metrics.covered(coverage(30), NOON + MINUTE)
    metrics.covered(coverage(30, 20), NOON + 2 * MINUTE)
    assert declared_at() == NOON + 2 * MINUTE
    metrics.covered(coverage(20), NOON + 3 * MINUTE)
    assert declared_at() == NOON + 2 * MINUTE, "a gap that can be read again is none"
