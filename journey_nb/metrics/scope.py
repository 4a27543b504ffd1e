"""What a table looks at: the facts of a period, on a clock, as seen at one instant.

Both clocks are one shape. The activity clock takes all runs and the events of ``[start, cut)``; the
cohort clock takes the runs that entered in ``[start, cut)`` and their events of ``[ever, horizon)``.
A metric therefore asks only for :meth:`Scope.within` and never for the clock (METRICS.md, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.events.words import EXIT_REASONS, EXITS
from journey_nb.facts import Facts
from journey_nb.journey import CHANNELS, Journey
from journey_nb.period import TICK, local_days
from journey_nb.subset import FEW

if TYPE_CHECKING:
    from journey_nb.metrics.counts import Counts

Clock = Literal["activity", "cohort"]

STATUSES = ("in_progress", "completed", "exited", "dropped")
STATUS_OF_REASON = {
    reason: "completed" if reason == "completed" else "exited" if reason in EXITS else "dropped"
    for reason in EXIT_REASONS
}


@lru_cache(maxsize=64)
def literal(instant: datetime) -> pl.Expr:
    """An instant in UTC beside columns; to make one of it takes polars as long as many a small question."""
    return pl.lit(instant)


@dataclass(frozen=True)
class Scope:
    """The facts of one journey, narrowed to a period, a clock, an instant of sight and some runs.

    Parameters
    ----------
    journey, facts
        What was designed and what happened.
    start, end
        The period ``[start, end)``, as instants.
    as_of
        The instant of sight, inclusive: nothing after it is seen.
    clock
        ``activity`` counts each event at its own time, ``cohort`` follows the runs that entered.
    version
        The version to show and to count on; None shows the newest and counts all.
    machine
        Whether opens and clicks by machines count.
    keep
        One boolean a run, by run id; None keeps all.
    whole
        The same scope over all runs, where some are kept; None where all are.
    """

    journey: Journey
    facts: Facts
    start: datetime
    end: datetime
    as_of: datetime
    clock: Clock = "activity"
    version: int | None = None
    machine: bool = False
    keep: pl.Series | None = field(default=None, repr=False)
    whole: Scope | None = field(default=None, repr=False)

    @property
    def timezone(self) -> str:
        """The journey's zone, in which days are cut and times are shown."""
        return self.journey.timezone

    @cached_property
    def horizon(self) -> datetime:
        """The first instant that is not seen."""
        return self.as_of + TICK

    @cached_property
    def cut(self) -> datetime:
        """The end of the period, or the horizon where that comes first; exclusive."""
        return min(self.end, self.horizon)

    @property
    def opening(self) -> datetime:
        """The instant at which ``_before`` states are read; a period yet to come opens at the horizon."""
        return min(self.start, self.cut)

    @property
    def hi(self) -> datetime:
        """Events count before this instant, and states are read at it."""
        return self.cut if self.clock == "activity" else self.horizon

    def within(self, column: str) -> pl.Expr:
        """Whether the time in ``column`` counts on this clock; null times do not."""
        time = pl.col(column)
        seen = time < literal(self.hi)
        return (seen & (time >= literal(self.start)) if self.clock == "activity" else seen).fill_null(False)

    @property
    def entered(self) -> pl.Expr:
        """Whether a run entered in the period, whatever the clock; null where it is not known when."""
        return pl.col("entered_at").is_between(self.start, self.cut, closed="left")

    def before(self, column: str) -> pl.Expr:
        """Whether the time in ``column`` lies before the period (never on the cohort clock)."""
        if self.clock == "cohort":
            return pl.lit(False)
        return (pl.col(column) < literal(self.opening)).fill_null(False)

    def unless_after(self, time: str, instant: datetime, column: str | None = None) -> pl.Expr:
        """What is known at ``instant`` (exclusive) of a time, or of a ``column`` that is told at it; else null."""
        return pl.when(pl.col(time) < literal(instant)).then(column or time).alias(column or time)

    def local(self, column: str) -> pl.Expr:
        """The time in ``column`` in the journey's zone."""
        return pl.col(column).dt.convert_time_zone(self.timezone)

    def day(self, column: str) -> pl.Expr:
        """The local calendar day of the time in ``column``."""
        return self.local(column).dt.date()

    @cached_property
    def days(self) -> list[date]:
        """Every local day that the period touches, days without events included."""
        return local_days(self.start, self.end, ZoneInfo(self.timezone))

    def only(self, keep: pl.Series) -> Scope:
        """The same scope with fewer runs; ``keep`` has one boolean a run."""
        both = keep if self.keep is None else self.keep & keep
        return replace(self, keep=both, whole=self.whole or self)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Scope:
        """The same scope over the facts of some users (ids), whose runs keep their order."""
        keep = self.keep
        if keep is not None:
            keep = keep.filter(self.facts.runs["user"].is_in(users.implode()))
        return replace(self, facts=self.facts.of_users(users, named=named), keep=keep)

    @cached_property
    def few(self) -> Scope | None:
        """The same scope over the facts of those users alone whose runs are kept, as counts need them; None where they are many."""
        keep = self.keep
        if keep is None or keep.sum() * FEW >= keep.len():
            return None
        users = self.facts.runs["user"].filter(keep).unique().sort()
        return self.of_users(users, named=False)

    @cached_property
    def member(self) -> pl.Series | None:
        """One boolean a run: whether it belongs to the scope; None when all do."""
        member = self.keep
        if self.clock == "cohort":
            entered = self.facts.runs.select(self.entered.fill_null(False)).to_series()
            member = entered if member is None else member & entered
        return member

    def of_members(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of a fact frame that belong to runs of the scope."""
        if self.member is None:
            return frame
        if frame["run"].null_count():
            frame = frame.filter(pl.col("run").is_not_null())
        return frame.filter(self.member.gather(frame["run"]))

    def on_version(self, frame: pl.DataFrame, column: str = "version") -> pl.DataFrame:
        """The rows of a fact frame that happened on :attr:`version`, if one is asked for.

        A visit is of the version on which it began, a traversal of that on which it left, a message
        of its first row's; a goal, as the exit of a run, is of the version on which the run entered.
        """
        if self.version is None:
            return frame
        if column in frame.columns:
            return frame.filter(pl.col(column) == self.version)
        return frame.filter(self.facts.runs["version"].gather(frame["run"]) == self.version)

    @cached_property
    def counts(self) -> Counts:
        """What the tables of the whole journey count: all versions."""
        return self._counts()

    @cached_property
    def counts_on_version(self) -> Counts:
        """What the tables of the drawn journey count: on :attr:`version`, if one is asked for."""
        return self.counts if self.version is None else self._counts(version=True)

    def let_go(self) -> None:
        """Forget the counts, which hold the scope; whoever asks again has them made anew."""
        for name in ("counts", "counts_on_version"):
            self.__dict__.pop(name, None)

    def _counts(self, version: bool = False) -> Counts:
        from journey_nb.metrics.cube_counts import counts_of  # which stands on scopes

        return counts_of(self, version)

    @cached_property
    def points(self) -> pl.DataFrame:
        """One row a point, in the order of tables: the shown version's points, then those of others.

        Columns: point (Enum as in the facts), point_id, title, type, channel (that of its messages,
        the designed one only where it has none), is_message (by design or because it has messages)
        and on_version (whether the shown version has it).
        """
        points = self.journey.points(self.version)
        shown = {point.point_id for point in self.journey.version(self.version).points}
        usual = self._channels_of_points
        rows = [
            (
                key,
                key,
                point.label,
                point.type,
                usual.get(key, point.channel),
                point.type == "message" or key in usual,
                key in shown,
            )
            for key, point in points.items()
        ]
        schema = {
            "point": pl.Enum(list(self.journey.points())),  # as judging has coded the facts
            **dict.fromkeys(("point_id", "title", "type", "channel"), pl.String()),
            **dict.fromkeys(("is_message", "on_version"), pl.Boolean()),
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    @cached_property
    def _channels_of_points(self) -> dict[str, str]:
        # A point whose messages went by several channels is shown with the one that most went by.
        used = self.counts.origins()
        most = used.filter(pl.col("messages") == pl.col("messages").max().over("point"))
        return dict(most.group_by("point").agg(pl.col("channel").min()).cast(pl.String).iter_rows())

    @cached_property
    def channels(self) -> list[str]:
        """The channels designed in any version or seen in the log, in the order of the data model."""
        designed = {point.channel for version in self.journey.versions for point in version.points}
        seen = set(self.counts.origins()["channel"].cast(pl.String))
        return [channel for channel in CHANNELS if channel in designed | seen]

    # The facts as they stand at the instant of sight.

    @cached_property
    def runs(self) -> pl.DataFrame:
        """Runs seen by then, with ``status`` (and left_at, reason) as read at :attr:`hi`.

        Columns as facts.runs, and status (Enum of STATUSES), was_inside (at the start of the
        period), is_inside (at its end), leaves (whether the exit counts in the period).
        """
        return self.seen_runs(self.facts.runs).collect()

    def seen_runs(self, runs: pl.DataFrame) -> pl.LazyFrame:
        """Some of facts.runs, as in :attr:`runs`; what is not asked for of them costs nothing."""
        left = pl.col("left_at") < literal(self.hi)
        status = pl.col("reason").replace_strict(STATUS_OF_REASON, return_dtype=pl.Enum(STATUSES))
        entered = (pl.col("entered_at") < literal(self.hi)) | pl.col("truncated")
        began_before = self.before("entered_at") | (pl.col("truncated") & (self.clock == "activity"))
        return (
            self.of_members(runs)
            .lazy()
            .filter((pl.col("first_at") < literal(self.horizon)) & entered)
            .with_columns(
                status=pl.when(left).then(status).otherwise(pl.lit("in_progress", pl.Enum(STATUSES))),
                left_at=pl.when(left).then("left_at"),
                reason=pl.when(left).then("reason"),
                reason_detail=pl.when(left).then("reason_detail"),
                exit_point=pl.when(left).then("exit_point"),
                last_at=self.unless_after("last_at", self.horizon),  # null: not known before the run goes on
                variant=self.unless_after("variant_at", self.horizon, "variant"),
                variant_at=self.unless_after("variant_at", self.horizon),
            )
            .with_columns(
                was_inside=pl.col("inside") & began_before & ~self.before("left_at"),
                is_inside=pl.col("inside") & pl.col("left_at").is_null(),
                leaves=self.within("left_at"),
            )
        )

    @cached_property
    def visits(self) -> pl.DataFrame:
        """Visits begun by then, open where they close later.

        Columns as facts.visits, and was_open (at the start of the period), arrives, leaves
        (whether arrival and departure count in the period), is_open (at its end).
        """
        return self._stays(self.facts.visits.filter(self._begun))

    def visits_at(self, point_id: str) -> pl.DataFrame:
        """Those of a point; the others are not gone through."""
        return self._stays(self.facts.rows("visits", (pl.col("point") == point_id) & self._begun))

    def visits_left(self, where: pl.Expr) -> pl.DataFrame:
        """Of :attr:`visits` those of some kind that leave their point in the period, found without a look at the others.

        ``where`` names no ids (:meth:`journey_nb.facts.Facts.rows`).
        """
        return self._stays(self.facts.rows("visits", where & self.within("left_at") & self._begun))

    def last_waits(self, visits: pl.DataFrame) -> pl.DataFrame:
        """The last wait begun by then in each of some visits: visit, at, cause, due_at."""
        waits = self.facts.waits.join(visits, on="visit", how="semi", maintain_order="left")
        last = waits.filter(pl.col("at") < self.hi).unique("visit", keep="last", maintain_order=True)
        return last.select("visit", "at", "cause", "due_at")

    def begun_visits(self, runs: pl.Series) -> pl.DataFrame:
        """Of :attr:`visits` those of some runs (sorted ids), columns as facts.visits: where they had come by then."""
        asked = pl.repeat(False, self.facts.runs.height, eager=True).scatter(runs, True)
        return self._seen_visits(self.facts.visits.filter(pl.lit(asked).gather("run") & self._begun))

    def _stays(self, visits: pl.DataFrame) -> pl.DataFrame:
        left = pl.col("left_at") < literal(self.hi)
        began_before = self.before("arrived_at") | (
            pl.col("arrived_at").is_null() & (self.clock == "activity")
        )
        return (
            self._seen_visits(visits)
            .with_columns(
                pl.when(left).then(name).alias(name)
                for name in ("left_at", "outcome", "branch", "to_point", "left_version")
            )
            .with_columns(
                traversed=pl.col("traversed") & pl.col("left_at").is_not_null(),
                known=pl.col("known") & pl.col("left_at").is_not_null(),
                skip_reason=self.unless_after("skip_at", self.hi, "skip_reason"),
                skip_at=self.unless_after("skip_at", self.hi),
                was_open=began_before & ~self.before("left_at"),
                arrives=self.within("arrived_at"),
                is_open=pl.col("left_at").is_null(),
                leaves=self.within("left_at"),
            )
        )

    @cached_property
    def open_visits(self) -> pl.DataFrame:
        """The visits open at :attr:`hi`, columns as :attr:`visits`: a few, found without a look at the others."""
        still = pl.col("left_at").is_null() | (pl.col("left_at") >= literal(self.hi))
        return self._stays(self.facts.rows("visits", self._begun & still))

    @property
    def _begun(self) -> pl.Expr:
        return (pl.col("arrived_at") < literal(self.hi)) | pl.col("arrived_at").is_null()

    def _seen_visits(self, visits: pl.DataFrame) -> pl.DataFrame:
        visits, hidden = self.of_members(visits), self._unseen_runs
        return visits.filter(~pl.col("run").is_in(hidden.implode())) if hidden.len() else visits

    @cached_property
    def _unseen_runs(self) -> pl.Series:
        # A truncated run stands somewhere "before its first event", yet only once that event is seen.
        return self.facts.runs.filter(pl.col("truncated") & (pl.col("first_at") >= literal(self.horizon)))[
            "run"
        ]

    def time_of(self, outcome: str) -> str:
        """The column that tells when a message was first opened, clicked, …, by machines too where these count."""
        anyone = self.machine and outcome in ("opened", "clicked")
        return f"{outcome}_any_at" if anyone else f"{outcome}_at"

    @cached_property
    def messages(self) -> pl.DataFrame:
        """Messages that belong to the period, with what happened to them up to the horizon.

        Columns as facts.messages (unseen outcomes null), and ``fate`` (sent, failed, skipped), ``at``
        (its instant), ``opened``, ``clicked``, ``delivered``, ``bounced`` (whether it was; machines
        count only if asked for). A message belongs to the instant of its fate.
        """
        return self.seen_messages.filter(self.within("at"))

    def messages_at(self, point_id: str) -> pl.DataFrame:
        """Those of a point; the others are not gone through."""
        here = self.facts.rows("messages", pl.col("point") == point_id)
        return self._seen_messages(here).filter(self.within("at"))

    @cached_property
    def seen_messages(self) -> pl.DataFrame:
        """As :attr:`messages`, of all periods."""
        return self._seen_messages(self.facts.messages)

    def _seen_messages(self, messages: pl.DataFrame) -> pl.DataFrame:
        times = [name for name, dtype in messages.schema.items() if isinstance(dtype, pl.Datetime)]
        messages = self.of_members(messages)
        if self.facts.last_at >= self.horizon:
            reasons = {"failed_at": "fail_reason", "bounced_at": "bounce_reason", "skipped_at": "skip_reason"}
            told = [*zip(times, times, strict=True), *reasons.items()]
            messages = messages.with_columns(
                self.unless_after(time, self.horizon, name) for time, name in told
            )
        fates = pl.Enum(["sent", "failed", "skipped"])
        sent, failed, skipped = (pl.col(f"{fate}_at").is_not_null() for fate in fates.categories)
        return messages.with_columns(
            fate=pl.when(sent)
            .then(pl.lit("sent", fates))
            .when(failed)
            .then(pl.lit("failed", fates))
            .when(skipped)
            .then(pl.lit("skipped", fates)),
            at=pl.coalesce("sent_at", "failed_at", "skipped_at"),
            delivered=pl.col("delivered_at").is_not_null() & sent,
            bounced=pl.col("bounced_at").is_not_null() & sent,
            opened=pl.col(self.time_of("opened")).is_not_null() & sent,
            clicked=pl.col(self.time_of("clicked")).is_not_null() & sent,
        )

    @cached_property
    def goals(self) -> pl.DataFrame:
        """Goals reached in the period that count for their run, in reading order.

        Columns as facts.goals, and ``run_no`` of the run.
        """
        return self.seen_goals.filter(self.within("at"))

    @cached_property
    def seen_goals(self) -> pl.DataFrame:
        """As :attr:`goals`, of all periods up to the horizon."""
        goals = self.facts.goals.filter(pl.col("counts") & (pl.col("at") < literal(self.horizon)))
        return (
            self.of_members(goals)
            .join(self.facts.runs.select("run", "run_no"), on="run", how="left")
            .sort("at", "run_no", "order", maintain_order=True)
        )
