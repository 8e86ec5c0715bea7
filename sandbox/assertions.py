"""What a client proves its identity with instead of a secret: a signed JSON Web Token (RFC 7523).

Documented (learn.microsoft.com/entra/identity-platform/certificate-credentials): RS256 or PS256, the
certificate's thumbprint in `x5t#S256` or `x5t`, `aud` the token endpoint, `iss` and `sub` the client
id, `exp` and `nbf`. Federation: `iss`, `sub` and `aud` as the federated credential says. The five
minutes that clocks may differ by follow general Entra practice.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sandbox.entra_errors import EntraError
from sandbox.workload import Federated

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_SKEW = 300
"""Seconds by which the client's clock may be wrong."""


@dataclass(frozen=True)
class Assertion:
    """A token as it came; nothing of it is true until `check_signature`."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises `EntraError` 50027 for what is no such token."""
        try:
            head, body, signature = text.split(".")
            header, claims = orjson.loads(_decoded(head)), orjson.loads(_decoded(body))
            if not (isinstance(header, dict) and isinstance(claims, dict)):
                raise ValueError("not objects")
            return cls(header, claims, f"{head}.{body}".encode(), _decoded(signature))
        except ValueError:
            raise EntraError(50027) from None

    def check_signature(self, key: RSAPublicKey) -> None:
        """Raises `EntraError` 700027 unless it was signed with the private part of `key`."""
        digest = hashes.SHA256()
        schemes: dict[str, padding.AsymmetricPadding] = {
            "RS256": padding.PKCS1v15(),
            "PS256": padding.PSS(padding.MGF1(digest), digest.digest_size),
        }
        scheme = schemes.get(str(self.header.get("alg")))
        try:
            if scheme is None:
                raise InvalidSignature
            key.verify(self.signature, self.signed, scheme, digest)
        except InvalidSignature:
            raise EntraError(700027, name="The provided signature is not valid") from None

    def check_time(self, now: datetime) -> None:
        """Raises `EntraError` 700024 unless `exp` and, if there, `nbf` and `iat` hold at `now`."""
        at = now.timestamp()
        begins = [self.claims[name] for name in ("nbf", "iat") if name in self.claims]
        if not at - CLOCK_SKEW < self.claims.get("exp", 0):
            raise EntraError(700024)
        if any(begin > at + CLOCK_SKEW for begin in begins):
            raise EntraError(700024)

    def audiences(self) -> list[str]:
        """`aud`, which may be one text or several."""
        audience = self.claims.get("aud")
        return audience if isinstance(audience, list) else [str(audience)]


def check_certificate(
    assertion: Assertion,
    client_id: str,
    certificates: Sequence[x509.Certificate],
    endpoints: set[str],
    now: datetime,
) -> None:
    """An assertion that the application signed itself. Raises `EntraError` for the first fault."""
    certificate = next((each for each in certificates if _names(assertion, each)), None)
    if certificate is None:
        raise EntraError(700027, name="The key was not found.")
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    assertion.check_signature(key)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise EntraError(700027, name="The key used is expired.")
    if not assertion.claims.get("iss") == assertion.claims.get("sub") == client_id:
        raise EntraError(700021)
    if not endpoints & {*assertion.audiences()}:
        raise EntraError(700023)
    assertion.check_time(now)


def check_federated(assertion: Assertion, trusted: Sequence[Federated], now: datetime) -> None:
    """An assertion that another issuer gave. Raises `EntraError` for the first fault."""
    if not trusted:
        raise EntraError(70025)
    issuer, subject = assertion.claims.get("iss"), assertion.claims.get("sub")
    of_issuer = [each for each in trusted if each.issuer.url == issuer]
    if not of_issuer:
        raise EntraError(700211, name=str(issuer))
    of_subject = [each for each in of_issuer if each.subject == subject]
    if not of_subject:
        raise EntraError(700213, name=str(subject))
    matching = [each for each in of_subject if each.audience in assertion.audiences()]
    if not matching:
        raise EntraError(700212, name=" ".join(assertion.audiences()))
    assertion.check_signature(matching[0].issuer.public_key)
    assertion.check_time(now)


def _names(assertion: Assertion, certificate: x509.Certificate) -> bool:
    header = assertion.header
    if "x5t#S256" in header:
        return _matches(header["x5t#S256"], certificate.fingerprint(hashes.SHA256()))
    return _matches(header.get("x5t"), certificate.fingerprint(hashes.SHA1()))


def _matches(text: object, thumbprint: bytes) -> bool:
    try:
        return isinstance(text, str) and _decoded(text) == thumbprint
    except ValueError:
        return False


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
