"""How long a goal takes, and how far each cohort of entries has come (METRICS.md, section 5)."""

from __future__ import annotations

from typing import Literal

import polars as pl

from journey_nb.journey import near
from journey_nb.metrics.intervals import Z95
from journey_nb.metrics.scope import Scope

By = Literal["day", "week", "month"]
TRUNCATE: dict[str, str] = {"day": "1d", "week": "1w", "month": "1mo"}
DAY = 86_400_000_000  # µs: a day of a conversion window is 24 hours


def time_to_goal(scope: Scope, goal: str, start: str = "entry") -> pl.DataFrame:
    """Kaplan–Meier: of the runs that began in the period, how many had not reached the goal after each day.

    They are followed up to as_of, on either clock. A run is censored when its window closes or, while that
    is open, at as_of.

    Parameters
    ----------
    scope
        The facts, the period and the instant of sight.
    goal
        The goal; a run's first reaching after the start counts.
    start
        ``entry``, or a point: then time runs from the first arrival at it that the clock counts.

    Returns
    -------
    polars.DataFrame
        A row for every 24 hours since the start: day (0 is the first), at_risk (runs still followed as it
        begins), reached (in it), survival (share not reached by its end), low, high (95 %, log-log of
        Greenwood's variance; null where survival is 0 or 1).
    """
    lasted = _lasted(scope, goal, _starts(scope, start))
    last = int(lasted.select(pl.col("day").max().fill_null(-1)).item())
    days = pl.DataFrame({"day": pl.int_range(last + 1, eager=True)})
    ended = lasted.group_by("day").agg(ended=pl.len(), reached=pl.col("reached").sum())
    at_risk = lasted.height - pl.col("ended").cum_sum() + pl.col("ended")
    return (
        days.join(ended, on="day", how="left", maintain_order="left")
        .with_columns(pl.col("ended", "reached").fill_null(0).cast(pl.Int64))
        .with_columns(at_risk=at_risk)
        .with_columns(survival=(1 - pl.col("reached") / pl.col("at_risk")).cum_prod())
        .with_columns(low=_greenwood(-Z95), high=_greenwood(Z95))
        .select("day", "at_risk", "reached", "survival", "low", "high")
    )


def median_time_to_goal(scope: Scope, goal: str, start: str = "entry") -> int | None:
    """The first day by whose end half of the runs had reached the goal; None while fewer have."""
    half = 0.5 + 1e-9  # a product of shares may miss it by the last digit
    reached = time_to_goal(scope, goal, start).filter(pl.col("survival") <= half)
    return int(reached["day"][0]) if reached.height else None


def _starts(scope: Scope, start: str) -> pl.DataFrame:
    """Each run's start: its entry, or its first arrival at a point, in the period."""
    if start == "entry":
        return scope.runs.filter(scope.within("entered_at")).select(
            "run", since="entered_at", order=pl.lit(-1, pl.Int64)
        )
    points = scope.journey.points()
    if start not in points:
        raise KeyError(f"no point {start!r} to start from{near(start, ['entry', *points])}")
    arrivals = scope.visits.filter("arrives", point=start)
    return arrivals.group_by("run").agg(since=pl.col("arrived_at").first(), order=pl.col("order").first())


def _lasted(scope: Scope, goal: str, starts: pl.DataFrame) -> pl.DataFrame:
    """For each run the day on which it reached the goal, else on which it was last followed."""
    days = scope.journey.goal(goal).conversion_days  # names the near miss
    reached = (
        scope.seen_goals.filter(goal=goal)
        .join(starts, on="run", suffix="_started")
        .filter(pl.col("order") > pl.col("order_started"))
        .group_by("run")
        .agg(reached_at=pl.col("at").min())
    )
    # A run that is left after as_of is followed up to as_of, whenever that is.
    runs = scope.facts.runs.select("run", closes=pl.col("left_at") + pl.duration(days=days))
    until = pl.coalesce("reached_at", pl.min_horizontal("closes", pl.lit(scope.as_of)))
    return (
        starts.join(runs, on="run", how="left")
        .join(reached, on="run", how="left")
        .select(
            day=(until - pl.col("since")).dt.total_microseconds() // DAY,
            reached=pl.col("reached_at").is_not_null(),
        )
    )


def _greenwood(z: float) -> pl.Expr:
    """A bound of survival: symmetric on the scale of log(-log), so that it stays within 0…1."""
    survival, at_risk, reached = pl.col("survival"), pl.col("at_risk"), pl.col("reached")
    variance = (reached / (at_risk * (at_risk - reached))).cum_sum()
    bound = survival ** (z * variance.sqrt() / survival.log()).exp()
    return pl.when((survival > 0) & (survival < 1)).then(bound)


def cohorts(scope: Scope, by: By = "week", goal: str | None = None) -> pl.DataFrame:
    """Entry cohorts by their age: how many users had reached a goal by then.

    They are followed up to as_of, on either clock. Cohort and age are counted in local calendar days, weeks
    (from Monday) or months; age 0 is the one of the entry.

    Parameters
    ----------
    scope
        The facts, the period and the instant of sight.
    by
        ``day``, ``week`` or ``month``.
    goal
        The goal; any goal by default.

    Returns
    -------
    polars.DataFrame
        A row for each cohort (its first day) and age up to as_of: cohort, age, runs (that entered), users
        (distinct, of those runs), reached (of those users, by the end of that age), rate (reached / users),
        immature (that age is not over yet).
    """
    if by not in TRUNCATE:
        raise ValueError(f"by={by!r} is unknown{near(by, TRUNCATE)}; use {', '.join(TRUNCATE)}")
    if goal is not None:
        scope.journey.goal(goal)  # names the near miss
    cohort = scope.day("since").dt.truncate(TRUNCATE[by]).alias("cohort")
    runs = _starts(scope, "entry").join(scope.facts.runs.select("run", "user"), on="run").with_columns(cohort)
    sizes = runs.group_by("cohort").agg(runs=pl.len(), users=pl.col("user").n_unique()).sort("cohort")
    reached = _first_reached(scope, runs, goal, by)
    cells = sizes.with_columns(oldest=_age(_local_today(scope), pl.col("cohort"), by))
    cells = cells.with_columns(age=pl.int_ranges(0, pl.col("oldest") + 1))
    cells = cells.explode("age", empty_as_null=False, keep_nulls=False)
    return (
        # What was reached by an age is what was by the last at which anyone reached it: few, of what may be millions.
        cells.join_asof(reached, on="age", by="cohort", check_sortedness=False)
        .with_columns(pl.col("reached").fill_null(0))
        .select(
            "cohort",
            pl.col("age", "runs", "users").cast(pl.Int64),
            "reached",
            rate=pl.col("reached") / pl.col("users"),
            immature=pl.col("age") == pl.col("oldest"),
        )
    )


def _first_reached(scope: Scope, runs: pl.DataFrame, goal: str | None, by: By) -> pl.DataFrame:
    """By cohort and age at which any user first reached the goal, those who had by then."""
    goals = scope.seen_goals if goal is None else scope.seen_goals.filter(goal=goal)
    return (
        goals.join(runs.select("run", "cohort"), on="run")
        .group_by("cohort", "user")
        .agg(pl.col("at").min())
        .with_columns(age=_age(scope.day("at"), pl.col("cohort"), by))
        .group_by("cohort", "age")
        .agg(reached=pl.len().cast(pl.Int64))
        .sort("cohort", "age")
        .with_columns(pl.col("reached").cum_sum().over("cohort"))
    )


def _local_today(scope: Scope) -> pl.Expr:
    """The first local day that is not over: the one of the first instant not seen."""
    return pl.lit(scope.horizon).dt.convert_time_zone(scope.timezone).dt.date()


def _age(day: pl.Expr, cohort: pl.Expr, by: By) -> pl.Expr:
    """Whole calendar units from a cohort's first day to a day."""
    if by == "month":
        months = 12 * (day.dt.year() - cohort.dt.year()) + day.dt.month().cast(pl.Int32)
        return (months - cohort.dt.month().cast(pl.Int32)).cast(pl.Int64)
    return (day - cohort).dt.total_days() // (7 if by == "week" else 1)
