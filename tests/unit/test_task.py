"""Reports of actions and of the credential test: sent to the platform only, with limits on its answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sekoia_automation.exceptions import SendEventError
from sekoia_automation.module import Module

from office365_message_trace.account_validator import MessageTraceAccountValidator
from office365_message_trace.sekoia import playbook, task
from tests.unit.test_session import HEAD, drips, floods, says, serving

OK = says(HEAD + b"Content-Length: 2\r\n\r\n{}")
RESULTS = {"status": "finished", "results": {"success": True}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(task, "ATTEMPTS", 1)


def report(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    values = {"CALLBACK_URL_FILE_NAME": url, "TOKEN_FILE_NAME": "a token"}
    item = MessageTraceAccountValidator(Module())
    for name, value in values.items():
        monkeypatch.setenv(getattr(item, name).upper(), value)
    return item._send_request(RESULTS, verb="PATCH")


def test_a_report_reaches_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OK) as server:
        assert report(server.url, monkeypatch).body == b"{}"
        assert server.heads[0].startswith(b"PATCH ")
        assert b"\r\nAuthorization: Bearer a token\r\n" in server.heads[0]
        length = len(json.dumps(RESULTS))
        assert f"\r\nContent-Length: {length}\r\n".encode() in server.heads[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_report_is_led_nowhere(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with serving(OK) as other:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n"
        with serving(says(head.encode())) as server, pytest.raises(SendEventError):
            report(server.url, monkeypatch)
        assert other.heads == []


def test_no_login_of_others_goes_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("default login somebody password something\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    with serving(OK) as server:
        report(server.url, monkeypatch)
        assert b"\r\nAuthorization: Bearer a token\r\n" in server.heads[0]


@pytest.mark.parametrize("conduct", [drips(HEAD, b"X"), floods(HEAD + b"\r\n", b"0" * 65536)])
def test_an_answer_without_end_ends(monkeypatch: pytest.MonkeyPatch, conduct: Any) -> None:
    monkeypatch.setattr(playbook, "REPORT_TIMEOUT", 0.3)
    with serving(conduct) as server, pytest.raises(SendEventError):
        report(server.url, monkeypatch)


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_is_told_as_the_sdk_expects(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"
    with serving(says(head.encode())) as server, pytest.raises(SendEventError) as refused:
        report(server.url, monkeypatch)
    assert refused.value.status_code == status


def test_a_fault_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "ATTEMPTS", 2)
    with serving(says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), OK) as server:
        assert report(server.url, monkeypatch).status == 200
        assert len(server.heads) == 2
