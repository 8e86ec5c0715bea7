"""Loads the application that questions are asked with: a trigger's, the module's, or one from a file."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sekoia_automation.configuration import get_configuration

from office365_message_trace.cli.configuration import (
    Ask,
    environment_settings,
    file_settings,
    platform_secrets,
)
from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.sekoia.platform import (
    NOT_GIVEN,
    LoadConfig,
    module_values,
    trigger_values,
)
from office365_message_trace.settings import Application, completed, parse_application


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
    values = completed(Application, environment_settings(), values)
    if ask and not any(map(values.get, Application.credentials)):
        values = {**values, Application.credentials[0]: ask(Application.credentials[0])}
    try:
        application = parse_application(values)
    except ConfigurationMistakes as found:
        raise ConfigurationMistakes([*found.mistakes, *trouble]) from None
    return application, [*trouble, *application.doubts(now)]


def _platform_values(load_config: LoadConfig, now: datetime) -> tuple[dict[str, Any], list[str]]:
    """The values that the platform gives a trigger, completed from those of the module."""
    of_module, of_trigger, trouble = platform_secrets(load_config, now)
    try:
        values = trigger_values(load_config, of_trigger)
    except ConfigurationMistakes as found:
        if found.mistakes != (NOT_GIVEN,):
            raise
        values = {}
    return completed(Application, values, module_values(load_config, of_module)), trouble
