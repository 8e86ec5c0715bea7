"""``peek``: shows the rows that Microsoft has for a window, and which of them the trigger has forwarded."""

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from office365_message_trace import codec
from office365_message_trace.cli.configuration import Setup
from office365_message_trace.cli.window_reader import read_rows
from office365_message_trace.clock import Clock
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.formatting import count, moment
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.model import UNDATED, Fields, Log, Row, Window, instant
from office365_message_trace.untrusted_text import LONGEST_LINE, printable
from office365_message_trace.wiring import Wiring

_COLUMNS = {
    "Status": "Status",
    "From": "SenderAddress",
    "To": "RecipientAddress",
    "Subject": "Subject",
    "Trace id": "MessageTraceId",
}
"""Columns, and the field of the Reporting Web Service for each."""
_WIDTHS = {
    "Received (UTC)": (19, 19),
    "Forwarded": (9, 9),
    "Status": (13, 14),
    "From": (9, 40),
    "To": (9, 40),
    "Subject": (9, 60),
}
"""Least and most letters in the table's columns; the trace id is in JSON and CSV only."""
_GRAPH_NAMES = {"MessageTraceId": "id"}  # the others differ only in the case of their first letter
_FORMULA = re.compile(r"((?:^|;)[\"\s]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Places where a spreadsheet would start a formula: the start of a cell, or after a semicolon, which
separates cells where the comma is the decimal mark. The last four characters are full-width forms."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row; ``forwarded`` if the trigger's ledger has it."""

    row: Row
    forwarded: bool

    @property
    def fields(self) -> Fields:
        """The fields of the row, as deep as they are forwarded."""
        fields: Fields = codec.shallow(self.row.fields)
        return fields

    def cells(self) -> list[str]:
        known = self.fields
        fields = [_field(known, name) for name in _COLUMNS.values()]
        return [_received(self.row), *fields, "yes" if self.forwarded else "no"]


@dataclass(frozen=True, slots=True)
class View:
    """The contents of ``window``: ``seen`` are the rows to show, the numbers count all."""

    window: Window
    seen: list[Seen]
    statuses: Counter[str]
    forwarded: int
    requests: int

    @property
    def rows(self) -> int:
        return self.statuses.total()

    def show(self, console: Console) -> None:
        """Print a table, and the summary below it."""
        if self.seen:
            table = Table(box=None, pad_edge=False)
            for name, (least, most) in _WIDTHS.items():
                table.add_column(name, no_wrap=True, min_width=least, max_width=most)
            for each in self.seen:
                cells = dict(zip(_header(), each.cells(), strict=True))
                table.add_row(*(Text(printable(cells[name])) for name in _WIDTHS))
            console.print(table)
        for text in self.summary():
            console.print(Text(text))

    def summary(self) -> list[str]:
        """The numbers of rows by status, of forwarded rows, and of requests."""
        shown = f", {len(self.seen):,} shown" if len(self.seen) < self.rows else ""
        by_status = ", ".join(f"{n:,} {name}" for name, n in self.statuses.most_common())
        return [
            f"{count(self.rows, 'row')} received {self.window}{shown}"
            + (f": {by_status}" if by_status else ""),
            f"{self.forwarded:,} forwarded by the trigger, {self.rows - self.forwarded:,} not "
            f"(yet); {count(self.requests, 'request')} made.",
        ]

    def as_json(self) -> str:
        """The view as JSON in ASCII."""
        document = {
            "from": self.window.start.isoformat(),
            "to": self.window.end.isoformat(),
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "forwarded": self.forwarded,
            "requests": self.requests,
            "shown": [{"forwarded": each.forwarded, "row": each.fields} for each in self.seen],
        }
        return json.dumps(document, indent=2) + "\n"

    def as_csv(self) -> str:
        """The rows to show as CSV. Text that a spreadsheet would run as a formula, with commas or
        semicolons between cells, gets an apostrophe."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_header())
        for each in self.seen:
            writer.writerow(map(spreadsheet_cell, each.cells()))
        return text.getvalue()


def read_view(
    setup: Setup, data_path: Path, window: Window, limit: int | None, machine: Clock, log: Log
) -> View:
    """Read all of ``window``, oldest part first, and keep at most ``limit`` rows to show."""
    clock = MicrosoftClock(machine, log)
    parts = Wiring(setup.settings, setup.endpoints, data_path, clock, log, read_only=True)
    ledger = Ledger(parts.storage)
    seen: list[Seen] = []
    statuses: Counter[str] = Counter()
    forwarded = 0
    for batch in read_rows(parts.source(), window, clock, log):
        rows = list(batch.values())
        fresh = {id(row) for row in ledger.unseen(rows).values()}
        forwarded += len(rows) - len(fresh)
        found = [Seen(row, id(row) not in fresh) for row in rows]
        statuses.update(printable(_field(each.fields, "Status")) for each in found)
        room = len(rows) if limit is None else limit - len(seen)
        seen += found[: max(room, 0)]
    return View(window, seen, statuses, forwarded, parts.budget.granted)


def _header() -> list[str]:
    return ["Received (UTC)", *_COLUMNS, "Forwarded"]


def _field(fields: Fields, name: str) -> str:
    """A field by its name in the Reporting Web Service, for rows of either service."""
    graph = _GRAPH_NAMES.get(name, name[:1].lower() + name[1:])
    value = fields.get(name, fields.get(graph))
    return "" if value is None else str(value)


def _received(row: Row) -> str:
    if row.received == UNDATED:
        return "unknown"
    return moment(instant(row.received)).removesuffix(" UTC")


def spreadsheet_cell(text: str) -> str:
    """``text`` for a cell of a CSV file: printable, and no formula."""
    return _FORMULA.sub(r"\1'", printable(text, LONGEST_LINE))
