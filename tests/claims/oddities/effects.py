"""Effects that several kinds of oddities share."""

from __future__ import annotations

from collections.abc import Callable

from office365_message_trace.transport.session import Answer
from tests.claims.service import Asked, Kind, M, Mail
from tests.claims.worlds import Span, World

Instead = Callable[[Asked, list[Mail]], Answer | None]


def answer_instead(world: World, answer: Instead) -> None:
    """Have an answer given in place of a page, where it is not None."""
    before = world.service.instead

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        given = answer(asked, rows)
        return before(asked, rows) if given is None else given

    world.service.instead = instead


def allow_errors(world: World, span: Span) -> None:
    """Allow errors in the log: every failure says what to do, and is no flood."""
    world.facts.errors += 3 + (span.last - span.first) // (5 * M)


def own_refusal(kind: Kind, status: int) -> Answer:
    """A refusal in the service's own words."""
    if kind == "graph":
        return Answer(status, {}, b'{"error":{"code":"UnknownError","message":"Denied."}}')
    words = b'{"odata.error":{"code":"","message":{"lang":"en-US","value":"Denied."}}}'
    return Answer(status, {}, words)
