"""The ways of the two services that are not known for certain, or differ by tenant, each drawn.

What `draw_reporting` and `draw_graph` draw from `rng` is always in play. The rest comes with the group
of faults that it is named by, from a source of chance of its own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Literal

from sandbox.bad_records import BadAnswer
from sandbox.clock import from_ms
from sandbox.graph import GraphOptions
from sandbox.mailflow import MOST_RECIPIENTS
from sandbox.reporting import ReportingOptions
from sandbox.simulation.settings import HOUR_MS

Chances = dict[str, Random]
"""A source of chance for each group of faults of the run."""

Date = Literal["right", "missing"] | int
"""What the answers of a service say of the time; a number: milliseconds by which they are ahead."""

_SHOWN = 0.2  # of a page: 1000 recipients of 5000 rows


def draw_reporting(rng: Random, groups: frozenset[str], chances: Chances) -> ReportingOptions:
    """The Reporting Web Service."""
    options = ReportingOptions(
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
    if chance := chances.get("history"):
        options = replace(options, history_rule=chance.choice(("refuse", "hide")))
    if chance := chances.get("order"):
        options = replace(
            options,
            partitions=chance.random() < 0.5,
            ties=chance.choice(("stable", "unstable", "unstable")),
        )
    if chance := chances.get("links"):
        options = replace(options, empty_pages=chance.choice(("first", "every")))
    if chance := chances.get("records"):
        options = replace(options, bad_records=chance.choice(("500", "504", "utf-8")))
    if chance := chances.get("rows"):
        options = replace(
            options,
            etags=chance.random() < 0.3,
            absent_ip=chance.choice(("null", "null", "turns")),
            page_size=chance.choice((40, 200, 200, options.page_size)),
            refuse_above_rows=None,
        )
        shown = chance.choice((None, _shown(options.page_size)))
        options = replace(options, recipients_shown=shown)
    return options


def draw_graph(
    rng: Random, groups: frozenset[str], chances: Chances, start_ms: int
) -> GraphOptions:
    """Microsoft Graph."""
    page_size = rng.choice((10, 40, 200, None)) if groups else rng.choice((40, 200, None))
    if "throttling" in groups:
        page_size = rng.choice((10, 10, page_size))  # so that the quota is soon spent
    principal_ms = start_ms + int(rng.choice((0, 0, 0.5, 4)) * HOUR_MS * rng.random())
    patience = rng.choice((None, None, 10, 2))
    options = GraphOptions(
        page_size=page_size,
        order=rng.choice(("descending",) * 5 + ("ascending", "shuffled", "scattered")),
        fine_times=rng.random() < 0.5,
        end=rng.choice(("inclusive",) * 4 + ("exclusive",)),
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
    if chance := chances.get("history"):
        options = replace(options, history_rule=chance.choice(("refuse", "hide")))
    if chance := chances.get("order"):
        options = replace(
            options, order=chance.choice(("partitioned", "partitioned", "descending", "ascending"))
        )
    if chance := chances.get("links"):
        options = replace(
            options,
            links=chance.choice(("sound", "encoded date", "recipient", "self", "back")),
            empty_pages=chance.choice(("never", "never", "chain", "endless", "last", "every")),
            chain=chance.choice((2, 4, 6)),
        )
    if chance := chances.get("records"):
        # Without strays: a bad record would spoil all windows within an hour.
        answer: BadAnswer = chance.choice(("500", "504", "utf-8"))
        options = replace(options, bad_records=answer, stray_rows=0)
    if chance := chances.get("rows"):
        options = replace(
            options,
            etags=chance.random() < 0.3,
            to_ip=chance.choice((options.to_ip, options.to_ip, "turns")),
            page_size=chance.choice((40, 200, 200, options.page_size)),
        )
        shown = chance.choice((None, _shown(options.page_size or 5000)))
        options = replace(options, recipients_shown=shown)
    return options


def draw_other_client(rng: Random, groups: frozenset[str]) -> tuple[int, int] | None:
    """Requests of another tool of the tenant, and every how many seconds: up to half the quota."""
    if "throttling" not in groups:
        return None
    return rng.choice((None, (5, 60), (10, 60), (25, 150), (50, 300)))


def _shown(page_size: int) -> int:
    """How many recipients of a message a listing shows: more than an ordinary one has."""
    return max(MOST_RECIPIENTS + 5, int(page_size * _SHOWN))


def draw_dates(rng: Random, *, machine_is_right: bool) -> tuple[Date, Date]:
    """What time the message trace service says, and what Entra ID.

    As long as the machine's clock is right, one of them may be wrong or both silent: then it decides.
    """
    right: Date = "right"
    missing: Date = "missing"
    odd: tuple[Date, Date] = rng.choice(((missing, right), (right, missing)))
    if machine_is_right and rng.random() < 0.6:
        wrong = rng.choice((-1, 1)) * int(120_000 * 1000 ** rng.random())
        odd = rng.choice(((wrong, right), (right, wrong), (missing, missing)))
    return rng.choice(((right, right), (right, right), odd))
