"""The live list of journeys in a bare page: every action with its effect, everybody's needs, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE
from live import Live, english, fits, serious, tried

import journey_nb as jn
from journey_nb.render.journeys import PAGE

pytestmark = pytest.mark.browser


@pytest.fixture
def store(welcome_store: jn.Store) -> jn.Store:
    """The welcome series with its events, and a journey without any."""
    welcome_store.add(jn.Journey.sample("abandoned_cart"))
    return welcome_store


@pytest.fixture
def open_live(on_page: Callable[..., Live], store: jn.Store, tmp_path: Path) -> Callable[..., Live]:
    def make(page: dict[str, Any] | None = None, **options: Any) -> Live:
        return on_page(jn.JourneyList(store, folder=tmp_path / "files", **options), **(page or {}))

    return make


def add_drafts(store: jn.Store, welcome: jn.Journey, count: int) -> None:
    for at in range(count):
        own = {"journey_id": f"draft-{at}", "title": f"Draft {at}", "status": "draft", "tags": ("new",)}
        store.add(welcome.model_copy(update=own))


def listed(live: Live) -> list[str]:
    return live.page.locator("[data-action=journey]").all_text_contents()


def choose(live: Live, name: str, value: str) -> None:
    live.page.select_option(f"[data-action={name}]", value)
    live.settle()


def manage(live: Live, title: str, verb: str) -> Any:
    row = live.page.locator(f"tr:has([data-action=journey]:text-is('{title}'))")
    if not row.locator("details").evaluate("e => e.open"):
        row.locator("summary").click()
    row.get_by_role("button", name=verb, exact=True).click()
    live.settle()
    return live.page.get_by_role("dialog", name=f"{verb}: “{title}”")


# Every action, and what it must bring about.


def tries_status(live: Live) -> None:
    live.widget.store.pause("Welcome series")
    choose(live, "status", "paused")
    assert listed(live) == ["Welcome series"]
    assert live.widget.status == "paused"
    assert "Journeys: 1" in live.page.get_by_role("status").text_content()
    choose(live, "status", "")
    assert len(listed(live)) == 2
    assert live.widget.status is None


def tries_category(live: Live) -> None:
    choose(live, "category", "Onboarding")
    assert listed(live) == live.widget.store.find(category="Onboarding")["title"].to_list()
    assert len(listed(live)) == 1


def tries_type(live: Live) -> None:
    choose(live, "type", "api")
    assert listed(live) == []
    assert "Journeys: 0" in live.page.locator(".bar").text_content()


def tries_tag(live: Live) -> None:
    tag = live.widget.store.get("Welcome series").tags[0]
    choose(live, "tag", tag)
    assert live.widget.tag == tag
    assert listed(live) == live.widget.store.find(tag=tag)["title"].to_list()


def tries_search(live: Live) -> None:
    live.page.fill("[name=text]", "WELC")
    live.page.keyboard.press("Enter")
    live.settle()
    assert live.widget.title == "WELC"
    assert listed(live) == ["Welcome series"]


def tries_page(live: Live) -> None:
    add_drafts(live.widget.store, live.widget.store.get("Welcome series"), PAGE)
    choose(live, "status", "draft")
    choose(live, "status", "")
    assert len(listed(live)) == PAGE
    live.page.get_by_role("button", name="Next page").click()
    live.settle()
    assert live.widget.page == 1
    assert listed(live) == live.widget.found["title"].to_list()[PAGE:]


def tries_order(live: Live) -> None:
    newest = listed(live)
    choose(live, "order", "oldest")
    assert listed(live) == newest[::-1] != newest


def tries_tick(live: Live) -> None:
    box = live.page.get_by_role("checkbox", name="Select Welcome series")
    box.check()
    live.settle()
    assert live.widget.selected == [live.widget.store.get("Welcome series").journey_id]
    assert "Selected: 1" in live.page.locator(".bar").text_content()
    assert box.is_checked()
    box.uncheck()
    live.settle()
    assert live.widget.selected == []
    assert "Selected" not in live.page.locator(".bar").text_content()


def tries_journey(live: Live) -> None:
    button = live.page.get_by_role("button", name="Welcome series", exact=True)
    button.click()
    live.settle()
    assert live.widget.workspace.stats.journey.label == "Welcome series"
    assert live.widget._box.children == (live.widget, live.widget.workspace)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    live.settle()
    assert (live.widget.opened, live.widget.workspace) == (None, None)
    assert live.widget._box.children == (live.widget,)


@pytest.mark.parametrize("rows", [2, 30])
def test_a_workspace_that_opens_below_many_rows_comes_into_sight(
    live: Live, welcome: jn.Journey, rows: int
) -> None:
    """It opened out of sight, and the title seemed to do nothing."""
    add_drafts(live.widget.store, welcome, rows - 2)
    choose(live, "status", "draft")
    choose(live, "status", "")
    live.page.get_by_role("button", name="Welcome series", exact=True).click()
    live.settle()
    assert "Opened below the list: Welcome series" in live.page.get_by_role("status").text_content()
    head = Live(live.sheet, live.widget.workspace.head)
    view = live.page.locator("main").nth(1).locator(".view")
    live.page.wait_for_function(
        "() => document.querySelectorAll('.jnb-live')[1].getBoundingClientRect().bottom <= innerHeight"
    )
    assert view.bounding_box()["y"] >= 0
    assert (live.page.evaluate("scrollY") > 0) == (rows == 30), "what can be seen stays where it is"
    head.settle()
    assert live.widget.workspace.head.comes is False
    live.page.evaluate("scrollTo(0, 0)")
    Live(live.sheet, live.widget.workspace.canvas)
    assert live.page.evaluate("scrollY") == 0


def tries_manage(live: Live) -> None:
    dialog = manage(live, "Welcome series", "Pause to edit")
    assert dialog.is_visible()
    assert "nothing is sent to the sending platform" in dialog.text_content()
    assert live.page.locator("details.menu[open]").count() == 0, "it would stay open where rows change places"
    assert live.widget.store.get("Welcome series").status == "running", "it is asked first"


def tries_change(live: Live) -> None:
    store = live.widget.store
    for title, verb, typed, status in (
        ("Welcome series", "Pause to edit", None, "paused"),
        ("Welcome series", "Relaunch", None, "running"),
        ("Welcome series", "Rename", "Hello", "running"),
        ("Hello", "Clone", "Twin", "draft"),
        ("Twin", "Launch", None, "running"),
        ("Twin", "Archive", None, "archived"),
        ("Hello", "Stop for good", "Hello", "finished"),
    ):
        dialog = manage(live, title, verb)
        if typed:
            dialog.get_by_role("textbox").fill(typed)
        dialog.get_by_role("button", name=verb, exact=True).click()
        live.settle()
        assert not live.page.get_by_role("dialog").is_visible()
        name = typed or title
        assert store.get(name).status == status
        row = live.page.locator(f"tr:has([data-action=journey]:text-is('{name}'))")
        assert row.locator("td").nth(2).text_content() in live.page.get_by_role("status").text_content()


def tries_export(live: Live) -> None:
    choose(live, "category", "Onboarding")
    live.page.get_by_role("button", name="Export Campaign statistics").click()
    live.settle()
    dialog = live.page.get_by_role("dialog", name="Export Campaign statistics, Journeys: 1")
    assert dialog.is_visible()
    days = live.widget.store["Welcome series"].scope.days
    assert dialog.locator("[name=first]").input_value() == days[0].isoformat()
    assert dialog.locator("[name=last]").input_value() == days[-1].isoformat()


def tries_write(live: Live) -> None:
    live.page.get_by_role("button", name="Export Campaign statistics").click()
    live.settle()
    live.page.fill(".export [name=first]", "2026-03-01")
    live.page.fill(".export [name=last]", "2026-03-31")
    with live.page.expect_download() as download:
        live.page.click("form[data-action=write] button")
    live.settle()
    (path,) = live.widget.folder.iterdir()
    assert Path(download.value.path()).read_bytes() == path.read_bytes()
    store = live.widget.store
    stats = [store[one].between("2026-03-01", "2026-03-31") for one in live.widget.found["journey_id"]]
    wanted = jn.campaign_statistics(stats)
    assert pl.read_csv(path, schema=wanted.schema).equals(wanted)


def tries_export_again(live: Live) -> None:
    tries_write(live)
    live.page.get_by_role("button", name="Another period").click()
    live.settle()
    assert live.page.locator("form[data-action=write]").is_visible()


def tries_export_close(live: Live) -> None:
    dialog = manage(live, "Welcome series", "Stop for good")
    dialog.get_by_role("button", name="Close").click()
    live.settle()
    assert not dialog.is_visible()
    assert live.widget.store.get("Welcome series").status == "running"


def tries_dismiss(live: Live) -> None:
    live.widget.title = "nothing that is called so"
    live.push()
    live.page.get_by_role("button", name="Export Campaign statistics").click()
    live.settle()
    assert "widen the filters" in live.page.get_by_role("alert").text_content()
    live.page.click("[data-action=dismiss]")
    live.settle()
    assert live.page.get_by_role("alert").count() == 0


def tries_look(live: Live) -> None:
    live.widget.watch(0.05)
    live.push()
    live.widget.store.rename("welcome", "Renamed elsewhere")
    live.page.wait_for_selector("[data-action=journey]:text-is('Renamed elsewhere')")
    live.page.evaluate("dispose()")


TRIED = tried(globals())


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(live: Live, action: str) -> None:
    TRIED[action](live)
    assert action in live.done


def test_no_action_is_left_untried() -> None:
    assert set(jn.JourneyList._actions) == set(TRIED)


# Everybody


def test_axe_finds_nothing_serious(live: Live) -> None:
    assert serious(live) == []
    manage(live, "Welcome series", "Stop for good")
    assert serious(live) == []


@pytest.mark.parametrize("dir", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_its_place_either_way_round(open_live: Callable[..., Live], dir: str, width: int) -> None:
    live = open_live(page={"width": width, "dir": dir})
    pieces = ":is(.tools, .bar) :is(select, input, button, h2), .details"
    assert fits(live.page, width, pieces) == live.page.locator(pieces).count(), "all of them are seen"


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(open_live: Callable[..., Live], locale: str) -> None:
    live = open_live(locale=locale)
    own = set(live.widget.found["category"])
    assert english(live, locale) - own == set()
    for verb in ("rename", "stop"):
        live.page.locator(f"[data-action=manage][data-what={verb}]").first.evaluate("e => e.click()")
        live.settle()
        assert english(live, locale) - own == set()
        live.page.click("[data-action=export-close]")
        live.settle()


# What goes wrong


def test_escape_closes_a_menu(live: Live) -> None:
    menu = live.page.locator("details.menu").first
    menu.locator("summary").press("Enter")
    menu.locator("button").first.focus()
    live.page.keyboard.press("Escape")
    assert not menu.evaluate("e => e.open")
    assert menu.locator("summary:focus").count() == 1


def test_a_change_that_is_refused_is_told_where_it_was_asked_for(live: Live) -> None:
    dialog = manage(live, "Welcome series", "Stop for good")
    dialog.get_by_role("textbox").fill("Welcome <b>serie</b>")
    dialog.get_by_role("button", name="Stop for good").click()
    live.settle()
    assert "confirm with its title" in dialog.get_by_role("alert").text_content()
    assert dialog.get_by_role("textbox").input_value() == "Welcome <b>serie</b>"
    assert live.widget.store.get("Welcome series").status == "running"


def test_hostile_texts_run_nowhere_and_break_nothing(
    open_live: Callable[..., Live], store: jn.Store, welcome: jn.Journey
) -> None:
    texts = ["<img src=x onerror=alert(1)>", *HOSTILE, '"><script>alert(1)</script>', "{{ 7 * 7 }}"]
    for at, text in enumerate(texts):
        own = {"journey_id": f"j{at}", "title": text, "category": text, "tags": (text,), "status": "draft"}
        store.add(welcome.model_copy(update=own))
    live = open_live()
    shadow = "document.querySelector('.jnb-live').shadowRoot"
    odd = 'script, [onerror], img:not([src^="data:"])'
    live.page.locator("[data-action=manage][data-journey=j0][data-what=rename]").evaluate("e => e.click()")
    live.settle()
    assert texts[0] in live.page.get_by_role("dialog").text_content()
    assert live.page.evaluate("([root, odd]) => eval(root).querySelectorAll(odd).length", [shadow, odd]) == 0
    assert live.page.evaluate("document.documentElement.scrollWidth") <= 1100
    live.page.click("[data-action=export-close]")
    live.settle()
    live.page.select_option("[data-action=category]", texts[0])
    live.settle()
    assert live.widget.found["journey_id"].to_list() == ["j0"]
    assert live.page.get_by_role("alert").count() == 0
