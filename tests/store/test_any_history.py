"""Whatever is done to a store and in whatever order, it tells what a log of all its rows in memory tells."""

from __future__ import annotations

import os
import pickle
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
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
from journey_nb.reading import LogError
from journey_nb.store import Loaded, StoreError, intake
from journey_nb.store.parcels import ROWS, packed
from journey_nb.store.registry import verbs

MANY = int(os.environ.get("JOURNEY_NB_SEEDS", 0)) // 5
SEEDS = sorted({41, 138, *range(MANY)})  # these two do most of what there is between them
STEPS = 15 if MANY else 6
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
    "journey_id",
)
TABLES = ("health", "daily", "audience", "goals", "communications", "messages", "points", "branches", "waiting", "drops",
          "reconciliation", "paths")  # fmt: skip
WRITERS = {
    "parquet": pl.DataFrame.write_parquet,
    "csv": pl.DataFrame.write_csv,
    "jsonl": pl.DataFrame.write_ndjson,
    "arrow": pl.DataFrame.write_ipc,
}
REFUSED = ("there are events of version", "has events", "was changed since", "brought no row", "none of its")
Row = dict[str, Any]


class History:
    """A store of journeys, some of which come later, asked and changed by two at once, and every row that it was given."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._rng, self._folder, self.told = Random(seed), folder, [f"seed {seed}"]
        self._journeys: dict[str, jn.Journey] = {}
        self._to_come: list[Row] = []
        self._loads: list[list[Row]] = []
        self._acts: dict[str, list[str]] = defaultdict(list)
        self._lost: Counter[str] = Counter()  # duplicates of those who were erased: counted, and kept nowhere
        self._seen: list[tuple[jn.JourneyStats, jn.JourneyStats]] = []
        self._no_log, self._refused = self._rng.random() < 0.2, [*REFUSED]
        for journey_id in ("j", "k"):
            document, rows, _ = strategies.example(self._rng)
            status = self._rng.choice(("running", "running", "draft"))
            told = {"journey_id": journey_id, "title": journey_id, "status": status}
            self._journeys[journey_id] = jn.Journey.model_validate(document | told)
            own = {"journey_id": journey_id}
            self._to_come += [row | (own if row["journey_id"] == "j" else {}) for row in rows]
        self._rng.shuffle(self._to_come)
        self._open()
        self._add("j")

    def happens(self) -> Iterator[int]:
        """Anything that may be done, in any order; how often something was."""
        ways: list[tuple[int, Callable[[], object]]] = [
            (5, self._append), (3, self._append_little), (4, self._load), (1, self._adopt), (3, self._undo), (2, self._erase),
            (3, self._add_the_other), (3, self._next_version), (4, self._move), (1, self._clone), (2, self._goals),
            (1, self._rebuild), (1, self._open), (2, self._look),
        ]  # fmt: skip
        weights, steps = zip(*ways, strict=True)
        for done, way in enumerate(self._rng.choices(steps, weights, k=STEPS), 1):
            self.told.append(way.__name__)
            try:
                way()
            except (StoreError, LogError) as error:  # one that is refused has changed nothing
                if not re.search("|".join(self._refused), str(error)):
                    raise
                self.told[-1] += " (refused)"
            yield done

    # What may be done.

    def _open(self) -> None:
        self._stores = [jn.Store(self._folder / "store") for _ in range(2)]

    @property
    def _store(self) -> jn.Store:
        """One of the two who have it open."""
        return self._rng.choice(self._stores)

    def _add(self, journey_id: str) -> None:
        journey = self._journeys[journey_id]
        some = self._rng.randint(1, len(journey.versions))
        self._store.add(journey.model_copy(update={"versions": journey.versions[:some]}))
        self._acts[journey_id].append("add")

    def _add_the_other(self) -> None:
        if "k" not in list(self._store):
            self._add("k")

    def _append(self) -> None:
        """As a frame, a log or a batch with a name, which adds nothing if it comes again."""
        rows, name = self._batch(), self._rng.choice((None, f"batch {len(self.told)}"))
        frame = frame_of(rows)
        told = self._store.append(
            self._rng.choice((frame, frame.lazy(), EventLog.from_frame(frame))), batch=name
        )
        if not told.skipped:  # as a frame that came before, that of no rows for instance
            self._took(told, rows)
        if name and rows:
            assert self._store.append(frame.reverse(), batch=name).skipped == (name,)
            with pytest.raises(StoreError, match="was loaded with other rows"):
                self._store.append(pl.concat([frame, frame[:1]]), batch=name)

    def _append_little(self) -> None:
        """Often, so that layers are told as one."""
        for _ in range(2):
            rows = [self._to_come.pop() for _ in range(min(2, len(self._to_come)))]
            self._took(self._store.append(frame_of(rows).lazy()), rows)

    def _load(self) -> None:
        """Files of several kinds; again one by one, and once more where one has grown."""
        if not (rows := self._batch()):
            return
        folder = self._folder / f"files {len(self.told)}"
        folder.mkdir()
        kinds = self._rng.choices(list(WRITERS), k=min(3, len(rows)))
        some = {folder / f"{number}.{kind}": rows[number::3] for number, kind in enumerate(kinds)}
        for path, own in some.items():
            WRITERS[path.suffix[1:]](frame_of(own), path)
        self._import(folder / "*", some, keep_log=not self._no_log or self._rng.random() < 0.7)
        for path in some:
            assert self._store.load(path).skipped == (path.name,)
        own = [*some.pop(path), *self._batch()]
        WRITERS[path.suffix[1:]](frame_of(own), path)
        self._import([*some, path], {path: own})

    def _import(self, named: Any, fresh: dict[Path, list[Row]], *, keep_log: bool = True) -> None:
        if not keep_log:
            self._refused.append("keep_log=False|without their log")
        told = self._store.load(named, keep_log=keep_log)
        if rows := [row for path, own in fresh.items() if path.name not in told.skipped for row in own]:
            self._took(told, rows)

    def _took(self, told: Loaded, rows: list[Row]) -> None:
        assert told.read == len(rows) == told.loaded + told.duplicates + told.quarantined
        self._loads.append(rows)

    def _adopt(self) -> None:
        """As a cluster of two folds them."""
        rows, folder = self._batch(), self._folder / f"fold {len(self.told)}"
        folder.mkdir()
        journeys = [self._store.get(journey_id) for journey_id in self._store]
        for number in range(2):
            own = [row for row in rows if crc32(f"{_user(row)}".encode()) % 2 == number]
            layers = _layers(EventLog.from_frame(frame_of(own)), journeys, folder / "made", number)
            told = [row for of, layer in layers for row in packed(layer, of, of=2 * len(journeys) + 2)]
            pl.DataFrame(told, schema=ROWS, orient="row").write_parquet(folder / f"{number}.parquet")
        if not (loaded := self._store.adopt(folder)).skipped:
            self._took(loaded, rows)

    def _undo(self) -> None:
        """The last load, whose rows may come again; not where its journeys were changed since, or it was of no row."""
        if self._loads:
            told = self._store.undo(self._store.loads()["name"][-1])
            rows = self._loads.pop()
            assert told.read == len(rows)
            self._to_come += rows

    def _erase(self) -> None:
        """Some users, of whom more may come."""
        users = {user for row in self._rows if (user := _user(row))}
        gone = {*self._rng.sample(sorted(users), min(2, len(users))), "nobody"}
        before, had = self._told_once(), {key: self._in_memory(key).facts for key in self._store}
        erased = self._store.erase(list(gone))
        self._loads = [[row for row in rows if _user(row) not in gone] for rows in self._loads]
        assert erased == before - self._told_once()
        for key, facts in had.items():
            self._lost[key] += facts.duplicates - self._in_memory(key).facts.duplicates
        self._seen.clear()  # what was asked before can no longer be read

    def _next_version(self) -> None:
        """As drawn, or with other words in the same graph; there may be rows of it already."""
        if not (journey := self._to_be_edited()):
            return
        *past, newest = journey.versions
        titled = newest.points[0].model_copy(update={"title": f"{len(self.told)}"})
        worded = newest.model_copy(update={"points": (titled, *newest.points[1:])})
        drawn = self._journeys.get(journey.journey_id, journey).versions[: len(journey.versions) + 1]
        self._change(journey.model_copy(update={"versions": self._rng.choice((drawn, (*past, worded)))}))

    def _goals(self) -> None:
        if journey := self._to_be_edited():
            first = journey.goals[0].model_copy(update={"conversion_days": self._rng.choice((0, 1, 30))})
            zone = self._rng.choice((journey.timezone, *strategies.ZONES))
            self._change(journey.model_copy(update={"goals": (first, *journey.goals[1:]), "timezone": zone}))

    def _to_be_edited(self) -> jn.Journey | None:
        """A journey that is a draft or paused, if need be from now on."""
        journey = self._store.get(self._rng.choice(list(self._store)))
        if journey.status != "running":
            return journey if "edit" in verbs(journey.status) else None
        self._acts[journey.journey_id].append("pause")
        return self._store.pause(journey.journey_id)

    def _change(self, changed: jn.Journey) -> None:
        if changed.status == "draft" or self._rng.random() < 0.3:
            self._store.edit(changed)
            self._acts[changed.journey_id].append("edit")
        else:
            self._store.relaunch(changed.journey_id, changed)
            self._acts[changed.journey_id].append("relaunch")

    def _move(self) -> None:
        """Its status, or its title; refused from where it cannot."""
        journey = self._store.get(key := self._rng.choice(list(self._store)))
        verb = self._rng.choice((*("launch", "pause", "relaunch") * 2, "rename", "stop", "archive"))
        more = {"rename": {"title": f"{key} {len(self.told)}"}, "stop": {"confirm": journey.label}}
        move = partial(getattr(self._store, verb), key, **more.get(verb, {}))
        if verb not in verbs(journey.status):
            with pytest.raises(StoreError, match=f"cannot {verb}"):
                move()
        else:
            move()
            self._acts[key].append(verb)

    def _clone(self) -> None:
        """With rows of its own."""
        clone = self._store.clone(key := self._rng.choice(list(self._store)))
        self._acts[clone.journey_id].append("clone")
        own = {"journey_id": clone.journey_id, "version": 1}
        self._to_come += [row | own for row in self._rows if row["journey_id"] == key][:40]

    def _rebuild(self) -> None:
        self._store.rebuild(self._rng.choice(list(self._store)))

    def _look(self) -> None:
        """Statistics that somebody holds from here on."""
        stats = self._store[journey_id := self._rng.choice(list(self._store))]
        self._seen.append((pickle.loads(pickle.dumps(stats)), self._in_memory(journey_id)))

    @property
    def _rows(self) -> list[Row]:
        return [row for rows in self._loads for row in rows]

    def _batch(self) -> list[Row]:
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
        log, lost, journey = frame_of(own), self._lost[journey_id], self._store.get(journey_id)
        facts = jn.JourneyStats(journey, log).facts
        facts = replace(facts, read=facts.read + lost, duplicates=facts.duplicates + lost)
        return jn.JourneyStats(journey, facts)

    def _told_once(self) -> int:
        """How many rows tell something, strangers and those in quarantine too."""
        facts = [self._in_memory(key).facts for key in self._store]
        return sum(one.read - one.duplicates for one in facts) + self._strange

    @property
    def _strange(self) -> int:
        known = set(self._store)
        return sum(row["journey_id"] not in known for row in self._rows)

    def is_true(self) -> None:
        for journey_id in self._store:
            wanted = self._in_memory(journey_id)
            self._same(self._store[journey_id], wanted)
            acts = self._store.history(journey_id).filter(~pl.col("detail").str.starts_with("launched_at "))
            mine = [act for act in acts["action"] if act not in ("undo", "erase")]
            assert mine == self._acts[journey_id]
            facts, launched = wanted.facts, wanted.journey.launched_at
            if "launch" in mine and facts.read > facts.duplicates + facts.quarantined.height:
                assert launched == facts.first_at
        for got, wanted in self._seen:
            self._same(got, wanted)
        assert self._store.strangers.height == self._strange

    def is_sound(self) -> None:
        assert self._store.check() == []

    def _same(self, got: jn.JourneyStats, wanted: jn.JourneyStats) -> None:
        facts, rng = wanted.facts, self._rng
        if facts.runs.height:
            whole = facts.last_at - facts.first_at + timedelta(seconds=1)
            start, end = sorted(facts.first_at + whole * rng.random() for _ in range(2))
            user, version = rng.choice(facts.users["user_id"]), rng.choice(wanted.journey.versions).version
            view = rng.choice(_views(start, end, user, version))
            for name in rng.sample(TABLES, 4):
                assert_frame_equal(getattr(view(got), name)(), getattr(view(wanted), name)(), rel_tol=1e-9)
            assert_frame_equal(got.user_path(user), wanted.user_path(user))
        assert_same(got.facts, facts)


def _user(row: Row) -> str | None:
    device = row.get("device_id")
    return row.get("user_id") or (f"device:{device}" if device else None)


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


@pytest.mark.parametrize("seed", SEEDS)
def test_any_history_ends_in_the_numbers_of_one_log(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "ROWS_A_PART", (40, intake.ROWS_A_PART)[seed % 2])
    history = History(seed, tmp_path)
    try:
        for done in history.happens():
            if done % 3 == 0:
                history.is_true()
                history.is_sound()
    except BaseException as error:
        error.add_note(", ".join(history.told))
        raise
