"""Collects from a service on loopback and prints its peak memory: `python -m tests.integration.heavy_mail`.

Arguments: the addresses of Microsoft Graph and of the intake, the first instant, and the folder.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from threading import Event

from office365_message_trace.clock import SystemClock
from office365_message_trace.collect.coverage import Policy
from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.monitoring.metrics import Metrics
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.storage.location import storage_at
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from office365_message_trace.triggers import spare_the_garbage_collector
from office365_message_trace.wiring import run_collector

POLICY = Policy(timedelta(minutes=5), timedelta(minutes=1), timedelta(minutes=10))


class Hurried(SystemClock):
    """A clock on which waiting takes no time, for ``span`` from ``now`` on."""

    def __init__(self, now: datetime, span: timedelta) -> None:
        super().__init__(Event(), lambda: None)
        self._began = self._ahead = now - super().now()
        self._end = now + span

    def now(self) -> datetime:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + (self._ahead - self._began).total_seconds()

    def wait(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        if self.now() > self._end:
            raise Stopped

    def wait_until(self, instant: datetime) -> None:
        self.wait((instant - self.now()).total_seconds())


def collect(graph: str, intake: str, start: datetime, folder: Path) -> None:
    """Collect the mail of the minute from ``start``, with the re-reads of the next ones."""
    clock = Hurried(start + timedelta(minutes=6), timedelta(minutes=60))
    spare_the_garbage_collector()
    microsoft = Transport(RequestsHttp(TimeoutSession()), "Microsoft", clock, say)
    sekoia = Transport(RequestsHttp(TimeoutSession()), "Sekoia.io", clock, say)
    try:
        run_collector(
            GraphClient(graph, microsoft, clock, say),
            BatchPusher(intake, "key", 1000, sekoia, clock, say, "any"),
            storage_at(folder),
            lambda: inf,
            POLICY,
            start,
            clock,
            say,
            Metrics("key", POLICY, clock),
        )
    except Stopped:
        print(peak_memory())


def peak_memory() -> int:
    """The most memory that this process had, in MiB; getrusage would count its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def say(text: str, level: str) -> None:
    """Tell what is no news."""
    if level != "info":
        print(f"{level}: {text}", file=sys.stderr)


if __name__ == "__main__":
    collect(sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3]), Path(sys.argv[4]))
