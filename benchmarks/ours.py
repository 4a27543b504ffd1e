"""journey_nb in memory: read, judge and fold the log once, then ask for the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import laps
import polars as pl

from journey_nb import EventLog, Journey, JourneyStats
from journey_nb.facts import fold

TABLES = (
    "health",
    "daily",
    "audience",
    "goals",
    "credit",
    "communications",
    "messages",
    "delivery_issues",
    "points",
    "branches",
    "waiting",
    "drops",
)
Frames = dict[str, pl.DataFrame]


class Engine:
    """Statistics over facts held in memory."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        self.question = question
        self.journey = Journey.model_validate(question["journey"])
        self.files = [question["log"]]

    def load(self) -> None:
        self.facts = fold(self.journey, EventLog.read(self.files).judge(self.journey))

    def stats(self) -> JourneyStats:
        """Statistics that have answered nothing yet."""
        return JourneyStats(self.journey, self.facts)

    def tables(self, period: str) -> Frames:
        stats = self.stats()
        if period == "odd":
            start, end = (_instant(micros) for micros in self.question["periods"]["odd"])
            stats = stats.between(start, end)
        else:
            stats = stats.period(period)
        return {name: getattr(stats, name)() for name in TABLES}

    def point(self, point: str) -> Frames:
        stats, here = self.stats(), pl.col("point_id") == point
        return {
            "points": stats.points().filter(here),
            "drops": stats.drops(point),
            "daily": stats.daily(by="point").filter(pl.col("breakdown") == point),
            "waiting": stats.waiting().filter(here),
        }

    def path(self, user: str) -> Frames:
        return {"user_path": self.stats().user_path(user)}

    def page(self, offset: int) -> Frames:
        return {"users": self.stats().users(limit=self.question["page_rows"], offset=offset)}

    def flow(self) -> Frames:
        stats = self.stats()
        # A branch leads where its own version says.
        versions = [stats.version(version.version).branches() for version in self.journey.versions]
        traversals = pl.concat(versions).drop_nulls("target").group_by("source", "target").agg(pl.sum("runs"))
        ways = stats.paths(top=self.question["top"], collapse_loops=False)
        return {
            "arrivals": stats.points().select("point_id", "entered"),
            "transitions": traversals,
            "variants": ways.select(pl.col("path").list.join(" → "), "runs"),
        }

    def append(self, batch: str) -> None:
        self.files.append(batch)
        self.load()

    @staticmethod
    def told(tables: Frames) -> laps.Tables:
        """Tables as plain rows: times in µs, dates as text."""
        plain = (pl.selectors.datetime().dt.epoch("us"), pl.selectors.date().cast(pl.String))
        return {name: table.with_columns(*plain).to_dicts() for name, table in tables.items()}


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


if __name__ == "__main__":
    laps.main(Engine)
