"""Metrics: those that the platform's dashboards know from the SDK, and our own. See docs/metrics.md."""

from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate
from threading import Lock

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector as MetricCollector
from sekoia_automation.connector.metrics import MetricsMixin

from office365_message_trace.clock import Clock
from office365_message_trace.collect.coverage import Coverage, Kind, Policy
from office365_message_trace.collect.freshness import BANDS, waits
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.model import Delivery, Event, milliseconds
from office365_message_trace.monitoring.counting import OUTCOMES
from office365_message_trace.storage.base import Damage

AGES = (60, 120, 300, 600, 1200, 2700, 5400, 10800, 21600, 43200, 86400, 259200)
"""Upper bounds of the histogram of events' ages, in seconds: from a minute to three days."""

WAITS = (30, 60, 90, 120, 300, 600, 1200, 3600, 7200, 14400, 43200, 86400)
"""Upper bounds of the histogram of how long rows can have been shown before they were forwarded."""


class _Histogram(MetricCollector):
    """A histogram that takes a page at a time: one event by one would cost more than all the rest.

    ``label`` has the values ``values``; without one there is a single series.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        bounds: Sequence[int],
        label: str | None = None,
        values: Iterable[str] = ("",),
    ) -> None:
        self._name, self._documentation = name, documentation
        self._bounds, self._labels = bounds, [label] if label else []
        self._counts = {value: [0] * (len(bounds) + 1) for value in values}
        self._sums = dict.fromkeys(self._counts, 0.0)
        self._lock = Lock()
        REGISTRY.register(self)

    def observe(self, seconds: Sequence[float], value: str = "") -> None:
        with self._lock:
            buckets = Tally(bisect_left(self._bounds, each) for each in seconds)
            for bucket, count in buckets.items():
                self._counts[value][bucket] += count
            self._sums[value] += sum(seconds)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        with self._lock:
            for value, counts in self._counts.items():
                buckets = list(zip(bounds, accumulate(counts), strict=True))
                family.add_metric([value] if self._labels else [], buckets, self._sums[value])
        yield family


class _LateGauge(Gauge):
    """A gauge without labels that is absent until its value is known: zero would look like all is well."""

    def __init__(self, name: str, documentation: str) -> None:
        self._known = False
        super().__init__(name, documentation)

    def set(self, value: float) -> None:
        super().set(value)
        self._known = True

    def set_function(self, f: Callable[[], float]) -> None:
        super().set_function(f)
        self._known = True

    def collect(self) -> Iterable[Metric]:
        return super().collect() if self._known else ()


# One a process: Prometheus registers each name once.
_SDK = MetricsMixin()
_REQUESTS = Counter("message_trace_requests", "Requests by what came of them.", ["api", "outcome"])
_PAGES = Counter("message_trace_pages", "Pages of rows that were delivered.", ["pass"])
_ROWS = Counter("message_trace_rows_read", "Rows on those pages.", ["pass"])
_KNOWN = Counter(
    "message_trace_rows_known",
    "Rows on those pages that had been forwarded before, or are refused by the intake.",
    ["pass"],
)
_FORWARDED = Counter(
    "message_trace_events_forwarded",
    "Events that the intake accepted; on a re-read: of rows that are new or changed.",
    ["pass"],
)
_EVENTS_REFUSED = Counter(
    "message_trace_events_refused", "Events that the intake refused, counted at each try."
)
_LEFT_OUT = Counter(
    "message_trace_events_left_out",
    "Events that the intake refused at every read up to the last; their time is declared as a gap.",
)
_AGE = _Histogram(
    "message_trace_event_age_seconds",
    "Age of events when they were forwarded, since receive time.",
    AGES,
)
_WAIT = _Histogram(
    "message_trace_shown_seconds",
    "For how long Microsoft can have shown rows before they were forwarded, by their age then; without "
    "those of a backlog.",
    WAITS,
    "age",
    BANDS.values(),
)
_BOUND = _LateGauge(
    "message_trace_lateness_bound_ratio",
    "Rows that Microsoft shows late are found within so many times their lateness.",
)
_QUOTA_LEFT = _LateGauge("message_trace_quota_left", "Requests that could be made at once.")
_QUOTA_LIMIT = _LateGauge("message_trace_quota_limit", "Requests that are allowed in five minutes.")
_BEHIND = _LateGauge(
    "message_trace_live_edge_behind_seconds", "How far the first read is behind now."
)
_DELAY = _LateGauge("message_trace_timedelta_seconds", "The setting timedelta.")
_FREQUENCY = _LateGauge("message_trace_frequency_seconds", "The setting frequency.")
_FINAL = _LateGauge(
    "message_trace_final_timestamp_seconds",
    "Everything received before this has had its last read, or is declared as a gap.",
)
_BACKLOG = _LateGauge(
    "message_trace_backlog_seconds", "Receive time still to be read for the first time."
)
_GAPS = _LateGauge(
    "message_trace_gap_seconds",
    "Receive time of which rows are or may be missing; what Microsoft still has is tried again.",
)
_DECLARED = _LateGauge(
    "message_trace_gap_declared_timestamp_seconds",
    "When time was last declared as a gap since the start.",
)
_REFUSED = Gauge(
    "message_trace_refused", "1 while somebody has to act before it goes on.", ["pass"]
)
_READ = _LateGauge("message_trace_last_read_timestamp_seconds", "When a window was last completed.")
_DELIVERED = _LateGauge(
    "message_trace_last_delivery_timestamp_seconds", "When the intake last accepted events."
)
_WRITES = Counter("message_trace_state_writes", "Writes to the trigger's storage.")
_FAILURES = Counter("message_trace_state_failures", "Failures of the trigger's storage.")
_REPAIRS = Counter(
    "message_trace_state_repairs", "Damage to the trigger's state that was made up for.", ["damage"]
)


class Metrics(Monitor):
    """Turns reports into metrics.

    The intake key is a credential: the label of the SDK's metrics shows a digest of it.
    """

    def __init__(self, intake_key: str, policy: Policy, clock: Clock) -> None:
        self._label = blake2b(intake_key.encode(), digest_size=4).hexdigest()
        self._clock = clock
        self._coverage = Coverage.starting(clock.now())
        self._gap_seconds: float | None = None  # as of the latest report
        _BEHIND.set_function(self._behind)
        _DELAY.set(policy.delay.total_seconds())
        _FREQUENCY.set(policy.frequency.total_seconds())
        _READ.set(0)
        for kind in Kind:
            _REFUSED.labels(kind.value).set(0)
            for counter in (_PAGES, _ROWS, _KNOWN, _FORWARDED):
                counter.labels(kind.value)
        for damage in Damage:
            _REPAIRS.labels(damage.value)

    def delivered(self, delivery: Delivery) -> None:
        _EVENTS_REFUSED.inc(len(delivery.refused))
        if delivery.accepted:
            _SDK.put_forwarded_events(self._label, len(delivery.accepted))
            _SDK.put_forward_events_duration(self._label, delivery.seconds)
            _DELIVERED.set(self._clock.now().timestamp())

    def discarded(self, events: int) -> None:
        _SDK.put_discarded_events(self._label, events)
        _LEFT_OUT.inc(events)

    def covered(self, coverage: Coverage, now: datetime) -> None:
        self._coverage = coverage
        _SDK.put_events_lag(self._label, (now - coverage.live).total_seconds())
        _FINAL.set(coverage.oldest.timestamp())
        _BACKLOG.set(coverage.backlog_span.total_seconds())
        gap_seconds = sum(gap.window.span.total_seconds() for gap in coverage.gaps)
        _GAPS.set(gap_seconds)
        if self._gap_seconds is not None and gap_seconds > self._gap_seconds:
            _DECLARED.set(now.timestamp())
        self._gap_seconds = gap_seconds
        _READ.set(coverage.read_at.timestamp())

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        _PAGES.labels(kind.value).inc()
        _ROWS.labels(kind.value).inc(rows)
        _KNOWN.labels(kind.value).inc(rows - len(forwarded))
        _FORWARDED.labels(kind.value).inc(len(forwarded))
        moment = milliseconds(now)
        _AGE.observe([max(moment - event.received, 0) / 1000 for event in forwarded])
        if kind is not Kind.BACKLOG:
            self._observe_waits(forwarded, now)

    def promised(self, bound: float) -> None:
        _BOUND.set(bound)

    def _observe_waits(self, forwarded: Sequence[Event], now: datetime) -> None:
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        for band, wait in waits(self._coverage, (event.received for event in forwarded), now):
            seconds[band].append(wait)
        for band, several in seconds.items():
            _WAIT.observe(several, band)

    def refused(self, kind: Kind, refused: bool) -> None:
        _REFUSED.labels(kind.value).set(refused)

    def repaired(self, damage: Damage) -> None:
        _REPAIRS.labels(damage.value).inc()

    def request(self, api: str, outcome: str) -> None:
        # all show as zero from then on: a rate needs a sample before the first
        for each in OUTCOMES:
            _REQUESTS.labels(api, each)
        _REQUESTS.labels(api, outcome).inc()

    def stored(self, writes: int = 0, failures: int = 0) -> None:
        _WRITES.inc(writes)
        _FAILURES.inc(failures)

    def watch(self, budget: RequestBudget) -> None:
        """Show the request budget as it is whenever it is asked for."""
        _QUOTA_LEFT.set_function(lambda: budget.left)
        _QUOTA_LIMIT.set_function(lambda: budget.limit)

    def _behind(self) -> float:
        return (self._clock.now() - self._coverage.live).total_seconds()
