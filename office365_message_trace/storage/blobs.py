"""Durable named blobs in the trigger's storage: a folder, or an S3 bucket on the platform."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from s3path import S3Path, configuration_map

from office365_message_trace.clock import Clock
from office365_message_trace.errors import StorageFailed
from office365_message_trace.untrusted_text import code
from office365_message_trace.model import Log

LARGEST_BLOB = 4 * 1024 * 1024
"""Bytes; the largest that is written is some hundred kilobytes, and decoding takes a multiple of them."""
DAMAGED = b""
"""What is read of a blob that is too large, or is no plain file: nothing that decodes."""

_T = TypeVar("_T")
_LONGEST_PAUSE = 60.0  # seconds
_SAY_EVERY = 60.0  # seconds
_FOLDER_WITHOUT_LINKS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_REGULAR_ONLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe or a device is not waited for
_NO_REGULAR_FILE = (errno.ELOOP, errno.ENXIO, errno.EISDIR)  # a link; a pipe or socket; a folder


class Damage(Enum):
    """What was found of the trigger's state that can be made up for."""

    COPY = "copy"  # one of the two copies of the coverage is missing or damaged
    STATE = "state"  # both are, and the ledger tells how far back to read
    RECORD = "record"  # the end of a part of the ledger is torn: its row may be repeated


class Storage(Protocol):
    """Named blobs. When a call returns, its effect survives a crash; failing, it raises
    `StorageFailed` and may be repeated."""

    def read(self, name: str) -> bytes | None:
        """The blob, or None if there is none of that name. One larger than `LARGEST_BLOB` is `DAMAGED`."""

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


def storage_at(root: Path, folder: str = "") -> SizedStorage:
    """The storage in ``folder`` of ``root``, the SDK's ``data_path``: a local folder or an ``S3Path``."""
    if isinstance(root, S3Path):
        return S3Storage(root / folder if folder else root)
    return FolderStorage(root, folder)


class FolderStorage:
    """The ``folder`` in a local one, or that itself; written through temporary files, fsync and rename.

    No link below ``root`` is followed, and nothing but a regular file is read or written: whoever else
    can write there leads nothing outside, and has nobody wait for a pipe. Any other file is `DAMAGED`,
    and replaced when it is written.
    """

    def __init__(self, root: Path, folder: str = "") -> None:
        self._root = root
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        def content() -> bytes | None:
            try:
                with self._opened(name) as (folder, leaf):
                    return _content(folder, leaf)
            except FileNotFoundError:
                return None

        return _guarded("read", name, content)

    def write(self, name: str, data: bytes) -> None:
        def replace() -> None:
            with self._opened(name, make=True) as (folder, leaf):
                _replace(folder, leaf, data)

        _guarded("write", name, replace)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        def append() -> None:
            with self._opened(name, make=True) as (folder, leaf):
                if known and _append(folder, leaf, len(known), added):
                    return
                _replace(folder, leaf, known + added)

        _guarded("write", name, append)

    def delete(self, name: str) -> None:
        def remove() -> None:
            with suppress(FileNotFoundError), self._opened(name) as (folder, leaf):
                os.unlink(leaf, dir_fd=folder)

        _guarded("remove", name, remove)

    def names(self, folder: str) -> list[str]:
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        def listing() -> dict[str, int]:
            try:
                with self._opened(f"{folder}/") as (descriptor, _), os.scandir(descriptor) as found:
                    return {each.name: _size(each) for each in found}
            except (FileNotFoundError, NotADirectoryError):
                return {}

        return _guarded("list", folder, listing)

    @contextmanager
    def _opened(self, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder of the blob ``name``, open, made if need be, and the blob's name in it."""
        *folders, leaf = f"{self._folder}/{name}".split("/")
        if make:
            self._root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in filter(None, folders):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=descriptor)
                inner = os.open(folder, _FOLDER_WITHOUT_LINKS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor, leaf
        finally:
            os.close(descriptor)


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
            with closing(answer["Body"]) as body:
                too_large = answer.get("ContentLength", 0) > LARGEST_BLOB
                return DAMAGED if too_large else bytes(body.read())

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
    """A storage whose failures are waited out, however long they last.

    Each is logged once a minute, and its end.
    """

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
        pause, due = 1.0, self._clock.monotonic()
        while True:
            try:
                result = action()
            except StorageFailed as failure:
                if (now := self._clock.monotonic()) >= due:
                    self._log(str(failure), "error")
                    due = now + _SAY_EVERY
                self._clock.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if pause > 1.0:
                    self._log("The trigger's storage works again.", "info")
                return result


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
        return code(error.response.get("Error", {}).get("Code")) or type(error).__name__
    return getattr(error, "strerror", None) or type(error).__name__


def _content(folder: int, name: str) -> bytes:
    """The blob ``name`` in the open ``folder``; `DAMAGED` if it is none or too large."""
    try:
        descriptor = os.open(name, os.O_RDONLY | _REGULAR_ONLY, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_REGULAR_FILE:
            return DAMAGED
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_BLOB:
            return DAMAGED
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_BLOB)
    finally:
        os.close(descriptor)


def _append(folder: int, name: str, offset: int, data: bytes) -> bool:
    """Put ``data`` at ``offset`` of a file, end it there, and return when the disk has it.

    Returns False, and does nothing, if it is no regular file of its own or shorter than that.
    """
    try:
        descriptor = os.open(name, os.O_WRONLY | _REGULAR_ONLY, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, *_NO_REGULAR_FILE):
            return False
        raise
    try:
        status = os.fstat(descriptor)
        own = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        if not own or status.st_size < offset:
            return False
        os.truncate(descriptor, offset)
        _write_at(descriptor, offset, data)
        return True
    finally:
        os.close(descriptor)


def _replace(folder: int, name: str, data: bytes) -> None:
    """Make ``data`` the content of the file ``name`` in the open ``folder``, whatever it was before."""
    temporary = f"{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # which follows no link
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        _write_at(descriptor, 0, data)
    finally:
        os.close(descriptor)
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)  # makes the new name durable


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    """Put ``data`` at ``offset``, and return when the disk has it."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _size(entry: "os.DirEntry[str]") -> int:
    status = entry.stat(follow_symlinks=False)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
