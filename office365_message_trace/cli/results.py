"""Prints the results of search, recipients and details: as a table, JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
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
from office365_message_trace.cli.console import as_json, line, output, print_plain
from office365_message_trace.cli.peek import spreadsheet_cell
from office365_message_trace.formatting import count
from office365_message_trace.untrusted_text import printable

_COLUMNS: dict[type[BaseModel], dict[str, tuple[str, int, int]]] = {
    Message: {
        "received": ("Received (UTC)", 19, 24),
        "status": ("Status", 13, 14),
        "sender": ("From", 9, 40),
        "recipient": ("To", 9, 40),
        "subject": ("Subject", 9, 60),
    },
    Event: {
        "date": ("Date (UTC)", 19, 24),
        "event": ("Event", 9, 20),
        "action": ("Action", 6, 20),
        "description": ("Description", 20, 120),
    },
}
"""Columns of the tables, with the least and the most letters; the other fields are in JSON and CSV only."""


def show(result: Result, json: bool, as_csv: bool) -> int:
    """Print ``result``; returns the exit status, a warning if it is not complete."""
    if json:
        print_plain(as_json(result.model_dump()))
    elif as_csv:
        print_plain(_csv(*_entries(result)))
    else:
        _show_table(output(), *_entries(result))
        for text in _summary(result):
            output().print(Text(text))
        for text in _missing(result):
            output().print(line("warning", "", text))
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


def _show_table(console: Console, kind: type[BaseModel], entries: Iterable[BaseModel]) -> None:
    table = Table(box=None, pad_edge=False)
    columns = _COLUMNS[kind]
    for title, least, most in columns.values():
        table.add_column(title, no_wrap=True, min_width=least, max_width=most)
    for entry in entries:
        table.add_row(*(Text(printable(getattr(entry, name))) for name in columns))
    if table.row_count:
        console.print(table)


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
            return [f"{count(len(events), 'event')}; {made}"]
    return [made]


def _statuses(result: Rows) -> str:
    by_status = ", ".join(f"{n:,} {printable(name)}" for name, n in result.statuses.items())
    return f": {by_status}" if by_status else ""


def _missing(result: Result) -> list[str]:
    found = []
    if isinstance(result, Rows):
        found += [f"Not read: {m.start} to {m.end}. {m.reason}" for m in result.missing]
        if result.unmatched:
            found.append(
                f"Microsoft returned {count(result.unmatched, 'message')} that do not meet the "
                "conditions; they are left out."
            )
    if isinstance(result, DetailsResult) and result.reason:
        found.append(f"Not complete. {result.reason}")
    return found
