"""Results of the actions, as the platform and the command line give them: pure.

The models mirror the ``results`` of the manifests; a test keeps the two in step.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from office365_message_trace.microsoft.field_names import GRAPH
from office365_message_trace.model import UNDATED, Row, Window, instant


class Missing(BaseModel):
    """Receive time that was not read completely, and why."""

    start: str
    end: str
    reason: str

    @classmethod
    def of(cls, window: Window, reason: str) -> Self:
        return cls(start=written(window.start), end=written(window.end), reason=reason)


class Result(BaseModel):
    """Base of all results: whether the answer is ``complete``, and the number of requests it took."""

    complete: bool
    requests: int


class Message(BaseModel):
    """One message and one recipient, as Microsoft has them; null for what it does not tell."""

    received: str | None
    sender: str | None
    recipient: str | None
    subject: str | None
    status: str | None
    message_id: str | None
    trace_id: str | None
    from_ip: str | None
    to_ip: str | None
    size: int | None

    @classmethod
    def of(cls, row: Row) -> Self:
        fields = row.fields
        size = fields.get(GRAPH.size)
        return cls(
            received=None if row.received == UNDATED else written(instant(row.received)),
            size=size if isinstance(size, int) else None,
            **{name: text(fields.get(member)) for name, member in _TEXTS.items()},
        )


_TEXTS = {
    name: member
    for name, member in GRAPH._asdict().items()
    if member not in (GRAPH.received, GRAPH.size)
}


class Rows(Result):
    """Rows of any kind: ``statuses`` counts all that were found, ``unmatched`` those that Microsoft gave although
    they do not meet the conditions; they are left out."""

    missing: list[Missing]
    total: int
    statuses: dict[str, int]
    unmatched: int


class SearchResult(Rows):
    """Messages, newest first."""

    messages: list[Message]


class RecipientsResult(Rows):
    """The ``recipients`` of the messages found, each once a message, by address; their ``addresses``, each once; and
    what names the messages."""

    recipients: list[Message]
    addresses: list[str]
    message_ids: list[str]
    trace_ids: list[str]


class Event(BaseModel):
    """An event of a message on its way to one recipient."""

    date: str | None
    event: str | None
    action: str | None
    description: str | None
    data: str | None


class DetailsResult(Result):
    """The events, oldest first. ``reason`` says why they are not complete, and is null if they are."""

    events: list[Event]
    reason: str | None


def counted(messages: Iterable[Message]) -> dict[str, int]:
    """The number of messages of each status, the most frequent first."""
    return dict(Counter(each.status or "" for each in messages).most_common())


def written(at: datetime) -> str:
    """An instant in ISO 8601, to the millisecond if need be."""
    precision = "milliseconds" if at.microsecond >= 1000 else "seconds"
    return at.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def text(value: Any) -> str | None:
    """``value`` as a text that can be stored; null for an empty one."""
    if value is None or value == "":
        return None
    return str(value).encode("utf-8", "replace").decode()
