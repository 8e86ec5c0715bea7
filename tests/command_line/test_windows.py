"""``peek`` and ``replay``: windows that a person asks for."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from office365_message_trace.cli import console, replay
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS, EventFormat
from sandbox import Answer, MailFlowOptions, Rule, SandboxOptions, make_row
from sandbox.clock import wall_clock
from sandbox.process import TriggerProcess
from tests.command_line.conftest import Desk


@pytest.fixture
def options() -> SandboxOptions:
    return SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))


def delivered(
    desk: Desk, minutes: float, subject: str = "Hello", status: str = "Delivered"
) -> None:
    """Add a row that was received so many minutes ago."""
    received = wall_clock() - timedelta(minutes=minutes)
    desk.world.tenant.add(make_row(received, Subject=subject, Status=status))


def test_peek_shows_rows_and_counts_by_status_and_sends_nothing(desk: Desk) -> None:
    delivered(desk, 10, "Quarterly figures")
    delivered(desk, 20, "Invoice", "Quarantined")
    delivered(desk, 90, "Too old")
    said = desk.run("peek", "--from", "1h ago")
    assert said.status == 0
    assert "Quarterly figures" in said.out
    assert "Invoice" in said.out
    assert "Too old" not in said.out
    assert "2 rows received" in said.out
    assert "1 Delivered, 1 Quarantined" in said.out
    assert "0 forwarded by the trigger, 2 not (yet); 1 request made." in said.out
    assert desk.world.intake.counts.requests == 0


def test_peek_needs_no_intake(desk: Desk) -> None:
    delivered(desk, 10)
    settings: dict[str, Any] = {"intake_key": None, "intake_server": None}
    said = desk.run("peek", "--from", "1h", variables={"INTAKE_URL": ""}, **settings)
    assert said.status == 0
    assert "1 row received" in said.out


def test_a_millisecond_that_cannot_be_read_does_not_hide_other_rows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReportingClient, "page_size", 20)
    options = desk.world.reporting.options
    options.page_size, options.truncate = 20, True
    desk.world.faults.add(Rule(Answer(400, b"{}"), "reporting", path="skiptoken", times=None))
    received = wall_clock() - timedelta(minutes=20)
    for n in range(25):
        desk.world.tenant.add(make_row(received, RecipientAddress=f"r{n}@contoso.example"))
    delivered(desk, 10, "Beside it")
    delivered(desk, 30, "Before it")
    said = desk.run("peek", "--from", "1h", "--limit", "100")
    assert said.status == 0
    assert "Before it" in said.out
    assert "22 rows received" in said.out, "a page of the millisecond, and the others"
    assert "Rows may be missing at " in said.err


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--sender", "@PARTNER.example"], "ab"),
        (["--recipient", "ken@"], "b"),
        (["--subject", "fig"], "a"),
        (["--status", "quarantined"], "b"),
        (["--message-id", "<b@x>"], "b"),
        (["--sender", "partner", "--status", "Deliv"], "a"),
        (["--sender", "nobody"], ""),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("trigger", ["oauth", "graph"])
def test_rows_are_chosen_by_what_their_fields_contain(
    desk: Desk, trigger: Literal["oauth", "graph"], arguments: list[str], found: str
) -> None:
    rows = {
        "a": {"SenderAddress": "eve@partner.example", "Subject": "Figures"},
        "b": {
            "SenderAddress": "bob@partner.example",
            "RecipientAddress": "ken@contoso.example",
            "Status": "Quarantined",
        },
        "c": {"SenderAddress": "eve@mail.example"},
    }
    for minutes, (name, fields) in enumerate(rows.items(), 10):
        received = wall_clock() - timedelta(minutes=minutes)
        defaults: dict[str, Any] = {"Subject": "Hello", "Status": "Delivered"}
        row = {"MessageId": f"<{name}@x>", **defaults, **fields}
        desk.world.tenant.add(make_row(received, **row))
    said = desk.run("peek", "--from", "1h", "--json", *arguments, trigger=trigger)
    shown = [{k.lower(): v for k, v in each["row"].items()} for each in said.json["shown"]]
    assert {each["messageid"][1] for each in shown} == set(found)
    assert said.json["rows"] == len(found)
    counted = desk.run("peek", "--from", "1h", *arguments, trigger=trigger).out
    assert f"{len(found)} row{'' if len(found) == 1 else 's'} of 3 received" in counted


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_spares_address_and_size_where_it_is_narrow(
    desk: Desk, width: int
) -> None:
    received = wall_clock() - timedelta(minutes=10)
    row = make_row(
        received,
        SenderAddress="somebody.with.a.long.name@partner.example",
        RecipientAddress="another.body.with.a.name@contoso.example",
        Subject="A subject that is longer than any terminal is wide" * 4,
        FromIP="2001:db8:85a3:8d3:1319:8a2e:370:7348",
        Size=1_234_567,
        Status="FilteredAsSpam",
    )
    desk.world.tenant.add(row)
    desk.patch.setattr(console, "_WIDTH_OF_FILES", width)
    said = desk.run("peek", "--from", "1h")
    header, line = said.out.splitlines()[:2]
    assert len(line) <= width
    assert header.split()[-1] == "Subject"
    assert ("1MB A subject" in line) is (width > 80)
    assert ("2001:db8:85a3:…" in line) is (width > 80)
    assert "FilteredAsSpam somebody.with." in line
    assert line.count("…") == 3 + (width > 80), "what does not fit ends in an ellipsis"


def test_csv_and_json_hold_every_field(desk: Desk) -> None:
    delivered(desk, 10)
    (row,) = desk.run("peek", "--from", "1h", "--json").json["shown"]
    (line,) = csv.DictReader(io.StringIO(desk.run("peek", "--from", "1h", "--csv").out))
    assert set(row["row"]) <= set(line)


def test_peek_of_an_empty_window_says_so(desk: Desk) -> None:
    assert "0 rows received" in desk.run("peek", "--from", "1h ago").out


@pytest.mark.parametrize("trigger", ["oauth", "graph"])
def test_peek_as_csv_has_the_same_columns_for_both_services(
    desk: Desk, trigger: Literal["oauth", "graph"]
) -> None:
    delivered(desk, 10, "Hello, world")
    said = desk.run("peek", "--from", "1h ago", "--csv", trigger=trigger)
    (line,) = csv.DictReader(io.StringIO(said.out))
    assert line["Subject"] == "Hello, world"
    assert line["Status"].lower() == "delivered"
    assert line["Forwarded"] == "no"
    assert "@" in line["SenderAddress"]
    assert "@" in line["RecipientAddress"]
    assert line["MessageTraceId"].count("-") == 4
    assert line["Size"].isdecimal()
    assert {"Organization", "MessageId", "FromIP", "ToIP"} <= set(line)
    assert datetime.fromisoformat(line["Received (UTC)"]) < wall_clock().replace(tzinfo=None)


def test_a_spreadsheet_runs_no_subject_as_a_formula(desk: Desk) -> None:
    delivered(desk, 10, '=HYPERLINK("https://evil.example")')
    said = desk.run("peek", "--from", "1h ago", "--csv")
    (line,) = csv.DictReader(io.StringIO(said.out))
    assert line["Subject"].startswith("'=HYPERLINK")


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "Hello;=1+1",
    "Hello; =1+1",
    'Hello;"=1+1"',
    "a;b;-1",
    "\uff1d1+1",
    ' "=1+1"',
]


@pytest.mark.parametrize("separator", [",", ";"])
def test_no_cell_begins_a_formula_whichever_separator_a_spreadsheet_takes(
    desk: Desk, separator: str
) -> None:
    for minutes, subject in enumerate(FORMULAS, 10):
        delivered(desk, minutes, subject)
    said = desk.run("peek", "--from", "1h ago", "--csv", "--limit", "0")
    cells = [
        cell for line in csv.reader(io.StringIO(said.out), delimiter=separator) for cell in line
    ]
    cells += [part for line in said.out.splitlines() for part in line.split(separator)]
    assert len(cells) > 2 * len(FORMULAS)
    assert [
        cell for cell in cells if cell.lstrip('" ').startswith(("=", "+", "-", "@", "\uff1d"))
    ] == []


def test_what_is_no_formula_is_not_touched(desk: Desk) -> None:
    delivered(desk, 10, "1 = 2 - 1; so what, e-mail me: a@b")
    said = desk.run("peek", "--from", "1h ago", "--csv")
    (line,) = csv.DictReader(io.StringIO(said.out))
    assert line["Subject"] == "1 = 2 - 1; so what, e-mail me: a@b"


def test_a_terminal_obeys_no_subject(desk: Desk) -> None:
    delivered(desk, 10, "before\x1b[2Jafter [red]not markup[/red] \ud83d")
    said = desk.run("peek", "--from", "1h ago")
    assert "\x1b" not in said.out
    assert "before\N{REPLACEMENT CHARACTER}[2Jafter [red]not markup[/red]" in said.out


def test_peek_as_json_holds_the_rows_as_microsoft_sent_them(desk: Desk) -> None:
    delivered(desk, 10, "half \ud83d")
    said = desk.run("peek", "--from", "1h ago", "--json")
    assert said.out.endswith("}\n")
    told = said.json
    assert told["shown"][0]["row"]["Subject"] == "half \ud83d"
    assert told["statuses"] == {"Delivered": 1}
    assert (told["rows"], told["forwarded"], told["requests"]) == (1, 0, 1)


@pytest.mark.parametrize("how", [[], ["--json"], ["--csv"]], ids=["table", "json", "csv"])
def test_peek_shows_values_as_deep_as_they_are_forwarded(desk: Desk, how: list[str]) -> None:
    deep = b"[" * 1010 + b"]" * 1010
    page = b'{"value":[{"id":"1","receivedDateTime":"2026-06-15T12:00:00Z","status":%s,"x":%s}]}'
    desk.world.faults.add(Rule(Answer(200, page % (deep, deep)), "graph"))
    said = desk.run("peek", "--from", "1h ago", *how, trigger="graph")
    assert said.status == 0
    assert said.out.count("[" * 50) >= 1 or said.json["shown"][0]["row"].keys() >= {"status", "x"}


def test_a_limit_keeps_the_table_short_and_the_counts_whole(desk: Desk) -> None:
    for minutes in range(1, 31):
        delivered(desk, minutes)
    assert len(desk.run("peek", "--from", "1h ago", "--json").json["shown"]) == 20
    said = desk.run("peek", "--from", "1h ago", "--limit", "3")
    assert "30 rows received" in said.out
    assert ", 3 shown: 30 Delivered" in said.out
    everything = desk.run("peek", "--from", "1h ago", "--limit", "0", "--json")
    assert len(everything.json["shown"]) == 30


def test_peek_tells_which_rows_the_trigger_has_forwarded_and_touches_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    delivered(desk, 30, "forwarded before")
    with TriggerProcess(desk.world, tmp_path / "process", start_time=2, timedelta=0) as process:
        process.start()
        process.wait_until(lambda: desk.world.intake.counts.events)
        process.wait_until_quiet()
        process.stop()
    desk.data = process.data
    delivered(desk, 5, "not forwarded")
    before = {file: file.read_bytes() for file in desk.data.rglob("*") if file.is_file()}
    told = desk.run("peek", "--from", "1h ago", "--json").json
    forwarded = {each["row"]["Subject"]: each["forwarded"] for each in told["shown"]}
    assert forwarded == {"forwarded before": True, "not forwarded": False}
    assert {file: file.read_bytes() for file in desk.data.rglob("*") if file.is_file()} == before


def test_a_window_that_the_service_gives_in_parts_only_is_read_in_parts_each_row_once(
    desk: Desk,
) -> None:
    for minutes in range(1, 31):
        delivered(desk, minutes)
    desk.world.reporting.options.refuse_above_rows = 10
    told = desk.run("peek", "--from", "1h ago", "--json").json
    assert told["rows"] == 30
    assert told["requests"] > 3


def test_a_window_beyond_the_history_is_refused_with_a_hint(desk: Desk) -> None:
    said = desk.run("peek", "--from", "20 days ago", "--to", "19 days ago")
    assert said.status == 2
    assert "keeps rows for 10 days only; choose a later --from" in said.err


def test_a_refusal_is_one_line_without_a_trace(desk: Desk) -> None:
    desk.world.app.directory_roles.clear()
    said = desk.run("peek", "--from", "1h ago")
    assert said.status == 2
    assert said.err.startswith("failure Microsoft 365 refuses the report")
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--from", "soon"], "Invalid value for '--from': 'soon' is not a time"),
        (["--from", "1h", "--to", "late"], "Invalid value for '--to': 'late' is not a time"),
        (["--from", "1h ago", "--to", "2h ago"], "--from is not before --to, or not in the past"),
        (["--from", "2100-01-01"], "--from is not before --to, or not in the past"),
        (["--from", "1h ago", "--json", "--csv"], "choose one of --json and --csv"),
    ],
)
def test_what_cannot_be_meant_is_answered_with_what_can(
    desk: Desk, arguments: list[str], text: str
) -> None:
    said = desk.run("peek", *arguments)
    assert said.status == 2
    assert text in " ".join(said.err.replace("│", " ").split())
    assert desk.world.request_log.count("reporting") == 0


def test_replay_sends_a_window_again_and_records_nothing(desk: Desk) -> None:
    for minutes in (10, 20, 30):
        delivered(desk, minutes)
    said = desk.run("replay", "--from", "1h ago", "--to", "15m ago", "--yes", chunk_size=1)
    assert said.status == 0
    assert "2 rows received" in said.err
    assert "in 2 batches; 1 request made so far" in said.err
    assert "a replay is not recorded in its ledger" in " ".join(said.err.split())
    assert "2 of 2 events accepted." in said.out
    assert desk.world.intake.counts.events == 2
    assert list(desk.data.rglob("*")) == []


def test_replay_sends_the_events_that_the_trigger_sends(desk: Desk) -> None:
    delivered(desk, 10, "as it is")
    desk.run("replay", "--from", "1h ago", "--to", "now", "--yes", trigger="oauth")
    desk.run(
        "replay", "--from", "1h ago", "--to", "now", "--yes", trigger="graph", event_format="graph"
    )
    reporting, graph = map(json.loads, desk.world.intake.events)
    assert reporting["Subject"] == graph["subject"] == "as it is"


def test_replay_of_nothing_asks_and_sends_nothing(desk: Desk) -> None:
    said = desk.run("replay", "--from", "1h ago", "--to", "now")
    assert said.status == 0
    assert "0 rows received" in said.err
    assert desk.world.intake.counts.requests == 0


def test_replay_sends_nothing_where_nobody_can_confirm(desk: Desk) -> None:
    delivered(desk, 10)
    said = desk.run("replay", "--from", "1h ago", "--to", "now")
    assert said.status == 2
    assert "there is nobody to confirm: add --yes" in said.err
    assert desk.world.intake.counts.requests == 0


def test_replay_tells_how_much_was_sent_before_the_intake_refused(desk: Desk) -> None:
    for minutes in (10, 20, 30, 40):
        delivered(desk, minutes)
    # of the first event that it refuses, the intake is believed
    desk.world.faults.add(Rule(Answer(403), "intake", nth=3, times=None))
    said = desk.run("replay", "--from", "1h ago", "--to", "now", "--yes", chunk_size=1)
    assert said.status == 2
    assert "2 of 4 events accepted" in said.err
    assert "The Sekoia.io intake refuses the intake key." in said.err


def test_replay_counts_the_events_that_the_intake_refuses(desk: Desk) -> None:
    for minutes in (10, 20, 30):
        delivered(desk, minutes, "poison" if minutes == 20 else "good")
    options = desk.world.intake.options
    options.poison, options.poison_answer = "poison", "null"
    said = desk.run("replay", "--from", "1h ago", "--to", "now", "--yes")
    assert "2 of 3 events accepted, 1 refused." in said.out


@pytest.mark.parametrize(
    ("trigger", "settings", "named"),
    [
        ("oauth", {}, "reporting"),
        ("graph", {}, "graph"),
        ("graph", {"event_format": "reporting"}, "reporting"),
    ],
    ids=["oauth", "graph", "graph as reporting"],
)
def test_a_refused_key_names_the_intake_format_that_reads_the_events(
    desk: Desk,
    trigger: Literal["oauth", "graph"],
    settings: dict[str, Any],
    named: EventFormat,
) -> None:
    delivered(desk, 10)
    desk.world.intake.keys.clear()
    window = ("--from", "1h ago", "--to", "now", "--yes")
    sentence = f"your intake of the format {INTAKE_FORMATS[named]}, and check"
    assert sentence in desk.run("replay", *window, trigger=trigger, **settings).err
    assert sentence in desk.run("check", trigger=trigger, **settings).out


def test_replay_refuses_a_window_that_would_not_fit_in_memory(desk: Desk) -> None:
    for minutes in (10, 20, 30):
        delivered(desk, minutes)
    desk.patch.setattr(replay, "MOST_ROWS", 2)
    said = desk.run("replay", "--from", "1h ago", "--to", "now", "--yes")
    assert said.status == 2
    assert "choose a shorter one" in said.err
    assert desk.world.intake.counts.requests == 0


def test_a_pause_for_the_budget_is_told_and_waited_for(desk: Desk) -> None:
    delivered(desk, 10)
    folder = desk.data / "message_trace"
    folder.mkdir()
    soon = int(time.time() * 1000) - 298_500  # forgotten a second and a half from now
    attempts = ",".join([f"[{soon},true]"] * 90)
    (folder / "quota.json").write_text(f'{{"limit":90,"attempts":[{attempts}]}}')
    said = desk.run("peek", "--from", "1h ago")
    assert said.status == 0
    assert "the request budget is used up" in said.err
    assert "Waiting " in said.err
    assert "Waiting 0" not in said.err
    assert "1 row received" in said.out
