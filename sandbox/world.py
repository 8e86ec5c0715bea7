"""A local Microsoft and a local Sekoia, started and stopped together."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sandbox.certificates import KeyPair
from sandbox.clock import Clock, wall_clock
from sandbox.comparison import Report, check
from sandbox.entra import App, Entra
from sandbox.event_formats import REPORTING, Form
from sandbox.faults import FaultPlan
from sandbox.graph import GraphOptions, GraphService
from sandbox.handler import Service
from sandbox.identity import Identity
from sandbox.intake import Intake, IntakeOptions
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.playbook import Playbook
from sandbox.ports import unclaimed_ports
from sandbox.reporting import ReportingOptions, ReportingService
from sandbox.request_log import RequestLog
from sandbox.server import TlsServer
from sandbox.tenant import Tenant
from sandbox.tls import make_context
from sandbox.workload import Federated, Issuer, project

NO_PROXY = "127.0.0.1,localhost"


@dataclass(frozen=True)
class SandboxOptions:
    """What to start. `seed` decides identity and mail (it replaces the one in `mail`)."""

    seed: int = 1
    mail: MailFlowOptions = field(default_factory=MailFlowOptions)
    reporting: ReportingOptions = field(default_factory=ReportingOptions)
    graph: GraphOptions = field(default_factory=GraphOptions)
    intake: IntakeOptions = field(default_factory=IntakeOptions)
    identity: Identity | None = None
    """Derived from the seed when not given."""
    credential: Literal["secret", "certificate", "federated"] = "secret"
    """What the application signs in with; it has no other."""
    token_lifetime: timedelta = timedelta(seconds=3599)
    secrets_by_node: bool = False
    """Keep secrets out of the configuration; GET /secrets gives them as `node_value`."""
    trigger: Mapping[str, Any] = field(default_factory=dict)
    """Added to the trigger's configuration, or replacing what is there."""
    now: Clock = wall_clock
    """The clock of every service."""


class Sandbox:
    """Five HTTPS services around one tenant. Use it with `with`; leaving closes everything."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        seed, now = self.options.seed, self.options.now
        mail = replace(self.options.mail, seed=seed)
        self.now = now
        self.identity = who = self.options.identity or Identity.of(seed, mail.domain)
        self.tenant = Tenant(MailFlow(mail))
        self.faults = FaultPlan(now)
        self.request_log = RequestLog()
        self.app = App(who.client_id, {})
        self.key_pair: KeyPair | None = None
        self.issuer: Issuer | None = None
        self.entra = Entra(
            who.tenant_id,
            [self.app],
            now,
            domain=mail.organization,
            token_lifetime=self.options.token_lifetime,
            seed=seed,
        )
        self.reporting = ReportingService(self.tenant, self.entra, now, self.options.reporting)
        self.reporting.options.accounts.setdefault(who.account_name, who.account_password)
        self.graph = GraphService(self.tenant, self.entra, now, self.options.graph)
        self.intake = Intake({who.intake_key}, now, self.options.intake)
        self.playbook = Playbook(who.token)
        self._servers: dict[str, TlsServer] = {}
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Make the certificate authority and start the five services."""
        self._directory = tempfile.TemporaryDirectory(prefix="sandbox-")
        context = make_context(self.ca_file)
        self._register()
        microsoft: tuple[Service, ...] = (self.entra, self.reporting, self.graph)
        for service in (*microsoft, self.intake, self.playbook):
            server = TlsServer(service, context, self.faults, self.request_log, self.now)
            self._servers[service.name] = server
            server.start()
        self.entra.base_url = self.url("entra")
        self.reporting.base_url = self.url("reporting")
        self.graph.base_url = self.url("graph")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the services, release whoever hangs, remove the certificate."""
        self.graph.close()
        for server in self._servers.values():
            server.close()
        if self._directory is not None:
            self._directory.cleanup()

    @property
    def ca_file(self) -> Path:
        """The authority's certificate (PEM), to verify the services with."""
        return self._folder / "ca.pem"

    @property
    def token_file(self) -> Path:
        """What the workload's platform keeps its token in, if the credential is federated."""
        return self._folder / "token"

    @property
    def failures(self) -> list[BaseException]:
        """Errors of the sandbox itself; a test should find none."""
        return [error for server in self._servers.values() for error in server.failures]

    def url(self, service: str) -> str:
        """Base URL of `entra`, `reporting`, `graph`, `intake` or `playbook`, no slash at the end."""
        return self._servers[service].url

    def check(
        self,
        start: datetime,
        end: datetime,
        until: datetime,
        lookback: timedelta | None = None,
        form: Form = REPORTING,
    ) -> Report:
        """Compare the rows received in [start, end], as shown up to `until`, with the intake."""
        versions = self.tenant.versions(start, end, until)
        return check(versions, self.intake.events, lookback=lookback, form=form)

    def environment(
        self, trigger: Literal["oauth", "basic", "graph"] = "oauth", **overrides: Any
    ) -> dict[str, str]:
        """The variables to add to the environment of the module's process.

        `overrides` join the trigger's configuration. The monitoring ports are free at the time of
        the call. With `secrets_by_node`, the playbook API serves the trigger's secrets from now on.
        """
        who = self.identity
        public, secret = self._account() if trigger == "basic" else self._application()
        configuration: dict[str, Any] = {**public, "intake_key": who.intake_key}
        if self.options.secrets_by_node:
            self.playbook.node_secrets = dict(secret)
        else:
            configuration.update(secret)
        configuration.update(self.options.trigger)
        configuration.update(overrides)
        liveness, metrics = unclaimed_ports(2)
        return {
            "TRIGGER_CONFIGURATION": json.dumps(configuration),
            "MODULE_CONFIGURATION": "{}",
            "TOKEN": who.token,
            "URL_CALLBACK": self.url("playbook") + "/callback",
            "URL_LOGS": self.url("playbook") + "/logs",
            "URL_SECRETS": self.url("playbook") + "/secrets",
            "INTAKE_URL": self.url("intake"),
            "LIVENESS_PORT": str(liveness),
            "METRICS_PORT": str(metrics),
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "MESSAGE_TRACE_LOGIN_URL": self.url("entra"),
            "MESSAGE_TRACE_REPORTING_URL": self.url("reporting"),
            "MESSAGE_TRACE_GRAPH_URL": self.url("graph"),
            "NO_PROXY": NO_PROXY,
            "no_proxy": NO_PROXY,
        }

    def action_environment(self, arguments: Any) -> dict[str, str]:
        """The variables to add to the environment of a process that runs an action once.

        The credentials are the module's: its secrets are given by the playbook API when the action says
        that it runs, and with the configuration unless `secrets_by_node`.
        """
        public, secret = self._application()
        self.playbook.module_secrets = dict(secret)
        configuration = public if self.options.secrets_by_node else {**public, **secret}
        environment = self.environment("graph")
        del environment["TRIGGER_CONFIGURATION"]
        return {
            **environment,
            "MODULE_CONFIGURATION": json.dumps(configuration),
            "ARGUMENTS": json.dumps(arguments),
        }

    @property
    def _folder(self) -> Path:
        if self._directory is None:
            raise RuntimeError("the sandbox is not started")
        return Path(self._directory.name)

    def _register(self) -> None:
        """Give the application its credential."""
        match self.options.credential:
            case "secret":
                self.app.secrets[self.identity.client_secret] = None
            case "certificate":
                self.key_pair = KeyPair.made(self.now() - timedelta(days=1))
                self.app.certificates.append(self.key_pair.certificate)
            case "federated":
                self.issuer = Issuer()
                self.app.federated.append(Federated(self.issuer))
                project(self.issuer.token(self.now()), self.token_file)

    def _account(self) -> tuple[dict[str, str], dict[str, str]]:
        """The settings of the account that anyone may see, and the secret ones."""
        who = self.identity
        return {"account_name": who.account_name}, {"account_password": who.account_password}

    def _application(self) -> tuple[dict[str, str], dict[str, str]]:
        """The settings of the application that anyone may see, and the secret ones."""
        who = self.identity
        public = {"tenant_id": who.tenant_id, "client_id": who.client_id}
        if self.key_pair is not None:
            return public, {"client_certificate": self.key_pair.pem}
        if self.issuer is not None:
            return {**public, "federated_token_file": str(self.token_file)}, {}
        return public, {"client_secret": who.client_secret}
