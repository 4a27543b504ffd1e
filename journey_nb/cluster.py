"""Logs larger than one machine: the same fold inside Spark's executors, and its facts in a store.

Everything is settled and folded user by user. So Spark only brings each user's rows together; every partition is
then folded by the code that loads a store, and written as the layer that a store would have made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from journey_nb.events import COLUMNS, EventLog
from journey_nb.journey import Journey
from journey_nb.reading import NUMBER, LogError, TimeUnit, TimeUnits, epoch_unit, roots
from journey_nb.reading import columns as chosen
from journey_nb.store import STRANGERS
from journey_nb.store.intake import ROWS_A_PART, Intake, strangers
from journey_nb.store.layers import Layer, design_of
from journey_nb.store.parcels import ROWS, packed

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

__all__ = ["fold_on_spark"]

_WHO = ("user_id", "device_id")
_ACCOUNT = {"partition": pl.Int64(), "journey_id": pl.String()} | dict.fromkeys(
    ("read", "loaded", "duplicates", "quarantined", "bytes"), pl.Int64()
)
_SCHEMA = "layer string, told string, file string, at long, bytes binary"


def fold_on_spark(
    log: DataFrame | str | Path,
    journeys: Journey | Sequence[Journey],
    out: str | Path,
    columns: Mapping[str, str | pl.Expr] | None = None,
    *,
    partitions: int | None = None,
    timezone: str | None = None,
    time_unit: TimeUnits = None,
    time_format: str | None = None,
    source: str | None = None,
) -> pl.DataFrame:
    """Fold a log inside Spark's executors, and write what :meth:`journey_nb.Store.adopt` takes in.

    Executors need journey_nb (with polars) and pyarrow, and nothing else.

    Parameters
    ----------
    log
        A Spark frame, or the path of Parquet files that Spark reaches.
    journeys
        The journeys of the log, as the store has them. Rows of others are set aside.
    out
        The folder to write, on any path that Spark reaches.
    columns, timezone, time_unit, time_format, source
        As for :meth:`journey_nb.EventLog.read`. Users and devices are columns of the frame: what must be computed
        for them is computed by Spark.
    partitions
        In how many the users are divided; by default one for every 2.5 million rows. A partition must fit into
        an executor's disk, and the rows of its heaviest user into its memory.

    Returns
    -------
    polars.DataFrame
        What became of the rows in each partition: partition, journey_id (empty: of none of them), read, loaded,
        duplicates, quarantined, and the bytes of the facts. Ids that users of different partitions share are
        settled when the facts are adopted.

    Raises
    ------
    LogError
        When the log cannot be read or folded; the message names the fix.

    Examples
    --------
    ::

        fold_on_spark(spark.read.table("events"), store.get("welcome"), "s3a://bucket/welcome", {"occurred_at": "ts"})
        store.adopt("s3://bucket/welcome")
    """
    journeys = [journeys] if isinstance(journeys, Journey) else list(journeys)
    with _spoken():
        frame = _frame(log)
        how = {"timezone": timezone, "time_unit": time_unit, "time_format": time_format, "source": source}
        reading = _Reading.of(frame, columns or {}, **how)
        frame = frame.select(*map(_named, reading.empty.columns))
        count = partitions or max(1, -(-frame.count() // ROWS_A_PART))
        work = partial(_folded, reading=reading, journeys=journeys, partitions=count)
        layers = frame.repartition(count, _user(frame, reading.mapping)).mapInArrow(work, _SCHEMA)
        layers.write.option("compression", "zstd").parquet(str(out))
        told = frame.sparkSession.read.parquet(str(out)).where("told is not null").select("layer", "told")
        return _account(told.collect())


def _frame(log: DataFrame | str | Path) -> DataFrame:
    if not isinstance(log, (str, Path)):
        return log
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
    # As EventLog.read has them: columns that only some of the files have, and those that folders are named by.
    reader = spark.read.option("mergeSchema", True)
    if named := _FOLDERS.search(str(log)):
        reader = reader.option("basePath", str(log)[: named.start()] or ".")
    kept = spark.conf.get(_GUESSES)
    spark.conf.set(_GUESSES, "false")  # it would take the folder user_id=007 for the number 7
    try:
        return reader.parquet(str(log))
    finally:
        spark.conf.set(_GUESSES, kept)


_GUESSES = "spark.sql.sources.partitionColumnTypeInference.enabled"
# Where a path is no more that of one folder, but a pattern, or names a column.
_FOLDERS = re.compile(r"(?:(?<=/)|^)[^/]*[*?\[{=].*")


def _account(rows: Sequence[Any]) -> pl.DataFrame:
    """What the executors told of their layers."""
    told = [(row["layer"], json.loads(row["told"])) for row in rows]
    frame = pl.DataFrame(
        [
            {
                "partition": int(name.split("-")[0]),
                "journey_id": one["journey_id"],
                "read": one["read"],
                "loaded": one["rows"] - one["quarantined"],
                "duplicates": one["read"] - one["rows"] - one["faulty"],
                "quarantined": one["faulty"] + one["quarantined"],
                "bytes": sum(size for size, _ in one["files"].values()),
            }
            for name, one in told
        ],
        schema=_ACCOUNT,  # Spark runs nothing for a log without rows
    )
    return frame.filter(pl.col("read") > 0).sort("partition", "journey_id")


# How the log is read: settled once, for a partition alone could come to another reading of its times.


@dataclass(frozen=True)
class _Reading:
    mapping: dict[str, str | pl.Expr]
    how: dict[str, Any]
    empty: pl.DataFrame  # no rows of the columns that are read

    @classmethod
    def of(cls, frame: DataFrame, mapping: Mapping[str, str | pl.Expr], **how: Any) -> _Reading:
        """Check the mapping against the columns there are, and find the units of times that are numbers."""
        origins = [
            origin for name in COLUMNS if isinstance(origin := mapping.get(name, name), (str, pl.Expr))
        ]
        wanted = {root for origin in origins for root in roots(origin)}
        # Of the others the types may be none of Arrow's.
        read = [name for name in frame.columns if name in wanted]
        empty = pl.DataFrame(frame.select(*map(_named, read)).limit(0).toArrow())
        empty = pl.DataFrame(schema={**dict.fromkeys(frame.columns, pl.Null()), **empty.schema})
        how["time_unit"] = how["time_unit"] or _units(frame, empty, mapping, how["time_format"])
        EventLog.from_frame(empty, mapping, **how)
        for name in _WHO:
            if isinstance(mapping.get(name), pl.Expr):
                raise LogError(
                    f"{name} is an expression of polars, and Spark must know it to bring a user's rows together: "
                    f"add it to the frame (log.withColumn({name!r}, …))"
                )
        return cls(dict(mapping), how, empty.select(read))

    def log(self, rows: pl.LazyFrame, name: str) -> EventLog:
        """Rows of the log as the log that they are."""
        return EventLog.from_frame(rows, self.mapping, **self.how, name=name)


def _units(
    frame: DataFrame, empty: pl.DataFrame, mapping: Mapping[str, str | pl.Expr], form: str | None
) -> dict[str, TimeUnit | None]:
    """The unit of each column of times, None where it holds no epoch numbers: what epoch_unit finds in the whole."""
    schema = chosen(empty.lazy(), COLUMNS, mapping, "the log")[0].collect_schema()
    found: dict[str, TimeUnit | None] = {}
    for name in ("occurred_at", "due_at"):
        found[name] = None
        text = schema.get(name) == pl.String
        if name not in schema or not (text or schema[name].is_numeric()) or (text and form):
            continue
        origin = mapping.get(name, name)
        if not isinstance(origin, str):
            raise LogError(f"{name} is computed and may hold numbers: say time_unit=…, or make it a time")
        found[name] = epoch_unit(_extremes(frame, origin, name, text), name, "the log")
    return found


def _extremes(frame: DataFrame, origin: str, name: str, text: bool) -> pl.LazyFrame:
    """A column of two rows in which epoch_unit finds what it would find in the whole column."""
    from pyspark.sql import functions as F

    value = F.btrim(_named(origin).cast("string"), F.lit(" \t\r\n"))
    number = F.when(value.rlike(NUMBER), value.cast("double")) if text else _named(origin).cast("double")
    if name == "due_at":  # there 0 says that nothing is due
        number = F.when(number != 0, number)
    numbers, cells = F.count(number), F.count(F.nullif(value, F.lit("")))
    low, high, rule = frame.agg(F.min(number), F.max(number), numbers * 2 > cells).first()
    found = pl.Series(name, [low, high] if rule or not text else [None, None], dtype=pl.Float64)
    return found.cast(pl.String if text else pl.Float64).to_frame().lazy()


def _named(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.col("`" + name.replace("`", "``") + "`")


def _user(frame: DataFrame, mapping: Mapping[str, str | pl.Expr]) -> Column:
    """Who a row is about, as events/rules.py has it; a row about nobody may be anywhere."""
    from pyspark.sql import functions as F

    kinds = dict(frame.dtypes)

    def told(name: str) -> Column:
        origin = mapping.get(name, name)
        if not isinstance(origin, str) or origin not in kinds:
            return F.lit(None).cast("string")
        value = _named(origin)
        if kinds[origin] in ("float", "double"):
            value = F.when(~F.isnan(value), value + 0.0)  # -0.0 is 0.0
        return F.nullif(value.cast("string"), F.lit(""))

    anywhere = F.xxhash64(*map(_named, frame.columns)).cast("string")
    return F.coalesce(told("user_id"), F.concat(F.lit("device:"), told("device_id")), anywhere)


# Inside an executor.


def _folded(
    batches: Iterator[pa.RecordBatch], reading: _Reading, journeys: Sequence[Journey], partitions: int
) -> Iterator[pa.RecordBatch]:
    """One partition as the layers that a store would make of it, packed."""
    import pyarrow as pa
    from pyspark import TaskContext

    context = TaskContext.get()
    number = context.partitionId() if context else 0
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.binary())
    schema = pa.schema(list(zip(ROWS, kinds, strict=True)))
    with TemporaryDirectory(prefix="journey_nb") as folder:
        log = reading.log(_spilled(batches, Path(folder) / "log.arrow", reading.empty), f"partition {number}")
        for journey_id, layer in _layers(log, journeys, Path(folder), number):
            for row in packed(layer, journey_id, of=partitions * (len(journeys) + 1)):
                yield pa.RecordBatch.from_pylist([dict(zip(ROWS, row, strict=True))], schema=schema)


def _spilled(batches: Iterator[pa.RecordBatch], path: Path, empty: pl.DataFrame) -> pl.LazyFrame:
    """The rows in a file: they need not fit into memory."""
    import pyarrow as pa

    first = next(batches, None)
    if first is None:
        return empty.lazy()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, first.schema) as writer:
        for batch in (first, *batches):
            writer.write_batch(batch)
    return pl.scan_ipc(path, glob=False)


def _layers(
    log: EventLog, journeys: Sequence[Journey], folder: Path, number: int
) -> Iterator[tuple[str, Layer]]:
    """What a store would make of the log: a layer for each journey, and one of the rows that are of none."""
    for place, journey in enumerate(journeys):
        layer = Layer(folder / f"{number}-{place}", design=design_of(journey))
        mine = log.only(pl.col("journey_id") == journey.journey_id)
        yield journey.journey_id, Intake(journey, layer).load(mine)
    ids = [journey.journey_id for journey in journeys]
    yield STRANGERS, strangers(log, ids, Layer(folder / f"{number}-{len(journeys)}"))


# What went wrong, in words.

_MENDS = {
    "No module named": "install journey_nb and pyarrow where the executors' Python finds them (PYSPARK_PYTHON names it)",
    "Python worker exited unexpectedly": "a partition may need more memory than there is: say more partitions=…",
    "OutOfMemoryError": "give the executors more memory, or say more partitions=…",
    "PATH_ALREADY_EXISTS": "name another folder, or remove that one",
    "PATH_NOT_FOUND": "check the path",
    "UNABLE_TO_INFER_SCHEMA": "it holds no Parquet files, or only in folders below: check the path, or say log/*",
    "CONFLICTING_DIRECTORY_STRUCTURES": "folders that name columns lie in several others: read each of them apart, and give "
    "one.unionByName(other, allowMissingColumns=True)",
    "CANNOT_MERGE_SCHEMAS": "a column is of several types in the files: write them alike, or read apart those that are, "
    "and give one.unionByName(other, allowMissingColumns=True)",
    "DATA_TYPE_MISMATCH": "say the types that all files have: spark.read.schema(…).parquet(…)",
    "unable to parse time zone": "name the session's zone otherwise: spark.conf.set('spark.sql.session.timeZone', 'UTC')",
    "AMBIGUOUS_REFERENCE": "two columns differ in capitals only: rename or drop one in the frame",
    "FAILED_READ_FILE": "the file is cut short or damaged: copy or write it again",
}
_OURS, _JAVAS = re.compile(r"journey_nb[\w.]*: "), re.compile(r"^: [\w.$]+: (.*)$", re.MULTILINE)


@contextmanager
def _spoken() -> Iterator[None]:
    """Tell what Spark met in a sentence; its own message is the stacks of two languages."""
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ImportError:
        raise LogError("Spark is not installed: pip install 'journey-nb[spark]'") from None
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise LogError(_plain(str(error))) from error


def _plain(text: str) -> str:
    python = text.strip().splitlines()[-1] if "Traceback" in text else ""
    if found := _OURS.match(python):
        return python[found.end() :]
    java = _JAVAS.search(text)
    told = python or (java.group(1) if java else text.split("\n", 1)[0])
    mend = next((mend for sign, mend in _MENDS.items() if sign in text), "the log of Spark says more")
    return f"the log cannot be folded on Spark: {told.strip()[:300]}; {mend}"
