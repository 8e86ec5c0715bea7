"""Reads the status line and the headers of answers, and of no more bytes than there may be."""

import math
from http.client import HTTPException, HTTPResponse, parse_headers
from io import BufferedReader
from typing import Any

LONGEST_HEAD = 128 * 1024
"""Bytes of the lines before a body, those of interim answers included. They take many times that in memory."""

_CONTINUE, _SWITCHING_PROTOCOLS, _OK = 100, 101, 200


class FinalResponse(HTTPResponse):
    """The final answer to a request, also to a proxy's CONNECT.

    http.client skips an interim answer only if its status is 100. It takes another one, such as 103, for
    the final one; then the final one waits on the connection, and counts as the answer to the next request.
    Raises HTTPException for a head of more than `LONGEST_HEAD`, and for a switch to another protocol.
    """

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = _Head(self.fp.detach())

    def begin(self) -> None:
        super().begin()
        self.fp.left = math.inf  # type: ignore[attr-defined]  # chunks of a body have lines, too

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        while _CONTINUE <= status < _OK:
            if status == _SWITCHING_PROTOCOLS:
                raise HTTPException("a protocol that nobody asked for")
            parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, status, reason


class _Head(BufferedReader):
    """Reads a connection. Raises HTTPException once its lines exceed `LONGEST_HEAD` bytes in all."""

    left: float = LONGEST_HEAD

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise HTTPException("a head that is too long")
        return line
