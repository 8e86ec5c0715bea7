"""Answers that nothing can be made of: said, waited out, and not asked for in a loop."""

from __future__ import annotations

import pytest

from sandbox import Answer, Rule, html_page
from tests.end_to_end.scene import OpenScene, Scene

OBSERVED_SECONDS = 4.0
MOST_REQUESTS = 10
"""To Microsoft within that time: what the product promises for ten minutes of refusals."""

TOKEN = "/token"

ANSWERS = {
    "a busy token endpoint": Rule(html_page(503), "entra", path=TOKEN, times=None),
    "a token endpoint that says nothing": Rule(Answer(200), "entra", path=TOKEN, times=None),
    "a token answer without a token": Rule(Answer(200, b"{}"), "entra", path=TOKEN, times=None),
    "a token answer that is a list": Rule(Answer(200, b"[]"), "entra", path=TOKEN, times=None),
    "rows that are no rows": Rule(
        Answer(200, b'{"d": {"results": [null]}}'), "reporting", times=None
    ),
    "JSON that is nested too deeply": Rule(Answer(200, b"[" * 100_000), "reporting", times=None),
    "an intake that gives no ids": Rule(Answer(200, b"{}"), "intake", times=None),
}


@pytest.fixture(scope="module")
def scenes(open_scene: OpenScene) -> dict[str, Scene]:
    """A process for each answer, all of them observed for the same time."""
    opened = {name: open_scene() for name in ANSWERS}
    for name, scene in opened.items():
        scene.world.faults.add(ANSWERS[name])
        scene.start()
    for name, scene in opened.items():
        service = ANSWERS[name].service or ""
        scene.wait_until_struck(service)
    slowest = list(opened.values())[-1]
    with pytest.raises(TimeoutError):
        slowest.process.wait_until(lambda: False, OBSERVED_SECONDS)
    return opened


@pytest.mark.parametrize("answer", ANSWERS)
def test_nobody_is_hammered_in_spite_of(scenes: dict[str, Scene], answer: str) -> None:
    scene = scenes[answer]
    assert scene.process.running
    assert scene.requests_to_microsoft <= MOST_REQUESTS
    assert scene.world.intake.counts.requests <= MOST_REQUESTS


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_sentence_and_no_traceback_comes_of(scenes: dict[str, Scene], answer: str) -> None:
    assert scenes[answer].said("does not answer as it should")
    assert not scenes[answer].said("Traceback")
