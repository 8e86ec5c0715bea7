"""What came of a run, and of many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from math import inf


@dataclass
class Outcome:
    """Numbers of one run, or the sums of several. `violations` is empty when all is well."""

    seeds: int = 0
    days: float = 0
    """Days of mail that were judged."""
    hours: float = 0
    """Virtual hours that the collector lived through, the time to wind up included."""
    rows: int = 0
    versions: int = 0
    events: int = 0
    requests: int = 0
    """To the message trace service."""
    pages_needed: int = 0
    """Rows in pages: what one reading of everything takes at least."""
    kills: int = 0
    stops: int = 0
    lost: int = 0
    wrong: int = 0
    """Rows of which the last event is not the last state."""
    late: int = 0
    """Versions that came after their bound."""
    gaps: int = 0
    """Rows that a declared gap explains."""
    repeats: int = 0
    """Events that came again and should have, given the faults."""
    unexplained: int = 0
    judged_delays: int = 0
    judged_after_disturbances: int = 0
    """Among them, those whose bound begins at the end of a disturbance."""
    worst_ratio: float = 0.0
    """Largest (forwarded - received) / lateness of rows shown ten minutes late or more."""
    worst_slack: float = -inf
    """Seconds by which a row came later than its bound at worst; negative if none did."""
    worst_crowded_slack: float = -inf
    """The same while another client spends of the quota."""
    most_reads: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    trace: str = ""
    """Hash of everything that happened; empty for sums."""

    def add(self, other: Outcome) -> None:
        """Sum up; maxima stay maxima."""
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            if each.name.startswith(("worst", "most")):
                setattr(self, each.name, max(mine, others))
            elif isinstance(mine, Counter):
                mine.update(others)
            elif each.name != "trace":
                setattr(self, each.name, mine + others)

    def lines(self) -> list[str]:
        """For a person to read."""
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        lines = [
            f"{self.seeds} seeds, {self.days:.0f} days of mail, {self.hours / 24:.0f} days lived",
            f"{self.rows} rows in {self.versions} versions, {self.events} events accepted",
            f"{self.requests} requests to Microsoft, {self.pages_needed} pages at least",
            f"{self.kills} kills, {self.stops} stops",
            f"faults: {faults or 'none'}",
            f"lost {self.lost}, wrong last state {self.wrong}, late {self.late}, in declared gaps "
            f"{self.gaps}",
            f"repeated with reason {self.repeats}, without {self.unexplained}",
            f"{self.judged_delays} delays judged ({self.judged_after_disturbances} after a disturbance), "
            f"worst (forwarded - received) / lateness "
            f"{self.worst_ratio:.2f}, worst {self.worst_slack:+.1f} s from the bound",
        ]
        if (crowded := self.worst_crowded_slack) > -inf:
            lines.append(f"with another client spending of the quota: worst {crowded:+.1f} s")
        if self.most_reads:
            lines.append(f"a row was read {self.most_reads} times at most where nothing failed")
        return lines
