"""``search``, ``recipients`` and ``details`` print what Microsoft Graph has, and say what is missing."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from office365_message_trace.cli import console
from sandbox import Answer, MailFlowOptions, Rule, SandboxOptions, make_row
from tests.command_line.conftest import Desk, Said

ID = "00000000-0000-4000-8000-00000000beef"
MESSAGE: dict[str, Any] = {
    "SenderAddress": "eve@evil.example",
    "MessageId": "<phish@evil.example>",
    "MessageTraceId": ID,
    "Subject": '=HYPERLINK("x")',
}


@pytest.fixture
def options() -> SandboxOptions:
    return SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))


@pytest.fixture(autouse=True)
def phish(desk: Desk) -> None:
    """One message to two, an hour ago, and another one."""
    received = desk.world.now() - timedelta(hours=1)
    for name, status in (("ada", "Delivered"), ("bob", "Quarantined")):
        recipient = f"{name}@contoso.example"
        desk.world.tenant.add(
            make_row(received, RecipientAddress=recipient, Status=status, **MESSAGE)
        )
    desk.world.tenant.add(make_row(received))


def ask(desk: Desk, *arguments: str, **settings: object) -> Said:
    """A command without ``--trigger``, which these have not."""
    for name, value in desk.world.environment("graph", **settings).items():
        desk.patch.setenv(name, value)
    return desk.type(*arguments)


@pytest.mark.parametrize(
    "command",
    [
        ["search", "--sender", "@evil.example"],
        ["search", "--sender", "x@x.example", "--sender", "eve@evil.example", "--from", "2h ago"],
        ["recipients", "--message-id", "<phish@evil.example>"],
        ["recipients", "--trace-id", ID],
        ["recipients", "--sender", "@evil.example", "--subject", '=hyperlink("x")'],
    ],
    ids=" ".join,
)
def test_messages_are_shown_as_a_table_as_json_and_as_csv(desk: Desk, command: list[str]) -> None:
    table = ask(desk, *command)
    assert (table.status, table.err) == (0, "")
    head, first, second, summary = table.out.splitlines()
    assert head.split() == ["Received", "(UTC)", "Status", "From", "To", "Subject"]
    assert sorted(line.split()[2] for line in (first, second)) == ["delivered", "quarantined"]
    assert "1 delivered" in summary
    assert "made." in summary

    machine = ask(desk, *command, "--json")
    entries = machine.json.get("messages", machine.json.get("recipients"))
    assert {each["recipient"][:3] for each in entries} == {"ada", "bob"}
    assert machine.json["complete"] is True

    rows = list(csv.DictReader(StringIO(ask(desk, *command, "--csv").out)))
    assert {row["trace_id"] for row in rows} == {ID}
    assert {row["subject"] for row in rows} == {'\'=HYPERLINK("x")'}


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_terminal_obeys_no_subject(desk: Desk, form: str) -> None:
    subject = "\x9b31m\u202eevil ü"
    received = desk.world.now() - timedelta(minutes=59)  # another message than those of the fixture
    desk.world.tenant.add(make_row(received, Subject=subject))
    said = ask(desk, "search", form)
    assert "evil" in said.out
    assert not {"\x9b", "\u202e"} & set(said.out)
    if form == "--json":
        assert subject in {each["subject"] for each in said.json["messages"]}


def test_details_are_shown_as_a_table_as_json_and_as_csv(desk: Desk) -> None:
    command = ["details", "--trace-id", ID, "--recipient", "bob@contoso.example"]
    table = ask(desk, *command)
    assert table.status == 0
    assert [line.split()[1] for line in table.out.splitlines()[1:4]] == [
        "Receive",
        "Submit",
        "Quarantine",
    ]
    assert table.out.splitlines()[-1] == "3 events; 1 request made."
    assert len(ask(desk, *command, "--json").json["events"]) == 3
    assert ask(desk, *command, "--csv").out.startswith("date,event,action,description,data\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit_the_terminal_with_the_whole_time(desk: Desk, width: int) -> None:
    received = desk.world.now().replace(microsecond=0) - timedelta(minutes=5)
    desk.world.tenant.add(
        make_row(
            received,
            SenderAddress="somebody.with.a.long.name@evil.example",
            RecipientAddress="another.body.with.a.name@contoso.example",
            Subject="A subject that is longer than any terminal is wide" * 4,
            Status="FilteredAsSpam",
        )
    )
    desk.patch.setattr(console, "_WIDTH_OF_FILES", width)
    lines = ask(desk, "search", "--sender", "@evil.example").out.splitlines()[:-1]
    assert max(map(len, lines)) <= width
    assert lines[1].startswith(f"{received:%Y-%m-%d %H:%M:%S} filteredAsSpam somebody.")
    assert lines[1].rstrip().endswith("…"), "what does not fit ends in an ellipsis"
    assert lines[1].count("…") == 3


def test_a_narrow_table_of_recipients_shows_them_whole_and_spares_the_sender(desk: Desk) -> None:
    for width in (80, 120):
        desk.patch.setattr(console, "_WIDTH_OF_FILES", width)
        said = ask(desk, "recipients", "--trace-id", ID)
        assert "bob@contoso.example " in said.out
        assert ("eve@evil.example" in said.out) is (width > 80)


def test_a_long_description_of_an_event_continues_on_the_next_line(desk: Desk) -> None:
    desk.patch.setattr(console, "_WIDTH_OF_FILES", 60)
    said = ask(desk, "details", "--trace-id", ID, "--recipient", "bob@contoso.example")
    assert "Message received by:" in " ".join(said.out.split())
    assert "…" not in said.out
    assert max(map(len, said.out.splitlines())) <= 60


def test_details_of_a_message_that_did_not_go_to_the_recipient_say_so(desk: Desk) -> None:
    said = ask(desk, "details", "--trace-id", ID, "--recipient", "nobody@contoso.example")
    assert said.out.startswith("0 events: Microsoft knows no such message for this recipient; ")


@pytest.mark.parametrize("command", ["search", "recipients", "details"])
def test_the_help_shows_its_examples_without_markup(desk: Desk, command: str) -> None:
    said = desk.type(command, "--help")
    assert f"Example: {command} --" in said.out
    assert "[bold]" not in said.out
    assert "**" not in said.out


def test_an_incomplete_answer_is_a_warning(desk: Desk) -> None:
    said = ask(desk, "search", "--limit", "1")
    assert said.status == 1
    (warning,) = said.lines("warning")
    assert re.match(r"Not read: [-\d]{10} [:\d]{8} to [-\d]{10} [:\d]{8} UTC\. ", warning)
    assert "limit of 1;" in warning
    desk.world.faults.add(Rule(Answer(429, headers={"Retry-After": "60"}), "graph", times=None))
    said = ask(
        desk,
        "details",
        *("--trace-id", ID, "--recipient", "a@b", "--time-limit", "10"),
    )
    assert said.status == 1
    assert said.lines("warning")[0].startswith("Not complete. The next request has to wait")


def test_mistakes_are_told_all_at_once_by_the_names_of_options(desk: Desk) -> None:
    said = ask(desk, "recipients", "--from", "soon", "--trace-id", "x", "--subject-match", "like")
    assert said.status == 2
    for option in ("--from is not a time", "--trace-id is no message", "--subject-match is not"):
        assert option in said.err
    assert desk.requests == 0


def test_settings_may_be_in_a_file_or_in_the_configuration_of_the_module(desk: Desk) -> None:
    who = desk.world.identity
    values = {name: getattr(who, name) for name in ("tenant_id", "client_id", "client_secret")}
    file = desk.data / "settings.json"
    file.write_text(json.dumps(values))
    environment = desk.world.environment("graph")
    del environment["TRIGGER_CONFIGURATION"]
    for name, value in environment.items():
        desk.patch.setenv(name, value)
    assert desk.type("search", "--config", str(file)).status == 0
    desk.patch.setenv("MODULE_CONFIGURATION", json.dumps(values))
    assert desk.type("search").status == 0
    desk.patch.setenv("MODULE_CONFIGURATION", "{}")
    said = desk.type("search")
    assert said.status == 2
    assert "tenant_id is missing" in said.err


def test_a_triggers_own_credentials_go_before_those_of_the_module(desk: Desk) -> None:
    other = json.dumps({"tenant_id": "other.example", "client_certificate": "wrong"})
    for name, value in desk.world.environment("graph").items():
        desk.patch.setenv(name, value)
    desk.patch.setenv("MODULE_CONFIGURATION", other)
    assert desk.type("search").status == 0


def test_the_requests_of_a_running_trigger_count_and_its_record_stays(desk: Desk) -> None:
    folder = desk.data / "message_trace_graph"
    folder.mkdir()
    now = int(desk.world.now().timestamp() * 1000)
    record = json.dumps({"limit": 90, "attempts": [[now, False]] * 90 + [[now, False]] * 10})
    (folder / "quota.json").write_text(record)
    said = ask(desk, "search", "--time-limit", "10")
    assert said.status == 1
    assert desk.world.request_log.count("graph") == 0
    assert (folder / "quota.json").read_text() == record
    assert not (desk.data / "message_trace_actions").exists()


@pytest.mark.parametrize("service", ["entra", "graph"])
def test_no_secret_and_no_stack_trace_is_printed(desk: Desk, service: str) -> None:
    secret = desk.world.identity.client_secret
    said = json.dumps({"error": {"code": secret, "message": secret}, "error_description": secret})
    desk.world.faults.add(Rule(Answer(403, said.encode()), service, times=None))
    for command in (["search"], ["details", "--trace-id", ID, "--recipient", "a@b"]):
        told = ask(desk, *command)
        assert told.status > 0
        assert secret not in told.out + told.err
        assert "Traceback" not in told.err


def test_json_and_csv_exclude_each_other(desk: Desk) -> None:
    assert ask(desk, "search", "--json", "--csv").status == 2


def test_a_trigger_s_own_credential_wins_whole_over_the_module_s(desk: Desk) -> None:
    """The module has another kind of credential, which would be one too many."""
    configuration = json.dumps({"client_certificate": "of the module"})
    for name, value in desk.world.environment("graph").items():
        desk.patch.setenv(name, value)
    desk.patch.setenv("MODULE_CONFIGURATION", configuration)
    assert desk.type("search", "--sender", "eve@evil.example").status == 0
