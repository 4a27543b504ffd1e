"""The points of the drawn journey: who stands there, who went which way, who left, and what adds up.

With ``.version(n)`` the tables count what happened on that version (:meth:`Scope.on_version`).
"""

from __future__ import annotations

import polars as pl

from journey_nb.events.words import INTERNAL_ERRORS
from journey_nb.journey import Branch
from journey_nb.metrics.counts import DEPARTURES, MESSAGE_METRICS
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, TEXT, rate, shaped

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
MESSAGES = ("sent", "delivered", "opened", "clicked", "shown", "interacted", "dismissed", "replied", "failed",
            "unsubscribed")  # fmt: skip
"""The counts of messages that a point has."""


def points(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """A row per point of the shown version, then of other versions' points with something to count.

    Visits are counted, so a loop counts each time; message columns are null off message points.
    """
    counts = scope.counts_on_version
    table = _counted(scope).join(counts.seconds(), on="point", how="left", maintain_order="left")
    if bases:  # the percentiles are of the completed visits whose arrival is known
        timed = counts.durations().group_by("point").agg(_timed=pl.col("stays").sum())
        table = table.join(timed, on="point", how="left", maintain_order="left")
    return shaped(table, "points", ["_timed"], bases=bases)


def _counted(scope: Scope) -> pl.DataFrame:
    """The points and what is counted at each."""
    counts, table = scope.counts_on_version, scope.points
    messages = counts.messages().group_by("point").agg(pl.col(name).sum() for name in MESSAGES)
    here = counts.goal_here().rename({"users": "goal_here"})
    credited = counts.credited().group_by("point").agg(goal_users=pl.col("users").sum())
    for part in (counts.visits(), here, credited, messages):
        table = table.join(part, on="point", how="left", maintain_order="left")
    table = table.with_columns(
        pl.col(_VISITS).fill_null(0), pl.when("is_message").then(pl.col(MESSAGES).fill_null(0))
    )
    return table.filter(pl.col("on_version") | (pl.sum_horizontal(*_VISITS, *MESSAGES) > 0))


def point_by_day(scope: Scope, point_id: str) -> pl.DataFrame:
    """What points() counts of a point, day by day: date, metric (its column), count; zero included.

    A visit stands on the day of its arrival or departure, a message with its outcomes on that of its
    sending, so that the days of a metric sum to the point's number.
    """
    counts, metrics = scope.counts_on_version, ["entered", *DEPARTURES]
    found = counts.visits_by_day()
    scope.journey.point(point_id)  # names the near miss
    if scope.points.filter(pl.col("point_id") == point_id)["is_message"].item():
        sends = counts.messages_by_day("point", "send")
        sends = sends.with_columns(pl.col("metric").replace_strict(MESSAGE_METRICS, return_dtype=TEXT))
        found = pl.concat([found, sends.filter(pl.col("metric").is_in(MESSAGES))])
        metrics += MESSAGES
    found = found.filter(pl.col("breakdown") == point_id)
    days = pl.DataFrame({"date": scope.days}, schema={"date": pl.Date})
    table = days.join(pl.DataFrame({"metric": metrics}), how="cross", maintain_order="left_right")
    table = table.join(found, on=["date", "metric"], how="left", maintain_order="left")
    return table.select("date", "metric", pl.col("count").fill_null(0))


def branches(scope: Scope, *, bases: bool = False, also: pl.DataFrame | None = None) -> pl.DataFrame:
    """A row per branch of the shown version, then used branches of others (and those in ``also``), then unknown ones.

    ``share`` is of the source's traversals by known branches; traversals that followed no known
    branch stand in a row of their own (branch, target and share null, label "unknown").
    """
    key = ["point", "branch"]
    counts = scope.counts_on_version.taken()
    known = _designed(scope).join(counts, on=key, how="left", maintain_order="left")
    told = pl.col("on_version") | (pl.col("runs") > 0)
    if also is not None:
        told |= pl.struct("source", "branch").is_in(also.select("source", "branch").to_struct().implode())
    known = known.with_columns(pl.col("runs", "users").fill_null(0)).filter(told)
    known = known.with_columns(_taken=pl.col("runs").sum().over("source"))
    known = known.with_columns(share=rate("runs", "_taken"))
    unknown = scope.points.join(counts.filter(pl.col("branch").is_null()), on="point", maintain_order="left")
    unknown = unknown.with_columns(
        *(pl.lit(None).alias(name) for name in ("target", "share", "_taken")),
        source="point_id",
        label=pl.lit("unknown"),
    )
    hidden = ["_taken"]
    return pl.concat(shaped(part, "branches", hidden, bases=bases) for part in (known, unknown))


def _designed(scope: Scope) -> pl.DataFrame:
    """Every branch of any version by (source, key), as the shown version has it, else the newest."""
    versions = scope.journey.by_precedence(scope.version)
    branches: dict[tuple[str, str], tuple[Branch, bool]] = {}
    for version in versions:
        for branch in version.branches:
            branches.setdefault((branch.source, branch.key), (branch, version is versions[0]))
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
    table = scope.counts_on_version.waiting().sort("cause", nulls_last=True)
    table = table.with_columns(scope.local(name) for name in ("oldest_since", "next_due"))
    rows = scope.points.join(table, on="point", maintain_order="left_right")
    return shaped(rows, "waiting", zone=scope.timezone)


def drops(scope: Scope, point_id: str | None = None) -> pl.DataFrame:
    """Why runs were dropped and messages not delivered, by point; two grains, never added."""
    counts, outcome = scope.counts_on_version, pl.col("outcome").cast(TEXT)
    dropped = counts.exits().filter(pl.col("status") == "dropped").rename({"runs": "count"})
    internal = pl.when(pl.col("reason").is_in(INTERNAL_ERRORS)).then(pl.lit("internal_error"))
    skipped = pl.when(outcome == "skipped").then(outcome)
    key = ["point", "grain", "class", "reason"]
    parts = [_by_class(dropped, "run", internal), _by_class(counts.issues(), "message", skipped)]
    table = pl.concat(parts).group_by(key).agg(pl.col("count").sum())
    if point_id is not None:
        table = table.filter(pl.col("point") == scope.journey.point(point_id).point_id)
    table = table.join(scope.points.with_row_index("place"), on="point", how="left")
    return shaped(table.sort("place", *key[1:], nulls_last=True), "drops")


def _by_class(counts: pl.DataFrame, grain: str, of_class: pl.Expr) -> pl.DataFrame:
    """The counts by their class; a send error where it is no other."""
    grains, classes = pl.Enum(["run", "message"]), pl.Enum(["internal_error", "send_error", "skipped"])
    of_class = of_class.fill_null("send_error").cast(classes).alias("class")
    return counts.select("point", pl.lit(grain, grains).alias("grain"), of_class, "reason", "count")


def reconciliation(scope: Scope) -> pl.DataFrame:
    """What must add up, and by how much it does not: gap = left − right (METRICS.md, section 9).

    ``runs`` (of the journey): in_journey_before + entrances = completed + exited + dropped +
    in_journey. ``credit``: goal users = credited + unattributed. ``visits`` (of a point):
    waiting_before + entered = completed + waiting + exited + dropped. ``arrivals``: entered =
    traversals into the point + runs started there; since launch a gap means that runs came by no
    known branch, over a period also what was under way at its edges.
    """
    table, counts, users = _counted(scope), scope.counts_on_version, pl.col("users")
    runs = scope.counts.runs()
    came = runs.select(pl.sum_horizontal("in_journey_before", "entrances")).item()
    went = runs["in_journey"].item() + scope.counts.exits()["runs"].sum()
    reached = counts.credited()
    unattributed = reached.select(users.filter(pl.col("point").is_null()).sum()).item()
    credited = table["goal_users"].sum() + unattributed
    journey = pl.DataFrame(
        [("runs", came, went), ("credit", reached["users"].sum(), credited)],
        schema={"check": TEXT, "left": COUNT, "right": COUNT},
        orient="row",
    )
    stays = table.select(
        "point_id",
        check=pl.lit("visits"),
        left=pl.col("waiting_before") + pl.col("entered"),
        right=pl.sum_horizontal("completed", "waiting", "exited", "dropped"),
    )
    came_in = counts.arrivals().select(point_id=pl.col("point").cast(TEXT), right="runs")
    arrivals = table.join(came_in, on="point_id", how="left", maintain_order="left").select(
        "point_id", check=pl.lit("arrivals"), left="entered", right=pl.col("right").fill_null(0)
    )
    parts = pl.concat(
        [journey.with_columns(point_id=pl.lit(None, TEXT)), stays, arrivals], how="diagonal_relaxed"
    )
    return shaped(parts.with_columns(gap=pl.col("left") - pl.col("right")), "reconciliation")
