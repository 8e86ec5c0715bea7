"""Loads the application that questions are asked with: a trigger's, the module's, or one from a file."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sekoia_automation.configuration import get_configuration
from sekoia_automation.configuration.exception import MissingConfigurationError

from office365_message_trace.cli.configuration import (
    Ask,
    environment_settings,
    file_settings,
    node_secrets,
)
from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.sekoia.platform import (
    CONFIGURATIONS,
    LoadConfig,
    settings_object,
)
from office365_message_trace.settings import Application, parse_application

_SOURCES = ("module_configuration", *CONFIGURATIONS)  # the later wins


def load_application(
    config: Path | None, ask: Ask | None, now: datetime
) -> tuple[Application, list[str]]:
    """The application in the file ``config``, else the trigger's or the module's, and doubts about it at
    ``now``. Variables of the environment replace single settings.

    A missing secret is requested with ``ask``, if given. Raises `ConfigurationMistakes`.
    """
    trouble: list[str] = []
    if config:
        values = file_settings(config)
    else:
        values, trouble = _platform_values(get_configuration().load, now)
    values = _over(values, environment_settings())
    if ask and not any(map(values.get, Application.credentials)):
        values = {**values, Application.credentials[0]: ask(Application.credentials[0])}
    try:
        application = parse_application(values)
    except ConfigurationMistakes as found:
        raise ConfigurationMistakes([*found.mistakes, *trouble]) from None
    return application, [*trouble, *application.doubts(now)]


def _platform_values(load_config: LoadConfig, now: datetime) -> tuple[dict[str, Any], list[str]]:
    """The values that the platform gives, those of a trigger before those of the module."""
    values: dict[str, Any] = {}
    for name in _SOURCES:
        try:
            given = settings_object(name, partial(load_config, name, "json"))
        except MissingConfigurationError:
            continue
        values = _over(values, given)
    secrets, trouble = node_secrets(load_config, now)
    return _over(values, secrets), trouble


def _over(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``values`` with those of ``own`` that are not empty, whose credential replaces any other."""
    own = {name: value for name, value in own.items() if value not in (None, "")}
    replaced = Application.credentials if any(map(own.get, Application.credentials)) else ()
    return {name: value for name, value in values.items() if name not in replaced} | own
