"""Cubes: the counts of a log by local day, small enough to be looked up and added.

A cube holds for each measure how often it happened on each local day of the journey. Where users are
counted once, a row also knows the day on which the same user did the same before: distinct users of
``[F, T)`` are then the rows of its days whose day before lies before F. States are ledgers: what began
before an instant less what ended before it. So cubes of disjoint sets of users add, and a set can be
taken out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.facts import Facts
from journey_nb.journey import Journey
from journey_nb.metrics.counts import (
    DEPARTURES,
    FLAGS,
    ISSUES,
    MESSAGE_METRICS,
    USERS_OF,
    Counts,
    bucket,
)
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, RATE
from journey_nb.period import TICK, midnight

WORD = pl.Categorical()
KEYS = ("point", "channel", "goal", "word")
ROWS: dict[str, pl.DataType] = {
    "measure": WORD,
    **dict.fromkeys(KEYS, WORD),
    "day": pl.Date(),
    "prev": pl.Date(),
    "on": pl.Date(),
    "n": COUNT,
    "value": RATE,
}
DURATIONS: dict[str, pl.DataType] = {"point": WORD, "bucket": pl.UInt16(), "day": pl.Date(), "n": COUNT}
OPEN: dict[str, pl.DataType] = {
    "point": WORD,
    "cause": WORD,
    "since": pl.Datetime("us", "UTC"),
    "due": pl.Datetime("us", "UTC"),
    "n": COUNT,
}
LEDGERS = ("inside", "inside_users", "standing")
"""Measures of a state: +1 where it begins, -1 where it ends; a null day is before the log begins."""


@dataclass(frozen=True)
class Cube:
    """Counts by local day; three small frames that add.

    Attributes
    ----------
    rows
        measure, its keys (point, channel, goal, word: a branch, reason, currency or credit), day, prev (the
        day on which the same user did the same before), on (the day of a message's outcome, where it is
        not that of the send), n, value.
    durations
        Completed stays by point, bucket of their duration, and day on which they ended.
    open
        Stays still open, by point, cause, since when and until when.
    """

    rows: pl.DataFrame
    durations: pl.DataFrame
    open: pl.DataFrame

    @classmethod
    def of(cls, journey: Journey, facts: Facts) -> Cube:
        """The cube of all that happened."""
        scope = Scope(journey, facts, facts.first_at, facts.last_at + TICK, facts.last_at)
        days = Days.of(journey, facts)
        visits, waiting = _visits(journey, facts, days), Counts(scope).open_stays()
        parts = [
            *_runs(facts.runs, days),
            *_messages(scope, days),
            *_stays(visits),
            *_goals(scope, days),
            _waiting(waiting),
        ]
        rows = pl.concat([_as(part, ROWS) for part in parts])
        still = waiting.group_by("point", "cause", "since", "due").agg(n=pl.len())
        return cls(rows, _durations(visits), _as(still, OPEN))

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
            both = pl.concat(frames).group_by(keys).agg(pl.col(numbers).sum())
            return _as(both.filter(pl.col("n") != 0), schema)

        return cls(added("rows", ROWS), added("durations", DURATIONS), added("open", OPEN))

    def save(self, folder: Path) -> None:
        """Write the frames as Arrow IPC files into a folder, for :meth:`load`."""
        for name in ("rows", "durations", "open"):
            getattr(self, name).write_ipc(folder / f"cube_{name}.arrow")

    @classmethod
    def load(cls, folder: Path) -> Cube:
        """A cube that :meth:`save` has written, mapped into memory."""
        return cls(*(pl.read_ipc(folder / f"cube_{name}.arrow") for name in ("rows", "durations", "open")))


def steps(facts: Facts) -> pl.DataFrame:
    """Completed stays by point and duration, so that one value of any rank can be found: point, micros, left_at."""
    completed = facts.visits.select(
        "point",
        "left_at",
        "outcome",
        micros=(pl.col("left_at") - pl.col("arrived_at")).dt.total_microseconds(),
    )
    completed = completed.filter(pl.col("outcome") == "completed", pl.col("micros").is_not_null())
    order = completed.select(
        (pl.col("point").to_physical().cast(pl.UInt64) * 2**56 + pl.col("micros").cast(pl.UInt64)).arg_sort()
    ).to_series()
    return completed.select(pl.col("point", "micros", "left_at").gather(order))


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


# How rows become counts.


def _packed(frame: pl.DataFrame, names: Sequence[str]) -> tuple[pl.Expr, int]:
    """Enums and days of a frame as one integer, and how many there can be: grouping by one is fastest."""
    packed, count = pl.lit(0, pl.UInt64), 1
    for name in names:
        dtype = frame.schema[name]
        low = 0 if isinstance(dtype, pl.Enum) else frame[name].min() or 0
        high = len(dtype.categories) if isinstance(dtype, pl.Enum) else frame[name].max() or 0
        size = int(high) - int(low) + 2  # type: ignore[arg-type]
        code = (pl.col(name).to_physical().cast(pl.Int64) - low).fill_null(size - 1).cast(pl.UInt64)
        packed, count = packed * size + code, count * size
    return packed, count


def _counted(frame: pl.DataFrame, keys: Sequence[str], measures: dict[str, pl.Expr]) -> pl.DataFrame:
    """How many rows hold for each measure, by keys (Enums and days)."""
    rows = frame.select(_packed(frame, keys)[0].alias("code"), *keys, **measures)
    counts = rows.group_by("code").agg(pl.col(keys).first(), pl.col(list(measures)).cast(COUNT).sum())
    long = counts.unpivot(index=keys, on=list(measures), variable_name="measure", value_name="n")
    return long.filter(pl.col("n") != 0)


def _distinct(frame: pl.DataFrame, keys: Sequence[str], measure: str, who: str = "user") -> pl.DataFrame:
    """Users by keys, the day, and the day on which the same user did the same before."""
    key, keys_count = _packed(frame, keys)
    day, days = _packed(frame, ["day"])
    legend = frame.group_by(key.alias("key")).agg(pl.col(keys).first())
    low = pl.lit(frame["day"].min(), pl.Int32)
    seen = frame.select(((pl.col(who).cast(pl.UInt64) * keys_count + key) * days + day).alias("code").sort())
    code, before = pl.col("code"), pl.col("code").shift()
    return (
        seen.filter(code.ne_missing(before))  # once a day is enough
        .select(
            key=code // days % keys_count,
            day=(code % days).cast(pl.Int32) + low,
            prev=pl.when(code // days == before // days).then(before % days).cast(pl.Int32) + low,
        )
        .group_by("key", "day", "prev")
        .agg(n=pl.len().cast(COUNT))
        .join(legend, on="key")
        .with_columns(measure=pl.lit(measure))
    )


def _ledger(frame: pl.DataFrame, keys: Sequence[str], measure: str) -> pl.DataFrame:
    """A state that begins on the day ``since`` (null: before the log does) and ends on ``until`` (null: never)."""
    begins = _counted(frame, [*keys, "since"], {measure: pl.lit(True)}).rename({"since": "day"})
    ends = _counted(frame.filter(pl.col("until").is_not_null()), [*keys, "until"], {measure: pl.lit(True)})
    return pl.concat([begins, ends.rename({"until": "day"}).with_columns(-pl.col("n"))])


# Runs.


def _runs(facts: pl.DataFrame, days: Days) -> Iterator[pl.DataFrame]:
    runs = facts.select(
        *("user", "inside", "reason"),
        entry=pl.col("entry_point"),
        point=pl.col("exit_point"),
        since=days.number(facts["entered_at"]),
        until=days.number(facts["left_at"]),
    )
    entered = runs.filter(pl.col("since").is_not_null()).select("user", point="entry", day="since")
    yield _counted(entered, ["point", "day"], {"entrances": pl.lit(True)})
    yield _distinct(entered, [], "entrants")
    left = runs.filter(pl.col("until").is_not_null()).select("point", word="reason", day="until")
    yield _counted(left, ["point", "word", "day"], {"exits": pl.lit(True)})
    inside = runs.filter("inside")
    yield _ledger(inside, [], "inside")
    yield _ledger(_merged(inside), [], "inside_users")


def _merged(runs: pl.DataFrame) -> pl.DataFrame:
    """The spans of days through which users are inside by one run or another: since, until."""
    since, until = pl.col("since").fill_null(-(2**31)), pl.col("until").fill_null(2**31 - 1)
    spans = runs.select("user", since=since, until=until).sort("user", "since")
    same = pl.col("user") == pl.col("user").shift()
    last = pl.col("until").cum_max().over("user").shift()
    spans = spans.with_columns(span=(~(same & (pl.col("since") <= last)).fill_null(False)).cum_sum())
    return (
        spans.group_by("span")
        .agg(pl.col("since").min(), pl.col("until").max())
        .filter(pl.col("since") < pl.col("until"))  # who comes and leaves on one day is inside at no midnight
        .select(
            since=pl.when(pl.col("since") > -(2**31)).then("since"),
            until=pl.when(pl.col("until") < 2**31 - 1).then("until"),
        )
    )


# Messages.


def _messages(scope: Scope, days: Days) -> Iterator[pl.DataFrame]:
    facts = scope.seen_messages
    messages = facts.select(
        *("run", "user", "point", "channel", *ISSUES.values(), "engaged_order"),
        *(flag.alias(name) for name, flag in FLAGS.items()),
        day=days.number(facts["at"]),
        **{f"on_{name}": days.number(facts[f"{name}_at"]) for name in MESSAGE_METRICS.values()},
    )
    key = ["point", "channel"]
    yield _counted(messages, key, {"origins": pl.lit(True)})
    yield _counted(facts.filter(pl.col("opened_any_at").is_not_null()), ["channel"], {"opens": pl.lit(True)})
    messages = messages.filter(pl.col("day").is_not_null())
    for name in FLAGS:
        flagged, on = messages.filter(name), f"on_{name}"
        if on not in messages.columns:
            yield _counted(flagged, [*key, "day"], {f"message.{name}": pl.lit(True)})
            continue
        flagged = flagged.select(*key, "day", on=pl.col(on))
        yield _counted(flagged, [*key, "day", "on"], {f"message.{name}": pl.lit(True)})
    for name in USERS_OF:
        flagged = messages.filter(name)
        for keys in (["channel"], ["point"], key):
            yield _distinct(flagged, keys, f"users.{name}.{'.'.join(keys)}")
    for outcome, reason in ISSUES.items():
        issues = messages.filter(outcome).select(*key, "day", word=reason)
        yield _counted(issues, [*key, "word", "day"], {f"issue.{outcome}": pl.lit(True)})
    yield from _after_interaction(
        scope, messages.filter(pl.col("sent"), pl.col("engaged_order").is_not_null())
    )


def _after_interaction(scope: Scope, engaged: pl.DataFrame) -> Iterator[pl.DataFrame]:
    goals = scope.seen_goals.select("run", "goal", "order")
    goals = pl.concat([goals, goals.with_columns(goal=pl.lit(None, goals.schema["goal"]))])
    latest = goals.group_by("run", "goal").agg(pl.col("order").max())
    later = engaged.join(latest, on="run").filter(pl.col("engaged_order") < pl.col("order"))
    yield _distinct(later, ["goal", "point"], "after.point")
    yield _distinct(later, ["goal", "point", "channel"], "after.point.channel")


# Visits.


def _visits(journey: Journey, facts: Facts, days: Days) -> pl.DataFrame:
    keys = sorted({branch.key for version in journey.versions for branch in version.branches})
    visits = facts.visits
    return visits.select(
        *("user", "point", "outcome", "skip_at", "traversed", "to_point"),
        word=pl.when("known").then(pl.col("branch").cast(pl.Enum(keys))),
        reason=facts.runs["reason"].gather(visits["run"]),
        since=days.number(visits["arrived_at"]),
        until=days.number(visits["left_at"]),
        micros=(pl.col("left_at") - pl.col("arrived_at")).dt.total_microseconds(),
    )


def _stays(visits: pl.DataFrame) -> Iterator[pl.DataFrame]:
    arrived = visits.filter(pl.col("since").is_not_null()).select("point", day="since")
    yield _counted(arrived, ["point", "day"], {"visit.entered": pl.lit(True)})
    yield _ledger(visits, ["point"], "standing")
    left = visits.filter(pl.col("until").is_not_null()).rename({"until": "day"})
    yield _counted(left, ["point", "day"], {f"visit.{name}": flag for name, flag in DEPARTURES.items()})
    taken = left.filter("traversed")
    yield _counted(taken, ["point", "word", "day"], {"taken": pl.lit(True)})
    yield _distinct(taken, ["point", "word"], "takers")
    came = taken.filter(pl.col("to_point").is_not_null()).select("day", point="to_point")
    yield _counted(came, ["point", "day"], {"came": pl.lit(True)})


def _durations(visits: pl.DataFrame) -> pl.DataFrame:
    completed = visits.filter(pl.col("outcome") == "completed", pl.col("micros").is_not_null())
    buckets = completed.select("point", bucket(completed["micros"]), day="until")
    return _as(_counted(buckets, ["point", "bucket", "day"], {"durations": pl.lit(True)}), DURATIONS)


def _waiting(stays: pl.DataFrame) -> pl.DataFrame:
    users = stays.group_by("point", word="cause").agg(n=pl.col("user").n_unique())
    return users.with_columns(measure=pl.lit("waiting_users"))


# Goals.


def _goals(scope: Scope, days: Days) -> Iterator[pl.DataFrame]:
    facts = scope.seen_goals  # in order of time
    goals = facts.select(
        *("run", "user", "goal", "value", "currency", "here", "credit"),
        point="credit_point",
        channel="credit_channel",
        day=days.number(facts["at"]),
    )
    yield _counted(goals, ["goal", "day"], {"goal.events": pl.lit(True)})
    yield _distinct(goals, ["goal"], "goal.runs", who="run")
    carried = goals.filter(pl.col("value").is_not_null()).group_by("goal", "day", word="currency")
    yield carried.agg(pl.col("value").sum(), n=pl.len(), measure=pl.lit("goal.value"))
    yield _firsts(goals, "goal").with_columns(measure=pl.lit("credited"))
    yield _firsts(goals).with_columns(measure=pl.lit("credited.any"))
    yield _goals_here(goals)


def _firsts(goals: pl.DataFrame, *of: str) -> pl.DataFrame:
    """Users' first reachings of a day (``of`` each goal, or any) with the day of the one before."""
    whose = ["user", *of]
    firsts = goals.unique([*whose, "day"], keep="first", maintain_order=True)
    firsts = firsts.with_columns(prev=pl.col("day").shift().over(whose))
    return firsts.group_by(*of, "point", "channel", "day", "prev", word="credit").agg(n=pl.len())


def _goals_here(goals: pl.DataFrame) -> pl.DataFrame:
    """Users by the point where a run of theirs stood as it reached its first goal of a period.

    A reaching is its run's first where the period begins after the ``prev`` day of the run and not after
    its own, and counts where it ends after that. Of several runs of a user at one point the earliest such
    day counts, span by span of days on which a period may begin.
    """
    never = -(2**31)
    firsts = goals.unique(["run", "day"], keep="first", maintain_order=True)
    firsts = firsts.with_columns(prev=pl.col("day").shift().over("run").fill_null(never))
    spans = firsts.filter(pl.col("here").is_not_null()).select("user", "day", "prev", point="here")
    whose = ["user", "point"]
    alone = spans.filter(~pl.struct(whose).is_duplicated()).with_columns(n=pl.lit(1, COUNT))
    several = spans.filter(pl.struct(whose).is_duplicated())
    edges = pl.concat([several.select(*whose, edge="prev"), several.select(*whose, edge="day")]).unique()
    edges = edges.sort(*whose, "edge").with_columns(until=pl.col("edge").shift(-1).over(whose))
    earliest = (
        edges.join(several, on=whose)
        .filter(pl.col("prev") <= pl.col("edge"), pl.col("until") <= pl.col("day"))
        .group_by(*whose, "edge", "until")
        .agg(pl.col("day").min())
    )
    # What begins in (edge, until] and ends after the day: as what begins after the edge less what does after until.
    more = earliest.select(*whose, "day", prev="edge", n=pl.lit(1, COUNT))
    less = earliest.filter(pl.col("until") < pl.col("day"))
    less = less.select(*whose, "day", prev="until", n=pl.lit(-1, COUNT))
    rows = pl.concat([part.select("point", "day", "prev", "n") for part in (alone, more, less)])
    counts = rows.group_by("point", "day", "prev").agg(pl.col("n").sum()).filter(pl.col("n") != 0)
    return counts.with_columns(
        prev=pl.when(pl.col("prev") != never).then("prev"), measure=pl.lit("goal.here")
    )
