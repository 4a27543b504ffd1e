"""From dirty rows to runs, visits, messages and goals, one run at a time (METRICS.md 2, 6, 14.1 to 14.11)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from oracle.words import (
    ALWAYS,
    ATTEMPTS,
    CHANNELS,
    COLUMNS,
    ENGAGEMENTS,
    IN_APP_ONLY,
    INTERNAL,
    NEEDS,
    OUTCOMES,
    RANK,
    REASONS_OF,
    SEND,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Plan:
    """The journey document, looked up."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.journey_id = document["journey_id"]
        self.zone = ZoneInfo(document.get("timezone") or "UTC")
        self.goals = {goal["goal_id"]: goal for goal in document.get("goals") or ()}
        self.versions = {version["version"]: version for version in document["versions"]}
        launched = document.get("launched_at")
        self.launched_at = datetime.fromisoformat(launched) if isinstance(launched, str) else launched
        published = [n for n, v in self.versions.items() if v.get("published_at") is not None]
        self.newest = max(published or self.versions)

    def has(self, version: int, point: str) -> bool:
        return any(p["point_id"] == point for p in self.versions[version].get("points", ()))

    def ways(self, version: int, source: str) -> list[dict[str, Any]]:
        return [b for b in self.versions[version].get("branches", ()) if b["source"] == source]

    def target(self, version: int, source: str, key: str) -> str | None:
        return next((b["target"] for b in self.ways(version, source) if b.get("key", "default") == key), None)

    def between(self, version: int, source: str, target: str) -> list[str]:
        return [b.get("key", "default") for b in self.ways(version, source) if b["target"] == target]

    def points(self, shown: int) -> dict[str, dict[str, Any]]:
        """Points of the shown version in its order, then those of the others, newest first."""
        found: dict[str, dict[str, Any]] = {}
        for number in [shown, *sorted((n for n in self.versions if n != shown), reverse=True)]:
            for point in self.versions[number].get("points", ()):
                found.setdefault(point["point_id"], point)
        return found

    def window(self, goal: str) -> timedelta:
        return timedelta(hours=24 * self.goals[goal].get("conversion_days", 30))


@dataclass
class Row:
    index: int
    at: datetime
    kind: str
    event_id: str
    user: str
    device: str | None
    version: int | None
    stated_run: str | None
    point: str | None
    branch: str
    channel: str | None
    message: str | None
    variant: str | None
    goal: str | None
    reason: str | None
    detail: str | None
    due: datetime | None
    value: float | None
    currency: str | None
    machine: bool
    seq: int | None
    run: str | None = None  # stated, or found by the message, or (goals) by the window
    implicit: bool = False  # a goal that stated no run
    pos: float = -1  # place in its run's reading order, once loaded

    @property
    def rank(self) -> int:
        return RANK[self.kind]

    @property
    def plain_order(self) -> tuple[datetime, int, str]:
        return (self.at, self.rank, self.event_id)


@dataclass
class Wait:
    at: datetime
    cause: str
    due: datetime | None


@dataclass
class Visit:
    run: str
    point: str
    arrived_at: datetime | None  # None: stood there before the log begins
    version: int
    derived: bool = False
    opened_pos: float = -1
    left_at: datetime | None = None
    left_pos: float | None = None
    left_version: int | None = None
    outcome: str | None = None
    branch: str | None = None
    traversed: bool = False
    known: bool = False
    to_point: str | None = None
    exit_reason: str | None = None
    skips: list[Row] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.left_pos is None


@dataclass
class Run:
    run_id: str
    user: str
    device: str | None
    version: int | None
    truncated: bool
    inside: bool
    entered_at: datetime | None
    entry_point: str | None
    entry_event: str
    first_at: datetime  # the first loaded row that names the run, itself or by its message
    rows: list[Row]
    visits: list[Visit]
    left_at: datetime | None = None
    left_pos: float | None = None
    reason: str | None = None
    detail: str | None = None
    exit_point: str | None = None
    run_no: int = 0
    variant: str | None = None  # the first one assigned, by a split or told by a message
    variant_at: datetime | None = None

    @property
    def end_status(self) -> str:
        if self.reason is None:
            return "in_progress"
        if self.reason == "completed":
            return "completed"
        return "dropped" if self.reason in INTERNAL or self.reason in SEND else "exited"


@dataclass
class Message:
    message_id: str
    run: str
    point: str
    channel: str
    version: int
    variant: str | None
    rows: list[Row]
    sent: Row | None  # the row that sends, shows, or lets it be inferred
    inferred: bool
    failed: Row | None
    bounced: Row | None
    skipped: Row | None
    delivered_at: datetime | None
    opened_at: datetime | None
    opened_any_at: datetime | None
    clicked_at: datetime | None
    clicked_any_at: datetime | None
    interacted_at: datetime | None
    dismissed_at: datetime | None
    replied_at: datetime | None
    unsubscribed_at: datetime | None
    opened_inferred: bool
    engagements: list[Row]


@dataclass
class GoalEvent:
    goal: str
    run: str | None
    user: str
    at: datetime
    pos: float
    value: float | None
    currency: str | None
    counts: bool
    implied: bool = False
    here: str | None = None
    credit: str | None = None  # direct, indirect
    credit_message: str | None = None
    credit_point: str | None = None
    touches: list[Message] = field(default_factory=list)  # sent or shown before it, in order


@dataclass
class Reading:
    plan: Plan
    read: int
    loaded: list[Row]
    duplicates: int
    quarantine: list[tuple[int, str]]
    runs: dict[str, Run]
    messages: dict[str, Message]
    goals: list[GoalEvent]
    closings: Counter[str]

    @property
    def visits(self) -> list[Visit]:
        return [visit for run in self.runs.values() for visit in run.visits]

    @property
    def first_at(self) -> datetime | None:
        return min((row.at for row in self.loaded), default=None)

    @property
    def last_at(self) -> datetime | None:
        return max((row.at for row in self.loaded), default=None)


# ---------------------------------------------------------------- rows by themselves, duplicates, conflicts


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """Every canonical column; a row without a user is its device's."""
    full = {column: row.get(column) for column in COLUMNS}
    if full["user_id"] is None and full["device_id"] is not None:
        full["user_id"] = f"device:{full['device_id']}"
    return full


def row_hash(row: dict[str, Any]) -> str:
    def plain(value: Any) -> Any:
        return (value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value

    canonical = {column: plain(row.get(column)) for column in COLUMNS if column != "source"}
    text = json.dumps(canonical, sort_keys=True, ensure_ascii=False, separators=(", ", ": "))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def self_rule(plan: Plan, row: dict[str, Any]) -> str | None:
    """The first rule that a row breaks by itself, or None."""
    kind = row["kind"]
    if kind is not None and kind not in RANK:
        return "unknown_kind"
    needs = [*ALWAYS, *(NEEDS[kind] if kind else ()), *(() if kind == "goal.reached" else ("version",))]
    if any(row[column] is None for column in needs):
        return "missing"
    if not isinstance(row["occurred_at"], datetime):
        return "bad_time"
    channel = row["channel"]
    if channel is not None and channel not in CHANNELS:
        return "unknown_channel"
    if kind in IN_APP_ONLY and channel != "in_app":
        return "unknown_channel"
    if row["journey_id"] != plan.journey_id:
        return "unknown_journey"
    version, point = row["version"], row["point_id"]
    if version is not None and version not in plan.versions:
        return "unknown_version"
    if version is not None and point is not None and not plan.has(version, point):
        return "unknown_point"
    if kind == "point.completed" and not branch_known(plan, version, point, row["branch"] or "default"):
        return "unknown_branch"
    if kind == "goal.reached" and row["goal_id"] not in plan.goals:
        return "unknown_goal"
    return None


def branch_known(plan: Plan, version: int, point: str, key: str) -> bool:
    return plan.target(version, point, key) is not None or (
        key == "default" and not plan.ways(version, point)
    )


def parsed(row: dict[str, Any], index: int, event_id: str) -> Row:
    kind, reason, detail = row["kind"], row["reason"], row["reason_detail"]
    if kind in REASONS_OF and reason not in REASONS_OF[kind][0]:
        word = reason if detail is None else f"{reason}: {detail}"
        reason, detail = REASONS_OF[kind][1], word
    return Row(
        index, row["occurred_at"], kind, event_id, row["user_id"], row["device_id"], row["version"], row["run_id"],
        row["point_id"], row["branch"] or "default", row["channel"], row["message_id"], row["variant"], row["goal_id"],
        reason, detail, row["due_at"], row["value"], row["currency"], row["is_machine"] is True, row["seq"],
        run=row["run_id"],
    )  # fmt: skip


# ---------------------------------------------------------------- one run


def hamiltonian(points: list[str], starts: list[str], edge: Any) -> list[str] | None:
    """The alphabetically first path over all points by direct branches, or None."""

    def grow(path: list[str]) -> list[str] | None:
        if len(path) == len(points):
            return path
        for point in points:
            if point not in path and edge(path[-1], point) and (found := grow([*path, point])):
                return found
        return None

    for start in starts:
        if found := grow([start]):
            return found
    return None


def order_tie(plan: Plan, tie: list[Row], stood: str | None, entered: bool) -> tuple[list[Row], str]:
    """Rows of one run at one instant, in reading order; and the rule that ordered them."""
    by_rank = sorted(tie, key=lambda row: (row.rank, row.event_id))
    if len(tie) < 2:
        return tie, "single"
    if all(row.seq is not None for row in tie):
        return sorted(tie, key=lambda row: (row.seq, row.rank, row.event_id)), "seq"
    first_row = {}
    for row in by_rank:
        if row.point is not None and row.kind.split(".")[0] in ("run", "point", "wait"):
            first_row.setdefault(row.point, row)
    if len(first_row) < 2:
        return by_rank, "rank"

    version = next(iter(first_row.values())).version

    def edge(source: str, target: str) -> bool:
        return bool(plan.between(version, source, target))

    points = sorted(first_row)
    entry = next((row for row in by_rank if row.kind == "run.entered"), None)
    if entry is not None and not entered:
        starts = [entry.point]
    elif stood is None:
        starts = points
    else:
        starts = [point for point in points if point == stood or edge(stood, point)]
        if not any(row.kind == "point.entered" and row.point == stood for row in tie):
            starts.sort(key=lambda point: point != stood)  # what happens there is before it leaves
    path = hamiltonian(points, starts, edge)
    if path is None:
        return by_rank, "rank"

    def place(row: Row) -> int:
        if row.point is None:
            return len(path) - 1
        return path.index(row.point) if row.point in path else 0

    return sorted(by_rank, key=place), "branches"


class RunReader:
    """Walks the rows of one run and keeps its visits."""

    def __init__(self, plan: Plan, run_id: str, rows: list[Row]) -> None:
        self.plan, self.run_id = plan, run_id
        self.rows: list[Row] = []
        self.visits: list[Visit] = []
        self.quarantine: list[tuple[int, str]] = []
        self.closings: Counter[str] = Counter()
        self.entry: Row | None = None
        self.exit: Row | None = None
        self.exit_point: str | None = None
        self.before_exit: set[str] = set()
        self.merge = False  # the last row that moves visits was run.entered
        self.has_entry = any(row.kind == "run.entered" for row in rows)
        for _, group in groupby(sorted(rows, key=lambda row: row.at), key=lambda row: row.at):
            stood = self.visits[-1].point if self.visits else None
            tie, how = order_tie(plan, list(group), stood, self.entry is not None)
            self.closings[f"tie by {how}"] += 1
            for row in tie:
                self.take(row)

    def take(self, row: Row) -> None:
        if rule := self.order_rule(row):
            self.quarantine.append((row.index, rule))
            return
        first = not self.rows
        row.pos = len(self.rows)
        self.rows.append(row)
        if row.message is not None and row.kind.startswith("message.") and self.exit is None:
            self.before_exit.add(row.message)
        standing = ("wait.started", "point.skipped", "point.completed", "message.sent", "run.exited")
        if first and not self.has_entry and row.kind in standing and row.point is not None:
            self.visits.append(Visit(self.run_id, row.point, None, row.version))
            self.closings["stood before the log"] += 1
        step = getattr(self, "on_" + row.kind.replace(".", "_"), None)
        if step is not None:
            step(row)
        if row.kind in ("point.entered", "point.completed", "run.exited"):
            self.merge = False

    def order_rule(self, row: Row) -> str | None:
        if row.implicit:
            return None
        if row.kind == "run.entered":
            return None if self.entry is None else "second_entry"
        if self.has_entry and self.entry is None:
            return "before_entry"
        if self.exit is not None:
            if row.kind == "run.exited":
                return "second_exit"
            if row.kind in ATTEMPTS:
                return None if row.message in self.before_exit else "after_exit"
            return None if row.kind in OUTCOMES or row.kind == "goal.reached" else "after_exit"
        if row.kind == "point.completed" and self.visits:
            latest = self.visits[-1]
            if latest.point == row.point and not latest.open:
                return "second_completion"
        return None

    def close_for(self, row: Row, point: str) -> None:
        """Close the open visit because the run is seen at a point: by the one branch between, else unknown."""
        if not self.visits or not self.visits[-1].open:
            return
        visit = self.visits[-1]
        keys = self.plan.between(row.version, visit.point, point)
        visit.left_at, visit.left_pos, visit.left_version = row.at, row.pos, row.version
        visit.outcome, visit.derived, visit.traversed = "completed", True, True
        visit.known = len(keys) == 1
        if visit.known:
            visit.branch, visit.to_point = keys[0], point
        self.closings["derived by one branch" if visit.known else "derived unknown"] += 1

    def open_at(self, row: Row, derived: bool = False) -> Visit:
        self.close_for(row, row.point)
        self.visits.append(Visit(self.run_id, row.point, row.at, row.version, derived, row.pos))
        return self.visits[-1]

    def on_run_entered(self, row: Row) -> None:
        self.entry = row
        self.open_at(row)
        self.merge = True

    def on_point_entered(self, row: Row) -> None:
        if self.merge and self.visits[-1].point == row.point:
            self.closings["entry merged"] += 1
            return
        self.open_at(row)

    def on_point_completed(self, row: Row) -> None:
        if self.visits and self.visits[-1].point == row.point and self.visits[-1].open:
            visit = self.visits[-1]
            self.closings["explicit"] += 1
        else:
            visit = self.open_at(row, derived=True)
            self.closings["zero-length derived"] += 1
        visit.left_at, visit.left_pos, visit.left_version = row.at, row.pos, row.version
        visit.outcome = "completed"
        visit.traversed = visit.known = bool(self.plan.ways(row.version, row.point))
        if visit.traversed:
            visit.branch, visit.to_point = row.branch, self.plan.target(row.version, row.point, row.branch)

    def on_run_exited(self, row: Row) -> None:
        self.exit = row
        self.exit_point = row.point or (self.visits[-1].point if self.visits else None)
        if row.point is not None and (not self.visits or self.visits[-1].point != row.point):
            self.open_at(row, derived=True)
            self.closings["exit at another point"] += 1
        if not self.visits:
            return
        visit = self.visits[-1]
        if not visit.open:
            self.closings["exit after completion"] += 1
            return
        visit.left_at, visit.left_pos, visit.left_version = row.at, row.pos, row.version
        visit.exit_reason = row.reason
        error = row.reason in INTERNAL or row.reason in SEND
        visit.outcome = "completed" if row.reason == "completed" else "dropped" if error else "exited"
        self.closings[
            {"completed": "exit completed", "dropped": "exit error", "exited": "exit other"}[visit.outcome]
        ] += 1

    def on_wait_started(self, row: Row) -> None:
        if self.visits and self.visits[-1].point == row.point and self.visits[-1].open:
            self.visits[-1].waits.append(Wait(row.at, row.reason, row.due))

    def on_point_skipped(self, row: Row) -> None:
        if self.visits and self.visits[-1].point == row.point and self.visits[-1].open:
            self.visits[-1].skips.append(row)

    def result(self) -> Run:
        named = [row for row in self.rows if not row.implicit]
        head = self.entry or self.rows[0]
        run = Run(
            self.run_id, head.user, head.device, next((row.version for row in [head, *self.rows] if row.version), None),
            self.entry is None,
            any(row.kind not in OUTCOMES and row.kind != "goal.reached" for row in named),
            self.entry.at if self.entry else None, self.entry.point if self.entry else None,
            self.entry.event_id if self.entry else "", named[0].at, self.rows, self.visits,
        )  # fmt: skip
        if self.exit is not None:
            run.left_at, run.left_pos = self.exit.at, self.exit.pos
            run.reason, run.detail, run.exit_point = self.exit.reason, self.exit.detail, self.exit_point
        return run


# ---------------------------------------------------------------- messages


def message_of(rows: list[Row]) -> Message:
    """A message from its loaded rows: the first by (occurred_at, rank, event_id) says whose and where it is.

    What happened to it goes by the reading order of its run.
    """
    first = rows[0]
    if len({row.run for row in rows}) == 1:
        rows = sorted(rows, key=lambda row: row.pos)

    def earliest(*kinds: str, human: bool = False) -> Row | None:
        return next((row for row in rows if row.kind in kinds and not (human and row.machine)), None)

    def at(row: Row | None) -> datetime | None:
        return row.at if row else None

    if first.channel == "in_app":
        sent = earliest("message.impression")
        inferred = sent is None
        sent = sent or earliest("message.interacted", "message.dismissed")
    else:
        sent = earliest("message.sent")
        inferred = sent is None
        sent = sent or earliest(*OUTCOMES)
    failures = [row for row in rows if row.kind == "message.failed"]
    bounced = next((row for row in failures if sent and rows.index(row) > rows.index(sent)), None)
    clicked, clicked_any = earliest("message.clicked", human=True), earliest("message.clicked")
    opened = earliest("message.opened", "message.clicked", human=True)
    return Message(
        first.message, first.run, first.point, first.channel, first.version,
        next((row.variant for row in rows if row.variant is not None), None), rows,
        sent, inferred and sent is not None, failures[0] if failures else None, bounced, earliest("message.skipped"),
        at(earliest("message.delivered")), at(opened), at(earliest("message.opened", "message.clicked")),
        at(clicked), at(clicked_any), at(earliest("message.interacted")), at(earliest("message.dismissed")),
        at(earliest("message.replied")), at(earliest("message.unsubscribed")),
        clicked is not None and earliest("message.opened", human=True) is None,
        [row for row in rows if row.kind in ENGAGEMENTS and not row.machine],
    )  # fmt: skip


# ---------------------------------------------------------------- goals


def in_window(plan: Plan, run: Run, goal: str, at: datetime) -> bool:
    entry = run.entered_at or run.first_at
    return entry <= at and (run.left_at is None or at <= run.left_at + plan.window(goal))


def implied_goal(plan: Plan, run: Run) -> str | None:
    """The goal that an exit by goal implies, unless it was reached before."""
    if run.reason != "goal":
        return None
    reached = {row.goal for row in run.rows if row.kind == "goal.reached" and row.pos < run.left_pos}
    if run.detail is None and reached:
        return None
    ending = [goal_id for goal_id, goal in plan.goals.items() if goal.get("ends_journey")]
    named = None
    for name in ("goal_id", "title", "event"):
        found = [
            goal_id for goal_id, goal in plan.goals.items() if run.detail and goal.get(name) == run.detail
        ]
        named = named or (found[0] if found else None)
    goal_id = named or (ending[0] if len(ending) == 1 else None)
    return None if goal_id in reached else goal_id


def before(row: Row, goal: GoalEvent) -> bool:
    if row.run == goal.run:
        return row.pos < goal.pos
    return (row.at, row.rank) < (goal.at, RANK["goal.reached"])


def give_credit(goal: GoalEvent, messages: list[Message]) -> None:
    """By the messages of its run; what of them stands in another run comes before what its own did at that instant."""

    def place(row: Row) -> tuple[datetime, float, int, str]:
        return (row.at, row.pos if row.run == goal.run else -1, row.rank, row.event_id)

    sends = [message for message in messages if message.sent and before(message.sent, goal)]
    goal.touches = sorted(sends, key=lambda message: place(message.sent))
    engaged = [(place(row), n) for n, m in enumerate(messages) for row in m.engagements if before(row, goal)]
    if engaged:
        chosen, goal.credit = messages[max(engaged)[1]], "direct"
    elif goal.touches:
        chosen, goal.credit = goal.touches[-1], "indirect"
    else:
        return
    goal.credit_message, goal.credit_point = chosen.message_id, chosen.point


def stand(goal: GoalEvent, run: Run) -> None:
    """Where the run stood at the goal; nowhere after its exit."""
    for visit in run.visits:
        if visit.opened_pos < goal.pos and (visit.left_pos is None or goal.pos <= visit.left_pos):
            goal.here = visit.point


# ---------------------------------------------------------------- the whole log


def read(document: dict[str, Any], rows: list[dict[str, Any]]) -> Reading:
    """Everything METRICS.md section 2 says about a log, before any period or as_of."""
    plan = Plan(document)
    quarantine: list[tuple[int, str]] = []
    contents: dict[str, list[tuple[int, dict[str, Any], str]]] = defaultdict(list)
    for index, raw in enumerate(rows):
        row = filled(raw)
        if rule := self_rule(plan, row):
            quarantine.append((index, rule))
        else:
            digest = row_hash(row)
            contents[row["event_id"] or digest].append((index, row, digest))

    duplicates, good = 0, []
    for event_id, copies in contents.items():
        distinct: dict[str, tuple[int, dict[str, Any]]] = {}
        for index, row, digest in copies:
            distinct.setdefault(digest, (index, row))
        duplicates += len(copies) - len(distinct)
        stays = min(distinct)
        quarantine += [(index, "conflict") for digest, (index, _) in distinct.items() if digest != stays]
        good.append(parsed(distinct[stays][1], distinct[stays][0], event_id))

    run_of_message: dict[str, str] = {}
    for row in sorted(good, key=lambda row: row.plain_order):
        if row.kind.startswith("message.") and row.run is not None:
            run_of_message.setdefault(row.message, row.run)
    by_run: dict[str, list[Row]] = defaultdict(list)
    runless_goals = []
    for row in good:
        if row.kind == "goal.reached" and row.run is None:
            row.implicit = True
            runless_goals.append(row)
            continue
        row.run = row.run or run_of_message.get(row.message)
        if row.run is None:
            quarantine.append((row.index, "unresolved_message"))
        else:
            by_run[row.run].append(row)

    # First without the goals that name no run: their run is found by the windows, which rest on the reading.
    runs = number({run_id: RunReader(plan, run_id, own).result() for run_id, own in by_run.items()})
    for goal in runless_goals:
        own = [
            run for run in runs.values() if run.user == goal.user and in_window(plan, run, goal.goal, goal.at)
        ]
        if own:
            goal.run = max(own, key=lambda run: run.run_no).run_id
            by_run[goal.run].append(goal)
    readers = {run_id: RunReader(plan, run_id, own) for run_id, own in by_run.items()}
    runs = number({run_id: reader.result() for run_id, reader in readers.items()})
    closings: Counter[str] = Counter()
    for reader in readers.values():
        quarantine += reader.quarantine
        closings.update(reader.closings)

    loaded = [row for run in runs.values() for row in run.rows] + [
        row for row in runless_goals if row.run is None
    ]
    messages = read_messages(loaded)
    assign_variants(runs, messages)
    goals = read_goals(plan, runs, messages, runless_goals)
    return Reading(plan, len(rows), loaded, duplicates, sorted(quarantine), runs, messages, goals, closings)


def number(runs: dict[str, Run]) -> dict[str, Run]:
    """Give each run its number among its user's runs: truncated first, then by entry."""
    counts: Counter[str] = Counter()
    for run in sorted(
        runs.values(),
        key=lambda run: (not run.truncated, run.entered_at or run.first_at, run.entry_event, run.run_id),
    ):
        counts[run.user] += 1
        run.run_no = counts[run.user]
    return runs


def read_messages(loaded: list[Row]) -> dict[str, Message]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(loaded, key=lambda row: row.plain_order):
        if row.kind.startswith("message."):
            rows[row.message].append(row)
    return {message_id: message_of(own) for message_id, own in rows.items()}


def assign_variants(runs: dict[str, Run], messages: dict[str, Message]) -> None:
    for run in runs.values():
        found = [
            (visit.left_pos, visit.branch.removeprefix("variant:"), visit.left_at)
            for visit in run.visits
            if visit.known and visit.branch.startswith("variant:")
        ]
        found += [
            min(
                (row.pos, message.variant.removeprefix("variant:"), row.at)
                for row in message.rows
                if row.variant
            )
            for message in messages.values()
            if message.run == run.run_id and message.variant
        ]
        if found:
            _, run.variant, run.variant_at = min(found)


def read_goals(
    plan: Plan, runs: dict[str, Run], messages: dict[str, Message], runless: list[Row]
) -> list[GoalEvent]:
    goals = [
        GoalEvent(row.goal, None, row.user, row.at, -1, row.value, row.currency, False)
        for row in runless
        if row.run is None
    ]
    for run in runs.values():
        own = []
        for row in run.rows:
            if row.kind == "goal.reached":
                counts = in_window(plan, run, row.goal, row.at)
                own.append(
                    GoalEvent(
                        row.goal, run.run_id, run.user, row.at, row.pos, row.value, row.currency, counts
                    )
                )
        if implied := implied_goal(plan, run):
            at, pos = run.left_at, run.left_pos - 0.5
            own.append(GoalEvent(implied, run.run_id, run.user, at, pos, None, None, True, implied=True))
        sent = [message for message in messages.values() if message.run == run.run_id]
        for goal in own:
            if goal.counts:
                give_credit(goal, sent)
                stand(goal, run)
        goals += own
    return goals
