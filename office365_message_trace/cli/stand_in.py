"""Stands in for the platform's playbook API, and on request for the intake, where ``run`` starts a trigger."""

import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from office365_message_trace.untrusted_text import printable

LONGEST = 64 * 1024 * 1024  # bytes of a request; a batch has some megabytes
_GZIP = 16 + zlib.MAX_WBITS


class StandIn(BaseHTTPRequestHandler):
    """Has no secrets, drops log lines, which are on the trigger's standard error anyway, and prints the
    events of a batch, one a line: as they are, but for characters that a terminal would obey."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST:
            self.close_connection = True
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        if self.path != "/batch":
            self._answer({})
            return
        try:
            events = _events(body, self.headers.get("Content-Encoding") == "gzip")
        except (ValueError, TypeError, KeyError, zlib.error):
            self.send_error(400)  # of another program: a trigger sends batches
            return
        self._answer(self._printed(events))

    def log_message(self, *_: object) -> None:
        """Log nothing: the trigger's own log tells what happens."""

    def _printed(self, events: list[str]) -> dict[str, list[str]]:
        safe = printable if sys.stdout.isatty() else _unchanged
        with suppress(BrokenPipeError):  # `run` ends when nothing reads its output
            sys.stdout.write("".join(f"{safe(event, len(event))}\n" for event in events))
            sys.stdout.flush()
        return {"event_ids": [str(number) for number in range(len(events))]}

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _events(body: bytes, packed: bool) -> list[str]:
    """The events of a batch. Raises ValueError, TypeError, KeyError or zlib.error if it is none, or unpacks
    to more than `LONGEST`."""
    if packed:
        body = zlib.decompressobj(_GZIP).decompress(body, LONGEST)
    events = json.loads(body)["jsons"]
    if not isinstance(events, list) or not all(isinstance(each, str) for each in events):
        raise ValueError("no list of texts")
    return events


def _unchanged(event: str, _longest: int) -> str:
    return event


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a trigger that is stopped disconnects
            super().handle_error(request, client_address)


@contextmanager
def stand_in() -> Iterator[str]:
    """The URL of a server on this machine's own address."""
    with _Server(("127.0.0.1", 0), StandIn) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
