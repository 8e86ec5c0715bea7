"""What an answer that is no page says of itself, and whether it is the service's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from office365_message_trace.microsoft.failures import Failure
from office365_message_trace.transport.session import Answer

ID = "e1a3c1b2-0000-4000-8000-0123456789ab"
OTHER = "ffffffff-0000-4000-8000-0123456789ab"


def of(body: Any, status: int = 403, **headers: str) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Failure.of(Answer(status, named, raw), "https://graph.example", continued=False)


GRAPH = {"error": {"code": "Forbidden", "message": "m", "innerError": {"request-id": ID}}}
OWN = {
    "Graph": (GRAPH, f"status 403, Forbidden, request-id {ID}"),
    "an inner error in small letters": (
        {"error": {"code": "x", "innererror": {"client-request-id": ID}}},
        f"status 403, x, request-id {ID}",
    ),
    "verbose": ({"error": {"code": "", "message": {"value": "v"}}}, "status 403"),
    "light": ({"odata.error": {"code": "UnknownError"}}, "status 403, UnknownError"),
    "no role": ({"ErrorCode": "", "Message": "No permission"}, "status 403"),
    "XML": (b"<?xml version='1.0'?><ServiceFault><ErrorCode/></ServiceFault>", "status 403"),
}
NOT_OWN = {
    "nothing": b"",
    "an empty object": b"{}",
    "a page": b"<html><body>Forbidden by policy</body></html>",
    "a list": b"[]",
    "a text": b'"error"',
    "an error that is a text": b'{"error": "denied"}',
    "torn": b'{"error": {"code": "Forbid',
}


@pytest.mark.parametrize(("body", "detail"), OWN.values(), ids=OWN)
def test_an_error_body_of_microsofts_is_the_services_own(body: Any, detail: str) -> None:
    failure = of(body)
    assert failure.own
    assert failure.detail == detail


@pytest.mark.parametrize("body", NOT_OWN.values(), ids=NOT_OWN)
def test_any_other_body_is_of_something_before_the_service(body: bytes) -> None:
    failure = of(body)
    assert not failure.own
    assert failure.detail == "status 403"


def test_a_header_names_the_request_before_the_body_does() -> None:
    assert of(GRAPH, request_id=OTHER).request_id == OTHER
    assert of(GRAPH, client_request_id=OTHER).request_id == OTHER
    assert of(b"", request_id=ID).detail == f"status 403, request-id {ID}"


@pytest.mark.parametrize(
    "foreign",
    ["canary canary", "canary\nforged", "\x1b[2J", "x" * 5000, 5, None, ["canary"], {"a": 1}],
)
def test_what_is_no_code_and_no_id_is_not_quoted(foreign: Any) -> None:
    inner = {"request-id": foreign, "client-request-id": foreign}
    failure = of({"error": {"code": foreign, "innerError": inner}})
    assert failure.detail == "status 403"
    assert of({"error": {"code": "x", "innerError": foreign}}).detail == "status 403, x"
