"""The physical limit: decode the columns of the log that the tables need, and do nothing with them."""

from __future__ import annotations

from pathlib import Path
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


class Engine:
    """Decodes."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        self.log = question["log"]

    def load(self) -> None:
        """All needed columns, batch by batch, nothing kept."""
        pl.scan_parquet(self.log).select(NEEDED).sink_batches(lambda batch: None)


if __name__ == "__main__":
    laps.main(Engine)
