"""Command line of the benchmark: what collecting costs, beside the least that it can cost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.floor import forward, forward_quickly
from benchmarks.job import PAGE_ROWS, SERVICES, Job
from benchmarks.mail import END, ROWS_PER_SECOND, start_of
from benchmarks.measure import Usage, in_new_process
from benchmarks.product import collect
from benchmarks.report import Results, Run, show, show_stages, show_start_ups
from benchmarks.services import Services, running
from benchmarks.stages import stages
from benchmarks.startup import StartUp, start_up

_START_UPS = 3
_OLDEST_DAYS = 30  # what the service keeps, by the default policy


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _arguments()
    start_ups: list[StartUp] = []
    measured = [Results(service, arguments.rows) for service in arguments.services]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        root = Path(name)
        for number in range(1, _START_UPS + 1):
            _say(f"start-up {number} of {_START_UPS}")
            start_ups.append(start_up(root / f"start-up-{number}"))
        with running(root) as services:
            for results in measured:
                _say(f"{results.service}, a tenth of the rows")
                folder = root / results.service
                (results.tenth,) = _run(services, results, folder / "tenth", collect, tenth=True)
            for number in range(1, arguments.rounds + 1):
                for results in measured:
                    _say(f"{results.service}, round {number} of {arguments.rounds}")
                    _round(services, results, root / f"{results.service}-{number}")
    for results in measured:
        show(results)
    show_start_ups(start_ups)
    show_stages({each: stages(each) for each in arguments.services})
    return 0


def _round(services: Services, results: Results, folder: Path) -> None:
    """The product, twice, the floors, and the product in a new process with what it has already forwarded."""
    new, again = _run(services, results, folder, collect, times=2)
    results.product.append(new)
    results.reread.append(again)
    results.state_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    results.floor += _run(services, results, folder, forward)
    results.quick_floor += _run(services, results, folder, forward_quickly)
    results.restarted += _run(services, results, folder, collect, new=False)


def _run(  # what differs from run to run
    services: Services,
    results: Results,
    folder: Path,
    work: Callable[[Job], list[Usage]],
    times: int = 1,
    new: bool = True,
    tenth: bool = False,
) -> list[Run]:
    """The usage of `work` in each of its `times`. Checks that all rows arrive if they are `new`."""
    rows = results.rows // 10 if tenth else results.rows
    before = services.counts()
    job = Job(results.service, services.site, start_of(rows), END, folder, times)
    usages = in_new_process(work, job)
    counts = services.counts() - before
    each = replace(counts, pages=counts.pages // times, page_bytes=counts.page_bytes // times)
    return [Run(usage, each).checked(rows if new else 0) for usage in usages]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=1_000_000, help="rows to collect (default: %(default)s)")
    add("--rounds", type=int, default=2, help="runs of each kind (default: %(default)s)")
    add("--services", nargs="+", choices=SERVICES, default=SERVICES, help="(default: both)")
    arguments = parser.parse_args()
    least, most = 10 * max(PAGE_ROWS.values()), ROWS_PER_SECOND * 86_400 * _OLDEST_DAYS
    if not least <= arguments.rows <= most:
        parser.error(f"--rows must be from {least} to {most}")
    if arguments.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return arguments


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
