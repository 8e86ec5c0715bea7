"""Other settings, another tenant, another process: nothing is lost, repeated or hammered by it."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from office365_message_trace.collect.coverage import Policy
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import H, Kind, M, Mail, S, Service, shown_after

both = pytest.mark.parametrize("kind", ["reporting", "graph"])


@both
@pytest.mark.parametrize(
    ("before", "after", "most"),
    [
        (policy(delay=5, lookback=24), policy(delay=1440, lookback=24), 400),
        (policy(delay=5, lookback=24), policy(delay=10_080, lookback=24), 100),
        (policy(delay=1440, lookback=24), policy(delay=5, lookback=24), 1500),
        (policy(delay=5, lookback=72), policy(delay=5, lookback=0), 800),
    ],
    ids=[
        "timedelta 5 to 1440",
        "timedelta 5 to 10080",
        "timedelta 1440 to 5",
        "lookback 72 to 0",
    ],
)
def test_changed_settings_cost_few_requests(
    kind: Kind, before: Policy, after: Policy, most: int
) -> None:
    mail = [Mail(T0 - 24 * H + n * 10 * M, f"r{n}") for n in range(48 * 6)]
    lab = Laboratory(Service(kind, mail), before, start_time=24).run(T0 + H)
    asked_before, lab.settings = len(lab.service.given), after
    lab.run(T0 + 25 * H)
    asked = [given.asked for given in lab.service.given[asked_before:]]
    assert len(asked) < most
    assert sum(each.end - each.start < 10 * S for each in asked) < 10


_SEQUENCES: dict[str, tuple[Kind, list[Policy]]] = {
    "lookback 6, 1, 6": ("reporting", [policy(lookback=each) for each in (6, 1, 6)]),
    "lookback 6, 0, 6": ("graph", [policy(lookback=each) for each in (6, 0, 6)]),
    "lookback 6, 12, 2, 6": ("graph", [policy(lookback=each) for each in (6, 12, 2, 6)]),
    "timedelta 5, 240, 5": ("reporting", [policy(delay=each) for each in (5, 240, 5)]),
    "frequency 300, 3600, 300": ("graph", [policy(frequency=each) for each in (300, 3600, 300)]),
}


@pytest.mark.parametrize(("kind", "settings"), _SEQUENCES.values(), ids=_SEQUENCES)
def test_settings_that_change_and_change_back_lose_and_repeat_nothing(
    kind: Kind, settings: list[Policy]
) -> None:
    rng = Random(1)
    mail = [
        shown_after(int(rng.uniform(0, 5) ** 2 / 5 * H), T0 + n * 2 * M, f"r{n}")
        for n in range(18 * 30)
    ]
    lab = Laboratory(Service(kind, mail))
    for number, lab.settings in enumerate(settings):
        lab.run(T0 + (number + 1) * 4 * H)
    lab.run(T0 + 30 * H)
    assert [row.id for row in lab.missing() if _is_owed(row, settings)] == []
    assert lab.repeats() == 0


def _is_owed(row: Mail, settings: list[Policy]) -> bool:
    """Tell a row that was shown within the look-back that was in force then, each for four hours."""
    ((shown, _),) = row.life
    for number, each in enumerate(settings):
        begins = T0 + number * 4 * H
        ends = begins + (4 if number + 1 < len(settings) else 100) * H
        reach = int(max(each.lookback, each.delay).total_seconds() * 1000)
        if max(shown, begins) <= min(row.received + reach, ends):
            return True
    return False


@both
def test_another_tenant_begins_anew_and_the_first_one_continues(kind: Kind) -> None:
    first = Service(kind, [Mail(T0 + n * M, f"a{n}") for n in range(10 * 60)])
    second = Service(kind, [Mail(T0 - 700 * H + n * H, f"b{n}") for n in range(700)])
    lab = Laboratory(first).run(T0 + 2 * H)
    lab.service, lab.tenant, lab.start_time = second, "fabrikam.example", 720
    lab.run(T0 + 4 * H)
    assert lab.missing() == []
    assert any("another one than before" in text for text in lab.said("warning"))
    lab.service, lab.tenant = first, "contoso.example"
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


def test_another_intake_key_is_reported_and_repeats_nothing() -> None:
    lab = Laboratory(Service("graph", [Mail(T0 + n * M, f"r{n}") for n in range(240)]))
    lab.run(T0 + 2 * H)
    lab.intake_key = "another intake key"
    lab.run(T0 + 8 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert any("intake key is another one" in text for text in lab.said("warning"))


@both
def test_the_older_of_two_processes_gives_way_and_says_so(kind: Kind) -> None:
    mail = [shown_after(n % 7 * 10 * M, T0 + n * 10 * S, f"r{n}") for n in range(4 * 360)]
    lab = Laboratory(Service(kind, mail), policy(frequency=60))
    lab.meanwhile(T0 + H, lambda: lab.run(T0 + H + 30 * S))
    lab.run(T0 + 4 * H)
    assert lab.clock.ms < T0 + H + 2 * M, "the older process went on"
    assert any("taken over this trigger's state" in text for text in lab.said("error"))
    assert lab.repeats() == 0
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


def test_each_of_many_processes_gives_way_to_the_next() -> None:
    lab = Laboratory(Service("graph", [Mail(T0 + n * 10 * S, f"r{n}") for n in range(4 * 360)]))
    for number in range(1, 6):
        lab.meanwhile(T0 + number * 20 * M, partial(lab.run, T0 + (12 - number) * H))
    lab.run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert len(lab.said("error")) == 5
