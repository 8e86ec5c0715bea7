"""The collector, from client to state, between a service and an intake that a test writes itself.

Everything is the product's own but the network, the storage and the machine's clock, which is virtual:
a day takes a second. Each `Laboratory.run` is the life of a process.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from pyrate_limiter import BucketFullException

from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.coverage import Coverage, Gap, Policy
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.ownership import OwnedHttp, OwnedStorage, Ownership
from office365_message_trace.collect.tenant_folders import Identity, find_place
from office365_message_trace.errors import Replaced, Stopped, Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.first_answer import learn_time
from office365_message_trace.microsoft.paced_http import USED_UP
from office365_message_trace.microsoft.request_budget import BACKGROUND, LIVE, RequestBudget
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.storage.wrappers import RetryingStorage
from office365_message_trace.transport.client import PATIENCE, NotYet, Pending, Request
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from office365_message_trace.wiring import run_collector
from sandbox.blobs import Blobs
from sandbox.clock import from_ms, to_ms
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes
from tests.claims.intake import Intake
from tests.claims.service import Fields, Mail, Service

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
T0 = to_ms(START)
"""The same in milliseconds since 1970."""

_FOLDER = "message_trace"
_SERVICE_SECONDS = 0.3  # that an answer takes
_INTAKE_SECONDS = 0.05


def policy(
    *, delay: int = 5, frequency: int = 300, lookback: float = 6, history: int = 30
) -> Policy:
    """Settings: minutes, seconds, hours and days."""
    return Policy(
        timedelta(minutes=delay),
        timedelta(seconds=frequency),
        timedelta(hours=lookback),
        timedelta(days=history),
    )


class Laboratory:
    """A service, an intake, and what of a process stays when it ends.

    ``start_time``, in hours, is how far back a first start reads. ``steps`` are instants with the number
    of milliseconds by which the machine's clock is ahead from then on.
    """

    def __init__(
        self,
        service: Service,
        settings: Policy | None = None,
        *,
        start_time: float = 1,
        steps: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.clock = _MachineClock(T0, Crashes(()), steps)
        self.service = service
        self.settings = settings or policy()
        self.start_time = start_time
        self.tenant, self.intake_key = "contoso.example", "an intake key"
        self.tells_time = True
        """Whether the service's answers have a ``Date``."""
        self.storage = Blobs()
        self.intake = Intake(lambda: self.clock.ms)
        self.logged: list[tuple[int, str, str]] = []
        self.monitor = _GivenUp()

    def run(self, until: int) -> Laboratory:
        """The life of a process up to ``until``, in milliseconds since 1970."""
        _Process(self).live(until)
        return self

    def pause(self, until: int) -> Laboratory:
        """Let time pass in which no process lives."""
        self.clock.skip_to(until)
        return self

    def meanwhile(self, at: int, action: Callable[[], object]) -> None:
        """Have something happen at an instant, while the process waits."""
        self.clock.agenda.append((at, action))

    def log(self, text: str, level: str) -> None:
        """Where processes log to. A defect, which a process survives, ends it here."""
        assert "unexpected fault" not in text
        self.logged.append((self.clock.ms, level, text))

    def said(self, *levels: str) -> list[str]:
        """What was logged at ``levels``: without any, warnings and worse."""
        return [text for _, level, text in self.logged if level in (levels or _PROBLEMS)]

    @property
    def saved(self) -> Coverage:
        """The coverage as the next process would find it."""
        folder = find_place(self.storage, _FOLDER, self.identity).folder
        coverage = CheckpointStore(self.storage.folder(folder), self.log).load()
        assert coverage is not None
        return coverage

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is declared to be missing."""
        return self.saved.gaps

    @property
    def identity(self) -> Identity:
        """Whose mail goes where."""
        return Identity(self.tenant, self.intake_key)

    def missing(self) -> list[Mail]:
        """The rows of which no event was accepted."""
        arrived = {_key(event) for _, event in self.intake.accepted}
        return [row for row in self.service.mail if (row.id, row.to) not in arrived]

    def accepted_at(self) -> dict[object, int]:
        """When the last event of each row was accepted, by its trace id."""
        return {_key(event)[0]: at for at, event in self.intake.accepted}

    def repeats(self) -> int:
        """Events that were accepted again, as they were before."""
        texts = (json.dumps(_content(event)) for _, event in self.intake.accepted)
        return sum(times - 1 for times in Counter(texts).values())

    def last_status(self) -> dict[tuple[object, object], object]:
        """What the last event of each row says."""
        return {
            _key(event): event.get("Status") or event.get("status")
            for _, event in self.intake.accepted
        }


class _GivenUp(Monitor):
    """Counts the events that the collector leaves out in the end."""

    def __init__(self) -> None:
        self.events = 0

    def discarded(self, events: int) -> None:
        self.events += events


class _Process:
    """A process, put together as the triggers do it. It owns the state from when it is made."""

    def __init__(self, lab: Laboratory) -> None:
        self._lab = lab
        self._clock = MicrosoftClock(lab.clock, lab.log)
        place = find_place(lab.storage, _FOLDER, lab.identity)
        self._owner = Ownership(lab.storage, place.folder, self._clock, lab.log)
        self._owner.claim()
        for sentence in place.news:
            lab.log(sentence, "warning")
        place.save(lab.storage)
        self._bare = OwnedStorage(lab.storage.folder(place.folder), self._owner)

    def live(self, until: int) -> None:
        """Collect up to ``until``, or until another process has taken over."""
        clock = self._lab.clock
        with clock.another_process(until), suppress(Stopped):
            clock.alive = self._owner.check_if_due
            try:
                self._collect()
            except Replaced as end:
                self._lab.log(str(end), "error")

    def _collect(self) -> None:
        lab, clock = self._lab, self._clock
        storage = RetryingStorage(self._bare, clock, lab.log)
        budget = RequestBudget(self._bare, clock, lab.settings.frequency)
        http = _ServiceHttp(lab, budget, clock)
        source = lab.service.client(
            Transport(http, "The service", clock, lab.log, None, _no_jitter), clock, lab.log
        )
        now = learn_time(source, clock)
        intake = OwnedHttp(_IntakeHttp(lab), self._owner)
        pusher = BatchPusher(
            "https://intake.example",
            lab.intake_key,
            1000,
            Transport(intake, "The intake", clock, lab.log, None, _no_jitter),
            clock,
            lab.log,
            INTAKE_FORMATS["reporting"],
        )
        start = now - timedelta(hours=lab.start_time)
        run_collector(
            source,
            pusher,
            storage,
            lambda: budget.daily,
            lab.settings,
            start,
            clock,
            lab.log,
            lab.monitor,
        )


class _MachineClock(VirtualClock):
    """A virtual clock on which things happen while the process waits."""

    def __init__(self, start: int, crashes: Crashes, steps: Iterable[tuple[int, int]]) -> None:
        super().__init__(start, crashes, steps)
        self.agenda: list[tuple[int, Callable[[], object]]] = []

    def step(self, at: int, ahead: int) -> None:
        """From ``at`` on, be so many milliseconds ahead."""
        self._steps = deque(sorted((*self._steps, (at, ahead))))

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        due = [entry for entry in self.agenda if entry[0] <= self.ms]
        for entry in due:
            self.agenda.remove(entry)
            entry[1]()


class _ServiceHttp:
    """The way to the service, within the request budget; its answers tell the time."""

    def __init__(self, lab: Laboratory, budget: RequestBudget, clock: MicrosoftClock) -> None:
        self._lab, self._budget, self._clock = lab, budget, clock

    def begin(self, request: Request) -> Pending:
        lab = self._lab
        outcome, arrives = lab.clock.deferring(lambda: self._outcome(request))

        def wait() -> Answer:
            if request.background and arrives > lab.clock.ms + PATIENCE * 1000:
                lab.clock.elapse(PATIENCE)
                raise NotYet(0.0, under_way=True)
            lab.clock.skip_to(arrives)
            if not isinstance(outcome, Answer):
                raise outcome
            date = format_datetime(from_ms(lab.service.clock(arrives)), usegmt=True)
            self._clock.heard("The service", date if lab.tells_time else "", arrives / 1000)
            return outcome

        return wait

    def _outcome(self, request: Request) -> Answer | Unavailable | NotYet:
        try:
            self._budget.try_acquire(BACKGROUND if request.background else LIVE)
        except BucketFullException as full:
            return NotYet(float(full.meta_info["remaining_time"]), USED_UP)
        self._lab.clock.elapse(_SERVICE_SECONDS)
        try:
            answer = self._lab.service.answer(request.url, self._lab.clock.ms)
        except Unavailable as failure:
            return failure
        if answer.status == 429:
            self._budget.throttled()
        return answer


class _IntakeHttp:
    """The way to the intake."""

    def __init__(self, lab: Laboratory) -> None:
        self._lab = lab

    def begin(self, request: Request) -> Pending:
        def wait() -> Answer:
            self._lab.clock.elapse(_INTAKE_SECONDS)
            return self._lab.intake.answer(request)

        return wait


def _no_jitter() -> float:
    return 0.5


def _key(event: Fields) -> tuple[object, object]:
    if "MessageTraceId" in event:
        return event["MessageTraceId"], event.get("RecipientAddress")
    return event.get("id"), event.get("recipientAddress")


def _content(event: Fields) -> Fields:
    """What an event says, but for the place of its row on a page."""
    return {name: value for name, value in sorted(event.items()) if name != "Index"}


_PROBLEMS = ("warning", "error", "critical")
