from __future__ import annotations

from dataclasses import replace

import pytest
from metrics.build import a_journey, at, make_scope

from journey_nb.metrics.audience import audience, users
from journey_nb.metrics.definitions import schema

RUNS = [
    {"first_at": at(days=-2), "truncated": True, "last_at": at(days=9)},
    {"entered_at": at(days=-1), "left_at": at(days=1), "reason": "completed", "exit_point": "X"},
    {"entered_at": at(days=1), "left_at": at(days=2), "reason": "cancel_event", "reason_detail": "quit", "exit_point": "W"},
    {"entered_at": at(days=2), "left_at": at(days=40), "reason": "token_invalid", "exit_point": "A", "user": 2, "run_no": 2},
    {"entered_at": at(days=3), "left_at": at(days=4), "reason": "user_not_found", "exit_point": "A", "device_id": "HW-4"},
    {"first_at": at(days=3), "inside": False, "truncated": True},
    {"entered_at": at(days=-9), "left_at": at(days=-8), "reason": "completed", "exit_point": "X"},
]  # fmt: skip
VISITS = [
    {"run": 3, "point": "E", "arrived_at": at(days=2), "left_at": at(1, days=2), "outcome": "completed"},
    {"run": 3, "point": "A", "arrived_at": at(1, days=2), "left_at": at(days=40), "outcome": "dropped"},
]


def scope(**options: object):
    failed = {"run": 3, "failed_at": at(days=3), "fail_reason": "token_invalid"}
    bounced = {"run": 3, "sent_at": at(days=3), "bounced_at": at(days=4)}
    return make_scope(
        runs=RUNS,
        visits=VISITS,
        messages=[failed, bounced],
        devices=[{"run": 4, "device_id": "HW-4"}, {"run": 1, "device_id": "second-phone"}],
        **options,
    )


def test_the_audience_balances():
    row = audience(scope())
    assert row.schema == schema("audience")
    assert row.row(0, named=True) == {
        "in_journey_before": 2,
        "entrances": 3,
        "unique_entrants": 2,
        "in_journey": 2,
        "in_journey_users": 2,
        "exits": 2,
        "completed": 1,
        "internal_errors": 1,
        "send_errors": 0,
        "failed_messages": 1,
    }


def test_the_cohort_clock_follows_the_entrants_of_the_period():
    row = audience(scope(clock="cohort")).row(0, named=True)
    assert (row["in_journey_before"], row["entrances"], row["in_journey"]) == (0, 3, 0)
    assert (row["exits"], row["send_errors"]) == (1, 1)


@pytest.mark.parametrize("clock", ["activity", "cohort"])
@pytest.mark.parametrize("as_of", [-20, -3, 0, 1.5, 10, 60])
@pytest.mark.parametrize("start", [-30, 0, 3, 50])
def test_it_balances_for_every_period_clock_and_instant(clock, as_of, start):
    row = audience(scope(clock=clock, start=at(days=start), end=at(days=start + 30), as_of=at(days=as_of)))
    one = row.row(0, named=True)
    left = one["exits"] + one["internal_errors"] + one["send_errors"]
    assert one["in_journey_before"] + one["entrances"] == left + one["in_journey"]


def test_users_are_the_runs_inside_at_any_time_with_their_last_step():
    table = users(scope())
    assert table.schema == schema("users", scope().timezone)
    columns = ["run_id", "status", "last_step", "last_point_id", "reason"]
    assert table.select(columns).rows() == [
        ("r0", "in_progress", None, None, None),
        ("r1", "completed", "Exit", "X", "completed"),
        ("r2", "exited", "Exited by cancel event: quit", "W", "cancel_event"),
        ("r3", "in_progress", "Entry", "E", None),
        ("r4", "dropped", "Push", "A", "user_not_found"),
    ]


def test_users_are_told_as_of_the_state_instant():
    events = [
        {"run": 3, "kind": "run.entered", "at": at(days=2)},
        {"run": 3, "kind": "goal.reached", "at": at(days=5)},
        {"run": 3, "kind": "run.exited", "at": at(days=40)},
    ]
    row = users(make_scope(runs=RUNS[:4], visits=VISITS, events=events)).row(-1, named=True)
    assert (row["updated_at"], row["left_at"]) == (at(days=5), None)
    row = users(make_scope(runs=RUNS[:4], visits=VISITS, events=events, clock="cohort")).row(-1, named=True)
    assert (row["updated_at"], row["left_at"], row["last_step"]) == (at(days=40), at(days=40), "Push")


def test_times_are_local():
    one = scope()
    table = users(replace(one, journey=a_journey(timezone="Asia/Seoul")))
    assert table.schema["entered_at"].time_zone == "Asia/Seoul"


@pytest.mark.parametrize(
    ("word", "found"), [("u2", ["r2", "r3"]), ("hw-4", ["r4"]), ("second", ["r1"]), (".*", [])]
)
def test_search_by_user_or_any_device_of_a_run(word, found):
    assert users(scope(), search=word)["run_id"].to_list() == found


def test_pages_make_up_the_whole_list():
    pages = [users(scope(), limit=2, offset=offset)["run_id"].to_list() for offset in (0, 2, 4, 6)]
    assert [run for page in pages for run in page] == users(scope())["run_id"].to_list()
