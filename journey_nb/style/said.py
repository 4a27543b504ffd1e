"""What pictures say in words: read aloud instead of them, or below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from journey_nb.metrics import RATES
from journey_nb.metrics.health import opens_reported
from journey_nb.style import format
from journey_nb.style.words import column, value, word

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

_NAMED = 12  # so many items stand in a description; the rest is counted


def listed(parts: Iterable[str]) -> str:
    """The parts of a description; of many the first ones and how many more.

    Examples
    --------
    >>> listed(["Sent 3", "Opened 1"]), listed([])
    ('Sent 3; Opened 1', '–')
    """
    parts = list(parts)
    more = [f"+ {len(parts) - _NAMED}"] if len(parts) > _NAMED else []
    return "; ".join([*parts[:_NAMED], *more]) or format.NOTHING


def of_days(
    days: Sequence[date], sums: Mapping[str, float] | None, metrics: Sequence[str], locale: str = ""
) -> str:
    """Of counts day by day, from the first day to the last, how many of each metric there are in all, if that is known.

    Examples
    --------
    >>> of_days([date(2026, 3, 1), date(2026, 3, 2)], {"sent": 3}, ["sent", "opened"])
    'By day, 1 Mar 2026 – 2 Mar 2026: Sent 3; Opened 0.'
    """
    ends = " – ".join(format.day(day, locale) for day in (*days[:1], *days[-1:]))
    counts = (
        column(name, locale) + ("" if sums is None else f" {format.count(sums.get(name, 0), locale)}")
        for name in metrics
    )
    return f"{', '.join(filter(None, (word('daily', locale), ends)))}: {listed(counts)}."


def unopened(stats: JourneyStats, locale: str = "") -> str:
    """Of which channels the open rate of health() is not, for they report no opens (METRICS.md, section 14.14).

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> log = simulate(journey, users=50).filter(pl.col("kind") != "message.opened")
    >>> unopened(jn.JourneyStats(journey, log.filter(pl.col("kind") != "message.clicked")))
    'Open rate without Push, Email, In-app, where no opens are reported'
    """
    sent = stats.communications().filter(pl.col("sent") != 0)["channel"]
    silent = [value(name, locale) for name in sent if name not in opens_reported(stats.scope)]
    return word("unopened", locale, channels=", ".join(silent)) if silent else ""


def is_mixed(name: str, rate: float | None) -> bool:
    """Whether more reached a goal than entered, which pictures mark with a star (METRICS.md, section 3).

    Examples
    --------
    >>> is_mixed("conversion_rate", 5.0), is_mixed("conversion_rate", 0.5), is_mixed("entrances", 5)
    (True, False, False)
    """
    return name.removesuffix("_prev") in RATES["goals"] and rate is not None and rate > 1


def mixed(frame: pl.DataFrame, locale: str = "") -> str:
    """What that star says, where a frame has one.

    Examples
    --------
    >>> mixed(pl.DataFrame({"users": [5], "conversion_rate": [5.0]}))[:42]
    '* Includes goals of people who entered bef'
    >>> mixed(pl.DataFrame({"users": [5], "conversion_rate": [0.5]}))
    ''
    """
    rates = frame.select(name for name in frame.columns if name.removesuffix("_prev") in RATES["goals"])
    starred = any(is_mixed(column.name, rate) for column in rates for rate in column)
    return word("mixed_cohorts", locale) if starred else ""
