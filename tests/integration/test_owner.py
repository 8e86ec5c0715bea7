"""Processes one after another and at once on one storage, wired as the triggers are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from office365_message_trace.collect.checkpoint_store import COPIES
from office365_message_trace.collect.ownership import LOOK_EVERY, Ownership
from office365_message_trace.collect.tenant_folders import (
    INTAKE_CHANGED,
    TENANT_CHANGED,
    TENANT_RETURNED,
)
from office365_message_trace.errors import Replaced, Stopped
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.settings import OAuthSettings, parse
from office365_message_trace.storage.location import storage_at
from office365_message_trace.wiring import Wiring, known_folder, place_of, run_collector
from sandbox import Answer, Rule, Sandbox, SandboxOptions
from tests.integration.test_collector import HOUR, MINUTE, Tally, Timeline, punctual, stop
from tests.support import NOON, Logbook

LONGEST_NAP = 5.0  # seconds, of the clock


class WatchedTimeline(Timeline):
    """A timeline that calls ``alive`` at each wait, as the machine's clock does."""

    owner: Ownership | None = None

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if self.owner:
            self.owner.check_if_due()


class Process:
    """A process that collects one tenant, on a storage that it may share with others."""

    def __init__(
        self, world: Sandbox, clock: WatchedTimeline, root: Path, **values: object
    ) -> None:
        who = world.identity
        given = {
            "tenant_id": who.tenant_id,
            "client_id": who.client_id,
            "client_secret": who.client_secret,
            "intake_key": who.intake_key,
            "lookback": 0,
            **values,
        }
        self.settings = parse(OAuthSettings, given)
        self.log = Logbook()
        self.tally = Tally()
        self._world, self._machine, self._root = world, clock, root
        self._clock = MicrosoftClock(clock, self.log)

    def claim(self) -> None:
        """Find the state and make it this process's own, as it does when it starts."""
        shared = storage_at(self._root)
        place = place_of(shared, self.settings)
        self.owner = Ownership(shared, place.folder, self._clock, self.log)
        self.owner.claim()
        place.save(shared)
        self.folder, self.news = place.folder, place.news

    def collect(self) -> None:
        """Collect from the state on. Ends by `Stopped` or `Replaced`."""
        self._machine.owner = self.owner
        endpoints = Endpoints(
            login=self._world.url("entra"), reporting=self._world.url("reporting")
        )
        parts = Wiring(
            self.settings, endpoints, self._root, self._clock, self.log, owner=self.owner
        )
        run_collector(
            parts.source(),
            parts.pusher(self._world.url("intake")),
            parts.storage,
            lambda: parts.budget.daily,
            self.settings.policy,
            self._clock.now() - self.settings.first_start,
            self._clock,
            self.log,
            self.tally,
            parts.predecessor(),
        )

    def live(self, until: datetime) -> None:
        """A whole life, from the start to a stop at ``until``."""
        self._machine.at(until, stop)
        self.claim()
        with pytest.raises(Stopped) as end:
            self.collect()
        assert end.type is Stopped


@pytest.fixture
def clock() -> WatchedTimeline:
    return WatchedTimeline()


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path, s3_root: Path) -> Path:
    return tmp_path if request.param == "folder" else s3_root / request.node.name


steady = pytest.mark.parametrize("mail", [punctual(2, NOON - HOUR, NOON + HOUR)], ids=["steady"])


@steady
@pytest.mark.parametrize("after", [MINUTE / 2, 20 * MINUTE], ids=["busy", "idle"])
def test_the_one_that_started_first_ends_soon_and_the_other_completes_the_work(
    world: Sandbox, clock: WatchedTimeline, root: Path, after: timedelta
) -> None:
    first, second = Process(world, clock, root), Process(world, clock, root)
    first.claim()
    clock.at(NOON + after, second.claim)
    with pytest.raises(Replaced):
        first.collect()
    ended = (clock.now() - NOON - after).total_seconds()
    assert 0 <= ended <= LOOK_EVERY + LONGEST_NAP
    pushed = world.intake.counts.requests
    for _ in range(2):  # not even if it is called again
        with pytest.raises(Replaced):
            first.collect()
    assert world.intake.counts.requests == pushed

    clock.at(NOON + 2 * HOUR, stop)
    with pytest.raises(Stopped):
        second.collect()
    report = world.check(NOON - HOUR, NOON + HOUR, clock.now(), lookback=timedelta(0))
    assert report.ok, str(report)
    assert first.tally.events + second.tally.events == report.rows > 200


@steady
def test_one_that_waits_for_the_intake_pushes_nothing_when_it_answers_again(
    world: Sandbox, clock: WatchedTimeline, tmp_path: Path
) -> None:
    outage = world.faults.add(Rule(Answer(503), "intake", times=None))
    first, second = Process(world, clock, tmp_path), Process(world, clock, tmp_path)
    first.claim()

    def take_over() -> None:
        second.claim()
        world.faults.remove(outage)

    clock.at(NOON + 10 * MINUTE, take_over)
    with pytest.raises(Replaced):
        first.collect()
    assert world.intake.counts.events == 0


@steady
def test_a_process_that_was_suspended_looks_before_it_pushes(
    world: Sandbox, clock: WatchedTimeline, tmp_path: Path
) -> None:
    first, second = Process(world, clock, tmp_path), Process(world, clock, tmp_path)
    first.claim()
    pushed: list[int] = []

    def suspend() -> None:
        second.claim()
        pushed.append(world.intake.counts.requests)
        clock.turn(HOUR)

    clock.at(NOON + 10 * MINUTE, suspend)
    with pytest.raises(Replaced):
        first.collect()
    assert pushed == [world.intake.counts.requests]


@pytest.fixture
def fabrikam(clock: WatchedTimeline, world: Sandbox) -> Iterator[Sandbox]:
    """Another tenant, which the first one's authority vouches for, too."""
    mail = punctual(2, NOON - 1.9 * HOUR, NOON + 3.5 * HOUR)
    with Sandbox(SandboxOptions(seed=2, mail=mail, now=clock.now)) as running:
        with world.ca_file.open("a") as authorities:
            authorities.write(running.ca_file.read_text())
        yield running
    assert running.failures == []


@pytest.mark.parametrize("mail", [punctual(2, NOON - HOUR, NOON + 2.5 * HOUR)], ids=["steady"])
def test_another_tenant_has_a_first_start_and_the_first_one_goes_on_where_it_stopped(
    world: Sandbox, fabrikam: Sandbox, clock: WatchedTimeline, root: Path
) -> None:
    storage = storage_at(root)
    cursor = {"most_recent_date_requested": (NOON - 20 * MINUTE).isoformat()}
    storage.write("context.json", json.dumps(cursor).encode())

    one = Process(world, clock, root)
    one.live(NOON + HOUR)
    assert one.news == ()
    other = Process(fabrikam, clock, root, start_time=3)
    other.live(NOON + 2 * HOUR)
    assert other.news == (TENANT_CHANGED,)
    assert not any("former module" in line for line in other.log.texts())
    assert any(line.startswith("First start: ") for line in other.log.texts())
    back = Process(world, clock, root)
    back.live(NOON + 3 * HOUR)
    assert back.news == (TENANT_RETURNED,)
    again = Process(fabrikam, clock, root)
    again.live(NOON + 4 * HOUR)
    assert (again.folder, again.news) == (other.folder, (TENANT_RETURNED,))

    report = world.check(NOON - 20 * MINUTE, NOON + 2.5 * HOUR, clock.now(), lookback=timedelta(0))
    assert report.ok, str(report)
    report = fabrikam.check(NOON - 2 * HOUR, NOON + 3.5 * HOUR, clock.now(), lookback=timedelta(0))
    assert report.ok, str(report)
    assert set(COPIES) <= {*storage.names(one.folder)} & {*storage.names(other.folder)}


@steady
def test_another_intake_gets_what_comes_from_then_on(
    world: Sandbox, clock: WatchedTimeline, root: Path
) -> None:
    world.intake.keys.add("another key")
    Process(world, clock, root).live(NOON + 30 * MINUTE)
    later = Process(world, clock, root, intake_key="another key")
    later.live(NOON + 2 * HOUR)
    assert later.news == (INTAKE_CHANGED,)
    report = world.check(NOON - HOUR, NOON + HOUR, clock.now(), lookback=timedelta(0))
    assert report.ok, str(report)


@steady
def test_the_command_line_looks_where_the_trigger_of_the_same_settings_does(
    world: Sandbox, clock: WatchedTimeline, root: Path
) -> None:
    storage = storage_at(root)
    for tenant in (world.identity.tenant_id, "0bbccd15-3f8e-4c04-b425-094646be5e38"):
        process = Process(world, clock, root, tenant_id=tenant)
        process.claim()
        before = {name: storage.read(name) for name in storage.names(process.folder)}
        told = MicrosoftClock(clock, process.log)
        parts = Wiring(process.settings, Endpoints(), root, told, process.log, read_only=True)
        assert parts.folder == known_folder(storage, process.settings) == process.folder
        parts.storage.write("state-0.json", b"x")
        assert {name: storage.read(name) for name in storage.names(process.folder)} == before
        process.owner.check()


def test_the_settings_of_a_storage_that_fails_lead_to_its_usual_folder(
    world: Sandbox, clock: WatchedTimeline, tmp_path: Path
) -> None:
    (tmp_path / "message_trace").touch()  # where a folder should be
    process = Process(world, clock, tmp_path)
    assert known_folder(storage_at(tmp_path), process.settings) == "message_trace"
