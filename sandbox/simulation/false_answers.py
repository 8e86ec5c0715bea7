"""Answers that are well-formed and wrong, or that speak of something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import unquote

import orjson

from office365_message_trace.transport.client import Request
from office365_message_trace.transport.session import Answer
from sandbox.bad_records import is_spoilt
from sandbox.clock import from_ms, to_ms
from sandbox.reporting.render import dumps
from sandbox.rows import Version
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.observation import Observation
from sandbox.simulation.service import TOKEN
from sandbox.simulation.tenant import WatchedTenant

_BOUNDS = (
    re.compile(r"StartDate eq datetime'([^']+)' and EndDate eq datetime'([^']+)'", re.IGNORECASE),
    re.compile(r"receivedDateTime ge (\S+) and receivedDateTime le ([^&\s]+)"),
)
_LINKS = ("__next", "odata.nextLink", "@odata.nextLink")
_ERROR = {"code": "UnknownError", "message": "An error has occurred."}
_SOON_SHARE = 3  # of the look-back: younger time will be read again


class Distortions:
    """What becomes of the answers that a service would give.

    A lie shows less than there is. No read of the same time is lied about twice, and only what an
    honest read shows as well: time that is read again, or rows that were shown in this version before.
    `reach_ms` is up to what age rows are looked for; `behind_ms` how old what a stale replica shows is.
    """

    def __init__(
        self,
        tenant: WatchedTenant,
        clock: VirtualClock,
        disturbances: Disturbances,
        observation: Observation,
        rng: Random,
        *,
        reach_ms: int,
        behind_ms: int,
    ) -> None:
        self._tenant, self._clock = tenant, clock
        self._disturbances, self._observation, self._rng = disturbances, observation, rng
        self._reach_ms, self._behind_ms = reach_ms, behind_ms
        self._told: list[tuple[int, int]] = []
        self._honest: list[tuple[int, int, int]] = []  # time of the answer, and the window it ended

    def answer(self, request: Request, ask: Callable[[], Answer]) -> Answer:
        """The answer that `ask` gets, or one of a replica, one that lies, or one about something else."""
        now = self._clock.ms
        if self._disturbances.active("stale") and self._rng.random() < 0.5:
            self._observation.fault(now, "stale")
            self._observation.stale.append((now, now))
            if window := asked_for(request.url):
                self._observation.misled.append(window)
            with self._tenant.behind(self._behind_ms):
                return ask()
        answer = ask()
        if is_spoilt(answer.body):
            first, last = asked_for(request.url) or (0, 0)
            bad = [at for at in self._tenant.mail.bad_ms if first <= at <= last]
            self._observation.met_bad_records(now, bad)
            return answer
        if answer.status != 200:
            return answer
        if self._disturbances.chance("lie") and self._may_be_told(request.url, now):
            self._observation.fault(now, "lie")
            return lie(self._rng, answer)
        if self._disturbances.chance("odd answer"):
            return self._odd(answer)
        if TOKEN.encode() not in answer.body and (window := asked_for(request.url)):
            self._honest.append((now, *window))
        return answer

    def _odd(self, answer: Answer) -> Answer:
        kind = self._rng.choice(("beside", "end", "mark", "else", "else"))
        self._observation.fault(self._clock.ms, f"odd answer: {kind}")
        match kind:
            case "beside":
                return with_error_beside(answer)
            case "end":
                return with_error_at_the_end(answer)
            case "mark":
                return with_byte_order_mark(answer)
            case _:
                return about_something_else(self._rng)

    def _may_be_told(self, url: str, now_ms: int) -> bool:
        """Whether the answer to `url` may be a lie; then it counts as one."""
        window = asked_for(url)
        if window is None:
            return False
        first, last = window
        if any(first <= to and since <= last for since, to in self._told):
            return False
        for version in self._tenant.versions(from_ms(first), from_ms(last), from_ms(now_ms)):
            is_old = now_ms - to_ms(version.received) > self._reach_ms // _SOON_SHARE
            if is_old and not self._was_shown(version):
                return False
        self._told.append((first, last))
        self._observation.misled.append((first, last))
        return True

    def _was_shown(self, version: Version) -> bool:
        """True if an honest last page covered the row's receive time after this version became visible."""
        received_ms, visible_ms = to_ms(version.received), to_ms(version.visible_at)
        for at_ms, first, last in reversed(self._honest):
            if at_ms < visible_ms:
                return False
            if first <= received_ms <= last:
                return True
        return False


def asked_for(url: str) -> tuple[int, int] | None:
    """The receive times that a request asks for, milliseconds since 1970; None if it tells none."""
    text = unquote(unquote(url))
    for bounds in _BOUNDS:
        if match := bounds.search(text):
            first, last = (to_ms(datetime.fromisoformat(_aware(each))) for each in match.groups())
            return first, last
    return None


def lie(rng: Random, answer: Answer) -> Answer:
    """Nothing, or fewer rows than a page holds, and no link."""
    keep = rng.choice((0, 0, 2))
    return _changed(answer, lambda rows: rows[: len(rows) * keep // 3])


def with_error_beside(answer: Answer) -> Answer:
    """A third of the rows, no link, and an error as another member."""
    return _changed(answer, lambda rows: rows[: len(rows) // 3], error=_ERROR)


def with_error_at_the_end(answer: Answer) -> Answer:
    """Half of the rows, no link, and an error as the last of them."""
    return _changed(answer, lambda rows: [*rows[: len(rows) // 2], {"error": _ERROR}])


def with_byte_order_mark(answer: Answer) -> Answer:
    """The same, but for the mark before it."""
    return Answer(answer.status, answer.headers, b"\xef\xbb\xbf" + answer.body)


def about_something_else(rng: Random) -> Answer:
    """A refusal whose words fit others: it says nothing of the window, and passes."""
    status, headers, body = rng.choice(_ELSEWHERE)
    return Answer(status, headers, body)


_ELSEWHERE: tuple[tuple[int, dict[str, str], bytes], ...] = (
    (503, {}, b"<html>Our cache is older than 30 days and will be back soon.</html>"),
    (503, {"retry-after": "0.249"}, b""),
    (429, {"retry-after": "0.249"}, b""),
    (500, {}, b'{"error":{"code":"","message":"The log is older than 1 days and too large."}}'),
    (502, {}, b"<html>Request Entity Too Large</html>"),
    (400, {}, b'{"error":{"code":"","message":"The size of the headers is too large."}}'),
    (400, {}, b""),
    (404, {}, b"<html>404 - Not found: no such server</html>"),
    (500, {}, b'{"error":{"code":"","message":"Mailbox not found"}}'),
)


def _changed(
    answer: Answer, rows: Callable[[list[Any]], list[Any]], error: dict[str, str] | None = None
) -> Answer:
    """The page with other rows and without its link; what is no page stays as it is."""
    if answer.status != 200:
        return answer
    body = _decoded(answer.body)
    holder = body.get("d", body)
    name = "results" if "results" in holder else "value"
    holder[name] = rows(holder[name])
    for link in _LINKS:
        holder.pop(link, None)
    if error is not None:
        body["error"] = error
    return Answer(200, answer.headers, dumps(body))


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # half of a surrogate pair, which only the slower one takes
        return json.loads(body.decode("utf-8", "replace"))


def _aware(text: str) -> str:
    return text if text.endswith("Z") or "+" in text else f"{text}Z"
