"""`make bench-widgets`: the live views in a real Chromium, beside what is aimed at; printed as Markdown.

    python benchmarks/widgets.py [--events 1_000_000 10_000_000] [--folder CACHE]

A view stands in a bare page with its Python half behind it, as in tests/live.py: all that is ours is timed, but not
the messages of Jupyter between the two.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from run import HERE, _log

import journey_nb as jn
from journey_nb.facts import fold
from journey_nb.simulate import simulate

sys.path.insert(0, str(HERE.parent / "tests"))

from conftest import ARGS
from fabricate import tree
from live import MODEL, Live, Sheet, _synced

POINTS = (50, 200, 500)
REPEATS = 7
MOVES = 240  # of a pointer that pans
# Each is chosen once: what is kept of a period that was shown before would be no change.
PERIODS = ("30d", "7d", "2026-06-01..2026-06-30", "2026-04-03..2026-04-17", "this_month", "2026-03-01..2026-05-31", "launch")  # fmt: skip
WIDGETS = 10  # in a notebook

FIRST = f"""async (given) => {{
  const begun = performance.now();
  await ({MODEL})(given);
  const view = document.querySelector('.jnb-live').shadowRoot;
  while (!view.querySelector('.sheet > svg')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);  // what is there now is painted before the one after this
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}}"""
CHANGE = """async (value) => {
  const view = document.querySelector('.jnb-live').shadowRoot.querySelector('.view');
  const begun = performance.now();
  model.send({action: 'period', value, view: model.sent[0].view});  // else it would be no answer to this view
  view.setAttribute('aria-busy', 'true');
  while (view.hasAttribute('aria-busy')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def main() -> None:
    """Measure all of it, and print a table of each."""
    from playwright.sync_api import sync_playwright

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--events", nargs="*", type=int, default=[1_000_000, 10_000_000], metavar="N")
    asked.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journey_nb_bench")
    options = asked.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        print(f"Chromium {browser.version}\n")
        print_sizes(browser)
        print_changes(browser, options.events, options.folder)
        browser.close()
    print_notebook()


def print_sizes(browser: Any) -> None:
    """First picture, state and panning, by the number of points."""
    print("| points | drawn in Python, ms: median, least | and shown by the browser | first picture | kB at start (without the bundle) "
          "| CPU ms of the main thread per pan frame: median, 95 % | frames per second |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for points in POINTS:
        journey = tree(points)
        facts = fold(journey, jn.EventLog.from_frame(simulate(journey, users=2000, seed=3)).judge(journey))
        drawn, shown = [], []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            widget = jn.JourneyCanvas(jn.JourneyStats(journey, facts))
            drawn.append((time.perf_counter() - begun) * 1000)
            shown.append(first_picture(browser, widget))
        both = [one + other for one, other in zip(drawn, shown, strict=True)]
        work, rate = panned(browser, widget)
        state = size(widget.get_state())
        times = " | ".join(f"{middle(found):.0f}, {min(found):.0f}" for found in (drawn, shown, both))
        print(
            f"| {points} | {times} | {state / 1e3:.0f} ({(state - len(widget._esm)) / 1e3:.0f}) "
            f"| {middle(work):.1f}, {high(work):.1f} | {rate:.0f} |"
        )
    print()


def first_picture(browser: Any, widget: Any) -> float:
    """Milliseconds from an empty page to a painted canvas."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_content("<!DOCTYPE html><title>A notebook</title>")
    state = {name: getattr(widget, name) for name in _synced(widget)}
    state["picture"] = {"bytes": base64.b64encode(state["picture"]).decode()}
    took: float = page.evaluate(
        FIRST, {"esm": widget._esm, "state": state, "dir": "ltr", "view": 1, "model": "model"}
    )
    page.close()
    return took


def panned(browser: Any, widget: Any) -> tuple[list[float], float]:
    """Milliseconds that the page's main thread worked (CPU) in each frame of a drag, and how many frames came a second."""
    sheet = Sheet(browser)
    Live(sheet, widget)
    page = sheet.page
    box = page.locator(".stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=5)
    browser.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline", "disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame"])  # fmt: skip
    for at in range(MOVES):  # there and back, so that something is in view throughout
        page.mouse.move(x + 20 - (at if at < MOVES / 2 else MOVES - at) * 4, y)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    page.mouse.up()
    sheet.clear()
    page.close()
    return frames(events)


def frames(events: list[dict[str, Any]]) -> tuple[list[float], float]:
    """The same, from a trace."""
    moves = [event for event in events if event.get("args", {}).get("data", {}).get("type") == "pointermove"]
    thread = (moves[0]["pid"], moves[0]["tid"])
    ours = [event for event in events if (event["pid"], event["tid"]) == thread]
    begun = sorted(event["ts"] for event in ours if event["name"] == "BeginMainThreadFrame")
    tasks = [event for event in ours if event["name"] == "RunTask"]
    work = [
        sum(task["tdur"] for task in tasks if start <= task["ts"] < end) / 1000
        for start, end in pairwise(begun)
    ]
    return work, (len(begun) - 1) / (begun[-1] - begun[0]) * 1e6


def print_changes(browser: Any, events: list[int], folder: Path) -> None:
    """Round trips of another period, on facts in memory and on a store."""
    print(
        "| events | statistics | canvas, ms: median, least, most | of that Python's CPU | kB per change | whole workspace in Python, CPU ms |"
    )
    print("|---|---|---|---|---|---|")
    for count in events:
        for name, stats in kept(count, folder):
            trips, worked, sent = changes(browser, jn.JourneyCanvas(stats))
            spaces = workspaces(jn.Workspace(stats))
            times = [f"{middle(t):.0f}, {min(t):.0f}, {max(t):.0f}" for t in (trips, worked, spaces)]
            print(f"| {count:,} | {name} | {times[0]} | {times[1]} | {middle(sent) / 1e3:.0f} | {times[2]} |")
    print()


def kept(events: int, folder: Path) -> Iterator[tuple[str, jn.JourneyStats]]:
    """Statistics of a log of so many events: as they stand in memory, and in a store."""
    path, _ = _log(events, folder)
    journey = jn.Journey.sample("welcome")
    home = Path(tempfile.mkdtemp(dir=folder))
    try:
        store = jn.Store(home)
        store.add(journey)
        store.load(path)
        yield "a store", store[journey.journey_id]
    finally:
        shutil.rmtree(home)
    yield "facts in memory", jn.JourneyStats(journey, fold(journey, jn.EventLog.read(path).judge(journey)))


def changes(browser: Any, widget: Any) -> tuple[list[float], list[float], list[int]]:
    """Milliseconds of each change of period, until it is painted; those of Python's CPU; the bytes handed over."""
    sheet = Sheet(browser)
    live = Counted(sheet, widget)
    # Whatever is made once.
    live.page.select_option("[data-action=period]", "yesterday")
    live.settle()
    trips, worked, sent = [], [], []
    for period in PERIODS:
        begun = time.process_time()
        trips.append(live.page.evaluate(CHANGE, period))
        worked.append((time.process_time() - begun) * 1000)
        assert widget.period == period, widget.error
        sent.append(live.told)
    sheet.clear()
    sheet.page.close()
    return trips, worked, sent


class Counted(Live):
    """A live view that knows how many bytes it handed over last."""

    def _news(self) -> dict[str, Any]:
        self.told = size({name: getattr(self.widget, name) for name in self._changed})
        return super()._news()


def workspaces(workspace: Any) -> list[float]:
    """Milliseconds of CPU in which all parts of a workspace are drawn anew."""
    took = []
    for period in PERIODS:
        begun = time.process_time()
        workspace.period = period
        took.append((time.process_time() - begun) * 1000)
    return took


def print_notebook() -> None:
    """The file of a notebook that has been run, with views in it."""
    cells = [
        "import journey_nb as jn\nfrom journey_nb.simulate import simulate\njourney = jn.Journey.sample('welcome')\n"
        "stats = jn.JourneyStats(journey, simulate(journey, users=500, seed=1))",
        *[f"jn.JourneyCanvas(stats.period({period!r}))" for period in ("launch", "30d") * (WIDGETS // 2)],
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()  # as JupyterLab does
    print(
        f"A notebook with {WIDGETS} canvases of the welcome journey is saved in {len(nbformat.writes(notebook)) / 1e3:.0f} kB."
    )


def size(state: dict[str, Any]) -> int:
    """Bytes of a message of Jupyter with this state: JSON, and buffers beside it."""
    buffers = {name: value for name, value in state.items() if isinstance(value, bytes)}
    plain = {name: value for name, value in state.items() if name not in buffers}
    return len(json.dumps(plain).encode()) + sum(map(len, buffers.values()))


def middle(found: list[Any]) -> float:
    return statistics.median(found)


def high(found: list[float]) -> float:
    return statistics.quantiles(found, n=20)[-1]


if __name__ == "__main__":
    main()
