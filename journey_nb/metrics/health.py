"""The health of a journey: its headline numbers, and how they went day by day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import polars as pl

from journey_nb.events import INTERNAL_ERRORS, SEND_ERRORS
from journey_nb.journey import near
from journey_nb.metrics.communications import FLAGS
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, RATE, TEXT, rate, shaped

By = Literal["journey", "channel", "point", "goal"]
Place = Literal["send", "event"]

HEALTH: dict[str, pl.DataType] = {
    "entrances": COUNT,
    "messages_sent": COUNT,
    "messages_opened": COUNT,
    "open_rate": RATE,
    "drop_offs": COUNT,
    "internal_errors": COUNT,
    "send_errors": COUNT,
    "goals_reached": COUNT,
}
DAILY: dict[str, pl.DataType] = {"date": pl.Date(), "metric": TEXT, "breakdown": TEXT, "count": COUNT}

ERROR_CLASSES = ("internal_error", "send_error")
RUN_METRICS = ("entrances", "exits", "completed")
MESSAGE_METRICS = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "impressions": "shown",
    "interacted": "interacted",
    "unsubscribed": "unsubscribed",
    "failed": "failed",
    "skipped": "skipped",
}
"""The message metrics of daily(), and what their messages count as."""


def health(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """One row of headline numbers; ``open_rate`` is over the sends of channels that report opens."""
    reason = pl.col("reason")
    runs = scope.runs.select(
        entrances=scope.within("entered_at").sum(),
        drop_offs=(pl.col("leaves") & (pl.col("status") == "dropped")).sum(),
        internal_errors=(pl.col("leaves") & reason.is_in(INTERNAL_ERRORS)).sum(),
        send_errors=(pl.col("leaves") & reason.is_in(SEND_ERRORS)).sum(),
    )
    reports = pl.col("channel").is_in(opens_reported(scope))
    messages = scope.messages.select(
        messages_sent=FLAGS["sent"].sum(),
        messages_opened=(FLAGS["opened"] & reports).sum(),
        _sent_reporting_opens=(FLAGS["sent"] & reports).sum(),
    )
    reached = scope.goals.select(goals_reached=pl.struct("goal", "user").n_unique())
    row = pl.concat([runs, messages, reached], how="horizontal")
    row = row.with_columns(open_rate=rate("messages_opened", "_sent_reporting_opens"))
    return shaped(row, HEALTH, ["_sent_reporting_opens"], bases=bases)


def opens_reported(scope: Scope) -> list[str]:
    """The channels that report opens: those of which the log holds one, by a machine or implied by a click."""
    opened = scope.facts.messages.filter(pl.col("opened_any_at") < scope.horizon)
    return opened["channel"].unique().cast(TEXT).sort().to_list()


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
    if by not in get_args(By) or place not in get_args(Place):
        hint = near(by, get_args(By)) or near(place, get_args(Place))
        raise ValueError(f"no daily series by={by!r}, place={place!r}{hint}")
    counts: list[pl.DataFrame] = []
    if by == "journey":
        counts += _runs_by_day(scope)
    if by != "goal":
        counts += _messages_by_day(scope, by, place)
    if by in ("journey", "goal"):
        counts.append(_goals_by_day(scope, by))
    key = ["date", "metric", "breakdown"]
    table = _every_day(scope, by).join(
        pl.concat(counts), on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    return shaped(table.with_columns(pl.col("count").fill_null(0)), DAILY)


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


def _runs_by_day(scope: Scope) -> Iterator[pl.DataFrame]:
    reason, status = pl.col("reason"), pl.col("status")
    entered = scope.runs.filter(scope.within("entered_at"))
    yield _count(scope, entered, "entered_at", {"entrances": pl.lit(True)}, None)
    left = scope.runs.filter("leaves")
    kinds = {"exits": status.is_in(["completed", "exited"]), "completed": status == "completed"}
    yield _count(scope, left, "left_at", kinds, None)
    errors = dict(zip(ERROR_CLASSES, map(reason.is_in, (INTERNAL_ERRORS, SEND_ERRORS)), strict=True))
    dropped = _count(scope, left.filter(status == "dropped"), "left_at", errors, None)
    yield dropped.with_columns(breakdown="metric", metric=pl.lit("drop_offs"))


def _messages_by_day(scope: Scope, by: By, place: Place) -> Iterator[pl.DataFrame]:
    flags = {metric: FLAGS[flag] for metric, flag in MESSAGE_METRICS.items()}
    key = None if by == "journey" else by
    if place == "send":
        yield _count(scope, scope.messages, "at", flags, key)
        return
    for metric, flag in flags.items():
        time = f"{MESSAGE_METRICS[metric]}_at"
        if scope.machine and metric in ("opened", "clicked"):
            time = f"{metric}_any_at"
        yield _count(scope, scope.messages.filter(flag), time, {metric: pl.lit(True)}, key)


def _goals_by_day(scope: Scope, by: By) -> pl.DataFrame:
    reached = scope.goals.unique(["goal", "user"], keep="first", maintain_order=True)
    return _count(scope, reached, "at", {"goals": pl.lit(True)}, None if by == "journey" else by)


def _count(
    scope: Scope, rows: pl.DataFrame, time: str, metrics: dict[str, pl.Expr], key: str | None
) -> pl.DataFrame:
    """How many rows count as each metric, by day and by ``key``: date, breakdown, metric, count."""
    breakdown = pl.lit(None, TEXT) if key is None else pl.col(key)
    counts = (
        rows.select(_day(scope, rows, time).alias("day"), breakdown.alias("breakdown"), **metrics)
        .group_by("day", "breakdown")
        .agg(pl.col(name).cast(COUNT).sum() for name in metrics)
        .with_columns(pl.col("breakdown").cast(TEXT))
        .join(_days(scope), on="day")
    )
    long = counts.unpivot(
        index=["date", "breakdown"], on=list(metrics), variable_name="metric", value_name="count"
    )
    return long.select("date", "metric", "breakdown", "count")


def _days(scope: Scope) -> pl.DataFrame:
    days = pl.DataFrame({"date": scope.days}, schema={"date": pl.Date})
    return days.with_row_index("day", offset=1)


def _day(scope: Scope, rows: pl.DataFrame, time: str) -> pl.Series:
    """The number of each row's local day in the period, from 1: a search costs a third of a conversion."""
    if scope.clock == "activity":
        return scope.midnights.search_sorted(rows[time], side="right")
    entered = scope.facts.runs["entered_at"].gather(rows["run"])
    return scope.midnights.search_sorted(entered, side="right")
