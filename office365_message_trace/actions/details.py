"""*Get message trace details*: what happened to a message on its way to one recipient."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar, Protocol

from office365_message_trace.actions.arguments import DetailsArguments
from office365_message_trace.actions.reading import OutOfTime, TimeLimit
from office365_message_trace.actions.results import DetailsResult, Event, text
from office365_message_trace.errors import Unavailable
from office365_message_trace.model import EPOCH, Fields, Pause

_MEMBERS = {
    "date": "dateTime",
    "event": "event",
    "action": "action",
    "description": "description",
    "data": "data",
}


class DetailSource(Protocol):
    """Microsoft Graph."""

    name: ClassVar[str]

    def details(self, trace_id: str, recipient: str) -> Iterator[list[Fields] | Pause]:
        """The events of one message for one recipient, a list a page."""


def get_details(
    arguments: DetailsArguments, source: DetailSource, limit: TimeLimit
) -> DetailsResult:
    """Read the events. The number of requests is left 0. Raises `Refused`."""
    events: list[Event] = []
    reason: str | None = None
    try:
        for page in limit.of(source.details(arguments.trace_id, arguments.recipient)):
            events += map(_event, page)
    except OutOfTime as problem:
        reason = str(problem)
    except Unavailable as problem:
        reason = f"{problem.about(source.name)} [{problem.detail}]"
    events.sort(key=_instant)  # those of one second come in no order
    return DetailsResult(complete=reason is None, requests=0, events=events, reason=reason)


def _instant(event: Event) -> tuple[bool, datetime]:
    """The sort key of ``event``: by date, events without a usable date last."""
    try:
        at = datetime.fromisoformat(event.date or "")
    except ValueError:
        return True, EPOCH
    return False, at if at.tzinfo else at.replace(tzinfo=UTC)


def _event(fields: Fields) -> Event:
    return Event(**{name: text(fields.get(member)) for name, member in _MEMBERS.items()})
