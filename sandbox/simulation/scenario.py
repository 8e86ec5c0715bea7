"""Everything that chance decides before a run begins, from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

from sandbox.clock import from_ms, to_ms
from sandbox.graph import GraphOptions
from sandbox.intake import PoisonAnswer
from sandbox.mailflow import Burst, LargeMessage, MailFlowOptions
from sandbox.reporting import ReportingOptions
from sandbox.simulation.crashes import Kill, Takeover, draw_kills, draw_takeovers
from sandbox.simulation.disturbances import Spell, draw_odds, draw_spells
from sandbox.simulation.service_variants import (
    Date,
    draw_dates,
    draw_graph,
    draw_other_client,
    draw_reporting,
)
from sandbox.simulation.settings import (
    HOUR_MS,
    MINUTE_MS,
    Range,
    Settings,
    draw_range,
    draw_settings,
)

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
    "answers",
    "order",
    "links",
    "records",
    "rows",
    "owners",
    "tenants",
)
"""What `--faults` can name: one group of faults each. `restarts` come with changed settings.

answers: one that lies once (empty or short), has an error in it, or speaks of something else.
order: rows by partition, ties in another order each time. links: refused, circular, to empty pages.
records: one that no page can be given with. rows: statuses that revert, rows that vanish and return,
answers of a replica that is behind, fields that change by themselves, messages to very many.
owners: a second process on the same storage. tenants: the settings of another tenant, and back.
"""

ServiceName = Literal["reporting", "graph"]

DAY_MS = 24 * HOUR_MS
_FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
_UNTROUBLED = 0.15  # of the runs with all faults: so that delays are judged strictly, too
_OFTEN, _SELDOM = 0.4, 0.25  # of the runs have a group: one of the first nine, and another
_MOST_RECIPIENTS = 400  # of a large message, whatever the page, so that runs stay short
_REPORTING_PAGE, _GRAPH_PAGE = 2000, 5000  # documented
_LEAST_AGE_MS = 30 * MINUTE_MS  # beyond the delay, of time that is read for the last time
_READINGS = 4  # of all mail, in pages that are half full at times
_MINUTE = timedelta(minutes=1)
_LEFT_AN_HOUR = 400  # requests, where another client spends half of the quota


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
    pages_asked: int
    """The number of pages over which the service spreads the rows of one page that was asked for."""
    token_step: int
    """By how much `$skiptoken` grows with a page: real tokens, or such as run into the wall."""
    whole_seconds: bool
    """Receive times have no fraction, so that many are equal and many lie on a window's bound."""
    spells: tuple[Spell, ...]
    odds: dict[str, float]
    kills: tuple[Kill, ...]
    stops: tuple[int, ...]
    clock_steps: tuple[tuple[int, int], ...]
    dates: tuple[Date, Date]
    """What time the message trace service says in its answers, and Entra ID."""
    predecessor_hours: int | None
    """How far back the library's former module had read, if its cursor file is there."""
    limits: Range
    """How far edits of the settings go."""
    behind_ms: int
    """How old what a stale replica shows is."""
    bad_from_ms: tuple[int, ...]
    """The first row received from then on is a bad record."""
    poison_answer: PoisonAnswer
    """How the intake answers a batch with events that it refuses."""
    poison_status: int
    """With what status it refuses a whole batch."""
    poison_stays: bool
    """Whether it never takes some events."""
    takeovers: tuple[Takeover, ...]
    visit: tuple[int, int] | None
    """From when to when another tenant is collected."""

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
    def requests_a_page(self) -> int:
        """What a page of many costs at least: empty pages count, and rows that change places from one answer to
        the next have to be read twice, and those at the edges once more."""
        reporting = self.service == "reporting"
        empty_pages = self.reporting.empty_pages if reporting else self.graph.empty_pages
        readings = 3 if reporting and self.reporting.ties == "unstable" else 1
        return readings * {"every": 2, "chain": 1 + self.graph.chain}.get(empty_pages, 1)

    @property
    def pages_a_day(self) -> float:
        """As far as mail comes evenly."""
        rows = self.mail.messages_per_minute * 1440 * self.mail.mean_recipients
        return rows / self.page_size

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
    def tells_no_time(self) -> bool:
        """Whether some service does not tell the time, so that a process may end before it knows it."""
        return "missing" in self.dates

    @property
    def strays(self) -> bool:
        """Whether the service gives rows from outside the time that is asked for."""
        return self.service == "graph" and self.graph.stray_rows > 0

    @property
    def recipients_shown(self) -> int | None:
        """How many recipients of a message a listing shows; None: all."""
        if self.service == "reporting":
            return self.reporting.recipients_shown
        return self.graph.recipients_shown

    @property
    def history_rule(self) -> Literal["refuse", "hide"]:
        """What the service does about older ones."""
        if self.service == "reporting":
            return self.reporting.history_rule
        return self.graph.history_rule

    def hidden_from_ms(self, received_ms: int) -> int | None:
        """From when on the service no longer shows what was received then; None: it always does."""
        if self.history_days is None:
            return None
        return (received_ms // DAY_MS + 1 + self.history_days) * DAY_MS


def draw(seed: int, days: int, faults: str, service: str = "both") -> Scenario:
    """The scenario of a seed.

    `faults`: "all" (a few of the groups, now and then none), "none", or the name of a group.
    `service`: "reporting", "graph", or "both", which leaves it to the seed. Mail, settings and
    faults are the same for either.
    """
    rng = Random(f"{seed}/scenario")
    some = frozenset(
        group for n, group in enumerate(GROUPS) if rng.random() < (_OFTEN if n < 9 else _SELDOM)
    )
    if rng.random() < _UNTROUBLED:
        some = frozenset()
    groups = {"all": some, "none": frozenset[str]()}.get(faults, frozenset({faults}))
    chances = {group: Random(f"{seed}/{group}") for group in GROUPS if group in groups}
    settings, limits = draw_settings(rng), draw_range(rng)
    roaming = "restarts" in groups
    lookback_ms = max(settings.lookback_ms, limits.lookback * HOUR_MS if roaming else 0)
    delay_ms = max(settings.delay_ms, limits.timedelta * MINUTE_MS if roaming else 0)
    final_ms = max(lookback_ms, delay_ms + _LEAST_AGE_MS)
    start_ms = to_ms(_FIRST_DAY) + rng.randrange(DAY_MS)
    mail_until_ms = start_ms + days * DAY_MS
    faults_until_ms = mail_until_ms + lookback_ms // 3
    end_ms = mail_until_ms + final_ms * 13 // 10 + delay_ms + 6 * HOUR_MS
    spells, odds = list[Spell](), dict[str, float]()
    for group, source in chances.items():
        spells += draw_spells(source, group, start_ms, faults_until_ms)
        odds |= draw_odds(source, group)
    ends = Random(f"{seed}/ends")
    kills = ends.choice((1, 3, 10, 30)) * days if "crashes" in groups else 0
    stops = ends.choice((1, 3, 8)) * days if roaming else 0
    takeovers = ends.choice((1, 3, 6)) * days if "owners" in groups else 0
    ways = Random(f"{seed}/graph")
    mail = _mail(rng, seed, start_ms, mail_until_ms, lookback_ms)
    reporting = draw_reporting(rng, groups, chances)
    graph = draw_graph(ways, groups, chances, start_ms)
    if chance := chances.get("rows"):
        largest = min(reporting.page_size, graph.page_size or _GRAPH_PAGE, _MOST_RECIPIENTS)
        mail = _with_odd_rows(chance, mail, start_ms, mail_until_ms, largest)
    clock = chances.get("clock")
    steps = _clock_steps(clock, start_ms, faults_until_ms) if clock else ()
    scenario = Scenario(
        seed=seed,
        days=days,
        groups=groups,
        service=_service(seed, service),
        start_ms=start_ms,
        mail_until_ms=mail_until_ms,
        faults_until_ms=faults_until_ms,
        end_ms=end_ms,
        settings=settings,
        mail=mail,
        reporting=reporting,
        graph=graph,
        reporting_format=ways.random() < 0.4,
        other_client=draw_other_client(ways, groups),
        latency=rng.choice((0.3, 0.5, 2.0)) if groups else 0.5,
        pages_asked=_pages_asked(chances, graph),
        token_step=rng.choice((0, 2000, 2000, 90_000)),
        whole_seconds=rng.random() < 0.3,
        spells=tuple(spells),
        odds=odds,
        kills=draw_kills(ends, start_ms, faults_until_ms, kills),
        stops=tuple(sorted(ends.randrange(start_ms, faults_until_ms) for _ in range(stops))),
        clock_steps=steps,
        dates=_dates(clock, steps),
        predecessor_hours=rng.choice((None, None, None, 2, 60)),
        limits=limits,
        behind_ms=ends.choice((2, 8, 30)) * MINUTE_MS,
        bad_from_ms=_bad_records(chances.get("records"), start_ms, mail_until_ms),
        poison_answer=ends.choice(("batch", "null", "short", "status")),
        poison_status=Random(f"{seed}/poison").choice((400, 400, 403, 404, 406, 500, 503)),
        poison_stays="intake" in groups and ends.random() < 0.4,
        takeovers=draw_takeovers(ends, start_ms, faults_until_ms, takeovers),
        visit=_visit(chances.get("tenants"), start_ms, mail_until_ms),
    )
    return replace(scenario, end_ms=end_ms + _arrears_ms(scenario))


def _arrears_ms(scenario: Scenario) -> int:
    """Extra time at the end to read all mail, because throttling may leave too few requests before. It is the same for
    both services."""
    if "throttling" not in scenario.groups:
        return 0
    services: tuple[ServiceName, ...] = ("reporting", "graph")
    each = [replace(scenario, service=service) for service in services]
    requests = max(_pages(one) * one.requests_a_page for one in each)
    return int(requests * _READINGS / _LEFT_AN_HOUR * HOUR_MS)


def _pages(scenario: Scenario) -> float:
    """The pages of all mail, bursts included."""
    begins, ends = from_ms(scenario.start_ms), from_ms(scenario.mail_until_ms)
    bursts = [each for each in scenario.mail.bursts if begins <= each.start < ends]
    messages = sum(each.messages_per_minute * (each.end - each.start) / _MINUTE for each in bursts)
    in_bursts = messages * scenario.mail.mean_recipients / scenario.page_size
    return scenario.days * scenario.pages_a_day + in_bursts


def _pages_asked(chances: dict[str, Random], graph: GraphOptions) -> int:
    """Draw `Scenario.pages_asked`.

    Always 1 with Graph's real page, because Graph refuses to be asked for more, and with the faults of the group
    "microsoft": they remove next links, and a page smaller than the one asked for then looks like the last.
    """
    if "links" not in chances:
        return 1
    drawn = chances["links"].choice((1, 1, 5))
    return 1 if graph.page_size is None or "microsoft" in chances else drawn


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
        Burst(from_ms(start_ms - 13 * DAY_MS), from_ms(start_ms - DAY_MS), 0.03),
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
        since=from_ms(start_ms - 12 * DAY_MS),
        mean_recipients=rng.choice((1.2, 1.6, 3.0)),
        tie_fraction=rng.choice((0.1, 0.5)),
        late_fraction=rng.choice((0.02, 0.1, 0.3)),
        late_between=(timedelta(minutes=5), latest),
        changing_fraction=rng.choice((0.05, 0.2, 0.5)),
        settle_within=timedelta(minutes=rng.choice((10, 60))),
        slow_fraction=0.03,
        lone_surrogates=rng.random() < 0.1,
    )


def _with_odd_rows(
    rng: Random, mail: MailFlowOptions, from_ms_: int, until_ms: int, page: int
) -> MailFlowOptions:
    """The same mail with rows that do not stay as they are, journals, and messages to very many."""
    large = tuple(
        LargeMessage(from_ms(rng.randrange(from_ms_, until_ms)), int(page * rng.uniform(0.2, 2.5)))
        for _ in range(rng.choice((0, 1, 2)))
    )
    return replace(
        mail,
        reverting_fraction=rng.choice((0.0, 0.05, 0.3)),
        vanishing_fraction=rng.choice((0.0, 0.05, 0.3)),
        journal_fraction=rng.choice((0.0, 0.5, 1.0)),
        large_messages=large,
    )


def _bad_records(rng: Random | None, from_ms: int, until_ms: int) -> tuple[int, ...]:
    if rng is None:
        return ()
    backlog_ms = 12 * HOUR_MS
    return tuple(
        rng.randrange(from_ms - backlog_ms, until_ms) for _ in range(rng.choice((1, 1, 3)))
    )


def _visit(rng: Random | None, from_ms: int, until_ms: int) -> tuple[int, int] | None:
    if rng is None:
        return None
    begins = rng.randrange(from_ms + HOUR_MS, until_ms - HOUR_MS)
    return begins, min(begins + int(10 * MINUTE_MS * 100 ** rng.random()), until_ms)


def _dates(rng: Random | None, steps: tuple[tuple[int, int], ...]) -> tuple[Date, Date]:
    """A machine whose clock is wrong has a Microsoft that is right, on one of the services at least."""
    if rng is None:
        return "right", "right"
    return draw_dates(rng, machine_is_right=not steps)


def _clock_steps(rng: Random, from_ms: int, to_ms: int) -> tuple[tuple[int, int], ...]:
    """Steps in either direction, most of up to an hour; or a clock that is wrong from the beginning,
    which steps may follow; or one that is right. In most runs the last step sets it right."""
    instants = sorted(rng.randrange(from_ms, to_ms) for _ in range(rng.choice((2, 2, 4))))
    longest = rng.choice((600, 3600, 3600, 12 * 3600, 3 * 86_400, 10 * 365 * 86_400))
    sizes = [rng.choice((-1, 1)) * int(1000 * longest ** rng.random()) for _ in instants]
    skew = rng.choice((-2 * DAY_MS, -HOUR_MS, 9 * HOUR_MS, 25 * HOUR_MS, 9_000))
    match rng.randrange(4):
        case 0:
            return ((from_ms, skew),)
        case 1:
            return ((from_ms, skew), *zip(instants, [*sizes[:-1], 0], strict=True))
        case 2:
            return ()
    return tuple(zip(instants, [*sizes[:-1], 0], strict=True))
