"""Fact tables of some users only, and several sets of fact tables as one; each table made when it is asked for.

The ids of facts are dense (:mod:`journey_nb.facts`): what is left out, or stands behind others, is numbered anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import polars as pl

TABLES = ("runs", "visits", "waits", "messages", "goals", "events", "devices", "users")
# The columns that carry each id, and the table that has a row for each of them.
_IDS = {"run": ("run",), "user": ("user",), "visit": ("visit",), "message": ("message", "credit_message")}
_HOMES = {"run": "runs", "user": "users", "visit": "visits", "message": "messages"}
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
FEW = 20  # one run in so many, or fewer, are looked up; more are filtered

Tables = Callable[[str], pl.DataFrame]
Made = TypeVar("Made")
RowsOf = Callable[[str, str, pl.Series], pl.DataFrame]


class OfUsers:
    """The tables of some users.

    Parameters
    ----------
    tables
        Gives a whole table by its name.
    keep
        One boolean a user: whether it belongs.
    rows_of
        Gives the rows of a table that carry one of some sorted ids in a column, where tables are not at hand.
    named
        Whether messages belong that only their events name: those of somebody else's run, which then have none.
    """

    def __init__(
        self, tables: Tables, keep: pl.Series, rows_of: RowsOf | None = None, *, named: bool = False
    ) -> None:
        self._tables, self._keep, self._rows_of, self._named = tables, keep, rows_of, named
        self._made: dict[str, pl.DataFrame] = {}
        self._kept: dict[str, pl.DataFrame] = {}
        self._found_places: dict[str, pl.Series] = {}

    def table(self, name: str) -> pl.DataFrame:
        """A table, its ids dense again."""
        if name not in self._made:
            kept = self._rows(name)
            self._made[name] = kept.with_columns(
                self._places(of)
                .gather(kept[column], null_on_oob=True)
                .cast(kept.schema[column])
                .alias(column)
                for of, column in _carried(kept)
            )
        return self._made[name]

    def _rows(self, name: str) -> pl.DataFrame:
        if name not in self._kept:
            found = self._found(name)
            self._kept[name] = self._with_named(found) if name == "messages" and self._named else found
        return self._kept[name]

    def _with_named(self, messages: pl.DataFrame) -> pl.DataFrame:
        named = self._rows("events")["message"].drop_nulls().unique()
        others = named.filter(~named.is_in(messages["message"].implode()))
        if others.is_empty():
            return messages
        rows = self._tables("messages").filter(pl.col("message").is_in(others.implode()))
        nobodys = rows.with_columns(pl.lit(None, rows.schema[name]).alias(name) for name in ("run", "user"))
        return pl.concat([messages, nobodys])

    def _found(self, name: str) -> pl.DataFrame:
        if name == "users":
            return self._tables(name).filter(self._keep)
        of_users = name in ("runs", "goals")  # a goal may be of no run
        if self._rows_of is not None:
            ids = self._keep.arg_true() if of_users else self._rows("runs")["run"]
            return self._rows_of(name, "user" if of_users else "run", ids)
        rows = self._tables(name)
        if of_users:
            return rows.filter(self._keep.gather(rows["user"]))
        runs, count = self._rows("runs")["run"], self._tables("runs").height
        if runs.len() * FEW < count and rows["run"].is_sorted():
            return rows[places(*(rows["run"].search_sorted(runs, side) for side in _SIDES))]
        chosen = pl.repeat(False, count, eager=True).scatter(runs, True)
        return rows.filter(chosen.gather(rows["run"]))

    def _places(self, of: str) -> pl.Series:
        """For each old id its place among those kept."""
        if of not in self._found_places:
            kept = self._keep.arg_true() if of == "user" else self._rows(_HOMES[of])[of]
            self._found_places[of] = _inverse(kept)
        return self._found_places[of]


class Together:
    """The tables of several sets, of which no two share a user, as one."""

    def __init__(self, parts: Sequence[Tables]) -> None:
        self._parts = list(parts)
        self._made: dict[str, pl.DataFrame] = {}
        self._known: dict[str, list[int]] = {}

    def table(self, name: str) -> pl.DataFrame:
        """A table, the ids of each set behind those of the sets before it."""
        if len(self._parts) == 1:
            return self._parts[0](name)
        if name not in self._made:
            self._made[name] = self._behind(self._each(lambda part: part(name)))
        return self._made[name]

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        """Those rows of :meth:`table` that hold, which is not made for them; ``where`` names no ids."""
        if name in self._made or len(self._parts) == 1:
            return self.table(name).filter(where)
        return self._behind(self._each(lambda part: part(name).filter(where)))

    def _behind(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat(
            frame.with_columns(
                pl.col(column) + offset
                for of, column in _carried(frame)
                if (offset := self.offsets(of)[place])
            )
            for place, frame in enumerate(frames)
        )

    def _each(self, of: Callable[[Tables], Made]) -> list[Made]:
        with ThreadPoolExecutor(2) as workers:  # much of it is reading
            return list(workers.map(of, self._parts))

    def offsets(self, of: str) -> list[int]:
        """How many ids stand before those of each set."""
        if len(self._parts) == 1:
            return [0]
        if of not in self._known:
            home = _HOMES[of]
            tops = self._each(lambda part: part(home).height if of == "user" else _top(part(home)[of]))
            self._known[of] = [sum(tops[:place]) for place in range(len(tops))]
        return self._known[of]


def sorted_anew(tables: Tables) -> dict[str, pl.DataFrame]:
    """All tables with users and runs in the order of their ids, the rest run by run as before; dense ids anew."""
    users = tables("users").with_row_index("user").sort("user_id")
    places = {"user": _inverse(users["user"]), "run": _inverse(tables("runs").sort("run_id")["run"])}
    made = {name: _placed(tables(name), places) for name in TABLES if name != "users"}
    made = {name: table.sort("run", nulls_last=True, maintain_order=True) for name, table in made.items()}
    places = {of: _inverse(made[_HOMES[of]][of]) for of in ("visit", "message")}
    return {name: _placed(table, places) for name, table in made.items()} | {"users": users.drop("user")}


def _placed(table: pl.DataFrame, places: dict[str, pl.Series]) -> pl.DataFrame:
    return table.with_columns(
        places[of].gather(table[column], null_on_oob=True).cast(table.schema[column]).alias(column)
        for of, column in _carried(table)
        if of in places
    )


def _inverse(ids: pl.Series) -> pl.Series:
    """For each old id the place where it stands now."""
    empty = pl.Series([None], dtype=pl.UInt32).new_from_index(0, _top(ids))
    return empty.scatter(ids, pl.int_range(ids.len(), dtype=pl.UInt32, eager=True)) if ids.len() else empty


def _carried(table: pl.DataFrame) -> Iterable[tuple[str, str]]:
    return [(of, column) for of, columns in _IDS.items() for column in columns if column in table.columns]


def places(first: pl.Series, stop: pl.Series) -> pl.Series:
    """The places ``first <= place < stop`` of each pair, one behind the other."""
    return pl.select(pl.int_ranges(first, stop).explode(empty_as_null=False)).to_series()


def _top(ids: pl.Series) -> int:
    return 0 if ids.is_empty() else int(ids.max()) + 1  # type: ignore[arg-type]
