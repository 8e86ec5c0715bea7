"""The events are the rows of the API: the user guide's samples come out as the guide shows them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import Page, Window
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from tests.support import Logbook, ScriptedHttp, TurnedClock

REPORT = "https://reports.office365.com/ecp/ReportingWebService/Reporting.svc/MessageTrace"
SAMPLES: list[dict[str, Any]] = [
    {
        "__metadata": {
            "id": f"{REPORT}(0)",
            "uri": f"{REPORT}(0)",
            "type": "TenantReporting.MessageTrace",
        },
        "Organization": "examplecorp.onmicrosoft.com",
        "MessageId": "<3a273efc-cd65-4335-96ec-5f6934f0fb10@az.uksouth.production.microsoft.com>",
        "Received": "/Date(1658751973240)/",
        "SenderAddress": "azure-noreply@microsoft.com",
        "RecipientAddress": "foo.bar@example.corp",
        "Subject": "PIM: MessageTrace API service account has the Privileged Role Administrator role",
        "Status": "GettingStatus",
        "ToIP": None,
        "FromIP": "1.1.1.1",
        "Size": 87680,
        "MessageTraceId": "3b4fc661-180d-4c2f-60c9-08da6e38dd10",
        "StartDate": "/Date(1658579297628)/",
        "EndDate": "/Date(1658752097628)/",
        "Index": 0,
    },
    {
        "__metadata": {
            "id": f"{REPORT}(5)",
            "uri": f"{REPORT}(5)",
            "type": "TenantReporting.MessageTrace",
        },
        "Organization": "abc.onmicrosoft.com",
        "MessageId": "<123456@abc-prod2.mcc-soft.com>",
        "Received": "/Date(1661344992170)/",
        "SenderAddress": "support@abc.com",
        "RecipientAddress": "user@abc.fr",
        "Subject": None,
        "Status": "Delivered",
        "ToIP": None,
        "FromIP": None,
        "Size": 0,
        "MessageTraceId": "1203cd7a-18d5-4a92-4343-08da85ce34c9",
        "StartDate": "/Date(1661344937835)/",
        "EndDate": "/Date(1661344997835)/",
        "Index": 5,
    },
]
WINDOW = Window(datetime(2022, 7, 25, tzinfo=UTC), datetime(2022, 8, 25, tzinfo=UTC))


def as_the_api_sends(row: dict[str, Any]) -> str:
    """The verbose form, in which the API escapes the slashes of dates."""
    body = json.dumps({"d": {"results": [row]}})
    return body.replace('"/Date(', '"\\/Date(').replace(')/"', ')\\/"')


def events(body: str) -> list[str]:
    clock, log = TurnedClock(), Logbook()
    transport = Transport(ScriptedHttp(rest=Answer(200, {}, body.encode())), "test", clock, log)
    client = ReportingClient("https://reports.office365.com", transport, clock, log)
    pages = [page for page in client.pages(WINDOW) if isinstance(page, Page)]
    return [client.render(row) for page in pages for row in page.rows]


@pytest.mark.parametrize("sample", SAMPLES, ids=["GettingStatus", "Delivered"])
def test_the_sample_of_the_guide_comes_out_as_the_guide_shows_it(sample: dict[str, Any]) -> None:
    (event,) = events(as_the_api_sends(sample))
    assert json.loads(event) == sample
    assert list(json.loads(event)) == list(sample)
    assert "\n" not in event


def test_a_subject_cut_in_the_middle_of_a_character_survives() -> None:
    sample = SAMPLES[0] | {"Subject": "cut \ud83d"}
    (event,) = events(as_the_api_sends(sample))
    assert json.loads(event) == sample
    event.encode()  # pushed as UTF-8
