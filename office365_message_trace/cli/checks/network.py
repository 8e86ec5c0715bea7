"""Checks that each host can be reached, by sending one request without credentials the way the trigger does."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from office365_message_trace.cli.checks.findings import Finding, failure, ok, warning
from office365_message_trace.clock import Clock
from office365_message_trace.errors import Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.dates import AGREEMENT, off_sentence
from office365_message_trace.transport.addresses import route_to
from office365_message_trace.transport.diagnosis import Route
from office365_message_trace.transport.session import TimeoutSession, unavailable

_TIMEOUTS = (5.0, 10.0)  # seconds to connect, and to answer


@dataclass(frozen=True, slots=True)
class Reached:
    """How a host was reached by its ``route``, or why not (``problem``); ``date`` is that of its answer,
    which came at ``at`` by the monotonic clock."""

    service: str
    route: Route
    problem: Unavailable | None = None
    date: str = ""
    at: float = 0.0

    def finding(self) -> Finding:
        subject = f"network to {self.service.replace('The ', 'the ', 1)}"
        if self.problem:
            return failure(subject, f"{self.problem.about(self.service)} [{self.problem.detail}]")
        return ok(subject, f"{self.route.host} answers ({self.route}); its certificate is trusted")


def reach_all(services: Sequence[tuple[str, str]], clock: Clock) -> list[Reached]:
    """Reach each service (name, address) at the same time."""
    pool = ThreadPoolExecutor(len(services))
    try:
        return list(pool.map(lambda each: reach(each[0], each[1], clock), services))
    finally:
        pool.shutdown(wait=False)  # an interrupt does not wait for the network


def reach(service: str, url: str, clock: Clock) -> Reached:
    """Ask ``url`` for its head; any answer will do."""
    route = route_to(url)
    try:
        with TimeoutSession() as session:
            answer = session.exchange("HEAD", url, timeout=_TIMEOUTS)
    except Exception as error:  # whatever a library stumbles over on the way
        return Reached(service, route, unavailable(error, url))
    return Reached(service, route, date=answer.headers.get("date", ""), at=clock.monotonic())


def clock_finding(clock: MicrosoftClock) -> Finding | None:
    """How this machine's clock compares with Microsoft's; None if no service told the time."""
    ahead = clock.ahead
    if ahead is None:
        return None
    if abs(ahead.total_seconds()) <= AGREEMENT:
        return ok("clock", "agrees with Microsoft's")
    return warning("clock", off_sentence(ahead))
