"""The Reporting Web Service in the simulation."""

from __future__ import annotations

import re

from office365_message_trace.clock import Clock
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import Log
from office365_message_trace.settings import OAuthSettings
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from sandbox.entra import EXCHANGE
from sandbox.reporting import ReportingService, errors
from sandbox.simulation.service import Service, as_answer, parsed, scaled

_WALL = 999_999  # observed: the first $skiptoken that is answered with a fault
_TOKEN = re.compile(r"(?<=\$skiptoken=)\d+")


class SimulatedReporting(Service):
    """Serves as `reporting` does.

    A `token_step` above 0 replaces the tokens' own: a page counts for that many rows, so that the
    wall of a million rows is met by windows of a few hundred. A token that the client makes itself,
    of a number of rows, stays as it is.
    """

    name = "reporting"
    resource = EXCHANGE
    base_url = "https://reports.office365.com"
    history = OAuthSettings.history

    def __init__(self, reporting: ReportingService, token_step: int, latency: float) -> None:
        super().__init__(latency)
        self._reporting = reporting
        options = reporting.options
        self._step = token_step if options.empty_pages == "never" else 0
        self._size = options.page_size

    def client(self, transport: Transport, clock: Clock, log: Log) -> ReportingClient:
        """As the base says."""
        client = ReportingClient(self.base_url, transport, clock, log)
        scaled(client, self._size, self._reporting.options.recipients_shown)
        return client

    def answer(self, request: Request, authorization: str) -> Answer:
        """As the base says."""
        target = request.url.removeprefix(self.base_url)
        if self._step and (token := _TOKEN.search(target)):
            if int(token[0]) >= _WALL:
                return as_answer(errors.wall("light"))
            if (int(token[0]) + 1) % self._step == 0:
                own = self._scaled(int(token[0]), self._step, self._size)
                target = _TOKEN.sub(str(own), target)
        answer = self._reporting.handle(parsed(request, target, authorization))
        if self._step and b"$skiptoken=" in answer.body:
            text = answer.body.decode("utf-8", "surrogateescape")
            link = _TOKEN.sub(lambda t: str(self._scaled(int(t[0]), self._size, self._step)), text)
            return Answer(answer.status, {}, link.encode("utf-8", "surrogateescape"))
        return as_answer(answer)

    def truncated(self, request: Request, authorization: str) -> Answer:
        """As the base says."""
        self._reporting.options.truncate = True
        try:
            return self.answer(request, authorization)
        finally:
            self._reporting.options.truncate = False

    def refusal(self, kind: str) -> Answer:
        """As the base says."""
        return as_answer(errors.forbidden() if kind == "forbidden" else errors.unauthorized())

    def refused_link(self) -> Answer:
        """As the base says."""
        return Answer(400, {}, b'{"error":{"code":"","message":{"value":"Bad token."}}}')

    def leading_elsewhere(self, body: bytes) -> bytes:
        """As the base says."""
        return body.replace(b'"__next":"https://reports.', b'"__next":"https://evil.')

    def _scaled(self, token: int, from_step: int, to_step: int) -> int:
        return (token + 1) // from_step * to_step - 1
