"""How long it takes: from a message to its response, and since when those who wait do; in lengths people know."""

from __future__ import annotations

import polars as pl

from journey_nb.metrics.counts import FLAGS, Counts
from journey_nb.metrics.points import known_point
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, TEXT, shaped

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
WAITS = (0, _HOUR, 6 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 30 * _DAY)
"""Where the lengths of waits begin, in seconds."""

RESPONSE_TIMES: dict[str, pl.DataType] = {
    "outcome": TEXT,
    "seconds": COUNT,
    "seconds_to": COUNT,
    "messages": COUNT,
}
WAITING_TIMES: dict[str, pl.DataType] = {"cause": TEXT, "seconds": COUNT, "seconds_to": COUNT, "runs": COUNT}


def response_times(scope: Scope, point_id: str) -> pl.DataFrame:
    """How long after its sending a message of the point was first opened and clicked (in-app: interacted with).

    Returns
    -------
    polars.DataFrame
        A row for each outcome and length, those without messages included: outcome, seconds (at least), seconds_to
        (less than; null: no end), messages.
    """
    messages = scope.on_version(scope.messages).filter(pl.col("point") == known_point(scope, point_id))
    channel = scope.points.row(by_predicate=pl.col("point_id") == point_id, named=True)["channel"]
    by = "_any_at" if scope.machine else "_at"
    times = (
        {"interacted": "interacted_at"}
        if channel == "in_app"
        else {"opened": f"opened{by}", "clicked": f"clicked{by}"}
    )
    lengths = _lengths(RESPONSES)
    parts = []
    for outcome, time in times.items():
        took = messages.filter(FLAGS[outcome]).select(took=pl.col(time) - pl.col("sent_at"))
        counts = _counted(took, RESPONSES, "messages")
        counts = lengths.join(counts, on="length", how="left", maintain_order="left")
        parts.append(counts.with_columns(pl.col("messages").fill_null(0), outcome=pl.lit(outcome)))
    return shaped(pl.concat(parts), RESPONSE_TIMES)


def waiting_times(scope: Scope, point_id: str) -> pl.DataFrame:
    """Who waits at the point, by the cause and by how long: what waiting() counts, the longest last.

    Returns
    -------
    polars.DataFrame
        A row for each cause and length that has runs: cause, seconds (at least; null: since before the log begins),
        seconds_to (less than; null: no end), runs.
    """
    stays = Counts(scope, version=True).open_stays().filter(pl.col("point") == known_point(scope, point_id))
    waited = stays.select("cause", took=pl.lit(scope.hi) - pl.col("since"))
    counts = _counted(waited, WAITS, "runs", "cause").join(_lengths(WAITS), on="length", how="left")
    return shaped(counts.sort("cause", "seconds", nulls_last=True), WAITING_TIMES)


def _counted(took: pl.DataFrame, begins: tuple[int, ...], name: str, *key: str) -> pl.DataFrame:
    micros = pl.Series(begins, dtype=pl.Int64) * 1_000_000
    # An answer may bear an earlier time than its message: it came at once.
    length = micros.search_sorted(took["took"].dt.total_microseconds().clip(0), side="right") - 1
    known = pl.when(pl.col("took").is_not_null()).then(length)
    return took.group_by(*key, length=known.cast(pl.Int64)).agg(pl.len().alias(name))


def _lengths(begins: tuple[int, ...]) -> pl.DataFrame:
    starts = pl.Series("seconds", begins, dtype=COUNT)
    frame = starts.to_frame().with_columns(seconds_to=starts.shift(-1))
    return frame.with_columns(length=pl.int_range(len(begins), dtype=pl.Int64))
