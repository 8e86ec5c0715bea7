"""Who is who in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from uuid import UUID


@dataclass(frozen=True)
class Identity:
    """Who is who. Derived from the seed by `of`; every value is invented."""

    tenant_id: str
    client_id: str
    client_secret: str
    intake_key: str
    token: str
    account_name: str
    account_password: str

    @classmethod
    def of(cls, seed: int, domain: str) -> Identity:
        """The identity that belongs to a seed."""
        rng = Random(f"identity {seed}")
        return cls(
            tenant_id=str(UUID(int=rng.getrandbits(128), version=4)),
            client_id=str(UUID(int=rng.getrandbits(128), version=4)),
            client_secret=f"~{rng.getrandbits(160):x}.Q",
            intake_key=f"{rng.getrandbits(128):032x}",
            token=f"playbook-{rng.getrandbits(128):032x}",
            account_name=f"reader@{domain}",
            account_password=f"pa:ss {rng.getrandbits(64):x} é",
        )
