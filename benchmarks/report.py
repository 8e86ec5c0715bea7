"""Medians and spreads of the runs, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.job import PAGE_ROWS
from benchmarks.measure import MIB, Usage
from benchmarks.services import Counts
from benchmarks.startup import StartUp

_MILLION = 1_000_000


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
    """All that was measured."""

    rows: int
    product: list[Run] = field(default_factory=list)
    floor: list[Run] = field(default_factory=list)
    reread: list[Run] = field(default_factory=list)
    """The product again, when all rows are known."""
    tenth: Run | None = None
    """The product with a tenth of the rows, for its memory."""
    start_ups: list[StartUp] = field(default_factory=list)
    state_bytes: int = 0


def show(results: Results) -> None:
    """Print everything."""
    rows = results.rows
    print(f"\n{rows:,} rows in pages of {PAGE_ROWS}; median (lowest to highest)\n")
    print(f"{'':14}{'rows/s':>24}{'CPU s/million rows':>26}{'peak MiB':>22}{'pages':>8}")
    for name, runs in (
        ("product", results.product),
        ("floor", results.floor),
        ("pure re-read", results.reread),
    ):
        print(
            f"{name:14}"
            f"{_spread([rows / run.usage.wall for run in runs], ',.0f'):>24}"
            f"{_spread([_cpu(run, rows) for run in runs], '.1f'):>26}"
            f"{_spread([run.usage.peak / MIB for run in runs], '.0f'):>22}"
            f"{runs[0].counts.pages:>8,}"
        )
    _show_bottom_line(results)


def _show_bottom_line(results: Results) -> None:
    rows, first = results.rows, results.product[0].counts
    ratios = [
        product.usage.cpu / floor.usage.cpu
        for product, floor in zip(results.product, results.floor, strict=True)
    ]
    peaks = [run.usage.peak / MIB for run in results.product]
    lines = [("CPU, product to floor", _spread(ratios, ".2f"), "aim: at most 1.50")]
    if results.tenth is not None:
        small = results.tenth.usage.peak / MIB
        lines.append((f"peak MiB at {rows // 10:,} rows", f"{small:.0f}", "aim: under 150"))
    lines += [
        (f"peak MiB at {rows:,} rows", f"{max(peaks):.0f}", "aim: under 150"),
        ("state, bytes a row", f"{results.state_bytes / rows:.1f}", "aim: under 20"),
        ("page, bytes a row", f"{first.page_bytes / rows:.0f}", ""),
        ("batch, bytes a row", f"{first.batch_bytes / rows:.0f}", "compressed"),
        (
            "start-up, CPU s",
            _spread([each.token for each in results.start_ups], ".2f"),
            "to the first request; aim: under 2",
        ),
        (
            "",
            _spread([each.page for each in results.start_ups], ".2f"),
            "to the first request for a page",
        ),
    ]
    print()
    for name, value, remark in lines:
        print(f"{name:30}{value:>24}  {remark}".rstrip())


def _cpu(run: Run, rows: int) -> float:
    return run.usage.cpu * _MILLION / rows


def _spread(values: Sequence[float], form: str) -> str:
    """The median, and the extremes where there are several values."""
    middle = format(median(values), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):{form}} to {max(values):{form}})"
