"""Microsoft's Reporting Web Service.

Its wire format is only partly documented (learn.microsoft.com, previous versions, jj984335): three
JSON shapes, three error shapes, HTML and XML are met in practice.
"""

import re
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

from office365_message_trace.clock import Clock
from office365_message_trace.errors import (
    AnswerTruncated,
    MessageTraceError,
    Misconfigured,
    Refused,
)
from office365_message_trace.microsoft.conditions import odata_text
from office365_message_trace.microsoft.failures import Failure
from office365_message_trace.microsoft.odata import ODataClient, odata_time
from office365_message_trace.microsoft.paging.by_links import ByLinks
from office365_message_trace.microsoft.paging.instant import Instant
from office365_message_trace.microsoft.paging.walk import Ask, RowOrder, Walk
from office365_message_trace.microsoft.rows import REPORTING_ROWS
from office365_message_trace.model import MILLISECOND, Log, Window
from office365_message_trace.transport.retry import Transport

PATH = "/ecp/reportingwebservice/reporting.svc/MessageTrace"
FULL_PAGE = 2000  # rows; documented maximum
TOKEN_WALL = 999_999  # the first $skiptoken that the service answers with a fault; observed

_TOKEN = re.compile(r"[0-9]{1,18}")
_OVERLAP = timedelta(seconds=1)  # it is not documented whether bounds are inclusive
_OVERLAP_SHARE = 16  # at most one part in so many, so that small windows avoid a crowded instant

_ROLE_MISSING = (
    "Microsoft 365 refuses the report: the application has no role that may read it, or it was "
    "given too recently. Assign Security Reader (or Global Reader, which can read far more) to the application in "
    "Azure portal > Microsoft Entra ID > Roles and administrators, and check that "
    "ReportingWebService.Read.All has admin consent. New roles can take an hour."
)
_PERMISSION_MISSING = (
    "Microsoft 365 does not accept the application's token. Add the application permission Office "
    "365 Exchange Online > ReportingWebService.Read.All in Azure portal > App registrations > your "
    "application > API permissions, and press Grant admin consent."
)
_ACCOUNT_ROLE_MISSING = (
    "Microsoft 365 refuses the report: the account has no role that may read it, or it was given too "
    "recently. Assign Reports Reader and Security Reader to it in Azure portal > Microsoft Entra ID > "
    "Roles and administrators. New roles can take an hour."
)
_ACCOUNT_REFUSED = (
    "Microsoft 365 refuses account_name and account_password. Microsoft has switched basic "
    'authentication off for most tenants: use the trigger "Office 365 Message Trace (Graph API)". If '
    "your tenant still allows it, correct the password."
)
_GONE = (
    "The Reporting Web Service has no message trace here. Microsoft has been retiring it since "
    "April 2026 and new tenants never had it: use the trigger "
    '"Office 365 Message Trace (Graph API)" for this tenant.'
)


class ReportingClient(ODataClient):
    """Reads windows from the Reporting Web Service at ``base_url``.

    ``basic`` selects the advice for a 401 or a 403.
    """

    name = "The Reporting Web Service"
    row_format = REPORTING_ROWS
    permission = "ReportingWebService.Read.All"
    resource = "Office 365 Exchange Online"
    page_size = FULL_PAGE
    one_page = True  # its links are positions, which new rows shift

    def __init__(
        self, base_url: str, transport: Transport, clock: Clock, log: Log, basic: bool = False
    ) -> None:
        super().__init__(base_url.rstrip("/") + PATH, transport, clock, log)
        self._basic = basic
        self._order = RowOrder()

    def first_url(self, ask: Ask) -> str:
        window = ask.window
        start = odata_time(window.start)
        overlap = min(_OVERLAP, max(window.span // _OVERLAP_SHARE, MILLISECOND))
        end = odata_time(window.end + min(overlap, window.span) // MILLISECOND * MILLISECOND)
        condition = f"StartDate eq datetime'{start}' and EndDate eq datetime'{end}'"
        if ask.trace_id is not None:
            condition += f" and MessageTraceId eq guid{odata_text(ask.trace_id)}"
        url = f"{self._url}?$format=json&$filter={quote(condition, safe=chr(39))}"
        return url if ask.beyond is None else f"{url}&$skiptoken={ask.beyond - 1}"

    def walk(self, window: Window, max_pages: int | None) -> Walk:
        return ByLinks(window, self._size, max_pages, self._order)

    def instant(self, window: Window) -> Walk:
        return Instant(window, self._size)

    def refusal(self, failure: Failure) -> MessageTraceError | None:
        if _skip_token(failure.url) >= TOKEN_WALL:
            return AnswerTruncated("the window holds too many rows", failure.detail)
        if failure.status == 401 and self._basic:
            return Misconfigured(_ACCOUNT_REFUSED, failure.detail)
        if failure.status == 401:
            return Refused(_PERMISSION_MISSING, failure.detail)
        if failure.status == 403:
            return Refused(_ACCOUNT_ROLE_MISSING if self._basic else _ROLE_MISSING, failure.detail)
        if failure.status in (404, 410) and not failure.continued:
            return Refused(_GONE, failure.detail)
        return None


def _skip_token(url: str) -> int:
    tokens = parse_qs(urlsplit(url).query).get("$skiptoken", [""])
    return int(tokens[0]) if _TOKEN.fullmatch(tokens[0]) else -1
