"""Judges addresses of servers, and finds the route of requests to one."""

import os
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

from office365_message_trace.files import is_folder
from office365_message_trace.transport.diagnosis import Route

_PORTS = {"http": 80, "https": 443}

UNSAFE_URL = "must be an https address (plain http is accepted for this machine only)."


UNFIT = re.compile(r"[\s\\\x00-\x1f\x7f-\x9f]")
"""White space, backslash and control characters. No address has them (RFC 3986), and parsers disagree
about the end of a host before one."""

_HOST = re.compile(
    r"[\w.:-]+(%25\w+)?", re.ASCII
)  # a name or an IP address; a quotation mark comes as %22
_ADDRESS = re.compile(r"https?://[^@/?#]+([/?#].*)?", re.IGNORECASE)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port that a request for ``url`` goes to.

    Uses the parser of requests, which sends it, and no other. Raises ValueError for anything but a plain
    address: another scheme than http or https, no host or one that DNS cannot have, user information, one
    of `UNFIT`.
    """
    if UNFIT.search(url) or not _ADDRESS.fullmatch(url):
        raise ValueError("no plain address of a server")
    request = requests.PreparedRequest()
    request.prepare_url(url, None)  # raises InvalidURL, which is a ValueError
    parts = urlsplit(request.url or "")
    return parts.scheme, _named(parts.hostname or ""), parts.port or _PORTS[parts.scheme]


def is_same_origin(url: str, other: str) -> bool:
    """True if requests for both go to the same server; False if either is no plain address."""
    try:
        return origin_of(url) == origin_of(other)
    except ValueError:
        return False


def is_safe_url(url: str) -> bool:
    """True if credentials may be sent to ``url``: https, or http to a loopback address."""
    try:
        scheme, host, _ = origin_of(url)
    except ValueError:
        return False
    return scheme == "https" or _is_loopback(host)


def proxies_for(url: str) -> dict[str, str]:
    """The proxies that requests takes from the environment for ``url``, by scheme.

    None for plain http to this machine: a proxy would take that for itself, and see the credentials.
    """
    if url.lower().startswith("http:") and is_safe_url(url):
        return {}
    return dict(get_environ_proxies(url))


_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def route_to(url: str) -> Route:
    """The route of requests to ``url``, by its own functions and in its order of precedence.

    Has no host and no port if ``url`` is no address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return Route("", 0)
    proxies = proxies_for(url)
    proxy = select_proxy(url, proxies)
    named_for_all = proxy and parts.scheme not in proxies
    bundle = next((name for name in _BUNDLES if os.environ.get(name)), "")
    return Route(
        host=parts.hostname or "",
        port=port,
        proxy=_without_credentials(proxy) if proxy else "",
        proxy_variable="ALL_PROXY" if named_for_all else f"{parts.scheme.upper()}_PROXY",
        proxy_readable=not proxy or _without_credentials(proxy) != "",
        bundle_variable=bundle,
        bundle_is_folder=bool(bundle) and is_folder(os.environ[bundle]),
    )


def _without_credentials(proxy: str) -> str:
    """The address of ``proxy`` without user and password; empty if it is no address.

    Uses the parsers of requests. The first takes ``http://user:12#3@proxy`` for an address of the host
    ``user``, so an ``@`` after the host counts, too.
    """
    try:
        prepared = requests.PreparedRequest()
        prepared.prepare_url(prepend_scheme_if_needed(proxy, "http"), None)  # type: ignore[no-untyped-call]
        urlsplit(proxy)  # as requests does to find the password
        parts = urlsplit(prepared.url or "")
        port = f":{parts.port}" if parts.port else ""
        named = _HOST.fullmatch(_named(parts.hostname or ""))
    except ValueError:
        return ""
    if not named or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _named(host: str) -> str:
    """The same ``host``; raises ValueError unless it has 1 to 63 characters between its dots, as urllib3 does."""
    host.encode("idna")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
