"""A sandbox over TLS whose time is a clock that the test turns, and credentials for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from office365_message_trace.microsoft.auth import EntraAuth
from sandbox import MailFlowOptions, Sandbox, SandboxOptions
from tests.support import Logbook, TurnedClock

SCOPE = "https://outlook.office365.com/.default"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def log() -> Logbook:
    return Logbook()


@pytest.fixture
def mail() -> MailFlowOptions:
    """No mail but what a test adds by hand; tests that want some parametrize ``mail``."""
    return MailFlowOptions(messages_per_minute=0)


@pytest.fixture
def world(
    clock: TurnedClock, mail: MailFlowOptions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """The sandbox, trusted and reached directly whatever the machine's own settings are."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Sandbox(SandboxOptions(mail=mail, now=clock.true)) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running
    assert running.failures == []


@pytest.fixture
def auth(world: Sandbox) -> EntraAuth:
    """The application of the sandbox's identity."""
    who = world.identity
    return EntraAuth(world.url("entra"), who.tenant_id, who.client_id, who.client_secret, SCOPE)
