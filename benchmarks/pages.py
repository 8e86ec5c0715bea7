"""Both services without their rules: every request for a window gets its pages, packed as by Microsoft."""

from __future__ import annotations

import gzip
import re
from abc import ABC, abstractmethod
from datetime import datetime
from urllib.parse import quote

import orjson

from benchmarks.job import PAGE_ROWS
from benchmarks.mail import END, Mail, numbers
from sandbox.reporting.links import next_link
from sandbox.reporting.query import parse
from sandbox.reporting.render import JSON_VERBOSE
from sandbox.wire import JSON, Request, Response

_BOUNDS = re.compile(r"receivedDateTime ge (\S+) and receivedDateTime le (\S+)")
_LEVEL = 6  # of gzip; what a server uses


class PageService(ABC):
    """Serves the benchmark's mail, and counts what it serves."""

    name: str

    def __init__(self) -> None:
        self.base_url = ""
        self.pages = self.page_bytes = 0
        self._mail = Mail(self.name)

    def handle(self, request: Request) -> Response:
        """One page."""
        body, kind = self.page(request)
        self.pages += 1
        self.page_bytes += len(body)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(200, body, kind)
        packed = gzip.compress(body, _LEVEL)
        return Response(200, packed, kind, {"Content-Encoding": "gzip"})

    @abstractmethod
    def page(self, request: Request) -> tuple[bytes, str]:
        """The page and its content type."""


class ReportingPages(PageService):
    """The Reporting Web Service, in verbose JSON."""

    name = "reporting"

    def page(self, request: Request) -> tuple[bytes, str]:
        """The token is the position of the last row before it, as with Microsoft."""
        query = parse(request.query, END)
        position = 0 if query.skip_token is None else query.skip_token + 1
        rows = numbers(query.start, query.end)
        full = PAGE_ROWS[self.name]
        chosen = rows[position : position + full]
        tail = b"]}}"
        if position + full < len(rows):
            link = next_link(query, str(position + full - 1), self.base_url, "json")
            tail = b'],"__next":' + orjson.dumps(link) + b"}}"
        rendered = self._mail.render(chosen, position, query.start, query.end)
        return b'{"d":{"results":[' + rendered + tail, JSON_VERBOSE


class GraphPages(PageService):
    """Microsoft Graph, newest first; its links are positions here."""

    name = "graph"

    def page(self, request: Request) -> tuple[bytes, str]:
        query = request.query
        bounds = _BOUNDS.search(query["$filter"])
        assert bounds
        start, end = (datetime.fromisoformat(each) for each in bounds.groups())
        rows = numbers(start, end)[::-1]
        position = int(query.get("$skiptoken", "0"))
        following = position + int(query["$top"])
        envelope = {"@odata.context": f"{self.base_url}/v1.0/$metadata#admin"}
        if following < len(rows):
            options = f"$filter={quote(query['$filter'])}&$top={query['$top']}"
            path = f"{self.base_url}{request.path}?{options}&$skiptoken={following}"
            envelope["@odata.nextLink"] = path
        rendered = self._mail.render(rows[position:following], 0, start, end)
        return orjson.dumps(envelope)[:-1] + b',"value":[' + rendered + b"]}", JSON
