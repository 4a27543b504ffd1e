"""Reading a log: any file, any form of time, nothing lost; each row judged by itself, then deduplicated."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from journey_nb.events import COLUMNS, KINDS, EventLog, LogError, Report, settled
from journey_nb.events.settle import row_hashes
from journey_nb.events.words import KIND_NEEDS, KIND_REASONS, RULES
from journey_nb.journey import Journey

JOURNEY = Journey.model_validate(
    {
        "journey_id": "welcome",
        "goals": [{"goal_id": "buy"}],
        "versions": [
            {
                "version": 1,
                "points": [
                    {"point_id": "in", "type": "entry_api"},
                    {"point_id": "ask", "type": "split_condition"},
                    {"point_id": "out", "type": "exit"},
                ],
                "branches": [
                    {"source": "in", "target": "ask"},
                    {"source": "ask", "target": "out", "key": "yes"},
                ],
            },
            {
                "version": 2,
                "points": [{"point_id": "in", "type": "entry_api"}, {"point_id": "new", "type": "exit"}],
                "branches": [{"source": "in", "target": "new"}],
            },
        ],
    }
)
NOON = "2024-05-01T12:00:00Z"


def row(**values: Any) -> dict[str, Any]:
    """A good row, with what a test changes."""
    base = {"event_id": None, "occurred_at": NOON, "kind": "point.entered", "user_id": "u1"}
    return base | {"journey_id": "welcome", "version": 1, "run_id": "r1", "point_id": "in"} | values


def log_of(*rows: dict[str, Any], **options: Any) -> EventLog:
    names = dict.fromkeys(name for item in rows for name in item)
    return EventLog.from_frame(
        pl.DataFrame(
            [{name: item.get(name) for name in names} for item in rows],
            infer_schema_length=None,
            strict=False,
        ),
        **options,
    )


def broken(*rows: dict[str, Any], journey: Journey | None = JOURNEY) -> list[tuple[int, str]]:
    return log_of(*rows).judge(journey).quarantined.select("row", "rule").rows()


# Files


ROWS = pl.DataFrame(
    [
        row(event_id="1", kind="run.entered"),
        row(event_id="2", kind="point.completed", branch="default", seq=3),
        row(
            event_id="3", kind="message.sent", channel="email", message_id="m,1", due_at="2024-05-02 00:00:00"
        ),
        row(
            event_id="4",
            kind="goal.reached",
            goal_id="buy",
            value=9.5,
            currency="EUR",
            version=None,
            run_id=None,
        ),
        row(event_id="5", kind="message.opened", channel="email", message_id='m"2', is_machine=True),
        row(event_id="6", kind="run.exited", reason="meteor", user_id=None, device_id="d\n1"),
    ],
    infer_schema_length=None,
)


def _gz(path: Path, plain: Callable[[Path], Any]) -> None:
    part = path.with_suffix("")
    plain(part)
    path.write_bytes(gzip.compress(part.read_bytes()))
    part.unlink()


WRITERS: dict[str, Callable[[Path], Any]] = {
    "log.parquet": ROWS.write_parquet,
    "log.csv": ROWS.write_csv,
    "log.tsv": lambda path: ROWS.write_csv(path, separator="\t"),
    "semicolons.csv": lambda path: ROWS.write_csv(path, separator=";"),
    "log.csv.gz": lambda path: _gz(path, ROWS.write_csv),
    "bom.csv": lambda path: ROWS.write_csv(path, include_bom=True),
    "log.jsonl": ROWS.write_ndjson,
    "log.ndjson.gz": lambda path: _gz(path, ROWS.write_ndjson),
    "log.arrow": ROWS.write_ipc,
    "log.FEATHER": ROWS.write_ipc,
}


@pytest.fixture(scope="module")
def expected() -> pl.DataFrame:
    return EventLog.from_frame(ROWS).judge(JOURNEY).rows


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path, expected: pl.DataFrame) -> None:
    WRITERS[name](tmp_path / name)
    judged = EventLog.read(tmp_path / name).judge(JOURNEY)
    assert_frame_equal(judged.rows, expected)
    assert judged.quarantined.is_empty()


def test_the_rows_are_canonical(expected: pl.DataFrame) -> None:
    assert expected.columns == [*COLUMNS, "row"]
    assert expected.schema["point_id"] == pl.Enum(["in", "new", "ask", "out"])
    assert expected.schema["goal_id"] == pl.Enum(["buy"])
    rest = {name: dtype for name, dtype in COLUMNS.items() if name not in ("point_id", "goal_id")}
    assert {name: expected.schema[name] for name in rest} == rest
    frame = EventLog.from_frame(ROWS).frame.collect()
    assert frame.columns == [*COLUMNS, "row", "fault", "fault_detail"]
    assert {name: frame.schema[name] for name in COLUMNS} == COLUMNS
    assert frame["user_id"].to_list() == ["u1"] * 5 + ["device:d\n1"]


@pytest.mark.parametrize(
    "form",
    [
        pl.DataFrame.lazy,
        pl.DataFrame.to_pandas,
        pl.DataFrame.to_arrow,
        # As a file that pandas writes of it has the index, too.
        lambda rows: rows.to_pandas().set_index(["occurred_at", "user_id"]),
    ],
)
def test_any_table_is_taken(form: Callable[[pl.DataFrame], Any], expected: pl.DataFrame) -> None:
    assert_frame_equal(EventLog.from_frame(form(ROWS)).judge(JOURNEY).rows, expected)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(LogError, match="no table: list"):
        EventLog.from_frame([1, 2])


def test_globs_and_lists_of_unlike_files_are_one_log(tmp_path: Path, expected: pl.DataFrame) -> None:
    ROWS[:2].write_parquet(tmp_path / "a1.parquet")
    ROWS[2:3].with_columns(pl.col("version").cast(pl.Int64)).write_parquet(tmp_path / "a2.parquet")
    ROWS[3:5].select(reversed(ROWS.columns)).write_csv(tmp_path / "b.csv")
    ROWS[5:].drop("value").write_ndjson(tmp_path / "c.jsonl")
    log = EventLog.read([str(tmp_path / "a*.parquet"), tmp_path / "b.csv", tmp_path / "c.jsonl"])
    assert_frame_equal(log.judge(JOURNEY).rows, expected)


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl"])
def test_columns_in_the_names_of_folders_are_read(form: str, tmp_path: Path) -> None:
    """Each as it is written, but for what the file says itself."""
    fields = row(kind="goal.reached", goal_id="buy")
    plain = pl.DataFrame(
        [{name: value for name, value in fields.items() if name not in ("variant", "user_id")}]
    )
    for folder, frame in {
        "user_id=007/variant=A": plain,
        "user_id=a%3Db c/variant=__HIVE_DEFAULT_PARTITION__": plain.with_columns(x=1),
        "user_id=no/variant=B": plain.with_columns(user_id=pl.lit("own")),
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        write = {
            "parquet": frame.write_parquet,
            "arrow": frame.write_ipc,
            "csv": frame.write_csv,
            "jsonl": frame.write_ndjson,
        }
        write[form](tmp_path / folder / f"part-0.{form}")
    log = EventLog.read(str(tmp_path / f"**/*.{form}"))
    found = log.frame.sort("user_id").collect()
    assert found.select("user_id", "variant").rows() == [("007", "A"), ("a=b c", None), ("own", "B")]
    assert found["fault"].null_count() == 3
    assert log.extra == ("x",)
    if form == "csv":  # ragged rows are still told
        (tmp_path / "user_id=007/variant=A/part-0.csv").open("a").write("1" + "," * 30 + "\n")
        with pytest.raises(LogError, match="more cells"):
            EventLog.read(str(tmp_path / f"**/*.{form}")).judge()


def test_a_key_that_appears_late_is_read(tmp_path: Path) -> None:
    lines = [json.dumps(row(run_id=f"r{i}")) for i in range(3000)]
    lines.append(json.dumps(row(kind="goal.reached", goal_id="buy", value=3, user_id=7)))
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines))
    last = EventLog.read(path).judge(JOURNEY).rows.filter(goal_id="buy")
    assert last.select("user_id", "value").rows() == [("7", 3.0)]


def test_a_log_streams_to_a_file(tmp_path: Path, expected: pl.DataFrame) -> None:
    ROWS.write_csv(tmp_path / "log.csv")
    log = EventLog.read(tmp_path / "log.csv")
    log.frame.select(*COLUMNS).sink_parquet(tmp_path / "canonical.parquet")
    again = EventLog.read(tmp_path / "canonical.parquet")
    assert again.judge(JOURNEY).read == 6
    assert pl.read_parquet(tmp_path / "canonical.parquet").schema == COLUMNS


# Bad files


def test_files_that_are_no_logs_are_refused_with_the_fix(tmp_path: Path) -> None:
    def refused(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LogError) as caught:
            EventLog.read(tmp_path / name).judge()
        assert name in str(caught.value)
        return str(caught.value)

    xlsx = tmp_path / "made.zip"
    with zipfile.ZipFile(xlsx, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    ROWS.write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    header = ",".join(row()).encode()
    line = ",".join(str(value or "") for value in row().values()).encode()

    assert "is empty" in refused("empty.csv", b"")
    assert "is empty" in refused("empty.parquet", b"")
    assert "spreadsheet" in refused("sheet.csv", xlsx.read_bytes())
    assert "spreadsheet" in refused("old.csv", b"\xd0\xcf\x11\xe0rest")
    assert "cut short" in refused("cut.parquet", whole[: len(whole) // 2])
    assert "no Parquet" in refused("text.parquet", b"hello")
    assert "is a Parquet" in refused("binary.csv", whole)
    assert "not UTF-8" in refused("latin.csv", header + b"\n" + line + b"\xe9\n")
    assert "not UTF-8" in refused("latin.jsonl", b'{"user_id": "Andr\xe9"}\n')
    assert "UTF-8" in refused("late.csv", header + b"\n" + (line + b"\n") * 2000 + line + b"\xe9\n")
    assert "more cells" in refused("ragged.csv", header + b"\n" + line + b",,,,\n")
    assert "gunzip" in refused("whole.parquet.gz", gzip.compress(whole, mtime=0))
    assert "download it again" in refused("torn.csv.gz", gzip.compress(header * 50, mtime=0)[:40])
    lines = gzip.compress(b'{"user_id": "u"}\n' * 9, mtime=0)
    assert "download it again" in refused("torn.jsonl.gz", lines[:-9])
    assert "download it again" in refused("bad.jsonl.gz", lines[:12] + b"\xff\xff" + lines[14:])
    assert "cannot be read" in refused("torn.jsonl", b'{"user_id": \n')
    assert "unknown kind of file" in refused("log.xls", b"x")


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("x")
    with pytest.raises(LogError, match=r"no file .*event\.csv; did you mean 'events\.csv'"):
        EventLog.read(tmp_path / "event.csv")
    with pytest.raises(LogError, match="is a folder; name its files"):
        EventLog.read(tmp_path)
    with pytest.raises(LogError, match="no file"):
        EventLog.read(str(tmp_path / "*.parquet"))
    with pytest.raises(LogError, match="no file to read"):
        EventLog.read([])
    (tmp_path / "date=2026-03-01").mkdir()
    with pytest.raises(LogError, match=r"such as '.*/\*\*/\*\.parquet'"):
        EventLog.read(tmp_path)  # of a pattern of its own files there are none
    (tmp_path / "day [1]").mkdir()
    (tmp_path / "day [1]" / "a.csv").write_text(",".join(row()) + "\n")
    with pytest.raises(LogError, match="are letters when they are written in brackets") as caught:
        EventLog.read(tmp_path / "day [1]" / "*.csv")
    assert EventLog.read(str(caught.value).split("'")[1]).height == 0


def test_what_is_there_and_is_no_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("gone.csv")
    with pytest.raises(LogError, match=r"link to gone\.csv, which is not there"):
        EventLog.read(tmp_path / "link.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(LogError, match=r"is a pipe or a device.*write it into a file first"):
        EventLog.read(tmp_path / "pipe.csv")


@pytest.mark.parametrize("of", [pl.DataFrame, pl.LazyFrame])
def test_a_frame_in_place_of_a_file_is_told_where_it_goes(of: Any) -> None:
    with pytest.raises(TypeError, match=rf"files are wanted, not a {of.__name__}: from_frame takes frames"):
        EventLog.read(of({"user_id": ["u1"]}))


def test_a_header_alone_is_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(",".join(row()) + "\n")
    judged = EventLog.read(tmp_path / "log.csv").judge(JOURNEY)
    assert (judged.read, judged.rows.height, judged.duplicates, judged.quarantined.height) == (0, 0, 0, 0)
    assert "0 rows read" in str(EventLog.read(tmp_path / "log.csv").report(JOURNEY))


# Columns


def test_columns_are_mapped() -> None:
    frame = pl.DataFrame({"wann": [NOON], "wer": [7], "was": ["goal.reached"], "goal_id": ["buy"]})
    columns = {
        "occurred_at": "wann",
        "user_id": "wer",
        "kind": "was",
        "journey_id": pl.lit("welcome"),
        "version": pl.lit(2),
    }
    rows = EventLog.from_frame(frame, columns, source="crm").judge(JOURNEY).rows
    assert rows.select("user_id", "version", "goal_id", "source").rows() == [("7", 2, "buy", "crm")]


@pytest.mark.parametrize(
    ("names", "columns", "told"),
    [
        ({}, {"user_id": "costumer"}, "no column 'costumer' for 'user_id'; did you mean 'customer'"),
        ({}, {"userid": "customer"}, "there is no column 'userid' to map to; did you mean 'user_id'"),
        ({"kind": "knd"}, {}, "no column 'kind'; did you mean 'knd'"),
        ({"user_id": "usr_id"}, {}, "no column 'user_id' or 'device_id'; did you mean 'usr_id'"),
        ({"occurred_at": "x"}, {}, "no column 'occurred_at'; it has"),
    ],
)
def test_a_missing_column_names_the_near_miss(
    names: dict[str, str], columns: dict[str, str], told: str
) -> None:
    frame = pl.DataFrame([row(customer="c")]).rename(names)
    with pytest.raises(LogError) as caught:
        EventLog.from_frame(frame, columns)
    assert told in str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("columns", [{}, {"user_id": "customer"}])
def test_a_missing_column_lists_those_of_the_file(
    ending: str, columns: dict[str, str], tmp_path: Path
) -> None:
    """In its order, under its own names, and without what is only ours."""
    frame = pl.DataFrame({"sent on": ["2026-03-01T10:00Z"], "customer": ["a"], "kind": ["run.entered"]})
    path = tmp_path / f"v.{ending}"
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending](path)
    with pytest.raises(LogError, match="'occurred_at'; it has sent on, customer, kind; say columns="):
        EventLog.read(path, columns=columns)


def test_a_zone_may_be_an_object_and_columns_must_be_a_mapping() -> None:
    frame = pl.DataFrame([row(occurred_at="2026-03-01 10:00")])
    told = [
        EventLog.from_frame(frame, timezone=zone).judge(JOURNEY).rows
        for zone in ("Europe/Paris", ZoneInfo("Europe/Paris"))
    ]
    assert told[0].equals(told[1])
    with pytest.raises(LogError, match=r"columns maps names, as in .* and is a str"):
        EventLog.from_frame(frame, columns="user_id")  # type: ignore[arg-type]


def test_one_row_is_not_told_as_several() -> None:
    assert str(log_of(row()).report(JOURNEY)).startswith("1 row read = ")


def test_a_log_that_may_not_be_read_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "v.csv").write_text("a")
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(LogError, match=r"v\.csv may not be read: ask its owner"):
        EventLog.read(tmp_path / "v.csv")


def test_a_table_without_kinds_is_sent_to_from_activities() -> None:
    visits = pl.DataFrame({"who": ["a"], "what": ["look"], "at": [1]})
    for columns in ({}, {"occurred_at": "at", "user_id": "who"}):
        with pytest.raises(LogError, match=r"read by EventLog\.from_activities\("):
            EventLog.from_frame(visits, columns=columns)


def test_columns_that_are_not_read_are_told() -> None:
    log = log_of(row(chanel="email", colour="red"))
    assert log.extra == ("chanel", "colour")
    warnings = log.report(JOURNEY).warnings
    assert "column 'chanel' is not read; did you mean 'channel'?" in warnings
    assert "columns not read: colour" in warnings


def test_a_column_in_whose_place_another_is_read_is_no_slip_of_a_third() -> None:
    """Whoever says version=1 of a log with versions is not to call these reasons."""
    log = log_of(row(device_id="d1"), columns={"version": pl.lit(1), "user_id": "device_id"})
    assert log.slips() == {}
    assert "columns not read: user_id, version" in log.report(JOURNEY).warnings


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        ([7, None], ["7"]),
        ([7.0, None], ["7"]),
        ([7.5, float("nan")], ["7.5"]),
        (["", " "], [" "]),
        (pl.Series(["", "a"], dtype=pl.Categorical), ["a"]),
        (pl.Series(["", "a"], dtype=pl.Enum(["", "a"])), ["a"]),
        ([True, None], ["true"]),
        ([date(2024, 1, 2), None], ["2024-01-02"]),
        ([2**62, None], [str(2**62)]),
        (pl.Series([Decimal("70.0000"), Decimal("7.50")]), ["70", "7.5"]),
        (pl.Series([Decimal("0.00"), None]), ["0"]),
        (pl.Series([Decimal(70), None]), ["70"]),
    ],
)
def test_ids_become_text_and_blank_is_no_id(ids: list[Any], texts: list[str]) -> None:
    rows = EventLog.from_frame(
        pl.DataFrame([row(), row()]).with_columns(user_id=pl.Series(ids, strict=False))
    ).judge()
    assert rows.rows["user_id"].to_list() == texts
    assert rows.quarantined["rule"].to_list() == ["missing"] * (2 - len(texts))


def test_enums_and_categoricals_are_read() -> None:
    frame = pl.DataFrame([row(), row(kind="odd")]).with_columns(
        pl.col("kind").cast(pl.Categorical), pl.col("point_id").cast(pl.Enum(["in"]))
    )
    judged = EventLog.from_frame(frame).judge(JOURNEY)
    assert judged.rows["point_id"].to_list() == ["in"]
    assert judged.quarantined["detail"].to_list() == ["kind 'odd'"]


# Times


UTC_TIMES = [
    ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00"),
    ("2024-05-01T12:00:00.123456Z", "2024-05-01T12:00:00.123456"),
    ("2024-05-01T12:00:00.123456789+00:00", "2024-05-01T12:00:00.123456"),
    ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00"),
    ("2024-05-01T12:00:00-0330", "2024-05-01T15:30:00"),
    ("2024-05-01 12:00:00+02", "2024-05-01T10:00:00"),
    ("2024-05-01 12:00:00 +02:00", "2024-05-01T10:00:00"),
    ("2024-05-01 12:00:00.5 UTC", "2024-05-01T12:00:00.5"),
    ("2024-05-01t12:00:00z", "2024-05-01T12:00:00"),
    ("2024-05-01T12:00:00,25", "2024-05-01T12:00:00.25"),
    ("2024-05-01T12:00", "2024-05-01T12:00:00"),
    ("2024-05-01 12:00Z", "2024-05-01T12:00:00"),
    ("2024-05-01T12:00+02:00", "2024-05-01T10:00:00"),
    ("20240501T120000Z", "2024-05-01T12:00:00"),
    ("2024-05-01", "2024-05-01T00:00:00"),
    ("  2024-05-01 12:00:00  ", "2024-05-01T12:00:00"),
    ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00"),
    ("2200-12-31T23:59:59.999999Z", "2200-12-31T23:59:59.999999"),
]


def times(texts: list[Any], **options: Any) -> tuple[list[datetime], list[str]]:
    """The times that loaded and the details of those that did not."""
    frame = pl.DataFrame({"occurred_at": texts}, strict=False).with_columns(
        [
            pl.lit(value).alias(name)
            for name, value in row().items()
            if name not in ("occurred_at", "event_id")
        ]
    )
    judged = EventLog.from_frame(frame.with_row_index("event_id"), **options).judge()
    return judged.rows["occurred_at"].to_list(), judged.quarantined["detail"].to_list()


def test_iso_times_are_read_each_by_its_own_offset() -> None:
    read, bad = times([text for text, _ in UTC_TIMES])
    assert read == [datetime.fromisoformat(utc).replace(tzinfo=UTC) for _, utc in UTC_TIMES]
    assert bad == []


BAD_TIMES = ["yesterday", "2024-13-01", "2024-02-30T00:00:00Z", "12:00", "01.05.2024", "2024-05-01T25:00:00Z", "05/01/2024 12:00", "1714564800x"]  # fmt: skip


def test_what_is_no_time_goes_to_quarantine_with_its_text() -> None:
    read, bad = times([NOON, *BAD_TIMES])
    assert len(read) == 1
    assert bad == [f"occurred_at '{text}'" for text in BAD_TIMES]


@given(
    st.datetimes(datetime(1900, 1, 3), datetime(2200, 12, 29)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["T", " "]),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
)
def test_every_iso_time_python_writes_is_read(at: datetime, minutes: int, between: str, spec: str) -> None:
    text = at.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat(between, spec)
    assert times([text])[0] == [datetime.fromisoformat(text).astimezone(UTC)]


def test_a_time_without_offset_is_utc_unless_a_zone_is_told() -> None:
    assert times(["2024-07-01 12:00:00"])[0] == [datetime(2024, 7, 1, 12, tzinfo=UTC)]
    texts = ["2024-07-01 12:00:00", "2024-12-01T12:00:00", "2024-07-01T12:00:00Z", "2024-07-02"]
    read, _ = times(texts, timezone="Europe/Paris")
    assert [at.strftime("%m-%d %H") for at in read] == ["07-01 10", "12-01 11", "07-01 12", "07-01 22"]


def test_hours_at_the_change_of_clocks() -> None:
    texts = ["2024-10-27 02:30:00", "2024-03-31 02:30:00", "2024-03-31 03:30:00"]
    read, bad = times(texts, timezone="Europe/Paris")
    assert read == [datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 3, 31, 1, 30, tzinfo=UTC)]
    assert bad == ["occurred_at '2024-03-31 02:30:00'"], "an hour that never came is no time"
    for at in (texts, [datetime.fromisoformat(text) for text in texts]):
        report = log_of(*(row(occurred_at=one) for one in at), timezone="Europe/Paris").report()
        assert "! 1 rows have a local time that never was, such as '2024-03-31 02:30:00" in str(report)
    others = ("2024-02-30 02:30", "x", "1900-01-01 00:00:00", "2201-01-02 00:00")
    assert "never was" not in str(
        log_of(*(row(occurred_at=at) for at in others), timezone="Asia/Seoul").report()
    )


def test_a_date_is_the_first_instant_of_its_day_though_it_has_no_midnight() -> None:
    """In Cairo the clocks go forward at midnight."""
    for day in ("2024-04-26", date(2024, 4, 26)):
        assert times([day], timezone="Africa/Cairo")[0] == [datetime(2024, 4, 25, 22, tzinfo=UTC)]
    read, bad = times(["26.04.2024", "25.04.2024"], timezone="Africa/Cairo", time_format="%d.%m.%Y")
    assert (read[0] - read[1], bad) == (timedelta(days=1), [])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Seoul"])
def test_datetime_columns_of_any_unit_and_zone(unit: Any, zone: str | None) -> None:
    at = datetime(2024, 5, 1, 12, 30, tzinfo=ZoneInfo(zone) if zone else None)
    series = pl.Series([at, None], dtype=pl.Datetime(unit, zone))
    read, bad = times(series)  # type: ignore[arg-type]
    assert read == [at.astimezone(UTC) if zone else at.replace(tzinfo=UTC)]
    assert bad == ["no occurred_at"]
    if zone is None:
        told, _ = times(series, timezone="Asia/Seoul")  # type: ignore[arg-type]
        assert told == [datetime(2024, 5, 1, 3, 30, tzinfo=UTC)]


def test_date_columns_begin_at_midnight() -> None:
    assert times([date(2024, 5, 1)], timezone="Asia/Seoul")[0] == [datetime(2024, 4, 30, 15, tzinfo=UTC)]


SECONDS = 1_714_564_800
EPOCHS = {"s": SECONDS, "ms": SECONDS * 10**3 + 5, "us": SECONDS * 10**6 + 5, "ns": SECONDS * 10**9 + 5000}


@pytest.mark.parametrize(("unit", "form"), [*itertools.product(EPOCHS, [int, str]), ("s", float)])
@pytest.mark.parametrize("told", [True, False])
def test_epochs_are_inferred_or_told(unit: str, form: Any, told: bool) -> None:
    value, base = EPOCHS[unit], datetime.fromtimestamp(SECONDS, UTC)
    read, bad = times([form(value), None, form(value + 1)], **({"time_unit": unit} if told else {}))
    after = {"s": (0, 10**6), "ms": (5000, 6000), "us": (5, 6), "ns": (5, 5)}[unit]
    assert read == [base + timedelta(microseconds=micros) for micros in after]
    assert bad == ["no occurred_at"]


def test_seconds_keep_their_fraction() -> None:
    assert times([SECONDS + 0.25])[0][0].microsecond == 250_000
    assert times([f"{SECONDS}.123456"])[0][0].microsecond == 123_456


@pytest.mark.parametrize(
    "values",
    [[5], [0, SECONDS], [SECONDS, SECONDS * 1000], [-SECONDS], ["5"], [str(SECONDS), str(SECONDS * 1000)], ["5", "6", NOON]],
    ids=str,
)  # fmt: skip
def test_numbers_that_may_mean_two_times_are_refused(values: list[Any]) -> None:
    with pytest.raises(LogError, match="time_unit='s', 'ms', 'us' or 'ns'"):
        times(values)


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt32, pl.UInt64, pl.Float64, pl.Decimal(20, 3)], ids=str)
def test_seconds_are_read_from_numbers_of_any_width(dtype: Any) -> None:
    assert times(pl.Series([SECONDS], dtype=dtype)) == ([datetime.fromtimestamp(SECONDS, UTC)], [])


def test_nanoseconds_are_read_alike_as_numbers_and_as_text() -> None:
    odd = SECONDS * 10**9 + 123_456_999
    assert times([odd])[0] == times([str(odd)])[0] == times([str(odd), f"{SECONDS * 10**9}.0"])[0][:1]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_the_unit_of_times_is_that_of_those_that_are_given(odd: float) -> None:
    frame = pl.DataFrame([row(run_id=f"r{i}") for i in range(2)]).with_columns(
        due_at=pl.Series([odd, float(SECONDS)])
    )
    assert EventLog.from_frame(frame).judge(JOURNEY).rows["due_at"][-1] == datetime.fromtimestamp(
        SECONDS, UTC
    )


def test_a_told_unit_is_believed() -> None:
    assert times([5, -5], time_unit="s")[0] == [
        datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 55, tzinfo=UTC),
    ]
    assert times([2**62], time_unit="s")[1] == [f"occurred_at '{2**62}'"], "beyond all years"
    assert times(["5", NOON], time_unit="s")[0][0].year == 1970


FAR: dict[str, Any] = {
    "text before": ["1899-12-31T23:59:59Z"],
    "text after": ["2201-01-01T00:00:00Z"],
    "text of year 1": ["0001-01-01"],
    "date": [date(9999, 12, 31)],
    "day number": pl.Series([2**30], dtype=pl.Int32).cast(pl.Date),
    "UTC column": pl.Series([datetime(1899, 12, 31)], dtype=pl.Datetime("us", "UTC")),
    "local column": [datetime(1, 1, 1)],
    "milliseconds": pl.Series([2**62]).cast(pl.Datetime("ms", "Asia/Seoul")),
    "local milliseconds": pl.Series([2**62]).cast(pl.Datetime("ms")),
    "microseconds": pl.Series([-(2**62)]).cast(pl.Datetime("us")),
    "epoch": [7_289_654_400],
    "epoch as text": ["7289654400"],
}


@pytest.mark.parametrize("form", FAR)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_a_time_outside_the_years_1900_to_2200_is_no_time(form: str, zone: str) -> None:
    read, bad = times(FAR[form], timezone=zone)
    assert read == []
    assert bad[0].startswith("occurred_at ")


def test_a_number_among_dates_is_a_bad_time_of_its_row() -> None:
    read, bad = times(["5", NOON, str(SECONDS), NOON, NOON])
    assert len(read) == 3
    assert bad == ["occurred_at '5'", f"occurred_at '{SECONDS}'"]
    read, bad = times([str(SECONDS), "n/a", str(SECONDS)])
    assert len(read) == 2, "a word among epochs makes them no less epochs"
    assert bad == ["occurred_at 'n/a'"]


@pytest.mark.parametrize("due", [0, 0.0, "0", " 0.0 "])
def test_a_wait_due_at_zero_is_due_at_no_time(due: Any) -> None:
    log = log_of(row(due_at=due), row(due_at=type(due)(SECONDS), run_id="r2"))
    rows = log.judge(JOURNEY).rows
    assert rows["due_at"].to_list() == [None, datetime.fromtimestamp(SECONDS, UTC)]


def test_times_in_the_future_load_and_are_told() -> None:
    log = log_of(row(), row(occurred_at="2199-01-01T00:00:00Z"))
    report = log.report(JOURNEY, now=datetime(2024, 6, 1, tzinfo=UTC))
    assert report.loaded == 2
    assert report.warnings == (
        "1 rows lie in the future, up to 2199-01-01 00:00 UTC: check clock and time_unit",
    )


MIXED = ["2024-05-01 12:00", "2024-05-01", "20240501 120000+0200", NOON, "2024-05-01 12:00:00,5 +02", "?"]


def test_times_of_which_some_have_no_zone_are_told() -> None:
    def told(texts: list[Any], **options: Any) -> list[str]:
        rows = (row(occurred_at=text, run_id=f"r{i}") for i, text in enumerate(texts))
        return [w for w in log_of(*rows, **options).report(JOURNEY).warnings if "zone" in w]

    assert told(MIXED) == ["2 of 5 times have no zone: read as UTC; say timezone=…"]
    assert told(MIXED, timezone="UTC") == told(MIXED[:2]) == told(MIXED[2:]) == []


def test_times_of_activities_of_which_some_have_no_zone_are_told_alike() -> None:
    notes = (
        EventLog.from_activities(visits(when=MIXED[:5], who=["7"] * 5, what=["open"] * 5), **VISITS)
        .report()
        .warnings
    )
    assert "2 of 5 times have no zone: read as UTC; say timezone=…" in notes
    assert "occurred_at" not in notes


def test_times_of_another_form_are_read_when_it_is_told(tmp_path: Path) -> None:
    texts = ["01/05/2024 12:30", "31/12/2024 00:00"]
    rows = [row(occurred_at=text, run_id=f"r{i}") for i, text in enumerate(texts)]
    hint = "no time can be read, such as '01/05/2024 12:30': say time_format='%d/%m/%Y %H:%M', as they are written"
    assert hint in log_of(*rows).report(JOURNEY).warnings
    rounded = log_of(row(occurred_at="1.77192E+12")).report(JOURNEY).warnings
    assert rounded == (
        "no time can be read, such as '1.77192E+12', a number that was rounded: export the times as text",
    )
    assert not log_of(*rows, row()).report(JOURNEY).warnings, (
        "some times can be read: the form is not at fault"
    )
    form = "%d/%m/%Y %H:%M"
    pl.DataFrame(rows, infer_schema_length=None).write_csv(tmp_path / "log.csv")
    for log in (
        log_of(*rows, time_format=form, timezone="Asia/Seoul"),
        EventLog.read(tmp_path / "log.csv", time_format=form, timezone="Asia/Seoul"),
    ):
        read = log.judge(JOURNEY).rows["occurred_at"].to_list()
        assert read == [datetime(2024, 5, 1, 3, 30, tzinfo=UTC), datetime(2024, 12, 30, 15, tzinfo=UTC)]
    assert times(["01.05.2024 12:00 +0200", NOON], time_format="%d.%m.%Y %H:%M %z")[0] == [
        datetime(2024, 5, 1, 10, tzinfo=UTC),
        datetime(2024, 5, 1, 12, tzinfo=UTC),
    ]
    assert times(["20240501"], time_format="%Y%m%d")[0] == [datetime(2024, 5, 1, tzinfo=UTC)]


# One row by itself


GOOD = {
    "reason": {kind: reasons[0] for kind, (reasons, _) in KIND_REASONS.items()},
    "goal_id": "buy",
    "channel": "in_app",
    "message_id": "m",
    "run_id": "r",
    "point_id": "in",
}


def good(kind: str, **values: Any) -> dict[str, Any]:
    needs = {column: GOOD[column] for column in KIND_NEEDS[kind]}
    if "reason" in needs:
        needs["reason"] = GOOD["reason"][kind]  # type: ignore[index]
    return {**dict.fromkeys(["run_id", "point_id"]), **needs} | {"kind": kind} | values


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_with_what_its_kind_needs_loads_and_without_it_does_not(kind: str) -> None:
    assert broken(row(**good(kind))) == []
    needs = ["occurred_at", "user_id", "journey_id", *KIND_NEEDS[kind]] + ["version"] * (
        kind != "goal.reached"
    )
    for column in needs:
        judged = log_of(row(**good(kind)), row(**good(kind, **{column: None}))).judge(JOURNEY)
        assert judged.quarantined.select("row", "rule", "detail").rows() == [(1, "missing", f"no {column}")]
        blank = (
            log_of(row(**good(kind, **{column: ""})), row(**good(kind))).judge(JOURNEY)
            if column != "version"
            else judged
        )
        assert blank.quarantined["rule"].to_list() == ["missing"]


@pytest.mark.parametrize(
    ("values", "rule", "detail"),
    [
        ({"occurred_at": "?"}, "bad_time", "occurred_at '?'"),
        ({"due_at": "soon"}, "bad_time", "due_at 'soon'"),
        ({"version": "one"}, "bad_value", "version 'one'"),
        ({"version": "1.5"}, "bad_value", "version '1.5'"),
        ({"version": str(2**40)}, "bad_value", f"version '{2**40}'"),
        ({"value": "9,50"}, "bad_value", "value '9,50'"),
        ({"value": "inf"}, "bad_value", "value 'inf'"),
        ({"is_machine": "maybe"}, "bad_value", "is_machine 'maybe'"),
        ({"seq": "first"}, "bad_value", "seq 'first'"),
        ({"kind": "point.enterd"}, "unknown_kind", "kind 'point.enterd'"),
        ({"kind": "x", "user_id": None}, "unknown_kind", "no user_id, kind 'x'"),
        ({"kind": "x", "occurred_at": "?"}, "bad_time", "occurred_at '?', kind 'x'"),
        ({"user_id": None, "occurred_at": "?"}, "missing", "no user_id, occurred_at '?'"),
        ({"kind": None}, "missing", "no kind"),
        ({"channel": "pigeon"}, "unknown_channel", "channel 'pigeon'"),
        ({**good("message.impression"), "channel": "email"}, "unknown_channel", "message.impression on channel email"),
        ({**good("message.sent"), "channel": "pigeon"}, "unknown_channel", "channel 'pigeon'"),
        ({"journey_id": "other"}, "unknown_journey", "journey_id 'other'"),
        ({"version": 3}, "unknown_version", "version 3"),
        ({**good("goal.reached"), "version": 3}, "unknown_version", "version 3"),
        ({"point_id": "nowhere"}, "unknown_point", "point_id 'nowhere' is not in version 1"),
        ({"point_id": "new"}, "unknown_point", "point_id 'new' is not in version 1"),
        ({"point_id": "ask", "version": 2}, "unknown_point", "point_id 'ask' is not in version 2"),
        ({**good("goal.reached"), "point_id": "nowhere"}, "unknown_point", "point_id 'nowhere' is not in version 1"),
        ({"kind": "point.completed", "branch": "yes"}, "unknown_branch", "branch 'yes' of 'in' is not in version 1"),
        ({"kind": "point.completed", "point_id": "ask"}, "unknown_branch", "branch 'default' of 'ask' is not in version 1"),
        ({"kind": "point.completed", "point_id": "out", "branch": "x"}, "unknown_branch", "branch 'x' of 'out' is not in version 1"),
        ({**good("goal.reached"), "goal_id": "sell"}, "unknown_goal", "goal_id 'sell'"),
        ({**good("goal.reached"), "goal_id": "sell", "journey_id": "x", "version": 9}, "unknown_journey", "journey_id 'x'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_told_by_its_first_rule(
    values: dict[str, Any], rule: str, detail: str
) -> None:
    judged = log_of(row(), row(**values)).judge(JOURNEY)
    assert judged.quarantined.select("row", "rule", "detail").rows() == [(1, rule, detail)]
    assert judged.rows["row"].to_list() == [0]
    assert judged.read == 2


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "point.completed"},
        {"kind": "point.completed", "branch": "default"},
        {"kind": "point.completed", "point_id": "ask", "branch": "yes"},
        {"kind": "point.completed", "point_id": "out"},
        {"kind": "point.completed", "point_id": "new", "version": 2},
        {"kind": "point.entered", "branch": "no matter"},
        {**good("goal.reached"), "version": None, "point_id": "new"},
        {**good("goal.reached"), "version": None, "point_id": "nowhere"},
        {"goal_id": "sell"},
        {"version": "1"},
        {"version": "1.0"},
        {"version": 1.0},
        {"value": "1e3"},
        {"value": float("nan")},
        {"is_machine": "TRUE"},
        {"is_machine": 0},
        {"reason": "no matter"},
    ],
    ids=str,
)
def test_rows_that_are_good_all_the_same(values: dict[str, Any]) -> None:
    assert broken(row(**values)) == []


def test_a_device_stands_for_a_user_that_is_not_known() -> None:
    log = log_of(row(user_id=None, device_id="d7"), row())
    assert log.judge().rows["user_id"].to_list() == ["device:d7", "u1"]
    assert "1 rows have no user_id; their device stands for the user (device:…)" in log.report().warnings


def test_quarantine_shows_what_was_read() -> None:
    bad = log_of(row(), row(point_id="nowhere", branch="b", occurred_at=NOON)).judge(JOURNEY).quarantined
    assert bad.columns == ["row", "rule", "detail", *COLUMNS]
    assert {name: bad.schema[name] for name in COLUMNS} == {**COLUMNS, "reason": pl.String()}
    assert bad.select("point_id", "branch", "occurred_at").row(0) == (
        "nowhere",
        "b",
        datetime(2024, 5, 1, 12, tzinfo=UTC),
    )


def test_a_value_that_is_no_number_is_not_given_in_a_text_file_either(tmp_path: Path) -> None:
    frame = pl.DataFrame([row(run_id=f"r{i}") for i in range(2)]).with_columns(value=float("nan"))
    for write, name in ((frame.write_csv, "log.csv"), (frame.write_parquet, "log.parquet")):
        write(tmp_path / name)
        assert EventLog.read(tmp_path / name).judge(JOURNEY).rows.height == 2


def test_epochs_are_known_wherever_they_stand_among_other_times() -> None:
    dates, numbers = ["2026-01-01"] * 1_001, [str(1_767_225_600 + second) for second in range(1_500)]
    for told in (dates + numbers, numbers + dates):
        assert times(told)[1] == []


def test_only_the_columns_of_a_file_are_told_where_one_is_missing(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("# export\nuser_id,occurred_at\n")
    with pytest.raises(LogError, match=r"no column 'occurred_at'; it has # export; say"):
        EventLog.read(tmp_path / "log.csv", {"version": pl.lit(1)})


def test_what_a_text_file_begins_with_and_calls_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(row(), default=str).encode())
    with pytest.raises(LogError, match="save it as UTF-8 without one"):
        EventLog.read(tmp_path / "log.jsonl")
    (tmp_path / "log.csv").write_text("occurred_at,kind,user_id,user_id,journey_id,version\n")
    with pytest.raises(LogError, match="several columns 'user_id'"):
        EventLog.read(tmp_path / "log.csv")


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_a_value_that_is_no_number_is_not_given_and_an_endless_one_is_bad(dtype: Any) -> None:
    values = pl.Series("value", [1.5, float("nan"), float("inf"), float("-inf"), None], dtype=dtype)
    frame = pl.DataFrame([row(run_id=f"r{i}") for i in range(5)]).with_columns(values)
    judged = EventLog.from_frame(frame).judge(JOURNEY)
    assert judged.rows["value"].to_list() == [1.5, None, None]
    assert judged.quarantined.select("row", "rule", "detail").rows() == [
        (2, "bad_value", "value 'inf'"),
        (3, "bad_value", "value '-inf'"),
    ]


# Reasons


def test_every_reason_of_a_kind_is_kept_and_a_foreign_one_is_unknown() -> None:
    for kind, (reasons, unknown) in KIND_REASONS.items():
        words = [
            *reasons,
            "meteor",
            next(r for k, (rs, _) in KIND_REASONS.items() for r in rs if r not in reasons),
        ]
        log = log_of(
            *(row(**good(kind, reason=word, run_id=f"r{i}", message_id="m")) for i, word in enumerate(words))
        )
        rows = log.judge(JOURNEY).rows
        assert rows["reason"].to_list() == [*reasons, unknown, unknown]
        assert rows["reason_detail"].to_list() == [None] * len(reasons) + words[-2:]


def test_a_foreign_reason_stands_before_the_sources_own_words() -> None:
    log = log_of(row(kind="run.exited", reason="meteor", reason_detail="from the east"), row(reason="delay"))
    rows = log.judge(JOURNEY).rows
    assert rows.select("reason", "reason_detail").rows() == [
        ("internal_unknown", "meteor: from the east"),
        ("delay", None),
    ]
    told = "1 rows give a reason that is not on the list, such as 'meteor: from the east': read as …_unknown"
    assert told in log.report(JOURNEY).warnings


def test_a_word_on_a_kind_that_carries_no_reason_is_kept() -> None:
    log = log_of(
        row(run_id="r1", reason="meteor"),
        row(run_id="r2", reason="meteor", reason_detail="from the east"),
        row(run_id="r3", reason="delay"),
        row(run_id="r4", kind="run.exited", reason="goal"),
    )
    assert log.judge(JOURNEY).rows.select("reason", "reason_detail").rows() == [
        (None, "meteor"),
        (None, "meteor: from the east"),
        ("delay", None),
        ("goal", None),
    ]


# Dedupe


def plain_hash(values: dict[str, Any]) -> str:
    """The canonical row hash, written down once more from METRICS.md, 14.8c."""
    content = {name: values.get(name) for name in COLUMNS if name != "source"}
    for name in ("occurred_at", "due_at"):
        if content[name] is not None:
            moment = datetime.fromisoformat(content[name])
            content[name] = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(", ", ": "))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


HASHED = [
    row(),
    row(value=9.5, currency="€", kind="goal.reached", goal_id="buy"),
    row(user_id='quote " backslash \\ tab \t line \u2028 nul \x00 é 👩‍👩‍👧', reason="meteor"),
    row(goal_id="sell", is_machine=False, seq=-3, due_at="2024-05-02T00:00:00+00:00"),
    row(value=1e22, is_machine=True),
    row(value=0.1 + 0.2, channel="email"),
    row(value=-0.0),
]


def test_a_row_without_an_id_gets_the_hash_of_its_columns() -> None:
    rows = log_of(*HASHED).judge(JOURNEY).rows
    assert rows["event_id"].to_list() == [plain_hash(values) for values in HASHED]


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.text(min_size=1))
def test_any_content_is_hashed_alike(text: str, value: float, user: str) -> None:
    values = row(reason_detail=text or None, value=value, user_id=user, currency=text or None)
    assert log_of(values).judge(JOURNEY).rows["event_id"].to_list() == [plain_hash(values)]


def test_the_hash_leaves_source_out() -> None:
    log = log_of(row(source="a"), row(source="b"))
    judged = log.judge(JOURNEY)
    assert (judged.rows.height, judged.duplicates) == (1, 1)
    assert judged.rows["source"].to_list() == ["a"], "the first one stays"


def test_the_same_event_twice_counts_once_and_another_content_is_a_conflict() -> None:
    """The worked case of METRICS.md, 13."""
    sent = row(**good("message.sent"), event_id="e1")
    rows = [sent, sent, sent | {"user_id": "u2"}]
    for order in itertools.permutations(range(3)):
        judged = log_of(*(rows[i] for i in order)).judge(JOURNEY)
        assert (judged.rows.height, judged.duplicates, judged.quarantined.height) == (1, 1, 1)
        assert judged.quarantined["rule"].to_list() == ["conflict"]
        winner = min("u1", "u2", key=lambda user: plain_hash(sent | {"user_id": user}))
        assert judged.rows["user_id"].to_list() == [winner]


def test_three_contents_of_one_id_leave_the_smallest_hash() -> None:
    rows = [row(event_id="e", user_id=f"u{i}") for i in range(3)] + [row(event_id="f")]
    judged = log_of(*rows).judge(JOURNEY)
    assert judged.rows.height == 2
    assert judged.rows["user_id"][0] == min(rows[:3], key=plain_hash)["user_id"]
    assert judged.quarantined["detail"].unique().to_list() == ["event_id 'e' has two different contents"]


def test_rows_are_judged_before_they_are_deduplicated() -> None:
    rows = [row(event_id="e", point_id="nowhere"), row(event_id="e"), row(event_id="e", point_id="nowhere")]
    judged = log_of(*rows).judge(JOURNEY)
    assert judged.rows["row"].to_list() == [1]
    assert judged.quarantined["rule"].to_list() == ["unknown_point"] * 2
    assert judged.duplicates == 0


def test_words_that_are_not_coded_make_a_difference() -> None:
    rows = [
        row(event_id="e", kind="run.exited", reason="meteor"),
        row(event_id="e", kind="run.exited", reason="comet"),
    ]
    assert log_of(*rows).judge(JOURNEY).quarantined["rule"].to_list() == ["conflict"]


def test_row_hashes_are_public_to_the_fold() -> None:
    rows = log_of(row(event_id="e")).judge().rows
    assert row_hashes(rows) == [plain_hash(row(event_id="e"))]


DIRTY = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from([None, "a", "b", "c"]),
        "occurred_at": st.sampled_from([NOON, "2024-05-01T12:01:00Z", None, "?"]),
        "kind": st.sampled_from(["point.entered", "run.exited", "goal.reached", "x", None]),
        "user_id": st.sampled_from(["u1", "u2", None]),
        "journey_id": st.sampled_from(["welcome", "welcome", "other"]),
        "version": st.sampled_from(["1", "2", "9", "x", None]),
        "run_id": st.sampled_from(["r1", None]),
        "point_id": st.sampled_from(["in", "ask", "nowhere", None]),
        "goal_id": st.sampled_from(["buy", "sell", None]),
        "reason": st.sampled_from(["completed", "delay", "meteor", None]),
        "source": st.sampled_from(["a", "b"]),
    }
)


@settings(max_examples=60)
@given(st.lists(DIRTY, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_the_order_of_rows_does_not_matter(
    rows: list[dict[str, Any]], random: Any
) -> None:
    schema = dict.fromkeys(rows[0], pl.String)
    judged = EventLog.from_frame(pl.DataFrame(rows, schema=schema)).judge(JOURNEY)
    assert judged.read == len(rows) == judged.rows.height + judged.duplicates + judged.quarantined.height
    assert judged.rows["event_id"].is_unique().all()
    assert set(judged.quarantined["rule"]) <= set(RULES)
    random.shuffle(rows)
    again = EventLog.from_frame(pl.DataFrame(rows, schema=schema)).judge(JOURNEY)
    content = [name for name in COLUMNS if name != "source"]
    assert_frame_equal(
        judged.rows.select(content).sort("event_id"), again.rows.select(content).sort("event_id")
    )
    assert sorted(judged.quarantined["rule"]) == sorted(again.quarantined["rule"])
    assert judged.duplicates == again.duplicates


@settings(max_examples=150)
@given(st.lists(DIRTY, min_size=1, max_size=40), st.integers(0, 40), st.booleans())
def test_settling_in_parts_is_settling_at_once(rows: list[dict[str, Any]], cut: int, restart: bool) -> None:
    """A function of the set of rows, whether late rows are counted on or from 0 again."""
    schema = dict.fromkeys(rows[0], pl.String)
    log = EventLog.from_frame(pl.DataFrame(rows, schema=schema))
    good = log.sifted(JOURNEY).filter(pl.col("rule").is_null()).drop("rule").collect()
    if restart:
        good = good.with_columns(pl.col("row") % max(cut, 1))
    early, late = good.head(cut), good.slice(cut)
    before = settled(early)
    parts, whole = settled(pl.concat([late, before.distinct])), settled(good)
    by = ["event_id", "row", "user_id", "source"]
    for name in ("kept", "losers", "rows", "conflicts", "distinct"):
        one, other = (getattr(once, name).sort(by, maintain_order=True) for once in (parts, whole))
        assert_frame_equal(one, other)
    assert before.duplicates + parts.duplicates == whole.duplicates
    judged = log.judge(JOURNEY)
    assert judged.duplicates == whole.duplicates
    assert judged.rows.height == whole.kept.height


def test_sifted_and_faulty_rows_are_all_that_was_read() -> None:
    steps = {
        "who": ["a", "a", "a", None],
        "what": ["x", "x", "y", "x"],
        "at": [1, 1, 2, 3],
        "id": [1, 1, 2, 3],
    }
    made = EventLog.from_activities(
        pl.DataFrame(steps), user="who", activity="what", time="at", event_id="id", time_unit="s"
    )
    for log in (
        log_of(row(), row(), row(kind="x"), row(point_id="?"), row(user_id=None, device_id="d")),
        made,
    ):
        for journey in (None, JOURNEY):
            judged, sifted = log.judge(journey), log.sifted(journey).collect()
            faulty = log.faulty(journey).collect()
            good = sifted.filter(pl.col("rule").is_null())
            assert judged.read == good.height + faulty.height + log.duplicates
            assert set(COLUMNS) | {"row", "rule"} <= set(sifted.columns)
            assert good["user_id"].null_count() == 0
            assert faulty.schema == judged.quarantined.schema


# The report


def test_the_report_tells_what_became_of_every_row() -> None:
    log = log_of(
        row(), row(), row(kind="goal.reachd"), row(point_id="nwe"), row(goal_id="by", kind="goal.reached"),
        row(occurred_at="?"), row(occurred_at="??"), row(journey_id="wellcome"),
    )  # fmt: skip
    report = log.report(JOURNEY)
    assert (report.read, report.loaded, report.duplicates, report.quarantined) == (8, 1, 1, 6)
    assert report.frame.columns == ["rule", "rows", "example"]
    assert report.frame.row(0) == ("bad_time", 2, "occurred_at '?'")
    assert set(report.warnings) == {
        "kind 'goal.reachd' is unknown; did you mean 'goal.reached'?",
        "point_id 'nwe' is unknown; did you mean 'new'?",
        "goal_id 'by' is unknown; did you mean 'buy'?",
        "journey_id 'wellcome' is unknown; did you mean 'welcome'?",
    }
    assert str(report).startswith("8 rows read = 1 loaded + 1 duplicates + 6 quarantined\n  bad_time")


def test_the_report_escapes_what_it_shows() -> None:
    shown = log_of(row(kind="<script>")).report()._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_very_long_cell_is_whole_in_quarantine_and_cut_in_the_report() -> None:
    log = log_of(row(kind="x" * 100_000))
    assert len(log.judge().quarantined["detail"][0]) > 100_000
    assert len(str(log.report())) < 1000


def test_the_report_says_where_the_order_of_runs_is_judged() -> None:
    log = log_of(row(), row(kind="odd"))
    assert "JourneyStats(journey, log): its facts.quarantined" in str(log.report(JOURNEY)).splitlines()[-1]
    assert "JourneyStats" not in str(log.report())


def test_a_report_is_made_of_any_quarantine() -> None:
    bad = pl.DataFrame({"row": [3, 1, 2], "rule": ["late", "late", "odd"], "detail": ["c", "a", "b"]})
    report = Report.of(bad, read=10, duplicates=2)
    assert (report.loaded, report.quarantined) == (5, 3)
    assert report.frame.rows() == [("late", 2, "a"), ("odd", 1, "b")]


def test_two_columns_of_one_name_are_refused_where_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text("who,what,at,at\na,look,2026-03-01,2026-03-02\n")
    how = {"user": "who", "activity": "what", "timezone": "UTC"}
    with pytest.raises(LogError, match="several columns 'at' for 'occurred_at': rename all but one"):
        EventLog.from_activities(tmp_path / "visits.csv", time="at", **how)


def test_a_timezone_that_does_not_exist_is_refused_before_anything_is_read() -> None:
    with pytest.raises(LogError, match="no timezone 'Asia/Seul'; did you mean 'Asia/Seoul'"):
        EventLog.read("there_is_none.csv", timezone="Asia/Seul")


def test_a_log_of_another_journey_is_told(welcome: Journey, welcome_log: pl.DataFrame) -> None:
    other = welcome.model_copy(update={"journey_id": "something else"})
    told = str(EventLog.from_frame(welcome_log).report(other))
    assert f"journey_id {welcome.journey_id!r} is not that of the document, 'something else'" in told


# What exports of other systems hold, and how it is told


VISITS: dict[str, Any] = {"user": "who", "activity": "what", "time": "when"}
POINT = {"journey_id": pl.lit("welcome"), "version": pl.lit(1), "kind": pl.lit("point.entered")}


def visits(**values: Any) -> pl.DataFrame:
    return pl.DataFrame({"when": ["2026-03-02"], "who": ["7"], "what": ["open"]} | values, strict=False)


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_a_stray_separator_is_refused_whichever_columns_are_read(tmp_path: Path, engine: Any) -> None:
    header = "when,who,note,what,plan\n"
    (tmp_path / "1.csv").write_text(header + '2026-03-02,7,"hello, world",open,pro\n')
    columns: Any = POINT | {"occurred_at": "when", "user_id": "who", "run_id": "who", "point_id": "what"}
    whole = EventLog.read(tmp_path / "1.csv", columns | {"event_id": pl.concat_str(pl.all(), separator="|")})
    assert whole.judge().rows["event_id"].to_list() == ["2026-03-02|7|hello, world|open|pro"]
    (tmp_path / "2.csv").write_text(header + "2026-03-02,9,hello, world,open,pro\n")
    for paths in (tmp_path / "2.csv", tmp_path / "*.csv"):
        with pytest.raises(LogError, match="more cells than the header"):
            EventLog.from_activities(str(paths), **VISITS)
        log = EventLog.read(paths, columns)
        assert log.extra == ("note", "plan")
        some = log.only(pl.col("user_id") == "7")
        for rows in (log.sifted(), log.faulty(), some.sifted(), log.frame.select("fault")):
            with pytest.raises(pl.exceptions.ComputeError, match="more fields"):
                rows.collect(engine=engine)


def test_a_mapped_column_that_some_files_lack_is_null_there(tmp_path: Path) -> None:
    exited = row(kind="run.exited", bounce_reason="goal", first="r1")
    (tmp_path / "1.jsonl").write_text(json.dumps(exited))
    (tmp_path / "2.jsonl").write_text(json.dumps(row(run_id="r2")))
    columns = {"reason": "bounce_reason", "run_id": pl.coalesce("first", "run_id")}
    rows = EventLog.read(str(tmp_path / "*.jsonl"), columns).judge(JOURNEY).rows
    assert rows.select("run_id", pl.col("reason").cast(pl.String)).rows() == [("r1", "goal"), ("r2", None)]
    with pytest.raises(LogError, match=r"2\.jsonl: no column 'bounce_reason' for 'reason'"):
        EventLog.read(tmp_path / "2.jsonl", {"reason": "bounce_reason"})
    with pytest.raises(LogError, match="no column 'at' for 'occurred_at'"):
        EventLog.read(str(tmp_path / "*.jsonl"), {"occurred_at": "at"})


def test_the_name_of_a_zone_is_not_read_over() -> None:
    form = "%Y-%m-%d %H:%M %Z"
    times = ["2026-03-02 10:00 UTC", "2026-03-02 10:00 GMT"]
    log = EventLog.from_frame(
        pl.DataFrame([row(occurred_at=at) for at in times]), time_format=form, timezone="Asia/Seoul"
    )
    assert log.judge().rows["occurred_at"].to_list() == [datetime(2026, 3, 2, 10, tzinfo=UTC)]
    with pytest.raises(LogError, match=r"%Z in time_format says no zone.*10:00 EST.*timezone="):
        log_of(row(occurred_at="2026-03-02 10:00 EST"), time_format=form)


@pytest.mark.parametrize("word", ["NULL", "None", "nan", "\\N", "undefined", "(not set)", "N/A"])
def test_a_word_for_nothing_is_told_and_not_taken_for_it(word: str) -> None:
    log = log_of(
        row(user_id=word), row(user_id=None, device_id=word), row(event_id="2", user_id=word, channel=word)
    )
    told = log.report().warnings
    assert any(f"device_id {word!r} stands in 1 rows" in line for line in told)
    assert any(f"user_id {word!r} stands in 1 rows" in line for line in told)
    assert (
        f"channel {word!r} in 1 rows: where it means nothing, give channel as pl.col(…).replace({word!r}, None)"
        in told
    )
    mended = EventLog.from_frame(
        pl.DataFrame([row(channel=word)]), {"channel": pl.col("channel").replace(word, None)}
    )
    assert mended.report().quarantined == 0


def test_ids_that_were_rounded_are_told_or_refused() -> None:
    assert "rounded" in str(log_of(row(user_id="1.23E+10")).report())
    assert "rounded" not in str(log_of(row(user_id="5e12")).report())
    for dtype, most in ((pl.Float64, 2.0**53), (pl.Float32, 2.0**24)):
        frame = pl.DataFrame([row()]).with_columns(user_id=pl.lit(most, dtype))
        with pytest.raises(LogError, match=r"'user_id' holds floats .* read the column as text"):
            EventLog.from_frame(frame)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"version": 1}, r"1 for 'version' is no column's name; a constant is pl\.lit\(1\)"),
        ({"journey_id": "canvas-1"}, r"a constant is pl\.lit\('canvas-1'\)"),
        ({"user_id": pl.col("nope")}, "the expression for 'user_id' failed: unable to find column"),
        ({"user_id": pl.col("user_id").struct.field("x")}, r"'user_id' failed.*str\.json_path_match"),
        ({"kind": pl.col("kind").replace_strict({"a": "b"})}, "expression .* failed: incomplete mapping"),
        (
            {"version": pl.col("user_id").cast(pl.Int32)},
            "expression .* failed: conversion from `str` to `i32`",
        ),
    ],
)
def test_what_is_wrong_with_a_mapping_is_told(columns: Any, told: str) -> None:
    with pytest.raises(LogError, match=told):
        EventLog.from_frame(pl.DataFrame([row()]), columns).judge()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"time_unit": "seconds"}, "time_unit is 'seconds'; it is one of 's', 'ms', 'us' and 'ns'"),
        ({"time_unit": {"due_at": "sec"}}, "time_unit is 'sec'"),
        ({"time_format": "%Y-%m-%d %H:%M %p"}, "time_format=.* cannot be used: .*; with %p the hour is %I"),
        ({"timezone": "-06:00"}, r"did you mean 'Etc/GMT\+6'"),
        ({"timezone": "UTC+2"}, "did you mean 'Etc/GMT-2'"),
        ({"timezone": "CST"}, "did you mean 'America/Chicago'"),
        ({"timezone": "Paris"}, "did you mean 'Europe/Paris'"),
        ({"timezone": "new york"}, "did you mean 'America/New_York'"),
        ({"timezone": "+05:30"}, "name it by region and city"),
    ],
)
def test_how_times_are_read_is_checked_before_anything_is_read(how: Any, told: str) -> None:
    for read in (EventLog.read, lambda path, **how: EventLog.from_activities(path, **VISITS, **how)):
        with pytest.raises(LogError, match=told):
            read("there_is_none.csv", **how)


def test_a_column_that_holds_several_things_is_told_by_its_parameter() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(LogError, match="make the column text"):
        EventLog.from_frame(pandas.DataFrame({"user_id": ["a", 1]}))
    with pytest.raises(LogError, match="rename one of the two columns"):
        EventLog.from_frame(pandas.DataFrame([["a", "b"]], columns=["user_id", "user_id"]))
    with pytest.raises(LogError, match=r"'session' is no single value.* with session=pl\.col"):
        EventLog.from_activities(visits(s=[{"x": 1}]), **VISITS, session="s")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("16.csv", "a,b".encode("utf-16"), "UTF-16; .*iconv -f utf-16"),
        ("16be.csv", b"\xfe\xff\0a", "UTF-16"),
        ("gz.csv", gzip.compress(b"a,b", mtime=0), r"compressed by gzip; name it so, with \.gz"),
        ("mac.csv", b'"a\r",b\r1,2\r', r"end in a carriage return alone; .*tr '\\r' '\\n'"),
        ("mac.jsonl", b'{"a": 1}\r{"a": 2}\r', "end in a carriage return alone"),
        ("stream.arrow", b"\xff\xff\xff\xffx\0\0\0", r"a stream of Arrow .*polars\.read_ipc_stream"),
        ("zst.csv", b"\x28\xb5\x2f\xfd", "compressed by zstd; decompress it first"),
        ("log.csv.zst", b"\x28\xb5\x2f\xfd", "decompress it first: zstd -d"),
        ("log.avro", b"Obj", r"polars\.read_avro"),
        ("array.jsonl", b'[{"a": 1}]', "is one JSON array, and JSON lines have one object a line"),
        ("cut.jsonl", b'{"a": 1}\n\n{"a": ', "line 3 is no JSON"),
        ("nan.jsonl", b'{"a": 1}\n{"a": NaN}\n', 'line 2 is no JSON object, \'{"a": NaN}'),
        ("deep.jsonl", b'{"a": {}}\n{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n", "line 2 is no JSON"),
        (
            "cut.jsonl.gz",
            gzip.compress(b'{"a": 1}\nhello\n{"a": 1}\n', mtime=0),
            "line 2 is no JSON object, 'hello",
        ),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(
    name: str, content: bytes, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=rf"{name}.*{told}"):
        EventLog.read(tmp_path / name)


def test_times_of_spreadsheets_and_of_america_are_told() -> None:
    told = str(EventLog.from_activities(visits(when=["3/14/2026 1:05:00 PM"]), **VISITS).report())
    assert "say time_format='%m/%d/%Y %I:%M:%S %p'" in told
    with pytest.raises(LogError, match=r"look like the days since 1899-12-30") as caught:
        EventLog.from_activities(visits(when=["45123.5"]), **VISITS)
    fix = eval(str(caught.value).split("columns={'occurred_at': ")[1][:-1].replace("…", "'when'"))
    log = EventLog.from_activities(visits(when=["45123.5"]), **VISITS | {"time": fix})
    assert log.frame.collect()["occurred_at"][0] == datetime(2023, 7, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize("kinds", [[pl.Int64], [pl.Float64, pl.String]])  # beside a gap numbers have a point
@pytest.mark.parametrize("form", ["%Y%m%d", "%Y%m%d%H%M%S"])
def test_dates_that_are_numbers_are_told(form: str, kinds: list[Any]) -> None:
    when = datetime(2026, 3, 14, 1 * ("H" in form))
    written = pl.Series([int(when.strftime(form))])
    for kind in kinds:
        written = written.cast(kind)
    rows = visits(when=written)
    with pytest.raises(LogError, match="look like dates without separators") as caught:
        EventLog.from_activities(rows, **VISITS)
    fix = eval(str(caught.value).split("columns={'occurred_at': ")[1][:-1].replace("…", "'when'"))
    logs = [EventLog.from_activities(rows, **VISITS | {"time": fix})]
    assert f"as text they are read with time_format={form!r}" in str(caught.value)
    text = visits(when=[when.strftime(form)])
    logs.append(EventLog.from_activities(text, **VISITS, time_format=form))
    assert {log.frame.collect()["occurred_at"][0] for log in logs} == {when.replace(tzinfo=UTC)}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_values_of_json_may_be_of_any_kind(suffix: str, tmp_path: Path) -> None:
    """An object in one row and a list in another, deep within what nobody reads perhaps, stop no log."""
    rows = [row(run_id=f"r{i}", props=props) for i, props in enumerate([{"a": {"b": 1}}, {"a": [1]}, True])]
    text = "\n".join(json.dumps(one, default=str) for one in rows)
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix else text.encode())
    log = EventLog.read(path, {"variant": "props"})
    assert log.judge().rows["variant"].to_list() == ['{"a": {"b": 1}}', '{"a": [1]}', "true"]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("first", ["", "sep=;\n", "sep=;\r\n"])
def test_separators_are_counted_outside_of_names(first: str, bom: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(f'{bom}{first}who;what;when;"note (a, b, c, d)"\n7;open;2026-03-02;x\n'.encode())
    assert EventLog.from_activities(path, **VISITS).report().loaded == 1


def test_a_column_within_an_expression_is_read() -> None:
    frame = pl.DataFrame([row(chanel="EMAIL", colour="red")])
    log = EventLog.from_frame(frame, {"channel": pl.col("chanel").str.to_lowercase()})
    assert log.extra == ("colour",)


def test_flags_may_be_floats() -> None:
    log = log_of(row(is_machine="1.0"), row(is_machine="0.0"))
    assert sorted(log.judge().rows["is_machine"]) == [False, True]


def test_what_was_meant_in_quarantine_is_told() -> None:
    document = JOURNEY.model_dump(mode="json")
    document["versions"][0]["branches"][1]["key"] = "variant:A"
    document["versions"][0]["points"][1]["type"] = "split_abn"
    journey = Journey.model_validate(document)
    told = log_of(
        row(point_id="IN"),
        row(kind="point.completed", point_id="ask", branch="A"),
        row(kind="goal.reached", goal_id="Buy"),
        row(version=7),
        row(channel="newsletter"),
        row(kind="goal.reached", goal_id="buy", value="12,5"),
    ).report(journey)
    for hint in (
        "point_id 'IN' is unknown; did you mean 'in'?",
        "branch 'A' is unknown; did you mean 'variant:A'?",
        "goal_id 'Buy' is unknown; did you mean 'buy'?",
        "version '7' is unknown; it is one of 1, 2",
        "channel 'newsletter' is unknown; it is one of ",
        "value '12,5' has a decimal comma, as 1 rows have",
    ):
        assert any(hint in line for line in told.warnings), hint


def test_waits_and_skips_where_nobody_arrives_are_told() -> None:
    """They belong to the visit at their point; a log of sends and skips alone has none."""
    row = {
        "occurred_at": "2026-03-01T10:00:00Z",
        "journey_id": "j",
        "version": 1,
        "user_id": "u",
        "run_id": "r",
    }
    rows = [
        row | {"kind": "run.entered", "point_id": "E"},
        row | {"kind": "point.skipped", "point_id": "A", "reason": "control_group"},
        row | {"kind": "wait.started", "point_id": "W", "reason": "delay"},
    ]
    report = EventLog.from_frame(pl.DataFrame(rows)).report()
    assert [told for told in report.warnings if "such as 'A', 'W': they count for no visit" in told]
    arrivals = [row | {"kind": "point.entered", "point_id": point} for point in "AW"]
    report = EventLog.from_frame(pl.DataFrame(rows + arrivals)).report()
    assert not [told for told in report.warnings if "count for no visit" in told]
