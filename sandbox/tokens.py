"""Bearer tokens that look like JSON Web Tokens and are remembered until revoked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

Claims = dict[str, Any]


class Tokens:
    """Gives and recognises tokens. Thread-safe; the same seed gives the same sequence."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"entra {seed}".encode()).digest()
        self._issued = 0
        self._valid: dict[str, Claims] = {}
        self._lock = threading.Lock()

    @property
    def issued(self) -> int:
        """How many tokens were given."""
        return self._issued

    def give(self, claims: Claims) -> str:
        """A new token with these claims and a number of its own (`uti`)."""
        with self._lock:
            self._issued += 1
            numbered = {**claims, "uti": str(self._issued)}
            token = self._signed(numbered)
            self._valid[token] = numbered
        return token

    def claims(self, token: str, audience: str, now: datetime) -> Claims | None:
        """The claims of a token of ours for `audience` that is neither expired nor revoked."""
        with self._lock:
            claims = self._valid.get(token)
        if claims is None or claims["aud"] != audience or now.timestamp() >= claims["exp"]:
            return None
        return claims

    def revoke_all(self) -> None:
        """Forget every token given so far."""
        with self._lock:
            self._valid.clear()

    def trace(self, now: datetime) -> UUID:
        """The trace id of an error at that time."""
        return UUID(bytes=hmac.digest(self._key, str(now).encode(), "sha256")[:16])

    def _signed(self, claims: Claims) -> str:
        head = _encoded(orjson.dumps({"typ": "JWT", "alg": "HS256", "kid": "sandbox"}))
        text = f"{head}.{_encoded(orjson.dumps(claims))}"
        return f"{text}.{_encoded(hmac.digest(self._key, text.encode(), 'sha256'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
