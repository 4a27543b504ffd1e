"""Reports whose process is killed at any moment: the old one or the new one is there, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import journey_nb as jn
from journey_nb import files, manifest

KILLS = max(10, int(os.environ.get("JOURNEY_NB_KILLS", "40")) // 4)  # 50 in make test-long

# One report after the other, each with other numbers; the notebook itself is not run, so that many are made.
WRITER = """
import signal
import sys
from pathlib import Path

import nbformat
import polars as pl

import journey_nb as jn
from journey_nb import files, manifest, reports

saved, out, exchanging, moment = sys.argv[1:]
turn = 0

def execute(source, target, values, progress):
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text=f"turn {turn} " * 2_000)]
    nbformat.write(notebook, target)
    manifest.leave(str(target.parent), pl.DataFrame({"turn": [turn] * 20_000}))

reports._execute = execute
if exchanging == "False":
    files._exchanged = lambda one, other: False
stats = jn.JourneyStats.load(saved)
while True:
    reports.run_report("campaign", stats=stats, out=out, formats=["notebook", "csv", "parquet"])
    turn += 1
    if turn == 1:  # by default its signal kills at once, and it counts the work, however busy the machine is
        signal.setitimer(signal.ITIMER_PROF, float(moment))
"""


def is_whole(folder: Path) -> int:
    """The turn of the report in a folder, in which every file is of the same run."""
    told = manifest.read(folder)
    assert told is not None
    assert {row["path"] for row in told["outputs"]} | {"manifest.json"} == {
        path.name for path in folder.iterdir()
    }
    for row in told["outputs"]:
        assert manifest.sha256(folder / row["path"]) == row["sha256"], row["path"]
    (turn,) = pl.read_parquet(folder / f"{folder.name}.parquet")["turn"].unique()
    assert f"turn {turn} " in (folder / f"{folder.name}.ipynb").read_text(encoding="utf-8")
    return int(turn)


@pytest.mark.parametrize("exchanging", [True, False])
def test_a_killed_report_leaves_the_old_one_or_the_new_one(
    exchanging: bool, welcome_stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system cannot exchange two names the old one may stand aside, until the next run puts it back."""
    out, saved, chance = tmp_path / "out", tmp_path / "saved", random.Random(1)
    place = out / "welcome-series-campaign"
    welcome_stats.save(saved)
    monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    reached = set()
    for _ in range(KILLS // 2):
        moment = chance.uniform(0.01, 0.3)
        command = [sys.executable, "-c", WRITER, str(saved), str(out), str(exchanging), str(moment)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGPROF, done.stderr
        if exchanging:
            assert place.exists()
        elif not place.exists():
            is_whole(out / f".aside-{place.name}")
            with files.whole_folder(out / "another"):
                pass
        reached.add(is_whole(place))
    assert max(reached) > 0
