"""The refusals of the Reporting Web Service: HTML, two JSON envelopes, a third for 403, XML."""

from __future__ import annotations

from xml.sax.saxutils import escape

from sandbox.reporting.options import Dialect
from sandbox.reporting.render import JSON_LIGHT, JSON_VERBOSE
from sandbox.wire import HTML, Response, json_response

_DENIED = "401 - Unauthorized: Access is denied due to invalid credentials."


def unauthorized() -> Response:
    """The web server's own page (observed): absent, wrong or expired credentials."""
    text = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
        f"<html><head><title>{_DENIED}</title></head><body>"
        f'<div id="header"><h1>Server Error</h1></div><h2>{_DENIED}</h2>'
        "<h3>You do not have permission to view this directory or page using the credentials that "
        "you supplied.</h3></body></html>\r\n"
    )
    return Response(401, text.encode(), HTML)


def forbidden() -> Response:
    """No directory role, or no permission (observed; the name before the full stop is empty)."""
    text = "No permission to access the report for the organization ."
    return json_response(403, {"ErrorCode": "", "Message": text})


def not_found(report: str, dialect: Dialect) -> Response:
    """A report that does not exist (documented status)."""
    return failure(404, f"Resource not found for the segment '{report}'.", dialect)


def wall(dialect: Dialect) -> Response:
    """What ends the paging of a window of a million rows (observed in light JSON)."""
    text = "An error has occurred on the server."
    return failure(500, text, dialect, code="UnknownError", lang="")


def too_old(days: int, status: int, dialect: Dialect) -> Response:
    """A window that begins before the history (observed text, unknown status)."""
    text = f"Invalid StartDate value. The StartDate can't be older than {days} days from today."
    return failure(status, text, dialect)


def too_large(rows: int, limit: int, status: int, dialect: Dialect) -> Response:
    """A window with more rows than the service is willing to give (text of the sandbox)."""
    text = (
        f"The query is too large: it matches {rows} results and at most {limit} are allowed. "
        "Narrow the range between StartDate and EndDate."
    )
    return failure(status, text, dialect)


def failure(
    status: int, text: str, dialect: Dialect, *, code: str = "", lang: str = "en-US"
) -> Response:
    """An error in the envelope that goes with the form of answer asked for."""
    message = {"lang": lang, "value": text}
    if dialect == "atom":
        xml = (
            '<?xml version="1.0" encoding="utf-8"?><ServiceFault '
            'xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
            f"<ErrorCode>{code}</ErrorCode><Message>{escape(text)}</Message></ServiceFault>"
        )
        return Response(status, xml.encode(), "application/xml;charset=utf-8")
    light = dialect == "light"
    answer = json_response(
        status, {"odata.error" if light else "error": {"code": code, "message": message}}
    )
    return Response(status, answer.body, JSON_LIGHT if light else JSON_VERBOSE)
