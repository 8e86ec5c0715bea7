"""`python -m sandbox simulate`: many seeds on all processors, and what came of them."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sandbox.simulation.outcome import Outcome
from sandbox.simulation.run import simulate
from sandbox.simulation.scenario import GROUPS

MANY = 5000
"""Seeds of a run for which nothing else is said."""

_REPORT_SECONDS = 30.0
_TOLD = 10  # violations of one seed


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "simulate", help="run days of mail and failures under a virtual clock"
    )
    add = parser.add_argument
    add("--days", type=int, default=1, help="days of mail for each seed (default: 1)")
    add("--seed", type=int, help="the first seed (default: 1); alone, the only one")
    add("--seeds", type=int, help=f"how many seeds (default: {MANY}, or 1 after --seed)")
    add("--faults", choices=("all", "none", *GROUPS), default="all", help="what goes wrong")
    add(
        "--service",
        choices=("reporting", "graph", "both"),
        default="both",
        help="which of Microsoft's services; both: each seed has one of them",
    )
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes to run in")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate, and print the totals; 1 if any promise was broken."""
    first = 1 if arguments.seed is None else arguments.seed
    count = arguments.seeds or (MANY if arguments.seed is None else 1)
    seeds = range(first, first + count)
    began = time.monotonic()
    total = Outcome()
    for seed, outcome in _watched(
        outcomes(seeds, arguments.days, arguments.faults, arguments.service, arguments.jobs), count
    ):
        total.add(outcome)
        if outcome.violations:
            told = "\n".join(f"  {text}" for text in outcome.violations[:_TOLD])
            again = f"--days {arguments.days} --seed {seed} --faults {arguments.faults}"
            again += f" --service {arguments.service}"
            print(f"seed {seed}: python -m sandbox simulate {again}\n{told}", flush=True)
    print("\n".join(total.lines()))
    print(f"{time.monotonic() - began:.0f} s; violations: {len(total.violations)}")
    return 1 if total.violations else 0


def outcomes(
    seeds: Iterable[int],
    days: int = 1,
    faults: str = "all",
    service: str = "both",
    jobs: int = 2,
) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each seed, as they come; with one job, in this process and in order."""
    job = partial(_numbered, days=days, faults=faults, service=service)
    if jobs == 1:
        yield from map(job, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(job, seeds)


def _numbered(seed: int, days: int, faults: str, service: str) -> tuple[int, Outcome]:
    return seed, simulate(seed, days, faults, service)


def _watched(results: Iterator[tuple[int, Outcome]], count: int) -> Iterator[tuple[int, Outcome]]:
    """The same results, with a bar on a terminal and a line now and then elsewhere."""
    if count > 1 and sys.stdout.isatty():
        columns = (TextColumn("seeds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            yield from progress.track(results, total=count)
        return
    told = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        if time.monotonic() - told > _REPORT_SECONDS:
            told = time.monotonic()
            print(f"{done} of {count} seeds", flush=True)
