"""What Microsoft Graph may do, though nobody documents it: links, orders, bounds, records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from sandbox import Sandbox, make_row
from sandbox.bad_records import BROKEN_SUBJECT, SUBJECT
from sandbox.rows import ticks
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import GraphClient, refusal
from tests.support import TurnedClock

START, END = NOW - timedelta(hours=2), NOW


def links(graph: GraphClient, top: int = 1, most: int = 12) -> list[str]:
    """The next links of a window, as far as they are taken."""
    answer = graph.traces(START, END, top=top)
    found: list[str] = []
    while len(found) < most and (link := answer.json().get("@odata.nextLink")):
        found.append(link)
        answer = graph.get(link)
    return found


@pytest.mark.parametrize(
    ("kind", "text"),
    [("encoded date", "StartDate"), ("recipient", "Invalid starting recipient address")],
)
def test_the_service_may_refuse_a_link_of_its_own(
    world: Sandbox, graph: GraphClient, kind: Literal["encoded date", "recipient"], text: str
) -> None:
    world.graph.options.links = kind
    found = links(graph)
    status, _, message = refusal(graph.get(found[-1]))
    assert 0 < len(found) < 9
    assert status == 400
    assert text in message


@pytest.mark.parametrize("kind", ["self", "back"])
def test_links_may_lead_in_a_circle(
    world: Sandbox, graph: GraphClient, kind: Literal["self", "back"]
) -> None:
    world.graph.options.links = kind
    bodies = [graph.get(link).json()["value"] for link in links(graph)]
    received = [row["receivedDateTime"] for body in bodies for row in body]
    assert len(received) == 12
    assert len(set(received)) < 9


def test_two_empty_pages_may_come_first(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.empty_pages = "chain"
    assert [len(page) for page in graph.pages(START, END, top=6)] == [0, 0, 6, 4]


def test_the_last_page_may_link_to_an_empty_one_that_links_to_itself(
    world: Sandbox, graph: GraphClient
) -> None:
    world.graph.options.empty_pages = "endless"
    found = links(graph, top=10, most=4)
    assert len(set(found)) == 1
    assert graph.get(found[0]).json()["value"] == []


def test_rows_may_come_by_recipient_first(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.order = "partitioned"
    names = [f"{name}@contoso.example" for name in "abcdef"]
    world.tenant.add(
        *(
            make_row(
                NOW - timedelta(minutes=n), RecipientAddress=names[n % 6], MessageTraceId=str(n)
            )
            for n in range(30)
        )
    )
    pages = graph.pages(NOW - timedelta(minutes=40), NOW, top=7)
    rows = [row for page in pages for row in page]
    times = [row["receivedDateTime"] for row in rows]
    assert sorted(row["id"] for row in rows) == sorted(str(n) for n in range(30))
    assert times != sorted(times, reverse=True)


def test_digits_below_the_millisecond_count_at_the_end_of_a_window(
    world: Sandbox, graph: GraphClient
) -> None:
    row = make_row(NOW, MessageTraceId="with digits")
    assert ticks(row.content)
    world.tenant.add(row)
    world.graph.options.fine_times = True
    assert graph.pages(NOW, NOW) == [[]]
    assert len(graph.pages(NOW, NOW + timedelta(milliseconds=1))[0]) == 1
    assert len(graph.pages(START, NOW + timedelta(milliseconds=1))[0]) == 11


def test_the_end_of_a_window_may_be_exclusive(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.end = "exclusive"
    last = NOW - timedelta(hours=1) + timedelta(seconds=9)
    assert len(graph.pages(START, last)[0]) == 9
    assert len(graph.pages(START, last + timedelta(milliseconds=1))[0]) == 10


def test_volatile_fields_differ_from_answer_to_answer(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    world.graph.options.etags, world.graph.options.to_ip = True, "turns"
    answers: list[list[dict[str, Any]]] = []
    for _ in range(8):
        answers += graph.pages(START, END)
        clock.wait(1)
    assert len({row["@odata.etag"] for page in answers for row in page}) > 70
    assert {row["toIP"] for page in answers for row in page} == {"", None}


def test_a_list_may_show_some_recipients_only_unless_asked_for_the_message(
    world: Sandbox, graph: GraphClient
) -> None:
    world.tenant.add(
        *(make_row(NOW, RecipientAddress=f"r{n}@x", MessageTraceId="many") for n in range(9))
    )
    world.graph.options.recipients_shown = 4
    assert len(graph.pages(NOW, NOW)[0]) == 4
    assert len(graph.pages(NOW, NOW, filter="id eq 'many'")[0]) == 9


@pytest.mark.parametrize(("how", "status"), [("500", 500), ("504", 504), ("utf-8", 200)])
def test_a_bad_record_spoils_each_page_that_holds_it(
    world: Sandbox, graph: GraphClient, how: Literal["500", "504", "utf-8"], status: int
) -> None:
    world.tenant.add(make_row(NOW, Subject=SUBJECT))
    world.graph.options.bad_records = how
    answer = graph.traces(START, END)
    assert answer.status_code == status
    assert SUBJECT.encode() not in answer.content
    assert (BROKEN_SUBJECT in answer.content.decode(errors="replace")) == (how == "utf-8")
    assert len(graph.traces(START, NOW - timedelta(milliseconds=1)).json()["value"]) == 10


def test_what_is_too_old_may_be_hidden_without_an_error(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.history_days, world.graph.options.history_rule = 1, "hide"
    world.tenant.add(make_row(NOW - timedelta(hours=37)), make_row(NOW - timedelta(hours=35)))
    assert len(graph.pages(NOW - timedelta(hours=40), NOW - timedelta(hours=30))[0]) == 1
