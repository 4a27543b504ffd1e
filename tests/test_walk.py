"""The reading order and its rules, where generated logs seldom lead."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Journey

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


def folded(*rows: tuple[int, str, str, str | None]) -> Folded:
    """Rows as (minute, kind, point, reason) of one run, without seq."""
    log = pl.DataFrame(
        [
            {
                "event_id": f"{n:02}",
                "occurred_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
                "kind": kind,
                "user_id": "u",
                "journey_id": "j",
                "version": 1,
                "run_id": "r",
                "point_id": point,
                "reason": reason,
            }
            for n, (minute, kind, point, reason) in enumerate(rows)
        ],
        infer_schema_length=None,
    )
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


def test_a_foreign_reason_becomes_the_unknown_one_of_its_kind() -> None:
    facts = folded(
        (0, "run.entered", "M", None),
        (1, "point.skipped", "M", "hard_bounce"),
        (2, "point.entered", "A", None),
    )
    assert facts.visits["skip_reason"].to_list() == ["skip_unknown", None]
