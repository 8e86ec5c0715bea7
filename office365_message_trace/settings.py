"""Trigger settings, validated as a whole before any network request.

The models mirror the ``arguments`` of the manifests; a test keeps the two in step.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta as duration
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from office365_message_trace.collect.coverage import Policy
from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.microsoft.credentials import ClientCertificate, FederatedToken
from office365_message_trace.microsoft.endpoints import Cloud
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS, EventFormat
from office365_message_trace.transport.addresses import UNSAFE_URL, is_safe_url

_GRAPH_DAYS = 90  # of history, documented for message trace in Graph
_LIMITS = {"greater_than_equal": "ge", "less_than_equal": "le"}  # pydantic's errors about them
_FROM_MODULE = "From the configuration of the module come {}."
_NAME = re.compile(r"[A-Za-z _-]{0,40}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _non_empty(value: str) -> str:
    value = value.strip()
    if not value:
        raise ValueError("is empty; enter a value.")
    return value


def _identifier(value: str) -> str:
    value = _non_empty(value)
    if not re.fullmatch(r"[\w.-]+", value, re.ASCII):
        raise ValueError(
            "holds characters that no identifier has; copy it from Azure portal > App "
            "registrations > your application > Overview."
        )
    return value


def _non_empty_secret(value: SecretStr) -> SecretStr:
    return SecretStr(_non_empty(value.get_secret_value()))


def _certificate(value: SecretStr) -> SecretStr:
    ClientCertificate.of(value.get_secret_value())
    return value


def _absolute(value: str) -> str:
    value = _non_empty(value)
    if not Path(value).is_absolute():
        raise ValueError("is not an absolute path; enter one such as /var/run/secrets/token.")
    return value


def _safe_url(value: str) -> str:
    value = _non_empty(value)
    if not is_safe_url(value):
        raise ValueError(UNSAFE_URL)
    return value


Text = Annotated[str, AfterValidator(_non_empty)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Secret = Annotated[SecretStr, AfterValidator(_non_empty_secret)]
Certificate = Annotated[SecretStr, AfterValidator(_certificate)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Url = Annotated[str, AfterValidator(_safe_url)]


class MessageTraceSettings(BaseModel):
    """Settings that all triggers share."""

    state_folder: ClassVar[str] = "message_trace"
    history: ClassVar[duration] = duration(days=30)  # documented for the Reporting Web Service
    # fields of which an Entra ID application has exactly one
    credentials: ClassVar[tuple[str, ...]] = ()
    outside_forms: ClassVar[tuple[str, ...]] = ()
    """Settings that the platform's forms leave out: they make sense elsewhere only."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    intake_key: Secret
    intake_server: Url | None = None
    timedelta: int = Field(default=1, ge=0, le=10080)
    """Minutes to stay behind now: the least age of mail when it is read first."""
    start_time: int = Field(default=1, ge=0, le=720)
    """Hours to go back at the first start."""
    frequency: int = Field(default=60, ge=10, le=3600)
    """Seconds between two reads of fresh mail."""
    lookback: int = Field(default=24, ge=0, le=72)
    """Hours for which mail is read again."""
    chunk_size: int = Field(default=1000, ge=1, le=10000)
    """Events in a batch at most."""
    cloud: Cloud = "global"

    _limited: tuple[str, ...] = PrivateAttr(())

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> list[str]:
        """Contradictions among ``given``, the values that are not empty."""
        return []

    @property
    def policy(self) -> Policy:
        """The settings that decide when time is read."""
        return Policy(
            delay=duration(minutes=self.timedelta),
            frequency=duration(seconds=self.frequency),
            lookback=duration(hours=self.lookback),
            history=self.history,
        )

    @property
    def tenant(self) -> str:
        """The ID of the tenant whose mail is collected, or one of its domains."""
        raise NotImplementedError

    @property
    def certificate(self) -> ClientCertificate | None:
        """The application's certificate, if it has one."""
        return None

    @property
    def intake_format(self) -> str:
        """The name of the intake format that parses the events, as in Sekoia.io's catalogue."""
        return INTAKE_FORMATS["reporting"]

    @property
    def first_start(self) -> duration:
        """The age at which the very first read begins."""
        return duration(hours=self.start_time)

    def doubts(self, now: datetime) -> list[str]:
        """Warnings about values that are allowed but probably a mistake, or soon will be."""
        return list(self._limited)


class Application(BaseModel):
    """An Entra ID application with exactly one credential."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    credentials: ClassVar[tuple[str, ...]] = (
        "client_secret",
        "client_certificate",
        "federated_token_file",
    )
    outside_forms: ClassVar[tuple[str, ...]] = ("federated_token_file",)  # it needs a mounted file

    tenant_id: Identifier
    client_id: Identifier
    client_secret: Secret | None = None
    client_certificate: Certificate | None = None
    federated_token_file: AbsolutePath | None = None

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> list[str]:
        chosen = [name for name in cls.credentials if name in given]
        if not chosen:
            return [
                "client_secret is missing; enter the value of a client secret, or instead of it a "
                "client_certificate or, outside the platform, a federated_token_file."
            ]
        if len(chosen) > 1:
            return [f"{' and '.join(chosen)} are entered; keep one of them and clear the others."]
        return []

    @property
    def tenant(self) -> str:
        """The ID of the tenant, or one of its domains."""
        return self.tenant_id

    @property
    def certificate(self) -> ClientCertificate | None:
        """The application's certificate, if it has one."""
        if self.client_certificate is None:
            return None
        return ClientCertificate.of(self.client_certificate.get_secret_value())

    @property
    def credential(self) -> Any:
        """The application's credential in the form that msal takes."""
        if certificate := self.certificate:
            return certificate.credential
        if self.federated_token_file is not None:
            return FederatedToken(Path(self.federated_token_file)).credential
        return self._secret

    def doubts(self, now: datetime) -> list[str]:
        """Warnings about values that are allowed but probably a mistake, or soon will be."""
        found = []
        if not _GUID.fullmatch(self.tenant_id) and "." not in self.tenant_id:
            found.append("tenant_id is neither a GUID nor a domain name such as contoso.com.")
        if not _GUID.fullmatch(self.client_id):
            found.append("client_id is not a GUID: enter the Application (client) ID.")
        if _GUID.fullmatch(self._secret):
            found.append("client_secret looks like the ID of a secret: enter the secret's Value.")
        if certificate := self.certificate:
            found += certificate.doubts(now)
        return found

    @property
    def _secret(self) -> str:
        return self.client_secret.get_secret_value() if self.client_secret is not None else ""


class OAuthSettings(Application, MessageTraceSettings):
    """Office 365 Message Trace OAuth."""

    def doubts(self, now: datetime) -> list[str]:
        return [*MessageTraceSettings.doubts(self, now), *Application.doubts(self, now)]


class GraphSettings(OAuthSettings):
    """Office 365 Message Trace (Graph API): the same application, in the global cloud only."""

    state_folder: ClassVar[str] = "message_trace_graph"  # what one trigger sent, the other did not
    history: ClassVar[duration] = duration(days=_GRAPH_DAYS)

    outside_forms: ClassVar[tuple[str, ...]] = (*OAuthSettings.outside_forms, "cloud")  # one choice

    start_time: int = Field(default=1, ge=0, le=24 * _GRAPH_DAYS)
    event_format: EventFormat = "graph"
    organization: Text | None = None

    @property
    def intake_format(self) -> str:
        return INTAKE_FORMATS[self.event_format]

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> list[str]:
        found = super().conflicts(given)
        if given.get("cloud", "global") in set(get_args(Cloud)) - {"global"}:
            found.append(
                "cloud must be global for this trigger: Microsoft offers message trace in Graph in "
                'the global service only; use the trigger "Office 365 Message Trace OAuth" instead.'
            )
        return found

    def doubts(self, now: datetime) -> list[str]:
        found = super().doubts(now)
        if self.organization is not None and self.event_format != "reporting":
            found.append("organization has no effect: only events of the format reporting hold it.")
        return found


class BasicSettings(MessageTraceSettings):
    """Message Trace (legacy): a service account with a password."""

    account_name: Text
    account_password: Secret

    @property
    def tenant(self) -> str:
        return self.account_name.rpartition("@")[2]


Settings = TypeVar("Settings", bound=MessageTraceSettings)


def parse(
    model: type[Settings], values: Mapping[str, Any], module: Mapping[str, Any] | None = None
) -> Settings:
    """Validate ``values``, completed from the configuration of the ``module``, as ``model``.

    Fields left empty take their default. A number beyond its limits becomes the nearest allowed one,
    because the platform's former module had other limits.
    Raises `ConfigurationMistakes` with every mistake, none of which shows a value.
    """
    own, values = values, completed(model, values, module or {})
    given = {
        name: value
        for name, value in values.items()
        if _is_given(values, name) or (value is not None and _is_required(model, name))
    }
    mistakes = model.conflicts(given)
    limited = _limited(model, given)
    try:
        settings = model.model_validate(given | limited)
    except ValidationError as error:
        mistakes = [*map(_explained, error.errors()), *mistakes]
    if mistakes:
        taken = [name for name in given if not _is_given(own, name) and _is_given(values, name)]
        if concerned := [name for name in taken if any(name in each for each in mistakes)]:
            mistakes = [*mistakes, _FROM_MODULE.format(", ".join(concerned))]
        raise ConfigurationMistakes(mistakes)
    settings._limited = tuple(
        f"{name} is beyond its limits; {limit} is used instead, the nearest number that is allowed."
        for name, limit in limited.items()
    )
    return settings


def has_application(values: Mapping[str, Any]) -> bool:
    """True if ``values`` hold anything of an application."""
    return any(_is_given(values, name) for name in Application.model_fields)


def completed(
    model: type[MessageTraceSettings] | type["Application"],
    values: Mapping[str, Any],
    module: Mapping[str, Any],
) -> dict[str, Any]:
    """``values``, with the application in the configuration of the ``module`` where they have none.

    A credential belongs to an application, and there is one of it: values with a credential of their own, or
    with the client_id of another application, take none from the module.
    """
    if not issubclass(model, Application):
        return dict(values)
    offered = {name: module[name] for name in Application.model_fields if _is_given(module, name)}
    credentials = Application.credentials
    if any(_is_given(values, name) for name in credentials) or _differ("client_id", values, module):
        offered = {name: value for name, value in offered.items() if name not in credentials}
    return {
        **values,
        **{name: value for name, value in offered.items() if not _is_given(values, name)},
    }


def parse_application(values: Mapping[str, Any]) -> Application:
    """Validate the application in ``values``, which may hold other things, such as the configuration of the
    module or of a trigger. Raises `ConfigurationMistakes` as `parse` does."""
    given = {name: values[name] for name in Application.model_fields if _is_given(values, name)}
    mistakes = Application.conflicts(given)
    try:
        application = Application.model_validate(given)
    except ValidationError as error:
        mistakes = [*map(_explained, error.errors()), *mistakes]
    if mistakes:
        raise ConfigurationMistakes(mistakes)
    return application


def _limited(model: type[MessageTraceSettings], given: Mapping[str, Any]) -> dict[str, int]:
    """The nearest allowed number for each whole number in ``given`` that is beyond its limits."""
    try:
        model.model_validate(given)
    except ValidationError as error:
        return {
            str(each["loc"][0]): each["ctx"][_LIMITS[each["type"]]]
            for each in error.errors()
            if each["type"] in _LIMITS
        }
    return {}


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _is_given(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) is not None and not _is_blank(values[name])


def _differ(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if both have ``name``, and not the same identifier."""
    if not (_is_given(one, name) and _is_given(other, name)):
        return False
    return str(one[name]).strip().lower() != str(other[name]).strip().lower()


def _is_required(model: type[MessageTraceSettings], name: str) -> bool:
    return name in model.model_fields and model.model_fields[name].is_required()


def unknown_fields(model: type[MessageTraceSettings], values: Mapping[str, Any]) -> list[str]:
    """A sentence for each name in ``values`` that ``model`` does not have."""
    return [_unknown(name, model) for name in sorted(values) if name not in model.model_fields]


def _unknown(name: str, model: type[MessageTraceSettings]) -> str:
    """The sentence, with the known name that is most like it; it leaves out what may be a value, such as a
    secret, that was entered for the name."""
    if not _NAME.fullmatch(name):
        return "Unknown configuration field, whose name no setting can have: it is not shown."
    plain = name.strip().lower().replace("-", "_")
    similar = get_close_matches(plain, model.model_fields, n=1)
    return f"Unknown configuration field: {name}." + "".join(f" Did you mean {n}?" for n in similar)


def _explained(error: Mapping[str, Any]) -> str:
    """One line for a mail administrator: field, problem, what to enter."""
    field = ".".join(str(part) for part in error["loc"]) or "configuration"
    return f"{field} {what_is_wrong(error)}"


def what_is_wrong(error: Mapping[str, Any]) -> str:
    """The rest of a sentence about a value that pydantic refuses: the problem, and what to enter."""
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is missing; enter a value."
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"is not one of the choices; enter {context['expected']}."
        case kind if kind.startswith("int") or kind == "finite_number":
            return "is not a whole number; enter one."
    return "is not text; enter it as text."
