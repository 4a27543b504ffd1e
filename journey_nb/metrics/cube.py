"""Cubes: the counts of a log by local day, small enough to be looked up and added.

A cube holds for each measure how often it happened on each local day of the journey: on the activity
clock the day of the event, on the cohort clock that on which its run was entered. Where users are
counted once, a row also knows the day on which the same user did the same before: distinct users of
``[F, T)`` are then the rows of its days whose day before lies before F. States are ledgers: what began
before an instant less what ended before it. So cubes of disjoint sets of users add, and a set can be
taken out again.

Counts of rows stand by version, and add up to those of all versions. Users do not: each of their
measures has another of its own, by version (:data:`OF_VERSION`).

What no sum can tell is kept beside a cube: :func:`steps`, :func:`standing` and :func:`assigned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import cast, get_args
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.facts import OUTCOMES, Facts
from journey_nb.journey import Journey
from journey_nb.metrics import ways
from journey_nb.metrics.assignments import at_all_points
from journey_nb.metrics.counts import (
    ANSWERED,
    DEPARTURES,
    FLAGS,
    ISSUES,
    MESSAGE_METRICS,
    RESPONSES,
    USERS_OF,
    Counts,
    bucket,
    length,
)
from journey_nb.metrics.scope import Clock, Scope
from journey_nb.metrics.table import COUNT, RATE
from journey_nb.period import TICK, midnight
from journey_nb.reading import read_arrow

WORD = pl.Categorical()
CLOCK = pl.Enum(get_args(Clock))
VERSION = pl.Int32()
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
NEVER = -(2**31)  # the number of a day before all days
OF_VERSION = ".version"
"""Ends the name of a measure of users that counts them in each version anew."""
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
        scope, days = of_all(journey, facts), Days.of(journey, facts)
        messages, visits, goals = _flagged(scope), _moved(journey, facts), _reached(scope)
        engaged, timed = _before_goals(messages, goals), _timed(visits)
        rows: list[pl.DataFrame] = []
        durations: list[pl.DataFrame] = []
        for calendar in (Calendar(days), Calendar(days, days.number(facts.runs["entered_at"]))):
            clock = pl.lit(calendar.clock, CLOCK).alias("clock")
            counted = (
                *_runs(facts.runs, calendar),
                *_messages(messages, engaged, calendar),
                *_stays(visits, calendar),
                *_goals(goals, calendar),
            )
            rows.append(pl.concat(counted, how="diagonal_relaxed").with_columns(clock))
            durations.append(_durations(timed, calendar).with_columns(clock))
        went = pl.concat(_ways(facts, goals, days), how="diagonal_relaxed")
        # One clock may have columns that the other has no rows for.
        told = pl.concat(rows, how="diagonal_relaxed")
        return cls(
            _as(told, ROWS), _as(pl.concat(durations, how="diagonal_relaxed"), DURATIONS), _as(went, WAYS)
        )

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


# Days.


@dataclass(frozen=True)
class Days:
    """The local calendar days of a log, numbered as dates are."""

    zone: ZoneInfo
    first: date
    last: date
    midnights: pl.Series

    @classmethod
    def of(cls, journey: Journey, facts: Facts) -> Days:
        """The days from the first event to the last."""
        zone = ZoneInfo(journey.timezone)
        first, last = (at.astimezone(zone).date() for at in (facts.first_at, facts.last_at))
        count = (last - first).days + 1
        begins = [midnight(first + timedelta(days=n), zone) for n in range(count)]
        return cls(zone, first, last, pl.Series(begins, dtype=pl.Datetime("us", "UTC")))

    def number(self, times: pl.Series) -> pl.Series:
        """The number of the day of each time; null at no time."""
        place = self.midnights.search_sorted(times, side="right").cast(pl.Int32)
        day = place + (self.first - date(1970, 1, 1)).days - 1
        return (
            day if not times.null_count() else pl.select(pl.when(times.is_not_null()).then(day)).to_series()
        )


@dataclass(frozen=True)
class Calendar:
    """Under which day a clock counts what happened: its own, or (with ``entered``) that on which its run was entered."""

    days: Days
    entered: pl.Series | None = None  # by run

    @property
    def clock(self) -> Clock:
        """The clock."""
        return "activity" if self.entered is None else "cohort"

    def dated(self, rows: pl.DataFrame, **times: str) -> pl.DataFrame:
        """Rows of runs with the numbers of days of some times, null where nothing has happened then."""
        if self.entered is None:
            return rows.with_columns(**{name: self.days.number(rows[time]) for name, time in times.items()})
        entered = self.entered.gather(rows["run"])
        happened = {name: pl.when(pl.col(time).is_not_null()).then(entered) for name, time in times.items()}
        return rows.with_columns(**happened)


# How rows become counts.


class _Packed:
    """Some Enums, days, buckets and versions of a frame as one integer: grouping by one is several times faster."""

    def __init__(self, frame: pl.DataFrame, names: Sequence[str]) -> None:
        self.places: list[tuple[str, pl.DataType, pl.Series | int, int]] = []
        self.size = 1
        for name in names:
            column, high = frame[name], 0
            dtype, low = column.dtype, cast("pl.Series | int", 0)
            if isinstance(dtype, pl.Enum):
                high = len(dtype.categories) - 1
            elif name == "version":  # of which there are few, and which may be any numbers
                low = pl.Series(sorted(set(column.unique()) - {None}), dtype=dtype)
                high = low.len() - 1
            elif (least := column.min()) is not None:
                low = cast(int, least)
                high = cast(int, column.max()) - low
            count = max(high, 0) + 2  # the last is for null
            self.places.append((name, dtype, low, count))
            self.size *= count

    def code(self) -> pl.Expr:
        """The integer of each row."""
        packed = pl.lit(0, pl.UInt64)
        for name, _, low, count in self.places:
            column = pl.col(name)
            code: pl.Expr
            if isinstance(low, pl.Series):
                code = pl.when(column.is_not_null()).then(pl.lit(low).search_sorted(column).cast(pl.Int64))
            else:
                code = column.to_physical().cast(pl.Int64) - low
            packed = packed * count + code.fill_null(count - 1).cast(pl.UInt64)
        return packed

    def columns(self, packed: pl.Expr) -> list[pl.Expr]:
        """The columns that an integer was made of."""
        columns = []
        for name, dtype, low, count in reversed(self.places):
            code, packed = packed % count, packed // count
            told = pl.when(code != count - 1)
            if isinstance(low, pl.Series):
                column: pl.Expr = pl.lit(low).gather(told.then(code), null_on_oob=True)
            else:
                column = told.then(code.cast(pl.Int32) + low)
            if isinstance(dtype, pl.Enum):
                column = column.cast(pl.UInt32).cat.to(dtype)
            # A word is now of one Enum, now of another.
            columns.append((column.cast(pl.String) if name == "word" else column).alias(name))
        return columns


def _counted(frame: pl.DataFrame, keys: Sequence[str], measures: dict[str, pl.Expr]) -> pl.DataFrame:
    """How many rows hold for each measure, by keys and version."""
    if frame.is_empty():
        return _nothing([*keys, "version"])
    packed, names = _Packed(frame, [*keys, "version"]), list(measures)
    # One query, and series: polars plans even a small query for longer than it takes to count some thousand numbers.
    told = frame.select(packed.code().alias("code"), **measures)
    code = told["code"]
    cells = [code.filter(told[name]) * len(names) + place for place, name in enumerate(names)]
    counts, cell = pl.concat(cells).value_counts(name="n"), pl.col("code")
    return counts.select(
        *packed.columns(cell // len(names)),
        pl.col("n").cast(COUNT),
        measure=pl.lit(pl.Series(names)).gather(cell % len(names)),
    )


def _nothing(keys: Sequence[str]) -> pl.DataFrame:
    """Counts of no row, without a query: a small load brings nothing of most that is counted."""
    return pl.DataFrame(schema={**dict.fromkeys(keys, pl.Null), "n": COUNT, "measure": pl.String})


def _once(frame: pl.DataFrame, keys: Sequence[str], measure: str) -> Iterator[pl.DataFrame]:
    """Users by keys and day (:func:`_distinct`), over all versions and in each."""
    yield (of_all := _distinct(frame, keys, measure))
    versions = frame["version"].unique()
    if versions.len() == 1:
        yield of_all.with_columns(version=pl.lit(versions[0], VERSION), measure=pl.lit(measure + OF_VERSION))
    else:
        yield _distinct(frame, [*keys, "version"], measure + OF_VERSION)


def _distinct(frame: pl.DataFrame, keys: Sequence[str], measure: str, who: str = "user") -> pl.DataFrame:
    """Users by keys, the day, and the day on which the same user did the same before."""
    if frame.is_empty():
        return _nothing([*keys, "day", "prev"])
    packed, day = _Packed(frame, keys), frame["day"]
    low, high = (cast(int, end or 0) for end in (day.min(), day.max()))
    # Twice as many places as days, so that two codes less than that number of days apart are of one user and key.
    days = high - low + 1
    size = packed.size * 2 * days
    whose = (pl.col(who).cast(pl.UInt64) * packed.size + packed.code()) * (2 * days)
    seen = frame.select(code=whose + (pl.col("day") - low).cast(pl.UInt64)).to_series().sort()
    gap = (pl.col("code") - pl.col("code").shift()).fill_null(days).clip(upper_bound=days)
    cell = pl.col("code") % size * (days + 1) + gap
    once_a_day = seen.to_frame().select(cell.filter(gap != 0)).to_series()
    gap, place = pl.col("code") % (days + 1), pl.col("code") // (days + 1)
    number = (place % (2 * days)).cast(pl.Int32) + low
    return once_a_day.value_counts(name="n").select(
        *packed.columns(place // (2 * days)),
        day=number,
        prev=pl.when(gap != days).then(number - gap.cast(pl.Int32)),
        n=pl.col("n").cast(COUNT),
        measure=pl.lit(measure),
    )


# Runs.


def _runs(facts: pl.DataFrame, calendar: Calendar) -> Iterator[pl.DataFrame]:
    runs = calendar.dated(facts, since="entered_at", until="left_at")
    stays = pl.col("inside") & pl.col("left_at").is_null()
    entered = runs.select("user", "version", stays.alias("stays"), point="entry_point", day="since")
    entered = entered.drop_nulls("day")
    yield _counted(entered, ["point", "day"], {"entrances": pl.lit(True)})
    yield from _once(entered, [], "entrants")
    left = runs.select("version", point="exit_point", word="reason", day="until").drop_nulls("day")
    yield _counted(left, ["point", "word", "day"], {"exits": pl.lit(True)})
    if calendar.clock == "activity":
        yield from _inside(runs.filter("inside").select("user", "version", "since", "until"))
    else:
        yield _counted(entered, ["day"], {"inside": pl.col("stays")})
        yield from _once(entered.filter("stays"), [], "inside_users")


def _inside(runs: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The ledgers of runs inside, and of users inside by one run or another: in all versions, and in each."""
    yield from _ledger(runs, "inside")
    yield from _ledger(_merged(runs).with_columns(version=pl.lit(None, VERSION)), "inside_users")
    for (version,), some in runs.group_by("version"):
        spans = _merged(some).with_columns(version=pl.lit(version, VERSION))
        yield from _ledger(spans, "inside_users" + OF_VERSION)


def _ledger(spans: pl.DataFrame, measure: str) -> Iterator[pl.DataFrame]:
    """A state: what began on a day (null: before the log does), and what ended on it, taken out."""
    yield _counted(spans.with_columns(day="since"), ["day"], {measure: pl.lit(True)})
    ended = spans.with_columns(day="until").drop_nulls("day")
    yield _counted(ended, ["day"], {measure: pl.lit(True)}).with_columns(-pl.col("n"))


def _merged(runs: pl.DataFrame) -> pl.DataFrame:
    """The spans of days through which users are inside by one run or another: since, until."""
    # Days are told within their user's stretch of numbers, so that one running maximum serves all users.
    ever, never, stretch = -(2**30), 2**30, 2**32
    start = pl.col("user").cast(pl.Int64) * stretch
    spans = runs.select(
        since=start + pl.col("since").fill_null(ever), until=start + pl.col("until").fill_null(never)
    )
    spans = spans.sort("since").with_columns(pl.col("until").cum_max())
    begins = (pl.col("since") > pl.col("until").shift()).fill_null(True)
    spans = spans.select("until", pl.when(begins).then("since").forward_fill().alias("since"), begins=begins)
    spans = spans.filter(pl.col("begins").shift(-1).fill_null(True))
    day = {name: (pl.col(name) + stretch // 2) % stretch - stretch // 2 for name in ("since", "until")}
    spans = spans.select(**{name: code.cast(pl.Int32) for name, code in day.items()})
    return spans.filter(
        pl.col("since") < pl.col("until")
    ).select(  # who comes and goes in a day is in at no midnight
        since=pl.when(pl.col("since") != ever).then("since"),
        until=pl.when(pl.col("until") != never).then("until"),
    )


# Messages.

_LATER = [name for name in MESSAGE_METRICS.values() if name not in ("sent", "failed", "skipped", "shown")]
_LENGTHS = pl.Enum([str(place) for place in range(len(RESPONSES))])


def _flagged(scope: Scope) -> pl.DataFrame:
    """All messages, and what they count as."""
    return scope.seen_messages.select(
        *("run", "user", "point", "channel", "version", "at", "sent_at", *ISSUES.values()),
        *(f"{name}_at" for name in _LATER),
        *("opened_any_at", "engaged_order"),
        *(flag.alias(name) for name, flag in FLAGS.items()),
    )


def _before_goals(messages: pl.DataFrame, goals: pl.DataFrame) -> pl.DataFrame:
    """Messages engaged with before their run reached a goal, for each goal and (null) any."""
    goals = goals.select("run", "goal", "order")
    goals = pl.concat([goals, goals.with_columns(goal=pl.lit(None, goals.schema["goal"]))])
    latest = goals.group_by("run", "goal").agg(pl.col("order").max())
    engaged = messages.filter(pl.col("sent"), pl.col("engaged_order").is_not_null())
    return engaged.join(latest, on="run").filter(pl.col("engaged_order") < pl.col("order"))


def _messages(every: pl.DataFrame, engaged: pl.DataFrame, calendar: Calendar) -> Iterator[pl.DataFrame]:
    key = ["point", "channel"]
    origins = _counted(every, key, {"origins": pl.lit(True)})
    yield origins
    yield _counted(every.drop_nulls("opened_any_at"), ["channel"], {"opens": pl.lit(True)})
    messages = calendar.dated(every, day="at").drop_nulls("day")
    # In a cohort all that becomes of a message stands on the day of its sending.
    later = _LATER if calendar.clock == "activity" else []
    at_once = {f"message.{name}": pl.col(name) for name in FLAGS if name not in later}
    yield _counted(messages, [*key, "day"], at_once).with_columns(on="day")
    for name in _found(messages, later):
        flagged = messages.select("run", *key, "version", "day", f"{name}_at", name).filter(name)
        flagged = calendar.dated(flagged, on=f"{name}_at")
        yield _counted(flagged, [*key, "day", "on"], {f"message.{name}": pl.lit(True)})
    several = origins.select(key).unique()["point"].is_duplicated().any()
    for name in _found(messages, USERS_OF):
        flagged = messages.select("user", *key, "version", "day", name).filter(name)
        yield from _once(flagged, ["channel"], f"users.{name}.channel")
        yield from _once_at_points(flagged, [], f"users.{name}", several)
    for name in _found(messages, ANSWERED):
        answered = messages.select("point", "version", "day", "sent_at", f"{name}_at", name).filter(name)
        lengths = length(answered[f"{name}_at"] - answered["sent_at"], RESPONSES)
        answered = answered.with_columns(word=lengths.cast(pl.UInt32).cat.to(_LENGTHS))
        yield _counted(answered, ["point", "word", "day"], {f"response.{name}": pl.lit(True)})
    for outcome in _found(messages, ISSUES):
        issues = messages.select(*key, "version", "day", outcome, word=ISSUES[outcome]).filter(outcome)
        yield _counted(issues, [*key, "word", "day"], {f"issue.{outcome}": pl.lit(True)})
    engaged = calendar.dated(engaged, day="at").drop_nulls("day")
    if engaged.height:
        yield from _once_at_points(engaged, ["goal"], "after", several)


def _found(messages: pl.DataFrame, flags: Iterable[str]) -> list[str]:
    """The flags that some message has: a small load has few, and each is counted by a dozen queries."""
    return [name for name in flags if messages[name].any()]


def _once_at_points(
    messages: pl.DataFrame, keys: Sequence[str], measure: str, several: bool
) -> Iterator[pl.DataFrame]:
    """Users by point, and by point and channel: the same where no point has several channels."""
    both = _once(messages, [*keys, "point", "channel"], f"{measure}.point.channel")
    for users, of in zip(both, ("", OF_VERSION), strict=True):
        yield users
        if not several:
            yield users.drop("channel").with_columns(measure=pl.lit(f"{measure}.point{of}"))
    if several:
        yield from _once(messages, [*keys, "point"], f"{measure}.point")


# Visits.


def _moved(journey: Journey, facts: Facts) -> pl.DataFrame:
    """All visits, with what became of them."""
    keys = sorted({branch.key for version in journey.versions for branch in version.branches})
    visits = facts.visits
    return visits.select(
        *("run", "user", "point", "outcome", "skip_at", "traversed", "to_point", "version", "left_version"),
        *("arrived_at", "left_at"),
        word=pl.when("known").then(pl.col("branch").cast(pl.Enum(keys))),
        reason=facts.runs["reason"].gather(visits["run"]),
    )


def _timed(visits: pl.DataFrame) -> pl.DataFrame:
    """The completed visits whose arrival is known, with the bucket of their duration."""
    completed = visits.filter(pl.col("outcome") == "completed", pl.col("arrived_at").is_not_null())
    micros = (completed["left_at"] - completed["arrived_at"]).dt.total_microseconds()
    return completed.select("run", "point", "version", "left_at", bucket(micros))


def _stays(every: pl.DataFrame, calendar: Calendar) -> Iterator[pl.DataFrame]:
    key = ["point", "day"]
    visits = calendar.dated(every, since="arrived_at", until="left_at")
    if calendar.clock == "activity":
        begins = _counted(visits.with_columns(day="since"), key, {"visit.entered": pl.lit(True)})
        yield begins.with_columns(measure=pl.lit("standing"))
        yield begins.drop_nulls("day")
    else:
        flags = {"visit.entered": pl.lit(True), "standing": pl.col("left_at").is_null()}
        yield _counted(visits.with_columns(day="since").drop_nulls("day"), key, flags)
    visits = visits.with_columns(day="until").drop_nulls("day")
    departures = {f"visit.{name}": flag.fill_null(False) for name, flag in DEPARTURES.items()}
    ends = _counted(visits, key, departures)
    yield ends
    if calendar.clock == "activity":
        ended = ends.filter(pl.col("measure").is_in([f"visit.{name}" for name in OUTCOMES.categories]))
        yield ended.with_columns(-pl.col("n"), measure=pl.lit("standing"))
    taken = visits.filter("traversed").with_columns(version="left_version")
    ways = _counted(taken, ["point", "word", "to_point", "day"], {"taken": pl.lit(True)})
    yield ways.drop("to_point")
    came = ways.filter(pl.col("to_point").is_not_null()).drop("point", "word")
    yield came.rename({"to_point": "point"}).with_columns(measure=pl.lit("came"))
    yield from _once(taken, ["point", "word"], "takers")


def _durations(timed: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    stays = calendar.dated(timed, day="left_at").drop_nulls("day")
    return _counted(stays, ["point", "bucket", "day"], {"durations": pl.lit(True)}).drop("measure")


# Goals.


def _reached(scope: Scope) -> pl.DataFrame:
    """All goals, in order of time."""
    goals = scope.seen_goals
    return goals.select(
        *("run", "user", "goal", "at", "order", "value", "currency", "here", "credit"),
        point="credit_point",
        channel="credit_channel",
        version=scope.facts.runs["version"].gather(goals["run"]),
    )


def _goals(every: pl.DataFrame, calendar: Calendar) -> Iterator[pl.DataFrame]:
    goals = calendar.dated(every, day="at").drop_nulls("day")
    if goals.is_empty():
        return
    yield _counted(goals, ["goal", "day"], {"goal.events": pl.lit(True)})
    yield _distinct(goals, ["goal"], "goal.runs", who="run")
    carried = goals.filter(pl.col("value").is_not_null()).group_by("goal", "day", word="currency")
    yield carried.agg(pl.col("value").sum(), n=pl.len(), measure=pl.lit("goal.value"))
    yield _firsts(goals, "goal").with_columns(measure=pl.lit("credited"))
    yield _firsts(goals).with_columns(measure=pl.lit("credited.any"))
    here = _first_of_runs(goals)
    yield _goals_here(here).with_columns(measure=pl.lit("goal.here"))
    yield _goals_here(here, "version").with_columns(measure=pl.lit("goal.here" + OF_VERSION))


def _firsts(goals: pl.DataFrame, *of: str) -> pl.DataFrame:
    """Users' first reachings in a period (``of`` each goal, or any), with the day of the one before."""
    whose = ["user", *of]
    firsts = goals.unique([*whose, "day"], keep="first", maintain_order=True)
    firsts = firsts.with_columns(prev=pl.col("day").shift().over(whose), on="day", n=pl.lit(1, COUNT))
    overlap = firsts.filter((pl.col("prev") > pl.col("day")).any().over(whose))
    if overlap.height:
        others = firsts.join(overlap.select(whose).unique(), on=whose, how="anti")
        firsts = pl.concat([others, *_overlapping(overlap, whose)], how="diagonal")
    keys = (*of, "point", "channel", "version", "day", "prev", "on")
    return firsts.group_by(*keys, word=pl.col("credit").cast(pl.String)).agg(pl.col("n").sum())


def _overlapping(firsts: pl.DataFrame, whose: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Reachings in order of time where that is not the order of their cohorts: an earlier one may be of a later cohort.

    One is the first where the period begins after the latest ``prev`` of those before it, as elsewhere, and ends
    before the earliest ``until``: what ends after that is taken out again for all that begins up to its own day.
    """
    rows = firsts.drop("prev").with_row_index("place")
    earlier = rows.select(*whose, other="day", before="place")
    pairs = rows.select("place", "day", *whose).join(earlier, on=whose)
    pairs = pairs.filter(pl.col("before") < pl.col("place"))
    other, day = pl.col("other"), pl.col("day")
    ends = pairs.group_by("place").agg(
        prev=other.filter(other < day).max(), until=other.filter(other > day).min()
    )
    rows = rows.join(ends, on="place", how="left")
    yield rows
    late = rows.filter(pl.col("until").is_not_null())
    yield late.with_columns(day="until", n=-pl.col("n"))
    yield late.with_columns(day="until", prev="day")


def _first_of_runs(goals: pl.DataFrame) -> pl.DataFrame:
    """What was a run's first reaching of a period that begins after ``prev`` and not after ``day``, where it stood then."""
    firsts = goals.unique(["run", "day"], keep="first", maintain_order=True)
    firsts = firsts.with_columns(prev=pl.col("day").shift().over("run").fill_null(NEVER))
    return firsts.filter(pl.col("here").is_not_null()).select("user", "version", "day", "prev", point="here")


def _goals_here(spans: pl.DataFrame, *of: str) -> pl.DataFrame:
    """Users by the point where a run of theirs stood as it reached its first goal of a period (``of`` each version).

    Of several runs of a user at one point the earliest ``day`` counts, span by span of days on which a
    period may begin.
    """
    whose = ["user", "point", *of]
    spans = spans.select(*whose, "day", "prev")
    alone = spans.filter(~pl.struct(whose).is_duplicated()).with_columns(n=pl.lit(1, COUNT))
    several = spans.filter(pl.struct(whose).is_duplicated())
    edges = pl.concat([several.select(*whose, edge="prev"), several.select(*whose, edge="day")]).unique()
    edges = edges.sort(*whose, "edge").with_columns(until=pl.col("edge").shift(-1).over(whose))
    earliest = (
        edges.join(several, on=whose, nulls_equal=True)
        .filter(pl.col("prev") <= pl.col("edge"), pl.col("until") <= pl.col("day"))
        .group_by(*whose, "edge", "until")
        .agg(pl.col("day").min())
    )
    # What begins in (edge, until] and ends after the day: as what begins after the edge less what does after until.
    more = earliest.select(*whose, "day", prev="edge", n=pl.lit(1, COUNT))
    less = earliest.filter(pl.col("until") < pl.col("day"))
    less = less.select(*whose, "day", prev="until", n=pl.lit(-1, COUNT))
    key = (*whose[1:], "day", "prev")
    rows = pl.concat([part.select(*key, "n") for part in (alone, more, less)])
    counts = rows.group_by(key).agg(pl.col("n").sum()).filter(pl.col("n") != 0)
    return counts.with_columns(prev=pl.when(pl.col("prev") != NEVER).then("prev"))


# Ways.


def _ways(facts: Facts, goals: pl.DataFrame, days: Days) -> Iterator[pl.DataFrame]:
    visits, path = facts.visits.select("run", point=ways.coded(facts.visits["point"])), pl.col("path")
    taken = ways.of_runs(visits).select(
        "run", word=ways.as_text(path), once=ways.as_text(ways.without_loops(path))
    )
    words = pl.Enum(pl.concat([taken["word"], taken["once"]]).unique())
    firsts = goals.unique("run", keep="first", maintain_order=True)  # they are in order of time
    runs = facts.runs.select("run", "user", day=days.number(facts.runs["entered_at"])).drop_nulls("day")
    entered = (
        runs.join(taken, on="run")
        .join(firsts.select("run", on=days.number(firsts["at"])), on="run", how="left")
        .with_columns(pl.col("word", "once").cast(words), version=pl.lit(None, VERSION))
    )
    yield _counted(entered, ["word", "day"], {"runs": pl.lit(True)})
    yield _counted(entered.drop_nulls("on"), ["word", "day", "on"], {"converted": pl.lit(True)})
    yield _distinct(entered, ["word"], "users")
    yield _distinct(entered.select("user", "day", word="once"), ["word"], "users.once")
