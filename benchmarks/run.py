"""`make bench`: journey_nb beside its peers, on the same log, phase by phase, with equal answers.

    python benchmarks/run.py [--events 1_000_000 10_000_000] [--engines ours duckdb-table …] [--folder CACHE]

Every engine runs in a process of its own, one at a time, with its default threads. A difference in any
answer makes the run fail; an engine that is not installed is named, one that needs too long or too much
memory is ended and said so.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import answers
import polars as pl
import psutil
from laps import PHASES

import journey_nb
from journey_nb import Journey
from journey_nb.events.words import EXITS, INTERNAL_ERRORS, KINDS
from journey_nb.facts import ENGAGEMENTS
from journey_nb.simulate import simulate_to

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers/bin/python"  # made by `make bench`; an environment of its own
# Each engine's script and mode, and the package without which it is missing.
ENGINES = {
    "ours": ("ours.py", "", "journey_nb"),
    "store": ("store.py", "", "journey_nb.Store"),
    "duckdb-parquet": ("duckdb_peer.py", "parquet", "duckdb"),
    "duckdb-table": ("duckdb_peer.py", "table", "duckdb"),
    "clickhouse-parquet": ("chdb_peer.py", "parquet", "chdb"),
    "clickhouse-mergetree": ("chdb_peer.py", "mergetree", "chdb"),
    "pandas": ("pandas_peer.py", "", "pandas"),
    "retentioneering": ("miners.py", "retentioneering", "retentioneering"),
    "pm4py": ("miners.py", "pm4py", "pm4py"),
}
IN_PEERS = {"chdb", "retentioneering", "pm4py"}
MINERS = {"retentioneering", "pm4py"}  # they answer some columns of some tables
IN_MEMORY = {"pandas", *MINERS}
LARGEST = 10_000_000  # for these

EVENTS_A_USER = 35.3  # of the simulated welcome journey over 180 days
DUPLICATES = 0.001
BATCH, BATCHES = 10_000, 5
ITEMS = 7  # users, pages and points asked for
PAGE_ROWS = 50
TOP = 20
NOTHING = 0.0001  # seconds: an engine that keeps nothing imports nothing
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)  # a period that is still open


def main() -> None:
    """Make the logs where they are missing, run the engines, print the tables."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no engine is left running
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    missing = {name: lacks for name in options.engines if (lacks := _lacks(name))}
    engines = [name for name in options.engines if name not in missing]
    print(f"{_machine()}; {', '.join(_versions(engines))}")
    for name, lacks in missing.items():
        print(f"missing: {name} ({lacks})")
    results: dict[int, dict[str, Any]] = {}
    for events in options.events:
        fit = [name for name in engines if events <= LARGEST or name not in IN_MEMORY]
        for name in engines:
            if name not in fit:
                print(f"left out at {events:,} events: {name}, which holds the log in memory")
        results[events] = {name: _measured(name, events, options) for name in ["decode", *fit]}
    for events, found in results.items():
        _print_size(events, found)
    if len(results) > 1:
        _print_growth(results)
    for events in options.events:
        if events <= LARGEST and "ours" in engines:  # it folds the log into memory
            _print_report(events, options.folder)
    print()
    wrong = [line for events, found in results.items() for line in _differences(events, found)]
    failed = [
        f"{name} at {events:,} events"
        for events, found in results.items()
        for name, result in found.items()
        if "failed" in result["ended"].values()
    ]
    if wrong or failed:
        print("\n".join(["", *wrong[:40]]))
        sys.exit(f"{len(wrong)} answers differ; failed: {', '.join(failed) or 'none'}")


def _options() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--events", nargs="+", type=int, default=[1_000_000, 10_000_000], metavar="N")
    asked.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    asked.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journey_nb_bench")
    asked.add_argument("--repeats", type=int, default=7, help="times a phase is done at most")
    asked.add_argument("--seconds", type=float, default=30, help="no further repeat after so long")
    asked.add_argument(
        "--minutes", type=float, default=10, help="an engine is ended when one phase takes longer"
    )
    asked.add_argument("--gib", type=float, default=20, help="an engine is ended when it holds more memory")
    return asked.parse_args()


def _lacks(engine: str) -> str | None:
    """What is not there for an engine to run, and how it comes there."""
    *_, package = ENGINES[engine]
    if package == "journey_nb.Store":
        return None if hasattr(journey_nb, "Store") else "journey_nb has no Store"
    if package not in IN_PEERS:
        return None if find_spec(package) else f"no package {package}: make setup"
    found = (
        PEERS.exists()
        and not subprocess.run(
            [PEERS, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{package}') is None)"]
        ).returncode
    )
    return None if found else f"no package {package} in .venv-peers: make bench installs it where it can"


# The log and the questions.


def _log(events: int, folder: Path) -> tuple[Path, list[Path]]:
    """A simulated log of about so many events, as an export would be: by time, a few rows twice.

    Its last events are held back, to be appended in batches. Events of one instant stay together.
    """
    log = folder / f"log-{events}.parquet"
    batches = [folder / f"batch-{events}-{n}.parquet" for n in range(1, BATCHES + 1)]
    if not all(path.exists() for path in (log, *batches)):
        print(f"simulating {events:,} events into {log}")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            rows, time = _simulated(events, Path(scratch)), pl.col("occurred_at")
            tail = rows.select(time).tail(BATCH * BATCHES + 1).collect().to_series()
            cuts = [LONG_AGO, *(tail[-BATCH * n] for n in range(BATCHES, 0, -1)), FAR]
            for path, start, end in zip((log, *batches), cuts, cuts[1:], strict=False):
                part = Path(scratch) / path.name
                rows.filter(time >= start, time < end).sink_parquet(part)
                part.rename(path)  # whole or not at all
    return log, batches


def _simulated(events: int, folder: Path) -> pl.LazyFrame:
    """The rows in order of time, drawn in chunks of users and sorted week by week: a log may be larger than memory."""
    drawn, weeks = folder / "drawn.parquet", folder / "weeks"
    users = round(events / EVENTS_A_USER)
    simulate_to(drawn, Journey.sample("welcome"), users=users, seed=1, days=180, dirty=DUPLICATES)
    week = pl.PartitionBy(weeks, key={"week": pl.col("occurred_at").dt.truncate("1w")}, include_key=False)
    pl.scan_parquet(drawn).sink_parquet(week, mkdir=True)
    drawn.unlink()
    ordered = []
    for number, part in enumerate(sorted(weeks.iterdir())):
        ordered.append(folder / f"{number}.parquet")
        rows = pl.read_parquet(part / "*.parquet", hive_partitioning=False)
        rows.sort("occurred_at", "event_id").write_parquet(ordered[-1])
        shutil.rmtree(part)
    return pl.scan_parquet(ordered)


def _question(log: Path, batches: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    """What every engine is told: files, the journey's design, periods, and whom and what to look up."""
    journey = Journey.sample("welcome")
    zone = ZoneInfo(journey.timezone)
    last: datetime = pl.scan_parquet(log).select(pl.col("occurred_at").max()).collect().item()
    midnight = datetime.combine(last.astimezone(zone).date() - timedelta(days=29), datetime.min.time(), zone)
    assert journey.launched_at is not None
    odd = (
        last - timedelta(days=47, hours=5, seconds=1337, microseconds=123_457),
        last - timedelta(days=12, hours=3, seconds=2471, microseconds=654_321),
    )
    entries = pl.scan_parquet(log).filter(pl.col("kind") == "run.entered")
    runs = entries.select("user_id", "run_id").collect().unique("run_id").sort("run_id")
    places = [round(runs.height * share / (ITEMS + 1)) for share in range(1, ITEMS + 1)]
    periods = {"launch": (journey.launched_at, FAR), "30d": (midnight, FAR), "odd": odd}
    return {
        "log": str(log),
        "repeats": options.repeats,
        "seconds": options.seconds,
        "memory": round(0.75 * options.gib * 2**30),  # an engine that can spill to disk is told to, in time
        "journey": journey.model_dump(mode="json"),
        "timezone": journey.timezone,
        "periods": {name: [_micros(start), _micros(end)] for name, (start, end) in periods.items()},
        "point": [point.point_id for point in journey.version().points if point.type == "message"],
        "path": runs["user_id"].gather(places).to_list(),
        "page": places,
        "page_rows": PAGE_ROWS,
        "top": TOP,
        "append": [str(batch) for batch in batches],
        "goals": [(goal.goal_id, goal.conversion_days) for goal in journey.goals],
        "branches": [(v.version, b.source, b.key) for v in journey.versions for b in v.branches],
        "kinds": KINDS,
        "exits": EXITS,
        "internal": INTERNAL_ERRORS,
        "engaged": ENGAGEMENTS,
    }


def _micros(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


# An engine's process.


def _measured(engine: str, events: int, options: argparse.Namespace) -> dict[str, Any]:
    """What an engine's process told: each lap of its phases, peak memory, answers, and why it ended early."""
    folder: Path = options.folder
    log, batches = _log(events, folder)
    question, answer = folder / f"question-{events}.json", folder / f"{engine}-{events}.jsonl"
    question.write_text(json.dumps(_question(log, batches, options)))
    script, mode, package = ("decode.py", "", "polars") if engine == "decode" else ENGINES[engine]
    python = PEERS if package in IN_PEERS else sys.executable
    print(f"running {engine} on {events:,} events")
    own = folder / "engine"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    answer.write_text("")
    process = subprocess.Popen([python, HERE / script, question, answer, own, mode])
    try:
        beyond, held = _watched(process, answer, options)
        returned = process.poll()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(own, ignore_errors=True)
    if not beyond and returned:
        beyond = "failed"
    return {"peak": held, **_read(answer, beyond)}


def _watched(process: subprocess.Popen[bytes], answer: Path, options: argparse.Namespace) -> tuple[str, int]:
    """Wait for an engine; why it was ended, if it was, and the most memory it was seen to hold.

    The answer file grows with each phase, so its age is how long the present one has taken.
    """
    held = 0
    while process.poll() is None:
        try:
            now = psutil.Process(process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            now = 0
        held = max(held, now)
        if now > options.gib * 2**30:
            return f"beyond {options.gib:g} GiB", held
        if time.time() - answer.stat().st_mtime > options.minutes * 60:
            return f"beyond {options.minutes:g} min", held
        time.sleep(0.1)
    return "", held


def _read(answer: Path, beyond: str) -> dict[str, Any]:
    """The lines of an answer file, put together."""
    found: dict[str, Any] = {"laps": {}, "answers": {}, "ended": {}}
    begun = PHASES[0]
    for line in map(json.loads, answer.read_text().splitlines()):
        if "begins" in line:
            begun = line["begins"]
        elif "phase" in line:
            found["laps"].setdefault(line["phase"], []).append((line["wall"], line["cpu"]))
        elif "answer" in line:
            found["answers"][line["answer"]] = line["tables"]
        else:
            found["peak"] = line["peak"]
    if beyond:
        found["ended"][begun] = beyond
    return found


def _differences(events: int, found: dict[str, Any]) -> list[str]:
    """Every answer of every engine beside those of one; an engine need not have come to all of them."""
    able = [engine for engine in found if found[engine]["answers"]]
    if not able:
        return []
    own = _base(able)
    told: list[str] = []
    for engine in (engine for engine in able if engine != own):
        wrong, cells = [], 0
        mine, theirs = found[own]["answers"], found[engine]["answers"]
        for key in (key for key in mine if key in theirs):
            if "store" in (own, engine) and key.startswith("page"):
                continue  # a store has its runs part by part, so the same page holds others
            for name, rows in mine[key].items():
                if engine in MINERS and name not in theirs[key]:
                    continue
                some, lines = answers.compared(name, rows, theirs[key][name], partial=engine in MINERS)
                cells += some
                wrong += [f"{engine}, {key}: {line}" for line in lines]
        print(f"{events:,} events, {engine}: {cells:,} cells compared with {own}, {len(wrong)} differ")
        told += wrong
    return told


# What is printed: Markdown, as the README shows it.


def _print_size(events: int, found: dict[str, Any]) -> None:
    engines = [engine for engine in found if engine != "decode"]
    base = _base(engines)
    for kind, told in enumerate(("wall seconds, median (95 %)", "CPU seconds, median (95 %)")):
        limit = _median(found["decode"], "import", kind)
        print(f"\n{events:,} events: {told}; × how many times those of {base}\n")
        _print_row("", engines, f"{base} ÷ decode")
        _print_row("---", ["---"] * len(engines), "---")
        for phase in PHASES:
            mine = _median(found[base], phase, kind)
            cells = [_cell(found, engine, base, phase, kind) for engine in engines]
            _print_row(phase, cells, f"{mine / limit:.3g}" if mine else "–")
    print(f"\n{events:,} events: peak memory, GiB\n")
    _print_row(engines)
    _print_row(["---"] * len(engines))
    _print_row([f"{found[engine]['peak'] / 2**30:.2f}" for engine in engines])
    wall, cpu = (_median(found["decode"], "import", kind) for kind in (0, 1))
    print(f"\nPhysical limit: to decode the needed columns takes {wall:.2f} s ({cpu:.2f} s of CPU).")


def _print_report(events: int, folder: Path) -> None:
    """What the campaign report takes, and how much of it is not for its numbers."""
    log, _ = _log(events, folder)
    journey = Journey.sample("welcome").write(folder / "welcome.journey.json")
    told = subprocess.check_output([sys.executable, HERE / "report.py", journey, log], text=True)
    report, metrics = map(json.loads, told.splitlines())
    wall, cpu = (report[kind] - metrics[kind] for kind in ("wall", "cpu"))
    print(
        f"\nCampaign report at {events:,} events: {report['wall']:.1f} s ({report['cpu']:.1f} s of CPU, "
        f"{report['files']:.1f} s for the files); outside the metrics {wall:.1f} s ({cpu:.1f} s of CPU)."
    )


def _base(engines: Iterable[str]) -> str:
    """The engine that the others are measured against."""
    ranked = [name for name in ("store", "ours") if name in engines]
    return (ranked or list(engines))[0]


def _print_row(*cells: str | list[str]) -> None:
    flat = [cell for part in cells for cell in ([part] if isinstance(part, str) else part)]
    print(f"| {' | '.join(flat)} |")


def _cell(found: dict[str, Any], engine: str, base: str, phase: str, kind: int) -> str:
    if phase in found[engine]["ended"]:
        return str(found[engine]["ended"][phase])
    laps = found[engine]["laps"].get(phase)
    if not laps:
        return "–"
    spent = sorted(lap[kind] for lap in laps)
    if spent[-1] < NOTHING:
        return "nothing to do"
    median, most = statistics.median(spent), spent[math.ceil(0.95 * len(spent)) - 1]
    told = f"{median:.3g}" + (f" ({most:.3g})" if len(spent) > 1 else "")
    mine = _median(found[base], phase, kind)
    return told if engine == base or not mine else f"{told} {median / mine:.1f} ×"


def _median(result: dict[str, Any], phase: str, kind: int) -> float:
    """The median of a phase's wall (0) or CPU (1) seconds; 0 if it was not done."""
    return statistics.median(lap[kind] for lap in result["laps"].get(phase) or [(0.0, 0.0)])


def _print_growth(results: dict[int, dict[str, Any]]) -> None:
    small, large = min(results), max(results)
    print(f"\nGrowth from {small:,} to {large:,} events, as the exponent of CPU time (1 is linear)\n")
    engines = [engine for engine in results[small] if engine in results[large] and engine != "decode"]
    _print_row("", engines)
    _print_row("---", ["---"] * len(engines))
    for phase in PHASES:
        _print_row(phase, [_exponent(results, engine, phase) for engine in engines])


def _exponent(results: dict[int, dict[str, Any]], engine: str, phase: str) -> str:
    small, large = min(results), max(results)
    before, after = (_median(results[events][engine], phase, 1) for events in (small, large))
    if before < 0.001 or not after:
        return "–"
    return f"{math.log(after / before) / math.log(large / small):.2f}"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _versions(engines: Iterable[str]) -> list[str]:
    """The versions of what was measured, each as its own environment has it."""
    packages = dict.fromkeys(["polars", *(ENGINES[name][2] for name in engines)])
    told = []
    for package in (name for name in packages if not name.startswith("journey_nb")):
        python = PEERS if package in IN_PEERS else sys.executable
        ask = f"from importlib.metadata import version; print(version('{package}'))"
        told.append(f"{package} {subprocess.check_output([python, '-c', ask], text=True).strip()}")
    return told


if __name__ == "__main__":
    main()
