"""Conditions on the rows of a Microsoft Graph query: pure.

Of several conditions on one property Graph heeds the last, and it ignores ``or``, ``in`` and ``not`` without
an error. So a query holds one condition a property, and several values of a property are several queries.
Graph compares without regard to case. ``*@`` before a domain is the only wildcard that works, and only for
senders.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from typing import Any, Literal
from unicodedata import normalize

from office365_message_trace.microsoft.field_names import GRAPH

Comparison = Literal["eq", "contains", "startsWith", "endsWith"]
"""The ones that Graph has; all but ``eq`` for the subject only."""

ANY_OF_DOMAIN = "*@"
_ADDRESSES = (GRAPH.from_ip, GRAPH.to_ip)


@dataclass(frozen=True, slots=True)
class Condition:
    """Rows whose ``name``, a property of Graph's rows, compares so with ``value``."""

    name: str
    value: str
    comparison: Comparison = "eq"

    def __str__(self) -> str:
        """The condition as Graph's ``$filter`` writes it."""
        if self.comparison == "eq":
            return f"{self.name} eq {odata_text(self.value)}"
        return f"{self.comparison}({self.name},{odata_text(self.value)})"

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """True if the row of ``fields`` meets it, as Graph compares."""
        found, wanted = _folded(fields.get(self.name)), _folded(self.value)
        match self.comparison:
            case "contains":
                return wanted in found
            case "startsWith":
                return found.startswith(wanted)
            case "endsWith":
                return found.endswith(wanted)
        if self.name in _ADDRESSES:
            return _same_address(found, wanted)
        if wanted.startswith(ANY_OF_DOMAIN):
            return found.endswith(wanted.removeprefix("*"))
        return found.strip() == wanted.strip()


Conditions = tuple[Condition, ...]
"""All of them hold; one a property at most."""


def combinations(values: Iterable[Sequence[Condition]]) -> Iterator[Conditions]:
    """The queries for rows that meet one condition of each of ``values``, each of which is for one property
    and may be empty: then any value will do. There may be more than the memory holds."""
    return product(*(dict.fromkeys(each) for each in values if each))


def odata_text(text: str) -> str:
    """``text`` as a literal; halves of surrogate pairs, which no address can hold, are replaced."""
    return "'" + text.replace("'", "''").encode("utf-8", "replace").decode() + "'"


def _folded(value: object) -> str:
    return normalize("NFC", value if isinstance(value, str) else "").casefold()


def _same_address(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return one == other
