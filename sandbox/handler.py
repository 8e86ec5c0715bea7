"""One connection: reads requests, applies faults, sends answers."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import replace
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol, cast

from sandbox import faults
from sandbox.clock import Clock
from sandbox.request_log import Entry, RequestLog
from sandbox.wire import HTML, Request, Response

IDLE_SECONDS = 120.0
"""A kept-alive connection that stays silent for longer is closed."""


class Service(Protocol):
    """Answers requests; called from many threads at once."""

    @property
    def name(self) -> str:
        """The name in rules and in the request log."""
        ...

    def handle(self, request: Request) -> Response:
        """The answer to one request."""
        ...


class Host(Protocol):
    """What a connection needs of the server it belongs to."""

    service: Service
    plan: faults.FaultPlan
    request_log: RequestLog
    now: Clock
    closing: threading.Event

    def failed(self, error: BaseException) -> None:
        """Record an error of the sandbox itself."""
        ...


class Handler(BaseHTTPRequestHandler):
    """Serves the requests of one connection, faults included."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    @property
    def host(self) -> Host:
        """The server."""
        return cast(Host, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """The request log keeps what is needed; the console stays quiet."""

    def do_GET(self) -> None:
        """Serve one request of any method."""
        host = self.host
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit():
            self.close_connection = True
            self._send(Response(411, b"Length Required", HTML))
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        fault = host.plan.take(host.service.name, request.method, request.target)
        if isinstance(fault, (faults.Drop, faults.Hang)):
            self._record(request, 0, fault)
            if isinstance(fault, faults.Hang):
                host.closing.wait(fault.seconds)
            self._end()
            return
        if isinstance(fault, faults.Delay):
            host.closing.wait(fault.seconds)
        response = self._answer(request, fault)
        if isinstance(fault, faults.OtherDate):
            response = replace(response, headers={**response.headers, "Date": fault.date})
        self._record(request, response.status, fault)
        if isinstance(fault, faults.LoseAnswer):
            self._end()
        elif isinstance(fault, faults.Drip):
            self._drip(response, fault.pause)
        else:
            self._send(response, fault.fraction if isinstance(fault, faults.Truncate) else 1.0)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    def _answer(self, request: Request, fault: faults.Fault | None) -> Response:
        if isinstance(fault, faults.Answer):
            return Response(fault.status, fault.body, fault.content_type, fault.headers)
        try:
            return self.host.service.handle(request)
        except Exception as error:  # shown and kept; the client gets a 500
            self.host.failed(error)
            return Response(500, b"the sandbox itself failed", HTML)

    def _record(self, request: Request, status: int, fault: faults.Fault | None) -> None:
        name = fault.name if fault else None
        service, now = self.host.service.name, self.host.now()
        headers = frozenset(request.headers)
        self.host.request_log.record(
            Entry(service, request.method, request.target, status, now, name, headers)
        )

    def _send(self, response: Response, fraction: float = 1.0) -> None:
        """Send head and body in one write; with a fraction below 1, cut the body and end."""
        body = b"" if self.command == "HEAD" else response.body
        sent = body if fraction >= 1 else body[: int(len(body) * fraction)]
        self.wfile.write(self._head(response) + sent)
        if fraction < 1:
            self._end(reset=False)

    def _drip(self, response: Response, pause: float) -> None:
        """Send the body byte by byte, until the client has enough of it or the sandbox closes."""
        self.wfile.write(self._head(response))
        try:
            for byte in response.body:
                if self.host.closing.wait(pause):
                    break
                self.wfile.write(bytes([byte]))
        except OSError:
            self.close_connection = True  # the client has gone

    def _head(self, response: Response) -> bytes:
        reason = HTTPStatus(response.status).phrase if response.status in _KNOWN else "Unknown"
        headers = {
            "Date": format_datetime(self.host.now(), usegmt=True),
            "Content-Type": response.content_type,
            "Content-Length": len(response.body),
            **response.headers,
        }
        head = [f"HTTP/1.1 {response.status} {reason}"]
        head += [f"{name}: {value}" for name, value in headers.items() if value != ""]
        if self.close_connection:
            head.append("Connection: close")
        return "\r\n".join([*head, "", ""]).encode("latin-1")

    def _end(self, *, reset: bool = True) -> None:
        """End the connection without another byte; with `reset`, as a broken network would."""
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            cut(self.connection)


_KNOWN = frozenset(status.value for status in HTTPStatus)


def cut(connection: socket.socket) -> None:
    """Shut the TCP connection below TLS, waking whoever reads from it."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # already closed by the other side
