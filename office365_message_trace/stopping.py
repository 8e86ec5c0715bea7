"""A request to stop that wakes the main thread, whatever made it."""

import os
import signal
from contextlib import suppress

INTERRUPTED = 128 + signal.SIGINT
"""The exit status of what SIGINT has ended, as shells have it."""

_BY_CODE = b"\0"  # no signal has the number 0
_REQUESTS = {*_BY_CODE, signal.SIGINT, signal.SIGTERM}


class StopRequest:
    """A request that SIGTERM, SIGINT or any thread makes, and that one thread waits for.

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
        """Let the signals that have a handler of Python's make requests; for the main thread only."""
        signal.set_wakeup_fd(self._asking, warn_on_full_buffer=False)

    def make(self) -> None:
        """Make a request, from any thread or handler; one that is made before the wait ends it, too."""
        with suppress(BlockingIOError):  # full of requests that were not waited for yet
            os.write(self._asking, _BY_CODE)

    def wait(self) -> int:
        """Return as soon as a request is made: the number of its signal, 0 if code made it.

        Other signals do not count.
        """
        while True:
            for number in os.read(self._waiting, 4096):
                if number in _REQUESTS:
                    return number
