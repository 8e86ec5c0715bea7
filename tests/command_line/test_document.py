"""docs/command-line.md and the commands tell the same."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from office365_message_trace.cli.app import app
from sandbox.process import TriggerProcess
from sandbox.switches import SWITCHES
from tests.command_line.conftest import Desk
from tests.command_line.test_verdict import WORKING

DOCUMENT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))


def options_of(command: str) -> set[str]:
    """The options of a command, but for --help."""
    group = typer.main.get_command(app)
    parameters = group.commands[command].params  # type: ignore[attr-defined]
    names = {name for each in parameters for name in each.opts}
    return {name for name in names if name.startswith("--")} - {"--help"}


@pytest.mark.parametrize(
    "command",
    ["check", "status", "peek", "run", "replay", "search", "recipients", "details"],
)
def test_the_table_of_a_command_lists_its_options(command: str) -> None:
    rows = re.findall(r"^\| (`--.+?) \|", SECTIONS[command], re.MULTILINE)
    assert set(re.findall(r"--[a-z-]+", " ".join(rows))) == options_of(command)


def test_every_command_has_its_section() -> None:
    group = typer.main.get_command(app)
    assert set(group.commands) <= set(SECTIONS)  # type: ignore[attr-defined]


EXAMPLES = re.findall(r"^```\n\$ message-trace (.+)\n((?:.*\n)+?)```", DOCUMENT, re.MULTILINE)
"""Commands and the output that the document shows."""


def shape(text: str) -> str:
    """A line without what differs from machine to machine: hosts, numbers, times, names."""
    text = re.sub(r"https?://\S+|[\w-]+(\.[\w-]+){2,}|(?<= )/\S+|\w+(-\w+){4}", "…", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "#", text)
    text = re.sub(r"\d[\d,.]*( (bytes?|seconds?|minutes?|hours?|days?)\b)?", "#", text)
    return re.sub(r"(row|bucket|event|finding)s?\b", r"\1", text)


def outputs(command: str) -> list[str]:
    (found,) = [text for shown, text in EXAMPLES if shown == command]
    return [line for line in found.splitlines() if line.strip() != "…"]


def test_check_prints_what_the_document_shows(desk: Desk) -> None:
    said = desk.run("check", trigger="graph")
    assert list(map(shape, said.out.splitlines())) == list(map(shape, outputs("check")))


def test_status_prints_what_the_document_shows(desk: Desk, tmp_path: Path) -> None:
    with TriggerProcess(desk.world, tmp_path, "graph", timedelta=0) as process:
        process.start()
        process.wait_until(lambda: desk.world.intake.counts.events)
        process.wait_until_quiet()
        desk.data = process.data
        said = desk.run("status", "--verbose", trigger="graph")
        verdict = desk.run("status", trigger="graph")
    printed = set(map(shape, said.out.splitlines()))
    assert set(map(shape, outputs("status --verbose"))) <= printed
    assert shape(verdict.out.splitlines()[0]) == shape(EXAMPLES_OF_STATUS[0])


EXAMPLES_OF_STATUS = [text.splitlines()[0] for shown, text in EXAMPLES if shown == "status"]


def test_the_verdict_on_a_backlog_is_the_one_of_the_document() -> None:
    backlog = "3.1 days of receive time, 25% done, about 7.5 minutes to go"
    verdict = replace(WORKING, backlog=backlog).verdict()
    assert shape(f"{verdict.health.value:<8}{verdict.text}") == shape(EXAMPLES_OF_STATUS[1])


def test_peek_prints_what_the_document_shows(desk: Desk) -> None:
    said = desk.run("peek", "--from", "20m", "--to", "3m", "--limit", "3", trigger="graph")
    table, *_, counts, last = said.out.splitlines()
    shown = outputs("peek --from 20m --to 3m --limit 3")
    assert table.split() == shown[0].split()
    assert shape(counts).partition(":")[0] == shape(shown[-2]).partition(":")[0]
    assert shape(last) == shape(shown[-1])


def test_every_command_of_the_document_can_be_typed(desk: Desk) -> None:
    """With -h at its end, it explains itself instead of refusing a word."""
    for command, _ in EXAMPLES:
        said = desk.type(*shlex.split(command), "-h")
        assert said.status == 0, said
        assert "Usage: message-trace" in said.out


def test_the_document_lists_the_faults_of_the_sandbox() -> None:
    rows = dict(
        re.findall(r"^\| `([\w-]+)` \| (.+) \|$", DOCUMENT.split("## Settings")[0], re.MULTILINE)
    )
    faults = {name: each.meaning for name, each in SWITCHES.items()}
    assert {name: rows.get(name) for name in faults} == faults
