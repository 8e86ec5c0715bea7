"""Loads the configuration of a command: a trigger's own, or one from a file."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from sekoia_automation import constants
from sekoia_automation.configuration import get_configuration
from sekoia_automation.configuration.exception import MissingConfigurationError

from office365_message_trace.cli.trigger_choice import Trigger, chosen_trigger
from office365_message_trace.collect.coverage import Policy
from office365_message_trace.errors import ConfigurationMistakes, Unavailable
from office365_message_trace.files import read_file
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.sekoia import playbook
from office365_message_trace.sekoia.platform import (
    NOT_GIVEN,
    LoadConfig,
    intake_server,
    module_values,
    platform_path,
    settings_object,
    trigger_values,
)
from office365_message_trace.settings import (
    MessageTraceSettings,
    completed,
    parse,
    unknown_fields,
)
from office365_message_trace.storage.location import storage_at

_NO_SETTINGS = (
    "There are no settings. Name a JSON file with --config, or set variables such as "
    "MESSAGE_TRACE_TENANT_ID, here or in a file .env, or run this where the trigger runs."
)
_LONGEST_FILE = 32 * 1024
"""Bytes of settings. A certificate and its key have some kilobytes, and a variable of a process holds 128."""
_VARIABLE = "MESSAGE_TRACE_"  # before the name of a setting in capitals
_STATE = "MESSAGE_TRACE_STATE"
_NO_INTAKE = {"intake_key": "none", "intake_server": None}
"""Settings of a command that sends nothing."""

Ask = Callable[[str], str]
"""Asks the user for a secret by its name, without showing it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration of a command: the ``values`` as entered, completed from the module's
    configuration, the ``settings`` that they make, and ``doubts``, warnings about them. Without an intake, ``intake_server`` is empty.
    """

    trigger: Trigger
    values: dict[str, Any] = field(repr=False)
    settings: MessageTraceSettings
    endpoints: Endpoints
    intake_server: str
    doubts: list[str]


def load_setup(
    config: Path | None,
    trigger: Trigger | None,
    ask: Ask | None,
    now: datetime,
    intake: bool = True,
) -> Setup:
    """Load the setup from the file ``config``, else from the platform; variables of the environment
    replace single settings.

    Its doubts are those at ``now``. Missing secrets are requested with ``ask``, if given. Without
    ``intake`` the settings of the intake are not needed, and not used. Raises `ConfigurationMistakes`.
    """
    load_config = get_configuration().load
    of_module, of_trigger, trouble = ({}, {}, []) if config else platform_secrets(load_config, now)
    module = {} if config else module_values(load_config, of_module)
    values = _entered(config, of_trigger)
    if not intake:
        values |= _NO_INTAKE
    trigger = trigger or chosen_trigger(values, storage_at(data_path()))
    model = trigger.model
    if ask:
        missing = _missing_secrets(model, completed(model, values, module))
        values |= {name: ask(name) for name in missing}
    unknown = unknown_fields(model, values)
    try:
        settings = parse(model, values, module)
    except ConfigurationMistakes as found:
        raise ConfigurationMistakes([*found.mistakes, *unknown, *trouble]) from None
    return Setup(
        trigger,
        completed(model, values, module),
        settings,
        Endpoints.of(settings.cloud),
        intake_server(settings.intake_server, load_config) if intake else "",
        [*trouble, *unknown, *settings.doubts(now)],
    )


def _entered(config: Path | None, node_secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the file or the platform, and over them those of the environment."""
    variables = environment_settings()
    if config:
        return {**file_settings(config), **variables}
    try:
        return {**trigger_values(get_configuration().load, node_secrets), **variables}
    except ConfigurationMistakes as found:
        if found.mistakes != (NOT_GIVEN,):
            raise
    if not variables:
        raise ConfigurationMistakes([_NO_SETTINGS])
    return variables


def file_settings(file: Path) -> dict[str, Any]:
    """The settings in ``file``. Raises `ConfigurationMistakes`."""
    return settings_object(file, lambda: json.loads(read_file(file, _LONGEST_FILE)))


def environment_settings() -> dict[str, Any]:
    """The settings that variables such as ``MESSAGE_TRACE_TENANT_ID`` hold."""
    names = {name for each in Trigger for name in each.model.model_fields}
    given = {name: os.environ.get(f"{_VARIABLE}{name.upper()}") for name in names}
    return {name: value for name, value in given.items() if value}


def known_settings(config: Path | None) -> tuple[dict[str, Any], Policy | None]:
    """The settings that are known here, even if secrets are missing, and the policy that they make.

    Raises `ConfigurationMistakes` if the file ``config`` cannot be read.
    """
    try:
        values = _entered(config, {})
    except ConfigurationMistakes:
        if config:
            raise
        return {}, None
    try:
        return values, parse(MessageTraceSettings, {**values, **_NO_INTAKE}).policy
    except ConfigurationMistakes:
        return values, None


def data_path() -> Path:
    """The folder ``MESSAGE_TRACE_STATE``, else the SDK's storage, else, where the platform's volume is
    missing, a folder of the user's. Raises `StorageFailed` if the storage cannot be reached.
    """
    if chosen := os.environ.get(_STATE):
        return Path(chosen).absolute()
    path = platform_path()
    elsewhere = path == Path(constants.DATA_STORAGE) and not path.exists()
    return Path(typer.get_app_dir("message-trace")) if elsewhere else path


def _missing_secrets(model: type[MessageTraceSettings], values: Mapping[str, Any]) -> list[str]:
    """The secrets that ``model`` requires and ``values`` lack."""
    fields = model.model_fields.items()
    needed = [n for n, field in fields if field.is_required() and field.annotation is SecretStr]
    missing = [name for name in needed if not values.get(name)]
    if model.credentials and not any(map(values.get, model.credentials)):
        missing.insert(0, model.credentials[0])
    return missing


def platform_secrets(
    load_config: LoadConfig, now: datetime
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The secrets of the module and of the trigger that the platform, if this runs on it, keeps apart from
    the settings, and any problems in getting them."""
    try:
        token = load_config("token")
        url = load_config("url_secrets")
    except MissingConfigurationError:
        return {}, {}, []
    request = playbook.secrets_request(url, token)
    try:
        return *playbook.secrets_in(playbook.http().begin(request)(), now), []
    except Unavailable as problem:
        return (
            {},
            {},
            [
                f"{playbook.NAME} does not give the secrets that it may keep for the trigger. "
                f"{problem.about(playbook.NAME)} [{problem.detail}]"
            ],
        )
