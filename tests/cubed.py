"""Facts of some users, and facts with a cube, over facts in memory: what the store does at scale."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Any

import polars as pl

from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube, assigned, standing, steps, under_way
from journey_nb.metrics.cube_counts import Piece

FRAMES = ("runs", "visits", "waits", "messages", "goals", "events", "devices")


class CubedFacts:
    """Facts that keep a cube. Their frames cannot be had where ``hidden``."""

    def __init__(
        self,
        journey: Journey,
        facts: Folded,
        cube: Cube | None = None,
        *,
        hidden: Collection[str] = (),
        known: list[tuple[int, pl.DataFrame]] | None = None,
    ) -> None:
        self._journey, self._facts, self._hidden = journey, facts, frozenset(hidden)
        self.first_at, self.last_at = facts.first_at, facts.last_at
        self.cube = cube or Cube.of(journey, facts)
        self.steps = _steps(facts) if known is None else known
        self.standing = standing(journey, facts)

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise RuntimeError(f"facts.{name} has been touched")
        return getattr(self._facts, name)

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        """Of a frame that can be had."""
        frame: pl.DataFrame = getattr(self, name)
        return frame.filter(where)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Folded:
        """The facts of some users."""
        return self._facts.of_users(users, named=named)

    def around(self, spans: list[tuple[datetime, datetime]]) -> Folded:
        """The facts of the users with anything counted within a span."""
        facts = self._facts
        times = {
            "runs": ("entered_at", "left_at"),
            "visits": ("arrived_at", "left_at"),
            "messages": ("sent_at", "failed_at", "skipped_at"),
            "goals": ("at",),
        }
        within = [
            getattr(facts, name)
            .filter(
                pl.any_horizontal(
                    pl.col(column).is_between(start, stop, closed="left") for start, stop in spans
                )
            )["user"]
            .drop_nulls()
            for name, columns in times.items()
            for column in columns
        ]
        return facts.of_users(pl.concat(within).unique())

    @cached_property
    def pieces(self) -> list[Piece]:
        """The facts as two pieces, which keep what is made of them."""
        users = self._facts.runs["user"].unique()
        halves = [self._facts.of_users(users.filter(users % 2 == half)) for half in (0, 1)]
        return [self._piece(half) for half in halves]

    def _piece(self, facts: Folded) -> Piece:
        def inside(at: datetime) -> tuple[pl.Series, Folded]:
            users = under_way(facts.runs, at)
            return users, facts.of_users(users)

        made: dict[str, pl.DataFrame] = {}

        def kept(name: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
            if name not in made:
                made[name] = make()
            return made[name]

        return Piece(facts, inside, cache(partial(assigned, self._journey, facts)), kept)


def taken_out(journey: Journey, facts: Folded, gone: pl.Series) -> tuple[Folded, CubedFacts]:
    """The facts without some users, and the same with a cube that had counted these and took them out again."""
    some, rest = (facts.of_users(users) for users in (gone, _others(facts, gone)))
    cube = Cube.together([Cube.of(journey, facts), Cube.sum([(-1, Cube.of(journey, some))])])
    return rest, CubedFacts(journey, rest, cube, known=[(1, steps(facts)), (-1, steps(some))])


def _others(facts: Folded, users: pl.Series) -> pl.Series:
    every = pl.int_range(facts.users.height, dtype=pl.UInt32, eager=True)
    return every.filter(~every.is_in(users.implode()))


def _steps(facts: Folded) -> list[tuple[int, pl.DataFrame]]:
    """Steps in parts: all, those of some users again, and these taken out."""
    some = steps(facts.of_users(facts.runs.filter(pl.col("user") % 2 == 1)["user"].unique()))
    return [(1, steps(facts)), (1, some), (-1, some)]
