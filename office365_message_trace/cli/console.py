"""Prints findings and tables: with colours and wrapping on a terminal, else as plain lines."""

import json
import os
import select
import signal
import sys
from io import TextIOWrapper
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from office365_message_trace.checks.findings import Finding
from office365_message_trace.untrusted_text import LONGEST_LINE, printable

UNREAD = 128 + signal.SIGPIPE
"""Exit status if the reader of the output has gone, by shell convention."""

_WIDTH_OF_FILES = 240  # columns of tables that are not printed on a terminal
_MARK = 8  # letters before the text of a line; the longest mark has as many, and then a space
_BAD, _DOUBTFUL = "bold red3", "dark_orange3"
STYLES = {
    "ok": "green4",
    "info": "dim",
    "warning": _DOUBTFUL,
    "unknown": _DOUBTFUL,
    "failure": _BAD,
    "error": _BAD,
    "critical": _BAD,
}
"""The style of each level, to be read on a light background and on a dark one."""


class _Console(Console):
    """A console that ends the command when its output is no longer read."""

    def on_broken_pipe(self) -> None:
        _end_unread()


def output() -> Console:
    """The console for results; wraps lines only on a terminal."""
    return _console(sys.stdout.isatty(), stderr=False)


def messages() -> Console:
    """The console for everything else, so that results can be piped."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(terminal: bool, stderr: bool) -> Console:
    width = None if terminal else _WIDTH_OF_FILES
    return _Console(stderr=stderr, soft_wrap=not terminal, width=width, highlight=False)


def line(mark: str, subject: str, text: str) -> Text:
    """One line with a coloured mark; ``text`` is never interpreted as markup, and made printable."""
    subject = f"{printable(subject)}: " if subject else ""
    return Text.assemble(
        (f"{printable(mark):<{_MARK - 1}} ", STYLES.get(mark, "")),
        (subject, "bold"),
        printable(text, LONGEST_LINE),
    )


def print_line(console: Console, text: Text) -> None:
    """Print what `line` made; on a terminal, the text hangs at the right of its mark."""
    if not console.is_terminal:
        console.print(text)
        return
    hanging = Table.grid()
    hanging.add_column(width=_MARK)
    hanging.add_row(text[:_MARK], text[_MARK:])
    console.print(hanging)


def finding_line(finding: Finding) -> Text:
    return line(finding.level.value, finding.subject, finding.text)


def print_plain(text: str) -> None:
    """Print ``text`` unchanged, for a machine."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _end_unread()


def end_if_unread() -> None:
    """End the command if standard output is a pipe that nothing reads any more.

    A write would tell it, too, but the next one may be minutes away.
    """
    pipe = select.poll()
    pipe.register(sys.stdout.fileno(), 0)  # errors are always reported
    if any(event & select.POLLERR for _, event in pipe.poll(0)):
        _end_unread()


def _end_unread() -> NoReturn:
    """End the command, and discard buffered output that nothing will read."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(UNREAD)


def as_json(value: Any) -> str:
    """``value`` as indented JSON in ASCII, so that no terminal obeys it; dates in ISO 8601."""
    return json.dumps(orjson.loads(orjson.dumps(value)), indent=2) + "\n"


def replace_unknown_characters() -> None:
    """Print a question mark for what the encoding of a terminal or a file lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
