"""The heat map, the comparison on each card, and what is behind a point."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape

import polars as pl
import pytest
from fabricate import HOSTILE, tables, welcome

import journey_nb as jn
from journey_nb.exports import MessageRuns
from journey_nb.render import canvas_svg
from journey_nb.render.card import card, draw
from journey_nb.render.detail import People, concluded, detail_html
from journey_nb.render.heat import LEVELS, MEASURES, heat
from journey_nb.render.panels import cell
from journey_nb.simulate import simulate
from journey_nb.style import format, word


def rows(stats: jn.JourneyStats) -> dict[str, dict[str, object]]:
    return {row["point_id"]: row for row in stats.points().iter_rows(named=True)}


@pytest.mark.parametrize("measure", MEASURES)
def test_the_hottest_point_has_the_last_level_and_the_order_is_that_of_the_numbers(
    welcome_stats: jn.JourneyStats, measure: str
) -> None:
    found = heat(rows(welcome_stats), measure, welcome_stats.health()["entrances"].item())
    values = {point: MEASURES[measure](rows(welcome_stats)[point], 541) for point in found}
    assert max(shown.level for shown in found.values()) == LEVELS
    order = sorted(found, key=lambda point: values[point])
    assert [found[point].level for point in order] == sorted(found[point].level for point in order)
    assert all((found[point].level == 0) == (not values[point]) for point in found)


def test_a_tinted_card_says_its_number_too() -> None:
    svg = canvas_svg(welcome(), None, *tables(welcome()), heat="share")
    assert svg.count('class="tint') == len(re.findall(r'data-key="points\.\w+\.heat"', svg)) > 5
    assert "Of all entrances: 100%" in svg
    assert 'class="tint' not in canvas_svg(welcome(), None, *tables(welcome()))


def test_tables_call_steps_as_the_picture_does_and_tell_apart_those_of_one_title() -> None:
    document = json.loads(jn.Journey.sample("welcome").to_json())
    for point in document["versions"][-1]["points"]:
        if point["point_id"] in ("hello_push", "first_look"):
            point["title"] = "Twice"
    named = jn.Journey.model_validate(document)
    stats = jn.JourneyStats(named, simulate(named, users=50, seed=1))
    html = str(jn.canvas(stats).figure)
    assert ">hello_push<" not in html
    assert html.count(">Twice (hello_push)<") >= 2, "as a step, and as where branches lead"
    assert ">Twice (first_look)<" in str(detail_html(stats, "hello_push"))


def test_a_measure_that_is_not_known_is_refused(welcome_stats: jn.JourneyStats) -> None:
    with pytest.raises(ValueError, match="did you mean 'drop_rate'"):
        jn.canvas(welcome_stats, heat="drop rate")


def test_every_card_is_compared_with_the_period_before(welcome_stats: jn.JourneyStats) -> None:
    compared = welcome_stats.period("7d").compare()
    svg = jn.canvas(compared).svg
    for row in compared.points().iter_rows(named=True):
        key = f'data-key="points.{row["point_id"]}.entered_change"'
        assert (key in svg) == (row["entered_prev"] is not None)


@pytest.mark.parametrize("locale", ["en", "fr", "ko"])
def test_no_number_of_a_comparison_is_cut(locale: str) -> None:
    """“was 1,240” with its end cut off told of 1; “avant 706” of 7."""
    journey = jn.Journey.sample("welcome")
    point = journey.version().points[0]
    for before in (7, 706, 1_240, 70_600, 706_000, 7_060_000, 999_000_000):
        for change in (-0.351, 0.004, 12.34, 98.76):
            numbers = {"entered": 1, "entered_prev": before, "entered_change": change}
            svg = draw(card(point, numbers, [], locale=locale), 0, 0)
            told = word("previous", locale, value=format.count(before, locale, short=True))
            whole = f"{format.change(change, locale)} · {told}</text>"
            assert " ".join(whole.split()) in " ".join(svg.split())


def test_each_number_of_the_canvas_has_a_place_in_the_detail_that_is_reached_by_keys_and_says_what_it_counts(
    welcome_stats: jn.JourneyStats,
) -> None:
    """A card is one stop for Tab; Enter opens its window, where each of its numbers is a stop of its own."""
    renamed = {"opened_rate": "open_rate", "clicked_rate": "click_rate"}
    svg = jn.canvas(welcome_stats).svg
    stop = re.compile(r'<(?:div|summary|th)\b[^>]*title="[^"]+"[^>]*>')
    for point in welcome_stats.journey.version().points:
        html = detail_html(welcome_stats, point.point_id).html
        groups = re.findall(
            r'role="group" tabindex="0" aria-label="[^"]+" title="[^"]+">.*?data-key="([^"]+)"', html
        )
        shown = set(re.findall(rf'data-key="points\.{point.point_id}\.([^"]+)"', svg))
        missing = (
            {renamed.get(name, name) for name in shown} - set(groups) - {"interacted_rate", "dismissed_rate"}
        )
        assert missing <= {"drop_offs"}
        folded = [found for found in stop.findall(html) if "summary" in found]
        assert bool(folded) == (
            svg.count(f'points.{point.point_id}.drop_offs">0<') == 0 and "drop_offs" in shown
        )
        if f'data-key="branches.{point.point_id}|' in svg:
            headings = re.findall(r'<th[^>]*tabindex="0" title="[^"]+">([^<]+)<', html)
            assert {"Runs", "Share"} <= set(headings)


def test_the_detail_of_each_point_shows_what_the_tables_say(welcome_stats: jn.JourneyStats) -> None:
    for row in welcome_stats.points().iter_rows(named=True):
        html = detail_html(welcome_stats, row["point_id"]).html
        drops = welcome_stats.drops(row["point_id"])
        assert f'data-key="entered">{row["entered"]:,}<' in html
        assert ('data-action="drops"' in html) == (drops.height > 0)
        for said, grain in (("Drop-offs: ", "message"), ("Left by error: ", "run")):
            lost = drops.filter(pl.col("grain") == grain)["count"].sum()
            assert (f"{said}{lost:,}" in html) == (lost > 0)
        assert ("By day" in html) == (row["type"] == "message")
        assert ("Waiting, the longest first" in html) == bool(row["waiting"])
        assert ("Verdict: " in html) == (row["type"] == "split_abn")
        ways = welcome_stats.branches().filter(pl.col("source") == row["point_id"])
        designed = (
            welcome_stats.journey.version().outgoing(row["point_id"])
            if row["point_id"] in welcome_stats.journey.version()
            else ()
        )
        assert ("Ways on" in html) == bool(designed)
        if len(designed) > 1:
            assert all(f"{runs:,}</td>" in html for runs in ways["runs"])


def test_every_number_of_every_window_says_what_it_counts() -> None:
    journey = jn.Journey.sample("win_back")
    stats = jn.JourneyStats(journey, simulate(journey, users=1_000, seed=3)).period("30d").compare()
    html = ""
    for point, designed in journey.points().items():
        html += str(detail_html(stats, point))
        if designed.type == "message":
            html += str(
                detail_html(stats, point, people=People(MessageRuns(stats, point).page().head(5), 0, 5))
            )
    headings = re.findall(r'<th [^>]*class="n"[^>]*>', html)
    assert len(headings) > 100
    assert all('title="' in heading for heading in headings)


def test_a_waiting_list_begins_with_who_waits_longest(welcome_stats: jn.JourneyStats) -> None:
    html = detail_html(welcome_stats, "settle").html
    waiting = welcome_stats.rows("waiting.runs", point_id="settle").sort("since")
    shown = re.findall(r">(u\d{7})<", html)
    assert shown == waiting["user_id"].to_list()


def test_the_days_are_a_picture_with_its_table(welcome_stats: jn.JourneyStats) -> None:
    html = detail_html(welcome_stats, "hello_push").html
    assert html.count("data:image/svg+xml;base64,") == 1
    assert "<summary>Table: By day</summary>" in html
    assert "<script" not in html


def test_no_english_is_left_in_another_language(welcome_stats: jn.JourneyStats) -> None:
    titles = re.compile("|".join(re.escape(p.label) for p in welcome_stats.journey.points().values()))
    for point in ("hello_push", "offer_test", "settle"):
        english = set(
            re.findall(r">([A-Z][a-z]{3,}[^<{]*)<", titles.sub("", detail_html(welcome_stats, point).html))
        )
        korean = titles.sub("", detail_html(welcome_stats, point, locale="ko").html)
        left = {text for text in english if f">{text}<" in korean}
        assert left <= {b.label for b in welcome_stats.journey.version().outgoing(point)}


def test_hostile_titles_are_escaped(welcome_log: pl.DataFrame) -> None:
    document = jn.Journey.sample("welcome").to_json().replace("Welcome push", HOSTILE[0].replace('"', '\\"'))
    stats = jn.JourneyStats(jn.Journey.from_json(document), welcome_log)
    assert "<script" not in detail_html(stats, "hello_push").html


def test_what_is_concluded_reads_the_same_everywhere(welcome_stats: jn.JourneyStats) -> None:
    found = welcome_stats.experiment("offer_test", welcome_stats.journey.goals[0].goal_id)
    said = " ".join(concluded(found))
    assert said.startswith("Verdict: ")
    assert said in detail_html(welcome_stats, "offer_test").html


def test_one_who_crossed_is_not_told_as_several(welcome_stats: jn.JourneyStats) -> None:
    found = welcome_stats.experiment("offer_test", "first_order")
    one, two = (" ".join(concluded(replace(found, crossed=count))) for count in (1, 2))
    assert "One user was seen in two variants and stands in none." in one
    assert "2 users were seen" in two


@pytest.mark.parametrize("point", ["hello_push", "email_tips", "tour"])
def test_full_statistics_say_what_the_tables_say(welcome_stats: jn.JourneyStats, point: str) -> None:
    people = MessageRuns(welcome_stats, point).page()
    html = str(detail_html(welcome_stats, point, people=People(people.head(20), 0, people.height)))
    here = pl.col("point_id") == point
    numbers = welcome_stats.messages().filter(here).row(0, named=True)
    if point == "tour":
        numbers |= (
            welcome_stats.points().filter(here).select("shown", "interacted", "dismissed").row(0, named=True)
        )
    for name, value in numbers.items():
        if name not in ("point_id", "title", "channel"):
            assert f'data-key="{name}">{cell(name, value)}<' in html
    for reason in welcome_stats.drops(point)["reason"]:
        assert word(reason) in html
    times = welcome_stats.response_times(point)
    answered = times.group_by("outcome").agg(pl.col("messages").sum())
    for outcome, count in answered.iter_rows():
        assert count == numbers[outcome], "each first response has its length"
    assert f"Rows 1 – 20 of {people.height}" in html
    assert html.count("<summary>") == 2


def test_replies_are_told_where_people_write_back() -> None:
    journey = jn.Journey.sample("win_back")
    stats = jn.JourneyStats(journey, simulate(journey, users=3_000, seed=3))
    points = stats.points().filter(channel="whatsapp")
    assert points["replied"].sum()
    for point, replied in points.select("point_id", "replied").iter_rows():
        for people in (None, People(MessageRuns(stats, point).page().head(5), 0, 5)):
            told = f'data-key="replied">{cell("replied", replied)}<'
            assert told in str(detail_html(stats, point, people=people))
    (email, *_) = stats.points().filter(channel="email")["point_id"]
    assert 'data-key="replied"' not in str(detail_html(stats, email))


def test_the_variants_of_a_message_stand_in_its_statistics() -> None:
    welcome = jn.Journey.sample("welcome")
    log = simulate(welcome, users=300, seed=4)
    half = pl.when(pl.col("user_id").hash(1) % 2 == 0).then(pl.lit("X")).otherwise(pl.lit("Y"))
    sent = (pl.col("point_id") == "hello_push") & (pl.col("kind").cast(pl.String) == "message.sent")
    stats = jn.JourneyStats(welcome, log.with_columns(variant=pl.when(sent).then(half).otherwise("variant")))
    found = stats.experiment("hello_push", welcome.goals[0].goal_id)
    assert found.table["variant"].to_list() == ["X", "Y"]
    html = str(detail_html(stats, "hello_push", people=People(pl.DataFrame(), 0, 0)))
    assert " ".join(concluded(found)) in html
    assert "Rows 0 – 0 of 0" in html


def test_who_waits_is_counted_by_cause_and_length(welcome_stats: jn.JourneyStats) -> None:
    html = str(detail_html(welcome_stats, "settle"))
    times = welcome_stats.waiting_times("settle")
    assert (
        times["runs"].sum()
        == welcome_stats.waiting().filter(pl.col("point_id") == "settle")["runs"].sum()
        > 0
    )
    for row in times.iter_rows(named=True):
        assert escape(format.span(row["seconds"], row["seconds_to"])) in html
