"""Growing pauses between attempts that are unlikely to succeed yet: pure, no clock."""

_PAUSES = (60.0, 180.0, 540.0, 600.0)  # seconds
_DOUBTFUL = 3  # failures in a row that may still pass; the fourth comes after 13 minutes


class SlowProbe:
    """Waits from 1 to 10 minutes between attempts that are unlikely to succeed yet.

    The first ``patience`` failures in a row cause no wait.
    """

    def __init__(self, patience: int = 0) -> None:
        self._patience = patience
        self._failures = 0
        self._lasting = 0  # latest failures in a row of a lasting kind
        self._next = 0.0

    @property
    def certain(self) -> bool:
        """True once enough failures in a row were lasting: the cause will not pass by itself."""
        return self._lasting > _DOUBTFUL

    @property
    def waiting(self) -> bool:
        """True if nothing has succeeded since the first wait."""
        return self._failures > self._patience

    def failed(self, now: float, lasting: bool = False) -> float:
        """Note a failure at ``now``, in monotonic seconds; returns the seconds to wait.

        ``lasting`` marks a failure that is unlikely to pass by itself.
        """
        self._failures += 1
        self._lasting = self._lasting + 1 if lasting else 0
        if not self.waiting:
            return 0.0
        pause = _PAUSES[min(self._failures - self._patience, len(_PAUSES)) - 1]
        self._next = now + pause
        return pause

    def wait(self, now: float) -> float:
        """Seconds from ``now``, in monotonic seconds, until the next attempt is due."""
        return max(self._next - now, 0.0)

    def reset(self) -> None:
        """Note a success."""
        self._failures = self._lasting = 0
        self._next = 0.0
