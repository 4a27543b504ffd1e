from __future__ import annotations

import polars as pl
import pytest
from metrics.build import a_journey, at, make_facts, make_scope

from journey_nb.metrics.communications import (
    communications,
    delivery_issues,
    messages,
)
from journey_nb.metrics.definitions import schema
from journey_nb.metrics.points import points as points_of
from journey_nb.metrics.spans import response_times
from journey_nb.stats import JourneyStats


def sent(channel: str = "push", minutes: float = 2, **outcomes: float) -> dict[str, object]:
    times = {f"{name}_at": at(minute) for name, minute in outcomes.items()}
    return {"channel": channel, "sent_at": at(minutes), **times}


def rows_of(*rows: dict[str, object], runs: int = 1, **tables: object):
    return make_scope(runs=[{"entered_at": at(0)}] * runs, messages=rows, **tables)


def test_a_row_per_channel_designed_or_seen():
    table = communications(
        rows_of(sent("email", opened=3), sent("email"), {"skipped_at": at(1), "channel": "sms"})
    )
    assert table.schema == schema("communications")
    columns = ["channel", "sent", "opened", "sent_users", "opened_users", "skipped"]
    assert table.select(columns).rows() == [
        ("push", 0, 0, 0, 0, 0),
        ("email", 2, 1, 1, 1, 0),
        ("sms", 0, 0, 0, 0, 1),
    ]


@pytest.mark.parametrize(
    ("channel", "rate"),
    [
        ("email", 1 / 3),  # clicked of delivered
        ("push", 2 / 4),  # opened of sent
        ("sms", 2 / 4),  # delivered of sent
        ("whatsapp", 2 / 3),  # opened of delivered
        ("in_app", 1 / 4),  # interacted of shown
        ("line", 1 / 4),  # clicked of sent
    ],
)
def test_the_engagement_rate_of_each_channel(channel, rate):
    # Opened without a receipt: that one arrived too.
    table = communications(
        rows_of(
            sent(channel, delivered=3, opened=4, clicked=5),
            sent(channel, delivered=3, interacted=4),
            sent(channel, opened=4),
            sent(channel),
        )
    )
    row = table.row(by_predicate=pl.col("channel") == channel, named=True)
    assert row["engagement_rate"] == pytest.approx(rate)
    assert row["delivered"] == 2


@pytest.mark.parametrize(("silent", "rate"), [(99, 1.0), (100, 1 / 101)])
def test_deliveries_serve_only_where_one_percent_is_reported_on(silent, rate):
    table = communications(rows_of(sent("email", delivered=3, clicked=4), *[sent("email")] * silent))
    assert table["engagement_rate"].to_list()[-1] == pytest.approx(rate)


def test_without_receipts_what_did_not_bounce_was_delivered():
    """Bounces alone tell nothing of receipts: with three of 300 the rate was of the opened, with two of the sent."""
    for bounces in (0, 2, 3, 7):
        some = [sent("email", bounced=5)] * bounces + [sent("email", opened=6)] * 20
        table = communications(
            rows_of(*some, *[sent("email", opened=6, clicked=7)] * 10, *[sent("email")] * 263)
        )
        assert table["engagement_rate"].to_list()[-1] == pytest.approx(10 / 293)


def test_failed_is_never_sent_and_bounced_is_part_of_sent():
    scope = rows_of(
        sent(bounced=4),
        {"failed_at": at(2)},
        sent(failed=1),
    )
    row = communications(scope).row(0, named=True)
    assert (row["sent"], row["failed"], row["bounced"]) == (2, 1, 1)


def test_messages_belong_to_the_period_of_their_sending():
    scope = rows_of(sent(minutes=-5, opened=3), sent(minutes=5, opened=60 * 24 * 40))
    assert communications(scope).select("sent", "opened").row(0) == (1, 1)
    earlier = make_scope(facts=scope.facts, as_of=at(days=39))
    assert communications(earlier).select("sent", "opened").row(0) == (1, 0)


def test_channels_get_the_credit_of_their_messages():
    goals = [
        {"at": at(9), "credit": "direct", "credit_message": 1, "credit_point": "A", "credit_channel": "email"}
    ]
    table = communications(rows_of(sent(), sent("email", opened=3), goals=goals))
    assert table.select("channel", "goal_users").rows() == [("push", 0), ("email", 1)]


def test_a_row_per_message_point_with_its_goals():
    goals = [
        {"at": at(4), "credit": "direct", "credit_message": 0, "credit_point": "A"},
        {"at": at(9), "goal": "join", "credit": "direct", "credit_message": 0, "credit_point": "A"},
        {"run": 1, "at": at(3), "credit": "indirect", "credit_message": 1, "credit_point": "A"},
    ]
    scope = rows_of(
        sent(opened=3, engaged=3),
        sent(opened=5, engaged=5) | {"run": 1},
        {"failed_at": at(2)},
        runs=2,
        goals=goals,
    )
    table = messages(scope)
    assert table.schema == schema("messages")
    assert table.row(0, named=True) == {
        "point_id": "A",
        "title": "Push",
        "channel": "push",
        "sent": 2,
        "delivered": 0,
        "opened": 2,
        "open_rate": 1.0,
        "clicked": 0,
        "click_rate": 0.0,
        "sent_users": 2,
        "opened_users": 2,
        "clicked_users": 0,
        "unsubscribed": 0,
        "failed": 1,
        "bounced": 0,
        "skipped": 0,
        "goal_after_interaction": 1,  # the other user reached it before opening
        "goal_after_interaction_rate": 0.5,
        "goal_users": 2,
        "goal_direct": 1,
        "goal_indirect": 1,
    }
    joined = messages(scope, goal="join").row(0, named=True)
    assert (joined["goal_after_interaction"], joined["goal_users"], joined["goal_indirect"]) == (1, 1, 0)


@pytest.mark.parametrize(("seen", "users"), [(40, 1), (35, 0)])
def test_a_goal_after_an_interaction_counts_beyond_the_period_as_far_as_it_is_seen(seen: int, users: int):
    message = sent(engaged=3)
    scope = rows_of(message, goals=[{"at": at(days=36)}], end=at(days=30), as_of=at(days=seen))
    assert messages(scope)["goal_after_interaction"].item() == users


def test_machines_answer_at_their_own_time_where_they_count():
    rows = [sent(opened_any=2, clicked_any=2), sent(opened=200, clicked=200, opened_any=4, clicked_any=4)]
    for machine, lengths in ((False, {3 * 3600: 1}), (True, {0: 1, 60: 1})):
        told = response_times(rows_of(*rows, machine=machine), "A").filter(pl.col("messages") > 0)
        for outcome in ("opened", "clicked"):
            assert dict(told.filter(outcome=outcome)["seconds", "messages"].iter_rows()) == lengths


def test_a_channel_is_that_of_the_messages():
    scope = rows_of(sent("email"), sent("email"), sent("sms"))
    assert messages(scope).select("channel", "sent").rows() == [("email", 3)]
    assert messages(scope, channel="sms").select("channel", "sent").rows() == [("sms", 1)]
    assert messages(scope, channel="push").is_empty()
    assert messages(rows_of(), channel="push").select("channel", "sent").rows() == [("push", 0)]


def test_points_of_other_versions_stand_after_those_shown_if_they_count():
    first = a_journey().model_dump(exclude_none=True)["versions"][0]
    points = [{**point, "point_id": "B"} if point["point_id"] == "A" else point for point in first["points"]]
    branches = [
        {"source": "E", "target": "B"},
        {"source": "B", "target": "X"},
        {"source": "W", "target": "X"},
    ]
    journey = a_journey(versions=[first, {**first, "version": 2, "points": points, "branches": branches}])
    rows = {"runs": [{"entered_at": at(0)}], "messages": [sent()]}
    assert messages(make_scope(journey, **rows)).select("point_id", "sent").rows() == [("B", 0), ("A", 1)]
    assert points_of(make_scope(journey, **rows)).filter(pl.col("sent") > 0)["point_id"].to_list() == ["A"]
    assert messages(make_scope(journey, runs=rows["runs"]))["point_id"].to_list() == ["B"]
    shown = messages(make_scope(journey, **rows, version=1))
    assert shown.select("point_id", "sent").rows() == [("A", 1)]


def test_delivery_issues_are_rates_of_attempts():
    scope = rows_of(
        sent(),
        sent(bounced=3) | {"bounce_reason": "hard_bounce"},
        {"failed_at": at(2), "fail_reason": "token_invalid"},
        {"skipped_at": at(2), "skip_reason": "opted_out"},
        sent("email"),
    )
    table = delivery_issues(scope)
    assert table.schema == schema("delivery_issues")
    assert table.rows() == [
        ("push", "failed", "token_invalid", 1, 0.25),
        ("push", "bounced", "hard_bounce", 1, 0.25),
        ("push", "skipped", "opted_out", 1, 0.25),
    ]
    assert delivery_issues(scope, channel="email").is_empty()
    with pytest.raises(ValueError, match="did you mean 'email'"):
        delivery_issues(scope, channel="emial")


def test_beside_another_period_an_issue_that_one_of_them_lacks_is_a_rate_of_none():
    first, second = {"failed_at": at(2), "fail_reason": "token_invalid"}, at(2, days=1)
    messages = [
        {"run": 0, "sent_at": at(1)},
        {"run": 1, **first},
        {"run": 2, "sent_at": second},
        {"run": 3, "skipped_at": second, "skip_reason": "opted_out"},
        {"run": 3, "skipped_at": second, "skip_reason": "opted_out", "channel": "sms"},
    ]
    facts = make_facts(a_journey(), runs=[{"entered_at": at(0)} for _ in range(4)], messages=messages)
    compared = JourneyStats(a_journey(), facts).between(at(days=1), at(days=2)).compare()
    numbers = [f"{name}{end}" for name in ("count", "rate") for end in ("", "_prev", "_change")]
    assert compared.delivery_issues().select("channel", "reason", *numbers).rows() == [
        ("push", "opted_out", 1, 0, None, 0.5, 0.0, None),
        ("sms", "opted_out", 1, 0, None, 1.0, None, None),  # nothing was attempted: a rate of nothing
        ("push", "token_invalid", 0, 1, -1.0, 0.0, 0.5, -1.0),
    ]
    low, high = compared.delivery_issues(intervals=True)["rate_low", "rate_high"].row(2)
    assert low == 0.0 < high < 1
    assert compared.delivery_issues("sms")["reason"].to_list() == ["opted_out"]
    grouped = compared.delivery_issues(by="variant")
    assert grouped.drop("variant").rows() == compared.delivery_issues().rows()


def test_beside_another_period_a_group_has_no_issue_that_it_never_met():
    runs = [{"entered_at": at(0), "version": 1 + n % 2} for n in range(4)]
    failed = {"failed_at": at(2), "fail_reason": "token_invalid"}
    skipped = {"skipped_at": at(2, days=1), "skip_reason": "opted_out"}
    sent = [{"run": n, "sent_at": at(1, days=day)} for n in (0, 1) for day in (0, 1)]
    facts = make_facts(a_journey(), runs=runs, messages=[*sent, {"run": 2, **failed}, {"run": 3, **skipped}])
    compared = JourneyStats(a_journey(), facts).between(at(days=1), at(days=2)).compare()
    grouped = compared.delivery_issues(by="version")
    assert grouped.select("version", "reason", "rate", "rate_prev").sort("version").rows() == [
        (1, "token_invalid", 0.0, 0.5),
        (2, "opted_out", 0.5, 0.0),
    ]
