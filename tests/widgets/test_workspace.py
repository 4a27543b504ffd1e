"""Workspace from code: one thing is looked at by all its parts, and its code makes it again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import traitlets

import journey_nb as jn
from journey_nb.exports import MessageRuns, step_users
from journey_nb.pseudonyms import Pseudonyms
from journey_nb.render.detail import PEOPLE, WAITING, detail_html
from journey_nb.simulate import simulate
from journey_nb.style import format
from journey_nb.widgets.workspace import Head


@pytest.fixture
def workspace(welcome_stats: jn.JourneyStats) -> jn.Workspace:
    return jn.Workspace(welcome_stats)


def ask(widget: Any, **request: Any) -> None:
    widget._handle_custom_msg(request, [])


def shared(workspace: jn.Workspace, name: str) -> list[Any]:
    return [getattr(part, name) for part in (workspace, *workspace.views) if part.has_trait(name)]


def all_are(workspace: jn.Workspace, name: str, value: Any) -> bool:
    return all(one == value for one in shared(workspace, name))


@pytest.mark.parametrize("part", ["head", "canvas", "dashboard", "tracer"])
def test_a_period_of_one_is_that_of_all(workspace: jn.Workspace, part: str) -> None:
    ask(getattr(workspace, part), action="period", value="7d")
    assert all_are(workspace, "period", "7d")
    ask(getattr(workspace, part), action="clock", value="cohort")
    assert all_are(workspace, "clock", "cohort")
    assert len({id(stats) for stats in shared(workspace, "stats")}) == 1, "so it is computed once"
    workspace.period = "2026-03-01..2026-03-15"
    assert all_are(workspace, "period", "2026-03-01..2026-03-15")


@pytest.mark.parametrize("part", ["canvas", "dashboard", "tracer"])
def test_a_point_selected_in_one_is_selected_in_all(workspace: jn.Workspace, part: str) -> None:
    seen: list[Any] = []
    workspace.observe(lambda change: seen.append(change["new"]), "selected")
    getattr(workspace, part).selected = "hello_push"
    assert all_are(workspace, "selected", "hello_push")
    workspace.selected = None
    assert all_are(workspace, "selected", None)
    assert seen == ["hello_push", None]


@pytest.mark.parametrize(("name", "value"), [("theme", "dark"), ("locale", "ko")])
def test_a_look_of_one_is_that_of_all(workspace: jn.Workspace, name: str, value: str) -> None:
    usual = getattr(workspace, name)
    workspace.dashboard.set_trait(name, value)
    assert all_are(workspace, name, value)
    assert f"{name}={value!r}" in workspace.to_python()
    setattr(workspace, name, usual)
    assert all_are(workspace, name, usual)
    with pytest.raises((traitlets.TraitError, ValueError)):
        setattr(workspace, name, "nope")
    assert all_are(workspace, name, usual)


def test_a_row_of_the_user_list_opens_that_run(workspace: jn.Workspace) -> None:
    twice = workspace.stats.users().filter(pl.len().over("user_id") > 1).sort("user_id", "run_no")
    user, other = twice["user_id"][0], workspace.stats.users()["user_id"][0]
    first, second = twice["run_id"][:2]
    for run in (first, second):
        ask(workspace.dashboard, action="user", value=user, run=run)
        assert all_are(workspace, "user", user)
        assert all_are(workspace, "run", run)
        assert workspace.dashboard.error == ""
    ask(workspace.dashboard, action="user", value=user, run=second)
    assert all_are(workspace, "user", None)
    assert all_are(workspace, "run", None)
    ask(workspace.canvas, action="find", user=other)
    assert all_are(workspace, "user", other)
    workspace.tracer.path = workspace.stats.paths()["path"][0].to_list()
    assert all_are(workspace, "user", None)


def rows_of(html: str) -> list[tuple[str, str]]:
    """User and run of each row that opens a path."""
    return re.findall(r'data-action="find" data-user="([^"]*)" data-run="([^"]*)"', html)


def test_a_row_of_a_message_s_users_opens_the_run_of_its_message(workspace: jn.Workspace) -> None:
    sent = MessageRuns(workspace.stats, "hello_push").page()
    workspace.canvas.opened, workspace.canvas.full = "hello_push", True
    ask(workspace.canvas, action="page", value=str(sent.height))
    shown = rows_of(workspace.canvas.detail)
    last = (sent.height - 1) // PEOPLE * PEOPLE
    assert shown == sent.select("user_id", "run_id").rows()[last:]
    for user, run in _several_of_one(sent):
        ask(workspace.canvas, action="find", user=user, run=run)
        assert all_are(workspace, "user", user)
        assert all_are(workspace, "run", run)
        assert workspace.canvas.error == ""


def test_a_row_of_the_waiting_opens_the_run_that_waits(workspace: jn.Workspace) -> None:
    stats, point = workspace.stats, "settle"
    workspace.canvas.opened = point
    runs = stats.rows("waiting.runs", point_id=point).select("user_id", "run_id")
    shown = rows_of(workspace.canvas.detail)
    assert len(shown) == min(runs.height, WAITING) > 0
    assert set(shown) <= set(runs.rows())
    user, run = shown[-1]
    ask(workspace.canvas, action="find", user=user, run=run)
    assert all_are(workspace, "user", user)
    assert all_are(workspace, "run", run)
    for kept in (detail_html(stats, point, asks=False), detail_html(stats.small_groups(5), point)):
        assert rows_of(str(kept)) == [], "where nobody answers, nothing looks as if one did"


def _several_of_one(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """User and run of those rows whose user has several, the newest run last, then the first once more."""
    several = rows.filter(pl.col("run_id").n_unique().over("user_id") > 1)
    user = several["user_id"][0]
    runs = several.filter(pl.col("user_id") == user)["run_id"].unique(maintain_order=True).to_list()
    assert len(runs) > 1
    return [(user, run) for run in (*runs, runs[0])]


def test_a_selection_is_a_frame_of_its_users(workspace: jn.Workspace) -> None:
    workspace.period = "30d"
    stats, canvas, tracer = workspace.stats, workspace.canvas, workspace.tracer
    views = (workspace, canvas, tracer)
    assert all(view.users().equals(stats.users()) for view in views), "nothing is selected"
    workspace.selected = "hello_push"
    assert all(view.users().equals(step_users(stats, "hello_push")) for view in views)
    for way in stats.paths().head(3).iter_rows(named=True):
        tracer.path = way["path"]
        taken = workspace.users()
        assert taken["run_id"].n_unique() == taken.height == way["runs"]
        assert taken["user_id"].n_unique() == way["users"]
        for run in taken["run_id"][:2]:
            steps = stats.user_path(taken.filter(run_id=run)["user_id"].item()).filter(run_id=run)
            assert steps["point_id"].unique(maintain_order=True).to_list() == way["path"]
    workspace.user = user = stats.users()["user_id"][0]
    assert all(view.users().equals(stats.user_runs(user)) for view in views)
    assert stats.where(users=workspace.users()).users()["user_id"].unique().to_list() == [user]


def test_a_path_with_loops_is_taken_by_those_who_went_round() -> None:
    journey = jn.Journey.sample("win_back")
    stats = jn.JourneyStats(journey, simulate(journey, users=200, seed=2))
    told = stats.paths(None, collapse_loops=False)
    round_trip = told.filter(pl.col("path").list.n_unique() < pl.col("path").list.len()).row(0, named=True)
    tracer = jn.PathTracer(stats, path=round_trip["path"])
    assert tracer.users().height == round_trip["runs"]


def test_what_one_part_cannot_show_none_does(
    workspace: jn.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workspace.stats

    def broken(*_: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(jn.PathTracer, "_show", broken)
    for part in (workspace.head, workspace.canvas):
        ask(part, action="period", value="7d")
        assert "the disk is gone" in part.error
        assert all(stats is before for stats in shared(workspace, "stats"))
        assert all_are(workspace, "period", "launch")
    with pytest.raises(OSError, match="the disk is gone"):
        workspace.period = "7d"
    assert all_are(workspace, "period", "launch")


def test_what_is_not_there_is_refused(workspace: jn.Workspace) -> None:
    for name, value in (("period", "yesteryear"), ("user", "nobody"), ("selected", "hello"), ("run", "r")):
        before = getattr(workspace, name)
        with pytest.raises((KeyError, ValueError)):
            setattr(workspace, name, value)
        assert all_are(workspace, name, before), name
    with pytest.raises(TypeError, match="did you mean 'user'"):
        jn.Workspace(workspace.stats, users="u1")


def test_its_code_makes_it_again(welcome_stats: jn.JourneyStats) -> None:
    stats = welcome_stats.between("2026-03-01", "2026-04-15").clock("cohort").version(2).where(version=[1, 2])
    users = stats.users()
    workspace = jn.Workspace(stats.compare().machine(), user=users["user_id"][2], run=users["run_id"][2])
    workspace.selected = "hello_push"
    workspace.canvas.heat, workspace.canvas.metrics, workspace.canvas.opened = "share", False, "hello_push"
    workspace.dashboard.opened, workspace.dashboard.search = "audience", "u00000"
    workspace.dashboard.page, workspace.head.goals = 1, True
    workspace.tracer.opened, workspace.tracer.full, workspace.tracer.metrics = "hello_push", True, False
    workspace.tracer.heat = "time"
    names = {"stats": welcome_stats}
    exec(workspace.to_python(), names)
    again: Any = names["workspace"]
    for part in ("head", "canvas", "dashboard", "tracer"):
        for name in ("panel", "picture", "tools", "detail"):
            ours, theirs = (getattr(getattr(one, part), name, "") for one in (workspace, again))
            if name == "detail":  # its charts number their clips one after the other
                ours, theirs = (re.sub(r'base64,[^"]*', "", html) for html in (ours, theirs))
            assert ours == theirs, (part, name)
    assert again.to_python() == workspace.to_python().replace(
        stats.compare().machine().verbs(), again.stats.verbs()
    )


def test_its_code_never_tells_who_is_behind_a_pseudonym(welcome_stats: jn.JourneyStats) -> None:
    shared = welcome_stats.under(Pseudonyms(b"a key of many bytes, not this one"))
    user = shared.users()["user_id"][0]
    workspace = jn.Workspace(shared, user=user)
    workspace.period, workspace.dashboard.opened = "30d", "audience"
    names = {"stats": shared}
    exec(workspace.to_python(), names)
    again: Any = names["workspace"]
    assert again.dashboard.panel == workspace.dashboard.panel
    assert again.user == user
    with pytest.raises(ValueError, match="stats must be those under pseudonyms"):
        exec(workspace.to_python(), {"stats": welcome_stats})
    workspace = jn.Workspace(welcome_stats)
    workspace.stats = shared
    with pytest.raises(ValueError, match=r"begin with jn\.Workspace\(stats\.under\(pseudonyms\)\)"):
        workspace.to_python()


def test_its_code_says_how_it_looks_and_where_files_go(welcome_stats: jn.JourneyStats) -> None:
    workspace = jn.Workspace(welcome_stats, theme="dark", locale="fr", folder="files")
    assert "jn.Workspace(stats, folder='files', theme='dark', locale='fr')" in workspace.to_python()
    assert "jn.Workspace(stats)" in jn.Workspace(welcome_stats).to_python(), "what is usual is not said"


def test_the_code_of_a_store_s_statistics_reads_the_store(welcome_store: jn.Store) -> None:
    workspace = jn.Workspace(welcome_store["welcome"].period("30d"))
    names: dict[str, Any] = {}
    exec(workspace.to_python(), names)
    assert names["workspace"].dashboard.panel == workspace.dashboard.panel
    assert names["stats"].store.path == welcome_store.path


def test_the_status_menu_is_there_where_a_store_is(workspace: jn.Workspace, tmp_path: Path) -> None:
    assert 'data-action="manage"' not in workspace.head.panel
    journey = workspace.stats.journey
    ask(workspace.head, action="manage", what="pause", journey=journey.journey_id)
    assert "come from no store" in workspace.head.error
    store = jn.Store(tmp_path)
    store.add(journey)
    head = Head(store["welcome"])
    assert 'data-what="pause"' in head.panel
    assert 'data-what="launch"' not in head.panel


def test_it_follows_its_store_in_all_parts(welcome_store: jn.Store, welcome: jn.Journey) -> None:
    """The list and the canvas had watch, the workspace had not."""
    workspace = jn.Workspace(welcome_store["welcome"].period("7d"))
    workspace.watch(2)
    assert [part.every for part in workspace.views] == [2, 0, 0, 0], "one looks for all"
    late = simulate(welcome, users=20, seed=9).with_columns(
        pl.col("occurred_at", "due_at").dt.offset_by("9d")
    )
    welcome_store.append(late)
    ask(workspace.head, action="look")
    assert workspace.head.error == ""
    assert len({id(stats) for stats in shared(workspace, "stats")}) == 1
    assert all_are(workspace, "period", "7d")
    now = welcome_store["welcome"].period("7d")
    assert workspace.stats.health().equals(now.health())
    assert f">{format.number(now.health()['entrances'][0])}<" in workspace.dashboard.panel
    workspace.watch(0)
    assert workspace.head.every == 0


def test_goals_that_nobody_reached_are_counted_and_told(workspace: jn.Workspace, welcome: jn.Journey) -> None:
    workspace.stats = workspace.stats.where(users=[])
    assert "Goals: 2" in workspace.head.panel
    workspace.head.goals = True
    for told in ("First order", "total &gt; 0", "14 days", "Profile completed", "7 days"):
        assert told in workspace.head.panel


def test_each_part_is_small_enough_to_travel(workspace: jn.Workspace) -> None:
    for part in workspace.views:
        state = {name: value for name, value in part.get_state().items() if name not in ("_esm", "css")}
        assert len(repr(state)) < 200_000, type(part).__name__


def test_its_code_says_what_was_set_back_to_what_is_usual(welcome_stats: jn.JourneyStats) -> None:
    workspace = jn.Workspace(given := welcome_stats.period("30d").clock("cohort"))
    workspace.period, workspace.clock = "launch", "activity"
    for base in (given, welcome_stats):
        told = {"stats": base}
        exec(workspace.to_python(), told)
        assert told["stats"].health().equals(workspace.stats.health())


@pytest.mark.parametrize("view", [jn.Workspace, jn.JourneyCanvas, jn.Dashboard, jn.canvas])
def test_what_is_no_statistics_is_refused(view: Any, welcome: jn.Journey) -> None:
    with pytest.raises(
        TypeError, match=r"statistics are wanted, not a Journey: jn\.JourneyStats\(journey, log\)"
    ):
        view(welcome)


def test_where_small_groups_are_hidden_nothing_asks_for_single_people(welcome_stats: jn.JourneyStats) -> None:
    shown, hidden = (jn.Workspace(stats) for stats in (welcome_stats, welcome_stats.small_groups(5)))
    for workspace in (shown, hidden):
        workspace.dashboard.opened = "communications"
    for workspace, there in ((shown, True), (hidden, False)):
        assert ('data-action="find"' in workspace.canvas.tools) is there
        assert ('data-action="find"' in workspace.tracer.tools) is there
        assert ("point-users" in workspace.dashboard.panel) is there
    hidden.tracer.path = hidden.stats.paths()["path"][0].to_list()
    with pytest.raises(ValueError, match=r"users\(\)"):
        hidden.users()


def test_a_user_that_narrower_statistics_lack_is_let_go_by_all(workspace: jn.Workspace) -> None:
    stats = workspace.stats
    user, *others = stats.users()["user_id"].unique().sort()[:9]
    workspace.user = user
    workspace.head.stats = stats.where(users=others)
    assert workspace.user is workspace.canvas.user is None
    exec(workspace.to_python(), {"stats": stats})


@pytest.mark.parametrize("part", ["head", "canvas", "dashboard", "tracer", "itself"])
def test_no_statistics_are_refused_and_what_is_shown_stays(workspace: jn.Workspace, part: str) -> None:
    view, stats = workspace if part == "itself" else getattr(workspace, part), workspace.stats
    with pytest.raises(TypeError, match="statistics are wanted, not a NoneType"):
        view.stats = None
    assert view.stats is stats
    if part != "itself":
        with pytest.raises(ValueError, match="there are en, fr, ko"):
            view.locale = "nope"
