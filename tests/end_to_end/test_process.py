"""The process around the module, and the folder that stands in for the platform's volume."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.process import VOLUME
from tests.end_to_end.scene import OpenScene

PROBE = """
import sys
assert not any(name.startswith("sekoia_automation") for name in sys.modules)
from sekoia_automation import constants
print(constants.DATA_STORAGE, constants.EVENT_BYTES_MAX_SIZE)
"""


def probe(folder: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(VOLUME), "SANDBOX_DATA_FOLDER": folder}
    command = [sys.executable, "-c", PROBE]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_volume_moves_the_storage_of_the_sdk_and_imports_nothing_for_it(
    tmp_path: Path,
) -> None:
    assert probe(str(tmp_path)) == f"{tmp_path} 250000"


def test_without_a_folder_the_storage_of_the_sdk_stays_where_it_is() -> None:
    assert probe("") == "/symphony_data 250000"


def test_leaving_the_block_ends_the_process(open_scene: OpenScene) -> None:
    scene = open_scene()
    with scene.process as process:
        scene.start()
        scene.wait_until_started()
        assert process.running
        with pytest.raises(RuntimeError, match="runs already"):
            process.start()
    assert not process.running


def test_waiting_ends_when_the_process_does(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.process.command[-1] = "message_trace_of_nobody"
    scene.start()
    with pytest.raises(RuntimeError, match="Enter a trigger or an action to start"):
        scene.process.wait_until(lambda: False)


def test_waiting_ends_when_its_time_is_over(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.start()
    with pytest.raises(TimeoutError, match="not within"):
        scene.process.wait_until(lambda: False, timeout=0.1)


def test_a_process_that_was_never_started_cannot_be_stopped(open_scene: OpenScene) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        open_scene().process.stop()
