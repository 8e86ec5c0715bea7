"""Parses times as people type them."""

import re
from datetime import UTC, datetime, timedelta

FORMS = (
    "Enter how long ago, such as 30m, 2h or 3d, or now, today, yesterday, or a time such as 2026-11-23, "
    "2026-11-23T14:30 (UTC) or 2026-11-23T14:30+01:00."
)

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)(?:\s+ago)?")
_UNITS = {
    "s": timedelta(seconds=1),
    "sec": timedelta(seconds=1),
    "second": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
}


def parse_time(text: str, now: datetime) -> datetime:
    """The instant in UTC that ``text`` means at ``now``.

    ``2h`` and ``2h ago`` are two hours before now. A time without a zone is UTC. A date alone, ``today`` and ``yesterday`` mean the start of that day.
    Raises ValueError with a sentence that lists the forms.
    """
    lower = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if lower in named:
        return named[lower]
    try:
        ago = _AGO.fullmatch(lower)
        return now - _span(*ago.groups()) if ago else _instant(text.strip())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text}' is not a time. {FORMS}") from error


def _span(number: str, unit: str) -> timedelta:
    length = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
    if not length:
        raise ValueError(unit)
    return float(number) * length


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
