"""journey_nb's store: import the log once, open it, and ask for the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import laps
import ours
import polars as pl

from journey_nb import JourneyStats, Store


class Engine(ours.Engine):
    """The same questions, answered from what the store keeps on disk."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        super().__init__(question, folder, mode)
        self.store = Store(folder / "store")

    def load(self) -> None:
        self.store.add(self.journey)
        self.store.load(self.question["log"])

    def stats(self) -> JourneyStats:
        return self.store[self.journey.journey_id]

    def append(self, batch: str) -> None:
        self.store.append(pl.read_parquet(batch))


if __name__ == "__main__":
    laps.main(Engine)
