"""The trigger's storage, in memory, with what a crash, a full disk or a bad restore does to it."""

from __future__ import annotations

from random import Random

import orjson

from office365_message_trace.errors import StorageFailed
from sandbox.clock import from_ms
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.crashes import Crashes, Killed
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.gaps import declared_gaps
from sandbox.simulation.observation import Observation

RECORD_BYTES = 16
"""Documented in the architecture: the length of one record of acceptance."""

STATE = ("state-0.json", "state-1.json")
BUDGET = "quota.json"
MARK = "owner.json"
FOLDER = "message_trace"
"""Where the first tenant's state lies, below the storage that all triggers share."""
_NO_GAP = b'"gaps": []'


class MemoryStorage:
    """Implements `office365_message_trace.storage.base.Storage`.

    A folder (`objects` false) can be left with a torn end by a kill inside an append; an object
    store takes or leaves a write as a whole.
    """

    def __init__(
        self,
        clock: VirtualClock,
        crashes: Crashes,
        disturbances: Disturbances,
        observation: Observation,
        rng: Random,
    ) -> None:
        self.blobs: dict[str, bytes] = {}
        self.objects = rng.random() < 0.4
        self._clock, self._crashes = clock, crashes
        self._disturbances, self._observation, self._rng = disturbances, observation, rng

    def read(self, name: str) -> bytes | None:
        """The blob, or None."""
        self._may_fail("read")
        return self.blobs.get(name)

    def write(self, name: str, data: bytes) -> None:
        """Replace the blob; a kill inside leaves the old or the new one."""
        self._before()
        try:
            self._may_fail("write")
        except StorageFailed:
            if name.endswith(BUDGET):
                self._observation.budget_lost.append(self._clock.ms)
            raise
        if self._struck("inside a write"):
            if self._rng.random() < 0.5:
                self._keep(name, data)
            raise Killed
        self._keep(name, data)
        self._after()

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Append; a kill or a full disk inside leaves any part of `added`."""
        self._before()
        if not self.blobs.get(name, b"").startswith(known):
            self._observation.violations.append(f"an append forgets what {name} holds")
        part = known + added[: self._rng.randrange(len(added) + 1)] if added else known
        whole = self.objects
        if self._disturbances.active("disk full") and not whole:
            self.blobs[name] = part
        self._may_fail("write")
        if self._struck("inside an append"):
            if not whole:
                self.blobs[name] = part
            elif self._rng.random() < 0.5:
                self.blobs[name] = known + added
            raise Killed
        self.blobs[name] = known + added
        self._observation.recorded()
        self._after()

    def delete(self, name: str) -> None:
        """Remove the blob, if it is there."""
        self._before()
        self._may_fail("write")
        self.blobs.pop(name, None)
        self._after()

    def names(self, folder: str) -> list[str]:
        """The names directly in `folder`."""
        self._may_fail("read")
        prefix = folder + "/"
        inside = (name[len(prefix) :] for name in self.blobs if name.startswith(prefix))
        return sorted({name.partition("/")[0] for name in inside})

    def _keep(self, name: str, data: bytes) -> None:
        self.blobs[name] = data
        if name.rpartition("/")[2] == MARK:
            self._observation.marked()
        if name.rpartition("/")[2] in STATE:
            self._observation.saved(
                self._clock.ms, declared_gaps(data) if _NO_GAP not in data else []
            )

    def _before(self) -> None:
        if self._struck("before a write"):
            raise Killed

    def _after(self) -> None:
        if self._struck("after a write"):
            raise Killed

    def _struck(self, place: str) -> bool:
        return self._crashes.strike(place, self._clock.ms)

    def _may_fail(self, verb: str) -> None:
        now = self._clock.ms
        full = verb == "write" and self._disturbances.active("disk full")
        if (
            full
            or self._disturbances.active("storage down")
            or self._disturbances.chance("storage")
        ):
            self._observation.fault(now, "storage fails")
            if verb == "read" and self._observation.life.replaced is not None:
                # it cannot read the newer mark, so its time to notice begins again
                self._observation.life.replaced = now
            raise StorageFailed("The storage does not work", verb)


class Below:
    """A folder of the storage, as a storage of its own."""

    def __init__(self, storage: MemoryStorage, folder: str) -> None:
        self._storage, self._folder = storage, folder

    def read(self, name: str) -> bytes | None:
        """As the base says."""
        return self._storage.read(f"{self._folder}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """As the base says."""
        self._storage.write(f"{self._folder}/{name}", data)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """As the base says."""
        self._storage.extend(f"{self._folder}/{name}", known, added)

    def delete(self, name: str) -> None:
        """As the base says."""
        self._storage.delete(f"{self._folder}/{name}")

    def names(self, folder: str) -> list[str]:
        """As the base says."""
        return self._storage.names(f"{self._folder}/{folder}")


def cursor_file(edge_ms: int) -> bytes:
    """What the library's former module leaves behind: its cursor in UTC, without saying so."""
    edge = from_ms(edge_ms).replace(tzinfo=None).isoformat()
    return orjson.dumps({"most_recent_date_requested": edge})
