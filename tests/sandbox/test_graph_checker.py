"""The checker understands what comes from Microsoft Graph, in both its forms."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox import (
    ConvertedForm,
    Form,
    GraphForm,
    GraphOptions,
    MailFlowOptions,
    Sandbox,
    SandboxOptions,
    Version,
    check,
    delays,
    make_row,
)
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import GraphClient
from tests.support import TurnedClock

START = NOW - timedelta(minutes=20)
PREFER = {"Prefer": "include-unknown-enum-members"}


def converted(row: dict[str, Any]) -> dict[str, Any]:
    """A row of Graph in the shape of the Reporting Web Service."""
    received = datetime.fromisoformat(row["receivedDateTime"])
    return {
        "MessageTraceId": row["id"],
        "Received": f"/Date({round(received.timestamp() * 1000)})/",
        "Status": row["status"][0].upper() + row["status"][1:],
        "SenderAddress": row["senderAddress"],
        "RecipientAddress": row["recipientAddress"],
        "MessageId": row["messageId"],
        "Subject": row["subject"],
        "Size": row["size"],
        "FromIP": row["fromIP"] or None,
        "ToIP": row["toIP"] or None,
    }


@pytest.mark.parametrize("to_ip", ["empty", "null"])
@pytest.mark.parametrize("form", [GraphForm, ConvertedForm])
def test_a_collector_that_forwards_everything_satisfies_the_checker(
    clock: TurnedClock, form: type[GraphForm] | type[ConvertedForm], to_ip: Any
) -> None:
    options = SandboxOptions(
        mail=MailFlowOptions(messages_per_minute=20, lone_surrogates=True),
        graph=GraphOptions(to_ip=to_ip, statuses={"None": "heldForReview"}),
        now=clock.now,
    )
    with Sandbox(options) as world:
        client = Client(world)
        world.tenant.add(make_row(START, Status="Recalled"))
        rows = [
            row
            for page in GraphClient(world, client).pages(START, NOW, top=100, headers=PREFER)
            for row in page
        ]
        if form is ConvertedForm:
            rows = [converted(row) for row in rows]
        batch = {"intake_key": world.identity.intake_key, "jsons": [*map(json.dumps, rows)]}
        client.session.post(world.url("intake") + "/batch", json=batch, timeout=10)
        client.close()
        report = world.check(START, NOW, NOW, form=form(world.graph.options))
        assert report.missing_last == []
        assert report.ok, str(report)
        assert report.events == report.rows > 100
        assert world.failures == []


VERSIONS = list(make_row(NOW, RecipientAddress="ada@contoso.example").versions(2**62))
GRAPH = GraphForm().expected(VERSIONS[0].content)
FORMS = {"graph": (GraphForm(), GRAPH), "converted": (ConvertedForm(), converted(GRAPH))}


@pytest.fixture(params=FORMS)
def form_and_event(request: pytest.FixtureRequest) -> tuple[Form, dict[str, Any]]:
    return FORMS[request.param]


def outcome(
    form: Form, *events: dict[str, Any], versions: list[Version] | None = None
) -> tuple[int, ...]:
    """How many are missing, repeated, unknown, unreadable."""
    texts = [json.dumps(event) for event in events]
    report = check(VERSIONS if versions is None else versions, texts, form=form)
    found = (report.missing_last, report.repeated, report.unknown, report.unreadable)
    return tuple(len(each) for each in found)


def test_what_is_missing_repeated_or_strange_is_found(
    form_and_event: tuple[Form, dict[str, Any]],
) -> None:
    form, event = form_and_event
    size = "size" if "size" in event else "Size"
    assert outcome(form, event) == (0, 0, 0, 0)
    assert outcome(form) == (1, 0, 0, 0)
    assert outcome(form, event, event) == (0, 1, 0, 0)
    assert outcome(form, {**event, size: 1}) == (1, 0, 1, 0)
    assert outcome(form, event, {**event, "more": 1}) == (0, 0, 0, 1)
    assert outcome(form, {name: event[name] for name in event if name != size}) == (1, 0, 0, 1)


def test_a_row_in_the_other_form_is_unreadable() -> None:
    assert outcome(GraphForm(), converted(GRAPH)) == (1, 0, 0, 1)
    assert outcome(ConvertedForm(), GRAPH) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    "change",
    [{"toIP": None}, {"status": "Delivered"}, {"receivedDateTime": "2026-03-10T12:00:00.000Z"}],
    ids=lambda change: next(iter(change)),
)
def test_a_row_of_graph_is_to_stay_as_it_is(change: dict[str, Any]) -> None:
    assert outcome(GraphForm(), {**GRAPH, **change}) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Organization": None}, (0, 0, 0, 0)),
        ({"ToIP": ""}, (0, 0, 0, 0)),
        ({"Index": 3, "StartDate": "/Date(1)/"}, (0, 0, 0, 0)),
        ({"Organization": "contoso.onmicrosoft.com"}, (1, 0, 0, 1)),
        ({"Received": "2026-03-10T12:00:00Z"}, (1, 0, 0, 1)),
        ({"Received": 7}, (1, 0, 0, 1)),
        ({"Status": "delivered"}, (1, 0, 1, 0)),
    ],
)
def test_what_a_converted_row_may_and_may_not_be(
    change: dict[str, Any], found: tuple[int, ...]
) -> None:
    assert outcome(ConvertedForm(), {**converted(GRAPH), **change}) == found


def test_a_row_that_came_from_both_services_is_a_repeat() -> None:
    form = ConvertedForm(organizations=frozenset({"contoso.onmicrosoft.com"}))
    content = VERSIONS[0].content
    reporting = {**content, "Received": f"/Date({content['Received']})/", "Index": 4}
    assert outcome(form, reporting) == (0, 0, 0, 0)
    assert outcome(form, reporting, converted(GRAPH)) == (0, 1, 0, 0)


def test_delays_are_known_in_this_form_too(form_and_event: tuple[Form, dict[str, Any]]) -> None:
    form, event = form_and_event
    arrival = (json.dumps(event), NOW + timedelta(minutes=3))
    assert [late for _, late in delays(VERSIONS, [arrival], form=form)] == [timedelta(minutes=3)]
