"""Frozen notebooks: no dead view is left, and nothing else is gone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from journey_nb.cli import main
from journey_nb.freeze import VIEW, freeze

TEXTS = st.sampled_from(["a picture", "another", "<b>é</b>", ""])
BUNDLES = st.dictionaries(st.sampled_from(["text/plain", "text/html", "image/svg+xml"]), TEXTS, max_size=3)
VIEWS = st.builds(lambda data, model: {**data, VIEW: {"model_id": model, "version_major": 2}}, BUNDLES, TEXTS)
SHOWN = st.builds(
    lambda data, own: {"output_type": "display_data", "data": data, "metadata": own},
    BUNDLES | VIEWS,
    st.sampled_from([{}, {VIEW: {"x": 1}}, {"text/html": {"isolated": True}}]),
)
STREAMS = st.builds(lambda text: {"output_type": "stream", "name": "stdout", "text": text}, TEXTS)
CODE = st.builds(
    lambda source, outputs: {
        "cell_type": "code", "source": source, "outputs": outputs, "metadata": {}, "execution_count": 1,
    },
    TEXTS, st.lists(SHOWN | STREAMS, max_size=4),
)  # fmt: skip
MARKDOWN = st.builds(lambda source: {"cell_type": "markdown", "source": source, "metadata": {}}, TEXTS)
NOTEBOOKS = st.builds(
    lambda cells, state: {
        "cells": cells,
        "metadata": {"title": "é", **state},
        "nbformat": 4,
        "nbformat_minor": 4,
    },
    st.lists(CODE | MARKDOWN, max_size=4),
    st.sampled_from([{}, {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}}]),
)


def written(notebook: Any, folder: Path) -> Path:
    path = folder / "n.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def without_views(outputs: list[Any]) -> list[Any]:
    """The slow reading: every output without its view."""
    plain = copy.deepcopy(outputs)
    for output in plain:
        if output.get("data", {}).pop(VIEW, None):
            output["metadata"].pop(VIEW, None)
    return plain


@given(NOTEBOOKS)
def test_what_is_frozen_has_no_view_and_all_else(
    tmp_path_factory: pytest.TempPathFactory, notebook: Any
) -> None:
    path = written(notebook, tmp_path_factory.mktemp("n"))
    before = path.read_bytes()
    removed = freeze(path)
    after = json.loads(path.read_text(encoding="utf-8"))
    assert VIEW not in {
        kind for cell in after["cells"] for out in cell.get("outputs", ()) for kind in out.get("data", ())
    }
    assert "widgets" not in after["metadata"]
    nbformat.validate(after)
    views = sum(VIEW in out.get("data", ()) for cell in notebook["cells"] for out in cell.get("outputs", ()))
    assert removed == views + ("widgets" in notebook["metadata"])
    if not removed:
        assert path.read_bytes() == before
    for was, now in zip(notebook["cells"], after["cells"], strict=True):
        assert {key: was[key] for key in was if key != "outputs"} == {
            key: now[key] for key in now if key != "outputs"
        }
        wanted = without_views(was.get("outputs", []))
        had_view = [VIEW in output.get("data", ()) for output in was.get("outputs", [])]
        kept = iter(now.get("outputs", []))
        upcoming = next(kept, None)
        for place, output in enumerate(wanted):
            if output == upcoming:
                upcoming = next(kept, None)
                continue
            # Gone as a whole: a view, of which only the title would be left, that the static copy after it says.
            assert had_view[place]
            assert set(output["data"]) <= {"text/plain"}
            assert "text/html" in wanted[place + 1]["data"]
            assert output["data"].get("text/plain") in (None, wanted[place + 1]["data"].get("text/plain"))
        assert upcoming is None
    frozen = path.read_bytes()
    assert freeze(path) == 0
    assert path.read_bytes() == frozen


def test_the_command_tells_what_it_took_out(tmp_path: Path) -> None:
    view = {
        "output_type": "display_data",
        "metadata": {},
        "data": {VIEW: {"model_id": "m"}, "text/plain": "t"},
    }
    twin = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<img>", "text/plain": "t"}}
    cell = {"cell_type": "code", "source": "w", "outputs": [view, twin], "metadata": {}, "execution_count": 1}
    path = written(
        {"cells": [cell], "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 4}, tmp_path
    )
    said = CliRunner().invoke(main, ["freeze", str(path)])
    assert (said.exit_code, "2 taken out" in said.output) == (0, True)
    assert json.loads(path.read_text())["cells"][0]["outputs"] == [twin]
    assert "frozen already" in CliRunner().invoke(main, ["freeze", str(path)]).output


def test_what_is_no_notebook_is_told(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text('{"worksheets": []}')
    said = CliRunner().invoke(main, ["freeze", str(tmp_path / "n.ipynb")])
    assert said.exit_code == 1
    assert "no notebook of format 4" in " ".join(said.output.split())
