"""How counts of sets that share no user become those of all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from math import ceil, floor

import polars as pl

from journey_nb.metrics.table import COUNT, RATE

AtRank = Callable[[int], int]
"""What stands at a rank of some values in their order."""
Bucket = tuple[str, int]
"""A point, and a bucket of durations there (:func:`journey_nb.metrics.counts.bucket`)."""


def added(parts: Iterable[tuple[int, pl.DataFrame]]) -> pl.DataFrame:
    """Frames of counts added (+1) and subtracted (-1) by their keys; what counts nothing is left out."""
    signed = list(parts)
    schema = signed[0][1].schema
    numbers = [name for name, dtype in schema.items() if dtype in (pl.Int64(), pl.Float64())]
    keys = [name for name in schema if name not in numbers]
    both = pl.concat(frame.select(*keys, pl.col(numbers) * sign) for sign, frame in signed)
    if not keys:
        return both.sum()
    counts = [name for name in numbers if schema[name] == COUNT]
    return both.group_by(keys).agg(pl.col(numbers).sum()).filter(pl.any_horizontal(pl.col(counts) != 0))


def apart(number: int, ids: str = "user") -> pl.Expr:
    """The users (or other ids) of a set, with numbers that are those of no other set."""
    return pl.col(ids).cast(pl.UInt64) + 2**32 * number


def percentiles(
    durations: pl.DataFrame, taken_in: Callable[[set[Bucket]], dict[Bucket, AtRank]]
) -> pl.DataFrame:
    """Percentiles (:meth:`journey_nb.metrics.counts.Counts.seconds`) of stays that are counted by bucket.

    Parameters
    ----------
    durations
        The counts: point, bucket, stays.
    taken_in
        What the stays of some buckets took, in order of that.
    """
    buckets = durations.sort("point", "bucket").group_by("point", maintain_order=True)
    ranks = {}
    for point, numbers, stays in buckets.agg("bucket", "stays").iter_rows():
        through = list(accumulate(stays))
        for share in (0.5, 0.9):
            ranks[point, share] = _ranks(numbers, through, share)
    taken = taken_in({(point, n) for (point, _), (_, ends) in ranks.items() for n, _ in ends})

    def micros(point: str, share: float) -> float:
        part, ends = ranks[point, share]
        low, high = (taken[point, number](rank) for number, rank in ends)
        return low + (high - low) * part

    schema = {"point": durations.schema["point"], "seconds_p50": RATE, "seconds_p90": RATE}
    points = dict.fromkeys(point for point, _ in ranks)
    rows = [(point, micros(point, 0.5), micros(point, 0.9)) for point in points]
    return in_seconds(pl.DataFrame(rows, schema=schema, orient="row"))


def in_seconds(micros: pl.DataFrame) -> pl.DataFrame:
    """Percentiles in seconds; one by one, for polars multiplies a column by 1e-6, which is off by a last digit."""
    names = micros.columns[1:]
    return micros.with_columns(
        pl.Series(name, [one / 1e6 for one in micros[name]], dtype=RATE) for name in names
    )


def _ranks(buckets: list[int], through: list[int], share: float) -> tuple[float, list[tuple[int, int]]]:
    """Where a share of all stands, of which so many are in each bucket and those before it.

    How far between two it is, and the bucket and the rank there of each.
    """
    place = share * (through[-1] - 1)
    found = []
    for rank in (floor(place), ceil(place)):
        which = bisect_right(through, rank)
        found.append((buckets[which], rank - (through[which - 1] if which else 0)))
    return place - floor(place), found
