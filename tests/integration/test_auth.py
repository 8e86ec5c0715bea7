"""Credentials against the sandbox's Entra ID: one token for long, one renewal, plain sentences."""

from __future__ import annotations

import json
import traceback
from datetime import timedelta
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
import requests
import requests_mock

from office365_message_trace.errors import Misconfigured, Refused, Unavailable, Unreachable
from office365_message_trace.microsoft import auth as auth_module
from office365_message_trace.microsoft.auth import BasicAuth, EntraAuth, TokenHttp
from office365_message_trace.microsoft.endpoints import CLOUDS, Cloud
from office365_message_trace.microsoft.entra_errors import REFUSALS
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.transport import session as session_module
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from sandbox import Answer, Drip, Drop, EntraError, Fault, Hang, Rule, Sandbox, Truncate, html_page
from sandbox.ports import unclaimed_ports
from tests.integration.conftest import SCOPE
from tests.support import Logbook, TurnedClock, minutes

TOKEN = "/oauth2/v2.0/token"
GUID = "11111111-2222-4333-8444-555555555555"


def signed(auth: requests.auth.AuthBase) -> str:
    """The Authorization header that ``auth`` gives a request."""
    request = requests.Request("GET", "https://reports.example/", auth=auth).prepare()
    return str(request.headers["Authorization"])


def applied(world: Sandbox, **changes: str) -> EntraAuth:
    """The sandbox's application with changes."""
    who = world.identity
    return EntraAuth(
        changes.get("login_url", world.url("entra")),
        changes.get("tenant_id", who.tenant_id),
        changes.get("client_id", who.client_id),
        changes.get("credential", who.client_secret),
        SCOPE,
    )


def client(
    world: Sandbox, signer: auth_module.Signer, clock: TurnedClock, log: Logbook, basic: bool
) -> ReportingClient:
    http = RequestsHttp(TimeoutSession(), signer)
    transport = Transport(http, "The service", clock, log, credentials=signer)
    return ReportingClient(world.url("reporting"), transport, clock, log, basic)


# Tokens


def test_one_token_serves_many_requests(world: Sandbox, auth: EntraAuth) -> None:
    assert len({signed(auth) for _ in range(5)}) == 1
    assert world.entra.issued == 1
    assert world.request_log.count("entra") == 1, "the token, and no look-up before"


@pytest.mark.parametrize(
    "token", ["a\r\nX-Other: 1", "a b", "\u0416", "", ["a"], None, 17], ids=repr
)
def test_a_token_that_no_request_can_carry_is_not_kept(
    world: Sandbox, auth: EntraAuth, token: object
) -> None:
    given = {"access_token": token, "token_type": "Bearer", "expires_in": 3599}
    world.faults.add(Rule(Answer(200, json.dumps(given).encode()), "entra", path=TOKEN))
    with pytest.raises(Unavailable, match="Entra ID gives"):
        signed(auth)
    assert signed(auth).startswith("Bearer ey")


@pytest.mark.parametrize("name", ["expires_in", "ext_expires_in", "refresh_in"])
@pytest.mark.parametrize("value", [3599, "3599", 3599.7, "3599.7", "1e4", 10**30, None, "soon", []])
def test_a_lifetime_in_whatever_form_makes_a_token_that_is_kept(
    world: Sandbox, auth: EntraAuth, name: str, value: object
) -> None:
    given = {"access_token": "t", "token_type": "Bearer", "expires_in": 3599, name: value}
    world.faults.add(Rule(Answer(200, json.dumps(given).encode()), "entra", path=TOKEN))
    assert {signed(auth) for _ in range(3)} == {"Bearer t"}


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("17", "", 17),
        ("Mon, 15 Jun 2026 12:00:17 GMT", "Mon, 15 Jun 2026 12:00:00 GMT", 17),
        ("Mon, 15 Jun 2026 11:00:00 GMT", "Mon, 15 Jun 2026 12:00:00 GMT", 0),
        ("Mon, 15 Jun 2026 12:00:17 GMT", "", None),
        ("soon", "Mon, 15 Jun 2026 12:00:00 GMT", None),
        ("", "Mon, 15 Jun 2026 12:00:00 GMT", None),
    ],
)
def test_the_wait_that_entra_asks_for_counts_in_both_forms(
    asked: str, date: str, seconds: float | None
) -> None:
    login = CLOUDS["global"].login
    headers = {name: text for name, text in (("Retry-After", asked), ("Date", date)) if text}
    with requests_mock.Mocker() as wire:
        wire.post(f"{login}/{GUID}{TOKEN}", status_code=429, headers=headers)
        with pytest.raises(Unavailable) as caught:
            signed(EntraAuth(login, GUID, GUID, "secret", SCOPE))
    assert caught.value.retry_after == seconds


def test_a_token_answer_over_its_limit_is_no_token(world: Sandbox, auth: EntraAuth) -> None:
    given = {"access_token": "t", "token_type": "Bearer", "expires_in": 3599, "more": "x" * 70_000}
    world.faults.add(Rule(Answer(200, json.dumps(given).encode()), "entra", path=TOKEN))
    with pytest.raises(Unavailable, match="over the limit"):
        signed(auth)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_documented_endpoint_of_each_cloud_gives_the_token(cloud: Cloud) -> None:
    """No detour over another host, which a sovereign network may not reach."""
    login = CLOUDS[cloud].login
    url = f"{login}/{GUID}{TOKEN}"
    with requests_mock.Mocker() as wire:
        wire.post(url, json={"access_token": "t", "token_type": "Bearer", "expires_in": 3599})
        assert signed(EntraAuth(login, GUID, GUID, "secret", SCOPE)) == "Bearer t"
    assert [(each.method, each.url) for each in wire.request_history] == [("POST", url)]


def test_a_credential_is_sent_to_no_other_address() -> None:
    with requests_mock.Mocker() as wire:
        http = TokenHttp("https://login.example/t/oauth2/v2.0", TimeoutSession())
        with pytest.raises(ValueError, match="token endpoint only"):
            http.post("https://evil.example/t/oauth2/v2.0/token", data={"client_secret": "s"})
    assert wire.request_history == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", ["{intake}/token", "{entra}/token", "http://[x"])
def test_no_redirect_leads_the_secret_elsewhere(
    world: Sandbox, auth: EntraAuth, status: int, elsewhere: str
) -> None:
    location = elsewhere.format(intake=world.url("intake"), entra=world.url("entra"))
    world.faults.add(Rule(Answer(status, headers={"Location": location}), "entra", times=None))
    with pytest.raises(Unavailable, match="redirected the token request") as caught:
        signed(auth)
    assert caught.value.detail == f"status {status}"
    assert world.request_log.count() == 1


@pytest.mark.parametrize(
    ("seconds", "tokens"),
    [
        pytest.param(360, 1, id="six minutes left: kept"),
        pytest.param(240, 3, id="four minutes left: renewed"),
    ],
)
def test_a_token_is_renewed_five_minutes_before_it_expires(
    world: Sandbox, auth: EntraAuth, seconds: int, tokens: int
) -> None:
    world.entra.token_lifetime = timedelta(seconds=seconds)
    assert len({signed(auth) for _ in range(3)}) == tokens


def test_nothing_is_asked_before_the_first_request(world: Sandbox, auth: EntraAuth) -> None:
    assert world.request_log.count() == 0


def test_a_verified_domain_names_the_tenant_as_well_as_its_guid(world: Sandbox) -> None:
    assert signed(applied(world, tenant_id=world.entra.domain)).startswith("Bearer ")


def test_a_refused_token_is_replaced_once_until_one_is_accepted(
    world: Sandbox, auth: EntraAuth
) -> None:
    first = signed(auth)
    assert auth.renew()
    second = signed(auth)
    assert not auth.renew()
    assert len({first, second, signed(auth)}) == 3, "it is replaced all the same"
    auth.proven()
    assert auth.renew()


def test_there_is_nothing_to_drop_before_the_first_token(world: Sandbox, auth: EntraAuth) -> None:
    assert auth.renew()
    assert signed(auth).startswith("Bearer ")
    assert world.entra.issued == 1


def test_a_revoked_token_costs_one_renewal_and_no_page(
    world: Sandbox, auth: EntraAuth, clock: TurnedClock, log: Logbook
) -> None:
    reporting = client(world, auth, clock, log, basic=False)
    for _ in range(3):
        assert len(list(reporting.pages(minutes(-60, -5)))) == 1
        world.entra.revoke_all()
    assert world.entra.issued == 3
    assert world.request_log.count("reporting", 401) == 2
    assert log.lines == []
    assert clock.waits == []


# Refusals


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_each_error_of_entra_says_its_sentence(world: Sandbox, auth: EntraAuth, code: int) -> None:
    world.entra.forced = EntraError(code)
    with pytest.raises(Refused) as caught:
        signed(auth)
    assert (type(caught.value), caught.value.sentence) == REFUSALS[code]
    assert f"AADSTS{code}" in caught.value.detail


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_a_sentence_names_a_place_or_a_setting(code: int) -> None:
    _, sentence = REFUSALS[code]
    named = ("Azure portal", "tenant_id", "federated_token_file", "setting cloud")
    assert any(name in sentence for name in named)
    assert sentence.endswith((".", ".)"))


def without(
    *names: str, code: int = 7000215, text: str = "AADSTS7000215: Invalid client secret."
) -> Answer:
    """A refusal without those members."""
    members = {"error": "invalid_client", "error_description": text, "error_codes": [code]}
    body = {name: value for name, value in members.items() if name not in names}
    return Answer(401, json.dumps(body).encode())


@pytest.mark.parametrize("text", ["AADSTS7000215: Invalid", "\r\nAADSTS7000215 and AADSTS90002"])
@pytest.mark.parametrize("names", [("error_codes",), ("error_codes", "error")], ids=str)
def test_a_number_is_read_from_the_description_where_there_is_no_other(
    world: Sandbox, auth: EntraAuth, names: tuple[str, ...], text: str
) -> None:
    world.faults.add(Rule(without(*names, text=text), "entra", path=TOKEN))
    with pytest.raises(Misconfigured, match="The client secret is wrong") as caught:
        signed(auth)
    assert caught.value.detail.endswith(", AADSTS7000215")


@pytest.mark.parametrize(
    "text", ["AADSTSx", "see AADSTS7000215", "AADSTS7000215000", None, 7000215, ["AADSTS1"]]
)
def test_a_description_that_begins_with_no_number_has_none(
    world: Sandbox, auth: EntraAuth, text: Any
) -> None:
    world.faults.add(Rule(without("error_codes", text=text), "entra", path=TOKEN))
    with pytest.raises(Misconfigured, match="Compare tenant_id, client_id") as caught:
        signed(auth)
    assert caught.value.detail == "status 401, invalid_client"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(400),
        Answer(401, b"{}"),
        html_page(403),
        html_page(404),
        Answer(400, b'{"error": null}'),
    ],
    ids=["nothing", "an empty object", "a page", "no such page", "no error"],
)
def test_a_refusal_without_an_error_code_is_none_of_entra_and_passes_by_itself(
    world: Sandbox, auth: EntraAuth, fault: Answer
) -> None:
    world.faults.add(Rule(fault, "entra", path=TOKEN))
    with pytest.raises(Unreachable, match="in Entra ID's place") as caught:
        signed(auth)
    assert "have the administrator of the proxy or the network" in caught.value.sentence
    assert signed(auth).startswith("Bearer ")


@pytest.mark.parametrize("code", [70011, 900144])
def test_an_error_without_a_sentence_is_a_mistake_in_the_settings(
    world: Sandbox, auth: EntraAuth, code: int
) -> None:
    world.entra.forced = EntraError(code)
    with pytest.raises(Misconfigured, match="Compare tenant_id, client_id") as caught:
        signed(auth)
    assert f"AADSTS{code}" in caught.value.detail


def wrong_secret(world: Sandbox) -> EntraAuth:
    return applied(world, credential="another secret")


def expired_secret(world: Sandbox) -> EntraAuth:
    world.app.secrets[world.identity.client_secret] = world.now() - timedelta(days=1)
    return applied(world)


def unknown_application(world: Sandbox) -> EntraAuth:
    return applied(world, client_id=GUID)


def unknown_tenant(world: Sandbox) -> EntraAuth:
    return applied(world, tenant_id=GUID)


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        (wrong_secret, 7000215),
        (expired_secret, 7000222),
        (unknown_application, 700016),
        (unknown_tenant, 90002),
    ],
    ids=["wrong secret", "expired secret", "unknown application", "unknown tenant"],
)
def test_a_mistake_in_the_settings_is_recognised(world: Sandbox, mistake: Any, code: int) -> None:
    with pytest.raises(Misconfigured) as caught:
        signed(mistake(world))
    assert caught.value.sentence == REFUSALS[code][1]
    assert world.request_log.count("entra") == 1


def test_after_a_refusal_entra_is_asked_again_at_once(world: Sandbox, auth: EntraAuth) -> None:
    world.entra.forced = EntraError(7000222)
    with pytest.raises(Misconfigured):
        signed(auth)
    world.entra.forced = None
    assert signed(auth).startswith("Bearer ")


# What passes by itself


@pytest.mark.parametrize("code", [90006, 90012, 90024, 90033, 90055])
def test_a_transient_error_of_entra_passes_by_itself(
    world: Sandbox, auth: EntraAuth, code: int
) -> None:
    world.entra.forced = EntraError(code, headers={"Retry-After": "17"})
    with pytest.raises(Unavailable, match=f"AADSTS{code}") as caught:
        signed(auth)
    assert caught.value.retry_after == 17
    world.entra.forced = None
    assert signed(auth).startswith("Bearer ")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Answer(500, b"{}"), id="500"),
        pytest.param(Answer(503, b"busy", "text/plain"), id="503 without JSON"),
        pytest.param(Answer(429, b"", headers={"Retry-After": "soon"}), id="429"),
        pytest.param(html_page(), id="HTML with status 200"),
        pytest.param(Answer(200, b"[]"), id="JSON of another shape"),
        pytest.param(Answer(200, b"{}"), id="empty object"),
        pytest.param(Answer(200, b"null"), id="null"),
        pytest.param(Answer(200, b'{"token_endpoint'), id="cut JSON"),
        pytest.param(Answer(400, b'{"error_codes": 7000215}' + b" " * 99_999), id="over the limit"),
        pytest.param(Answer(302, headers={"Location": "https://127.0.0.1:9/"}), id="redirect"),
        pytest.param(Drop(), id="dropped connection"),
        pytest.param(Truncate(), id="truncated body"),
        pytest.param(Hang(), id="no answer"),
    ],
)
def test_a_fault_of_entra_passes_by_itself(world: Sandbox, auth: EntraAuth, fault: Fault) -> None:
    world.faults.add(Rule(fault, "entra", path=TOKEN))
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(fault, Hang):
            patch.setattr(session_module, "READ_TIMEOUT", 0.5)
        with pytest.raises(Unavailable, match="Entra ID"):
            signed(auth)
    assert signed(auth).startswith("Bearer "), "the next request gets its token"


def test_a_token_request_that_never_ends_blocks_no_other_one_and_ends_at_the_deadline(
    world: Sandbox, auth: EntraAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "TOTAL_TIMEOUT", 3.0)
    world.faults.add(Rule(Drip(pause=0.05), "entra", path=TOKEN))
    failures: list[Unavailable] = []

    def hang() -> None:
        with pytest.raises(Unavailable, match="not whole in time") as caught:
            signed(auth)
        failures.append(caught.value)

    began = monotonic()
    first = Thread(target=hang)
    first.start()
    while world.request_log.count("entra") == 0 and first.is_alive():
        sleep(0.01)
    assert signed(auth).startswith("Bearer ")
    assert first.is_alive(), "while the first one still hangs"
    first.join()
    assert len(failures) == 1
    assert monotonic() - began < 6


def test_entra_out_of_reach_passes_by_itself(world: Sandbox) -> None:
    with pytest.raises(Unreachable, match="cannot be reached on port"):
        signed(applied(world, login_url=f"https://127.0.0.1:{unclaimed_ports(1)[0]}"))


def test_entra_that_is_not_trusted_gets_no_secret(
    world: Sandbox, auth: EntraAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Unavailable, match="SSLError"):
        signed(auth)
    assert world.request_log.count() == 0


def test_an_entra_fault_is_waited_out_like_one_of_the_service(
    world: Sandbox, auth: EntraAuth, clock: TurnedClock, log: Logbook
) -> None:
    world.faults.add(Rule(Answer(503, b"{}"), "entra", times=3))
    assert len(list(client(world, auth, clock, log, basic=False).pages(minutes(-60, -5)))) == 1
    assert len(clock.waits) == 3
    assert "Entra ID gives no token at the moment" in log.texts("warning")[0]


# Secrets


@pytest.mark.parametrize(
    "mistake",
    [wrong_secret, expired_secret, unknown_application, unknown_tenant],
    ids=["wrong secret", "expired secret", "unknown application", "unknown tenant"],
)
def test_no_failure_shows_a_secret(world: Sandbox, mistake: Any) -> None:
    with pytest.raises(Refused) as caught:
        signed(mistake(world))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__cause__)
    assert world.identity.client_secret not in shown
    assert "another secret" not in shown


def test_an_answer_of_entra_never_ends_up_in_a_failure(world: Sandbox, auth: EntraAuth) -> None:
    signed(auth)
    token = signed(auth).removeprefix("Bearer ")
    auth.renew()
    leaking = f'{{"error":"invalid_grant","error_description":"{token}","error_codes":[1]}}'
    world.faults.add(Rule(Answer(400, leaking.encode()), "entra"))
    with pytest.raises(Misconfigured) as caught:
        signed(auth)
    assert token not in "".join(traceback.format_exception(caught.value))
    assert token not in repr(vars(caught.value))


def test_no_error_code_of_entra_carries_what_is_none(world: Sandbox, auth: EntraAuth) -> None:
    form = f"invalid_client\n\x1b[2Jclient_secret={world.identity.client_secret}"
    world.faults.add(Rule(Answer(400, json.dumps({"error": form}).encode()), "entra"))
    with pytest.raises(Misconfigured) as caught:
        signed(auth)
    assert caught.value.detail == "status 400, no error code"


def test_a_token_is_not_shown_by_what_holds_it(world: Sandbox, auth: EntraAuth) -> None:
    token = signed(auth).removeprefix("Bearer ")
    assert token not in repr(auth)
    assert world.identity.client_secret not in repr(auth)


# Account and password


def test_an_account_with_a_password_beyond_ascii_is_accepted(
    world: Sandbox, clock: TurnedClock, log: Logbook
) -> None:
    world.reporting.options.basic_auth = True
    who = world.identity
    assert not who.account_password.isascii()
    account = BasicAuth(who.account_name, who.account_password)
    assert len(list(client(world, account, clock, log, basic=True).pages(minutes(-60, -5)))) == 1
    assert world.request_log.count("entra") == 0


@pytest.mark.parametrize(
    "allowed", [True, False], ids=["wrong password", "basic authentication switched off"]
)
def test_a_refused_password_is_a_mistake_in_the_settings(
    world: Sandbox, clock: TurnedClock, log: Logbook, allowed: bool
) -> None:
    world.reporting.options.basic_auth = allowed
    who = world.identity
    account = BasicAuth(who.account_name, "wrong" if allowed else who.account_password)
    with pytest.raises(Misconfigured, match="account_password") as caught:
        list(client(world, account, clock, log, basic=True).pages(minutes(-60, -5)))
    assert "Graph API" in caught.value.sentence
    assert who.account_password not in repr(caught.value)
    assert world.request_log.count("reporting") == 1, "the same password is not tried twice"


def test_an_account_without_a_role_is_told_which_to_assign(
    world: Sandbox, clock: TurnedClock, log: Logbook
) -> None:
    world.faults.add(Rule(Answer(403), "reporting", times=None))
    account = BasicAuth(world.identity.account_name, world.identity.account_password)
    with pytest.raises(Refused, match="Assign Reports Reader and Security Reader"):
        list(client(world, account, clock, log, basic=True).pages(minutes(-60, -5)))
