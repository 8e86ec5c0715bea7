"""Events as the judge tells them apart: by the documented fields of their form."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import orjson

from sandbox.clock import to_ms
from sandbox.event_formats import ConvertedForm, Form, GraphForm, ReportingForm
from sandbox.rows import Content
from sandbox.simulation.scenario import Scenario

Identity = tuple[Any, ...]
"""An event without what echoes the query or changes by itself: the values of the documented fields, of
which an empty one is the same as none."""

RowKey = tuple[str, str]
"""Trace id and recipient."""

REFUSED_ID = "a"
"""Rows whose trace id begins so cannot be read by an intake that has trouble."""

POISON_ID = "ab"
"""Rows whose trace id begins so cannot be read by an intake that never takes some events."""


_ANNOTATIONS = ("@odata.", "odata.")


class VerboseForm(ReportingForm):
    """Rows of the Reporting Web Service with the dates of the verbose form, however they came."""

    def said(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """As the base says, or None if the date is written in another way."""
        return super().said(event) if str(event.get("Received")).startswith("/Date(") else None


class Events:
    """Knows one form."""

    def __init__(self, form: Form) -> None:
        self._form = form
        names = form.fields
        self._received = names.index("Received" if "Received" in names else "receivedDateTime")
        reporting = "MessageTraceId" in names
        self._id = names.index("MessageTraceId" if reporting else "id")
        self._recipient = names.index("RecipientAddress" if reporting else "recipientAddress")
        self._id_name = names[self._id]

    def beginning(self, trace_id: str) -> str:
        """What the text of an event holds whose trace id begins so."""
        return f'"{self._id_name}":"{trace_id}'

    def of(self, text: str) -> Identity:
        """What makes two events the same; an event of another form is like no other."""
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:  # half of a surrogate pair, which only the slower one takes
            event = json.loads(text)
        annotated = [name for name in event if name.startswith(_ANNOTATIONS)]
        for name in annotated:
            del event[name]
        said = self._form.said(event)
        return ("of no known form", text) if said is None else self._values(said)

    def expected(self, content: Content) -> Identity:
        """What the event of that content must be the same as."""
        return self._values(self._form.expected(content))

    def row(self, event: Identity) -> RowKey | None:
        """Which row an event is of; None if it does not tell."""
        if len(event) != len(self._form.fields):
            return None
        return event[self._id], event[self._recipient]

    def received_ms(self, event: Identity) -> int:
        """When the message was received, milliseconds since 1970; 0 if the event does not tell."""
        if len(event) != len(self._form.fields):
            return 0
        value = event[self._received]
        return value if isinstance(value, int) else to_ms(datetime.fromisoformat(value))

    def _values(self, said: dict[str, Any]) -> Identity:
        return tuple(None if said[name] == "" else said[name] for name in self._form.fields)


def events_of(scenario: Scenario) -> Events:
    """The events that the collector makes in that scenario."""
    if scenario.service == "reporting":
        return Events(VerboseForm())
    options = scenario.graph
    return Events(ConvertedForm(options) if scenario.reporting_format else GraphForm(options))
