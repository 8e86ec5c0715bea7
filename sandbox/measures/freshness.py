"""How long it takes from when Microsoft shows a row until the intake has it, by how late it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from office365_message_trace.collect.freshness import BANDS
from office365_message_trace.model import Event
from sandbox.measures.mail import SteadyMail, usual_lateness_ms
from sandbox.measures.rig import Figures, Rig
from sandbox.simulation.graph import OtherClient

TENANTS = (1_000, 5_000, 100_000, 1_000_000, 3_000_000, 5_500_000, 14_000_000, 20_000_000)
"""Rows a day."""
_PAGES = {"graph": 5000, "reporting": 2000}
_LEAST_ROWS = 20_000  # a day that are really made; larger tenants have smaller pages instead
_LEAST_PAGE = 25  # rows: in smaller ones, those at their edges would count too much
_HOUR = timedelta(hours=1)
_DAY = 24 * _HOUR


@dataclass
class Freshness:
    """What was counted of one tenant in a day: seconds from shown to accepted, by `BANDS` of lateness."""

    rows_a_day: int
    page: int
    figures: Figures = field(default_factory=Figures)
    seconds: dict[timedelta, list[float]] = field(default_factory=dict)

    def percentile(self, band: timedelta, share: float) -> float:
        """The seconds that so large a `share` of the rows of a band took at most."""
        seconds = sorted(self.seconds[band])
        return seconds[min(int(len(seconds) * share), len(seconds) - 1)]


def measured(
    service: str, rows_a_day: int, lasts: timedelta = _DAY, other: OtherClient | None = None
) -> Freshness:
    """Collect that long from such a tenant, after a day to fill the look-back; `other` spends of its quota.

    A tenant with very many rows is one with fewer rows and smaller pages: the requests are the same.
    """
    scale = max(min(rows_a_day / _LEAST_ROWS, _PAGES[service] / _LEAST_PAGE), 1.0)
    page = round(_PAGES[service] / scale)
    found = Freshness(rows_a_day, _PAGES[service])
    mail = SteadyMail(round(rows_a_day / scale), lateness_ms=usual_lateness_ms)
    rig = Rig(service, mail, _HOUR, page_size=page, other=other)
    begins_ms = rig.clock.ms + 27 * _HOUR // timedelta(milliseconds=1)

    def accepted(event: Event, at_ms: int) -> None:
        late_ms = usual_lateness_ms(event.trace_id)
        shown_ms = event.received + late_ms
        if shown_ms < begins_ms:
            return
        band = next(each for each in BANDS if late_ms <= each // timedelta(milliseconds=1))
        found.seconds.setdefault(band, []).append((at_ms - shown_ms) / 1000)

    rig.accepted = accepted
    found.figures = rig.run(lasts, 27 * _HOUR)
    return found


def described(service: str, found: Freshness) -> str:
    """The figures of one tenant."""
    bands = "  ".join(
        f"{found.percentile(band, 0.5):.0f}/{found.percentile(band, 0.99):.0f}"
        for band in BANDS
        if band in found.seconds
    )
    figures = found.figures
    return (
        f"{service}, {found.rows_a_day:,} rows a day: {bands}; {figures.requests:,} requests a day, "
        f"{figures.live:,} of them live; each row read {figures.read / max(figures.rows, 1):.1f} times; "
        f"late rows within {figures.bound:.2f} times their lateness"
    )
