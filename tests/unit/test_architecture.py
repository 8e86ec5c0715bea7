"""Imports point down only, and time is asked for in one place."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "office365_message_trace"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
)

FLOORS = [
    {"__main__"},
    {"cli", "triggers", "playbook_actions", "account_validator"},
    {"actions", "checks"},
    {"wiring"},
    {"monitoring", "settings"},
    {"collect", "microsoft", "sekoia"},
    {"storage", "transport"},
    {"clock", "codec", "stopping", "time_arguments"},
    {"errors"},
    {"formatting"},
    {"files", "model", "packing", "seldom", "untrusted_text"},
]
"""Packages and single modules, from the top: each imports only from floors below its own."""

SDK = {
    "triggers",
    "playbook_actions",
    "account_validator",
    "monitoring.metrics",
    "sekoia.log",
    "sekoia.platform",
    "sekoia.task",
    "cli.configuration",
    "cli.application_settings",
}
PURE = {
    "errors",
    "untrusted_text",
    "model",
    "collect.coverage",
    "collect.claimed_history",
    "collect.window_sizes",
    "collect.window_width",
    "collect.progress",
    "codec",
    "transport.diagnosis",
    "collect.failed_windows",
    "collect.volatile_fields",
    "collect.freshness",
    "collect.gaps",
    "collect.large_messages",
    "collect.schedule",
    "collect.timetable",
    "microsoft.failures",
    "microsoft.paging.by_links",
    "microsoft.paging.by_time",
    "microsoft.paging.instant",
    "microsoft.paging.links",
    "microsoft.paging.one_page",
    "microsoft.paging.walk",
    "microsoft.rows",
    "sekoia.division",
    "sekoia.intake_verdict",
    "sekoia.rejected_events",
    "checks.findings",
    "seldom",
    "time_arguments",
    "checks.token",
    "formatting",
    "microsoft.dates",
    "microsoft.conditions",
    "actions.arguments",
    "actions.results",
    "actions.reading",
    "actions.search",
    "actions.recipients",
    "actions.details",
}
IO_LIBRARIES = {"requests", "msal", "botocore", "s3path", "sekoia_automation", "os", "threading"}


def source(module: str) -> str:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text()


def imports(module: str) -> set[str]:
    tree = ast.parse(source(module))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own(module: str) -> set[str]:
    prefix = "office365_message_trace."
    found = {name.removeprefix(prefix) for name in imports(module) if prefix in name}
    return found & set(MODULES)


def floor_of(module: str) -> int:
    (number,) = (n for n, floor in enumerate(FLOORS) if module.split(".", maxsplit=1)[0] in floor)
    return number


@pytest.mark.parametrize("module", [m for m in MODULES if m != "__init__"])
def test_imports_point_down(module: str) -> None:
    package = module.split(".", maxsplit=1)[0]
    others = [name for name in own(module) if name.split(".")[0] != package]
    assert [name for name in others if floor_of(name) <= floor_of(module)] == []


@pytest.mark.parametrize("package", [m for m in MODULES if m.endswith("__init__")])
def test_a_package_says_in_a_line_what_it_is_for(package: str) -> None:
    document = ast.get_docstring(ast.parse(source(package)))
    assert document
    assert "\n" not in document


def test_no_modules_import_each_other_in_a_circle() -> None:
    done: set[str] = set()
    waiting = {module: own(module) for module in MODULES}
    while ready := {module for module, needed in waiting.items() if needed <= done}:
        done |= ready
        waiting = {m: needed for m, needed in waiting.items() if m not in done}
    assert waiting == {}


@pytest.mark.parametrize("module", MODULES)
def test_the_sdk_is_used_at_the_edge_only(module: str) -> None:
    uses = any(name.split(".")[0] == "sekoia_automation" for name in imports(module))
    assert not uses or module in SDK


@pytest.mark.parametrize("module", sorted(PURE))
def test_the_core_does_no_io(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & IO_LIBRARIES


def test_the_transport_knows_neither_microsoft_nor_sekoia() -> None:
    texts = [source(module).lower() for module in MODULES if module.startswith("transport.")]
    assert not [text for text in texts if "office365_message_trace.microsoft" in text]


def test_time_passes_and_is_asked_for_in_the_clock_only() -> None:
    forbidden = ("time.sleep", "datetime.now", "time.time", "time.monotonic", "utcnow")
    users = {module for module in MODULES if any(word in source(module) for word in forbidden)}
    assert users == {"clock"}
