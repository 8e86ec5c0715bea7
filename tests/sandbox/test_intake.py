"""Sekoia's intake in the sandbox."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
import requests

from sandbox import LoseAnswer, Rule, Sandbox
from sandbox.intake import PoisonAnswer
from tests.sandbox.client import Client
from tests.support import TurnedClock


def push(client: Client, *events: str, key: str | None = None, **options: Any) -> requests.Response:
    key = key or client.world.identity.intake_key
    body = json.dumps({"intake_key": key, "jsons": list(events)}).encode()
    headers = {"Content-Type": "application/json"}
    if options.pop("compress", False):
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    url = client.world.url("intake") + options.pop("path", "/batch")
    return client.session.post(url, data=body, headers=headers, timeout=10)


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_a_batch_is_kept_in_order_with_one_id_for_each_event(
    client: Client, clock: TurnedClock, compress: bool
) -> None:
    events = ['{"a":"é\\ud83c"}', "second", "\u2028"]
    ids = push(client, *events, compress=compress).json()["event_ids"]
    assert len(set(ids)) == 3
    assert client.world.intake.events == events
    assert {accepted.arrived for accepted in client.world.intake.accepted} == {clock.now()}
    assert client.world.intake.counts.events == 3


def test_the_regional_path_is_served_too(client: Client) -> None:
    assert push(client, "x", path="/api/v1/intake-http/batch").status_code == 200
    assert push(client, "x", path="/other").status_code == 404


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_unknown_key_is_refused(client: Client, status: int) -> None:
    client.world.intake.options.unknown_key_status = status
    assert push(client, "x", key="unknown").status_code == status
    assert client.world.intake.events == []


def test_ten_mebibytes_uncompressed_are_the_limit(client: Client) -> None:
    events = ["x" * 1000] * 10_440
    assert push(client, *events).status_code == 200
    assert push(client, *events, *["x" * 1000] * 20, compress=True).status_code == 413


def test_an_event_that_is_too_large_is_rejected_alone(client: Client) -> None:
    large = "é" * (125 * 1024 + 1)
    answer = push(client, "before", large, "after")
    assert len(answer.json()["event_ids"]) == 2
    assert client.world.intake.events == ["before", "after"]
    assert client.world.intake.counts.rejected_events == 1
    assert push(client, "x" * 250 * 1024).status_code == 200


def test_a_batch_of_events_that_are_all_too_large_is_refused(client: Client) -> None:
    assert push(client, "x" * (250 * 1024 + 1)).status_code == 413


def test_a_poisoned_event_has_its_whole_batch_refused(client: Client) -> None:
    client.world.intake.options.poison = "arsenic"
    assert push(client, "good", "with arsenic in it").status_code == 400
    assert push(client, "good").status_code == 200
    assert client.world.intake.events == ["good"]


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        ("null", ["id", None, "id", None]),
        ("short", ["id", "id"]),
        ("status", ["id", {"status": 400, "error": "cannot be read"}] * 2),
    ],
)
def test_a_batch_with_poison_is_accepted_but_for_that(
    client: Client, answer: PoisonAnswer, shape: list[Any]
) -> None:
    options = client.world.intake.options
    options.poison, options.poison_answer = "arsenic", answer
    ids = push(client, "good", "arsenic", "fine", "more arsenic").json()["event_ids"]
    assert ["id" if isinstance(each, str) else each for each in ids] == shape
    assert client.world.intake.events == ["good", "fine"]
    assert client.world.intake.counts.rejected_events == 2
    alone = push(client, "arsenic")
    assert (alone.status_code, alone.json()["event_ids"]) == (200, shape[1:2] * (len(shape) > 2))


def test_poison_may_be_refused_for_a_while_only(client: Client, clock: TurnedClock) -> None:
    options = client.world.intake.options
    options.poison, options.poison_until = "arsenic", clock.now() + timedelta(minutes=1)
    assert push(client, "arsenic").status_code == 400
    clock.wait(60)
    assert push(client, "arsenic").status_code == 200


def test_events_need_not_be_kept(client: Client) -> None:
    client.world.intake.options.keep_events = False
    push(client, "x")
    assert client.world.intake.events == []
    assert (client.world.intake.counts.events, client.world.intake.counts.batches) == (1, 1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"[]", {}),
        (b'{"intake_key":"k","jsons":[{}]}', {}),
        (b"\x1f\x8bnot gzip", {"Content-Encoding": "gzip"}),
        (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}),
    ],
)
def test_a_body_that_is_not_a_batch_is_refused(
    client: Client, body: bytes, headers: dict[str, str]
) -> None:
    url = client.world.url("intake") + "/batch"
    assert client.session.post(url, data=body, headers=headers, timeout=10).status_code == 400


def test_a_lost_acknowledgement_leaves_the_events_accepted(client: Client, world: Sandbox) -> None:
    world.faults.add(Rule(LoseAnswer(), service="intake"))
    with pytest.raises(requests.ConnectionError):
        push(client, "x")
    assert world.intake.events == ["x"]
    assert push(client, "x").status_code == 200
