"""Seeded days of mail and failures: no promise is broken, and every run can be repeated exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.__main__ import main
from sandbox.simulation import GROUPS, Outcome, draw, simulate
from sandbox.simulation.command import outcomes

pytestmark = pytest.mark.timeout(1800)  # seconds; the seeds take minutes

SEEDS = range(1, 41)
ALL_FAULTS = {
    "bad record",
    "clock steps",
    "events refused",
    "lie",
    "forbidden",
    "intake down",
    "key refused",
    "no service principal",
    "no token",
    "not json",
    "outage",
    "over the shared quota",
    "odd answer: beside",
    "paced",
    "stale",
    "storage fails",
    "takeovers",
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
    assert (total.lost, total.wrong, total.late, total.unexplained) == (0, 0, 0, 0)


def test_the_seeds_see_every_kind_of_trouble(total: Outcome) -> None:
    assert set(total.faults) >= ALL_FAULTS
    assert total.kills > len(SEEDS)
    assert total.repeats > 0
    assert total.judged_delays > total.rows / 10
    assert total.judged_after_disturbances > 1000


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
    for seed in range(1, 20):
        alone, together = draw(seed, 1, "intake"), draw(seed, 1, "all")
        assert alone.settings == together.settings
        if not together.groups & {"restarts", "rows"}:
            assert alone.mail == together.mail


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_can_be_named_and_is_in_play_alone(group: str) -> None:
    assert all(draw(seed, 1, group).groups == {group} for seed in range(1, 10))


def test_the_seeds_draw_every_oddity() -> None:
    drawn = {group: [draw(seed, 1, group) for seed in range(1, 60)] for group in GROUPS}
    graph = [each.graph for group in ("order", "links", "rows") for each in drawn[group]]
    assert {each.order for each in graph} >= {"partitioned", "descending", "ascending"}
    assert {each.links for each in graph} == {"sound", "encoded date", "recipient", "self", "back"}
    assert {each.empty_pages for each in graph} >= {"chain", "endless", "last", "every"}
    assert {each.chain for each in graph if each.empty_pages == "chain"} == {2, 4, 6}
    assert {each.pages_asked for each in drawn["links"]} == {1, 5}
    assert {each.end for each in graph} == {"inclusive", "exclusive"}
    assert {each.fine_times for each in graph} == {each.etags for each in graph} == {True, False}
    assert all(each.strict_cursor for each in graph)
    reporting = [each.reporting for each in drawn["order"]]
    assert {each.ties for each in reporting} == {"stable", "unstable"}
    assert {each.partitions for each in reporting} == {True, False}
    assert {each.history_rule for each in drawn["history"]} == {"refuse", "hide"}
    assert any(each.poison_stays for each in drawn["intake"])
    assert any(each.mail.large_messages for each in drawn["rows"])
    assert all(each.bad_from_ms for each in drawn["records"])
    assert all(each.takeovers for each in drawn["owners"])
    assert all(each.visit for each in drawn["tenants"])


def test_a_machine_whose_clock_is_wrong_has_a_service_that_is_right() -> None:
    scenarios = [draw(seed, 1, "clock") for seed in range(1, 200)]
    wrong = [each for each in scenarios if each.clock_steps]
    assert all("right" in each.dates and not any(map(_is_wrong, each.dates)) for each in wrong)
    assert any(each.dates == ("missing", "missing") for each in scenarios)
    assert any(any(map(_is_wrong, each.dates)) for each in scenarios)
    assert any(each.clock_steps[-1][1] for each in wrong)


def _is_wrong(date: object) -> bool:
    return isinstance(date, int)


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
