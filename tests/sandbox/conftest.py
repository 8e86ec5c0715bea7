"""A sandbox with a clock that stands still and a handful of rows written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sandbox import MailFlowOptions, Sandbox, SandboxOptions, make_row
from tests.sandbox.client import Client
from tests.sandbox.graph_client import GraphClient
from tests.support import TurnedClock

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOW)


@pytest.fixture
def world(clock: TurnedClock) -> Iterator[Sandbox]:
    """No generated mail; ten rows, one a second from 11:00:00 to 11:00:09."""
    options = SandboxOptions(mail=MailFlowOptions(messages_per_minute=0), now=clock.now)
    with Sandbox(options) as running:
        first = NOW - timedelta(hours=1)
        running.tenant.add(*(make_row(first + timedelta(seconds=n)) for n in range(10)))
        yield running
    assert running.failures == []


@pytest.fixture
def client(world: Sandbox) -> Iterator[Client]:
    client = Client(world)
    yield client
    client.close()


@pytest.fixture
def graph(world: Sandbox, client: Client) -> GraphClient:
    return GraphClient(world, client)
