"""Pages of message traces and the links from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, Literal
from zlib import crc32

from sandbox.clock import from_ms, to_ms, to_ms_up
from sandbox.graph import skiptoken
from sandbox.graph.cursor import Order, Span, position, rows_after
from sandbox.graph.options import GraphOptions
from sandbox.graph.query import Query
from sandbox.graph.render import graph_row, render
from sandbox.graph.skiptoken import SkipToken
from sandbox.rows import Content
from sandbox.tenant import Tenant
from sandbox.wire import Response

_HOUR_MS = 3_600_000
_UNSOUND = 3  # one link in so many, where there are unsound ones


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: which rows, from where on, and how to name what follows."""

    query: Query
    begin: SkipToken
    target: str
    """Path and query options as they were sent, without the token."""
    scope: str
    """What the tokens of its links go with."""
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
            again = replace(begin, issued_ms=to_ms(now), empty_pages=begin.empty_pages + 1)
            return render([], self._link(question, again))
        size = min(question.query.top, options.page_size or question.query.top)
        found = self._rows(question, size + 1, now)
        rows = found[:size]
        more = len(found) > size or (options.empty_pages in ("last", "endless") and bool(rows))
        link = None
        if more and not options.truncate:
            link = self._link(question, self._following(begin, rows[-1], now))
        elif options.empty_pages == "endless" and begin.received_ms is not None:
            link = self._link(question, begin)
        if options.order == "shuffled":
            Random(f"{begin.received_ms} {begin.recipient}").shuffle(rows)
        rows = self._strays(question, now, first=True) + rows
        rows += [] if link else self._strays(question, now, first=False)
        members = question.all_members
        shown = [self._volatile(graph_row(row, options, all_members=members), now) for row in rows]
        return render(shown, link)

    def _following(self, begin: SkipToken, last: Content, now: datetime) -> SkipToken:
        """What the link of a page says that ends with the row `last`."""
        recipient, row_id = position(last)
        received_ms: int = last["Received"]
        token = SkipToken(to_ms(now), begin.start_ms, begin.end_ms, received_ms, recipient, row_id)
        if self.options.links == "self" and is_unsound(token):
            return begin
        if self.options.links == "back" and is_unsound(token):
            return replace(token, received_ms=None, recipient="", id="")
        return token

    def _volatile(self, row: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The row with what differs from one answer to the next."""
        options = self.options
        if not options.etags and options.to_ip != "turns":
            return row
        turn = crc32(f"{row['id']} {row['recipientAddress']} {to_ms(now)}".encode())
        if options.to_ip == "turns" and turn % 2:
            row = {**row, "toIP": row["toIP"] or None, "fromIP": row["fromIP"] or None}
        return {"@odata.etag": f'W/"{turn:08x}"', **row} if options.etags else row

    def _hidden_by_empty_page(self, begin: SkipToken) -> bool:
        when = self.options.empty_pages
        if when == "chain":
            return begin.received_ms is None and begin.empty_pages < self.options.chain
        if begin.empty_pages:
            return False
        return when == "every" or (when == "first" and begin.received_ms is None)

    def _rows(self, question: Question, limit: int, now: datetime) -> list[Content]:
        options, begin = self.options, question.begin
        after: Content | None = None
        if begin.received_ms is not None:
            after = {
                "Received": begin.received_ms,
                "RecipientAddress": begin.recipient,
                "MessageTraceId": begin.id,
            }
        oldest = oldest_shown(options, now)
        start_ms = begin.start_ms if oldest is None else max(begin.start_ms, to_ms_up(oldest))
        last: Literal["all", "whole", "none"] = "whole" if options.fine_times else "all"
        if options.end == "exclusive":
            last = "none"
        span = Span(start_ms, begin.end_ms, to_ms(now), last)
        order = Order(options.order, options.strict_cursor, options.fine_times)
        wanted = self._wanted(question.query)
        return rows_after(self.tenant, span, order, after, limit, wanted)

    def _wanted(self, query: Query) -> Callable[[Content], bool] | None:
        most = self.options.recipients_shown
        if any(name == "id" for name, _ in query.equal):
            most = None
        if not query.selective and most is None:
            return None
        return lambda row: (
            query.may_match(row)
            and (most is None or self.tenant.is_among_first(row, most))
            and query.matches(graph_row(row, self.options, all_members=True))
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


def is_unsound(token: SkipToken) -> bool:
    """Whether the link with that token is one of those that `GraphOptions.links` speaks of."""
    place = f"{token.received_ms} {token.recipient}".encode("utf-8", "surrogatepass")
    return token.received_ms is not None and crc32(place) % _UNSOUND == 0


def oldest_shown(options: GraphOptions, now: datetime) -> datetime | None:
    """Midnight of the oldest day that the service keeps; None if it keeps all."""
    if options.history_days is None:
        return None
    today = datetime.combine(now.astimezone(UTC), time(), UTC)
    return today - timedelta(days=options.history_days)
