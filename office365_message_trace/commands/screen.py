"""How findings and tables are shown: colours and wrapping on a terminal, plain lines elsewhere."""

import sys
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from office365_message_trace.commands.findings import Finding
from office365_message_trace.foreign import LONGEST_LINE, printable

_WIDTH_OF_FILES = 240  # columns, for tables that are not shown on a terminal
_STYLES = {
    "ok": "green",
    "info": "dim",
    "warning": "yellow",
    "failure": "bold red",
    "error": "bold red",
    "critical": "bold red",
}


def output() -> Console:
    """Where results go; lines are not broken where they are not shown on a terminal."""
    return _console(sys.stdout.isatty(), stderr=False)


def messages() -> Console:
    """Where everything else goes, so that results can be piped."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(terminal: bool, stderr: bool) -> Console:
    width = None if terminal else _WIDTH_OF_FILES
    return Console(stderr=stderr, soft_wrap=not terminal, width=width, highlight=False)


def line(mark: str, subject: str, text: str) -> Text:
    """One line with a coloured mark; ``text`` is never taken for markup, and printed as far as it can be."""
    subject = f"{printable(subject)}: " if subject else ""
    return Text.assemble(
        (f"{printable(mark):<8}", _STYLES.get(mark, "")),
        (subject, "bold"),
        printable(text, LONGEST_LINE),
    )


def finding_line(finding: Finding) -> Text:
    return line(finding.level.value, finding.subject, finding.text)


def as_json(value: Any) -> str:
    """``value`` as indented JSON; dates in ISO 8601."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
