"""The reading order and its rules, where generated logs seldom lead."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Goal, Journey
from journey_nb.walk import _latest_that_holds, _left_later

JOURNEY = Journey.model_validate(
    {
        "journey_id": "j",
        "versions": [
            {
                "version": 1,
                "points": [
                    {"point_id": "M", "type": "entry_api"},
                    {"point_id": "A", "type": "delay"},
                    {"point_id": "B", "type": "wait_for_trigger"},
                    {"point_id": "W", "type": "delay"},
                    {"point_id": "Y", "type": "delay"},
                    {"point_id": "Z", "type": "exit"},
                ],
                "branches": [
                    {"source": "M", "target": "A"},
                    {"source": "A", "target": "M"},
                    {"source": "B", "key": "not_triggered", "target": "M"},
                    {"source": "B", "key": "triggered_1", "target": "Y"},
                    {"source": "Y", "target": "W"},
                ],
            }
        ],
    }
)


def log_of(*rows: tuple[int, str, str | None, str | None]) -> pl.DataFrame:
    """Rows as (minute, kind, point, run) of one user; those of messages are of one message."""
    return pl.DataFrame(
        [
            {
                "event_id": f"{n:02}",
                "occurred_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
                "kind": kind,
                "user_id": "u",
                "journey_id": "j",
                "version": 1,
                "run_id": run,
                "point_id": point,
                "reason": "completed" if kind == "run.exited" else None,
                "goal_id": "buy" if kind == "goal.reached" else None,
                "message_id": "m" if kind.startswith("message") else None,
                "channel": "push" if kind.startswith("message") else None,
            }
            for n, (minute, kind, point, run) in enumerate(rows)
        ],
        infer_schema_length=None,
    )


def folded(*rows: tuple[int, str, str, str | None]) -> Folded:
    """Rows as (minute, kind, point, reason) of one run, without seq."""
    log = log_of(*((minute, kind, point, "r") for minute, kind, point, _ in rows))
    log = log.with_columns(reason=pl.Series([reason for *_, reason in rows], dtype=pl.String))
    return fold(JOURNEY, EventLog.from_frame(log).judge(JOURNEY))


def points(facts: Folded) -> list[str]:
    return facts.visits["point"].cast(pl.String).to_list()


def test_a_tie_with_the_entry_begins_there_though_the_alphabet_and_a_loop_say_otherwise() -> None:
    facts = folded((0, "point.entered", "A", None), (0, "run.entered", "M", None))
    assert facts.quarantined.is_empty()
    assert points(facts) == ["M", "A"]


def test_a_second_entry_does_not_say_where_the_run_stands() -> None:
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.entered", "A", None),
        (2, "run.entered", "Z", None),
        # From A the way is A, M; from Z, where nobody is, there is none, and rank would put the arrival first.
        (3, "point.entered", "M", None),
        (3, "point.completed", "A", None),
    )
    assert facts.quarantined["rule"].to_list() == ["second_entry"]
    assert points(facts) == ["M", "A", "M"]
    assert not facts.visits["derived"][1]


def test_a_second_entry_in_a_tie_does_not_say_where_the_way_begins() -> None:
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.entered", "Z", None),
        # From Z there is no way, and rank puts the arrival first; from M, entered again, it would be M, A.
        (2, "run.entered", "M", None),
        (2, "point.entered", "A", None),
        (2, "point.completed", "M", None),
    )
    assert facts.quarantined["rule"].to_list() == ["second_entry"]
    assert points(facts) == ["M", "Z", "A", "M"]


def test_a_second_entry_in_a_tie_does_not_move_the_run() -> None:
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.entered", "B", None),
        # The way is B, M; but nobody comes to M by being entered again, so the run stands at B.
        (2, "wait.started", "B", "trigger"),
        (2, "run.entered", "M", None),
        # From B the way is Y, W; from M there is none, and rank would put the arrival first.
        (3, "point.entered", "W", None),
        (3, "point.completed", "Y", None),
    )
    assert facts.quarantined["rule"].to_list() == ["second_entry"]
    assert points(facts) == ["M", "B", "Y", "W"]


def test_what_happens_where_a_run_stands_is_before_it_goes_whatever_points_are_called() -> None:
    for here, there in (("M", "A"), ("A", "M")):
        facts = folded(
            (0, "run.entered", here, None),
            (1, "point.completed", here, None),
            (1, "point.entered", there, None),
        )
        assert points(facts) == [here, there]
    # But where it comes back in the same instant, the way out may be first.
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.entered", "M", None),
        (1, "point.entered", "A", None),
        (1, "point.completed", "A", None),
    )
    assert points(facts) == ["M", "A", "M"]


WITH_GOAL = JOURNEY.model_copy(update={"goals": (Goal(goal_id="buy", conversion_days=0),)})


def told(log: pl.DataFrame) -> Folded:
    return fold(WITH_GOAL, EventLog.from_frame(log).judge(WITH_GOAL))


def test_a_goal_of_no_run_is_of_the_run_entered_last_not_of_one_that_was_under_way_before_the_log() -> None:
    facts = told(
        log_of(
            (0, "run.entered", "M", "r1"),
            (10, "point.completed", "A", "under way"),
            (20, "goal.reached", None, None),
        )
    )
    assert facts.runs.filter(run=facts.goals["run"].item())["run_id"].item() == "r1"


def instant(minute: int | None) -> datetime | None:
    return None if minute is None else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


def windows_of(rows: list[tuple[str, int, int | None]]) -> pl.DataFrame:
    """Runs as (user, minute of the entry, minute of the exit)."""
    time = pl.Datetime("us", "UTC")
    schema = {"user_id": pl.String, "run_id": pl.String, "entry": time, "left": time, "event_id": pl.String}
    told = [(user, f"r{n}", instant(at), instant(left), f"e{n}") for n, (user, at, left) in enumerate(rows)]
    return pl.DataFrame(told, schema, orient="row")


def goals_of(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """Goals as (user, minute, minutes of the window)."""
    schema = {"user_id": pl.String, "at": pl.Datetime("us", "UTC"), "length": pl.Duration("us")}
    told = [(user, instant(at), timedelta(minutes=length)) for user, at, length in rows]
    return pl.DataFrame(told, schema, orient="row").with_row_index("i")


@pytest.mark.parametrize("seed", range(20))
def test_a_goal_of_no_run_is_of_the_last_run_that_holds_it_of_all_tried_in_turn(seed: int) -> None:
    draw = random.Random(seed)
    runs = []
    for _ in range(draw.randrange(40)):
        entry = draw.randrange(60)
        left = None if draw.random() < 0.1 else entry + draw.randrange(1, draw.choice([5, 40]))
        runs.append((draw.choice("uvw"), entry, left))
    goals = [(draw.choice("uvwx"), draw.randrange(120), draw.choice([0, 1, 10])) for _ in range(40)]
    expected = {}
    for i, (user, at, length) in enumerate(goals):
        holding = [
            (entry, f"e{n}", f"r{n}")
            for n, (owner, entry, left) in enumerate(runs)
            if owner == user and entry <= at and (left is None or at <= left + length)
        ]
        if holding:
            expected[i] = max(holding)[2]
    found = _latest_that_holds(goals_of(goals), windows_of(runs))
    assert dict(found.rows()) == expected


def test_from_a_run_that_ended_in_time_one_step_leads_to_an_early_one_that_did_not() -> None:
    windows = windows_of([("u", 0, 9_000), *(("u", n, n + 1) for n in range(1, 50)), ("v", 0, 1)])
    windows = windows.with_columns(place=pl.int_range(pl.len()), first=pl.lit(0))
    assert _left_later(windows, pl.Series(["u"]))[1:50].to_list() == 49 * [0]


def test_a_source_without_runs_has_one_from_each_entry_of_a_user() -> None:
    log = log_of(
        (0, "point.completed", "A", None),  # under way before the log
        (1, "run.entered", "M", None),
        (2, "message.sent", "A", None),
        (3, "run.exited", "A", None),
        (5, "run.entered", "M", None),
        (6, "message.opened", "A", None),  # of the message of the run before
        (7, "point.entered", "A", None),
        (8, "goal.reached", None, None),
    ).drop("run_id")
    facts = told(log)
    first, second, third = facts.runs["run_id"]
    assert first == "derived:u"
    assert second, third == ("derived:u/2026-01-01T00:01:00.000000Z", "derived:u/2026-01-01T00:05:00.000000Z")
    assert facts.quarantined.is_empty()
    assert facts.runs.select("run_no", "truncated", "derived").rows() == [
        (1, True, True),
        (2, False, True),
        (3, False, True),
    ]
    assert facts.messages.select("run", pl.col("opened_at").is_not_null()).rows() == [(1, True)]
    assert facts.goals.select("run", "counts").rows() == [(2, True)]
    assert facts.events["run"].to_list() == [0, 1, 1, 1, 1, 2, 2, 2]
    # Rows that lack what others have are set aside, as ever.
    mixed = log.with_columns(run_id=pl.when(pl.col("event_id") == "01").then(pl.lit("r")))
    assert set(told(mixed).quarantined["rule"]) == {"missing", "unresolved_message"}


def test_a_foreign_reason_becomes_the_unknown_one_of_its_kind() -> None:
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.skipped", "M", "hard_bounce"),
        (2, "point.entered", "A", None),
    )
    assert facts.visits["skip_reason"].to_list() == ["skip_unknown", None]
