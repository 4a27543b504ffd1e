"""Cubes: the counts of a log by local day, small enough to be looked up and added.

A cube holds for each measure how often it happened on each local day of the journey: on the activity
clock the day of the event, on the cohort clock that on which its run was entered. Where users are
counted once, a row also knows the day on which the same user did the same before: distinct users of
``[F, T)`` are then the rows of its days whose day before lies before F. States are ledgers: what began
before an instant less what ended before it. So cubes of disjoint sets of users add, and a set can be
taken out again.

Counts of rows stand by version, and add up to those of all versions. Users do not: each of their
measures has another of its own, by version (:data:`journey_nb.metrics.cube_frames.OF_VERSION`).

What no sum can tell is kept beside a cube: :func:`steps`, :func:`standing` and :func:`assigned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import cast, get_args

import polars as pl

from journey_nb.facts import Facts
from journey_nb.journey import Journey
from journey_nb.metrics.assignments import at_all_points
from journey_nb.metrics.counts import Counts
from journey_nb.metrics.cube_frames import CLOCK, OF_VERSION, VERSION, frames
from journey_nb.metrics.scope import Clock, Scope
from journey_nb.metrics.table import COUNT, RATE
from journey_nb.period import TICK
from journey_nb.reading import read_arrow

WORD = pl.Categorical()
KEYS = ("point", "channel", "goal", "word")
MEASURED = ("measure", *KEYS)
ROWS: dict[str, pl.DataType] = {
    "clock": CLOCK,
    "measure": WORD,
    **dict.fromkeys(KEYS, WORD),
    "version": VERSION,
    "day": pl.Date(),
    "prev": pl.Date(),
    "on": pl.Date(),
    "n": COUNT,
    "value": RATE,
}
DURATIONS: dict[str, pl.DataType] = {
    "clock": CLOCK,
    "point": WORD,
    "bucket": pl.UInt16(),
    "version": VERSION,
    "day": pl.Date(),
    "n": COUNT,
}
WAYS: dict[str, pl.DataType] = {
    "measure": pl.Enum(["runs", "converted", "users", "users.once"]),
    "word": pl.String(),  # there may be as many as runs
    "day": pl.Date(),
    "prev": pl.Date(),
    "on": pl.Date(),
    "n": COUNT,
}
FRAMES = {"rows": ROWS, "durations": DURATIONS, "ways": WAYS}
"""The frames of a cube."""
LEDGERS = ("inside", "inside_users", "inside_users" + OF_VERSION, "standing")
"""Measures of a state on the activity clock: +1 where it begins, -1 where it ends; a null day is before the log begins.
On the cohort clock they count where runs of a day have come to in the end."""


@dataclass(frozen=True)
class Cube:
    """Counts by local day; small frames that add.

    Attributes
    ----------
    rows
        clock, measure, its keys (point, channel, goal, word: a branch, reason, currency, credit or length),
        version, day, prev (the day on which the same user did the same before), on (the day by which it is told in a series
        where that may be another), n, value.
    durations
        Completed stays by clock, point, bucket of their duration, version, and day.
    ways
        Runs that entered on a day, by the way they took in the end (word: :func:`journey_nb.metrics.ways.as_text`): how many, how
        many have reached a goal (on: the day of their first), of how many users (prev as above), and these by ways without loops.
    parts
        The cubes of which these frames were laid behind each other, if they were.
    """

    rows: pl.DataFrame
    durations: pl.DataFrame
    ways: pl.DataFrame
    parts: tuple[Cube, ...] = ()

    @classmethod
    def of(cls, journey: Journey, facts: Facts) -> Cube:
        """The cube of all that happened."""
        rows, durations, went = frames(of_all(journey, facts))
        return cls(_as(rows, ROWS), _as(durations, DURATIONS), _as(went, WAYS))

    @classmethod
    def together(cls, cubes: Sequence[Cube]) -> Cube:
        """Cubes that add, laid behind each other: who asks adds up anyway."""
        if len(cubes) == 1:
            return cubes[0]
        rows, durations, went = (pl.concat(getattr(cube, name) for cube in cubes) for name in FRAMES)
        return cls(rows, durations, went, tuple(cubes))

    @cached_property
    def by_clock(self) -> dict[str, Cube]:
        """What it holds of each clock, as a cube."""
        clocks: tuple[Clock, ...] = get_args(Clock)
        if self.parts:  # of which most stay as they are when something is loaded
            each = [part.by_clock for part in self.parts]
            return {clock: Cube.together([part[clock] for part in each]) for clock in clocks}
        return {
            clock: Cube(self.rows.filter(clock=clock), self.durations.filter(clock=clock), self.ways)
            for clock in clocks
        }

    @cached_property
    def legend(self) -> pl.DataFrame:
        """Every measure with its keys, by a number that is the same in all cubes: code, measure, point, channel, goal, word."""
        if self.parts:
            return pl.concat(part.legend for part in self.parts).unique("code")
        told = self.rows.select(MEASURED).unique().with_columns(pl.col(MEASURED).cast(pl.String))
        return told.select(pl.struct(MEASURED).hash().alias("code"), *MEASURED)

    @cached_property
    def coded(self) -> pl.DataFrame:
        """The rows, narrow, their measure and keys told by the code of the legend."""
        if self.parts:
            return pl.concat(part.coded for part in self.parts)
        legend = self.legend.with_columns(pl.col(MEASURED).cast(WORD))
        rows = self.rows.join(legend, on=MEASURED, nulls_equal=True)
        return rows.select("code", "version", "day", "prev", "on", "n", "value")

    def rows_of(self, first: date, stop: date) -> pl.DataFrame:
        """Of the coded rows those of the days from the first on and before the stop, each user once."""
        if self.is_within(first, stop):
            return self._firsts
        day, prev = pl.col("day"), pl.col("prev")
        return self.coded.filter((day >= first) & (day < stop) & (prev.is_null() | (prev < first)))

    def is_within(self, first: date, stop: date) -> bool:
        """Whether all of its days are from the first on and before the stop."""
        return first <= self._days[0] and self._days[1] < stop

    @cached_property
    def totals(self) -> pl.DataFrame:
        """What it counts of all days, each user once: code, n, value."""
        return summed(pl.concat(part.totals for part in self.parts) if self.parts else self._firsts)

    @cached_property
    def _firsts(self) -> pl.DataFrame:
        """Of the coded rows those that count where no day is left out: each user once."""
        if self.parts:
            return pl.concat(part._firsts for part in self.parts)
        return self.coded.filter(pl.col("day").is_not_null() & pl.col("prev").is_null())

    @cached_property
    def _days(self) -> tuple[date, date]:
        """The first and last day of which it holds counts; of none what is within any period."""
        if self.parts:
            first, last = zip(*(part._days for part in self.parts), strict=True)
            return min(first), max(last)
        days = pl.concat([self.rows["day"], self.durations["day"]])
        return cast(date, days.min() or date.max), cast(date, days.max() or date.min)

    @cached_property
    def states(self) -> pl.DataFrame:
        """Of the coded rows those of the ledgers, and those of no day."""
        if self.parts:
            return pl.concat(part.states for part in self.parts)
        ledgers = self.legend.filter(pl.col("measure").is_in(LEDGERS))["code"]
        return self.coded.filter(pl.col("day").is_null() | pl.col("code").is_in(ledgers.implode()))

    @cached_property
    def dayless(self) -> pl.DataFrame:
        """Of the coded rows those of no day."""
        if self.parts:
            return pl.concat(part.dayless for part in self.parts)
        return self.states.filter(pl.col("day").is_null())

    def stays(self, first: date, stop: date, version: int | None = None) -> pl.DataFrame:
        """Completed stays of the days from the first on and before the stop, of a version or all: point, bucket, stays."""
        if self.parts:
            each = pl.concat(part.stays(first, stop, version) for part in self.parts)
            return each.group_by("point", "bucket").agg(pl.col("stays").sum())
        if version is None and self.is_within(first, stop):
            return self._all_stays
        days = self._by_code.filter(pl.col("day") >= first, pl.col("day") < stop)
        return _stays_of(days if version is None else days.filter(version=version))

    @cached_property
    def _all_stays(self) -> pl.DataFrame:
        return _stays_of(self._by_code)

    @cached_property
    def _by_code(self) -> pl.DataFrame:
        """The durations by point and bucket as one number, in its order: they are summed without a hash table."""
        code = pl.col("point").to_physical().cast(pl.UInt64) * 2**16 + pl.col("bucket")
        return self.durations.select("version", "day", "n", code=code).drop_nulls("code").sort("code")

    @classmethod
    def sum(cls, parts: Iterable[tuple[int, Cube]]) -> Cube:
        """Cubes of disjoint sets of users added (+1), or taken out (-1) of one that holds them."""
        signed = list(parts)

        def added(name: str, schema: dict[str, pl.DataType]) -> pl.DataFrame:
            numbers = [column for column in ("n", "value") if column in schema]
            frames = [getattr(cube, name).with_columns(pl.col(numbers) * sign) for sign, cube in signed] or [
                pl.DataFrame(schema=schema)
            ]
            keys = [column for column in schema if column not in numbers]
            size = pl.col("value").abs().sum() if "value" in schema else pl.lit(None, RATE)
            both = pl.concat(frames).group_by(keys).agg(pl.col(numbers).sum(), size=size)
            # As many may have come as have gone, with other values; what is left by rounding is none.
            told = (pl.col("value").abs() > 1e-12 * pl.col("size")) if "value" in schema else pl.lit(False)
            return _as(both.filter((pl.col("n") != 0) | told.fill_null(False)), schema)

        rows, durations, went = (added(name, schema) for name, schema in FRAMES.items())
        return cls(rows, durations, went)

    def same(self, other: Cube) -> bool:
        """Whether both hold the same counts; sums of values may differ by rounding."""
        difference = Cube.sum([(1, self), (-1, other)])
        return not any(getattr(difference, name).height for name in FRAMES)

    def save(self, folder: Path) -> None:
        """Write the frames as Arrow IPC files into a folder, for :meth:`load`."""
        for name in FRAMES:
            frame: pl.DataFrame = getattr(self, name)
            frame.write_ipc(
                folder / f"cube_{name}.arrow", compression="zstd" if name == "ways" else "uncompressed"
            )

    @classmethod
    def load(cls, folder: Path) -> Cube:
        """A cube that :meth:`save` has written."""
        rows, durations, went = (read_arrow(folder / f"cube_{name}.arrow") for name in FRAMES)
        return cls(rows, durations, went)


def summed(rows: pl.DataFrame) -> pl.DataFrame:
    """Coded rows added up: code, n, value."""
    # Not as a lazy query: that may add values in another order each time, and a last digit would differ.
    return rows.group_by("code").agg(pl.col("n", "value").sum())


def _stays_of(days: pl.DataFrame) -> pl.DataFrame:
    counts, code = days.group_by("code").agg(stays=pl.col("n").sum()), pl.col("code")
    return counts.select(
        (code // 2**16).cast(pl.UInt32).cat.to(WORD).alias("point"),
        (code % 2**16).cast(pl.UInt16).alias("bucket"),
        "stays",
    )


def of_all(journey: Journey, facts: Facts) -> Scope:
    """All that happened, seen from the end."""
    return Scope(journey, facts, facts.first_at, facts.last_at + TICK, facts.last_at)


def standing(journey: Journey, facts: Facts) -> pl.DataFrame:
    """Every stay that is open in the end: :meth:`Counts.open_stays`."""
    return Counts(of_all(journey, facts)).open_stays()


def under_way(runs: pl.DataFrame, at: datetime) -> pl.Series:
    """The users (ids) with a run that began before an instant, or before the log does, and was not left by then."""
    began = pl.col("truncated") | (pl.col("first_at") < at)
    still = pl.col("left_at").is_null() | (pl.col("left_at") >= at)
    return runs.filter(began & still)["user"].unique().sort()


def assigned(journey: Journey, facts: Facts) -> pl.DataFrame:
    """What ever assigned anybody to a variant: :func:`journey_nb.metrics.assignments.at_all_points`."""
    return at_all_points(of_all(journey, facts))


def steps(facts: Facts) -> pl.DataFrame:
    """Completed stays by point and duration, so that one value of any rank can be found.

    Columns: point, micros, and what tells whether a stay counts: left_at, entered_at (of its run), version.
    """
    completed = facts.visits.select(
        *("point", "left_at", "outcome", "run", "version"),
        micros=(pl.col("left_at") - pl.col("arrived_at")).dt.total_microseconds(),
    )
    completed = completed.filter(pl.col("outcome") == "completed", pl.col("micros").is_not_null())
    # One number of both is sorted faster than two; of 64 bits it would hold but 256 points.
    by_point = pl.col("point").to_physical().cast(pl.Int128) * 2**64 + pl.col("micros")
    order = completed.select(by_point.arg_sort()).to_series()
    completed = completed.select(pl.col("point", "micros", "left_at", "run", "version").gather(order))
    entered = facts.runs["entered_at"].gather(completed["run"])
    return completed.select("point", "micros", "left_at", entered.alias("entered_at"), "version")


def _as(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The frame with these columns; a null one where it has none, words as categories of no journey."""
    missing = {name: pl.lit(None, dtype) for name, dtype in schema.items() if name not in frame.columns}
    words = [name for name in frame.columns if schema.get(name) == WORD]
    return frame.with_columns(pl.col(words).cast(pl.String), **missing).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )
