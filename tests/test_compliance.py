"""What the platform's automation library asks of a module, so that its own check finds nothing to say."""

from __future__ import annotations

import ast
import json
import re
import struct
import zlib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parents[1]
TRIGGERS = sorted(path.name for path in ROOT.glob("trigger_*.json"))
CONNECTORS = sorted(path.name for path in ROOT.glob("connector_*.json"))
ACTIONS = sorted(path.name for path in ROOT.glob("action_*.json"))
MANIFESTS = ["manifest.json", *TRIGGERS, *CONNECTORS, *ACTIONS]

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def manifest(name: str) -> dict[str, Any]:
    loaded = json.loads(text(name))
    assert isinstance(loaded, dict)
    return loaded


def docker_parameters() -> set[str]:
    return {manifest(name)["docker_parameters"] for name in [*TRIGGERS, *CONNECTORS, *ACTIONS]}


# --- Changelog ---------------------------------------------------------------------------------


def changelog_versions() -> list[tuple[str, str]]:
    """The heading and the body of every version, in the order of the file."""
    _, *parts = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def test_changelog_starts_with_its_only_title() -> None:
    lines = text("CHANGELOG.md").splitlines()
    assert lines[0] == "# Changelog"
    assert [line for line in lines if line.startswith("# ")] == ["# Changelog"]


@pytest.mark.parametrize(
    "sentence",
    [
        "All notable changes to this project will be documented in this file.",
        "The format is based on [Keep a Changelog](https://keepachangelog.com/en/1.0.0/), and this"
        " project adheres to [Semantic Versioning](https://semver.org/spec/v2.0.0.html).",
    ],
    ids=["what it is", "what format it has"],
)
def test_changelog_says_before_the_first_version(sentence: str) -> None:
    header = text("CHANGELOG.md").partition("\n## ")[0]
    assert sentence in header.replace("\n", " ")


def test_changelog_versions_are_dated_and_descend() -> None:
    headings = [heading for heading, _ in changelog_versions()]
    assert headings, "no version in the changelog"
    released = [heading for heading in headings if "unreleased" not in heading.lower()]
    assert released == headings[-len(released) :], "Unreleased comes before every release"
    versions = []
    for heading in released:
        found = re.fullmatch(rf"\[({SEMVER.pattern})\] - (\d{{4}}-\d{{2}}-\d{{2}})", heading)
        assert found, heading
        date.fromisoformat(found[5])
        versions.append(tuple(int(part) for part in found.group(2, 3, 4)))
    assert versions == sorted(set(versions), reverse=True)


def test_changelog_text_stands_under_the_known_sections_only() -> None:
    for heading, body in changelog_versions():
        before, *sections = re.split(r"^### ", body, flags=re.MULTILINE)
        assert not before.strip(), f"text outside of a section in {heading}"
        titles = [section.partition("\n")[0].strip() for section in sections]
        assert set(titles) <= SECTIONS, heading
        assert len(titles) == len(set(titles)), f"a section is there twice in {heading}"


# --- Manifests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_is_formatted_as_the_platform_writes_it(name: str) -> None:
    assert text(name) == json.dumps(json.loads(text(name)), indent=2)


def test_module_manifest_is_complete() -> None:
    module = manifest("manifest.json")
    UUID(module["uuid"])
    assert module["name"]
    assert module["description"]
    assert re.fullmatch(r"[a-z]([a-z_.\-]|\d)*", module["slug"])
    assert module["slug"] != "office365", "taken by another module of the platform"
    assert SEMVER.fullmatch(module["version"])
    assert module["categories"] == ["Email"]
    Draft7Validator.check_schema(module["configuration"])
    assert module["configuration"]["type"] == "object"


@pytest.mark.parametrize("name", [*TRIGGERS, *CONNECTORS, *ACTIONS])
def test_manifest_of_an_item_is_complete(name: str) -> None:
    item = manifest(name)
    UUID(item["uuid"])
    for key in ("name", "description", "docker_parameters"):
        assert isinstance(item[key], str), key
        assert item[key], key
    assert item["arguments"]["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert item["arguments"]["type"] == "object"
    Draft7Validator.check_schema(item["arguments"])
    if name not in CONNECTORS:
        assert isinstance(item["results"], dict)
        Draft7Validator.check_schema(item["results"])


@pytest.mark.parametrize("name", [*TRIGGERS, *CONNECTORS])
def test_arguments_explain_themselves(name: str) -> None:
    arguments = manifest(name)["arguments"]
    properties = arguments["properties"]
    assert set(arguments["required"]) <= set(properties)
    assert set(arguments["secrets"]) <= set(properties)
    for key, schema in properties.items():
        assert schema["title"], key
        assert schema["description"], key
        if schema["type"] == "integer":
            assert schema["minimum"] <= schema["default"] <= schema["maximum"], key
        else:
            assert schema["type"] == "string", key


@pytest.mark.parametrize("name", CONNECTORS)
def test_connector_is_the_twin_of_its_trigger(name: str) -> None:
    twin = manifest(name.replace("connector_", "trigger_", 1))
    del twin["results"]
    assert manifest(name) == twin


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_has_the_arguments_that_the_platform_fills_in(name: str) -> None:
    arguments = manifest(name)["arguments"]
    assert "intake_key" in arguments["required"]
    assert "intake_server" in arguments["properties"]


def test_every_trigger_has_a_connector_and_every_connector_a_trigger() -> None:
    assert TRIGGERS, "no trigger at all"
    assert [name.removeprefix("trigger_") for name in TRIGGERS] == [
        name.removeprefix("connector_") for name in CONNECTORS
    ]


def test_no_two_items_share_a_uuid_or_docker_parameters() -> None:
    items = [*TRIGGERS, *ACTIONS]
    for key, names in (("uuid", ["manifest.json", *items]), ("docker_parameters", items)):
        repeated = [v for v, n in Counter(manifest(name)[key] for name in names).items() if n > 1]
        assert not repeated, key


# --- main.py -----------------------------------------------------------------------------------


def test_main_registers_exactly_the_items_of_the_manifests() -> None:
    """The check reads `module.register(Class, "docker_parameters")` without running it."""
    tree = ast.parse(text("main.py"))
    assigned = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "module" in assigned

    registered = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "module.register"):
            continue
        assert not node.keywords, ast.unparse(node)
        item, parameters = node.args
        assert isinstance(item, ast.Name), ast.unparse(node)
        assert isinstance(parameters, ast.Constant), ast.unparse(node)
        registered.append(str(parameters.value))
    assert sorted(registered) == sorted(docker_parameters())


def test_a_module_that_supports_validation_registers_an_account_validator() -> None:
    module = manifest("manifest.json")
    assert module["supports_validation"] is True
    assert "module.register_account_validator(" in text("main.py")
    assert set(module["configuration"]["secrets"]) <= set(module["configuration"]["properties"])
    assert module["configuration"]["required"] == [], "the module's configuration is optional"


# --- Logo --------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of every chunk, their checksums compared."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        chunks.append((kind, content))
        at += length + 12
    return chunks


def test_logo_is_a_square_png_of_at_most_50_kib_with_a_transparent_background() -> None:
    data = (ROOT / "logo.png").read_bytes()
    assert len(data) <= 50 * 1024
    chunks = png_chunks(data)
    kind, header = chunks[0]
    assert kind == b"IHDR"
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    assert width == height
    assert (depth, colour) == (8, 6), "eight bits each of red, green, blue and alpha"
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    # One byte names the first row's filter, and none of the filters changes the first pixel.
    assert pixels[4] == 0, "the first pixel's alpha"


# --- What else has to be there -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["pyproject.toml", "poetry.lock", "Dockerfile", "main.py"])
def test_file_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_there_are_tests() -> None:
    assert list((ROOT / "tests").rglob("test_*.py"))
