"""Nothing makes the past wait for ever, nor is anything asked for without end."""

from __future__ import annotations

from typing import Any

import pytest

from office365_message_trace.collect.coverage import Cause
from office365_message_trace.transport.session import Answer
from tests.claims import laboratory
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import Asked, D, H, Kind, M, Mail, S, Service, shown_after

YEAR = 365 * D


def error(status: int, message: str) -> Answer:
    return Answer(status, {}, b'{"error":{"code":"X","message":"%s"}}' % message.encode())


@pytest.mark.parametrize(
    ("frequency", "answer", "delivery"),
    [(10, 12.0, 0.5), (60, 65.0, 0.5), (60, 1.0, 65.0)],
    ids=["answers", "slow answers", "deliveries"],
)
def test_the_past_does_not_wait_for_ever_for_fresh_mail_that_takes_longer_than_its_frequency(
    monkeypatch: pytest.MonkeyPatch, frequency: int, answer: float, delivery: float
) -> None:
    monkeypatch.setattr(laboratory, "_SERVICE_SECONDS", answer)
    monkeypatch.setattr(laboratory, "_INTAKE_SECONDS", delivery)
    mail = [Mail(T0 - 6 * H + n * 20 * S + 5, f"r{n}") for n in range(180 * 14)]
    lab = Laboratory(Service("graph", mail, page_size=500), policy(frequency=frequency))
    lab.start_time = 6
    lab.run(T0 + 8 * H)
    assert not [row.id for row in lab.missing() if row.received < T0 + 8 * H - 10 * M]


def test_the_past_does_not_wait_for_ever_for_fresh_mail_that_fails() -> None:
    mail = [Mail(T0 - 6 * H + n * M, f"r{n}") for n in range(60 * 14)]
    service = Service("graph", mail)

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        return error(503, "busy") if asked.end > asked.now - 10 * M else None

    service.instead = instead
    lab = Laboratory(service, policy(frequency=60), start_time=6)
    lab.run(T0 + 8 * H)
    assert not [row.id for row in lab.missing() if row.received < T0 - 10 * M]


class Elsewhere(Service):
    """Its empty pages lead to another host."""

    def body(self, asked: Asked, page: list[Mail], link: str | None = None) -> dict[str, Any]:
        """As the base says."""
        answer = super().body(asked, page, link)
        return answer if page else {**answer, "@odata.nextLink": "https://graph.example.net/"}


@pytest.mark.parametrize("kind", ["refused", "elsewhere"])
def test_an_empty_page_whose_link_cannot_be_followed_is_asked_for_once_a_minute(kind: str) -> None:
    mail = [Mail(T0 - 3 * H + n * M, f"r{n}") for n in range(60)]
    service = (Elsewhere if kind == "elsewhere" else Service)("graph", mail)
    pager = service.pager
    if kind == "refused":

        def paged(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
            page, token = pager(rows, asked, size)
            return (page, token) if page else (page, "unknown")

        service.pager = paged
        service.instead = lambda asked, rows: error(400, "no") if asked.token == "unknown" else None
    lab = Laboratory(service, policy(frequency=60, lookback=1)).run(T0 + H)
    assert len(service.given) < 4 * 60
    said = [text for text in lab.said("warning") if "cannot be followed" in text]
    assert 1 <= len(said) < 90


def test_a_gap_that_a_wrong_clock_declared_is_read_when_the_clock_is_right() -> None:
    """The service refuses what lies in the future, so that the end of such a gap cannot be read."""
    again = T0 + 12 * H
    mail = [Mail(T0 - H + n * 5 * M + 7, f"r{n}") for n in range(12 * 24)]
    service = Service("graph", mail)

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        return error(400, "EndDate is in the future.") if asked.end > asked.now + M else None

    service.instead = instead
    steps = [(again - M, 10 * YEAR), (again + M, 0)]
    lab = Laboratory(service, policy(frequency=60, lookback=2), steps=steps)
    lab.tells_time = False
    lab.run(T0 + 2 * H).pause(again).run(again + 6 * H)
    assert not [row.id for row in lab.missing() if row.received < again + 6 * H - 10 * M]
    assert lab.saved.gaps == ()


def test_a_longer_timedelta_repeats_nothing_however_long_it_is() -> None:
    mail = [Mail(T0 + n * H + 7, f"r{n}") for n in range(24 * 12)]
    lab = Laboratory(Service("graph", mail), policy(frequency=3600, lookback=24))
    lab.run(T0 + 8 * D)
    lab.settings = policy(delay=10080, frequency=3600, lookback=24)
    lab.run(T0 + 12 * D)
    assert not lab.repeats()


@pytest.mark.parametrize("kind", ["graph", "reporting"])
def test_what_something_before_the_service_says_of_size_makes_no_window_smaller(kind: Kind) -> None:
    mail = [Mail(T0 - H + n * M, f"r{n}") for n in range(240)]
    service = Service(kind, mail)
    page = b"<html><title>400 Request Header Or Cookie Too Large</title>nginx</html>"

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        return Answer(400, {}, page) if T0 + H < asked.now < T0 + 2 * H else None

    service.instead = instead
    lab = Laboratory(service, policy(frequency=60, lookback=1)).run(T0 + 3 * H)
    assert not any("too many rows" in text for text in lab.said())
    assert any("a proxy in front of it does not" in text for text in lab.said("error"))
    assert not [row.id for row in lab.missing() if row.received < T0 + 3 * H - 10 * M]


@pytest.mark.parametrize("status", [400, 500])
def test_a_busy_service_is_not_said_to_have_too_many_rows(status: int) -> None:
    busy = (
        b'{"error":{"code":"ServerBusy","message":"Too many concurrent requests are processed."}}'
    )
    service = Service("graph", [Mail(T0 - H + n * M, f"r{n}") for n in range(180)])
    service.instead = lambda asked, rows: (
        Answer(status, {}, busy) if T0 + 20 * M < asked.now < T0 + 50 * M else None
    )
    lab = Laboratory(service, policy(frequency=60)).run(T0 + 3 * H)
    assert lab.said()
    assert not any("too many rows" in text for text in lab.said())
    assert [row.id for row in lab.missing() if row.received < T0 + 2 * H - 10 * M] == []


_UNKNOWN = b'{"error":{"code":"InvalidDateRange","message":"The range must lie elsewhere."}}'


@pytest.mark.parametrize("kind", ["graph", "reporting"])
def test_backlog_that_is_refused_in_unknown_words_is_told_once_an_hour(kind: Kind) -> None:
    service = Service(kind, [Mail(T0 - 20 * D + n * H, f"r{n}") for n in range(24 * 21)])
    service.instead = lambda asked, rows: (
        Answer(400, {}, _UNKNOWN) if asked.age > 10 * D and asked.now < T0 + 8 * H else None
    )
    lab = Laboratory(service, policy(history=90), start_time=480).run(T0 + 8 * H)
    told = [text for text in lab.said("error") if "does not accept the request" in text]
    assert 2 <= len(told) <= 8
    lab.run(T0 + 20 * H)
    assert [row.id for row in lab.missing() if row.received < T0 + 19 * H] == []
    assert lab.gaps == ()


def test_re_reads_that_are_refused_in_unknown_words_are_told() -> None:
    service = Service("graph", [Mail(T0 + n * M, f"r{n}") for n in range(600)])
    service.instead = lambda asked, rows: (
        Answer(400, {}, _UNKNOWN) if asked.age > 2 * H and asked.now > T0 + 2 * H else None
    )
    lab = Laboratory(service).run(T0 + 8 * H)
    assert any("does not accept the request" in text for text in lab.said("error"))


def test_one_window_that_is_refused_once_is_not_told() -> None:
    service = Service("graph", [Mail(T0 - 40 * H + n * H, f"r{n}") for n in range(50)])
    left = iter([Answer(400, {}, _UNKNOWN)])
    service.instead = lambda asked, rows: next(left, None) if asked.age > 10 * H else None
    lab = Laboratory(service, start_time=40).run(T0 + 8 * H)
    assert next(left, None) is None
    assert lab.said() == []


def test_a_gap_that_is_refused_when_it_is_tried_again_holds_up_nothing_else() -> None:
    mail = [Mail(T0 - H + n * M + 5, f"r{n}") for n in range(60 * 8)]
    service = Service("graph", mail)
    bad, refused = T0 - 20 * M + 5, list[int]()

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if not asked.start <= bad <= asked.end:
            return None
        if asked.end - asked.start <= 2 and asked.now > T0 + 3 * H and not refused:
            refused.append(asked.now)
            return error(403, "no")
        return error(500, "broken")

    service.instead = instead
    lab = Laboratory(service, policy(frequency=60, lookback=6)).run(T0 + 6 * H)
    assert refused
    assert not any("Graph refuses" in text for text in lab.said())
    assert [gap.cause for gap in lab.saved.gaps] == [Cause.UNREADABLE]


@pytest.mark.parametrize("kind", ["graph", "reporting"])
@pytest.mark.parametrize("frequency", [10, 20, 60])
def test_late_mail_and_a_bad_record_do_not_wait_for_a_backlog_that_cannot_be_read(
    kind: Kind, frequency: int
) -> None:
    """All of the past is one window, which fails for one record: nothing else shows that the service answers."""
    bad = T0 - 5 * H
    late = [shown_after(20 * M, T0 + n * M, f"late{n}") for n in range(100)]
    old = [Mail(T0 - 8 * H + n * 3 * M, f"old{n}") for n in range(160)]
    service = Service(kind, [*old, Mail(bad, "bad"), *late])
    service.instead = lambda asked, rows: (
        Answer(504, {}, b"") if any(row.id == "bad" for row in rows) else None
    )
    lab = Laboratory(service, policy(delay=0, frequency=frequency), start_time=8).run(T0 + 3 * H)
    lost = [row for row in service.mail if row.received == bad]
    assert lab.missing() == lost
    taken = lab.accepted_at()
    assert max(taken[row.id] - row.received for row in late) < 45 * M


@pytest.mark.parametrize("kind", ["graph", "reporting"])
@pytest.mark.parametrize("minutes", [2, 4, 10])
def test_a_bad_record_is_found_by_processes_that_live_for_minutes_only(
    kind: Kind, minutes: int
) -> None:
    old = [Mail(T0 - 24 * H + n * 10 * M, f"old{n}") for n in range(140)]
    fresh = [Mail(T0 + n * 2 * M, f"fresh{n}") for n in range(120)]
    service = Service(kind, [*old, Mail(T0 - 10 * H + 7, "bad"), *fresh])
    service.instead = lambda asked, rows: (
        Answer(500, {}, b"") if any(row.id == "bad" for row in rows) else None
    )
    lab = Laboratory(service, policy(lookback=1), start_time=24)
    while lab.clock.ms < T0 + 5 * H:
        lab.run(lab.clock.ms + minutes * M)
    assert [row.id for row in lab.missing()] == ["bad"]
    assert {gap.cause for gap in lab.gaps} == {Cause.UNREADABLE}


@pytest.mark.parametrize("minutes", [10, 30, 60])
def test_a_gap_is_tried_although_a_process_begins_at_each_full_hour(minutes: int) -> None:
    old = [Mail(T0 - n * H, f"old{n}") for n in range(20 * 24)]
    service = Service("graph", old)
    service.shown = lambda asked, rows: [
        row for row in rows if asked.now > T0 + 6 * H or row.received > T0 - 9 * D
    ]
    lab = Laboratory(service, policy(lookback=1), start_time=20 * 24)
    declared = False
    while lab.clock.ms < T0 + 18 * H:
        lab.run(lab.clock.ms + minutes * M)
        declared |= any(gap.cause is Cause.HIDDEN for gap in lab.gaps)
    assert declared
    assert lab.gaps == ()
    assert lab.missing() == []
