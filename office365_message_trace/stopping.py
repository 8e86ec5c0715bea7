"""A stop request that wakes the main thread, wherever it comes from."""

import os
import signal
from contextlib import suppress

INTERRUPTED = 128 + signal.SIGINT
"""Exit status after SIGINT, by shell convention."""

_BY_CODE = b"\0"  # no signal has the number 0
_REQUESTS = {*_BY_CODE, signal.SIGINT, signal.SIGTERM}


class StopRequest:
    """A stop request: SIGTERM, SIGINT or any thread makes it, and one thread waits for it.

    The kernel may hand a signal to any thread, but Python runs its handler in the main thread only,
    which may sit in a wait that no other thread's signal ends. So the wait here reads a pipe to which
    the interpreter itself writes the number of each signal, in the thread that gets it
    (`signal.set_wakeup_fd`). No lock is taken, so that a handler may interrupt anything, even another
    run of itself. The pipe stays open until the process ends, because signals come until then.
    """

    def __init__(self) -> None:
        self._waiting, self._asking = os.pipe()
        os.set_blocking(self._asking, False)

    def listen(self) -> None:
        """Let signals that have a Python handler make requests; for the main thread only."""
        signal.set_wakeup_fd(self._asking, warn_on_full_buffer=False)

    def make(self) -> None:
        """Make a request, from any thread or handler. One made before `wait` ends it at once."""
        with suppress(BlockingIOError):  # full of unread requests
            os.write(self._asking, _BY_CODE)

    def wait(self) -> int:
        """Wait for a request; return its signal's number, or 0 if code made it.

        Other signals are ignored.
        """
        while True:
            for number in os.read(self._waiting, 4096):
                if number in _REQUESTS:
                    return number
