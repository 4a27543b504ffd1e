"""The points of the drawn journey: who stands there, who went which way, who left, and what adds up.

With ``.version(n)`` the tables count what happened on that version (:meth:`Scope.on_version`).
"""

from __future__ import annotations

import polars as pl

from journey_nb.events import INTERNAL_ERRORS
from journey_nb.journey import Branch, near
from journey_nb.metrics.communications import FLAGS
from journey_nb.metrics.goals import firsts
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, RATE, TEXT, rate, shaped

_VISITS = (
    "waiting_before",
    "entered",
    "completed",
    "waiting",
    "exited",
    "dropped",
    "skipped",
    "exits_goal",
    "exits_cancel",
    "goal_here",
    "goal_users",
)
_MESSAGES = ("sent", "delivered", "opened", "clicked", "shown", "interacted", "failed", "unsubscribed")

POINTS: dict[str, pl.DataType] = {
    **dict.fromkeys(("point_id", "title", "type", "channel"), TEXT),
    **dict.fromkeys((*_VISITS, *_MESSAGES), COUNT),
    **dict.fromkeys(("seconds_p50", "seconds_p90"), RATE),
}
BRANCHES: dict[str, pl.DataType] = {
    **dict.fromkeys(("source", "branch", "target", "label"), TEXT),
    **dict.fromkeys(("runs", "users"), COUNT),
    "share": RATE,
}
DROPS: dict[str, pl.DataType] = {
    **dict.fromkeys(("point_id", "title", "grain", "class", "reason"), TEXT),
    "count": COUNT,
}
RECONCILIATION: dict[str, pl.DataType] = {
    "point_id": TEXT,
    "check": TEXT,
    **dict.fromkeys(("left", "right", "gap"), COUNT),
}


def points(scope: Scope) -> pl.DataFrame:
    """A row per point of the shown version, then of other versions' points with something to count.

    Visits are counted, so a loop counts each time; message columns are null off message points.
    """
    table = scope.points
    for counts in (_visits(scope), _exits(scope), _goals_here(scope), _credited(scope), _messages(scope)):
        table = table.join(counts, on="point", how="left", maintain_order="left")
    table = table.with_columns(
        pl.col(_VISITS).fill_null(0), pl.when("is_message").then(pl.col(_MESSAGES).fill_null(0))
    )
    counted = pl.sum_horizontal(*_VISITS, *_MESSAGES) > 0
    return shaped(table.filter(pl.col("on_version") | counted), POINTS)


def _visits(scope: Scope) -> pl.DataFrame:
    leaves, outcome = pl.col("leaves"), pl.col("outcome")
    completed = leaves & (outcome == "completed")
    seconds = (pl.col("left_at") - pl.col("arrived_at")).dt.total_microseconds().filter(completed) / 1e6
    flags = ("was_open", "arrives", "is_open", "leaves")
    counted = scope.on_version(scope.visits).select(
        "point", "outcome", "arrived_at", "left_at", "skip_at", *flags
    )
    return (
        counted.filter(pl.any_horizontal(flags))  # of a short period that is a small part
        .group_by("point")
        .agg(
            waiting_before=pl.col("was_open").sum(),
            entered=pl.col("arrives").sum(),
            completed=completed.sum(),
            waiting=pl.col("is_open").sum(),
            exited=(leaves & (outcome == "exited")).sum(),
            dropped=(leaves & (outcome == "dropped")).sum(),
            skipped=(completed & pl.col("skip_at").is_not_null()).sum(),
            seconds_p50=seconds.quantile(0.5, "linear"),
            seconds_p90=seconds.quantile(0.9, "linear"),
        )
    )


def _exits(scope: Scope) -> pl.DataFrame:
    exited = scope.on_version(scope.visits).filter(pl.col("leaves") & (pl.col("outcome") == "exited"))
    reason = scope.facts.runs["reason"].gather(exited["run"])
    return (
        exited.select("point", reason)
        .group_by("point")
        .agg(
            exits_goal=(pl.col("reason") == "goal").sum(),
            exits_cancel=(pl.col("reason") == "cancel_event").sum(),
        )
    )


def _goals_here(scope: Scope) -> pl.DataFrame:
    # A run's first goal of any kind in the period, and the visit that was open at that moment.
    firsts_of_runs = scope.goals.unique("run", keep="first", maintain_order=True)
    here = scope.on_version(firsts_of_runs).filter(pl.col("here").is_not_null())
    return here.group_by(point="here").agg(goal_here=pl.col("user").n_unique())


def _credited(scope: Scope) -> pl.DataFrame:
    return scope.on_version(firsts(scope)).group_by(point="credit_point").agg(goal_users=pl.len())


def _messages(scope: Scope) -> pl.DataFrame:
    messages = scope.on_version(scope.messages)
    return messages.group_by("point").agg(FLAGS[name].sum().alias(name) for name in _MESSAGES)


def branches(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """A row per branch of the shown version, then used branches of others, then unknown ones.

    ``share`` is of the source's traversals by known branches; traversals that followed no known
    branch stand in a row of their own (branch, target and share null, label "unknown").
    """
    key = ["point", "branch"]
    taken = scope.on_version(scope.visits, "left_version").filter("leaves", "traversed")
    counts = (
        taken.with_columns(branch=pl.when("known").then("branch"))
        .group_by(key)
        .agg(runs=pl.len(), users=pl.col("user").n_unique())
    )
    known = _designed(scope).join(counts, on=key, how="left", maintain_order="left")
    known = known.with_columns(pl.col("runs", "users").fill_null(0)).filter(
        pl.col("on_version") | (pl.col("runs") > 0)
    )
    known = known.with_columns(_taken=pl.col("runs").sum().over("source"))
    known = known.with_columns(share=rate("runs", "_taken"))
    unknown = scope.points.join(counts.filter(pl.col("branch").is_null()), on="point", maintain_order="left")
    unknown = unknown.with_columns(
        *(pl.lit(None).alias(name) for name in ("target", "share", "_taken")),
        source="point_id",
        label=pl.lit("unknown"),
    )
    hidden = ["_taken"]
    return pl.concat(shaped(part, BRANCHES, hidden, bases=bases) for part in (known, unknown))


def _designed(scope: Scope) -> pl.DataFrame:
    """Every branch of any version by (source, key), as the shown version has it, else the newest."""
    shown = scope.journey.version(scope.version)
    others = sorted(scope.journey.versions, key=lambda version: -version.version)
    branches: dict[tuple[str, str], tuple[Branch, bool]] = {}
    for version in (shown, *others):
        for branch in version.branches:
            branches.setdefault((branch.source, branch.key), (branch, version is shown))
    rows = [
        (branch.source, branch.source, branch.key, branch.target, branch.label, on_version)
        for branch, on_version in branches.values()
    ]
    schema = {
        "point": scope.points.schema["point"],
        **dict.fromkeys(("source", "branch", "target", "label"), TEXT),
        "on_version": pl.Boolean(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def waiting(scope: Scope) -> pl.DataFrame:
    """A row per point and cause of waiting, over all visits still open; overdue waits count too.

    The cause is the visit's last ``wait.started``, null without one, and it waits since then, else
    since the arrival.
    """
    stays = scope.on_version(scope.visits).filter("is_open")
    waits = scope.facts.waits.filter(pl.col("at") < scope.hi).join(stays, on="visit", how="semi")
    last = waits.unique("visit", keep="last", maintain_order=True).select("visit", "at", "cause", "due_at")
    table = (
        stays.join(last, on="visit", how="left")
        .group_by("point", "cause")
        .agg(
            runs=pl.len(),
            users=pl.col("user").n_unique(),
            oldest_since=pl.coalesce("at", "arrived_at").min(),
            next_due=pl.col("due_at").min(),
        )
        .sort("cause", nulls_last=True)
        .with_columns(scope.local(name) for name in ("oldest_since", "next_due"))
    )
    columns = waiting_columns(scope)
    return shaped(scope.points.join(table, on="point", maintain_order="left_right"), columns)


def waiting_columns(scope: Scope) -> dict[str, pl.DataType]:
    """The columns of waiting()."""
    time = pl.Datetime("us", scope.timezone)
    return {
        **dict.fromkeys(("point_id", "title", "type", "cause"), TEXT),
        **dict.fromkeys(("runs", "users"), COUNT),
        **dict.fromkeys(("oldest_since", "next_due"), time),
    }


def drops(scope: Scope, point_id: str | None = None) -> pl.DataFrame:
    """Why runs were dropped and messages not delivered, by point; two grains, never added."""
    runs = scope.on_version(scope.runs).filter(pl.col("leaves") & (pl.col("status") == "dropped"))
    internal = pl.col("reason").is_in(INTERNAL_ERRORS)
    error = pl.when(internal).then(pl.lit("internal_error")).otherwise(pl.lit("send_error"))
    parts = [_reasons(runs, "run", "exit_point", error, "reason")]
    messages = scope.on_version(scope.messages)
    for flag, kind in (("failed", "send_error"), ("bounced", "send_error"), ("skipped", "skipped")):
        reason = {"failed": "fail_reason", "bounced": "bounce_reason", "skipped": "skip_reason"}[flag]
        parts.append(_reasons(messages.filter(FLAGS[flag]), "message", "point", pl.lit(kind), reason))
    key = ["point", "grain", "class", "reason"]
    counts = pl.concat(parts).group_by(key).agg(pl.col("count").sum())
    if point_id is not None:
        counts = counts.filter(pl.col("point") == _known(scope, point_id))
    table = counts.join(scope.points.with_row_index("place"), on="point", how="left")
    return shaped(table.sort("place", *key[1:], nulls_last=True), DROPS)


def _known(scope: Scope, point_id: str) -> str:
    known = scope.points["point_id"]
    if point_id not in known:
        raise KeyError(f"{scope.journey.label!r} has no point {point_id!r}{near(point_id, known)}")
    return point_id


def _reasons(rows: pl.DataFrame, grain: str, point: str, error: pl.Expr, reason: str) -> pl.DataFrame:
    grains, classes = pl.Enum(["run", "message"]), pl.Enum(["internal_error", "send_error", "skipped"])
    return (
        rows.group_by(error.cast(classes).alias("class"), point=point, reason=reason)
        .agg(count=pl.len())
        .select("point", pl.lit(grain, grains).alias("grain"), "class", "reason", "count")
    )


def reconciliation(scope: Scope) -> pl.DataFrame:
    """What must add up, and by how much it does not: gap = left − right (METRICS.md, section 9).

    ``runs`` (of the journey): in_journey_before + entrances = completed + exited + dropped +
    in_journey. ``credit``: goal users = credited + unattributed. ``visits`` (of a point):
    waiting_before + entered = completed + waiting + exited + dropped. ``arrivals``: entered =
    traversals into the point + runs started there; since launch a gap means that runs came by no
    known branch, over a period also what was under way at its edges.
    """
    table, users = points(scope), scope.on_version(firsts(scope))
    came = scope.runs.select(pl.col("was_inside").sum() + scope.within("entered_at").sum()).item()
    went = scope.runs.select(pl.col("leaves").sum() + pl.col("is_inside").sum()).item()
    credited = table["goal_users"].sum() + users["credit_point"].null_count()
    schema = {name: RECONCILIATION[name] for name in ("check", "left", "right")}
    journey = pl.DataFrame(
        [("runs", came, went), ("credit", users.height, credited)], schema=schema, orient="row"
    )
    stays = table.select(
        "point_id",
        check=pl.lit("visits"),
        left=pl.col("waiting_before") + pl.col("entered"),
        right=pl.sum_horizontal("completed", "waiting", "exited", "dropped"),
    )
    arrivals = table.join(_arrivals(scope), on="point_id", how="left", maintain_order="left").select(
        "point_id", check=pl.lit("arrivals"), left="entered", right=pl.col("right").fill_null(0)
    )
    parts = pl.concat(
        [journey.with_columns(point_id=pl.lit(None, TEXT)), stays, arrivals], how="diagonal_relaxed"
    )
    return shaped(parts.with_columns(gap=pl.col("left") - pl.col("right")), RECONCILIATION)


def _arrivals(scope: Scope) -> pl.DataFrame:
    """Traversals into a point by known branches, and runs started there: point_id, right."""
    taken = scope.on_version(scope.visits, "left_version").filter("leaves", "traversed")
    taken = taken.select(point="to_point")
    begun = scope.on_version(scope.runs).filter(scope.within("entered_at")).select(point="entry_point")
    return (
        pl.concat([taken, begun])
        .group_by(point_id=pl.col("point").cast(TEXT))
        .agg(right=pl.len().cast(COUNT))
    )
