"""Queries that Microsoft Graph cannot misunderstand."""

from __future__ import annotations

from typing import Any

import pytest

from office365_message_trace.microsoft.conditions import Comparison, Condition, combinations


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Condition("senderAddress", "o'brien@x.example"), "senderAddress eq 'o''brien@x.example'"),
        (Condition("subject", "It's", "contains"), "contains(subject,'It''s')"),
        (Condition("subject", "'", "startsWith"), "startsWith(subject,'''')"),
        (Condition("subject", "x", "endsWith"), "endsWith(subject,'x')"),
        (Condition("messageId", "<a+b@x>"), "messageId eq '<a+b@x>'"),
        (Condition("subject", "\ud800"), "subject eq '?'"),
    ],
    ids=["address", "contains", "a quote alone", "endsWith", "Message-ID", "half a pair"],
)
def test_a_condition_is_written_with_its_quotes_doubled(condition: Condition, text: str) -> None:
    assert str(condition) == text


ROW: dict[str, Any] = {
    "senderAddress": "Ada@Contoso.example",
    "subject": "Straße: Your Invoice ",
    "fromIP": "2001:DB8:0::1",
    "toIP": "",
    "status": "Delivered",
    "messageId": None,
}


@pytest.mark.parametrize(
    ("name", "value", "comparison", "holds"),
    [
        ("senderAddress", "ada@contoso.example", "eq", True),
        ("senderAddress", "*@CONTOSO.example", "eq", True),
        ("senderAddress", "*@toso.example", "eq", False),
        ("senderAddress", "*@example", "eq", False),
        ("senderAddress", "da@contoso.example", "eq", False),
        ("subject", "your invoice", "contains", True),
        ("subject", "STRASSE", "startsWith", True),
        ("subject", "your", "startsWith", False),
        ("subject", "invoice ", "endsWith", True),
        ("subject", "strasse: your invoice", "eq", True),
        ("subject", "your invoice", "eq", False),
        ("fromIP", "2001:db8::1", "eq", True),
        ("fromIP", "2001:db8::2", "eq", False),
        ("toIP", "192.0.2.1", "eq", False),
        ("status", "delivered", "eq", True),
        ("messageId", "<a@b>", "eq", False),
        ("absent", "x", "eq", False),
    ],
)
def test_a_row_meets_a_condition_as_graph_compares(
    name: str, value: str, comparison: Comparison, holds: bool
) -> None:
    assert Condition(name, value, comparison).holds(ROW) is holds


def test_several_values_are_several_queries_with_one_condition_a_property() -> None:
    """Of several conditions on one property Graph heeds the last, and it ignores ``or``."""
    senders = [Condition("senderAddress", "a@x"), Condition("senderAddress", "b@x")]
    statuses = [Condition("status", "failed"), Condition("status", "pending")]
    queries = list(combinations([senders, [], statuses]))
    assert len(queries) == 4
    assert {(a.value, b.value) for a, b in queries} == {
        ("a@x", "failed"),
        ("a@x", "pending"),
        ("b@x", "failed"),
        ("b@x", "pending"),
    }
    for query in queries:
        assert len({each.name for each in query}) == len(query)


def test_a_value_that_is_entered_twice_is_one_query() -> None:
    assert len(list(combinations([[Condition("status", "failed")] * 2]))) == 1


def test_no_condition_is_one_query_for_all_mail() -> None:
    assert list(combinations([[], []])) == [()]
