"""The published parsers of the two intake formats, as data.

Source: github.com/SEKOIA-IO/intake-formats, ``Office 365/message-trace/ingest/parser.yml`` and
``Office 365/message-trace-graph-api/ingest/parser.yml``, as of November 2026.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from office365_message_trace.sekoia.intake_formats import EventFormat

READS: dict[EventFormat, dict[str, str]] = {
    "graph": {
        "receivedDateTime": "@timestamp",
        "status": "event.action",
        "messageId": "email.message_id",
        "senderAddress": "email.from.address",
        "recipientAddress": "email.to.address",
        "subject": "email.subject",
        "size": "network.bytes",
        "fromIP": "source.ip",
        "toIP": "destination.ip",
    },
    "reporting": {
        "Received": "@timestamp",
        "Status": "event.action",
        "MessageId": "email.message_id",
        "SenderAddress": "email.from.address",
        "RecipientAddress": "email.to.address",
        "Subject": "email.subject",
        "Size": "office365.message_trace.Size",
        "MessageTraceId": "office365.message_trace.MessageTraceId",
        "Organization": "organization.name",
        "FromIP": "source.ip",
    },
}
"""The fields that each parser reads of an event, and what it makes of them."""

CONSTANT = {"event.category": ["email"], "event.type": ["info"]}
"""What both parsers set whatever the event."""


def parsed(shape: EventFormat, event: str) -> dict[str, Any]:
    """The fields that the parser for ``shape`` makes of ``event``; those without a value are left out."""
    fields = json.loads(event)
    made = {target: _made(name, target, fields.get(name)) for name, target in READS[shape].items()}
    return CONSTANT | {name: value for name, value in made.items() if value not in (None, "", [])}


def _made(name: str, target: str, value: Any) -> Any:
    if name == "Received":
        return _verbose_time(value)
    if target.endswith(".ip"):
        return value if _is_address(value) else None
    if target.endswith(".address"):
        return [value] if value else []
    return value


def _verbose_time(value: Any) -> str:
    """What is left without ``/Date(`` and ``)/``, as milliseconds; 1970 if that is no whole number."""
    digits = str(value).replace("/Date(", "").replace(")/", "")
    milliseconds = int(digits) if digits.removeprefix("-").isdigit() else 0
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _is_address(value: Any) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
