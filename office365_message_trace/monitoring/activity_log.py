"""The activity log: a trigger's latest problems and its progress, for people.

The trigger keeps it in its storage for the command ``status``, and logs a progress line a minute. No
decision depends on it, so damage does no harm, and a failing storage delays nothing: the next write
includes what was missed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import orjson

from office365_message_trace.clock import Clock
from office365_message_trace.collect.coverage import Coverage, Policy
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.progress import CatchUp, progress_line
from office365_message_trace.errors import StorageFailed
from office365_message_trace.model import Delivery, Log, sensible
from office365_message_trace.storage.base import Storage
from office365_message_trace.untrusted_text import LONGEST_LINE, printable

MOST_PROBLEMS = 20
WRITE_EVERY = 60.0  # seconds, but for new problems

_RECORD = "activity.json"
_PROBLEMS = ("warning", "error", "critical")
_ENDLESS = 2**53  # JSON numbers are exact below
_CENTURIES = 1e10  # seconds


def _unknown() -> timedelta | None:
    return None


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence that was logged ``times`` times, last at ``at``."""

    at: datetime
    level: str
    text: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress at ``at`` of a trigger that started at ``started``.

    ``ahead`` is the lead of its machine's clock over Microsoft's time, None if no service had told it: then
    these times are the machine's, else Microsoft's.

    ``usual_lag`` is the largest lag of the live edge while the trigger works, and ``bound`` the multiple
    of their lateness within which late rows are found; zero if unknown. ``stopped`` is None while it runs,
    and after a kill.
    """

    at: datetime
    started: datetime
    forwarded: int = 0
    usual_lag: timedelta = timedelta(0)
    bound: float = 0.0
    catch_up: CatchUp = field(default_factory=CatchUp)
    stopped: datetime | None = None
    ahead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """The contents of an activity log, latest problem last."""

    problems: tuple[Problem, ...] = ()
    progress: Progress | None = None


class ActivityLog(Monitor):
    """Records the activity of a running trigger in ``storage``, which must not retry.

    Writes at once at the start, for a new problem, a new bound, the first events and at the end, else at most once a
    minute.
    Thread-safe. Never raises: a failed write is dropped. ``ahead`` returns the lead of the machine's clock
    over Microsoft's time, if that is known.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        policy: Policy,
        log: Log,
        ahead: Callable[[], timedelta | None] = _unknown,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._log = log
        self._ahead = ahead
        self._began = clock.monotonic()
        self._forwarded = 0  # since the last line
        self._line_at = clock.monotonic()
        self._lock = Lock()
        before = read_activity(storage)
        self._problems = list(before.problems)
        now = clock.now()
        self._progress = replace(
            before.progress or Progress(now, now),
            started=now,
            forwarded=0,
            usual_lag=policy.usual_lag,
            stopped=None,
            ahead=None,
        )
        self._write(at_once=True)
        self._written_at = self._began - WRITE_EVERY  # the first progress is written at once, too

    def note(self, text: str, level: str) -> None:
        """Record a logged line, if it is a warning or worse."""
        if level not in _PROBLEMS:
            return
        text = printable(text, LONGEST_LINE)
        with self._lock:
            known = next((each for each in self._problems if each.text == text), None)
            times = 1
            if known is not None:
                self._problems.remove(known)
                times = known.times + 1
            self._problems.append(Problem(self._clock.now(), level, text, times))
            del self._problems[:-MOST_PROBLEMS]
            self._write(at_once=known is None)

    def covered(self, coverage: Coverage, now: datetime) -> None:
        with self._lock:
            catch_up = self._progress.catch_up.at(now, coverage.backlog_span.total_seconds())
            self._progress = replace(self._progress, catch_up=catch_up)
            self._write()
        moment = self._clock.monotonic()
        if moment - self._line_at >= WRITE_EVERY:
            self._line_at = moment
            forwarded, self._forwarded = self._forwarded, 0
            self._log(progress_line(now, coverage.live, forwarded, catch_up), "info")

    def delivered(self, delivery: Delivery) -> None:
        events = len(delivery.accepted)
        if not events:
            return
        first = not self._progress.forwarded
        if first:
            self._log("The Sekoia.io intake accepts the events.", "info")
        self._forwarded += events
        with self._lock:
            forwarded = self._progress.forwarded + events
            self._progress = replace(self._progress, forwarded=forwarded)
            self._write(at_once=first)

    def promised(self, bound: float) -> None:
        with self._lock:
            self._progress = replace(self._progress, bound=bound)
            self._write(at_once=True)  # seldom

    def close(self) -> None:
        """Write what is pending: the trigger stops."""
        with self._lock:
            self._progress = replace(self._progress, stopped=self._clock.now())
            self._write(at_once=True)

    def _write(self, at_once: bool = False) -> None:
        moment = self._clock.monotonic()
        if not at_once and moment - self._written_at < WRITE_EVERY:
            return
        self._written_at = moment
        now, ahead = self._clock.now(), self._ahead()
        started = self._progress.started
        if ahead is not None and self._progress.ahead is None:  # Microsoft's time became known
            started = now - timedelta(seconds=moment - self._began)
        self._progress = replace(self._progress, at=now, started=started, ahead=ahead)
        document = {
            "problems": [asdict(each) for each in self._problems],
            "progress": {
                **asdict(self._progress),
                "usual_lag": self._progress.usual_lag.total_seconds(),
                "ahead": ahead.total_seconds() if ahead is not None else None,
            },
        }
        # A failure of the storage is logged where the state is written.
        with suppress(Exception):
            self._storage.write(_RECORD, orjson.dumps(document))


def read_activity(storage: Storage) -> Activity:
    """The activity recorded in ``storage``; empty if there is no usable record."""
    try:
        document = orjson.loads(storage.read(_RECORD) or b"{}")
        problems = tuple(_problem(each) for each in document.get("problems", ())[-MOST_PROBLEMS:])
        progress = document.get("progress")
        return Activity(problems, _progress(progress) if progress else None)
    except (StorageFailed, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return Activity()


def _problem(entry: Mapping[str, Any]) -> Problem:
    level, text = entry["level"], entry["text"]
    if level not in _PROBLEMS or not isinstance(text, str):
        raise ValueError("not a problem of an activity log")
    return Problem(
        _instant(entry["at"]), level, printable(text, LONGEST_LINE), _count(entry["times"])
    )


def _progress(entry: Mapping[str, Any]) -> Progress:
    catch_up = entry["catch_up"]
    longest_at, stopped, ahead = catch_up["longest_at"], entry.get("stopped"), entry.get("ahead")
    return Progress(
        at=_instant(entry["at"]),
        started=_instant(entry["started"]),
        forwarded=_count(entry["forwarded"]),
        usual_lag=timedelta(seconds=_seconds(entry.get("usual_lag", 0))),
        bound=_seconds(entry.get("bound", 0)),
        catch_up=CatchUp(
            _seconds(catch_up["backlog"]),
            _seconds(catch_up["longest"]),
            _instant(longest_at) if longest_at else None,
        ),
        stopped=_instant(stopped) if stopped else None,
        ahead=_lead(ahead) if ahead is not None else None,
    )


def _instant(text: str) -> datetime:
    return sensible(datetime.fromisoformat(text))


def _count(number: Any) -> int:
    if not isinstance(number, int) or not 0 <= number < _ENDLESS:
        raise ValueError("an impossible number")
    return number


def _lead(seconds: Any) -> timedelta:
    """A span of time of either sign."""
    ahead = timedelta(seconds=_seconds(abs(seconds)))
    return ahead if seconds >= 0 else -ahead


def _seconds(number: Any) -> float:
    if not isinstance(number, int | float) or not 0 <= number < _CENTURIES:
        raise ValueError("an impossible time")
    return float(number)
