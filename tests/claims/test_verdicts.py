"""What the intake does not take is neither lost nor recorded as taken, and costs few repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from office365_message_trace.collect.coverage import Cause, Gap
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from tests.claims.intake import ids
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import Asked, D, H, Kind, M, Mail, S, Service


def _trace_id(event: Any) -> str:
    return str(event["MessageTraceId"])


def _refusing(lab: Laboratory, refused: Callable[[str], bool]) -> None:
    """The same for events by their trace id."""
    _refusing_events(lab, lambda event: refused(_trace_id(event)))


def _refusing_events(lab: Laboratory, refused: Callable[[Any], bool]) -> None:
    """Leave out what is refused, without saying which; a batch of only such events is a 400."""

    def verdict(events: list[Any]) -> Answer | None:
        good = [event for event in events if not refused(event)]
        if len(good) == len(events):
            return None
        return lab.intake.accept(good) if good else Answer(400, {}, b"{}")

    lab.intake.verdict = verdict


def _accepted(lab: Laboratory, trace_id: str) -> int:
    """How many events of it the intake took."""
    return sum(_trace_id(event) == trace_id for _, event in lab.intake.accepted)


def _mail(rows: int, every: int = S) -> list[Mail]:
    return [Mail(T0 + n * every, f"r{n}") for n in range(rows)]


@pytest.mark.parametrize("minutes", [1, 20, 120])
@pytest.mark.parametrize("bad", [{"r100"}, {"r100", "r101", "r590"}], ids=["one", "three"])
def test_an_event_that_is_refused_for_a_while_is_not_lost(minutes: int, bad: set[str]) -> None:
    lab = Laboratory(Service("reporting", _mail(600)))

    def refused(name: str) -> bool:
        return name in bad and T0 + 7 * M <= lab.clock.ms < T0 + (7 + minutes) * M

    _refusing(lab, refused)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.monitor.events == 0


def test_an_event_that_is_always_refused_is_declared_when_its_time_is_final() -> None:
    later = [Mail(T0 + n * 10 * M, f"later{n}") for n in range(60)]
    lab = Laboratory(Service("reporting", [*_mail(600), *later]))
    _refusing(lab, lambda name: name == "r100")
    lab.run(T0 + 5 * H)
    assert lab.monitor.events == 0
    lab.run(T0 + 12 * H)
    assert [row.id for row in lab.missing()] == ["r100"]
    (gap,) = lab.gaps
    assert gap.cause is Cause.REFUSED
    assert lab.monitor.events == 1
    assert lab.said("error")


@pytest.mark.parametrize("minutes", [10, 40])
def test_so_it_is_by_processes_that_live_for_minutes_only(minutes: int) -> None:
    later = [Mail(T0 + n * M, f"later{n}") for n in range(1, 480)]
    lab = Laboratory(Service("reporting", [*_mail(60), *later]), policy(lookback=1))
    _refusing(lab, lambda name: name == "r50")
    while lab.clock.ms < T0 + 6 * H:
        lab.run(lab.clock.ms + minutes * M)
    assert {gap.cause for gap in lab.gaps} == {Cause.REFUSED}
    assert lab.monitor.events == 1


def test_after_a_restart_a_refused_event_is_declared_once_the_intake_accepts_another_one() -> None:
    """Until then it may be the intake that is at fault: that is logged, and the time stays open."""
    lab = Laboratory(Service("reporting", [*_mail(600), Mail(T0 + 30 * H, "the next mail")]))
    _refusing(lab, lambda name: name == "r100")
    lab.run(T0 + 2 * H).run(T0 + 29 * H)
    assert lab.monitor.events == 0
    assert lab.saved.oldest <= from_ms(T0 + 100 * S)
    assert any("accepts none of the events" in text for text in lab.said("error"))
    lab.run(T0 + 32 * H)
    assert [row.id for row in lab.missing()] == ["r100"]
    (gap,) = lab.gaps
    assert gap.cause is Cause.REFUSED


@pytest.mark.parametrize("lies", [1, 100], ids=["one", "all"])
def test_a_refused_event_that_the_last_answer_leaves_out_is_declared_until_it_is_accepted(
    lies: int,
) -> None:
    """Whether it is one answer or all of them up to the end, and though the process was killed before."""
    later = [Mail(T0 + n * 10 * M, f"later{n}") for n in range(60)]
    lab = Laboratory(Service("reporting", [*_mail(600), *later]))
    _refusing(lab, lambda name: name == "r100" and lab.clock.ms < T0 + 12 * H)
    at, left = T0 + 100 * S, lies

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        nonlocal left
        if asked.start <= at <= asked.end and T0 + 6 * H < asked.now < T0 + 12 * H and left:
            left -= 1
            return []
        return rows

    lab.service.shown = shown
    lab.run(T0 + 2 * H).run(T0 + 11 * H)
    assert left < lies
    assert [row.id for row in lab.missing()] == ["r100"]
    assert [gap.cause for gap in lab.gaps] == [Cause.REFUSED]
    assert lab.monitor.events == 1
    assert any("does not accept one event" in text for text in lab.said("error"))
    lab.run(T0 + 20 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert _accepted(lab, "r100") == 1


@pytest.mark.parametrize("back", [1, 3, 5, 6.25], ids=lambda hours: f"after {hours} hours")
def test_a_refused_change_that_is_taken_back_is_owed_no_longer_and_repeats_nothing(
    back: float,
) -> None:
    changing = Mail(
        T0,
        "changing",
        life=((T0, "Delivered"), (T0 + 7 * M, "Failed"), (T0 + round(back * H), "Delivered")),
    )
    lab = Laboratory(Service("reporting", [changing, *_mail(600)]))
    _refusing_events(lab, lambda event: event["Status"] == "Failed")
    lab.run(T0 + 14 * H)
    assert any("but not all" in text for text in lab.said())
    assert _accepted(lab, "changing") == 1
    assert lab.gaps == ()
    assert lab.monitor.events == 0


def test_a_refused_change_is_declared_though_the_last_answer_shows_the_row_as_it_was() -> None:
    changing = Mail(T0, "changing", life=((T0, "Delivered"), (T0 + 7 * M, "Failed")))
    lab = Laboratory(Service("reporting", [changing, *_mail(600)]))
    _refusing_events(lab, lambda event: event["Status"] == "Failed")
    stale: list[Asked] = []

    def written(asked: Asked, fields: dict[str, Any]) -> dict[str, Any]:
        if fields["MessageTraceId"] == "changing" and asked.now > T0 + 6 * H and not stale:
            stale.append(asked)
            return {**fields, "Status": "Delivered"}
        return fields

    lab.service.written = written
    lab.run(T0 + 12 * H)
    assert stale
    assert [gap.cause for gap in lab.gaps] == [Cause.REFUSED]


def test_a_refused_event_keeps_only_its_own_millisecond_declared() -> None:
    """The time around it, that the service could not give before, is read."""
    mail = [Mail(T0 - n * H, f"r{n}") for n in range(24 * 30)]
    later = [Mail(T0 + n * 10 * M, f"later{n}") for n in range(72)]
    service = Service("reporting", [*mail, *later])
    service.shown = lambda asked, rows: [
        row for row in rows if asked.now > T0 + 4 * H or row.received > T0 - 10 * D
    ]
    lab = Laboratory(service, policy(history=90), start_time=24 * 30)
    _refusing(lab, lambda name: name == "r245")
    lab.run(T0 + 3 * H)
    assert [gap.cause for gap in lab.gaps] == [Cause.HIDDEN]
    lab.run(T0 + 12 * H)
    assert [row.id for row in lab.missing()] == ["r245"]
    assert [gap.cause for gap in lab.gaps] == [Cause.REFUSED]


def test_a_refused_event_is_not_declared_by_the_window_that_ends_with_its_millisecond() -> None:
    """Services know finer times than they show: such a window does not show it, though it is the last read
    for as long as the event's own millisecond cannot be read."""
    service = Service("graph", _mail(600))
    service.reporting_format = True
    service.shown = lambda asked, rows: [row for row in rows if row.received < asked.end]
    at = T0 + 100 * S

    def unreadable(asked: Asked, rows: list[Mail]) -> Answer | None:
        fails = asked.start <= at < asked.end and T0 + 16 * M < asked.now < T0 + 12 * H
        return Answer(500, {}, b"") if fails else None

    service.instead = unreadable
    lab = Laboratory(service)
    _refusing(lab, lambda name: name == "r100" and lab.clock.ms < T0 + 30 * M)
    lab.run(T0 + 11 * H)
    assert [row.id for row in lab.missing()] == ["r100"]
    assert [gap.cause for gap in lab.gaps] == [Cause.UNREADABLE]
    assert lab.monitor.events == 0
    lab.run(T0 + 24 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


def test_an_event_that_is_taken_in_the_end_closes_its_gap() -> None:
    lab = Laboratory(Service("reporting", _mail(600)), policy(lookback=2))
    _refusing(lab, lambda name: name == "r100" and lab.clock.ms < T0 + 6 * H)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


def test_events_that_are_taken_in_the_end_close_all_their_gaps_within_hours() -> None:
    lab = Laboratory(Service("reporting", _mail(60, M)), policy(lookback=1))

    def verdict(events: list[Any]) -> Answer:
        good = [event for event in events if int(_trace_id(event)[1:]) % 2]
        lab.intake.accept(good)
        return ids(["an id" if event in good else None for event in events])

    lab.intake.verdict = verdict
    assert len(lab.run(T0 + 4 * H).gaps) == 30
    lab.intake.verdict = lambda events: None
    lab.run(T0 + 8 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0


@pytest.mark.parametrize("bad", [["r500"], ["r0"], ["r999"], ["r0", "r500", "r999"]], ids=" ".join)
def test_an_event_without_an_id_costs_less_than_its_batch(bad: list[str]) -> None:
    lab = Laboratory(Service("reporting", _mail(1000, 60)))

    def verdict(events: list[Any]) -> Answer:
        return lab.intake.accept([event for event in events if _trace_id(event) not in bad])

    lab.intake.verdict = verdict
    lab.run(T0 + 3 * H)
    assert {row.id for row in lab.missing()} == set(bad)
    assert lab.repeats() < 1000


@pytest.mark.parametrize("no_id", [None, "", " ", 0, 17, False, [], {}], ids=repr)
def test_only_a_text_is_an_id(no_id: object) -> None:
    lab = Laboratory(Service("reporting", _mail(100, 60)))

    def verdict(events: list[Any]) -> Answer:
        good = [event for event in events if not _trace_id(event).startswith("r5")]
        lab.intake.accept(good)
        return ids(["an id" if event in good else no_id for event in events])

    lab.intake.verdict = verdict
    lab.run(T0 + 3 * H)
    assert len(lab.missing()) == 11
    assert lab.repeats() == 0
    lab.intake.verdict = lambda events: None
    lab.run(T0 + 8 * H)
    assert lab.missing() == []


def test_an_answer_without_any_id_is_not_believed() -> None:
    lab = Laboratory(Service("reporting", _mail(100, 60)))
    lab.intake.verdict = lambda events: ids([]) if lab.clock.ms < T0 + H else None
    lab.run(T0 + 5 * H)
    assert lab.missing() == []
    assert lab.monitor.events == 0


def test_an_answer_with_more_ids_than_events_accepts_them_once() -> None:
    lab = Laboratory(Service("reporting", _mail(100, 60)))

    def verdict(events: list[Any]) -> Answer:
        lab.intake.accept(events)
        return ids(["an id"] * (len(events) + 1))

    lab.intake.verdict = verdict
    lab.run(T0 + 5 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


@pytest.mark.parametrize("minutes", [88, 89])
def test_what_a_last_read_showed_but_the_intake_did_not_take_arrives_though_the_next_answer_lies(
    minutes: int,
) -> None:
    """A process that has not delivered anything yet takes that for a fault of the intake, and reads again."""
    received, refused_until = T0 + 10 * M, T0 + minutes * M
    row = Mail(received, "r", life=((received, "Pending"), (T0 + 76 * M, "Delivered")))
    mail = [row, *_mail(210, every=20 * S)]
    service = Service("reporting", mail, page_size=20)
    lab = Laboratory(service, policy(lookback=1, frequency=60))
    lies: list[Asked] = []

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        if asked.now < refused_until or lies or not asked.start <= received <= asked.end:
            return rows
        lies.append(asked)
        return []

    service.shown = shown
    lab.run(T0 + 84 * M)
    lab.intake.verdict = lambda events: (
        Answer(401, {}, b"") if lab.clock.ms < refused_until else None
    )
    lab.run(T0 + 5 * H)
    assert lies
    assert lab.last_status()["r", row.to] == "Delivered"


@pytest.mark.parametrize("lookback", [0, 1])
def test_what_the_intake_refused_for_a_time_is_no_sign_of_rows_that_microsoft_shows_late(
    lookback: int,
) -> None:
    mail = [Mail(T0 - H + n * 30 * S, f"r{n}") for n in range(6 * 120)]
    settings = policy(lookback=lookback, frequency=60, delay=0)
    lab = Laboratory(Service("reporting", mail), settings)
    refused = {f"r{n}" for n in range(0, len(mail), 40)}
    when = range(T0 + 50 * M, T0 + 130 * M)
    _refusing(lab, lambda name: name in refused and lab.clock.ms in when)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.said("warning", "error")
    assert all("intake" in text for text in lab.said("warning", "error"))


@pytest.mark.parametrize("off", [0, 7 * S, -3])
def test_a_refused_event_is_given_up_once_although_two_windows_share_its_millisecond(
    off: int,
) -> None:
    later = [Mail(T0 - H + n * M, f"later{n}") for n in range(8 * 60)]
    service = Service("graph", [Mail(T0 + 20 * M + off, "x"), *later])
    lab = Laboratory(service, policy(lookback=1, frequency=60, delay=0))
    _refusing_events(lab, lambda event: event["id"] == "x")
    lab.run(T0 + 6 * H)
    assert lab.monitor.events == 1
    assert len([text for text in lab.said("error") if "does not accept one event" in text]) == 1
    (gap,) = lab.gaps
    assert gap.cause is Cause.REFUSED


@pytest.mark.parametrize("off", [-5 * H, -3 * H, -10 * M, 10 * M, 30 * D])
def test_a_refused_event_of_another_time_than_was_asked_for_is_told(off: int) -> None:
    """Its own time may be final, or never come."""
    shown_at = T0 + 3 * H + 3 * M + 7
    odd = Mail(shown_at, "odd", fields={"Received": f"/Date({shown_at + off})/"})
    mail = [Mail(T0 - H + n * M, f"r{n}") for n in range(7 * 60)]
    lab = Laboratory(Service("reporting", [*mail, odd]), policy(lookback=2))
    _refusing(lab, lambda name: name == "odd")
    lab.run(T0 + 14 * H)
    assert [row.id for row in lab.missing()] == ["odd"]
    assert lab.monitor.events == 1
    assert len([text for text in lab.said("error") if "does not accept one event" in text]) == 1
    assert len(lab.gaps) == (off < D)


@pytest.mark.parametrize("kind", ["reporting", "graph"])
@pytest.mark.parametrize("lookback", [0, 1])
def test_refused_events_of_a_large_message_are_told_though_their_own_time_is_final(
    kind: Kind, lookback: int
) -> None:
    begin, every = T0 + 90 * M, 20 * M // 1500
    large = [Mail(begin + n * every, "large", f"u{n}@x.example") for n in range(1500)]
    left_out, refused = set(large[:450]), {row.to for row in large[:450:50]}
    service = Service(kind, [*(Mail(T0 + n * M, f"r{n}") for n in range(300)), *large])
    service.shown = lambda asked, rows: [
        row for row in rows if asked.trace_id or row not in left_out
    ]
    lab = Laboratory(service, policy(lookback=lookback))
    address = "RecipientAddress" if kind == "reporting" else "recipientAddress"
    _refusing_events(lab, lambda event: event[address] in refused)
    lab.run(T0 + 8 * H)
    assert {row.to for row in lab.missing()} == refused
    times = {row.received for row in lab.missing()}
    assert all(any(_has(gap, at) for gap in lab.gaps) for at in times)
    assert lab.monitor.events == len(refused)


def _has(gap: Gap, at: int) -> bool:
    return gap.window.start <= from_ms(at) < gap.window.end
