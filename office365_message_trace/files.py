"""Reads files that settings and options name, without ever blocking on one."""

import errno
import os
import stat
from io import FileIO
from pathlib import Path


def read_file(path: Path, longest: int) -> bytes:
    """The first ``longest`` bytes of the regular file that ``path`` leads to, links followed.

    Raises OSError, at once even for a pipe, a socket, a device or a folder, and ValueError if ``path``
    cannot be a path.
    """
    with FileIO(str(path), opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(longest)


def is_file(path: str) -> bool:
    """True if ``path`` leads to a regular file; False if it cannot be examined."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: str) -> bool:
    """True if ``path`` leads to a folder; False if it cannot be examined."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: str) -> int:
    """Mode bits of ``path``, 0 if it cannot be examined. `Path.is_dir` raises some errors."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # does not wait for the other end of a pipe
