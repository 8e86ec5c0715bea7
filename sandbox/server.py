"""One HTTPS port for one service: HTTP/1.1, kept-alive connections, faults, request log.

Everything that waits in here ends when the server is closed.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import traceback
from http.server import ThreadingHTTPServer
from typing import Any

from sandbox.clock import Clock
from sandbox.faults import FaultPlan
from sandbox.handler import Handler, Service, cut
from sandbox.request_log import RequestLog

POLL_SECONDS = 0.01
"""How often a server looks whether it is to stop."""


class TlsServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1, on a port of the system's choice, from `start` to `close`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        service: Service,
        context: ssl.SSLContext,
        plan: FaultPlan,
        request_log: RequestLog,
        now: Clock,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.service, self.plan, self.request_log, self.now = service, plan, request_log, now
        self.closing = threading.Event()
        self.failures: list[BaseException] = []
        """Errors of the sandbox itself; a sound run has none."""
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        # The handshake happens in the connection's own thread: one slow client stops nobody.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(
            target=self.serve_forever,
            args=(POLL_SECONDS,),
            name=f"sandbox-{service.name}",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"https://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening, cut every connection, release whoever hangs."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)
        with self._lock:
            remaining = dict(self._open)
        for connection, thread in remaining.items():
            cut(connection)
            thread.join(2)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, remembering it for `close`."""
        with self._lock:
            self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away at any time; anything else is a failure of the sandbox."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        """Record and show an error of the sandbox itself."""
        self.failures.append(error)
        traceback.print_exception(error, file=sys.stderr)
