"""Workspace from code: one thing is looked at by all its parts, and its code makes it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journey_nb as jn
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


def test_a_row_of_a_message_s_users_opens_their_path(workspace: jn.Workspace) -> None:
    workspace.canvas.opened, workspace.canvas.full = "hello_push", True
    user = workspace.canvas.detail.split('data-action="find" data-user="')[1].split('"')[0]
    ask(workspace.canvas, action="find", user=user)
    assert all_are(workspace, "user", user)


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
    names = {"stats": welcome_stats}
    exec(workspace.to_python(), names)
    again: Any = names["workspace"]
    for part in ("head", "canvas", "dashboard", "tracer"):
        for name in ("panel", "picture", "tools", "detail"):
            ours, theirs = getattr(workspace, part), getattr(again, part)
            assert getattr(ours, name, "") == getattr(theirs, name, ""), (part, name)
    assert again.to_python() == workspace.to_python().replace(
        stats.compare().machine().verbs(), again.stats.verbs()
    )


def test_its_code_says_how_it_looks_and_where_files_go(welcome_stats: jn.JourneyStats) -> None:
    workspace = jn.Workspace(welcome_stats, theme="dark", locale="fr", folder="files")
    assert "jn.Workspace(stats, folder='files', theme='dark', locale='fr')" in workspace.to_python()
    assert "jn.Workspace(stats)" in jn.Workspace(welcome_stats).to_python(), "what is usual is not said"


def test_the_code_of_a_store_s_statistics_reads_the_store(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome)
    store.append(welcome_log)
    workspace = jn.Workspace(store["welcome"].period("30d"))
    names: dict[str, Any] = {}
    exec(workspace.to_python(), names)
    assert names["workspace"].dashboard.panel == workspace.dashboard.panel
    assert names["stats"].store.path == tmp_path


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
