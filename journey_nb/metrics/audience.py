"""The audience: who is in the journey, who came and went, and how."""

from __future__ import annotations

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS, SEND_ERRORS
from journey_nb.metrics.definitions import schema
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import shaped


def audience(scope: Scope) -> pl.DataFrame:
    """One row: who was inside before, came, left and is inside; it balances like an account."""
    count, status, reason = pl.col("runs"), pl.col("status"), pl.col("reason")
    exits = scope.counts.exits().select(
        exits=count.filter(status.is_in(["completed", "exited"])).sum(),
        completed=count.filter(status == "completed").sum(),
        internal_errors=count.filter(reason.is_in(INTERNAL_ERRORS)).sum(),
        send_errors=count.filter(reason.is_in(SEND_ERRORS)).sum(),
    )
    failed = scope.counts.messages().select(failed_messages=pl.col("failed").sum())
    return shaped(pl.concat([scope.counts.runs(), exits, failed], how="horizontal"), "audience")


def users(scope: Scope, search: str | None = None, limit: int | None = None, offset: int = 0) -> pl.DataFrame:
    """A row per run inside at any time in the period (cohort clock: entered in it), in order of runs.

    That is of time, in a store of several parts part by part.

    Parameters
    ----------
    search
        Part of a user or device id; a device finds every run in which any row carries it.
    limit, offset
        The page to show; by default all rows.
    """
    page = _page(scope, search, limit, offset)
    theirs = scope if limit is None else scope.of_users(page["user"].unique())
    return _listed(scope, page, theirs).collect()


def everybody(scope: Scope) -> pl.LazyFrame:
    """The whole of users() in order of entry, whose words come to the rows as these are written."""
    return _listed(scope, _page(scope, None, None, 0).sort("entered_at", "run_id"), scope)


def _listed(scope: Scope, page: pl.DataFrame, theirs: Scope) -> pl.LazyFrame:
    told = pl.when(pl.col("reason") == "cancel_event").then(
        pl.concat_str(pl.lit("Exited by cancel event"), "reason_detail", separator=": ", ignore_nulls=True)
    )
    points = scope.points.lazy().select("point", "title", last_point_id="point_id")
    return (
        page.lazy()
        .join(_lately(theirs, page).lazy(), on="run_id", how="left", maintain_order="left")
        .with_columns(point=pl.coalesce("exit_point", "completed_point"))
        .join(points, on="point", how="left", maintain_order="left")
        .with_columns(scope.local(name) for name in ("entered_at", "updated_at", "left_at"))
        .with_columns(last_step=pl.coalesce(told, "title"))
        .select(pl.col(name).cast(dtype) for name, dtype in schema("users", scope.timezone).items())
    )


def _page(scope: Scope, search: str | None, limit: int | None, offset: int) -> pl.DataFrame:
    """The runs of a page; only as many are looked at as it takes to fill it."""
    runs, named = scope.facts.runs, _named(scope, search)
    if limit is None:
        return _inside(scope, runs, named).slice(offset).collect()
    found, height = [pl.Series("run", [], dtype=runs.schema["run"])], 0
    start, size = 0, SLICE
    while start < runs.height and height < offset + limit:
        some = _inside(scope, runs.slice(start, size), named).select("run").collect()
        found.append(some["run"])
        height += some.height
        start, size = start + size, 2 * size
    page = pl.concat(found).slice(offset, limit)
    return scope.seen_runs(runs[page]).collect()


SLICE = 100_000  # runs that are looked at first; further on, more at a time


def _inside(scope: Scope, runs: pl.DataFrame, named: pl.Expr) -> pl.LazyFrame:
    """Those of some runs that were inside at any time in the period, and are searched for."""
    inside = pl.col("inside") & (pl.col("was_inside") | scope.within("entered_at"))
    return scope.seen_runs(runs).filter(named, inside)


def _named(scope: Scope, search: str | None) -> pl.Expr:
    """Whose user or any of whose devices is searched for."""
    if not search:
        return pl.lit(True)
    word = search.lower()
    devices = scope.facts.devices.filter(_contains("device_id", word))
    return _contains("user_id", word) | pl.col("run").is_in(devices["run"].unique().implode())


def _contains(column: str, word: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.contains(word, literal=True).fill_null(False)


def _lately(scope: Scope, page: pl.DataFrame) -> pl.DataFrame:
    """What the runs of a page did last, as seen: run_id, completed_point, updated_at."""
    asked = pl.col("run_id").is_in(page["run_id"].implode())
    runs = scope.facts.runs.select("run", "run_id", "last_at").filter(asked)
    visits = scope.visits.select("run", "point", "outcome")  # a filter copies what it is given
    completed = visits.filter(pl.col("outcome") == "completed")
    last = completed.group_by("run", maintain_order=True).agg(completed_point=pl.col("point").last())
    lately = runs.join(last, on="run", how="left")
    if scope.facts.last_at < scope.hi:
        return lately.select("run_id", "completed_point", updated_at="last_at")
    seen = scope.facts.events.filter(pl.col("at") < scope.hi)
    seen = seen.group_by("run").agg(updated_at=pl.col("at").max())
    return lately.join(seen, on="run", how="left").select("run_id", "completed_point", "updated_at")
