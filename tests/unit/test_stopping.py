"""A stop is heeded from code and signals, in every thread, before, during and after the wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from office365_message_trace.stopping import StopRequest
from sandbox.ports import unclaimed_ports
from sandbox.process import VOLUME

ROOT = Path(__file__).parents[2]
TOO_LONG = 20.0
"""Seconds in which a process that heeds its stop has ended on the slowest machine."""

TRIGGER = """
import atexit, os, signal, sys, threading, time
from pathlib import Path
from sekoia_automation.module import Module
from office365_message_trace.triggers import MessageTraceOAuthTrigger

os.environ |= {"MODULE_CONFIGURATION": "{}", "TOKEN": "token", "URL_CALLBACK": "http://127.0.0.1:1/callback"}  # no answer
trigger = MessageTraceOAuthTrigger(Module(), Path(sys.argv[1]))


atexit.register(lambda: trigger.running and os._exit(1))


def soon(act):
    "Do it in another thread once the main thread waits for the worker."
    def work():
        while not collector():
            time.sleep(0.01)
        time.sleep(0.2)
        act()
    threading.Thread(target=work, daemon=True).start()


def collector():
    return next((t.ident for t in threading.enumerate() if t.name == "collector"), None)

"""

STORIES = {
    "a signal that the kernel hands to another thread": """
soon(lambda: signal.pthread_kill(collector(), signal.SIGTERM))
trigger.execute()
""",
    "an interrupt that the kernel hands to another thread": """
soon(lambda: signal.pthread_kill(collector(), signal.SIGINT))
trigger.execute()
""",
    "a signal before the wait": """
os.kill(os.getpid(), signal.SIGTERM)
trigger.execute()
""",
    "code in another thread": """
soon(trigger.stop)
trigger.execute()
""",
    "code before the wait": """
trigger.stop()
trigger.execute()
""",
    "code and signals at once": """
soon(lambda: [(trigger.stop(), os.kill(os.getpid(), signal.SIGTERM)) for _ in range(100)])
trigger.execute()
""",
    "code and signals after the end": """
trigger.stop()
trigger.execute()
for _ in range(1000):
    trigger.stop()
    os.kill(os.getpid(), signal.SIGTERM)
""",
}


@pytest.fixture
def request_to_stop() -> Iterator[StopRequest]:
    """One that listens, among signals as they were before."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    handlers = [signal.signal(number, lambda *_: None) for number in numbers]
    request = StopRequest()
    request.listen()
    yield request
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("story", STORIES)
def test_a_trigger_ends_when_it_is_stopped_by(story: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", TRIGGER + STORIES[story], tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TOO_LONG,
        check=False,
    )
    assert process.returncode == (130 if "interrupt" in story else 0), process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_another_thread_ends_the_wait(
    request_to_stop: StopRequest, number: signal.Signals
) -> None:
    other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
    other.start()
    assert request_to_stop.wait() == number


def test_a_signal_that_asks_for_something_else_does_not_end_the_wait(
    request_to_stop: StopRequest,
) -> None:
    waited = threading.Thread(target=request_to_stop.wait)
    waited.start()
    signal.raise_signal(signal.SIGUSR1)
    waited.join(0.2)
    assert waited.is_alive()
    request_to_stop.make()
    waited.join()


def test_the_first_request_tells_what_made_it(request_to_stop: StopRequest) -> None:
    signal.raise_signal(signal.SIGUSR1)
    request_to_stop.make()
    signal.raise_signal(signal.SIGINT)
    assert request_to_stop.wait() == 0


def test_requests_that_nobody_waits_for_block_nobody(request_to_stop: StopRequest) -> None:
    for _ in range(100_000):
        request_to_stop.make()
    request_to_stop.wait()


SIGNALLED_AT_ONCE = """
import os, runpy, signal, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "sekoia_automation":
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Interrupted())
runpy.run_path("main.py", run_name="__main__")
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_a_stop_while_the_module_is_imported_ends_the_process_at_once(
    name: str, status: int
) -> None:
    process = subprocess.run(
        [sys.executable, "-c", SIGNALLED_AT_ONCE.format(name=name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TOO_LONG,
        check=False,
    )
    assert (process.returncode, process.stderr) == (status, "")


WITH_A_THREAD_THAT_STAYS = """
import os, runpy, signal, sys, threading, time

def stop():
    while not any(thread.name == "collector" for thread in threading.enumerate()):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.{name})

threading.Thread(target=time.sleep, args=(60,)).start()  # which the interpreter's end waits for
threading.Thread(target=stop).start()
sys.argv = ["main.py", "message_trace_oauth"]
runpy.run_path("main.py", run_name="__main__")
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_a_stop_does_not_wait_for_threads(name: str, status: int, tmp_path: Path) -> None:
    liveness, metrics = unclaimed_ports(2)
    given = {
        "TOKEN": "token",
        "URL_CALLBACK": "http://127.0.0.1:1/callback",  # no answer
        "MODULE_CONFIGURATION": "{}",
        "LIVENESS_PORT": str(liveness),
        "METRICS_PORT": str(metrics),
        "PYTHONPATH": str(VOLUME),
        "SANDBOX_DATA_FOLDER": str(tmp_path),
    }
    process = subprocess.run(
        [sys.executable, "-c", WITH_A_THREAD_THAT_STAYS.format(name=name)],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=TOO_LONG,
        check=False,
    )
    assert process.returncode == status, process.stderr
