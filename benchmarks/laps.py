"""What every engine's process does: time its phases, and hand its answers over."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
Rows = list[dict[str, Any]]


class Laps:
    """Wall and CPU seconds of named phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}

    def __call__(self, phase: str, work: Callable[[], Result]) -> Result:
        """Do the work and add its seconds to the phase."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        lap = self.seconds.setdefault(phase, {"wall": 0.0, "cpu": 0.0})
        lap["wall"] += time.perf_counter() - wall
        lap["cpu"] += time.process_time() - cpu
        return result


def main(engine: Callable[[Laps, str, dict[str, Any]], dict[str, dict[str, Rows]]]) -> None:
    """Run an engine: ``python engine.py LOG QUESTION ANSWER`` (both JSON)."""
    log, question, answer = sys.argv[1:]
    laps = Laps()
    tables = engine(laps, log, json.loads(Path(question).read_text()))
    # Linux tells kibibytes, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    Path(answer).write_text(json.dumps({"seconds": laps.seconds, "peak": peak, "tables": tables}))
