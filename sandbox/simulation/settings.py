"""The settings of the collector in a run, and how they change between two starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta as duration
from random import Random

from office365_message_trace.collect.coverage import Policy

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Settings:
    """As in the trigger's form: minutes, seconds, hours, hours, events."""

    timedelta: int = 5
    frequency: int = 60
    lookback: int = 24
    start_time: int = 1
    chunk_size: int = 1000

    @property
    def policy(self) -> Policy:
        """The same for the collector."""
        return Policy(
            delay=duration(minutes=self.timedelta),
            frequency=duration(seconds=self.frequency),
            lookback=duration(hours=self.lookback),
        )

    @property
    def first_start(self) -> duration:
        """How far back the very first read begins."""
        return duration(hours=self.start_time)

    @property
    def delay_ms(self) -> int:
        """`timedelta` in milliseconds."""
        return self.timedelta * MINUTE_MS

    @property
    def frequency_ms(self) -> int:
        """`frequency` in milliseconds."""
        return self.frequency * 1000

    @property
    def lookback_ms(self) -> int:
        """`lookback` in milliseconds."""
        return self.lookback * HOUR_MS

    @property
    def reach_ms(self) -> int:
        """Up to what age rows are looked for, in milliseconds."""
        return max(self.lookback_ms, self.delay_ms)


@dataclass(frozen=True, slots=True)
class Range:
    """How far an edit of the settings goes in a run: `lookback` in hours, `timedelta` in minutes."""

    lookback: int = 8
    timedelta: int = 240


def draw_settings(rng: Random) -> Settings:
    """Settings of every kind, the usual ones most often."""
    minutes = rng.choice((5, 5, 5, 5, 0, 1, 10, 30, 60, 240))
    hours = rng.choice((0, 1, 1, 2, 2, 3, 3, 6, 6, 12, 24))
    start = rng.choice((0, 1, 1, 1, 6, 24, 72))
    odd = rng.random()
    if odd < 0.05:
        minutes, hours = 1440, 24
    elif odd < 0.09:
        hours = rng.choice((48, 72))
    elif odd < 0.11:
        minutes = rng.choice((2880, 10_080))
    elif odd < 0.14:
        start = rng.choice((120, 240))
    return Settings(
        timedelta=minutes,
        frequency=rng.choice((60, 120, 300, 600, 600, 1800, 3600)),
        lookback=hours,
        start_time=start,
        chunk_size=rng.choice((5, 20, 1000, 1000, 1000)),
    )


def draw_range(rng: Random) -> Range:
    """Mostly short, because a run lasts as long as the longest look-back that may come."""
    return rng.choice((Range(), Range(), Range(), Range(24, 240), Range(8, 1440), Range(72, 1440)))


def changed(rng: Random, settings: Settings, limits: Range) -> Settings:
    """The settings after somebody edited them; `start_time` only matters once."""

    def within(choices: tuple[int, ...], most: int) -> int:
        return rng.choice([each for each in choices if each <= most])

    match rng.randrange(3):
        case 0:
            minutes = within((0, 5, 10, 30, 60, 240, 1440), limits.timedelta)
            return replace(settings, timedelta=minutes)
        case 1:
            return replace(settings, frequency=rng.choice((60, 120, 300, 600, 3600)))
        case _:
            hours = within((0, 1, 2, 4, 8, 24, 72), limits.lookback)
            return replace(settings, lookback=hours)
