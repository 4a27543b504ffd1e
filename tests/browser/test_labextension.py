"""The extension of JupyterLab: saved views in every state, with it and without; journey documents as pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import nbformat
import pytest
from lab import PANEL, Desk, Lab, ready, reopen, run, shut, watched, wear

import journey_nb as jn

pytestmark = pytest.mark.browser

# ipywidgets where there is no kernel, JupyterLab as one goes, Notebook 7 always: without our extension too.
THEIRS = ("@jupyter-widgets/jupyterlab-manager", "Could not restore the debugger state", "reading 'schema'")
# Views that stand in a box, as in a workspace, are one output of ipywidgets; the kernel is busy until it is let go.
BOX = """
from pathlib import Path
from time import sleep
from ipywidgets import HBox
display(HBox([widget, jn.JourneyCanvas(widget.stats)]))
display(jn.Workspace(widget.stats))
while not Path("go").exists():
    sleep(0.1)
"""
FRONT = ".lm-DockPanel-widget:not(.lm-mod-hidden)"
NOTEBOOK = ".jp-NotebookPanel"  # where there is one only


@pytest.fixture(scope="module", params=["with our extension", "without it"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    has_it = request.param == "with our extension"
    server = Lab(tmp_path_factory.mktemp("lab"), request.getfixturevalue("extension") if has_it else None)
    server.has_extension = has_it
    yield server
    server.close()


def ours(faults: list[str]) -> list[str]:
    return [fault for fault in faults if not any(theirs in fault for theirs in THEIRS)]


def sees_only_pictures(page: Any, front: str = FRONT, sentences: int = 0) -> None:
    """And, where the sanitiser took the rules that hide it, the sentence that stands for the live half."""
    page.wait_for_function(
        "front => document.querySelectorAll(`${front} .jnb-static img`).length === 5", arg=front
    )
    for picture in page.locator(f"{front} .jnb-static img").all():
        assert picture.is_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
        assert "Welcome series" in picture.get_attribute("alt")
    assert "Campaign health" in page.locator(f"{front} .jnb-static").last.text_content()
    assert page.locator(f"{front} .jnb-live").count() == 0
    outputs = page.locator(f"{front} .jp-OutputArea-child:visible")
    assert outputs.count() == 3 + sentences
    told = outputs.filter(has_not=page.locator(".jnb-static")).all_inner_texts()
    assert len(told) == sentences
    assert all("Welcome series" in text for text in told)


def sees_only_live_views(page: Any, front: str = FRONT) -> None:
    for place in range(5):
        page.locator(f"{front} .jnb-live .sheet > svg").nth(place).wait_for()
    assert page.locator(f"{front} .jnb-live").count() == 7, "four of them are the workspace"
    widths = [view.bounding_box()["width"] for view in page.locator(f"{front} .jnb-live").all()]
    assert min(widths) > 200, widths
    assert not any(picture.is_visible() for picture in page.locator(f"{front} .jnb-static").all())


def test_a_saved_view_is_good_in_every_state(desk: Desk, lab: Lab) -> None:
    path = lab.write("canvas.ipynb", BOX)
    page, faults = desk
    reopen(page, path.name, kernel=True)
    assert page.evaluate("jupyterapp.hasPlugin('journey-nb:views')") == lab.has_extension
    run(page, 0)
    run(page, 1, wait=False)
    sees_only_live_views(page)
    (lab.folder / "go").touch()
    page.wait_for_function(f"{PANEL}.content.widgets[1].model.executionState === 'idle'")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    page.reload()
    ready(page, path.name)
    sees_only_live_views(page)
    assert faults == []
    shut(page, path.name)

    reopen(page, path.name, kernel=True)
    sees_only_pictures(page)
    if lab.has_extension:  # else ipywidgets complains that the kernel has no such model
        assert not any("model not found" in fault for fault in faults)
    shut(page, path.name)
    reopen(page, path.name, kernel=False)
    assert page.evaluate(f"{PANEL}.content.widgets[0].model.trusted")
    sees_only_pictures(page)

    stranger = nbformat.read(path, as_version=4)
    stranger.cells[1].source += "  # by another hand, so not trusted here"
    nbformat.write(stranger, lab.folder / "stranger.ipynb")
    shut(page, path.name)
    for kernel in (False, True):
        reopen(page, "stranger.ipynb", kernel)
        assert not page.evaluate(f"{PANEL}.content.widgets[0].model.trusted")
        sees_only_pictures(page, sentences=0 if lab.has_extension else 3)
        shut(page, "stranger.ipynb")
    assert ours(faults) == []


@pytest.mark.parametrize("lab", ["with our extension"], indirect=True)
def test_a_journey_document_opens_as_its_canvas(desk: Desk, lab: Lab) -> None:
    document = jn.Journey.sample("welcome").write(lab.folder / "2026.welcome.journey.json")
    page, faults = desk
    page.evaluate("jupyterapp.commands.execute('filebrowser:refresh')")
    page.dblclick(f".jp-DirListing-item[title*='{document.name}']")
    picture = page.locator(".jp-MimeDocument .jnb-figure img")
    picture.wait_for()
    assert "Welcome series" in picture.get_attribute("alt")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
    for theme in ("Dark", "Light"):
        wear(page, theme)
        page.wait_for_function(  # it may just be drawn again
            "scheme => getComputedStyle(document.querySelector('.jnb-figure img')).colorScheme === scheme",
            arg=theme.lower(),
        )

    text = document.read_text("utf-8")
    hostile = json.loads(text)
    hostile["title"] = "<img src=x onerror=alert(1)>"
    change(page, json.dumps(hostile))  # as an editor beside it does; nothing is saved
    page.locator(".jp-MimeDocument img[alt*=onerror]").wait_for()
    hostile["versions"][0]["points"][0]["type"] = "<script>alert(1)</script>"
    hostile["timezone"] = "Nowhere"
    change(page, json.dumps(hostile))
    told = page.get_by_role("alert").locator("li")
    told.nth(1).wait_for()
    assert "versions.0.points.0.type: unknown value '<script>alert(1)</script>'" in told.nth(0).inner_text()
    assert "timezone: unknown time zone 'Nowhere'" in told.nth(1).inner_text()
    assert page.locator(".jp-MimeDocument :is(script, img)").count() == 0
    assert document.read_text("utf-8") == text
    forged = page.request.post(
        f"{lab.url}/journey-nb/picture", data=text
    )  # as another site would, cookies and all
    assert forged.status == 403
    assert faults == []


def change(page: Any, text: str) -> None:
    page.evaluate(f"text => {PANEL}.context.model.fromString(text)", text)


@pytest.mark.parametrize("lab", ["with our extension"], indirect=True)
def test_only_who_may_read_gets_a_picture(lab: Lab) -> None:
    def ask(query: str) -> str:
        request = Request(f"{lab.url}/journey-nb/picture{query}", b'{"format": "journey/1"}')
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)["html"]

    assert "To be mended" in ask("?token=t")
    assert "À corriger" in ask("?token=t&locale=fr_FR")
    for query in ("", "?token=wrong"):
        with pytest.raises(HTTPError, match="403"):
            ask(query)


@pytest.mark.slow
def test_notebook_7_shows_the_same(
    chromium: Any, extension: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Lab(tmp_path_factory.mktemp("notebook"), extension, "notebook")
    page, faults, requests = watched(chromium)
    try:
        path = server.write("canvas.ipynb", BOX)
        address = f"{server.url}/notebooks/{path.name}?token=t"
        page.goto(address)
        ready(page, path.name)
        (server.folder / "go").touch()
        run(page, 0)
        run(page, 1)
        sees_only_live_views(page, NOTEBOOK)
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function(f"!{PANEL}.context.model.dirty")
        page.reload()
        ready(page, path.name)
        sees_only_live_views(page, NOTEBOOK)
        page.evaluate(f"{PANEL}.sessionContext.shutdown()")
        page.goto(address)  # with a new kernel
        ready(page, path.name)
        sees_only_pictures(page, NOTEBOOK)
        jn.Journey.sample("welcome").write(server.folder / "welcome.journey.json")
        page.goto(f"{server.url}/edit/welcome.journey.json?token=t")
        page.locator(".jp-MimeDocument .jnb-figure img").wait_for()
        page.close()
    finally:
        server.close()
    assert ours(faults) == []
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []
