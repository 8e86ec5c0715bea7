"""Scenes for tests that run the module as a process of its own.

Starting takes the process a second or two of computing, so modules start all their scenes at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import ROOT
from tests.end_to_end.scene import OpenScene, Scene


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes find their modules compiled."""
    folder = tmp_path_factory.mktemp("bytecode")
    environment = {**os.environ, **compiled_in(folder)}
    command = [sys.executable, "-c", "import office365_message_trace.triggers"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


def compiled_in(folder: Path) -> dict[str, str]:
    """The variables that make Python keep compiled modules there, whatever was set before."""
    return {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}


@pytest.fixture(scope="module")
def open_scene(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[OpenScene]:
    """Opens scenes; all of them are closed after the module's last test."""
    with ExitStack() as opened:

        def open_one(*arguments: Any, **options: Any) -> Scene:
            folder = tmp_path_factory.mktemp("scene")
            scene = opened.enter_context(Scene(folder, *arguments, **options))
            scene.process.environment.update(compiled_in(bytecode))
            return scene

        yield open_one
