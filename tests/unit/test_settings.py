"""Manifests and models say the same; a mistake is named with its field and without its value."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from office365_message_trace import triggers
from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.microsoft.endpoints import CLOUDS, Cloud, Endpoints
from office365_message_trace.settings import (
    Application,
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
    completed,
    parse,
    parse_application,
    unknown_fields,
)
from office365_message_trace.transport.addresses import is_safe_url
from tests.support import NOON

ROOT = Path(__file__).parent.parent.parent
GUID = "0bbccd15-3f8e-4c04-b425-094646be5e38"
OTHER_GUID = "5c0c3a5e-7f0b-4a55-9d0f-2f6a2b1f7f1a"
OAUTH = {"tenant_id": GUID, "client_id": GUID, "client_secret": "s3cr3t~value", "intake_key": "k"}
BASIC = {
    "account_name": "reader@contoso.example",
    "account_password": "pässword",
    "intake_key": "k",
}
MODELS: dict[str, type[MessageTraceSettings]] = {
    name: getattr(triggers, trigger).settings_model
    for trigger, name in re.findall(
        r'module\.register\((\w+Trigger), "(\w+)"\)', (ROOT / "main.py").read_text()
    )
}

manifests = pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("trigger_*.json"), *ROOT.glob("connector_*.json")]),
    ids=lambda path: path.name,
)
models = pytest.mark.parametrize(
    ("model", "good"),
    [(model, BASIC if model is BasicSettings else OAUTH) for model in MODELS.values()],
    ids=MODELS,
)


def arguments(path: Path) -> tuple[dict[str, Any], type[MessageTraceSettings]]:
    manifest = json.loads(path.read_text())
    return manifest["arguments"], MODELS[manifest["docker_parameters"]]


def module_form() -> dict[str, Any]:
    """The form of the module's configuration."""
    form: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text())["configuration"]
    return form


def is_secret(field: FieldInfo) -> bool:
    """Also where it may be left out."""
    kinds = [field.annotation]
    for kind in kinds:
        kinds += get_args(kind)
    return SecretStr in kinds


def as_argument(field: FieldInfo) -> dict[str, Any]:
    """What a manifest has to say about ``field``, apart from its words."""
    said: dict[str, Any] = {"type": "integer" if field.annotation is int else "string"}
    if not field.is_required() and field.default is not None:
        said["default"] = field.default
    if get_origin(field.annotation) is Literal:
        said["enum"] = list(get_args(field.annotation))
    for constraint in field.metadata:
        for name, word in (("ge", "minimum"), ("le", "maximum")):
            if hasattr(constraint, name):
                said[word] = getattr(constraint, name)
    return said


def mistakes(model: type[MessageTraceSettings], values: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationMistakes) as caught:
        parse(model, values)
    return caught.value.mistakes


# Manifests and models


def test_each_trigger_has_its_two_manifests_and_a_model_of_its_own() -> None:
    assert MODELS["message_trace_oauth"] is OAuthSettings
    assert MODELS["message_trace_basic"] is BasicSettings
    assert len(set(MODELS.values())) == len(MODELS)
    names = {path.name for path in (*ROOT.glob("trigger_*.json"), *ROOT.glob("connector_*.json"))}
    assert names == {f"{kind}_{name}.json" for kind in ("trigger", "connector") for name in MODELS}


@manifests
def test_a_manifest_and_its_model_have_the_same_arguments(path: Path) -> None:
    said, model = arguments(path)
    described = {
        name: {key: value for key, value in each.items() if key not in ("title", "description")}
        for name, each in said["properties"].items()
    }
    assert described == {
        name: as_argument(field)
        for name, field in model.model_fields.items()
        if name not in model.outside_forms
    }


@manifests
def test_a_form_offers_no_choice_that_its_trigger_refuses(path: Path) -> None:
    said, model = arguments(path)
    good = BASIC if model is BasicSettings else OAUTH
    for name, each in said["properties"].items():
        for choice in each.get("enum", []):
            assert getattr(parse(model, {**good, name: choice}), name) == choice


def test_what_the_forms_leave_out_is_still_a_setting_elsewhere() -> None:
    assert OAuthSettings.outside_forms == ("federated_token_file",)
    assert GraphSettings.outside_forms == ("federated_token_file", "cloud")
    values = {**OAUTH, "client_secret": "", "federated_token_file": "/t", "cloud": "global"}
    assert parse(GraphSettings, values).federated_token_file == "/t"


@manifests
def test_a_manifest_requires_what_its_model_requires_and_the_module_cannot_give(path: Path) -> None:
    said, model = arguments(path)
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert set(said["required"]) == required - set(module_form()["properties"])
    assert len(said["required"]) == len(set(said["required"]))


@manifests
def test_what_a_manifest_keeps_secret_never_shows_in_the_model(path: Path) -> None:
    said, model = arguments(path)
    hidden = {name for name, field in model.model_fields.items() if is_secret(field)}
    assert set(said["secrets"]) == hidden - {"intake_key"}, "the intake key is a plain argument"
    assert "intake_key" in hidden, "which is not shown all the same"


@manifests
def test_an_argument_is_explained_to_an_administrator(path: Path) -> None:
    said, _ = arguments(path)
    for argument in said["properties"].values():
        assert argument["title"][0].isupper()
        assert len(argument["description"]) > 30
        assert argument["description"].endswith(".")


# The configuration of the module


def test_the_module_s_form_has_the_application_of_the_triggers_and_requires_nothing() -> None:
    form = module_form()
    outside = OAuthSettings.outside_forms
    assert list(form["properties"]) == [n for n in Application.model_fields if n not in outside]
    hidden = {name for name, field in Application.model_fields.items() if is_secret(field)}
    assert set(form["secrets"]) == hidden
    assert form["required"] == []


@pytest.mark.parametrize("trigger", ["oauth", "graph"])
def test_the_module_s_form_has_the_titles_and_the_help_of_the_triggers(trigger: str) -> None:
    said, _ = arguments(ROOT / f"trigger_message_trace_{trigger}.json")
    for name, each in module_form()["properties"].items():
        theirs = said["properties"][name]
        assert (each["title"], each["type"]) == (theirs["title"], theirs["type"])
        shared = each["description"].partition(". ")[0]
        assert theirs["description"].startswith(shared)
        if name != "client_certificate":
            assert "the module's configuration" in theirs["description"]


MODULE = {"tenant_id": "module.example", "client_id": OTHER_GUID, "client_secret": "module's"}
SHARED = {"intake_key": "key"}
CERTIFICATE = {"client_certificate": "certificate"}


@pytest.mark.parametrize(
    ("own", "module", "used"),
    [
        (OAUTH, {}, OAUTH),
        (OAUTH, MODULE, OAUTH),
        (OAUTH, CERTIFICATE, OAUTH),
        (SHARED, MODULE, {**SHARED, **MODULE}),
        (
            {**SHARED, "tenant_id": " ", "client_id": None, "client_secret": ""},
            MODULE,
            {**SHARED, **MODULE},
        ),
        (
            {**SHARED, "tenant_id": "own.example"},
            MODULE,
            {**SHARED, **MODULE, "tenant_id": "own.example"},
        ),
        (
            {**SHARED, "client_secret": "own"},
            {**MODULE, "client_secret": None, **CERTIFICATE},
            {**SHARED, **MODULE, "client_secret": "own"},
        ),
        (
            {**SHARED, **CERTIFICATE},
            MODULE,
            {
                **SHARED,
                **CERTIFICATE,
                "tenant_id": "module.example",
                "client_id": OTHER_GUID,
            },
        ),
        (
            {**SHARED, "client_id": f" {OTHER_GUID.upper()} "},
            MODULE,
            {**SHARED, **MODULE, "client_id": f" {OTHER_GUID.upper()} "},
        ),
        (
            {**SHARED, "client_id": GUID},
            MODULE,
            {**SHARED, "client_id": GUID, "tenant_id": "module.example"},
        ),
    ],
    ids=[
        "all its own",
        "all its own before the module's",
        "its own secret, the module's certificate",
        "nothing of its own",
        "blanks",
        "its own tenant",
        "its own secret only",
        "its own certificate only",
        "the same application",
        "another application",
    ],
)
@pytest.mark.parametrize("model", [OAuthSettings, GraphSettings])
def test_the_module_s_values_serve_where_a_trigger_has_none_and_a_credential_wins_whole(
    model: type[MessageTraceSettings],
    own: dict[str, Any],
    module: dict[str, Any],
    used: dict[str, Any],
) -> None:
    assert completed(model, own, module) == used


def test_a_trigger_without_application_takes_nothing_from_the_module() -> None:
    assert completed(BasicSettings, BASIC, MODULE) == BASIC
    assert parse(BasicSettings, BASIC, MODULE) == parse(BasicSettings, BASIC)


def test_a_trigger_signs_in_with_the_module_s_application() -> None:
    settings = parse(GraphSettings, SHARED, MODULE)
    assert settings.tenant_id == "module.example"
    assert settings.credential == "module's"


def test_a_mistake_in_a_value_of_the_module_says_where_it_comes_from() -> None:
    with pytest.raises(ConfigurationMistakes) as caught:
        parse(GraphSettings, {}, {**MODULE, "tenant_id": "a/b"})
    *mistakes, whence = caught.value.mistakes
    assert whence == "From the configuration of the module come tenant_id."
    assert any(each.startswith("intake_key is missing") for each in mistakes)


def test_an_empty_module_changes_no_mistake() -> None:
    for values in ({}, {**OAUTH, "client_id": ""}, {**OAUTH, "client_certificate": "x"}):
        with pytest.raises(ConfigurationMistakes) as caught:
            parse(GraphSettings, values, {})
        assert caught.value.mistakes == mistakes(GraphSettings, values)
        assert "module" not in str(caught.value)


# Values


@models
def test_required_values_are_enough(
    model: type[MessageTraceSettings], good: dict[str, Any]
) -> None:
    settings = parse(model, good)
    policy = settings.policy
    assert policy.delay.total_seconds() == 60
    assert policy.frequency.total_seconds() == 60
    assert policy.lookback.total_seconds() == 24 * 3600
    assert settings.first_start.total_seconds() == 3600
    assert settings.chunk_size == 1000
    assert settings.intake_server is None


OPTIONAL = [
    "intake_server",
    "timedelta",
    "start_time",
    "frequency",
    "lookback",
    "chunk_size",
    "cloud",
    "client_certificate",
    "federated_token_file",
]


@pytest.mark.parametrize("empty", [None, "", " \t"], ids=["null", "empty text", "blanks"])
@pytest.mark.parametrize("field", OPTIONAL)
def test_what_the_form_left_empty_takes_its_default(field: str, empty: str | None) -> None:
    assert parse(OAuthSettings, {**OAUTH, field: empty}) == parse(OAuthSettings, OAUTH)


@pytest.mark.parametrize("empty", [None, "", " \t"], ids=["null", "empty text", "blanks"])
@pytest.mark.parametrize("field", sorted({*OAUTH, *BASIC} - {"client_secret"}))
def test_a_required_value_cannot_be_empty(field: str, empty: str | None) -> None:
    model, good = (OAuthSettings, OAUTH) if field in OAUTH else (BasicSettings, BASIC)
    (mistake,) = mistakes(model, {**good, field: empty})
    assert mistake.startswith(f"{field} is ")
    assert mistake.endswith("enter a value.")


@pytest.mark.parametrize("field", sorted(OAUTH))
def test_blanks_around_a_pasted_value_do_no_harm(field: str) -> None:
    assert parse(OAuthSettings, {**OAUTH, field: f" {OAUTH[field]}\n"}) == parse(
        OAuthSettings, OAUTH
    )


@pytest.mark.parametrize(
    "value", [17, "17", " 17 ", 17.0], ids=["number", "text", "blanks", "real"]
)
def test_digits_are_a_number(value: object) -> None:
    assert parse(OAuthSettings, {**OAUTH, "frequency": value}).frequency == 17


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("timedelta", 0, 10080),
        ("start_time", 0, 720),
        ("frequency", 10, 3600),
        ("lookback", 0, 72),
        ("chunk_size", 1, 10000),
    ],
)
def test_a_number_beyond_its_limits_counts_as_the_nearest_and_that_is_said(
    field: str, least: int, most: int
) -> None:
    """The platform's former module had other limits: its settings go on working."""
    for number, used in ((least, least), (most, most), (least - 1, least), (most + 1, most)):
        for entered in (number, str(number), float(number), f" {number}.0"):
            settings = parse(OAuthSettings, {**OAUTH, field: entered})
            assert getattr(settings, field) == used
            said = f"{field} is beyond its limits; {used} is used instead, the nearest number that is allowed."
            assert (said in settings.doubts(NOON)) is (number != used)


@pytest.mark.parametrize(
    "value",
    ["an hour", "1.5", 1.5, "1 000", [60], {}, "0x20", float("nan"), float("inf"), "9" * 5000],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_whole_number_is_a_mistake(value: object) -> None:
    (mistake,) = mistakes(OAuthSettings, {**OAUTH, "frequency": value})
    assert mistake == "frequency is not a whole number; enter one."


@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"x": "y"}, b"\xff"], ids=repr)
@pytest.mark.parametrize("field", ["tenant_id", "client_secret", "intake_key", "intake_server"])
def test_what_is_no_text_is_a_mistake(field: str, value: object) -> None:
    (mistake,) = mistakes(OAuthSettings, {**OAUTH, field: value})
    assert mistake == f"{field} is not text; enter it as text."


@pytest.mark.parametrize("field", ["tenant_id", "client_id"])
@pytest.mark.parametrize(
    "value",
    [f"https://login.example/{GUID}", f"{GUID}/../common", "a b", "é", "x?y=z", "a\nb", "..\\x"],
)
def test_an_identifier_cannot_reach_beyond_its_place_in_an_address(field: str, value: str) -> None:
    (mistake,) = mistakes(OAuthSettings, {**OAUTH, field: value})
    assert mistake.startswith(f"{field} holds characters that no identifier has; copy it from")


def test_all_mistakes_are_reported_together_by_field_and_without_values() -> None:
    values = {
        "tenant_id": "CANARY/tenant",
        "client_id": "CANARY client",
        "client_secret": "",
        "intake_server": "http://CANARY.example",
        "timedelta": "CANARY",
        "lookback": [77777],
    }
    with pytest.raises(ConfigurationMistakes) as caught:
        parse(OAuthSettings, values)
    found = caught.value.mistakes
    assert sorted(each.split()[0] for each in found) == sorted([*values, "intake_key"])
    assert all(each.endswith(".") for each in found)
    assert all(each in caught.value.sentence for each in found)
    assert caught.value.__cause__ is None
    for shown in (str(caught.value), repr(caught.value)):
        assert "CANARY" not in shown
        assert "77777" not in shown


@models
def test_a_secret_is_not_shown_by_the_settings(
    model: type[MessageTraceSettings], good: dict[str, Any]
) -> None:
    values = {**good, "intake_key": "CANARY-KEY"}
    shown = repr(parse(model, values))
    for hidden in ("CANARY-KEY", OAUTH["client_secret"], BASIC["account_password"]):
        assert hidden not in shown


def test_settings_do_not_change() -> None:
    settings = parse(OAuthSettings, OAUTH)
    with pytest.raises(ValueError, match="frozen"):
        settings.frequency = 5


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("Timedelta", "timedelta"), ("client-secret", "client_secret"), ("intake_kye", "intake_key")],
)
def test_a_misspelt_field_is_answered_with_the_one_that_is_meant(typed: str, meant: str) -> None:
    (sentence,) = unknown_fields(OAuthSettings, {**OAUTH, typed: "x"})
    assert sentence == f"Unknown configuration field: {typed}. Did you mean {meant}?"


@pytest.mark.parametrize("name", ["8Q~canary", "canary\x1b[31m", "canary" * 10000])
def test_a_value_that_was_entered_for_a_name_is_not_shown(name: str) -> None:
    (sentence,) = unknown_fields(OAuthSettings, {**OAUTH, name: "client_secret"})
    assert (
        sentence == "Unknown configuration field, whose name no setting can have: it is not shown."
    )


def test_fields_that_are_not_known_are_named_and_do_no_harm() -> None:
    values = {**OAUTH, "tenantid": "x", "account_name": "y", "": "z"}
    assert unknown_fields(OAuthSettings, values) == [
        "Unknown configuration field: .",
        "Unknown configuration field: account_name.",
        "Unknown configuration field: tenantid. Did you mean tenant_id?",
    ]
    assert unknown_fields(OAuthSettings, OAUTH) == []
    assert parse(OAuthSettings, values) == parse(OAuthSettings, OAUTH)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({}, [], id="GUIDs and a value"),
        pytest.param({"tenant_id": "contoso.onmicrosoft.com"}, [], id="domain for the tenant"),
        pytest.param({"tenant_id": GUID.upper()}, [], id="capital GUID"),
        pytest.param({"tenant_id": "contoso"}, ["tenant_id"], id="name for the tenant"),
        pytest.param({"client_id": "collector"}, ["client_id"], id="name for the application"),
        pytest.param({"client_secret": GUID}, ["client_secret"], id="ID of the secret"),
        pytest.param(
            {"tenant_id": "a", "client_id": "b", "client_secret": GUID},
            ["tenant_id", "client_id", "client_secret"],
            id="everything",
        ),
    ],
)
def test_what_is_likely_a_mistake_is_doubted(changes: dict[str, str], named: list[str]) -> None:
    doubts = parse(OAuthSettings, {**OAUTH, **changes}).doubts(NOON)
    assert [doubt.split()[0] for doubt in doubts] == named
    assert all(doubt.endswith(".") for doubt in doubts)


def test_an_account_is_not_doubted() -> None:
    assert parse(BasicSettings, BASIC).doubts(NOON) == []


# Addresses


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://intake.example", True),
        ("https://intake.example:8443/api/v1", True),
        ("HTTPS://INTAKE.EXAMPLE", True),
        ("https://192.0.2.1", True),
        ("https://[2001:db8::1]:443/", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080/x", True),
        ("http://localhost:8080", True),
        ("http://LOCALHOST", True),
        ("http://intake.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://evil.example\\@127.0.0.1/", False),
        ("https://evil.example\\@intake.example", False),
        ("https://someone@intake.example", False),
        ("https://@intake.example", False),
        ("https://intake.example/a b", False),
        ("https://intake.example/a\\b", False),
        ("https://intake\t.example", False),
        ("https://intake.example/\x00", False),
        ("http://127.0.0.1\u00a0.evil.example", False),
        ("http://evil.example#127.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://2130706433", False),
        ("ftp://127.0.0.1", False),
        ("file:///etc/passwd", False),
        ("intake.example", False),
        ("//intake.example", False),
        ("https://", False),
        ("https:///path", False),
        ("https://intake.example:port", False),
        ("https://intake.example:99999", False),
        ("https://[::1", False),
        ("https://intake..example", False),
        ("https://.intake.example", False),
        ("https://intake.example.", True),
        (f"https://{'a' * 63}.example", True),
        (f"https://{'a' * 64}.example", False),
        ("", False),
    ],
)
def test_credentials_travel_over_https_or_stay_on_this_machine(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe
    if safe:
        assert parse(OAuthSettings, {**OAUTH, "intake_server": url}).intake_server == url
    elif url:
        (mistake,) = mistakes(OAuthSettings, {**OAUTH, "intake_server": url})
        assert mistake.startswith("intake_server must be an https address")


def test_blanks_around_an_address_are_no_part_of_it() -> None:
    settings = parse(OAuthSettings, {**OAUTH, "intake_server": " https://intake.example\n"})
    assert settings.intake_server == "https://intake.example"


@pytest.mark.parametrize(
    ("cloud", "login", "reporting", "scope"),
    [
        ("global", "login.microsoftonline.com", "reports.office365.com", "outlook.office365.com"),
        ("gcc_high", "login.microsoftonline.us", "outlook.office365.us", "outlook.office365.us"),
        ("china", "login.chinacloudapi.cn", "partner.outlook.cn", "partner.outlook.cn"),
    ],
)
def test_without_overrides_a_cloud_is_where_it_is(
    cloud: Cloud, login: str, reporting: str, scope: str
) -> None:
    endpoints = Endpoints.of(cloud, {"PATH": "/bin"})
    assert endpoints.login == f"https://{login}"
    assert endpoints.reporting == f"https://{reporting}"
    assert endpoints.reporting_scope == f"https://{scope}/.default"


def test_every_cloud_that_can_be_chosen_is_known() -> None:
    assert set(CLOUDS) == set(get_args(Cloud))


@pytest.mark.parametrize("cloud", get_args(Cloud))
def test_an_address_is_replaced_in_every_cloud_and_the_scope_is_kept(cloud: Cloud) -> None:
    variable = {"MESSAGE_TRACE_REPORTING_URL": "https://127.0.0.1:1"}
    expected = replace(CLOUDS[cloud], reporting="https://127.0.0.1:1")
    assert Endpoints.of(cloud, variable) == expected


def test_a_cloud_that_is_not_known_is_a_mistake_that_names_the_choices() -> None:
    (mistake,) = mistakes(OAuthSettings, {**OAUTH, "cloud": "CANARY"})
    assert mistake == "cloud is not one of the choices; enter 'global', 'gcc_high' or 'china'."


@pytest.mark.parametrize("cloud", ["gcc_high", "china"])
def test_the_graph_trigger_refuses_other_clouds_and_names_the_one_to_use(cloud: str) -> None:
    (mistake,) = mistakes(GraphSettings, {**OAUTH, "cloud": cloud})
    assert mistake.startswith("cloud must be global for this trigger")
    assert '"Office 365 Message Trace OAuth"' in mistake
    assert parse(GraphSettings, {**OAUTH, "cloud": "global"}).cloud == "global"


@pytest.mark.parametrize(
    ("variable", "field"),
    [("MESSAGE_TRACE_LOGIN_URL", "login"), ("MESSAGE_TRACE_REPORTING_URL", "reporting")],
)
@pytest.mark.parametrize("url", ["https://127.0.0.1:1234/", "http://localhost:1", "https://a.us"])
def test_an_address_of_microsoft_can_be_replaced(variable: str, field: str, url: str) -> None:
    endpoints = Endpoints.of("global", {variable: url})
    assert getattr(endpoints, field) == url.rstrip("/")
    assert replace(endpoints, **{field: getattr(Endpoints(), field)}) == Endpoints()


def test_an_empty_override_is_none() -> None:
    assert Endpoints.of("global", {"MESSAGE_TRACE_LOGIN_URL": ""}) == Endpoints()


def test_unsafe_overrides_are_all_named_but_not_shown() -> None:
    names = ("MESSAGE_TRACE_LOGIN_URL", "MESSAGE_TRACE_REPORTING_URL")
    with pytest.raises(ConfigurationMistakes) as caught:
        Endpoints.of("global", dict.fromkeys(names, "http://CANARY.example"))
    assert [mistake.split()[0] for mistake in caught.value.mistakes] == list(names)
    assert "CANARY" not in str(caught.value)


# The application alone


def test_an_application_is_taken_from_whatever_holds_it() -> None:
    application = parse_application({**OAUTH, "limit": 3, "client_certificate": " "})
    assert (application.tenant, application.client_id) == (GUID, GUID)
    assert application.credential == OAUTH["client_secret"]
    assert OAUTH["client_secret"] not in repr(application)


def test_mistakes_in_an_application_are_told_at_once_without_their_values() -> None:
    with pytest.raises(ConfigurationMistakes) as caught:
        parse_application({"client_id": "canary id", "client_certificate": "canary"})
    names = {each.partition(" ")[0] for each in caught.value.mistakes}
    assert names == {"tenant_id", "client_id", "client_certificate"}
    assert "canary" not in str(caught.value)
    with pytest.raises(ConfigurationMistakes, match="keep one of them"):
        parse_application({**OAUTH, "client_certificate": "x"})
