"""JourneyStats: one journey's numbers. Verbs narrow what is looked at, tables answer."""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

import polars as pl

from journey_nb import metrics, period
from journey_nb.events import EventLog, Report
from journey_nb.events.words import UTC
from journey_nb.facts import Facts, Folded, fold
from journey_nb.journey import Journey, near
from journey_nb.journey import wanted as journey_wanted
from journey_nb.metrics import definitions, experiments, intervals, paths, retention, small, spans
from journey_nb.metrics import rows as rows_behind
from journey_nb.metrics.experiments import Experiment
from journey_nb.metrics.goals import outside_window
from journey_nb.metrics.groups import (
    beside,
    by_value,
    goals_beside,
    is_any,
    on_rows,
    plain,
    several,
    values_of,
)
from journey_nb.metrics.scope import Clock, Scope
from journey_nb.metrics.table import whole_number
from journey_nb.period import Moment, Period
from journey_nb.pseudonyms import Pseudonyms
from journey_nb.reading import cell, read_arrow

DIMENSIONS = ("variant", "entry_point", "version")
_TAKEN = (*DIMENSIONS, "entry", "users", "run")  # what where() takes by these names is no attribute
# What daily() and cohorts() call ``by``: first what stands when only a dimension is asked for.
BREAKDOWNS = ("journey", "channel", "point", "goal")
UNITS = ("week", "day", "month")
ROW_LISTS = ("users", "credit")
Made = TypeVar("Made")


@dataclass(frozen=True)
class _View:
    """What the verbs have chosen."""

    period: str | tuple[Moment, Moment] = "launch"
    clock: Clock = "activity"
    as_of: Moment | None = None
    version: int | None = None
    machine: bool = False
    compare: bool = False
    pseudonymous: bool = False
    least: int = 0
    history_days: int | None = None
    where: tuple[tuple[str, Any], ...] = field(default=(), compare=False, repr=False)


class JourneyStats:
    """The statistics of one journey over its event log.

    Immutable: every verb returns a new object, so that two of them can stand side by side; they share
    the facts. Every table is a polars frame with the columns of METRICS.md, section 5: counts Int64,
    rates Float64 in 0…1 (null where the denominator is 0), times in the journey's zone. Each takes
    ``by=`` (variant, entry_point, version, or an attribute) and, where it has rates, ``intervals=True``
    (95 % Wilson bounds, and whether the rate rests on fewer than 30); not so cohorts and paths.

    Parameters
    ----------
    journey
        What was designed (or discovered).
    log
        An :class:`EventLog`, facts already folded, or anything :meth:`EventLog.from_frame` takes.
    attributes
        A frame of user_id, any columns and optionally valid_from, for ``where`` and ``by``.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=200, seed=7))
    >>> stats.health()["entrances"].item() >= 200
    True
    >>> stats.period("7d").clock("cohort").points().columns[:3]
    ['point_id', 'title', 'type']
    """

    store: Any = None
    """The :class:`journey_nb.Store` they come from; None for those of a log."""

    def __init__(
        self, journey: Journey, log: EventLog | Facts | Any, *, attributes: Any | None = None
    ) -> None:
        self.journey = journey_wanted(journey)
        folded = hasattr(log, "first_at")  # a frame of facts may be dear to look at
        self.facts: Facts = cast(Facts, log) if folded else _folded(journey, log)
        self._attributes = pl.DataFrame() if attributes is None else _eager(attributes).clone()
        self._view = _View()
        if attributes is not None and "user_id" not in self._attributes.columns:
            raise ValueError(
                f"the attributes have no column 'user_id'{near('user_id', self._attributes.columns)}"
            )
        if taken := [name for name in self._attributes.columns if name in _TAKEN]:
            raise ValueError(f"{taken[0]!r} is what each run has by itself: give that attribute another name")

    def __repr__(self) -> str:
        title, rows, clock = (
            self.journey.label[:80],
            small.shown(self.facts.read, self.least),
            self._view.clock,
        )
        return f"JourneyStats({title!r}, {rows:,} rows read, {self.chosen}, {clock} clock)"

    @property
    def chosen(self) -> str:
        """The period as a report's parameter takes it: a preset, or ``first..last``."""
        period = self._view.period
        return period if isinstance(period, str) else f"{period[0]}..{period[1]}"

    @property
    def comparing(self) -> bool:
        """Whether the period before stands beside the numbers."""
        return self._view.compare

    # Verbs: each returns a new JourneyStats.

    def like(self, other: JourneyStats) -> JourneyStats:
        """Look as other statistics do: the same period, clock, instant of sight, version, comparison and conditions.

        Raises
        ------
        ValueError
            When the others look at single runs, which these facts number otherwise, or under pseudonyms.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> some, more = (jn.JourneyStats(journey, simulate(journey, users=users)) for users in (50, 60))
        >>> more.like(some.period("7d")).chosen
        '7d'
        """
        wanted(other)
        if self.facts is not other.facts and any(name == "run" for name, _ in other._view.where):
            raise ValueError(
                "the other statistics are of single runs (they were loaded, or are under pseudonyms), "
                "which these facts number otherwise: choose them by where()"
            )
        if other.pseudonymous and not self.pseudonymous:
            raise ValueError("the other statistics are under pseudonyms: put these under() them first")
        own = {"pseudonymous": self.pseudonymous, "least": max(self.least, other.least)}
        return self._with(**{**vars(other._view), **own})

    def period(self, name: str) -> JourneyStats:
        """Look at a preset: launch (the default), today, yesterday, 7d, 30d, this_week, this_month; or ``first..last``."""
        days = period.asked(str(name), self._zone)
        return self.between(*days) if days else self._with(period=name)

    def between(self, start: Moment, end: Moment) -> JourneyStats:
        """Look at two dates (the end inclusive) or two instants (the end exclusive).

        Texts are ISO dates or times; a time without a zone is the journey's local time.
        """
        start, end = period.of_numpy(start), period.of_numpy(end)
        period.between(start, end, self._zone)
        return self._with(period=(start, end))

    def clock(self, name: Clock) -> JourneyStats:
        """Count events at their own time (``activity``), or follow the runs that entered (``cohort``)."""
        if name not in get_args(Clock):
            raise ValueError(f"unknown clock {name!r}{near(name, get_args(Clock))} (use activity or cohort)")
        return self._with(clock=name)

    def as_of(self, moment: Moment | None) -> JourneyStats:
        """See nothing after this instant (inclusive); by default the log's last event."""
        if moment is not None:
            moment = period.of_numpy(moment)
            period.instant(moment, self._zone)
        return self._with(as_of=moment)

    def version(self, number: int | None) -> JourneyStats:
        """Draw this version; points, branches, messages, waiting and drops count what happened on it.

        The tables of the whole journey (health, daily, audience, users, goals, communications) count all
        versions as before: ``where(version=n)`` narrows these to the runs that entered on one. None draws
        the newest version and counts all.
        """
        if number is not None:
            number = whole_number(number, 0, f"version={number!r} is no version's number: give a whole one")
            self.journey.version(number)
        return self._with(version=number)

    def machine(self, include: bool = True) -> JourneyStats:
        """Count opens and clicks by machines too."""
        return self._with(machine=include)

    def compare(self, what: Literal["previous"] | None = "previous") -> JourneyStats:
        """Put the period before beside the tables of counts: ``_prev`` and ``_change`` of each number.

        Lists (users, paths), credit and the tables that follow cohorts and experiments stay as they are.
        """
        if what not in ("previous", None):
            raise ValueError(f"cannot compare with {what!r} (use 'previous' or None)")
        return self._with(compare=what is not None)

    def where(
        self,
        *,
        users: Any = None,
        variant: Any = ...,
        entry: Any = ...,
        version: Any = ...,
        **attributes: Any,
    ) -> JourneyStats:
        """Count only some runs; several conditions, also of several calls, must all hold.

        Parameters
        ----------
        users
            User ids: a list, a series, an array, or a frame with a column user_id.
        variant, entry, version
            The run's first variant, its entry point, the version at its entry: a value, or several in a list, a
            series or an array.
        **attributes
            Columns of the attributes: a value or several.

        Raises
        ------
        ValueError
            When no run can have a value, for it was neither designed nor seen, and no attribute has it; the message
            names those there are.
        """
        if taken := {"user_id", "run"} & attributes.keys():
            raise TypeError(f"where takes no {min(taken)!r}: users= takes user ids")
        told = {"variant": variant, "entry_point": entry, "version": version}
        conditions = {name: plain(value) for name, value in (told | attributes).items() if value is not ...}
        if users is not None:
            conditions["user_id"] = user_ids(users)
        for name, value in conditions.items():  # a mistake is told here, not by the first table
            if name != "user_id":
                self._check_possible(name, value)
            self._meets(name, value)
        return self._with(where=(*self._view.where, *conditions.items()))

    def under(self, pseudonyms: Pseudonyms) -> JourneyStats:
        """The same numbers of the same people under keyed pseudonyms, to be shown to others; in memory.

        Ids of users, devices, runs and messages become pseudonyms, free texts of the log are left out.
        Attributes stay behind, since any of them may name somebody: narrow by them before.

        Raises
        ------
        ValueError
            When they are under pseudonyms already: those of pseudonyms would join with nothing.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.pseudonyms import Pseudonyms
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=1))
        >>> shared = stats.under(Pseudonyms(b"a key of many bytes, not this one"))
        >>> shared.health().equals(stats.health()), shared.users()["user_id"][0].startswith("u-")
        (True, True)
        """
        if not isinstance(pseudonyms, Pseudonyms):
            raise TypeError(f"under takes Pseudonyms(key), not a {type(pseudonyms).__name__}")
        if self.pseudonymous:
            raise ValueError(
                "these statistics are under pseudonyms already: take those of the log, or no pseudonyms now"
            )
        facts, kept = pseudonyms.facts(self.facts, self.journey), self._kept()
        chosen: tuple[tuple[str, Any], ...] = ()
        if kept is not None:
            theirs = pseudonyms.table(self.facts.runs.filter(kept).select("run_id"))
            chosen = (("run", facts.runs.join(theirs, on="run_id", how="semi")["run"].sort()),)
        other = self._with(where=chosen, pseudonymous=True)
        other.facts = facts
        other._attributes = pl.DataFrame()
        other.store = None  # it knows their names
        return other

    @property
    def pseudonymous(self) -> bool:
        """Whether ids are pseudonyms."""
        return self._view.pseudonymous

    def small_groups(self, k: int) -> JourneyStats:
        """Hide groups smaller than k, so that no number tells of a few people; 0 hides none.

        Counts from 1 to k − 1 are −k ("fewer than k", shown as ``< k``), all others are rounded down to multiples of
        k, and rates are of these, so that nothing hidden comes back as a difference. Numbers that rest on hidden ones
        are null; ways that fewer than k users took are left out; lists of single people are refused.

        Raises
        ------
        ValueError
            When k is no whole number from 3 on, or 0.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=58, seed=1)).small_groups(5)
        >>> stats.health()["entrances"].item() % 5, stats.drops()["count"].min()
        (0, -5)
        """
        return self._with(least=small.check(k))

    @property
    def least(self) -> int:
        """The smallest group that is shown; 0: every group is."""
        return self._view.least

    def history(self, history_days: int | None) -> JourneyStats:
        """Tell of people only what was in the last so many local days, where a policy wants that; None for all.

        Paths of a user leave out the runs that had ended before; :meth:`users` and the exports of a step's and a
        message's users begin no earlier (METRICS.md, section 12). Counts stay.

        Raises
        ------
        ValueError
            When it is no number of days, 1 or more.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=1))
        >>> late = stats.history(30)
        >>> late.users().height < stats.users().height, late.points().equals(stats.points())
        (True, True)
        """
        if history_days is not None:
            told = f"history_days={history_days!r}: how many days, 1 or more, or None for all"
            history_days = whole_number(history_days, 1, told)
        return self._with(history_days=history_days)

    @property
    def history_days(self) -> int | None:
        """How many days back single people are told of; None: all that the log holds."""
        return self._view.history_days

    def verbs(self, after: JourneyStats | None = None) -> str:
        """The verbs that look as these statistics do, as code.

        Parameters
        ----------
        after
            What they may be called on but those that nobody has narrowed: what differs from these is said too.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50))
        >>> stats.between("2026-03-01", "2026-03-15").clock("cohort").where(version=[1, 2]).verbs()
        ".between('2026-03-01', '2026-03-15').clock('cohort').where(version=[1, 2])"
        """
        return "".join(_verbs(self._view, after._view if after else _View()))

    # Tables of the four dashboards.

    def health(self, by: str | None = None, *, intervals: bool = False) -> pl.DataFrame:
        """One row of headline numbers: entrances, messages, open rate, drop-offs, goals."""
        return self._table("health", by, intervals)

    def daily(
        self, by: str = "journey", place: Literal["send", "event"] = "send", *, split: str | None = None
    ) -> pl.DataFrame:
        """Counts day by day, long: by journey, channel, point or goal; ``split`` is another table's ``by``."""
        by, split = self._own(by, BREAKDOWNS, split)
        return self._table("daily", split, by=by, place=place)

    def audience(self, by: str | None = None) -> pl.DataFrame:
        """One row: who was inside before, came, left, and is inside now."""
        return self._table("audience", by)

    def users(
        self, search: str | None = None, limit: int | None = None, offset: int = 0, *, by: str | None = None
    ) -> pl.DataFrame:
        """A row per run inside at any time in the period; search by user or device id; paged."""
        small.refuse("users()", self.least)
        word = None if search is None else str(search)
        if limit is not None:
            limit = whole_number(limit, 0, f"limit={limit!r}: how many rows, 0 or more, or None for all")
        offset = whole_number(offset, 0, f"offset={offset!r}: how many rows to pass over, 0 or more")
        return self._table("users", by, search=word, limit=limit, offset=offset)

    def goals(self, by: str | None = None, *, intervals: bool = False) -> pl.DataFrame:
        """A row per goal (and currency, where there are several), goals nobody reached included."""
        return self._table("goals", by, intervals)

    def credit(
        self, goal: str | None = None, rule: str = "engaged", *, by: str | None = None, **options: Any
    ) -> pl.DataFrame:
        """Whom the goal's users are credited to: the points, and null for none of them."""
        return self._table("credit", by, goal=goal, rule=rule, **options)

    def communications(self, by: str | None = None, *, intervals: bool = False) -> pl.DataFrame:
        """A row per channel: sent, delivered, opened, clicked, engagement, failures."""
        return self._table("communications", by, intervals)

    def messages(
        self,
        channel: str | None = None,
        goal: str | None = None,
        *,
        by: str | None = None,
        intervals: bool = False,
    ) -> pl.DataFrame:
        """A row per message point, with the users who reached a goal (any, by default) after it."""
        return self._table("messages", by, intervals, channel=channel, goal=goal)

    def delivery_issues(
        self, channel: str | None = None, *, by: str | None = None, intervals: bool = False
    ) -> pl.DataFrame:
        """What failed, bounced or was skipped, and why."""
        return self._table("delivery_issues", by, intervals, channel=channel)

    # Tables of the canvas.

    def points(self, by: str | None = None) -> pl.DataFrame:
        """A row per point: who came, waits, left and how; messages; goals; time in step."""
        return self._table("points", by)

    def branches(self, by: str | None = None, *, intervals: bool = False) -> pl.DataFrame:
        """A row per branch: traversals, users, share of the source's traversals."""
        return self._table("branches", by, intervals)

    def waiting(self, by: str | None = None) -> pl.DataFrame:
        """A row per point and cause: who stands there, since when, until when."""
        return self._table("waiting", by)

    def drops(self, point_id: str | None = None, *, by: str | None = None) -> pl.DataFrame:
        """What was lost where: runs and messages, by class and reason."""
        return self._table("drops", by, point_id=point_id)

    def waiting_times(self, point_id: str, *, by: str | None = None) -> pl.DataFrame:
        """Who waits at a point, by the cause and by how long."""
        return self._grouped(self._hiding(spans.waiting_times, point_id), self.scope, by)

    def response_times(self, point_id: str, *, by: str | None = None) -> pl.DataFrame:
        """How long after its sending a point's message was first opened and clicked (in-app: interacted with)."""
        return self._grouped(self._hiding(spans.response_times, point_id), self.scope, by)

    def reconciliation(self, by: str | None = None) -> pl.DataFrame:
        """What should balance, and by how much it does not (METRICS.md, section 9)."""
        return self._table("reconciliation", by)

    # Goals over time, experiments, paths.

    def time_to_goal(self, goal: str, start: str = "entry", *, by: str | None = None) -> pl.DataFrame:
        """Kaplan–Meier: the share that has not reached the goal, by days since the entry or a point."""
        small.refuse("time_to_goal()", self.least)
        return self._grouped(lambda scope: retention.time_to_goal(scope, goal, start), self.scope, by)

    def median_time_to_goal(self, goal: str, start: str = "entry") -> int | None:
        """The first day by which half have reached the goal; None if half never did."""
        small.refuse("median_time_to_goal()", self.least)
        return retention.median_time_to_goal(self.scope, goal, start)

    def cohorts(self, by: str = "week", goal: str | None = None, *, split: str | None = None) -> pl.DataFrame:
        """Entry cohorts (day, week, month) by age; ``split`` is another table's ``by``. Its rates have no ``intervals``."""
        by, split = self._own(by, UNITS, split)
        return self._grouped(self._hiding(retention.cohorts, by, goal), self.scope, split)

    def variants(self, point_id: str, goal: str, *, by: str | None = None, **options: Any) -> pl.DataFrame:
        """A row per variant of a split or message: assigned, converted, difference to the control."""
        return self._grouped(
            lambda scope: experiments.variants(scope, point_id, goal, k=self.least, **options).table,
            self.scope,
            by,
        )

    def experiment(self, point_id: str, goal: str, **options: Any) -> Experiment:
        """The variants with their verdict, the check of the shares and the sample needed.

        Takes ``unit`` (user, run), ``mde``, ``planned_n`` and ``method`` (fixed, sequential).
        """
        asked = functools.partial(experiments.variants, self.scope, point_id, goal, k=self.least, **options)
        found = self._once(repr(("experiment", point_id, goal, options)), asked)
        return dataclasses.replace(found, table=found.table.clone())

    def incremental(self, goal: str, control: Any = None, *, by: str | None = None) -> pl.DataFrame:
        """What the messages added: treated against the control group, with the interval."""
        small.refuse("incremental()", self.least)
        held_out = None if control is None else user_ids(control).to_list()
        return self._grouped(lambda scope: experiments.incremental(scope, goal, held_out), self.scope, by)

    def user_path(self, user: str) -> pl.DataFrame:
        """Every run of a user (by user or device id), step by step, newest first; empty if there is none."""
        small.refuse("user_path()", self.least)
        return self._of_late_runs(self._of_user(paths.user_path, user), user)

    def user_runs(self, user: str) -> pl.DataFrame:
        """Every run of a user (by user or device id), newest first: status, version, times, goals."""
        small.refuse("user_runs()", self.least)
        runs, since = self._of_user(paths.user_runs, user), self._since
        if since is None:
            return runs
        return runs.filter(pl.col("left_at").is_null() | (pl.col("left_at") >= since.astimezone(self._zone)))

    def user_events(self, user: str) -> pl.DataFrame:
        """What was done at each step of :meth:`user_path`: messages and what became of them, goals, waits."""
        small.refuse("user_events()", self.least)
        return self._of_late_runs(self._of_user(paths.user_events, user), user)

    def beginning(self, start: str, limit: int = 8) -> list[str]:
        """User and device ids that begin so: what to offer while one is typed."""
        small.refuse("beginning()", self.least)
        limit = whole_number(limit, 0, f"limit={limit!r}: how many ids, 0 or more")
        return paths.beginning(self.scope, str(start), limit)

    def nearest(self, user: str) -> list[str]:
        """Ids like this one that are in the journey: what to offer where :meth:`user_path` is empty."""
        small.refuse("nearest()", self.least)
        return paths.nearest(self.scope, str(user))

    def paths(
        self, top: int | None = 20, collapse_loops: bool = True, *, by: str | None = None
    ) -> pl.DataFrame:
        """The most frequent ways through the journey, with their conversion; ``top=None`` tells all.

        Its rates have no ``intervals``: ways are found in the log, and of many rare ones some stand out by chance.
        """
        if top is not None:
            top = whole_number(top, 1, f"top={top!r}: how many ways, 1 or more, or None for all")

        def taken_by_many(scope: Scope) -> pl.DataFrame:
            many = paths.paths(scope, None, collapse_loops).filter(pl.col("users") >= self.least)
            many = many.with_columns(_entered=scope.counts.runs()["entrances"].item())
            rates = {"share": ("runs", "_entered"), "rate": ("converted", "runs")}
            return small.hidden(many if top is None else many.head(top), self.least, rates).drop("_entered")

        return self._grouped(taken_by_many, self.scope, by)

    # Behind the numbers.

    def rows(self, cell: str, **key: Any) -> pl.DataFrame:
        """The rows that a number counts.

        Parameters
        ----------
        cell
            ``table.column``, such as ``"health.drop_offs"``.
        **key
            Which row of the table, such as ``point_id="push"``.
        """
        small.refuse("rows()", self.least)
        return rows_behind.rows(self.scope, cell, **key)

    @staticmethod
    def explain(name: str) -> definitions.Definition:
        """What a column counts, over what, and by which clock: ``"open_rate"`` or ``"points.entered"``."""
        return definitions.explain(name)

    def marks(self, table: str = "goals") -> pl.DataFrame:
        """What to know before trusting a number: table, key, column, mark.

        ``mixed_cohorts``: a rate above 1, since on the activity clock the goals of earlier entrants count;
        the cohort clock gives the rate of this period's entrants.
        """
        if table not in metrics.TABLES:
            raise ValueError(f"no table {table!r}{near(table, metrics.TABLES)}")
        schema = {"table": pl.String, "key": pl.String, "column": pl.String, "mark": pl.String}
        # Only goals are counted beside people who may have entered before.
        rates = metrics.RATES["goals"] if table == "goals" and self._view.clock == "activity" else {}
        goals = metrics.TABLES["goals"](self.scope) if rates else pl.DataFrame()
        found = [
            goals.filter(pl.col(rate) > 1).select(
                pl.lit(table).alias("table"), pl.col("goal_id").alias("key"),
                pl.lit(rate).alias("column"), pl.lit("mixed_cohorts").alias("mark"),
            )
            for rate in rates
        ]  # fmt: skip
        return pl.concat([pl.DataFrame(schema=schema), *found])

    def report(self) -> Report:
        """What became of the log's rows, the rules of order included: read = loaded + duplicates + quarantined.

        The rows set aside are ``stats.facts.quarantined``.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> report = jn.JourneyStats(journey, simulate(journey, users=20)).report()
        >>> report.read == report.loaded + report.duplicates + report.quarantined
        True
        """
        facts = self.facts
        odd = self._odd()
        told = Report.of(facts.quarantined, read=facts.read, duplicates=facts.duplicates, warnings=odd)
        if not self.least:
            return told
        rules = small.hidden(told.frame, self.least).with_columns(example=pl.lit(None, pl.String))
        read, loaded, duplicates, quarantined = (
            small.shown(rows, self.least)
            for rows in (told.read, told.loaded, told.duplicates, told.quarantined)
        )
        return Report(rules, read, loaded, duplicates, quarantined, odd)

    @property
    def outside_window(self) -> tuple[int, int]:
        """How many goal events of the log count for no run: those after its window, and those of users who never entered.

        Definition: METRICS.md, sections 2 and 14.9.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> jn.JourneyStats(journey, simulate(journey, users=20)).outside_window
        (0, 0)
        """
        late, strangers = outside_window(self.facts)
        return small.shown(late, self.least), small.shown(strangers, self.least)

    def _odd(self) -> tuple[str, ...]:
        """What to know of the rows that loaded."""
        told = []
        if self.facts.rows("runs", pl.col("derived")).height:
            told.append(
                "the log has no run_id: runs are derived (run_id_quality), each begins with an entry of its user"
            )
        if any(outside := self.outside_window):
            late, strangers = (f"{n:,}" if n >= 0 else f"< {-n:,}" for n in outside)
            told.append(
                f"goals of no run (outside_window): {late} after its window, {strangers} of users who never entered"
            )
        return tuple(told)

    # Kept and opened again.

    def save(self, folder: str | Path) -> None:
        """Write journey, facts and what the verbs have chosen into a folder of their own, for :meth:`load`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        facts = self.facts
        (folder / "kept.arrow").unlink(missing_ok=True)  # of statistics that were saved here before
        facts.folded.save(folder)
        self.journey.write(folder / "journey.json")
        view = {**vars(self._view), "where": ()}
        (folder / "view.json").write_text(json.dumps(view, default=lambda time: time.isoformat()))
        self._attributes.write_ipc(folder / "attributes.arrow")
        if (kept := self._kept()) is not None:
            facts.runs.filter(kept).select("run").write_ipc(folder / "kept.arrow")

    @classmethod
    def load(cls, folder: str | Path) -> JourneyStats:
        """Statistics that :meth:`save` has written.

        Examples
        --------
        >>> import tempfile
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50)).period("7d")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stats.save(folder)
        ...     again = jn.JourneyStats.load(folder)
        >>> again.points().equals(stats.points())
        True
        """
        folder = Path(folder)
        stats = cls(Journey.read(folder / "journey.json"), Folded.load(folder))
        stats._attributes = read_arrow(folder / "attributes.arrow")
        view = json.loads((folder / "view.json").read_text())
        chosen = view["period"]
        view["period"] = chosen if isinstance(chosen, str) else tuple(chosen)
        view["where"] = ()
        if (folder / "kept.arrow").exists():
            view["where"] = (("run", read_arrow(folder / "kept.arrow")["run"]),)
        return stats._with(**view)

    # What the verbs amount to.

    @cached_property
    def scope(self) -> Scope:
        """What every table looks at: the facts of the period, on the clock, as seen then."""
        return self._scope(self._period)

    @cached_property
    def listed(self) -> Scope:
        """What lists of people look at: the same, but for what was before the last :attr:`history_days`."""
        since, chosen = self._since, self._period
        if since is None or since <= chosen.start:
            return self.scope
        return self._scope(dataclasses.replace(chosen, start=min(since, chosen.end)))

    @cached_property
    def previous_scope(self) -> Scope | None:
        """The scope of the period before; None since launch."""
        before = period.previous(self._period, self._zone, self._seen)
        return None if before is None else self._scope(before)

    def _with(self, **changes: Any) -> JourneyStats:
        other = object.__new__(JourneyStats)
        other.journey, other.facts, other._attributes = self.journey, self.facts, self._attributes
        other.store = self.store
        other._view = dataclasses.replace(self._view, **changes)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Without what was found so far, which another process finds for itself."""
        return {name: getattr(self, name) for name in ("journey", "facts", "_attributes", "_view", "store")}

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.journey.timezone)

    @cached_property
    def _seen(self) -> datetime:
        moment = self._view.as_of
        return self.facts.last_at if moment is None else period.instant(moment, self._zone)

    @cached_property
    def _period(self) -> Period:
        chosen = self._view.period
        if not isinstance(chosen, str):
            return period.between(*chosen, self._zone)
        launch = self.journey.launched_at or self.facts.first_at
        return period.preset(chosen, self._zone, self._seen, launch)

    @property
    def _since(self) -> datetime | None:
        """Where the last :attr:`history_days` begin, if they are limited."""
        if (days := self.history_days) is None:
            return None
        today = self._seen.astimezone(self._zone).date()
        return period.midnight(today - timedelta(days=days - 1), self._zone)

    def _of_late_runs(self, told: pl.DataFrame, user: str) -> pl.DataFrame:
        """What is told of the runs that :meth:`user_runs` has."""
        if self._since is None:
            return told
        return told.join(self.user_runs(user), on="run_id", how="semi", maintain_order="left")

    def _scope(self, of: Period) -> Scope:
        view = self._view
        every = Scope(
            self.journey, self.facts, of.start, of.end, self._seen,
            clock=view.clock, version=view.version, machine=view.machine,
        )  # fmt: skip
        kept = self._kept()
        scopes = [every] if kept is None else [every, every.only(kept)]
        # Their counts hold them in turn: as rings they would stay, and the facts with them, till Python looks for such.
        for scope in scopes:
            weakref.finalize(self, scope.let_go).atexit = False
        return scopes[-1]

    def _kept(self) -> pl.Series | None:
        """One boolean a run: whether it meets every condition, as seen at this stats' instant."""
        masks = [self._meets(name, value) for name, value in self._view.where]
        return functools.reduce(operator.and_, masks) if masks else None

    def _meets(self, name: str, value: Any) -> pl.Series:
        if name == "user_id":
            return self.facts.runs["user_id"].is_in(value.implode())
        if name == "run":
            return self.facts.runs["run"].is_in(value.implode())
        return is_any(self._of_run(name), value)

    def _check_possible(self, name: str, value: Any) -> None:
        """Refuse what no run can have."""
        possible = self._possible(name)
        known = {None, *possible}
        for one in values_of(value) if possible else ():
            if one not in known:
                words = [str(other) for other in possible]
                what, some = name.replace("_", " "), ", ".join(words[:20])
                hint = (
                    f"; write {possible[words.index(str(one))]!r}"
                    if str(one) in words
                    else near(str(one), words)
                )
                raise ValueError(f"no {what} {one!r}{hint} (there are {some})")

    def _possible(self, name: str) -> list[Any]:
        """What a run may be by a dimension: designed, or seen; nothing, where anything may come to be."""
        if name not in DIMENSIONS:
            known = name in self._dimensions()
            return self._attributes[name].drop_nulls().unique().sort().to_list() if known else []
        versions, points = self.journey.versions, self.journey.points().values()
        keys = [branch.key for version in versions for branch in version.branches]
        designed: dict[str, list[Any]] = {
            "entry_point": [point.point_id for point in points if point.is_entry],
            "version": [version.version for version in versions],
            # Without splits, messages may come to have any.
            "variant": [key.removeprefix("variant:") for key in keys if key.startswith("variant:")],
        }
        seen = self.facts.runs[name].drop_nulls().unique().sort().to_list() if designed[name] else []
        return list(dict.fromkeys([*designed[name], *seen]))

    @cached_property
    def _answers(self) -> dict[str, Any]:
        return {}

    def _once(self, asked: str, answer: Callable[[], Made]) -> Made:
        """An answer that is found once: the windows of a view ask for the same again and again."""
        if asked not in self._answers:
            self._answers[asked] = answer()
        found: Made = self._answers[asked]
        return found

    def _of_user(self, tell: Callable[[Scope, str], pl.DataFrame], user: str) -> pl.DataFrame:
        """What is told of one user, kept until another is asked for: the views of a user ask for the same."""
        of, told = self._answers.get("user", ("", {}))
        if of != str(user):
            _, told = self._answers["user"] = str(user), {}
        if tell not in told:
            told[tell] = tell(self.scope, str(user))
        found: pl.DataFrame = told[tell]
        return found.clone()  # it may be changed in place

    def _table(
        self, name: str, dimension: str | None, bounds: bool = False, /, **options: Any
    ) -> pl.DataFrame:
        made = functools.partial(self._made, name, dimension, bounds, **options)
        if name in ROW_LISTS:  # which may be long
            return made()
        table = self._once(repr((name, dimension, bounds, options)), made)
        return table.clone()  # it may be changed in place

    def _made(self, name: str, dimension: str | None, bounds: bool, /, **options: Any) -> pl.DataFrame:
        made = self._maker(name, bounds, **options)
        now = self._grouped(made, self.listed if name == "users" else self.scope, dimension)
        if not self._view.compare or name in ROW_LISTS:
            return now
        keys = [*(now.columns[:1] if dimension else []), *metrics.KEYS[name]]
        before = self._before(made, dimension)
        if name == "goals" and before is not None:
            now, before = goals_beside(now, before, keys)
        told = now.select(keys)
        if name in metrics.SPARSE and before is not None:
            told = pl.concat([told, before.select(keys)]).unique(maintain_order=True)
            made = self._maker(name, bounds, also=told, **options)
            now, before = self._grouped(made, self.scope, dimension), self._before(made, dimension)
        both = beside(now, before, keys)
        if name in metrics.SPARSE:  # by a dimension, each group has rows that only others have met
            both = on_rows(told, both)
        return small.changed(both) if self.least else both

    def _maker(self, name: str, bounds: bool, /, **options: Any) -> Callable[[Scope], pl.DataFrame]:
        """What makes a table of a scope: with bounds, and small groups hidden, if that is asked for."""
        table, rates = metrics.TABLES[name], metrics.RATES.get(name, {})

        def on_bases(scope: Scope) -> pl.DataFrame:
            frame = small.hidden(metrics.with_bases(name, scope, **options), self.least, rates)
            frame = intervals.with_intervals(frame, rates) if bounds else frame
            return frame.select(column for column in frame.columns if not column.startswith("_"))

        return on_bases if bounds or self.least else lambda scope: table(scope, **options)

    def _before(self, table: Any, dimension: str | None) -> pl.DataFrame | None:
        """The table of the period before, if there is one, its days moved onto those of this one."""
        scope = self.previous_scope
        if scope is None:
            return None
        before = self._grouped(table, scope, dimension)
        if "date" in before.columns and scope.days and self.scope.days:
            move: timedelta = self.scope.days[0] - scope.days[0]
            before = before.with_columns(pl.col("date").dt.offset_by(f"{move.days}d"))
        return before

    def _hiding(self, table: Any, *options: Any) -> Any:
        """A table outside of :data:`metrics.TABLES` as it is shown: a function of a scope."""
        return lambda scope: small.hidden(table(scope, *options), self.least, {"rate": ("reached", "users")})

    def _grouped(self, table: Any, scope: Scope, dimension: str | None) -> pl.DataFrame:
        if dimension is None:
            frame: pl.DataFrame = table(scope)
            return frame
        return by_value(table, scope, dimension, self._of_run(dimension))

    def _own(self, by: str, own: tuple[str, ...], split: str | None) -> tuple[str, str | None]:
        """What a table with a ``by`` of its own is asked for: that, and the dimension to group by."""
        if by in own:
            return by, split
        if split is None and by in self._dimensions():
            return own[0], by
        known = [*own, *self._dimensions()]
        raise ValueError(
            f"nothing called {by!r} here{near(by, known)} (there are {', '.join(known)}){self._lacking}"
        )

    def _dimensions(self) -> list[str]:
        columns = self._attributes.columns
        return [*DIMENSIONS, *(column for column in columns if column not in ("user_id", "valid_from"))]

    def _of_run(self, name: str) -> pl.Series:
        """What each run is by a dimension: its variant, entry point or version, or an attribute of its user."""
        runs, attributes = self.facts.runs, self._attributes
        if name == "variant":  # what was assigned after the instant of sight is not seen
            seen = pl.col("variant_at") <= self._seen
            return runs.select(pl.when(seen).then("variant").alias("variant")).to_series()
        if name in DIMENSIONS:
            return runs[name].cast(pl.String) if name == "entry_point" else runs[name]
        known = self._dimensions()
        if name not in known:
            raise ValueError(
                f"nothing called {name!r} to group or filter by{near(name, known)} "
                f"(there are {', '.join(known)}){self._lacking}"
            )
        return _attribute(runs, attributes, name)

    @property
    def _lacking(self) -> str:
        """Why there are no attributes, where there are none."""
        if self.pseudonymous:
            return "; attributes stay behind under pseudonyms: narrow by them with where() before under()"
        if self._attributes.columns:
            return ""
        return "; attributes come with JourneyStats(stats.journey, stats.facts, attributes=frame)"


def _folded(journey: Journey, log: Any) -> Facts:
    log = log if isinstance(log, EventLog) else EventLog.from_frame(log)
    return fold(journey, log.judge(journey))


def wanted(stats: object) -> JourneyStats:
    """The statistics, if they are some.

    Raises
    ------
    TypeError
        When they are something else; the message says how statistics are made.

    Examples
    --------
    >>> wanted("welcome.journey.json")
    Traceback (most recent call last):
    TypeError: statistics are wanted, not a str: jn.JourneyStats(journey, log) makes them, a store has them as store["…"]
    """
    if not isinstance(stats, JourneyStats):
        raise TypeError(
            f"statistics are wanted, not a {type(stats).__name__}: jn.JourneyStats(journey, log) makes them, "
            'a store has them as store["…"]'
        )
    return stats


def _eager(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)


def _verbs(view: _View, after: _View) -> Iterator[str]:
    dates = "" if isinstance(view.period, str) else ", ".join(map(_coded, view.period))
    calls = {
        "period": f".between({dates})" if dates else f".period({view.period!r})",
        "clock": f".clock({view.clock!r})",
        "as_of": f".as_of({_coded(view.as_of)})",
        "version": f".version({view.version})",
        "machine": f".machine({'' if view.machine else False})",
        "compare": f".compare({'' if view.compare else None})",
        "least": f".small_groups({view.least})",
        "history_days": f".history({view.history_days})",
    }
    for name, call in calls.items():
        if any(getattr(view, name) != getattr(other, name) for other in (_View, after)):
            yield call
    called = {"user_id": "users", "entry_point": "entry"}
    for name, value in view.where:
        if name != "run":  # of pseudonyms, which are narrowed already
            name = called.get(name, name)
            yield (
                f".where({name}={_coded(value)})"
                if name.isidentifier()
                else f".where(**{{{name!r}: {_coded(value)}}})"
            )


def _coded(value: Any) -> str:
    """A value as code, where it is one that people write; times as ISO texts, series as lists."""
    value = plain(value)
    if isinstance(value, date):  # times too
        value = value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_coded, value))}]"
    return repr(value)


def user_ids(users: Any) -> pl.Series:
    """User ids from a list, a series, an array, or a frame with a column user_id, as the log writes them."""
    users = users if hasattr(type(users), "columns") or isinstance(users, Mapping) else _listed(users)
    if not isinstance(users, pl.Series):
        frame = _eager(users)
        if "user_id" not in frame.columns:
            raise ValueError(f"the frame of users has no column 'user_id'{near('user_id', frame.columns)}")
        users = frame["user_id"]
    return as_text(users)


def _listed(users: Any) -> Any:
    """User ids as a series; one alone too. What streams whole rows is a frame."""
    try:
        alone = isinstance(users, (str, int)) or getattr(users, "ndim", 1) == 0
        ids = several([users] if alone else users)
    except TypeError:
        raise TypeError(
            f"users are ids (one, a list, a series) or a frame with a column user_id, not a {type(users).__name__}"
        ) from None
    return ids.struct.unnest() if ids.dtype == pl.Struct else ids


def as_text(ids: pl.Series) -> pl.Series:
    """Ids as the log reads them: 7 and 7.0 are both "7"."""
    return ids.to_frame("id").select(cell("id", ids.dtype, pl.String())).to_series()


def _attribute(runs: pl.DataFrame, attributes: pl.DataFrame, name: str) -> pl.Series:
    """The attribute of each run's user, where it changes as it was when the run began."""
    wanted = attributes.select(
        as_text(attributes["user_id"]).alias("user_id"),
        pl.col(name).alias("_value"),
        since=_since(attributes),
    ).drop_nulls("user_id")
    wanted = wanted.unique(maintain_order=True)
    if (several := wanted.select("user_id", "since").is_duplicated()).any():
        some = wanted.row(several.arg_true()[0], named=True)
        mend = "keep one row"
        if "valid_from" not in attributes.columns:
            mend = f"add a column valid_from, or {mend}"
        raise ValueError(f"user {some['user_id']!r} has several values of {name!r}: {mend}")
    if "valid_from" not in attributes.columns:
        return runs.select("user_id").join(wanted, on="user_id", how="left", maintain_order="left")["_value"]
    began = runs.select("run", "user_id", began=pl.coalesce("entered_at", "first_at")).sort("began")
    found = began.join_asof(
        wanted.sort("since", maintain_order=True),
        left_on="began",
        right_on="since",
        by="user_id",
        check_sortedness=False,
    )
    return found.sort("run")["_value"]


def _since(attributes: pl.DataFrame) -> pl.Series:
    """From when on each row holds: without a valid_from, for ever."""
    ever = datetime(1, 1, 1, tzinfo=UTC_ZONE)
    if "valid_from" not in attributes.columns:
        return pl.Series([ever], dtype=UTC).new_from_index(0, attributes.height)
    told = attributes["valid_from"]
    since = attributes.select(cell("valid_from", told.dtype, UTC)).to_series()
    if (odd := told.filter(since.is_null() & told.is_not_null())).len():
        raise ValueError(f"valid_from {odd[0]!r} is no time: write 2026-03-01 or 2026-03-01T12:00Z")
    return since.fill_null(ever)
