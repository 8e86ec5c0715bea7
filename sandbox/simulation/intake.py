"""The intake without a network: the sandbox's own, and what befalls it."""

from __future__ import annotations

import gzip
import json
from random import Random

import orjson

from office365_message_trace.errors import Unavailable
from office365_message_trace.transport.client import Pending, Request
from office365_message_trace.transport.session import Answer
from sandbox import wire
from sandbox.intake import Intake
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes, Killed
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.event_identity import POISON_ID, REFUSED_ID
from sandbox.simulation.malformed_answers import bare_status, no_answer, slow_down
from sandbox.simulation.observation import Observation

URL = "https://intake.example"
KEY = "an intake key of the simulation"


class IntakeHttp:
    """Implements `office365_message_trace.transport.retry.Http`."""

    def __init__(
        self,
        intake: Intake,
        clock: VirtualClock,
        crashes: Crashes,
        disturbances: Disturbances,
        observation: Observation,
        rng: Random,
        latency: float,
    ) -> None:
        self._intake, self._clock, self._crashes = intake, clock, crashes
        self._disturbances, self._observation, self._rng = disturbances, observation, rng
        self._latency = latency
        self.poison_stays = False
        """Whether some events are never taken."""
        self._life = observation.life

    def begin(self, request: Request) -> Pending:
        """One batch, with whatever goes wrong with it; nobody has two under way."""
        return lambda: self._send(request)

    def _send(self, request: Request) -> Answer:
        self._observation.sending()
        if self._life is not self._observation.owner:
            self._observation.violations.append(
                "a process that does not own the state posted to the intake"
            )
        if self._clock.stopping:
            self._observation.violations.append("a request to the intake after a stop")
        if self._crashes.strike("before posting", self._clock.ms):
            raise Killed
        began = self._clock.ms
        self._clock.elapse(self._latency * (0.1 + 0.9 * self._rng.random()))
        try:
            answer = self._befallen(request)
        except Unavailable:
            self._note_refused(request)
            raise
        if answer.status != 200:
            self._note_refused(request)
        self._observation.note(began, "intake", answer.status)
        if self._crashes.strike("after posting", self._clock.ms):
            raise Killed
        return answer

    def _note_refused(self, request: Request) -> None:
        batch = batch_of(request)
        if len(batch) == 1:
            self._observation.refused_alone.add(self._observation.events.of(batch[0]))

    def _befallen(self, request: Request) -> Answer:
        now = self._clock.ms
        if self._disturbances.active("intake down"):
            self._observation.fault(now, "intake down")
            if self._rng.random() < 0.1:
                return self._accepted_unheard(request)
            if self._rng.random() < 0.4:
                return no_answer(self._rng, self._clock)
            return bare_status(self._rng)
        if self._disturbances.active("key refused"):
            self._observation.fault(now, "key refused")
            self._observation.life.refused_by_intake.append(now)
            self._observation.held()
            return Answer(self._rng.choice((401, 403, 404)), {}, b'{"error":"unknown key"}')
        if self._disturbances.active("intake throttled"):
            self._observation.fault(now, "intake throttled")
            return slow_down(self._rng, self._clock.true())
        if self._disturbances.chance("post"):
            return self._post_fault(request)
        return self._accepted(request, acknowledged=True)

    def _post_fault(self, request: Request) -> Answer:
        kind = self._rng.choice(("lost", "lost", "nothing", "status", "page", "partial"))
        self._observation.fault(self._clock.ms, f"post: {kind}")
        match kind:
            case "lost":
                return self._accepted_unheard(request)
            case "nothing":
                return no_answer(self._rng, self._clock)
            case "status":
                return bare_status(self._rng)
            case "page":
                return Answer(200, {}, self._rng.choice((b"<html>", b"{}", b"[]", b"")))
            case _:
                return self._accepted_in_part(request)

    def _accepted_unheard(self, request: Request) -> Answer:
        """The intake takes the batch; its answer never arrives, or says nothing."""
        answer = self._accepted(request, acknowledged=False)
        if answer.status == 200 and self._rng.random() < 0.5:
            return bare_status(self._rng, (500, 502, 504))
        raise Unavailable("no answer", "ConnectionError")

    def _accepted_in_part(self, request: Request) -> Answer:
        """The intake gives ids to some events only: these may well come again."""
        answer = self._accepted(request, acknowledged=False)
        if answer.status != 200:
            return answer
        ids = orjson.loads(answer.body)["event_ids"]
        given = ids[: self._rng.randrange(len(ids))] if ids else []
        return Answer(200, {}, orjson.dumps({"event_ids": given}))

    def _accepted(self, request: Request, *, acknowledged: bool) -> Answer:
        options, events = self._intake.options, self._observation.events
        if self._disturbances.active("events refused") and not self._disturbances.over:
            options.poison = events.beginning(REFUSED_ID)
        else:
            options.poison = events.beginning(POISON_ID) if self.poison_stays else None
        target = request.url.removeprefix(URL)
        headers = {name.lower(): value for name, value in request.headers.items()}
        refused = self._intake.counts.rejected_events
        response = self._intake.handle(
            wire.Request(request.method, target, headers, request.body or b"")
        )
        if response.status == 200:
            if refused := self._intake.counts.rejected_events - refused:
                self._observation.faults["events refused"] += refused
                acknowledged = acknowledged and options.poison_answer != "short"
            self._observation.took(self._clock.ms, self._intake.events, acknowledged=acknowledged)
            self._intake.forget()
        elif options.poison is None or len(batch_of(request)) > 1:
            self._observation.fault(self._clock.ms, f"intake refuses a batch ({response.status})")
        else:
            self._observation.faults["an event refused alone"] += 1
        return Answer(response.status, {}, response.body)


def batch_of(request: Request) -> list[str]:
    """The events of a batch, however it is compressed."""
    body = request.body or b""
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    events: list[str] = json.loads(body)["jsons"]
    return events
