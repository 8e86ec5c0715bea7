"""How Microsoft Graph behaves. Change a field at any time; the next request shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sandbox.bad_records import BadAnswer
from sandbox.graph.cursor import OrderName


@dataclass
class GraphOptions:
    """Each field names something observed, documented or unknown about the real service."""

    page_size: int | None = None
    """Never more rows on a page than this, whatever `$top` asks for; None: as many as asked for."""
    order: OrderName = "descending"
    """Newest first (observed). Shuffled: the pages as when descending, each in disorder. Scattered:
    any row on any page. Partitioned: all rows of some recipients, newest first, then the others'."""
    strict_cursor: bool = True
    """A page begins after the time and recipient of the last row (observed), so that a second row
    with the same two is lost at the edge; otherwise the id keeps them apart."""
    fine_times: bool = False
    """Receive times have digits below the millisecond (observed in tokens) that rows do not show, but
    that count in the order and at the end of a window."""
    end: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether `le` takes rows of that very instant (documented by its name)."""
    links: Literal["sound", "encoded date", "recipient", "self", "back"] = "sound"
    """A third of the links is unsound. Encoded date, recipient: refused with status 400, with the
    texts of two live refusals of links that the service had made itself. Self: they lead to the page
    they are on (observed elsewhere in Graph). Back: they lead to the first page."""
    truncate: bool = False
    """Give the first page only, without a next link, however much there is."""
    empty_pages: Literal["never", "first", "every", "chain", "last", "endless"] = "never"
    """Put an empty page that has a next link before the first page, or before every page, or several
    such pages before the first one (`chain`); or after the last row an empty page without a link (`last`),
    or one that links to itself (`endless`, observed elsewhere in Graph)."""
    chain: int = 2
    """The length of such a chain, in empty pages."""
    foreign_links: str | None = None
    """Scheme and host that next links name instead of the service's own."""
    stray_rows: int = 0
    """At most so many rows received within an hour after the window are on its first page, and as
    many received within an hour before it on its last page."""
    token_lifetime: timedelta | None = None
    """A `$skiptoken` older than that is refused (unknown; None: it never expires)."""
    to_ip: Literal["empty", "null", "turns"] = "empty"
    """How an absent `toIP` or `fromIP` is written (observed: an empty string); or either by turns."""
    etags: bool = False
    """Each row has an `@odata.etag`, another one in each answer."""
    recipients_shown: int | None = None
    """Of a message to more recipients, only so many are shown unless its id is asked for (documented
    for Get-MessageTraceV2 with 1000; unknown for Graph)."""
    bad_records: BadAnswer | None = None
    """What becomes of pages that hold a record of `sandbox.bad_records`; None: they are as others."""
    statuses: dict[str, str] = field(default_factory=lambda: {"None": "unknownFutureValue"})
    """Names that replace the usual ones, by the tenant's status. `None` is no member of the
    documented enumeration; what the service makes of it is unknown."""
    history_days: int | None = 90
    """Whole days before today that a window may begin (documented, observed)."""
    history_rule: Literal["refuse", "hide"] = "refuse"
    """What is too old: an error (observed), or rows that silently are not there."""
    history_status: Literal[400, 500] = 400
    """Status of the refusal: 400, or 500 with an `innererror` (both observed)."""
    longest_window: timedelta = timedelta(days=10)
    """Documented and observed; a longer one is refused."""
    future_end: Literal["accept", "refuse"] = "accept"
    """What becomes of a window that ends after now (documented as wrong; the answer is unknown)."""
    quota_requests: int | None = 100
    """Requests in any `quota_period`, refused ones included (documented); None: no quota."""
    quota_period: timedelta = timedelta(minutes=5)
    quota_of_details: Literal["shared", "own"] = "shared"
    """Whether requests for the details of a message count with those for lists (both are claimed)."""
    retry_after: Literal["seconds", "date", "off"] = "seconds"
    """The header of a 429 (unknown for message traces; some of Graph's resources leave it out)."""
    principal_from: datetime | None = None
    """The service principal that reads message traces works from this instant on; None: always
    did."""
    principal_refusal: Literal["Unauthorized", "Forbidden"] = "Unauthorized"
    """Until then: status 401 and this code, or 403 and this code (both codes observed)."""
    latency: float = 0.0
    """Seconds of real time that a page takes (observed: 2 to 4 for 5000 rows)."""
    gzip: bool = False
    """Compress answers for clients that accept it (observed)."""
