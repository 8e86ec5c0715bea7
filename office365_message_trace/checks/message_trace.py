"""Checks that Microsoft's message trace gives rows, and how fresh they are."""

from datetime import datetime, timedelta

from office365_message_trace.checks.findings import Finding, failure, kind_of, ok, warning
from office365_message_trace.errors import MessageTraceError, Throttled, Unavailable, Unreachable
from office365_message_trace.formatting import count, span
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import Page, Window, instant

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def access_findings(source: ODataClient, now: datetime) -> list[Finding]:
    """The findings of one small request, or of two if there was no mail in the last hour."""
    end = now.replace(microsecond=0)
    try:
        page, more = _first_page(source, Window(end - _HOUR, end))
        if page.rows:
            return [_readable(source), _freshness(page, more, now)]
        page, more = _first_page(source, Window(end - _DAY, end))
    except MessageTraceError as problem:
        return [_refused(source, problem)]
    return [_readable(source), _quiet(page, more, now)]


def _first_page(source: ODataClient, window: Window) -> tuple[Page, bool]:
    """The source's first page. An odd refusal is believed only if it comes twice."""
    try:
        return source.first_page(window)
    except Unavailable as odd:
        if not odd.lasting:
            raise
    try:
        return source.first_page(window)
    except Unavailable as again:
        raise again.as_lasting() from None


def _readable(source: ODataClient) -> Finding:
    return ok("message trace", f"{source.name} answers these credentials")


def _refused(source: ODataClient, problem: MessageTraceError) -> Finding:
    if not isinstance(problem, Unavailable):
        return failure("message trace", kind_of(problem), str(problem))
    detail = f" [{problem.detail}]" if problem.detail else ""
    text = problem.about(source.name)
    if isinstance(problem, Throttled):
        return warning(
            "message trace",
            kind_of(problem),
            f"{text} The tenant's requests are spent, by this module or other tools; check "
            f"again in {span(timedelta(seconds=problem.retry_after or 0))}.{detail}",
        )
    if isinstance(problem, Unreachable):
        return failure("message trace", kind_of(problem), f"{text}{detail}")
    return failure(
        "message trace",
        kind_of(problem),
        f"{text} A trigger tries again until it does. If it lasts, see Microsoft 365 admin center > "
        f"Health > Service health; a tenant that has lost the service may get such answers too.{detail}",
    )


def _freshness(page: Page, more: bool, now: datetime) -> Finding:
    rows = ("at least " if more else "") + count(len(page.rows), "row")
    return ok("fresh mail", f"{rows} in the last hour; {_newest(page, now)}")


def _quiet(page: Page, more: bool, now: datetime) -> Finding:
    if not page.rows:
        return warning(
            "fresh mail",
            "none",
            "No row in the last 24 hours. If the tenant had mail, compare tenant_id with its "
            "Directory (tenant) ID: this may be another tenant.",
        )
    rows = ("at least " if more else "") + count(len(page.rows), "row")
    return ok("fresh mail", f"none in the last hour, {rows} in 24 hours; {_newest(page, now)}")


def _newest(page: Page, now: datetime) -> str:
    newest = instant(max(row.received for row in page.rows))
    return f"the newest was received {span(now - newest)} ago"
