"""The commands ``search``, ``recipients`` and ``details``: the playbook's actions for a person."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from office365_message_trace.actions.answer import answer
from office365_message_trace.actions.arguments import (
    Arguments,
    DetailsArguments,
    RecipientsArguments,
    SearchArguments,
)
from office365_message_trace.actions.results import Result
from office365_message_trace.cli import results
from office365_message_trace.cli.application_settings import load_application
from office365_message_trace.cli.configuration import Ask, data_path
from office365_message_trace.clock import Clock
from office365_message_trace.errors import ImpossibleArguments
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.model import Log
from office365_message_trace.wiring import graph_access

_OPTIONS = {"start": "--from", "end": "--to"}  # where it has another name than the argument

Several = list[str] | None
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="JSON file with tenant_id, client_id and a credential; without it, the trigger's or the "
        "module's that the platform provides. A secret that is left out is asked for.",
    ),
]
Sender = Annotated[
    Several, typer.Option("--sender", help="Address, or domain such as @contoso.com.")
]
Recipient = Annotated[Several, typer.Option("--recipient", help="Address.")]
Subject = Annotated[Several, typer.Option("--subject", help="Subject, or a part of it.")]
Match = Annotated[
    str | None,
    typer.Option("--subject-match", help="contains, starts, ends or equals."),
]
MessageId = Annotated[Several, typer.Option("--message-id", help="Message-ID.")]
TraceId = Annotated[Several, typer.Option("--trace-id", help="Message trace ID.")]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Start: '2h ago', 'yesterday', 2026-11-23T14:30."),
]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End, in the same forms.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Most messages to show.")]
TimeLimit = Annotated[int | None, typer.Option("--time-limit", help="Most seconds to take.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]


def add_commands(
    app: typer.Typer, clock: Callable[[], Clock], ask: Callable[[], Ask | None], log: Log
) -> None:
    """Add the commands to ``app``."""

    def run(
        model: type[Arguments], config: Path | None, json: bool, csv: bool, **values: Any
    ) -> None:
        """Answer the question in ``values``, print the result, and exit with its status."""
        if json and csv:
            raise typer.BadParameter("choose one of --json and --csv")
        try:
            result = answered(model.of(values), config)
        except ImpossibleArguments as found:
            raise ImpossibleArguments(
                [_in_options(model, each) for each in found.mistakes]
            ) from None
        raise typer.Exit(results.show(result, json, csv))

    def answered(arguments: Arguments, config: Path | None) -> Result:
        machine = clock()
        application, doubts = load_application(config, ask(), machine.now())
        for doubt in doubts:
            log(doubt, "warning")
        microsoft = MicrosoftClock(machine, log)
        access = graph_access(
            application,
            Endpoints.of("global"),
            data_path(),
            microsoft,
            log,
            arguments.time_limit,
            read_only=True,
        )
        return answer(arguments, access, microsoft)

    @app.command("search")
    def search_command(  # noqa: PLR0913, PLR0917  # each is an option
        sender: Sender = None,
        recipient: Recipient = None,
        subject: Subject = None,
        subject_match: Match = None,
        message_id: MessageId = None,
        trace_id: TraceId = None,
        status: Annotated[Several, typer.Option("--status", help="Status, such as failed.")] = None,
        from_ip: Annotated[Several, typer.Option("--from-ip", help="IP address.")] = None,
        to_ip: Annotated[Several, typer.Option("--to-ip", help="IP address.")] = None,
        start: Start = None,
        end: End = None,
        limit: Limit = None,
        time_limit: TimeLimit = None,
        config: Config = None,
        json: Json = False,
        csv: Csv = False,
    ) -> None:
        """Search the message trace of Microsoft Graph: messages that meet all conditions, newest first.

        Searches the last 48 hours unless told otherwise. An option that is repeated accepts any of its
        values, at a request each.

        Exits with 0, with 1 if the result is not complete, or with 2 if there is none.

        Example: **search --sender @contoso.com --from '30 days ago'**

        Example: **search --subject invoice --status quarantined --csv**
        """
        run(
            SearchArguments,
            config,
            json,
            csv,
            sender=sender,
            recipient=recipient,
            subject=subject,
            subject_match=subject_match,
            message_id=message_id,
            trace_id=trace_id,
            status=status,
            from_ip=from_ip,
            to_ip=to_ip,
            start=start,
            end=end,
            limit=limit,
            time_limit=time_limit,
        )

    @app.command("recipients")
    def recipients_command(  # noqa: PLR0913, PLR0917  # each is an option
        message_id: MessageId = None,
        trace_id: TraceId = None,
        sender: Annotated[
            str | None, typer.Option("--sender", help="Address, or domain such as @contoso.com.")
        ] = None,
        subject: Annotated[str | None, typer.Option("--subject", help="Subject.")] = None,
        subject_match: Match = None,
        start: Start = None,
        end: End = None,
        time_limit: TimeLimit = None,
        config: Config = None,
        json: Json = False,
        csv: Csv = False,
    ) -> None:
        """Find all recipients of a message, with the status for each of them.

        Searches the last ten days unless told otherwise.

        Exits with 0, with 1 if the result is not complete, or with 2 if there is none.

        Example: **recipients --message-id '<1234@mail.example>'**
        """
        run(
            RecipientsArguments,
            config,
            json,
            csv,
            message_id=message_id,
            trace_id=trace_id,
            sender=sender,
            subject=subject,
            subject_match=subject_match,
            start=start,
            end=end,
            time_limit=time_limit,
        )

    @app.command("details")
    def details_command(
        trace_id: Annotated[
            str | None, typer.Option("--trace-id", help="Message trace ID.")
        ] = None,
        recipient: Annotated[str | None, typer.Option("--recipient", help="Address.")] = None,
        time_limit: TimeLimit = None,
        config: Config = None,
        json: Json = False,
        csv: Csv = False,
    ) -> None:
        """Show what happened to a message on its way to one recipient.

        Exits with 0, with 1 if the result is not complete, or with 2 if there is none.

        Example: **details --trace-id 4451a062-48cb-e80d-e8c0-196330437ae6 --recipient ada@contoso.com**
        """
        run(
            DetailsArguments,
            config,
            json,
            csv,
            trace_id=trace_id,
            recipient=recipient,
            time_limit=time_limit,
        )


def _in_options(model: type[Arguments], mistake: str) -> str:
    """``mistake`` with the names of options for those of arguments."""
    for name in sorted(model.model_fields, key=len, reverse=True):
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        mistake = re.sub(rf"(?<![-\w]){name}\b", option, mistake)
    return mistake
