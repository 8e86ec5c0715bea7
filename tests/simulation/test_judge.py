"""The judge excuses what `exceptions` lists, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.clock import from_ms
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.simulation import Outcome, Scenario, draw
from sandbox.simulation.allowances import RECOVERY_MINUTES
from sandbox.simulation.event_identity import Identity
from sandbox.simulation.expectations import Arrival, Promises, Shown
from sandbox.simulation.gaps import Gap, declared_gaps
from sandbox.simulation.observation import Collected, Observation
from sandbox.simulation.request_bounds import judge_gaps
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS, Settings
from sandbox.simulation.tenant import SimulatedMail, WatchedTenant
from sandbox.simulation.world import World

ROW = ("id", "ada@contoso.example")
A: Identity = ("A",)
B: Identity = ("B",)


class Case:
    """A row received an hour after the start, and what became of it."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings(lookback=6)
        self.scenario: Scenario = draw(1, 1, "none", "reporting")
        self.start_ms = self.scenario.start_ms
        mail = SimulatedMail(MailFlow(MailFlowOptions(messages_per_minute=0)), False)
        self.collected = Collected(WatchedTenant(mail), "", [(self.start_ms, settings)])
        self.collected.owed_from_ms = self.start_ms
        self.observation = Observation(World(self.scenario).observation.events)
        self.received_ms = self.start_ms + HOUR_MS

    def version(self, identity: Identity, minutes: float, until: float | None = None) -> Shown:
        """Shown from so many minutes after receipt on."""
        until_ms = 1 << 60 if until is None else self.received_ms + int(until * MINUTE_MS)
        from_ms_ = self.received_ms + int(minutes * MINUTE_MS)
        return Shown(ROW, self.received_ms, from_ms_, until_ms, identity)

    def judged(self, versions: list[Shown], *arrivals: tuple[Identity, float]) -> Outcome:
        """The verdict on events that came so many minutes after receipt."""
        outcome = Outcome()
        end_ms = self.start_ms + 100 * HOUR_MS
        events = [Arrival(self.received_ms + int(m * MINUTE_MS), what) for what, m in arrivals]
        promises = Promises(self.scenario, self.observation, self.collected, end_ms)
        promises.judge_row(versions, events, outcome)
        return outcome


def test_the_last_event_is_the_last_state() -> None:
    case = Case()
    versions = [case.version(A, 1, 40), case.version(B, 40, 300), case.version(A, 300)]
    assert not case.judged(versions, (A, 6), (B, 50), (A, 370)).violations
    assert case.judged(versions, (A, 6), (B, 60)).wrong == 1
    assert case.judged(versions).lost > 0


def test_a_state_shown_after_the_look_back_is_owed_to_nobody() -> None:
    case = Case()
    versions = [case.version(A, 1, 370), case.version(B, 370)]
    assert not case.judged(versions, (A, 6)).violations
    assert not case.judged(versions, (A, 6), (B, 400)).violations


def test_an_event_of_which_the_collector_may_not_know_excuses_a_state_that_went_back() -> None:
    case = Case()
    versions = [case.version(A, 1, 40), case.version(B, 40, 50), case.version(A, 50)]
    assert case.judged(versions, (A, 6), (B, 45)).wrong == 1
    case.observation.doubtful.add(B)
    assert not case.judged(versions, (A, 6), (B, 45)).violations


def test_a_state_that_was_seen_by_no_read_is_owed_to_nobody() -> None:
    """The row is hidden from its 50th minute until after the last read."""
    case = Case()
    versions = [case.version(A, 1, 40), case.version(B, 40, 50)]
    assert not case.judged(versions, (A, 6)).violations
    assert case.judged([case.version(A, 1, 40), case.version(B, 40, 300)], (A, 6)).wrong == 1


def test_a_bound_holds_again_after_a_disturbance() -> None:
    case = Case()
    begins, ends = case.received_ms, case.received_ms + 2 * HOUR_MS
    case.observation.disturbed(begins, ends + RECOVERY_MINUTES * MINUTE_MS)
    version = [case.version(A, 1)]
    assert not case.judged(version, (A, 170)).violations
    assert case.judged(version, (A, 190)).late == 1


def test_an_event_that_the_intake_refused_alone_is_owed_by_the_last_read() -> None:
    case = Case(Settings(lookback=6))
    version = [case.version(A, 1)]
    assert case.judged(version, (A, 60)).late == 1
    case.observation.refused_alone.add(A)
    assert not case.judged(version, (A, 370)).violations
    assert case.judged(version, (A, 20 * 60)).late == 1
    assert case.judged(version).lost > 0


def test_settings_that_change_before_a_row_is_due_set_its_bound() -> None:
    """It is due after a day, and from the 20th hour on mail is read once an hour."""
    case = Case(Settings(timedelta=1440, frequency=60, lookback=24))
    version, due = [case.version(A, 1)], 1440
    assert case.judged(version, (A, due + 40)).late == 1
    slower = Settings(timedelta=1440, frequency=3600, lookback=24)
    case.collected.history.append((case.received_ms + 20 * HOUR_MS, slower))
    assert not case.judged(version, (A, due + 40)).violations
    assert case.judged(version, (A, due + 70)).late == 1


def test_settings_that_change_after_a_row_is_due_set_no_bound() -> None:
    case = Case(Settings(timedelta=5, frequency=60))
    case.collected.history.append((case.received_ms + HOUR_MS, Settings(frequency=3600)))
    assert case.judged([case.version(A, 1)], (A, 50)).late == 1


def test_a_gap_excuses_only_rows_of_which_its_cause_is_true() -> None:
    case = Case()
    gap = Gap(case.received_ms, case.received_ms + 1, "unreadable")
    case.collected.gaps.append((case.received_ms + HOUR_MS, gap))
    assert case.judged([case.version(A, 1)]).lost > 0
    case.collected.tenant.mail.bad_ms.append(case.received_ms)
    assert not case.judged([case.version(A, 1)]).violations


@pytest.mark.parametrize("cause", ["too_old", "unreadable", "incomplete", "refused", "hidden"])
def test_time_that_can_be_read_must_not_be_declared(cause: str) -> None:
    case, outcome = Case(), Outcome()
    gap = Gap(case.received_ms, case.received_ms + HOUR_MS, cause)
    case.collected.gaps.append((case.received_ms + HOUR_MS, gap))
    judge_gaps(case.scenario, case.collected, outcome)
    assert outcome.violations


def test_a_look_back_that_is_lengthened_again_counts_from_then_on() -> None:
    case = Case(Settings(lookback=24))
    case.collected.history += [
        (case.start_ms + 2 * HOUR_MS, Settings(lookback=1)),
        (case.start_ms + 6 * HOUR_MS, Settings(lookback=24)),
    ]
    promises = Promises(case.scenario, case.observation, case.collected, 0)
    assert promises.reach(case.received_ms) == 24 * HOUR_MS
    short = replace(case.collected, history=case.collected.history[:2])
    assert Promises(case.scenario, case.observation, short, 0).reach(case.received_ms) == HOUR_MS


def test_gaps_are_read_with_and_without_a_cause() -> None:
    first, last = (from_ms(0) + timedelta(hours=h) for h in (1, 2))
    pair = f'["{first.isoformat()}","{last.isoformat()}"]'
    told = f'{{"start":"{first.isoformat()}","end":"{last.isoformat()}","cause":"hidden"}}'
    state = f'{{"payload":{{"gaps":[{pair},{told}]}}}}'.encode()
    assert declared_gaps(state) == [
        Gap(HOUR_MS, 2 * HOUR_MS, "too_old"),
        Gap(HOUR_MS, 2 * HOUR_MS, "hidden"),
    ]
