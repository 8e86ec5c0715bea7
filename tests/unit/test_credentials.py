"""A certificate is read however it was pasted; a token is read anew each time; what is wrong is said."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from office365_message_trace.errors import ConfigurationMistakes, Refused
from office365_message_trace.microsoft.credentials import ClientCertificate, FederatedToken
from office365_message_trace.settings import GraphSettings, OAuthSettings, parse
from sandbox import Issuer, KeyPair, project
from tests.support import NOON

GUID = "0bbccd15-3f8e-4c04-b425-094646be5e38"
COMMON = {"tenant_id": GUID, "client_id": GUID, "intake_key": "k"}
PAIR = KeyPair.made(NOON - timedelta(days=1))
OTHER = KeyPair.made(NOON - timedelta(days=1))


def encrypted(form: PrivateFormat) -> str:
    return PAIR.key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"word")).decode()


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def traditional() -> str:
    form = PrivateFormat.TraditionalOpenSSL
    return PAIR.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def mistakes(**values: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationMistakes) as caught:
        parse(OAuthSettings, {**COMMON, **values})
    return caught.value.mistakes


# Exactly one


ALL = {
    "client_secret": "s3cr3t~value",
    "client_certificate": PAIR.pem,
    "federated_token_file": "/var/run/secrets/token",
}


@pytest.mark.parametrize("model", [OAuthSettings, GraphSettings])
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("empty", [None, "", " "], ids=["null", "empty text", "blank"])
def test_one_credential_is_enough(model: type[OAuthSettings], name: str, empty: str | None) -> None:
    others: dict[str, str | None] = dict.fromkeys(ALL, empty)
    assert parse(model, {**COMMON, **others, name: ALL[name]}).credential


def test_without_a_credential_the_mistake_names_all_three() -> None:
    (mistake,) = mistakes()
    assert mistake.startswith("client_secret is missing; enter the value of a client secret")
    assert all(name in mistake for name in ALL)


@pytest.mark.parametrize("left_out", [None, *ALL])
def test_more_than_one_credential_is_a_single_mistake_that_names_them(
    left_out: str | None,
) -> None:
    given = {name: value for name, value in ALL.items() if name != left_out}
    (mistake,) = mistakes(**given)
    assert mistake == f"{' and '.join(given)} are entered; keep one of them and clear the others."


@pytest.mark.parametrize("path", ["token", "./token", "~/token"])
def test_the_path_of_a_token_is_absolute(path: str) -> None:
    (mistake,) = mistakes(federated_token_file=path)
    assert mistake.startswith("federated_token_file is not an absolute path")


# Certificates


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PAIR.pem, id="as it is"),
        pytest.param(PAIR.certificate_pem + PAIR.key_pem, id="certificate first"),
        pytest.param(traditional() + PAIR.certificate_pem, id="older form of the key"),
        pytest.param(PAIR.pem.replace("\n", "\\n"), id="literal line ends"),
        pytest.param(PAIR.pem.replace("\n", "\\r\\n"), id="literal line ends of Windows"),
        pytest.param(PAIR.pem.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param(PAIR.pem.replace("\n", " "), id="blanks"),
        pytest.param(PAIR.pem.replace("\n", ""), id="no line ends at all"),
        pytest.param(f"\n  {PAIR.pem}\n ", id="blanks around"),
        pytest.param(
            f"Bag Attributes\n  localKeyID: 01\n{PAIR.key_pem}subject=CN = x\n{PAIR.certificate_pem}",
            id="as openssl pkcs12 writes it",
        ),
        pytest.param(
            PAIR.key_pem + OTHER.certificate_pem + PAIR.certificate_pem, id="others in the chain"
        ),
    ],
)
def test_a_certificate_is_read_however_it_was_pasted(text: str) -> None:
    read = ClientCertificate.of(text)
    assert read.certificate == PAIR.certificate
    assert read.credential == {
        "private_key": PAIR.key_pem,
        "public_certificate": PAIR.certificate_pem,
    }
    assert parse(OAuthSettings, {**COMMON, "client_certificate": text}).credential


CUT = PAIR.pem.replace(PAIR.key_pem.splitlines()[5], "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("CANARY", "holds no private key", id="no PEM"),
        pytest.param(PAIR.certificate_pem, "holds no private key", id="certificate alone"),
        pytest.param(PAIR.key_pem + OTHER.pem, "or several", id="two keys"),
        pytest.param(PAIR.key_pem, "holds no certificate of its private key", id="key alone"),
        pytest.param(
            PAIR.key_pem + OTHER.certificate_pem, "holds no certificate of its", id="another's"
        ),
        pytest.param(
            encrypted(PrivateFormat.PKCS8) + PAIR.certificate_pem, "encrypted", id="encrypted"
        ),
        pytest.param(
            encrypted(PrivateFormat.TraditionalOpenSSL) + PAIR.certificate_pem,
            "encrypted",
            id="encrypted in the older form",
        ),
        pytest.param(CUT, "a private key that is damaged", id="damaged key"),
        pytest.param(
            PAIR.key_pem + "-----BEGIN CERTIFICATE-----CANARY-----END CERTIFICATE-----",
            "a certificate that is damaged",
            id="damaged certificate",
        ),
        pytest.param(elliptic() + PAIR.certificate_pem, "not RSA", id="elliptic curve"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_without_showing_it(text: str, said: str) -> None:
    (mistake,) = mistakes(client_certificate=text)
    assert mistake.startswith("client_certificate holds ")
    assert said in mistake
    assert "CANARY" not in mistake
    assert not any(line in mistake for line in PAIR.key_pem.splitlines()[1:-1])


def test_a_certificate_is_not_shown_by_the_settings() -> None:
    settings = parse(OAuthSettings, {**COMMON, "client_certificate": PAIR.pem})
    assert PAIR.key_pem.splitlines()[1] not in repr(settings)


@pytest.mark.parametrize(
    ("days", "doubt"),
    [
        pytest.param(-2, "client_certificate is not valid before 2026-06-14", id="too early"),
        pytest.param(0, None, id="valid"),
        pytest.param(333, None, id="31 days left"),
        pytest.param(335, "client_certificate expires on 2027-06-14", id="29 days left"),
        pytest.param(365, "client_certificate has expired on 2027-06-14", id="expired"),
    ],
)
def test_a_certificate_out_of_its_time_is_doubted(days: int, doubt: str | None) -> None:
    settings = parse(OAuthSettings, {**COMMON, "client_certificate": PAIR.pem})
    found = settings.doubts(NOON + timedelta(days=days))
    assert len(found) == (doubt is not None)
    assert all(each.startswith(doubt or "") and each.endswith(".") for each in found)


# Federated tokens


def test_a_token_is_read_anew_each_time(tmp_path: Path) -> None:
    file, issuer = tmp_path / "token", Issuer()
    for hours in range(2):
        token = issuer.token(NOON + timedelta(hours=hours))
        project(token, file)
        assert FederatedToken(file).read() == token


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"CANARY", b"CANARY.a", b"CANARY.b.c.d", b"CANARY \xff.a.b", b"a.b." * 40_000],
    ids=lambda content: str(content[:12]),
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(Refused, match="federated_token_file holds no token") as caught:
        FederatedToken(file).read()
    assert "CANARY" not in repr(caught.value)


@pytest.mark.parametrize(
    "name",
    ["missing", ".", "\0", "pipe", "socket", "/dev/zero", "/dev/tty"],
    ids=["missing", "folder", "impossible", "pipe", "socket", "device", "terminal"],
)
def test_a_file_that_cannot_be_read_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    with pytest.raises(Refused, match="federated_token_file cannot be read") as caught:
        FederatedToken(tmp_path / name).read()
    assert str(tmp_path) not in str(caught.value)


def test_of_a_huge_file_no_more_than_a_token_is_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(Refused, match="federated_token_file holds no token"):
        FederatedToken(file).read()
