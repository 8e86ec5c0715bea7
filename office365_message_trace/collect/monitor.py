"""The one interface through which a running collector reports on itself."""

from datetime import datetime

from office365_message_trace.collect.coverage import Coverage, Kind
from office365_message_trace.model import Delivery, Event
from office365_message_trace.storage.base import Damage


class Monitor:
    """Ignores every report; subclasses override the methods that they need."""

    def covered(self, coverage: Coverage, now: datetime) -> None:
        """The ``coverage`` at ``now``; called before each step."""

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        """A page of ``rows`` was delivered by ``now``; the new ones among them were ``forwarded``."""

    def delivered(self, delivery: Delivery) -> None:
        """The intake accepted or refused events, and the ledger has recorded what it accepted."""

    def discarded(self, events: int) -> None:
        """The intake refused ``events`` up to their final read: they are left out."""

    def refused(self, kind: Kind, refused: bool) -> None:
        """Microsoft or the intake refuses windows of ``kind``, or no longer does."""

    def promised(self, bound: float) -> None:
        """Rows that Microsoft shows late are found within ``bound`` times their lateness from now on."""

    def repaired(self, damage: Damage) -> None:
        """Damage to the state was repaired."""

    def request(self, api: str, outcome: str) -> None:
        """A request to ``api`` ended in ``outcome``, one of `counting.OUTCOMES`. Called in any thread."""

    def stored(self, writes: int = 0, failures: int = 0) -> None:
        """The storage took ``writes`` or failed ``failures`` times. Called in any thread."""


class Monitors(Monitor):
    """Passes each report on to several others, in order."""

    def __init__(self, *monitors: Monitor) -> None:
        self._monitors = monitors

    def covered(self, coverage: Coverage, now: datetime) -> None:
        for each in self._monitors:
            each.covered(coverage, now)

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        for each in self._monitors:
            each.page(kind, rows, forwarded, now)

    def delivered(self, delivery: Delivery) -> None:
        for each in self._monitors:
            each.delivered(delivery)

    def discarded(self, events: int) -> None:
        for each in self._monitors:
            each.discarded(events)

    def refused(self, kind: Kind, refused: bool) -> None:
        for each in self._monitors:
            each.refused(kind, refused)

    def promised(self, bound: float) -> None:
        for each in self._monitors:
            each.promised(bound)

    def repaired(self, damage: Damage) -> None:
        for each in self._monitors:
            each.repaired(damage)

    def request(self, api: str, outcome: str) -> None:
        for each in self._monitors:
            each.request(api, outcome)

    def stored(self, writes: int = 0, failures: int = 0) -> None:
        for each in self._monitors:
            each.stored(writes, failures)
