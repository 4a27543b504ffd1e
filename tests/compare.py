"""A frame of the product beside a list of dicts of the oracle, and the differences told plainly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

Row = dict[str, Any]
INPUT = {
    "event_id": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "user_id": pl.String,
    "device_id": pl.String,
    "journey_id": pl.String,
    "version": pl.Int32,
    "run_id": pl.String,
    "point_id": pl.String,
    "branch": pl.String,
    "channel": pl.String,
    "message_id": pl.String,
    "variant": pl.String,
    "goal_id": pl.String,
    "reason": pl.String,
    "reason_detail": pl.String,
    "due_at": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
    "currency": pl.String,
    "is_machine": pl.Boolean,
    "seq": pl.Int64,
    "source": pl.String,
}

INTEGRAL = "probability_best"


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows as a log to load; times become text when one of them cannot be read as a time."""
    types: dict[str, Any] = dict(INPUT)
    if any(isinstance(row.get("occurred_at"), str) for row in rows):
        types["occurred_at"] = pl.String
        rows = [{**row, "occurred_at": _text(row.get("occurred_at"))} for row in rows]
    return pl.DataFrame([{name: row.get(name) for name in types} for row in rows], schema=types)


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def plain(value: Any) -> Any:
    """Values that mean the same look the same: instants in UTC, numbers rounded to 9 significant digits."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, date) or value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if isinstance(value, int) else _rounded(value)
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    return value


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return 0.0 if value == 0 else value
    return float(f"{value:.9g}")


def differences(
    got: pl.DataFrame,
    expected: Sequence[Row],
    columns: Sequence[str],
    *,
    ordered: bool = False,
    exact: bool = True,
) -> str | None:
    """What differs between a product's table and the oracle's, or None.

    ``exact``: the table has these columns and no others, in this order. ``ordered``: rows stand in the same order.
    """
    if exact and got.columns != list(columns):
        return f"columns\n  product {got.columns}\n  oracle  {list(columns)}"
    if missing := [name for name in columns if name not in got.columns]:
        return f"columns missing: {missing} in {got.columns}"
    mine = [tuple(plain(row[name]) for name in columns) for row in expected]
    theirs = [tuple(plain(value) for value in row) for row in got.select(list(columns)).iter_rows()]
    theirs = [_integrals_settled(columns, row, mine) for row in theirs]
    if mine == theirs or (not ordered and Counter(mine) == Counter(theirs)):
        return None
    if Counter(mine) == Counter(theirs):
        return f"order of rows\n  product {[row[0] for row in theirs]}\n  oracle  {[row[0] for row in mine]}"
    return _told(
        columns,
        list((Counter(theirs) - Counter(mine)).elements()),
        list((Counter(mine) - Counter(theirs)).elements()),
    )


def _integrals_settled(
    columns: Sequence[str], row: tuple[Any, ...], mine: list[tuple[Any, ...]]
) -> tuple[Any, ...]:
    """A probability that both sides integrate on a grid of their own is the same within 0.0001."""
    if INTEGRAL not in columns:
        return row
    place = list(columns).index(INTEGRAL)
    for other in mine:
        if (
            other[0] == row[0]
            and None not in (other[place], row[place])
            and abs(other[place] - row[place]) < 1e-4
        ):
            return (*row[:place], other[place], *row[place + 1 :])
    return row


def _told(columns: Sequence[str], theirs: list[tuple[Any, ...]], mine: list[tuple[Any, ...]]) -> str:
    """Pairs of the most alike rows, cell by cell; then rows that only one side has."""
    lines = []
    for row in list(theirs):
        alike = [(sum(a == b for a, b in zip(row, other, strict=True)), other) for other in mine]
        score, other = max(alike, key=lambda pair: pair[0], default=(0, ()))
        if score < len(columns) / 2 or row[0] != other[0]:
            continue
        theirs.remove(row)
        mine.remove(other)
        same = [f"{c}={a}" for c, a, b in zip(columns, row, other, strict=True) if a == b][:3]
        cells = [
            f"{c}: product {a} oracle {b}" for c, a, b in zip(columns, row, other, strict=True) if a != b
        ]
        lines.append(f"  {' '.join(same)} … {'; '.join(cells)}")
    lines += [f"  product only {_named(columns, row)}" for row in theirs]
    lines += [f"  oracle only  {_named(columns, row)}" for row in mine]
    return "rows\n" + "\n".join(lines[:12])


def _named(columns: Sequence[str], row: tuple[Any, ...]) -> str:
    return " ".join(
        f"{name}={value}" for name, value in zip(columns, row, strict=True) if value not in (None, 0)
    )
