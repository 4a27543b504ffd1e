"""Live views in a real JupyterLab: worked with, and seen by the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import MAKE, PANEL, Lab, ready, reopen, run, shut, tells, watched, wear

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"), extension)
    yield server
    server.close()


def test_a_canvas_lives_in_jupyterlab(chromium: Any, lab: Lab) -> None:
    path = lab.write("canvas.ipynb")
    page, faults, requests = watched(chromium)
    page.goto(f"{lab.url}/lab/tree/{path.name}?token=t&reset")
    ready(page, path.name)

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
    for theme in ("Dark", "Light"):
        wear(page, theme)
        wanted = theme.lower()
        page.wait_for_selector(f".jnb-live[data-theme={wanted}]")
        grounds[wanted] = page.locator(".jnb-live .view").evaluate("e => getComputedStyle(e).backgroundColor")
        if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/lab-{wanted}.png")
    assert grounds["dark"] != grounds["light"]

    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    assert path.stat().st_size < 150_000
    assert faults == []
    page.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_a_dashboard_hands_its_files_to_the_browser_and_leaves_a_copy(chromium: Any, lab: Lab) -> None:
    told = "print('opened', widget.opened, 'user', widget.user, 'period', widget.period)"
    path = lab.write("dashboard.ipynb", told, MAKE.replace("JourneyCanvas", "Dashboard"))
    page, faults, requests = watched(chromium)
    page.goto(f"{lab.url}/lab/tree/{path.name}?token=t&reset")
    ready(page, path.name)

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
    (file,) = (lab.folder / "exports").iterdir()
    assert download.value.suggested_filename == file.name
    assert Path(download.value.path()).read_bytes() == file.read_bytes()
    page.keyboard.press("Escape")
    page.locator(".jnb-live .export").wait_for(state="hidden")
    if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/lab-dashboard.png")
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
    page.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_a_tracer_follows_one_user_and_leaves_a_copy(chromium: Any, lab: Lab) -> None:
    told = "print('user', widget.user, 'run', widget.run, 'steps', len(widget.path or ()), 'at', widget.selected)"
    path = lab.write("tracer.ipynb", told, MAKE.replace("JourneyCanvas", "PathTracer"))
    page, faults, requests = watched(chromium)
    page.goto(f"{lab.url}/lab/tree/{path.name}?token=t&reset")
    ready(page, path.name)

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
    for theme in ("Dark", "Light"):
        wear(page, theme)
        page.wait_for_selector(f".jnb-live[data-theme={theme.lower()}]")
        if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/lab-tracer-{theme.lower()}.png")
    assert faults == []
    shut(page, path.name)

    reopen(page, path.name, kernel=False)
    copy = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-static")
    copy.locator("img").wait_for(state="visible")
    assert "Table: Frequent paths" in copy.text_content(), "as it was when the cell was run"
    page.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []
