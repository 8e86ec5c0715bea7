"""Numbers and times in words: pure."""

from datetime import datetime, timedelta

_UNITS = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)


def count(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    plural = noun[:-2] + "ches" if noun.endswith("ch") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def span(time: timedelta) -> str:
    """``time`` in its largest fitting unit, to one digit after the point: ``1.5 hours``."""
    name, unit = next((each for each in _UNITS if abs(time) >= each[1]), _UNITS[-1])
    number = f"{abs(time) / unit:.1f}".removesuffix(".0")
    return f"{number} {name}" if number == "1" else f"{number} {name}s"


def moment(instant: datetime) -> str:
    """``2026-11-23 14:30:05 UTC``."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
