"""Nothing that somebody else writes into the storage hinders a start or a command."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.collect.checkpoint_store import predecessor_edge
from office365_message_trace.collect.coverage import Coverage
from office365_message_trace.collect.ownership import read_mark
from office365_message_trace.collect.tenant_folders import Identity, current_folder, find_place
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.monitoring.activity_log import read_activity
from sandbox.blobs import Blobs
from tests.support import NOON, Logbook, TurnedClock

WORDS = st.sampled_from(
    [
        *("limit", "attempts", "id", "since", "key", "current", "tenants", "names", "intake"),
        *("trials", "fresh_mail", "window", "kind", "due", "backlog"),
        *("message_trace", "domain", "most_recent_date_requested", "0" * 32, "../elsewhere"),
        *(NOON.isoformat(), "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)
IDENTITIES = st.fixed_dictionaries(
    {
        "key": st.just("0" * 32) | JSON,
        "current": st.just("message_trace") | JSON,
        "tenants": st.dictionaries(
            st.sampled_from(["message_trace", "message_trace-0123456789abcdef", "../elsewhere"]),
            st.fixed_dictionaries({"names": st.dictionaries(WORDS, JSON) | JSON, "intake": JSON}),
        ),
    }
)
BUDGETS = st.fixed_dictionaries(
    {
        "limit": st.integers() | JSON,
        "attempts": st.lists(st.tuples(st.integers() | st.floats(), st.booleans())) | JSON,
    }
)


@given((JSON | IDENTITIES | BUDGETS).map(lambda value: json.dumps(value).encode()))
def test_whatever_lies_in_a_file_of_the_state_is_used_or_ignored(data: bytes) -> None:
    names = ("quota", "owner", "identity", "activity", "context", "trials")
    folders = ("", "message_trace/")
    storage = Blobs({f"{folder}{name}.json": data for folder in folders for name in names})
    clock = TurnedClock()
    place = find_place(storage, "message_trace", Identity("contoso.example", "key"))
    for folder in (place.folder, current_folder(storage, "message_trace")):
        assert folder.startswith("message_trace")
        assert "/" not in folder
    place.save(storage)
    budget = RequestBudget(storage, clock, timedelta(minutes=1))
    assert 0 <= budget.left <= 90
    budget.try_acquire("live") if budget.left else None
    edge = predecessor_edge(storage, Logbook())
    assert edge is None or edge.year >= 1970
    mark = read_mark(storage, "message_trace")
    assert mark is None or mark.since.tzinfo is not None
    assert read_activity(storage) is not None
    unread = Coverage.starting(NOON - timedelta(hours=9)).with_left_behind(NOON)
    assert TrialStore(storage).load(unread, NOON, 0.0).trials == []


@pytest.mark.parametrize("data", [b"[" * 100_000, b"9" * 100_000, b"\xff", b""], ids=range(4))
def test_neither_depth_nor_digits_nor_bytes_hinder(data: bytes) -> None:
    test_whatever_lies_in_a_file_of_the_state_is_used_or_ignored.hypothesis.inner_test(data)  # type: ignore[attr-defined]
