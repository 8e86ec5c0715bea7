"""`python -m sandbox measure`: what reading costs Microsoft, the storage and the memory."""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta

from sandbox.clock import MINUTE_MS, to_ms
from sandbox.measures.actions import questions
from sandbox.measures.freshness import TENANTS, described, measured
from sandbox.measures.mail import SteadyMail
from sandbox.measures.rig import START, Rig
from sandbox.measures.storage import Traffic
from sandbox.simulation.graph import OtherClient

MILLION = 1_000_000
_MINUTES = timedelta(minutes=1)
_HOURS = timedelta(hours=1)
_DAYS = timedelta(days=1)
_STEADY = 26 * _HOURS  # after which all of a look-back of 24 hours is read again and again
_SAMPLE_EVERY = 20  # pushes


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "measure", help="count requests, rows, storage traffic and memory under a virtual clock"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the figures of the measures that are named, or of all."""
    unknown = set(arguments.names) - MEASURES.keys()
    if unknown:
        print(f"no such measure: {', '.join(sorted(unknown))}")
        return 2
    for name in arguments.names or MEASURES:
        for line in MEASURES[name]():
            print(line, flush=True)
    return 0


def speed() -> Iterator[str]:
    """A large backlog in Graph, alone: pages of 5000 rows that take three seconds each."""
    for frequency in (60, 300):
        rig = Rig("graph", SteadyMail(MILLION), 10 * _DAYS, frequency=frequency)
        counted = rig.run(60 * _MINUTES, 15 * _MINUTES)
        hours = 13 * MILLION / counted.rows
        yield (
            f"graph, backlog, frequency {frequency}: {counted.rows / 12:,.0f} rows in 5 minutes, "
            f"{counted.requests / 12:.1f} requests, {counted.refused} refused; 13 million rows take "
            f"{hours:.1f} h; fresh mail {counted.worst_lag:.0f} s late at most"
        )


def crowd() -> Iterator[str]:
    """The same while another client spends half the quota."""
    for burst, every in ((10, 60), (50, 300)):
        other = OtherClient(burst, every)
        counted = Rig("graph", SteadyMail(MILLION), 10 * _DAYS, other=other).run(60 * _MINUTES)
        yield (
            f"graph, backlog, another client {burst} requests every {every} s: "
            f"{counted.rows / 12:,.0f} rows in 5 minutes, {counted.requests} requests in an hour, "
            f"{counted.refused} refused; fresh mail {counted.worst_lag:.0f} s late at most"
        )


def quiet() -> Iterator[str]:
    """What a first start costs where there is hardly any mail."""
    for service, days in (("graph", 30), ("graph", 90), ("reporting", 30)):
        for rows_per_day in (0, 1000):
            counted = Rig(service, SteadyMail(rows_per_day), days * _DAYS).run(10 * _MINUTES)
            yield (
                f"{service}, {days} days of {rows_per_day} rows a day: {counted.past} requests for "
                f"{counted.rows} rows"
            )


def empty() -> Iterator[str]:
    """What a day costs where there is no mail."""
    for frequency in (60, 300):
        rig = Rig("graph", SteadyMail(0), _HOURS, frequency=frequency)
        counted = rig.run(_DAYS, _STEADY)
        yield (
            f"graph, empty tenant, frequency {frequency}: {counted.live} requests a day for fresh "
            f"mail, {counted.past} for re-reads"
        )


def day() -> Iterator[str]:
    """A tenant of a million rows a day: requests, and what the storage is asked for."""
    for service, page in (("graph", 5000), ("reporting", 2000)):
        rig = Rig(service, SteadyMail(MILLION), _HOURS)
        counted = rig.run(6 * _HOURS, _STEADY)
        yield (
            f"{service}, a million rows a day: {counted.live * 4} requests a day for fresh mail, "
            f"{counted.past * 4} for re-reads; {MILLION // page} pages at least"
        )
        yield from _per_hour(counted.traffic, 6)
        stored = sum(len(blob) for blob in rig.storage.content.values())
        yield f"  stored: {stored / MILLION:.1f} MB"


def burst(rows: int = MILLION) -> Iterator[str]:
    """Very much mail within ten minutes."""
    minute = to_ms(START) // MINUTE_MS
    rig = Rig("graph", SteadyMail(0, burst=minute + 20, burst_rows=rows), timedelta(0))
    counted = rig.run(2 * _HOURS)
    yield (
        f"graph, {rows:,} rows in ten minutes: {counted.requests} requests in two hours for "
        f"{counted.rows:,} rows; fresh mail {counted.worst_lag / 60:.1f} min late at most"
    )


def memory() -> Iterator[str]:
    """What the collector itself holds at most, while a burst is read."""
    yield f"graph, 50,000 rows in ten minutes: {memory_of_burst(MILLION // 20) / MILLION:.1f} MB held by the collector"


def memory_of_burst(rows: int) -> int:
    """Most bytes that the module's own code holds while so many rows of ten minutes are read."""
    minute = to_ms(START) // MINUTE_MS
    rig = Rig("graph", SteadyMail(0, burst=minute + 20, burst_rows=rows), timedelta(0))
    own = tracemalloc.Filter(inclusive=True, filename_pattern="*/office365_message_trace/*")
    pushes = most = 0

    def watch() -> None:
        nonlocal pushes, most
        pushes += 1
        if pushes % _SAMPLE_EVERY == 0:
            traces = tracemalloc.take_snapshot().filter_traces([own]).traces
            most = max(most, sum(trace.size for trace in traces))

    rig.watch = watch
    tracemalloc.start(1)
    try:
        rig.run(_HOURS)
    finally:
        tracemalloc.stop()
    return most


def _per_hour(traffic: Traffic, hours: int) -> Iterator[str]:
    for sort in sorted(traffic.puts.keys() | traffic.gets.keys()):
        yield (
            f"  {sort}, an hour: {traffic.puts[sort] / hours:.0f} PUTs of "
            f"{traffic.put_bytes[sort] / hours / MILLION:.2f} MB, {traffic.gets[sort] / hours:.0f} "
            f"GETs of {traffic.get_bytes[sort] / hours / MILLION:.2f} MB"
        )
    yield f"  {traffic.deletes / hours:.0f} DELETEs an hour"


def freshness() -> Iterator[str]:
    """How long rows take from when Microsoft shows them until the intake has them."""
    yield "p50/p99 seconds from shown to accepted, of rows shown up to 5 min, 5-10, 10-30, 30-120 min, later"
    for service in ("graph", "reporting"):
        for rows_a_day in TENANTS:
            yield described(service, measured(service, rows_a_day))
    for rows_a_day in (1000, MILLION):
        crowded = measured("graph", rows_a_day, other=OtherClient(50, 300))
        yield f"while another tool spends half the quota: {described('graph', crowded)}"


MEASURES: dict[str, Callable[[], Iterator[str]]] = {
    "actions": questions,
    "freshness": freshness,
    "speed": speed,
    "crowd": crowd,
    "quiet": quiet,
    "empty": empty,
    "day": day,
    "burst": burst,
    "memory": memory,
}
