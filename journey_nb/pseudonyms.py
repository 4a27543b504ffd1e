"""Keyed pseudonyms: who is the same stays the same, who it is only the holder of the key can tell."""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from journey_nb.facts import Facts, Folded
from journey_nb.journey import Journey
from journey_nb.subset import sorted_anew

KEY, KEY_FILE = "JOURNEY_NB_PSEUDONYM_KEY", "JOURNEY_NB_PSEUDONYM_KEY_FILE"
_SHORTEST = 16  # bytes of a key
_DIGITS = 20  # hexadecimal digits of a pseudonym: 80 bits, so that no two of a billion ids share one

# Ids by the letter that their pseudonyms begin with; those of runs and messages often hold the user's.
_KINDS = {"user_id": "u", "device_id": "d", "run_id": "r", "message_id": "m"}
_HOLD_IDS = ("runs", "messages", "devices", "users", "quarantined")
# Text of the log that may name somebody, and that nothing counts by.
_FREE = ("reason_detail",)
# Text of the log that is counted by: what the design does not know has a pseudonym too.
_COUNTED = {"variant": "v", "currency": "c"}
_CURRENCY = "^[A-Z]{3}$"
# All that is told of a row that was set aside: its other values are the very ones that fit nowhere.
_ASIDE = ("row", "rule", "occurred_at", *_KINDS)


class Pseudonyms:
    """Pseudonyms of ids, by HMAC-SHA256 under a key that is kept to itself.

    The same id has the same pseudonym wherever the same key is used, so that shared files stay joinable.

    Parameters
    ----------
    key
        At least 16 bytes that nobody can guess.

    Raises
    ------
    TypeError, ValueError
        When it is no bytes, or fewer.

    Examples
    --------
    >>> people = Pseudonyms(b"a key of many bytes, not this one")
    >>> people.of("ann", "user_id") == people.of("ann", "user_id") != people.of("ann", "device_id")
    True
    >>> people
    Pseudonyms(…)
    """

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes):
            raise TypeError(
                f"a key is bytes, not a {type(key).__name__}: key.encode(), or from_environment()"
            )
        if len(key) < _SHORTEST:
            raise ValueError(
                f"a key of {len(key)} bytes can be guessed: take at least {_SHORTEST}, as of openssl rand -hex 32"
            )
        self._key = key

    def __repr__(self) -> str:
        return "Pseudonyms(…)"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Pseudonyms:
        """With the key in JOURNEY_NB_PSEUDONYM_KEY, or in the file that JOURNEY_NB_PSEUDONYM_KEY_FILE names.

        Raises
        ------
        ValueError
            When neither is set, or the key is short.
        """
        if key := environment.get(KEY):
            return cls(key.encode())
        if path := environment.get(KEY_FILE):
            return cls(Path(path).read_bytes().strip())
        raise ValueError(f"pseudonyms need a key: set {KEY}, or {KEY_FILE} to a file that holds it")

    def of(self, name: str, kind: str = "user_id") -> str:
        """The pseudonym of one id: a user_id, device_id, run_id or message_id."""
        letter = (_KINDS | _COUNTED)[kind]
        digest = hmac.digest(self._key, f"{letter}:{name}".encode(), "sha256")
        return f"{letter}-{digest.hex()[:_DIGITS]}"

    def table(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame in which every id is a pseudonym; its other columns stay as they are."""
        return frame.with_columns(self._column(frame[name], name) for name in _KINDS if name in frame.columns)

    def facts(self, facts: Facts, journey: Journey) -> Folded:
        """The facts of the same people under their pseudonyms, without texts that might name somebody; in memory.

        Variants that the journey does not know and currencies that are no three capitals are pseudonyms too. Rows
        and dense ids stand in the order of the pseudonyms, since that of the names would tell of them.
        """
        folded = facts.folded
        held: dict[str, Any] = {
            name: _without(self.table(getattr(folded, name)), _FREE) for name in _HOLD_IDS
        }
        aside = held["quarantined"]
        held["quarantined"] = _without(aside, set(aside.columns).difference(_ASIDE))
        variants = pl.col("variant").is_in(_variants(journey).implode())
        for name in ("runs", "messages"):
            held[name] = self._unless(variants, held[name], "variant")
        currencies = pl.col("currency").str.contains(_CURRENCY)
        held["goals"] = self._unless(currencies, folded.goals, "currency")
        held |= sorted_anew(replace(folded, **held).__getattribute__)
        return replace(folded, **held)

    def _unless(self, known: pl.Expr, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """A frame in which a column's values are pseudonyms, but for those that are known."""
        made = self._column(frame[name], name)
        return frame.with_columns(pl.when(known).then(name).otherwise(made).alias(name))

    def _column(self, ids: pl.Series, kind: str) -> pl.Series:
        known = ids.drop_nulls().unique()
        made = pl.Series([self.of(one, kind) for one in known], dtype=pl.String)
        return ids.replace_strict(known, made, default=None, return_dtype=pl.String)


def _without(frame: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(None, frame.schema[name]).alias(name) for name in names if name in frame.columns
    )


def _variants(journey: Journey) -> pl.Series:
    """The variants of the journey's splits, as branches and as messages call them."""
    keys = {branch.key for version in journey.versions for branch in version.branches}
    named = {key for key in keys if key.startswith("variant:")}
    return pl.Series(sorted(named | {key.removeprefix("variant:") for key in named}), dtype=pl.String)
