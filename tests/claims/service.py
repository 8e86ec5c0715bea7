"""A message trace service whose rows have a history, and whose answers are as odd as a test wants."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from office365_message_trace.clock import Clock
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import Log
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms, to_ms

S, M, H, D = 1000, 60_000, 3_600_000, 86_400_000
"""Milliseconds of a second, a minute, an hour and a day."""

Kind = Literal["reporting", "graph"]
Fields = dict[str, Any]

BASE = "https://service.example"
_REPORTING_TIMES = re.compile(r"StartDate eq datetime'([^']+)' and EndDate eq datetime'([^']+)'")
_GRAPH_TIMES = re.compile(r"receivedDateTime ge (\S+) and receivedDateTime le (\S+)")
_TRACE_ID = re.compile(r"(?:\bid eq |MessageTraceId eq guid)'([^']+)'")
_RECIPIENT = re.compile(r"recipientAddress eq '([^']+)'")


@dataclass(frozen=True, slots=True)
class Mail:
    """A row. Its ``life`` names instants with the status from then on, or None while it is hidden.

    Without a ``life`` it is shown as delivered as soon as it is received. ``fields`` replace or add to
    those of its form. Times are milliseconds since 1970.
    """

    received: int
    id: str
    to: str = "a@contoso.example"
    life: tuple[tuple[int, str | None], ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def status(self, now: int) -> str | None:
        """What it says at ``now``, None if it is not shown."""
        if not self.life:
            return "Delivered" if self.received <= now else None
        return next((status for since, status in reversed(self.life) if since <= now), None)


def shown_after(delay: int, received: int, id: str) -> Mail:
    """A row that is shown ``delay`` after it was received."""
    return Mail(received, id, life=((received + delay, "Delivered"),))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request at ``now`` for the rows from ``start`` to ``end``, or what follows a ``token`` of them."""

    now: int
    start: int
    end: int
    token: str | None
    top: int | None
    recipient: str | None
    trace_id: str | None

    @property
    def age(self) -> int:
        """Of the oldest time that is asked for."""
        return self.now - self.start


@dataclass(frozen=True, slots=True)
class Given:
    """What a request got: so many rows, None if something came instead, and whether there was more."""

    asked: Asked
    rows: int | None
    more: bool


Pager = Callable[[list[Mail], Asked, int], tuple[list[Mail], str | None]]
"""Takes the rows that a request is about and the page size; gives a page and the token of the next."""


class Service:
    """One of Microsoft's services. What it shows, how it pages and what it writes can be replaced.

    By default rows come newest first, both bounds are inside, and pages follow each other as the
    services have it: by position (Reporting), or after the time and recipient of the last row, the
    rest of which is skipped (Graph).
    """

    def __init__(self, kind: Kind, mail: Iterable[Mail], page_size: int | None = None) -> None:
        self.kind: Kind = kind
        self.page_size = page_size or (2000 if kind == "reporting" else 5000)
        self.receive(mail)
        self.reporting_format = False
        """Whether rows of Graph are to be forwarded in the form of the Reporting Web Service."""
        self.clock: Callable[[int], int] = lambda now: now
        """The instant that the ``Date`` of an answer names."""
        self.given: list[Given] = []
        self.heard: Callable[[Asked], Asked] = lambda asked: asked
        """Takes what is asked for; gives what is answered instead."""
        self.replica: Callable[[int], int] = lambda now: now
        """The instant of which the rows are shown."""
        self.shown: Callable[[Asked, list[Mail]], list[Mail]] = lambda asked, rows: rows
        """Takes the rows in order; gives those that are shown, in any order."""
        self.instead: Callable[[Asked, list[Mail]], Answer | None] = lambda asked, rows: None
        """What comes instead of a page, if anything does."""
        self.pager: Pager = by_position if kind == "reporting" else after_recipient
        self.written: Callable[[Asked, Fields], Fields] = lambda asked, fields: fields
        """Takes the fields of a row; gives those that are written."""

    def receive(self, mail: Iterable[Mail]) -> None:
        """Have these rows and no others."""
        self.mail = sorted(mail, key=lambda row: (row.received, row.id))
        self._times = [row.received for row in self.mail]

    def answer(self, url: str, now: int) -> Answer:
        """The answer to a request at ``now``."""
        asked = self.heard(self._asked(url, now))
        rows = self.shown(asked, self._rows(asked))
        special = self.instead(asked, rows)
        if special is not None:
            self.given.append(Given(asked, None, more=False))
            return special
        page, token = self.pager(rows, asked, min(asked.top or self.page_size, self.page_size))
        self.given.append(Given(asked, len(page), token is not None))
        return Answer(200, {}, orjson.dumps(self.body(asked, page, self._link(url, token))))

    def body(self, asked: Asked, page: list[Mail], link: str | None = None) -> Fields:
        """A page in the service's form."""
        rows = [self.written(asked, self._fields(row, n, asked)) for n, row in enumerate(page)]
        if self.kind == "reporting":
            return {"d": {"results": rows, **({"__next": link} if link else {})}}
        return {"value": rows, **({"@odata.nextLink": link} if link else {})}

    def client(self, transport: Transport, clock: Clock, log: Log) -> ODataClient:
        """The product's client of it, which knows the page size."""
        client: ODataClient = (
            ReportingClient(BASE, transport, clock, log)
            if self.kind == "reporting"
            else GraphClient(BASE, transport, clock, log, self.reporting_format)
        )
        client.page_size = self.page_size
        return client

    def between(self, first: int, last: int) -> list[Mail]:
        """The mail that is received between two instants, both inside, oldest first."""
        return self.mail[bisect_left(self._times, first) : bisect_right(self._times, last)]

    def _rows(self, asked: Asked) -> list[Mail]:
        instant = self.replica(asked.now)
        rows = self.between(asked.start, asked.end)
        rows = [row for row in rows if row.status(instant) is not None]
        if asked.recipient is not None:
            rows = [row for row in rows if row.to == asked.recipient]
        if asked.trace_id is not None:
            rows = [row for row in rows if row.id == asked.trace_id]
        return sorted(rows, key=_newest_first)

    def _asked(self, url: str, now: int) -> Asked:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        condition = query["$filter"]
        times = (_REPORTING_TIMES if self.kind == "reporting" else _GRAPH_TIMES).search(condition)
        assert times, f"no times in {condition}"
        recipient, trace_id = _RECIPIENT.search(condition), _TRACE_ID.search(condition)
        return Asked(
            now,
            to_ms(datetime.fromisoformat(times[1])),
            to_ms(datetime.fromisoformat(times[2])),
            query.get("$skiptoken"),
            int(query["$top"]) if "$top" in query else None,
            recipient[1] if recipient else None,
            trace_id[1] if trace_id else None,
        )

    def _fields(self, row: Mail, number: int, asked: Asked) -> Fields:
        status = row.status(self.replica(asked.now))
        if self.kind == "reporting":
            return {
                "Organization": "contoso.example",
                "MessageId": f"<{row.id}>",
                "Received": f"/Date({row.received})/",
                "SenderAddress": "s@x.example",
                "RecipientAddress": row.to,
                "Subject": "x",
                "Status": status,
                "ToIP": None,
                "FromIP": "192.0.2.1",
                "Size": 1,
                "MessageTraceId": row.id,
                "Index": number,
                **row.fields,
            }
        received = from_ms(row.received).isoformat(timespec="milliseconds")
        return {
            "id": row.id,
            "senderAddress": "s@x.example",
            "recipientAddress": row.to,
            "messageId": f"<{row.id}>",
            "receivedDateTime": received.replace("+00:00", "Z"),
            "subject": "x",
            "size": 1,
            "fromIP": "192.0.2.1",
            "toIP": "",
            "status": status,
            **row.fields,
        }

    @staticmethod
    def _link(url: str, token: str | None) -> str | None:
        first = re.sub(r"&\$skiptoken=[^&]*", "", url)
        return None if token is None else f"{first}&$skiptoken={quote(token)}"


def by_position(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
    """Pages whose token is the position of their last row, as the Reporting Web Service has them."""
    first = int(asked.token) + 1 if asked.token else 0
    last = first + size - 1
    return rows[first : last + 1], str(last) if last + 1 < len(rows) else None


def after_recipient(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
    """Pages after a receive time and a recipient, as Graph has them: rows that share both are skipped."""
    if asked.token:
        received, _, recipient = asked.token.partition(" ")
        after = -int(received), recipient
        rows = [row for row in rows if _newest_first(row)[:2] > after]
    page = rows[:size]
    return page, f"{page[-1].received} {page[-1].to}" if len(rows) > size else None


def _newest_first(row: Mail) -> tuple[int, str, str]:
    return -row.received, row.to, row.id
