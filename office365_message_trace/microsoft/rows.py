"""Turns the bytes of an answer into rows, for both services: pure.

A row that is odd is forwarded with its neighbours. What is not a whole page is an error: a page that
carries an error, or an element that is no row, may lack rows, so none of it counts.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar

from office365_message_trace import codec
from office365_message_trace.codec import Oversized
from office365_message_trace.errors import Unavailable
from office365_message_trace.model import UNDATED, Fields, Row, milliseconds

MOST_ROWS = 10_000
"""On a page: twice as many as Graph is asked for, five times as many as the other service documents."""

_EMPTY = (None, "")  # both mean no value; a service may write one and then the other
_NO_ERROR: tuple[Any, ...] = (False, "", [])
_ERRORS = ("error", "errors")
_THIRD_ERROR_SHAPE = {"errorcode", "message"}  # of the Reporting Web Service
_ANNOTATION = "odata."  # in names such as ``@odata.etag`` and ``status@odata.type``
_END_OF_TIME = milliseconds(datetime(9999, 1, 1, tzinfo=UTC))
_DATES = ("Received", "StartDate", "EndDate")
_USUAL_DATE = re.compile(r"/Date\((-?[0-9]{1,15})\)/")
_VERBOSE_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page as it came: its elements, and the next link if it is anything."""

    rows: list[Any]
    following: Any


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """A page: its rows, those without a usable receive time last, and the next link if there is one.

    ``undated`` is the number of rows without a usable receive time.
    """

    rows: list[Row]
    following: str | None
    undated: int


class RowFormat(ABC):
    """The way in which a service writes pages and rows."""

    trace_id: ClassVar[str]  # the field that holds it
    recipient: ClassVar[str]
    echo: ClassVar[tuple[str, ...]] = ()  # fields that repeat the query
    documented: ClassVar[tuple[str, ...]]
    """The other fields, whose values make up the content in this order: another one makes all rows new."""
    changing: ClassVar[tuple[str, ...]]  # fields that say what became of the message

    def __init__(self) -> None:
        self._documented_values = itemgetter(*self.documented)
        self._usual = frozenset((*self.documented, *self.echo))

    def page(self, body: bytes) -> ParsedPage:
        """The page in the ``body`` of an answer.

        Raises `Unavailable` if it is no whole one, and `Oversized` if it is too large to be taken in.
        """
        try:
            decoded = codec.decode(body)
        except Oversized:
            raise
        except ValueError as error:
            raise Unavailable("an answer that is not JSON", "status 200") from error
        if _carries_error(decoded):
            raise Unavailable("an answer that carries an error", "status 200")
        listing = self.listing(decoded)
        if listing is None:
            raise Unavailable("an answer that is no page of rows", "status 200")
        if len(listing.rows) > MOST_ROWS:
            raise Oversized("too many rows")
        following = listing.following or None
        if following is not None and not isinstance(following, str):
            raise Unavailable("a next link that is no text", "status 200")
        dated, undated = self._rows(listing.rows)
        link = following if following and following.strip() else None
        return ParsedPage(dated + undated, link, len(undated))

    @abstractmethod
    def listing(self, body: Any) -> Listing | None:
        """The page in a decoded ``body``, or None if it is none."""

    @abstractmethod
    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """The receive time, in milliseconds since 1970, and the row in its usual form.

        `UNDATED` if ``fields`` tell no instant between 1970 and the year 9998, both inside.
        """

    def row(self, received: int, fields: Fields) -> Row:
        """The row of ``fields``.

        Its content is all but what repeats the query, annotations, and empty fields: null, an empty text
        and an absent field are equal. Without a trace id or a recipient it may be one of several of a
        message, so all that does not change identifies it.
        """
        trace_id, recipient = fields.get(self.trace_id), fields.get(self.recipient)
        trace_id = trace_id if isinstance(trace_id, str) else ""
        recipient = recipient if isinstance(recipient, str) else ""
        content = self._content(fields)
        if trace_id and recipient:
            return Row(received, trace_id, recipient, content, fields)
        lasting = {name: value for name, value in fields.items() if name not in self.changing}
        return Row(received, trace_id, recipient, content, fields, self._content(lasting))

    def said(self, fields: Fields) -> Fields:
        """Those of ``fields`` that are content."""
        return {
            name: value
            for name, value in fields.items()
            if value not in _EMPTY and name not in self.echo and _ANNOTATION not in name
        }

    def _content(self, fields: Fields) -> bytes:
        """The values of the documented fields, then names and values of the others."""
        values: Sequence[Any]
        try:
            values = self._documented_values(fields)
        except KeyError:
            values = [fields.get(name) for name in self.documented]
        if "" in values:
            values = [None if value == "" else value for value in values]
        if not self._usual.issuperset(fields):
            said = self.said(fields)
            others = sorted(said.keys() - self._usual)
            values = [*values, *chain.from_iterable((name, said[name]) for name in others)]
        return codec.canonical(values)

    def _rows(self, elements: list[Any]) -> tuple[list[Row], list[Row]]:
        """The rows with and without a usable receive time; raises `Unavailable` if one is no row."""
        if not set(map(type, elements)) <= {dict}:
            raise Unavailable("a page of what are no rows", "status 200")
        rows = [self.row(*self.dated(fields)) for fields in elements]
        undated = [row for row in rows if row.received == UNDATED]
        if not undated:
            return rows, []
        if not all(self._is_named(row.fields) for row in undated):
            raise Unavailable("a page of what are no rows", "status 200")
        return [row for row in rows if row.received != UNDATED], undated

    def _is_named(self, fields: Fields) -> bool:
        """Tell a row without a receive time from something else."""
        return any(fields.get(name) not in _EMPTY for name in (self.trace_id, self.recipient))


class GraphRows(RowFormat):
    """Microsoft Graph's: ``value`` and ``@odata.nextLink``, times as text."""

    trace_id = "id"
    recipient = "recipientAddress"
    documented = (
        "id",
        "senderAddress",
        "recipientAddress",
        "messageId",
        "receivedDateTime",
        "subject",
        "size",
        "fromIP",
        "toIP",
        "status",
    )
    changing = ("status", "toIP")

    def listing(self, body: Any) -> Listing | None:
        rows = body.get("value") if isinstance(body, dict) else None
        return Listing(rows, body.get("@odata.nextLink")) if isinstance(rows, list) else None

    def dated(self, fields: Fields) -> tuple[int, Fields]:
        return _usable(_text_time(fields.get("receivedDateTime"))), fields


class ReportingRows(RowFormat):
    """The Reporting Web Service's, in its three forms."""

    trace_id = "MessageTraceId"
    recipient = "RecipientAddress"
    documented = (
        "Organization",
        "MessageId",
        "Received",
        "SenderAddress",
        "RecipientAddress",
        "Subject",
        "Status",
        "ToIP",
        "FromIP",
        "Size",
        "MessageTraceId",
    )
    changing = ("Status", "ToIP")
    echo = ("__metadata", "Index", "StartDate", "EndDate")

    def listing(self, body: Any) -> Listing | None:
        """The verbose (``d.results``), bare (``d``) or light (``value``) form."""
        outer = body.get("d", body) if isinstance(body, dict) else None
        if isinstance(outer, list):
            return Listing(outer, None)
        rows = outer.get("results", outer.get("value")) if isinstance(outer, dict) else None
        if not isinstance(outer, dict) or not isinstance(rows, list):
            return None
        links = (outer.get(key) for key in ("__next", "odata.nextLink", "@odata.nextLink"))
        return Listing(rows, next(filter(None, links), None))

    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """All dates get the form ``/Date(1658751973240)/``, the only one that the platform reads.

        The light form writes them as text, and a verbose one may name a time zone, which does not
        change the milliseconds.
        """
        received = fields.get("Received")
        usual = _USUAL_DATE.fullmatch(received) if isinstance(received, str) else None
        if usual:
            return _usable(int(usual[1])), fields
        dates = {name: _verbose_or_text_time(fields.get(name)) for name in _DATES}
        usual_form = {name: f"/Date({at})/" for name, at in dates.items() if at is not None}
        return _usable(dates["Received"]), fields | usual_form


GRAPH_ROWS = GraphRows()
REPORTING_ROWS = ReportingRows()


def _carries_error(body: Any) -> bool:
    """Tell an error beside the rows or instead of them, in any of the services' shapes."""
    if not isinstance(body, dict):
        return False
    told = {name.lower(): value for name, value in body.items() if value is not None}
    if told.keys() >= _THIRD_ERROR_SHAPE:
        return True
    errors = (value for name, value in told.items() if re.split("[@.]", name)[-1] in _ERRORS)
    return any(value not in _NO_ERROR for value in errors) or _carries_error(body.get("d"))


def _usable(received: int | None) -> int:
    return received if received and 0 < received < _END_OF_TIME else UNDATED


def _verbose_or_text_time(value: Any) -> int | None:
    match = _VERBOSE_DATE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else _text_time(value)


def _text_time(value: Any) -> int | None:
    """Milliseconds since 1970 of ``2022-09-05T18:10:13.4907658`` or the like; UTC with or without Z.

    Finer digits are cut, so that a row is the same in whatever form it comes. None if it is no time.
    """
    try:
        instant = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
