"""The rows that a query finds, from any database whose driver keeps to DB-API 2, ADBC or DuckDB's own face.

No driver is imported here: a connection is known by what it can do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from inspect import iscoroutinefunction
from typing import Any

import polars as pl

from journey_nb.reading import LogError, arrow_frame, readable

__all__ = ["Parameters", "rows"]

Parameters = Sequence[Any] | Mapping[str, Any] | None

_BATCH = 50_000
# What polars holds as it is; all else is read as text.
_HELD = (bool, int, float, str, bytes, datetime, date, time, timedelta)


def rows(connection: Any, query: str, parameters: Parameters = None) -> pl.LazyFrame:
    """What the query finds; see :meth:`EventLog.from_query`.

    ``polars.read_database`` does not serve here: on DuckDB it asks a second connection, which knows no
    temporary table, and wants pyarrow; drivers disagree on the name of the parameters that it passes by
    name; and it takes a column of UUIDs or JSON as objects.

    Examples
    --------
    >>> import sqlite3
    >>> rows(sqlite3.connect(":memory:"), "select ? as user_id", ["a"]).collect().rows()
    [('a',)]
    """
    with ExitStack() as stack, readable("the answer"):
        if hasattr(connection, "sql"):  # DuckDB
            relation = connection.sql(query, params=parameters)
            _names(None if relation is None else relation.columns)
            return arrow_frame(relation)
        cursor = connection
        if iscoroutinefunction(getattr(connection, "execute", None)):
            raise LogError(f"{type(connection).__name__} is asynchronous: {_WANTED}")
        if hasattr(connection, "cursor"):
            cursor = stack.enter_context(closing(connection.cursor()))
        if not (hasattr(cursor, "execute") and hasattr(cursor, "fetchmany")):
            raise LogError(f"no database connection: {type(connection).__name__}; {_WANTED}")
        cursor.execute(query, *([] if parameters is None else [parameters]))
        names = _names(cursor.description and [column[0] for column in cursor.description])
        if hasattr(cursor, "fetch_arrow"):  # ADBC
            return arrow_frame(cursor.fetch_arrow())
        return _together(list(_batches(cursor, names))).lazy()


_WANTED = (
    "give an open one of DuckDB, ADBC or a DB-API 2 driver, such as psycopg.connect(…) (of SQLAlchemy: "
    "connection.connection)"
)


def _names(names: Sequence[str] | None) -> Sequence[str]:
    if not names:
        raise LogError("the query gives no rows; it must be a select")
    if twice := [name for name in names if names.count(name) > 1]:
        raise LogError(f"the query gives two columns {twice[0]!r}; name one of them otherwise (as …)")
    return names


def _batches(cursor: Any, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows, some ten thousand at a time: as Python's objects they take many times their room."""
    yield pl.DataFrame(schema=dict.fromkeys(names, pl.Null))
    while found := cursor.fetchmany(_BATCH):
        # Some drivers can be told to give a row as a dictionary.
        tuples = (row.values() if isinstance(row, Mapping) else row for row in found)
        yield pl.DataFrame(map(_column, names, zip(*tuples, strict=True)))


def _together(batches: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The batches as one; a column of one kind here and another there is text, as within a batch."""
    for name in batches[0].columns:
        kinds = {batch.schema[name].base_type() for batch in batches} - {pl.Null}
        zones = {getattr(batch.schema[name], "time_zone", None) for batch in batches if batch.height}
        if len(kinds) > 1 or len(zones) > 1:
            batches = [
                batch.with_columns(pl.Series(name, map(_text, batch[name]), dtype=pl.String))
                for batch in batches
            ]
    return pl.concat(batches, how="vertical_relaxed")


def _column(name: str, cells: Sequence[Any]) -> pl.Series:
    """One column of a batch; as text where it holds what polars does not, or two kinds of things."""
    kinds = {_kind(cell) for cell in cells if cell is not None}
    if kinds == {list}:
        return pl.Series(name, cells, dtype=pl.List(pl.String), strict=False)
    if kinds == {_ZONED}:  # each in a zone of its own, maybe
        return pl.Series(name, [cell and _zulu(cell) for cell in cells], dtype=pl.Datetime("us", "UTC"))
    if kinds == {bytes}:
        return pl.Series(name, [None if cell is None else bytes(cell) for cell in cells], dtype=pl.Binary)
    if len(kinds) > 1 or not kinds.issubset(_HELD):
        return pl.Series(name, map(_text, cells), dtype=pl.String)
    try:
        return pl.Series(name, cells)
    except OverflowError:  # whole numbers longer than polars holds
        return pl.Series(name, map(_text, cells), dtype=pl.String)


def _zulu(at: datetime) -> datetime:
    """The time in UTC; one whose year Python has not there (dates that stand for none) stays in a year that no log tells of."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)


_ZONED = "a time of a zone"  # local ones are another kind: what both mean is told by each cell alone


def _kind(cell: object) -> object:
    if isinstance(cell, datetime) and cell.tzinfo:
        return _ZONED
    return bytes if isinstance(cell, (bytearray, memoryview)) else type(cell)


def _text(cell: Any) -> str | None:
    match cell:
        case None | str():
            return cell
        case bool():
            return str(cell).lower()  # as polars writes it
        case dict() | list() | pl.Series():
            return json.dumps(cell, default=str)
        case float() if cell.is_integer():
            return str(int(cell))  # as a column of floats is read: 7 and 7.0 are one id
        case Decimal() if "." in (text := str(cell)) and "E" not in text:
            return text.rstrip("0").rstrip(".")  # as a column of decimals is read
        case bytes() | bytearray() | memoryview():
            return bytes(cell).decode("utf-8", "replace")
        case _:
            return str(cell)
