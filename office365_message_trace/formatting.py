"""Formats numbers and times: pure."""

from datetime import datetime, timedelta

from office365_message_trace.model import span

__all__ = ["count", "late_sentence", "moment", "span"]


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 row``, ``2,000 rows``."""
    plural = noun[:-2] + "ches" if noun.endswith("ch") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def moment(instant: datetime) -> str:
    """An instant to the second: ``2026-11-23 14:30:05 UTC``."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def late_sentence(usual_lag: timedelta) -> str:
    """Meaning of a live edge that is further behind than ``usual_lag``, and what to do."""
    return (
        f"at most {span(usual_lag)} are usual, so the trigger does not run, or waits: start it, or see in "
        "its log or by the command status what it waits for."
    )
