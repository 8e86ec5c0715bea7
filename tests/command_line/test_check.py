"""What ``check`` says when all is well, and of the machine that it runs on."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from office365_message_trace.checks.storage import goes_with_container
from office365_message_trace.cli.trigger_choice import Trigger, chosen_trigger
from office365_message_trace.collect.checkpoint_store import COPIES, CheckpointStore
from office365_message_trace.collect.coverage import Coverage
from office365_message_trace.collect.tenant_folders import Identity, find_place
from office365_message_trace.model import EPOCH
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.transport.diagnosis import CUT_OFF
from sandbox import Answer, Drop, KeyPair, MailFlowOptions, OtherDate, Rule, SandboxOptions
from sandbox.clock import wall_clock
from tests.command_line.conftest import Desk
from tests.support import Logbook

TRIGGERS: list[Literal["oauth", "basic", "graph"]] = ["oauth", "basic", "graph"]
QUICK = 5.0  # seconds


def saved_state(desk: Desk, minutes: float = 5, *, read: bool = True) -> FolderStorage:
    """The storage of a trigger that has read up to so many ``minutes`` ago, or nothing yet from then on."""
    storage = FolderStorage(desk.data / "message_trace")
    store = CheckpointStore(storage, Logbook())
    then = wall_clock() - timedelta(minutes=minutes)
    store.save(replace(Coverage.starting(then), read_at=then if read else EPOCH))
    return storage


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_in_good_health_every_line_is_ok_and_it_is_quick_and_makes_few_requests(
    desk: Desk, trigger: Literal["oauth", "basic", "graph"]
) -> None:
    desk.world.reporting.options.basic_auth = trigger == "basic"
    began = time.monotonic()
    said = desk.run("check", trigger=trigger)
    assert time.monotonic() - began < QUICK
    assert said.status == 0
    *findings, summary = said.out.splitlines()
    assert said.lines("ok") == [line[8:] for line in findings]
    assert summary.strip() == f"All is well: {len(findings)} findings, no warning, no failure."
    assert desk.requests < 10
    assert desk.world.intake.counts.events == 0


def test_in_good_health_it_tells_what_it_found(desk: Desk) -> None:
    found = "\n".join(desk.run("check").lines("ok"))
    who = desk.world.identity
    assert 'complete, for the trigger "Office 365 Message Trace OAuth"' in found
    assert "network to Entra ID: 127.0.0.1 answers (directly, no proxy)" in found
    assert "clock: agrees with Microsoft's" in found
    assert f"application {who.client_id} in tenant {who.tenant_id}" in found
    assert "with ReportingWebService.Read.All, valid until" in found
    assert "rows in the last hour; the newest was received" in found
    assert "accepts the key (asked with an empty batch, no event was sent)" in found
    assert "none yet: the trigger has not run here" in found


def test_settings_of_another_tenant_than_the_state_s_are_a_warning_and_change_nothing(
    desk: Desk,
) -> None:
    saved_state(desk)
    storage = FolderStorage(desk.data)
    other = "0bbccd15-3f8e-4c04-b425-094646be5e38"
    find_place(storage, "message_trace", Identity(other, "key")).save(storage)
    before = storage.read("message_trace/identity.json")
    said = desk.run("check")
    assert said.status == 1
    assert any("The tenant is another one than before" in text for text in said.lines("warning"))
    assert not any(text.startswith("state: ") for text in said.lines("ok")), "no contradiction"
    assert storage.read("message_trace/identity.json") == before


def test_json_holds_the_same_findings_and_the_exit_status(desk: Desk) -> None:
    plain, machine = desk.run("check"), desk.run("check", "--json")
    subjects = [line.partition(":")[0] for line in plain.lines("ok")]
    assert machine.json["status"] == machine.status == 0
    assert [each["subject"] for each in machine.json["findings"]] == subjects
    assert {each["level"] for each in machine.json["findings"]} == {"ok"}
    assert machine.json["trigger"] == "oauth"
    assert machine.json["tenant"] == desk.world.identity.tenant_id


def test_a_finding_has_a_code_that_does_not_depend_on_its_words(desk: Desk) -> None:
    desk.world.app.roles.clear()
    desk.world.intake.keys.clear()
    saved_state(desk, minutes=60)
    told = desk.run("check", "--json", chunk_size=0).json
    codes = [each["code"] for each in told["findings"] if each["level"] != "ok"]
    assert codes == [
        "configuration-doubtful",
        "token-lacks-permission",
        "intake-misconfigured",
        "state-late",
    ]


def test_what_must_fail_because_of_a_failure_is_not_told(desk: Desk) -> None:
    desk.world.app.roles.clear()
    said = desk.run("check", trigger="graph")
    (line,) = said.lines("failure")
    assert line.startswith("token: The token lacks the permission")
    assert desk.world.request_log.count("graph") == 1, "without credentials, for the network"
    assert (
        said.out.splitlines()[-1].strip().startswith("1 failure, 0 warnings: no mail is forwarded")
    )


def test_no_subject_is_ok_after_a_warning_about_it(desk: Desk) -> None:
    saved_state(desk, minutes=2).write(COPIES[0], b"{")
    said = desk.run("check", tenantid="x")
    faulty = {line.partition(":")[0] for line in said.lines("warning")}
    assert faulty == {"configuration", "state"}
    assert not faulty & {line.partition(":")[0] for line in said.lines("ok")}
    assert "warnings, no failure: have a look." in said.out.splitlines()[-1]


def test_a_test_event_is_sent_only_when_it_is_asked_for_and_says_what_it_is(desk: Desk) -> None:
    said = desk.run("check", "--send-test-event")
    (event,) = desk.world.intake.events
    assert "Test event of check" in event
    assert "message-trace.invalid" in event
    assert any("accepted the test event" in line for line in said.lines("ok"))


def test_a_test_event_without_an_id_was_not_accepted(desk: Desk) -> None:
    options = desk.world.intake.options
    options.poison, options.poison_answer = "Test event of check", "null"
    said = desk.run("check", "--send-test-event")
    assert any("accepts none of the events" in line for line in said.lines("failure"))


def test_more_rows_than_a_page_are_counted_as_at_least(desk: Desk) -> None:
    desk.world.reporting.options.page_size = 10
    found = "\n".join(desk.run("check").lines("ok"))
    assert "fresh mail: at least 10 rows in the last hour" in found


class TestWithoutMail:
    @pytest.fixture
    def options(self) -> SandboxOptions:
        return SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))

    def test_a_day_without_a_row_is_a_warning_that_names_the_likely_mistake(
        self, desk: Desk
    ) -> None:
        said = desk.run("check")
        assert said.status == 1
        (warning,) = said.lines("warning")
        assert "No row in the last 24 hours" in warning
        assert "compare tenant_id" in warning
        assert desk.requests < 10


class TestWithAnotherTime:
    @pytest.fixture(params=[3, -10, -1500, 2880])
    def minutes(self, request: pytest.FixtureRequest) -> int:
        minutes: int = request.param
        return minutes

    @pytest.fixture
    def options(self, minutes: int) -> SandboxOptions:
        now = lambda: wall_clock() + timedelta(minutes=minutes)  # noqa: E731  # the sandbox's clock
        mail = MailFlowOptions(messages_per_minute=2, since=now() - timedelta(minutes=50))
        return SandboxOptions(mail=mail, now=now)

    @pytest.mark.parametrize("trigger", ["oauth", "graph"])
    def test_a_clock_that_is_off_is_named_with_its_direction_and_what_to_do_and_harms_nothing(
        self, desk: Desk, minutes: int, trigger: Literal["oauth", "graph"]
    ) -> None:
        desk.world.faults.add(Rule(OtherDate(), "intake", times=None))
        said = desk.run("check", trigger=trigger)
        (line,) = (line for line in said.lines("warning") if line.startswith("clock: "))
        assert (
            f"clock is {abs(minutes)} min" in line or "clock is 1 day" in line or "2 days" in line
        )
        assert ("behind" if minutes > 0 else "ahead of") in line
        assert "time service (NTP)" in line
        assert said.lines("failure") == []
        assert any(found.startswith("fresh mail: ") for found in said.lines("ok"))

    def test_the_clock_of_the_intake_does_not_count(self, desk: Desk) -> None:
        for service in ("entra", "reporting"):
            desk.world.faults.add(Rule(OtherDate(), service, times=None))
        assert not any(line.startswith("clock: ") for line in desk.run("check").out.splitlines())


def test_a_proxy_that_does_not_work_is_named_without_its_password(desk: Desk) -> None:
    proxy = {"HTTPS_PROXY": "http://user:hidden@127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    said = desk.run("check", variables=proxy)
    assert said.status == 2
    (line,) = said.lines("failure")
    names = "Entra ID, the Reporting Web Service, the Sekoia.io intake"
    assert line.startswith(f"network to {names}: "), "one fault is told once"
    assert "The proxy http://127.0.0.1:9 cannot be used (Connection refused)" in line
    assert "Correct HTTPS_PROXY" in line
    assert "hidden" not in said.out + said.err


def test_a_proxy_that_does_not_work_is_one_finding_with_the_names_of_all_hosts(desk: Desk) -> None:
    hosts = {
        "MESSAGE_TRACE_LOGIN_URL": "https://login.example",
        "MESSAGE_TRACE_REPORTING_URL": "https://reports.example",
        "MESSAGE_TRACE_INTAKE_SERVER": "https://intake.example",
    }
    said = desk.run("check", variables={"HTTPS_PROXY": "http://127.0.0.1:9", **hosts})
    (line,) = said.lines("failure")
    assert "or add login.example, reports.example, intake.example to NO_PROXY" in line


def test_a_proxy_that_is_no_address_is_one_sentence(desk: Desk) -> None:
    proxy = {"HTTPS_PROXY": "http://user:hid#den@127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    said = desk.run("check", variables=proxy)
    assert said.status == 2
    (line,) = said.lines("failure")
    names = "Entra ID, the Reporting Web Service, the Sekoia.io intake"
    assert line.startswith(f"network to {names}: "), "one fault is told once"
    assert "HTTPS_PROXY is not an address" in line
    assert "must be percent-encoded" in line
    assert "unexpected" not in said.out + said.err
    assert "hid" not in said.out + said.err


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {"MESSAGE_TRACE_LOGIN_URL": "https://no.such.name.invalid"},
            "network to Entra ID: The name no.such.name.invalid cannot be resolved (it is unknown to DNS).",
        ),
        (
            {"MESSAGE_TRACE_REPORTING_URL": "https://127.0.0.1:9"},
            "network to the Reporting Web Service: 127.0.0.1 cannot be reached on port 9 "
            "(Connection refused). If it lasts, have the administrator of the network allow",
        ),
        ({"REQUESTS_CA_BUNDLE": ""}, "The certificate of 127.0.0.1 is not trusted"),
        ({"REQUESTS_CA_BUNDLE": "/nowhere"}, "names cannot be used (there is no such file)."),
    ],
    ids=["name", "port", "certificate", "bundle"],
)
def test_a_host_that_is_not_reached_is_told_once_with_the_cause(
    desk: Desk, variables: dict[str, str], text: str
) -> None:
    said = desk.run("check", variables=variables)
    assert said.status == 2
    failures = said.lines("failure")
    assert any(text in line for line in failures)
    assert all(line.startswith("network to") for line in failures)


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("entra", "Entra ID"),
        ("reporting", "The Reporting Web Service"),
        ("intake", "The Sekoia.io intake"),
    ],
)
def test_a_service_that_gives_no_answer_is_named_as_the_trigger_names_it(
    desk: Desk, service: str, name: str
) -> None:
    desk.world.faults.add(Rule(Drop(), service, "HEAD", times=None))
    (line,) = desk.run("check").lines("failure")
    subject = f"network to {name.replace('The', 'the')}"
    assert line.startswith(f"{subject}: {name} does not answer as it should ({CUT_OFF}). [")
    assert line.endswith("; directly, no proxy]"), "a proxy that hangs would be named here"


def test_a_state_is_told_by_how_far_it_has_come(desk: Desk) -> None:
    saved_state(desk)
    said = desk.run("check")
    assert said.status == 0
    assert any("state: mail is read up to" in line for line in said.lines("ok"))


def test_a_state_of_a_trigger_that_has_read_nothing_is_not_told_as_read(desk: Desk) -> None:
    saved_state(desk, read=False)
    said = desk.run("check")
    assert said.status == 1
    (line,) = said.lines("warning")
    assert line.startswith("state: the trigger has read nothing yet")


def test_one_damaged_copy_of_the_state_is_a_warning(desk: Desk) -> None:
    saved_state(desk).write(COPIES[0], b"{")
    said = desk.run("check")
    assert said.status == 1
    assert any("One of the two copies" in line for line in said.lines("warning"))


def test_two_damaged_copies_of_the_state_are_told_with_what_follows(desk: Desk) -> None:
    storage = saved_state(desk)
    for name in COPIES:
        storage.write(name, b"\0")
    said = desk.run("check")
    assert said.status == 1
    assert any("No copy of the state is usable" in line for line in said.lines("warning"))


def test_a_laptop_without_the_platforms_volume_is_well_and_keeps_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    desk.data = desk.data / "missing"
    said = desk.run("check", variables={"HOME": str(tmp_path / "home")})
    assert said.status == 0
    assert any("no trigger has run here" in line for line in said.lines("ok"))
    assert not desk.data.exists()
    assert not (tmp_path / "home").exists()


def test_check_leaves_nothing_behind_in_the_storage(desk: Desk) -> None:
    storage = saved_state(desk)
    before = storage.sizes("")
    desk.run("check")
    assert storage.sizes("") == before


def test_a_storage_without_room_is_a_failure_that_says_what_to_check(desk: Desk) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        said = desk.run("check")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert said.status == 2
    (line,) = said.lines("failure")
    assert "Cannot write the trigger's own state" in line
    assert "writable and not full. [check.probe: File too large]" in line


def test_a_storage_that_is_no_folder_is_a_failure(desk: Desk) -> None:
    (desk.data / "message_trace").write_text("")
    said = desk.run("check")
    assert said.status == 2
    assert any("Cannot write the trigger's own state" in line for line in said.lines("failure"))


def test_a_folder_without_a_volume_goes_with_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # wherever this checkout lies
    mark = tmp_path / "mark"
    mark.touch()
    here = Path(__file__).parent
    assert goes_with_container(here, root=here, marks=(str(mark),))
    assert not goes_with_container(here, root=here, marks=(str(tmp_path / "none"),))
    assert not goes_with_container(here, root=Path("/proc"), marks=(str(mark),))


def test_settings_without_effect_and_likely_mistakes_are_warnings(desk: Desk) -> None:
    said = desk.run("check", tenantid="x", client_id="reader")
    assert said.status == 2  # the application is not known
    warnings = said.lines("warning")
    assert (
        "configuration: Unknown configuration field: tenantid. Did you mean tenant_id?" in warnings
    )
    assert any("client_id is not a GUID" in line for line in warnings)


def test_without_a_configuration_it_says_how_to_give_one(desk: Desk) -> None:
    said = desk.type("check")
    assert said.status == 2
    (line,) = said.lines("failure")
    for way in ("--config", "MESSAGE_TRACE_TENANT_ID", ".env", "where the trigger runs"):
        assert way in line


def test_settings_come_from_a_file_as_well(desk: Desk, tmp_path: Path) -> None:
    environment = desk.world.environment("oauth", intake_server=desk.world.url("intake"))
    file = tmp_path / "settings.json"
    file.write_text(environment.pop("TRIGGER_CONFIGURATION"))
    for name in ("REQUESTS_CA_BUNDLE", "MESSAGE_TRACE_LOGIN_URL", "MESSAGE_TRACE_REPORTING_URL"):
        desk.patch.setenv(name, environment[name])
    said = desk.type("check", "--config", str(file), "--trigger", "oauth")
    assert said.status == 0
    assert desk.world.request_log.count("playbook") == 0


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "cannot be read (No such file or directory)"), ("[1", "is not a JSON object")],
)
def test_a_file_that_holds_no_settings_is_told(
    desk: Desk, tmp_path: Path, content: str | None, text: str
) -> None:
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_text(content)
    said = desk.type("check", "--config", str(file))
    assert said.status == 2
    assert text in said.out


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pipe", "cannot be read (Not a regular file)"),
        ("folder", "cannot be read (Is a directory)"),
        ("/dev/zero", "cannot be read (Not a regular file)"),
        ("huge", "is not a JSON object"),
        ("deep", "is not a JSON object"),
    ],
)
def test_a_file_that_would_be_read_for_ever_is_told_at_once(
    desk: Desk, tmp_path: Path, kind: str, text: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "huge").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (tmp_path / "deep").write_text("[" * 1_000_000)
    said = desk.type("check", "--config", str(tmp_path / kind))
    assert said.status == 2
    assert text in said.out


def test_a_file_with_a_byte_order_mark_is_read(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"event_format": "none"}', encoding="utf-8-sig")
    assert "event_format is not one of the choices" in desk.type("check", "--config", str(file)).out


def test_the_trigger_is_guessed_where_the_settings_tell_and_asked_for_where_not(desk: Desk) -> None:
    for name, value in desk.world.environment("graph", event_format="graph").items():
        desk.patch.setenv(name, value)
    assert 'for the trigger "Office 365 Message Trace (Graph API)"' in desk.type("check").out
    for name, value in desk.world.environment("oauth", cloud="china").items():
        desk.patch.setenv(name, value)
    assert 'for the trigger "Office 365 Message Trace OAuth"' in desk.type("check").out
    for name, value in desk.world.environment("basic").items():
        desk.patch.setenv(name, value)
    assert 'for the trigger "Message Trace"' in desk.type("check").out
    for name, value in desk.world.environment("oauth").items():
        desk.patch.setenv(name, value)
    said = desk.type("check")
    assert said.status == 2
    assert "add --trigger graph" in said.out
    assert "or --trigger oauth" in said.out


def test_the_state_tells_which_trigger_it_is(desk: Desk) -> None:
    for name, value in desk.world.environment("oauth").items():
        desk.patch.setenv(name, value)
    CheckpointStore(FolderStorage(desk.data / "message_trace_graph"), Logbook()).save(
        Coverage.starting(wall_clock())
    )
    assert 'for the trigger "Office 365 Message Trace (Graph API)"' in desk.type("check").out
    saved_state(desk)
    assert "add --trigger graph" in desk.type("check").out, "both have run"


@pytest.mark.parametrize("trigger", [Trigger.OAUTH, Trigger.GRAPH])
def test_the_first_process_of_a_container_tells_which_trigger_it_is(
    tmp_path: Path, trigger: Trigger
) -> None:
    first = tmp_path / "cmdline"
    first.write_text("\0".join(["python", "./main.py", trigger.command, ""]))
    found = chosen_trigger({"tenant_id": "t"}, FolderStorage(tmp_path), first)
    assert found is trigger


def test_a_variable_of_the_environment_replaces_a_setting_and_names_the_trigger(
    desk: Desk,
) -> None:
    variables = {"MESSAGE_TRACE_TIMEDELTA": "soon", "MESSAGE_TRACE_TRIGGER": "graph"}
    for name, value in {**desk.world.environment("oauth"), **variables}.items():
        desk.patch.setenv(name, value)
    assert "timedelta is not a whole number" in desk.type("check").out
    desk.patch.setenv("MESSAGE_TRACE_TIMEDELTA", "5")
    assert 'for the trigger "Office 365 Message Trace (Graph API)"' in desk.type("check").out


def test_settings_come_from_a_file_env_in_the_folder(desk: Desk, tmp_path: Path) -> None:
    environment = desk.world.environment("graph")
    settings = json.loads(environment.pop("TRIGGER_CONFIGURATION"))
    settings["client_secret"] = "as ${HOME} it is"
    desk.world.app.secrets[settings["client_secret"]] = None
    lines = {
        **{f"MESSAGE_TRACE_{name.upper()}": value for name, value in settings.items()},
        "MESSAGE_TRACE_TRIGGER": "graph",
        "INTAKE_URL": desk.world.url("intake"),
    }
    (tmp_path / ".env").write_text("".join(f"{name}='{text}'\n" for name, text in lines.items()))
    for name in ("REQUESTS_CA_BUNDLE", "MESSAGE_TRACE_LOGIN_URL", "MESSAGE_TRACE_GRAPH_URL"):
        desk.patch.setenv(name, environment[name])
    for name in lines:  # what the file sets ends with the test
        desk.patch.setenv(name, "")
        desk.patch.delenv(name)
    desk.patch.chdir(tmp_path)
    said = desk.type("check")
    assert said.status == 0, said
    assert 'for the trigger "Office 365 Message Trace (Graph API)"' in said.out


def test_a_file_env_that_cannot_be_read_is_one_sentence(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MESSAGE_TRACE_TENANT_ID=\xff\xfe\n")
    desk.patch.chdir(tmp_path)
    said = desk.type("check")
    assert said.status == 2
    assert said.err == "failure configuration: .env cannot be read as a file of variables.\n"


def test_a_misspelt_setting_is_named_beside_the_one_that_is_missing(desk: Desk) -> None:
    said = desk.run("check", client_id=None, clientid="x")
    assert said.lines("failure") == [
        "configuration: client_id is missing; enter a value.",
        "configuration: Unknown configuration field: clientid. Did you mean client_id?",
    ]


class TestWithACertificate:
    @pytest.fixture
    def options(self) -> SandboxOptions:
        return SandboxOptions(credential="certificate")

    def test_the_end_of_its_validity_is_told(self, desk: Desk) -> None:
        said = desk.run("check")
        assert said.status == 0
        assert desk.world.key_pair is not None
        ends = desk.world.key_pair.certificate.not_valid_after_utc
        assert f"certificate: valid until {ends:%Y-%m-%d %H:%M:%S} UTC" in said.lines("ok")

    def test_an_end_that_is_near_is_a_warning(self, desk: Desk) -> None:
        now = wall_clock()
        pair = KeyPair.made(now - timedelta(days=300), timedelta(days=307))
        desk.world.app.certificates.append(pair.certificate)
        said = desk.run("check", client_certificate=pair.pem)
        assert said.status == 1
        assert any("client_certificate expires on" in line for line in said.lines("warning"))
        assert not any(line.startswith("certificate: ") for line in said.lines("ok"))


class TestWithAFederatedToken:
    @pytest.fixture
    def options(self) -> SandboxOptions:
        return SandboxOptions(credential="federated")

    def test_it_is_in_good_health_with_a_token_and_told_without_its_file(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        assert desk.run("check").status == 0
        said = desk.run("check", federated_token_file=str(tmp_path / "none"))
        assert said.status == 2
        (line,) = said.lines("failure")
        assert line.startswith("sign-in: The file of federated_token_file cannot be read.")


class TestWithSecretsOfTheNode:
    @pytest.fixture
    def options(self) -> SandboxOptions:
        return SandboxOptions(secrets_by_node=True)

    def test_secrets_that_the_platform_keeps_apart_are_fetched(self, desk: Desk) -> None:
        assert desk.run("check").status == 0

    def test_secrets_that_cannot_be_fetched_are_told(self, desk: Desk) -> None:
        desk.world.faults.add(Rule(Answer(500), "playbook", times=None))
        said = desk.run("check")
        assert said.status == 2
        assert any("client_secret is missing" in line for line in said.lines("failure"))
        assert any(
            "playbook API does not give the secrets" in line for line in said.lines("failure")
        )


def test_a_running_triggers_budget_is_respected_and_left_as_it_is(desk: Desk) -> None:
    storage = FolderStorage(desk.data / "message_trace")
    now = int(time.time() * 1000)
    record = b'{"limit":90,"attempts":[%s]}' % b",".join([b"[%d,true]" % now] * 90)
    storage.write("quota.json", record)
    said = desk.run("check")
    assert said.status == 1
    (line,) = said.lines("warning")
    assert "The tenant's requests are spent" in line
    assert desk.world.request_log.count("reporting") == 1  # without credentials, for the network
    assert storage.read("quota.json") == record


def test_a_fault_with_a_time_to_come_back_is_no_spent_quota(desk: Desk) -> None:
    fault = Answer(503, headers={"Retry-After": "5"})
    desk.world.faults.add(Rule(fault, "reporting", method="GET", times=None))
    said = desk.run("check")
    assert said.status == 2
    assert "a server error" in said.lines("failure")[-1]
    assert "requests are spent" not in said.out


def test_the_exit_status_of_a_read_only_storage_is_2_unless_root(desk: Desk) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    desk.data.chmod(0o500)
    assert desk.run("check").status == 2


class TestWithTheApplicationOfTheModule:
    NONE: ClassVar[dict[str, Any]] = {"tenant_id": "", "client_id": "", "client_secret": ""}

    def module(self, desk: Desk) -> dict[str, str]:
        who = desk.world.identity
        configuration = {
            "tenant_id": who.tenant_id,
            "client_id": who.client_id,
            "client_secret": who.client_secret,
        }
        return {"MODULE_CONFIGURATION": json.dumps(configuration)}

    def test_check_signs_in_as_the_trigger_does(self, desk: Desk) -> None:
        said = desk.run("check", trigger="graph", variables=self.module(desk), **self.NONE)
        assert (said.status, said.err) == (0, "")

    def test_a_file_is_complete_by_itself(self, desk: Desk, tmp_path: Path) -> None:
        """The configuration of the module is that of the machine, and the file may be another's."""
        file = tmp_path / "settings.json"
        file.write_text(json.dumps({"tenant_id": "contoso.com", "intake_key": "key"}))
        variables = self.module(desk)
        said = desk.run("check", "--config", str(file), trigger="graph", variables=variables)
        assert "client_id is missing; enter a value." in said.out + said.err
