"""However a log comes into a store, the facts are those of loading it at once."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import polars as pl
import pytest
from compare import frame_of
from metrics.build import a_journey, at
from pieces import batches, logs, share_ids
from polars.testing import assert_frame_equal
from same import assert_same

import journey_nb as jn
from journey_nb.cluster import _layers
from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.store import intake
from journey_nb.store.parcels import ROWS, packed

SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", 10))
MESSAGE = {"point_id": "A", "channel": "push"}


def at_once(journey: jn.Journey, frame: pl.DataFrame) -> Folded:
    return fold(journey, EventLog.from_frame(frame.drop("place")).judge(journey))


def stored(tmp_path: Path, journey: jn.Journey, parts: list[pl.DataFrame]) -> jn.Store:
    store = jn.Store(tmp_path)
    store.add(journey)
    for part in parts:
        store.append(part.drop("place"))
    return store


def assert_same_tables(store: jn.Store, journey: jn.Journey, expected: Folded, rng: Random) -> None:
    """Every table of counts, which the store looks up in its cubes: since launch, and between two odd instants."""
    whole = expected.last_at - expected.first_at
    start, end = sorted(expected.first_at + whole * rng.random() for _ in range(2))
    version, clock = rng.choice(journey.versions).version, rng.choice(("activity", "cohort"))
    for narrowed in (
        lambda stats: stats,
        lambda stats: stats.between(start, end),
        lambda stats: stats.between(start, end).clock("cohort"),
        lambda stats: stats.clock(clock).version(version),
    ):
        got, wanted = (
            narrowed(stats) for stats in (store[journey.journey_id], jn.JourneyStats(journey, expected))
        )
        for name in TABLES:
            assert_frame_equal(getattr(got, name)(), getattr(wanted, name)(), rel_tol=1e-9)
        splits = [key for key, point in journey.points().items() if point.type == "split_abn"]
        if splits and journey.goals:
            asked = rng.choice(splits), rng.choice(journey.goals).goal_id
            assert_frame_equal(got.variants(*asked), wanted.variants(*asked), rel_tol=1e-9)
        for ids in (expected.users["user_id"], expected.devices["device_id"]):
            word = rng.choice(ids.to_list() or [""])
            assert_frame_equal(got.user_path(word), wanted.user_path(word))
            assert_frame_equal(got.user_runs(word), wanted.user_runs(word))


TABLES = ("health", "daily", "audience", "goals", "credit", "communications", "messages", "delivery_issues",
          "points", "branches", "waiting", "drops", "reconciliation")  # fmt: skip


@pytest.mark.parametrize("start", range(0, SEEDS, 5))
def test_any_split_in_any_order_equals_loading_at_once(start: int, tmp_path: Path) -> None:
    for seed in range(start, start + 5):
        journey, frame, rng = logs(seed)
        frame = share_ids(rng, frame) if seed % 2 else frame
        parts = batches(rng, frame)
        store = stored(tmp_path / str(seed), journey, parts)
        try:
            expected = at_once(journey, pl.concat(parts))
            assert_same(store[journey.journey_id].facts, expected)
            if expected.loaded and expected.runs.height:
                assert_same_tables(store, journey, expected, rng)
            assert store.check() == []
        except BaseException as error:
            error.add_note(f"seed {seed}, {len(parts)} batches")
            raise


@pytest.mark.parametrize("start", range(0, SEEDS // 2, 5))
def test_a_log_folded_in_parts_equals_one_folded_whole(
    start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "ROWS_A_PART", 12)
    for seed in range(start, start + 5):
        journey, frame, rng = logs(seed)
        frame = share_ids(rng, frame) if seed % 2 else frame
        parts = batches(rng, frame)[:3]
        store = stored(tmp_path / str(seed), journey, parts)
        expected = at_once(journey, pl.concat(parts))
        try:
            assert_same(store[journey.journey_id].facts, expected)
            store.rebuild(journey.journey_id)
            assert_same(store[journey.journey_id].facts, expected)
        except BaseException as error:
            error.add_note(f"seed {seed}, {len(parts)} batches")
            raise


@pytest.mark.parametrize("start", range(0, SEEDS // 5, 2))
def test_a_log_folded_elsewhere_is_as_one_folded_here(
    start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two halves, whose layers tell some of their users anew, beside what is here already."""
    for seed in range(start, start + 2):
        journey, frame, rng = logs(seed)
        for _ in range(4):
            frame = share_ids(rng, frame)
        here, there = (batches(rng, frame[half::2])[:3] for half in (0, 1))
        store = stored(tmp_path / f"{seed}", journey, here)
        away = pl.concat(there).with_columns(half=pl.coalesce("user_id", "device_id").hash() % 2)
        made, folder = [], tmp_path / f"folded {seed}"
        for half in range(2):
            rows = EventLog.from_frame(away.filter(pl.col("half").fill_null(0) == half).drop("place", "half"))
            with monkeypatch.context() as patch:
                patch.setattr(intake, "ROWS_A_PART", 4)
                for of, layer in _layers(rows, [journey], folder / "made", half):
                    made += packed(layer, of, of=4)
        pl.DataFrame(made, schema=ROWS, orient="row").write_parquet(folder / "0.parquet")
        try:
            before = store[journey.journey_id].report()
            told = store.adopt(folder)
            expected = at_once(journey, pl.concat([*here, *there]))
            assert_same(store[journey.journey_id].facts, expected)
            after = store[journey.journey_id].report()
            assert told.loaded == after.loaded - before.loaded
            assert store.check() == []
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("who", ["ann", "ben"])
@pytest.mark.parametrize("name", ["event_id", "run_id", "message_id"])
def test_who_shares_an_id_with_somebody_is_told_with_them(
    name: str, who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a new row is about: it need not carry that id. And in whatever part of a load they are."""

    def row(user: str, kind: str, minute: int, **cells: str) -> dict[str, object]:
        own = {"event_id": f"{user} {minute}", "user_id": user, "run_id": f"of {user}", "kind": kind}
        return {"journey_id": "j", "version": 1, "occurred_at": at(minute), **own, **cells}

    first = [row(user, "run.entered", minute, point_id="E") for minute, user in enumerate(("ann", "ben"))]
    sent = [row(user, "message.sent", minute, **(MESSAGE | {"message_id": user, name: "one"}))
            for minute, user in ((2, "ann"), (3, "ben"))]  # fmt: skip
    later = row(who, "message.opened", 4, **MESSAGE, message_id=who)
    parts = [frame_of(rows).with_row_index("place") for rows in (first + sent, [later])]
    store = stored(tmp_path, journey := a_journey(), parts)
    assert_same(store["j"].facts, at_once(journey, pl.concat(parts)))
    monkeypatch.setattr(intake, "ROWS_A_PART", 1)
    store = stored(tmp_path / "in parts", journey, [parts[1], parts[0]])
    assert_same(store["j"].facts, at_once(journey, pl.concat(parts)))
