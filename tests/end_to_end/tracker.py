"""An error tracker on loopback that takes what the SDK's client of Sentry sends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Tracker:
    """Keeps every envelope that arrives, unpacked; ``dsn`` is where to send them."""

    def __init__(self) -> None:
        self.envelopes: list[bytes] = []
        self.dsn = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in the envelopes, in the order of their arrival."""
        items = [json.loads(line) for each in self.envelopes for line in each.splitlines() if line]
        return [item for item in items if "event_id" in item and "level" in item]


@contextmanager
def open_tracker() -> Iterator[Tracker]:
    """A tracker that listens as long as the block lasts."""
    tracker = Tracker()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            tracker.envelopes.append(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        tracker.dsn = f"http://public@127.0.0.1:{server.server_port}/1"
        yield tracker
        server.shutdown()
        thread.join()
