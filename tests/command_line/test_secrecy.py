"""No secret and no token is ever printed, and no stack trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from office365_message_trace.cli import check
from sandbox import Answer, Rule
from tests.command_line.conftest import Desk, Said

Which = Literal["oauth", "basic", "graph"]
COMMANDS = [
    ["check"],
    ["check", "--json"],
    ["check", "--send-test-event"],
    ["status"],
    ["status", "--json"],
    ["peek", "--from", "1h ago"],
    ["peek", "--from", "1h ago", "--json"],
    ["replay", "--from", "1h ago", "--to", "now", "--yes"],
]


def canaries(desk: Desk) -> set[str]:
    """What must not be printed: all tokens of the sandbox begin alike."""
    who = desk.world.identity
    token = desk.world.entra.authenticate(
        who.tenant_id,
        {
            "grant_type": "client_credentials",
            "client_id": who.client_id,
            "client_secret": who.client_secret,
            "scope": "https://graph.microsoft.com/.default",
        },
    )["access_token"]
    secrets = {who.client_secret, who.intake_key, who.account_password, who.token}
    return {*secrets, token.partition(".")[0], *(repr(each)[1:-1] for each in secrets)}


def leaks(desk: Desk, said: Said) -> set[str]:
    return {each for each in canaries(desk) if each in said.out + said.err}


def echo(service: str, status: int, **when: Any) -> Callable[[Desk], object]:
    """Have a service repeat in its answer what it was sent."""

    def plan(desk: Desk) -> None:
        who = desk.world.identity
        said = " ".join([*canaries(desk), who.client_secret, who.intake_key])
        body = {"error": "invalid_client", "error_description": said, "message": said}
        answer = Answer(status, json.dumps(body).encode())
        desk.world.faults.add(Rule(answer, service, times=None, **when))

    return plan


@pytest.mark.parametrize("trigger", ["oauth", "basic", "graph"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_a_secret(desk: Desk, command: list[str], trigger: Which) -> None:
    desk.world.reporting.options.basic_auth = True
    said = desk.run(command[0], *command[1:], trigger=trigger)
    assert said.status == (3 if "status" in command else 0)  # it has not run here
    assert leaks(desk, said) == set()


@pytest.mark.parametrize("command", COMMANDS[:3] + COMMANDS[5:], ids=" ".join)
@pytest.mark.parametrize(
    "trouble",
    [
        echo("entra", 401, method="POST"),
        echo("reporting", 400),
        echo("reporting", 403),
        echo("intake", 403, method="POST"),
        echo("playbook", 500),
    ],
    ids=["entra", "reporting-400", "reporting-403", "intake", "playbook"],
)
def test_no_failure_prints_what_a_careless_service_repeats(
    desk: Desk, trouble: Callable[[Desk], object], command: list[str]
) -> None:
    trouble(desk)
    said = desk.run(*command)
    assert leaks(desk, said) == set()
    assert "Traceback" not in said.err


def test_a_secret_in_the_wrong_field_is_not_printed(desk: Desk) -> None:
    secret = desk.world.identity.client_secret
    said = desk.run("check", timedelta=secret, frequency={"a": secret}, tenant_id=secret)
    assert said.status == 2
    assert "timedelta is not a whole number" in said.out
    assert leaks(desk, said) == set()


@pytest.mark.parametrize("machine", [[], ["--json"]], ids=["plain", "json"])
def test_a_defect_is_told_in_one_sentence_without_its_text(desk: Desk, machine: list[str]) -> None:
    def defect(*_: object) -> None:
        raise RuntimeError(f"bad: {desk.world.identity.client_secret}")

    desk.patch.setattr(check, "storage_findings", defect)
    said = desk.run("check", *machine)
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert line.startswith("failure An unexpected fault ended the command. Report this")
    assert "RuntimeError at test_secrecy.py" in line
    assert leaks(desk, said) == set()
