"""The parts of a trigger on a machine whose clock is wrong, against services that know the time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.errors import Refused, Stopped, Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.model import Event, Window
from office365_message_trace.settings import BasicSettings, GraphSettings, OAuthSettings, parse
from office365_message_trace.wiring import Wiring, run_collector
from sandbox import REPORTING, Answer, GraphForm, MailFlowOptions, OtherDate, Rule, Sandbox
from tests.support import NOON, Logbook, TurnedClock

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
STEADY = MailFlowOptions(
    messages_per_minute=2,
    since=NOON - HOUR,
    until=NOON + 30 * MINUTE,
    late_fraction=0,
    changing_fraction=0,
    slow_fraction=0,
)
END = re.compile(r"(?:EndDate eq datetime'|receivedDateTime le )([0-9TZ:.-]+)")
AHEAD = pytest.mark.parametrize("ahead", [25 * HOUR, 9 * HOUR, -2 * DAY], ids=str)


class Host:
    """A machine with a trigger's parts on it."""

    def __init__(
        self, world: Sandbox, machine: TurnedClock, ahead: timedelta, folder: Path, which: str
    ) -> None:
        self.world, self.machine, self.log = world, machine, Logbook()
        self.machine.ahead = ahead
        self.clock = MicrosoftClock(self.machine, self.log)
        who = world.identity
        application = {
            "tenant_id": who.tenant_id,
            "client_id": who.client_id,
            "client_secret": who.client_secret,
        }
        account = {"account_name": who.account_name, "account_password": who.account_password}
        common: dict[str, Any] = {"intake_key": who.intake_key, "start_time": 1}
        self.settings = {
            "oauth": lambda: parse(OAuthSettings, common | application),
            "graph": lambda: parse(GraphSettings, common | application),
            "basic": lambda: parse(BasicSettings, common | account),
        }[which]()
        endpoints = Endpoints(
            login=world.url("entra"), reporting=world.url("reporting"), graph=world.url("graph")
        )
        self.parts = Wiring(self.settings, endpoints, folder, self.clock, self.log)

    def sign(self) -> None:
        """Get a token, which is the first that a trigger asks Microsoft for."""
        self.parts.signer(requests.Request("GET", "https://graph.microsoft.com/").prepare())

    def ask(self) -> None:
        """Ask the message trace for anything."""
        self.parts.source().first_page(Window(NOON - HOUR, NOON))

    def collect(self) -> CheckpointStore:
        """Until the stop."""
        parts = self.parts
        with pytest.raises(Stopped):
            run_collector(
                parts.source(),
                parts.pusher(self.world.url("intake")),
                parts.storage,
                lambda: parts.budget.daily,
                self.settings.policy,
                self.clock.now() - self.settings.first_start,
                self.clock,
                self.log,
            )
        return CheckpointStore(parts.storage, self.log)

    @property
    def right(self) -> bool:
        return timedelta(0) <= self.machine.true() - self.clock.now() <= SECOND


@pytest.fixture
def clock() -> TurnedClock:
    """The machine's."""
    return TurnedClock(stop_after=40 * 60)


@AHEAD
@pytest.mark.parametrize("which", ["oauth", "graph"])
@pytest.mark.parametrize("mail", [STEADY], ids=["steady"])
def test_mail_is_planned_by_microsofts_time_however_wrong_the_machine_is(
    world: Sandbox,
    clock: TurnedClock,
    mail: MailFlowOptions,
    ahead: timedelta,
    which: str,
    tmp_path: Path,
) -> None:
    host = Host(world, clock, ahead, tmp_path, which)
    host.sign()
    assert host.right
    store = host.collect()
    form = GraphForm() if which == "graph" else REPORTING
    report = world.check(NOON - HOUR, NOON + 30 * MINUTE, clock.true(), form=form)
    assert report.ok, str(report)
    service = "graph" if which == "graph" else "reporting"
    for entry in world.request_log.entries(service):
        end = END.search(unquote(entry.target))
        assert end is not None
        assert datetime.fromisoformat(end[1]) <= entry.at
    saved = store.load()
    assert saved is not None
    assert saved.gaps == ()
    (warning,) = host.log.texts("warning")
    assert warning.startswith("This machine's clock is ")


@pytest.mark.parametrize("which", ["oauth", "graph", "basic"])
@pytest.mark.parametrize("status", [None, 503, 403, 302], ids=str)
def test_every_answer_of_the_message_trace_tells_the_time(
    world: Sandbox, clock: TurnedClock, which: str, status: int | None, tmp_path: Path
) -> None:
    host = Host(world, clock, 9 * HOUR, tmp_path, which)
    world.faults.add(Rule(OtherDate(), "entra", times=None))
    world.reporting.options.basic_auth = True
    if status is not None:
        service = "graph" if which == "graph" else "reporting"
        world.faults.add(Rule(Answer(status), service, times=None))
        with pytest.raises((Unavailable, Refused)):
            host.ask()
    else:
        host.ask()
    assert host.right


def test_the_intake_does_not_tell_the_time(
    world: Sandbox, clock: TurnedClock, tmp_path: Path
) -> None:
    host = Host(world, clock, 9 * HOUR, tmp_path, "oauth")
    list(host.parts.pusher(world.url("intake")).push([Event(0, "1", b"x", "{}")]))
    assert world.request_log.count("intake") > 0
    assert host.clock.now() == host.machine.now()


def test_without_dates_the_machine_counts(
    world: Sandbox, clock: TurnedClock, tmp_path: Path
) -> None:
    world.faults.add(Rule(OtherDate(), times=None))
    host = Host(world, clock, 9 * HOUR, tmp_path, "oauth")
    host.ask()
    assert host.clock.now() == host.machine.now()
    assert host.log.texts("warning") == []


def test_the_request_budget_outlives_a_machine_that_is_set_between_two_starts(
    world: Sandbox, clock: TurnedClock, tmp_path: Path
) -> None:
    for ahead in (timedelta(0), 9 * HOUR, -9 * HOUR, timedelta(0)):
        host = Host(world, clock, ahead, tmp_path, "oauth")
        host.ask()
        host.ask()
    assert host.parts.budget.limit - host.parts.budget.left == 8
