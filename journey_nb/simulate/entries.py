"""When people enter: for the first time, and once more."""

from __future__ import annotations

import numpy as np

from journey_nb.journey import Point
from journey_nb.simulate.arrays import Array
from journey_nb.simulate.clock import DAY, HOUR, MINUTE, NEVER, time_of_day
from journey_nb.simulate.runs import Runs

# How many come in each hour of the day.
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 9, 8, 7, 7, 8, 9, 10, 11, 11, 9, 6, 4], dtype=float)


def first(runs: Runs) -> tuple[Array, Array, Array]:
    """The users who ever enter, when, and by which of the entry points."""
    entries = runs.scenario.entries[0]
    user = np.flatnonzero(runs.people.joins)
    way = runs.luck.integers(0, len(entries), len(user))
    at = np.zeros(len(user), dtype=np.int64)
    for number, point in enumerate(entries):
        here = way == number
        at[here] = _times(runs, point, int(here.sum()))
    inside = (runs.clock.start <= at) & (at < runs.scenario.closes)
    return user[inside], at[inside], way[inside]


def further(runs: Runs, begin: int) -> tuple[Array, Array, Array]:
    """The same for those who come back after one of the runs from that number on."""
    left, user = runs.left[begin:], runs.user[begin:]
    back = (left < NEVER) & runs.luck.some(len(left), runs.act.reentry)
    at = left[back] + HOUR + (runs.luck.exponential(9.0, int(back.sum())) * DAY).astype(np.int64)
    inside = at < runs.scenario.closes
    return user[back][inside], at[inside], np.zeros(int(inside.sum()), dtype=np.int64)


def _times(runs: Runs, point: Point, count: int) -> Array:
    """Local days and hours at which people come: by their own doing, or all at the audience's hour."""
    clock, luck = runs.clock, runs.luck
    begin = clock.day(clock.start)
    days = clock.day(clock.end) - begin
    if point.type == "entry_audience":
        day = np.where(luck.some(count, 0.55), 0, luck.integers(0, max(days - 7, 1), count))
        hour = str(point.settings.get("at", "10:00"))
        moment = time_of_day(hour) + luck.integers(0, 20 * MINUTE, count)
    else:
        each = np.arange(days)
        weight = np.exp(-each / (1.5 * days)) * np.where((each + begin + 3) % 7 >= 5, 0.8, 1)
        day = luck.choice(days, count, p=weight / weight.sum())
        moment = luck.choice(24, count, p=HOURS / HOURS.sum()) * HOUR + luck.integers(0, HOUR, count)
    local = (begin + day) * DAY + moment
    # Where the hour of the first day is over, people come on the next.
    late = clock.utc(local) < clock.start
    return clock.utc(np.where(late, local + DAY, local))
