"""Checks that each host can be reached, with a request without credentials by the trigger's own route."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from office365_message_trace.checks.findings import Finding, failure, ok, warning
from office365_message_trace.clock import Clock
from office365_message_trace.errors import Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.dates import AGREEMENT, off_sentence
from office365_message_trace.transport.addresses import route_to
from office365_message_trace.transport.diagnosis import Route
from office365_message_trace.transport.session import TimeoutSession, unavailable

_TIMEOUTS = (5.0, 10.0)  # seconds to connect, and to answer
_HOST = "\0"  # stands for the host in a fault


@dataclass(frozen=True, slots=True)
class Reached:
    """The result of reaching a host by its ``route``: a ``problem``, or the ``Date`` of its answer, which
    came at ``at`` by the monotonic clock."""

    service: str
    route: Route
    problem: Unavailable | None = None
    date: str = ""
    at: float = 0.0

    @property
    def fault(self) -> str:
        """A sentence about the problem, with its types and the route, or nothing."""
        if not self.problem:
            return ""
        return f"{self.problem.about(self.service)} [{self.problem.detail}; {self.route}]"


def network_findings(reached: Sequence[Reached]) -> list[Finding]:
    """A finding for each service; services share the one of a fault that differs in the host at most."""
    fine = [
        ok(
            _subject([each]),
            f"{each.route.host} answers ({each.route}); its certificate is trusted",
        )
        for each in reached
        if not each.problem
    ]
    faults: dict[str, list[Reached]] = {}
    for each in reached:
        if each.problem:
            alike = each.fault.replace(each.route.host or _HOST, _HOST)
            faults.setdefault(alike, []).append(each)
    failures = [
        replace(
            failure(_subject(kept_away), "", fault.replace(_HOST, _hosts(kept_away))),
            code="network-unreachable",
        )
        for fault, kept_away in faults.items()
    ]
    return fine + failures


def _subject(reached: Sequence[Reached]) -> str:
    return f"network to {', '.join(each.service.replace('The ', 'the ', 1) for each in reached)}"


def _hosts(reached: Sequence[Reached]) -> str:
    return ", ".join(dict.fromkeys(each.route.host for each in reached))


def reach_all(services: Sequence[tuple[str, str]], clock: Clock) -> list[Reached]:
    """Reach all services (name, address) in parallel."""
    pool = ThreadPoolExecutor(len(services))
    try:
        return list(pool.map(lambda each: reach(each[0], each[1], clock), services))
    finally:
        pool.shutdown(wait=False)  # an interrupt does not wait for the network


def reach(service: str, url: str, clock: Clock) -> Reached:
    """Send a HEAD request to ``url``; any answer will do."""
    route = route_to(url)
    try:
        with TimeoutSession() as session:
            answer = session.exchange("HEAD", url, timeout=_TIMEOUTS)
    except Exception as error:  # libraries let any error out that an odd answer causes
        return Reached(service, route, unavailable(error, url))
    return Reached(service, route, date=answer.headers.get("date", ""), at=clock.monotonic())


def clock_finding(clock: MicrosoftClock) -> Finding | None:
    """The finding on this machine's clock against Microsoft's; None if no service told the time."""
    ahead = clock.ahead
    if ahead is None:
        return None
    if abs(ahead.total_seconds()) <= AGREEMENT:
        return ok("clock", "agrees with Microsoft's")
    return warning("clock", "off", off_sentence(ahead))
