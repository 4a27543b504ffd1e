"""The fold: the event log becomes narrow tables of runs, visits, messages and goals."""

# ruff: noqa: D102 - the attributes of the protocol are told in its docstring
from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from journey_nb.events.account import Judged
from journey_nb.events.words import DERIVED, EXITS, KIND, KINDS, MESSAGE_KINDS, OUTCOME_KINDS, UTC, of_kind
from journey_nb.journey import Journey
from journey_nb.reading import read_arrow
from journey_nb.subset import TABLES, OfUsers, Tables
from journey_nb.walk import MOVES, SHOWS, Walk, by_code, heads, tails, walk

OUTCOMES = pl.Enum(["completed", "exited", "dropped"])
CREDITS = pl.Enum(["direct", "indirect"])


class Facts(Protocol):
    """What the metrics read. Times are UTC in µs; ``run``, ``user`` and ``message`` are dense ids.

    Attributes
    ----------
    runs
        One row a run, in order of ``run``: run, run_id, user, user_id, device_id, version, run_no,
        entry_point, entered_at (null: the log begins mid-way), first_at, last_at, left_at, reason,
        reason_detail, exit_point, truncated, inside (False: known only by message outcomes or
        goals, never inside the journey), variant, variant_at, derived (its source has no run ids).
    visits
        One row a stay at a point, in reading order: run, user, visit, point, arrived_at (null: stood
        there before the log begins), left_at (null: still there), outcome (completed, exited,
        dropped), branch, traversed (left by a branch, known or not), known (by a known one),
        to_point (where that branch leads), derived, skip_at, skip_reason, version (of the row that
        opened it), left_version (of the row that closed it), order and left_order (of these rows), skip_order.
    waits
        One row a wait, in reading order: run, visit, point, at, cause, due_at.
    messages
        One row a message: message, message_id, run, user, point, channel, variant, sent_at (in-app:
        shown), sent_inferred, failed_at, fail_reason, bounced_at, bounce_reason, skipped_at,
        skip_reason, delivered_at, opened_at, opened_inferred, clicked_at, opened_any_at,
        clicked_any_at (machines included), shown_at, interacted_at, dismissed_at, replied_at,
        unsubscribed_at, complained_at, engaged_at (first open, click, interaction or reply by a person),
        version, sent_order, engaged_order and skipped_order (in the reading order).
    goals
        One row a goal reached: goal, run (null: no run's), user, at, order (in the reading order),
        value, currency, counts (inside its run's window), implied, here (the point of the visit open
        then), credit, credit_message, credit_point, credit_channel.
    events
        All loaded rows of runs in reading order: run, at, kind, point, message, machine (whether one opened or clicked),
        order.
    devices
        One row for every device that any row of a run carries: run, user, device_id.
    users
        The user_id behind each ``user``, in its order.
    quarantined, read, duplicates
        The rows set aside, and how many rows were read and were there before.
    first_at, last_at
        The first and last instant of any run or goal.
    folded
        All of it in memory.
    rows
        Those rows of a table (by its name) that hold, as in the whole table, which need not be made for them; what must
        hold names no ids.
    of_users
        The facts of some users (ids): their runs in the same order, ids dense again. Messages of somebody else that their
        events name belong to them, of no run there, where ``named``: a path shows them, no count needs them.
    known_by
        The users (ids) whose user_id a word is, and those of whom any row carries it as its device.
    """

    @property
    def runs(self) -> pl.DataFrame: ...
    @property
    def visits(self) -> pl.DataFrame: ...
    @property
    def waits(self) -> pl.DataFrame: ...
    @property
    def messages(self) -> pl.DataFrame: ...
    @property
    def goals(self) -> pl.DataFrame: ...
    @property
    def events(self) -> pl.DataFrame: ...
    @property
    def devices(self) -> pl.DataFrame: ...
    @property
    def users(self) -> pl.DataFrame: ...
    @property
    def quarantined(self) -> pl.DataFrame: ...
    @property
    def read(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def first_at(self) -> datetime: ...
    @property
    def last_at(self) -> datetime: ...
    @property
    def folded(self) -> Folded: ...
    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame: ...
    def of_users(self, users: pl.Series, *, named: bool = True) -> Facts: ...
    def known_by(self, word: str) -> pl.Series: ...


@dataclass(frozen=True)
class Folded:
    """Facts held in memory, with what was read, loaded and set aside on the way to them."""

    runs: pl.DataFrame
    visits: pl.DataFrame
    waits: pl.DataFrame
    messages: pl.DataFrame
    goals: pl.DataFrame
    events: pl.DataFrame
    devices: pl.DataFrame
    users: pl.DataFrame
    quarantined: pl.DataFrame
    read: int
    duplicates: int
    first_at: datetime
    last_at: datetime

    @property
    def folded(self) -> Folded:
        """Itself: it is in memory."""
        return self

    def rows(self, name: str, where: pl.Expr) -> pl.DataFrame:
        """See :class:`Facts`."""
        table: pl.DataFrame = getattr(self, name)
        return table.filter(where)

    def of_users(self, users: pl.Series, *, named: bool = True) -> Folded:
        """See :class:`Facts`."""
        keep = pl.repeat(False, self.users.height, eager=True).scatter(users, True)
        return self.with_tables(OfUsers(self.__getattribute__, keep, named=named).table)

    def known_by(self, word: str) -> pl.Series:
        """See :class:`Facts`."""
        return known_by(self, word)

    def with_tables(self, tables: Tables) -> Folded:
        """The same account of rows, with other tables; first and last instant are theirs."""
        made: dict[str, Any] = {name: tables(name) for name in TABLES}
        ends = pl.concat([made["runs"]["first_at"], made["runs"]["last_at"], made["goals"]["at"]])
        if ends.len():
            made |= {"first_at": ends.min(), "last_at": ends.max()}
        return replace(self, **made)

    @property
    def loaded(self) -> int:
        """Rows that count: read less duplicates less quarantined."""
        return self.read - self.duplicates - self.quarantined.height

    def save(self, folder: Path) -> None:
        """Write the tables as Arrow IPC files into a folder, for :meth:`load`."""
        numbers = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, pl.DataFrame):
                # As views, texts would lie as threads have come by them: other bytes each time, of the same table.
                value.write_ipc(
                    folder / f"{field.name}.arrow", compression="lz4", compat_level=pl.CompatLevel.oldest()
                )
            else:
                numbers[field.name] = value.isoformat() if isinstance(value, datetime) else value
        (folder / "facts.json").write_text(json.dumps(numbers), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Folded:
        """Facts that :meth:`save` has written."""
        told = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        times = {name: datetime.fromisoformat(told[name]) for name in ("first_at", "last_at")}
        tables = [field.name for field in fields(cls) if field.name not in told]
        return cls(**told | times | {name: read_arrow(folder / f"{name}.arrow") for name in tables})


def known_by(facts: Facts, word: str) -> pl.Series:
    """The users (ids) whose user_id a word is, and those of whom any row carries it as its device."""
    own = (facts.users["user_id"] == word).arg_true()
    carriers = facts.devices.filter(pl.col("device_id") == word)["user"]
    return pl.concat([own, carriers]).unique().sort()


def fold(journey: Journey, judged: Judged) -> Folded:
    """Walk every run once, in reading order, and settle there what the metrics need.

    Parameters
    ----------
    journey
        What was designed: its versions, goals and split points.
    judged
        The log after :meth:`journey_nb.EventLog.judge`.

    Returns
    -------
    Folded
        The fact tables, and the quarantine with the rules of order added.

    Notes
    -----
    The rules are those of METRICS.md, sections 2, 4, 6 and 14. After any of the four kinds that move
    a run (:data:`journey_nb.walk.MOVES`) the run's latest visit is at that row's point, and open unless
    the row completed it. So a row and the one before it settle everything, and the fold is shifts over
    one sorted frame.
    """
    done = walk(journey, judged.coded)
    moves = _moves(done)
    # Polars works outside of Python's lock, and most steps below on one core: so two go side by side.
    with ThreadPoolExecutor(1) as aside:
        ahead = aside.submit(_messages, done), aside.submit(_devices, done)
        visits, runs, waits = _visits(journey, done, moves), _runs(done, moves), _waits(done, moves)
        messages, sends = ahead[0].result()
        devices = ahead[1].result()
    goals = _goals(journey, done, runs, moves, messages, sends)
    users = pl.concat([runs["user_id"], goals["user_id"].drop_nulls()]).unique().sort()
    ids = users.to_frame("user_id").with_row_index("user")
    runs = runs.join(ids, on="user_id", how="left", maintain_order="left")
    runs = _with_variants(journey, runs, visits, messages)
    goals = goals.join(ids, on="user_id", how="left", maintain_order="left")
    goals = goals.with_columns(user=pl.coalesce(runs["user"].gather(goals["run"]), "user"))
    ends = pl.concat([done.steps["at"], goals["at"]]) if goals["run"].null_count() else done.steps["at"]
    empty = unseen(journey)
    return Folded(
        runs=runs.select(RUNS),
        visits=visits.with_columns(user=runs["user"].gather(visits["run"])).select(VISITS),
        waits=waits,
        messages=messages.with_columns(user=runs["user"].gather(messages["run"])).select(MESSAGES),
        goals=goals.select(GOALS),
        events=done.steps.select(
            *("run", "at", "kind", "point", "message"),
            machine=done.column("is_machine", done.steps["i"]),
            order="pos",
        ),
        devices=devices.select("run", runs["user"].gather(devices["run"]), "device_id"),
        users=users.to_frame("user_id"),
        quarantined=_quarantined(judged, done),
        read=judged.read,
        duplicates=judged.duplicates,
        first_at=_instant(ends.min(), empty),
        last_at=_instant(ends.max(), empty),
    )


def unseen(journey: Journey) -> datetime:
    """When a journey stands of which nothing has been seen: at its launch, else when it was made, if that is known."""
    return journey.launched_at or journey.created_at or datetime(1970, 1, 1, tzinfo=UTC_ZONE)


def _instant(value: object, otherwise: datetime) -> datetime:
    return value if isinstance(value, datetime) else otherwise


# Visits.


def _moves(done: Walk) -> pl.DataFrame:
    """The rows that move a run, with the visit each belongs to and whether that is open after it.

    A truncated run whose first row shows where it stood before the log begins gets a row of its own for
    that, at no time (METRICS.md, 14.8a). An entry at the point where the run has just been entered is
    the same visit, and left out.
    """
    steps = done.steps.select("i", "run", "pos", "at", "kind", "point")
    stood = heads(steps).filter(of_kind(*SHOWS), pl.col("point").is_not_null())
    moves = steps.filter(of_kind(*MOVES))
    if stood.height:
        stood = stood.with_columns(
            pos=pl.col("pos") - 1, at=pl.lit(None, UTC), kind=pl.lit("point.entered", KIND)
        )
        moves = pl.concat([moves, stood]).sort("pos")
    moves = moves.with_columns(run=pl.col("run").set_sorted())
    same_run = (pl.col("run") == pl.col("run").shift()).fill_null(False)
    there = same_run & (pl.col("point") == pl.col("point").shift()).fill_null(False)
    moves = moves.filter(
        ~(of_kind("point.entered") & there & (pl.col("kind").shift() == pl.lit("run.entered", KIND)))
    )
    opens = (
        pl.when(of_kind("point.completed"))
        .then(~there)  # there it is open: a second completion has been set aside
        .when(of_kind("run.exited"))
        .then(pl.col("point").is_not_null() & ~there)
        .otherwise(True)
    )
    moves = moves.with_columns(opens=opens, open=~of_kind("point.completed", "run.exited"), first=~same_run)
    nowhere = pl.col("first") & ~pl.col("opens")
    return moves.with_columns(
        visit=pl.when(~nowhere).then(pl.col("opens").cum_sum().cast(pl.UInt32) - 1),
        stands=pl.coalesce("point", pl.when(~pl.col("first")).then(pl.col("point").shift())),
    )


def _visits(journey: Journey, done: Walk, moves: pl.DataFrame) -> pl.DataFrame:
    """One row a visit: closed by the row that opens it, by the next move of its run, or still open."""
    closed_at_once = of_kind("point.completed", "run.exited")
    has_next = ~pl.col("first").shift(-1, fill_value=True)
    ends = {
        f"end_{name}": pl.when(closed_at_once).then(name).when(has_next).then(pl.col(name).shift(-1))
        for name in ("i", "at", "kind", "pos")
    }
    onward = ~closed_at_once & has_next & pl.col("opens").shift(-1)
    visits = moves.with_columns(
        **ends,
        next_point=pl.when(onward).then(pl.col("point").shift(-1)),
        derived=closed_at_once | onward.fill_null(False),
    ).filter("opens")
    here = pl.col("next_point").is_null()
    visits = visits.with_columns(
        version=done.column("version", visits["i"]),
        end_version=done.column("version", visits["end_i"]),
        key=pl.when(here & (pl.col("end_kind") == pl.lit("point.completed", KIND))).then(
            done.column("branch", visits["end_i"]).fill_null("default")
        ),
        reason=pl.when(here & (pl.col("end_kind") == pl.lit("run.exited", KIND))).then(
            done.column("reason", visits["end_i"])
        ),
    )
    visits = _with_branches(journey, visits)
    skips = _at_open_visit(moves, done.steps.filter(of_kind("point.skipped")))
    skips = skips.unique("visit", keep="first", maintain_order=True)
    skips = skips.select(
        "visit", skip_at="at", skip_order="pos", skip_reason=done.column("reason", skips["i"])
    )
    outcome = (
        pl.when(pl.col("reason").is_null() | (pl.col("reason") == "completed"))
        .then(pl.lit("completed", OUTCOMES))
        .when(pl.col("reason").is_in(EXITS))
        .then(pl.lit("exited", OUTCOMES))
        .otherwise(pl.lit("dropped", OUTCOMES))
    )
    return visits.with_columns(
        arrived_at="at",
        left_at="end_at",
        left_version="end_version",
        order="pos",
        left_order="end_pos",
        outcome=pl.when(pl.col("end_i").is_not_null()).then(outcome),
    ).join(skips, on="visit", how="left", maintain_order="left")


def _with_branches(journey: Journey, visits: pl.DataFrame) -> pl.DataFrame:
    """Add branch, to_point, known and traversed: by the branch told, or the only one to the next point."""
    branches = _coded_branches(journey, visits.schema["point"])
    points, keys = len(journey.points()), pl.Enum(branches["key"].unique().sort())
    place = pl.col("end_version").cast(pl.Int64) * points + pl.col("point").to_physical()
    onward = place * points + pl.col("next_point").to_physical()
    way = place * len(keys.categories) + pl.col("key").to_physical()
    only = branches.filter(pl.struct("end_version", "point", "next_point").is_unique())
    only = only.with_columns(pl.col("key").cast(keys))
    visits = visits.with_columns(pl.col("key").cast(keys, strict=False))
    visits = visits.with_columns(key=pl.coalesce("key", _looked_up(visits, only, onward, "key")))
    to_point = _looked_up(visits, branches.with_columns(pl.col("key").cast(keys)), way, "next_point")
    known = to_point.is_not_null()
    return visits.with_columns(
        to_point=to_point,
        known=known,
        branch=pl.when(known).then(pl.col("key").cast(pl.String)),
        # Completing a point without branches leads nowhere: it is no traversal, known or unknown.
        traversed=known | pl.col("next_point").is_not_null(),
    )


def _coded_branches(journey: Journey, point: pl.DataType) -> pl.DataFrame:
    rows = [
        (version.version, branch.source, branch.key, branch.target)
        for version in journey.versions
        for branch in version.branches
    ]
    texts = dict.fromkeys(("point", "key", "next_point"), pl.String())
    branches = pl.DataFrame(rows, {"end_version": pl.Int32(), **texts}, orient="row")
    return branches.with_columns(pl.col("point", "next_point").cast(point))


def _looked_up(rows: pl.DataFrame, known: pl.DataFrame, code: pl.Expr, column: str) -> pl.Series:
    """The column of the known row with the same code; null where there is none.

    A binary search in a table this small costs a fraction of a join.
    """
    if known.is_empty():
        return known[column].clear(rows.height)
    known = known.select(column, code=code).sort("code")
    wanted = rows.select(code.alias("code")).to_series()
    place = known["code"].search_sorted(wanted).clip(upper_bound=known.height - 1)
    found = known["code"].gather(place) == wanted
    return known[column].gather(place).zip_with(found.fill_null(False), known[column].clear(1))


def _at_open_visit(moves: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """The steps that happen at the point of the visit then open, with that ``visit``."""
    stands = moves.select("pos", "open", "visit", at_run="run", at_point="point")
    return steps.join_asof(stands, on="pos").filter(
        "open", pl.col("run") == pl.col("at_run"), pl.col("point") == pl.col("at_point")
    )


def _waits(done: Walk, moves: pl.DataFrame) -> pl.DataFrame:
    waits = _at_open_visit(moves, done.steps.filter(of_kind("wait.started")))
    cause, due_at = (done.column(name, waits["i"]) for name in ("reason", "due_at"))
    return waits.select("run", "visit", "point", "at", cause=cause, due_at=due_at)


# Runs.


def _runs(done: Walk, moves: pl.DataFrame) -> pl.DataFrame:
    """One row a run, in order of its id; run_no counts by entry, truncated runs first."""
    steps = done.steps
    first = heads(steps)
    truncated = first["kind"] != "run.entered"
    exits = moves.filter(of_kind("run.exited"))
    exits = exits.select(
        "run",
        left_at="at",
        exit_point="stands",
        reason=done.column("reason", exits["i"]),
        reason_detail=done.column("reason_detail", exits["i"]),
    )
    walks = steps.filter(~of_kind("goal.reached", *OUTCOME_KINDS))["run"]
    runs = first.select(
        "run",
        *(done.column(name, first["i"]) for name in ("user_id", "device_id", "event_id")),
        version=_versions(done, first),
        run_id=done.run_ids.gather(first["run"]),
        derived=done.run_ids.gather(first["run"]).str.starts_with(DERIVED),
        entry_point=pl.when(~truncated).then("point"),
        entered_at=pl.when(~truncated).then("at"),
        first_at="at",
        last_at=tails(steps)["at"],
        truncated=truncated,
        inside=pl.repeat(False, first.height, eager=True).scatter(walks, True),
    ).join(exits, on="run", how="left", maintain_order="left")
    again = runs.filter(pl.col("user_id").is_duplicated())
    entry = pl.when(~pl.col("truncated")).then("event_id")
    again = again.sort("user_id", ~pl.col("truncated"), "first_at", entry, "run_id")
    number = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("user_id")
    runs = runs.join(again.select("run", run_no=number), on="run", how="left", maintain_order="left")
    # Every run keeps its first row, so that a run's id is its place in this frame.
    return runs.with_columns(pl.col("run_no").fill_null(1))


def _versions(done: Walk, first: pl.DataFrame) -> pl.Series:
    """The version of each run's first row; a goal may lack it, then that of the first row with one."""
    versions = done.column("version", first["i"])
    if not versions.null_count():
        return versions
    rows = done.steps.select("run", "i").join(first.filter(versions.is_null()), on="run", how="semi")
    rows = rows.with_columns(version=done.column("version", rows["i"])).drop_nulls()
    rows = heads(rows)
    return versions.scatter(rows["run"], rows["version"])


def _with_variants(
    journey: Journey, runs: pl.DataFrame, visits: pl.DataFrame, messages: pl.DataFrame
) -> pl.DataFrame:
    """Add the first variant that each run was assigned: by a split's branch, or by a message."""
    # Whatever a point is in another version: its ways tell what it was.
    splits = {p.point_id for version in journey.versions for p in version.points if p.type == "split_abn"}
    at_split = pl.col("point").is_in(pl.Series(sorted(splits), dtype=visits["point"].dtype).implode())
    by_split = visits.filter(at_split, pl.col("branch").str.starts_with("variant:")).select(
        "run", variant=pl.col("branch").str.strip_prefix("variant:"), variant_at="left_at", order="left_order"
    )
    by_message = messages.filter(pl.col("variant").is_not_null()).select(
        "run", pl.col("variant").str.strip_prefix("variant:"), "variant_at", order="variant_order"
    )
    both = pl.concat([by_split, by_message]).sort("order", "variant")
    first = both.unique("run", keep="first", maintain_order=True).drop("order")
    return runs.join(first, on="run", how="left", maintain_order="left")


def _devices(done: Walk) -> pl.DataFrame:
    """Every device seen in a run."""
    steps = done.steps.select("run", "i")
    seen = steps.select("run", device_id=done.coded("device_id", steps["i"]))
    # Most rows carry the device of the row before.
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in seen.columns)
    seen = seen.filter(changed).drop_nulls().unique()
    return seen.with_columns(pl.col("device_id").cast(pl.String)).sort("run", "device_id")


# Messages.

ENGAGEMENTS = ("message.opened", "message.clicked", "message.interacted", "message.replied")


def _message_rows(done: Walk) -> pl.DataFrame:
    """The rows of messages in the reading order of their message's run; of one that appears in several runs by time alone."""
    rows = done.steps.filter(pl.col("message").is_not_null())
    rows = rows.with_columns(
        *(done.column(name, rows["i"]) for name in ("channel", "variant", "reason")),
        human=~done.column("is_machine", rows["i"]).fill_null(False),
    )
    some_run = by_code(rows["message"], rows["run"], done.message_ids.len())
    strays = rows["message"].filter(some_run.gather(rows["message"]) != rows["run"]).unique()
    if strays.len():
        several = rows["message"].is_in(strays.implode())
        moved = rows.filter(several).with_columns(event_id=done.column("event_id", rows["i"].filter(several)))
        moved = _at_home(moved.sort("at", "kind", "event_id").drop("event_id"), done.steps)
        rows = pl.concat([rows.filter(~several), moved])
    return rows.with_row_index("row")


def _at_home(rows: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Rows of messages in order of time, those that stand in another run moved into that of their message's first row.

    There they stand where their time has them, before what that run did at the same instant: so what is asked by the
    order of one run, as credit is, finds the whole message in one run, as what is counted does.
    """
    home = pl.col("run").first().over("message")
    steps = steps.select("at", home="run", place="pos")
    begins = steps.group_by("home").agg(begins=pl.col("place").min())
    return (
        rows.with_columns(home=home)
        .join_asof(
            steps.sort("at", "place"), on="at", by="home", allow_exact_matches=False, check_sortedness=False
        )
        .join(begins, on="home", how="left", maintain_order="left")
        .with_columns(
            run="home",
            pos=pl.when(pl.col("run") == pl.col("home"))
            .then("pos")
            .otherwise(pl.coalesce(pl.col("place") + 1, pl.col("begins") - 1)),
        )
        .select(rows.columns)
    )


def _first_rows(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first row of each kind, a column a kind and a row a message: one table, written at once."""
    kind = pl.col("kind").to_physical() - KINDS.index(MESSAGE_KINDS[0])
    width = len(MESSAGE_KINDS)
    cell = rows.select(pl.col("message").cast(pl.UInt64) * width + kind).to_series()
    table = by_code(cell, rows["row"], count * width)
    return pl.DataFrame({name: table.gather_every(width, place) for place, name in enumerate(MESSAGE_KINDS)})


def _messages(done: Walk) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row a message; and one row (pos, run, message, engaged) a sending or an engagement."""
    rows = _message_rows(done)
    count = done.message_ids.len()

    def first(some: pl.DataFrame) -> pl.Series:
        return by_code(some["message"], some["row"], count)

    head, spoken = first(rows), first(rows.filter(pl.col("variant").is_not_null()))
    engagements = rows.filter(of_kind(*ENGAGEMENTS) & pl.col("human"))
    person = _first_rows(engagements, count)
    # An in-app message is sent when it is shown: an impression, or what nobody does to an unseen message.
    shown = pl.coalesce("message.impression", pl.min_horizontal("message.interacted", "message.dismissed"))
    told = pl.when("in_app").then("message.impression").otherwise("message.sent")
    sent = pl.when("in_app").then(shown).otherwise(pl.coalesce(told, pl.min_horizontal(OUTCOME_KINDS)))
    in_app = (rows["channel"].gather(head) == "in_app").fill_null(False)
    places = _first_rows(rows, count).with_columns(in_app=in_app)
    places = places.with_columns(
        told=told,
        sent=sent,
        shown=pl.when("in_app").then(shown),
        opened=person["message.opened"],
        clicked=person["message.clicked"],
        engaged=person.select(pl.min_horizontal(ENGAGEMENTS)).to_series(),
    )
    failures = rows.filter(of_kind("message.failed"))
    late = failures.filter(failures["row"] > places["sent"].gather(failures["message"]))
    places = places.with_columns(bounced=first(late))
    row = {name: pl.lit(rows[name]) for name in rows.columns}
    messages = places.select(
        *(row[name].gather(head).alias(name) for name in ("run", "point", "channel")),
        *(row["at"].gather(place).alias(f"{name}_at") for name, place in _TIMES.items()),
        message=pl.int_range(pl.len(), dtype=pl.UInt32),
        message_id=done.message_ids,
        variant=row["variant"].gather(spoken),
        variant_at=row["at"].gather(spoken),
        variant_order=row["pos"].gather(spoken),
        version=done.column("version", rows["i"].gather(head)),
        sent_order=row["pos"].gather("sent"),
        engaged_order=row["pos"].gather("engaged"),
        skipped_order=row["pos"].gather("message.skipped"),
        sent_inferred=pl.col("sent").is_not_null() & pl.col("told").is_null(),
        opened_inferred=pl.col("opened").is_null() & pl.col("clicked").is_not_null(),
        fail_reason=row["reason"].gather("message.failed"),
        bounce_reason=row["reason"].gather("bounced"),
        skip_reason=row["reason"].gather("message.skipped"),
    ).with_columns(
        opened_at=pl.min_horizontal("opened_at", "clicked_at"),
        opened_any_at=pl.min_horizontal("opened_any_at", "clicked_any_at"),
    )
    sends = rows[places["sent"].drop_nulls()].with_columns(engaged=pl.lit(False))
    engagements = engagements.with_columns(engaged=pl.lit(True))
    touches = pl.concat([sends, engagements]).sort("pos", "row").select("pos", "run", "message", "engaged")
    return messages.filter(head.is_not_null()), touches


# The times of a message, and the row of which each is: a kind's first, or one that is found.
_TIMES = {name: name for name in ("sent", "bounced", "shown", "opened", "clicked", "engaged")}
_TIMES |= {f"{name}_any": f"message.{name}" for name in ("opened", "clicked")}
_TIMES |= {
    name: f"message.{name}"
    for name in "failed skipped delivered interacted dismissed replied unsubscribed complained".split()
}


# Goals.


def _goals(
    journey: Journey,
    done: Walk,
    runs: pl.DataFrame,
    moves: pl.DataFrame,
    messages: pl.DataFrame,
    touches: pl.DataFrame,
) -> pl.DataFrame:
    """One row a goal reached, told or implied by an exit, with where the run stood and who gets the credit."""
    told = done.steps.filter(of_kind("goal.reached")).select("i", "run", "pos", "at")
    columns = ("goal_id", "value", "currency", "user_id")
    told = told.with_columns(*(done.column(name, told["i"]) for name in columns), implied=pl.lit(False))
    goals = pl.concat([told, _implied(journey, done, moves, told)]).sort("pos")
    days = {goal.goal_id: timedelta(days=goal.conversion_days) for goal in journey.goals}
    # The default keeps the type where a journey has no goals.
    goal_id = pl.col("goal_id").cast(pl.String)
    window = goal_id.replace_strict(days, default=None, return_dtype=pl.Duration("us"))
    left = runs["left_at"].gather(goals["run"])
    goals = goals.with_columns(
        counts=(left.is_null() | (pl.col("at") <= left + window)),
        here=_standing(moves, goals),
        direct=_last_touch(goals, touches.filter("engaged")),
        indirect=_last_touch(goals, touches.filter(~pl.col("engaged"))),
    )
    point_of, channel_of = (
        by_code(messages["message"], messages[name], done.message_ids.len()) for name in ("point", "channel")
    )
    direct, indirect = (pl.col(name).is_not_null() & pl.col("counts") for name in ("direct", "indirect"))
    goals = goals.with_columns(
        credit=pl.when(direct)
        .then(pl.lit("direct", CREDITS))
        .when(indirect)
        .then(pl.lit("indirect", CREDITS)),
        credit_message=pl.when("counts").then(pl.coalesce("direct", "indirect")),
    )
    goals = goals.with_columns(
        credit_point=point_of.gather(goals["credit_message"]),
        credit_channel=channel_of.gather(goals["credit_message"]),
    )
    loose = done.rows.lazy().filter(of_kind("goal.reached") & pl.col("run").is_null())
    outside = loose.select("i", at="occurred_at", counts=pl.lit(False), implied=pl.lit(False)).collect()
    outside = outside.with_columns(done.column(name, outside["i"]) for name in columns)
    goals = pl.concat([goals, outside.sort("at", "i")], how="diagonal")
    return goals.with_columns(goal="goal_id", order=pl.coalesce("pos", 2 * done.rows.height))


def _implied(journey: Journey, done: Walk, moves: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """An exit by goal that nobody reported as reached stands for one, just before it (METRICS.md, 14.8)."""
    exits = moves.filter(of_kind("run.exited"))
    exits = exits.with_columns(
        reason=done.column("reason", exits["i"]), detail=done.column("reason_detail", exits["i"])
    ).filter(pl.col("reason") == "goal")
    ending = [goal.goal_id for goal in journey.goals if goal.ends_journey]
    only = ending[0] if len(ending) == 1 else None
    names: dict[str, str] = {}
    for name in ("event", "title", "goal_id"):  # the last one written is the strongest
        names |= {
            getattr(goal, name): goal.goal_id for goal in reversed(journey.goals) if getattr(goal, name)
        }
    exits = exits.with_columns(
        goal_id=pl.col("detail").replace_strict(names, default=only, return_dtype=pl.String)
    ).filter(pl.col("goal_id").is_not_null())
    exits = exits.with_columns(pl.col("goal_id").cast(told.schema["goal_id"]))
    before = told.join(exits.select("run", left="pos"), on="run").filter(pl.col("pos") < pl.col("left"))
    exits = exits.join(before, on=["run", "goal_id"], how="anti")
    undetailed = exits.filter(pl.col("detail").is_null()).join(before, on="run", how="semi")
    exits = exits.join(undetailed, on="run", how="anti", maintain_order="left")
    return exits.select(
        "i",
        "run",
        pl.col("pos") - 1,
        "at",
        "goal_id",
        value=pl.lit(None, pl.Float64),
        currency=pl.lit(None, pl.String),
        user_id=done.column("user_id", exits["i"]),
        implied=pl.lit(True),
    )


def _standing(moves: pl.DataFrame, goals: pl.DataFrame) -> pl.Series:
    """The point of the visit that is open at each goal; null where none is."""
    stands = moves.select("pos", "open", "point", at_run="run")
    found = goals.select("pos", "run").join_asof(stands, on="pos")
    return found.select(
        pl.when(pl.col("open") & (pl.col("run") == pl.col("at_run"))).then("point")
    ).to_series()


def _last_touch(goals: pl.DataFrame, touches: pl.DataFrame) -> pl.Series:
    """The message of the run's last touch before each goal; null where there is none."""
    found = goals.select("pos", "run").join_asof(touches.select("pos", "message", of_run="run"), on="pos")
    return found.select(pl.when(pl.col("run") == pl.col("of_run")).then("message")).to_series()


# The quarantine.


def _quarantined(judged: Judged, done: Walk) -> pl.DataFrame:
    rows = judged.coded[done.forbidden["i"]]
    known = {
        name: rows[name].cast(dtype)
        for name, dtype in judged.quarantined.schema.items()
        if name in rows.columns
    }
    forbidden = pl.DataFrame({**known, "rule": done.forbidden["rule"]})
    return pl.concat([judged.quarantined, forbidden], how="diagonal_relaxed").sort("row")


RUNS = (
    "run", "run_id", "user", "user_id", "device_id", "version", "run_no", "entry_point", "entered_at", "first_at",
    "last_at", "left_at", "reason", "reason_detail", "exit_point", "truncated", "inside", "variant", "variant_at",
    "derived",
)  # fmt: skip
VISITS = (
    "run", "user", "visit", "point", "arrived_at", "left_at", "outcome", "branch", "traversed", "known", "to_point",
    "derived", "skip_at", "skip_reason", "version", "left_version", "order", "left_order", "skip_order",
)  # fmt: skip
MESSAGES = (
    "message", "message_id", "run", "user", "point", "channel", "variant", "sent_at", "sent_inferred", "failed_at",
    "fail_reason", "bounced_at", "bounce_reason", "skipped_at", "skip_reason", "delivered_at", "opened_at",
    "opened_inferred", "clicked_at", "opened_any_at", "clicked_any_at", "shown_at", "interacted_at", "dismissed_at",
    "replied_at", "unsubscribed_at", "complained_at", "engaged_at", "version", "sent_order", "engaged_order",
    "skipped_order",
)  # fmt: skip
GOALS = (
    "goal", "run", "user", "at", "order", "value", "currency", "counts", "implied", "here", "credit",
    "credit_message", "credit_point", "credit_channel",
)  # fmt: skip
