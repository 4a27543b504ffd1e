"""From facts to the frames of a cube: what is counted, under which day, and each user once.

Rows become counts in :func:`_counted`, and users in :func:`_distinct`; the rest says of which rows: runs, messages, visits,
goals and ways, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast, get_args
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.facts import OUTCOMES, Facts
from journey_nb.journey import Journey
from journey_nb.metrics import ways
from journey_nb.metrics.counts import (
    ANSWERED,
    DEPARTURES,
    FLAGS,
    ISSUES,
    MESSAGE_METRICS,
    RESPONSES,
    USERS_OF,
    bucket,
    length,
)
from journey_nb.metrics.scope import Clock, Scope
from journey_nb.metrics.table import COUNT
from journey_nb.period import midnight

CLOCK = pl.Enum(get_args(Clock))
VERSION = pl.Int32()
# The number of a day before all days.
NEVER = -(2**31)
OF_VERSION = ".version"
"""Ends the name of a measure of users that counts them in each version anew."""


def frames(scope: Scope) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The rows, the durations and the ways of all that happened, as :class:`journey_nb.metrics.cube.Cube` describes them."""
    journey, facts, days = scope.journey, scope.facts, Days.of(scope.journey, scope.facts)
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
    return pl.concat(rows, how="diagonal_relaxed"), pl.concat(durations, how="diagonal_relaxed"), went


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
