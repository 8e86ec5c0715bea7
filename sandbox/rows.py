"""Rows of a message trace: one per message and recipient, and when each of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32

from sandbox.clock import from_ms, to_ms

Content = dict[str, Any]
"""The API's fields by name. `Received` is an int, milliseconds since 1970; the rest is as sent."""

FIELDS = (
    "Organization",
    "MessageId",
    "Received",
    "SenderAddress",
    "RecipientAddress",
    "Subject",
    "Status",
    "ToIP",
    "FromIP",
    "Size",
    "MessageTraceId",
)
"""Documented fields that describe the message, in the order of the documented samples."""


def ticks(row: Content) -> int:
    """Digits below the millisecond of receipt, in 100 ns (observed); the same for all of a message."""
    return crc32(row["MessageTraceId"].encode()) % 10_000


@dataclass(frozen=True, slots=True)
class Version:
    """What the API shows of one row from `visible_at` on, until the row's next version."""

    content: Content
    visible_at: datetime
    last: bool
    """True when no later version exists among those asked for."""
    gone_at: datetime | None = None
    """When the row is hidden for a while, before any other version."""

    @property
    def received(self) -> datetime:
        """When Exchange received the message."""
        return from_ms(self.content["Received"])

    @property
    def row(self) -> tuple[str, str]:
        """What identifies the row: trace id and recipient (observed; the id alone does not)."""
        return self.content["MessageTraceId"], self.content["RecipientAddress"]


@dataclass(frozen=True, slots=True)
class Row:
    """One message and recipient.

    `statuses` is the row's life: (milliseconds since 1970, status) in ascending order, the first at
    or before the instant of visibility. The row is shown from `visible_ms` on, which is never
    before it was received, but not in the times `away`: (from, until), in order and apart.
    """

    content: Content
    visible_ms: int
    statuses: tuple[tuple[int, str], ...]
    away: tuple[tuple[int, int], ...] = ()

    @property
    def received_ms(self) -> int:
        """When Exchange received the message, milliseconds since 1970."""
        received: int = self.content["Received"]
        return received

    @property
    def received(self) -> datetime:
        """When Exchange received the message."""
        return from_ms(self.received_ms)

    @property
    def visible_at(self) -> datetime:
        """When the API begins to show the row."""
        return from_ms(self.visible_ms)

    @property
    def order(self) -> tuple[int, str, str]:
        """Position among rows: by time, ties in an order that is arbitrary but stable."""
        return self.received_ms, self.content["MessageTraceId"], self.content["RecipientAddress"]

    def is_shown(self, at_ms: int) -> bool:
        """Whether the API shows the row at `at_ms`."""
        return self.visible_ms <= at_ms and not any(a <= at_ms < b for a, b in self.away)

    def shown_at(self, at_ms: int) -> Content:
        """A fresh copy of what the API shows at `at_ms`."""
        status = self.statuses[0][1]
        for since, name in self.statuses[1:]:
            if since > at_ms:
                break
            status = name
        return {**self.content, "Status": status}

    def versions(self, until_ms: int) -> Iterator[Version]:
        """Every version shown up to and including `until_ms`, oldest first.

        Statuses that had already passed when the row became visible were never shown.
        """
        changes = {self.visible_ms, *(s for s, _ in self.statuses), *(b for _, b in self.away)}
        shown = [at for at in sorted(changes) if at <= until_ms and self.is_shown(at)]
        for number, instant in enumerate(shown):
            last = number == len(shown) - 1
            gone = next((a for a, _ in self.away if a > instant), None)
            if gone is not None and not last and gone >= shown[number + 1]:
                gone = None
            gone_at = None if gone is None else from_ms(gone)
            yield Version(self.shown_at(instant), from_ms(instant), last, gone_at)


def make_row(
    received: datetime,
    *,
    visible_at: datetime | None = None,
    statuses: tuple[tuple[datetime, str], ...] = (),
    **fields: Any,
) -> Row:
    """A row written by hand, for tests; every field of the API can be given by name.

    By default it is visible at once, Delivered, with an id that derives from time and recipient.
    """
    received_ms = to_ms(received)
    recipient = fields.get("RecipientAddress", "ada@contoso.example")
    content: Content = {
        "Organization": "contoso.onmicrosoft.com",
        "MessageId": f"<{received_ms}@mail.example>",
        "Received": received_ms,
        "SenderAddress": "sender@mail.example",
        "RecipientAddress": recipient,
        "Subject": "By hand",
        "Status": "Delivered",
        "ToIP": None,
        "FromIP": "192.0.2.10",
        "Size": 4096,
        "MessageTraceId": f"00000000-0000-4000-8000-{received_ms & (2**48 - 1):012x}",
    }
    content.update(fields)
    visible_ms = max(received_ms, to_ms(visible_at)) if visible_at else received_ms
    life = tuple((to_ms(instant), status) for instant, status in statuses)
    return Row(content, visible_ms, life or ((received_ms, content["Status"]),))
