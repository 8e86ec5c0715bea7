"""Everything around the collector in one run, and the collector's lives in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from office365_message_trace.collector import Collector
from office365_message_trace.coverage import Coverage, Kind, Policy
from office365_message_trace.ledger import Ledger
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.model import Event
from office365_message_trace.odata import ODataClient
from office365_message_trace.pusher import BatchPusher
from office365_message_trace.quota import RequestBudget
from office365_message_trace.resume import learn_time, opening_coverage
from office365_message_trace.state import StateStore
from office365_message_trace.storage import PatientStorage
from office365_message_trace.transport import Transport
from sandbox.graph import GraphService
from sandbox.intake import Intake, IntakeOptions
from sandbox.mailflow import MailFlow
from sandbox.reporting import ReportingService
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.credentials import SimulatedCredentials, directory
from sandbox.simulation.events import events_of
from sandbox.simulation.graph import OtherClient, SimulatedGraph
from sandbox.simulation.microsoft import MicrosoftHttp
from sandbox.simulation.perils import Perils
from sandbox.simulation.receiver import KEY, URL, IntakeHttp
from sandbox.simulation.reporting import SimulatedReporting
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.service import Service
from sandbox.simulation.settings import Settings
from sandbox.simulation.storage import MemoryStorage
from sandbox.simulation.tenant import SimulatedMail, WatchedTenant
from sandbox.simulation.troubles import Troubles
from sandbox.simulation.witness import Life, Witness


class World:
    """What a restart of the collector does not touch: time, tenant, services, storage, witness."""

    def __init__(self, scenario: Scenario) -> None:
        chance = scenario.random
        self.scenario = scenario
        self.witness = Witness(events_of(scenario))
        self.perils = Perils(scenario.kills)
        self.clock = VirtualClock(scenario.start_ms, self.perils, scenario.clock_steps)
        self.troubles = Troubles(
            scenario.spells,
            scenario.odds,
            scenario.faults_until_ms,
            lambda: self.clock.ms,
            chance("troubles"),
        )
        self.storage = MemoryStorage(
            self.clock, self.perils, self.troubles, self.witness, chance("storage")
        )
        self.tenant = WatchedTenant(SimulatedMail(MailFlow(scenario.mail), scenario.whole_seconds))
        self._entra = directory(self.clock, scenario.seed)
        self._service = self._serving(scenario)
        poison = self.witness.events.poison if "intake" in scenario.groups else None
        self._intake = Intake({KEY}, self.clock.true, IntakeOptions(poison=poison))
        self._microsoft_chance = chance("microsoft answers")
        self._intake_chance = chance("intake answers")
        self._jitter = chance("jitter")

    def live(self, settings: Settings) -> None:
        """One life of the collector, put together as the module's trigger does it.

        Ends by `Killed`, by `Stopped`, or by an error that the module would end with.
        """
        clock = MicrosoftClock(self.clock, self._log)
        self.witness.lives.append(Life(self.clock.ms))
        storage = PatientStorage(self.storage, clock, self._log)
        store, ledger = StateStore(storage, self._log), Ledger(storage)
        policy = replace(settings.policy, history=self._service.history)
        source = self._source(policy, clock)
        now = learn_time(source, clock)
        coverage = opening_coverage(
            store,
            ledger,
            storage,
            policy,
            settings.first_start,
            now,
            self._log,
        )
        Collector(
            source,
            self._pusher(settings, clock),
            ledger,
            store,
            policy,
            clock,
            self._log,
            self,
        ).run(coverage)

    def covered(self, coverage: Coverage, now: datetime) -> None:
        """Told by the collector; the judge does not listen to it."""

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        """Told by the collector."""

    def refused(self, kind: Kind, refused: bool) -> None:
        """Told by the collector."""

    def accepted(self, events: int, seconds: float) -> None:
        """Told by the pusher; the judge does not listen to it."""

    def not_accepted(self, events: int) -> None:
        """Told by the pusher."""
        self.witness.faults["events refused"] += events

    def discarded(self, events: int) -> None:
        """Told when events are given up."""
        self.witness.faults["events discarded"] += events

    def _serving(self, scenario: Scenario) -> Service:
        tenant, entra, now = self.tenant, self._entra, self.clock.true
        if scenario.service == "reporting":
            reporting = ReportingService(tenant, entra, now, scenario.reporting)
            return SimulatedReporting(reporting, scenario.token_step, scenario.latency)
        graph = GraphService(tenant, entra, now, scenario.graph)
        other = OtherClient(*scenario.other_client) if scenario.other_client else None
        return SimulatedGraph(
            graph,
            other,
            self.clock,
            self.witness,
            scenario.latency,
            reporting_format=scenario.reporting_format,
        )

    def _source(self, policy: Policy, clock: MicrosoftClock) -> ODataClient:
        credentials = SimulatedCredentials(
            self._entra,
            self._service.resource,
            self.clock,
            self.troubles,
            self.witness,
            clock.heard,
        )
        http = MicrosoftHttp(
            self._service,
            credentials,
            self.clock,
            self.perils,
            self.troubles,
            self.witness,
            self._microsoft_chance,
            RequestBudget(self.storage, clock, policy.frequency),
        )
        transport = Transport(http, "Microsoft", clock, self._log, credentials, self._jitter.random)
        return self._service.client(transport, clock, self._log)

    def _pusher(self, settings: Settings, clock: MicrosoftClock) -> BatchPusher:
        http = IntakeHttp(
            self._intake,
            self.clock,
            self.perils,
            self.troubles,
            self.witness,
            self._intake_chance,
            self.scenario.latency,
        )
        transport = Transport(http, "The intake", clock, self._log, None, self._jitter.random)
        return BatchPusher(URL, KEY, settings.chunk_size, transport, clock, self._log, self)

    def _log(self, text: str, level: str) -> None:
        """The trace must not hold the ledger's key, which no seed decides."""
        self.witness.note(self.clock.ms, level, len(text))
