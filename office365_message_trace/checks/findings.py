"""Findings of ``check`` as values, independent of how they are printed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from office365_message_trace.formatting import count
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
    """One line: the subject of a step, and its result. A failure says who does what where.

    ``code`` is for machines: it stays when the text changes.
    """

    level: Level
    code: str
    subject: str
    text: str


def ok(subject: str, text: str) -> Finding:
    return _found(Level.OK, subject, "ok", text)


def warning(subject: str, kind: str, text: str) -> Finding:
    return _found(Level.WARNING, subject, kind, text)


def failure(subject: str, kind: str, text: str) -> Finding:
    return _found(Level.FAILURE, subject, kind, text)


def kind_of(problem: Exception) -> str:
    """The kind of a finding about ``problem``: ``throttled`` for `Throttled`."""
    return type(problem).__name__.lower()


def _found(level: Level, subject: str, kind: str, text: str) -> Finding:
    """A finding. ``text`` may quote a token or a certificate, so it is made printable."""
    code = f"{subject} {kind}".lower().replace(" ", "-")
    return Finding(level, code, subject, printable(text, LONGEST_LINE))


def without_contradictions(findings: Iterable[Finding]) -> list[Finding]:
    """``findings`` without those that are ok about a subject that others find fault with."""
    found = list(findings)
    faulty = {each.subject for each in found if each.level is not Level.OK}
    return [each for each in found if each.level is not Level.OK or each.subject not in faulty]


def summary(findings: Iterable[Finding]) -> str:
    """The end of a check: how many findings are of which level."""
    levels = Counter(each.level for each in findings)
    if levels[Level.FAILURE]:
        return (
            f"{count(levels[Level.FAILURE], 'failure')}, {count(levels[Level.WARNING], 'warning')}: "
            "no mail is forwarded until the failures are corrected."
        )
    if levels[Level.WARNING]:
        return f"{count(levels[Level.WARNING], 'warning')}, no failure: have a look."
    return f"All is well: {count(levels[Level.OK], 'finding')}, no warning, no failure."


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if all is well, 1 with warnings, 2 with failures."""
    return max((each.level.status for each in findings), default=0)
