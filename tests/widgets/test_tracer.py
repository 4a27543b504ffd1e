"""PathTracer from code: whom and what it lights up; what is set is shown or refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.render.trace import Trace, trace_html
from journey_nb.style import word


@pytest.fixture
def someone(welcome_stats: jn.JourneyStats) -> tuple[str, list[str]]:
    """A user of several runs, the newest first."""
    runs = welcome_stats.facts.runs.group_by("user_id").len().sort("len", "user_id", descending=True)
    user = str(runs["user_id"][0])
    return user, welcome_stats.user_runs(user)["run_id"].to_list()


@pytest.fixture
def tracer(welcome_stats: jn.JourneyStats) -> jn.PathTracer:
    return jn.PathTracer(welcome_stats)


def svg(widget: jn.PathTracer) -> str:
    return gzip.decompress(widget.picture).decode()


def ask(widget: jn.PathTracer, **request: Any) -> None:
    widget._handle_custom_msg(request, [])


def test_a_run_is_lit_and_told(tracer: jn.PathTracer, someone: tuple[str, list[str]]) -> None:
    user, runs = someone
    tracer.user = user
    for run in [None, *runs]:
        tracer.run = run
        trace = Trace(tracer.stats, user, run)
        assert svg(tracer) == jn.canvas(tracer.stats, path=trace.path, events=trace.events).svg
        assert tracer.panel == str(trace_html(tracer.stats, trace))
        assert tracer.alt.startswith(trace.alt())
        assert tracer.said == trace.alt()
        version = tracer.stats.journey.version(trace.path["version"][0])
        assert set(tracer.graph) == {point.point_id for point in version.points}


def test_the_browser_goes_from_run_to_run(tracer: jn.PathTracer, someone: tuple[str, list[str]]) -> None:
    user, runs = someone
    ask(tracer, action="find", user=f" {user} ")
    assert (tracer.user, tracer.run) == (user, None)
    ask(tracer, action="run", value=runs[1])
    assert tracer.run == runs[1]
    ask(tracer, action="find", user=user)
    assert tracer.run == runs[1], "the same user stays as they are"
    ask(tracer, action="clear")
    assert (tracer.user, tracer.run) == (None, None)
    assert " dim" not in svg(tracer)


def test_another_user_begins_with_their_newest_run(
    tracer: jn.PathTracer, someone: tuple[str, list[str]]
) -> None:
    tracer.user = someone[0]
    tracer.run = someone[1][-1]
    other = next(id for id in tracer.stats.users()["user_id"] if id != someone[0])
    tracer.user = other
    assert tracer.run is None
    assert tracer.panel == str(trace_html(tracer.stats, Trace(tracer.stats, other)))


def test_a_frequent_path_takes_the_place_of_a_run_and_back(
    tracer: jn.PathTracer, someone: tuple[str, list[str]]
) -> None:
    way = tracer.stats.paths()["path"][1].to_list()
    tracer.user = someone[0]
    ask(tracer, action="path", value=json.dumps(way))
    assert (tracer.path, tracer.user) == (way, None)
    assert svg(tracer) == jn.canvas(tracer.stats, path=way).svg
    tracer.user = someone[0]
    assert tracer.path is None
    tracer.path = way
    ask(tracer, action="path", value="")
    assert tracer.path is None
    assert " dim" not in svg(tracer)


def test_frequent_paths_follow_the_period(tracer: jn.PathTracer) -> None:
    tracer.path = way = tracer.stats.paths()["path"][0].to_list()
    before = tracer.panel
    tracer.period = "7d"
    tracer.clock = "cohort"
    assert tracer.path == way
    assert tracer.panel == str(trace_html(tracer.stats, path=way)) != before


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("user", "nobody", "is not in this journey"),
        ("user", "u00001", "did you mean"),
        ("run", "r1", "Set user first"),
        ("path", ["signup", "hello_pus"], "did you mean 'hello_push'"),
        ("period", "7days", "use one of launch"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(
    tracer: jn.PathTracer, name: str, value: Any, mend: str
) -> None:
    before = {trait: getattr(tracer, trait) for trait in (name, "picture", "panel", "tools", "stats")}
    with pytest.raises((KeyError, ValueError), match=mend):
        setattr(tracer, name, value)
    assert {trait: getattr(tracer, trait) for trait in before} == before


def test_a_run_of_somebody_else_is_refused(tracer: jn.PathTracer, someone: tuple[str, list[str]]) -> None:
    tracer.user = someone[0]
    other = next(id for id in tracer.stats.users()["run_id"] if id not in someone[1])
    with pytest.raises(KeyError, match="has no run"):
        tracer.run = other
    assert tracer.run is None


def test_it_begins_with_what_is_asked_for(
    welcome_stats: jn.JourneyStats, someone: tuple[str, list[str]]
) -> None:
    user, runs = someone
    tracer = jn.PathTracer(welcome_stats, run=runs[1], user=user, selected="signup")
    assert (tracer.user, tracer.run, tracer.selected) == (user, runs[1], "signup")
    with pytest.raises(TypeError, match=r"PathTracer takes no 'users'; did you mean 'user'"):
        jn.PathTracer(welcome_stats, users=user)


def test_who_is_not_here_is_told_with_the_nearest(tracer: jn.PathTracer) -> None:
    ask(tracer, action="find", user="u000000")
    assert word("not_here", user="u000000") in tracer.tools
    for near in tracer.stats.nearest("u000000"):
        assert f'data-action="find" data-user="{near}"' in tracer.tools
    assert tracer.said == word("not_here", user="u000000")


def test_what_is_typed_is_completed(tracer: jn.PathTracer) -> None:
    ask(tracer, action="suggest", value="u00000")
    offered = tracer.stats.beginning("u00000")
    assert len(offered) == 8
    assert all(f'data-user="{id}"' in tracer.tools for id in offered)
    assert tracer.said == word("suggested", count=8)
    ask(tracer, action="suggest", value="")
    assert "offers" not in tracer.tools


def test_a_user_whom_other_stats_do_not_have_is_let_go(
    tracer: jn.PathTracer, someone: tuple[str, list[str]]
) -> None:
    user, runs = someone
    tracer.user = user
    tracer.run = runs[0]
    began = tracer.stats.user_runs(user)["entered_at"]
    tracer.stats = tracer.stats.as_of(began[1])
    assert (tracer.user, tracer.run) == (user, None)
    assert tracer.panel == str(trace_html(tracer.stats, Trace(tracer.stats, user)))
    tracer.stats = tracer.stats.where(users=["u0000001"])
    assert tracer.user is None
    assert tracer.panel == str(trace_html(tracer.stats))


def test_the_static_copy_has_the_picture_and_what_is_told(
    tracer: jn.PathTracer, someone: tuple[str, list[str]]
) -> None:
    assert "data:image/svg+xml;base64," in str(tracer.figure)
    assert f"<summary>{word('table_of', title=word('frequent'))}</summary>" in str(tracer.figure)
    tracer.user = someone[0]
    for name in ("user_runs", "user_path", "user_events"):
        assert f"<summary>{word('table_of', title=word(name))}</summary>" in str(tracer.figure)
    done = Trace(tracer.stats, someone[0]).events
    assert str(tracer.figure).count(word("message.delivered")) == done.filter(
        pl.col("kind") == "message.delivered"
    ).height  # fmt: skip
    assert tracer.figure.text == tracer.alt


def test_little_travels(tracer: jn.PathTracer, someone: tuple[str, list[str]]) -> None:
    tracer.user = someone[0]
    state = tracer.get_state()
    size = sum(len(value) if isinstance(value, bytes) else len(repr(value)) for value in state.values())
    assert size < 80_000
