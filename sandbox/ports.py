"""Ports for a process that is started later."""

from __future__ import annotations

import random
import socket

_PORTS = range(20_000, 32_000)
"""Below what systems hand out by themselves (Linux: from 32768 on), so no other socket gets one by
chance between the choice and the start."""
_given: set[int] = set()


def unclaimed_ports(count: int) -> list[int]:
    """Ports that nobody listens on and that this process did not give before."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
