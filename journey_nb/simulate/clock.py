"""The journey's own clocks over the span of a log, in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC as utc
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from journey_nb.simulate.arrays import Array

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Clock:
    """The journey's local time over the span of the log, with its changes of offset."""

    start: int
    end: int
    changes: Array
    offsets: Array

    @classmethod
    def of(cls, zone: str, start: int, days: int) -> Clock:
        """The clock of a zone for that many local days."""
        instants = pl.Series(np.arange(start - 2 * DAY, start + (days + 40) * DAY, 15 * MINUTE)).cast(
            pl.Datetime("us", "UTC")
        )
        local = instants.dt.convert_time_zone(zone)
        offsets = (local.dt.replace_time_zone(None).to_physical() - instants.to_physical()).to_numpy()
        turns = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
        clock = cls(start, 0, instants.to_physical().to_numpy()[turns], offsets[turns])
        last = np.array([clock.day(start) + days]) * DAY
        return replace(clock, end=int(clock.utc(last)[0]))

    def day(self, at: int) -> int:
        """The local day of an instant, counted from 1970."""
        return int(self.local(np.array([at]))[0] // DAY)

    def local(self, at: Array) -> Array:
        """What the clocks show at an instant."""
        offset: Array = self.offsets[np.searchsorted(self.changes, at, side="right") - 1]
        return at + offset

    def utc(self, local: Array) -> Array:
        """The instant of a local time; one that the clocks skip is read an hour on."""
        guess = local - (self.local(local) - local)
        instant: Array = local - (self.local(guess) - guess)
        return instant

    def next(self, at: Array, time: str) -> Array:
        """The first instant from then on at which the clocks show that time."""
        local = self.local(at)
        target = local // DAY * DAY + time_of_day(time)
        return np.maximum(self.utc(np.where(target < local, target + DAY, target)), at)

    def within(self, at: Array, opens: str, closes: str) -> Array:
        """Whether the clocks show a time in [opens, closes), which may go over midnight."""
        time, low, high = self.local(at) % DAY, time_of_day(opens), time_of_day(closes)
        return (low <= time) & (time < high) if low <= high else (low <= time) | (time < high)

    def due(self, at: Array, settings: Mapping[str, Any], default: int) -> Array:
        """The end of a wait: so many days, hours and minutes on, or that many local days on at a time."""
        minutes = settings.get("days", 0) * 1440 + settings.get("hours", 0) * 60 + settings.get("minutes", 0)
        span = round(minutes * MINUTE)
        if "at" in settings:
            day = (self.local(at) + span) // DAY * DAY
            due = self.utc(day + time_of_day(settings["at"]))
            return np.where(due < at, self.next(at, settings["at"]), due)
        return at + (span or default)


def micros(at: datetime | None) -> int:
    """Microseconds since 1970; no time is the beginning."""
    return (at - datetime(1970, 1, 1, tzinfo=utc)) // timedelta(microseconds=1) if at else 0


def time_of_day(text: str) -> int:
    """How long after midnight the clocks show that time."""
    hours, minutes = text.split(":")[:2]
    return (int(hours) * 60 + int(minutes)) * MINUTE
