"""The panel of a user's runs says what the tables say, in the reader's language, whatever the ids are."""

from __future__ import annotations

import re

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.metrics.paths import MARKS
from journey_nb.render.trace import RUNS, STEPS, Trace, trace_html, ways_table
from journey_nb.simulate import simulate
from journey_nb.style import format, word


def of_most_runs(stats: jn.JourneyStats) -> str:
    runs = stats.facts.runs.group_by("user_id").len().sort("len", "user_id", descending=True)
    return str(runs["user_id"][0])


def test_each_run_is_listed_with_its_marks(welcome_stats: jn.JourneyStats) -> None:
    user = of_most_runs(welcome_stats)
    trace = Trace(welcome_stats, user)
    html = str(trace_html(welcome_stats, trace))
    for row in welcome_stats.user_runs(user).iter_rows(named=True):
        label = re.search(rf'<label data-key="{row["run_id"]}">(.*?)</label>', html, re.S)
        assert label is not None
        for told in (
            word("run_n", no=row["run_no"]),
            word(row["status"]),
            word("version_n", version=row["version"]),
            format.moment(row["entered_at"]),
        ):
            assert told in label[1]
        for goal in row["goals"]:
            assert welcome_stats.journey.goal(goal).label in label[1]
    assert html.count(" checked") == 1


@pytest.mark.parametrize("status", ["in_progress", "exited", "dropped"])
def test_how_a_run_stands_is_marked_and_said(welcome_stats: jn.JourneyStats, status: str) -> None:
    ids = welcome_stats.users().filter(pl.col("status") == status)
    trace = Trace(welcome_stats, ids["user_id"][0], ids["run_id"][0])
    html = str(trace_html(welcome_stats, trace))
    mark = f'<span class="mark" aria-hidden="true">{MARKS[status]}</span>'
    assert mark in html
    assert word(status) in trace.alt()
    reason = trace.runs["reason"][trace.place]
    assert reason is None or word(reason) in html


def test_steps_and_what_was_done_there_are_those_of_the_tables(welcome_stats: jn.JourneyStats) -> None:
    trace = Trace(welcome_stats, of_most_runs(welcome_stats))
    html = str(trace_html(welcome_stats, trace))
    steps = re.findall(
        r'<span class="no">(\d+)</span> <button type="button" data-action="show" data-point="(\w+)"', html
    )
    assert [(int(number), point) for number, point in steps] == trace.path.select(
        "step_no", "point_id"
    ).rows()
    done = trace.events.group_by("kind").len()
    for kind, count in done.iter_rows():
        assert html.count(f"</time> <span>{word(kind)}") == count
    times = set(re.findall(r'datetime="([^"]+)"', html))
    assert {at.isoformat() for at in [*trace.path["arrived_at"], *trace.events["at"]]} == times


def test_a_failed_message_says_why(welcome_stats: jn.JourneyStats) -> None:
    failed = welcome_stats.rows("messages.failed").row(0, named=True)
    trace = Trace(welcome_stats, failed["user_id"], failed["run_id"])
    assert f"{word('message.failed')} · {word(failed['fail_reason'])}" in str(
        trace_html(welcome_stats, trace)
    )
    drawn = jn.canvas(welcome_stats, path=trace.path, events=trace.events)
    assert f"{word('done.failed')} · {word(failed['fail_reason'])}" in drawn.svg


def test_the_cards_of_a_path_tell_when_and_what(welcome_stats: jn.JourneyStats) -> None:
    clicked = welcome_stats.rows("messages.clicked").row(0, named=True)
    trace = Trace(welcome_stats, clicked["user_id"], clicked["run_id"])
    svg = jn.canvas(welcome_stats, path=trace.path, events=trace.events).svg
    lit = [part for part in svg.split('<g class="card') if part.startswith((' on"', ' away on"'))]
    ids = [re.search(r'data-point="(\w+)"', part)[1] for part in lit]  # type: ignore[index]
    assert sorted(ids) == sorted(trace.path["point_id"].unique()), "also those that its version does not have"
    card = lit[ids.index(clicked["point_id"])]
    assert (
        format.moment(trace.path.filter(pl.col("point_id") == clicked["point_id"])["arrived_at"][0]) in card
    )
    assert f"{word('done.opened')} · {word('done.clicked')}" in card
    assert format.moment(trace.path["arrived_at"][0]) not in jn.canvas(welcome_stats, path=trace.path).svg


def test_the_frequent_paths_are_those_of_the_table(welcome_stats: jn.JourneyStats) -> None:
    html = str(trace_html(welcome_stats.period("30d")))
    ways = welcome_stats.period("30d").paths()
    told = re.findall(r"<dd>(.*?)</dd>", html)
    wanted = [
        text
        for row in ways.iter_rows(named=True)
        for text in (format.number(row["runs"]), format.number(row["users"]), format.percent(row["share"]),
                     format.number(row["converted"]), format.percent(row["rate"]))
    ]  # fmt: skip
    assert told == wanted
    assert ways_table(welcome_stats.period("30d"))["runs"].equals(ways["runs"])


def test_a_run_known_only_by_its_messages_has_no_steps() -> None:
    journey = jn.Journey.sample("welcome")
    log = simulate(journey, users=30, seed=2)
    sent = log.filter(pl.col("kind").cast(pl.String).is_in(["message.delivered"])).head(1)
    stats = jn.JourneyStats(journey, sent)
    trace = Trace(stats, sent["user_id"][0])
    html = str(trace_html(stats, trace))
    assert word("no_step") in html
    assert word("message.delivered") in html
    assert jn.canvas(stats, path=trace.path, events=trace.events).svg.startswith("<svg")


def test_long_lives_are_shown_in_part_and_the_rest_is_counted() -> None:
    document = {
        "journey_id": "loop", "title": "Loop", "versions": [{"version": 1, "published_at": "2026-01-01T00:00:00Z",
        "points": [{"point_id": "E", "type": "entry_api"}, {"point_id": "W", "type": "activity"}, {"point_id": "X", "type": "exit"}],
        "branches": [{"source": "E", "target": "W"}, {"source": "W", "target": "W", "key": "default"}]}],
    }  # fmt: skip
    document["versions"][0]["branches"].append({"source": "W", "target": "X", "key": "end"})
    journey = jn.Journey.model_validate({**document, "origin": "discovered"})
    start = pl.datetime(2026, 1, 1, time_zone="UTC")
    runs = RUNS + 5
    entered = pl.select(run=pl.int_range(runs)).with_columns(
        kind=pl.lit("run.entered"), point_id=pl.lit("E"), occurred_at=start + pl.duration(hours="run")
    )
    steps = pl.select(step=pl.int_range(STEPS + 9)).with_columns(
        run=pl.lit(runs - 1, pl.Int64), kind=pl.lit("point.entered"), point_id=pl.lit("W"),
        occurred_at=start + pl.duration(hours=runs + pl.col("step")),
    )  # fmt: skip
    log = pl.concat([entered, steps.drop("step")], how="diagonal").with_columns(
        user_id=pl.lit("u"), journey_id=pl.lit("loop"), version=1, run_id=pl.format("r{}", "run")
    )
    stats = jn.JourneyStats(journey, log.drop("run"))
    html = str(trace_html(stats, Trace(stats, "u")))
    assert html.count('type="radio"') == RUNS
    assert word("more_rows", count=5) in html
    assert html.count('data-action="show"') == STEPS
    assert word("more_rows", count=10) in html
    oldest = str(trace_html(stats, Trace(stats, "u", "r0")))
    assert 'value="r0" checked' in oldest
    assert 'data-value="r1"' in oldest
