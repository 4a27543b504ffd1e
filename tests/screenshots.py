"""`make screenshots`: the workspace as people see it, to be looked at: themes, widths, either way round, sizes.

python tests/screenshots.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conftest import ARGS
from fabricate import journey
from live import Live, Sheet

import journey_nb as jn
from journey_nb.simulate import simulate

WIDE, NARROW = 1440, 360
LANES = 4
CHANNELS = ("push", "email", "sms", "in_app", "whatsapp")

# Each way of looking at it: the page's options, and those of the view.
LOOKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "light": ({}, {}),
    "dark": ({"color_scheme": "dark"}, {}),
    "narrow": ({"width": NARROW}, {}),
    "contrast": ({"forced_colors": "active"}, {}),
    "contrast-dark": ({"forced_colors": "active", "color_scheme": "dark"}, {}),
    "rtl": ({"dir": "rtl"}, {}),
    "french": ({}, {"locale": "fr"}),
    "korean": ({}, {"locale": "ko"}),
}
LARGE = ("light", "dark", "narrow", "contrast")  # are enough


def main() -> None:
    """Write them all into the folder."""
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        for name, designed in (
            ("15", jn.Journey.sample("welcome")),
            ("50", lanes(50)),
            ("300", lanes(300)),
        ):
            stats = jn.JourneyStats(designed, simulate(designed, users=400, seed=1))
            for look in LOOKS if name == "15" else LARGE:
                for state, shot in shots(browser, stats, look):
                    print(folder / f"workspace-{name}-{look}-{state}.png")
                    (folder / f"workspace-{name}-{look}-{state}.png").write_bytes(shot)
        browser.close()


def shots(browser: Any, stats: jn.JourneyStats, look: str) -> Iterator[tuple[str, bytes]]:
    """The workspace as it begins; with a point's window and details open; with a user's path."""
    page, options = LOOKS[look]
    workspace = jn.Workspace(stats, **options)
    sheet = Sheet(browser)
    here = sheet.page
    parts = [Live(sheet, workspace.head, **{"width": WIDE, **page})]
    arrange(here, workspace)
    for view in workspace.views[1:]:
        parts.append(Live(sheet, view, dir=page.get("dir", "ltr")))
    yield "begins", taken(workspace, parts)
    message = next(point for point in stats.journey.version().points if point.type == "message")
    workspace.canvas.opened = workspace.canvas.selected = message.point_id
    workspace.canvas.heat = "share"
    workspace.dashboard.opened = "audience"
    yield "opened", taken(workspace, parts)
    workspace.canvas.opened = None
    workspace.dashboard.opened = "communications"
    workspace.user = stats.users()["user_id"][0]
    taken(workspace, parts)
    here.locator("main").nth(1).locator("[data-action=fit]").click()
    yield "path", taken(workspace, parts)
    sheet.clear()
    here.close()


def arrange(page: Any, workspace: Any) -> None:
    """Each part in the place that the workspace gives it."""
    layout = workspace.layout
    rooms = "".join(
        f"main:nth-of-type({at}) {{ flex: {view.layout.flex}; min-width: 0; max-width: 100%; }}"
        for at, view in enumerate(workspace.views, 1)
    )
    page.add_style_tag(
        content=f"body {{ display: flex; flex-flow: {layout.flex_flow}; gap: {layout.grid_gap}; background: Canvas; }}"
        f":root {{ color-scheme: light dark; }} {rooms}"
    )


def taken(workspace: Any, parts: list[Live]) -> bytes:
    """All of it."""
    page = parts[0].page
    arrange(page, workspace)
    for part in parts:
        part.push()
        part.settle()
    page.wait_for_timeout(200)  # what has another size now is drawn
    shot: bytes = page.screenshot(full_page=True, timeout=120_000)
    return shot


def lanes(size: int) -> jn.Journey:
    """A designed journey of about so many points: a test of a few tracks, each a row of the same stretch."""
    points: list[dict[str, Any]] = [
        {"point_id": "in", "type": "entry_audience", "title": "Everyone who signed up this year"},
        {"point_id": "test", "type": "split_abn", "title": "Which track?"},
    ]
    branches: list[dict[str, Any]] = [{"source": "in", "target": "test"}]
    ends = [("test", f"variant:{letter}") for letter in "ABCD"]
    shares = dict.fromkeys(ends, 100 / LANES)
    stretch = 0
    while len(points) + LANES < size:
        lane = stretch % LANES
        name = f"{'ABCD'[lane]}{stretch // LANES + 1}"
        channel = CHANNELS[stretch % len(CHANNELS)]
        points += [
            {"point_id": f"{name}-ask", "type": "message", "channel": channel, "title": f"Letter {name}: what is new in your town"},
            {"point_id": f"{name}-wait", "type": "wait_for_trigger", "title": f"Ordered after {name}?"},
            {"point_id": f"{name}-nudge", "type": "message", "channel": "push", "title": f"Reminder {name}"},
            {"point_id": f"{name}-pause", "type": "delay", "title": "Three days"},
        ]  # fmt: skip
        source, key = ends[lane]
        share = {"share": shares[source, key]} if (source, key) in shares else {}
        branches += [
            {"source": source, "key": key, "target": f"{name}-ask", **share},
            {"source": f"{name}-ask", "target": f"{name}-wait"},
            {"source": f"{name}-wait", "key": "triggered_1", "label": "Ordered", "target": f"{name}-pause"},
            {"source": f"{name}-wait", "key": "not_triggered", "target": f"{name}-nudge"},
            {"source": f"{name}-nudge", "target": f"{name}-pause"},
        ]
        ends[lane] = (f"{name}-pause", "default")
        stretch += 1
    points.append({"point_id": "out", "type": "exit", "title": "End"})
    branches += [{"source": source, "key": key, "target": "out"} for source, key in ends]
    return journey(points, branches, title=f"The year of a customer, in {len(points)} steps", journey_id="year",
                   goals=[{"goal_id": "order", "title": "First order", "event": "order", "conversion_days": 30}])  # fmt: skip


if __name__ == "__main__":
    main()
