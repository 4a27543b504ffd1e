"""Facts of some users, and facts with a cube, over facts in memory: what the store does at scale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl

from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube, steps

FRAMES = ("runs", "visits", "waits", "messages", "goals", "events", "devices")


def of_users(facts: Folded, users: pl.Series) -> Folded:
    """The facts of some users, runs numbered anew."""
    return _narrowed(facts, facts.runs.filter(pl.col("user").is_in(users.implode())), users)


def _narrowed(facts: Folded, runs: pl.DataFrame, users: pl.Series) -> Folded:
    some = pl.col("user").is_in(users.implode())
    places = runs.select(old="run").with_row_index("run").cast(pl.UInt32)

    def numbered(frame: pl.DataFrame) -> pl.DataFrame:
        of_run = frame.drop("run").with_columns(old=frame["run"])
        kept = of_run.filter(pl.col("old").is_in(places["old"].implode()) | pl.col("old").is_null())
        found = kept.join(places, on="old", how="left", maintain_order="left")
        return found.filter(some if "user" in frame.columns else pl.lit(True)).select(frame.columns)

    names = ("visits", "waits", "messages", "goals", "events", "devices")
    return replace(
        facts,
        runs=runs.with_columns(run=pl.int_range(pl.len(), dtype=pl.UInt32)),
        **{name: numbered(getattr(facts, name)) for name in names},
    )


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
        self._facts, self._hidden = facts, frozenset(hidden)
        self.first_at, self.last_at = facts.first_at, facts.last_at
        self.cube = cube or Cube.of(journey, facts)
        self.steps = _steps(facts) if known is None else known

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise RuntimeError(f"facts.{name} has been touched")
        return getattr(self._facts, name)

    def of_runs(self, runs: pl.Series) -> Folded:
        """The facts of some runs."""
        facts, some = self._facts, self._facts.runs.filter(pl.col("run").is_in(runs.implode()))
        own = _narrowed(facts, some, some["user"])
        named = own.events.select("message").drop_nulls().unique()
        others = facts.messages.join(named, on="message", how="semi").join(
            own.messages, on="message", how="anti"
        )
        others = others.with_columns(run=pl.lit(None, pl.UInt32))
        return replace(own, messages=pl.concat([own.messages, others]))

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
        return of_users(facts, pl.concat(within).unique())


def _steps(facts: Folded) -> list[tuple[int, pl.DataFrame]]:
    """Steps in parts: all, those of some users again, and these taken out."""
    some = steps(of_users(facts, facts.runs.filter(pl.col("user") % 2 == 1)["user"].unique()))
    return [(1, steps(facts)), (1, some), (-1, some)]
