"""How long it takes: from a message to its response, and since when those who wait do; in lengths people know."""

from __future__ import annotations

import polars as pl

from journey_nb.metrics.counts import LENGTH, RESPONSES, length
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, shaped

_HOUR, _DAY = 3_600, 86_400
WAITS = (0, _HOUR, 6 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 30 * _DAY)
"""Where the lengths of waits begin, in seconds."""


def response_times(scope: Scope, point_id: str) -> pl.DataFrame:
    """How long after its sending a message of the point was first opened and clicked (in-app: interacted with).

    Returns
    -------
    polars.DataFrame
        A row for each outcome and length, those without messages included: outcome, seconds (at least), seconds_to
        (less than; null: no end), messages.
    """
    known = pl.col("point_id") == scope.journey.point(point_id).point_id
    channel = scope.points.row(by_predicate=known, named=True)["channel"]
    found = scope.counts_on_version.responses().filter(pl.col("point") == point_id)
    outcomes = ("interacted",) if channel == "in_app" else ("opened", "clicked")
    every = pl.DataFrame({"outcome": outcomes}).join(
        _lengths(RESPONSES), how="cross", maintain_order="left_right"
    )
    counts = every.join(found, on=["outcome", "length"], how="left", maintain_order="left")
    return shaped(counts.with_columns(pl.col("messages").fill_null(0)), "response_times")


def waiting_times(scope: Scope, point_id: str) -> pl.DataFrame:
    """Who waits at the point, by the cause and by how long: what waiting() counts, the longest last.

    Returns
    -------
    polars.DataFrame
        A row for each cause and length that has runs: cause, seconds (at least; null: since before the log begins),
        seconds_to (less than; null: no end), runs.
    """
    stays = scope.counts_on_version.open_stays().filter(
        pl.col("point") == scope.journey.point(point_id).point_id
    )
    took = stays.select(pl.lit(scope.hi) - pl.col("since")).to_series()
    waited = stays.select("cause", length(took, WAITS))
    counts = waited.group_by("cause", "length").agg(runs=pl.len())
    counts = counts.join(_lengths(WAITS), on="length", how="left")
    return shaped(counts.sort("cause", "seconds", nulls_last=True), "waiting_times")


def _lengths(begins: tuple[int, ...]) -> pl.DataFrame:
    starts = pl.Series("seconds", begins, dtype=COUNT)
    frame = starts.to_frame().with_columns(seconds_to=starts.shift(-1))
    return frame.with_columns(length=pl.int_range(len(begins), dtype=LENGTH))
