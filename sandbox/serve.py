"""`python -m sandbox serve`: keep the sandbox running for a module started by hand."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import timedelta
from math import ceil

from sandbox.mailflow import MailFlowOptions
from sandbox.reporting import ReportingOptions
from sandbox.world import Sandbox, SandboxOptions

REPORT_SECONDS = 10.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("serve", help="run a local Microsoft and Sekoia until stopped")
    add = parser.add_argument
    add("--rate", type=float, default=30.0, help="messages a minute (default: %(default)s)")
    add("--late", type=float, default=0.02, help="fraction of rows shown late")
    add("--seed", type=int, default=1, help="decides identities and mail")
    add("--history-hours", type=float, default=24.0, help="age of the oldest message, in hours")
    add("--recipients", type=float, default=1.6, help="recipients of a message, on average")
    add("--page-size", type=int, default=2000, help="rows of a page")
    add("--token-seconds", type=float, default=3599.0, help="lifetime of a token")
    add("--trigger", choices=("oauth", "basic"), default="oauth")
    add("--secrets-by-node", action="store_true", help="serve secrets through GET /secrets only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 unless the sandbox itself failed."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(_options(arguments)) as world:
        environment = world.environment(arguments.trigger, start_time=ceil(arguments.history_hours))
        for name, value in environment.items():
            print(f"export {name}={quoted(value)}")
        print(f"python main.py message_trace_{arguments.trigger}", flush=True)
        while not stop.wait(REPORT_SECONDS):
            print(status_line(world), file=sys.stderr, flush=True)
        return 1 if world.failures else 0


def quoted(value: str) -> str:
    """The value in single quotes, as a POSIX shell reads it."""
    return "'" + value.replace("'", "'\\''") + "'"


def status_line(world: Sandbox) -> str:
    """What has happened so far, in one line of numbers."""
    count, counts = world.request_log.count, world.intake.counts
    refused = sum(count("reporting", status) for status in (400, 401, 403, 404, 500))
    return (
        f"{world.now():%H:%M:%S} tokens {world.entra.issued}, pages {count('reporting', 200)}, "
        f"refused {refused}, batches {counts.batches}, events {counts.events}, "
        f"log lines {len(world.playbook.logs)}"
    )


def _options(arguments: argparse.Namespace) -> SandboxOptions:
    defaults = SandboxOptions()
    return SandboxOptions(
        seed=arguments.seed,
        mail=MailFlowOptions(
            messages_per_minute=arguments.rate,
            late_fraction=arguments.late,
            mean_recipients=arguments.recipients,
            since=defaults.now() - timedelta(hours=arguments.history_hours),
        ),
        reporting=ReportingOptions(
            page_size=arguments.page_size, basic_auth=arguments.trigger == "basic"
        ),
        token_lifetime=timedelta(seconds=arguments.token_seconds),
        secrets_by_node=arguments.secrets_by_node,
    )
