"""How the Reporting Web Service behaves. Change a field at any time; the next request shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.bad_records import BadAnswer

Dialect = Literal["verbose", "light", "atom"]


@dataclass
class ReportingOptions:
    """Each field names something observed, documented or unknown about the real service."""

    dialect: Dialect | Literal["auto"] = "auto"
    """Auto: `$format=json` is verbose, else Accept: application/json is light, else Atom."""
    times_with_z: bool = False
    """Light: whether `Received` ends in Z (both observed; UTC either way)."""
    next_link: Literal["auto", "relative", "absolute"] = "auto"
    """Auto: relative in light JSON (observed), absolute elsewhere (OData convention)."""
    next_link_key: str = "odata.nextLink"
    """Light: a client of the live service looks for `@odata.nextLink` too."""
    next_link_keeps_format: bool = True
    """Whether the link repeats `$format`; the one observed (light) carries no other option."""
    page_size: int = 2000
    token_rule: Literal["key", "offset"] = "key"
    """Key: rows with Index above the token. Offset: rows from the token on, one row repeated."""
    order: Literal["ascending", "descending"] = "descending"
    """Unknown; the one sample of two rows descends."""
    partitions: bool = False
    """Rows of some recipients come before the others', each part in order (unknown)."""
    ties: Literal["stable", "unstable"] = "stable"
    """Unstable: rows of the same time come in another order at each request (unknown)."""
    bounds: Literal["[]", "[)", "()"] = "[]"
    """Which ends of the window are part of it (unknown)."""
    wall_token: int | None = 999_999
    """`$skiptoken` from this value on is answered by status 500 (observed); None for no wall."""
    truncate: bool = False
    """Give the first page only, without a next link, however much there is."""
    empty_pages: Literal["never", "first", "every"] = "never"
    """Put an empty page that has a next link before the first page, or before every page."""
    history_days: int | None = 10
    """Whole days before today that a window may begin (documented 30, observed 10)."""
    history_rule: Literal["refuse", "hide"] = "refuse"
    """What is too old: an error (observed), or rows that silently are not there (observed)."""
    history_status: int = 400
    """Status of that error (unknown: 400 or 500)."""
    refuse_above_rows: int | None = None
    """A window that shows more rows is refused as too large."""
    refuse_status: int = 400
    basic_auth: bool = False
    """Accept account and password (withdrawn by Microsoft; status 401 when off)."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Account name to password."""
    retired: Literal["no", "403", "404", "html"] = "no"
    """What a tenant without the service is told (unknown)."""
    absent_ip: Literal["null", "turns"] = "null"
    """How an absent `ToIP` or `FromIP` is written: null (observed), or null and empty by turns."""
    etags: bool = False
    """Each row has an etag, another one in each answer."""
    recipients_shown: int | None = None
    """Of a message to more recipients, only so many are shown unless its id is asked for (documented
    for Get-MessageTraceV2 with 1000; unknown here)."""
    bad_records: BadAnswer | None = None
    """What becomes of pages that hold a record of `sandbox.bad_records`; None: they are as others."""
    gzip: bool = False
    """Compress answers for clients that accept it."""
