"""``check --all`` and ``status --all``: many tenants at once, by a folder with a file of settings for each.

The tenant of ``contoso.json`` is ``contoso``, and so is the folder of its state in the storage.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from office365_message_trace.checks.findings import (
    Finding,
    Level,
    exit_status,
    failure,
    kind_of,
)
from office365_message_trace.cli import check, status
from office365_message_trace.cli.configuration import Setup, known_settings, load_setup
from office365_message_trace.cli.console import STYLES, as_json
from office365_message_trace.cli.trigger_choice import (
    Trigger,
    chosen_trigger,
    stored_triggers,
)
from office365_message_trace.cli.verdict import Health
from office365_message_trace.clock import Clock
from office365_message_trace.errors import (
    ConfigurationMistakes,
    MessageTraceError,
    StorageFailed,
    origin,
)
from office365_message_trace.formatting import count
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.location import storage_at
from office365_message_trace.untrusted_text import LONGEST_LINE, printable

AT_ONCE = 8  # tenants; most of the time passes in waiting for answers

_BEST_FIRST = (0, 1, 3, 2)  # exit statuses; a trigger that has not run is worse than a warning
_UNEXPECTED = "An unexpected fault ended the command. Report this to the maintainers of this module"


@dataclass(frozen=True, slots=True)
class Member:
    """A tenant by its name, and the file with its settings."""

    name: str
    file: Path


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one tenant: its exit status, a summary, and the same for machines.

    ``behind`` is how far the first read is behind, if that is known.
    """

    name: str
    status: int
    text: str
    details: dict[str, Any]
    behind: timedelta = timedelta(0)

    @property
    def badness(self) -> tuple[int, timedelta]:
        return _BEST_FIRST.index(self.status), self.behind


@dataclass(frozen=True, slots=True)
class Fleet:
    """The results of all tenants, the worst and least fresh first; ``states`` names their statuses."""

    results: tuple[Result, ...]
    states: tuple[str, ...]

    @property
    def status(self) -> int:
        return self.results[0].status

    def as_json(self) -> str:
        tenants = [
            {"name": each.name, "status": each.status, **each.details} for each in self.results
        ]
        return as_json({"status": self.status, "tenants": tenants})

    def show(self, console: Console) -> None:
        """Print a table, one line a tenant, and below it how many are in which state."""
        names = max(len(each.name) for each in self.results)
        names, states = max(names, len("Tenant")), max(map(len, self.states))
        console.print(Text(f"{'Tenant'.ljust(names)}  State", "bold"))
        for each in self.results:
            name = self.states[each.status]
            state = name.ljust(states), STYLES[name]
            console.print(Text.assemble(f"{each.name.ljust(names)}  ", state, f"  {each.text}"))
        console.print(Text(self._summary()))

    def _summary(self) -> str:
        numbers = Counter(each.status for each in self.results)
        parts = [f"{self.states[n]} {numbers[n]:,}" for n in reversed(_BEST_FIRST) if numbers[n]]
        return f"{count(len(self.results), 'tenant')}: {', '.join(parts)}."


def check_all(
    folder: Path, trigger: Trigger | None, data_path: Path, new_clock: Callable[[], Clock]
) -> Fleet:
    """Check each tenant of ``folder``; sends no event."""

    def examined(member: Member) -> Result:
        clock, state = new_clock(), data_path / member.name
        values, _policy = known_settings(member.file)
        which = _trigger_of(values, storage_at(state), trigger)
        setup = load_setup(member.file, which, None, clock.now())
        found = list(check.examine(setup, state, clock, send_test_event=False))
        return _checked(member.name, found, setup)

    return _of_all(folder, examined, Level)


def read_all(
    folder: Path, trigger: Trigger | None, data_path: Path, new_clock: Callable[[], Clock]
) -> Fleet:
    """Read the state of each tenant of ``folder``; makes no requests but to the storage."""

    def read(member: Member) -> Result:
        state = data_path / member.name
        values, policy = known_settings(member.file)
        storage, which = storage_at(state), trigger or Trigger.GRAPH
        if stored_triggers(storage):  # without any state, the verdict on each is the same
            which = _trigger_of(values, storage, trigger)
        report = status.read_status(state, which.model.state_folder, policy, new_clock())
        verdict = report.facts.verdict()
        return Result(
            member.name,
            verdict.health.status,
            verdict.text,
            {"trigger": which.value, **report.as_dict()},
            report.now - report.coverage.live if report.coverage else timedelta(0),
        )

    return _of_all(folder, read, Health)


def members(folder: Path) -> list[Member]:
    """The tenants of ``folder``. Raises `ConfigurationMistakes` if there are none."""
    try:
        files = sorted(each for each in folder.iterdir() if each.suffix == ".json")
    except OSError as error:
        raise ConfigurationMistakes([f"{folder} cannot be read ({error.strerror})."]) from None
    if not files:
        raise ConfigurationMistakes(
            [f"{folder} holds no settings; enter a file such as contoso.json for each tenant."]
        )
    return [Member(printable(each.stem), each) for each in files]


def _of_all(
    folder: Path, examined: Callable[[Member], Result], levels: type[Level] | type[Health]
) -> Fleet:
    def result(member: Member) -> Result:
        try:
            return examined(member)
        except Exception as error:  # of one tenant, which must not hide the others
            return _checked(member.name, _failures(error), None)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(result, members(folder)))
    worst_first = sorted(results, key=lambda each: each.badness, reverse=True)
    return Fleet(tuple(worst_first), tuple(each.value for each in levels))


def _failures(error: Exception) -> list[Finding]:
    """Findings for an error that ended the examination of a tenant."""
    if isinstance(error, ConfigurationMistakes):
        return [failure("configuration", "mistake", each) for each in error.mistakes]
    if isinstance(error, MessageTraceError):
        subject = "storage" if isinstance(error, StorageFailed) else "state"
        return [failure(subject, kind_of(error), str(error))]
    return [failure("fault", "unexpected", f"{_UNEXPECTED}. [{origin(error)}]")]


def _checked(name: str, findings: Sequence[Finding], setup: Setup | None) -> Result:
    """The result of a check: its worst findings in short."""
    worst = exit_status(findings)
    shown = [each for each in findings if each.level.status == worst] if worst else []
    text = " ".join(f"{each.subject}: {each.text}" for each in shown)
    return Result(name, worst, printable(text, LONGEST_LINE), check.report(setup, findings))


def _trigger_of(values: Mapping[str, Any], storage: Storage, chosen: Trigger | None) -> Trigger:
    """The trigger that the settings or the state tell, else the ``chosen`` one."""
    try:
        return chosen_trigger(values, storage)
    except ConfigurationMistakes:
        if chosen is None:
            raise
        return chosen
