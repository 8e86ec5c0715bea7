"""The dependencies are written in four files: they agree, they are pinned, and they name no address."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))
RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"


class Pin(NamedTuple):
    """One line of a requirements file."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def key(self) -> tuple[str, str]:
        """Name and version; the same name is there twice where it depends on the Python."""
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "==", self.requirement
        return canonicalize_name(self.requirement.name), specifier.version


def logical_lines(name: str) -> list[str]:
    joined = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


def pins(name: str) -> list[Pin]:
    found = []
    for line in logical_lines(name):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        found.append(Pin(Requirement(requirement), frozenset(hashes)))
    return found


def locked() -> dict[tuple[str, str], frozenset[str]]:
    """Hashes of every locked name and version."""
    return {
        (canonicalize_name(package["name"]), package["version"]): frozenset(
            file["hash"] for file in package["files"]
        )
        for package in LOCK["package"]
    }


def runtime_dependencies() -> dict[str, SpecifierSet]:
    requirements = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    return {canonicalize_name(each.name): each.specifier for each in requirements}


def development_dependencies() -> dict[str, SpecifierSet]:
    group: dict[str, Any] = PYPROJECT["tool"]["poetry"]["group"]["dev"]["dependencies"]
    return {
        canonicalize_name(name): SpecifierSet(spec["version"] if isinstance(spec, dict) else spec)
        for name, spec in group.items()
    }


@pytest.mark.parametrize(
    ("name", "specifier"),
    (runtime_dependencies() | development_dependencies()).items(),
    ids=str,
)
def test_lock_holds_a_version_that_pyproject_accepts(name: str, specifier: SpecifierSet) -> None:
    versions = [version for locked_name, version in locked() if locked_name == name]
    assert versions, f"{name} is not locked: run `make lock`"
    assert all(specifier.contains(version) for version in versions), versions


def test_every_runtime_dependency_has_both_bounds() -> None:
    for name, specifier in runtime_dependencies().items():
        assert {each.operator for each in specifier} == {">=", "<"}, name


def test_lock_was_made_for_the_pythons_of_pyproject() -> None:
    assert LOCK["metadata"]["python-versions"] == PYPROJECT["project"]["requires-python"]


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_requirements_pin_the_versions_and_hashes_of_the_lock(name: str) -> None:
    lock = locked()
    assert pins(name), name
    for pin in pins(name):
        assert pin.hashes == lock[pin.key], f"{pin.key}: run `make lock`"


def test_development_adds_to_the_runtime_and_changes_nothing_of_it() -> None:
    development = {pin.key: str(pin.requirement.marker) for pin in pins(DEVELOPMENT)}
    for pin in pins(RUNTIME):
        assert development[pin.key] == str(pin.requirement.marker)


@pytest.mark.parametrize(
    ("name", "direct"),
    [
        (RUNTIME, runtime_dependencies()),
        (DEVELOPMENT, runtime_dependencies() | development_dependencies()),
    ],
    ids=[RUNTIME, DEVELOPMENT],
)
def test_requirements_hold_every_direct_dependency(name: str, direct: dict[str, object]) -> None:
    assert set(direct) <= {pin.key[0] for pin in pins(name)}


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_requirements_pin_each_name_once_for_a_python(name: str, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    versions = defaultdict(set)
    for pin in pins(name):
        if pin.requirement.marker is None or pin.requirement.marker.evaluate(environment):
            versions[pin.key[0]].add(pin.key[1])
    assert versions
    assert [each for each, found in versions.items() if len(found) > 1] == []


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_requirements_name_no_address(name: str) -> None:
    for line in logical_lines(name):
        assert "://" not in line
        assert not line.startswith("-"), "an option, such as an index"
        assert Requirement(line.partition(" --hash=")[0]).url is None


def test_lock_names_no_address() -> None:
    for package in LOCK["package"]:
        assert "source" not in package, package["name"]
        for file in package["files"]:
            assert set(file) == {"file", "hash"}, package["name"]
            assert "/" not in file["file"]


def test_module_imports_only_what_pyproject_declares() -> None:
    declared = set(runtime_dependencies())
    distributions = packages_distributions()
    own = {"office365_message_trace"}
    for path in [ROOT / "main.py", *(ROOT / "office365_message_trace").rglob("*.py")]:
        for name in imported(path) - own - sys.stdlib_module_names:
            providers = {canonicalize_name(each) for each in distributions[name]}
            assert providers & declared, f"{path.name} imports {name}"


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^]]*)\]", changelog, flags=re.MULTILINE)
    manifest = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    assert newest
    assert newest[1] == manifest["version"] == PYPROJECT["project"]["version"]


def test_make_installs_the_development_pins_by_hash_and_again_when_they_change() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    rule = re.search(r"^\$\(READY\):(?P<needs>.*)\n(?P<recipe>(?:\t.*\n)+)", makefile, re.MULTILINE)
    assert rule
    assert set(rule["needs"].split()) == {RUNTIME, DEVELOPMENT}
    (install,) = re.findall(r"pip install (.*)", rule["recipe"])
    assert {"--require-hashes", "--no-deps"} <= set(install.split())
    assert install.split()[-2:] == ["-r", DEVELOPMENT]
    assert re.search(r"\n\t.* pip .*check\n", rule["recipe"]), "what pip did not resolve is checked"
    assert rule["recipe"].rstrip().endswith("touch $@"), "the stamp comes last"


ENTRY = ROOT / "office365_message_trace" / "message-trace"


def test_the_entry_finds_the_code_and_the_python_by_its_own_place(tmp_path: Path) -> None:
    """As `make` and the image link it: next to a Python, and called from anywhere."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "bin" / ENTRY.name).symlink_to(ENTRY)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "typer.py").write_text("raise SystemExit('not the one of the environment')")
    for command in ([ENTRY.name], [str(tmp_path / "bin" / ENTRY.name)]):
        ended = subprocess.run(
            [*command, "--version"],
            cwd=elsewhere,
            env={**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stdout == f"message-trace {PYPROJECT['project']['version']}\n"


def test_make_and_the_image_link_the_entry_next_to_their_python() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "ENTRY := $(BIN)/message-trace\n" in makefile
    (target,) = re.findall(
        r"^\$\(ENTRY\): \$\(READY\)\n\t@ln -sf (\S+) \$@$", makefile, re.MULTILINE
    )
    assert os.path.normpath(ROOT / ".venv" / "bin" / target) == str(ENTRY)
    (link,) = [step for step in dockerfile_steps("RUN") if step.startswith("ln ")]
    assert link.split()[-2:] == [f"/app/{ENTRY.relative_to(ROOT)}", "/usr/local/bin/"]
    assert os.access(ENTRY, os.X_OK)


def dockerfile_steps(instruction: str) -> list[str]:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{instruction} (.*)", dockerfile, flags=re.MULTILINE)


def test_image_installs_the_runtime_pins_by_hash_and_nothing_else() -> None:
    (step,) = [step for step in dockerfile_steps("RUN") if "pip" in step]
    install, check = step.split(" && ")
    assert {"--require-hashes", "--no-deps", "--no-cache-dir"} <= set(install.split())
    assert install.split()[-2:] == ["-r", RUNTIME]
    assert check == "pip check", "what pip did not resolve is checked"
    assert not [step for step in dockerfile_steps("RUN") if "apt" in step]


def test_image_has_the_oldest_python_of_pyproject_and_a_digest_if_the_release_is_pinned() -> None:
    (base,) = dockerfile_steps("ARG")
    assert dockerfile_steps("FROM") == ["$BASE"]
    pinned = r"BASE=python:(3\.\d+)(-slim|\.\d+-slim@sha256:[0-9a-f]{64})"
    python = re.fullmatch(pinned, base)
    assert python, base
    assert PYPROJECT["project"]["requires-python"].startswith(f">={python[1]}")


def test_image_holds_the_module_and_its_manifests_only() -> None:
    patterns = [pattern for step in dockerfile_steps("COPY") for pattern in step.split()[:-1]]
    copied = {path.name for pattern in patterns for path in ROOT.glob(pattern)}
    manifests = {path.name for path in ROOT.glob("*.json")}
    assert copied == manifests | {RUNTIME, "main.py", "logo.png", "office365_message_trace"}

    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line[:1] == "!"} == {
        pattern.removeprefix("./") for pattern in patterns
    }


def test_image_runs_the_module_without_privileges_and_takes_the_trigger_as_argument() -> None:
    assert dockerfile_steps("ENTRYPOINT") == ['["python", "./main.py"]']
    assert dockerfile_steps("CMD") == []
    (user,) = dockerfile_steps("USER")
    assert user not in {"root", "0"}
