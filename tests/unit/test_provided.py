"""What the platform, or whoever runs the image, gives a trigger may be missing or odd."""

from __future__ import annotations

from pathlib import Path

import pytest
from sekoia_automation.configuration.filesystem import FileSystemConfiguration

from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.sekoia.platform import trigger_values


@pytest.mark.parametrize(
    "text",
    [
        '{"tenant_id": "x",}',
        "tenant_id: x",
        "['tenant_id']",
        "[]",
        "null",
        '"x"',
        "é",
        "[" * 100_000,
    ],
    ids=["comma", "yaml", "quotes", "list", "null", "text", "letter", "nested"],
)
@pytest.mark.parametrize("place", ["file", "variable"])
def test_settings_that_are_no_json_object_are_named_as_such(
    text: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = FileSystemConfiguration()
    monkeypatch.setattr(configuration, "VOLUME_PATH", str(tmp_path), raising=True)
    if place == "file":
        (tmp_path / "trigger_configuration").write_text(text)
    else:
        monkeypatch.setenv("TRIGGER_CONFIGURATION", text)
    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(configuration.load, {})
    assert found.value.mistakes == (
        'trigger_configuration is not a JSON object with settings, such as {"tenant_id": "…"}.',
    )


def test_a_file_with_settings_that_may_not_be_read_is_named_with_the_reason() -> None:
    def load(name: str, type_: str = "str", /) -> object:
        raise PermissionError(13, "Permission denied", f"/symphony/{name}")

    with pytest.raises(ConfigurationMistakes) as found:
        trigger_values(load, {})
    assert found.value.mistakes == ("trigger_configuration cannot be read (Permission denied).",)
