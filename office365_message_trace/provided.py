"""What the platform provides for a trigger, read the way the SDK reads it.

The SDK gives a value from the file of that name in ``/symphony``, else from the environment.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from sekoia_automation.configuration.exception import MissingConfigurationError

from office365_message_trace.endpoints import UNSAFE_URL, is_safe_url
from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.settings import MessageTraceSettings

CONFIGURATIONS = ("trigger_configuration", "connector_configuration")
"""Where the platform puts a trigger's settings, depending on how it was made."""


class Provided(Protocol):
    """The SDK's ``load_config``: raises ``MissingConfigurationError`` for what is not there."""

    def __call__(self, name: str, type_: str = ..., /) -> Any: ...


def trigger_values(provided: Provided, node_secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they were entered, node secrets laid over them; nothing is checked.

    Raises `ConfigurationMistakes` if there are none.
    """
    for name in CONFIGURATIONS:
        try:
            values = provided(name, "json")
        except MissingConfigurationError:
            continue
        return {**values, **{k: v for k, v in node_secrets.items() if v is not None}}
    raise ConfigurationMistakes(
        ["the platform gave neither trigger_configuration nor connector_configuration."]
    )


def intake_server(settings: MessageTraceSettings, provided: Provided) -> str:
    """The address of the intake: the one of the settings, else the platform's.

    Raises `ConfigurationMistakes` if there is none or it is unsafe.
    """
    try:
        url = settings.intake_server or str(provided("intake_url"))
    except MissingConfigurationError:
        raise ConfigurationMistakes(
            ["intake_server is missing, and the platform names no intake; enter its address."]
        ) from None
    if not is_safe_url(url):
        raise ConfigurationMistakes([f"intake_server {UNSAFE_URL}"])
    return url
