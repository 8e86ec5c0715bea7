"""Entra ID of the sandbox: tokens and refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from sandbox import EntraError, Sandbox
from sandbox.entra_errors import TABLE
from tests.sandbox.client import Client
from tests.support import TurnedClock

SCOPE = "https://outlook.office365.com/.default"


def test_the_reporting_service_accepts_a_token(client: Client) -> None:
    given = client.ask_token().json()
    assert given["expires_in"] == 3599
    assert client.trace(token=given["access_token"]).status_code == 200


def test_a_token_answer_has_the_documented_fields(client: Client) -> None:
    answer = client.ask_token()
    assert answer.status_code == 200
    assert set(answer.json()) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert answer.json()["access_token"].count(".") == 2


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"tenant": "elsewhere"}, 400, "invalid_request", 90002),
        ({"scope": "https://outlook.office365.com"}, 400, "invalid_scope", 70011),
        ({"scope": "https://unknown.example/.default"}, 400, "invalid_resource", 500011),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else None,
)
def test_a_wrong_request_is_refused_in_the_documented_envelope(
    client: Client, changes: dict[str, str | None], status: int, error: str, code: int
) -> None:
    answer = client.ask_token(**changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert "\r\nTrace ID: " in body["error_description"]
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} < set(body)


def test_a_secret_expires(world: Sandbox, client: Client, clock: TurnedClock) -> None:
    world.app.secrets[world.identity.client_secret] = clock.now() + timedelta(minutes=1)
    assert client.ask_token().status_code == 200
    clock.wait(60)
    answer = client.ask_token()
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000222])


@pytest.mark.parametrize("code", sorted(TABLE))
def test_every_error_of_the_table_can_be_forced_and_lifted(
    world: Sandbox, client: Client, code: int
) -> None:
    world.entra.forced = EntraError(code, headers={"Retry-After": "7"})
    answer = client.ask_token()
    assert (answer.status_code, answer.json()["error"]) == TABLE[code][:2]
    assert answer.headers["Retry-After"] == "7"
    world.entra.forced = None
    assert client.ask_token().status_code == 200


def test_a_token_ends_with_its_lifetime_or_when_revoked(
    world: Sandbox, client: Client, clock: TurnedClock
) -> None:
    world.entra.token_lifetime = timedelta(seconds=60)
    first = client.token()
    clock.wait(59)
    assert client.trace(token=first).status_code == 200
    clock.wait(1)
    assert client.trace(token=first).status_code == 401
    second = client.token()
    world.entra.revoke_all()
    assert client.trace(token=second).status_code == 401


def test_a_token_for_another_resource_is_not_accepted(client: Client) -> None:
    answer = client.ask_token(scope="https://graph.microsoft.com/.default")
    assert client.trace(token=answer.json()["access_token"]).status_code == 401


@pytest.mark.parametrize("what", ["roles", "directory_roles"])
def test_without_permission_or_role_there_is_a_token_and_then_403(
    world: Sandbox, client: Client, what: str
) -> None:
    granted = getattr(world.app, what)
    kept = set(granted)
    granted.clear()
    stale = client.token()
    assert client.trace(token=stale).status_code == 403
    granted.update(kept)
    assert client.trace(token=stale).status_code == 403, "a grant needs a fresh token"
    assert client.trace().status_code == 200


def test_the_certificate_is_of_the_sandbox_s_own_authority(world: Sandbox) -> None:
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(world.url("entra"), timeout=10)
