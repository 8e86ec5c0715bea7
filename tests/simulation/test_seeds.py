"""Seeded days of mail and failures: no promise is broken, and every run can be repeated exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.__main__ import main
from sandbox.simulation import Outcome, draw, simulate
from sandbox.simulation.command import outcomes

pytestmark = pytest.mark.timeout(
    1800
)  # seconds; the seeds take about two minutes on two idle cores

SEEDS = range(1, 241)
ALL_FAULTS = {
    "forbidden",
    "intake down",
    "key refused",
    "no service principal",
    "no token",
    "not json",
    "outage",
    "over the shared quota",
    "paced",
    "storage fails",
    "throttled",
    "token refused",
}


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Processes started meanwhile run without coverage, which would slow them down threefold.

    Coverage tells processes by these variables that they are to be measured.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_START", raising=False)
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture(scope="module")
def total(unmeasured: None) -> Outcome:
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
@pytest.mark.parametrize("service", ["reporting", "graph"])
@pytest.mark.usefixtures("unmeasured")
def test_a_seed_replays_exactly(faults: str, service: str) -> None:
    """In another process, too, where hashes of strings differ."""
    here = {seed: simulate(seed, faults=faults, service=service) for seed in (3, 4)}
    there = dict(outcomes(here, faults=faults, service=service, jobs=2))
    assert here == there
    assert here[3].trace != here[4].trace


def test_a_group_of_faults_is_the_same_alone_and_among_others() -> None:
    alone, together = draw(1, 1, "intake"), draw(1, 1, "all")
    assert alone.mail == together.mail
    assert alone.settings == together.settings


def test_a_seed_has_the_same_mail_settings_and_faults_for_either_service() -> None:
    for seed in range(1, 20):
        either, other = draw(seed, 1, "all", "reporting"), draw(seed, 1, "all", "graph")
        assert (either.service, other.service) == ("reporting", "graph")
        assert replace(either, service="graph") == other
    drawn = [draw(seed, 1, "all").service for seed in SEEDS]
    assert 0.4 < drawn.count("graph") / len(drawn) < 0.6


def test_the_command_tells_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", "5", "--seeds", "2", "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert "2 seeds, 2 days of mail" in told
    assert "lost 0" in told
    assert "violations: 0" in told
