"""Rows and pages as Microsoft Graph writes them."""

from __future__ import annotations

from typing import Any

from sandbox.clock import from_ms
from sandbox.graph.options import GraphOptions
from sandbox.reporting.render import dumps
from sandbox.rows import Content
from sandbox.wire import Response

GRAPH_FIELDS = (
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
"""Documented fields of a row, in the order of the documented samples."""

_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;"
    "charset=utf-8"
)
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces"
_UNNAMED = frozenset({"recalled"})
"""Statuses that only a client that asks for them by header is told (documented)."""


def graph_row(content: Content, options: GraphOptions, *, all_members: bool) -> dict[str, Any]:
    """The row as Graph shows it; `all_members`: statuses added later are named, too."""
    absent = None if options.to_ip == "null" else ""
    return {
        "id": content["MessageTraceId"],
        "senderAddress": content["SenderAddress"],
        "recipientAddress": content["RecipientAddress"],
        "messageId": content["MessageId"],
        "receivedDateTime": instant(content["Received"]),
        "subject": content["Subject"],
        "size": content["Size"],
        "fromIP": content["FromIP"] or absent,
        "toIP": content["ToIP"] or absent,
        "status": _status(content["Status"], options, all_members),
    }


def render(rows: list[dict[str, Any]], next_link: str | None) -> Response:
    """A page."""
    body: dict[str, Any] = {"@odata.context": _CONTEXT}
    if next_link is not None:
        body["@odata.nextLink"] = next_link
    body["value"] = rows
    return Response(200, dumps(body), _TYPE, {"OData-Version": "4.0"})


def instant(milliseconds: int) -> str:
    """ISO 8601 in UTC; no fraction for a whole second (documented), else three digits (observed)."""
    parts = "milliseconds" if milliseconds % 1000 else "seconds"
    return from_ms(milliseconds).isoformat(timespec=parts).removesuffix("+00:00") + "Z"


def _status(status: str, options: GraphOptions, all_members: bool) -> str:
    name = options.statuses.get(status, status[:1].lower() + status[1:])
    return "unknownFutureValue" if name in _UNNAMED and not all_members else name
