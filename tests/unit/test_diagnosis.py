"""A failed exchange is told by its cause and by who has to act, whatever requests makes of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import certifi
import pytest
import requests

from office365_message_trace.errors import Unavailable, Unreachable
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.transport import diagnosis, session
from office365_message_trace.transport.addresses import route_to
from office365_message_trace.transport.client import Request, RequestsHttp
from office365_message_trace.transport.diagnosis import CUT_OFF, Route
from office365_message_trace.transport.session import TimeoutSession
from tests.ways import (
    CERTIFICATES,
    answers,
    authority,
    listening,
    over_tls,
    resets,
    silent,
    tunnels,
)

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SERVICE = "https://service.example/"


class Way:
    """An environment to fill, with a file of the authority that the servers here have."""

    def __init__(self, patch: pytest.MonkeyPatch, opened: ExitStack, folder: Path) -> None:
        self.set, self._opened, self.folder = patch.setenv, opened, folder
        self.bundle = folder / "authority.pem"
        authority().cert_pem.write_to_path(str(self.bundle))

    def listen(self, conduct: Callable[[socket.socket], None]) -> int:
        return self._opened.enter_context(listening(conduct))

    def server(self, kind: str = "good") -> str:
        port = self.listen(over_tls(CERTIFICATES[kind]()))
        return f"https://127.0.0.1:{port}/"

    def trust(self, path: Path | None = None) -> None:
        self.set("REQUESTS_CA_BUNDLE", str(path or self.bundle))

    def proxy(self, value: str, variable: str = "HTTPS_PROXY") -> str:
        self.set(variable, value)
        return SERVICE

    def proxied(self, conduct: Callable[[socket.socket], None], scheme: str = "http") -> str:
        return self.proxy(f"{scheme}://user:canary@127.0.0.1:{self.listen(conduct)}")


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Way]:
    for name in (*PROXIES, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ExitStack() as opened:
        yield Way(monkeypatch, opened, tmp_path)


class Case(NamedTuple):
    """How a cause comes about, which gives the address to ask; what is said of it, and who acts."""

    begin: Callable[[Way], str]
    cause: str
    advice: str


def served(kind: str) -> Callable[[Way], str]:
    def begin(way: Way) -> str:
        way.trust()
        return way.server(kind)

    return begin


def bundled(content: bytes | None) -> Callable[[Way], str]:
    def begin(way: Way) -> str:
        file = way.folder / "bundle.pem"
        if content is not None:
            file.write_bytes(content)
        way.trust(file)
        return way.server()

    return begin


def folder(way: Way) -> str:
    way.trust(way.folder)
    return way.server()


def authority_of_another(way: Way) -> str:
    way.trust(Path(certifi.where()))
    return way.server()


def plain(way: Way) -> str:
    return f"https://127.0.0.1:{way.listen(answers())}/"


def says(words: bytes) -> Callable[[socket.socket], None]:
    def conduct(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(words)

    return conduct


def secure_proxy(way: Way) -> str:
    return way.proxied(over_tls(CERTIFICATES["good"]()), "https")


NAME = "have the administrator of this machine check its DNS servers"
NETWORK = "If it lasts, have the administrator of the network allow outgoing connections to it"
BUNDLE = "The certificate authorities that REQUESTS_CA_BUNDLE names cannot be used "
TO_A_FILE = "Correct it to the path of a readable file (PEM)"
ENCODED = "must be percent-encoded, such as %23 for #"
NO_PEM = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
CASES = {
    "name": Case(
        lambda way: "https://nowhere.invalid/",
        "The name nowhere.invalid cannot be resolved (it is unknown to DNS).",
        NAME,
    ),
    "missing part of a name": Case(
        lambda way: "https://service..example/",
        "The name service..example cannot be resolved (a part between its dots is missing or longer",
        "If it is spelled right",
    ),
    "long part of a name": Case(
        lambda way: f"https://{'a' * 64}.example/",
        f"{'a' * 64}.example cannot be resolved (a part between its dots is missing or longer",
        "If it is spelled right",
    ),
    "port": Case(
        lambda way: "https://127.0.0.1:9/",
        "127.0.0.1 cannot be reached on port 9 (Connection refused).",
        NETWORK,
    ),
    "authority": Case(
        Way.server,
        "The certificate of 127.0.0.1 is not trusted (unable to get local issuer certificate).",
        "set REQUESTS_CA_BUNDLE to a file (PEM)",
    ),
    "authority of another": Case(
        authority_of_another, "is not in the file of REQUESTS_CA_BUNDLE.", "Add it to that file"
    ),
    "expired": Case(
        served("expired"),
        "The certificate of 127.0.0.1 has expired, or the clock of this machine is ahead.",
        "check its time service (NTP); if the clock is right",
    ),
    "clock": Case(
        served("not yet valid"),
        "The certificate of 127.0.0.1 is not valid yet, so the clock of this machine is most likely behind.",
        "have a time service (NTP) set it",
    ),
    "other name": Case(
        served("of another name"),
        "The certificate of 127.0.0.1 is for another name:",
        "have the administrator of the network look at DNS, proxy and firewall",
    ),
    "no TLS": Case(
        plain,
        "127.0.0.1 does not speak TLS as it should on port",
        "the administrator of the network",
    ),
    "no bundle": Case(bundled(None), BUNDLE + "(there is no such file)", TO_A_FILE),
    "empty bundle": Case(bundled(b""), BUNDLE + "(no certificate can be read from it)", TO_A_FILE),
    "torn bundle": Case(
        bundled(NO_PEM), BUNDLE + "(no certificate can be read from it)", TO_A_FILE
    ),
    "folder": Case(
        folder, BUNDLE + "(it is a folder, without the authority of 127.0.0.1)", TO_A_FILE
    ),
    "closed proxy": Case(
        lambda way: way.proxy("http://user:canary@127.0.0.1:9"),
        "The proxy http://127.0.0.1:9 cannot be used (Connection refused).",
        "Correct HTTPS_PROXY",
    ),
    "proxy without scheme": Case(
        lambda way: way.proxy("127.0.0.1:9"),
        "The proxy http://127.0.0.1:9 cannot be used (Connection refused).",
        "or add service.example to NO_PROXY",
    ),
    "proxy's name": Case(
        lambda way: way.proxy("http://nowhere.invalid:3128"),
        "The proxy http://nowhere.invalid:3128 cannot be used (its name cannot be resolved: it is unknown to DNS).",
        "Correct HTTPS_PROXY",
    ),
    "proxy for all": Case(
        lambda way: way.proxy("http://127.0.0.1:9", "ALL_PROXY"),
        "The proxy http://127.0.0.1:9 cannot be used",
        "Correct ALL_PROXY",
    ),
    "password": Case(
        lambda way: way.proxied(answers("407 canary")),
        "does not accept the user name and password in HTTPS_PROXY, or there are none (status 407).",
        "Enter them as http://user:password@proxy:3128",
    ),
    "password, by tinyproxy": Case(
        lambda way: way.proxied(answers("401 canary")),
        "does not accept the user name and password in HTTPS_PROXY, or there are none (status 401).",
        "Enter them as http://user:password@proxy:3128",
    ),
    "refusal": Case(
        lambda way: way.proxied(answers("403 canary")),
        "refuses connections to service.example (status 403).",
        "Have the administrator of the proxy allow service.example on port 443.",
    ),
    "proxy's fault": Case(
        lambda way: way.proxied(answers("502 canary")),
        "does not get through to service.example (status 502).",
        "If it lasts, have the administrator of the proxy look after it.",
    ),
    "proxy that is not trusted": Case(
        secure_proxy, "its certificate is not trusted", "Correct HTTPS_PROXY"
    ),
    "proxy without TLS": Case(
        lambda way: way.proxied(answers(), "https"),
        "its address may have to begin with http://",
        "Correct HTTPS_PROXY",
    ),
    **{
        f"no proxy: {words[:20]!r}": Case(
            lambda way, words=words: way.proxied(says(words)),  # type: ignore[misc]
            "cannot be used (what answers there is no proxy).",
            "Correct HTTPS_PROXY",
        )
        for words in (
            b"SSH-2.0-canary\r\n",
            b"220 canary ESMTP\r\n",
            b"\x15\x03\x01\x00\x02\x02\x16",
            b"HTTP/1.1 canary\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        )
    },
    **{
        value: Case(
            lambda way, value=value: way.proxy(value),  # type: ignore[misc]
            "HTTPS_PROXY holds a character in the user name or the password that cannot be sent",
            "Use other ones.",
        )
        for value in (
            "http://user:canary\u20ac@host:3128",
            "http://user:canary%E2%82%AC@host:3128",
            "http://\u0438\u043c\u044f:canary@host:3128",
        )
    },
    "SOCKS": Case(
        lambda way: way.proxy("socks5://127.0.0.1:9"),
        "HTTPS_PROXY names a SOCKS proxy, which cannot be used.",
        "Enter an HTTP proxy",
    ),
    **{
        value: Case(
            lambda way, value=value: way.proxy(value),  # type: ignore[misc]
            "HTTPS_PROXY is not an address such as http://user:password@proxy:3128;",
            ENCODED,
        )
        for value in (
            "http://user:canary#ss@host:3128",
            "http://user:canary/ss@host:3128",
            "http://user:canary?ss@host:3128",
            "http://user:canary[ss@host:3128",
            "http://user:canary]ss@host:3128",
            "http://user:12#canary@host:3128",
            "http://host:99999",
            "host:3128",
            "http://",
            "ftp://host:3128",
            '"http://host:3128"',
            "'http://user:canary@host:3128'",
            "http://host%20canary:3128",
            "http://user:canary@proxy..example:3128",
            f"http://user:canary@{'a' * 64}.example:3128",
        )
    },
}


def told(url: str) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        RequestsHttp(TimeoutSession()).begin(Request("GET", f"{url}?canary"))()
    return caught.value


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_cause_is_named_with_who_has_to_act_and_without_a_password(
    way: Way, case: Case
) -> None:
    url = case.begin(way)
    said = told(url)
    assert isinstance(said, Unreachable)
    assert case.cause in said.sentence
    assert case.advice in said.sentence
    assert said.sentence.endswith(".")
    assert said.about("The service") == said.sentence
    assert said.detail
    assert "canary" not in str(said)
    assert told(url).sentence == said.sentence, "it is stable"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_token_request_meets_the_same_cause(way: Way, case: Case) -> None:
    url = case.begin(way)
    auth = EntraAuth(url.rstrip("/"), "tenant", "client", "canary", "scope/.default")
    with pytest.raises(Unreachable) as caught:
        auth(requests.Request("GET", SERVICE).prepare())
    assert caught.value.sentence == told(url).sentence
    assert "canary" not in str(caught.value)


PASSING = {
    "a reset": (resets, CUT_OFF),
    "an end": (lambda connection: None, CUT_OFF),
    "an end of the handshake": (lambda connection: connection.recv(65536), CUT_OFF),
    "silence": (silent, "no answer in time"),
}


@pytest.mark.parametrize("trusting", [False, True], ids=["usual authorities", "a bundle"])
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxy"])
@pytest.mark.parametrize(("conduct", "words"), PASSING.values(), ids=PASSING)
def test_what_passes_by_itself_calls_nobody(
    way: Way,
    conduct: Callable[[socket.socket], None],
    words: str,
    proxied: bool,
    trusting: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trusting:
        way.trust()
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr(session, "READ_TIMEOUT", 0.3)
    url = way.proxied(conduct) if proxied else f"https://127.0.0.1:{way.listen(conduct)}/"
    said = told(url)
    if proxied and conduct is silent:  # it has the connection, and so is at fault, or cannot go on
        assert isinstance(said, Unreachable)
        assert "gives no answer, or does not get through to service.example" in said.sentence
        return
    assert not isinstance(said, Unreachable)
    assert said.about("The service") == f"The service does not answer as it should ({words})."


def test_a_name_that_only_the_proxy_knows_is_no_fault(way: Way) -> None:
    way.trust()
    port = way.listen(over_tls(authority().issue_cert("known.invalid")))
    way.proxied(tunnels)
    answer = RequestsHttp(TimeoutSession()).begin(
        Request("GET", f"https://known.invalid:{port}/")
    )()
    assert answer.status == 200


def test_a_name_without_a_dns_server_is_told_as_such() -> None:
    error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    said = diagnosis.sentence(error, Route("graph.example", 443))
    assert said is not None
    assert said.startswith("The name graph.example cannot be resolved (no DNS server answers).")


def test_a_bundle_that_may_not_be_read_is_told(way: Way) -> None:
    error = PermissionError(13, "Permission denied")
    said = diagnosis.sentence(error, Route("graph.example", 443, bundle_variable="CURL_CA_BUNDLE"))
    assert said is not None
    assert "that CURL_CA_BUNDLE names cannot be used (Permission denied)" in said


def test_a_route_is_the_one_that_requests_takes(way: Way) -> None:
    assert route_to(SERVICE) == Route("service.example", 443)
    way.set("CURL_CA_BUNDLE", str(way.folder))
    way.proxy("http://user:canary@proxy.example:3128")
    expected = Route(
        "service.example",
        443,
        proxy="http://proxy.example:3128",
        bundle_variable="CURL_CA_BUNDLE",
        bundle_is_folder=True,
    )
    assert route_to(SERVICE) == expected
    way.set("NO_PROXY", "service.example")
    assert route_to(SERVICE).proxy == ""


def test_errors_that_cause_each_other_in_a_circle_are_each_told_once() -> None:
    first, second = ValueError(), OSError()
    first.__cause__, second.__cause__ = second, first
    assert diagnosis.kinds(first) == "ValueError, OSError"
