"""What the tables count: a small keyed frame for each question, counted over the facts of a scope.

Every frame is keys (words and days) and numbers (counts Int64, sums Float64), and over disjoint sets of users
the numbers add, but for :meth:`Counts.seconds`, :meth:`Counts.waiting` and the stays of :meth:`Counts.open_stays`. So a cube can answer the same
(:mod:`journey_nb.metrics.cube`): the definitions stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS, SEND_ERRORS
from journey_nb.journey import CHANNELS, near
from journey_nb.metrics import assignments, ways
from journey_nb.metrics.assignments import Unit
from journey_nb.metrics.sums import Bucket, in_seconds
from journey_nb.metrics.table import COUNT, TEXT
from journey_nb.period import local_days, midnight

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope

Place = Literal["send", "event"]
Key = Literal["channel", "point"]

ERROR_CLASSES = ("internal_error", "send_error")
RUN_METRICS = ("entrances", "exits", "completed")
MESSAGE_METRICS = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "impressions": "shown",
    "interacted": "interacted",
    "dismissed": "dismissed",
    "replied": "replied",
    "unsubscribed": "unsubscribed",
    "failed": "failed",
    "skipped": "skipped",
}
"""The message metrics of daily(), and what their messages count as."""

_SENT = pl.col("fate") == "sent"
FLAGS: dict[str, pl.Expr] = {
    "sent": _SENT,
    "delivered": pl.col("delivered"),
    "opened": pl.col("opened"),
    "clicked": pl.col("clicked"),
    "shown": _SENT & pl.col("shown_at").is_not_null(),
    "interacted": _SENT & pl.col("interacted_at").is_not_null(),
    "dismissed": _SENT & pl.col("dismissed_at").is_not_null(),
    "replied": _SENT & pl.col("replied_at").is_not_null(),
    "unsubscribed": _SENT & pl.col("unsubscribed_at").is_not_null(),
    "failed": pl.col("fate") == "failed",
    "bounced": pl.col("bounced"),
    "skipped": pl.col("fate") == "skipped",
    # An opened or clicked message arrived, receipt or not, and where a channel has no receipts what did not bounce.
    "_arrived": pl.col("delivered") | pl.col("opened") | pl.col("clicked"),
    "_unbounced": _SENT & (~pl.col("bounced") | pl.col("opened") | pl.col("clicked")),
}
"""What a message of :attr:`Scope.messages` may count as."""
USERS_OF = ("sent", "opened", "clicked")
"""The flags of which users are counted too."""
ISSUES = {"failed": "fail_reason", "bounced": "bounce_reason", "skipped": "skip_reason"}
"""What may become of a message but a good delivery, and where its reason stands."""

# What becomes of a stay that ends in the period; its run's reason tells why it exited.
_COMPLETED, _EXITED, _DROPPED = (
    pl.col("outcome") == outcome for outcome in ("completed", "exited", "dropped")
)
DEPARTURES: dict[str, pl.Expr] = {
    "completed": _COMPLETED,
    "exited": _EXITED,
    "dropped": _DROPPED,
    "skipped": _COMPLETED & pl.col("skip_at").is_not_null(),
    "exits_goal": _EXITED & (pl.col("reason") == "goal"),
    "exits_cancel": _EXITED & (pl.col("reason") == "cancel_event"),
}


Asked = ParamSpec("Asked")
Asker = TypeVar("Asker", bound="Counts")


_signature = lru_cache(signature)


def asked(method: Callable[..., object], *args: object, **options: object) -> tuple[Any, ...]:
    """What is asked for, however it is written: the method, and what it takes beside its object."""
    bound = _signature(method).bind(*args, **options)
    bound.apply_defaults()
    return (method.__name__, *bound.args[1:])


def once(
    method: Callable[Concatenate[Asker, Asked], pl.DataFrame],
) -> Callable[Concatenate[Asker, Asked], pl.DataFrame]:
    """Several tables ask for the same counts: they are counted once."""

    @wraps(method)
    def answer(self: Asker, /, *args: Asked.args, **options: Asked.kwargs) -> pl.DataFrame:
        ask = asked(method, self, *args, **options)
        if ask not in self.answers:
            self.answers[ask] = method(self, *args, **options)
        return self.answers[ask]

    return answer


@dataclass(frozen=True)
class Counts:
    """Counted by going over the facts: exact for every scope, and what any faster answer must equal.

    Parameters
    ----------
    scope
        What is looked at.
    version
        Whether only what happened on the scope's version counts (:meth:`Scope.on_version`).
    answers
        What was asked for (a method's name, and what it takes), and what was counted.
    """

    scope: Scope
    version: bool = False
    answers: dict[tuple[object, ...], pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    def _on_version(self, frame: pl.DataFrame, column: str = "version") -> pl.DataFrame:
        return self.scope.on_version(frame, column) if self.version else frame

    # Runs.

    def runs(self) -> pl.DataFrame:
        """One row: in_journey_before, entrances, unique_entrants, in_journey, in_journey_users."""
        user, entered = pl.col("user"), self.scope.within("entered_at")
        return self._runs.select(
            in_journey_before=pl.col("was_inside").sum(),
            entrances=entered.sum(),
            unique_entrants=user.filter(entered).n_unique(),
            in_journey=pl.col("is_inside").sum(),
            in_journey_users=user.filter("is_inside").n_unique(),
        ).cast(COUNT)

    @once
    def exits(self) -> pl.DataFrame:
        """Runs that left, by the point and the reason: point, status, reason, runs."""
        left = self._runs.filter("leaves")
        return _counts(left.group_by("status", "reason", point="exit_point").agg(runs=pl.len()))

    def runs_by_day(self) -> pl.DataFrame:
        """Entrances, exits, completed and, by class, drop_offs: date, metric, breakdown, count."""
        return pl.concat(self._runs_by_day())

    def _runs_by_day(self) -> Iterator[pl.DataFrame]:
        reason, status = pl.col("reason"), pl.col("status")
        entered = self._runs.filter(self.scope.within("entered_at"))
        yield self._by_day(entered, "entered_at", {"entrances": pl.lit(True)})
        left = self._runs.filter("leaves")
        kinds = {"exits": status.is_in(["completed", "exited"]), "completed": status == "completed"}
        yield self._by_day(left, "left_at", kinds)
        errors = dict(zip(ERROR_CLASSES, map(reason.is_in, (INTERNAL_ERRORS, SEND_ERRORS)), strict=True))
        dropped = self._by_day(left.filter(status == "dropped"), "left_at", errors)
        yield dropped.with_columns(breakdown="metric", metric=pl.lit("drop_offs"))

    @cached_property
    def _runs(self) -> pl.DataFrame:
        return self._on_version(self.scope.runs)

    # Messages.

    @once
    def messages(self) -> pl.DataFrame:
        """Messages of the period, how many count as each of :data:`FLAGS`: point, channel, …."""
        flags = (flag.sum().alias(name) for name, flag in FLAGS.items())
        return _counts(self._messages.group_by("point", "channel").agg(flags))

    def message_users(self, key: Key, channel: str | None = None) -> pl.DataFrame:
        """Distinct users by ``key``, perhaps of one channel: it, sent_users, opened_users, clicked_users."""
        user = pl.col("user")
        users = (user.filter(FLAGS[name]).n_unique().alias(f"{name}_users") for name in USERS_OF)
        return _counts(of_channel(self._messages, channel).group_by(key).agg(users))

    def messages_by_day(self, key: Key | None, place: Place) -> pl.DataFrame:
        """Messages by the day of the send or of the event: date, metric, breakdown (the key), count."""
        flags = {metric: FLAGS[flag] for metric, flag in MESSAGE_METRICS.items()}
        if place == "send":
            return self._by_day(self._messages, "at", flags, key)
        parts = []
        for metric, flag in flags.items():
            time = self.scope.time_of(MESSAGE_METRICS[metric])
            parts.append(self._by_day(self._messages.filter(flag), time, {metric: pl.lit(True)}, key))
        return pl.concat(parts)

    def responses(self) -> pl.DataFrame:
        """How long after its sending a message was answered: point, outcome, length (:func:`length`), messages."""
        parts = []
        for outcome in ANSWERED:
            answered = self._messages.filter(FLAGS[outcome])
            first = answered[self.scope.time_of(outcome)]
            took = answered.select("point", length(first - answered["sent_at"], RESPONSES))
            counts = took.group_by("point", "length").agg(messages=pl.len())
            parts.append(counts.select("point", pl.lit(outcome).alias("outcome"), "length", "messages"))
        return _counts(pl.concat(parts))

    @once
    def issues(self) -> pl.DataFrame:
        """Messages that failed, bounced or were skipped: channel, point, outcome, reason, count."""
        outcomes = pl.Enum(list(ISSUES))
        return pl.concat(
            self._messages.filter(FLAGS[outcome])
            .group_by("channel", "point", reason=reason)
            .agg(count=pl.len())
            .pipe(_counts)
            .select("channel", "point", pl.lit(outcome, outcomes).alias("outcome"), "reason", "count")
            for outcome, reason in ISSUES.items()
        )

    @once
    def origins(self) -> pl.DataFrame:
        """All messages of the log, whatever the scope, by the point and the channel: point, channel, messages."""
        if self.scope.whole is not None:
            return self.scope.whole.counts.origins()
        return _counts(self.scope.facts.messages.group_by("point", "channel").agg(messages=pl.len()))

    def opens_reported(self) -> pl.DataFrame:
        """Channels of which the log holds an open, by a machine too, or implied by a click that counts: channel."""
        if self.scope.whole is not None:
            return self.scope.whole.counts.opens_reported()
        messages = self.scope.facts.messages.select("channel", "opened_at", "opened_any_at", "clicked_any_at")
        return messages.filter(self._tells_of_opens).select("channel").unique()

    @property
    def _tells_of_opens(self) -> pl.Expr:
        """Whether a message shows that opens are reported; what a machine has clicked shows it only if opened before."""
        first, clicked = pl.col("opened_any_at"), pl.col("clicked_any_at")
        by_machine = (first < self.scope.horizon) & (clicked.is_null() | (first < clicked))
        return (pl.col(self.scope.time_of("opened")) < self.scope.horizon) | by_machine

    def after_interaction(self, goal: str | None = None, channel: str | None = None) -> pl.DataFrame:
        """Users who engaged with a message and later, in the same run, reached the goal: point, users."""
        engaged = of_channel(self._messages, channel).filter(
            FLAGS["sent"] & pl.col("engaged_at").is_not_null()
        )
        return (
            engaged.join(latest(self.scope, goal), on="run")
            .filter(pl.col("engaged_order") < pl.col("order"))
            .group_by("point")
            .agg(users=pl.col("user").n_unique())
            .pipe(_counts)
        )

    @cached_property
    def _messages(self) -> pl.DataFrame:
        return self._on_version(self.scope.messages)

    # Visits.

    def visits(self) -> pl.DataFrame:
        """Stays by point: point, waiting_before, entered, waiting and :data:`DEPARTURES`."""
        leaves = pl.col("leaves")
        stays = self._stays.group_by("point").agg(
            waiting_before=pl.col("was_open").sum(),
            entered=pl.col("arrives").sum(),
            waiting=pl.col("is_open").sum(),
            **{name: (leaves & flag).sum() for name, flag in DEPARTURES.items()},
        )
        return _counts(stays)

    def visits_by_day(self) -> pl.DataFrame:
        """Arrivals and :data:`DEPARTURES` by their day: date, metric, breakdown (the point), count."""
        came, left = self._stays.filter("arrives"), self._stays.filter("leaves")
        entered = self._by_day(came, "arrived_at", {"entered": pl.lit(True)}, "point")
        return pl.concat([entered, self._by_day(left, "left_at", DEPARTURES, "point")])

    def seconds(self) -> pl.DataFrame:
        """How long completed stays took: point, seconds_p50, seconds_p90; these do not add."""
        took, stays = pl.col("took").dt.total_microseconds(), pl.len()

        def micros(share: float) -> pl.Expr:  # as sums.percentiles finds them, to the last digit
            low, high = (took.quantile(share, side) for side in ("lower", "higher"))
            place = share * (stays - 1)
            return low + (high - low) * (place - place.floor())

        return in_seconds(self._took.group_by("point").agg(seconds_p50=micros(0.5), seconds_p90=micros(0.9)))

    @once
    def durations(self) -> pl.DataFrame:
        """Completed stays by how long they took, roughly (:func:`bucket`); these add: point, bucket, stays."""
        counts = self._took.group_by("point", "bucket").agg(stays=pl.len())
        return counts.with_columns(pl.col("stays").cast(COUNT))

    def lengths(self, buckets: Sequence[Bucket]) -> pl.DataFrame:
        """Of some buckets the completed stays by how long they took exactly; these add: point, bucket, took, stays."""
        schema = {name: self._took.schema[name] for name in ("point", "bucket")}
        wanted = pl.DataFrame(buckets, schema=schema, orient="row")
        some = self._took.join(wanted, on=list(schema), how="semi")
        return some.group_by("point", "bucket", "took").agg(stays=pl.len().cast(COUNT))

    @cached_property
    def _took(self) -> pl.DataFrame:
        """The completed stays of which the arrival is known: point, took, bucket."""
        took = (pl.col("left_at") - pl.col("arrived_at")).alias("took")
        completed = self._stays.filter(pl.col("leaves") & _COMPLETED).select("point", took).drop_nulls("took")
        return completed.with_columns(bucket(completed["took"].dt.total_microseconds()))

    def taken(self) -> pl.DataFrame:
        """Traversals of branches (null: of none that is known): point, branch, runs, users."""
        taken = self._taken.with_columns(branch=pl.when("known").then("branch"))
        counts = taken.group_by("point", "branch").agg(runs=pl.len(), users=pl.col("user").n_unique())
        return _counts(counts)

    def arrivals(self) -> pl.DataFrame:
        """Traversals into a point by known branches, and runs started there: point, runs."""
        taken = self._taken.select(point="to_point").drop_nulls()
        begun = self._runs.filter(self.scope.within("entered_at")).select(point="entry_point")
        return _counts(pl.concat([taken, begun]).group_by("point").agg(runs=pl.len()))

    def waiting(self) -> pl.DataFrame:
        """Stays still open by cause: point, cause, runs, users, oldest_since, next_due; the times do not add."""
        return by_cause(self.open_stays())

    def open_stays(self) -> pl.DataFrame:
        """Every stay still open, with its last wait.

        Columns: user, user_id, run_id, entered_at (of its run), point, version, cause, since, due.
        """
        stays = self._on_version(self.scope.open_visits)
        stays = stays.join(self.scope.last_waits(stays), on="visit", how="left", maintain_order="left")
        told = self.scope.facts.runs["user_id", "run_id", "entered_at"][stays["run"]]
        since = pl.coalesce("at", "arrived_at")
        return stays.select("user", *told, "point", "version", "cause", since=since, due="due_at")

    @cached_property
    def _stays(self) -> pl.DataFrame:
        """Visits that stand or move in the period: of a short one that is a small part."""
        flags = ("was_open", "arrives", "is_open", "leaves")
        visits = self._on_version(self.scope.visits)
        stays = visits.select("run", "point", "outcome", "arrived_at", "left_at", "skip_at", *flags)
        stays = stays.filter(pl.any_horizontal(flags))
        return stays.with_columns(self.scope.facts.runs["reason"].gather(stays["run"]))

    @cached_property
    def _taken(self) -> pl.DataFrame:
        return self._on_version(self.scope.visits, "left_version").filter("leaves", "traversed")

    # Goals.

    @once
    def goals(self) -> pl.DataFrame:
        """Who reached each goal, and how often: goal, users, runs, events."""
        goals = self._goals.group_by("goal").agg(
            users=pl.col("user").n_unique(), runs=pl.col("run").n_unique(), events=pl.len()
        )
        return _counts(goals)

    def values(self) -> pl.DataFrame:
        """What goals carried, by currency: goal, currency, value, events (that carried one)."""
        carried = self._goals.filter(pl.col("value").is_not_null())
        values = carried.group_by("goal", "currency", maintain_order=True)
        return _counts(values.agg(pl.col("value").sum(), events=pl.len()))

    def goals_by_day(self) -> pl.DataFrame:
        """Users' first reachings of each goal: date, metric (goals), breakdown (the goal), count."""
        reached = self._goals.unique(["goal", "user"], keep="first", maintain_order=True)
        return self._by_day(reached, "at", {"goals": pl.lit(True)}, "goal")

    @once
    def credited(self, goal: str | None = None) -> pl.DataFrame:
        """Whom users' first reachings (of any goal, by default) are credited to: point, channel, credit, users."""
        reached = self._on_version(firsts(self.scope, goal))
        credited = reached.group_by("credit", point="credit_point", channel="credit_channel")
        return _counts(credited.agg(users=pl.len()))

    def goal_here(self) -> pl.DataFrame:
        """Users whose runs stood at a point as they first reached any goal in the period: point, users."""
        here = self._on_version(self._goals.unique("run", keep="first", maintain_order=True))
        here = here.filter(pl.col("here").is_not_null())
        return _counts(here.group_by(point="here").agg(users=pl.col("user").n_unique()))

    # Experiments.

    def assigned(self, point_id: str, goal: str, unit: Unit) -> pl.DataFrame:
        """Units by what they were assigned: variant, version, crossed, units, converted, immature (window still open)."""
        units = assignments.units(self._assignments(point_id, goal, unit), unit)
        immature = (pl.col("closes") >= self.scope.horizon).fill_null(True)
        counts = (
            units.lazy()
            .group_by("variant", "version", "crossed")
            .agg(pl.len().alias("units"), pl.col("converted").sum(), immature=immature.sum())
            .with_columns(pl.col("variant").cast(TEXT))
        )
        return _counts(counts.collect(engine="streaming"))  # in half the time of the in-memory engine

    def _assignments(self, point_id: str, goal: str, unit: Unit) -> pl.DataFrame:
        """All assignments of the period (:func:`assignments.assignments`), units of one number being the same."""
        assigned = assignments.assigning(self.scope, point_id)
        return assignments.assignments(self.scope, assigned, goal, unit)

    @property
    def _goals(self) -> pl.DataFrame:
        return self.scope.goals  # on all versions: which reaching is the first one hangs on the others

    # Ways.

    @once
    def ways(self, collapse_loops: bool) -> pl.DataFrame:
        """The ways of the runs that entered in the period: path, runs, users, converted (runs that reached a goal)."""
        taken, scope = ways.of_scope(self.scope), self.scope
        user = scope.facts.runs["user"].gather(taken["run"])
        reached = pl.col("run").is_in(scope.goals["run"].unique().implode())
        return ways.counted(taken.with_columns(user, reached=reached), collapse_loops)

    # Days.

    def _by_day(
        self, rows: pl.DataFrame, time: str, metrics: dict[str, pl.Expr], key: str | None = None
    ) -> pl.DataFrame:
        """How many rows count as each metric, by day and by ``key``: date, metric, breakdown, count."""
        breakdown = pl.lit(None, TEXT) if key is None else pl.col(key)
        counts = (
            rows.select(self._day(rows, time).alias("day"), breakdown.alias("breakdown"), **metrics)
            .group_by("day", "breakdown")
            .agg(pl.col(name).cast(COUNT).sum() for name in metrics)
            .with_columns(pl.col("breakdown").cast(TEXT))
            .join(self._days.select("day", "date"), on="day")
        )
        long = counts.unpivot(
            index=["date", "breakdown"], on=list(metrics), variable_name="metric", value_name="count"
        )
        return long.select("date", "metric", "breakdown", "count")

    @cached_property
    def _days(self) -> pl.DataFrame:
        """The local days from the period's first to the last that is seen: outcomes come after the period too."""
        zone = ZoneInfo(self.scope.timezone)
        days = local_days(self.scope.start, max(self.scope.end, self.scope.horizon), zone)
        schema = {"date": pl.Date(), "midnight": pl.Datetime("us", "UTC")}
        rows = [(day, midnight(day, zone)) for day in days]
        return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("day", offset=1)

    def _day(self, rows: pl.DataFrame, time: str) -> pl.Series:
        """The number of each row's local day, from 1: a search costs a third of a conversion."""
        midnights = self._days["midnight"]
        if self.scope.clock == "activity":
            return midnights.search_sorted(rows[time], side="right")
        entered = self.scope.facts.runs["entered_at"].gather(rows["run"])
        return midnights.search_sorted(entered, side="right")


# Below 32 µs each duration has a bucket of its own; above, each doubling is cut in 32.
BOUNDS = pl.Series([*range(32), *((32 + step) << octave for octave in range(50) for step in range(32))])
"""Where each bucket of durations begins, in µs: the same for all logs, so that counts by bucket add."""


def bucket(micros: pl.Series) -> pl.Series:
    """The bucket of each duration: its place in :data:`BOUNDS`.

    Examples
    --------
    >>> import polars as pl
    >>> bucket(pl.Series([0, 100, 1_000_000, 1_000_001])).to_list()
    [0, 82, 509, 509]
    """
    return (BOUNDS.search_sorted(micros, side="right") - 1).cast(pl.UInt16).alias("bucket")


_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
RESPONSES = (
    0,
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    _DAY,
    2 * _DAY,
    7 * _DAY,
)
"""Where the lengths of responses begin, in seconds; the last has no end."""
LENGTH = pl.Int8()  # no count, so that counts by length add
ANSWERED = ("opened", "clicked", "interacted")
"""What a message is answered by."""


def length(took: pl.Series, begins: Sequence[int]) -> pl.Series:
    """In which of some lengths each duration is: its place among where these begin (seconds); null of none.

    An answer may bear an earlier time than its message: it came at once.

    Examples
    --------
    >>> import polars as pl
    >>> length(pl.Series([5, 59, 60, None], dtype=pl.Int64).cast(pl.Duration("us")) * 1_000_000, (0, 60)).to_list()
    [0, 0, 1, None]
    """
    micros = pl.Series(begins, dtype=COUNT) * 1_000_000
    place = micros.search_sorted(took.dt.total_microseconds().clip(0), side="right").cast(LENGTH) - 1
    return place.set(took.is_null(), None).alias("length")


def by_cause(stays: pl.DataFrame) -> pl.DataFrame:
    """Open stays (:meth:`Counts.open_stays`) as :meth:`Counts.waiting` has them."""
    causes = stays.group_by("point", "cause").agg(
        runs=pl.len(),
        users=pl.col("user").n_unique(),
        oldest_since=pl.col("since").min(),
        next_due=pl.col("due").min(),
    )
    return _counts(causes)


def _counts(frame: pl.DataFrame) -> pl.DataFrame:
    """With counts as Int64; in the aggregation itself the cast would cost more than the counting."""
    return frame.with_columns(pl.selectors.unsigned_integer().cast(COUNT))


def firsts(scope: Scope, goal: str | None = None) -> pl.DataFrame:
    """A user's first reaching in the period of this goal (None: of any), over all of the user's runs."""
    return _reached(scope.goals, scope, goal).unique("user", keep="first", maintain_order=True)


def latest(scope: Scope, goal: str | None = None) -> pl.DataFrame:
    """The last place in the reading order where each run reached this goal (None: any), as seen: run, order."""
    return _reached(scope.seen_goals, scope, goal).group_by("run").agg(pl.col("order").max())


def _reached(goals: pl.DataFrame, scope: Scope, goal: str | None) -> pl.DataFrame:
    if goal is None:
        return goals
    return goals.filter(pl.col("goal") == scope.journey.goal(goal).goal_id)


def of_channel(frame: pl.DataFrame, channel: str | None) -> pl.DataFrame:
    """The rows of one channel; all of them without one.

    Raises
    ------
    ValueError
        When there is no such channel; the message names the nearest.
    """
    if channel is None:
        return frame
    if channel not in CHANNELS:
        raise ValueError(f"no channel {channel!r}{near(channel, CHANNELS)}; there are {', '.join(CHANNELS)}")
    return frame.filter(pl.col("channel") == channel)
