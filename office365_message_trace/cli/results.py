"""Prints the results of search, recipients and details: as a table, JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from office365_message_trace.actions.results import (
    DetailsResult,
    Event,
    Message,
    RecipientsResult,
    Result,
    Rows,
    SearchResult,
)
from office365_message_trace.checks.findings import Level
from office365_message_trace.cli.console import as_json, line, output, print_line, print_plain
from office365_message_trace.cli.peek import spreadsheet_cell
from office365_message_trace.cli.tables import Column, fitted
from office365_message_trace.formatting import count
from office365_message_trace.untrusted_text import printable

_MESSAGE = {
    "received": Column("Received (UTC)", 19),
    "status": Column("Status", 14),
    "sender": Column("From"),
    "recipient": Column("To"),
    "subject": Column("Subject"),
}
_COLUMNS: dict[type[Result], dict[str, Column]] = {
    SearchResult: _MESSAGE,
    RecipientsResult: {**_MESSAGE, "sender": Column("From", spared=True)},
    DetailsResult: {
        "date": Column("Date (UTC)", 24),
        "event": Column("Event", 14),
        "action": Column("Action", 8),
        "description": Column("Description", wraps=True),
    },
}
"""Fields that the tables show; the others are in JSON and CSV only."""


def show(result: Result, json: bool, as_csv: bool) -> int:
    """Print ``result``; returns the exit status, a warning if it is not complete."""
    if json:
        print_plain(as_json(result.model_dump()))
    elif as_csv:
        print_plain(_csv(*_entries(result)))
    else:
        _show_table(output(), result)
        for text in _summary(result):
            output().print(Text(text))
        for text in _missing(result):
            print_line(output(), line("warning", "", text))
    return (Level.OK if result.complete else Level.WARNING).status


def _entries(result: Result) -> tuple[type[BaseModel], Sequence[BaseModel]]:
    match result:
        case SearchResult(messages=messages):
            return Message, messages
        case RecipientsResult(recipients=recipients):
            return Message, recipients
        case DetailsResult(events=events):
            return Event, events
    raise TypeError(f"no table for {type(result).__name__}")


def _show_table(console: Console, result: Result) -> None:
    columns, (_, entries) = _COLUMNS[type(result)], _entries(result)
    rows = [[_cell(name, getattr(each, name)) for name in columns] for each in entries]
    if rows:
        console.print(fitted([*columns.values()], rows, console.width))


def _cell(name: str, value: str | None) -> str:
    """``value`` as the table shows it: a time of receipt to the second."""
    return printable(_to_the_second(value) if name == "received" and value else value)


def _to_the_second(time: str) -> str:
    return time[:19].replace("T", " ")


def _csv(kind: type[BaseModel], entries: Iterable[BaseModel]) -> str:
    """All fields of ``entries``; text that a spreadsheet would run as a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind.model_fields)
    for entry in entries:
        values = (getattr(entry, name) for name in kind.model_fields)
        writer.writerow(spreadsheet_cell("" if each is None else str(each)) for each in values)
    return text.getvalue()


def _summary(result: Result) -> list[str]:
    made = f"{count(result.requests, 'request')} made."
    match result:
        case SearchResult(messages=messages):
            shown = f", {len(messages):,} shown" if len(messages) < result.total else ""
            return [f"{count(result.total, 'message')} found{shown}{_statuses(result)}; {made}"]
        case RecipientsResult():
            of = f" of {count(len(result.message_ids), 'message')}"
            return [f"{count(result.total, 'recipient')}{of}{_statuses(result)}; {made}"]
        case DetailsResult(events=events):
            none = (
                ""
                if events or result.reason
                else ": Microsoft knows no such message for this recipient"
            )
            return [f"{count(len(events), 'event')}{none}; {made}"]
    return [made]


def _statuses(result: Rows) -> str:
    by_status = ", ".join(f"{n:,} {printable(name)}" for name, n in result.statuses.items())
    return f": {by_status}" if by_status else ""


def _missing(result: Result) -> list[str]:
    found = []
    if isinstance(result, Rows):
        found += [
            f"Not read: {_to_the_second(each.start)} to {_to_the_second(each.end)} UTC. {each.reason}"
            for each in result.missing
        ]
        if result.unmatched:
            found.append(
                f"Microsoft returned {count(result.unmatched, 'message')} that do not meet the "
                "conditions; they are left out."
            )
    if isinstance(result, DetailsResult) and result.reason:
        found.append(f"Not complete. {result.reason}")
    return found
