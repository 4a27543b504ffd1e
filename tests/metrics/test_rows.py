"""Every count of every table has just so many rows behind it, on a simulated log and every kind of scope."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
from metrics.build import a_journey, at, make_scope
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb.metrics import KEYS, TABLES
from journey_nb.metrics.rows import BEHIND, cells, rows
from journey_nb.simulate import simulate

VIEWS = {
    "launch": lambda stats: stats,
    "period": lambda stats: stats.between("2026-01-10", "2026-02-10"),
    "cohort": lambda stats: stats.between("2026-01-10", "2026-02-10").clock("cohort"),
    "version": lambda stats: stats.version(1).machine(),
}


@cache
def stats(view: str) -> jn.JourneyStats:
    journey = jn.Journey.sample("welcome")
    return VIEWS[view](jn.JourneyStats(journey, simulate(journey, users=150, seed=5)))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("table", BEHIND)
def test_as_many_rows_as_the_cell_says(table: str, view: str) -> None:
    scope = stats(view).scope
    frame = TABLES[table](scope)
    for row in frame.iter_rows(named=True):
        for column in BEHIND[table]:
            behind = rows(scope, f"{table}.{column}", **{name: row[name] for name in KEYS[table]})
            if column == "value":
                assert behind["value"].sum() == pytest.approx(row[column] or 0)
            else:
                assert behind.height == (row[column] or 0), (column, row)
            assert not behind.height or behind.columns[:2] == ["run_id", "user_id"]


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_rows_tell_nothing_that_came_later(share: float) -> None:
    journey = jn.Journey.sample("welcome")
    log = simulate(journey, users=150, seed=5)
    late = jn.JourneyStats(journey, log)
    seen = late.facts.first_at + (late.facts.last_at - late.facts.first_at) * share
    early = jn.JourneyStats(journey, log.filter(pl.col("occurred_at") <= seen))
    compared = 0
    for cell in cells():
        # When the last row of a run was is not known before: it may have gone on.
        told, known = (one.as_of(seen).rows(cell).select(cs.exclude("last_at")) for one in (late, early))
        assert_frame_equal(told, known, check_row_order=False)
        compared += told.height
    assert compared > 1_000
    runs = late.as_of(seen).rows("audience.entrances")
    assert runs["last_at"].max() <= seen
    ended = late.between(late.facts.first_at, seen).rows("points.waiting")
    assert ended.height
    assert ended["reason"].null_count() == ended.height


def test_every_count_of_the_tables_has_its_rows() -> None:
    scope = stats("launch").scope
    for table, columns in BEHIND.items():
        counts = {name for name, dtype in TABLES[table](scope).schema.items() if dtype == pl.Int64}
        assert counts <= set(columns), table


def test_rows_carry_readable_ids_words_and_local_times() -> None:
    journey = a_journey(timezone="Asia/Seoul")
    messages = [{"sent_at": at(1), "opened_at": at(2)}, {"failed_at": at(3), "fail_reason": "token_invalid"}]
    scope = make_scope(journey, runs=[{"entered_at": at(0)}], messages=messages)
    failed = rows(scope, "messages.failed", point_id="A")
    assert failed.select("run_id", "user_id", "message_id", "point_id", "fail_reason").rows() == [
        ("r0", "u0", "m1", "A", "token_invalid")
    ]
    assert failed.schema["failed_at"] == pl.Datetime("us", "Asia/Seoul")
    assert not {"run", "user", "message"} & set(failed.columns)
    assert not any(isinstance(dtype, pl.Enum) for dtype in failed.dtypes)


def test_the_value_of_a_currency_has_its_reachings() -> None:
    goals = [
        {"at": at(1), "value": 2.0, "currency": "EUR"},
        {"at": at(2), "value": 3.0, "currency": "USD"},
        {"at": at(3)},
    ]
    scope = make_scope(runs=[{"entered_at": at(0)}], goals=goals)
    assert rows(scope, "goals.value", goal_id="buy", currency="USD")["value"].to_list() == [3.0]
    assert rows(scope, "goals.events", goal_id="buy", currency="USD").height == 3


def test_messages_take_the_goal_their_table_was_asked_for() -> None:
    goals = [
        {
            "at": at(5),
            "goal": "join",
            "credit": "direct",
            "credit_message": 0,
            "credit_point": "A",
            "order": 9,
        },
    ]
    messages = [{"sent_at": at(1), "opened_at": at(2), "engaged_at": at(2), "engaged_order": 3}]
    scope = make_scope(runs=[{"entered_at": at(0)}], goals=goals, messages=messages)
    for column in ("goal_users", "goal_direct", "goal_after_interaction"):
        assert rows(scope, f"messages.{column}", goal="join").height == 1
        assert rows(scope, f"messages.{column}", goal="buy").height == 0


@pytest.mark.parametrize(
    ("cell", "key", "hint"),
    [
        ("health.drop_off", {}, "did you mean 'health.drop_offs'"),
        ("health.open_rate", {}, "is a rate; see health.messages_opened"),
        ("points.seconds_p50", {}, "no rows behind"),
        (None, {}, "no rows behind None; there are health.entrances"),
        ("points.sent", {"point": "A"}, "did you mean 'point_id'"),
        ("health.entrances", {"point_id": "A"}, "one row"),
        ("communications.sent", {"channel": "emial"}, "did you mean 'email'"),
        ("goals.users", {"goal_id": "bux"}, "did you mean 'buy'"),
    ],
)
def test_errors_name_the_mend(cell: Any, key: dict[str, Any], hint: str) -> None:
    with pytest.raises(KeyError, match=hint):
        rows(make_scope(), cell, **key)


def test_every_cell_works_on_nothing() -> None:
    scope = make_scope()
    assert all(rows(scope, cell).is_empty() for cell in cells())
