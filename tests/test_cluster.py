"""Folded inside Spark and adopted, a log has the facts and the numbers of loading it at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from same import assert_same
from test_splits import at_once, logs, share_ids

import journey_nb as jn
from journey_nb import cluster
from journey_nb.cluster import fold_on_spark
from journey_nb.reading import LogError
from journey_nb.simulate import simulate
from journey_nb.store import intake

pytestmark = pytest.mark.spark

SEEDS = max(10, int(os.environ.get("JOURNEY_NB_SEEDS", 0)) // 20)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One session of two cores, on this machine alone."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",  # a short life needs no optimised code
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(tmp_path_factory.mktemp("spark")),
    }
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def log(welcome: jn.Journey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What 1,000 people did: some rows twice, some late, some without sense, some of nobody's journey."""
    rows = simulate(welcome, users=1_000, seed=3, dirty=0.01)
    odd = rows.sample(200, seed=1)
    faulty = [
        odd[:80].with_columns(point_id=pl.lit("nowhere"), event_id=pl.lit(None, pl.String)),
        odd[80:120].with_columns(user_id=pl.lit(None, pl.String), device_id=pl.lit(None, pl.String)),
        odd[120:160].with_columns(journey_id=pl.lit("another")),
        odd[160:].with_columns(user_id=pl.lit(None, pl.String)),  # their device stands for them
    ]
    path = tmp_path_factory.mktemp("log") / "events.parquet"
    pl.concat([rows, *faulty]).write_parquet(path)
    return path


def store_of(path: Path, *journeys: jn.Journey) -> jn.Store:
    store = jn.Store(path)
    for journey in journeys:
        store.add(journey)
    return store


def assert_equal(store: jn.Store, expected: jn.Store, key: str = "welcome") -> None:
    assert store.check() == []
    assert_same(store[key].facts, expected[key].facts)
    for name in ("health", "points", "daily", "goals"):
        assert_frame_equal(*(getattr(one[key], name)() for one in (store, expected)), rel_tol=1e-9)


@pytest.mark.parametrize("partitions", [1, 3])
def test_an_adopted_log_is_a_store_like_any_other(
    spark: Any, log: Path, welcome: jn.Journey, tmp_path: Path, partitions: int
) -> None:
    expected = store_of(tmp_path / "expected", welcome)
    loaded = expected.load(log)
    account = fold_on_spark(str(log), welcome, tmp_path / "out", partitions=partitions)
    assert account["partition"].n_unique() == partitions
    store = store_of(tmp_path / "store", welcome)
    assert store.adopt(tmp_path / "out") == loaded
    assert account["read"].sum() == loaded.read
    assert (account["read"] == account["loaded"] + account["duplicates"] + account["quarantined"]).all()
    assert_equal(store, expected)
    assert (
        store.strangers.drop("row").sort("event_id").equals(expected.strangers.drop("row").sort("event_id"))
    )
    assert store.adopt(tmp_path / "out").skipped == (str(tmp_path / "out"),)

    more = simulate(welcome, users=1_100, seed=3).sample(3_000, seed=5)
    for one in (store, expected):
        one.append(more)
    assert_equal(store, expected)
    store.rebuild("welcome")
    assert_equal(store, expected)


def together(seeds: range) -> tuple[list[jn.Journey], pl.DataFrame]:
    """Many made-up journeys with a dirty log each, in one log."""
    journeys, frames = [], []
    for seed in seeds:
        journey, frame, rng = logs(seed)
        name = {"journey_id": f"{journey.journey_id} {seed}"}
        journeys.append(journey.model_copy(update=name))
        if frame["occurred_at"].dtype != pl.String:
            frame = frame.with_columns(pl.col("occurred_at").dt.to_string("iso"))
        frame = share_ids(rng, frame) if seed % 2 else frame
        again = frame.filter(
            pl.int_range(pl.len()).is_in(rng.sample(range(frame.height), frame.height // 10))
        )
        frames.append(pl.concat([frame, again]).with_columns(pl.lit(name["journey_id"]).alias("journey_id")))
    return journeys, pl.concat(frames)


@pytest.mark.parametrize("start", range(0, SEEDS, 10))
def test_dirty_logs_and_ids_shared_across_partitions(
    spark: Any, tmp_path: Path, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journeys, rows = together(range(start, start + 10))
    rows.drop("place").write_parquet(tmp_path / "log.parquet")
    fold_on_spark(tmp_path / "log.parquet", journeys, tmp_path / "out", partitions=2 + start // 10 % 2)
    store = store_of(tmp_path / "store", *journeys)
    # Half of the journeys are there already, in part: the rest must be told together with it.
    early = rows.filter(pl.col("journey_id").is_in([one.journey_id for one in journeys[::2]]))
    early = early.sample(fraction=0.3, seed=1)
    if early.height:
        store.append(early.drop("place"))
    monkeypatch.setattr(intake, "ROWS_A_PART", 12)
    store.adopt(tmp_path / "out")
    assert store.check() == []
    for journey in journeys:
        whole = pl.concat([rows, early]).filter(pl.col("journey_id") == journey.journey_id)
        try:
            assert_same(store[journey.journey_id].facts, at_once(journey, whole))
        except BaseException as error:
            error.add_note(journey.journey_id)
            raise


def test_columns_and_times_are_read_as_in_the_whole_log(
    spark: Any, welcome: jn.Journey, tmp_path: Path
) -> None:
    """The unit of epoch numbers is settled once: a partition alone could come to another."""
    rows = simulate(welcome, users=60, seed=2)
    texts = rows.select(
        pl.all().exclude("occurred_at", "user_id", "journey_id"),
        who=pl.col("user_id").hash() % 2**31 / 1,  # numbers that a table with gaps holds as floats
        ts=pl.when(pl.int_range(pl.len()) % 9 == 0)
        .then(pl.col("occurred_at").dt.epoch("s").cast(pl.String))
        .otherwise(pl.col("occurred_at").dt.strftime("%Y-%m-%d %H:%M:%S")),
    )
    columns = {"user_id": "who", "occurred_at": "ts", "journey_id": pl.lit("welcome")}
    for name, frame in {
        "texts": texts,
        "numbers": texts.with_columns(ts=rows["occurred_at"].dt.epoch("ms")),
    }.items():
        expected = store_of(tmp_path / name, welcome)
        expected.append(jn.EventLog.from_frame(frame, columns, timezone="Asia/Seoul"))
        frame.write_parquet(tmp_path / f"{name}.parquet")
        given = spark.read.parquet(str(tmp_path / f"{name}.parquet"))
        fold_on_spark(given, welcome, tmp_path / f"{name} out", columns, partitions=3, timezone="Asia/Seoul")
        store = store_of(tmp_path / f"{name} store", welcome)
        store.adopt(tmp_path / f"{name} out")
        assert_equal(store, expected)


@pytest.mark.parametrize("named", ["", "user_id=*/*.parquet"])
def test_a_folder_is_read_as_on_one_machine(
    spark: Any, welcome: jn.Journey, tmp_path: Path, named: str
) -> None:
    """Columns that only some files have, and those in the names of folders, as they are written there."""
    rows = simulate(welcome, users=3, seed=2)
    for number, user in enumerate(rows["user_id"].unique().sort()):
        folder = tmp_path / "log" / f"user_id=00{number}"
        folder.mkdir(parents=True)
        own = rows.filter(pl.col("user_id") == user).drop(
            "user_id", *([] if number else ["value", "variant"])
        )
        own.write_parquet(folder / "events.parquet")
    expected, store = (store_of(tmp_path / name, welcome) for name in ("expected", "store"))
    expected.append(jn.EventLog.read(tmp_path / "log" / "*" / "*.parquet"))
    fold_on_spark(tmp_path / "log" / named, welcome, tmp_path / "out", partitions=1)
    store.adopt(tmp_path / "out")
    assert "000" in store["welcome"].users()["user_id"]
    assert_equal(store, expected)


def test_a_log_without_rows_adds_nothing(spark: Any, log: Path, welcome: jn.Journey, tmp_path: Path) -> None:
    account = fold_on_spark(spark.read.parquet(str(log)).limit(0), welcome, tmp_path / "out")
    assert account["loaded"].sum() == 0
    store = store_of(tmp_path / "store", welcome)
    assert store.adopt(tmp_path / "out") == jn.store.Loaded()
    assert store.loads().height == 1
    assert store.check() == []


def test_columns_that_are_not_read_may_be_of_any_type(spark: Any, log: Path) -> None:
    frame = spark.read.parquet(str(log)).selectExpr("*", "make_interval(1) as took")
    how = {"time_unit": None, "time_format": None}
    assert "took" not in cluster._Reading.of(frame, {}, **how).empty.columns
    with pytest.raises(LogError, match=r"no column 'tok' for 'user_id'; did you mean 'took'"):
        cluster._Reading.of(frame, {"user_id": "tok"}, **how)


def test_what_goes_wrong_is_told_with_its_mend(
    spark: Any, log: Path, welcome: jn.Journey, tmp_path: Path
) -> None:
    def refused(words: str, given: Any = log, *args: Any, **how: Any) -> None:
        with pytest.raises(LogError, match=words):
            fold_on_spark(given, welcome, tmp_path / "out", *args, **how)

    whole = bytearray(log.read_bytes())
    middle = len(whole) // 2
    (tmp_path / "cut.parquet").write_bytes(whole[:middle])
    whole[middle : middle + 5_000] = bytes(5_000)
    (tmp_path / "damaged.parquet").write_bytes(whole)
    refused("cut short or damaged: copy or write it again", tmp_path / "cut.parquet")
    refused("cut short or damaged: copy or write it again", tmp_path / "damaged.parquet", partitions=1)
    refused("check the path", tmp_path / "missing.parquet")
    for number, version in enumerate([1, "one"]):
        (tmp_path / "two").mkdir(exist_ok=True)
        pl.DataFrame({"version": [version]}).write_parquet(tmp_path / "two" / f"{number}.parquet")
    refused("of several types in the files: write them alike", tmp_path / "two")
    for folder in ("eu/variant=A", "us/variant=B"):
        (tmp_path / folder).mkdir(parents=True)
        pl.DataFrame({"version": [1]}).write_parquet(tmp_path / folder / "0.parquet")
    (tmp_path / "above" / "below").mkdir(parents=True)
    refused("read each of them apart, and give one.unionByName", tmp_path / "?[us]")
    refused("in folders below: check the path, or say .*/\\*", tmp_path / "above")
    refused("no column 'customer' for 'user_id'", log, {"user_id": "customer"})
    refused("log.withColumn", log, {"user_id": pl.col("user_id").str.to_lowercase()})
    refused("say time_unit", log, {"occurred_at": pl.col("occurred_at").dt.epoch("ms")})
    broken = {
        "variant": pl.col("user_id").cast(pl.Int64).cast(pl.String)
    }  # fails where it is read: in an executor
    refused("partition 0 cannot be read: an expression .* failed: conversion from", log, broken, partitions=1)


def test_what_is_not_as_it_was_written_is_refused(
    spark: Any, log: Path, welcome: jn.Journey, tmp_path: Path
) -> None:
    out, store = tmp_path / "out", store_of(tmp_path / "store", welcome)
    fold_on_spark(log, welcome, out, partitions=2)
    with pytest.raises(LogError, match="name another folder"):
        fold_on_spark(log, welcome, out, partitions=1)
    first, _ = sorted(out.glob("*.parquet"))
    rows = pl.read_parquet(first)
    first.rename(tmp_path / "aside")
    with pytest.raises(jn.StoreError, match=r"holds 2 layers where it should hold 4.*fold again"):
        store.adopt(out)
    (tmp_path / "aside").rename(first)
    (tmp_path / "interrupted" / "_temporary").mkdir(parents=True)
    with pytest.raises(jn.StoreError, match="remove it, and fold again"):
        store.adopt(tmp_path / "interrupted")
    with pytest.raises(jn.StoreError, match="a log itself is loaded with load"):
        store.adopt(log.parent)
    for edited, words in {
        "damaged": (pl.col("bytes").bin.slice(1), "is damaged; copy it again"),
        "hostile": (pl.lit("../../../escaped.arrow"), "no file of a layer"),
    }.values():
        name = "file" if "no file" in words else "bytes"
        rows.with_columns(
            pl.when(pl.col("file").str.ends_with("runs.arrow")).then(edited).otherwise(name).alias(name)
        ).write_parquet(first)
        with pytest.raises(jn.StoreError, match=words):
            store.adopt(out)
    assert not list(tmp_path.rglob("escaped.arrow"))
    rows.write_parquet(first)
    edited = welcome.model_copy(update={"timezone": "Asia/Seoul"})
    with pytest.raises(jn.StoreError, match=r"another in the store.*fold_on_spark"):
        store_of(tmp_path / "other", edited).adopt(out)
    with pytest.raises(KeyError, match="add one first"):
        jn.Store(tmp_path / "none").adopt(out)
    assert store.check() == []
    assert store.adopt(out).loaded == store["welcome"].facts.folded.loaded


EXECUTOR = """
import sys
sys.modules["numpy"] = sys.modules["pandas"] = sys.modules["scipy"] = None
import polars as pl, pyarrow as pa, journey_nb as jn
from journey_nb import cluster
table = pa.ipc.open_file(sys.argv[1]).read_all()
reading = cluster._Reading({}, {}, pl.DataFrame(table.slice(0, 0)))
rows = cluster._folded(iter(table.to_batches()), reading, [jn.Journey.sample("welcome")], 1)
print(sum(batch.num_rows for batch in rows))
"""


def test_executors_need_neither_numpy_nor_pandas(welcome_log: pl.DataFrame, tmp_path: Path) -> None:
    welcome_log.with_columns(pl.col(pl.Enum).cast(pl.String)).write_ipc(
        tmp_path / "log.arrow", compat_level=pl.CompatLevel.oldest()
    )
    told = subprocess.run(
        [sys.executable, "-c", EXECUTOR, tmp_path / "log.arrow"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > 10
