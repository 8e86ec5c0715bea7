"""The queries of the Reporting Web Service that this module sends, and that the service's links hold.

Working clients send more than these; here the rest is refused, so that none is sent unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.clock import utc_instant

DEFAULT_WINDOW = timedelta(hours=48)
"""Observed: without a filter, the answer echoes a window of exactly 48 hours that ends now."""

_OPTIONS = frozenset(("$filter", "$skiptoken", "$format"))
_CONDITION = re.compile(
    r"(?P<name>\w+) eq (?P<kind>datetime|guid)'(?P<text>(?:[^']|'')*)'", re.IGNORECASE
)
_KINDS = {"startdate": "datetime", "enddate": "datetime", "messagetraceid": "guid"}


class QueryError(Exception):
    """A query the service refuses with status 400; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. The window is aware UTC; which bounds belong to it is the server's affair."""

    start: datetime
    end: datetime
    trace_id: str | None = None
    """The one message that is asked for, without regard to case."""
    skip_token: int | None = None
    passed_empty_page: bool = False
    """The token says that the empty page before this one was already given."""


def parse(options: dict[str, str], now: datetime) -> Query:
    """Parse the query options; raises `QueryError` with the service's kind of text."""
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise QueryError(f"The query parameter '{name}' is not supported.")
    said = _conditions(options["$filter"]) if "$filter" in options else {}
    if ("startdate" in said) != ("enddate" in said):
        raise QueryError(
            "StartDate and EndDate must be given together: the other one of the two is required."
        )
    end = _instant(said["enddate"]) if "enddate" in said else now
    start = _instant(said["startdate"]) if "startdate" in said else end - DEFAULT_WINDOW
    token, passed = _skip_token(options.get("$skiptoken"))
    return Query(start, end, said.get("messagetraceid"), token, passed)


def _conditions(text: str) -> dict[str, str]:
    """The value of the condition on each column, by the column's name in lower case."""
    found = {}
    for condition in text.split(" and "):
        part = _CONDITION.fullmatch(condition)
        if part is None:
            raise QueryError(f"Syntax error in '{condition}'.")
        name, kind = part["name"].lower(), part["kind"].lower()
        if name not in _KINDS:
            raise QueryError(
                f"Type 'TenantReporting.MessageTrace' does not have a property named '{name}'."
            )
        if kind != _KINDS[name]:
            raise QueryError(f"A binary operator with incompatible types was found for '{name}'.")
        found[name] = part["text"].replace("''", "'")
    return found


def _instant(text: str) -> datetime:
    try:
        return utc_instant(text, digits=7)
    except ValueError:
        raise QueryError(f"Unrecognized 'Edm.DateTime' literal 'datetime'{text}''.") from None


def _skip_token(text: str | None) -> tuple[int | None, bool]:
    """A number; with a leading zero, or -1, it follows an empty page of the sandbox's making."""
    if text is None:
        return None, False
    if text == "-1":
        return None, True
    if not text.isdigit():
        raise QueryError(f"Incorrect format for $skiptoken argument '{text}'.")
    return int(text), text.startswith("0") and len(text) > 1
