"""Stands in for the playbook API where there is no Sekoia.io platform around the trigger.

The SDK asks that API for secrets before it starts a trigger, and ends when nobody answers; log lines
are sent there as well. Here every request is answered with an empty JSON object: there are no secrets
but those of the settings, and the log lines are on the trigger's standard error anyway.
"""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 8080
ANSWER = b"{}"
LONGEST = 1024 * 1024  # bytes of a request; the SDK sends a hundred log lines at a time
SILENCE = 10.0  # seconds between two bytes of a request


class PlaybookAPI(BaseHTTPRequestHandler):
    """Answers what the SDK asks and takes what it sends."""

    timeout = SILENCE

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST:
            self.close_connection = True
            self.send_error(413 if length.isdecimal() else 411)
            return
        self.rfile.read(int(length))
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing: the trigger's own log tells what happens."""

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


if __name__ == "__main__":
    # A container's first process is not ended by SIGTERM unless it handles it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    address = sys.argv[2] if len(sys.argv) > 2 else ""  # where containers reach each other: any
    server = ThreadingHTTPServer((address, port), PlaybookAPI)
    server.daemon_threads = True
    server.serve_forever()
