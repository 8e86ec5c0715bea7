"""The server's own links to the next page."""

from __future__ import annotations

from urllib.parse import quote

from sandbox.reporting.query import Query
from sandbox.reporting.render import instant

_RELATIVE = "../../reportingwebservice/reporting.svc/MessageTrace"
_ABSOLUTE = "/ecp/reportingwebservice/reporting.svc/MessageTrace"


def next_link(query: Query, token: str, base_url: str | None, form: str | None) -> str:
    """The link that asks for what follows `token`; relative without a base.

    Spelled as observed: `DateTime'…'`, blanks as %20, colons as %3A, quotes as they are. `form` is
    the value of `$format` to repeat, if any.
    """
    condition = (
        f"StartDate eq DateTime'{instant(query.start)}' "
        f"and EndDate eq DateTime'{instant(query.end)}'"
    )
    if query.trace_id is not None:
        condition += " and MessageTraceId eq guid'" + query.trace_id.replace("'", "''") + "'"
    options = [f"$filter={quote(condition, safe=chr(39))}"]
    if form is not None:
        options.append(f"$format={quote(form)}")
    options.append(f"$skiptoken={token}")
    base = _RELATIVE if base_url is None else base_url + _ABSOLUTE
    return f"{base}?{'&'.join(options)}"
