"""The real process signs in with a certificate or a federated token, and shows nothing of either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from sandbox import MailFlowOptions, Sandbox, SandboxOptions
from sandbox.certificates import KeyPair
from sandbox.process import TriggerProcess
from sandbox.workload import project
from tests.end_to_end.conftest import compiled_in

Kind = Literal["certificate", "federated"]


def opened(kind: Kind) -> Sandbox:
    """A sandbox with settled mail, whose tokens live long enough to be kept."""
    end = SandboxOptions().now() - timedelta(minutes=12)
    mail = MailFlowOptions(
        messages_per_minute=5,
        since=end - timedelta(minutes=40),
        until=end,
        late_between=(timedelta(minutes=5), timedelta(minutes=11)),
        slow_fraction=0,
    )
    return Sandbox(SandboxOptions(mail=mail, credential=kind))


@pytest.fixture(params=["certificate", "federated"])
def world(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with opened(request.param) as running:
        yield running
    assert running.failures == []


def started(
    world: Sandbox, folder: Path, bytecode: Path, certificate: str | None = None
) -> TriggerProcess:
    """The process with the world's credential, or with another certificate."""
    other = {} if certificate is None else {"client_certificate": certificate}
    process = TriggerProcess(world, folder, "oauth", timedelta=0, start_time=2, **other)
    process.environment |= compiled_in(bytecode)
    process.start()
    return process


def secrets(world: Sandbox) -> list[str]:
    """What must not be seen: each line of the key, the tokens, and the signatures of assertions."""
    found = [each.rpartition(".")[2] for each in world.entra.assertions]
    if world.key_pair is not None:
        found += [line for line in world.key_pair.pem.splitlines() if not line.startswith("-----")]
    if world.issuer is not None:
        found.append(world.token_file.read_text().strip())
    return found


def seen(process: TriggerProcess, world: Sandbox) -> str:
    """All that the process printed, told the platform and stored."""
    stored = [path.read_bytes() for path in process.data.rglob("*") if path.is_file()]
    return process.output + json.dumps(world.playbook.logs) + repr(stored)


def test_everything_is_delivered_and_nothing_of_the_credential_is_shown(
    world: Sandbox, tmp_path: Path, bytecode: Path
) -> None:
    now = world.now()
    start = now - timedelta(hours=2)
    rows = world.tenant.count(start, now, now)
    with started(world, tmp_path, bytecode) as process:
        process.wait_until(lambda: world.intake.counts.events >= rows)
        assert process.stop().status == 0
    assert world.check(start, now, now).ok
    shown = seen(process, world)
    assert world.entra.assertions
    assert not [secret for secret in secrets(world) if secret in shown]


def test_a_token_file_that_is_renewed_is_read_anew(tmp_path: Path, bytecode: Path) -> None:
    """The tokens of Entra ID live so shortly that each request needs a new one."""
    with opened("federated") as world:
        assert world.issuer is not None
        world.entra.token_lifetime = timedelta(minutes=1)
        world.reporting.options.page_size = 20
        with started(world, tmp_path, bytecode) as process:
            process.wait_until(lambda: len(world.entra.assertions) >= 2)
            fresh = world.issuer.token(world.now(), lifetime=timedelta(hours=2))
            project(fresh, world.token_file)
            rows = world.tenant.count(world.now() - timedelta(hours=2), world.now(), world.now())
            process.wait_until(lambda: world.intake.counts.events >= rows)
            assert process.stop().status == 0
        assert world.entra.assertions[0] != fresh
        assert world.entra.assertions[-1] == fresh


def test_a_certificate_that_is_not_registered_is_said_and_nothing_is_lost_by_it(
    tmp_path: Path, bytecode: Path
) -> None:
    with opened("certificate") as world:
        now = world.now()
        start = now - timedelta(hours=2)
        stranger = KeyPair.made(now - timedelta(days=1))
        with started(world, tmp_path, bytecode, stranger.pem) as process:
            process.wait_until(lambda: world.playbook.messages("error"))
            (message,) = world.playbook.messages("error")
            assert "does not accept the certificate" in message
            assert "AADSTS700027" in message
            assert process.stop().status == 0
            assert world.intake.counts.events == 0
            world.app.certificates.append(stranger.certificate)
            process.start()
            rows = world.tenant.count(start, now, now)
            process.wait_until(lambda: world.intake.counts.events >= rows)
            assert process.stop().status == 0
        assert world.check(start, now, now).ok
        assert stranger.key_pem.splitlines()[1] not in seen(process, world)
