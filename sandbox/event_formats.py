"""The forms in which events can reach an intake, for the checker.

Form
 ├─ ReportingForm    rows of the Reporting Web Service, with or without their echo of the query
 ├─ GraphForm        rows of Microsoft Graph, just as it gives them
 └─ ConvertedForm    rows of Microsoft Graph in the shape of the Reporting Web Service
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.clock import to_ms
from sandbox.graph import GRAPH_FIELDS, GraphOptions, graph_row
from sandbox.rows import FIELDS, Content

ECHO = frozenset({"__metadata", "Index", "StartDate", "EndDate"})
"""Fields that say something of the query, not of the message (observed)."""

_DATE = re.compile(r"/Date\((-?\d+)\)/")


class Form(ABC):
    """What an event says, and what it must say of a version. `fields` tell events apart."""

    fields: tuple[str, ...]

    @abstractmethod
    def expected(self, content: Content) -> dict[str, Any]:
        """What an event of that content says."""

    @abstractmethod
    def said(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """What an event says of its message, or None if it is not of this form."""

    def read(self, text: str) -> dict[str, Any] | None:
        """What a text says, or None if it is not one line of JSON in this form."""
        if "\n" in text or "\r" in text:
            return None
        try:
            event = json.loads(text)
            return self.said(event) if isinstance(event, dict) else None
        except (ValueError, TypeError, KeyError):
            return None

    def identity(self, content: Content) -> tuple[Any, ...]:
        """What tells the event of that content apart from others."""
        expected = self.expected(content)
        return tuple(expected[name] for name in self.fields)


class ReportingForm(Form):
    """Rows of the Reporting Web Service."""

    fields = FIELDS

    def expected(self, content: Content) -> dict[str, Any]:
        """The content itself."""
        return content

    def said(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """All but the echo, with `Received` in milliseconds."""
        if not all(name in event for name in self.fields):
            return None
        kept = {name: value for name, value in event.items() if name not in ECHO}
        return {**kept, "Received": _milliseconds(event["Received"])}


REPORTING = ReportingForm()


@dataclass(frozen=True)
class GraphForm(Form):
    """Rows of Microsoft Graph, just as `options` have it give them to a client that wants every
    status named; no field more, none less."""

    options: GraphOptions = field(default_factory=GraphOptions)
    fields = GRAPH_FIELDS

    def expected(self, content: Content) -> dict[str, Any]:
        """The row."""
        return graph_row(content, self.options, all_members=True)

    def said(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The row."""
        return event if event.keys() == set(self.fields) else None


@dataclass(frozen=True)
class ConvertedForm(Form):
    """Rows of Microsoft Graph, under `options`, in the shape of the Reporting Web Service.

    An empty address is the same as none. `Organization`, which Graph does not tell, may be absent,
    null, or one of `organizations`: name the tenant's to let in rows of the Reporting Web Service,
    too, so that one that came both ways is a repeat.
    """

    options: GraphOptions = field(default_factory=GraphOptions)
    organizations: frozenset[str] = frozenset()
    fields = tuple(name for name in FIELDS if name != "Organization")

    def expected(self, content: Content) -> dict[str, Any]:
        """The content, with Graph's word for the status in the other service's spelling."""
        status = str(graph_row(content, self.options, all_members=True)["status"])
        return self._comparable({**content, "Status": status[:1].upper() + status[1:]})

    def said(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The fields that are compared."""
        organization = event.get("Organization")
        if organization is not None and organization not in self.organizations:
            return None
        date = _DATE.fullmatch(event["Received"])
        if date is None or event.keys() - ECHO - set(FIELDS):
            return None
        return self._comparable({**event, "Received": int(date[1])})

    def _comparable(self, content: Content) -> dict[str, Any]:
        kept = {name: content[name] for name in self.fields}
        return {**kept, "ToIP": kept["ToIP"] or None, "FromIP": kept["FromIP"] or None}


def _milliseconds(received: str) -> int:
    verbose = _DATE.fullmatch(received)
    if verbose:
        return int(verbose[1])
    parsed = datetime.fromisoformat(received)
    return to_ms(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
