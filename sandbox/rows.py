"""Rows of a message trace: one per message and recipient, and when each of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Version:
    """What the API shows of one row from `visible_at` on, until the row's next version."""

    content: Content
    visible_at: datetime
    last: bool
    """True when no later version exists among those asked for."""

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
    before it was received.
    """

    content: Content
    visible_ms: int
    statuses: tuple[tuple[int, str], ...]

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
        instants = [self.visible_ms, *(s for s, _ in self.statuses if s > self.visible_ms)]
        shown = [instant for instant in instants if instant <= until_ms]
        for instant in shown:
            yield Version(self.shown_at(instant), from_ms(instant), last=instant == shown[-1])


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
