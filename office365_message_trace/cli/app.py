"""The commands with their options and help, and the handling of errors.

The user sees no stack trace and no error text of a library, which may hold a token, an address or a
subject.
"""

import sys
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from office365_message_trace.checks.findings import Level, exit_status, failure
from office365_message_trace.cli import check, peek, questions, replay, status
from office365_message_trace.cli.configuration import (
    Ask,
    Setup,
    Trigger,
    data_path,
    load_setup,
    stored_trigger,
)
from office365_message_trace.cli.console import (
    as_json,
    finding_line,
    line,
    messages,
    output,
    print_plain,
)
from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import ConfigurationMistakes, MessageTraceError, origin
from office365_message_trace.model import Window
from office365_message_trace.monitoring.error_reports import mute_libraries
from office365_message_trace.time_arguments import parse_time

PROGRAM = "python -m office365_message_trace"

app = typer.Typer(
    help="Look after a Microsoft 365 message trace trigger: [bold]check[/] what is wrong, "
    "[bold]status[/] how far it is, [bold]peek[/] at what Microsoft has, [bold]replay[/] a window. "
    "Ask Microsoft Graph about a message: [bold]search[/], [bold]recipients[/], [bold]details[/].\n\n"
    "The settings are those of the trigger (files in /symphony or environment variables), or a JSON "
    "file that --config names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="JSON file with the trigger's settings; without it, those that the platform provides. "
        "Secrets that it leaves out are asked for.",
    ),
]
Which = Annotated[
    Trigger | None,
    typer.Option("--trigger", help="Which trigger; guessed from the settings where they tell."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
From = Annotated[
    str,
    typer.Option("--from", metavar="TIME", help="Start: '2h ago', 'yesterday', 2026-11-23T14:30."),
]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="End, in the same forms.")]


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    mute_libraries()
    try:
        app(prog_name=PROGRAM)
    except ConfigurationMistakes as mistakes:
        for mistake in mistakes.mistakes:
            messages().print(line("failure", "configuration", mistake))
    except MessageTraceError as problem:
        messages().print(line("failure", "", str(problem)))
    except Exception as error:
        text = (
            "An unexpected fault ended the command. Report this to the maintainers of this module"
        )
        messages().print(line("failure", "", f"{text}. [{origin(error)}]"))
    sys.exit(2)


@app.command("check")
def check_command(
    config: Config = None,
    trigger: Which = None,
    json: Json = False,
    send_test_event: Annotated[
        bool,
        typer.Option(
            "--send-test-event",
            help="Send one event to the intake, whose subject says that it is a test. Without this, "
            "no event is sent.",
        ),
    ] = False,
) -> None:
    """Find out what is wrong: settings, network, clock, sign-in, permission, message trace, intake,
    storage.

    Each line is one finding: ok, warning or failure; a failure says who has to do what where.
    Makes fewer than ten requests and disturbs no trigger that runs.

    Exits with 0 if all is well, 1 with warnings, 2 with failures.

    Example: [bold]check --trigger oauth[/]

    Example: [bold]check --config settings.json --trigger oauth[/]
    """
    try:
        setup = _setup(config, trigger)
        findings = check.examine(setup, data_path(), _clock(), send_test_event)
    except ConfigurationMistakes as mistakes:
        findings = iter([failure("configuration", mistake) for mistake in mistakes.mistakes])
    found = []
    for finding in findings:
        found.append(finding)
        if not json:
            output().print(finding_line(finding))
    if json:
        print_plain(
            as_json(
                {
                    "status": exit_status(found),
                    "findings": [
                        {"level": each.level.value, "subject": each.subject, "text": each.text}
                        for each in found
                    ],
                }
            )
        )
    raise typer.Exit(exit_status(found))


@app.command("status")
def status_command(trigger: Which = None, json: Json = False) -> None:
    """Tell how far the trigger is: live edge, backlog, re-reads, gaps, ledger, requests, problems.

    Reads only the trigger's state: makes no network requests and needs no secret.

    Exits with 0, with 1 if fresh mail is late, or with 2 if the state cannot be read.

    Example: [bold]status --trigger oauth[/]
    """
    which = trigger or stored_trigger()
    report = status.read_status(data_path(), which.model.state_folder, _clock())
    if json:
        print_plain(as_json(report.as_dict()))
    else:
        for text in report.lines():
            output().print(text)
    raise typer.Exit(Level.WARNING.status if report.late else Level.OK.status)


@app.command("peek")
def peek_command(
    start: From,
    end: To = "now",
    config: Config = None,
    trigger: Which = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Most rows to show; 0 shows all.")
    ] = 20,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")] = False,
) -> None:
    """Show what Microsoft has for a window of receive time, and which rows the trigger has forwarded.

    Sends nothing to the intake. The rows hold addresses and subjects; they are printed, but not stored.

    Example: [bold]peek --trigger oauth --from '2h ago'[/]

    Example: [bold]peek --trigger oauth --from 2026-11-23T14:00 --to 2026-11-23T14:30 --limit 0 --csv[/]
    """
    if json and csv:
        raise typer.BadParameter("choose one of --json and --csv")
    clock = _clock()
    window = _window(start, end, clock.now())
    view = peek.read_view(_setup(config, trigger), data_path(), window, limit or None, clock, say)
    if json:
        print_plain(view.as_json())
    elif csv:
        print_plain(view.as_csv())
    else:
        view.show(output())


@app.command("replay")
def replay_command(
    start: From,
    end: To,
    config: Config = None,
    trigger: Which = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
) -> None:
    """Send a window of receive time to the intake again, whatever was sent before.

    Every row of the window arrives once more: use it after events were deleted or lost behind the
    intake. The trigger's ledger has one writer, the trigger, so this is not recorded there: rows that
    the trigger has not forwarded yet will be forwarded by it as well.

    Example: [bold]replay --trigger oauth --from 2026-11-23T14:00 --to 2026-11-23T15:00[/]
    """
    clock = _clock()
    window = _window(start, end, clock.now())
    work = replay.prepare(_setup(config, trigger), data_path(), window, clock, say)
    messages().print(work.preview())
    if not work.events:
        return
    if not yes and not _interactive():
        raise typer.BadParameter("there is nobody to confirm: add --yes")
    if not yes and not typer.confirm("Send them?", err=True):
        messages().print("Nothing was sent.")
        raise typer.Exit(1)
    output().print(work.send(messages()))


def say(text: str, level: str) -> None:
    """Show a log line of the collector's parts, separate from the results."""
    messages().print(line(level, "", text))


def _setup(config: Path | None, trigger: Trigger | None) -> Setup:
    return load_setup(config, trigger, _secret_asker(), _clock().now())


def _secret_asker() -> Ask | None:
    return _ask if _interactive() else None


def _ask(name: str) -> str:
    return str(typer.prompt(f"{name} (not shown)", hide_input=True, err=True))


def _interactive() -> bool:
    return sys.stdin.isatty()


def _window(start: str, end: str, now: datetime) -> Window:
    try:
        first, last = parse_time(start, now), min(parse_time(end, now), now)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if first >= last:
        raise typer.BadParameter("--from has to be before --to, and in the past")
    return Window(first, last)


def _clock() -> SystemClock:
    return SystemClock(Event(), lambda: None)


questions.add_commands(app, _clock, _secret_asker, say)
