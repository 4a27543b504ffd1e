"""Facts counted set after set answer as those counted at once: on made-up journeys and dirty logs."""

from __future__ import annotations

import os
from functools import partial
from random import Random
from typing import Any

import polars as pl
import pytest
from metrics.asked import asked_of, chosen, differs, folded, periods, seen_by

from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.metrics import parted, scope
from journey_nb.metrics.counts import Counts, asked
from journey_nb.metrics.parted import PartedCounts, _at_rank
from journey_nb.stats import JourneyStats
from journey_nb.subset import Together

SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", 8))


class PartedFacts:
    """Facts in sets of users, and the whole of them."""

    is_large = True

    def __init__(self, facts: Folded, rng: Random) -> None:
        ids = pl.int_range(facts.users.height, dtype=pl.UInt32, eager=True)
        which = pl.Series([rng.randrange(3) for _ in ids], dtype=pl.Int64)
        self.sets = [facts.of_users(ids.filter(which == number)) for number in range(3)]
        self._tables = Together([partial(getattr, some) for some in self.sets]).table
        self.first_at, self.last_at = facts.first_at, facts.last_at

    def __getattr__(self, name: str) -> Any:
        return self._tables(name)

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        return self._tables(name).filter(where)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Folded:
        return self.sets[0].with_tables(self._tables).of_users(users, named=named)


def of_some(stats: JourneyStats, journey: Journey, facts: Folded, rng: Random) -> JourneyStats:
    """Seen earlier, with machines, or of some runs: what no cube answers."""
    if rng.random() < 0.4:
        stats = stats.as_of(facts.first_at + (facts.last_at - facts.first_at) * rng.random())
    if rng.random() < 0.3:
        stats = stats.machine(include=True)
    if rng.random() < 0.5:
        share = rng.choice((0.5, 0.1))
        users = facts.users.filter(
            pl.Series([rng.random() < share for _ in range(facts.users.height)], dtype=pl.Boolean)
        )
        stats = stats.where(users=users)
    if rng.random() < 0.3:
        entries = [point.point_id for point in journey.points().values() if point.is_entry]
        stats = stats.where(entry=rng.choice(entries))
    return stats


@pytest.mark.parametrize("turn", range(4))
def test_facts_in_sets_are_counted_as_in_one(turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "FEW", 3)
    compared, few = 0, 0
    for seed in range(turn, SEEDS, 4):
        journey, facts = folded(seed)
        rng = Random(seed)
        whole, parted = (JourneyStats(journey, one) for one in (facts, PartedFacts(facts, rng)))
        assert isinstance(parted.scope.counts, PartedCounts)
        for period in periods(facts, rng):
            eye = rng.random()
            one, other = (
                of_some(seen_by(chosen(stats, period), Random(eye)), journey, facts, Random(eye))
                for stats in (whole, parted)
            )
            few += type(other.scope.counts) is Counts
            for name, options in rng.sample(asked_of(journey, rng), 8):
                told = differs(getattr(one, name)(**options), getattr(other, name)(**options))
                assert told is None, f"seed {seed} {one!r} {period} {name} {options}\n{told}"
                compared += 1
    assert compared >= SEEDS
    assert few


def test_what_is_counted_together_is_asked_for_by_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    told: set[tuple[Any, ...]] = set()

    def recorded(*what: Any, **options: Any) -> tuple[Any, ...]:
        told.add(ask := asked(*what, **options))
        return ask

    together = parted.TOGETHER
    monkeypatch.setattr(parted, "TOGETHER", ())
    monkeypatch.setattr(parted, "asked", recorded)
    journey, facts = folded(1)
    stats = JourneyStats(journey, PartedFacts(facts, Random(1)))
    for name, options in asked_of(journey, Random(1)):
        getattr(stats, name)(**options)
    stats.credit()
    stats.messages()
    assert told >= {ask for asks in together for ask in asks}


def test_a_rank_is_found_among_values_that_occur_several_times() -> None:
    at = _at_rank([10, 20, 40], [1, 3, 2])
    assert [at(rank) for rank in range(6)] == [10, 20, 20, 20, 40, 40]
