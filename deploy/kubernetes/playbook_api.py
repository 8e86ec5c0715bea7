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


class PlaybookAPI(BaseHTTPRequestHandler):
    """Answers what the SDK asks and takes what it sends."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
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
    ThreadingHTTPServer(("", port), PlaybookAPI).serve_forever()
