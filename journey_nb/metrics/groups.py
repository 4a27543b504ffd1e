"""Tables by a dimension of the runs, and tables beside the period before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from journey_nb.journey import near
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT
from journey_nb.period import of_numpy

MAX_GROUPS = 1000
Table = Callable[[Scope], pl.DataFrame]


def is_any(of_run: pl.Series, value: Any) -> pl.Series:
    """Which runs have the value, or one of the values of a list; None is a value like others.

    Raises
    ------
    ValueError
        When a value cannot be one of this dimension's; the message names the nearest that can.

    Examples
    --------
    >>> import polars as pl
    >>> is_any(pl.Series(["A", None, "B"]), ["A", None]).to_list()
    [True, True, False]
    """
    values = values_of(value)
    told = [one for one in values if one is not None]
    wanted = pl.Series([_as(one, of_run) for one in told], dtype=of_run.dtype)
    return of_run.is_in(wanted.implode()).fill_null(len(told) < len(values))


def values_of(value: Any) -> list[Any]:
    """The values of a list, or the one."""
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """A value as Python has it; several, whatever holds them, as a list.

    Examples
    --------
    >>> import polars as pl
    >>> plain("A"), plain({"A"}), plain(pl.Series([1, 2]))
    ('A', ['A'], [1, 2])
    """
    value = of_numpy(value)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return value
    return several(value).to_list() if hasattr(value, "__array__") else [plain(one) for one in value]


def several(values: Iterable[Any]) -> pl.Series:
    """What a list, a generator, numpy, pandas or Arrow holds, as a series; what is of several types as texts.

    Examples
    --------
    >>> several(range(2)).to_list(), several(["a", 1]).to_list()
    ([0, 1], ['a', '1'])
    """
    values = list(values) if isinstance(values, Iterator) else values  # it can be gone through once
    try:
        return pl.Series(values)
    except TypeError:
        return pl.Series(list(values), strict=False)


def _as(value: Any, of_run: pl.Series) -> Any:
    """The value in the type of the dimension, if it is the same value there."""
    read = pl.Series([value]).cast(of_run.dtype, strict=False).item()
    if read is not None and (isinstance(value, str) == isinstance(read, str)) and read == value:
        return read
    known = of_run.drop_nulls().unique().sort().head(20).cast(pl.String).to_list()
    raise ValueError(f"no value {value!r} here{near(str(value), known)} (there are {', '.join(known)})")


def by_value(table: Table, scope: Scope, name: str, of_run: pl.Series) -> pl.DataFrame:
    """The table of each value's runs, one below the other, with the value in front.

    So a table by a dimension is, by construction, the tables of its parts. The front column is called
    as the dimension, or ``run_<dimension>`` where the table has a column of that name.

    Raises
    ------
    ValueError
        When the dimension has more than :data:`MAX_GROUPS` values.
    """
    seen = scope.facts.runs["first_at"] < scope.horizon  # a value that came later is none yet
    members = of_run.filter(seen if scope.member is None else seen & scope.member)
    values = members.unique().sort(nulls_last=True)
    if len(values) > MAX_GROUPS:
        raise ValueError(f"{name!r} has {len(values):,} values: group by one with at most {MAX_GROUPS:,}")
    parts: list[tuple[Any, pl.DataFrame]] = []
    for value in values:
        some = scope.only(of_run.eq_missing(pl.Series([value], dtype=of_run.dtype)))
        parts.append((value, table(some)))
        some.let_go()
    if not parts:
        parts = [(None, table(scope).clear())]
    front = f"run_{name}" if name in parts[0][1].columns else name
    return pl.concat(part.select(pl.lit(value, of_run.dtype).alias(front), pl.all()) for value, part in parts)


def beside(frame: pl.DataFrame, before: pl.DataFrame | None, keys: Sequence[str]) -> pl.DataFrame:
    """The frame with ``_prev`` and ``_change`` (relative; null where undefined) of every number.

    Rows of the period before that this one lacks are kept, at the end, so that nothing is lost. Where a period lacks
    a row its counts are 0, for nothing was counted; of a day that it does not have, or where there is no period before
    (None), they are null.
    """
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric() and name not in keys]
    words = [name for name in frame.columns if name not in (*numbers, *keys)]
    # A table of one row has no key: the constant one serves it and changes nothing for the others.
    old = (frame.clear() if before is None else before).select(
        *keys, pl.col(numbers).name.suffix("_prev"), pl.col(words).name.suffix("_prev"), _=0, _then=True
    )
    both = frame.with_columns(_=0, _now=True).join(
        old, on=["_", *keys], how="full", nulls_equal=True, coalesce=True, maintain_order="left_right"
    )
    gone, new = pl.col("_now").is_null(), pl.col("_then").is_null()
    filled = before is not None and "date" not in keys
    counts = [name for name in numbers if filled and frame.schema[name] == COUNT]
    both = both.with_columns(
        *(pl.when(gone).then(f"{name}_prev").otherwise(name).alias(name) for name in words),
        *(_nothing(name, gone, f"{name}_prev") for name in counts),
        *(_nothing(f"{name}_prev", new, name) for name in counts),
    )
    change = {
        f"{name}_change": pl.when(pl.col(f"{name}_prev") != 0).then(
            (pl.col(name) - pl.col(f"{name}_prev")) / pl.col(f"{name}_prev")
        )
        for name in numbers
    }
    beside = [column for name in numbers for column in (f"{name}_prev", f"{name}_change")]
    return both.with_columns(**change).select(*frame.columns, *beside)


def _nothing(name: str, lacks: pl.Expr, other: str) -> pl.Expr:
    """A count that is 0 where its period lacks the row; null stays what is not counted there in the other either."""
    return pl.when(lacks & pl.col(other).is_not_null()).then(pl.lit(0, COUNT)).otherwise(name).alias(name)


def on_rows(told: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Of the frame the rows that are told of, by their keys, in that order."""
    return told.join(frame, on=told.columns, nulls_equal=True, maintain_order="left")


def goals_beside(
    now: pl.DataFrame, before: pl.DataFrame, keys: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The goals of two periods, each on the rows of both: all but the value repeats for every currency."""
    of_goal = [key for key in keys if key != "currency"]
    carried = before.filter(pl.col("value").is_not_null())
    told = pl.concat([now.select(keys), carried.select(keys)]).unique(maintain_order=True)

    def on_all(goals: pl.DataFrame) -> pl.DataFrame:
        repeated = goals.drop("value", "currency").unique(of_goal, maintain_order=True)
        all_rows = told.join(repeated, on=of_goal, how="left", nulls_equal=True, maintain_order="left")
        value = goals.select(*keys, "value")
        all_rows = all_rows.join(value, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
        return all_rows.select(goals.columns)

    return on_all(now), on_all(before)
