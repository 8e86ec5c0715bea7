"""Seeded days of mail and failures: no promise is broken, and every run can be repeated exactly."""

from __future__ import annotations

import pytest

from sandbox.__main__ import main
from sandbox.simulation import Outcome, draw, simulate
from sandbox.simulation.command import outcomes

pytestmark = pytest.mark.timeout(900)  # seconds; the seeds take about two minutes

SEEDS = range(1, 41)
ALL_FAULTS = {
    "forbidden",
    "intake down",
    "key refused",
    "no token",
    "not json",
    "outage",
    "paced",
    "storage fails",
    "throttled",
    "token refused",
}


@pytest.fixture(scope="module")
def total() -> Outcome:
    """What all seeds together came to."""
    summed = Outcome()
    for seed, outcome in outcomes(SEEDS, jobs=2):
        summed.add(outcome)
        summed.violations += [f"^ seed {seed}"] if outcome.violations else []
    return summed


def test_no_seed_breaks_a_promise(total: Outcome) -> None:
    """The replay of one: `python -m sandbox simulate --seed NUMBER`."""
    assert not total.violations, "\n".join(total.violations)
    assert (total.lost, total.unexplained) == (0, 0)
    assert total.worst_ratio <= 3


def test_the_seeds_see_every_kind_of_trouble(total: Outcome) -> None:
    assert set(total.faults) >= ALL_FAULTS
    assert total.kills > len(SEEDS)
    assert total.repeats > 0
    assert total.judged_delays > total.rows / 10


def test_most_of_the_mail_is_late_changed_or_paged_somewhere(total: Outcome) -> None:
    assert total.versions > total.rows * 1.1
    assert total.requests > total.pages_needed


@pytest.mark.parametrize("faults", ["all", "none", "crashes"])
def test_a_seed_replays_exactly(faults: str) -> None:
    """In another process, too, where hashes of strings differ."""
    here = {seed: simulate(seed, faults=faults) for seed in (3, 4)}
    there = dict(outcomes(here, faults=faults, jobs=2))
    assert here == there
    assert here[3].trace != here[4].trace


def test_a_group_of_faults_is_the_same_alone_and_among_others() -> None:
    alone, together = draw(1, 1, "intake"), draw(1, 1, "all")
    assert alone.mail == together.mail
    assert alone.settings == together.settings


def test_the_command_tells_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", "5", "--seeds", "2", "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert "2 seeds, 2 days of mail" in told
    assert "lost 0" in told
    assert "violations: 0" in told
