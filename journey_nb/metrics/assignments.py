"""Who was assigned to which variant, and what became of them (METRICS.md, section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope

Unit = Literal["user", "run"]

PREFIX = "variant:"


def units(assigned: pl.DataFrame, kind: Unit) -> pl.DataFrame:
    """One row a unit, its first of :func:`assignments`: these columns, and ``crossed`` of users who stood in others too."""
    unit, variant = assigned["unit"], assigned["variant"]
    begins = unit.ne_missing(unit.shift())
    place = begins.cast(pl.UInt32).cum_sum() - 1  # of each assignment's unit
    first = assigned.filter(begins)
    if kind == "run":  # each of which counts
        return first.with_columns(crossed=pl.lit(False))
    again = place.filter(~begins)
    crosses = again.filter(variant.filter(~begins) != first["variant"].gather(again))
    crossed = pl.repeat(False, first.height, eager=True).scatter(crosses, True)
    return first.with_columns(crossed=crossed)


def assignments(scope: Scope, assigned: pl.DataFrame, goal: str, unit: Unit) -> pl.DataFrame:
    """What became of who was :func:`assigning`, a unit's in their order: unit, user, at, variant, version, converted, closes.

    ``converted`` tells that the unit reached the goal after, ``closes`` when the window of its run does (null while
    nothing tells its end). Of both all is seen, so the assignments of a part of the period are these of its time.
    """
    assigned = assigned.with_columns(unit=unit)
    assigned = assigned.sort("unit", "at", "run_no", "order").with_row_index("row")
    converted = reachings(scope, assigned, goal, unit)["row"]
    days = scope.journey.goal(goal).conversion_days
    # Of a run that is left after as_of it closes after as_of too: which is all that is asked of it.
    runs = scope.facts.runs.select("run", closes=pl.col("left_at") + pl.duration(days=days))
    # Of which there are few: compared and grouped as numbers.
    variant = pl.col("variant").cast(pl.Categorical)
    return (
        assigned.with_columns(
            converted=pl.repeat(False, assigned.height, eager=True).scatter(converted, True)
        )
        .join(runs, on="run", how="left", maintain_order="left")
        .select("unit", "user", "at", variant, "version", "converted", "closes")
    )


def assigning(scope: Scope, point_id: str) -> pl.DataFrame:
    """What assigned anybody at a point in the period: a way of a variant taken, or a message in a variant.

    Columns: point, run, user, version, at, order, by_message, variant, run_no.
    """
    here = pl.col("point") == point_id
    return scope.on_version(_by_ways(scope, here) if by_way(scope, point_id) else _by_messages(scope, here))


def at_all_points(scope: Scope) -> pl.DataFrame:
    """The same at any point, on any version."""
    return pl.concat([_by_ways(scope, EVERYWHERE), _by_messages(scope, EVERYWHERE)])


def by_way(scope: Scope, point_id: str) -> bool:
    """Whether a point assigns by the way that is taken from it, not by its messages."""
    return scope.journey.points()[point_id].type == "split_abn"


EVERYWHERE = pl.lit(True)


def _by_ways(scope: Scope, where: pl.Expr) -> pl.DataFrame:
    taken = scope.visits_left(where & pl.col("branch").str.starts_with(PREFIX)).filter("leaves", "known")
    version, at, order = (pl.col(f"left_{name}").alias(name) for name in ("version", "at", "order"))
    return _assigned(
        scope, taken.select("point", "run", "user", version, at, order, by_message=False, variant="branch")
    )


def _by_messages(scope: Scope, where: pl.Expr) -> pl.DataFrame:
    sent = scope.messages.filter(where, fate="sent")
    order = pl.col("sent_order").alias("order")
    return _assigned(
        scope, sent.select("point", "run", "user", "version", "at", order, by_message=True, variant="variant")
    )


def _assigned(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    told = rows.filter(pl.col("variant").is_not_null())
    told = told.with_columns(pl.col("variant").str.strip_prefix(PREFIX))
    return told.join(scope.facts.runs.select("run", "run_no"), on="run", how="left")


def reachings(scope: Scope, assigned: pl.DataFrame, goal: str, unit: Unit) -> pl.DataFrame:
    """The reachings after an assignment, in any run of its unit: the assignment's columns, value and currency."""
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
