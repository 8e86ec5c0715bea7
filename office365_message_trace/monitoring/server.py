"""Serves the ports for the liveness probe and the metrics; silent connections do not block it."""

import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

MOST_CONNECTIONS = 32
SILENCE = 10.0  # seconds between two bytes of a request


class MonitoringServer(ThreadingHTTPServer):
    """Serves each connection on ``port`` in a thread of its own.

    Closes a connection that is silent for `SILENCE`, and the oldest of more than `MOST_CONNECTIONS`:
    neither idle nor trickling clients keep others out.
    """

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS  # a client waits a second or more if the queue is full

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[socket.socket, None] = {}  # oldest first
        self._lock = Lock()
        super().__init__(("", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(SILENCE)
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):  # the client may have closed it
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Close the connection and say nothing: clients may disconnect, or ask for what a handler cannot
        read, and a stack trace would quote them."""
