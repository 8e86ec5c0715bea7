"""A platform that gives its workloads tokens to prove who they are, as Kubernetes does."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "api://AzureADTokenExchange"
"""What Microsoft recommends in the global cloud (documented)."""
SUBJECT = "system:serviceaccount:siem:message-trace"


class Issuer:
    """Signs tokens with the key of the time; `rotate` makes all of them worthless."""

    def __init__(self, url: str = "https://oidc.cluster.example/") -> None:
        self.url = url
        self.rotate()

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """What Entra ID finds at the issuer's address."""
        return self._key.public_key()

    def rotate(self) -> None:
        """Sign with a new key from now on, and no longer stand by what the old one signed."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(
        self,
        now: datetime,
        subject: str = SUBJECT,
        audience: str = AUDIENCE,
        lifetime: timedelta = timedelta(hours=1),
    ) -> str:
        """A token for a workload."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": [audience],
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime.total_seconds()),
        }
        text = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@dataclass(frozen=True)
class Federated:
    """A federated credential of an application: whose tokens it trusts, and for whom."""

    issuer: Issuer
    subject: str = SUBJECT
    audience: str = AUDIENCE


def project(token: str, file: Path) -> None:
    """Replace the file that the workload reads at one stroke, as the platform does."""
    fresh = file.with_suffix(".fresh")
    fresh.write_text(token + "\n")
    fresh.replace(file)


def _encoded(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
