"""A Delta table is a log like any other, and a version of it is loaded once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from same import assert_same

import journey_nb as jn
from journey_nb.reading import LogError


def test_versions_of_a_table_are_each_loaded_once(
    welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    table, names = tmp_path / "table", {"user_id": "who"}
    rows = welcome_log.rename({"user_id": "who"}).with_columns(pl.col(pl.Enum).cast(pl.String))
    rows[:4_000].write_delta(table)
    rows[4_000:].write_delta(table, mode="append")
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    first = store.load_delta(table, names, version=0)
    assert (first.read, first.duplicates) == (4_000, 0)
    assert store.load_delta(str(table), names, version=0).skipped == (f"{table} version 0",)
    both = store.load_delta(table, names)
    assert (both.read, both.duplicates) == (rows.height, 4_000)
    assert store.load_delta(table, names).read == 0
    assert store.loads()["how"].to_list() == ["user_id=who"] * 2
    expected = jn.Store(tmp_path / "expected")
    expected.add(welcome)
    expected.append(welcome_log[:4_000])
    expected.append(welcome_log)
    assert_same(store["welcome"].facts, expected["welcome"].facts)


@pytest.mark.parametrize("name", ["my événements", "a#b"])
def test_a_folder_may_have_any_name(
    name: str, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    rows = welcome_log[:200].with_columns(pl.col(pl.Enum).cast(pl.String), source=pl.lit("app 1"))
    rows.write_delta(tmp_path / name, delta_write_options={"partition_by": ["source"]})
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    assert store.load_delta(tmp_path / name).read == 200
    with pytest.raises(LogError, match=rf"{name} version 0: no column 'when'"):
        store.load_delta(tmp_path / name, {"occurred_at": "when"})


def test_a_version_whose_files_are_gone_and_a_url_that_names_another_folder_are_told(
    welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    rows = welcome_log[:9].with_columns(pl.col(pl.Enum).cast(pl.String))
    for _ in range(2):
        rows.write_delta(tmp_path / "table", mode="overwrite")
    DeltaTable(tmp_path / "table").vacuum(0, dry_run=False, enforce_retention_duration=False)
    store = jn.Store(tmp_path / "store")
    with pytest.raises(
        LogError, match=r"table version 0: files of it are not there any more, .*later version"
    ):
        store.load_delta(tmp_path / "table", version=0)
    with pytest.raises(LogError, match="rename the folder"):
        store.load_delta("s3://bucket/a#1")


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    store = jn.Store(tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="empty is no Delta table"):
        store.load_delta(tmp_path / "empty")
    log = tmp_path / "empty" / "_delta_log"
    log.symlink_to(log)
    with pytest.raises(
        LogError, match=r"empty cannot be read: Too many levels of symbolic links [^\n]*; check"
    ):
        store.load_delta(tmp_path / "empty")
    log.unlink()
    log.mkdir()
    (log / f"{0:020}.json").write_text("{torn")
    with pytest.raises(
        LogError, match=r"no Delta table of that version: Kernel error[^\n]*; check the path$"
    ):
        store.load_delta(tmp_path / "empty")
    pl.DataFrame({"a": [1]}).write_delta(tmp_path / "table")
    for version in (-1, 7):
        with pytest.raises(LogError, match=f"table has no version {version}: name one from 0 to 0, or"):
            store.load_delta(tmp_path / "table", version=version)
    with pytest.raises(LogError, match="no column 'occurred_at'"):
        store.load_delta(tmp_path / "table")


def test_what_stops_a_reading_is_told_with_its_mend(welcome_log: pl.DataFrame, tmp_path: Path) -> None:
    store, table = jn.Store(tmp_path / "store"), tmp_path / "table"
    welcome_log[:99].with_columns(pl.col(pl.Enum).cast(pl.String)).write_delta(table)
    (file,) = table.glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        LogError, match=r"table version 0 cannot be read: it is shorter .*copy or write it again"
    ):
        store.load_delta(table)
    (told,) = (table / "_delta_log").glob("*.json")
    told.write_text(re.sub(r'"minReaderVersion":\d', '"minReaderVersion":2', told.read_text()))
    with pytest.raises(LogError, match=r"column mapping.*plain table .*, or fold them on Spark"):
        store.load_delta(table)
    nowhere = {"aws_endpoint_url": "http://127.0.0.1:9", "aws_allow_http": "true", "aws_access_key_id": "k",
               "aws_secret_access_key": "s", "aws_region": "us-east-1", "max_retries": "0"}  # fmt: skip
    with pytest.raises(
        LogError, match=r"s3://shop/events cannot be read: the store cannot be reached; check"
    ):
        store.load_delta("s3://shop/events", storage_options=nowhere)


def test_the_files_of_a_table_are_not_read_as_if_all_their_rows_counted(
    welcome_log: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was deleted there would be here again."""
    table = tmp_path / "table"
    rows = welcome_log[:50].with_columns(pl.col(pl.Enum).cast(pl.String))
    rows.write_delta(table, delta_write_options={"partition_by": ["kind", "user_id"]})
    DeltaTable(table).delete(f"user_id = '{rows['user_id'][0]}'")
    store = jn.Store(tmp_path / "store")
    for path in (table, table / "**" / "*.parquet", table / "kind=run.entered" / "*" / "*", table / _LOG):
        with pytest.raises(LogError, match=rf"^{table} is a Delta table.*store\.load_delta"):
            store.load(str(path))
    monkeypatch.chdir(next(table.glob("kind=run.entered/*")))
    for named in ("*.parquet", "../*/*.parquet"):
        with pytest.raises(LogError, match=rf"^{table} is a Delta table"):
            store.load(named)
    changes = table / "_change_data" / "kind=goal.reached"  # the rows before and after each change
    changes.mkdir(parents=True)
    rows.write_parquet(changes / "cdc-0.parquet")
    with pytest.raises(LogError, match=rf"^{table} is a Delta table"):
        store.load(str(changes / "*.parquet"))


def test_a_column_called_nearly_as_one_that_is_read_is_told_as_of_files(
    welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    rows = welcome_log[:50].with_columns(pl.col(pl.Enum).cast(pl.String))
    rows.rename({"value": "val"}).write_delta(tmp_path / "table")
    for _ in range(2):  # what was loaded before is not read again
        store.load_delta(tmp_path / "table")
    assert caplog.messages == [
        f"{tmp_path / 'table'} version 0: column 'val' is not read; did you mean 'value'?"
    ]


@pytest.mark.parametrize("named", ["", "**/*.parquet", "data/k=1/*.parquet", "data/a.parquet"])
def test_the_files_of_an_iceberg_table_neither(welcome_log: pl.DataFrame, tmp_path: Path, named: str) -> None:
    table = tmp_path / "table"
    (table / "metadata").mkdir(parents=True)
    (table / "metadata" / "00001-a.metadata.json").touch()
    for data in (table / "data" / "a.parquet", table / "data" / "k=1" / "b.parquet"):
        data.parent.mkdir(exist_ok=True)
        welcome_log[:9].write_parquet(data)
    with pytest.raises(LogError, match=rf"^{table} is an Iceberg table.*polars\.scan_iceberg"):
        jn.EventLog.read(table / named)


def test_a_folder_of_descriptions_makes_no_table(welcome_log: pl.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "customers.metadata.json").touch()
    welcome_log[:9].write_parquet(tmp_path / "a.parquet")
    assert jn.EventLog.read(tmp_path / "*.parquet").height == 9


@pytest.mark.parametrize("named", ["events.csv", "more/events.csv.gz", "more/events.jsonl"])
def test_files_of_text_are_of_no_table_wherever_they_lie(
    welcome_log: pl.DataFrame, tmp_path: Path, named: str
) -> None:
    """A table that somebody wrote into the folder of a project kept every log below it from being read."""
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "0.json").touch()
    file = tmp_path / named
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".jsonl":
        welcome_log[:9].write_ndjson(file)
    else:
        welcome_log[:9].write_csv(file, compression="gzip" if file.suffix == ".gz" else "uncompressed")
    assert jn.EventLog.read(file).height == 9


_LOG = "_delta_log/*.json"


def test_a_copy_that_goes_on_by_itself_is_another_table(
    welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    rows = welcome_log.with_columns(pl.col(pl.Enum).cast(pl.String))
    rows[:100].write_delta(one)
    shutil.copytree(one, other)
    rows[100:150].write_delta(one, mode="append")
    rows[150:200].write_delta(other, mode="append")
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    assert store.load_delta(one).loaded == 150
    assert store.load_delta(other).loaded == 50
    assert store.load_delta(other).skipped
