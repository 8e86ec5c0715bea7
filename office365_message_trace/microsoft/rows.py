"""Turns the bytes of an answer into rows, for both services: pure.

A usual page is cut into the texts of its rows as they came, and of each only the head is read: when it was
received, which message it is of, and for whom. An odd page is decoded, and its rows are written again.

A row that is odd is forwarded with its neighbours. What is not a whole page is an error: a page that
carries an error, or an element that is no row, may lack rows, so none of it counts.
"""

import re
import secrets
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar, Protocol

import msgspec

from office365_message_trace import codec
from office365_message_trace.codec import Oversized
from office365_message_trace.errors import Unavailable
from office365_message_trace.model import EPOCH, MILLISECOND, UNDATED, Fields, Row, milliseconds

MOST_ROWS = 10_000
"""On a page: twice as many as Graph is asked for, five times as many as the other service documents."""

_EMPTY = (None, "")  # both mean no value; a service may write one and then the other
_NO_ERROR: tuple[Any, ...] = (False, "", [])
_ERRORS = ("error", "errors")
_THIRD_ERROR_SHAPE = {"errorcode", "message"}  # of the Reporting Web Service
_ANNOTATION = "odata."  # in names such as ``@odata.etag`` and ``status@odata.type``
_END_OF_TIME = milliseconds(datetime(9999, 1, 1, tzinfo=UTC))
_DATES = ("Received", "StartDate", "EndDate")
_USUAL_DATE = re.compile(r"/Date\((-?[0-9]{1,15})\)/").fullmatch
_VERBOSE_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
_METADATA = b'{"__metadata":{'
_USUAL_METADATA = re.compile(
    rb'\{"__metadata":\{"id":"[^"]*","uri":"[^"]*","type":"[^"]*"\},'
).match
_QUERY = re.compile(
    rb',"StartDate":"[^"]*","EndDate":"[^"]*","Index":[0-9]*\}\Z'  # no value ends in a backslash
).search
_QUERY_LENGTH = 120  # bytes, at most, of what it finds
_new = tuple.__new__  # which is quicker than a named tuple's own
_SECRET = secrets.token_bytes(16)
"""Before each text that is hashed: senders know how Python hashes, but neither this nor its own secret."""


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


class Head(Protocol):
    """What is read of each row."""

    received: str
    trace_id: str
    recipient: str


class _GraphHead(msgspec.Struct, gc=False):
    received: str = msgspec.field(name="receivedDateTime")
    trace_id: str = msgspec.field(name="id")
    recipient: str = msgspec.field(name="recipientAddress")


class _GraphPage(msgspec.Struct):
    value: list[msgspec.Raw]


class _ReportingHead(msgspec.Struct, gc=False):
    received: str = msgspec.field(name="Received")
    trace_id: str = msgspec.field(name="MessageTraceId")
    recipient: str = msgspec.field(name="RecipientAddress")


class _ReportingPage(msgspec.Struct):
    d: "_ReportingPage | list[msgspec.Raw] | msgspec.UnsetType" = msgspec.UNSET
    results: list[msgspec.Raw] = []
    value: list[msgspec.Raw] = []


_GRAPH_PAGE = msgspec.json.Decoder(_GraphPage).decode
_REPORTING_PAGE = msgspec.json.Decoder(_ReportingPage).decode


class RowFormat(ABC):
    """The way in which a service writes pages and rows."""

    trace_id: ClassVar[str]  # the field that holds it
    recipient: ClassVar[str]
    echo: ClassVar[tuple[str, ...]] = ()  # fields that repeat the query
    documented: ClassVar[tuple[str, ...]]
    """The other fields, whose values make up the content in this order: another one makes all rows new."""
    changing: ClassVar[tuple[str, ...]]  # fields that say what became of the message

    def __init__(self, head: type[Head]) -> None:
        self._documented_values = itemgetter(*self.documented)
        self._usual = frozenset((*self.documented, *self.echo))
        self._head = msgspec.json.Decoder(head).decode

    def page(self, body: bytes) -> ParsedPage:
        """The page in the ``body`` of an answer.

        Raises `Unavailable` if it is no whole one, and `Oversized` if it is too large to be taken in.
        """
        try:
            return self._page(body.removeprefix(BOM_UTF8))
        except Oversized:
            raise
        except ValueError as error:
            raise Unavailable("an answer that is not JSON", "status 200") from error

    def _page(self, body: bytes) -> ParsedPage:
        texts, around = self._cut(body) or (None, codec.decode(body))
        if _carries_error(around):
            raise Unavailable("an answer that carries an error", "status 200")
        listing = self.listing(around)
        if listing is None:
            raise Unavailable("an answer that is no page of rows", "status 200")
        if len(texts or listing.rows) > MOST_ROWS:
            raise Oversized("too many rows")
        following = listing.following or None
        if following is not None and not isinstance(following, str):
            raise Unavailable("a next link that is no text", "status 200")
        dated, undated = self._rows(texts or map(codec.rewritten, listing.rows))
        link = following if following and following.strip() else None
        return ParsedPage(dated + undated, link, len(undated))

    def _cut(self, body: bytes) -> tuple[list[bytes], Any] | None:
        """The texts of the rows in ``body``, as they came but on one line each, and the value of all that is around
        them; None if it has to be decoded to tell them."""
        if not codec.can_be_cut(body):
            raise Oversized("too long, or too many values")
        try:
            texts = list(map(bytes, self.elements(body)))
            if not texts:
                return None
            end = body.rindex(texts[-1]) + len(texts[-1])
            around = codec.decode(body[: body.index(texts[0])] + body[end:])
            if b"\n" in body or b"\r" in body:
                texts = list(map(codec.on_one_line, texts))
        except (ValueError, RecursionError):  # of msgspec as well
            return None
        listing = self.listing(around)
        return (texts, around) if listing and not listing.rows else None

    @abstractmethod
    def elements(self, body: bytes) -> list[msgspec.Raw]:
        """The rows in ``body``, uncut; raises what msgspec does if it is no usual page."""

    @abstractmethod
    def listing(self, body: Any) -> Listing | None:
        """The page in a decoded ``body``, or None if it is none."""

    @abstractmethod
    def usual_time(self, received: str) -> int:
        """The receive time, in milliseconds since 1970, if it is usual and in the usual form; else `UNDATED`."""

    @abstractmethod
    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """The receive time, in milliseconds since 1970, and the row in its usual form.

        `UNDATED` if ``fields`` tell no instant between 1970 and the year 9998, both inside.
        """

    def lasting_part(self, text: bytes) -> bytes:
        """The ``text`` of a row without what repeats the query, as far as that stands where it usually does."""
        return text

    def row(self, received: int, fields: Fields) -> Row:
        """The row of ``fields``."""
        return self._row(received, fields, codec.rewritten(fields))

    def content_of(self, text: bytes) -> bytes:
        """The content of a row."""
        return self.content(self.fields(text))

    def fields(self, text: bytes) -> Fields:
        """The members of a row."""
        fields: Fields = codec.decode(text)
        return fields

    def lasting(self, fields: Fields) -> bytes:
        """The content of ``fields`` but for those that say what became of the message."""
        return self.content({n: value for n, value in fields.items() if n not in self.changing})

    def said(self, fields: Fields) -> Fields:
        """Those of ``fields`` that are content."""
        return {
            name: value
            for name, value in fields.items()
            if value not in _EMPTY and name not in self.echo and _ANNOTATION not in name
        }

    def content(self, fields: Fields) -> bytes:
        """All that ``fields`` say but for what repeats the query, annotations, and empty fields: null, an empty text
        and an absent field are equal. The values of the documented fields, then names and values of the others.
        """
        values: Sequence[Any]
        try:
            values = self._documented_values(fields)
            others_at_most = len(fields) - len(self.documented)
        except KeyError:
            values = [fields.get(name) for name in self.documented]
            others_at_most = len(fields)
        if "" in values:
            values = [None if value == "" else value for value in values]
        if others_at_most and not self._usual.issuperset(fields):
            said = self.said(fields)
            others = sorted(said.keys() - self._usual)
            values = [*values, *chain.from_iterable((name, said[name]) for name in others)]
        return codec.canonical(values)

    def _rows(self, texts: Iterable[bytes]) -> tuple[list[Row], list[Row]]:
        """The rows with and without a usable receive time; raises `Unavailable` if one is no row."""
        rows = [self._glanced(text) or self._decoded(text) for text in texts]
        undated = [row for row in rows if row.received == UNDATED]
        if not undated:
            return rows, []
        if not all(self._is_named(row.fields) for row in undated):
            raise Unavailable("a page of what are no rows", "status 200")
        return [row for row in rows if row.received != UNDATED], undated

    def _glanced(self, text: bytes) -> Row | None:
        """The row of ``text``, of which only the head is read; None if it has to be decoded to tell it."""
        try:
            head = self._head(text)
        except ValueError:  # of msgspec as well
            return None
        received = self.usual_time(head.received)
        if not received or (len(text) > codec.SURELY_LIGHT and codec.may_be_heavy(text)):
            return None
        form = hash(_SECRET + self.lasting_part(text))
        return _new(Row, (received, head.trace_id, head.recipient, form, text, self))

    def _decoded(self, text: bytes) -> Row:
        fields = codec.decode(text)
        if not isinstance(fields, dict):
            raise Unavailable("a page of what are no rows", "status 200")
        received, usual = self.dated(fields)
        return self._row(received, usual, text if usual is fields else codec.rewritten(usual))

    def _row(self, received: int, fields: Fields, text: bytes) -> Row:
        trace_id, recipient = fields.get(self.trace_id), fields.get(self.recipient)
        trace_id = trace_id if isinstance(trace_id, str) else ""
        recipient = recipient if isinstance(recipient, str) else ""
        form = hash(_SECRET + self.lasting_part(text))
        return Row(received, trace_id, recipient, form, text, self)

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

    def __init__(self) -> None:
        super().__init__(_GraphHead)

    def elements(self, body: bytes) -> list[msgspec.Raw]:
        return _GRAPH_PAGE(body).value

    def listing(self, body: Any) -> Listing | None:
        rows = body.get("value") if isinstance(body, dict) else None
        return Listing(rows, body.get("@odata.nextLink")) if isinstance(rows, list) else None

    def usual_time(self, received: str) -> int:
        return _usable(_text_time(received))

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

    def __init__(self) -> None:
        super().__init__(_ReportingHead)

    def elements(self, body: bytes) -> list[msgspec.Raw]:
        outer = _REPORTING_PAGE(body)
        inner = outer.d or outer
        return inner if isinstance(inner, list) else inner.results or inner.value

    def lasting_part(self, text: bytes) -> bytes:
        """The ``text`` without its metadata in front and its last three members: as far as these are no other than
        usual, and whatever the values before them hold, because a quote inside of a value is escaped.
        """
        start = text.find(b"}") if text.startswith(_METADATA) else 0
        query = _QUERY(text, len(text) - _QUERY_LENGTH)
        return text[start : query.start() if query else None]

    def content_of(self, text: bytes) -> bytes:
        """The same, with less to decode where what repeats the query is no other than usual."""
        metadata, query = _USUAL_METADATA(text), _QUERY(text, len(text) - _QUERY_LENGTH)
        if metadata is None or query is None:
            return super().content_of(text)
        return self.content(codec.decode(b"{%b}" % text[metadata.end() : query.start()]))

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

    def usual_time(self, received: str) -> int:
        usual = _USUAL_DATE(received)
        return _usable(int(usual[1])) if usual else UNDATED

    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """All dates get the form ``/Date(1658751973240)/``, the only one that the platform reads.

        The light form writes them as text, and a verbose one may name a time zone, which does not
        change the milliseconds.
        """
        received = fields.get("Received")
        usual = _USUAL_DATE(received) if isinstance(received, str) else None
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
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - EPOCH) // MILLISECOND
