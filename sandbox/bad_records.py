"""A record that no page can be given with, as some services have: every answer that holds it fails."""

from __future__ import annotations

from typing import Literal

from sandbox.wire import HTML, Response

BadAnswer = Literal["500", "504", "utf-8"]
"""What comes instead of a page with the record: a status, or the page with bytes that are no UTF-8."""

SUBJECT = "A record that cannot be read"
"""The subject of such a record, by which it is known."""

BROKEN_SUBJECT = SUBJECT.replace(" cannot", " \ufffd\ufffdcannot")
"""The same as a lenient reader decodes it."""

_FAILED = b"<html><title>The operation failed because of a record</title></html>"
_BROKEN = SUBJECT.encode().replace(b" cannot", b" \xff\xfecannot")


def spoilt(response: Response, how: BadAnswer) -> Response:
    """The response, or what comes instead if the record is in it."""
    if response.status != 200 or SUBJECT.encode() not in response.body:
        return response
    if how == "utf-8":
        body = response.body.replace(SUBJECT.encode(), _BROKEN)
        return Response(200, body, response.content_type, response.headers)
    return Response(int(how), _FAILED, HTML)


def is_spoilt(body: bytes) -> bool:
    """Whether an answer is one that a bad record made what it is."""
    return body == _FAILED or _BROKEN in body
