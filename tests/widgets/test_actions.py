"""What the templates and the browser's half may ask for is tried by the test of one live view or another."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(folder: str, names: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / folder).glob(names)))


def test_no_action_is_left_untried() -> None:
    templates = read("journey_nb/render/templates", "*.html")
    # The first argument of the macro menu is an action; detail.html is handed the folded block's.
    listed = set(re.findall(r'data-(?:action|typed)="([\w-]+)"|menu\("([\w-]+)"', templates))
    listed |= set(
        re.findall(
            r'\bask\("([\w-]+)"|action === "([\w-]+)"|{ action: "([\w-]+)"', read("widget_js/src", "*.ts")
        )
    )
    listed |= set(re.findall(r'action="([\w-]+)"()', read("journey_nb/render", "*.py")))
    tried = {
        name.replace("_", "-")
        for name in re.findall(r"def tries_(\w+)", read("tests/browser", "test_live_*.py"))
    }
    assert {name for names in listed for name in names if name} <= tried
