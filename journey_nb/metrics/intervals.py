"""95 % intervals of rates (Wilson) and of their differences (Newcombe), as polars expressions."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution
SMALL = 30
"""A rate on fewer than this many is marked small."""


def wilson(numerator: pl.Expr, denominator: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % Wilson score bounds of a rate; null where there is no rate or it exceeds 1.

    Examples
    --------
    >>> import polars as pl
    >>> low, high = wilson(pl.col("opened"), pl.col("sent"))
    >>> pl.DataFrame({"opened": [7], "sent": [10]}).select(low.round(4).alias("low"), high.round(4).alias("high"))
    shape: (1, 2)
    ┌────────┬────────┐
    │ low    ┆ high   │
    │ ---    ┆ ---    │
    │ f64    ┆ f64    │
    ╞════════╪════════╡
    │ 0.3968 ┆ 0.8922 │
    └────────┴────────┘
    """
    n, k = denominator.cast(pl.Float64), numerator.cast(pl.Float64)
    centre = (k + Z95**2 / 2) / (n + Z95**2)
    half = Z95 * (k * (n - k) / n + Z95**2 / 4).sqrt() / (n + Z95**2)
    holds = (n > 0) & (k >= 0) & (k <= n)
    # The exact ends, which rounding would miss by a hair.
    low = pl.when(k == 0).then(0.0).otherwise(centre - half)
    high = pl.when(k == n).then(1.0).otherwise(centre + half)
    return pl.when(holds).then(low), pl.when(holds).then(high)


def newcombe(
    numerator: pl.Expr, denominator: pl.Expr, base_numerator: pl.Expr, base_denominator: pl.Expr
) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % bounds of a rate less a base rate: Newcombe 1998, method 10 (hybrid of two Wilson scores)."""
    rate, base = numerator / denominator, base_numerator / base_denominator
    low, high = wilson(numerator, denominator)
    base_low, base_high = wilson(base_numerator, base_denominator)
    difference = rate - base
    return (
        difference - ((rate - low) ** 2 + (base_high - base) ** 2).sqrt(),
        difference + ((high - rate) ** 2 + (base - base_low) ** 2).sqrt(),
    )


def with_intervals(
    frame: pl.DataFrame, rates: Mapping[str, tuple[str | pl.Expr, str | pl.Expr]]
) -> pl.DataFrame:
    """The frame with ``<rate>_low``, ``<rate>_high`` and ``<rate>_small`` right after each rate.

    Parameters
    ----------
    frame
        A table.
    rates
        For each rate its numerator and denominator: columns of the frame, or expressions over them.
        A rate above 1 (``mixed_cohorts``) has no bounds.
    """
    columns: list[pl.Expr] = []
    for name in frame.columns:
        columns.append(pl.col(name))
        if name in rates:
            numerator, denominator = (pl.col(e) if isinstance(e, str) else e for e in rates[name])
            low, high = wilson(numerator, denominator)
            small = denominator < SMALL
            columns += [low.alias(f"{name}_low"), high.alias(f"{name}_high"), small.alias(f"{name}_small")]
    return frame.select(columns)
