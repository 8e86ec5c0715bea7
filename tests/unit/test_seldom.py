"""Repeated log lines are limited."""

from __future__ import annotations

from office365_message_trace.seldom import Seldom


def test_something_is_said_again_once_its_time_is_over() -> None:
    telling = Seldom(60)
    said = [moment for moment in range(0, 200, 7) if telling.may_say("it", moment)]
    assert said == [0, 63, 126, 189]


def test_each_thing_has_its_own_time() -> None:
    telling = Seldom(60)
    assert telling.may_say("one", 0)
    assert telling.may_say("another", 1)
    assert not telling.may_say("one", 59)
    assert not telling.may_say("another", 60)
    assert telling.may_say("one", 60)
