"""Somebody who has README and nothing else finds out what is wrong, mends it, and is done."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sandbox.clock import wall_clock
from tests.command_line.conftest import Desk

README = (Path(__file__).parents[2] / "README.md").read_text()


def command_of_readme(trigger: str) -> list[str]:
    """The arguments of the check that README tells to run."""
    (command,) = set(re.findall(rf"message-trace (check --trigger {trigger})\b", README))
    return command.split()


def advice_of_readme(finding: str) -> str:
    """What README's table says who has to do, for a finding that holds the message of a row."""
    table = README.split("## When something is wrong")[1]
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)
    (advice,) = (advice for message, advice in rows if message.rstrip(" …:") in finding)
    return advice


def walk(desk: Desk, trigger: Literal["oauth", "graph"]) -> list[str]:
    for name, value in desk.world.environment(trigger).items():
        desk.patch.setenv(name, value)
    said = desk.type(*command_of_readme(trigger))
    assert said.status == (2 if said.lines("failure") else 0)
    return said.lines("failure")


def test_a_wrong_secret_is_diagnosed_and_mended(desk: Desk) -> None:
    right = dict(desk.world.app.secrets)
    desk.world.app.secrets = {"another": None}
    (finding,) = walk(desk, "oauth")
    assert "Create a new secret and enter its Value" in finding
    assert advice_of_readme(finding) == "create a secret, enter its *Value*"
    desk.world.app.secrets = right
    assert walk(desk, "oauth") == []


def test_a_missing_role_is_diagnosed_and_mended(desk: Desk) -> None:
    roles = set(desk.world.app.directory_roles)
    desk.world.app.directory_roles.clear()
    (finding,) = walk(desk, "oauth")
    assert "Assign Global Reader" in finding
    assert "step 5" in advice_of_readme(finding)
    assert "Global Reader" in README.split("5. **")[1].splitlines()[0]
    desk.world.app.directory_roles = roles
    assert walk(desk, "oauth") == []


def test_a_missing_service_principal_is_diagnosed_and_mended(desk: Desk) -> None:
    desk.world.graph.options.principal_from = wall_clock() + timedelta(hours=3)
    (finding,) = walk(desk, "graph")
    assert "run the command in the message" in advice_of_readme(finding)
    assert re.search(r"New-MgServicePrincipal -AppId [0-9a-f-]{36} ", finding)
    desk.world.graph.options.principal_from = None
    assert walk(desk, "graph") == []
