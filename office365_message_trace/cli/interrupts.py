"""Handles Ctrl-C: a command ends where it is, with its own exit status and without a stack trace."""

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
    """Run ``command``. An interrupt unwinds it, so that it can restore the terminal and report progress.

    Then the process ends without waiting for its threads, which may be blocked on the network. A second
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
    except BaseException:  # libraries turn the interrupt into other exceptions
        if not interrupted:
            raise
        with suppress(OSError):  # the output may no longer be read
            sys.stdout.flush()
            sys.stderr.write("Interrupted.\n")
            sys.stderr.flush()
        _end()


def _handle(handler: Callable[..., None]) -> None:
    """Install ``handler`` for interrupts, unless they are ignored, as in a shell's background jobs."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _end(*_: Any) -> None:
    os._exit(INTERRUPTED)
