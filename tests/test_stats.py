"""The public face: verbs narrow, groups add up, comparison stands beside, errors name the fix."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb import charts, metrics
from journey_nb.exports import point_users, step_users
from journey_nb.metrics import paths
from journey_nb.render import redacted
from journey_nb.render.dashboard import Choice, dashboard_html
from journey_nb.simulate import audience, simulate

SUMS = {
    "health": ["entrances", "messages_sent", "drop_offs"],
    "audience": ["entrances", "in_journey", "exits"],
}


@pytest.fixture(scope="module")
def stats() -> jn.JourneyStats:
    journey = jn.Journey.sample("welcome")
    people = audience(600, seed=3)
    return jn.JourneyStats(journey, simulate(journey, 600, seed=3), attributes=people)


def test_verbs_leave_the_original_as_it_was(stats: jn.JourneyStats) -> None:
    before = stats.health()
    other = stats.period("7d").clock("cohort").version(1).machine().where(variant="A").compare()
    assert other is not stats
    assert other.facts is stats.facts
    assert_frame_equal(stats.health(), before)


@pytest.mark.parametrize("dimension", ["variant", "entry_point", "version", "country"])
@pytest.mark.parametrize("table", list(SUMS))
def test_groups_add_up_to_the_whole(stats: jn.JourneyStats, dimension: str, table: str) -> None:
    whole, parts = getattr(stats, table)(), getattr(stats, table)(by=dimension)
    assert parts.columns == [dimension, *whole.columns]
    for name in SUMS[table]:
        assert parts[name].sum() == whole[name].item()


@pytest.mark.parametrize("table", sorted(set(metrics.TABLES) - {"users", "credit"}))
def test_every_table_takes_by_where_and_compare(stats: jn.JourneyStats, table: str) -> None:
    narrowed = stats.period("30d").where(version=2)
    plain = getattr(narrowed, table)()
    options = {"split": "variant"} if table == "daily" else {"by": "variant"}
    grouped = getattr(narrowed, table)(**options)
    assert grouped.columns == ["variant", *plain.columns]
    compared = getattr(narrowed.compare(), table)()
    numbers = [n for n, d in plain.schema.items() if d.is_numeric() and n not in metrics.KEYS[table]]
    assert compared.columns == [
        *plain.columns,
        *(f"{n}{end}" for n in numbers for end in ("_prev", "_change")),
    ]
    keys = metrics.KEYS[table]
    both = (
        compared.filter(pl.any_horizontal(pl.col(n).is_not_null() for n in numbers)) if numbers else compared
    )
    assert both.height >= plain.height
    assert_frame_equal(compared.select(plain.columns).head(plain.height), plain, check_row_order=bool(keys))


def test_a_group_equals_the_same_condition(stats: jn.JourneyStats) -> None:
    by_country = stats.points(by="country").filter(pl.col("country") == "FR").drop("country")
    assert_frame_equal(by_country, stats.where(country="FR").points())


def test_where_takes_lists_and_adds_up_over_calls(stats: jn.JourneyStats) -> None:
    countries = stats.health(by="country")["country"].to_list()[:2]
    both = stats.where(country=countries).health()["entrances"].item()
    assert both == sum(stats.where(country=c).health()["entrances"].item() for c in countries)
    assert stats.where(country=countries[0]).where(country=countries[1]).health()["entrances"].item() == 0


def test_where_takes_a_frame_of_users(stats: jn.JourneyStats) -> None:
    some = stats.users(limit=20).select("user_id").unique()
    assert set(stats.where(users=some).users()["user_id"]) == set(some["user_id"])
    assert stats.where(users=[]).health()["entrances"].item() == 0


@pytest.mark.parametrize(
    "held", [pd.Series, np.array, pa.array, pl.Series, iter, set, partial(np.array, dtype=object), pd.array]
)
def test_where_takes_whatever_holds_several_values(stats: jn.JourneyStats, held: Callable[..., Any]) -> None:
    some = stats.users(limit=5)["user_id"].to_list()
    assert set(stats.where(users=held(some)).users()["user_id"]) == set(some)
    assert set(stats.where(users=[7, *some]).users()["user_id"]) == set(some)
    assert_frame_equal(
        stats.where(variant=held(["A", "B"])).health(), stats.where(variant=["A", "B"]).health()
    )


def test_statistics_are_wanted_where_others_are_given(stats: jn.JourneyStats, tmp_path: Path) -> None:
    store = jn.Store(tmp_path)
    store.add(stats.journey)
    for asked in (lambda: stats.like("x"), lambda: jn.campaign_statistics(store)):
        with pytest.raises(TypeError, match="statistics are wanted, not a str"):
            asked()


def test_numbers_of_numpy_are_said_as_plain_ones(stats: jn.JourneyStats, tmp_path: Path) -> None:
    one = stats.version(np.int64(1)).history(np.int32(30)).small_groups(np.int64(5))
    assert one.verbs() == ".version(1).small_groups(5).history(30)"
    one.save(tmp_path)
    days = stats.between(np.datetime64("2026-03-01", "ns"), np.datetime64("2026-03-05"))
    assert days.verbs() == ".between('2026-03-01T00:00:00', '2026-03-05')"
    assert stats.experiment("offer_test", "first_order", planned_n=np.int64(300)).verdict
    assert stats.users(limit=np.int64(5), offset=np.int64(1)).height == 5
    told = stats.where(version=np.int64(2), users=np.str_("u1")).where(variant=[np.str_("A")]).verbs()
    assert told == ".where(version=2).where(users=['u1']).where(variant=['A'])"
    assert stats.where(users=range(3)).verbs() == ".where(users=['0', '1', '2'])"


def test_an_attribute_is_taken_as_it_was_at_the_entry(stats: jn.JourneyStats) -> None:
    user = stats.facts.runs["user_id"][0]
    entered = stats.facts.runs["entered_at"][0]
    plans = pl.DataFrame(
        {
            "user_id": [user, user],
            "valid_from": [
                datetime(2000, 1, 1, tzinfo=entered.tzinfo),
                datetime(2100, 1, 1, tzinfo=entered.tzinfo),
            ],
            "plan": ["free", "paid"],
        }
    )
    changed = jn.JourneyStats(stats.journey, stats.facts, attributes=plans)
    assert changed.where(plan="free").health()["entrances"].item() >= 1
    assert changed.where(plan="paid").health()["entrances"].item() == 0


def test_comparison_is_the_period_before_itself(stats: jn.JourneyStats) -> None:
    now = stats.period("7d")
    scope = now.previous_scope
    assert scope is not None
    before = now.between(scope.start, scope.end).health()
    compared = now.compare().health()
    for name in before.columns:
        assert compared[f"{name}_prev"].item() == before[name].item()
    entrances, old = compared["entrances"].item(), before["entrances"].item()
    assert compared["entrances_change"].item() == pytest.approx((entrances - old) / old)


def test_intervals_hold_their_rate(stats: jn.JourneyStats) -> None:
    messages = stats.messages(intervals=True).drop_nulls("open_rate")
    assert messages.select(
        (pl.col("open_rate").is_between(pl.col("open_rate_low"), pl.col("open_rate_high"))).all()
    ).item()
    assert messages["open_rate_small"].to_list() == (messages["sent"] < 30).to_list()


def test_anything_with_an_arrow_stream_is_a_log(stats: jn.JourneyStats) -> None:
    class Foreign:
        def __init__(self, frame: pl.DataFrame) -> None:
            self.frame = frame

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.frame.__arrow_c_stream__(requested_schema)

    log = simulate(stats.journey, 50, seed=1)
    assert_frame_equal(
        jn.JourneyStats(stats.journey, Foreign(log)).points(), jn.JourneyStats(stats.journey, log).points()
    )


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda s: s.period("this_weak"), "did you mean 'this_week'"),
        (lambda s: s.clock("cohorts"), "did you mean 'cohort'"),
        (lambda s: s.where(contry="FR"), "did you mean 'country'"),
        (lambda s: s.version(True), "no version's number"),
        (lambda s: s.version(2.0), "no version's number"),
        (lambda s: s.history("30"), "how many days"),
        (lambda s: s.history(1.5), "how many days"),
        (lambda s: s.small_groups(5.0), "take at least 3"),
        (lambda s: s.experiment("offer_test", "first_order", planned_n=True), "no number of units"),
        (lambda s: s.users(limit=-1), "how many rows"),
        (lambda s: s.users(limit="5"), "how many rows"),
        (lambda s: s.users(offset=-2), "how many rows to pass over"),
        (lambda s: s.beginning("u", limit=-1), "how many ids"),
        (lambda s: s.paths(top="5"), "how many ways"),
        (lambda s: s.daily(place="evnt"), "place='evnt'; did you mean 'event'"),
        (lambda s: s.health(by="varient"), "did you mean 'variant'"),
        (lambda s: s.where(users=pl.DataFrame({"users_id": []})), "did you mean 'users_id'"),
        (lambda s: s.compare("last"), "use 'previous'"),
        (lambda s: s.health(by="user_name"), "nothing called 'user_name'"),
        (lambda s: s.explain("open_rat"), "open_rate"),
        (lambda s: s.paths(top=-1), "1 or more, or None for all"),
    ],
)
def test_a_mistake_is_told_with_its_mend(stats: jn.JourneyStats, ask: object, says: str) -> None:
    with pytest.raises((ValueError, KeyError), match=says):
        ask(stats)  # type: ignore[operator]


def test_an_unknown_version_lists_those_there_are(stats: jn.JourneyStats) -> None:
    with pytest.raises(KeyError, match="there are 1, 2"):
        stats.version(9)


def test_a_rate_above_one_is_marked() -> None:
    journey = jn.Journey.model_validate(
        {
            "journey_id": "j",
            "goals": [{"goal_id": "g", "event": "buy"}],
            "versions": [{"version": 1, "points": [{"point_id": "E", "type": "entry_api"}]}],
        }
    )
    base = {"user_id": "u", "journey_id": "j", "version": 1, "run_id": "r", "point_id": "E"}
    rows = [
        base | {"event_id": "1", "occurred_at": "2026-01-20T00:00Z", "kind": "run.entered"},
        base | {"event_id": "2", "occurred_at": "2026-02-02T00:00Z", "kind": "goal.reached", "goal_id": "g"},
        base | {"event_id": "3", "occurred_at": "2026-02-03T00:00Z", "kind": "goal.reached", "goal_id": "g", "user_id": "v", "run_id": "s"},
        base | {"event_id": "4", "occurred_at": "2026-01-03T00:00Z", "kind": "run.entered", "user_id": "v", "run_id": "s"},
        base | {"event_id": "5", "occurred_at": "2026-02-03T00:00Z", "kind": "run.entered", "user_id": "w", "run_id": "t"},
    ]  # fmt: skip
    stats = jn.JourneyStats(journey, pl.DataFrame(rows)).between("2026-02-01", "2026-02-28")
    assert stats.goals()["conversion_rate"].item() == 2.0
    assert stats.marks("goals").filter(pl.col("column") == "conversion_rate")["mark"].to_list() == [
        "mixed_cohorts"
    ]
    assert stats.clock("cohort").goals()["conversion_rate"].item() == 0.0
    assert stats.clock("cohort").marks("goals").is_empty()
    assert stats.marks("health").is_empty()
    # And pictures mark it, with what it means below; the cohort clock's have nothing to mark.
    for clock, marked in (("activity", True), ("cohort", False)):
        seen = stats.clock(clock)
        dashboard = str(dashboard_html(seen, Choice("performance"), locale="fr"))
        chart = charts.goals(seen.goals()).to_dict()["description"]
        for text, note in ((dashboard, "* Comprend"), (chart, "* Includes")):
            assert ("200" in text) == (note in text) == marked


def test_repr_is_short_whatever_the_title() -> None:
    journey = jn.Journey.sample("welcome").model_copy(update={"title": "x" * 1_000_000})
    assert len(repr(jn.JourneyStats(journey, simulate(jn.Journey.sample("welcome"), 5)))) < 300


def test_what_is_saved_is_what_is_loaded(stats: jn.JourneyStats, tmp_path: Path) -> None:
    chosen = (
        stats.between("2026-03-01", "2026-04-30").clock("cohort").where(country="FR").version(2).machine()
    )
    chosen.save(tmp_path / "kept")
    again = jn.JourneyStats.load(tmp_path / "kept")
    for table in ("health", "points", "users", "daily"):
        assert_frame_equal(getattr(again, table)(), getattr(chosen, table)())
    assert_frame_equal(again.health(by="country"), chosen.health(by="country"))
    assert_frame_equal(again.facts.quarantined, chosen.facts.quarantined)


def test_comparison_goes_with_intervals(stats: jn.JourneyStats) -> None:
    compared = stats.period("7d").compare().messages(intervals=True)
    assert {"open_rate_low", "open_rate_low_prev", "sent_prev"} <= set(compared.columns)


def test_a_value_that_no_run_has_is_refused_not_read_as_none(stats: jn.JourneyStats) -> None:
    people = stats.users().select("user_id").unique().sort("user_id").with_row_index("age")
    people = people.with_columns(age=pl.when(pl.col("age") > 3).then("age"))
    aged = jn.JourneyStats(stats.journey, stats.facts, attributes=people)
    for value in ("old", 30.5):
        with pytest.raises(ValueError, match="no age"):
            aged.where(age=value)
    assert aged.where(age=5).users()["user_id"].n_unique() == 1
    assert aged.where(age=None).users()["user_id"].n_unique() == 4


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"entry": "sign_up"}, "no entry point 'sign_up'; did you mean 'signup'"),
        ({"entry": ["signup", "tour"]}, r"no entry point 'tour' \(there are signup\)"),
        ({"variant": ["A", None, "Z"]}, r"no variant 'Z' \(there are .*A"),
        ({"version": 9}, r"no version 9 \(there are 1, 2\)"),
        ({"version": "2"}, r"no version '2'; write 2"),
        ({"users": 4.5}, "not a float"),
    ],
)
def test_what_no_run_can_be_is_refused(stats: jn.JourneyStats, where: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        stats.where(**where)


def test_what_a_run_may_come_to_be_is_taken(stats: jn.JourneyStats) -> None:
    empty = jn.JourneyStats(stats.journey, pl.DataFrame(schema=jn.events.COLUMNS))
    assert empty.where(variant="A", entry="signup", version=1).health()["entrances"].item() == 0
    assert stats.where(variant=None, users=42).health()["entrances"].item() == 0
    split = jn.Journey.sample("abandoned_cart")
    assert not any(branch.key.startswith("variant:") for branch in split.version().branches)
    assert jn.JourneyStats(split, simulate(split, 20, seed=1)).where(variant="later").users().is_empty()


def test_a_variant_is_not_seen_before_it_is_assigned(stats: jn.JourneyStats) -> None:
    first = stats.facts.runs["variant_at"].min()
    assert isinstance(first, datetime)
    early = stats.as_of(first - timedelta(microseconds=1))
    assert early.health(by="variant")["variant"].to_list() == [None]
    assert stats.where(variant="A").as_of(first - timedelta(microseconds=1)).health()["entrances"].item() == 0


def test_a_group_is_not_told_of_before_its_first_run(stats: jn.JourneyStats) -> None:
    first = stats.facts.runs["first_at"].min()
    runs = stats.facts.runs.unique("user_id", keep="first", maintain_order=True)
    kinds = runs.select(
        "user_id", kind=pl.when(pl.col("first_at") == first).then(pl.lit("old")).otherwise(pl.lit("new"))
    )
    told = jn.JourneyStats(stats.journey, stats.facts, attributes=kinds)
    assert told.health(by="kind")["kind"].to_list() == ["new", "old"]
    assert told.as_of(first).health(by="kind")["kind"].to_list() == ["old"]
    assert told.as_of(first - timedelta(microseconds=1)).health(by="kind").is_empty()


def test_goals_beside_a_period_without_their_currency() -> None:
    journey = jn.Journey.model_validate(
        {
            "journey_id": "j",
            "goals": [{"goal_id": "g", "event": "buy"}],
            "versions": [{"version": 1, "points": [{"point_id": "E", "type": "entry_api"}]}],
        }
    )
    base = {"user_id": "u", "journey_id": "j", "version": 1, "run_id": "r"}
    rows = [
        base | {"event_id": "1", "occurred_at": "2026-01-01T01:00Z", "kind": "run.entered", "point_id": "E"},
        base | {"event_id": "2", "occurred_at": "2026-01-01T02:00Z", "kind": "goal.reached", "goal_id": "g"},
        base
        | {"event_id": "3", "occurred_at": "2026-01-02T02:00Z", "kind": "goal.reached", "goal_id": "g"}
        | {"value": 10.0, "currency": "EUR"},
    ]
    stats = jn.JourneyStats(journey, pl.DataFrame(rows, infer_schema_length=None))
    row = stats.between("2026-01-02", "2026-01-02").compare().goals().row(0, named=True)
    assert (row["users"], row["users_prev"], row["value"], row["value_prev"]) == (1, 1, 10.0, None)


def test_credit_by_decay_adds_up_however_long_ago(stats: jn.JourneyStats) -> None:
    users = stats.credit(rule="time_decay", half_life=timedelta(seconds=1))["users"]
    assert users.is_finite().all()
    assert users.sum() == pytest.approx(stats.credit()["users"].sum())
    with pytest.raises(ValueError, match="above 0"):
        stats.credit(rule="time_decay", half_life=timedelta(0))


def test_a_column_of_the_same_name_does_not_hinder_grouping(stats: jn.JourneyStats) -> None:
    table = stats.variants("offer_test", "first_order", by="variant")
    assert table.columns[:2] == ["run_variant", "variant"]


def test_ids_are_read_as_the_log_reads_them(stats: jn.JourneyStats) -> None:
    journey = stats.journey
    log = simulate(journey, 30, seed=1).with_columns(
        pl.col("user_id").str.extract(r"(\d+)").cast(pl.Int64).cast(pl.String)
    )
    ids = log["user_id"].unique().cast(pl.Float64)
    numbered = jn.JourneyStats(journey, log, attributes=pl.DataFrame({"user_id": ids, "of": "x"}))
    assert numbered.health(by="of")["of"].to_list() == ["x"]
    assert numbered.where(users=ids).health()["entrances"].item() == numbered.health()["entrances"].item()
    twice = jn.JourneyStats(journey, log, attributes=pl.DataFrame({"user_id": [1, 1], "of": ["x", "y"]}))
    with pytest.raises(ValueError, match="several values"):
        twice.health(by="of")


def test_runs_that_were_chosen_singly_are_not_looked_for_among_other_facts(
    welcome: jn.Journey, tmp_path: Path
) -> None:
    events = simulate(welcome, users=20, seed=2)
    some = jn.JourneyStats(welcome, events).where(users=["u0000001"])
    some.save(tmp_path / "some")
    with pytest.raises(ValueError, match="choose them by where"):
        jn.JourneyStats(welcome, events[100:]).like(jn.JourneyStats.load(tmp_path / "some"))


def test_users_are_chosen_by_their_own_word(welcome_stats: jn.JourneyStats) -> None:
    with pytest.raises(TypeError, match="users= takes user ids"):
        welcome_stats.where(user_id=["u0000001"])


def test_what_only_one_period_has_is_nothing_in_the_other(stats: jn.JourneyStats) -> None:
    compared = stats.between("2026-03-20", "2026-04-05").compare()
    points, now = compared.points(), stats.between("2026-03-20", "2026-04-05").points()
    gone = points.filter(~pl.col("point_id").is_in(now["point_id"].implode()))
    drops = compared.drops()
    assert gone.height + drops.filter(pl.col("count") == 0).height > 0
    for table, number in ((points, "entered"), (drops, "count"), (compared.messages(), "sent")):
        assert table.select(pl.col(number, f"{number}_prev").null_count().name.keep()).row(0) == (0, 0)
        fell = table.filter(pl.col(number) == 0, pl.col(f"{number}_prev") > 0)
        assert (fell[f"{number}_change"] == -1).all()
    assert compared.messages()["title"].null_count() == 0


def test_without_a_period_before_nothing_stands_beside(stats: jn.JourneyStats) -> None:
    compared = stats.compare().points()
    assert compared["entered_prev"].null_count() == compared["entered_change"].null_count() == compared.height


def changing(stats: jn.JourneyStats, *since: Any) -> pl.DataFrame:
    """Everybody on one plan, then on the other."""
    ids = stats.users().select("user_id").unique().sort("user_id")
    plans = zip(("free", "paid"), since, strict=True)
    return pl.concat(ids.with_columns(plan=pl.lit(plan), valid_from=pl.lit(at)) for plan, at in plans)


@pytest.mark.parametrize(
    ("since", "says"),
    [
        (("2026-01-01", "01/04/2026"), "valid_from '01/04/2026' is no time: write 2026-03-01"),
        (("2026-01-01", "2026-01-01"), "has several values of 'plan': keep one row"),
    ],
)
def test_an_attribute_that_contradicts_itself_is_refused(
    stats: jn.JourneyStats, since: tuple[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        jn.JourneyStats(stats.journey, stats.facts, attributes=changing(stats, *since)).health(by="plan")


def test_an_attribute_is_not_called_as_what_runs_have_themselves(stats: jn.JourneyStats) -> None:
    app = pl.DataFrame({"user_id": ["u"], "version": ["5.1"]})
    with pytest.raises(ValueError, match="'version' is what each run has by itself"):
        jn.JourneyStats(stats.journey, stats.facts, attributes=app)


def test_attributes_of_nobody_are_passed_over(stats: jn.JourneyStats) -> None:
    attributes = pl.DataFrame({"user_id": [None, None, "u0000001"], "plan": ["a", "b", "c"]})
    told = jn.JourneyStats(stats.journey, stats.facts, attributes=attributes)
    assert set(told.health(by="plan")["plan"]) <= {"c", None}
    with pytest.raises(ValueError, match=r"no plan 'C'; did you mean|no plan 'C' \(there are a, b, c\)"):
        told.where(plan="C")


def test_statistics_are_saved_over_others(stats: jn.JourneyStats, tmp_path: Path) -> None:
    stats.where(version=2).save(tmp_path)
    stats.save(tmp_path)
    assert_frame_equal(jn.JourneyStats.load(tmp_path).health(), stats.health())


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda s: s.experiment("offer_test", "first_order", mde=2), "0.01 stands for one percentage point"),
        (lambda s: s.experiment("offer_test", "first_order", mde="5%"), "mde='5%' is no difference"),
        (lambda s: s.experiment("offer_test", "first_order", planned_n=-5), "whole one from 1 on"),
        (lambda s: s.credit("first_order", "time_decay", half_life=7), r"timedelta\(days=7\)"),
        (lambda s: s.credit("first_order", "position_based", first=float("nan")), "at most 1 together"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(stats: jn.JourneyStats, ask: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ask(stats)


def test_the_verbs_are_told_as_code_whatever_attributes_are_called(welcome: jn.Journey) -> None:
    events = simulate(welcome, users=20, seed=3)
    attributes = (
        events.select("user_id")
        .unique()
        .with_columns(pl.lit(datetime(2026, 1, 1).date()).alias("since"), pl.lit("x").alias("my col"))
    )
    stats = jn.JourneyStats(welcome, events, attributes=attributes)
    told = stats.where(**{"my col": "x"}).where(since=[datetime(2026, 1, 1).date()]).verbs()
    assert told == ".where(**{'my col': 'x'}).where(since=['2026-01-01'])"


@pytest.mark.parametrize("clock", ["activity", "cohort"])
def test_a_policy_limits_how_far_back_people_are_told_of(welcome: jn.Journey, clock: Any) -> None:
    stats = jn.JourneyStats(welcome, simulate(welcome, users=200, seed=3)).clock(clock)
    late, since = (
        stats.history(20),
        stats.facts.last_at.astimezone(ZoneInfo(welcome.timezone)).date() - timedelta(days=19),
    )
    assert late.points().equals(stats.points())
    assert late.daily().equals(stats.daily())
    recent = stats.between(since, stats.scope.end)
    assert late.users().equals(recent.users())
    assert step_users(late, "hello_push").equals(step_users(recent, "hello_push"))
    assert point_users(late, "hello_push").equals(point_users(recent, "hello_push"))
    ended = 0
    for user in stats.users()["user_id"].head(12):
        runs = stats.user_runs(user)
        over = (runs["left_at"].dt.date() < since).fill_null(False)
        ended += over.sum()
        kept = runs.filter(~over)
        assert late.user_runs(user).equals(kept)
        for told in (late.user_path(user), late.user_events(user)):
            assert set(told["run_id"]) <= set(kept["run_id"])
    assert ended > 0
    assert late.between("2020-01-01", "2020-01-31").users().is_empty()
    assert late.history(None).users().equals(stats.users())
    assert late.verbs() == stats.verbs() + ".history(20)"
    assert "20 days" in redacted(late)
    with pytest.raises(ValueError, match="1 or more"):
        stats.history(0)


def test_a_user_is_looked_up_once_for_all_that_is_told_of_them(
    stats: jn.JourneyStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    look_up = paths.user_path
    monkeypatch.setattr(paths, "user_path", lambda scope, user: (asked.append(user), look_up(scope, user))[1])
    one, other = stats.users(limit=2)["user_id"]
    fresh = stats.period("launch")
    first = fresh.user_path(one)
    first.insert_column(0, pl.Series("mine", range(first.height)))
    assert_frame_equal(fresh.user_path(one), first.drop("mine"))
    assert fresh.user_path(other).height
    assert_frame_equal(fresh.user_path(one), first.drop("mine"))
    assert asked == [one, other, one]
