"""Medians and spreads of the runs, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.job import PAGE_ROWS
from benchmarks.measure import MIB, Usage
from benchmarks.services import Counts
from benchmarks.startup import StartUp

_MILLION = 1_000_000
_READINGS = 47  # of each row in a day, by sweeps of the greatest density
_PEAK = "aim: under 150"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run used, and what the services saw of it."""

    usage: Usage
    counts: Counts

    def checked(self, events: int) -> Run:
        """This run, if exactly so many events arrived; else the measurement is worth nothing."""
        if self.counts.failures or self.counts.events != events:
            raise RuntimeError(f"{events} events were to arrive, but: {self.counts}")
        return self


@dataclass
class Results:
    """All that was measured of one service."""

    service: str
    rows: int
    product: list[Run] = field(default_factory=list)
    floor: list[Run] = field(default_factory=list)
    quick_floor: list[Run] = field(default_factory=list)
    """The floor of the quickest means that are known."""
    reread: list[Run] = field(default_factory=list)
    """The product again, when all rows are known, in the same process."""
    restarted: list[Run] = field(default_factory=list)
    """The same after a restart."""
    tenth: Run | None = None
    """The product with a tenth of the rows, for its memory."""
    state_bytes: int = 0


def show(results: Results) -> None:
    """Print what was measured of a service."""
    rows = results.rows
    full = PAGE_ROWS[results.service]
    print(f"\n{results.service}: {rows:,} rows in pages of {full}; median (lowest to highest)\n")
    print(f"{'':22}{'rows/s':>24}{'CPU s/million rows':>26}{'peak MiB':>22}{'pages':>8}")
    for name, runs in (
        ("product", results.product),
        ("floor", results.floor),
        ("floor, quickest means", results.quick_floor),
        ("read again", results.reread),
        ("read after a restart", results.restarted),
    ):
        print(
            f"{name:22}"
            f"{_spread([rows / run.usage.wall for run in runs], ',.0f'):>24}"
            f"{_spread([_cpu(run, rows) for run in runs], '.1f'):>26}"
            f"{_spread([run.usage.peak / MIB for run in runs], '.0f'):>22}"
            f"{runs[0].counts.pages:>8,}"
        )
    _show_bottom_line(results)


def show_start_ups(start_ups: Sequence[StartUp]) -> None:
    """Print what the process costs before its first request."""
    print()
    _print_line("start-up, CPU s", [each.token for each in start_ups], "to the first request")
    _print_line("", [each.page for each in start_ups], "to the first request for a page")


def show_stages(stages: Mapping[str, Mapping[str, float]]) -> None:
    """Print the microseconds a row of each stage, by service."""
    print(f"\n{'stage, us a row':22}" + "".join(f"{service:>12}" for service in stages))
    for name in next(iter(stages.values())):
        print(f"{name:22}" + "".join(f"{each[name]:12.2f}" for each in stages.values()))


def _show_bottom_line(results: Results) -> None:
    rows, first = results.rows, results.product[0].counts
    peaks = [run.usage.peak / MIB for run in results.product]
    day = [
        _cpu(new, rows) + (_READINGS - 1) * _cpu(again, rows)
        for new, again in zip(results.product, results.reread, strict=True)
    ]
    print()
    for name, floor, aim in (
        ("floor", results.floor, "aim: at most 0.90"),
        ("quickest means", results.quick_floor, ""),
    ):
        pairs = zip(results.product, floor, strict=True)
        _print_line(f"CPU, product to {name}", [a.usage.cpu / b.usage.cpu for a, b in pairs], aim)
    _print_line(f"CPU s a day, {_READINGS} readings", day, "of a million rows a day", ".0f")
    if results.tenth is not None:
        _print_line(
            f"peak MiB at {rows // 10:,} rows", [results.tenth.usage.peak / MIB], _PEAK, ".0f"
        )
    _print_line(f"peak MiB at {rows:,} rows", [max(peaks)], _PEAK, ".0f")
    _print_line("state, bytes a row", [results.state_bytes / rows], "aim: under 20", ".1f")
    _print_line("page, bytes a row", [first.page_bytes / rows], "unpacked", ".0f")
    _print_line("batch, bytes a row", [first.batch_bytes / rows], "packed", ".0f")


def _print_line(name: str, values: Sequence[float], remark: str, form: str = ".2f") -> None:
    print(f"{name:30}{_spread(values, form):>24}  {remark}".rstrip())


def _cpu(run: Run, rows: int) -> float:
    return run.usage.cpu * _MILLION / rows


def _spread(values: Sequence[float], form: str) -> str:
    """The median, and the extremes where there are several values."""
    middle = format(median(values), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):{form}} to {max(values):{form}})"
