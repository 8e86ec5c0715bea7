"""Ctrl-C: a command ends where it is, with an exit status of its own and without a stack trace."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from office365_message_trace.stopping import INTERRUPTED


def end_at_once() -> None:
    """Let an interrupt end the process without unwinding anything, from now on."""
    _handle(_end)


def run(command: Callable[[], None]) -> None:
    """Run ``command``, which an interrupt unwinds, so that it can restore the terminal and say how far it is.

    Then the process ends without waiting for its threads, which may be at the network. A second
    interrupt ends it at once.
    """
    interrupted = False

    def interrupt(*_: Any) -> None:
        nonlocal interrupted
        interrupted = True
        end_at_once()
        raise KeyboardInterrupt

    try:
        try:
            _handle(interrupt)
            command()
        finally:
            end_at_once()
    except BaseException:  # the libraries make other exceptions of the interrupt
        if not interrupted:
            raise
        with suppress(OSError):  # nothing reads the output any more
            sys.stdout.flush()
            sys.stderr.write("Interrupted.\n")
            sys.stderr.flush()
        _end()


def _handle(handler: Callable[..., None]) -> None:
    """Have ``handler`` called at an interrupt, unless it is ignored, as it is for a shell's background jobs."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _end(*_: Any) -> None:
    os._exit(INTERRUPTED)
