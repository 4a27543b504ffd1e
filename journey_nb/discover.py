"""A graph from a plain activity log: who did what, when.

How a run through activities becomes a run through a journey, so that at every point the numbers add
up and nothing is lost:

- A run is entered at :data:`START`, walks from activity to activity by the branch whose key is the
  next activity, and ends at :data:`END`, which it leaves as completed. Every step is written out as
  point.entered and point.completed, so that no branch has to be derived; loops are branches like any
  other.
- A branch rarer than the cut-off is not drawn. Its runs go by the branch :data:`OTHER` to a point of
  that name and on from there to where they really went: the point's own branches stay few, its
  shares still add up to 100, and so do the entrances of the points behind.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from journey_nb.journey import Branch, Journey, Point, Version
from journey_nb.reading import LogError, filled

DISCOVERED = "discovered"
START, END, OTHER = "(start)", "(end)", "(other)"
MARKS = frozenset((START, END, OTHER))
_TITLES = {START: "Start", END: "End", OTHER: "Other"}
# Numbers of a step's rows within its run, and of the pass through OTHER behind it.
_STRIDE = 4


class ActivityLog(Protocol):
    """An event log made of activities, as EventLog.from_activities makes it."""

    journey_id: str

    @property
    def frame(self) -> pl.LazyFrame:
        """The canonical rows."""


def discover(log: ActivityLog, *, min_share: float = 0.05, title: str = "", timezone: str = "UTC") -> Journey:
    """Draw the graph that a log of activities walks.

    Parameters
    ----------
    log
        What :meth:`EventLog.from_activities` gives.
    min_share
        The cut-off: of the runs that leave a point, branches that fewer than this part of them take
        are led through the point "Other". A point's most frequent branch always stays.
    title, timezone
        Of the journey, which by default is called as the log calls it; its periods are cut in that zone.

    Raises
    ------
    LogError
        When the log holds no activities.

    Examples
    --------
    >>> import polars as pl
    >>> from journey_nb import EventLog, Journey
    >>> visits = pl.DataFrame({"who": ["a", "a", "b"], "what": ["look", "buy", "look"], "at": [1, 2, 3]})
    >>> log = EventLog.from_activities(visits, user="who", activity="what", time="at", time_unit="s")
    >>> journey = Journey.discover(log)
    >>> [(branch.target, branch.share) for branch in journey.version().outgoing("look")]
    [('(end)', 50.0), ('buy', 50.0)]
    """
    min_share = float(min_share)
    if not 0 <= min_share < 1:
        raise ValueError(f"min_share is {min_share!r}; give a part of 1, such as 0.05")
    if not hasattr(log, "frame"):
        raise LogError("discover takes a log of activities; make it with EventLog.from_activities(…)")
    rows = log.frame.filter(pl.col("fault").is_null(), pl.col("journey_id") == log.journey_id)
    moves = _moves(rows, min_share)
    if moves.is_empty():
        raise LogError(f"the log holds no activities; {_why_not(log.frame)}")
    branches = [
        Branch(source=source, key=target, target=target, share=share)
        for (source,), group in moves.group_by("point_id", maintain_order=True)
        for target, share in zip(group["branch"], _percent(group["runs"].to_list()), strict=True)
    ]
    used = {START, END, *(branch.target for branch in branches), *(branch.source for branch in branches)}
    points = [
        _point(point_id) for point_id in [START, *_in_order_of_time(rows), OTHER, END] if point_id in used
    ]
    return Journey(
        journey_id=log.journey_id,
        title=title or ("Discovered journey" if log.journey_id == DISCOVERED else log.journey_id),
        status="running",
        entry_type="trigger",
        timezone=timezone,
        origin="discovered",
        versions=(Version(version=1, points=tuple(points), branches=tuple(branches)),),
    )


def _why_not(rows: pl.LazyFrame) -> str:
    """Why a log is of no use: the rules its rows break, if they all do, and how to make one that is."""
    rules = rows.group_by(pl.col("fault").cast(pl.String)).agg(pl.len(), pl.col("fault_detail").first())
    counts = rules.collect().sort(-pl.col("len").cast(pl.Int64), "fault").rows()
    if not counts:
        return "it has no row"
    if any(rule is None for rule, *_ in counts):
        return "make it with EventLog.from_activities(…)"
    told = ", ".join(f"{rule} {count:,} ({detail[:120]})" for rule, count, detail in counts[:3])
    return f"0 of {sum(count for _, count, _ in counts):,} rows usable, because: {told}"


def _moves(rows: pl.LazyFrame, min_share: float) -> pl.DataFrame:
    """How many runs went from where to where, the most frequent branch first, with rare ones by OTHER."""
    completed = rows.filter(pl.col("kind") == "point.completed")
    moves = completed.group_by("point_id", "branch").agg(runs=pl.len()).collect()
    moves = moves.sort("point_id", -pl.col("runs").cast(pl.Int64), "branch")
    share = pl.col("runs") / pl.col("runs").sum().over("point_id")
    rare = (share < min_share) & (pl.int_range(pl.len()).over("point_id") > 0)
    moves = moves.with_columns(rare=rare)
    cut = moves.filter("rare")
    into = cut.group_by("point_id", maintain_order=True).agg(branch=pl.lit(OTHER), runs=pl.col("runs").sum())
    onward = (
        cut.group_by("branch")
        .agg(pl.col("runs").sum())
        .select(point_id=pl.lit(OTHER), branch="branch", runs="runs")
    )
    onward = onward.sort(-pl.col("runs").cast(pl.Int64), "branch")
    return pl.concat(
        [
            frame.select("point_id", "branch", "runs")
            for frame in (moves.filter(~pl.col("rare")), into, onward)
        ]
    )


def _in_order_of_time(rows: pl.LazyFrame) -> list[str]:
    """The activities as they usually follow each other."""
    entered = rows.filter(pl.col("kind") == "point.entered", pl.col("point_id") != END)
    return (
        entered.group_by("point_id")
        .agg(pl.col("seq").mean())
        .sort("seq", "point_id")
        .collect()["point_id"]
        .to_list()
    )


def _point(point_id: str) -> Point:
    return Point(
        point_id=point_id, title=_TITLES.get(point_id, ""), type="exit" if point_id == END else "activity"
    )


def _percent(runs: list[int]) -> list[float]:
    """Shares in per cent with two decimals that add up to 100: the largest remainders are rounded up."""
    total = sum(runs)
    parts = [divmod(10_000 * count, total) for count in runs]
    missing = 10_000 - sum(whole for whole, _ in parts)
    up = set(sorted(range(len(runs)), key=lambda i: (-parts[i][1], i))[:missing])
    return [(whole + (i in up)) / 100 for i, (whole, _) in enumerate(parts)]


def steps(rows: pl.DataFrame) -> pl.DataFrame:
    """Activities in the order of their runs, one row each: when it began, ended, and what came next.

    ``rows`` are point.entered and, where the log tells ends, point.completed; an end belongs to the
    begin of the same run, activity and instance (``message_id``) with the same number.
    """
    rows = rows.sort("occurred_at", "row")
    ends = rows.filter(pl.col("kind") == "point.completed")
    begins = rows.filter(pl.col("kind") == "point.entered")
    if ends.height:
        ends = _numbered(ends)
        begins = _numbered(begins).join(
            ends,
            on=["run_id", "point_id", "message_id", "nth"],
            how="full",
            coalesce=True,
            nulls_equal=True,
            suffix="_end",
        )
    else:
        begins = begins.with_columns(occurred_at_end=pl.lit(None, rows.schema["occurred_at"]))
    own = ["occurred_at", "row", "event_id", "user_id"]
    begun = [pl.coalesce(c, f"{c}_end").alias(c) if ends.height else pl.col(c) for c in own]
    found = begins.select("run_id", "point_id", *begun, end="occurred_at_end").sort(
        "run_id", "occurred_at", "row"
    )
    return _followed(found)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    nth = pl.int_range(pl.len()).over("run_id", "point_id", "message_id")
    return rows.select(
        "run_id", "point_id", "message_id", "occurred_at", "row", "event_id", "user_id", nth=nth
    )


def _followed(found: pl.DataFrame) -> pl.DataFrame:
    """Who follows whom. A run is at one activity at a time, so an activity ends when the next begins."""
    last = (pl.col("run_id") != pl.col("run_id").shift(-1)).fill_null(True)
    first = (pl.col("run_id") != pl.col("run_id").shift()).fill_null(True)
    then = pl.when(~last).then(pl.col("occurred_at").shift(-1))
    end = pl.coalesce("end", then, "occurred_at")
    return found.with_columns(
        first=first,
        last=last,
        next=pl.when(last).then(pl.lit(END)).otherwise(pl.col("point_id").shift(-1)),
        left_at=pl.max_horizontal("occurred_at", pl.min_horizontal(end, then)),
        number=pl.int_range(1, pl.len() + 1).over("run_id") * _STRIDE,
    )


def walk(found: pl.DataFrame, journey_id: str) -> pl.DataFrame:
    """The event rows of the runs that :func:`steps` found, as those of a journey."""
    first, last = found.filter("first"), found.filter("last")
    number = pl.col("number")
    rows = [
        _rows(first, 0, "run.entered", "occurred_at", pl.lit(START), number - _STRIDE),
        _rows(
            first,
            1,
            "point.completed",
            "occurred_at",
            pl.lit(START),
            number - _STRIDE + 1,
            pl.col("point_id"),
        ),
        _rows(found, 2, "point.entered", "occurred_at", pl.col("point_id"), number),
        _rows(found, 3, "point.completed", "left_at", pl.col("point_id"), number + 1, pl.col("next")),
        _rows(last, 4, "point.entered", "left_at", pl.lit(END), number + _STRIDE),
        _rows(
            last, 5, "run.exited", "left_at", pl.lit(END), number + _STRIDE + 1, reason=pl.lit("completed")
        ),
    ]
    return pl.concat(rows).with_columns(journey_id=pl.lit(journey_id)).sort("run_id", "seq")


def _rows(
    found: pl.DataFrame,
    which: int,
    kind: str,
    at: str,
    point: pl.Expr,
    seq: pl.Expr,
    branch: pl.Expr = pl.lit(None),  # noqa: B008 - an expression is a value
    reason: pl.Expr = pl.lit(None),  # noqa: B008
) -> pl.DataFrame:
    return found.select(
        event_id=filled("{}:{}", "event_id", pl.lit(which)),
        occurred_at=at,
        kind=pl.lit(kind),
        user_id="user_id",
        version=pl.lit(1, pl.Int32),
        run_id="run_id",
        point_id=point,
        branch=branch.cast(pl.String),
        reason=reason.cast(pl.String),
        seq=seq.cast(pl.Int64),
    )


def routed(rows: pl.DataFrame, journey: Journey) -> pl.DataFrame:
    """The same rows, with moves by branches that the journey does not draw led through OTHER."""
    ways = pl.DataFrame(
        [(branch.source, branch.key) for branch in journey.version().branches],
        schema={"point_id": pl.String, "branch": pl.String},
        orient="row",
    )
    left = rows.filter(pl.col("kind") == "point.completed").join(ways, on=["point_id", "branch"], how="anti")
    moved = left.join(ways.filter(pl.col("branch") == OTHER).select("point_id"), on="point_id", how="semi")
    moved = moved.join(ways.filter(pl.col("point_id") == OTHER).select("branch"), on="branch", how="semi")
    if moved.is_empty():
        return rows
    here = pl.lit(OTHER)
    through = [
        moved.with_columns(branch=here),
        moved.with_columns(
            kind=pl.lit("point.entered"),
            point_id=here,
            branch=pl.lit(None, pl.String),
            seq=pl.col("seq") + 1,
            event_id=filled("{}+", "event_id"),
        ),
        moved.with_columns(point_id=here, seq=pl.col("seq") + 2, event_id=filled("{}++", "event_id")),
    ]
    stay = rows.join(moved.select("event_id"), on="event_id", how="anti")
    return pl.concat([stay, *through]).sort("run_id", "seq")
