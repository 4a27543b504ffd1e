from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from cubed import CubedFacts
from metrics.build import a_journey, at, make_facts, make_scope

from journey_nb.metrics.definitions import schema
from journey_nb.metrics.health import daily, health, opens_reported
from journey_nb.stats import JourneyStats

RUNS = [
    {"entered_at": at(0), "left_at": at(20), "reason": "token_invalid", "exit_point": "A"},
    {"entered_at": at(5), "left_at": at(9), "reason": "user_not_found", "exit_point": "A"},
    {"entered_at": at(days=1), "left_at": at(days=2), "reason": "completed", "exit_point": "X"},
    {"entered_at": at(days=1), "left_at": at(days=2), "reason": "goal", "exit_point": "W", "user": 2},
    {"entered_at": at(days=40)},
]
MESSAGES = [
    {"sent_at": at(2), "opened_at": at(days=1), "opened_any_at": at(3), "delivered_at": at(days=1)},
    {"run": 1, "failed_at": at(3), "fail_reason": "token_invalid"},
    {"run": 2, "sent_at": at(days=1), "channel": "sms", "delivered_at": at(days=3)},
    {
        "run": 2,
        "sent_at": at(days=1),
        "shown_at": at(days=1),
        "channel": "in_app",
        "interacted_at": at(days=3),
    },
    {"run": 4, "sent_at": at(days=40), "opened_at": at(days=40), "opened_any_at": at(days=40)},
]
GOALS = [
    {"run": 2, "at": at(days=1.2)},
    {"run": 3, "at": at(days=1.5)},
    {"run": 3, "at": at(days=1.6), "goal": "join"},
    {"run": 0, "at": at(days=1.6), "goal": "join", "counts": False},
]


def scope(**options: object):
    return make_scope(runs=RUNS, messages=MESSAGES, goals=GOALS, **options)


def counts(frame: pl.DataFrame) -> set[tuple[object, ...]]:
    return set(frame.filter(pl.col("count") > 0).iter_rows())


def test_headline_numbers_with_a_rate_over_channels_that_report_opens():
    row = health(scope())
    assert row.schema == schema("health")
    assert row.row(0, named=True) == {
        "entrances": 4,
        "messages_sent": 3,
        "messages_opened": 1,
        "open_rate": 1.0,
        "drop_offs": 2,
        "internal_errors": 1,
        "send_errors": 1,
        "goals_reached": 2,
    }


def test_nothing_is_seen_after_the_instant_of_sight():
    row = health(scope(as_of=at(10))).row(0, named=True)
    assert (row["entrances"], row["messages_sent"], row["messages_opened"]) == (2, 1, 0)
    assert (row["drop_offs"], row["goals_reached"]) == (1, 0)
    assert row["open_rate"] == 0.0  # a machine has opened by then, so the channel reports opens


def test_opens_by_machines_count_when_asked_for():
    assert health(scope(as_of=at(10), machine=True))["messages_opened"].item() == 1


def test_a_click_of_a_machine_alone_does_not_show_that_opens_are_reported():
    click = {"opened_any_at": at(2), "clicked_any_at": at(2), "sent_at": at(1)}
    messages = [
        {"channel": "push", "sent_at": at(1), "opened_at": at(2), "opened_any_at": at(2)},
        {"channel": "sms", **click},
        {"channel": "email", **click, "opened_any_at": at(1)},  # before it clicked, it opened
        {
            "channel": "whatsapp",
            **click,
            "opened_at": at(2),
            "clicked_at": at(2),
        },  # a person's: it implies an open
    ]
    facts = make_facts(a_journey(), runs=[{"entered_at": at(0)}], messages=messages)
    for of in (facts, CubedFacts(a_journey(), facts)):
        stats = JourneyStats(a_journey(), of)
        assert opens_reported(stats.scope) == ["email", "push", "whatsapp"]
        assert stats.health()["open_rate"].item() == pytest.approx(2 / 3)
        assert "sms" in opens_reported(stats.machine().scope)  # where it counts, it implies an open too


def test_an_empty_period_has_zeros_and_no_rate():
    row = health(scope(start=at(days=50), end=at(days=51))).row(0, named=True)
    assert row.pop("open_rate") is None
    assert set(row.values()) == {0}


def test_daily_has_a_row_for_every_day_and_metric():
    table = daily(scope(end=at(days=3)))
    assert table.schema == schema("daily")
    assert table.height == 3 * (3 + 2 + 11 + 1)
    assert table["date"].unique().to_list() == [date(2026, 1, day) for day in (5, 6, 7)]
    assert counts(table) == {
        (date(2026, 1, 5), "entrances", None, 2),
        (date(2026, 1, 6), "entrances", None, 2),
        (date(2026, 1, 7), "exits", None, 2),
        (date(2026, 1, 7), "completed", None, 1),
        (date(2026, 1, 5), "drop_offs", "send_error", 1),
        (date(2026, 1, 5), "drop_offs", "internal_error", 1),
        (date(2026, 1, 5), "sent", None, 1),
        (date(2026, 1, 6), "sent", None, 2),
        (date(2026, 1, 5), "delivered", None, 1),
        (date(2026, 1, 6), "delivered", None, 1),
        (date(2026, 1, 5), "opened", None, 1),
        (date(2026, 1, 6), "impressions", None, 1),
        (date(2026, 1, 6), "interacted", None, 1),
        (date(2026, 1, 5), "failed", None, 1),
        (date(2026, 1, 6), "goals", None, 2),
    }


def test_outcomes_may_stand_on_their_own_day():
    table = daily(scope(end=at(days=3)), by="channel", place="event")
    assert counts(table.filter(pl.col("metric").is_in(["delivered", "opened", "interacted"]))) == {
        (date(2026, 1, 6), "delivered", "push", 1),
        (date(2026, 1, 6), "opened", "push", 1),
    }  # the text message arrives after the last day, which has no row


def test_on_the_cohort_clock_all_stands_on_the_day_of_entry():
    table = daily(scope(end=at(days=3), clock="cohort"), place="event")
    assert counts(table.filter(pl.col("metric").is_in(["exits", "delivered", "goals"]))) == {
        (date(2026, 1, 6), "exits", None, 2),
        (date(2026, 1, 5), "delivered", None, 1),
        (date(2026, 1, 6), "delivered", None, 1),
        (date(2026, 1, 6), "goals", None, 2),
    }


def test_every_channel_point_and_goal_designed_or_seen_has_its_series():
    one_day = scope(end=at(days=1))
    assert set(daily(one_day, by="channel")["breakdown"]) == {"push", "sms", "in_app"}
    assert set(daily(one_day, by="point")["breakdown"]) == {"A"}
    assert daily(one_day, by="goal").rows() == [
        (date(2026, 1, 5), "goals", "buy", 0),
        (date(2026, 1, 5), "goals", "join", 0),
    ]


@pytest.mark.parametrize("by", ["journey", "goal"])
def test_daily_goals_sum_to_the_goals_reached(by):
    table = daily(scope(), by=by).filter(pl.col("metric") == "goals")
    assert table["count"].sum() == health(scope())["goals_reached"].item()


def test_days_are_cut_at_local_midnight_and_may_have_23_hours():
    journey = a_journey(timezone="Europe/Paris")
    # 2026-03-29: the clocks go forward at 01:00 UTC; the day begins at 23:00 UTC and ends at 22:00 UTC.
    runs = [
        {"entered_at": at(minutes, days=82)} for minutes in (22 * 60 + 59, 23 * 60, 45 * 60 + 59, 46 * 60)
    ]
    table = daily(make_scope(journey, runs=runs, start=at(days=82), end=at(days=85), as_of=at(days=85)))
    entrances = table.filter(pl.col("metric") == "entrances", pl.col("count") > 0)
    assert entrances.select("date", "count").rows() == [
        (date(2026, 3, 28), 1),
        (date(2026, 3, 29), 2),
        (date(2026, 3, 30), 1),
    ]


def test_an_unknown_breakdown_names_the_near_miss():
    with pytest.raises(ValueError, match="did you mean 'channel'"):
        daily(scope(), by="chanel")  # type: ignore[arg-type]


def test_with_fewer_runs_only_theirs_is_counted():
    some = scope().only(pl.Series([False, False, True, False, False]))
    assert health(some).select("entrances", "messages_sent", "goals_reached").row(0) == (1, 2, 1)
    assert health(replace(some, clock="cohort")).row(0) == health(some).row(0)


@pytest.mark.parametrize("cubed", [False, True])
@pytest.mark.parametrize("place", ["send", "event"])
def test_a_day_that_the_period_cuts_has_what_lies_within(place: str, cubed: bool) -> None:
    minutes = [599, 600, 900, 1440, 2000, 2039, 2040, 2400]  # the period is of [600, 2040)
    runs = [{"user": n % 3, "entered_at": at(m)} for n, m in enumerate(minutes)]
    messages = [{"run": n, "sent_at": at(m), "delivered_at": at(m + 60)} for n, m in enumerate(minutes)]
    goals = [{"run": n, "at": at(m)} for n, m in enumerate(minutes)]
    made = make_facts(a_journey(), runs=runs, messages=messages, goals=goals)
    facts = CubedFacts(a_journey(), made) if cubed else made
    stats = JourneyStats(a_journey(), facts).between(at(600), at(2040))
    for seen in (stats, stats.clock("cohort")):
        table = seen.daily(place=place).filter(pl.col("count") > 0)
        of = {key: table.filter(metric=key)["count"].to_list() for key in table["metric"].unique()}
        assert of["entrances"] == of["sent"] == [2, 3]
        # A delivery may come after the period, of a message sent in it: it stands on the last day all the same.
        assert of["delivered"] == [2, 3]
        assert sum(of["goals"]) == 3
        assert set(table["date"]) == {date(2026, 1, 5), date(2026, 1, 6)}
