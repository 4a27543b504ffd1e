from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from metrics.build import a_journey, at, make_facts, make_scope

from journey_nb.metrics.definitions import schema
from journey_nb.metrics.goals import Rule, credit, goals
from journey_nb.stats import JourneyStats

RULES = ["engaged", "last_touch", "first_touch", "linear", "position_based", "time_decay", "entry"]


def test_users_runs_events_and_value():
    scope = make_scope(
        runs=[{"entered_at": at(0)}, {"user": 0, "run_no": 2, "entered_at": at(days=2)}],
        goals=[
            {"at": at(5), "value": 10.0, "currency": "EUR"},
            {"at": at(6), "value": 20.0, "currency": "EUR"},
            {"at": at(7)},
            {"run": 1, "at": at(days=2), "value": 1.0, "currency": "EUR"},
            {"run": 1, "at": at(days=3), "value": 99.0, "currency": "EUR", "counts": False},
        ],
    )
    table = goals(scope)
    assert table.schema == schema("goals")
    assert table.rows() == [
        ("buy", "Buy", 1, 2, 4, 2, 0.5, 1.0, 1.0, 31.0, "EUR"),
        ("join", "Join", 0, 0, 0, 2, 0.0, 0.0, 0.0, None, None),
    ]


def test_currencies_are_never_added():
    reached = [
        {"at": at(5), "value": 10.0, "currency": "USD"},
        {"at": at(6), "value": 20.0, "currency": "EUR"},
        {"at": at(7), "value": 3.0},
        {"at": at(8), "currency": "KRW"},
    ]
    table = goals(make_scope(runs=[{"entered_at": at(0)}], goals=reached))
    buys = table.filter(pl.col("goal_id") == "buy").select("events", "value", "currency")
    assert buys.rows() == [(4, 20.0, "EUR"), (4, 10.0, "USD"), (4, 3.0, None)]


def test_goals_of_earlier_entrants_count_by_activity_but_not_by_cohort():
    runs = [{"entered_at": at(days=-20 + n)} for n in range(5)] + [{"entered_at": at(days=1)}]
    scope = make_scope(runs=runs, goals=[{"run": run, "at": at(days=2)} for run in range(5)])
    assert goals(scope)["conversion_rate"].to_list() == [5.0, 0.0]
    cohort = make_scope(facts=scope.facts, clock="cohort")
    assert goals(cohort)["conversion_rate"].to_list() == [0.0, 0.0]


def touched(*sent: tuple[str, float], goal_at: float = 10, **goal: object):
    """One run that was sent messages at points and days, and then reached the goal."""
    journey = a_journey()
    messages = [{"point": point, "sent_at": at(days=day)} for point, day in sent]
    reached = [{"at": at(days=goal_at), **goal}]
    return make_scope(journey, runs=[{"entered_at": at(0)}], messages=messages, goals=reached)


def shares(table: pl.DataFrame) -> dict[str | None, float]:
    return dict(table.select("point_id", "users").iter_rows())


THREE = (("E", 1), ("A", 2), ("W", 3), ("X", 20))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("last_touch", {"W": 1}),
        ("first_touch", {"E": 1}),
        ("linear", {"E": 1 / 3, "A": 1 / 3, "W": 1 / 3}),
        ("position_based", {"E": 0.4, "A": 0.2, "W": 0.4}),
        ("entry", {"E": 1}),
        ("time_decay", {"E": 1 / 7, "A": 2 / 7, "W": 4 / 7}),
    ],
)
def test_other_rules_share_the_credit_among_what_was_sent_before(rule: Rule, expected):
    table = credit(touched(*THREE), rule=rule, half_life=timedelta(days=1))
    assert table.schema == schema("credit")
    assert shares(table) == pytest.approx({**expected, None: 0})


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sent", [0, 1, 2, 4])
def test_the_credits_of_every_rule_sum_to_the_users(rule: Rule, sent):
    scope = touched(*THREE[:sent], goal_at=29)
    assert credit(scope, rule=rule)["users"].sum() == pytest.approx(1)


def test_the_usual_rule_follows_the_first_reaching_of_a_user():
    scope = make_scope(
        runs=[
            {"entered_at": at(0)},
            {"user": 0, "run_no": 2, "entered_at": at(days=1)},
            {"entered_at": at(0)},
        ],
        goals=[
            {"run": 1, "at": at(days=2), "credit": "indirect", "credit_point": "W", "credit_message": 1},
            {"run": 0, "at": at(days=1), "credit": "direct", "credit_point": "A", "credit_message": 0},
            {"run": 2, "at": at(days=1), "goal": "join"},
        ],
    )
    assert credit(scope).rows() == [("A", 1.0, 1, 0), (None, 1.0, 0, 0)]
    assert credit(scope, goal="join").rows() == [(None, 1.0, 0, 0)]
    later = make_scope(facts=scope.facts, start=at(1, days=1))
    assert credit(later).rows() == [("W", 1.0, 0, 1), (None, 0.0, 0, 0)]


def test_mistakes_name_the_near_miss():
    with pytest.raises(KeyError, match="did you mean 'buy'"):
        credit(touched(), goal="buyy")
    with pytest.raises(ValueError, match="did you mean 'linear'"):
        credit(touched(*THREE), rule="linar")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 1"):
        credit(touched(*THREE), rule="position_based", first=0.8, last=0.8)


def test_goals_of_two_periods_repeat_on_each_currency_of_either():
    log = make_facts(
        a_journey(),
        runs=[{"entered_at": at(0)}, {"entered_at": at(days=1)}, {"entered_at": at(days=1)}],
        goals=[
            {"run": 0, "at": at(5), "value": 5.0, "currency": "USD"},
            {"run": 1, "at": at(5, days=1), "value": 7.0, "currency": "EUR"},
        ],
    )
    stats = JourneyStats(a_journey(timezone="UTC"), log).between(at(days=1), at(days=2)).compare()
    told = stats.goals().filter(goal_id="buy")
    columns = ("currency", "users", "users_prev", "entrances", "entrances_prev", "value", "value_prev")
    assert told.select(columns).rows() == [("EUR", 1, 1, 2, 1, 7.0, None), ("USD", 1, 1, 2, 1, None, 5.0)]
