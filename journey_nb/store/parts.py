"""Parts: the facts and the kept rows of some users, as files written once and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import polars as pl

from journey_nb.events import QUARANTINE, Settled
from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.store.database import StoreError
from journey_nb.subset import OfUsers, Tables, spans

# Looked up row by row: uncompressed, mapped into memory. The others are read whole, or not at all.
MAPPED = ("runs", "visits", "waits", "messages", "goals", "devices", "users")
PACKED = ("events", "quarantined")
CHUNK = 65_536  # rows of the kept log that are read together

_ZSTD: Any = {"compression": "zstd", "compression_level": 1, "row_group_size": CHUNK}


@dataclass(frozen=True)
class Part:
    """The facts of some users on disk, and the rows they were folded from.

    ``dead`` are the users whose history a later layer tells anew: a reader passes them over.
    """

    folder: Path
    journey: Journey
    dead: pl.Series = field(default_factory=lambda: pl.Series("user_id", [], dtype=pl.String))
    _read: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def write(folder: Path, facts: Folded, settled: Settled, *, log: bool = True) -> None:
        """Write the facts of one fold; with ``log`` the rows they come from as well (else they are there already)."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in MAPPED:
            getattr(facts, name).write_ipc(folder / f"{name}.arrow", compression="uncompressed")
        for name in PACKED:
            getattr(facts, name).write_parquet(folder / f"{name}.parquet", **_ZSTD)
        rows = settled.distinct
        if log:
            part = folder / "log.part"
            rows.write_parquet(part, **_ZSTD)
            part.replace(folder / "log.parquet")
        else:
            rows = pl.scan_parquet(folder / "log.parquet").select("user_id").collect()
        _where(rows["user_id"]).write_ipc(folder / "where.arrow", compression="uncompressed")
        told = {"first_at": facts.first_at.isoformat(), "last_at": facts.last_at.isoformat()}
        numbers = {"rows": settled.distinct.height, "loaded": facts.loaded}
        (folder / "facts.json").write_text(json.dumps(told | numbers), encoding="utf-8")

    def without(self, dead: pl.Series) -> Part:
        """The same part with more users passed over."""
        return replace(self, dead=pl.concat([self.dead, dead]).unique()) if dead.len() else self

    # The kept rows.

    def rows(self, users: pl.Series) -> pl.DataFrame:
        """The kept rows of some users, as :meth:`journey_nb.EventLog.sifted` gave them."""
        users = users.filter(~users.is_in(self.dead.implode()))
        low, high = (self._where["user_id"].search_sorted(users, side) for side in ("left", "right"))
        if not (high > low).any():
            return self.all_rows().clear().collect()
        places = pl.select(pl.int_ranges(low, high).explode(empty_as_null=False)).to_series()
        chunks = self._where["chunk"].gather(places).unique().sort()
        log = self._log()
        wanted = [log.slice(first * CHUNK, count * CHUNK) for first, count in _spans(chunks)]
        mine = pl.col("user_id").is_in(users.implode())
        with readable(self.folder / "log.parquet"):
            return pl.concat(part.filter(mine) for part in wanted).collect()

    def all_rows(self) -> pl.LazyFrame:
        """The kept rows of every user that is not passed over."""
        log = self._log()
        return log.filter(~pl.col("user_id").is_in(self.dead.implode())) if self.dead.len() else log

    def _log(self) -> pl.LazyFrame:
        path = self.folder / "log.parquet"
        if not path.exists() and self.folder.exists():
            raise StoreError(
                "these facts are kept without their log (keep_log=False): nothing can be appended to them; "
                "load everything into a store that keeps it"
            )
        with readable(path):
            return coded_for(self.journey, pl.scan_parquet(path))

    @property
    def height(self) -> int:
        """How many rows are kept, those of users passed over included."""
        return int(self.told["rows"])

    def holds(self, users: pl.Series) -> pl.Series:
        """Those of the users whose rows are kept here."""
        known = self._where["user_id"]
        if known.is_empty() or users.is_empty():
            return users.clear()
        place = known.search_sorted(users).clip(upper_bound=known.len() - 1)
        return users.filter((known.gather(place) == users) & ~users.is_in(self.dead.implode()))

    @property
    def users(self) -> pl.Series:
        """Whose rows are kept here, but for the users passed over."""
        return self.holds(self._where["user_id"].unique(maintain_order=True))

    @property
    def _where(self) -> pl.DataFrame:
        if "where" not in self._read:
            with readable(path := self.folder / "where.arrow"):
                self._read["where"] = pl.read_ipc(path)
        return self._read["where"]

    # The facts.

    @cached_property
    def told(self) -> dict[str, str | int]:
        """What was read and loaded when the part was written."""
        return dict(json.loads((self.folder / "facts.json").read_text(encoding="utf-8")))

    def quarantined(self) -> pl.DataFrame:
        """The rows set aside for the order of their run, or for another with their event_id."""
        rows = pl.scan_parquet(self.folder / "quarantined.parquet")
        return (
            rows.filter(~pl.col("user_id").is_in(self.dead.implode())) if self.dead.len() else rows
        ).collect()

    @cached_property
    def span(self) -> tuple[datetime, datetime] | None:
        """The first and last instant; None where nobody is left."""
        if not self.told["loaded"]:
            return None
        first, last = (datetime.fromisoformat(str(self.told[name])) for name in ("first_at", "last_at"))
        if self.dead.is_empty():
            return first, last
        users = self.table("users")["user_id"].is_in(self.dead.implode())
        gone = self._ends(pl.col("user").is_in(users.arg_true().implode()))
        if gone is None or (gone[0] > first and gone[1] < last):  # what is passed over lies within
            return first, last
        return self._ends(~pl.col("user").is_in(users.arg_true().implode()))

    def _ends(self, of: pl.Expr) -> tuple[datetime, datetime] | None:
        runs = self.table("runs").select("user", "first_at", "last_at").filter(of)
        goals = self.table("goals").filter(pl.col("run").is_null() & of)  # those of no run
        ends = pl.concat([runs["first_at"], runs["last_at"], goals["at"]])
        return (cast(datetime, ends.min()), cast(datetime, ends.max())) if ends.len() else None

    def table(self, name: str) -> pl.DataFrame:
        """One table as it was written, users passed over included."""
        if name not in self._read:
            path = self.folder / f"{name}.{'arrow' if name in MAPPED else 'parquet'}"
            with readable(path):
                table = pl.read_ipc(path).lazy() if name in MAPPED else pl.scan_parquet(path)
                self._read[name] = coded_for(self.journey, table).collect()
        return self._read[name]

    # The tables of the users that are not passed over.

    def living(self, name: str) -> pl.DataFrame:
        """One table without the users passed over."""
        return self._living(name)

    @cached_property
    def _living(self) -> Tables:
        if self.dead.is_empty():
            return self.table
        keep = ~self.table("users")["user_id"].is_in(self.dead.implode())
        return OfUsers(self.table, keep).table

    def few(self, users: pl.Series, *, named: bool = False) -> Tables:
        """The tables of few of the living users (ids); see :class:`journey_nb.subset.OfUsers`."""
        keep = pl.repeat(False, self._living("users").height, eager=True).scatter(users, True)
        lookup = self._of_runs if self.dead.is_empty() else None
        return OfUsers(self._living, keep, lookup, named=named).table

    def _of_runs(self, name: str, runs: pl.Series) -> pl.DataFrame:
        if name in MAPPED:
            rows = self._living(name)
            return rows[spans(rows["run"], runs)]
        path = self.folder / f"{name}.parquet"
        with readable(path):  # of a packed table only the groups that hold them are read
            near = pl.col("run").is_between(runs.min(), runs.max()) & pl.col("run").is_in(runs.implode())
            return coded_for(self.journey, pl.scan_parquet(path)).filter(near).collect()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name the file that cannot be read, and the mend."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"{path} cannot be read ({str(error).splitlines()[0][:200]}). If other programs changed the store more "
            "than ten minutes ago, ask it for the journey again; else it is damaged: journey-nb check tells what is, "
            "and Store.rebuild mends facts from the kept log"
        ) from error


def _where(user_id: pl.Series) -> pl.DataFrame:
    """In which chunks of the kept log each user has rows."""
    chunk = pl.int_range(pl.len(), dtype=pl.UInt32) // CHUNK
    return user_id.to_frame("user_id").with_columns(chunk=chunk).unique().sort("user_id", "chunk")


def _spans(chunks: pl.Series) -> list[tuple[int, int]]:
    """Neighbouring chunks together: first chunk, how many."""
    breaks = (chunks.diff().fill_null(1) != 1).cum_sum()
    spans = pl.DataFrame({"chunk": chunks, "span": breaks}).group_by("span", maintain_order=True)
    return spans.agg(pl.col("chunk").first(), count=pl.len()).select("chunk", "count").rows()


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


EMPTY_QUARANTINE = pl.DataFrame(schema=QUARANTINE)
