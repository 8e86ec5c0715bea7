"""Turns the bytes of an answer into rows, for both services: pure.

A usual row has the documented members, and besides them only echoes of the query and usual annotations. A page
of such rows is cut into their texts. Each text is decoded into a struct that is dropped at once: only the head and
a hash of the values stay, by which most rows are recognised. New ones are forwarded as they came. A page with any
other row is decoded, and its rows are encoded again.

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
from functools import partial
from itertools import chain, count, repeat
from operator import itemgetter
from typing import Any, ClassVar

import msgspec

from office365_message_trace import codec
from office365_message_trace.codec import Oversized
from office365_message_trace.errors import Unavailable
from office365_message_trace.microsoft.field_names import GRAPH, ORGANIZATION, REPORTING, FieldNames
from office365_message_trace.model import (
    UNDATED,
    Fields,
    Row,
    instant,
    milliseconds,
)

MOST_ROWS = 10_000
"""On a page: twice as many as Graph is asked for, five times as many as the other service documents."""

_EMPTY = (None, "")  # both mean no value; a service may write one and then the other
_NO_ERROR: tuple[Any, ...] = (False, "", [])
_ERRORS = ("error", "errors")
_THIRD_ERROR_SHAPE = {"errorcode", "message"}  # of the Reporting Web Service
_ANNOTATION = "odata."  # in names such as ``@odata.etag`` and ``status@odata.type``
_ANNOTATIONS = ("@odata.type", "@odata.id", "@odata.etag")  # that usual rows may have, too
_END_OF_TIME = milliseconds(datetime(9999, 1, 1, tzinfo=UTC))
_DATES = (REPORTING.received, "StartDate", "EndDate")
_USUAL_DATE = re.compile(r"/Date\((-?[0-9]{1,15})\)/")
_VERBOSE_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
_USUAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
_SECRET = secrets.randbits(64)
"""Hashed before each row, so that the forms of rows are this process's own, whatever seeds Python's hashes."""

_Simple = str | int | float | bool | None
_new_row = partial(tuple.__new__, Row)  # quicker than a named tuple's own
_as_tuple = msgspec.structs.astuple


_ROWS = list[msgspec.Raw]
_INNER = dict[str, _ROWS | dict[str, msgspec.Raw] | _Simple]
_PAGE = dict[str, _ROWS | _INNER | _Simple]
"""Any members, one level deep or two, and lists of what may be rows."""


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


def _texts(values: Sequence[str | None]) -> Iterable[str]:
    return [value or "" for value in values] if None in values else values  # type: ignore[return-value]


def _link(listing: Listing) -> str | None:
    following: str | None = listing.following
    return following if following and following.strip() else None


class RowFormat(ABC):
    """The way in which a service writes pages and rows."""

    names: ClassVar[FieldNames]
    echo: ClassVar[tuple[str, ...]] = ()  # fields that repeat the query
    documented: ClassVar[tuple[str, ...]]
    """The other fields, whose values make up the content in this order: another one makes all rows new."""
    changing: ClassVar[tuple[str, ...]]  # fields that say what became of the message

    def __init__(self) -> None:
        self._documented_values = itemgetter(*self.documented)
        self._usual = frozenset((*self.documented, *self.echo))
        self._time_at = self.documented.index(self.names.received)
        head = (self.names.received, self.names.trace_id, self.names.recipient)
        self._head = itemgetter(*map(self.documented.index, head))
        members = (*self.documented, *self.echo, *_ANNOTATIONS)
        usual_row: Any = msgspec.defstruct(
            "UsualRow",
            [(f"_{n}", *self._member(name)) for n, name in enumerate(members)],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._read = msgspec.json.Decoder(usual_row).decode
        self._cut = msgspec.json.Decoder(_PAGE).decode

    def _member(self, name: str) -> tuple[Any, Any]:
        """The type and the declaration of a member of usual rows; those that are no content may be missing."""
        if name not in self.documented:
            return msgspec.Raw, msgspec.field(name=name, default=msgspec.Raw())
        kind = int | None if name == self.names.size else str | None
        return kind, msgspec.field(name=name)

    def page(self, body: bytes) -> ParsedPage:
        """The page in the ``body`` of an answer.

        Raises `Unavailable` if it is no whole one, and `Oversized` if it is too large to be taken in.
        """
        body = body.removeprefix(BOM_UTF8)
        return self._usual_page(body) or self._decoded_page(body)

    def _usual_page(self, body: bytes) -> ParsedPage | None:
        """The same, if all rows are usual ones.

        Decoding row by row is quicker than decoding all at once, because one row fits the processor's caches.
        """
        if not codec.can_be_split(body):
            return None
        try:
            listing = self.listed(self._cut(body))
            values = map(_as_tuple, map(self._read, listing.rows))
            said = len(self.documented)
            told = [(*self._head(each), hash((_SECRET, *each[:said]))) for each in values]
        except (ValueError, RecursionError):  # of msgspec as well: it has to be decoded to tell
            return None
        if not told:
            return ParsedPage([], _link(listing), 0)
        written, trace_ids, recipients, forms = zip(*told, strict=True)
        received = [] if None in written else self.usual_times(written)
        if not received or not 0 < min(received) <= max(received) < _END_OF_TIME:
            return None
        broken = b"\n" in body or b"\r" in body
        source = repeat(UsualPage(self, listing.rows, received, broken))
        members = zip(
            received, _texts(trace_ids), _texts(recipients), forms, source, count(), strict=False
        )
        return ParsedPage(list(map(_new_row, members)), _link(listing), 0)

    def usual_content(self, text: msgspec.Raw, received: int) -> bytes:
        """The content of a usual row."""
        values = list(_as_tuple(self._read(text)))
        del values[len(self.documented) :]
        values[self._time_at] = received
        return self.content_of(values)

    def _decoded_page(self, body: bytes) -> ParsedPage:
        try:
            listing = self.listed(codec.decode(body))
        except Oversized:
            raise
        except ValueError as error:
            raise Unavailable("an answer that is not JSON", "status 200") from error
        if not set(map(type, listing.rows)) <= {dict}:
            raise Unavailable("a page with elements that are not rows", "status 200")
        rows = [self.row(*self.dated(fields)) for fields in listing.rows]
        undated = [row for row in rows if row.received == UNDATED]
        if undated:
            if not all(self._is_named(row.fields) for row in undated):
                raise Unavailable("a page with elements that are not rows", "status 200")
            rows = [row for row in rows if row.received != UNDATED] + undated
        return ParsedPage(rows, _link(listing), len(undated))

    def listed(self, body: Any) -> Listing:
        """The page in a decoded ``body``, however its rows are; raises as `page` does."""
        if _carries_error(body):
            raise Unavailable("an answer that carries an error", "status 200")
        listing = self.listing(body)
        if listing is None:
            raise Unavailable("an answer that is not a page of rows", "status 200")
        if len(listing.rows) > MOST_ROWS:
            raise Oversized("too many rows")
        if listing.following and not isinstance(listing.following, str):
            raise Unavailable("a next link that is no text", "status 200")
        return listing

    @abstractmethod
    def listing(self, body: Any) -> Listing | None:
        """The page in a decoded ``body``, or None if it is none."""

    @abstractmethod
    def usual_times(self, written: Sequence[str]) -> list[int]:
        """The receive times, in milliseconds since 1970; none if not all are ``written`` in the usual form."""

    @abstractmethod
    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """The receive time, in milliseconds since 1970, and the row in its usual form.

        `UNDATED` if ``fields`` tell no instant between 1970 and the year 9998, both inside.
        """

    def row(self, received: int, fields: Fields) -> Row:
        """The row of ``fields``, which is decoded."""
        trace_id, recipient = fields.get(self.names.trace_id), fields.get(self.names.recipient)
        trace_id = trace_id if isinstance(trace_id, str) else ""
        recipient = recipient if isinstance(recipient, str) else ""
        content = self.content(self.timed(fields, received))
        form = hash((_SECRET, content))
        return Row(received, trace_id, recipient, form, DecodedRow(self, fields, received, content))

    def timed(self, fields: Fields, received: int) -> Fields:
        """``fields`` with the receive time in milliseconds, however it is written; None if it is `UNDATED`."""
        return {**fields, self.names.received: None if received == UNDATED else received}

    def said(self, fields: Fields) -> Fields:
        """Those of ``fields`` that are content."""
        return {
            name: value
            for name, value in fields.items()
            if value not in _EMPTY and name not in self.echo and _ANNOTATION not in name
        }

    def content(self, fields: Fields) -> bytes:
        """The content of ``fields``: all but what repeats the query, annotations, and empty fields. Null, an empty
        text and an absent field are equal. The values of the documented fields, then names and values of the others.
        """
        values: Sequence[Any]
        try:
            values = self._documented_values(fields)
        except KeyError:
            values = [fields.get(name) for name in self.documented]
        if self._usual.issuperset(fields):
            return self.content_of(values)
        said = self.said(fields)
        others = sorted(said.keys() - self._usual)
        return self.content_of(values, *chain.from_iterable((name, said[name]) for name in others))

    def content_of(self, values: Sequence[Any], *others: Any) -> bytes:
        """The content of the ``values`` of the documented fields, and ``others``."""
        if "" in values:
            values = [None if value == "" else value for value in values]
        return codec.canonical((*values, *others) if others else values)

    def lasting(self, fields: Fields) -> bytes:
        """The content of ``fields`` but for those that say what became of the message."""
        return self.content({n: value for n, value in fields.items() if n not in self.changing})

    def _is_named(self, fields: Fields) -> bool:
        """Tell a row without a receive time from something else."""
        named_by = (self.names.trace_id, self.names.recipient)
        return any(fields.get(name) not in _EMPTY for name in named_by)


@dataclass(frozen=True, slots=True)
class UsualPage:
    """The ``texts`` of usual rows, which are parts of the answer as it came, and their receive times; ``broken`` if the
    answer has line breaks."""

    form: RowFormat
    texts: list[msgspec.Raw]
    received: list[int]
    broken: bool

    def text(self, place: int) -> str:
        text = self.texts[place]
        return codec.on_one_line(bytes(text)) if self.broken else str(text, "utf-8", "replace")

    def fields(self, place: int) -> Fields:
        fields: Fields = codec.decode(bytes(self.texts[place]))
        return fields

    def content(self, place: int) -> bytes:
        return self.form.usual_content(self.texts[place], self.received[place])

    def lasting(self, place: int) -> bytes:
        return self.form.lasting(self.form.timed(self.fields(place), self.received[place]))

    def alone(self, place: int) -> "UsualPage":
        text, received = self.texts[place].copy(), self.received[place]
        return UsualPage(self.form, [text], [received], self.broken)


@dataclass(frozen=True, slots=True)
class DecodedRow:
    """A row of any other page."""

    form: RowFormat
    members: Fields
    received: int
    said: bytes

    def text(self, place: int) -> str:
        return codec.encode(self.members)

    def fields(self, place: int) -> Fields:
        return self.members

    def content(self, place: int) -> bytes:
        return self.said

    def lasting(self, place: int) -> bytes:
        return self.form.lasting(self.form.timed(self.members, self.received))

    def alone(self, place: int) -> "DecodedRow":
        return self


class GraphRows(RowFormat):
    """Microsoft Graph's: ``value`` and ``@odata.nextLink``, times as text."""

    names = GRAPH
    documented = (
        GRAPH.trace_id,
        GRAPH.sender,
        GRAPH.recipient,
        GRAPH.message_id,
        GRAPH.received,
        GRAPH.subject,
        GRAPH.size,
        GRAPH.from_ip,
        GRAPH.to_ip,
        GRAPH.status,
    )
    changing = (GRAPH.status, GRAPH.to_ip)

    def listing(self, body: Any) -> Listing | None:
        rows = body.get("value") if isinstance(body, dict) else None
        return Listing(rows, body.get("@odata.nextLink")) if isinstance(rows, list) else None

    def usual_times(self, written: Sequence[str]) -> list[int]:
        if not all(map(_USUAL_TIME.fullmatch, written)):
            return []
        try:
            return list(map(milliseconds, map(datetime.fromisoformat, written)))
        except ValueError:  # no date
            return []

    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """The date gets the form ``2026-06-15T12:00:00Z``, with the digits that it has, or with milliseconds."""
        received = _usable(_verbose_or_text_time(fields.get(GRAPH.received)))
        if received == UNDATED:
            return received, fields
        text = fields[GRAPH.received].upper()
        if not _USUAL_TIME.fullmatch(text):
            precision = "milliseconds" if received % 1000 else "seconds"
            text = instant(received).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
        return received, {**fields, GRAPH.received: text}


class ReportingRows(RowFormat):
    """The Reporting Web Service's, in its three forms."""

    names = REPORTING
    documented = (ORGANIZATION, *REPORTING)
    changing = (REPORTING.status, REPORTING.to_ip)
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

    def _usual_page(self, body: bytes) -> ParsedPage | None:
        """Not a page with dates in another form. Those of a page are alike, so its first row tells."""
        page = super()._usual_page(body)
        return None if page and page.rows and _oddly_dated(page.rows[0].fields) else page

    def usual_times(self, written: Sequence[str]) -> list[int]:
        dates = list(map(_USUAL_DATE.fullmatch, written))
        return [] if None in dates else [int(date[1]) for date in dates if date]

    def dated(self, fields: Fields) -> tuple[int, Fields]:
        """All dates get the form ``/Date(1658751973240)/``, the only one that the platform reads.

        The light form writes them as text, and a verbose one may name a time zone, which does not
        change the milliseconds.
        """
        received = _verbose_or_text_time(fields.get(REPORTING.received))
        usual_form = {name: f"/Date({at})/" for name, at in _oddly_dated(fields).items()}
        return _usable(received), fields | usual_form


GRAPH_ROWS = GraphRows()
REPORTING_ROWS = ReportingRows()


def _carries_error(body: Any) -> bool:
    """Tell an error beside the rows or instead of them, in any of the services' shapes."""
    return isinstance(body, dict) and (_is_error(body) or _is_error(body.get("d")))


def _is_error(members: Any) -> bool:
    if not isinstance(members, dict):
        return False
    told = {name.lower(): value for name, value in members.items() if value is not None}
    if told.keys() >= _THIRD_ERROR_SHAPE:
        return True
    errors = (value for name, value in told.items() if re.split("[@.]", name)[-1] in _ERRORS)
    return any(value not in _NO_ERROR for value in errors)


def _usable(received: int | None) -> int:
    return received if received and 0 < received < _END_OF_TIME else UNDATED


def _verbose_or_text_time(value: Any) -> int | None:
    match = _VERBOSE_DATE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else _text_time(value)


def _text_time(value: Any) -> int | None:
    """Milliseconds since 1970 of ``2022-09-05T18:10:13.4907658`` or the like; UTC with or without Z, or z.

    Finer digits are cut, so that a row is the same in whatever form it comes. None if it is no time.
    """
    try:
        time = datetime.fromisoformat(value.upper())
    except (ValueError, AttributeError):
        return None
    return milliseconds(time if time.tzinfo else time.replace(tzinfo=UTC))


def _oddly_dated(fields: Fields) -> dict[str, int]:
    """The dates of a row of the Reporting Web Service that are in another form than the usual one."""
    odd = [name for name in _DATES if not _USUAL_DATE.fullmatch(str(fields.get(name)))]
    times = {name: _verbose_or_text_time(fields.get(name)) for name in odd}
    return {name: at for name, at in times.items() if at is not None}
