"""What holds for every table, on a whole simulated journey (METRICS.md, section 9)."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Journey
from journey_nb.metrics import KEYS, RATES, TABLES, with_bases
from journey_nb.metrics.scope import TICK, Scope
from journey_nb.simulate import simulate

PERIODS = {"launch": (0.0, 1.0), "middle": (0.3, 0.6), "nothing": (-0.2, -0.1), "to come": (1.1, 1.2)}
VIEWS = [
    (period, clock, seen) for period in PERIODS for clock in ("activity", "cohort") for seen in (0.45, 1.0)
]


@pytest.fixture(scope="module")
def facts() -> tuple[Journey, Folded]:
    journey = Journey.sample("welcome")
    log = simulate(journey, users=300, days=40)
    return journey, fold(journey, EventLog.from_frame(log).judge(journey))


@pytest.fixture(params=VIEWS, ids=lambda view: "-".join(map(str, view)))
def scope(facts, request) -> Scope:
    journey, folded = facts
    period, clock, seen = request.param
    whole = folded.last_at + TICK - folded.first_at
    start, end = (folded.first_at + share * whole for share in PERIODS[period])
    return Scope(journey, folded, start, end, folded.first_at + seen * whole - TICK, clock=clock)


def options(table: str) -> list[dict[str, object]]:
    if table == "daily":
        return [
            {"by": by, "place": place}
            for by in ("journey", "channel", "point", "goal")
            for place in ("send", "event")
        ]
    return [{}]


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_told_apart_by_their_keys_and_counts_are_counts(scope, table):
    for chosen in options(table):
        frame = with_bases(table, scope, **chosen)
        assert not frame.select(KEYS[table] or [pl.lit(1)]).is_duplicated().any() or not KEYS[table]
        counts = frame.select(pl.col(pl.Int64))
        if table != "reconciliation":
            assert all(counts.select(pl.all().min().fill_null(0) >= 0).row(0))
        assert not any(isinstance(dtype, pl.Enum) for dtype in frame.schema.values())
        for rate, (numerator, denominator) in RATES.get(table, {}).items():
            known = frame.filter(pl.col(denominator) > 0)
            expected = known[numerator] / known[denominator]
            assert known[rate].to_list() == pytest.approx(expected.to_list())
            assert frame.filter(pl.col(denominator) == 0)[rate].null_count() == frame.height - known.height


def test_accounts_balance(scope):
    gaps = TABLES["reconciliation"](scope).filter(pl.col("gap") != 0)
    # Nobody is ever under way between two points in a simulated log.
    assert gaps.is_empty()


def test_outcomes_never_exceed_what_was_sent(scope):
    for table in ("communications", "messages"):
        frame = TABLES[table](scope)
        for outcome in ("delivered", "opened", "clicked", "bounced", "unsubscribed", "sent_users"):
            assert (frame[outcome] <= frame["sent"]).all()


def test_totals_add_over_days_points_and_channels(scope):
    health, audience = TABLES["health"](scope), TABLES["audience"](scope)
    channels, points = TABLES["communications"](scope), TABLES["points"](scope)
    days = TABLES["daily"](scope)
    total = dict(days.group_by("metric").agg(pl.col("count").sum()).iter_rows())
    if total:
        assert total["entrances"] == health["entrances"].item() == audience["entrances"].item()
        assert total["drop_offs"] == health["drop_offs"].item()
        assert total["goals"] == health["goals_reached"].item() == TABLES["goals"](scope)["users"].sum()
        assert total["exits"] == audience["exits"].item()
        assert total["completed"] == audience["completed"].item()
        assert total["impressions"] == points["shown"].sum()
    for metric in ("sent", "delivered", "opened", "clicked", "unsubscribed", "failed"):
        assert total.get(metric, 0) == channels[metric].sum() == points[metric].sum()
    assert channels["goal_users"].sum() == points["goal_users"].sum()


def test_days_add_up_to_the_period(facts):
    journey, folded = facts
    start = folded.first_at.replace(hour=23, minute=0, second=0, microsecond=0) - timedelta(days=1)
    whole = Scope(journey, folded, start, start + timedelta(days=3), folded.last_at)
    days = [
        Scope(journey, folded, start + timedelta(days=n), start + timedelta(days=n + 1), folded.last_at)
        for n in range(3)
    ]
    for table, column in (
        ("health", "entrances"),
        ("audience", "exits"),
        ("points", "entered"),
        ("branches", "runs"),
    ):
        assert TABLES[table](whole)[column].sum() == sum(TABLES[table](day)[column].sum() for day in days)


def test_runs_apart_add_up_to_all_runs(facts):
    journey, folded = facts
    whole = Scope(journey, folded, folded.first_at, folded.last_at, folded.last_at)
    odd = folded.runs["run"] % 2 == 1
    for table, column in (
        ("health", "messages_sent"),
        ("points", "entered"),
        ("branches", "runs"),
        ("goals", "events"),
    ):
        parts = [TABLES[table](whole.only(keep))[column].sum() for keep in (odd, ~odd)]
        assert TABLES[table](whole)[column].sum() == sum(parts)
