"""Microsoft's Reporting Web Service: the rows of a window, page by page.

Its wire format is only partly documented (learn.microsoft.com, previous versions, jj984335): three
JSON shapes, three error shapes, HTML and XML are met in practice. Whatever is not a well-formed page
is an error, never an empty page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit

from office365_message_trace import codec
from office365_message_trace.clock import Clock
from office365_message_trace.errors import (
    HistoryExceeded,
    MessageTraceError,
    Misconfigured,
    Refused,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.model import Fields, Log, Page, Row, Window, milliseconds
from office365_message_trace.transport import (
    Answer,
    Paced,
    Request,
    Transport,
    check_available,
)

PATH = "/ecp/reportingwebservice/reporting.svc/MessageTrace"
FULL_PAGE = 2000  # rows; documented maximum
TOKEN_WALL = 999_999  # the first $skiptoken that the service answers with a fault; observed

_ATTEMPTS = 4  # of one request, before the window is given back; it will be planned again
_TURN = 5.0  # seconds to wait for the request budget before others get their turn
_OVERLAP = timedelta(seconds=1)  # whether the service counts bounds as inside is not documented
_ECHO = ("__metadata", "Index", "StartDate", "EndDate")  # fields that repeat the query
_DATES = ("Received", "StartDate", "EndDate")
_VERBOSE_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_TOO_OLD = re.compile(r"older than (\d+) days", re.IGNORECASE)
_TOO_LARGE = re.compile(
    r"too (?:large|many|long|big)|can.{0,6}t be longer than|exceeds? the (?:maximum|limit)"
    r"|(?:narrow|reduce|shorten) the",
    re.IGNORECASE,
)

_ROLE_MISSING = (
    "Microsoft 365 refuses the report: the application has no role that may read it, or it was "
    "given too recently. Assign Global Reader (or Security Reader) to the application in Azure "
    "portal > Microsoft Entra ID > Roles and administrators, and check that "
    "ReportingWebService.Read.All has admin consent. New roles can take an hour."
)
_PERMISSION_MISSING = (
    "Microsoft 365 does not accept the application's token. Add the application permission Office "
    "365 Exchange Online > ReportingWebService.Read.All in Azure portal > App registrations > your "
    "application > API permissions, and press Grant admin consent."
)
_ACCOUNT_REFUSED = (
    "Microsoft 365 refuses account_name and account_password. Microsoft has switched basic "
    'authentication off for most tenants: use the trigger "Office 365 Message Trace OAuth". If '
    "your tenant still allows it, correct the password."
)
_GONE = (
    "The Reporting Web Service has no message trace here. Microsoft has been retiring it since "
    "April 2026 and new tenants never had it: use the Microsoft Graph API for this tenant."
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A well-formed page: rows, and the address of the next page if there is one."""

    rows: list[Row]
    following: str | None


class ReportingClient:
    """Reads windows from the Reporting Web Service at ``base_url``.

    ``basic`` tells which advice fits a 401.
    """

    page_size = FULL_PAGE

    def __init__(
        self, base_url: str, transport: Transport, clock: Clock, log: Log, basic: bool = False
    ) -> None:
        self._url = base_url.rstrip("/") + PATH
        self._transport = transport
        self._clock = clock
        self._log = log
        self._basic = basic

    def pages(self, window: Window, background: bool = False) -> Iterator[Page | None]:
        """The pages of ``window``, both bounds inside, one request each, in the service's order.

        The last page has arrived when the iterator ends. None means that the next page has to wait
        for the request budget, so that something more urgent may go first. Raises `WindowTooLarge` if
        rows are or may be missing, `HistoryExceeded`, `Refused`, or `Unavailable` after some
        attempts; the rows given so far are good in any case.
        """
        url: str | None = self._first_url(window)
        visited: set[str] = set()
        while url:
            try:
                answer = self._page(url, continued=bool(visited), background=background)
            except Paced as paced:
                self._clock.wait(min(paced.seconds, _TURN))
                yield None
                continue
            self._notice_strays(answer.rows, window)
            yield Page(answer.rows)
            if answer.following is None and len(answer.rows) >= FULL_PAGE:
                raise WindowTooLarge("a full page without a next link", f"{len(answer.rows)} rows")
            visited.add(url)
            if answer.following in visited:
                raise Unavailable("a next link leads in a circle")
            url = answer.following

    def render(self, row: Row) -> str:
        """The event of ``row``: exactly the row, one JSON line."""
        return codec.encode(row.fields)

    def _first_url(self, window: Window) -> str:
        end = window.end + min(_OVERLAP, window.span)
        condition = (
            f"StartDate eq datetime'{_utc(window.start)}' and EndDate eq datetime'{_utc(end)}'"
        )
        return f"{self._url}?$format=json&$filter={quote(condition, safe=chr(39))}"

    def _page(self, url: str, continued: bool, background: bool) -> _Answer:
        request = Request("GET", url, {"Accept": "application/json"}, background=background)

        def judge(answer: Answer) -> _Answer:
            if answer.status != 200:
                raise self._failure(answer, url, continued)
            return self._parsed(answer, url)

        return self._transport.call(request, judge, attempts=_ATTEMPTS)

    def _parsed(self, answer: Answer, url: str) -> _Answer:
        """The page in ``answer``; raises `Unavailable` for anything but a well-formed one."""
        try:
            body = codec.decode(answer.body)
        except ValueError as error:
            raise Unavailable("an answer that is not JSON", "status 200") from error
        rows, following = _shape(body)
        try:
            parsed = [_row(fields) for fields in rows]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable("a row without a usable receive time") from error
        return _Answer(parsed, self._same_origin(url, following) if following else None)

    def _same_origin(self, url: str, following: str) -> str:
        """``following`` resolved; the token must not travel to another host than it was made for."""
        target = urljoin(url, following)
        if urlsplit(target)[:2] != urlsplit(self._url)[:2]:
            raise Unavailable("a next link leads to another host, it is not followed")
        return target

    def _failure(self, answer: Answer, url: str, continued: bool) -> MessageTraceError:
        """What an answer other than 200 means."""
        text = unescape(answer.body[:20_000].decode("utf-8", "replace"))
        detail = f"status {answer.status}"
        if match := _TOO_OLD.search(text):
            return HistoryExceeded("older than the service keeps", int(match[1]), detail)
        if answer.status == 413 or _TOO_LARGE.search(text) or _skip_token(url) >= TOKEN_WALL:
            return WindowTooLarge("the window holds too many rows", detail)
        if answer.status == 401:
            return (
                Misconfigured(_ACCOUNT_REFUSED, detail)
                if self._basic
                else Refused(_PERMISSION_MISSING, detail)
            )
        if answer.status == 403:
            return Refused(_ROLE_MISSING, detail)
        try:
            check_available(answer, self._clock.now())
        except Unavailable as error:
            return error
        if continued:
            return Unavailable("a next link is refused", detail)
        if answer.status in (404, 410):
            return Refused(_GONE, detail)
        return Refused(
            "The Reporting Web Service does not accept the request. This is not the fault of a "
            "setting: report it to the maintainers of this module with the text in brackets.",
            detail,
        )

    def _notice_strays(self, rows: list[Row], window: Window) -> None:
        earliest = milliseconds(window.start - _OVERLAP)
        latest = milliseconds(window.end + 2 * _OVERLAP)
        if any(not earliest <= row.received <= latest for row in rows):
            self._log(
                "The Reporting Web Service returned rows from outside the time that was asked for; "
                "they are forwarded like the others.",
                "warning",
            )


def _shape(body: Any) -> tuple[list[Fields], str | None]:
    """Rows and next link of the verbose (``d.results``), bare (``d``) or light (``value``) form."""
    if isinstance(body, dict):
        outer = body.get("d", body)
        if isinstance(outer, list):
            return outer, None
        if isinstance(outer, dict):
            rows = outer.get("results", outer.get("value"))
            if isinstance(rows, list):
                following = (
                    outer.get("__next")
                    or outer.get("odata.nextLink")
                    or outer.get("@odata.nextLink")
                )
                return rows, following
    raise Unavailable("an answer that is no page of rows", "status 200")


def _row(fields: Fields) -> Row:
    """Raises ValueError, KeyError, TypeError or AttributeError if ``fields`` are not a row."""
    match = _VERBOSE_DATE.fullmatch(fields["Received"])
    if match is None:
        dates = {name: _light_date(fields[name]) for name in _DATES if fields.get(name)}
        fields = fields | {name: f"/Date({date})/" for name, date in dates.items()}
        received = dates["Received"]
    else:
        received = int(match[1])
    said = fields.copy()
    for name in _ECHO:
        said.pop(name, None)
    return Row(received, str(fields.get("MessageTraceId")), codec.canonical(said), fields)


def _light_date(text: str) -> int:
    """Milliseconds since 1970 of ``2022-09-05T18:10:13.4907658`` or the like; UTC with or without Z.

    The verbose form has milliseconds only, so finer digits are cut: the same row is the same.
    """
    instant = datetime.fromisoformat(text)
    return milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _utc(instant: datetime) -> str:
    """OData literal: whole seconds where possible, with Z."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _skip_token(url: str) -> int:
    tokens = parse_qs(urlsplit(url).query).get("$skiptoken", [""])
    return int(tokens[0]) if tokens[0].isdecimal() else -1
