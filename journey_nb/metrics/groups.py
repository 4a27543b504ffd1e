"""Tables by a dimension of the runs, and tables beside the period before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from journey_nb.metrics.scope import Scope

MAX_GROUPS = 1000
Table = Callable[[Scope], pl.DataFrame]


def is_any(of_run: pl.Series, value: Any) -> pl.Series:
    """Which runs have the value, or one of the values of a list; None is a value like others.

    Examples
    --------
    >>> import polars as pl
    >>> is_any(pl.Series(["A", None, "B"]), ["A", None]).to_list()
    [True, True, False]
    """
    values = value if isinstance(value, (list, tuple, set, frozenset, pl.Series)) else [value]
    wanted = pl.Series(list(values), dtype=of_run.dtype, strict=False)
    return of_run.is_in(wanted.drop_nulls().implode()).fill_null(wanted.null_count() > 0)


def by_value(table: Table, scope: Scope, name: str, of_run: pl.Series) -> pl.DataFrame:
    """The table of each value's runs, one below the other, with the value in front.

    So a table by a dimension is, by construction, the tables of its parts.

    Raises
    ------
    ValueError
        When the dimension has more than :data:`MAX_GROUPS` values.
    """
    members = of_run if scope.member is None else of_run.filter(scope.member)
    values = members.unique().sort(nulls_last=True)
    if len(values) > MAX_GROUPS:
        raise ValueError(f"{name!r} has {len(values):,} values: group by one with at most {MAX_GROUPS:,}")
    parts = [(value, table(scope.only(is_any(of_run, [value])))) for value in values]
    if not parts:
        parts = [(None, table(scope).clear())]
    return pl.concat(part.select(pl.lit(value, of_run.dtype).alias(name), pl.all()) for value, part in parts)


def beside(frame: pl.DataFrame, before: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The frame with ``_prev`` and ``_change`` (relative; null where undefined) of every number.

    Rows of the period before that this one lacks are kept, at the end, so that nothing is lost.
    """
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric() and name not in keys]
    old = before.select(*keys, *(pl.col(name).alias(f"{name}_prev") for name in numbers))
    # A table of one row has no key: the constant one serves it and changes nothing for the others.
    both = frame.with_columns(_=0).join(
        old.with_columns(_=0),
        on=["_", *keys],
        how="full",
        nulls_equal=True,
        coalesce=True,
        maintain_order="left_right",
    )
    change = {
        f"{name}_change": pl.when(pl.col(f"{name}_prev") != 0).then(
            (pl.col(name) - pl.col(f"{name}_prev")) / pl.col(f"{name}_prev")
        )
        for name in numbers
    }
    beside = [column for name in numbers for column in (f"{name}_prev", f"{name}_change")]
    return both.with_columns(**change).select(*frame.columns, *beside)
