"""One exchange is bounded in time and in size, and leaves nothing behind but its answer."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
import requests

from office365_message_trace import codec
from office365_message_trace.errors import Unavailable
from office365_message_trace.microsoft.auth import TokenHttp
from office365_message_trace.transport import diagnosis, session
from office365_message_trace.transport.addresses import route_to
from office365_message_trace.transport.answer_head import LONGEST_HEAD
from office365_message_trace.transport.client import Request, RequestsHttp
from office365_message_trace.transport.retry import check_available
from office365_message_trace.transport.session import Answer, TimeoutSession
from tests.support import NOON
from tests.ways import Conduct, silent

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Server:
    """A server that reads the head of each request and then does as it likes with the connection."""

    def __init__(self, *behaviours: Conduct) -> None:
        self.heads: list[bytes] = []
        self._behaviours = behaviours
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._count = 0
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                behaviour = self._behaviours[self._count % len(self._behaviours)]
                self._count += 1
                threading.Thread(
                    target=self._serve, args=(connection, behaviour), name="server", daemon=True
                ).start()

    def _serve(self, connection: socket.socket, behaviour: Conduct) -> None:
        with connection, suppress(OSError):
            self.heads.append(connection.recv(65536))
            behaviour(connection)


def says(*pieces: bytes) -> Conduct:
    def behaviour(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return behaviour


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drips(start: bytes, drop: bytes) -> Conduct:
    def behaviour(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            sleep(0.02)

    return behaviour


def floods(start: bytes, piece: bytes) -> Conduct:
    def behaviour(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return behaviour


@contextmanager
def serving(*behaviours: Conduct) -> Iterator[Server]:
    server = Server(*behaviours)
    yield server
    server.close()


def asked(url: str, body: bytes | None = None) -> Answer:
    return RequestsHttp(TimeoutSession()).begin(Request("POST" if body else "GET", url, {}, body))()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def requests_under_way() -> list[str]:
    names = ("request", "Thread-")  # a timer is called after its number
    alive = [thread.name for thread in threading.enumerate()]
    return [name for name in alive if name.startswith(names) and "_accept" not in name]


def settles(count: Callable[[], int], most: int) -> bool:
    end = monotonic() + 10
    while count() > most and monotonic() < end:
        sleep(0.02)
    return count() <= most


# Time

LATE = {
    "no answer": silent,
    "a status line that drips": drips(b"HTTP/1.1 2", b"0"),
    "headers that drip": drips(HEAD + b"X: ", b"x"),
    "a body that drips": drips(HEAD + b"Content-Length: 999\r\n\r\n", b"x"),
    "a body without an end that drips": drips(HEAD + b"\r\n", b"x"),
    "chunks that drip": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a chunk size that drips": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "interim answers that drip": drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("behaviour", LATE.values(), ids=LATE)
@pytest.mark.parametrize("body", [None, b"x" * 20_000_000], ids=["GET", "POST"])
def test_at_the_deadline_the_thread_and_the_connection_of_a_request_end(
    behaviour: Conduct, body: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TOTAL_TIMEOUT", 0.3)
    with serving(behaviour) as server:
        files = open_files()
        with pytest.raises(Unavailable, match=session.LATE):
            asked(server.url, body)
        assert settles(lambda: len(requests_under_way()), 0), requests_under_way()
        assert settles(open_files, files + 1), "the pool may keep it until its next use"


@pytest.mark.parametrize(
    "behaviour", [silent, drips(b"\x16\x03\x03\x40\x00", b"\x00")], ids=["silent", "drips"]
)
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxy"])
def test_a_handshake_or_a_proxy_that_does_not_come_to_an_end_is_ended(
    behaviour: Conduct, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TOTAL_TIMEOUT", 0.3)
    with serving(drips(b"HTTP/1.1 200 OK\r\nX: ", b"x") if proxied else behaviour) as server:
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", server.url)
        with pytest.raises(Unavailable, match="does not get through" if proxied else session.LATE):
            asked("https://service.example/" if proxied else f"https://127.0.0.1:{server.port}/")
        assert settles(lambda: len(requests_under_way()), 0)


def test_a_body_that_the_other_side_does_not_take_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "TOTAL_TIMEOUT", 0.3)
    with (
        serving(lambda connection: sleep(2)) as server,
        pytest.raises(Unavailable, match=session.LATE),
    ):
        asked(server.url, b"x" * 50_000_000)


def test_a_short_exchange_leaves_time_to_tell_what_did_not_connect() -> None:
    """Else the deadline ends it, and it is not known that there was no connection yet."""
    with serving(silent) as server, TimeoutSession(within=2.0) as short:
        began = monotonic()
        with pytest.raises(requests.exceptions.RequestException):
            short.exchange("GET", server.url.replace("http:", "https:"))
        assert 0.9 < monotonic() - began < 1.9


def test_a_connection_that_is_used_again_has_a_deadline_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "TOTAL_TIMEOUT", 0.3)

    def once(connection: socket.socket) -> None:
        connection.sendall(WHOLE)
        connection.recv(65536)
        sleep(2)

    with serving(once) as server:
        http = RequestsHttp(TimeoutSession())
        assert http.begin(Request("GET", server.url))().body == b"ok"
        with pytest.raises(Unavailable, match=session.LATE):
            http.begin(Request("GET", server.url))()
        assert len(server.heads) == 1, "the same connection"


def test_after_hundreds_of_requests_of_which_a_third_hang_drip_or_break_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "TOTAL_TIMEOUT", 0.5)
    broken = [
        says(HEAD + b"Content-Length: 9\r\n\r\nx"),
        silent,
        LATE["a body that drips"],
        resets,
        says(b"HTTP/1.1 503 No\r\n\r\n" + b"x" * 1_000_000),
        says(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"),
    ]
    behaviours = [each for bad in broken for each in (says(WHOLE), bad, says(WHOLE))]
    with serving(*behaviours) as server:
        http = RequestsHttp(TimeoutSession())
        files = open_files()
        answered = 0
        for _ in range(10):
            pending = [http.begin(Request("GET", server.url)) for _ in range(30)]
            for wait in pending:
                with suppress(Unavailable):
                    answered += wait().body == b"ok"
        assert 150 <= answered <= 250
        assert settles(lambda: len(requests_under_way()), 0), requests_under_way()
        assert settles(open_files, files + 10), "the pool keeps ten connections at most"


# Size


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.parametrize("status", [200, 302, 503])
def test_of_a_compressed_bomb_no_more_than_the_limit_is_unpacked(status: int) -> None:
    packed = gzip.compress(bytes(400_000_000), 1)
    head = b"HTTP/1.1 %d OK\r\nLocation: /\r\nContent-Encoding: gzip\r\n\r\n" % status
    answer = head + packed
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    with serving(says(answer)) as server:
        cut = asked(server.url)
    assert (cut.status, cut.cut, len(cut.body)) == (status, True, codec.LONGEST)
    assert peak() - before < 40_000_000
    with pytest.raises(Unavailable):
        check_available(cut, NOON)


@pytest.mark.parametrize(
    ("head", "piece", "length"),
    [
        pytest.param(HEAD + b"\r\n", bytes(100_000), codec.LONGEST, id="plain"),
        pytest.param(
            HEAD + b"Content-Encoding: gzip\r\n\r\n", 999 * gzip.compress(b""), 0, id="empty gzip"
        ),
    ],
)
def test_a_body_without_end_is_read_to_the_limit(head: bytes, piece: bytes, length: int) -> None:
    with serving(floods(head, piece)) as server:
        answer = asked(server.url)
    assert (answer.cut, len(answer.body)) == (True, length)


@pytest.mark.parametrize("members", [1, 2, 50])
@pytest.mark.parametrize("length", [0, 1, 65536, 3_000_000])
def test_a_packed_body_is_unpacked_whatever_its_members(members: int, length: int) -> None:
    body = os.urandom(length // 3) + bytes(length - length // 3)
    step = len(body) // members + 1
    parts = [gzip.compress(body[n * step : (n + 1) * step]) for n in range(members)]
    with serving(says(HEAD + b"Content-Encoding: gzip\r\n\r\n", *parts)) as server:
        answer = asked(server.url)
    assert (answer.cut, answer.body == body) == (False, True)


def test_a_body_of_just_the_limit_is_whole() -> None:
    with serving(says(HEAD + b"\r\n" + bytes(codec.LONGEST))) as server:
        answer = asked(server.url)
    assert (answer.cut, len(answer.body)) == (False, codec.LONGEST)
    check_available(answer, NOON)


def padded(length: int) -> bytes:
    """An answer whose head has ``length`` bytes."""
    start, end = HEAD + (b"X: " + b"x" * 2000 + b"\r\n") * 60, b"Content-Length: 2\r\n\r\n"
    rest = length - len(start + end) - len(b"X: \r\n")
    return start + b"X: " + b"x" * rest + b"\r\n" + end + b"ok"


def test_a_head_is_read_to_its_limit_and_a_longer_one_is_no_answer() -> None:
    with serving(says(padded(LONGEST_HEAD)), says(padded(LONGEST_HEAD + 1))) as server:
        assert asked(server.url).body == b"ok"
        with pytest.raises(Unavailable, match="no usable answer"):
            asked(server.url)


def test_headers_do_not_exhaust_the_memory() -> None:
    """As many lines of as many bytes as http.client lets through take tens of MiB."""
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 65_000) for n in range(95))
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    with (
        serving(says(HEAD, lines, b"Content-Length: 2\r\n\r\nok")) as server,
        pytest.raises(Unavailable, match="no usable answer"),
    ):
        asked(server.url)
    assert peak() - before < 15_000_000


def test_the_lines_between_the_chunks_of_a_body_are_none_of_a_head() -> None:
    chunks = b"1\r\nx\r\n" * LONGEST_HEAD
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with serving(says(head, chunks, b"0\r\n\r\n")) as server:
        assert asked(server.url).body == b"x" * LONGEST_HEAD


# One request


ODD = {
    "a header line without end": floods(HEAD + b"X: ", b"x" * 1000),
    "headers without end": floods(HEAD, b"X: " + b"x" * 1000 + b"\r\n"),
    "interim answers without end": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a broken chunk": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a negative chunk": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nxxxxx"),
    "trailers without end": floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x" * 1000),
    "no HTTP": says(b"\xff\xfe\x00" * 100),
    "nothing": says(),
    "too many encodings": says(HEAD + b"Content-Encoding: " + b"gzip," * 99 + b"gzip\r\n\r\nx"),
    "another encoding": says(HEAD + b"Content-Encoding: br\r\n\r\nx"),
    "torn gzip": says(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(99))[:-9]),
    "no gzip": says(HEAD + b"Content-Encoding: gzip\r\n\r\nx"),
}


LENGTHS = (b"-5", b"abc", b"", b"1e1", b"+2", b"2_0", b"0x2", b"2, 2", b"\xb2", b"9" * 5000)


@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: repr(length[:9]))
def test_a_body_of_a_length_that_is_no_number_is_not_waited_for(length: bytes) -> None:
    def unending(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: " + length + b"\r\n\r\nok")
        silent(connection)

    began = monotonic()
    with serving(unending) as server, pytest.raises(Unavailable, match="no usable answer"):
        asked(server.url)
    assert monotonic() - began < session.READ_TIMEOUT / 10


@pytest.mark.parametrize("behaviour", ODD.values(), ids=ODD)
def test_whatever_a_library_raises_about_one_answer_is_unavailable(behaviour: Conduct) -> None:
    with (
        serving(behaviour) as server,
        pytest.raises(Unavailable) as caught,
    ):
        asked(server.url)
    assert caught.value.sentence in (diagnosis.CUT_OFF, diagnosis.USABLE)
    assert caught.value.detail


@pytest.mark.parametrize("location", [b"http://[x", b"//", b"\xff\xfe", b"http://a:b:c/", b""])
def test_a_redirect_is_an_answer_whatever_it_leads_to(location: bytes) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 2\r\n\r\nok"
    with serving(says(answer)) as server:
        assert asked(server.url).status == 302
    assert len(server.heads) == 1


def test_an_error_of_a_signer_that_is_no_failure_of_ours_is_unavailable() -> None:
    class Odd(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            raise UnicodeError("canary")

    with pytest.raises(Unavailable, match="UnicodeError") as caught:
        RequestsHttp(TimeoutSession(), Odd()).begin(Request("GET", "http://127.0.0.1/"))()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "pipe", "/dev/zero", "too long" * 100])
def test_certificate_authorities_that_are_no_file_are_not_waited_for(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / name))
    with serving(silent) as server, pytest.raises(Unavailable, match="REQUESTS_CA_BUNDLE"):
        asked(f"https://127.0.0.1:{server.port}/")
    assert settles(lambda: len(requests_under_way()), 0)


@pytest.mark.parametrize("url", ["https://[x/", "http://host:99999/", "http://host:port/", "", "x"])
def test_a_request_to_what_is_no_address_is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable, match="no usable answer"):
        asked(url)


def test_errors_in_a_circle_let_go_of_their_frames_too() -> None:
    errors = ValueError(), OSError()
    for error, other in (errors, errors[::-1]):
        with suppress(type(error)):
            raise error
        error.__context__ = other
    session.unavailable(errors[0], "https://service.example/")
    assert [error.__traceback__ for error in errors] == [None, None]


@pytest.mark.parametrize("password", ["pa@ss", "pa%23ss", "pa:ss", "päss"])
def test_a_password_that_requests_can_read_is_sent_to_the_proxy(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(says(b"HTTP/1.1 407 No\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{password}@127.0.0.1:{proxy.port}")
        with pytest.raises(Unavailable, match="status 407"):
            asked("https://service.example/")
    assert b"Proxy-Authorization: Basic" in proxy.heads[0]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_http_to_this_machine_passes_no_proxy(
    variable: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would see the key in plain text."""
    with serving(says(WHOLE)) as proxy, serving(says(WHOLE)) as server:
        monkeypatch.setenv(variable, proxy.url)
        url = f"http://{host}:{server.port}/"
        assert asked(url, b"canary").status == 200
        assert proxy.heads == []
        assert route_to(url).proxy == ""
        assert asked(f"http://service.example:{server.port}/").status == 200
    assert len(proxy.heads) == 1


INTERIM = {
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "processing": b"HTTP/1.1 102 Processing\r\n\r\n",
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 9\r\n\r\n",
    "several": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 199 X\r\n\r\nHTTP/1.1 100 X\r\n\r\n",
}


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_after_an_interim_answer_each_request_still_gets_its_own_answer(interim: bytes) -> None:
    """Else a refusal would come as the answer to the next request, and lost events count as accepted."""

    def behaviour(connection: socket.socket) -> None:
        connection.sendall(interim)
        sleep(0.1)
        connection.sendall(WHOLE)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")

    with serving(behaviour) as server:
        http = RequestsHttp(TimeoutSession())
        answers = [http.begin(Request("GET", server.url))() for _ in range(2)]
    assert [(each.status, each.body) for each in answers] == [(200, b"ok"), (400, b"")]
    assert len(server.heads) == 1, "the same connection"


def test_an_interim_answer_of_a_proxy_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says(INTERIM["several"], b"HTTP/1.1 407 No\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unavailable, match="status 407"):
            asked("https://service.example/")


def test_after_a_switch_to_another_protocol_the_connection_is_not_used_again() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"

    def switches(connection: socket.socket) -> None:
        connection.sendall(switch)
        silent(connection)

    with serving(switches, says(WHOLE)) as server:
        http = RequestsHttp(TimeoutSession())
        with pytest.raises(Unavailable, match="no usable answer"):
            http.begin(Request("GET", server.url))()
        assert http.begin(Request("GET", server.url))().body == b"ok"


# Nothing is left behind


def test_cookies_are_not_kept() -> None:
    crumbs = b"".join(b"Set-Cookie: c%d=%s; Path=/\r\n" % (n, b"x" * 4000) for n in range(20))
    with serving(
        says(HEAD + crumbs + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")
    ) as server:
        http = RequestsHttp(TimeoutSession())
        for _ in range(3):
            assert http.begin(Request("GET", server.url))().status == 200
    assert len(server.heads) == 3
    assert not any(b"cookie" in head.lower() for head in server.heads)


def test_no_login_of_others_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(says(WHOLE)) as server:
        asked(server.url)
        TokenHttp(server.url + "tenant", TimeoutSession()).post(
            server.url + "tenant/token", data={}
        )
    assert [head.split()[1] for head in server.heads] == [b"/", b"/tenant/token"]
    assert not any(b"authorization" in head.lower() for head in server.heads)
