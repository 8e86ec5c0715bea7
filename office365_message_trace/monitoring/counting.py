"""Counts requests by outcome, and storage accesses."""

from collections.abc import Callable
from typing import TypeVar

from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.errors import StorageFailed, Unavailable
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.wrappers import WrappedStorage
from office365_message_trace.transport.client import Http, Pending, Request
from office365_message_trace.transport.session import Answer

OUTCOMES = ("ok", "throttled", "refused", "failed", "no_answer")
"""Outcomes of a request."""

_T = TypeVar("_T")


def outcome(status: int) -> str:
    """The outcome of a request that was answered with ``status``."""
    if status < 300:
        return "ok"
    if status == 429:
        return "throttled"
    return "refused" if 400 <= status < 500 else "failed"


class CountingHttp:
    """Wraps an `Http` and counts its answers under ``api``."""

    def __init__(self, http: Http, api: str, monitor: Monitor) -> None:
        self._http = http
        self._api = api
        self._monitor = monitor

    def begin(self, request: Request) -> Pending:
        pending = self._http.begin(request)

        def wait() -> Answer:
            try:
                answer = pending()
            except Unavailable:
                self._monitor.request(self._api, "no_answer")
                raise
            self._monitor.request(self._api, outcome(answer.status))
            return answer

        return wait


class CountingStorage(WrappedStorage):
    """Wraps a storage and counts its writes and failures."""

    def __init__(self, storage: Storage, monitor: Monitor) -> None:
        super().__init__(storage)
        self._monitor = monitor

    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        try:
            result = action()
        except StorageFailed:
            self._monitor.stored(failures=1)
            raise
        self._monitor.stored(writes=writes)
        return result
