"""Keeps the state of each tenant that a trigger has collected in a folder of its own.

``identity.json`` in the trigger's own folder lists them. It holds keyed hashes only: neither a tenant nor
an intake key can be read from it, and its key is random, so that the hashes of two storages differ.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from office365_message_trace.storage.base import Storage

TENANT_CHANGED = (
    "The tenant is another one than before: its collection begins as at a first start, with start_time. "
    "What is known of the former tenant is kept, and its collection continues if it is entered again."
)
TENANT_RETURNED = (
    "The tenant is another one than before, and was collected here earlier: its collection continues "
    "from where it stopped then."
)
TENANT_RENAMED = (
    "The tenant was named by its ID before and is named by a domain now, or the other way round. It is "
    "taken for the same tenant, whose collection continues. If it is another one, give this trigger a "
    "storage of its own."
)
INTAKE_CHANGED = (
    "The intake key is another one than before. Events that were accepted before, under whatever key, are "
    "not sent again; if the intake of this key lacks them, send them with the command replay."
)

_RECORD = "identity.json"
_KEY_BYTES = 16
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The ID or a domain of the ``tenant`` that is collected, and the key of the intake."""

    tenant: str
    intake_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Tenant:
    """Hashes of a tenant's ``names``, by their form, and of the latest intake key."""

    names: Mapping[str, str]
    intake: str


@dataclass(frozen=True, slots=True)
class _Registry:
    """The tenants that have a folder. ``current`` is the folder of the one collected last."""

    key: str
    current: str
    tenants: Mapping[str, _Tenant]

    def hashed(self, kind: str, text: str) -> str:
        key = bytes.fromhex(self.key)
        return blake2b(f"{kind}:{text}".encode(), key=key, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """The ``folder`` of an identity's state; ``news`` are sentences about changes since last time."""

    folder: str
    news: tuple[str, ...]
    _base: str
    _registry: _Registry

    def save(self, storage: Storage) -> None:
        """Save this as the latest place; durable when it returns."""
        storage.write(f"{self._base}/{_RECORD}", orjson.dumps(asdict(self._registry)))


def find_place(storage: Storage, base: str, identity: Identity) -> Place:
    """Find the place of ``identity`` in ``storage``, whose first tenant has the folder ``base``.

    Without a usable record, the state in ``base`` is taken to be this tenant's. Writes nothing. Raises
    `StorageFailed`.
    """
    registry = _read(storage, base)
    if registry is None:
        registry = _Registry(secrets.token_hex(_KEY_BYTES), base, {})
    tenant = identity.tenant.strip().lower()
    form = "id" if _GUID.fullmatch(tenant) else "domain"
    name, intake = registry.hashed(form, tenant), registry.hashed("intake", identity.intake_key)
    folder, news = _folder(registry, base, form, name)
    before = registry.tenants.get(folder, _Tenant({}, intake))
    if before.intake != intake:
        news = (*news, INTAKE_CHANGED)
    after = _Tenant({**before.names, form: name}, intake)
    registry = replace(registry, current=folder, tenants={**registry.tenants, folder: after})
    return Place(folder, news, base, registry)


def current_folder(storage: Storage, base: str) -> str:
    """The folder of the tenant that was collected last. Raises `StorageFailed`."""
    registry = _read(storage, base)
    return registry.current if registry else base


def _folder(registry: _Registry, base: str, form: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The folder of the tenant with that ``name``, and sentences about it.

    An ID cannot be compared with a domain. If the current tenant is known by one and ``name`` is the
    other, they count as the same tenant: most likely a person only wrote it differently.
    """
    current = registry.tenants.get(registry.current)
    if current is None or current.names.get(form) == name:
        return registry.current, ()
    for folder, tenant in registry.tenants.items():
        if tenant.names.get(form) == name:
            return folder, (TENANT_RETURNED,)
    if form not in current.names:
        return registry.current, (TENANT_RENAMED,)
    return f"{base}-{name[:16]}", (TENANT_CHANGED,)


def _read(storage: Storage, base: str) -> _Registry | None:
    """The record, or None if it is missing or damaged."""
    folder = re.compile(rf"{re.escape(base)}(-[0-9a-f]{{16}})?")
    try:
        document = orjson.loads(storage.read(f"{base}/{_RECORD}") or b"")
        tenants = {
            name: _tenant(each)
            for name, each in document["tenants"].items()
            if folder.fullmatch(name)
        }
        key, current = document["key"], document["current"]
        usable = len(bytes.fromhex(key)) == _KEY_BYTES and current in tenants
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return _Registry(key, current, tenants) if usable else None


def _tenant(entry: Mapping[str, Any]) -> _Tenant:
    names, intake = entry["names"], entry["intake"]
    if not all(isinstance(each, str) for each in (*names.values(), intake)):
        raise ValueError("not the hashes of a tenant")
    return _Tenant(names, intake)
