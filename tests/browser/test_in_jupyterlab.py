"""The live canvas in a real JupyterLab: worked with, seen by the kernel, saved, and opened again without one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90_000  # milliseconds, for a machine that has much else to do

MAKE = """
import journey_nb as jn
from journey_nb.simulate import simulate
journey = jn.Journey.sample("welcome")
widget = jn.JourneyCanvas(jn.JourneyStats(journey, simulate(journey, users=100, seed=1)))
widget
"""
TELL = "print('selected', widget.selected, 'period', widget.period, 'opened', widget.opened)"
PANEL = "jupyterapp.shell.currentWidget"


class Lab:
    """A server of its own on a folder of its own; nothing of the machine's settings is used."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.folder = f"http://127.0.0.1:{port}", folder / "work"
        self.folder.mkdir()
        names = "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR JUPYTERLAB_SETTINGS_DIR JUPYTERLAB_WORKSPACES_DIR IPYTHONDIR"
        homes = {name: str(folder / name.lower()) for name in names.split()}
        news = Path(homes["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab/apputils-extension/notification.jupyterlab-settings")  # fmt: skip
        news.parent.mkdir(parents=True)
        news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
        options = {
            "ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.port_retries": 0, "IdentityProvider.token": "t",
            "ServerApp.root_dir": self.folder, "LabApp.expose_app_in_browser": True, "LabApp.news_url": None,
            "ServerApp.terminals_enabled": False,
        }  # fmt: skip
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *(f"--{name}={value}" for name, value in options.items())],
            env={**os.environ, **homes, "PYTHONPATH": str(ROOT)}, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        for _ in range(PATIENCE // 500):
            try:
                urlopen(f"{self.url}/api/status?token=t", timeout=5).close()
                return
            except (URLError, OSError):
                time.sleep(0.5)
        raise TimeoutError(f"JupyterLab does not answer; {folder / 'log'} may say why")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def write(self, name: str) -> Path:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(MAKE.strip()), nbformat.v4.new_code_cell(TELL)]
        )
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return self.folder / name


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


def run(page: Any, cell: int) -> str:
    """Run one cell to its end, and what it printed."""
    page.evaluate(
        f"""async cell => {{
          const panel = {PANEL};
          panel.content.activeCellIndex = cell;
          await panel.sessionContext.ready;
          await jupyterapp.commands.execute("notebook:run-cell");
        }}""",
        cell,
    )
    return page.evaluate(
        f"cell => {PANEL}.content.widgets[cell].model.sharedModel.outputs.map(o => o.text ?? '').flat().join('')",
        cell,
    )


def open_without_kernel(page: Any, path: Path) -> None:
    preference = {"shouldStart": False, "canStart": False, "autoStartDefault": False}
    page.evaluate(
        "([path, kernelPreference]) => jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook', kernelPreference})",
        [path.name, preference],
    )
    page.wait_for_function(
        f"path => {PANEL}?.context?.path === path && {PANEL}.context.isReady", arg=path.name
    )


def sees_only_the_picture(page: Any) -> None:
    picture = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-static img")
    picture.wait_for(state="visible")
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 400
    assert "Welcome series" in picture.get_attribute("alt")
    assert page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jnb-live").count() == 0
    assert (
        page.get_by_text("Loading widget").count() == 0
        or not page.get_by_text("Loading widget").first.is_visible()
    )


def test_a_canvas_lives_in_jupyterlab_and_outlives_its_kernel(chromium: Any, lab: Lab) -> None:
    path = lab.write("canvas.ipynb")
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"{error} {error.stack}"))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{lab.url}/lab/tree/{path.name}?token=t&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(f"{PANEL}?.context?.isReady")

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
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        wanted = "dark" if "Dark" in theme else "light"
        page.wait_for_selector(f".jnb-live[data-theme={wanted}]")
        page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        page.wait_for_selector("#jupyterlab-splash", state="detached")  # JupyterLab takes it away twice, else
        grounds[wanted] = page.locator(".jnb-live .view").evaluate("e => getComputedStyle(e).backgroundColor")
        if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/lab-{wanted}.png")
    assert grounds["dark"] != grounds["light"]

    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    kept = nbformat.read(path, as_version=4)
    assert "widgets" not in kept.metadata
    assert path.stat().st_size < 150_000
    assert faults == []  # from here on no code of ours runs, and ipywidgets' own manager misses its kernel
    page.evaluate(
        f"async () => {{ const panel = {PANEL}; await panel.sessionContext.shutdown(); panel.close(); }}"
    )
    page.wait_for_function(f"!{PANEL} || {PANEL}.context?.path !== 'canvas.ipynb'")

    open_without_kernel(page, path)
    sees_only_the_picture(page)
    stranger = lab.folder / "stranger.ipynb"  # by another hand, so not trusted here
    kept.cells[1].source = "# not run"
    nbformat.write(kept, stranger)
    open_without_kernel(page, stranger)
    assert not page.evaluate(f"{PANEL}.content.widgets[0].model.trusted")
    sees_only_the_picture(page)
    page.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []
