"""The checker finds what it is there to find."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sandbox import Content, MailFlow, MailFlowOptions, Tenant, Version, check, delays, make_row

START = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
END = START + timedelta(minutes=20)
UNTIL = START + timedelta(days=2)


@pytest.fixture
def versions() -> list[Version]:
    flow = MailFlow(MailFlowOptions(messages_per_minute=10, changing_fraction=0.5))
    return list(Tenant(flow).versions(START, END, UNTIL))


def event(content: Content, index: int = 0, **changes: object) -> str:
    """As a collector would push it: verbose JSON with the echo of some query."""
    extra = {"__metadata": {"id": f"({index})"}, "StartDate": "/Date(1)/", "Index": index}
    return json.dumps({**extra, **content, "Received": f"/Date({content['Received']})/", **changes})


def test_all_is_well_when_every_version_came_once(versions: list[Version]) -> None:
    report = check(versions, [event(v.content, n) for n, v in enumerate(versions)])
    assert report.ok
    assert report.missing == []
    assert report.events == report.versions == len(versions) > report.rows


def test_a_missing_row_is_found(versions: list[Version]) -> None:
    lost = versions[0].row
    report = check(versions, [event(v.content) for v in versions if v.row != lost])
    assert [version.row for version in report.missing_rows] == [lost]
    assert not report.complete


def test_a_missing_status_change_is_found(versions: list[Version]) -> None:
    changed = next(v for n, v in enumerate(versions) if n and versions[n - 1].row == v.row)
    report = check(versions, [event(v.content) for v in versions if v is not changed])
    assert report.missing == report.missing_last == [changed]
    assert report.missing_rows == []
    assert not report.complete


def test_a_status_nobody_asked_for_in_time_is_no_loss(versions: list[Version]) -> None:
    passed = next(v for v in versions if not v.last)
    report = check(versions, [event(v.content) for v in versions if v is not passed])
    assert report.missing == [passed]
    assert report.ok


def test_a_repeat_is_found_though_its_echo_differs(versions: list[Version]) -> None:
    events = [event(v.content) for v in versions]
    again = event(versions[3].content, 99, EndDate="/Date(7)/")
    report = check(versions, [*events, again])
    assert report.repeated == [again]
    assert report.complete
    assert not report.ok


def test_an_event_the_tenant_never_had_is_found(versions: list[Version]) -> None:
    stranger = event(make_row(START).content)
    report = check(versions, [*(event(v.content) for v in versions), stranger])
    assert report.unknown == [stranger]
    altered = [event(v.content, Size=v.content["Size"] + 1) for v in versions]
    assert len(check(versions, altered).unknown) == len(versions)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "null"])
def test_an_event_that_is_no_row_is_found(versions: list[Version], text: str) -> None:
    report = check(versions, [*(event(v.content) for v in versions), text])
    assert report.unreadable == [text]
    assert not report.complete


def test_an_event_of_two_lines_is_found(versions: list[Version]) -> None:
    report = check(versions[:1], [event(versions[0].content) + "\n"])
    assert len(report.unreadable) == 1


def test_the_light_form_of_a_time_is_understood(versions: list[Version]) -> None:
    row = make_row(START + timedelta(milliseconds=5))
    light = event(row.content, Received="2026-03-10T08:00:00.0057658")
    assert check(row.versions(2**62), [light]).ok


def test_what_shows_up_after_the_lookback_is_not_owed() -> None:
    row = make_row(START, visible_at=START + timedelta(hours=5))
    shown = list(row.versions(2**62))
    assert len(check(shown, []).missing_rows) == 1
    report = check(shown, [], lookback=timedelta(hours=4))
    assert (report.missing, report.not_owed, report.ok) == ([], 1, True)
    assert check(shown, [event(row.content)], lookback=timedelta(hours=4)).ok


def test_a_report_names_numbers_only(versions: list[Version]) -> None:
    text = str(check(versions, []))
    assert f"missing rows {len({v.row for v in versions})}" in text
    assert "@" not in text


def test_delays_count_from_receipt_to_the_first_arrival() -> None:
    row = make_row(START)
    text = event(row.content)
    arrivals = [(text, START + timedelta(minutes=3)), (text, START + timedelta(minutes=9))]
    assert [delay for _, delay in delays(row.versions(2**62), arrivals)] == [timedelta(minutes=3)]
