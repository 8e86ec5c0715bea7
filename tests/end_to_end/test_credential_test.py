"""The platform's test of the module's credentials, from a process of its own, as the platform starts it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from office365_message_trace.checks.application import TIME_LIMIT
from sandbox import Answer, Drop, Hang, MailFlowOptions, Rule, Sandbox, SandboxOptions, make_row
from sandbox.clock import wall_clock
from sandbox.entra import READ_REPORTS, READ_TRACES
from sandbox.process import ROOT, run_action
from tests.end_to_end.tracker import open_tracker

TEST = "validate_module_configuration"
MICROSOFT = ("entra", "graph", "reporting")


@dataclass(frozen=True)
class Told:
    """What the platform was told, what that took, and everything else that the process left anywhere."""

    success: bool
    error: str
    requests: int
    seconds: float
    traces: str


@pytest.fixture(params=["secret", "certificate"])
def credential(request: pytest.FixtureRequest) -> Literal["secret", "certificate"]:
    kind: Literal["secret", "certificate"] = request.param
    return kind


def opened(
    credential: Literal["secret", "certificate"] = "secret", by_platform: bool = True
) -> Sandbox:
    return Sandbox(
        SandboxOptions(
            mail=MailFlowOptions(messages_per_minute=0),
            credential=credential,
            secrets_by_node=by_platform,
        )
    )


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """A tenant with a message of the last hour; the platform gives the secret."""
    with opened() as world:
        world.tenant.add(message(world))
        yield world
    assert world.failures == []


def message(world: Sandbox) -> Any:
    return make_row(
        world.now() - timedelta(minutes=20),
        Subject="canary subject",
        SenderAddress="canary.sender@outside.example",
        RecipientAddress="canary.recipient@contoso.example",
    )


def outcome_of(world: Sandbox, folder: Path, **variables: Any) -> Told:
    world.request_log.clear()
    with open_tracker() as tracker:
        done = run_action(world, folder, TEST, {}, SENTRY_DSN=tracker.dsn, **variables)
    assert done.returncode == 0, done.stdout
    running, finished = world.playbook.callbacks[-2:]
    assert running == {"status": "running"}
    assert finished["status"] == "finished"
    began, ended = (each.at for each in world.request_log.entries("playbook"))
    reports = b"".join(tracker.envelopes).decode(errors="replace")
    return Told(
        finished["results"]["success"],
        finished.get("error", ""),
        sum(map(world.request_log.count, MICROSOFT)),
        (ended - began).total_seconds(),
        done.stdout + reports + finished.get("error", ""),
    )


def wrong_secret(world: Sandbox) -> None:
    world.app.secrets = {"another": None}


def no_permission(world: Sandbox) -> None:
    world.app.roles = set()


def no_principal(world: Sandbox) -> None:
    world.graph.options.principal_from = wall_clock() + timedelta(days=1)
    world.app.roles = {READ_TRACES}


def reporting_only(world: Sandbox) -> None:
    world.app.roles = {READ_REPORTS}


def no_principal_but_reporting(world: Sandbox) -> None:
    world.graph.options.principal_from = wall_clock() + timedelta(days=1)


def quota_is_spent(world: Sandbox) -> None:
    world.faults.add(Rule(Answer(429, b"{}"), "graph", times=None))


def entra_drops(world: Sandbox) -> None:
    world.faults.add(Rule(Drop(), "entra", times=None))


def a_proxy_refuses(world: Sandbox) -> None:
    world.faults.add(Rule(Answer(403, b"<html>canary of a proxy</html>"), "graph", times=None))
    world.app.roles = {READ_TRACES}


WRONG: list[tuple[Callable[[Sandbox], None], str, int]] = [
    (wrong_secret, "The client secret is wrong.", 1),
    (no_permission, "An administrator adds Microsoft Graph > Application permissions > Exch", 2),
    (no_principal, "An administrator runs once, in Microsoft Graph PowerShell", 3),
    (reporting_only, "Only the Reporting Web Service gives rows to these credentials: the tri", 3),
    (
        no_principal_but_reporting,
        "For the Graph trigger and the actions: Microsoft Graph has no message tra",
        4,
    ),
    (quota_is_spent, "The tenant's requests are spent, by this module or other tools; check", 2),
    (entra_drops, "Try again; if it lasts, see Microsoft 365 admin center > Health >", 1),
    (a_proxy_refuses, "if a proxy or a gateway gives it, have its administrator let", 4),
]


def test_credentials_that_can_be_used_pass_at_two_requests(
    credential: Literal["secret", "certificate"], tmp_path: Path
) -> None:
    with opened(credential) as world:
        world.tenant.add(message(world))
        told = outcome_of(world, tmp_path)
    assert (told.success, told.error) == (True, "")
    assert told.requests == 2
    assert told.seconds < TIME_LIMIT / 2
    assert not list((tmp_path / "data").iterdir())


def test_a_tenant_without_mail_passes_at_three_requests(tmp_path: Path) -> None:
    with opened(by_platform=False) as world:
        told = outcome_of(world, tmp_path)
    assert (told.success, told.error) == (True, "")
    assert told.requests == 3


@pytest.mark.parametrize(
    ("wrong", "part", "requests"), WRONG, ids=[each[0].__name__ for each in WRONG]
)
def test_what_is_wrong_is_told_in_one_sentence_that_says_who_does_what(
    world: Sandbox,
    tmp_path: Path,
    wrong: Callable[[Sandbox], None],
    part: str,
    requests: int,
) -> None:
    wrong(world)
    told = outcome_of(world, tmp_path)
    assert not told.success
    assert part in told.error
    assert told.requests == requests
    assert told.seconds < TIME_LIMIT / 2
    for secret in ("canary", world.identity.client_secret, world.identity.token, "Traceback"):
        assert secret not in told.traces


@pytest.mark.parametrize(
    "configuration",
    [None, {}, {"tenant_id": "", "client_id": None, "client_secret": " "}],
    ids=["null", "nothing", "blanks"],
)
def test_an_empty_configuration_is_told_apart_from_a_wrong_one(
    world: Sandbox, tmp_path: Path, configuration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "_application", lambda: ({}, {}))
    told = outcome_of(world, tmp_path, MODULE_CONFIGURATION=json.dumps(configuration))
    assert not told.success
    assert told.error.startswith("The configuration of the module is empty, so there is nothing to")
    assert "no fault where each trigger has credentials of its own" in told.error
    assert told.requests == 0


@pytest.mark.parametrize("item", [TEST, "search_message_trace"])
@pytest.mark.parametrize("answer", [b'{"module_configuration": null}', b"{}", b"", b"[1]"])
def test_a_platform_that_has_nothing_to_give_is_no_fault(
    world: Sandbox, tmp_path: Path, item: str, answer: bytes
) -> None:
    world.faults.add(Rule(Answer(200, answer), "playbook", path="/callback"))
    done = run_action(world, tmp_path, item, {}, MODULE_CONFIGURATION="{}")
    assert done.returncode == 0, done.stdout
    (finished,) = world.playbook.callbacks
    assert re.search(
        r"The (configuration of the )?module (is empty|has no credentials)", finished["error"]
    )
    assert "Traceback" not in finished["error"] + done.stdout


def test_a_defect_is_one_sentence_without_its_text(world: Sandbox, tmp_path: Path) -> None:
    main = Path(__file__).with_name("defective.py")
    with open_tracker() as tracker:
        done = run_action(
            *(world, tmp_path, TEST, {}, ROOT, main),
            DEFECT="caught:checks.application:CredentialTest:_problem",
            SENTRY_DSN=tracker.dsn,
        )
    finished = world.playbook.callbacks[-1]
    assert finished["results"] == {"success": False}
    assert finished["error"].startswith("An unexpected fault ended the test. Report this to the")
    assert tracker.events
    reports = b"".join(tracker.envelopes).decode(errors="replace")
    for text in (done.stdout, reports, finished["error"]):
        assert "canary" not in text
        assert world.identity.client_secret not in text


def test_an_incomplete_configuration_names_all_that_is_missing(
    world: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "_application", lambda: ({}, {}))
    told = outcome_of(world, tmp_path, MODULE_CONFIGURATION='{"tenant_id": "contoso.com"}')
    assert "client_id is missing; enter a value. client_secret is missing" in told.error
    assert told.requests == 0


@pytest.mark.parametrize("service", ["entra", "graph"])
def test_a_service_that_is_silent_is_named_within_the_time_limit(
    world: Sandbox, tmp_path: Path, service: str
) -> None:
    world.faults.add(Rule(Hang(), service, times=None))
    world.app.roles = {READ_TRACES}
    began = time.monotonic()
    told = outcome_of(world, tmp_path)
    assert not told.success
    assert told.seconds < TIME_LIMIT + 1
    assert ("Entra ID" if service == "entra" else "Microsoft Graph") in told.error
    assert time.monotonic() - began < TIME_LIMIT + 15


def test_a_host_that_takes_no_connection_is_named(world: Sandbox, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"
        told = outcome_of(world, tmp_path, MESSAGE_TRACE_LOGIN_URL=url)
    assert not told.success
    assert "cannot be reached on port" in told.error
    assert "have the administrator of the network" in told.error
    assert told.seconds < TIME_LIMIT / 2
