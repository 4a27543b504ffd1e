"""How a run is walked: whose row it is, in which order, and which rows its order forbids.

METRICS.md, sections 2 and 14: everything here is a function of the whole log as known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache

import polars as pl

from journey_nb.events.words import ATTEMPT_KINDS, DERIVED, KINDS, MESSAGE_KINDS, OUTCOME_KINDS, UTC, of_kind
from journey_nb.journey import Journey
from journey_nb.reading import filled, interned

PATH_KINDS = tuple(kind for kind in KINDS if kind.startswith(("run.", "point.", "wait.")))
# The kinds that move a run from point to point; waits and skips only happen where it stands.
MOVES = ("run.entered", "point.entered", "point.completed", "run.exited")
# The kinds whose row, where it is the first of a truncated run, shows where the run stood before it.
SHOWS = ("wait.started", "point.skipped", "point.completed", "message.sent", "run.exited")
SINGLE_STEPS = 4  # back from run to run, before a table of longer ones is worth its making
_RULE = pl.Enum(
    [
        "before_entry",
        "second_entry",
        "second_exit",
        "after_exit",
        "second_completion",
        "unresolved_message",
    ]
)


@dataclass(frozen=True)
class Walk:
    """A log in reading order.

    Attributes
    ----------
    rows
        The judged rows, with ``i`` (their index) and ``run`` (an id, null where there is none).
    steps
        The rows that load and belong to a run, run by run in reading order, narrow: i, run, at, kind,
        point, message (an id), and ``pos``, the position (doubled, so that implied rows can stand in between).
    run_ids, message_ids
        The texts behind the ids: those of runs in order of time, those of messages as they first occur.
    forbidden
        ``i`` and ``rule`` of the rows that the order of their run forbids.
    """

    rows: pl.DataFrame
    steps: pl.DataFrame
    run_ids: pl.Series
    message_ids: pl.Series
    forbidden: pl.DataFrame

    def column(self, name: str, i: pl.Series) -> pl.Series:
        """A column of the judged rows at the given indices, codes as the texts they stand for."""
        return _text(self.coded(name, i))

    def coded(self, name: str, i: pl.Series) -> pl.Series:
        """The same as it is held."""
        return _gathered(self.rows[name], i)


def _gathered(column: pl.Series, i: pl.Series) -> pl.Series:
    # The rows come in the chunks they were read in; to look many up, a column must be in one piece.
    return column.rechunk().gather(i)


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical) else column


def heads(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row of each run, of rows that stand run by run."""
    return rows.filter(pl.col("run").ne_missing(pl.col("run").shift()))


def tails(rows: pl.DataFrame) -> pl.DataFrame:
    """The last row of each run, of rows that stand run by run."""
    return rows.filter(pl.col("run").ne_missing(pl.col("run").shift(-1)))


def walk(journey: Journey, rows: pl.DataFrame) -> Walk:
    """Put judged rows into reading order and apply the rules of order.

    Parameters
    ----------
    journey
        Its versions order the points that one run passes in one instant.
    rows
        :attr:`journey_nb.events.Judged.coded`.
    """
    rows = rows.drop("row", "journey_id", "source", strict=False)
    rows = _runs_by_entry(_runs_by_message(rows.with_row_index("i")))
    loose = rows.lazy().filter(of_kind("goal.reached") & pl.col("run_id").is_null())
    loose_goals = loose.select("i", "user_id", "goal_id", "occurred_at").collect()
    if loose_goals.height:
        rows = _runs_by_window(journey, rows, loose_goals)
    return _walk(journey, rows)


def _runs_by_message(rows: pl.DataFrame) -> pl.DataFrame:
    """Give message rows without a run that of their message's first row with one."""
    messages = rows.lazy().filter(of_kind(*MESSAGE_KINDS))
    lost = messages.filter(pl.col("run_id").is_null()).select("i", "message_id").collect()
    if lost.is_empty():
        return rows
    known = (
        messages.filter(pl.col("run_id").is_not_null())
        .join(lost.lazy().select("message_id").unique(), on="message_id", how="semi")
        .sort("occurred_at", "kind", "event_id")
        .unique("message_id", keep="first", maintain_order=True)
        .select("message_id", found="run_id")
    )
    return _with_runs(rows, lost.lazy().join(known, on="message_id").select("i", "found").collect())


def _runs_by_entry(rows: pl.DataFrame) -> pl.DataFrame:
    """Tell apart the runs of a source that names none: each begins with an entry of its user (METRICS.md, section 4).

    What was before a user's first entry stays one run. A message is of the run in which its first row was.
    """
    some = rows.select("i", "run_id", "user_id", "kind", "message_id", "event_id", at="occurred_at")
    unnamed = _begin_with(some["run_id"], DERIVED)
    if not unnamed.any():
        return rows
    users = some.filter(unnamed).select("user_id", one="run_id").unique("user_id")
    is_message = of_kind(*MESSAGE_KINDS)
    # Beside its own rows the outcomes of messages that nobody sent.
    lost = some.filter(is_message & pl.col("run_id").is_null()).join(users, on="user_id")
    own = some.filter(unnamed).with_columns(one="run_id")
    own = pl.concat([own, lost], how="diagonal").sort("at", "kind", "event_id")
    entered = own.filter(of_kind("run.entered")).unique(["one", "at"], keep="first", maintain_order=True)
    instant = pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    entered = entered.select("one", "at", found=filled("{}/{}", pl.col("one").cast(pl.String), instant))
    message = pl.when(is_message).then("message_id").otherwise(pl.lit("row ") + pl.col("i").cast(pl.String))
    own = own.with_columns(pl.col("one", "at").first().over(message)).sort("at", maintain_order=True)
    own = own.join_asof(entered, on="at", by="one", check_sortedness=False)
    found = own.select("i", found=pl.coalesce("found", pl.col("one").cast(pl.String)))
    return _with_runs(rows, found)


def _begin_with(texts: pl.Series, word: str) -> pl.Series:
    coded = isinstance(texts.dtype, pl.Categorical)
    return (texts.cat.starts_with(word) if coded else texts.str.starts_with(word)).fill_null(False)


def _runs_by_window(journey: Journey, rows: pl.DataFrame, goals: pl.DataFrame) -> pl.DataFrame:
    """Give goals without a run the user's latest run whose window holds them (METRICS.md, 14.9)."""
    theirs = rows["run_id"].filter(_among(rows["user_id"], goals["user_id"]))
    some = rows.filter(_among(rows["run_id"], theirs)).drop("i").with_row_index("i")
    windows = _windows(_walk(journey, some))
    days = {goal.goal_id: timedelta(days=goal.conversion_days) for goal in journey.goals}
    length = pl.col("goal_id").cast(pl.String).replace_strict(days, return_dtype=pl.Duration("us"))
    wanted = goals.select("i", _text(goals["user_id"]), at=pl.col("occurred_at"), length=length)
    # A run that was under way when the log began was entered before all others, whenever its first row is.
    for truncated in (False, True):
        found = _latest_that_holds(wanted, windows.filter(truncated=truncated).drop("truncated"))
        wanted = wanted.join(found, on="i", how="anti")
        rows = _with_runs(rows, found)
    return rows


def _among(texts: pl.Series, some: pl.Series) -> pl.Series:
    return texts.is_in(some.drop_nulls().unique().implode())


def _latest_that_holds(goals: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """For each goal the user's latest-entered run whose window holds it: i, found.

    From the last entry before the goal back, run by run: nearly always one step or two, where a join of all
    goals with all runs of a user would be quadratic for an id that many share. So would be single steps where
    an early run never ended: who needs more than a few goes past all runs left no later than one that fails.
    """
    forever = pl.lit(datetime(9000, 1, 1, tzinfo=UTC_ZONE), UTC)
    windows = windows.sort("user_id", "entry", "event_id", "run_id").with_columns(
        place=pl.int_range(pl.len(), dtype=pl.Int64), left=pl.col("left").fill_null(forever)
    )
    windows = windows.with_columns(
        first=pl.col("place").min().over("user_id"), latest=pl.col("left").cum_max().over("user_id")
    )
    entries = windows.select("user_id", "entry", "place").sort("entry", "place")
    pending = goals.sort("at").join_asof(
        entries, left_on="at", right_on="entry", by="user_id", check_sortedness=False
    )
    pending = pending.drop("entry").drop_nulls("place")
    found = [pl.DataFrame(schema={"i": goals.schema["i"], "found": pl.String})]
    steps, back = 0, windows["place"] - 1
    while pending.height:
        here = windows.select("left", "latest", "run_id")[pending["place"]]
        pending = pl.concat([pending, here], how="horizontal")
        holds = pl.col("at") <= pl.col("left") + pl.col("length")
        found.append(pending.filter(holds).select("i", found="run_id"))
        earlier_holds = pl.col("at") <= pl.col("latest") + pl.col("length")
        pending = pending.filter(~holds & earlier_holds).select("i", "user_id", "at", "length", "place")
        steps += 1
        if steps == SINGLE_STEPS:
            back = _left_later(windows, pending["user_id"])
        pending = pending.with_columns(place=back.gather(pending["place"]))
    return pl.concat(found)


def _left_later(windows: pl.DataFrame, users: pl.Series) -> pl.Series:
    """By the place of each run of these users, that of the last before it that was left later, if there is one."""
    theirs = windows.filter(_among(windows["user_id"], users))
    left: dict[int, int] = {}
    back: dict[int, int] = {}
    for place, first, at in theirs.select("place", "first", pl.col("left").to_physical()).iter_rows():
        other = place - 1
        while other >= first and left[other] <= at:
            other = back[other]
        left[place], back[place] = at, other
    return (windows["place"] - 1).scatter(list(back), list(back.values()))


def _windows(walk: Walk) -> pl.DataFrame:
    """Per run: user_id, run_id, truncated, entry (of a truncated run its first row), left, event_id of the entry."""
    first = heads(walk.steps)
    exits = walk.steps.filter(of_kind("run.exited")).select("run", left="at")
    event_id = walk.column("event_id", first["i"])
    return first.select(
        "run",
        user_id=walk.column("user_id", first["i"]),
        run_id=walk.run_ids.gather(first["run"]),
        entry="at",
        event_id=pl.when(of_kind("run.entered")).then(event_id),
        truncated=~of_kind("run.entered"),
    ).join(exits, on="run", how="left")


def _with_runs(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    if found.is_empty():
        return rows
    return rows.with_columns(rows["run_id"].scatter(found["i"], found["found"].cast(rows.schema["run_id"])))


def _walk(journey: Journey, rows: pl.DataFrame) -> Walk:
    is_message = of_kind(*MESSAGE_KINDS)
    message = _coded(rows.select(pl.when(is_message).then("message_id")).to_series())
    run_ids, run = _in_order_of_time(rows)
    rows = rows.with_columns(run=run, message=message.to_physical())
    lost = rows.filter(is_message & pl.col("run").is_null())
    lost = lost.select("i", rule=pl.lit("unresolved_message", _RULE))
    steps = _ordered(journey, _by_run_and_time(rows), rows)
    message_ids, messages = _ids_by_place(steps, rows)
    steps = steps.with_columns(message=messages, pos=pl.int_range(pl.len(), dtype=pl.Int64) * 2)
    forbidden = _forbidden(steps, run_ids.len())
    if forbidden.height:
        steps = steps.filter(~pl.col("i").is_in(forbidden["i"].implode()))
    steps = steps.with_columns(pl.col("run").set_sorted())
    return Walk(rows.drop("message"), steps, run_ids, message_ids, pl.concat([forbidden, lost]))


def _coded(texts: pl.Series) -> pl.Series:
    return texts if isinstance(texts.dtype, pl.Categorical) else interned(texts)


def _in_order_of_time(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The run ids in order of their first rows' times, and for each row its run's place among them."""
    coded = _coded(rows["run_id"])
    codes = coded.to_physical()
    row = pl.int_range(codes.len(), dtype=pl.UInt32, eager=True)
    first = rows.select(code=codes, at="occurred_at").drop_nulls().group_by("code").agg(pl.col("at").min())
    words = coded.gather(by_code(codes, row).gather(first["code"])).cast(pl.String)
    order = first.select(pl.arg_sort_by("at", words)).to_series()
    return words.gather(order), _places(first["code"].gather(order)).gather(codes)


def _ids_by_place(steps: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The message ids in order of their first rows, and for each row its message's place among them."""
    told = steps.select("i", "message").drop_nulls().with_row_index("place")
    first = by_code(told["message"], told["place"]).gather(told["message"])
    heads = told.filter(first == told["place"])
    message_ids = _text(_gathered(rows["message_id"], heads["i"]))
    return message_ids, _places(heads["message"]).gather(steps["message"])


def by_code(codes: pl.Series, values: pl.Series, count: int | None = None) -> pl.Series:
    """The first value of each code, as an array over codes (of which there are so many, else up to the last)."""
    if codes.null_count():
        told = codes.is_not_null()
        codes, values = codes.filter(told), values.filter(told)
    array = values.clear(count if count is not None else int(codes.max() or 0) + 1)  # type: ignore[arg-type]
    # Backwards, so that of several values the first is written last.
    return array.scatter(codes.reverse(), values.reverse()) if codes.len() else array


def _places(codes: pl.Series) -> pl.Series:
    """For each code its place, as an array over codes."""
    return by_code(codes, pl.int_range(codes.len(), dtype=pl.UInt32, eager=True))


# The order.


def _by_run_and_time(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a run, run by run in order of time, narrow."""
    narrow = rows.select("run", "kind", "message", "seq", at="occurred_at", point="point_id").rechunk()

    def taken(i: pl.Series) -> pl.DataFrame:
        # A column at a time in a query: polars gathers them side by side.
        return narrow.select(i.alias("i"), pl.all().gather(i))

    steps = taken(_code_by_code(narrow["run"]))
    # Whether a log is sorted by time, user or run, the rows of each run mostly stand in order of time.
    same_run = pl.col("run") == pl.col("run").shift()
    if steps.select((same_run & (pl.col("at") < pl.col("at").shift())).any()).item():
        timely = narrow["at"].arg_sort()
        steps = taken(timely.gather(_code_by_code(narrow["run"].gather(timely))))
    return steps


def _code_by_code(codes: pl.Series) -> pl.Series:
    """Where the rows of each code stand, in their order; rows without a code left out.

    Code and place make one integer each; sorting integers by themselves is several times faster than
    sorting rows by columns.
    """
    keys = codes.cast(pl.UInt64) * 2**32 + pl.int_range(codes.len(), dtype=pl.UInt64, eager=True)
    return (keys.drop_nulls().sort() % 2**32).cast(pl.UInt32)


def _ordered(journey: Journey, steps: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Settle the instants in which a run has several rows."""
    after = {name: pl.col(name).shift(-1) for name in ("run", "at", "kind", "point", "seq")}
    same = ((pl.col("run") == after["run"]) & (pl.col("at") == after["at"])).fill_null(False)
    by_seq = (pl.col("seq") < after["seq"]).fill_null(False)
    by_rank = (
        pl.col("seq").is_null()
        & after["seq"].is_null()
        & (pl.col("kind") < after["kind"])
        & pl.col("point").eq_missing(after["point"])
    )
    # Most ties stand in order as they come: what is left to do is a small part.
    pairs = steps.select(same=same, unsettled=same & ~(by_seq | by_rank))
    if not pairs["unsettled"].any():
        return steps.drop("seq")
    steps = steps.with_row_index("place")
    tie = (~pairs["same"].shift(1, fill_value=False)).cum_sum()
    open_ties = pl.repeat(False, tie[-1] + 1, eager=True).scatter(tie.filter(pairs["unsettled"]), True)
    tied = open_ties.gather(tie)
    ties = steps.filter(tied).with_columns(tie=tie.filter(tied).rle_id() + 1)
    told = ties.group_by("tie", maintain_order=True).agg(pl.col("seq").is_not_null().all())["seq"]
    told = told.gather(ties["tie"] - 1)
    ties = _by_seq(ties.with_columns(told=told, seq=pl.when(told).then("seq").otherwise(0)), rows)
    if not told.all():
        ties = _along_branches(journey, _put(steps, ties), ties, rows)
    return _put(steps, ties).drop("place", "seq")


def _put(steps: pl.DataFrame, ties: pl.DataFrame) -> pl.DataFrame:
    """Lay tied rows, newly ordered, over the places they came from."""
    return steps[steps["place"].scatter(ties["place"].sort(), ties["place"])]


def _by_seq(ties: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Tied rows by seq (or place along the branches), then rank, then event_id where these are equal too."""
    ties = ties.sort("tie", "seq", "kind")
    equal = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in ("tie", "seq", "kind"))
    if ties.select(equal.any()).item():
        event_id = _gathered(rows["event_id"], ties["i"])
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
            pl.col("point")
            .filter(of_kind(*MOVES), ~of_kind("run.entered"))
            .cast(pl.String)
            .unique()
            .alias("moved"),
            pl.col("point").filter(of_kind("point.entered")).cast(pl.String).unique().alias("arrived"),
            pl.col("point").filter(of_kind("run.entered")).first().cast(pl.String).alias("entry"),
        )
        .filter(pl.col("points").list.len() > 1)
        .collect()
    )
    if groups.is_empty():
        return ties
    groups = groups.with_columns(version=_gathered(rows["version"], groups["i"]))
    groups = groups.join(_stood(steps, ties, groups), on="tie", how="left", maintain_order="left")
    # A run that is entered again stays where it is: that row is to be set aside.
    groups = groups.with_columns(entry=pl.when(~pl.col("entered")).then("entry"))
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
    """Per tie: whether the run was entered before it, where it stood, and the tie of the row that says so."""
    entered = of_kind("run.entered")
    entries = entered.cum_sum().over("run")
    truncated = ~entered.any().over("run")
    first = pl.col("run").ne_missing(pl.col("run").shift())
    # Before its one entry a run is nowhere; a truncated one stood where its first row shows it.
    moves = of_kind(*MOVES) & ((entries > 0) & ~(entered & (entries > 1)) | truncated)
    moves |= truncated & first & of_kind(*SHOWS)
    tells = moves & pl.col("point").is_not_null()
    return (
        steps.lazy()
        .join(groups.lazy().select("run"), on="run", how="semi", maintain_order="left")
        .join(ties.lazy().select("place", "tie"), on="place", how="left", maintain_order="left")
        .with_columns(
            stood=pl.when(tells).then(pl.col("point").cast(pl.String)).forward_fill().shift().over("run"),
            by=pl.when(tells).then(pl.col("tie").fill_null(0)).forward_fill().shift().over("run"),
            entered=entries > entered.cast(pl.UInt32),
        )
        .filter(pl.col("tie").is_not_null())
        .group_by("tie", maintain_order=True)
        .agg(pl.col("entered", "stood", "by").first())
        .collect()
    )


def _ways(journey: Journey, groups: pl.DataFrame) -> pl.DataFrame:
    """Per tie and point its place on the way; ties that no way explains have no rows."""
    direct = {
        version.version: frozenset((branch.source, branch.target) for branch in version.branches)
        for version in journey.versions
    }
    ways: dict[int, tuple[str, ...]] = {}
    stands: dict[int, str] = {}
    for group in groups.iter_rows(named=True):
        # The tie before may itself have been ordered by branches: then the run stood where that led it.
        stood = stands.get(group["by"], group["stood"])
        edges = direct.get(group["version"], frozenset())
        stays = stood not in group["arrived"]
        if way := _way(edges, group["entry"], stood, stays, tuple(group["points"])):
            ways[group["tie"]] = way
            if moved := [point for point in way if point in group["moved"] or point == group["entry"]]:
                stands[group["tie"]] = moved[-1]
    rows = [(tie, point, place) for tie, way in ways.items() for place, point in enumerate(way)]
    return pl.DataFrame(rows, {"tie": pl.UInt32, "point": pl.String, "seq": pl.Int64}, orient="row")


@lru_cache(maxsize=65536)
def _way(
    edges: frozenset[tuple[str, str]],
    entry: str | None,
    stood: str | None,
    stays: bool,
    points: tuple[str, ...],
) -> tuple[str, ...]:
    """The alphabetically first path over all points; empty when there is none (or it is too long to find).

    What happens where the run stands, and is no arrival (``stays``), is before it goes.
    """
    if entry is not None:
        starts: Sequence[str] = (entry,)
    elif stood is None:
        starts = points
    else:
        starts = [point for point in points if point == stood or (stood, point) in edges]
        starts.sort(key=lambda point: not (stays and point == stood))
    inner = [(one, other) for one in points for other in points if one != other and (one, other) in edges]
    # A point that nothing leads to can only be the first, one that leads nowhere only the last.
    headless, endless = ({*points} - {edge[side] for edge in inner} for side in (1, 0))
    if len(headless) > 1 or len(endless) > 1:
        return ()
    starts = [point for point in starts if headless <= {point}]
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


def _forbidden(steps: pl.DataFrame, runs: int) -> pl.DataFrame:
    """The rows that break a rule of order: i, rule."""
    suspects = _suspects(steps, runs)
    if suspects.is_empty():
        return _second_completions(steps)
    broken = _broken(suspects, runs)
    steps = steps.filter(~pl.col("i").is_in(broken["i"].implode()))
    return pl.concat([broken, _second_completions(steps)])


def _suspects(steps: pl.DataFrame, runs: int) -> pl.DataFrame:
    """All rows of the runs that are entered after their first row, or go on after an exit."""
    goes_on = of_kind("run.exited") & (pl.col("run") == pl.col("run").shift(-1))
    late_entry = of_kind("run.entered") & (pl.col("run") == pl.col("run").shift())
    told = steps.select("run", goes_on=goes_on, late_entry=late_entry)
    # What comes after an exit is most often the fate of a message or a goal, and welcome.
    after_exit = _of_runs(steps, told.filter("goes_on")["run"], runs)
    exits = after_exit.filter(~of_kind(*OUTCOME_KINDS, "goal.reached")).filter(goes_on)["run"]
    return _of_runs(steps, pl.concat([told.filter("late_entry")["run"], exits]), runs)


def _of_runs(steps: pl.DataFrame, some: pl.Series, runs: int) -> pl.DataFrame:
    """The rows of some of the runs."""
    if some.is_empty():
        return steps.clear()
    chosen = pl.repeat(False, runs, eager=True).scatter(some, True)
    return steps.filter(chosen.gather(steps["run"]))


def _broken(steps: pl.DataFrame, runs: int) -> pl.DataFrame:
    """The rows that break a rule, but for second completions."""
    enters = heads(steps.filter(of_kind("run.entered")))
    steps = steps.with_columns(entry=_by_run(enters, runs).gather(steps["run"]))
    exits = steps.filter(
        of_kind("run.exited") & (pl.col("entry").is_null() | (pl.col("pos") > pl.col("entry")))
    )
    steps = steps.with_columns(left=_by_run(heads(exits), runs).gather(steps["run"]))
    late = (pl.col("pos") > pl.col("left")).fill_null(False)
    rule = (
        pl.when(pl.col("pos") < pl.col("entry"))
        .then(pl.lit("before_entry", _RULE))
        .when(of_kind("run.entered") & (pl.col("pos") > pl.col("entry")))
        .then(pl.lit("second_entry", _RULE))
        .when(late & of_kind("run.exited"))
        .then(pl.lit("second_exit", _RULE))
        .when(late & of_kind(*PATH_KINDS))
        .then(pl.lit("after_exit", _RULE))
    )
    steps = steps.with_columns(rule=rule)
    # After the exit nothing is attempted any more but messages that had a row before it.
    attempts = steps.filter((pl.col("pos") > pl.col("left")) & of_kind(*ATTEMPT_KINDS))
    in_time = steps.filter((pl.col("pos") < pl.col("left")) & pl.col("rule").is_null())
    new = attempts.join(in_time, on=["run", "message"], how="anti", nulls_equal=True)
    new = new.select("i", pl.coalesce("rule", pl.lit("after_exit", _RULE)))
    told = steps.filter(pl.col("rule").is_not_null()).select("i", "rule")
    return pl.concat([told, new.join(told, on="i", how="anti")])


def _by_run(rows: pl.DataFrame, runs: int) -> pl.Series:
    """``pos`` of the given rows as an array over runs."""
    return pl.Series("pos", [None], pl.Int64).new_from_index(0, runs).scatter(rows["run"], rows["pos"])


def _second_completions(steps: pl.DataFrame) -> pl.DataFrame:
    """Completions of a visit that is completed already, the run not having been seen elsewhere since."""
    moves = steps.select("i", "run", "point", "kind").filter(of_kind(*MOVES) & pl.col("point").is_not_null())
    again = of_kind("point.completed") & pl.all_horizontal(
        pl.col(name) == pl.col(name).shift() for name in ("run", "point", "kind")
    )
    return moves.filter(again).select("i", rule=pl.lit("second_completion", _RULE))
