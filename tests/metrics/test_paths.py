from __future__ import annotations

from typing import Any

import polars as pl
from compare import frame_of
from metrics.build import a_journey, at, make_scope

from journey_nb.metrics.paths import MARKS, beginning, nearest, paths, user_path
from journey_nb.metrics.scope import TICK, Scope
from journey_nb.stats import JourneyStats


def stay(
    run: int, point: str, arrived: float | None, left: float | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "run": run, "point": point, "arrived_at": None if arrived is None else at(arrived),
        "left_at": None if left is None else at(left), "outcome": None if left is None else "completed",
        "branch": None if left is None else "default", "traversed": left is not None, **more,
    }  # fmt: skip


def two_runs(**options: Any) -> Scope:
    """The first run of user 0 ends by an error at W, the second stands at A; user 1 entered once."""
    return make_scope(
        runs=[
            {"user": 0, "user_id": "anna", "entered_at": at(0), "left_at": at(9), "reason": "token_invalid"},
            {"user": 0, "user_id": "anna", "run_no": 2, "version": 2, "entered_at": at(20)},
            {"user": 1, "user_id": "bert", "entered_at": at(0)},
        ],
        visits=[
            stay(0, "E", 0, 0),
            stay(0, "A", 0, 2),
            stay(0, "W", 2, 9, outcome="dropped", branch=None, traversed=False),
            stay(1, "E", 20, 20),
            stay(1, "A", 20),
            stay(2, "E", 0),
        ],
        messages=[
            {"message_id": "m1", "run": 0, "sent_at": at(1)},
            {"message_id": "m2", "run": 1, "sent_at": at(21)},
        ],
        goals=[{"run": 0, "at": at(3), "here": "W", "goal": "join"}, {"run": 0, "at": at(8), "here": "W"}],
        events=[
            {
                "run": 0,
                "at": at(1),
                "order": 1 * 60_000_000,
                "kind": "message.sent",
                "point": "A",
                "message": 0,
            },
            {
                "run": 0,
                "at": at(4),
                "order": 4 * 60_000_000,
                "kind": "message.opened",
                "point": "A",
                "message": 0,
            },
            {
                "run": 1,
                "at": at(21),
                "order": 21 * 60_000_000,
                "kind": "message.sent",
                "point": "A",
                "message": 1,
            },
        ],
        devices=[{"run": 0, "user": 0, "device_id": "phone"}, {"run": 2, "user": 1, "device_id": "phone"}],
        **options,
    )


def test_a_user_s_runs_newest_first_step_by_step() -> None:
    table = user_path(two_runs(), "anna")
    assert table.columns == [
        *("run_id", "run_no", "status", "step_no", "point_id", "arrived_at", "left_at", "branch"),
        *("message_id", "outcome", "goal_id", "version"),
    ]
    seen = table.select(
        "run_id", "status", "step_no", "point_id", "message_id", "outcome", "goal_id", "version"
    )
    assert seen.rows() == [
        ("r1", "in_progress", 1, "E", None, "completed", None, 2),
        ("r1", "in_progress", 2, "A", "m2", "in_progress", None, 2),
        ("r0", "dropped", 1, "E", None, "completed", None, 1),
        ("r0", "dropped", 2, "A", "m1", "completed", None, 1),
        ("r0", "dropped", 3, "W", None, "dropped", "join", 1),
    ]
    assert set(table["outcome"]) <= set(MARKS)
    assert table["arrived_at"].dtype == pl.Datetime("us", "UTC")


def test_the_period_does_not_cut_a_path_but_as_of_does() -> None:
    later = user_path(two_runs(start=at(30), end=at(40), clock="cohort"), "anna")
    assert later.equals(user_path(two_runs(), "anna"))
    unseen = user_path(two_runs(as_of=at(9) - TICK), "anna")
    assert unseen.select("run_id", "status", "point_id", "outcome").rows()[-1] == (
        "r0",
        "in_progress",
        "W",
        "in_progress",
    )
    assert unseen["run_id"].unique().to_list() == ["r0"]


def test_a_device_finds_the_runs_that_carry_it() -> None:
    assert user_path(two_runs(), "phone")["run_id"].unique(maintain_order=True).to_list() == ["r2", "r0"]


def test_times_are_in_the_journey_s_zone() -> None:
    scope = make_scope(
        a_journey(timezone="Europe/Paris"), runs=[{"entered_at": at(0)}], visits=[stay(0, "E", 0)]
    )
    arrived = user_path(scope, "u0")["arrived_at"]
    assert arrived.dtype == pl.Datetime("us", "Europe/Paris")
    assert arrived[0] == at(0)


def test_a_second_stay_at_a_point_has_its_own_message() -> None:
    scope = make_scope(
        runs=[{"entered_at": at(0)}],
        visits=[stay(0, "A", None, 2), stay(0, "W", 2, 5), stay(0, "A", 5)],
        messages=[{"message_id": "m0", "sent_at": at(1)}, {"message_id": "m1", "sent_at": at(5)}],
        events=[
            {
                "run": 0,
                "at": at(1),
                "order": 1 * 60_000_000,
                "kind": "message.sent",
                "point": "A",
                "message": 0,
            },
            {
                "run": 0,
                "at": at(5),
                "order": 5 * 60_000_000,
                "kind": "message.sent",
                "point": "A",
                "message": 1,
            },
            {
                "run": 0,
                "at": at(6),
                "order": 6 * 60_000_000,
                "kind": "message.opened",
                "point": "A",
                "message": 0,
            },
        ],
    )
    assert user_path(scope, "u0")["message_id"].to_list() == ["m0", None, "m1"]


def test_a_run_known_only_by_a_message_is_a_row_without_a_step() -> None:
    scope = make_scope(runs=[{"inside": False, "first_at": at(1), "last_at": at(1)}])
    row = user_path(scope, "u0").row(0, named=True)
    assert (row["run_id"], row["step_no"], row["point_id"], row["outcome"]) == ("r0", None, None, None)


def test_who_is_not_here_has_no_path_but_near_ids() -> None:
    scope = two_runs()
    assert user_path(scope, "ana").height == 0
    assert nearest(scope, "ana") == ["anna"]
    assert nearest(scope, "PHONE1") == ["phone"]
    assert nearest(scope, "zzz") == nearest(scope, "") == []
    assert nearest(make_scope(), "anna") == []


def test_paths_most_taken_first() -> None:
    runs = [
        {"entered_at": at(0)},
        {"entered_at": at(0)},
        {"entered_at": at(0), "user": 1, "run_no": 2},
        {"entered_at": at(50)},
    ]
    visits = [
        *(stay(0, "E", 0, 0), stay(0, "A", 0)),
        *(stay(1, "E", 0, 0), stay(1, "A", 0, 1), stay(1, "W", 1, 2), stay(1, "A", 2, 3), stay(1, "W", 3)),
        *(stay(2, "E", 0, 0), stay(2, "A", 0, 1), stay(2, "W", 1)),
        stay(3, "E", 50),
    ]
    goals = [{"run": 1, "at": at(4)}, {"run": 1, "at": at(5), "goal": "join"}]
    scope = make_scope(runs=runs, visits=visits, goals=goals, end=at(40))
    table = paths(scope)
    assert table.columns == ["path", "runs", "users", "share", "converted", "rate"]
    assert table.rows() == [(["E", "A", "W"], 2, 1, 2 / 3, 1, 0.5), (["E", "A"], 1, 1, 1 / 3, 0, 0)]
    assert paths(scope, top=1).height == 1
    every = paths(scope, collapse_loops=False)
    assert every["path"].to_list() == [["E", "A"], ["E", "A", "W"], ["E", "A", "W", "A", "W"]]
    assert every["share"].sum() == 1
    assert paths(make_scope()).height == 0


def test_paths_go_as_far_as_the_clock_sees() -> None:
    rows: dict[str, Any] = {
        "runs": [{"entered_at": at(0)}],
        "visits": [stay(0, "E", 0, 9), stay(0, "A", 9)],
        "goals": [{"at": at(9)}],
    }
    assert paths(make_scope(**rows, end=at(9))).select("path", "converted").rows() == [(["E"], 0)]
    assert paths(make_scope(**rows, end=at(9), clock="cohort")).select("path", "converted").rows() == [
        (["E", "A"], 1)
    ]


def test_ids_that_begin_so_are_offered_in_their_order() -> None:
    runs = [{"user": n, "user_id": f"{'ab'[n % 2]}{n:02}", "entered_at": at(n)} for n in range(20)]
    runs.append({"user": 0, "user_id": "a00", "run_no": 2, "entered_at": at(30)})
    devices = [{"run": n, "user": n, "device_id": f"a-phone-{n}"} for n in range(3)]
    scope = make_scope(runs=runs, devices=devices)
    assert beginning(scope, "a0") == ["a00", "a02", "a04", "a06", "a08"]
    assert beginning(scope, "a", limit=4) == ["a-phone-0", "a-phone-1", "a-phone-2", "a00"]
    assert beginning(scope, "A") == beginning(scope, "a00x") == []
    assert len(beginning(scope, "")) == 8
    assert beginning(make_scope(runs=runs, as_of=at(3)), "") == ["a00", "a02", "b01", "b03"]
    kept = pl.Series([n == 4 for n in range(21)])
    assert beginning(make_scope(runs=runs, devices=devices, keep=kept), "") == ["a04"]


def test_what_became_of_a_message_stands_at_the_step_that_sent_it_also_where_another_run_tells_of_it() -> (
    None
):
    """Not at one of a run before it, whose rows come first in the reading order."""
    told = [("r1", "run.entered", "E", 0), ("r1", "point.entered", "W", 1), ("r1", "point.entered", "A", 2),
            ("r2", "run.entered", "E", 10), ("r2", "point.entered", "A", 11), ("r2", "message.sent", "A", 12),
            ("r1", "message.delivered", "A", 13)]  # fmt: skip
    rows = [
        {"event_id": f"e{number}", "occurred_at": at(minutes), "kind": kind, "user_id": "anna", "journey_id": "j",
         "version": 1, "run_id": run, "point_id": point, "channel": "push", "message_id": "m" if "mess" in kind else None}
        for number, (run, kind, point, minutes) in enumerate(told)
    ]  # fmt: skip
    events = JourneyStats(a_journey(), frame_of(rows)).user_events("anna")
    assert events.select("run_id", "step_no", "kind").rows() == [
        ("r2", 2, "message.sent"),
        ("r2", 2, "message.delivered"),
    ]
