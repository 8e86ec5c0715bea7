"""Rows in the three forms of the Reporting Web Service: verbose JSON, light JSON, Atom.

Shapes and spellings are those of captured answers: `\\/Date(ms)\\/` with its backslashes, the bare
array under `$top`, up to seven fractional digits in light JSON, echo of the window in every row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import orjson

from sandbox.clock import EPOCH, from_ms, to_ms
from sandbox.reporting.options import Dialect, ReportingOptions
from sandbox.rows import Content, ticks
from sandbox.wire import Response

ROOT = "https://reports.office365.com/ecp/ReportingWebService/Reporting.svc/"
"""What rows and metadata say, wherever the sandbox listens."""

JSON_LIGHT = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
JSON_VERBOSE = "application/json;odata=verbose;charset=utf-8"
ATOM = "application/atom+xml;type=feed;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """Rows to send, the Index of the first one, the window to echo, the link to what follows."""

    rows: list[Content]
    first_index: int
    start: datetime
    end: datetime
    next_link: str | None
    bare: bool = False
    """As with `$top`: verbose JSON then has neither `results` nor a link (observed)."""


def render(page: Page, dialect: Dialect, options: ReportingOptions, answer: int = 0) -> Response:
    """The page in one of the three forms; `answer` numbers it, for what differs each time."""
    page = replace(page, rows=[_volatile(row, options, answer) for row in page.rows])
    if dialect == "verbose":
        return _verbose(page)
    return _light(page, options) if dialect == "light" else _atom(page)


def _volatile(row: Content, options: ReportingOptions, answer: int) -> Content:
    """The row with what differs from one answer to the next."""
    if options.absent_ip == "turns" and answer % 2:
        row = {**row, "ToIP": row["ToIP"] or "", "FromIP": row["FromIP"] or ""}
    return {**row, "odata.etag": f'W/"{answer}"'} if options.etags else row


def instant(moment: datetime, *, ticks: int = 0, zone: str = "Z") -> str:
    """ISO 8601 with up to seven fractional digits, zeros at the end left out."""
    micro = (moment - EPOCH).microseconds
    fraction = f"{micro:06d}0" if not ticks else f"{micro // 1000:03d}{ticks:04d}"
    fraction = fraction.rstrip("0")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + zone


def dumps(value: Any) -> bytes:
    """JSON in UTF-8; lone surrogates, which only stdlib accepts, are escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def _verbose(page: Page) -> Response:
    start, end = f"/Date({to_ms(page.start)})/", f"/Date({to_ms(page.end)})/"
    rows = []
    for index, row in enumerate(page.rows, page.first_index):
        uri = f"{ROOT}MessageTrace({index})"
        rendered = {
            "__metadata": {"id": uri, "uri": uri, "type": "TenantReporting.MessageTrace"},
            **row,
            "Received": f"/Date({row['Received']})/",
            "StartDate": start,
            "EndDate": end,
            "Index": index,
        }
        rows.append(rendered)
    if page.bare:
        body: dict[str, Any] = {"d": rows}
    elif page.next_link is None:
        body = {"d": {"results": rows}}
    else:
        body = {"d": {"results": rows, "__next": page.next_link}}
    text = dumps(body).replace(b'"/Date(', b'"\\/Date(').replace(b')/"', b')\\/"')
    return Response(200, text, JSON_VERBOSE)


def _plain(page: Page, index: int, row: Content, zone: str) -> dict[str, Any]:
    received = instant(from_ms(row["Received"]), ticks=ticks(row), zone=zone)
    echo = {"StartDate": instant(page.start), "EndDate": instant(page.end), "Index": index}
    return {**row, "Received": received, **echo}


def _light(page: Page, options: ReportingOptions) -> Response:
    zone = "Z" if options.times_with_z else ""
    body: dict[str, Any] = {
        "odata.metadata": f"{ROOT}$metadata#MessageTrace",
        "value": [_plain(page, i, row, zone) for i, row in enumerate(page.rows, page.first_index)],
    }
    if page.next_link is not None:
        body[options.next_link_key] = page.next_link
    return Response(200, dumps(body), JSON_LIGHT)


def _atom(page: Page) -> Response:
    entries = []
    for index, row in enumerate(page.rows, page.first_index):
        properties = "".join(
            (
                f"<d:{name}{_type(name)}>{escape(str(value))}</d:{name}>"
                if value is not None
                else f'<d:{name} m:null="true" />'
            )
            for name, value in _plain(page, index, row, "").items()
        )
        entries.append(
            f"<entry><id>{ROOT}MessageTrace({index})</id>"
            '<category term="TenantReporting.MessageTrace" '
            'scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme" />'
            f'<content type="application/xml"><m:properties>{properties}</m:properties></content>'
            "</entry>"
        )
    link = ""
    if page.next_link is not None:
        link = f'<link rel="next" href="{escape(page.next_link, {chr(34): "&quot;"})}" />'
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><feed xml:base="{ROOT}" '
        'xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f'<title type="text">MessageTrace</title>{"".join(entries)}{link}</feed>'
    )
    return Response(200, text.encode("utf-8", errors="replace"), ATOM)


_TYPES = {
    "Received": "Edm.DateTime",
    "StartDate": "Edm.DateTime",
    "EndDate": "Edm.DateTime",
    "Size": "Edm.Int32",
    "Index": "Edm.Int32",
    "MessageTraceId": "Edm.Guid",
}


def _type(name: str) -> str:
    return f' m:type="{_TYPES[name]}"' if name in _TYPES else ""
