"""How a view is shown where it stands in a box of ipywidgets; a view alone is in test_canvas.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest
from IPython.core.formatters import DisplayFormatter

import journey_nb as jn
from journey_nb.widgets import _shown

LIVE = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is displayed on the way to a result."""
    displayed: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: displayed.append(data))
    return displayed


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> DisplayFormatter:
    """What formats the results of a notebook."""
    formatter = DisplayFormatter()
    monkeypatch.setattr(_shown, "get_ipython", lambda: SimpleNamespace(display_formatter=formatter))
    _shown.boxed(jn.JourneyCanvas)
    return formatter


def test_a_box_of_views_keeps_the_picture_of_each(
    notebook: DisplayFormatter, shown: list[dict[str, Any]], welcome_stats: jn.JourneyStats
) -> None:
    one, other = jn.JourneyCanvas(welcome_stats), jn.JourneyCanvas(welcome_stats.period("7d"))
    box = ipywidgets.HBox([ipywidgets.VBox([one]), ipywidgets.Button(), other])
    copy, _ = notebook.format(box)
    (live,) = shown
    assert live[LIVE]["model_id"] == box.model_id
    assert live["application/x-journey-nb.view+json"] == {}
    assert copy["text/html"].count("data:image/svg+xml;base64,") == 2
    assert live["text/plain"] == copy["text/plain"] == f"{one.alt} {other.alt}"


def test_other_boxes_are_shown_as_ever(notebook: DisplayFormatter, shown: list[dict[str, Any]]) -> None:
    box = ipywidgets.HBox([ipywidgets.Button()])
    bundle, _ = notebook.format(box)
    assert bundle == box._repr_mimebundle_()
    assert shown == []
