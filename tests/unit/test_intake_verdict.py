"""The intake's answers, as one table of statuses and bodies."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.errors import Misconfigured, Refused, Unavailable
from office365_message_trace.sekoia.intake_verdict import Verdict, verdict


def of_ids(*ids: Any, events: int, status: int = 200) -> Verdict:
    return verdict(status, json.dumps({"event_ids": ids}).encode(), events, "Some format")


@pytest.mark.parametrize(
    ("status", "error"),
    [(status, Misconfigured) for status in (401, 403)]
    + [(status, Refused) for status in (402, 409, 411, 415, 418, 431, 451)],
)
def test_a_refused_key_or_request_is_for_a_person(status: int, error: type[Refused]) -> None:
    with pytest.raises(error) as caught:
        verdict(status, b'{"event_ids":["a"]}', 1, "Some format")
    assert type(caught.value) is error
    assert caught.value.detail == f"status {status}"


@pytest.mark.parametrize("body", [b'{"error":"unknown intake key"}', b'{"detail":"Invalid Key"}'])
def test_a_404_about_the_key_is_a_refused_key(body: bytes) -> None:
    with pytest.raises(Misconfigured, match="refuses the intake key"):
        verdict(404, body, 1, "Some format")


PAGE = b"\r\n<!DOCTYPE html><html>monkey</html>"
NONE_OF_AN_INTAKE = [
    (200, PAGE),
    (200, b"{}"),
    (204, b""),
    (401, PAGE),
    (403, PAGE),
    (404, PAGE),
    (404, b""),
    (404, b'{"detail":"Not Found"}'),
    (404, b'["key"]'),
    (405, b'{"detail":"Method Not Allowed"}'),
    (410, b""),
]


@pytest.mark.parametrize(("status", "body"), NONE_OF_AN_INTAKE)
@pytest.mark.parametrize("events", [0, 2])
def test_what_no_intake_says_is_doubted_first_and_then_another_address(
    status: int, body: bytes, events: int
) -> None:
    with pytest.raises(Unavailable, match="without event ids") as caught:
        verdict(status, body, events, "Some format")
    lasting = caught.value.lasting
    assert type(lasting) is Refused, "an outage may look the same, so it stops no trigger"
    assert "at intake_server, but something else" in lasting.sentence
    assert lasting.detail == f"status {status}"


def test_an_intake_that_takes_no_event_has_none_to_give_an_id() -> None:
    assert of_ids(events=0) == Verdict(0, (), "status 200")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_batch_says_which_event_only_if_there_is_but_one(status: int) -> None:
    assert verdict(status, b"", 3, "Some format") == Verdict(3, None, f"status {status}")
    assert verdict(status, b"", 1, "Some format") == Verdict(1, (0,), f"status {status}")


@pytest.mark.parametrize("status", [200, 201, 202, 207, 299])
def test_as_many_ids_as_events_accept_them_all(status: int) -> None:
    assert of_ids("a", "b", events=2, status=status) == Verdict(0, (), f"status {status}")


@pytest.mark.parametrize(
    "no_id",
    [None, "", " \n", 0, 17, 1.5, True, False, [], ["a"], {}, {"status": 400}, {"event_id": "a"}],
    ids=repr,
)
def test_only_a_text_is_an_id(no_id: Any) -> None:
    assert of_ids("a", no_id, "c", no_id, events=4) == Verdict(2, (1, 3), "status 200")
    assert of_ids(no_id, events=1) == Verdict(1, (0,), "status 200")
    assert of_ids("a", no_id, events=4) == Verdict(3, None, "status 200")


def test_fewer_ids_do_not_say_which_events_they_belong_to() -> None:
    assert of_ids("a", "b", events=5) == Verdict(3, None, "status 200")


@pytest.mark.parametrize("ids", [["a", "b", "c"], ["a", "a", "a"]])
def test_more_ids_than_events_accept_them_all(ids: list[Any]) -> None:
    assert of_ids(*ids, events=2) == Verdict(0, (), "status 200")


def test_more_ids_than_events_and_one_that_is_none_are_no_verdict() -> None:
    with pytest.raises(Unavailable, match="more event ids than events"):
        of_ids(None, "a", "b", events=2)


@pytest.mark.parametrize("ids", [[], [None], ["", None]])
def test_without_any_id_every_event_is_refused_and_known(ids: list[Any]) -> None:
    assert of_ids(*ids, events=3) == Verdict(3, (0, 1, 2), "status 200")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'["a"]',
        b'[{"event_id":"a"}]',
        b"{}",
        b'{"event_ids":null}',
        b'{"event_ids":"a"}',
        b'{"event_ids":1}',
        b'{"event_ids":{"0":"a"}}',
        b'{"event_ids":["a"',
        b'{"event_id":"a"}',
        b'{"event_ids":["",null]}',
        b'{"event_ids":[null,null]}',
        b"[" * 100_000,
        b"\xff",
        b"<html>",
    ],
)
def test_a_body_without_a_list_of_ids_or_with_too_many_that_are_none_is_no_verdict(
    body: bytes,
) -> None:
    with pytest.raises(Unavailable):
        verdict(200, body, 1, "Some format")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.lists(JSON_VALUES, max_size=6), st.integers(1, 6))
def test_never_more_events_are_accepted_than_there_are_ids(ids: list[Any], events: int) -> None:
    judged: Verdict | None = None
    with suppress(Unavailable):
        judged = of_ids(*ids, events=events)
    real = [each for each in ids if isinstance(each, str) and each.strip()]
    if judged is None:
        assert len(ids) > max(events, len(real))
        return
    assert events - judged.missing == min(len(real), events)
    if judged.positions is None:
        assert 0 < judged.missing < events
        assert len(ids) < events
    else:
        assert len(judged.positions) == judged.missing
        assert all(n >= len(ids) or ids[n] not in real for n in judged.positions)
