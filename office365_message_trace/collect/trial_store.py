"""The windows that wait to be tried again, as a document in the trigger's storage.

A bad record is found by several failures, and a refused event is declared after several reads: processes that live
for minutes only would begin again with each. Nothing else depends on the document: without it, the windows are
planned by the coverage, as if they had not failed.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from office365_message_trace.collect.checkpoint_store import bounds_of, window_of
from office365_message_trace.collect.coverage import Coverage, Kind, Read, overlap
from office365_message_trace.collect.failed_windows import LONGEST_PAUSE, FailedWindows, Trial
from office365_message_trace.model import EPOCH, Window, instant, milliseconds
from office365_message_trace.storage.base import Storage

_RECORD = "trials.json"
_MOST = 1000
_BEFORE = -1  # less than the successes of any process


class TrialStore:
    """Loads and saves what is known of trials that have failed, or are being repeated. ``storage`` must retry."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._saved: tuple[list[Trial], bool] | None = None  # None if that is not known

    def load(self, coverage: Coverage, now: datetime, moment: float) -> FailedWindows:
        """The failed windows that ``coverage`` still has to read at ``now``, which is ``moment`` in monotonic
        seconds; none if there is no intact document."""
        data = self._storage.read(_RECORD)
        if data is None:
            self._saved = [], False
            return FailedWindows()
        try:
            document = orjson.loads(data)
            trials = [_trial(entry, now, moment) for entry in document["trials"][:_MOST]]
            fresh_mail = bool(document["fresh_mail"])
        except (LookupError, ValueError, TypeError, OverflowError):
            return FailedWindows()
        to_read = [span.window for span in coverage.spans]
        wanted = [t for t in trials if any(overlap(t.window, window) for window in to_read)]
        return FailedWindows(wanted, fresh_mail)

    def save(
        self, failed: FailedWindows, under_way: Collection[Trial], now: datetime, moment: float
    ) -> None:
        """Save the trials of ``failed`` and those ``under_way`` if they have changed; durable when it returns."""
        counting = [trial for trial in (*under_way, *failed.trials) if trial.counts][:_MOST]
        counting = [replace(trial, read=replace(trial.read, at=EPOCH)) for trial in counting]
        fresh_mail = failed.fresh_mail and bool(counting)
        if (counting, fresh_mail) == self._saved:
            return
        entries = [_entry(trial, failed.successes, now, moment) for trial in counting]
        document = {"fresh_mail": fresh_mail, "trials": entries}
        self._storage.write(_RECORD, orjson.dumps(document))
        self._saved = counting, fresh_mail


def _entry(trial: Trial, successes: int, now: datetime, moment: float) -> dict[str, Any]:
    return {
        "kind": trial.read.kind.value,
        "window": bounds_of(trial.read.window),
        "final": trial.read.final,
        "whole": bounds_of(trial.whole) if trial.whole else None,
        "due": milliseconds(now + timedelta(seconds=trial.due - moment)),
        "failures": trial.failures,
        "others_read": successes > trial.successes,
        "news": trial.news,
        "refusals": trial.refusals,
        "sampled": trial.sampled,
    }


def _trial(entry: dict[str, Any], now: datetime, moment: float) -> Trial:
    """Raises LookupError, ValueError, TypeError or OverflowError for what `_entry` did not make."""
    due = (instant(entry["due"]) - now).total_seconds()
    return Trial(
        Read(Kind(entry["kind"]), _window(entry["window"]), now, bool(entry["final"])),
        moment + min(due, LONGEST_PAUSE),
        int(entry["failures"]),
        _BEFORE if entry["others_read"] else 0,
        int(entry["news"]),
        int(entry["refusals"]),
        _window(entry["whole"]) if entry["whole"] else None,
        bool(entry["sampled"]),
    )


def _window(bounds: list[str]) -> Window:
    window = window_of(bounds)
    if not window.span:
        raise ValueError("an impossible window")
    return window
