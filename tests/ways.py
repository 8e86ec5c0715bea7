"""Servers on this machine that stand for what may be on the way: proxies, wrong certificates, silence."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Thread

import trustme

DAY = timedelta(days=1)
Conduct = Callable[[socket.socket], None]


@cache
def authority() -> trustme.CA:
    """The certificate authority of all certificates here."""
    return trustme.CA()


def certificate(name: str = "127.0.0.1", begins: timedelta = -DAY) -> trustme.LeafCert:
    """A certificate for ``name``, valid for nine days from ``begins`` from now."""
    start = datetime.now(UTC) + begins
    return authority().issue_cert(name, not_before=start, not_after=start + 9 * DAY)


CERTIFICATES = {
    "good": certificate,
    "expired": lambda: certificate(begins=-10 * DAY),
    "not yet valid": lambda: certificate(begins=DAY),
    "of another name": lambda: certificate("other.example"),
}


@contextmanager
def listening(conduct: Conduct) -> Iterator[int]:
    """The port of a server that does as ``conduct`` says with each connection."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            conduct(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def answers(status: str = "200 OK", body: bytes = b"") -> Conduct:
    """Answers each request with ``status``, as a proxy that refuses a tunnel does, too."""

    def conduct(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    return conduct


def over_tls(leaf: trustme.LeafCert, conduct: Conduct | None = None) -> Conduct:
    """Speaks TLS with the certificate ``leaf`` first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)

    def encrypted(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            (conduct or answers())(wrapped)

    return encrypted


def silent(connection: socket.socket) -> None:
    """Reads, and never answers."""
    while connection.recv(65536):
        pass


def resets(connection: socket.socket) -> None:
    """Ends the connection by a reset once something has come."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def tunnels(connection: socket.socket) -> None:
    """A proxy that resolves any name, to this machine, and carries what is said through its tunnel."""
    target = connection.recv(65536).split()[1].decode()
    with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as other:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        Thread(target=_carry, args=(other, connection), daemon=True).start()
        _carry(connection, other)


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
