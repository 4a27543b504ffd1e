"""The rows behind a number: for every count of the tables, the facts that it counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS, SEND_ERRORS
from journey_nb.journey import CHANNELS, near
from journey_nb.metrics import KEYS
from journey_nb.metrics.counts import DEPARTURES, FLAGS, ISSUES, firsts, latest
from journey_nb.metrics.definitions import TABLES
from journey_nb.metrics.health import opens_reported
from journey_nb.metrics.points import MESSAGES
from journey_nb.metrics.scope import Scope

Behind = Callable[[Scope, "str | None"], pl.DataFrame]
"""The rows of a cell, for a scope and (where the table takes one) a goal."""

OPTIONS = {"messages": ("channel", "goal")}
"""What tells the cells of a table apart beside its keys: the options it was asked with."""

EVERY = pl.lit(True)
ENTERS, LEAVES = pl.col("enters"), pl.col("leaves")
DROPPED = LEAVES & (pl.col("status") == "dropped")

# Dense ids and marks of the scope: means to count, not what a person looks for.
_PRIVATE = [
    "run",
    "user",
    "message",
    "visit",
    "credit_message",
    "counts",
    "order",
    "left_order",
    "skip_order",
    "sent_order",
    "skipped_order",
    "engaged_order",
]
_PRIVATE += ["was_inside", "is_inside", "leaves", "was_open", "arrives", "is_open", "enters"]


def rows(scope: Scope, cell: str, **key: Any) -> pl.DataFrame:
    """The facts that a cell counts: one row for each run, visit, message, goal or user it counts.

    A count of users gives each user's first row. Without a key, or with a part of it, the rows of all
    matching cells.

    Parameters
    ----------
    scope
        What the table looks at.
    cell
        ``table.column``, such as ``health.drop_offs``.
    **key
        Which row of the table, by its key columns: ``point_id="push"``; null is a value like others.
        For messages also ``goal``, as its table was asked.

    Raises
    ------
    KeyError
        When there is no such count, key, point, goal or channel; the message names the near miss.
    """
    table, behind = _find(cell)
    _check(scope, table, key)
    frame = behind(scope, key.pop("goal", None))
    if table == "goals" and cell != "goals.value":
        key.pop("currency", None)  # these numbers repeat on the row of each currency
    # What repeats on every row (the entrances of each goal) has no such column and needs no filter.
    told = {name: value for name, value in key.items() if name in frame.columns}
    matches = [
        pl.col(name).cast(pl.String).eq_missing(pl.lit(value, pl.String)) for name, value in told.items()
    ]
    return _readable(scope, frame.filter(matches) if matches else frame)


def cells() -> list[str]:
    """Every cell that has rows behind it."""
    return [f"{table}.{column}" for table, columns in BEHIND.items() for column in columns]


def _find(cell: str) -> tuple[str, Behind]:
    table, _, column = str(cell).partition(".")
    behind = BEHIND.get(table, {}).get(column)
    if behind is None:
        over = TABLES[table].columns.get(column) if table in TABLES else None
        if over is not None and over.numerator in BEHIND.get(table, {}):
            raise KeyError(f"{cell!r} is a rate; see {table}.{over.numerator} over {over.denominator}")
        hint = near(cell, cells()) or f"; there are {', '.join(BEHIND.get(table, cells()))}"
        raise KeyError(f"no rows behind {cell!r}{hint}")
    return table, behind


def _check(scope: Scope, table: str, key: Mapping[str, Any]) -> None:
    points = scope.journey.points()
    goals = [goal.goal_id for goal in scope.journey.goals]
    known = {"point_id": points, "source": points, "goal_id": goals, "goal": goals, "channel": CHANNELS}
    keys = [*KEYS[table], *OPTIONS.get(table, ())]
    for name, value in key.items():
        if name not in keys:
            told = f"it has {', '.join(keys)}" if keys else "it is one row"
            raise KeyError(f"{table} is not keyed by {name!r}{near(name, keys)} ({told})")
        if value is not None and value not in known.get(name, [value]):
            raise KeyError(f"no {name} {value!r}{near(value, known[name])}")


def _readable(scope: Scope, frame: pl.DataFrame) -> pl.DataFrame:
    """With the ids of run and user, words instead of codes, and times in the journey's zone."""
    runs = scope.facts.runs
    names = (runs[name].gather(frame["run"]) for name in ("run_id", "user_id"))
    frame = frame.with_columns(names)
    shown = {name: frame.schema[name] for name in frame.columns if name not in _PRIVATE}
    columns = {
        name: scope.local(name)
        if isinstance(dtype, pl.Datetime)
        else pl.col(name).cast(pl.String)
        if isinstance(dtype, pl.Enum)
        else pl.col(name)
        for name, dtype in shown.items()
    }
    return frame.select(
        "run_id", "user_id", **{n: c for n, c in columns.items() if n not in ("run_id", "user_id")}
    )


# Where the rows come from; the columns by which a table is keyed carry the table's names.


def _runs(scope: Scope) -> pl.DataFrame:
    return scope.runs.with_columns(enters=scope.within("entered_at"))


def _goals(scope: Scope) -> pl.DataFrame:
    return scope.goals.rename({"goal": "goal_id"})


def _messages(scope: Scope) -> pl.DataFrame:
    return scope.messages.rename({"point": "point_id"})


def _messages_on_version(scope: Scope) -> pl.DataFrame:
    return scope.on_version(_messages(scope))


def _visits(scope: Scope) -> pl.DataFrame:
    return _with_reasons(scope, scope.visits)


def _with_reasons(scope: Scope, visits: pl.DataFrame) -> pl.DataFrame:
    visits = scope.on_version(visits)
    reasons = scope.facts.runs.select(scope.unless_after("left_at", scope.hi, "reason")).to_series()
    reason = reasons.gather(visits["run"])  # why the run left, for visits that it closed
    return visits.with_columns(reason).rename({"point": "point_id"})


def _taken(scope: Scope) -> pl.DataFrame:
    taken = scope.on_version(scope.visits, "left_version").filter("leaves", "traversed")
    return taken.with_columns(branch=pl.when("known").then("branch")).rename({"point": "source"})


def _waiting(scope: Scope) -> pl.DataFrame:
    stays = _with_reasons(scope, scope.open_visits)
    last = scope.last_waits(stays).rename({"at": "since"})
    return stays.join(last, on="visit", how="left", maintain_order="left")


def _drops(scope: Scope) -> pl.DataFrame:
    internal = pl.col("reason").is_in(INTERNAL_ERRORS)
    runs = scope.on_version(scope.runs).filter(DROPPED).rename({"exit_point": "point_id"})
    runs = runs.with_columns(
        **{
            "grain": pl.lit("run"),
            "class": pl.when(internal).then(pl.lit("internal_error")).otherwise(pl.lit("send_error")),
        }
    )
    issues = scope.on_version(_issues(scope))
    error = pl.when(pl.col("outcome") == "skipped").then(pl.lit("skipped")).otherwise(pl.lit("send_error"))
    return pl.concat(
        [runs, issues.with_columns(**{"grain": pl.lit("message"), "class": error})], how="diagonal"
    )


def _issues(scope: Scope) -> pl.DataFrame:
    return pl.concat(
        _messages(scope).filter(FLAGS[outcome]).with_columns(outcome=pl.lit(outcome), reason=reason)
        for outcome, reason in ISSUES.items()
    )


# How a cell counts them.


def _each(source: Callable[[Scope], pl.DataFrame], where: pl.Expr, once: tuple[str, ...] = ()) -> Behind:
    """The rows that hold; ``once`` takes the first row of each of its values."""

    def behind(scope: Scope, goal: str | None) -> pl.DataFrame:
        frame = source(scope).filter(where)
        return frame.unique(once, keep="first", maintain_order=True) if once else frame

    return behind


def _opened(scope: Scope, goal: str | None) -> pl.DataFrame:
    return _messages(scope).filter(FLAGS["opened"], pl.col("channel").is_in(opens_reported(scope)))


def _credited(of_version: bool, where: pl.Expr = EVERY) -> Behind:
    """A user's first reaching, where it is credited to a message."""

    def behind(scope: Scope, goal: str | None) -> pl.DataFrame:
        reached = firsts(scope, goal).rename({"goal": "goal_id"})
        reached = scope.on_version(reached) if of_version else reached
        origin = scope.facts.messages.select(
            "channel", "message_id", credit_message="message", point_id="point"
        )
        return reached.join(origin, on="credit_message", maintain_order="left").filter(where)

    return behind


def _credited_here(scope: Scope, goal: str | None) -> pl.DataFrame:
    reached = scope.on_version(firsts(scope, goal)).filter(pl.col("credit_point").is_not_null())
    return reached.rename({"goal": "goal_id", "credit_point": "point_id"})


def _reached_here(scope: Scope, goal: str | None) -> pl.DataFrame:
    of_runs = scope.on_version(scope.goals.unique("run", keep="first", maintain_order=True))
    here = of_runs.filter(pl.col("here").is_not_null()).rename({"goal": "goal_id", "here": "point_id"})
    return here.unique(["point_id", "user"], keep="first", maintain_order=True)


def _after_interaction(scope: Scope, goal: str | None) -> pl.DataFrame:
    engaged = _messages_on_version(scope).filter(FLAGS["sent"] & pl.col("engaged_at").is_not_null())
    later = engaged.join(latest(scope, goal), on="run", maintain_order="left")
    later = later.filter(pl.col("engaged_order") < pl.col("order"))
    return later.unique(["point_id", "user"], keep="first", maintain_order=True)


def _of_messages(
    source: Callable[[Scope], pl.DataFrame], key: str, names: tuple[str, ...]
) -> dict[str, Behind]:
    """Message counts; a name ending in ``_users`` counts each user once for each ``key``."""
    return {
        name: _each(
            source, FLAGS[name.removesuffix("_users")], (key, "user") if name.endswith("_users") else ()
        )
        for name in names
    }


_OUTCOMES = ("sent", "delivered", "opened", "clicked")
_PER_USER = ("sent_users", "opened_users", "clicked_users")
_LOSSES = ("unsubscribed", "failed", "bounced", "skipped")
_ERRORS = {
    "internal_errors": _each(_runs, LEAVES & pl.col("reason").is_in(INTERNAL_ERRORS)),
    "send_errors": _each(_runs, LEAVES & pl.col("reason").is_in(SEND_ERRORS)),
}

BEHIND: dict[str, dict[str, Behind]] = {
    "health": {
        "entrances": _each(_runs, ENTERS),
        "messages_sent": _each(_messages, FLAGS["sent"]),
        "messages_opened": _opened,
        "drop_offs": _each(_runs, DROPPED),
        **_ERRORS,
        "goals_reached": _each(_goals, EVERY, ("goal_id", "user")),
    },
    "audience": {
        "in_journey_before": _each(_runs, pl.col("was_inside")),
        "entrances": _each(_runs, ENTERS),
        "unique_entrants": _each(_runs, ENTERS, ("user",)),
        "in_journey": _each(_runs, pl.col("is_inside")),
        "in_journey_users": _each(_runs, pl.col("is_inside"), ("user",)),
        "exits": _each(_runs, LEAVES & pl.col("status").is_in(["completed", "exited"])),
        "completed": _each(_runs, LEAVES & (pl.col("status") == "completed")),
        **_ERRORS,
        "failed_messages": _each(_messages, FLAGS["failed"]),
    },
    "goals": {
        "users": _each(_goals, EVERY, ("goal_id", "user")),
        "runs": _each(_goals, EVERY, ("goal_id", "run")),
        "events": _each(_goals, EVERY),
        "entrances": _each(_runs, ENTERS),
        "value": _each(_goals, pl.col("value").is_not_null()),
    },
    "communications": {
        **_of_messages(_messages, "channel", (*_OUTCOMES, *_PER_USER, *_LOSSES)),
        "goal_users": _credited(of_version=False),
    },
    "messages": {
        **_of_messages(_messages_on_version, "point_id", (*_OUTCOMES, *_PER_USER, *_LOSSES)),
        "goal_after_interaction": _after_interaction,
        "goal_users": _credited(of_version=True),
        "goal_direct": _credited(of_version=True, where=pl.col("credit") == "direct"),
        "goal_indirect": _credited(of_version=True, where=pl.col("credit") == "indirect"),
    },
    "delivery_issues": {"count": _each(_issues, EVERY)},
    "points": {
        "waiting_before": _each(_visits, pl.col("was_open")),
        "entered": _each(_visits, pl.col("arrives")),
        "waiting": _each(_visits, pl.col("is_open")),
        **{name: _each(_visits, LEAVES & flag) for name, flag in DEPARTURES.items()},
        "goal_here": _reached_here,
        "goal_users": _credited_here,
        **_of_messages(_messages_on_version, "point_id", MESSAGES),
    },
    "branches": {"runs": _each(_taken, EVERY), "users": _each(_taken, EVERY, ("source", "branch", "user"))},
    "waiting": {
        "runs": _each(_waiting, EVERY),
        "users": _each(_waiting, EVERY, ("point_id", "cause", "user")),
    },
    "drops": {"count": _each(_drops, EVERY)},
}
"""Every count cell and the rows behind it."""
