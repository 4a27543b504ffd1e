"""A cube answers as counting does: on made-up journeys and dirty logs, for whole days and for odd instants."""

from __future__ import annotations

import os
from datetime import timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from compare import frame_of
from cubed import CubedFacts, of_users
from oracle import strategies
from polars.testing import assert_frame_equal

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Journey
from journey_nb.metrics.cube import Cube
from journey_nb.stats import JourneyStats

SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", 40))
PRESETS = ("launch", *strategies.PRESETS)


def folded(seed: int) -> tuple[Journey, Folded]:
    document, rows, _ = strategies.example(seed)
    journey = Journey.model_validate(document)
    return journey, fold(journey, EventLog.from_frame(frame_of(rows)).judge(journey))


def asked_of(journey: Journey, rng: Random) -> list[tuple[str, dict[str, Any]]]:
    """Every table, with options drawn."""
    goal = rng.choice([None, *(goal.goal_id for goal in journey.goals)])
    channel = rng.choice([None, "push", "email", "in_app"])
    return [
        *((name, {}) for name in ("health", "audience", "goals", "communications", "points", "branches")),
        *((name, {}) for name in ("waiting", "drops", "reconciliation")),
        *(("daily", {"by": by}) for by in ("journey", "channel", "point", "goal")),
        ("daily", {"by": rng.choice(("journey", "channel", "point")), "place": "event"}),
        ("messages", {"channel": channel, "goal": goal}),
        ("delivery_issues", {"channel": channel}),
        ("credit", {"goal": goal}),
    ]


def periods(facts: Folded, rng: Random) -> list[Any]:
    """Presets, whole days, and odd seconds: at events, between them, and beyond them all."""
    times = facts.events["at"].unique().sort().to_list() or [facts.first_at]
    times = [facts.first_at - timedelta(days=2), *times, facts.last_at + timedelta(days=3)]
    odd = sorted(rng.choice(times) + timedelta(microseconds=rng.choice((0, 1, -1, 10**9))) for _ in range(2))
    days = sorted(rng.choice(times).date() for _ in range(2))
    return [
        rng.choice(PRESETS),
        tuple(days),
        tuple(odd),
        (odd[0], odd[0] + timedelta(hours=rng.choice((1, 30)))),
    ]


def chosen(stats: JourneyStats, period: Any) -> JourneyStats:
    return stats.period(period) if isinstance(period, str) else stats.between(*period)


def differs(one: pl.DataFrame, other: pl.DataFrame) -> str | None:
    try:
        assert_frame_equal(one, other, check_exact=False, rel_tol=1e-9, abs_tol=1e-9)
    except AssertionError as error:
        return f"{error}\n{one}\n{other}"
    return None


@pytest.mark.parametrize("turn", range(4))
def test_a_cube_answers_as_counting_does(turn: int) -> None:
    compared = 0
    for seed in range(turn, SEEDS, 4):
        journey, facts = folded(seed)
        rng = Random(seed)
        counted, looked_up = (JourneyStats(journey, one) for one in (facts, CubedFacts(journey, facts)))
        for period in periods(facts, rng):
            plain, cubed = (chosen(stats, period) for stats in (counted, looked_up))
            if rng.random() < 0.2:
                plain, cubed = plain.compare(), cubed.compare()
            for name, options in rng.sample(asked_of(journey, rng), 6):
                told = differs(getattr(plain, name)(**options), getattr(cubed, name)(**options))
                assert told is None, f"seed {seed} {period} {name} {options}\n{told}"
                compared += 1
    assert compared >= SEEDS


def same(one: Cube, other: Cube) -> None:
    for name in ("rows", "durations", "open"):
        mine, theirs = (
            getattr(cube, name).with_columns(pl.selectors.categorical().cast(pl.String))
            for cube in (one, other)
        )
        assert_frame_equal(mine, theirs, check_row_order=False, check_exact=False, rel_tol=1e-9, abs_tol=1e-9)


def test_cubes_of_disjoint_users_add_and_are_taken_out_again() -> None:
    for seed in range(SEEDS):
        journey, facts = folded(seed)
        users = facts.runs["user"].unique().to_frame()
        third = users.select(pl.col("user"), part=pl.col("user").hash(seed) % 3)
        parts = [Cube.of(journey, of_users(facts, third.filter(part=n)["user"])) for n in range(3)]
        whole = Cube.sum([(1, Cube.of(journey, facts))])
        same(Cube.sum((1, part) for part in parts), whole)
        same(Cube.sum([(1, whole), (-1, parts[0])]), Cube.sum([(1, parts[1]), (1, parts[2])]))
        assert all(frame.is_empty() for frame in vars(Cube.sum([(1, whole), (-1, whole)])).values())
