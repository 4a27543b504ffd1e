"""Who may only read a store reads it, whatever those do who may write."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.simulate import simulate

NOBODY = 65534


@contextmanager
def rights(path: Path, mode: int) -> Iterator[None]:
    """Run with no more rights on a folder than its mode gives; root, whom no mode stops, steps down."""
    before = path.stat().st_mode
    path.chmod(mode)
    if root := os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(before)


@pytest.fixture
def store(welcome: jn.Journey) -> Iterator[jn.Store]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders let nobody else in
        Path(folder).chmod(0o755)
        store = jn.Store(Path(folder) / "events of ü?#")
        store.add(welcome)
        store.append(simulate(welcome, users=40, seed=9))
        yield store


@pytest.mark.parametrize("opened", [False, True], ids=["nobody writes", "somebody has it open"])
def test_a_store_that_may_not_be_written_is_read(store: jn.Store, opened: bool) -> None:
    stats = store["welcome"]
    points, late = stats.points(), simulate(stats.journey, users=3, seed=8)
    with closing(sqlite3.connect(store.path / "store.sqlite")) as other:
        if opened:
            other.execute("SELECT * FROM journey").fetchall()
        with rights(store.path, 0o555):
            reader = jn.Store(store.path)
            assert reader.find()["title"].to_list() == [stats.journey.title]
            assert reader["welcome"].points().equals(points)
            assert reader.check() == []
            for change in (
                lambda: reader.append(late),
                lambda: reader.pause("welcome"),
                lambda: reader.rebuild("welcome"),
            ):
                with pytest.raises(jn.StoreError, match="ask for the right to write there"):
                    change()
    assert store.get("welcome").status == "running"
    assert store["welcome"].points().equals(points)


def test_who_may_only_read_sees_what_others_write(store: jn.Store) -> None:
    journey = store.get("welcome")
    with rights(store.path, 0o555):
        reader = jn.Store(store.path)
        before = reader["welcome"].health()["entrances"].item()
    store.append(
        simulate(journey, users=3, seed=8).with_columns(
            pl.format("other {}", name).alias(name) for name in ("user_id", "run_id")
        )
    )
    with rights(store.path, 0o555):
        assert reader["welcome"].health()["entrances"].item() == before + 3
