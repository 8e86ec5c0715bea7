"""The command as a process of its own, started as a person starts it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from office365_message_trace.cli.verdict import Health
from sandbox import Sandbox, make_row
from sandbox.process import ROOT, VOLUME

COMMAND = [sys.executable, "-m", "office365_message_trace"]


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
    assert running.failures == []


def environment(world: Sandbox, data: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(VOLUME), os.environ.get("PYTHONPATH", "")]))
    added = {"PYTHONPATH": path, "SANDBOX_DATA_FOLDER": str(data)}
    return {**os.environ, **world.environment("oauth"), **added}


def test_check_works_as_a_process(world: Sandbox, tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "check", "--trigger", "oauth", "--json"],
        cwd=ROOT,
        env=environment(world, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert json.loads(ended.stdout)["status"] == 0
    assert ended.stdout.endswith("}\n")


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
@pytest.mark.parametrize("command", [("peek", "--from", "1h ago"), ("status", "--all", "FOLDER")])
def test_characters_that_the_output_lacks_are_replaced(
    world: Sandbox, tmp_path: Path, command: tuple[str, ...], encoding: str
) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "Łódź.json").write_text("{}")
    arguments = [str(folder) if each == "FOLDER" else each for each in command]
    world.tenant.add(make_row(world.now() - timedelta(minutes=30), Subject="日本語 and Łódź"))
    ended = subprocess.run(
        [*COMMAND, *arguments, "--trigger", "oauth"],
        cwd=ROOT,
        env=environment(world, tmp_path / "data") | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert ended.returncode in (0, 1, Health.UNKNOWN.status)
    assert b"?" in ended.stdout
    assert ended.stderr == b""


@pytest.mark.parametrize("form", ["--limit=0", "--csv", "--json"])
def test_an_output_that_lacks_characters_gets_others(
    world: Sandbox, tmp_path: Path, form: str
) -> None:
    """Subjects are in many languages, and an ISO 8859 terminal has few of their letters."""
    ended = subprocess.run(
        [*COMMAND, "peek", "--trigger", "oauth", "--from", "2h", form],
        cwd=ROOT,
        env={**environment(world, tmp_path), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.isascii()


def test_a_missing_secret_is_asked_for_on_a_terminal_and_not_shown(
    world: Sandbox, tmp_path: Path
) -> None:
    variables = environment(world, tmp_path)
    values = json.loads(variables.pop("TRIGGER_CONFIGURATION"))
    secret = values.pop("client_secret")
    values["intake_server"] = world.url("intake")
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(values))
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "check", "--trigger", "oauth", "--config", str(file)],
        cwd=ROOT,
        env={**variables, "TERM": "dumb"},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None:  # what is typed before the question is thrown away
            os.write(keyboard, f"{secret}\n".encode())
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
        out, err = process.communicate()
    os.close(keyboard)
    os.close(terminal)
    assert process.returncode == 0, out + err
    assert "client_secret (not shown)" in err
    assert "sign-in" not in out
    assert secret not in out + err


@pytest.mark.parametrize("command", ["check", "status", "peek", "run", "replay"])
def test_help_teaches_with_an_example(command: str) -> None:
    ended = subprocess.run(
        [*COMMAND, command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"Example: {command}" in ended.stdout
    assert "Exits " in ended.stdout


def test_the_short_option_helps_and_the_version_is_told() -> None:
    short, long, version = (
        subprocess.run(
            [*COMMAND, option], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for option in ("-h", "--help", "--version")
    )
    assert short == long
    assert "Usage: message-trace [OPTIONS] COMMAND" in short
    for text in ("--install-completion", "Exit status: 0 all is well", "MESSAGE_TRACE_TENANT_ID"):
        assert text in " ".join(short.split())
    manifest = json.loads((ROOT / "manifest.json").read_text())
    assert version == f"message-trace {manifest['version']}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("message-trace st", "status"), ("message-trace peek --se", "--sender")],
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    asked = {
        "_MESSAGE_TRACE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    ended = subprocess.run(
        COMMAND, cwd=ROOT, env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert completed in ended.stdout.split()


@pytest.mark.parametrize(
    ("typed", "meant"), [(["pek"], "'peek'"), (["peek", "--form", "2h"], "--from")]
)
def test_a_misspelt_word_is_answered_with_the_one_that_is_meant(
    typed: list[str], meant: str
) -> None:
    ended = subprocess.run(
        [*COMMAND, *typed], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert meant in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "--json"], ["peek", "--csv"]], ids=" ".join
)
def test_a_reader_that_has_gone_ends_the_command_silently(
    world: Sandbox, tmp_path: Path, arguments: list[str]
) -> None:
    """With a status that is not the command's own: `status` says by 1 that mail is late."""
    reading, writing = os.pipe()
    os.close(reading)
    window = ["--from", "30m ago", "--to", "3m ago"] if "peek" in arguments else []
    ended = subprocess.run(
        [*COMMAND, *arguments, *window, "--trigger", "oauth"],
        cwd=ROOT,
        env=environment(world, tmp_path),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")
