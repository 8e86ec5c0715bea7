"""Certificates and federated tokens against the sandbox's Entra ID, over TLS and in true time."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from office365_message_trace.errors import Refused
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.microsoft.credentials import ClientCertificate, FederatedToken
from office365_message_trace.microsoft.entra_errors import REFUSALS
from sandbox import Clock, Issuer, KeyPair, Sandbox, SandboxOptions, project, wall_clock
from tests.integration.conftest import SCOPE
from tests.integration.test_auth import signed


@contextmanager
def running(
    credential: Literal["certificate", "federated"],
    patch: pytest.MonkeyPatch,
    now: Clock = wall_clock,
) -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(credential=credential, now=now)) as world:
        patch.setenv("REQUESTS_CA_BUNDLE", str(world.ca_file))
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield world
    assert world.failures == []


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with running("certificate", monkeypatch) as world:
        yield world


@pytest.fixture
def federated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with running("federated", monkeypatch) as world:
        yield world


def applied(world: Sandbox, credential: Any) -> EntraAuth:
    who = world.identity
    return EntraAuth(world.url("entra"), who.tenant_id, who.client_id, credential, SCOPE)


def with_certificate(world: Sandbox, pair: KeyPair | None = None) -> EntraAuth:
    chosen = pair or world.key_pair
    assert chosen is not None
    return applied(world, ClientCertificate.of(chosen.pem).credential)


def with_token(world: Sandbox, file: Path | None = None) -> EntraAuth:
    return applied(world, FederatedToken(file or world.token_file).credential)


def issuer_of(world: Sandbox) -> Issuer:
    assert world.issuer is not None
    return world.issuer


def refused(auth: EntraAuth, world: Sandbox, code: int) -> None:
    """``auth`` gets the sentence of ``code``, which shows nothing of the assertion."""
    with pytest.raises(Refused) as caught:
        signed(auth)
    assert (type(caught.value), caught.value.sentence) == REFUSALS[code]
    assert f"AADSTS{code}" in caught.value.detail
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert world.entra.assertions[-1] not in shown
    assert world.entra.assertions[-1].rpartition(".")[2] not in shown


def test_a_registered_certificate_gets_a_token(certified: Sandbox) -> None:
    auth = with_certificate(certified)
    assert len({signed(auth) for _ in range(3)}) == 1
    assert certified.entra.issued == 1
    assert len(certified.entra.assertions) == 1


def test_a_token_that_was_refused_is_replaced_with_the_certificate(certified: Sandbox) -> None:
    auth = with_certificate(certified)
    first = signed(auth)
    assert auth.renew()
    assert signed(auth) != first


def test_a_certificate_that_is_not_registered_is_accepted_once_it_is(certified: Sandbox) -> None:
    pair = KeyPair.made(wall_clock() - timedelta(days=1))
    auth = with_certificate(certified, pair)
    refused(auth, certified, 700027)
    certified.app.certificates.append(pair.certificate)
    assert signed(auth).startswith("Bearer ")


def test_a_certificate_that_has_expired_is_refused(certified: Sandbox) -> None:
    pair = KeyPair.made(wall_clock() - timedelta(days=9), timedelta(days=8))
    certified.app.certificates.append(pair.certificate)
    refused(with_certificate(certified, pair), certified, 700027)


@pytest.mark.parametrize("hours", [-1, 1], ids=["clock too fast", "clock too slow"])
def test_an_assertion_out_of_its_time_is_made_anew_once_the_clocks_agree(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    wrong = [timedelta(hours=hours)]
    with running("certificate", monkeypatch, lambda: wall_clock() + wrong[0]) as world:
        auth = with_certificate(world)
        refused(auth, world, 700024)
        wrong[0] = timedelta()
        assert signed(auth).startswith("Bearer ")
        assert len({*world.entra.assertions}) == 2


def test_a_federated_token_is_read_anew_for_each_token(federated: Sandbox) -> None:
    issuer = issuer_of(federated)
    federated.entra.token_lifetime = timedelta(minutes=4)  # less than msal keeps a token for
    auth = with_token(federated)
    first = signed(auth)
    issuer.rotate()
    refused(auth, federated, 700027)
    project(issuer.token(wall_clock()), federated.token_file)
    assert signed(auth) != first
    assert len({*federated.entra.assertions}) == 2


def test_a_federated_token_that_expired_is_refused_until_it_is_renewed(
    federated: Sandbox,
) -> None:
    issuer, now = issuer_of(federated), wall_clock()
    project(issuer.token(now - timedelta(hours=2)), federated.token_file)
    auth = with_token(federated)
    refused(auth, federated, 700024)
    project(issuer.token(now), federated.token_file)
    assert signed(auth).startswith("Bearer ")


def test_a_workload_that_is_not_trusted_is_refused(federated: Sandbox) -> None:
    """Capitals count."""
    subject = "system:serviceaccount:siem:Message-Trace"
    project(issuer_of(federated).token(wall_clock(), subject=subject), federated.token_file)
    refused(with_token(federated), federated, 700213)


def test_a_token_for_somebody_else_is_refused(federated: Sandbox) -> None:
    audience = "https://kubernetes.default.svc"
    project(issuer_of(federated).token(wall_clock(), audience=audience), federated.token_file)
    refused(with_token(federated), federated, 700212)


def test_an_issuer_that_is_not_trusted_is_refused(federated: Sandbox) -> None:
    project(Issuer("https://other.example/").token(wall_clock()), federated.token_file)
    refused(with_token(federated), federated, 700211)


def test_without_a_federated_credential_the_workload_is_refused(federated: Sandbox) -> None:
    federated.app.federated.clear()
    refused(with_token(federated), federated, 70025)


def test_a_token_file_that_is_missing_is_said_and_asked_for_again(
    federated: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    auth = with_token(federated, file)
    with pytest.raises(Refused, match="federated_token_file cannot be read"):
        signed(auth)
    assert federated.entra.assertions == []
    project(issuer_of(federated).token(wall_clock()), file)
    assert signed(auth).startswith("Bearer ")
