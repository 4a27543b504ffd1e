"""Whoever is passed over in a part is in none of its answers: it is as if it had been written without them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal
from same import assert_same

import journey_nb as jn
from journey_nb.simulate import simulate
from journey_nb.store.parts import Part
from journey_nb.store.stored import Assembled


def events(rng: Random) -> pl.DataFrame:
    """Of some who share devices, and of some of whom there are but goals of no run: before and after all else."""
    rows = simulate(jn.Journey.sample("welcome"), users=20, seed=rng.randrange(99))
    rows = rows.with_columns(device_id=pl.lit("d") + (pl.col("user_id").hash() % 7).cast(pl.String))
    goals = rows.filter(kind="goal.reached")[:4].with_row_index("n")
    away = (
        pl.when(pl.col("n") % 2 == 0)
        .then(pl.lit(timedelta(days=-400)))
        .otherwise(pl.lit(timedelta(days=400)))
    )
    goals = goals.with_columns(
        user_id=pl.format("goal {}", "n"), event_id=pl.format("goal {}", "n"), run_id=None,
        occurred_at=pl.col("occurred_at") + away,
    )  # fmt: skip
    return pl.concat([rows, goals.drop("n")])


def part_of(folder: Path, rows: pl.DataFrame) -> Part:
    store = jn.Store(folder)
    journey = store.add(jn.Journey.sample("welcome"))
    store.append(rows)
    (part,) = store._layers.parts(journey, store._layers.of(journey.journey_id))
    return part


@pytest.mark.parametrize("seed", range(3))
def test_who_is_passed_over_is_in_no_answer(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    rows = events(rng)
    users = rows["user_id"].unique().sort()
    # Mostly those at the ends of time, too.
    dead = pl.Series(
        "user_id", sorted({*rng.sample(users.to_list(), 6), *rng.sample(users.to_list()[:4], 2)})
    )
    whole = part_of(tmp_path / "whole", rows)
    got = whole.without(dead[:3]).without(dead[3:])
    wanted = part_of(tmp_path / "others", rows.filter(~pl.col("user_id").is_in(dead.implode())))

    assert [got.end(side) for side in (0, 1)] == [wanted.end(side) for side in (0, 1)]
    assert_series_equal(got.users, wanted.users)
    assert_series_equal(got.holds(users), wanted.holds(users))
    assert got.living_rows == wanted.living_rows
    for some in (users, users[::3], dead):
        assert_frame_equal(got.rows(some).drop("row"), wanted.rows(some).drop("row"), check_row_order=False)
    assert_frame_equal(got.standing().drop("user"), wanted.standing().drop("user"), check_row_order=False)
    for word in (*users, *rows["device_id"].drop_nulls().unique(), "nobody"):
        hashed = pl.Series([word]).hash().item()
        assert got.known_by(word, hashed) == wanted.known_by(word, hashed), word
    start, end = sorted(rng.sample(rows["occurred_at"].sort().to_list(), 2))
    spans = [(start, start + timedelta(hours=1)), (end, end)]
    ids = pl.Series(sorted(rng.sample(range(wanted.users.len()), 3)), dtype=pl.UInt32)
    for one, other in (
        (got.living, wanted.living),
        (got.few(ids, named=True), wanted.few(ids, named=True)),
        (got.around(spans), wanted.around(spans)),
    ):
        assert_same(Assembled(one, start, end), Assembled(other, start, end))
