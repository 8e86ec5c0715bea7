"""Secrets, subjects and addresses are forwarded or sent where they belong, and show up nowhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import pytest

from sandbox import Answer, Drop, Rule, Truncate, html_page, make_row
from sandbox.entra import EXCHANGE
from tests.end_to_end.scene import Credential, OpenScene, Reach, Scene
from tests.end_to_end.tracker import Tracker, open_tracker

MESSAGE: dict[str, Any] = {
    "Subject": "canary subject of the merger",
    "SenderAddress": "canary.sender@outside.example",
    "RecipientAddress": "canary.recipient@contoso.example",
    "FromIP": "203.0.113.199",
    "MessageId": "<canary.message.id@outside.example>",
}
TOO_LONG = "canary of an event that is too long " * 10_000


def canaries(scene: Scene) -> dict[str, str]:
    """What must not show, by name. All tokens of the sandbox begin alike."""
    who = scene.world.identity
    return {
        "client secret": who.client_secret,
        "intake key": who.intake_key,
        "playbook token": who.token,
        "account password": who.account_password,
        "account and password": f"{who.account_name}:{who.account_password}",
        "access token": token_of(scene).partition(".")[0],
        "too long": TOO_LONG[:30],
        **proofs(scene),
        **MESSAGE,
    }


def proofs(scene: Scene) -> dict[str, str]:
    """What the application proves its identity with, where it has no secret."""
    world = scene.world
    found = {f"assertion {n}": signature(text) for n, text in enumerate(world.entra.assertions)}
    if world.key_pair is not None:
        lines = world.key_pair.key_pem.splitlines()[1:-1]
        found |= {f"line {n} of the key": line for n, line in enumerate(lines)}
    if world.issuer is not None:
        found["federated token"] = signature(world.token_file.read_text())
    return found


def signature(token: str) -> str:
    """The part of a signed token that no other one has."""
    return token.strip().rpartition(".")[2]


def token_of(scene: Scene) -> str:
    """A token that the services accept."""
    who = scene.world.identity
    form = {
        "grant_type": "client_credentials",
        "client_id": who.client_id,
        "client_secret": who.client_secret,
        "scope": f"{EXCHANGE}/.default",
    }
    token: str = scene.world.entra.authenticate(who.tenant_id, form)["access_token"]
    return token


def encoded(text: str) -> set[bytes]:
    """The ways in which a text may be written."""
    forms = {text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text), quote_plus(text)}
    plain = text.encode()
    return {form.encode() for form in forms} | {
        base64.b64encode(plain).rstrip(b"="),
        base64.urlsafe_b64encode(plain).rstrip(b"="),
        plain.hex().encode(),
    }


def shown_in(haystack: bytes, scene: Scene) -> list[str]:
    """The names of the canaries that `haystack` shows."""
    return [
        name
        for name, text in canaries(scene).items()
        if any(form in haystack for form in encoded(text))
    ]


def echo(scene: Scene, status: int, service: str, **when: Any) -> None:
    """Have a service answer with all that a careless server or proxy repeats of a request."""
    who = scene.world.identity
    basic = base64.b64encode(f"{who.account_name}:{who.account_password}".encode()).decode()
    said = (
        f"Authorization: Bearer {token_of(scene)}; Authorization: Basic {basic}; "
        f"client_secret={who.client_secret}; intake_key: {who.intake_key}; "
        f"client_assertion={'; '.join(proofs(scene).values())}"
    )
    body = {
        "error": {"code": "", "message": {"lang": "en-US", "value": said}},
        "error_description": said,
        "message": said,
    }
    if service == "entra":
        body["error"] = "invalid_client"
    answer = Answer(status, json.dumps(body).encode())
    scene.world.faults.add(Rule(answer, service, **when))


def troubles_that_pass(scene: Scene) -> None:
    """One of each, in the order of the requests; in the end everything arrives."""
    echo(scene, 500, "entra", path="/token")
    echo(scene, 401, "reporting", nth=2)
    echo(scene, 500, "reporting", nth=3)
    echo(scene, 500, "intake", nth=2)
    for nth, fault in enumerate((Drop(), html_page(), Truncate()), 4):
        scene.world.faults.add(Rule(fault, "reporting", nth=nth))
    scene.world.faults.add(Rule(Drop(), "intake", nth=4))


def always_401(scene: Scene) -> None:
    echo(scene, 401, "reporting", times=None)


def always_403(scene: Scene) -> None:
    echo(scene, 403, "reporting", times=None)


def always_400(scene: Scene) -> None:
    echo(scene, 400, "reporting", times=None)


def refused_secret(scene: Scene) -> None:
    echo(scene, 401, "entra", path="/token", times=None)


def damaged_token(scene: Scene) -> None:
    """Once, the answer with the token lacks its closing brace."""
    answer = json.dumps({"token_type": "Bearer", "access_token": token_of(scene)})
    scene.world.faults.add(Rule(Answer(200, answer[:-1].encode()), "entra", path="/token"))


def refused_key(scene: Scene) -> None:
    echo(scene, 403, "intake", times=None)


def refused_by_platform(scene: Scene) -> None:
    echo(scene, 401, "playbook", path="/logs", times=None)


def defect(where: str, kind: str = "caught") -> Reach:
    """A defect of this module: the method ``where`` raises."""

    def spoil(scene: Scene) -> None:
        scene.process.command[1] = str(Path(__file__).with_name("defective.py"))
        scene.process.environment["DEFECT"] = f"{kind}:{where}"

    return spoil


def until_all_but_one_is_delivered(scene: Scene) -> None:
    """The event that is too long is left out."""
    scene.process.wait_until(lambda: scene.world.intake.counts.events >= scene.rows - 1)
    scene.process.wait_until_quiet()


def until_error(scene: Scene) -> None:
    scene.wait_until_log("error", "critical")


def until_log_is_refused(scene: Scene) -> None:
    scene.wait_until_struck("playbook")


CASES: dict[str, tuple[Literal["oauth", "basic"], Reach, Reach]] = {
    "disturbances that pass": ("oauth", troubles_that_pass, until_all_but_one_is_delivered),
    "a token that is refused": ("oauth", always_401, until_error),
    "a role that is missing": ("oauth", always_403, until_error),
    "a request that is refused": ("basic", always_400, until_error),
    "a secret that is refused": ("oauth", refused_secret, until_error),
    "a password that is refused": ("basic", always_401, until_error),
    "a token answer that is damaged": (
        "oauth",
        damaged_token,
        until_all_but_one_is_delivered,
    ),
    "a certificate that is refused": ("oauth", refused_secret, until_error),
    "a federated token that is refused": ("oauth", refused_secret, until_error),
    "a certificate that is accepted": ("oauth", troubles_that_pass, until_all_but_one_is_delivered),
    "a federated token that is accepted": (
        "oauth",
        troubles_that_pass,
        until_all_but_one_is_delivered,
    ),
    "an intake key that is refused": ("oauth", refused_key, until_error),
    "a defect at a row": (
        "oauth",
        defect("microsoft.reporting:ReportingClient:render"),
        until_error,
    ),
    "a defect at a page": ("oauth", defect("collect.ledger:Ledger:unseen"), until_error),
    "a defect at a request": (
        "basic",
        defect("microsoft.reporting:ReportingClient:first_url"),
        until_error,
    ),
    "a defect at a push": ("oauth", defect("sekoia.intake:BatchPusher:_post"), until_error),
    "a defect at the start": (
        "oauth",
        defect("collect.checkpoint_store:CheckpointStore:load"),
        until_error,
    ),
    "a defect in the loop": ("basic", defect("collect.collector:Collector:run"), until_error),
    "a defect that the SDK reports": (
        "oauth",
        defect("collect.collector:Collector:_step", "reported"),
        until_error,
    ),
    "a defect that the SDK logs": (
        "oauth",
        defect("triggers:MessageTraceOAuthTrigger:run", "once"),
        until_error,
    ),
    "logs that are refused": ("basic", refused_by_platform, until_log_is_refused),
}


def credential_of(case: str) -> Credential:
    """What the application of a case signs in with."""
    if "certificate" in case:
        return "certificate"
    return "federated" if "federated" in case else "secret"


@pytest.fixture(scope="module")
def trackers() -> Iterator[dict[str, Tracker]]:
    """An error tracker for each case, which gets what the platform's own would get."""
    with ExitStack() as opened:
        yield {name: opened.enter_context(open_tracker()) for name in CASES}


@pytest.fixture(scope="module")
def scenes(open_scene: OpenScene, trackers: dict[str, Tracker]) -> dict[str, Scene]:
    """One running process for each case, each with messages that hold canaries."""
    opened = {}
    for name, (trigger, trouble, _) in CASES.items():
        scene = opened[name] = open_scene(trigger, credential=credential_of(name))
        # `token_of` signs in with the secret, whatever the process does.
        scene.world.app.secrets[scene.world.identity.client_secret] = None
        received = scene.world.now() - timedelta(minutes=20)
        scene.world.tenant.add(make_row(received, **MESSAGE))
        scene.world.tenant.add(make_row(received, **{**MESSAGE, "Subject": TOO_LONG}))
        trouble(scene)
        scene.process.environment["SENTRY_DSN"] = trackers[name].dsn
        scene.start()
    return opened


@pytest.mark.parametrize("case", CASES)
def test_no_secret_subject_or_address_shows_outside_of_the_events_with(
    scenes: dict[str, Scene], trackers: dict[str, Tracker], case: str
) -> None:
    scene, (_, _, reach) = scenes[case], CASES[case]
    reach(scene)
    seen = {"metrics": scene.metrics().encode(), "health": scene.health().content}
    assert scene.process.stop().status == 0
    seen["output"] = scene.process.output_file.read_bytes()
    seen["logs"] = json.dumps(scene.world.playbook.logs).encode()
    seen["error tracker"] = b"".join(trackers[case].envelopes)
    seen["callbacks"] = json.dumps(scene.world.playbook.callbacks).encode()
    for file in scene.process.data.rglob("*"):
        seen[str(file)] = str(file).encode() + (file.read_bytes() if file.is_file() else b"")

    assert len(seen) > 5, "there is no state to search"
    assert {place: shown for place in seen if (shown := shown_in(seen[place], scene))} == {}


@pytest.mark.parametrize("service", ["entra", "reporting", "intake", "playbook"])
def test_no_request_carries_headers_of_the_error_tracker(
    scenes: dict[str, Scene], service: str
) -> None:
    """Its client would add some: an id of this process, the tracker's key and environment."""
    scene = scenes["disturbances that pass"]
    if scene.process.running:
        until_all_but_one_is_delivered(scene)
    entries = scene.world.request_log.entries(service)
    assert entries
    traces = {"sentry-trace", "baggage", "traceparent"}
    assert [each for each in entries if each.headers & traces] == []


def test_the_search_finds_what_is_there(scenes: dict[str, Scene]) -> None:
    scene = scenes["disturbances that pass"]
    if scene.process.running:
        until_all_but_one_is_delivered(scene)
    events = "".join(scene.world.intake.events).encode()
    assert sorted(shown_in(events, scene)) == sorted(MESSAGE)
    who = scene.world.identity
    login = base64.b64encode(f"{who.account_name}:{who.account_password}".encode())
    assert "account and password" in shown_in(b"Basic " + login, scene)


def test_the_error_tracker_is_told_what_failed_where(
    scenes: dict[str, Scene], trackers: dict[str, Tracker]
) -> None:
    """And nothing beside that, whatever the client adds to each report by itself."""
    case = "a defect that the SDK reports"
    scenes[case].process.wait_until(lambda: len(trackers[case].events) > 1)
    caught, said = trackers[case].events[:2]
    (exception,) = caught["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "An unexpected fault stopped the collection" in said["message"]
    assert said["tags"]["name"] == "message_trace_oauth"
    for report in trackers[case].events:
        assert report.keys() <= {
            *(
                "event_id",
                "timestamp",
                "platform",
                "level",
                "release",
                "environment",
                "tags",
                "sdk",
            ),
            *("message", "exception", "contexts", "extra", "modules", "server_name"),
            *("transaction_info",),
        }


@pytest.mark.parametrize("kind", ["certificate", "federated token"])
def test_a_proof_of_identity_was_sent_and_would_be_found(
    scenes: dict[str, Scene], kind: str
) -> None:
    scene = scenes[f"a {kind} that is accepted"]
    if scene.process.running:
        until_all_but_one_is_delivered(scene)
    sent = scene.world.entra.assertions[-1]
    found = shown_in(json.dumps({"client_assertion": sent}).encode(), scene)
    assert any(name.startswith("assertion") for name in found)
    settings = scene.process.environment["TRIGGER_CONFIGURATION"].encode()
    assert ("line 0 of the key" in shown_in(settings, scene)) == (kind == "certificate")
