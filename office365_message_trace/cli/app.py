"""The commands with their options and help, and the handling of errors.

The user sees no stack trace and no error text of a library, which may hold a token, an address or a
subject.
"""

import json as json_module
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from dotenv import load_dotenv

from office365_message_trace.checks.findings import exit_status, failure, kind_of, summary
from office365_message_trace.cli import check, fleet, peek, questions, replay, run, status
from office365_message_trace.cli.configuration import (
    Ask,
    Setup,
    data_path,
    known_settings,
    load_setup,
)
from office365_message_trace.cli.console import (
    as_json,
    finding_line,
    line,
    messages,
    output,
    print_line,
    print_plain,
    replace_unknown_characters,
)
from office365_message_trace.cli.trigger_choice import (
    Trigger,
    chosen_trigger,
    stored_triggers,
)
from office365_message_trace.cli.window_reader import Period
from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import (
    ConfigurationMistakes,
    MessageTraceError,
    StorageFailed,
    origin,
)
from office365_message_trace.monitoring.error_reports import mute_libraries
from office365_message_trace.storage.location import storage_at
from office365_message_trace.time_arguments import parse_time

PROGRAM = "message-trace"
_MANIFEST = Path(__file__).parents[2] / "manifest.json"

app = typer.Typer(
    help="Look after the collection of a Microsoft 365 message trace, and ask Microsoft Graph about messages: "
    "**search**, **recipients**, **details**.\n\n"
    "The settings are those of the trigger (files in /symphony or environment variables), or those of a "
    "JSON file that --config names. Variables such as MESSAGE_TRACE_TENANT_ID, also of a file "
    "**.env** in this folder, replace single settings.",
    epilog="Exit status: 0 all is well, 1 warnings or nothing done, 2 failures or a wrong command, 130 "
    "interrupted, 141 the reader of the output has gone. **status** has its own: see its help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _time(text: str) -> str:
    """Check the form of a time; Microsoft tells which one it is."""
    try:
        parse_time(text, _clock().now())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _print_version(wanted: bool) -> None:
    if wanted:
        print_plain(f"{PROGRAM} {json_module.loads(_MANIFEST.read_text())['version']}\n")
        raise typer.Exit


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="MESSAGE_TRACE_CONFIG",
        metavar="FILE",
        help="JSON file with the trigger's settings; without it, those that the platform provides. "
        "Secrets that it leaves out are asked for.",
    ),
]
Which = Annotated[
    Trigger | None,
    typer.Option(
        "--trigger",
        envvar="MESSAGE_TRACE_TRIGGER",
        help="Which trigger, where the settings, the running trigger and the state do not tell.",
    ),
]
All = Annotated[
    Path | None,
    typer.Option(
        "--all",
        metavar="FOLDER",
        help="Many tenants at once: a folder with settings for each, such as contoso.json, whose state is in "
        "the folder contoso of the storage. --trigger is for those that do not tell.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="TIME",
        parser=_time,
        help="Start: 2h (ago), yesterday, 2026-11-23T14:30 (UTC).",
    ),
]
To = Annotated[
    str,
    typer.Option("--to", metavar="TIME", parser=_time, help="End, in the same forms."),
]


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    mute_libraries()
    replace_unknown_characters()
    try:
        _load_variables(Path(".env"))
        app(prog_name=PROGRAM)
    except ConfigurationMistakes as mistakes:
        for mistake in mistakes.mistakes:
            print_line(messages(), line("failure", "configuration", mistake))
    except MessageTraceError as problem:
        print_line(messages(), line("failure", "", str(problem)))
    except Exception as error:
        text = (
            "An unexpected fault ended the command. Report this to the maintainers of this module"
        )
        print_line(messages(), line("failure", "", f"{text}. [{origin(error)}]"))
    sys.exit(2)


def _load_variables(file: Path) -> None:
    """Add the variables of ``file``, if it is there, to those of the environment, which win. A value is taken
    as it is: a secret may hold ``${``."""
    try:
        load_dotenv(file, interpolate=False)
    except (OSError, ValueError):
        raise ConfigurationMistakes([f"{file} cannot be read as a file of variables."]) from None


@app.callback()
def common_options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Declare the options that belong to no command; the help is that of `app`."""


@app.command("check")
def check_command(
    config: Config = None,
    trigger: Which = None,
    every: All = None,
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

    Example: **check**

    Example: **check --config settings.json --trigger graph**

    Example: **check --all settings**
    """
    if every:
        if config or send_test_event:
            raise typer.BadParameter("--all takes neither --config nor --send-test-event")
        _show(fleet.check_all(every, trigger, data_path(), _clock), json)
    setup = None
    try:
        setup = _setup(config, trigger)
        findings = check.examine(setup, data_path(), _clock(), send_test_event)
    except ConfigurationMistakes as mistakes:
        findings = iter([failure("configuration", "mistake", each) for each in mistakes.mistakes])
    except StorageFailed as problem:
        findings = iter([failure("storage", kind_of(problem), str(problem))])
    found = []
    for finding in findings:
        found.append(finding)
        if not json:
            print_line(output(), finding_line(finding))
    if json:
        print_plain(as_json(check.report(setup, found)))
    else:
        print_line(output(), line("", "", summary(found)))
    raise typer.Exit(exit_status(found))


@app.command("status")
def status_command(
    config: Config = None,
    trigger: Which = None,
    every: All = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Add edges, re-reads, ledger, requests and all problems."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Tell in a line how fresh the forwarded mail is, what is owed and what is wrong.

    Reads only the trigger's state: makes no network requests and needs no secret.

    Exits as monitoring plugins do: with 0 if mail is forwarded in time, 1 if something is owed or wrong, or
    the trigger has just been started or stopped, 2 if mail is late or the state cannot be read, and 3 if
    the trigger has not run here.

    Example: **status**

    Example: **status --verbose --trigger graph**

    Example: **status --all settings**
    """
    if every:
        if config or verbose:
            raise typer.BadParameter("--all takes neither --config nor --verbose")
        _show(fleet.read_all(every, trigger, data_path(), _clock), json)
    values, policy = known_settings(config)
    storage = storage_at(data_path())
    if trigger is None:  # without any state, the verdict on each is the same
        trigger = chosen_trigger(values, storage) if stored_triggers(storage) else Trigger.GRAPH
    report = status.read_status(data_path(), trigger.model.state_folder, policy, _clock())
    if json:
        print_plain(as_json({"trigger": trigger.value, **report.as_dict()}))
    else:
        for text in report.lines(verbose):
            print_line(output(), text)
    raise typer.Exit(report.facts.verdict().health.status)


@app.command("peek")
def peek_command(  # noqa: PLR0913, PLR0917  # each is an option of the command
    start: From,
    end: To = "now",
    sender: Annotated[str, typer.Option(help="Only rows from such an address.")] = "",
    recipient: Annotated[str, typer.Option(help="Only rows to such an address.")] = "",
    subject: Annotated[str, typer.Option(help="Only rows with such a subject.")] = "",
    status: Annotated[str, typer.Option(help="Only rows of such a status.")] = "",
    message_id: Annotated[str, typer.Option(help="Only rows of such a message.")] = "",
    config: Config = None,
    trigger: Which = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Most rows to show; 0 shows all.")
    ] = 20,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")] = False,
) -> None:
    """Show what Microsoft has for a window of receive time, and which rows the trigger has forwarded.

    Needs no intake and sends nothing to it. The rows hold addresses and subjects; they are printed, but
    not stored. --sender and so on choose rows whose field contains the text, in any case.

    Exits with 0, or with 2 if the window cannot be read.

    Example: **peek --from 2h --sender @partner.example --status quarantined**

    Example: **peek --from 2026-11-23T14:00 --to 2026-11-23T14:30 --limit 0 --csv**
    """
    if json and csv:
        raise typer.BadParameter("choose one of --json and --csv")
    texts = {
        "sender": sender,
        "recipient": recipient,
        "subject": subject,
        "status": status,
        "message_id": message_id,
    }
    choice = peek.Choice(texts)
    setup = _setup(config, trigger, intake=False)
    period = Period(start, end)
    view = peek.read_view(setup, data_path(), period, choice, limit or None, _clock(), say)
    if json:
        print_plain(view.as_json())
    elif csv:
        print_plain(view.as_csv())
    else:
        view.show(output())


@app.command("run")
def run_command(
    config: Config = None,
    trigger: Which = None,
    to_screen: Annotated[
        bool,
        typer.Option(
            "--print",
            help="Print events instead of sending them to the intake, and keep no state.",
        ),
    ] = False,
) -> None:
    """Run a trigger without the platform, until Ctrl-C or SIGTERM.

    It is the process that the platform would start, with a stand-in for the platform's own API. The state
    is in MESSAGE_TRACE_STATE, else where the platform mounts it, else in a folder of yours; a run
    continues where the last one stopped.

    Exits with the status of the trigger: 0 after SIGTERM, 130 after Ctrl-C; 2 if a setting is missing.

    Example: **run --config settings.json --trigger graph**

    Example: **run --print | jq .subject**
    """
    setup = _setup(config, trigger, intake=not to_screen)
    state = data_path()
    for doubt in setup.doubts:
        say(doubt, "warning")
    target = (
        "the screen; nothing is kept" if to_screen else f"{setup.intake_server}; state in {state}"
    )
    say(f'Starting "{setup.trigger.title}", events go to {target}. Ctrl-C stops it.', "info")
    raise typer.Exit(run.run_trigger(setup, state, to_screen))


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

    Exits with 0, with 1 if you answer no, or with 2 if the window cannot be read or the intake refuses.

    Example: **replay --from 2026-11-23T14:00 --to 2026-11-23T15:00**
    """
    setup = _setup(config, trigger)
    work = replay.prepare(setup, data_path(), Period(start, end), _clock(), say)
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
    print_line(messages(), line(level, "", text))


def _show(tenants: fleet.Fleet, json: bool) -> NoReturn:
    """Print the results of many tenants, and exit with the status of the worst one."""
    if json:
        print_plain(tenants.as_json())
    else:
        tenants.show(output())
    raise typer.Exit(tenants.status)


def _setup(config: Path | None, trigger: Trigger | None, intake: bool = True) -> Setup:
    return load_setup(config, trigger, _secret_asker(), _clock().now(), intake)


def _secret_asker() -> Ask | None:
    return _ask if _interactive() else None


def _ask(name: str) -> str:
    return str(typer.prompt(f"{name} (not shown)", hide_input=True, err=True))


def _interactive() -> bool:
    return sys.stdin.isatty()


def _clock() -> SystemClock:
    return SystemClock.unstoppable()


questions.add_commands(app, _clock, _secret_asker, say)
