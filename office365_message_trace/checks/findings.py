"""Findings of ``check`` as values, independent of how they are printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from office365_message_trace.untrusted_text import LONGEST_LINE, printable


class Level(Enum):
    """The severity of a finding; ``status`` is its exit status."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"

    @property
    def status(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: the subject of a step, and its result. A failure says who does what where."""

    level: Level
    subject: str
    text: str


def ok(subject: str, text: str) -> Finding:
    return _found(Level.OK, subject, text)


def warning(subject: str, text: str) -> Finding:
    return _found(Level.WARNING, subject, text)


def failure(subject: str, text: str) -> Finding:
    return _found(Level.FAILURE, subject, text)


def _found(level: Level, subject: str, text: str) -> Finding:
    """A finding. ``text`` may quote a token or a certificate, so it is made printable."""
    return Finding(level, subject, printable(text, LONGEST_LINE))


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if all is well, 1 with warnings, 2 with failures."""
    return max((each.level.status for each in findings), default=0)
