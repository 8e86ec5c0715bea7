"""Checks that the intake accepts the key, without an event or with a test event."""

from datetime import datetime

import orjson

from office365_message_trace import codec
from office365_message_trace.checks.findings import Finding, failure, kind_of, ok, warning
from office365_message_trace.errors import Refused, Unavailable
from office365_message_trace.microsoft.field_names import GRAPH
from office365_message_trace.microsoft.graph import as_reporting_row
from office365_message_trace.microsoft.rows import GRAPH_ROWS
from office365_message_trace.sekoia import intake_verdict
from office365_message_trace.sekoia.intake_verdict import ALL_REFUSED, Meaning
from office365_message_trace.transport.client import Http, Request
from office365_message_trace.transport.retry import check_available
from office365_message_trace.transport.session import Answer
from office365_message_trace.wiring import INTAKE

_SUBJECT = "intake"


def intake_finding(
    http: Http,
    intake_server: str,
    intake_key: str,
    intake_format: str,
    test_event: str | None,
    now: datetime,
) -> Finding:
    """The verdict of the intake on an empty batch, or on one with ``test_event``. ``intake_format`` is the
    name of the format that the intake should have."""
    events = [test_event] if test_event else []
    body = orjson.dumps({"intake_key": intake_key, "jsons": events})
    headers = {"Content-Type": "application/json"}
    url = intake_server.rstrip("/") + "/batch"
    try:
        answer = http.begin(Request("POST", url, headers, body))()
        check_available(answer, now)
        return verdict(answer, intake_format, len(events))
    except Unavailable as problem:
        if lasting := problem.lasting:
            return failure(_SUBJECT, kind_of(lasting), str(lasting))
        return failure(
            _SUBJECT,
            kind_of(problem),
            f"{problem.about(INTAKE)} The trigger holds the events and tries again; if it "
            f"lasts, see Sekoia.io's status page. [{problem.detail}]",
        )
    except Refused as refusal:
        return failure(_SUBJECT, kind_of(refusal), str(refusal))


def verdict(answer: Answer, intake_format: str, events: int) -> Finding:
    """The finding on the intake key by ``answer``; raises the errors of `intake_verdict.verdict`.

    The answer to an empty batch is not documented, so if the intake refuses one, the key has not been
    verified.
    """
    if not events and intake_verdict.meaning(answer.status, answer.body) is Meaning.BATCH:
        return warning(
            _SUBJECT,
            "not-verified",
            "reachable, but it does not take an empty batch, so the key was not verified. Run check "
            f"with --send-test-event to verify it with one event. [status {answer.status}]",
        )
    judged = intake_verdict.verdict(answer.status, answer.body, events, intake_format)
    if judged.missing:
        return failure(_SUBJECT, "accepts-nothing", f"{ALL_REFUSED} [{judged.detail}]")
    if not events:
        return ok(_SUBJECT, "accepts the key (asked with an empty batch, no event was sent)")
    return ok(
        _SUBJECT,
        'accepted the test event: look for the subject "Test event of check". If the event shows its '
        f"text only, the intake is not of the format {intake_format}.",
    )


def event_of_check(now: datetime, reporting_format: bool) -> str:
    """An event that cannot be mistaken for mail: impossible addresses, a nil trace id."""
    fields = {
        GRAPH.trace_id: "00000000-0000-0000-0000-000000000000",
        GRAPH.sender: "check@message-trace.invalid",
        GRAPH.recipient: "nobody@message-trace.invalid",
        GRAPH.message_id: "<check@message-trace.invalid>",
        GRAPH.received: now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        GRAPH.subject: "Test event of check",
        GRAPH.size: 0,
        GRAPH.from_ip: "",
        GRAPH.to_ip: "",
        GRAPH.status: "gettingStatus",
    }
    if not reporting_format:
        return codec.encode(fields)
    row = GRAPH_ROWS.row(*GRAPH_ROWS.dated(fields))
    return codec.encode(as_reporting_row(row, "message-trace.invalid"))
