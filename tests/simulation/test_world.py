"""The simulated time, crashes and storage behave as the real ones can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from office365_message_trace.collect.ownership import Ownership
from office365_message_trace.errors import Stopped, StorageFailed
from sandbox.clock import from_ms
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.reporting.query import Query
from sandbox.rows import make_row
from sandbox.simulation import Run, draw
from sandbox.simulation.clock import Livelock, VirtualClock
from sandbox.simulation.crashes import Crashes, Kill, Killed, Takeover
from sandbox.simulation.disturbances import Disturbances, Spell
from sandbox.simulation.event_identity import Events, VerboseForm
from sandbox.simulation.expectations import shown_versions
from sandbox.simulation.observation import Life, Observation
from sandbox.simulation.shifted_pages import ShiftedPages
from sandbox.simulation.storage import MemoryStorage
from sandbox.simulation.tenant import SimulatedMail, WatchedTenant

START = 1_772_000_000_000
HOUR = 3_600_000


def clock(*kills: Kill, steps: tuple[tuple[int, int], ...] = ()) -> VirtualClock:
    return VirtualClock(START, Crashes(kills), steps)


def storage(*kills: Kill, spells: tuple[Spell, ...] = (), seed: int = 1) -> MemoryStorage:
    crashes, observation = Crashes(kills), Observation(Events(VerboseForm()))
    time = VirtualClock(START, crashes)
    disturbances = Disturbances(spells, {}, START + HOUR, lambda: time.ms, Random(seed))
    return MemoryStorage(time, crashes, disturbances, observation, Random(seed))


def test_a_wait_takes_virtual_time_only() -> None:
    time = clock()
    time.wait(86_400)
    assert time.now() == from_ms(START + 24 * HOUR)
    assert time.monotonic() == (START + 24 * HOUR) / 1000


def test_a_stop_ends_a_wait_at_its_instant() -> None:
    time = clock()
    time.stop_ms = START + HOUR
    with pytest.raises(Stopped):
        time.wait(86_400)
    assert time.ms == START + HOUR
    with pytest.raises(Stopped):
        time.wait(0)


def test_a_kill_ends_a_wait_at_its_instant_and_strikes_once() -> None:
    time = clock(Kill(START + HOUR, "waiting", 0))
    with pytest.raises(Killed):
        time.wait(86_400)
    assert time.ms == START + HOUR
    time.wait(86_400)


def test_a_wait_until_an_instant_notices_a_step_forward() -> None:
    time = clock(steps=((START + 1000, 2 * HOUR),))
    time.wait_until(from_ms(START + HOUR))
    assert time.ms == START + 1000
    assert time.now() == from_ms(START + 1000 + 2 * HOUR)


def test_a_request_in_flight_is_not_interrupted() -> None:
    time = clock(Kill(START, "waiting", 0))
    time.stop_ms = START + 1000
    time.elapse(10)
    assert time.stopping


def test_a_loop_in_which_no_time_passes_is_found() -> None:
    time = clock()

    def turn_for_ever() -> None:
        while True:
            time.wait(0)

    with pytest.raises(Livelock):
        turn_for_ever()


def test_a_loop_that_turns_each_millisecond_is_found() -> None:
    def turn(seconds: float) -> None:
        time = clock()
        for _ in range(60_000):
            time.wait(seconds)

    with pytest.raises(Livelock):
        turn(0.001)
    turn(0.1)


def test_a_kill_inside_an_append_tears_it() -> None:
    torn = set()
    for seed in range(200):
        files = storage(Kill(START, "inside an append", 1), seed=seed)
        files.extend("ledger/1", b"", b"0123")
        with pytest.raises(Killed):
            files.extend("ledger/1", b"0123", b"4567")
        torn.add((files.objects, files.blobs["ledger/1"]))
    assert {blob for objects, blob in torn if objects} == {b"0123", b"01234567"}
    assert {blob for objects, blob in torn if not objects} == {
        b"01234567"[:length] for length in range(4, 9)
    }


def test_a_kill_inside_a_write_leaves_the_old_or_the_new() -> None:
    left = set()
    for seed in range(20):
        files = storage(Kill(START, "inside a write", 1), seed=seed)
        files.write("blob", b"old")
        with pytest.raises(Killed):
            files.write("blob", b"new")
        left.add(files.blobs["blob"])
    assert left == {b"old", b"new"}


@pytest.mark.parametrize("kind", ["disk full", "storage down"])
def test_a_spell_fails_writes_and_ends(kind: str) -> None:
    files = storage(spells=(Spell(kind, START, START + 1000),))
    with pytest.raises(StorageFailed):
        files.write("blob", b"new")
    files._clock.elapse(1)
    files.write("blob", b"new")
    assert files.read("blob") == b"new"


@pytest.mark.parametrize(("place", "owner"), [("before a write", 0), ("after a write", 1)])
def test_a_process_owns_the_storage_from_its_mark_on(place: str, owner: int) -> None:
    files = storage(Kill(START + 1, place, 0))
    observation = files._observation
    observation.begins(Life(START))
    files.write("folder/owner.json", b"first")
    files._clock.elapse(1)
    observation.begins(Life(START + 1))
    with pytest.raises(Killed):
        files.write("folder/owner.json", b"second")
    assert observation.owner is observation.lives[owner]


@pytest.mark.parametrize("place", ["before a write", "after a write"])
def test_a_process_that_dies_before_its_mark_replaces_none(place: str) -> None:
    drawn = draw(1, 1, "none", "reporting")
    at_ms = drawn.start_ms + 6 * HOUR
    run = Run(replace(drawn, takeovers=(Takeover(at_ms, HOUR),), kills=(Kill(at_ms, place, 0),)))
    outcome = run.outcome()
    first, second = run.world.observation.lives[:2]
    assert outcome.violations == []
    assert outcome.kills == 1
    assert (first.replaced is None) == (not second.marked) == (place == "before a write")
    assert (max(first.microsoft) > at_ms + HOUR) == (first.replaced is None)


def test_a_process_that_leaves_no_mark_is_told_from_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Ownership, "claim", lambda self: None)
    monkeypatch.setattr(Ownership, "check", lambda self: None)
    outcome = Run(draw(1, 1, "none", "reporting")).outcome()
    assert "a process that does not own the state posted to the intake" in outcome.violations


def test_a_repeat_is_excused_only_for_what_was_not_recorded() -> None:
    row = '{"Organization":0,"MessageId":0,"Received":"/Date(0)/","SenderAddress":0,"RecipientAddress":0,'
    text = row + '"Subject":0,"Status":0,"ToIP":0,"FromIP":0,"Size":0,"MessageTraceId":%d}'

    def excuses(*steps: Callable[[Observation], None]) -> int:
        observation = Observation(Events(VerboseForm()))
        for step in steps:
            step(observation)
        return observation.excused.total()

    def took(observation: Observation) -> None:
        observation.took(START, [text % 1], acknowledged=True)

    assert excuses(took, lambda w: w.ended(killed=True)) == 1
    assert excuses(took, lambda w: w.ended(killed=False)) == 0
    assert (
        excuses(took, Observation.recorded, Observation.sending, lambda w: w.ended(killed=True))
        == 0
    )
    assert excuses(lambda w: w.took(START, [text % 1], acknowledged=False)) == 1


def test_every_version_knows_until_when_it_was_shown() -> None:
    mail = SimulatedMail(MailFlow(MailFlowOptions(seed=3)), whole_seconds=True)
    versions = WatchedTenant(mail).versions(
        from_ms(START), from_ms(START + HOUR), from_ms(START + 48 * HOUR)
    )
    shown = list(shown_versions(versions, Events(VerboseForm())))
    assert all(each.from_ms < each.until_ms for each in shown)
    assert all(each.received_ms % 1000 == 0 for each in shown)
    for earlier, later in pairwise(shown):
        if earlier.row == later.row:
            assert earlier.until_ms == later.from_ms


@pytest.mark.parametrize(
    ("away", "passed_over"),
    [({}, []), ({5: 1}, [(4, 5)]), ({9: 1, 5: 1}, [(3, 5)]), ({3: 1}, []), ({5: 60}, [])],
    ids=["none vanishes", "its last row", "two", "one behind it", "after both"],
)
def test_a_link_leads_past_as_many_rows_as_vanished_before_its_place(
    away: dict[int, int], passed_over: list[tuple[int, int]]
) -> None:
    mail = SimulatedMail(MailFlow(MailFlowOptions(messages_per_minute=0)), whole_seconds=False)
    tenant = WatchedTenant(mail)
    for second in range(10):
        row = make_row(from_ms(START + second * 1000))
        since = START + (20 + away.get(second, 0)) * 1000
        tenant.add(replace(row, away=((since, since + HOUR),) if second in away else ()))
    time, observation = clock(), Observation(Events(VerboseForm()))
    pages = ShiftedPages(tenant, time, observation)
    listing = Query(from_ms(START), from_ms(START + HOUR))
    time.elapse(20)
    pages.linked(listing, 4)
    time.elapse(2)
    pages.followed(replace(listing, skip_token=4))
    assert observation.misled == [
        (START + first * 1000, START + last * 1000) for first, last in passed_over
    ]
    assert not tenant.reads
