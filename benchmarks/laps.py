"""What every engine's process does: time its phases, and hand its answers over.

An engine is a class ``Engine(question, folder, mode)`` with a method for each phase that it can do:

    load()           import: what it does once with the log before it can answer
    tables(period)   every table of a period: launch, 30d, odd
    point(point)     what opens behind a point: its row, what was lost there, its days, who waits
    path(user)       a user's steps
    page(offset)     a page of the user list
    flow()           what process miners know: arrivals, transitions, the ways most taken
    append(batch)    later events
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
Rows = list[dict[str, Any]]
Tables = dict[str, Rows]

PHASES = ("import", "launch", "30d", "odd", "point", "path", "page", "flow", "append", "launch again")


class Laps:
    """The answer file: a line for each phase that begins, each time it was done, and each answer.

    Who waits for the process sees in it which phase is on, and keeps what was done before an end by force.
    """

    def __init__(self, answer: Path, repeats: int, seconds: float) -> None:
        self.file = answer.open("w", buffering=1)
        self.repeats, self.seconds = repeats, seconds

    def tell(self, **line: Any) -> None:
        self.file.write(json.dumps(line) + "\n")

    def __call__(self, phase: str, work: Callable[[], Result]) -> Result:
        """Do the work, and tell what it took."""
        self.tell(begins=phase)
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.tell(phase=phase, wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        return result

    def again(self, things: Iterable[Result]) -> Iterable[Result]:
        """As many of the things as there are repeats, while there is time for one more."""
        began = time.perf_counter()
        for count, thing in enumerate(things):
            if count and (count >= self.repeats or time.perf_counter() - began > self.seconds):
                return
            yield thing


def main(engine: Callable[[dict[str, Any], Path, str], Any]) -> None:
    """Run an engine: ``python engine.py QUESTION ANSWER FOLDER [MODE]`` (question and answer are JSON)."""
    question, answer, folder, *mode = sys.argv[1:]
    asked = json.loads(Path(question).read_text())
    lap = Laps(Path(answer), asked["repeats"], asked["seconds"])
    one = engine(asked, Path(folder), *(mode or [""]))
    done = _told(one)
    lap("import", one.load)
    if hasattr(one, "tables"):
        for period in ("launch", "30d", "odd"):
            for _ in lap.again(range(lap.repeats)):
                tables = lap(period, lambda period=period: one.tables(period))
            lap.tell(answer=period, tables=done(tables))
    for phase in ("point", "path", "page"):
        if hasattr(one, phase):
            for thing in lap.again(asked[phase]):
                tables = lap(phase, lambda phase=phase, thing=thing: getattr(one, phase)(thing))
                lap.tell(answer=f"{phase} {thing}", tables=done(tables))
    if hasattr(one, "flow"):
        for _ in lap.again(range(lap.repeats)):
            tables = lap("flow", one.flow)
        lap.tell(answer="flow", tables=done(tables))
    if hasattr(one, "append"):
        for count, batch in enumerate(lap.again(asked["append"]), start=1):
            lap("append", lambda batch=batch: one.append(batch))
            tables = lap("launch again", lambda: one.tables("launch"))
            lap.tell(answer=f"launch, {count} appended", tables=done(tables))
    lap.tell(peak=_peak())
    lap.file.close()
    os._exit(0)  # an embedded server may take its time to close, and may crash


def _told(one: Any) -> Callable[[Any], Tables]:
    """An engine that answers with frames says how these become plain rows."""
    return getattr(one, "told", lambda tables: tables)


def _peak() -> int:
    """The most memory held, in bytes. Linux hands getrusage's figure over from the parent process, but not VmHWM."""
    status = Path("/proc/self/status")
    if status.exists():
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) * 1024
    kilo = 1 if sys.platform == "darwin" else 1024  # macOS tells bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo
