"""Microsoft Graph's list of message traces."""

from __future__ import annotations

import gzip
import itertools
import math
import re
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID, uuid5

from sandbox.bad_records import spoilt
from sandbox.clock import Clock, from_ms
from sandbox.entra import EXCHANGE, GRAPH, READ_TRACES, Entra
from sandbox.graph import details, errors, skiptoken
from sandbox.graph.details import DetailQuestion
from sandbox.graph.errors import GraphError
from sandbox.graph.options import GraphOptions
from sandbox.graph.pages import Pages, Question, is_unsound, oldest_shown
from sandbox.graph.query import DEFAULT_WINDOW, Query, QueryError, parse
from sandbox.graph.quota import Quota
from sandbox.graph.skiptoken import SkipToken
from sandbox.tenant import Tenant
from sandbox.wire import Request, Response

_PATH = re.compile(r"/v1\.0/admin/exchange/tracing/messageTraces/?", re.IGNORECASE)
_REQUEST_IDS = UUID("6f1c9b3e-2a55-4d0c-8f0a-5c1b7d3e9a42")
_PREFER = "include-unknown-enum-members"


class GraphService:
    """Serves `tenant` as `options` say, to whoever `entra` vouches for."""

    name = "graph"

    def __init__(
        self, tenant: Tenant, entra: Entra, now: Clock, options: GraphOptions | None = None
    ) -> None:
        self.tenant, self.entra, self.now = tenant, entra, now
        self.options = options or GraphOptions()
        self.base_url = GRAPH
        self.quota = Quota()
        self.quota_of_details = Quota()
        """Counts only where details have a quota of their own."""
        self._numbers = itertools.count(1)
        self._closing = threading.Event()

    def spend(self, requests: int) -> None:
        """Let another client of the tenant make that many requests now."""
        self.quota.spend(requests, self.now())

    def close(self) -> None:
        """Answer without latency from now on, those who wait included."""
        self._closing.set()

    def handle(self, request: Request) -> Response:
        """Answer one request; compressed when that is on and accepted."""
        request_id = str(uuid5(_REQUEST_IDS, f"{self.entra.tenant_id} {next(self._numbers)}"))
        client_id = request.headers.get("client-request-id", request_id)
        try:
            response = self._answer(request)
        except GraphError as error:
            response = error.response(self.now(), request_id, client_id)
        headers = {**response.headers, "request-id": request_id, "client-request-id": client_id}
        body = response.body
        if self.options.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        return Response(response.status, body, response.content_type, headers)

    def _answer(self, request: Request) -> Response:
        self._check_token(request.headers.get("authorization", ""))
        if asked := DetailQuestion.of(request.path):
            return self._details(request, asked)
        if not _PATH.fullmatch(request.path):
            segment = request.path.rstrip("/").rpartition("/")[2]
            raise errors.bad_request(f"Resource not found for the segment '{segment}'.")
        self._admit(request, self.quota)
        try:
            query = parse(request.query)
        except QueryError as error:
            raise errors.bad_request(str(error)) from None
        now = self.now()
        if query.window is not None:
            self._check_window(*query.window, now)
        question = self._question(request, query, now)
        self._closing.wait(self.options.latency)
        page = Pages(self.tenant, self.options, self.base_url).answer(question, self.now())
        how = self.options.bad_records
        return page if how is None else spoilt(page, how)

    def _admit(self, request: Request, quota: Quota) -> None:
        if request.method != "GET":
            raise GraphError(405, "MethodNotAllowed", "The method is not allowed.")
        self._check_quota(quota)
        self._check_principal()

    def _details(self, request: Request, asked: DetailQuestion) -> Response:
        own = self.options.quota_of_details == "own"
        self._admit(request, self.quota_of_details if own else self.quota)
        history = timedelta(days=self.options.history_days or 90)
        self._closing.wait(self.options.latency)
        return details.answer(asked, self.tenant, self.now(), history)

    def _question(self, request: Request, query: Query, now: datetime) -> Question:
        bare, token = skiptoken.split(request.target)
        scope = skiptoken.scope_of(request.query, self.entra.tenant_id)
        if token is None:
            begin = skiptoken.first(*(query.window or (now - DEFAULT_WINDOW, now)), now)
        else:
            begin = self._continued(token, scope, now)
        return Question(
            query=query,
            begin=begin,
            target=f"{request.path}?{bare}",
            scope=scope,
            all_members=_PREFER in request.headers.get("prefer", "").lower(),
        )

    def _continued(self, token: str, scope: str, now: datetime) -> SkipToken:
        try:
            begin = skiptoken.read(token, scope)
        except skiptoken.TokenError as error:
            raise errors.bad_request(str(error)) from None
        lifetime = self.options.token_lifetime
        if lifetime is not None and now - from_ms(begin.issued_ms) > lifetime:
            raise errors.bad_request("The skip token has expired.")
        links = self.options.links
        if links in ("encoded date", "recipient") and is_unsound(begin):
            raise errors.unsound_link(links)
        return begin

    def _check_token(self, authorization: str) -> None:
        """Whose request it is; nothing that fails here counts against the tenant's quota."""
        scheme, _, value = authorization.partition(" ")
        token = value.strip()
        if scheme.lower() != "bearer" or not token:
            raise errors.invalid_token("Access token is empty.")
        claims = self.entra.claims(token, GRAPH)
        if claims is None and self.entra.claims(token, EXCHANGE) is not None:
            raise errors.invalid_token("Access token validation failure. Invalid audience.")
        if claims is None:
            raise errors.invalid_token("Lifetime validation failed, the token is expired.")
        if READ_TRACES not in claims["roles"]:
            raise errors.no_permission()

    def _check_quota(self, quota: Quota) -> None:
        options, now = self.options, self.now()
        limit = options.quota_requests
        if limit is None:
            return
        wait = quota.take(now, limit, options.quota_period)
        if wait is None:
            return
        seconds = max(1, math.ceil(wait.total_seconds()))
        date = format_datetime((now + timedelta(seconds=seconds)).astimezone(UTC), usegmt=True)
        headers = {
            "seconds": {"Retry-After": str(seconds)},
            "date": {"Retry-After": date},
            "off": dict[str, str](),
        }
        raise errors.throttled(headers[options.retry_after])

    def _check_principal(self) -> None:
        since = self.options.principal_from
        if since is not None and self.now() < since:
            raise errors.no_principal(self.options.principal_refusal)

    def _check_window(self, start: datetime, end: datetime, now: datetime) -> None:
        options = self.options
        if end < start:
            raise errors.bad_request("Invalid StartDate value. The StartDate is after the EndDate.")
        if end > now and options.future_end == "refuse":
            raise errors.bad_request("Invalid EndDate value. The EndDate can't be in the future.")
        oldest = oldest_shown(options, now)
        too_old = oldest is not None and start < oldest and options.history_rule == "refuse"
        if too_old and options.history_days is not None:
            raise errors.too_old(options.history_days, options.history_status)
        if end - start > options.longest_window:
            raise errors.too_long(options.longest_window.days)
