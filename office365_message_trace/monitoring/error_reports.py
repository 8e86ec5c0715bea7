"""Strips error reports, and silences the log lines of libraries."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import sentry_sdk
from sentry_sdk.scope import add_global_event_processor

from office365_message_trace.untrusted_text import LONGEST_LINE, printable

if TYPE_CHECKING:
    from sentry_sdk.types import Event

_LIBRARIES = ("botocore", "urllib3")  # msal is muted where it is used
_REPORT_FIELDS = (
    "event_id",
    "timestamp",
    "platform",
    "level",
    "release",
    "environment",
    "tags",
    "sdk",
)
_FRAME_FIELDS = ("filename", "function", "module", "lineno", "in_app")


@cache
def limit_reports() -> None:
    """Send only bare reports to the platform's error tracker from now on."""
    add_global_event_processor(bare_report)


def disable_trace_propagation() -> None:
    """Keep the error tracker's client from adding its headers to outgoing requests.

    They would tell Microsoft and the intake an id of this process, and the tracker's key, release and
    environment. Call it after the SDK has created its module, and thereby the client.
    """
    sentry_sdk.get_client().options["trace_propagation_targets"] = []


def send_reports(seconds: float) -> None:
    """Wait until pending reports are sent, at most ``seconds``."""
    sentry_sdk.flush(seconds)


def mute_libraries() -> None:
    """Silence the loggers of libraries: they quote answers and header lines that they cannot parse, and
    addresses, which may name a recipient."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def bare_report(report: "Event", _hint: dict[str, Any]) -> "Event | None":
    """The report reduced to types and places of exceptions and to our own sentences.

    The rest holds local variables, among them rows and keys, and request addresses. None for a report
    made from a log line: the trigger sends its own.
    """
    try:
        return None if "logentry" in report else _bare(report)
    except Exception:  # else the client would send the report as it is
        return None


def _bare(report: Mapping[str, Any]) -> "Event":
    bare: dict[str, Any] = {name: report[name] for name in _REPORT_FIELDS if name in report}
    if "message" in report:
        bare["message"] = printable(report["message"], LONGEST_LINE)
    if "exception" in report:
        raised = report["exception"]["values"]
        bare["exception"] = {"values": [_bare_exception(each) for each in raised]}
    return cast("Event", bare)


def _bare_exception(exception: Mapping[str, Any]) -> dict[str, Any]:
    """The type and place of ``exception``, without its text, which may hold part of a row."""
    frames = (exception.get("stacktrace") or {}).get("frames", ())
    places = [{name: frame.get(name) for name in _FRAME_FIELDS} for frame in frames]
    return {
        "type": exception.get("type"),
        "module": exception.get("module"),
        "stacktrace": {"frames": places},
    }
