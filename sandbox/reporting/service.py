"""The Reporting Web Service's MessageTrace report."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import Any
from zlib import crc32

from sandbox.bad_records import spoilt
from sandbox.clock import Clock
from sandbox.entra import EXCHANGE, READ_REPORTS, Entra
from sandbox.faults import html_page
from sandbox.reporting import errors
from sandbox.reporting.links import next_link
from sandbox.reporting.options import Dialect, ReportingOptions
from sandbox.reporting.query import Query, QueryError, parse
from sandbox.reporting.render import Page, render
from sandbox.rows import Content
from sandbox.tenant import Tenant
from sandbox.wire import HTML, Request, Response

_PATH = re.compile(r"/ecp/reportingwebservice/reporting\.svc/(?P<report>[^/]*)/?", re.IGNORECASE)
_MICROSECOND = timedelta(microseconds=1)
_PARTITIONS = 3


class ReportingService:
    """Serves `tenant` as `options` say, to whoever `entra` or an account vouches for."""

    name = "reporting"

    def __init__(
        self, tenant: Tenant, entra: Entra, now: Clock, options: ReportingOptions | None = None
    ) -> None:
        self.tenant, self.entra, self.now = tenant, entra, now
        self.options = options or ReportingOptions()
        self.base_url = "https://reports.office365.com"
        self._answers = count(1)

    def handle(self, request: Request) -> Response:
        """Answer one request; compressed when that is on and accepted."""
        response = self._answer(request)
        if self.options.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            headers = {**response.headers, "Content-Encoding": "gzip"}
            body = gzip.compress(response.body, 1)
            return Response(response.status, body, response.content_type, headers)
        return response

    def _answer(self, request: Request) -> Response:
        path = _PATH.fullmatch(request.path)
        if path is None or request.method != "GET":
            return Response(404, b"<html><title>404 - Not found</title></html>", HTML)
        dialect = self._dialect(request)
        if self.options.retired != "no":
            return self._retired(dialect)
        refusal = self._refusal(request.headers.get("authorization", ""))
        if refusal is not None:
            return refusal
        if path["report"].lower() != "messagetrace":
            return errors.not_found(path["report"], dialect)
        now = self.now()
        try:
            query = parse(request.query, now)
        except QueryError as error:
            return errors.failure(400, str(error), dialect)
        return self._report(query, now, dialect, request.query.get("$format"))

    def _dialect(self, request: Request) -> Dialect:
        if self.options.dialect != "auto":
            return self.options.dialect
        accept = request.headers.get("accept", "").lower().replace(" ", "")
        if request.query.get("$format", "").lower() == "json":
            return "verbose"
        if "application/json" in accept:
            return "verbose" if "odata=verbose" in accept else "light"
        return "atom"

    def _retired(self, dialect: Dialect) -> Response:
        if self.options.retired == "403":
            return errors.forbidden()
        if self.options.retired == "404":
            return errors.not_found("MessageTrace", dialect)
        page = html_page(title="This service is no longer available")
        return Response(page.status, page.body, page.content_type)

    def _refusal(self, authorization: str) -> Response | None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            claims = self.entra.claims(value.strip(), EXCHANGE)
            if claims is None:
                return errors.unauthorized()
            # Documented: the permission and a directory role are both required; observed: a token
            # from before they were granted does not have them.
            granted = READ_REPORTS in claims["roles"] and claims["wids"]
            return None if granted else errors.forbidden()
        if scheme.lower() == "basic" and self.options.basic_auth:
            account, _, password = _decoded(value).partition(":")
            if account and self.options.accounts.get(account) == password:
                return None
        return errors.unauthorized()

    def _report(self, query: Query, now: datetime, dialect: Dialect, form: str | None) -> Response:
        options = self.options
        start, end = self._window(query)
        if options.history_days is not None:
            today = datetime.combine(now.astimezone(UTC), time(), UTC)
            oldest = today - timedelta(days=options.history_days)
            if query.start < oldest and options.history_rule == "refuse":
                return errors.too_old(options.history_days, options.history_status, dialect)
            start = max(start, oldest)
        if options.refuse_above_rows is not None:
            found = self.tenant.count(start, end, now)
            if found > options.refuse_above_rows:
                limit = options.refuse_above_rows
                return errors.too_large(found, limit, options.refuse_status, dialect)
        token = query.skip_token
        if options.wall_token is not None and token is not None and token >= options.wall_token:
            return errors.wall(dialect)
        offset = 0 if token is None else token + (options.token_rule == "key")
        if self._hidden_by_empty_page(query):
            again = "-1" if token is None else f"0{token}"
            again_link = self._link(query, again, dialect, form)
            page = Page([], offset, query.start, query.end, again_link)
            return render(page, dialect, options)
        size = options.page_size
        rows = self._rows(query, start, end, now, offset, size + 1)
        link: str | None = None
        if len(rows) > size and not options.truncate:
            # Observed: 1999, 3999 ... whichever rule the server applies to them.
            following = (-1 if token is None else token) + size
            link = self._link(query, str(following), dialect, form)
        page = Page(rows[:size], offset, query.start, query.end, link)
        answer = render(page, dialect, options, next(self._answers))
        return answer if options.bad_records is None else spoilt(answer, options.bad_records)

    def _link(self, query: Query, token: str, dialect: Dialect, form: str | None) -> str:
        where = self.options.next_link
        absolute = where == "absolute" or (where == "auto" and dialect != "light")
        kept = form if self.options.next_link_keeps_format else None
        return next_link(query, token, self.base_url if absolute else None, kept)

    def _hidden_by_empty_page(self, query: Query) -> bool:
        when = self.options.empty_pages
        if when == "never" or query.passed_empty_page:
            return False
        return when == "every" or query.skip_token is None

    def _window(self, query: Query) -> tuple[datetime, datetime]:
        """Bounds that are both inclusive and stand for those of the options."""
        first = _MICROSECOND if self.options.bounds[0] == "(" else timedelta(0)
        last = _MICROSECOND if self.options.bounds[1] == ")" else timedelta(0)
        return query.start + first, query.end - last

    def _rows(
        self, query: Query, start: datetime, end: datetime, now: datetime, offset: int, limit: int
    ) -> list[Content]:
        descending = self.options.order == "descending"
        by_time = not self.options.partitions and self.options.ties == "stable"
        wanted = self._wanted(query)
        if by_time and wanted is None:
            return self.tenant.page(
                start, end, now, offset=offset, limit=limit, descending=descending
            )
        rows = self.tenant.page(start, end, now, offset=0, limit=None, descending=descending)
        if not by_time:
            rows.sort(key=self._place(descending))
        matching = [row for row in rows if wanted is None or wanted(row)]
        return matching[offset : offset + limit]

    def _wanted(self, query: Query) -> Callable[[Content], bool] | None:
        most, one = self.options.recipients_shown, query.trace_id
        if one is not None:
            return lambda row: str(row["MessageTraceId"]).lower() == one.lower()
        if most is not None:
            return lambda row: self.tenant.is_among_first(row, most)
        return None

    def _place(self, descending: bool) -> Callable[[Content], Any]:
        """Where a row stands in an answer, in an order that is not simply that of time."""
        options = self.options
        answer = next(self._answers) if options.ties == "unstable" else 0

        def place(row: Content) -> tuple[int, int, int]:
            received: int = row["Received"]
            recipient = row["RecipientAddress"]
            part = _hashed(recipient) % _PARTITIONS if options.partitions else 0
            tie = _hashed(f"{answer} {recipient} {row['MessageTraceId']}") if answer else 0
            return part, -received if descending else received, tie

        return place


def _hashed(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
