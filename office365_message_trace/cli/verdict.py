"""The verdict of ``status`` on a trigger: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from office365_message_trace.collect.coverage import Cause, Coverage
from office365_message_trace.collect.timetable import LARGEST_BOUND
from office365_message_trace.formatting import count, moment, span
from office365_message_trace.microsoft.dates import AGREEMENT
from office365_message_trace.model import EPOCH
from office365_message_trace.monitoring.activity_log import Activity, Problem

_AGREEMENT = timedelta(seconds=AGREEMENT)  # of clocks that count as right


class Health(Enum):
    """How a trigger is, as monitoring plugins tell it: ``status`` is the exit status."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def status(self) -> int:
        return list(Health).index(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether mail is forwarded, what is owed and what is wrong, in one line."""

    health: Health
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The input of a verdict.

    ``now`` is the time by this machine's clock, or the latest of Microsoft's times in the state if that is
    later: then the clock is ``behind`` by so much at least. ``started`` is when the latest process started,
    ``usual_lag`` the largest lag of the live edge while the trigger works, or zero if that is unknown;
    ``doubts`` are faults in the state.
    """

    now: datetime
    coverage: Coverage | None
    activity: Activity
    started: datetime | None
    usual_lag: timedelta
    backlog: str
    doubts: tuple[str, ...] = ()
    behind: timedelta = timedelta(0)

    @property
    def late(self) -> bool | None:
        """True if the live edge is more than `usual_lag` behind; False also if that is unknown; None if it
        depends on which clock is right."""
        if self.clock_is_behind:
            return self._late_at(self.now) or None
        here, there = (self._late_at(now) for now in (self.now, self.elsewhere))
        return here if here == there else None

    @property
    def clock_is_behind(self) -> bool:
        """True if this machine's clock contradicts the state."""
        return self.behind > _AGREEMENT

    @property
    def ahead(self) -> timedelta:
        """The lead over Microsoft's time of the clock of the trigger's machine, when that last wrote; zero
        if it was right or is unknown."""
        progress = self.activity.progress
        ahead = (progress and progress.ahead) or timedelta(0)
        return ahead if abs(ahead) > _AGREEMENT else timedelta(0)

    @property
    def elsewhere(self) -> datetime:
        """Microsoft's time if this machine is the trigger's, and its clock still as wrong."""
        return max(self.now - self.ahead, latest_time(self.coverage, self.activity))

    @property
    def stopped(self) -> datetime | None:
        """When the trigger was stopped; None if it runs, or was killed."""
        progress = self.activity.progress
        return progress.stopped if progress else None

    @property
    def just_started(self) -> bool:
        """True if the latest process has had no time yet to read fresh mail."""
        return self._just_started_at(self.now)

    @property
    def cause(self) -> Problem | None:
        """The latest problem since fresh mail was read."""
        problems = self.activity.problems
        read_at = self.coverage.live if self.coverage else None
        return problems[-1] if problems and (not read_at or problems[-1].at > read_at) else None

    def verdict(self) -> Verdict:
        if self.coverage is None:
            return self._nothing_read()
        behind = self._ago(self.coverage.live)
        if self.stopped:
            read = self.coverage.read_at > EPOCH
            until = f"mail was read up to {behind}" if read else "it had read nothing yet"
            text = f"The trigger was stopped {self._ago(self.stopped)}; {until}."
            health = Health.CRITICAL if self.late else Health.WARNING
            return Verdict(health, text + self._clocks())
        if self.late and self.just_started:
            return self._catching_up(behind)
        if self.late is None or (self.late and self._just_started_at(self.elsewhere)):
            return self._not_known(self.coverage)
        if self.late:
            return self._late(behind)
        owed = self._owed()
        wrong = self._wrong()
        text = (
            f"Mail is forwarded: read up to {behind}. "
            f"{'Owed: ' + owed if owed else 'Nothing is owed'}, "
            f"{'wrong: ' + wrong if wrong else 'nothing is wrong'}."
        )
        return Verdict(Health.WARNING if owed or wrong else Health.OK, text)

    def _late_at(self, now: datetime) -> bool:
        if self.coverage is None or not self.usual_lag:
            return False
        return now - self.coverage.live > self.usual_lag

    def _just_started_at(self, now: datetime) -> bool:
        patience = self.usual_lag or timedelta(minutes=5)
        return self.started is not None and abs(now - self.started) < patience

    def _ago(self, then: datetime) -> str:
        """The age of ``then``, marked as a minimum if this machine's clock is behind."""
        return f"{'at least ' if self.clock_is_behind else ''}{span(self.now - then)} ago"

    def _nothing_read(self) -> Verdict:
        if self.doubts or self.started is None:
            text = "The trigger has not run here, or its state is lost."
            return Verdict(Health.UNKNOWN, text)
        text = f"The trigger started {self._ago(self.started)} and has read nothing yet."
        health = Health.WARNING if self.just_started else Health.CRITICAL
        return Verdict(health, text + self._because() + self._clocks())

    def _catching_up(self, behind: str) -> Verdict:
        started = self._ago(self.started) if self.started else ""
        text = f"The trigger started {started}; mail is read up to {behind}, the time before the start."
        return Verdict(Health.WARNING, text + self._because() + self._clocks())

    def _not_known(self, coverage: Coverage) -> Verdict:
        text = f"It is not known if mail is late: it was read up to {moment(coverage.live)}."
        return Verdict(Health.WARNING, text + self._clocks())

    def _late(self, behind: str) -> Verdict:
        text = (
            f"Mail is late: read up to {behind}, at most {span(self.usual_lag)} are usual. The "
            "trigger does not run, or waits: start it, or see its log."
        )
        return Verdict(Health.CRITICAL, text + self._because() + self._clocks())

    def _because(self) -> str:
        return f" It waits because of this: {self.cause.text}" if self.cause else ""

    def _clocks(self) -> str:
        """A sentence about a wrong clock, if there is one."""
        if self.clock_is_behind:
            return (
                f" This machine's clock is {span(self.behind)} behind a time in the trigger's state: have a "
                "time service (NTP) set it, and that of the trigger's machine."
            )
        if not self.ahead or self.coverage is None:
            return ""
        here, there = (span(now - self.coverage.live) for now in (self.now, self.elsewhere))
        where = "ahead of" if self.ahead > timedelta(0) else "behind"
        return (
            f" The clock of the trigger's machine was {span(self.ahead)} {where} Microsoft's when it last "
            f"wrote: if this is that machine, mail was read up to {there} ago, else {here}. Have a time service "
            "(NTP) set the clock there."
        )

    def _owed(self) -> str:
        """What will still be forwarded, if it can be read."""
        gaps = self.coverage.gaps if self.coverage else ()
        tried = sum(gap.cause is not Cause.TOO_OLD for gap in gaps)
        which = "one of them " if tried > 1 else ""
        gaps_tried = f"{count(tried, 'gap')}, {which}tried again every hour" if tried else ""
        parts = [self.backlog, gaps_tried]
        return " and ".join(filter(None, parts))

    def _wrong(self) -> str:
        progress = self.activity.progress
        parts = ["a copy of the state is damaged"] if self.doubts else []
        if progress and progress.bound > LARGEST_BOUND:
            parts.append(
                f"rows that come late are found within {progress.bound:.1f} times their lateness"
            )
        return ", ".join(parts)


def latest_time(coverage: Coverage | None, activity: Activity) -> datetime:
    """The latest of Microsoft's times in a trigger's state, which have passed; `EPOCH` without any."""
    progress = activity.progress
    times = [coverage.live, coverage.read_at] if coverage else []
    if progress and progress.ahead is not None:
        times.append(progress.at)
    return max(times, default=EPOCH)
