"""Everything around the collector in one run, and the collector's lives in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.ownership import OwnedHttp, OwnedStorage, Ownership
from office365_message_trace.collect.tenant_folders import Identity, find_place
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.first_answer import learn_time
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.model import Delivery
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.storage.wrappers import RetryingStorage
from office365_message_trace.transport.retry import Transport
from office365_message_trace.wiring import run_collector
from sandbox.graph import GraphService
from sandbox.intake import Intake, IntakeOptions
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.reporting import ReportingService
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes
from sandbox.simulation.credentials import (
    OTHER_TENANT,
    TENANT,
    SimulatedCredentials,
    directory,
)
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.event_identity import events_of
from sandbox.simulation.false_answers import Distortions
from sandbox.simulation.graph import OtherClient, SimulatedGraph
from sandbox.simulation.intake import KEY, URL, IntakeHttp
from sandbox.simulation.microsoft import MicrosoftHttp
from sandbox.simulation.observation import Collected, Life, Observation
from sandbox.simulation.reporting import SimulatedReporting
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.service import Service
from sandbox.simulation.settings import Settings
from sandbox.simulation.shifted_pages import ShiftedPages
from sandbox.simulation.storage import FOLDER, Below, MemoryStorage
from sandbox.simulation.tenant import SimulatedMail, WatchedTenant


@dataclass
class Place:
    """A tenant that can be collected, by its `name`, and the service that shows its mail."""

    name: str
    collected: Collected
    service: Service
    distortions: Distortions


class World:
    """The parts that outlive a restart of the collector: time, tenants, services, storage, observation."""

    def __init__(self, scenario: Scenario) -> None:
        chance = scenario.random
        self.scenario = scenario
        self.observation = Observation(events_of(scenario))
        self.crashes = Crashes(scenario.kills, scenario.takeovers)
        self.clock = VirtualClock(scenario.start_ms, self.crashes, scenario.clock_steps)
        self.disturbances = Disturbances(
            scenario.spells,
            scenario.odds,
            scenario.faults_until_ms,
            lambda: self.clock.ms,
            chance("disturbances"),
        )
        self.storage = MemoryStorage(
            self.clock, self.crashes, self.disturbances, self.observation, chance("storage")
        )
        self._entra = directory(self.clock, scenario.seed)
        self._distortion_chance = chance("distortions")
        self.places = [self._place(TENANT, scenario.mail)]
        """The usual tenant, and the one that is collected for a while."""
        if scenario.visit is not None:
            visited = replace(scenario.mail, seed=-scenario.seed, large_messages=())
            self.places.append(self._place(OTHER_TENANT, visited))
        self.place = self.places[0]
        """The one that is collected now."""
        self.observation.collected = [place.collected for place in self.places]
        options = IntakeOptions(
            poison_answer=scenario.poison_answer, poison_status=scenario.poison_status
        )
        self._intake = Intake({KEY}, self.clock.true, options)
        self._microsoft_chance = chance("microsoft answers")
        self._intake_chance = chance("intake answers")
        self._jitter = chance("jitter")

    @property
    def tenant(self) -> WatchedTenant:
        """The usual tenant."""
        return self.places[0].collected.tenant

    def live(self, settings: Settings) -> None:
        """One life of the collector, put together as the module's trigger does it.

        Ends by `Killed`, by `Stopped`, or by an error that the module would end with.
        """
        clock = MicrosoftClock(self.clock, self._log)
        self.observation.begins(Life(self.clock.ms, self.place.name))
        self.observation.current = self.place.collected
        shared = RetryingStorage(self.storage, clock, self._log)
        where = find_place(shared, FOLDER, Identity(self.place.name, KEY))
        owner = Ownership(self.storage, where.folder, clock, self._log)
        owner.claim()
        owner.check()
        self.clock.alive = owner.check_if_due
        where.save(shared)
        self.place.collected.folder = where.folder
        own = OwnedStorage(Below(self.storage, where.folder), owner)
        storage = RetryingStorage(own, clock, self._log)
        policy = replace(settings.policy, history=self.place.service.history)
        budget = RequestBudget(own, clock, policy.frequency)
        source = self._source(budget, clock)
        began = learn_time(source, clock)
        run_collector(
            source,
            self._pusher(settings, owner, clock),
            storage,
            lambda: budget.daily,
            policy,
            began - settings.first_start,
            clock,
            self._log,
            _Observed(self.observation),
            shared if self.place is self.places[0] else None,
            began,
        )

    def _place(self, name: str, mail: MailFlowOptions) -> Place:
        scenario = self.scenario
        tenant = WatchedTenant(
            SimulatedMail(MailFlow(mail), scenario.whole_seconds, scenario.bad_from_ms)
        )
        distortions = Distortions(
            tenant,
            self.clock,
            self.disturbances,
            self.observation,
            self._distortion_chance,
            reach_ms=scenario.settings.reach_ms,
            behind_ms=scenario.behind_ms,
        )
        return Place(name, Collected(tenant, FOLDER), self._serving(tenant), distortions)

    def _serving(self, tenant: WatchedTenant) -> Service:
        scenario, entra, now = self.scenario, self._entra, self.clock.true
        if scenario.service == "reporting":
            reporting = ReportingService(tenant, entra, now, scenario.reporting)
            options = scenario.reporting
            newest_first = options.order == "descending" and not options.partitions
            pages = None  # rows may be skipped, but their times cannot be told
            if newest_first and options.ties == "stable":
                pages = ShiftedPages(tenant, self.clock, self.observation)
            return SimulatedReporting(reporting, scenario.token_step, scenario.latency, pages)
        graph = GraphService(tenant, entra, now, scenario.graph)
        other = OtherClient(*scenario.other_client) if scenario.other_client else None
        return SimulatedGraph(
            graph,
            other,
            self.clock,
            self.observation,
            scenario.latency,
            reporting_format=scenario.reporting_format,
        )

    def _source(self, budget: RequestBudget, clock: MicrosoftClock) -> ODataClient:
        service = self.place.service
        credentials = SimulatedCredentials(
            self._entra,
            service.resource,
            self.clock,
            self.disturbances,
            self.observation,
            clock.heard,
        )
        http = MicrosoftHttp(
            service,
            credentials,
            self.clock,
            self.crashes,
            self.disturbances,
            self.observation,
            self._microsoft_chance,
            budget,
        )
        http.date, credentials.date = self.scenario.dates
        http.distort = self.place.distortions.answer
        transport = Transport(http, "Microsoft", clock, self._log, credentials, self._jitter.random)
        client = service.client(transport, clock, self._log)
        client.page_size *= self.scenario.pages_asked
        return client

    def _pusher(self, settings: Settings, owner: Ownership, clock: MicrosoftClock) -> BatchPusher:
        http = IntakeHttp(
            self._intake,
            self.clock,
            self.crashes,
            self.disturbances,
            self.observation,
            self._intake_chance,
            self.scenario.latency,
        )
        http.poison_stays = self.scenario.poison_stays
        owned = OwnedHttp(http, owner)
        transport = Transport(owned, "The intake", clock, self._log, None, self._jitter.random)
        return BatchPusher(
            URL,
            KEY,
            settings.chunk_size,
            transport,
            clock,
            self._log,
            INTAKE_FORMATS["reporting"],
        )

    def _log(self, text: str, level: str) -> None:
        """The trace must not hold the ledger's key, which no seed decides.

        The collector survives a defect of its own, and so would the judge not hear of it.
        """
        if "unexpected fault" in text:
            raise AssertionError(text)
        self.observation.note(self.clock.ms, level, len(text))


class _Observed(Monitor):
    """Counts refused events as faults. The judge listens to nothing else that the collector reports."""

    def __init__(self, observation: Observation) -> None:
        self._faults = observation.faults

    def delivered(self, delivery: Delivery) -> None:
        self._faults["events refused"] += len(delivery.refused)

    def discarded(self, events: int) -> None:
        self._faults["events discarded"] += events
