"""retentioneering and pm4py: what these process miners can do with equal answers.

Both know a log as (case, activity, time), so they are given the arrivals at points, run by run; and both order
by time alone, so arrivals of one instant are told apart by a microsecond each. They then count arrivals and
transitions and follow a user; pm4py also finds the ways most taken.
"""

from __future__ import annotations

import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

os.environ["RETENTIONEERING_NO_TRACK"] = "1"  # it would report each call to its makers

import laps
import pandas as pd
import pyarrow.parquet as pq

ARRIVALS = ["run.entered", "point.entered"]


class Retentioneering:
    """An event stream by user and run."""

    def __init__(self, question: dict[str, Any]) -> None:
        from retentioneering import Eventstream

        self.of, self.log = Eventstream, question["log"]

    def load(self) -> None:
        columns = {"path_cols": ["user_id", "run_id"], "event_col": "point_id", "timestamp_col": "at"}
        self.stream = self.of(arrivals(self.log), columns)

    def flow(self) -> laps.Tables:
        counts = self.stream.transition_graph_data(edge_weight="count", path_col="run_id")
        transitions = [
            {"source": source, "target": target, "runs": int(runs)}
            for (source, target), runs in counts.stack().items()
            if runs and source != "path_start" and target != "path_end"
        ]
        return {"arrivals": counted(self.stream.get_event_counts()), "transitions": transitions}

    def path(self, user: str) -> laps.Tables:
        return {
            "user_path": steps(self.stream.filter_events(keep={"user_id": [user]}).df, "run_id", "point_id")
        }


class Pm4py:
    """A data frame as pm4py wants it."""

    def __init__(self, question: dict[str, Any]) -> None:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # it greets
            import pm4py

        self.pm4py, self.log, self.top = pm4py, question["log"], question["top"]

    def load(self) -> None:
        frame = arrivals(self.log)
        self.frame = self.pm4py.format_dataframe(
            frame, case_id="run_id", activity_key="point_id", timestamp_key="at"
        )

    def flow(self) -> laps.Tables:
        follows, _, _ = self.pm4py.discover_dfg(self.frame)
        ways = {" → ".join(way): runs for way, runs in self.pm4py.get_variants(self.frame).items()}
        most = sorted(ways.items(), key=lambda way: (-way[1], way[0]))[: self.top]
        return {
            "arrivals": counted(self.pm4py.get_event_attribute_values(self.frame, "concept:name")),
            "transitions": [{"source": a, "target": b, "runs": runs} for (a, b), runs in follows.items()],
            "variants": [{"path": path, "runs": runs} for path, runs in most],
        }

    def path(self, user: str) -> laps.Tables:
        mine = self.pm4py.filter_event_attribute_values(self.frame, "user_id", [user], level="event")
        return {"user_path": steps(mine, "case:concept:name", "concept:name")}


def arrivals(log: str) -> pd.DataFrame:
    """Each arrival of a run at a point once, in reading order."""
    columns = ["event_id", "occurred_at", "seq", "user_id", "run_id", "point_id"]
    rows = pq.read_table(log, columns=columns, filters=[("kind", "in", ARRIVALS)]).to_pandas()
    rows = rows.drop_duplicates("event_id").sort_values(["run_id", "occurred_at", "seq"])
    tied = rows.groupby(["run_id", "occurred_at"]).cumcount()
    rows["at"] = rows["occurred_at"] + pd.to_timedelta(tied, unit="us")
    return rows[["user_id", "run_id", "point_id", "at"]]


def counted(counts: dict[str, int]) -> laps.Rows:
    return [{"point_id": str(point), "entered": int(entered)} for point, entered in counts.items()]


def steps(rows: pd.DataFrame, run: str, point: str) -> laps.Rows:
    """A row a step, numbered within its run."""
    rows = rows.assign(step_no=rows.groupby(run).cumcount() + 1)[[run, "step_no", point]]
    return [
        {"run_id": str(run), "step_no": int(step), "point_id": str(point)}
        for run, step, point in rows.itertuples(index=False)
    ]


def engine(question: dict[str, Any], folder: Path, mode: str) -> Retentioneering | Pm4py:
    """The miner that is asked for."""
    warnings.filterwarnings("ignore")
    return {"retentioneering": Retentioneering, "pm4py": Pm4py}[mode](question)


if __name__ == "__main__":
    laps.main(engine)
