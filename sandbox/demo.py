"""`python -m sandbox demo`: one run of the module, failures included, from start to stop."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from office365_message_trace.collect.freshness import BANDS
from office365_message_trace.model import span
from sandbox.comparison import Report
from sandbox.event_formats import REPORTING, Form, GraphForm
from sandbox.faults import Answer, Drop, FaultPlan, Rule, html_page
from sandbox.graph import GraphOptions
from sandbox.mailflow import MailFlowOptions
from sandbox.measures.freshness import measured
from sandbox.process import Exit, TriggerProcess
from sandbox.reporting import ReportingOptions
from sandbox.screen import Screen
from sandbox.world import Sandbox, SandboxOptions

DEADLINE_SECONDS = 45.0
START_TIME_HOURS = 2
PAGE_SIZE = 500
SAMPLES = 2
SMALL_TENANT = 1000

_NAMES = {"reporting": "Reporting Web Service", "graph": "Microsoft Graph"}


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `exit` is how the process ended; `trouble` why it did so too early."""

    report: Report
    exit: Exit
    trouble: str | None = None

    @property
    def ok(self) -> bool:
        """Every row arrived once, and the process did as it was told."""
        return self.report.ok and self.exit.status == 0 and self.trouble is None


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("demo", help="show the module at work, within a minute")
    parser.add_argument("--trigger", choices=("oauth", "basic", "graph"), default="oauth")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect an hour of mail and print the account; 1 if a row was lost or repeated."""
    service = "graph" if arguments.trigger == "graph" else "reporting"
    with (
        Sandbox(_options(arguments.trigger)) as world,
        tempfile.TemporaryDirectory(prefix="demo-") as folder,
        TriggerProcess(
            world, Path(folder), arguments.trigger, timedelta=0, start_time=START_TIME_HOURS
        ) as process,
    ):
        screen = Screen(sys.stdout, process.output_file)
        rows = _rows(world)
        screen.line(
            f"An hour of mail of an invented tenant: {rows:,} rows, {PAGE_SIZE} to a page.\n"
            f"{' '.join(process.command[1:])} collects it, as the platform would run it.\n"
            "On the way these failures wait for it:"
        )
        for description in schedule_faults(world.faults, service):
            screen.line(f"  - {description}")
        screen.line()
        try:
            outcome = _collected(world, process, screen, rows, _form(world, service))
        except KeyboardInterrupt:
            screen.line("Interrupted.")
            return 130
        for line in (*account(world, outcome, service), *freshness(service)):
            screen.line(line)
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
    return list(faults)


def account(world: Sandbox, outcome: Outcome, service: str = "reporting") -> list[str]:
    """The lines that end the demo: what happened in numbers, samples, the verdict."""
    report, counts, request_log = outcome.report, world.intake.counts, world.request_log
    answered = [e for e in request_log.entries(service) if e.status == 200 and e.fault is None]
    asked = {"Entra ID": request_log.count("entra"), _NAMES[service]: request_log.count(service)}
    struck = sum(entry.fault is not None for entry in request_log.entries())
    table = {
        "Rows the API had": f"{report.rows:,}",
        "Events accepted": f"{report.events:,} in {counts.batches} batches",
        "Lost": f"{len(report.missing_last):,}",
        "Repeated": f"{len(report.repeated):,}",
        "Requests to Microsoft": f"{sum(asked.values())}  "
        + ", ".join(f"{name} {number}" for name, number in asked.items()),
        "Pages": f"{len(answered)}",
        "Failures overcome": f"{struck}",
        "Stopped": f"{outcome.exit.seconds:.2f} seconds after SIGTERM, "
        f"exit status {outcome.exit.status}",
    }
    lines = ["", *(f"  {name:<22} {value}" for name, value in table.items()), ""]
    for event in world.intake.events[:SAMPLES]:
        lines.append("An event, as the intake received it (there it is one line):")
        lines += [*json.dumps(json.loads(event), indent=2, ensure_ascii=False).splitlines(), ""]
    if outcome.trouble:
        lines.append(outcome.trouble)
    lines.append("Nothing lost, nothing repeated." if outcome.ok else f"FAILED: {report}")
    return lines


def freshness(service: str) -> Iterator[str]:
    """The lines that tell how soon a small tenant's rows arrive, in a day of simulated time."""
    found = measured(service, SMALL_TENANT)
    yield ""
    yield (
        f"How fresh: a day of a tenant with {SMALL_TENANT:,} rows, in simulated time, "
        f"{found.figures.requests:,} requests."
    )
    yield "From when Microsoft shows a row until the intake has it:"
    for bound in filter(found.seconds.__contains__, BANDS):
        half, most = (span(timedelta(seconds=found.percentile(bound, s))) for s in (0.5, 0.99))
        yield f"  shown within {span(bound) + ' of receipt':<22} half of them within {half}, 99 % within {most}"


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
    """Run the process until all `rows` arrived, or too much time passed, and stop it."""

    def arrived() -> bool:
        events = world.intake.counts.events
        screen.progress(events, rows, "events accepted")
        return events >= rows

    trouble = None
    process.start()
    try:
        process.wait_until(arrived, DEADLINE_SECONDS)
        process.wait_until_quiet(timeout=5.0)
    except TimeoutError:
        trouble = f"It was not done after {DEADLINE_SECONDS:.0f} seconds."
    except RuntimeError:
        trouble = "The module ended by itself; see its last lines above."
    ended = process.stop()
    screen.progress(world.intake.counts.events, rows, "events accepted", last=True)
    start, end = _interval(world)
    return Outcome(world.check(start, end, end, form=form), ended, trouble)
