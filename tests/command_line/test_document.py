"""docs/command-line.md and the commands tell the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from office365_message_trace.cli.app import app

DOCUMENT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))


def options_of(command: str) -> set[str]:
    """The options of a command, but for --help."""
    group = typer.main.get_command(app)
    parameters = group.commands[command].params  # type: ignore[attr-defined]
    return {name for each in parameters for name in each.opts} - {"--help"}


@pytest.mark.parametrize(
    "command", ["check", "status", "peek", "replay", "search", "recipients", "details"]
)
def test_the_table_of_a_command_lists_its_options(command: str) -> None:
    rows = re.findall(r"^\| (`--.+?) \|", SECTIONS[command], re.MULTILINE)
    assert set(re.findall(r"--[a-z-]+", " ".join(rows))) == options_of(command)


def test_every_command_has_its_section() -> None:
    group = typer.main.get_command(app)
    assert set(group.commands) <= set(SECTIONS)  # type: ignore[attr-defined]
