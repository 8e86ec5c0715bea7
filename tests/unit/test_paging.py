"""Every walk gives all rows of what it calls covered, or raises; and it ends, whatever is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office365_message_trace.errors import AnswerTruncated, Unavailable, WindowTooLarge
from office365_message_trace.microsoft.paging.by_links import ByLinks
from office365_message_trace.microsoft.paging.by_time import ByTime
from office365_message_trace.microsoft.paging.instant import MOST_READINGS, Instant
from office365_message_trace.microsoft.paging.links import (
    ENOUGH_NOWHERE,
    FEW_EMPTY,
    LONG,
    MOST_EMPTY,
)
from office365_message_trace.microsoft.paging.one_message import OneMessage
from office365_message_trace.microsoft.paging.one_page import OnePage
from office365_message_trace.microsoft.paging.walk import (
    LEAST_PAGE,
    MOST_PAGES,
    Ask,
    Order,
    PageSize,
    RowOrder,
    Walk,
)
from office365_message_trace.microsoft.rows import GRAPH_ROWS
from office365_message_trace.model import MILLISECOND, Row, Window, instant, milliseconds
from tests.support import NOON, row

START = milliseconds(NOON)
TICKS = 10_000
"""A millisecond in the 100 ns that the service counts receive times by."""


@dataclass(frozen=True, order=True)
class Trace:
    """A row as the service knows it: ``ticks`` since `NOON`, of which milliseconds are shown."""

    ticks: int
    recipient: str
    number: int

    @property
    def row(self) -> Row:
        received = START + self.ticks // TICKS
        fields = {"id": str(self.number), "recipientAddress": self.recipient}
        return GRAPH_ROWS.row(received, fields)


@dataclass(frozen=True)
class Model:
    """A service that gives pages of ``page_size`` rows or fewer, one way or another.

    ``cursor``: a link begins after the last row's time and recipient, which skips rows that share
    both (``tie``), after the very row (``row``), or after so many rows (``position``). ``order``:
    ``newest``, ``oldest``, ``parts`` (one server after another, each newest first), or ``moving``
    (ties in another order at each request). ``inclusive``: whether `le` has the bound inside.
    ``empty``: empty pages with a link before each page. ``after``: where the last page's link leads:
    nowhere (None), to an empty page that links to itself (``self``), to new empty pages without end
    (``endless``), to ten of them (``chain``), to the page before (``circle``), to the first one (``first``), to a refusal
    (``refused``). ``cut``: only the first page is given, without a
    link. ``uneven``: by up to how many rows pages are smaller than others. ``unsound``: where the links of all
    pages lead: to the page itself (``self``), or to a refusal (``refused``).
    """

    traces: tuple[Trace, ...]
    page_size: int
    cursor: str = "row"
    order: str = "newest"
    inclusive: bool = True
    empty: int = 0
    after: str | None = None
    cut: bool = False
    heeds_top: bool = True
    heeds_beyond: bool = True
    beginning: int = 0
    uneven: int = 0
    unsound: str | None = None

    def shown(self, ask: Ask, turn: int) -> list[Trace]:
        """All rows of ``ask``, in the order in which pages give them."""
        first, last = (ticks(bound) for bound in (ask.window.start, ask.window.end))
        wanted = [
            trace
            for trace in self.traces
            if first <= trace.ticks < last + self.inclusive
            and ask.recipient in (None, trace.recipient)
        ]
        match self.order:
            case "oldest":
                return sorted(wanted)
            case "parts":
                return sorted(wanted, key=lambda t: (t.number % 2, -t.ticks, t.recipient, t.number))
            case "moving":
                Random(self.beginning + turn).shuffle(wanted)
                return sorted(wanted, key=lambda t: -t.ticks)
        return sorted(wanted, key=lambda t: (-t.ticks, t.recipient, t.number))

    def answer(self, ask: Ask, turn: int) -> tuple[list[Row], str | None]:
        """The page that ``ask`` leads to, and its link."""
        token = (ask.link or "0:0").split(":")
        at, empties = int(token[0]), int(token[1])
        if ask.beyond is not None and ask.link is None and self.heeds_beyond:
            at += ask.beyond
        if empties < 0:
            following = f"{at}:{empties - 1}"
            chain = following if empties > -10 else None
            ends = {"self": ask.link, "endless": following, "chain": chain}
            return [], ends.get(self.after or "")
        if empties < self.empty:
            return [], f"{at}:{empties + 1}"
        size = min(ask.top or self.page_size, self.page_size) if self.heeds_top else self.page_size
        rows = self.shown(ask, turn)
        size -= rows[at].number * 7 % (self.uneven + 1) if at < len(rows) else 0
        page = rows[at : at + size]
        beyond = at + len(page)
        if self.cursor == "tie" and page:
            tie = page[-1].ticks, page[-1].recipient
            while beyond < len(rows) and (rows[beyond].ticks, rows[beyond].recipient) == tie:
                beyond += 1
        link: str | None = f"{beyond}:0"
        if beyond >= len(rows):
            link = {
                "self": f"{at}:-1",
                "endless": f"{at}:-1",
                "chain": f"{at}:-1",
                "circle": f"{max(at - size, 0)}:0",
                "first": "0:0",
                "refused": "refused" if page else None,
            }.get(self.after or "")
        if self.unsound and page:
            link = f"{at}:0" if self.unsound == "self" else "refused"
        return [trace.row for trace in page], None if self.cut else link

    def inside(self, window: Window) -> set[bytes]:
        """The keys of what is there."""
        first, last = ticks(window.start), ticks(window.end)
        return {
            trace.row.key for trace in self.traces if first <= trace.ticks < last + self.inclusive
        }


def ticks(bound: object) -> int:
    return (bound - NOON) // MILLISECOND * TICKS  # type: ignore[operator, no-any-return]


@dataclass
class Walked:
    """How a walk went."""

    rows: list[Row]
    requests: int
    covered: Window | None
    problem: WindowTooLarge | None
    oddity: str | None

    @property
    def complete(self) -> bool:
        return self.problem is None


def walked(walk: Walk, model: Model, limit: int = 100_000, *, in_order: bool = True) -> Walked:
    """Answer a walk to its end; at each page all rows of what is covered must have been given, as far as
    rows have been ``in_order`` till then.

    Links keep the filter and the page size of the request that they come from.
    """
    ask: Ask | None = walk.first
    first = walk.first
    rows: list[Row] = []
    seen: set[bytes] = set()
    for turn in range(limit):
        assert ask is not None
        first = ask if ask.link is None else first
        refused = ask.link == "refused"
        page, link = ([], None) if refused else model.answer(replace(first, link=ask.link), turn)
        rows += page
        seen.update(row.key for row in page)
        problem = None
        try:
            refusal = Unavailable("a next link is refused")
            ask = walk.refused(refusal) if refused else walk.after(page, link)
        except WindowTooLarge as error:
            problem = error
        if walk.covered is not None and (in_order or ask is None):
            assert model.inside(walk.covered) <= seen
        if problem or ask is None:
            return Walked(rows, turn + 1, walk.covered, problem, walk.oddity)
    raise AssertionError("a walk without an end")


def is_crowded(model: Model) -> bool:
    """Whether some two milliseconds fill a page and hold several rows of one recipient."""
    ticks_of = sorted(trace.ticks for trace in model.traces)
    return any(
        len(near) >= model.page_size and len({trace.recipient for trace in near}) < len(near)
        for at in ticks_of
        if (near := [trace for trace in model.traces if at <= trace.ticks <= at + 3 * TICKS])
    )


WINDOW = Window(NOON, NOON + timedelta(milliseconds=40))
MOMENT = Window(NOON, NOON + MILLISECOND)


def traces(most: int, last_tick: int, recipients: int = 4) -> st.SearchStrategy[tuple[Trace, ...]]:
    """Rows from `NOON` on, with ties by time, and by time and recipient."""
    moments = st.one_of(
        st.integers(0, last_tick),
        st.integers(0, last_tick // TICKS).map(lambda ms: ms * TICKS),
        st.integers(0, last_tick // TICKS // 8).map(lambda ms: ms * 8 * TICKS),
    )
    pairs = st.lists(st.tuples(moments, st.integers(0, recipients - 1)), max_size=most)
    return pairs.map(
        lambda found: tuple(
            Trace(tick, f"r{to}@x.example", n) for n, (tick, to) in enumerate(sorted(found))
        )
    )


spread = traces(60, 40 * TICKS)
crowded = traces(60, TICKS)
sizes = st.integers(2, 12)
afters = st.sampled_from([None, "self", "endless"])
KEYSETS = st.sampled_from(["tie", "row"])


def test_what_counted_as_read_is_read_again_once_rows_are_out_of_order() -> None:
    """The first page is in order: it holds rows of one server only, and newer ones of the other follow
    behind the last of that."""
    first = [Trace(ticks * TICKS, f"r{ticks}@x.example", 2 * ticks) for ticks in range(12)]
    second = [Trace(ticks * TICKS, f"r{ticks}@x.example", 2 * ticks + 1) for ticks in range(11)]
    order = RowOrder()
    walk = walked(
        ByTime(WINDOW, PageSize(8), None, order),
        Model((*first, *second), 8, "row", "parts"),
        in_order=False,
    )
    assert walk.complete
    assert {row.key for row in walk.rows} == {trace.row.key for trace in (*first, *second)}
    assert order.known is Order.NONE


def test_a_first_page_of_one_server_does_not_prove_the_order() -> None:
    """Its rows are in order; those of the other server, some of them newer, are behind its link."""
    one = [Trace((40 - n) * TICKS, f"r{n}@x.example", 2 * n) for n in range(30)]
    other = [Trace((40 - n) * TICKS, f"r{n}@x.example", 2 * n + 1) for n in range(5)]
    order = RowOrder()
    walk = walked(
        ByTime(WINDOW, PageSize(30), None, order), Model((*one, *other), 30, "row", "parts")
    )
    assert walk.complete
    assert {row.key for row in walk.rows} == {trace.row.key for trace in (*one, *other)}
    assert order.known is Order.NONE


@pytest.mark.parametrize("rows", [17, 25, 33, 44])
def test_rows_that_move_between_pages_are_looked_for(rows: int) -> None:
    """By positions, and in another order at each request."""
    walk = walked(
        ByLinks(WINDOW, PageSize(10)),
        Model(one_message(rows), 10, "position", "moving"),
        in_order=False,
    )
    assert len({row.key for row in walk.rows}) == rows


# A page is a window


@settings(max_examples=300)
@given(
    st.builds(
        Model,
        spread,
        sizes,
        cursor=st.sampled_from(["tie", "row", "position"]),
        order=st.sampled_from(["newest", "oldest"]),
        inclusive=st.booleans(),
        empty=st.integers(0, 2),
        after=afters,
    ),
    sizes,
)
def test_by_time_gives_all_rows_of_a_window_or_says_which_millisecond_lacks_some(
    model: Model, page_size: int
) -> None:
    """Pages may be smaller than was asked for; ties lie at their edges, and the cursor skips them."""
    asked_for = model.page_size if model.cursor == "tie" else max(page_size, model.page_size)
    walk = walked(ByTime(WINDOW, PageSize(asked_for), None), model)
    if walk.complete:
        assert {row.key for row in walk.rows} == model.inside(WINDOW)
        assert walk.covered == WINDOW
    else:
        assert isinstance(walk.problem, AnswerTruncated)
        assert walk.problem.window is not None
        assert walk.problem.window.span <= 2 * MILLISECOND
        assert is_crowded(model)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("unsound", ["self", "refused"])
@pytest.mark.parametrize("uneven", [1, 3, 20])
def test_pages_of_many_sizes_whose_links_are_all_unsound_hide_no_rows(
    order: str, unsound: str, uneven: int
) -> None:
    """None of them is as large as was asked for, so no page shows by its size if others follow."""
    rows = tuple(Trace(n * TICKS, f"r{n}@x.example", n) for n in range(700))
    window = Window(NOON, NOON + timedelta(seconds=1))
    size = PageSize(200)
    for _ in range(3):
        model = Model(rows, 40, "row", order, uneven=uneven, unsound=unsound)
        walk = walked(ByTime(window, size, None), model)
        assert walk.complete
        assert {row.key for row in walk.rows} == model.inside(window)
        assert walk.requests <= 4 * 700 / (40 - uneven)


@given(spread, sizes, st.sampled_from(["tie", "row"]), st.booleans())
def test_rows_that_are_apart_cost_one_request_a_page(
    found: tuple[Trace, ...], page_size: int, cursor: str, inclusive: bool
) -> None:
    """However many they are: the last row of a page and those of the next millisecond come twice."""
    apart = tuple(replace(trace, ticks=2 * n * TICKS, number=n) for n, trace in enumerate(found))
    window = Window(NOON, NOON + timedelta(seconds=1))
    model = Model(apart, page_size, cursor, inclusive=inclusive)
    walk = walked(ByTime(window, PageSize(page_size), None), model)
    assert walk.complete
    assert walk.requests <= len(apart) / (page_size - 1) + 2


@given(
    spread,
    st.integers(3, 12),
    st.sampled_from(["tie", "row", "position"]),
    st.booleans(),
    st.sampled_from([None, "self", "circle", "first", "refused"]),
)
def test_a_service_that_gives_the_oldest_first_is_asked_by_time_just_as_well(
    found: tuple[Trace, ...], page_size: int, cursor: str, inclusive: bool, after: str | None
) -> None:
    """A page of one instant cannot tell the order, so pages hold several."""
    apart = tuple(replace(trace, ticks=n * TICKS, number=n) for n, trace in enumerate(found[:40]))
    model = Model(apart, page_size, cursor, "oldest", inclusive, after=after)
    walk = walked(ByTime(WINDOW, PageSize(page_size), None), model)
    assert walk.complete
    assert {row.key for row in walk.rows} == model.inside(WINDOW)
    assert walk.requests <= len(apart) / (page_size - 1) + 3


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_links_of_full_pages_that_lead_to_themselves_cost_nothing_where_rows_are_in_order(
    order: str,
) -> None:
    model = Model(
        tuple(Trace(n * TICKS // 2, "a@x.example", n) for n in range(75)), 10, order=order
    )
    walk = ByTime(WINDOW, PageSize(10), None)
    ask: Ask | None = walk.first
    keys: set[bytes] = set()
    for requests in range(12):
        assert ask is not None
        page, link = model.answer(replace(ask, link=None), requests)
        keys.update(row.key for row in page)
        ask = walk.after(page, link and "to itself")
        if ask is None:
            break
    assert ask is None
    assert keys == model.inside(WINDOW)


@given(st.builds(Model, spread, sizes, cursor=KEYSETS), st.integers(1, 4))
def test_a_window_of_too_many_pages_ends_with_what_they_cover(model: Model, most: int) -> None:
    walk = walked(ByTime(WINDOW, PageSize(model.page_size), most), model)
    in_moments = 4 * MOST_READINGS * (len(model.traces) + 1)
    assert walk.complete or walk.covered is not None or walk.requests <= in_moments
    if not walk.complete and not isinstance(walk.problem, AnswerTruncated):
        assert walk.requests >= most


@pytest.mark.parametrize("tie", [7, 50, 500])
def test_ties_of_time_and_recipient_at_a_page_edge_are_not_skipped(tie: int) -> None:
    """As in a journal mailbox: the cursor of the next link would leave them out."""
    ties = tuple(Trace(20 * TICKS, "journal@x.example", n) for n in range(tie))
    around = tuple(Trace(n * TICKS // 2, "a@x.example", 1000 + n) for n in range(80))
    model = Model(ties + around, page_size=tie + 1, cursor="tie")
    walk = walked(ByTime(WINDOW, PageSize(tie + 1), None), model)
    assert walk.complete
    assert len({row.key for row in walk.rows}) == tie + 80


def test_more_ties_of_time_and_recipient_than_a_page_holds_are_said_to_be_missing() -> None:
    ties = tuple(Trace(20 * TICKS, "journal@x.example", n) for n in range(30))
    model = Model(ties, page_size=10, cursor="tie")
    walk = walked(ByTime(WINDOW, PageSize(10), None), model)
    assert isinstance(walk.problem, AnswerTruncated)
    assert walk.problem.window is not None
    assert walk.problem.window.start <= NOON + 20 * MILLISECOND <= walk.problem.window.end


# A single millisecond


@settings(max_examples=300)
@given(
    st.builds(
        Model,
        crowded,
        sizes,
        cursor=st.sampled_from(["tie", "row"]),
        order=st.sampled_from(["newest", "oldest"]),
        inclusive=st.booleans(),
        empty=st.integers(0, 2),
        after=afters,
        cut=st.booleans(),
        heeds_top=st.booleans(),
    )
)
def test_a_millisecond_of_graph_is_complete_or_raises(model: Model) -> None:
    walk = walked(Instant(MOMENT, PageSize(model.page_size), by_recipient=True), model)
    if walk.complete:
        assert {row.key for row in walk.rows} == model.inside(MOMENT)
    else:
        assert isinstance(walk.problem, AnswerTruncated)
        assert walk.problem.window == MOMENT
        assert is_crowded(model) or model.cut or not model.heeds_top


@settings(max_examples=300)
@given(
    st.builds(
        Model,
        crowded,
        sizes,
        cursor=st.just("position"),
        order=st.sampled_from(["newest", "oldest"]),
        inclusive=st.booleans(),
        empty=st.integers(0, 2),
        after=afters,
        cut=st.booleans(),
        heeds_beyond=st.booleans(),
    )
)
def test_a_millisecond_of_the_reporting_web_service_is_complete_or_raises(model: Model) -> None:
    walk = walked(Instant(MOMENT, PageSize(model.page_size)), model)
    if walk.complete:
        assert {row.key for row in walk.rows} == model.inside(MOMENT)
    else:
        assert isinstance(walk.problem, AnswerTruncated)
        assert walk.problem.window == MOMENT
        assert not model.heeds_beyond, "nothing is told of what lies beyond a full page"


@pytest.mark.parametrize("rows", [101, 150, 250])
@pytest.mark.parametrize("beginning", range(0, 2000, 100))
def test_a_millisecond_whose_rows_come_in_another_order_each_time_is_complete_or_raises(
    rows: int, beginning: int
) -> None:
    """Each reading lacks some rows and repeats others; how many there are tells."""
    model = Model(one_message(rows), 100, "position", "moving")
    walk = walked(Instant(MOMENT, PageSize(100)), replace(model, beginning=beginning))
    assert walk.complete or isinstance(walk.problem, AnswerTruncated)
    assert walk.requests > 2 * (rows // 100 + 1), "more than two readings"


def one_message(recipients: int) -> tuple[Trace, ...]:
    return tuple(Trace(0, f"r{n}@x.example", n) for n in range(recipients))


@pytest.mark.parametrize("recipients", [3, 10, 11, 20, 95])
@pytest.mark.parametrize("cursor", ["tie", "row"])
def test_a_message_to_many_recipients_in_one_millisecond_is_complete(
    recipients: int, cursor: str
) -> None:
    """Exactly a page, too: full and without a link, as if it had been cut."""
    model = Model(one_message(recipients), 10, cursor)
    walk = walked(Instant(MOMENT, PageSize(10), by_recipient=True), model)
    assert walk.complete
    assert len({row.key for row in walk.rows}) == recipients
    assert walk.requests <= 6 * (recipients // 10 + 1)


@pytest.mark.parametrize("recipients", [3, 20, 40, 95])
@pytest.mark.parametrize("cut", [False, True], ids=["with links", "without links"])
def test_the_reporting_web_service_is_asked_for_what_is_beyond_a_full_page(
    recipients: int, cut: bool
) -> None:
    model = Model(one_message(recipients), 20, "position", cut=cut)
    walk = walked(Instant(MOMENT, PageSize(20)), model)
    assert walk.complete
    assert len({row.key for row in walk.rows}) == recipients


@pytest.mark.parametrize("by_recipient", [True, False], ids=["Graph", "Reporting"])
def test_a_cut_page_of_a_millisecond_is_not_believed(by_recipient: bool) -> None:
    """Nothing but its full size tells."""
    model = Model(one_message(25), 20, "position", cut=True, heeds_beyond=False)
    walk = walked(Instant(MOMENT, PageSize(20), by_recipient), model)
    assert isinstance(walk.problem, AnswerTruncated)
    stubborn = walked(Instant(MOMENT, PageSize(20), by_recipient), replace(model, heeds_top=False))
    assert isinstance(stubborn.problem, AnswerTruncated)


def test_rows_without_a_recipient_are_not_believed_where_they_cannot_be_asked_for() -> None:
    nameless = tuple(Trace(0, "", n) for n in range(60))
    walk = walked(Instant(MOMENT, PageSize(10), by_recipient=True), Model(nameless, 10, "tie"))
    assert isinstance(walk.problem, AnswerTruncated)


@pytest.mark.parametrize("rows", [10, 11, 15])
def test_a_page_of_more_rows_than_were_asked_for_is_looked_at_again(rows: int) -> None:
    """As if some were strays; nothing is missing unless another reading says so."""
    model = Model(one_message(rows), 10, "row")
    walk = Instant(MOMENT, PageSize(10), by_recipient=True)
    assert walk.after(
        model.answer(Ask(MOMENT), 0)[0] + model.answer(Ask(MOMENT, "10:0"), 0)[0], None
    )


# Windows that fit one page


@settings(max_examples=300)
@given(
    st.builds(
        Model,
        traces(14, 40 * TICKS),
        sizes,
        cursor=st.sampled_from(["tie", "row", "position"]),
        order=st.sampled_from(["newest", "oldest", "parts", "moving"]),
        inclusive=st.booleans(),
        empty=st.integers(0, 5),
        after=st.sampled_from([None, "self", "endless", "circle"]),
        cut=st.booleans(),
    )
)
def test_one_page_takes_all_rows_or_raises_whatever_the_order(model: Model) -> None:
    walk = walked(OnePage(WINDOW, PageSize(model.page_size)), model)
    if walk.complete:
        assert {row.key for row in walk.rows} == model.inside(WINDOW)
        assert len(model.inside(WINDOW)) < model.page_size
    else:
        assert walk.covered is None
        assert len(model.inside(WINDOW)) >= model.page_size or model.after == "circle"
    assert walk.requests <= 3 + model.empty + MOST_EMPTY


@pytest.mark.parametrize("empty", [0, 1, 2, 3, MOST_EMPTY])
def test_empty_pages_are_no_reason_against_the_page_between_them(empty: int) -> None:
    model = Model(one_message(5), 10, empty=empty)
    assert walked(OnePage(WINDOW, PageSize(10)), model).complete


# Links


@settings(max_examples=300)
@given(
    st.builds(
        Model,
        spread,
        sizes,
        cursor=st.sampled_from(["row", "position"]),
        order=st.sampled_from(["newest", "oldest", "parts"]),
        inclusive=st.booleans(),
        empty=st.integers(0, 5),
        after=st.sampled_from([None, "self", "endless", "circle"]),
        cut=st.booleans(),
    )
)
def test_links_that_skip_nothing_give_every_row_in_any_order(model: Model) -> None:
    walk = walked(ByLinks(WINDOW, PageSize(model.page_size)), model)
    if walk.complete:
        assert {row.key for row in walk.rows} == model.inside(WINDOW)
    else:
        assert walk.covered is None
        full_end = model.after is None and len(model.inside(WINDOW)) % model.page_size == 0
        assert model.cut or model.after == "circle" or full_end
    pages = len(model.traces) / model.page_size + 1
    assert walk.requests <= pages * (1 + model.empty) + 2 + MOST_EMPTY


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("cursor", ["row", "position"])
def test_links_that_go_on_too_long_cover_what_they_passed_once_the_order_is_proven(
    order: str, cursor: str
) -> None:
    found = tuple(Trace(n * TICKS, f"r{n}@x.example", n) for n in range(39))
    model = Model(found, 10, cursor, order)
    proven = RowOrder()
    first = walked(ByLinks(WINDOW, PageSize(10), 2, proven), model)
    assert first.problem is not None
    assert first.covered is None, "no whole window has shown the order"
    assert walked(ByLinks(WINDOW, PageSize(10), None, proven), model).complete
    again = walked(ByLinks(WINDOW, PageSize(10), 2, proven), model)
    assert again.problem is not None
    assert again.covered is not None
    assert again.covered.span >= 17 * MILLISECOND


def test_links_cover_nothing_where_a_whole_window_had_no_order() -> None:
    found = tuple(Trace(n * TICKS, f"r{n}@x.example", n) for n in range(39))
    model = Model(found, 10, "position", "parts")
    order = RowOrder()
    assert walked(ByLinks(WINDOW, PageSize(10), None, order), model).complete
    assert walked(ByLinks(WINDOW, PageSize(10), 2, order), model).covered is None


def test_links_cover_nothing_once_a_row_has_changed_its_place() -> None:
    rows = [Trace(n * TICKS, f"r{n}@x.example", n).row for n in range(39, -1, -1)]
    order = RowOrder(Order.NEWEST_FIRST, proven=True)
    walk = ByLinks(WINDOW, PageSize(10), None, order)
    walk.after(rows[:10], "next")
    assert walk.covered == Window(NOON + 31 * MILLISECOND, WINDOW.end)
    walk.after(rows[9:19], "after that")
    assert walk.covered is None


@pytest.mark.parametrize("after", ["self", "endless"])
def test_empty_pages_that_lead_nowhere_are_the_end_and_are_said(after: str) -> None:
    model = Model(one_message(25), 10, after=after)
    for walk in (ByLinks(WINDOW, PageSize(10)), Instant(MOMENT, PageSize(10), by_recipient=True)):
        found = walked(walk, model)
        assert found.complete
        assert found.oddity is not None
        assert len({row.key for row in found.rows}) == 25


@pytest.mark.parametrize("make", [ByLinks, ByTime])
@pytest.mark.parametrize("after", [None, "endless"])
@pytest.mark.parametrize("empty", [FEW_EMPTY + 1, 15, MOST_EMPTY])
def test_empty_pages_before_each_page_hide_no_rows(
    make: Callable[[Window, PageSize, int], Walk], after: str | None, empty: int
) -> None:
    """They do not count as pages of which a window may have a few only."""
    found = tuple(Trace(2 * n * TICKS, f"r{n}@x.example", n) for n in range(15))
    model, size = Model(found, 10, "row", empty=empty, after=after), PageSize(10)
    for _ in range(2):
        walk = walked(make(WINDOW, size, 3), model)
        assert walk.complete
        assert {row.key for row in walk.rows} == model.inside(WINDOW)


@pytest.mark.parametrize("after", ["chain", "endless"])
def test_chains_of_empty_pages_cost_little_once_one_led_nowhere_behind_rows(after: str) -> None:
    """Unless others led to rows."""
    size = PageSize(10)
    nothing, something = Model((), 10, after=after), Model(one_message(5), 10, after=after)
    first = [walked(OnePage(WINDOW, size), model).requests for model in (nothing, something)]
    assert min(first) > 10
    for model in (nothing, something):
        assert walked(OnePage(WINDOW, size), model).requests <= FEW_EMPTY + 2
    size.behind_empty = True
    assert walked(OnePage(WINDOW, size), nothing).requests == first[0]


@pytest.mark.parametrize("make", [ByLinks, ByTime])
def test_chains_that_led_nowhere_in_windows_without_rows_are_cut_short_where_others_follow_them(
    make: Callable[[Window, PageSize, int | None], Walk],
) -> None:
    size = PageSize(10)
    endless = Model((), 10, after="endless")
    for _ in range(ENOUGH_NOWHERE):
        assert walked(make(WINDOW, size, 3), endless).requests == MOST_EMPTY + 1
    cut = walked(make(WINDOW, size, 3), endless)
    assert (cut.requests, cut.complete, bool(cut.oddity)) == (FEW_EMPTY + 1, True, True)
    long, read_once = make(Window(NOON, NOON + LONG), size, 3), make(WINDOW, size, None)
    for walk in (long, read_once, OnePage(WINDOW, size), Instant(MOMENT, size)):
        assert walked(walk, endless).requests == MOST_EMPTY + 1
    hidden = replace(endless, traces=one_message(5), empty=FEW_EMPTY + 1)
    assert len(walked(OnePage(WINDOW, size), hidden).rows) == 5
    assert len(walked(make(WINDOW, size, 3), hidden).rows) == 5
    assert walked(make(WINDOW, size, 3), endless).requests == MOST_EMPTY + 1


@pytest.mark.parametrize("make", [ByLinks, ByTime])
def test_chains_that_end_in_windows_without_rows_are_followed_each_time(
    make: Callable[[Window, PageSize, int], Walk],
) -> None:
    """Rows may come behind as many empty pages."""
    size = PageSize(10)
    chain, endless = Model((), 10, after="chain"), Model((), 10, after="endless")
    for _ in range(ENOUGH_NOWHERE + 1):
        assert walked(make(WINDOW, size, 3), chain).requests > FEW_EMPTY + 1
    for model in (endless, chain) * ENOUGH_NOWHERE:
        assert walked(make(WINDOW, size, 3), model).requests > FEW_EMPTY + 1


def test_the_link_of_a_page_that_is_not_full_costs_a_look_and_no_more() -> None:
    """It leads to an empty page, as after the last row of a window. Another look proves the order."""
    apart = tuple(Trace(2 * n * TICKS, f"r{n}@x.example", n) for n in range(15))
    model = Model(apart, 10, "tie", after="self")
    walk = walked(ByTime(WINDOW, PageSize(10), None), model)
    assert walk.complete
    assert walk.requests == 4
    assert walk.oddity is not None


@pytest.mark.parametrize("cap", [5, 10, 20])
def test_pages_that_are_smaller_than_was_asked_for_are_found_out_once(cap: int) -> None:
    apart = tuple(Trace(n * TICKS // 2, f"r{n}@x.example", n) for n in range(70))
    walk = walked(ByTime(WINDOW, PageSize(50), None), Model(apart, cap, "row"))
    assert walk.complete
    assert walk.requests <= 70 / (cap - 3) + 3


@pytest.mark.parametrize("make", [ByLinks, ByTime])
@pytest.mark.parametrize("cap", [10, 20, 50])
def test_a_full_page_has_the_rows_that_the_service_gives(
    make: Callable[[Window, PageSize, None], Walk], cap: int
) -> None:
    """A page without any behind it says nothing of that; and no link is followed to find out again."""
    apart = tuple(Trace(n * TICKS // 2, f"r{n}@x.example", n) for n in range(70))
    size = PageSize(50)
    assert walked(make(WINDOW, size, None), Model(apart[:8], cap, "row")).complete
    assert size.full == 50
    first, second = (walked(make(WINDOW, size, None), Model(apart, cap, "row")) for _ in range(2))
    assert first.complete
    assert second.complete
    assert size.full == cap
    assert second.requests <= 70 / (cap - 3) + 2


def test_servers_that_answer_one_after_the_other_are_noticed_on_the_last_page() -> None:
    """The first one fills two pages, which proves its order, and the last page holds rows of both."""
    one = [Trace(ms * TICKS, f"a{ms}@x.example", 2 * ms) for ms in range(18, 40)]
    other = [Trace(ms * TICKS, f"b{ms}@x.example", 2 * ms + 1) for ms in (17, 19, 30, 38)]
    model = Model((*one, *other), 10, "row", "parts")
    walk = walked(ByTime(WINDOW, PageSize(10), None), model, in_order=False)
    assert walk.complete
    assert {row.key for row in walk.rows} == model.inside(WINDOW)


def test_servers_that_answer_one_after_the_other_are_noticed_where_one_ends() -> None:
    found = tuple(Trace(n * TICKS, f"r{n}@x.example", n) for n in range(16))
    walk = walked(ByTime(WINDOW, PageSize(10), None), Model(found, 8, "row", "parts"))
    assert walk.complete
    assert {row.key for row in walk.rows} == {trace.row.key for trace in found}


def at(row: Row) -> Window:
    """The millisecond of ``row``, and the one before: the service may leave out what lies on a bound."""
    received = instant(row.received)
    return Window(received - MILLISECOND, received + MILLISECOND)


def test_a_service_that_repeats_a_row_at_each_page_costs_one_more_reading_and_the_edges() -> None:
    rows = [Trace(n * TICKS, f"r{n}@x.example", n).row for n in range(31)]
    walk = ByLinks(WINDOW, PageSize(10))
    for reading in range(2):
        for number, begin in enumerate((0, 9, 18)):
            assert walk.after(rows[begin : begin + 10], f"link {number}") is not None
        ask = walk.after(rows[27:], None)
        assert ask == (walk.first if reading == 0 else Ask(at(rows[27])))
    for edge, following in ((27, 18), (18, 9)):
        assert walk.covered is None
        assert walk.after([rows[edge]], None) == Ask(at(rows[following]))
    assert walk.after([rows[9]], None) is None
    assert walk.covered == WINDOW


def test_of_two_rows_of_one_time_at_a_page_edge_none_hides_the_other() -> None:
    """They change places between two requests, so that the same one may come twice again and again."""
    rows = [Trace(n * TICKS, f"r{n}@x.example", n).row for n in range(9)]
    one, other = (Trace(9 * TICKS, f"{name}@x.example", 9).row for name in "ab")
    walk = ByLinks(WINDOW, PageSize(10))
    for following in (walk.first, Ask(at(one))):
        assert walk.after([*rows, one], "next") == Ask(WINDOW, "next")
        assert walk.after([one], None) == following
    assert walk.after([other, one], None) is None
    assert walk.covered == WINDOW


def test_a_row_that_comes_at_each_reading_is_told_from_a_row_that_is_repeated() -> None:
    """It moves the others by one, so that they look the same."""
    rows = [Trace(n * TICKS, f"r{n}@x.example", n).row for n in range(18)]
    walk = ByLinks(WINDOW, PageSize(10))
    for new in (
        3,
        2,
        1,
    ):  # rows before the others when a reading begins, of which one more comes then
        assert walk.after(rows[new : new + 10], "next") == Ask(WINDOW, "next")
        assert walk.after(rows[new + 9 :], None) == walk.first
    assert walk.after(rows[:10], "next") == Ask(WINDOW, "next")
    assert walk.after(rows[10:], None) is None


def test_a_full_page_that_comes_again_is_a_circle_however_its_link_is_written() -> None:
    """Each page more would cost fresh mail time, and the request budget."""
    one, other = (
        [Trace(n * TICKS, f"{name}{n}@x.example", n).row for n in range(10)] for name in "ab"
    )
    walk = ByLinks(WINDOW, PageSize(10))
    assert walk.after(one, "first") == Ask(WINDOW, "first")
    assert walk.after(other, "second") == Ask(WINDOW, "second")
    with pytest.raises(WindowTooLarge, match="circle"):
        walk.after(list(reversed(one)), "third")


def test_a_full_page_that_leads_to_itself_is_gone_on_from_by_time() -> None:
    """Also one that holds a single millisecond: its window is not divided down to that step by step."""
    crowd = [row.row for row in one_message(10)]
    at = instant(crowd[0].received)
    order = RowOrder(Order.NEWEST_FIRST, proven=True)
    walk = ByTime(Window(NOON - timedelta(hours=1), at + MILLISECOND), PageSize(10), None, order)
    assert walk.after([], "itself") is not None
    following = walk.after(crowd, "itself")
    assert following is not None
    assert following.window.start <= at <= following.window.end <= at + MILLISECOND
    assert following.window.span <= 2 * MILLISECOND


def test_links_of_full_pages_in_a_circle_are_no_end() -> None:
    """What they keep back is not known."""
    model = Model(one_message(30), 10, after="circle")
    walk = walked(ByLinks(WINDOW, PageSize(10)), model)
    assert isinstance(walk.problem, WindowTooLarge)
    assert isinstance(walked(Instant(MOMENT, PageSize(10)), model).problem, AnswerTruncated)


UNSOUND = {
    "by links": (ByLinks, WINDOW),
    "by time": (lambda w, s: ByTime(w, s, None), WINDOW),
    "a millisecond of Graph": (lambda w, s: Instant(w, s, by_recipient=True), MOMENT),
    "a millisecond": (Instant, MOMENT),
    "one page": (OnePage, WINDOW),
}


@pytest.mark.parametrize(("make", "window"), UNSOUND.values(), ids=UNSOUND)
@pytest.mark.parametrize("after", ["self", "circle", "first", "refused"])
@pytest.mark.parametrize("rows", [1, 9, 10, 19])
@pytest.mark.parametrize("empty", [0, 1])
def test_an_unsound_link_of_a_page_that_was_not_full_is_no_link(
    make: Callable[[Window, PageSize], Walk], window: Window, after: str, rows: int, empty: int
) -> None:
    """Of a single row, too, when no larger page was seen; and behind an empty page in between."""
    model = Model(one_message(rows), 20, "row", after=after, empty=empty)
    walk = walked(make(window, PageSize(50)), model)
    assert walk.oddity is not None or rows >= LEAST_PAGE
    if rows < LEAST_PAGE:
        assert walk.complete
    seen = walked(make(window, PageSize(50, largest=20)), model)
    assert seen.complete
    assert seen.oddity is not None
    assert {row.key for row in seen.rows} == model.inside(window)


@pytest.mark.parametrize("after", ["circle", "first", "refused"])
@pytest.mark.parametrize("rows", [10, 20, 40])
def test_a_full_millisecond_of_graph_whose_last_link_is_unsound_is_read_with_other_page_edges(
    after: str, rows: int
) -> None:
    model = Model(one_message(rows), 10, "row", after=after)
    walk = walked(Instant(MOMENT, PageSize(10), by_recipient=True), model)
    assert walk.complete
    assert {row.key for row in walk.rows} == model.inside(MOMENT)


def test_a_full_page_whose_link_is_refused_is_no_end() -> None:
    model = Model(one_message(20), 20, "position", after="refused")
    size = PageSize(50, largest=20)
    for walk in (ByLinks(WINDOW, size), ByTime(WINDOW, size, None)):
        assert isinstance(walked(walk, model).problem, WindowTooLarge)


def test_what_is_behind_a_full_millisecond_whose_link_is_refused_is_asked_for_by_number() -> None:
    model = Model(one_message(20), 20, "position", after="refused")
    assert walked(Instant(MOMENT, PageSize(20)), model).complete
    walk = Instant(MOMENT, PageSize(20))
    ask = walk.after([trace.row for trace in model.traces], "a link")
    ask = walk.refused(Unavailable("refused"))
    assert ask is not None
    assert ask.beyond == 20
    with pytest.raises(WindowTooLarge):
        walk.refused(Unavailable("refused"))


def test_a_millisecond_of_which_rows_are_missing_has_those_around_it_that_the_service_gives() -> (
    None
):
    """It may read a millisecond beyond the end, and what is missing may all be there."""
    page = [Trace(2 * TICKS, f"r{n}@x.example", n).row for n in range(10)]
    walk = Instant(MOMENT, PageSize(10))
    walk.after(page, "link")
    refusal = Unavailable("a next link is refused")
    assert walk.refused(refusal) == Ask(MOMENT, beyond=10)
    with pytest.raises(WindowTooLarge) as raised:
        walk.refused(refusal)
    assert raised.value.window == Window(NOON, NOON + 2 * MILLISECOND)


def refused_behind(size: PageSize, rows: list[Row]) -> OnePage:
    walk = OnePage(WINDOW, size)
    walk.after(rows, "a link")
    assert walk.refused(Unavailable("refused")) is None
    assert walk.covered == WINDOW
    assert walk.oddity
    return walk


def test_an_empty_page_whose_link_is_refused_is_the_end_where_links_of_last_pages_are() -> None:
    size = PageSize(10)
    with pytest.raises(Unavailable):
        refused_behind(size, [])
    refused_behind(size, [row(START)])
    refused_behind(size, [])


def test_an_empty_page_whose_link_is_refused_is_no_end_where_rows_came_behind_such_pages() -> None:
    size = PageSize(10)
    refused_behind(size, [row(START)])
    walk = OnePage(WINDOW, size)
    walk.after([], "a link")
    assert walk.after([row(START)], None) is None
    with pytest.raises(Unavailable):
        refused_behind(size, [])


def test_rows_from_outside_the_window_fill_no_page() -> None:
    """Services may add them to the rows that were asked for."""
    strays = [Trace(1_000 * TICKS, f"s{n}@x.example", n).row for n in range(6)]
    rows = [Trace(0, f"r{n}@x.example", n).row for n in range(4)]
    for walk in (OnePage(WINDOW, PageSize(10)), Instant(MOMENT, PageSize(10), by_recipient=True)):
        assert walk.after(strays + rows, None) is None
        assert walk.covered is not None


WALKS: dict[str, Callable[[], Walk]] = {
    "links": lambda: ByLinks(WINDOW, PageSize(10)),
    "by time": lambda: ByTime(WINDOW, PageSize(10), None),
    "by time, some pages": lambda: ByTime(WINDOW, PageSize(10), 5),
    "a millisecond of Graph": lambda: Instant(MOMENT, PageSize(10), by_recipient=True),
    "a millisecond": lambda: Instant(MOMENT, PageSize(10)),
    "one page": lambda: OnePage(WINDOW, PageSize(10)),
}


@pytest.mark.parametrize("make", WALKS.values(), ids=WALKS)
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 10), kinds=st.integers(1, 4))
@settings(max_examples=25)
def test_every_walk_ends_whatever_is_answered(
    make: Callable[[], Walk], seed: int, rows: int, kinds: int
) -> None:
    """New rows at every page, new links, old links, rows from anywhere."""
    rng, walk = Random(seed), make()
    ask: Ask | None = walk.first
    requests = 0
    while ask is not None and requests <= 40 * MOST_PAGES:
        requests += 1
        page = []
        for _ in range(rng.randint(0, rows)):
            tick = rng.randrange(-5 * TICKS, 50 * TICKS) if kinds > 1 else 0
            to = f"r{rng.randrange(kinds)}"
            page.append(Trace(tick, to, requests if kinds > 2 else rng.randrange(10**9)).row)
        if kinds == 4:
            page.sort(key=lambda row: -row.received)
        link = rng.choice([f"new {requests}", f"new {requests}", f"new {requests // 2}"])
        try:
            ask = walk.after(page, link)
        except WindowTooLarge:
            break
    assert requests <= MOST_READINGS * MOST_PAGES


def test_new_rows_by_new_links_without_end_end() -> None:
    """A service that makes rows up."""
    for make in WALKS.values():
        walk, requests = make(), 0
        ask: Ask | None = walk.first
        while ask is not None:
            requests += 1
            received = [Trace(0, f"r{n}", 10 * requests + n).row for n in range(10)]
            try:
                ask = walk.after(received, f"link {requests}")
            except WindowTooLarge:
                break
        assert requests <= MOST_PAGES + MOST_READINGS


def test_receive_times_are_shown_in_milliseconds_and_known_more_finely() -> None:
    """All rows below lie in one shown millisecond, at another 100 ns each."""
    fine = tuple(Trace(5 * TICKS + 300 * n, f"r{n}@x.example", n) for n in range(30))
    older = (Trace(4 * TICKS + 9_999, "old@x.example", 99),)
    model = Model(fine + older, 10, "tie")
    walk = walked(ByTime(WINDOW, PageSize(10), None), model)
    assert walk.complete
    assert len({row.key for row in walk.rows}) == 31
    assert instant(START + 5) <= WINDOW.end


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_first_page_of_one_instant_does_not_show_the_order(order: str) -> None:
    many = tuple(Trace(5 * TICKS, f"r{n}@x.example", n) for n in range(22))
    later = tuple(Trace((8 + n) * TICKS, "late@x.example", 30 + n) for n in range(25))
    newer = later if order != "newest" else ()
    model = Model((*many, *newer), 10, "row", order)
    walk = walked(ByTime(WINDOW, PageSize(10), None), model)
    assert walk.complete
    assert {row.key for row in walk.rows} == model.inside(WINDOW)


def test_a_millisecond_is_not_complete_with_a_page_that_may_be_full_and_a_link_that_is_refused() -> (
    None
):
    """Also if the service gives fewer rows than were asked for."""
    size = PageSize(50, largest=20, short=True)
    walk = Instant(WINDOW, size, by_recipient=True)
    crowd = [Trace(0, f"r{n:02}@x.example", n).row for n in range(20)]
    assert walk.after(crowd, "next") == Ask(WINDOW, "next")
    ask = walk.refused(Unavailable("a next link is refused", "status 400"))
    while ask is not None and ask.recipient is not None:
        ask = walk.after([row for row in crowd if row.recipient == ask.recipient], None)
    assert ask is not None
    assert ask.top is not None
    assert ask.top < 20, "the next reading has other edges"
    assert walk.covered is None


def of_messages(*names: str) -> list[Row]:
    return [row(START, MessageTraceId=name, RecipientAddress=f"{name}@x.example") for name in names]


def test_a_message_is_read_by_its_id_however_that_is_written() -> None:
    walk = OneMessage("ONE", Instant(WINDOW, PageSize(10)))
    assert walk.after(of_messages("one", "One"), None) is None
    assert walk.covered == WINDOW


@pytest.mark.parametrize("page", [("one", "other"), ("other",), ("one", "")])
def test_rows_of_other_messages_show_that_a_service_ignores_the_id(page: tuple[str, ...]) -> None:
    """They are no answer about the message, and the rest of the listing need not be read for it."""
    walk = OneMessage("one", Instant(WINDOW, PageSize(10)))
    assert walk.after(of_messages(*page), "next") is None
    assert walk.covered is None
    assert walk.oddity == "rows of other messages than the one whose id was asked for"


def test_where_only_the_id_was_asked_for_the_listing_is_read_instead() -> None:
    listing = ByTime(WINDOW, PageSize(10), None)
    walk = OneMessage("one", Instant(WINDOW, PageSize(10)), listing)
    assert walk.after(of_messages("one", "other"), "next") == listing.first
    assert walk.after(of_messages("one", "other"), None) is None
    assert walk.covered == WINDOW


def test_a_refused_link_of_a_message_is_judged_as_others_are() -> None:
    walk = OneMessage("one", Instant(WINDOW, PageSize(10)))
    assert walk.after(of_messages("one"), "next") == Ask(WINDOW, "next")
    assert walk.refused(Unavailable("refused")) is None
    assert walk.covered == WINDOW
    assert walk.oddity
