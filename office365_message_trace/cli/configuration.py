"""Loads the configuration of a command: a trigger's own, or one from a file."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sekoia_automation.configuration import get_configuration
from sekoia_automation.configuration.exception import MissingConfigurationError
from sekoia_automation.storage import get_data_path

from office365_message_trace.errors import (
    ConfigurationMistakes,
    StorageFailed,
    Unavailable,
    origin,
)
from office365_message_trace.files import read_file
from office365_message_trace.microsoft.endpoints import CLOUDS, Endpoints
from office365_message_trace.sekoia import playbook
from office365_message_trace.sekoia.platform import (
    NOT_GIVEN,
    LoadConfig,
    intake_server,
    module_values,
    settings_object,
    trigger_values,
)
from office365_message_trace.settings import (
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
    completed,
    parse,
    unknown_fields,
)

LONGEST_FILE = 1024 * 1024  # bytes of settings; a certificate and its key have some kilobytes
_CLOUDS_WITHOUT_GRAPH = CLOUDS.keys() - {"global"}

Ask = Callable[[str], str]
"""Asks the user for a secret by its name, without showing it."""


class Trigger(Enum):
    """The triggers, as ``--trigger`` names them."""

    OAUTH = "oauth"
    BASIC = "basic"
    GRAPH = "graph"

    @property
    def model(self) -> type[MessageTraceSettings]:
        """The model of its settings."""
        models: dict[str, type[MessageTraceSettings]] = {
            "oauth": OAuthSettings,
            "basic": BasicSettings,
            "graph": GraphSettings,
        }
        return models[self.value]

    @property
    def title(self) -> str:
        """Its name in the playbook."""
        return {
            "oauth": "Office 365 Message Trace OAuth",
            "basic": "Message Trace",
            "graph": "Office 365 Message Trace (Graph API)",
        }[self.value]


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration of a command. ``doubts`` are warnings about it."""

    trigger: Trigger
    settings: MessageTraceSettings
    endpoints: Endpoints
    intake_server: str
    doubts: list[str]


def load_setup(
    config: Path | None, trigger: Trigger | None, ask: Ask | None, now: datetime
) -> Setup:
    """Load the setup from the file ``config``, else from the platform.

    Its doubts are those at ``now``. Missing secrets are requested with ``ask``, if given. Raises
    `ConfigurationMistakes`.
    """
    load_config = get_configuration().load
    values, module, trouble = (
        (settings_object(config, lambda: json.loads(read_file(config, LONGEST_FILE))), {}, [])
        if config
        else _platform_values(now)
    )
    trigger = trigger or guessed_trigger(values)
    model = trigger.model
    if ask:
        missing = _missing_secrets(model, completed(model, values, module))
        values = {**values, **{name: ask(name) for name in missing}}
    try:
        settings = parse(model, values, module)
    except ConfigurationMistakes as found:
        raise ConfigurationMistakes([*found.mistakes, *trouble]) from None
    unknown = [f"Unknown configuration field: {name}." for name in unknown_fields(model, values)]
    return Setup(
        trigger,
        settings,
        Endpoints.of(settings.cloud),
        intake_server(settings.intake_server, load_config),
        [*trouble, *unknown, *settings.doubts(now)],
    )


def guessed_trigger(values: Mapping[str, Any]) -> Trigger:
    """The only trigger that the settings ``values`` fit. Raises `ConfigurationMistakes` if several do."""
    fields = {name for name, value in values.items() if value not in (None, "")}
    if fields & {"account_name", "account_password"}:
        return Trigger.BASIC
    if "event_format" in fields:
        return Trigger.GRAPH
    if values.get("cloud") in _CLOUDS_WITHOUT_GRAPH:
        return Trigger.OAUTH
    raise ConfigurationMistakes(
        [
            "these settings fit more than one trigger: add --trigger oauth for "
            f'"{Trigger.OAUTH.title}", or --trigger graph for "{Trigger.GRAPH.title}".'
        ]
    )


def stored_trigger() -> Trigger:
    """The trigger whose settings the platform provides, even if they are incomplete."""
    return guessed_trigger(_trigger_values({}))


def data_path() -> Path:
    """The SDK's storage. Raises `StorageFailed` if it cannot be reached."""
    try:
        return get_data_path()
    except Exception as error:  # the SDK lets any error of its S3 client out
        raise StorageFailed(
            "The storage that the platform names cannot be reached. Check aws_bucket_name, the "
            "credentials and aws_s3_endpoint_url.",
            origin(error),
        ) from None


def _missing_secrets(model: type[MessageTraceSettings], values: Mapping[str, Any]) -> list[str]:
    """The secrets that ``model`` requires and ``values`` lack."""
    fields = model.model_fields.items()
    needed = [n for n, field in fields if field.is_required() and field.annotation is SecretStr]
    missing = [name for name in needed if not values.get(name)]
    if model.credentials and not any(map(values.get, model.credentials)):
        missing.insert(0, model.credentials[0])
    return missing


def _platform_values(now: datetime) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The settings of the trigger, the configuration of the module, and any problems in getting them."""
    load_config = get_configuration().load
    of_module, of_trigger, trouble = platform_secrets(load_config, now)
    return _trigger_values(of_trigger), module_values(load_config, of_module), trouble


def _trigger_values(secrets: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return trigger_values(get_configuration().load, secrets)
    except ConfigurationMistakes as found:
        if found.mistakes != (NOT_GIVEN,):
            raise
        advice = "Run this where the trigger runs, or enter its settings in a file: see --help."
        raise ConfigurationMistakes([f"{NOT_GIVEN} {advice}"]) from None


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
