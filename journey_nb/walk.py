"""How a run is walked: whose row it is, in which order, and which rows its order forbids.

METRICS.md, sections 2 and 14: everything here is a function of the whole log as known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import polars as pl

from journey_nb.events import ATTEMPT_KINDS, KINDS, MESSAGE_KINDS
from journey_nb.journey import Journey

KIND = pl.Enum(KINDS)
PATH_KINDS = tuple(kind for kind in KINDS if kind.startswith(("run.", "point.", "wait.")))
# The kinds that move a run from point to point; waits and skips only happen where it stands.
MOVES = ("run.entered", "point.entered", "point.completed", "run.exited")


def of_kind(*kinds: str) -> pl.Expr:
    """Whether a row is of one of these kinds."""
    if len(kinds) == 1:
        return pl.col("kind") == pl.lit(kinds[0], KIND)
    return pl.col("kind").is_in(pl.Series(kinds, dtype=KIND).implode())


@dataclass(frozen=True)
class Walk:
    """A log in reading order.

    Attributes
    ----------
    rows
        The judged rows, with ``i`` (their index) and ``run`` and ``message`` (ids, null where there is none).
    steps
        The rows that load and belong to a run, run by run in reading order, narrow: i, run, at, kind,
        point, message, and ``pos``, the position (doubled, so that implied rows can stand in between).
    run_ids, message_ids
        The texts behind the ids.
    forbidden
        ``i`` and ``rule`` of the rows that the order of their run forbids.
    """

    rows: pl.DataFrame
    steps: pl.DataFrame
    run_ids: pl.Series
    message_ids: pl.Series
    forbidden: pl.DataFrame

    def column(self, name: str, i: pl.Series) -> pl.Series:
        """A column of the judged rows at the given indices."""
        return self.rows[name].gather(i)


def walk(journey: Journey, rows: pl.DataFrame) -> Walk:
    """Put judged rows into reading order and apply the rules of order.

    Parameters
    ----------
    journey
        Its versions order the points that one run passes in one instant.
    rows
        :attr:`journey_nb.events.Judged.rows`.
    """
    rows = _runs_by_message(rows.with_row_index("i"))
    loose = rows.lazy().filter(of_kind("goal.reached") & pl.col("run_id").is_null())
    loose_goals = loose.select("i", "user_id", "goal_id", "occurred_at").collect()
    if loose_goals.height:
        rows = _runs_by_window(journey, rows, loose_goals)
    return _walk(journey, rows)


def _runs_by_message(rows: pl.DataFrame) -> pl.DataFrame:
    """Give message rows without a run that of their message's first row with one."""
    messages = rows.lazy().filter(of_kind(*MESSAGE_KINDS))
    lost = messages.filter(pl.col("run_id").is_null()).select("i", "message_id").collect().lazy()
    known = (
        messages.filter(pl.col("run_id").is_not_null())
        .join(lost.select("message_id").unique(), on="message_id", how="semi")
        .sort("occurred_at", "kind", "event_id")
        .unique("message_id", keep="first", maintain_order=True)
        .select("message_id", found="run_id")
    )
    return _with_runs(rows, lost.join(known, on="message_id").select("i", "found").collect())


def _runs_by_window(journey: Journey, rows: pl.DataFrame, goals: pl.DataFrame) -> pl.DataFrame:
    """Give goals without a run the user's latest run whose window holds them (METRICS.md, 14.9)."""
    users = goals.lazy().select("user_id").unique()
    theirs = rows.lazy().join(users, on="user_id", how="semi").select("run_id").drop_nulls().unique()
    some = rows.lazy().join(theirs, on="run_id", how="semi", maintain_order="left").drop("i").collect()
    windows = _windows(_walk(journey, some.with_row_index("i")))
    days = {goal.goal_id: timedelta(days=goal.conversion_days) for goal in journey.goals}
    length = pl.col("goal_id").cast(pl.String).replace_strict(days, return_dtype=pl.Duration("us"))
    in_window = (pl.col("occurred_at") >= pl.col("entry")) & (
        pl.col("left").is_null() | (pl.col("occurred_at") <= pl.col("left") + length)
    )
    found = (
        goals.lazy()
        .join(windows.lazy(), on="user_id")
        .filter(in_window)
        .sort("entry", "event_id", "run_id")
        .unique("i", keep="last", maintain_order=True)
        .select("i", found="run_id")
    )
    return _with_runs(rows, found.collect())


def _windows(walk: Walk) -> pl.DataFrame:
    """Per run: user_id, run_id, entry (of a truncated run its first row), left, event_id of the entry."""
    heads = walk.steps.unique("run", keep="first", maintain_order=True)
    exits = walk.steps.filter(of_kind("run.exited")).select("run", left="at")
    event_id = walk.column("event_id", heads["i"])
    return heads.select(
        "run",
        user_id=walk.column("user_id", heads["i"]),
        run_id=walk.run_ids.gather(heads["run"]),
        entry="at",
        event_id=pl.when(of_kind("run.entered")).then(event_id),
    ).join(exits, on="run", how="left")


def _with_runs(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    if found.is_empty():
        return rows
    return rows.with_columns(rows["run_id"].scatter(found["i"], found["found"]))


def _walk(journey: Journey, rows: pl.DataFrame) -> Walk:
    is_message = rows.select(of_kind(*MESSAGE_KINDS)).to_series()
    run_ids, run = _interned(rows["run_id"])
    message_ids, message = _interned(rows.select(pl.when(is_message).then("message_id")).to_series())
    rows = rows.with_columns(run.alias("run"), message.alias("message"))
    steps = rows.select("i", "run", "kind", "message", at="occurred_at", point="point_id")
    lost = steps.filter(is_message & run.is_null()).select("i", rule=pl.lit("unresolved_message"))
    steps = _ordered(journey, steps.filter(run.is_not_null()), rows)
    steps = steps.with_columns(pos=pl.int_range(pl.len(), dtype=pl.Int64) * 2)
    steps = steps.with_columns(rule=_rules_of_order(steps, run_ids.len()))
    steps = steps.with_columns(rule=_second_completions(steps))
    forbidden = pl.concat([steps.filter(pl.col("rule").is_not_null()).select("i", "rule"), lost])
    if forbidden.height:
        steps = steps.filter(pl.col("rule").is_null())
    steps = steps.drop("rule").with_columns(pl.col("run").set_sorted())
    return Walk(rows, steps, run_ids, message_ids, forbidden)


def _interned(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The sorted distinct texts, and for each text its place among them."""
    known = texts.drop_nulls().unique().sort()
    # An Enum is the fastest dictionary that polars has: half the time of a join.
    return known, texts.cast(pl.Enum(known)).to_physical().cast(pl.UInt32)


# The order.


def _ordered(journey: Journey, steps: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort by run and time; then settle the instants in which a run has several rows."""
    steps = _by_run_and_time(steps).with_row_index("place")
    next_same = (pl.col("run") == pl.col("run").shift(-1)) & (pl.col("at") == pl.col("at").shift(-1))
    same = steps.select(next_same.fill_null(False)).to_series()
    begins = ~same.shift(1, fill_value=False)
    tied = same | ~begins
    if not tied.any():
        return steps.drop("place")
    ties = steps.filter(tied).with_columns(tie=begins.filter(tied).cum_sum())
    ties = ties.with_columns(seq=rows["seq"].gather(ties["i"]))
    told = ties.group_by("tie", maintain_order=True).agg(pl.col("seq").is_not_null().all())["seq"]
    told = told.gather(ties["tie"] - 1)
    ties = _by_seq(ties.with_columns(told=told, seq=pl.when(told).then("seq").otherwise(0)), rows)
    if not told.all():
        ties = _along_branches(journey, _put(steps, ties), ties, rows)
    return _put(steps, ties).drop("place")


def _by_run_and_time(steps: pl.DataFrame) -> pl.DataFrame:
    """Sorted by run and time, with one integer as key where both fit into it: twice as fast."""
    if steps.is_empty():
        return steps
    first, last = steps.select(
        pl.col("at").to_physical().min().alias("first"), pl.col("at").to_physical().max().alias("last")
    ).row(0)
    runs = int(steps["run"].max()) + 1  # type: ignore[arg-type]
    if runs * (last - first + 1) >= 2**63:
        return steps.sort("run", "at")
    key = pl.col("run").cast(pl.Int64) * (last - first + 1) + (pl.col("at").to_physical() - first)
    return steps.with_columns(key=key).sort("key").drop("key")


def _put(steps: pl.DataFrame, ties: pl.DataFrame) -> pl.DataFrame:
    """Lay tied rows, newly ordered, over the places they came from."""
    return steps[steps["place"].scatter(ties["place"].sort(), ties["place"])]


def _by_seq(ties: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Tied rows by seq (or place along the branches), then rank, then event_id where these are equal too."""
    ties = ties.sort("tie", "seq", "kind")
    equal = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in ("tie", "seq", "kind"))
    if ties.select(equal.any()).item():
        event_id = rows["event_id"].gather(ties["i"])
        ties = ties.with_columns(event_id=event_id).sort("tie", "seq", "kind", "event_id").drop("event_id")
    return ties


def _along_branches(
    journey: Journey, steps: pl.DataFrame, ties: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    """Order ties of several points by the way that the version's branches lead (METRICS.md, 14.8b)."""
    on_path = of_kind(*PATH_KINDS) & pl.col("point").is_not_null()
    groups = (
        ties.lazy()
        .filter(~pl.col("told") & on_path)
        .group_by("tie", maintain_order=True)
        .agg(
            pl.col("run", "i").first(),
            pl.col("point").cast(pl.String).unique().sort().alias("points"),
            pl.col("point").filter(of_kind("run.entered")).first().cast(pl.String).alias("entry"),
        )
        .filter(pl.col("points").list.len() > 1)
        .collect()
    )
    if groups.is_empty():
        return ties
    groups = groups.with_columns(version=rows["version"].gather(groups["i"]))
    groups = groups.join(_stood(steps, ties, groups), on="tie", how="left", maintain_order="left")
    places = _ways(journey, groups).with_columns(pl.col("point").cast(ties["point"].dtype))
    last = places.group_by("tie").agg(last=pl.col("seq").max())
    way = (
        ties.lazy()
        .select("tie", "point")
        .join(places.lazy(), on=["tie", "point"], how="left", maintain_order="left")
        .join(last.lazy(), on="tie", how="left", maintain_order="left")
        # A row without a point goes with the last point, a message of another point with the first.
        .select(
            pl.when(pl.col("point").is_null()).then("last").otherwise(pl.coalesce("seq", pl.col("last") * 0))
        )
        .collect()
        .to_series()
    )
    return _by_seq(ties.with_columns(seq=pl.coalesce(way, "seq")), rows)


def _stood(steps: pl.DataFrame, ties: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Per tie: the point where the run stood before it, and the tie of the row that says so."""
    moves = of_kind(*MOVES) & pl.col("point").is_not_null()
    return (
        steps.lazy()
        .join(groups.lazy().select("run"), on="run", how="semi", maintain_order="left")
        .join(ties.lazy().select("place", "tie"), on="place", how="left", maintain_order="left")
        .with_columns(
            stood=pl.when(moves).then(pl.col("point").cast(pl.String)).forward_fill().shift().over("run"),
            by=pl.when(moves).then(pl.col("tie").fill_null(0)).forward_fill().shift().over("run"),
        )
        .filter(pl.col("tie").is_not_null())
        .group_by("tie", maintain_order=True)
        .agg(pl.col("stood", "by").first())
        .collect()
    )


def _ways(journey: Journey, groups: pl.DataFrame) -> pl.DataFrame:
    """Per tie and point its place on the way; ties that no way explains have no rows."""
    direct = {
        version.version: frozenset((branch.source, branch.target) for branch in version.branches)
        for version in journey.versions
    }
    ways: dict[int, tuple[str, ...]] = {}
    for group in groups.iter_rows(named=True):
        # The tie before may itself have been ordered by branches: then the run stood at its last point.
        stood = ways[group["by"]][-1] if group["by"] in ways else group["stood"]
        edges = direct.get(group["version"], frozenset())
        if way := _way(edges, group["entry"], stood, tuple(group["points"])):
            ways[group["tie"]] = way
    rows = [(tie, point, place) for tie, way in ways.items() for place, point in enumerate(way)]
    return pl.DataFrame(rows, {"tie": pl.UInt32, "point": pl.String, "seq": pl.Int64}, orient="row")


@lru_cache(maxsize=65536)
def _way(
    edges: frozenset[tuple[str, str]], entry: str | None, stood: str | None, points: tuple[str, ...]
) -> tuple[str, ...]:
    """The alphabetically first path over all points; empty when there is none (or it is too long to find)."""
    if entry is not None:
        starts: Sequence[str] = (entry,)
    elif stood is None:
        starts = points
    else:
        starts = [point for point in points if point == stood or (stood, point) in edges]
    budget = 10_000  # a hostile log may tie hundreds of points; then rank decides
    stack: list[tuple[str, ...]] = [(start,) for start in reversed(starts)]
    while stack and budget:
        way = stack.pop()
        if len(way) == len(points):
            return way
        budget -= 1
        stack.extend(
            (*way, point) for point in reversed(points) if point not in way and (way[-1], point) in edges
        )
    return ()


# The rules of order.


def _rules_of_order(steps: pl.DataFrame, runs: int) -> pl.Series:
    """The rule that each row breaks, but for second completions; null where it breaks none."""
    enters = steps.filter(of_kind("run.entered")).unique("run", keep="first", maintain_order=True)
    entry = _by_run(enters, runs).gather(steps["run"])
    steps = steps.with_columns(entry=entry)
    exits = steps.filter(
        of_kind("run.exited") & (pl.col("entry").is_null() | (pl.col("pos") > pl.col("entry")))
    )
    left = _by_run(exits.unique("run", keep="first", maintain_order=True), runs).gather(steps["run"])
    steps = steps.with_columns(left=left)
    late = (pl.col("pos") > pl.col("left")).fill_null(False)
    rule = (
        pl.when(pl.col("pos") < pl.col("entry"))
        .then(pl.lit("before_entry"))
        .when(of_kind("run.entered") & (pl.col("pos") > pl.col("entry")))
        .then(pl.lit("second_entry"))
        .when(late & of_kind("run.exited"))
        .then(pl.lit("second_exit"))
        .when(late & of_kind(*PATH_KINDS))
        .then(pl.lit("after_exit"))
    )
    found = steps.select("i", "run", "message", "kind", "pos", "left", rule=rule)
    attempts = found.filter((pl.col("pos") > pl.col("left")) & of_kind(*ATTEMPT_KINDS))
    if attempts.is_empty():
        return found["rule"]
    in_time = found.filter((pl.col("pos") < pl.col("left")) & pl.col("rule").is_null())
    new = attempts.join(in_time, on=["run", "message"], how="anti")["i"]
    return found.select(
        pl.when(pl.col("i").is_in(new.implode())).then(pl.lit("after_exit")).otherwise("rule").alias("rule")
    ).to_series()


def _by_run(rows: pl.DataFrame, runs: int) -> pl.Series:
    """``pos`` of the given rows as an array over runs."""
    return pl.Series("pos", [None], pl.Int64).new_from_index(0, runs).scatter(rows["run"], rows["pos"])


def _second_completions(steps: pl.DataFrame) -> pl.Series:
    """A completion of a visit that is completed already, the run not having been seen elsewhere since."""
    moves = steps.filter(pl.col("rule").is_null() & of_kind(*MOVES) & pl.col("point").is_not_null())
    again = of_kind("point.completed") & pl.all_horizontal(
        pl.col(name) == pl.col(name).shift() for name in ("run", "point", "kind")
    )
    second = moves.filter(again)["pos"] // 2
    return steps["rule"].scatter(second, "second_completion") if second.len() else steps["rule"]
