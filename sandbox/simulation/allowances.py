"""Every exception that the judge makes to the promises: the whole list, for `docs/guarantees.md`.

Nothing lost, and the last state last
 * A row is owed if the service shows it, and a version of it if that is shown, within the look-back of
   its receive time (`timedelta`, where that is longer), under the settings that are in force then and
   later. Settings that reach further count from when they are entered: `Promises.reach`.
 * A version that is shown neither until its own bound nor until the last read of its time is owed to
   nobody: nothing promises a read in between (`Promises.is_surely_read`). So it is with a row that the
   service hides at its last read, or no longer keeps.
 * While answers are N minutes behind, the last read sees what was shown N minutes before (`behind`).
 * What a raised look-back adds counts from the machine's time at the start, where a process may have ended
   before any service told it the time (`Scenario.tells_no_time`).
 * What cannot be read or delivered is declared instead. Rows count as declared only in a gap whose cause
   is true of them: too old for the service, hidden by it, in the millisecond of a bad record (`NEXT_MS`),
   in a millisecond that holds more than a page, or refused by the intake.
 * Hidden history is declared if it is longer than `HIDDEN_MS`: less cannot be told from quiet.
 * A delivery whose record is lost (a kill or a lost answer before it was made, a part of the record or
   all of the storage destroyed afterwards) is unknown. If the row then goes back to the state that is
   still on record, that is not sent again (`Observation.doubtful`, `Observation.lost_records`).

Nothing repeated
 * What was accepted, but not acknowledged or not recorded before the process ended or lost the storage to
   another one, may come again once for each time (`Observation.excused`).
 * As many events may come again as records were destroyed (`Observation.lost_records`).
 * Where the state alone is lost or old, what is off the record may come again once: the record is kept
   for `RECORD_KEPT_MS` (`Observation.excused_before`, `Observation.recorded_quarters`). So may rows as old that
   the service gives without being asked (`Observation.strays`).

Fresh
 * Bounds hold again `RECOVERY_MINUTES` after whatever disturbed them is over (faults of the services, of
   the intake, of the storage; a process that is down or replaced; another tenant that is collected), and
   for rows that are late, or were missed meanwhile, `CATCHING_UP_MS` after the request budget no longer
   makes windows of the past wait.
 * Where settings change before a row is due, the bound is that of the slowest of them.
 * `SLACK_MS` for one read and its delivery, and `PAGE_MS` more for each request that the pages of a burst
   take at least; `CROWDED_MS` while another client spends of the quota.
 * An event that the intake refused is sent again with the next read of its time, and a row that listings
   leave out comes when its message is asked for by id: neither has a bound but the end. An event that was refused
   in a batch of its own for another reason, such as the key, is due by the last read of its time: when an intake
   begins to refuse everything, the collector takes that for the fault of one event at most.
 * Time of which an answer showed less than there was (a lie, a replica that is behind) has no bound but
   the end, either: what was left out comes with the next read of it.
 * A link that stands for a position leads past as many rows as have vanished before it since it was given: they
   come with the next read of their time, and have no bound but the end (`ShiftedPages`).
 * A bad record delays others for `BAD_RECORD_MS` after it is first met, until it is found. What is received
   in the `BEFORE_BAD_MS` before it and comes late has no bound but the end: only the last read asks for it.

Bounded
 * Two processes together may exceed the request budget while one replaces the other. So may two lives if
   the storage lost, or could not take, the record of what the first one spent (`Observation.budget_lost`).
 * A process is replaced by the mark that a later one leaves. It goes on for `NOTICING_MS` at most, and without a
   post to the intake.
"""

from __future__ import annotations

from sandbox.simulation.settings import HOUR_MS, MINUTE_MS

RECOVERY_MINUTES = 60
"""After a fault; the longest pause between two probes of a service that refuses is ten minutes."""

CATCHING_UP_MS = 15 * MINUTE_MS

SLACK_MS = 60_000
"""One read: pages of a request each, and their delivery."""

PAGE_MS = 10_000
"""More for each request that what is received around a row at once takes: the read and delivery of a burst. Twice
what the quota gives, because re-reads of the same time take their share."""

CROWDED_MS = 15 * MINUTE_MS

FEW_PAGES = 150
"""In a day: the mail of a tenant of which late rows are promised within `FEW_BOUND` times their lateness and
two live reads."""

FEW_BOUND = 1.25

MOST_BOUND, LEAST_LATENESS_MS = 3, 10 * MINUTE_MS
"""In larger tenants, what comes later than the delay is promised within three times its lateness and two live
reads, but no sooner than three times this, nor than what is on time."""

FINAL_SHARE = 1.3
"""Of the age at which time is read for the last time: that read is due when a quarter more has passed."""

FINAL_SLACK_MS = 2 * HOUR_MS
"""After that, for reads that go behind all others and are repeated until they bring nothing new."""

LEAST_FINAL_MS = 30 * MINUTE_MS
"""How much later than the first read the last one is, where `lookback` is no longer than `timedelta`."""

RECORD_KEPT_MS = 75 * HOUR_MS

HIDDEN_MS = 3 * 24 * HOUR_MS

NEXT_MS = 1
"""Neighbouring windows share their bounds, and the service may know finer times than it shows."""

BEFORE_BAD_MS = 2_000
"""Services read beyond the end of a window."""

BAD_RECORD_MS = 2 * HOUR_MS

NOTICING_MS = MINUTE_MS
