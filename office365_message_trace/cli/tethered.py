"""Runs a Python program that ends with the process that started it: ``tethered.py PROGRAM ARGUMENT…``.

Its standard input is a pipe of that process, which closes however that process ends, even by a kill.
Then the program gets SIGTERM.
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from threading import Thread


def _end_with_the_pipe() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_end_with_the_pipe, name="tether", daemon=True).start()
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
