"""The real thing: what the trigger puts together, without the SDK's classes and the request budget."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event

from benchmarks.job import BATCH_EVENTS, LATEST_MAIL_AGE_MINUTES, Job
from benchmarks.measure import Usage, measured
from office365_message_trace.auth import EntraAuth
from office365_message_trace.clock import SystemClock
from office365_message_trace.collector import Collector
from office365_message_trace.coverage import Coverage, Policy
from office365_message_trace.endpoints import Endpoints
from office365_message_trace.errors import Stopped
from office365_message_trace.graph import GraphClient
from office365_message_trace.ledger import Ledger
from office365_message_trace.pusher import BatchPusher
from office365_message_trace.quota import MOST_REQUESTS
from office365_message_trace.reporting import ReportingClient
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.state import StateStore
from office365_message_trace.storage import PatientStorage, storage_at
from office365_message_trace.telemetry import Telemetry
from office365_message_trace.transport import RequestsHttp, TimeoutSession, Transport
from office365_message_trace.triggers import spare_the_garbage_collector

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
    made: list[Collector] = []

    def work() -> None:
        if not made:
            spare_the_garbage_collector()
            made.append(_collector(job))
        with suppress(Stopped):
            made[0].run(Coverage.starting(job.start))

    return [measured(work) for _ in range(job.times)]


def _collector(job: Job) -> Collector:
    site = job.site
    clock = OnceThrough(job.end + POLICY.delay)
    auth = EntraAuth(
        site.login_url,
        site.tenant_id,
        site.client_id,
        site.client_secret,
        Endpoints().graph_scope if job.service == "graph" else Endpoints().reporting_scope,
    )
    telemetry = Telemetry(site.intake_key, POLICY, clock)
    microsoft = Transport(RequestsHttp(TimeoutSession(), auth), "Microsoft", clock, _say, auth)
    sekoia = Transport(RequestsHttp(TimeoutSession()), "Sekoia.io", clock, _say)
    storage = PatientStorage(storage_at(job.folder), clock, _say)
    source = (
        GraphClient(site.graph_url, microsoft, clock, _say)
        if job.service == "graph"
        else ReportingClient(site.reporting_url, microsoft, clock, _say)
    )
    return Collector(
        source,
        BatchPusher(
            site.intake_url,
            site.intake_key,
            BATCH_EVENTS,
            sekoia,
            clock,
            _say,
            telemetry,
            INTAKE_FORMATS["graph" if job.service == "graph" else "reporting"],
        ),
        Ledger(storage),
        StateStore(storage, _say),
        POLICY,
        clock,
        _say,
        telemetry,
        lambda: MOST_REQUESTS,
    )


def _say(text: str, level: str) -> None:
    if level != "info":
        print(f"{level}: {text}", file=sys.stderr)
