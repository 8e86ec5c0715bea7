"""What the platform, or whoever runs the image, gives a trigger may be missing or odd."""

from __future__ import annotations

from pathlib import Path

import pytest
from sekoia_automation.configuration.filesystem import FileSystemConfiguration

from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.sekoia.platform import SECRETS, lacks_values, trigger_values, unusable
from office365_message_trace.settings import BasicSettings, GraphSettings, OAuthSettings

NOT_SETTINGS = {
    b'{"tenant_id": "x",}': "Expecting property name enclosed in double quotes at line 1, column 19",
    b"tenant_id: x": "Expecting value at line 1, column 1",
    b"['tenant_id']": "Expecting value at line 1, column 2",
    b"": "it is empty",
    b"\n": "it is empty",
    b"[]": "it is a list",
    b"null": "it is null",
    b'"x"': "it is a text",
    b"1.5": "it is a number",
    b"[" * 100_000: "it is not JSON",
    "é".encode("latin-1"): "it is not UTF-8 text",
    "{}".encode("utf-16"): "it is not UTF-8 text",
    "{}".encode("utf-8-sig"): "Unexpected UTF-8 BOM (decode using utf-8-sig) at line 1, column 1",
}
SENTENCE = 'trigger_configuration is not a JSON object with settings, such as {"tenant_id": "…"}: '


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystemConfiguration:
    """The SDK's, with its files in a folder of the test."""
    configuration = FileSystemConfiguration()
    monkeypatch.setattr(configuration, "VOLUME_PATH", str(tmp_path), raising=True)
    return configuration


@pytest.mark.parametrize("content", NOT_SETTINGS, ids=lambda content: repr(content[:20]))
def test_a_file_that_is_no_json_object_is_named_with_the_reason(
    content: bytes, configuration: FileSystemConfiguration
) -> None:
    Path(configuration.VOLUME_PATH, "trigger_configuration").write_bytes(content)
    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(configuration.load, {})
    assert found.value.mistakes == (f"{SENTENCE}{NOT_SETTINGS[content]}.",)


@pytest.mark.parametrize("text", ['{"tenant_id": "x",}', "[]", "é", "[" * 100_000])
def test_a_variable_that_is_no_json_object_is_named(
    text: str, configuration: FileSystemConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIGGER_CONFIGURATION", text)
    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(configuration.load, {})
    assert found.value.mistakes[0].startswith(SENTENCE)


def test_secrets_may_be_files_of_their_own_and_the_platforms_go_before_them(
    configuration: FileSystemConfiguration,
) -> None:
    """A settings' own value goes before its file, as a value that is entered by hand."""
    for name, content in {
        "trigger_configuration": '{"client_secret": "", "intake_key": "entered"}',
        "client_secret": "file",
        "intake_key": "file",
        "account_password": "file",
    }.items():
        Path(configuration.VOLUME_PATH, name).write_text(content)
    assert trigger_values(configuration.load, {"account_password": "node"}) == {
        "client_secret": "file",
        "intake_key": "entered",
        "account_password": "node",
    }


def test_a_secret_that_may_not_be_read_is_named_with_the_reason() -> None:
    def load(name: str, type_: str = "str", /) -> object:
        if name == "trigger_configuration":
            return {}
        raise PermissionError(13, "Permission denied", f"/symphony/{name}")

    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(load, {})
    assert found.value.mistakes == ("intake_key cannot be read (Permission denied).",)


def test_every_secret_of_a_trigger_may_be_a_file_of_its_own() -> None:
    fields = {
        name
        for model in (OAuthSettings, GraphSettings, BasicSettings)
        for name, field in model.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert set(SECRETS) == fields


RIGHT: dict[str, bytes | None] = {
    "module_configuration": b"{}",
    "token": b"none",
    "url_callback": b"http://127.0.0.1:8080/callback",
}
S3: dict[str, bytes | None] = {
    "file_backend": b"s3",
    "aws_s3_endpoint_url": b"https://s3.example",
    "aws_default_region": b"eu-west-3",
    "aws_bucket_name": b"traces",
    "aws_access_key_id": b"key",
    "aws_secret_access_key": b"secret",
}
LOOSE = "holds a line break, a space around it, or another character than ASCII's"
NO_ADDRESS = "is not an address that begins with http:// or https://"
WRONG: dict[str, tuple[dict[str, bytes | None], list[str]]] = {
    "nothing": ({}, []),
    "S3": (S3, []),
    "a file that is no store": ({"file_backend": b"disk"}, []),
    "all missing": (dict.fromkeys(RIGHT), [f"{name} is missing" for name in RIGHT]),
    "a list": (
        {"module_configuration": b"[]"},
        ["module_configuration is not a JSON object such as {}"],
    ),
    "null": (
        {"module_configuration": b"null"},
        ["module_configuration is not a JSON object such as {}"],
    ),
    "no JSON": ({"module_configuration": b"{,}"}, ["module_configuration is not JSON"]),
    "UTF-16": (
        {"module_configuration": "{}".encode("utf-16"), "token": "x".encode("utf-16")},
        ["module_configuration is not UTF-8 text", "token is not UTF-8 text"],
    ),
    "line break": (
        {name: text + b"\n" for name, text in RIGHT.items() if text},
        [f"token {LOOSE}", f"url_callback {LOOSE}"],
    ),
    "letters": ({"token": "tökèn".encode()}, [f"token {LOOSE}"]),
    "no address of logs, which hinders nothing": ({"url_logs": b"ftp://x"}, []),
    "no addresses": (
        {"url_callback": b"callback", "url_secrets": b"http://[x"},
        [f"{name} {NO_ADDRESS}" for name in ("url_callback", "url_secrets")],
    ),
    "S3 without values": (
        {"file_backend": b"S3"},
        [
            "file_backend is S3, but "
            + ", ".join(f"{n} is missing" for n in S3 if n != "file_backend")
        ],
    ),
    "S3 without an address": (
        S3 | {"aws_s3_endpoint_url": b"s3.example"},
        [f"file_backend is S3, but aws_s3_endpoint_url {NO_ADDRESS}"],
    ),
    "key with a line break": (
        S3 | {"aws_secret_access_key": b"secret\n"},
        [f"file_backend is S3, but aws_secret_access_key {LOOSE}"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_value_that_a_process_cannot_start_with_is_named(
    case: str, configuration: FileSystemConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, faults = WRONG[case]
    for name, content in (RIGHT | given).items():
        monkeypatch.delenv(name.upper(), raising=False)
        if content is not None:
            Path(configuration.VOLUME_PATH, name).write_bytes(content)
    assert unusable(configuration.load) == faults
    assert lacks_values(configuration.load) is (None in given.values())


def test_a_value_that_may_not_be_read_is_named_with_the_reason() -> None:
    def load(name: str, type_: str = "str", /) -> object:
        raise PermissionError(13, "Permission denied", f"/symphony/{name}")

    assert "token cannot be read (Permission denied)" in unusable(load)


def test_a_file_with_settings_that_may_not_be_read_is_named_with_the_reason() -> None:
    def load(name: str, type_: str = "str", /) -> object:
        raise PermissionError(13, "Permission denied", f"/symphony/{name}")

    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(load, {})
    assert found.value.mistakes == ("trigger_configuration cannot be read (Permission denied).",)
