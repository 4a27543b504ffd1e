"""The health of a journey: its headline numbers, and how they went day by day."""

from __future__ import annotations

from typing import Literal, get_args

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS, SEND_ERRORS
from journey_nb.journey import near
from journey_nb.metrics.counts import ERROR_CLASSES, MESSAGE_METRICS, RUN_METRICS, Place
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import TEXT, rate, shaped

By = Literal["journey", "channel", "point", "goal"]


def health(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """One row of headline numbers; ``open_rate`` is over the sends of channels that report opens."""
    reason, count = pl.col("reason"), pl.col("runs")
    exits = scope.counts.exits().select(
        drop_offs=count.filter(pl.col("status") == "dropped").sum(),
        internal_errors=count.filter(reason.is_in(INTERNAL_ERRORS)).sum(),
        send_errors=count.filter(reason.is_in(SEND_ERRORS)).sum(),
    )
    reports = pl.col("channel").is_in(opens_reported(scope))
    messages = scope.counts.messages().select(
        messages_sent=pl.col("sent").sum(),
        messages_opened=pl.col("opened").filter(reports).sum(),
        _sent_reporting_opens=pl.col("sent").filter(reports).sum(),
    )
    reached = scope.counts.goals().select(goals_reached=pl.col("users").sum())
    row = pl.concat(
        [scope.counts.runs().select("entrances"), exits, messages, reached], how="horizontal"
    ).with_columns(open_rate=rate("messages_opened", "_sent_reporting_opens"))
    return shaped(row, "health", ["_sent_reporting_opens"], bases=bases)


def headline(scope: Scope) -> dict[str, int]:
    """What a list of many journeys tells of each: three numbers of health() and audience(), without counting the rest."""
    runs = scope.counts.runs().row(0, named=True)
    reached = scope.counts.goals()["users"].sum()
    return {**{name: runs[name] for name in ("entrances", "in_journey_users")}, "goals_reached": reached}


def opens_reported(scope: Scope) -> list[str]:
    """The channels that report opens: those of which the log holds one, by a machine too, or implied by a click that counts."""
    return scope.counts.opens_reported()["channel"].cast(TEXT).sort().to_list()


def daily(scope: Scope, by: By = "journey", place: Place = "send") -> pl.DataFrame:
    """Counts day by day, long; a row for every day and breakdown, zero included.

    Parameters
    ----------
    by
        What to break down: nothing but drop-offs (by error class), or channel, point or goal.
    place
        Whether the outcomes of the messages sent in the period stand on the day of the ``send`` or
        of the ``event`` (those that come after the last day then have no row). On the cohort clock
        everything stands on the day when the run entered.
    """
    for name, value, known in (("by", by, get_args(By)), ("place", place, get_args(Place))):
        if value not in known:
            raise ValueError(
                f"no daily series {name}={value!r}{near(value, known)} (use {' or '.join(known)})"
            )
    counts: list[pl.DataFrame] = []
    if by == "journey":
        counts.append(scope.counts.runs_by_day())
    if by != "goal":
        counts.append(scope.counts.messages_by_day(None if by == "journey" else by, place))
    if by == "goal":
        counts.append(scope.counts.goals_by_day())
    if by == "journey":
        goals = scope.counts.goals_by_day().group_by("date", "metric").agg(pl.col("count").sum())
        counts.append(goals.select("date", "metric", pl.lit(None, TEXT).alias("breakdown"), "count"))
    key = ["date", "metric", "breakdown"]
    table = _every_day(scope, by).join(
        pl.concat(counts), on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    return shaped(table.with_columns(pl.col("count").fill_null(0)), "daily")


def _every_day(scope: Scope, by: By) -> pl.DataFrame:
    rows: list[tuple[str, str | None]]
    if by == "journey":
        rows = [(metric, None) for metric in RUN_METRICS]
        rows += [("drop_offs", error) for error in ERROR_CLASSES]
        rows += [(metric, None) for metric in (*MESSAGE_METRICS, "goals")]
    elif by == "goal":
        rows = [("goals", goal.goal_id) for goal in scope.journey.goals]
    else:
        points = scope.points.filter("is_message")["point_id"]
        rows = [
            (metric, key)
            for metric in MESSAGE_METRICS
            for key in (scope.channels if by == "channel" else points)
        ]
    kinds = pl.DataFrame(rows, schema={"metric": TEXT, "breakdown": TEXT}, orient="row")
    return pl.DataFrame({"date": scope.days}, schema={"date": pl.Date}).join(kinds, how="cross")
