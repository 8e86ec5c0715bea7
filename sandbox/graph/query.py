"""The queries of message traces in Microsoft Graph that this module sends, with what was observed of them.

All conditions must hold; of several for one property the last one counts. Graph accepts more, and ignores
much of it (`or`, `in`, `ne`, `not`, `$select`, `$orderby`, `$count`); here all that is refused, so that none
is sent unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import utc_instant
from sandbox.graph.render import GRAPH_FIELDS
from sandbox.rows import Content

DEFAULT_WINDOW = timedelta(hours=48)
DEFAULT_TOP, MAX_TOP = 1000, 5000

_OPTIONS = frozenset(("$filter", "$top", "$skiptoken"))
_FILTERABLE = frozenset(GRAPH_FIELDS) - {"size"}
_JOINT = " and "
_CONDITION = re.compile(
    r"""(?P<call>contains|startsWith|endsWith)\(subject,'(?P<piece>(?:[^']|'')*)'\)
    | receivedDateTime[ ](?P<bound>ge|le)[ ](?P<instant>\S+)
    | (?P<name>\w+)[ ]eq[ ]'(?P<text>(?:[^']|'')*)'""",
    re.VERBOSE,
)


_AS_IT_IS = {
    "id": "MessageTraceId",
    "senderAddress": "SenderAddress",
    "recipientAddress": "RecipientAddress",
    "messageId": "MessageId",
}
"""Properties that are shown unchanged, with the tenant's name of each."""


class QueryError(Exception):
    """A query the service refuses with status 400; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. The window is aware UTC and has both its ends; None without a filter on it."""

    window: tuple[datetime, datetime] | None
    equal: tuple[tuple[str, str], ...]
    """Property and value."""
    subject: tuple[str, str] | None
    """contains, startsWith or endsWith, and of what."""
    top: int

    @property
    def selective(self) -> bool:
        """Whether rows of the window can be left out."""
        return bool(self.equal) or self.subject is not None

    def may_match(self, content: Content) -> bool:
        """Whether a row can match, by what Graph shows as the tenant has it: quicker than `matches`."""
        return all(
            name not in _AS_IT_IS or _meets(name, content[_AS_IT_IS[name]], value)
            for name, value in self.equal
        )

    def matches(self, row: dict[str, Any]) -> bool:
        """Whether a row, as Graph shows it, meets all but the window; without regard to case."""
        if not all(_meets(name, row[name], value) for name, value in self.equal):
            return False
        if self.subject is None:
            return True
        how, piece = self.subject
        text, piece = str(row["subject"] or "").lower(), piece.lower()
        return {
            "contains": piece in text,
            "startsWith": text.startswith(piece),
            "endsWith": text.endswith(piece),
        }[how]


def _meets(name: str, found: Any, value: str) -> bool:
    found, wanted = str(found or "").lower(), value.lower()
    if name == "senderAddress" and wanted.startswith("*@"):
        return found.endswith(wanted[1:])  # observed: the one wildcard that works
    return bool(found == wanted)


def parse(options: dict[str, str]) -> Query:
    """Parse the query options; raises `QueryError` with the service's kind of text."""
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise QueryError(f"The query option '{name}' is not known.")
    found = _Conditions()
    if "$filter" in options:
        _read(options["$filter"], found)
    if found.start is not None and found.end is None:
        raise QueryError("EndDate is required when a StartDate is entered.")
    if found.end is not None and found.start is None:
        raise QueryError("StartDate is required when an EndDate is entered.")
    window = (found.start, found.end) if found.start and found.end else None
    return Query(window, tuple(found.equal.items()), found.subject, _top(options.get("$top")))


@dataclass
class _Conditions:
    start: datetime | None = None
    end: datetime | None = None
    equal: dict[str, str] = field(default_factory=dict)
    subject: tuple[str, str] | None = None

    def add(self, part: re.Match[str]) -> None:
        """Take note of a condition."""
        if part["bound"] == "ge":
            self.start = _instant(part["instant"])
        elif part["bound"] == "le":
            self.end = _instant(part["instant"])
        elif part["call"]:
            self.equal.pop("subject", None)
            self.subject = part["call"], part["piece"].replace("''", "'")
        else:
            self._add_equal(part["name"], part["text"].replace("''", "'"))

    def _add_equal(self, name: str, text: str) -> None:
        if name not in GRAPH_FIELDS:
            raise QueryError(
                f"Could not find a property named '{name}' on type "
                "'microsoft.graph.exchangeMessageTrace'."
            )
        if name not in _FILTERABLE:
            raise QueryError(f"The property '{name}' cannot be used in the $filter query option.")
        self.equal[name] = text
        if name == "subject":
            self.subject = None


def _read(text: str, found: _Conditions) -> None:
    position = 0
    while True:
        part = _CONDITION.match(text, position)
        if part is None:
            break
        found.add(part)
        position = part.end()
        if position == len(text):
            return
        if not text.startswith(_JOINT, position):
            break
        position += len(_JOINT)
    raise QueryError(f"Invalid filter clause: syntax error at position {position} in '{text}'.")


def _instant(text: str) -> datetime:
    try:
        return utc_instant(text, digits=12)
    except ValueError:
        raise QueryError(
            "Invalid filter clause: receivedDateTime wants a literal of type 'Edm.DateTimeOffset'."
        ) from None


def _top(text: str | None) -> int:
    """Observed: 0 stands for the default, more than the maximum is refused."""
    if text is None:
        return DEFAULT_TOP
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MAX_TOP:
        raise QueryError("ResultSize is invalid")
    return int(text) or DEFAULT_TOP
