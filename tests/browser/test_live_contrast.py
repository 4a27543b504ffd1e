"""The live views in the colours that a reader forces on every page: nothing is told by ours alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contrast import contrast
from live import Live

import journey_nb as jn
from journey_nb.widgets.workspace import Head

pytestmark = pytest.mark.browser


@pytest.fixture(params=["light", "dark"])
def open_live(on_page: Callable[..., Live], request: pytest.FixtureRequest) -> Callable[[Any], Live]:
    return lambda widget: on_page(widget, forced_colors="active", color_scheme=request.param)


def style(live: Live, selector: str, name: str) -> str:
    return live.page.locator(selector).first.evaluate("(e, name) => getComputedStyle(e)[name]", name)


def colour(live: Live, selector: str, name: str) -> str:
    """A colour of the first such element as #rrggbb, however much of it shines through."""
    parts = re.findall(r"[\d.]+", style(live, selector, name))[:3]
    return "#{:02x}{:02x}{:02x}".format(*map(int, parts))


def shows_focus(live: Live, selector: str) -> bool:
    """Whether the keyboard's place is drawn around an element, in a colour that stands out."""
    live.page.keyboard.press("Shift")  # from now on it is the keyboard that moves
    live.page.locator(selector).first.focus()
    focused = f"{selector}:focus-visible"
    ground = colour(live, ".view", "backgroundColor")
    is_wide = float(style(live, focused, "outlineWidth").removesuffix("px")) >= 2
    line = contrast(colour(live, focused, "outlineColor"), ground)
    return style(live, focused, "outlineStyle") == "solid" and is_wide and line >= 3


def reads(live: Live, *texts: str) -> None:
    """Each of these texts stands out from the ground that the reader forces."""
    ground = colour(live, ".view", "backgroundColor")
    for text in texts:
        assert contrast(colour(live, text, "fill" if ".sheet" in text else "color"), ground) >= 4.5, text


def test_a_canvas_keeps_its_lines_its_heat_and_the_way_that_is_lit(
    open_live: Callable[[Any], Live], welcome_stats: jn.JourneyStats
) -> None:
    live = open_live(jn.JourneyCanvas(welcome_stats, heat="share", user="u0000001"))
    ground = colour(live, ".sheet .g", "fill")
    assert ground == colour(live, ".view", "backgroundColor")
    for line in (".sheet .e:not(.on)", ".sheet .e.on", ".sheet .c", ".sheet .pill .p"):
        assert contrast(colour(live, line, "stroke"), ground) >= 3, line
    assert contrast(colour(live, ".sheet .tint", "fill"), ground) >= 3
    assert "Of all entrances" in live.page.locator('[data-key="points.hello_push.heat"]').text_content()
    lit, other = (style(live, f".sheet .e{chosen}", "strokeWidth") for chosen in (".on", ":not(.on)"))
    assert lit != other
    assert live.page.locator(".sheet .step").count() > 2, "the steps are numbered"
    assert style(live, ".sheet .dim", "opacity") == "1"
    reads(live, *(f".sheet .{text}" for text in ("title", "t", "l", "n", "b", "note text")), ".account")
    card = ".sheet [data-point=hello_push]"
    live.page.keyboard.press("Shift")
    live.page.locator(card).focus()
    assert style(live, f"{card} .c", "strokeDasharray") != "none"
    live.page.keyboard.press(" ")
    live.page.locator(".sheet [data-point=signup]").focus()
    assert style(live, f"{card} .c", "strokeWidth") == "3px", "what is selected"
    assert shows_focus(live, "[data-action=fit]")


def test_a_tracer_keeps_its_steps_and_the_way_that_is_chosen(
    open_live: Callable[[Any], Live], welcome_stats: jn.JourneyStats
) -> None:
    live = open_live(jn.PathTracer(welcome_stats))
    live.page.locator(".ways [data-action=path]").first.click()
    live.settle()
    chosen, other = (
        colour(live, f".ways [aria-pressed={pressed}]", "backgroundColor") for pressed in ("true", "false")
    )
    assert chosen != other
    assert shows_focus(live, ".ways [aria-pressed=false]")
    live.widget.user = "u0000001"
    live.push()
    number = ".steps .no"
    assert contrast(colour(live, number, "color"), colour(live, number, "backgroundColor")) >= 4.5
    reads(live, ".steps button", ".steps time", ".panel h2")


def test_a_dashboard_keeps_its_tabs_and_what_is_open(
    open_live: Callable[[Any], Live], welcome_stats: jn.JourneyStats
) -> None:
    dashboard = jn.Dashboard(welcome_stats)
    dashboard.opened = "communications"
    live = open_live(dashboard)
    chosen, other = (
        colour(live, f"[role=tab][aria-selected={selected}]", "backgroundColor")
        for selected in ("true", "false")
    )
    assert chosen != other
    assert contrast(colour(live, "[role=tab][aria-selected=true]", "color"), chosen) >= 4.5
    reads(live, ".part .name", ".part .value", ".details h3", ".details td", ".details .link")
    assert shows_focus(live, ".part h2 button")
    assert shows_focus(live, "[data-action=period]")


def test_a_head_and_a_list_keep_their_menus_and_what_is_ticked(
    open_live: Callable[[Any], Live], welcome: jn.Journey, tmp_path: Path
) -> None:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    live = open_live(jn.JourneyList(store, selected=[welcome.journey_id]))
    reads(live, ".panel td", ".panel th", ".link")
    assert live.page.locator("[data-action=tick]").is_checked()
    assert style(live, "[data-action=tick]", "appearance") != "none", "the browser draws it in those colours"
    assert shows_focus(live, ".link")
    head = open_live(Head(store[welcome.journey_id]))
    reads(head, ".bar h2", "[data-action=goals]")
    assert shows_focus(head, "[data-action=goals]")
    assert shows_focus(head, "summary")
