"""The intake's verdict on a batch, as a function of status and body.

======================= =====================================================================
answer                  verdict
======================= =====================================================================
2xx, an id for each     the events at the positions without an id are refused
2xx, more ids           every event is accepted; no verdict (`Unavailable`) if too many are blank
2xx, fewer ids          the difference is refused; the answer does not say which
2xx, no id at all       every event is refused
2xx, anything else      no intake answers here: `Unavailable`, and `Refused` if it lasts
400, 413, 422           the batch is refused as a whole: nothing of it was accepted
401, 403                the intake key is refused: `Misconfigured`
404 about a key         the same
401, 403 as a web page  no intake answers here: `Unavailable`, and `Refused` if it lasts
404, 405, 410           the same
any other               the intake refuses the request: `Refused`
======================= =====================================================================

The statuses that pass by themselves (408, 425, 429, 3xx, 5xx) are the transport's; see
`check_available`. Sekoia.io documents one id an event in ``event_ids``, a status for each event in an
undocumented form if some are too large, and 413 if all are. How it answers a key that it does not know is not
documented: a 404 without a word about a key is more likely one of another server, or of another path.
It is `Refused`, not `Misconfigured`, where the cause may be an outage that no setting ends.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from office365_message_trace import codec
from office365_message_trace.errors import Misconfigured, Refused, Unavailable

ALL_REFUSED = (
    "The Sekoia.io intake accepts none of the events. Compare intake_key and intake_server with "
    "the intake on Sekoia.io; if they are right, report this to Sekoia.io's support with the text "
    "in brackets. A running trigger holds the events and sends them again."
)

_NO_INTAKE = (
    "No Sekoia.io intake answers at intake_server, but something else. Compare it with the address of your "
    "region's intake, without a path that is not part of it, such as /batch at its end; if a proxy or a "
    "gateway answers in its place, have its administrator let requests to it pass. If the address is right, "
    "compare intake_key with the intake on Sekoia.io. A running trigger holds the events and sends them again."
)

INTAKE_NO_LONGER = (
    "Something else answers in place of the Sekoia.io intake, which accepted events before, or the intake refuses these "
    "events that way. If a proxy or a gateway answers, have its administrator let requests to the intake pass; if none "
    "does, report it to Sekoia.io's support with the text in brackets. A running trigger holds the events and sends "
    "them again."
)
"""Advice where answers are not an intake's, although the intake accepted events before."""

_NO_ANSWER = (
    "The Sekoia.io intake does not answer as it should ({fault}), whether it gets many events or a single one. If "
    "that goes on, report it to Sekoia.io's support with the text in brackets. A running trigger holds the events and "
    "sends them again."
)


def no_answer(fault: Unavailable) -> Refused:
    """The error for a ``fault`` of the intake that has lasted."""
    return fault.lasting or Refused(_NO_ANSWER.format(fault=fault.sentence), fault.detail)


def key_refused(intake_format: str) -> str:
    """Advice about a refused intake key, for events that the format ``intake_format`` parses."""
    return (
        "The Sekoia.io intake refuses the intake key. Compare intake_key with the key on Sekoia.io > "
        f"Intakes > your intake of the format {intake_format}, and check that the intake is still "
        "there."
    )


class Meaning(Enum):
    """The subject of an answer: single events, their batch, the key, the address that was asked, or the
    request as such."""

    EVENTS = "events"
    BATCH = "batch"
    KEY = "key"
    ADDRESS = "address"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``missing`` of the events were not accepted.

    ``positions`` tells which, counted from 0. It is None if the answer does not: then either the
    batch was refused as a whole, and ``missing`` is all of it, or some events, not all, got no id.
    ``detail`` is for the log.
    """

    missing: int
    positions: tuple[int, ...] | None
    detail: str


def meaning(status: int, body: bytes) -> Meaning:
    """The subject of an answer with ``status`` and ``body``."""
    if 200 <= status < 300:
        return Meaning.EVENTS
    if status in (400, 413, 422):
        return Meaning.BATCH
    if status in (401, 403) and not body.lstrip().startswith(b"<"):
        return Meaning.KEY
    if status == 404 and _mentions_key(body):
        return Meaning.KEY
    if status in (401, 403, 404, 405, 410):
        return Meaning.ADDRESS
    return Meaning.REQUEST


def verdict(status: int, body: bytes, events: int, intake_format: str) -> Verdict:
    """The verdict of an answer on a batch of this many ``events``, at least one.

    ``intake_format`` is the name of the format that parses the events, for the advice about the key.
    Raises `Misconfigured`, `Refused` or `Unavailable` as the table above says.
    """
    detail = f"status {status}"
    match meaning(status, body):
        case Meaning.EVENTS:
            return _by_ids(_event_ids(body, detail), events, detail)
        case Meaning.BATCH:
            return Verdict(events, (0,) if events == 1 else None, detail)
        case Meaning.KEY:
            raise Misconfigured(key_refused(intake_format), detail)
        case Meaning.ADDRESS:
            raise _no_intake(detail)
    raise Refused(ALL_REFUSED, detail)


def _by_ids(ids: list[Any], events: int, detail: str) -> Verdict:
    if len(ids) > events:
        if not all(map(_is_id, ids)):
            raise Unavailable("an answer with more event ids than events", detail)
        return Verdict(0, (), detail)
    if 0 < len(ids) < events:
        missing = events - sum(map(_is_id, ids))
        positions = None if missing < events else tuple(range(events))
        return Verdict(missing, positions, detail)
    positions = tuple(n for n in range(events) if n >= len(ids) or not _is_id(ids[n]))
    return Verdict(len(positions), positions, detail)


def _event_ids(body: bytes, detail: str) -> list[Any]:
    try:
        ids = codec.decode(body)["event_ids"]
    except (ValueError, KeyError, TypeError) as error:
        raise _no_intake(detail) from error
    if not isinstance(ids, list):
        raise _no_intake(detail)
    return ids


def _no_intake(detail: str) -> Unavailable:
    """The error for an answer that does not come from an intake."""
    return Unavailable("an answer without event ids", detail, lasting=Refused(_NO_INTAKE, detail))


def _mentions_key(body: bytes) -> bool:
    try:
        return isinstance(codec.decode(body), dict) and b"key" in body.lower()
    except ValueError:
        return False


def _is_id(value: object) -> bool:
    """True for text that is not blank. An object may explain why there is no id, so it does not count:
    if the event was accepted after all, it is repeated, never lost."""
    return isinstance(value, str) and bool(value.strip())
