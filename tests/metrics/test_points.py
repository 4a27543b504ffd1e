from __future__ import annotations

import polars as pl
import pytest
from metrics.build import a_journey, at, make_facts, make_scope

from journey_nb.metrics.definitions import explain, schema
from journey_nb.metrics.points import (
    branches,
    drops,
    points,
    reconciliation,
    waiting,
)
from journey_nb.stats import JourneyStats


def stay(
    point: str, arrived: float | None, left: float | None = None, outcome: str = "completed", **more: object
):
    """A visit, in minutes; a completed one leaves by the branch to the next point of E → A → W → X."""
    onward = (
        {"E": "A", "A": "W", "W": "X"}.get(point) if left is not None and outcome == "completed" else None
    )
    return {
        "point": point,
        "arrived_at": None if arrived is None else at(arrived),
        "left_at": None if left is None else at(left),
        "outcome": None if left is None else outcome,
        "branch": "default" if onward else None,
        "traversed": onward is not None,
        "known": onward is not None,
        "to_point": onward,
        **more,
    }


def counted(table: pl.DataFrame, point: str) -> dict[str, object]:
    row = table.row(by_predicate=pl.col("point_id") == point, named=True)
    return {name: value for name, value in row.items() if value and schema("points")[name] == pl.Int64}


def test_visits_are_counted_and_balance():
    scope = make_scope(
        runs=[
            {"entered_at": at(0)},
            {"entered_at": at(0), "left_at": at(9), "reason": "goal"},
            {"entered_at": at(0), "left_at": at(9), "reason": "cancel_event"},
            {"entered_at": at(0), "left_at": at(9), "reason": "token_invalid"},
        ],
        visits=[
            *(stay("E", 0, 1, run=run) for run in range(4)),
            stay("A", 1, 3, skip_at=at(2)),
            stay("W", 3, 5, to_point="A"),
            stay("A", 5),
            stay("A", 1, 9, "exited", run=1, skip_at=at(2)),
            stay("A", 1, 9, "exited", run=2),
            stay("A", 1, 9, "dropped", run=3),
        ],
    )
    table = points(scope)
    assert table.schema == schema("points")
    assert table["point_id"].to_list() == ["E", "A", "W", "X"]
    assert counted(table, "A") == {
        "entered": 5,
        "completed": 1,
        "waiting": 1,
        "exited": 2,
        "dropped": 1,
        "skipped": 1,
        "exits_goal": 1,
        "exits_cancel": 1,
    }
    assert counted(table, "E") == {"entered": 4, "completed": 4}
    assert set(reconciliation(scope)["gap"]) == {0}


def test_states_before_the_period_and_on_the_cohort_clock():
    visits = [stay("E", 0, 1), stay("A", 1, 60), stay("W", 60), stay("A", None, 70, run=1)]
    rows = {"runs": [{"entered_at": at(0)}, {"truncated": True}], "visits": visits}
    table = points(make_scope(**rows, start=at(30)))
    assert counted(table, "A") == {"waiting_before": 2, "completed": 2}
    assert counted(table, "W") == {"entered": 1, "waiting": 1}
    table = points(make_scope(**rows, clock="cohort", end=at(10)))
    assert counted(table, "A") == {"entered": 1, "completed": 1}
    table = points(make_scope(**rows, as_of=at(30)))
    assert counted(table, "A") == {"waiting_before": 1, "entered": 1, "waiting": 2}


def test_time_in_step_interpolates_between_ranks():
    visits = [stay("W", 0, minutes) for minutes in (1, 2, 3, 4)]
    visits += [stay("W", 0, 50, "exited"), stay("W", None, 50), stay("W", 0)]
    row = points(make_scope(runs=[{"entered_at": at(0)}], visits=visits)).row(2, named=True)
    assert (row["seconds_p50"], row["seconds_p90"]) == pytest.approx((150, 222))


def test_a_night_of_change_has_the_seconds_that_passed():
    # 23:00 to 03:30 local, the night the clocks go forward in Paris: 22:00 to 01:30 UTC.
    scope = make_scope(
        a_journey(timezone="Europe/Paris"),
        runs=[{"entered_at": at(0)}],
        visits=[stay("W", 82 * 1440 + 22 * 60, 83 * 1440 + 90)],
        end=at(days=90),
        as_of=at(days=90),
    )
    assert points(scope)["seconds_p50"].to_list()[2] == 12_600


def test_message_counts_are_null_off_message_points():
    messages = [{"sent_at": at(1), "unsubscribed_at": at(2)}, {"failed_at": at(1)}]
    table = points(make_scope(runs=[{"entered_at": at(0)}], messages=messages))
    assert table["sent"].to_list() == [None, 1, None, None]
    assert counted(table, "A") == {"sent": 1, "failed": 1, "unsubscribed": 1}


def test_where_a_run_stood_at_its_first_goal_and_what_gets_the_credit():
    goals = [
        {"at": at(5), "here": "W", "credit": "indirect", "credit_point": "A", "credit_message": 0},
        {"at": at(6), "here": "A", "goal": "join", "credit": "indirect", "credit_point": "A"},
        {"run": 1, "at": at(7), "here": "A"},
        {"run": 2, "at": at(1), "goal": "join"},
        {"run": 2, "at": at(7), "here": "A"},
    ]
    runs = [{"entered_at": at(0)}, {"entered_at": at(6), "user": 0, "run_no": 2}, {"entered_at": at(0)}]
    scope = make_scope(runs=runs, goals=goals)
    table = points(scope)
    assert counted(table, "W") == {"goal_here": 1}
    assert counted(table, "A") == {"goal_here": 1, "goal_users": 1}
    credit = reconciliation(scope).row(by_predicate=pl.col("check") == "credit", named=True)
    assert (credit["left"], credit["right"]) == (2, 2)


def test_two_branches_to_one_point_are_told_apart():
    document = a_journey().model_dump(exclude_none=True)["versions"][0]
    split = {"point_id": "S", "type": "split_abn", "title": "Split"}
    variants = [
        {"source": "S", "key": f"variant:{name}", "target": "A", "label": name, "share": 50} for name in "AB"
    ]
    version = {
        **document,
        "points": [*document["points"], split],
        "branches": [{"source": "E", "target": "S"}, *variants, *document["branches"][1:]],
    }
    taken = [
        stay("S", 0, 1, branch=f"variant:{name}", to_point="A", traversed=True, known=True) for name in "AAB"
    ]
    unknown = stay("S", 0, 1, traversed=True)
    ended = stay("A", 0, 1, traversed=False, known=False)
    table = branches(make_scope(a_journey(versions=[version]), visits=[*taken, unknown, ended], runs=[{}]))
    assert table.schema == schema("branches")
    assert table.rows() == [
        ("E", "default", "S", None, 0, 0, None),
        ("S", "variant:A", "A", "A", 2, 1, pytest.approx(2 / 3)),
        ("S", "variant:B", "A", "B", 1, 1, pytest.approx(1 / 3)),
        ("A", "default", "W", None, 0, 0, None),
        ("W", "default", "X", None, 0, 0, None),
        ("S", None, None, "unknown", 1, 1, None),
    ]


def two_versions():
    first = a_journey().model_dump(exclude_none=True)["versions"][0]
    kept = [point for point in first["points"] if point["point_id"] != "W"]
    ways = [{"source": "E", "target": "A"}, {"source": "A", "target": "X"}]
    return a_journey(versions=[first, {**first, "version": 2, "points": kept, "branches": ways}])


def test_the_newest_version_is_shown_and_all_are_counted_unless_one_is_asked_for():
    visits = [stay("A", 0, 1), stay("W", 1, 2), stay("A", 0, 1, to_point="X", version=2, left_version=2)]
    rows = {"runs": [{"entered_at": at(0)}], "visits": visits}
    table = points(make_scope(two_versions(), **rows))
    assert table.select("point_id", "completed").rows() == [("E", 0), ("A", 2), ("X", 0), ("W", 1)]
    assert branches(make_scope(two_versions(), **rows)).select("source", "target", "runs").rows() == [
        ("E", "A", 0),
        ("A", "X", 2),
        ("W", "X", 1),
    ]
    one = make_scope(two_versions(), **rows, version=1)
    assert points(one).select("point_id", "completed").rows() == [("E", 0), ("A", 1), ("W", 1), ("X", 0)]
    assert branches(one).select("target", "runs").rows() == [("A", 0), ("W", 1), ("X", 1)]
    two = make_scope(two_versions(), **rows, version=2)
    assert points(two).select("point_id", "completed").rows() == [("E", 0), ("A", 1), ("X", 0)]


def test_waiting_by_cause_since_the_last_wait_else_the_arrival():
    scope = make_scope(
        runs=[{"entered_at": at(0)}] * 4,
        visits=[stay("W", 1), stay("W", 2, run=1), stay("W", 3, run=2), stay("W", 3, 4, run=3)],
        waits=[
            {"run": 0, "visit": 0, "point": "W", "at": at(1), "cause": "delay", "due_at": at(5)},
            {"run": 0, "visit": 0, "point": "W", "at": at(7), "cause": "silent_hours", "due_at": at(9)},
            {"run": 1, "visit": 1, "point": "W", "at": at(6), "cause": "silent_hours", "due_at": at(8)},
            {"run": 3, "visit": 3, "point": "W", "at": at(3), "cause": "delay"},
        ],
    )
    table = waiting(scope)
    assert table.schema == schema("waiting", scope.timezone)
    assert table.rows() == [
        ("W", "Wait", "delay", "silent_hours", 2, 2, at(6), at(8)),
        ("W", "Wait", "delay", None, 1, 1, at(3), None),
    ]
    earlier = waiting(make_scope(facts=scope.facts, as_of=at(2)))
    assert earlier.select("cause", "runs", "oldest_since").rows() == [("delay", 1, at(1)), (None, 1, at(2))]


@pytest.mark.parametrize(("end", "stands"), [(29, "A"), (30, "A"), (31, "W")])
def test_who_stands_at_the_end_of_a_period_waits_there(end: int, stands: str):
    rows = {"runs": [{"entered_at": at(0)}], "visits": [stay("A", 1, 30), stay("W", 30)]}
    scope = make_scope(**rows, end=at(end))
    assert points(scope).filter(pl.col("waiting") > 0)["point_id"].to_list() == [stands]
    assert waiting(scope).select("point_id", "runs").rows() == [(stands, 1)]


def test_drops_have_two_grains():
    scope = make_scope(
        runs=[
            {"entered_at": at(0), "left_at": at(5), "reason": "token_invalid", "exit_point": "A"},
            {"entered_at": at(0), "left_at": at(5), "reason": "user_not_found", "exit_point": "E"},
            {"entered_at": at(0), "left_at": at(5), "reason": "goal", "exit_point": "W"},
        ],
        messages=[
            {"failed_at": at(1), "fail_reason": "token_invalid"},
            {"sent_at": at(1), "bounced_at": at(2), "bounce_reason": "token_invalid"},
            {"skipped_at": at(1), "skip_reason": "opted_out"},
        ],
    )
    table = drops(scope)
    assert table.schema == schema("drops")
    assert table.rows() == [
        ("E", "Entry", "run", "internal_error", "user_not_found", 1),
        ("A", "Push", "run", "send_error", "token_invalid", 1),
        ("A", "Push", "message", "send_error", "token_invalid", 2),
        ("A", "Push", "message", "skipped", "opted_out", 1),
    ]
    assert drops(scope, point_id="A").height == 3
    assert drops(scope, point_id="X").is_empty()
    with pytest.raises(KeyError, match="has no point 'AA'"):
        drops(scope, point_id="AA")


def test_what_does_not_add_up_is_a_number():
    runs = [{"entered_at": at(0)}]
    lost = make_scope(
        runs=runs, visits=[stay("E", 0, 1, traversed=True, known=False, to_point=None), stay("A", 1)]
    )
    table = reconciliation(lost)
    assert table.schema == schema("reconciliation")
    gaps = table.filter(pl.col("gap") != 0)
    assert gaps.rows() == [("A", "arrivals", 1, 0, 1)]
    twice = make_scope(runs=[{"entered_at": at(0), "inside": False}], visits=[])
    assert reconciliation(twice).row(0) == (None, "runs", 1, 0, 1)


def test_beside_another_period_an_old_branch_that_nobody_takes_any_more_has_a_share_of_none():
    first = a_journey().model_dump(exclude_none=True)["versions"][0]
    ways = [*first["branches"], {"source": "A", "key": "opened", "target": "X"}]
    journey = a_journey(versions=[{**first, "branches": ways}, {**first, "version": 2}])
    yesterday = stay("A", 1, 2, branch="opened", to_point="X")
    today = stay("A", 1500, 1501, version=2, left_version=2)
    facts = make_facts(journey, runs=[{"entered_at": at(0)}], visits=[yesterday, today])
    compared = JourneyStats(journey, facts).between(at(days=1), at(days=2)).compare()
    columns = ["branch", "runs", "share", "runs_prev", "share_prev"]
    assert compared.branches().filter(source="A").select(columns).rows() == [
        ("default", 1, 1.0, 0, 0.0),
        ("opened", 0, 0.0, 1, 1.0),
    ]


def test_of_one_version_an_exit_and_a_goal_are_of_the_version_of_the_runs_entry_and_explain_says_so():
    run = {"entered_at": at(0), "left_at": at(3), "reason": "device_not_found", "exit_point": "A"}
    visits = [stay("A", 1, 3, "dropped", version=2, left_version=2)]
    goals = [{"at": at(2), "here": "A"}]
    scopes = [make_scope(two_versions(), runs=[run], visits=visits, goals=goals, version=n) for n in (1, 2)]
    here = [points(scope).filter(point_id="A")["goal_here"].item() for scope in scopes]
    stood = [points(scope).filter(point_id="A")["dropped"].item() for scope in scopes]
    left = [drops(scope)["count"].sum() for scope in scopes]
    assert (here, left, stood) == ([1, 0], [1, 0], [0, 1])
    for name in ("points.goal_here", "points.goal_users", "drops.count"):
        assert "by the version on which the run entered" in str(explain(name))


def test_of_a_user_who_reached_a_goal_on_two_versions_the_first_is_credited_whichever_is_drawn():
    runs = [{"entered_at": at(0)}, {"entered_at": at(0), "user": 0, "run_no": 2, "version": 2}]
    goals = [{"run": n, "at": at(2 + n), "credit": "indirect", "credit_point": "A"} for n in (0, 1)]
    scopes = [make_scope(two_versions(), runs=runs, goals=goals, version=n) for n in (None, 1, 2)]
    assert [points(scope)["goal_users"].sum() for scope in scopes] == [1, 1, 0]
