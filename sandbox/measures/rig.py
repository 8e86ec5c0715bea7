"""The collector on a tenant with much mail, with everything counted and nothing failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from office365_message_trace.collect.coverage import Coverage, Kind, Policy
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.model import Delivery, Event
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from office365_message_trace.wiring import run_collector
from sandbox.clock import MILLISECOND, to_ms
from sandbox.event_formats import GraphForm
from sandbox.graph import GraphOptions, GraphService
from sandbox.measures.mail import SteadyMail
from sandbox.measures.storage import CountingStorage, Traffic
from sandbox.reporting import ReportingOptions, ReportingService
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes
from sandbox.simulation.credentials import SimulatedCredentials, directory
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.event_identity import Events
from sandbox.simulation.graph import OtherClient, SimulatedGraph
from sandbox.simulation.microsoft import MicrosoftHttp
from sandbox.simulation.observation import Life, Observation
from sandbox.simulation.reporting import SimulatedReporting
from sandbox.simulation.service import Service
from sandbox.tenant import Tenant

PAGE_SECONDS = 3.0
"""Observed: a page of 5000 rows takes 2 to 4 seconds."""

START = datetime.fromisoformat("2026-03-02T12:00:00Z")
"""When the collector is started."""
_BATCH = 1000  # events of a push, the default of chunk_size
_PUSH_SECONDS = 0.2


@dataclass
class Figures:
    """What was counted from one instant to another."""

    live: int = 0
    """Requests for fresh mail, and `past` ones for re-reads and backlog."""
    past: int = 0
    refused: int = 0
    """Requests that found the quota spent."""
    rows: int = 0
    """Rows that the intake took, and all that were `read`."""
    read: int = 0
    bound: float = 0.0
    """What was promised last: by what multiple of its lateness a late row is found."""
    worst_lag: float = 0.0
    """Seconds by which fresh mail was behind at most, from its age when it was due."""
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def requests(self) -> int:
        """To Microsoft, of either kind."""
        return self.live + self.past


class Rig(Monitor):
    """One tenant, one service, one collector that begins `backlog` ago.

    `page_size` None: pages as the service really has them.
    """

    def __init__(
        self,
        service: str,
        mail: SteadyMail,
        backlog: timedelta,
        *,
        frequency: int = 60,
        delay: int = 1,
        page_size: int | None = None,
        other: OtherClient | None = None,
    ) -> None:
        self.figures = Figures()
        self._refused_before = 0
        self.clock = VirtualClock(to_ms(START), Crashes(()))
        self.storage = CountingStorage()
        observation = Observation(Events(GraphForm()), lives=[Life(self.clock.ms)])
        disturbances = Disturbances((), {}, 0, lambda: self.clock.ms, Random(1))
        entra = directory(self.clock, 1)
        tenant, now = Tenant(mail), self.clock.true
        self._observation = observation
        self._service: Service
        if service == "graph":
            graph = GraphService(tenant, entra, now, GraphOptions(page_size=page_size))
            self._service = SimulatedGraph(
                graph, other, self.clock, observation, 0, reporting_format=False
            )
        else:
            options = ReportingOptions(page_size=page_size or 2000, history_days=None)
            reporting = ReportingService(tenant, entra, now, options)
            self._service = SimulatedReporting(reporting, 0, 0)
        self._policy = Policy(
            delay=timedelta(minutes=delay),
            frequency=timedelta(seconds=frequency),
            lookback=timedelta(hours=24),
            history=self._service.history,
        )
        resource = self._service.resource
        credentials = SimulatedCredentials(entra, resource, self.clock, disturbances, observation)
        budget = RequestBudget(self.storage, self.clock, self._policy.frequency)
        http = _Http(
            self._service,
            credentials,
            self.clock,
            Crashes(()),
            disturbances,
            observation,
            Random(1),
            budget,
        )
        self._http = http
        transport = Transport(http, "Microsoft", self.clock, _unsaid, credentials)
        self._start = START - backlog
        self._counting_from_ms: int | None = None
        self.accepted: Callable[[Event, int], None] = lambda event, ms: None
        """Told of each event and when it was accepted, while it is counted."""
        self.watch: Callable[[], None] = lambda: None
        """Called when the collector holds the most: while it delivers."""
        self._source = self._service.client(transport, self.clock, _unsaid)
        self._budget = budget

    def run(self, lasts: timedelta, after: timedelta = timedelta(0)) -> Figures:
        """Collect, once, and tell what it took for that long, beginning `after` the start."""
        self._counting_from_ms = self.clock.ms + after // MILLISECOND
        self.clock.stop_ms = self._counting_from_ms + lasts // MILLISECOND
        with suppress(Stopped):
            run_collector(
                self._source,
                self,
                self.storage,
                lambda: self._budget.daily,
                self._policy,
                self._start,
                self.clock,
                _unsaid,
                self,
            )
        self.figures.refused = len(self._observation.over_quota) - self._refused_before
        return self.figures

    def push(self, events: list[Event]) -> Iterator[Delivery]:
        """Take the events, as an intake that is well."""
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            self.watch()
            self.clock.elapse(_PUSH_SECONDS)
            self.figures.rows += len(batch)
            if self._counting_from_ms is None:
                for event in batch:
                    self.accepted(event, self.clock.ms)
            yield Delivery(batch, [])

    def covered(self, coverage: Coverage, now: datetime) -> None:
        if self._counting_from_ms is None:
            late = now - coverage.live - self._policy.delay - self._policy.frequency
            self.figures.worst_lag = max(self.figures.worst_lag, late.total_seconds())
        elif self.clock.ms >= self._counting_from_ms:
            self._counting_from_ms = None
            self._refused_before = len(self._observation.over_quota)
            self.figures = self._http.figures = Figures(bound=self.figures.bound)
            self.storage.traffic = self.figures.traffic

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        self.figures.read += rows

    def promised(self, bound: float) -> None:
        self.figures.bound = bound


class _Http(MicrosoftHttp):
    """Counts the requests that reach the service, which takes its time for each."""

    figures = Figures()

    def _befallen(self, request: Request, authorization: str) -> Answer:
        if request.background:
            self.figures.past += 1
        else:
            self.figures.live += 1
        self._clock.elapse(PAGE_SECONDS)
        return self._service.answer(request, authorization)


def _unsaid(text: str, level: str) -> None:
    """No log is kept."""
