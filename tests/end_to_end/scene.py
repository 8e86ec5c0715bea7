"""A sandbox with settled mail and the module as a process of its own, ready to be started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import requests

from sandbox import MailFlowOptions, Report, ReportingOptions, Sandbox, SandboxOptions
from sandbox.process import TriggerProcess

Credential = Literal["secret", "certificate", "federated"]

START_TIME_HOURS = 2
MAIL_LASTS = timedelta(minutes=40)
MAIL_ENDED = timedelta(minutes=12)
"""Before the scene opens: everything is visible and settled by then, late rows included."""


def settled_mail(messages_per_minute: float, since: datetime, until: datetime) -> MailFlowOptions:
    """Mail of which every row shows in its last state eleven minutes after `until` at the latest."""
    return MailFlowOptions(
        messages_per_minute=messages_per_minute,
        since=since,
        until=until,
        late_between=(timedelta(minutes=5), timedelta(minutes=11)),
        slow_fraction=0,
    )


class Scene:
    """One world and one process, opened and closed together."""

    def __init__(
        self,
        folder: Path,
        trigger: Literal["oauth", "basic"] = "oauth",
        *,
        messages_per_minute: float = 20.0,
        page_size: int = 200,
        secrets_by_node: bool = False,
        credential: Credential = "secret",
        **settings: Any,
    ) -> None:
        self.trigger = trigger
        end = SandboxOptions().now() - MAIL_ENDED
        self._start = end - MAIL_LASTS
        self.world = Sandbox(
            SandboxOptions(
                mail=settled_mail(messages_per_minute, self._start, end),
                reporting=ReportingOptions(page_size=page_size, basic_auth=trigger == "basic"),
                secrets_by_node=secrets_by_node,
                credential=credential,
            )
        )
        self._folder = folder
        self._settings = {"timedelta": 0, "start_time": START_TIME_HOURS, **settings}
        self._said_before = 0  # characters of the output
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Open the world; the process is made but not started."""
        self._open.enter_context(self.world)
        self.process = self._open.enter_context(
            TriggerProcess(self.world, self._folder, self.trigger, **self._settings)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close both; a failure of the sandbox itself fails the test."""
        self._open.close()
        assert self.world.failures == []

    @property
    def rows(self) -> int:
        """How many rows there are to collect."""
        now = self.world.now()
        return self.world.tenant.count(self._start, now, now)

    @property
    def delivered(self) -> bool:
        """Whether the intake accepted as many events as there are rows."""
        return self.world.intake.counts.events >= self.rows

    @property
    def requests_to_microsoft(self) -> int:
        """To Entra ID and the Reporting Web Service, since the latest `start`."""
        return sum(map(self.world.request_log.count, ("entra", "reporting")))

    def struck(self, service: str) -> bool:
        """Whether a fault met a request to `service` since the latest `start`."""
        return any(entry.fault for entry in self.world.request_log.entries(service))

    def said(self, text: str) -> bool:
        """Whether the process printed `text` since the latest `start`."""
        return text in self.process.output[self._said_before :]

    def start(self) -> None:
        """Start the process, again if it ended; the request log and `said` begin anew."""
        self.world.request_log.clear()
        self._said_before = len(self.process.output)
        self.process.start()

    def wait_until_started(self) -> None:
        """Return when the process has made its first request since the latest `start`."""
        self.process.wait_until(self.world.request_log.count)

    def wait_until_struck(self, *services: str) -> None:
        """Return when a fault has met a request to each of `services`."""
        self.process.wait_until(lambda: all(map(self.struck, services)))

    def wait_until_log(self, *levels: str) -> None:
        """Return when the platform was sent a log of one of these levels."""
        self.process.wait_until(lambda: self.world.playbook.messages(*levels))

    def wait_until_delivered(self) -> None:
        """Return when everything has arrived and no more requests are made."""
        self.wait_until_started()
        self.process.wait_until(lambda: self.delivered)
        self.process.wait_until_quiet(0.5)

    def report(self) -> Report:
        """What arrived, compared with what there was."""
        now = self.world.now()
        return self.world.check(self._start, now, now)

    def health(self) -> requests.Response:
        """What the platform's liveness probe gets."""
        return self._local("LIVENESS_PORT", "/health")

    def metrics(self) -> str:
        """What the platform's metrics scraper gets."""
        return self._local("METRICS_PORT", "/metrics").text

    def _local(self, port: str, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # a proxy is of no use on the way to this machine
            url = f"http://127.0.0.1:{self.process.environment[port]}{path}"
            return session.get(url, timeout=10)


class OpenScene(Protocol):
    """Opens a scene that is closed after the module's last test."""

    def __call__(
        self,
        trigger: Literal["oauth", "basic"] = "oauth",
        *,
        messages_per_minute: float = 20.0,
        page_size: int = 200,
        secrets_by_node: bool = False,
        credential: Credential = "secret",
        **settings: Any,
    ) -> Scene: ...


Reach = Callable[[Scene], None]
"""Lets a scene come to the point that a test is about."""
