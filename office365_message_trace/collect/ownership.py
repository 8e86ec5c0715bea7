"""One owner of a trigger's state: the process that started last.

A process writes its mark next to the state when it starts. It reads the mark before each request to the
intake, and from time to time while it does anything else; another process's mark there ends it. A lock
would not do: its holder may be killed, or suspended for an hour and then continue.
"""

import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from office365_message_trace.clock import Clock
from office365_message_trace.collect.checkpoint_store import COPIES
from office365_message_trace.errors import Replaced, StorageFailed
from office365_message_trace.model import Log, sensible
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.wrappers import RetryingStorage
from office365_message_trace.transport.client import Http, Pending, Request

LOOK_EVERY = 20.0
"""Seconds between two reads of the mark while nothing is pushed: on S3 each is a GET."""

REPLACED = (
    "Another process has taken over this trigger's state, and this one ends; it has lost nothing. During "
    "an update or a move of the trigger that is as it should be. If it happens again and again, two "
    "triggers share one storage, or one trigger runs twice: stop one of them, or give it a storage of "
    "its own."
)

_MARK = "owner.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """The process ``id``, a random name, has owned the state since ``since``."""

    id: str
    since: datetime


def read_mark(storage: Storage, folder: str) -> Mark | None:
    """The mark in ``folder``, or None if it is missing or damaged. Raises `StorageFailed`."""
    data = storage.read(f"{folder}/{_MARK}")
    try:
        document: dict[str, Any] = orjson.loads(data or b"")
        identity, since = document["id"], sensible(datetime.fromisoformat(document["since"]))
        return Mark(identity, since) if isinstance(identity, str) else None
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


class Ownership:
    """A process's claim to the state in ``folder`` of ``storage``, which must not retry.

    A process that was replaced stays so: it never writes its mark again.
    """

    def __init__(self, storage: Storage, folder: str, clock: Clock, log: Log) -> None:
        self.folder = folder
        self._storage = storage
        self._retrying = RetryingStorage(storage, clock, log)
        self._clock = clock
        self._mark = Mark(secrets.token_hex(16), clock.now())
        self._looked_at = clock.monotonic()
        self._replaced = False

    def claim(self) -> None:
        """Become the owner, replacing any other. Waits for a storage that fails."""
        self._retrying.write(f"{self.folder}/{_MARK}", orjson.dumps(asdict(self._mark)))
        self._looked_at = self._clock.monotonic()

    def check(self) -> None:
        """Read the mark now. Raises `Replaced` if it is another process's.

        Waits for a storage that fails. Writes a mark that is missing or damaged again: the storage was
        emptied.
        """
        found = self._look(self._retrying)
        if found is None:
            self.claim()

    def check_if_due(self) -> None:
        """Read the mark unless that was done in the last `LOOK_EVERY`. Raises `Replaced`.

        Never waits or writes, and ignores failures of the storage. Thread-safe.
        """
        if self._replaced:
            raise Replaced(REPLACED)
        if self._clock.monotonic() - self._looked_at >= LOOK_EVERY:
            with suppress(StorageFailed):
                self._look(self._storage)

    def _look(self, storage: Storage) -> Mark | None:
        self._looked_at = self._clock.monotonic()
        found = None if self._replaced else read_mark(storage, self.folder)
        self._replaced = self._replaced or (found is not None and found.id != self._mark.id)
        if self._replaced:
            raise Replaced(REPLACED)
        return found


class OwnedStorage:
    """Wraps a storage so that a process that knows it was replaced writes nothing.

    Each write of the state checks that first: a process that was replaced unnoticed must not make time final
    by its outdated memory of the ledger. Other writes are stopped at the next regular check, see `LOOK_EVERY`.
    """

    def __init__(self, storage: Storage, owner: Ownership) -> None:
        self._storage = storage
        self._owner = owner

    def read(self, name: str) -> bytes | None:
        return self._storage.read(name)

    def write(self, name: str, data: bytes) -> None:
        if name in COPIES:
            self._owner.check()
        self._owner.check_if_due()
        self._storage.write(name, data)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self._owner.check_if_due()
        self._storage.extend(name, known, added)

    def delete(self, name: str) -> None:
        self._owner.check_if_due()
        self._storage.delete(name)

    def names(self, folder: str) -> list[str]:
        return self._storage.names(folder)


class OwnedHttp:
    """Wraps an `Http` for the owner only: checks before each request, repetitions included."""

    def __init__(self, http: Http, owner: Ownership) -> None:
        self._http = http
        self._owner = owner

    def begin(self, request: Request) -> Pending:
        self._owner.check()
        return self._http.begin(request)
