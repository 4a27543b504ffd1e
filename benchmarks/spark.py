"""What a fold inside Spark costs (Linux): seconds an event, bytes through the shuffle, and what a heavy user does to it.

    python benchmarks/spark.py [--events 1_000_000 5_000_000] [--partitions 1 2] [--folder CACHE]

Spark runs in local mode on two cores. Every fold is adopted by a store, whose numbers must be those of a store that
has loaded the log by itself; else the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
from run import EVENTS_A_USER, _machine

from journey_nb import Journey, Store
from journey_nb.cluster import fold_on_spark
from journey_nb.simulate import simulate_to

HEAVY = 0.05  # of all users are made one user in the log with a heavy user


def main() -> None:
    """Make the logs, fold each in one and in two partitions, print a line for each."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--events", nargs="+", type=int, default=[1_000_000, 5_000_000], metavar="N")
    asked.add_argument("--partitions", nargs="+", type=int, default=[1, 2], metavar="N")
    asked.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journey_nb_bench")
    options = asked.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"{_machine()}; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        scratch = Path(name)
        spark, begun = _session(scratch)
        print(f"session {begun:.1f} s")
        small = _log(min(options.events), options.folder)
        _folded(spark, small, 2, scratch)  # the workers start, and Java warms up
        print("| log | partitions | " + " | ".join(COLUMNS) + " |")
        print("|" + "---|" * (len(COLUMNS) + 2))
        # First, for a worker keeps memory of what it folded before.
        heavy = _with_a_heavy_user(small, options.folder)
        _print(f"{min(options.events):,} events, a heavy user", 2, _folded(spark, heavy, 2, scratch))
        for events in options.events:
            log = _log(events, options.folder)
            expected = _print(f"{events:,} events, one store", "", _loaded(log, scratch / "alone"))
            for partitions in options.partitions:
                _compare(
                    expected,
                    _print(f"{events:,} events", partitions, _folded(spark, log, partitions, scratch)),
                )
        spark.stop()


COLUMNS = (
    "wall s", "CPU s (Python + Java)", "µs an event", "shuffled B an event", "written B an event", "slowest task s",
    "others s", "largest partition", "heaviest user", "worker's peak", "adopt s",
)  # fmt: skip


def _print(log: str, partitions: int | str, told: dict[str, Any]) -> Any:
    print(f"| {log} | {partitions} | " + " | ".join(str(told.get(name, "")) for name in COLUMNS) + " |")
    return told["answer"]


def _compare(expected: pl.DataFrame, answer: pl.DataFrame) -> None:
    if not answer.equals(expected):
        sys.exit("the adopted store counts otherwise than the one that loaded the log")


# The logs.


def _log(events: int, folder: Path) -> Path:
    path = folder / f"spark-{events}.parquet"
    if not path.exists():
        users = round(events / EVENTS_A_USER)
        simulate_to(path, Journey.sample("welcome"), users=users, seed=1, days=180, dirty=0.001)
    return path


def _with_a_heavy_user(log: Path, folder: Path) -> Path:
    """The log with all that some users did in the name of one."""
    path = folder / f"{log.stem}-heavy.parquet"
    user = pl.col("user_id")
    one = pl.when(user.hash(0) % 1000 < HEAVY * 1000).then(pl.lit("heavy")).otherwise(user)
    pl.scan_parquet(log).with_columns(user_id=one).sink_parquet(path)
    return path


# What is measured.


def _session(scratch: Path) -> tuple[Any, float]:
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    from pyspark.sql import SparkSession

    (scratch / "events").mkdir()
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.local.dir": str(scratch / "local"),
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": (scratch / "events").as_uri(),
    }
    begin = time.perf_counter()
    spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark, time.perf_counter() - begin


def _folded(spark: Any, log: Path, partitions: int, scratch: Path) -> dict[str, Any]:
    """Fold a log on Spark, adopt it, and what both took."""
    welcome, out = Journey.sample("welcome"), scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    _forget_peaks()
    before, known = _spent(), len(list(_tasks(scratch)))
    wall, account = _timed(
        lambda: fold_on_spark(spark.read.parquet(str(log)), welcome, out, partitions=partitions)
    )
    cpu = {"python": 0.0, "java": 0.0}
    for (kind, process), seconds in _spent().items():
        cpu[kind] += seconds - before.get((kind, process), 0)
    tasks = _settled_tasks(scratch, known, partitions)
    shuffled = sum(task["Task Metrics"]["Shuffle Write Metrics"]["Shuffle Bytes Written"] for task in tasks)
    folds = sorted(_run_time(task) for task in tasks if _folds(task))
    rows = account["read"].sum()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        store = Store(folder)
        store.add(welcome)
        adopting, _ = _timed(lambda: store.adopt(out))
        answer = _answer(store)
    read = account.group_by("partition").agg(pl.col("read").sum())["read"]
    heaviest = pl.scan_parquet(log).group_by("user_id").len().select(pl.col("len").max()).collect().item()
    return {
        "wall s": f"{wall:.1f}",
        "CPU s (Python + Java)": f"{cpu['python']:.1f} + {cpu['java']:.1f}",
        "µs an event": f"{sum(cpu.values()) / rows * 1e6:.1f}",
        "shuffled B an event": f"{shuffled / rows:.0f}",
        "written B an event": f"{sum(path.stat().st_size for path in out.glob('*.parquet')) / rows:.0f}",
        "slowest task s": f"{folds[-1]:.1f}",
        "others s": ", ".join(f"{seconds:.1f}" for seconds in folds[:-1]),
        "largest partition": f"{read.max() / rows:.1%}",
        "heaviest user": f"{heaviest:,} ({heaviest / rows:.2%})",
        "worker's peak": f"{_peak() / 2**30:.2f} GiB",
        "adopt s": f"{adopting:.1f}",
        "answer": answer,
    }


def _loaded(log: Path, folder: Path) -> dict[str, Any]:
    """The same log loaded by one store, without Spark."""
    shutil.rmtree(folder, ignore_errors=True)
    store, before = Store(folder), time.process_time()
    store.add(Journey.sample("welcome"))
    wall, told = _timed(lambda: store.load(log))
    cpu = time.process_time() - before
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "wall s": f"{wall:.1f}",
        "CPU s (Python + Java)": f"{cpu:.1f}",
        "µs an event": f"{cpu / told.read * 1e6:.1f}",
        "written B an event": f"{size / told.read:.0f}",
        "answer": _answer(store),
    }


def _answer(store: Store) -> pl.DataFrame:
    return store["welcome"].points()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def _spent() -> dict[tuple[str, int], float]:
    """CPU seconds of Java and of the Python workers, which Java starts and ends, by process."""
    spent = {}
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        kind = "java" if process.name() == "java" else "python"
        spent[kind, process.pid] = times.user + times.system
    return spent


def _workers() -> list[Path]:
    """What Linux tells of the Python workers."""
    processes = psutil.Process().children(recursive=True)
    return [Path(f"/proc/{process.pid}") for process in processes if process.name() != "java"]


def _forget_peaks() -> None:
    for worker in _workers():
        (worker / "clear_refs").write_text("5")


def _peak() -> int:
    """The most memory that a Python worker has held since."""
    lines = [line for worker in _workers() for line in (worker / "status").read_text().splitlines()]
    return max(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


# Spark's own account of its tasks.


def _tasks(scratch: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((scratch / "events").rglob("*")):
        if path.is_file():
            for line in path.read_text().splitlines():
                if line.startswith('{"Event":"SparkListenerTaskEnd"') and line.endswith("}"):
                    yield json.loads(line)


def _settled_tasks(scratch: Path, known: int, partitions: int) -> list[dict[str, Any]]:
    """The tasks since; Spark writes of them a little later than they end."""
    for _ in range(50):
        tasks = list(_tasks(scratch))[known:]
        if sum(map(_folds, tasks)) >= partitions:
            break
        time.sleep(0.2)
    return tasks


def _folds(task: dict[str, Any]) -> bool:
    """Whether it is one that folds: no other writes."""
    return bool(task["Task Metrics"]["Output Metrics"]["Bytes Written"])


def _run_time(task: dict[str, Any]) -> float:
    return float(task["Task Metrics"]["Executor Run Time"]) / 1000


if __name__ == "__main__":
    main()
