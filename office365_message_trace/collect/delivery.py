"""Delivers pages: pushes the rows that are new, and records what the intake makes of them."""

from office365_message_trace.clock import Clock
from office365_message_trace.collect.final_reads import MOST_REPEATS
from office365_message_trace.collect.interfaces import Pusher, Source
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.reading import Reading
from office365_message_trace.collect.volatile_fields import VolatileFields
from office365_message_trace.model import Event, Log, Page


class PageDelivery:
    """Delivers the rows of pages that the ``ledger`` does not know."""

    def __init__(
        self,
        source: Source,
        pusher: Pusher,
        ledger: Ledger,
        clock: Clock,
        log: Log,
        monitor: Monitor,
    ) -> None:
        self._source = source
        self._pusher = pusher
        self._ledger = ledger
        self._clock = clock
        self._monitor = monitor
        self._volatile_fields = VolatileFields(log, source.content_fields)

    def deliver(self, page: Page, reading: Reading) -> None:
        """Push what is new on a ``page`` of ``reading``, and record each batch before the next is pushed.

        Refused events are recorded as owed: each later read of their time sends them again, and the final
        one knows of them even if its answer leaves them out. A row that is back at its accepted content is
        no longer owed; of final reads only the last repetition settles that, because one answer may be false.
        """
        rows = reading.to_compare(page)
        fresh = self._ledger.unseen(rows)
        repeated = reading.trial.refusals >= MOST_REPEATS
        if not reading.read.final or reading.gap is not None or repeated:
            self._ledger.record(fresh.reverted)
        events = [
            Event(row.received, row.trace_id, fingerprint, self._source.render(row))
            for fingerprint, row in fresh.items()
        ]
        accepted: list[Event] = []
        refused: list[Event] = []
        for delivery in self._pusher.push(events):
            self._ledger.record((event.received, event.fingerprint) for event in delivery.accepted)
            self._monitor.delivered(delivery)
            accepted += delivery.accepted
            refused += delivery.refused
        # after the accepted ones: rows may share a key, and its latest record decides if one is owed
        reading.owed += self._ledger.record_refused(
            (each.received, each.fingerprint) for each in refused
        )
        reading.refused += refused
        reading.fresh += len(accepted)
        owed = fresh.owed and fresh.owed.intersection(event.fingerprint for event in accepted)
        reading.late += len(accepted) - len(owed)
        now = self._clock.now()
        self._volatile_fields.observe(rows, fresh, accepted, now)
        self._monitor.page(reading.read.kind, len(rows), accepted, now)
