"""Whether all is well with a store: its files, its sums, and what else lies in its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube, standing, steps
from journey_nb.stats import JourneyStats
from journey_nb.store.layers import Layer
from journey_nb.store.loaded import Loaded
from journey_nb.store.stored import StoredFacts


@dataclass(frozen=True)
class Fault:
    """Something wrong with a store: with which journey, where, and what."""

    journey_id: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.journey_id}: {self.place} {self.what}"


def damage(journey_id: str, layers: Sequence[Layer], folder: Path) -> list[Fault]:
    """The files of some layers that are not what was written."""
    return [
        Fault(journey_id, (layer.folder / name).relative_to(folder).as_posix(), "is damaged or missing")
        for layer in layers
        for name in layer.damaged()
    ]


def wrong_sums(journey: Journey, facts: StoredFacts) -> Iterator[Fault]:
    """What of the facts does not add up, or is not what the cubes hold."""
    journey_id = journey.journey_id
    said = Loaded.of(facts.layers)
    rows, counted, stand, stays = _counted_anew(journey, facts)
    if rows != said.loaded:
        yield Fault(journey_id, "rows", f"{said.loaded:,} are said to be loaded, {rows:,} are there")
    if (aside := facts.quarantined.height) != said.quarantined:
        yield Fault(journey_id, "rows", f"{said.quarantined:,} are said to be set aside, {aside:,} are there")
    stats = JourneyStats(journey, facts)
    gaps = stats.reconciliation().filter(pl.col("check").is_in(["runs", "visits"]), pl.col("gap") != 0)
    for point, kind, gap in gaps.select("point_id", "check", "gap").iter_rows():
        yield Fault(journey_id, point or "journey", f"does not balance: {kind} differ by {gap:,}")
    kept = sum(sign * _sum_of(some) for sign, some in facts.steps)
    if not counted.same(facts.cube) or not _same_rows(stand, facts.standing) or stays != kept:
        yield Fault(journey_id, "cubes", "do not hold what the facts do; rebuild() makes them anew")


def bytes_in(path: Path) -> int:
    """The bytes of a file, or of all in a folder, as far as it is still there."""
    inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    size = 0
    for one in inside if path.is_dir() else [path]:
        with suppress(OSError):
            size += one.lstat().st_size
    return size


def _counted_anew(journey: Journey, facts: StoredFacts) -> tuple[int, Cube, pl.DataFrame, int]:
    """How many rows are told, their cube, who waits in the end and the sum of completed stays.

    Set after set of users, for all need not fit into memory.
    """
    rows, counted, stays = 0, Cube.sum([]), 0
    stand: list[pl.DataFrame] = []
    for some in facts.sets:
        rows += some.events.height + some.goals["run"].null_count()  # a goal may be of no run
        counted = Cube.sum([(1, counted), (1, Cube.of(journey, some))])
        stand.append(standing(journey, some))
        stays += _sum_of(steps(some))
    return rows, counted, pl.concat(stand), stays


def _sum_of(stays: pl.DataFrame) -> int:
    """A number of all rows, which adds: of the same rows the same, whatever their order."""
    told = pl.struct(pl.col("point").cast(pl.String), pl.exclude("point"))
    sums = (some.select(told.hash().cast(pl.Int128).sum()).item() for some in stays.iter_slices(1_000_000))
    return sum(map(int, sums))


def _same_rows(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether both hold the same stays, whatever the numbers of their users."""
    return one.drop("user").sort(pl.all()).equals(other.drop("user").sort(pl.all()))
