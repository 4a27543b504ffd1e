"""The account of a log: what became of every row."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from journey_nb.events.words import QUARANTINE


@dataclass(frozen=True)
class Judged:
    """A log after its rows were judged one by one and deduplicated.

    Attributes
    ----------
    coded
        The good rows, each once, as the fold takes them: texts that repeat may be Categoricals.
    quarantined
        The others: ``row``, the ``rule`` broken, the ``detail`` with the cell as it was found, and
        the canonical columns as far as they could be read.
    read, duplicates
        ``read == rows.height + duplicates + quarantined.height``.
    """

    coded: pl.DataFrame
    quarantined: pl.DataFrame
    read: int
    duplicates: int

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The good rows, each once: the canonical columns and ``row``, the position in the source.

        Judged against a journey, ``point_id`` and ``goal_id`` are Enums of its points and goals.
        """
        return self.coded.with_columns(pl.selectors.categorical().cast(pl.String))


@dataclass(frozen=True, repr=False)
class Report:
    """What became of the rows of a log: ``read == loaded + duplicates + quarantined``.

    ``frame`` has a row for every rule that was broken: ``rule``, ``rows`` and an ``example``.
    """

    frame: pl.DataFrame
    read: int
    loaded: int
    duplicates: int
    quarantined: int
    warnings: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(
        cls,
        quarantined: pl.DataFrame,
        *,
        read: int,
        duplicates: int,
        warnings: Iterable[str] = (),
        note: str = "",
    ) -> Report:
        """The report of a log, of which these rows (``row``, ``rule``, ``detail``) are in quarantine."""
        rules = quarantined.group_by("rule").agg(
            rows=pl.len().cast(pl.Int64), example=pl.col("detail").sort_by("row").first()
        )
        bad = quarantined.height
        return cls(
            frame=rules.sort(-pl.col("rows"), "rule"),
            read=read,
            loaded=read - duplicates - bad,
            duplicates=duplicates,
            quarantined=bad,
            warnings=tuple(warnings),
            note=note,
        )

    def __str__(self) -> str:
        told = (self.read, self.loaded, self.duplicates, self.quarantined)
        read, loaded, duplicates, quarantined = map(_count, told)
        account = f"{read} row{'s' * (self.read != 1)} read = {loaded} loaded + {duplicates} duplicates + {quarantined} quarantined"
        rules = [
            f"  {rule:<16} {_count(rows):>9}  {cut(example)}".rstrip()
            for rule, rows, example in self.frame.rows()
        ]
        odd = [f"  ! {warning}" for warning in self.warnings]
        return "\n".join([account, *rules, *odd, *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _count(rows: int) -> str:
    """How many; below 0 that there are fewer than so many, which are not told."""
    return f"{rows:,}" if rows >= 0 else f"< {-rows:,}"


def cut(text: str | None) -> str:
    """As much of a text of the data as a line may hold."""
    return "" if text is None else text if len(text) <= 120 else text[:119] + "…"


def quarantine(rows: pl.DataFrame, rule: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    """Rows as they stand in quarantine: position, rule and detail, then the canonical columns."""
    return rows.lazy().with_columns(rule=rule, detail=detail).pipe(as_quarantine).collect()


def as_quarantine(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with their ``rule`` and ``detail``, lazily, in the columns of quarantine."""
    named = rows.collect_schema().names()
    words = [name for name in ("word reason", "reason", "raw reason") if name in named]
    rows = rows.with_columns(reason=pl.coalesce(pl.col(name).cast(pl.String) for name in words))
    return rows.select(pl.col(name).cast(dtype, strict=False) for name, dtype in QUARANTINE.items())


EMPTY_QUARANTINE = pl.DataFrame(schema=QUARANTINE)
