"""Compares what a tenant's API showed with what an intake accepted.

Shares no code with the collector: it has its own idea of what makes two events the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import from_ms, to_ms
from sandbox.event_formats import REPORTING, Form
from sandbox.rows import Version


@dataclass
class Report:
    """The outcome. `ok` means that nothing is missing, repeated, unknown or unreadable."""

    rows: int = 0
    versions: int = 0
    events: int = 0
    missing: list[Version] = field(default_factory=list)
    """Versions that no event carries, even those that were soon replaced by another."""
    missing_last: list[Version] = field(default_factory=list)
    """Among them, those that were the last word on their row."""
    missing_rows: list[Version] = field(default_factory=list)
    """Last versions of rows of which no version at all arrived."""
    not_owed: int = 0
    """Versions that were shown later than `lookback` after receipt and did not arrive."""
    repeated: list[str] = field(default_factory=list)
    """Events that came again: one entry for each time after the first."""
    unknown: list[str] = field(default_factory=list)
    """Events that no version of the tenant explains."""
    unreadable: list[str] = field(default_factory=list)
    """Events that are not a JSON object of one line with the documented fields."""

    @property
    def complete(self) -> bool:
        """Nothing is lost: every row arrived, with its last version."""
        return not self.missing_last and not self.unreadable

    @property
    def ok(self) -> bool:
        """Complete, with every event known and none of them twice."""
        return self.complete and not (self.repeated or self.unknown)

    def __str__(self) -> str:
        """One line of numbers, without any content of the events."""
        return (
            f"rows {self.rows}, versions {self.versions}, events {self.events}, "
            f"missing rows {len(self.missing_rows)}, missing last {len(self.missing_last)}, "
            f"missing versions {len(self.missing)}, not owed {self.not_owed}, "
            f"repeated {len(self.repeated)}, unknown {len(self.unknown)}, "
            f"unreadable {len(self.unreadable)}"
        )


def check(
    versions: Iterable[Version],
    events: Iterable[str],
    *,
    lookback: timedelta | None = None,
    form: Form = REPORTING,
) -> Report:
    """Compare versions (of `Tenant.versions`) with event texts of a form.

    With `lookback`, a version first shown more than that after its message was received is not
    expected, though it may arrive.
    """
    report = Report()
    arrived: Counter[str] = Counter()
    identities: set[tuple[Any, ...]] = set()
    unexplained: dict[tuple[Any, ...], list[str]] = {}
    for text in events:
        report.events += 1
        event = form.read(text)
        if event is None:
            report.unreadable.append(text)
            continue
        content = json.dumps(event, sort_keys=True)
        arrived[content] += 1
        if arrived[content] > 1:
            report.repeated.append(text)
        identity = tuple(event[name] for name in form.fields)
        if identity not in identities:
            identities.add(identity)
            unexplained[identity] = []
        unexplained[identity].append(text)
    _compare(report, versions, form, identities, unexplained, lookback)
    return report


def _compare(
    report: Report,
    versions: Iterable[Version],
    form: Form,
    identities: set[tuple[Any, ...]],
    unexplained: dict[tuple[Any, ...], list[str]],
    lookback: timedelta | None,
) -> None:
    owed: dict[tuple[str, str], Version] = {}
    came: set[tuple[str, str]] = set()
    rows: set[tuple[str, str]] = set()
    for version in versions:
        report.versions += 1
        rows.add(version.row)
        identity = form.identity(version.content)
        unexplained.pop(identity, None)
        if identity in identities:
            came.add(version.row)
            owed.pop(version.row, None)
        elif lookback is not None and version.visible_at - version.received > lookback:
            report.not_owed += 1
        else:
            report.missing.append(version)
            owed[version.row] = version
    report.rows = len(rows)
    report.missing_last = list(owed.values())
    report.missing_rows = [version for version in owed.values() if version.row not in came]
    report.unknown = [text for texts in unexplained.values() for text in texts]


def delays(
    versions: Iterable[Version],
    accepted: Iterable[tuple[str, datetime]],
    *,
    form: Form = REPORTING,
) -> list[tuple[Version, timedelta]]:
    """For each version that arrived: how long after receipt it did, in the order of `versions`.

    `accepted` pairs event texts with their arrival; the first arrival of a content counts.
    """
    first: dict[tuple[Any, ...], int] = {}
    for text, arrived in accepted:
        event = form.read(text)
        if event is not None:
            first.setdefault(tuple(event[name] for name in form.fields), to_ms(arrived))
    found = []
    for version in versions:
        arrived_ms = first.get(form.identity(version.content))
        if arrived_ms is not None:
            found.append((version, from_ms(arrived_ms) - version.received))
    return found
