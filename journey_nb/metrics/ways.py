"""The ways that runs take: the points of each in their order, as far as it had come (METRICS.md, section 11)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from journey_nb.metrics.table import COUNT

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope

PATH = pl.List(pl.String())


def of_scope(scope: Scope) -> pl.DataFrame:
    """The way of each run that entered in the period: run, path (its points, as they are coded)."""
    runs = scope.of_members(scope.facts.runs).filter(scope.entered)["run"]
    return of_runs(scope.begun_visits(runs))


def of_runs(visits: pl.DataFrame) -> pl.DataFrame:
    """The way of each run, of its visits: run, path."""
    visits = visits.select("run", path="point").sort("run", maintain_order=True)
    return visits.group_by("run", maintain_order=True).agg("path")  # in order, which it finds much faster


def counted(runs: pl.DataFrame, collapse_loops: bool) -> pl.DataFrame:
    """How many runs (with their path, user, and whether they ``reached`` a goal) took each way: path, runs, users, converted."""
    counts = (
        runs.select("user", "reached", path=without_loops(pl.col("path"), collapse_loops))
        .group_by("path")
        .agg(runs=pl.len(), users=pl.col("user").n_unique(), converted=pl.col("reached").sum())
    )
    return counts.with_columns(pl.col("path").cast(PATH), pl.col("runs", "users", "converted").cast(COUNT))


def without_loops(path: pl.Expr, collapse: bool = True) -> pl.Expr:
    """A way on which a point counts only where a run first came to it; as it is if that is not asked for."""
    return path.list.unique(maintain_order=True) if collapse else path


def as_text(path: pl.Expr) -> pl.Expr:
    """A way as a text, of its points as :func:`coded` gives them."""
    return pl.concat_str(pl.lit("["), path.list.join(","), pl.lit("]"))


def coded(points: pl.Series) -> pl.Series:
    """Each point as it stands in the text of a way, whatever its id is made of."""
    known = points.dtype.categories  # type: ignore[attr-defined]
    words = [json.dumps(point) for point in known]
    return pl.Series(words, dtype=pl.String).gather(points.to_physical()).fill_null("null")


def read(text: pl.Expr) -> pl.Expr:
    """The way that a text tells."""
    return text.str.json_decode(PATH)
