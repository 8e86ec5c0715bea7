"""The mail to collect: one row every twelfth of a second, told apart by its number.

Row `n` was received `n / ROWS_PER_SECOND` seconds after 1970, so any window is a range of numbers and
its pages are made when they are asked for. Rows look like the sandbox's mail, with ids of their own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.clock import MINUTE_MS, from_ms, to_ms
from sandbox.graph.options import GraphOptions
from sandbox.graph.render import graph_row
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.reporting.options import ReportingOptions
from sandbox.reporting.render import Page, dumps, render
from sandbox.rows import Row

ROWS_PER_SECOND = 12  # a million a day
END = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""No mail from this instant on. Fixed, so that every run asks for the same windows."""

_PATTERNS = 5000
_ID_FACTORS = (0x9E3779B97F4A7C15F39CC0605CEDC835, 0xD1B54A32D192ED03A2E62B8F4C9D5E7B)
"""Odd numbers: multiplying by them modulo 2**128 gives each number another id."""

_INDEX, _START, _END = 1111111111111, 2222222222222, 3333333333333
_MARKS = {
    b"TRACE-ID": b"%(trace_id)b",
    b"MESSAGE-ID": b"%(message_id)b",
    b"RECEIVED": b"%(received)b",
    str(_INDEX).encode(): b"%(index)b",
    str(_START).encode(): b"%(start)b",
    str(_END).encode(): b"%(end)b",
}
"""What stands in a rendered pattern for what differs from row to row."""


def start_of(rows: int) -> datetime:
    """When the first of the last `rows` rows was received."""
    return from_ms((_number_from(to_ms(END)) - rows) * 1000 // ROWS_PER_SECOND)


def numbers(start: datetime, end: datetime) -> range:
    """The rows received in the window, both bounds inside."""
    last = min(_number_from(to_ms(end) + 1), _number_from(to_ms(END)))
    return range(_number_from(to_ms(start)), last)


class Mail:
    """Renders rows as a service writes them, fast enough to be done between two requests."""

    def __init__(self, service: str) -> None:
        self._is_graph = service == "graph"
        flow = MailFlow(MailFlowOptions(messages_per_minute=_PATTERNS))
        rows = flow.minute(to_ms(END) // MINUTE_MS)
        pattern = _graph_pattern if self._is_graph else _pattern
        self._patterns = [pattern(row) for row in rows[:_PATTERNS]]

    def render(self, chosen: range, first_index: int, start: datetime, end: datetime) -> bytes:
        """The rows of these numbers, separated by commas, as answered for the window."""
        window = {b"start": b"%d" % to_ms(start), b"end": b"%d" % to_ms(end)}
        patterns = self._patterns
        return b",".join(
            patterns[number % len(patterns)]
            % {
                **window,
                b"index": b"%d" % index,
                b"received": self._time(number * 1000 // ROWS_PER_SECOND),
                b"trace_id": _guid(number, _ID_FACTORS[0]),
                b"message_id": _guid(number, _ID_FACTORS[1]),
            }
            for index, number in enumerate(chosen, first_index)
        )

    def _time(self, received: int) -> bytes:
        if not self._is_graph:
            return b"%d" % received
        return from_ms(received).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


def _number_from(milliseconds: int) -> int:
    """The first row received at or after the instant."""
    return -(-milliseconds * ROWS_PER_SECOND // 1000)


def _pattern(row: Row) -> bytes:
    """The row as the sandbox renders it, as a format of bytes with the names of `_MARKS`."""
    page = Page([_marked(row)], _INDEX, from_ms(_START), from_ms(_END), next_link=None)
    body = render(page, "verbose", ReportingOptions()).body
    return _format(body.removeprefix(b'{"d":{"results":[').removesuffix(b"]}}"))


def _graph_pattern(row: Row) -> bytes:
    """The same as Graph has it."""
    content = {**_marked(row), "Received": 0}
    shown = graph_row(content, GraphOptions(), all_members=True)
    return _format(dumps({**shown, "receivedDateTime": "RECEIVED"}))


def _marked(row: Row) -> dict[str, object]:
    message_id = row.content["MessageId"] and "<MESSAGE-ID@contoso.example>"
    marked = {"MessageId": message_id, "Received": "RECEIVED", "MessageTraceId": "TRACE-ID"}
    return {**row.shown_at(row.statuses[-1][0]), **marked}


def _format(text: bytes) -> bytes:
    pattern = text.replace(b"%", b"%%")
    for mark, field in _MARKS.items():
        pattern = pattern.replace(mark, field)
    return pattern


def _guid(number: int, factor: int) -> bytes:
    digits = b"%032x" % (number * factor % 2**128)
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
