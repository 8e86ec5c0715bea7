"""Microsoft Graph in the simulation, with the quota that the collector shares with another client."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.clock import Clock
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.model import Log
from office365_message_trace.settings import GraphSettings
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from sandbox.entra import GRAPH
from sandbox.graph import GraphService, errors
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.observation import Observation
from sandbox.simulation.service import TOKEN, Service, as_answer, parsed, scaled

_REAL_PAGE = 5000  # documented
_UNSOUND = (b"'StartDate'", b"starting recipient")  # what the service says of links of its own


class OtherClient:
    """Another tool of the tenant: so many `requests` at once, every so many seconds."""

    def __init__(self, requests: int, every_seconds: int) -> None:
        self._requests, self._every_ms = requests, every_seconds * 1000
        self._spent_ms = 0

    def spend(self, service: GraphService, now_ms: int) -> None:
        """Count against the quota what it asked up to now."""
        period_ms = service.options.quota_period // timedelta(milliseconds=1)
        begin_ms = max(self._spent_ms, now_ms - period_ms)
        for number in range(begin_ms // self._every_ms + 1, now_ms // self._every_ms + 1):
            service.quota.spend(self._requests, from_ms(number * self._every_ms))
        self._spent_ms = now_ms


class SimulatedGraph(Service):
    """Serves as `graph` does, and tells the observation what the collector did to deserve a refusal."""

    name = "graph"
    resource = GRAPH
    base_url = GRAPH
    history = GraphSettings.history

    def __init__(
        self,
        graph: GraphService,
        other: OtherClient | None,
        clock: VirtualClock,
        observation: Observation,
        latency: float,
        *,
        reporting_format: bool,
    ) -> None:
        super().__init__(latency)
        self._graph, self._other = graph, other
        self._clock, self._observation = clock, observation
        self._reporting_format = reporting_format

    def client(self, transport: Transport, clock: Clock, log: Log) -> GraphClient:
        """As the base says."""
        client = GraphClient(self.base_url, transport, clock, log, self._reporting_format)
        options = self._graph.options
        scaled(client, options.page_size or _REAL_PAGE, options.recipients_shown)
        return client

    def answer(self, request: Request, authorization: str) -> Answer:
        """As the base says."""
        if self._other is not None:
            self._other.spend(self._graph, self._clock.ms)
        target = request.url.removeprefix(self.base_url)
        answer = as_answer(self._graph.handle(parsed(request, target, authorization)))
        if answer.status != 200:
            self._observe(request, answer)
        return answer

    def truncated(self, request: Request, authorization: str) -> Answer:
        """As the base says."""
        self._graph.options.truncate = True
        try:
            return self.answer(request, authorization)
        finally:
            self._graph.options.truncate = False

    def refusal(self, kind: str) -> Answer:
        """As the base says."""
        if kind == "forbidden":
            error = errors.no_permission()
        else:
            error = errors.invalid_token("Access token validation failure.")
        return as_answer(error.response(self._clock.true(), "", ""))

    def refused_link(self) -> Answer:
        """As the base says."""
        error = errors.bad_request("The skip token is not known.")
        return as_answer(error.response(self._clock.true(), "", ""))

    def leading_elsewhere(self, body: bytes) -> bytes:
        """As the base says."""
        link = b'"@odata.nextLink":"https://'
        return body.replace(link + b"graph.", link + b"evil.")

    def _observe(self, request: Request, answer: Answer) -> None:
        observation, now = self._observation, self._clock.ms
        if answer.status == 429:
            observation.over_quota.append(now)
            if self._other is None:
                observation.fault(now, "over the quota")
            else:
                observation.faults["over the shared quota"] += 1
        elif errors.PRINCIPAL.encode() in answer.body:
            observation.fault(now, "no service principal")
            observation.life.refused.append(now)
        elif TOKEN in request.url and answer.status == 400:
            if b"expired" in answer.body:
                observation.fault(now, "next link expired")
            elif any(text in answer.body for text in _UNSOUND):
                observation.fault(now, "next link refused for good")
            else:
                observation.violations.append("a next link was not followed as it was written")
