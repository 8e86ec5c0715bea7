"""The mail of an invented organisation, minute by minute.

The rows of a minute derive from the seed and the minute's number only: any interval can be produced
without what came before, and always comes out the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from sandbox import mail_vocabulary as mailwords
from sandbox.clock import MILLISECOND, MINUTE_MS, to_ms, to_ms_up
from sandbox.rows import Content, Row

MOST_RECIPIENTS = 40
"""Of a message that is not a `LargeMessage`."""

LARGE = "staff."
"""How the recipients of a large message begin."""


@dataclass(frozen=True, slots=True)
class Burst:
    """From `start` (inclusive) to `end` (exclusive), whole minutes, another rate applies."""

    start: datetime
    end: datetime
    messages_per_minute: float


@dataclass(frozen=True, slots=True)
class LargeMessage:
    """A message to so many `recipients`, all of whose rows are received in one millisecond."""

    received: datetime
    recipients: int


@dataclass(frozen=True, slots=True)
class MailFlowOptions:
    """How much mail, and how badly it behaves. Fractions are of rows unless said otherwise."""

    seed: int = 1
    messages_per_minute: float = 30.0
    bursts: tuple[Burst, ...] = ()
    organization: str = "contoso.onmicrosoft.com"
    domain: str = "contoso.example"
    since: datetime | None = None
    """No message before this instant; without it, mail has always flowed."""
    until: datetime | None = None
    """No message at or after this instant."""
    mean_recipients: float = 1.6
    """Recipients of a message, on average: 1 or more, at most `MOST_RECIPIENTS`."""
    tie_fraction: float = 0.1
    """Messages received in the very millisecond of another one."""
    visible_after: tuple[timedelta, timedelta] = (timedelta(seconds=5), timedelta(minutes=3))
    """Shortest and longest delay of a row that is on time (observed: 124 s)."""
    late_fraction: float = 0.02
    """Rows that become visible late (documented: up to 24 hours)."""
    late_between: tuple[timedelta, timedelta] = (timedelta(minutes=10), timedelta(hours=24))
    """Shortest (above zero) and longest lateness; short ones are likelier (log-uniform)."""
    changing_fraction: float = 0.2
    """Rows that begin as GettingStatus and settle within `settle_within` of being received."""
    settle_within: timedelta = timedelta(minutes=10)
    """Documented: a status takes 5 to 10 minutes."""
    slow_fraction: float = 0.01
    """Rows that stay Pending for minutes to `slow_within`, as a deferred message does."""
    slow_within: timedelta = timedelta(hours=6)
    ndr_fraction: float = 0.03
    """Messages that are non-delivery reports: no sender, no address they came from."""
    returning_fraction: float = 0.01
    """Messages seen twice under two trace ids, as when mail passes on-premises (observed)."""
    list_fraction: float = 0.1
    """Messages with several recipients whose first one is a list, shown as Expanded (observed)."""
    reverting_fraction: float = 0.0
    """Rows whose final status is another one for a while, and then itself again."""
    vanishing_fraction: float = 0.0
    """Rows that are not shown for some minutes to two hours, after they were."""
    journal_fraction: float = 0.0
    """Messages that one more recipient gets, the same for all: a journal mailbox, whose rows may well
    share their millisecond."""
    large_messages: tuple[LargeMessage, ...] = ()
    lone_surrogates: bool = False
    """Allow subjects that end in half of a surrogate pair."""


class Minutes(Protocol):
    """Anything that yields the rows received in one minute, numbered since 1970."""

    def minute(self, number: int) -> list[Row]:
        """Rows received in that minute, ordered by `Row.order`."""
        ...


@dataclass(frozen=True)
class MailFlow:
    """The generator. Stateless: safe from any thread."""

    options: MailFlowOptions = field(default_factory=MailFlowOptions)

    def minute(self, number: int) -> list[Row]:
        """Rows received in minute `number` since 1970, ordered by `Row.order`."""
        options, start_ms = self.options, number * MINUTE_MS
        if options.since is not None and start_ms + MINUTE_MS <= to_ms(options.since):
            return []
        if options.until is not None and start_ms >= to_ms_up(options.until):
            return []
        rng = Random(f"{options.seed}/{number}")
        rate = self._rate(start_ms)
        count = int(rate * (0.5 + rng.random()) + rng.random())
        instants: list[int] = []
        rows: list[Row] = []
        for _ in range(count):
            tied = instants and rng.random() < options.tie_fraction
            instants.append(
                rng.choice(instants) if tied else start_ms + int(rng.random() * MINUTE_MS)
            )
            rows.extend(self._message(rng, instants[-1], start_ms + MINUTE_MS - 1))
        for large in options.large_messages:
            if to_ms(large.received) // MINUTE_MS == number:
                rows.extend(self._large(rng, large))
        since = to_ms_up(options.since) if options.since else start_ms
        until = to_ms_up(options.until) if options.until else start_ms + MINUTE_MS
        return sorted((r for r in rows if since <= r.received_ms < until), key=lambda r: r.order)

    def _rate(self, start_ms: int) -> float:
        for burst in self.options.bursts:
            if to_ms(burst.start) <= start_ms < to_ms(burst.end):
                return burst.messages_per_minute
        return self.options.messages_per_minute

    def _message(self, rng: Random, received_ms: int, last_ms: int) -> Iterator[Row]:
        options = self.options
        undeliverable = rng.random() < options.ndr_fraction
        shared: Content = {
            "Organization": options.organization,
            "MessageId": None if rng.random() < 0.02 else f"<{_guid(rng)}@{options.domain}>",
            "Received": received_ms,
            "SenderAddress": mailwords.outside_address(rng),
            "RecipientAddress": "",
            "Subject": mailwords.subject(rng, lone_surrogate=options.lone_surrogates),
            "Status": "",
            "ToIP": None,
            "FromIP": mailwords.address_v4_or_v6(rng),
            "Size": int(10 ** (3.2 + 3 * rng.random())),
            "MessageTraceId": _guid(rng),
        }
        if undeliverable:
            shared["SenderAddress"] = rng.choice(("<>", None))
            shared["FromIP"] = None
        recipients = mailwords.inside_addresses(rng, options.domain, self._recipients(rng))
        if options.journal_fraction and rng.random() < options.journal_fraction:
            recipients.append(f"journal@{options.domain}")
        expanded = len(recipients) > 1 and rng.random() < options.list_fraction
        for position, recipient in enumerate(recipients):
            # Recipients of one message mostly share its time; a few were handled a moment later.
            moment = min(received_ms + (rng.randrange(900) if rng.random() < 0.05 else 0), last_ms)
            content = {**shared, "Received": moment, "RecipientAddress": recipient}
            if rng.random() < 0.5:
                content["ToIP"] = mailwords.address_v4_or_v6(rng)
            if position and rng.random() < 0.2:
                content["Size"] += rng.randrange(1, 4000)
            yield self._live(rng, content, "Expanded" if expanded and position == 0 else None)
        if rng.random() < options.returning_fraction:
            moment = min(received_ms + rng.randrange(1, 20_000), last_ms)
            again = {**shared, "Received": moment, "RecipientAddress": recipients[0]}
            again["MessageTraceId"] = _guid(rng)
            yield self._live(rng, again, None)

    def _large(self, rng: Random, large: LargeMessage) -> Iterator[Row]:
        """The rows of a message to very many."""
        options = self.options
        shared: Content = {
            "Organization": options.organization,
            "MessageId": f"<{_guid(rng)}@{options.domain}>",
            "Received": to_ms(large.received),
            "SenderAddress": f"all@{options.domain}",
            "RecipientAddress": "",
            "Subject": "To all",
            "Status": "",
            "ToIP": None,
            "FromIP": mailwords.address_v4_or_v6(rng),
            "Size": 4096,
            "MessageTraceId": _guid(rng),
        }
        for number in range(large.recipients):
            recipient = f"{LARGE}{number:05d}@{options.domain}"
            yield self._live(rng, {**shared, "RecipientAddress": recipient}, None)

    def _recipients(self, rng: Random) -> int:
        more = 1 - 1 / max(self.options.mean_recipients, 1.0)
        if more <= 0:
            return 1
        return min(MOST_RECIPIENTS, 1 + int(math.log(1 - rng.random()) / math.log(more)))

    def _live(self, rng: Random, content: Content, fixed: str | None) -> Row:
        """Give a row its moment of visibility and the course of its status."""
        options, received_ms = self.options, int(content["Received"])
        if rng.random() < options.late_fraction:
            shortest, longest = (d / MILLISECOND for d in options.late_between)
            delay = shortest * (longest / shortest) ** rng.random()
        else:
            shortest, longest = (d / MILLISECOND for d in options.visible_after)
            delay = shortest + (longest - shortest) * rng.random()
        final = fixed or rng.choices(_FINAL, cum_weights=_FINAL_PERCENT)[0]
        statuses: tuple[tuple[int, str], ...]
        draw = rng.random()
        if draw < options.slow_fraction:
            settled = int(options.slow_within / MILLISECOND * (0.02 + 0.98 * rng.random()))
            statuses = ((0, "GettingStatus"), (min(60_000, settled - 1), "Pending"))
        elif draw < options.slow_fraction + options.changing_fraction:
            settled = int(options.settle_within / MILLISECOND * (0.1 + 0.9 * rng.random()))
            statuses = ((0, "GettingStatus"),)
        else:
            settled, statuses = 0, ()
        life = tuple((received_ms + after, name) for after, name in (*statuses, (settled, final)))
        visible_ms = received_ms + int(delay)
        if options.reverting_fraction and rng.random() < options.reverting_fraction:
            life += self._reverting(rng, max(life[-1][0], visible_ms), life[-1][1])
        away: tuple[tuple[int, int], ...] = ()
        if options.vanishing_fraction and rng.random() < options.vanishing_fraction:
            gone_ms = visible_ms + int(60_000 * 300 ** rng.random())
            away = ((gone_ms, gone_ms + int(120_000 * 60 ** rng.random())),)
        content["Status"] = life[0][1]
        return Row(content, visible_ms, life, away)

    def _reverting(self, rng: Random, from_ms: int, status: str) -> tuple[tuple[int, str], ...]:
        """Some minutes to hours after `from_ms`: another status, and `status` again."""
        other = "Quarantined" if status != "Quarantined" else "Delivered"
        changes_ms = from_ms + int(60_000 * 400 ** rng.random())
        back_ms = changes_ms + int(60_000 * 400 ** rng.random())
        return (changes_ms, other), (back_ms, status)


_FINAL = ("Delivered", "FilteredAsSpam", "Quarantined", "Failed", "None")
_FINAL_PERCENT = (88, 93, 96, 99, 100)  # up to and including each


def _guid(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
