"""Counts at the edges: requests by what came of them, and what the storage was asked for."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from office365_message_trace.errors import StorageFailed, Unavailable
from office365_message_trace.storage.base import Storage
from office365_message_trace.transport.client import Http, Pending, Request
from office365_message_trace.transport.session import Answer

OUTCOMES = ("ok", "throttled", "refused", "failed", "no_answer")
"""What can come of a request."""

_T = TypeVar("_T")


class Meter(Protocol):
    """Who counts."""

    def request(self, api: str, outcome: str) -> None:
        """A request to ``api`` ended in ``outcome``, one of `OUTCOMES`."""

    def stored(self, writes: int = 0, failures: int = 0) -> None:
        """The storage took ``writes`` or failed ``failures`` times."""


def outcome(status: int) -> str:
    """What a status means for whoever looks at the numbers."""
    if status < 300:
        return "ok"
    if status == 429:
        return "throttled"
    return "refused" if 400 <= status < 500 else "failed"


class MeteredHttp:
    """The same `Http`, its answers counted as those of ``api``."""

    def __init__(self, http: Http, api: str, meter: Meter) -> None:
        self._http = http
        self._api = api
        self._meter = meter

    def begin(self, request: Request) -> Pending:
        pending = self._http.begin(request)

        def wait() -> Answer:
            try:
                answer = pending()
            except Unavailable:
                self._meter.request(self._api, "no_answer")
                raise
            self._meter.request(self._api, outcome(answer.status))
            return answer

        return wait


class MeteredStorage:
    """The same storage, its writes and its failures counted."""

    def __init__(self, storage: Storage, meter: Meter) -> None:
        self._storage = storage
        self._meter = meter

    def read(self, name: str) -> bytes | None:
        return self._counted(lambda: self._storage.read(name), writes=0)

    def write(self, name: str, data: bytes) -> None:
        self._counted(lambda: self._storage.write(name, data))

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self._counted(lambda: self._storage.extend(name, known, added))

    def delete(self, name: str) -> None:
        self._counted(lambda: self._storage.delete(name))

    def names(self, folder: str) -> list[str]:
        return self._counted(lambda: self._storage.names(folder), writes=0)

    def _counted(self, action: Callable[[], _T], writes: int = 1) -> _T:
        try:
            result = action()
        except StorageFailed:
            self._meter.stored(failures=1)
            raise
        self._meter.stored(writes=writes)
        return result
