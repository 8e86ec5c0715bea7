"""The mail flow and what the tenant shows of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sandbox import Burst, Content, MailFlow, MailFlowOptions, Tenant, make_row
from sandbox.clock import from_ms, to_ms
from sandbox.mailflow import LargeMessage

START = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AFTER = START + timedelta(days=3)
OPTIONS = MailFlowOptions(seed=7, messages_per_minute=40)


def tenant(**changes: object) -> Tenant:
    return Tenant(MailFlow(replace(OPTIONS, **changes)))  # type: ignore[arg-type]


def sample() -> list[Content]:
    return tenant().rows(START, START + HOUR, LONG_AFTER)


def test_an_interval_always_holds_the_same_rows_whatever_was_asked_before() -> None:
    whole = tenant().rows(START, START + HOUR, LONG_AFTER)
    part = tenant().rows(START + HOUR / 2, START + HOUR, LONG_AFTER)
    assert part == whole[-len(part) :]
    assert whole != tenant(seed=8).rows(START, START + HOUR, LONG_AFTER)


def test_rows_that_left_the_cache_come_back_the_same() -> None:
    small = Tenant(MailFlow(OPTIONS), cached_rows=100)
    first = small.rows(START, START + HOUR, LONG_AFTER)
    assert small.rows(START, START + HOUR, LONG_AFTER) == first


def test_bounds_are_inclusive_to_the_millisecond() -> None:
    there = Tenant(MailFlow(replace(OPTIONS, messages_per_minute=0)))
    at = START + timedelta(milliseconds=1)
    there.add(make_row(at))
    tick = timedelta(microseconds=1)
    assert len(there.rows(at, at, LONG_AFTER)) == 1
    assert len(there.rows(at - tick, at + tick, LONG_AFTER)) == 1
    assert there.rows(at + tick, LONG_AFTER, LONG_AFTER) == []
    assert there.rows(START, at - tick, LONG_AFTER) == []


def test_the_rate_is_kept_on_average_and_bursts_replace_it() -> None:
    plain = len({row["MessageTraceId"] for row in sample()})
    assert 0.8 * 2400 < plain < 1.2 * 2400
    burst = Burst(START, START + timedelta(minutes=1), 5000)
    rows = tenant(bursts=(burst,)).rows(START, START + timedelta(seconds=59), LONG_AFTER)
    assert len({row["MessageTraceId"] for row in rows}) > 2400


def test_mail_flows_between_since_and_until_only() -> None:
    since, until = START + timedelta(seconds=90), START + timedelta(minutes=5, seconds=30)
    rows = tenant(since=since, until=until).rows(START, START + HOUR, LONG_AFTER)
    received = [row["Received"] for row in rows]
    assert since.timestamp() * 1000 <= min(received)
    assert max(received) < until.timestamp() * 1000


def test_a_message_has_a_row_for_each_recipient_that_differ_in_status_and_size() -> None:
    by_id: dict[str, list[Content]] = {}
    for row in sample():
        by_id.setdefault(row["MessageTraceId"], []).append(row)
    several = [rows for rows in by_id.values() if len(rows) > 1]
    assert several
    assert all(len({r["RecipientAddress"] for r in rows}) == len(rows) for rows in several)
    assert any(len({r["Status"] for r in rows}) > 1 for rows in several)
    assert any(len({r["Size"] for r in rows}) > 1 for rows in several)
    same_time = sum(len({r["Received"] for r in rows}) == 1 for rows in several)
    assert same_time > len(several) / 2


def test_odd_content_occurs() -> None:
    rows = sample()
    assert max(Counter(row["Received"] for row in rows).values()) > 2
    for name in ("Subject", "MessageId", "FromIP", "ToIP", "SenderAddress"):
        assert any(row[name] is None for row in rows), name
    assert any(row["SenderAddress"] == "<>" for row in rows)
    assert any(":" in (row["FromIP"] or "") for row in rows)
    subjects = [row["Subject"] or "" for row in rows]
    for odd in ("\u2028", "🎉", '"', "\\", "\n"):
        assert any(odd in subject for subject in subjects), odd
    assert max(map(len, subjects)) == 256
    assert {row["Status"] for row in rows} >= {"Delivered", "Expanded", "Failed", "Quarantined"}


def test_lone_surrogates_occur_only_when_asked_for() -> None:
    def lone(rows: list[Content]) -> bool:
        return any((row["Subject"] or "").endswith("\ud83c") for row in rows)

    assert not lone(sample())
    assert lone(tenant(lone_surrogates=True).rows(START, START + HOUR, LONG_AFTER))


def test_rows_are_shown_from_their_moment_of_visibility_on_and_never_earlier() -> None:
    there = tenant(late_fraction=0.5)
    at = START + HOUR
    early, late = (there.rows(START, at, moment) for moment in (at, LONG_AFTER))
    versions = list(there.versions(START, at, LONG_AFTER))
    first = {version.row: version for version in reversed(versions)}
    assert len(late) == len(first) > len(early)
    shown = {(row["MessageTraceId"], row["RecipientAddress"]) for row in early}
    assert shown == {row for row, version in first.items() if version.visible_at <= at}
    lateness = [version.visible_at - version.received for version in first.values()]
    assert max(lateness) <= timedelta(hours=24)
    assert sum(each > timedelta(minutes=9) for each in lateness) > len(lateness) / 3


def test_versions_are_what_the_rows_show_at_every_instant() -> None:
    there = tenant(changing_fraction=0.6, slow_fraction=0.1, late_fraction=0.2)
    end = START + timedelta(minutes=5)
    versions = list(there.versions(START, end, LONG_AFTER))
    for minutes in (5, 6, 8, 12, 60, 600, 2000):
        at = START + timedelta(minutes=minutes)
        current = {v.row: v.content for v in versions if v.visible_at <= at}
        rows = {(r["MessageTraceId"], r["RecipientAddress"]): r for r in there.rows(START, end, at)}
        assert rows == current
    assert len(versions) > len({version.row for version in versions})
    last = {version.row: version for version in versions}
    assert all(version.last for version in last.values())
    assert not {"GettingStatus", "Pending"} & {v.content["Status"] for v in last.values()}


def test_a_page_is_a_slice_of_the_rows_in_either_order() -> None:
    there, end, at = tenant(), START + timedelta(minutes=7, seconds=11), START + HOUR / 6
    rows = there.rows(START, end, at)
    assert there.count(START, end, at) == len(rows)
    for offset in (0, 1, 39, 120, len(rows) - 3, len(rows), len(rows) + 5):
        up = there.page(START, end, at, offset=offset, limit=25)
        assert up == rows[offset : offset + 25]
        down = there.page(START, end, at, offset=offset, limit=25, descending=True)
        assert down == rows[::-1][offset : offset + 25]


def test_rows_handed_out_are_copies() -> None:
    there = tenant()
    there.rows(START, START + HOUR, LONG_AFTER)[0]["Subject"] = "changed"
    assert there.rows(START, START + HOUR, LONG_AFTER) == sample()


def test_a_row_may_be_away_for_a_while_and_a_status_may_return() -> None:
    options = MailFlowOptions(
        seed=5, messages_per_minute=20, reverting_fraction=0.5, vanishing_fraction=0.5
    )
    flow = MailFlow(options)
    rows = flow.minute(29_530_000)
    assert any(row.away for row in rows)
    there = Tenant(flow)
    start, end = from_ms(29_530_000 * 60_000), from_ms(29_530_000 * 60_000 + 59_999)
    for hours in (0.1, 0.5, 1, 2, 4, 8, 24):
        at = start + timedelta(hours=hours)
        shown = [row for row in rows if row.is_shown(to_ms(at))]
        assert there.count(start, end, at) == len(shown) == len(there.rows(start, end, at))
        assert there.page(start, end + timedelta(minutes=1), at, offset=len(shown), limit=1) == (
            there.rows(end + timedelta(milliseconds=1), end + timedelta(minutes=1), at)[:1]
        )
    lives = [[status for _, status in row.statuses] for row in rows]
    assert any(len(life) > 2 and life[-1] == life[-3] != life[-2] for life in lives)


def test_versions_of_a_row_that_was_away_tell_when_it_went() -> None:
    row = replace(make_row(START), away=((to_ms(START) + 1000, to_ms(START) + 5000),))
    first, second = row.versions(2**62)
    assert first.content == second.content
    assert (first.gone_at, second.gone_at) == (START + timedelta(seconds=1), None)
    assert second.visible_at == START + timedelta(seconds=5)


def test_a_large_message_has_all_its_rows_in_one_millisecond() -> None:
    large = LargeMessage(START + timedelta(seconds=3), 700)
    flow = MailFlow(MailFlowOptions(messages_per_minute=0, large_messages=(large,)))
    rows = flow.minute(to_ms(START) // 60_000)
    assert {row.received for row in rows} == {large.received}
    assert len({row.content["RecipientAddress"] for row in rows}) == 700
    assert len({row.content["MessageTraceId"] for row in rows}) == 1
