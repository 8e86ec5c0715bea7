"""Names of the documented fields of a row, for each of Microsoft's services."""

from typing import NamedTuple


class FieldNames(NamedTuple):
    """The names that a service uses, in the order in which the Reporting Web Service documents them."""

    message_id: str
    received: str
    sender: str
    recipient: str
    subject: str
    status: str
    to_ip: str
    from_ip: str
    size: str
    trace_id: str


REPORTING = FieldNames(
    message_id="MessageId",
    received="Received",
    sender="SenderAddress",
    recipient="RecipientAddress",
    subject="Subject",
    status="Status",
    to_ip="ToIP",
    from_ip="FromIP",
    size="Size",
    trace_id="MessageTraceId",
)
"""Of the Reporting Web Service (learn.microsoft.com, previous versions, jj984335)."""
ORGANIZATION = "Organization"
"""The field that only this service has."""

GRAPH = FieldNames(
    message_id="messageId",
    received="receivedDateTime",
    sender="senderAddress",
    recipient="recipientAddress",
    subject="subject",
    status="status",
    to_ip="toIP",
    from_ip="fromIP",
    size="size",
    trace_id="id",
)
"""Of Microsoft Graph (learn.microsoft.com/graph/api/resources/exchangemessagetrace)."""
