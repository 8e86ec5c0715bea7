"""What others wrote cannot forge a line, command a terminal, or carry a secret into a log."""

import base64
import json
import unicodedata
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.checks.findings import failure
from office365_message_trace.checks.token import claims_of, token_finding
from office365_message_trace.cli.console import line
from office365_message_trace.errors import ConfigurationMistakes, Unavailable
from office365_message_trace.microsoft.conditions import odata_text
from office365_message_trace.untrusted_text import (
    LONGEST,
    LONGEST_LINE,
    code,
    identifier,
    printable,
)

NASTY = [
    "a\nfailure forged: all is lost",
    "\x1b[2J\x1b]0;title\x07",
    "half \ud800 pair",
    "right \u202e left",
    "\x00\x85\u2028\u2029\ufeff",
    "\r\n\t",
    "x" * 100_000,
]


@given(st.text(st.characters(exclude_categories=())) | st.sampled_from(NASTY), st.integers(1, 300))
def test_whatever_it_was_it_is_one_printable_line_that_can_be_stored(text: str, most: int) -> None:
    shown = printable(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs") for each in shown)
    assert orjson.loads(orjson.dumps(shown)) == shown


def test_what_is_printable_and_short_stays_as_it_is() -> None:
    assert printable("Größe: 5 % → 日本") == "Größe: 5 % → 日本"
    assert printable(None) == ""
    assert printable(7) == "7"
    assert printable("x" * LONGEST) == "x" * LONGEST
    assert printable("x" * (LONGEST + 1)).endswith("x…")


@pytest.mark.parametrize(
    "known",
    ["invalid_client", "UnknownError", "Authorization_RequestDenied", "a.b.c", "NoSuchKey", "404"],
)
def test_error_codes_pass(known: str) -> None:
    assert code(known) == known


@pytest.mark.parametrize(
    "other",
    [
        *NASTY,
        "",
        "client_secret=a7Q~x",
        "invalid_client client_secret",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln",
        "a" * 65,
        "9" * 10,
        "alan@mail.example",
        "invalid_client\n",
        7,
        None,
        ["invalid_client"],
        {"code": "x"},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_anything_else_is_no_error_code(other: object) -> None:
    assert code(other) == ""


def test_ids_pass_and_nothing_else() -> None:
    guid = "8f7a404f-1ebd-4e4a-b870-4093efc0aeb6"
    assert identifier(guid) == guid
    for other in (*NASTY, "", "alan@mail.example", "a b", "a" * 65, None, 7, f"{guid}\n"):
        assert identifier(other) == ""


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_no_sentence_of_a_failure_or_a_finding_holds_more(nasty: str) -> None:
    for shown in (
        str(Unavailable("no answer", nasty)),
        str(Unavailable(nasty)),
        str(ConfigurationMistakes([nasty])),
        failure("token", "kind", nasty).text,
        line("warning", nasty, nasty).plain,
        line(nasty, "", "text").plain,
    ):
        assert shown.isprintable()
        assert len(shown) <= LONGEST_LINE + 2 * LONGEST


def test_half_a_surrogate_pair_can_be_asked_for() -> None:
    """The ids of large messages and recipients become a part of an address."""
    assert quote(odata_text("it's \ud800")) == quote("'it''s ?'")


def token(claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{part}.signature"


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("claim", ["appid", "tid", "aud", "roles"])
def test_no_claim_of_a_token_forges_a_finding(claim: str, nasty: str) -> None:
    claims = {"appid": "a", "tid": "t", "aud": "https://x", "roles": ["R"], "exp": 1}
    claims[claim] = [*claims["roles"], nasty] if claim == "roles" else nasty  # type: ignore[misc]
    finding = token_finding(claims_of(token(claims)), "R", "the service", "https://x")
    assert finding.text.isprintable()
    assert len(finding.text) < 3 * LONGEST


@pytest.mark.parametrize(
    "claims",
    [{}, [], 7, {"roles": 7}, {"roles": {"R": 1}}, {"roles": [None] * 1000}, {"roles": "R"}],
    ids=str,
)
def test_claims_of_other_types_are_no_permission(claims: object) -> None:
    finding = token_finding(claims_of(token(claims)), "R", "the service", "https://x")
    assert finding.level.value in ("failure", "warning")
    assert len(finding.text) < 1000


def test_a_token_that_is_nested_without_end_cannot_be_looked_into() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 200_000).decode()
    assert claims_of(f"h.{deep}.s") is None
