"""Live views in a real JupyterLab: worked with, and seen by the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from fabricate import HOSTILE, tree
from lab import MAKE, PANEL, PATIENCE, Desk, Lab, reopen, run, settle, shot, shut, tells, wear
from live import HANDS, listed, of_kernel
from playwright.sync_api import expect

import journey_nb as jn
from journey_nb.simulate import simulate

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

THEMES = {"Dark": "dark", "Dark High Contrast": "dark", "Light": "light"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"), extension)
    yield server
    server.close()


def test_a_canvas_lives_in_jupyterlab(desk: Desk, lab: Lab) -> None:
    path = lab.write("canvas.ipynb")
    page, faults = desk
    reopen(page, path.name, kernel=True)

    run(page, 0)
    page.wait_for_selector(".jnb-live .sheet > svg")
    assert not page.locator(".jnb-static").is_visible()
    page.dblclick(".jnb-live [data-point=hello_push]")
    page.get_by_role("dialog", name="Welcome push").wait_for()
    page.locator(".jnb-live .detail h2").press(
        "Escape"
    )  # Lab may have given the focus to the next cell since
    page.locator(".jnb-live .detail").wait_for(state="hidden")
    assert run(page, 1) == "selected hello_push period launch opened None\n"
    page.locator(".jnb-live [data-point=hello_push]").focus()
    for key in (
        "ArrowDown",
        "0",
        "0",
        "b",
        "x",
    ):  # the last four restart the kernel, add and cut cells in a notebook
        page.keyboard.press(key)
    page.select_option(".jnb-live [data-action=period]", "7d")
    page.wait_for_selector(".jnb-live .view:not([aria-busy])")
    assert "selected first_look period 7d" in run(page, 1)
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2

    grounds = {}
    for theme in THEMES:
        wear(page, theme)
        page.wait_for_selector(f".jnb-live[data-theme={THEMES[theme]}]")
        colours = "e => (style => `${style.backgroundColor} in ${style.borderTopColor}`)(getComputedStyle(e))"
        grounds[theme] = page.locator(".jnb-live .view").evaluate(colours)
        shot(page, f"lab-{theme}")
    assert len(set(grounds.values())) == len(THEMES), grounds
    assert grounds["Dark High Contrast"].endswith("in rgb(255, 255, 255)")

    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    assert path.stat().st_size < 150_000
    assert faults == []


def test_a_dashboard_hands_its_files_to_the_browser_and_leaves_a_copy(desk: Desk, lab: Lab) -> None:
    told = "print('opened', widget.opened, 'user', widget.user, 'period', widget.period)"
    path = lab.write("dashboard.ipynb", told, MAKE.replace("JourneyCanvas", "Dashboard"))
    page, faults = desk
    reopen(page, path.name, kernel=True)

    run(page, 0)
    page.click(".jnb-live [data-action=part][data-value=audience]")
    page.wait_for_selector(".jnb-live [data-action=user]")
    assert not page.locator(".jnb-static").is_visible()
    page.locator(".jnb-live [data-action=user]").first.click()
    page.wait_for_selector(".jnb-live .link[aria-pressed=true]")
    user = page.locator(".jnb-live .link[aria-pressed=true]").text_content()
    page.fill(".jnb-live [name=text]", "u00000")
    page.keyboard.press("b")  # a key of the notebook's, too
    page.keyboard.press("Enter")
    page.wait_for_selector(".jnb-live .view:not([aria-busy])")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2
    assert run(page, 1) == f"opened audience user {user} period launch\n"
    page.click(".jnb-live [data-what=users]")
    with page.expect_download() as download:
        page.click(".jnb-live form[data-action=write] button")
    page.get_by_role("button", name="Another period").wait_for()
    file = lab.folder / "exports" / download.value.suggested_filename
    assert Path(download.value.path()).read_bytes() == file.read_bytes()
    page.keyboard.press("Escape")
    page.locator(".jnb-live .export").wait_for(state="hidden")
    shot(page, "lab-dashboard")
    assert faults == []
    shut(page, path.name)

    stranger = nbformat.read(path, as_version=4)
    assert "widgets" not in stranger.metadata
    stranger.cells[1].source += "  # by another hand, so not trusted here"
    nbformat.write(stranger, lab.folder / "stranger.ipynb")
    for name in (path.name, "stranger.ipynb"):
        reopen(page, name, kernel=False)
        assert page.evaluate(f"{PANEL}.content.widgets[0].model.trusted") == (name == path.name)
        copy = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-static")
        copy.get_by_text("Conversion to First order").wait_for(state="visible")
        assert "Campaign health" in copy.text_content()
        assert copy.locator("button, form, [data-action]").count() == 0
        assert page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-live").count() == 0
        shut(page, name)


def test_a_tracer_follows_one_user_and_leaves_a_copy(desk: Desk, lab: Lab) -> None:
    told = "print('user', widget.user, 'run', widget.run, 'steps', len(widget.path or ()), 'at', widget.selected)"
    path = lab.write("tracer.ipynb", told, MAKE.replace("JourneyCanvas", "PathTracer"))
    page, faults = desk
    reopen(page, path.name, kernel=True)

    run(page, 0)
    page.wait_for_selector(".jnb-live .sheet > svg")
    page.locator(".jnb-live .ways [data-action=path]").first.click()
    page.wait_for_selector(".jnb-live .ways [aria-pressed=true]")
    steps = len(page.locator(".jnb-live .ways [aria-pressed=true]").text_content().split(" → "))
    tells(page, 1, f"user None run None steps {steps} at None\n")
    page.locator(".jnb-live [name=user]").press_sequentially("u00000")
    page.wait_for_selector(".jnb-live .offers")
    page.keyboard.press("ArrowDown")
    user = page.locator(".jnb-live .offers button:focus").text_content()
    page.keyboard.press("Enter")
    page.wait_for_selector(".jnb-live .trace")
    page.locator(".jnb-live .steps [data-action=show]").nth(1).click()
    tells(page, 1, f"user {user} run None steps 0 at hello_push\n")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2
    shot(page, "lab-tracer")
    assert faults == []
    shut(page, path.name)

    reopen(page, path.name, kernel=False)
    copy = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-static")
    copy.locator("img").wait_for(state="visible")
    assert "Table: Frequent paths" in copy.text_content(), "as it was when the cell was run"


# A workspace

CAMPAIGNS = """
import journey_nb as jn
from journey_nb.simulate import simulate
journey = jn.Journey.sample("welcome")
store = jn.Store("store")
store.add(journey)
store.append(simulate(journey, users=100, seed=1))
journeys = jn.JourneyList(store)
journeys
"""
FOLLOWED = "w = journeys.workspace; print(w.user, w.run, w.period, w.tracer.run, w.stats.journey.status)"


def test_a_list_opens_a_workspace_whose_parts_follow_each_other(desk: Desk, lab: Lab) -> None:
    path = lab.write("workspace.ipynb", FOLLOWED, CAMPAIGNS)
    page, faults = desk
    page.set_viewport_size({"width": 1500, "height": 3200})
    reopen(page, path.name, kernel=True)
    run(page, 0)
    assert page.locator(".jnb-live").count() == 1
    page.get_by_role("button", name="Welcome series", exact=True).click()
    views = page.locator(".jnb-live")
    page.wait_for_selector(".jnb-live .steps, .jnb-live .ways")
    assert views.count() == 5
    boxes = [view.bounding_box() for view in views.all()]
    assert boxes[2]["y"] == boxes[3]["y"], "canvas and dashboard stand side by side"
    shot(page, "workspace")

    page.select_option(".jnb-live [data-action=period] >> nth=0", "30d")
    settle(page)
    page.click(".jnb-live [data-action=part][data-value=audience]")
    settle(page)
    link = page.locator(".jnb-live [data-action=user]").first
    user, run_id = link.text_content(), link.get_attribute("data-run")
    assert views.nth(3).bounding_box()["width"] > boxes[3]["width"], "what is open has a row of its own"
    link.click()
    settle(page)
    assert page.locator(".jnb-live .steps").is_visible()
    assert run(page, 1) == f"{user} {run_id} 30d {run_id} running\n"
    for theme in ("Dark", "Light"):
        wear(page, theme)
        page.wait_for_selector(f".jnb-live[data-theme={theme.lower()}]")
        shot(page, f"workspace-path-{theme.lower()}")
    page.evaluate("jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 520, "height": 3200})
    page.wait_for_function("document.querySelector('.jnb-live').clientWidth < 480")
    room = page.locator(".jp-OutputArea-output:has(.jnb-live)").first.bounding_box()
    shot(page, "workspace-narrow")
    for view in views.all():
        box = view.bounding_box()
        assert box["width"] > 300
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1
    assert faults == []


# All that can be done

SESSION = """
import journey_nb as jn
from journey_nb.simulate import simulate
from journey_nb.widgets._base import View

met, meets = [], View._asked
def notes(self, *request):
    meets(self, *request)
    met.append((request[1]["action"], self.error))
View._asked = notes

journey, large = jn.Journey.sample("welcome"), jn.Journey.read("large.journey.json")
store = jn.Store("session")
store.add(journey)
store.append(simulate(journey, users=100, seed=1))
store.add(jn.Journey.sample("abandoned_cart"))
journeys = jn.JourneyList(store)
journeys.watch(2)
display(journeys, jn.JourneyCanvas(jn.JourneyStats(large, simulate(large, users=20, seed=3))))
"""
LEFT = f"print('left out', sorted(set({sorted(of_kernel())}) - {{action for action, error in met if not error}}))"
OFFERED = """() => [...document.querySelectorAll('.jnb-live')].flatMap(view =>
  [...view.shadowRoot.querySelectorAll('[data-action], [data-typed]')].flatMap(e => [e.dataset.action, e.dataset.typed]))"""
LIST, LARGE = 0, -1
HEAD, CANVAS, DASHBOARD, TRACER = range(1, 5)
CARD = ".sheet [data-point={}]"


class Reader:
    """Works with the views of a notebook, and waits for each answer."""

    def __init__(self, page: Any) -> None:
        self.page, self.offered = page, set()
        page.evaluate(HANDS)

    def at(self, view: int, what: str = ".view") -> Any:
        return self.page.locator(".jnb-live").nth(view).locator(what)

    def settle(self) -> None:
        settle(self.page)
        self.offered |= set(self.page.evaluate(OFFERED)) - {None}

    def click(self, view: int, what: str) -> None:
        self.at(view, what).first.click()
        self.settle()

    def press(self, view: int, what: str, key: str) -> None:
        self.at(view, what).first.press(key)
        self.settle()

    def choose(self, view: int, action: str, value: str) -> None:
        self.at(view, f"select[data-action={action}]").select_option(value)
        self.settle()

    def dates(self, view: int, form: str, first: str, last: str) -> None:
        self.at(view, f"{form} [name=first]").fill(first)
        self.at(view, f"{form} [name=last]").fill(last)
        self.at(view, f"{form} button").click()

    def change(self, view: int, verb: str, title: str, typed: str = "") -> None:
        """Something is done with a journey out of its menu, once the window that asks is answered."""
        row = f"tr:has([data-action=journey]:text-is('{title}')) " if view == LIST else ""
        menu = self.at(view, f"{row}details.menu")
        if menu.get_attribute("open") is None:
            menu.locator("summary").click()
        self.click(view, f"{row}details.menu button:text-is('{verb}')")
        window = self.at(view).get_by_role("dialog", name=f"{verb}: “{title}”")
        expect(window).to_contain_text("nothing is sent to the sending platform")
        if typed:
            window.get_by_role("textbox").fill(typed)
        window.get_by_role("button", name=verb, exact=True).click()
        self.settle()
        expect(window).to_be_hidden()

    def exports(self, view: int, button: str, folder: Path, menu: str = "") -> None:
        """A file is written, handed over, and the window closed, once by its button and once by Escape."""
        self.ask_for_file(view, button, menu)
        before = set(folder.glob("*"))
        with self.page.expect_download() as download:
            self.dates(view, "form[data-action=write]", "2026-03-01", "2026-03-31")
        self.click(view, "[data-action=export-again]")
        (file,) = set(folder.glob("*")) - before
        assert Path(download.value.path()).read_bytes() == file.read_bytes()
        assert file.read_text("utf-8").count("\n") > 1
        expect(self.at(view, "form[data-action=write]")).to_be_visible()
        self.click(view, "[data-action=export-close]")
        expect(self.at(view, ".export")).to_be_hidden()
        self.ask_for_file(view, button, menu)
        self.press(view, ".export [name=first]", "Escape")
        expect(self.at(view, ".export")).to_be_hidden()

    def ask_for_file(self, view: int, button: str, menu: str) -> None:
        if menu:  # which closes once something of it is chosen
            self.at(view, menu).click()
        self.click(view, button)

    def scale(self, view: int) -> float:
        matrix = "e => new DOMMatrix(getComputedStyle(e).transform).a"
        return self.at(view, ".sheet").evaluate(matrix)


def works_the_large_canvas(reader: Reader) -> None:
    before = reader.at(LARGE, ".sheet").bounding_box()
    box = reader.at(LARGE, "[data-action=map]").bounding_box()
    reader.at(LARGE, "[data-action=map]").click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    after = reader.at(LARGE, ".sheet").bounding_box()
    assert after["x"] < before["x"] - 300


def works_the_list(reader: Reader, folder: Path) -> None:
    titles = reader.at(LIST, "[data-action=journey]")
    for action, value, left in (("status", "paused", 0), ("category", "Onboarding", 1), ("type", "api", 0), ("tag", "onboarding", 1)):  # fmt: skip
        reader.choose(LIST, action, value)
        expect(titles).to_have_count(left)
        reader.choose(LIST, action, "")
        expect(titles).to_have_count(2)
    newest = titles.all_text_contents()
    reader.choose(LIST, "order", "oldest")
    expect(titles).to_have_text(newest[::-1])
    reader.at(LIST, "[name=text]").fill("nothing that is called so")
    reader.press(LIST, "[name=text]", "Enter")
    reader.click(LIST, "[data-action=export]")
    expect(reader.at(LIST).get_by_role("alert")).to_contain_text("widen the filters")
    reader.click(LIST, "[data-action=dismiss]")
    expect(reader.at(LIST).get_by_role("alert")).to_have_count(0)
    reader.at(LIST, "[name=text]").fill("WELC")
    reader.click(LIST, "form[data-action=search] button")
    expect(titles).to_have_text(["Welcome series"])
    reader.click(LIST, "[data-action=tick]")
    expect(reader.at(LIST, ".bar")).to_contain_text("Selected: 1")
    reader.exports(LIST, "[data-action=export]", folder)
    reader.change(LIST, "Clone", "Welcome series", "Welcome twin")
    reader.change(LIST, "Rename", "Welcome twin", "Well, twin")
    expect(titles).to_have_text(["Welcome series"])
    reader.at(LIST, "[name=text]").fill("")
    reader.press(LIST, "[name=text]", "Enter")
    reader.change(LIST, "Launch", "Well, twin")
    reader.change(LIST, "Stop for good", "Well, twin", "Well, twin")
    expect(reader.at(LIST, "tr:has(:text-is('Well, twin'))")).to_contain_text("Finished")
    reader.click(LIST, "[data-action=journey]:text-is('Welcome series')")
    expect(reader.page.locator(".jnb-live")).to_have_count(6)
    reader.at(TRACER, ".ways").wait_for()


def works_the_head(reader: Reader) -> None:
    covered = reader.at(CANVAS, ".sheet .sub").first
    reader.choose(HEAD, "period", "30d")
    expect(covered).to_contain_text("24 Apr 2026")
    reader.choose(HEAD, "period", "custom")
    reader.dates(HEAD, "form[data-action=dates]", "2026-03-01", "2026-03-15")
    expect(covered).to_contain_text("1 Mar 2026 – 15 Mar 2026")
    reader.choose(HEAD, "clock", "cohort")
    expect(covered).to_contain_text("followed up")
    reader.choose(HEAD, "period", "launch")
    reader.click(HEAD, "[data-action=goals]")
    expect(reader.at(HEAD, "#goals")).to_contain_text("total > 0")
    reader.change(HEAD, "Pause to edit", "Welcome series")
    expect(reader.at(HEAD, ".bar")).to_contain_text("Paused")
    expect(reader.at(LIST, "tr:has(:text-is('Welcome series'))")).to_contain_text("Paused")


def works_the_canvas(reader: Reader, folder: Path) -> None:
    branches = reader.at(CANVAS, ".sheet [data-branch]")
    many = branches.count()
    reader.choose(CANVAS, "version", "1")
    assert branches.count() < many
    reader.choose(CANVAS, "version", "")
    expect(branches).to_have_count(many)
    reader.choose(CANVAS, "heat", "time")
    expect(reader.at(CANVAS, ".sheet .tint").nth(3)).to_be_visible()
    reader.click(CANVAS, "[data-action=compare]")
    expect(reader.at(CANVAS, "label:has([data-action=compare])")).to_contain_text("nothing before")
    reader.at(CANVAS, "[data-action=metrics]").click()
    expect(reader.at(CANVAS, f"{CARD.format('bought')} .d").first).to_have_css("opacity", "0")
    scale = reader.scale(CANVAS)
    for button, factor in (("zoom-in", 1.25), ("zoom-out", 1)):
        reader.at(CANVAS, f"[data-action={button}]").click()
        assert reader.scale(CANVAS) == pytest.approx(scale * factor)
    reader.at(CANVAS, "[data-action=fit]").click()
    stage, picture = (reader.at(CANVAS, part).bounding_box() for part in (".stage", ".sheet > svg"))
    assert picture["height"] <= stage["height"] + 1

    window = reader.at(CANVAS).get_by_role("dialog", name="Welcome push")
    reader.press(CANVAS, CARD.format("hello_push"), "Enter")
    window.wait_for()
    reader.click(CANVAS, "[data-action=close]")
    expect(window).to_be_hidden()
    reader.at(CANVAS, CARD.format("hello_push")).dblclick()
    window.wait_for()
    reader.at(CANVAS, "[data-action=drops]").click()
    expect(reader.at(CANVAS, "details:has([data-action=drops])")).to_contain_text("Control group")
    reader.exports(CANVAS, "[data-what=point-users]", folder)
    expect(window).to_be_visible()
    reader.click(CANVAS, "[data-action=statistics]")
    expect(window).to_contain_text("Time from sending")
    rows = reader.at(CANVAS, ".detail section:has([data-action=page])")
    reader.click(CANVAS, ".detail [data-action=page]:text-is('Next page')")
    expect(rows).to_contain_text("Rows 21 – 40")
    someone = rows.locator("[data-action=find]").first
    user = someone.text_content()
    someone.click()
    reader.settle()
    expect(reader.at(TRACER, ".trace h2")).to_have_text(user)
    reader.press(CANVAS, ".detail h2", "Escape")
    expect(window).to_be_hidden()
    reader.click(CANVAS, "[data-action=clear]")
    expect(reader.at(CANVAS, ".sheet .card.on")).to_have_count(0)


def works_the_dashboard(reader: Reader, folder: Path) -> None:
    for part in ("performance", "health", "communications"):
        reader.click(DASHBOARD, f"[data-action=part][data-value={part}]")
        expect(reader.at(DASHBOARD, f"#{part}")).to_be_visible()
    reader.choose(DASHBOARD, "goal", "first_order")
    reader.click(DASHBOARD, "[data-action=point]:text-is('Push: your offer ends soon')")
    expect(reader.at(CANVAS, CARD.format("last_call"))).to_have_attribute("aria-pressed", "true")
    menu = "tr:has(:text-is('Welcome push')) summary"
    reader.exports(DASHBOARD, "[data-what=point-users][data-point=hello_push]", folder, menu)
    reader.click(DASHBOARD, "[data-action=channel][data-value=email]")
    expect(reader.at(DASHBOARD).get_by_role("tabpanel", name="Email")).to_be_visible()
    expect(reader.at(DASHBOARD, "select[data-action=goal]")).to_have_value("first_order")
    reader.click(DASHBOARD, "[data-action=part][data-value=audience]")
    reader.click(DASHBOARD, "[data-action=page]:has-text('›')")
    expect(reader.at(DASHBOARD, ".pager")).to_contain_text("Rows 26 – 50")
    reader.at(DASHBOARD, "[name=text]").fill("U000007")
    reader.press(DASHBOARD, "[name=text]", "Enter")
    people = reader.at(DASHBOARD, "[data-action=user]")
    assert all("u000007" in user for user in people.all_text_contents())
    person = people.filter(has_text="u0000074").first
    person.click()
    reader.settle()
    expect(person).to_have_attribute("aria-pressed", "true")
    expect(reader.at(TRACER, ".trace h2")).to_have_text("u0000074")
    assert reader.at(CANVAS, ".sheet .card.on").count() > 2


def works_the_tracer(reader: Reader) -> None:
    run_ids = reader.at(TRACER, "[name=run]").evaluate_all("all => all.map(e => e.value)")
    assert len(run_ids) == 4
    reader.click(TRACER, f"[name=run][value='{run_ids[2]}']")
    reader.click(TRACER, "button[data-action=run]:text-is('Older run')")
    expect(reader.at(TRACER, f"[name=run][value='{run_ids[3]}']")).to_be_checked()
    reader.at(TRACER, ".steps [data-action=show]").last.click()
    point = reader.at(TRACER, ".steps [data-action=show]").last.get_attribute("data-point")
    expect(reader.at(TRACER, CARD.format(point))).to_have_attribute("aria-pressed", "true")
    expect(reader.at(CANVAS, CARD.format(point))).to_have_attribute("aria-pressed", "true")
    field = reader.at(TRACER, "[name=user]")
    field.fill("")
    field.press_sequentially("u000005")
    expect(reader.at(TRACER, ".offers button").first).to_have_text("u0000050")
    reader.settle()
    field.press("ArrowDown")
    reader.press(TRACER, ".offers button:focus", "Enter")
    expect(reader.at(TRACER, ".trace h2")).to_have_text("u0000050")
    field.fill("nobody")
    reader.press(TRACER, "[name=user]", "Enter")
    expect(reader.at(TRACER, ".missing")).to_contain_text("nobody is not in this journey")
    reader.click(TRACER, ".ways [data-action=path]:not([data-value=''])")
    expect(reader.at(TRACER, ".ways [aria-pressed=true]")).to_have_count(1)
    expect(reader.at(TRACER, ".trace")).to_have_count(0)


def test_a_session_does_all_that_can_be_done(desk: Desk, lab: Lab) -> None:
    """What was never done in JupyterLab, by a hand and met by the kernel, is told by its name."""
    tree(60).write(lab.folder / "large.journey.json")
    path = lab.write("session.ipynb", LEFT, SESSION)
    page, faults = desk
    page.set_viewport_size({"width": 1500, "height": 3200})
    reopen(page, path.name, kernel=True)
    run(page, 0)
    reader, files = Reader(page), lab.folder / "exports"
    expect(reader.at(LIST, "[data-action=journey]")).to_have_count(2)
    works_the_large_canvas(reader)
    works_the_list(reader, files)
    works_the_head(reader)
    works_the_canvas(reader, files)
    works_the_dashboard(reader, files)
    works_the_tracer(reader)
    jn.Store(lab.folder / "session").rename("abandoned_cart", "Renamed elsewhere")
    expect(reader.at(LIST, "[data-action=journey]:text-is('Renamed elsewhere')")).to_be_visible()

    tells(page, 1, "left out []\n")
    alone = set(page.evaluate("[...handled]")) - of_kernel()
    assert (listed() | reader.offered) - of_kernel() - alone == set()
    shot(page, "lab-session")
    assert faults == []


def test_a_second_view_out_of_sight_is_in_nobody_s_way_and_a_restart_is_told(desk: Desk, lab: Lab) -> None:
    path = lab.write("twice.ipynb")
    page, faults = desk
    reopen(page, path.name, kernel=True)
    run(page, 0)
    page.wait_for_selector(".jp-Notebook .jnb-live .sheet > svg")
    page.evaluate(f"{PANEL}.content.activeCellIndex = 0")
    page.evaluate("jupyterapp.commands.execute('notebook:create-output-view').then(() => null)")
    page.wait_for_selector(".jp-LinkedOutputView .jnb-live .sheet > svg")
    page.evaluate("""() => {
      const widgets = [...jupyterapp.shell.widgets('main')], notebook = widgets.find(w => w.context);
      const output = widgets.find(w => w.node.querySelector('.jp-LinkedOutputView') ?? w.node.matches('.jp-LinkedOutputView'));
      jupyterapp.shell.add(output, 'main', {ref: notebook.id, mode: 'tab-after'});
      jupyterapp.shell.activateById(notebook.id);
    }""")
    page.locator(".jp-LinkedOutputView").wait_for(state="hidden")
    view = page.locator(".jp-Notebook .jnb-live")
    view.locator(".sheet [data-point=hello_push]").dblclick()
    view.locator("[data-what=step-users]").click()
    with page.expect_download():
        view.locator("form[data-action=write] button").click()
    view.locator("[data-action=export-close]").click()
    view.locator(".export").wait_for(state="hidden")
    assert faults == []

    page.evaluate(f"{PANEL}.sessionContext.session.kernel.restart().then(() => null)")
    view.locator("[data-action=close]").click()
    view.locator(".detail").wait_for(state="hidden")
    view.locator("[data-action=period]").select_option("7d")
    view.get_by_role("alert").get_by_text("run this cell again").wait_for()
    assert view.locator("[data-action=period]").input_value() == "launch"
    assert page.locator(".jnb-live [aria-busy]").count() == 0
    view.locator(".sheet [data-point=hello_push]").click()
    shot(page, "lab-restarted")
    assert faults == []


# What is watched

WATCHED = """
from pathlib import Path
import journey_nb as jn
from journey_nb.simulate import simulate

journey = jn.Journey.sample("welcome")
stats = jn.JourneyStats(journey, simulate(journey, users=30, seed=1))
looks = Path(f"looks-{len(list(Path().glob('looks-*')))}")
looks.touch()
def source(looks=looks):
    with looks.open("a") as file:
        file.write(".")
    return stats
widget = jn.JourneyCanvas(stats)
widget.watch(0.2, source)
widget
"""
BUSY = """
from time import sleep
sleep(0.5)  # a look that had begun is done
before = looks.stat().st_size
sleep(1.5)
print(looks.stat().st_size - before)
"""


def grows(page: Any, looks: Path) -> None:
    """Wait until a source has been read three times more."""
    before = looks.stat().st_size if looks.exists() else 0
    for _ in range(PATIENCE // 100):
        if looks.exists() and looks.stat().st_size >= before + 3:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{looks.name} is looked at no more")


def rests(page: Any, looks: Path) -> None:
    """A source that would be read five times a second is not."""
    page.wait_for_timeout(500)
    before = looks.stat().st_size
    page.wait_for_timeout(1000)
    assert looks.stat().st_size == before


def test_a_source_is_read_while_its_view_is_there_and_no_cell_runs(desk: Desk, lab: Lab) -> None:
    path = lab.write("watched.ipynb", BUSY, WATCHED)
    first, second, third = (lab.folder / f"looks-{number}" for number in range(3))
    page, faults = desk
    reopen(page, path.name, kernel=True)
    run(page, 0)
    grows(page, first)
    assert run(page, 1) == "0\n"
    grows(page, first)

    run(page, 0)  # once more: the old view is gone
    grows(page, second)
    before = first.stat().st_size
    grows(page, second)
    assert first.stat().st_size == before

    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.locator(".jnb-live").wait_for(state="detached")
    rests(page, second)

    run(page, 0)
    grows(page, third)
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    page.evaluate(f"{PANEL}.close()")  # its kernel lives
    page.locator(".jnb-live").wait_for(state="detached")
    rests(page, third)
    reopen(page, path.name, kernel=True)
    grows(page, third)
    assert faults == []
    shut(page, path.name)


# Bad input, kept in a notebook

BAD = """
import polars as pl
import journey_nb as jn
stats = jn.JourneyStats(jn.Journey.read("bad.journey.json"), pl.read_parquet("bad.parquet"))
workspace = jn.Workspace(stats, user=stats.users()["user_id"][0])
workspace.dashboard.opened = "audience"
workspace
"""
TEXTS = (
    "<img src=x onerror='window.pwned = 1'>",
    *HOSTILE,
    '"><script>window.pwned = 1</script>',
    "{{ 7 * 7 }}",
)


def write_bad(folder: Path) -> None:
    """A journey whose every title and label, and a log whose every id, is hostile."""
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    document["title"] = TEXTS[0]
    for version in document["versions"]:
        for at, point in enumerate(version["points"]):
            point["title"] = TEXTS[at % len(TEXTS)]
        for at, branch in enumerate(version["branches"]):
            branch["label"] = TEXTS[(at + 1) % len(TEXTS)]
    for at, goal in enumerate(document["goals"]):
        goal["title"] = TEXTS[-at]
    (folder / "bad.journey.json").write_text(json.dumps(document), "utf-8")
    log = simulate(jn.Journey.sample("welcome"), users=40, seed=5)
    for name in ("user_id", "device_id", "run_id"):
        known = log[name].drop_nulls().unique(maintain_order=True)
        log = log.with_columns(pl.col(name).replace(dict(zip(known, TEXTS, strict=False))))
    log.write_parquet(folder / "bad.parquet")


def stands(page: Any, what: str) -> None:
    """The views or their copies are there, in their place; no text of theirs has become anything else."""
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    shown = page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) {what}")
    assert TEXTS[0][:30] in shown.first.text_content()
    assert shown.locator("script, [onerror], img:not([src^='data:'])").count() == 0
    for box in shown.all():
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), "it is no wider than its place"


def test_hostile_texts_of_a_saved_notebook_run_nowhere(desk: Desk, lab: Lab) -> None:
    write_bad(lab.folder)
    path = lab.write("bad.ipynb", "", BAD)
    page, faults = desk
    reopen(page, path.name, kernel=True)
    run(page, 0)
    page.locator(".jnb-live .trace").wait_for()
    settle(page)
    stands(page, ".jnb-live .view")
    assert faults == []
    shut(page, path.name)
    assert path.stat().st_size < 1_000_000

    stranger = nbformat.read(path, as_version=4)
    stranger.cells[1].source += "# by another hand, so not trusted here"
    nbformat.write(stranger, lab.folder / "bad-stranger.ipynb")
    for name in (path.name, "bad-stranger.ipynb"):
        reopen(page, name, kernel=False)
        assert page.evaluate(f"{PANEL}.content.widgets[0].model.trusted") == (name == path.name)
        for picture in (
            pictures := page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-static img")
        ).all():
            picture.wait_for()
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
        assert pictures.count() == 2
        stands(page, ".jnb-static")
        shot(page, f"lab-{name}")
        shut(page, name)
    assert not [fault for fault in faults if "manager" not in fault]
