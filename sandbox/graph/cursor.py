"""Rows in the order of Graph: by time, then by recipient, from any row on.

A row that becomes visible among those already given does not move the others (inferred).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from sandbox.clock import from_ms
from sandbox.rows import Content
from sandbox.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Span:
    """Receive times from `first_ms` to `last_ms`, both included, as the tenant shows at `at_ms`."""

    first_ms: int
    last_ms: int
    at_ms: int

    def rows(self, tenant: Tenant, limit: int | None, *, ascending: bool) -> list[Content]:
        """In order: about `limit` of them, for the last millisecond is whole."""
        if self.last_ms < self.first_ms or limit == 0:
            return []
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
            edge = from_ms(edge_ms)
            found = [row for row in found if row["Received"] != edge_ms]
            found += tenant.rows(edge, edge, at)
        sign = 1 if ascending else -1
        return sorted(found, key=lambda row: (sign * row["Received"], position(row)))


def position(row: Content) -> tuple[str, str]:
    """Where a row stands among those of its millisecond."""
    return row["RecipientAddress"] or "", row["MessageTraceId"]


def rows_after(
    tenant: Tenant,
    span: Span,
    after: tuple[int, str, str] | None,
    limit: int,
    *,
    ascending: bool = False,
    strict: bool = False,
    wanted: Callable[[Content], bool] | None = None,
) -> list[Content]:
    """At most `limit` rows of the span that are `wanted`, beyond time, recipient and id `after`.

    `strict`: beyond time and recipient, whatever the id.
    """
    found: list[Content] = []
    if after is not None:
        edge_ms, recipient, row_id = after
        ties = Span(edge_ms, edge_ms, span.at_ms).rows(tenant, None, ascending=ascending)
        for row in ties:
            place = position(row)
            if place[0] > recipient if strict else place > (recipient, row_id):
                found.append(row)
        if ascending:
            span = Span(edge_ms + 1, span.last_ms, span.at_ms)
        else:
            span = Span(span.first_ms, edge_ms - 1, span.at_ms)
    missing = None if wanted is not None else max(0, limit - len(found))
    found += span.rows(tenant, missing, ascending=ascending)
    if wanted is not None:
        found = [row for row in found if wanted(row)]
    return found[:limit]


def scattered_after(
    tenant: Tenant,
    span: Span,
    after: tuple[int, str, str] | None,
    limit: int,
    *,
    wanted: Callable[[Content], bool] | None = None,
) -> list[Content]:
    """The same in an order that has nothing to do with time; it costs a look at the whole span."""
    found = [row for row in span.rows(tenant, None, ascending=True) if not wanted or wanted(row)]
    ordered = sorted(
        (_scattered(*position(row)), row["Received"], n) for n, row in enumerate(found)
    )
    begin = (_scattered(*after[1:]), after[0]) if after else ((0, "", ""), 0)
    rest = [found[n] for place, received_ms, n in ordered if (place, received_ms) > begin]
    return rest[:limit]


def _scattered(recipient: str, row_id: str) -> tuple[int, str, str]:
    """Where a row stands when time does not count."""
    return crc32(f"{recipient} {row_id}".encode("utf-8", "surrogatepass")), recipient, row_id
