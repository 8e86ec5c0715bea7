"""Storage wrappers: one retries, one is read-only."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from office365_message_trace.clock import Clock
from office365_message_trace.errors import StorageFailed
from office365_message_trace.model import Log
from office365_message_trace.seldom import Seldom
from office365_message_trace.storage.base import Storage

_T = TypeVar("_T")
_LONGEST_PAUSE = 60.0  # seconds
_LOG_EVERY = 60.0  # seconds


class WrappedStorage(ABC):
    """The same storage, each access to which goes through one method."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, name: str) -> bytes | None:
        return self._access(lambda: self._storage.read(name))

    def write(self, name: str, data: bytes) -> None:
        self._access(lambda: self._storage.write(name, data), writes=1)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self._access(lambda: self._storage.extend(name, known, added), writes=1)

    def delete(self, name: str) -> None:
        self._access(lambda: self._storage.delete(name), writes=1)

    def names(self, folder: str) -> list[str]:
        return self._access(lambda: self._storage.names(folder))

    @abstractmethod
    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        """The result of ``action``, which writes so many times."""


class RetryingStorage(WrappedStorage):
    """Logs failures, once a minute, and retries until they stop."""

    def __init__(self, storage: Storage, clock: Clock, log: Log) -> None:
        super().__init__(storage)
        self._clock = clock
        self._log = log
        self._telling = Seldom(_LOG_EVERY)

    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        pause, told = 1.0, False
        while True:
            try:
                result = action()
            except StorageFailed as failure:
                if self._telling.may_say("a failure", self._clock.monotonic()):
                    self._log(str(failure), "error")
                    told = True
                self._clock.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if told:
                    self._log("The trigger's storage works again.", "info")
                return result


class ReadOnlyStorage:
    """Read-only view of a running trigger's storage: writes are discarded."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, name: str) -> bytes | None:
        return self._storage.read(name)

    def write(self, name: str, data: bytes) -> None:
        """Discard ``data``."""

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Discard ``added``."""

    def delete(self, name: str) -> None:
        """Leave the blob where it is."""

    def names(self, folder: str) -> list[str]:
        return self._storage.names(folder)
