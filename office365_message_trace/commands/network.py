"""Whether a host can be reached: name, proxy, connection and certificate, by one request without
credentials."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from office365_message_trace.clock import Clock
from office365_message_trace.commands.findings import Finding, failure, ok, warning
from office365_message_trace.endpoints import PROXY_UNUSABLE, has_unusable_proxy, proxy_for
from office365_message_trace.foreign import printable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.dates import AGREEMENT, off_sentence
from office365_message_trace.session import OutOfTime, TimeoutSession

_TIMEOUTS = (5.0, 10.0)  # seconds to connect, and to answer


@dataclass(frozen=True, slots=True)
class Reached:
    """How a host was reached or why not (``trouble``); ``date`` is that of its answer, which came at
    ``at`` by the monotonic clock."""

    service: str
    host: str
    route: str
    trouble: str | None = None
    date: str = ""
    at: float = 0.0

    def finding(self) -> Finding:
        subject = f"network to {self.service.replace('The ', 'the ', 1)}"
        if self.trouble:
            return failure(subject, self.trouble)
        return ok(subject, f"{self.host} answers ({self.route}); its certificate is trusted")


def reach_all(services: Sequence[tuple[str, str]], clock: Clock) -> list[Reached]:
    """Reach each service (name, address) at the same time."""
    pool = ThreadPoolExecutor(len(services))
    try:
        return list(pool.map(lambda each: reach(each[0], each[1], clock), services))
    finally:
        pool.shutdown(wait=False)  # an interrupt does not wait for the network


def reach(service: str, url: str, clock: Clock) -> Reached:
    """Ask ``url`` for its head; any answer will do."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if has_unusable_proxy(url):
        return Reached(service, host, "", f"{PROXY_UNUSABLE}.")
    proxy = proxy_for(url)
    shown = _without_credentials(proxy) if proxy else ""
    route = f"through the proxy {shown}" if proxy else "directly, no proxy"
    unknown = _unknown_name(urlsplit(proxy).hostname or "" if proxy else host)
    if unknown and proxy:
        return Reached(service, host, route, _PROXY.format(shown, "its name is not known", host))
    if unknown:
        return Reached(service, host, route, _NAME.format(host))
    try:
        with TimeoutSession() as session:
            answer = session.exchange("HEAD", url, timeout=_TIMEOUTS)
    except Exception as error:  # whatever a library stumbles over on the way
        return Reached(service, host, route, _trouble(error, host, parts.port or 443, shown))
    date = answer.headers.get("date", "")
    return Reached(service, host, route, date=date, at=clock.monotonic())


def clock_finding(clock: MicrosoftClock) -> Finding | None:
    """How this machine's clock compares with Microsoft's; None if no service told the time."""
    ahead = clock.ahead
    if ahead is None:
        return None
    if abs(ahead.total_seconds()) <= AGREEMENT:
        return ok("clock", "agrees with Microsoft's")
    return warning("clock", off_sentence(ahead))


_NAME = (
    "The name {0} is not known (DNS). Check the DNS servers of this machine; if it has no direct way "
    "to the internet, set HTTPS_PROXY."
)
_PROXY = (
    "The proxy {0} cannot be used: {1}. Correct HTTPS_PROXY, have the proxy allow {2}, or add {2} to "
    "NO_PROXY if it can be reached directly."
)
_CERTIFICATE = (
    "The certificate of {0} is not trusted ({1}). If a proxy inspects TLS, set REQUESTS_CA_BUNDLE to "
    "a file (PEM) with its certificate authority; else something pretends to be {0}."
)
_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that is not there; correct it."
_BLOCKED = (
    "{0} cannot be reached on port {1} ({2}). Have the firewall allow outgoing connections to it, or "
    "set HTTPS_PROXY."
)


def _trouble(error: Exception, host: str, port: int, proxy: str) -> str:
    """What went wrong on the way, by what requests makes of it."""
    if isinstance(error, requests.exceptions.ProxyError):
        return _PROXY.format(proxy, _cause(error), host)
    if isinstance(error, requests.exceptions.SSLError):
        return _CERTIFICATE.format(host, _cause(error))
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return _BUNDLE
    return _BLOCKED.format(host, port, _cause(error))


def _cause(error: BaseException) -> str:
    """The innermost cause in a few words; none of it comes from an answer's body."""
    if isinstance(error, requests.exceptions.Timeout | OutOfTime):
        return "no answer in time"
    while True:
        inner = getattr(error, "reason", None)
        inner = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
        told = isinstance(error, OSError) and error.errno and error.strerror
        if inner is None or told:
            break
        error = inner
    known = getattr(error, "verify_message", "") or getattr(error, "strerror", None)
    if isinstance(known, str) and known:
        return printable(known)
    text = printable(error)  # with the proxy's own words about the status
    return text if "Tunnel connection failed" in text else type(error).__name__


def _unknown_name(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return True
    return False


def _without_credentials(proxy: str) -> str:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
