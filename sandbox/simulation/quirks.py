"""The ways of the two services that are not known for certain, or differ by tenant, each drawn."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from sandbox.clock import from_ms
from sandbox.graph import GraphOptions
from sandbox.reporting import ReportingOptions
from sandbox.simulation.settings import HOUR_MS


def draw_reporting(rng: Random, groups: frozenset[str]) -> ReportingOptions:
    """The Reporting Web Service."""
    return ReportingOptions(
        dialect=rng.choice(("auto", "verbose", "light")),
        times_with_z=rng.random() < 0.5,
        next_link=rng.choice(("auto", "relative", "absolute")),
        next_link_key=rng.choice(("odata.nextLink", "@odata.nextLink")),
        next_link_keeps_format=rng.random() < 0.7,
        page_size=rng.choice((10, 40, 200, 2000)) if groups else rng.choice((40, 200, 2000)),
        token_rule=rng.choice(("key", "offset")),
        order=rng.choice(("ascending", "descending")),
        bounds=rng.choice(("[]", "[)", "()")),
        empty_pages=rng.choice(("never", "never", "never", "never", "first", "every")),
        history_days=rng.choice((2, 3)) if "history" in groups else None,
        history_status=rng.choice((400, 500)),
        refuse_above_rows=rng.choice((None, None, None, None, 300)),
        refuse_status=rng.choice((400, 413, 500)),
    )


def draw_graph(rng: Random, groups: frozenset[str], start_ms: int) -> GraphOptions:
    """Microsoft Graph."""
    page_size = rng.choice((10, 40, 200, None)) if groups else rng.choice((40, 200, None))
    if "throttling" in groups:
        page_size = rng.choice((10, 10, page_size))  # so that the quota is soon spent
    principal_ms = start_ms + int(rng.choice((0, 0, 0.5, 4)) * HOUR_MS * rng.random())
    patience = rng.choice((None, None, 10, 2))
    return GraphOptions(
        page_size=page_size,
        order=rng.choice(("descending",) * 5 + ("ascending", "shuffled", "scattered")),
        strict_cursor=rng.random() < 0.25,
        empty_pages=rng.choice(("never",) * 5 + ("first", "every", "last")),
        stray_rows=rng.choice((0, 0, 0, 3)),
        token_lifetime=timedelta(minutes=patience) if patience and "microsoft" in groups else None,
        to_ip=rng.choice(("empty", "null")),
        history_days=rng.choice((2, 3)) if "history" in groups else 90,
        history_status=rng.choice((400, 500)),
        future_end=rng.choice(("accept", "refuse")),
        retry_after=rng.choice(("seconds", "date", "off")),
        principal_from=from_ms(principal_ms) if "credentials" in groups else None,
        principal_refusal=rng.choice(("Unauthorized", "Forbidden")),
    )


def draw_other_client(rng: Random, groups: frozenset[str]) -> tuple[int, int] | None:
    """Requests of another tool of the tenant, and every how many seconds: up to half the quota."""
    if "throttling" not in groups:
        return None
    return rng.choice((None, (5, 60), (10, 60), (25, 150), (50, 300)))
