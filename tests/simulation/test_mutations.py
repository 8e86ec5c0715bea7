"""The judge can fail: with any one safeguard turned off, a few seeds suffice to notice."""

from __future__ import annotations

from itertools import count, islice

import pytest

from sandbox.__main__ import main
from sandbox.simulation import draw, simulate
from tests.simulation.mutations import MUTATIONS, Mutation, no_record

FEW = 15


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.turn_off.__name__)
def test_a_safeguard_that_is_turned_off_is_noticed(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = (seed for seed in count(1) if mutation.fit(draw(seed, 1, mutation.faults)))
    with monkeypatch.context() as patch:
        mutation.turn_off(patch)
        noticed = (s for s in islice(fit, FEW) if simulate(s, faults=mutation.faults).violations)
        seed = next(noticed, None)
    assert seed is not None
    assert not simulate(seed, faults=mutation.faults).violations


def test_a_failing_seed_tells_how_to_replay_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_record(monkeypatch)
    assert main(["simulate", "--seed", "1", "--faults", "none", "--jobs", "1"]) == 1
    told = capsys.readouterr().out
    assert "python -m sandbox simulate --days 1 --seed 1 --faults none" in told
    assert "repeated without reason" in told
