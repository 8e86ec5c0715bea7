"""Paging of the Reporting Web Service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from sandbox import Sandbox, make_row
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.support import TurnedClock

START, END = NOW - timedelta(hours=2), NOW


@pytest.fixture(autouse=True)
def small_pages(world: Sandbox) -> None:
    world.reporting.options.page_size = 4


def ids(pages: list[list[dict[str, Any]]]) -> list[str]:
    return [row["Received"] for page in pages for row in page]


def test_pages_follow_each_other_without_gap_or_repeat_and_index_counts_on(client: Client) -> None:
    pages = client.pages(START, END)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len(set(ids(pages))) == 10
    assert [row["Index"] for page in pages for row in page] == list(range(10))


def test_tokens_are_the_index_of_the_last_row_sent(client: Client) -> None:
    client.pages(START, END)
    targets = [entry.target for entry in client.world.request_log.entries("reporting")]
    assert [target.rpartition("$skiptoken=")[2] for target in targets[1:]] == ["3", "7"]


def test_a_full_last_page_has_no_link(world: Sandbox, client: Client) -> None:
    world.reporting.options.page_size = 5
    assert [len(page) for page in client.pages(START, END)] == [5, 5]


def test_tokens_of_the_real_page_size_are_1999_and_3999(world: Sandbox, client: Client) -> None:
    world.reporting.options.page_size = 2000
    rows = [make_row(NOW - timedelta(minutes=10, milliseconds=n)) for n in range(4100)]
    world.tenant.add(*rows)
    assert [len(page) for page in client.pages(START, END)] == [2000, 2000, 110]
    targets = [entry.target for entry in world.request_log.entries("reporting")]
    assert [target.rpartition("$skiptoken=")[2] for target in targets[1:]] == ["1999", "3999"]


def test_under_the_offset_rule_a_row_is_repeated_and_none_is_lost(
    world: Sandbox, client: Client
) -> None:
    world.reporting.options.token_rule = "offset"
    received = ids(client.pages(START, END))
    assert len(set(received)) == 10
    assert len(received) == 11


def test_the_light_link_is_relative_and_spelled_as_observed(client: Client) -> None:
    body = client.trace(START, END, form=None, accept="application/json").json()
    assert body["odata.nextLink"] == (
        "../../reportingwebservice/reporting.svc/MessageTrace?$filter="
        "StartDate%20eq%20DateTime'2026-03-10T10%3A00%3A00Z'%20and%20"
        "EndDate%20eq%20DateTime'2026-03-10T12%3A00%3A00Z'&$skiptoken=3"
    )
    following = client.get(body["odata.nextLink"], Accept="application/json").json()
    assert [row["Index"] for row in following["value"]] == [4, 5, 6, 7]


def test_the_light_link_may_be_absolute_and_under_another_key(
    world: Sandbox, client: Client
) -> None:
    world.reporting.options.next_link = "absolute"
    world.reporting.options.next_link_key = "@odata.nextLink"
    body = client.trace(START, END, form=None, accept="application/json").json()
    assert body["@odata.nextLink"].startswith(world.url("reporting") + "/ecp/")


def test_the_verbose_link_may_leave_the_format_out(world: Sandbox, client: Client) -> None:
    world.reporting.options.next_link_keeps_format = False
    link = client.trace(START, END).json()["d"]["__next"]
    assert "$format" not in link
    assert client.get(link).headers["Content-Type"].startswith("application/atom+xml")


def test_atom_has_a_next_link_too(client: Client) -> None:
    feed = ElementTree.fromstring(client.trace(START, END, form=None).content)
    links = [each.get("rel") for each in feed.iter("{http://www.w3.org/2005/Atom}link")]
    assert links == ["next"]


def test_a_link_keeps_the_filter_and_the_default_window_still(
    world: Sandbox, clock: TurnedClock, client: Client
) -> None:
    many = (make_row(NOW, RecipientAddress=f"r{n}@x", MessageTraceId="many") for n in range(5))
    world.tenant.add(*many)
    body = client.trace(filter="MessageTraceId eq guid'many'").json()["d"]
    clock.wait(60)
    following = client.get(body["__next"]).json()["d"]["results"]
    assert following[0]["EndDate"] == body["results"][0]["EndDate"]
    assert {row["MessageTraceId"] for row in following} == {"many"}


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_a_row_that_appears_while_paging_shifts_the_pages_and_is_missed_itself(
    world: Sandbox, client: Client, clock: TurnedClock, order: str
) -> None:
    world.reporting.options.order = order  # type: ignore[assignment]
    ahead = timedelta(minutes=1) if order == "descending" else timedelta(minutes=61)
    late = make_row(NOW - ahead, visible_at=NOW + timedelta(seconds=1))
    world.tenant.add(late)
    body = client.trace(START, END).json()["d"]
    first = [row["Received"] for row in body["results"]]
    clock.wait(1)
    second = [row["Received"] for row in client.get(body["__next"]).json()["d"]["results"]]
    assert second[0] == first[-1]
    assert f"/Date({late.received_ms})/" not in first + second


def test_at_the_wall_the_service_fails_with_the_observed_body(
    world: Sandbox, client: Client
) -> None:
    world.reporting.options.wall_token = 7
    world.reporting.options.dialect = "light"
    assert client.trace(START, END, skiptoken="6").status_code == 200
    answer = client.trace(START, END, skiptoken="7")
    assert answer.status_code == 500
    assert answer.json() == {
        "odata.error": {
            "code": "UnknownError",
            "message": {"lang": "", "value": "An error has occurred on the server."},
        }
    }


def test_the_wall_stands_at_a_million_rows_by_default(client: Client) -> None:
    assert client.trace(START, END, skiptoken="999998").status_code == 200
    assert client.trace(START, END, skiptoken="999999").status_code == 500


def test_truncated_means_one_full_page_and_no_link(world: Sandbox, client: Client) -> None:
    world.reporting.options.truncate = True
    assert [len(page) for page in client.pages(START, END)] == [4]


@pytest.mark.parametrize(
    ("option", "sizes"), [("first", [0, 4, 4, 2]), ("every", [0, 4, 0, 4, 0, 2])]
)
def test_an_empty_page_can_have_a_next_link(
    world: Sandbox, client: Client, option: str, sizes: list[int]
) -> None:
    world.reporting.options.empty_pages = option  # type: ignore[assignment]
    pages = client.pages(START, END)
    assert [len(page) for page in pages] == sizes
    assert len(set(ids(pages))) == 10
