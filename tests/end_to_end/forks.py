"""Runs the module's process again and again without importing anything twice.

A program: each line of its input is the environment of one run, as JSON. It forks, and the child runs
`main.py` as the platform would. `started` with the child's id is printed as soon as a signal can be
sent, then `ended` with the exit status.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys

from sekoia_automation import constants

import office365_message_trace.triggers  # noqa: F401  # imported before any fork


def run(environment: dict[str, str]) -> None:
    """Be the module's process."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # as main.py does first of all
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    print("started", os.getpid(), flush=True)
    os.environ.update(environment)
    constants.DATA_STORAGE = environment["SANDBOX_DATA_FOLDER"]
    output = os.open(environment["OUTPUT"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["main.py", environment["TRIGGER"]]
    runpy.run_path("main.py", run_name="__main__")


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(json.loads(line))
            sys.exit()
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
