"""Credentials of an application: a certificate, or the token of a workload identity."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from office365_message_trace.errors import Refused
from office365_message_trace.files import read_file

EXPIRY_NOTICE = timedelta(days=30)

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_LONGEST_TOKEN = 64 * 1024  # bytes; anything longer is no token


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """An RSA key and its certificate."""

    key: RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse the PEM ``text``, whose line ends may have become blanks or a literal ``\\n``.

        Takes the key's own certificate from a chain. Raises ValueError with the problem and what to
        enter, never with a part of the text.
        """
        blocks = _BLOCK.findall(re.sub(r"(\\r)?\\n", "\n", text))
        keys = [(label, body) for label, body in blocks if label.endswith("PRIVATE KEY")]
        if len(keys) != 1:
            raise ValueError(
                "holds no private key, or several; enter one PEM text with -----BEGIN PRIVATE "
                "KEY----- and -----BEGIN CERTIFICATE-----."
            )
        key = _private_key(*keys[0])
        for label, body in blocks:
            if label == "CERTIFICATE":
                certificate = _certificate(body)
                if certificate.public_key() == key.public_key():
                    return cls(key, certificate)
        raise ValueError(
            "holds no certificate of its private key; enter both in one PEM text, with -----BEGIN "
            "PRIVATE KEY----- and -----BEGIN CERTIFICATE-----."
        )

    @property
    def credential(self) -> dict[str, str]:
        """The credential for msal, which computes the thumbprint from the certificate."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "private_key": key.decode(),
            "public_certificate": self.certificate.public_bytes(Encoding.PEM).decode(),
        }

    def doubts(self, now: datetime) -> list[str]:
        """Warnings if it is not valid at ``now``, or expires within `EXPIRY_NOTICE`."""
        begins, ends = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        renewed = (
            "create a new one, upload it in Azure portal > App registrations > your application > "
            "Certificates & secrets > Certificates, and enter it as client_certificate."
        )
        if now > ends:
            return [f"client_certificate has expired on {ends:%Y-%m-%d}: {renewed}"]
        if now < begins:
            return [
                f"client_certificate is not valid before {begins:%Y-%m-%d %H:%M} UTC: check the "
                "time service of the machine, or enter a certificate that is valid now."
            ]
        if now > ends - EXPIRY_NOTICE:
            return [f"client_certificate expires on {ends:%Y-%m-%d}: before that, {renewed}"]
        return []


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """The token that a platform such as Kubernetes keeps fresh in the file at ``path``."""

    path: Path

    @property
    def credential(self) -> dict[str, Any]:
        """The credential for msal, which reads the file again for every token request."""
        return {"client_assertion": self.read}

    def read(self) -> str:
        """Read the current token. Raises `Refused` if the file cannot be read or holds none."""
        try:
            token = read_file(self.path, _LONGEST_TOKEN).decode("ascii", errors="replace").strip()
        except (OSError, ValueError) as error:
            raise Refused(
                "The file of federated_token_file cannot be read. Correct the path, or have the "
                "administrator of the platform mount the workload identity's token there and allow "
                "this process to read it.",
                type(error).__name__,
            ) from error
        if not _TOKEN.fullmatch(token):
            raise Refused(
                "The file of federated_token_file holds no token. Have the administrator of the "
                "platform write the workload identity's token (a JSON Web Token) there, and "
                "nothing else."
            )
        return token


def _private_key(label: str, body: str) -> RSAPrivateKey:
    if "ENCRYPTED" in label + body:  # in the label, or in the headers of older files
        raise ValueError(
            "holds a private key that is encrypted; decrypt it (openssl pkey -in key.pem -out "
            "plain.pem) and enter the plain one, which is kept as a secret."
        )
    try:
        key = load_pem_private_key(_pem(label, body), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(
            "holds a private key that is damaged; copy the whole PEM text again."
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(
            "holds a private key that is not RSA, the only kind that Entra ID accepts; create an "
            "RSA key of 2048 bits or more, and a certificate for it."
        )
    return key


def _certificate(body: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_pem("CERTIFICATE", body))
    except ValueError:
        raise ValueError(
            "holds a certificate that is damaged; copy the whole PEM text again."
        ) from None


def _pem(label: str, body: str) -> bytes:
    lines = "\n".join(re.findall(r"\S{1,64}", "".join(body.split())))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()
