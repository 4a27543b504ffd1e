"""journey_nb: read, judge and fold the log once, then ask for the tables."""

from __future__ import annotations

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


def engine(lap: laps.Laps, log: str, question: dict[str, Any]) -> dict[str, dict[str, laps.Rows]]:
    """The facts, the tables since launch, then those of 30 days."""
    journey = Journey.model_validate(question["journey"])
    facts = lap("facts", lambda: fold(journey, EventLog.read(log).judge(journey)))
    stats = JourneyStats(journey, facts)
    cold = lap("cold", lambda: asked(stats))
    month = lap("second", lambda: asked(stats.period("30d")))
    return {"launch": told(cold), "30d": told(month)}


def asked(stats: JourneyStats) -> dict[str, pl.DataFrame]:
    """Every table of the benchmark."""
    return {name: getattr(stats, name)() for name in TABLES}


def told(tables: dict[str, pl.DataFrame]) -> dict[str, laps.Rows]:
    """Tables as plain rows: times in µs, dates as text."""
    plain = (pl.selectors.datetime().dt.epoch("us"), pl.selectors.date().cast(pl.String))
    return {name: table.with_columns(*plain).to_dicts() for name, table in tables.items()}


if __name__ == "__main__":
    laps.main(engine)
