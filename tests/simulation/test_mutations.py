"""The judge can fail: with any one safeguard turned off, a few seeds suffice to notice."""

from __future__ import annotations

from itertools import count, islice

import pytest

from sandbox.__main__ import main
from sandbox.simulation import Run, draw
from tests.simulation.mutations import MUTATIONS, Mutation, no_record

FEW = 15


@pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=lambda each: f"{each.turn_off.__name__}, {each.service}"
)
def test_a_safeguard_that_is_turned_off_is_noticed(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def violations(seed: int) -> list[str]:
        scenario = draw(seed, 1, mutation.faults, mutation.service)
        return Run(mutation.adapt(scenario)).outcome().violations

    fit = (
        seed for seed in count(1) if mutation.fit(draw(seed, 1, mutation.faults, mutation.service))
    )
    with monkeypatch.context() as patch:
        mutation.turn_off(patch)
        seed = next((seed for seed in islice(fit, FEW) if violations(seed)), None)
    assert seed is not None
    assert not violations(seed)


def test_a_failing_seed_tells_how_to_replay_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_record(monkeypatch)
    assert main(["simulate", "--seed", "1", "--faults", "none", "--jobs", "1"]) == 1
    told = capsys.readouterr().out
    assert "python -m sandbox simulate --days 1 --seed 1 --faults none --service both" in told
    assert "repeated without reason" in told
