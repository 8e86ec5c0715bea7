"""Paging of Microsoft Graph."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import unquote

import pytest

from sandbox import Sandbox, make_row
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import TRACES, GraphClient, refusal
from tests.support import TurnedClock

START, END = NOW - timedelta(hours=2), NOW


def keys(pages: list[list[dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(row["receivedDateTime"], row["recipientAddress"]) for page in pages for row in page]


def first_link(graph: GraphClient) -> str:
    link: str = graph.traces(START, END, top=4).json()["@odata.nextLink"]
    return link


def test_pages_follow_each_other_newest_first_without_gap_or_repeat(graph: GraphClient) -> None:
    pages = graph.pages(START, END, top=4)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len(set(keys(pages))) == 10
    assert keys(pages) == sorted(keys(pages), reverse=True)


def test_a_full_last_page_has_no_link(graph: GraphClient) -> None:
    assert [len(page) for page in graph.pages(START, END, top=5)] == [5, 5]


def test_a_thousand_rows_are_a_page_unless_more_are_asked_for(
    world: Sandbox, graph: GraphClient
) -> None:
    world.tenant.add(*(make_row(NOW, RecipientAddress=f"r{n:04}@x.example") for n in range(2500)))
    assert [len(page) for page in graph.pages(NOW, NOW)] == [1000, 1000, 500]
    assert [len(page) for page in graph.pages(NOW, NOW, top=2400)] == [2400, 100]
    world.graph.options.page_size = 1500
    assert [len(page) for page in graph.pages(NOW, NOW, top=5000)] == [1500, 1000]


def test_rows_of_one_instant_are_ordered_by_recipient_and_none_is_lost(
    world: Sandbox, graph: GraphClient
) -> None:
    names = [f"{name}@contoso.example" for name in "zyxcba"]
    for instant in (NOW, NOW - timedelta(seconds=1)):
        world.tenant.add(*(make_row(instant, RecipientAddress=name) for name in names))
    found = keys(graph.pages(NOW - timedelta(seconds=1), NOW, top=4))
    assert [recipient for _, recipient in found] == sorted(names) * 2


@pytest.mark.parametrize(("strict", "expected"), [(False, 3), (True, 2)])
def test_a_strict_cursor_loses_a_second_row_of_the_same_time_and_recipient(
    world: Sandbox, graph: GraphClient, strict: bool, expected: int
) -> None:
    world.graph.options.strict_cursor = strict
    world.tenant.add(*(make_row(NOW, MessageTraceId=f"id {n}") for n in range(2)))
    world.tenant.add(make_row(NOW, RecipientAddress="zoe@contoso.example"))
    assert len(keys(graph.pages(NOW, NOW, top=1))) == expected


def test_a_row_that_appears_above_moves_nothing(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    late = NOW - timedelta(seconds=1)
    world.tenant.add(make_row(late, visible_at=NOW + timedelta(seconds=1), Subject="late"))
    link = first_link(graph)
    clock.wait(1)
    body = graph.get(link).json()
    assert [row["receivedDateTime"][-3:] for row in body["value"]] == ["05Z", "04Z", "03Z", "02Z"]
    assert graph.traces(START, END, top=1).json()["value"][0]["subject"] == "late"


def test_a_link_is_absolute_and_carries_the_whole_query(world: Sandbox, graph: GraphClient) -> None:
    body = graph.traces(START, END, top=4).json()
    address, _, query = body["@odata.nextLink"].partition("?")
    assert address == world.url("graph") + TRACES
    names = [option.partition("=")[0] for option in query.split("&")]
    assert names == ["$top", "$filter", "$skiptoken"]
    assert query.endswith("%253d")


def test_a_selection_holds_on_every_page(world: Sandbox, graph: GraphClient) -> None:
    for n in range(5):
        eve = make_row(NOW - timedelta(seconds=n), RecipientAddress="eve@contoso.example")
        world.tenant.add(eve)
    pages = graph.pages(START, END, top=2, filter="recipientAddress eq 'eve@contoso.example'")
    assert [len(page) for page in pages] == [2, 2, 1]


def test_the_default_window_stays_where_it_was_at_the_first_page(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    world.tenant.add(make_row(NOW - timedelta(hours=48)))
    body = graph.traces(top=10).json()
    clock.wait(30 * 60)
    assert len(graph.get(body["@odata.nextLink"]).json()["value"]) == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        unquote,
        lambda link: unquote(unquote(link)),
        lambda link: link.replace("%253d", "%25253d"),
        lambda link: link.replace("%253d", "%253D"),
        lambda link: link.replace("%253d", ""),
        lambda link: link.replace("$skiptoken=", "$skiptoken=A"),
        lambda link: link.partition("$skiptoken=")[0] + "$skiptoken=1999",
        lambda link: link.partition("$skiptoken=")[0] + "$skiptoken=",
        lambda link: link.partition("$skiptoken=")[0] + "$skiptoken=!%253d",
        lambda link: link.replace("$top=4", "$top=5"),
        lambda link: link.replace("$top=4&", ""),
        lambda link: link.replace("T12%3A00", "T11%3A59"),
    ],
    ids=[
        "decoded",
        "decoded twice",
        "encoded again",
        "capital",
        "cut",
        "altered",
        "foreign",
        "empty",
        "not base64",
        "other top",
        "no top",
        "other window",
    ],
)
def test_a_link_that_is_not_followed_to_the_letter_is_refused(
    graph: GraphClient, spoilt: Any
) -> None:
    link = first_link(graph)
    assert spoilt(link) != link
    status, code, _ = refusal(graph.get(spoilt(link)))
    assert (status, code) == (400, "BadRequest")
    assert graph.get(link).status_code == 200


def test_a_token_expires(world: Sandbox, graph: GraphClient, clock: TurnedClock) -> None:
    world.graph.options.token_lifetime = timedelta(minutes=5)
    link = first_link(graph)
    clock.wait(5 * 60)
    following = graph.get(link).json()["@odata.nextLink"]
    clock.wait(1)
    assert refusal(graph.get(link)) == (400, "BadRequest", "The skip token has expired.")
    assert graph.get(following).status_code == 200, "each link has a lifetime of its own"


@pytest.mark.parametrize(
    ("when", "sizes"),
    [
        ("never", [4, 4, 2]),
        ("first", [0, 4, 4, 2]),
        ("every", [0, 4, 0, 4, 0, 2]),
        ("last", [4, 4, 2, 0]),
    ],
)
def test_pages_can_be_empty_and_yet_have_a_link(
    world: Sandbox,
    graph: GraphClient,
    when: Literal["never", "first", "every", "last"],
    sizes: list[int],
) -> None:
    world.graph.options.empty_pages = when
    pages = graph.pages(START, END, top=4)
    assert [len(page) for page in pages] == sizes
    assert len(set(keys(pages))) == 10


def test_a_window_without_rows_ends_in_every_way(world: Sandbox, graph: GraphClient) -> None:
    for when, sizes in (("first", [0, 0]), ("last", [0])):
        world.graph.options.empty_pages = when  # type: ignore[assignment]
        assert [len(page) for page in graph.pages(START, START)] == sizes


def test_links_can_lead_elsewhere(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.foreign_links = "https://graph.example"
    assert first_link(graph).startswith("https://graph.example/v1.0/admin/")


def test_the_link_can_be_missing(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.truncate = True
    assert [len(page) for page in graph.pages(START, END, top=4)] == [4]


def test_the_order_can_be_the_other_way_round(world: Sandbox, graph: GraphClient) -> None:
    usual = keys(graph.pages(START, END, top=4))
    world.graph.options.order = "ascending"
    pages = graph.pages(START, END, top=4)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert keys(pages) == usual[::-1]


def test_pages_can_be_in_disorder(world: Sandbox, graph: GraphClient) -> None:
    usual = graph.pages(START, END, top=8)
    world.graph.options.order = "shuffled"
    pages = graph.pages(START, END, top=8)
    assert pages != usual
    assert [sorted(keys([page])) for page in pages] == [sorted(keys([page])) for page in usual]


def test_rows_can_be_scattered_over_the_pages(world: Sandbox, graph: GraphClient) -> None:
    usual = graph.pages(START, END, top=3)
    world.graph.options.order = "scattered"
    pages = graph.pages(START, END, top=3)
    assert [len(page) for page in pages] == [len(page) for page in usual]
    assert sorted(keys(pages)) == sorted(keys(usual))
    assert [sorted(keys([page])) for page in pages] != [sorted(keys([page])) for page in usual]


def test_rows_from_outside_the_window_can_stray_in(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.stray_rows = 1
    first = NOW - timedelta(hours=1)
    pages = graph.pages(first + timedelta(seconds=3), first + timedelta(seconds=6), top=2)
    seconds = [[row["receivedDateTime"][-3:-1] for row in page] for page in pages]
    assert seconds == [["07", "06", "05"], ["04", "03", "02"]]


def test_a_token_is_opaque_but_not_secret_to_its_author(graph: GraphClient) -> None:
    """Nothing in a token is readable as it stands: a client that looks finds base64."""
    token = first_link(graph).partition("$skiptoken=")[2].removesuffix("%253d")
    assert "ada" not in token
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[12:]
    assert json.loads(content)[4] == "ada@contoso.example"
