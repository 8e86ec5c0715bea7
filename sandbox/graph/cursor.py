"""Rows in the orders that Graph may have, from any row on.

A row that becomes visible among those already given does not move the others (inferred).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal
from zlib import crc32

from sandbox.clock import from_ms
from sandbox.rows import Content, ticks
from sandbox.tenant import Tenant

OrderName = Literal["descending", "ascending", "shuffled", "scattered", "partitioned"]

_PARTITIONS = 3


@dataclass(frozen=True, slots=True)
class Span:
    """Receive times from `first_ms` to `last_ms`, both included, as the tenant shows at `at_ms`.

    `last` says which rows of the last millisecond belong to it: all, those without digits below the
    millisecond (`whole`), or none.
    """

    first_ms: int
    last_ms: int
    at_ms: int
    last: Literal["all", "whole", "none"] = "all"

    def rows(self, tenant: Tenant, limit: int | None, *, ascending: bool) -> list[Content]:
        """By time: about `limit` of them, for the last millisecond is complete."""
        if self.last_ms < self.first_ms or (limit is not None and limit <= 0):
            return []
        if self.last != "all":
            end = [row for row in self._at(tenant, self.last_ms) if self._has(row)]
            before = replace(self, last_ms=self.last_ms - 1, last="all")
            left = None if limit is None else limit if ascending else limit - len(end)
            rest = before.rows(tenant, left, ascending=ascending)
            return rest + end if ascending else end + rest
        at = from_ms(self.at_ms)
        found = tenant.page(
            from_ms(self.first_ms),
            from_ms(self.last_ms),
            at,
            offset=0,
            limit=limit,
            descending=not ascending,
        )
        if found and len(found) == limit:
            edge_ms = int(found[-1]["Received"])
            found = [row for row in found if row["Received"] != edge_ms]
            found += self._at(tenant, edge_ms)
        return found

    def instant(self, ms: int) -> Span:
        """The one millisecond."""
        return replace(
            self, first_ms=ms, last_ms=ms, last=self.last if ms == self.last_ms else "all"
        )

    def _at(self, tenant: Tenant, ms: int) -> list[Content]:
        return tenant.rows(from_ms(ms), from_ms(ms), from_ms(self.at_ms))

    def _has(self, row: Content) -> bool:
        return self.last == "whole" and not ticks(row)


@dataclass(frozen=True, slots=True)
class Order:
    """How rows follow each other. `strict`: a page begins beyond time and recipient of the last row,
    whatever the id. `fine`: receive times have digits below the millisecond, see `ticks`."""

    name: OrderName
    strict: bool
    fine: bool

    @property
    def by_time(self) -> bool:
        """Whether rows of a window need not be looked at as a whole."""
        return self.name not in ("scattered", "partitioned")

    def place(self, row: Content) -> tuple[Any, ...]:
        """Where a row stands; the id comes last."""
        recipient, row_id = position(row)
        time = row["Received"], ticks(row) if self.fine else 0
        falling = -time[0], -time[1]
        match self.name:
            case "ascending":
                return *time, recipient, row_id
            case "scattered":
                return scattered(recipient, row_id), recipient, *time, row_id
            case "partitioned":
                return crc32(_bytes(recipient)) % _PARTITIONS, *falling, recipient, row_id
        return *falling, recipient, row_id

    def is_beyond(self, row: Content, after: Content) -> bool:
        """Whether `row` follows on the pages behind the one that ends with `after`."""
        here, there = self.place(row), self.place(after)
        return here[:-1] > there[:-1] if self.strict else here > there


def position(row: Content) -> tuple[str, str]:
    """Where a row stands among those of its millisecond."""
    return row["RecipientAddress"] or "", row["MessageTraceId"]


def rows_after(
    tenant: Tenant,
    span: Span,
    order: Order,
    after: Content | None,
    limit: int,
    wanted: Callable[[Content], bool] | None = None,
) -> list[Content]:
    """At most `limit` rows of the span that are `wanted`, beyond the row `after`."""
    if not order.by_time:
        found = span.rows(tenant, None, ascending=True)
        found = [row for row in found if after is None or order.is_beyond(row, after)]
    else:
        found = []
        ascending = order.name == "ascending"
        if after is not None:
            edge_ms = after["Received"]
            ties = span.instant(edge_ms).rows(tenant, None, ascending=ascending)
            found = [row for row in ties if order.is_beyond(row, after)]
            if ascending:
                span = replace(span, first_ms=edge_ms + 1)
            elif edge_ms <= span.last_ms:
                span = replace(span, last_ms=edge_ms - 1, last="all")
        missing = None if wanted is not None else max(0, limit - len(found))
        found += span.rows(tenant, missing, ascending=ascending)
    if wanted is not None:
        found = [row for row in found if wanted(row)]
    return sorted(found, key=order.place)[:limit]


def scattered(recipient: str, row_id: str) -> int:
    """Where a row stands when time does not count."""
    return crc32(_bytes(f"{recipient} {row_id}"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
