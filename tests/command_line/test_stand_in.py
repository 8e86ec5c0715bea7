"""What stands in for the platform where ``run`` starts a trigger."""

from __future__ import annotations

import gzip
import json

import pytest
import requests

from office365_message_trace.cli import stand_in as module
from office365_message_trace.cli.stand_in import stand_in

DIRECTLY = {"http": "", "https": ""}
EVENTS = ['{"subject": "Hello"}', '{"subject": "\u202eevil"}']


def test_it_has_no_secrets_and_takes_log_lines() -> None:
    with stand_in() as url:
        secrets = requests.get(f"{url}/secrets", proxies=DIRECTLY, timeout=5)
        logs = requests.post(f"{url}/logs", json={"logs": []}, proxies=DIRECTLY, timeout=5)
    assert (secrets.json(), logs.json()) == ({}, {})


@pytest.mark.parametrize("packed", [False, True])
def test_events_are_printed_as_they_are_and_each_gets_an_id(
    capsys: pytest.CaptureFixture[str], packed: bool
) -> None:
    body = json.dumps({"intake_key": "screen", "jsons": EVENTS}).encode()
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with stand_in() as url:
        answer = requests.post(
            f"{url}/batch",
            data=gzip.compress(body) if packed else body,
            headers=headers,
            proxies=DIRECTLY,
            timeout=5,
        )
    assert len(answer.json()["event_ids"]) == len(EVENTS)
    assert capsys.readouterr().out.splitlines() == EVENTS


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"jsons": [1]}', b"\x1f\x8b\x08"], ids=str)
def test_what_is_no_batch_is_refused_without_a_word(
    capsys: pytest.CaptureFixture[str], packed: bool, body: bytes
) -> None:
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with stand_in() as url:
        answer = requests.post(
            f"{url}/batch", data=body, headers=headers, proxies=DIRECTLY, timeout=5
        )
    assert answer.status_code in (400, 413)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_obeys_no_event(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_in() as url:
        monkeypatch.setattr(module.sys.stdout, "isatty", lambda: True)
        requests.post(f"{url}/batch", json={"jsons": EVENTS}, proxies=DIRECTLY, timeout=5)
    assert "\u202e" not in capsys.readouterr().out


def test_a_request_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 10)
    with stand_in() as url:
        answer = requests.post(f"{url}/logs", data=b"x" * 11, proxies=DIRECTLY, timeout=5)
    assert answer.status_code == 413
