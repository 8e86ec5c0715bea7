"""The secrets that the platform keeps for a trigger are taken from whole answers only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from office365_message_trace.errors import Unavailable
from office365_message_trace.provided import secrets_in
from office365_message_trace.session import Answer
from tests.support import NOON


def of(body: Any, status: int = 200) -> tuple[dict[str, Any], dict[str, Any]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return secrets_in(Answer(status, {}, raw), NOON)


def test_the_secrets_of_the_module_and_of_the_trigger_are_two() -> None:
    assert of({"value": {"a": "1"}, "node_value": {"b": "2"}}) == ({"a": "1"}, {"b": "2"})


@pytest.mark.parametrize("body", [{}, {"value": None, "node_value": None}])
def test_a_platform_may_keep_none(body: Any) -> None:
    assert of(body) == ({}, {})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"value"'])
def test_what_holds_no_secrets_is_unavailable(body: bytes) -> None:
    with pytest.raises(Unavailable, match="an answer without secrets"):
        of(body)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_refusal_or_a_fault_is_unavailable_with_its_status(status: int) -> None:
    with pytest.raises(Unavailable) as caught:
        of({"value": {"a": "canary"}}, status)
    assert caught.value.detail == f"status {status}"
    assert "canary" not in repr(caught.value)
