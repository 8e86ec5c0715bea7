"""``check --all`` and ``status --all``: many tenants at once, by a folder with a file of settings for each.

The tenant of ``contoso.json`` is ``contoso``, and so is the folder of its state in the storage.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from office365_message_trace.cli import check, status
from office365_message_trace.cli.checks.findings import Finding, Level, exit_status, failure
from office365_message_trace.cli.configuration import (
    Trigger,
    guessed_trigger,
    load_setup,
    settings_of,
)
from office365_message_trace.cli.console import as_json
from office365_message_trace.cli.formatting import count, span
from office365_message_trace.clock import Clock
from office365_message_trace.errors import ConfigurationMistakes, MessageTraceError, origin
from office365_message_trace.settings import MessageTraceSettings, parse
from office365_message_trace.storage.location import storage_at
from office365_message_trace.untrusted_text import LONGEST_LINE, printable

AT_ONCE = 8  # tenants; most of the time passes in waiting for answers

_LEVELS = {level.status: level.value for level in Level}
_STYLES = {0: "green", 1: "yellow", 2: "bold red"}
_NOTHING_READ = "the trigger has not run here, or its state is lost"
_NO_INTAKE = {
    "intake_key": "none",
    "intake_server": None,
}  # no command that reads the state needs one
_UNEXPECTED = "An unexpected fault ended the command. Report this to the maintainers of this module"


@dataclass(frozen=True, slots=True)
class Member:
    """A tenant by its name, and the file with its settings."""

    name: str
    file: Path


@dataclass(frozen=True, slots=True)
class Result:
    """How a tenant is: the exit status that it would have alone, in short, and for machines.

    ``behind`` is how far the first read is behind, if that is known.
    """

    name: str
    status: int
    text: str
    details: dict[str, Any]
    behind: timedelta | None = None

    @property
    def read(self) -> str:
        """How long ago the time was received up to which fresh mail is read; empty if unknown."""
        return "" if self.behind is None else f"{span(self.behind)} ago"

    @property
    def badness(self) -> tuple[int, timedelta]:
        return self.status, self.behind or timedelta(0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The results of all tenants, the worst and least fresh first."""

    results: tuple[Result, ...]

    @property
    def status(self) -> int:
        return max(each.status for each in self.results)

    def as_json(self) -> str:
        tenants = [
            {"tenant": each.name, "status": each.status, **each.details} for each in self.results
        ]
        return as_json({"status": self.status, "tenants": tenants})

    def show(self, console: Console) -> None:
        """Print a table, one line a tenant, and below it how many are in which state."""
        rows = [("Tenant", "State", "Read", "")]
        rows += [(each.name, _LEVELS[each.status], each.read, each.text) for each in self.results]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for number, row in enumerate(rows):
            style = _STYLES[self.results[number - 1].status] if number else "bold"
            name, state, read = (
                cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)
            )
            console.print(
                Text.assemble(f"{name}  ", (state, style), f"  {read}  {row[3]}".rstrip())
            )
        console.print(Text(self._summary()))

    def _summary(self) -> str:
        numbers = [(sum(each.status == n for each in self.results), n) for n in (2, 1, 0)]
        parts = [f"{_LEVELS[level]} {number:,}" for number, level in numbers if number]
        return f"{count(len(self.results), 'tenant')}: {', '.join(parts)}."


def check_all(
    folder: Path, trigger: Trigger | None, data_path: Path, new_clock: Callable[[], Clock]
) -> Fleet:
    """Check each tenant of ``folder``; sends no event."""

    def examined(member: Member) -> Result:
        clock = new_clock()
        which = _trigger_of(member, trigger, data_path)
        setup = load_setup(member.file, which, None, clock.now())
        found = list(check.examine(setup, data_path / member.name, clock, send_test_event=False))
        return _checked(member.name, found)

    return _of_all(folder, examined)


def read_all(
    folder: Path, trigger: Trigger | None, data_path: Path, new_clock: Callable[[], Clock]
) -> Fleet:
    """Read the state of each tenant of ``folder``; makes no requests but to the storage."""

    def read(member: Member) -> Result:
        base = _trigger_of(member, trigger, data_path).model.state_folder
        report = status.read_status(data_path / member.name, base, new_clock())
        return _reported(member.name, report, _usual_lag(member) or report.usual_lag)

    return _of_all(folder, read)


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


def _of_all(folder: Path, examined: Callable[[Member], Result]) -> Fleet:
    def result(member: Member) -> Result:
        try:
            return examined(member)
        except ConfigurationMistakes as problem:
            return _checked(
                member.name, [failure("configuration", each) for each in problem.mistakes]
            )
        except MessageTraceError as problem:
            return _checked(member.name, [failure("", str(problem))])
        except Exception as error:  # of one tenant, which must not hide the others
            return _checked(member.name, [failure("", f"{_UNEXPECTED}. [{origin(error)}]")])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(result, members(folder)))
    return Fleet(tuple(sorted(results, key=lambda each: each.badness, reverse=True)))


def _checked(name: str, findings: Sequence[Finding]) -> Result:
    """The result of a check: its worst findings in short."""
    worst = exit_status(findings)
    shown = [each for each in findings if each.level.status == worst] if worst else []
    text = " ".join(f"{each.subject}: {each.text}".removeprefix(": ") for each in shown)
    details = {"findings": [each.as_dict() for each in findings]}
    return Result(name, worst, printable(text, LONGEST_LINE), details)


def _reported(name: str, report: status.Status, usual_lag: timedelta) -> Result:
    coverage, details = report.coverage, report.as_dict()
    if coverage is None:
        return Result(name, Level.WARNING.status, _NOTHING_READ, details)
    behind = report.now - coverage.live
    late = bool(usual_lag) and behind > usual_lag
    worst = Level.WARNING if late or report.doubts else Level.OK
    details |= {"late": late, "usual_lag_seconds": usual_lag.total_seconds() or None}
    parts = [f"late: at most {span(usual_lag)} are usual"] if late else []
    return Result(name, worst.status, "; ".join([*parts, *_owed(report, late)]), details, behind)


def _owed(report: status.Status, late: bool) -> Iterator[str]:
    """What is owed or wrong in the state of a trigger that has run."""
    yield from report.doubts
    if backlog := report.backlog.length:
        yield f"{span(backlog)} of backlog"
    if report.coverage and (gaps := report.coverage.gaps):
        yield count(len(gaps), "gap")
    if late and report.activity.problems:
        yield report.activity.problems[-1].text


def _usual_lag(member: Member) -> timedelta:
    """The largest lag of a trigger with these settings while it works, even if secrets are missing; zero if
    the settings do not tell."""
    values = {**settings_of(member.file), **_NO_INTAKE}
    try:
        return parse(MessageTraceSettings, values).policy.usual_lag
    except ConfigurationMistakes:
        return timedelta(0)


def _trigger_of(member: Member, chosen: Trigger | None, data_path: Path) -> Trigger:
    """The trigger that the settings fit, else that whose state is there, else the ``chosen`` one."""
    values = settings_of(member.file)
    try:
        return guessed_trigger(values)
    except ConfigurationMistakes:
        storage = storage_at(data_path / member.name)
        choices = (Trigger.GRAPH, Trigger.OAUTH)
        stored = [each for each in choices if storage.names(each.model.state_folder)]
        if len(stored) == 1:
            return stored[0]
        if chosen:
            return chosen
        raise
