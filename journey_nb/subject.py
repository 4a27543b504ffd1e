"""What a report or an export is about: the statistics that a few words ask for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from journey_nb.journey import Journey

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Clock
    from journey_nb.stats import JourneyStats
    from journey_nb.store import Store


class ReportError(Exception):
    """A report that could not be made: a parameter that does not fit, or a cell that failed."""


class AskedError(ReportError):
    """A report that was asked for in words that mean none, whatever journey it is about."""


def open_stats(
    saved: str = "",
    journey: str = "",
    log: str = "",
    store: str = "",
    **scope: Any,
) -> JourneyStats:
    """The stats that a report's parameters cell asks for, seen by the words of :func:`chosen`.

    Without a journey it is the welcome sample over a small simulated audience, so that a report notebook
    runs as it stands.
    """
    from journey_nb.events import EventLog
    from journey_nb.stats import JourneyStats

    if saved:
        stats = JourneyStats.load(saved)
    elif store:
        stats = open_store(store)[journey]
    elif journey:
        stats = belonging(JourneyStats(Journey.read(journey), EventLog.read(log)))
    else:
        from journey_nb.simulate import simulate

        sample = Journey.sample("welcome")
        stats = JourneyStats(sample, EventLog.from_frame(simulate(sample, users=2_000)))
    return chosen(stats, **scope)


def open_portfolio(
    store: str = "",
    *,
    status: str = "",
    category: str = "",
    type: str = "",
    tag: str = "",
    title: str = "",
    **scope: Any,
) -> list[JourneyStats]:
    """The stats of every journey of a store that meets the filters, each of which may name several words.

    Each is seen by the words of :func:`chosen`. Without a store these are the three samples over small
    simulated audiences.
    """
    where = {"status": status, "category": category, "type": type, "tag": tag, "title": title}
    found = _of_store(store, where) if store else _samples(where)
    return [chosen(stats, **scope) for stats in found]


def _of_store(store: str, where: dict[str, str]) -> list[JourneyStats]:
    opened = open_store(store)
    meant = opened.find(**{name: words(text) for name, text in where.items() if text})
    return [opened[key] for key in meant["journey_id"]]


def _samples(where: dict[str, str]) -> list[JourneyStats]:
    from journey_nb.simulate import simulate
    from journey_nb.stats import JourneyStats

    if any(where.values()):
        raise ReportError("filters choose among the journeys of a store: name its folder")
    samples = [Journey.sample(name) for name in ("welcome", "abandoned_cart", "win_back")]
    return [JourneyStats(sample, simulate(sample, users=500)) for sample in samples]


def words(text: str) -> list[str]:
    """The words of a parameter that takes several, separated by commas.

    Examples
    --------
    >>> words("running, paused")
    ['running', 'paused']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def chosen(
    stats: JourneyStats,
    *,
    period: str = "",
    clock: str = "",
    as_of: str = "",
    version: int = 0,
    machine: bool = False,
    small_groups: int = 0,
) -> JourneyStats:
    """The stats with the verbs that some words stand for; where one is empty, they stay as they are."""
    if as_of:
        stats = stats.as_of(as_of)
    if period:
        stats = stats.period(period)
    if clock:
        stats = stats.clock(cast("Clock", clock))  # an unknown one is told there
    if version:
        stats = stats.version(version)
    if small_groups:
        stats = stats.small_groups(small_groups)
    return stats.machine(include=True) if machine else stats


def open_store(path: str | os.PathLike[str], **how: Any) -> Store:
    """The store in a folder, as :class:`Store` opens it; unlike that this makes none where there is none.

    Raises
    ------
    FileNotFoundError
        When the folder holds no store.
    """
    from journey_nb.store import Store

    store_file(path)
    return Store(path, **how)


def store_file(path: str | os.PathLike[str]) -> Path:
    """The register of the store in a folder.

    Raises
    ------
    FileNotFoundError
        When the folder holds no store.
    """
    file = Path(path) / "store.sqlite"
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no store in {str(path)!r}: it has no {file.name}; name a store's folder"
        )
    return file


def belonging(stats: JourneyStats) -> JourneyStats:
    """The stats, unless no row of their log counts: then the log is another journey's.

    Raises
    ------
    ReportError
        Naming the rules that the rows broke, and the journeys they name instead.
    """
    from journey_nb.facts import Folded

    facts, journey = stats.facts, stats.journey
    if not isinstance(facts, Folded) or not facts.read or facts.loaded:
        return stats
    quarantined = facts.quarantined
    rules = quarantined["rule"].value_counts(sort=True).head(3).iter_rows()
    error = ReportError(
        f"no row of the log belongs to {journey.label!r}: {', '.join(f'{rule} {n:,}' for rule, n in rules)}"
    )
    foreign = quarantined.filter(quarantined["rule"] == "unknown_journey")["journey_id"].drop_nulls()
    if found := foreign.value_counts(sort=True).head(3)["journey_id"].to_list():
        named = ", ".join(repr(one[:80]) for one in found)
        error.add_note(f"the log names the journey {named}, the document is {journey.journey_id!r}")
    raise error
