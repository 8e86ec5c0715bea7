"""One HTTP exchange within limits: of time, of size, and of what the other side may leave or lead to.

Proxies and certificate authorities come from the environment as with any program that uses requests.
"""

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from threading import Lock, Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProxyError

from office365_message_trace import codec, packing
from office365_message_trace.errors import Unavailable, Unreachable
from office365_message_trace.files import is_file, is_folder
from office365_message_trace.transport import diagnosis
from office365_message_trace.transport.addresses import proxies_for, route_to
from office365_message_trace.transport.answer_head import FinalResponse

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 120.0  # seconds between two bytes of an answer
TOTAL_TIMEOUT = 300.0  # seconds from the connection to the last byte, however steadily it drips
LATE = "not whole in time"

_LENGTH = re.compile(r"[0-9]{1,18}")
_PIECE = 64 * 1024  # bytes of a body that are read and decompressed at once


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: any status and the body. Header names are lower case.

    ``cut`` tells that the body went on beyond the limit: then ``body`` is its beginning.
    """

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    cut: bool = False


class OutOfTime(Exception):
    """The exchange was not done in time, and has been ended."""


class Deadline:
    """Ends what a thread waits for on the network once ``seconds`` have passed.

    It shuts the connections down that it watches. So it ends a TLS handshake, the answer of a proxy,
    and headers or a body that drip, for which time-outs of single reads do not help.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._lock = Lock()
        self._watched: list[socket.socket] = []
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: Any) -> None:
        """Have ``connection``, any kind of socket, end with this deadline."""
        # a duplicate, because the TLS layer takes the descriptor away from the socket it is given
        double = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._watched.append(double)
            if self.over:
                _shut_down(double)

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        del self._timer  # which refers to this object
        with self._lock:
            for each in self._watched:
                each.close()
            self._watched.clear()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            for each in self._watched:
                _shut_down(each)


class TimeoutSession(requests.Session):
    """A session that ends each exchange in time, and takes nothing from an answer but the answer.

    Cookies are not kept, redirects are not followed, and ``.netrc`` is not looked up. Of a body at most
    ``longest`` bytes are taken, decompressed, and an exchange takes `TOTAL_TIMEOUT` at most, or the seconds
    ``within``: then an attempt to connect takes half of them at most, so that its own error is told. Connecting, and
    then sending the body, take ``connect`` seconds at most, by default `CONNECT_TIMEOUT`.
    """

    def __init__(
        self,
        longest: int = codec.LONGEST,
        within: float | None = None,
        connect: float | None = None,
    ) -> None:
        super().__init__()
        self._longest = longest
        self._within = within
        self._connect = connect
        self.headers["Accept-Encoding"] = "gzip"
        self.auth = _unsigned  # without any, requests would look for a login in .netrc
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _WatchedAdapter())

    def exchange(
        self,
        method: str,
        url: str,
        headed: Callable[[requests.Response], None] = lambda response: None,
        **options: Any,
    ) -> Answer:
        """Send one request and read the answer.

        ``headed`` gets the answer when its head is there. An exchange that a signer makes for another
        one shares its deadline. Raises `OutOfTime`, and whatever requests raises.
        """
        with _deadline(self._within or TOTAL_TIMEOUT) as deadline:
            try:
                response = self.request(method, url, stream=True, **options)
                with response:
                    headed(response)
                    body, cut = _read(response, self._longest)
            except Exception as error:
                if deadline.over and not diagnosis.is_silent_proxy(error):
                    raise OutOfTime from error
                raise
            if deadline.over:  # the end of the connection may have passed for the end of the body
                raise OutOfTime
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, cut)

    def merge_environment_settings(self, url: Any, *options: Any) -> Any:
        settings = super().merge_environment_settings(url, *options)
        return {**settings, "proxies": proxies_for(url)}

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        connect = self._connect or CONNECT_TIMEOUT
        connect = min(connect, self._within / 2) if self._within else connect
        options["timeout"] = options.get("timeout") or (connect, READ_TIMEOUT)
        return super().send(request, **options)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would parse the address even if it is not to be followed."""


def unavailable(
    error: Exception, url: str, giver: str = "", kind: type[Unavailable] = Unavailable
) -> Unavailable:
    """The consequence of ``error``, which an exchange with ``url`` raised.

    ``giver``, such as "Entra ID gives ", begins the words about what passes by itself, where the exchange
    is not with the service that the request is for; ``kind`` is what is returned then. The frames of ``error`` are let go: in those of the
    libraries it is held itself, so the request would stay, a whole batch perhaps, until the garbage
    collector comes.
    """
    for each in diagnosis.chain(error):
        each.__traceback__ = None
    if isinstance(error, OutOfTime):
        return kind(f"{giver}{diagnosis.IN_TIME}", LATE)
    if sentence := diagnosis.sentence(error, route_to(url)):
        return Unreachable(sentence, diagnosis.kinds(error))
    return kind(f"{giver}{diagnosis.passing(error)}", diagnosis.kinds(error))


class _WatchedAdapter(HTTPAdapter):
    """Has the deadline of the running exchange watch each connection that it uses."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _watched(pool.ConnectionCls)
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Raise OSError for certificate authorities that are no file or folder: a pipe would be waited for."""
        named = url.lower().startswith("https") and isinstance(verify, str)
        if named and not is_file(verify) and not is_folder(verify):
            raise OSError(diagnosis.NO_BUNDLE)
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


@cache
def _watched(kind: Any) -> Any:
    """The same ``kind`` of connection, watched from when it is made or used again; it gives final answers."""
    if hasattr(kind, "watched"):
        return kind

    class Watched(kind):  # type: ignore[misc]
        watched = True
        response_class = FinalResponse

        def _new_conn(self) -> Any:
            connection = super()._new_conn()
            _watch(connection)
            return connection

        def _tunnel(self) -> None:
            deadline = _running.get()
            try:
                super()._tunnel()
            except (OSError, HTTPException) as error:
                if isinstance(error, TimeoutError) or (deadline and deadline.over):
                    raise diagnosis.SilentProxy("no answer in time", error) from error
                if isinstance(error, HTTPException) and not isinstance(error, ConnectionError):
                    raise ProxyError("no proxy answers", error) from error
                raise  # as an answer of the service would end: it passes by itself
            if deadline and deadline.over:  # that was no end of an answer
                raise diagnosis.SilentProxy("no answer in time", TimeoutError())

        def request(self, *args: Any, **options: Any) -> None:
            if self.sock is not None:
                _watch(self.sock)
            super().request(*args, **options)

    return Watched


_running: ContextVar[Deadline | None] = ContextVar("_running", default=None)


@contextmanager
def _deadline(seconds: float) -> Iterator[Deadline]:
    """The deadline of the exchange that this thread makes."""
    if outer := _running.get():
        yield outer
        return
    deadline = Deadline(seconds)
    token = _running.set(deadline)
    try:
        yield deadline
    finally:
        _running.reset(token)
        deadline.close()


def _watch(connection: Any) -> None:
    if deadline := _running.get():
        deadline.watch(connection)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response, longest: int) -> tuple[bytes, bool]:
    """The body, ``longest`` bytes at most, and whether there was more, packed or unpacked.

    Unpacked here, because urllib3 goes on for as long as nothing comes out, and takes what is torn
    for whole. Raises KeyError for another encoding than gzip, ValueError for a length that is no number,
    without which urllib3 waits for the end of the connection, and what `packing` raises.
    """
    if not _LENGTH.fullmatch(response.headers.get("Content-Length", "0")):
        raise ValueError("a length that is no number")
    unpack = _UNPACKERS[response.headers.get("Content-Encoding", "").strip().lower()]()
    body, packed = BytesIO(), 0
    for piece in response.raw.stream(_PIECE, decode_content=False):
        packed += len(piece)
        for part in unpack.parts(piece):
            body.write(part)
            if max(body.tell(), packed) > longest:
                body.truncate(longest)
                return body.getvalue(), True
    body.write(unpack.rest())
    return body.getvalue(), False


class _Plain:
    """A body that is not packed."""

    def parts(self, piece: bytes) -> Iterable[bytes]:
        return (piece,)

    def rest(self) -> bytes:
        return b""


class _Gzip(_Plain):
    """A body that is packed with gzip, in one member or several."""

    def __init__(self) -> None:
        self._member = packing.unpacker()
        self._begun = False

    def parts(self, piece: bytes) -> Iterable[bytes]:
        self._begun = True
        while piece:
            if self._member.eof:
                self._member = packing.unpacker()
            yield self._member.decompress(piece, _PIECE)
            piece = self._member.unconsumed_tail or self._member.unused_data

    def rest(self) -> bytes:
        rest = self._member.flush()
        if self._begun and not self._member.eof:
            raise ValueError("a torn body")
        return rest


_UNPACKERS = {"": _Plain, "identity": _Plain, "gzip": _Gzip, "x-gzip": _Gzip}


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
