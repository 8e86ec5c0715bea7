"""The ports for probes and metrics answer whatever others do with them."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread, active_count
from time import monotonic, sleep

import pytest
from prometheus_client import CollectorRegistry, MetricsHandler

from office365_message_trace.monitoring import server
from office365_message_trace.monitoring.server import MOST_CONNECTIONS, MonitoringServer


class Healthy(BaseHTTPRequestHandler):
    """Answers like a probe's endpoint."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"well")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = MonitoringServer(0, handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    with serving(Healthy) as port:
        yield port


def probed(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return bytes(answer.read())


def threads_left(wanted: int) -> int:
    """How many threads there are, once there are as few as ``wanted`` or five seconds have passed."""
    end = monotonic() + 5
    while active_count() > wanted and monotonic() < end:
        sleep(0.01)
    return active_count()


@pytest.mark.parametrize("strangers", [1, MOST_CONNECTIONS, 3 * MOST_CONNECTIONS])
@pytest.mark.parametrize("says", [b"", b"GET /health HTTP/1.1\r\nX: "], ids=["nothing", "a part"])
def test_a_probe_is_answered_while_strangers_hold_connections(
    port: int, strangers: int, says: bytes
) -> None:
    before = active_count()
    with ExitStack() as stack:
        for _ in range(strangers):
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            stranger.sendall(says)
        assert [probed(port) for _ in range(3)] == [b"well"] * 3
        assert threads_left(before + MOST_CONNECTIONS) <= before + MOST_CONNECTIONS
    assert threads_left(before) == before


def test_as_many_as_are_served_can_connect_at_once() -> None:
    """Nobody accepts here; a connection that does not fit the queue is tried again after a second."""
    server = MonitoringServer(0, Healthy)
    with ExitStack() as stack:
        stack.callback(server.server_close)
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(
                socket.create_connection(("127.0.0.1", server.server_port), timeout=0.5)
            )


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text; version=canary\r\n\r\n",
        b"GET http://[canary HTTP/1.0\r\n\r\n",
    ],
    ids=["version", "address"],
)
def test_an_odd_request_puts_nothing_into_the_log(
    request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(MetricsHandler.factory(CollectorRegistry())) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
            stranger.sendall(request_)
            while stranger.recv(65536):
                pass
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).close()
    assert capfd.readouterr() == ("", "")


def test_a_silent_connection_is_ended(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENCE", 0.1)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
        assert stranger.recv(1) == b""
