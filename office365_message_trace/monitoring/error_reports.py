"""What leaves the process beside events: the error tracker's reports, and the log lines of libraries."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import sentry_sdk
from sentry_sdk.scope import add_global_event_processor

from office365_message_trace.untrusted_text import LONGEST_LINE, printable

if TYPE_CHECKING:
    from sentry_sdk.types import Event

_LIBRARIES = ("botocore", "urllib3")  # msal is muted where it is used
_KEPT = (
    "event_id",
    "timestamp",
    "platform",
    "level",
    "release",
    "environment",
    "tags",
    "sdk",
)
_PLACE = ("filename", "function", "module", "lineno", "in_app")


def limit_reports() -> None:
    """Let the error tracker of the platform have bare reports only, from now on; once a process."""
    add_global_event_processor(bare_report)


def disable_trace_propagation() -> None:
    """Keep the error tracker's client from adding its headers to outgoing requests.

    They would tell Microsoft and the intake an id of this process, and the tracker's key, release and
    environment. Call it once the SDK has made its module, and with it the client.
    """
    sentry_sdk.get_client().options["trace_propagation_targets"] = []


def send_reports(seconds: float) -> None:
    """Wait until the reports that are under way have left, ``seconds`` at most."""
    sentry_sdk.flush(seconds)


def mute_libraries() -> None:
    """Keep the log free of what libraries say: they quote answers and header lines that they cannot read,
    and addresses, in which a recipient may stand."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def bare_report(report: "Event", _hint: dict[str, Any]) -> "Event | None":
    """A report with what was raised where, and with our own sentences, and with nothing else.

    Without this it would hold local variables, among them rows and keys, and addresses of requests. None
    for a report that was made of a log line: the trigger sends its own by itself.
    """
    try:
        return None if "logentry" in report else _bare(report)
    except Exception:  # on which the client would send the report as it is
        return None


def _bare(report: Mapping[str, Any]) -> "Event":
    bare: dict[str, Any] = {name: report[name] for name in _KEPT if name in report}
    if "message" in report:
        bare["message"] = printable(report["message"], LONGEST_LINE)
    if "exception" in report:
        raised = report["exception"]["values"]
        bare["exception"] = {"values": [_bare_exception(each) for each in raised]}
    return cast("Event", bare)


def _bare_exception(exception: Mapping[str, Any]) -> dict[str, Any]:
    """Its kind and place, without its text, which may hold a part of a row."""
    frames = (exception.get("stacktrace") or {}).get("frames", ())
    places = [{name: frame.get(name) for name in _PLACE} for frame in frames]
    return {
        "type": exception.get("type"),
        "module": exception.get("module"),
        "stacktrace": {"frames": places},
    }
