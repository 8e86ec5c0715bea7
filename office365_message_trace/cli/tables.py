"""Tables that fit the terminal: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

_NARROWEST = 10  # letters of a column that shares
_LEGIBLE = 18  # letters of a column that shares, for columns that can be spared to be shown


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its greatest width in letters; those without one (0) share what the others leave.

    What does not fit ends in an ellipsis, or with ``wraps`` continues on the next line. A column that can be
    ``spared`` is left out where the others would be too narrow to be read.
    """

    title: str
    most: int = 0
    side: JustifyMethod = "left"
    wraps: bool = False
    spared: bool = False


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A table of ``rows`` that takes at most ``width``, as long as the columns that share have ten letters each."""
    share = _share(columns, rows, width)
    if share < _LEGIBLE and any(column.spared for column in columns):
        kept = [number for number, column in enumerate(columns) if not column.spared]
        columns, rows = [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]
        share = _share(columns, rows, width)
    share = max(share, _NARROWEST)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column.title,
            no_wrap=not column.wraps,
            justify=column.side,
            max_width=column.most or share,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _share(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> int:
    """The letters for each column that shares."""
    titles = [column.title for column in columns]
    needed = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
    sharing = sum(not column.most for column in columns)
    taken = sum(min(n, column.most) for n, column in zip(needed, columns, strict=True))
    return (width - taken - len(columns) + 1) // max(sharing, 1)
