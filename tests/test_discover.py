"""A journey discovered from activities: its graph, its shares, and that every number adds up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_nb.discover import DISCOVERED, END, OTHER, START
from journey_nb.events import COLUMNS, EventLog, LogError
from journey_nb.journey import Journey
from journey_nb.stats import JourneyStats

Steps = list[tuple[str | None, str | None, int | None]]


def log_of(steps: Steps, **options: Any) -> EventLog:
    frame = pl.DataFrame(steps, schema={"who": pl.String, "what": pl.String, "at": pl.Int64}, orient="row")
    return EventLog.from_activities(frame, user="who", activity="what", time="at", time_unit="s", **options)


def moves_of(runs: dict[str, list[str]]) -> Counter[tuple[str, str]]:
    return Counter(move for path in runs.values() for move in pairwise([START, *path, END]))


def steps_of(runs: dict[str, list[str]]) -> Steps:
    return [(who, what, at) for who, path in runs.items() for at, what in enumerate(path)]


def branches(journey: Journey) -> dict[tuple[str, str], float | None]:
    return {(branch.source, branch.target): branch.share for branch in journey.version().branches}


RUNS = {
    **{f"a{i}": ["look", "buy"] for i in range(60)},
    **{f"b{i}": ["look", "look", "leave"] for i in range(39)},
    "c": ["look", "help", "buy"],
}


def test_the_graph_has_start_end_and_shares() -> None:
    journey = Journey.discover(log_of(steps_of(RUNS)), min_share=0)
    assert journey.journey_id == DISCOVERED
    assert journey.origin == "discovered"
    assert [point.point_id for point in journey.version().points] == [
        START,
        "look",
        "help",
        "buy",
        "leave",
        END,
    ]
    assert [point.type for point in journey.version().points] == ["activity"] * 5 + ["exit"]
    assert [point.label for point in journey.version().points][::5] == ["Start", "End"]
    assert branches(journey) == {
        (START, "look"): 100.0,
        ("look", "buy"): 43.16,
        ("look", "leave"): 28.06,
        ("look", "look"): 28.06,
        ("look", "help"): 0.72,
        ("help", "buy"): 100.0,
        ("buy", END): 100.0,
        ("leave", END): 100.0,
    }
    assert all(branch.key == branch.target for branch in journey.version().branches)


def test_rare_branches_go_by_other() -> None:
    journey = Journey.discover(log_of(steps_of(RUNS)), min_share=0.05, title="Shop", timezone="Europe/Paris")
    found = branches(journey)
    assert found["look", OTHER] == 0.72
    assert found[OTHER, "help"] == 100.0
    assert ("look", "help") not in found
    assert (journey.title, journey.timezone) == ("Shop", "Europe/Paris")
    assert Journey.from_json(journey.to_json()) == journey


def test_a_points_most_frequent_branch_always_stays() -> None:
    runs = {str(i): ["hub", f"to {i}"] for i in range(30)}
    journey = Journey.discover(log_of(steps_of(runs)), min_share=0.5)
    assert [branch.target for branch in journey.version().outgoing("hub")] == ["to 0", OTHER]
    assert len(journey.version().outgoing(OTHER)) == 29


@pytest.mark.parametrize("min_share", [-0.1, 1, 5])
def test_a_cut_off_is_a_part_of_one(min_share: float) -> None:
    with pytest.raises(ValueError, match=r"give a part of 1, such as 0\.05"):
        Journey.discover(log_of(steps_of(RUNS)), min_share=min_share)


def test_what_is_no_activity_log_is_refused() -> None:
    with pytest.raises(LogError, match="from_activities"):
        Journey.discover([1, 2])  # type: ignore[arg-type]
    with pytest.raises(LogError, match="holds no activities; it has no row"):
        Journey.discover(log_of([]))
    with pytest.raises(LogError, match=r"an activity is called '\(end\)'"):
        log_of([("a", END, 1)])
    with pytest.raises(LogError, match="no column 'lief' for lifecycle; did you mean 'life'"):
        EventLog.from_activities(LIFE, user="who", activity="what", time="at", lifecycle="lief")
    with pytest.raises(LogError, match="no column 'waht' for 'point_id'; did you mean 'what'"):
        EventLog.from_activities(
            pl.DataFrame({"who": ["a"], "what": ["b"], "at": [1]}), user="who", activity="waht", time="at"
        )


def test_a_log_of_which_nothing_is_usable_says_why() -> None:
    why = r"0 of 3 rows usable, because: missing 2 \(no user_id \(who\)\), bad_time 1 \(occurred_at \(at\) '1/5'\)"
    frame = pl.DataFrame(
        {"who": [None, None, "a"], "what": ["b"] * 3, "at": ["2024-05-01", "2024-05-01", "1/5"]}
    )
    log = EventLog.from_activities(frame, user="who", activity="what", time="at")
    with pytest.raises(LogError, match=why):
        Journey.discover(log)


def test_days_before_months_are_read_when_it_is_told() -> None:
    frame = pl.DataFrame({"who": ["a", "a"], "what": ["look", "buy"], "at": ["01/05/2024", "13/05/2024"]})
    log = EventLog.from_activities(frame, user="who", activity="what", time="at", time_format="%d/%m/%Y")
    assert log.judge().quarantined.is_empty()
    unread = EventLog.from_activities(frame, user="who", activity="what", time="at").report()
    assert any("say time_format=" in warning for warning in unread.warnings)


def test_a_run_as_events() -> None:
    rows = log_of([("u", "look", 10), ("u", "buy", 30)]).judge().rows
    assert rows.columns == [*COLUMNS, "row"]
    told = rows.select(
        pl.col("occurred_at").dt.epoch("s"), "kind", "point_id", "branch", "reason", "seq"
    ).rows()
    assert told == [
        (10, "run.entered", START, None, None, 0),
        (10, "point.completed", START, "look", None, 1),
        (10, "point.entered", "look", None, None, 4),
        (30, "point.completed", "look", "buy", None, 5),
        (30, "point.entered", "buy", None, None, 8),
        (30, "point.completed", "buy", END, None, 9),
        (30, "point.entered", END, None, None, 12),
        (30, "run.exited", END, None, "completed", 13),
    ]
    look, buy = rows["event_id"][0].removesuffix(":0"), rows["event_id"][4].removesuffix(":2")
    assert [look, buy] == ["u\x1flook\x1f10000000\x1f0", "u\x1fbuy\x1f30000000\x1f0"]
    assert rows["event_id"].to_list() == [
        *(f"{look}:{n}" for n in range(4)), *(f"{buy}:{n}" for n in range(2, 6)),
    ]  # fmt: skip
    assert rows["run_id"].unique().to_list() == ["u"]


def test_rows_without_user_activity_or_time_are_told_not_guessed() -> None:
    log = log_of([("u", "look", 1), (None, "look", 2), ("u", None, 3), ("u", "buy", None), ("v", "look", 5)])
    bad = log.judge().quarantined
    assert bad.select("row", "rule", "detail").rows() == [
        (1, "missing", "no user_id (who)"),
        (2, "missing", "no point_id (what)"),
        (3, "missing", "no occurred_at (at)"),
    ]
    report = log.report(Journey.discover(log))
    assert (report.read, report.loaded, report.duplicates, report.quarantined) == (5, 2, 0, 3)
    assert report.warnings == ("2 activities of 2 users in 2 runs",)
    faults = log.frame.filter(pl.col("fault").is_not_null()).select("fault", "fault_detail").collect()
    assert faults.rows()[0] == ("missing", "no user_id (who)")


def test_equal_times_keep_the_order_of_the_source() -> None:
    log = log_of([("u", "b", 1), ("u", "a", 1), ("u", "c", 0), ("u", "b", 1)])
    entered = log.judge().rows.filter(kind="point.entered")
    assert entered["point_id"].to_list() == ["c", "b", "a", "b", END]


def test_only_named_columns_are_read() -> None:
    frame = pl.DataFrame(
        {"who": ["a"], "what": ["look"], "at": [1], "reason": ["x"], "version": [7], "kind": ["y"]}
    )
    log = EventLog.from_activities(frame, user="who", activity="what", time="at", time_unit="s")
    assert log.judge().rows["version"].unique().to_list() == [1]


def test_sessions_are_runs_and_their_ids_may_be_shared_by_users() -> None:
    frame = pl.DataFrame({"u": ["a", "a", "b"], "s": [1, 2, 1], "e": ["x", "x", "x"], "t": [1, 2, 3]})
    columns = {"user": "u", "activity": "e", "time": "t", "session": "s", "time_unit": "s"}
    rows = EventLog.from_activities(frame, **columns).judge().rows  # type: ignore[arg-type]
    assert rows["run_id"].unique(maintain_order=True).to_list() == ["a/1", "a/2", "b/1"]
    rows = EventLog.from_activities(frame[:2], **columns).judge().rows  # type: ignore[arg-type]
    assert rows["run_id"].unique(maintain_order=True).to_list() == ["1", "2"]
    paths = frame.with_columns(u=pl.Series(["a/b", "a", "b"]), s=pl.Series(["c", "b/c", "c"]))
    runs = EventLog.from_activities(paths, **columns).judge().rows  # type: ignore[arg-type]
    assert runs.select("user_id", "run_id").n_unique() == runs["run_id"].n_unique() == 3


def test_an_event_loaded_twice_counts_once() -> None:
    frame = pl.DataFrame(
        {"u": ["a"] * 4, "e": ["x", "x", "y", "z"], "t": [1, 1, 2, 2], "id": ["1", "1", "2", "2"]}
    )
    log = EventLog.from_activities(frame, user="u", activity="e", time="t", event_id="id", time_unit="s")
    report = log.report()
    assert (report.read, report.loaded, report.duplicates, report.quarantined) == (4, 2, 1, 1)
    assert report.frame["rule"].to_list() == ["conflict"]
    judged = log.judge(Journey.discover(log))
    assert judged.read == judged.rows.height + judged.duplicates + judged.quarantined.height


LIFE = pl.DataFrame(
    [
        ("u", "wash", "START", 0, 1),
        ("u", "wash", "complete", 10, 1),
        ("u", "dry", "start", 12, 2),
        ("u", "dry", "complete", 30, 2),
        ("u", "wash", "start", 20, 3),  # begins while drying goes on
        ("u", "fold", "complete", 40, 4),  # no begin
        ("u", "iron", "start", 50, 5),  # no end
        ("u", "iron", "pause", 60, 5),
    ],
    schema=["who", "what", "life", "at", "id"],
    orient="row",
)


@pytest.mark.parametrize("instance", ["id", None])
def test_begin_and_end_give_the_time_in_step(instance: str | None) -> None:
    log = EventLog.from_activities(
        LIFE, user="who", activity="what", time="at", lifecycle="life", instance=instance, time_unit="s"
    )
    journey = Journey.discover(log)
    visits = JourneyStats(journey, log).facts.visits.sort("visit")
    spans = visits.select("point", pl.col("arrived_at", "left_at").dt.epoch("s")).rows()
    assert [span for span in spans if span[0] not in (START, END)] == [
        ("wash", 0, 10),
        ("dry", 12, 20),
        ("wash", 20, 40),
        ("fold", 40, 40),
        ("iron", 50, 50),
    ]
    report = log.report(journey)
    assert "1 activities were still under way when the next began: they end there" in report.warnings
    assert report.frame.rows() == [("unknown_kind", 1, "kind 'pause'")]


def test_a_log_that_does_not_fit_the_journey_is_told() -> None:
    journey = Journey.discover(log_of([("a", "look", 1)]))
    log = log_of([("a", "look", 1), ("a", "buy", 2)])
    assert log.judge(journey).quarantined["rule"].to_list() == [
        "unknown_branch",
        "unknown_point",
        "unknown_point",
    ]
    assert "3 events do not fit the journey: discover it from this log" in log.report(journey).warnings


PATHS = st.dictionaries(
    st.text("abcdefgh", min_size=1),
    st.lists(st.sampled_from("vwxyz"), min_size=1, max_size=8),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25)
@given(PATHS, st.sampled_from([0, 0.1, 0.3, 0.6, 0.99]))
def test_at_every_point_the_numbers_add_up(runs: dict[str, list[str]], min_share: float) -> None:
    log = log_of(steps_of(runs))
    journey = Journey.discover(log, min_share=min_share)
    stats = JourneyStats(journey, log)
    assert stats.facts.quarantined.is_empty()

    moves = moves_of(runs)
    drawn = branches(journey)
    expected: Counter[tuple[str, str]] = Counter()
    for (source, target), count in moves.items():
        if (source, target) in drawn:
            expected[source, target] += count
        else:
            expected[source, OTHER] += count
            expected[OTHER, target] += count
    counted = {(row["source"], row["target"]): row["runs"] for row in stats.branches().to_dicts()}
    assert counted == dict(expected)

    into, out = Counter[str](), Counter[str]()
    for (source, target), count in expected.items():
        into[target] += count
        out[source] += count
    into[START] = out[END] = len(runs)
    points = {row["point_id"]: row for row in stats.points().to_dicts()}
    assert {point: row["entered"] for point, row in points.items()} == dict(into)
    assert {point: row["completed"] for point, row in points.items()} == dict(out)
    for point, total in out.items():
        shares = [share for (source, _), share in drawn.items() if source == point]
        if shares:
            assert round(sum(share or 0 for share in shares), 6) == 100
        for (source, target), share in drawn.items():
            if source == point:
                assert abs(100 * expected[source, target] / total - (share or 0)) < 0.01
    assert stats.audience()["completed"].item() == len(runs)


def test_times_are_those_of_the_source() -> None:
    frame = pl.DataFrame({"u": ["a"], "e": ["x"], "t": ["2024-05-01T12:00:00+02:00"]})
    rows = EventLog.from_activities(frame, user="u", activity="e", time="t").judge().rows
    assert rows["occurred_at"].unique().to_list() == [datetime(2024, 5, 1, 10, tzinfo=UTC)]


def test_activities_that_are_paths_are_told_apart() -> None:
    log = log_of([("a/b", "c", 10), ("a", "b/c", 10)])
    assert log.judge().quarantined.is_empty()
    assert log.judge().rows["event_id"].n_unique() == log.judge().rows.height
