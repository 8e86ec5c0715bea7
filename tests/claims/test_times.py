"""Whatever time the machine shows and however late mail is shown, it arrives, and soon."""

from __future__ import annotations

from random import Random

import pytest

from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import Asked, D, H, Kind, M, Mail, S, Service, shown_after

both = pytest.mark.parametrize("kind", ["reporting", "graph"])
YEAR = 365 * D


@both
def test_mail_of_a_short_pause_and_late_mail_do_not_wait_for_the_backlog(kind: Kind) -> None:
    backlog = [Mail(T0 - 36 * H + n * 8 * S, f"backlog{n}") for n in range(16_200)]
    fresh = [shown_after(M, T0 + n * M, f"fresh{n}") for n in range(130)]
    late = [shown_after(20 * M, T0 + H // 2 + n * M, f"late{n}") for n in range(45)]
    service = Service(kind, [*backlog, *fresh, *late], page_size=5)
    lab = Laboratory(service, policy(frequency=60), start_time=36)
    lab.run(T0 + H).pause(T0 + H + 8 * M).run(T0 + 5 * H // 2)
    missing = {row.id for row in lab.missing()}
    assert any(name.startswith("backlog") for name in missing), "the backlog is too short"
    assert not any(name.startswith("fresh") for name in missing)
    assert not any(name.startswith("late") for name in missing)


def test_backlog_that_waits_for_its_last_read_makes_late_mail_wait_no_longer() -> None:
    """It is no mail of the look-back, however much it is."""
    mail = [Mail(T0 - 10 * D + n * M, f"r{n}") for n in range(11 * 24 * 60)]
    lab = Laboratory(Service("reporting", mail, page_size=5), policy(frequency=60), start_time=240)
    lab.run(T0 + 4 * H)
    assert lab.saved.rows_since(from_ms(T0 - 8 * D)) > 10_000, "it does not wait"
    assert not any("more mail than the request quota allows" in text for text in lab.said())


def test_rows_still_arriving_at_the_end_of_the_look_back_are_reported() -> None:
    rng = Random(1)
    mail = [shown_after(int(rng.uniform(4, 10) * H), T0 + n * M, f"r{n}") for n in range(240)]
    lab = Laboratory(Service("reporting", mail)).run(T0 + 24 * H)
    assert lab.missing(), "nothing is shown after the look-back"
    assert any("up to the end of the look-back" in text for text in lab.said("warning"))


def _mail(hours: int) -> list[Mail]:
    return [Mail(T0 - H + n * M, f"r{n}") for n in range(hours * 60)]


@pytest.mark.parametrize(
    ("kind", "ahead"),
    [
        ("reporting", 25 * H),
        ("graph", 9 * H),
        ("reporting", 20 * M),
        ("graph", -20 * M),
        ("reporting", -25 * H),
        ("graph", 10 * YEAR),
    ],
)
def test_a_clock_that_is_wrong_all_the_time_costs_nothing_and_is_reported(
    kind: Kind, ahead: int
) -> None:
    lab = Laboratory(Service(kind, _mail(8)), steps=[(T0, ahead)]).run(T0 + 15 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()
    assert any("clock" in text for text in lab.said("warning"))


_STEPS = {
    "ahead, behind, right": [(5 * H, 2 * D), (5 * H + 10 * M, -H), (7 * H, 0)],
    "ten years ahead for half a minute": [(5 * H, 10 * YEAR), (5 * H + 30 * S, 0)],
    "behind more and more": [(n * H, -n * 20 * M) for n in range(2, 9)],
    "to and fro": [(2 * H + n * 7 * M, (-1) ** n * 3 * H) for n in range(20)],
}


@both
@pytest.mark.parametrize("steps", _STEPS.values(), ids=_STEPS)
def test_no_steps_of_the_clock_lose_anything(kind: Kind, steps: list[tuple[int, int]]) -> None:
    moved = [(T0 + at, ahead) for at, ahead in steps]
    lab = Laboratory(Service(kind, _mail(8)), steps=moved)
    for restart in (6 * H, 6 * H + 10 * M, 15 * H):
        lab.run(T0 + restart)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()


def _held_up(lab: Laboratory) -> None:
    """Answer every request for the backlog by 503 for a time."""

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        held = asked.now < T0 + 3 * H // 2 and asked.age > 2 * H
        return Answer(503, {}, b"") if held else None

    lab.service.instead = instead


@pytest.mark.parametrize("ahead", [10 * YEAR, -10 * YEAR])
def test_a_wrong_clock_gives_up_no_backlog_that_is_held_up(ahead: int) -> None:
    mail = [Mail(T0 - 9 * D + n * 10 * M, f"r{n}") for n in range(9 * 144)]
    steps = [(T0 + H, ahead), (T0 + H + 30 * S, 0)]
    lab = Laboratory(Service("graph", mail), start_time=9 * 24, steps=steps)
    _held_up(lab)
    lab.run(T0 + H + 10 * S).run(T0 + 4 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


def test_one_answer_with_a_wrong_date_costs_nothing() -> None:
    service = Service("graph", _mail(8))
    service.clock = lambda now: now + (10 * YEAR if T0 + 2 * H < now < T0 + 2 * H + 4 * S else 0)
    lab = Laboratory(service).run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
def test_answers_without_a_date_do_where_the_clock_is_right(kind: Kind) -> None:
    lab = Laboratory(Service(kind, _mail(8)))
    lab.tells_time = False
    lab.run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.said() == []


def test_a_clock_that_was_ahead_loses_nothing_even_if_no_answer_tells_the_time() -> None:
    steps = [(T0 + 2 * H, 3 * H), (T0 + 2 * H + 10 * M, 0)]
    lab = Laboratory(Service("graph", _mail(8)), steps=steps)
    lab.tells_time = False
    lab.run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


@pytest.mark.parametrize("until", [30 * S, 20 * M, 2 * H])
def test_a_first_start_by_answers_whose_date_is_ahead_loses_nothing(until: int) -> None:
    service = Service("graph", _mail(8))
    service.clock = lambda now: now + (5 * H if now < T0 + until else 0)
    lab = Laboratory(service).run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()


def _day() -> list[Mail]:
    return [Mail(T0 - 24 * H + n * 10 * M + 7, f"r{n}") for n in range(26 * 6)]


def _told_ahead(lab: Laboratory, answers: int, ahead: int) -> None:
    """The ``Date`` of the first few answers is ahead."""
    left = iter(range(answers))
    lab.service.clock = lambda now: now + (0 if next(left, None) is None else ahead)


@both
@pytest.mark.parametrize("ahead", [3 * H, 2 * D], ids=["hours", "days"])
@pytest.mark.parametrize("answers", [1, 8])
def test_a_first_start_by_a_time_that_is_ahead_begins_where_it_should(
    kind: Kind, answers: int, ahead: int
) -> None:
    lab = Laboratory(Service(kind, _day()), start_time=24)
    _told_ahead(lab, answers, ahead)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("dateless", [1, 5])
def test_so_it_does_where_the_machine_is_ahead_and_the_first_answers_have_no_date(
    kind: Kind, dateless: int
) -> None:
    service = Service(kind, _day())
    lab = Laboratory(service, start_time=24, steps=[(T0, 9 * H)])
    usual, left = service.answer, iter(range(dateless))

    def answer(url: str, now: int) -> Answer:
        lab.tells_time = next(left, None) is None
        return usual(url, now)

    service.answer = answer  # type: ignore[method-assign]
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("until", [4 * M, 10 * M], ids=["before", "while"])
def test_so_it_does_if_another_process_began_before_or_while_the_time_was_corrected(
    kind: Kind, until: int
) -> None:
    service = Service(kind, _day())
    service.clock = lambda now: now + (3 * H if now < T0 + until else 0)
    lab = Laboratory(service, start_time=24).run(T0 + 5 * M).run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("ahead", [31 * D, 10 * YEAR], ids=["a month", "ten years"])
def test_so_it_does_however_far_the_time_was_ahead(kind: Kind, ahead: int) -> None:
    lab = Laboratory(Service(kind, _day()), start_time=24)
    _told_ahead(lab, 1, ahead)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@pytest.mark.parametrize("behind", [3 * D, 40 * D, 400 * D], ids=["days", "weeks", "a year"])
def test_answers_whose_date_is_behind_the_first_start_for_an_hour_stop_nothing(
    behind: int,
) -> None:
    service = Service("graph", _mail(8))
    service.clock = lambda now: now - (behind if T0 + 2 * H < now < T0 + 3 * H else 0)
    lab = Laboratory(service).run(T0 + 10 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()


def test_a_service_whose_answers_tell_two_times_is_not_told_of_all_day() -> None:
    """Two machines behind one address, of which neither has the right time."""
    rng = Random(3)
    service = Service("graph", _mail(7))
    service.clock = lambda now: now + rng.choice((2 * H, -2 * H))
    lab = Laboratory(service, policy(frequency=60)).run(T0 + 6 * H)
    assert len(lab.said()) <= 8
    assert all(row.received > T0 + 3 * H for row in lab.missing())
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("back", [31 * D, 400 * D])
def test_answers_from_before_the_first_mail_repeat_only_what_is_off_the_record(
    kind: Kind, back: int
) -> None:
    mail = [Mail(T0 - 24 * H + n * 10 * M + 7, f"r{n}") for n in range(25 * 24)]
    service = Service(kind, mail)
    wrong = T0 + 100 * H
    service.clock = lambda now: now - (back if wrong < now < wrong + H else 0)
    lab = Laboratory(service, policy(lookback=2), start_time=24)
    lab.run(wrong + 5 * M).run(wrong + 10 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    on_record = [row for row in mail if row.received > wrong - 72 * H]
    assert 0 < lab.repeats() <= len(mail) - len(on_record)
