"""Layers: what each load left on the disk, and the list of those that count."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

import polars as pl

from journey_nb.journey import Journey
from journey_nb.metrics.counts import FLAGS
from journey_nb.metrics.cube import FRAMES, Cube
from journey_nb.period import TICK
from journey_nb.reading import read_arrow
from journey_nb.store.database import Database, transaction, who
from journey_nb.store.loaded import Loaded
from journey_nb.store.parts import Part, told_in, undamaged
from journey_nb.store.sound import Written, check_sound, is_sound, sha256
from journey_nb.store.sources import Source

FACTS = 8  # what facts, their indexes and cubes hold: counted up by whoever changes that
LINGERS = timedelta(minutes=10)  # how long the files of a replaced layer stay, for those who still read them


_TOKEN = 8  # bytes of a layer's name


@dataclass
class Layer:
    """What one load adds to a journey: in files below ``folder``, and in numbers.

    ``rows`` are good rows that each tell something else, ``faulty`` those that were set aside by themselves,
    ``quarantined`` those set aside among the good. A layer that tells histories anew counts what that changes.
    """

    folder: Path
    parts: int = 0
    read: int = 0
    faulty: int = 0
    rows: int = 0
    quarantined: int = 0
    files: dict[str, Written] = field(default_factory=dict)
    design: dict[str, Any] = field(default_factory=dict)
    _sound: set[str] = field(default_factory=set, init=False, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what was read of it."""
        return Layer, (self.folder, *(getattr(self, name) for name in (*NUMBERS, "files", "design")))

    @property
    def token(self) -> str:
        """Its name."""
        return self.folder.name

    @cached_property
    def cube(self) -> Cube:
        """The counts that it adds to those of the layers before it."""
        for name in FRAMES:
            self._check(f"cube_{name}.arrow")
        with undamaged(self.folder):
            return Cube.load(self.folder)

    @property
    def has_log(self) -> bool:
        """Whether the rows are kept beside the facts."""
        return all((self.folder / str(number) / "log.parquet").exists() for number in range(self.parts))

    @property
    def height(self) -> int:
        """How many rows its parts keep."""
        return sum(told["rows"] for told in self._told)

    @property
    def bytes(self) -> int:
        """How much room its files take."""
        return sum(size for size, _ in self.files.values())

    @property
    def first_at(self) -> datetime | None:
        """The first instant that its parts tell of; None where they tell of nothing."""
        return min(self._at("first_at"), default=None)

    @property
    def last_at(self) -> datetime | None:
        """The last of these instants."""
        return max(self._at("last_at"), default=None)

    def _at(self, name: str) -> list[datetime]:
        return [datetime.fromisoformat(told[name]) for told in self._told if told["loaded"]]

    @property
    def _told(self) -> list[dict[str, Any]]:
        return [told_in(path.parent) for path in self.folder.glob("*/facts.json")]

    @cached_property
    def steps(self) -> list[tuple[int, pl.DataFrame]]:
        """Completed stays in order of their duration: those it brings (+1), and those it takes back (-1)."""
        paths = {sign: self.folder / f"{name}.arrow" for sign, name in STEPS.items()}
        with undamaged(self.folder):
            return [(sign, read_arrow(path)) for sign, path in paths.items() if self._has(path.name)]

    def replaced(self) -> pl.DataFrame:
        """The users of earlier parts whose history it tells anew: user_id, part (``layer/number``)."""
        with undamaged(path := self.folder / "replaced.arrow"):
            return read_arrow(path) if self._has(path.name) else NOBODY

    def faults(self) -> pl.LazyFrame:
        """The rows that were set aside by themselves."""
        self._check("faulty.parquet")
        with undamaged(path := self.folder / "faulty.parquet"):
            rows = pl.scan_parquet(path, glob=False)
            rows.collect_schema()  # which opens it
        return rows.with_columns(pl.col("reason").cast(pl.String))  # as older releases have it not

    @cached_property
    def journeys_aside(self) -> pl.DataFrame:
        """Of which journeys :meth:`faults` are: journey_id (null where a row names none), rows."""
        return self.faults().group_by("journey_id").agg(rows=pl.len()).collect(engine="streaming")

    def _has(self, name: str) -> bool:
        """Whether a file was written that only some layers have; one that is gone since is not as if it never was."""
        self._check(name)
        return name in self.files or (self.folder / name).exists()

    def _check(self, name: str) -> None:
        """Refuse a file that is damaged before it is read; once."""
        if name not in self._sound:
            check_sound(self.folder / name, self.files.get(name))
            self._sound.add(name)

    def awaits(self, journey: Journey) -> bool:
        """Whether rows were set aside for want of a version that the journey has by now."""
        new = design_of(journey)["versions"].keys() - self.design["versions"].keys()
        if not self.faulty or not new:
            return False
        waits = pl.col("version").is_in([int(number) for number in new])
        found = self.faults().filter(waits, pl.col("rule") == "unknown_version").head(1).collect()
        return not found.is_empty()

    def secure(self) -> None:
        """Put every file on the disk for good, and note its size and SHA-256."""
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(2) as workers:
            digests = list(workers.map(_secured, paths))
        for folder in [
            *(path for path in self.folder.rglob("*") if path.is_dir()),
            self.folder,
            self.folder.parent,
            self.folder.parent.parent,
        ]:
            _synced(folder)
        sums = zip(paths, digests, strict=True)
        self.files = {
            path.relative_to(self.folder).as_posix(): (path.stat().st_size, sha) for path, sha in sums
        }

    def damaged(self) -> list[str]:
        """The files that are missing or no longer what was written."""
        return [name for name, written in self.files.items() if not is_sound(self.folder / name, written)]


STEPS = {1: "steps", -1: "steps-replaced"}
"""The files of :meth:`Layer.steps`."""
NOBODY = pl.DataFrame(schema={"user_id": pl.String, "part": pl.String})


def design_of(journey: Journey) -> dict[str, Any]:
    """What the facts rest on: of the journey, how they are kept, and what messages are counted as in the cubes."""
    return {
        "facts": FACTS,
        "counted": list(FLAGS),
        "timezone": journey.timezone,
        "goals": [goal.model_dump(mode="json", include=_GOAL) for goal in journey.goals],
        "versions": {
            str(version.version): [
                [(point.point_id, point.type) for point in version.points],
                [(branch.source, branch.key, branch.target) for branch in version.branches],
            ]
            for version in journey.versions
        },
    }


_GOAL = {"goal_id", "title", "event", "ends_journey", "conversion_days"}


def still_holds(design: dict[str, Any], journey: Journey) -> bool:
    """Whether facts that were folded for this design are good for the journey as it is: it may have more versions."""
    now = json.loads(json.dumps(design_of(journey)))
    versions = now["versions"]
    same = all(design.get(name) == now[name] for name in ("facts", "counted", "timezone", "goals"))
    return same and all(versions.get(number) == graph for number, graph in design["versions"].items())


def is_of(design: dict[str, Any], journey: Journey) -> bool:
    """Whether facts that were folded for this design are those of the journey as it is, with every version it has."""
    return still_holds(design, journey) and design["versions"].keys() == design_of(journey)["versions"].keys()


NUMBERS = ("parts", "read", "faulty", "rows", "quarantined")


# Of the batches those that name what was loaded: others tell how it was read, what was in it, where it stood, or what
# became of the load. A batch has the name that somebody gave it, which may look like any of these.
_FILE, _LOAD = "file:", "load:"  # begin what tells where one stood, and the account of a load
_READ = f"""digest GLOB '*, read {"[0-9a-f]" * 16}' AND digest NOT GLOB 'batch:*'"""
_CONTENT = "digest GLOB 'batch:*' AND bytes IS NULL AND name GLOB 'batch:*, polars *'"  # only it has no size
_NAMED = f"digest NOT GLOB '{_FILE}*' AND digest NOT GLOB '{_LOAD}*' AND NOT ({_READ}) AND NOT ({_CONTENT})"
# The layers made since a load, its own among them; those before it that one of them has replaced; and those whose
# predecessors have been swept. The layers of a load that was taken back were made at no time.
_SINCE = "sequence >= (SELECT min(sequence) FROM layer WHERE made_at = :at)"
_REPLACED_SINCE = f"NOT {_SINCE} AND retired_at IN (SELECT made_at FROM layer WHERE {_SINCE})"
_SWEPT = f"""{_SINCE} AND made_at NOT IN ('', :at)
    AND made_at NOT IN (SELECT retired_at FROM layer WHERE retired_at IS NOT NULL)"""


@dataclass(frozen=True)
class Load:
    """A load: when and of what, its own layers, and with their journeys the layers that count since it.

    ``replaced`` counted before it and no longer do; None where files of them have been swept.
    """

    at: str
    names: tuple[str, ...]
    own: list[Layer]
    since: list[tuple[str, Layer]]
    replaced: list[tuple[str, Layer]] | None


class Layers:
    """The list of layers that count, in SQLite, and their folders.

    A layer is made in full before it is listed, and listed in one transaction with all that the load changes.
    So a folder that is not listed is the rest of a load that was interrupted.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder, self._database = folder, database
        self._known: dict[str, dict[str, Layer]] = {}
        self._parts: dict[Path, Part] = {}
        self._unlisted: set[Path] = set()

    def new(self) -> Layer:
        """A layer yet to be made."""
        layer = Layer(self._folder / token_hex(_TOKEN))
        self._unlisted.add(layer.folder)
        return layer

    def discard(self) -> None:
        """Remove what was made and not listed: a load that fails gives back its room on the disk."""
        for folder in self._unlisted:
            shutil.rmtree(folder, ignore_errors=True)
        self._unlisted.clear()

    def of(self, journey_id: str) -> list[Layer]:
        """The layers of a journey that count, oldest first; one that was known stays what it was, with all it has read."""
        query = "SELECT * FROM layer WHERE journey_id = ? AND retired_at IS NULL ORDER BY sequence"
        with self._database.opened() as db:
            db.row_factory = sqlite3.Row
            rows = db.execute(query, (journey_id,)).fetchall()
        known = self._known.get(journey_id, {})
        layers = [known.get(row["token"]) or self._read(row) for row in rows]
        self._known[journey_id] = {layer.token: layer for layer in layers}
        return layers

    def _read(self, row: sqlite3.Row) -> Layer:
        files = {name: (size, digest) for name, (size, digest) in json.loads(row["files"]).items()}
        numbers = {name: int(row[name]) for name in NUMBERS}
        return Layer(self._folder / row["token"], **numbers, files=files, design=json.loads(row["design"]))

    def parts(self, journey: Journey, layers: Sequence[Layer]) -> list[Part]:
        """The parts of some layers, each without the users whom later ones tell anew."""
        replaced = pl.concat([NOBODY, *(layer.replaced() for layer in layers)])
        dead = {part: users["user_id"] for (part,), users in replaced.group_by("part")}
        # Parts that no longer count are let go, and what was read of them with them.
        listed = {layer.folder for layer in layers}
        for folder, known in list(self._parts.items()):
            if folder.parent not in listed and known.journey.journey_id == journey.journey_id:
                known.forget()
                self._parts.pop(folder, None)  # another thread may have been faster
        found = []
        for layer in layers:
            for number in range(layer.parts):
                folder = layer.folder / str(number)
                part = self._parts.get(folder)
                if part is None or part.journey != journey:
                    part = self._parts[folder] = Part(folder, journey, layer.files)
                gone = dead.get(f"{layer.token}/{number}")
                found.append(part if gone is None else part.without(gone))
        return found

    def standing(self, stood: Collection[str]) -> dict[str, str]:
        """By where files stood when they were loaded: what tells them."""
        found = self._listed("digest = ?", [(f"{_FILE}{one}",) for one in stood])
        return {one: rows[0][1] for one, rows in zip(stood, found, strict=True) if rows}

    def known(self, sources: Collection[Source]) -> set[Source]:
        """Those that were loaded before."""
        found = self._listed("digest = ?", [(source.digest,) for source in sources])
        return {source for source, rows in zip(sources, found, strict=True) if rows}

    def read_otherwise(self, sources: Collection[Source]) -> set[Source]:
        """Those that were loaded before with other columns or times; as far as is known."""
        readings = [f"{source.digest}, read " for source in sources]
        found = self._listed("digest BETWEEN ? AND ?", [(begun, f"{begun}~") for begun in readings])
        told = zip(sources, readings, found, strict=True)
        return {
            source
            for source, begun, rows in told
            if rows and begun + source.way not in {digest for digest, _ in rows}
        }

    def _listed(self, where: str, asked: Collection[tuple[str, ...]]) -> list[list[tuple[str, str]]]:
        """What is listed where a condition holds, for each of many questions: a connection takes longer than these."""
        query = f"SELECT digest, name FROM batch WHERE {where}"
        with self._database.opened() as db:
            return [db.execute(query, one).fetchall() for one in asked]

    def contradicts(self, source: Source) -> bool:
        """Whether another content was loaded under its name, or under its digest another size; as far as is known."""
        with self._database.opened() as db:
            sizes = db.execute("SELECT bytes FROM batch WHERE digest = ?", (source.digest,)).fetchall()
            asked = f"SELECT 1 FROM batch WHERE name = ? AND {_CONTENT}"
            named = db.execute(asked, (source.name,)).fetchall()
        if sizes:
            return None not in (sizes[0][0], source.size) and sizes[0][0] != source.size
        return bool(named)

    def publish(
        self,
        made: Mapping[str, Layer],
        journeys: Mapping[str, Journey],
        sources: Collection[Source] = (),
        retired: Iterable[Layer] = (),
        along: Callable[[sqlite3.Connection], None] = lambda db: None,
    ) -> None:
        """List new layers by journey, with their sources, drop those they replace, do what goes ``along``: all or nothing."""
        folders = {layer.folder for layer in made.values()}
        with self._database.opened() as db:
            try:
                with transaction(db):
                    for statement, values in _listing(_moment(db), made, journeys, sources, retired):
                        db.execute(statement, values)
                    along(db)
                    # An interrupt may come when it is listed and nobody knows it yet: what is not is swept.
                    self._unlisted -= folders
            except sqlite3.Error:  # it is not listed
                self._unlisted |= folders
                raise

    # What was loaded.

    def loads(self) -> list[dict[str, Any]]:
        """When what was loaded, in this order, by whom and how, and what became of its rows."""
        asked = f"SELECT loaded_at, name FROM batch WHERE {_NAMED} ORDER BY rowid"
        with self._database.opened() as db:
            rows = db.execute(asked).fetchall()
            told = dict(db.execute(f"SELECT loaded_at, name FROM batch WHERE digest GLOB '{_LOAD}*'"))
        # Of files that were loaded together the first has it; of a load of an older release none.
        return [{"loaded_at": at, "name": name, **json.loads(told.pop(at, "{}"))} for at, name in rows]

    def last_load(self) -> Load | None:
        """The last of them, with what taking it back would change."""
        last = "SELECT name, loaded_at FROM batch WHERE loaded_at = (SELECT loaded_at FROM batch ORDER BY rowid DESC)"
        with self._database.opened() as db:
            names = db.execute(f"{last} AND {_NAMED} ORDER BY rowid").fetchall()
            if not names:
                return None
            at = names[0][1]
            account = db.execute("SELECT name FROM batch WHERE digest = ?", (f"{_LOAD}{at}",)).fetchone()
            own, swept, since, replaced = (
                self._where(db, which, at)
                for which in ("made_at = :at", _SWEPT, f"{_SINCE} AND retired_at IS NULL", _REPLACED_SINCE)
            )
        # One without layers brought no row, or they are swept.
        of_nothing = account is not None and json.loads(account[0])["read"] == 0
        whole = (own or of_nothing) and not swept and all(layer.folder.exists() for _, layer in replaced)
        told = tuple(name for name, _ in names)
        return Load(at, told, [layer for _, layer in own], since, replaced if whole else None)

    def _where(self, db: sqlite3.Connection, which: str, at: str) -> list[tuple[str, Layer]]:
        """The layers of which a condition holds about a load, with their journeys."""
        db.row_factory = sqlite3.Row
        rows = db.execute(f"SELECT * FROM layer WHERE {which} ORDER BY sequence", {"at": at}).fetchall()
        return [(row["journey_id"], self._read(row)) for row in rows]

    def undo(self, load: Load, along: Callable[[sqlite3.Connection], None]) -> None:
        """Let count again what did before a load, forget what it loaded, do what goes ``along``: all or nothing."""
        retired = "retired_at = coalesce(retired_at, :now), made_at = ''"
        with self._database.opened() as db, transaction(db):
            times = {"at": load.at, "now": _moment(db)}
            db.execute(f"UPDATE layer SET retired_at = NULL WHERE {_REPLACED_SINCE}", times)
            db.execute(f"UPDATE layer SET {retired} WHERE {_SINCE}", times)
            db.execute("DELETE FROM batch WHERE loaded_at = :at", times)
            along(db)

    def sweep(self, *, at_once: bool = False) -> None:
        """Remove what interrupted loads left, and layers that were replaced a while ago. Only for the sole writer."""
        before = "later than any time" if at_once else (datetime.now(UTC) - LINGERS).isoformat()
        with self._database.opened() as db, transaction(db):
            db.execute("DELETE FROM layer WHERE retired_at < ?", (before,))
        for folder in self.unlisted():  # what cannot be removed now is the next one's to remove
            shutil.rmtree(folder, ignore_errors=True)

    def unlisted(self) -> list[Path]:
        """The folders that count for nothing: of loads that were interrupted, or go on."""
        found = folders_of_layers(self._folder)  # before the list is read, which a load may add them to
        with self._database.opened() as db:
            listed = {token for (token,) in db.execute("SELECT token FROM layer")}
        return [folder for folder in found if folder.name not in listed]


_BATCH = "INSERT OR IGNORE INTO batch VALUES (?, ?, ?, ?)"


def _moment(db: sqlite3.Connection) -> str:
    """Now, as by no other load: a clock may stand still, or be put back."""
    taken = "SELECT 1 FROM batch WHERE digest = ? UNION SELECT 1 FROM layer WHERE ? IN (made_at, retired_at)"
    now = datetime.now(UTC)
    while db.execute(taken, (f"{_LOAD}{now.isoformat()}", now.isoformat())).fetchone():
        now += TICK
    return now.isoformat()


def _listing(
    now: str,
    made: Mapping[str, Layer],
    journeys: Mapping[str, Journey],
    sources: Collection[Source],
    retired: Iterable[Layer],
) -> Iterator[tuple[str, Any]]:
    """The statements that list new layers with their sources, and retire others."""
    for source in sources:
        told = {source.digest: source.name}
        if source.reading is not None:
            told[f"{source.digest}, read {source.way}"] = source.name
        if source.stood:
            told[f"{_FILE}{source.stood}"] = source.digest
        for digest, name in told.items():
            yield _BATCH, (digest, name, source.size, now)
    if sources:  # here, for the layers themselves are told as one, or anew, by and by
        # Files of one load are read alike.
        reading = next((source.reading for source in sources if source.reading), ())
        how = ", ".join(f"{name}={value}" for name, value in reading)
        account = {"who": who(), "how": how or None, **Loaded.of([*made.values()]).account}
        yield _BATCH, (f"{_LOAD}{now}", json.dumps(account), None, now)
    for layer in retired:
        yield "UPDATE layer SET retired_at = ? WHERE token = ?", (now, layer.token)
    for journey_id, layer in made.items():
        design = design_of(journeys[journey_id]) if journey_id in journeys else {}
        row = {
            "token": layer.token,
            "journey_id": journey_id,
            **{name: getattr(layer, name) for name in NUMBERS},
            "files": json.dumps(layer.files),
            "design": json.dumps(design),
            "made_at": now,
        }
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        yield f"INSERT INTO layer ({columns}) VALUES ({values})", row


def folders_of_layers(folder: Path) -> list[Path]:
    """Those that loads have made; whatever else somebody put beside them is left alone."""
    own = re.compile(f"[0-9a-f]{{{2 * _TOKEN}}}")
    found = folder.iterdir() if folder.exists() else ()
    return [one for one in found if own.fullmatch(one.name) and one.is_dir() and not one.is_symlink()]


def _secured(path: Path) -> str:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return sha256(path)


def _synced(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle of a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
