"""Who was assigned to which variant, and what became of them (METRICS.md, section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope

Unit = Literal["user", "run"]

PREFIX = "variant:"


def units(scope: Scope, point_id: str, goal: str, unit: Unit) -> pl.DataFrame:
    """A row a unit assigned in the period: user, variant, version, crossed, converted, closes.

    ``crossed`` tells that it stood in another variant too, ``converted`` that it reached the goal after, ``closes``
    when the window of its run does (null while that run is under way).
    """
    assigned = _assignments(scope, point_id, unit)
    converted = reachings(scope, assigned, goal, unit)["unit"]
    days = scope.journey.goal(goal).conversion_days
    closes = scope.unless_after("left_at", scope.horizon) + pl.duration(days=days)
    runs = scope.facts.runs.select("run", "user", closes=closes)
    return assigned.join(runs, on="run", how="left").select(
        *("user", "variant", "version", "crossed"),
        pl.col("unit").is_in(converted.implode()).alias("converted"),
        "closes",
    )


def _assignments(scope: Scope, point_id: str, unit: Unit) -> pl.DataFrame:
    """One row a unit: its first assignment in the period, and whether it crossed to another variant."""
    if scope.journey.points()[point_id].type == "split_abn":
        assigned = (
            scope.visits_left(point_id)
            .filter("leaves", "known")
            .select(
                "run",
                "user",
                version="left_version",
                at="left_at",
                order="left_order",
                by_message=False,
                variant="branch",
            )
        )
    else:
        assigned = scope.messages.filter(point=point_id, fate="sent").select(
            "run", "user", "version", "at", order="sent_order", by_message=True, variant="variant"
        )
    first = (
        scope.on_version(assigned)
        .filter(pl.col("variant").is_not_null())
        .with_columns(pl.col("variant").str.strip_prefix(PREFIX))
        .join(scope.facts.runs.select("run", "run_no"), on="run", how="left")
        .sort("at", "run_no", "order")
        .group_by(pl.col(unit).alias("unit"), maintain_order=True)
        .agg(
            pl.first("variant", "at", "order", "by_message", "run", "version"),
            crossed=pl.col("variant").n_unique() > 1,
        )
    )
    return first if unit == "user" else first.with_columns(crossed=pl.lit(False))


def reachings(scope: Scope, assigned: pl.DataFrame, goal: str, unit: Unit) -> pl.DataFrame:
    """The reachings after the assignment, in any run of the unit: its columns, value and currency."""
    reached = scope.seen_goals.filter(goal=goal).select(
        pl.col(unit).alias("unit"),
        *("value", "currency"),
        reached_at="at",
        reached_order="order",
        reached_run="run",
    )
    # Within a run the reading order tells what came later. Between runs time does, and at one instant a
    # goal is read after what a message does, and before a point is skipped or completed.
    at, reached_at = pl.col("at"), pl.col("reached_at")
    later = (
        pl.when(pl.col("reached_run") == pl.col("run"))
        .then(pl.col("reached_order") > pl.col("order"))
        .otherwise((reached_at > at) | (pl.col("by_message") & (reached_at == at)))
    )
    return assigned.join(reached, on="unit").filter(later)
