"""Rows of a page's last millisecond are compared with the next page: others of it may share their key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from office365_message_trace.collect.coverage import Cause, Gap, Kind, Read
from office365_message_trace.collect.failed_windows import Trial
from office365_message_trace.collect.large_messages import Message, MessageCounter
from office365_message_trace.collect.reading import Reading
from office365_message_trace.model import MILLISECOND, Page, Row, Window, milliseconds
from tests.support import NOON, row

SOON = milliseconds(NOON)
HOUR = Window(NOON, NOON + timedelta(hours=1))


def reading(window: Window = HOUR, gap: Gap | None = None) -> Reading:
    read = Read(Kind.REREAD, window, HOUR.end)
    return Reading(Trial(read), iter(()), 0.0, MessageCounter(500), gap)


def rows(*milliseconds_later: int) -> list[Row]:
    return [row(SOON + later, Subject=str(n)) for n, later in enumerate(milliseconds_later)]


def compared(reading: Reading, *pages: Page) -> list[list[int]]:
    """The receive times of what is compared after each page, in milliseconds after noon."""
    return [[each.received - SOON for each in reading.to_compare(page)] for page in pages]


def test_the_last_millisecond_of_a_page_comes_with_the_next_and_of_the_last_page_at_once() -> None:
    pages = Page(rows(9, 8, 7, 7), more=True), Page(rows(7, 6, 6, 5), more=True), Page(rows(4, 3))
    assert compared(reading(), *pages) == [[9, 8], [7, 7, 7, 6, 6], [5, 4, 3]]


def test_oldest_first_the_same_holds() -> None:
    pages = Page(rows(1, 2, 2), more=True), Page(rows(2, 3))
    assert compared(reading(), *pages) == [[1], [2, 2, 2, 3]]


def test_an_empty_page_between_two_loses_nothing() -> None:
    pages = Page(rows(9, 8), more=True), Page([], more=True), Page(rows(7))
    assert compared(reading(), *pages) == [[9], [8], [7]]


def test_of_a_page_that_holds_one_millisecond_nothing_waits_so_that_memory_stays_small() -> None:
    pages = Page(rows(9, 8, 8), more=True), Page(rows(8, 8, 8), more=True), Page(rows(8))
    assert compared(reading(), *pages) == [[9], [8] * 5, [8]]


@pytest.mark.parametrize("which", ["a millisecond", "a gap", "a message"])
def test_where_nothing_smaller_is_read_after_a_failure_nothing_waits(which: str) -> None:
    moment = Window(NOON, NOON + MILLISECOND)
    of = {
        "a millisecond": reading(moment),
        "a gap": reading(gap=Gap(HOUR, Cause.TOO_OLD)),
        "a message": reading(),
    }[which]
    if which == "a message":
        of.message = Message("one", HOUR)
    assert compared(of, Page(rows(1, 0), more=True), Page(rows(0))) == [[1, 0], [0]]
