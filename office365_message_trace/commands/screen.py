"""How findings and tables are shown: colours and wrapping on a terminal, plain lines elsewhere."""

import sys
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from office365_message_trace.commands.findings import Finding

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
    """One line with a coloured mark; ``text`` is never taken for markup."""
    return Text.assemble(
        (f"{mark:<8}", _STYLES.get(mark, "")), (f"{subject}: " if subject else "", "bold"), text
    )


def finding_line(finding: Finding) -> Text:
    return line(finding.level.value, finding.subject, finding.text)


def printable(value: object) -> str:
    """``value`` on one line and without control characters, which a stranger's subject may hold and
    a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def as_json(value: Any) -> str:
    """``value`` as indented JSON; dates in ISO 8601."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
