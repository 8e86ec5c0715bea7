"""What the Reporting Web Service may do, though nobody documents it: orders, ties, records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox import Sandbox, make_row
from sandbox.bad_records import SUBJECT
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW

START, END = NOW - timedelta(hours=2), NOW


def rows(client: Client, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.trace(START, END, **options).json()["d"]["results"]
    return found


def test_ties_may_come_in_another_order_each_time(world: Sandbox, client: Client) -> None:
    names = [f"{name}@contoso.example" for name in "abcdef"]
    world.tenant.add(*(make_row(NOW, RecipientAddress=name) for name in names))
    world.reporting.options.ties = "unstable"
    seen = {tuple(row["RecipientAddress"] for row in rows(client)[:6]) for _ in range(5)}
    assert len(seen) > 1
    assert {frozenset(order) for order in seen} == {frozenset(names)}


def test_rows_may_come_by_recipient_first(world: Sandbox, client: Client) -> None:
    world.tenant.add(
        *(make_row(NOW - timedelta(minutes=n), RecipientAddress=f"{n % 5}@x") for n in range(20))
    )
    world.reporting.options.partitions = True
    times = [row["Received"] for row in rows(client)]
    assert len(times) == 30
    assert times != sorted(times, reverse=True)


def test_volatile_fields_differ_from_answer_to_answer(world: Sandbox, client: Client) -> None:
    world.reporting.options.etags, world.reporting.options.absent_ip = True, "turns"
    answers = [rows(client)[0] for _ in range(4)]
    assert len({row["odata.etag"] for row in answers}) == 4
    assert {row["ToIP"] for row in answers} == {None, ""}


def test_a_list_may_show_some_recipients_only(world: Sandbox, client: Client) -> None:
    world.tenant.add(
        *(make_row(NOW, RecipientAddress=f"r{n}@x", MessageTraceId="many") for n in range(9))
    )
    world.reporting.options.recipients_shown = 4
    assert len(rows(client)) == 14


@pytest.mark.parametrize("how", ["500", "504"])
def test_a_bad_record_spoils_each_page_that_holds_it(
    world: Sandbox, client: Client, how: Any
) -> None:
    world.tenant.add(make_row(NOW, Subject=SUBJECT))
    world.reporting.options.bad_records = how
    assert client.trace(START, END).status_code == int(how)
    assert client.trace(START, NOW - timedelta(milliseconds=1)).status_code == 200
