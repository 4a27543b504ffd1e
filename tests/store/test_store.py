"""What a store takes in, and what becomes of it when a journey changes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from metrics.build import a_journey, at
from polars.testing import assert_frame_equal
from same import assert_same

import journey_nb as jn
from journey_nb import store as store_of
from journey_nb.events import EventLog
from journey_nb.metrics.counts import Counts
from journey_nb.metrics.cube import Cube
from journey_nb.metrics.parted import PartedCounts
from journey_nb.simulate import simulate
from journey_nb.store import StoreError, parts, stored
from journey_nb.store import layers as layers_of_store
from journey_nb.store.layers import LINGERS


@pytest.fixture
def store(tmp_path: Path, welcome: jn.Journey) -> jn.Store:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    return store


@pytest.mark.parametrize("bytes_read", [1, 2**40], ids=["read once", "larger than memory"])
def test_a_log_of_several_journeys_is_divided_and_strangers_are_told(
    store: jn.Store,
    welcome: jn.Journey,
    welcome_log: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    bytes_read: int,
) -> None:
    monkeypatch.setattr(store_of, "BYTES_READ", bytes_read)
    other = jn.Journey.sample("win_back")
    others = simulate(other, users=50, seed=4)
    lost = welcome_log[:7].with_columns(journey_id=pl.lit("nobody's"), event_id="lost-" + pl.col("event_id"))
    nameless = welcome_log[:2].with_columns(journey_id=pl.lit(None, pl.String))
    loaded = store.append(pl.concat([welcome_log, lost, nameless]))
    assert (loaded.read, loaded.quarantined) == (welcome_log.height + 9, 9)
    assert store.strangers["rule"].value_counts(sort=True).rows() == [("unknown_journey", 7), ("missing", 2)]
    store.add(other)
    loaded = store.append(pl.concat([others, welcome_log[:100]]))
    assert (loaded.loaded, loaded.duplicates) == (others.height, 100)
    assert_same(store[other.journey_id].facts, jn.JourneyStats(other, others).facts)
    both = pl.concat([welcome_log, welcome_log[:100]])
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, both).facts)
    assert store.check() == []


def test_rows_of_other_journeys_are_told_as_one_too(store: jn.Store, welcome_log: pl.DataFrame) -> None:
    """A log that is shared with other stores brings some with every load."""
    lost = welcome_log[:12].with_columns(journey_id=pl.lit("another's"))
    for number in range(12):
        store.append(lost[number : number + 1])
    assert store.strangers["event_id"].to_list() == lost["event_id"].to_list()
    assert len(store._layers.of("")) < 6
    store.add(jn.Journey.sample("welcome").model_copy(update={"journey_id": "another's", "title": "Other"}))
    assert store["another's"].facts.read == 12
    assert store.strangers.is_empty()
    assert store.check() == []


def test_what_is_wrong_with_a_stranger_is_wrong_with_it_in_its_journey(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    """In quarantine a word that is none stands in the detail alone: read again, its row would be good without it."""
    place = pl.int_range(pl.len())
    log = welcome_log.cast({"kind": pl.String, "channel": pl.String}).with_columns(
        kind=pl.when(place == 3).then(pl.lit("nonsense")).otherwise("kind"),
        channel=pl.when(place == 5).then(pl.lit("pigeon")).otherwise("channel"),
    )
    store = jn.Store(tmp_path)
    store.append(log)
    store.add(welcome)
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, log).facts)


def test_the_same_file_batch_or_frame_adds_nothing(
    store: jn.Store, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    half = welcome_log.height // 2
    welcome_log[:half].write_parquet(tmp_path / "a.parquet")
    welcome_log[half:].write_csv(tmp_path / "b.csv")
    first = store.load([tmp_path / "a.parquet", tmp_path / "b.csv"])
    assert (first.read, first.loaded, first.skipped) == (welcome_log.height, welcome_log.height, ())
    (tmp_path / "a.parquet").rename(tmp_path / "renamed.parquet")
    again = store.load(str(tmp_path / "*.*"))
    assert (again.read, set(again.skipped)) == (0, {"renamed.parquet", "b.csv"})
    assert store.append(welcome_log[:9], batch="today").duplicates == 9
    assert store.append(welcome_log[:9].reverse(), batch="today").skipped == ("today",)
    assert store.append(welcome_log[:9].lazy(), batch="today").skipped == ("today",)
    assert store.append(welcome_log[20:40]).duplicates == 20
    assert store.append(welcome_log[20:40].clone()).read == 0
    assert store["welcome"].facts.read == welcome_log.height + 29


def test_a_store_goes_through_the_ids_of_its_journeys(store: jn.Store) -> None:
    other = store.add(jn.Journey.sample("win_back"))
    assert list(store) == store.find()["journey_id"].to_list()
    assert other.journey_id in set(store)
    cart = jn.Journey.sample("abandoned_cart")
    named = store.rename("win_back", cart.journey_id)
    for key, is_here in (
        (named, True),
        (named.journey_id, True),
        ("welcome-SERIES", True),
        ("nobody", False),
        (cart, False),
    ):
        assert (key in store) == is_here, key


def test_facts_without_their_log_are_read_and_never_appended_to(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    welcome_log.write_parquet(tmp_path / "log.parquet")
    store.load(tmp_path / "log.parquet", keep_log=False)
    assert not list(store.path.rglob("log.parquet"))
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log).facts)
    assert store.check() == []
    late = welcome_log[:1].with_columns(event_id=pl.lit("late"))
    for refused in (lambda: store.append(late), lambda: store.rebuild("welcome")):
        with pytest.raises(jn.StoreError, match="without their log"):
            refused()
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log).facts)


def grown(journey: jn.Journey) -> jn.Journey:
    """The journey with one point more at its end, put in front of all others in the document."""
    newest = journey.version()
    more = newest.points[0].model_copy(
        update={"point_id": "afterwards", "type": "exit", "title": "Afterwards"}
    )
    end = [point for point in newest.points if point.type != "exit"][-1].point_id
    branch = newest.outgoing(end)[0].model_copy(update={"target": "afterwards"})
    others = tuple(b for b in newest.branches if (b.source, b.key) != (branch.source, branch.key))
    changed = newest.model_copy(
        update={"version": newest.version + 1, "published_at": None,
                "points": (more, *newest.points), "branches": (*others, branch)}
    )  # fmt: skip
    return journey.model_copy(update={"versions": (*journey.versions, changed)})


def test_a_new_version_reads_again_what_was_set_aside_for_want_of_it(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    newest = welcome.version().version
    later = welcome_log["occurred_at"].sort()[-2_000]
    log = welcome_log.with_columns(
        version=pl.when(pl.col("occurred_at") > later).then(newest + 1).otherwise("version").cast(pl.Int32)
    )
    store.append(log[:9_000])
    store.append(log[9_000:])
    before = store["welcome"].facts
    assert before.quarantined["rule"].unique().to_list() == ["unknown_version"]
    store.pause("welcome")
    after = store.relaunch("welcome", grown(welcome))
    assert after.version().version == newest + 1
    assert_same(store["welcome"].facts, jn.JourneyStats(after, log).facts)
    assert store.check() == []
    store.append(
        log[:5].with_columns(event_id="again-" + pl.col("event_id"))
    )  # and goes on under the new words
    assert store.check() == []


def interrupted(step: str, do: Callable[[], object]) -> None:
    """Do something with a store, until a step of its own."""
    with patch.object(jn.Store, step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        do()


def test_a_new_version_that_was_interrupted_reads_them_with_the_next_load(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome.model_copy(update={"versions": welcome.versions[:1]}))
    store.append(welcome_log[-9_000:])
    store.pause("welcome")
    interrupted("_settle", partial(store.relaunch, "welcome", welcome))
    store.append(welcome_log[:-9_000])
    assert_same(store["welcome"].facts, jn.JourneyStats(store.get("welcome"), welcome_log).facts)
    assert store.check() == []


def test_a_new_version_that_differs_in_words_alone_reads_its_rows_too(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    newest = welcome.version()
    log = welcome_log[:200].with_columns(version=pl.lit(newest.version + 1, pl.Int32))
    store.append(log)
    store.pause("welcome")
    first = newest.points[0].model_copy(update={"title": "Said otherwise"})
    changed = newest.model_copy(update={"points": (first, *newest.points[1:])})
    after = store.relaunch(
        "welcome", welcome.model_copy(update={"versions": (*welcome.versions[:-1], changed)})
    )
    assert after.version().version == newest.version + 1
    assert_same(store["welcome"].facts, jn.JourneyStats(after, log).facts)
    assert store.check() == []


def test_versions_that_the_platform_has_released_are_judged_by_their_own_graph(tmp_path: Path) -> None:
    """Two of them since, the second with the graph of the first: their rows name them by their numbers."""
    welcome = jn.Journey.sample("welcome")
    first, second = welcome.versions
    third = second.model_copy(update={"version": 3})
    released = welcome.model_copy(update={"versions": (first, second, third)})
    log = simulate(welcome, users=300, seed=1)
    late = (pl.col("version") == 2) & (pl.col("user_id").hash() % 2 == 0)
    log = log.with_columns(version=pl.when(late).then(3).otherwise("version").cast(pl.Int32))
    store = jn.Store(tmp_path / "store")
    store.add(welcome.model_copy(update={"versions": (first,)}))
    assert store.append(log).quarantined == log.filter(pl.col("version") > 1).height > 0
    store.pause("welcome")
    after = store.relaunch("welcome", released)
    assert [version.version for version in after.versions] == [1, 2, 3]
    assert_same(store["welcome"].facts, jn.JourneyStats(after, log).facts)
    assert store["welcome"].facts.quarantined.is_empty()


def test_a_version_more_leaves_the_facts_as_they_are(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log)
    made = [layer.token for layer in store._layers.of(welcome.journey_id)]
    store.pause("welcome")
    after = store.relaunch("welcome", grown(welcome))
    assert [layer.token for layer in store._layers.of(welcome.journey_id)] == made
    expected = jn.JourneyStats(after, welcome_log)
    for table in ("points", "branches", "messages", "users"):
        assert_frame_equal(getattr(store["welcome"], table)(), getattr(expected, table)(), rel_tol=1e-9)


def test_changed_goals_fold_the_facts_anew(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log)
    goals = tuple(goal.model_copy(update={"conversion_days": 0}) for goal in welcome.goals)
    store.pause("welcome")
    after = store.relaunch("welcome", welcome.model_copy(update={"goals": goals}))
    expected = jn.JourneyStats(after, welcome_log)
    assert_same(store["welcome"].facts, expected.facts)
    assert expected.goals()["users"].sum() < jn.JourneyStats(welcome, welcome_log).goals()["users"].sum()


def test_an_index_that_another_polars_hashed_is_made_anew(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    stranger = welcome_log[10:20].with_columns(
        user_id=pl.lit("somebody else"), occurred_at=pl.col("occurred_at")
    )
    store.append(welcome_log)
    for path in store.path.rglob("keys-*.arrow"):
        path.rename(path.with_name("keys-0123456789abcdef.arrow"))
    store.append(stranger)  # the same event ids with another content: found by the index alone
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, pl.concat([welcome_log, stranger])).facts)


def test_replaced_layers_linger_for_those_who_read_them(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folders() -> int:
        return len(list((store.path / "layers").iterdir()))

    store.append(welcome_log[:1_000])
    old = store["welcome"]
    for start in range(1_000, 4_000, 1_000):
        store.append(welcome_log[start : start + 1_000])
    assert folders() == 5  # four that were told as one, and that one
    assert old.paths().height  # read only now, and what it was then
    assert old.facts.read == 1_000

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + LINGERS * 1.01

    monkeypatch.setattr(layers_of_store, "datetime", Later)
    store.append(welcome_log[4_000:5_000])
    assert folders() == 2


def test_a_reader_may_ask_while_a_design_changes(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(welcome_log[:1_000])
    store.pause("welcome")
    layers_of = store._layers.of

    def changed_meanwhile(journey_id: str) -> list[layers_of_store.Layer]:
        monkeypatch.undo()  # once, by another program
        jn.Store(store.path).edit(welcome.model_copy(update={"timezone": "Asia/Seoul"}))
        return layers_of(journey_id)

    monkeypatch.setattr(store._layers, "of", changed_meanwhile)
    assert store["welcome"].journey.timezone == "Asia/Seoul"


def test_activities_come_into_a_store_too(tmp_path: Path) -> None:
    visits = pl.DataFrame(
        {"who": ["a", "a", "b", "b", "b"], "what": ["look", "buy", "look", "leave", "look"], "at": range(5)}
    )
    log = EventLog.from_activities(visits, user="who", activity="what", time="at", time_unit="s")
    journey = jn.Journey.discover(log)
    store = jn.Store(tmp_path)
    store.add(journey)
    store.append(log)
    assert_same(store[journey.journey_id].facts, jn.JourneyStats(journey, log).facts)


def visits(days: range, users: str) -> EventLog:
    rows = [
        (user, what, day * 86_400 + n)
        for day in days
        for user in users
        for n, what in enumerate(("look", "buy"))
    ]
    frame = pl.DataFrame(rows, schema=["who", "what", "at"], orient="row")
    return EventLog.from_activities(
        frame, user="who", activity="what", time="at", time_unit="s", journey_id="shop"
    )


def test_activities_of_others_come_behind_and_those_of_the_same_run_are_refused(tmp_path: Path) -> None:
    store = jn.Store(tmp_path)
    store.add(jn.Journey.discover(visits(range(1), "abc")))
    told = [str(store.append(visits(range(1), users))) for users in ("abc", "def", "abc")]
    assert [line.split("= ")[1] for line in told] == [
        "24 loaded + 0 duplicates + 0 quarantined", "24 loaded + 0 duplicates + 0 quarantined",
        "0 loaded + 24 duplicates + 0 quarantined",
    ]  # fmt: skip
    whole = jn.JourneyStats(store.get("shop"), visits(range(1), "abcdef"))
    for table in ("points", "branches", "audience", "paths", "daily"):
        assert_frame_equal(getattr(store["shop"], table)(), getattr(whole, table)())
    with pytest.raises(
        StoreError, match="1 runs of “shop” go on in the frame, as does that of 'b': a run of"
    ):
        store.append(visits(range(2), "bxy"))
    assert store["shop"].health()["entrances"].item() == 6


def sessions(*rows: tuple[str, str, str, int]) -> EventLog:
    frame = pl.DataFrame(rows, schema=["who", "visit", "what", "at"], orient="row")
    return EventLog.from_activities(
        frame, user="who", activity="what", time="at", session="visit", time_unit="s", journey_id="shop"
    )


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("a", [("b", "1", "look", 9)]),  # another user's, under the same name
        ("a", [("a", "1", "look", 1), ("b", "1", "look", 9)]),  # it comes again, under another name
        ("a", [("a", "1", "leave", 9), ("b", "1", "look", 9)]),  # it goes on under another name
        ("ab", [("a", "1", "leave", 9)]),  # it was shared
    ],
)
def test_a_session_is_a_run_of_one_user_in_whatever_load_it_comes(
    first: str, later: list[tuple[str, str, str, int]], tmp_path: Path
) -> None:
    """Where several users share sessions, the name of a run begins with the user."""
    rows = [(user, "1", "look", 1) for user in first]
    store = jn.Store(tmp_path)
    store.add(jn.Journey.discover(sessions(*rows, ("z", "9", "leave", 3))))
    store.append(sessions(*rows))
    with pytest.raises(
        StoreError,
        match=r"^1 runs of “shop” go on in the frame, .* has a name of its own: .*pl\.format\('{}/{}'",
    ):
        store.append(sessions(*later))
    assert " 0 loaded" in str(store.append(sessions(*rows)))
    assert "= 6 loaded + 0 duplicates" in str(store.append(sessions(("e", "3", "look", 9))))


def test_activities_that_end_later_in_another_load_are_refused(tmp_path: Path) -> None:
    """Their events have the ids of those that are here, and other times."""
    rows = pl.DataFrame({"who": "a", "what": "look", "is": ["start", "complete"], "at": [1, 9]})
    read = partial(
        EventLog.from_activities, user="who", activity="what", time="at", lifecycle="is", time_unit="s"
    )
    store = jn.Store(tmp_path)
    store.add(jn.Journey.discover(read(rows)))
    store.append(read(rows[:1]))
    with pytest.raises(StoreError, match="1 runs of “Discovered journey” go on in the frame"):
        store.append(read(rows))


def test_rows_that_were_there_before_their_journey_are_read_again(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    other = jn.Journey.sample("win_back")
    others = simulate(other, users=50, seed=4)
    lost = others[:5].with_columns(journey_id=pl.lit("nobody's"))
    store.append(pl.concat([welcome_log[:500], others, lost]))
    assert store.strangers.height == others.height + 5
    store.add(other)
    assert store.strangers.height == 5
    assert_same(store[other.journey_id].facts, jn.JourneyStats(other, others).facts)


def test_rows_whose_journey_was_added_by_who_was_ended_are_read_with_the_next_load(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    other = jn.Journey.sample("win_back")
    others = simulate(other, users=50, seed=4)
    store.append(others)
    interrupted("_take_in_strangers", partial(store.add, other))
    store.append(welcome_log[:500])
    assert store.strangers.is_empty()
    assert_same(store[other.journey_id].facts, jn.JourneyStats(other, others).facts)


def test_a_load_that_is_in_says_so_though_what_waits_for_another_journey_cannot_be_read_yet(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    other = jn.Journey.sample("win_back")
    others = simulate(other, users=50, seed=4)
    store.append(others[:100])
    interrupted("_take_in_strangers", partial(store.add, other))
    interrupted("_take_in_strangers", partial(store.append, others[100:]))
    store.pause(other.journey_id)
    moved = store.get(other.journey_id).model_copy(update={"timezone": "Asia/Tokyo"})
    interrupted("_settle", partial(store.edit, moved))
    assert store.append(welcome_log[:500]).read == 500
    assert store["welcome"].facts.read == 500
    assert [fault.place for fault in store.check()] == ["facts", "strangers"]
    store.rebuild(other.journey_id)
    store.append(welcome_log[500:600])
    assert store[other.journey_id].facts.read == others.height
    assert store.check() == []


def test_two_files_of_one_content_are_loaded_once(
    store: jn.Store, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    for name in ("a.parquet", "b.parquet"):
        welcome_log.write_parquet(tmp_path / name)
    loaded = store.load([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert (loaded.read, loaded.skipped) == (welcome_log.height, ("b.parquet",))


def test_small_loads_without_their_log_stay_apart(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    users = welcome_log["user_id"].unique().sort()
    for number in range(5):
        mine = pl.col("user_id").is_in(users.gather_every(5, number).implode())
        welcome_log.filter(mine).write_parquet(tmp_path / f"{number}.parquet")
        store.load(tmp_path / f"{number}.parquet", keep_log=False)
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, welcome_log).facts)
    goals = tuple(goal.model_copy(update={"conversion_days": 0}) for goal in welcome.goals)
    store.pause("welcome")
    with pytest.raises(jn.StoreError, match="cannot be folded anew"):
        store.relaunch("welcome", welcome.model_copy(update={"goals": goals}))
    assert store["welcome"].facts.read == welcome_log.height


def test_an_id_shared_across_parts_needs_their_logs_until_the_end(
    store: jn.Store,
    welcome: jn.Journey,
    welcome_log: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("journey_nb.store.intake.ROWS_A_PART", 2_000)
    shared = welcome_log["message_id"].drop_nulls()[0]
    log = welcome_log.with_columns(
        message_id=pl.when(pl.col("message_id").is_not_null() & (pl.int_range(pl.len()) % 97 == 0))
        .then(pl.lit(shared)).otherwise("message_id")
    )  # fmt: skip
    log.write_parquet(tmp_path / "log.parquet")
    store.load(tmp_path / "log.parquet", keep_log=False)
    assert_same(store["welcome"].facts, jn.JourneyStats(welcome, log).facts)


def test_a_goal_with_events_stays(store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame) -> None:
    store.append(welcome_log)
    store.pause("welcome")
    with pytest.raises(jn.StoreError, match="keep it"):
        store.relaunch("welcome", welcome.model_copy(update={"goals": welcome.goals[:-1]}))
    assert store["welcome"].facts.read == welcome_log.height


def test_nothing_is_taken_in_or_merged_while_facts_wait_to_be_folded_anew(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 3_000, 1_000):
        store.append(welcome_log[start : start + 1_000])
    store.pause("welcome")
    with monkeypatch.context() as broken:
        broken.setattr(jn.Store, "_rebuild", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        with pytest.raises(OSError, match="no room"):
            store.relaunch("welcome", welcome.model_copy(update={"timezone": "Asia/Tokyo"}))
    for refused in (lambda: store["welcome"], lambda: store.append(welcome_log[3_000:4_000])):
        with pytest.raises(jn.StoreError, match="rebuild"):
            refused()
    store.rebuild("welcome")
    store.append(welcome_log[3_000:])
    after = store.get("welcome")
    assert_frame_equal(store["welcome"].daily(), jn.JourneyStats(after, welcome_log).daily())
    assert store.check() == []


@pytest.mark.parametrize(("name", "before"), [("FLAGS", {"sent": pl.col("sent_at")}), ("FACTS", 1)])
def test_facts_of_an_older_package_are_folded_anew(
    name: str, before: object, store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(layers_of_store, name, before)
        store.append(welcome_log)
    with pytest.raises(jn.StoreError, match="older journey_nb: rebuild"):
        store["welcome"]
    (fault,) = store.check()
    assert "rebuild" in fault.what
    store.rebuild("welcome")
    assert store["welcome"].points()["dismissed"].sum() > 0
    assert store.check() == []


def test_check_counts_the_facts_anew_set_after_set(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = welcome_log["user_id"].unique(maintain_order=True)
    some = pl.col("user_id").is_in(users[::2].implode())
    monkeypatch.setattr(stored, "ROWS_COUNTED", 1)  # each part is a set
    monkeypatch.delattr(stored.Assembled, "folded")  # all of it need not fit into memory
    store.append(welcome_log.filter(some))
    assert store.check() == []
    counted = Cube.of
    with monkeypatch.context() as wrong:
        wrong.setattr(
            Cube, "of", lambda *given: replace(cube := counted(*given), durations=cube.durations[1:])
        )
        store.append(welcome_log.filter(~some))
    assert len(store["welcome"].facts.sets) == 2
    assert [fault.place for fault in store.check()] == ["cubes"]
    table = parts.Part.table
    monkeypatch.setattr(
        parts.Part, "table", lambda part, name: table(part, name)[1 if name == "events" else 0 :]
    )
    assert [fault.place for fault in store.check()] == ["rows", "cubes"]


def test_what_only_was_set_aside_has_no_instant(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    opened = welcome_log.filter(pl.col("kind") == "message.opened")[:1]
    orphan = opened.with_columns(
        run_id=pl.lit(None, pl.String), message_id=pl.lit("nobody's"), event_id=pl.lit("orphan")
    )
    theirs = welcome_log.filter(pl.col("user_id") == opened["user_id"][0])
    store.append(orphan)
    store.append(theirs)
    expected = jn.JourneyStats(welcome, pl.concat([orphan, theirs])).facts
    assert (store["welcome"].facts.first_at, store["welcome"].facts.last_at) == (
        expected.first_at,
        expected.last_at,
    )


def test_a_message_of_several_runs_is_read_with_that_of_its_first_row(
    welcome: jn.Journey, tmp_path: Path
) -> None:
    events = simulate(welcome, users=120, seed=4)
    sent = events.filter(pl.col("kind") == "message.sent", pl.col("channel") != "in_app").sort("occurred_at")
    early, late = sent.head(12), sent.tail(12)
    others = early.with_columns(
        event_id=pl.lit("late-") + pl.col("event_id"),
        kind=pl.lit("message.delivered", events.schema["kind"]),
        message_id=late["message_id"],
        point_id=late["point_id"],
        channel=late["channel"],
        version=early["version"],
    )
    events = pl.concat([events, others])
    store = jn.Store(tmp_path)
    store.add(welcome)
    store.append(events)
    expected = jn.JourneyStats(welcome, events)
    at = sorted(events["occurred_at"])
    start, end = at[len(at) // 3] + timedelta(microseconds=1), at[len(at) // 2] + timedelta(microseconds=1)
    for name in ("health", "communications", "messages", "waiting"):
        one, other = (
            getattr(stats.between(start, end), name)() for stats in (jn.Store(tmp_path)["welcome"], expected)
        )
        assert_frame_equal(one, other, rel_tol=1e-9)
    for user in [*early["user_id"], *late["user_id"]]:
        assert_frame_equal(jn.Store(tmp_path)["welcome"].user_events(user), expected.user_events(user))


@pytest.mark.parametrize(
    "happens",
    [
        {"kind": "message.sent", "point_id": "A", "message_id": "m"},
        {"kind": "message.failed", "point_id": "A", "message_id": "m", "reason": "hard_bounce"},
        {"kind": "message.skipped", "point_id": "A", "message_id": "m", "reason": "opted_out"},
        {"kind": "goal.reached", "goal_id": "buy"},
        {"kind": "point.completed", "point_id": "A"},
        {"kind": "run.exited", "point_id": "A", "reason": "removed"},
    ],
    ids=lambda happens: happens["kind"],
)
def test_who_does_but_one_thing_between_two_odd_instants_counts(
    tmp_path: Path, happens: dict[str, str]
) -> None:
    """Each time at which something is counted brings its user into the count, though nothing else happens for hours."""
    run = {"journey_id": "j", "version": 1, "run_id": "r", "user_id": "u", "channel": "push"}
    rows = [
        {"kind": "run.entered", "point_id": "E", "occurred_at": at(5)},
        {"kind": "point.entered", "point_id": "A", "occurred_at": at(5)},
        {**happens, "occurred_at": at(20 * 60 + 10, days=1)},
        {
            "kind": "run.entered",
            "point_id": "E",
            "occurred_at": at(days=4),
            "run_id": "later",
            "user_id": "v",
        },
    ]
    frame, journey = pl.DataFrame([{**run, **row} for row in rows]), a_journey()
    store = jn.Store(tmp_path / "store")
    store.add(journey)
    store.append(frame)
    stored, plain = (
        stats.between(at(20 * 60, days=1), at(20 * 60 + 30, days=1))  # both edges count as the next midnight
        for stats in (store["j"], jn.JourneyStats(journey, frame))
    )
    for name in ("health", "audience", "points", "messages", "goals", "drops", "daily", "delivery_issues"):
        assert_frame_equal(getattr(stored, name)(), getattr(plain, name)(), check_row_order=False)


def test_messages_out_of_the_order_of_runs_are_not_looked_up_by_it(
    welcome: jn.Journey, tmp_path: Path
) -> None:
    """A run entered earlier names a message later: it stands with that run, and is of the other."""
    events = simulate(welcome, users=120, seed=4)
    spans = events.group_by("run_id").agg(
        pl.col("user_id").first(), first=pl.col("occurred_at").min(), last=pl.col("occurred_at").max()
    )
    longest = spans.drop_nulls().sort(pl.col("last") - pl.col("first")).row(-1, named=True)
    sent = events.filter(
        pl.col("kind") == "message.sent",
        pl.col("channel") != "in_app",
        pl.col("run_id") != longest["run_id"],
        pl.col("occurred_at").is_between(longest["first"], longest["last"] - timedelta(hours=1)),
    ).join(spans, on="run_id", suffix="_of")
    sent = sent.filter(pl.col("first") > longest["first"]).select(events.columns)
    assert sent.height > 3
    others = sent.with_columns(
        event_id=pl.lit("late-") + pl.col("event_id"),
        kind=pl.lit("message.delivered", events.schema["kind"]),
        occurred_at=pl.col("occurred_at") + timedelta(seconds=1),
        run_id=pl.lit(longest["run_id"]),
        user_id=pl.lit(longest["user_id"]),
    )
    events = pl.concat([events, others])
    store = jn.Store(tmp_path)
    store.add(welcome)
    store.append(events)
    expected = jn.JourneyStats(welcome, events)
    assert not store["welcome"].facts.messages["run"].is_sorted()
    for user in [longest["user_id"], *sent["user_id"].unique().sort()]:
        assert_frame_equal(jn.Store(tmp_path)["welcome"].user_events(user), expected.user_events(user))
        assert_frame_equal(jn.Store(tmp_path)["welcome"].user_path(user), expected.user_path(user))


def test_a_window_within_days_reads_a_stretch_of_each_table(
    welcome: jn.Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs stand in order of time, so who was active in an hour is found, and read, in one place."""
    monkeypatch.setattr(parts, "BATCH", 64)
    events = simulate(welcome, users=1_000, seed=5)
    store = jn.Store(tmp_path)
    store.add(welcome)
    store.append(events)
    at = sorted(events["occurred_at"])
    start = at[len(at) // 2] + timedelta(microseconds=1)
    asked = store["welcome"].between(start, start + timedelta(hours=2))
    expected = jn.JourneyStats(welcome, events).between(start, start + timedelta(hours=2))
    for name in ("health", "messages", "goals"):
        assert_frame_equal(getattr(asked, name)(), getattr(expected, name)(), rel_tol=1e-9)
    (part,) = asked.facts.parts
    assert part._known("visits") is None  # not read whole
    assert part._known("messages") is None


def test_rows_and_ways_are_told_part_after_part_as_of_the_whole(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    late = pl.col("user_id").hash(3) % 4
    for part in range(3):  # the last tells users of both others anew
        store.append(welcome_log.filter(late == part) if part < 2 else welcome_log.filter(late != 0))
    facts, again = store["welcome"].facts, jn.Store(store.path)["welcome"].facts
    assert len(facts.parts) == 3
    for name, where in (
        ("messages", pl.col("point") == "hello_push"),
        ("visits", pl.col("outcome") == "completed"),
    ):
        assert_frame_equal(facts.rows(name, where), getattr(again, name).filter(where))
        assert_frame_equal(again.rows(name, where), getattr(again, name).filter(where))
    plain = jn.JourneyStats(welcome, facts.folded)
    for period in (("2026-03-01", "2026-03-20"), ("2026-03-02T10:11:12", "2026-04-03T04:05:06")):
        told = {}
        for clock in ("activity", "cohort"):
            told[clock], wanted = (
                one.between(*period).clock(clock).paths(None) for one in (store["welcome"], plain)
            )
            assert_frame_equal(told[clock], wanted)
        assert not told["activity"].equals(told["cohort"])  # some went on after the period


def test_a_store_larger_than_memory_is_counted_set_after_set(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(welcome_log.head(5).with_columns(kind=pl.lit("nonsense")))  # a part that holds nothing
    third = pl.col("user_id").hash(3) % 3
    for some in (third != 2, third != 0):  # the last tells users anew
        store.append(welcome_log.filter(some))
    whole, facts = jn.JourneyStats(welcome, welcome_log), store["welcome"].facts
    assert not facts.is_large
    monkeypatch.setattr(stored, "memory", lambda: 4 * stored.BYTES_COUNTED * welcome_log.height)
    store = jn.Store(store.path)
    assert [some.runs.height > 0 for some in store["welcome"].facts.sets] == [False, True, True]
    users = whole.facts.users.filter(pl.col("user_id").hash(5) % 2 == 0)
    for counts, narrowed in (
        (PartedCounts, lambda stats: stats.where(users=users).period("30d")),
        (PartedCounts, lambda stats: stats.machine(include=True).clock("cohort")),
        (PartedCounts, lambda stats: stats.as_of(whole.facts.first_at + timedelta(days=20))),
        (Counts, lambda stats: stats.where(users=users.head(4))),  # whose rows are looked up
    ):
        got, wanted = narrowed(store["welcome"]), narrowed(whole)
        assert type(got.scope.counts) is counts
        for name in ("health", "daily", "points", "branches", "waiting", "goals", "messages", "variants"):
            asked = ("offer_test", "first_order") if name == "variants" else ()
            assert_frame_equal(getattr(got, name)(*asked), getattr(wanted, name)(*asked), rel_tol=1e-9)
        assert "visits" not in got.facts._together._made  # the whole of it is nowhere


def test_an_experiment_that_was_read_counts_those_told_anew_as_they_are_now(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    split = next(key for key, point in welcome.points().items() if point.type == "split_abn")
    for end in (2_000, 2_400, None):
        store.append(welcome_log[:end])
        stored, whole = store["welcome"], jn.JourneyStats(welcome, welcome_log[:end])
        for narrowed in (lambda stats: stats, lambda stats: stats.period("7d")):
            for goal, unit in product(welcome.goals, ("user", "run")):
                got, wanted = (
                    narrowed(stats).experiment(split, goal.goal_id, unit=unit) for stats in (stored, whole)
                )
                assert_frame_equal(got.table, wanted.table, rel_tol=1e-9)
                assert (got.crossed, got.verdict) == (wanted.crossed, wanted.verdict)
    assert whole.experiment(split, welcome.goals[0].goal_id).table["assigned"].sum() > 0


def test_a_journey_with_events_is_launched_where_they_begin(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome.model_copy(update={"status": "draft", "launched_at": None}))
    store.append(welcome_log)
    before = store["welcome"].health()
    launched = store.launch("welcome")
    assert launched.launched_at == store["welcome"].facts.first_at
    assert_frame_equal(store["welcome"].health(), before)


def test_a_launched_journey_begins_where_its_log_does_whenever_that_comes(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome.model_copy(update={"status": "draft", "launched_at": None}))
    store.launch("welcome")
    third = welcome_log.height // 3
    for some in (welcome_log[2 * third :], welcome_log[:third], welcome_log[third : 2 * third]):
        store.append(some)
        assert store.get("welcome").launched_at == store["welcome"].facts.first_at
    assert_frame_equal(store["welcome"].health(), jn.JourneyStats(welcome, welcome_log).health())
    assert store.check() == []
    given = jn.Store(tmp_path / "given")
    given.add(told := welcome.model_copy(update={"launched_at": at(60 * 24 * 90)}))
    given.append(welcome_log)
    assert given.get("welcome").launched_at == told.launched_at  # what a document says stays


def test_a_journey_of_which_every_row_was_set_aside_is_launched_now(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome.model_copy(update={"status": "draft", "launched_at": None}))
    store.append(welcome_log[:500].with_columns(version=pl.lit(9, pl.Int32)))
    launched = store.launch("welcome")
    assert store["welcome"].facts.read
    assert launched.launched_at
    assert launched.launched_at > welcome_log["occurred_at"].max()


def test_activities_of_a_journey_that_is_not_here_are_refused(tmp_path: Path) -> None:
    store = jn.Store(tmp_path)
    store.add(jn.Journey.discover(visits(range(1), "ab")))
    frame = pl.DataFrame({"who": ["a"], "what": ["look"], "at": [1]})
    other = EventLog.from_activities(
        frame, user="who", activity="what", time="at", time_unit="s", journey_id="shpo"
    )
    with pytest.raises(StoreError, match="no journey 'shpo'; did you mean 'shop'"):
        store.append(other)


def test_what_is_done_to_a_journey_that_was_asked_for_stays_with_whoever_did_it(
    store: jn.Store, welcome: jn.Journey
) -> None:
    asked = (lambda: store.get("welcome"), lambda: store.add(welcome), lambda: store["welcome"].journey)
    for ask in asked:
        ask().version().points[0].settings["odd"] = 1
        assert all("odd" not in other().version().points[0].settings for other in asked)


# Who was assigned to what.


def sent(users: range, minute: int, number: int = 0) -> pl.DataFrame:
    """Messages in a variant, the first of them with its run's entry."""
    rows = []
    for user in users:
        row = {"user_id": f"u{user}", "run_id": f"r{user}", "journey_id": "j", "version": 1}
        if not number:
            rows.append({**row, "kind": "run.entered", "point_id": "E", "occurred_at": at(user)})
        message = {"channel": "push", "message_id": f"m{user}.{number}", "variant": "AB"[user % 2]}
        here = {"kind": "message.sent", "point_id": "A", "occurred_at": at(user + minute)}
        rows.append({**row, **message, **here})
    return pl.DataFrame(rows)


def assigned(stats: jn.JourneyStats, point: str = "A") -> list[tuple[str, int]]:
    return sorted(stats.variants(point, "buy").select("variant", "assigned").rows())


def test_who_asks_a_state_of_before_is_told_of_that_whatever_was_asked_of_a_later_one(tmp_path: Path) -> None:
    store = jn.Store(tmp_path)
    store.add(a_journey(status="paused"))
    store.append(sent(range(6), 1))
    before = store["j"]
    store.append(sent(range(2), 90, number=1))
    after = store["j"]
    assert assigned(after) == assigned(before) == [("A", 3), ("B", 3)]


def test_ways_that_are_no_variants_assign_nobody_though_their_point_becomes_a_test(tmp_path: Path) -> None:
    document = a_journey(status="paused").model_dump(mode="json")
    first = document["versions"][0]
    first["points"][2]["type"] = "split_condition"
    ways = [{"source": "E", "target": "A"}, {"source": "A", "target": "W"}]
    first["branches"] = [*ways, *({"source": "W", "key": key, "target": "X"} for key in ("yes", "no"))]
    second = {**deepcopy(first), "version": 2, "published_at": "2026-01-02T00:00:00Z"}
    second["points"][2]["type"] = "split_abn"
    second["branches"] = [*ways, *({"source": "W", "key": f"variant:{key}", "target": "X"} for key in "AB")]
    store = jn.Store(tmp_path)
    store.add(jn.Journey.model_validate({**document, "versions": [first]}))
    row = {"user_id": "u", "run_id": "r", "journey_id": "j", "version": 1}
    log = pl.DataFrame(
        [
            {**row, "kind": "run.entered", "point_id": "E", "occurred_at": at(0)},
            {**row, "kind": "point.entered", "point_id": "W", "occurred_at": at(1)},
            {**row, "kind": "point.completed", "point_id": "W", "branch": "yes", "occurred_at": at(2)},
        ]
    )
    store.append(log)
    store.relaunch("j", jn.Journey.model_validate({**document, "versions": [first, second]}))
    stats = store["j"]
    plain = jn.JourneyStats(stats.journey, EventLog.from_frame(log))
    assert assigned(stats, "W") == assigned(plain, "W") == [("A", 0), ("B", 0)]


def test_statistics_are_handed_to_other_processes_as_where_their_facts_are(
    store: jn.Store, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log[:2000])
    stats = store["welcome"]
    asked = [stats, stats.period("7d"), stats.clock("cohort"), stats.where(variant="A")]
    store.append(welcome_log[2000:])  # they keep seeing what was there
    told = [one.points() for one in asked]
    kept = pickle.dumps((store, asked))
    assert len(kept) < 50_000
    other, again = pickle.loads(kept)
    for one, points in zip(again, told, strict=True):
        assert one.points().equals(points)
    assert other["welcome"].points().equals(store["welcome"].points())


def test_a_journey_of_hundreds_of_points_is_counted_as_its_log(tmp_path: Path) -> None:
    delays = [f"d{number:03}" for number in range(300)]
    points = [{"point_id": "E", "type": "entry_api"}, *({"point_id": d, "type": "delay"} for d in delays)]
    points += [{"point_id": "X", "type": "exit"}]
    ids = [point["point_id"] for point in points]
    branches = [{"source": one, "target": other} for one, other in pairwise(ids)]
    journey = a_journey(versions=[{"version": 1, "points": points, "branches": branches}])
    constant = {"user_id": "u", "run_id": "r", "journey_id": "j", "version": 1}
    rows = [("run.entered", "E"), *(("point.entered", point) for point in ids[1:]), ("run.exited", "X")]
    log = pl.DataFrame(
        [
            {**constant, "kind": kind, "point_id": point, "occurred_at": at(minute**2)}
            for minute, (kind, point) in enumerate(rows)
        ]
    )
    store = jn.Store(tmp_path / "store")
    store.add(journey)
    store.append(log)
    assert store["j"].points().equals(jn.JourneyStats(journey, log).points())


def test_an_append_counts_nothing_of_a_layer_that_is_never_merged(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count who lives in it is to read its whole log: forty files of a hundred million events."""
    monkeypatch.setattr(store_of, "MERGED", 800)
    monkeypatch.setattr("journey_nb.store.intake.ROWS_A_PART", 2_000)
    store.append(welcome_log[:-30])
    (layer,) = store._layers.of(store.get("welcome").journey_id)
    assert layer.parts > 1
    assert layer.height > store_of.MERGED
    read: list[Path] = []
    monkeypatch.setattr(
        parts.Part, "living_rows", property(lambda part: read.append(part.folder) or part.height)
    )
    store.append(welcome_log[-30:])
    assert read == []


def test_layers_of_which_hardly_anything_lives_are_told_as_one(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where each append tells the long history of the same users anew."""
    monkeypatch.setattr(store_of, "MERGED", welcome_log.height * 3 // 2)
    store.append(welcome_log[:-30])
    for day in range(9):
        store.append(
            welcome_log.filter(kind="goal.reached")
            .unique("user_id")
            .with_columns(
                event_id=pl.format("day {} {}", pl.lit(day), "user_id"),
                occurred_at=pl.col("occurred_at") + timedelta(days=day),
            )
        )
        kept = sum(layer.height for layer in store._layers.of(store.get("welcome").journey_id))
        assert kept < 5 * welcome_log.height
    assert store.check() == []


def test_small_loads_that_are_told_as_one_still_replace_what_a_large_one_told(
    store: jn.Store, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store.append(welcome_log[:-40])
    for first in range(-40, 0, 10):
        store.append(welcome_log[first : first + 10 or None])
    assert len(store._layers.of(welcome.journey_id)) == 2
    assert_same(store["welcome"].facts, jn.JourneyStats(store.get("welcome"), welcome_log).facts)
    assert store.check() == []
