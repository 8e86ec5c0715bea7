"""The one line that ``status`` begins with."""

from dataclasses import replace
from datetime import timedelta

import pytest

from office365_message_trace.cli.verdict import Facts, Health, latest_time
from office365_message_trace.collect.coverage import Cause, Coverage, Gap
from office365_message_trace.model import EPOCH, Window
from office365_message_trace.monitoring.activity_log import Activity, Problem, Progress
from tests.support import NOON

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BEGUN = Coverage.starting(NOON - 2 * MINUTE)
FRESH = replace(BEGUN, read_at=NOON - MINUTE)
OLD = Coverage.starting(NOON - 30 * MINUTE)
WORKING = Facts(NOON, FRESH, Activity(), NOON - timedelta(days=1), 6 * MINUTE, "")
LOST = Window(NOON - timedelta(days=2), NOON - timedelta(days=1))
REFUSED = Activity((Problem(NOON - MINUTE, "error", "The key is refused."),))


def stopped(minutes: int) -> Activity:
    start = NOON - timedelta(days=2)
    return Activity(progress=Progress(start, start, stopped=NOON - minutes * MINUTE))


def ahead(hours: float, ago: float = 1) -> Activity:
    """A trigger whose machine's clock was so far ahead when it last wrote, so many minutes ago."""
    wrote = NOON - ago * MINUTE
    return Activity(progress=Progress(wrote, NOON - DAY, ahead=timedelta(hours=hours)))


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
        replace(WORKING, coverage=OLD, started=NOON - MINUTE),
        Health.WARNING,
        "The trigger started 1 minute ago; mail is read up to 30 minutes ago",
    ),
    "just started for the first time": (
        replace(WORKING, coverage=None, started=NOON - MINUTE),
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
    "never run": (
        replace(WORKING, coverage=None, started=None),
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


@pytest.mark.parametrize(
    ("facts", "health", "texts"),
    [
        (
            WORKING,
            Health.WARNING,
            [
                "not known if mail is late: it was read up to 2026-06-15 11:58:00 UTC. This machine's"
            ],
        ),
        (replace(WORKING, usual_lag=timedelta(0)), Health.WARNING, ["not known if mail is late"]),
        (
            replace(WORKING, coverage=OLD),
            Health.CRITICAL,
            ["Mail is late: read up to at least 30 minutes ago"],
        ),
        (
            replace(WORKING, activity=stopped(1)),
            Health.WARNING,
            ["stopped at least 1 minute ago; mail was read up to at least 2 minutes ago."],
        ),
        (
            replace(WORKING, coverage=None),
            Health.CRITICAL,
            ["started at least 1 day ago and has read nothing yet."],
        ),
    ],
    ids=["forwarded", "without settings", "late", "stopped", "nothing read"],
)
def test_by_a_clock_that_is_behind_the_state_ages_are_the_least_and_nothing_is_ok(
    facts: Facts, health: Health, texts: list[str]
) -> None:
    verdict = replace(facts, behind=timedelta(hours=3)).verdict()
    assert verdict.health is health
    for text in (
        *texts,
        "clock is 3 hours behind a time in the trigger's state: have a time service",
    ):
        assert text in verdict.text


def test_a_clock_that_is_behind_by_less_than_a_minute_is_right() -> None:
    assert replace(WORKING, behind=MINUTE).verdict() == WORKING.verdict()


@pytest.mark.parametrize(
    ("hours", "lag", "health", "text"),
    [
        (3, 2, Health.OK, "Mail is forwarded: read up to 2 minutes ago."),
        (
            3,
            182,
            Health.WARNING,
            "if this is that machine, mail was read up to 2 minutes ago, else 3 h",
        ),
        (
            3,
            300,
            Health.CRITICAL,
            "if this is that machine, mail was read up to 2 hours ago, else 5 h",
        ),
        (
            -3,
            2,
            Health.WARNING,
            "if this is that machine, mail was read up to 3 hours ago, else 2 m",
        ),
        (
            -3,
            60,
            Health.CRITICAL,
            "if this is that machine, mail was read up to 4 hours ago, else 1 h",
        ),
        (0.01, 2, Health.OK, "Mail is forwarded: read up to 2 minutes ago."),
        (0.01, 60, Health.CRITICAL, "or see its log."),
    ],
)
def test_where_the_triggers_machine_had_a_wrong_clock_only_what_holds_by_either_is_said(
    hours: float, lag: int, health: Health, text: str
) -> None:
    coverage = Coverage.starting(NOON - lag * MINUTE)
    verdict = replace(WORKING, coverage=coverage, activity=ahead(hours, lag - 1)).verdict()
    assert verdict.health is health
    assert text in verdict.text
    assert ("not known" in verdict.text) is (health is Health.WARNING)
    assert ("have a time service" in verdict.text.lower()) is ("that machine" in verdict.text)


def test_after_a_start_on_a_machine_with_a_wrong_clock_mail_is_not_called_late() -> None:
    """Mail of half an hour ago, and the start of a minute ago, by a clock three hours ahead."""
    started = NOON - timedelta(hours=3) - MINUTE
    coverage = Coverage.starting(started - 30 * MINUTE)
    facts = replace(WORKING, coverage=coverage, activity=ahead(3, 180), started=started)
    assert facts.verdict().health is Health.WARNING
    assert "not known if mail is late" in facts.verdict().text


def test_a_time_of_the_triggers_machine_is_not_taken_for_microsofts() -> None:
    later = NOON + timedelta(hours=3)
    assert latest_time(FRESH, Activity()) == NOON - MINUTE
    assert latest_time(FRESH, Activity(progress=Progress(later, later))) == NOON - MINUTE
    known = Progress(NOON, later, ahead=timedelta(hours=3))
    assert latest_time(FRESH, Activity(progress=known)) == NOON
    assert latest_time(None, Activity()) == EPOCH


def test_the_exit_statuses_are_those_of_monitoring_plugins() -> None:
    assert [each.status for each in Health] == [0, 1, 2, 3]
