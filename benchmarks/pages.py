"""The Reporting Web Service without its rules: whoever asks for a window gets its pages."""

from __future__ import annotations

import orjson

from benchmarks.job import PAGE_ROWS
from benchmarks.mail import END, Mail, numbers
from sandbox.reporting.links import next_link
from sandbox.reporting.query import parse
from sandbox.reporting.render import JSON_VERBOSE
from sandbox.wire import Request, Response


class PageService:
    """Serves the benchmark's mail in verbose JSON, and counts what it serves."""

    name = "reporting"

    def __init__(self) -> None:
        self.base_url = ""
        self.pages = self.page_bytes = 0
        self._mail = Mail()

    def handle(self, request: Request) -> Response:
        """One page; the token is the position of the last row before it, as with Microsoft."""
        query = parse(request.query, END)
        position = 0 if query.skip_token is None else query.skip_token + 1
        rows = numbers(query.start, query.end)
        chosen = rows[position : position + PAGE_ROWS]
        tail = b"]}}"
        if position + PAGE_ROWS < len(rows):
            link = next_link(query, str(position + PAGE_ROWS - 1), self.base_url, "json")
            tail = b'],"__next":' + orjson.dumps(link) + b"}}"
        rendered = self._mail.render(chosen, position, query.start, query.end)
        body = b'{"d":{"results":[' + rendered + tail
        self.pages += 1
        self.page_bytes += len(body)
        return Response(200, body, JSON_VERBOSE)
