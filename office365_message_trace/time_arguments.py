"""Parses times as people type them."""

import re
from datetime import UTC, datetime, timedelta

FORMS = (
    "Enter a time such as 2026-11-23, 2026-11-23T14:30 (UTC), 2026-11-23T14:30+01:00, 'now', "
    "'today', 'yesterday', '30m ago', '2h ago' or '3 days ago'."
)

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s+ago")
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

    A time without a zone is UTC. A date alone, ``today`` and ``yesterday`` mean the start of that day.
    Raises ValueError with a sentence that lists the forms.
    """
    lower = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if lower in named:
        return named[lower]
    try:
        return _before(now, lower) if lower.endswith("ago") else _instant(text.strip())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text}' is not a time that is understood here. {FORMS}") from error


def _before(now: datetime, text: str) -> datetime:
    match = _AGO.fullmatch(text)
    unit = match and (_UNITS.get(match[2]) or _UNITS.get(match[2].removesuffix("s")))
    if not match or not unit:
        raise ValueError(text)
    return now - float(match[1]) * unit


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
