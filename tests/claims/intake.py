"""An intake whose verdict on a batch is a test's."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import orjson

from office365_message_trace.transport.client import Request
from office365_message_trace.transport.session import Answer

Verdict = Callable[[list[Any]], "Answer | None"]


class Intake:
    """Takes every event, unless ``verdict`` answers something else for a batch of them."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.verdict: Verdict = lambda events: None
        self.accepted: list[tuple[int, dict[str, Any]]] = []
        """When each event was taken, in milliseconds since 1970."""

    def answer(self, request: Request) -> Answer:
        """The answer to a batch."""
        body = request.body or b""
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = [orjson.loads(text) for text in orjson.loads(body)["jsons"]]
        return self.verdict(events) or self.accept(events)

    def accept(self, events: list[Any]) -> Answer:
        """Take ``events``; an id for each."""
        self.accepted += [(self._now(), event) for event in events]
        return ids(["an id"] * len(events))


def ids(given: list[Any]) -> Answer:
    """An answer with these ids."""
    return Answer(200, {}, orjson.dumps({"event_ids": given}))
