"""What all tables share: their columns, and how a rate is taken."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import polars as pl

from journey_nb.metrics.definitions import schema

COUNT, RATE, TEXT = pl.Int64(), pl.Float64(), pl.String()
HIDDEN = "_"
"""Columns that begin so are what a rate rests on beside the columns of its table."""


def whole_number(value: Any, least: int, told: str) -> int:
    """A whole number from ``least`` on, of numpy too, as Python has it.

    Raises
    ------
    ValueError
        When it is none, which truths and fractions are not either; the message is ``told``.

    Examples
    --------
    >>> whole_number(5, 1, "how many?")
    5
    """
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(told)
    return number


def rate(numerator: str, denominator: str) -> pl.Expr:
    """Numerator over denominator; null where the denominator is 0, or one of them hidden (below 0).

    Examples
    --------
    >>> import polars as pl
    >>> pl.DataFrame({"opened": [1, 0], "sent": [4, 0]}).select(open_rate=rate("opened", "sent")).to_series()
    shape: (2,)
    Series: 'open_rate' [f64]
    [
        0.25
        null
    ]
    """
    known = (pl.col(denominator) > 0) & (pl.col(numerator) >= 0)
    return pl.when(known).then(pl.col(numerator) / pl.col(denominator)).cast(RATE)


def shaped(
    frame: pl.DataFrame,
    table: str,
    hidden: Sequence[str] = (),
    *,
    bases: bool = False,
    zone: str | None = None,
) -> pl.DataFrame:
    """The frame with just the columns of the table, in its order and of its types.

    ``hidden`` names the counts (beginning with :data:`HIDDEN`) that follow if ``bases`` is set.
    """
    extra = dict.fromkeys(hidden, COUNT) if bases else {}
    columns = schema(table, zone) | extra
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())
