"""The platform's playbook API: it gives a trigger its secrets, and takes its log lines.

The SDK asks it without a limit to the time or the size of an answer, and follows redirects.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from office365_message_trace import codec
from office365_message_trace.errors import Unavailable
from office365_message_trace.session import Answer, TimeoutSession, unavailable

LONGEST_ANSWER = 1024 * 1024  # bytes; secrets have some kilobytes
TOTAL_TIMEOUT = 30.0  # seconds of an exchange


def secrets(url: str, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The secrets of the module and those of the trigger itself; raises `Unavailable`."""
    answer = _exchange("GET", url, token)
    try:
        given = codec.decode(answer.body)
    except ValueError as error:
        raise Unavailable(
            "an answer that is not JSON", f"status {answer.status}, no JSON"
        ) from error
    value, node_value = (
        (given.get("value") or {}, given.get("node_value") or {})
        if isinstance(given, dict)
        else (None, None)
    )
    if not isinstance(value, dict) or not isinstance(node_value, dict):
        raise Unavailable("an answer of another form", f"status {answer.status}, no secrets")
    return value, node_value


def send_logs(url: str, token: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Have the platform show ``lines``; raises `Unavailable`."""
    body = orjson.dumps({"logs": lines})
    _exchange("POST", url, token, {"Content-Type": "application/json"}, body)


def _exchange(
    method: str,
    url: str,
    token: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """A whole answer that is a success."""
    signed = {**(headers or {}), "Authorization": f"Bearer {token}"}
    try:
        with TimeoutSession() as session:
            answer = session.exchange(
                method, url, longest=LONGEST_ANSWER, within=TOTAL_TIMEOUT, headers=signed, data=body
            )
    except Exception as error:  # whatever a library stumbles over in an odd answer
        raise unavailable("no answer", error, url) from error
    if not 200 <= answer.status < 300:
        raise Unavailable("no success", f"status {answer.status}")
    if answer.cut:
        raise Unavailable("an answer over the limit", f"over {LONGEST_ANSWER} bytes")
    return answer
