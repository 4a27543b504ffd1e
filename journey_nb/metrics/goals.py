"""Goals: how many reached them, what they were worth, and which point gets the credit."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, get_args

import polars as pl

from journey_nb.facts import Facts
from journey_nb.journey import near
from journey_nb.metrics.counts import firsts
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, RATE, TEXT, rate, shaped

Rule = Literal["engaged", "last_touch", "first_touch", "linear", "position_based", "time_decay", "entry"]


def goals(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """A row per goal, and per currency where one was reached with several.

    On the activity clock ``conversion_rate`` may exceed 1: the goals of earlier entrants count too.
    """
    entered = scope.counts.runs()
    values = scope.counts.values().drop("events").sort("currency", nulls_last=True)
    table = (
        _designed(scope)
        .join(scope.counts.goals(), on="goal", how="left", maintain_order="left")
        .join(values, on="goal", how="left", maintain_order="left_right")
        .with_columns(
            pl.col("users", "runs", "events").fill_null(0),
            entrances=pl.lit(entered["entrances"].item()),
            _unique_entrants=pl.lit(entered["unique_entrants"].item()),
        )
        .with_columns(
            conversion_rate=rate("users", "entrances"),
            user_rate=rate("users", "_unique_entrants"),
            run_rate=rate("runs", "entrances"),
        )
    )
    return shaped(table, "goals", ["_unique_entrants"], bases=bases)


def credit(
    scope: Scope,
    goal: str | None = None,
    rule: Rule = "engaged",
    *,
    first: float = 0.4,
    last: float = 0.4,
    half_life: timedelta = timedelta(days=7),
) -> pl.DataFrame:
    """To which points the users of a goal (None: of any goal) are credited; null is ``unattributed``.

    Each user is credited once, for the first reaching in the period, so that the rows sum to the
    goal's users under every rule. ``direct`` and ``indirect`` belong to the rule ``engaged``.

    Parameters
    ----------
    rule
        ``engaged``: the last message engaged with, else the last one sent or shown. ``last_touch``,
        ``first_touch``, ``linear``: by messages sent or shown. ``position_based``: ``first`` and
        ``last`` of it to these two, the rest spread evenly between. ``time_decay``: half as much
        for each ``half_life`` before the goal. ``entry``: the point where the run began.
    """
    if rule == "engaged":
        shares = scope.counts.credited(goal).select("point", "credit", weight=pl.col("users").cast(RATE))
    elif rule == "entry":
        began = scope.facts.runs["entry_point"].gather(firsts(scope, goal)["run"])
        shares = pl.DataFrame({"point": began}).with_columns(weight=pl.lit(1.0))
    else:
        reached = firsts(scope, goal)
        touches = _touches(scope, reached).with_columns(weight=_weight(rule, first, last, half_life))
        shares = touches.select("point", "weight")
        lone = reached.join(touches, on="user", how="anti").with_columns(weight=pl.lit(1.0)).select("weight")
        shares = pl.concat([shares, lone], how="diagonal")
    # What is credited to no point is always told, be it nothing.
    shares = pl.concat([shares, pl.DataFrame({"weight": [0.0]})], how="diagonal")
    kinds = {
        name: pl.col("weight").filter(pl.col("credit") == name).sum()
        if rule == "engaged"
        else pl.lit(None, COUNT)
        for name in ("direct", "indirect")
    }
    table = shares.group_by("point").agg(users=pl.col("weight").sum(), **kinds)
    table = table.join(scope.points.with_row_index("place"), on="point", how="left")
    told = (pl.col("users") > 0) | pl.col("point").is_null()
    return shaped(table.filter(told).sort("place", nulls_last=True), "credit")


def outside_window(facts: Facts) -> tuple[int, int]:
    """How many goals of the log count for no run: those after its window, and those of users who never entered."""
    lost = facts.rows("goals", ~pl.col("counts"))
    loose = lost.filter(pl.col("run").is_null())["user"]
    strangers = loose.filter(~loose.is_in(facts.runs["user"].unique().implode())).len() if loose.len() else 0
    return lost.height - strangers, strangers


def _designed(scope: Scope) -> pl.DataFrame:
    rows = [(goal.goal_id, goal.goal_id, goal.label) for goal in scope.journey.goals]
    schema = {"goal": pl.Enum([goal.goal_id for goal in scope.journey.goals]), "goal_id": TEXT, "title": TEXT}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _touches(scope: Scope, reached: pl.DataFrame) -> pl.DataFrame:
    """The messages sent or shown before each goal, in order, numbered by ``place`` of ``touches``."""
    sent = scope.seen_messages.filter(pl.col("fate") == "sent").select(
        "run", "point", "sent_at", "sent_order"
    )
    return (
        reached.select("run", "user", "order", goal_at="at")
        .join(sent, on="run")
        .filter(pl.col("sent_order") < pl.col("order"))
        .sort("sent_order")
        .with_columns(place=pl.int_range(pl.len()).over("user"), touches=pl.len().over("user"))
    )


def _weight(rule: Rule, first: float, last: float, half_life: timedelta) -> pl.Expr:
    """The share of a user's credit that a touch gets; a user's shares sum to 1."""
    place, touches = pl.col("place"), pl.col("touches")
    is_first, is_last = place == 0, place == touches - 1
    if rule == "last_touch":
        return is_last.cast(RATE)
    if rule == "first_touch":
        return is_first.cast(RATE)
    if rule == "linear":
        return 1 / touches
    if rule == "time_decay":
        if not (isinstance(half_life, timedelta) and half_life > timedelta(0)):
            raise ValueError(f"half_life is {half_life!r}: give a span above 0, such as timedelta(days=7)")
        age = (pl.col("goal_at") - pl.col("sent_at")).dt.total_microseconds()
        age = age - age.min().over("user")  # only differences tell; far ages would all round to nothing
        weight = pl.lit(0.5).pow(age / (half_life / timedelta(microseconds=1)))
        return weight / weight.sum().over("user")
    if rule != "position_based":
        raise ValueError(f"no credit rule {rule!r}{near(rule, get_args(Rule))}")
    if not (first >= 0 and last >= 0 and first + last <= 1):  # nan is none of these
        raise ValueError(f"first={first} and last={last} must be shares of at most 1 together")
    between = 1 - first - last
    ends = pl.when(is_first).then(first).when(is_last).then(last)
    return (
        pl.when(touches == 1)
        .then(1.0)
        .when(touches == 2)
        .then(ends + between / 2)
        .otherwise(ends.otherwise(between / (touches - 2)))
    )
