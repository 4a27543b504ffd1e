"""The store beside facts in memory, through every lens: on either clock, all versions and each, and the windows of points.

    python benchmarks/lenses.py JOURNEY LOG [--alone] [--store FOLDER]

Told are CPU milliseconds: the first time, and the median of the times after it, each with statistics that have answered
nothing yet. Every table of both is compared. `--alone` leaves the facts in memory out: large logs do not fit there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
from ours import TABLES
from polars.testing import assert_frame_equal

from journey_nb import EventLog, Journey, JourneyStats, Store
from journey_nb.facts import fold
from journey_nb.render.detail import detail_html

AGAIN = 5


def main() -> None:
    """Import the log, look through each lens, print a row for it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("journey", type=Path)
    asked.add_argument("log", type=Path)
    asked.add_argument("--alone", action="store_true")
    asked.add_argument("--store", type=Path, help="one that holds the log already")
    options = asked.parse_args()
    journey = Journey.read(options.journey)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(options.store or folder)
        if not options.store:
            store.add(journey)
            store.load(options.log)
        ways: Ways = {"store": lambda: store[journey.journey_id]}
        if not options.alone:
            facts = fold(journey, EventLog.read([options.log]).judge(journey))
            ways["in memory"] = lambda: JourneyStats(journey, facts)
        _print_lenses(journey, ways)
        _print_windows(journey, ways)


Ways = dict[str, Callable[[], JourneyStats]]


def _print_lenses(journey: Journey, ways: Ways) -> None:
    print(_row("all tables", *ways))
    versions = [None, *(version.version for version in journey.versions)]
    for clock, version, period in product(("activity", "cohort"), versions, ("launch", "30d")):
        look = partial(_tables, period=period, clock=clock, version=version)
        told = f"{clock}, {'all versions' if version is None else f'version {version}'}, {period}"
        print(_row(told, *(_spent(partial(look, of)) for of in ways.values())))
        one, *others = (look(of) for of in ways.values())
        for name, other in product(TABLES, others):
            assert_frame_equal(one[name], other[name], check_exact=False, rel_tol=1e-9)


def _tables(
    of: Callable[[], JourneyStats], period: str, clock: Any, version: int | None
) -> dict[str, pl.DataFrame]:
    stats = of().period(period).clock(clock).version(version)
    return {name: getattr(stats, name)() for name in TABLES}


def _print_windows(journey: Journey, ways: Ways) -> None:
    print(_row("the window of a point", *ways))
    for point in journey.version().points:
        told = [_spent(partial(_window, of, point.point_id)) for of in ways.values()]
        print(_row(f"{point.label} ({point.type})", *told))


def _window(of: Callable[[], JourneyStats], point: str) -> object:
    return detail_html(of(), point)


def _spent(work: Callable[[], object]) -> str:
    times = []
    for _ in range(1 + AGAIN):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1000)
    return f"{times[0]:,.0f}; {statistics.median(times[1:]):,.0f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main()
