"""How Microsoft Graph behaves. Change a field at any time; the next request shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal


@dataclass
class GraphOptions:
    """Each field names something observed, documented or unknown about the real service."""

    page_size: int | None = None
    """Never more rows on a page than this, whatever `$top` asks for; None: as many as asked for."""
    order: Literal["descending", "ascending", "shuffled", "scattered"] = "descending"
    """Newest first (observed). Shuffled: the pages as when descending, each in disorder. Scattered:
    any row on any page."""
    strict_cursor: bool = False
    """A page begins after the time and recipient of the last row (inferred), so that a second row
    with the same two is lost at the edge; otherwise the id keeps them apart."""
    truncate: bool = False
    """Give the first page only, without a next link, however much there is."""
    empty_pages: Literal["never", "first", "every", "last"] = "never"
    """Put an empty page that has a next link before the first page, or before every page; or, with
    `last`, an empty page without one after the last row."""
    foreign_links: str | None = None
    """Scheme and host that next links name instead of the service's own."""
    stray_rows: int = 0
    """At most so many rows received within an hour after the window are on its first page, and as
    many received within an hour before it on its last page."""
    token_lifetime: timedelta | None = None
    """A `$skiptoken` older than that is refused (unknown; None: it never expires)."""
    to_ip: Literal["empty", "null"] = "empty"
    """How an absent `toIP` or `fromIP` is written (observed: an empty string)."""
    recipients_listed: int | None = None
    """Of a message only so many rows are shown unless its id is asked for (documented for
    Get-MessageTraceV2, from 1000 on; for Graph unknown). None: all of them."""
    statuses: dict[str, str] = field(default_factory=lambda: {"None": "unknownFutureValue"})
    """Names that replace the usual ones, by the tenant's status. `None` is no member of the
    documented enumeration; what the service makes of it is unknown."""
    history_days: int | None = 90
    """Whole days before today that a window may begin (documented, observed)."""
    history_status: Literal[400, 500] = 400
    """Status of the refusal: 400, or 500 with an `innererror` (both observed)."""
    longest_window: timedelta = timedelta(days=10)
    """Documented and observed; a longer one is refused."""
    future_end: Literal["accept", "refuse"] = "accept"
    """What becomes of a window that ends after now (documented as wrong; the answer is unknown)."""
    quota_requests: int | None = 100
    """Requests in any `quota_period`, refused ones included (documented); None: no quota."""
    quota_period: timedelta = timedelta(minutes=5)
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
