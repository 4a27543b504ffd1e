"""Settling: which rows stay where an event is told more than once, and the hash that stands for a missing event_id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import polars as pl

from journey_nb.events.account import EMPTY_QUARANTINE, quarantine
from journey_nb.events.words import COLUMNS, KIND_REASONS, REASONS, TIMES, WORDS, of_kind
from journey_nb.reading import any_of, filled

_CONTENT = [name for name in COLUMNS if name != "source"]


def row_hashes(rows: pl.DataFrame) -> list[str]:
    """The canonical row hash of each row (METRICS.md, 14.8c)."""
    texts = (text for part in rows.iter_slices(500_000) for text in _as_json(part))
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


# What JSON writes differently inside a text: quotes, backslashes and control characters.
_ESCAPED = {character: json.dumps(character)[1:-1] for character in ['"', "\\", *map(chr, range(32))]}


def _as_json(rows: pl.DataFrame) -> pl.Series:
    """Every row as the JSON object that is hashed, as json.dumps would write it, a column at a time."""
    pairs = [pl.concat_str(pl.lit(f'"{name}": '), _json(rows, name)) for name in sorted(_CONTENT)]
    return rows.select(
        pl.concat_str(pl.lit("{"), pl.concat_str(pairs, separator=", "), pl.lit("}"))
    ).to_series()


def _json(rows: pl.DataFrame, name: str) -> pl.Expr:
    value = pl.col(name)
    if name in TIMES:
        text = value.dt.epoch("us").cast(pl.String)
    elif name == "value":
        numbers = rows[name].drop_nulls().unique()
        text = value.replace_strict(
            numbers, pl.Series(map(json.dumps, numbers), dtype=pl.String), default=None
        )
    elif COLUMNS[name] in (pl.String, pl.Enum):
        words = [column for column in (name, f"word {name}") if column in rows.columns]
        word = pl.coalesce(pl.col(words).cast(pl.String))
        text = filled('"{}"', word.str.replace_many(_ESCAPED))
    else:
        text = value.cast(pl.String)
    return text.fill_null("null")


@dataclass(frozen=True)
class Settled:
    """Good rows, every event once; a function of the set of rows, so that it may be done in parts.

    ``settled(pl.concat([settled(some).distinct, others]))`` keeps the same rows as
    ``settled(pl.concat([some, others]))``, and the duplicates of both settlements add up to its.

    Attributes
    ----------
    kept
        The rows that stay, in the form of :meth:`EventLog.sifted`; a row without an event_id has its hash there.
    losers
        Those whose event_id stays with another content.
    duplicates
        How many rows told again what one of these tells.
    """

    kept: pl.DataFrame
    losers: pl.DataFrame
    duplicates: int

    @property
    def read(self) -> int:
        """How many rows were settled."""
        return self.kept.height + self.losers.height + self.duplicates

    @property
    def distinct(self) -> pl.DataFrame:
        """All that must be known to settle again, with rows that come late."""
        return pl.concat([self.kept, self.losers])

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that stay, ready to be folded: :attr:`Judged.coded`."""
        return _mapped_reasons(self.kept)

    @property
    def conflicts(self) -> pl.DataFrame:
        """The losers as they stand in quarantine."""
        detail = filled("event_id '{}' has two different contents", "event_id")
        return quarantine(self.losers, pl.lit("conflict"), detail) if self.losers.height else EMPTY_QUARANTINE


def settled(rows: pl.DataFrame) -> Settled:
    """Settle which rows stay: each event once, and of two contents of one event_id the smaller hash.

    Parameters
    ----------
    rows
        Rows of :meth:`EventLog.sifted` that break no rule, without ``rule``; of one log, or of earlier
        and later parts of it. Of rows that tell the same the first by ``row`` and ``source`` stays.

    Examples
    --------
    >>> import polars as pl
    >>> from journey_nb.events import EventLog, settled
    >>> log = EventLog.from_frame(pl.DataFrame({
    ...     "event_id": ["a", "a", "a", "b"], "user_id": ["u", "u", "v", "u"], "occurred_at": [1714546800] * 4,
    ...     "kind": "goal.reached", "goal_id": "buy", "journey_id": "welcome", "version": 1}))
    >>> once = settled(log.sifted().filter(pl.col("rule").is_null()).drop("rule").collect())
    >>> once.kept.height, once.losers.height, once.duplicates
    (2, 1, 1)
    """
    rows = _named(rows)
    # Equal hashes of 64 bits only make a row a suspect; the ids themselves decide.
    hashed = rows["event_id"].hash()
    in_order = hashed.sort()  # a sort finds what comes twice in a fraction of the time of a hash table
    twice = in_order.filter(in_order == in_order.shift())
    if twice.is_empty():
        return Settled(rows, rows.clear(), 0)
    suspect = hashed.is_in(twice.unique().implode())
    content = [name for name in rows.columns if name not in ("row", "source")]
    suspects = rows.with_columns(place=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(suspect)
    several = suspects.sort("row", "source").unique(content, keep="first", maintain_order=True)
    clashing = several.filter(pl.col("event_id").is_duplicated())
    losers = clashing.clear()
    if clashing.height:
        ranked = clashing.with_columns(hash=pl.Series(row_hashes(clashing)))
        losers = ranked.filter(pl.col("hash") != pl.col("hash").min().over("event_id")).drop("hash")
    stays = (~suspect).scatter(several["place"], True).scatter(losers["place"], False)
    kept = rows.filter(stays)
    return Settled(kept, losers.drop("place"), rows.height - kept.height - losers.height)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without an event_id get their hash as one."""
    nameless = rows["event_id"].is_null()
    if not nameless.any():
        return rows
    ids = pl.Series(row_hashes(rows.filter(nameless)), dtype=pl.String)
    return rows.with_columns(event_id=rows["event_id"].scatter(nameless.arg_true(), ids))


def _mapped_reasons(rows: pl.DataFrame) -> pl.DataFrame:
    """A reason that is foreign to its kind becomes the unknown one of that kind; its word is kept.

    A kind that carries no reason has none that is unknown: only the word is kept.
    """
    own = any_of(
        of_kind(kind) & pl.col("reason").is_in(list(reasons)) for kind, (reasons, _) in KIND_REASONS.items()
    )
    word = pl.coalesce(pl.col("word reason", "reason").cast(pl.String))
    carries = of_kind(*KIND_REASONS)
    foreign = rows.select(
        pl.when(carries)
        .then(word.is_not_null() & ~own.fill_null(False))
        .otherwise(pl.col("word reason").is_not_null())
    ).to_series()
    clean = rows.drop(WORDS)
    if not foreign.any():
        return clean
    unknown = {kind: unknown for kind, (_, unknown) in KIND_REASONS.items()}
    mended = rows.filter(foreign).select(
        "row",
        reason=pl.col("kind").cast(pl.String).replace_strict(unknown, default=None).cast(pl.Enum(REASONS)),
        reason_detail=pl.concat_str(
            word, pl.col("reason_detail").cast(pl.String), separator=": ", ignore_nulls=True
        ),
    )
    at = foreign.arg_true()
    return clean.with_columns(
        reason=clean["reason"].scatter(at, mended["reason"]),
        reason_detail=clean["reason_detail"].scatter(
            at, mended["reason_detail"].cast(rows.schema["reason_detail"])
        ),
    )
