"""How rows come into a store: whose history they change, and the layer that tells it anew.

Everything is settled and folded user by user, so new rows concern the users they name and nobody else; nobody
but users who share an id with them: a run, a message or an event. These are found by an index of all such ids,
and told anew together. A layer therefore holds whole histories, replaces those of earlier layers, and is never changed.
"""

from __future__ import annotations

import shutil
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from journey_nb.events import COLUMNS, EventLog, Judged, Settled, settled
from journey_nb.events.account import EMPTY_QUARANTINE
from journey_nb.events.activities import session_of_run
from journey_nb.facts import Folded, fold
from journey_nb.files import whole
from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube, assigned, standing, steps
from journey_nb.reading import readable
from journey_nb.store.database import StoreError
from journey_nb.store.layers import NOBODY, STEPS, Layer
from journey_nb.store.memory import memory
from journey_nb.store.parts import ASSIGNED, CHUNK, STANDING, Part, coded_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_A_PART = 2_500_000  # at most
AT_ONCE = 2  # so many parts are folded at a time, in a quarter of the memory
BYTES_A_ROW = 700  # that folding takes
CUBES = 8  # so many are held before they are added up: they hold much the same counts
_KEYS = {"event_id": 1, "run_id": 2, "message_id": 3}  # the ids that two users may share, each hashed apart
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class _Told:
    """One fold: the rows that stay, the facts, their cube."""

    settled: Settled
    facts: Folded
    cube: Cube
    steps: pl.DataFrame

    @classmethod
    def of(cls, journey: Journey, once: Settled) -> _Told:
        facts = facts_of(journey, once)
        return cls(once, facts, Cube.of(journey, facts), steps(facts))


class Intake:
    """Brings rows of one journey into a new layer.

    Parameters
    ----------
    journey
        The journey as it is now.
    layer
        The layer to make.
    stored
        The parts that are there, each without the users whom later ones tell anew.
    keys
        The sorted hashes of the ids in them.
    keep_log
        Whether the rows stay beside the facts.
    progress
        Called with words and a share of 0 to 1.
    """

    def __init__(
        self,
        journey: Journey,
        layer: Layer,
        stored: Sequence[Part] = (),
        keys: Sequence[NDArray[Any]] = (),
        *,
        keep_log: bool = True,
        progress: Progress | None = None,
    ) -> None:
        self.layer, self._journey, self._keep_log = layer, journey, keep_log
        self._stored, self._keys = list(stored), list(keys)
        self._progress = progress or (lambda words, share: None)
        self._own: list[pl.Series] = []
        self._cubes: list[tuple[int, Cube]] = []
        self._steps: list[tuple[int, pl.LazyFrame]] = []
        self._replaced: list[pl.DataFrame] = []

    def load(self, log: EventLog, rows: int | None = None, beside: pl.DataFrame = EMPTY_QUARANTINE) -> Layer:
        """Every row of a log (of at most so many ``rows``), the faulty ones as they stand in quarantine, ``beside`` others there."""
        layer, good = self.layer, log.sifted(self._journey).filter(pl.col("rule").is_null()).drop("rule")
        with readable(log.name):
            count = log.height if rows is None else rows
            layer.read, aside = self.fold(good, count), [beside]
            if layer.read < count or log.origin == "activities":  # a second look, at the bad rows alone
                aside.append(log.faulty(self._journey).collect(engine="streaming"))
                layer.read += log.duplicates
            self.set_aside(pl.concat(aside))
            layer.read += layer.faulty
        return self.finish()

    def fold(self, rows: pl.LazyFrame, count: int) -> int:
        """Fold good rows, about so many, by parts of a size that fits into memory; how many there were."""
        self.layer.folder.mkdir(parents=True, exist_ok=True)
        most = min(ROWS_A_PART, memory() // 4 // AT_ONCE // BYTES_A_ROW)
        if count > most:
            return self._partitioned(rows, -(-count // most))
        return self._at_once(rows)

    def _at_once(self, rows: pl.LazyFrame) -> int:
        """Fold good rows as one part."""
        folded = self._fold(self._next_part(), rows.collect(engine="streaming"), written=False)
        self._take(folded)
        return folded.read

    def set_aside(self, faulty: pl.DataFrame) -> None:
        """Keep rows that are no good by themselves."""
        self.layer.faulty = faulty.height
        if faulty.height:
            faulty.write_parquet(self.layer.folder / "faulty.parquet")

    def finish(self) -> Layer:
        """Write what belongs to the whole layer, and put it safely on the disk."""
        layer = self.layer
        Cube.sum(self._cubes).save(layer.folder)
        write_steps(layer.folder, self._steps)
        write_keys(layer.folder, self._own)
        if self._replaced:
            pl.concat(self._replaced).write_ipc(layer.folder / "replaced.arrow")
        if not self._keep_log:
            for log in layer.folder.glob("*/log.parquet"):
                log.unlink()
        layer.secure()
        return layer

    # Layers that were folded elsewhere.

    def adopt(self, others: Sequence[Layer]) -> Layer:
        """Layers of disjoint sets of users as one; their files are moved.

        Whoever is in several of them or in the store, or shares an id with somebody there, is told anew.
        """
        layer = self.layer
        layer.folder.mkdir(parents=True)
        self._own.append(every := _every(others).sort())
        met = pl.concat([_twice(every), hits(every, self._keys)]).unique()
        self._cubes += [(1, other.cube) for other in others]
        self._steps += [(sign, stays.lazy()) for other in others for sign, stays in other.steps]
        add_up(layer, others)
        parts = [part for other in others for part in self._moved(other)]
        users = pl.concat(part.users for part in parts)
        again = [users.filter(users.is_duplicated()), *(part.holds(users) for part in self._stored)]
        twice = pl.concat(again).unique()
        self._tell_anew(parts, met, twice)
        return self.finish()

    def _tell_anew(self, parts: Sequence[Part], met: pl.Series, twice: pl.Series) -> None:
        """Fold together those users of the layer's own parts who carry one of the ids, or are in ``twice``."""
        rows: list[pl.LazyFrame] = []
        count = 0
        for done, part in enumerate(parts, 1):
            found = pl.concat([part.holds(twice), _owners(met, [part], {})]).unique()
            if found.len():
                found = _with_sharers(part, found).sort()
                count += self._taken_back(part, found)
                rows.append(part.all_rows().filter(pl.col("user_id").is_in(found.implode())))
            self._progress("adopting", done / len(parts))
        if rows and self._stored:
            self.fold(pl.concat(rows), count)
        elif rows:  # by parts those who share an id would come apart again
            self._at_once(pl.concat(rows))

    def _moved(self, other: Layer) -> Iterator[Part]:
        replaced = other.replaced()
        for number in range(other.parts):
            folder = self._next_part()
            (other.folder / str(number)).rename(folder)
            dead = replaced.filter(pl.col("part") == f"{other.token}/{number}")["user_id"]
            self._replaced.append(told_anew(dead, folder))
            yield Part(folder, self._journey).without(dead)

    def _taken_back(self, part: Part, users: pl.Series) -> int:
        """Take what a part of this layer tells of some users out of the layer's numbers; how many rows that is."""
        told = _Told.of(self._journey, settled(part.rows(users)))
        self._cubes.append((-1, told.cube))
        self._steps.append((-1, told.steps.lazy()))
        self.layer.rows -= told.settled.distinct.height
        self.layer.quarantined -= told.facts.quarantined.height
        self._replaced.append(told_anew(users, part.folder))
        return told.settled.distinct.height

    # Many rows: by parts, each of which is one small load.

    def _partitioned(self, rows: pl.LazyFrame, parts: int) -> int:
        """Spread the rows over parts by user, each row written once: that file is the part's kept log."""
        self._progress("reading", 0)
        logs = self._spread(rows, parts)
        if not logs:  # of many rows that were read none is good, or of this journey
            return self._at_once(rows)
        count = sum(_height(log) for log in logs)
        if (
            self._stored
        ):  # a part may have to take users over from an earlier layer, so one comes after the other
            met = _twice(pl.concat(keys_of(pl.scan_parquet(log, glob=False)) for log in logs).sort())
            self._keys.append(met.to_numpy())
            for done, log in enumerate(logs, 1):
                self._take(self._fold(log.parent, pl.read_parquet(log, glob=False), written=True))
                self._progress("folding", done / len(logs))
            return count
        with ThreadPoolExecutor(AT_ONCE) as workers:
            work = workers.map(
                lambda log: self._fold(
                    log.parent, pl.read_parquet(log, glob=False), written=True, alone=True
                ),
                logs,
            )
            for done, folded in enumerate(work, 1):
                self._take(folded)
                self._progress("folding", done / len(logs))
        made, self._stored = self._stored, []
        self._own = [pl.concat(self._own).sort()]
        if (met := _twice(self._own[0])).len():
            self._tell_anew(made, met, pl.Series([], dtype=pl.String))
        return count

    def _spread(self, rows: pl.LazyFrame, parts: int) -> list[Path]:
        folder = self.layer.folder
        (folder / "spread").mkdir()  # else polars makes it with the first row, if there is one
        by_user = pl.PartitionBy(
            folder / "spread", key="part", include_key=False, approximate_bytes_per_file=None
        )
        rows.with_columns(part=pl.col("user_id").hash() % parts).sink_parquet(
            by_user, compression="zstd", compression_level=1, statistics=False, row_group_size=CHUNK
        )
        logs = []
        for file in sorted((folder / "spread").rglob("*.parquet")):
            logs.append(self._next_part() / "log.parquet")
            logs[-1].parent.mkdir()
            file.rename(logs[-1])
        shutil.rmtree(folder / "spread")
        return logs

    def _next_part(self) -> Path:
        self.layer.parts += 1
        return self.layer.folder / str(self.layer.parts - 1)

    # One part.

    def _fold(self, folder: Path, rows: pl.DataFrame, *, written: bool, alone: bool = False) -> _Folded:
        """Fold rows together with the kept history of all whom they concern."""
        journey = self._journey
        keys, read = keys_of(rows.lazy()), rows.height
        old, taken = history(rows, keys, () if alone else self._stored, self._keys)
        once, had = settled(pl.concat([old, rows]) if old.height else rows), settled(old)
        del rows, old  # as much memory again as what is kept of them
        with ThreadPoolExecutor(1) as aside:
            before = aside.submit(_Told.of, journey, had) if had.kept.height else None
            told = _Told.of(journey, once)
        _write(folder, journey, told.facts, once, log=not written or before is not None)
        changes = [(1, told), *([(-1, before.result())] if before else [])]
        return _Folded(
            Part(folder, journey),
            read,
            keys,
            taken,
            [(sign, one.cube) for sign, one in changes],
            [
                (sign, _aside(folder / f"{STEPS[sign]}.part", one.steps) if written else one.steps.lazy())
                for sign, one in changes
            ],
            sum(sign * one.settled.distinct.height for sign, one in changes),
            sum(sign * one.facts.quarantined.height for sign, one in changes),
        )

    def _take(self, folded: _Folded) -> None:
        """Count a part that was folded, and let later ones see it."""
        self._own.append(folded.keys)
        self._cubes += folded.cubes
        if len(self._cubes) > CUBES:
            self._cubes = [(1, Cube.sum(self._cubes))]
        self._steps += folded.steps
        self.layer.rows += folded.rows
        self.layer.quarantined += folded.quarantined
        taken = folded.taken
        self._replaced += [told_anew(users, folder) for folder, users in taken.items()]
        self._stored = [
            part.without(taken[part.folder]) if part.folder in taken else part for part in self._stored
        ]
        self._stored.append(folded.part)


@dataclass(frozen=True)
class _Folded:
    """A part that was folded: what it changes in the store's numbers, and whose history it takes over from where."""

    part: Part
    read: int
    keys: pl.Series
    taken: dict[Path, pl.Series]
    cubes: list[tuple[int, Cube]]
    steps: list[tuple[int, pl.LazyFrame]]
    rows: int
    quarantined: int


def _write(folder: Path, journey: Journey, facts: Folded, once: Settled, *, log: bool = True) -> None:
    """Write a part, who waits and who was assigned to what in it, and who shares an id."""
    Part.write(folder, facts, once, log=log)
    for name, made in ((STANDING, standing), (ASSIGNED, assigned)):
        made(journey, facts).write_ipc(folder / f"{name}.arrow", compression="zstd")
    sharing(once).to_frame().write_ipc(folder / "shared.arrow")


def facts_of(journey: Journey, once: Settled) -> Folded:
    """The facts of settled rows."""
    return fold(journey, Judged(once.rows, once.conflicts, once.read, once.duplicates))


def told_anew(users: pl.Series, folder: Path) -> pl.DataFrame:
    """The users of a part whom a later one tells anew."""
    return pl.DataFrame(
        {"user_id": users, "part": f"{folder.parent.name}/{folder.name}"}, schema=NOBODY.schema
    )


def history(
    rows: pl.DataFrame, own: pl.Series, stored: Sequence[Part], keys: Sequence[NDArray[Any]]
) -> tuple[pl.DataFrame, dict[Path, pl.Series]]:
    """The kept rows of everybody whom new rows (with these ids of their ``own``) concern, and by part who that is."""
    if not stored:
        return rows.clear(), {}
    wanted = rows["user_id"].unique().sort()
    taken: dict[Path, pl.Series] = {}
    old: list[pl.DataFrame] = []
    met = hits(own, keys)
    while wanted.len():
        for part in stored:
            if (here := part.holds(wanted)).len():
                here = _with_sharers(part, here)
                before = taken.get(part.folder)
                here = here if before is None else here.filter(~here.is_in(before.implode()))
                taken[part.folder] = here if before is None else pl.concat([before, here])
                old.append(part.rows(here.sort()))
        known = keys_of(pl.concat(old).lazy()) if old else met.clear()
        met = met.filter(~met.is_in(known.implode()))
        # An id that the store knows, but not of these users: somebody else's.
        wanted = _owners(met, stored, taken) if met.len() else wanted.clear()
    return (pl.concat(old) if old else rows.clear()), taken


def continued(rows: pl.DataFrame, stored: Sequence[Part], keys: Sequence[NDArray[Any]]) -> list[str]:
    """The runs of activities that are stored and of which the rows tell more than is known, or something else.

    Of one session of one user they are, whatever they are called, or of one name, though it be another user's.
    """
    known, _ = history(rows, keys_of(rows.lazy()), stored, keys)
    known, more = (
        some.with_columns(session=session_of_run())
        for some in (known, rows.join(known, on=list(COLUMNS), how="anti", nulls_equal=True))
    )
    met = [more.join(known, on=names, how="semi") for names in (["user_id", "session"], ["run_id"])]
    return pl.concat(met)["run_id"].unique().sort().to_list()


def _with_sharers(part: Part, users: pl.Series) -> pl.Series:
    if part.shared.is_empty() or not users.is_in(part.shared.implode()).any():
        return users
    return pl.concat([users, part.holds(part.shared)]).unique().sort()


def _owners(met: pl.Series, stored: Sequence[Part], taken: dict[Path, pl.Series]) -> pl.Series:
    """The users with rows that carry one of the ids, but for those taken already."""
    found = [met.clear().cast(pl.String).alias("user_id")]
    for part in stored:
        carries = pl.any_horizontal(
            pl.col(name).hash(seed).is_in(met.implode()) for name, seed in _KEYS.items()
        )
        users = part.all_rows().filter(carries).select(pl.col("user_id").unique()).collect().to_series()
        known = taken.get(part.folder)
        found.append(users if known is None else users.filter(~users.is_in(known.implode())))
    return pl.concat(found).unique().sort()


_REST = "steps*.part"  # what is laid aside


def _aside(path: Path, stays: pl.DataFrame) -> pl.LazyFrame:
    """Stays on the disk: those of all parts need not be in memory at once."""
    stays.write_ipc(path, compression="uncompressed")
    return pl.scan_ipc(path, glob=False)


def write_steps(folder: Path, steps: Sequence[tuple[int, pl.LazyFrame]]) -> None:
    """Write the stays that a layer brings, and those that it takes back from layers before it, in their order."""
    for sign, name in STEPS.items():
        some = [stays for of, stays in steps if of == sign]
        if len(some) > 1:
            points = enumerate(_by_point(some))
            some = [_aside(folder / f"{name}-{number}.part", stays) for number, stays in points]
        if some:
            stays, path = pl.concat(some), folder / f"{name}.arrow"
            stays.sink_ipc(path, compression="uncompressed", record_batch_size=2**20)
    for rest in [*folder.glob(_REST), *folder.glob(f"*/{_REST}")]:
        rest.unlink()


def _by_point(parts: Sequence[pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    """What several frames of stays hold of one point after another, in order of duration."""
    points = [part.select("point").collect().to_series() for part in parts]
    codes = [point.to_physical() for point in points]
    for code in range(len(points[0].dtype.categories)):  # type: ignore[attr-defined]
        places = [(bisect_left(found, code), bisect_right(found, code)) for found in codes]
        told = zip(parts, places, strict=True)
        some = [part.slice(first, stop - first) for part, (first, stop) in told if first < stop]
        if some:
            yield pl.concat(some).collect().sort("micros")


# The index of ids.


def keys_of(rows: pl.LazyFrame) -> pl.Series:
    """The sorted hashes of all ids in the rows, each once."""
    hashed = [
        pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(seed)) for name, seed in _KEYS.items()
    ]
    found = rows.select(key.alias(str(place)) for place, key in enumerate(hashed)).collect()
    keys = pl.concat(found[name].drop_nulls().alias("key") for name in found.columns).sort()
    return keys.filter(keys.ne_missing(keys.shift()))


def hits(wanted: pl.Series, keys: Sequence[NDArray[Any]]) -> pl.Series:
    """Those of the sorted hashes that are in one of the sorted indexes."""
    if not keys:
        return wanted.clear()
    import numpy as np

    sought = wanted.to_numpy()
    found = np.zeros(len(sought), dtype=bool)
    for index in keys:
        if len(index):
            found |= index[np.searchsorted(index, sought).clip(max=len(index) - 1)] == sought
    return wanted.filter(pl.Series(found))


def _twice(keys: pl.Series) -> pl.Series:
    """Those of sorted hashes, of sets in which each occurs once, that are in several of the sets."""
    return keys.filter(keys == keys.shift()).unique().sort()


# Hashes change with polars: an index is named after what it makes of one word.
_KEYS_FILE = f"keys-{pl.Series(['journey']).hash().item():016x}.u64"


def write_keys(folder: Path, keys: Sequence[pl.Series]) -> None:
    """Write the index of a layer, so that it can be mapped into memory."""
    every = pl.concat(keys) if keys else pl.Series([], dtype=pl.UInt64)
    if not every.is_sorted():  # those of a whole log are, and a second sort takes as much memory again
        every = every.sort()
    every = every.filter(every.ne_missing(every.shift()))
    with whole(folder / _KEYS_FILE) as part, part.open("wb") as file:
        if find_spec("numpy"):
            every.to_numpy().tofile(file)
        else:  # executors of a cluster have none
            for some in every.to_frame("key").iter_slices(2**20):
                array("Q", some["key"].to_list()).tofile(file)


def read_keys(layer: Layer) -> NDArray[Any]:
    """The index of a layer, of which only what is looked up is read; made anew where another polars wrote it."""
    import numpy as np

    path = layer.folder / _KEYS_FILE
    if not path.exists():
        if not layer.has_log:
            raise StoreError(
                "another polars has made the index of these ids, and without a log kept (keep_log=False) it cannot be made "
                "anew: nothing can be appended; load everything into a new store"
            )
        logs = layer.folder.glob("*/log.parquet")
        write_keys(layer.folder, [keys_of(pl.scan_parquet(log, glob=False)) for log in logs])
    return np.memmap(path, np.uint64, "r") if path.stat().st_size else np.zeros(0, np.uint64)


def _every(layers: Sequence[Layer]) -> pl.Series:
    return pl.concat(pl.Series(read_keys(layer)) for layer in layers)


def sharing(once: Settled) -> pl.Series:
    """The users who share an id with another user: whoever touches one of them touches them all."""
    rows = once.distinct.lazy()
    found = [rows.filter(pl.col("event_id").is_in(once.losers["event_id"].implode())).select("user_id")]
    for name in ("run_id", "message_id"):
        # By hashes of 64 bits: that two ids fall together means to touch some users more, and that the two
        # users of one id do is not to be expected.
        key, user = pl.col(name).hash(), pl.col("user_id").hash()
        told = rows.drop_nulls(name)
        users = told.group_by(key=key).agg(least=user.min(), most=user.max())
        several = users.filter(pl.col("least") != pl.col("most")).select("key").collect().to_series()
        if several.len():
            found.append(told.filter(key.is_in(several.implode())).select("user_id"))
    return pl.concat(found).unique().collect()["user_id"].sort()


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


# Rows that are of no journey of the store.

NOBODYS = Journey.model_validate(
    {
        "journey_id": "no journey of the store",
        "versions": [{"version": 1, "points": [{"point_id": "-", "type": "exit"}]}],
    }
)


def strangers(log: EventLog, ids: Collection[str], layer: Layer) -> Layer:
    """The rows that name none of the journeys, set aside."""
    known = pl.col("journey_id").is_in(list(ids)).fill_null(False)
    bad = log.only(~known).faulty(NOBODYS).collect(engine="streaming")
    return set_apart(bad, layer) if bad.height else layer


def set_apart(rows: pl.DataFrame, layer: Layer) -> Layer:
    """A layer of rows that are only set aside."""
    layer.folder.mkdir(parents=True)
    layer.read = rows.height
    Intake(NOBODYS, layer).set_aside(rows)
    layer.secure()
    return layer


def together(group: Sequence[Layer], layer: Layer) -> Layer:
    """Layers of rows that were only set aside, as one."""
    add_up(layer, group)
    layer.secure()
    return layer


# Small layers become one.


def merged(journey: Journey, layer: Layer, group: Sequence[Layer], parts: Sequence[Part]) -> Layer:
    """What a group of layers tells together, as one layer; nothing of it counts otherwise than before.

    Parameters
    ----------
    layer
        The layer to make.
    group
        Neighbouring layers.
    parts
        Their parts, without the users whom later ones tell anew.
    """
    once = settled(pl.concat(part.all_rows() for part in parts).collect(engine="streaming"))
    facts = facts_of(journey, once)
    _write(layer.folder / "0", journey, facts, once)
    layer.parts = 1
    add_up(layer, group)
    Cube.sum([(1, other.cube) for other in group]).save(layer.folder)
    write_keys(layer.folder, [_every(group)])
    elsewhere = ~pl.col("part").str.split("/").list.first().is_in([other.token for other in group])
    pl.concat(other.replaced() for other in group).filter(elsewhere).write_ipc(
        layer.folder / "replaced.arrow"
    )
    told = [
        (sign, coded_for(journey, stays.lazy()).collect()) for other in group for sign, stays in other.steps
    ]
    write_steps(layer.folder, [(sign, stays.lazy()) for sign, stays in _net(told)])
    layer.secure()
    return layer


def add_up(layer: Layer, group: Sequence[Layer]) -> None:
    """The numbers of several layers in one, and the rows that they set aside."""
    for name in ("read", "faulty", "rows", "quarantined"):
        setattr(layer, name, sum(getattr(other, name) for other in group))
    if faults := [other.faults() for other in group if other.faulty]:
        layer.folder.mkdir(parents=True, exist_ok=True)
        pl.concat(faults).sink_parquet(layer.folder / "faulty.parquet")


def _net(steps: Sequence[tuple[int, pl.DataFrame]]) -> list[tuple[int, pl.DataFrame]]:
    """Stays that one layer brought and a later one took back are in neither list."""
    if not steps:
        return []
    every = pl.concat(stays.with_columns(n=pl.lit(sign, pl.Int64)) for sign, stays in steps)
    columns = every.columns[:-1]
    net = every.group_by(columns).agg(pl.col("n").sum()).sort(columns)
    return [
        (
            sign,
            net.filter(pl.col("n") * sign > 0).select(
                pl.col(columns).repeat_by(pl.col("n").abs()).explode(empty_as_null=False)
            ),
        )
        for sign in STEPS
    ]
