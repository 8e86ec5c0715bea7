"""What an answer shows or says is believed only as far as it can be true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest

from office365_message_trace.collect.coverage import Cause, Policy
from office365_message_trace.errors import NoToken, Unavailable, Unreachable
from office365_message_trace.model import MILLISECOND
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import Asked, D, Fields, H, Kind, M, Mail, Service, shown_after

both = pytest.mark.parametrize("kind", ["reporting", "graph"])


def _mail(hours: int, until: int = T0, every: int = M) -> list[Mail]:
    return [Mail(until - at, f"r{at}") for at in range(0, hours * H, every)]


def _backlog(kind: Kind) -> Laboratory:
    """Three days to read at a first start, most of them older than the look-back."""
    return Laboratory(Service(kind, _mail(72)), policy(history=90), start_time=72)


def _once(
    lab: Laboratory, about: Callable[[Asked], bool], answer: Callable[[Fields], object]
) -> None:
    """Have the first request ``about`` something answered by ``answer`` to a page of ten rows."""
    spoilt: list[Asked] = []

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if spoilt or not about(asked):
            return None
        spoilt.append(asked)
        page = lab.service.body(asked, rows[:10])
        return Answer(200, {}, orjson.dumps(answer(page)))

    lab.service.instead = instead


def _is_old(asked: Asked) -> bool:
    return asked.age > 30 * H


_ERROR = {"code": "UnknownError", "message": "An error has occurred."}


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        ("graph", {"error": _ERROR}),
        ("graph", {"@odata.error": _ERROR}),
        ("graph", {"errors": [_ERROR]}),
        ("reporting", {"odata.error": _ERROR}),
        ("reporting", {"error": _ERROR}),
    ],
)
def test_an_answer_with_an_error_in_it_is_no_page(kind: Kind, beside: Fields) -> None:
    lab = _backlog(kind)
    _once(lab, _is_old, lambda page: page | beside)
    lab.run(T0 + 3 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


def test_an_error_within_the_verbose_form_is_one_too() -> None:
    lab = _backlog("reporting")
    _once(lab, _is_old, lambda page: {"d": {**page["d"], "error": _ERROR}})
    assert lab.run(T0 + 3 * H).missing() == []


def _rows(page: Fields) -> list[Fields]:
    rows: list[Fields] = page["value"] if "value" in page else page["d"]["results"]
    return rows


def _nothing(page: Fields) -> Fields:
    _rows(page).clear()
    return page


def _a_part(page: Fields) -> Fields:
    return page


@both
@pytest.mark.parametrize("answer", [_nothing, _a_part])
def test_one_empty_or_short_answer_for_time_that_is_read_once_is_not_final(
    kind: Kind, answer: Callable[[Fields], Fields]
) -> None:
    lab = _backlog(kind)
    _once(lab, _is_old, answer)
    lab.run(T0 + 8 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()
    assert lab.said(), "that there were rows where none had been shown"


@both
@pytest.mark.parametrize(
    "settings",
    [policy(lookback=0), policy(lookback=1, delay=120)],
    ids=["no look-back", "a look-back shorter than the delay"],
)
def test_an_empty_answer_for_fresh_mail_is_not_final_either(kind: Kind, settings: Policy) -> None:
    lab = Laboratory(Service(kind, _mail(6, T0 + 6 * H)), settings)
    _once(lab, lambda asked: asked.now > T0 + 3 * H, _nothing)
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


@pytest.mark.parametrize(("kind", "shown"), [("reporting", 10), ("graph", 30)])
def test_history_that_is_hidden_is_declared(kind: Kind, shown: int) -> None:
    wanted = 3 * shown
    service = Service(kind, _mail(24 * wanted, every=H))
    service.shown = lambda asked, rows: [row for row in rows if row.received > T0 - shown * D]
    settings = policy(history=wanted)
    lab = Laboratory(service, settings, start_time=24 * wanted).run(T0 + 3 * H)
    (gap,) = lab.gaps
    assert gap.cause is Cause.HIDDEN
    assert gap.window.span > timedelta(days=wanted - shown - 1)
    assert lab.said("error")


@both
def test_one_empty_answer_for_all_of_a_first_start_declares_nothing(kind: Kind) -> None:
    """Fresh mail shows a first row; whether the time before it is quiet, the last read tells."""
    mail = [*_mail(90, every=H), Mail(T0 - 6 * M, "fresh"), Mail(T0 - 9 * M, "fresh, too")]
    lab = Laboratory(Service(kind, mail), policy(history=90), start_time=90)
    _once(lab, _is_old, _nothing)
    lab.run(T0 + 9 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.said("error", "critical") == []


@both
@pytest.mark.parametrize("stop", [5, 16, 18, 25], ids=lambda minute: f"after {minute} min")
def test_history_that_is_hidden_is_declared_across_restarts(kind: Kind, stop: int) -> None:
    service = Service(kind, _mail(24 * 30, every=H))
    service.shown = lambda asked, rows: [row for row in rows if row.received > T0 - 10 * D]
    lab = Laboratory(service, policy(history=90), start_time=24 * 30).run(T0 + stop * M)
    (gap,) = lab.run(T0 + 3 * H).gaps
    assert gap.cause is Cause.HIDDEN
    assert timedelta(days=20) < gap.window.span < timedelta(days=20, hours=1, minutes=1)
    assert len(lab.said("error")) == 1


@both
@pytest.mark.parametrize("stops", [(), (D, 3 * D)], ids=["one process", "two restarts"])
def test_a_tenant_without_mail_for_days_after_its_first_start_hides_nothing(
    kind: Kind, stops: tuple[int, ...]
) -> None:
    """That time was read while it was fresh."""
    service = Service(kind, [Mail(T0 + 4 * D + n * H, f"r{n}") for n in range(30)])
    lab = Laboratory(service)
    for until in (*stops, 5 * D):
        lab.run(T0 + until)
    assert lab.gaps == ()
    assert lab.said() == []


def test_history_that_is_hidden_before_quiet_days_is_declared_up_to_the_first_start() -> None:
    old = [Mail(T0 - 20 * D + n * H, f"old{n}") for n in range(24 * 10)]
    service = Service("graph", [*old, *(Mail(T0 + 4 * D + n * H, f"r{n}") for n in range(30))])
    service.shown = lambda asked, rows: [row for row in rows if row.received > T0 - 10 * D]
    (gap,) = Laboratory(service, start_time=24 * 20).run(T0 + 5 * D).gaps
    assert gap.cause is Cause.HIDDEN
    assert abs(gap.window.start - from_ms(T0 - 20 * D)) < timedelta(minutes=1)
    assert abs(gap.window.end - from_ms(T0)) < timedelta(minutes=1)


@both
def test_history_that_is_hidden_after_an_outage_is_declared(kind: Kind) -> None:
    """The trigger was off for longer than the service shows."""
    service = Service(kind, [Mail(T0 + n * H, f"r{n}") for n in range(24 * 20)])
    service.shown = lambda asked, rows: [row for row in rows if row.received > asked.now - 10 * D]
    lab = Laboratory(service).run(T0 + 6 * H).pause(T0 + 20 * D).run(T0 + 20 * D + 10 * H)
    (gap,) = lab.gaps
    assert gap.cause is Cause.HIDDEN
    missing = [from_ms(row.received) for row in lab.missing()]
    assert gap.window.start <= missing[0]
    assert missing[-1] <= gap.window.end
    service.shown = lambda asked, rows: rows
    lab.run(T0 + 21 * D)
    assert lab.missing() == []
    assert lab.gaps == ()


def test_history_that_is_hidden_after_the_service_failed_for_days_is_declared() -> None:
    service = Service("graph", [Mail(T0 + n * H, f"r{n}") for n in range(24 * 8)])
    service.shown = lambda asked, rows: [row for row in rows if row.received > asked.now - 2 * D]
    service.instead = lambda asked, rows: (
        Answer(503, {}, b"") if T0 + 2 * H < asked.now < T0 + 7 * D else None
    )
    lab = Laboratory(service).run(T0 + 3 * D).run(T0 + 8 * D)
    (gap,) = lab.gaps
    assert gap.cause is Cause.HIDDEN
    assert abs(gap.window.start - from_ms(T0 + 2 * H)) < timedelta(hours=1)
    assert abs(gap.window.end - from_ms(T0 + 5 * D)) < timedelta(hours=2)


def test_outages_without_a_hidden_row_declare_nothing() -> None:
    """Rows at their beginning show that it is not hidden, however quiet it is then."""
    mail = [*(Mail(T0 + n * H, f"a{n}") for n in range(8)), Mail(T0 + 9 * D, "later")]
    lab = Laboratory(Service("graph", mail)).run(T0 + 6 * H).pause(T0 + 10 * D).run(T0 + 11 * D)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
def test_rows_without_a_usable_time_show_that_history_is_not_hidden(kind: Kind) -> None:
    name = "Received" if kind == "reporting" else "receivedDateTime"
    old = [Mail(T0 - 8 * D + n * 20 * M, f"old{n}", fields={name: ""}) for n in range(300)]
    service = Service(kind, [*old, *_mail(8, until=T0 + 8 * H)])
    lab = Laboratory(service, policy(lookback=1), start_time=200).run(T0 + 10 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("quiet", [12, 14])
def test_it_does_although_the_newest_days_of_the_hidden_time_are_quiet(
    kind: Kind, quiet: int
) -> None:
    holidays = range(T0 - (6 + quiet) * D, T0 - 6 * D)
    times = [at for at in range(T0 - 30 * D, T0 + D, 20 * M) if at not in holidays]
    service = Service(kind, [Mail(at, f"r{at}") for at in times])
    service.shown = lambda asked, rows: [
        row for row in rows if asked.now > T0 + 6 * H or row.received > T0 - 8 * D
    ]
    lab = Laboratory(service, policy(lookback=1, history=90), start_time=30 * 24).run(T0 + 5 * H)
    assert [gap.cause for gap in lab.gaps] == [Cause.HIDDEN]
    lab.run(T0 + 2 * D)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0


def test_hidden_history_that_is_shown_after_all_arrives() -> None:
    service = Service("graph", _mail(24 * 30, every=H))
    service.shown = lambda asked, rows: [
        row for row in rows if asked.now > T0 + 5 * H or row.received > T0 - 10 * D
    ]
    lab = Laboratory(service, policy(history=90), start_time=24 * 30).run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


_TOO_OLD = (
    (503, b"<html>Sessions older than 1 days are removed. Service unavailable.</html>"),
    (503, b"The StartDate can't be older than 1 days from today."),
    (400, b"Tokens older than 1 days are refused."),
    (500, b"The StartDate can't be older than 2 days from today."),
    (429, b"Retry: StartDate older than 1 days"),
)


@both
@pytest.mark.parametrize(("status", "text"), _TOO_OLD)
def test_one_answer_that_speaks_of_another_age_gives_no_backlog_up(
    kind: Kind, status: int, text: bytes
) -> None:
    service = Service(kind, _mail(24 * 20, every=H), page_size=100)
    lab = Laboratory(service, policy(history=90), start_time=24 * 20)
    told: list[int] = []

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if told or asked.age < 5 * D:
            return None
        told.append(asked.now)
        return Answer(status, {}, text)

    service.instead = instead
    lab.run(T0 + 3 * H)
    assert told
    assert lab.missing() == []
    assert lab.gaps == ()


@pytest.mark.parametrize("status", [400, 500, 503])
def test_one_answer_about_age_for_fresh_mail_declares_no_gap(status: int) -> None:
    service = Service("graph", _mail(5, T0 + 5 * H))
    lab = Laboratory(service, policy(history=90))
    told: list[int] = []

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if told or asked.now < T0 + H or asked.now - asked.end > 6 * M:
            return None
        told.append(asked.now)
        return Answer(status, {}, b"The StartDate can't be older than 90 days from today.")

    service.instead = instead
    lab.run(T0 + 12 * H)
    assert told
    assert lab.gaps == ()
    assert lab.missing() == []


def _claiming_for_minutes(days: int) -> Callable[[Asked, list[Mail]], Answer | None]:
    """The service says for three minutes that it keeps fewer days than it does."""
    claim = (
        b'{"error":{"code":"BadRequest","message":"The StartDate can\'t be older than %d days."}}'
    )

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        claims = asked.now < T0 + 3 * M and asked.age > days * D + H
        return Answer(400, {}, claim % days) if claims else None

    return instead


@both
def test_what_is_said_about_age_for_minutes_gives_up_nothing_for_good(kind: Kind) -> None:
    service = Service(kind, _mail(24 * 20, every=H))
    service.instead = _claiming_for_minutes(5)
    lab = Laboratory(service, policy(history=90), start_time=24 * 20).run(T0 + 12 * H)
    assert any("are lost" in text for text in lab.said("error")), "it is not believed"
    assert lab.missing() == []
    assert lab.gaps == ()


@both
def test_what_was_said_about_age_costs_no_mail_of_a_later_outage(kind: Kind) -> None:
    mail = [Mail(T0 - 40 * H + n * 20 * M, f"r{n}") for n in range(3 * 24 * 6)]
    service = Service(kind, mail)
    claiming = _claiming_for_minutes(1)
    service.instead = lambda asked, rows: (
        Answer(503, {}, b"") if T0 + 4 * H < asked.now < T0 + 3 * D else claiming(asked, rows)
    )
    lab = Laboratory(service, policy(history=90), start_time=40).run(T0 + 5 * D)
    assert lab.missing() == []
    assert lab.gaps == ()


def test_a_service_that_keeps_less_than_it_documents_is_believed() -> None:
    service = Service("reporting", _mail(24 * 30, every=H))

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if asked.age < 10 * D:
            return None
        return Answer(400, {}, b"The StartDate can't be older than 10 days from today.")

    service.instead = instead
    lab = Laboratory(service, start_time=24 * 30).run(T0 + 3 * H)
    assert [row for row in lab.missing() if row.received > T0 - 9 * D] == []
    (gap,) = lab.gaps
    assert gap.cause is Cause.TOO_OLD


def _spoiling(
    bad: set[int], answer: Answer, until: int = T0 + 365 * D
) -> Callable[[Asked, list[Mail]], Answer | None]:
    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        spoilt = asked.now < until and any(row.received in bad for row in rows)
        return answer if spoilt else None

    return instead


@both
@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({T0 - 50 * H}, Answer(500, {}, b"")),
        ({T0 + 2 * H}, Answer(504, {}, b"<html>")),
        ({T0 + 2 * H}, Answer(200, {}, b'{"value":[{')),
        ({T0 + 2 * H, T0 + 2 * H + 5 * M}, Answer(500, {}, b"")),
        ({T0 - 50 * H}, Answer(403, {}, b"<html>blocked by the content filter")),
        ({T0 + 2 * H}, Answer(403, {}, b"<html>blocked by the content filter")),
        ({T0 + 2 * H}, Answer(413, {}, b"")),
    ],
    ids=["old", "fresh", "half a page", "two", "old, refused", "fresh, refused", "too large"],
)
def test_a_record_that_spoils_every_page_costs_its_millisecond(
    kind: Kind, bad: set[int], fault: Answer
) -> None:
    service = Service(kind, _mail(80, T0 + 8 * H, every=5 * M))
    service.instead = _spoiling(bad, fault)
    lab = Laboratory(service, policy(history=90), start_time=72).run(T0 + 16 * H)
    assert {row.received for row in lab.missing()} == bad
    assert {gap.cause for gap in lab.gaps} == {Cause.UNREADABLE}
    declared = sum((gap.window.span for gap in lab.gaps), timedelta())
    assert declared <= 3 * len(bad) * MILLISECOND  # with the neighbours that share a bound
    failed = [given for given in service.given if given.rows is None]
    assert len(failed) < 250 * len(bad)
    assert len([text for text in lab.said("error") if "may be missing" in text]) <= 3 * len(bad)


def _own(kind: Kind, status: int) -> Answer:
    """A refusal in the service's own words."""
    if kind == "graph":
        return Answer(status, {}, b'{"error":{"code":"UnknownError","message":"Denied."}}')
    words = b'{"odata.error":{"code":"","message":{"lang":"en-US","value":"Denied."}}}'
    return Answer(status, {}, words)


@both
@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("bad", [T0 - 5 * H, T0 + 2 * H], ids=["old", "fresh"])
def test_a_record_that_is_refused_by_itself_is_no_missing_permission(
    kind: Kind, status: int, bad: int
) -> None:
    service = Service(kind, _mail(16, T0 + 8 * H))
    service.instead = _spoiling({bad}, _own(kind, status))
    lab = Laboratory(service, start_time=8).run(T0 + 10 * H)
    assert {row.received for row in lab.missing()} == {bad}
    assert {gap.cause for gap in lab.gaps} == {Cause.UNREADABLE}
    accepted = lab.accepted_at()
    fresh = [row for row in service.mail if row.received > T0 and row.received != bad]
    assert max(accepted[row.id] - row.received for row in fresh) < 40 * M
    named = [text for text in lab.said("error") if text.startswith("Microsoft")]
    assert len(named) <= (0 if bad < T0 else 4)  # while fresh mail is refused for it
    assert len([text for text in lab.said("error") if "of the past are refused" in text]) <= 2
    assert not [text for text in lab.said("error") if "may be missing" in text and "Add " in text]
    assert lab.said("critical") == []


@both
def test_bad_records_cost_their_milliseconds_however_many_there_are(kind: Kind) -> None:
    number = 24
    bad = set(range(T0 - 8 * H, T0, 8 * H // number))
    good = {at + n * M + M // 2 for at in bad for n in range(3)}
    service = Service(kind, [Mail(at, f"r{at}") for at in bad | good])
    service.instead = _spoiling(bad, Answer(500, {}, b""))
    lab = Laboratory(service, policy(history=90), start_time=9).run(T0 + 16 * H)
    assert {row.received for row in lab.missing()} == bad
    assert {gap.cause for gap in lab.gaps} == {Cause.UNREADABLE}
    assert sum(gap.window.span / MILLISECOND for gap in lab.gaps) <= 3 * number


@pytest.mark.parametrize("outside", ["start", "end", "both"])
def test_a_bad_record_is_declared_unless_graph_takes_neither_bound_for_inside(outside: str) -> None:
    """Then no window of a millisecond shows it, whatever `ge` and `le` mean."""
    first, last = int(outside != "end"), int(outside != "start")
    bad = T0 + H + 47_000
    mail = [Mail(at, f"r{at}") for at in range(T0 - H, T0 + 7 * H, M)]
    service = Service("graph", [*mail, Mail(bad, "bad")])
    service.shown = lambda asked, rows: [
        row for row in rows if asked.start + first <= row.received <= asked.end - last
    ]
    service.instead = _spoiling({bad}, Answer(500, {}, b""))
    lab = Laboratory(service, policy(delay=0, frequency=60, lookback=1)).run(T0 + 8 * H)
    assert {row.id for row in lab.missing()} == {"bad"}
    assert bool(lab.gaps) == (outside != "both")


@both
@pytest.mark.parametrize(
    "fault",
    [
        lambda kind: Answer(400, {}, b""),
        lambda kind: Answer(500, {}, b""),
        lambda kind: _own(kind, 400),
        lambda kind: _own(kind, 403),
        lambda kind: _own(kind, 500),
    ],
    ids=["400", "500", "own 400", "own 403", "own 500"],
)
def test_a_bad_record_of_quiet_time_that_shows_late_holds_up_no_fresh_mail(
    kind: Kind, fault: Callable[[Kind], Answer]
) -> None:
    """Fresh mail is read together with time that held no rows, which costs nothing."""
    bad = T0 + 40 * M
    fresh = [Mail(T0 + 2 * H + n * M, f"r{n}") for n in range(60)]
    service = Service(kind, [Mail(T0 - M, "early"), shown_after(80 * M, bad, "bad"), *fresh])
    service.instead = _spoiling({bad}, fault(kind))
    lab = Laboratory(service, policy(delay=1, frequency=60)).run(T0 + 4 * H)
    assert [row.id for row in lab.missing()] == ["bad"]
    accepted = lab.accepted_at()
    assert max(accepted[row.id] - row.received for row in fresh) <= 3 * M


@both
@pytest.mark.parametrize(
    "obstacle",
    [
        Answer(429, {"retry-after": "1"}, b""),
        NoToken("Entra ID gives no token at the moment"),
        Unreachable("The name cannot be resolved."),
    ],
    ids=["throttled", "no token", "unreachable"],
)
def test_what_has_nothing_to_do_with_a_window_is_not_its_fault_however_often_it_comes(
    kind: Kind, obstacle: Answer | Unavailable
) -> None:
    service = Service(kind, _mail(8, T0 + 8 * H, every=5 * M))

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if asked.now >= T0 + 7 * H or not any(row.received == T0 + 2 * H for row in rows):
            return None
        if isinstance(obstacle, Answer):
            return obstacle
        raise type(obstacle)(obstacle.sentence)

    service.instead = instead
    lab = Laboratory(service, policy(history=90)).run(T0 + 6 * H)
    assert lab.gaps == ()
    lab.run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


def test_a_record_that_is_not_utf8_is_forwarded() -> None:
    service = Service("reporting", _mail(2, T0 + 2 * H))

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        page = orjson.dumps(service.body(asked, rows))
        return Answer(200, {}, page.replace(b'"Subject":"x"', b'"Subject":"\xff"'))

    service.instead = instead
    lab = Laboratory(service).run(T0 + 3 * H)
    assert lab.missing() == []
    assert lab.intake.accepted[0][1]["Subject"] == "\ufffd"


@pytest.mark.parametrize("seconds", [247, 636, 838, 1045, 1050])
def test_permission_that_is_lost_while_a_bad_record_is_searched_is_asked_for_rarely(
    seconds: int,
) -> None:
    """At some of these instants parts of a second or less are about to be read."""
    lost = T0 + seconds * 1000
    service = Service("graph", _mail(11, T0 + 3 * H))
    spoilt = _spoiling({T0 - 5 * H}, Answer(500, {}, b""))
    service.instead = lambda asked, rows: (
        _own("graph", 401) if lost <= asked.now < lost + H else spoilt(asked, rows)
    )
    lab = Laboratory(service, start_time=8).run(T0 + 3 * H)
    refused = [given.asked.now for given in service.given if lost <= given.asked.now < lost + H]
    assert max(sum(at <= other < at + 10 * M for other in refused) for at in refused) <= 10
    assert [row.received for row in lab.missing() if row.received < T0 + 2 * H] == [T0 - 5 * H]


def test_a_record_that_is_repaired_arrives() -> None:
    service = Service("graph", _mail(8, T0 + 8 * H))
    service.instead = _spoiling({T0 + 2 * H}, Answer(500, {}, b""), T0 + 5 * H)
    lab = Laboratory(service, policy(history=90)).run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
def test_an_outage_of_the_past_alone_is_probed_slowly_and_caught_up_soon(kind: Kind) -> None:
    began, ended = T0 + H, T0 + 7 * H
    service = Service(kind, _mail(728, T0 + 8 * H, every=10 * M))
    service.instead = lambda asked, rows: (
        Answer(503, {}, b"") if began <= asked.now < ended and asked.age > 14 * M else None
    )
    settings = policy(history=90, frequency=60)
    lab = Laboratory(service, settings, start_time=720).run(ended)
    assert len([given for given in service.given if given.rows is None]) < 70
    lab.run(ended + 15 * M)
    assert all(span.read_at and span.read_at >= from_ms(ended) for span in lab.saved.spans)
    read_again = [each.asked for each in service.given if each.asked.age > 14 * M]
    assert any(ended <= asked.now < ended + 11 * M for asked in read_again)
    lab.run(ended + 20 * M)
    assert lab.saved.oldest > from_ms(ended - 8 * H), "nothing of the outage is left"
    lab.run(ended + 8 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0


_UNDATED = (None, "", "/Date(99999999999999999999)/", "0001-01-01T00:00:00Z", 17)


@both
@pytest.mark.parametrize("received", _UNDATED)
def test_a_row_without_usable_date_is_forwarded_when_it_is_alone(
    kind: Kind, received: object
) -> None:
    name = "Received" if kind == "reporting" else "receivedDateTime"
    alone = [Mail(at, f"r{at}", fields={name: received}) for at in (T0 - 50 * H, T0 + H)]
    service = Service(kind, alone)
    lab = Laboratory(service, policy(history=90), start_time=72).run(T0 + 9 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert all(given.rows is not None for given in service.given)
