"""Where journeys and what happened on them are kept: one folder, one SQLite file, columns beside it."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import polars as pl

from journey_nb.events import COLUMNS, EventLog, settled
from journey_nb.events.account import EMPTY_QUARANTINE
from journey_nb.facts import Facts
from journey_nb.files import is_full, shared
from journey_nb.journey import Journey, listed, near
from journey_nb.reading import LogError, Paths, Stored, arrow_frame, files_of
from journey_nb.stats import JourneyStats, user_ids
from journey_nb.store import delta
from journey_nb.store.check import Fault, bytes_in, damage, wrong_sums
from journey_nb.store.database import FILES, StoreError, connection, sole_writer
from journey_nb.store.intake import (
    Intake,
    Progress,
    continued,
    merged,
    read_keys,
    set_apart,
    strangers,
    together,
)
from journey_nb.store.layers import (
    Layer,
    Layers,
    Load,
    design_of,
    folders_of_layers,
    is_of,
    still_holds,
)
from journey_nb.store.loaded import READ_OTHERWISE, SHOWN, Loaded, failure, named_after, so_far
from journey_nb.store.memory import memory
from journey_nb.store.parcels import Parcel
from journey_nb.store.registry import Change, Registry
from journey_nb.store.sources import (
    Reading,
    Source,
    columns_of,
    file_content,
    file_name,
    frame_content,
    handfuls,
    stands,
    way_of_reading,
    with_nulls,
)
from journey_nb.store.stored import StoredFacts

__all__ = ["Fault", "Loaded", "Store", "StoreError"]

_log = logging.getLogger(__name__)
Made = TypeVar("Made")
NO_USERS = pl.Series("user_id", [], dtype=pl.String)
STRANGERS = ""  # in place of a journey_id: rows of journeys that are not in the store


class _Redesigned(Exception):
    """A change is of the design."""


class Store(Registry):
    """A folder that keeps journeys, their status and history, and the facts of what happened on them.

    A load is one transaction: whatever ends the process, the store is as before or as after. What was loaded
    once is not counted again, and late or unordered rows end in the numbers of one load of everything.
    Writers wait for each other; a reader keeps seeing what was there when it asked.

    Parameters
    ----------
    path
        The folder; made if there is none.
    patience
        Seconds to wait for another writer before giving up; who that is, is told.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> events = simulate(journey, users=50, seed=1)
    >>> with TemporaryDirectory() as folder:
    ...     store = jn.Store(folder)
    ...     _ = store.add(journey)
    ...     for some in (events[500:], events[:900]):
    ...         _ = store.append(some)
    ...     print(store["welcome"].health().equals(jn.JourneyStats(journey, events).health()))
    True
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 3600) -> None:
        self.path, self._patience = Path(path).absolute(), patience  # also when the process goes elsewhere
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / "store.sqlite"
        if folders_of_layers(self.path / "layers") and not (file.exists() and file.stat().st_size):
            raise StoreError(
                f"{self.path} has facts, but the {file.name} that lists them is gone: put it back from a backup, or name "
                "another folder and load the logs again"
            )
        super().__init__(partial(connection, file))
        self._layers = Layers(self.path / "layers", self._database)
        self._known: dict[str, tuple[tuple[str, ...], Journey, StoredFacts]] = {}

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __fspath__(self) -> str:
        """Its folder: whatever takes the path of a store takes the store."""
        return str(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens it itself."""
        return partial(Store, patience=self._patience), (self.path,)

    # Journeys.

    def __getitem__(self, key: str) -> JourneyStats:
        """The statistics of a journey (by its id or title), as of now."""
        stats = self._steadily(key, lambda journey: JourneyStats(*self._journey_and_facts(journey)))
        stats.store = self
        return stats

    def watch(self, key: str, every: float = 1.0) -> Iterator[JourneyStats]:
        """The statistics of a journey now, and again whenever something has been loaded or changed; it never ends.

        Parameters
        ----------
        key
            The journey, by its id or title.
        every
            Seconds between two looks. A look at a store in which nothing changed reads no file but the SQLite one.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     _ = store.add(jn.Journey.sample("welcome"))
        ...     for stats in store.watch("welcome"):
        ...         print(stats.health()["entrances"].item())
        ...         break
        0
        """
        seen: tuple[Journey, Facts] | None = None
        while True:
            stats = self[key]
            if seen is None or seen[0] != stats.journey or seen[1] is not stats.facts:
                seen = stats.journey, stats.facts
                yield stats
            time.sleep(every)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, Journey):
            return key.journey_id in set(self)
        try:
            self.get(str(key))
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """The ids of the journeys, the oldest first."""
        return iter(self.find()["journey_id"].to_list())

    def add(self, journey: Journey, *, by: str | None = None) -> Journey:
        """As :meth:`Registry.add`; rows that were read before the journey was here are read again."""
        added = super().add(journey, by=by)
        if (self.strange_journeys()["journey_id"] == added.journey_id).any():
            with self._writing("add"):
                self._take_in_strangers()
        return added

    def _change(self, key: str, verb: str, by: str | None, change: Change) -> Journey:
        """A change of the design is made between two loads, and what it makes of the facts settled at once; no other waits."""

        def unless_redesigned(before: Journey, at: datetime) -> tuple[Journey, str]:
            after, told = change(before, at)
            if design_of(before) != design_of(after):
                raise _Redesigned
            return after, told

        with suppress(_Redesigned):
            return super()._change(key, verb, by, unless_redesigned)
        with self._writing("change"):
            before = self.get(key)
            self._check_change(before, change(before, datetime.now(UTC))[0])
            after = super()._change(key, verb, by, change)
            self._settle(after)
            return after

    def _settle(self, journey: Journey) -> None:
        """Fold a journey anew where its design has changed, or is what rows have waited for."""
        layers = self._layers.of(journey.journey_id)
        if any(not still_holds(layer.design, journey) or layer.awaits(journey) for layer in layers):
            self._rebuild(journey.journey_id, None)

    def _begun(self, journey: Journey, at: datetime) -> datetime:
        _, facts = self._journey_and_facts(journey)
        return at if facts.is_empty else min(at, facts.first_at)

    def _check_change(self, before: Journey, changed: Journey) -> None:
        """Refuse a change that would leave rows without what they are about, or facts that cannot be folded anew."""
        layers = self._layers.of(before.journey_id)
        if not layers:
            return
        if gone := {goal.goal_id for goal in before.goals} - {goal.goal_id for goal in changed.goals}:
            raise StoreError(
                f"there are events of goal {min(gone)!r}: keep it, under another title if need be"
            )
        regraphed = before.status == "draft" and not all(
            still_holds(layer.design, changed) for layer in layers
        )
        if regraphed and design_of(before)["versions"] != design_of(changed)["versions"]:
            raise StoreError(
                f"“{before.label}” has events: launch and pause it, then its changed graph is a new version"
            )
        self._check_waiting(before, changed, layers)
        if all(layer.has_log for layer in layers):
            return
        if (before.goals, before.timezone) != (changed.goals, changed.timezone):
            raise StoreError(
                "these facts are kept without their log: they cannot be folded anew for other goals or days"
            )
        waiting = [layer.faults().filter(_of_graph()) for layer in layers if layer.faulty]
        if waiting and pl.concat(waiting).head(1).collect().height:
            raise StoreError(
                "rows wait for the versions, points or branches that they name, and these facts are kept without their "
                "log: load everything into a new store that has the journey as it is to be"
            )

    def _check_waiting(self, before: Journey, changed: Journey, layers: Sequence[Layer]) -> None:
        """Refuse to redraw a version that waits and of which there are events already."""
        old, new = (design_of(one)["versions"] for one in (before, changed))
        redrawn = [int(number) for number, graph in old.items() if new.get(number) != graph]
        if not redrawn or before.status == "draft":
            return
        rows = pl.concat(part.all_rows().select("version") for part in self._layers.parts(before, layers))
        if rows.filter(pl.col("version").is_in(redrawn)).head(1).collect().height:
            raise StoreError(
                f"there are events of version {redrawn[0]}, which waits: relaunch the journey with it, then a changed graph "
                "is the next version"
            )

    def _take_in_strangers(self) -> None:
        """Read rows again whose journey is here by now; only for the sole writer."""
        here = set(self.strange_journeys()["journey_id"]) & set(self)
        if not here:
            return
        layers, rows = self._layers.of(STRANGERS), self.strangers
        journeys = {key: self.get(key) for key in sorted(here)}
        made = {
            key: self._read_again(journey, rows.filter(journey_id=key)) for key, journey in journeys.items()
        }
        others = rows.filter(~pl.col("journey_id").is_in(here, nulls_equal=True))
        if others.height:
            made[STRANGERS] = set_apart(others, self._layers.new())
        self._taken_in(made, journeys, [], layers)

    def _take_in_waiting(self) -> None:
        """The same after something else, which is done, however this goes; :meth:`check` tells what waits on."""
        with suppress(*_TRIED_AGAIN):
            self._take_in_strangers()

    def _read_again(self, journey: Journey, rows: pl.DataFrame) -> Layer:
        """Rows that waited for their journey; those that broke another rule, and stand without what broke it, stay aside."""
        waited = pl.col("rule") == "unknown_journey"
        log = EventLog.from_frame(rows.filter(waited).select(*COLUMNS))
        return self._intake(journey).load(log, beside=rows.filter(~waited))

    @property
    def strangers(self) -> pl.DataFrame:
        """The rows that named no journey of the store when they were read, as they stand in quarantine."""
        faults = [layer.faults() for layer in self._layers.of(STRANGERS)]
        return pl.concat(faults).collect() if faults else EMPTY_QUARANTINE

    def strange_journeys(self) -> pl.DataFrame:
        """Of which journeys the rows are that the store does not have: journey_id (null where a row names none), rows.

        A log of many journeys leaves more of them with each load.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     told = store.append(simulate(jn.Journey.sample("welcome"), users=5, seed=1))
        ...     print(store.strange_journeys()["rows"].sum() == told.quarantined)
        True
        """
        named = [layer.journeys_aside for layer in self._layers.of(STRANGERS)]
        none = pl.DataFrame(schema={"journey_id": pl.String, "rows": pl.get_index_type()})
        told = pl.concat([none, *named]).group_by("journey_id").agg(pl.col("rows").sum())
        return told.sort("journey_id", nulls_last=True)

    def holdings(self) -> pl.DataFrame:
        """What is held of each journey, the oldest first: journey_id, last_at (its newest event; null without one), bytes.

        The bytes are those of the files that count; what a load has replaced takes room for ten minutes more.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     _ = store.add(journey)
        ...     _ = store.append(simulate(journey, users=5, seed=1))
        ...     print(store.holdings().filter(pl.col("bytes") > 0)["last_at"].item() == store["welcome"].facts.last_at)
        True
        """

        def held(journey: Journey) -> tuple[str, datetime | None, int]:
            layers = self._layers.of(journey.journey_id)
            facts = StoredFacts(journey, layers, self._layers.parts(journey, layers))
            last_at = None if facts.is_empty else facts.last_at
            return journey.journey_id, last_at, sum(layer.bytes for layer in layers)

        rows = [self._steadily(journey_id, held) for journey_id in self]
        schema = {"journey_id": pl.String(), "last_at": pl.Datetime("us", "UTC"), "bytes": pl.Int64()}
        return pl.DataFrame(rows, schema, orient="row")

    # Loading.

    def append(self, events: Any, *, batch: str | None = None) -> Loaded:
        """Load events: an :class:`EventLog`, or anything :meth:`EventLog.from_frame` takes.

        Parameters
        ----------
        events
            The events, of one or several journeys of the store.
        batch
            A name that tells this batch for good: the same again adds nothing. Without one it is told by its
            content (a lazy frame or an EventLog is not: its rows are recognised one by one).

        Returns
        -------
        Loaded
            What became of the rows.

        Raises
        ------
        StoreError
            When a batch of that name was loaded with other rows: these would be lost without a word.
        """
        if not isinstance(events, (EventLog, pl.LazyFrame)):
            events = arrow_frame(events).collect()  # here, for a stream can be read but once
        log = events if isinstance(events, EventLog) else EventLog.from_frame(events)
        frame = events if isinstance(events, pl.DataFrame) else None
        if batch is None:
            own = _once(log.name) if frame is None else Source(f"frame:{frame_content(frame)}", log.name)
            return self._load(lambda _: log, [own])
        content = None
        if frame is not None:
            content = Source(f"batch:{batch}, {log.content()}", f"batch:{batch}, polars {pl.__version__}")
        return self._load(lambda _: log, [Source(f"batch:{batch}", batch, log.height)], content=content)

    def load(
        self,
        paths: Paths,
        columns: Mapping[str, str | pl.Expr] | None = None,
        *,
        keep_log: bool = True,
        progress: Progress | None = None,
        **how: Any,
    ) -> Loaded:
        """Load files of events as :meth:`EventLog.read` reads them; those that were loaded before are skipped.

        Parameters
        ----------
        paths, columns, **how
            As for :meth:`EventLog.read`: what only some of the files have is null in the others. A file is known again by
            its content, an object of a store (``s3://…``) by its address.
        keep_log
            Whether the good rows are kept beside the facts. Without them the store is smaller, but nothing can be
            appended to it, and the facts cannot be rebuilt.
        progress
            Called with words and a share of 0 to 1 as the work goes on.

        Returns
        -------
        Loaded
            What became of the rows. Small files are loaded together, a large one by itself; each load is there for
            good once it is done, so that an interrupted import goes on where it was.

        Raises
        ------
        LogError
            When a path names no file, files cannot be read, or no row of those that are loaded together: nothing of them is
            kept, so that they may be loaded again in another way. All others are loaded before it is raised, but with
            ``keep_log=False``, or where ten cannot be read and none before them could.
        """
        options = how.get("storage_options")
        missing = list[LogError]()
        files = files_of(paths, options, failed=missing if keep_log else None)
        reading = way_of_reading(columns, **how)
        # The columns that only some of the files have, once one of them lacks any.
        lent: pl.LazyFrame | None = None

        def log(fresh: Sequence[Source]) -> EventLog:
            read: Callable[..., EventLog] = EventLog.read if lent is None else partial(with_nulls, lent)
            return _told(read(_paths(fresh), columns=columns, **how), slips)

        slips = set[str]()  # of which columns one is told: once, however many files have it
        load = partial(self._load, log, files=True, keep_log=keep_log, progress=progress)
        if not keep_log:  # nothing can be added later for users who are here: all must come in one load
            told, fresh = self._fresh(files, reading)
            return told + load(fresh) if fresh else told
        told, failed = Loaded(), list[LogError]()
        untried, waiting = list(handfuls(files))[::-1], list[list[Source]]()
        # Where nothing can be read, nor ever could, it is how all are read.
        while (untried or waiting) and (told != Loaded() or len(failed) < SHOWN):
            some = waiting.pop() if waiting else []
            try:
                if not some:
                    skipped, some = self._fresh(untried.pop(), reading)
                    told += skipped
                if some:
                    told += load(some)
            except LogError as error:
                if len(some) > 1:  # halved until it is known which of them it is
                    waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                elif some and lent is None and columns:  # once more, as if all had been read in one go
                    lent = columns_of(files, columns, options)
                    waiting.append(some)
                else:
                    failed.append(error)
            except StoreError as error:  # a full disk, another writer
                if before := so_far([*missing, *failed], told):
                    error.add_note(before)
                raise
        if missing or failed:
            raise failure([*missing, *failed], told, stopped=bool(untried or waiting))
        return told

    def _fresh(self, files: Sequence[Stored], reading: Reading) -> tuple[Loaded, list[Source]]:
        """Those of the files that were not loaded before, and what is said of the others."""
        # Before contents are looked at.
        stood = {path: stands(path) for path in files if isinstance(path, Path)}
        standing = self._layers.standing(stood.values())
        sources = [
            Source(
                standing.get(stood[path]) or file_content(path),
                file_name(path),
                path.stat().st_size,
                reading,
                stood[path],
                path,
            )
            if isinstance(path, Path)
            else Source(f"object:{path}", path, reading=reading, path=path)
            for path in files
        ]
        known = self._layers.known(sources)
        otherwise = self._layers.read_otherwise(known)
        skipped = (one.name + (READ_OTHERWISE if one in otherwise else "") for one in sources if one in known)
        return Loaded(skipped=tuple(skipped)), [source for source in sources if source not in known]

    def load_delta(
        self,
        table: str | Path,
        columns: Mapping[str, str | pl.Expr] | None = None,
        *,
        version: int | None = None,
        storage_options: dict[str, str] | None = None,
        keep_log: bool = True,
        progress: Progress | None = None,
        **how: Any,
    ) -> Loaded:
        """Load a version of a Delta table, the latest by default; one that was loaded before adds nothing.

        A later version is read whole, and its rows that are known by now are told as duplicates. Rows that it has no
        more stay: who was deleted there is removed here by :meth:`erase`.

        Parameters
        ----------
        table
            The folder of the table: a path, or a URL that deltalake reads with the ``storage_options``.
        columns, **how
            As for :meth:`EventLog.read`.
        version
            The number of a version.
        keep_log, progress
            As for :meth:`load`.
        """
        opened = delta.opened(table, version, storage_options)
        name = f"{table} version {opened.version()}"
        # A copy of a table has its id, and goes on with versions of its own; the names of files are given once.
        files = pl.DataFrame(opened.get_add_actions(flatten=True))["path"].sort().to_list()
        told = hashlib.sha256("\n".join(files).encode()).hexdigest()[:16]
        digest = f"delta:{opened.metadata().id}:{opened.version()}:{told}"
        source = Source(digest, name, reading=way_of_reading(columns, **how))
        with delta.reading(name):
            log = EventLog.from_frame(pl.scan_delta(opened), columns, name=name, **how)
            return self._load(lambda _: _told(log, set()), [source], keep_log=keep_log, progress=progress)

    def _load(
        self,
        read: Callable[[Sequence[Source]], EventLog],
        sources: Sequence[Source],
        *,
        content: Source | None = None,
        files: bool = False,
        keep_log: bool = True,
        progress: Progress | None = None,
    ) -> Loaded:
        """Load those of the sources that were not loaded before, as ``read`` gives them.

        What has a name of its own must have the same ``content`` and as many rows again; of ``files`` some row must be
        readable, and one that is not as it was when its content was told is listed by its name alone: it is read again the
        next time.
        """
        with self._writing("load"):
            known = {source.digest for source in self._layers.known(sources)}
            fresh, names = list[Source](), list[str]()
            for source in sources:  # two files of one content are one
                if source.digest in known:
                    names.append(source.name)
                else:
                    fresh.append(source)
                    known.add(source.digest)
            skipped = Loaded(skipped=tuple(names))
            if not fresh:
                if any(self._layers.contradicts(source) for source in (*sources, content) if source):
                    raise StoreError(
                        f"a batch {sources[0].name!r} was loaded with other rows: give these a name of their own "
                        "(those of them that are here already will be told as duplicates)"
                    )
                return skipped
            log = read(fresh)
            ids = set(self)
            made = (self._activities if log.origin == "activities" else self._events)(
                log, ids, keep_log=keep_log, progress=progress
            )
            if files:
                _check_some_read(log, list(made.values()))
                self._tell_future(log.name, made)
                fresh = [one if _unchanged(one) else _once(one.name, one.reading) for one in fresh]
            journeys = {key: self._uncopied(key) for key in made.keys() & ids}
            told = self._taken_in(made, journeys, [*fresh, *([content] if content else [])])
            self._take_in_waiting()  # for journeys added meanwhile, or whose adding was interrupted
            return skipped + told

    def _events(self, log: EventLog, ids: Collection[str], **how: Any) -> dict[str, Layer]:
        """A layer for each journey that the log names, and one for the rows of none."""
        rows, made = log.height, {}
        for journey_id, own in _by_journey(log, ids):
            made[journey_id] = self._intake(self._uncopied(journey_id), **how).load(own, rows)
        if sum(layer.read for layer in made.values()) < rows:
            made[STRANGERS] = strangers(log, ids, self._layers.new())
        if (read := sum(layer.read for layer in made.values())) != rows:
            raise StoreError(
                f"{log.name} gave {rows:,} rows when they were counted and {read:,} when they were read, as a source does "
                "that can be read but once: collect it first"
            )
        return made

    def _tell_future(self, name: str, made: Mapping[str, Layer]) -> None:
        """Say where a log has events in the future, later than any before: states are told as of the last of them."""
        now = datetime.now(UTC)
        late = [
            last
            for journey_id, layer in made.items()
            if (last := layer.last_at) and last > now
            # Its users' earlier rows, which are told anew with it, are of other files.
            if all(last > (old.last_at or now) for old in self._layers.of(journey_id))
        ]
        if late:
            _log.warning(
                "%s: there are events in the future, up to %s UTC: check clock and time_unit",
                name,
                f"{max(late):%Y-%m-%d %H:%M}",
            )

    def _activities(self, log: EventLog, ids: Collection[str], **how: Any) -> dict[str, Layer]:
        """The layer of the one journey that activities are of."""
        if log.journey_id not in ids:
            raise StoreError(
                f"the store has no journey {log.journey_id!r}{near(log.journey_id, ids)}: "
                "add the one that Journey.discover(log) draws first"
            )
        journey = self._uncopied(log.journey_id)
        self._check_whole(log, journey)
        return {log.journey_id: self._intake(journey, **how).load(log)}

    def adopt(
        self,
        path: str | Path,
        *,
        storage_options: dict[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """Take in what :func:`journey_nb.cluster.fold_on_spark` has written; the same again adds nothing.

        Facts and cubes are taken over as they are. Only whoever is in the store already, or shares an id with
        another user of another partition, is folded anew: so the numbers are those of one load of everything.

        Parameters
        ----------
        path
            The folder: a path, or a URL that polars reads.
        storage_options
            As polars takes them.
        progress
            Called with words and a share of 0 to 1 as the work goes on.

        Returns
        -------
        Loaded
            What became of the rows.
        """
        with self._writing("adopt"):
            parcel = Parcel(path, storage_options)
            source = Source(parcel.digest, parcel.name)
            if self._layers.known([source]):
                return Loaded(skipped=(source.name,))
            journeys = {key: self.get(key) for key in parcel.designs if key != STRANGERS}
            for journey_id, journey in journeys.items():
                if not is_of(parcel.designs[journey_id], journey):
                    raise StoreError(
                        f"“{journey.label}” is another in the store than it was on the cluster, or journey_nb is: "
                        f"fold_on_spark(log, store.get({journey_id!r}), …) folds anew"
                    )
            made = {}
            for journey_id, some in parcel.unpacked(self._layers.new().folder).items():
                if journey_id == STRANGERS:
                    made[journey_id] = together(some, self._layers.new())
                else:
                    made[journey_id] = self._intake(journeys[journey_id], progress=progress).adopt(some)
            told = self._taken_in(made, journeys, [source])
            self._take_in_waiting()  # for journeys that the cluster did not fold
            return told

    # What was loaded, and taking it back.

    def loads(self) -> pl.DataFrame:
        """What was loaded, the oldest first: loaded_at (UTC), name (of a file, a batch, a log), who, how, and what became of it.

        ``how`` names the columns and times that a file or a table was read by; read, loaded, duplicates and quarantined
        are those of :class:`Loaded`. Of files that were loaded together (at the same ``loaded_at``) the first has them,
        so that they add up; they are null where an older release loaded.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     _ = store.add(journey)
        ...     _ = store.append(simulate(journey, users=5, seed=1), batch="monday")
        ...     _ = store.append(simulate(journey, users=9, seed=2), batch="tuesday")
        ...     print(store.loads()["name"].to_list(), store.loads()["loaded"].sum() == store["welcome"].report().loaded)
        ...     print(store.undo("tuesday").read > 0, store.loads()["name"].to_list())
        ['monday', 'tuesday'] True
        True ['monday']
        """
        texts, numbers = ("loaded_at", "name", "who", "how"), Loaded().account
        schema = dict.fromkeys(texts, pl.String()) | dict.fromkeys(numbers, pl.Int64())
        frame = pl.DataFrame(self._layers.loads(), schema)
        return frame.with_columns(pl.col("loaded_at").str.to_datetime(time_unit="us", time_zone="UTC"))

    def undo(self, name: str, *, by: str | None = None) -> Loaded:
        """Take the last load back: the store is as it was before it, and the same may be loaded again, read in another way.

        Parameters
        ----------
        name
            What was loaded, as :meth:`loads` has it: so nobody takes back what another has loaded meanwhile. Files that
            were loaded together are taken back together.
        by
            Who does it, for the history of its journeys.

        Returns
        -------
        Loaded
            What had become of the rows that are gone.

        Raises
        ------
        StoreError
            When it is not the last one, or was loaded too long ago: layers that were told as one since
            stay for ten minutes as they were, large ones for good.
        """
        with self._writing("undo"):
            load = self._layers.last_load()
            if load is None or name not in load.names:
                here = self.loads()["name"].to_list()
                what = f"is not loaded{near(name, here)}"
                if name in here:
                    what = "is not the last load, and those after it are to be taken back first"
                last = f"the last was {listed(load.names)}" if load else "there was none"
                raise StoreError(f"{name!r} {what}: {last}")
            if load.replaced is None:
                raise StoreError(
                    f"{name!r} cannot be taken back any more: the files that counted before it have been swept since, or it "
                    "brought no row; load all others into a new store"
                )
            left = self._left_by(load)
            first = {key: _first_at(layers) for key, layers in left.items()}
            self._layers.undo(load, partial(self._note_gone, first, "undo", listed(load.names), by))
            for journey_id in left.keys() - {STRANGERS}:
                self._settle(self.get(journey_id))
            self._take_in_waiting()  # for journeys that were added after it
            return Loaded.of(load.own)

    def _left_by(self, load: Load) -> dict[str, list[Layer]]:
        """By journey the layers that count once the load is taken back."""
        gone = {layer.token for _, layer in load.since}
        left = {
            key: [layer for layer in self._layers.of(key) if layer.token not in gone] for key, _ in load.since
        }
        for key, layer in load.replaced or ():
            if key != STRANGERS and not still_holds(layer.design, self.get(key)):
                raise StoreError(
                    f"“{self.get(key).label}” was changed since, or what was loaded before was folded by an older "
                    "journey_nb, and is no longer as it would be now: change it back, take the load back, and change it "
                    "again, or load all others into a new store"
                )
            left.setdefault(key, []).append(layer)
        return left

    def erase(self, users: Any, *, by: str | None = None, progress: Progress | None = None) -> int:
        """Remove every row of some users, for good: when it returns, no file of the store has one of theirs.

        The journeys they were on are folded anew without them, as if their rows had never come. A load that brings rows
        of them brings them back. Statistics that were asked for before cannot be read any more: ask the store again.

        Parameters
        ----------
        users
            Their ids: one, a list, a series, or a frame with a column user_id.
        by
            Who does it, for the history of the journeys (which does not tell the ids).
        progress
            Called with words and a share of 0 to 1.

        Returns
        -------
        int
            How many rows were removed; duplicates had not been kept. Users of whom there is no row, as when an id is
            mistyped, are named in a warning of Python's ``logging``, and so are loads that are called after one of them.

        Raises
        ------
        StoreError
            When a journey of theirs was loaded with ``keep_log=False``: it cannot be folded anew; or when files of theirs
            cannot be removed.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     _ = store.add(journey)
        ...     _ = store.append(simulate(journey, users=5, seed=1))
        ...     someone = store["welcome"].users()["user_id"][0]
        ...     print(store.erase(someone) > 0, someone in store["welcome"].users()["user_id"], store.erase(someone))
        True False 0
        """
        gone = user_ids(users).drop_nulls().unique().sort()
        with self._writing("erase"):
            known = {key: self._with_rows(self.get(key), gone) for key in self}
            theirs = [key for key, some in known.items() if some]
            for key in theirs:
                if not all(layer.has_log for layer in self._layers.of(key)):
                    raise StoreError(
                        f"“{self.get(key).label}” is kept without its log (keep_log=False), so nobody can be taken out of it: "
                        "load its log without them into a new store"
                    )
            erased = sum(self._rebuild(key, progress, gone=gone, by=by) for key in theirs)
            without = {*gone}.difference(self.strangers["user_id"], *known.values())
            erased += self._without_strangers(gone)
            self._layers.sweep(at_once=True)
            if left := self._layers.unlisted():  # as where somebody reads them on a network drive
                names = listed([folder.relative_to(self.path).as_posix() for folder in left])
                raise StoreError(
                    f"nobody asked of the store finds them any more, but files that had them could not be removed ({names}): "
                    "see who reads these, or who owns them, and erase them again"
                )
            if without:  # mistyped perhaps, and the one who was meant is still here
                nobody = listed(sorted(map(repr, without)))
                _log.warning("no row here is of %s: users are named as the log has them", nobody)
            if named := named_after(self.loads(), gone):
                _log.warning(
                    "the list of loads may still name who was erased (%s): it keeps what files were called and what was said "
                    "of all their rows",
                    listed([*map(repr, named)]),
                )
            return erased

    def _with_rows(self, journey: Journey, users: pl.Series) -> set[str]:
        """Those of the users of whom a journey has rows, if only set aside."""
        layers = self._layers.of(journey.journey_id)
        faults = (layer.faults().filter(_are(users)).collect()["user_id"] for layer in layers if layer.faulty)
        parts = self._layers.parts(journey, layers)
        return set().union(*(part.holds(users) for part in parts), *faults)

    def _without_strangers(self, users: pl.Series) -> int:
        """Remove the rows of some users from those that name no journey; how many."""
        layers, rows = self._layers.of(STRANGERS), self.strangers
        others = rows.filter(~_are(users))
        if others.height < rows.height:
            made = {STRANGERS: set_apart(others, self._layers.new())} if others.height else {}
            self._publish(made, {}, retired=layers)
        return rows.height - others.height

    def _check_whole(self, log: EventLog, journey: Journey) -> None:
        """Refuse activities that go on with runs which are here: each has been given its end already."""
        if not (layers := self._holding(journey)):
            return
        parts, keys = self._layers.parts(journey, layers), [read_keys(layer) for layer in layers]
        good = log.sifted(journey).filter(pl.col("rule").is_null()).drop("rule")
        going_on = continued(good.collect(), parts, keys)
        if going_on:
            raise StoreError(
                f"{len(going_on):,} runs of “{journey.label}” go on in {log.name}, as does that of {going_on[0]!r}: a run of "
                "activities is read as a whole. Read all its files in one go (from_activities([…])) into a new store, or "
                "name a column of sessions (session=) in which each has a name of its own: where those of two users may have "
                "the same, session=pl.format('{}/{}', user, session) with these columns"
            )

    def _intake(self, journey: Journey, **how: Any) -> Intake:
        layers = self._holding(journey)
        if any(layer.awaits(journey) for layer in layers):  # as when its change was interrupted
            self._rebuild(journey.journey_id, None)
            layers = self._holding(journey)
        parts, keys = self._layers.parts(journey, layers), [read_keys(layer) for layer in layers]
        return Intake(journey, self._layers.new(), parts, keys, **how)

    def _taken_in(
        self,
        made: Mapping[str, Layer],
        journeys: Mapping[str, Journey],
        sources: Sequence[Source],
        retired: Sequence[Layer] = (),
    ) -> Loaded:
        made = {journey_id: layer for journey_id, layer in made.items() if layer.read}
        self._publish(made, journeys, sources, retired)
        with suppress(*_TRIED_AGAIN):
            for journey_id in made.keys() & journeys.keys():
                self._compact(journeys[journey_id])
            if STRANGERS in made and (
                group := _alike(self._layers.of(STRANGERS), lambda layer: layer.faulty)
            ):
                self._publish({STRANGERS: together(group, self._layers.new())}, {}, retired=group)
        return Loaded.of(list(made.values()))

    def _compact(self, journey: Journey) -> None:
        """Tell small layers as one, so that there are never many."""
        layers = self._holding(journey)
        parts = self._layers.parts(journey, layers)

        def living(layer: Layer) -> float:
            """How many rows are told; an append tells the whole history of its users anew."""
            if layer.parts != 1 or not layer.has_log:
                return (
                    inf  # it stays as it is: who lives in it need not be counted, which reads its whole log
                )
            if layer.height <= MERGED // 8:
                return layer.height
            return sum(part.living_rows for part in parts if part.folder.parent == layer.folder)

        if group := _alike(layers, living):
            ours = {layer.folder for layer in group}
            parts = [part for part in parts if part.folder.parent in ours]
            layer = merged(journey, self._layers.new(), group, parts)
            self._publish({journey.journey_id: layer}, {journey.journey_id: journey}, retired=group)

    def rebuild(self, key: str, *, progress: Progress | None = None) -> None:
        """Fold a journey anew from its kept log: after a change of its goals, or where a file of facts is damaged.

        Rows that were set aside for a version, point, branch or goal that the journey knows by now are read again.
        """
        with self._writing("rebuild"):
            self._rebuild(key, progress)

    def _rebuild(
        self, key: str, progress: Progress | None, *, gone: pl.Series = NO_USERS, by: str | None = None
    ) -> int:
        """Fold a journey anew, without the rows of those who are to be ``gone``; how many these were."""
        journey = self.get(key)
        layers = self._layers.of(journey.journey_id)
        if not layers:
            return 0
        layer = self._layers.new()
        intake = Intake(journey, layer, progress=progress)
        faults = [old.faults().collect() for old in layers if old.faulty]
        every = pl.concat([EMPTY_QUARANTINE, *faults])
        faulty = every.filter(~_are(gone))
        again = EventLog.from_frame(faulty.filter(_of_graph()).select(*COLUMNS))
        good = again.sifted(journey).filter(pl.col("rule").is_null()).drop("rule")
        parts = self._layers.parts(journey, layers)
        rows = pl.concat([*(part.all_rows() for part in parts), good])
        # As the logs tell, for what else tells it may be damaged; that of a large load has its duplicates.
        count = rows.select(pl.len()).collect(engine="streaming").item()
        erased = sum(settled(part.rows(part.holds(gone))).distinct.height for part in parts if gone.len())
        intake.fold(rows.filter(~_are(gone)) if erased else rows, count - erased)
        intake.set_aside(pl.concat([faulty.filter(~_of_graph()), again.faulty(journey).collect()]))
        erased += every.height - faulty.height
        layer.read = sum(old.read for old in layers) - erased
        made = {journey.journey_id: intake.finish()}
        first = {journey.journey_id: layer.first_at}
        noted = partial(self._note_gone, first, "erase", f"{erased:,} rows", by) if erased else None
        self._publish(made, {journey.journey_id: journey}, retired=layers, noted=noted)
        return int(erased)

    def _publish(
        self,
        made: Mapping[str, Layer],
        journeys: Mapping[str, Journey],
        sources: Sequence[Source] = (),
        retired: Sequence[Layer] = (),
        noted: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        """List new layers; a journey that was launched here begins no later than they do, new or out of quarantine."""
        first = {key: layer.first_at for key, layer in made.items() if key in journeys}

        def along(db: sqlite3.Connection) -> None:
            self._backdate(db, first)
            if noted:
                noted(db)

        self._layers.publish(made, journeys, sources, retired, along)

    # Whether all is well.

    def check(self, progress: Progress | None = None) -> list[Fault]:
        """Look at every file and every sum; what is wrong, or nothing.

        Every file must be what was written (size and SHA-256), every row read must be loaded, a duplicate or in
        quarantine, the account of runs and visits must balance, and the cubes must hold what the facts do.
        """
        progress = progress or (lambda words, share: None)
        ids = [STRANGERS, *self.find()["journey_id"]]
        found: list[Fault] = []
        for done, journey_id in enumerate(ids, 1):
            layers = self._layers.of(journey_id)
            broken = damage(journey_id, layers, self.path)
            if broken:  # or gone: others have replaced or erased what was there
                still = [layer for layer in self._layers.of(journey_id) if layer in layers]
                broken = damage(journey_id, still, self.path)
            if not broken and layers and journey_id != STRANGERS:
                broken = self._steadily(journey_id, self._sums)
            found += broken
            progress("checking", done / len(ids))
        if any(fault.journey_id == STRANGERS for fault in found):
            return found
        here = self.strange_journeys().filter(pl.col("journey_id").is_in(ids))
        for journey_id, rows in here.iter_rows():
            found.append(
                Fault(
                    journey_id,
                    "strangers",
                    f"{rows:,} rows of it were set aside before it was here: the next load takes them in",
                )
            )
        return found

    def _sums(self, journey: Journey) -> list[Fault]:
        try:
            layers = self._holding(journey)
        except StoreError as error:
            return [Fault(journey.journey_id, "facts", str(error))]
        found = []
        if any(layer.awaits(journey) for layer in layers):
            waits = "wait for a version that is here by now; rebuild() reads them"
            found.append(Fault(journey.journey_id, "rows", waits))
        facts = StoredFacts(journey, layers, self._layers.parts(journey, layers))
        return [*found, *wrong_sums(journey, facts)]

    def leftovers(self) -> pl.DataFrame:
        """What lies in the folder and counts for nothing: place, bytes, and whether it is ``of_a_load``.

        The next load that brings something removes what is left of one that was interrupted. What is no load's is
        nothing of the store, and stays.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> with TemporaryDirectory() as folder:
        ...     store = jn.Store(folder)
        ...     _ = (store.path / "notes.txt").write_text("mine")
        ...     print(store.leftovers().rows())
        [('notes.txt', 4, False)]
        """
        layers, unlisted = self.path / "layers", self._layers.unlisted()
        own = {layers, *folders_of_layers(layers), *(self.path / name for name in FILES)}
        there = [*self.path.iterdir(), *(layers.iterdir() if layers.is_dir() else ())]
        others = sorted(path for path in there if path not in own)
        rows = [
            (path.relative_to(self.path).as_posix(), bytes_in(path), path in unlisted)
            for path in [*sorted(unlisted), *others]
        ]
        return pl.DataFrame(
            rows, {"place": pl.String, "bytes": pl.Int64, "of_a_load": pl.Boolean}, orient="row"
        )

    # How it is kept.

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        if not self.path.exists():
            raise StoreError(f"{self.path} is gone: put it back, or open a store again")
        # Shared, for a first import that fails takes the folder away again where it is alone in it.
        with shared(self.path), sole_writer(self.path / "writer.lock", self._patience, what):
            self._layers.sweep()
            try:
                yield
            except (OSError, pl.exceptions.PolarsError) as error:
                if not is_full(error):
                    raise
                raise StoreError(
                    f"there is no room for it in {self.path} ({error}): make room on the disk and do it again; nothing is "
                    "half done"
                ) from error
            finally:
                self._layers.discard()

    def _holding(self, journey: Journey) -> list[Layer]:
        """The layers of a journey, if they were folded for it as it is."""
        layers = self._layers.of(journey.journey_id)
        if not all(still_holds(layer.design, journey) for layer in layers):
            mend = f"rebuild({journey.journey_id!r}) folds them anew"
            if not all(layer.has_log for layer in layers):
                mend = "their log was not kept (keep_log=False): load it into a new store"
            raise StoreError(
                f"“{journey.label}” was changed since its facts were folded, or they are of an older journey_nb: {mend}"
            )
        return layers

    def _steadily(self, key: str, read: Callable[[Journey], Made]) -> Made:
        """What is read of a journey; from the beginning where others have changed it meanwhile, or erased what counted."""
        before = None
        while True:
            try:
                return read(self._uncopied(key))
            except StoreError:
                now = self._state(key)
                if now == before:
                    raise
                before = now

    def _state(self, key: str) -> tuple[Journey, list[str]]:
        journey = self._uncopied(key)
        return journey, [layer.token for layer in self._layers.of(journey.journey_id)]

    def _journey_and_facts(self, journey: Journey) -> tuple[Journey, StoredFacts]:
        """A copy of a journey, and its facts: the same ones as long as nothing is changed."""
        layers = self._holding(journey)
        tokens = tuple(layer.token for layer in layers)
        known = self._known.get(journey.journey_id)
        if known is None or known[:2] != (tokens, journey):
            own = journey.model_copy(deep=True)
            facts = StoredFacts(own, layers, self._layers.parts(own, layers))
            known = self._known[journey.journey_id] = (tokens, own, facts)
        return known[1:]


def _by_journey(log: EventLog, ids: Collection[str]) -> Iterator[tuple[str, EventLog]]:
    """What of a log is of each of the journeys; one that fits into memory is read but once."""
    if len(ids) == 1:
        (only,) = ids
        yield only, log.only(pl.col("journey_id") == only)
    elif log.height * BYTES_READ < memory() // 4:
        yield from ((journey_id, own) for journey_id, own in log.apart().items() if journey_id in ids)
    else:
        for journey_id in sorted(log.journeys() & set(ids)):
            yield journey_id, log.only(pl.col("journey_id") == journey_id)


def _check_some_read(log: EventLog, made: Sequence[Layer]) -> None:
    """Refuse files none of whose rows can be read: that is a mistake in how they are read, and they would count as loaded."""
    if any(layer.read > layer.faulty for layer in made) or not any(layer.faulty for layer in made):
        return
    faults = pl.concat(layer.faults() for layer in made if layer.faulty).select("rule", "detail").collect()
    waits = _of_graph() | (pl.col("rule") == "unknown_journey")  # for what may come
    if faults.filter(waits).height:
        return
    rule, detail = faults.row(0)
    raise LogError(
        f"{log.name}: none of its {faults.height:,} rows can be read, the first for {rule} ({detail}). Nothing was kept: "
        "say how they are to be read (columns, timezone, time_unit, time_format) and load again"
    )


def _first_at(layers: Sequence[Layer]) -> datetime | None:
    return min(filter(None, (layer.first_at for layer in layers)), default=None)


def _told(log: EventLog, slips: set[str]) -> EventLog:
    """A log, once it is said what of it is read otherwise than was meant, perhaps; of each column once."""
    for column, slip in log.slips().items():
        if column not in slips:
            _log.warning("%s: %s", log.name, slip)
        slips.add(column)
    return log


def _are(users: pl.Series) -> pl.Expr:
    """Whether a row is of one of the users."""
    return pl.col("user_id").is_in(users.implode()).fill_null(False)


def _of_graph() -> pl.Expr:
    """Whether a row was set aside by a rule that a journey which has changed may judge otherwise."""
    return pl.col("rule").is_in(["unknown_version", "unknown_point", "unknown_branch", "unknown_goal"])


def _once(name: str, reading: Reading | None = None) -> Source:
    """What is not known again, and may be taken back."""
    return Source(f"once:{token_hex(16)}", name, reading=reading)


def _paths(sources: Sequence[Source]) -> list[Stored]:
    return [source.path for source in sources if source.path is not None]


def _unchanged(source: Source) -> bool:
    return not isinstance(source.path, Path) or stands(source.path) == source.stood


def _alike(layers: Sequence[Layer], size: Callable[[Layer], float]) -> list[Layer]:
    """The newest layers, as far back as each is not much larger than all after it; at least four are worth a merge."""
    group: list[Layer] = []
    height = 0.0
    for layer in reversed(layers):
        own = size(layer)
        if (group and own > 3 * height) or height + own > MERGED:
            break
        group.insert(0, layer)
        height += own
    return group if len(group) >= 4 else []


# There is no room now, or a journey is to be rebuilt first: the next load tries again.
_TRIED_AGAIN = (OSError, pl.exceptions.PolarsError, StoreError)
BYTES_READ = 1_000  # a row takes that is not judged yet
MERGED = 2_000_000  # rows; larger layers stay as they are
