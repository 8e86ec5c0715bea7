"""``peek``: shows the rows that Microsoft has for a window, and which of them the trigger has forwarded."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from office365_message_trace import codec
from office365_message_trace.cli.configuration import Setup
from office365_message_trace.cli.tables import Column, fitted
from office365_message_trace.cli.window_reader import Period, read_rows, told_window
from office365_message_trace.clock import Clock
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.formatting import count
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.field_names import GRAPH, ORGANIZATION, REPORTING
from office365_message_trace.model import UNDATED, Fields, Log, Row, Window, instant
from office365_message_trace.untrusted_text import LONGEST_LINE, printable
from office365_message_trace.wiring import Wiring

_REPORTING_NAMES = dict(zip(GRAPH, REPORTING, strict=True))
_DOCUMENTED = (ORGANIZATION, *(name for name in REPORTING if name != REPORTING.received))
_TABLE = {
    "status": Column("Status", 14),
    "sender": Column("From"),
    "recipient": Column("To"),
    "from_ip": Column("From IP", 15, spared=True),
    "size": Column("Size", 5, "right", spared=True),
    "subject": Column("Subject"),
}
"""Fields of a row that the table shows."""
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
        return _fields(self.row)

    def cells(self, moment_format: str) -> list[str]:
        """The cells of the table."""
        cells = {name: _field(self.fields, name) for name in _TABLE}
        size = cells["size"]
        cells["size"] = (
            decimal(int(size), precision=0, separator="").replace(" bytes", "B")
            if size.isdecimal()
            else size
        )
        return [
            _received(self.row, moment_format),
            "yes" if self.forwarded else "no",
            *cells.values(),
        ]

    def all_fields(self) -> dict[str, str]:
        """Every field by its name in the Reporting Web Service, after the two of our own."""
        others = {_REPORTING_NAMES.get(name, name): value for name, value in self.fields.items()}
        return {
            "Received (UTC)": _received(self.row, "%Y-%m-%d %H:%M:%S"),
            "Forwarded": "yes" if self.forwarded else "no",
            **dict.fromkeys(_DOCUMENTED, ""),
            **{name: "" if value is None else str(value) for name, value in others.items()},
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows are shown: those whose fields contain all the texts of ``wanted``, in any case.

    The keys of ``wanted`` are names in `FieldNames`; an empty text chooses everything.
    """

    wanted: Mapping[str, str]

    def takes(self, row: Row) -> bool:
        fields = _fields(row)
        return all(text.lower() in _field(fields, key).lower() for key, text in self.wanted.items())


@dataclass(frozen=True, slots=True)
class View:
    """The contents of ``window``: ``seen`` are the rows to show, the numbers count all that were chosen,
    out of ``read`` rows."""

    window: Window
    read: int
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
            console.print(self._table(console.width))
        for text in self.summary():
            console.print(Text(text))

    def _table(self, width: int) -> Table:
        one_day = self.window.start.date() == self.window.end.date()
        time_format = "%H:%M:%S" if one_day else "%m-%d %H:%M"
        rows = [[printable(cell) for cell in each.cells(time_format)] for each in self.seen]
        return fitted([Column("Time", 11), Column("Fwd", 3), *_TABLE.values()], rows, width)

    def summary(self) -> list[str]:
        """The numbers of rows by status, of forwarded rows, and of requests."""
        shown = f", {len(self.seen):,} shown" if len(self.seen) < self.rows else ""
        by_status = ", ".join(f"{n:,} {name}" for name, n in self.statuses.most_common())
        chosen = f" of {self.read:,}" if self.rows < self.read else ""
        return [
            f"{count(self.rows, 'row')}{chosen} received {self.window}{shown}"
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
        rows = [each.all_fields() for each in self.seen]
        names = dict.fromkeys(name for row in rows for name in row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(names) or _header(), restval="", lineterminator="\n")
        writer.writerow({name: spreadsheet_cell(name) for name in writer.fieldnames})
        for row in rows:
            writer.writerow({name: spreadsheet_cell(value) for name, value in row.items()})
        return text.getvalue()


def read_view(
    setup: Setup,
    data_path: Path,
    period: Period,
    choice: Choice,
    limit: int | None,
    machine: Clock,
    log: Log,
) -> View:
    """Read all of ``period``, oldest part first, and keep at most ``limit`` of the chosen rows to show."""
    clock = MicrosoftClock(machine, log)
    parts = Wiring(setup.settings, setup.endpoints, data_path, clock, log, read_only=True)
    source, ledger = parts.source(), Ledger(parts.storage)
    window = told_window(period, parts.signer, clock)
    seen: list[Seen] = []
    statuses: Counter[str] = Counter()
    read = forwarded = 0
    for batch in read_rows(source, window, clock, log):
        read += len(batch)
        rows = [row for row in batch.values() if choice.takes(row)]
        fresh = {id(row) for row in ledger.unseen(rows).values()}
        forwarded += len(rows) - len(fresh)
        found = [Seen(row, id(row) not in fresh) for row in rows]
        statuses.update(printable(_field(each.fields, "status")) for each in found)
        room = len(rows) if limit is None else limit - len(seen)
        seen += found[: max(room, 0)]
    return View(window, read, seen, statuses, forwarded, parts.budget.granted)


def _fields(row: Row) -> Fields:
    fields: Fields = codec.shallow(row.fields)
    return fields


def _header() -> list[str]:
    return ["Received (UTC)", "Forwarded", *_DOCUMENTED]


def _field(fields: Fields, name: str) -> str:
    """The field that `FieldNames` calls ``name``, of a row of either service."""
    value = fields.get(getattr(REPORTING, name), fields.get(getattr(GRAPH, name)))
    return "" if value is None else str(value)


def _received(row: Row, moment_format: str) -> str:
    return "unknown" if row.received == UNDATED else f"{instant(row.received):{moment_format}}"


def spreadsheet_cell(text: str) -> str:
    """``text`` for a cell of a CSV file: printable, and no formula."""
    return _FORMULA.sub(r"\1'", printable(text, LONGEST_LINE))
