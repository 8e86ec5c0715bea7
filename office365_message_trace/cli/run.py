"""``run``: starts a trigger without the platform, as the platform would, and stays until it ends."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from s3path import S3Path

from office365_message_trace.cli.configuration import Setup
from office365_message_trace.cli.console import end_if_unread
from office365_message_trace.cli.stand_in import stand_in

MAIN = Path(__file__).parents[2] / "main.py"
_TETHERED = Path(__file__).with_name("tethered.py")
_LOOK = 0.2  # seconds between two looks at the trigger and at the reader of the events
_PATIENCE = 5.0  # seconds for a trigger to stop


def run_trigger(setup: Setup, data_path: Path, to_screen: bool) -> int:
    """Run the trigger of ``setup`` until it ends; return its exit status.

    Its state is below ``data_path``. With ``to_screen`` the events are printed instead of sent, and the
    state is forgotten at the end; it ends the command when nothing reads them any more.
    """
    with stand_in() as url, _state(data_path, to_screen) as state:
        values = setup.values
        if to_screen:
            values = {**values, "intake_key": "screen", "intake_server": url}
        # -P: the modules of this folder are not to be found by their bare names
        command = [sys.executable, "-P", str(_TETHERED), str(MAIN), setup.trigger.command]
        environment = trigger_environment(values, setup.intake_server or url, url, state)
        with _started(command, environment) as process:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
                if to_screen:
                    end_if_unread()
            return process.returncode


def trigger_environment(
    values: Mapping[str, object], intake: str, platform: str, state: Path
) -> dict[str, str]:
    """The environment of a trigger with the settings ``values``, an ``intake`` and a stand-in for the
    ``platform``, each an address."""
    proxied = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    here = ",".join(filter(None, [proxied, "127.0.0.1"]))
    local = {"FILE_BACKEND": "", "SUB_FOLDER": str(state)}  # an absolute one replaces the volume
    return {
        **os.environ,
        "TRIGGER_CONFIGURATION": json.dumps(values),
        "MODULE_CONFIGURATION": os.environ.get("MODULE_CONFIGURATION") or "{}",
        "TOKEN": "none",
        "URL_CALLBACK": f"{platform}/callback",
        "URL_SECRETS": f"{platform}/secrets",
        "URL_LOGS": f"{platform}/logs",
        "INTAKE_URL": intake,
        **({} if isinstance(state, S3Path) else local),
        "NO_PROXY": here,
        "no_proxy": here,
    }


@contextmanager
def _state(data_path: Path, passing: bool) -> Iterator[Path]:
    if not passing:
        yield data_path
        return
    with tempfile.TemporaryDirectory(prefix="message-trace-") as folder:
        yield Path(folder)


@contextmanager
def _started(
    command: list[str], environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, which is stopped at the end, and when this one is asked to stop or is killed."""
    with subprocess.Popen(  # noqa: S603  # our own main.py
        command, env=environment, stdin=subprocess.PIPE
    ) as process:
        before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            yield process
        finally:
            signal.signal(signal.SIGTERM, before)
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
