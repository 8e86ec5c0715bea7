"""Judges a drawn world by the promises of `docs/guarantees.md`, whose exceptions are the only ones here.

It knows what was shown, what was done to the world and what arrived, and nothing of how the collector reads.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import orjson

from office365_message_trace.collect.coverage import CONFIRM_AFTER, Cause, Gap, Policy
from sandbox.clock import from_ms, to_ms
from tests.claims.service import H, M, Mail, S
from tests.claims.worlds import Event, Span, World

RECOVERY = H
"""Freshness is not promised during a fault and for an hour after it: then reading waits, or has to find out."""

CATCHING_UP = 15 * M
"""More for rows of the past, which go behind fresh mail when a fault is over."""

READING = S * 60
"""One read and its delivery."""

PAGE = 10 * S
"""More for each request that what is received around a row takes: a burst."""

BACKLOG = 3 * H
"""By when time before the first start is read: some pages, in turns with fresh mail."""

LATE = 1.25
"""Late rows come within so many times their lateness where the mail fits 150 pages a day, as drawn mail does."""

LAST_READ, LAST_READ_SLACK = 1.3, 2 * H
"""The last read is due when a quarter more than the final age has passed, and goes behind all others."""

BEFORE_BAD = 2 * S
"""Late rows that were received this shortly before a bad record are promised by the last read of their time only."""

BUDGET, NEARLY_ALL, BUDGET_TIME = 90, 70, 5 * M
"""Requests in five minutes at most. Freshness is not promised while they are used up: the past gets fewer."""

TICK_READS, PAGE_READS, HOURLY_READS, SEARCH = 2, 20, 30, 250
"""Requests in all: for each tick, each page of mail, each hour (probes of what fails), each bad record."""

NEXT = 3
"""Milliseconds: neighbouring windows share their bounds, so a bad record may cost its neighbours."""

_NEVER = 1 << 60


def judge(world: World) -> list[str]:
    """The broken promises, each in a line that names the world."""
    broken = [
        *_Rows(world).judge(),
        *_repeats(world),
        *_gaps(world),
        *_log(world),
        *_requests(world),
    ]
    return [f"{text} in {world}" for text in broken]


@dataclass(frozen=True, slots=True)
class _Version:
    """A status of a row, and from when until when it is shown."""

    row: Mail
    number: int
    shown: int
    until: int
    status: str

    @property
    def lateness(self) -> int:
        return self.shown - self.row.received

    def __str__(self) -> str:
        received = from_ms(self.row.received)
        return (
            f"{self.row.id} to {self.row.to}, received {received:%d. %H:%M:%S}, {self.status} after "
            f"{self.lateness / M:.1f} min"
        )


def _versions(row: Mail) -> list[_Version]:
    life = row.life or ((row.received, "Delivered"),)
    ends = [*(at for at, _ in life[1:]), _NEVER]
    return [
        _Version(row, number, at, until, status)
        for number, ((at, status), until) in enumerate(zip(life, ends, strict=True))
        if status is not None
    ]


class _Rows:
    """Judges whether each row came, in time, and in its last state."""

    def __init__(self, world: World) -> None:
        self._world, self._facts = world, world.facts
        self._starts = [since for since, _ in world.lives]
        self._times = [row.received for row in world.service.mail]
        self._arrivals: defaultdict[tuple[object, object], list[tuple[int, object]]]
        self._arrivals = defaultdict(list)
        for at, event in world.lab.intake.accepted:
            self._arrivals[_key(event)].append((at, event.get("Status") or event.get("status")))
        self._declared = [gap for gap in world.lab.gaps if _is_true(gap, world)]
        self._caught_up = self._backlog_end()
        self._used_up = list(_used_up(world))

    def judge(self) -> Iterator[str]:
        found: defaultdict[str, list[tuple[int, _Version]]] = defaultdict(list)
        for row in self._world.service.mail:
            for what, minutes, version in self._broken(row):
                found[what].append((minutes, version))
        for what, each in found.items():
            minutes, version = max(each, key=lambda one: one[0])
            yield f"{what}: {len(each)}, such as {version}" + f" ({minutes} min)" * (minutes > 0)

    def _broken(self, row: Mail) -> Iterator[tuple[str, int, _Version]]:
        """The broken promises about a row: which one, by how many minutes, and for which version."""
        arrivals = self._arrivals[row.id, row.to]
        if any(_has(gap, row.received) for gap in self._declared):
            return
        if row.received < self._world.begin - self._world.start_time * H:
            return
        versions = _versions(row)
        owed = [
            (version, due)
            for version in versions
            if self._is_owed(version)
            and (due := self._due(version)) <= self._world.end
            and due < version.until
        ]
        for version, due in owed:
            fitting = {other.status for other in versions if other.number >= version.number}
            came = [at for at, status in arrivals if status in fitting and at >= version.shown]
            if not arrivals:
                yield "missing", 0, version
            elif not came and version != owed[-1][0]:
                yield "a status that was skipped", 0, version
            elif came and came[0] > due:
                yield "late", (came[0] - due) // M, version
        if owed and arrivals:
            last = owed[-1][0]
            fitting = {other.status for other in versions if other.number >= last.number}
            # The change before was accepted and not recorded, so going back from it looks like no change.
            doubtful = any(_key(event) == (row.id, row.to) for event in self._facts.unconfirmed)
            if arrivals[-1][1] not in fitting and not doubtful:
                yield "an old status is the last one", 0, last

    def _is_owed(self, version: _Version) -> bool:
        """Tell whether it is shown within the look-back, to an answer that is true."""
        row, reach = version.row, self._reach(version.row.received)
        if version.lateness > max(reach, self._world.begin - row.received):
            return False
        for span, behind in self._facts.stale.items():
            # The last read may be answered by a replica that is some minutes behind.
            if row.received <= span.last and span.first <= row.received + reach + LAST_READ_SLACK:
                age = self._final_age(row.received)
                return version.lateness <= min(reach, age - behind)
        return not self._was_denied(version)

    def _was_denied(self, version: _Version) -> bool:
        """Tell whether a false answer may have been the last read, and the one before came before the change."""
        received = version.row.received
        for lie in self._facts.lies:
            if not lie.start <= received <= lie.end:
                continue
            seen = any(
                given.rows is not None
                and given.asked.start <= received <= given.asked.end
                and version.shown <= given.asked.now < lie.now
                for given in self._world.service.given
            )
            if not seen and lie.now - received >= self._final_age(received):
                return True
        return False

    def _policies(self, first: int, last: int) -> list[Policy]:
        """The settings that were in force between two instants."""
        begin = max(bisect_right(self._starts, first) - 1, 0)
        end = max(bisect_right(self._starts, last), begin + 1)
        return [settings for _, settings in self._world.lives[begin:end]]

    def _reach(self, received: int) -> int:
        """Up to which age it is looked for: by settings that were in force before it was older, and later."""
        least, best = _NEVER, 0
        first = max(bisect_right(self._starts, received) - 1, 0)
        for number in range(len(self._starts) - 1, first - 1, -1):
            since, settings = self._world.lives[number]
            least = min(least, _ms(max(settings.lookback, settings.delay)))
            if number == first or since - received <= least:
                best = max(best, least)
        return best

    def _final_age(self, received: int) -> int:
        delay = max(_ms(each.delay) for each in self._policies(received, _NEVER))
        return max(self._reach(received), delay + _ms(CONFIRM_AFTER))

    def _last_read(self, received: int) -> int:
        """By when time is read for the last time."""
        age = int(self._final_age(received) * LAST_READ)
        due = max(received + age, self._world.begin) + LAST_READ_SLACK
        return self._undisturbed(received, due, CATCHING_UP)

    def _due(self, version: _Version) -> int:
        """By when it is promised."""
        row = version.row
        if not self._has_bounds(version):
            return self._last_read(row.received)
        due = self._bound(version, self._policies(row.received, row.received))
        while (longer := self._bound(version, self._policies(row.received, due))) > due:
            due = longer
        in_force = self._policies(row.received, due)
        if version.lateness > min(_ms(max(each.lookback, each.delay)) for each in in_force):
            return self._last_read(row.received)  # settings reached less far before it was due
        return due

    def _bound(self, version: _Version, policies: list[Policy]) -> int:
        """By when it is promised under settings of which the slowest count."""
        row, world = version.row, self._world
        frequency = max(_ms(each.frequency) for each in policies)
        first = row.received + max(_ms(each.delay) for each in policies) + frequency
        on_time = version.lateness <= min(_ms(each.delay) for each in policies)
        past = 0 if on_time else CATCHING_UP
        due = first
        if not on_time:
            due = max(due, row.received + int(LATE * version.lateness) + 2 * frequency)
        if row.received < world.begin:
            due = max(due, world.begin + BACKLOG)
        due += READING + self._burst(row.received, frequency)
        return self._undisturbed(row.received, due, past)

    def _burst(self, received: int, around: int) -> int:
        times = self._times
        rows = bisect_right(times, received + around) - bisect_left(times, received - around)
        return rows // self._world.page_size * self._world.answers * PAGE

    def _has_bounds(self, version: _Version) -> bool:
        """Tell whether it has any bound but the last read of its time."""
        row, facts = version.row, self._facts
        if row.id in facts.refused or any(
            row.received <= bad <= row.received + BEFORE_BAD for bad in facts.bad
        ):
            return False
        # Late rows wait longer while a backlog is read: re-reads are fewer then, so that it ends sooner.
        if version.lateness and version.shown < self._caught_up:
            return False
        # Time of which an answer showed less than there was is not known to be worth another read.
        misled = any(lie.start <= row.received <= lie.end for lie in facts.lies)
        stale = any(
            span.first - 8 * M <= row.received <= span.last or span.has(version.shown)
            for span in facts.stale
        )
        return not (misled or stale)

    def _undisturbed(self, received: int, due: int, past: int) -> int:
        """The instant, or later if something disturbs reading between receipt and then."""
        ends = [
            *self._used_up,
            *(Span(fault.first, fault.last + RECOVERY) for fault in self._facts.faults),
            *(Span(stale.first, stale.last + RECOVERY) for stale in self._facts.stale),
            *self._facts.searches,
        ]
        while later := [
            each.last + past
            for each in ends
            if each.first <= due < each.last + past and received <= each.last
        ]:
            due = max(later)
        return due

    def _backlog_end(self) -> int:
        """When the rows that were shown at the first start had arrived."""
        begin = self._world.begin
        first = (
            self._arrivals[row.id, row.to][0][0]
            for row in self._world.service.mail
            if row.status(begin) is not None and self._arrivals[row.id, row.to]
        )
        return max(first, default=begin)


def _repeats(world: World) -> Iterator[str]:
    """An event comes again only if it differs from the last one of its row, or that could not be recorded."""
    excused = Counter(_text(event) for event in world.facts.unconfirmed)
    last: dict[tuple[object, object], str] = {}
    repeated: list[Event] = []
    changes: Counter[tuple[object, object]] = Counter()
    for _, event in world.lab.intake.accepted:
        key, text = _key(event), _text(event)
        changes[key] += last.get(key) != text
        if last.get(key) == text:
            if excused[text] > 0:
                excused[text] -= 1
            else:
                repeated.append(event)
        last[key] = text
    if repeated:
        yield f"{len(repeated)} repeats, such as {_key(repeated[0])[0]}"
    if world.facts.stale:
        return  # an old answer shows an old status, which is forwarded, and then the new one again
    lives: dict[tuple[object, object], int] = {
        (row.id, row.to): len(_versions(row)) for row in world.service.mail
    }
    doubtful = {_key(event) for event in world.facts.unconfirmed}
    if odd := [
        key for key, number in changes.items() if number > lives[key] and key not in doubtful
    ]:
        yield f"{len(odd)} rows with more events than states, such as {odd[0][0]}"


def _gaps(world: World) -> Iterator[str]:
    for gap in world.lab.gaps:
        if not _is_true(gap, world):
            yield f"a false gap: {gap.cause.value} at {gap.window}"


def _is_true(gap: Gap, world: World) -> bool:
    """Tell whether the time cannot be read for the cause that is declared, and is as short as it can be."""
    first, last = to_ms(gap.window.start), to_ms(gap.window.end)
    if last - first > 2 * NEXT:
        return False
    if gap.cause is Cause.UNREADABLE:
        return any(first - NEXT <= bad <= last + NEXT for bad in world.facts.bad)
    if gap.cause is Cause.INCOMPLETE:
        return any(
            first <= at <= last and rows > world.page_size and world.skips_alike
            for at, rows in world.facts.crowds.items()
        )
    return False


def _log(world: World) -> Iterator[str]:
    for level in ("critical", "error"):
        said = world.lab.said(level)
        if len(said) > world.facts.errors:
            common = Counter(said).most_common(1)[0]
            yield f"{len(said)} {level} lines, {common[1]} times: {common[0][:150]}"


def _used_up(world: World) -> Iterator[Span]:
    """When the request budget was used up, or nearly: then reading waits."""
    instants = [given.asked.now for given in world.service.given]
    first = last = 0
    for at, later in zip(instants, instants[NEARLY_ALL - 1 :], strict=False):
        if later < at + BUDGET_TIME:
            if at > last:
                yield Span(first, last)
                first = at
            last = at + 2 * BUDGET_TIME
    yield Span(first, last)


def _requests(world: World) -> Iterator[str]:
    instants = [given.asked.now for given in world.service.given]
    most = max(
        (bisect_left(instants, at + BUDGET_TIME) - n for n, at in enumerate(instants)), default=0
    )
    if most > BUDGET and not world.facts.takeovers:  # two processes may exceed it together
        yield f"{most} requests in five minutes"
    if len(instants) > (bound := _most_requests(world)):
        yield f"{len(instants)} requests, more than {bound}"


def _most_requests(world: World) -> int:
    """In all: each tick's, re-reads of all mail, and searches for bad records."""
    hours = (world.end - world.begin) / H
    fastest = min(_ms(settings.frequency) for _, settings in world.lives)
    ticks = (world.end - world.begin) // fastest
    pages = -(-len(world.mail) // world.page_size)
    usual = TICK_READS * ticks + PAGE_READS * pages + HOURLY_READS * hours
    return int(world.answers * (usual + SEARCH * world.facts.searched))


def _key(event: Event) -> tuple[object, object]:
    if "MessageTraceId" in event:
        return event["MessageTraceId"], event.get("RecipientAddress")
    return event.get("id"), event.get("recipientAddress")


_VOLATILE = ("Index", "@odata.etag", "ToIP", "toIP")
"""Fields that differ though they say the same."""


def _text(event: Event) -> str:
    kept = {name: value for name, value in event.items() if name not in _VOLATILE}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _has(gap: Gap, instant: int) -> bool:
    return to_ms(gap.window.start) <= instant <= to_ms(gap.window.end)
