"""What happened to a message on its way to one recipient, as Microsoft Graph tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from sandbox.graph.render import instant
from sandbox.reporting.render import dumps
from sandbox.rows import Content
from sandbox.tenant import Tenant
from sandbox.wire import Response

_PATH = re.compile(
    r"/v1\.0/admin/exchange/tracing/messageTraces/(?P<id>[^/]+)/"
    r"(?:microsoft\.graph\.)?getDetailsByRecipient\(recipientAddress='(?P<recipient>(?:[^']|'')*)'\)/?",
    re.IGNORECASE,
)
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#Collection(microsoft.graph.exchangeMessageTraceDetail)"
_LAST = {
    "Delivered": ("Deliver", "The message was successfully delivered."),
    "Failed": ("Fail", "Reason: [{LED=550 5.1.10 RESOLVER.ADR.RecipientNotFound}]"),
    "Expanded": ("Expand", "Distribution group was expanded."),
    "Quarantined": ("Quarantine", "The message was quarantined."),
    "FilteredAsSpam": ("Spam", "The message was filtered as spam."),
    "Pending": ("Defer", "The message was deferred."),
}
"""Event and description by the status of a row; without one, nothing more is known yet."""


@dataclass(frozen=True, slots=True)
class DetailQuestion:
    """The message and the recipient that a request asks about."""

    trace_id: str
    recipient: str

    @classmethod
    def of(cls, path: str) -> DetailQuestion | None:
        """None for a path that asks something else, or in which a quote is not doubled."""
        found = _PATH.fullmatch(unquote(path))
        if found is None:
            return None
        recipient = found["recipient"].replace("''", "'")
        return cls(found["id"], recipient)


def answer(question: DetailQuestion, tenant: Tenant, now: datetime, history: timedelta) -> Response:
    """The events; none where there is no such message (observed)."""
    row = tenant.find(question.trace_id, question.recipient, now - history, now)
    events = [] if row is None else _events(row)
    body = {"@odata.context": _CONTEXT, "value": events}
    return Response(200, dumps(body), headers={"OData-Version": "4.0"})


def _events(row: Content) -> list[dict[str, Any]]:
    """Those of one second come in no order (observed)."""
    told = [
        ("Receive", "Message received by: AM0PR01MB4321"),
        ("Submit", "The message was submitted."),
    ]
    told += [_LAST[row["Status"]]] if row["Status"] in _LAST else []
    events = []
    for number, (event, description) in enumerate(told):
        events.append(
            {
                "id": f"{row['MessageTraceId']}-{number}",
                "messageId": row["MessageId"],
                "dateTime": instant(row["Received"] + number * 400),
                "event": event,
                "action": "" if number else "Accept",
                "description": description,
                "data": f'<root><MEP Name="ConnectorId" Integer="{number}"/></root>',
            }
        )
    return events[1:] + events[:1]
