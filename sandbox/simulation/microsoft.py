"""The Reporting Web Service without a network: the sandbox's own service, and what befalls it."""

from __future__ import annotations

import re
from functools import cached_property
from random import Random
from urllib.parse import unquote

from pyrate_limiter import BucketFullException

from office365_message_trace.errors import MessageTraceError, Unavailable
from office365_message_trace.quota import BACKGROUND, LIVE, RequestBudget
from office365_message_trace.transport import (
    PATIENCE,
    Answer,
    Paced,
    Pending,
    Request,
    StillUnderWay,
)
from sandbox import wire
from sandbox.reporting import ReportingService, errors
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.credentials import SimulatedCredentials
from sandbox.simulation.faulty import bare_status, no_answer, not_json, slow_down
from sandbox.simulation.perils import Killed, Perils
from sandbox.simulation.troubles import Troubles
from sandbox.simulation.witness import SPELL_RECOVERY, Witness

BASE_URL = "https://reports.office365.com"
_REAL_PAGE = 2000  # documented
_WALL = 999_999  # observed: the first $skiptoken that is answered with a fault
_LINK_REFUSED = "next link refused"
_SPELLS = ("outage", "throttled", "not json", "forbidden", "unauthorized", _LINK_REFUSED)
_TOKEN = re.compile(r"(?<=\$skiptoken=)\d+")


class _Parsed(wire.Request):
    """The same request, taken apart only once."""

    @cached_property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> dict[str, str]:
        """The query options, decoded."""
        words = (word.partition("=") for word in self.target.partition("?")[2].split("&"))
        return {name: unquote(text) for name, _, text in words}


class Service:
    """The service itself, which no restart of the collector touches.

    A `token_step` above 0 replaces the tokens' own: a page counts for that many rows, so that the
    wall of a million rows is met by windows of a few hundred.
    """

    def __init__(self, reporting: ReportingService, token_step: int) -> None:
        self._reporting = reporting
        options = reporting.options
        self._step = token_step if options.empty_pages == "never" else 0
        self._size = options.page_size

    def answer(self, request: Request, authorization: str) -> Answer:
        """The service's own answer."""
        target = request.url.removeprefix(BASE_URL)
        if self._step and (token := _TOKEN.search(target)):
            if int(token[0]) >= _WALL:
                return _as_answer(errors.wall("light"))
            target = _TOKEN.sub(str(self._scaled(int(token[0]), self._step, self._size)), target)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["authorization"] = authorization
        answer = self._reporting.handle(_Parsed(request.method, target, headers))
        if self._step and b"$skiptoken=" in answer.body:
            text = answer.body.decode("utf-8", "surrogatepass")
            link = _TOKEN.sub(lambda t: str(self._scaled(int(t[0]), self._size, self._step)), text)
            return Answer(answer.status, {}, link.encode("utf-8", "surrogatepass"))
        return _as_answer(answer)

    def truncated(self, request: Request, authorization: str) -> Answer:
        """The first page of what was asked for, without a link to more of it.

        Only pages of the real size: nobody can tell that a smaller one is not the last.
        """
        self._reporting.options.truncate = self._size == _REAL_PAGE
        try:
            return self.answer(request, authorization)
        finally:
            self._reporting.options.truncate = False

    def _scaled(self, token: int, from_step: int, to_step: int) -> int:
        return (token + 1) // from_step * to_step - 1


class MicrosoftHttp:
    """Implements `office365_message_trace.transport.Http`, paced as the module's own one is."""

    def __init__(
        self,
        service: Service,
        credentials: SimulatedCredentials,
        clock: VirtualClock,
        perils: Perils,
        troubles: Troubles,
        witness: Witness,
        rng: Random,
        latency: float,
        budget: RequestBudget,
    ) -> None:
        self._service, self._credentials = service, credentials
        self._clock, self._perils = clock, perils
        self._troubles, self._witness, self._rng = troubles, witness, rng
        self._latency = latency
        self._budget = budget

    def begin(self, request: Request) -> Pending:
        """One request under way, with whatever goes wrong with it."""
        outcome, arrives_ms = self._clock.deferring(lambda: self._outcome(request))

        def wait() -> Answer:
            if request.background and arrives_ms > self._clock.ms + PATIENCE * 1000:
                self._clock.elapse(PATIENCE)
                raise StillUnderWay
            self._clock.skip_to(arrives_ms)
            self._strike("after asking Microsoft")
            if isinstance(outcome, Answer):
                return outcome
            raise outcome

        return wait

    def _outcome(self, request: Request) -> Answer | MessageTraceError | Paced:
        try:
            return self._answer(request)
        except (MessageTraceError, Paced) as failure:
            return failure

    def _answer(self, request: Request) -> Answer:
        self._witness.sending()
        if self._clock.stopping:
            self._witness.violations.append("a request to Microsoft after a stop")
        try:
            authorization = self._credentials.authorization()
            self._budget.try_acquire(BACKGROUND if request.background else LIVE)
        except BucketFullException as full:
            self._witness.fault(self._clock.ms, "paced", recovery_minutes=15)
            raise Paced(float(full.meta_info["remaining_time"])) from full
        self._strike("before asking Microsoft")
        began = self._clock.ms
        self._witness.lives[-1].microsoft.append(began)
        self._clock.elapse(self._latency * (0.1 + 0.9 * self._rng.random()))
        answer = self._befallen(request, authorization)
        if answer.status == 429:
            self._budget.throttled()
        self._witness.note(began, request.url, answer.status, len(answer.body))
        return answer

    def _befallen(self, request: Request, authorization: str) -> Answer:
        """The answer, or what comes instead; raises `Unavailable` if nothing does."""
        now = self._clock.ms
        for kind in _SPELLS:
            if self._troubles.active(kind) and (
                kind != _LINK_REFUSED or "$skiptoken" in request.url
            ):
                self._witness.fault(now, kind, SPELL_RECOVERY)
                return self._instead(kind)
        if self._troubles.chance("throttle"):
            self._witness.fault(now, "throttled once")
            return slow_down(self._rng, self._clock.true())
        if "$skiptoken" in request.url and self._troubles.chance("next link"):
            self._witness.fault(now, "next link refused once")
            return Answer(400, {}, b'{"error":{"code":"","message":{"value":"Bad token."}}}')
        if self._troubles.chance("page"):
            return self._page_fault(request, authorization)
        if self._troubles.active("truncated"):
            self._witness.faults["answers without links"] += 1
            return self._service.truncated(request, authorization)
        return self._service.answer(request, authorization)

    def _page_fault(self, request: Request, authorization: str) -> Answer:
        kind = self._rng.choice(("timeout", "status", "cut", "no answer", "html", "elsewhere"))
        self._witness.fault(self._clock.ms, f"page: {kind}")
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
                body = answer.body.replace(
                    b'"__next":"https://reports.', b'"__next":"https://evil.'
                )
                return Answer(answer.status, {}, body)
            case _:
                return not_json(self._rng)

    def _strike(self, place: str) -> None:
        if self._perils.strike(place, self._clock.ms):
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
        self._witness.lives[-1].refused.append(self._clock.ms)
        return _as_answer(errors.forbidden() if kind == "forbidden" else errors.unauthorized())


def _as_answer(response: wire.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.body)
