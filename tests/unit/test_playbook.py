"""Whatever the playbook API answers, asking it ends soon, within limits, with secrets or a failure that passes."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sekoia_automation.module import Module

from office365_message_trace.errors import Unavailable
from office365_message_trace.sekoia import playbook
from office365_message_trace.transport.session import LATE
from office365_message_trace.triggers import MessageTraceOAuthTrigger
from sandbox import Delay, Rule, Sandbox
from tests.support import NOON
from tests.unit.test_session import (
    HEAD,
    drips,
    floods,
    requests_under_way,
    says,
    serving,
    settles,
)
from tests.ways import Conduct, silent


def secrets(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = playbook.http().begin(playbook.secrets_request(url, "token"))()
    return playbook.secrets_in(answer, NOON)


def json_answer(value: object) -> Conduct:
    return says(HEAD + b"\r\n" + json.dumps(value).encode())


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ({}, ({}, {})),
        ({"value": None, "node_value": None}, ({}, {})),
        ({"value": {"a": 1}}, ({"a": 1}, {})),
        ({"value": {}, "node_value": {"b": "s", "c": None}}, ({}, {"b": "s", "c": None})),
    ],
)
def test_secrets_of_the_module_and_of_the_trigger_are_given(answer: object, given: object) -> None:
    with serving(json_answer(answer)) as server:
        assert secrets(server.url) == given
        assert b"\r\nAuthorization: Bearer token\r\n" in server.heads[0]


def test_the_token_is_in_no_text_of_a_request() -> None:
    assert "canary" not in repr(playbook.secrets_request("https://api.example/secrets", "canary"))


NO_SECRETS = {
    "no answer": (says(), "closes the connection"),
    "a refusal": (says(b"HTTP/1.1 401 No\r\n\r\n"), "status 401"),
    "a fault": (says(b"HTTP/1.1 503 No\r\n\r\n"), "status 503"),
    "a redirect": (says(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), "status 302"),
    "a redirect to no address": (says(b"HTTP/1.1 308 X\r\nLocation: http://[x\r\n\r\n"), "308"),
    "a page": (says(HEAD + b"\r\n<html>canary</html>"), "without secrets"),
    "half of it": (says(HEAD + b"\r\n" + b'{"value": {"canary'), "without secrets"),
    "a torn answer": (says(HEAD + b"Content-Length: 99\r\n\r\n{}"), "ProtocolError"),
    "brackets": (says(HEAD + b"\r\n" + b"[" * 100_000), "without secrets"),
    "a list": (json_answer(["canary"]), "without secrets"),
    "a number": (json_answer(7), "without secrets"),
    "a list of secrets": (json_answer({"value": ["canary"]}), "without secrets"),
    "a text for secrets": (json_answer({"node_value": "canary"}), "without secrets"),
    "an answer without end": (floods(HEAD + b"\r\n", b" " * 100_000), "over 1048576 bytes"),
}


@pytest.mark.parametrize("answer", NO_SECRETS)
def test_what_gives_no_secrets_is_a_failure_that_passes(answer: str) -> None:
    behaviour, detail = NO_SECRETS[answer]
    with serving(behaviour) as server:
        with pytest.raises(Unavailable, match=detail) as caught:
            secrets(server.url)
        assert len(server.heads) == 1
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 401, 503])
def test_lines_that_are_not_taken_are_a_failure_that_passes(status: int) -> None:
    def refuses(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status} No\r\nLocation: http://[x\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        silent(connection)  # else what is left of the request would reset the connection

    with (
        serving(refuses) as server,
        pytest.raises(Unavailable, match=f"status {status}"),
    ):
        playbook.send_logs(server.url, "token", [{"message": "a"}])


@pytest.mark.parametrize(
    "behaviour", [silent, drips(HEAD + b"\r\n", b" ")], ids=["silent", "drips"]
)
def test_an_answer_that_does_not_come_to_an_end_is_ended(
    behaviour: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook, "TOTAL_TIMEOUT", 0.3)
    with serving(behaviour) as server:
        with pytest.raises(Unavailable, match=LATE):
            secrets(server.url)
        with pytest.raises(Unavailable, match=LATE):
            playbook.send_logs(server.url, "token", [{"message": "a"}])
    assert settles(lambda: len(requests_under_way()), 0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def trigger(world: Sandbox, tmp_path: Path) -> Iterator[MessageTraceOAuthTrigger]:
    """One whose process keeps its handlers of signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield MessageTraceOAuthTrigger(Module(), tmp_path)  # type: ignore[no-untyped-call]
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_line_that_is_logged_while_others_are_sent_follows_them(
    world: Sandbox, trigger: MessageTraceOAuthTrigger
) -> None:
    """Without waiting for the timer, which a process that ends has stopped."""
    rule = world.faults.add(Rule(Delay(0.3), "playbook", path="/logs"))
    trigger.log("first", "error")
    assert settles(lambda: 1 - rule.struck, 0)
    trigger.log("last", "error")
    assert settles(lambda: 2 - len(world.playbook.logs), 0)
    assert world.playbook.messages() == ["first", "last"]
