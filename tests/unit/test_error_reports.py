"""What leaves the process beside events holds nothing of rows, credentials or answers."""

import logging
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
import requests

from office365_message_trace.monitoring.error_reports import bare_report, mute_libraries

ODD = b"HTTP/1.1 200 OK\r\nX: 1\r\nsecret \x1b[2J line without a colon\r\nY: 2\r\n\r\n"


@pytest.fixture
def odd_server() -> Iterator[str]:
    """A server whose answers have a header line that is none."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(ODD)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/?$filter=recipient"
        listener.shutdown(socket.SHUT_RDWR)


def test_no_library_logs_a_header_line_or_an_address(
    odd_server: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3"), "level", logging.NOTSET)
    requests.get(odd_server, timeout=5)
    assert "without a colon" in caplog.text, "the library logs it by itself"
    caplog.clear()
    mute_libraries()
    requests.get(odd_server, timeout=5)
    assert caplog.text == ""


REPORT: dict[str, Any] = {
    "event_id": "1",
    "level": "error",
    "tags": {"name": "message_trace_oauth"},
    "breadcrumbs": {"values": [{"data": {"url": "secret"}}]},
    "contexts": {"module_configuration": {"intake_key": "secret"}},
    "request": {"headers": {"Authorization": "secret"}},
    "extra": {"response_content": "secret"},
    "exception": {
        "values": [
            {
                "type": "RuntimeError",
                "module": "builtins",
                "value": "secret",
                "stacktrace": {
                    "frames": [
                        {"function": "push", "lineno": 7, "vars": {"key": "secret"}},
                    ]
                },
            }
        ]
    },
}


def test_a_report_says_what_was_raised_where_and_no_more() -> None:
    bare = bare_report(REPORT, {})  # type: ignore[arg-type]
    assert bare is not None
    assert "secret" not in str(bare)
    (raised,) = bare["exception"]["values"]
    assert raised["type"] == "RuntimeError"
    (frame,) = raised["stacktrace"]["frames"]
    assert (frame["function"], frame["lineno"]) == ("push", 7)
    assert bare["tags"] == REPORT["tags"]


def test_a_sentence_is_reported_in_printable_form() -> None:
    bare = bare_report({"message": "a\n\x1b[2J\ud800"}, {})
    assert bare is not None
    assert bare["message"].isprintable()


@pytest.mark.parametrize(
    "odd",
    [
        {"exception": 7},
        {"exception": {"values": [7]}},
        {"exception": {"values": [{"stacktrace": {"frames": [None]}}]}},
        {"logentry": {"message": "secret", "params": ["secret"]}},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_made_bare_is_not_sent(odd: Any) -> None:
    assert bare_report(odd, {}) is None
