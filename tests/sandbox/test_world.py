"""The sandbox as a whole and its command."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import requests

from sandbox import (
    MailFlowOptions,
    Sandbox,
    SandboxOptions,
    make_row,
)
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.support import TurnedClock


def configuration(environment: dict[str, str]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(environment["TRIGGER_CONFIGURATION"])
    return loaded


def test_the_environment_has_all_that_the_module_needs(world: Sandbox) -> None:
    environment = world.environment(timedelta=5, start_time=2)
    who = world.identity
    assert configuration(environment) == {
        "tenant_id": who.tenant_id,
        "client_id": who.client_id,
        "client_secret": who.client_secret,
        "intake_key": who.intake_key,
        "timedelta": 5,
        "start_time": 2,
    }
    assert environment["INTAKE_URL"] == world.url("intake")
    assert environment["URL_SECRETS"] == world.url("playbook") + "/secrets"
    assert environment["MESSAGE_TRACE_LOGIN_URL"] == world.url("entra")
    assert environment["MESSAGE_TRACE_REPORTING_URL"] == world.url("reporting")
    assert environment["LIVENESS_PORT"] != environment["METRICS_PORT"]
    assert environment["NO_PROXY"].startswith("127.0.0.1")


def test_the_certificate_holds_for_address_and_name(world: Sandbox) -> None:
    for host in ("127.0.0.1", "localhost"):
        url = world.url("intake").replace("127.0.0.1", host)
        answer = requests.get(url, verify=str(world.ca_file), timeout=10, proxies={"all": ""})
        assert answer.status_code == 404


@pytest.mark.parametrize("trigger", ["oauth", "basic"])
def test_secrets_can_be_kept_out_of_the_configuration(clock: TurnedClock, trigger: Any) -> None:
    with Sandbox(SandboxOptions(secrets_by_node=True, now=clock.now)) as world:
        environment = world.environment(trigger)
        secret = "client_secret" if trigger == "oauth" else "account_password"
        assert secret not in configuration(environment)
        assert world.playbook.node_secrets == {secret: getattr(world.identity, secret)}


def test_the_same_seed_gives_the_same_identity_and_mail(clock: TurnedClock) -> None:
    one, same, other = (Sandbox(SandboxOptions(seed=n, now=clock.now)) for n in (5, 5, 6))
    window = (NOW - timedelta(minutes=9), NOW, NOW)
    assert one.identity == same.identity != other.identity
    assert one.tenant.rows(*window) == same.tenant.rows(*window) != other.tenant.rows(*window)


def test_a_collector_that_forwards_everything_satisfies_the_checker(clock: TurnedClock) -> None:
    mail = MailFlowOptions(messages_per_minute=20, lone_surrogates=True)
    with Sandbox(SandboxOptions(mail=mail, now=clock.now)) as world:
        world.reporting.options.page_size = 100
        client = Client(world)
        start = NOW - timedelta(minutes=20)
        world.tenant.add(make_row(start, Subject="by hand"))
        for page in client.pages(start, NOW):
            batch = {"intake_key": world.identity.intake_key, "jsons": [*map(json.dumps, page)]}
            client.session.post(world.url("intake") + "/batch", json=batch, timeout=10)
        client.close()
        report = world.check(start, NOW, NOW)
        assert report.ok
        assert report.events == report.rows > 100
        assert world.failures == []
