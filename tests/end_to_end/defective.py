"""Starts the module with a defect in it: the method that DEFECT names raises all that it holds.

So the text of the error and the local variables around it have what must not leave the process.
"""

import importlib
import os
import runpy
import sys
from typing import Any

import sentry_sdk

sys.path.insert(0, os.getcwd())  # noqa: PTH109  # where the module lies, as for main.py
kind, module, owner, method = os.environ["DEFECT"].split(":")
spoiled = getattr(importlib.import_module(f"office365_message_trace.{module}"), owner)

original = getattr(spoiled, method)


def fail(self: Any, *arguments: Any, **options: Any) -> None:
    held = [*arguments, *options.values(), *vars(self).values()]
    known = [vars(each) for each in held if hasattr(each, "__dict__")]
    if kind == "once":
        setattr(spoiled, method, original)
    try:
        raise RuntimeError(f"a defect: {held!r} {known!r} {os.environ!r}")
    except RuntimeError:
        if kind == "reported":  # as the SDK does with errors of its own
            sentry_sdk.capture_exception()
        raise


setattr(spoiled, method, fail)
runpy.run_path("main.py", run_name="__main__")
