"""Metrics, under the names that the platform's dashboards know from the SDK."""

from datetime import datetime
from hashlib import blake2b

from sekoia_automation.connector.metrics import MetricsMixin

_METRICS = MetricsMixin()  # one a process: Prometheus registers each name once


class Telemetry:
    """Counts what was delivered. The intake key is a credential: its label shows a digest of it."""

    def __init__(self, intake_key: str) -> None:
        self._label = blake2b(intake_key.encode(), digest_size=4).hexdigest()

    def accepted(self, events: int, seconds: float) -> None:
        """``events`` were accepted by the intake, which took ``seconds``."""
        _METRICS.put_forwarded_events(self._label, events)
        _METRICS.put_forward_events_duration(self._label, seconds)

    def discarded(self, events: int) -> None:
        """``events`` were left out because the intake does not accept them."""
        _METRICS.put_discarded_events(self._label, events)

    def lag(self, live_edge: datetime, now: datetime) -> None:
        """How far the first read is behind."""
        _METRICS.put_events_lag(self._label, (now - live_edge).total_seconds())
