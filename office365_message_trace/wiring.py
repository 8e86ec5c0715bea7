"""Wires a collector for triggers and the command line, and runs it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from office365_message_trace.clock import Clock
from office365_message_trace.collect.checkpoint import Checkpoint
from office365_message_trace.collect.checkpoint_store import COPIES, CheckpointStore
from office365_message_trace.collect.collector import Collector
from office365_message_trace.collect.coverage import Policy
from office365_message_trace.collect.delivery import PageDelivery
from office365_message_trace.collect.final_reads import FinalReads
from office365_message_trace.collect.interfaces import Pusher, Source
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.ownership import OwnedHttp, OwnedStorage, Ownership
from office365_message_trace.collect.resume import opening_coverage
from office365_message_trace.collect.tenant_folders import (
    Identity,
    Place,
    current_folder,
    find_place,
)
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.errors import StorageFailed
from office365_message_trace.microsoft.auth import BasicAuth, EntraAuth, Signer
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.paced_http import PacedSession, microsoft_http
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.microsoft.request_budget import LIVE, QUOTA, RequestBudget
from office365_message_trace.model import Log
from office365_message_trace.monitoring.counting import CountingHttp, CountingStorage, outcome
from office365_message_trace.sekoia.intake import LONGEST_ANSWER, BatchPusher
from office365_message_trace.settings import (
    Application,
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
)
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.location import storage_at
from office365_message_trace.storage.wrappers import ReadOnlyStorage, RetryingStorage
from office365_message_trace.transport.client import Dated, Http, RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession

ENTRA, INTAKE = "Entra ID", "The Sekoia.io intake"
ACTIONS_FOLDER = "message_trace_actions"
"""The folder of the requests that actions have made."""
_WITHIN_THE_LIMIT = "Trying again within the time limit."
_LONGEST_EXCHANGE = 60.0  # seconds, of an action; a page takes two to four
_LIVE_OF_TRIGGERS = timedelta(minutes=1)  # between two of their requests for fresh mail, usually


def place_of(storage: Storage, settings: MessageTraceSettings) -> Place:
    """Find the state for ``settings`` in ``storage``, which all triggers share.

    Raises `StorageFailed`.
    """
    key = settings.intake_key.get_secret_value()
    return find_place(storage, settings.state_folder, Identity(settings.tenant, key))


def known_folder(storage: Storage, settings: MessageTraceSettings) -> str:
    """The folder of `place_of`, or the usual one if ``storage`` fails; its first use reports that."""
    with suppress(StorageFailed):
        return place_of(storage, settings).folder
    return settings.state_folder


@dataclass(frozen=True, slots=True)
class GraphAccess:
    """Microsoft Graph as an action or a command asks it, while a person waits."""

    client: GraphClient
    budget: RequestBudget
    signer: EntraAuth


def graph_access(
    application: Application,
    endpoints: Endpoints,
    data_path: Path,
    clock: MicrosoftClock,
    log: Log,
    time_limit: float,
    read_only: bool = False,
) -> GraphAccess:
    """Access for ``application``, which shares the tenant's quota with triggers and earlier actions.

    An exchange takes a minute at most, and never longer than the whole action may: ``time_limit`` seconds.

    The requests that they have recorded below ``data_path`` count, and so may the tenth of the quota that
    triggers leave to others. New ones are recorded there as an action's unless ``read_only``.
    """
    triggers = GraphSettings.state_folder
    storage, shared = storage_at(data_path, ACTIONS_FOLDER), storage_at(data_path)
    with suppress(StorageFailed):
        triggers = current_folder(shared, triggers)
    within = min(_LONGEST_EXCHANGE, time_limit)
    budget = RequestBudget(
        ReadOnlyStorage(storage) if read_only else storage,
        clock,
        _LIVE_OF_TRIGGERS,
        QUOTA,
        [storage_at(data_path, triggers)],
    )
    signer = _entra(application, endpoints, endpoints.graph_scope, clock, within)
    http = microsoft_http(signer, budget, _dated(GraphClient.name, clock), within)
    transport = Transport(
        http, GraphClient.name, clock, log, credentials=signer, outlook=_WITHIN_THE_LIMIT
    )
    return GraphAccess(GraphClient(endpoints.graph, transport, clock, log), budget, signer)


@dataclass(frozen=True, slots=True)
class Trial:
    """A service as the credential test asks it: at once, and with nothing stored."""

    source: ODataClient
    signer: EntraAuth
    scope: str


def trial(
    application: Application,
    endpoints: Endpoints,
    client: type[GraphClient] | type[ReportingClient],
    clock: MicrosoftClock,
    log: Log,
    within: float,
) -> Trial:
    """The service of ``client`` for ``application``. Each exchange takes ``within`` seconds at most, and no
    refused token is renewed: it was issued just before."""
    graph = client is GraphClient
    scope = endpoints.graph_scope if graph else endpoints.reporting_scope

    signer = _entra(application, endpoints, scope, clock, within)
    session = TimeoutSession(within=within)
    http = RequestsHttp(session, signer, dated=_dated(client.name, clock))
    transport = Transport(http, client.name, clock, log)
    url = endpoints.graph if graph else endpoints.reporting
    return Trial(client(url, transport, clock, log), signer, scope)


def _entra(
    application: Application,
    endpoints: Endpoints,
    scope: str,
    clock: MicrosoftClock,
    within: float,
) -> EntraAuth:
    return EntraAuth(
        endpoints.login,
        application.tenant_id,
        application.client_id,
        application.credential,
        scope,
        dated=_dated(ENTRA, clock),
        within=within,
    )


def _dated(service: str, clock: MicrosoftClock) -> Dated:
    """A callback that tells ``clock`` the time of ``service``."""
    return lambda date: clock.heard(service, date, clock.monotonic())


class Wiring:
    """The parts of a collector for ``settings``, with its state below ``data_path``.

    ``storage`` is the trigger's own, in the ``folder`` of its tenant; ``shared_storage`` is common to
    all triggers of the playbook. With an ``owner``, writes and pushes fail once it has been replaced.
    ``read_only`` is for use next to a running trigger: it sees the requests that the trigger has spent
    and the events that it has recorded, changes nothing, and raises storage failures at once.
    """

    def __init__(
        self,
        settings: MessageTraceSettings,
        endpoints: Endpoints,
        data_path: Path,
        clock: MicrosoftClock,
        log: Log,
        monitor: Monitor | None = None,
        owner: Ownership | None = None,
        read_only: bool = False,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._clock = clock
        self._log = log
        self._read_only = read_only
        self._monitor = monitor or Monitor()
        self._owner = owner
        self.shared_storage = self._retrying(self._storage(data_path))
        self.folder = owner.folder if owner else known_folder(self.shared_storage, settings)
        bare = self._storage(data_path, self.folder)
        self._bare = OwnedStorage(bare, owner) if owner else bare
        self.storage = self._retrying(self._bare)

    def predecessor(self) -> Storage | None:
        """Storage that may hold the cursor of the platform's former module, for a first start to take
        over. None if a Reporting Web Service trigger has already done so, or another tenant was
        collected here."""
        if self.folder != self._settings.state_folder:
            return None
        reporting = MessageTraceSettings.state_folder
        taken_over = set(COPIES) & set(self.shared_storage.names(reporting))
        return (
            None if taken_over and self._settings.state_folder != reporting else self.shared_storage
        )

    @property
    def service_url(self) -> str:
        """The base address of the service that the settings are for."""
        return self._endpoints.graph if self._is_graph else self._endpoints.reporting

    @property
    def scope(self) -> str:
        """The scope of tokens for that service."""
        return self._endpoints.graph_scope if self._is_graph else self._endpoints.reporting_scope

    @property
    def _is_graph(self) -> bool:
        return isinstance(self._settings, GraphSettings)

    def source(self) -> ODataClient:
        """The client of that service."""
        clock, log = self._clock, self._log
        if isinstance(self._settings, GraphSettings):
            reporting_format = self._settings.event_format == "reporting"
            organization = self._settings.organization
            transport = self._transport(GraphClient.name, "graph")
            return GraphClient(
                self.service_url, transport, clock, log, reporting_format, organization
            )
        basic = isinstance(self._settings, BasicSettings)
        transport = self._transport(ReportingClient.name, "reporting")
        return ReportingClient(self.service_url, transport, clock, log, basic)

    @cached_property
    def signer(self) -> Signer:
        """Signs the requests to Microsoft."""
        match self._settings:
            case OAuthSettings(tenant_id=tenant, client_id=application, credential=credential):
                return EntraAuth(
                    self._endpoints.login,
                    tenant,
                    application,
                    credential,
                    self.scope,
                    answered=lambda status: self._monitor.request("entra", outcome(status)),
                    dated=_dated(ENTRA, self._clock),
                )
            case BasicSettings(account_name=name, account_password=password):
                return BasicAuth(name, password.get_secret_value())
        raise TypeError(f"no credentials for {type(self._settings).__name__}")

    @cached_property
    def budget(self) -> RequestBudget:
        """Grants the requests to Microsoft's message trace."""
        return RequestBudget(self._bare, self._clock, self._settings.policy.frequency)

    def pusher(self, intake_server: str) -> BatchPusher:
        """The pusher to the intake at ``intake_server``."""
        http: Http = CountingHttp(
            RequestsHttp(TimeoutSession(LONGEST_ANSWER)), "intake", self._monitor
        )
        if self._owner:
            http = OwnedHttp(http, self._owner)
        transport = Transport(http, INTAKE, self._clock, self._log)
        return BatchPusher(
            intake_server,
            self._settings.intake_key.get_secret_value(),
            self._settings.chunk_size,
            transport,
            self._clock,
            self._log,
            self._settings.intake_format,
        )

    def _transport(self, service: str, api: str) -> Transport:
        dated = _dated(service, self._clock)
        if self._read_only:  # a person is waiting, so no request yields to others
            http: Http = RequestsHttp(PacedSession(self.budget, LIVE), self.signer, dated=dated)
        else:
            http = microsoft_http(self.signer, self.budget, dated)
        http = CountingHttp(http, api, self._monitor)
        return Transport(http, service, self._clock, self._log, credentials=self.signer)

    def _storage(self, data_path: Path, folder: str = "") -> Storage:
        storage = storage_at(data_path, folder)
        if self._read_only:
            return ReadOnlyStorage(storage)
        return CountingStorage(storage, self._monitor)

    def _retrying(self, storage: Storage) -> Storage:
        return storage if self._read_only else RetryingStorage(storage, self._clock, self._log)


def run_collector(  # noqa: PLR0913, PLR0917  # each is a part of its own
    source: Source,
    pusher: Pusher,
    storage: Storage,
    granted: Callable[[], float],
    policy: Policy,
    start: datetime,
    clock: Clock,
    log: Log,
    monitor: Monitor | None = None,
    predecessor: Storage | None = None,
    began: datetime | None = None,
) -> None:
    """Resume from the state in ``storage``, which must retry, and collect until `Stopped`.

    ``granted`` returns the requests a day that Microsoft grants at present. A first start begins at
    ``start``, or where the former module stopped if its state is in ``predecessor``. The look-back counts
    from when the process ``began``, by default now.
    """
    monitor, began = monitor or Monitor(), began or clock.now()
    store, ledger = CheckpointStore(storage, log), Ledger(storage, monitor)
    coverage = opening_coverage(store, ledger, predecessor, policy, start, began, log, monitor)
    checkpoint = Checkpoint(coverage, began, policy, store, ledger, clock, log)
    trials = TrialStore(storage)
    collector_of(source, pusher, checkpoint, ledger, trials, clock, log, monitor, granted).run()


def collector_of(  # noqa: PLR0913, PLR0917  # each is a part of its own
    source: Source,
    pusher: Pusher,
    checkpoint: Checkpoint,
    ledger: Ledger,
    trials: TrialStore,
    clock: Clock,
    log: Log,
    monitor: Monitor,
    granted: Callable[[], float],
) -> Collector:
    """The collector that goes on from ``checkpoint`` by the record in ``ledger``."""
    delivery = PageDelivery(source, pusher, ledger, clock, log, monitor)
    final_reads = FinalReads(ledger, log, monitor)
    return Collector(
        source, checkpoint, delivery, final_reads, trials, clock, log, monitor, granted
    )
