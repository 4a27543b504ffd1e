"""The facts of a store: parts read as one, and the cube that answers without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Any, Literal, cast

import polars as pl

from journey_nb.events import COLUMNS, EventLog
from journey_nb.events.account import EMPTY_QUARANTINE
from journey_nb.facts import Facts, Folded, fold, known_by, unseen
from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube, assigned, standing
from journey_nb.metrics.cube_counts import Piece
from journey_nb.metrics.parted import SETS_AT_ONCE
from journey_nb.metrics.sums import apart
from journey_nb.store.layers import Layer
from journey_nb.store.memory import memory
from journey_nb.store.parts import ASSIGNED, Part
from journey_nb.subset import TABLES, OfUsers, Tables, Together

BYTES_COUNTED = 200  # a row takes where no cube answers
ROWS_COUNTED = 2_500_000  # at once, at most, where all do not fit into a quarter of the memory


class _Table:
    """A table of :class:`Assembled`, by the name it stands under."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, facts: Assembled, _: type) -> pl.DataFrame:
        return facts._tables(self._name)


class Assembled:
    """Facts whose tables are made when they are asked for.

    Parameters
    ----------
    tables
        Gives a table by its name.
    first_at, last_at
        The first and last instant.
    """

    quarantined = EMPTY_QUARANTINE
    read = duplicates = 0

    def __init__(self, tables: Tables, first_at: datetime, last_at: datetime) -> None:
        self._tables, self.first_at, self.last_at = tables, first_at, last_at

    @cached_property
    def folded(self) -> Folded:
        """All of it in memory."""
        return Folded(
            **{name: self._tables(name) for name in TABLES},
            quarantined=self.quarantined,
            read=self.read,
            duplicates=self.duplicates,
            first_at=self.first_at,
            last_at=self.last_at,
        )

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        """See :class:`journey_nb.facts.Facts`."""
        return self._tables(name).filter(where)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Facts:
        """See :class:`journey_nb.facts.Facts`; what was set aside is nobody's."""
        keep = pl.repeat(False, self.users.height, eager=True).scatter(users, True)
        return Assembled(OfUsers(self._tables, keep, named=named).table, self.first_at, self.last_at)

    def known_by(self, word: str) -> pl.Series:
        """See :class:`journey_nb.facts.Facts`."""
        return known_by(self, word)

    runs, visits, waits, messages = _Table(), _Table(), _Table(), _Table()
    goals, events, devices, users = _Table(), _Table(), _Table(), _Table()


class StoredFacts(Assembled):
    """What a store holds of one journey, as it was when asked for.

    Tables of counts come from :attr:`cube`; the fact tables are read when something needs them.

    Parameters
    ----------
    journey
        The journey.
    layers, parts
        What its loads left on the disk, and the facts in it.
    """

    def __init__(self, journey: Journey, layers: Sequence[Layer], parts: Sequence[Part]) -> None:
        self.journey, self.layers, self.parts = journey, tuple(layers), tuple(parts)
        self._together = Together([part.living for part in self.parts] or [_nothing(journey)])
        first_at, last_at = _outermost(self.parts, 0), _outermost(self.parts, 1)
        self.is_empty = first_at is None
        # Where nothing that counts is left, as a fold of nothing has it.
        otherwise = unseen(journey)
        super().__init__(self._together.table, first_at or otherwise, last_at or otherwise)
        self.read = sum(layer.read for layer in layers)
        self.duplicates = self.read - sum(layer.rows + layer.faulty for layer in layers)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads for itself."""
        return StoredFacts, (self.journey, self.layers, self.parts)

    @cached_property
    def cube(self) -> Cube:
        """The counts of all parts."""
        return Cube.together([layer.cube for layer in self.layers] or [Cube.sum([])])

    @cached_property
    def steps(self) -> list[tuple[int, pl.DataFrame]]:
        """Completed stays in order of their duration: those that count, and (-1) those that were told anew since."""
        return [told for layer in self.layers for told in layer.steps]

    @cached_property
    def standing(self) -> pl.DataFrame:
        """Every stay that is open in the end."""
        parts = [part.standing().with_columns(apart(number)) for number, part in enumerate(self.parts)]
        return pl.concat(parts) if parts else standing(self.journey, self)

    @cached_property
    def quarantined(self) -> pl.DataFrame:  # type: ignore[override]
        """Every row that was set aside, with the rule it broke."""
        parts = [part.quarantined() for part in self.parts]
        faulty = [layer.faults().collect() for layer in self.layers if layer.faulty]
        return pl.concat([EMPTY_QUARANTINE, *faulty, *parts]).sort("row")

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        """See :class:`journey_nb.facts.Facts`; taken from part after part."""
        return self._together.rows(name, where)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Facts:
        """See :class:`journey_nb.facts.Facts`; only what concerns the users is read."""
        if not self.parts:
            return self
        offsets = self._together.offsets("user")
        place = pl.Series([*offsets[1:], self.users.height]).search_sorted(users, side="right")
        some = [
            self.parts[number].few(users.filter(place == number) - offsets[number], named=named)
            for number in place.unique().sort()
        ]
        return self._assembled(some or [self.parts[0].few(users.clear(), named=named)])

    def known_by(self, word: str) -> pl.Series:
        """See :class:`journey_nb.facts.Facts`; looked up in each part."""
        hashed = pl.Series([word]).hash().item()
        parts = zip(self.parts, self._together.offsets("user"), strict=False)
        found = [first + user for part, first in parts for user in part.known_by(word, hashed)]
        return pl.Series(found, dtype=pl.UInt32)

    def around(self, spans: Sequence[tuple[datetime, datetime]]) -> Facts:
        """The facts of the users of whom something is counted in an hour of one of the spans."""
        with ThreadPoolExecutor(2) as workers:
            return self._assembled(list(workers.map(lambda part: part.around(spans), self.parts)))

    @property
    def pieces(self) -> list[Piece]:
        """The facts of each part as they were written, and what keeps frames of them."""
        pieces = [_piece(part) for part in self.parts]
        nobody = pl.Series("user", [], dtype=pl.UInt32)
        whole = partial(assigned, self.journey, self)
        return pieces or [Piece(self, lambda _: (nobody, self), whole, lambda _, make: make())]

    @cached_property
    def is_large(self) -> bool:
        """Whether counting all of it at once takes more than a quarter of the memory."""
        return sum(part.height for part in self.parts) > _rows_in(memory() // 4)

    @property
    def sets(self) -> list[Facts]:
        """The facts in sets of users, each of about as many rows as are counted at once; no copies of their tables are kept."""
        most = min(ROWS_COUNTED, _rows_in(memory() // 4 // SETS_AT_ONCE))
        sets: list[list[Tables]] = []
        rows = 0
        for part in self.parts:
            if not sets or rows + part.height > most:
                sets.append([])
                rows = 0
            rows += part.height
            sets[-1].append(part.without_dead())
        return [Assembled(Together(some).table, self.first_at, self.last_at) for some in sets] or [self]

    def _assembled(self, parts: Sequence[Tables]) -> Facts:
        return Assembled(Together(parts).table, self.first_at, self.last_at) if parts else self


def _rows_in(memory: int) -> int:
    """So many rows are counted in some memory."""
    return memory // BYTES_COUNTED


def _piece(part: Part) -> Piece:
    def inside(at: datetime) -> tuple[pl.Series, Facts]:
        users, tables = part.inside(at)
        return users, Assembled(tables, *part.ends)

    return Piece(Assembled(part.table, *part.ends), inside, partial(part.table, ASSIGNED), part.kept)


def _outermost(parts: Sequence[Part], side: Literal[0, 1]) -> datetime | None:
    """The first (0) or last (1) instant; parts that were written with none beyond the one found are not looked at."""
    outer = (min, max)[side]
    found: datetime | None = None
    for part in sorted(parts, key=lambda part: part.ends[side], reverse=bool(side)):
        if found is not None and outer(found, part.ends[side]) == found:
            break
        if end := part.end(side):
            found = end if found is None else outer(found, end)
    return found


def _nothing(journey: Journey) -> Tables:
    """The tables of a journey on which nothing has happened, folded when one is asked for."""

    @cache
    def folded() -> Folded:
        return fold(journey, EventLog.from_frame(pl.DataFrame(schema=COLUMNS)).judge(journey))

    return lambda name: cast(pl.DataFrame, getattr(folded(), name))
