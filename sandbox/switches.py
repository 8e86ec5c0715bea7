"""Faults that somebody switches on for a sandbox that is used by hand: `--fault wrong-secret`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from sandbox.faults import Answer, Drop, Fault, Rule
from sandbox.world import Sandbox

MICROSOFT = ("reporting", "graph")


class Switch(NamedTuple):
    """What is wrong, in words, and how to make it so in a running sandbox."""

    meaning: str
    turn_on: Callable[[Sandbox], object]


def _often(fault: Fault, *services: str, probability: float = 0.5) -> Callable[[Sandbox], object]:
    """Have `fault` strike that share of the requests to `services`."""

    def turn_on(world: Sandbox) -> None:
        for service in services:
            rule = Rule(fault, service, times=None, probability=probability)
            world.faults.add(rule)

    return turn_on


def _replace_secret(world: Sandbox) -> None:
    world.app.secrets = {"another secret": None}


def _expire_secret(world: Sandbox) -> None:
    world.app.secrets = dict.fromkeys(world.app.secrets, world.now() - timedelta(days=1))


def _delay_principal(world: Sandbox) -> None:
    world.graph.options.principal_from = world.now() + timedelta(days=1)


def _retire(world: Sandbox) -> None:
    world.reporting.options.retired = "404"


SWITCHES = {
    "wrong-secret": Switch("the client secret is another one", _replace_secret),
    "expired-secret": Switch("the client secret expired yesterday", _expire_secret),
    "no-permission": Switch(
        "the application lacks its API permission", lambda world: world.app.roles.clear()
    ),
    "no-role": Switch(
        "the application lacks its directory role (Reporting)",
        lambda world: world.app.directory_roles.clear(),
    ),
    "no-principal": Switch(
        "Microsoft's own application has no service principal (Graph)", _delay_principal
    ),
    "retired": Switch("the Reporting Web Service is gone", _retire),
    "wrong-key": Switch(
        "the intake does not know the key", lambda world: world.intake.keys.clear()
    ),
    "throttled": Switch(
        "half of the requests for rows are throttled (429)",
        _often(Answer(429, headers={"Retry-After": "5"}), *MICROSOFT),
    ),
    "unavailable": Switch(
        "half of the requests for rows fail (503)", _often(Answer(503), *MICROSOFT)
    ),
    "dropped": Switch(
        "a third of all connections is dropped",
        _often(Drop(), *MICROSOFT, "entra", "intake", probability=0.33),
    ),
    "intake-down": Switch("the intake fails (503)", _often(Answer(503), "intake", probability=1.0)),
    "late": Switch("half of the rows are shown up to an hour late", lambda _world: None),
    "wrong-clock": Switch("this machine's clock is three hours behind", lambda _world: None),
}
"""By name. The last two are how the tenant is made: see `serve`."""
