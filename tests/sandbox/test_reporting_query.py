"""Windows, filters, bounds, history and refusals of the Reporting Web Service."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
import requests

from sandbox import Sandbox, make_row
from tests.sandbox.client import REPORT, Client, window
from tests.sandbox.conftest import NOW

START, END = NOW - timedelta(hours=2), NOW
FIRST = datetime(2026, 3, 10, 11, tzinfo=UTC)


def received(answer: requests.Response) -> list[str]:
    return sorted(row["Received"] for row in answer.json()["d"]["results"])


@pytest.mark.parametrize(
    "condition",
    [
        "StartDate eq datetime'2026-03-10T11:00:03Z' and EndDate eq datetime'2026-03-10T11:00:05Z'",
        "EndDate eq DateTime'2026-03-10T11:00:05Z' and StartDate eq DateTime'2026-03-10T11:00:03Z'",
        "StartDate eq datetime'2026-03-10T11:00:02.999999Z' and "
        "EndDate eq datetime'2026-03-10T11:00:05.0000001Z'",
    ],
    ids=["ours", "as in links", "fraction"],
)
def test_a_window_is_understood(client: Client, condition: str) -> None:
    assert len(received(client.trace(filter=condition))) == 3


def test_without_a_window_the_last_48_hours_are_shown_and_echoed(
    world: Sandbox, client: Client
) -> None:
    world.tenant.add(make_row(NOW - timedelta(hours=47)), make_row(NOW - timedelta(hours=49)))
    rows = client.trace().json()["d"]["results"]
    assert len(rows) == 11
    echo = [int(rows[0][name][6:-2]) for name in ("StartDate", "EndDate")]
    assert echo[1] - echo[0] == 172_800_000
    assert echo[1] == int(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("StartDate eq datetime'2026-03-10T11:00:00Z'", "StartDate and EndDate"),
        ("EndDate eq datetime'2026-03-10T11:00:00Z'", "StartDate and EndDate"),
        ("Subject eq guid'x'", "does not have a property named"),
        ("StartDate ge datetime'2026-03-10T11:00:00Z'", "Syntax error"),
        ("StartDate eq guid'2026-03-10'", "incompatible types"),
        ("EndDate eq datetime'now' and StartDate eq datetime'now'", "Edm.DateTime"),
    ],
    ids=["no end", "no start", "column", "operator", "type", "literal"],
)
def test_a_query_that_is_wrong_is_refused_in_the_verbose_envelope(
    client: Client, condition: str, text: str
) -> None:
    answer = client.trace(filter=condition)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["message"]["lang"] == "en-US"
    assert text in error["message"]["value"]


@pytest.mark.parametrize(
    "option",
    [
        {"inlinecount": "allpages"},
        {"orderby": "Received desc"},
        {"top": "1"},
        {"skiptoken": "abc"},
        {"select": "Received"},
        {"filter": "Status eq 'Failed'"},
    ],
    ids=str,
)
def test_an_option_that_this_module_does_not_send_is_refused(
    client: Client, option: dict[str, str]
) -> None:
    assert client.trace(**option).status_code == 400  # type: ignore[arg-type]


def test_the_envelope_of_an_error_follows_the_form_asked_for(client: Client) -> None:
    light = client.trace(form=None, accept="application/json", filter="X eq 'y'")
    assert "odata.error" in light.json()
    atom = client.trace(form=None, filter="X eq 'y'")
    assert ElementTree.fromstring(atom.content).tag == "ServiceFault"


def test_one_message_can_be_asked_for(world: Sandbox, client: Client) -> None:
    world.tenant.add(make_row(NOW, MessageTraceId="o'Brien"), make_row(NOW))
    condition = f"{window(START, END)} and MessageTraceId eq guid'O''BRIEN'"
    assert len(received(client.trace(filter=condition))) == 1


@pytest.mark.parametrize(("bounds", "count"), [("[]", 3), ("[)", 2), ("()", 1)])
def test_the_bounds_of_a_window_belong_to_it_as_the_option_says(
    world: Sandbox, client: Client, bounds: str, count: int
) -> None:
    world.reporting.options.bounds = bounds  # type: ignore[assignment]
    rows = received(client.trace(FIRST + timedelta(seconds=3), FIRST + timedelta(seconds=5)))
    assert len(rows) == count


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_the_order_is_an_option(world: Sandbox, client: Client, order: str) -> None:
    world.reporting.options.order = order  # type: ignore[assignment]
    rows = [row["Received"] for row in client.trace(START, END).json()["d"]["results"]]
    assert rows == sorted(rows, reverse=order == "descending")


def test_history_ends_at_a_calendar_day(world: Sandbox, client: Client) -> None:
    oldest = datetime(2026, 2, 28, tzinfo=UTC)
    assert client.trace(oldest, END).status_code == 200
    answer = client.trace(oldest - timedelta(seconds=1), END)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]["value"] == (
        "Invalid StartDate value. The StartDate can't be older than 10 days from today."
    )
    world.reporting.options.history_status = 500
    assert client.trace(oldest - timedelta(seconds=1), END).status_code == 500
    world.reporting.options.history_days = 30
    assert client.trace(oldest - timedelta(days=10), END).status_code == 200


def test_what_is_too_old_can_also_be_hidden_in_silence(world: Sandbox, client: Client) -> None:
    world.tenant.add(make_row(NOW - timedelta(days=12)))
    world.reporting.options.history_rule = "hide"
    assert len(received(client.trace(NOW - timedelta(days=20), END))) == 10


def test_a_window_with_too_many_rows_can_be_refused_as_too_large(
    world: Sandbox, client: Client
) -> None:
    world.reporting.options.refuse_above_rows = 9
    answer = client.trace(START, END)
    assert answer.status_code == 400
    assert "too large" in answer.json()["error"]["message"]["value"]
    assert client.trace(FIRST, FIRST + timedelta(seconds=8)).status_code == 200


def test_the_path_is_understood_in_any_case(client: Client) -> None:
    link = "/ecp/ReportingWebService/Reporting.svc/MESSAGETRACE?$format=Json"
    assert len(client.get(link).json()["d"]["results"]) == 10


def test_a_wrong_report_name_is_404(client: Client) -> None:
    link = REPORT.replace("MessageTrace", "MailTrace") + "?$format=json"
    assert client.get(link).status_code == 404


@pytest.mark.parametrize(
    "authorization", [None, "Bearer nonsense", "Basic cmVhZGVyOnNlY3JldA==", "Basic ???"]
)
def test_a_bad_credential_is_answered_by_the_web_server_s_html(
    client: Client, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    url = client.world.url("reporting") + REPORT
    answer = client.session.get(url, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "text/html"
    assert "<title>401 - Unauthorized: Access is denied due to invalid" in answer.text


def test_a_missing_role_is_answered_by_403_with_an_empty_organisation(
    world: Sandbox, client: Client
) -> None:
    world.app.directory_roles.clear()
    answer = client.trace()
    assert answer.status_code == 403
    assert answer.json() == {
        "ErrorCode": "",
        "Message": "No permission to access the report for the organization .",
    }


def test_account_and_password_are_accepted_only_when_basic_auth_is_on(
    world: Sandbox, client: Client
) -> None:
    who, url = world.identity, world.url("reporting") + REPORT + "?$format=json"

    def status(password: str) -> int:
        pair = b64encode(f"{who.account_name}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        return client.session.get(url, headers=headers, timeout=10).status_code

    assert status(who.account_password) == 401
    world.reporting.options.basic_auth = True
    assert status(who.account_password) == 200
    assert status("wrong") == 401


@pytest.mark.parametrize(
    ("how", "status", "kind"), [("403", 403, "json"), ("404", 404, "json"), ("html", 200, "html")]
)
def test_a_retired_service_refuses_in_one_of_three_ways(
    world: Sandbox, client: Client, how: str, status: int, kind: str
) -> None:
    world.reporting.options.retired = how  # type: ignore[assignment]
    answer = client.trace()
    assert answer.status_code == status
    assert kind in answer.headers["Content-Type"]
