"""Faults, the request log, and the end of everything."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import (
    Answer,
    Delay,
    Drop,
    Fault,
    FaultPlan,
    Hang,
    OtherDate,
    Rule,
    Sandbox,
    SandboxOptions,
    Truncate,
    html_page,
)
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.support import TurnedClock


def test_an_answer_takes_the_service_s_place_as_often_as_said(
    world: Sandbox, client: Client
) -> None:
    token = client.token()
    busy = Answer(429, b"{}", headers={"Retry-After": "3"})
    rule = world.faults.add(Rule(busy, service="reporting", times=2))
    answers = [client.trace(token=token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "3"
    assert rule.struck == 2
    assert world.request_log.count("reporting", 429) == 2


def test_html_can_come_with_status_200(world: Sandbox, client: Client) -> None:
    world.faults.add(Rule(html_page(), service="reporting"))
    answer = client.trace()
    assert (answer.status_code, answer.text[:15]) == (200, "<!DOCTYPE html>")


def test_a_dropped_connection_never_reaches_the_service(world: Sandbox, client: Client) -> None:
    world.faults.add(Rule(Drop(), service="entra", method="POST"))
    with pytest.raises(requests.ConnectionError):
        client.ask_token()
    assert world.entra.issued == 0
    assert world.request_log.entries("entra")[-1].fault == "Drop"
    assert client.ask_token().status_code == 200


def test_a_truncated_body_is_shorter_than_announced(world: Sandbox, client: Client) -> None:
    world.faults.add(Rule(Truncate(0.5), service="reporting"))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        client.trace()


def test_a_hanging_answer_ends_after_its_seconds_without_an_answer(
    world: Sandbox, client: Client
) -> None:
    token = client.token()
    world.faults.add(Rule(Hang(0.1), service="reporting"))
    with pytest.raises(requests.ConnectionError):
        client.trace(token=token)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 15 Jun 2026 12:00:00 GMT"])
def test_an_answer_may_tell_another_time_or_none(world: Sandbox, client: Client, date: str) -> None:
    token = client.token()
    world.faults.add(Rule(OtherDate(date), service="reporting"))
    answer = client.trace(token=token)
    assert answer.status_code == 200
    assert answer.headers.get("Date", "") == date
    assert client.trace(token=token).headers["Date"].endswith(" GMT")


def test_a_delayed_answer_is_the_service_s_own(world: Sandbox, client: Client) -> None:
    token = client.token()
    world.faults.add(Rule(Delay(0.1), service="reporting"))
    began = time.monotonic()
    assert client.trace(token=token).status_code == 200
    assert time.monotonic() - began >= 0.1


def test_closing_the_sandbox_releases_who_hangs_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Sandbox(SandboxOptions()) as world:
        world.faults.add(Rule(Hang(), service="reporting"))
        client, outcome = Client(world), list[Exception]()

        def ask() -> None:
            try:
                client.trace()
            except requests.ConnectionError as error:
                outcome.append(error)

        waiting = threading.Thread(target=ask)
        waiting.start()
        while not world.request_log.entries("reporting"):
            time.sleep(0.01)
        began, ca_file = time.monotonic(), world.ca_file
    waiting.join(5)
    client.close()
    assert time.monotonic() - began < 2
    assert len(outcome) == 1
    assert not ca_file.exists()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        (Rule(Drop(), nth=3), [3]),
        (Rule(Drop(), nth=2, times=2), [2, 3]),
        (Rule(Drop(), times=None), [1, 2, 3, 4, 5]),
        (Rule(Drop(), path="SKIPTOKEN=1999", times=None), []),
        (Rule(Drop(), path="$filter=a b", times=None), [1, 2, 3, 4, 5]),
        (Rule(Drop(), service="intake", times=None), []),
        (Rule(Drop(), method="POST", times=None), []),
        (Rule(Drop(), between=(NOW, NOW + timedelta(seconds=2)), times=None), [1, 2]),
    ],
    ids=["nth", "nth and times", "always", "other path", "path", "service", "method", "interval"],
)
def test_a_rule_strikes_when_all_its_conditions_hold(rule: Rule, struck: list[int]) -> None:
    clock = TurnedClock(NOW)
    plan, found = FaultPlan(clock.now), []
    plan.add(rule)
    for number in range(1, 6):
        if plan.take("reporting", "GET", "/x?$filter=a%20b"):
            found.append(number)
        clock.wait(1)
    assert found == struck


def test_chance_is_decided_by_the_seed() -> None:
    def outcome(seed: int) -> list[Fault | None]:
        plan = FaultPlan()
        plan.add(Rule(Drop(), probability=0.3, times=None, seed=seed))
        return [plan.take("intake", "POST", "/batch") for _ in range(200)]

    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)
    assert 30 < sum(fault is not None for fault in outcome(1)) < 90


def test_the_first_rule_that_strikes_decides_and_rules_can_be_removed() -> None:
    plan = FaultPlan()
    first, second = plan.add(Rule(Drop(), times=None)), plan.add(Rule(Hang(), times=None))
    assert plan.take("intake", "POST", "/") is first.fault
    plan.remove(first)
    assert plan.take("intake", "POST", "/") is second.fault
    plan.clear()
    assert plan.take("intake", "POST", "/") is None


def test_an_error_of_the_sandbox_itself_is_answered_by_500_and_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Sandbox() as world:
        client = Client(world)
        world.playbook.handle = None  # type: ignore[assignment,method-assign]
        answer = client.session.get(world.url("playbook") + "/secrets", timeout=10)
        client.close()
        assert answer.status_code == 500
        assert [type(error) for error in world.failures] == [TypeError]
    assert "TypeError" in capsys.readouterr().err


def test_a_body_of_unknown_length_is_refused(client: Client) -> None:
    address = urlsplit(client.world.url("intake"))
    trust = ssl.create_default_context(cafile=str(client.world.ca_file))
    with closing(
        http.client.HTTPSConnection(address.netloc, timeout=10, context=trust)
    ) as connection:
        connection.putrequest("POST", "/batch")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()  # the answer comes before any of the body was sent
        assert connection.getresponse().status == 411


def test_the_journal_knows_every_request(world: Sandbox, client: Client) -> None:
    client.trace()
    entries = world.request_log.entries()
    assert [(e.service, e.method, e.status) for e in entries] == [
        ("entra", "POST", 200),
        ("reporting", "GET", 200),
    ]
    assert entries[1].path == "/ecp/reportingwebservice/reporting.svc/MessageTrace"
    assert entries[1].at == NOW
    world.request_log.clear()
    assert world.request_log.count() == 0
