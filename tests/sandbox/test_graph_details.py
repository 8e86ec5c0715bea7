"""Details of a message in the sandbox's Microsoft Graph."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox import Sandbox, make_row
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import TRACES, GraphClient, refusal

ID = "00000000-0000-4000-8000-00000000beef"


@pytest.fixture
def graph(world: Sandbox, client: Client) -> GraphClient:
    received = NOW - timedelta(minutes=5)
    for name, status in (("o'brien", "Delivered"), ("eve", "Failed"), ("new", "GettingStatus")):
        recipient = f"{name}@contoso.example"
        world.tenant.add(
            make_row(received, MessageTraceId=ID, RecipientAddress=recipient, Status=status)
        )
    return GraphClient(world, client)


def url(recipient: str, trace_id: str = ID) -> str:
    return f"{TRACES}/{trace_id}/getDetailsByRecipient(recipientAddress='{recipient}')"


def events(graph: GraphClient, recipient: str, trace_id: str = ID) -> list[dict[str, Any]]:
    answer = graph.get(url(recipient, trace_id))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def test_an_event_has_the_documented_fields(graph: GraphClient) -> None:
    answer = graph.get(url("eve@contoso.example")).json()
    assert answer["@odata.context"].endswith(
        "Collection(microsoft.graph.exchangeMessageTraceDetail)"
    )
    for event in answer["value"]:
        assert set(event) == {
            *("id", "messageId", "dateTime", "event", "action", "description", "data"),
        }


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("eve", {"Receive", "Submit", "Fail"}),
        ("EVE", {"Receive", "Submit", "Fail"}),
        ("o''brien", {"Receive", "Submit", "Deliver"}),
        ("o%27%27brien", {"Receive", "Submit", "Deliver"}),
        ("new", {"Receive", "Submit"}),
        ("nobody", set()),
    ],
)
def test_events_are_those_of_the_recipient(graph: GraphClient, name: str, kinds: set[str]) -> None:
    assert {each["event"] for each in events(graph, f"{name}@contoso.example")} == kinds


def test_an_unknown_message_has_no_events(graph: GraphClient) -> None:
    assert events(graph, "eve@contoso.example", ID.replace("beef", "dead")) == []


def test_a_message_of_before_the_history_has_none(graph: GraphClient, world: Sandbox) -> None:
    other = ID.replace("beef", "0001")
    received = NOW - timedelta(days=20)
    world.tenant.add(make_row(received, MessageTraceId=other))
    assert events(graph, "ada@contoso.example", other)
    world.graph.options.history_days = 10
    assert events(graph, "ada@contoso.example", other) == []


def test_a_quote_that_is_not_doubled_is_another_address(graph: GraphClient) -> None:
    status, code, _ = refusal(graph.get(url("o'brien@contoso.example")))
    assert (status, code) == (400, "BadRequest")


def test_events_within_a_second_come_in_no_order(graph: GraphClient) -> None:
    found = events(graph, "eve@contoso.example")
    assert len({each["dateTime"][:19] for each in found}) == 1
    assert [each["event"] for each in found] == ["Submit", "Fail", "Receive"]


@pytest.mark.parametrize("own", [False, True])
def test_details_share_the_quota_of_lists_or_have_their_own(
    graph: GraphClient, world: Sandbox, own: bool
) -> None:
    world.graph.options.quota_of_details = "own" if own else "shared"
    world.graph.options.quota_requests = 2
    for _ in range(2):
        events(graph, "eve@contoso.example")
    assert graph.get(url("eve@contoso.example")).status_code == 429
    start = NOW - timedelta(hours=1)
    assert graph.traces(start, NOW).status_code == (200 if own else 429)


def test_details_need_token_permission_and_principal(graph: GraphClient, world: Sandbox) -> None:
    world.graph.options.principal_from = NOW + timedelta(hours=1)
    assert graph.get(url("eve@contoso.example")).status_code == 401
    world.graph.options.principal_from = None
    world.app.roles.clear()
    graph.token = graph.fresh_token()
    assert graph.get(url("eve@contoso.example")).status_code == 403
    graph.token = "none"
    assert graph.get(url("eve@contoso.example")).status_code == 401
