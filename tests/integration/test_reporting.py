"""The Reporting Web Service in all its dialects: every row of a window, or an error, never less."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from itertools import islice
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from office365_message_trace import codec
from office365_message_trace.errors import (
    HistoryExceeded,
    MessageTraceError,
    Misconfigured,
    Refused,
    Rejected,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.microsoft import reporting
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.microsoft.paced_http import USED_UP
from office365_message_trace.microsoft.paging.walk import LEAST_PAGE
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import MILLISECOND, Page, Pause, Row, Window, milliseconds
from office365_message_trace.transport.client import NotYet, RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer as HttpAnswer
from office365_message_trace.transport.session import TimeoutSession
from sandbox import (
    Answer,
    Drop,
    MailFlowOptions,
    ReportingOptions,
    Rule,
    Sandbox,
    Truncate,
    html_page,
    make_row,
)
from tests.support import NOON, Logbook, ScriptedHttp, TurnedClock, minutes

HOUR = minutes(-60, 0)
SECOND = timedelta(seconds=1)
ECHO = {"__metadata", "Index", "StartDate", "EndDate"}
BUSY = MailFlowOptions(
    messages_per_minute=3, until=NOON, late_fraction=0, lone_surrogates=True, tie_fraction=0.3
)
busy = pytest.mark.parametrize("mail", [BUSY], ids=["busy"])


@pytest.fixture
def client(world: Sandbox, auth: EntraAuth, clock: TurnedClock, log: Logbook) -> ReportingClient:
    transport = Transport(
        RequestsHttp(TimeoutSession(), auth), "The service", clock, log, credentials=auth
    )
    return ReportingClient(world.url("reporting"), transport, clock, log)


def rows_of(client: ReportingClient, window: Window = HOUR) -> list[Row]:
    return [row for page in client.pages(window) if isinstance(page, Page) for row in page.rows]


def failing(client: ReportingClient, window: Window = HOUR) -> tuple[list[Row], MessageTraceError]:
    """The rows that ``window`` gave before the error that ended it."""
    rows: list[Row] = []
    with pytest.raises(MessageTraceError) as caught:  # noqa: PT012
        for page in client.pages(window):
            rows += page.rows if isinstance(page, Page) else []
    return rows, caught.value


def shown(world: Sandbox, window: Window = HOUR) -> set[str]:
    """What the tenant has, in the words of a client that knows nothing of the module."""
    rows = world.tenant.rows(window.start, window.end, world.now())
    return {json.dumps(row, sort_keys=True) for row in rows}


def told(rows: list[Row]) -> set[str]:
    """The same of what the client gave."""
    return {
        json.dumps(
            {
                name: row.received if name == "Received" else value
                for name, value in json.loads(codec.encode(row.fields)).items()
                if name not in ECHO
            },
            sort_keys=True,
        )
        for row in rows
    }


def configured(world: Sandbox, **options: Any) -> ReportingOptions:
    for name, value in options.items():
        assert hasattr(world.reporting.options, name)
        setattr(world.reporting.options, name, value)
    return world.reporting.options


def asked(world: Sandbox) -> list[str]:
    """The queries that reached the service."""
    return [urlsplit(entry.target).query for entry in world.request_log.entries("reporting")]


def page_with(*rows: dict[str, Any], following: Any = None) -> Answer:
    body: dict[str, Any] = {"results": list(rows)}
    if following is not None:
        body["__next"] = following
    return Answer(200, json.dumps({"d": body}).encode())


def fields(received: str = f"/Date({milliseconds(NOON) - 60_000})/", **more: Any) -> dict[str, Any]:
    return {"Received": received, "MessageTraceId": "11111111", **more}


# Every row, in every dialect


@busy
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as observed"),
        pytest.param({"dialect": "verbose", "next_link": "relative"}, id="verbose, relative links"),
        pytest.param({"dialect": "verbose", "next_link": "absolute"}, id="verbose, absolute links"),
        pytest.param({"dialect": "light", "next_link": "relative"}, id="light, relative links"),
        pytest.param({"dialect": "light", "next_link": "absolute"}, id="light, absolute links"),
        pytest.param({"dialect": "light", "times_with_z": True}, id="light, times with Z"),
        pytest.param({"dialect": "light", "next_link_key": "@odata.nextLink"}, id="light, @odata"),
        pytest.param({"next_link_keeps_format": False}, id="verbose first, then light"),
        pytest.param({"order": "ascending"}, id="oldest first"),
        pytest.param({"token_rule": "offset"}, id="a row repeated at each page"),
        pytest.param({"empty_pages": "first"}, id="an empty page with a link first"),
        pytest.param({"empty_pages": "every"}, id="empty pages with links in between"),
        pytest.param({"gzip": True}, id="compressed"),
        pytest.param({"bounds": "[)"}, id="end of the window outside"),
        pytest.param({"page_size": 2000}, id="one page"),
    ],
)
def test_every_row_of_a_window_arrives(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions, options: dict[str, Any]
) -> None:
    configured(world, page_size=30)
    configured(world, **options)
    expected = shown(world)
    rows = rows_of(client)
    assert len(expected) > 100
    assert told(rows) == expected
    assert world.request_log.count("reporting", 200) == world.request_log.count("reporting")
    if options.get("token_rule") != "offset":
        assert len(rows) == len(expected)


@busy
@pytest.mark.parametrize("with_z", [True, False], ids=["with Z", "without zone"])
def test_a_light_row_is_the_verbose_row_but_for_its_metadata(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions, with_z: bool
) -> None:
    configured(world, dialect="verbose")
    verbose = rows_of(client)
    configured(world, dialect="light", times_with_z=with_z)
    light = rows_of(client)
    assert [row.fields for row in light] == [
        {name: value for name, value in row.fields.items() if name != "__metadata"}
        for row in verbose
    ]
    assert [row[:4] for row in light] == [row[:4] for row in verbose]
    assert all(row.fields["Received"] == f"/Date({row.received})/" for row in light)


@busy
def test_the_bare_form_is_understood(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    rows = rows_of(client)
    bare = json.dumps({"d": [row.fields for row in rows]})
    world.faults.add(Rule(Answer(200, bare.encode())))
    assert rows_of(client) == rows


@busy
def test_pages_come_one_by_one(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    configured(world, page_size=10)
    pages = client.pages(HOUR)
    for number in range(1, 4):
        page = next(pages)
        assert isinstance(page, Page)
        assert len(page.rows) == 10
        assert world.request_log.count("reporting") <= number + 1, "one page ahead, and no more"


@busy
def test_the_next_page_is_under_way_while_one_is_in_use(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    configured(world, page_size=10)
    pages = client.pages(HOUR)
    next(pages)
    deadline = time.monotonic() + 10
    while world.request_log.count("reporting") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert world.request_log.count("reporting") == 2


@busy
def test_of_a_window_with_too_many_pages_only_so_many_are_asked_for(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    configured(world, page_size=10)
    pages = client.pages(HOUR, max_pages=3)
    assert [len(page.rows) for page in islice(pages, 3) if isinstance(page, Page)] == [10] * 3
    with pytest.raises(WindowTooLarge):
        next(pages)
    assert world.request_log.count("reporting") == 3


def test_a_window_without_rows_is_one_request(world: Sandbox, client: ReportingClient) -> None:
    assert rows_of(client) == []
    assert world.request_log.count("reporting") == 1


ODD_SUBJECTS = [
    pytest.param("\ud83c", id="half a surrogate pair"),
    pytest.param("x\udfff\ud83cy", id="halves the wrong way round"),
    pytest.param('"quoted" \\ and / slashed', id="quotes"),
    pytest.param("two\nlines\r\n\u2028\u2029\x85", id="line ends"),
    pytest.param("/Date(5)/", id="what looks like a date"),
    pytest.param("\x00\x7f\u202e🏳️‍🌈", id="control characters"),
    pytest.param("", id="empty"),
    pytest.param(None, id="null"),
]


@pytest.mark.parametrize("dialect", ["verbose", "light"])
@pytest.mark.parametrize("subject", ODD_SUBJECTS)
def test_an_odd_subject_survives_on_one_line(
    world: Sandbox, client: ReportingClient, subject: str | None, dialect: str
) -> None:
    configured(world, dialect=dialect)
    world.tenant.add(make_row(NOON - timedelta(minutes=9), Subject=subject))
    (row,) = rows_of(client)
    event = client.render(row)
    assert json.loads(event) == row.fields
    assert json.loads(event)["Subject"] == subject
    assert "\n" not in event
    event.encode()


# The window


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        pytest.param(HOUR, "2026-06-15T11:00:00Z", "2026-06-15T12:00:01Z", id="an hour"),
        pytest.param(
            Window(NOON - MILLISECOND, NOON),
            "2026-06-15T11:59:59.999Z",
            "2026-06-15T12:00:00.001Z",
            id="a millisecond",
        ),
        pytest.param(
            Window(NOON - SECOND / 4, NOON),
            "2026-06-15T11:59:59.750Z",
            "2026-06-15T12:00:00.015Z",
            id="a quarter of a second",
        ),
    ],
)
def test_a_window_is_asked_for_in_utc_with_some_overlap(
    world: Sandbox, client: ReportingClient, window: Window, start: str, end: str
) -> None:
    rows_of(client, window)
    (query,) = asked(world)
    options = parse_qs(query)
    assert options == {
        "$format": ["json"],
        "$filter": [f"StartDate eq datetime'{start}' and EndDate eq datetime'{end}'"],
    }
    assert " " not in query


@pytest.mark.parametrize("bounds", ["[]", "[)", "()"])
@pytest.mark.parametrize("step", [timedelta(minutes=1), MILLISECOND], ids=["minute", "millisecond"])
def test_adjacent_windows_miss_nothing_whichever_bounds_are_inside(
    world: Sandbox, client: ReportingClient, bounds: Literal["[]", "[)", "()"], step: timedelta
) -> None:
    configured(world, bounds=bounds)
    instants = [NOON - timedelta(minutes=30) + n * step for n in range(4)]
    world.tenant.add(*(make_row(instant) for instant in instants))
    windows = [Window(instant - step, instant) for instant in instants]
    found = {row.received for window in windows for row in rows_of(client, window)}
    assert found == {milliseconds(instant) for instant in instants}


def test_rows_from_outside_the_window_are_kept_and_warned_about(
    world: Sandbox, client: ReportingClient, log: Logbook
) -> None:
    stray = fields("/Date(1781000000000)/")
    world.faults.add(Rule(page_with(stray, fields()), "reporting"))
    assert [row.received for row in rows_of(client)] == [
        1781000000000,
        milliseconds(NOON) - 60_000,
    ]
    (warning,) = log.texts("warning")
    assert "outside the time that was asked for" in warning


def test_the_overlap_is_nothing_to_warn_about(
    world: Sandbox, client: ReportingClient, log: Logbook
) -> None:
    world.tenant.add(make_row(HOUR.start), make_row(HOUR.end + SECOND))
    assert len(rows_of(client, minutes(-60, -1))) == 1
    assert log.lines == []


# Too much


@pytest.mark.parametrize(
    "mail",
    [MailFlowOptions(messages_per_minute=60, until=NOON, late_fraction=0)],
    ids=["2000 rows and more"],
)
def test_a_full_page_without_a_link_is_not_believed(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    configured(world, truncate=True)
    rows, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert len(rows) == 2000 < len(shown(world))
    assert told(rows) < shown(world)


def test_a_full_bare_page_is_not_believed_either(world: Sandbox, client: ReportingClient) -> None:
    bare = json.dumps({"d": [fields(Index=number) for number in range(2000)]})
    world.faults.add(Rule(Answer(200, bare.encode()), "reporting"))
    rows, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert len(rows) == 2000


@busy
@pytest.mark.parametrize("dialect", ["verbose", "light"])
def test_the_token_wall_ends_a_window_without_being_asked_again(
    world: Sandbox,
    client: ReportingClient,
    mail: MailFlowOptions,
    dialect: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reporting, "TOKEN_WALL", 59)
    configured(world, page_size=20, wall_token=59, dialect=dialect)
    rows, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert len(rows) == 60
    assert world.request_log.count("reporting") == 4


def test_a_link_with_an_absurd_token_is_refused_like_any_other(
    world: Sandbox, client: ReportingClient
) -> None:
    link = f"{world.url('reporting')}/x?$skiptoken={'9' * 5000}"
    full = json.dumps({"value": [], "odata.nextLink": link}).encode()
    world.faults.add(Rule(Answer(200, full, "application/json"), "reporting"))
    world.faults.add(Rule(Answer(400), "reporting", times=None))
    _, error = failing(client)
    assert isinstance(error, Unavailable)


def test_a_window_that_is_to_be_read_as_a_whole_is_believed_from_one_page_only(
    world: Sandbox, client: ReportingClient
) -> None:
    configured(world, page_size=30)
    world.tenant.add(*(make_row(NOON - n * SECOND) for n in range(1, 31)))
    assert [
        page.covered for page in client.pages(HOUR, single_page=True) if isinstance(page, Page)
    ] == [HOUR]
    world.tenant.add(make_row(NOON - 40 * SECOND))
    with pytest.raises(WindowTooLarge):
        list(client.pages(HOUR, single_page=True))


@pytest.mark.parametrize("truncate", [False, True], ids=["with links", "without links"])
def test_the_rows_of_one_message_can_be_asked_for_by_its_id(
    world: Sandbox,
    client: ReportingClient,
    truncate: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ReportingClient, "page_size", 20)
    configured(world, page_size=20, truncate=truncate)
    when, other = NOON - 9 * SECOND, make_row(NOON - 8 * SECOND)
    world.tenant.add(*(make_row(when, RecipientAddress=f"r{n}@contoso.example") for n in range(60)))
    world.tenant.add(other)
    wanted = str(make_row(when).content["MessageTraceId"])
    pages = [page for page in client.pages(HOUR, trace_id=wanted) if isinstance(page, Page)]
    assert len({row.key for page in pages for row in page.rows}) == 60
    assert {row.trace_id for page in pages for row in page.rows} == {wanted}
    assert pages[-1].covered == HOUR
    assert all(wanted in query for query in asked(world))


def test_the_real_wall_is_known(
    world: Sandbox, client: ReportingClient, clock: TurnedClock
) -> None:
    link = "MessageTrace?$filter=StartDate%20eq%20DateTime'2026-06-15'%20and%20EndDate%20eq"
    link += "%20DateTime'2026-06-16'&$format=json&$skiptoken=999999"
    world.faults.add(Rule(page_with(fields(), following=link), "reporting"))
    rows, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert len(rows) == 1
    assert clock.waits == []


@busy
@pytest.mark.parametrize("dialect", ["verbose", "light"])
@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_window_that_the_service_calls_too_large_is_too_large(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions, status: int, dialect: str
) -> None:
    configured(world, refuse_above_rows=10, refuse_status=status, dialect=dialect)
    rows, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert rows == []
    assert world.request_log.count("reporting") == 1


# Too old


@pytest.mark.parametrize("dialect", ["verbose", "light", "atom"])
@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("days", [10, 30])
def test_a_service_that_keeps_less_says_how_much(
    world: Sandbox, client: ReportingClient, days: int, status: int, dialect: str
) -> None:
    configured(world, history_days=days, history_status=status, dialect=dialect)
    window = Window(NOON - timedelta(days=days + 1), NOON - timedelta(days=days))
    rows, error = failing(client, window)
    assert isinstance(error, HistoryExceeded)
    assert error.days == days
    assert rows == []
    assert world.request_log.count("reporting") == 1


TOO_OLD = "Invalid StartDate value. The StartDate can't be older than {} days from today."


@pytest.mark.parametrize("days_ago", [10.1, 10, 10 - 0.9 / 24], ids=["older", "as old", "nearly"])
def test_the_clocks_of_both_sides_may_differ_a_little(
    world: Sandbox, client: ReportingClient, days_ago: float
) -> None:
    world.faults.add(Rule(Answer(400, TOO_OLD.format(10).encode()), "reporting"))
    start = NOON - timedelta(days=days_ago)
    _, error = failing(client, Window(start, start + timedelta(hours=1)))
    assert isinstance(error, HistoryExceeded)


@pytest.mark.parametrize(
    ("status", "text", "days_ago", "expected"),
    [
        pytest.param(503, TOO_OLD.format(10), 20, Unavailable, id="a status of its own"),
        pytest.param(502, TOO_OLD.format(10), 20, Unavailable, id="a gateway"),
        pytest.param(429, TOO_OLD.format(10), 20, Unavailable, id="throttling"),
        pytest.param(401, TOO_OLD.format(10), 20, Refused, id="no token"),
        pytest.param(403, TOO_OLD.format(10), 20, Refused, id="no role"),
        pytest.param(404, TOO_OLD.format(10), 20, Refused, id="no such report"),
        pytest.param(500, TOO_OLD.format(10), 9, Unavailable, id="a window that is young enough"),
        pytest.param(400, TOO_OLD.format(30), 20, Refused, id="a younger window, refused"),
        pytest.param(500, "Logs older than 10 days are removed.", 20, Unavailable, id="of logs"),
        pytest.param(
            500, "Bad StartDate. Mail older than 10 days is gone.", 20, Unavailable, id="sentences"
        ),
        pytest.param(500, TOO_OLD.format("9" * 5000), 20, Unavailable, id="too many digits"),
        pytest.param(500, TOO_OLD.format(0), 20, Unavailable, id="no day at all"),
        pytest.param(500, TOO_OLD.format("00010"), 20, Unavailable, id="no usual number"),
    ],
)
def test_older_than_so_many_days_counts_only_where_it_can_be_about_the_window(
    world: Sandbox,
    client: ReportingClient,
    status: int,
    text: str,
    days_ago: int,
    expected: type[MessageTraceError],
) -> None:
    page = Answer(status, f"<html>{text}</html>".encode(), "text/html")
    world.faults.add(Rule(page, "reporting", times=None))
    start = NOON - timedelta(days=days_ago)
    _, error = failing(client, Window(start, start + timedelta(hours=1)))
    assert isinstance(error, expected)
    assert not isinstance(error, HistoryExceeded)


# Refused


def test_without_a_directory_role_the_report_is_refused(
    world: Sandbox, client: ReportingClient
) -> None:
    world.app.directory_roles.clear()
    rows, error = failing(client)
    assert type(error) is Refused
    assert "Roles and administrators" in error.sentence
    assert rows == []
    assert world.request_log.count("reporting") == 1


def test_a_role_is_noticed_by_the_first_request_after_it_was_assigned(
    world: Sandbox, client: ReportingClient
) -> None:
    roles = set(world.app.directory_roles)
    world.app.directory_roles.clear()
    for _ in range(3):
        assert isinstance(failing(client)[1], Refused)
    world.app.directory_roles.update(roles)
    assert rows_of(client) == []


def test_a_token_that_is_never_accepted_lacks_the_permission(
    world: Sandbox, client: ReportingClient
) -> None:
    world.faults.add(Rule(html_page(401, "401 - Unauthorized"), "reporting", times=None))
    _, error = failing(client)
    assert type(error) is Refused
    assert "ReportingWebService.Read.All" in error.sentence
    assert world.request_log.count("reporting") == 2, "once more with a fresh token, then no more"
    failing(client)
    assert world.request_log.count("reporting") == 3


@pytest.mark.parametrize(
    ("retired", "expected", "advice"),
    [
        ("403", Refused, "Roles and administrators"),
        ("404", Refused, "Graph API"),
        ("html", Unavailable, "not JSON"),
    ],
)
def test_a_retired_service_is_never_an_empty_page(
    world: Sandbox,
    client: ReportingClient,
    retired: Literal["403", "404", "html"],
    expected: type[MessageTraceError],
    advice: str,
) -> None:
    configured(world, retired=retired)
    rows, error = failing(client)
    assert type(error) is expected
    assert advice in error.sentence
    assert rows == []


@pytest.mark.parametrize("status", [400, 405, 409, 422])
def test_any_other_refusal_is_reported_to_the_maintainers(
    world: Sandbox, client: ReportingClient, status: int
) -> None:
    world.faults.add(Rule(Answer(status, b'{"error":{}}'), "reporting"))
    _, error = failing(client)
    assert type(error) is Rejected
    assert not isinstance(error, Misconfigured)
    assert "maintainers" in error.sentence
    assert str(status) in error.detail


# Links


@busy
def test_a_link_is_followed_as_it_was_given(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions
) -> None:
    configured(world, page_size=2000)
    rows = rows_of(client)
    odd = "MessageTrace?$skiptoken=a%2Bb%253D%20c&x='1'"
    world.request_log.clear()
    world.faults.add(Rule(page_with(following=odd), "reporting"))
    rest = json.dumps({"d": {"results": [row.fields for row in rows]}})
    world.faults.add(Rule(Answer(200, rest.encode()), "reporting"))
    assert rows_of(client) == rows
    assert asked(world)[1] == odd.partition("?")[2]


FULL = [fields()] * LEAST_PAGE
"""As many rows as may fill a page, as long as no larger one came."""


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param("{intake}/next", id="another port"),
        pytest.param("//127.0.0.2:{port}/next", id="another host"),
        pytest.param("http://127.0.0.1:{port}/next", id="without TLS"),
        pytest.param("https://127.0.0.1:{port}@evil.example/next", id="host that is no host"),
        pytest.param("https://evil.example\\@127.0.0.1:{port}/next", id="another parser's host"),
        pytest.param("https://someone@127.0.0.1:{port}/next", id="user information"),
        pytest.param("https://@127.0.0.1:{port}/next", id="empty user information"),
        pytest.param("https://127.0.0.1:{port}/ne\txt", id="control character"),
        pytest.param("https://127.0.0.1:{port}/next page", id="white space"),
        pytest.param("\\\\127.0.0.1:{port}\\next", id="backslashes"),
        pytest.param("https://[::1", id="address that is not finished"),
        pytest.param("https://127.0.0.1:port/", id="port that is no number"),
        pytest.param("file:///etc/passwd", id="no address of a server"),
    ],
)
def test_a_link_to_another_host_is_not_followed(
    world: Sandbox, client: ReportingClient, elsewhere: str
) -> None:
    port = urlsplit(world.url("reporting")).port
    link = elsewhere.format(intake=world.url("intake"), port=port)
    world.faults.add(Rule(page_with(*FULL, following=link), "reporting", times=None))
    rows, error = failing(client)
    assert len(rows) == len(FULL), "the page itself is good"
    assert isinstance(error, WindowTooLarge)
    assert "another host" in error.sentence
    assert world.request_log.count("intake") == 0
    assert all("skiptoken" not in query for query in asked(world))


@pytest.mark.parametrize("rows", [[fields()], FULL], ids=["one row", "full pages"])
def test_links_that_lead_in_a_circle_end(
    world: Sandbox, client: ReportingClient, log: Logbook, rows: list[dict[str, Any]]
) -> None:
    for link in ("MessageTrace?$skiptoken=1", "MessageTrace?$skiptoken=2"):
        world.faults.add(Rule(page_with(*rows, following=link), "reporting"))
    back = page_with(*rows, following="MessageTrace?$skiptoken=1")
    world.faults.add(Rule(back, "reporting", times=None))
    if rows != FULL:
        assert len(rows_of(client)) == world.request_log.count("reporting") == 2
        assert any("lead back" in text for text in log.texts("warning"))
        return
    found, error = failing(client)
    assert isinstance(error, WindowTooLarge)
    assert "circle" in error.sentence
    assert len(found) == 2 * LEAST_PAGE
    assert world.request_log.count("reporting") == 2


@pytest.mark.parametrize("status", [400, 404, 410])
@pytest.mark.parametrize("rows", [[fields()], FULL], ids=["one row", "a full page"])
def test_a_refused_link_ends_the_window(
    world: Sandbox, client: ReportingClient, log: Logbook, status: int, rows: list[dict[str, Any]]
) -> None:
    world.faults.add(Rule(page_with(*rows, following="MessageTrace?$skiptoken=1"), "reporting"))
    world.faults.add(Rule(Answer(status, b"{}"), "reporting", path="skiptoken", times=None))
    if rows != FULL:
        assert len(rows_of(client)) == 1
        assert any("links that cannot be followed" in text for text in log.texts("warning"))
    else:
        found, error = failing(client)
        assert isinstance(error, WindowTooLarge), "what is left is read in other windows"
        assert len(found) == LEAST_PAGE
    assert world.request_log.count("reporting") == 3, "the link is asked for once more, and no more"


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(5, id="number"),
        pytest.param(["MessageTrace"], id="list"),
        pytest.param({"uri": "MessageTrace"}, id="object"),
        pytest.param(True, id="boolean"),
    ],
)
def test_a_link_that_is_no_text_is_unavailable(
    world: Sandbox, client: ReportingClient, link: Any
) -> None:
    world.faults.add(Rule(page_with(fields(), following=link), "reporting", times=None))
    _, error = failing(client)
    assert isinstance(error, Unavailable)


# Answers that are no page


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html><title>Sign in</title></html>", id="HTML"),
        pytest.param(b'{"d":{"results":[{"Received":"', id="cut JSON"),
        pytest.param(b'{"d":{"results":[]}}{}', id="more than JSON"),
        pytest.param(b"\xff\xfe\x00", id="bytes that are no text"),
        pytest.param(b"[" * 100_000, id="endless nesting"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"d"', id="string"),
        pytest.param(b"5", id="number"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b'{"d":null}', id="d is null"),
        pytest.param(b'{"d":{}}', id="d is empty"),
        pytest.param(b'{"d":5}', id="d is a number"),
        pytest.param(b'{"d":{"results":null}}', id="results is null"),
        pytest.param(b'{"d":{"results":{}}}', id="results is an object"),
        pytest.param(b'{"value":null}', id="value is null"),
        pytest.param(b'{"value":{"0":{}}}', id="value is an object"),
        pytest.param(b'{"odata.error":{"code":"UnknownError"}}', id="error with status 200"),
        pytest.param(b'{"error":{"code":"","message":{}}}', id="verbose error with status 200"),
        pytest.param(b'{"ErrorCode":"","Message":"No permission"}', id="third kind of error"),
        pytest.param(b'{"d":{"results":[null]}}', id="row is null"),
        pytest.param(b'{"d":{"results":[[]]}}', id="row is a list"),
        pytest.param(b'{"d":{"results":["row"]}}', id="row is a string"),
        pytest.param(b'{"d":{"results":[{}]}}', id="row is empty"),
        pytest.param(b'{"d":{"results":[{"Subject":"x"}]}}', id="row without Received"),
        pytest.param(b'{"d":{"results":[{"Received":null}]}}', id="Received is null"),
        pytest.param(b'{"d":{"results":[{"Received":1658751973240}]}}', id="Received is a number"),
        pytest.param(b'{"d":{"results":[{"Received":""}]}}', id="Received is empty"),
        pytest.param(b'{"d":{"results":[{"Received":"/Date(x)/"}]}}', id="Received is no date"),
        pytest.param(b'{"value":[{"Received":"yesterday"}]}', id="Received is a word"),
        pytest.param(b'{"value":[{"Received":"2026-02-30T00:00:00"}]}', id="day that is not"),
        pytest.param(
            b'{"d":{"results":[{"Received":"/Date(%s)/"}]}}' % (b"9" * 5000), id="endless date"
        ),
        pytest.param(
            b'{"d":{"results":[{"Received":"/Date(1)/"},null]}}', id="null among good ones"
        ),
    ],
)
def test_what_is_no_page_is_unavailable_and_never_an_empty_page(
    world: Sandbox, client: ReportingClient, clock: TurnedClock, body: bytes
) -> None:
    rule = world.faults.add(Rule(Answer(200, body), "reporting", times=None))
    rows, error = failing(client)
    assert type(error) is Unavailable
    assert rows == []
    assert rule.struck == 4, "asked again some times, then given back"
    assert len(clock.waits) == 4


@pytest.mark.parametrize("company", [1, 0], ids=["with a neighbour", "alone"])
def test_a_row_without_a_usable_time_is_forwarded_and_warned_about(
    world: Sandbox, client: ReportingClient, log: Logbook, company: int
) -> None:
    good = {"Received": f"/Date({milliseconds(NOON)})/", "MessageTraceId": "a", "Index": 0}
    odd = {"Received": None, "MessageTraceId": "b", "Index": 1}
    world.faults.add(Rule(page_with(odd, *[good] * company), "reporting"))
    rows = rows_of(client)
    assert [row.received for row in rows] == [milliseconds(NOON)] * company + [0]
    assert [json.loads(client.render(row)) for row in rows] == [good] * company + [odd]
    (warning,) = log.texts()
    assert "without a usable receive time" in warning


@busy
def test_faults_between_pages_are_waited_out(
    world: Sandbox, client: ReportingClient, mail: MailFlowOptions, log: Logbook
) -> None:
    configured(world, page_size=40)
    faults = [
        Answer(503, headers={"Retry-After": "2"}),
        html_page(),
        Drop(),
        Truncate(),
        Answer(429, headers={"Retry-After": "2"}),
        Answer(200, b'{"d":{"results":[{"Rec'),
    ]
    for number, fault in enumerate(faults):
        world.faults.add(Rule(fault, "reporting", nth=2 + number // 2))
    rows = rows_of(client)
    assert told(rows) == shown(world)
    assert len(rows) == len(shown(world))
    assert all("Trying again" in text for text in log.texts("warning"))


def test_no_failure_shows_an_address_or_a_subject(
    world: Sandbox, client: ReportingClient, log: Logbook
) -> None:
    canary = "jane.doe@contoso.example"
    body = json.dumps({"d": {"results": [{"SenderAddress": canary}], "__next": canary}})
    for status, times in ((200, 4), (500, 4), (400, 4), (401, 2), (403, 1), (404, 1)):
        world.faults.add(Rule(Answer(status, body.encode()), "reporting", times=times))
    errors = [failing(client)[1] for _ in range(6)]
    assert [type(error) for error in errors] == [
        Unavailable,
        Unavailable,
        Rejected,
        Refused,
        Refused,
        Refused,
    ]
    assert canary not in repr([(vars(error), error.args) for error in errors])
    assert canary not in repr(log.lines)


# The request budget


@pytest.fixture
def exhausted(clock: TurnedClock, log: Logbook) -> tuple[ScriptedHttp, ReportingClient]:
    full, empty = NotYet(42.0, USED_UP), HttpAnswer(200, {}, b'{"d":{"results":[]}}')
    http = ScriptedHttp(full, full, full, rest=empty)
    transport = Transport(http, "The service", clock, log)
    return http, ReportingClient("https://reports.example", transport, clock, log)


def test_background_pages_give_way_while_the_budget_is_used_up(
    exhausted: tuple[ScriptedHttp, ReportingClient], clock: TurnedClock
) -> None:
    http, client = exhausted
    pages = list(client.pages(HOUR, background=True))
    assert pages == [Pause(42.0)] * 3 + [Page([], HOUR)]
    assert all(request.background for request in http.sent)
    assert len({request.url for request in http.sent}) == 1
    assert clock.waits == [], "whoever reads them decides what to do meanwhile"


def test_pages_of_fresh_mail_wait_for_the_budget(
    exhausted: tuple[ScriptedHttp, ReportingClient], clock: TurnedClock
) -> None:
    _, client = exhausted
    assert list(client.pages(HOUR)) == [Page([], HOUR)]
    assert clock.waits == [42.0] * 3
