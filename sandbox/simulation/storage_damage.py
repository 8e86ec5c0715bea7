"""What happens to the storage while the process is down."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from sandbox.simulation.allowances import RECORD_KEPT_MS
from sandbox.simulation.storage import RECORD_BYTES, STATE
from sandbox.simulation.world import World


@dataclass
class Mishaps:
    """Damages the storage between two lives, and tells the observation what that explains."""

    world: World
    rng: Random
    _backup: dict[str, bytes] = field(default_factory=dict)
    _accepted_then: int = 0

    def befall(self) -> None:
        """Perhaps damage something."""
        mishap = self.rng.choice(
            (
                self._state_copy,
                self._both_copies,
                self._old_state,
                self._backup_restored,
                self._ledger,
            )
        )
        if self.rng.random() < 0.4:
            mishap()

    def back_up(self) -> None:
        """Keep a copy of the whole storage, as it is when a life begins."""
        self._backup = dict(self.world.storage.blobs)
        self._accepted_then = len(self.world.observation.accepted)

    def _state_copy(self) -> None:
        """One of the copies, mostly the newer one, is lost or damaged."""
        name = self.rng.choice(self._states)
        blob = self.world.storage.blobs.get(name)
        if blob is None or len(self._whole_copies()) < len(STATE):
            return
        self._say("a state copy damaged")
        cut = self.rng.randrange(len(blob))
        flipped = blob[:cut] + bytes([blob[cut] ^ 1 << self.rng.randrange(8)]) + blob[cut + 1 :]
        self._replace(name, self.rng.choice((None, b"", blob[:cut], flipped)))

    def _both_copies(self) -> None:
        """The whole state is lost; what was accepted lately is still on record."""
        records = self._records()
        if not records:
            return
        self._say("the state lost")
        numbers = (name.rpartition("/")[2] for name in records)
        quarters = frozenset(int(number) for number in numbers if number.isdecimal())
        self.world.observation.recorded_quarters.append((self.world.clock.ms, quarters))
        for name in self._states:
            self._replace(name, None)

    def _old_state(self) -> None:
        """The state is older than the record, whose oldest parts it may still want."""
        old = {name: self._backup[name] for name in self._states if name in self._backup}
        if not old:
            return
        self._say("an old state restored")
        for name in self._states:
            self._replace(name, old.get(name))
        self._excuse_forgotten()

    def _backup_restored(self) -> None:
        """Everything is as it was when the last life began."""
        if not any(name in self._backup for name in self._states):
            return
        self._say("a backup restored")
        observation = self.world.observation
        observation.budget_lost.append(self.world.clock.ms)
        self.world.storage.blobs = dict(self._backup)
        observation.excuse([text for text, _ in observation.accepted[self._accepted_then :]])

    def _ledger(self) -> None:
        """One blob of the record is lost, or cut."""
        records = self._records()
        if not records:
            return
        self._say("a part of the record lost")
        name = self.rng.choice(records)
        blob = self.world.storage.blobs[name]
        cut = self.rng.choice((0, self.rng.randrange(len(blob) + 1)))
        self.world.observation.lost_records += -(-(len(blob) - cut) // RECORD_BYTES)
        self._replace(name, blob[:cut] if cut else None)

    def _excuse_forgotten(self) -> None:
        """What is older than the record is kept may come again once."""
        now = self.world.clock.ms
        self.world.observation.excused_before.append((now, now - RECORD_KEPT_MS))

    @property
    def _states(self) -> list[str]:
        return [f"{self.world.place.collected.folder}/{name}" for name in STATE]

    def _records(self) -> list[str]:
        ledger = f"{self.world.place.collected.folder}/ledger/"
        return sorted(name for name in self.world.storage.blobs if name.startswith(ledger))

    def _whole_copies(self) -> list[str]:
        return [name for name in self._states if self.world.storage.blobs.get(name)]

    def _replace(self, name: str, blob: bytes | None) -> None:
        if blob is None:
            self.world.storage.blobs.pop(name, None)
        else:
            self.world.storage.blobs[name] = blob

    def _say(self, name: str) -> None:
        self.world.observation.fault(self.world.clock.ms, name)
