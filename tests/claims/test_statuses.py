"""The last event of a row says what Microsoft says, and an event comes again only if that changed."""

from __future__ import annotations

from collections import defaultdict

import pytest

from office365_message_trace.transport.session import Answer
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import Fields, H, Kind, M, Mail, S, Service, by_position, shown_after

both = pytest.mark.parametrize("kind", ["reporting", "graph"])


@both
def test_a_status_that_changes_back_is_the_last_one_at_the_intake(kind: Kind) -> None:
    life = (T0 + M, "Delivered"), (T0 + 40 * M, "Quarantined"), (T0 + 5 * H, "Delivered")
    lab = Laboratory(Service(kind, [Mail(T0, "zap", life=life)])).run(T0 + 10 * H)
    assert [*lab.last_status().values()] == ["Delivered"]
    assert len(lab.intake.accepted) == 3


@both
@pytest.mark.parametrize(
    "unnamed", [("id", "MessageTraceId"), ("recipientAddress", "RecipientAddress")]
)
def test_a_status_that_changes_back_is_the_last_one_of_a_row_without_a_name_too(
    kind: Kind, unnamed: tuple[str, str]
) -> None:
    life = ((T0, "Delivered"), (T0 + H, "Quarantined"), (T0 + 2 * H, "Delivered"))
    fields = {unnamed[kind == "reporting"]: None}
    mail = [Mail(T0, f"r{n}", f"a{n}@contoso.example", life, fields) for n in range(3)]
    lab = Laboratory(Service(kind, mail)).run(T0 + 10 * H)
    statuses = [event.get("status") or event.get("Status") for _, event in lab.intake.accepted]
    assert statuses == ["Delivered"] * 3 + ["Quarantined"] * 3 + ["Delivered"] * 3


@both
def test_a_row_whose_receive_time_changes_is_another_row(kind: Kind) -> None:
    """So the last event is not the last state if it changes back: an exception in docs/guarantees.md."""
    before = Mail(T0, "moved", life=((T0, "Delivered"), (T0 + H, None), (T0 + 2 * H, "Delivered")))
    meanwhile = Mail(T0 + M, "moved", life=((T0 + H, "Quarantined"), (T0 + 2 * H, None)))
    lab = Laboratory(Service(kind, [before, meanwhile])).run(T0 + 10 * H)
    statuses = [event.get("status") or event.get("Status") for _, event in lab.intake.accepted]
    assert statuses == ["Delivered", "Quarantined"]


def test_a_status_that_changes_each_hour_is_followed_to_the_end() -> None:
    life = tuple((T0 + n * H, ("Pending", "Delivered")[n % 2]) for n in range(6))
    lab = Laboratory(Service("graph", [Mail(T0, "hourly", life=life)])).run(T0 + 10 * H)
    assert [*lab.last_status().values()] == ["Delivered"]


def test_a_row_that_vanishes_and_comes_back_as_it_was_is_one_event() -> None:
    life = (T0 + M, "Delivered"), (T0 + H, None), (T0 + 5 * H, "Delivered")
    lab = Laboratory(Service("graph", [Mail(T0, "hidden", life=life)])).run(T0 + 10 * H)
    assert len(lab.intake.accepted) == 1


def _settling() -> list[Mail]:
    """Rows that get their last status four minutes after they were received."""
    times = [T0 + n * S for n in range(60)]
    return [
        Mail(at, f"r{at}", life=((at + M, "GettingStatus"), (at + 4 * M, "Delivered")))
        for at in times
    ]


@both
def test_one_stale_answer_does_not_leave_an_old_status_as_the_last_one(kind: Kind) -> None:
    service = Service(kind, _settling())
    service.replica = lambda now: now - 8 * M if T0 + 11 * M < now < T0 + 14 * M else now
    lab = Laboratory(service).run(T0 + 10 * H)
    assert set(lab.last_status().values()) == {"Delivered"}


def test_a_stale_answer_to_the_last_read_of_a_time_does_not_either() -> None:
    service = Service("graph", _settling())
    stale_until = 0

    def replica(now: int) -> int:
        nonlocal stale_until
        if now > T0 + 6 * H and not stale_until:
            stale_until = now + 10 * M
        return now - 6 * H if now < stale_until else now

    service.replica = replica
    lab = Laboratory(service).run(T0 + 10 * H)
    assert set(lab.last_status().values()) == {"Delivered"}


def _alike(kind: Kind, lives: list[tuple[tuple[int, str], ...]]) -> list[Mail]:
    """Groups of rows that share receive time, id and recipient: one for each of the ``lives``, which begin with
    their receipt, and of its own size."""
    size = "size" if kind == "graph" else "Size"
    return [
        Mail(at, f"m{at}", life=tuple((at + age, status) for age, status in life), fields={size: n})
        for at in range(T0, T0 + 40 * 30 * S, 30 * S)
        for n, life in enumerate(lives)
    ]


@both
@pytest.mark.parametrize("page_size", [5, 7, 10])
@pytest.mark.parametrize("alike", [2, 3])
def test_rows_that_share_all_that_names_them_arrive_once_on_either_side_of_a_page_edge(
    kind: Kind, page_size: int, alike: int
) -> None:
    service = Service(kind, _alike(kind, [((0, "Delivered"),)] * alike), page_size)
    service.pager = by_position
    lab = Laboratory(service, policy(frequency=60, delay=1)).run(T0 + 8 * H)
    assert len(lab.intake.accepted) == 40 * alike
    assert lab.repeats() == 0


@both
@pytest.mark.parametrize("page_size", [5, 7])
def test_of_rows_on_either_side_of_a_page_edge_each_change_arrives(
    kind: Kind, page_size: int
) -> None:
    lives = [((0, "Delivered"), (H, "Failed"), (3 * H, "Delivered")), ((0, "Expanded"),)]
    service = Service(kind, _alike(kind, lives), page_size)
    service.pager = by_position
    lab = Laboratory(service, policy(frequency=60, delay=1)).run(T0 + 8 * H)
    told: defaultdict[object, list[object]] = defaultdict(list)
    for _, event in lab.intake.accepted:
        name = event.get("id") or event.get("MessageTraceId")
        told[name, event.get("size", event.get("Size"))].append(
            event.get("status") or event.get("Status")
        )
    assert [told[row.id, 0] for row in service.mail] == [["Delivered", "Failed", "Delivered"]] * 80


def test_changes_while_nothing_was_read_are_found_by_the_last_read_which_says_no_more() -> None:
    """Neither that rows were not shown before, nor that their time was read only once."""
    life = ((0, "Delivered"), (20 * H, "Quarantined"))
    lab = Laboratory(Service("graph", _alike("graph", [life])), policy(lookback=24))
    lab.run(T0 + 10 * H).pause(T0 + 82 * H).run(T0 + 90 * H)
    assert set(lab.last_status().values()) == {"Quarantined"}
    (warning,) = lab.said()
    assert warning == "The last read of old time brought new or changed rows; they were forwarded."


def _hours_of_mail() -> list[Mail]:
    return [Mail(T0 + n * M, f"r{n}") for n in range(240)]


def _with_etag(asked: int, fields: Fields) -> Fields:
    return fields | {"@odata.etag": f"W/{asked}"}


def _with_annotated_status(asked: int, fields: Fields) -> Fields:
    return fields | {"status@odata.type": f"#{asked}"}


def _with_empty_address_by_turns(asked: int, fields: Fields) -> Fields:
    return fields | {"toIP": ("", None)[asked % 2]}


def _without_address_by_turns(asked: int, fields: Fields) -> Fields:
    return fields if asked % 2 else {k: v for k, v in fields.items() if k != "toIP"}


@pytest.mark.parametrize(
    "form",
    [
        _with_etag,
        _with_annotated_status,
        _with_empty_address_by_turns,
        _without_address_by_turns,
    ],
)
def test_forms_that_say_the_same_bring_no_event_again(form: object) -> None:
    assert callable(form)
    service = Service("graph", _hours_of_mail())
    service.written = lambda asked, fields: form(len(service.given), fields)
    lab = Laboratory(service).run(T0 + 12 * H)
    assert len(lab.intake.accepted) == 240
    assert lab.said() == []


def _lab_of_six_hours(kind: Kind, late: bool = False) -> Laboratory:
    """A mail every two minutes, of which each seventh is shown up to three hours ``late``."""
    mail = [
        shown_after(n % 4 * H if late and n % 7 == 0 else 0, T0 + n * 2 * M, f"r{n}")
        for n in range(180)
    ]
    return Laboratory(Service(kind, mail))


def _told(lab: Laboratory) -> list[str]:
    return [text for text in lab.said("warning") if "change by itself" in text]


@both
@pytest.mark.parametrize("share", [1, 3, 5])
def test_a_field_that_changes_by_itself_in_many_rows_is_named(kind: Kind, share: int) -> None:
    lab = _lab_of_six_hours(kind, late=True)
    lab.service.written = lambda asked, fields: (
        fields if _number(fields) % share else fields | {"Score": asked.now}
    )
    lab.run(T0 + 13 * H)
    (text,) = _told(lab)
    assert "Many rows change" in text
    assert "(Score)" in text


@both
@pytest.mark.parametrize("share", [1, 3])
def test_an_id_that_changes_by_itself_in_many_rows_is_named(kind: Kind, share: int) -> None:
    lab = _lab_of_six_hours(kind, late=True)
    name = "id" if kind == "graph" else "MessageTraceId"
    lab.service.written = lambda asked, fields: (
        fields if _number(fields) % share else fields | {name: f"{fields[name]}-{asked.now}"}
    )
    lab.run(T0 + 13 * H)
    (text,) = _told(lab)
    assert "not recognised" in text
    assert f"({name})" in text


def _number(fields: Fields) -> int:
    return int(str(fields.get("id") or fields["MessageTraceId"])[1:])


@both
def test_rows_that_are_shown_late_change_by_nothing(kind: Kind) -> None:
    lab = _lab_of_six_hours(kind, late=True).run(T0 + 13 * H)
    assert lab.missing() == []
    assert _told(lab) == []


@both
def test_hours_that_are_shown_late_and_quarantined_and_released_change_by_nothing(
    kind: Kind,
) -> None:
    """With answers from minutes ago among the others, and an intake that takes nothing for hours."""
    told = (T0 + 7 * H, "Delivered"), (T0 + 8 * H, "Quarantined"), (T0 + 10 * H, "Delivered")
    service = Service(kind, [Mail(T0 + n * M, f"r{n}", life=told) for n in range(360)])
    service.replica = lambda now: now - 8 * M if now // M % 3 == 0 else now
    lab = Laboratory(service, policy(lookback=24))
    lab.intake.verdict = lambda events: (
        Answer(503, {}, b"") if T0 + 7 * H < lab.clock.ms < T0 + 8.5 * H else None
    )
    lab.run(T0 + 30 * H)
    assert len(lab.intake.accepted) >= 2 * 360
    assert set(lab.last_status().values()) == {"Delivered"}
    assert _told(lab) == []


@pytest.mark.parametrize(
    "written",
    [f"/Date({T0}+0000)/", f"/Date({T0})/", "2026-03-10T12:00:00", "2026-03-10T12:00:00.0000000Z"],
)
def test_every_form_of_a_date_arrives_in_the_one_that_the_platform_reads(written: str) -> None:
    service = Service("reporting", [Mail(T0, "dated", fields={"Received": written})])
    lab = Laboratory(service).run(T0 + H)
    assert [event["Received"] for _, event in lab.intake.accepted] == [f"/Date({T0})/"]


@pytest.mark.parametrize("received", [None, "", "0001-01-01T00:00:00Z", "soon"])
def test_no_receive_time_is_null_and_not_1970(received: str | None) -> None:
    neighbour = Mail(T0, "neighbour")
    service = Service(
        "graph", [neighbour, Mail(T0 + S, "odd", fields={"receivedDateTime": received})]
    )
    service.reporting_format = True
    lab = Laboratory(service).run(T0 + 3 * H)
    assert [event["Received"] for _, event in lab.intake.accepted] == [f"/Date({T0})/", None]
