"""Safeguards of the collector that can be turned off, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from office365_message_trace import pusher, reporting
from office365_message_trace.collector import Collector
from office365_message_trace.coverage import Coverage, Policy, Read
from office365_message_trace.errors import Unavailable
from office365_message_trace.ledger import FINGERPRINT_BYTES, Ledger, _Bucket
from office365_message_trace.model import Page, Row, Window
from office365_message_trace.pusher import BatchPusher
from office365_message_trace.reporting import ReportingClient
from office365_message_trace.transport import Answer
from sandbox.simulation import Scenario

Pages = Iterator[Page | None]


def commit_before_push(patch: pytest.MonkeyPatch) -> None:
    """The window counts as read before it was."""
    original = Collector._read

    def read(self: Collector, what: Read) -> None:
        self._commit(self._coverage.completed(what))
        original(self, what)

    patch.setattr(Collector, "_read", read)


def no_paging(patch: pytest.MonkeyPatch) -> None:
    """What the next link leads to is never asked for."""
    original = ReportingClient.pages

    def pages(self: ReportingClient, window: Window, background: bool = False) -> Pages:
        for page in original(self, window, background):
            yield page
            if page is not None:
                return

    patch.setattr(ReportingClient, "pages", pages)


def trace_id_alone_as_key(patch: pytest.MonkeyPatch) -> None:
    """All recipients of a message, and all of its statuses, count as one row."""
    original = ReportingClient.row

    def row(self: ReportingClient, fields: dict[str, object]) -> Row:
        read = original(self, fields)
        return read._replace(content=read.trace_id.encode())

    patch.setattr(ReportingClient, "row", row)


def no_reread(patch: pytest.MonkeyPatch) -> None:
    """Mail is read once."""
    patch.setattr(Policy, "trails", ())


def no_record(patch: pytest.MonkeyPatch) -> None:
    """What the intake accepted is not written down."""
    patch.setattr(Ledger, "record", lambda self, accepted: None)


def swallowed_error(patch: pytest.MonkeyPatch) -> None:
    """A failure looks like the end of the pages."""
    original = ReportingClient.pages

    def pages(self: ReportingClient, window: Window, background: bool = False) -> Pages:
        try:
            yield from original(self, window, background)
        except Unavailable:
            return

    patch.setattr(ReportingClient, "pages", pages)


def unchecked_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """Whatever the intake answers, the batch counts as accepted."""

    def verdict(self: BatchPusher, answer: Answer, events: int) -> pusher._Verdict:
        return pusher._Verdict(events)

    patch.setattr(BatchPusher, "_verdict", verdict)


def torn_record_kept(patch: pytest.MonkeyPatch) -> None:
    """Half a record at the end of a bucket shifts all that follow."""

    def bucket(self: _Bucket, blob: bytes) -> None:
        self.blob = bytearray(blob)
        starts = range(0, len(blob), FINGERPRINT_BYTES)
        self.fingerprints = {blob[at : at + FINGERPRINT_BYTES] for at in starts}

    patch.setattr(_Bucket, "__init__", bucket)


def bounds_taken_for_inside(patch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for beyond the window, whose end the service may leave out."""
    patch.setattr(reporting, "_OVERLAP", timedelta(0))


def clock_set_back_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """What a clock ahead of time made the collector pass over stays passed over."""

    def unchanged(self: Coverage, now: datetime, policy: Policy) -> Coverage:
        return self

    patch.setattr(Coverage, "with_clock_set_back", unchanged)


@dataclass(frozen=True)
class Mutation:
    """A safeguard turned off, the faults under which that matters, and the scenarios fit for it."""

    turn_off: Callable[[pytest.MonkeyPatch], None]
    faults: str
    fit: Callable[[Scenario], bool] = lambda scenario: True


def _bounds_matter(scenario: Scenario) -> bool:
    exclusive = scenario.reporting.bounds == "()"
    return exclusive and scenario.whole_seconds and scenario.settings.lookback < 2


def _clock_far_ahead(scenario: Scenario) -> bool:
    ahead = max(offset for _, offset in scenario.clock_steps) / 3_600_000
    return ahead > scenario.settings.lookback + 1


MUTATIONS = (
    Mutation(commit_before_push, "crashes"),
    Mutation(no_paging, "none"),
    Mutation(trace_id_alone_as_key, "none"),
    Mutation(no_reread, "none"),
    Mutation(no_record, "none"),
    Mutation(swallowed_error, "microsoft"),
    Mutation(unchecked_acknowledgement, "intake"),
    Mutation(torn_record_kept, "crashes"),
    Mutation(bounds_taken_for_inside, "none", _bounds_matter),
    Mutation(clock_set_back_unnoticed, "clock", _clock_far_ahead),
)
