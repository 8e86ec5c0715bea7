"""*Find all recipients of a message*: who got it, and what became of it for each of them."""

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime

from office365_message_trace.actions.arguments import RecipientsArguments
from office365_message_trace.actions.reading import MOST_ROWS, Reading
from office365_message_trace.actions.results import (
    Message,
    Missing,
    RecipientsResult,
    counted,
)
from office365_message_trace.microsoft.field_names import GRAPH
from office365_message_trace.model import Row, Window


def find_recipients(
    arguments: RecipientsArguments, reading: Reading, now: datetime
) -> RecipientsResult:
    """Read the rows of the messages. The number of requests is left 0."""
    windows = arguments.windows(now)
    found: dict[Hashable, Row] = {}
    pages = (rows for query in arguments.queries() for rows in reading.rows(windows, query))
    for rows in pages:
        found.update((row.identity, row) for row in rows)
        if len(found) > MOST_ROWS:
            break
    missing = [Missing.of(*each) for each in dict.fromkeys(reading.missing)]
    if len(found) > MOST_ROWS:
        reason = f"More than {MOST_ROWS:,} rows meet the conditions; describe the message closer."
        missing.append(Missing.of(Window(windows[-1].start, windows[0].end), reason))
    recipients = sorted(map(Message.of, _latest(found.values())), key=_address)
    return RecipientsResult(
        complete=not missing,
        requests=0,
        missing=missing,
        total=len(recipients),
        statuses=counted(recipients),
        unmatched=reading.unmatched,
        recipients=recipients,
        addresses=list(dict.fromkeys(filter(None, map(_address, recipients)))),
        message_ids=_each_once(each.message_id for each in recipients),
        trace_ids=_each_once(row.trace_id for row in found.values()),
    )


def _latest(rows: Iterable[Row]) -> Iterator[Row]:
    """One row for each recipient of each message, the one received last.

    A message that returns from another server has another trace id and the same Message-ID.
    """
    latest: dict[tuple[str, str], Row] = {}
    for row in rows:
        message = str(row.fields.get(GRAPH.message_id) or row.trace_id)
        key = (row.recipient.lower(), message)
        if key not in latest or latest[key].received <= row.received:
            latest[key] = row
    yield from latest.values()


def _address(message: Message) -> str:
    return (message.recipient or "").lower()


def _each_once(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(filter(None, names)))
