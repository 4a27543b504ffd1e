"""Reports whose process is killed at any moment: the old one or the new one is there, whole, and no kernel stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

import journey_nb as jn
from journey_nb import files, manifest

KILLS = max(10, int(os.environ.get("JOURNEY_NB_KILLS", "40")) // 4)  # 50 in make test-long
IN_KERNELS = KILLS // 5  # of these
PATIENCE = 120  # seconds, for a machine that has much else to do

# What is imported takes longer than a report, so it is imported once, and each report has a child of its own.
# Children write one report after the other, each with other numbers; its notebook is only written, not run, so that
# many are made, unless the kernel is what shall be running.
WRITER = """
import os
import signal
import sys

from journey_nb.imports import lean_jsonschema

with lean_jsonschema():
    import nbformat.validator
    import papermill

saved, out, exchanging = sys.argv[1:]

def work(moment):
    import polars as pl

    import journey_nb as jn
    from journey_nb import files, manifest, reports

    def write(source, target, values, progress):
        notebook = nbformat.read(source, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [nbformat.v4.new_output("stream", text=f"turn {turn} " * 2_000)]
        nbformat.write(notebook, target)
        manifest.leave(str(target.parent), pl.DataFrame({"turn": [turn] * 20_000}))

    if exchanging == "False":
        files._exchanged = lambda one, other: False
    run, reports._execute, turn = reports._execute, write, 0
    stats = jn.JourneyStats.load(saved)
    while True:
        reports.run_report("campaign", stats=stats, out=out, formats=["notebook", "csv", "parquet"])
        turn += 1
        if moment == 0:
            reports._execute = run
        elif turn == 1:  # by default its signal kills at once, and it counts the work, however busy the machine is
            signal.setitimer(signal.ITIMER_PROF, moment)

for line in sys.stdin:
    assert "polars" not in sys.modules, "its threads would be missed in a child"
    child = os.fork()
    if not child:
        work(float(line))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def writer(
    welcome_stats: jn.JourneyStats, tmp_path: Path
) -> Iterator[Callable[[bool], subprocess.Popen[str]]]:
    """What writes reports into a folder ``out`` of the test's, with or without an exchange of names."""
    begun: list[subprocess.Popen[str]] = []

    def begin(exchanging: bool) -> subprocess.Popen[str]:
        welcome_stats.save(tmp_path / "saved")
        command = [
            sys.executable,
            "-c",
            WRITER,
            str(tmp_path / "saved"),
            str(tmp_path / "out"),
            str(exchanging),
        ]
        begun.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return begun[-1]

    yield begin
    for process in begun:
        process.communicate()  # and with no further line it ends


def child_of(process: subprocess.Popen[str], moment: float) -> int:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{moment}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def ended(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


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
    exchanging: bool,
    writer: Callable[[bool], subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the system cannot exchange two names the old one may stand aside, until the next run puts it back."""
    out, chance = tmp_path / "out", random.Random(1)
    place = out / "welcome-series-campaign"
    monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    reached, process = set(), writer(exchanging)
    for _ in range((KILLS - IN_KERNELS) // 2):
        child_of(process, chance.uniform(0.01, 0.3))
        assert ended(process) == -signal.SIGPROF
        if exchanging:
            assert place.exists()
        elif not place.exists():
            is_whole(out / f".aside-{place.name}")
            with files.whole_folder(out / "another"):
                pass
        reached.add(is_whole(place))
    assert max(reached) > 0


def test_a_report_that_is_killed_while_its_kernel_runs_leaves_the_old_one_and_no_kernel(
    writer: Callable[[bool], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process, chance, out = writer(True), random.Random(2), tmp_path / "out"
    for _ in range(IN_KERNELS):
        child = psutil.Process(child_of(process, 0))
        kernel = kernel_of(child)
        moment = chance.uniform(0.1, 1.5)  # seconds of work, of the two or more that it takes
        while sum(kernel.cpu_times()[:2]) < moment:
            time.sleep(0.02)
        child.kill()
        assert ended(process) == -signal.SIGKILL
        psutil.wait_procs([kernel], timeout=PATIENCE)
        assert not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE, "nobody is left to end it"
        assert [path.name for path in out.iterdir() if path.name[0] != "."] == ["welcome-series-campaign"]
        assert is_whole(out / "welcome-series-campaign") == 0
        assert not [
            path for path in out.iterdir() if path.name.startswith(".") and ".making-" not in path.name
        ]


def kernel_of(child: psutil.Process) -> psutil.Process:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for one in child.children():
            if "ipykernel_launcher" in one.cmdline():
                return one
        time.sleep(0.02)
    raise TimeoutError("the report began no kernel")
