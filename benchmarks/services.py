"""The local Microsoft and Sekoia.io, each in a process of its own so that its CPU is not counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from ssl import SSLContext

from benchmarks.job import Site
from benchmarks.pages import GraphPages, ReportingPages
from sandbox.clock import wall_clock
from sandbox.entra import App, Entra
from sandbox.faults import FaultPlan
from sandbox.handler import Service
from sandbox.identity import Identity
from sandbox.intake import Intake, IntakeOptions
from sandbox.request_log import RequestLog
from sandbox.server import TlsServer
from sandbox.tls import make_context

IDENTITY = Identity.of(1, "contoso.example")


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been served."""

    pages: int = 0
    page_bytes: int = 0
    events: int = 0
    batch_bytes: int = 0
    failures: int = 0
    """Errors of the services themselves."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Services:
    """Both processes, running."""

    site: Site
    connections: tuple[Connection, Connection]

    def counts(self) -> Counts:
        """What both have served since they were started."""
        total = Counts()
        for connection in self.connections:
            connection.send(None)
            total += connection.recv()
        return total


@contextmanager
def running(folder: Path) -> Iterator[Services]:
    """The services, for as long as the context lasts; their certificates go to `folder`."""
    microsoft, sekoia = folder / "microsoft.pem", folder / "sekoia.pem"
    with _process(_serve_microsoft, microsoft) as first, _process(_serve_sekoia, sekoia) as second:
        login_url, reporting_url, graph_url = first.recv()
        (intake_url,) = second.recv()
        both = folder / "both.pem"
        both.write_text(microsoft.read_text() + sekoia.read_text())
        site = Site(
            login_url=login_url,
            reporting_url=reporting_url,
            graph_url=graph_url,
            intake_url=intake_url,
            ca_file=both,
            tenant_id=IDENTITY.tenant_id,
            client_id=IDENTITY.client_id,
            client_secret=IDENTITY.client_secret,
            intake_key=IDENTITY.intake_key,
        )
        yield Services(site, (first, second))


@contextmanager
def _process(serve: Callable[[Path, Connection], None], ca_file: Path) -> Iterator[Connection]:
    """The connection to a new process that runs `serve`, which ends when the connection does."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(ca_file, theirs))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _serve_microsoft(ca_file: Path, connection: Connection) -> None:
    context = make_context(ca_file)
    app = App(IDENTITY.client_id, {IDENTITY.client_secret: None})
    entra = Entra(IDENTITY.tenant_id, [app], wall_clock)
    reporting, graph = ReportingPages(), GraphPages()
    servers = [_started(each, context) for each in (entra, reporting, graph)]
    entra.base_url, reporting.base_url, graph.base_url = (server.url for server in servers)

    def counts() -> Counts:
        pages = reporting.pages + graph.pages
        return Counts(pages, reporting.page_bytes + graph.page_bytes)

    _tell(connection, servers, counts)


def _serve_sekoia(ca_file: Path, connection: Connection) -> None:
    intake = Intake({IDENTITY.intake_key}, wall_clock, IntakeOptions(keep_events=False))
    servers = [_started(intake, make_context(ca_file))]

    def counts() -> Counts:
        return Counts(events=intake.counts.events, batch_bytes=intake.counts.bytes_sent)

    _tell(connection, servers, counts)


def _started(service: Service, context: SSLContext) -> TlsServer:
    server = TlsServer(service, context, FaultPlan(wall_clock), RequestLog(kept=0), wall_clock)
    server.start()
    return server


def _tell(connection: Connection, servers: list[TlsServer], counts: Callable[[], Counts]) -> None:
    """Say where the servers listen, then the counts whenever asked, until the other end is gone."""
    connection.send([server.url for server in servers])
    while True:
        try:
            connection.recv()
        except EOFError:
            break
        failures = sum(len(server.failures) for server in servers)
        connection.send(replace(counts(), failures=failures))
    for server in servers:
        server.close()
