"""Rows come in many forms, twice, late and at once with a change: none is lost or counted twice without a word."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from same import assert_same

import journey_nb as jn
from journey_nb import store as store_of
from journey_nb.events import EventLog
from journey_nb.simulate import simulate
from journey_nb.store import intake, sources
from journey_nb.store import layers as layers_of_store
from journey_nb.store.database import who
from journey_nb.store.loaded import READ_OTHERWISE
from journey_nb.store.parcels import ROWS, packed


@pytest.fixture
def store(tmp_path: Path, welcome: jn.Journey) -> jn.Store:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    return store


@pytest.fixture(scope="module")
def events(welcome: jn.Journey) -> pl.DataFrame:
    return simulate(welcome, users=40, seed=9)


# Batches, and what can be read but once.


def test_other_rows_under_the_name_of_a_batch_are_refused(store: jn.Store, events: pl.DataFrame) -> None:
    for name in ("monday", "tuesday"):
        store.append(events[:600], batch=name)
    for name in ("monday", "tuesday"):
        with pytest.raises(jn.StoreError, match=f"'{name}' was loaded with other rows: give these a name"):
            store.append(events[600:1200], batch=name)
    store.append(events[600:], batch="wednesday")
    assert store["welcome"].report().loaded == events.height


def test_a_batch_may_have_any_name(store: jn.Store, events: pl.DataFrame) -> None:
    """Also one that looks like what the list of loads tells beside the names."""
    names = ["x, read 0123456789abcdef", f"batch:monday, polars {pl.__version__}", "monday"]
    some = [events[20 * number :][:20] for number in range(len(names))]
    for name, rows in zip(names, some, strict=True):
        assert store.append(rows.lazy(), batch=name).read == 20
        assert store.append(rows, batch=name).skipped == (name,)
    assert store.loads().select("name", "read").rows() == [(name, 20) for name in names]
    for name in reversed(names):
        assert store.undo(name).read == 20
    assert store.loads().is_empty()


FORMS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "in another order": lambda rows: rows.reverse(),
    "as Arrow": lambda rows: rows.to_arrow(),
    "of other types": lambda rows: rows.with_columns(pl.col("version").cast(pl.Int64)),
    "with nothing more": lambda rows: rows.with_columns(nothing=pl.lit(None)),
    "as dictionaries": lambda rows: pl.DataFrame(rows.to_dicts(), infer_schema_length=None),
    "in pieces": lambda rows: pl.concat([rows[:7], rows[7:]], rechunk=False),
    "lazily": lambda rows: rows.lazy(),
    "as a log": EventLog.from_frame,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_batch_in_another_form_adds_nothing(
    store: jn.Store, events: pl.DataFrame, form: str
) -> None:
    store.append(events, batch="monday")
    assert store.append(FORMS[form](events), batch="monday").skipped == ("monday",)


def test_objects_of_python_beside_the_events_are_in_nobody_s_way(
    store: jn.Store, events: pl.DataFrame
) -> None:
    frame = events.with_columns(pl.Series("seen", [{1}] * events.height, dtype=pl.Object))
    assert store.append(frame).loaded == events.height
    assert len(store.append(frame).skipped) == 1


@pytest.mark.parametrize("form", ["lazily", "as a log"])
def test_a_lazy_batch_of_another_length_is_refused(store: jn.Store, events: pl.DataFrame, form: str) -> None:
    store.append(FORMS[form](events[:600]), batch="monday")
    with pytest.raises(jn.StoreError, match="'monday' was loaded with other rows"):
        store.append(FORMS[form](events[600:]), batch="monday")


class Stream:
    """Rows that can be read but once, as the readers of databases are."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = [rows]

    def __arrow_c_stream__(self, schema: object = None) -> object:
        rows = self._rows.pop() if self._rows else pl.DataFrame(schema=jn.events.COLUMNS)
        return rows.__arrow_c_stream__(schema)


def test_streams_that_end_are_told_apart(store: jn.Store, events: pl.DataFrame) -> None:
    for rows in (events[:600], events[600:]):
        assert store.append(Stream(rows)).loaded == rows.height
    assert store.append(Stream(events[600:])).skipped == ("the frame",)


def test_a_lazy_frame_that_can_be_read_but_once_is_refused(store: jn.Store, events: pl.DataFrame) -> None:
    once = iter([events])
    lazy = pl.defer(lambda: next(once, events[:0]), schema=events.schema)
    with pytest.raises(jn.StoreError, match="collect it first"):
        store.append(lazy, batch="monday")
    assert store.append(events, batch="monday").loaded == events.height


# Files.


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl"])
def test_a_bracket_in_a_name_is_no_pattern(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path, ending: str
) -> None:
    paths = [tmp_path / "x1" / f"events1.{ending}", tmp_path / "x[1]" / f"events[1].{ending}"]
    for path, rows in zip(paths, (events[:600], events[600:]), strict=True):
        path.parent.mkdir()
        write = {"arrow": rows.write_ipc, "jsonl": rows.write_ndjson}.get(ending) or getattr(
            rows, f"write_{ending}"
        )
        write(path)
    assert store.load(paths).loaded == events.height
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, EventLog.read(paths)).facts)
    assert EventLog.read(str(tmp_path / "x*" / "*")).height == events.height


@pytest.mark.parametrize(("form", "together"), [("parquet", 1), ("ndjson", sources.TOGETHER)])
def test_what_only_some_files_have_is_null_in_the_others_however_they_are_loaded(
    store: jn.Store,
    welcome: jn.Journey,
    events: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    form: str,
    together: int,
) -> None:
    monkeypatch.setattr(sources, "TOGETHER", together)
    mine = {"goal_id": "goal", "variant": pl.col("arm").str.to_uppercase()}
    has = pl.col("goal_id").is_not_null() | pl.col("variant").is_not_null()
    with_them, without = (events.filter(rows).sort("occurred_at") for rows in (has, ~has))
    for name, frame in (
        ("a", without[::2].drop("goal_id", "variant")),
        ("b", without[1::2].drop("goal_id", "variant")),
        ("e", with_them.rename({"goal_id": "goal", "variant": "arm"})),
    ):
        getattr(frame, f"write_{form}")(tmp_path / f"{name}.{form}")
    paths = str(tmp_path / f"*.{form}")
    (tmp_path / f"c.{form}").write_bytes(b"PAR1 and no more")  # so that they are read one by one
    with monkeypatch.context() as patch:
        patch.setattr(store_of, "SHOWN", 2)  # so many older files without them say nothing of the newer
        with pytest.raises(jn.LogError) as error:
            store.load(paths, mine)
    assert re.findall(r"/(\w)\.", str(error.value)) == ["c"]
    (tmp_path / f"c.{form}").unlink()
    typed = {"goal_id": "gaol"}
    with pytest.raises(jn.LogError, match="no column 'gaol' for 'goal_id'; did you mean 'goal'"):
        jn.Store(tmp_path / "typed").load(paths, typed)
    # As after an interruption: what has the columns is loaded, and one that has them not comes by itself.
    getattr(without.drop("goal_id", "variant").head(9), f"write_{form}")(tmp_path / f"d.{form}")
    caplog.clear()
    store.load(paths, mine)
    (told,) = caplog.messages
    assert told.endswith(f"d.{form} has no column arm, goal, it is null")
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, EventLog.read(paths, mine)).facts)


def test_equal_files_of_two_folders_tell_two_things(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    """What two people did, of which the folders alone say who they are."""
    user, other = events.filter(pl.col("kind") == "run.entered")["user_id"].unique().head(2)
    for user_id in (user, other):
        (tmp_path / f"user_id={user_id}").mkdir()
        rows = events.filter(pl.col("user_id") == user).drop("user_id", "event_id", "device_id")
        rows.write_parquet(tmp_path / f"user_id={user_id}" / "0.parquet")
    assert store.load(str(tmp_path / "*/0.parquet")).read == 2 * rows.height
    assert len(store.load(str(tmp_path / "*/0.parquet")).skipped) == 2
    names = [f"user_id={user_id}/0.parquet" for user_id in sorted([user, other])]
    assert store.loads()["name"].to_list() == names
    with pytest.raises(jn.StoreError, match=r"'0\.parquet' is not loaded: the last was user_id="):
        store.undo("0.parquet")  # whose?
    assert store.undo(names[0]).read == 2 * rows.height


def test_a_bracket_in_the_name_of_a_fold_is_no_pattern(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    store.append(events)
    (layer,) = store["welcome"].facts.layers
    shutil.copytree(layer.folder, tmp_path / "0-0")
    rows = packed(replace(layer, folder=tmp_path / "0-0"), "welcome", of=1)
    (tmp_path / "out [1]").mkdir()
    pl.DataFrame(list(rows), schema=ROWS, orient="row").write_parquet(tmp_path / "out [1]" / "0.parquet")
    other = jn.Store(tmp_path / "other")
    other.add(welcome)
    assert other.adopt(tmp_path / "out [1]").loaded == store["welcome"].report().loaded


def test_a_partition_of_which_nothing_is_good_is_adopted(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    """It has no ids, and the file of their index is empty."""
    bad = events[:9].with_columns(point_id=pl.lit("nowhere"), event_id=pl.lit(None, pl.String))
    layer = intake.Intake(welcome, layers_of_store.Layer(tmp_path / "0-0")).load(EventLog.from_frame(bad))
    (tmp_path / "out").mkdir()
    layer.design = layers_of_store.design_of(welcome)
    rows = list(packed(layer, welcome.journey_id, of=1))
    pl.DataFrame(rows, schema=ROWS, orient="row").write_parquet(tmp_path / "out" / "0.parquet")
    assert store.adopt(tmp_path / "out").quarantined == 9
    assert store.check() == []


def test_files_of_two_separators_are_read_together(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    events[:600].write_csv(tmp_path / "a.csv")
    events[600:].write_csv(tmp_path / "b.csv", separator=";")
    assert store.load(tmp_path / "*.csv").loaded == events.height


def test_a_file_that_another_import_has_loaded_meanwhile_is_left_out(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = events[:9].with_columns(user_id=pl.lit(None, pl.String))
    for name, rows in {"a": pl.concat([events[:600], bad]), "b": events[600:]}.items():
        rows.write_parquet(tmp_path / f"{name}.parquet")
    store.load(tmp_path / "a.parquet")
    known, asked = store._layers.known, iter([set[Any]()])  # as it was before the lock was free
    monkeypatch.setattr(store._layers, "known", lambda some: next(asked, known(some)))
    told = store.load(tmp_path / "*.parquet")
    assert (told.skipped, told.loaded) == (("a.parquet",), events.height - 600)
    assert store["welcome"].report().quarantined == 9


def test_a_file_that_is_replaced_before_it_is_read_may_still_be_loaded(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an import waits for another one, and the log is written anew meanwhile."""
    today, known = tmp_path / "today.parquet", store._layers.known
    events[:600].write_parquet(today)

    def meanwhile(sources: Any) -> Any:
        events[600:].write_parquet(today)
        return known(sources)

    monkeypatch.setattr(store._layers, "known", meanwhile)
    assert store.load(today).loaded == events.height - 600
    monkeypatch.undo()
    events[:600].write_parquet(today)
    assert store.load(today).loaded == 600
    assert store.load(today).skipped == ("today.parquet",)
    events[600:].write_parquet(today)
    assert (
        store.load(today).duplicates == events.height - 600
    )  # what was replaced meanwhile is read once more


def test_a_file_that_is_replaced_before_it_is_read_is_taken_back_as_any_other(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(events[:600], batch="yesterday")
    events[600:].write_parquet(today := tmp_path / "today.parquet")
    contents = iter(["before it was read", "and after"])
    monkeypatch.setattr("journey_nb.store.stands", lambda _: next(contents))
    store.load(today, timezone="UTC")
    assert store.loads()["name"].to_list() == ["yesterday", "today.parquet"]
    assert store.loads()["how"].to_list() == [None, "timezone=UTC"]
    with pytest.raises(jn.StoreError, match=r"the last was today\.parquet"):
        store.undo("yesterday")
    assert store.undo("today.parquet").read == events.height - 600
    assert store["welcome"].report().loaded == 600


def test_a_file_that_stands_as_it_did_is_not_read_again_to_be_known(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glob of a growing archive is imported each night."""
    looked_at: list[str] = []
    sha256 = sources.sha256
    monkeypatch.setattr(sources, "sha256", lambda path: (looked_at.append(path.name), sha256(path))[1])
    first, second, half = tmp_path / "1.csv", tmp_path / "2.csv", events.height // 2
    events[:half].write_csv(first)
    store.load(str(tmp_path / "*.csv"))
    events[half:].write_csv(second)
    assert store.load(str(tmp_path / "*.csv")).skipped == ("1.csv",)
    assert looked_at == ["1.csv", "2.csv"]
    os.utime(first)
    assert store.load(first).skipped == ("1.csv",)  # known by its content
    events[half:].reverse().write_csv(second)  # as large as it was
    assert store.load(second).duplicates == events.height - half
    assert looked_at == ["1.csv", "2.csv", "1.csv", "2.csv"]
    store.undo("2.csv")
    assert store.load(second).read == events.height - half
    assert store.loads()["name"].to_list() == ["1.csv", "2.csv", "2.csv"]


def test_what_became_of_each_load_is_listed_however_layers_are_told_since(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    """Files that were loaded together have one account, which stands once; a load of an older release has none."""
    half = events.height // 2
    for name, rows in (("1.csv", events[:half]), ("2.csv", events[half - 10 : half + 10])):
        rows.write_csv(tmp_path / name)
    told = [store.load(str(tmp_path / "*.csv"), {"source": "journey_id"}, timezone="Europe/Paris")]
    told += [store.append(events[half + 10 + k :: 3].with_columns(journey_id=pl.lit(j)))
             for k, j in enumerate(("welcome", "other", "welcome"))]  # fmt: skip
    store.rebuild("welcome")
    numbers = ["read", "loaded", "duplicates", "quarantined"]
    listed = store.loads()
    assert listed["how"].to_list() == ["source=journey_id, timezone=Europe/Paris", *[None] * 4]
    assert listed["who"].to_list() == [who(), None, *[who()] * 3]
    assert listed.drop_nulls("who").select(numbers).rows() == [tuple(one.account.values()) for one in told]
    assert told[0].duplicates == 10
    assert told[2].quarantined == told[2].read
    with sqlite3.connect(store.path / "store.sqlite") as db:
        db.execute("DELETE FROM batch WHERE digest GLOB 'load:*'")
    assert store.loads().select("name", *numbers).rows() == [
        (name, None, None, None, None) for name in listed["name"]
    ]


def test_rows_that_make_others_bad_are_told_as_such(store: jn.Store, events: pl.DataFrame) -> None:
    """As those of a file that is corrected and sent again, with times that no longer fit."""
    store.append(events)
    told = store.append(events[:50].with_columns(pl.col("occurred_at") + timedelta(days=900)))
    assert told.loaded < 0
    assert (
        f"= 0 loaded + 0 duplicates + {told.quarantined:,} quarantined - {-told.loaded:,} that were loaded"
        in str(told)
    )


def test_of_many_files_that_were_loaded_before_only_the_odd_are_named(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    """An import of a growing folder each night has more and more of them."""
    for number in range(3):
        events[40 * number : 40 * number + 40].write_csv(tmp_path / f"{number}.csv")
    feed = str(tmp_path / "*.csv")
    store.load(feed)
    assert str(store.load(tmp_path / "1.csv")).splitlines()[1:] == ["  1.csv was loaded before"]
    assert str(store.load(feed)).splitlines()[1:] == ["  3 files were loaded before"]
    odd = str(store.load(feed, timezone="Asia/Seoul")).splitlines()[1:]
    assert odd == [f"  {number}.csv{READ_OTHERWISE} was loaded before" for number in range(3)]
    events[120:160].write_csv(tmp_path / "3.csv")
    store.load(tmp_path / "3.csv", timezone="Asia/Seoul")
    assert str(store.load(feed)).splitlines()[1:] == [
        f"  3.csv{READ_OTHERWISE} was loaded before",
        "  3 files were loaded before",
    ]


def test_what_was_loaded_and_could_not_be_read_before_the_disk_was_full_is_told(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TOGETHER", 1)  # each file by itself
    events[:50].write_csv(tmp_path / "1.csv")
    (tmp_path / "2.csv").write_text("occurred_at\n")
    events[50:].write_csv(tmp_path / "3.csv")
    taken_in = jn.Store._taken_in

    def full(store: jn.Store, made: Any, *more: Any) -> Any:
        if len(store.loads()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return taken_in(store, made, *more)

    monkeypatch.setattr(jn.Store, "_taken_in", full)
    with pytest.raises(jn.StoreError, match="make room on the disk") as caught:
        store.load(str(tmp_path / "*.csv"))
    (note,) = caught.value.__notes__
    assert note.startswith("before that: 50 rows read = 50 loaded")
    assert "2.csv: no column" in note
    with pytest.raises(jn.StoreError) as caught:
        store.load(tmp_path / "3.csv")
    assert not hasattr(caught.value, "__notes__")


def test_a_large_log_may_have_no_good_row_of_a_journey(
    store: jn.Store, events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many rows of a log are of a journey is known once they are read."""
    other = store.add(jn.Journey.sample("win_back"))
    bad = events[:5].with_columns(journey_id=pl.lit(other.journey_id), user_id=None, device_id=None)
    monkeypatch.setattr(intake, "ROWS_A_PART", 400)
    assert store.append(pl.concat([events, bad])).quarantined == 5
    assert store.append(bad[:1], batch="again").read == 1
    assert store[other.journey_id].facts.quarantined.height == 6
    assert store.check() == []


def test_without_a_log_all_files_come_in_one_load(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TOGETHER", 1)
    for number, rows in enumerate(events.sample(fraction=1, shuffle=True, seed=1).iter_slices(500)):
        rows.write_parquet(tmp_path / f"{number}.parquet")
    assert store.load(tmp_path / "*.parquet", keep_log=False).loaded == events.height


def test_frames_are_not_taken_for_files(store: jn.Store, events: pl.DataFrame) -> None:
    for odd in ([events], EventLog.from_frame(events)):
        with pytest.raises(TypeError, match="append takes frames and logs"):
            store.load(odd)  # type: ignore[arg-type]


def test_files_that_were_read_in_a_wrong_way_may_be_read_again(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    events.with_columns(pl.col("occurred_at").dt.strftime("%d/%m/%Y %H:%M:%S%.6f")).write_csv(path)
    with pytest.raises(
        jn.LogError, match=r"none of its 1,\d+ rows can be read, the first for bad_time \(occurred_at"
    ):
        store.load(path)
    assert store.strangers.is_empty()
    assert store.load(path, time_format="%d/%m/%Y %H:%M:%S%.6f").loaded == events.height


def test_a_file_that_cannot_be_read_is_named_and_takes_no_other_down(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    for number, rows in enumerate(events.iter_slices(500)):
        rows.write_parquet(tmp_path / f"{number}.parquet")
    whole = (tmp_path / "1.parquet").read_bytes()
    (tmp_path / "1.parquet").write_bytes(whole[:-500])
    with pytest.raises(
        jn.LogError, match=r"^\S+/1\.parquet cannot be read(?s:.*)the others: [\d,]+ rows read"
    ):
        store.load(tmp_path / "*.parquet")
    assert store["welcome"].facts.read == events.height - 500
    assert len(store.loads()) == -(-events.height // 500) - 1
    with pytest.raises(
        jn.LogError, match=r"^\S+/1\.parquet (?s:.*)0 rows read(?s:.*)2 files were loaded before"
    ):
        store.load(tmp_path / "*.parquet")
    (tmp_path / "1.parquet").write_bytes(whole)
    assert store.load(tmp_path / "*.parquet").read == 500
    assert_same(store["welcome"].facts, jn.JourneyStats(store.get("welcome"), events).facts)


def test_files_none_of_which_can_be_read_are_not_all_tried(store: jn.Store, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.parquet").write_bytes(b"no Parquet")
    with pytest.raises(jn.LogError, match="no file could be read up to there") as told:
        store.load(tmp_path / "*.parquet")
    assert str(told.value).count("is no Parquet file") == store_of.SHOWN


def test_many_lasting_bad_files_keep_no_new_one_back(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    for number in range(store_of.SHOWN + 1):
        (tmp_path / f"bad {number}.parquet").write_bytes(b"no Parquet")
    for name in ("a.parquet", "z.parquet"):  # of the first night and of the next
        events.filter(pl.col("user_id").hash() % 2 == (name[0] == "z")).write_parquet(tmp_path / name)
        with pytest.raises(jn.LogError, match=r"bad 9(?s:.*)the others: [\d,]+ rows read"):
            store.load(tmp_path / "*.parquet")
    assert store["welcome"].facts.read == events.height


def test_files_that_are_known_are_asked_for_in_one_go_and_not_tried_again_with_bad_ones(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glob of a growing archive is imported each night."""
    for number in range(20):
        events[number::20].write_parquet(tmp_path / f"{number}.parquet")
    store.load(tmp_path / "*.parquet")
    connect, read, opened, tried = store._database._connect, EventLog.read, list[None](), list[int]()
    monkeypatch.setattr(store._database, "_connect", lambda: (opened.append(None), connect())[1])
    monkeypatch.setattr(EventLog, "read", lambda some, **how: (tried.append(len(some)), read(some, **how))[1])
    assert len(store.load(tmp_path / "*.parquet").skipped) == 20
    assert len(opened) <= 3
    for number in ("0 of 2", "11 of 2"):
        (tmp_path / f"{number}.parquet").write_text(f"no Parquet {number}")
    with pytest.raises(jn.LogError, match="20 files were loaded before"):
        store.load(tmp_path / "*.parquet")
    assert tried == [2, 1, 1]


def test_nothing_is_said_of_others_where_there_are_none(store: jn.Store, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.parquet").write_bytes(b"no Parquet")
    with pytest.raises(jn.LogError, match="is no Parquet file") as told:
        store.load(tmp_path / "*.parquet")
    assert "the others" not in str(told.value)


def test_files_whose_rows_wait_for_their_journey_are_kept(events: pl.DataFrame, tmp_path: Path) -> None:
    store, path = jn.Store(tmp_path / "store"), tmp_path / "events.parquet"
    events.write_parquet(path)
    assert store.load(path).quarantined == store.strangers.height == events.height


# What changes while a load runs.


def during(rows: pl.DataFrame, change: Callable[[], object]) -> pl.LazyFrame:
    """Rows that are read while something else is done, once."""
    todo = [change]

    def read() -> pl.DataFrame:
        if todo:
            todo.pop()()
        return rows

    return pl.defer(read, schema=rows.schema)


def test_a_journey_that_is_added_while_its_rows_are_loaded_gets_them(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    other = jn.Store(tmp_path / "other")
    other.add(jn.Journey.sample("abandoned_cart"))
    other.append(during(events, lambda: jn.Store(other.path).add(welcome)))
    assert other.strangers.height == 0
    assert_same(other["welcome"].facts, jn.JourneyStats(welcome, events).facts)


def test_a_design_is_not_changed_while_its_rows_are_loaded(
    welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    store, refused = jn.Store(tmp_path), []
    draft = jn.Journey.model_validate({**welcome.model_dump(), "status": "draft", "launched_at": None})
    store.add(draft)

    def edit() -> None:
        with pytest.raises(jn.StoreError) as error:
            jn.Store(tmp_path).edit(draft.model_copy(update={"goals": ()}))
        refused.append(str(error.value))

    editor = Thread(target=edit)
    store.append(during(events, editor.start))
    editor.join()
    assert "there are events of goal" in refused[0]
    assert store["welcome"].report().loaded == events.height
    assert store.check() == []


def test_words_that_are_edited_beside_another_programs_change_of_goals_put_no_old_goals_over_its_facts(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes last is asked what its change makes of the facts, whatever stood there when it was begun."""
    store.append(events)
    store.pause("welcome")
    new = welcome.goals[0].model_copy(update={"goal_id": "new", "title": "New", "event": "other"})
    other, begun = jn.Store(store.path), store._changing

    def after_another() -> Any:
        monkeypatch.undo()
        other.edit(welcome.model_copy(update={"goals": (*welcome.goals, new)}))
        return begun()

    monkeypatch.setattr(store, "_changing", after_another)
    with pytest.raises(jn.StoreError, match="there are events of goal 'new'"):
        store.edit(welcome.model_copy(update={"category": "Growth"}))
    assert store["welcome"].goals()["goal_id"].to_list() == [goal.goal_id for goal in (*welcome.goals, new)]
    assert store.check() == []


def test_rows_of_no_journey_are_counted_without_being_held(
    store: jn.Store, events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of many journeys leaves more of them each night; only where they are wanted are they all read."""
    for some in (events[:9], events[9:99]):
        store.append(some.with_columns(journey_id=pl.lit("another")))
    store.append(events[:1].with_columns(journey_id=pl.lit(None, pl.String)))
    monkeypatch.setattr(jn.Store, "strangers", property(lambda _: pytest.fail("all rows are read")))
    assert dict(store.strange_journeys().rows()) == {"another": 99, None: 1}
    store.add(store.get("welcome"))
    assert store.check() == []


def test_what_was_added_between_a_load_and_its_end_is_told_by_check(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = jn.Journey.sample("win_back")
    store.append(simulate(other, users=9, seed=1))
    monkeypatch.setattr(jn.Store, "_take_in_strangers", lambda self: None)  # as if it had ended there
    store.add(other)
    assert [fault.place for fault in store.check()] == ["strangers"]
    monkeypatch.undo()
    store.add(other)
    assert store.check() == []


def test_a_new_version_is_refused_where_rows_wait_for_it_and_no_log_is_kept(
    welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    store, events_file = jn.Store(tmp_path / "store"), tmp_path / "events.parquet"
    store.add(welcome.model_copy(update={"versions": welcome.versions[:1], "status": "paused"}))
    events.write_parquet(events_file)
    store.load(events_file, keep_log=False)
    assert "unknown_version" in store["welcome"].report().frame["rule"].to_list()
    with pytest.raises(jn.StoreError, match="kept without their log"):
        store.relaunch("welcome", welcome)
    assert (store.get("welcome").status, len(store.get("welcome").versions)) == ("paused", 1)


def test_a_new_version_needs_no_log_where_nothing_waits_for_it(
    welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    """Rows that were set aside for something else do not: nothing is folded anew for their sake."""
    store, file = jn.Store(tmp_path / "store"), tmp_path / "events.parquet"
    store.add(welcome.model_copy(update={"versions": welcome.versions[:1], "status": "paused"}))
    rows = events.filter(pl.col("version") == 1)
    pl.concat([rows, rows[:3].with_columns(occurred_at=None, event_id=None)]).write_parquet(file)
    assert store.load(file, keep_log=False).quarantined == 3
    assert store.relaunch("welcome", welcome).status == "running"
    assert store["welcome"].report().loaded == rows.height


def test_what_an_interrupted_relaunch_left_in_quarantine_is_told_and_taken_in_by_the_next_load(
    welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    store = jn.Store(tmp_path)
    store.add(welcome.model_copy(update={"versions": welcome.versions[:1], "status": "paused"}))
    store.append(events[10:])
    monkeypatch.setattr(jn.Store, "_rebuild", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.relaunch("welcome", welcome)
    monkeypatch.undo()
    assert ["wait for a version" in fault.what for fault in store.check()] == [True]
    store.append(events[:10])
    assert_same(store["welcome"].facts, jn.JourneyStats(store.get("welcome"), events).facts)
    assert store.check() == []


# Words and activities.


@pytest.mark.parametrize("waits_for", ["its journey", "its version"])
def test_a_reason_in_the_vendors_words_outlasts_the_quarantine(
    welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path, waits_for: str
) -> None:
    own = pl.when(pl.col("kind").cast(pl.String) == "run.exited").then(pl.lit("gone for good"))
    rows = events.with_columns(reason=own.otherwise(pl.col("reason").cast(pl.String)))
    store = jn.Store(tmp_path)
    if waits_for == "its version":
        store.add(welcome.model_copy(update={"versions": welcome.versions[:1], "status": "paused"}))
    store.append(rows)
    if waits_for == "its version":
        store.relaunch("welcome", welcome)
    else:
        store.add(welcome)
    assert_same(store["welcome"].facts, jn.JourneyStats(store.get("welcome"), rows).facts)


def visits(min_share: float, event_id: bool) -> tuple[jn.Journey, EventLog]:
    """Activities, one of them twice, one of nobody, one move rare."""
    rows = [
        {"who": f"u{user}", "what": what, "at": datetime(2026, 1, 1, user, place), "id": f"{user} {place}"}
        for user in range(20)
        for place, what in enumerate("abc" if user else "acb")
    ]
    rows += [rows[0], {"who": None, "what": "a", "at": datetime(2026, 1, 2), "id": "nobody's"}]
    log = EventLog.from_activities(
        pl.DataFrame(rows, infer_schema_length=None), user="who", activity="what", time="at",
        event_id="id" if event_id else None,
    )  # fmt: skip
    return jn.Journey.discover(log, min_share=min_share), log


@pytest.mark.parametrize("event_id", [True, False])
@pytest.mark.parametrize("min_share", [0, 0.1])
def test_the_account_of_activities_is_that_of_the_log(
    tmp_path: Path, min_share: float, event_id: bool
) -> None:
    journey, log = visits(min_share, event_id)
    store = jn.Store(tmp_path)
    store.add(journey)
    told, report = store.append(log), jn.JourneyStats(journey, log).report()
    assert (told.read, told.loaded, told.duplicates, told.quarantined) == (
        report.read, report.loaded, report.duplicates, report.quarantined,
    )  # fmt: skip
    assert (told.duplicates, told.quarantined) == (int(event_id), 1)
    assert store.strangers.is_empty()
    assert_same(store[journey.journey_id].facts, jn.JourneyStats(journey, log).facts)


# A journey that changes while there are rows.


def told(number: int, kind: str, run: str, minute: int, version: int = 1, **values: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}", "kind": kind, "user_id": f"of {run}", "run_id": run, "journey_id": "j",
        "occurred_at": datetime(2026, 3, 1, 10, minute), "version": version,
    } | values  # fmt: skip


def drawn(number: int, split: str, *keys: str, published: bool = True) -> dict[str, Any]:
    """A version in which everybody comes by a point S of some type, with some ways to the exit."""
    return {
        "version": number,
        "published_at": f"2025-01-0{number}T00:00:00Z" if published else None,
        "points": [{"point_id": "E", "type": "entry_api"}, {"point_id": "S", "type": split}, {"point_id": "X", "type": "exit"}],
        "branches": [{"source": "E", "key": "default", "target": "S"}]
        + [{"source": "S", "key": key, "target": "X"} for key in keys],
    }  # fmt: skip


def versions(*drawn: dict[str, Any], status: str = "running") -> jn.Journey:
    return jn.Journey.model_validate({"journey_id": "j", "title": "Jay", "status": status, "versions": drawn})


TESTED = drawn(1, "split_abn", "variant:A", "variant:B")


def test_a_point_that_becomes_another_kind_of_split_keeps_its_variants(tmp_path: Path) -> None:
    waiting = drawn(2, "split_segment", "segment:a", "rest", published=False)
    rows = [
        pl.DataFrame([
            told(place, "run.entered", run, 0, point_id="E"),
            told(place + 1, "point.completed", run, 1, point_id="S", branch="variant:A"),
        ])
        for place, run in ((1, "r1"), (5, "r2"))
    ]  # fmt: skip
    store = jn.Store(tmp_path)
    store.add(versions(TESTED))
    store.append(rows[0])
    store.pause("j")
    store.edit(versions(TESTED, waiting))
    store.relaunch("j")
    store.append(rows[1])
    memory = jn.JourneyStats(store.get("j"), pl.concat(rows))
    assert store["j"].facts.runs["variant"].to_list() == memory.facts.runs["variant"].to_list() == ["A", "A"]


@pytest.mark.parametrize("changed", [(), (drawn(2, "split_condition", "yes", "no", published=False),)])
def test_a_version_that_waits_is_not_redrawn_under_its_events(tmp_path: Path, changed: Any) -> None:
    waiting = drawn(2, "split_segment", "segment:a", "rest", published=False)
    store = jn.Store(tmp_path)
    store.add(versions(TESTED))
    store.pause("j")
    store.edit(versions(TESTED, waiting))
    store.append(pl.DataFrame([told(1, "run.entered", "r1", 0, 2, point_id="E")]))
    with pytest.raises(jn.StoreError, match="events of version 2, which waits: relaunch"):
        store.edit(versions(TESTED, *changed))
    assert store["j"].facts.runs.height == 1
    assert store.check() == []


def test_what_a_new_version_releases_backdates_the_launch(tmp_path: Path) -> None:
    store = jn.Store(tmp_path)
    store.add(versions(drawn(1, "delay", "default", published=False), status="draft"))
    store.launch("j")
    early = told(1, "run.entered", "r1", 0, 2, point_id="E") | {"occurred_at": datetime(2025, 12, 1)}
    store.append(pl.DataFrame([early]))
    store.append(pl.DataFrame([told(2, "run.entered", "r2", 0, point_id="E")]))
    store.pause("j")
    current = store.get("j")
    second = versions(
        drawn(1, "delay", "default"), drawn(2, "split_condition", "yes", "no", published=False)
    ).versions[1]
    store.relaunch("j", current.model_copy(update={"versions": (*current.versions, second)}))
    assert store["j"].health()["entrances"].item() == 2


def test_rows_of_a_later_journey_that_broke_another_rule_are_its_own(
    store: jn.Store, events: pl.DataFrame
) -> None:
    other = jn.Journey.sample("win_back")
    rows = simulate(other, users=9, seed=1)
    late = pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise("occurred_at")
    store.append(pl.concat([events, rows.with_columns(occurred_at=late)]))
    store.add(other)
    assert (store.strangers.height, store[other.journey_id].report().quarantined) == (0, 1)
    assert store.check() == []


def test_runs_of_a_source_that_names_none_are_those_it_had_however_it_is_loaded(
    store: jn.Store, welcome: jn.Journey
) -> None:
    log = simulate(welcome, users=150, seed=3)
    loose = log.with_columns(run_id=pl.when(pl.col("kind") != "goal.reached").then("run_id"))
    nameless = log.drop("run_id")
    for part in range(3):
        store.append(nameless.reverse()[part::3])
    stats, named = store["welcome"], jn.JourneyStats(welcome, loose)
    assert named.users()["run_no"].max() > 1
    assert "runs are derived" in str(stats.report())
    assert stats.report().quarantined == 0
    for told in ("points", "branches", "messages", "goals", "health", "daily", "waiting", "drops", "paths"):
        assert getattr(stats, told)().equals(getattr(named, told)()), told
    assert stats.users().drop("run_id").sort(pl.all()).equals(named.users().drop("run_id").sort(pl.all()))
    assert store.check() == []
    store.rebuild("welcome")
    assert store["welcome"].points().equals(named.points())
    user = stats.users().filter(pl.col("run_no") > 1)["user_id"][0]
    assert set(stats.user_runs(user)["run_id_quality"]) == {"derived"}


def test_files_without_run_ids_are_so_whatever_is_read_with_them(
    store: jn.Store, welcome: jn.Journey, events: pl.DataFrame, tmp_path: Path
) -> None:
    some = pl.col("user_id") < events["user_id"].sort()[events.height // 2]
    for name, frame in (("a", events.filter(some).drop("run_id")), ("b", events.filter(~some))):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        store.append(frame)
    together = jn.JourneyStats(welcome, EventLog.read(tmp_path / "*.parquet"))
    assert together.report().quarantined == 0
    assert_same(store["welcome"].facts, together.facts)


def test_goals_of_no_run_are_told(store: jn.Store, events: pl.DataFrame) -> None:
    goal = pl.col("kind") == "goal.reached"
    strangers = events.with_columns(
        user_id=pl.when(goal).then("x" + pl.col("user_id")).otherwise("user_id"),
        run_id=pl.when(~goal).then("run_id"),
    )
    store.append(strangers)
    late, unknown = store["welcome"].outside_window
    assert (late, unknown) == (0, events.filter(goal).height)
    assert f"{unknown} of users who never entered" in str(store["welcome"].report())
    assert store["welcome"].small_groups(5).outside_window == (0, unknown - unknown % 5)
    assert store.check() == []


# Interrupted at any instant, in a process that goes on.


class Interrupted(sqlite3.Connection):
    """Ctrl-C comes when a list of layers is written down."""

    lists = False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
        done = self.meet(statement, *values)
        self.lists |= "INSERT INTO layer" in statement
        if statement == "COMMIT" and self.lists:
            raise KeyboardInterrupt
        return done

    def meet(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return super().execute(statement, *values)


class InterruptedBefore(Interrupted):
    """It comes just before that."""

    def meet(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and self.lists:
            raise KeyboardInterrupt
        return super().meet(statement, *values)


@pytest.mark.parametrize("kind", [InterruptedBefore, Interrupted])
@pytest.mark.parametrize("loads", [2, 4], ids=["a load", "its merge"])
def test_a_load_that_is_interrupted_as_it_is_listed_is_there_or_is_not(
    store: jn.Store,
    events: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[sqlite3.Connection],
    loads: int,
) -> None:
    for part in range(loads - 1):
        store.append(events[part::loads], batch=str(part))
    kinds = (
        [sqlite3.Connection, kind] if loads == 4 else [kind]
    )  # the fourth load is listed before it is merged
    real = layers_of_store.Layers.publish

    def publish(self: Any, *args: Any, **how: Any) -> None:
        file, factory = store.path / "store.sqlite", kinds.pop(0)
        with monkeypatch.context() as patched:
            patched.setattr(self._database, "_connect", lambda: sqlite3.connect(file, factory=factory))
            real(self, *args, **how)

    with monkeypatch.context() as patched:
        patched.setattr(layers_of_store.Layers, "publish", publish)
        with pytest.raises(KeyboardInterrupt):
            store.append(events[loads - 1 :: loads], batch="last")
    assert kinds == []
    for again in (store, jn.Store(store.path)):
        again.append(events[loads - 1 :: loads], batch="last")
        assert again.check() == []
        assert again["welcome"].points().equals(jn.JourneyStats(again.get("welcome"), events).points())


def test_facts_whose_list_is_gone_are_not_taken_for_the_rest_of_a_load(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    store.append(events)
    file = store.path / "store.sqlite"
    kept = file.read_bytes()
    for gone in (lambda: file.unlink(), lambda: file.write_bytes(b"")):
        gone()
        with pytest.raises(jn.StoreError, match="that lists them is gone: put it back"):
            jn.Store(store.path)
        file.write_bytes(kept)
    assert jn.Store(store.path).check() == []


def test_what_others_put_among_the_layers_stays_and_is_in_nobody_s_way(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    store.append(events[:600])
    (store.path / "layers" / ".DS_Store").touch()
    (store.path / "layers" / "notes").mkdir()
    (store.path / "layers" / ("0" * 16)).symlink_to(tmp_path)
    (store.path / "layers" / ("1" * 16)).mkdir()  # the rest of a load
    store.append(events[600:])
    assert sum((store.path / "layers" / name).exists() for name in (".DS_Store", "notes", "0" * 16)) == 3
    assert not (store.path / "layers" / ("1" * 16)).exists()
    assert store["welcome"].report().loaded == events.height


def test_a_store_stays_where_it_is_when_the_process_goes_elsewhere(
    events: pl.DataFrame, welcome: jn.Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    store = jn.Store("store")
    store.add(welcome)
    monkeypatch.chdir(tmp_path / "b")
    jn.Store("store").add(welcome)
    store.append(events)
    assert jn.Store(tmp_path / "a" / "store")["welcome"].report().loaded == events.height
    assert jn.Store("store")["welcome"].report().loaded == 0


def test_signs_of_patterns_in_the_name_of_a_store_are_letters(
    events: pl.DataFrame, welcome: jn.Journey, tmp_path: Path
) -> None:
    for name in ("q1", "q*", "camp [2026] {a,b}?"):
        store = jn.Store(tmp_path / name)
        store.add(welcome)
        for some in (events[:500], events[500:]):
            store.append(some)
        stats = jn.Store(tmp_path / name)["welcome"]
        assert (stats.report().loaded, stats.users().height) == (events.height, stats.facts.runs.height)
        assert stats.where(version=[1, 2]).points().height
        assert store.check() == []
        store.rebuild("welcome")
        assert store["welcome"].points().equals(stats.points())
        stats.save(tmp_path / f"{name} saved")
        assert jn.JourneyStats.load(tmp_path / f"{name} saved").points().equals(stats.points())


def test_facts_without_their_log_are_not_appended_to_by_another_polars(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events[:300].write_parquet(tmp_path / "log.parquet")
    store.load(tmp_path / "log.parquet", keep_log=False)
    monkeypatch.setattr(intake, "_KEYS_FILE", "keys-0123456789abcdef.u64")
    others = events[:5].with_columns(user_id=pl.lit("somebody else"))
    with pytest.raises(jn.StoreError, match="another polars has made the index"):
        jn.Store(store.path).append(others)
    assert store["welcome"].report().loaded == 300


def test_a_year_of_files_that_were_loaded_before_is_told_in_few_lines() -> None:
    """An import of "events/*.parquet" has each of them every night."""
    days = [f"day-{number}.parquet" for number in range(365)]
    odd = [f"{number}.csv{READ_OTHERWISE}" for number in range(12)]
    told = str(store_of.Loaded(skipped=(*days, *odd))).splitlines()
    assert told[1:11] == [f"  {name} was loaded before" for name in odd[:10]]
    assert told[11:] == [f"  … and 2 more{READ_OTHERWISE}", "  365 files were loaded before"]


def test_a_file_that_was_read_otherwise_is_told(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path
) -> None:
    local = events.with_columns(pl.col("occurred_at").dt.replace_time_zone(None))
    local.write_parquet(tmp_path / "log.parquet")
    store.load(tmp_path / "log.parquet")
    assert store.load(tmp_path / "log.parquet").skipped == ("log.parquet",)
    for how in ({"timezone": "America/Chicago"}, {"columns": {"reason_detail": "source"}}):
        (told,) = store.load(tmp_path / "log.parquet", **how).skipped
        assert (
            told
            == "log.parquet (read otherwise; a new store can read it so, or this one once it is taken back)"
        )
    same = store.load(tmp_path / "log.parquet", storage_options={}, columns={}, timezone=None)
    assert same.skipped == ("log.parquet",)


# What was set aside is kept as safely as what counts.


def test_damage_to_what_was_set_aside_is_told_and_none_of_it_taken_in(
    store: jn.Store, events: pl.DataFrame
) -> None:
    """Most flipped bits could be read, as other rows; a load, a rebuild and add() read them again."""
    other = jn.Journey.sample("win_back")
    store.append(
        pl.concat([events, events[:9].with_columns(point_id=pl.lit("nowhere"), event_id=pl.lit(None))])
    )
    store.append(simulate(other, users=9, seed=1))
    places = {path.relative_to(store.path).as_posix() for path in store.path.glob("layers/*/faulty.parquet")}
    assert len(places) == 2
    for place in places:
        content = bytearray((store.path / place).read_bytes())
        content[100] ^= 1
        (store.path / place).write_bytes(content)
    again = jn.Store(store.path)
    for ask in (
        lambda: again["welcome"].report(),
        lambda: again.rebuild("welcome"),
        lambda: again.strangers,
        lambda: again.add(other),
    ):
        with pytest.raises(jn.StoreError, match=r"faulty\.parquet cannot be read: it is damaged\. Put back"):
            ask()
    assert {fault.place for fault in again.check()} == places


@pytest.mark.parametrize("name", ["faulty.parquet", "0/quarantined.parquet"])
def test_rows_set_aside_whose_file_is_gone_are_told_as_gone(
    store: jn.Store, events: pl.DataFrame, name: str
) -> None:
    bad = events[:9].with_columns(point_id=pl.lit("nowhere"), event_id=pl.lit(None))
    store.append(pl.concat([events, bad]))
    (path,) = store.path.glob(f"layers/*/{name}")
    path.unlink()
    with pytest.raises(jn.StoreError, match=f"{name}.*ask it for the journey again"):
        jn.Store(store.path)["welcome"].report()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems write names in UTF-8 alone")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_whose_name_is_not_utf8_is_told_and_keeps_no_other_back(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, form: str
) -> None:
    named = tmp_path / os.fsdecode(b"\xbc\xad." + form.encode())
    for path, some in ((named, events[:50]), (tmp_path / f"b.{form}", events[50:80])):
        with path.open("wb") as file:
            getattr(some, f"write_{form}")(file)
    with pytest.raises(
        jn.LogError, match=rf"\?\?\.{form}: its name, .* is not UTF-8 (?s:.*)the others: 30 rows read"
    ):
        store.load(tmp_path / f"*.{form}")


def test_a_slip_that_many_files_have_is_told_once(
    store: jn.Store,
    events: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each has its own count of times without a zone, and each was told: a line a file."""
    monkeypatch.setattr(sources, "TOGETHER", 1)  # each file by itself
    at = pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S")
    some = pl.when(pl.int_range(pl.len()) % 3 == 0).then(at).otherwise(at + "Z")
    for name, rows in (("a", events[:30]), ("b", events[30:90])):
        rows.with_columns(occurred_at=some, val=1).write_csv(tmp_path / f"{name}.csv")
    store.load(tmp_path / "*.csv")
    told = [
        re.escape(str(tmp_path / "a.csv")) + slip for slip in (": column 'val' .*", ": 10 of 30 times .*")
    ]
    assert len(caplog.messages) == 2
    assert all(map(re.fullmatch, told, caplog.messages))


def test_events_in_the_future_are_told_of_the_file_that_has_them(
    store: jn.Store, events: pl.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A user's earlier rows are told anew with the new ones, and a good file was said to have them."""
    late, later = (
        events[:1].with_columns(
            pl.col("occurred_at").dt.offset_by(f"{years}y"), run_id=pl.lit(name), event_id=pl.lit(name)
        )
        for years, name in ((100, "late"), (101, "later"))
    )
    for name, rows in {"late": late, "good": events[:200], "later": later}.items():
        rows.write_parquet(tmp_path / f"{name}.parquet")
        store.load(tmp_path / f"{name}.parquet")
    named = [Path(told.partition(": there are events in the future")[0]).stem for told in caplog.messages]
    assert named == ["late", "later"]
