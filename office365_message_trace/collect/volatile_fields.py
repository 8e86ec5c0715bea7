"""Notices fields that change by themselves, so that rows seem new at each read: no I/O, no clock."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from office365_message_trace import codec
from office365_message_trace.collect.ledger import BUCKET_SPAN, KEPT_FOR, Unseen
from office365_message_trace.model import MILLISECOND, Fields, Log, Row, milliseconds

SETTLED = timedelta(hours=1)
"""The age at which a row's status has settled; changes of younger rows are natural."""
LEAST_ROWS = 50
LEAST_PAGES = 3
"""Fewest known rows and pages to judge. A single page may hold a campaign of mail that was quarantined
afterwards."""

_PERIOD = BUCKET_SPAN // MILLISECOND
_MOST_SAMPLES = KEPT_FOR // BUCKET_SPAN
_SAMPLED = 7  # rows whose receive time in milliseconds is a multiple may become samples
_MOST_NAMELESS = 20  # pages to wait for a sample among the changed rows
_MOST_NAMES = 3
_LONGEST_NAME = 40  # letters


@dataclass(frozen=True, slots=True)
class _Judged:
    """The settled rows of a page that were known, those of them that changed, and the changed fields."""

    known: int
    changed: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class _Sample:
    """A row as it was shown last, and the fields that are its content."""

    trace_id: str
    key: bytes
    form: int
    said: Fields


class Flicker:
    """Compares pages with the rows forwarded before, and logs once if most of these changed.

    ``content_fields`` returns the fields of a row that are its content. To name the fields, one row of
    each quarter of an hour of receive time is kept in memory: a few hundred kilobytes at most.
    """

    def __init__(self, log: Log, content_fields: Callable[[Row], Fields]) -> None:
        self._log = log
        self._content_fields = content_fields
        self._pages: deque[_Judged] = deque()
        self._samples: dict[int, _Sample] = {}
        self._nameless = 0
        self._noticed = False

    def observe(self, rows: Sequence[Row], unseen: Unseen, now: datetime) -> None:
        """Judge a page of ``rows``, read at ``now``, of which some are ``unseen``."""
        if self._noticed or not rows:
            return
        settled = milliseconds(now - SETTLED)
        changed = [row for each in unseen.changed if (row := unseen[each]).received < settled]
        if changed:
            new = sum(row.received < settled for row in unseen.values()) - len(changed)
            known = sum(row.received < settled for row in rows) - new
        else:  # no need to look at each row
            known = len(rows) - len(unseen) if rows[0].received < settled > rows[-1].received else 0
        if known:
            names = [name for row in changed for name in self._differences(row)]
            self._judge(_Judged(known, len(changed), names))
        self._keep_samples(rows)

    def _judge(self, page: _Judged) -> None:
        pages = self._pages
        pages.append(page)
        known = sum(each.known for each in pages)
        while len(pages) > LEAST_PAGES and known - pages[0].known >= LEAST_ROWS:
            known -= pages.popleft().known
        changed = sum(each.changed for each in pages)
        if len(pages) < LEAST_PAGES or known < LEAST_ROWS or changed * 2 <= known:
            return
        names = Counter(name for each in pages for name in each.names)
        self._nameless += 1
        if names or self._nameless > _MOST_NAMELESS:
            self._noticed = True
            self._samples.clear()
            self._log(_sentence(names), "warning")

    def _differences(self, row: Row) -> Iterator[str]:
        """The names of the fields that changed, if the row is a sample."""
        sample = self._samples.get(row.received // _PERIOD)
        if sample and sample.key == row.key:
            after = self._content_fields(row)
            for name in sample.said.keys() | after.keys():
                # compared as in the content, where 1 and 1.0 differ
                values = {codec.canonical({name: each.get(name)}) for each in (sample.said, after)}
                if len(values) > 1 and _is_word(name):
                    yield name

    def _keep_samples(self, rows: Sequence[Row]) -> None:
        """Keep the row of each period whose trace id and key are the first, which is the same at each reading."""
        for row in [row for row in rows if not row.received % _SAMPLED]:
            period = row.received // _PERIOD
            sample = self._samples.get(period)
            if sample and (row.form == sample.form or row.trace_id > sample.trace_id):
                continue
            if sample is None or (row.trace_id, row.key) <= (sample.trace_id, sample.key):
                self._samples[period] = _Sample(
                    row.trace_id, row.key, row.form, self._content_fields(row)
                )
        while len(self._samples) > _MOST_SAMPLES:
            del self._samples[min(self._samples)]


def _is_word(name: str) -> bool:
    """True for a name that can be logged, false for foreign text."""
    return name.isascii() and name.isidentifier() and len(name) <= _LONGEST_NAME


def _sentence(names: Counter[str]) -> str:
    most = max(names.values(), default=0)
    often = [name for name, times in names.most_common(_MOST_NAMES) if times * 2 > most]
    known = f" ({', '.join(often)})" if often else ""
    return (
        "Most rows that are read again have changed, long after they were received: a field seems to "
        f"change by itself{known}. Each change is forwarded again. Report it to the maintainers of this "
        "module."
    )
