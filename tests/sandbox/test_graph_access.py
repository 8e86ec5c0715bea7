"""Who may ask Microsoft Graph, how often, and what the answers look like."""

from __future__ import annotations

import gzip
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from uuid import UUID

import pytest

from sandbox import Rule, Sandbox, SandboxOptions, html_page
from sandbox.graph import Quota
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.sandbox.graph_client import TRACES, GraphClient, refusal
from tests.sandbox.test_world import configuration
from tests.support import TurnedClock

PERIOD = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("", "Access token is empty."),
        ("Basic YTpi", "Access token is empty."),
        ("Bearer nonsense", "Lifetime validation failed, the token is expired."),
    ],
)
def test_without_a_good_token_there_is_401(
    graph: GraphClient, authorization: str, message: str
) -> None:
    answer = graph.traces(headers={"Authorization": authorization})
    assert refusal(answer) == (401, "InvalidAuthenticationToken", message)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_for_another_resource_is_not_accepted(graph: GraphClient, client: Client) -> None:
    graph.token = client.token()
    status, code, message = refusal(graph.traces())
    assert (status, code) == (401, "InvalidAuthenticationToken")
    assert "audience" in message


def test_a_token_ends_with_its_lifetime_or_when_revoked(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    assert graph.traces().status_code == 200
    clock.wait(world.entra.token_lifetime.total_seconds())
    assert graph.traces().status_code == 401
    graph.token = graph.fresh_token()
    assert graph.traces().status_code == 200
    world.entra.revoke_all()
    assert graph.traces().status_code == 401


def test_without_the_permission_there_is_a_token_and_then_403(
    world: Sandbox, graph: GraphClient
) -> None:
    permission = "ExchangeMessageTrace.Read.All"
    world.app.roles.remove(permission)
    assert graph.traces().status_code == 200, "a withdrawal needs a fresh token, too"
    graph.token = graph.fresh_token()
    assert refusal(graph.traces())[:2] == (403, "Authorization_RequestDenied")
    world.app.roles.add(permission)
    graph.token = graph.fresh_token()
    assert graph.traces().status_code == 200


def test_a_token_carries_the_roles_of_its_own_resource(
    world: Sandbox, graph: GraphClient, client: Client
) -> None:
    claims = world.entra.claims(graph.token, "https://graph.microsoft.com")
    assert claims is not None
    assert claims["roles"] == ["ExchangeMessageTrace.Read.All"]
    claims = world.entra.claims(client.token(), "https://outlook.office365.com")
    assert claims is not None
    assert claims["roles"] == ["ReportingWebService.Read.All"]


def test_no_directory_role_is_needed(world: Sandbox, graph: GraphClient) -> None:
    world.app.directory_roles.clear()
    graph.token = graph.fresh_token()
    assert graph.traces().status_code == 200


@pytest.mark.parametrize(("code", "status"), [("Unauthorized", 401), ("Forbidden", 403)])
def test_a_missing_service_principal_is_told_until_it_is_provisioned(
    world: Sandbox,
    graph: GraphClient,
    clock: TurnedClock,
    code: Literal["Unauthorized", "Forbidden"],
    status: int,
) -> None:
    world.graph.options.principal_from = NOW + timedelta(minutes=20)
    world.graph.options.principal_refusal = code
    message = (
        "Service principal-less Authentication failed: the service principal for App ID "
        "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373 was not found. Please create a service principal for "
        "this app in your tenant. Provisioning may take several hours to complete."
    )
    assert refusal(graph.traces()) == (status, code, message)
    clock.wait(20 * 60)
    assert graph.traces().status_code == 200


def test_a_hundred_requests_in_five_minutes_are_the_quota(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    world.graph.spend(98)
    clock.wait(60)
    assert [graph.traces().status_code for _ in range(3)] == [200, 200, 429]
    answer = graph.traces()
    message = "Your recent queries have surpassed the permitted limit, please try again later."
    assert refusal(answer)[::2] == (429, message)
    assert answer.headers["Retry-After"] == "240"
    clock.wait(239)
    assert graph.traces().status_code == 429
    clock.wait(1)
    assert graph.traces().status_code == 200


def test_a_client_that_does_not_pause_stays_shut_out(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    world.graph.options.quota_requests = 5
    statuses = []
    for _ in range(12):
        statuses.append(graph.traces().status_code)
        clock.wait(50)
    assert statuses == [200] * 5 + [429] * 7
    clock.wait(PERIOD.total_seconds())
    assert graph.traces().status_code == 200


def test_whatever_has_a_good_token_counts_and_nothing_else(
    world: Sandbox, graph: GraphClient, clock: TurnedClock
) -> None:
    quota = world.graph.quota
    graph.traces(filter="nonsense")
    world.graph.options.principal_from = NOW + PERIOD
    graph.traces()
    assert quota.used(clock.now(), PERIOD) == 2
    graph.traces(headers={"Authorization": ""})
    assert quota.used(clock.now(), PERIOD) == 2


@pytest.mark.parametrize("form", ["seconds", "date", "off"])
def test_the_time_to_wait_comes_in_either_form_or_not_at_all(
    world: Sandbox, graph: GraphClient, form: Literal["seconds", "date", "off"]
) -> None:
    world.graph.options.quota_requests = 1
    world.graph.options.retry_after = form
    world.graph.spend(1)
    told = graph.traces().headers.get("Retry-After")
    if form == "date":
        assert told is not None
        assert parsedate_to_datetime(told) == NOW + PERIOD
    else:
        assert told == ("300" if form == "seconds" else None)


def test_there_can_be_no_quota(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.quota_requests = None
    world.graph.spend(1000)
    assert graph.traces().status_code == 200


def test_the_quota_frees_a_place_when_it_says() -> None:
    quota, start = Quota(), datetime(2026, 3, 10, tzinfo=UTC)
    for second in range(4):
        assert quota.take(start + timedelta(seconds=second), 4, PERIOD) is None
    wait = quota.take(start + timedelta(seconds=10), 4, PERIOD)
    assert wait == timedelta(seconds=291), "two must leave, for the refused one counts"
    assert quota.take(start + timedelta(seconds=10) + wait, 4, PERIOD) is None


def test_every_answer_has_an_id_and_repeats_the_client_s(graph: GraphClient) -> None:
    plain, failed = graph.traces(), graph.traces(filter="x", headers={"client-request-id": "mine"})
    assert str(UUID(plain.headers["request-id"])) == plain.headers["request-id"]
    assert plain.headers["client-request-id"] == plain.headers["request-id"]
    assert failed.headers["request-id"] != plain.headers["request-id"]
    assert failed.headers["client-request-id"] == "mine"
    assert failed.json()["error"]["innerError"] == {
        "date": "2026-03-10T12:00:00",
        "request-id": failed.headers["request-id"],
        "client-request-id": "mine",
    }


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1.0/admin/exchange/tracing/elsewhere", "GET", 400),
        ("/v2.0/admin/exchange/tracing/messageTraces", "GET", 400),
        (TRACES, "POST", 405),
        (TRACES.lower() + "/", "GET", 200),
    ],
)
def test_only_the_list_can_be_read(
    world: Sandbox, graph: GraphClient, path: str, method: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {graph.token}"}
    url = world.url("graph") + path
    answer = graph.client.session.request(method, url, headers=headers, timeout=10)
    assert answer.status_code == status


def test_answers_are_compressed_for_those_who_accept_it(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.gzip = True
    headers = {"Authorization": f"Bearer {graph.token}", "Accept-Encoding": "gzip"}
    url = world.url("graph") + TRACES
    with graph.client.session.get(url, headers=headers, stream=True, timeout=10) as answer:
        assert b'"value":[' in gzip.decompress(answer.raw.read(decode_content=False))
    headers["Accept-Encoding"] = "identity"
    answer = graph.client.session.get(url, headers=headers, timeout=10)
    assert "Content-Encoding" not in answer.headers


def test_a_page_takes_its_time_and_a_refusal_does_not(world: Sandbox, graph: GraphClient) -> None:
    world.graph.options.latency = 0.2
    began = time.monotonic()
    graph.traces(filter="nonsense")
    refused = time.monotonic()
    graph.traces()
    assert refused - began < 0.2 <= time.monotonic() - refused


def test_closing_the_sandbox_ends_the_wait(clock: TurnedClock) -> None:
    with Sandbox(SandboxOptions(now=clock.now)) as world:
        world.graph.options.latency = 60
        client = Client(world)
        graph = GraphClient(world, client)
        failed = threading.Event()

        def ask() -> None:
            try:
                graph.traces()
            except OSError:
                failed.set()

        asking = threading.Thread(target=ask)
        asking.start()
        while not world.graph.quota.used(clock.now(), PERIOD):
            time.sleep(0.005)
    asking.join(5)
    assert not asking.is_alive()
    client.close()


def test_faults_strike_this_service_too(world: Sandbox, graph: GraphClient) -> None:
    world.faults.add(Rule(html_page(), service="graph"))
    assert graph.traces().text.startswith("<!DOCTYPE html>")
    assert graph.traces().status_code == 200
    assert world.request_log.count("graph", 200) == 2


def test_the_environment_serves_the_trigger_of_graph(world: Sandbox) -> None:
    environment = world.environment("graph", event_format="reporting")
    assert environment["MESSAGE_TRACE_GRAPH_URL"] == world.url("graph")
    oauth: dict[str, Any] = configuration(world.environment("oauth", event_format="reporting"))
    assert configuration(environment) == oauth
