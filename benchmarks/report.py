"""The campaign report on a log, and the metrics in it alone: `report.py JOURNEY LOG` tells the seconds of both.

Each is done in a process of its own (`report.py JOURNEY LOG report`, `… metrics`); CPU counts the kernel too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Tell one of the two, or run both and tell them."""
    journey, log, *what = sys.argv[1:]
    if not what:
        for part in PARTS:
            subprocess.run([sys.executable, __file__, journey, log, part], check=True)
        return
    began = time.perf_counter()
    more = PARTS[what[0]](journey, log)
    wall = time.perf_counter() - began
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in spent)
    print(json.dumps({"part": what[0], "wall": wall, "cpu": cpu, **more}))


def report(journey: str, log: str) -> dict[str, float]:
    """As `journey-nb report campaign` does it: from the start of Python's imports to the files in their place."""
    from journey_nb import run_report

    with tempfile.TemporaryDirectory() as out:
        made = run_report("campaign", journey=journey, log=log, out=out)
        return dict(made.manifest["durations"])


def metrics(journey: str, log: str) -> dict[str, float]:
    """What the cells of the notebook ask of the statistics, without a kernel, a picture, a page."""
    from journey_nb.exports import campaign_statistics
    from journey_nb.sections import judged
    from journey_nb.subject import open_stats

    stats = open_stats(journey=journey, log=log)
    for name in (
        "report", "reconciliation", "health", "audience", "daily", "points", "branches", "goals", "communications",
        "messages", "delivery_issues", "waiting", "drops",
    ):  # fmt: skip
        getattr(stats, name)()
    judged(stats)
    campaign_statistics(stats)
    return {}


PARTS = {"report": report, "metrics": metrics}

if __name__ == "__main__":
    main()
