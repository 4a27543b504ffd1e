"""The physical limit: decode the columns of the log that the tables need, and do nothing with them."""

from __future__ import annotations

from typing import Any

import laps
import polars as pl

NEEDED = (
    "event_id",
    "occurred_at",
    "kind",
    "user_id",
    "version",
    "run_id",
    "point_id",
    "branch",
    "channel",
    "message_id",
    "goal_id",
    "reason",
    "due_at",
    "value",
    "currency",
    "is_machine",
    "seq",
)


def engine(lap: laps.Laps, log: str, _: dict[str, Any]) -> dict[str, dict[str, laps.Rows]]:
    """Only decode."""
    lap("decode", lambda: pl.scan_parquet(log).select(NEEDED).collect(engine="streaming"))
    return {}


if __name__ == "__main__":
    laps.main(engine)
