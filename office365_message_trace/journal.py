"""A short diary that a trigger keeps beside its state: its latest problems and how far it has come.

It is for people, through the command ``status``; nothing is decided by it. So damage is no harm, and
a storage that fails makes nobody wait here: what could not be written is written later.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any

import orjson

from office365_message_trace.catchup import CatchUp
from office365_message_trace.clock import Clock
from office365_message_trace.coverage import Coverage
from office365_message_trace.errors import Replaced, StorageFailed
from office365_message_trace.storage import Storage

MOST_PROBLEMS = 20
WRITE_EVERY = 60.0  # seconds, but for new problems

_RECORD = "journal.json"
_PROBLEMS = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence that was logged ``times`` times, last at ``at``."""

    at: datetime
    level: str
    text: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trigger that started at ``started`` had come at ``at``."""

    at: datetime
    started: datetime
    forwarded: int = 0
    catch_up: CatchUp = field(default_factory=CatchUp)


@dataclass(frozen=True, slots=True)
class Diary:
    """What the journal holds, the latest problem last."""

    problems: tuple[Problem, ...] = ()
    progress: Progress | None = None


class Journal:
    """Keeps the diary of a running trigger in ``storage``, which must not wait for itself.

    Written at once for a problem that is new, else once a minute at most. Thread-safe.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._lock = Lock()
        self._written_at = clock.monotonic() - WRITE_EVERY
        before = read_diary(storage)
        self._problems = list(before.problems)
        now = clock.now()
        self._progress = replace(
            before.progress or Progress(now, now), at=now, started=now, forwarded=0
        )

    def note(self, text: str, level: str) -> None:
        """Take in what is logged; warnings and worse are kept."""
        if level not in _PROBLEMS:
            return
        with self._lock:
            known = next((each for each in self._problems if each.text == text), None)
            times = 1
            if known is not None:
                self._problems.remove(known)
                times = known.times + 1
            self._problems.append(Problem(self._clock.now(), level, text, times))
            del self._problems[:-MOST_PROBLEMS]
            self._write(at_once=known is None)

    def accepted(self, events: int) -> None:
        """Count ``events`` that the intake accepted."""
        with self._lock:
            forwarded = self._progress.forwarded + events
            self._progress = replace(self._progress, forwarded=forwarded)

    def saved(self, coverage: Coverage) -> None:
        """Take in how far the trigger has come."""
        with self._lock:
            now = self._clock.now()
            catch_up = self._progress.catch_up.at(now, coverage.backlog_span.total_seconds())
            self._progress = replace(self._progress, at=now, catch_up=catch_up)
            self._write()

    def _write(self, at_once: bool = False) -> None:
        moment = self._clock.monotonic()
        if not at_once and moment - self._written_at < WRITE_EVERY:
            return
        self._written_at = moment
        document = {
            "problems": [asdict(each) for each in self._problems],
            "progress": asdict(self._progress),
        }
        # A failure is logged by those who need the storage; the next write holds this one's news, too.
        with suppress(StorageFailed, Replaced):
            self._storage.write(_RECORD, orjson.dumps(document))


def read_diary(storage: Storage) -> Diary:
    """What a trigger noted in ``storage``; without a usable record, nothing."""
    try:
        document = orjson.loads(storage.read(_RECORD) or b"{}")
        problems = tuple(_problem(each) for each in document.get("problems", ()))
        progress = document.get("progress")
        return Diary(problems, _progress(progress) if progress else None)
    except (StorageFailed, ValueError, TypeError, KeyError, AttributeError):
        return Diary()


def _problem(entry: Mapping[str, Any]) -> Problem:
    at = datetime.fromisoformat(entry["at"])
    return Problem(at, str(entry["level"]), str(entry["text"]), int(entry["times"]))


def _progress(entry: Mapping[str, Any]) -> Progress:
    catch_up = entry["catch_up"]
    longest_at = catch_up["longest_at"]
    return Progress(
        at=datetime.fromisoformat(entry["at"]),
        started=datetime.fromisoformat(entry["started"]),
        forwarded=int(entry["forwarded"]),
        catch_up=CatchUp(
            float(catch_up["backlog"]),
            float(catch_up["longest"]),
            datetime.fromisoformat(longest_at) if longest_at else None,
        ),
    )
