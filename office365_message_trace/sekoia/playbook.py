"""The platform's playbook API: it gives a trigger its secrets, and takes log lines and the results of actions.

The SDK's own client limits neither the time nor the size of an answer, and follows redirects.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from office365_message_trace import codec
from office365_message_trace.errors import Unavailable
from office365_message_trace.transport.client import Request, RequestsHttp
from office365_message_trace.transport.retry import check_available
from office365_message_trace.transport.session import Answer, TimeoutSession

NAME = "Sekoia.io's playbook API"
LONGEST_ANSWER = 1024 * 1024  # bytes; secrets have some kilobytes
TOTAL_TIMEOUT = 30.0  # seconds of an exchange


REPORT_TIMEOUT = 120.0  # seconds of the exchange that reports results, which may have megabytes


def http() -> RequestsHttp:
    """A client for this API."""
    return RequestsHttp(TimeoutSession(LONGEST_ANSWER, TOTAL_TIMEOUT))


def report_http() -> RequestsHttp:
    """A client for reports, half of whose time may pass until one is sent."""
    return RequestsHttp(TimeoutSession(LONGEST_ANSWER, REPORT_TIMEOUT, REPORT_TIMEOUT / 2))


def secrets_request(url: str, token: str) -> Request:
    """The request for the secrets."""
    return Request("GET", url, _signed(token))


def secrets_in(answer: Answer, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The secrets of the module and of the trigger in ``answer``.

    Raises `Unavailable` if there are none.
    """
    detail = f"status {answer.status}"
    check_available(answer, now)
    if answer.status != 200:
        raise Unavailable("it refuses the secrets", detail)
    try:
        given = codec.decode(answer.body)
    except ValueError as error:
        raise Unavailable("an answer without secrets", detail) from error
    if isinstance(given, dict):
        module, trigger = given.get("value") or {}, given.get("node_value") or {}
        if isinstance(module, dict) and isinstance(trigger, dict):
            return module, trigger
    raise Unavailable("an answer without secrets", detail)


def module_secrets_in(body: bytes) -> dict[str, Any]:
    """The module's values in the answer to an item that says that it runs; none if there are none."""
    try:
        given = codec.decode(body)
    except ValueError:
        return {}
    for name in ("module_configuration", "value"):
        given = given.get(name) if isinstance(given, dict) else None
    return given if isinstance(given, dict) else {}


def report_request(url: str, token: str, verb: str, data: Mapping[str, Any]) -> Request:
    """The request that reports ``data``, such as the results of an action."""
    headers = {"Content-Type": "application/json", **_signed(token)}
    return Request(verb, url, headers, json.dumps(data).encode())


def send_logs(url: str, token: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Send ``lines`` to the platform. Raises `Unavailable` if it refuses them."""
    headers = {"Content-Type": "application/json", **_signed(token)}
    answer = http().begin(Request("POST", url, headers, orjson.dumps({"logs": lines})))()
    if answer.status >= 300:
        raise Unavailable("it refuses the lines", f"status {answer.status}")


def _signed(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
