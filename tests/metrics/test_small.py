"""Small groups: no count of a few is shown, and arithmetic with what is shown does not bring one back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import journey_nb as jn
from journey_nb import metrics
from journey_nb.cli import main
from journey_nb.events import Report
from journey_nb.exports import EXPORTS, _revenue, write_table
from journey_nb.metrics import small
from journey_nb.render.dashboard import dashboard_html
from journey_nb.render.detail import detail_html
from journey_nb.render.panels import table as table_html
from journey_nb.sections import heading
from journey_nb.simulate import simulate
from journey_nb.widgets._export import _Wanted

TABLES = [name for name in metrics.TABLES if name != "users"]
JOURNEY = jn.Journey.sample("welcome")
# Columns of numbers that count nobody.
UNCOUNTED = {"seconds", "seconds_to", "age", "gap", "value"}
FUNNELS = {
    "communications": ("sent", "delivered", "opened", "clicked"),
    "messages": ("sent", "delivered", "opened", "clicked"),
    "points": ("entered", "completed"),
    "audience": ("entrances", "unique_entrants"),
}


def published(stats: jn.JourneyStats) -> dict[str, pl.DataFrame]:
    tables = {name: getattr(stats, name)() for name in TABLES}
    tables |= {f"daily by {by}": stats.daily(by) for by in ("channel", "point", "goal")}
    for point in ("hello_push", "settle"):
        tables |= {
            f"waiting {point}": stats.waiting_times(point),
            f"response {point}": stats.response_times(point),
        }
    split = stats.experiment("offer_test", "first_order").table
    return {**tables, "cohorts": stats.cohorts(), "paths": stats.paths(), "variants": split}


def sums(tables: dict[str, pl.DataFrame]) -> Iterator[tuple[int, list[int]]]:
    """Every total with all the parts that sum to it."""
    health, audience = (tables[name].row(0, named=True) for name in ("health", "audience"))
    channels = dict(tables["communications"].select("channel", "sent").iter_rows())
    days = tables["daily"]
    for metric, total in {
        "entrances": health["entrances"],
        "completed": audience["completed"],
        "exits": audience["exits"],
        "drop_offs": health["drop_offs"],
        "goals": health["goals_reached"],
        "sent": health["messages_sent"],
    }.items():
        yield total, days.filter(metric=metric)["count"].to_list()
    yield health["drop_offs"], [health["internal_errors"], health["send_errors"]]
    yield health["messages_sent"], list(channels.values())
    yield health["goals_reached"], tables["goals"]["users"].to_list()
    sent = tables["daily by channel"].filter(metric="sent")
    for channel, total in channels.items():
        yield total, sent.filter(breakdown=channel)["count"].to_list()
        yield total, tables["messages"].filter(channel=channel)["sent"].to_list()
    by_channel = {key: rows["count"].to_list() for (key,), rows in sent.group_by("date")}
    for day, total in days.filter(metric="sent").select("date", "count").iter_rows():
        yield total, by_channel.get(day, [])
    for channel, outcome in (("push", "failed"), ("push", "skipped"), ("email", "skipped")):
        issues = tables["delivery_issues"].filter(channel=channel, outcome=outcome)["count"].to_list()
        for total in tables["communications"].filter(channel=channel)[outcome]:
            yield total, issues
    for row in tables["points"].iter_rows(named=True):
        here = pl.col("point_id") == row["point_id"]
        yield row["dropped"], tables["drops"].filter(here, grain="run")["count"].to_list()
        yield row["waiting"], tables["waiting"].filter(here)["runs"].to_list()


def parts(tables: dict[str, pl.DataFrame]) -> Iterator[tuple[int, int]]:
    """Every number with one that counts a part of it, whose rest is not shown."""
    for table, columns in FUNNELS.items():
        for row in tables[table].iter_rows(named=True):
            yield from (
                (row[whole], row[part])
                for whole, part in pairwise(columns)
                if row[whole] is not None and row[part] is not None and row[whole]
            )
    points = {row["point_id"]: row["completed"] for row in tables["points"].iter_rows(named=True)}
    for source, runs in tables["branches"].select("source", "runs").iter_rows():
        yield points[source], runs


def bounds(count: int, k: int) -> tuple[int, int]:
    """What is known of a count that is shown."""
    return (1, k - 1) if count < 0 else (count, count + (k - 1 if count else 0))


def less(one: tuple[int, int], others: list[tuple[int, int]]) -> tuple[int, int]:
    return one[0] - sum(high for _, high in others), one[1] - sum(low for low, _ in others)


@settings(max_examples=8)
@given(
    seed=st.integers(0, 10_000),
    users=st.integers(30, 150),
    k=st.integers(small.LEAST, 11),
    view=st.sampled_from(["launch", "7d"]),
)
def test_no_small_count_is_shown_or_comes_back(seed: int, users: int, k: int, view: str) -> None:
    exact = jn.JourneyStats(JOURNEY, simulate(JOURNEY, users=users, days=20, seed=seed)).period(view)
    tables, true = published(exact.small_groups(k)), published(exact)
    for name, frame in tables.items():
        for column in set(frame.select(cs.integer()).columns) - UNCOUNTED:
            counts = frame[column].drop_nulls().to_list()
            assert all(count % k == 0 and count >= -2 * k for count in counts), (name, column, counts)
            if name in metrics.TABLES and column != "waiting_before":
                assert counts == [small.shown(count, k) for count in true[name][column].drop_nulls()]
        for rate, of in metrics.RATES.get(name, {}).items():
            if {*of} <= {*frame.columns}:
                made = [small.ratio(*pair) for pair in frame.select(of).iter_rows()]
                assert frame[rate].to_list() == pytest.approx(made, nan_ok=True)
    checked = 0
    for total, counts in sums(tables):
        few = [count for count in counts if count < 0]
        known = [bounds(count, k) for count in counts if count]
        if few and len(few) < k - 1:  # of more each may be known to be 1: told of in docs/REPORTS.md
            known.remove((1, k - 1))
            low, high = less(bounds(total, k), known)
            assert max(low, 1) < min(high, k - 1), (total, counts)
            checked += 1
    assert checked
    for whole, part in parts(tables):
        low, high = less(bounds(whole, k), [bounds(part, k)])
        assert max(low, 0) < high or not 0 < high < k, (whole, part)


@pytest.fixture(scope="module")
def exact() -> jn.JourneyStats:
    return jn.JourneyStats(JOURNEY, simulate(JOURNEY, users=230, seed=1)).period("30d")


def test_beside_the_period_before_no_change_is_of_a_hidden_count(exact: jn.JourneyStats) -> None:
    week = exact.period("7d").compare().small_groups(5)
    frame = pl.concat([week.points(), week.messages()], how="diagonal")
    for name in (name.removesuffix("_change") for name in frame.columns if name.endswith("_change")):
        rows = frame.select(name, f"{name}_prev", f"{name}_change").drop_nulls()
        assert (rows[name] >= 0).all()
        assert (rows[f"{name}_prev"] >= 0).all()
    assert (frame["opened"] < 0).any()


def test_experiments_are_judged_by_whole_groups_only(exact: jn.JourneyStats) -> None:
    true, shown = (stats.experiment("offer_test", "first_order") for stats in (exact, exact.small_groups(3)))
    assert "winner" not in shown.verdict
    for row, real in zip(shown.table.iter_rows(named=True), true.table.iter_rows(named=True), strict=True):
        assert row["converted"] == small.shown(real["converted"], 3) or (
            real["converted"],
            row["converted"],
        ) == (0, -3)
        assert row["assigned"] <= real["assigned"] < row["assigned"] + 5
        assert row["rate"] == (
            small.ratio(row["converted"], row["assigned"]) if row["converted"] > 0 else None
        )
    assert (shown.table["converted"] < 0).any()


def test_what_tells_of_single_people_is_refused(exact: jn.JourneyStats) -> None:
    few, user = exact.small_groups(5), exact.users()["user_id"][0]
    for ask in (
        few.users,
        lambda: few.user_path(user),
        lambda: few.user_runs(user),
        lambda: few.user_events(user),
        lambda: few.nearest(user),
        lambda: few.beginning(user[:2]),
        lambda: few.rows("health.drop_offs"),
        lambda: few.time_to_goal("first_order"),
        lambda: few.incremental("first_order"),
        lambda: EXPORTS["users"](few),
        lambda: EXPORTS["step-users"](few, "hello_push"),
        lambda: EXPORTS["point-users"](few, "hello_push"),
    ):
        with pytest.raises(ValueError, match="smaller than 5 are hidden: ask for it with small_groups 0"):
            ask()
    assert few.small_groups(0).users().equals(exact.users())


@pytest.mark.parametrize("k", [1, 2, -5, True, 5.0, "5"])
def test_a_k_that_hides_nothing_is_none(exact: jn.JourneyStats, k: object) -> None:
    with pytest.raises(ValueError, match="take at least 3"):
        exact.small_groups(k)  # type: ignore[arg-type]


def test_the_k_goes_where_the_stats_go(exact: jn.JourneyStats, tmp_path: Path) -> None:
    few = exact.period("7d").small_groups(5)
    few.save(tmp_path)
    for other in (jn.JourneyStats.load(tmp_path), few.clock("cohort"), few.like(exact), exact.like(few)):
        assert other.least == 5
    assert few.verbs() == ".period('7d').small_groups(5)"


@pytest.mark.parametrize("name", ["campaign", "goal", "channel", "point"])
def test_files_hold_no_small_count(exact: jn.JourneyStats, name: str, tmp_path: Path) -> None:
    options = {"point_id": "hello_push"} if name == "point" else {}
    few, true = (EXPORTS[name](stats, **options) for stats in (exact.small_groups(5), exact))
    counts = ["value", "numerator", "denominator"] if name == "point" else few.select(cs.integer()).columns
    counts = [column for column in counts if column != "conversion days"]
    rows = few["unit"].is_in(["seconds", "share"]).not_() if name == "point" else few["goal" if name == "goal" else few.columns[0]].is_not_null()  # fmt: skip
    path = write_table(small.told(few, 5), tmp_path / "table.csv")
    text = (
        pl.read_csv(path, infer_schema=False)
        .filter(rows)
        .select(counts)
        .unpivot(value_name="cell")["cell"]
        .drop_nulls()
    )
    assert "< 5" in set(text)
    assert {cell for cell in text if cell != "< 5" and float(cell) % 5} == set()
    typed = pl.read_parquet(write_table(small.told(few, 5, typed=True), tmp_path / "table.parquet"))
    assert typed.schema == few.schema == true.schema
    assert not typed.select((pl.col(counts) < 0).any()).sum_horizontal().item()


@pytest.mark.parametrize(
    ("locale", "said"), [("en", "Redacted: groups"), ("fr", "Données protégées"), ("ko", "비식별 처리")]
)
def test_pictures_and_pages_say_so_and_hold_no_small_count(
    exact: jn.JourneyStats, locale: str, said: str, tmp_path: Path
) -> None:
    few = exact.small_groups(5)
    drawn = jn.canvas(few, heat="share", locale=locale)
    numbers = re.findall(
        r'data-key="(?:points|branches)\.[^"]*(?<!_rate)(?<!share)(?<!heat)">([^<]+)<', drawn.svg
    )
    assert "&lt; 5" in numbers
    assert {text for text in numbers if text != "&lt; 5" and int(re.sub(r"\D", "", text)) % 5} == set()
    hidden = few.branches().filter(pl.col("runs") < 0).select("source", "branch").row(0)
    assert f'data-branch="{"|".join(hidden)}"' in drawn.svg
    assert re.search(
        rf'data-branch="{re.escape("|".join(hidden))}" d="[^"]*" style="stroke-width:1.5"', drawn.svg
    )
    page = drawn.save(tmp_path / "still.html").read_text("utf-8")
    alive = (
        jn.JourneyCanvas(few, locale=locale).save(tmp_path / "alive.html", periods=["7d"]).read_text("utf-8")
    )
    for text in (
        drawn.svg,
        drawn.alt,
        page,
        alive,
        heading(few, locale=locale).html,
        dashboard_html(few, locale=locale).html,
    ):
        assert said in text
    assert said not in jn.canvas(exact, locale=locale).svg
    assert page.index(said) < page.index("<figure")
    assert "off_by" not in drawn.svg


def test_a_detail_window_offers_no_list_of_people(exact: jn.JourneyStats) -> None:
    plain, few = (detail_html(stats, "hello_push").html for stats in (exact, exact.small_groups(5)))
    for told in ('data-what="point-users"', 'data-what="step-users"', 'data-action="statistics"'):
        assert told in plain
        assert told not in few
    assert 'data-what="point"' in few


def test_the_command_line_hides_them_in_files(
    exact: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    JOURNEY.write("w.journey.json")
    simulate(JOURNEY, users=230, seed=1).write_parquet("log.parquet")
    monkeypatch.setenv("JOURNEY_NB_PSEUDONYM_KEY", "a key of many bytes, not this one")

    def export(*options: str) -> Result:
        return CliRunner().invoke(
            main, ["export", "w.journey.json", "log.parquet", "--period", "30d", *options]
        )

    for options in (["--small-groups", "5"], ["--redact"]):
        assert export("-t", "campaign", *options).exit_code == 0
        expected = small.told(EXPORTS["campaign"](exact.small_groups(5)), 5).lazy().collect()
        assert pl.read_csv("campaign.csv", infer_schema=False).equals(expected.cast(pl.String))
    assert export("-t", "users", "--redact").exit_code == 0
    refused = export("-t", "users", "--small-groups", "5")
    assert refused.exit_code == 1
    assert "ask for it with --small-groups 0" in refused.output.replace("\n", " ")
    assert "take at least 3" in export("-t", "campaign", "--small-groups", "2").output


def test_money_that_goes_back_is_no_hidden_count(exact: jn.JourneyStats, tmp_path: Path) -> None:
    frame = pl.DataFrame({"Goals": [-5, 20], "Revenue EUR": [-1700.0, -3.5]})
    assert small.told(frame, 5).rows() == [("< 5", -1700.0), ("20", -3.5)]
    for name, value, shown in (("Revenue EUR", -1700.0, "-1,700"), ("Goals", -5, "&lt; 5")):
        html = str(table_html(pl.DataFrame({name: [value]}))).replace("\u2212", "-")
        assert f">{shown}<" in html


def test_revenue_is_of_users_not_of_how_often_they_paid() -> None:
    row = {
        "user_id": "u",
        "journey_id": JOURNEY.journey_id,
        "version": 2,
        "run_id": "r",
        "kind": "goal.reached",
    }
    paid = {**row, "goal_id": "first_order", "value": 20.0, "currency": "EUR"}
    rows = [{**row, "kind": "run.entered", "point_id": "signup"}, *[paid] * 6]
    log = pl.DataFrame(
        [{**one, "occurred_at": 1_773_000_000 + n} for n, one in enumerate(rows)], infer_schema_length=None
    )
    scope = jn.JourneyStats(JOURNEY, log).scope
    assert _revenue(scope, 0) == {"Revenue EUR": 120.0}
    assert _revenue(scope, 5) == {"Revenue EUR": None}


def test_percentiles_rest_on_the_visits_whose_arrival_is_known() -> None:
    log = simulate(JOURNEY, users=60, seed=3)
    whole = log.filter(pl.col("kind") == "run.entered")["run_id"][0]
    later = log.filter((pl.col("run_id") == whole) | ~pl.col("kind").is_in(["run.entered", "point.entered"]))
    points = jn.JourneyStats(JOURNEY, later).small_groups(5).points()
    one = points.filter((pl.col("entered") < 5) & (pl.col("completed") >= 5))
    assert one.height
    assert one["seconds_p50"].null_count() == one.height


def test_a_report_in_words_hides_too(exact: jn.JourneyStats) -> None:
    told = Report(pl.DataFrame({"rule": ["missing"], "rows": [-5], "example": [None]}), 100, 95, 0, -5)
    assert str(told).splitlines() == [
        "100 rows read = 95 loaded + 0 duplicates + < 5 quarantined", "  missing                < 5",
    ]  # fmt: skip


def test_files_of_what_is_hidden_have_names_of_their_own(exact: jn.JourneyStats) -> None:
    wanted = _Wanted("goal", {"goal": "first_order"})
    plain, few = (
        wanted.name(stats.between("2026-03-01", "2026-03-31")) for stats in (exact, exact.small_groups(5))
    )
    assert plain != few
    assert "small-groups-5" in few
