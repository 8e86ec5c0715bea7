"""Where a trigger begins whose state is gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from office365_message_trace.coverage import Policy
from office365_message_trace.ledger import BUCKET_SPAN, Ledger
from office365_message_trace.model import milliseconds
from office365_message_trace.resume import opening_coverage
from office365_message_trace.state import StateStore
from office365_message_trace.storage import FolderStorage
from tests.support import NOON, Logbook

HOUR = timedelta(hours=1)


def test_a_lost_state_leads_back_before_the_record_by_the_backlog_of_a_first_start(
    tmp_path: Path,
) -> None:
    """Fresh mail is recorded first: the backlog of a first start lies before it."""
    storage, log = FolderStorage(tmp_path), Logbook()
    ledger = Ledger(storage)
    ledger.record([(milliseconds(NOON - 3 * HOUR), b"0" * 16)])
    policy = Policy(timedelta(minutes=5), timedelta(minutes=1), HOUR)
    coverage = opening_coverage(
        StateStore(storage, log), ledger, storage, policy, 2 * HOUR, NOON, log
    )
    assert NOON - 5 * HOUR - BUCKET_SPAN <= coverage.live <= NOON - 5 * HOUR
    (warning,) = log.texts("warning")
    assert "state is gone" in warning
