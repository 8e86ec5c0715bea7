"""Reads what the platform gives a trigger, the way the SDK does.

The SDK takes a value from the file of that name in ``/symphony``, else from the environment.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from sekoia_automation.configuration.exception import MissingConfigurationError

from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.transport.addresses import UNSAFE_URL, is_safe_url

CONFIGURATIONS = ("trigger_configuration", "connector_configuration")
"""Names of a trigger's settings on the platform, depending on how it was created."""

NOT_GIVEN = "the platform gave neither trigger_configuration nor connector_configuration."

_MODULE = "module_configuration"
NEEDED = (_MODULE, "token", "url_callback")
"""Values, besides the settings, without which a process cannot start."""


class LoadConfig(Protocol):
    """The SDK's ``load_config``: raises ``MissingConfigurationError`` for a missing value."""

    def __call__(self, name: str, type_: str = ..., /) -> Any: ...


def missing(load_config: LoadConfig) -> list[str]:
    """The names in `NEEDED` that are not given."""
    names = []
    for name in NEEDED:
        try:
            load_config(name)
        except MissingConfigurationError:
            names.append(name)
    return names


def is_module_readable(load_config: LoadConfig) -> bool:
    """True unless the configuration of the module, which the SDK decodes, is given and is no JSON object."""
    try:
        settings_object(_MODULE, partial(load_config, _MODULE, "json"))
    except MissingConfigurationError:
        return True
    except ConfigurationMistakes:
        return False
    return True


def trigger_values(load_config: LoadConfig, node_secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as entered, with node secrets merged in; not validated.

    Raises `ConfigurationMistakes` if there are none, or none that can be read.
    """
    for name in CONFIGURATIONS:
        try:
            values = settings_object(name, partial(load_config, name, "json"))
        except MissingConfigurationError:
            continue
        return {**values, **{k: v for k, v in node_secrets.items() if v is not None}}
    raise ConfigurationMistakes([NOT_GIVEN])


def module_values(load_config: LoadConfig, secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the module as entered, with its secrets merged in; not validated. Empty if there
    is none.

    Raises `ConfigurationMistakes` if it cannot be read.
    """
    try:
        values = settings_object(_MODULE, lambda: load_config(_MODULE, "json") or {})
    except MissingConfigurationError:
        values = {}
    return {**values, **{k: v for k, v in secrets.items() if v is not None}}


def settings_object(source: object, load: Callable[[], Any]) -> dict[str, Any]:
    """The JSON object that ``load`` reads from ``source``; raises `ConfigurationMistakes` for anything else."""
    try:
        values = load()
    except OSError as error:
        raise ConfigurationMistakes([f"{source} cannot be read ({error.strerror})."]) from None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ConfigurationMistakes(
            [f'{source} is not a JSON object with settings, such as {{"tenant_id": "…"}}.']
        )
    return values


def intake_server(configured: str | None, load_config: LoadConfig) -> str:
    """The address of the intake: ``configured`` if set, else the platform's.

    Raises `ConfigurationMistakes` if there is none or it is unsafe.
    """
    try:
        url = configured or str(load_config("intake_url"))
    except MissingConfigurationError:
        raise ConfigurationMistakes(
            ["intake_server is missing, and the platform names no intake; enter its address."]
        ) from None
    if not is_safe_url(url):
        raise ConfigurationMistakes([f"intake_server {UNSAFE_URL}"])
    return url
