"""The live canvas in a bare page: every action with its effect, the keyboard, everybody's needs, bad input."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE, tree
from live import Live, english, fits, serious, tried
from playwright.sync_api import expect

import journey_nb as jn
from journey_nb.exports import MessageRuns, point_users
from journey_nb.render.canvas import meanings
from journey_nb.render.detail import PEOPLE
from journey_nb.render.panels import explained
from journey_nb.simulate import simulate

pytestmark = pytest.mark.browser

CARD = ".sheet [data-point={}]"


@pytest.fixture
def open_live(
    on_page: Callable[..., Live], welcome_stats: jn.JourneyStats, tmp_path: Path
) -> Callable[..., Live]:
    def make(
        stats: jn.JourneyStats | None = None, page: dict[str, Any] | None = None, **options: Any
    ) -> Live:
        return on_page(jn.JourneyCanvas(stats or welcome_stats, folder=tmp_path, **options), **(page or {}))

    return make


def focused(live: Live) -> str:
    return live.page.evaluate(
        "document.querySelector('.jnb-live').shadowRoot.activeElement?.dataset.point ?? ''"
    )


def scale(live: Live) -> float:
    return live.page.evaluate("new DOMMatrix(getComputedStyle(document.querySelector('.jnb-live').shadowRoot.querySelector('.sheet')).transform).a")  # fmt: skip


def place(live: Live) -> list[float]:
    return live.page.evaluate("(m => [m.e, m.f])(new DOMMatrix(getComputedStyle(document.querySelector('.jnb-live').shadowRoot.querySelector('.sheet')).transform))")  # fmt: skip


def number(live: Live, key: str) -> str:
    return live.page.locator(f'.sheet [data-key="{key}"]').text_content()


def entered(stats: jn.JourneyStats, point: str) -> str:
    return f"{stats.points().filter(pl.col('point_id') == point)['entered'].item():,}"


# Every action, and what it must bring about.


def tries_period(live: Live) -> None:
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert live.widget.period == live.widget.stats.chosen == "7d"
    assert number(live, "points.signup.entered") == entered(live.widget.stats, "signup")
    assert "17 May 2026" in live.page.locator(".sheet .sub").first.text_content()


def tries_dates(live: Live) -> None:
    assert not live.page.locator("form[data-action=dates]").is_visible()
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("[name=first]", "2026-03-01")
    live.page.fill("[name=last]", "2026-03-15")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert live.widget.period == "2026-03-01..2026-03-15"
    assert live.page.locator("form[data-action=dates]").is_visible()
    assert live.page.input_value("[data-action=period]") == "custom"
    assert number(live, "points.signup.entered") == entered(live.widget.stats, "signup")


def tries_clock(live: Live) -> None:
    live.page.select_option("[data-action=clock]", "cohort")
    live.settle()
    assert live.widget.stats.scope.clock == "cohort"
    assert "followed up" in live.page.locator(".sheet .sub").first.text_content()


def tries_version(live: Live) -> None:
    before = set(
        live.page.eval_on_selector_all(".sheet [data-branch]", "all => all.map(e => e.dataset.branch)")
    )
    live.page.select_option("[data-action=version]", "1")
    live.settle()
    assert live.widget.stats.scope.version == 1
    drawn = set(
        live.page.eval_on_selector_all(".sheet [data-branch]", "all => all.map(e => e.dataset.branch)")
    )
    assert drawn == {f"{b.source}|{b.key}" for b in live.widget.stats.journey.version(1).branches} != before
    live.page.select_option("[data-action=version]", "")
    live.settle()
    assert live.widget.stats.scope.version is None


def tries_heat(live: Live) -> None:
    live.page.select_option("[data-action=heat]", "time")
    live.settle()
    assert live.widget.heat == "time"
    assert live.page.locator(".sheet .tint").count() > 3
    assert number(live, "points.settle.heat") == "Median stay: 2 d"
    live.page.select_option("[data-action=heat]", "")
    live.settle()
    assert live.widget.heat is None
    assert live.page.locator(".sheet .tint").count() == 0


def tries_compare(live: Live) -> None:
    live.page.check("[data-action=compare]")
    live.settle()
    assert live.widget.stats.comparing
    assert "nothing before" in live.page.locator("label:has([data-action=compare])").text_content()
    live.page.select_option("[data-action=period]", "30d")
    live.settle()
    assert re.fullmatch(r"Entered [+−]?[\d.]+% · was \d+", number(live, "points.signup.entered_change"))


def tries_metrics(live: Live) -> None:
    shown = ".sheet [data-point=hello_push] .d"
    live.page.mouse.move(2, 2)
    live.page.uncheck("[data-action=metrics]")
    assert live.widget.metrics is False
    assert live.page.eval_on_selector(shown, "e => getComputedStyle(e).opacity") == "0"
    live.page.hover(CARD.format("hello_push"))
    assert live.page.eval_on_selector(shown, "e => getComputedStyle(e).opacity") == "1"
    live.page.check("[data-action=metrics]")
    live.page.select_option("[data-action=period]", "30d")
    live.settle()
    assert live.page.is_checked("[data-action=metrics]")


def tries_find(live: Live) -> None:
    user = live.widget.stats.users(limit=1)["user_id"].item()
    live.page.fill("[name=user]", user)
    live.page.keyboard.press("Enter")
    live.settle()
    assert live.widget.user == user
    path = live.widget.stats.user_path(user)
    newest = path.filter(pl.col("run_id") == path["run_id"].first())["point_id"].unique().to_list()
    assert sorted(live.page.eval_on_selector_all(".sheet .card.on", "all => all.map(e => e.dataset.point)")) == sorted(newest)  # fmt: skip
    live.page.fill("[name=user]", user[:-1] + "x")
    live.page.click("form[data-action=find] button")
    live.settle()
    assert "is not in this journey" in live.page.locator(".missing").text_content()
    assert live.widget.user == user, "what was lit stays lit"
    near = live.page.locator(".missing [data-action=find]").first
    name = near.text_content()
    near.click()
    live.settle()
    assert live.widget.user == name
    assert live.page.locator(".missing").count() == 0
    live.widget.opened, live.widget.full = "hello_push", True
    sent = MessageRuns(live.widget.stats, "hello_push").page().with_row_index()
    is_newest = pl.col("run_id") == pl.col("run_id").last().over("user_id")
    row = sent.filter(~is_newest).row(0, named=True)
    live.widget._handle_custom_msg({"action": "page", "value": row["index"] // PEOPLE * PEOPLE}, [])
    live.push()
    live.page.locator(".detail [data-action=find]").nth(row["index"] % PEOPLE).click()
    live.settle()
    assert (live.widget.user, live.widget.run) == (row["user_id"], row["run_id"]), "the run of that message"


def tries_suggest(live: Live) -> None:
    live.page.locator("[name=user]").press_sequentially("u00001")
    offered = live.page.locator(".offers button")
    expect(offered).to_have_text(live.widget.stats.beginning("u00001"), timeout=30_000)  # not those of "u000"
    live.settle()
    name = offered.last.text_content()
    offered.last.click()
    live.settle()
    assert live.widget.user == name
    assert live.page.locator(".offers").count() == 0


def tries_clear(live: Live) -> None:
    live.widget.user = live.widget.stats.users(limit=1)["user_id"].item()
    live.push()
    live.page.wait_for_selector(".sheet .card.on")
    live.page.click("[data-action=clear]")
    live.settle()
    assert live.widget.user is None
    assert live.page.locator(".sheet .card.on, .sheet .dim").count() == 0


def tries_zoom_in(live: Live) -> None:
    before = scale(live)
    live.page.click("[data-action=zoom-in]")
    assert scale(live) == pytest.approx(before * 1.25)


def tries_zoom_out(live: Live) -> None:
    before = scale(live)
    live.page.click("[data-action=zoom-out]")
    assert scale(live) == pytest.approx(before / 1.25)


def tries_fit(live: Live) -> None:
    live.page.click("[data-action=fit]")
    stage, svg = (live.page.locator(part).bounding_box() for part in (".stage", ".sheet > svg"))
    assert svg["height"] == pytest.approx(stage["height"], abs=1)
    assert stage["y"] - 1 <= svg["y"]
    assert stage["x"] <= svg["x"]


def tries_open(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    assert live.widget.opened == live.widget.selected == "hello_push"
    assert live.page.get_by_role("dialog", name="Welcome push").is_visible()
    assert entered(live.widget.stats, "hello_push") in live.page.locator(".detail").text_content()
    live.page.select_option("[data-action=period]", "7d")  # the window follows
    live.settle()
    assert live.page.locator('.detail [data-key="entered"]').text_content() == entered(
        live.widget.stats, "hello_push"
    )


def tries_drops(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    reasons = live.page.locator("details:has([data-action=drops]) table")
    assert not reasons.is_visible()
    live.page.click("[data-action=drops]")
    assert reasons.is_visible()
    assert live.widget.stats.drops("hello_push").height == reasons.locator("tbody tr").count()


def tries_statistics(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    switch = live.page.locator("[data-action=statistics]")
    assert switch.text_content() == "Full statistics · Welcome aboard"
    switch.click()
    live.settle()
    assert live.widget.full
    row = live.widget.stats.messages().filter(pl.col("point_id") == "hello_push").row(0, named=True)
    for name in ("sent", "sent_users", "goal_direct", "skipped"):
        assert live.page.locator(f'.detail [data-key="{name}"]').text_content() == f"{row[name]:,}"
    assert live.page.get_by_role("img", name="Time from sending").is_visible()
    live.page.get_by_role("button", name="Back").click()
    live.settle()
    assert not live.widget.full
    assert (
        live.page.evaluate("document.querySelector('.jnb-live').shadowRoot.activeElement.dataset.action")
        == "statistics"
    )


def tries_page(live: Live) -> None:
    live.widget.opened = "hello_push"
    live.widget.full = True
    live.push()
    users = point_users(live.widget.stats, "hello_push")["user_id"].to_list()

    def shown() -> list[str]:
        return live.page.locator(
            ".detail section:has([data-action=page]) tbody td:first-child"
        ).all_text_contents()

    live.page.wait_for_selector("[data-action=page]")
    assert shown() == users[:20]
    live.page.get_by_role("button", name="Next page").click()
    live.settle()
    assert shown() == users[20:40]
    assert f"Rows 21 – 40 of {len(users)}" in live.page.locator(".detail .turn").text_content()
    live.page.get_by_role("button", name="Previous page").click()
    live.settle()
    assert shown() == users[:20]


def tries_close(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    live.page.click("[data-action=close]")
    live.settle()
    assert live.widget.opened is None
    assert not live.page.locator(".detail").is_visible()
    assert focused(live) == "hello_push"


def tries_export(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    for what, name in (
        ("point", "Point statistics"),
        ("step-users", "Step users"),
        ("point-users", "Point users"),
    ):
        live.page.click(f"[data-what={what}]")
        live.settle()
        assert live.page.get_by_role("dialog", name=f"Export {name}, Welcome push").is_visible()
        live.page.keyboard.press("Escape")
        live.settle()
        assert live.widget.opened == "hello_push", "Escape closes the window above only"
    live.widget.opened = "settle"
    assert "point-users" not in live.widget.detail


def tries_write(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    live.page.click("[data-what=point-users]")
    live.settle()
    live.page.fill(".export [name=first]", "2026-03-01")
    live.page.fill(".export [name=last]", "2026-03-31")
    with live.page.expect_download() as download:
        live.page.click("form[data-action=write] button")
    live.settle()
    (path,) = live.widget.folder.iterdir()
    assert download.value.suggested_filename == path.name
    assert Path(download.value.path()).read_bytes() == path.read_bytes()
    rows = point_users(live.widget.stats.between("2026-03-01", "2026-03-31"), "hello_push").height
    assert f"{rows} rows written" in live.page.locator(".export").text_content()


def tries_export_again(live: Live) -> None:
    tries_write(live)
    live.page.click("[data-action=export-again]")
    live.settle()
    assert live.page.locator("form[data-action=write]").is_visible()


def tries_export_close(live: Live) -> None:
    tries_write(live)
    live.page.click("[data-action=export-close]")
    live.settle()
    assert not live.page.locator(".export").is_visible()
    assert live.widget.opened == "hello_push"


def tries_dismiss(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("[name=first]", "2026-04-03")
    live.page.fill("[name=last]", "2026-04-01")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert "swap the two" in live.page.get_by_role("alert").text_content()
    assert live.page.input_value("[data-action=period]") == "launch", "the menu says what is drawn"
    live.page.click("[data-action=dismiss]")
    live.settle()
    assert live.page.get_by_role("alert").count() == 0


def tries_look(live: Live) -> None:
    """What is watched is asked for in time; only numbers that changed are replaced."""
    fewer = live.widget.stats
    journey = fewer.journey
    news = [fewer, jn.JourneyStats(journey, simulate(journey, users=230, seed=7))]
    live.widget.period = "30d"
    live.widget.watch(0.05, lambda: news[-1])
    live.push()
    was = live.page.query_selector('.sheet [data-key="points.signup.entered"]')
    live.page.wait_for_function(
        "([was, entered]) => was.isConnected && was.textContent === entered",
        arg=[was, entered(news[1].period("30d"), "signup")],
    )
    assert live.widget.period == "30d"
    assert not live.page.locator("[aria-busy]").count()
    live.page.evaluate("document.querySelector('main').hidden = true")
    live.page.wait_for_timeout(150)  # what was asked by now is answered
    asked = live.page.evaluate("model.sent.length")
    live.page.wait_for_timeout(300)
    assert live.page.evaluate("model.sent.length") == asked  # nobody can see it: nothing is asked
    live.page.evaluate("document.querySelector('main').hidden = false")
    live.page.wait_for_function(f"model.sent.length > {asked + 1}")
    live.page.evaluate("dispose()")
    asked = live.page.evaluate("model.sent.length")
    live.page.wait_for_timeout(300)
    assert live.page.evaluate("model.sent.length") == asked


def tries_map(live: Live) -> None:
    """Only above 40 points."""
    assert not live.page.locator("[data-action=map]").is_visible()
    large = tree(60)
    live.widget.stats = jn.JourneyStats(large, simulate(large, users=40, seed=3))
    live.push()
    live.page.locator(".map .block").nth(59).wait_for()
    assert live.page.locator(".map .block").count() == 60
    box = live.page.locator("[data-action=map]").bounding_box()
    before = place(live)
    live.page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert place(live)[0] < before[0] - 500
    view = live.page.locator(".map .view").bounding_box()
    assert view["x"] < box["x"] + box["width"] * 0.9 < view["x"] + view["width"]


TRIED = tried(globals())


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(live: Live, action: str) -> None:
    TRIED[action](live)
    assert action in live.done


def test_no_action_is_left_untried() -> None:
    assert set(jn.JourneyCanvas._actions) <= set(TRIED)


# Hands


def test_a_click_selects_and_the_kernel_sees_it(live: Live) -> None:
    seen: list[Any] = []
    live.widget.observe(lambda change: seen.append(change["new"]), "selected")
    live.page.click(CARD.format("hello_push"))
    assert live.page.locator(CARD.format("hello_push")).get_attribute("aria-pressed") == "true"
    live.page.mouse.click(60, 500)
    live.settle()
    assert seen == ["hello_push", None]


def test_what_code_sets_is_shown_and_only_what_changed_is_replaced(live: Live) -> None:
    live.page.evaluate("window.held = document.querySelector('.jnb-live').shadowRoot.querySelector('[data-key=\"points.signup.entered\"]')")  # fmt: skip
    live.widget.selected = "signup"
    live.widget.period = "30d"
    live.push()
    live.page.wait_for_function(
        "number => window.held.textContent === number", arg=entered(live.widget.stats, "signup")
    )
    assert live.page.evaluate("window.held.isConnected")
    assert live.page.locator(CARD.format("signup")).get_attribute("aria-pressed") == "true"


def test_the_wheel_zooms_where_it_points_once_the_canvas_is_worked_in(live: Live) -> None:
    live.page.mouse.move(700, 300)
    before = scale(live)
    live.page.mouse.wheel(0, -200)
    live.settle()
    assert scale(live) == before, "a notebook is scrolled over the canvas"
    live.page.click(CARD.format("signup"))
    box = live.page.locator(CARD.format("signup")).bounding_box()
    live.page.mouse.move(box["x"], box["y"])
    live.page.mouse.wheel(0, -200)
    live.page.wait_for_function("before => new DOMMatrix(document.querySelector('.jnb-live').shadowRoot.querySelector('.sheet').style.transform).a > before", arg=before)  # fmt: skip
    after = live.page.locator(CARD.format("signup")).bounding_box()
    assert (after["x"], after["y"]) == pytest.approx((box["x"], box["y"]), abs=1)
    assert after["width"] > box["width"]


def test_a_drag_pans_and_selects_nothing(live: Live) -> None:
    before = place(live)
    box = live.page.locator(CARD.format("signup")).bounding_box()
    live.page.mouse.move(box["x"] + 50, box["y"] + 50)
    live.page.mouse.down()
    live.page.mouse.move(box["x"] + 90, box["y"] + 20, steps=4)
    live.page.mouse.up()
    assert place(live) == pytest.approx([before[0] + 40, before[1] - 30])
    assert live.widget.selected is None


def test_what_the_reader_has_moved_keeps_its_middle_in_another_room(live: Live) -> None:
    """It kept its left edge: where the room became narrow, nothing of the picture was left in sight."""
    live.page.locator("[data-action=zoom-in]").click()
    middle = "e => e.getBoundingClientRect().left + e.getBoundingClientRect().width / 2"
    for width in (500, 1100):
        stage, card = live.page.locator(".stage"), live.page.locator(CARD.format("signup"))
        off = card.evaluate(middle) - stage.evaluate(middle)
        live.page.set_viewport_size({"width": width, "height": 900})
        live.settle()
        assert card.evaluate(middle) - stage.evaluate(middle) == pytest.approx(off, abs=1)


def test_the_step_that_is_selected_stays_in_sight_where_the_room_becomes_narrow(live: Live) -> None:
    card = live.page.locator(CARD.format("signup"))
    card.click()
    live.page.locator("[data-action=zoom-in]").click()
    box = live.page.locator(".stage").bounding_box()
    live.page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 20)
    live.page.mouse.down()
    live.page.mouse.move(box["x"] + 20 - (card.bounding_box()["x"] - box["x"]), box["y"] + box["height"] - 20)
    live.page.mouse.up()
    live.page.set_viewport_size({"width": 400, "height": 900})
    live.settle()
    stage, shown = live.page.locator(".stage").bounding_box(), card.bounding_box()
    assert stage["x"] <= shown["x"]
    assert shown["x"] + shown["width"] <= stage["x"] + stage["width"]


def test_hover_and_focus_tell_a_card_s_account(live: Live) -> None:
    hint = live.page.locator(".account").text_content()
    assert "Arrows follow the branches" in hint
    live.page.hover(CARD.format("hello_push"))
    told = live.page.locator(".account").text_content()
    assert told == live.page.locator(CARD.format("hello_push")).get_attribute("aria-description")
    assert f"{entered(live.widget.stats, 'hello_push')} entered" in told


def test_hover_and_focus_tell_what_a_number_counts(live: Live) -> None:
    said = meanings()
    account = live.page.locator(".account")
    for key, told in (
        ("points.hello_push.sent", "points.sent"),
        ("points.hello_push.opened_rate", "points.opened"),
        ("points.hello_push.drop_offs", "points.drop_offs"),
        ("branches.signup|default.runs", "branches.runs"),
    ):
        live.page.hover(f'.sheet [data-key="{key}"]')
        assert account.text_content() == said[told] != ""
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    number = live.page.get_by_role("group", name="Click rate")
    number.focus()
    assert account.text_content() == explained("messages.click_rate") != ""
    live.page.hover(".detail [data-key=entered]")
    assert account.text_content() == explained("points.entered") != ""


def test_the_whole_canvas_works_from_the_keyboard(live: Live) -> None:
    press = live.page.keyboard.press
    live.page.locator(CARD.format("signup")).focus()
    ways = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowUp", "End", "Home"):
        press(key)
        ways.append(focused(live))
    assert ways == ["hello_push", "first_look", "offer_test", "nudge_push", "offer_test", "first_look",
                    "nudge_email", "signup"]  # fmt: skip
    assert live.widget.selected == "signup"
    stage = live.page.locator(".stage").bounding_box()
    press("End")
    card = live.page.locator(CARD.format("nudge_email")).bounding_box()
    assert stage["y"] <= card["y"] <= stage["y"] + stage["height"], "what has the focus is in view"
    press("Enter")
    live.settle()
    assert live.widget.opened == "nudge_email"
    press("Escape")
    live.settle()
    assert live.widget.opened is None
    assert focused(live) == "nudge_email"
    for key, by in (("+", 1.25), ("-", 1 / 1.25)):
        before = scale(live)
        press(key)
        assert scale(live) == pytest.approx(before * by)
    press("0")
    assert live.page.locator(".sheet > svg").bounding_box()["height"] <= stage["height"] + 1
    press("Escape")
    assert live.widget.selected is None


def test_one_card_is_where_tab_enters(live: Live) -> None:
    def stops() -> list[str]:
        return live.page.eval_on_selector_all(".sheet [tabindex='0']", "all => all.map(e => e.dataset.point)")

    assert stops() == ["signup"]
    live.page.click(CARD.format("hello_push"))
    assert stops() == ["hello_push"]


# Everybody


@pytest.mark.parametrize("state", ["plain", "detail", "statistics", "path"])
def test_axe_finds_nothing_serious(open_live: Callable[..., Live], state: str) -> None:
    live = open_live(heat="share")
    if state == "statistics":
        live.page.dblclick(CARD.format("hello_push"))
        live.settle()
        live.page.click("[data-action=statistics]")
        live.settle()
    if state == "detail":
        live.page.dblclick(CARD.format("hello_push"))
        live.settle()
        live.page.click("[data-action=drops]")
    if state == "path":
        live.page.fill("[name=user]", "u00001")
        live.page.keyboard.press("Enter")
        live.settle()
    assert serious(live) == []


def test_numbers_are_read_as_they_are(live: Live) -> None:
    """Two that only stand apart would be one: 38 and 10 % were 3810 %."""
    live.widget.heat = "share"
    live.push()
    live.page.locator(".sheet .tint").first.wait_for()
    session = live.page.context.new_cdp_session(live.page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    named = {node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "button"}
    for card in live.page.locator(".sheet [data-point]").all():
        texts = card.locator("text").evaluate_all(
            "all => all.map(text => [...(text.children.length ? text.children : [text])].map(e => e.textContent.trim()).filter(Boolean))"
        )
        said = " ".join(part for text in texts for part in text)
        assert said in {" ".join(name.split()) for name in named}
    pills = live.page.locator(".pill text").all_text_contents()
    assert any(re.fullmatch(r"Yes [\d,]+ [\d.]+%", pill) for pill in pills), pills


# The kernel goes away.


@pytest.mark.parametrize("sign", ["thrown", "silence"])
def test_a_kernel_that_is_gone_is_told_of(live: Live, sign: str) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    gone = {
        "thrown": "void (window.model.send = () => { throw new Error('Cannot send'); })",
        "silence": "void (window.model.send = () => {})",
    }
    live.page.evaluate(gone[sign])
    # A minute's silence, which may mean that it has much to count, is a second here.
    live.page.evaluate("""(set => {
      window.setTimeout = (then, after, ...more) => set(then, after === 60_000 ? 1_000 : after, ...more);
    })(window.setTimeout)""")
    live.page.select_option("[data-action=period]", "7d")
    expect(live.page.get_by_role("alert")).to_contain_text("run this cell again")
    assert live.page.input_value("[data-action=period]") == "launch", "the menu says what is drawn"
    assert live.page.locator("[aria-busy]").count() == 0
    if sign != "silence":
        live.page.click("[data-action=close]")
        assert live.page.locator(".detail").is_hidden()
    else:  # a late answer is an answer
        live.page.evaluate("delete window.model.send")
        live.page.select_option("[data-action=period]", "7d")
        live.settle()
        assert live.page.get_by_role("alert").count() == 0


def test_dates_that_are_being_chosen_stay(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("[name=first]", "2026-03-01")
    live.page.locator("[name=user]").press_sequentially("u00")
    live.page.locator(".offers").wait_for()
    live.page.select_option("[data-action=heat]", "time")
    live.settle()
    assert live.page.locator("form[data-action=dates]").is_visible()
    assert live.page.input_value("[data-action=period]") == "custom"
    live.page.fill("[name=last]", "2026-03-15")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert live.widget.period == "2026-03-01..2026-03-15"
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("[name=first]", "2026-03-04")
    live.page.select_option("[data-action=period]", "launch")
    live.settle()
    assert live.page.locator("form[data-action=dates]").is_hidden()
    assert live.page.input_value("[data-action=period]") == "launch"


def test_a_long_id_and_an_error_stay_in_the_view(
    open_live: Callable[..., Live], welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    long = "0123456789abcdef" * 4
    log = welcome_log.with_columns(pl.col("user_id").replace({welcome_log["user_id"][0]: long}))
    live = open_live(jn.JourneyStats(welcome, log), page={"width": 500}, user=long)
    live.page.evaluate("window.model.send({action: 'x'})")
    live.settle()
    view = live.page.locator(".view").bounding_box()
    for control in live.page.locator(".tools :is(button, select, input, p):visible").all():
        box = control.bounding_box()
        assert view["x"] < box["x"] < box["x"] + box["width"] < view["x"] + view["width"]
    assert live.page.locator(".error p").bounding_box()["x"] > view["x"] + 8, "apart from the edge"


def test_news_is_read_aloud(live: Live) -> None:
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert "17 May 2026 – 23 May 2026" in live.page.get_by_role("status").text_content()


@pytest.mark.parametrize("dir", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_its_place_either_way_round(open_live: Callable[..., Live], dir: str, width: int) -> None:
    live = open_live(page={"width": width, "dir": dir})
    live.page.click("[data-action=fit]")
    live.page.dblclick(CARD.format("signup"))
    live.settle()
    fits(live.page, width, ".tools :is(select, input, button), .detail, .account")
    detail, stage = (live.page.locator(part).bounding_box() for part in (".detail", ".stage"))
    if width > 560:
        at_left = detail["x"] - stage["x"] < 20
        assert at_left == (dir == "rtl"), "the window stands where reading ends"


def test_the_theme_is_the_notebook_s_or_the_reader_s_or_the_one_asked_for(
    open_live: Callable[..., Live],
) -> None:
    def ground(live: Live) -> str:
        return live.page.eval_on_selector(".view", "e => getComputedStyle(e).backgroundColor")

    live = open_live(page={"color_scheme": "dark"})
    assert ground(live) == "rgb(18, 22, 27)"
    live.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert ground(live) == "rgb(244, 246, 248)"
    live.page.evaluate("document.body.style.setProperty('--jp-layout-color2', 'rgb(1, 2, 3)')")
    assert ground(live) == "rgb(1, 2, 3)"
    fixed = open_live(theme="dark")
    assert ground(fixed) == "rgb(18, 22, 27)"


def test_nothing_moves_for_who_wants_no_motion(open_live: Callable[..., Live]) -> None:
    live = open_live(page={"reduced_motion": "reduce"})
    live.page.evaluate("document.querySelector('.jnb-live').shadowRoot.querySelector('.view').setAttribute('aria-busy', 'true')")  # fmt: skip
    assert live.page.eval_on_selector(".view", "e => getComputedStyle(e, '::before').animationName") == "none"


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(
    open_live: Callable[..., Live], welcome_stats: jn.JourneyStats, locale: str
) -> None:
    live = open_live(welcome_stats.period("7d").compare(), locale=locale, heat="conversion")
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    live.page.fill("[name=user]", "u00001")
    live.page.click("form[data-action=find] button")
    live.settle()
    own = {branch.label for branch in welcome_stats.journey.version().branches}
    assert english(live, locale) - own == set()
    live.page.click("[data-action=statistics]")
    live.settle()
    assert english(live, locale) - own == set()


# What goes wrong


def test_a_request_that_fails_is_painted_and_the_picture_stays(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live.page.locator(".sheet").inner_html()

    def broken(*_: Any, **__: Any) -> pl.DataFrame:
        raise OSError("the disk <b>is</b> gone")

    monkeypatch.setattr(jn.JourneyStats, "points", broken)
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    told = live.page.get_by_role("alert").text_content()
    assert "the disk <b>is</b> gone" in told
    assert live.page.locator(".sheet").inner_html() == before
    assert live.widget.period == live.widget.stats.chosen == "launch"
    monkeypatch.undo()
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert live.page.get_by_role("alert").count() == 0
    assert live.widget.period == "7d"


def test_a_request_of_nobody_s_is_refused(live: Live) -> None:
    live.page.evaluate("window.model.send({action: '_draw'})")
    live.settle()
    assert "there is no action" in live.page.get_by_role("alert").text_content()


def test_hostile_texts_run_nowhere_and_break_nothing(open_live: Callable[..., Live]) -> None:
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    texts = ["<img src=x onerror=alert(1)>", *HOSTILE, '"><script>alert(1)</script>', "{{ 7 * 7 }}"]
    for at, point in enumerate(document["versions"][-1]["points"]):
        point["title"] = texts[at % len(texts)]
    document["title"] = texts[0]
    journey = jn.Journey.model_validate(document)
    log = simulate(jn.Journey.sample("welcome"), users=60, seed=5)
    user = log["user_id"][0]
    log = log.with_columns(user_id=pl.col("user_id").replace({user: texts[0]}))
    live = open_live(jn.JourneyStats(journey, log))
    for point in journey.versions[-1].points:
        live.page.evaluate("point => window.model.send({action: 'open', point})", point.point_id)
        live.page.evaluate("window.model.send({action: 'statistics', value: '1'})")
        live.settle()
        assert live.page.locator(".detail h2").count() == 1
        assert live.page.get_by_role("alert").count() == 0
    for name in ("<script>alert(1)</script>", texts[0]):
        live.page.fill("[name=user]", name)
        live.page.click("form[data-action=find] button")
        live.settle()
    assert live.widget.user == texts[0]
    shadow = "document.querySelector('.jnb-live').shadowRoot"
    assert (
        live.page.evaluate(
            f"{shadow}.querySelectorAll('script, [onerror], img:not([src^=\"data:\"])').length"
        )
        == 0
    )
    assert live.page.evaluate("document.documentElement.scrollWidth") <= 1100


def test_two_views_share_a_page_and_one_that_is_closed_listens_no_more(live: Live) -> None:
    heard = live.page.evaluate("window.model.heard.length")
    live.page.evaluate("window.dispose()")
    assert heard > 5
    assert live.page.evaluate("window.model.heard.length") == 0


def test_two_canvases_side_by_side_do_not_disturb_each_other(
    open_live: Callable[..., Live], welcome_stats: jn.JourneyStats
) -> None:
    """A period beside a segment of the same journey, as the quickstart sets two side by side."""
    one = open_live(welcome_stats.period("30d"))
    two = open_live(welcome_stats.where(variant="B"), page={"beside": one})
    first, second = (one.page.locator("main").nth(at) for at in (0, 1))
    key = '.sheet [data-key="points.signup.entered"]'
    for live, place in ((one, first), (two, second)):
        assert place.locator(key).text_content() == entered(live.widget.stats, "signup")
    assert first.locator(key).text_content() != second.locator(key).text_content()

    first.locator(CARD.format("hello_push")).click()
    second.locator(CARD.format("signup")).focus()
    one.page.keyboard.press("ArrowDown")
    one.page.keyboard.press("ArrowDown")
    one.page.keyboard.press("Enter")
    two.settle()
    assert (one.widget.selected, two.widget.selected) == ("hello_push", "first_look")
    assert (one.widget.opened, two.widget.opened) == (None, "first_look")
    assert first.locator(".detail").is_hidden()
    assert second.get_by_role("dialog", name="Views the catalogue?").is_visible()
    first.locator("[data-action=period]").select_option("7d")
    one.settle()
    assert (one.widget.period, two.widget.period) == ("7d", "launch")
    second.locator("[data-action=heat]").select_option("share")
    two.settle()
    assert (first.locator(".tint").count(), second.locator(".tint").count() > 3) == (0, True)
    second.locator("[data-what=step-users]").click()
    two.settle()
    assert second.locator(".export").is_visible()
    assert not first.locator(".export").is_visible()


def view_again(live: Live) -> tuple[Any, Any]:
    """The view of a widget, and a second one of the same."""
    again = """async (esm) => {
      const {default: view} = await import(URL.createObjectURL(new Blob([esm], {type: 'text/javascript'})));
      const el = document.createElement('main');
      document.body.append(el);
      window.disposeFirst = window.dispose;
      window.dispose = await view.render({model: window.model, el});
    }"""
    live.page.evaluate(again, live.widget._esm)
    first, second = (live.page.locator("main").nth(at) for at in (0, 1))
    second.locator(".sheet > svg").wait_for()
    return first, second


@pytest.mark.parametrize("other", ["el => el.style.display = 'none'", "el => el.remove()", "el => {}"])
def test_a_window_opens_in_the_view_that_asked_alone(live: Live, other: str) -> None:
    """One that opens out of sight, in another tab or a collapsed output, freezes the page."""
    _, second = view_again(live)
    live.page.evaluate(f"({other})(document.querySelector('main'))")
    asking = second if other != "el => el.remove()" else live.page.locator("main")
    asking.locator(CARD.format("hello_push")).dblclick()
    live.page.wait_for_function("window.model.pending === 0")
    asking.locator(".detail").wait_for()
    for _ in range(2):
        asking.locator("[data-what=step-users]").click()
        asking.locator(".export").wait_for()
        assert live.page.evaluate(
            "[...document.querySelectorAll('main .jnb-live')].map(v => v.shadowRoot.querySelector('.export').open)"
        ).count(True) == 1  # fmt: skip
        asking.locator("[data-action=export-close]").click()
        asking.locator(".export").wait_for(state="hidden")


def test_a_window_that_was_left_open_opens_where_it_is_asked_for_again(live: Live) -> None:
    """As after the page was loaded anew, when the kernel says what it has said already."""
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    live.page.click("[data-what=step-users]")
    live.settle()
    left = live.widget.export
    view_again(live)
    live.page.evaluate("disposeFirst(); document.querySelector('main').remove()")
    assert not live.page.locator(".export").is_visible()
    live.page.click("[data-what=step-users]")
    live.page.locator(".export").wait_for()
    assert live.widget.export == left


def test_of_two_views_the_one_that_opens_a_step_has_the_focus(live: Live) -> None:
    first, second = view_again(live)
    for view, other in ((first, second), (second, first)):
        view.locator(CARD.format("hello_push")).click()
        live.page.keyboard.press("Enter")
        live.settle()
        assert other.locator(".detail").is_visible()
        assert view.locator("h2:focus").count() == 1
        live.page.keyboard.press("Escape")
        live.settle()
        assert view.locator(f"{CARD.format('hello_push')}:focus").count() == 1
    live.widget.opened = "hello_push"
    live.push()
    assert second.locator(f"{CARD.format('hello_push')}:focus").count() == 1, "code takes no focus"


def test_of_two_views_of_one_widget_only_the_one_that_is_asked_acts(live: Live) -> None:
    _, second = view_again(live)
    downloads: list[Any] = []
    live.page.on("download", lambda download: downloads.append(download))
    live.widget.opened = "hello_push"
    live.push()
    second.locator("[data-what=point]").click()
    live.settle()
    second.locator("form[data-action=write] button").click()
    live.settle()
    live.page.wait_for_timeout(200)
    assert len(downloads) == 1

    live.widget.watch(0.1, lambda: live.widget.stats)
    live.push()
    asked = "window.model.sent.filter(sent => sent.action === 'look').map(sent => sent.view)"
    live.page.wait_for_function(f"{asked}.length > 4")
    assert len(set(live.page.evaluate(f"{asked}.slice(-4)"))) == 1, "one leads"
    leader = live.page.evaluate(f"{asked}.at(-1)")
    # Whichever leads, the other takes over where that one is gone.
    live.page.evaluate("disposeFirst()")
    live.page.wait_for_timeout(200)
    led = live.page.evaluate(f"{asked}.length")
    live.page.wait_for_function(f"{asked}.length > {led}")
    live.page.evaluate("dispose()")
    assert leader


def test_little_travels(live: Live) -> None:
    state = live.widget.get_state()
    size = sum(len(value) if isinstance(value, bytes) else len(repr(value)) for value in state.values())
    assert size < 60_000
    large = tree(200)
    widget = jn.JourneyCanvas(jn.JourneyStats(large, simulate(large, users=40, seed=3)))
    size = sum(
        len(value) if isinstance(value, bytes) else len(repr(value)) for value in widget.get_state().values()
    )
    assert size < 200_000
