"""Final reads: which are repeated, and what is given up with them."""

from collections import Counter
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Cause, Coverage, Gap, Read
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.reading import Reading
from office365_message_trace.model import MILLISECOND, UNDATED, Log, Window, instant
from office365_message_trace.seldom import HOURLY, Seldom
from office365_message_trace.untrusted_text import identifier

MOST_REPEATS = 3
"""Repetitions of a final read that brings something new, and of one with a refused event."""

_OLD = 2  # times the final age, of time that was most likely not read before it was that old

_LEFT_OUT = "The intake does not accept one event. Its time is declared as a gap, and it is sent again now and then."
_FOUND_LATE = "The last read of old time brought new or changed rows; they were forwarded."
_STILL_CHANGING = (
    "Microsoft 365 shows new or changed rows up to the end of the look-back; they were forwarded. "
    "Raise lookback if that goes on, or later ones are missed."
)


class FinalReads:
    """Judges final reads that were read to their end, by what the ``ledger`` knows of refused events."""

    def __init__(self, ledger: Ledger, log: Log, monitor: Monitor) -> None:
        self._ledger = ledger
        self._log = log
        self._monitor = monitor
        self._telling = Seldom(HOURLY)

    def repetition(self, reading: Reading) -> tuple[int, int] | None:
        """The numbers of repetitions for the two reasons with which a final read is to be repeated, or None if it is
        settled.

        It is repeated up to `MOST_REPEATS` times because it found something new, or an event of it was refused for the
        first time, and up to `MOST_REPEATS` times because any event was refused or a message was incomplete.
        """
        trial = reading.trial
        new = bool(reading.fresh or reading.owed)
        news = trial.news + new
        withheld = bool(reading.refused or reading.incomplete or self.owed_unseen(reading))
        refusals = trial.refusals + withheld
        unsettled = new and news <= MOST_REPEATS, withheld and refusals <= MOST_REPEATS
        return (news, refusals) if any(unsettled) else None

    def warn_of_late_rows(self, reading: Reading, final_age: timedelta, moment: float) -> None:
        """Log, once an hour at most, that a final read brought rows which were not known."""
        if not reading.late:
            return
        age = reading.read.at - reading.read.window.end
        warning = _FOUND_LATE if age > _OLD * final_age else _STILL_CHANGING
        if self._telling.may_say(warning, moment):
            self._log(warning, "warning")

    def given_up(self, reading: Reading, coverage: Coverage, now: datetime) -> list[Gap]:
        """Log and count the events that stay refused after the last final read; returns the gaps to declare."""
        unseen = self.owed_unseen(reading)
        refused = [
            each for each in reading.refused if _decides(reading.read, each.received, coverage, now)
        ]
        for event in refused:
            name = identifier(event.trace_id) or "none that can be shown"
            self._log(f"{_LEFT_OUT} Its message trace id: {name}", "error")
        for _ in unseen:
            self._log(_LEFT_OUT, "error")
        if events := len(refused) + len(unseen):
            self._monitor.discarded(events)
        shown = [event.received for event in refused if event.received != UNDATED]
        times = [at for at in map(instant, [*shown, *unseen]) if at <= now]
        return [Gap(Window(at, at + MILLISECOND), Cause.REFUSED) for at in times]

    def owed_unseen(self, reading: Reading) -> list[int]:
        """Receive times of events that are owed in a window but were not on its pages."""
        owed = Counter(self._ledger.refused(reading.read.window))
        return list((owed - Counter(event.received for event in reading.refused)).elements())


def _decides(read: Read, received: int, coverage: Coverage, now: datetime) -> bool:
    """True if a final ``read`` decides about refused events of that time: it is its own, or no other window will
    read it."""
    if received == UNDATED:
        return True
    at = instant(received)
    own = read.window.start <= at < read.window.end
    return own or at > now or not coverage.owes(at)
