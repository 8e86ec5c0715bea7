"""`python -m sandbox serve`: keep the sandbox running for a module started by hand."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sandbox.clock import Clock, wall_clock
from sandbox.mailflow import MailFlowOptions
from sandbox.ports import unclaimed_ports
from sandbox.process import ROOT
from sandbox.reporting import ReportingOptions
from sandbox.switches import SWITCHES
from sandbox.world import Sandbox, SandboxOptions

Trigger = Literal["graph", "oauth", "basic"]

LOOK_SECONDS = 1.0
"""Between two looks at whether something happened."""
LATEST = timedelta(hours=1)
WRONG_BY = timedelta(hours=3)

_COMMANDS = {
    "message-trace check": "find out whether everything is set up right",
    "message-trace peek --from 2h": "see the rows that Microsoft has",
    "message-trace run --print": "see events on the screen",
    "message-trace run": "forward them to the intake of the sandbox",
    "message-trace status": "in a third terminal: how far that is",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "serve",
        help="run a local Microsoft and Sekoia until stopped",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="faults:\n"
        + "\n".join(f"  {name:<15} {each.meaning}" for name, each in SWITCHES.items()),
    )
    add = parser.add_argument
    add(
        "--fault",
        action="append",
        choices=SWITCHES,
        default=[],
        metavar="NAME",
        help="what is wrong, see below; several with several options",
    )
    add("--rate", type=float, default=30.0, help="messages a minute (default: %(default)s)")
    add("--late", type=float, default=0.02, help="fraction of rows shown late")
    add("--seed", type=int, default=1, help="decides identities and mail")
    add("--history-hours", type=float, default=24.0, help="age of the oldest message, in hours")
    add("--recipients", type=float, default=1.6, help="recipients of a message, on average")
    add("--page-size", type=int, default=2000, help="rows of a page")
    add("--token-seconds", type=float, default=3599.0, help="lifetime of a token")
    add(
        "--trigger",
        choices=("graph", "oauth", "basic"),
        default="graph",
        help="the one that the settings are for; both services are there",
    )
    add("--secrets-by-node", action="store_true", help="serve secrets through GET /secrets only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 unless the sandbox itself failed."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(_options(arguments)) as world:
        for name in arguments.fault:
            SWITCHES[name].turn_on(world)
        file = world.ca_file.parent / "settings.sh"
        file.write_text("\n".join(shell_settings(world, arguments.trigger)) + "\n")
        print(*instructions(file, arguments.fault), sep="\n", flush=True)
        before = happened(world)
        while not stop.wait(LOOK_SECONDS):
            if (now := happened(world)) != before:
                before = now
                print(f"{wall_clock():%H:%M:%S} UTC  {now}", flush=True)
        return 1 if world.failures else 0


def shell_settings(world: Sandbox, trigger: Trigger) -> Iterator[str]:
    """The lines of a file for the shell, with which the command line needs no option."""
    given = world.environment(trigger)
    settings = json.loads(given.pop("TRIGGER_CONFIGURATION"))
    liveness, metrics = unclaimed_ports(2)
    variables = {
        **given,
        **{f"MESSAGE_TRACE_{name.upper()}": text for name, text in settings.items()},
        "MESSAGE_TRACE_TRIGGER": trigger,
        "MESSAGE_TRACE_INTAKE_SERVER": given["INTAKE_URL"],
        "MESSAGE_TRACE_STATE": str(world.ca_file.parent / "state"),
        "LIVENESS_PORT": str(liveness),
        "METRICS_PORT": str(metrics),
    }
    yield from (f"export {name}={shlex.quote(str(text))}" for name, text in variables.items())
    yield f'export PATH={shlex.quote(str(ROOT / ".venv" / "bin"))}:"$PATH"'


def instructions(file: Path, faults: list[str]) -> Iterator[str]:
    """The lines that say what to do now; ``file`` has the settings."""
    yield "A Microsoft 365 tenant and a Sekoia.io intake run on this machine, until Ctrl-C."
    yield from (f"Fault: {SWITCHES[name].meaning}." for name in faults)
    yield "In another terminal:"
    yield ""
    commands = {f". {file}": "the settings of this tenant", **_COMMANDS}
    width = max(map(len, commands))
    yield from (f"  {command:<{width}}  # {purpose}" for command, purpose in commands.items())
    yield ""


def happened(world: Sandbox) -> str:
    """What has happened so far, in one line of numbers."""
    entries = [each for each in world.request_log.entries() if each.method != "HEAD"]
    pages = sum(each.service in ("reporting", "graph") and each.status == 200 for each in entries)
    refused = sum(each.service != "playbook" and each.status != 200 for each in entries)
    counts = world.intake.counts
    return (
        f"tokens {world.entra.issued}, pages {pages}, refused {refused}, "
        f"batches {counts.batches}, events {counts.events:,}"
    )


def _options(arguments: argparse.Namespace) -> SandboxOptions:
    now: Clock = wall_clock
    if "wrong-clock" in arguments.fault:
        now = lambda: wall_clock() + WRONG_BY  # noqa: E731  # a clock
    mail = MailFlowOptions(
        messages_per_minute=arguments.rate,
        late_fraction=arguments.late,
        mean_recipients=arguments.recipients,
        since=now() - timedelta(hours=arguments.history_hours),
    )
    if "late" in arguments.fault:
        mail = replace(mail, late_fraction=0.5, late_between=(timedelta(minutes=1), LATEST))
    return SandboxOptions(
        seed=arguments.seed,
        mail=mail,
        reporting=ReportingOptions(page_size=arguments.page_size, basic_auth=True),
        token_lifetime=timedelta(seconds=arguments.token_seconds),
        secrets_by_node=arguments.secrets_by_node,
        now=now,
    )
