"""`make bench`: fold and all tables beside DuckDB and pandas, on the same file, with equal answers.

    python benchmarks/run.py [--events 1_000_000 10_000_000] [--engines ours duckdb pandas] [--folder CACHE]

Every engine runs in a process of its own, one at a time, with its default threads. A difference in any
answer makes the run fail.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import answers
import polars as pl

from journey_nb import Journey
from journey_nb.events import EXITS, INTERNAL_ERRORS, KINDS
from journey_nb.facts import ENGAGEMENTS
from journey_nb.simulate import simulate_to

HERE = Path(__file__).parent
SCRIPTS = {
    "decode": "decode.py",
    "ours": "ours.py",
    "duckdb": "duckdb_peer.py",
    "pandas": "pandas_peer.py",
}
ENGINES = ["ours", "duckdb", "pandas"]
EVENTS_A_USER = 35.3  # of the simulated welcome journey over 180 days
DUPLICATES = 0.001
PHASES = {"facts": "facts", "cold": "tables since launch", "second": "tables of 30 days"}
# What is printed, and from which phases of ours and of theirs it is summed.
ROWS = {
    "read, order, fold": (["facts"], ["facts"]),
    "tables since launch, from facts": (["cold"], ["cold"]),
    "tables since launch, from the log": (["facts", "cold"], ["facts", "cold"]),
    "30 days next, from own facts": (["second"], ["second"]),
    "30 days next, theirs from the log": (["second"], ["facts", "second"]),
}


def main() -> None:
    """Make the logs where they are missing, run the engines, print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--events", nargs="+", type=int, default=[1_000_000, 10_000_000], metavar="N")
    asked.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    asked.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journey_nb_bench")
    options = asked.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"{_machine()}; {', '.join(_versions())}")
    results = {
        events: {name: _measured(name, events, options.folder) for name in ["decode", *options.engines]}
        for events in options.events
    }
    for events, found in results.items():
        _print_size(events, found)
    if len(results) > 1:
        _print_growth(results)
    wrong = [line for found in results.values() for line in _differences(found)]
    if wrong:
        print("\n".join(["", *wrong[:40]]))
        sys.exit(f"{len(wrong)} answers differ")


# The log and the question.


def _log(events: int, folder: Path) -> Path:
    """A simulated log of about so many events, ordered by time as an export would be, a few rows twice."""
    path = folder / f"welcome-{events}.parquet"
    if not path.exists():
        print(f"simulating {events:,} events into {path}")
        part = folder / "part.parquet"
        simulate_to(
            part,
            Journey.sample("welcome"),
            users=round(events / EVENTS_A_USER),
            seed=1,
            days=180,
            dirty=DUPLICATES,
        )
        pl.scan_parquet(part).sort("occurred_at", maintain_order=True).sink_parquet(path)
        part.unlink()
    return path


def _question(log: Path) -> dict[str, Any]:
    """What every engine is told: the journey's design and where the two periods begin."""
    journey = Journey.sample("welcome")
    zone = ZoneInfo(journey.timezone)
    last: datetime = pl.scan_parquet(log).select(pl.col("occurred_at").max()).collect().item()
    midnight = datetime.combine(last.astimezone(zone).date() - timedelta(days=29), datetime.min.time(), zone)
    launch = journey.launched_at
    assert launch is not None
    return {
        "journey": journey.model_dump(mode="json"),
        "timezone": journey.timezone,
        "starts": {"launch": _micros(launch), "30d": _micros(midnight)},
        "goals": [(goal.goal_id, goal.conversion_days) for goal in journey.goals],
        "branches": [(v.version, b.source, b.key) for v in journey.versions for b in v.branches],
        "kinds": KINDS,
        "exits": EXITS,
        "internal": INTERNAL_ERRORS,
        "engaged": ENGAGEMENTS,
    }


def _micros(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


def _measured(engine: str, events: int, folder: Path) -> dict[str, Any]:
    """What an engine's process wrote: seconds of its phases, peak memory, tables."""
    log = _log(events, folder)
    question, answer = folder / "question.json", folder / f"{engine}-{events}.json"
    question.write_text(json.dumps(_question(log)))
    print(f"running {engine} on {events:,} events")
    subprocess.run([sys.executable, HERE / SCRIPTS[engine], log, question, answer], check=True)
    return json.loads(answer.read_text())  # type: ignore[no-any-return]


def _differences(found: dict[str, Any]) -> list[str]:
    told: list[str] = []
    peers = [engine for engine in found if engine not in ("ours", "decode") and "ours" in found]
    for engine in peers:
        wrong, cells = [], 0
        for period, tables in found["ours"]["tables"].items():
            for name, rows in tables.items():
                some, lines = answers.compared(name, rows, found[engine]["tables"][period][name])
                cells += some
                wrong += [f"{engine}, {period}: {line}" for line in lines]
        print(f"{engine}: {cells:,} cells compared with ours, {len(wrong)} differ")
        told += wrong
    return told


# What is printed.


def _print_size(events: int, found: dict[str, Any]) -> None:
    engines = [engine for engine in found if engine != "decode"]
    print(f"\n{events:,} events: wall seconds (CPU seconds), and by how much ours is ahead in each")
    print(f"{'':34}" + "".join(f"{engine:>36}" for engine in engines))
    for label, (ours, theirs) in ROWS.items():
        cells = [_cell(found, engine, ours, theirs) for engine in engines]
        print(f"{label:34}" + "".join(f"{cell:>36}" for cell in cells))
    print(
        f"{'peak memory':34}" + "".join(f"{found[engine]['peak'] / 2**30:>32.2f} GiB" for engine in engines)
    )
    wall, cpu = (_spent(found["decode"], ["decode"], kind) for kind in ("wall", "cpu"))
    told = f"physical limit: to decode the needed columns takes {wall:.2f} ({cpu:.2f})"
    if "ours" in found:
        own = [_spent(found["ours"], ["facts", "cold"], kind) for kind in ("wall", "cpu")]
        told += (
            f"; our way from the log to the tables takes {own[0] / wall:.1f} × ({own[1] / cpu:.1f} ×) that"
        )
    print(told)


def _cell(found: dict[str, Any], engine: str, ours: list[str], theirs: list[str]) -> str:
    wall, cpu = (
        _spent(found[engine], ours if engine == "ours" else theirs, kind) for kind in ("wall", "cpu")
    )
    told = f"{wall:.2f} ({cpu:.2f})"
    if engine == "ours" or "ours" not in found:
        return told
    own_wall, own_cpu = (_spent(found["ours"], ours, kind) for kind in ("wall", "cpu"))
    return f"{told} {wall / own_wall:.1f} × ({cpu / own_cpu:.1f} ×)"


def _spent(result: dict[str, Any], phases: list[str], kind: str) -> float:
    return sum(float(result["seconds"][phase][kind]) for phase in phases)


def _print_growth(results: dict[int, dict[str, Any]]) -> None:
    small, large = min(results), max(results)
    print(f"\ngrowth from {small:,} to {large:,} events, as the exponent of CPU time (1 is linear)")
    for engine in results[small]:
        if engine == "decode" or engine not in results[large]:
            continue
        told = [f"{label} {_exponent(results, engine, phase):.2f}" for phase, label in PHASES.items()]
        print(f"  {engine:8}{', '.join(told)}")


def _exponent(results: dict[int, dict[str, Any]], engine: str, phase: str) -> float:
    small, large = min(results), max(results)
    spent = [_spent(results[events][engine], [phase], "cpu") for events in (small, large)]
    return math.log(spent[1] / spent[0]) / math.log(large / small)


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _versions() -> list[str]:
    from importlib.metadata import version

    return [f"{name} {version(name)}" for name in ("polars", "duckdb", "pandas", "pyarrow")]


if __name__ == "__main__":
    main()
