"""A real JupyterLab, with the extension as the wheel carries it or with none, and what is done in it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

ROOT = Path(__file__).resolve().parents[1]
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
SIZE = {"width": 1400, "height": 1000}
Desk = tuple[Any, list[str]]


class Lab:
    """A server of its own on a folder of its own; nothing of the machine's settings is used.

    The extension is the folder that a wheel brings to share/ and etc/; without one none is active.
    The program is jupyterlab, or notebook, which is made of the same parts. The scheduler of notebooks is
    there when it is asked for.
    """

    def __init__(
        self,
        folder: Path,
        extension: Path | None = None,
        program: str = "jupyterlab",
        scheduler: bool = False,
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.folder = f"http://127.0.0.1:{port}", folder / "work"
        self.folder.mkdir()
        names = "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR JUPYTERLAB_SETTINGS_DIR JUPYTERLAB_WORKSPACES_DIR IPYTHONDIR"
        homes = {name: str(folder / name.lower()) for name in names.split()}
        settings = {
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            # What is out of sight can be looked at too.
            "notebook-extension/tracker": {"windowingMode": "none"},
        }
        for name, values in settings.items():
            file = Path(homes["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", f"{name}.jupyterlab-settings")
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(values))
        if extension:  # before one that is installed
            homes |= {"JUPYTER_PATH": str(extension / "share/jupyter"), "JUPYTER_CONFIG_PATH": str(extension / "etc/jupyter")}  # fmt: skip
        disabled = {"journey-nb": not extension, "@jupyterlab/scheduler": not scheduler}
        config = Path(homes["JUPYTER_CONFIG_DIR"], "labconfig/page_config.json")
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"disabledExtensions": disabled}))
        options = {
            "ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.port_retries": 0, "IdentityProvider.token": "t",
            "ServerApp.root_dir": self.folder, "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True, "LabApp.news_url": None,
            "ServerApp.terminals_enabled": False, "ServerApp.jpserver_extensions": f"jupyter_scheduler={scheduler}",
            "LanguageServerManager.autodetect": False,
            "SchedulerApp.db_url": f"sqlite:///{folder / 'scheduler.sqlite'}",
        }  # fmt: skip
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, "--no-browser", "--allow-root", *(f"--{name}={value}" for name, value in options.items())],
            env={**os.environ, **homes, "PYTHONPATH": str(ROOT)}, cwd=self.folder, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        for _ in range(PATIENCE // 100):
            try:
                urlopen(f"{self.url}/api/status?token=t", timeout=5).close()
                return
            except (URLError, OSError):
                time.sleep(0.1)
        raise TimeoutError(f"JupyterLab does not answer; {folder / 'log'} may say why")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def write(self, name: str, second: str = TELL, first: str = MAKE) -> Path:
        """A notebook of two cells, the first of which shows a canvas, unless another is given."""
        cells = [nbformat.v4.new_code_cell(code.strip()) for code in (first, second)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return self.folder / name


def run(page: Any, cell: int, wait: bool = True) -> str:
    """Run one cell to its end, unless told not to wait, and what it printed."""
    page.evaluate(
        f"""async ([cell, wait]) => {{
          const panel = {PANEL};
          panel.content.activeCellIndex = cell;
          await panel.sessionContext.ready;
          const done = jupyterapp.commands.execute("notebook:run-cell");
          if (wait) await done;
        }}""",
        [cell, wait],
    )
    return page.evaluate(
        f"cell => {PANEL}.content.widgets[cell].model.sharedModel.outputs.map(o => o.text ?? '').flat().join('')",
        cell,
    )


def tells(page: Any, cell: int, told: str) -> None:
    """Wait until a cell prints this: JupyterLab runs cells beside what a click says, and may be faster."""
    for _ in range(PATIENCE // 100):
        if (printed := run(page, cell)) == told:
            return
        page.wait_for_timeout(100)
    assert printed == told


def settle(page: Any) -> None:
    """Until the kernel has answered all views; it may run a cell beside that, in another thread."""
    busy = "v => v.shadowRoot.querySelector('.view[aria-busy]')"
    page.wait_for_function(f"![...document.querySelectorAll('.jnb-live')].some({busy})", polling=50)


def watched(chromium: Any) -> tuple[Any, list[str], list[str]]:
    """A page, what its console complains of, and every address it asks for."""
    # What moves is drawn sixty times a second.
    page = chromium.new_page(viewport=SIZE, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"{error} {error.stack}"))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    return page, faults, requests


def cleared(page: Any) -> None:
    """Nothing is open, no kernel runs, and no window asks for anything, whatever a test has left behind."""
    while page.locator(".jp-Dialog").count():
        page.keyboard.press("Escape")
    page.evaluate("""async () => {
      for (const widget of [...jupyterapp.shell.widgets("main")])
        if (!widget.id.startsWith("launcher")) widget.dispose();
      jupyterapp.shell.expandLeft();
      await jupyterapp.serviceManager.sessions.shutdownAll();
    }""")
    page.set_viewport_size(SIZE)


def ready(page: Any, name: str) -> None:
    """Wait until a notebook is in front."""
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(f"name => {PANEL}?.context?.path === name && {PANEL}.context.isReady", arg=name)


def shot(page: Any, name: str) -> None:
    """A picture to be looked at, where a folder for them is named."""
    if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name.lower().replace(' ', '-')}.png")


def wear(page: Any, theme: str) -> None:
    """Change JupyterLab's theme: Dark, Dark High Contrast or Light."""
    name = f"JupyterLab {theme}"
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=name)
    page.wait_for_selector("#jupyterlab-splash", state="detached")  # JupyterLab takes it away twice, else


def reopen(page: Any, name: str, kernel: bool) -> None:
    """Open a notebook once more: with a new kernel, or with none."""
    none = {"shouldStart": False, "canStart": False, "autoStartDefault": False}
    page.evaluate(
        """([path, kernelPreference]) => {
          jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook", kernelPreference});
        }""",
        [name, {"name": "python3"} if kernel else none],
    )
    ready(page, name)
    if kernel:
        page.wait_for_function(f"{PANEL}.sessionContext.session?.kernel?.status === 'idle'")


def shut(page: Any, name: str) -> None:
    """Save a notebook, end its kernel and close it."""
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{PANEL}.context.model.dirty")
    page.evaluate(
        f"async () => {{ const panel = {PANEL}; await panel.sessionContext.shutdown(); panel.close(); }}"
    )
    page.wait_for_function(f"name => {PANEL}?.context?.path !== name", arg=name)
