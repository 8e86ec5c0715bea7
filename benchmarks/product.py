"""The real thing: what the trigger puts together, without the SDK's classes and the request budget."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from threading import Event

from benchmarks.job import BATCH_EVENTS, LATEST_MAIL_AGE_MINUTES, Job
from benchmarks.measure import Usage, measured
from office365_message_trace.clock import SystemClock
from office365_message_trace.collect.checkpoint import Checkpoint
from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.collector import Collector
from office365_message_trace.collect.coverage import Coverage, Policy
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.monitoring.metrics import Metrics
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.storage.location import storage_at
from office365_message_trace.storage.wrappers import RetryingStorage
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from office365_message_trace.triggers import spare_the_garbage_collector
from office365_message_trace.wiring import collector_of

POLICY = Policy(
    delay=timedelta(minutes=LATEST_MAIL_AGE_MINUTES),
    frequency=timedelta(minutes=1),
    lookback=timedelta(0),  # each row is read once; the pure re-read is measured by itself
)


class OnceThrough(SystemClock):
    """Runs from a given instant on; where the collector would wait for mail, the work is done."""

    def __init__(self, start: datetime) -> None:
        super().__init__(Event(), lambda: None)
        self._start = start
        self._started = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._started)

    def wait_until(self, instant: datetime) -> None:
        raise Stopped


def collect(job: Job) -> list[Usage]:
    """Collect the job's mail so many times; what `job.folder` records as accepted is not sent again."""
    os.environ.update(job.site.environment)
    made: list[Callable[[], Collector]] = []

    def work() -> None:
        if not made:
            spare_the_garbage_collector()
            made.append(_collectors(job))
        with suppress(Stopped):
            made[0]().run()

    return [measured(work) for _ in range(job.times)]


def _collectors(job: Job) -> Callable[[], Collector]:
    """A function that makes collectors which share their connections and their record."""
    site = job.site
    clock = OnceThrough(job.end + POLICY.delay)
    auth = EntraAuth(
        site.login_url,
        site.tenant_id,
        site.client_id,
        site.client_secret,
        Endpoints().graph_scope if job.service == "graph" else Endpoints().reporting_scope,
    )
    microsoft = Transport(RequestsHttp(TimeoutSession(), auth), "Microsoft", clock, _say, auth)
    sekoia = Transport(RequestsHttp(TimeoutSession()), "Sekoia.io", clock, _say)
    storage = RetryingStorage(storage_at(job.folder), clock, _say)
    source = (
        GraphClient(site.graph_url, microsoft, clock, _say)
        if job.service == "graph"
        else ReportingClient(site.reporting_url, microsoft, clock, _say)
    )
    pusher = BatchPusher(
        site.intake_url,
        site.intake_key,
        BATCH_EVENTS,
        sekoia,
        clock,
        _say,
        INTAKE_FORMATS["graph" if job.service == "graph" else "reporting"],
    )
    ledger, store = Ledger(storage), CheckpointStore(storage, _say)
    metrics = Metrics(site.intake_key, POLICY, clock)
    start = Coverage.starting(job.start)
    return lambda: collector_of(
        source,
        pusher,
        Checkpoint(start, job.start, POLICY, store, ledger, clock, _say),
        ledger,
        TrialStore(storage),
        clock,
        _say,
        metrics,
        lambda: inf,
    )


def _say(text: str, level: str) -> None:
    if level != "info":
        print(f"{level}: {text}", file=sys.stderr)
