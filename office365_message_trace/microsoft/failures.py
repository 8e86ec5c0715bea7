"""Parses error answers of Microsoft's message trace services."""

from dataclasses import dataclass
from html import unescape
from typing import Any

from office365_message_trace import codec
from office365_message_trace.transport.session import Answer
from office365_message_trace.untrusted_text import code, identifier

READABLE = 20_000  # bytes of an error that are parsed
_REQUEST_IDS = ("request-id", "client-request-id")


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer other than 200, to a request for ``url``.

    ``text`` is its beginning. ``continued`` is true if a next link led to it, and ``own`` if the service
    itself sent it: only the service sends Microsoft's error bodies, a proxy in front of it does not.
    ``code`` and ``request_id`` are empty if there are none.
    """

    status: int
    text: str
    url: str
    continued: bool
    own: bool
    code: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, answer: Answer, url: str, continued: bool) -> "Failure":
        beginning = answer.body[:READABLE]
        text = unescape(beginning.decode("utf-8", "replace"))
        error = _error(beginning)
        return cls(
            answer.status,
            text,
            url,
            continued,
            own=error is not None or "<ServiceFault" in text,
            code=code((error or {}).get("code")),
            request_id=_request_id(answer.headers, error or {}),
        )

    @property
    def detail(self) -> str:
        """Details for the log, and for Microsoft's support."""
        request = f"request-id {self.request_id}" if self.request_id else ""
        return ", ".join(filter(None, (f"status {self.status}", self.code, request)))


def _error(body: bytes) -> dict[str, Any] | None:
    """The error object in one of Microsoft's three JSON envelopes; None if ``body`` is none of them."""
    try:
        envelope = codec.decode(body)
    except ValueError:
        return None
    if not isinstance(envelope, dict):
        return None
    for error in (envelope.get("error"), envelope.get("odata.error")):
        if isinstance(error, dict):
            return error
    return {"code": envelope.get("ErrorCode")} if "ErrorCode" in envelope else None


def _request_id(headers: dict[str, str], error: dict[str, Any]) -> str:
    inner = error.get("innerError") or error.get("innererror")
    places = (headers, inner if isinstance(inner, dict) else {})
    found = (identifier(place.get(name)) for place in places for name in _REQUEST_IDS)
    return next(filter(None, found), "")
