"""Explains failed HTTP exchanges, and who has to act: pure.

The trigger and the command ``check`` take the same sentence from here. It depends only on the exception
that requests raised, so a name that only the proxy can resolve is no fault. The text holds host names,
ports, causes and names of environment variables: no user, no password, and nothing that the other side
wrote.
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from socket import EAI_AGAIN, gaierror

from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    ProxySchemeUnknown,
    ReadTimeoutError,
)

from office365_message_trace.untrusted_text import printable

IN_TIME = "no answer in time"
CUT_OFF = "no answer: it, or something on the way, closes the connection"
USABLE = "no usable answer"


class SilentProxy(ProxyError):
    """A proxy took a connection, and did not say in time whether it got through."""


@dataclass(frozen=True, slots=True)
class Route:
    """The route of requests to a host, by the address and the environment.

    ``proxy`` is an address without user and password, empty for none, and ``proxy_variable`` the variable
    that sets it; ``proxy_readable`` is true if its value is an address. ``bundle_variable`` is the variable
    that replaces the usual certificate authorities, empty for none.
    """

    host: str
    port: int
    proxy: str = ""
    proxy_variable: str = "HTTPS_PROXY"
    proxy_readable: bool = True
    bundle_variable: str = ""
    bundle_is_folder: bool = False

    def __str__(self) -> str:
        return f"through the proxy {self.proxy}" if self.proxy else "directly, no proxy"


_NAME = (
    "The name {host} cannot be resolved ({cause}). If it is spelled right, have the administrator of this machine check its DNS "
    "servers; if the machine has no direct way to the internet, set HTTPS_PROXY."
)
_BLOCKED = (
    "{host} cannot be reached on port {port} ({cause}). If it lasts, have the administrator of the network "
    "allow outgoing connections to it, or set HTTPS_PROXY."
)
_NOT_YET_VALID = (
    "The certificate of {host} is not valid yet, so the clock of this machine is most likely behind. Have "
    "the administrator of this machine have a time service (NTP) set it."
)
_EXPIRED = (
    "The certificate of {host} has expired, or the clock of this machine is ahead. Have the administrator "
    "of this machine check its time service (NTP); if the clock is right, have the administrator of the "
    "proxy that inspects TLS, or of {host}, renew the certificate."
)
_OTHER_NAME = (
    "The certificate of {host} is for another name: something else answers in its place. If the name is "
    "spelled right, have the administrator of the network look at DNS, proxy and firewall."
)
_UNTRUSTED = (
    "The certificate of {host} is not trusted ({cause}). If a proxy inspects TLS, set REQUESTS_CA_BUNDLE to "
    "a file (PEM) with its certificate authority; else something pretends to be {host}."
)
_NOT_IN_BUNDLE = (
    "The certificate of {host} is not trusted ({cause}), because its certificate authority is not in the "
    "file of {bundle}. Add it to that file (PEM): the one of the proxy if it inspects TLS, else the public "
    "ones; or something pretends to be {host}."
)
_BUNDLE = (
    "The certificate authorities that {bundle} names cannot be used ({cause}). Correct it to the path of a "
    "readable file (PEM), or remove it to trust the usual ones."
)
_NO_TLS = (
    "{host} does not speak TLS as it should on port {port} ({cause}). If it lasts, something on the way "
    "answers in its place: have the administrator of the network let connections to it pass."
)
_PROXY_UNREADABLE = (
    "{variable} is not an address such as http://user:password@proxy:3128; special characters in the user name "
    "and the password must be percent-encoded, such as %23 for #, %2F for /, %3F for ? and %5B for [ . "
    "Correct it."
)
_PROXY_CHARACTERS = "{variable} holds a character in the user name or the password that cannot be sent to a proxy. Use other ones."
_SOCKS = "{variable} names a SOCKS proxy, which cannot be used. Enter an HTTP proxy such as http://proxy:3128."
_PROXY_UNREACHED = (
    "The proxy {proxy} cannot be used ({cause}). Correct {variable}, have the administrator of the proxy "
    "look after it, or add {host} to NO_PROXY if it can be reached directly."
)
_PROXY_UNAUTHORISED = (
    "The proxy {proxy} does not accept the user name and password in {variable}, or there are none (status "
    "{status}). Enter them as http://user:password@proxy:3128, or have the administrator of the proxy let "
    "connections to {host} pass without."
)
_PROXY_REFUSES = (
    "The proxy {proxy} refuses connections to {host} (status {status}). Have the administrator of the proxy "
    "allow {host} on port {port}."
)
_PROXY_FAILS = (
    "The proxy {proxy} does not get through to {host} (status {status}). If it lasts, have the administrator "
    "of the proxy look after it."
)

_PROXY_SILENT = (
    "The proxy {proxy} gives no answer, or does not get through to {host} on port {port}. Correct {variable} if it names "
    "the wrong one; if it lasts, have the administrator of the proxy look after it."
)

_UNFIT_NAME = "a part between its dots is missing or longer than 63 characters"

_VERIFICATIONS = {9: _NOT_YET_VALID, 10: _EXPIRED, 62: _OTHER_NAME, 64: _OTHER_NAME}
"""Sentences by OpenSSL's number (X509_V_ERR_...); with any other the certificate is not trusted."""

_CLOSED_IN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_OF_FILES = ("X509", "PEM")  # OpenSSL's libraries that read certificates from files
_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle"
_NO_SOCKS = "SOCKS support"


def sentence(error: BaseException, route: Route) -> str | None:
    """The cause of ``error``, which an exchange by ``route`` raised, and who has to do what.

    None for errors that pass by themselves, such as a reset connection or a time-out.
    """
    causes = list(chain(error))
    if not route.proxy_readable or isinstance(causes[-1], ProxySchemeUnknown):
        return _PROXY_UNREADABLE.format(variable=route.proxy_variable)
    if route.proxy and any(isinstance(each, UnicodeEncodeError) for each in causes):
        return _PROXY_CHARACTERS.format(variable=route.proxy_variable)
    if _NO_SOCKS in str(error):
        return _SOCKS.format(variable=route.proxy_variable)
    if bundle := _of_bundle(causes, route):
        return bundle
    of_proxy = any(isinstance(each, ProxyError) for each in causes)
    return _of_proxy(causes, route) if of_proxy else _of_host(causes, route)


def is_silent_proxy(error: BaseException) -> bool:
    """True if a proxy did not say in time whether it got through."""
    return any(isinstance(each, SilentProxy) for each in chain(error))


def passing(error: BaseException) -> str:
    """A phrase for ``error``, which passes by itself."""
    causes = list(chain(error))
    if any(map(_is_late, causes)):
        return IN_TIME
    closed = any(isinstance(each, (ConnectionError, *_CLOSED_IN_TLS)) for each in causes)
    return CUT_OFF if closed else USABLE


def kinds(error: BaseException) -> str:
    """The types of ``error`` and of its causes, without their texts, for an engineer."""
    return ", ".join(dict.fromkeys(type(each).__name__ for each in chain(error)))


def chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and its causes, each once, the innermost last."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


def _of_proxy(causes: list[BaseException], route: Route) -> str:
    refusals = filter(None, (_REFUSED_TUNNEL.search(str(each)) for each in causes))
    status = next((int(each[1]) for each in refusals), 0)
    if status in (401, 407):  # tinyproxy says 401 of a wrong password
        text = _PROXY_UNAUTHORISED
    elif is_silent_proxy(causes[0]):
        text = _PROXY_SILENT
    elif status:
        text = _PROXY_FAILS if status >= 500 else _PROXY_REFUSES
    else:
        text = _PROXY_UNREACHED
    return text.format(
        proxy=route.proxy,
        variable=route.proxy_variable,
        host=route.host,
        port=route.port,
        status=status,
        cause=_cause_at_proxy(causes),
    )


def _cause_at_proxy(causes: list[BaseException]) -> str:
    cause = _cause(causes)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return f"its certificate is not trusted: {cause}"
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return f"it speaks no TLS, so its address may have to begin with http://: {cause}"
    if any(isinstance(each, HTTPException) for each in causes):
        return "what answers there is no proxy"
    return cause


def _of_bundle(causes: list[BaseException], route: Route) -> str | None:
    """A sentence about unusable certificate authorities, which fail before any certificate is checked."""
    bundle = route.bundle_variable or "REQUESTS_CA_BUNDLE"
    if NO_BUNDLE in str(causes[0]):
        return _BUNDLE.format(bundle=bundle, cause="there is no such file")
    if not route.bundle_variable or _connecting(causes):
        return None
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            if not route.bundle_is_folder or each.verify_code in _VERIFICATIONS:
                return None
            cause = f"it is a folder, without the authority of {route.host}"
            return _BUNDLE.format(bundle=bundle, cause=cause)
        if isinstance(each, ssl.SSLError):
            if each.library not in _OF_FILES:  # of the handshake
                return None
            return _BUNDLE.format(bundle=bundle, cause="no certificate can be read from it")
        if isinstance(each, PermissionError):
            return _BUNDLE.format(bundle=bundle, cause=_cause([each]))
    return None


def _of_host(causes: list[BaseException], route: Route) -> str | None:
    host, port, cause = route.host, route.port, _cause(causes)
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            untrusted = _NOT_IN_BUNDLE if route.bundle_variable else _UNTRUSTED
            text = _VERIFICATIONS.get(each.verify_code, untrusted)
            return text.format(host=host, cause=cause, bundle=route.bundle_variable)
        if isinstance(each, _CLOSED_IN_TLS):
            return None
        if isinstance(each, ssl.SSLError):
            return _NO_TLS.format(host=host, port=port, cause=cause)
        if isinstance(each, gaierror):
            return _NAME.format(host=host, cause=_unresolved(each))
        if isinstance(each, LocationParseError) and host:  # without one, nothing was asked for
            return _NAME.format(host=host, cause=_UNFIT_NAME)
    return _BLOCKED.format(host=host, port=port, cause=cause) if _connecting(causes) else None


def _unresolved(error: gaierror) -> str:
    if error.errno == EAI_AGAIN:
        return "no DNS server answers"
    return "it is unknown to DNS"


def _connecting(causes: list[BaseException]) -> bool:
    return any(isinstance(each, NewConnectionError | ConnectTimeoutError) for each in causes)


def _cause(causes: list[BaseException]) -> str:
    """The innermost cause in a few words that stay the same."""
    for each in reversed(causes):
        if isinstance(each, gaierror):
            return f"its name cannot be resolved: {_unresolved(each)}"
        if isinstance(each, ssl.SSLCertVerificationError):
            return printable(each.verify_message)
        if isinstance(each, ssl.SSLError) and each.reason:
            return printable(each.reason).replace("_", " ").lower()
        if _is_late(each):
            return IN_TIME
        if isinstance(each, OSError) and each.errno and each.strerror:
            return printable(each.strerror)
    return type(causes[-1]).__name__


def _is_late(error: BaseException) -> bool:
    return isinstance(error, TimeoutError | ReadTimeoutError)
