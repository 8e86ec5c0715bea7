"""HTTP with one retry loop, which waits for passing faults to end."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

from office365_message_trace.clock import Clock
from office365_message_trace.errors import Throttled, Unavailable
from office365_message_trace.model import Log
from office365_message_trace.seldom import Seldom
from office365_message_trace.transport.client import Http, NotYet, Pending, Request
from office365_message_trace.transport.session import Answer

USUAL_ATTEMPTS = 4
"""Attempts at one request before its window is given back, to be planned again."""
LONGEST_WAIT = 60.0  # seconds, of the exponential series
LONGEST_RETRY_AFTER = 600.0  # seconds; a longer Retry-After counts as this
DOUBTS = 3  # retries in a row before the lasting meaning of an answer is believed
SLOW_DOWN = 30.0  # seconds after a 429 without Retry-After; other tools wait 30 to 60

UNTIL_IT_WORKS = "Trying again until it works; nothing is lost meanwhile."
"""The outlook of a collector."""

_LOG_EVERY = 60.0  # seconds
_Parsed = TypeVar("_Parsed")


class Credentials(Protocol):
    """Credentials that sign requests."""

    def renew(self) -> bool:
        """Drop the token after a refusal. Returns True if the request is worth repeating at once."""

    def proven(self) -> None:
        """Note that the service accepted them."""


class Transport:
    """Repeats a request until there is a usable answer.

    ``service`` names the other side in sentences. Waits grow exponentially from a second to
    `LONGEST_WAIT`, with jitter, over all consecutive failures of that service; ``Retry-After`` takes
    precedence. The cause of the wait is logged once a minute, with ``outlook``, which says how long it is tried.
    """

    def __init__(
        self,
        http: Http,
        service: str,
        clock: Clock,
        log: Log,
        credentials: Credentials | None = None,
        jitter: Callable[[], float] = random.random,
        outlook: str = UNTIL_IT_WORKS,
    ) -> None:
        self._http = http
        self._service = service
        self._clock = clock
        self._log = log
        self._credentials = credentials
        self._jitter = jitter
        self._outlook = outlook
        self._failures = 0
        self._doubtful = 0  # latest failures in a row whose lasting meaning is not believed yet
        self._telling = Seldom(_LOG_EVERY)
        self._trouble_logged = False  # but not its end

    def begin(self, request: Request) -> Pending:
        """Send ``request`` in advance; give the result to `call` as ``pending``."""
        self._clock.wait(0)
        return self._http.begin(request)

    def call(
        self,
        request: Request,
        judge: Callable[[Answer], _Parsed],
        attempts: int | None = None,
        pending: Pending | None = None,
    ) -> _Parsed:
        """Return the result of ``judge`` for the answer to ``request``, which may be ``pending`` already.

        ``judge`` raises `Unavailable` for an answer that calls for a retry; its other errors pass
        through. The lasting meaning of an answer (`Unavailable.lasting`) is raised once it has come more
        than `DOUBTS` times in a row. After ``attempts`` failures (None: never) the last `Unavailable`
        is raised, but only after its wait, so that the next request does not come too soon. Background
        requests raise `NotYet` or the first `Unavailable`, whose ``retry_after`` is the wait, instead of
        waiting: others need not wait for them.
        """
        tried = 0
        while True:
            self._clock.wait(0)
            answer, pending = pending or self._http.begin(request), None
            try:
                result = judge(self._authorised(request, answer))
            except NotYet as later:
                if later.cause:
                    service = self._service.replace("The ", "the ", 1)
                    self._log_rarely(f"Pausing for {service}: {later.cause}.", "info")
                if request.background:
                    raise
                self._clock.wait(later.seconds)
            except Unavailable as error:
                self._doubtful = self._doubtful + 1 if error.lasting else 0
                if error.lasting and self._doubtful > DOUBTS:
                    raise error.as_lasting() from None
                tried += 1
                self._failures += 1
                self._trouble_logged |= self._log_rarely(
                    f"{error.about(self._service)} {self._outlook}",
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

        A 403 renews them for the next request: a role counts only in tokens that are issued after it was
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

    def _log_rarely(self, text: str, level: str, detail: str = "") -> bool:
        """Log ``text``, at most once a minute. Returns True if it was logged."""
        may_say = self._telling.may_say(text, self._clock.monotonic())
        if may_say:
            self._log(f"{text} [{detail}]" if detail else text, level)
        return may_say

    def _recovered(self) -> None:
        if self._trouble_logged:
            self._log(f"{self._service} answers again.", "info")
        self._failures, self._doubtful, self._trouble_logged = 0, 0, False


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
    """Raise `Unavailable` for statuses that pass by themselves (RFC 9110, RFC 6585), and for a success
    whose body was cut. ``detail`` is for the log, the status by default.
    """
    detail, advice = detail or f"status {answer.status}", retry_after(answer, now)
    if answer.status == 429:
        raise Throttled("it asks to slow down", detail, SLOW_DOWN if advice is None else advice)
    if answer.status in (408, 425) or answer.status >= 500:
        raise Unavailable("a server error, there or at a proxy in front of it", detail, advice)
    if 300 <= answer.status < 400:
        raise Unavailable("a redirect instead of an answer", detail)
    if answer.cut and answer.status < 300:
        raise Unavailable("an answer over the limit", f"{detail}, over {len(answer.body)} bytes")
