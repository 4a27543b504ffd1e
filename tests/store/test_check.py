"""``check()`` finds what is wrong: each sum that it looks at, made wrong by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.metrics.cube import FRAMES
from journey_nb.store.check import wrong_sums
from journey_nb.store.stored import StoredFacts


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, welcome_log: pl.DataFrame) -> jn.Store:
    """With what only a part of the sums is about: goals of no run, rows set aside, and people told anew."""
    store = jn.Store(tmp_path_factory.mktemp("checked"))
    store.add(jn.Journey.sample("welcome"))
    goals = welcome_log.filter(kind="goal.reached")[:5].with_columns(
        event_id="of no run " + pl.col("event_id"), user_id="x" + pl.col("user_id"), run_id=None
    )
    odd = welcome_log[:3].with_columns(event_id="odd " + pl.col("event_id"), point_id=pl.lit("nowhere"))
    for rows in (welcome_log[:400], pl.concat([welcome_log[400:600], goals, odd])):
        store.append(rows)
    return store


def told(store: jn.Store, change: Callable[[StoredFacts], Any]) -> set[str]:
    """The places of the faults in facts that were changed."""
    journey = store.get("welcome")
    layers = [replace(layer) for layer in store._layers.of(journey.journey_id)]
    facts = StoredFacts(journey, layers, store._layers.parts(journey, layers))
    changed = change(facts)
    return {fault.place for fault in wrong_sums(journey, changed or facts)}


def test_what_is_right_is_no_fault(store: jn.Store) -> None:
    assert store["welcome"].outside_window[1]
    assert store["welcome"].report().quarantined
    assert told(store, lambda facts: None) == set()
    assert store.check() == []


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("name", ["faulty", "quarantined", "rows"])
def test_an_account_of_rows_that_does_not_add_up(store: jn.Store, name: str, by: int) -> None:
    def miscounted(facts: StoredFacts) -> StoredFacts:
        *others, layer = facts.layers
        wrong = replace(layer, **{name: getattr(layer, name) + by})
        return StoredFacts(facts.journey, [*others, wrong], facts.parts)

    assert told(store, miscounted) == {"rows"}


@pytest.mark.parametrize("name", FRAMES)
def test_a_cube_that_lacks_a_count(store: jn.Store, name: str) -> None:
    def less(facts: StoredFacts) -> None:
        facts.cube = replace(facts.cube, **{name: getattr(facts.cube, name)[1:]}, parts=())

    assert "cubes" in told(store, less)


@pytest.mark.parametrize("rows", [slice(1, None), slice(None, -1)], ids=["the first", "the last"])
def test_one_who_waits_and_is_not_listed(store: jn.Store, rows: slice) -> None:
    def less(facts: StoredFacts) -> None:
        facts.standing = facts.standing[rows]

    assert told(store, less) == {"cubes"}


@pytest.mark.parametrize("change", ["lost", "doubled", "longer", "elsewhere"])
def test_completed_stays_that_are_not_those_of_the_facts(store: jn.Store, change: str) -> None:
    """Of those that were told anew, which no longer count, too."""
    journey = store.get("welcome")

    def changed(stays: pl.DataFrame) -> pl.DataFrame:
        first, others = stays[:1], stays[1:]
        match change:
            case "lost":
                return others
            case "doubled":
                return pl.concat([first, stays])
            case "longer":
                return pl.concat([first.with_columns(pl.col("micros") + 1), others])
        point = others.filter(pl.col("point") != first["point"].item())["point"][:1]
        return pl.concat([first.with_columns(point=point), others])

    whole = StoredFacts(
        journey, layers := store._layers.of(journey.journey_id), store._layers.parts(journey, layers)
    )
    assert {sign for sign, _ in whole.steps} == {1, -1}
    for place in range(len(whole.steps)):

        def wrong(facts: StoredFacts, place: int = place) -> None:
            facts.steps = [
                (sign, changed(stays) if at == place else stays)
                for at, (sign, stays) in enumerate(facts.steps)
            ]

        assert told(store, wrong) == {"cubes"}


@pytest.mark.parametrize("kind", ["runs", "visits"])
@pytest.mark.parametrize("gap", [-1, 1])
def test_who_comes_and_never_goes(
    store: jn.Store, monkeypatch: pytest.MonkeyPatch, kind: str, gap: int
) -> None:
    balanced = jn.JourneyStats.reconciliation

    def unbalanced(stats: jn.JourneyStats) -> pl.DataFrame:
        return balanced(stats).with_columns(
            gap=pl.when(check=kind).then(gap).otherwise("gap"), point_id=pl.lit("here")
        )

    monkeypatch.setattr(jn.JourneyStats, "reconciliation", unbalanced)
    assert told(store, lambda facts: None) == {"here"}


def test_each_file_that_is_another_than_was_written(store: jn.Store, tmp_path: Path) -> None:
    """Of the same size, too; every one of the newest layer."""
    layer = store._layers.of(store.get("welcome").journey_id)[-1]
    assert {"0/log.parquet", "faulty.parquet", "cube_rows.arrow"} < layer.files.keys()
    assert {path.relative_to(layer.folder).as_posix() for path in layer.folder.rglob("*.*")} == set(
        layer.files
    )
    for name in layer.files:
        path = layer.folder / name
        written = path.read_bytes()
        for other in (written[:-1] + bytes([written[-1] ^ 1]), written[:-1], None):
            path.unlink() if other is None else path.write_bytes(other)
            assert [(fault.place, fault.what) for fault in store.check()] == [
                (path.relative_to(store.path).as_posix(), "is damaged or missing")
            ]
        path.write_bytes(written)
    assert store.check() == []
