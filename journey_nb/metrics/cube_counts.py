"""The counts of a scope looked up in a cube, exact also where the period begins or ends within a day."""

# ruff: noqa: D102 - what each method counts is told in Counts
from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial, wraps
from itertools import groupby
from operator import itemgetter
from typing import Concatenate, Protocol, cast
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS, REASONS
from journey_nb.facts import CREDITS, Facts
from journey_nb.journey import CHANNELS
from journey_nb.metrics import assignments, ways
from journey_nb.metrics.assignments import Unit
from journey_nb.metrics.counts import (
    ANSWERED,
    BOUNDS,
    DEPARTURES,
    ERROR_CLASSES,
    FLAGS,
    ISSUES,
    LENGTH,
    MESSAGE_METRICS,
    USERS_OF,
    Asked,
    Counts,
    Key,
    Place,
    of_channel,
    once,
)
from journey_nb.metrics.cube import KEYS, Cube, summed
from journey_nb.metrics.cube_frames import OF_VERSION
from journey_nb.metrics.parted import PartedCounts
from journey_nb.metrics.scope import STATUS_OF_REASON, STATUSES, Scope
from journey_nb.metrics.sums import AtRank, Bucket, added, apart, percentiles
from journey_nb.metrics.table import COUNT, RATE, TEXT
from journey_nb.period import TICK, midnight

Span = tuple[datetime, datetime]
Keep = Callable[[str, Callable[[], pl.DataFrame]], pl.DataFrame]
# So many values are merged into a longer series one by one: at least, at most, and between these one to so many of it.
FEW, MANY, PART = 5_000, 500_000, 4
REASON = pl.col("word").cast(pl.Enum(REASONS))
SOME = pl.col("count") != 0  # what was told anew may have left nothing


class Cubed(Facts, Protocol):
    """Facts that keep a cube of themselves; their big frames need not be touched where it answers.

    Attributes
    ----------
    cube
        The cube of all that happened.
    steps
        Frames of :func:`journey_nb.metrics.cube.steps`, each with +1 or, where it holds what no longer counts, -1.
    standing
        Every stay that is open in the end (:meth:`Counts.open_stays`).
    """

    @property
    def cube(self) -> Cube:
        """The cube."""
        ...

    @property
    def steps(self) -> list[tuple[int, pl.DataFrame]]:
        """Completed stays in order of their duration."""
        ...

    @property
    def standing(self) -> pl.DataFrame:
        """Every stay that is open in the end."""
        ...

    def around(self, spans: list[Span]) -> Facts:
        """All facts of the users with anything counted within a span ``[start, end)``, perhaps of some more.

        That is a run entered or left, a visit arrived at or left, a message sent, failed or skipped, or a goal
        reached. Runs are numbered anew, so that a run's id is its place among these.
        """
        ...

    @property
    def pieces(self) -> Iterable[Piece]:
        """The facts in pieces that share no user, of which most stay as they are when something is loaded."""
        ...


@dataclass(frozen=True)
class Piece:
    """The facts of some users as they were written: some of them may no longer count.

    Attributes
    ----------
    facts
        All of it.
    inside
        Gives the users (ids) of :func:`journey_nb.metrics.cube.under_way` at an instant, and their facts.
    assigned
        What ever assigned anybody in it (:func:`journey_nb.metrics.assignments.at_all_points`).
    kept
        Keeps a frame that is made of all of it, by users (ids in the column ``user``), under a name: it makes it
        where it is not known yet, and gives the rows of those who count.
    """

    facts: Facts
    inside: Callable[[datetime], tuple[pl.Series, Facts]]
    assigned: Callable[[], pl.DataFrame]
    kept: Keep


def counts_of(scope: Scope, version: bool = False) -> Counts:
    """The counts of a scope: looked up where its facts keep a cube that can answer, else counted.

    A cube answers with all events seen, for all runs, machines left out. Large facts are counted set after set, but those
    of few users are looked up and counted in one go.
    """
    plain = not scope.machine and scope.keep is None
    if plain and scope.as_of >= scope.facts.last_at and isinstance(getattr(scope.facts, "cube", None), Cube):
        return CubeCounts(scope, version)
    if not getattr(scope.facts, "is_large", False):
        return Counts(scope, version)
    return PartedCounts(scope, version) if scope.few is None else Counts(scope.few, version)


def _exact(
    method: Callable[Concatenate[CubeCounts, Asked], pl.DataFrame],
) -> Callable[Concatenate[CubeCounts, Asked], pl.DataFrame]:
    """What a cube holds of whole days, mended by counting over the users with anything between edge and midnight.

    Counts add over disjoint users, and those of all others are the same for the period and for its whole days.
    """

    @once
    @wraps(method)
    def counted(self: CubeCounts, /, *args: Asked.args, **options: Asked.kwargs) -> pl.DataFrame:
        whole = method(self, *args, **options)
        if self._edges is None:
            return whole
        asked, days = (getattr(counts, method.__name__)(*args, **options) for counts in self._edges)
        return added([(1, whole), (1, asked), (-1, days)])

    return counted


@dataclass(frozen=True)
class CubeCounts(Counts):
    """The same counts, looked up in the cube of the scope's facts."""

    # Days and edges.

    @property
    def _facts(self) -> Cubed:
        return cast(Cubed, self.scope.facts)

    @cached_property
    def _first(self) -> tuple[date, datetime]:
        return self._day_of(self.scope.opening)

    @cached_property
    def _stop(self) -> tuple[date, datetime]:
        return self._day_of(self.scope.cut)

    def _day_of(self, edge: datetime) -> tuple[date, datetime]:
        """The day whose midnight is nearest to an edge, and that; where no event lies between they are as one."""
        zone, facts = ZoneInfo(self.scope.timezone), self._facts
        if edge <= facts.first_at:
            return facts.first_at.astimezone(zone).date(), edge
        if edge > facts.last_at:
            return facts.last_at.astimezone(zone).date() + timedelta(days=1), edge
        day = edge.astimezone(zone).date()
        days = [(one, midnight(one, zone)) for one in (day, day + timedelta(days=1))]
        return min(days, key=lambda one: abs(one[1] - edge))

    @cached_property
    def _spans(self) -> list[Span]:
        """What lies between an edge of the period and the midnight for which it is taken."""
        pairs = ((self.scope.opening, self._first[1]), (self.scope.cut, self._stop[1]))
        return [(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]]

    @cached_property
    def _edges(self) -> tuple[Counts, Counts] | None:
        """Over the users around the edges: the counts of the period, and of its whole days; None if it has no others."""
        if not self._spans:
            return None
        around = replace(self.scope, facts=self._facts.around(self._spans))
        days = replace(around, start=self._first[1], end=self._stop[1])
        return Counts(around, self.version), Counts(days, self.version)

    # The rows of the cube.

    @cached_property
    def _cube(self) -> Cube:
        return self._facts.cube.by_clock[self.scope.clock]

    @property
    def _whole(self) -> CubeCounts:
        """The counts of all versions."""
        return cast(CubeCounts, self.scope.counts) if self.version else self

    @cached_property
    def _legend(self) -> pl.DataFrame:
        return self._keyed(self._cube.legend)

    def _legend_of(self, measures: Iterable[str]) -> pl.DataFrame:
        return self._legend.filter(pl.col("measure").is_in(list(measures)))

    @cached_property
    def _rows(self) -> pl.DataFrame:
        """The cube's rows of the days of the period, each user once."""
        return self._on_version(self._cube.rows_of(self._first[0], self._stop[0]))

    @cached_property
    def _sums(self) -> dict[tuple[bool, str], pl.DataFrame]:
        """What the cube counts in the period (True), and before it or on no day: its keys, n, value; by measure."""
        day = pl.col("day")
        before = self._on_version(self._cube.states.filter(day.is_null() | (day < self._first[0])))
        is_whole = self._cube.is_within(self._first[0], self._stop[0]) and not self.version
        within = self._cube.totals if is_whole else summed(self._rows)
        sums = pl.concat(
            rows.with_columns(within=pl.lit(value))
            for value, rows in ((True, within), (False, summed(before)))
        )
        told = self._legend.join(sums.filter(pl.col("n") != 0), on="code")
        parts = told.partition_by("within", "measure", as_dict=True, include_key=False)
        return {(within, str(measure)): part for (within, measure), part in parts.items()}

    def _keyed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """With keys in the journey's types."""
        journey = self.scope.journey
        kinds = {
            "point": list(journey.points()),
            "channel": list(CHANNELS),
            "goal": [goal.goal_id for goal in journey.goals],
        }
        return rows.with_columns(
            *(pl.col(name).cast(TEXT) for name in ("measure", "word") if name in rows.columns),
            *(pl.col(name).cast(TEXT).cast(pl.Enum(kinds[name])) for name in kinds if name in rows.columns),
        )

    def _of(self, measure: str) -> pl.DataFrame:
        """The counts of a measure in the period."""
        return self._sums.get((True, measure), self._empty)

    def _own(self, measure: str) -> str:
        """The measure of users that counts those of the version, if it is one of several."""
        return measure + OF_VERSION * self.version

    def _users(self, measure: str) -> pl.DataFrame:
        """The counts of a measure of users in the period."""
        return self._of(self._own(measure))

    def _outside(self, measure: str) -> pl.DataFrame:
        """The counts of a measure before the period, or on no day."""
        return self._sums.get((False, measure), self._empty)

    def _ever(self, measure: str) -> pl.DataFrame:
        """The counts of a measure that knows no days; those of the period are not summed for it."""
        told = self._legend_of([measure]).join(self._cube.dayless, on="code")
        counts = told.group_by(KEYS).agg(pl.col("n").sum())
        return counts.filter(pl.col("n") != 0)

    def _state(self, measure: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """A ledger before the period, and at its end; cohorts enter within it."""
        if self.scope.clock == "cohort":
            return self._empty, self._of(measure)
        before = self._outside(measure)
        return before, pl.concat([before, self._of(measure)])

    @cached_property
    def _empty(self) -> pl.DataFrame:
        return self._legend.drop("measure").clear().with_columns(n=pl.lit(0, COUNT), value=pl.lit(0, RATE))

    def _by_days(self, measures: dict[str, str], key: str | None = None, day: str = "day") -> pl.DataFrame:
        """Measures by day and key: date, metric, breakdown, count."""
        told = self._legend_of(measures).select(
            "code",
            metric=pl.col("measure").replace_strict(measures, return_dtype=TEXT),
            breakdown=pl.lit(None, TEXT) if key is None else pl.col(key).cast(TEXT),
        )
        days = self._rows.filter(pl.col("code").is_in(told["code"].implode()))
        days = days.group_by("code", date=day).agg(pl.col("n").sum()).join(told, on="code")
        return days.group_by("date", "metric", "breakdown").agg(count=pl.col("n").sum()).filter(SOME)

    # Runs.

    @_exact
    def runs(self) -> pl.DataFrame:
        before, inside = self._state("inside")
        _, users = self._state(self._own("inside_users"))
        totals = {
            "in_journey_before": before,
            "entrances": self._of("entrances"),
            "unique_entrants": self._users("entrants"),
            "in_journey": inside,
            "in_journey_users": users,
        }
        return pl.DataFrame(
            {name: [rows["n"].sum()] for name, rows in totals.items()}, schema=dict.fromkeys(totals, COUNT)
        )

    @_exact
    def exits(self) -> pl.DataFrame:
        status = pl.col("word").replace_strict(STATUS_OF_REASON, default=None, return_dtype=pl.Enum(STATUSES))
        return self._of("exits").select(status.alias("status"), REASON.alias("reason"), "point", runs="n")

    @_exact
    def runs_by_day(self) -> pl.DataFrame:
        reason = pl.col("word")
        status = reason.replace_strict(STATUS_OF_REASON, default=None, return_dtype=TEXT)
        left = self._rows.join(self._legend_of(["exits"]), on="code").with_columns(status=status)
        internal, send = ERROR_CLASSES
        error = pl.when(reason.is_in(INTERNAL_ERRORS)).then(pl.lit(internal)).otherwise(pl.lit(send))
        none = pl.lit(None, TEXT)
        kinds = [
            ("exits", left.filter(pl.col("status") != "dropped"), none),
            ("completed", left.filter(pl.col("status") == "completed"), none),
            ("drop_offs", left.filter(pl.col("status") == "dropped"), error),
        ]
        parts = [
            rows.group_by(date="day", breakdown=breakdown)
            .agg(count=pl.col("n").sum())
            .filter(SOME)
            .select("date", pl.lit(metric).alias("metric"), "breakdown", "count")
            for metric, rows, breakdown in kinds
        ]
        return pl.concat([self._by_days({"entrances": "entrances"}), *parts])

    # Messages.

    @_exact
    def messages(self) -> pl.DataFrame:
        return _beside({name: self._of(f"message.{name}") for name in FLAGS}, "point", "channel")

    @_exact
    def message_users(self, key: Key, channel: str | None = None) -> pl.DataFrame:
        keys = "point.channel" if channel and key == "point" else key
        users = {
            f"{name}_users": of_channel(self._users(f"users.{name}.{keys}"), channel) for name in USERS_OF
        }
        return _beside(users, key)

    @_exact
    def messages_by_day(self, key: Key | None, place: Place) -> pl.DataFrame:
        measures = {f"message.{flag}": metric for metric, flag in MESSAGE_METRICS.items()}
        return self._by_days(measures, key, "day" if place == "send" else "on")

    @_exact
    def responses(self) -> pl.DataFrame:
        return pl.concat(
            self._of(f"response.{name}").select(
                *("point", pl.lit(name).alias("outcome")),
                *(pl.col("word").cast(LENGTH).alias("length"), pl.col("n").alias("messages")),
            )
            for name in ANSWERED
        )

    @_exact
    def issues(self) -> pl.DataFrame:
        outcomes = pl.Enum(list(ISSUES))
        return pl.concat(
            self._of(f"issue.{outcome}").select(
                *("channel", "point", pl.lit(outcome, outcomes).alias("outcome")),
                *(REASON.alias("reason"), pl.col("n").alias("count")),
            )
            for outcome in ISSUES
        )

    def origins(self) -> pl.DataFrame:
        return self._ever("origins").select("point", "channel", messages="n")

    @once
    def opens_reported(self) -> pl.DataFrame:
        told, opened = self._ever("opens")["channel"], self._legend_of(["message.opened"])
        people = opened.join(self._cube.totals.filter(pl.col("n") > 0), on="code")["channel"].unique()
        silent = told.filter(~told.is_in(people.implode()))
        if silent.is_empty():
            return told.to_frame()
        # There only machines have opened or clicked anything, and which of the two it was the messages know.
        there = pl.col("channel").cast(TEXT).is_in(silent.cast(TEXT).to_list())
        machines = self._facts.rows("messages", there & self._tells_of_opens)["channel"].unique()
        return pl.concat([told.filter(told.is_in(people.implode())), machines.cast(told.dtype)]).to_frame()

    @_exact
    def after_interaction(self, goal: str | None = None, channel: str | None = None) -> pl.DataFrame:
        rows = of_channel(self._users("after.point.channel" if channel else "after.point"), channel)
        return rows.filter(self._of_goal(goal)).select("point", users="n")

    def _of_goal(self, goal: str | None) -> pl.Expr:
        told = pl.col("goal")
        return told.is_null() if goal is None else told == self.scope.journey.goal(goal).goal_id

    # Visits.

    @_exact
    def visits(self) -> pl.DataFrame:
        before, waiting = self._state("standing")
        parts = {
            "waiting_before": before,
            "entered": self._of("visit.entered"),
            "waiting": waiting,
            **{name: self._of(f"visit.{name}") for name in DEPARTURES},
        }
        return _beside(parts, "point")

    @_exact
    def visits_by_day(self) -> pl.DataFrame:
        return self._by_days({f"visit.{name}": name for name in ("entered", *DEPARTURES)}, "point")

    @_exact
    def durations(self) -> pl.DataFrame:
        version = self.scope.version if self.version else None
        counts = self._cube.stays(self._first[0], self._stop[0], version)
        return self._keyed(counts.filter(pl.col("stays") != 0))

    def seconds(self) -> pl.DataFrame:
        return percentiles(self.durations(), self._taken_in)

    def _taken_in(self, buckets: Iterable[Bucket]) -> dict[Bucket, AtRank]:
        """What the period's completed stays of some buckets took, in order of that, by point and bucket."""
        stays: dict[Bucket, list[tuple[int, pl.DataFrame]]] = {}
        for sign, steps in self._facts.steps:
            for point, number, first, stop in _places(steps, buckets):
                stays.setdefault((point, number), []).append((sign, steps.slice(first, stop - first)))
        return {key: self._in_order(parts) for key, parts in stays.items()}

    @cached_property
    def _stays_in(self) -> pl.Expr | None:
        """Which stays of :func:`journey_nb.metrics.cube.steps` belong to the period; None where all do."""
        facts, scope, asked = self._facts, self.scope, []
        if scope.clock == "cohort":
            asked.append(scope.entered)
        elif scope.opening > facts.first_at or scope.cut <= facts.last_at:
            asked.append(scope.within("left_at"))
        if self.version:
            asked.append(pl.col("version") == scope.version)
        return pl.all_horizontal(asked) if asked else None

    def _in_order(self, parts: list[tuple[int, pl.DataFrame]]) -> AtRank:
        ends = {stays["micros"][place] for _, stays in parts for place in (0, -1)}
        if len(ends) == 1:  # a fixed delay: it stands at every rank, and nothing need be gone through
            return lambda rank: int(*ends)
        if self._stays_in is not None:
            took = pl.col("micros").filter(self._stays_in)  # of the other columns nothing is copied
            parts = [(sign, stays.select(took)) for sign, stays in parts]
        if len(parts) == 1:
            return parts[0][1]["micros"].__getitem__
        came, gone = ([stays["micros"] for sign, stays in parts if sign == of] for of in (1, -1))
        *few, most = sorted(came, key=len)
        if sum(map(len, [*few, *gone])) > max(FEW, min(MANY, len(most) // PART)):
            few, gone, most = [], [], _net(came, gone)
        return _at_rank(
            most, *([value for stays in some for value in stays.to_list()] for some in (few, gone))
        )

    @_exact
    def taken(self) -> pl.DataFrame:
        parts = {"runs": self._of("taken"), "users": self._users("takers")}
        return _beside(
            {name: rows.rename({"word": "branch"}) for name, rows in parts.items()}, "point", "branch"
        )

    @_exact
    def arrivals(self) -> pl.DataFrame:
        came, entered = (self._of(measure).select("point", runs="n") for measure in ("came", "entrances"))
        return added([(1, came), (1, entered)])

    def open_stays(self) -> pl.DataFrame:
        scope = self.scope
        if scope.clock == "cohort":
            return self._on_version(self._facts.standing.filter(scope.entered))
        if scope.cut > self._facts.last_at:
            return self._on_version(self._facts.standing)
        return self._on_version(pl.concat(self._stood()))

    def _stood(self) -> Iterator[pl.DataFrame]:
        """Stays open at the end of the period, piece by piece of the facts, with numbers of users that differ."""
        for number, piece in enumerate(self._facts.pieces):
            scope = self._all_of(piece)
            until = replace(scope, end=min(self.scope.cut, scope.end))
            stays = piece.kept(repr(("open stays", until.end)), partial(_open_in, piece, until))
            yield stays.with_columns(apart(number))

    # Experiments.

    def _assignments(self, point_id: str, goal: str, unit: Unit) -> pl.DataFrame:
        """Without user and at, which have served."""
        if self.scope.clock == "cohort":  # whose runs count hangs on the period, and so does who converts
            return super()._assignments(point_id, goal, unit)
        within = self.scope.within("at")
        by_way = assignments.by_way(self.scope, point_id)
        here = (pl.col("point") == point_id) & (pl.col("by_message") != by_way)
        every = []
        for number, piece in enumerate(self._facts.pieces):
            scope = self._all_of(piece)
            became = partial(_became, scope, piece.assigned, here, goal, unit)
            known = piece.kept(repr((point_id, by_way, goal, unit, scope.version)), became)
            every.append(known.lazy().filter(within).with_columns(apart(number, "unit")))
        return pl.concat(every).drop("user", "at").collect()

    def _all_of(self, piece: Piece) -> Scope:
        """All that ever happened in a piece, of which all is seen."""
        first, last = piece.facts.first_at, piece.facts.last_at
        return replace(self.scope, facts=piece.facts, as_of=last, start=first, end=last + TICK)

    # Ways.

    @_exact
    def ways(self, collapse_loops: bool) -> pl.DataFrame:
        first, stop, measure = self._first[0], self._stop[0], pl.col("measure")
        is_new = pl.col("prev").is_null() | (pl.col("prev") < first)
        is_reached = pl.lit(True) if self.scope.clock == "cohort" else pl.col("on") < stop
        n = {
            "runs": measure == "runs",
            "users": (measure == ("users.once" if collapse_loops else "users")) & is_new,
            "converted": (measure == "converted") & is_reached,
        }
        rows = self._cube.ways.filter(pl.col("day") >= first, pl.col("day") < stop)
        counts = rows.group_by("word").agg(
            pl.col("n").filter(told).sum().alias(name) for name, told in n.items()
        )
        path = ways.without_loops(ways.read(pl.col("word")), collapse_loops)
        whole = counts.select(path.alias("path"), *n).group_by("path").agg(pl.col(*n).sum())
        return added([(1, whole), *self._not_yet_there(collapse_loops)])

    def _not_yet_there(self, collapse_loops: bool) -> Iterator[tuple[int, pl.DataFrame]]:
        """Users with a run that went on after the days of the period: as far as they had come by then, less where they came to."""
        since, until = self._first[1], self._stop[1]
        if self.scope.clock == "cohort" or until > self._facts.last_at:
            return
        late = []
        for number, piece in enumerate(self._facts.pieces):
            runs = piece.kept(repr(("not yet there", until)), partial(_going_on, piece, until))
            late.append(runs.filter(pl.col("entered_at") >= since).with_columns(apart(number)))
        for sign, name in ((1, "came"), (-1, "comes")):
            runs = pl.concat(late).rename({name: "path"}).drop_nulls("path")
            yield sign, ways.counted(runs, collapse_loops)

    # Goals.

    @_exact
    def goals(self) -> pl.DataFrame:
        measures = {"users": "credited", "runs": "goal.runs", "events": "goal.events"}
        return _beside({name: self._whole._of(measure) for name, measure in measures.items()}, "goal")

    @_exact
    def values(self) -> pl.DataFrame:
        return self._whole._of("goal.value").select(
            "goal", pl.col("word").alias("currency"), "value", events="n"
        )

    @_exact
    def goals_by_day(self) -> pl.DataFrame:
        return self._whole._by_days({"credited": "goals"}, "goal", "on")

    @_exact
    def credited(self, goal: str | None = None) -> pl.DataFrame:
        rows = self._of("credited.any" if goal is None else "credited").filter(self._of_goal(goal))
        return rows.select(pl.col("word").cast(CREDITS).alias("credit"), "point", "channel", users="n")

    @_exact
    def goal_here(self) -> pl.DataFrame:
        return self._users("goal.here").select("point", users="n")


def _became(
    scope: Scope, assigned: Callable[[], pl.DataFrame], here: pl.Expr, goal: str, unit: Unit
) -> pl.DataFrame:
    """What became of everybody who was assigned here; of the whole piece, for what is kept serves every reader of it."""
    return assignments.assignments(scope, scope.on_version(assigned().filter(here)), goal, unit)


def _open_in(piece: Piece, scope: Scope) -> pl.DataFrame:
    """The stays open at the end of a piece's scope; looked for among those who were inside then."""
    users, facts = piece.inside(scope.end)
    stays = Counts(replace(scope, facts=facts)).open_stays()
    return stays.with_columns(users.gather(stays["user"]).alias("user"))


def _going_on(piece: Piece, until: datetime) -> pl.DataFrame:
    """Of users with a run that went on after an instant the runs entered before: what ways they had come by then, and came in the end.

    Columns: user, entered_at, came, comes (as paths), reached (a goal before the instant).
    """
    users, facts = piece.inside(until)
    before = pl.col("arrived_at") < until
    visits = facts.visits.with_columns(pl.col("point").cast(pl.String))
    # Goals of some users name messages that would have to be read: those of the whole piece are at hand.
    theirs = piece.facts.runs.filter(pl.col("user").is_in(users.implode()))["run"]  # in the same order
    goals = piece.facts.goals.filter("counts", pl.col("at") < until)["run"].unique()
    runs = (
        facts.runs.with_columns(reached=theirs.is_in(goals.implode()))
        .filter(pl.col("entered_at") < until)
        .select("run", "user", "entered_at", "reached")
        .join(ways.of_runs(visits.filter(before)).rename({"path": "came"}), on="run", how="left")
        .join(ways.of_runs(visits).rename({"path": "comes"}), on="run")
    )
    later = runs.filter(pl.col("came").ne_missing(pl.col("comes")))["user"].unique()
    told = runs.filter(pl.col("user").is_in(later.implode())).drop("run")
    return told.with_columns(users.gather(told["user"]).alias("user"))


def _beside(parts: dict[str, pl.DataFrame], *keys: str) -> pl.DataFrame:
    """The counts of several frames in columns beside each other, by their keys; few, so that polars is no help."""
    counts: dict[tuple[str | None, ...], list[int]] = {}
    for place, rows in enumerate(parts.values()):
        for *key, n in zip(*(rows[name].to_list() for name in (*keys, "n")), strict=True):
            counts.setdefault(tuple(key), [0] * len(parts))[place] += n
    types = next(iter(parts.values())).schema
    schema = {**{key: types[key] for key in keys}, **dict.fromkeys(parts, COUNT)}
    told = [(*key, *numbers) for key, numbers in counts.items() if any(numbers)]
    return pl.DataFrame(told, schema=schema, orient="row")


def _net(came: list[pl.Series], gone: list[pl.Series]) -> pl.Series:
    """Values that came, without those that are gone again, in order."""
    signed = [*((1, values) for values in came), *((-1, values) for values in gone)]
    every = pl.concat(values.to_frame("value").with_columns(n=pl.lit(sign, COUNT)) for sign, values in signed)
    net = every.group_by("value").agg(pl.col("n").sum()).filter(pl.col("n") > 0).sort("value")
    return net.select(pl.col("value").repeat_by("n").explode(empty_as_null=False)).to_series()


def _at_rank(most: pl.Series, came: list[int], gone: list[int]) -> AtRank:
    """What stands at a rank of a long sorted series, had a few values come into it and a few gone.

    The long one need not be sorted again: between those few its values stand as they do, only moved.
    """
    came, gone = sorted(came), sorted(gone)
    few = sorted({*came, *gone})

    def more(value: int, side: Callable[[list[int], int], int]) -> int:
        return side(came, value) - side(gone, value)

    def up_to(value: int) -> int:
        return bisect_right(most, value) + more(value, bisect_right)

    def at(rank: int) -> int:
        place = bisect_right(few, rank, key=up_to)
        if place < len(few) and bisect_left(most, few[place]) + more(few[place], bisect_left) <= rank:
            return few[place]
        return int(most[rank - (more(few[place - 1], bisect_right) if place else 0)])

    return at


def _places(steps: pl.DataFrame, buckets: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, int, int]]:
    """Where the completed stays of some buckets stand: point, bucket, first, stop; those that have any.

    Found by halving: steps are in order of point and duration.
    """
    known = {point: code for code, point in enumerate(steps.schema["point"].categories)}  # type: ignore[attr-defined]
    codes, micros = steps["point"].to_physical(), steps["micros"]
    for point, here in groupby(sorted(buckets), itemgetter(0)):
        if point not in known:
            continue
        start, stop = (side(codes, known[point]) for side in (bisect_left, bisect_right))
        for _, number in here:
            first = bisect_left(micros, BOUNDS[number], start, stop)
            last = bisect_left(micros, BOUNDS[number + 1], first, stop)
            if first < last:
                yield point, number, first, last
