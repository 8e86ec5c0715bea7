"""What docs/messages.md says that goes wrong is found by ``check``, in the words of that document."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import pytest

from office365_message_trace.collect.checkpoint_store import COPIES
from office365_message_trace.collect.tenant_folders import Identity, find_place
from office365_message_trace.microsoft.entra_errors import REFUSALS
from office365_message_trace.microsoft.graph import FIRST_PARTY_APP
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.transport import session
from sandbox import Answer, OtherDate, Rule, html_page
from sandbox.certificates import KeyPair
from sandbox.clock import wall_clock
from sandbox.entra_errors import TABLE, EntraError
from tests.command_line.conftest import Desk
from tests.command_line.test_check import saved_state
from tests.s3 import s3_server
from tests.ways import CERTIFICATES, Conduct, answers, authority, listening, over_tls, silent

DOCUMENT = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()
MESSAGES = re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE)

Which = Literal["oauth", "basic", "graph"]


class Case(NamedTuple):
    """How to bring a trouble about: with which trigger, in which world, with which options."""

    trigger: Which = "oauth"
    trouble: Callable[[Desk], object] = lambda desk: None
    options: tuple[str, ...] = ()
    settings: dict[str, Any] = {}  # noqa: RUF012  # a constant


def entra(number: int) -> Callable[[Desk], object]:
    def refuse(desk: Desk) -> None:
        desk.world.entra.forced = EntraError(number)

    return refuse


OWN = b'{"error": {"code": "BadRequest", "message": "m"}}'
"""An error body as Microsoft's services have it."""


DENIED = b'{"error": {"code": "Authorization_RequestDenied", "message": "m"}}'
"""For a permission that is missing; `check` finds it in the token before."""


def answer(
    service: str, status: int, method: str = "GET", body: bytes = b"{}"
) -> Callable[[Desk], object]:
    rule = Rule(Answer(status, body), service, method, times=None)
    return lambda desk: desk.world.faults.add(rule)


def variable(name: str, value: str) -> Callable[[Desk], object]:
    return lambda desk: desk.variables.update({name: value})


def proxy(value: str) -> Callable[[Desk], object]:
    return lambda desk: desk.variables.update(HTTPS_PROXY=value, NO_PROXY="", no_proxy="")


def proxied(status: str) -> Callable[[Desk], object]:
    """A proxy that answers with ``status``."""

    def trouble(desk: Desk) -> None:
        port = desk.opened.enter_context(listening(answers(status)))
        proxy(f"http://user:hidden@127.0.0.1:{port}")(desk)

    return trouble


def silent_proxy(desk: Desk) -> None:
    desk.opened.enter_context(pytest.MonkeyPatch.context()).setattr(session, "CONNECT_TIMEOUT", 0.3)
    port = desk.opened.enter_context(listening(silent))
    proxy(f"http://user:hidden@127.0.0.1:{port}")(desk)


def served(conduct: Conduct) -> Callable[[Desk], object]:
    """Another server than Microsoft's, whose certificate authority is trusted."""

    def trouble(desk: Desk) -> None:
        port = desk.opened.enter_context(listening(conduct))
        bundle = desk.data.parent / "authorities.pem"
        bundle.write_bytes(desk.world.ca_file.read_bytes() + authority().cert_pem.bytes())
        url = f"https://127.0.0.1:{port}"
        desk.variables.update(REQUESTS_CA_BUNDLE=str(bundle), MESSAGE_TRACE_REPORTING_URL=url)

    return trouble


def no_roles(desk: Desk) -> None:
    desk.world.app.roles.clear()


def no_directory_role(desk: Desk) -> None:
    desk.world.app.directory_roles.clear()


def retired(desk: Desk) -> None:
    desk.world.reporting.options.retired = "404"


def no_principal(desk: Desk) -> None:
    desk.world.graph.options.principal_from = wall_clock() + timedelta(days=1)


def no_key(desk: Desk) -> None:
    desk.world.intake.keys.clear()


def takes_nothing(desk: Desk) -> None:
    desk.world.intake.options.max_event = 1


def no_folder(desk: Desk) -> None:
    (desk.data / "message_trace").write_text("")


def no_bucket(desk: Desk) -> None:
    desk.variables |= desk.opened.enter_context(s3_server()) | {"AWS_BUCKET_NAME": "another"}


def one_copy(desk: Desk) -> None:
    saved_state(desk).delete("state-1.json")


def damaged_copy(desk: Desk) -> None:
    saved_state(desk).write("state-1.json", b"{")


def stopped(desk: Desk) -> None:
    saved_state(desk, minutes=24)


def nothing_read(desk: Desk) -> None:
    saved_state(desk, read=False)


def newer_copy(desk: Desk) -> None:
    saved_state(desk).write("state-1.json", b'{"schema": 99}')


def newer_state(desk: Desk) -> None:
    storage = saved_state(desk)
    for name in COPIES:
        storage.write(name, b'{"schema": 99}')


def stored_for(tenant: str | None = None) -> Callable[[Desk], object]:
    """A state that another intake was fed from, of ``tenant`` or of the one that is entered."""

    def store(desk: Desk) -> None:
        identity = Identity(tenant or desk.world.identity.tenant_id, "another key")
        storage = FolderStorage(desk.data)
        find_place(storage, "message_trace", identity).save(storage)

    return store


def an_hour_later(desk: Desk) -> None:
    date = format_datetime(wall_clock() + timedelta(hours=1), usegmt=True)
    for service in ("entra", "reporting"):
        desk.world.faults.add(Rule(OtherDate(date), service, times=None))


def certified(begins: timedelta, lasting: timedelta = timedelta(days=365)) -> Case:
    """Signing in with a certificate that nobody registered."""
    pair = KeyPair.made(wall_clock() + begins, lasting)
    return Case(settings={"client_secret": "", "client_certificate": pair.pem})


def federated(path: str) -> Case:
    return Case(settings={"client_secret": "", "federated_token_file": path})


DAY = timedelta(days=1)
CASES = {
    "the trigger has read nothing yet": Case(trouble=nothing_read),
    "The configuration cannot be used": Case(settings={"intake_key": ""}),
    "Unknown configuration field": Case(settings={"tenantid": "x"}),
    "tenant_id is neither a GUID nor a domain name": Case(settings={"tenant_id": "contoso"}),
    "client_secret looks like the ID of a secret": Case(settings={"client_secret": str(uuid4())}),
    "The client secret is wrong.": Case(trouble=entra(7000215)),
    "The client secret has expired.": Case(trouble=entra(7000222)),
    "Entra ID does not accept the certificate": certified(-DAY),
    "client_certificate has expired on": certified(-9 * DAY, 8 * DAY),
    "client_certificate expires on": certified(-DAY, 11 * DAY),
    "client_certificate is not valid before": certified(DAY),
    "The certificate or token is not valid at this time.": Case(trouble=entra(700024)),
    "The file of federated_token_file cannot be read.": federated("/nowhere/token"),
    "The file of federated_token_file holds no token.": federated(__file__),
    "Entra ID does not trust the token in federated_token_file": Case(trouble=entra(700213)),
    "The tenant does not allow workload identity federation.": Case(trouble=entra(700223)),
    "organization has no effect": Case("graph", settings={"organization": "contoso"}),
    "The tenant lives in another cloud of Microsoft.": Case(trouble=entra(90038)),
    "Entra ID does not know the application in this tenant.": Case(trouble=entra(700016)),
    "Entra ID does not know the tenant.": Case(trouble=entra(90002)),
    "The application is disabled in this tenant.": Case(trouble=entra(7000112)),
    "The tenant has no Exchange Online": Case(trouble=entra(500011)),
    "A Conditional Access policy blocks the application.": Case(trouble=entra(53003)),
    "Entra ID's sign-in endpoint redirected the token request": Case(
        trouble=answer("entra", 302, "POST")
    ),
    "The application has no service principal in this tenant.": Case(trouble=entra(7000229)),
    "tenant_id is a placeholder": Case(trouble=entra(50194)),
    "The tenant's security defaults block the application.": Case(trouble=entra(530035)),
    "Something on the way refuses the token request in Entra ID's place": Case(
        trouble=answer("entra", 403, "POST")
    ),
    "The name … cannot be resolved": Case(
        trouble=variable("MESSAGE_TRACE_LOGIN_URL", "https://nowhere.invalid")
    ),
    "… cannot be reached on port …": Case(
        trouble=variable("MESSAGE_TRACE_REPORTING_URL", "https://127.0.0.1:9")
    ),
    "The certificate of … is not trusted": Case(trouble=variable("REQUESTS_CA_BUNDLE", "")),
    "The certificate of … has expired, or the clock of this machine is ahead.": Case(
        trouble=served(over_tls(CERTIFICATES["expired"]()))
    ),
    "The certificate of … is not valid yet, so the clock of this machine is most likely behind.": Case(
        trouble=served(over_tls(CERTIFICATES["not yet valid"]()))
    ),
    "The certificate of … is for another name": Case(
        trouble=served(over_tls(CERTIFICATES["of another name"]()))
    ),
    "The certificate authorities that … names cannot be used": Case(
        trouble=variable("REQUESTS_CA_BUNDLE", "/nowhere")
    ),
    "… does not speak TLS as it should": Case(trouble=served(answers())),
    "… is not an address such as": Case(trouble=proxy("http://user:hid#den@127.0.0.1:9")),
    "… holds a character in the user name or the password that cannot be sent": Case(
        trouble=proxy("http://user:hid%E2%82%ACden@127.0.0.1:9")
    ),
    "The proxy … gives no answer, or does not get through to": Case(trouble=silent_proxy),
    "… names a SOCKS proxy, which cannot be used.": Case(trouble=proxy("socks5://127.0.0.1:9")),
    "The proxy … cannot be used": Case(trouble=proxy("http://user:hidden@127.0.0.1:9")),
    "The proxy … does not accept the user name and password": Case(trouble=proxied("407 No")),
    "The proxy … refuses connections to": Case(trouble=proxied("403 No")),
    "The proxy … does not get through to": Case(trouble=proxied("504 No")),
    "No Sekoia.io intake answers at intake_server": Case(trouble=answer("intake", 404, "POST")),
    "Entra ID refuses a token.": Case(trouble=entra(70011)),
    "Microsoft 365 does not accept the application's token.": Case(
        trouble=answer("reporting", 401)
    ),
    "Microsoft 365 refuses the report": Case(trouble=no_directory_role),
    "Microsoft 365 refuses account_name and account_password.": Case("basic"),
    "The Reporting Web Service has no message trace here.": Case(trouble=retired),
    "Microsoft Graph has no message trace in this tenant yet": Case("graph", no_principal),
    "Microsoft Graph refuses the message trace": Case("graph", answer("graph", 403, body=DENIED)),
    "Microsoft Graph does not accept the application's token.": Case("graph", answer("graph", 401)),
    "The Sekoia.io intake refuses the intake key.": Case(trouble=no_key),
    "The Sekoia.io intake accepts none of the events.": Case(
        trouble=takes_nothing, options=("--send-test-event",)
    ),
    "… does not answer as it should": Case(trouble=answer("reporting", 500)),
    "… does not accept the request.": Case(trouble=answer("reporting", 400, body=OWN)),
    "… or a proxy in front of it does not accept the request": Case(
        trouble=answer("reporting", 400)
    ),
    "Cannot … the trigger's own state": Case(trouble=no_folder),
    "The storage that the platform names cannot be reached.": Case(trouble=no_bucket),
    "… copies of the trigger's state is missing or damaged": Case(trouble=one_copy),
    "… of the trigger's state is damaged": Case(trouble=damaged_copy),
    "mail is read up to …, so the trigger does not run, or waits": Case(trouble=stopped),
    "… of the trigger's state is of a newer version": Case(trouble=newer_copy),
    "The trigger's state was written by a newer version": Case(trouble=newer_state),
    "The tenant is another one than before": Case(trouble=stored_for(str(uuid4()))),
    "The tenant was named by its ID before and is named by a domain now": Case(
        trouble=stored_for("contoso.example")
    ),
    "The intake key is another one than before.": Case(trouble=stored_for()),
    "This machine's clock is … Microsoft's.": Case(trouble=an_hour_later),
    "From the configuration of the module come …": Case(
        trouble=variable("MODULE_CONFIGURATION", '{"tenant_id": "a/b"}'),
        settings={"tenant_id": ""},
    ),
    "… is beyond its limits; … is used instead": Case(settings={"frequency": 7200}),
}
ONLY_A_RUNNING_TRIGGER_KNOWS = {
    "… answers again.",
    "The Sekoia.io intake accepts the events.",
    "The trigger's storage works again.",
    "The trigger cannot start, because the platform does not give it",
    "The trigger cannot start: … Each is a file of that name",
    "Errors are not reported to an error tracker",
    "Port … cannot be used",
    "An unexpected fault ended the reading of …",
    "… returned rows without a usable receive time",
    "… returned rows from outside the time that was asked for",
    "The Sekoia.io intake does not answer as it should (…), whether it gets many events or a single one.",
    "The Sekoia.io intake accepts most events, but not all.",
    "Something else answers in place of the Sekoia.io intake",
    "Pausing for …: the request budget is used up.",
    "Some message traces of the past are refused.",
    "Message traces from before … are lost",
    "Rows may be missing at …",
    "The trigger's state is gone, but not the record of what was forwarded",
    "… of the former module is not readable",
    "Logs could not be sent",
    "An unexpected fault stopped the collection",
    "An exception occurred.",
    "A wrong clock made the trigger read time that had not come yet",
    "Many rows change each time they are read again",
    "Many rows are not recognised when they are read again",
    "A gap can be read after all",
    "The intake does not accept one event",
    "The last read of old time brought new or changed rows",
    "Microsoft 365 shows new or changed rows up to the end of the look-back",
    "… the time is read again later, in other windows",
    "Another process has taken over this trigger's state",
    "The clocks of … apart.",
    "Rows that Microsoft 365 shows late are now found within …",
    "There is more mail than the request quota allows to read again in time",
}


def told(message: str) -> str:
    """A message of the table as it is looked for."""
    return message.removesuffix(": …")


def test_every_message_of_the_table_is_reproduced_here_or_known_to_a_running_trigger_only() -> None:
    assert {told(message) for message in MESSAGES} == {*CASES, *ONLY_A_RUNNING_TRIGGER_KNOWS}


@pytest.mark.parametrize("message", CASES)
def test_check_finds_what_the_table_explains(desk: Desk, message: str) -> None:
    case = CASES[message]
    case.trouble(desk)
    said = desk.run("check", *case.options, trigger=case.trigger, **case.settings)
    found = "\n".join(said.lines("failure") + said.lines("warning"))
    assert said.status > 0
    if message == "The configuration cannot be used":  # each mistake is a finding of its own
        assert "configuration: intake_key is empty; enter a value." in found
        return
    for part in message.split("…"):
        assert part.strip() in found


@pytest.mark.parametrize("number", REFUSALS)
def test_every_refusal_of_entra_that_is_known_is_told_with_its_sentence(
    desk: Desk, number: int
) -> None:
    desk.world.entra.forced = EntraError(number)
    said = desk.run("check")
    (line,) = said.lines("failure")
    assert line.startswith(f"sign-in: {REFUSALS[number][1]}")
    assert f"AADSTS{number}]" in line
    assert said.status == 2
    assert desk.world.request_log.count("reporting") == 1, "nothing is asked of the service in vain"


@pytest.mark.parametrize("number", [n for n, (status, _, _) in TABLE.items() if status >= 429])
def test_what_passes_at_entra_is_told_as_such(desk: Desk, number: int) -> None:
    desk.world.entra.forced = EntraError(number)
    (line,) = desk.run("check").lines("failure")
    assert "Entra ID gives no token at the moment" in line


@pytest.mark.parametrize(
    ("trigger", "permission", "resource"),
    [
        ("oauth", "ReportingWebService.Read.All", "Office 365 Exchange Online"),
        ("graph", "ExchangeMessageTrace.Read.All", "Microsoft Graph"),
    ],
)
def test_a_permission_that_the_token_lacks_is_named_with_the_place_to_add_it(
    desk: Desk, trigger: Which, permission: str, resource: str
) -> None:
    desk.world.app.roles = {"Mail.Read"}
    said = desk.run("check", trigger=trigger)
    line = said.lines("failure")[0]
    assert line.startswith(
        f"token: The token lacks the permission {permission} (it has Mail.Read)."
    )
    assert f"adds {resource} > Application permissions > {permission}" in line
    assert "API permissions, and presses Grant admin consent" in line


def test_a_missing_directory_role_is_told_apart_from_a_missing_permission(desk: Desk) -> None:
    no_directory_role(desk)
    said = desk.run("check")
    (line,) = said.lines("failure")
    assert "Assign Security Reader" in line
    assert any(line.startswith("token: application") for line in said.lines("ok"))


def test_a_missing_service_principal_is_told_with_the_command_to_paste_until_it_is_there(
    desk: Desk,
) -> None:
    no_principal(desk)
    (line,) = desk.run("check", trigger="graph").lines("failure")
    assert f"New-MgServicePrincipal -AppId {FIRST_PARTY_APP} ." in line
    assert "Provisioning takes several hours" in line
    desk.world.graph.options.principal_from = wall_clock()
    assert desk.run("check", trigger="graph").status == 0


def test_a_retired_service_that_answers_with_a_page_is_no_message_trace(desk: Desk) -> None:
    desk.world.reporting.options.retired = "html"
    (line,) = desk.run("check").lines("failure")
    assert "an answer that is not JSON" in line
    assert "a tenant that has lost the service may get such answers too" in line


def test_a_tenant_whose_requests_are_spent_is_a_warning_with_the_wait(desk: Desk) -> None:
    desk.world.graph.spend(100)
    said = desk.run("check", trigger="graph")
    assert said.status == 1
    (line,) = said.lines("warning")
    assert "it asks to slow down" in line
    assert re.search(r"check again in [\d.]+ (minutes|seconds)", line)


@pytest.mark.parametrize("status", [400, 422])
def test_an_intake_that_takes_no_empty_batch_leaves_the_key_unverified(
    desk: Desk, status: int
) -> None:
    answer("intake", status, "POST")(desk)
    said = desk.run("check")
    assert said.status == 1
    (line,) = said.lines("warning")
    assert "so the key was not verified" in line
    assert "--send-test-event" in line


NO_INTAKE = {
    "a web page": html_page(),
    "another service": Answer(200, b"{}"),
    "ids that are no list": Answer(200, b'{"event_ids": "a"}'),
    "another path": html_page(404),
    "a path of another service": Answer(404, b'{"detail": "Not Found"}'),
    "nothing at that path": Answer(404),
    "a path for reading only": Answer(405, b'{"detail": "Method Not Allowed"}'),
    "a page that refuses": html_page(403),
}


@pytest.mark.parametrize("fault", NO_INTAKE.values(), ids=NO_INTAKE)
@pytest.mark.parametrize("arguments", [(), ("--send-test-event",)], ids=["empty", "event"])
def test_what_is_no_intake_is_told_apart_from_a_refused_key(
    desk: Desk, fault: Answer, arguments: tuple[str, ...]
) -> None:
    desk.world.faults.add(Rule(fault, "intake", "POST", times=None))
    said = desk.run("check", *arguments)
    (line,) = said.lines("failure")
    assert line.startswith("intake: No Sekoia.io intake answers at intake_server")
    assert line.endswith(f"[status {fault.status}]")
    assert desk.world.intake.events == []
    assert desk.world.request_log.count("intake") == 2, "for the network, and with the key"


def test_a_path_that_the_trigger_adds_itself_is_told_apart_from_a_refused_key(desk: Desk) -> None:
    rule = Rule(Answer(404, b'{"error": "not found"}'), "intake", path="/batch/batch", times=None)
    desk.world.faults.add(rule)
    said = desk.run("check", intake_server=f"{desk.world.url('intake')}/batch")
    (line,) = said.lines("failure")
    assert "such as /batch at its end" in line


def test_one_odd_refusal_is_asked_again_before_anybody_is_called(desk: Desk) -> None:
    for fault in (Answer(400), html_page(403), html_page(404)):
        desk.world.faults.add(Rule(fault, "reporting", "GET", times=1))
        assert desk.run("check").status == 0


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("trigger", ["oauth", "graph"])
def test_a_refusal_in_other_words_than_the_service_s_own_may_be_a_gateway_s(
    desk: Desk, trigger: Which, status: int
) -> None:
    service = "reporting" if trigger == "oauth" else "graph"
    desk.world.faults.add(Rule(html_page(status), service, "GET", times=None))
    (line,) = desk.run("check", trigger=trigger).lines("failure")
    assert "if a proxy or a gateway gives it, have its administrator let requests" in line
    assert line.endswith(f"[status {status}]")
    assert desk.requests < 10


def test_the_code_of_an_error_and_its_request_are_in_the_bracket(desk: Desk) -> None:
    request = {"request-id": str(uuid4())}
    desk.world.faults.add(Rule(Answer(403, DENIED, headers=request), "graph", "GET", times=None))
    (line,) = desk.run("check", trigger="graph").lines("failure")
    assert re.search(
        r"\[status 403, Authorization_RequestDenied, request-id [0-9a-f-]{36}\]$", line
    )


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_intake_key_is_a_failure_whatever_the_status(desk: Desk, status: int) -> None:
    desk.world.intake.keys.clear()
    desk.world.intake.options.unknown_key_status = status
    (line,) = desk.run("check").lines("failure")
    assert "compare intake_key" in line.lower()
    assert f"[status {status}]" in line
