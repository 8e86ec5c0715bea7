"""`python -m sandbox demo`: one run of the module, failures included, from start to stop."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from office365_message_trace.collect.freshness import BANDS
from office365_message_trace.model import span
from sandbox.comparison import Report
from sandbox.event_formats import REPORTING, Form, GraphForm
from sandbox.faults import Answer, Drop, FaultPlan, Rule, html_page
from sandbox.graph import GraphOptions
from sandbox.mailflow import MailFlowOptions
from sandbox.measures.freshness import Freshness, measured
from sandbox.process import Exit, TriggerName, TriggerProcess
from sandbox.reporting import ReportingOptions
from sandbox.screen import PICTURE, Screen, pictured_terminal
from sandbox.world import Sandbox, SandboxOptions

DEADLINE_SECONDS = 45.0
START_TIME_HOURS = 2
PAGE_SIZE = 500
SMALL_TENANT = 1000
SAMPLE_LINES = 3
KILLED_AT = 0.4
"""Of the events, when the process is killed."""
CLOCK_AHEAD = timedelta(hours=3)
"""Of the machine on which it is started again."""

_NAMES = {"reporting": "Reporting Web Service", "graph": "Microsoft Graph"}
_WIDTH_OF_FILES = 100


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `exit` is how the process ended; `trouble` why it did so too early."""

    report: Report
    exit: Exit
    trouble: str | None = None

    @property
    def ok(self) -> bool:
        """Every row arrived, none twice but the batch in flight when the process was killed, and the
        process did as it was told."""
        report = self.report
        once = not report.unknown and len(report.repeated) <= PAGE_SIZE
        return report.complete and once and self.exit.status == 0 and self.trouble is None


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("demo", help="show the module at work, in about a minute")
    parser.add_argument("--trigger", choices=("graph", "oauth", "basic"), default="graph")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the screen (SVG)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect an hour of mail and print the account; 1 if a row was lost or repeated."""
    if arguments.picture is None:
        return _shown(arguments.trigger, Console(highlight=False))
    screen = pictured_terminal()
    status = _shown(arguments.trigger, screen)
    picture = screen.export_svg(title="make demo", code_format=PICTURE, unique_id="demo")
    arguments.picture.write_text(picture)
    return status


def _shown(trigger: TriggerName, console: Console) -> int:
    service = "graph" if trigger == "graph" else "reporting"
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    with (
        Sandbox(_options(trigger)) as world,
        tempfile.TemporaryDirectory(prefix="demo-") as folder,
        TriggerProcess(
            world,
            Path(folder),
            trigger,
            timedelta=0,
            start_time=START_TIME_HOURS,
            chunk_size=PAGE_SIZE,
        ) as process,
    ):
        rows = _rows(world)
        screen = Screen(console, process.output_file, rows)
        console.print(
            f"An hour of mail of an invented tenant: {rows:,} rows, {PAGE_SIZE} to a page.\n"
            f"{' '.join(process.command[1:])} collects it, as the platform would run it.\n"
            "On the way these failures wait for it:"
        )
        for description in schedule_faults(world.faults, service):
            console.print(f"  - {description}")
        console.print()
        try:
            outcome = _collected(world, process, screen, rows, _form(world, service))
            with console.status("Measuring freshness over a simulated day"):
                fresh = measured(service, SMALL_TENANT)
        except KeyboardInterrupt:
            console.print("Interrupted.")
            return 130
        for line in (
            *account(world, outcome, service, console.width),
            *freshness(fresh),
            verdict(outcome),
        ):
            console.print(line, no_wrap=True, overflow="ellipsis")
        return 0 if outcome.ok and not world.failures else 1


def schedule_faults(plan: FaultPlan, service: str = "reporting") -> list[str]:
    """Add failures of `service` and the intake that cost no repeat, and say in words what they are."""
    busy = Answer(503, b"Service Unavailable", "text/html", {"Retry-After": "2"})
    faults = {
        "Microsoft is busy at the third request (503, Retry-After: 2 seconds)": Rule(
            busy, service, nth=3
        ),
        "Microsoft drops the connection at the sixth": Rule(Drop(), service, nth=6),
        "Microsoft answers the ninth with a sign-in page (HTML with status 200)": Rule(
            html_page(), service, nth=9
        ),
        "the intake drops the connection at the tenth batch": Rule(Drop(), "intake", nth=10),
    }
    for rule in faults.values():
        plan.add(rule)
    killed = f"the process is killed (SIGKILL) when it has sent {KILLED_AT:.0%}, and starts again"
    return [*faults, killed, f"... on a machine whose clock is {span(CLOCK_AHEAD)} ahead"]


def account(world: Sandbox, outcome: Outcome, service: str, width: int) -> Iterator[Table | Text]:
    """What happened in numbers, and a sample, on lines of so many letters."""
    report, counts, request_log = outcome.report, world.intake.counts, world.request_log
    asked = {"Entra ID": request_log.count("entra"), _NAMES[service]: request_log.count(service)}
    struck = sum(entry.fault is not None for entry in request_log.entries())
    kill = f"  (the batch in flight at the kill, {PAGE_SIZE} at most)" if report.repeated else ""
    yield Text()
    yield _table(
        {
            "Rows the API had": f"{report.rows:,}",
            "Events accepted": f"{report.events:,} in {counts.batches} batches",
            "Lost": f"{len(report.missing_last):,}",
            "Repeated": f"{len(report.repeated):,}{kill}",
            "Requests to Microsoft": f"{sum(asked.values())}  "
            + ", ".join(f"{name} {number}" for name, number in asked.items()),
            "Failures overcome": f"{struck}  and a kill, and a wrong clock",
            "Stopped": f"{outcome.exit.seconds:.2f} seconds after SIGTERM, "
            f"exit status {outcome.exit.status}",
        }
    )
    for event in world.intake.events[:1]:
        yield Text("\nAn event, as the intake received it, cut:")
        shown = event[: SAMPLE_LINES * width - 1] + "…"
        yield Text("\n".join(shown[n : n + width] for n in range(0, len(shown), width)), "dim")


def freshness(found: Freshness) -> Iterator[Table | Text]:
    """How soon a small tenant's rows arrive, in a day of simulated time."""
    mail = f"simulated, {found.rows_a_day:,} rows a day"
    yield Text(f"\nTime from Microsoft showing a row to its arrival ({mail}):")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("shown within", "half of them", "99 %"):
        table.add_column(name, header_style="bold")
    for bound in filter(found.seconds.__contains__, BANDS):
        half, most = (span(timedelta(seconds=found.percentile(bound, s))) for s in (0.5, 0.99))
        table.add_row(f"{span(bound)} of receipt", f"within {half}", f"within {most}")
    yield table


def verdict(outcome: Outcome) -> Text:
    """The last line."""
    if not outcome.ok:
        return Text(f"\nFAILED: {outcome.trouble or outcome.report}", "bold red")
    repeated = len(outcome.report.repeated)
    once = f"{repeated} events repeated by the kill" if repeated else "nothing repeated"
    return Text(f"\nNothing lost, {once}.", "bold green")


def _table(rows: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    for name, value in rows.items():
        table.add_row(f"  {name}", value)
    return table


def _options(trigger: str) -> SandboxOptions:
    """Mail that ended 12 minutes ago: all of it is visible and settled, late rows included."""
    end = SandboxOptions().now() - timedelta(minutes=12)
    return SandboxOptions(
        mail=MailFlowOptions(
            messages_per_minute=80,
            since=end - timedelta(hours=1),
            until=end,
            late_between=(timedelta(minutes=5), timedelta(minutes=11)),
            slow_fraction=0,
        ),
        reporting=ReportingOptions(page_size=PAGE_SIZE, basic_auth=trigger == "basic"),
        graph=GraphOptions(page_size=PAGE_SIZE),
    )


def _form(world: Sandbox, service: str) -> Form:
    """How the events look."""
    return GraphForm(world.graph.options) if service == "graph" else REPORTING


def _interval(world: Sandbox) -> tuple[datetime, datetime]:
    now = world.now()
    return now - timedelta(hours=START_TIME_HOURS), now


def _rows(world: Sandbox) -> int:
    start, end = _interval(world)
    return world.tenant.count(start, end, end)


def _collected(
    world: Sandbox, process: TriggerProcess, screen: Screen, rows: int, form: Form
) -> Outcome:
    """Run the process until all `rows` arrived, or too much time passed, and stop it; kill it on the way."""

    def arrived(share: float = 1.0) -> bool:
        events = world.intake.counts.events
        screen.progress(min(events, rows))
        return events >= rows * share and (share < 1 or _report(world, form).complete)

    trouble = None
    with screen:
        process.start()
        try:
            process.wait_until(lambda: arrived(KILLED_AT), DEADLINE_SECONDS)
            process.kill()
            screen.note(
                "Killed (SIGKILL). Started again, with a wrong clock.", style="bold magenta"
            )
            ahead = str(CLOCK_AHEAD.total_seconds())
            process.environment["SANDBOX_CLOCK_AHEAD"] = ahead
            process.start()
            process.wait_until(arrived, DEADLINE_SECONDS)
            process.wait_until_quiet(timeout=5.0)
        except TimeoutError:
            trouble = f"It was not done after {DEADLINE_SECONDS:.0f} seconds."
        except RuntimeError:
            trouble = "The module ended by itself; see its last lines above."
        ended = process.stop()
    return Outcome(_report(world, form), ended, trouble)


def _report(world: Sandbox, form: Form) -> Report:
    start, end = _interval(world)
    return world.check(start, end, end, form=form)
