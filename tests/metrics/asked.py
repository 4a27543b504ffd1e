"""What may be asked of a made-up journey and its dirty log: tables, periods, clocks and versions."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Any

import polars as pl
from compare import frame_of
from oracle import strategies
from polars.testing import assert_frame_equal

from journey_nb.events import EventLog
from journey_nb.facts import Folded, fold
from journey_nb.journey import Journey
from journey_nb.metrics.counts import Counts
from journey_nb.metrics.sums import added
from journey_nb.stats import JourneyStats

PRESETS = ("launch", *strategies.PRESETS)


@lru_cache(8)  # several tests of a file go through the same seeds
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
        *(
            (name, {"point_id": rng.choice([*journey.points()])})
            for name in ("waiting_times", "response_times")
        ),
        *(("daily", {"by": by}) for by in ("journey", "channel", "point", "goal")),
        ("daily", {"by": rng.choice(("journey", "channel", "point")), "place": "event"}),
        ("messages", {"channel": channel, "goal": goal}),
        ("delivery_issues", {"channel": channel}),
        ("credit", {"goal": goal}),
        ("paths", {"top": rng.choice([None, 3]), "collapse_loops": rng.random() < 0.5}),
    ]


def counts_asked_of(journey: Journey, rng: Random) -> list[tuple[str, tuple[Any, ...]]]:
    """Every count that tables are made of, with what it takes drawn."""
    goals = [goal.goal_id for goal in journey.goals]
    points = journey.points()
    senders = [key for key, point in points.items() if point.type == "message"]
    splits = [*senders[:1], *(key for key, point in points.items() if point.type == "split_abn")]
    channel = rng.choice([points[key].channel for key in senders] or ["push"])
    return [
        *(
            (name, ())
            for name in ("runs", "exits", "runs_by_day", "messages", "responses", "issues", "origins")
        ),
        *((name, ()) for name in ("opens_reported", "visits", "visits_by_day", "durations", "seconds")),
        *(
            (name, ())
            for name in ("taken", "arrivals", "waiting", "goals", "values", "goals_by_day", "goal_here")
        ),
        *(("message_users", asked) for asked in (("channel",), ("point",), ("point", channel))),
        *(
            ("messages_by_day", (rng.choice((None, "channel", "point")), place))
            for place in ("send", "event")
        ),
        *(("after_interaction", asked) for asked in ((), (rng.choice(goals),), (None, channel))),
        *(("credited", (goal,)) for goal in (None, rng.choice(goals))),
        *(("ways", (collapse,)) for collapse in (True, False)),
        *(("assigned", (split, rng.choice(goals), unit)) for split in splits for unit in ("user", "run")),
    ]


def counted(counts: Counts, name: str, asked: tuple[Any, ...]) -> pl.DataFrame:
    """A count as it adds: its keys once, and none that counts nothing."""
    frame: pl.DataFrame = getattr(counts, name)(*asked)
    if name in ("seconds", "waiting", "opens_reported"):  # which do not
        return frame.sort(pl.all())
    told = added([(1, frame)])
    return told.sort(told.columns)


def periods(facts: Folded, rng: Random) -> list[Any]:
    """Presets, whole days, odd seconds (at events, between them, and beyond them all), and all but the first or last instant."""
    tick = timedelta(microseconds=1)
    times = facts.events["at"].unique().sort().to_list() or [facts.first_at]
    times = [facts.first_at - timedelta(days=2), *times, facts.last_at + timedelta(days=3)]
    odd = sorted(rng.choice(times) + timedelta(microseconds=rng.choice((0, 1, -1, 10**9))) for _ in range(2))
    days = sorted(rng.choice(times).date() for _ in range(2))
    return [
        rng.choice(PRESETS),
        tuple(days),
        tuple(odd),
        (odd[0], odd[0] + timedelta(hours=rng.choice((1, 30)))),
        (facts.first_at + rng.choice((0, 1)) * tick, facts.last_at + rng.choice((0, 1, 1)) * tick),
    ]


def chosen(stats: JourneyStats, period: Any) -> JourneyStats:
    return stats.period(period) if isinstance(period, str) else stats.between(*period)


def seen_by(stats: JourneyStats, rng: Random) -> JourneyStats:
    """One of the clocks, and all versions or one."""
    version = rng.choice([None, *(version.version for version in stats.journey.versions)])
    return stats.clock(rng.choice(("activity", "cohort"))).version(version)


def differs(one: pl.DataFrame, other: pl.DataFrame) -> str | None:
    try:
        assert_frame_equal(one, other, check_exact=False, rel_tol=1e-9, abs_tol=1e-9)
    except AssertionError as error:
        return f"{error}\n{one}\n{other}"
    return None
