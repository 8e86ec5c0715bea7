"""Rows that are on no page, because others vanished while the pages were read."""

from __future__ import annotations

from dataclasses import replace

from sandbox.clock import from_ms, to_ms
from sandbox.reporting.query import Query
from sandbox.rows import Content
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.observation import Observation
from sandbox.simulation.tenant import WatchedTenant


class ShiftedPages:
    """Records the receive times of rows that a link skips because it stands for a position.

    For listings in the order of time, newest first, whose ties keep their order.
    """

    def __init__(
        self, tenant: WatchedTenant, clock: VirtualClock, observation: Observation
    ) -> None:
        self._tenant, self._clock, self._observation = tenant, clock, observation
        self._given: dict[Query, int] = {}

    def linked(self, query: Query, token: int) -> None:
        """The answer to `query` links to the page after `token`."""
        self._given[replace(query, skip_token=token)] = self._clock.ms

    def followed(self, query: Query) -> None:
        """A link is followed: its page begins with the row after `query.skip_token`."""
        given_ms = self._given.get(query)
        if given_ms is None or query.skip_token is None:
            return
        before = self._row(query, given_ms)
        now = self._row(query, self._clock.ms)
        if before is None or now == before:
            return
        first_ms = to_ms(query.start) if now is None else now[0]
        if first_ms <= before[0]:
            self._observation.misled.append((first_ms, before[0]))

    def _row(self, query: Query, at_ms: int) -> tuple[int, str, str] | None:
        """The row after which the page begins, as the service showed it at `at_ms`."""
        position = query.skip_token or 0
        row = self._tenant.at_position(query.start, query.end, from_ms(at_ms), position)
        return None if row is None else _key(row)


def _key(row: Content) -> tuple[int, str, str]:
    return row["Received"], row["MessageTraceId"], row["RecipientAddress"]
