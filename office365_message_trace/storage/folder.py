"""Blobs as files of a local folder."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from office365_message_trace.storage.base import DAMAGED, LARGEST_BLOB, guarded

_FOLDER_WITHOUT_LINKS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_REGULAR_ONLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # does not block on a pipe or a device
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_NO_REGULAR_FILE = (errno.ELOOP, errno.ENXIO, errno.EISDIR)  # a link; a pipe or socket; a folder


class FolderStorage:
    """The ``folder`` below ``root``, or ``root`` itself; writes use temporary files, fsync and rename.

    Follows no link below ``root``, and reads and writes regular files only: others who can write there
    can neither redirect a write nor make a read block on a pipe. Any other file reads as `DAMAGED`, and
    is replaced by a write.
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

        return guarded("read", name, content)

    def write(self, name: str, data: bytes) -> None:
        def replace() -> None:
            with self._opened(name, make=True) as (folder, leaf):
                _replace(folder, leaf, data)

        guarded("write", name, replace)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        def append() -> None:
            with self._opened(name, make=True) as (folder, leaf):
                if known and _append(folder, leaf, len(known), added):
                    return
                _replace(folder, leaf, known + added)

        guarded("write", name, append)

    def delete(self, name: str) -> None:
        def remove() -> None:
            with suppress(FileNotFoundError), self._opened(name) as (folder, leaf):
                os.unlink(leaf, dir_fd=folder)

        guarded("remove", name, remove)

    def names(self, folder: str) -> list[str]:
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        def listing() -> dict[str, int]:
            try:
                with self._opened(f"{folder}/") as (descriptor, _), os.scandir(descriptor) as found:
                    return {each.name: _size(each) for each in found}
            except (FileNotFoundError, NotADirectoryError):
                return {}

        return guarded("list", folder, listing)

    @contextmanager
    def _opened(self, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of the blob ``name``, creating it with ``make``; gives it and the name there."""
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


def _content(folder: int, name: str) -> bytes:
    """The content of ``name`` in the open ``folder``; `DAMAGED` if it is no regular file or too large."""
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
    """Replace everything from ``offset`` of a file by ``data``, and sync it.

    Returns False, and does nothing, if the file is shorter, not regular, or has another name.
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
    """Make ``data`` the content of ``name`` in the open ``folder``, whatever that was before."""
    temporary = f"{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # follows no link
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        _write_at(descriptor, 0, data)
    finally:
        os.close(descriptor)
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    _sync_folder(folder)


def _sync_folder(folder: int) -> None:
    """Make new names in ``folder`` durable, as far as its file system can: some answer that they cannot."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    """Write ``data`` at ``offset``, and sync."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _size(entry: "os.DirEntry[str]") -> int:
    status = entry.stat(follow_symlinks=False)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
