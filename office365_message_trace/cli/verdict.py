"""The verdict of ``status`` on a trigger: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from office365_message_trace.collect.coverage import Cause, Coverage
from office365_message_trace.collect.timetable import LARGEST_BOUND
from office365_message_trace.formatting import count, span
from office365_message_trace.model import EPOCH
from office365_message_trace.monitoring.activity_log import Activity, Problem


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
    """What a verdict is found from.

    ``owned_since`` is when the latest process took the state, ``usual_lag`` the largest lag of the live
    edge while the trigger works, or zero if that is unknown; ``doubts`` are faults in the state.
    """

    now: datetime
    coverage: Coverage | None
    activity: Activity
    owned_since: datetime | None
    usual_lag: timedelta
    backlog: str
    doubts: tuple[str, ...] = ()

    @property
    def late(self) -> bool:
        """True if the live edge is more than `usual_lag` behind; False if that is unknown."""
        if self.coverage is None or not self.usual_lag:
            return False
        return self.now - self.coverage.live > self.usual_lag

    @property
    def stopped(self) -> datetime | None:
        """When the trigger was stopped, unless it has started again since."""
        stopped = self.activity.progress and self.activity.progress.stopped
        if not stopped or (self.owned_since and self.owned_since > stopped):
            return None
        return stopped

    @property
    def just_started(self) -> bool:
        """True if the latest process has had no time yet to read fresh mail."""
        patience = self.usual_lag or timedelta(minutes=5)
        return self.owned_since is not None and self.now - self.owned_since < patience

    @property
    def cause(self) -> Problem | None:
        """The latest problem since fresh mail was read."""
        problems = self.activity.problems
        read_at = self.coverage.live if self.coverage else None
        return problems[-1] if problems and (not read_at or problems[-1].at > read_at) else None

    def verdict(self) -> Verdict:
        if self.coverage is None:
            return self._nothing_read()
        behind = span(self.now - self.coverage.live)
        if stopped := self.stopped:
            read = self.coverage.read_at > EPOCH
            until = f"mail was read up to {behind} ago" if read else "it had read nothing yet"
            text = f"The trigger was stopped {span(self.now - stopped)} ago; {until}."
            return Verdict(Health.CRITICAL if self.late else Health.WARNING, text)
        if self.late:
            return self._late(behind)
        owed = self._owed()
        wrong = self._wrong()
        text = (
            f"Mail is forwarded: read up to {behind} ago. "
            f"{'Owed: ' + owed if owed else 'Nothing is owed'}, "
            f"{'wrong: ' + wrong if wrong else 'nothing is wrong'}."
        )
        return Verdict(Health.WARNING if owed or wrong else Health.OK, text)

    def _nothing_read(self) -> Verdict:
        if self.doubts or self.owned_since is None:
            text = "The trigger has not run here, or its state is lost."
            return Verdict(Health.UNKNOWN, text)
        text = (
            f"The trigger started {span(self.now - self.owned_since)} ago and has read nothing yet."
        )
        health = Health.WARNING if self.just_started else Health.CRITICAL
        return Verdict(health, text + self._because())

    def _late(self, behind: str) -> Verdict:
        if self.just_started and self.owned_since:
            text = (
                f"The trigger started {span(self.now - self.owned_since)} ago; mail is read up to "
                f"{behind} ago, the time before the start."
            )
            return Verdict(Health.WARNING, text + self._because())
        text = (
            f"Mail is late: read up to {behind} ago, at most {span(self.usual_lag)} are usual. The "
            "trigger does not run, or waits: start it, or see its log."
        )
        return Verdict(Health.CRITICAL, text + self._because())

    def _because(self) -> str:
        return f" It waits because of this: {self.cause.text}" if self.cause else ""

    def _owed(self) -> str:
        """What will still be forwarded, if it can be read."""
        gaps = self.coverage.gaps if self.coverage else ()
        tried = sum(gap.cause is not Cause.TOO_OLD for gap in gaps)
        parts = [self.backlog, f"{count(tried, 'gap')}, tried again every hour" if tried else ""]
        return " and ".join(filter(None, parts))

    def _wrong(self) -> str:
        progress = self.activity.progress
        parts = ["a copy of the state is damaged"] if self.doubts else []
        if progress and progress.bound > LARGEST_BOUND:
            parts.append(
                f"rows that come late are found within {progress.bound:.1f} times their lateness"
            )
        return ", ".join(parts)
