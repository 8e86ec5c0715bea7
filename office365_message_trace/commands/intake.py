"""Whether the intake accepts the key, found out without an event, or with one that says what it is."""

from datetime import datetime

import orjson

from office365_message_trace import codec
from office365_message_trace.commands.findings import Finding, failure, ok, warning
from office365_message_trace.errors import Unavailable
from office365_message_trace.model import milliseconds
from office365_message_trace.sekoia import intake_verdict
from office365_message_trace.sekoia.intake_verdict import ALL_REFUSED, Meaning, key_refused
from office365_message_trace.session import Answer
from office365_message_trace.transport import Http, Request

_SUBJECT = "intake"


def intake_finding(
    http: Http, intake_server: str, intake_key: str, intake_format: str, test_event: str | None
) -> Finding:
    """The verdict of the intake on an empty batch, or on one with ``test_event``; the intake should be
    of the ``intake_format`` of that name."""
    events = [test_event] if test_event else []
    body = orjson.dumps({"intake_key": intake_key, "jsons": events})
    headers = {"Content-Type": "application/json"}
    url = intake_server.rstrip("/") + "/batch"
    try:
        answer = http.begin(Request("POST", url, headers, body))()
    except Unavailable as problem:
        return failure(_SUBJECT, f"The Sekoia.io intake gives no answer. [{problem.detail}]")
    return verdict(answer, intake_format, bool(test_event))


def verdict(answer: Answer, intake_format: str, with_event: bool) -> Finding:
    """What ``answer`` says of the key. How the intake takes an empty batch is not documented, so a
    refusal of the batch itself says nothing of the key."""
    detail = f"[status {answer.status}]"
    meaning = intake_verdict.meaning(answer.status)
    if meaning is Meaning.KEY:
        return failure(_SUBJECT, f"{key_refused(intake_format)} {detail}")
    if meaning is Meaning.BATCH:
        if with_event:
            return failure(_SUBJECT, f"{ALL_REFUSED} {detail}")
        return warning(
            _SUBJECT,
            "reachable, but it does not take an empty batch, so the key was not verified. Run check "
            f"with --send-test-event to verify it with one event. {detail}",
        )
    if meaning is not Meaning.EVENTS:
        return failure(
            _SUBJECT,
            "The Sekoia.io intake does not answer as it should. The trigger holds the events and "
            f"tries again; if it lasts, see Sekoia.io's status page. {detail}",
        )
    if not with_event:
        return ok(_SUBJECT, "accepts the key (asked with an empty batch, no event was sent)")
    if not _accepted(answer, intake_format):
        return failure(_SUBJECT, f"{ALL_REFUSED} {detail}")
    return ok(_SUBJECT, 'accepted the test event: look for the subject "Test event of check"')


def event_of_check(now: datetime, reporting_format: bool) -> str:
    """An event that nobody can take for mail: addresses that cannot exist, a nil trace id."""
    nil = "00000000-0000-0000-0000-000000000000"
    sender, recipient = "check@message-trace.invalid", "nobody@message-trace.invalid"
    subject = "Test event of check"
    if reporting_format:
        return codec.encode(
            {
                "Organization": "message-trace.invalid",
                "MessageId": "<check@message-trace.invalid>",
                "Received": f"/Date({milliseconds(now)})/",
                "SenderAddress": sender,
                "RecipientAddress": recipient,
                "Subject": subject,
                "Status": "None",
                "ToIP": None,
                "FromIP": None,
                "Size": 0,
                "MessageTraceId": nil,
            }
        )
    return codec.encode(
        {
            "id": nil,
            "senderAddress": sender,
            "recipientAddress": recipient,
            "messageId": "<check@message-trace.invalid>",
            "receivedDateTime": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "subject": subject,
            "size": 0,
            "fromIP": "",
            "toIP": "",
            "status": "gettingStatus",
        }
    )


def _accepted(answer: Answer, intake_format: str) -> bool:
    try:
        return intake_verdict.verdict(answer.status, answer.body, 1, intake_format).missing == 0
    except Unavailable:
        return False
