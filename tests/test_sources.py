"""Wherever a log is kept, in a file, a database or an object store: it is read as the same log."""

from __future__ import annotations

import gzip
import io
import json
import logging
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb import LogError
from journey_nb.databases import rows

KEYS = {"aws_access_key_id": "AKIA0LOGS0READER", "aws_secret_access_key": "sEcReT/of+the/reader"}
BUCKET = "events"

# Every engine: what a frame becomes in it, read back as a log.
Engine = Callable[[pl.DataFrame], jn.EventLog]


def on_server(*names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.server) for name in names]


DATABASES = ["duckdb", "sqlite", *on_server("psycopg", "adbc")]
STORED = ["s3 parquet", "s3 csv", "s3 csv.gz", "s3 jsonl", "s3 jsonl.gz", "s3 arrow"]


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[dict[str, str], Any]]:
    """The options of a store that speaks S3, and a client that fills it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint, **KEYS)
    client.create_bucket(Bucket=BUCKET)
    yield {**KEYS, "aws_region": "us-east-1", "aws_endpoint_url": endpoint, "aws_allow_http": "true"}, client
    client.close()
    server.stop()


def written(frame: pl.DataFrame, form: str) -> bytes:
    file = io.BytesIO()
    match form.removesuffix(".gz"):
        case "parquet":
            frame.write_parquet(file)
        case "arrow":
            frame.write_ipc(file)
        case "csv":
            frame.write_csv(file)
        case _:
            frame.write_ndjson(file)
    return gzip.compress(file.getvalue()) if form.endswith(".gz") else file.getvalue()


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of types that every database has, and the place of every row."""
    texts = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Enum)]
    return frame.with_columns(pl.col(texts).cast(pl.String)).with_row_index("place")


def created(frame: pl.DataFrame) -> str:
    types = {pl.Float64: "double precision", pl.Boolean: "boolean", pl.Int32: "integer", pl.Int64: "bigint",
             pl.UInt32: "bigint", pl.Datetime("us", "UTC"): "timestamptz"}  # fmt: skip
    told = ", ".join(f'"{name}" {types.get(dtype, "text")}' for name, dtype in frame.schema.items())
    return f"drop table if exists log; create table log ({told})"


SELECT = "select * from log order by place"


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine that the test is run with, by its name."""
    name = request.param
    if name == "duckdb":
        return in_duckdb
    if name == "sqlite":
        return in_sqlite
    if name.startswith("s3 "):
        options, client = request.getfixturevalue("store")
        return lambda frame: in_store(frame, name.removeprefix("s3 "), options, client)
    address = request.getfixturevalue("postgres")
    return lambda frame: in_postgres(frame, name, address)


def in_duckdb(frame: pl.DataFrame) -> jn.EventLog:
    with duckdb.connect() as connection:
        # A temporary table is seen by the connection alone that made it.
        connection.execute("create temporary table log as select * from frame")
        return jn.EventLog.from_query(connection, SELECT)


def in_sqlite(frame: pl.DataFrame) -> jn.EventLog:
    texts = frame.with_columns(pl.col(pl.Datetime).dt.to_string("iso:strict"))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(created(frame))
        connection.executemany(f"insert into log values ({', '.join('?' * frame.width)})", texts.rows())
        return jn.EventLog.from_query(connection, SELECT)


def in_postgres(frame: pl.DataFrame, driver: str, address: str) -> jn.EventLog:
    import adbc_driver_postgresql.dbapi as adbc
    import psycopg

    with psycopg.connect(address) as connection:
        connection.execute("set client_min_messages = error")
        connection.execute(created(frame))
        with connection.cursor() as cursor, cursor.copy("copy log from stdin") as copy:
            for row in frame.iter_rows():
                copy.write_row(row)
        if driver == "psycopg":
            return jn.EventLog.from_query(connection, SELECT)
    with adbc.connect(address) as connection:
        return jn.EventLog.from_query(connection, SELECT)


def in_store(frame: pl.DataFrame, form: str, options: dict[str, str], client: Any) -> jn.EventLog:
    """In two objects, which a pattern finds."""
    half = frame.height // 2
    for number, part in enumerate((frame.head(half), frame.tail(-half))):
        client.put_object(Bucket=BUCKET, Key=f"{form}/part {number}.{form}", Body=written(part, form))
    return jn.EventLog.read(f"s3://{BUCKET}/{form}/*.{form}", storage_options=options)


def from_parquet(frame: pl.DataFrame, folder: Path) -> jn.EventLog:
    frame.write_parquet(folder / "log.parquet")
    return jn.EventLog.read(folder / "log.parquet")


def assert_same(log: jn.EventLog, file: jn.EventLog, journey: jn.Journey) -> None:
    assert_frame_equal(log.frame.collect(), file.frame.collect())
    assert str(log.report(journey)) == str(file.report(journey))
    assert log.extra == file.extra == ("place",)


@pytest.mark.parametrize("engine", [*DATABASES, *STORED], indirect=True)
def test_the_simulated_log_is_the_same_everywhere(
    engine: Engine, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    frame = plain(welcome_log)
    log, file = engine(frame), from_parquet(frame, tmp_path)
    assert_same(log, file, welcome)
    one, other = jn.JourneyStats(welcome, log), jn.JourneyStats(welcome, file)
    for table in ("health", "audience", "points", "goals", "users", "paths"):
        assert_frame_equal(getattr(one, table)(), getattr(other, table)())


BROKEN = {
    "occurred_at": ["yesterday", "2026-03-01T09:00:00+02:00", "2026-03-01 09:00", None],
    "kind": ["goal.reachd", "", None],
    "user_id": [None, 'ü, "q"\n\''],
    "version": ["one", "7", None],
    "value": ["12.5", "much"],
    "is_machine": ["yes", "perhaps"],
    "event_id": ["same"],
    "point_id": ["nowhere", None],
    "seq": ["1", "x"],
}
faults = st.lists(
    st.tuples(st.integers(0, 199), st.sampled_from([(c, v) for c, values in BROKEN.items() for v in values])),
    min_size=1, max_size=30,
)  # fmt: skip


@pytest.mark.parametrize("engine", [*DATABASES, "s3 jsonl"], indirect=True)
@given(faults=faults)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_faults_are_the_same_everywhere(
    faults: list[tuple[int, tuple[str, str | None]]],
    engine: Engine,
    welcome: jn.Journey,
    welcome_log: pl.DataFrame,
) -> None:
    """Rows of texts, of which some cannot be read, lack something, or are there twice."""
    texts = welcome_log.head(200).with_columns(pl.col(pl.Datetime).dt.to_string("iso:strict"))
    made = texts.with_columns(pl.all().cast(pl.String)).to_dicts()
    for row, (column, value) in faults:
        made[row][column] = value
    made += [made[row] for row, _ in faults[::3]]
    frame = pl.DataFrame(made, schema=dict.fromkeys(texts.columns, pl.String)).with_row_index("place")
    with tempfile.TemporaryDirectory() as folder:
        assert_same(engine(frame), from_parquet(frame, Path(folder)), welcome)


# Types that databases have and files have not.

ID = UUID("c0ffee00-1d2e-4f3a-9b4c-5d6e7f8091a2")
TYPED = """
    select {uuid} as user_id, {number} as device_id, {word} as kind, {moment} as occurred_at, {local} as due_at,
           {document} as extra, 1 as version, 'welcome' as journey_id, 'buy' as goal_id, {amount} as value
"""
WRITTEN = {
    "uuid": f"cast('{ID}' as uuid)", "number": "cast(12345678901234567890 as numeric(30, 0))",
    "word": "cast('goal.reached' as kinds)", "moment": "timestamptz '2024-10-27 02:30:00.000001+01'",
    "local": "timestamp '2024-07-01 09:00:00'", "document": """cast('{"a": [1, null]}' as json)""",
    "amount": "cast(12.50 as numeric(9, 2))",
}  # fmt: skip


def assert_typed(log: jn.EventLog) -> None:
    row = log.frame.drop("row").collect().row(0, named=True)
    assert row["fault"] is None
    assert (row["user_id"], row["device_id"], row["kind"]) == (
        str(ID),
        "12345678901234567890",
        "goal.reached",
    )
    assert row["occurred_at"] == datetime(2024, 10, 27, 1, 30, 0, 1, UTC)
    assert row["due_at"] == datetime(2024, 7, 1, 7, 0, tzinfo=UTC)
    assert row["value"] == 12.5
    assert log.extra == ("extra",)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
def test_types_of_duckdb(zone: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("create type kinds as enum ('run.entered', 'goal.reached')")
        connection.execute(f"set timezone = '{zone}'")
        query = TYPED.format(**WRITTEN)
        assert_typed(jn.EventLog.from_query(connection, query, timezone="Europe/Paris"))
        assert_typed(jn.EventLog.from_frame(connection.sql(query), timezone="Europe/Paris"))


# By chance the first of these is a text.
IDS = [b"ABCDEFG\xc3\x89JKLMNOP", ID.bytes]
GIVEN = {
    "occurred_at": datetime(2026, 3, 1),
    "kind": "goal.reached",
    "goal_id": "g",
    "journey_id": "w",
    "version": 1,
}


def of_blobs(cells: list[Any], how: str, folder: Path) -> jn.EventLog:
    """A log whose users are bytes: of a file, a frame, an Arrow table, a database."""
    frame = pl.DataFrame([{"user_id": cell, **GIVEN} for cell in cells])
    match how:
        case "frame":
            return jn.EventLog.from_frame(frame)
        case "arrow":
            return jn.EventLog.from_frame(frame.to_arrow())
        case "query":
            return jn.EventLog.from_query(Cursor([(memoryview(cell), NOON) for cell in cells]), "select", columns={
                name: pl.lit(value) for name, value in GIVEN.items()})  # fmt: skip
        case _:
            (folder / f"log.{how}").write_bytes(written(frame, how))
            return jn.EventLog.read(folder / f"log.{how}")


@pytest.mark.parametrize("how", ["frame", "arrow", "parquet", "query"])
def test_bytes_are_the_texts_or_uuids_they_stand_for(how: str, tmp_path: Path) -> None:
    def users(*cells: bytes) -> list[str]:
        return of_blobs(list(cells), how, tmp_path).frame.collect()["user_id"].to_list()

    assert users(*IDS) == [str(UUID(bytes=cell)) for cell in IDS]
    assert users(IDS[0]) == [str(UUID(bytes=IDS[0]))]
    assert users(b"\xff" * 16, b"a" * 16) == [str(UUID("f" * 32)), str(UUID("61" * 16))]
    assert users(b"anna", b"sixteen letters!") == ["anna", "sixteen letters!"]
    assert users(b"sixteen letters!") == ["sixteen letters!"]
    for odd in ([b"\xff"], [b"a\0b"]):
        with pytest.raises(
            LogError, match=r"'user_id' is bytes that are no text; .*cast it to text, or to uuid"
        ):
            users(*odd)


@pytest.mark.server
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
def test_types_of_postgres(postgres: str, zone: str) -> None:
    """A session's zone is how it shows times; the hour that comes twice must not lose which it is."""
    import adbc_driver_postgresql.dbapi as adbc
    import psycopg

    query = TYPED.format(**WRITTEN)
    make = "drop type if exists kinds; create type kinds as enum ('run.entered', 'goal.reached')"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(make)
        connection.execute(f"set timezone = '{zone}'")
        assert_typed(jn.EventLog.from_query(connection, query, timezone="Europe/Paris"))
        told = connection.execute("select pg_typeof(%s::json)", ["{}"]).fetchone()
        assert told == ("json",)  # the connection is left open, and as it was
    with adbc.connect(postgres) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"set timezone = '{zone}'")
        assert_typed(jn.EventLog.from_query(connection, query, timezone="Europe/Paris"))


@pytest.mark.server
@pytest.mark.parametrize("odd", ["array['a', 'b']", "time '10:00'", "interval '1 day'", "inet '127.0.0.1'"])
def test_a_type_that_holds_no_single_value_is_told(postgres: str, odd: str) -> None:
    """… where it is used: beside the columns of the log it does no harm, an interval apart."""
    import adbc_driver_postgresql.dbapi as adbc
    import psycopg

    query = TYPED.format(**{**WRITTEN, "uuid": odd, "word": "'goal.reached'"})
    beside = TYPED.format(**{**WRITTEN, "document": odd, "word": "'goal.reached'"})
    with psycopg.connect(postgres) as connection:
        if "inet" not in odd:  # of which psycopg knows a text
            with pytest.raises(LogError, match="'user_id' is no single value"):
                jn.EventLog.from_query(connection, query)
        assert jn.EventLog.from_query(connection, beside).judge().rows.height == 1
    with adbc.connect(postgres) as connection:
        with pytest.raises(LogError, match=r"make it text|'user_id' is no single value"):
            jn.EventLog.from_query(connection, query)
        if "interval" not in odd:
            assert jn.EventLog.from_query(connection, beside).judge().rows.height == 1


# How a database is asked.


class Asked:
    """A connection that notes how it is used."""

    def __init__(self, *batches: list[Any]) -> None:
        self.batches, self.calls = iter(batches), []
        self.description = [("a", None)]

    def execute(self, *given: Any) -> None:
        self.calls.append(given)

    def fetchmany(self, size: int) -> Any:
        return next(self.batches, ())


def test_the_query_and_its_parameters_go_to_the_driver_as_they_are() -> None:
    given = {"user": "x'; drop table log; --"}
    connection = Asked()
    rows(connection, "select %(user)s", given)
    rows(connection, "select '%'")  # without parameters no driver looks for placeholders
    assert connection.calls == [("select %(user)s", given), ("select '%'",)]


@pytest.mark.parametrize(("mark", "given"), [("?", ["b"]), (":user", {"user": "b"})])
def test_parameters_of_sqlite(mark: str, given: Any) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("create table log (a); insert into log values ('a'), ('b')")
        assert rows(connection, f"select a from log where a = {mark}", given).collect().rows() == [("b",)]
        assert rows(connection.cursor(), "select a from log").collect().height == 2


def test_parameters_of_duckdb() -> None:
    with duckdb.connect() as connection:
        assert rows(connection, "select ? as a", ["x"]).collect().rows() == [("x",)]
        assert rows(connection, "select $a as a", {"a": "x"}).collect().rows() == [("x",)]


@pytest.mark.server
def test_parameters_of_postgres(postgres: str) -> None:
    import adbc_driver_postgresql.dbapi as adbc
    import psycopg

    with psycopg.connect(postgres, row_factory=psycopg.rows.dict_row) as connection:
        assert rows(connection, "select %(a)s as a, 2 as b", {"a": "x"}).collect().rows() == [("x", 2)]
        with connection.cursor(name="on_the_server") as cursor:
            found = rows(cursor, "select generate_series(1, %s) as a", [120_000]).collect()
        assert found["a"].to_list() == list(range(1, 120_001))
    with adbc.connect(postgres) as connection:
        assert rows(connection, "select $1::text as a", ["x"]).collect().rows() == [("x",)]


def test_batches_may_hold_other_kinds_of_things() -> None:
    found = rows(Asked([(None,)], [(1,), (2,)], [("x",), (3,)], [(2.5,)]), "").collect()
    assert found["a"].to_list() == [None, "1", "2", "x", "3", "2.5"]
    found = rows(
        Asked([({"b": 1},), (["c"],), (b"d",), (ID,), ("e",), (datetime(2024, 5, 1),)]), ""
    ).collect()
    assert found["a"].to_list() == ['{"b": 1}', '["c"]', "d", str(ID), "e", "2024-05-01 00:00:00"]


class Cursor:
    """What a driver gives, so many rows at a time."""

    description = (("user_id",), ("occurred_at",))

    def __init__(self, *batches: list[tuple[Any, ...]]) -> None:
        self._batches = list(batches)

    def execute(self, query: str) -> None: ...

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return self._batches.pop(0) if self._batches else []


NOON = datetime(2026, 1, 1, 12)
ZONED = NOON.replace(tzinfo=UTC)
ELSEWHERE = ZONED.astimezone(ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    "times", [[[NOON, ZONED]], [[ZONED, NOON]], [[NOON], [ZONED]], [[ELSEWHERE], [NOON], [ZONED, ELSEWHERE]]]
)
def test_local_and_zoned_times_of_one_column_are_each_read_as_what_they_are(
    times: list[list[datetime]],
) -> None:
    batches = [[("u", at) for at in batch] for batch in times]
    constant = {"kind": "goal.reached", "journey_id": "w", "goal_id": "g"}
    columns = {name: pl.lit(value) for name, value in constant.items()} | {"version": pl.lit(1)}
    log = jn.EventLog.from_query(Cursor(*batches), "select", columns=columns, timezone="Europe/Berlin")
    wanted = [ZONED if at.tzinfo else ZONED.replace(hour=11) for batch in times for at in batch]
    assert log.frame.collect()["occurred_at"].to_list() == wanted


@pytest.mark.parametrize(
    "batches",
    [
        [[7, 7.0, "a"]],
        [[Decimal("7.00"), Decimal(7)]],
        [[Decimal("7.00")], [7]],
        [[7], [7.0]],
        [["a", 7.0]],
        [[7.0]],
        [[7.0], [7.0, "a"]],
        [[7.0], ["a"], [7]],
    ],
)
def test_whole_numbers_are_one_id_however_they_come(batches: list[list[Any]]) -> None:
    found = rows(Cursor(*([(cell, NOON) for cell in batch] for batch in batches)), "select")
    log = found.select(user=jn.reading.cell("user_id", found.collect_schema()["user_id"], pl.String()))
    assert set(log.collect()["user"]) <= {"7", "a"}


def test_long_numbers_stay_whole_beside_fractions() -> None:
    found = rows(Asked([(2**53 + 1,)], [(2.5,)], [(2**63,)], [(True,)]), "").collect()
    assert found["a"].to_list() == [str(2**53 + 1), "2.5", str(2**63), "true"]


def test_what_no_column_holds_is_a_row_to_set_aside_and_stops_no_load() -> None:
    """A date that stands for none, in a zone whose year 1 begins before UTC's, and a number of forty digits."""
    none = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
    columns = {
        "journey_id": pl.lit("w"),
        "version": pl.lit(1),
        "kind": pl.lit("goal.reached"),
        "goal_id": pl.lit("g"),
    }
    asked = Cursor([(7, ZONED), (10**40, ZONED)], [(8, none), (8, last)])
    judged = jn.EventLog.from_query(asked, "select", columns=columns).judge()
    assert judged.rows["user_id"].to_list() == ["7", str(10**40)]
    assert judged.quarantined["rule"].to_list() == ["bad_time", "bad_time"]


def test_what_is_no_query_or_no_connection_is_told() -> None:
    secret = "postgresql://tester:secret@127.0.0.1/log"
    with pytest.raises(LogError, match="no database connection: str") as told:
        jn.EventLog.from_query(secret, "select 1")
    assert "secret" not in str(told.value)

    class Later:
        async def execute(self) -> None: ...

    with pytest.raises(LogError, match=r"Later is asynchronous: give .*psycopg\.connect"):
        jn.EventLog.from_query(Later(), "select 1")
    for connect in (lambda: sqlite3.connect(":memory:"), duckdb.connect):
        with closing(connect()) as connection:
            with pytest.raises(LogError, match="two columns 'a'"):
                jn.EventLog.from_query(connection, "select 1 as a, 2 as a")
            with pytest.raises(LogError, match=r"the query: no column 'occurred_at'.*say columns="):
                jn.EventLog.from_query(connection, "select 1 as a")
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(LogError, match="must be a select"),
    ):
        jn.EventLog.from_query(connection, "create table log (a)")


def test_what_fails_as_rows_of_arrow_come_is_told() -> None:
    def begun() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise OSError("division by zero")

    def refused(words: str, table: Any) -> None:
        with pytest.raises(LogError, match=words):
            jn.EventLog.from_frame(table)

    refused(
        "division by zero.*; mend the query",
        pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), begun()),
    )
    refused("such as an interval; make it text", pa.table({"a": pa.array([pa.MonthDayNano([1, 1, 1])])}))
    refused("rename one in the source", pa.table([[1], [2]], names=["a", "a"]))


def test_no_driver_is_needed_to_import_or_to_ask_duckdb() -> None:
    """Not even pyarrow, through which DuckDB speaks else."""
    said = subprocess.run(
        [sys.executable, "-c", """if True:
            import sys
            import journey_nb as jn
            import journey_nb.events
            drivers = {"duckdb", "psycopg", "adbc_driver_manager", "boto3", "sqlite3", "pyarrow", "sqlalchemy"}
            print(sorted(drivers & set(sys.modules)))
            sys.modules["pyarrow"] = None
            import duckdb
            from journey_nb.databases import rows
            print(rows(duckdb.connect(), "select ? as a", [1]).collect().rows())
        """],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.splitlines() == ["[]", "[(1,)]"]


# Object stores.


@pytest.fixture
def kept(tmp_path: Path, welcome: jn.Journey) -> jn.Store:
    """A store that waits for objects."""
    opened = jn.Store(tmp_path)
    opened.add(welcome)
    return opened


def put(client: Any, key: str, body: bytes) -> str:
    client.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow"])
def test_objects_that_a_pattern_names_are_no_patterns(
    store: tuple[dict[str, str], Any], kept: jn.Store, welcome_log: pl.DataFrame, form: str
) -> None:
    options, client = store
    for name, some in (
        ("day 1", welcome_log[:60]),
        ("day [1]", welcome_log[60:90]),
        ("day ?", welcome_log[90:120]),
    ):
        put(client, f"{form}-patterns/{name}.{form}", written(some, form))
    told = kept.load(f"s3://{BUCKET}/{form}-patterns/*.{form}", storage_options=options)
    assert (told.read, told.duplicates) == (120, 0)


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_small_objects_come_in_one_load_and_a_damaged_one_takes_none_down(
    store: tuple[dict[str, str], Any],
    kept: jn.Store,
    welcome: jn.Journey,
    welcome_log: pl.DataFrame,
    tmp_path: Path,
    form: str,
) -> None:
    options, client = store
    for at in (0, 30, 60):
        put(client, f"{form}-damaged/{at}.{form}", written(welcome_log[at : at + 30], form))
    put(client, f"{form}-damaged/1.{form}", b"PAR1 ARROW1\xff\n and no more")
    with pytest.raises(LogError, match=rf"damaged/1\.{form} (?s:.*)the others: 90 rows read"):
        kept.load(f"s3://{BUCKET}/{form}-damaged/*.{form}", storage_options=options)
    client.delete_object(Bucket=BUCKET, Key=f"{form}-damaged/1.{form}")
    again = jn.Store(tmp_path / "again")
    again.add(welcome)
    again.load(f"s3://{BUCKET}/{form}-damaged/*.{form}", storage_options=options)
    loads = again.loads()
    assert (loads.height, loads["loaded_at"].n_unique(), loads["read"].sum()) == (3, 1, 90)


@pytest.mark.parametrize(
    ("torn", "which"), [(0, "the first of them"), (2, r"\S*/1\.csv\.gz or the one after it")]
)
def test_where_an_object_is_cut_short_is_told(
    store: tuple[dict[str, str], Any], welcome_log: pl.DataFrame, torn: int, which: str
) -> None:
    """Compressed, it cannot be passed over: the others wait until it is found."""
    options, client = store
    for number in range(4):
        whole = written(welcome_log[number * 30 :][:30], "csv.gz")
        put(client, f"cut-{torn}/{number}.csv.gz", whole[: -9 if number == torn else None])
    with pytest.raises(LogError, match=rf"cut-{torn}/\*.* an object is cut short, {which}"):
        jn.EventLog.read(f"s3://{BUCKET}/cut-{torn}/*.csv.gz", storage_options=options)


def test_lines_of_json_under_such_a_name_are_refused(
    store: tuple[dict[str, str], Any], welcome_log: pl.DataFrame
) -> None:
    options, client = store
    put(client, "lines/day [1].jsonl", written(welcome_log[:9], "jsonl"))
    with pytest.raises(LogError, match="copy it to such a one"):
        jn.EventLog.read(f"s3://{BUCKET}/lines/*.jsonl", storage_options=options)


def test_lines_of_json_are_told_by_their_number_there_too(store: tuple[dict[str, str], Any]) -> None:
    options, client = store
    url = put(client, "torn/log.jsonl", b'{"user_id": {}}\n{"user_id": [1]}\n{"user')
    with pytest.raises(LogError, match=r"""log\.jsonl cannot be read: line 3 is no JSON object, '{"user'"""):
        jn.EventLog.read(url, storage_options=options)


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow"])
def test_objects_of_other_columns_are_read_beside_each_other(
    store: tuple[dict[str, str], Any], form: str, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    """As files are: a column that a later object has alone is not lost."""
    options, client = store
    frame = plain(welcome_log.filter(pl.col("value").is_null()).head(20))
    other = plain(welcome_log.filter(pl.col("value").is_not_null()).head(20))
    for name, part in (("a", frame.drop("value")), ("b", other.select(sorted(other.columns)))):
        put(client, f"mixed/{name}.{form}", written(part, form))
        (tmp_path / f"{name}.{form}").write_bytes(written(part, form))
    log = jn.EventLog.read(f"s3://{BUCKET}/mixed/*.{form}", storage_options=options)
    file = jn.EventLog.read(tmp_path / f"*.{form}")
    assert_frame_equal(log.frame.collect(), file.frame.collect())
    assert log.frame.collect()["value"].null_count() == 20


def test_several_urls_and_files_make_one_log(
    store: tuple[dict[str, str], Any], welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    options, client = store
    parts = [plain(welcome_log)[at : at + 10] for at in (0, 10, 20)]
    urls = [
        put(client, f"several/{at}.parquet", written(part, "parquet")) for at, part in enumerate(parts[:2])
    ]
    parts[2].write_csv(tmp_path / "c.csv")
    log = jn.EventLog.read([*urls, str(tmp_path / "c.csv")], storage_options=options)
    assert log.judge().rows["event_id"].to_list() == pl.concat(parts)["event_id"].to_list()


def test_columns_in_the_names_of_folders_are_read_from_a_store(store: tuple[dict[str, str], Any]) -> None:
    options, client = store
    for variant, who in (("A", "a"), ("B%2F", "b")):
        put(client, f"hive/variant={variant}/x.parquet", written(pl.DataFrame({"user_id": [who]}), "parquet"))
    given = {"occurred_at": 0, "kind": "goal.reached", "journey_id": "w", "version": 1, "goal_id": "g"}
    columns = {name: pl.lit(value) for name, value in given.items()}
    log = jn.EventLog.read(
        f"s3://{BUCKET}/hive/**/*.parquet", columns, time_unit="s", storage_options=options
    )
    assert log.frame.collect().select("user_id", "variant").rows() == [("a", "A"), ("b", "B/")]


@pytest.mark.parametrize(
    ("log", "kind"), [("_delta_log/0000.json", "a Delta"), ("metadata/1.metadata.json", "an Iceberg")]
)
@pytest.mark.parametrize("named", ["**/*.parquet", "data/*.parquet", "data/k=1/*.parquet"])
def test_the_objects_of_a_table_are_not_read_as_if_all_their_rows_counted(
    store: tuple[dict[str, str], Any], welcome_log: pl.DataFrame, log: str, kind: str, named: str
) -> None:
    options, client = store
    if kind == "a Delta":  # whose partitions stand beside its log
        named = named.removeprefix("data/")
    folder = f"table {kind} {len(named)}"
    for name in ("k=1/a.parquet", "a.parquet", "data/a.parquet", "data/k=1/a.parquet"):
        put(client, f"{folder}/{name}", written(welcome_log[:9], "parquet"))
    url = f"s3://{BUCKET}/{folder}/{named}"
    assert jn.EventLog.read(url, storage_options=options).height
    put(client, f"{folder}/{log}", b"{}\n")
    with pytest.raises(LogError, match=rf"^s3://{BUCKET}/{folder} is {kind} table"):
        jn.EventLog.read(url, storage_options=options)
    text = put(client, f"{folder}/beside.csv", written(welcome_log[:9], "csv"))
    assert jn.EventLog.read(text.replace("beside", "*"), storage_options=options).height == 9


def test_activities_are_read_from_a_store(store: tuple[dict[str, str], Any]) -> None:
    options, client = store
    url = put(client, "shop.csv", b"who;what;at\na;look;1714546800\na;buy;1714546900\n")
    log = jn.EventLog.from_activities(url, user="who", activity="what", time="at", storage_options=options)
    assert log.judge().rows.filter(pl.col("kind") == "point.entered")["point_id"].to_list() == [
        "look",
        "buy",
        "(end)",
    ]


def told(url: str, options: dict[str, str]) -> str:
    with pytest.raises(LogError) as error:
        jn.EventLog.read(url, storage_options=options).judge()
    text = str(error.value)
    assert not [value for value in KEYS.values() if value in text]
    assert len(text) < 400
    return text


def test_what_a_store_has_not_is_told(store: tuple[dict[str, str], Any]) -> None:
    options, client = store
    for form in ("parquet", "csv", "jsonl", "arrow"):
        assert told(f"s3://{BUCKET}/none.{form}", options).endswith(
            "there is no such object; check the bucket and the path"
        )
        assert told(f"s3://{BUCKET}/none*.{form}", options).endswith(
            "there is no such object; check the bucket and the path"
        )
        for name in "a", "*":
            assert "bucket" in told(f"s3://nowhere/{name}.{form}", options)
    assert "unknown kind of file" in told(f"s3://{BUCKET}/log.xml", options)
    assert f"such as 's3://{BUCKET}/log/*.parquet'" in told(f"s3://{BUCKET}/log/", options)
    assert "download the file" in told("https://127.0.0.1/log.csv", options)
    assert "secret" not in told("s3://reader:secret@events/log.csv", options)
    assert "iconv" in told(put(client, "latin.csv", "kind;ä\né;1\n".encode("latin-1")), options)
    put(client, "empty/a//b.csv", b"kind\n")
    for name in ("empty/*", "empty/a//b"):
        assert "'empty/a//b.csv' has a folder without a name" in told(f"s3://{BUCKET}/{name}.csv", options)
    stream = io.BytesIO()
    pl.DataFrame({"kind": ["x"]}).write_ipc_stream(stream)
    assert "read_ipc_stream" in told(put(client, "stream.arrow", stream.getvalue()), options)
    assert "carriage return alone" in told(put(client, "mac.csv", b"kind,a\rx,1\r"), options)
    assert "UTF-16" in told(put(client, "16.csv", "kind,a\nx,1\n".encode("utf-16")), options)
    assert "is one JSON array" in told(put(client, "array.jsonl", b'[{"a": 1}]'), options)
    assert "byte order mark" in told(put(client, "bom.jsonl", b'\xef\xbb\xbf{"a": 1}'), options)
    assert "cannot be read" in told(put(client, "empty.csv", b""), options)
    assert "copy or write it again" in told(put(client, "cut.parquet", b"PAR1 and no more"), options)


def test_a_refusal_names_the_fix_and_no_key(
    store: tuple[dict[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto import settings as moto

    options, client = store
    urls = [
        put(client, "kept/a.csv", b"kind\n"),
        f"s3://{BUCKET}/kept/*.csv",
        f"s3://{BUCKET}/kept/a.parquet",
    ]
    monkeypatch.setattr(moto, "INITIAL_NO_AUTH_ACTION_COUNT", 0)  # from now on the keys are checked
    for url in urls:
        assert "access is refused; give keys that may read it in storage_options" in told(url, options)


def test_a_store_that_is_not_there_is_told(store: tuple[dict[str, str], Any]) -> None:
    options, _ = store
    nowhere = {**options, "aws_endpoint_url": "http://127.0.0.1:9", "max_retries": 0}
    assert "the store cannot be reached" in told(f"s3://{BUCKET}/log.csv", nowhere)
    assert "check the endpoint" in told(f"s3://{BUCKET}/log.csv", {**options, "aws_endpoint_url": "nowhere"})
    assert "for 'aws_secret_access_key'" in told(
        f"s3://{BUCKET}/log.csv", {**options, "aws_secret_access_key": 5}
    )


def test_a_log_shows_no_keys(store: tuple[dict[str, str], Any], welcome_log: pl.DataFrame) -> None:
    options, client = store
    url = put(client, "shown.parquet", written(plain(welcome_log.head(5)), "parquet"))
    log = jn.EventLog.read(url, storage_options=options)
    shown = [repr(log), str(log), repr(log.report()), log.frame.explain(), json.dumps(log.extra)]
    assert not [value for value in KEYS.values() for text in shown if value in text]
