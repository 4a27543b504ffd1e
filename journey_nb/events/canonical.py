"""Reading: any source's columns to the canonical ones, with what was given where a cell may not be readable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, get_args
from zoneinfo import available_timezones

import polars as pl

from journey_nb.events.account import cut
from journey_nb.events.words import COLUMNS, FALLIBLE, TIMES
from journey_nb.journey import listed, near
from journey_nb.reading import (
    ODD_WIDTH,
    LogError,
    TimeUnit,
    TimeUnits,
    cell,
    columns,
    epoch_unit,
    readable,
    roots,
)


@dataclass(frozen=True)
class How:
    """How a source is to be read, as far as it was told."""

    timezone: Any = None
    time_unit: TimeUnits = None
    time_format: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.timezone, tzinfo):
            object.__setattr__(self, "timezone", str(self.timezone))
        if self.timezone is not None and self.timezone not in (zones := available_timezones()):
            raise LogError(f"there is no timezone {self.timezone!r}{_zone(self.timezone, sorted(zones))}")
        units = self.time_unit.values() if isinstance(self.time_unit, Mapping) else [self.time_unit]
        for unit in units:
            if unit not in (None, *get_args(TimeUnit)):
                raise LogError(f"time_unit is {unit!r}; it is one of 's', 'ms', 'us' and 'ns'")
        if self.time_format is not None:
            try:
                pl.Series(["1"]).str.to_datetime(self.time_format, strict=False)
            except pl.exceptions.PolarsError as error:
                told = str(error).split("\n", 1)[0]
                hint = "; with %p the hour is %I" if "%p" in self.time_format else ""
                raise LogError(f"time_format={self.time_format!r} cannot be used: {told}{hint}") from None


# Abbreviations that are no names of zones, and of what most people mean by them.
_ABBREVIATED = {
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
}


def _zone(word: str, zones: list[str]) -> str:
    """A hint that names the zone which was meant."""
    if offset := re.fullmatch(r"(?:UTC|GMT)?([+-])0?(\d\d?)(?::?00)?", word):
        # There the sign says how far UTC is, and not the zone.
        return f"; did you mean 'Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}'?"
    city = word.replace(" ", "_").lower()
    meant = [zone for zone in zones if city in (zone.lower(), zone.lower().rpartition("/")[2])]
    if meant := [_ABBREVIATED[word.upper()]] if word.upper() in _ABBREVIATED else meant:
        return f"; did you mean {meant[0]!r}?"
    return near(word, zones) or "; name it by region and city, such as 'Europe/Paris'"


# What says the zone of a time: its letter, its name, or an offset behind a clock.
ZONED = r"(?i)(?:Z|UTC|GMT|(?::\d\d|[T ]\d{4,6})(?:[.,]\d+)?\s*[+-]\d\d(?::?\d\d)?)\s*$"

_REQUIRED = ("occurred_at", "kind", "journey_id", "version")


def optional_columns(mapping: Mapping[str, str | pl.Expr]) -> list[str]:
    """What a file may lack of the source's columns: all but those that every row needs as they are."""
    needed = (*_REQUIRED, "user_id")
    return [
        name
        for column, origin in mapping.items()
        if isinstance(origin, pl.Expr) or (isinstance(origin, str) and column not in needed)
        for name in roots(origin)
    ]


def canonical_rows(
    source: pl.LazyFrame,
    name: str,
    mapping: Mapping[str, str | pl.Expr],
    how: How,
) -> tuple[pl.LazyFrame, list[str], bool]:
    """The canonical columns of a source, with what was given where a cell may not be readable.

    Beside them the names that are not read, and whether the times are texts.
    """
    found, extra = columns(source, COLUMNS, mapping, name)
    schema = found.collect_schema()
    # Whoever reads the log knows its columns as it has them, not as they are mapped.
    _require(schema.names(), extra, [own for own in source.collect_schema() if own != ODD_WIDTH], name)
    if "due_at" in schema:
        found = found.with_columns(_due("due_at", schema["due_at"]))
    refuse_odd(schema, name)
    _refuse_rounded(found, name)
    if "%Z" in (how.time_format or ""):
        _refuse_zones(found, name)
    zone, form, texts = how.timezone or "UTC", how.time_format, pl.String()
    units = (
        how.time_unit
        if isinstance(how.time_unit, Mapping)
        else {
            c: how.time_unit or (None if form and schema[c] == texts else epoch_unit(found, c, name))
            for c in TIMES
            if c in schema
        }
    )
    exprs = [
        (cell(c, schema[c], dtype, zone, units.get(c), form) if c in schema else pl.lit(None, dtype)).alias(c)
        for c, dtype in COLUMNS.items()
    ]
    for c in FALLIBLE:
        raw = cell(c, schema[c], pl.String()) if c in schema else pl.lit(None, pl.String())
        given = (
            pl.lit(False)
            if c not in schema
            else _given(raw, COLUMNS[c])
            if schema[c] in (pl.String, pl.Categorical)
            else _filled(c, schema[c])
        )
        exprs += [given.alias(f"given {c}"), raw.alias(f"raw {c}")]
    if how.source is not None:
        exprs.append(exprs.pop(list(COLUMNS).index("source")).fill_null(how.source))
    odd = pl.col(ODD_WIDTH) if ODD_WIDTH in schema else pl.lit(False)
    return found.select(*exprs, odd.alias(ODD_WIDTH)), extra, schema["occurred_at"] == texts


# What columns are called where a log of activities is read.
PARAMETERS = {
    "user_id": "user",
    "point_id": "activity",
    "occurred_at": "time",
    "run_id": "session",
    "message_id": "instance",
}


def refuse_odd(schema: pl.Schema, what: str, parameters: Mapping[str, str] | None = None) -> None:
    """Cells that hold no single value."""
    for column, dtype in schema.items():
        if dtype.is_nested() or isinstance(dtype, (pl.Object, pl.Time, pl.Duration, pl.BaseExtension)):
            named = parameters.get(column, column) if parameters else column
            how = f"{named}=pl.col(…)…" if parameters else f"columns={{{column!r}: pl.col(…)…}}"
            raise LogError(
                f"{what}: what is given for {named!r} is no single value but {dtype}; make it one, in the source "
                f"or with {how}"
            )


def _refuse_rounded(rows: pl.LazyFrame, what: str) -> None:
    """Whole numbers that a column of floats does not tell apart any more."""
    for column, dtype in rows.collect_schema().items():
        if not (dtype.is_float() and column in ("user_id", "device_id", "run_id", "event_id", "message_id")):
            continue
        exact = 2.0 ** (53 if dtype == pl.Float64 else 24)
        with readable(what):
            most = rows.select(pl.col(column).abs().fill_nan(None).max()).collect(engine="streaming").item()
        if most is not None and most >= exact:
            raise LogError(
                f"{what}: {column!r} holds floats of {exact:.0f} and more, where neighbours are the same number; "
                "read the column as text (or integers) in the source"
            )


def _refuse_zones(rows: pl.LazyFrame, what: str) -> None:
    """Names of zones, which a format reads over: no offset is known for them."""
    schema = rows.collect_schema()
    for column in TIMES:
        if schema.get(column) != pl.String:
            continue
        named = pl.col(column).str.contains(r"(?i)(?:\b|\d)(?:UTC|GMT|Z)\b")
        with readable(what):
            odd = rows.filter(~named).select(column).head(1).collect(engine="streaming")[column]
        if odd.len():
            raise LogError(
                f"{what}: %Z in time_format says no zone, and {column!r} names one that may not be UTC ({cut(odd[0])!r}); "
                "say timezone=… and cut the name off with columns=, or export offsets and say %z"
            )


def _due(column: str, dtype: pl.DataType) -> pl.Expr:
    """The moment a wait is due; sources write 0 where there is none."""
    value = pl.col(column)
    if dtype.is_numeric():
        return pl.when(value != 0).then(value).alias(column)
    if dtype == pl.String:
        return pl.when(~value.str.contains(r"^\s*0(\.0*)?\s*$")).then(value).alias(column)
    return value


def _given(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return text.is_not_null() & (text.str.to_lowercase() != "nan") if dtype.is_float() else text.is_not_null()


def _filled(column: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    return value.is_not_null() & value.is_not_nan() if dtype.is_float() else value.is_not_null()


_PLAIN = " (a log of plain activities is read by EventLog.from_activities(…, user=…, activity=…, time=…))"


def _require(names: list[str], extra: list[str], own: list[str], what: str) -> None:
    it_has = f"; it has {listed(own)}"
    for column in _REQUIRED:
        if column not in names:
            hint = near(column, extra) or it_has
            plain = "" if "kind" in names else _PLAIN
            raise LogError(f"{what}: no column {column!r}{hint}; say columns={{{column!r}: …}}{plain}")
    if "user_id" not in names and "device_id" not in names:
        hint = near("user_id", extra) or near("device_id", extra) or it_has
        raise LogError(f"{what}: no column 'user_id' or 'device_id'{hint}; say columns={{'user_id': …}}")
