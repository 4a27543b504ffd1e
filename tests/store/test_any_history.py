"""Whatever is done to a store and in whatever order, it tells what a log of all its rows in memory tells."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import polars as pl
import pytest
from compare import frame_of
from oracle import strategies
from polars.testing import assert_frame_equal
from same import assert_same

import journey_nb as jn
from journey_nb.cluster import _layers
from journey_nb.events import EventLog
from journey_nb.store import StoreError, intake
from journey_nb.store.parcels import ROWS, packed

SEEDS = max(2, int(os.environ.get("JOURNEY_NB_SEEDS", 0)) // 5)
ALTERED = (
    "event_id",
    "user_id",
    "device_id",
    "run_id",
    "message_id",
    "point_id",
    "reason_detail",
    "value",
    "seq",
)
TABLES = ("health", "daily", "audience", "goals", "communications", "messages", "points", "branches", "waiting", "drops",
          "reconciliation", "paths")  # fmt: skip


class History:
    """A store of two journeys, one of which may come later, and every row that it was given."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._rng, self._folder, self.told = Random(seed), folder, [f"seed {seed}"]
        self._journeys: dict[str, jn.Journey] = {}
        self._to_come: list[dict[str, Any]] = []
        self._loads: list[list[dict[str, Any]]] = []
        self._seen: list[tuple[jn.JourneyStats, jn.JourneyStats]] = []
        for journey_id in ("j", "k"):
            document, rows, _ = strategies.example(self._rng)
            told = {"journey_id": journey_id, "title": journey_id, "status": "running"}
            self._journeys[journey_id] = jn.Journey.model_validate(document | told)
            own = [row | ({"journey_id": journey_id} if row["journey_id"] == "j" else {}) for row in rows]
            self._to_come += own
        self._rng.shuffle(self._to_come)
        self._reopen()
        self._add("j")

    def happens(self) -> Iterator[int]:
        """Everything that may be done, in any order; how often something was."""
        ways = [
            *[self._append] * 4, self._adopt, self._undo, self._undo, self._add_the_other, self._relaunch, self._relaunch,
            self._edit_goals, self._rebuild, self._reopen, self._look,
        ]  # fmt: skip
        self._rng.shuffle(ways)
        for done, way in enumerate(ways, 1):
            self.told.append(way.__name__)
            way()
            yield done

    # What may be done.

    def _add(self, journey_id: str) -> None:
        journey = self._journeys[journey_id]
        some = self._rng.randint(1, len(journey.versions))
        self._store.add(journey.model_copy(update={"versions": journey.versions[:some]}))

    def _add_the_other(self) -> None:
        if "k" not in list(self._store):
            self._add("k")

    def _append(self) -> None:
        rows, store = self._batch(), self._store
        frame = frame_of(rows)
        as_log = lambda: store.append(EventLog.from_frame(frame))  # noqa: E731
        told = self._rng.choice([lambda: store.append(frame), lambda: store.append(frame.lazy()), as_log])()
        if not told.skipped:  # as a frame that came before, that of no rows for instance
            assert told.read == len(rows) == told.loaded + told.duplicates + told.quarantined
            self._loads.append(rows)

    def _adopt(self) -> None:
        """As a cluster of two folds them."""
        rows, folder = self._batch(), self._folder / f"fold {len(self.told)}"
        folder.mkdir()
        journeys = [self._store.get(journey_id) for journey_id in self._store]
        for number in range(2):
            own = [
                row for row in rows if crc32(f"{row['user_id'] or row['device_id']}".encode()) % 2 == number
            ]
            layers = _layers(EventLog.from_frame(frame_of(own)), journeys, folder / "made", number)
            told = [row for of, layer in layers for row in packed(layer, of, of=2 * len(journeys) + 2)]
            pl.DataFrame(told, schema=ROWS, orient="row").write_parquet(folder / f"{number}.parquet")
        if not (loaded := self._store.adopt(folder)).skipped:
            assert loaded.read == len(rows)
            self._loads.append(rows)

    def _undo(self) -> None:
        """The last load, whose rows may come again; not where its journeys were changed since, or it was of no row."""
        if not self._loads:
            return
        refused = ""
        try:
            told = self._store.undo(self._store.loads()["name"][-1])
        except StoreError as error:
            refused = str(error)
        assert not refused or re.search("was changed since|brought no row", refused)
        if not refused:
            assert told.read == len(self._loads[-1])
            self._to_come += self._loads.pop()

    def _relaunch(self) -> None:
        """With the next version, of which there may be rows already."""
        journey_id = self._rng.choice(list(self._store))
        journey, drawn = self._store.get(journey_id), self._journeys[journey_id].versions
        if len(journey.versions) < len(drawn):
            self._store.pause(journey_id)
            versions = drawn[: len(journey.versions) + 1]
            self._store.relaunch(journey_id, journey.model_copy(update={"versions": versions}))

    def _edit_goals(self) -> None:
        journey_id = self._rng.choice(list(self._store))
        journey = self._store.pause(journey_id)
        first = journey.goals[0].model_copy(update={"conversion_days": self._rng.choice((0, 1, 30))})
        self._store.relaunch(journey_id, journey.model_copy(update={"goals": (first, *journey.goals[1:])}))

    def _rebuild(self) -> None:
        self._store.rebuild(self._rng.choice(list(self._store)))

    def _reopen(self) -> None:
        self._store = jn.Store(self._folder / "store")

    def _look(self) -> None:
        """Statistics that somebody holds from here on."""
        stats = self._store[journey_id := self._rng.choice(list(self._store))]
        self._seen.append((pickle.loads(pickle.dumps(stats)), self._in_memory(journey_id)))

    @property
    def _rows(self) -> list[dict[str, Any]]:
        return [row for rows in self._loads for row in rows]

    def _batch(self) -> list[dict[str, Any]]:
        """Rows to come, some that came before, and some of these with one cell of another row."""
        rng = self._rng
        rows = [self._to_come.pop() for _ in range(min(rng.choice((1, 5, 40)), len(self._to_come)))]
        for _ in range(rng.choice((0, 2, 6)) if self._rows else 0):
            row, other = rng.choice(self._rows), rng.choice(self._rows)
            altered = rng.choice(ALTERED)
            rows.append(row if rng.random() < 0.5 else row | {altered: other.get(altered)})
        rng.shuffle(rows)
        return rows

    # What must hold.

    def _in_memory(self, journey_id: str) -> jn.JourneyStats:
        own = [row for row in self._rows if row["journey_id"] == journey_id]
        return jn.JourneyStats(self._store.get(journey_id), frame_of(own))

    def is_true(self) -> None:
        for journey_id in self._store:
            self._same(self._store[journey_id], self._in_memory(journey_id))
        for got, wanted in self._seen:
            self._same(got, wanted)
        known = set(self._store)
        assert self._store.strangers.height == sum(row["journey_id"] not in known for row in self._rows)

    def is_sound(self) -> None:
        assert self._store.check() == []

    def _same(self, got: jn.JourneyStats, wanted: jn.JourneyStats) -> None:
        facts, rng = wanted.facts, self._rng
        if facts.runs.height:
            whole = facts.last_at - facts.first_at + timedelta(seconds=1)
            start, end = sorted(facts.first_at + whole * rng.random() for _ in range(2))
            user, version = rng.choice(facts.users["user_id"]), rng.choice(wanted.journey.versions).version
            view = rng.choice(_views(start, end, user, version))
            for name in TABLES:
                assert_frame_equal(getattr(view(got), name)(), getattr(view(wanted), name)(), rel_tol=1e-9)
            assert_frame_equal(got.user_path(user), wanted.user_path(user))
        assert_same(got.facts, facts)


def _views(
    start: datetime, end: datetime, user: str, version: int
) -> list[Callable[[jn.JourneyStats], jn.JourneyStats]]:
    return [
        lambda stats: stats,
        lambda stats: stats.between(start, end).compare(),
        lambda stats: stats.between(start, end).clock("cohort"),
        lambda stats: stats.as_of(end),
        lambda stats: stats.version(version),
        lambda stats: stats.where(users=[user]),
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_history_ends_in_the_numbers_of_one_log(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "ROWS_A_PART", (40, intake.ROWS_A_PART)[seed % 2])
    history = History(seed, tmp_path)
    try:
        for done in history.happens():
            if done % 4 == 0:
                history.is_true()
        history.is_sound()
    except BaseException as error:
        error.add_note(", ".join(history.told))
        raise
