"""What is owed of each row, and by when; `exceptions` lists what is not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sandbox.clock import from_ms, to_ms
from sandbox.mailflow import LARGE
from sandbox.rows import Version
from sandbox.simulation.allowances import (
    BEFORE_BAD_MS,
    CROWDED_MS,
    FEW_BOUND,
    FEW_PAGES,
    FINAL_SHARE,
    FINAL_SLACK_MS,
    LEAST_FINAL_MS,
    LEAST_LATENESS_MS,
    MOST_BOUND,
    NEXT_MS,
    PAGE_MS,
    SLACK_MS,
)
from sandbox.simulation.event_identity import REFUSED_ID, Events, Identity, RowKey
from sandbox.simulation.gaps import Gap
from sandbox.simulation.observation import Collected, Interval, Observation
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.settings import MINUTE_MS, Settings

_NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that the intake took; milliseconds since 1970."""

    at_ms: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Shown:
    """A version of a row, and when the API showed it; milliseconds since 1970."""

    row: RowKey
    received_ms: int
    from_ms: int
    until_ms: int
    identity: Identity

    @property
    def lateness_ms(self) -> int:
        """How long after receipt it was first shown."""
        return self.from_ms - self.received_ms

    def __str__(self) -> str:
        return (
            f"received {from_ms(self.received_ms):%d. %H:%M:%S.%f}, shown "
            f"{self.lateness_ms / MINUTE_MS:.1f} min after"
        )


def shown_versions(
    versions: Iterable[Version], events: Events, scenario: Scenario | None = None
) -> Iterator[Shown]:
    """The same versions, each with the time until which it was shown.

    With a `scenario`, no longer than its service keeps them.
    """
    earlier: Version | None = None
    for version in versions:
        if earlier is not None:
            same = earlier.row == version.row and not earlier.last
            until_ms = to_ms(version.visible_at) if same else _NEVER
            yield from _shown(earlier, until_ms, events, scenario)
        earlier = version
    if earlier is not None:
        yield from _shown(earlier, _NEVER, events, scenario)


def _shown(
    version: Version, until_ms: int, events: Events, scenario: Scenario | None
) -> Iterator[Shown]:
    received_ms, from_ms_ = to_ms(version.received), to_ms(version.visible_at)
    if version.gone_at is not None:
        until_ms = to_ms(version.gone_at)
    hidden_ms = scenario.hidden_from_ms(received_ms) if scenario else None
    if hidden_ms is not None:
        until_ms = min(until_ms, hidden_ms)
    if from_ms_ < until_ms:
        identity = events.expected(version.content)
        yield Shown(version.row, received_ms, from_ms_, until_ms, identity)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a version is owed at the latest: `bound_ms` after receipt, and later if something disturbed.

    `on_time`: the first read of its time finds it.
    """

    at_ms: int
    bound_ms: int
    on_time: bool


class Promises:
    """Judges the rows of a tenant by the settings that were in force and the faults that there were."""

    def __init__(
        self, scenario: Scenario, observation: Observation, collected: Collected, end_ms: int
    ) -> None:
        self._scenario, self._observation, self._collected = scenario, observation, collected
        self._history = collected.history
        self._starts = [since for since, _ in self._history]
        self._disturbances = _merged([*observation.disturbances, *collected.absent])
        self._hindered = _merged([*self._disturbances, *observation.busy])
        self._stale = _merged(observation.stale)
        self._gaps = [gap for _, gap in collected.gaps]
        self._end_ms = end_ms
        self._fresh_from_ms = max(collected.owed_from_ms, collected.first_start_ms)
        self._bad_ms = set(collected.tenant.mail.bad_ms)
        self._misled = _merged(observation.misled)
        self._wrong = 0

    def judge_row(self, versions: list[Shown], arrivals: list[Arrival], outcome: Outcome) -> None:
        """Judge all versions of one row, oldest first, by its events, oldest first."""
        first = versions[0]
        if self._declared(first):
            outcome.gaps += not arrivals
            return
        if first.received_ms in self._bad_ms and arrivals:
            return  # with whatever text a reader makes of bytes that are none
        self._judge_last(versions, arrivals, outcome)
        for shown in versions:
            self._judge_delay(shown, arrivals, outcome)

    def _judge_last(self, versions: list[Shown], arrivals: list[Arrival], outcome: Outcome) -> None:
        """The last event is the last version shown within reach, or one shown after that."""
        reach_ms = self.reach(versions[0].received_ms)
        owed = [n for n, shown in enumerate(versions) if self._is_within(shown, reach_ms)]
        if not owed:
            return
        number = owed[-1]
        fitting = {shown.identity for shown in versions[number:]}
        while not self.is_surely_read(versions[number], reach_ms):
            if not number:
                return
            number -= 1
            fitting.add(versions[number].identity)
        if not arrivals:
            self._violated("lost", versions[owed[-1]], outcome)
            return
        last = arrivals[-1].identity
        if last in fitting or last in self._observation.doubtful:
            return
        self._wrong += 1
        if self._wrong > self._observation.lost_records:
            outcome.wrong += 1
            outcome.violations.append(f"an old state is the last one forwarded: {versions[number]}")

    def reach(self, received_ms: int) -> int:
        """Up to what age rows received then are looked for, in milliseconds: the most of which all
        later settings agree, from the beginning of any life on that found them no older than that. Where services
        do not tell the time, a life may find them so much older as its machine's clock is ahead.
        """
        first = max(bisect_right(self._starts, received_ms) - 1, 0)
        least = _NEVER
        best = 0
        for number in range(len(self._history) - 1, first - 1, -1):
            since, settings = self._history[number]
            least = min(least, settings.reach_ms)
            if self._scenario.tells_no_time:
                since += max(self._collected.clock_ahead[number], 0)
            if number == first or since - received_ms <= least:
                best = max(best, least)
        return best

    def _is_within(self, shown: Shown, reach_ms: int) -> bool:
        """Whether the last read of its time finds that version shown, or a later one."""
        behind_ms = self._scenario.behind_ms
        final = self._final_ms(shown, reach_ms)
        if _touching(self._stale, shown.received_ms + reach_ms - behind_ms, final) is None:
            behind_ms = 0
        return shown.lateness_ms <= reach_ms - behind_ms

    def is_surely_read(self, shown: Shown, reach_ms: int) -> bool:
        """Whether a version is shown until the last read of its time, or until its own bound."""
        final_ms = self._final_ms(shown, reach_ms)
        if shown.until_ms > final_ms and final_ms <= self._end_ms:
            return True
        deadline = self._deadline(shown)
        return deadline is not None and shown.until_ms > deadline.at_ms

    def _final_ms(self, shown: Shown, reach_ms: int) -> int:
        """By when time received then was read for the last time."""
        delay_ms = max(settings.delay_ms for _, settings in self._history)
        age_ms = int(FINAL_SHARE * max(reach_ms, delay_ms + LEAST_FINAL_MS))
        begun_ms = max(shown.received_ms + age_ms, self._collected.first_start_ms)
        return _extended(self._hindered, shown.received_ms, begun_ms + FINAL_SLACK_MS)

    def _deadline(self, shown: Shown) -> Deadline | None:
        """By when a version is owed, whatever happens; None if nothing is promised before the end."""
        if shown.received_ms < self._fresh_from_ms or not self._has_bounds(shown):
            return None
        first = max(self._begun_by(shown.received_ms) - 1, 0)
        lives = first + 1
        while True:
            in_force = [settings for _, settings in self._history[first:lives]]
            deadline = self._deadline_under(in_force, shown)
            if deadline is None or self._begun_by(deadline.at_ms) <= lives:
                return self._or_last_read(deadline, shown)
            lives = self._begun_by(deadline.at_ms)

    def _or_last_read(self, deadline: Deadline | None, shown: Shown) -> Deadline | None:
        """The deadline, or the last read for an event that the intake refused in a batch of its own."""
        if deadline is None or shown.identity not in self._observation.refused_alone:
            return deadline
        last_ms = self._final_ms(shown, self.reach(shown.received_ms))
        return replace(deadline, at_ms=max(deadline.at_ms, last_ms))

    def _begun_by(self, ms: int) -> int:
        """How many lives had begun by then."""
        return bisect_right(self._starts, ms)

    def _deadline_under(self, in_force: list[Settings], shown: Shown) -> Deadline | None:
        """The same, if those settings are in force from receipt until then."""
        first_ms = max(each.delay_ms + each.frequency_ms for each in in_force)
        on_time = shown.lateness_ms <= min(each.delay_ms for each in in_force)
        bound_ms = first_ms
        if not on_time:
            if shown.lateness_ms > min(each.lookback_ms for each in in_force):
                return None
            bound_ms = max(first_ms, self._late_bound_ms(in_force, shown.lateness_ms))
        slack_ms = SLACK_MS + (CROWDED_MS if self._scenario.crowded else 0)
        due_ms = shown.received_ms + bound_ms + slack_ms
        at_ms = _extended(self._disturbances, shown.received_ms, due_ms)
        if not on_time or at_ms > due_ms:  # it is read with the past then
            at_ms = _extended(self._hindered, shown.received_ms, at_ms)
        return Deadline(at_ms, bound_ms, on_time)

    def _burst_ms(self, shown: Shown) -> int:
        """How long the pages of all that is received around a row take, at a read every `frequency`."""
        around_ms = max(settings.frequency_ms for _, settings in self._history)
        rows = self._collected.tenant.count(
            from_ms(shown.received_ms - around_ms),
            from_ms(shown.received_ms + around_ms),
            from_ms(self._end_ms),
        )
        return rows // self._scenario.page_size * self._scenario.requests_a_page * PAGE_MS

    def _late_bound_ms(self, in_force: list[Settings], lateness_ms: int) -> int:
        """Little mail is read again so often that late rows come within a quarter of their lateness more."""
        two_reads_ms = 2 * max(each.frequency_ms for each in in_force)
        if self._scenario.pages_a_day <= FEW_PAGES:
            return int(FEW_BOUND * lateness_ms) + two_reads_ms
        return MOST_BOUND * max(lateness_ms, LEAST_LATENESS_MS) + two_reads_ms

    def _has_bounds(self, shown: Shown) -> bool:
        """Whether rows like it have any bound but the end."""
        trace_id, recipient = shown.row
        if "intake" in self._scenario.groups and trace_id.startswith(REFUSED_ID):
            return False
        if self._scenario.recipients_shown is not None and recipient.startswith(LARGE):
            return False
        before_bad = range(shown.received_ms, shown.received_ms + BEFORE_BAD_MS + 1)
        if not self._bad_ms.isdisjoint(before_bad):
            return False
        return _touching(self._misled, shown.received_ms, shown.received_ms) is None

    def _judge_delay(self, shown: Shown, arrivals: list[Arrival], outcome: Outcome) -> None:
        deadline = self._deadline(shown)
        if deadline is None:
            return
        deadline_ms, bound_ms = deadline.at_ms, deadline.bound_ms
        if shown.until_ms <= deadline_ms or deadline_ms > self._end_ms:
            return
        outcome.judged_delays += 1
        before = [each for each in arrivals if each.at_ms <= deadline_ms]
        if not before or before[-1].identity != shown.identity:
            self._late(shown, before, arrivals, deadline_ms, outcome)
            return
        delay_ms = max(before[-1].at_ms, shown.from_ms) - shown.received_ms
        if deadline_ms > shown.received_ms + bound_ms + SLACK_MS + CROWDED_MS:
            outcome.judged_after_disturbances += 1
            return
        slack = (delay_ms - bound_ms) / 1000
        if self._scenario.crowded:
            outcome.worst_crowded_slack = max(outcome.worst_crowded_slack, slack)
            return
        outcome.worst_slack = max(outcome.worst_slack, slack)
        if not deadline.on_time and shown.lateness_ms >= LEAST_LATENESS_MS:
            outcome.worst_ratio = max(outcome.worst_ratio, delay_ms / shown.lateness_ms)

    def _late(
        self,
        shown: Shown,
        before: list[Arrival],
        arrivals: list[Arrival],
        deadline_ms: int,
        outcome: Outcome,
    ) -> None:
        if before and before[-1].identity in self._observation.doubtful:
            return
        coming = (each.at_ms for each in arrivals if each.at_ms > deadline_ms)
        arrival_ms = next(coming, None)
        if arrival_ms is not None and arrival_ms <= deadline_ms + self._burst_ms(shown):
            return
        if arrival_ms is None:
            self._violated("not forwarded in time, nor ever", shown, outcome)
            return
        outcome.late += 1
        outcome.violations.append(
            f"late: {shown}, forwarded {(arrival_ms - shown.received_ms) / MINUTE_MS:.1f} min after, "
            f"{(deadline_ms - shown.received_ms) / MINUTE_MS:.1f} promised"
        )

    def _declared(self, shown: Shown) -> bool:
        """Whether a gap is declared at the row's time whose cause is true of the row."""
        return any(gap.has(shown.received_ms) and self._is_true(gap, shown) for gap in self._gaps)

    def _is_true(self, gap: Gap, shown: Shown) -> bool:
        match gap.cause:
            case "unreadable":
                bad = range(shown.received_ms - NEXT_MS, shown.received_ms + NEXT_MS + 1)
                return not self._bad_ms.isdisjoint(bad)
            case "refused":
                return shown.row[0].startswith(REFUSED_ID)
            case "hidden":
                hidden_ms = self._scenario.hidden_from_ms(shown.received_ms)
                return hidden_ms is not None and hidden_ms <= gap_time(self._collected, gap)
        return True

    def _violated(self, how: str, shown: Shown, outcome: Outcome) -> None:
        outcome.lost += 1
        outcome.violations.append(f"{how}: {shown}")


def gap_time(collected: Collected, gap: Gap) -> int:
    """When a gap was declared first."""
    return next(at_ms for at_ms, each in collected.gaps if each == gap)


def _extended(intervals: list[Interval], from_ms: int, deadline_ms: int) -> int:
    """The deadline, or the end of what hinders between the two instants, if that is later."""
    while (last := _touching(intervals, from_ms, deadline_ms)) is not None and last > deadline_ms:
        deadline_ms = last
    return deadline_ms


def _touching(intervals: list[Interval], first_ms: int, last_ms: int) -> int | None:
    """The end of the last of the intervals that have to do with the time between the two instants."""
    before = bisect_right(intervals, (last_ms, _NEVER))
    if not before or intervals[before - 1][1] < first_ms:
        return None
    return intervals[before - 1][1]


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
