"""The way of one user, what was done on it, and the ways most taken (METRICS.md, section 11)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from journey_nb.events.words import KIND
from journey_nb.metrics import ways
from journey_nb.metrics.counts import FLAGS
from journey_nb.metrics.scope import Scope

MARKS = {"completed": "", "in_progress": "●", "exited": "⤴", "dropped": "!"}
"""How the outcome of a step is marked."""

_SENT = FLAGS["sent"]
# What may be done with a message: the kind, whether it was, when, and why.
_DONE: tuple[tuple[str, pl.Expr, str, str | None], ...] = (
    ("message.sent", _SENT & (pl.col("channel") != "in_app"), "sent_at", None),
    ("message.failed", FLAGS["failed"], "failed_at", "fail_reason"),
    ("message.failed", FLAGS["bounced"], "bounced_at", "bounce_reason"),
    ("message.skipped", FLAGS["skipped"], "skipped_at", "skip_reason"),
    ("message.delivered", FLAGS["delivered"], "delivered_at", None),
    ("message.impression", FLAGS["shown"], "shown_at", None),
    ("message.opened", FLAGS["opened"], "opened_at", None),
    ("message.clicked", FLAGS["clicked"], "clicked_at", None),
    *(
        (f"message.{name}", _SENT & pl.col(f"{name}_at").is_not_null(), f"{name}_at", None)
        for name in ("interacted", "replied", "dismissed", "unsubscribed", "complained")
    ),
)


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
    visits = _steps(mine)
    goals = mine.seen_goals.select("run", "order", point="here", goal_id="goal")
    return (
        _newest_first(mine)
        .select("place", "run", "run_id", "run_no", "status", "version")
        .join(visits.drop("version", "order"), on="run", how="left")
        .join(_first_at_step(visits, _messages(mine), "message_id"), on=["run", "step_no"], how="left")
        .join(_first_at_step(visits, goals, "goal_id"), on=["run", "step_no"], how="left")
        .sort("place", "step_no")
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


def user_runs(scope: Scope, user: str) -> pl.DataFrame:
    """Every run of a user (by user or device id), newest first, as seen at as_of whatever the period.

    Returns
    -------
    polars.DataFrame
        A row a run: run_id, run_no, user_id, device_id, status, version, entered_at (null: the log begins
        mid-way), left_at, reason, goals (the ids of those it reached, in their order), run_id_quality (told, or
        derived: METRICS.md, section 4).
    """
    mine = _of_user(scope, user)
    reached = mine.seen_goals.unique(["run", "goal"], keep="first", maintain_order=True)
    reached = reached.group_by("run", maintain_order=True).agg(goals=pl.col("goal").cast(pl.String))
    return (
        _newest_first(mine)
        .join(reached, on="run", how="left", maintain_order="left")
        .select(
            *("run_id", "run_no", "user_id", "device_id", pl.col("status").cast(pl.String)),
            *(pl.col("version").cast(pl.Int64), scope.local("entered_at"), scope.local("left_at")),
            *(pl.col("reason").cast(pl.String), pl.col("goals").fill_null([])),
            pl.when("derived").then(pl.lit("derived")).otherwise(pl.lit("told")).alias("run_id_quality"),
        )
    )


def user_events(scope: Scope, user: str) -> pl.DataFrame:
    """What was done at each step of each run of a user, in the order of :func:`user_path`.

    Returns
    -------
    polars.DataFrame
        What became of each message (the first of each kind, wherever the run stood by then, at the step
        that sent it), each goal reached, each wait and each step passed over: run_id, step_no (null: at
        none), at, kind, point_id, message_id, goal_id, reason, due_at (of a wait).
    """
    mine = _of_user(scope, user)
    visits = _steps(mine)
    parts = [_messages_done(mine, visits), _goals_done(mine, visits), *_stays_done(mine, visits)]
    return (
        pl.concat(parts, how="diagonal")
        .join(_newest_first(mine).select("place", "run", "run_id"), on="run")
        .with_columns(pl.col("kind").cast(KIND))
        .sort("place", "step_no", "at", "kind", "message_id", nulls_last=True)
        .select(
            *("run_id", "step_no", scope.local("at"), pl.col("kind").cast(pl.String)),
            pl.col("point").cast(pl.String).alias("point_id"),
            *("message_id", pl.col("goal", "reason").cast(pl.String), scope.local("due_at")),
        )
        .rename({"goal": "goal_id"})
    )


def _newest_first(scope: Scope) -> pl.DataFrame:
    """The runs, each with its place; those of which the log begins mid-way are the oldest."""
    began = pl.coalesce("entered_at", "first_at")
    runs = scope.runs.sort("truncated", began, "run_no", "run_id", descending=[False, True, True, True])
    return runs.with_row_index("place")


def _steps(scope: Scope) -> pl.DataFrame:
    return scope.visits.with_columns(step_no=pl.int_range(1, pl.len() + 1).over("run"))


def _messages_done(scope: Scope, visits: pl.DataFrame) -> pl.DataFrame:
    # In the run that each is of: another that tells of it may come first in the reading order.
    own = _messages(scope).join(scope.seen_messages, on=["run", "message_id"], how="semi")
    firsts = own.sort("order").unique("message_id", keep="first", maintain_order=True)
    steps = _at_step(visits, firsts).select("message_id", "step_no")
    messages = scope.seen_messages.join(steps, on="message_id", how="left", maintain_order="left")
    return pl.concat(
        messages.filter(done).select(
            *("run", "point", "message_id", "step_no"),
            kind=pl.lit(kind),
            at=scope.time_of(time.removesuffix("_at")),
            reason=pl.col(reason).cast(pl.String) if reason else pl.lit(None, pl.String),
        )
        for kind, done, time, reason in _DONE
    )


def _goals_done(scope: Scope, visits: pl.DataFrame) -> pl.DataFrame:
    reached = scope.seen_goals.select("run", "order", "at", "goal", point="here", kind=pl.lit("goal.reached"))
    return _at_step(visits, reached).drop("order")


def _stays_done(scope: Scope, visits: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Waits and steps passed over."""
    steps = visits.select("run", "visit", "step_no", "point", "skip_at", "skip_reason")
    waits = scope.facts.waits.filter(pl.col("at") < scope.horizon).drop("run", "point")
    waits = waits.join(steps, on="visit")
    yield waits.select("run", "step_no", "point", "at", "due_at", reason=pl.col("cause").cast(pl.String),
                       kind=pl.lit("wait.started"))  # fmt: skip
    skipped = steps.filter(pl.col("skip_at").is_not_null())
    yield skipped.select("run", "step_no", "point", at="skip_at", reason=pl.col("skip_reason").cast(pl.String),
                         kind=pl.lit("point.skipped"))  # fmt: skip


def _ever(scope: Scope) -> Scope:
    """The same runs, whatever the period: everything up to as_of."""
    return replace(scope, start=min(scope.start, scope.facts.first_at), end=scope.horizon, clock="activity")


def _of_user(scope: Scope, user: str) -> Scope:
    """Only the runs of that user, or those in which any row carries that device."""
    some = _ever(scope).of_users(scope.facts.known_by(user))
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
    at_steps = _at_step(visits, things).filter(pl.col("step_no").is_not_null())
    firsts = at_steps.group_by("run", "step_no", maintain_order=True)
    return firsts.agg(pl.col(name).first().cast(pl.String))


def _at_step(visits: pl.DataFrame, things: pl.DataFrame) -> pl.DataFrame:
    """The things in their order, each with the step at its point that had begun last."""
    order = pl.col("order").cast(pl.Int64)
    arrivals = visits.select("run", "step_no", "point", order).sort("order", maintain_order=True)
    things = things.with_columns(order).sort("order", maintain_order=True)
    return things.join_asof(arrivals, on="order", by=["run", "point"], check_sortedness=False)


def nearest(scope: Scope, user: str) -> list[str]:
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
    return [known[name] for name in difflib.get_close_matches(word, known, n=5, cutoff=0.6)]


def beginning(scope: Scope, start: str, limit: int = 8) -> list[str]:
    """The first user and device ids, in their order, that begin so: what to offer while one is typed."""
    facts = scope.facts
    seen = facts.runs.select(pl.col("first_at") < scope.horizon).to_series()
    if scope.keep is not None:
        seen = seen & scope.keep
    runs = facts.runs.select("run", id="user_id")
    ids = pl.concat([runs, facts.devices.select("run", id="device_id")])
    ids = ids.filter(pl.col("id").str.starts_with(start))
    ids = ids.filter(seen.gather(ids["run"])).select("id").unique()
    return ids["id"].bottom_k(limit).sort().to_list()


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
    runs, converted = pl.col("runs"), pl.col("converted")
    entered = scope.counts.runs()["entrances"].item()
    table = (
        scope.counts.ways(collapse_loops)
        .select("path", "runs", "users", (runs / entered).alias("share"), "converted", rate=converted / runs)
        .sort(-runs, pl.col("path").list.join("\0"))
    )
    return table if top is None else table.head(top)


def took(scope: Scope, path: Sequence[str]) -> pl.Series:
    """The ids of the runs that entered in the period and went this way, loops told or not."""
    taken = ways.of_scope(scope)
    asked = pl.lit(pl.Series([list(path)], dtype=ways.PATH)).first()
    told = pl.col("path").cast(ways.PATH)
    runs = taken.filter((told == asked) | (ways.without_loops(told) == asked))["run"]
    return scope.facts.runs["run_id"].gather(runs)
