"""A next link that fails for ever is told from a service that gives no answers for a while."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from office365_message_trace.clock import Clock
from office365_message_trace.errors import Refused, Throttled, Unavailable, Unreachable
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.paced_http import USED_UP
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.model import Log, Page, Pause, milliseconds
from office365_message_trace.transport.client import NotYet
from office365_message_trace.transport.retry import USUAL_ATTEMPTS, Transport
from office365_message_trace.transport.session import Answer
from tests.support import NOON, Logbook, ScriptedHttp, TurnedClock, minutes

HOUR = minutes(-60, 0)
SLOW_DOWN = Answer(429, {"retry-after": "30"}, b"{}")
FAULT = Answer(503, {}, b"")
FORBIDDEN = Answer(403, {}, b'{"error": {"code": "Forbidden"}}')
NO_BUDGET = NotYet(42.0, USED_UP)
LINK = "skiptoken"

Make = Callable[[str, Transport, Clock, Log], ODataClient]
both = pytest.mark.parametrize("make", [ReportingClient, GraphClient])
twice = pytest.mark.parametrize("background", [False, True], ids=["fresh mail", "the past"])


def page(rows: int, linked: bool = False, minute: int = -1) -> Answer:
    """A page of either service, of the same first rows each time."""
    received = NOON + timedelta(minutes=minute)
    found = [
        {
            "Received": f"/Date({milliseconds(received)})/",
            "receivedDateTime": received.isoformat().replace("+00:00", "Z"),
            "MessageTraceId": f"m{number}",
            "id": f"m{number}",
            "RecipientAddress": "a@contoso.example",
            "recipientAddress": "a@contoso.example",
        }
        for number in range(rows)
    ]
    link = {"@odata.nextLink": f"?${LINK}=1"} if linked else {}
    return Answer(200, {}, json.dumps({"value": found, **link}).encode())


FIRST = page(3, linked=True)
REST = page(2, minute=-2)


class Rig:
    """A client of either service whose requests are answered by a script, and then by ``rest``."""

    def __init__(self, make: Make, *script: Answer | Exception, rest: Answer | None = None) -> None:
        self.clock = TurnedClock()
        self.log = Logbook()
        self.http = ScriptedHttp(*script, rest=rest)
        transport = Transport(self.http, "The service", self.clock, self.log)
        self.client = make("https://service.example", transport, self.clock, self.log)

    def read(self, background: bool, tentative: bool = False, single_page: bool = False) -> int:
        """The number of different rows that came, once the window was read to its end."""
        rows: set[bytes] = set()
        for each in self.client.pages(
            HOUR, background, single_page=single_page, tentative=tentative
        ):
            if isinstance(each, Pause):
                self.clock.wait(each.seconds)
            else:
                assert isinstance(each, Page)
                rows.update(row.key for row in each.rows)
        return len(rows)

    @property
    def asked(self) -> str:
        """What was asked for: F for a first page, L for what a link leads to."""
        return "".join("L" if LINK in request.url else "F" for request in self.http.sent)


@both
@twice
@pytest.mark.parametrize("failure", [SLOW_DOWN, FAULT, FORBIDDEN], ids=["429", "503", "403"])
def test_a_link_that_fails_again_and_again_while_first_pages_come_ends_the_window(
    make: Make, background: bool, failure: Answer
) -> None:
    tries = 1 if failure is FORBIDDEN else USUAL_ATTEMPTS
    rig = Rig(make, FIRST, *[failure] * tries, FIRST, failure, FIRST, failure)
    assert rig.read(background) == 3
    assert rig.asked == "F" + "L" * tries + "FLFL"
    assert any("links that cannot be followed" in text for text in rig.log.texts("warning"))


@both
@twice
@pytest.mark.parametrize(
    "answers",
    [
        [*[SLOW_DOWN] * 4, FIRST],
        [*[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, FIRST],
        [*[FAULT] * 4, FIRST],
        [FORBIDDEN, FIRST],
        [*[NO_BUDGET] * 9, SLOW_DOWN],
    ],
    ids=["as it ends", "a quota that frees an answer", "a fault", "a permission", "our own budget"],
)
def test_no_trouble_that_passes_is_taken_for_that_of_the_link(
    make: Make, background: bool, answers: list[Answer | Exception]
) -> None:
    """The first page may be the first answer of a service that answers again."""
    rig = Rig(make, FIRST, *answers, rest=REST)
    assert rig.read(background) == 5
    assert not any("cannot be followed" in text for text in rig.log.texts("warning"))


@both
@twice
@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([*[SLOW_DOWN] * 4, SLOW_DOWN], Throttled),
        ([*[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, SLOW_DOWN], Throttled),
        ([*[FAULT] * 4, SLOW_DOWN], Throttled),
        ([*[FAULT] * 4, FAULT], Unavailable),
        ([FORBIDDEN, FORBIDDEN], Refused),
        ([*[SLOW_DOWN] * 4, FIRST, Unreachable("No way to the service.")], Unreachable),
    ],
)
def test_where_first_pages_do_not_come_either_the_window_is_not_complete(
    make: Make, background: bool, answers: list[Answer | Exception], error: type[Exception]
) -> None:
    rig = Rig(make, FIRST, *answers)
    with pytest.raises(error):
        rig.read(background)


@both
@twice
@pytest.mark.parametrize(("minutes_ago", "is_believed"), [(9, False), (11, True)])
def test_a_throttled_link_is_not_at_fault_soon_after_other_requests_were_throttled(
    make: Make, background: bool, minutes_ago: int, is_believed: bool
) -> None:
    """Some requests of a tenant that has used up its quota are answered, whichever they are."""
    at_fault = [*[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, FIRST, SLOW_DOWN]
    rig = Rig(make, SLOW_DOWN, page(1), FIRST, *at_fault)
    rig.read(background)
    rig.clock.wait(60 * (minutes_ago - 3))
    if is_believed:
        rig.read(background)
    else:
        with pytest.raises(Throttled):
            rig.read(background)


@both
@twice
def test_each_request_comes_after_the_wait_that_the_service_asks_for(
    make: Make, background: bool
) -> None:
    rig = Rig(make, FIRST, *[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, FIRST, SLOW_DOWN)
    rig.read(background)
    before_the_last = rig.clock.waits[:5]
    assert before_the_last == [30.0] * 5


def refused(make: Make) -> Rig:
    """A client that has found a link to fail."""
    rig = Rig(make, FIRST, *[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, FIRST, SLOW_DOWN, rest=FIRST)
    rig.read(background=True, tentative=True)
    rig.http.sent.clear()
    return rig


@both
@twice
def test_within_an_hour_of_a_failing_link_last_pages_that_are_read_again_end_without_it(
    make: Make, background: bool
) -> None:
    rig = refused(make)
    for _ in range(3):
        assert rig.read(background, tentative=True) == 3
        rig.clock.wait(1000)
    assert rig.asked == "FFF"


@both
def test_a_link_is_tried_again_an_hour_after_it_failed(make: Make) -> None:
    rig = refused(make)
    rig.clock.wait(3600)
    rig.read(background=True, tentative=True)
    assert rig.asked.startswith("FL")


@both
@pytest.mark.parametrize("single_page", [False, True])
def test_no_time_is_final_without_a_try_of_its_link(make: Make, single_page: bool) -> None:
    rig = refused(make)
    rig.read(background=True, single_page=single_page)
    assert rig.asked.startswith("FL")


@both
def test_after_a_failing_link_the_links_of_full_pages_are_followed(make: Make) -> None:
    """A failing link shows nothing of pages behind which there are others."""
    full = page(20, linked=True)
    script = FIRST, *[SLOW_DOWN] * 4, FIRST, SLOW_DOWN, FIRST, SLOW_DOWN, full
    rig = Rig(make, *script, rest=REST)
    rig.client.page_size = 20
    for rows in (3, 22):
        assert rig.read(background=True, tentative=True) == rows
