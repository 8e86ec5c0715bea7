"""Decides where to begin reading, by the contents of the storage."""

from dataclasses import replace
from datetime import datetime, timedelta

from office365_message_trace.collect.checkpoint_store import CheckpointStore, predecessor_edge
from office365_message_trace.collect.coverage import Coverage, Policy
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.model import Log
from office365_message_trace.storage.base import Damage, Storage

_TIME_IN_DOUBT = timedelta(seconds=1)  # because Microsoft's time has whole seconds


def opening_coverage(
    store: CheckpointStore,
    ledger: Ledger,
    predecessor: Storage | None,
    policy: Policy,
    start: datetime,
    now: datetime,
    log: Log,
    monitor: Monitor | None = None,
) -> Coverage:
    """The coverage to continue from: saved, reconstructed, taken over, or new.

    Without a usable state, it begins where the ledger says that time was still to be read; known rows are
    dropped when they come again. Without a ledger, it begins at the cursor that the platform's former
    module left in ``predecessor``, and at a first start at ``start``. Repaired damage is reported to
    ``monitor``.
    """
    monitor = monitor or Monitor()
    coverage = store.load()
    if coverage is not None:
        if store.damaged:
            monitor.repaired(Damage.COPY)
        return coverage
    start = start.replace(microsecond=0)
    recorded = _by_record(ledger, policy, now)
    if recorded is not None:
        monitor.repaired(Damage.STATE)
        log(
            "The trigger's state is gone, but not the record of what was forwarded: reading again "
            f"from {recorded.oldest:%Y-%m-%d %H:%M} UTC, without repeating what is recorded.",
            "warning",
        )
        return recorded
    edge = predecessor_edge(predecessor, log) if predecessor else None
    if edge is not None and edge < now:
        log(f"Continuing from {edge:%Y-%m-%d %H:%M} UTC, where the former module stopped.", "info")
        return Coverage.starting(edge, edge)
    log(f"First start: reading from {start:%Y-%m-%d %H:%M} UTC on.", "info")
    return Coverage.starting(start - _TIME_IN_DOUBT, now)


def _by_record(ledger: Ledger, policy: Policy, now: datetime) -> Coverage | None:
    """The coverage by the marks and buckets of ``ledger``, except those that a wrong clock made.

    The look-back is read again, because it may be longer than before. Time before the first record was
    not wanted.
    """
    first = next((each.start for each in ledger.buckets if each.start < now), None)
    mark = ledger.since if ledger.since is not None and ledger.since < now else first
    if mark is None:
        return None
    wanted = min(mark, first or mark)
    start = min(mark, max(wanted, now.replace(microsecond=0) - policy.final_age))
    return replace(Coverage.starting(start), since=wanted, shown_from=first)
