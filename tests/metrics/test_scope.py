"""What a table looks at: the edges of periods, and which of two equal instants comes first."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import polars as pl
import pytest
from compare import frame_of
from metrics.asked import PRESETS, asked_of, differs, seen_by
from oracle import strategies

from journey_nb import Journey, JourneyStats
from journey_nb.period import TICK

JOURNEY = Journey.model_validate(
    {
        "journey_id": "j",
        "goals": [{"goal_id": "g", "event": "buy"}],
        "versions": [
            {
                "version": 1,
                "points": [
                    {"point_id": "E", "type": "entry_api"},
                    {"point_id": "A", "type": "message", "channel": "push"},
                    {"point_id": "B", "type": "message", "channel": "push"},
                ],
                "branches": [{"source": "E", "target": "A"}, {"source": "A", "target": "B"}],
            }
        ],
    }
)


def stats_of(*rows: tuple[str, str, int, dict[str, str]]) -> JourneyStats:
    """Rows as (kind, run, minute, further columns), all of one user."""
    return JourneyStats(
        JOURNEY,
        pl.DataFrame(
            [
                {
                    "event_id": str(n),
                    "occurred_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
                    "kind": kind,
                    "user_id": "u",
                    "journey_id": "j",
                    "version": 1,
                    "run_id": run,
                    "point_id": more.get("point_id"),
                    "channel": more.get("channel"),
                    "message_id": more.get("message_id"),
                    "goal_id": more.get("goal_id"),
                }
                for n, (kind, run, minute, more) in enumerate(rows)
            ]
        ),
    )


def test_the_end_of_a_period_belongs_to_the_next_on_both_clocks() -> None:
    stats = stats_of(("run.entered", "r", 10, {"point_id": "E"}), ("goal.reached", "r", 20, {"goal_id": "g"}))
    at = [datetime(2026, 1, 1, 0, minute, tzinfo=UTC) for minute in (0, 10, 30)]
    for clock in ("activity", "cohort"):
        before, after = (stats.clock(clock).between(*edge) for edge in (at[:2], at[1:]))
        assert (before.health()["entrances"].item(), after.health()["entrances"].item()) == (0, 1)
        assert (before.users().height, after.users().height) == (0, 1)
    assert stats.clock("cohort").between(*at[:2]).goals()["users"].item() == 0


def test_of_two_goals_of_a_user_at_one_instant_the_one_of_the_earlier_run_is_credited() -> None:
    def message(point: str, run: str) -> dict[str, str]:
        return {"point_id": point, "channel": "push", "message_id": f"m-{run}"}

    stats = stats_of(
        ("run.entered", "z", 0, {"point_id": "E"}),
        ("message.sent", "z", 1, message("A", "z")),
        ("run.entered", "a", 2, {"point_id": "E"}),
        ("message.sent", "a", 3, message("B", "a")),
        ("goal.reached", "a", 9, {"goal_id": "g"}),
        ("goal.reached", "z", 9, {"goal_id": "g"}),
    )
    credited = stats.credit("g").drop_nulls("point_id")
    assert credited.select("point_id", "users").rows() == [("A", 1.0)]


@pytest.mark.parametrize("seed", [3, 5, 15])
def test_what_is_seen_as_of_an_instant_is_what_a_log_that_ends_there_tells(seed: int) -> None:
    rng = Random(seed)
    document = strategies.journey(rng)
    rows = strategies.log(rng, document, users=12, dirt=0)
    rows = [row for row in rows if row["kind"] != "run.entered" or rng.random() < 0.8]
    begun: dict[str, datetime] = {}
    for row in sorted(rows, key=lambda row: row["occurred_at"]):
        begun.setdefault(row["run_id"] or "", row["occurred_at"])
    seen = rng.choice([*begun.values()][1:]) - TICK  # just before a run is
    early = [row for row in rows if row["occurred_at"] <= seen]
    journey = Journey.model_validate(document)
    whole, cut = (JourneyStats(journey, frame_of(some)).as_of(seen) for some in (rows, early))
    for name, options in [*asked_of(journey, rng), ("users", {}), ("cohorts", {})]:
        eye, period, by = rng.random(), rng.choice(PRESETS), rng.choice(("entry_point", "version", "variant"))
        one, other = (seen_by(stats.period(period), Random(eye)) for stats in (whole, cut))
        if name != "paths" and rng.random() < 0.5:
            options = {**options, "split" if name in ("daily", "cohorts") else "by": by}
        # A run of which the log has no entrance is the user's first, whenever it is told of.
        tables = (getattr(stats, name)(**options).drop("run_no", strict=False) for stats in (one, other))
        told = differs(*tables)
        assert told is None, f"{one!r} {seen} {name} {options}\n{told}"
