"""Named blobs: the interface of all storages, and their common parts."""

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from office365_message_trace.errors import StorageFailed
from office365_message_trace.untrusted_text import code

LARGEST_BLOB = 4 * 1024 * 1024
"""Bytes; we write some hundred kilobytes at most, and decoding takes a multiple of them."""
DAMAGED = b""
"""The result of reading a blob that is too large or no regular file; does not decode."""

_T = TypeVar("_T")


class Damage(Enum):
    """Repairable kinds of state damage."""

    COPY = "copy"  # one of the two copies of the coverage is missing or damaged
    STATE = "state"  # both are, and the ledger tells how far back to read
    RECORD = "record"  # the end of a part of the ledger is torn: its row may be repeated


class Storage(Protocol):
    """Named blobs. When a call returns, its effect survives a crash. A call that fails raises
    `StorageFailed` and may be repeated."""

    def read(self, name: str) -> bytes | None:
        """The blob, or None if there is none. One larger than `LARGEST_BLOB` is `DAMAGED`."""

    def write(self, name: str, data: bytes) -> None:
        """Replace the blob as a whole: a crash leaves the old or the new one."""

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Make the blob ``known + added``, where ``known`` is what it holds already.

        Overwrites bytes after ``known``, left by an interrupted write. A crash leaves ``known`` and any
        part of ``added``.
        """

    def delete(self, name: str) -> None:
        """Remove the blob, if it is there."""

    def names(self, folder: str) -> list[str]:
        """The names directly in ``folder``, sorted; a folder that does not exist is empty."""


class SizedStorage(Storage, Protocol):
    """A storage that knows the sizes of its blobs without reading them."""

    def sizes(self, folder: str) -> dict[str, int]:
        """The bytes of each blob directly in ``folder``, by name; folders in it have no size."""


def guarded(verb: str, name: str, action: Callable[[], _T]) -> _T:
    """Run ``action``, which is to ``verb`` the blob ``name``. Raises `StorageFailed` if that fails."""
    try:
        return action()
    except (OSError, ClientError, BotoCoreError) as error:
        raise StorageFailed(
            f"Cannot {verb} the trigger's own state: nothing is collected until its storage works. "
            "Check that the storage is there, writable and not full.",
            f"{name.rpartition('/')[2]}: {_cause(error)}",
        ) from error


def _cause(error: Exception) -> str:
    """The cause of ``error``, without paths: they contain the ledger's key."""
    if isinstance(error, ClientError):
        return code(error.response.get("Error", {}).get("Code")) or type(error).__name__
    return getattr(error, "strerror", None) or type(error).__name__
