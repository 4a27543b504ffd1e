"""Runs every notebook as it stands and keeps it with what it shows: ``make notebooks``."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
from traitlets.config import Config

FOLDER = Path(__file__).parent.parent / "notebooks"

for path in sorted(FOLDER.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    nbclient.NotebookClient(
        notebook,
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        store_widget_state=False,
        config=Config({"KernelManager": {"transport_encryption": "required"}}),
    ).execute()
    notebook.metadata = metadata  # not what the kernel tells of itself
    nbformat.write(notebook, path)
