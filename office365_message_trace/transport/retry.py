"""HTTP with one retry loop, in which faults that pass by themselves are waited out."""

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from threading import Thread
from typing import Any, Protocol, TypeVar

import requests
from pyrate_limiter import BucketFullException
from requests.auth import AuthBase
from requests_ratelimiter import LimiterMixin

from office365_message_trace.transport import session as limits
from office365_message_trace.clock import Clock
from office365_message_trace.transport.diagnosis import IN_TIME
from office365_message_trace.errors import MessageTraceError, Stopped, Throttled, Unavailable
from office365_message_trace.model import Log
from office365_message_trace.microsoft.request_budget import BACKGROUND, LIVE, SHORTEST_WAIT, RequestBudget
from office365_message_trace.transport.session import LATE, Answer, TimeoutSession, unavailable

PATIENCE = 5.0  # seconds that fresh mail waits for an answer to a background request
LONGEST_WAIT = 60.0  # seconds, of the exponential series
LONGEST_RETRY_AFTER = 600.0  # seconds; a server that asks for more is asked again after these
DOUBTS = 3  # answers in a row that are tried again before what they mean if they last is believed
SLOW_DOWN = 30.0  # seconds after a 429 that does not say how long; others wait 30 to 60

_SAY_EVERY = 60.0  # seconds
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``background`` ones leave room in the request budget for the others.

    Headers and body, which may hold a token or a key, are in no text of it.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    background: bool = False


class Paced(Exception):
    """Not before ``seconds`` have passed: the request budget is used up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class StillUnderWay(Exception):
    """A background request has no answer after `PATIENCE`: others may go first, then wait again."""


Pending = Callable[[], Answer]
"""A request under way: waits for the answer. Raises `Unavailable` if no whole one came, `Paced` if it
was too early to ask, and for background requests `StillUnderWay`, after which it may be called again.
"""


Dated = Callable[[str], None]
"""Takes the ``Date`` of an answer, empty if it has none."""


class Http(Protocol):
    """Sends requests."""

    def begin(self, request: Request) -> Pending:
        """Send ``request`` once, without waiting for the answer."""


class Credentials(Protocol):
    """What signs requests."""

    def renew(self) -> bool:
        """After a refusal: drop the token; whether the same request is worth repeating at once."""

    def proven(self) -> None:
        """The service accepted them."""


class PacedSession(LimiterMixin, TimeoutSession):
    """Counts every attempt against ``budget``, as one of that ``kind``.

    A request that would have to wait raises ``BucketFullException`` instead: the wait belongs to
    the retry loop, where it can be stopped.
    """

    def __init__(self, budget: RequestBudget, kind: str) -> None:
        super().__init__(
            limiter=budget,
            max_delay=SHORTEST_WAIT / 2,  # zero would mean: sleep as long as it takes
            bucket_name=kind,
            limit_statuses=(),
        )
        self._budget = budget

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = super().send(request, **options)
        if response.status_code == 429:
            self._budget.throttled()
        return response


class RequestsHttp:
    """`Http` over a requests session, which honours proxies and ``REQUESTS_CA_BUNDLE`` as usual.

    ``background`` is the session for the requests that are marked so, if it is another one. Each
    request has a thread of its own, so that its answer is waited for as long as it is worth it and
    no longer, and so that the next page can come while this one is delivered. The thread ends with
    the deadline of the exchange, also where nobody waits. ``dated`` gets the ``Date`` of each answer,
    in that thread and as soon as its head has arrived.
    """

    def __init__(
        self,
        session: TimeoutSession,
        auth: AuthBase | None = None,
        background: TimeoutSession | None = None,
        dated: Dated = lambda date: None,
    ) -> None:
        self._session = session
        self._auth = auth
        self._background = background or session
        self._dated = dated

    def begin(self, request: Request) -> Pending:
        answer: Future[Answer] = Future()

        def work() -> None:
            try:
                answer.set_result(self._send(request))
            except BaseException as error:  # raised again where the answer is waited for
                answer.set_exception(error.with_traceback(None))  # whose frames hold the answer

        Thread(target=work, name="request", daemon=True).start()
        turns = count(1)

        def wait() -> Answer:
            nonlocal answer
            patience = PATIENCE if request.background else limits.TOTAL_TIMEOUT
            try:
                return answer.result(patience)
            except TimeoutError as error:
                if next(turns) * patience < limits.TOTAL_TIMEOUT:
                    raise StillUnderWay from None
                raise Unavailable(IN_TIME, LATE) from error
            except BaseException:
                del answer  # or it would hold the exception, and that this frame
                raise

        return wait

    def _send(self, request: Request) -> Answer:
        session = self._background if request.background else self._session
        try:
            return session.exchange(
                request.method,
                request.url,
                lambda response: self._dated(response.headers.get("Date", "")),
                headers=request.headers,
                data=request.body,
                auth=self._auth,
            )
        except BucketFullException as full:
            raise Paced(float(full.meta_info["remaining_time"])) from full
        except (MessageTraceError, Stopped):  # of the signer or the storage of the request budget
            raise
        except Exception as error:  # whatever a library stumbles over in an odd answer
            raise unavailable(error, request.url) from error


class Transport:
    """Asks until there is a usable answer.

    ``service`` names the other side in sentences. Waits grow exponentially from a second to
    `LONGEST_WAIT`, with jitter, over all consecutive failures of that service; ``Retry-After`` goes
    before. What it waits for is said once a minute.
    """

    def __init__(
        self,
        http: Http,
        service: str,
        clock: Clock,
        log: Log,
        credentials: Credentials | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._service = service
        self._clock = clock
        self._log = log
        self._credentials = credentials
        self._jitter = jitter
        self._failures = 0
        self._doubtful = 0  # of them, the last ones in a row that may not be what they seem
        self._said: dict[str, float] = {}
        self._trouble_said = False  # and its end not yet

    def begin(self, request: Request) -> Pending:
        """Send ``request`` ahead of the `call` that is given what this returns."""
        self._clock.wait(0)
        return self._http.begin(request)

    def call(
        self,
        request: Request,
        judge: Callable[[Answer], _Parsed],
        attempts: int | None = None,
        pending: Pending | None = None,
    ) -> _Parsed:
        """What ``judge`` makes of the answer to ``request``, which may be ``pending`` already.

        ``judge`` raises `Unavailable` for an answer that should be asked for again; its other errors
        pass through. What an answer means that lasts (`Unavailable.lasting`) is raised once it has come
        more than `DOUBTS` times in a row. After ``attempts`` failures (None: never) the last
        `Unavailable` is raised; a wait follows it all the same, so that whoever asks next does so in
        time. Background requests raise `Paced`, `StillUnderWay` or the first `Unavailable`, whose
        ``retry_after`` is the wait, instead of waiting: others need not wait for them.
        """
        tried = 0
        while True:
            self._clock.wait(0)
            answer, pending = pending or self._http.begin(request), None
            try:
                result = judge(self._authorised(request, answer))
            except Paced as paced:
                service = self._service.replace("The ", "the ", 1)
                self._say(f"Pausing for {service}: the request budget is used up.", "info")
                if request.background:
                    raise
                self._clock.wait(paced.seconds)
            except Unavailable as error:
                self._doubtful = self._doubtful + 1 if error.lasting else 0
                if error.lasting and self._doubtful > DOUBTS:
                    raise error.meant() from None
                tried += 1
                self._failures += 1
                self._trouble_said |= self._say(
                    f"{error.about(self._service)} Trying again until it works; nothing is lost "
                    "meanwhile.",
                    "warning",
                    error.detail,
                )
                error.retry_after = self._pause(error)
                if request.background:
                    raise
                self._clock.wait(error.retry_after)
                if tried == attempts:
                    raise
            else:
                self._recovered()
                return result

    def _authorised(self, request: Request, pending: Pending) -> Answer:
        """The ``pending`` answer to ``request``, repeated once with renewed credentials after a 401.

        After a 403 the next request has new ones: a role counts only in tokens made after it was
        assigned.
        """
        answer = pending()
        if self._credentials is None:
            return answer
        if answer.status == 401 and self._credentials.renew():
            answer = self._http.begin(replace(request, background=False))()
        if answer.status == 403:
            self._credentials.renew()
        if answer.status < 400:
            self._credentials.proven()
        return answer

    def _pause(self, error: Unavailable) -> float:
        if error.retry_after is not None:
            return min(max(error.retry_after, 1.0), LONGEST_RETRY_AFTER)
        longest = min(LONGEST_WAIT, 2.0 ** min(self._failures - 1, 10))
        return longest * (0.5 + self._jitter() / 2)

    def _say(self, text: str, level: str, detail: str = "") -> bool:
        """Log ``text``, once a minute at most; whether it was logged."""
        now = self._clock.monotonic()
        if due := now - self._said.get(text, -_SAY_EVERY) >= _SAY_EVERY:
            self._said[text] = now
            self._log(f"{text} [{detail}]" if detail else text, level)
        return due

    def _recovered(self) -> None:
        if self._trouble_said:
            self._log(f"{self._service} answers again.", "info")
        self._failures, self._doubtful, self._trouble_said = 0, 0, False


def microsoft_http(
    auth: AuthBase, budget: RequestBudget, dated: Dated = lambda date: None
) -> RequestsHttp:
    """`Http` for Microsoft's message trace services, within their request budget."""
    return RequestsHttp(PacedSession(budget, LIVE), auth, PacedSession(budget, BACKGROUND), dated)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """The seconds that ``Retry-After`` asks for, in either of its two forms; None without one."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - now) / timedelta(seconds=1), 0.0)


def check_available(answer: Answer, now: datetime, detail: str = "") -> None:
    """Raise `Unavailable` for the statuses that pass by themselves (RFC 9110, RFC 6585), and for a
    success of which only the beginning was read. ``detail`` is for the log, the status by default.
    """
    detail, advice = detail or f"status {answer.status}", retry_after(answer, now)
    if answer.status == 429:
        raise Throttled("it asks to slow down", detail, SLOW_DOWN if advice is None else advice)
    if answer.status in (408, 425) or answer.status >= 500:
        raise Unavailable("a fault on its side", detail, advice)
    if 300 <= answer.status < 400:
        raise Unavailable("a redirect instead of an answer", detail)
    if answer.cut and answer.status < 300:
        raise Unavailable("an answer over the limit", f"{detail}, over {len(answer.body)} bytes")
