"""The files of the tables: columns, units, and that they appear whole or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from cubed import CubedFacts
from polars.testing import assert_frame_equal

from journey_nb import Journey, JourneyStats, Store
from journey_nb.events.words import COLUMNS
from journey_nb.exports import (
    CAMPAIGN,
    EXPORTS,
    EXTENDED,
    GOAL,
    POINT,
    campaign_statistics,
    channel_statistics,
    goal_statistics,
    point_statistics,
    point_users,
    step_users,
    write_table,
)
from journey_nb.metrics import definitions
from journey_nb.metrics.cube import steps
from journey_nb.reading import LogError

# METRICS.md, section 8, to the letter.
HEADER = (
    "Title, Status, Created at, Category, Type, UUID, Total reach, Unique users, Users inside, Drop-off, "
    "Total sends, Average CTR, Goals, Push sends, Push CTR, Email sends, Email CTR, Email clicks, "
    "Email unsubscribes, SMS sends, SMS delivered, WhatsApp sends, WhatsApp opens, In-App shows, "
    "In-App interactions, In-App skips"
).split(", ")

DOCUMENT = {
    "journey_id": "5d0c6f1e-0000-4000-8000-000000000001",
    "title": "All channels",
    "status": "running",
    "category": "Promo",
    "entry_type": "api",
    "created_at": "2026-03-01T09:00:00+01:00",
    "goals": [{"goal_id": "buy"}],
    "versions": [
        {
            "version": 1,
            "published_at": "2026-03-01T00:00:00Z",
            "points": [
                {"point_id": "in", "type": "entry_api"},
                *(
                    {"point_id": channel, "type": "message", "channel": channel}
                    for channel in ("push", "email", "sms", "whatsapp", "in_app")
                ),
                {"point_id": "out", "type": "exit"},
            ],
            "branches": [
                {"source": source, "target": target}
                for source, target in zip(
                    ("in", "push", "email", "sms", "whatsapp", "in_app"),
                    ("push", "email", "sms", "whatsapp", "in_app", "out"),
                    strict=True,
                )
            ],
        }
    ],
}


def log(*rows: tuple[int, str, str, dict[str, object]]) -> pl.DataFrame:
    """Rows of (minute, user, kind, the rest), each user with one run."""
    made = [
        {
            "event_id": f"e{number}",
            "occurred_at": datetime(2026, 3, 2, minute // 60, minute % 60),
            "kind": kind,
            "user_id": user,
            "journey_id": DOCUMENT["journey_id"],
            "version": 1,
            "run_id": f"run-{user}",
            **rest,
        }
        for number, (minute, user, kind, rest) in enumerate(rows)
    ]
    frame = pl.DataFrame(made, infer_schema_length=None).with_columns(
        pl.col("occurred_at").dt.replace_time_zone("UTC")
    )
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in COLUMNS.items() if name not in frame
    )


def message(channel: str, user: str, **rest: object) -> dict[str, object]:
    return {"point_id": channel, "channel": channel, "message_id": f"{channel}-{user}", **rest}


@pytest.fixture(scope="module")
def stats() -> JourneyStats:
    entered = {"point_id": "in"}
    return JourneyStats(
        Journey.model_validate(DOCUMENT),
        log(
            # u1 gets everything and reaches the goal.
            (0, "u1", "run.entered", entered),
            (1, "u1", "point.entered", {"point_id": "push"}),
            (2, "u1", "message.sent", message("push", "u1")),
            (3, "u1", "message.clicked", message("push", "u1")),
            (4, "u1", "message.sent", message("email", "u1")),
            (5, "u1", "message.opened", message("email", "u1")),
            (6, "u1", "message.clicked", message("email", "u1")),
            (7, "u1", "message.clicked", message("email", "u1")),
            (8, "u1", "message.sent", message("sms", "u1")),
            (9, "u1", "message.delivered", message("sms", "u1")),
            (10, "u1", "message.sent", message("whatsapp", "u1")),
            (11, "u1", "message.opened", message("whatsapp", "u1")),
            (12, "u1", "message.impression", message("in_app", "u1")),
            (13, "u1", "message.impression", message("in_app", "u1")),
            (14, "u1", "message.interacted", message("in_app", "u1")),
            (15, "u1", "goal.reached", {"goal_id": "buy"}),
            (16, "u1", "run.exited", {"reason": "goal", "reason_detail": "buy"}),
            # u2 is dropped by an error after an email it unsubscribes from.
            (0, "u2", "run.entered", entered),
            (1, "u2", "point.entered", {"point_id": "push"}),
            (2, "u2", "message.sent", message("push", "u2")),
            (4, "u2", "message.sent", message("email", "u2")),
            (5, "u2", "message.unsubscribed", message("email", "u2")),
            (6, "u2", "run.exited", {"reason": "hard_bounce"}),
            # u3 is still inside, and has waved the in-app away.
            (0, "u3", "run.entered", entered),
            (1, "u3", "point.entered", {"point_id": "in_app"}),
            (2, "u3", "message.impression", message("in_app", "u3")),
            (3, "u3", "message.dismissed", message("in_app", "u3")),
        ),
    )


def test_campaign_statistics_count_what_they_say(stats: JourneyStats) -> None:
    row = campaign_statistics(stats).row(0, named=True)
    assert list(row) == HEADER
    assert row == {
        "Title": "All channels",
        "Status": "Active",
        "Created at": "2026-03-01T09:00:00+01:00",
        "Category": "Promo",
        "Type": "ApiBased",
        "UUID": DOCUMENT["journey_id"],
        "Total reach": 3,
        "Unique users": 3,
        "Users inside": 1,
        "Drop-off": 1,
        "Total sends": 8,
        "Average CTR": 0.5,  # 2 of the 4 sends on channels that report clicks
        "Goals": 1,
        "Push sends": 2,
        "Push CTR": 0.5,
        "Email sends": 2,
        "Email CTR": 0.5,
        "Email clicks": 2,
        "Email unsubscribes": 1,
        "SMS sends": 1,
        "SMS delivered": 1,
        "WhatsApp sends": 1,
        "WhatsApp opens": 1,
        "In-App shows": 3,
        "In-App interactions": 1,
        "In-App skips": 1,
    }


PERIODS = (("launch", "activity"), ("7d", "activity"), ("30d", "cohort"))


@pytest.fixture(scope="module", params=PERIODS, ids=" ".join)
def views(request: pytest.FixtureRequest, welcome_stats: JourneyStats) -> JourneyStats:
    period, clock = request.param
    return welcome_stats.period(period).clock(clock)


def test_several_journeys_make_several_rows_and_rates_can_be_per_cent(stats: JourneyStats) -> None:
    table = campaign_statistics([stats, stats.between("2026-03-03", "2026-03-03")], percent=True)
    assert table.columns == HEADER
    assert table["Push CTR"].to_list() == [50.0, None]
    assert table["Total reach"].to_list() == [3, 0]
    assert table["Users inside"].to_list() == [1, 1]


def test_a_push_source_that_reports_only_opens_counts_those(stats: JourneyStats) -> None:
    only = stats.facts.messages.filter(pl.col("channel") == "push")
    assert only.height == 2
    rows = log(
        (0, "u1", "run.entered", {"point_id": "in"}),
        (1, "u1", "message.sent", message("push", "u1")),
        (2, "u1", "message.opened", message("push", "u1")),
    )
    row = campaign_statistics(JourneyStats(stats.journey, rows)).row(0, named=True)
    assert (row["Push CTR"], row["Average CTR"], row["Email CTR"]) == (1.0, 1.0, None)


def test_that_a_source_reports_clicks_is_not_known_before_the_first(stats: JourneyStats) -> None:
    first = stats.facts.messages.filter(channel="email")["clicked_at"].min()
    early = campaign_statistics(stats.as_of(first - timedelta(microseconds=1)))
    assert early.select("Email sends", "Average CTR").row(0) == (2, 0.5)  # of push alone


def test_agrees_with_the_tables(welcome_stats: JourneyStats) -> None:
    row = campaign_statistics(welcome_stats).row(0, named=True)
    health, audience = (
        table.row(0, named=True) for table in (welcome_stats.health(), welcome_stats.audience())
    )
    sent = dict(welcome_stats.communications().select("channel", "sent").iter_rows())
    assert row["Total reach"] == health["entrances"] == audience["entrances"] > 0
    assert row["Total sends"] == health["messages_sent"] == sum(sent.values())
    assert row["Users inside"] == audience["in_journey_users"]
    assert (row["Push sends"], row["Email sends"]) == (sent["push"], sent["email"])


def test_step_users_are_the_visits_of_a_point(welcome_stats: JourneyStats) -> None:
    points = welcome_stats.points()
    for row in points.filter(pl.col("entered") > 0).iter_rows(named=True):
        users = step_users(welcome_stats, row["point_id"])
        assert users.height == row["entered"] + row["waiting_before"]
        outcomes = dict(users["outcome"].value_counts().iter_rows())
        assert outcomes.get("completed", 0) == row["completed"]
        assert outcomes.get(None, 0) == row["waiting"]
    assert users.columns == ["journey", "point", "user_id", "device_id", "run_id", "entered_at", "left_at",
                             "outcome", "branch", "reason"]  # fmt: skip


def test_step_users_of_an_unknown_point_name_the_near_one(stats: JourneyStats) -> None:
    with pytest.raises(KeyError, match="did you mean 'email'"):
        step_users(stats, "emial")


def test_step_users_are_of_the_version_that_points_counts(welcome_stats: JourneyStats) -> None:
    for number in (version.version for version in welcome_stats.journey.versions):
        stats = welcome_stats.version(number)
        for point, entered in stats.points().select("point_id", "entered").iter_rows():
            assert step_users(stats, point).height == entered


def test_the_user_list_is_everybody_in_order_of_entry(views: JourneyStats) -> None:
    listed = EXPORTS["users"](views).lazy().collect()
    assert listed.equals(views.users().sort("entered_at", "run_id"))
    assert listed.height > 0


def test_a_store_gives_the_same_files(
    welcome: Journey, welcome_log: pl.DataFrame, welcome_stats: JourneyStats, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    store.add(welcome)
    half = pl.col("occurred_at") < welcome_log["occurred_at"].median()
    for part in (welcome_log.filter(half), welcome_log.filter(~half)):
        store.append(part)
    for name in EXPORTS:
        one, other = (
            write_table(
                EXPORTS[name](stats.period("30d"), **asked(name)), tmp_path / f"{place}.csv"
            ).read_bytes()
            for place, stats in enumerate((welcome_stats, store[welcome.label]))
        )
        assert one == other, name


# Extended campaign statistics.

EXTENDED_HEADER = [*HEADER, *"LINE sends, LINE delivered, LINE CTR, Kakao sends, Kakao delivered, Kakao CTR, Web push sends, "
                            "Web push CTR, Webhook sends, Webhook failures".split(", ")]  # fmt: skip


def paid(*goals: tuple[float | None, str | None], channels: tuple[str, ...] = ()) -> JourneyStats:
    """One user who reached the goal with these values, after one clicked message of each channel."""
    rows: list[tuple[int, str, str, dict[str, object]]] = [(0, "u", "run.entered", {"point_id": "in"})]
    for place, channel in enumerate(channels):
        told = {"point_id": "push", "channel": channel, "message_id": channel}
        rows += [(2 + place, "u", f"message.{kind}", told) for kind in ("sent", "delivered", "clicked")]
    for place, (value, currency) in enumerate(goals):
        rows.append(
            (30 + place, "u", "goal.reached", {"goal_id": "buy", "value": value, "currency": currency})
        )
    return JourneyStats(Journey.model_validate(DOCUMENT), log(*rows))


def test_extended_adds_columns_behind_the_others(stats: JourneyStats) -> None:
    told = campaign_statistics(stats, extended=True)
    assert told.columns == [*EXTENDED_HEADER, "Revenue"]
    assert told.select(HEADER).equals(campaign_statistics(stats))
    assert told["Revenue"].to_list() == [None]
    row = campaign_statistics(paid(channels=("line", "kakao", "web_push", "webhook")), extended=True).row(
        0, named=True
    )
    assert [row[name] for name in EXTENDED] == [1, 1, 1.0, 1, 1, 1.0, 1, 1.0, 1, 0]


def test_currencies_have_columns_of_their_own_and_are_never_added() -> None:
    several = [
        paid((1.5, "USD"), (2.0, "EUR"), (3.0, "EUR"), (4.0, None)),
        paid((7.0, "USD"), (None, None)),
        paid(),
    ]
    table = campaign_statistics(several, extended=True, percent=True)
    assert table.columns[36:] == ["Revenue", "Revenue EUR", "Revenue USD"]
    assert table.select(table.columns[36:]).rows() == [(4.0, 5.0, 1.5), (None, None, 7.0), (None, None, None)]


# Goal, channel and point statistics.


def test_goal_statistics_sum_to_goals(views: JourneyStats) -> None:
    table = goal_statistics(views)
    assert (
        table.columns
        == "goal, event, conditions, conversion days, date, entrances, users, rate, point, direct, indirect".split(
            ", "
        )
    )
    whole = table.filter(pl.col("date").is_null() & pl.col("point").is_null())
    days, credited = table.filter(pl.col("date").is_not_null()), table.filter(pl.col("point").is_not_null())
    goals = views.goals().unique("goal_id", maintain_order=True)
    assert whole["goal"].to_list() == goals["goal_id"].to_list()
    assert whole.select("entrances", "users").rows() == goals.select("entrances", "users").rows()
    assert whole["rate"].to_list() == goals["conversion_rate"].round(6).to_list()
    for part in (days, credited):
        assert (
            part.group_by("goal", maintain_order=True).agg(pl.col("users").sum()).rows()
            == whole.select("goal", "users").rows()
        )
    assert (
        days.group_by("goal", maintain_order=True).agg(pl.col("entrances").sum()).rows()
        == whole.select("goal", "entrances").rows()
    )
    for goal, point, *counts in credited.select("goal", "point", "users", "direct", "indirect").iter_rows():
        row = views.credit(goal).row(
            by_predicate=pl.col("point_id").eq_missing(None if point == "unattributed" else pl.lit(point))
        )
        assert list(row[1:]) == counts
    assert whole["users"].sum() > 0


def test_one_goal_can_be_asked_for_and_tells_its_design(welcome_stats: JourneyStats) -> None:
    design = welcome_stats.journey.goals[0]
    table = goal_statistics(welcome_stats, design.goal_id)
    assert table.equals(goal_statistics(welcome_stats).filter(pl.col("goal") == design.goal_id))
    told = table.row(0, named=True)
    assert (told["event"], told["conversion days"]) == (design.event, design.conversion_days)
    assert json.loads(told["conditions"]) == design.conditions
    with pytest.raises(KeyError, match=f"did you mean {design.goal_id!r}"):
        goal_statistics(welcome_stats, design.goal_id[:-1])


def test_channel_statistics_are_the_messages_of_a_channel(views: JourneyStats) -> None:
    for channel in (None, "email", "push", "sms"):
        told = channel_statistics(views, channel)
        assert_frame_equal(told, views.messages(channel), abs_tol=1e-6)
        assert channel_statistics(views.compare(), channel).equals(told)
    with pytest.raises(ValueError, match="did you mean 'email'"):
        channel_statistics(views, "emial")


def test_point_statistics_are_the_rows_of_the_point(views: JourneyStats) -> None:
    messages = views.messages()
    for row in views.points().iter_rows(named=True):
        table = point_statistics(views, row["point_id"])
        assert table.columns == ["metric", "value", "numerator", "denominator", "unit", "date", "reason"]
        assert not table.select("metric", "unit", "date", "reason").is_duplicated().any()
        whole = table.filter(pl.col("date").is_null() & pl.col("reason").is_null())
        told = dict(
            whole.filter((pl.col("metric") != "skipped") | (pl.col("unit") == "visits"))
            .select("metric", "value")
            .iter_rows()
        )
        numbers = {name: value for name, value in row.items() if name in told}
        assert numbers == {name: told[name] for name in numbers}
        assert len(numbers) == (23 if row["sent"] is not None else 13)
        for name, value, part, over in (
            whole.drop_nulls("denominator").select("metric", "value", "numerator", "denominator").iter_rows()
        ):
            found = messages.row(by_predicate=pl.col("point_id") == row["point_id"], named=True)[name]
            assert (
                (value, found) == (None, None)
                if over == 0
                else value == pytest.approx(part / over, abs=1e-6) == pytest.approx(found, abs=1e-6)
            )
        days = table.filter(pl.col("date").is_not_null())
        assert days["date"].n_unique() == len(views.scope.days)
        for metric, unit, total in days.group_by("metric", "unit").agg(pl.col("value").sum()).iter_rows():
            assert (
                total
                == whole.row(
                    by_predicate=(pl.col("metric") == metric) & (pl.col("unit") == unit), named=True
                )["value"]
            )


def test_reasons_of_a_point_sum_to_what_was_lost_there(welcome_stats: JourneyStats) -> None:
    lost = 0
    for point in welcome_stats.messages()["point_id"]:
        table = point_statistics(welcome_stats, point).filter(unit="messages")
        reasons = table.filter(pl.col("reason").is_not_null())
        for metric, total in reasons.group_by("metric").agg(pl.col("value").sum()).iter_rows():
            (whole,) = table.filter(pl.col("date").is_null() & pl.col("reason").is_null(), metric=metric)[
                "value"
            ]
            assert total == whole
            lost += total
    drops = welcome_stats.drops().filter(grain="message")["count"].sum()
    assert lost == drops > 0


def test_percent_tells_every_rate_and_nothing_else(welcome_stats: JourneyStats) -> None:
    fractions = point_statistics(welcome_stats, "hello_push")
    per_cent = point_statistics(welcome_stats, "hello_push", percent=True)
    rates = pl.col("unit") == "share"
    assert (
        per_cent.filter(unit="per cent")["value"].to_list()
        == (fractions.filter(rates)["value"] * 100).round(1).to_list()
    )
    assert per_cent.filter(pl.col("unit") != "per cent").equals(fractions.filter(~rates))
    whole = goal_statistics(welcome_stats, percent=True)
    assert whole["rate"].to_list() == pytest.approx(
        (goal_statistics(welcome_stats)["rate"] * 100).to_list(), abs=0.051, nan_ok=True
    )
    assert whole.drop("rate").equals(goal_statistics(welcome_stats).drop("rate"))


def test_point_users_are_the_messages_of_the_point(views: JourneyStats) -> None:
    for row in views.messages().iter_rows(named=True):
        users = point_users(views, row["point_id"])
        outcomes = dict(users["outcome"].value_counts().iter_rows())
        assert outcomes.get("sent", 0) + outcomes.get("bounced", 0) == row["sent"] == users["sent_at"].count()
        assert [outcomes.get(name, 0) for name in ("bounced", "failed", "skipped")] == [
            row[name] for name in ("bounced", "failed", "skipped")
        ]
        assert [users[f"{name}_at"].count() for name in ("delivered", "opened", "clicked")] == [
            row[name] for name in ("delivered", "opened", "clicked")
        ]
        assert users.filter(pl.col("sent_at").is_not_null())["user_id"].n_unique() == row["sent_users"]
        assert users.filter(pl.col("reason").is_null())["outcome"].unique().to_list() in ([], ["sent"])
        assert users.filter(pl.col("goal_at") < pl.col("sent_at")).is_empty()
    assert (
        users.columns
        == "user_id device_id sent_at delivered_at opened_at clicked_at goal_at outcome reason".split()
    )


def test_whom_a_goal_is_credited_to_stands_among_the_users(welcome_stats: JourneyStats) -> None:
    found = 0
    for goal in (None, *(goal.goal_id for goal in welcome_stats.journey.goals)):
        for point in welcome_stats.messages()["point_id"]:
            credited = welcome_stats.rows("messages.goal_users", point_id=point, goal=goal)
            users = point_users(welcome_stats, point, goal).select("user_id", "goal_at").rows()
            assert set(credited.select("user_id", "at").iter_rows()) <= set(users)
            found += credited.height
    assert found > 0


def test_a_point_without_messages_has_step_users_only(welcome_stats: JourneyStats) -> None:
    with pytest.raises(ValueError, match=r"'settle' sends no messages.*step users"):
        point_users(welcome_stats, "settle")
    for wanted in (point_users, point_statistics):
        with pytest.raises(KeyError, match="did you mean 'hello_push'"):
            wanted(welcome_stats, "helo_push")


def asked(name: str) -> dict[str, object]:
    return {"point_id": "hello_push"} if name in ("point", "point-users", "step-users") else {}


@pytest.mark.parametrize("name", EXPORTS)
def test_a_journey_without_any_event_has_all_columns(
    name: str, welcome: Journey, welcome_stats: JourneyStats
) -> None:
    none = JourneyStats(welcome, pl.DataFrame(schema=COLUMNS))
    assert (
        EXPORTS[name](none, **asked(name)).lazy().collect_schema()
        == EXPORTS[name](welcome_stats, **asked(name)).lazy().collect_schema()
    )
    assert EXPORTS[name](none, **asked(name)).lazy().collect().columns


@pytest.mark.parametrize("name", EXPORTS)
def test_facts_with_a_cube_give_the_same_files(name: str, welcome_stats: JourneyStats) -> None:
    cubed = JourneyStats(welcome_stats.journey, CubedFacts(welcome_stats.journey, welcome_stats.facts))
    odd = "2026-04-01T10:07", "2026-05-02T23:59:59"
    for view in (lambda stats: stats, lambda stats: stats.period("7d"), lambda stats: stats.between(*odd)):
        one, other = (
            EXPORTS[name](view(stats), **asked(name)).lazy().collect() for stats in (welcome_stats, cubed)
        )
        assert_frame_equal(one, other)


@pytest.mark.parametrize("name", ["goal", "channel", "point"])
def test_a_cube_alone_is_enough_for_what_only_counts(name: str, welcome_stats: JourneyStats) -> None:
    journey, facts = welcome_stats.journey, welcome_stats.facts
    frames = ("runs", "visits", "waits", "messages", "goals", "events", "devices")
    hidden = JourneyStats(journey, CubedFacts(journey, facts, hidden=frames, known=[(1, steps(facts))]))
    assert_frame_equal(EXPORTS[name](hidden, **asked(name)), EXPORTS[name](welcome_stats, **asked(name)))


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_is_written_and_read_again(name: str, views: JourneyStats, tmp_path: Path) -> None:
    table = EXPORTS[name](views, **asked(name))
    held = table.lazy().collect()
    assert_frame_equal(pl.read_parquet(write_table(table, tmp_path / "t.parquet")), held)
    read = pl.read_csv(write_table(table, tmp_path / "t.csv", bom=True), infer_schema=False)
    assert read.columns == held.columns
    assert read.height == held.height
    for column in held.select(pl.selectors.numeric()).columns:
        assert read[column].cast(held.schema[column]).equals(held[column])
    for column in held.select(pl.selectors.datetime()).columns:
        assert (
            read[column]
            .str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us")
            .equals(held[column].dt.convert_time_zone("UTC"))
        )
    held_again = tmp_path / "held.csv"
    assert write_table(held, held_again, bom=True).read_bytes() == (tmp_path / "t.csv").read_bytes()
    sheet = zipfile.ZipFile(write_table(table, tmp_path / "t.xlsx")).read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == max(held.height, 1) + 1


def hostile_stats() -> JourneyStats:
    """A journey whose every word would be run by a spreadsheet, or breaks a careless CSV."""
    bad = '=cmd|"/c calc"!A1,\n"x"'
    document = json.loads(
        json.dumps(DOCUMENT).replace('"push"', '"@push"').replace('"channel": "@push"', '"channel": "push"')
    )
    document |= {
        "title": bad,
        "category": "+1",
        "goals": [{"goal_id": "-buy", "event": bad, "conditions": [{"f": bad}]}],
    }
    rows = log(
        (0, bad, "run.entered", {"point_id": "in", "device_id": "@d"}),
        (1, bad, "point.entered", {"point_id": "@push"}),
        (2, bad, "message.sent", message("push", bad) | {"point_id": "@push"}),
        (3, bad, "goal.reached", {"goal_id": "-buy", "value": 2.0, "currency": "=E"}),
    )
    return JourneyStats(Journey.model_validate(document), rows)


@pytest.mark.parametrize("name", EXPORTS)
def test_hostile_text_is_shown_in_every_export(name: str, tmp_path: Path) -> None:
    stats, options = hostile_stats(), {"point_id": "@push"} if asked(name) else {}
    table = EXPORTS[name](stats, **options)
    held = table.lazy().collect()
    assert held.height > 0
    with write_table(table, tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) == held.height + 1
    assert [cell for row in rows for cell in row if cell[:1] and cell[:1] in "=+-@\t\r"] == []
    assert (
        "<f>"
        not in zipfile.ZipFile(write_table(table, tmp_path / "t.xlsx"))
        .read("xl/worksheets/sheet1.xml")
        .decode()
    )
    assert_frame_equal(pl.read_parquet(write_table(table, tmp_path / "t.parquet")), held)


@pytest.mark.slow
def test_libreoffice_shows_hostile_text_and_runs_none(tmp_path: Path) -> None:
    """Each file as it opens it, written out again as flat XML: the cells' texts, and which are formulas."""
    program = shutil.which("soffice")
    assert program, "no LibreOffice; make test-long installs it on Debian and Ubuntu"
    stats = hostile_stats()
    tables = {
        name: EXPORTS[name](stats, **({"point_id": "@push"} if asked(name) else {})) for name in EXPORTS
    }
    tables["texts"] = HOSTILE
    paths = [write_table(table, tmp_path / f"{name}.csv") for name, table in tables.items()]
    paths.append(write_table(HOSTILE, tmp_path / "unsafe.csv", spreadsheet_safe=False))
    profile, utf8 = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--infilter=CSV:44,34,76"
    out = tmp_path / "out"
    command = [
        program,
        profile,
        "--headless",
        "--convert-to",
        "fods",
        utf8,
        "--outdir",
        str(out),
        *map(str, paths),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for path in paths:
        cells, formulas = opened(out / f"{path.stem}.fods")
        with path.open(newline="", encoding="utf-8") as file:
            wanted = [cell for row in csv.reader(file) for cell in row]
        hostile = [cell for cell in wanted if cell[:1] == "'"]
        assert [cell for cell in hostile if cell.replace("\r", "\n") not in cells] == [], path.name
        assert bool(formulas) == (path.stem == "unsafe"), "or the test proves nothing"


def opened(path: Path) -> tuple[set[str], list[str]]:
    """The texts of a flat OpenDocument sheet, and its formulas."""
    spaces = {
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    }
    cells = ElementTree.parse(path).getroot().findall(".//table:table-cell", spaces)
    texts = {"\n".join(told(part) for part in cell.findall("text:p", spaces)) for cell in cells}
    found = [cell.get(f"{{{spaces['table']}}}formula") for cell in cells]
    return texts, [formula for formula in found if formula]


def told(part: ElementTree.Element) -> str:
    """The text of a paragraph, in which a tab and further spaces are elements."""
    marks = {"tab": "\t", "s": " "}
    inner = (marks.get(one.tag.rpartition("}")[2], "") + (one.text or "") + (one.tail or "") for one in part)
    return (part.text or "") + "".join(inner)


def test_every_column_of_an_export_is_explained(welcome_stats: JourneyStats) -> None:
    columns = {
        "campaign_statistics": [*CAMPAIGN, *EXTENDED, "Revenue"],
        "goal_statistics": list(GOAL),
        "point_statistics": list(POINT),
        "point_users": point_users(welcome_stats, "hello_push").columns,
        "step_users": step_users(welcome_stats, "hello_push").columns,
    }
    assert {name: list(table.columns) for name, table in definitions.EXPORTS.items()} == columns
    zone = welcome_stats.scope.timezone
    for name, table in (("point_users", point_users), ("step_users", step_users)):
        assert table(welcome_stats, "hello_push").schema == definitions.schema(name, zone)


def test_a_sheet_that_cannot_hold_the_rows_names_what_can(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"holds 1,048,575 rows and these are 1,048,576: write \.csv or \.parquet"
    ):
        write_table(pl.DataFrame({"n": range(1_048_576)}), tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_lazy_table_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    broken = pl.LazyFrame({"n": range(100_000)}).with_columns(
        pl.col("n").map_batches(lambda _: 1 / 0, return_dtype=pl.Int64)
    )
    with pytest.raises(Exception, match="division by zero"):
        write_table(broken, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# Prints the most anonymous memory that a process has while it writes; mapped files do not count.
WRITE = """
import sys, threading, time
import polars as pl
from journey_nb.exports import write_table

def watch():
    while True:
        most.append(int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

most = []
threading.Thread(target=watch, daemon=True).start()
write_table(pl.scan_parquet(sys.argv[1]), sys.argv[2])
print(max(most) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is told by Linux")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_lazy_table_is_never_in_memory_as_a_whole(ending: str, tmp_path: Path) -> None:
    number = pl.col("number")
    table = pl.select(number=pl.int_range(16_000_000)).with_columns(
        user_id=pl.format("a-user-of-many-{}", number),
        at=pl.from_epoch(number * 1000, "us").dt.replace_time_zone("UTC"),
    )
    table.write_parquet(tmp_path / "t.parquet", row_group_size=100_000)
    command = [sys.executable, "-c", WRITE, str(tmp_path / "t.parquet"), str(tmp_path / f"out.{ending}")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(told.stdout) < 0.8 * table.estimated_size()  # a third where nothing else runs


HOSTILE = pl.DataFrame(
    {"text": ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", "a=1", "", None], "n": range(-5, 5)}
)


def test_text_that_a_spreadsheet_would_run_is_shown(tmp_path: Path) -> None:
    write_table(HOSTILE, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "plain", "a=1", "", ""]
    assert pl.read_csv(tmp_path / "t.csv")["n"].to_list() == list(range(-5, 5))  # numbers stay numbers


def test_spreadsheet_safety_can_be_left_out_and_is_never_in_parquet(tmp_path: Path) -> None:
    write_table(HOSTILE, tmp_path / "t.csv", spreadsheet_safe=False)
    assert pl.read_csv(tmp_path / "t.csv")["text"][0] == "=1+1"
    assert_frame_equal(pl.read_parquet(write_table(HOSTILE, tmp_path / "t.parquet")), HOSTILE)


def test_xlsx_holds_texts_not_formulas(tmp_path: Path) -> None:
    links = pl.DataFrame({"text": ["=1+1", "https://example.org", "mailto:a@b.c"]})
    path = write_table(links, tmp_path / "t.xlsx", spreadsheet_safe=False)
    parts = zipfile.ZipFile(path)
    sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "=1+1" in parts.read("xl/sharedStrings.xml").decode()


def test_times_carry_their_offset_and_the_mark_is_there_on_request(tmp_path: Path) -> None:
    times = pl.Series([datetime(2026, 3, 29, 0, 30), datetime(2026, 3, 29, 1, 30, 0, 5)])
    table = pl.DataFrame({"at": times.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")})
    path = write_table(table, tmp_path / "t.csv", bom=True)
    assert path.read_bytes() == (
        b"\xef\xbb\xbfat\n2026-03-29T01:30:00+01:00\n2026-03-29T03:30:00.000005+02:00\n"
    )


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(Exception, match="nested"):
        write_table(pl.DataFrame({"a": [{"b": 1}]}), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_of_pandas_is_written_as_ours(tmp_path: Path) -> None:
    table = pl.DataFrame({"title": ["Welcome"], "sent": [3]})
    ours, theirs = (write_table(one, tmp_path / "t.csv").read_bytes() for one in (table, table.to_pandas()))
    assert theirs == ours
    with pytest.raises(LogError, match="no table: list; give a polars frame"):
        write_table([1], tmp_path / "t.csv")


def test_an_unknown_ending_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean '.csv'"):
        write_table(HOSTILE, tmp_path / "t.cvs")


def sheet_texts(path: Path) -> str:
    return zipfile.ZipFile(path).read("xl/sharedStrings.xml").decode()


def test_headings_that_a_spreadsheet_would_run_are_shown(tmp_path: Path) -> None:
    table = pl.DataFrame({"=cmd()": [1], "plain": [2]})
    assert write_table(table, tmp_path / "t.csv").read_text().splitlines()[0] == "'=cmd(),plain"
    assert ">'=cmd()<" in sheet_texts(write_table(table, tmp_path / "t.xlsx"))
    assert write_table(table, tmp_path / "o.csv", spreadsheet_safe=False).read_text()[0] == "="


def test_a_text_too_long_for_a_cell_is_marked_and_told(tmp_path: Path) -> None:
    table = pl.DataFrame({"fits": ["y" * 32_767], "long": ["x" * 40_000]})
    with pytest.warns(UserWarning, match="1 texts are longer"):
        write_table(table, tmp_path / "t.xlsx")
    texts = sheet_texts(tmp_path / "t.xlsx")
    assert "x" * 32_766 + "…<" in texts
    assert "y" * 32_767 + "<" in texts


def test_a_workbook_holds_no_endless_number(tmp_path: Path) -> None:
    table = pl.DataFrame({"rate": [0.5, float("nan"), float("inf"), None]})
    sheet = zipfile.ZipFile(write_table(table, tmp_path / "t.xlsx")).read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<v>0.5</v>") == 1
    assert "#NUM" not in sheet


def test_the_same_table_makes_the_same_workbook(tmp_path: Path) -> None:
    made = write_table(pl.DataFrame({"a": ["x"]}), tmp_path / "one.xlsx")
    created = zipfile.ZipFile(made).read("docProps/core.xml").decode()
    assert created.count("2000-01-01T00:00:00Z") == 2
