"""Everything that chance decides before a run begins, from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

from sandbox.clock import from_ms, to_ms
from sandbox.graph import GraphOptions
from sandbox.mailflow import Burst, MailFlowOptions
from sandbox.reporting import ReportingOptions
from sandbox.simulation.perils import Kill, draw_kills
from sandbox.simulation.quirks import draw_graph, draw_other_client, draw_reporting
from sandbox.simulation.settings import HOUR_MS, Settings, draw_settings
from sandbox.simulation.troubles import Spell, draw_odds, draw_spells

GROUPS = (
    "microsoft",
    "throttling",
    "credentials",
    "intake",
    "storage",
    "crashes",
    "restarts",
    "clock",
    "history",
)
"""What `--faults` can name: one group of faults each. `restarts` come with changed settings."""

ServiceName = Literal["reporting", "graph"]

DAY_MS = 24 * HOUR_MS
_FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
_UNTROUBLED = 0.15  # of the runs with all faults: so that delays are judged strictly, too
_REPORTING_PAGE, _GRAPH_PAGE = 2000, 5000  # documented
_LONGEST_LOOKBACK_MS = 8 * HOUR_MS


@dataclass(frozen=True)
class Scenario:
    """One run. Times are true ones, in milliseconds since 1970.

    The collector is started at `start_ms`. Rows received before `mail_until_ms` are judged, faults
    end at `faults_until_ms`, and the run ends at `end_ms`, when every re-read has had its time.
    """

    seed: int
    days: int
    groups: frozenset[str]
    service: ServiceName
    start_ms: int
    mail_until_ms: int
    faults_until_ms: int
    end_ms: int
    settings: Settings
    mail: MailFlowOptions
    reporting: ReportingOptions
    graph: GraphOptions
    reporting_format: bool
    """Whether rows of Graph are converted (`event_format`)."""
    other_client: tuple[int, int] | None
    """Requests of another client of Graph at once, and every how many seconds."""
    latency: float
    """The longest that an ordinary request takes, seconds."""
    token_step: int
    """By how much `$skiptoken` grows with a page: real tokens, or such as run into the wall."""
    whole_seconds: bool
    """Receive times have no fraction, so that many are equal and many lie on a window's bound."""
    spells: tuple[Spell, ...]
    odds: dict[str, float]
    kills: tuple[Kill, ...]
    stops: tuple[int, ...]
    clock_steps: tuple[tuple[int, int], ...]
    predecessor_hours: int | None
    """How far back the library's former module had read, if its cursor file is there."""

    def random(self, purpose: str) -> Random:
        """The source of chance for one purpose; others do not disturb it."""
        return Random(f"{self.seed}/{purpose}")

    @property
    def page_size(self) -> int:
        """Rows on a page of the service."""
        return (
            self.reporting.page_size
            if self.service == "reporting"
            else self.graph.page_size or _GRAPH_PAGE
        )

    @property
    def real_pages(self) -> bool:
        """Whether pages are as large as the real service's."""
        return self.page_size == (_REPORTING_PAGE if self.service == "reporting" else _GRAPH_PAGE)

    @property
    def history_days(self) -> int | None:
        """Whole days before today for which the service keeps rows; None: for ever."""
        if self.service == "reporting":
            return self.reporting.history_days
        return self.graph.history_days

    @property
    def crowded(self) -> bool:
        """Whether another client spends of the same quota."""
        return self.service == "graph" and self.other_client is not None

    @property
    def strays(self) -> bool:
        """Whether the service gives rows from outside the time that is asked for."""
        return self.service == "graph" and self.graph.stray_rows > 0

    @property
    def furthest_offset_ms(self) -> int:
        """The most that the collector's clock is wrong by."""
        return max((abs(offset) for _, offset in self.clock_steps), default=0)


def draw(seed: int, days: int, faults: str, service: str = "both") -> Scenario:
    """The scenario of a seed.

    `faults`: "all" (a few of the groups, now and then none), "none", or the name of a group.
    `service`: "reporting", "graph", or "both", which leaves it to the seed. Mail, settings and
    faults are the same for either.
    """
    rng = Random(f"{seed}/scenario")
    some = frozenset(group for group in GROUPS if rng.random() < 0.4)
    if rng.random() < _UNTROUBLED:
        some = frozenset()
    groups = {"all": some, "none": frozenset[str]()}.get(faults, frozenset({faults}))
    settings = draw_settings(rng)
    roaming = "restarts" in groups
    lookback_ms = max(settings.lookback_ms, _LONGEST_LOOKBACK_MS if roaming else 0)
    delay_ms = max(settings.delay_ms, 4 * HOUR_MS if roaming else 0)
    start_ms = to_ms(_FIRST_DAY) + rng.randrange(DAY_MS)
    mail_until_ms = start_ms + days * DAY_MS
    faults_until_ms = mail_until_ms + lookback_ms // 3
    end_ms = mail_until_ms + lookback_ms * 13 // 10 + delay_ms + 2 * HOUR_MS
    spells, odds = list[Spell](), dict[str, float]()
    for group in GROUPS:
        chance = Random(f"{seed}/{group}")
        if group in groups:
            spells += draw_spells(chance, group, start_ms, faults_until_ms)
            odds |= draw_odds(chance, group)
    ends = Random(f"{seed}/ends")
    kills = ends.choice((1, 3, 10, 30)) * days if "crashes" in groups else 0
    stops = ends.choice((1, 3, 8)) * days if roaming else 0
    ways = Random(f"{seed}/graph")
    return Scenario(
        seed=seed,
        days=days,
        groups=groups,
        service=_service(seed, service),
        start_ms=start_ms,
        mail_until_ms=mail_until_ms,
        faults_until_ms=faults_until_ms,
        end_ms=end_ms,
        settings=settings,
        mail=_mail(rng, seed, start_ms, mail_until_ms, lookback_ms),
        reporting=draw_reporting(rng, groups),
        graph=draw_graph(ways, groups, start_ms),
        reporting_format=ways.random() < 0.4,
        other_client=draw_other_client(ways, groups),
        latency=rng.choice((0.3, 0.5, 2.0)) if groups else 0.5,
        token_step=rng.choice((0, 2000, 2000, 90_000)),
        whole_seconds=rng.random() < 0.3,
        spells=tuple(spells),
        odds=odds,
        kills=draw_kills(ends, start_ms, faults_until_ms, kills),
        stops=tuple(sorted(ends.randrange(start_ms, faults_until_ms) for _ in range(stops))),
        clock_steps=_clock_steps(rng, start_ms, faults_until_ms) if "clock" in groups else (),
        predecessor_hours=rng.choice((None, None, None, 2, 60)),
    )


def _service(seed: int, wanted: str) -> ServiceName:
    drawn: ServiceName = Random(f"{seed}/service").choice(("reporting", "graph"))
    named: dict[str, ServiceName] = {"reporting": "reporting", "graph": "graph"}
    return named.get(wanted, drawn)


def _mail(
    rng: Random, seed: int, start_ms: int, until_ms: int, lookback_ms: int
) -> MailFlowOptions:
    """A few to a few hundred rows an hour, some of them in bursts; a trickle after the end."""
    rate = 0.02 * 50 ** rng.random()
    bursts = [
        Burst(from_ms(until_ms), from_ms(until_ms + 10 * DAY_MS), 0.03),
        Burst(from_ms(start_ms - 9 * DAY_MS), from_ms(start_ms - DAY_MS), 0.03),
    ]
    for _ in range(rng.choice((0, 0, 1, 3))):
        minute = rng.randrange(start_ms, until_ms) // 60_000 * 60_000
        length = rng.choice((1, 1, 5)) * 60_000
        per_minute = 10 * 15 ** rng.random()
        bursts.insert(0, Burst(from_ms(minute), from_ms(minute + length), per_minute))
    latest = timedelta(milliseconds=max(lookback_ms, HOUR_MS)) * rng.choice((1.0, 1.0, 1.2))
    return MailFlowOptions(
        seed=seed,
        messages_per_minute=rate,
        bursts=tuple(bursts),
        since=from_ms(start_ms - 5 * DAY_MS),
        mean_recipients=rng.choice((1.2, 1.6, 3.0)),
        tie_fraction=rng.choice((0.1, 0.5)),
        late_fraction=rng.choice((0.02, 0.1, 0.3)),
        late_between=(timedelta(minutes=5), latest),
        changing_fraction=rng.choice((0.05, 0.2, 0.5)),
        settle_within=timedelta(minutes=rng.choice((10, 60))),
        slow_fraction=0.03,
        lone_surrogates=rng.random() < 0.1,
    )


def _clock_steps(rng: Random, from_ms: int, to_ms: int) -> tuple[tuple[int, int], ...]:
    """Steps in either direction, most of up to an hour; the last one sets the clock right."""
    instants = sorted(rng.randrange(from_ms, to_ms) for _ in range(rng.choice((2, 2, 4))))
    longest = rng.choice((600, 3600, 3600, 12 * 3600))
    sizes = [rng.choice((-1, 1)) * int(1000 * longest ** rng.random()) for _ in instants]
    return tuple(zip(instants, [*sizes[:-1], 0], strict=True))
