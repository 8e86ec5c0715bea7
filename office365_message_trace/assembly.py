"""Puts the objects together that a configuration asks for, for a trigger or for the command line."""

from pathlib import Path

from office365_message_trace.auth import BasicAuth, EntraAuth, Signer
from office365_message_trace.clock import Clock
from office365_message_trace.endpoints import Endpoints
from office365_message_trace.graph import GraphClient
from office365_message_trace.model import Log
from office365_message_trace.odata import ODataClient
from office365_message_trace.pusher import BatchPusher, Deliveries
from office365_message_trace.quota import RequestBudget
from office365_message_trace.reporting import ReportingClient
from office365_message_trace.settings import (
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
)
from office365_message_trace.storage import PatientStorage, storage_at
from office365_message_trace.transport import (
    RequestsHttp,
    TimeoutSession,
    Transport,
    microsoft_http,
)

_INTAKE = "The Sekoia.io intake"


class Assembly:
    """What works for ``settings``, with its state below ``data_path``.

    ``storage`` is the trigger's own; ``shared_storage`` is the one that all triggers of the playbook
    have in common.
    """

    def __init__(
        self,
        settings: MessageTraceSettings,
        endpoints: Endpoints,
        data_path: Path,
        clock: Clock,
        log: Log,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._clock = clock
        self._log = log
        self.shared_storage = self._storage(data_path)
        self.storage = self._storage(data_path / settings.state_folder)

    def source(self) -> ODataClient:
        """The client of the service that the settings are for."""
        match self._settings:
            case GraphSettings():
                return self._graph(self._settings)
            case OAuthSettings():
                auth = self._entra(self._settings, self._endpoints.reporting_scope)
                return self._reporting(auth)
            case BasicSettings(account_name=name, account_password=password):
                return self._reporting(BasicAuth(name, password.get_secret_value()), basic=True)
        raise TypeError(f"no service for {type(self._settings).__name__}")

    def pusher(self, intake_server: str, deliveries: Deliveries) -> BatchPusher:
        """The way to the intake at ``intake_server``."""
        transport = Transport(RequestsHttp(TimeoutSession()), _INTAKE, self._clock, self._log)
        return BatchPusher(
            intake_server,
            self._settings.intake_key.get_secret_value(),
            self._settings.chunk_size,
            transport,
            self._clock,
            self._log,
            deliveries,
        )

    def _graph(self, settings: GraphSettings) -> GraphClient:
        auth = self._entra(settings, self._endpoints.graph_scope)
        transport = self._transport(GraphClient.name, auth)
        reporting_format = settings.event_format == "reporting"
        return GraphClient(
            self._endpoints.graph, transport, self._clock, self._log, reporting_format
        )

    def _reporting(self, auth: Signer, basic: bool = False) -> ReportingClient:
        transport = self._transport(ReportingClient.name, auth)
        return ReportingClient(self._endpoints.reporting, transport, self._clock, self._log, basic)

    def _transport(self, service: str, auth: Signer) -> Transport:
        budget = RequestBudget(self.storage, self._clock, self._settings.policy.frequency)
        http = microsoft_http(auth, budget)
        return Transport(http, service, self._clock, self._log, credentials=auth)

    def _entra(self, settings: OAuthSettings, scope: str) -> EntraAuth:
        return EntraAuth(
            self._endpoints.login,
            settings.tenant_id,
            settings.client_id,
            settings.credential,
            scope,
        )

    def _storage(self, root: Path) -> PatientStorage:
        return PatientStorage(storage_at(root), self._clock, self._log)
