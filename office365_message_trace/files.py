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


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # which does not wait for the other end of a pipe
