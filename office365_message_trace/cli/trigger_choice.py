"""Finds out which trigger a command is for, so that ``--trigger`` is needed only where nothing tells."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.microsoft.endpoints import CLOUDS
from office365_message_trace.settings import (
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
)
from office365_message_trace.storage.base import Storage

FIRST_PROCESS = Path("/proc/1/cmdline")
"""In a container, the trigger is the first process, or in its command line."""

_CLOUDS_WITHOUT_GRAPH = CLOUDS.keys() - {"global"}


class Trigger(Enum):
    """The triggers, as ``--trigger`` names them."""

    GRAPH = "graph"
    OAUTH = "oauth"
    BASIC = "basic"

    @property
    def model(self) -> type[MessageTraceSettings]:
        """The model of its settings."""
        models: dict[str, type[MessageTraceSettings]] = {
            "graph": GraphSettings,
            "oauth": OAuthSettings,
            "basic": BasicSettings,
        }
        return models[self.value]

    @property
    def title(self) -> str:
        """Its name in the playbook."""
        return {
            "graph": "Office 365 Message Trace (Graph API)",
            "oauth": "Office 365 Message Trace OAuth",
            "basic": "Message Trace",
        }[self.value]

    @property
    def command(self) -> str:
        """Its name on the command line of ``main.py``."""
        return f"message_trace_{self.value}"


def chosen_trigger(
    values: Mapping[str, Any], storage: Storage, first_process: Path = FIRST_PROCESS
) -> Trigger:
    """The trigger that the settings ``values`` fit, else the one that runs in this container, else the one
    whose state is in ``storage``.

    Raises `ConfigurationMistakes` if none of them tells, or `StorageFailed`.
    """
    fits = _fitting(values)
    for found in (fits, fits & _running(first_process), fits & stored_triggers(storage)):
        if len(found) == 1:
            return next(iter(found))
    choices = " or ".join(
        f'--trigger {each.value} for "{each.title}"' for each in Trigger if each in fits
    )
    raise ConfigurationMistakes([f"Nothing here tells which trigger is meant: add {choices}."])


def _fitting(values: Mapping[str, Any]) -> set[Trigger]:
    fields = {name for name, value in values.items() if value not in (None, "")}
    if fields & {"account_name", "account_password"}:
        return {Trigger.BASIC}
    if "event_format" in fields:
        return {Trigger.GRAPH}
    if values.get("cloud") in _CLOUDS_WITHOUT_GRAPH:
        return {Trigger.OAUTH}
    return {Trigger.GRAPH, Trigger.OAUTH}


def _running(first_process: Path) -> set[Trigger]:
    try:
        words = first_process.read_bytes().decode(errors="replace").split("\0")
    except OSError:  # another system, or not ours to read
        return set()
    return {each for each in Trigger if each.command in words}


def stored_triggers(storage: Storage) -> set[Trigger]:
    """The triggers that may have run with ``storage``; two of them share a folder."""
    return {each for each in Trigger if storage.names(each.model.state_folder)}
