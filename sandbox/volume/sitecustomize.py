"""Stands in for the volume that the platform mounts: moves the SDK's storage to another folder.

The SDK stores under a fixed folder at the root of the file system. Python imports this file at its
start wherever this folder is on PYTHONPATH. When the module comes to import the SDK's constants, the
one that names that folder gets the value of SANDBOX_DATA_FOLDER; nothing else is touched, and nothing
is imported for it. SANDBOX_CLOCK_AHEAD is by how many seconds the clock of the machine is ahead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

VARIABLE = "SANDBOX_DATA_FOLDER"
AHEAD = "SANDBOX_CLOCK_AHEAD"
CONSTANTS = "sekoia_automation.constants"


class VolumeFinder:
    """Finds the SDK's constants where they are, and has the folder replaced once they are loaded."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of `CONSTANTS`; None for any other name, which leaves it to the next finder."""
        if name != CONSTANTS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_replace(module: ModuleType) -> None:
            load(module)
            vars(module)["DATA_STORAGE"] = self._folder

        vars(spec.loader)["exec_module"] = load_and_replace
        return spec


if folder := os.environ.get(VARIABLE):
    sys.meta_path.insert(0, VolumeFinder(folder))

if ahead := float(os.environ.get(AHEAD, "0")):
    true_time = time.time
    time.time = lambda: true_time() + ahead
