"""The live canvas in a real JupyterLab: worked with, and seen by the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import PANEL, Lab, ready, run, watched, wear

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
    page.keyboard.press("Escape")
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
