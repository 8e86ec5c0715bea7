"""Common parts of Microsoft's two message trace services: pages of rows chained by next links.

Anything but a well-formed page is an error, never an empty page.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, ClassVar, TypeVar
from urllib.parse import urljoin

from office365_message_trace.clock import Clock
from office365_message_trace.codec import Oversized
from office365_message_trace.errors import (
    Hindered,
    HistoryExceeded,
    MessageTraceError,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.microsoft.failures import Failure
from office365_message_trace.microsoft.paging.one_message import OneMessage
from office365_message_trace.microsoft.paging.one_page import OnePage
from office365_message_trace.microsoft.paging.walk import Ask, PageSize, Walk, without_strays
from office365_message_trace.microsoft.rows import RowFormat
from office365_message_trace.model import (
    MILLISECOND,
    Fields,
    Log,
    Page,
    Pause,
    Row,
    Window,
)
from office365_message_trace.seldom import HOURLY, Seldom
from office365_message_trace.transport.addresses import UNFIT, is_same_origin
from office365_message_trace.transport.client import NotYet, Pending, Request
from office365_message_trace.transport.retry import USUAL_ATTEMPTS, Transport, check_available
from office365_message_trace.transport.session import Answer

_INSTANT = 2 * MILLISECOND  # the widest window that cannot usefully be divided, see `ByTime`
# "Invalid StartDate value. The StartDate can't be older than 10 days from today."
_TOO_OLD = re.compile(
    r"\bStartDate\b[^.\r\n]{1,80}\bolder than ([1-9]\d{0,3}) days\b", re.IGNORECASE
)
_AGE_TOLERANCE = timedelta(hours=1)  # the service has a clock of its own
# one sentence about size, which is not about other things, and about rows or time unless it is clear
_TOO_LARGE = re.compile(
    r"""(?:^|[."\r\n])
    (?![^."\r\n]*\b(?:requests|concurren\w*|connections|users|headers?|cookies?|ur[il]|rate)\b)
    (?:[^."\r\n]*too\ (?:large|big)
    |(?=[^."\r\n]*\b(?:rows?|records?|results?|items|entries|messages|traces|data|quer(?:y|ies)
        |range|interval|span|period|window|days|hours|\w*dates?)\b)
    [^."\r\n]*(?:too\ many|can.{0,6}t\ be\ longer\ than|exceeds?\ the\ (?:maximum|limit)
        |(?:narrow|reduce|shorten)\ the))""",
    re.IGNORECASE | re.VERBOSE,
)
_REJECTED = (
    "{} does not accept the request. This is not the fault of a setting: report it to the maintainers of "
    "this module with the text in brackets."
)
_REFUSED_BEFORE = (
    "{} or a proxy in front of it does not accept the request. If there is no proxy, report it to the maintainers "
    "of this module with the text in brackets."
)
_PERHAPS_BEFORE = (
    "The answer is in other words than the service's own: if a proxy or a gateway gives it, have its "
    "administrator let requests to the service pass."
)
_NO_WAY_ON = "an empty page whose next link cannot be followed"
_FOREIGN = "a next link leads to another host, it is not followed"
_ABOUT_THE_WINDOW = (400, 500)  # other statuses have a meaning of their own
_T = TypeVar("_T")


class LinkRefused(MessageTraceError):
    """The service or this module refuses a next link; the pages before it decide what that means."""


class ODataClient(ABC):
    """Reads windows from the service whose report is at ``url``."""

    name: ClassVar[str]
    row_format: ClassVar[RowFormat]
    permission: ClassVar[str]  # the application permission that the service requires
    resource: ClassVar[str]  # the API that the permission belongs to, by its name in Azure portal
    page_size: int
    one_page: bool = False  # true if windows should fit one page
    many_recipients: int = 1000  # beyond, Get-MessageTraceV2 requires the trace id, as documented
    headers: ClassVar[dict[str, str]] = {"Accept": "application/json"}

    def __init__(self, url: str, transport: Transport, clock: Clock, log: Log) -> None:
        self._url = url
        self._transport = transport
        self._clock = clock
        self._log = log
        self._telling = Seldom(HOURLY)

    def pages(
        self,
        window: Window,
        background: bool = False,
        max_pages: int | None = None,
        single_page: bool = False,
        trace_id: str | None = None,
        attempts: int = USUAL_ATTEMPTS,
    ) -> Iterator[Page | Pause]:
        """The pages of ``window``, bounds inclusive, one request each.

        The first page is requested at once, each other one while its predecessor is in use. The window
        is complete when the iterator ends. In the background, a `Pause` means that the next page has to
        wait. With ``max_pages``, the window is one that is read again later: long chains of empty pages may not be
        followed each time. With ``single_page``, a window counts only if all of it fits one page. With ``trace_id``,
        only the rows of that message: if others come, the service ignores the id, and the pages end without
        having covered anything. Raises `WindowTooLarge` if there are more than ``max_pages``, or
        rows are or may be missing; `HistoryExceeded`, `Refused`, or `Unavailable` after some attempts.
        The rows given before an error are good.
        """
        if trace_id is not None:
            walk: Walk = OneMessage(trace_id, self.instant(window))
        else:
            walk = self._walk(window, max_pages, single_page)
        return self._begun(walk, replace(walk.first, trace_id=trace_id), background, attempts)

    def _begun(
        self, walk: Walk, ask: Ask, background: bool, attempts: int
    ) -> Iterator[Page | Pause]:
        """The pages of ``walk``, whose first request is ``ask``, as `pages` gives them."""
        ask = replace(ask, top=ask.top or self.page_size)
        request = Request("GET", self.url(ask), self.headers, background=background)
        return self._walked(walk, ask, request, self._transport.begin(request), attempts)

    @property
    def full_page(self) -> int:
        """Rows on a full page, as far as is known."""
        return self._size.full

    @cached_property
    def _size(self) -> PageSize:
        return PageSize(self.page_size)

    def _walk(
        self, window: Window, max_pages: int | None = None, single_page: bool = False
    ) -> Walk:
        if window.span <= _INSTANT:
            return self.instant(window)
        return OnePage(window, self._size) if single_page else self.walk(window, max_pages)

    def _walked(
        self, walk: Walk, ask: Ask, request: Request, pending: Pending, attempts: int
    ) -> Iterator[Page | Pause]:
        usual_top = ask.top or self.page_size  # another walk may change the page size meanwhile
        while True:
            rows: list[Row] = []
            link: str | None = None
            refusal: LinkRefused | None = None
            try:
                rows, link = yield from self._read(request, ask, pending, attempts)
            except LinkRefused as error:
                refusal = error.with_traceback(None)  # the traceback would hold this frame
            strays = self._strays(rows, ask.window)
            problem: list[WindowTooLarge] = []
            following: Ask | None = None
            try:
                following = walk.refused(refusal) if refusal else walk.after(rows, link)
                if following and following.link and not self._is_ours(following.link):
                    following = walk.refused(LinkRefused(_FOREIGN))
            except WindowTooLarge as error:
                problem = [error.with_traceback(None)]  # it would hold this frame and the rows
                following = None
            except Unavailable:
                self._notice_oddity(_NO_WAY_ON)
                raise
            if following and self.page_size > usual_top and _is_of_all_rows(ask):
                problem, following = [WindowTooLarge("pages that can be larger by now")], None
            if following:
                top = following.top or usual_top
                ask = replace(following, trace_id=ask.trace_id, conditions=ask.conditions, top=top)
                request = replace(request, url=self.url(ask))
                pending = self._transport.begin(request)
            more = problem[0].window is None if problem else following is not None
            page = [Page(rows, walk.covered, more, strays)]
            del rows
            yield page.pop()  # drops our reference, so the page can be freed
            if problem:
                raise problem.pop()  # it holds this frame, which must not hold it
            if following is None:
                self._notice_oddity(walk.oddity)
                return

    def _read(
        self, request: Request, ask: Ask, pending: Pending, attempts: int
    ) -> Generator[Pause, None, tuple[list[Row], str | None]]:
        """The page that ``ask`` requests. Raises as `pages` does, and `LinkRefused`: also if the next link keeps
        failing while the first page of the window can still be read. A link is tried once where those of last pages are
        known to fail."""
        if ask.link is not None:
            attempts = 1 if self._size.refused_at_end else max(attempts, USUAL_ATTEMPTS)
        read = partial(self._page, request, ask, attempts)
        try:
            return (yield from self._retried(request, pending, read, attempts))
        except (Unavailable, Refused) as error:
            if ask.link is None or isinstance(error, Hindered):
                raise
            failure = error.with_traceback(None)  # the traceback would hold this frame
        first = replace(ask, link=None)
        request = replace(request, url=self.url(first))
        read = partial(self._page, request, first, attempts)
        yield from self._retried(request, self._transport.begin(request), read, attempts)
        raise LinkRefused(failure.sentence, failure.detail)

    def _retried(
        self, request: Request, pending: Pending, read: Callable[[Pending], _T], attempts: int
    ) -> Generator[Pause, None, _T]:
        """What ``read`` gets from the answer to ``request``; yields the pauses before it."""
        failures = 0
        refused = False
        while True:
            try:
                return read(pending)
            except NotYet as later:
                yield Pause(later.seconds)
                if not later.under_way:
                    pending = self._transport.begin(request)
                continue
            except Unavailable as error:
                failures += 1
                if failures >= attempts or not request.background:
                    raise
                pause = error.retry_after or 0.0
            except LinkRefused:
                if refused:
                    raise
                refused, pause = True, 0.0  # a single refusal may be a mistake
            yield Pause(pause)
            pending = self._transport.begin(request)

    def first_page(self, window: Window) -> tuple[Page, bool]:
        """The first page of ``window``, requested once, and True if another follows.

        Waits for the answer, but never retries: raises as `pages` does, and `Unavailable` after the first failure or if
        our request budget is exhausted.
        """
        ask = Ask(window)
        request = Request("GET", self.url(ask), self.headers, background=True)
        pending = self._transport.begin(request)
        while True:
            try:
                rows, link = self._page(request, ask, USUAL_ATTEMPTS, pending)
            except NotYet as later:
                if not later.under_way:
                    raise Throttled(later.cause, retry_after=later.seconds) from None
                continue
            return Page(rows), link is not None

    def render(self, row: Row) -> str:
        """The event of ``row``: exactly the row, one JSON line."""
        return row.text

    def content_fields(self, row: Row) -> Fields:
        """The fields of ``row`` that are its content."""
        return self.row_format.said(row.fields)

    @abstractmethod
    def first_url(self, ask: Ask) -> str:
        """The address of the first page of ``ask``, which has no link."""

    @abstractmethod
    def walk(self, window: Window, max_pages: int | None) -> Walk:
        """The way through a window of any width, at most ``max_pages``."""

    @abstractmethod
    def instant(self, window: Window) -> Walk:
        """The way through a window of a millisecond, or through the rows of one message."""

    def url(self, ask: Ask) -> str:
        """The address that ``ask`` is sent to."""
        return ask.link if ask.link is not None else self.first_url(ask)

    @abstractmethod
    def refusal(self, failure: Failure) -> MessageTraceError | None:
        """The error for an answer that only this service gives, or None."""

    def _page(
        self, request: Request, ask: Ask, attempts: int, pending: Pending
    ) -> tuple[list[Row], str | None]:
        def judge(answer: Answer) -> tuple[list[Row], str | None]:
            if answer.status != 200:
                raise self._failure(answer, request.url, ask)
            try:
                if answer.cut:
                    raise Oversized("too long")
                return self._parsed(answer, request.url)
            except Oversized as error:
                raise self._too_heavy(ask, f"status 200, {error}") from error

        return self._transport.call(request, judge, attempts, pending)

    def _parsed(self, answer: Answer, url: str) -> tuple[list[Row], str | None]:
        """Parse rows and next link from ``answer``. Raises `Unavailable` if it is no well-formed page."""
        page = self.row_format.page(answer.body)
        if page.undated:
            self._warn(
                f"{self.name} returned rows without a usable receive time; they are used as they are."
            )
        return page.rows, resolved(url, page.following) if page.following else None

    def lighten(self, ask: Ask) -> bool:
        """Request fewer rows per page from now on, after a page of ``ask`` was over a limit. Returns
        False if the service cannot do that."""
        return False

    def _too_heavy(self, ask: Ask, detail: str) -> MessageTraceError:
        """The error for a page over a limit; the rest of the window is then read in lighter pages."""
        sentence = "a page over the limit"
        if self.lighten(ask):
            return WindowTooLarge(sentence, detail)
        return self._oversized(ask, sentence, detail)

    def _oversized(self, ask: Ask, sentence: str, detail: str) -> MessageTraceError:
        """The error for too much in the window of ``ask``. A single millisecond cannot be divided, so
        there it is a failure like others."""
        if ask.window.is_divisible:
            return WindowTooLarge(sentence, detail)
        return Unavailable(sentence, detail)

    def _is_ours(self, url: str) -> bool:
        """True if the token may be sent to ``url``: only to the host that it was issued for."""
        return is_same_origin(url, self._url)

    def _failure(self, answer: Answer, url: str, ask: Ask) -> MessageTraceError:
        """The error for an answer other than 200, for the window of ``ask``."""
        if answer.status < 300:
            return Unavailable("an answer that is not a page of rows", f"status {answer.status}")
        continued = ask.link is not None or ask.beyond is not None
        failure = Failure.of(answer, url, continued)
        if days := _days_kept(failure, self._clock.now() - ask.window.start):
            return HistoryExceeded("older than the service keeps", days, failure.detail)
        refusal = self.refusal(failure)
        if refusal is None:
            about_window = failure.own and answer.status in _ABOUT_THE_WINDOW
            speaks_of_size = about_window and _TOO_LARGE.search(failure.text)
            if (answer.status == 413 or speaks_of_size) and not continued:
                return self._oversized(ask, "the window holds too many rows", failure.detail)
            try:
                check_available(answer, self._clock.now(), failure.detail)
            except Unavailable as error:
                return error
            if continued:
                return LinkRefused("a next link is refused", failure.detail)
            sentence = _REJECTED if failure.own else _REFUSED_BEFORE
            refusal = Rejected(sentence.format(self.name), failure.detail)
        if isinstance(refusal, Refused) and not failure.own and failure.status != 401:
            lasting = type(refusal)(f"{refusal.sentence} {_PERHAPS_BEFORE}", failure.detail)
            return Unavailable(
                "a refusal in other words than its own", failure.detail, lasting=lasting
            )
        return refusal

    def _warn(self, sentence: str) -> None:
        """Log a warning, once an hour at most."""
        if self._telling.may_say(sentence, self._clock.monotonic()):
            self._log(sentence, "warning")

    def _notice_oddity(self, oddity: str | None) -> None:
        if oddity:
            self._warn(
                f"{self.name} returned {oddity}; the time is read again later, in other windows."
            )

    def _strays(self, rows: list[Row], window: Window) -> int:
        """The number of ``rows`` from outside ``window``, which the log tells of."""
        strays = len(rows) - len(without_strays(rows, window))
        if strays:
            self._warn(
                f"{self.name} returned rows from outside the time that was asked for; they are "
                "used like the others."
            )
        return strays


def _is_of_all_rows(ask: Ask) -> bool:
    """True if ``ask`` is for all rows of a window that can be divided."""
    return ask.window.is_divisible and ask.trace_id is None and not ask.conditions


def _days_kept(failure: Failure, age: timedelta) -> int | None:
    """The number of days that the service says it keeps, if a window of that ``age`` can exceed them.

    None for another status, for a text about something else, and for a window that begins within
    these days: time that is given up because of the answer never comes back.
    """
    match = _TOO_OLD.search(failure.text) if failure.status in _ABOUT_THE_WINDOW else None
    days = int(match[1]) if match else None
    return days if days and age > timedelta(days=days) - _AGE_TOLERANCE else None


def resolved(url: str, following: Any) -> str:
    """Resolve ``following`` relative to ``url``. Raises `Unavailable` if it is not text.

    Text that is no address stays as it is, and so matches no host of ours.
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
