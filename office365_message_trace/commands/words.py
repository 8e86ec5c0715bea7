"""Numbers and times in words: pure."""

from datetime import datetime

from office365_message_trace.model import span

__all__ = ["count", "moment", "span"]


def count(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    plural = noun[:-2] + "ches" if noun.endswith("ch") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def moment(instant: datetime) -> str:
    """``2026-11-23 14:30:05 UTC``."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
