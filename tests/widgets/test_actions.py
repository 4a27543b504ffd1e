"""What the templates and the browser's half may ask for is tried by the test of one live view or another.

That a function ``tries_x`` really does x is asserted where it is run.
"""

from __future__ import annotations

import re

from live import ROOT, listed


def test_no_action_is_left_untried() -> None:
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "tests/browser").glob("test_live_*.py"))]
    tried = {name.replace("_", "-") for text in texts for name in re.findall(r"def tries_(\w+)", text)}
    assert listed() - tried == set()


def test_what_python_draws_is_listed_too() -> None:
    assert {"user", "point", "goal", "journey", "status", "drops", "suggest", "map"} <= listed()
