"""Entra ID of the sandbox verifies client assertions: signature, addressee, time, who is trusted."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sandbox import Federated, Issuer, KeyPair, Sandbox
from sandbox.assertions import ASSERTION_TYPE
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW
from tests.support import TurnedClock


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(pair: KeyPair, header: dict[str, Any], claims: dict[str, Any]) -> str:
    text = f"{encoded(orjson.dumps(header))}.{encoded(orjson.dumps(claims))}"
    digest = hashes.SHA256()
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if header["alg"] == "PS256":
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return f"{text}.{encoded(pair.key.sign(text.encode(), scheme, digest))}"


def claims(world: Sandbox, **changes: Any) -> dict[str, Any]:
    """The claims of a good assertion, with changes; None leaves one out."""
    who, at = world.identity, int(NOW.timestamp())
    good = {
        "aud": f"{world.url('entra')}/{who.tenant_id}/oauth2/v2.0/token",
        "iss": who.client_id,
        "sub": who.client_id,
        "nbf": at,
        "exp": at + 600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def header(pair: KeyPair, algorithm: str = "PS256") -> dict[str, str]:
    thumbprint = pair.certificate.fingerprint(hashes.SHA256())
    return {"alg": algorithm, "typ": "JWT", "x5t#S256": encoded(thumbprint)}


def answer(client: Client, assertion: str, kind: str | None = ASSERTION_TYPE) -> list[int]:
    """The numbers of the errors; empty for a token."""
    given = client.ask_token(
        client_secret=None, client_assertion=assertion, client_assertion_type=kind
    )
    assert (given.status_code == 200) == ("access_token" in given.json())
    numbers: list[int] = given.json().get("error_codes", [])
    return numbers


@pytest.fixture
def pair(world: Sandbox) -> KeyPair:
    """Registered with the application."""
    pair = KeyPair.made(NOW - timedelta(days=1))
    world.app.certificates.append(pair.certificate)
    return pair


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("thumbprint", ["x5t", "x5t#S256"])
def test_an_assertion_of_a_registered_certificate_gets_a_token(
    world: Sandbox, client: Client, pair: KeyPair, algorithm: str, thumbprint: str
) -> None:
    digest = hashes.SHA1() if thumbprint == "x5t" else hashes.SHA256()
    head = {"alg": algorithm, thumbprint: encoded(pair.certificate.fingerprint(digest))}
    assert answer(client, signed(pair, head, claims(world))) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://elsewhere.example"}, 700023),
        ({"iss": "https://elsewhere.example"}, 700021),
        ({"sub": "somebody else"}, 700021),
        ({"exp": int(NOW.timestamp()) - 301}, 700024),
        ({"exp": None}, 700024),
        ({"nbf": int(NOW.timestamp()) + 301}, 700024),
        ({"nbf": int(NOW.timestamp()) + 299}, None),
        ({"exp": int(NOW.timestamp()) - 299}, None),
        ({"nbf": None}, None),
    ],
    ids=str,
)
def test_every_claim_is_looked_at(
    world: Sandbox, client: Client, pair: KeyPair, changes: dict[str, Any], code: int | None
) -> None:
    assertion = signed(pair, header(pair), claims(world, **changes))
    assert answer(client, assertion) == ([] if code is None else [code])


def test_a_key_that_is_not_registered_is_not_found(world: Sandbox, client: Client) -> None:
    stranger = KeyPair.made(NOW - timedelta(days=1))
    assert answer(client, signed(stranger, header(stranger), claims(world))) == [700027]


def test_a_signature_of_another_key_or_kind_is_invalid(
    world: Sandbox, client: Client, pair: KeyPair
) -> None:
    stranger = KeyPair.made(NOW - timedelta(days=1))
    assert answer(client, signed(stranger, header(pair), claims(world))) == [700027]
    unsigned = signed(pair, {**header(pair), "alg": "none"}, claims(world))
    assert answer(client, unsigned) == [700027]
    changed = signed(pair, header(pair), claims(world)).replace(".", ".A", 2)
    assert answer(client, changed) != []


def test_a_certificate_that_has_expired_no_longer_counts(world: Sandbox, client: Client) -> None:
    old = KeyPair.made(NOW - timedelta(days=9), timedelta(days=8))
    world.app.certificates.append(old.certificate)
    assert answer(client, signed(old, header(old), claims(world))) == [700027]


@pytest.mark.parametrize("text", ["a.b.c", "no token", "W10.W10.W10", "....", "é.é.é"])
def test_what_is_no_token_is_malformed(client: Client, text: str) -> None:
    assert answer(client, text) == [50027]


def test_the_kind_of_assertion_has_to_be_named(
    world: Sandbox, client: Client, pair: KeyPair
) -> None:
    assert answer(client, signed(pair, header(pair), claims(world)), None) == [900144]


# Federation


@pytest.fixture
def issuer(world: Sandbox) -> Issuer:
    """Trusted by the application, for one subject and one audience."""
    issuer = Issuer()
    world.app.federated.append(Federated(issuer))
    return issuer


def test_a_token_of_a_trusted_issuer_gets_a_token(client: Client, issuer: Issuer) -> None:
    assert answer(client, issuer.token(NOW)) == []


def test_without_federated_credentials_nobody_is_trusted(client: Client) -> None:
    assert answer(client, Issuer().token(NOW)) == [70025]


def test_issuer_subject_and_audience_have_to_match(client: Client, issuer: Issuer) -> None:
    assert answer(client, Issuer("https://other.example/").token(NOW)) == [700211]
    assert answer(client, issuer.token(NOW, subject="other")) == [700213]
    assert answer(client, issuer.token(NOW, audience="other")) == [700212]


def test_a_federated_token_expires_and_its_key_may_be_replaced(
    client: Client, clock: TurnedClock, issuer: Issuer
) -> None:
    token = issuer.token(NOW, lifetime=timedelta(minutes=10))
    clock.wait(14 * 60)
    assert answer(client, token) == []
    clock.wait(2 * 60)
    assert answer(client, token) == [700024]
    token = issuer.token(clock.now())
    issuer.rotate()
    assert answer(client, token) == [700027]
    assert answer(client, issuer.token(clock.now())) == []
