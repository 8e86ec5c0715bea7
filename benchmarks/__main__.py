"""Command line of the benchmark: what collecting costs, beside the least that it can cost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.floor import forward
from benchmarks.job import PAGE_ROWS, Job
from benchmarks.mail import END, ROWS_PER_SECOND, start_of
from benchmarks.measure import in_new_process
from benchmarks.product import collect
from benchmarks.report import Results, Run, show
from benchmarks.services import Services, running
from benchmarks.startup import start_up

_START_UPS = 3
_OLDEST_DAYS = 30  # what the service keeps, by the default policy


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _arguments()
    results = Results(arguments.rows)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        root = Path(name)
        for number in range(1, _START_UPS + 1):
            _say(f"start-up {number} of {_START_UPS}")
            results.start_ups.append(start_up(root / f"start-up-{number}"))
        with running(root) as services:
            _say("a tenth of the rows")
            tenth = arguments.rows // 10
            results.tenth = _collected(services, tenth, root / "tenth", new=tenth)
            for number in range(1, arguments.rounds + 1):
                _say(f"round {number} of {arguments.rounds}")
                _round(services, results, root / f"round-{number}")
    show(results)
    return 0


def _round(services: Services, results: Results, folder: Path) -> None:
    """The product, the floor, and the product again with what it has already forwarded."""
    results.product.append(_collected(services, results.rows, folder, new=results.rows))
    results.state_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    results.floor.append(_forwarded(services, results.rows, folder))
    results.reread.append(_collected(services, results.rows, folder, new=0))


def _collected(services: Services, rows: int, folder: Path, new: int) -> Run:
    """A run of the product over the last `rows` rows, of which it is to forward `new`."""
    before = services.counts()
    usage = in_new_process(collect, Job(services.site, start_of(rows), END, folder))
    return Run(usage, services.counts() - before).checked(new)


def _forwarded(services: Services, rows: int, folder: Path) -> Run:
    """A run of the floor."""
    before = services.counts()
    usage = in_new_process(forward, Job(services.site, start_of(rows), END, folder))
    return Run(usage, services.counts() - before).checked(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=1_000_000, help="rows to collect (default: %(default)s)")
    add("--rounds", type=int, default=2, help="runs of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    most = ROWS_PER_SECOND * 86_400 * _OLDEST_DAYS
    if not 10 * PAGE_ROWS <= arguments.rows <= most:
        parser.error(f"--rows must be from {10 * PAGE_ROWS} to {most}")
    if arguments.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return arguments


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
