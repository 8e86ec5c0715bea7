"""Rows and queries of Microsoft Graph."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox import Sandbox, make_row
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import TRACES, GraphClient, refusal, window
from tests.support import TurnedClock

START, END = NOW - timedelta(hours=2), NOW
FIRST = NOW - timedelta(hours=1)
"""When the first of the world's ten rows was received."""


def rows(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def subjects(answer: requests.Response) -> list[str]:
    return [row["subject"] for row in rows(answer)]


def test_a_row_has_the_documented_fields_in_the_documented_spelling(
    world: Sandbox, graph: GraphClient
) -> None:
    received = NOW - timedelta(days=3, milliseconds=891)
    world.tenant.add(make_row(received, Status="FilteredAsSpam", Subject=None))
    answer = graph.traces(received, received)
    assert answer.json()["@odata.context"] == (
        "https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces"
    )
    (row,) = rows(answer)
    assert row["id"].startswith("00000000-0000-4000-8000-")
    assert {**row, "id": "", "messageId": ""} == {
        "id": "",
        "senderAddress": "sender@mail.example",
        "recipientAddress": "ada@contoso.example",
        "messageId": "",
        "receivedDateTime": "2026-03-07T11:59:59.109Z",
        "subject": None,
        "size": 4096,
        "fromIP": "192.0.2.10",
        "toIP": "",
        "status": "filteredAsSpam",
    }


def test_an_absent_address_can_be_null(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.to_ip = "null"
    assert rows(graph.traces(START, END))[0]["toIP"] is None


def test_a_recalled_message_is_named_to_those_who_ask_for_it(
    world: Sandbox, graph: GraphClient
) -> None:
    world.tenant.add(make_row(NOW, Status="Recalled"))
    prefer = {"Prefer": "include-unknown-enum-members"}
    assert rows(graph.traces(NOW, NOW))[0]["status"] == "unknownFutureValue"
    assert rows(graph.traces(NOW, NOW, headers=prefer))[0]["status"] == "recalled"


def test_statuses_can_have_names_that_nobody_knows(world: Sandbox, graph: GraphClient) -> None:
    world.tenant.add(make_row(NOW, Status="None"))
    assert rows(graph.traces(NOW, NOW))[0]["status"] == "unknownFutureValue"
    world.graph.options.statuses = {"None": "heldForReview"}
    assert rows(graph.traces(NOW, NOW))[0]["status"] == "heldForReview"


def test_both_ends_of_the_window_are_part_of_it(graph: GraphClient) -> None:
    found = rows(graph.traces(FIRST + timedelta(seconds=2), FIRST + timedelta(seconds=4)))
    assert [row["receivedDateTime"][-3:] for row in found] == ["04Z", "03Z", "02Z"]


def test_without_a_filter_the_window_is_the_last_48_hours(
    world: Sandbox, graph: GraphClient
) -> None:
    edge = NOW - timedelta(hours=48)
    world.tenant.add(
        make_row(edge, Subject="in"), make_row(edge - timedelta(milliseconds=1), Subject="out")
    )
    found = subjects(graph.traces())
    assert len(found) == 11
    assert "in" in found


def test_a_filter_without_times_leaves_the_default_window(graph: GraphClient) -> None:
    assert len(rows(graph.traces(filter="recipientAddress eq 'ADA@contoso.example'"))) == 10
    assert rows(graph.traces(filter="recipientAddress eq 'eve@contoso.example'")) == []


@pytest.fixture
def three(world: Sandbox) -> datetime:
    """Three rows of one instant, by Ann, Bob and Cyd, to Ann, Bob and Cyd."""
    for name in ("ann", "bob", "cyd"):
        world.tenant.add(
            make_row(
                NOW,
                SenderAddress=f"{name}@{name}.example",
                RecipientAddress=f"{name}@contoso.example",
                Subject=f"{name}'s mail",
                Status="Failed" if name == "ann" else "Delivered",
            )
        )
    return NOW


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("senderAddress eq 'ann@ann.example'", "ann"),
        ("status eq 'failed'", "ann"),
        ("status eq 'Delivered'", "bob cyd"),
        ("subject eq 'bob''s mail'", "bob"),
        ("contains(subject,'B''S')", "bob"),
        ("startsWith(subject,'cyd')", "cyd"),
        ("endsWith(subject,'s mail') and senderAddress eq '*@cyd.example'", "cyd"),
        ("senderAddress eq 'ann*'", ""),
        ("senderAddress eq 'ann@ann.example' and status eq 'delivered'", ""),
        ("senderAddress eq 'ann@ann.example' and senderAddress eq 'bob@bob.example'", "bob"),
    ],
)
def test_rows_can_be_selected(
    graph: GraphClient, three: datetime, condition: str, expected: str
) -> None:
    found = subjects(graph.traces(three, three, filter=condition))
    assert found == [f"{name}'s mail" for name in expected.split()]


def test_the_last_bound_of_each_kind_counts(graph: GraphClient) -> None:
    long_ago = NOW - timedelta(days=300)
    wider = f"{window(long_ago, long_ago)} and {window(FIRST, FIRST)}"
    assert len(rows(graph.traces(filter=wider))) == 1


HALF = "EndDate is required when a StartDate is entered."


def test_half_a_window_is_refused(graph: GraphClient) -> None:
    half = graph.traces(filter="receivedDateTime ge 2026-03-10T00:00:00Z")
    assert refusal(half) == (400, "BadRequest", HALF)
    assert graph.traces(filter="receivedDateTime le 2026-03-10T00:00:00Z").status_code == 400


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "nonsense",
        "status eq 'failed' status eq 'failed'",
        "status eq 'failed' and",
        "status eq failed",
        "status eq 'failed' or status eq 'delivered'",
        "not status eq 'failed'",
        "status ne 'failed'",
        "status in ('failed', 'delivered')",
        "contains(senderAddress,'ann')",
        "size eq '1'",
        "organization eq 'x'",
        "receivedDateTime ge '2026-03-10T00:00:00Z'",
        "receivedDateTime ge 2026-03-10T00:00:00",
        "receivedDateTime ge 2026-03-10",
        "receivedDateTime ge 2026-13-10T00:00:00Z",
    ],
)
def test_a_filter_that_makes_no_sense_or_that_graph_ignores_is_refused(
    graph: GraphClient, condition: str
) -> None:
    status, code, _ = refusal(graph.traces(filter=condition))
    assert (status, code) == (400, "BadRequest")


def test_times_can_have_fractions(graph: GraphClient) -> None:
    text = "2026-03-10T11:00:00.0000000Z"
    condition = f"receivedDateTime ge {text} and receivedDateTime le {text}"
    assert len(rows(graph.get(f"{TRACES}?$filter={condition}"))) == 1


@pytest.mark.parametrize(("top", "expected"), [("1", 1), ("9", 9), ("0", 10), ("5000", 10)])
def test_top_bounds_a_page(graph: GraphClient, top: str, expected: int) -> None:
    assert len(rows(graph.traces(START, END, top=top))) == expected


@pytest.mark.parametrize("top", ["5001", "-1", "many", ""])
def test_a_top_out_of_range_is_refused(graph: GraphClient, top: str) -> None:
    answer = graph.traces(START, END, top=top)
    assert refusal(answer) == (400, "BadRequest", "ResultSize is invalid")


@pytest.mark.parametrize("option", ["select", "orderby", "count"])
def test_options_that_graph_ignores_are_refused(graph: GraphClient, option: str) -> None:
    assert graph.traces(START, END, **{option: "id"}).status_code == 400  # type: ignore[arg-type]


TOO_LONG = (
    "|System.ArgumentException|The interval between StartDate and EndDate can't be longer than "
    "10 days."
)
TOO_OLD = "Invalid StartDate value. The StartDate can't be older than 90 days from today."


@pytest.mark.parametrize("back", [0, 30])
def test_ten_days_are_the_longest_window(graph: GraphClient, back: int) -> None:
    end = NOW - timedelta(days=back)
    start = end - timedelta(days=10)
    assert graph.traces(start, end).status_code == 200
    answer = graph.traces(start - timedelta(seconds=1), end)
    assert refusal(answer) == (400, "BadRequest", TOO_LONG)


def test_ninety_days_back_count_by_the_calendar(graph: GraphClient) -> None:
    midnight = datetime(2025, 12, 10, tzinfo=UTC)
    assert graph.traces(midnight, midnight + timedelta(days=1)).status_code == 200
    answer = graph.traces(midnight - timedelta(seconds=1), midnight)
    assert refusal(answer) == (400, "BadRequest", TOO_OLD)


def test_too_old_can_be_a_fault_of_the_server(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.history_status = 500
    answer = graph.traces(NOW - timedelta(days=92), NOW - timedelta(days=91))
    assert answer.status_code == 500
    assert answer.json()["error"]["innererror"]["internalexception"]["message"] == TOO_OLD


def test_the_history_can_be_without_end(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.history_days = None
    assert rows(graph.traces(NOW - timedelta(days=401), NOW - timedelta(days=400))) == []


def test_an_end_in_the_future_is_accepted_or_refused(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    end = clock.now() + timedelta(seconds=1)
    assert graph.traces(START, end).status_code == 200
    world.graph.options.future_end = "refuse"
    assert graph.traces(START, end).status_code == 400
    clock.wait(1)
    assert graph.traces(START, end).status_code == 200


def test_a_window_that_ends_before_it_begins_is_refused(graph: GraphClient) -> None:
    assert graph.traces(END, START).status_code == 400


def test_a_row_is_shown_when_it_is_visible_and_as_it_is_then(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    shown, settled = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
    life = ((NOW, "GettingStatus"), (settled, "Delivered"))
    world.tenant.add(make_row(NOW, visible_at=shown, statuses=life))
    seen = []
    for _ in range(3):
        seen.append([row["status"] for row in rows(graph.traces(NOW, NOW))])
        clock.wait(60)
    assert seen == [[], ["gettingStatus"], ["delivered"]]
