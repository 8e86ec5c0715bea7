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
from sandbox import wire
from sandbox.entra import EXCHANGE
from sandbox.reporting import ReportingService, errors
from sandbox.reporting.query import parse
from sandbox.simulation.service import Parsed, Service, as_answer, parsed, scaled
from sandbox.simulation.shifted_pages import ShiftedPages

_WALL = 999_999  # observed: the first $skiptoken that is answered with a fault
_LINK = re.compile(rb"\$skiptoken=(\d+)")
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

    def __init__(
        self,
        reporting: ReportingService,
        token_step: int,
        latency: float,
        pages: ShiftedPages | None = None,
    ) -> None:
        super().__init__(latency)
        self._reporting, self._pages = reporting, pages
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
        asked = parsed(request, target, authorization)
        answer = self._reporting.handle(asked)
        self._watch(asked, answer)
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

    def _watch(self, asked: Parsed, answer: wire.Response) -> None:
        if self._pages is None or answer.status != 200:
            return
        query = parse(asked.query, self._reporting.now())
        self._pages.followed(query)
        if link := _LINK.search(answer.body):
            self._pages.linked(query, int(link[1]))

    def _scaled(self, token: int, from_step: int, to_step: int) -> int:
        return (token + 1) // from_step * to_step - 1
