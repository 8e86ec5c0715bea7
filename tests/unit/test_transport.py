"""One retry loop: what passes by itself is waited out, said, and never taken for an answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.errors import Refused, Stopped, Unavailable, Unreachable
from office365_message_trace.microsoft.paced_http import USED_UP
from office365_message_trace.transport import diagnosis, session
from office365_message_trace.transport.client import NotYet, Request, RequestsHttp
from office365_message_trace.transport.retry import Transport, check_available
from office365_message_trace.transport.session import Answer, TimeoutSession
from sandbox import Answer as Instead
from sandbox import (
    Drip,
    Drop,
    Fault,
    Hang,
    LoseAnswer,
    MailFlowOptions,
    OtherDate,
    Rule,
    Sandbox,
    SandboxOptions,
    Truncate,
)
from sandbox.ports import unclaimed_ports
from tests.support import NOON, Logbook, ScriptedHttp, TurnedClock

PAGE = Request("GET", "https://reports.example/page")
REFUSED = Answer(401, {}, b"")
OK = Answer(200, {}, b"")
REDIRECT = Answer(302, {}, b"")
SERIES = [1, 2, 4, 8, 16, 32, 60, 60]


def broken(**headers: str) -> Answer:
    return Answer(503, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


class Ticket:
    """Credentials that can be renewed once between two successes."""

    def __init__(self) -> None:
        self.renewals = 0
        self.successes = 0
        self._fresh = False

    def renew(self) -> bool:
        worth_it = not self._fresh
        self._fresh = True
        self.renewals += worth_it
        return worth_it

    def proven(self) -> None:
        self._fresh = False
        self.successes += 1


class Line:
    """A `Transport` to a scripted service, with everything it uses within reach."""

    def __init__(
        self,
        *script: Answer | Exception,
        jitter: Callable[[], float] = lambda: 1.0,
        ticket: Ticket | None = None,
        stop_after: float = float("inf"),
    ) -> None:
        self.http = ScriptedHttp(*script)
        self.clock = TurnedClock(stop_after=stop_after)
        self.log = Logbook()
        self.stamps: list[tuple[float, str]] = []
        self.transport = Transport(self.http, "The service", self.clock, self._note, ticket, jitter)

    def _note(self, text: str, level: str) -> None:
        self.stamps.append((self.clock.monotonic(), text))
        self.log(text, level)

    def ask(self, attempts: int | None = None, request: Request = PAGE) -> int:
        def status(answer: Answer) -> int:
            check_available(answer, self.clock.now())
            return answer.status

        return self.transport.call(request, status, attempts)


# Waiting


@given(st.floats(0, 1))
def test_waits_double_from_a_second_to_a_minute_less_half_at_most(jitter: float) -> None:
    line = Line(*[broken()] * len(SERIES), OK, jitter=lambda: jitter)
    assert line.ask() == 200
    for wait, longest in zip(line.clock.waits, SERIES, strict=True):
        assert longest / 2 <= wait <= longest


def test_jitter_is_drawn_for_each_wait() -> None:
    draws = iter([0.0, 1.0, 0.5])
    line = Line(broken(), broken(), broken(), OK, jitter=lambda: next(draws))
    line.ask()
    assert line.clock.waits == [0.5, 2.0, 3.0]


def test_failures_count_on_over_calls_until_a_success() -> None:
    line = Line(*[broken()] * 3, OK, broken())
    for _ in range(3):
        with pytest.raises(Unavailable):
            line.ask(attempts=1)
    assert line.ask() == 200
    with pytest.raises(Unavailable):
        line.ask(attempts=1)
    assert line.clock.waits == [1, 2, 4, 1]


def test_after_its_attempts_a_call_fails_but_only_once_it_has_waited() -> None:
    line = Line(*[broken()] * 4)
    with pytest.raises(Unavailable, match="status 503"):
        line.ask(attempts=4)
    assert len(line.http.sent) == 4
    assert line.clock.waits == [1, 2, 4, 8]


def test_a_broken_connection_is_waited_out_like_a_bad_status() -> None:
    line = Line(Unavailable("no answer"), OK)
    assert line.ask() == 200
    assert line.clock.waits == [1]


def test_a_wait_ends_with_a_stop_and_nothing_is_sent_afterwards() -> None:
    line = Line(*[broken()] * 9, stop_after=10)
    with pytest.raises(Stopped):
        line.ask()
    assert len(line.http.sent) == 4  # 1 + 2 + 4 seconds passed, the wait of 8 was cut short
    with pytest.raises(Stopped):
        line.ask()
    assert len(line.http.sent) == 4


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="seconds among blanks"),
        pytest.param("0", 1.0, id="at once becomes a second"),
        pytest.param("601", 600.0, id="too long is capped"),
        pytest.param("9" * 400, 600.0, id="endless is capped"),
        pytest.param(format_datetime(NOON + timedelta(seconds=33), usegmt=True), 30.0, id="date"),
        pytest.param("Mon, 15 Jun 2026 14:00:33 +0200", 30.0, id="date elsewhere"),
        pytest.param("Mon, 15 Jun 2026 12:00:33 -0000", 30.0, id="date without zone"),
        pytest.param("Mon, 15 Jun 2026 11:59:00 GMT", 1.0, id="date that has passed"),
        pytest.param("Tue, 16 Jun 2026 12:00:00 GMT", 600.0, id="date that is far away"),
        pytest.param("-5", 4.0, id="negative means nothing"),
        pytest.param("soon", 4.0, id="a word means nothing"),
        pytest.param("", 4.0, id="empty means nothing"),
    ],
)
def test_retry_after_goes_before_the_series(asked: str, waited: float) -> None:
    line = Line(broken(), broken(), broken(retry_after=asked), OK)
    line.ask()
    assert line.clock.waits[2] == waited


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Mon, 15 Jun 2026 12:00:00 +3000000000000", id="zone beyond all days"),
        pytest.param("Mon, 15 Jun 2026 12:00 3000000000", id="seconds beyond all integers"),
        pytest.param("Mon, 31 Feb 2026 12:00:00 GMT", id="day that no month has"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 +1400", id="before the first year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -1400", id="after the last year"),
        pytest.param("\xb2", id="digit that is no number"),
        pytest.param("12, 30", id="two numbers"),
    ],
)
def test_no_retry_after_is_too_odd_to_be_waited_for(text: str) -> None:
    line = Line(broken(retry_after=text), OK)
    assert line.ask() == 200
    assert 1.0 <= line.clock.waits[0] <= 600.0


# Saying


def test_what_is_waited_for_is_said_at_once_and_then_once_a_minute() -> None:
    line = Line(*[broken()] * 40, OK, jitter=lambda: 0.3)
    line.ask()
    said = [at for at, text in line.stamps if "does not answer as it should" in text]
    assert said[0] == 0
    assert all(60 <= later - earlier <= 120 for earlier, later in pairwise(said))
    assert line.clock.monotonic() - said[-1] <= 120


def test_a_sentence_names_service_reason_and_status_and_says_that_nothing_is_lost() -> None:
    line = Line(broken(), OK)
    line.ask()
    (warning,) = line.log.texts("warning")
    for part in ("The service", "a server error", "nothing is lost", "[status 503]"):
        assert part in warning
    assert line.log.texts("info") == ["The service answers again."]


def test_another_reason_is_said_at_once() -> None:
    line = Line(broken(), Answer(429, {}, b""), broken(), Answer(429, {}, b""), OK)
    line.ask()
    assert len(line.log.texts("warning")) == 2


def test_each_trouble_that_is_named_is_followed_by_its_end() -> None:
    """However soon they follow one another; what is not named again within a minute has no end either."""
    line = Line(broken(), OK, REDIRECT, OK, broken(), OK, OK)
    for _ in range(4):
        line.ask()
    texts = [text for _, text in line.stamps]
    assert [" Trying again " in text for text in texts] == [True, False, True, False]
    assert texts[1] == texts[3] == "The service answers again."


def odd() -> Unavailable:
    return Unavailable("odd", lasting=Refused("A person has to act."))


def test_what_an_answer_means_that_lasts_is_believed_the_fourth_time_in_a_row() -> None:
    line = Line(odd(), odd(), odd(), odd())
    with pytest.raises(Refused, match="A person has to act"):
        line.ask()
    assert len(line.http.sent) == 4
    assert {level for level, _ in line.log.lines} == {"warning"}


def test_what_has_lasted_is_not_tried_again_before_the_next_success() -> None:
    line = Line(odd(), odd(), odd(), odd(), odd(), OK, odd(), OK)
    for _ in range(2):
        with pytest.raises(Refused):
            line.ask()
    assert len(line.http.sent) == 5
    assert [line.ask(), line.ask()] == [200, 200]


def test_odd_answers_between_others_mean_nothing() -> None:
    line = Line(odd(), odd(), odd(), broken(), odd(), odd(), odd(), OK)
    assert line.ask() == 200


def test_a_cause_that_is_known_is_logged_as_it_is_and_waited_out() -> None:
    line = Line(Unreachable("The name x is not known. Act.", "gaierror"), OK)
    assert line.ask() == 200
    (text,) = line.log.texts("warning")
    assert text == (
        "The name x is not known. Act. Trying again until it works; nothing is lost meanwhile. [gaierror]"
    )


def test_who_has_nothing_to_wait_for_says_nothing() -> None:
    line = Line(OK, OK)
    line.ask()
    line.ask()
    assert line.log.lines == []


# Credentials


def test_after_a_401_the_request_is_repeated_once_with_renewed_credentials() -> None:
    ticket = Ticket()
    line = Line(REFUSED, OK, ticket=ticket)
    assert line.ask() == 200
    assert (len(line.http.sent), ticket.renewals, ticket.successes) == (2, 1, 1)
    assert line.clock.waits == []


def test_a_401_with_renewed_credentials_is_passed_on() -> None:
    ticket = Ticket()
    line = Line(REFUSED, REFUSED, REFUSED, ticket=ticket)
    assert line.ask() == 401
    assert line.ask() == 401
    assert (len(line.http.sent), ticket.renewals, ticket.successes) == (3, 1, 0)


def test_a_success_makes_the_next_401_worth_a_renewal() -> None:
    ticket = Ticket()
    line = Line(REFUSED, OK, REFUSED, OK, ticket=ticket)
    assert [line.ask(), line.ask()] == [200, 200]
    assert ticket.renewals == 2


def test_after_a_403_the_next_request_has_new_credentials() -> None:
    ticket = Ticket()
    line = Line(Answer(403, {}, b""), OK, ticket=ticket)
    assert line.ask() == 403
    assert (len(line.http.sent), ticket.renewals) == (1, 1)


def test_a_service_without_credentials_has_its_401_passed_on() -> None:
    line = Line(REFUSED)
    assert line.ask() == 401
    assert len(line.http.sent) == 1


# Pacing


def test_waiting_for_the_request_budget_is_no_failure() -> None:
    line = Line(NotYet(12.5, USED_UP), NotYet(3.0, USED_UP), broken(), OK)
    assert line.ask(attempts=2) == 200
    assert line.clock.waits == [12.5, 3.0, 1]
    assert line.log.texts("info")[0] == ("Pausing for the service: the request budget is used up.")


def test_a_background_request_does_not_wait_for_the_budget_itself() -> None:
    line = Line(NotYet(12.5, USED_UP))
    with pytest.raises(NotYet):
        line.ask(request=Request("GET", PAGE.url, background=True))
    assert line.clock.waits == []


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, None) for status in (200, 204, 400, 401, 403, 404, 409, 410, 413, 422)),
        *((status, "a redirect instead of an answer") for status in (300, 302, 304, 308)),
        *(
            (status, "a server error, there or at a proxy in front of it")
            for status in (408, 425, 500, 502, 503, 504, 599)
        ),
        (429, "it asks to slow down"),
    ],
)
def test_a_status_either_passes_by_itself_or_is_an_answer(status: int, meaning: str | None) -> None:
    answer = Answer(status, {"retry-after": "3"}, b"")
    if meaning is None:
        check_available(answer, NOON)
        return
    with pytest.raises(Unavailable) as caught:
        check_available(answer, NOON)
    assert caught.value.sentence == meaning
    assert caught.value.detail == f"status {status}"
    assert caught.value.retry_after == (None if status < 400 else 3.0)


# The network


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Sandbox(SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))) as running:
        running.intake.options.unknown_key_status = 404
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running
    assert running.failures == []


def asking(world: Sandbox, path: str = "/batch") -> Request:
    return Request("GET", world.url("intake") + path)


def test_the_bundle_of_the_environment_is_trusted_and_any_status_is_an_answer(
    world: Sandbox,
) -> None:
    world.faults.add(Rule(Instead(418, b"tea", headers={"X-Pot": "1"}), times=None))
    answer = RequestsHttp(TimeoutSession()).begin(asking(world))()
    assert (answer.status, answer.body, answer.headers["x-pot"]) == (418, b"tea", "1")


@pytest.mark.parametrize("status", [None, 302, 404, 503], ids=str)
def test_the_date_of_every_answer_is_handed_on_before_its_body_is_there(
    world: Sandbox, status: int | None
) -> None:
    dates: list[str] = []
    if status:
        world.faults.add(Rule(Instead(status, headers={"Date": "now"})))
    else:
        world.faults.add(Rule(Truncate()))
    http = RequestsHttp(TimeoutSession(), dated=dates.append)
    with suppress(Unavailable):
        http.begin(asking(world))()
    assert len(dates) == 1
    assert dates[0] == "now" if status else dates[0].endswith(" GMT")


def test_an_answer_without_a_date_hands_on_an_empty_one(world: Sandbox) -> None:
    dates: list[str] = []
    world.faults.add(Rule(OtherDate()))
    RequestsHttp(TimeoutSession(), dated=dates.append).begin(asking(world))()
    assert dates == [""]


def test_without_that_bundle_the_service_is_not_trusted(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Unavailable, match="SSL"):
        RequestsHttp(TimeoutSession()).begin(asking(world))()
    assert world.request_log.count() == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Drop(), diagnosis.CUT_OFF, id="connection dropped"),
        pytest.param(LoseAnswer(), diagnosis.CUT_OFF, id="answer lost"),
        pytest.param(Truncate(), diagnosis.USABLE, id="body truncated"),
        pytest.param(Hang(), diagnosis.IN_TIME, id="no answer at all"),
        pytest.param(
            Instead(200, b"no gzip", headers={"Content-Encoding": "gzip"}),
            diagnosis.USABLE,
            id="body not readable",
        ),
    ],
)
def test_what_is_no_whole_answer_is_unavailable(world: Sandbox, fault: Fault, words: str) -> None:
    world.faults.add(Rule(fault))
    http = RequestsHttp(TimeoutSession())
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(fault, Hang):
            patch.setattr(session, "READ_TIMEOUT", 0.3)
        with pytest.raises(Unavailable) as caught:
            http.begin(asking(world, "/batch?secret=canary"))()
    assert caught.value.sentence == words
    assert "canary" not in repr(caught.value)
    assert "127.0.0.1" not in repr(caught.value)
    assert http.begin(asking(world))().status == 404, "the next request gets its answer"


def test_an_answer_that_drips_without_end_is_given_up(world: Sandbox) -> None:
    """Each byte comes in time, the whole never does."""
    world.faults.add(Rule(Drip(pause=0.05)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "TOTAL_TIMEOUT", 0.4)
        with pytest.raises(Unavailable, match="not whole in time"):
            RequestsHttp(TimeoutSession()).begin(asking(world))()


def test_a_refused_connection_is_unavailable() -> None:
    request = Request("GET", f"http://127.0.0.1:{unclaimed_ports(1)[0]}/")
    with pytest.raises(Unavailable, match="NewConnectionError"):
        RequestsHttp(TimeoutSession()).begin(request)()


def test_a_name_that_does_not_resolve_is_unavailable(world: Sandbox) -> None:
    with pytest.raises(Unavailable, match="cannot be resolved"):
        RequestsHttp(TimeoutSession()).begin(Request("GET", "https://nowhere.invalid/"))()


def test_redirects_are_not_followed(world: Sandbox) -> None:
    elsewhere = {"Location": world.url("entra") + "/elsewhere"}
    world.faults.add(Rule(Instead(302, headers=elsewhere)))
    assert RequestsHttp(TimeoutSession()).begin(asking(world))().status == 302
    assert world.request_log.count() == 1


def test_the_proxy_of_the_environment_is_used(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unclaimed_ports(1)[0]}")
    with pytest.raises(Unavailable, match="ProxyError"):
        RequestsHttp(TimeoutSession()).begin(asking(world))()
    assert world.request_log.count() == 0


def test_the_proxy_is_asked_for_a_tunnel_to_the_service(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=refuse, args=(listener,))
        proxy.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unavailable):
            RequestsHttp(TimeoutSession()).begin(asking(world))()
        proxy.join()
    service = world.url("intake").removeprefix("https://")
    assert asked[0].startswith(f"CONNECT {service} HTTP/1.".encode())
