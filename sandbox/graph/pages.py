"""Pages of message traces and the links from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from sandbox.clock import from_ms, to_ms
from sandbox.graph import skiptoken
from sandbox.graph.cursor import Span, position, rows_after, scattered_after
from sandbox.graph.options import GraphOptions
from sandbox.graph.query import Query
from sandbox.graph.render import graph_row, render
from sandbox.graph.skiptoken import SkipToken
from sandbox.rows import Content
from sandbox.tenant import Tenant
from sandbox.wire import Response

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: which rows, from where on, and how to name what follows."""

    query: Query
    begin: SkipToken
    target: str
    """Path and query options as they were sent, without the token."""
    scope: str
    """What the tokens of its links go with."""
    version: str
    all_members: bool


@dataclass(frozen=True)
class Pages:
    """Gives the pages of `tenant` as `options` say; links begin with `base_url`."""

    tenant: Tenant
    options: GraphOptions
    base_url: str

    def answer(self, question: Question, now: datetime) -> Response:
        """The page, with a link if there is more."""
        options, begin = self.options, question.begin
        if self._hidden_by_empty_page(begin):
            again = replace(begin, issued_ms=to_ms(now), passed_empty_page=True)
            return render([], self._link(question, again), question.version)
        size = min(question.query.top, options.page_size or question.query.top)
        found = self._rows(question, size + 1, now)
        rows = found[:size]
        more = len(found) > size or (options.empty_pages == "last" and bool(rows))
        link = None
        if more and not options.truncate:
            recipient, row_id = position(rows[-1])
            received_ms: int = rows[-1]["Received"]
            following = SkipToken(
                to_ms(now), begin.start_ms, begin.end_ms, received_ms, recipient, row_id
            )
            link = self._link(question, following)
        if options.order == "shuffled":
            Random(f"{begin.received_ms} {begin.recipient}").shuffle(rows)
        rows = self._strays(question, now, first=True) + rows
        rows += [] if link else self._strays(question, now, first=False)
        members = question.all_members
        return render(
            [graph_row(row, options, all_members=members) for row in rows], link, question.version
        )

    def _hidden_by_empty_page(self, begin: SkipToken) -> bool:
        if begin.passed_empty_page:
            return False
        when = self.options.empty_pages
        return when == "every" or (when == "first" and begin.received_ms is None)

    def _rows(self, question: Question, limit: int, now: datetime) -> list[Content]:
        begin = question.begin
        after = None
        if begin.received_ms is not None:
            after = (begin.received_ms, begin.recipient, begin.id)
        span = Span(begin.start_ms, begin.end_ms, to_ms(now))
        if self.options.order == "scattered":
            wanted = self._wanted(question.query, now)
            return scattered_after(self.tenant, span, after, limit, wanted=wanted)
        return rows_after(
            self.tenant,
            span,
            after,
            limit,
            ascending=self.options.order == "ascending",
            strict=self.options.strict_cursor,
            wanted=self._wanted(question.query, now),
        )

    def _wanted(self, query: Query, now: datetime) -> Callable[[Content], bool] | None:
        listed = self.options.recipients_listed
        if listed is not None and "id" not in dict(query.equal):
            return lambda row: self._matches(query, row) and self._rank(row, now) < listed
        return (lambda row: self._matches(query, row)) if query.selective else None

    def _matches(self, query: Query, row: Content) -> bool:
        return query.matches(graph_row(row, self.options, all_members=True))

    def _rank(self, row: Content, now: datetime) -> int:
        """How many rows of the same message and millisecond stand before this one."""
        at = from_ms(row["Received"])
        others = self.tenant.rows(at, at, now)
        return sum(
            each["MessageTraceId"] == row["MessageTraceId"] and position(each) < position(row)
            for each in others
        )

    def _strays(self, question: Question, now: datetime, *, first: bool) -> list[Content]:
        """Rows from beyond the window, as the options want them on the first or the last page."""
        begin, count = question.begin, self.options.stray_rows
        if not count or (first and begin.received_ms is not None):
            return []
        if first:
            start, end = from_ms(begin.end_ms + 1), from_ms(begin.end_ms + _HOUR_MS)
            newer = self.tenant.page(start, end, now, offset=0, limit=count)
            return newer[::-1]
        start, end = from_ms(begin.start_ms - _HOUR_MS), from_ms(begin.start_ms - 1)
        return self.tenant.page(start, end, now, offset=0, limit=count, descending=True)

    def _link(self, question: Question, token: SkipToken) -> str:
        """Absolute, with every option of the query as it was sent (documented)."""
        written = skiptoken.write(token, question.scope)
        joint = "" if question.target.endswith("?") else "&"
        base = self.options.foreign_links or self.base_url
        return f"{base}{question.target}{joint}{skiptoken.NAME}={written}"
