"""The request budget: what is granted in five minutes, over restarts, and beside other clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrate_limiter import BucketFullException
from requests.auth import HTTPBasicAuth

from office365_message_trace.microsoft.paced_http import microsoft_http
from office365_message_trace.microsoft.request_budget import (
    BACKGROUND,
    COUNTED_FOR,
    FEWEST_REQUESTS,
    LIVE,
    MOST_REQUESTS,
    PERIOD,
    RequestBudget,
)
from office365_message_trace.transport.client import NotYet, Request
from office365_message_trace.transport.session import Answer
from sandbox import Answer as Instead
from sandbox import MailFlowOptions, Rule, Sandbox, SandboxOptions
from sandbox.blobs import Blobs
from tests.support import NOON, FaultyStorage, TurnedClock

MINUTE = timedelta(minutes=1)
RECORD = "quota.json"


class Grants:
    """A budget on a turned clock, and when it granted something."""

    def __init__(self, frequency: timedelta = MINUTE, record: bytes | None = None) -> None:
        self.clock = TurnedClock()
        self.instants: list[float] = []
        self.storage = Blobs({} if record is None else {RECORD: record})
        self._frequency = frequency
        self.restart()

    def restart(self, clock: TurnedClock | None = None) -> None:
        self.clock = clock or self.clock
        self.budget = RequestBudget(self.storage, self.clock, self._frequency)

    def throttled(self) -> None:
        self.budget.throttled()

    def take(self, kind: str = LIVE) -> float:
        """Seconds to wait, 0 for granted."""
        try:
            self.budget.try_acquire(kind)
        except BucketFullException as full:
            return float(full.meta_info["remaining_time"])
        self.instants.append(self.clock.monotonic())
        return 0.0

    def take_all(self, kind: str = LIVE) -> int:
        """How many are granted at once."""
        count = 0
        while not self.take(kind):
            count += 1
        return count


@pytest.fixture
def grants() -> Grants:
    return Grants()


def test_ninety_requests_are_granted_and_the_next_when_the_first_is_five_minutes_old(
    grants: Grants,
) -> None:
    assert grants.take() == 0
    grants.clock.wait(100)
    assert grants.take_all() == MOST_REQUESTS - 1
    assert grants.take() == pytest.approx(COUNTED_FOR - 100)
    assert grants.budget.left == 0
    grants.clock.wait(COUNTED_FOR - 100.1)
    assert grants.take() == pytest.approx(0.1)
    grants.clock.wait(0.1)
    assert grants.take() == 0
    assert grants.take() == pytest.approx(100)


@pytest.mark.parametrize(("seconds", "room"), [(60, 6), (300, 2), (10, 30), (3600, 2)])
def test_the_background_leaves_room_for_the_fresh_mail_of_a_period(seconds: int, room: int) -> None:
    grants = Grants(timedelta(seconds=seconds))
    assert grants.take_all(BACKGROUND) == MOST_REQUESTS - room
    assert grants.take_all(LIVE) == room


def test_a_restart_does_not_refill_the_budget(grants: Grants) -> None:
    for _ in range(40):
        grants.take(BACKGROUND)
        grants.clock.wait(1)
    grants.restart()
    assert grants.budget.left == MOST_REQUESTS - 40
    assert grants.take_all(LIVE) == MOST_REQUESTS - 40
    assert grants.take() == pytest.approx(COUNTED_FOR - 40, abs=0.01)


def test_a_restart_much_later_begins_anew(grants: Grants) -> None:
    grants.take_all()
    grants.restart(TurnedClock(NOON + timedelta(seconds=COUNTED_FOR + 1)))
    assert grants.take_all() == MOST_REQUESTS


def test_after_a_clock_set_back_what_was_spent_still_counts_for_five_minutes_and_no_longer(
    grants: Grants,
) -> None:
    grants.take_all()
    grants.restart(TurnedClock(NOON - timedelta(hours=3)))
    assert grants.take() == COUNTED_FOR
    grants.clock.wait(COUNTED_FOR)
    assert grants.take() == 0


@pytest.mark.parametrize("hours", [25, -25])
def test_what_was_spent_is_counted_by_the_time_that_is_known_by_then(
    grants: Grants, hours: int
) -> None:
    """A machine's clock that is wrong at the start is set right by the first answer."""
    for _ in range(40):
        grants.take()
    wrong = TurnedClock(ahead=timedelta(hours=hours))
    grants.restart(wrong)
    assert grants.take() == 0
    wrong.ahead = timedelta(0)
    assert grants.budget.left == MOST_REQUESTS - 41
    grants.take()
    grants.restart(TurnedClock(NOON + timedelta(seconds=COUNTED_FOR - 1)))
    assert grants.budget.left == MOST_REQUESTS - 42
    grants.clock.wait(1)
    assert grants.budget.left == MOST_REQUESTS


def test_restarts_one_after_another_pile_up_nothing(grants: Grants) -> None:
    for _ in range(20):
        grants.take_all()
        grants.restart()
    assert grants.storage.content[RECORD].count(b"false") == MOST_REQUESTS


@pytest.mark.parametrize(
    "record",
    [b"", b"null", b"[]", b'"x"', b"{", b'{"limit":"x"}', b'{"attempts":[1]}', b'{"attempts":3}',
     b'{"attempts":[[1e400,true]]}', b'{"attempts":[["a",true]]}', b'{"limit":20,"attempts":[],"since":1e400}', b"\xff"],
)  # fmt: skip
def test_a_record_that_cannot_be_used_is_no_record(record: bytes) -> None:
    assert Grants(record=record).take_all() == MOST_REQUESTS


def test_a_storage_that_fails_holds_up_no_request_and_the_budget_still_holds() -> None:
    budget = RequestBudget(FaultyStorage(Blobs(), inf), TurnedClock(), MINUTE)
    for _ in range(MOST_REQUESTS):
        budget.try_acquire(LIVE)
    with pytest.raises(BucketFullException):
        budget.try_acquire(LIVE)


# Other clients


def test_a_request_too_many_lowers_the_limit_and_time_raises_it_again(grants: Grants) -> None:
    grants.budget.throttled()
    lowered = grants.budget.limit
    assert FEWEST_REQUESTS <= lowered < MOST_REQUESTS
    grants.budget.throttled()
    assert grants.budget.limit == lowered, "several at once are one lesson"
    grants.clock.wait(COUNTED_FOR)
    grants.budget.throttled()
    assert lowered < MOST_REQUESTS
    grants.clock.wait(3600)
    assert grants.take_all() == MOST_REQUESTS


def test_the_limit_never_falls_so_low_that_nothing_moves(grants: Grants) -> None:
    for _ in range(50):
        grants.budget.throttled()
        grants.clock.wait(31)
    assert grants.budget.limit >= FEWEST_REQUESTS
    grants.clock.wait(COUNTED_FOR)
    assert grants.take_all(BACKGROUND) > 10


def test_a_restart_remembers_what_others_spend(grants: Grants) -> None:
    grants.budget.throttled()
    grants.take()
    limit = grants.budget.limit
    grants.restart()
    assert grants.budget.limit == limit
    grants.throttled()
    assert grants.budget.limit < limit, "a start is no 429"


def test_the_limit_grows_while_no_process_runs(grants: Grants) -> None:
    """Else short-lived processes, such as actions, would never grow out of a 429."""
    grants.take()
    grants.throttled()
    low = grants.budget.limit
    grants.take()
    grants.clock.wait(100)
    grants.restart()
    grants.take()
    assert grants.budget.limit == low, "no answer has told the time yet"
    grants.take()
    assert grants.budget.limit == low + 5
    grants.clock.wait(3600)
    for _ in range(3):
        grants.restart()
        grants.take()
    assert grants.budget.limit == low + 5
    grants.take()
    assert grants.budget.limit == MOST_REQUESTS


def test_a_wrong_clock_at_the_start_raises_no_limit(grants: Grants) -> None:
    """The first answer tells the time."""
    grants.throttled()
    grants.take()
    low = grants.budget.limit
    right = grants.clock
    wrong = TurnedClock(right.now(), ahead=timedelta(hours=9))
    grants.restart(wrong)
    grants.take()
    wrong.ahead = timedelta(0)
    grants.take()
    assert grants.budget.limit == low


def test_what_others_have_recorded_counts_and_is_not_recorded_as_ones_own() -> None:
    trigger, own = Grants(), Blobs()
    for _ in range(4):
        trigger.take()
    action = RequestBudget(
        own,
        trigger.clock,
        MINUTE,
        most=10,
        shared=[trigger.storage, Blobs()],
    )
    for _ in range(6):
        action.try_acquire(LIVE)
    with pytest.raises(BucketFullException):
        action.try_acquire(LIVE)
    again = RequestBudget(own, trigger.clock, MINUTE, most=10)
    assert (action.left, again.left) == (0, 4)
    trigger.clock.wait(COUNTED_FOR)
    assert action.left == 10


def test_beside_a_client_that_spends_half_neither_is_shut_out(grants: Grants) -> None:
    """A service that grants 100 in five minutes and counts what it refuses, as Graph does."""
    spent: list[float] = []
    refused = 0
    for second in range(4 * 3600):
        now = grants.clock.monotonic()
        spent = [at for at in spent if at > now - PERIOD]
        if second % 6 == 0:
            spent.append(now)  # the other client: 50 in five minutes
        if not grants.take(BACKGROUND):
            if len(spent) >= 100:
                refused += 1
                grants.budget.throttled()
                spent.append(now)
                grants.clock.wait(30)
                continue
            spent.append(now)
        grants.clock.wait(1)
    granted = len(grants.instants) - refused
    periods = grants.clock.monotonic() / PERIOD
    assert granted / periods > 35, "of the 50 that are left"
    assert refused / periods < 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([LIVE, BACKGROUND, "restart", "429"]), st.floats(0, 40)),
        min_size=100,
        max_size=400,
    )
)
def test_no_five_minutes_ever_hold_more_than_ninety(
    course: list[tuple[str, float]],
) -> None:
    grants = Grants()
    actions: dict[str, Callable[[], object]] = {
        "restart": grants.restart,
        "429": grants.throttled,
    }
    for what, pause in course:
        actions.get(what, lambda kind=what: [grants.take(kind) for _ in range(9)])()
        grants.clock.wait(pause if pause > 20 else 0)
    apart = zip(grants.instants, grants.instants[MOST_REQUESTS:], strict=False)
    assert all(later - earlier >= PERIOD - 0.002 for earlier, later in apart)
    assert all(a <= b for a, b in pairwise(grants.instants))


# Over the network


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        monkeypatch.setenv("NO_PROXY", "*")
        yield running
    assert running.failures == []


def asked(world: Sandbox, budget: RequestBudget, background: bool = False) -> Answer:
    request = Request("GET", world.url("reporting") + "/", background=background)
    return microsoft_http(HTTPBasicAuth("nobody", "nothing"), budget).begin(request)()


@pytest.mark.parametrize("kind", [LIVE, BACKGROUND])
def test_what_exceeds_the_budget_is_neither_sent_nor_slept_for(
    world: Sandbox, grants: Grants, kind: str
) -> None:
    granted = grants.take_all(kind) - 1
    grants.clock.wait(COUNTED_FOR)
    for _ in range(granted):
        grants.take(kind)
    assert asked(world, grants.budget, kind == BACKGROUND).status == 404
    with pytest.raises(NotYet) as caught:
        asked(world, grants.budget, kind == BACKGROUND)
    assert caught.value.seconds == COUNTED_FOR
    assert world.request_log.count("reporting") == 1


def test_not_even_the_last_instant_of_a_wait_is_slept_for(world: Sandbox, grants: Grants) -> None:
    """On a clock that stands still meanwhile, sleeping would never end."""
    grants.take_all()
    grants.clock.wait(COUNTED_FOR - 1e-4)
    with pytest.raises(NotYet) as caught:
        asked(world, grants.budget)
    grants.clock.wait(caught.value.seconds)
    assert asked(world, grants.budget).status == 404


def test_attempts_that_fail_count_and_a_429_is_learnt_from(world: Sandbox, grants: Grants) -> None:
    world.faults.add(Rule(Instead(503)))
    assert asked(world, grants.budget).status == 503
    assert (grants.budget.left, grants.budget.limit) == (MOST_REQUESTS - 1, MOST_REQUESTS)
    world.faults.add(Rule(Instead(429)))
    assert asked(world, grants.budget).status == 429
    assert grants.budget.limit < MOST_REQUESTS
