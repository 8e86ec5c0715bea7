"""Pages over a limit are read again in lighter ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from office365_message_trace import codec
from office365_message_trace.errors import Rejected, Unavailable, WindowTooLarge
from office365_message_trace.microsoft.graph import LARGEST_PAGE, LEAST_ROWS, GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import MILLISECOND, Page, Window
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from tests.support import NOON, Logbook, ScriptedHttp, TurnedClock, minutes

HEAVY = Answer(200, {}, b"[", cut=True)
MANY = Answer(200, {}, b'{"value":[' + b"[]," * codec.MOST_VALUES + b"[]]}")
TOO_LARGE = Answer(400, {}, b'{"error":{"message":"It is too large."}}')
ABOUT_SIZE = (
    "It is too large.",
    "The query is too large: it matches 12000 results and at most 9000 are allowed.",
    "|System.ArgumentException|The interval between StartDate and EndDate can't be longer than 10 days.",
    "The interval between StartDate and EndDate can\\u0027t be longer than 10 days",
    "Too many records match.",
    "The number of rows exceeds the maximum.",
    "Bad request. Narrow the range between StartDate and EndDate. There are few users.",
)
ABOUT_ELSE = (
    "Too many concurrent requests are being processed.",
    "There are too many users on this server.",
    "The application exceeds the limit of 100 requests.",
    "The application exceeds the limit.",
    "The request header is too large.",
    "Too many things happen. The date is right.",
    "Reduce the rate at which data is requested.",
)
HOUR = minutes(-60, 0)
INSTANT = Window(NOON, NOON + MILLISECOND)


def page(rows: int, link: str = "", subject: int = 0, behind: int = 0) -> Answer:
    """The newest row first, a millisecond between two, ``behind`` so many rows."""
    newest = NOON - timedelta(minutes=5) - behind * MILLISECOND
    times = [(newest - n * MILLISECOND).isoformat().encode() for n in range(rows)]
    text = b'{"id":"%d","receivedDateTime":"%s","subject":"%s"}'
    body = b",".join(text % (n, at, b"a" * subject) for n, at in enumerate(times))
    return Answer(200, {}, b'{"value":[%s],"@odata.nextLink":"%s"}' % (body, link.encode()))


def tops(service: ScriptedHttp) -> list[int]:
    """The page sizes that were asked for."""
    urls = [request.url for request in service.sent]
    return [int(url.rpartition("$top=")[2]) for url in urls if "$top=" in url]


def client(kind: type[ODataClient], service: ScriptedHttp) -> ODataClient:
    clock, log = TurnedClock(), Logbook()
    transport = Transport(service, "The service", clock, log)
    return kind("https://graph.example", transport, clock, log)


def read(source: ODataClient, window: Window = HOUR) -> list[int]:
    return [len(each.rows) for each in source.pages(window) if isinstance(each, Page)]


@pytest.mark.parametrize("answer", [HEAVY, MANY], ids=["long", "many values"])
@pytest.mark.parametrize("window", [HOUR, INSTANT], ids=["hour", "instant"])
def test_after_a_page_over_the_limit_graph_is_asked_for_fewer_rows(
    answer: Answer, window: Window
) -> None:
    service = ScriptedHttp(rest=answer)
    source = client(GraphClient, service)
    for _ in range(4):
        with pytest.raises(WindowTooLarge, match="over the limit"):
            read(source, window)
    assert tops(service) == [5000, 1250, 312, 78]
    assert source.page_size == LEAST_ROWS


@pytest.mark.parametrize(("window", "error"), [(HOUR, WindowTooLarge), (INSTANT, Unavailable)])
def test_below_some_rows_windows_get_narrower_and_not_pages_smaller(
    window: Window, error: type[Exception]
) -> None:
    source = client(GraphClient, ScriptedHttp(rest=HEAVY))
    source.page_size = LEAST_ROWS
    with pytest.raises(error, match="over the limit"):
        read(source, window)
    assert source.page_size == LEAST_ROWS


def test_a_window_does_not_go_on_in_small_pages_once_they_can_be_larger() -> None:
    """The collector plans the rest again, with larger pages."""
    service = ScriptedHttp(HEAVY, page(1250, "https://graph.example/next"), rest=page(2500))
    source = client(GraphClient, service)
    with pytest.raises(WindowTooLarge, match="over the limit"):
        read(source)
    with pytest.raises(WindowTooLarge, match="larger"):
        read(source)
    next(iter(source.pages(HOUR)))
    assert tops(service) == [5000, 1250, 2500]


def test_a_single_row_over_the_limit_is_a_fault_of_its_instant() -> None:
    source = client(GraphClient, ScriptedHttp(rest=HEAVY))
    source.page_size = 1
    with pytest.raises(Unavailable, match="over the limit"):
        read(source, INSTANT)
    with pytest.raises(WindowTooLarge):
        read(source, HOUR)


def test_full_pages_that_are_light_are_made_larger_again() -> None:
    service = ScriptedHttp(HEAVY, page(1250), page(2500), page(5000), rest=page(1))
    source = client(GraphClient, service)
    with pytest.raises(WindowTooLarge):
        read(source)
    for _ in range(3):
        next(iter(source.pages(HOUR)))
    assert source.page_size == LARGEST_PAGE
    assert read(source) == [1]


def test_full_pages_that_are_heavy_are_left_as_they_are() -> None:
    source = client(GraphClient, ScriptedHttp(HEAVY, rest=page(1250, subject=2000)))
    with pytest.raises(WindowTooLarge):
        read(source)
    next(iter(source.pages(HOUR)))
    assert source.page_size == 1250


def test_a_walk_under_way_keeps_its_page_size() -> None:
    """Else it would take a full page of the smaller size for the last one."""
    service = ScriptedHttp(
        page(5000, "https://graph.example/next"), page(1, behind=5000), rest=page(0)
    )
    source = client(GraphClient, service)
    walk = iter(source.pages(HOUR))
    next(walk)
    source.page_size = 10
    next(walk)
    next(walk)
    assert tops(service)[:2] == [5000, 5000]


@pytest.mark.parametrize(("window", "error"), [(HOUR, WindowTooLarge), (INSTANT, Unavailable)])
def test_the_reporting_web_service_is_asked_for_smaller_windows(
    window: Window, error: type[Exception]
) -> None:
    source = client(ReportingClient, ScriptedHttp(rest=HEAVY))
    with pytest.raises(error, match="over the limit"):
        read(source, window)


@pytest.mark.parametrize("kind", [GraphClient, ReportingClient])
@pytest.mark.parametrize(("window", "error"), [(HOUR, WindowTooLarge), (INSTANT, Unavailable)])
def test_a_refusal_that_speaks_of_size_is_at_a_millisecond_a_failure_like_others(
    kind: type[ODataClient], window: Window, error: type[Exception]
) -> None:
    """No smaller window would help, and the words may be about something else."""
    source = client(kind, ScriptedHttp(rest=TOO_LARGE))
    with pytest.raises(error, match="too many rows"):
        read(source, window)


def saying(text: str) -> Answer:
    """A refusal of the service, whose other members tell a date and a request."""
    inner = '"innerError":{"date":"2026-06-15","request-id":"1"}'
    return Answer(400, {}, f'{{"error":{{"message":"{text}",{inner}}}}}'.encode())


@pytest.mark.parametrize("text", ABOUT_SIZE)
def test_words_about_rows_or_time_ask_for_smaller_windows(text: str) -> None:
    with pytest.raises(WindowTooLarge):
        read(client(GraphClient, ScriptedHttp(rest=saying(text))), HOUR)


@pytest.mark.parametrize("text", ABOUT_ELSE)
def test_words_about_other_things_that_are_too_many_do_not(text: str) -> None:
    with pytest.raises(Rejected):
        read(client(GraphClient, ScriptedHttp(rest=saying(text))), HOUR)
