"""The one line that ``status`` begins with."""

from dataclasses import replace
from datetime import timedelta

import pytest

from office365_message_trace.cli.verdict import Facts, Health
from office365_message_trace.collect.coverage import Cause, Coverage, Gap
from office365_message_trace.model import Window
from office365_message_trace.monitoring.activity_log import Activity, Problem, Progress
from tests.support import NOON

MINUTE = timedelta(minutes=1)
BEGUN = Coverage.starting(NOON - 2 * MINUTE)
FRESH = replace(BEGUN, read_at=NOON - MINUTE)
OLD = Coverage.starting(NOON - 30 * MINUTE)
WORKING = Facts(NOON, FRESH, Activity(), NOON - timedelta(days=1), 6 * MINUTE, "")
LOST = Window(NOON - timedelta(days=2), NOON - timedelta(days=1))
REFUSED = Activity((Problem(NOON - MINUTE, "error", "The key is refused."),))


def stopped(minutes: int) -> Activity:
    start = NOON - timedelta(days=2)
    return Activity(progress=Progress(start, start, stopped=NOON - minutes * MINUTE))


def bound(times: float) -> Activity:
    return Activity(progress=Progress(NOON, NOON, bound=times))


CASES = {
    "all is well": (
        WORKING,
        Health.OK,
        "Mail is forwarded: read up to 2 minutes ago. Nothing is owed, nothing is wrong.",
    ),
    "a backlog": (
        replace(WORKING, backlog="3 hours"),
        Health.WARNING,
        "Owed: 3 hours, nothing is wrong.",
    ),
    "a gap": (
        replace(WORKING, coverage=FRESH.with_gap(Gap(LOST, Cause.REFUSED))),
        Health.WARNING,
        "Owed: 1 gap, tried again every hour",
    ),
    "a gap that nobody can read any more": (
        replace(WORKING, coverage=FRESH.with_gap(Gap(LOST, Cause.TOO_OLD))),
        Health.OK,
        "Nothing is owed",
    ),
    "a damaged copy": (
        replace(WORKING, doubts=("x",)),
        Health.WARNING,
        "wrong: a copy of the state",
    ),
    "a wide bound": (replace(WORKING, activity=bound(4.2)), Health.WARNING, "within 4.2 times"),
    "late": (
        replace(WORKING, coverage=OLD),
        Health.CRITICAL,
        "Mail is late: read up to 30 minutes ago",
    ),
    "late for a reason": (
        replace(WORKING, coverage=OLD, activity=REFUSED),
        Health.CRITICAL,
        "It waits because of this: The key is refused.",
    ),
    "just started": (
        replace(WORKING, coverage=OLD, owned_since=NOON - MINUTE),
        Health.WARNING,
        "The trigger started 1 minute ago; mail is read up to 30 minutes ago",
    ),
    "just started for the first time": (
        replace(WORKING, coverage=None, owned_since=NOON - MINUTE),
        Health.WARNING,
        "started 1 minute ago and has read nothing yet",
    ),
    "started long ago and nothing read": (
        replace(WORKING, coverage=None, activity=REFUSED),
        Health.CRITICAL,
        "has read nothing yet. It waits because of this: The key is refused.",
    ),
    "stopped": (
        replace(WORKING, activity=stopped(1)),
        Health.WARNING,
        "The trigger was stopped 1 minute ago; mail was read up to 2 minutes ago.",
    ),
    "stopped before it read anything": (
        replace(WORKING, coverage=BEGUN, activity=stopped(1)),
        Health.WARNING,
        "The trigger was stopped 1 minute ago; it had read nothing yet.",
    ),
    "stopped long ago": (
        replace(WORKING, coverage=OLD, activity=stopped(29)),
        Health.CRITICAL,
        "The trigger was stopped 29 minutes ago",
    ),
    "stopped and started again": (
        replace(WORKING, activity=stopped(30), owned_since=NOON - 20 * MINUTE),
        Health.OK,
        "Mail is forwarded",
    ),
    "never run": (
        replace(WORKING, coverage=None, owned_since=None),
        Health.UNKNOWN,
        "has not run here",
    ),
    "nothing known of settings": (
        replace(WORKING, coverage=OLD, usual_lag=timedelta(0)),
        Health.OK,
        "read up to 30 minutes ago",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_on_a_trigger_that_is(case: str) -> None:
    facts, health, text = CASES[case]
    verdict = facts.verdict()
    assert verdict.health is health
    assert text in verdict.text


def test_the_exit_statuses_are_those_of_monitoring_plugins() -> None:
    assert [each.status for each in Health] == [0, 1, 2, 3]
