"""The query grammar of the Reporting Web Service, as working clients are known to use it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DEFAULT_WINDOW = timedelta(hours=48)
"""Observed: without a filter, the answer echoes a window of exactly 48 hours that ends now."""

FILTERABLE = frozenset(
    (
        "Organization",
        "MessageId",
        "SenderAddress",
        "RecipientAddress",
        "Subject",
        "Status",
        "ToIP",
        "FromIP",
        "Size",
        "MessageTraceId",
    )
)
SELECTABLE = FILTERABLE | {"Received", "StartDate", "EndDate", "Index"}

_OPTIONS = frozenset(("$filter", "$select", "$orderby", "$top", "$skiptoken", "$format"))
_CONDITION = re.compile(
    r"(?P<name>\w+)\s+eq\s+(?:(?P<kind>datetime|guid)?'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+))",
    re.IGNORECASE,
)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?", re.IGNORECASE
)


class QueryError(Exception):
    """A query the service refuses with status 400; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. The window is aware UTC; which bounds belong to it is the server's affair."""

    start: datetime
    end: datetime
    fields: tuple[tuple[str, str], ...] = ()
    """Other conditions: field and value, compared without regard to case."""
    select: tuple[str, ...] = ()
    descending: bool | None = None
    top: int | None = None
    skip_token: int | None = None
    passed_empty_page: bool = False
    """The token says that the empty page before this one was already given."""


def parse(options: dict[str, str], now: datetime) -> Query:
    """Parse the query options; raises `QueryError` with the service's kind of text."""
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise QueryError(f"The query parameter '{name}' is not supported.")
    window, fields = _conditions(options.get("$filter", ""))
    if len(window) == 1:
        raise QueryError(
            "StartDate and EndDate must be given together: the other one of the two is required."
        )
    end = window.get("enddate", now)
    token, passed = _skip_token(options.get("$skiptoken"))
    return Query(
        start=window.get("startdate", end - DEFAULT_WINDOW),
        end=end,
        fields=tuple(fields),
        select=_select(options.get("$select", "")),
        descending=_order(options.get("$orderby", "")),
        top=_number("$top", options.get("$top")),
        skip_token=token,
        passed_empty_page=passed,
    )


def parse_instant(text: str) -> datetime:
    """Any observed spelling: date only, with or without fraction, Z, offset; no zone is UTC.

    Fractions finer than a microsecond are cut.
    """
    if not _INSTANT.fullmatch(text):
        raise QueryError(f"Unrecognized 'Edm.DateTime' literal 'datetime'{text}''.")
    try:
        parsed = datetime.fromisoformat(text.upper())
    except ValueError:
        raise QueryError(f"Unrecognized 'Edm.DateTime' literal 'datetime'{text}''.") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _conditions(text: str) -> tuple[dict[str, datetime], list[tuple[str, str]]]:
    window: dict[str, datetime] = {}
    fields: list[tuple[str, str]] = []
    depth, position = 0, 0
    while text.strip():
        while (skipped := re.compile(r"\s*\(?").match(text, position)) and skipped.group().strip():
            depth, position = depth + 1, skipped.end()
        condition = _CONDITION.match(text, position + _blanks(text, position))
        if condition is None:
            raise QueryError(f"Syntax error at position {position} in '{text}'.")
        _add(condition, window, fields)
        position = condition.end()
        while (skipped := re.compile(r"\s*\)").match(text, position)) is not None:
            depth, position = depth - 1, skipped.end()
        if position + _blanks(text, position) == len(text):
            break
        joined = re.compile(r"\s*\band\b", re.IGNORECASE).match(text, position)
        if joined is None:
            raise QueryError(f"Syntax error at position {position} in '{text}'.")
        position = joined.end()
    if depth:
        raise QueryError(f"Unbalanced parentheses in '{text}'.")
    return window, fields


def _blanks(text: str, position: int) -> int:
    return len(text) - position - len(text[position:].lstrip())


def _add(
    condition: re.Match[str], window: dict[str, datetime], fields: list[tuple[str, str]]
) -> None:
    name, kind = condition["name"], (condition["kind"] or "").lower()
    text = (condition["text"] or "").replace("''", "'")
    if name.lower() in ("startdate", "enddate"):
        if kind != "datetime":
            raise QueryError(f"A binary operator with incompatible types was found for '{name}'.")
        window[name.lower()] = parse_instant(text)
    elif name in FILTERABLE and kind != "datetime":
        fields.append((name, condition["number"] or text))
    else:
        raise QueryError(_no_property(name))


def _no_property(name: str) -> str:
    return f"Type 'TenantReporting.MessageTrace' does not have a property named '{name}'."


def _select(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in SELECTABLE:
            raise QueryError(_no_property(name))
    return names


def _order(text: str) -> bool | None:
    """Only by Received: the one order any client is known to have asked for."""
    if not text.strip():
        return None
    words = text.split()
    if words[0] != "Received" or words[1:] not in ([], ["asc"], ["desc"]):
        raise QueryError(f"The $orderby expression '{text}' is not supported.")
    return words[1:] == ["desc"]


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise QueryError(f"Incorrect format for {name} argument '{text}'.")
    return int(text)


def _skip_token(text: str | None) -> tuple[int | None, bool]:
    """A number; with a leading zero, or -1, it follows an empty page of the sandbox's making."""
    if text is None:
        return None, False
    if text == "-1":
        return None, True
    return _number("$skiptoken", text), text.startswith("0") and len(text) > 1
