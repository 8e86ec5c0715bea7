"""The coverage as a document in the trigger's storage: versioned, checksummed, in two copies.

The copies are written in turn, so the previous one is always there; the newest intact one counts.
Falling back to the older one costs a few reads: the ledger knows what was accepted.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from office365_message_trace.collect.coverage import (
    MOST_GAPS,
    MOST_OUTAGES,
    Cause,
    Coverage,
    Gap,
    Outage,
    Span,
)
from office365_message_trace.errors import Refused
from office365_message_trace.model import EPOCH, Log, Window, sensible
from office365_message_trace.storage.base import Storage

SCHEMA = 3
COPIES = ("state-0.json", "state-1.json")

# a collector makes some hundred, and one between two gaps; planning visits each
_MOST_SPANS = 10_000
_ENDLESS = 2**53  # JSON numbers are exact below
# saves; no trigger makes so many, and a sequence from there on begins again
_HALFWAY = _ENDLESS // 2

_MICROSECOND = timedelta(microseconds=1)

_PREDECESSOR = "context.json"
_PREDECESSOR_EDGE = "most_recent_date_requested"


class CheckpointStore:
    """Loads and saves the coverage. Logs damage as a warning."""

    def __init__(self, storage: Storage, log: Log) -> None:
        self._storage = storage
        self._log = log
        self._sequence = 0
        self.damaged = False
        """True if a copy was missing or damaged when the state was loaded."""

    def load(self) -> Coverage | None:
        """The newest intact copy, or None if there is none.

        A copy by a newer version of this module is used as little as a damaged one. Raises `Refused` if
        there is such a copy and no intact one: only that version knows then what was read.
        """
        newer: list[Refused] = []
        copies = [self._read(name, newer) for name in COPIES]
        intact = [copy for copy in copies if copy is not None]
        if not intact and newer:
            raise newer.pop()
        if not intact:
            return None
        self.damaged = len(intact) < len(COPIES)
        newest = max(intact, key=lambda copy: copy.sequence)
        self._sequence = newest.sequence if newest.sequence < _HALFWAY else 0
        if self.damaged:
            self._log(
                "One of the two copies of the trigger's state is missing or damaged; the other one "
                "is used. Nothing is lost: what it does not know is read again.",
                "warning",
            )
        return newest.coverage

    def save(self, coverage: Coverage) -> None:
        """Replace the older copy by ``coverage`` (at first, both); durable when it returns."""
        for _ in COPIES if self._sequence == 0 else COPIES[:1]:
            sequence = self._sequence + 1
            self._storage.write(COPIES[sequence % 2], _encoded(sequence, coverage))
            self._sequence = sequence

    def _read(self, name: str, newer: list[Refused]) -> "Copy | None":
        data = self._storage.read(name)
        if data is None:
            return None
        try:
            return decoded(data)
        except Damaged as damage:
            self._log(f"{name} of the trigger's state is damaged ({damage}).", "warning")
        except Refused as refused:
            newer.append(refused.with_traceback(None))
            self._log(
                f"{name} of the trigger's state is of a newer version ({refused.detail}).",
                "warning",
            )
        return None


def predecessor_edge(storage: Storage, log: Log) -> datetime | None:
    """The cursor of the platform's former module, if its ``context.json`` is in ``storage``."""
    data = storage.read(_PREDECESSOR)
    if data is None:
        return None
    try:
        edge = datetime.fromisoformat(orjson.loads(data)[_PREDECESSOR_EDGE])
        return sensible(edge.replace(tzinfo=edge.tzinfo or UTC))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        log(
            f"{_PREDECESSOR} of the former module is not readable ({type(error).__name__}).",
            "warning",
        )
        return None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the state; the one with the larger ``sequence`` is newer."""

    sequence: int
    coverage: Coverage


class Damaged(Exception):
    """A copy of the state is not one that this module wrote, whatever its checksum says."""


def _encoded(sequence: int, coverage: Coverage) -> bytes:
    payload = {
        "sequence": sequence,
        "live": coverage.live.isoformat(),
        "spans": [_span_entry(span) for span in coverage.spans],
        "gaps": [_gap_entry(gap) for gap in coverage.gaps],
        "since": coverage.since.isoformat(),
        "read_at": coverage.read_at.isoformat(),
        "shown_from": coverage.shown_from.isoformat() if coverage.shown_from else None,
        "started_at": coverage.started_at.isoformat() if coverage.started_at else None,
        "outages": [_outage_entry(outage) for outage in coverage.outages],
    }
    document = {"schema": SCHEMA, "checksum": _checksum(payload), "payload": payload}
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def decoded(data: bytes) -> Copy:
    """Decode the copy of the state in ``data``.

    Raises `Damaged` for anything that this module did not write, and `Refused` for the state of a newer
    version of it.
    """
    try:
        document = orjson.loads(data)
        schema = document["schema"]
        if not isinstance(schema, int):
            raise TypeError("a schema that is no number")
        if schema <= SCHEMA:
            return _copy(document)
    except Exception as error:  # any error means that the copy is unusable
        raise Damaged(type(error).__name__) from error
    raise Refused(
        "The trigger's state was written by a newer version of this module. Run that version "
        "again, or give this one an empty storage.",
        f"schema {schema}, known up to {SCHEMA}",
    )


def _copy(document: dict[str, Any]) -> Copy:
    """The copy in ``document``. Raises any exception for one that `_encoded` did not write."""
    payload = document["payload"]
    shown, started = payload["shown_from"], payload["started_at"]
    if document["checksum"] != _checksum(payload):
        raise ValueError("checksum does not match")
    sequence = payload["sequence"]
    if not isinstance(sequence, int) or not 0 < sequence < _ENDLESS:
        raise ValueError("an impossible sequence number")
    live, spans = _instant(payload["live"]), tuple(map(_span, payload["spans"]))
    bounds = [bound for each in spans for bound in (each.window.start, each.window.end)]
    if bounds != sorted(bounds) or max(bounds, default=live) > live or len(spans) > _MOST_SPANS:
        raise ValueError("impossible spans")
    coverage = Coverage(
        live=live,
        spans=spans,
        gaps=tuple(_gap(entry) for entry in payload["gaps"][-MOST_GAPS:]),
        since=_instant(payload["since"]),
        read_at=_instant(payload["read_at"]),
        shown_from=_instant(shown) if shown else None,
        started_at=_instant(started) if started else None,
        outages=tuple(_outage(entry) for entry in payload["outages"][-MOST_OUTAGES:]),
    )
    return Copy(sequence, coverage)


def _span_entry(span: Span) -> list[int | None]:
    """Start, end and last read in microseconds since 1970, and the rows; compact, as there are many."""
    start, end = _microseconds(span.window.start), _microseconds(span.window.end)
    return [start, end, _microseconds(span.read_at) if span.read_at else None, span.rows]


def _span(entry: list[Any]) -> Span:
    start, end, read_at, rows = entry
    window = Window(_after_1970(start), _after_1970(end))
    if not window.span or not isinstance(rows, int) or not 0 <= rows < _ENDLESS:
        raise ValueError("an impossible span")
    return Span(window, None if read_at is None else _after_1970(read_at), rows)


def _outage_entry(outage: Outage) -> list[str | None]:
    shown = outage.shown_from
    return [*bounds_of(outage.window), shown.isoformat() if shown else None]


def _outage(entry: list[Any]) -> Outage:
    *pair, shown = entry
    return Outage(window_of(pair), _instant(shown) if shown else None)


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // _MICROSECOND


def _after_1970(microseconds: int) -> datetime:
    return sensible(EPOCH + microseconds * _MICROSECOND)


def _checksum(payload: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()


def bounds_of(window: Window) -> list[str]:
    """A stored ``window``; the inverse of `window_of`."""
    return [window.start.isoformat(), window.end.isoformat()]


def window_of(pair: list[str]) -> Window:
    """The window that `bounds_of` made a ``pair`` of. Raises ValueError or TypeError for another one."""
    return Window(_instant(pair[0]), _instant(pair[1]))


def _gap_entry(gap: Gap) -> dict[str, str]:
    start, end = bounds_of(gap.window)
    return {"start": start, "end": end, "cause": gap.cause.value}


def _gap(entry: dict[str, str]) -> Gap:
    return Gap(window_of([entry["start"], entry["end"]]), Cause(entry["cause"]))


def _instant(text: str) -> datetime:
    return sensible(datetime.fromisoformat(text))
