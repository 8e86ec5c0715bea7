"""``status``: shows the progress of a trigger, from its state alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.text import Text

from office365_message_trace.cli.console import line
from office365_message_trace.cli.verdict import Facts, latest_time
from office365_message_trace.clock import Clock
from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.coverage import Cause, Coverage, Gap, Policy
from office365_message_trace.collect.freshness import staleness
from office365_message_trace.collect.ledger import FINGERPRINT_BYTES, stored_volume
from office365_message_trace.collect.ownership import Mark, read_mark
from office365_message_trace.collect.tenant_folders import current_folder
from office365_message_trace.collect.timetable import LARGEST_BOUND
from office365_message_trace.formatting import count, late_sentence, moment, span
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.model import Window
from office365_message_trace.monitoring.activity_log import Activity, Problem, read_activity
from office365_message_trace.storage.location import storage_at
from office365_message_trace.storage.wrappers import ReadOnlyStorage

_MOST_GAPS = 5  # without --verbose
_FREQUENCY = timedelta(minutes=1)  # of live reads; spent requests do not depend on it

_CAUSES = {
    Cause.TOO_OLD: "not read before the service stopped keeping it",
    Cause.UNREADABLE: "every request for it fails; tried again now and then",
    Cause.INCOMPLETE: "the service does not give all rows of it; tried again now and then",
    Cause.HIDDEN: "the service shows no row from before; tried again now and then",
    Cause.REFUSED: "the intake refuses an event of it; tried again now and then",
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The time that was never read. ``done`` is the share that was caught up, from 0 to 1, ``left`` the
    time that the rest takes at the pace so far. Both are None if unknown."""

    windows: tuple[Window, ...]
    done: float | None
    left: timedelta | None

    @property
    def length(self) -> timedelta:
        return sum((window.span for window in self.windows), timedelta())

    @property
    def text(self) -> str:
        """The length, the share that is done and the time that the rest takes; empty without a backlog."""
        if not self.windows:
            return ""
        text = f"{span(self.length)} of receive time"
        if self.done is not None:
            text += f", {self.done:.0%} done"
        return text + (f", about {span(self.left)} to go" if self.left is not None else "")


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a trigger at ``now``, by the ``policy`` of its settings, if they are known here;
    ``doubts`` are faults in its state. `Facts` explains ``behind``."""

    now: datetime
    policy: Policy | None
    coverage: Coverage | None
    doubts: tuple[str, ...]
    activity: Activity
    owner: Mark | None
    buckets: int
    rows: int
    spent: int
    limit: int
    behind: timedelta = timedelta(0)

    @property
    def usual_lag(self) -> timedelta:
        """The largest lag of the live edge while the trigger works: by the settings, else by the activity
        log; zero if unknown."""
        if self.policy:
            return self.policy.usual_lag
        progress = self.activity.progress
        return progress.usual_lag if progress else timedelta(0)

    @property
    def facts(self) -> Facts:
        return Facts(
            self.now,
            self.coverage,
            self.activity,
            self._started,
            self.usual_lag,
            self.backlog.text,
            self.doubts,
            self.behind,
        )

    @property
    def _started(self) -> datetime | None:
        """When the latest process started: as it noted, else by its mark, which has its machine's time."""
        if self.activity.progress:
            return self.activity.progress.started
        return self.owner.since if self.owner else None

    @property
    def backlog(self) -> Backlog:
        windows = self.coverage.backlog if self.coverage else ()
        length = sum((window.span for window in windows), timedelta()).total_seconds()
        if self.activity.progress is None:
            return Backlog(windows, None, None)
        catch_up = self.activity.progress.catch_up.at(self.now, length)
        return Backlog(windows, catch_up.done, catch_up.left(self.now))

    def as_dict(self) -> dict[str, Any]:
        """The status for machines: times in ISO 8601, spans in seconds."""
        coverage, progress, backlog = self.coverage, self.activity.progress, self.backlog
        verdict = self.facts.verdict()
        return {
            "verdict": {"level": verdict.health.value, "text": verdict.text},
            "at": self.now,
            "live_edge": coverage.live if coverage else None,
            "lag_seconds": (self.now - coverage.live).total_seconds() if coverage else None,
            "usual_lag_seconds": self.usual_lag.total_seconds() or None,
            "late": self.facts.late,
            "complete_up_to": coverage.oldest if coverage else None,
            "backlog": {
                "seconds": backlog.length.total_seconds(),
                "windows": [_pair(window) for window in backlog.windows],
                "done": backlog.done,
                "seconds_left": backlog.left.total_seconds() if backlog.left is not None else None,
            },
            "rereads": [
                {"age_seconds": age.total_seconds(), "read_seconds_ago": ago.total_seconds()}
                for age, ago in (staleness(coverage, self.now) if coverage else ())
            ],
            "late_rows_bound": (progress.bound or None) if progress else None,
            "gaps": [
                {"window": _pair(gap.window), "cause": gap.cause.value}
                for gap in (coverage.gaps if coverage else ())
            ],
            "ledger": {"buckets": self.buckets, "rows": self.rows},
            "requests": {"spent": self.spent, "limit": self.limit},
            "owner": {"id": self.owner.id, "since": self.owner.since} if self.owner else None,
            "forwarded_since_start": progress.forwarded if progress else None,
            "started": progress.started if progress else None,
            "stopped": self.facts.stopped,
            "problems": [
                {"at": each.at, "level": each.level, "text": each.text, "times": each.times}
                for each in self.activity.problems
            ],
            "doubts": list(self.doubts),
        }

    def lines(self, verbose: bool = False) -> Iterator[Text]:
        """The status for people: the verdict, gaps and the latest problem, or everything."""
        verdict = self.facts.verdict()
        yield line(verdict.health.value, "", verdict.text)
        yield from (line("warning", "state", doubt) for doubt in self.doubts)
        if verbose:
            yield from self._details()
            return
        gaps = self.coverage.gaps if self.coverage else ()
        yield from map(_gap_line, gaps[:_MOST_GAPS])
        if len(gaps) > _MOST_GAPS:
            yield line("", "gaps", f"{len(gaps) - _MOST_GAPS:,} more: see --verbose")
        yield from (_problem_line(each) for each in self.activity.problems[-1:])

    def _details(self) -> Iterator[Text]:
        if self.facts.clock_is_behind:
            text = "this machine's is behind, so all ages below are the least"
            yield line("warning", "clock", text)
        if self.coverage:
            yield from self._reading(self.coverage)
        size = count(self.rows * FINGERPRINT_BYTES, "byte")
        yield line(
            "", "ledger", f"{count(self.rows, 'row')} in {count(self.buckets, 'bucket')}, {size}"
        )
        most = "at most " if self.facts.clock_is_behind else ""
        spent = f"{most}{self.spent} of {self.limit} spent in the last five minutes"
        yield line("", "requests", spent)
        if self.owner:
            yield line(
                "", "owner", f"process {self.owner.id[:8]}, since {moment(self.owner.since)}"
            )
        if progress := self.activity.progress:
            yield line(
                "",
                "forwarded",
                f"{count(progress.forwarded, 'event')} since the start at {moment(progress.started)}; "
                f"noted {span(self.now - progress.at)} ago",
            )
        if ahead := self.facts.ahead:
            where = "ahead of" if ahead > timedelta(0) else "behind"
            text = f"that of the trigger's machine was {span(ahead)} {where} Microsoft's"
            yield line("warning", "clock", text)
        if not self.activity.problems:
            yield line("", "problems", "none noted")
        yield from map(_problem_line, self.activity.problems)

    def _reading(self, coverage: Coverage) -> Iterator[Text]:
        lag = span(self.now - coverage.live)
        text = f"{moment(coverage.live)}, {lag} behind now"
        if self.facts.late:
            yield line("warning", "live edge", f"{text}; {late_sentence(self.usual_lag)}")
        else:
            yield line("", "live edge", text)
        yield line("", "backlog", self._backlog_text())
        for age, ago in staleness(coverage, self.now):
            yield line("", "re-read", f"up to {span(age)} old: {span(ago)} ago at the earliest")
        progress = self.activity.progress
        if progress and progress.bound:
            level = "warning" if progress.bound > LARGEST_BOUND else ""
            text = f"found within {progress.bound:.1f} times their lateness"
            yield line(level, "late rows", text)
        yield line(
            "",
            "complete",
            f"up to {moment(coverage.oldest)}: what was received before will not be read again",
        )
        if not coverage.gaps:
            yield line("", "gaps", "none")
        yield from map(_gap_line, coverage.gaps)

    def _backlog_text(self) -> str:
        backlog = self.backlog
        if not backlog.windows:
            return "none"
        return f"{backlog.text}, from {moment(backlog.windows[0].start)} on"


def _gap_line(gap: Gap) -> Text:
    return line("warning", "gap", f"{gap.window}: {_CAUSES[gap.cause]}")


def _problem_line(problem: Problem) -> Text:
    times = f" ({problem.times} times)" if problem.times > 1 else ""
    return line(problem.level, moment(problem.at), f"{problem.text}{times}")


def read_status(data_path: Path, base: str, policy: Policy | None, clock: Clock) -> Status:
    """Read the state of the tenant collected last, whose folder below ``data_path`` begins with ``base``.

    It is judged by ``policy``, or if that is None by what the trigger noted of its own.
    Raises `StorageFailed`, or `Refused` for a newer state.
    """
    shared = storage_at(data_path)
    folder = current_folder(shared, base)
    stored = storage_at(data_path, folder)
    storage = ReadOnlyStorage(stored)
    doubts: list[str] = []
    coverage = CheckpointStore(storage, lambda text, _level: doubts.append(text)).load()
    buckets, rows = stored_volume(stored)
    activity, machine = read_activity(storage), clock.now()
    now = max(machine, latest_time(coverage, activity))
    budget = RequestBudget(storage, clock, _FREQUENCY)
    return Status(
        now=now,
        policy=policy,
        coverage=coverage,
        doubts=tuple(doubts),
        activity=activity,
        owner=read_mark(shared, folder),
        buckets=buckets,
        rows=rows,
        spent=budget.limit - budget.left,
        limit=budget.limit,
        behind=now - machine,
    )


def _pair(window: Window) -> list[str]:
    return [window.start.isoformat(), window.end.isoformat()]
