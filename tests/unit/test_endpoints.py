"""An address leads where the parser says that sends the request, and to no other host."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from office365_message_trace.transport.addresses import is_same_origin, origin_of

GRAPH = "https://graph.microsoft.com/v1.0/admin"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://graph.microsoft.com/v1.0?a=b@c", ("https", "graph.microsoft.com", 443)),
        ("HTTPS://Graph.Microsoft.com:0443#x", ("https", "graph.microsoft.com", 443)),
        ("http://[::1]:8080", ("http", "::1", 8080)),
        ("https://proxy_1.example:8443/", ("https", "proxy_1.example", 8443)),
        ("https://b\u00fccher.example", ("https", "xn--bcher-kva.example", 443)),
    ],
)
def test_an_origin_is_where_requests_sends_to(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin


@given(st.text(alphabet="ab.:/@\\?#[]%\t\u3002 ", max_size=30))
def test_no_address_with_an_origin_is_sent_to_another(rest: str) -> None:
    url = f"https://{rest}"
    try:
        _, host, port = origin_of(url)
    except ValueError:
        return
    prepared = requests.Request("GET", url).prepare()
    sent = parse_url(str(prepared.url))
    assert (str(sent.host).strip("[]"), sent.port or 443) == (host, port)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://graph.microsoft.com/other", True),
        ("https://GRAPH.microsoft.com:443", True),
        ("https://graph.microsoft.com:444", False),
        ("http://graph.microsoft.com", False),
        ("https://graph.microsoft.com.", False),
        ("https://evil.example\\@graph.microsoft.com/x", False),
        ("https://evil.example#@graph.microsoft.com", False),
        ("https://graph.microsoft.com\\.evil.example", False),
        ("//graph.microsoft.com", False),
        ("graph.microsoft.com", False),
    ],
)
def test_the_same_origin_is_the_same_scheme_host_and_port(url: str, same: bool) -> None:
    assert is_same_origin(url, GRAPH) is same
