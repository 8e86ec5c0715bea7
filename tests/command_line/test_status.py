"""What ``status`` tells of a trigger from its state alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from office365_message_trace.collect.checkpoint_store import COPIES, CheckpointStore
from office365_message_trace.collect.coverage import Cause, Coverage, Gap, Policy, Span
from office365_message_trace.collect.ledger import Ledger, stored_volume
from office365_message_trace.collect.ownership import Ownership
from office365_message_trace.collect.tenant_folders import Identity, find_place
from office365_message_trace.model import Window, milliseconds
from office365_message_trace.monitoring.activity_log import ActivityLog
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.wrappers import ReadOnlyStorage
from sandbox import Answer, Rule
from sandbox.clock import wall_clock
from sandbox.process import TriggerProcess
from tests.command_line.conftest import Desk
from tests.support import NOON, Logbook, TurnedClock, row

HOUR = timedelta(hours=1)
POLICY = Policy(timedelta(minutes=1), timedelta(minutes=1), timedelta(hours=24))


def written_state(desk: Desk) -> FolderStorage:
    """A trigger that came two hours' backlog far, with a gap of each cause, a problem and three rows."""
    storage = FolderStorage(desk.data / "message_trace")
    now = wall_clock().replace(microsecond=0)
    coverage = Coverage.starting(now - timedelta(hours=2)).with_outage_behind(now, POLICY)
    read = [
        Span(Window(now - timedelta(hours=start), now - timedelta(hours=end)), now - ago * HOUR)
        for start, end, ago in ((30, 20, 6), (20, 2, 3))
    ]
    coverage = replace(coverage, spans=(*read, *coverage.spans))
    for days, cause in enumerate(Cause, start=30):
        lost = Window(now - timedelta(days=days, hours=1), now - timedelta(days=days))
        coverage = coverage.with_gap(Gap(lost, cause))
    activity = ActivityLog(storage, TurnedClock(now - timedelta(minutes=2)), POLICY, Logbook())
    CheckpointStore(storage, Logbook()).save(coverage)
    activity.covered(coverage, now)
    activity.note("The client secret has expired.", "critical")
    received = milliseconds(now)
    rows = [row(received, MessageTraceId=str(number)) for number in range(3)]
    ledger = Ledger(storage)
    ledger.record((each.received, print_) for print_, each in ledger.unseen(rows).items())
    return storage


def test_a_trigger_that_never_ran_is_told_as_such(desk: Desk) -> None:
    said = desk.run("status", "--verbose")
    assert said.status == 3
    assert said.lines("unknown") == ["The trigger has not run here, or its state is lost."]
    assert "ledger: 0 rows in 0 buckets" in said.out
    assert desk.requests == 0


def test_where_nothing_has_run_and_nothing_is_set_the_trigger_need_not_be_named(
    desk: Desk,
) -> None:
    said = desk.type("status")
    assert (said.status, len(said.lines("unknown"))) == (3, 1)
    Ownership(FolderStorage(desk.data), "message_trace", TurnedClock(), Logbook()).claim()
    said = desk.type("status", "--json")
    assert said.json["trigger"] == "oauth"
    assert "has read nothing yet" in said.json["verdict"]["text"]


def test_a_state_is_told_line_by_line(desk: Desk) -> None:
    written_state(desk)
    said = desk.run("status", "--verbose")
    assert said.status == 1
    for text in (
        "live edge: ",
        "2 minutes behind now",
        "backlog: 2 hours of receive time",
        "re-read: up to 1 day old: 6 hours ago at the earliest",
        "complete: up to ",
        "ledger: 3 rows in 1 bucket, 48 bytes",
        "requests: 0 of 90 spent in the last five minutes",
        "forwarded: 0 events since the start at ",
    ):
        assert text in said.out
    assert any("The client secret has expired." in line for line in said.lines("critical"))
    gaps = [text for text in said.lines("warning") if "gap: " in text]
    assert len(gaps) == len(Cause)
    assert "not read before the service stopped keeping it" in "".join(gaps)
    assert sum("tried again now and then" in text for text in gaps) == len(Cause) - 1
    assert desk.requests == 0


def test_json_holds_the_same_in_numbers(desk: Desk) -> None:
    written_state(desk)
    told = desk.run("status", "--json").json
    assert told["ledger"] == {"buckets": 1, "rows": 3}
    assert told["backlog"]["seconds"] == pytest.approx(118 * 60)
    assert told["lag_seconds"] == pytest.approx(120, abs=30)
    assert datetime.fromisoformat(told["live_edge"]).tzinfo is not None
    ages = [each["age_seconds"] for each in told["rereads"]]
    assert ages == [86400.0, 259200.0]
    assert [each["read_seconds_ago"] // 3600 for each in told["rereads"]] == [6, 6]
    assert {gap["cause"] for gap in told["gaps"]} == {cause.value for cause in Cause}
    assert all(datetime.fromisoformat(gap["window"][0]).tzinfo for gap in told["gaps"])
    assert told["problems"][0]["text"] == "The client secret has expired."
    assert told["requests"] == {"spent": 0, "limit": 90}


def test_the_owner_is_told_by_the_beginning_of_its_name_and_since_when(desk: Desk) -> None:
    written_state(desk)
    assert desk.run("status", "--json").json["owner"] is None
    Ownership(FolderStorage(desk.data), "message_trace", TurnedClock(), Logbook()).claim()
    owner = desk.run("status", "--json").json["owner"]
    assert datetime.fromisoformat(owner["since"]) == NOON
    said = desk.run("status", "--verbose")
    assert f"owner: process {owner['id'][:8]}, since 2026-06-15 12:00:00 UTC" in said.out


def test_the_state_is_that_of_the_tenant_that_was_collected_last(desk: Desk) -> None:
    written_state(desk)
    storage = FolderStorage(desk.data)
    for tenant in ("contoso.example", "fabrikam.example"):
        find_place(storage, "message_trace", Identity(tenant, "key")).save(storage)
    assert "The trigger has not run here" in desk.run("status").out
    find_place(storage, "message_trace", Identity("contoso.example", "key")).save(storage)
    assert "ledger: 3 rows in 1 bucket" in desk.run("status", "--verbose").out


def test_a_damaged_copy_is_said_and_the_other_one_told(desk: Desk) -> None:
    written_state(desk).write(COPIES[0], b"{")
    said = desk.run("status", "--verbose")
    assert any("One of the two copies" in line for line in said.lines("warning"))
    assert "live edge: " in said.out


def test_the_state_of_a_newer_version_is_one_failure(desk: Desk) -> None:
    storage = written_state(desk)
    for name in COPIES:
        storage.write(name, b'{"schema": 99}')
    said = desk.run("status")
    assert said.status == 2
    assert "was written by a newer version" in said.err


def test_status_writes_nothing(desk: Desk) -> None:
    written_state(desk)
    before = {file: file.read_bytes() for file in desk.data.rglob("*") if file.is_file()}
    desk.run("status")
    assert {file: file.read_bytes() for file in desk.data.rglob("*") if file.is_file()} == before


def test_status_of_a_trigger_that_really_runs(desk: Desk, tmp_path: Path) -> None:
    with TriggerProcess(desk.world, tmp_path / "process", start_time=2, timedelta=0) as process:
        process.start()
        process.wait_until(lambda: desk.world.intake.counts.events)
        process.wait_until_quiet()
        desk.data = process.data
        told = desk.run("status", "--json").json
        process.stop()
    assert told["ledger"]["rows"] == desk.world.intake.counts.events
    assert told["requests"]["spent"] == desk.world.request_log.count("reporting")
    assert told["started"] is not None
    assert told["problems"] == []


def test_what_was_accepted_before_a_stop_is_told_after_it(desk: Desk, tmp_path: Path) -> None:
    with TriggerProcess(desk.world, tmp_path / "process", start_time=2, timedelta=0) as process:
        process.start()
        process.wait_until(lambda: desk.world.intake.counts.events)
        process.wait_until_quiet()
        assert process.stop().status == 0
        desk.data = process.data
        told = desk.run("status", "--json").json
    assert told["forwarded_since_start"] == desk.world.intake.counts.events
    assert told["usual_lag_seconds"] == 360, "by the settings here, not by those of that run"
    assert datetime.fromisoformat(told["stopped"]) > datetime.fromisoformat(told["started"])
    assert told["verdict"]["level"] == "warning"
    assert told["verdict"]["text"].startswith("The trigger was stopped ")
    assert "The Sekoia.io intake accepts the events." in process.output


@pytest.mark.parametrize(("minutes", "late"), [(2, False), (5, False), (7, True), (24, True)])
def test_fresh_mail_that_is_late_is_a_verdict(desk: Desk, minutes: int, late: bool) -> None:
    """By `timedelta` and `frequency`, and what is an ordinary pause."""
    storage = FolderStorage(desk.data / "message_trace")
    then = wall_clock().replace(microsecond=0) - timedelta(minutes=minutes)
    activity = ActivityLog(storage, TurnedClock(then), POLICY, Logbook())
    coverage = replace(Coverage.starting(then), read_at=then)
    CheckpointStore(storage, Logbook()).save(coverage)
    activity.covered(coverage, then)
    told, checked = desk.run("status", "--verbose"), desk.run("check")
    assert told.status == (2 if late else 0)
    assert bool(told.lines("critical")) is late
    assert ("critical Mail is late: " in told.out) is late
    assert desk.run("status", "--json").json["late"] is late
    assert checked.status == late
    for said, name in ((told, "live edge"), (checked, "state")):
        found = [text for text in said.lines("warning") if f"{name}: " in text]
        assert bool(found) is late
        assert all("at most 6 minutes are usual" in text for text in found)
        assert all("the trigger does not run, or waits: start it" in text for text in found)


@pytest.mark.parametrize(("bound", "said"), [(1.22, "1.2"), (3.0, "3.0"), (3.3, "3.3")])
def test_how_soon_late_rows_are_found_is_told_and_warned_of_beyond_three_times_their_lateness(
    desk: Desk, bound: float, said: str
) -> None:
    storage = written_state(desk)
    ActivityLog(storage, TurnedClock(wall_clock()), POLICY, Logbook()).promised(bound)
    told = desk.run("status", "--verbose")
    text = f"late rows: found within {said} times their lateness"
    assert text in told.out
    assert any(text in line for line in told.lines("warning")) is (bound > 3)
    assert desk.run("status", "--json").json["late_rows_bound"] == bound


def test_before_a_trigger_has_told_how_soon_late_rows_are_found_nothing_is_said(desk: Desk) -> None:
    written_state(desk)
    assert "late rows" not in desk.run("status", "--verbose").out
    assert desk.run("status", "--json").json["late_rows_bound"] is None


def test_without_settings_the_latest_run_tells_what_is_late(desk: Desk) -> None:
    storage = written_state(desk)
    told = desk.type("status", "--trigger", "oauth", "--json").json
    assert told["usual_lag_seconds"] == POLICY.usual_lag.total_seconds()
    storage.delete("activity.json")
    told = desk.type("status", "--trigger", "oauth", "--json").json
    assert (told["late"], told["usual_lag_seconds"]) == (False, None)


def test_the_settings_tell_what_is_late(desk: Desk) -> None:
    written_state(desk)
    assert desk.run("status", "--json").json["late"] is False
    assert desk.run("status", "--json", timedelta=60).json["usual_lag_seconds"] == 65 * 60
    told = desk.type("status", "--json", "--config", str(desk.data / "none"))
    assert told.status == 2
    assert "cannot be read" in told.err


def test_the_first_screen_holds_the_verdict_gaps_and_the_latest_problem_only(desk: Desk) -> None:
    written_state(desk)
    lines = desk.run("status").out.splitlines()
    assert lines[0].startswith("warning Mail is forwarded: read up to ")
    assert "Owed: 2 hours of receive time" in lines[0]
    assert "4 gaps, one of them tried again every hour, nothing is wrong." in lines[0]
    assert len(lines) == 1 + len(Cause) + 1
    assert "The client secret has expired." in lines[-1]


def test_right_after_a_start_a_pause_is_no_failure(desk: Desk, tmp_path: Path) -> None:
    with TriggerProcess(desk.world, tmp_path / "process", start_time=2, timedelta=0) as process:
        desk.data = process.data
        process.start()
        process.wait_until(lambda: desk.world.intake.counts.events)
        process.wait_until_quiet()
        process.stop()
        storage = FolderStorage(desk.data / "message_trace")
        past = wall_clock() - timedelta(hours=3)
        for name in COPIES:
            storage.delete(name)
        CheckpointStore(storage, Logbook()).save(Coverage.starting(past))
        assert desk.run("status").status == 2, "stopped, and late"
        desk.world.faults.add(Rule(Answer(503), "reporting", times=None))
        asked = desk.world.request_log.count("reporting")
        process.start()
        process.wait_until(lambda: desk.world.request_log.count("reporting") > asked)
        said = desk.run("status")
        process.stop()
    (line,) = [text for text in said.lines("warning") if "The trigger started" in text]
    assert "mail is read up to 3 hours ago" in line


def test_the_ledger_is_measured_without_reading_it(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    assert stored_volume(storage) == (0, 0)
    ledger = Ledger(storage)
    rows = [row(milliseconds(NOON) + n * 3_600_000) for n in range(5)]
    ledger.record((each.received, mark) for mark, each in ledger.unseen(rows).items())
    assert stored_volume(storage) == (5, 5)


def test_a_read_only_storage_shows_what_is_there_and_changes_nothing(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.write("a", b"1")
    read_only = ReadOnlyStorage(storage)
    read_only.write("a", b"2")
    read_only.extend("b", b"x", b"y")
    read_only.delete("a")
    assert (read_only.read("a"), read_only.read("b")) == (b"1", None)
    assert storage.names("") == read_only.names("") == ["a"]
