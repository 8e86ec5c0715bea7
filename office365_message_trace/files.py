"""Files that settings and options name, read without waiting for them."""

import errno
import os
import stat
from io import FileIO
from pathlib import Path


def read_file(path: Path, longest: int) -> bytes:
    """The first ``longest`` bytes of the regular file that ``path`` leads to, links followed.

    Raises OSError, at once for a pipe, a socket, a device or a folder, too, and ValueError for what is no
    path.
    """
    with FileIO(str(path), opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(longest)


def is_file(path: str) -> bool:
    """Whether ``path`` leads to a regular file; False if it cannot be looked at."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: str) -> bool:
    """Whether ``path`` leads to a folder; False if it cannot be looked at."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: str) -> int:
    """The type and the permissions of what is there, 0 for nothing. `Path.is_dir` raises some errors."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # which does not wait for the other end of a pipe
