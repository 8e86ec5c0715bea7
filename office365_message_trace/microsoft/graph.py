"""Microsoft Graph's message traces (learn.microsoft.com/graph/api/exchangemessagetrace-list).

Pages come newest first, 5000 rows at most; a window may span 10 days and begin 90 days back.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from office365_message_trace import codec
from office365_message_trace.clock import Clock
from office365_message_trace.errors import MessageTraceError, Refused, Unavailable
from office365_message_trace.microsoft.conditions import Condition, Conditions, odata_text
from office365_message_trace.microsoft.failures import Failure
from office365_message_trace.microsoft.field_names import GRAPH, ORGANIZATION, REPORTING
from office365_message_trace.microsoft.odata import ODataClient, odata_time, resolved
from office365_message_trace.microsoft.paging.by_links import ByLinks
from office365_message_trace.microsoft.paging.by_time import ByTime
from office365_message_trace.microsoft.paging.instant import Instant
from office365_message_trace.microsoft.paging.one_message import OneMessage
from office365_message_trace.microsoft.paging.walk import Ask, Order, RowOrder, Walk
from office365_message_trace.microsoft.rows import GRAPH_ROWS, Listing
from office365_message_trace.model import UNDATED, Fields, Log, Page, Pause, Row, Window
from office365_message_trace.transport.client import Pending, Request
from office365_message_trace.transport.retry import USUAL_ATTEMPTS, Transport
from office365_message_trace.transport.session import Answer

PATH = "/v1.0/admin/exchange/tracing/messageTraces"
LARGEST_PAGE = 5000  # rows; documented maximum of $top
LIGHTER = 4  # divisor of the page size after a page over a limit
LEAST_ROWS = 50  # on pages that are made lighter; below that, windows get narrower
_LIGHT = 1 / 3  # of a page's weight limit; full pages below that double the page size again
FIRST_PARTY_APP = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"
"""Microsoft's own application behind the report; a tenant needs a service principal for it."""

_NOT_PROVISIONED = (
    "Microsoft Graph has no message trace in this tenant yet, because Microsoft's own application "
    "behind it has no service principal there. An administrator runs once, in Microsoft Graph "
    f"PowerShell: New-MgServicePrincipal -AppId {FIRST_PARTY_APP} . Provisioning takes several "
    "hours; the credentials are right and collecting begins by itself."
)
_PERMISSION_MISSING = (
    "Microsoft Graph refuses the message trace: the application lacks the permission. Add the "
    "application permission Microsoft Graph > ExchangeMessageTrace.Read.All in Azure portal > App "
    "registrations > your application > API permissions, and press Grant admin consent. If it is "
    "there, assign Global Reader to the application in Microsoft Entra ID > Roles and "
    "administrators, and wait an hour."
)
_NOT_ACCEPTED = (
    "Microsoft Graph does not accept the application's token. Check that tenant_id names the tenant "
    "whose mail is to be traced, and that the application still exists there and is enabled."
)


class GraphClient(ODataClient):
    """Reads windows from Microsoft Graph at ``base_url``.

    Pages hold `LARGEST_PAGE` rows, and fewer while rows are so long that pages would be over a limit.
    With ``reporting_format``, events have the shape of Reporting Web Service rows, so that an intake and
    rules made for it keep working. They name the ``organization``, which Graph does not tell.
    """

    name = "Microsoft Graph"
    row_format = GRAPH_ROWS
    permission = "ExchangeMessageTrace.Read.All"
    resource = "Microsoft Graph"
    page_size = LARGEST_PAGE
    headers = {  # noqa: RUF012  # a constant of the class
        "Accept": "application/json",
        "Prefer": "include-unknown-enum-members",  # else `recalled` is called unknownFutureValue
    }

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        clock: Clock,
        log: Log,
        reporting_format: bool = False,
        organization: str | None = None,
    ) -> None:
        super().__init__(base_url.rstrip("/") + PATH, transport, clock, log)
        self._reporting_format = reporting_format
        self._organization = organization
        self._order = RowOrder()
        self._full_size = 0  # rows on a page before pages were made lighter

    def first_url(self, ask: Ask) -> str:
        start, end = odata_time(ask.window.start), odata_time(ask.window.end)
        conditions = {each.name: each for each in ask.conditions}  # one a property: the last counts
        for name, value in ((GRAPH.recipient, ask.recipient), (GRAPH.trace_id, ask.trace_id)):
            if value is not None:
                conditions[name] = Condition(name, value)
        window = f"{GRAPH.received} ge {start} and {GRAPH.received} le {end}"
        text = " and ".join([window, *map(str, conditions.values())])
        return f"{self._url}?$filter={quote(text, safe=':')}&$top={ask.top or self.page_size}"

    def matching(self, window: Window, conditions: Conditions) -> Iterator[Page | Pause]:
        """The pages of the rows of ``window`` that meet ``conditions``, as `pages` gives them in the
        background."""
        one_message = next((each.value for each in conditions if each.name == GRAPH.trace_id), None)
        walk = self._walk(window)
        if one_message is not None:
            walk = OneMessage(one_message, self.instant(window), listing=walk)
        ask = replace(walk.first, conditions=conditions)
        return self._begun(walk, ask, True, USUAL_ATTEMPTS)

    def details(self, trace_id: str, recipient: str) -> Iterator[list[Fields] | Pause]:
        """The events of one message for one recipient, a list a page; none if Graph knows no such message.

        Pages are requested as those of `pages` in the background
        (learn.microsoft.com/graph/api/exchangemessagetrace-getdetailsbyrecipient).
        """
        address = quote(odata_text(recipient), safe="@'")
        message = f"{self._url}/{quote(trace_id, safe='')}"
        url: str | None = f"{message}/getDetailsByRecipient({GRAPH.recipient}={address})"
        followed: set[str] = set()
        while url is not None and url not in followed:
            if not self._is_ours(url):
                raise Unavailable("a next link that leads to another host", "status 200")
            request = Request("GET", url, self.headers, background=True)
            read = partial(self._events, request)
            pending = self._transport.begin(request)
            listing = yield from self._retried(request, pending, read, USUAL_ATTEMPTS)
            yield listing.rows
            followed.add(url)
            url = resolved(url, listing.following) if listing.following else None

    def _events(self, request: Request, pending: Pending) -> Listing:
        def judge(answer: Answer) -> Listing:
            if answer.status != 200:
                now = self._clock.now()
                raise self._failure(answer, request.url, Ask(Window(now, now)))
            try:
                listing = self.row_format.listed(codec.decode(answer.body))
            except ValueError as error:
                raise Unavailable("an answer that is not JSON", "status 200") from error
            if answer.cut or not all(isinstance(each, dict) for each in listing.rows):
                raise Unavailable("a page of what are no events", "status 200")
            return listing

        return self._transport.call(request, judge, USUAL_ATTEMPTS, pending)

    def walk(self, window: Window, max_pages: int | None) -> Walk:
        if self._order.known is Order.NONE:
            return ByLinks(window, self._size, max_pages)
        return ByTime(window, self._size, max_pages, self._order)

    def instant(self, window: Window) -> Walk:
        return Instant(window, self._size, by_recipient=True)

    def lighten(self, ask: Ask) -> bool:
        self._full_size = max(self._full_size, self.page_size)
        asked = ask.top or self.page_size
        self._ask_for(min(self.page_size, max(asked // LIGHTER, LEAST_ROWS)))
        return asked > LEAST_ROWS

    def _parsed(self, answer: Answer, url: str) -> tuple[list[Row], str | None]:
        rows, link = super()._parsed(answer, url)
        reduced = self.page_size < self._full_size
        if reduced and len(rows) >= self.page_size and codec.weight(answer.body) < _LIGHT:
            self._ask_for(min(2 * self.page_size, self._full_size))
        return rows, link

    def _ask_for(self, rows: int) -> None:
        """Request pages of this many ``rows`` in walks that begin from now on."""
        if rows != self.page_size:
            self.page_size = rows
            self._size = replace(self._size, asked=rows, largest=min(self._size.largest, rows))

    def render(self, row: Row) -> str:
        if self._reporting_format:
            return codec.encode(as_reporting_row(row, self._organization))
        return super().render(row)

    def refusal(self, failure: Failure) -> MessageTraceError | None:
        if failure.status in (401, 403) and FIRST_PARTY_APP in failure.text.lower():
            return Refused(_NOT_PROVISIONED, failure.detail)
        if failure.status == 401:
            return Refused(_NOT_ACCEPTED, failure.detail)
        if failure.status == 403 and failure.own:
            return Refused(_PERMISSION_MISSING, failure.detail)
        return None


def as_reporting_row(row: Row, organization: str | None = None) -> Fields:
    """A Graph row in the shape of the Reporting Web Service, with ``organization``, which Graph does not give.

    The other service has null for Graph's empty addresses.
    """
    fields = row.fields
    status = fields.get(GRAPH.status) or ""
    values = {
        **{name: fields.get(member) for name, member in zip(REPORTING, GRAPH, strict=True)},
        REPORTING.received: None if row.received == UNDATED else f"/Date({row.received})/",
        REPORTING.status: status[:1].upper() + status[1:] if isinstance(status, str) else status,
        REPORTING.to_ip: fields.get(GRAPH.to_ip) or None,
        REPORTING.from_ip: fields.get(GRAPH.from_ip) or None,
    }
    return {ORGANIZATION: organization, **values}
