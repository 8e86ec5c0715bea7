"""What Microsoft's two message trace services have in common: pages of rows tied by next links.

Whatever is not a well-formed page is an error, never an empty page.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, ClassVar
from urllib.parse import urljoin

from office365_message_trace import codec
from office365_message_trace.clock import Clock
from office365_message_trace.endpoints import UNFIT, is_same_origin
from office365_message_trace.errors import (
    AnswerTruncated,
    HistoryExceeded,
    MessageTraceError,
    Refused,
    Throttled,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.model import (
    UNDATED,
    Fields,
    Log,
    Page,
    Pause,
    Row,
    Window,
    milliseconds,
)
from office365_message_trace.transport import (
    Answer,
    Paced,
    Pending,
    Request,
    StillUnderWay,
    Transport,
    check_available,
)

_ATTEMPTS = 4  # of one request, before the window is given back; it will be planned again
_LEEWAY = timedelta(seconds=2)  # around the window, before rows count as strays
_READABLE = 20_000  # bytes of an error that are looked at
# "Invalid StartDate value. The StartDate can't be older than 10 days from today."
_TOO_OLD = re.compile(
    r"\bStartDate\b[^.\r\n]{1,80}\bolder than ([1-9]\d{0,3}) days\b", re.IGNORECASE
)
_AGE_TOLERANCE = timedelta(hours=1)  # the service has a clock of its own
_TOO_LARGE = re.compile(
    r"too (?:large|big)|too many (?!requests|connections)|can.{0,6}t be longer than"
    r"|exceeds? the (?:maximum|limit)|(?:narrow|reduce|shorten) the",
    re.IGNORECASE,
)
_NO_ROW = (ValueError, KeyError, TypeError, AttributeError)
_ABOUT_THE_WINDOW = (400, 500)  # other statuses say what they mean by themselves


@dataclass(frozen=True, slots=True)
class Listing:
    """A page as it came: the rows' fields, and the next link if there is one."""

    rows: list[Fields]
    following: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer other than 200: ``text`` is its beginning, ``continued`` if a next link led to it."""

    status: int
    text: str
    url: str
    continued: bool

    @property
    def detail(self) -> str:
        return f"status {self.status}"


class ODataClient(ABC):
    """Reads windows from the service whose report is at ``url``."""

    name: ClassVar[str]
    trace_id: ClassVar[str]  # the field that holds it
    echo: ClassVar[tuple[str, ...]] = ()  # fields that repeat the query
    permission: ClassVar[str]  # the application permission that the service wants
    resource: ClassVar[str]  # whose permission it is, as Azure portal calls it
    page_size: int
    headers: ClassVar[dict[str, str]] = {"Accept": "application/json"}

    def __init__(self, url: str, transport: Transport, clock: Clock, log: Log) -> None:
        self._url = url
        self._transport = transport
        self._clock = clock
        self._log = log

    def pages(
        self, window: Window, background: bool = False, most: int | None = None
    ) -> Iterator[Page | Pause]:
        """The pages of ``window``, both bounds inside, one request each, in the service's order.

        The first page is asked for at once, each other one while its predecessor is in use. The last
        page has arrived when the iterator ends. In the background a `Pause` says that the next page
        has to wait. Raises `WindowTooLarge` if there are more than ``most`` pages, or rows are or may
        be missing; `HistoryExceeded`, `Refused`, or `Unavailable` after some attempts. The rows given
        so far are good in any case.
        """
        first = Request("GET", self.first_url(window), self.headers, background=background)
        return self._following(first, self._transport.begin(first), window, most)

    def _following(
        self, request: Request, pending: Pending, window: Window, most: int | None
    ) -> Iterator[Page | Pause]:
        visited: set[str] = set()
        failures = 0
        while True:
            try:
                rows, following = self._page(request, pending, window, bool(visited))
            except StillUnderWay:
                yield Pause(0.0)
                continue
            except Paced as paced:
                failures += paced.failure is not None
                if paced.failure and failures >= _ATTEMPTS:
                    raise paced.failure from None
                yield Pause(paced.seconds)
                pending = self._transport.begin(request)
                continue
            failures = 0
            visited.add(request.url)
            self._notice_strays(rows, window)
            stop = self._reason_to_stop(following, visited, most)
            if following and not stop:
                request = replace(request, url=following)
                pending = self._transport.begin(request)
            count, page = len(rows), [Page(rows)]
            del rows
            yield page.pop()  # only whoever uses the page holds it
            if stop:
                raise WindowTooLarge(stop)
            if following is None and count >= self.page_size:
                raise AnswerTruncated("a full page without a next link", f"{count} rows")
            if following is None:
                return

    def _reason_to_stop(
        self, following: str | None, visited: set[str], most: int | None
    ) -> str | None:
        """Why ``following`` is not asked for though there is more; smaller windows may do without."""
        if following is None:
            return None
        if following in visited:
            return "a next link leads in a circle"
        if not self._is_ours(following):
            return "a next link leads to another host, it is not followed"
        return "more pages than are good to read again" if len(visited) == most else None

    def glance(self, window: Window) -> tuple[Page, bool]:
        """The first page of ``window`` and whether another follows, asked for once.

        Nothing is waited out: raises as `pages` does, and `Unavailable` after the first failure or
        if the request budget is used up.
        """
        request = Request("GET", self.first_url(window), self.headers, background=True)
        pending = self._transport.begin(request)
        while True:
            try:
                rows, following = self._page(request, pending, window, continued=False)
            except StillUnderWay:
                continue
            except Paced as paced:
                used_up = Throttled("the request budget is used up", retry_after=paced.seconds)
                raise paced.failure or used_up from None
            return Page(rows), following is not None

    def render(self, row: Row) -> str:
        """The event of ``row``: exactly the row, one JSON line."""
        return codec.encode(row.fields)

    @abstractmethod
    def first_url(self, window: Window) -> str:
        """Where the first page of ``window`` is."""

    @abstractmethod
    def listing(self, body: Any) -> Listing | None:
        """The page in a decoded ``body``, or None if it is none."""

    @abstractmethod
    def received(self, fields: Fields) -> tuple[int, Fields]:
        """When the row was received, in milliseconds since 1970, and the row in its usual form.

        Raises one of `_NO_ROW` if ``fields`` do not tell.
        """

    @abstractmethod
    def refusal(self, failure: Failure) -> MessageTraceError | None:
        """What an answer means that only this service gives, or None."""

    def _page(
        self, request: Request, pending: Pending, window: Window, continued: bool
    ) -> tuple[list[Row], str | None]:
        def judge(answer: Answer) -> tuple[list[Row], str | None]:
            if answer.status != 200:
                raise self._failure(answer, request.url, window, continued)
            return self._parsed(answer, request.url)

        return self._transport.call(request, judge, _ATTEMPTS, pending)

    def _parsed(self, answer: Answer, url: str) -> tuple[list[Row], str | None]:
        """Rows and next link in ``answer``; raises `Unavailable` if it is no well-formed page."""
        try:
            body = codec.decode(answer.body)
        except ValueError as error:
            raise Unavailable("an answer that is not JSON", "status 200") from error
        listing = self.listing(body)
        if listing is None:
            raise Unavailable("an answer that is no page of rows", "status 200")
        rows = self._dated(listing.rows)
        return rows, _resolved(url, listing.following) if listing.following else None

    def _dated(self, listed: list[Fields]) -> list[Row]:
        """The rows with their receive times. Single ones without a usable time are `UNDATED`: they
        and their neighbours are forwarded. Where all are so, it is no page of rows."""
        try:
            return [self.row(*self.received(fields)) for fields in listed]
        except _NO_ROW:
            rows, undated = [], []
        for fields in listed:
            try:
                rows.append(self.row(*self.received(fields)))
            except _NO_ROW:
                undated.append(fields)
        if not rows or not all(isinstance(fields, dict) for fields in undated):
            raise Unavailable("rows without a usable receive time")
        self._log(
            f"{self.name} returned rows without a usable receive time; they are forwarded as they "
            "are.",
            "warning",
        )
        return rows + [self.row(UNDATED, fields) for fields in undated]

    def row(self, received: int, fields: Fields) -> Row:
        """The row of ``fields``; what merely repeats the query is no part of its content."""
        said = fields
        if self.echo:
            said = fields.copy()
            for name in self.echo:
                said.pop(name, None)
        return Row(received, str(fields.get(self.trace_id)), codec.canonical(said), fields)

    def _is_ours(self, url: str) -> bool:
        """Whether the token may travel to ``url``: to no other host than it was made for."""
        return is_same_origin(url, self._url)

    def _failure(
        self, answer: Answer, url: str, window: Window, continued: bool
    ) -> MessageTraceError:
        """The consequence of an answer other than 200 for ``window``."""
        if answer.status < 300:
            return Unavailable("an answer that is no page of rows", f"status {answer.status}")
        text = unescape(answer.body[:_READABLE].decode("utf-8", "replace"))
        failure = Failure(answer.status, text, url, continued)
        if days := _days_kept(failure, self._clock.now() - window.start):
            return HistoryExceeded("older than the service keeps", days, failure.detail)
        speaks_of_size = answer.status in _ABOUT_THE_WINDOW and _TOO_LARGE.search(text)
        if answer.status == 413 or speaks_of_size:
            return WindowTooLarge("the window holds too many rows", failure.detail)
        if refusal := self.refusal(failure):
            return refusal
        try:
            check_available(answer, self._clock.now())
        except Unavailable as error:
            return error
        if continued:
            return WindowTooLarge("a next link is refused", failure.detail)
        return Refused(
            f"{self.name} does not accept the request. This is not the fault of a setting: report "
            "it to the maintainers of this module with the text in brackets.",
            failure.detail,
        )

    def _notice_strays(self, rows: list[Row], window: Window) -> None:
        received = [row.received for row in rows if row.received != UNDATED]
        earliest = milliseconds(window.start - _LEEWAY)
        latest = milliseconds(window.end + _LEEWAY)
        if received and not earliest <= min(received) <= max(received) <= latest:
            self._log(
                f"{self.name} returned rows from outside the time that was asked for; they are "
                "forwarded like the others.",
                "warning",
            )


def _days_kept(failure: Failure, age: timedelta) -> int | None:
    """The number of days that the service says it keeps, if a window of that ``age`` can exceed them.

    None for another status, for a text about something else, and for a window that begins within
    these days: what is given up because of the answer never comes back.
    """
    match = _TOO_OLD.search(failure.text) if failure.status in _ABOUT_THE_WINDOW else None
    days = int(match[1]) if match else None
    return days if days and age > timedelta(days=days) - _AGE_TOLERANCE else None


def _resolved(url: str, following: Any) -> str:
    """``following`` as an address, which may be relative to ``url``; raises `Unavailable` for no text.

    Text that is no address stays as it is, and so leads to no host that is ours.
    """
    if not isinstance(following, str):
        raise Unavailable("a next link that is no text")
    try:
        return following if UNFIT.search(following) else urljoin(url, following)
    except ValueError:
        return following


def odata_time(instant: datetime) -> str:
    """``instant`` as a literal: whole seconds where possible, with Z."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def received_at(text: str) -> int:
    """Milliseconds since 1970 of ``2022-09-05T18:10:13.4907658`` or the like; UTC with or without Z.

    Finer digits are cut, so that a row is the same in whatever form it comes.
    """
    instant = datetime.fromisoformat(text)
    return milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
