"""Reads what the platform gives a trigger, the way the SDK does.

The SDK takes a value from the file of that name in ``/symphony``, else from the environment.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError
from sekoia_automation.configuration.exception import MissingConfigurationError
from sekoia_automation.module import Module
from sekoia_automation.storage import get_data_path, get_s3_data_path

from office365_message_trace.errors import ConfigurationMistakes, StorageFailed, origin
from office365_message_trace.transport.addresses import UNSAFE_URL, is_safe_url, origin_of
from office365_message_trace.untrusted_text import printable

# The SDK would try ten times, for a minute, before it says anything.
get_s3_data_path.__wrapped__.retry.stop = lambda _attempts: True  # type: ignore[attr-defined]

_NO_TRACKER = (
    "Errors are not reported to an error tracker, because sentry_dsn or environment cannot be used; mail is "
    "collected anyway. Have the person who runs the image correct or remove it. [%s]"
)


class MessageTraceModule(Module):
    """The SDK's module, which neither an unusable address of the error tracker nor a line break at the end of a
    value keeps from starting: files often end with one."""

    def load_config(self, file_name: str, type_: str = "str", non_exist_ok: bool = False) -> Any:
        """The value ``file_name`` without space around it, unless it is one of those of S3, which the SDK also reads
        elsewhere. Raises as the SDK does."""
        value = super().load_config(file_name, type_, non_exist_ok)
        as_given = file_name in _S3 or not isinstance(value, str)
        return value if as_given else value.strip()

    def init_sentry(self) -> None:
        try:
            super().init_sentry()  # type: ignore[no-untyped-call]
        except Exception as error:  # of the tracker's client, or of a file
            logging.getLogger(__name__).warning(_NO_TRACKER, origin(error))


CONFIGURATIONS = ("trigger_configuration", "connector_configuration")
"""Names of a trigger's settings on the platform, depending on how it was created."""

SECRETS = ("intake_key", "client_secret", "client_certificate", "account_password")
"""Settings that may be given as values of their own, so that a Secret need not hold the other settings."""

NOT_GIVEN = "the platform gave neither trigger_configuration nor connector_configuration."

_MODULE = "module_configuration"
_MISSING = "is missing"


class LoadConfig(Protocol):
    """The SDK's ``load_config``: raises ``MissingConfigurationError`` for a missing value."""

    def __call__(self, name: str, type_: str = ..., /) -> Any: ...


Judge = Callable[[str, LoadConfig], None]
"""Loads a value by its name, and raises if it cannot be used."""


def unusable(load_config: LoadConfig) -> list[str]:
    """What is wrong with the values, besides the settings, that a process starts with: ``token is missing``."""
    return [
        *_faults(_NEEDED, load_config),
        *_faults(_OPTIONAL, load_config, needed=False),
    ]


def lacks_values(load_config: LoadConfig) -> bool:
    """True if a value is missing that the platform gives each process."""
    faults = (_fault(name, judge, load_config, True) for name, judge in _NEEDED.items())
    return _MISSING in faults


def _faults(judges: Mapping[str, Judge], load_config: LoadConfig, needed: bool = True) -> list[str]:
    found = [(name, _fault(name, judge, load_config, needed)) for name, judge in judges.items()]
    return [f"{name} {fault}" for name, fault in found if fault]


def _fault(name: str, judge: Judge, load_config: LoadConfig, needed: bool) -> str:
    """What is wrong with the value ``name``; empty if nothing is."""
    try:
        judge(name, load_config)
    except MissingConfigurationError:
        return _MISSING if needed else ""
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    except _Wrong as wrong:
        return str(wrong)
    except (ValueError, RecursionError):
        return "is not JSON"
    return ""


class _Wrong(ValueError):
    """The end of a sentence about a value."""


def _json_object(name: str, load_config: LoadConfig) -> None:
    if not isinstance(load_config(name, "json"), dict):
        raise _Wrong("is not a JSON object such as {}")


def _word(name: str, load_config: LoadConfig) -> None:
    text = str(load_config(name))
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise _Wrong("holds a line break, a space around it, or another character than ASCII's")


def _address(name: str, load_config: LoadConfig) -> None:
    _word(name, load_config)
    try:
        origin_of(str(load_config(name)))
    except ValueError:
        raise _Wrong("is not an address that begins with http:// or https://") from None


def _backend(name: str, load_config: LoadConfig) -> None:
    if str(load_config(name)).upper() == "S3" and (wrong := _faults(_S3, load_config)):
        raise _Wrong(f"is S3, but {', '.join(wrong)}")


_NEEDED: dict[str, Judge] = {
    _MODULE: _json_object,
    "token": _word,
    "url_callback": _address,
}
_OPTIONAL: dict[str, Judge] = {"url_secrets": _address, "file_backend": _backend}
_S3: dict[str, Judge] = {
    "aws_s3_endpoint_url": _address,
    "aws_default_region": _word,
    "aws_bucket_name": _word,
    "aws_access_key_id": _word,
    "aws_secret_access_key": _word,
}


def platform_path() -> Path:
    """The SDK's ``data_path``. Raises `StorageFailed` at once if it cannot be reached."""
    try:
        return get_data_path()
    except Exception as error:  # the SDK lets any error of its S3 client out
        code = (
            error.response.get("Error", {}).get("Code", "")
            if isinstance(error, ClientError)
            else ""
        )
        raise StorageFailed(
            "The storage that the platform names cannot be reached. Check aws_bucket_name, the "
            "credentials and aws_s3_endpoint_url.",
            f"{printable(code)} {origin(error)}".strip(),
        ) from None


def trigger_values(load_config: LoadConfig, node_secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as entered, with node secrets and `SECRETS` merged in; not validated.

    Raises `ConfigurationMistakes` if there are none, or none that can be read.
    """
    for name in CONFIGURATIONS:
        try:
            values = settings_object(name, partial(load_config, name, "json"))
        except MissingConfigurationError:
            continue
        apart = {each: _secret(load_config, each) for each in SECRETS if not values.get(each)}
        given = {**apart, **node_secrets}
        return {**values, **{k: v for k, v in given.items() if v not in (None, "")}}
    raise ConfigurationMistakes([NOT_GIVEN])


def _secret(load_config: LoadConfig, name: str) -> str:
    """The secret ``name`` if it is given apart from the settings, else an empty text."""
    try:
        return str(load_config(name))
    except MissingConfigurationError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationMistakes([f"{name} cannot be read ({why})."]) from None


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
    except UnicodeError:
        why = "it is not UTF-8 text"
    except JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        why = f"{error.msg} at {at}" if error.doc.strip() else "it is empty"
    except (ValueError, RecursionError):
        why = "it is not JSON"
    else:
        if isinstance(values, dict):
            return values
        why = f"it is {_KINDS[type(values)]}"
    raise ConfigurationMistakes(
        [f'{source} is not a JSON object with settings, such as {{"tenant_id": "…"}}: {why}.']
    )


_KINDS = {
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


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
        name = "intake_server" if configured else "intake_url, which the platform gives,"
        raise ConfigurationMistakes([f"{name} {UNSAFE_URL}"])
    return url
