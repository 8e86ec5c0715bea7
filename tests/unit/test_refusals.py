"""Refusals are told by what they are about, and only a setting that must change stops the trigger."""

from __future__ import annotations

import pytest

from office365_message_trace.collect.coverage import Kind
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.refusals import Refusals
from office365_message_trace.errors import Misconfigured, Rejected
from tests.support import Logbook

HOUR = 3600.0


@pytest.mark.parametrize(
    ("kind", "by_intake", "stops"),
    [
        (Kind.LIVE, False, True),
        (Kind.LIVE, True, True),
        (Kind.BACKLOG, True, True),
        (Kind.BACKLOG, False, False),  # perhaps one record, for which the service says that
        (Kind.CONFIRM, False, False),
    ],
)
def test_a_setting_at_fault_stops_the_trigger_but_not_by_what_microsoft_says_of_the_past(
    kind: Kind, by_intake: bool, stops: bool
) -> None:
    log = Logbook()
    refusals = Refusals(log, Monitor())
    for probe in range(8):
        refusals.note(kind, Misconfigured("Wrong password."), by_intake, probe * HOUR)
    assert len(log.texts("error", "critical")) == 8  # those of the past once an hour
    assert bool(log.texts("critical")) is stops


def test_a_rejected_window_of_the_past_is_told_once_an_hour() -> None:
    log = Logbook()
    refusals = Refusals(log, Monitor())
    for minute in range(0, 150, 10):
        refusals.tell(Rejected("Not accepted.", "status 400"), minute * 60.0)
    assert len(log.texts("error")) == 3
    assert all("The usual cause: Not accepted." in text for text in log.texts("error"))
