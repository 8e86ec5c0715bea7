"""Somebody who has the documents and nothing else finds out what is wrong, mends it, and is done."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sandbox.clock import wall_clock
from tests.command_line.conftest import Desk

ROOT = Path(__file__).parents[2]
README, SETUP, MESSAGES = (
    (ROOT / name).read_text() for name in ("README.md", "docs/setup.md", "docs/messages.md")
)


def command_of_readme(trigger: str) -> list[str]:
    """The arguments of the check that README tells to run, for ``trigger`` as the set-up says."""
    (command,) = set(re.findall(r"message-trace (check --trigger graph)\b", README))
    assert "Write `oauth` or `basic` for the other triggers." in SETUP
    return command.replace("graph", trigger).split()


def advice(finding: str) -> str:
    """What the messages' tables say who has to do, for a finding that holds the message of a row."""
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|$", MESSAGES, re.MULTILINE)
    (found,) = (todo for message, todo in rows if message.rstrip(" …:") in finding)
    return found


def walk(desk: Desk, trigger: Literal["oauth", "graph"]) -> list[str]:
    for name, value in desk.world.environment(trigger).items():
        desk.patch.setenv(name, value)
    said = desk.type(*command_of_readme(trigger))
    assert said.status == (2 if said.lines("failure") else 0)
    return said.lines("failure")


def test_the_file_and_the_command_of_the_readme_find_all_well(desk: Desk, tmp_path: Path) -> None:
    """As printed, with values in the places of the dots; where a terminal would ask for the secret."""
    (text,) = re.findall(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    world = desk.world.environment("graph")
    values = json.loads(world.pop("TRIGGER_CONFIGURATION")) | {
        "client_secret": desk.world.identity.client_secret,
        "intake_server": world.pop("INTAKE_URL"),
    }
    file = tmp_path / "settings.json"
    named = dict.fromkeys((*json.loads(text), "client_secret"))
    file.write_text(json.dumps({name: values[name] for name in named}))
    for name, value in world.items():
        if name.startswith("MESSAGE_TRACE") or name in {"REQUESTS_CA_BUNDLE", "NO_PROXY"}:
            desk.patch.setenv(name, value)
    (command,) = re.findall(r"^\.venv/bin/message-trace (.+)$", README, re.MULTILINE)
    said = desk.type(*command.replace("settings.json", str(file)).split())
    assert said.lines("failure") == []
    assert any("accepts the key" in line for line in said.lines("ok"))


def test_a_wrong_secret_is_diagnosed_and_mended(desk: Desk) -> None:
    right = dict(desk.world.app.secrets)
    desk.world.app.secrets = {"another": None}
    (finding,) = walk(desk, "oauth")
    assert "Create a new secret and enter its Value" in finding
    assert advice(finding) == "create a secret, enter its *Value*"
    desk.world.app.secrets = right
    assert walk(desk, "oauth") == []


def test_a_missing_role_is_diagnosed_and_mended(desk: Desk) -> None:
    roles = set(desk.world.app.directory_roles)
    desk.world.app.directory_roles.clear()
    (finding,) = walk(desk, "oauth")
    assert "Assign Security Reader" in finding
    assert "[assign the role](setup.md#4-assign-a-role)" in advice(finding)
    assert "*Global Reader* works as well" in SETUP.split("### 4 Assign a role")[1]
    desk.world.app.directory_roles = roles
    assert walk(desk, "oauth") == []


def test_a_missing_service_principal_is_diagnosed_and_mended(desk: Desk) -> None:
    desk.world.graph.options.principal_from = wall_clock() + timedelta(hours=3)
    (finding,) = walk(desk, "graph")
    assert "run the command in the message" in advice(finding)
    assert re.search(r"New-MgServicePrincipal -AppId [0-9a-f-]{36} ", finding)
    desk.world.graph.options.principal_from = None
    assert walk(desk, "graph") == []
