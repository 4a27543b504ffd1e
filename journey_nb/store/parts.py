"""Parts: the facts and the kept rows of some users, as files written once and never changed.

A store may be larger than the memory: where few rows of a large table are asked for, only these are read, and of
tables that were read whole those used last stay, up to a quarter of it.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

import polars as pl

from journey_nb.events import Settled
from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.metrics.cube import under_way
from journey_nb.reading import read_arrow
from journey_nb.store.database import StoreError
from journey_nb.store.memory import memory
from journey_nb.store.sound import Written, check_sound
from journey_nb.subset import OfUsers, Tables, places

SMALL = ("runs", "goals", "devices", "users")  # stay in memory
LARGE = ("visits", "waits", "messages")  # mostly in order of runs, so that the rows of one are found
PACKED = ("events", "quarantined")  # seldom read
ACTIVE = "active"  # when something of each user is counted
STANDING = "standing"  # every stay that is open in the end
ASSIGNED = "assigned"  # what ever assigned anybody to a variant
HELD = (*SMALL, STANDING)  # what stays in memory; the rest gives way to what was read since
CHUNK = 65_536  # rows of the kept log that are read together
BATCH = 8_192  # rows of a large table that are; pieces no further apart are read as one
SPARSE = 4  # where one row in so many or fewer must be read, the others are not

# The times at which something is counted.
_COUNTED = {
    "runs": ("entered_at", "left_at"),
    "visits": ("arrived_at", "left_at"),
    "messages": ("sent_at", "failed_at", "skipped_at"),
    "goals": ("at",),
}

_ZSTD: Any = {"compression": "zstd", "compression_level": 1, "row_group_size": CHUNK}


_Key = tuple[Path, str, tuple[tuple[str, ...], ...]]


class _Kept:
    """The tables that were used last."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size, self._lock = limit, 0, Lock()
        self._tables: OrderedDict[_Key, tuple[pl.DataFrame, int]] = OrderedDict()

    def get(self, key: _Key) -> pl.DataFrame | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key][0]
        return None

    def put(self, key: _Key, table: pl.DataFrame) -> None:
        size = int(table.estimated_size())
        if size > self._limit:
            return
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table, size
                self._size += size
            while self._size > self._limit:
                self._size -= self._tables.popitem(last=False)[1][1]

    def forget(self, folder: Path) -> None:
        with self._lock:
            for key in [key for key in self._tables if key[0] == folder]:
                self._size -= self._tables.pop(key)[1]


_kept = _Kept(memory() // 4)


@dataclass(frozen=True)
class Part:
    """The facts of some users on disk, and the rows they were folded from.

    ``files`` are those of its layer as they were written, ``dead`` the users whose history a later layer tells
    anew: a reader passes them over.
    """

    folder: Path
    journey: Journey
    files: Mapping[str, Written] = field(default_factory=dict, compare=False, repr=False)
    dead: pl.Series = field(default_factory=lambda: pl.Series("user_id", [], dtype=pl.String))
    _opened: dict[str, pl.LazyFrame] = field(default_factory=dict, compare=False, repr=False)
    _read: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)
    _sound: set[Path] = field(default_factory=set, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what was read of it."""
        return Part, (self.folder, self.journey, self.files, self.dead)

    @staticmethod
    def write(folder: Path, facts: Folded, settled: Settled, *, log: bool = True) -> None:
        """Write the facts of one fold; with ``log`` the rows they come from as well (else they are there already)."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*SMALL, *LARGE):
            getattr(facts, name).write_ipc(
                folder / f"{name}.arrow", compression="zstd", record_batch_size=BATCH
            )
        for name in PACKED:
            getattr(facts, name).write_parquet(folder / f"{name}.parquet", **_ZSTD)
        rows = settled.distinct
        if log:
            part = folder / "log.part"
            rows.write_parquet(part, **_ZSTD)
            part.replace(folder / "log.parquet")
        else:
            rows = pl.scan_parquet(folder / "log.parquet", glob=False).select("user_id").collect()
        _where(rows["user_id"]).write_ipc(folder / "where.arrow")
        _active(facts).write_parquet(folder / f"{ACTIVE}.parquet", **_ZSTD)
        starts = {name: _starts(getattr(facts, name)["run"], facts.runs.height) for name in LARGE}
        pl.DataFrame(starts).write_ipc(folder / "starts.arrow")
        told = {"first_at": facts.first_at.isoformat(), "last_at": facts.last_at.isoformat()}
        numbers = {"rows": settled.distinct.height, "loaded": facts.loaded}
        (folder / "facts.json").write_text(json.dumps(told | numbers), encoding="utf-8")

    def without(self, dead: pl.Series) -> Part:
        """The same part with more users passed over."""
        return replace(self, dead=pl.concat([self.dead, dead]).unique()) if dead.len() else self

    def forget(self) -> None:
        """Let go what was read of it."""
        _kept.forget(self.folder)

    # The kept rows.

    def rows(self, users: pl.Series) -> pl.DataFrame:
        """The kept rows of some users, as :meth:`journey_nb.EventLog.sifted` gave them."""
        if self.dead.len():
            users = users.filter(~users.is_in(self.dead.implode()))
        low, high = (self._where["user_id"].search_sorted(users, side) for side in ("left", "right"))
        if not (high > low).any():
            return self.all_rows().clear().collect()
        chunks = self._where["chunk"].gather(places(low, high)).unique().sort()
        log = self._log()
        wanted = [log.slice(first * CHUNK, count * CHUNK) for first, count in _spans(chunks, chunks + 1)]
        mine = pl.col("user_id").is_in(users.implode())
        with undamaged(self.folder / "log.parquet"):
            return pl.concat(part.filter(mine) for part in wanted).collect()

    def all_rows(self) -> pl.LazyFrame:
        """The kept rows of every user that is not passed over."""
        self._check(self._path("log"))
        log = self._log()
        return log.filter(~pl.col("user_id").is_in(self.dead.implode())) if self.dead.len() else log

    def _log(self) -> pl.LazyFrame:
        if not (self.folder / "log.parquet").exists() and self.folder.exists():
            raise StoreError(
                "these facts are kept without their log (keep_log=False): nothing can be appended to them; "
                "load everything into a store that keeps it"
            )
        return self._scan("log")

    @property
    def height(self) -> int:
        """How many rows are kept, those of users passed over included."""
        return int(self.told["rows"])

    @property
    def living_rows(self) -> int:
        """How many of them are of users who are not passed over."""
        if not self.dead.len():
            return self.height
        return int(self.all_rows().select(pl.len()).collect().item())

    def holds(self, users: pl.Series) -> pl.Series:
        """Those of the users whose rows are kept here."""
        here = _place(users, self._where["user_id"]).is_not_null()
        if self.dead.len():
            here &= ~users.is_in(self.dead.implode())
        return users.filter(here)

    @property
    def users(self) -> pl.Series:
        """Whose rows are kept here, but for the users passed over."""
        return self.holds(self._where["user_id"].unique(maintain_order=True))

    @property
    def shared(self) -> pl.Series:
        """Who shares an id with another user here, sorted."""
        return self._index("shared")["user_id"]

    @property
    def _where(self) -> pl.DataFrame:
        return self._index("where")

    def _index(self, name: str) -> pl.DataFrame:
        if name not in self._read:
            self._check(path := self.folder / f"{name}.arrow")
            with undamaged(path):
                self._read[name] = read_arrow(path)
        return self._read[name]

    # The facts.

    @cached_property
    def told(self) -> dict[str, str | int]:
        """What was read and loaded when the part was written."""
        self._check(self.folder / "facts.json")
        return told_in(self.folder)

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """The first and last instant, users passed over included."""
        first, last = (datetime.fromisoformat(str(self.told[name])) for name in ("first_at", "last_at"))
        return first, last

    def quarantined(self) -> pl.DataFrame:
        """The rows set aside for the order of their run, or for another with their event_id."""
        self._check(path := self._path("quarantined"))
        with undamaged(path):
            rows = pl.read_parquet(path, glob=False).with_columns(pl.col("reason").cast(pl.String))
        return rows.filter(~pl.col("user_id").is_in(self.dead.implode())) if self.dead.len() else rows

    def end(self, side: Literal[0, 1]) -> datetime | None:
        """The first (0) or last (1) instant of the living; None where nobody is left."""
        if not self.told["loaded"]:
            return None
        end = self.ends[side]
        if self.dead.is_empty():
            return end
        goals = self.table("goals").filter(pl.col("run").is_null())  # those of no run
        times = [
            self.table("runs").select("user", at=("first_at", "last_at")[side]),
            goals.select("user", "at"),
        ]
        if any(self._alive.gather(some.filter(at=end)["user"]).any() for some in times):
            return end  # which is mostly so, and quickly seen
        found = pl.concat(some.filter(self._alive.gather(some["user"]))["at"] for some in times)
        return cast("datetime | None", (found.min, found.max)[side]())

    def table(self, name: str) -> pl.DataFrame:
        """One table as it was written, users passed over included."""
        known = self._known(name)
        if known is not None:
            return known
        self._check(self._path(name))
        with undamaged(self._path(name)):
            table = self._scan(name).collect()
        if name in HELD:
            self._read[name] = table
        elif name in (*LARGE, ASSIGNED):
            _kept.put(self._key(name), table)
        return table

    def _check(self, path: Path) -> None:
        """Refuse a file that is damaged before it is read as a whole, or looked up in; once."""
        if path not in self._sound:
            check_sound(path, self.files.get(f"{self.folder.name}/{path.name}"))
            self._sound.add(path)

    def _known(self, name: str) -> pl.DataFrame | None:
        return self._read.get(name) if name in HELD else _kept.get(self._key(name))

    def _key(self, name: str) -> _Key:
        return self.folder, name, self._words

    @cached_property
    def _words(self) -> tuple[tuple[str, ...], ...]:
        """By which the tables are coded."""
        return tuple(self.journey.points()), tuple(goal.goal_id for goal in self.journey.goals)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.{'parquet' if name in (*PACKED, ACTIVE, 'log') else 'arrow'}"

    def _scan(self, name: str) -> pl.LazyFrame:
        if name not in self._opened:
            path = self._path(name)
            with undamaged(path):
                table = (
                    pl.scan_ipc(path, glob=False)
                    if path.suffix == ".arrow"
                    else pl.scan_parquet(path, glob=False)
                )
                self._opened[name] = coded_for(self.journey, table)
        return self._opened[name]

    # The tables of the users that are not passed over.

    @cached_property
    def _alive(self) -> pl.Series:
        """One boolean a user: whether it is not passed over."""
        known = self.table("users")["user_id"]
        dead = _place(self.dead, known).drop_nulls()
        return pl.repeat(True, known.len(), eager=True).scatter(dead, False)

    def living(self, name: str) -> pl.DataFrame:
        """One table without the users passed over."""
        return self._living(name)

    @cached_property
    def _living(self) -> Tables:
        return self.without_dead()

    def without_dead(self) -> Tables:
        """The same tables; where they are copies, who asks keeps them."""
        return self.table if self.dead.is_empty() else OfUsers(self.table, self._alive).table

    def kept(self, name: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """What is made of the whole part by users (ids, in the column user), once: the rows of the living."""
        key = (self.folder, name, self._words)
        made = _kept.get(key)
        if made is None:
            _kept.put(key, made := make())
        return made if self.dead.is_empty() else made.filter(self._alive.gather(made["user"]))

    def standing(self) -> pl.DataFrame:
        """Every stay of the living users that is open in the end."""
        stays = self.table(STANDING)
        return stays if self.dead.is_empty() else stays.filter(self._alive.gather(stays["user"]))

    def known_by(self, word: str, hashed: int) -> list[int]:
        """The living users (ids) whose id a word is, and those of whom any row carries it as its device."""
        known, carried = self.table("users")["user_id"], self._carried
        hashes, place = carried["hash"], bisect_left(known, word)
        own = [place] if place < known.len() and known[place] == word else []
        first, stop = bisect_left(hashes, hashed), bisect_right(hashes, hashed)
        found = {*own, *carried[first:stop].filter(device_id=word)["user"]} if first < stop else set(own)
        if not found:
            return []
        alive = self._alive.arg_true()
        return [bisect_left(alive, user) for user in sorted(found) if self._alive[user]]

    @property
    def _carried(self) -> pl.DataFrame:
        """The devices in order of their hashes."""
        if "carried" not in self._read:
            devices = self.table("devices").drop_nulls("device_id")
            devices = devices.select("device_id", "user", hash=pl.col("device_id").hash())
            self._read["carried"] = devices.sort("hash")
        return self._read["carried"]

    def few(self, users: pl.Series, *, named: bool = False) -> Tables:
        """The tables of few of the living users (ids); see :class:`journey_nb.subset.OfUsers`."""
        return self._of(self._alive.arg_true().gather(users), named)

    def inside(self, at: datetime) -> tuple[pl.Series, Tables]:
        """The users (ids) who were inside at an instant, and their tables; users passed over included."""
        users = under_way(self.table("runs"), at)
        return users, self._of(users, False)

    def around(self, spans: Sequence[tuple[datetime, datetime]]) -> Tables:
        """The tables of the living users of whom something is counted in an hour of one of the spans."""
        hours = [(start.timestamp() // 3600, end.timestamp() // 3600) for start, end in spans]
        near = pl.any_horizontal(pl.col("hour").is_between(*hour) for hour in hours)
        self._check(self._path(ACTIVE))
        with undamaged(self._path(ACTIVE)):
            users = self._scan(ACTIVE).filter(near).select(pl.col("user").unique()).collect()["user"]
        active = pl.repeat(False, self._alive.len(), eager=True).scatter(users, True)
        return self._of((active & self._alive).arg_true(), False)

    def _of(self, users: pl.Series, named: bool) -> Tables:
        keep = pl.repeat(False, self._alive.len(), eager=True).scatter(users, True)
        return OfUsers(self.table, keep, self._rows_of, named=named).table

    def _rows_of(self, name: str, column: str, ids: pl.Series) -> pl.DataFrame:
        """The rows of a table that carry one of the sorted ids."""
        carries = pl.col(column).is_in(ids.implode())
        if name in PACKED:
            # Only the groups that may hold them are read.
            may = pl.col(column).is_between(ids.min(), ids.max())
            with undamaged(self._path(name)):
                return self._scan(name).filter(may & carries).collect()
        if name not in LARGE or (starts := self._index("starts")[name]).null_count():
            return self.table(name).filter(carries)
        first, stop = (starts.gather(ids + after) for after in (0, 1))
        if self._known(name) is None and SPARSE * (stop - first).sum() <= starts[-1]:
            spans = _spans(first, stop, BATCH)
            if SPARSE * sum(length for _, length in spans) <= starts[-1]:
                rows = self._scan(name)
                near = [rows.slice(*span).filter(carries) for span in spans]
                with undamaged(self._path(name)):
                    return pl.concat(near or [rows.clear()]).collect()
        return self.table(name)[places(first, stop)]


def told_in(folder: Path) -> dict[str, Any]:
    """What the folder of a part tells of it: first_at, last_at, rows, loaded."""
    with undamaged(path := folder / "facts.json"):
        return dict(json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Name the file that cannot be read, and the mend."""
    try:
        yield
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"{path} cannot be read ({str(error).splitlines()[0][:200]}). If the store was changed since it "
            "was asked for the journey (loaded into, or somebody erased), ask it for the journey again; else it is "
            "damaged: journey-nb check tells what is, and Store.rebuild mends facts from the kept log"
        ) from error


def _where(user_id: pl.Series) -> pl.DataFrame:
    """In which chunks of the kept log each user has rows."""
    chunk = pl.int_range(pl.len(), dtype=pl.UInt32) // CHUNK
    return user_id.to_frame("user_id").with_columns(chunk=chunk).unique().sort("user_id", "chunk")


def _active(facts: Folded) -> pl.DataFrame:
    """The hours in which something of each user is counted: hour (since 1970), user; in order of time."""
    told = [
        getattr(facts, name).select("user", hour=pl.col(time).dt.epoch("us") // 3_600_000_000).drop_nulls()
        for name, times in _COUNTED.items()
        for time in times
    ]
    # One integer each: sorted and found twice several times faster than two.
    codes = pl.concat(told).select(pl.col("hour") * 2**32 + pl.col("user")).to_series().sort()
    codes = codes.filter(codes.ne_missing(codes.shift()))
    return pl.DataFrame({"hour": (codes // 2**32).cast(pl.Int32), "user": (codes % 2**32).cast(pl.UInt32)})


def _starts(runs: pl.Series, count: int) -> pl.Series:
    """How many rows of a table stand before each of so many runs, and in all.

    Null where it is not in order of runs: a message of several runs stands with one, and is of another.
    """
    every = pl.int_range(count + 1, dtype=pl.UInt32, eager=True)
    return runs.search_sorted(every).cast(pl.UInt32) if runs.is_sorted() else every.clear(count + 1)


def _place(words: pl.Series, known: pl.Series) -> pl.Series:
    """For each word its (first) place among the known ones, which are sorted; null where it is not there."""
    if known.is_empty():
        return pl.Series([None], dtype=pl.UInt32).new_from_index(0, words.len())
    place = known.search_sorted(words).clip(upper_bound=known.len() - 1)
    return place.scatter(known.gather(place).ne_missing(words).arg_true(), None)


def _spans(first: pl.Series, stop: pl.Series, apart: int = 0) -> list[tuple[int, int]]:
    """Pieces in their order, those that are not further apart as one: where it begins, how long it is."""
    spans: list[list[int]] = []
    for start, end in zip(first.to_list(), stop.to_list(), strict=True):
        if spans and start - spans[-1][1] <= apart:
            spans[-1][1] = end
        elif start < end:
            spans.append([start, end])
    return [(start, end - start) for start, end in spans]


# Words.

_POINTS = ("point", "point_id", "entry_point", "exit_point", "to_point", "here", "credit_point")
_GOALS = ("goal", "goal_id")


def coded_for(journey: Journey, table: pl.LazyFrame) -> pl.LazyFrame:
    """A table with the words of the journey as it is now: a new version may have brought points."""
    points = pl.Enum(list(journey.points()))
    goals = pl.Enum([goal.goal_id for goal in journey.goals])
    wanted = {**dict.fromkeys(_POINTS, points), **dict.fromkeys(_GOALS, goals)}
    schema = table.collect_schema()
    stale = {
        name: dtype
        for name, dtype in wanted.items()
        if name in schema and schema[name] not in (dtype, pl.String)
    }
    return table.with_columns(pl.col(name).cast(dtype) for name, dtype in stale.items()) if stale else table
