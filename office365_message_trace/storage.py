"""Durable named blobs in the trigger's storage: a folder, or an S3 bucket on the platform."""

import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from s3path import S3Path, configuration_map

from office365_message_trace.clock import Clock
from office365_message_trace.errors import StorageFailed
from office365_message_trace.model import Log

_T = TypeVar("_T")
_LONGEST_PAUSE = 60.0  # seconds


class Damage(Enum):
    """What was found of the trigger's state that can be made up for."""

    COPY = "copy"  # one of the two copies of the coverage is missing or damaged
    STATE = "state"  # both are, and the ledger tells how far back to read
    RECORD = "record"  # the end of a part of the ledger is torn: its row may be repeated


class Storage(Protocol):
    """Named blobs. When a call returns, its effect survives a crash; failing, it raises
    `StorageFailed` and may be repeated."""

    def read(self, name: str) -> bytes | None:
        """The blob, or None if there is none of that name."""

    def write(self, name: str, data: bytes) -> None:
        """Replace the blob as a whole: a crash leaves the old or the new one."""

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Make the blob ``known + added``, where ``known`` is what it holds already.

        Bytes behind ``known``, left by a write that was cut short, are overwritten. A crash leaves
        ``known`` and any part of ``added``.
        """

    def delete(self, name: str) -> None:
        """Remove the blob, if it is there."""

    def names(self, folder: str) -> list[str]:
        """The names directly in ``folder``, sorted; a folder that does not exist is empty."""


class SizedStorage(Storage, Protocol):
    """A storage that tells how large its blobs are without reading them."""

    def sizes(self, folder: str) -> dict[str, int]:
        """The bytes of each blob directly in ``folder``, by name; folders in it have no size."""


def storage_at(root: Path) -> SizedStorage:
    """The storage below ``root``, the SDK's ``data_path``: a local folder or an ``S3Path``."""
    return S3Storage(root) if isinstance(root, S3Path) else FolderStorage(root)


class FolderStorage:
    """A local folder; written through temporary files, fsync and rename."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        return _guarded("read", name, lambda: _bytes_or_none(self._root / name))

    def write(self, name: str, data: bytes) -> None:
        def replace() -> None:
            path = self._root / name
            temporary = path.with_name(path.name + ".new")
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_at(temporary, 0, data)
            temporary.replace(path)
            _sync_folder(path.parent)

        _guarded("write", name, replace)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        def append() -> None:
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            present = path.stat().st_size if path.exists() else 0
            if present >= len(known):
                _write_at(path, len(known), added)
            else:
                _write_at(path, 0, known + added)
            if not present:
                _sync_folder(path.parent)

        _guarded("write", name, append)

    def delete(self, name: str) -> None:
        _guarded("remove", name, lambda: (self._root / name).unlink(missing_ok=True))

    def names(self, folder: str) -> list[str]:
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        def listing() -> dict[str, int]:
            path = self._root / folder
            found = path.iterdir() if path.is_dir() else ()
            return {p.name: p.stat().st_size if p.is_file() else 0 for p in found}

        return _guarded("list", folder, listing)


class S3Storage:
    """An S3 bucket: one PUT is atomic, and there is neither append nor rename.

    Talks to the bucket through the client that the SDK registered for ``root``: writing through the
    path itself would be a multipart upload, three requests that a crash leaves half done.
    """

    def __init__(self, root: S3Path) -> None:
        resource, _ = configuration_map.get_configuration(root)
        self._client = resource.meta.client
        self._bucket = root.bucket
        self._prefix = root.key

    def read(self, name: str) -> bytes | None:
        def get() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
            except self._client.exceptions.NoSuchKey:
                return None
            return bytes(answer["Body"].read())

        return _guarded("read", name, get)

    def write(self, name: str, data: bytes) -> None:
        def put() -> None:
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=data)

        _guarded("write", name, put)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self.write(name, known + added)

    def delete(self, name: str) -> None:
        def delete() -> None:
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

        _guarded("remove", name, delete)

    def names(self, folder: str) -> list[str]:
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        prefix = self._key(folder) + "/"

        def listing() -> dict[str, int]:
            found: dict[str, int] = {}
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                found |= {each["Key"]: each["Size"] for each in page.get("Contents", ())}
                found |= {each["Prefix"].rstrip("/"): 0 for each in page.get("CommonPrefixes", ())}
            return {key.removeprefix(prefix): size for key, size in found.items()}

        return _guarded("list", folder, listing)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"


class PatientStorage:
    """A storage whose failures are said and waited out, however long they last."""

    def __init__(self, storage: Storage, clock: Clock, log: Log) -> None:
        self._storage = storage
        self._clock = clock
        self._log = log

    def read(self, name: str) -> bytes | None:
        return self._insist(lambda: self._storage.read(name))

    def write(self, name: str, data: bytes) -> None:
        self._insist(lambda: self._storage.write(name, data))

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self._insist(lambda: self._storage.extend(name, known, added))

    def delete(self, name: str) -> None:
        self._insist(lambda: self._storage.delete(name))

    def names(self, folder: str) -> list[str]:
        return self._insist(lambda: self._storage.names(folder))

    def _insist(self, action: Callable[[], _T]) -> _T:
        pause = 1.0
        while True:
            try:
                return action()
            except StorageFailed as failure:
                self._log(str(failure), "error")
                self._clock.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)


class SpectatorStorage:
    """What a running trigger keeps, for somebody beside it: writes stay in memory and are read back
    from there, so that nothing of the trigger's is touched."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own: dict[str, bytes | None] = {}

    def read(self, name: str) -> bytes | None:
        return self._own[name] if name in self._own else self._storage.read(name)

    def write(self, name: str, data: bytes) -> None:
        self._own[name] = data

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self._own[name] = known + added

    def delete(self, name: str) -> None:
        self._own[name] = None

    def names(self, folder: str) -> list[str]:
        """The trigger's own names: what was written here is not listed."""
        return self._storage.names(folder)


def _guarded(verb: str, name: str, action: Callable[[], _T]) -> _T:
    try:
        return action()
    except (OSError, ClientError, BotoCoreError) as error:
        raise StorageFailed(
            f"Cannot {verb} the trigger's own state: nothing is collected until its storage works. "
            "Check that the storage is there, writable and not full.",
            f"{name.rpartition('/')[2]}: {_cause(error)}",
        ) from error


def _cause(error: Exception) -> str:
    """What failed, without paths: the ledger's key is in them."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return getattr(error, "strerror", None) or type(error).__name__


def _bytes_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Put ``data`` at ``offset``, end the file there, and return when the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.truncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make renames and new names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
