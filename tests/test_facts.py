"""The fold: what it must not depend on, and what its tables promise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from compare import frame_of
from metrics.build import a_journey, at
from polars.testing import assert_frame_equal

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Journey
from journey_nb.simulate import simulate
from journey_nb.stats import JourneyStats
from journey_nb.store import Store

TABLES = ("runs", "visits", "waits", "messages", "goals", "events", "devices")


def folded(journey: Journey, log: pl.DataFrame) -> Folded:
    return fold(journey, EventLog.from_frame(log).judge(journey))


@pytest.fixture(scope="module", params=["welcome", "abandoned_cart", "win_back"])
def case(request: pytest.FixtureRequest) -> tuple[Journey, pl.DataFrame, Folded]:
    journey = Journey.sample(request.param)
    log = simulate(journey, 300, seed=5)
    return journey, log, folded(journey, log)


def assert_same(one: Folded, other: Folded) -> None:
    for name in TABLES:
        assert_frame_equal(getattr(one, name), getattr(other, name))


def test_the_order_of_rows_in_the_source_does_not_matter(case: tuple[Journey, pl.DataFrame, Folded]) -> None:
    journey, log, facts = case
    assert_same(facts, folded(journey, log.sample(fraction=1, shuffle=True, seed=1)))


def test_loading_rows_twice_changes_nothing(case: tuple[Journey, pl.DataFrame, Folded]) -> None:
    journey, log, facts = case
    again = folded(journey, pl.concat([log, log.head(500)]))
    assert_same(facts, again)
    assert (again.read, again.duplicates) == (log.height + 500, 500)
    assert again.loaded == facts.loaded


def test_a_log_without_seq_reads_the_same_along_the_branches(
    case: tuple[Journey, pl.DataFrame, Folded],
) -> None:
    journey, log, facts = case
    plain = folded(journey, log.with_columns(seq=pl.lit(None, pl.Int64)))
    columns = ["run", "point", "arrived_at", "left_at", "branch"]
    assert_frame_equal(facts.visits.select(columns), plain.visits.select(columns))


def test_a_message_is_of_one_run_in_counts_and_in_credit() -> None:
    message = {"point_id": "A", "channel": "push", "message_id": "m"}
    rows = [
        ("r1", 0, "run.entered", {"point_id": "E"}),
        ("r1", 2, "message.sent", message),
        ("r1", 3, "run.exited", {"reason": "completed", "point_id": "E"}),
        ("r2", 10, "run.entered", {"point_id": "E"}),
        ("r2", 12, "message.opened", message),  # told with the run that was under way then
        ("r1", 13, "goal.reached", {"goal_id": "join"}),
        ("r2", 14, "goal.reached", {"goal_id": "buy"}),
    ]
    usual = {"user_id": "u", "journey_id": "j", "version": 1}
    log = [
        {"event_id": str(n), "occurred_at": at(minute), "kind": kind, "run_id": run, **usual, **more}
        for n, (run, minute, kind, more) in enumerate(rows)
    ]
    stats = JourneyStats(a_journey(), frame_of(log))
    columns = ["sent", "opened", "goal_after_interaction", "goal_direct", "goal_indirect"]
    assert stats.messages(goal="join").select(columns).rows() == [(1, 1, 1, 1, 0)]
    assert stats.messages(goal="buy").select(columns).rows() == [(1, 1, 0, 0, 0)]
    assert stats.credit("buy").rows() == [(None, 1.0, 0, 0)]
    for goal, point in (("join", "A"), ("buy", None)):
        linear = stats.credit(goal, rule="linear").filter(pl.col("users") > 0)
        assert linear["point_id"].to_list() == [point]


def test_a_message_of_several_runs_changes_no_other() -> None:
    """One that failed, and by the source's order was sent in the same instant, did not bounce: also beside a stray."""
    ann = {"user_id": "ann", "run_id": "a1", "message_id": "m"}
    bob = {"user_id": "bob", "run_id": "b1", "message_id": "n"}
    told = [
        (ann, 0, "message.failed", {"reason": "provider_error", "seq": 1}),
        (ann, 0, "message.sent", {"seq": 2}),
        (bob, 0, "message.sent", {}),
        (bob, 9, "message.opened", {"run_id": "b2"}),
    ]
    usual = {"journey_id": "j", "version": 1, "point_id": "A", "channel": "email"}
    log = frame_of(
        [
            {"event_id": str(n), "occurred_at": at(minute), "kind": kind, **usual, **ids, **more}
            for n, (ids, minute, kind, more) in enumerate(told)
        ]
    )
    for rows in (log[:2], log):
        message = folded(a_journey(), rows).messages.filter(message_id="m")
        assert message.select("sent_at", "failed_at", "bounced_at").row(0) == (at(0), at(0), None)


def test_ids_are_places(case: tuple[Journey, pl.DataFrame, Folded]) -> None:
    facts = case[2]
    assert facts.runs["run"].to_list() == list(range(facts.runs.height))
    assert facts.visits["visit"].to_list() == list(range(facts.visits.height))
    assert facts.runs["user"].max() == facts.runs["user_id"].n_unique() - 1


def test_a_run_is_at_one_point_at_a_time(case: tuple[Journey, pl.DataFrame, Folded]) -> None:
    visits = case[2].visits
    overlap = visits.filter(
        (pl.col("run") == pl.col("run").shift()) & (pl.col("arrived_at") < pl.col("left_at").shift())
    )
    assert overlap.is_empty()
    open_visits = visits.filter(pl.col("left_at").is_null())
    assert open_visits["run"].is_unique().all()


def test_a_clean_log_needs_no_guess(case: tuple[Journey, pl.DataFrame, Folded]) -> None:
    facts = case[2]
    assert facts.quarantined.is_empty()
    assert not facts.visits["derived"].any()
    assert not facts.runs["truncated"].any()
    assert not facts.messages["sent_inferred"].any()
    assert facts.visits.filter(pl.col("traversed"))["known"].all()


def test_read_is_loaded_and_duplicates_and_quarantined() -> None:
    journey = Journey.sample("welcome")
    log = simulate(journey, 100, seed=2)
    broken = pl.concat(
        [
            log,
            log.head(3),
            log.filter(pl.col("kind") == "run.exited")
            .head(2)
            .with_columns(event_id=pl.lit("x") + pl.col("event_id")),
            log.head(2).with_columns(point_id=pl.lit("nowhere"), event_id=pl.lit("y") + pl.col("event_id")),
        ]
    )
    facts = folded(journey, broken)
    assert facts.read == broken.height
    assert facts.read == facts.loaded + facts.duplicates + facts.quarantined.height
    assert sorted(facts.quarantined["rule"]) == ["second_exit"] * 2 + ["unknown_point"] * 2
    assert facts.loaded == log.height


def test_an_empty_log_folds_into_empty_tables() -> None:
    journey = Journey.sample("welcome")
    facts = folded(journey, simulate(journey, 5).clear())
    assert all(getattr(facts, name).is_empty() for name in TABLES)


def test_a_draft_of_which_nothing_was_seen_stands_at_the_day_it_was_made(tmp_path: Path) -> None:
    """Its pictures, reports and the dates of an export began on 1 January 1970."""
    made = datetime(2026, 2, 3, 4, tzinfo=UTC)
    draft = Journey.sample("welcome").model_copy(
        update={"status": "draft", "launched_at": None, "created_at": made}
    )
    store = Store(tmp_path)
    store.add(draft)
    log = EventLog.from_frame(simulate(draft, 5).clear())
    for stats in (JourneyStats(draft, log), store[draft.journey_id]):
        assert (stats.facts.first_at, stats.facts.last_at) == (made, made)
        assert stats.daily()["date"].unique().to_list() == [made.date()]


def test_a_skip_after_the_completion_is_not_of_that_visit() -> None:
    journey = Journey.model_validate(
        {
            "journey_id": "j",
            "versions": [
                {
                    "version": 1,
                    "points": [{"point_id": "E", "type": "entry_api"}, {"point_id": "X", "type": "exit"}],
                    "branches": [{"source": "E", "target": "X"}],
                }
            ],
        }
    )
    base = {"user_id": "u", "journey_id": "j", "version": 1, "run_id": "r", "point_id": "E"}
    kinds = [("run.entered", None), ("point.completed", None), ("point.skipped", "filtered")]
    log = pl.DataFrame(
        [
            base | {"event_id": str(n), "occurred_at": f"2026-01-01T00:0{n}Z", "kind": kind, "reason": reason}
            for n, (kind, reason) in enumerate(kinds)
        ]
    )
    facts = folded(journey, log)
    assert facts.loaded == 3
    assert facts.visits.select("outcome", "skip_at").rows() == [("completed", None)]
