"""Events hold every field that the parser of their intake format reads, in whatever form rows come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from office365_message_trace.checks.intake import event_of_check, verdict
from office365_message_trace.clock import SystemClock
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.graph import as_reporting_row
from office365_message_trace.microsoft.rows import GRAPH_ROWS, REPORTING_ROWS
from office365_message_trace.sekoia.intake_formats import CATALOGUE, EventFormat
from office365_message_trace.settings import GraphSettings, parse
from office365_message_trace.transport.session import Answer
from office365_message_trace.wiring import Wiring
from sandbox.clock import to_ms
from sandbox.graph import GraphOptions
from sandbox.graph.render import graph_row
from sandbox.graph.render import render as graph_page
from sandbox.reporting.options import Dialect, ReportingOptions
from sandbox.reporting.render import Page, render
from tests.parsers import CONSTANT, READS, parsed

RECEIVED = datetime(2026, 11, 24, 9, 12, 44, 164000, tzinfo=UTC)
CONTENT: dict[str, Any] = {
    "Organization": "contoso.onmicrosoft.com",
    "MessageId": "<1@example.org>",
    "Received": to_ms(RECEIVED),
    "SenderAddress": "a@example.org",
    "RecipientAddress": "b@contoso.example",
    "Subject": "Héllo",
    "Status": "Delivered",
    "ToIP": "198.51.100.7",
    "FromIP": "192.0.2.1",
    "Size": 33435,
    "MessageTraceId": "579cd25c-9b30-4ce4-d5eb-08da70ab3b38",
}


def reporting_events(dialect: Dialect, bare: bool = False, **options: Any) -> list[str]:
    """The events that the Reporting Web Service's page of two rows in a form becomes."""
    page = Page([CONTENT, CONTENT], 0, RECEIVED, RECEIVED, None, bare=bare)
    body = render(page, dialect, replace(ReportingOptions(), **options), 1).body
    return [row.text for row in REPORTING_ROWS.page(body).rows]


def zoned() -> list[str]:
    """The same of a verbose page whose dates name a time zone."""
    body = render(Page([CONTENT], 0, RECEIVED, RECEIVED, None), "verbose", ReportingOptions()).body
    return [row.text for row in REPORTING_ROWS.page(body.replace(b")\\/", b"+0000)\\/")).rows]


def graph_body(**options: Any) -> bytes:
    row = graph_row(CONTENT, replace(GraphOptions(), **options), all_members=True)
    return graph_page([row], None).body


def graph_events(time: bytes = b"", odd: bytes = b"") -> list[str]:
    """The events that a page of Graph becomes, as Graph gives rows; ``time`` and ``odd`` replace the
    fraction of the receive time and the end of each row."""
    body = graph_body().replace(b".164Z", time or b".164Z").replace(b"}]", odd + b"}]")
    return [row.text for row in GRAPH_ROWS.page(body).rows]


def converted_events(time: bytes = b".164Z") -> list[str]:
    rows = GRAPH_ROWS.page(graph_body().replace(b".164Z", time)).rows
    return [json.dumps(as_reporting_row(row, "contoso.onmicrosoft.com")) for row in rows]


FORMS: dict[str, tuple[EventFormat, list[str]]] = {
    "reporting, verbose": ("reporting", reporting_events("verbose")),
    "reporting, bare": ("reporting", reporting_events("verbose", bare=True)),
    "reporting, dates with a zone": ("reporting", zoned()),
    "reporting, light": ("reporting", reporting_events("light")),
    "reporting, light with Z": ("reporting", reporting_events("light", times_with_z=True)),
    "reporting, light with etags": ("reporting", reporting_events("light", etags=True)),
    "graph": ("graph", graph_events()),
    "graph, seven digits": ("graph", graph_events(time=b".1640000Z")),
    "graph, another zone": ("graph", graph_events(time=b".164+00:00")),
    "graph, annotated": ("graph", graph_events(odd=b',"@odata.etag":"W/1"')),
    "graph, an unknown field": ("graph", graph_events(odd=b',"new":1')),
    "graph as reporting": ("reporting", converted_events()),
    "graph as reporting, seven digits": ("reporting", converted_events(b".1640000Z")),
}


@pytest.mark.parametrize(("shape", "events"), FORMS.values(), ids=FORMS)
def test_every_field_that_the_parser_reads_has_its_value(
    shape: EventFormat, events: list[str]
) -> None:
    assert events
    for event in events:
        found = parsed(shape, event)
        assert datetime.fromisoformat(found.pop("@timestamp")) == RECEIVED
        assert found.pop("event.action").lower() == "delivered"
        expected = {
            "email.message_id": "<1@example.org>",
            "email.from.address": ["a@example.org"],
            "email.to.address": ["b@contoso.example"],
            "email.subject": "Héllo",
            "network.bytes": 33435,
            "office365.message_trace.Size": 33435,
            "office365.message_trace.MessageTraceId": CONTENT["MessageTraceId"],
            "organization.name": "contoso.onmicrosoft.com",
            "source.ip": "192.0.2.1",
            "destination.ip": "198.51.100.7",
        }
        targets = set(READS[shape].values())
        assert found == CONSTANT | {n: v for n, v in expected.items() if n in targets}


@pytest.mark.parametrize(("shape", "events"), FORMS.values(), ids=FORMS)
def test_the_parser_of_the_other_format_reads_nothing(
    shape: EventFormat, events: list[str]
) -> None:
    other: EventFormat = "reporting" if shape == "graph" else "graph"
    found = parsed(other, events[0])
    if other == "reporting":
        assert found.pop("@timestamp").startswith("1970")
    assert found == CONSTANT


@pytest.mark.parametrize("shape", READS)
def test_the_event_of_check_can_be_found_by_its_subject(shape: EventFormat) -> None:
    found = parsed(shape, event_of_check(RECEIVED, shape == "reporting"))
    assert found["email.subject"] == "Test event of check"
    assert datetime.fromisoformat(found["@timestamp"]) == RECEIVED


@pytest.mark.parametrize("shape", READS)
def test_a_test_event_that_was_accepted_names_the_format_that_reads_it(shape: EventFormat) -> None:
    answer = Answer(200, {}, b'{"event_ids": ["1"]}')
    name = CATALOGUE[shape].name
    assert f"the intake is not of the format {name}." in verdict(answer, name, 1).text


def test_the_catalogue_has_a_format_for_each_shape() -> None:
    assert CATALOGUE.keys() == READS.keys()
    assert len({each.uuid for each in CATALOGUE.values()}) == len(CATALOGUE)


def test_without_a_setting_the_organization_is_null() -> None:
    (row,) = GRAPH_ROWS.page(graph_body()).rows
    assert as_reporting_row(row)["Organization"] is None


@pytest.mark.parametrize("shape", READS)
def test_the_organization_is_in_events_of_the_format_reporting_only(
    tmp_path: Path, shape: EventFormat
) -> None:
    given = {"tenant_id": "t", "client_id": "c", "client_secret": "s", "intake_key": "k"}
    settings = parse(GraphSettings, {**given, "event_format": shape, "organization": "contoso"})
    clock = MicrosoftClock(SystemClock(Event(), lambda: None), print)
    client = Wiring(settings, Endpoints(), tmp_path, clock, print, read_only=True).source()
    (row,) = GRAPH_ROWS.page(graph_body()).rows
    event = json.loads(client.render(row))
    assert event.get("Organization") == ("contoso" if shape == "reporting" else None)
    assert "Organization" not in client.content_fields(
        row
    ), "a change of the setting repeats nothing"
    said = [doubt for doubt in settings.doubts(RECEIVED) if doubt.startswith("organization")]
    assert len(said) == (0 if shape == "reporting" else 1)
