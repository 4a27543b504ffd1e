"""JourneyCanvas from code: what is set is shown or refused; what a notebook keeps of it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
import traitlets

import journey_nb as jn
from journey_nb.exports import point_users
from journey_nb.render.detail import detail_html
from journey_nb.simulate import simulate


@pytest.fixture
def widget(welcome_stats: jn.JourneyStats) -> jn.JourneyCanvas:
    return jn.JourneyCanvas(welcome_stats)


def svg(widget: jn.JourneyCanvas) -> str:
    return gzip.decompress(widget.picture).decode()


def ask(widget: jn.JourneyCanvas, **request: Any) -> None:
    widget._handle_custom_msg(request, [])


def test_the_live_picture_is_the_static_one(widget: jn.JourneyCanvas, welcome_stats: jn.JourneyStats) -> None:
    assert svg(widget) == jn.canvas(welcome_stats).svg
    widget.stats = welcome_stats.period("30d").clock("cohort").compare()
    widget.heat = "drop_rate"
    widget.theme = "dark"
    assert svg(widget) == jn.canvas(widget.stats, heat="drop_rate", theme="dark").svg


def test_period_and_stats_are_one(widget: jn.JourneyCanvas, welcome_stats: jn.JourneyStats) -> None:
    widget.period = "7d"
    assert widget.stats.chosen == "7d"
    widget.stats = welcome_stats.between("2026-03-01", "2026-03-31")
    assert widget.period == "2026-03-01..2026-03-31"
    widget.period = "2026-04-01..2026-04-02"
    assert widget.stats.health().equals(welcome_stats.between("2026-04-01", "2026-04-02").health())


@pytest.mark.parametrize("view", [jn.JourneyCanvas, jn.Dashboard, jn.PathTracer, jn.Workspace])
def test_what_only_statistics_choose_is_refused_with_the_way(
    view: type[Any], welcome_stats: jn.JourneyStats
) -> None:
    made = view(welcome_stats)
    with pytest.raises(AttributeError, match=r"widget\.stats = widget\.stats\.version\(1\)"):
        made.version = 1
    with pytest.raises(AttributeError, match=r"widget\.stats = widget\.stats\.compare\(\)"):
        made.compare = True
    for name in ("version", "period"):
        with pytest.raises(TypeError, match=rf"{view.__name__}\(stats\.{name}\(…\)\)"):
            view(welcome_stats, **{name: 1})


def test_what_is_done_can_be_watched(widget: jn.JourneyCanvas) -> None:
    seen: list[tuple[str, Any]] = []
    widget.observe(
        lambda change: seen.append((change["name"], change["new"])), ["selected", "period", "opened"]
    )
    widget.selected = "hello_push"
    ask(widget, action="period", value="30d")
    ask(widget, action="open", point="settle")
    ask(widget, action="close")
    assert seen == [("selected", "hello_push"), ("period", "30d"), ("opened", "settle"), ("opened", None)]
    assert widget.detail == ""


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("selected", "hello_pus", "did you mean 'hello_push'"),
        ("opened", "nowhere", "has no point"),
        ("period", "7days", "use one of launch"),
        ("period", "2026-05-03..2026-05-01", "swap the two"),
        ("heat", "tim", "did you mean 'time'"),
        ("user", "nobody", "is not in this journey"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(
    widget: jn.JourneyCanvas, name: str, value: str, mend: str
) -> None:
    before = {trait: getattr(widget, trait) for trait in (name, "picture", "detail", "tools", "stats")}
    with pytest.raises((KeyError, ValueError), match=mend):
        setattr(widget, name, value)
    assert {trait: getattr(widget, trait) for trait in before} == before


def test_an_unknown_option_names_the_near_one(welcome_stats: jn.JourneyStats) -> None:
    with pytest.raises(TypeError, match="did you mean 'selected'"):
        jn.JourneyCanvas(welcome_stats, select="hello_push")
    with pytest.raises(traitlets.TraitError):
        jn.JourneyCanvas(welcome_stats, theme="pink")


def test_a_user_s_path_is_lit_on_its_own_version(widget: jn.JourneyCanvas) -> None:
    paths = {user: widget.stats.user_path(user) for user in widget.stats.users(limit=60)["user_id"]}
    of_old = next(user for user, path in paths.items() if path["version"][0] == 1)
    widget.user = of_old
    assert set(widget.graph) == {point.point_id for point in widget.stats.journey.version(1).points}
    assert " dim" in svg(widget)
    widget.user = None
    assert " dim" not in svg(widget)


def test_a_device_finds_its_user_too(welcome: jn.Journey, welcome_log: pl.DataFrame) -> None:
    log = welcome_log.with_columns(device_id=pl.concat_str(pl.lit("phone-"), "user_id"))
    widget = jn.JourneyCanvas(jn.JourneyStats(welcome, log))
    ask(widget, action="find", user=f"phone-{log['user_id'][0]}")
    assert widget.user == f"phone-{log['user_id'][0]}"


def test_an_id_with_spaces_at_its_ends_is_found(welcome: jn.Journey, welcome_log: pl.DataFrame) -> None:
    user = welcome_log["user_id"][0]
    odd = welcome_log.with_columns(pl.col("user_id").replace({user: f" {user} "}))
    widget = jn.JourneyCanvas(jn.JourneyStats(welcome, odd))
    ask(widget, action="find", user=f" {user} ")
    assert widget.user == f" {user} "
    ask(widget, action="find", user=f" {welcome_log['user_id'][-1]}  ")  # which was typed so
    assert widget.user == welcome_log["user_id"][-1]


def test_full_statistics_are_a_message_s_and_follow_the_period(widget: jn.JourneyCanvas) -> None:
    widget.opened = "hello_push"
    brief = widget.detail
    ask(widget, action="statistics", value="1")
    assert widget.full
    ask(widget, action="page", value="40")
    rows = point_users(widget.stats, "hello_push")
    assert f"Rows 41 – 60 of {rows.height}" in widget.detail
    assert all(user in widget.detail for user in rows["user_id"][40:60])
    widget.period = "7d"
    few = point_users(widget.stats, "hello_push").height
    assert f"Rows {(few - 1) // 20 * 20 + 1} – {few} of {few}" in widget.detail, "past the end, the last page"
    widget.period = "launch"
    ask(widget, action="statistics", value="")
    assert widget.detail == brief
    widget.full = True
    widget.opened = "settle"
    assert not widget.full, "another point begins with its own window"
    widget.full = True
    assert widget.detail == str(detail_html(widget.stats, "settle")), "only messages have more"


def test_a_full_window_is_small_too(widget: jn.JourneyCanvas) -> None:
    widget.opened, widget.full = "hello_push", True
    state = widget.get_state()
    size = sum(len(value) if isinstance(value, bytes) else len(repr(value)) for value in state.values())
    assert size < 160_000


def test_stats_of_another_journey_leave_nothing_of_the_last(widget: jn.JourneyCanvas) -> None:
    from journey_nb.simulate import simulate

    widget.selected = widget.opened = "hello_push"
    widget.user = widget.stats.users(limit=1)["user_id"].item()
    cart = jn.Journey.sample("abandoned_cart")
    others = simulate(cart, users=30).with_columns(user_id="other-" + pl.col("user_id"))
    widget.stats = jn.JourneyStats(cart, others)
    assert (widget.selected, widget.opened, widget.user, widget.detail) == (None, None, None, "")
    assert " dim" not in svg(widget)
    assert set(widget.graph) == {point.point_id for point in cart.version().points}


def test_a_notebook_keeps_a_static_copy_beside_the_live_view(
    widget: jn.JourneyCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    widget._ipython_display_()
    live, copy = shown
    assert "application/vnd.jupyter.widget-view+json" in live
    assert live["text/plain"] == copy["text/plain"] == widget.alt
    assert 'src="data:image/svg+xml;base64,' in copy["text/html"]
    assert "<svg" not in copy["text/html"], "JupyterLab would take its shapes out"
    assert '<div class="jnb-static">' in copy["text/html"]


def test_the_bundle_and_the_style_ask_nobody_for_anything(widget: jn.JourneyCanvas) -> None:
    asked = re.findall(r"https?://[^\"']+|@import|url\(|fetch\(", widget._esm + widget.css)
    assert set(asked) == {"http://www.w3.org/2000/svg"}, "a name space, which is no address"
    assert len(widget._esm) < 40_000


def test_a_store_is_watched_with_the_period_that_was_chosen(tmp_path: Path) -> None:
    journey = jn.Journey.sample("welcome")
    events = simulate(journey, users=60, seed=3).sort("occurred_at")
    store = jn.Store(tmp_path)
    store.add(journey)
    store.append(events[:400])
    widget = jn.JourneyCanvas(store["welcome"].period("30d").clock("cohort"))
    widget.watch()
    before = svg(widget)
    ask(widget, action="look")
    assert svg(widget) == before
    store.append(events[400:])
    ask(widget, action="look")
    whole = jn.JourneyStats(journey, events).period("30d").clock("cohort")
    assert svg(widget) == jn.canvas(whole).svg != before
    widget.watch(0)
    assert widget.every == 0


def test_what_is_of_no_store_needs_a_source_to_be_watched(widget: jn.JourneyCanvas) -> None:
    with pytest.raises(ValueError, match="come from no store: watch\\(source="):
        widget.watch()


def test_a_source_that_fails_is_told_and_asked_again(widget: jn.JourneyCanvas) -> None:
    log: list[jn.JourneyStats] = []
    widget.watch(1, log.pop)
    before = svg(widget)
    ask(widget, action="look")
    assert "pop from empty list" in widget.error
    assert svg(widget) == before
    log.append(widget.stats)
    ask(widget, action="look")
    assert widget.error == ""
    ask(widget, action="period", value="nonsense")
    log.append(widget.stats)
    ask(widget, action="look")
    assert "nonsense" in widget.error  # a look takes away no error of the reader's own


def test_an_answer_goes_also_where_the_kernel_is_interrupted(widget: jn.JourneyCanvas) -> None:
    sent: list[Any] = []
    widget.send = sent.append

    def interrupted() -> jn.JourneyStats:
        raise KeyboardInterrupt

    widget.watch(1, interrupted)
    with pytest.raises(KeyboardInterrupt):
        widget._asked(widget, {"action": "look"}, [])
    assert sent == [{"done": "look", "view": ""}]  # else the browser would wait for it for good


def test_nothing_is_read_while_a_cell_runs(widget: jn.JourneyCanvas) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.user_ns["look"] = lambda: ask(widget, action="look")
        read: list[int] = []
        widget.watch(1, lambda: read.append(1) or widget.stats)
        for cell in ("look()", "get_ipython().run_cell('1'); look()", "1/0", "look()"):
            shell.run_cell(cell)
        assert read == []
        ask(widget, action="look")
        assert read == [1]
        widget.watch(1, lambda: {}["gone"])
        ask(widget, action="look")
        shell.run_cell("look()")
        assert "gone" in widget.error, "nothing was read that could have mended it"
    finally:
        InteractiveShell.clear_instance()


def test_what_the_browser_sets_and_cannot_be_is_painted(widget: jn.JourneyCanvas) -> None:
    sent: list[Any] = []
    widget.send_state = lambda key=None: sent.append(key)
    widget.set_state({"selected": "nowhere"})
    assert "has no point" in widget.error
    assert (widget.selected, sent[-1]) == (None, ["selected"])

    def fails(_: Any) -> None:
        raise RuntimeError("an observer's own fault")

    ask(widget, action="dismiss")
    assert widget.error == ""
    widget.set_state({"selected": "nowhere"})
    widget.set_state({"selected": "settle"})
    assert (widget.error, widget.selected) == ("", "settle")
    widget.observe(fails, "selected")
    widget.set_state({"selected": "hello_push"})
    assert "an observer&#39;s own fault" in widget.error
    assert widget.selected == "hello_push"


def test_requests_that_come_at_once_are_met_one_after_the_other(
    widget: jn.JourneyCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupyterLab may hand one to the thread of the cells and the next to another beside it."""
    closing = Thread(target=lambda: ask(widget, action="close"))
    slow = jn.JourneyCanvas._detail

    def meanwhile(*args: Any, **options: Any) -> str:
        monkeypatch.undo()
        closing.start()
        closing.join(0.3)  # until it is met, if it does not wait
        return slow(*args, **options)

    monkeypatch.setattr(jn.JourneyCanvas, "_detail", meanwhile)
    ask(widget, action="open", point="settle")
    closing.join()
    assert (widget.opened, widget.detail) == (None, "")


def test_a_full_window_that_is_opened_again_stays_full(widget: jn.JourneyCanvas) -> None:
    widget.opened, widget.full = "hello_push", True
    full = widget.detail
    ask(widget, action="open", point="hello_push")
    assert (widget.full, widget.detail) == (True, full)
    widget.opened = "email_tips"
    assert (widget.full, widget.detail == full) == (False, False)
    widget.full = True
    assert len(widget.detail) > len(full) / 2
