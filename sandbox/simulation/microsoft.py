"""Microsoft without a network: the sandbox's own service, and what befalls it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pyrate_limiter import BucketFullException

from office365_message_trace.errors import MessageTraceError, Unavailable
from office365_message_trace.microsoft.paced_http import USED_UP
from office365_message_trace.microsoft.request_budget import BACKGROUND, LIVE, RequestBudget
from office365_message_trace.transport.client import PATIENCE, NotYet, Pending, Request
from office365_message_trace.transport.session import Answer
from sandbox.simulation.allowances import NOTICING_MS
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes, Killed
from sandbox.simulation.credentials import SimulatedCredentials
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.malformed_answers import (
    bare_status,
    date_of,
    dated,
    no_answer,
    not_json,
    slow_down,
)
from sandbox.simulation.observation import Observation
from sandbox.simulation.service import TOKEN, Service
from sandbox.simulation.service_variants import Date

_LINK_REFUSED = "next link refused"
_SPELLS = ("outage", "throttled", "not json", "forbidden", "unauthorized", _LINK_REFUSED)


Distort = Callable[[Request, Callable[[], Answer]], Answer]
"""Gives the answer to a request that is not refused, which it may have asked for, or another one."""


class MicrosoftHttp:
    """Implements `office365_message_trace.transport.retry.Http`, paced as the module's own one is."""

    def __init__(
        self,
        service: Service,
        credentials: SimulatedCredentials,
        clock: VirtualClock,
        crashes: Crashes,
        disturbances: Disturbances,
        observation: Observation,
        rng: Random,
        budget: RequestBudget,
    ) -> None:
        self._service, self._credentials = service, credentials
        self._clock, self._crashes = clock, crashes
        self._disturbances, self._observation, self._rng = disturbances, observation, rng
        self._budget = budget
        self.distort: Distort = lambda request, ask: ask()
        self.date: Date = "right"
        """What time its answers say."""
        self._life = observation.life

    def begin(self, request: Request) -> Pending:
        """One request under way, with whatever goes wrong with it."""
        outcome, arrives_ms = self._clock.deferring(lambda: self._outcome(request))

        def wait() -> Answer:
            if request.background and arrives_ms > self._clock.ms + PATIENCE * 1000:
                self._clock.elapse(PATIENCE)
                raise NotYet(0.0, under_way=True)
            self._clock.skip_to(arrives_ms)
            self._strike("after asking Microsoft")
            if isinstance(outcome, Answer):
                date = date_of(arrives_ms, self.date)
                self._credentials.heard(self._service.name, date, arrives_ms / 1000)
                return dated(outcome, date)
            raise outcome

        return wait

    def _outcome(self, request: Request) -> Answer | MessageTraceError | NotYet:
        try:
            return self._answer(request)
        except (MessageTraceError, NotYet) as failure:
            return failure

    def _answer(self, request: Request) -> Answer:
        self._observation.sending()
        if self._clock.stopping:
            self._observation.violations.append("a request to Microsoft after a stop")
        if not request.url.startswith(f"{self._service.base_url}/"):
            self._observation.violations.append("a token was sent to another host")
        try:
            authorization = self._credentials.authorization()
            self._budget.try_acquire(BACKGROUND if request.background else LIVE)
        except BucketFullException as full:
            self._observation.paced(self._clock.ms, background=request.background)
            raise NotYet(float(full.meta_info["remaining_time"]), USED_UP) from full
        self._strike("before asking Microsoft")
        began = self._clock.ms
        self._notice_replaced(began)
        self._observation.life.microsoft.append(began)
        self._clock.elapse(self._service.latency * (0.1 + 0.9 * self._rng.random()))
        answer = self._befallen(request, authorization)
        if answer.status == 429:
            self._budget.throttled()
        self._observation.note(began, request.url, answer.status, len(answer.body))
        return answer

    def _notice_replaced(self, now: int) -> None:
        since = self._life.replaced
        if since is not None and now > since + NOTICING_MS:
            self._observation.violations.append("a replaced process went on asking Microsoft")

    def _befallen(self, request: Request, authorization: str) -> Answer:
        """The answer, or what comes instead; raises `Unavailable` if nothing does."""
        now = self._clock.ms
        for kind in _SPELLS:
            if self._disturbances.active(kind) and (kind != _LINK_REFUSED or TOKEN in request.url):
                self._observation.fault(now, kind)
                return self._instead(kind)
        if self._disturbances.chance("throttle"):
            self._observation.fault(now, "throttled once")
            return slow_down(self._rng, self._clock.true())
        if TOKEN in request.url and self._disturbances.chance("next link"):
            self._observation.fault(now, "next link refused once")
            return self._service.refused_link()
        if self._disturbances.chance("page"):
            return self._page_fault(request, authorization)
        if self._disturbances.active("truncated"):
            self._observation.faults["answers without links"] += 1
            return self._service.truncated(request, authorization)
        return self.distort(request, lambda: self._service.answer(request, authorization))

    def _page_fault(self, request: Request, authorization: str) -> Answer:
        kind = self._rng.choice(("timeout", "status", "cut", "no answer", "html", "elsewhere"))
        self._observation.fault(self._clock.ms, f"page: {kind}")
        answer = self._service.answer(request, authorization)
        match kind:
            case "timeout":
                self._clock.elapse(120)
                raise Unavailable("no answer", "ReadTimeout")
            case "no answer":
                raise Unavailable("no answer", "ConnectionError")
            case "status":
                return bare_status(self._rng)
            case "cut":
                return Answer(200, {}, answer.body[: self._rng.randrange(len(answer.body))])
            case "elsewhere":
                return Answer(answer.status, {}, self._service.leading_elsewhere(answer.body))
            case _:
                return not_json(self._rng)

    def _strike(self, place: str) -> None:
        if self._crashes.strike(place, self._clock.ms):
            raise Killed

    def _instead(self, kind: str) -> Answer:
        """What comes in a spell of that kind."""
        match kind:
            case "outage" if self._rng.random() < 0.4:
                return no_answer(self._rng, self._clock)
            case "outage":
                return bare_status(self._rng)
            case "throttled":
                return slow_down(self._rng, self._clock.true())
            case "not json":
                return not_json(self._rng)
            case "next link refused":
                return bare_status(self._rng, (400, 404))
        self._observation.life.refused.append(self._clock.ms)
        return self._service.refusal(kind)
