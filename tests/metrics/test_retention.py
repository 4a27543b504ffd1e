from __future__ import annotations

import math
import random
from datetime import date
from typing import Any

import pytest
from metrics.build import a_journey, at, make_scope

from journey_nb.metrics.retention import cohorts, median_time_to_goal, time_to_goal
from journey_nb.metrics.scope import TICK


def runs(*entered: float, **more: Any) -> list[dict[str, Any]]:
    return [{"entered_at": at(days=day), **more} for day in entered]


def reaching(*days: float, **more: Any) -> list[dict[str, Any]]:
    return [{"run": run, "user": run, "at": at(days=day), **more} for run, day in enumerate(days)]


def test_kaplan_meier_with_censoring() -> None:
    # Two of four reach it on days 0 and 2; one window closes on day 1, one is followed until as_of, day 4.
    people = [*runs(0, 0), {"entered_at": at(), "left_at": at(10), "reason": "completed"}, *runs(0)]
    journey = a_journey(goals=[{"goal_id": "buy", "conversion_days": 1}])
    goals = [*reaching(0.5, 2.5)]
    table = time_to_goal(make_scope(journey, runs=people, goals=goals, as_of=at(days=4.5)), "buy")
    assert table.columns == ["day", "at_risk", "reached", "survival", "low", "high"]
    assert table.select("day", "at_risk", "reached").rows() == [
        (0, 4, 1),
        (1, 3, 0),
        (2, 2, 1),
        (3, 1, 0),
        (4, 1, 0),
    ]
    assert table["survival"].to_list() == pytest.approx([0.75, 0.75, 0.375, 0.375, 0.375])
    # Greenwood: variance 1 / (4 · 3), on the scale of log(-log survival).
    spread = 1.959963985 * math.sqrt(1 / 12) / abs(math.log(0.75))
    bounds = 0.75 ** math.exp(spread), 0.75 ** math.exp(-spread)
    assert table.select("low", "high").row(0) == pytest.approx(bounds)


def test_the_median_is_the_first_day_by_which_half_have_reached_it() -> None:
    scope = make_scope(runs=runs(0, 0, 0), goals=reaching(1.5, 3.2))
    assert median_time_to_goal(scope, "buy") == 3
    assert median_time_to_goal(scope, "join") is None
    for many in (12, 13, 14, 15, 19, 22):  # where the product of the shares is a last digit above a half
        half = make_scope(runs=runs(*[0] * (2 * many)), goals=reaching(*(day + 0.5 for day in range(many))))
        assert median_time_to_goal(half, "buy") == many - 1


def test_bounds_are_null_where_survival_is_certain() -> None:
    table = time_to_goal(make_scope(runs=runs(0), goals=reaching(1.5)), "buy")
    assert table.select("survival", "low", "high").rows() == [(1, None, None), (0, None, None)]


def test_from_a_point_time_runs_from_the_first_arrival() -> None:
    visits = [
        {"run": 0, "point": "W", "arrived_at": at(days=2)},
        {"run": 0, "point": "W", "arrived_at": at(days=3)},
        {"run": 1, "point": "A", "arrived_at": at(days=2)},
    ]
    goals = [{"run": 0, "at": at(days=1)}, {"run": 0, "at": at(days=4)}]
    table = time_to_goal(make_scope(runs=runs(0, 0), visits=visits, goals=goals), "buy", start="W")
    assert table.select("at_risk", "reached").rows() == [(1, 0), (1, 0), (1, 1)]


def test_only_starts_in_the_period_and_what_is_seen() -> None:
    rows: dict[str, Any] = {"runs": runs(0, 5, 9), "goals": reaching(1, 7, 10)}
    for clock in ("activity", "cohort"):
        scope = make_scope(**rows, start=at(days=4), end=at(days=6), as_of=at(days=30), clock=clock)
        assert time_to_goal(scope, "buy")["at_risk"].to_list() == [1, 1, 1]
    unseen = make_scope(**rows, start=at(days=4), end=at(days=6), as_of=at(days=7) - TICK)
    assert time_to_goal(unseen, "buy")["reached"].sum() == 0


def test_nothing_gives_no_rows_and_unknown_names_their_near_miss() -> None:
    assert time_to_goal(make_scope(), "buy").height == 0
    assert cohorts(make_scope()).height == 0
    with pytest.raises(KeyError, match="did you mean 'buy'"):
        time_to_goal(make_scope(), "bux")
    with pytest.raises(KeyError, match="did you mean 'entry'"):
        time_to_goal(make_scope(), "buy", start="enty")
    with pytest.raises(ValueError, match="did you mean 'week'"):
        cohorts(make_scope(), by="weeks")  # type: ignore[arg-type]


def test_cohorts_by_week_are_cumulative_and_end_with_an_immature_age() -> None:
    people = [*runs(0, 6, 7), {"entered_at": at(days=8), "user": 2, "run_no": 2}]
    goals = [
        *reaching(1, 9),
        {"run": 2, "user": 2, "at": at(days=8)},
        {"run": 0, "user": 0, "at": at(days=9), "goal": "join"},
    ]
    table = cohorts(make_scope(runs=people, goals=goals, as_of=at(days=15)))
    assert table.columns == ["cohort", "age", "runs", "users", "reached", "rate", "immature"]
    assert table.rows() == [
        (date(2026, 1, 5), 0, 2, 2, 1, 0.5, False),
        (date(2026, 1, 5), 1, 2, 2, 2, 1.0, False),
        (date(2026, 1, 5), 2, 2, 2, 2, 1.0, True),
        (date(2026, 1, 12), 0, 2, 1, 1, 1.0, False),
        (date(2026, 1, 12), 1, 2, 1, 1, 1.0, True),
    ]
    assert cohorts(make_scope(runs=people, goals=goals, as_of=at(days=15)), goal="join")[
        "reached"
    ].to_list() == [0, 1, 1, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_cohorts_are_what_counting_cell_by_cell_gives(seed: int) -> None:
    draw = random.Random(seed)
    entered = [draw.randrange(40) for _ in range(30)]
    goals = [(run, entered[run] + draw.randrange(25)) for run in draw.choices(range(30), k=25)]
    scope = make_scope(
        runs=[{"entered_at": at(days=day + 0.5), "user": run // 2} for run, day in enumerate(entered)],
        goals=[{"run": run, "user": run // 2, "at": at(days=day + 0.7)} for run, day in goals],
        end=at(days=60),
        as_of=at(days=60.2),
    )
    expected = []
    for day in sorted(set(entered)):
        users = {run // 2 for run in range(30) if entered[run] == day}
        first = {
            user: min((d for run, d in goals if run // 2 == user and entered[run] == day), default=99)
            for user in users
        }
        for age in range(61 - day):
            reached = sum(day_of <= day + age for day_of in first.values())
            expected.append(
                (at(days=day).date(), age, entered.count(day), len(users), reached, day + age == 60)
            )
    table = cohorts(scope, by="day")
    assert table.drop("rate").rows() == expected
    assert table["rate"].to_list() == pytest.approx([row[4] / row[3] for row in expected])


def test_cohorts_by_month_and_by_local_day() -> None:
    journey = a_journey(timezone="Asia/Seoul")  # nine hours ahead: the evening of the 31st is February there
    scope = make_scope(journey, runs=runs(26.7), goals=reaching(30), as_of=at(days=60))
    assert cohorts(scope, by="month").rows() == [
        (date(2026, 2, 1), 0, 1, 1, 1, 1.0, False),
        (date(2026, 2, 1), 1, 1, 1, 1, 1.0, True),
    ]
    scope = make_scope(journey, runs=runs(0), goals=reaching(0.7), as_of=at(days=2, minutes=-541))
    assert cohorts(scope, by="day").select("age", "reached", "immature").rows() == [
        (0, 0, False),
        (1, 1, True),
    ]


def test_a_day_is_over_with_its_last_instant() -> None:
    for seen, ages in ((at(days=1) - 2 * TICK, [(0, True)]), (at(days=1) - TICK, [(0, False), (1, True)])):
        table = cohorts(make_scope(runs=[{"entered_at": at(0)}], as_of=seen), by="day")
        assert table.select("age", "immature").rows() == ages
