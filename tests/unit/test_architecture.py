"""Imports point down only, and time is asked for in one place."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "office365_message_trace"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
)

# What each module may import of the package; who is not listed here fails the test.
LAYERS = [
    {"commands.times", "foreign", "model"},
    {
        "catchup",
        "collect.large_messages",
        "commands.findings",
        "commands.words",
        "errors",
        "files",
        "microsoft.dates",
        "monitoring.error_reports",
        "monitoring.server",
        "pace",
        "packing",
    },
    {
        "clock",
        "codec",
        "commands.interrupts",
        "coverage",
        "credentials",
        "diagnosis",
        "sekoia.intake_formats",
        "stopping",
        "storage",
    },
    {
        "collect.failed_windows",
        "collect.freshness",
        "collect.gaps",
        "collect.schedule",
        "collect.tenants",
        "collect.timetable",
        "endpoints",
        "entra",
        "ledger",
        "microsoft.clock",
        "microsoft.failures",
        "microsoft.paging",
        "microsoft.rows",
        "quota",
        "session",
        "state",
        "transport",
    },
    {"sekoia.intake_verdict", "sekoia.playbook", "sekoia.rejected_events"},
    {"sekoia.division"},
    {"collect.flicker", "collect.ownership", "journal", "metering"},
    {
        "auth",
        "pusher",
        "odata",
        "graph",
        "reporting",
        "resume",
        "settings",
        "telemetry",
        "collector",
    },
    {"assembly", "provided"},
    {"triggers", "commands.screen", "commands.token"},
    {
        "commands.access",
        "commands.intake",
        "commands.keeping",
        "commands.network",
        "commands.reading",
        "commands.setup",
        "commands.status",
    },
    {"commands.check", "commands.peek", "commands.replay"},
    {"commands.line"},
    {"__main__"},
]
SDK = {"triggers", "telemetry", "provided", "commands.setup"}
PURE = {
    "errors",
    "foreign",
    "model",
    "coverage",
    "pace",
    "catchup",
    "codec",
    "diagnosis",
    "collect.failed_windows",
    "collect.flicker",
    "collect.freshness",
    "collect.gaps",
    "collect.large_messages",
    "collect.schedule",
    "collect.timetable",
    "microsoft.failures",
    "microsoft.paging",
    "microsoft.rows",
    "sekoia.division",
    "sekoia.intake_verdict",
    "sekoia.rejected_events",
    "commands.findings",
    "commands.times",
    "commands.token",
    "commands.words",
    "microsoft.dates",
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


def layer_of(module: str) -> int:
    (number,) = (n for n, layer in enumerate(LAYERS) if module in layer)
    return number


@pytest.mark.parametrize("module", [m for m in MODULES if "__init__" not in m])
def test_imports_point_down(module: str) -> None:
    assert all(layer_of(other) <= layer_of(module) for other in own(module))


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


def test_the_collector_knows_no_http_and_no_sdk() -> None:
    assert own("collector") <= {
        "clock",
        "collect.flicker",
        "coverage",
        "errors",
        "ledger",
        "model",
        "catchup",
        "collect.failed_windows",
        "collect.gaps",
        "collect.large_messages",
        "collect.schedule",
        "collect.timetable",
        "foreign",
        "pace",
        "quota",
        "state",
    }


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("commands.")])
def test_nothing_of_the_collector_needs_the_command_line(module: str) -> None:
    assert module == "__main__" or not any(name.startswith("commands.") for name in own(module))


def test_time_passes_and_is_asked_for_in_the_clock_only() -> None:
    forbidden = ("time.sleep", "datetime.now", "time.time", "time.monotonic", "utcnow")
    users = {module for module in MODULES if any(word in source(module) for word in forbidden)}
    assert users == {"clock"}
