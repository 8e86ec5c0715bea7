"""Notices fields that change by themselves, so that rows are forwarded again at each read: no I/O, no clock.

Rows that are shown late, and rows whose status changes, are natural: they come again a few times. What
changes by itself brings the same receive times again and again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from datetime import datetime, timedelta

from office365_message_trace import codec
from office365_message_trace.collect.ledger import KEPT_FOR, Unseen, key_of
from office365_message_trace.model import MILLISECOND, Event, Fields, Log, Row, milliseconds

SETTLED = timedelta(hours=1)
"""The age at which a row's status has settled; changes of younger rows are natural."""
TIMES = 4
"""Times that a row comes at this age, from which it comes too often. A mail that is delivered late, quarantined
and released comes three times."""
LEAST_ROWS = 30
"""Rows that come too often, from which it is a defect."""
LEAST_SHARE = 0.1
"""Of the rows on a page, from which those that come again count."""
FOLLOWED = 8
"""Rows of each hour of receive time that are followed, so that a campaign of mail is not enough."""

_APART = timedelta(minutes=15) // MILLISECOND  # a single read may show a time on several pages
_HOUR = timedelta(hours=1) // MILLISECOND
_MOST_NAMES = 3
_LONGEST_NAME = 40  # letters

_CHANGED = (
    "Many rows change each time they are read again, long after they were received: a field seems to "
    "change by itself{}. Each change is forwarded again. Report it to the maintainers of this module."
)
_UNRECOGNISED = (
    "Many rows are not recognised when they are read again, long after they were received: a field that "
    "identifies them seems to change by itself{}. They are forwarded again each time. Report it to the "
    "maintainers of this module."
)


class VolatileFields:
    """Follows settled rows that the intake accepts, and logs once if many of them change at each read, and
    once if many are not recognised.

    ``content_fields`` returns the fields of a row that are its content. Some rows are kept in memory to name
    the fields: a few hundred kilobytes at most.
    """

    def __init__(self, log: Log, content_fields: Callable[[Row], Fields]) -> None:
        self._changed = _Repeats(log, _CHANGED, content_fields)
        self._unrecognised = _Repeats(log, _UNRECOGNISED, content_fields)

    def observe(
        self, rows: Sequence[Row], unseen: Unseen, accepted: Sequence[Event], now: datetime
    ) -> None:
        """Take in a page of ``rows``, read at ``now``, of which some were ``unseen`` and were ``accepted``.

        Rows from before what the ledger keeps are new each time.
        """
        first, settled = milliseconds(now - KEPT_FOR), milliseconds(now - SETTLED)
        old = [event for event in accepted if first <= event.received < settled]
        changed, new = [], old
        if unseen.changed:
            changed = [event for event in old if event.fingerprint in unseen.changed]
            new = [event for event in old if event.fingerprint not in unseen.changed]
        at, many = milliseconds(now), max(len(rows) * LEAST_SHARE, 1)
        if len(changed) >= many and not self._changed.noticed:
            self._follow_changed(changed, unseen, at)
        if len(new) >= many and not self._unrecognised.noticed:
            self._follow_unrecognised(new, rows, unseen, at)

    def _follow_changed(self, changed: Sequence[Event], unseen: Unseen, at: int) -> None:
        for event in changed:
            key = key_of(event.fingerprint)
            self._changed.add(event.received, key, unseen[event.fingerprint], at)
        self._changed.judge(at)

    def _follow_unrecognised(
        self, new: Sequence[Event], rows: Sequence[Row], unseen: Unseen, at: int
    ) -> None:
        """Follow the receive times of which every row on the page is ``new``: what identifies a row may be
        another now."""
        followed = self._unrecognised.followed({event.received for event in new})
        by_time: dict[int, list[Event]] = {received: [] for received in followed}
        for event in new if followed else ():
            if event.received in by_time:
                by_time[event.received].append(event)
        shown = Counter(row.received for row in rows if row.received in by_time)
        for received, events in by_time.items():
            if len(events) == shown[received]:
                alone = unseen[events[0].fingerprint] if len(events) == 1 else None
                self._unrecognised.add(received, received, alone, at)
        self._unrecognised.judge(at)


class _Hour:
    """What came again of an hour of receive time: how often and when last, in milliseconds, and a sample."""

    __slots__ = ("came", "sample")

    def __init__(self) -> None:
        self.came: dict[Hashable, tuple[int, int]] = {}
        self.sample: tuple[Hashable, Fields] | None = None


class _Repeats:
    """Counts how often rows come, of each hour of receive time the first few. Logs a ``sentence`` once, if it is
    too often, and counts no more then."""

    def __init__(self, log: Log, sentence: str, content_fields: Callable[[Row], Fields]) -> None:
        self._log = log
        self._sentence = sentence
        self._content_fields = content_fields
        self._hours: defaultdict[int, _Hour] = defaultdict(_Hour)
        self._names: Counter[str] = Counter()
        self.noticed = False

    def followed(self, times: Set[int]) -> set[int]:
        """Those receive ``times``, in milliseconds, that are followed, or may become so."""
        found: set[int] = set()
        for hour in range(min(times) // _HOUR, max(times) // _HOUR + 1):
            came = self._hours[hour].came
            if len(came) < FOLLOWED:
                found.update(received for received in times if received // _HOUR == hour)
            else:
                found.update(times & came.keys())
        return found

    def add(self, received: int, identity: Hashable, row: Row | None, at: int) -> None:
        """Count a row that came ``at`` this time, unless it came just before. Without a ``row`` to compare, no
        fields are named."""
        hour = self._hours[received // _HOUR]
        if len(hour.came) == FOLLOWED and identity not in hour.came:
            return
        times, last = hour.came.get(identity, (0, at - _APART))
        if at - last < _APART:
            return
        hour.came[identity] = times + 1, at
        if not times or row is None:
            return
        if hour.sample is None:
            hour.sample = identity, self._content_fields(row)
        elif hour.sample[0] == identity:
            said = self._content_fields(row)
            self._names.update(_differences(hour.sample[1], said))
            hour.sample = identity, said

    def judge(self, at: int) -> None:
        """Log it if rows came too often, and forget what the ledger has forgotten by ``at``."""
        first = (at - KEPT_FOR // MILLISECOND) // _HOUR
        for hour in [hour for hour in self._hours if hour < first]:
            del self._hours[hour]
        counts = [times for hour in self._hours.values() for times, _ in hour.came.values()]
        if sum(times >= TIMES for times in counts) >= LEAST_ROWS:
            self.noticed = True
            self._hours.clear()
            self._log(self._sentence.format(_in_brackets(self._names)), "warning")


def _differences(before: Fields, after: Fields) -> Iterator[str]:
    """The names of the fields that differ, as far as they can be logged."""
    for name in before.keys() | after.keys():
        # compared as in the content, where 1 and 1.0 differ
        values = {codec.canonical({name: each.get(name)}) for each in (before, after)}
        if len(values) > 1 and _is_word(name):
            yield name


def _is_word(name: str) -> bool:
    """True for a name that can be logged, false for foreign text."""
    return name.isascii() and name.isidentifier() and len(name) <= _LONGEST_NAME


def _in_brackets(names: Counter[str]) -> str:
    most = max(names.values(), default=0)
    often = [name for name, times in names.most_common(_MOST_NAMES) if times * 2 > most]
    return f" ({', '.join(often)})" if often else ""
