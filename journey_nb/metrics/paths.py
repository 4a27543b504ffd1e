"""The way of one user, and the ways most taken (METRICS.md, section 11)."""

from __future__ import annotations

import difflib
from dataclasses import replace

import polars as pl

from journey_nb.metrics.scope import Scope

MARKS = {"completed": "", "in_progress": "●", "exited": "⤴", "dropped": "!"}
"""How the outcome of a step is marked."""


def user_path(scope: Scope, user: str) -> pl.DataFrame:
    """Every step of every run of a user, newest run first, as seen at as_of whatever the period.

    Parameters
    ----------
    scope
        The facts and the instant of sight.
    user
        A user id (all runs of that user) or a device id (the runs in which any row carries it).

    Returns
    -------
    polars.DataFrame
        A row a visit: run_id, run_no, status (of the run), step_no, point_id, arrived_at, left_at, branch,
        message_id (the first message of the visit), outcome (completed, in_progress, exited or dropped;
        drawn as :data:`MARKS`), goal_id (the first goal reached during the visit), version (of the run).
        A run known only by its messages or goals has one row, without a step. No rows for a user who is
        not here: see :func:`nearest`.
    """
    mine = _of_user(scope, user)
    visits = mine.visits.with_columns(step_no=pl.int_range(1, pl.len() + 1).over("run"))
    goals = mine.seen_goals.select("run", "order", point="here", goal_id="goal")
    began = pl.coalesce("entered_at", "first_at")
    return (
        mine.runs.select("run", "run_id", "run_no", "status", "version", "truncated", began=began)
        .join(visits.drop("version", "order"), on="run", how="left")
        .join(_first_at_step(visits, _messages(mine), "message_id"), on=["run", "step_no"], how="left")
        .join(_first_at_step(visits, goals, "goal_id"), on=["run", "step_no"], how="left")
        .sort("truncated", "began", "run_no", "run", "step_no", descending=[False, True, True, True, False])
        .select(
            *("run_id", "run_no", pl.col("status").cast(pl.String), "step_no"),
            pl.col("point").cast(pl.String).alias("point_id"),
            *(scope.local("arrived_at"), scope.local("left_at"), "branch", "message_id"),
            pl.when(pl.col("point").is_not_null())
            .then(pl.col("outcome").cast(pl.String).fill_null("in_progress"))
            .alias("outcome"),
            *("goal_id", pl.col("version").cast(pl.Int64)),
        )
    )


def _ever(scope: Scope) -> Scope:
    """The same runs, whatever the period: everything up to as_of."""
    return replace(scope, start=min(scope.start, scope.facts.first_at), end=scope.horizon, clock="activity")


def _of_user(scope: Scope, user: str) -> Scope:
    """Only the runs of that user, or those in which any row carries that device."""
    facts = scope.facts
    own = facts.runs.filter(pl.col("user_id") == user)["user"]
    carrying = facts.devices.filter(pl.col("device_id") == user)["user"]
    some = _ever(scope).of_users(pl.concat([own, carrying]).unique().sort())
    carried = some.facts.devices.filter(pl.col("device_id") == user)["run"]
    mine = (pl.col("user_id") == user) | pl.col("run").is_in(carried.implode())
    return some.only(some.facts.runs.select(mine).to_series())


def _messages(scope: Scope) -> pl.DataFrame:
    """Where each row of a message stands in the reading order."""
    events = scope.of_members(scope.facts.events)
    rows = events.filter(pl.col("message").is_not_null() & (pl.col("at") < scope.horizon))
    ids = scope.facts.messages.select("message", "message_id")
    return rows.join(ids, on="message").select("run", "point", "order", "message_id")


def _first_at_step(visits: pl.DataFrame, things: pl.DataFrame, name: str) -> pl.DataFrame:
    """For each step the first of the things that happened at its point since the arrival there."""
    order = pl.col("order").cast(pl.Int64)
    arrivals = visits.select("run", "step_no", "point", order).sort("order", maintain_order=True)
    return (
        things.with_columns(order)
        .sort("order")
        .join_asof(arrivals, on="order", by=["run", "point"], check_sortedness=False)
        .filter(pl.col("step_no").is_not_null())
        .group_by("run", "step_no", maintain_order=True)
        .agg(pl.col(name).first().cast(pl.String))
    )


def nearest(scope: Scope, user: str, limit: int = 5) -> list[str]:
    """The user and device ids most like this one, for a person who mistyped it.

    One slip leaves the first or the last half of an id whole, so only ids that share a half are compared.
    """
    seen = _ever(scope).runs
    devices = scope.facts.devices.filter(pl.col("run").is_in(seen["run"].implode()))
    ids = pl.concat([seen.select(id="user_id"), devices.select(id="device_id")]).drop_nulls().unique()
    word, half = user.lower(), max(1, len(user) // 2)
    lower = pl.col("id").str.to_lowercase()
    alike = ids.filter(
        (lower.str.len_chars().cast(pl.Int64) - len(user)).abs() <= 2,
        lower.str.starts_with(word[:half]) | lower.str.ends_with(word[-half:]),
    )
    known = {name.lower(): name for name in alike.sort("id").head(5_000)["id"]}
    return [known[name] for name in difflib.get_close_matches(word, known, n=limit, cutoff=0.6)]


def paths(scope: Scope, top: int | None = 20, collapse_loops: bool = True) -> pl.DataFrame:
    """The ways most taken by the runs that entered in the period, as far as they had come.

    Parameters
    ----------
    scope
        The facts, the period and the clock.
    top
        How many ways at most; None for all.
    collapse_loops
        Whether a point counts only where a run first came to it, so that going round changes no way.

    Returns
    -------
    polars.DataFrame
        Most runs first: path (point ids in order), runs, users, share (of all runs that entered),
        converted (runs that reached a goal), rate (converted / runs).
    """
    entered = scope.of_members(scope.facts.runs).filter(
        pl.col("entered_at").is_between(scope.start, scope.cut, closed="left")
    )
    steps = pl.col("point").list.unique(maintain_order=True) if collapse_loops else pl.col("point")
    ways = scope.visits.group_by("run", maintain_order=True).agg("point").select("run", path=steps)
    reached = pl.col("run").is_in(scope.goals["run"].unique().implode())
    table = (
        entered.select("run", "user")
        .join(ways, on="run")
        .group_by("path")
        .agg(runs=pl.len(), users=pl.col("user").n_unique(), converted=reached.sum())
        .select(
            pl.col("path").cast(pl.List(pl.String)),
            pl.col("runs", "users").cast(pl.Int64),
            (pl.col("runs") / entered.height).alias("share"),
            pl.col("converted").cast(pl.Int64),
            (pl.col("converted") / pl.col("runs")).alias("rate"),
        )
        .sort(-pl.col("runs"), pl.col("path").list.join("\0"))
    )
    return table if top is None else table.head(top)
