"""Frozen notebooks: what only a kernel could bring to life is taken out, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from journey_nb.files import whole

VIEW = "application/vnd.jupyter.widget-view+json"


def freeze(path: str | Path) -> int:
    """Take dead widget views and stored widget state out of a notebook file; a frozen one is not touched.

    Without a kernel a view shows "Loading widget…" or an error in place of the picture beside it.

    Returns
    -------
    int
        How many views, and stores of state, were taken out.

    Raises
    ------
    ValueError
        When the file is no notebook of format 4.
    """
    path = Path(path)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is no notebook of format 4; open it in JupyterLab and save it anew"
        ) from None
    removed = sum(_freeze_cell(cell) for cell in cells)
    removed += notebook.get("metadata", {}).pop("widgets", None) is not None
    if removed:
        with whole(path) as part:
            part.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return removed


def _freeze_cell(cell: dict[str, Any]) -> int:
    outputs = cell.get("outputs", [])
    views = [output for output in outputs if VIEW in output.get("data", ())]
    for output in views:
        del output["data"][VIEW]
        output.get("metadata", {}).pop(VIEW, None)
    if views:
        dead = {id(output) for output in views}
        followers = [*outputs[1:], {}]
        cell["outputs"] = [
            output
            for output, after in zip(outputs, followers, strict=True)
            if not (id(output) in dead and _is_said_by(output, after))
        ]
    return len(views)


def _is_said_by(output: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether what is left of a view is only its title, and the static copy after it says that too."""
    said = after.get("data", {})
    return output["data"].items() <= {"text/plain": said.get("text/plain")}.items() and "text/html" in said
