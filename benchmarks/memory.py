"""What an import, and a check of the store, take of memory at the most, beside what the log takes as a frame.

    python benchmarks/memory.py JOURNEY LOG [--store FOLDER]

Memory is the process's own (RssAnon), files mapped into it apart, looked at a hundred times a second; each of the three is
done in a process of its own. Of a log that may not fit, what its first five million rows take is multiplied. Fails where
one takes more than a quarter of the log: so it is for large ones. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from journey_nb import Journey, Store

GIB = 2**20  # kilobytes
SOME = 5_000_000  # rows


def main() -> None:
    """Measure all, print them, compare."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("journey", type=Path)
    asked.add_argument("log", type=Path)
    asked.add_argument("--store", type=Path, help="a folder that keeps what is imported")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = options.store or Path(folder)
        work = {"import": (_import, options.journey, options.log, kept), "check": (_check, kept)}
        told = {name: apart(*given) for name, given in work.items()}
    rows = pl.scan_parquet(options.log).select(pl.len()).collect().item()
    few, _ = apart(_read, options.log)
    frame = few * max(rows / SOME, 1)
    print(f"log as a frame {frame / GIB:.2f} GiB")
    for name, (taken, seconds) in told.items():
        print(f"{name} {taken / GIB:.2f} GiB ({seconds:.0f} s): {taken / frame:.0%}")
    sys.exit(max(taken for taken, _ in told.values()) * 4 > frame)


def _read(log: Path) -> pl.DataFrame:
    return pl.read_parquet(log, n_rows=SOME)


def _import(journey: Path, log: Path, folder: Path) -> None:
    store = Store(folder)
    store.add(Journey.read(journey))
    store.load(log)


def _check(folder: Path) -> None:
    assert Store(folder).check() == []


def apart(work: Callable[..., object], *given: Path) -> tuple[int, float]:
    """The peak (kB) and the seconds of some work in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_watched, (work, given))


def _watched(work: Callable[..., object], given: tuple[Path, ...]) -> tuple[int, float]:
    peak, ended = [own_memory()], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            peak.append(max(peak.pop(), own_memory()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    made = work(*given)  # held until it was looked at
    seconds = time.perf_counter() - begun
    ended.set()
    watcher.join()
    del made
    return max(*peak, own_memory()), seconds


def own_memory() -> int:
    """Kilobytes that are the process's own."""
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0])


if __name__ == "__main__":
    main()
