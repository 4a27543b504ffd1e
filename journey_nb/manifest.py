"""The manifest beside a report's files: what it was made of and with, and whether its numbers add up."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from journey_nb import __version__
from journey_nb.exports import write_table
from journey_nb.reading import Paths, files_of
from journey_nb.store.sound import sha256
from journey_nb.style import format

if TYPE_CHECKING:
    from journey_nb.journey import Journey
    from journey_nb.stats import JourneyStats
    from journey_nb.store import Store

MANIFEST = "manifest.json"
_TABLE, _TOLD = "table.parquet", "told.json"

# What makes another run needless, where it is as it was.
_SAME = ("report", "about", "parameters", "redacted", "inputs", "notebook", "versions")


def leave(out: str, table: pl.DataFrame, *about: JourneyStats) -> None:
    """Hand the table of a report, and whether its numbers add up, to whoever runs the notebook.

    Parameters
    ----------
    out
        The folder; empty: nobody asks, and nothing is written.
    table
        The rows of the report's CSV, Parquet or XLSX.
    *about
        The stats that the report is about.
    """
    if not out:
        return
    write_table(table, Path(out) / _TABLE)
    told = [told_of(stats) for stats in about]
    (Path(out) / _TOLD).write_text(json.dumps(told), encoding="utf-8")


def left(out: Path) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """What :func:`leave` has left."""
    return pl.read_parquet(out / _TABLE), json.loads((out / _TOLD).read_text(encoding="utf-8"))


def told_of(stats: JourneyStats) -> dict[str, Any]:
    """What became of the rows of a journey's log, and how many checks do not add up."""
    rows, checks = stats.report(), stats.reconciliation()
    counts = {name: getattr(rows, name) for name in ("read", "loaded", "duplicates", "quarantined")}
    counts = {name: count if count >= 0 else format.count(count) for name, count in counts.items()}
    return {
        "journey_id": stats.journey.journey_id,
        "title": stats.journey.label,
        "rows": counts,
        "reconciliation": {"checks": checks.height, "gaps": checks.filter(pl.col("gap") != 0).height},
    }


def of_files(paths: Paths, beside: Path) -> list[dict[str, Any]]:
    """Files by name, size and SHA-256, named from the report's folder; an object of a store by its address."""
    return [
        {"path": os.path.relpath(path, beside), **_content(path)}
        if isinstance(path, Path)
        else {"path": path}
        for path in files_of(paths)
    ]


def of_store(store: Store, journeys: Iterable[Journey]) -> list[dict[str, Any]]:
    """What a store holds of some journeys: each document, and each load by name, size and SHA-256."""
    found = []
    for journey in journeys:
        document = journey.model_dump_json().encode()
        digest = hashlib.sha256(document).hexdigest()
        found.append({"path": f"journey {journey.journey_id}", "bytes": len(document), "sha256": digest})
        for layer in getattr(store[journey.journey_id].facts, "layers", ()):
            listed = json.dumps(layer.files, sort_keys=True).encode()
            size = sum(size for size, _ in layer.files.values())
            digest = hashlib.sha256(listed).hexdigest()
            found.append({"path": f"layers/{layer.token}", "bytes": size, "sha256": digest})
    return found


def sealed(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One digest of all inputs: it tells whether they changed, and neither what they are called nor how large they are."""
    return [{"sha256": hashlib.sha256(json.dumps(inputs).encode()).hexdigest()}]


def of_outputs(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The files of a report itself."""
    return [{"path": path.name, **_content(path)} for path in paths]


def _content(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def versions() -> dict[str, str]:
    """With what the numbers were made."""
    return {"journey_nb": __version__, "polars": pl.__version__, "python": platform.python_version()}


def moment() -> str:
    """Now, or what SOURCE_DATE_EPOCH says that it is."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(told), UTC) if told else datetime.now(UTC)
    return now.isoformat(timespec="seconds")


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest in a folder, if there is one."""
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def write(folder: Path, told: Mapping[str, Any]) -> None:
    """Write a manifest."""
    (folder / MANIFEST).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def is_current(folder: Path, wanted: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether a folder holds these files, whole, of a report that a run now would only repeat."""
    before = read(folder)
    if before is None or any(before.get(key) != wanted[key] for key in _SAME):
        return False
    whole = {row["path"] for row in before["outputs"]} == set(names)
    return whole and all(
        (folder / row["path"]).is_file() and sha256(folder / row["path"]) == row["sha256"]
        for row in before["outputs"]
    )
