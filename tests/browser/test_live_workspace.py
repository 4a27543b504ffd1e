"""The head of a workspace in a bare page; the whole of it is in test_in_jupyterlab.py.

Its other parts in a bare page are those of test_live_canvas.py, test_live_dashboard.py and test_live_tracer.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fabricate import HOSTILE
from live import Live, english, fits, serious, tried

import journey_nb as jn
from journey_nb.simulate import simulate
from journey_nb.widgets.workspace import Head

pytestmark = pytest.mark.browser


@pytest.fixture
def open_live(on_page: Callable[..., Live], welcome_store: jn.Store) -> Callable[..., Live]:
    def make(
        stats: jn.JourneyStats | None = None, page: dict[str, Any] | None = None, **options: Any
    ) -> Live:
        return on_page(Head(stats or welcome_store["welcome"], **options), **(page or {}))

    return make


def manage(live: Live, verb: str) -> Any:
    if not live.page.locator("details").evaluate("e => e.open"):
        live.page.locator("summary").click()
    live.page.locator("details").get_by_role("button", name=verb, exact=True).click()
    live.settle()
    return live.page.get_by_role("dialog", name=verb)


# Every action, and what it must bring about.


def tries_period(live: Live) -> None:
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert live.widget.period == live.widget.stats.chosen == "7d"
    assert "17 May 2026 – 23 May 2026" in live.page.get_by_role("status").text_content()


def tries_dates(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("form[data-action=dates] [name=first]", "2026-03-01")
    live.page.fill("form[data-action=dates] [name=last]", "2026-03-15")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert live.widget.period == "2026-03-01..2026-03-15"


def tries_clock(live: Live) -> None:
    live.page.select_option("[data-action=clock]", "cohort")
    live.settle()
    assert live.widget.clock == live.widget.stats.scope.clock == "cohort"


def tries_goals(live: Live) -> None:
    badge = live.page.get_by_role("button", name="Goals: 2")
    assert not live.page.locator("#goals").is_visible()
    badge.click()
    live.settle()
    assert live.widget.goals
    told = live.page.locator("#goals").text_content()
    assert all(
        said in told for said in ("First order", "total > 0", "14 days", "Profile completed", "7 days")
    )
    assert badge.get_attribute("aria-expanded") == "true"
    assert badge.evaluate("e => e.matches(':focus')"), "the focus stays where it is"
    badge.click()
    live.settle()
    assert not live.page.locator("#goals").is_visible()


def tries_manage(live: Live) -> None:
    dialog = manage(live, "Stop for good")
    assert "nothing is sent to the sending platform" in dialog.text_content()
    assert "type its title: Welcome series" in dialog.text_content()


def tries_change(live: Live) -> None:
    dialog = manage(live, "Pause to edit")
    dialog.get_by_role("button", name="Pause to edit").click()
    live.settle()
    assert live.widget.stats.journey.status == "paused"
    assert "Paused" in live.page.locator(".bar").text_content()
    dialog = manage(live, "Stop for good")
    dialog.get_by_role("textbox").fill("Welcome series")
    dialog.get_by_role("button", name="Stop for good").click()
    live.settle()
    assert live.widget.stats.journey.status == "finished"
    assert "Welcome series: Finished" in live.page.get_by_role("status").text_content()
    assert live.page.locator("[data-what=stop]").count() == 0


def tries_export_close(live: Live) -> None:
    dialog = manage(live, "Rename")
    live.page.keyboard.press("Escape")
    live.settle()
    assert not dialog.is_visible()
    assert live.widget.export == ""


def tries_dismiss(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("form[data-action=dates] [name=first]", "2026-04-03")
    live.page.fill("form[data-action=dates] [name=last]", "2026-04-01")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert "swap the two" in live.page.get_by_role("alert").text_content()
    live.page.click("[data-action=dismiss]")
    live.settle()
    assert live.page.get_by_role("alert").count() == 0


def tries_look(live: Live) -> None:
    live.widget.watch(0.05)
    live.widget.store_was = live.widget.stats.store.pause("welcome").status
    live.push()
    live.page.wait_for_selector(".bar :text-is('Paused')")
    live.page.evaluate("dispose()")


TRIED = tried(globals())


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(live: Live, action: str) -> None:
    TRIED[action](live)
    assert action in live.done


def test_no_action_is_left_untried() -> None:
    assert set(Head._actions) == set(TRIED)


# Everybody


def test_axe_finds_nothing_serious(live: Live) -> None:
    tries_goals(live)
    live.page.locator("summary").click()
    assert serious(live) == []


@pytest.mark.parametrize("dir", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_its_place_either_way_round(open_live: Callable[..., Live], dir: str, width: int) -> None:
    live = open_live(page={"width": width, "dir": dir})
    live.widget.goals = True
    live.push()
    live.page.locator("summary").click()
    fits(live.page, width, ":is(.tools, .bar) :is(select, button, h2), .details")


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(open_live: Callable[..., Live], locale: str) -> None:
    live = open_live(locale=locale)
    live.widget.goals = True
    live.push()
    assert english(live, locale) == set()


def test_hostile_texts_run_nowhere_and_break_nothing(open_live: Callable[..., Live]) -> None:
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    texts = ["<img src=x onerror=alert(1)>", *HOSTILE]
    document["title"] = texts[0]
    for at, goal in enumerate(document["goals"]):
        goal["title"] = texts[at]
        goal["conditions"] = [{"field": texts[1], "operator": ">", "value": texts[0]}]
    log = simulate(jn.Journey.sample("welcome"), users=30, seed=5)
    live = open_live(jn.JourneyStats(jn.Journey.model_validate(document), log))
    tries_badge = live.page.locator("[data-action=goals]")
    tries_badge.click()
    live.settle()
    shadow = "document.querySelector('.jnb-live').shadowRoot"
    assert live.page.evaluate(f"{shadow}.querySelectorAll('script, [onerror], img').length") == 0
    assert texts[0] in live.page.locator("h2").first.text_content()
    assert live.page.locator("summary").count() == 0, "there is no store"
