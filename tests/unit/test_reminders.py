"""A running trigger repeats its warnings, such as the one before a certificate expires."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sekoia_automation.module import Module

from office365_message_trace.clock import SystemClock
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.settings import OAuthSettings, parse
from office365_message_trace.triggers import MessageTraceOAuthTrigger
from tests.support import NOON
from tests.unit.test_credentials import COMMON, PAIR

HALF_AN_HOUR = 1800.0


class Running(MessageTraceOAuthTrigger):
    """A trigger whose clocks a test turns, and whose lines it keeps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Module(), folder)  # type: ignore[no-untyped-call]
        self.lines: list[str] = []
        self.ticks = 0.0
        start = NOON + timedelta(days=330)
        self._machine = SystemClock(
            Event(),
            self._alive,
            lambda: start.timestamp() + self.ticks,
            lambda: self.ticks,
        )
        self._clock = MicrosoftClock(self._machine, self._report)

    def log(self, message: str, *args: Any, **kwargs: Any) -> None:
        self.lines.append(message)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Running(tmp_path)
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_running_trigger_warns_once_a_day_of_a_certificate_that_expires(running: Running) -> None:
    running.configuration = parse(OAuthSettings, {**COMMON, "client_certificate": PAIR.pem})
    running._report_doubts()
    assert running.lines == [], "more than thirty days are left"
    for _ in range(10 * 48):
        running.ticks += HALF_AN_HOUR
        running._machine.wait(0)
    assert 5 <= len(running.lines) <= 7
    assert all(line.startswith("client_certificate expires on ") for line in running.lines)
