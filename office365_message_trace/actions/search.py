"""*Search message trace*: the rows that meet all conditions, newest first."""

from collections.abc import Hashable
from datetime import datetime

from office365_message_trace.actions.arguments import SearchArguments
from office365_message_trace.actions.reading import MOST_ROWS, Reading
from office365_message_trace.actions.results import Message, Missing, SearchResult, counted
from office365_message_trace.model import Row, Window, instant, milliseconds


def search(arguments: SearchArguments, reading: Reading, now: datetime) -> SearchResult:
    """Read newest first, until there are as many messages as the limit allows.

    Several queries are read window by window, so that the messages are the newest of all of them. The
    number of requests is left 0.
    """
    windows, limit = arguments.windows(now), arguments.limit
    found: dict[Hashable, Row] = {}
    for window in windows:
        for query in arguments.queries():
            received: list[int] = []
            for rows in reading.rows([window], query):
                fresh = {row.identity: row for row in rows}
                received += [row.received for name, row in fresh.items() if name not in found]
                found.update(fresh)
                if _newest(received, reading.complete_from) > limit:
                    break
                if len(received) > MOST_ROWS:
                    reason = (
                        f"More than {MOST_ROWS:,} messages meet the conditions; enter more of them."
                    )
                    reading.missing.append((window, reason))
                    break
        if len(found) > limit:
            break
    newest = sorted(found.values(), key=lambda row: row.received, reverse=True)
    shown = newest[:limit]
    missing = [Missing.of(*each) for each in dict.fromkeys(reading.missing)]
    if len(found) > limit:
        missing.append(_beyond_the_limit(shown, windows, limit))
    return SearchResult(
        complete=not missing,
        requests=0,
        missing=missing,
        total=len(found),
        statuses=counted(map(Message.of, newest)),
        unmatched=reading.unmatched,
        messages=[Message.of(row) for row in shown],
    )


def _newest(received: list[int], complete_from: datetime | None) -> int:
    """The number of messages than which no other is newer."""
    if complete_from is None:
        return 0
    start = milliseconds(complete_from)
    return sum(each >= start for each in received)


def _beyond_the_limit(shown: list[Row], windows: list[Window], limit: int) -> Missing:
    start, end = windows[-1].start, windows[0].end
    last = min(max(instant(shown[-1].received), start), end)
    reason = f"There are more messages than the limit of {limit:,}; the oldest are left out."
    return Missing.of(Window(start, last), reason)
