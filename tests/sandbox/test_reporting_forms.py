"""The three forms of the Reporting Web Service's answers."""

from __future__ import annotations

import json
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from sandbox import Sandbox, make_row
from tests.sandbox.client import Client
from tests.sandbox.conftest import NOW

START, END = NOW - timedelta(hours=2), NOW
FIRST_MS = 1773140400000
D = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"


def test_verbose_json_has_results_metadata_index_and_echo(client: Client) -> None:
    answer = client.trace(START, END)
    rows = answer.json()["d"]["results"]
    assert [row["Index"] for row in rows] == list(range(10))
    assert rows[9]["Received"] == f"/Date({FIRST_MS})/"
    assert rows[0]["StartDate"] == "/Date(1773136800000)/"
    assert rows[0]["EndDate"] == "/Date(1773144000000)/"
    assert rows[3]["__metadata"]["type"] == "TenantReporting.MessageTrace"
    assert rows[3]["__metadata"]["id"].endswith(
        "/ReportingWebService/Reporting.svc/MessageTrace(3)"
    )
    assert list(rows[0]) == [
        "__metadata",
        "Organization",
        "MessageId",
        "Received",
        "SenderAddress",
        "RecipientAddress",
        "Subject",
        "Status",
        "ToIP",
        "FromIP",
        "Size",
        "MessageTraceId",
        "StartDate",
        "EndDate",
        "Index",
    ]


def test_verbose_dates_are_escaped_with_backslashes_on_the_wire(client: Client) -> None:
    assert f'"Received":"\\/Date({FIRST_MS})\\/"' in client.trace(START, END).text


def test_an_odd_subject_survives_every_form(world: Sandbox, client: Client) -> None:
    odd = 'q"\\ \u2028 /Date(1)/ & <b> 🎉'
    world.tenant.add(make_row(NOW - timedelta(minutes=90), Subject=odd))
    assert client.trace(START, END).json()["d"]["results"][-1]["Subject"] == odd
    light = client.trace(START, END, form=None, accept="application/json").json()
    assert light["value"][-1]["Subject"] == odd
    atom = ElementTree.fromstring(client.trace(START, END, form=None).content)
    assert [each.text for each in atom.iter(f"{D}Subject")][-1] == odd


def test_a_lone_surrogate_is_sent_escaped(world: Sandbox, client: Client) -> None:
    world.tenant.add(make_row(NOW - timedelta(minutes=90), Subject="half \ud83c"))
    text = client.trace(START, END).text
    assert "half \\ud83c" in text
    assert json.loads(text)["d"]["results"][-1]["Subject"] == "half \ud83c"


def test_accept_json_without_format_gives_light_json(client: Client) -> None:
    body = client.trace(START, END, form=None, accept="application/json").json()
    assert body["odata.metadata"].endswith("/$metadata#MessageTrace")
    received = body["value"][9]["Received"]
    assert received.startswith("2026-03-10T11:00:00")
    assert len(received.partition(".")[2]) <= 7
    assert body["value"][9]["EndDate"] == "2026-03-10T12:00:00Z"


@pytest.mark.parametrize("with_z", [True, False])
def test_light_times_end_in_z_or_not(world: Sandbox, client: Client, with_z: bool) -> None:
    world.reporting.options.times_with_z = with_z
    rows = client.trace(START, END, form=None, accept="application/json").json()["value"]
    assert {row["Received"].endswith("Z") for row in rows} == {with_z}


def test_the_form_can_be_forced(world: Sandbox, client: Client) -> None:
    world.reporting.options.dialect = "light"
    assert "value" in client.trace(START, END).json()


def test_without_any_wish_for_json_the_answer_is_atom_with_explicit_nulls(client: Client) -> None:
    answer = client.trace(START, END, form=None)
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(answer.content)
    assert len(list(feed.iter(f"{D}MessageTraceId"))) == 10
    assert '<d:ToIP m:null="true" />' in answer.text


def test_answers_are_compressed_when_that_is_on(world: Sandbox, client: Client) -> None:
    world.reporting.options.gzip = True
    answer = client.trace(START, END)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["d"]["results"]) == 10
