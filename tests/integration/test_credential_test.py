"""The credential test when time runs out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest

from office365_message_trace.checks.application import CredentialTest
from office365_message_trace.clock import SystemClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.settings import parse_application
from sandbox import Hang, MailFlowOptions, Rule, Sandbox, SandboxOptions
from sandbox.entra import READ_REPORTS


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(mail=MailFlowOptions(messages_per_minute=2))) as world:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.ca_file))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        yield world
    assert world.failures == []


def problem(world: Sandbox, time_limit: float, ahead: float = 0.0) -> str | None:
    """The problem, found on a machine whose clock is so many seconds ``ahead``."""
    who = world.identity
    application = parse_application(
        {
            "tenant_id": who.tenant_id,
            "client_id": who.client_id,
            "client_secret": who.client_secret,
        }
    )
    services = {
        f"MESSAGE_TRACE_{name}_URL": world.url(service)
        for name, service in (("LOGIN", "entra"), ("GRAPH", "graph"), ("REPORTING", "reporting"))
    }
    machine = SystemClock(Event(), lambda: None, lambda: time.time() + ahead)
    began = time.monotonic()
    found = CredentialTest(
        application, Endpoints.of("global", services), machine, time_limit
    ).problem()
    assert time.monotonic() - began < time_limit + 1
    return found


def test_what_has_not_answered_is_named(world: Sandbox) -> None:
    assert problem(world, 10.0) is None
    world.faults.add(Rule(Hang(), "graph", times=None))
    found = problem(world, 1.0)
    assert found is not None
    assert found.startswith("Microsoft Graph has not answered within 1 second. Test again; if it")
    world.faults.add(Rule(Hang(), "entra", times=None))
    assert (problem(world, 1.0) or "").startswith("Entra ID has not answered")


def test_what_was_found_before_is_told_whatever_becomes_of_the_other_service(
    world: Sandbox,
) -> None:
    world.app.roles = {READ_REPORTS}
    world.faults.add(Rule(Hang(), "reporting", times=None))
    found = problem(world, 2.0)
    assert found is not None
    assert found.startswith("The token lacks the permission ExchangeMessageTrace.Read.All")


def test_the_time_is_microsoft_s(world: Sandbox) -> None:
    """A machine whose clock is days ahead would look for mail of days to come."""
    assert problem(world, 10.0, ahead=9 * 86400.0) is None
    assert world.request_log.count("graph") == 1
