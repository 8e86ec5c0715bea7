"""Reads a window of any length to its end, while a person waits."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from office365_message_trace.clock import Clock
from office365_message_trace.collect.ledger import FINGERPRINT_BYTES
from office365_message_trace.errors import HistoryExceeded, Refused, Unavailable, WindowTooLarge
from office365_message_trace.formatting import span
from office365_message_trace.microsoft.auth import Signer
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import MILLISECOND, Log, Page, Pause, Row, Window
from office365_message_trace.time_arguments import parse_time

_WIDEST = timedelta(days=10)  # what Graph accepts at most
_WORTH_A_WORD = 1.0  # seconds of a wait


@dataclass(frozen=True, slots=True)
class Period:
    """Receive time from ``start`` to ``end``, in the forms of `parse_time`."""

    start: str
    end: str

    def window(self, now: datetime) -> Window:
        """The window that is meant at ``now``; an end in the future means now. Raises `Refused`."""
        start, end = parse_time(self.start, now), min(parse_time(self.end, now), now)
        if start >= end:
            raise Refused("--from is not before --to, or not in the past; correct one of them.")
        return Window(start, end)


def told_window(period: Period, signer: Signer, clock: Clock) -> Window:
    """The window of ``period`` by Microsoft's time, which ``clock`` learns from the sign-in.

    An account with a password has no sign-in, so for one it is by this machine's clock. Raises `Refused`.
    """
    with suppress(Unavailable):  # the first request tries again
        signer.sign_in()
    return period.window(clock.now())


def read_rows(
    source: ODataClient, window: Window, clock: Clock, log: Log
) -> Iterator[dict[bytes, Row]]:
    """The rows of ``window``, each once, by a digest of their content; a batch for each page.

    Keeps to the request budget, less the requests that a running trigger had spent at the start. Splits a
    window that is too large, and warns of a millisecond whose rows the service does not give. Raises `Refused`, also
    for time that the service no longer keeps, or `Unavailable`.
    """
    known: set[bytes] = set()
    for page in _pages(source, window, clock, log):
        fresh = {}
        for row in page.rows:
            digest = blake2b(row.content, digest_size=FINGERPRINT_BYTES).digest()
            if digest not in known:
                known.add(digest)
                fresh[digest] = row
        yield fresh


def _pages(source: ODataClient, window: Window, clock: Clock, log: Log) -> Iterator[Page]:
    parts = deque(_divided(window, _WIDEST))
    while parts:
        part = parts.popleft()
        try:
            for page in source.pages(part, background=True):
                if isinstance(page, Pause):
                    if page.seconds >= _WORTH_A_WORD:
                        log(f"Waiting {span(timedelta(seconds=page.seconds))}.", "info")
                    clock.wait(page.seconds)
                else:
                    yield page
        except WindowTooLarge as problem:
            if part.span <= MILLISECOND:
                log(
                    f"Rows may be missing at {part}: {source.name} does not give them ({problem}).",
                    "warning",
                )
                continue
            half = max(part.span / 2 // MILLISECOND * MILLISECOND, MILLISECOND)
            parts.extendleft(reversed(_divided(part, half)))
        except HistoryExceeded as problem:
            raise Refused(
                f"{source.name} keeps rows for {problem.days} days only; choose a later --from.",
                problem.detail,
            ) from None
        except Unavailable as problem:
            text = f"{problem.about(source.name)} Try again later."
            raise Unavailable(text, problem.detail) from None


def _divided(window: Window, longest: timedelta) -> list[Window]:
    """``window`` in parts of at most ``longest``, which share their bounds, oldest first."""
    parts = []
    start = window.start
    while start < window.end:
        end = min(start + longest, window.end)
        parts.append(Window(start, end))
        start = end
    return parts
