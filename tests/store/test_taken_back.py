"""What was loaded can be taken back, and somebody's rows removed: the store is as if they had never come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pieces import batches, logs, share_ids
from polars.testing import assert_frame_equal
from same import assert_same, told

import journey_nb as jn
from journey_nb.reading import read_arrow
from journey_nb.simulate import simulate
from journey_nb.store import StoreError, intake
from journey_nb.store import layers as layers_of_store
from journey_nb.store.layers import LINGERS


class Clock(datetime):
    """A clock that tests put forward."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + cls.ahead


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    monkeypatch.setattr(layers_of_store, "datetime", Clock)
    monkeypatch.setattr(Clock, "ahead", timedelta(0))

    def put_forward(by: timedelta) -> None:
        monkeypatch.setattr(Clock, "ahead", Clock.ahead + by)

    return put_forward


def assert_holds(store: jn.Store, rows: list[pl.DataFrame], names: list[str]) -> None:
    """The facts of all journeys are those of these rows, and the loads are those."""
    assert store.loads()["name"].to_list() == names
    log = pl.concat(rows)
    assert store.loads()["read"].sum() == log.height
    for key in store:
        own = log.filter(journey_id=key)
        assert_same(store[key].facts, jn.JourneyStats(store.get(key), own).facts)
    assert (
        store.strangers.height == log.filter(~pl.col("journey_id").is_in(list(store)).fill_null(False)).height
    )


@pytest.mark.parametrize("seed", range(4))
def test_loads_are_taken_back_one_after_the_other(
    tmp_path: Path, seed: int, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was told as one meanwhile; where files of that are swept, it is refused and nothing is changed."""
    if seed == 2:  # as where tests of others hold the time
        monkeypatch.setattr(Clock, "now", lambda tz: datetime(2026, 1, 1, tzinfo=UTC))
    journey, frame, rng = logs(seed)
    other = jn.Journey.sample("win_back")
    others = simulate(other, users=3, seed=seed).cast({"kind": pl.String})
    frame = pl.concat([share_ids(rng, frame), others.with_row_index("place")], how="diagonal_relaxed")
    rows = [batch.drop("place") for batch in batches(rng, frame)]
    names = [f"load {number}" for number in range(len(rows))]
    hours = bool(seed % 2)  # in which files are swept
    store = jn.Store(tmp_path)
    store.add(journey)
    for number, batch in enumerate(rows):
        store.append(batch, batch=names[number])
        if number == len(rows) // 2:
            store.add(other)
        if rng.random() < 0.2:
            store.rebuild(journey.journey_id)
        if hours and rng.random() < 0.3:
            later(LINGERS * 1.01)
    assert_holds(store, rows, names)
    left, refused = len(rows), ""
    while left and not refused:
        try:
            store.undo(names[left - 1])
            left -= 1
        except StoreError as error:
            refused = str(error)
        assert_holds(store, rows[:left] or [rows[0].clear()], names[:left])
    assert left == 0 or (hours and "any more" in refused)
    again = store.append(frame.drop("place"))
    assert again.read == frame.height
    assert store.check() == []


@pytest.fixture
def store(tmp_path: Path, welcome: jn.Journey) -> jn.Store:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    return store


def test_only_the_last_load_is_taken_back_and_by_its_name(store: jn.Store, welcome_log: pl.DataFrame) -> None:
    with pytest.raises(StoreError, match="there was none"):
        store.undo("monday")
    store.append(welcome_log[:900], batch="monday")
    brought = store.append(welcome_log[800:2_000], batch="tuesday")
    with pytest.raises(StoreError, match=r"'monday' is not the last load, [^?]* first: the last was tuesday"):
        store.undo("monday")
    assert store.undo("tuesday", by="ann") == brought
    assert store.history("welcome").select("who", "action", "detail").rows()[-1] == ("ann", "undo", "tuesday")
    assert store.append(welcome_log[800:2_000], batch="tuesday") == brought


def test_a_load_of_no_row_keeps_none_before_it_from_being_taken_back(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    """As the empty file of a feed on a day without events."""
    store.append(welcome_log[:900], batch="monday")
    store.append(welcome_log[:0], batch="tuesday")
    assert store.undo("tuesday").read == 0
    assert store.undo("monday").read == 900
    assert store.loads().is_empty()
    assert store.append(welcome_log[:0], batch="tuesday").skipped == ()


def test_a_file_that_was_read_in_a_wrong_way_is_read_again(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    local = pl.col("occurred_at").dt.convert_time_zone("Asia/Seoul").dt.replace_time_zone(None)
    welcome_log.with_columns(local).write_parquet(file := tmp_path / "events.parquet")
    store.load(file, timezone="UTC")
    assert store["welcome"].facts.first_at != welcome_log["occurred_at"].min()
    store.undo("events.parquet")
    assert store.load(file, timezone="Asia/Seoul").loaded == welcome_log.height
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log).facts)


def test_a_journey_begins_where_what_is_left_does(tmp_path: Path, welcome_log: pl.DataFrame) -> None:
    store = jn.Store(tmp_path)
    store.add(jn.Journey.sample("welcome").model_copy(update={"status": "draft", "launched_at": None}))
    launched = store.launch("welcome").launched_at
    for rows, name in ((welcome_log[500:], "good"), (welcome_log[:500], "too old")):
        store.append(rows, batch=name)
    assert store.get("welcome").launched_at == welcome_log["occurred_at"].min()
    store.undo("too old")
    assert store.get("welcome").launched_at == welcome_log["occurred_at"][500:].min()
    store.undo("good")
    assert store.get("welcome").launched_at == launched


def test_a_journey_that_was_launched_before_its_log_begins_stays_so(
    tmp_path: Path, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = jn.Store(tmp_path)
    launched = welcome_log["occurred_at"].min() - timedelta(days=1)
    with monkeypatch.context() as earlier:
        earlier.setattr(store, "_now", lambda: launched)
        store.add(jn.Journey.sample("welcome").model_copy(update={"status": "draft", "launched_at": None}))
        store.launch("welcome")
    for rows, name in ((welcome_log[500:], "good"), (welcome_log[:500], "wrong")):
        store.append(rows, batch=name)
    store.undo("wrong")
    store.erase(welcome_log["user_id"][-1])
    assert store.get("welcome").launched_at == launched


def test_a_journey_does_not_begin_with_somebody_who_is_erased(
    tmp_path: Path, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(jn.Journey.sample("welcome").model_copy(update={"status": "draft", "launched_at": None}))
    launched = store.launch("welcome").launched_at
    rows = welcome_log.filter(pl.col("user_id").is_in(welcome_log["user_id"].unique().sort()[:9].implode()))
    store.append(rows)
    first = rows.sort("occurred_at")["user_id"][0]
    store.erase(first)
    assert store.get("welcome").launched_at == rows.filter(pl.col("user_id") != first)["occurred_at"].min()
    store.erase(rows, by="ann")
    assert store.get("welcome").launched_at == launched
    assert store.history("welcome").select("who", "action")[-1].row(0) == ("ann", "erase")


def test_what_was_folded_for_another_design_does_not_come_back(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log[:900], batch="monday")
    store.append(welcome_log[900:], batch="tuesday")
    store.pause("welcome")
    store.edit(welcome.model_copy(update={"timezone": "Asia/Seoul"}))
    after = store["welcome"].health()
    with pytest.raises(StoreError, match="was changed since"):
        store.undo("tuesday")
    assert store["welcome"].health().equals(after)
    store.edit(welcome)
    store.undo("tuesday")
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log[:900]).facts)


def test_what_an_older_release_folded_does_not_come_back(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(layers_of_store, "FACTS", 1)
        store.append(welcome_log[:900], batch="monday")
        store.append(welcome_log[900:2_000], batch="tuesday")
    store.rebuild("welcome")
    with pytest.raises(
        StoreError, match=r"folded by an older journey_nb.*or load all others into a new store"
    ):
        store.undo("tuesday")
    assert store["welcome"].report().read == 2_000


def user_ids_in(folder: Path) -> set[str]:
    """Every user that a file of the store names."""
    found: set[str] = set()
    for file in folder.rglob("layers/*/**/*.*"):
        if file.suffix in (".arrow", ".parquet"):
            table = read_arrow(file) if file.suffix == ".arrow" else pl.read_parquet(file)
            found.update(table["user_id"].drop_nulls() if "user_id" in table.columns else [])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_erased_has_never_been_here(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    journey, frame, rng = logs(seed)
    frame = share_ids(rng, frame)
    store = jn.Store(tmp_path)
    store.add(journey)
    for batch in batches(rng, frame):
        store.append(batch.drop("place"))
    lost = frame[:9].drop("place").with_columns(journey_id=pl.lit("nobody's"))
    store.append(lost)
    ids = frame["user_id"].drop_nulls().unique().sort().to_list()
    gone = {*rng.sample(ids, len(ids) // 3), lost["user_id"].drop_nulls()[0]}
    assert store.erase([*gone, "somebody else"]) > 0
    assert caplog.messages == ["no row here is of 'somebody else': users are named as the log has them"]
    assert store.check() == []
    assert not user_ids_in(tmp_path) & gone
    left = frame.filter(~pl.col("user_id").is_in(list(gone)).fill_null(False)).drop("place")
    expected = told(jn.JourneyStats(journey, left).facts)
    for name, table in told(store[journey.journey_id].facts).items():
        if name != "numbers":  # duplicates of theirs had not been kept
            assert_frame_equal(table, expected[name])
    assert not set(store.strangers["user_id"]) & gone
    assert store.erase(list(gone)) == 0


@pytest.mark.parametrize("rows_a_part", [100, intake.ROWS_A_PART])
def test_duplicates_of_whoever_is_erased_are_no_rows_removed_however_large_the_load_was(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, rows_a_part: int
) -> None:
    """The kept log of a large one has them; what was set aside is a row removed."""
    monkeypatch.setattr(intake, "ROWS_A_PART", rows_a_part)
    rows = welcome_log[:300]
    gone, bad = (
        rows["user_id"][:1],
        rows[:1].with_columns(event_id=pl.lit("bad"), version=pl.lit(77, pl.Int32)),
    )
    store.append(pl.concat([rows, rows, bad]))
    assert store.erase(gone) == rows.filter(user_id=gone[0]).height + 1
    assert store["welcome"].report().duplicates == rows.height
    assert store.check() == []


def test_nobody_can_be_taken_out_of_facts_without_their_log(
    store: jn.Store, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    welcome_log.write_parquet(file := tmp_path / "events.parquet")
    store.load(file, keep_log=False)
    with pytest.raises(StoreError, match=r"keep_log=False.*new store"):
        store.erase(welcome_log["user_id"][:1])
    assert store.erase("somebody else") == 0


@pytest.mark.parametrize(
    "ask",
    [lambda store: store["welcome"].health(), lambda store: store.holdings(), lambda store: store.check()],
    ids=["statistics", "holdings", "check"],
)
@pytest.mark.parametrize("look", range(1, 4), ids=lambda look: f"look {look}")
def test_who_asks_while_somebody_is_erased_is_told_what_is_left(
    store: jn.Store,
    welcome_log: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[jn.Store], object],
    look: int,
) -> None:
    """Whatever of the question stands before the erasure, which lets no file linger for readers."""
    for start in (0, 60):
        store.append(welcome_log[start : start + 60])
    looks, layers_of = iter(range(1, 100)), store._layers.of

    def erased_after(journey_id: str) -> list[layers_of_store.Layer]:
        found = layers_of(journey_id)
        if next(looks) == look:
            jn.Store(store.path).erase(welcome_log["user_id"][0])  # by another program
        return found

    monkeypatch.setattr(store._layers, "of", erased_after)
    told = ask(store)
    monkeypatch.undo()
    assert str(told) == str(ask(store))


def test_who_erases_is_told_where_the_list_of_loads_names_somebody_still(
    store: jn.Store, welcome_log: pl.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of one user, a file called after one, what was said of all rows; not one that is called like many."""
    other, *users = welcome_log["user_id"].unique(maintain_order=True)[:4]
    for user, name in zip(
        users, (f"user_id={users[0]}/part.parquet", f"{users[1]}.parquet", "all.parquet"), strict=True
    ):
        (file := tmp_path / "logs" / name).parent.mkdir(parents=True, exist_ok=True)
        welcome_log.filter(user_id=user).drop("user_id").write_parquet(file)
        store.load(file, columns={} if "=" in name else {"user_id": pl.lit(user)})
    store.append(welcome_log.filter(user_id=other), batch=f"{other} and others")
    assert store.erase([other, users[0]]) > 0
    assert caplog.messages == [
        f"the list of loads may still name who was erased ('user_id={users[0]}/part.parquet'): it keeps what files were called "
        "and what was said of all their rows"
    ]
    caplog.clear()
    assert store.erase(users[1:]) > 0
    assert f"('{users[1]}.parquet', 'all.parquet')" in caplog.text


def test_files_that_cannot_be_removed_are_told_by_who_erases(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody reads them on a network drive."""
    store.append(welcome_log[:60])
    with monkeypatch.context() as busy:
        busy.setattr(layers_of_store.shutil, "rmtree", lambda *_, **how: None)
        with pytest.raises(StoreError, match=r"layers/[0-9a-f]{16}.*erase them again"):
            store.erase(welcome_log["user_id"][0])
    assert welcome_log["user_id"][0] not in store["welcome"].facts.users["user_id"]
    assert store.erase(welcome_log["user_id"][0]) == 0
    assert store.leftovers().is_empty()


def test_statistics_of_before_an_erasure_say_that_the_store_is_to_be_asked_again(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log[:60])
    held = store["welcome"]
    store.erase(welcome_log["user_id"][0])
    with pytest.raises(StoreError, match=r"or somebody erased\), ask it for the journey again"):
        held.users()


def test_all_may_be_erased_and_come_again(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log)
    assert store.erase(welcome_log, by="ann") == welcome_log.height
    assert store.history("welcome")["detail"][-1] == f"{welcome_log.height:,} rows"
    assert store["welcome"].health()["entrances"].item() == 0
    assert store.append(welcome_log, batch="again").loaded == welcome_log.height
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log).facts)
