"""``check --all`` and ``status --all`` tell of many tenants, the worst and least fresh first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.coverage import Coverage, Policy
from office365_message_trace.monitoring.activity_log import ActivityLog
from office365_message_trace.storage.folder import FolderStorage
from sandbox.clock import wall_clock
from tests.command_line.conftest import Desk
from tests.support import Logbook, TurnedClock

MINUTE = timedelta(minutes=1)
POLICY = Policy(MINUTE, MINUTE, timedelta(hours=24))


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Path:
    """A folder of settings, in an environment that has none of its own."""
    for name, value in desk.world.environment("oauth").items():
        desk.patch.setenv(name, value)
    desk.patch.delenv("TRIGGER_CONFIGURATION")
    folder = tmp_path / "settings"
    folder.mkdir()
    return folder


def write_settings(desk: Desk, folder: Path, name: str, **changed: Any) -> None:
    entered = json.loads(desk.world.environment("oauth")["TRIGGER_CONFIGURATION"])
    (folder / f"{name}.json").write_text(json.dumps(entered | changed))


def write_state(desk: Desk, name: str, behind: timedelta, trigger: str = "message_trace") -> None:
    storage = FolderStorage(desk.data / name, trigger)
    now = wall_clock()
    coverage = Coverage.starting(now - behind)
    CheckpointStore(storage, Logbook()).save(coverage)
    started = TurnedClock(now - behind - 60 * MINUTE)
    ActivityLog(storage, started, POLICY, Logbook()).covered(coverage, now)


def test_check_of_all_shows_each_tenant_and_the_worst_first(desk: Desk, folder: Path) -> None:
    write_settings(desk, folder, "contoso")
    write_settings(desk, folder, "fabrikam", client_secret="wrong")
    (folder / "northwind.json").write_text("{,}")
    (folder / "README.txt").write_text("no settings")
    said = desk.type("check", "--all", str(folder), "--trigger", "oauth")
    assert said.status == 2
    header, *lines, summary = said.out.splitlines()
    assert header.split() == ["Tenant", "State"]
    found = {line.split()[0]: line for line in lines}
    assert list(found)[-1] == "contoso"
    assert "sign-in: The client secret is wrong" in found["fabrikam"]
    assert "northwind.json is not a JSON object with settings" in found["northwind"]
    assert summary.startswith("3 tenants: failure 2, ")
    assert desk.world.intake.counts.events == 0


def test_check_of_all_as_json_has_each_finding_with_its_tenant(desk: Desk, folder: Path) -> None:
    write_settings(desk, folder, "contoso")
    said = desk.type("check", "--all", str(folder), "--trigger", "oauth", "--json")
    (tenant,) = said.json["tenants"]
    assert said.json["status"] == tenant["status"] == said.status
    assert (tenant["name"], tenant["trigger"]) == ("contoso", "oauth")
    assert {"level", "code", "subject", "text"} == tenant["findings"][0].keys()


def test_status_of_all_shows_the_least_fresh_first(desk: Desk, folder: Path) -> None:
    behind = {"contoso": MINUTE, "fabrikam": 60 * MINUTE, "northwind": 600 * MINUTE}
    for name, lag in behind.items():
        write_settings(desk, folder, name)
        write_state(desk, name, lag)
    write_settings(desk, folder, "tailspin")
    said = desk.type("status", "--all", str(folder), "--trigger", "oauth")
    assert said.status == 2
    lines = said.out.splitlines()[1:]
    assert [line.split()[0] for line in lines[:4]] == [
        "northwind",
        "fabrikam",
        "tailspin",
        "contoso",
    ]
    assert "10 hours ago" in lines[0]
    assert "Mail is late" in lines[0]
    assert "has not run here" in lines[2]
    assert lines[3].split()[:2] == ["contoso", "ok"]
    assert lines[4] == "4 tenants: critical 2, unknown 1, ok 1."
    assert desk.requests == 0


def test_settings_tell_what_is_late_where_the_trigger_noted_nothing(
    desk: Desk, folder: Path
) -> None:
    for name, delay in (("contoso", 5), ("fabrikam", 600)):
        write_settings(desk, folder, name, timedelta=delay)
        storage = FolderStorage(desk.data / name, "message_trace")
        CheckpointStore(storage, Logbook()).save(Coverage.starting(wall_clock() - 60 * MINUTE))
    said = desk.type("status", "--all", str(folder), "--trigger", "oauth", "--json")
    assert {each["name"]: each["late"] for each in said.json["tenants"]} == {
        "contoso": True,
        "fabrikam": False,
    }


def test_status_of_all_as_json_has_the_tenants(desk: Desk, folder: Path) -> None:
    write_settings(desk, folder, "contoso")
    write_state(desk, "contoso", MINUTE)
    said = desk.type("status", "--all", str(folder), "--trigger", "oauth", "--json")
    assert said.status == said.json["status"] == 0
    (tenant,) = said.json["tenants"]
    assert (tenant["name"], tenant["late"]) == ("contoso", False)


def test_the_state_tells_the_trigger_where_the_settings_do_not(desk: Desk, folder: Path) -> None:
    for name, triggers in (
        ("contoso", ["message_trace_graph"]),
        ("fabrikam", ["message_trace"]),
        ("northwind", ["message_trace", "message_trace_graph"]),
    ):
        write_settings(desk, folder, name)
        for trigger in triggers:
            write_state(desk, name, MINUTE, trigger)
    write_settings(desk, folder, "tailspin")
    said = desk.type("status", "--all", str(folder))
    found = {line.split()[0]: line.split()[1] for line in said.out.splitlines()[1:-1]}
    assert found == {
        "northwind": "critical",
        "tailspin": "unknown",
        "contoso": "ok",
        "fabrikam": "ok",
    }
    assert "--trigger oauth for" in said.out
    assert said.status == 2


@pytest.mark.parametrize("command", ["check", "status"])
def test_a_folder_without_settings_is_named(desk: Desk, folder: Path, command: str) -> None:
    said = desk.type(command, "--all", str(folder))
    assert said.status == 2
    assert "holds no settings" in said.err
    said = desk.type(command, "--all", str(folder / "none"))
    assert said.status == 2
    assert "cannot be read (No such file or directory)" in said.err


@pytest.mark.parametrize(
    ("command", "option"),
    [("check", "--send-test-event"), ("status", "--verbose")],
)
def test_options_for_one_tenant_are_refused(
    desk: Desk, folder: Path, command: str, option: str
) -> None:
    write_settings(desk, folder, "contoso")
    for options in ([option], ["--config", str(folder / "contoso.json")]):
        said = desk.type(command, "--all", str(folder), *options)
        assert said.status == 2
        assert f"--all takes neither --config nor {option}" in " ".join(said.err.split())


def test_a_state_that_cannot_be_read_is_critical_and_hides_no_other(
    desk: Desk, folder: Path
) -> None:
    for name in ("contoso", "fabrikam"):
        write_settings(desk, folder, name)
    write_state(desk, "contoso", MINUTE)
    (desk.data / "fabrikam").write_text("no folder")
    said = desk.type("status", "--all", str(folder))
    assert said.status == 2
    worst, well = said.out.splitlines()[1:-1]
    assert worst.split()[:3] == ["fabrikam", "critical", "storage:"]
    assert well.split()[:2] == ["contoso", "ok"]
