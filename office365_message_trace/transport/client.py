"""One attempt at a request, in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from threading import Thread
from typing import Protocol

from requests.auth import AuthBase

from office365_message_trace.errors import MessageTraceError, Stopped, Unavailable
from office365_message_trace.transport import session as limits
from office365_message_trace.transport.diagnosis import IN_TIME
from office365_message_trace.transport.session import LATE, Answer, TimeoutSession, unavailable

PATIENCE = 5.0  # seconds that fresh mail waits for an answer to a background request
_GRACE = 5.0  # seconds for an exchange to end at its own deadline, and to say what was late


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``background`` ones leave room in the request budget for the others.

    Its repr leaves out headers and body, which may hold a token or a key.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    background: bool = False


class NotYet(Exception):
    """Try again after ``seconds``. ``cause`` is a short phrase for the log, empty if none is needed.

    With ``under_way``, the request was sent and only its answer is missing.
    """

    def __init__(self, seconds: float, cause: str = "", under_way: bool = False) -> None:
        super().__init__(seconds, cause)
        self.seconds = seconds
        self.cause = cause
        self.under_way = under_way


Pending = Callable[[], Answer]
"""A request in flight; a call waits for the answer. Raises `Unavailable` without a complete one, and `NotYet`
if it was too early to ask. A background request also raises `NotYet` if its answer takes longer than
`PATIENCE`: others may go first, then it is called again.
"""

Dated = Callable[[str], None]
"""A callback for the ``Date`` of an answer, empty if it has none."""


class Http(Protocol):
    """Sends requests."""

    def begin(self, request: Request) -> Pending:
        """Send ``request`` once, without waiting for the answer."""


class RequestsHttp:
    """`Http` over a requests session, which honours proxies and ``REQUESTS_CA_BUNDLE`` as usual.

    ``background`` is the session for background requests, if it differs. Each request has a thread of
    its own, so that a wait for its answer can be cut short, and so that the next page can come while
    this one is delivered. The thread ends with the deadline of the exchange, even if nothing waits for
    it. ``dated`` gets the ``Date`` of each answer, in that thread and as soon as its head has arrived.
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
            except BaseException as error:  # raised again in the thread that waits
                answer.set_exception(error.with_traceback(None))  # the frames would hold the answer

        Thread(target=work, name="request", daemon=True).start()
        turns = count(1)

        def wait() -> Answer:
            nonlocal answer
            longest = limits.TOTAL_TIMEOUT + _GRACE
            patience = PATIENCE if request.background else longest
            try:
                return answer.result(patience)
            except TimeoutError as error:
                if next(turns) * patience < longest:
                    raise NotYet(0.0, under_way=True) from None
                raise Unavailable(IN_TIME, LATE) from error
            except BaseException:
                del answer  # else it holds the exception, which holds this frame
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
        except (MessageTraceError, NotYet, Stopped):  # of the session or the signer
            raise
        except Exception as error:  # libraries let any error out that an odd answer causes
            raise unavailable(error, request.url) from error
