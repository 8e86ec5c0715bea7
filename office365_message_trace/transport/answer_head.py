"""Reads the status line and the headers of answers."""

from http.client import HTTPException, HTTPResponse, parse_headers

_CONTINUE, _SWITCHING_PROTOCOLS, _OK = 100, 101, 200


class FinalResponse(HTTPResponse):
    """The final answer to a request, also to a proxy's CONNECT.

    http.client skips an interim answer only if its status is 100. It takes another one, such as 103, for
    the final one; then the final one waits on the connection, and counts as the answer to the next request.
    Raises HTTPException for a switch to another protocol.
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        while _CONTINUE <= status < _OK:
            if status == _SWITCHING_PROTOCOLS:
                raise HTTPException("a protocol that nobody asked for")
            parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, status, reason
