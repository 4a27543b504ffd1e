"""Made-up journeys, dirty logs and queries, each drawn from one random.Random (a hypothesis one shrinks)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from oracle.reading import Reading, Run
from oracle.tables import Query
from oracle.words import CHANNELS, INTERNAL, OTHER_EXITS, SEND, SKIPS, WAITS

Row = dict[str, Any]
Document = dict[str, Any]

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Seoul")
# A month's edge, and the nights on which Paris and New York change their clocks.
STARTS = (
    datetime(2026, 1, 31, 22, tzinfo=UTC),
    datetime(2026, 3, 28, 22, tzinfo=UTC),
    datetime(2025, 10, 25, 22, tzinfo=UTC),
    datetime(2026, 3, 8, 3, tzinfo=UTC),
    datetime(2025, 11, 2, 3, tzinfo=UTC),
)
STEPS = [timedelta(minutes=m) for m in (0, 0, 0, 0, 1, 1, 2, 60, 24 * 60)]
KEYS = {
    "entry_audience": ["default"],
    "entry_trigger": ["default"],
    "entry_api": ["default"],
    "webhook": ["default"],
    "update_profile": ["default"],
    "rate_limit": ["default"],
    "delay": ["default"],
    "wait_for_trigger": ["triggered_1", "triggered_2", "not_triggered"],
    "split_condition": ["yes", "no"],
    "split_segment": ["segment:gold", "segment:new", "rest"],
    "split_abn": ["variant:A", "variant:B", "variant:C"],
    "reachability_check": ["reachable", "not_reachable"],
    "exit": [],
}
MIDDLE_TYPES = [*("message",) * 11, "delay", "wait_for_trigger", "split_condition", "split_abn", "split_abn"]
MIDDLE_TYPES += ["split_segment", "reachability_check", "webhook", "update_profile", "rate_limit", "delay"]
WAITERS = ("delay", "wait_for_trigger")
ENDS_OF_WINDOWS = [0, 1, 2, 30]


# ---------------------------------------------------------------- journeys


def journey(rng: Random) -> Document:
    """A small journey of one to three versions, in which points appear, disappear and lead elsewhere."""
    names = list("ABCDFGHKLM")
    rng.shuffle(names)  # so that the order of ids says nothing about the way
    entries = ["E"] if rng.random() < 0.7 else ["E", "N"]
    middle = names[: rng.randint(2, 5)]
    points = {
        entry: _point(rng, entry, rng.choice(("entry_audience", "entry_trigger", "entry_api")))
        for entry in entries
    }
    points |= {name: _point(rng, name, rng.choice(MIDDLE_TYPES)) for name in middle}
    points |= {"X": _point(rng, "X", "exit")}
    versions = [_version(rng, 1, list(points.values()), {})]
    for number in range(2, rng.choice((1, 2, 2, 3)) + 1):
        kept = [p for p in points.values() if p["point_id"] in entries or rng.random() < 0.8]
        if rng.random() < 0.6:
            new = names[len(middle) + number]
            points[new] = _point(rng, new, rng.choice(MIDDLE_TYPES))
            kept.append(points[new])
        kept = [*(p for p in kept if p["type"] != "exit"), points["X"]]
        versions.append(_version(rng, number, kept, versions[-1]))
    if len(versions) > 1 and rng.random() < 0.2:
        versions[-1]["published_at"] = None
    start = rng.choice(STARTS)
    launched = rng.choice((None, start - timedelta(days=1), start + timedelta(minutes=1)))
    return {
        "format": "journey/1",
        "journey_id": "j",
        "title": "Made up",
        "timezone": rng.choice(ZONES),
        "launched_at": launched.isoformat() if launched else None,
        "goals": _goals(rng),
        "versions": versions,
        "x_start": start.isoformat(),
    }


def _point(rng: Random, name: str, kind: str) -> dict[str, Any]:
    point: dict[str, Any] = {"point_id": name, "type": kind}
    if rng.random() < 0.7:
        point["title"] = f"Point {name}"
    if kind == "message":
        point["channel"] = rng.choice([*CHANNELS, *("push", "email", "in_app", "in_app", "sms", "whatsapp")])
    return point


def _keys(rng: Random, point: dict[str, Any]) -> list[str]:
    if point["type"] == "message":
        ways = (["default"], ["default"], ["opened", "not_opened"], ["delivered", "not_delivered"])
        return list(rng.choice(ways))
    keys = list(KEYS[point["type"]])
    return keys[: rng.randint(2, 3)] if point["type"] in ("split_abn", "wait_for_trigger") else keys


def _version(rng: Random, number: int, points: list[dict[str, Any]], before: Document) -> Document:
    """Branches lead onward; back only to or from a point that waits."""
    branches = []
    earlier = {(b["source"], b["key"]): b for b in before.get("branches", ())}
    ids = {point["point_id"] for point in points}
    for place, point in enumerate(points):
        onward = points[place + 1 :]
        onward = [p for p in onward if not p["type"].startswith("entry")]
        keys = _keys(rng, point)
        known = [key for source, key in earlier if source == point["point_id"]]
        if known and rng.random() < 0.8:
            keys = known
        control = rng.choice(keys) if point["type"] == "split_abn" and rng.random() < 0.5 else None
        shares = {2: (50, 50), 3: (20, 30, 50)}.get(len(keys), ())
        for turn, key in enumerate(keys):
            old = earlier.get((point["point_id"], key))
            target = onward[0] if rng.random() < 0.6 else rng.choice(onward)
            back = [p for p in points[: place + 1] if p["type"] in WAITERS or point["type"] in WAITERS]
            back = [p for p in back if not p["type"].startswith("entry")]
            if back and rng.random() < 0.25:
                target = rng.choice(back)
            chosen = target["point_id"]
            if old and old["target"] in ids and rng.random() < 0.7:
                chosen = old["target"]
            branch: dict[str, Any] = {"source": point["point_id"], "key": key, "target": chosen}
            if rng.random() < 0.3:
                branch["label"] = f"Way {key}"
            if point["type"] == "split_abn" and shares:
                branch["share"] = shares[turn]
                branch["control"] = key == control
            branches.append(branch)
    published = datetime(2025, 10, number, tzinfo=UTC).isoformat()
    return {"version": number, "published_at": published, "points": list(points), "branches": branches}


def _goals(rng: Random) -> list[dict[str, Any]]:
    goals = []
    for n in range(1, rng.choice((1, 2, 2, 3)) + 1):
        goals.append(
            {
                "goal_id": f"g{n}",
                "title": f"Goal {n}" if rng.random() < 0.8 else "",
                "event": f"event_{n}",
                "conversion_days": rng.choice(ENDS_OF_WINDOWS),
                "ends_journey": rng.random() < 0.5,
            }
        )
    return goals


# ---------------------------------------------------------------- logs


@dataclass
class Walk:
    """One plausible passage of a user through the journey, row by row."""

    rng: Random
    document: Document
    user: str | None
    device: str | None
    run: str
    at: datetime
    rows: list[Row]

    def tick(self) -> None:
        self.at += self.rng.choice(STEPS)

    def add(self, kind: str, point: str | None = None, **columns: Any) -> Row:
        row = {
            "occurred_at": self.at,
            "kind": kind,
            "user_id": self.user,
            "device_id": self.device,
            "journey_id": "j",
            "version": self.version["version"],
            "run_id": self.run,
            "point_id": point,
            "source": "made-up",
            **columns,
        }
        self.rows.append(row)
        return row

    def pass_through(self) -> None:
        rng, versions = self.rng, self.document["versions"]
        self.version = rng.choice(versions)
        entries = [p for p in self.version["points"] if p["type"].startswith("entry")]
        point = rng.choice(entries)
        self.add("run.entered", point["point_id"])
        if rng.random() < 0.3:
            self.tick()
            self.add("point.entered", point["point_id"])
        for _ in range(rng.randint(0, 7)):
            self.act(point)
            if rng.random() < 0.08:
                return  # still there
            if rng.random() < 0.22:
                self.leave_the_run(point)
                return
            later = [v for v in versions if v["version"] > self.version["version"] and point in v["points"]]
            if later and rng.random() < 0.2:
                self.version = later[0]
            ways = [b for b in self.version["branches"] if b["source"] == point["point_id"]]
            if not ways:
                self.end(point)
                return
            way = rng.choice(ways)
            self.tick()
            if rng.random() < 0.75:
                key = None if way["key"] == "default" and rng.random() < 0.5 else way["key"]
                self.add("point.completed", point["point_id"], branch=key)
            self.tick()
            point = next(p for p in self.version["points"] if p["point_id"] == way["target"])
            if rng.random() < 0.85:
                self.add("point.entered", point["point_id"])

    def act(self, point: dict[str, Any]) -> None:
        rng, name = self.rng, point["point_id"]
        self.tick()
        if point["type"] == "message":
            self.message(point)
        causes = {"delay": "delay", "wait_for_trigger": "trigger", "rate_limit": "rate_limit"}
        if point["type"] in causes or rng.random() < 0.15:
            due = self.at + rng.choice(STEPS) if rng.random() < 0.7 else None
            cause = (
                causes.get(point["type"])
                if rng.random() < 0.6
                else rng.choice([*WAITS[:6], "a vendor's wait"])
            )
            self.add("wait.started", name, reason=cause or rng.choice(WAITS), due_at=due)
        if rng.random() < 0.12:
            self.add("point.skipped", name, reason=rng.choice([*SKIPS, "vendor_skip"]))

    def message(self, point: dict[str, Any]) -> None:
        rng, channel = self.rng, point["channel"]
        columns = {"channel": channel, "message_id": f"{self.run}-m{len(self.rows)}"}
        if rng.random() < 0.2:
            columns["variant"] = rng.choice("AB")
        begin = self.at
        fate = rng.choices(("sent", "failed", "skipped", "failed and sent", "nothing"), (66, 13, 13, 6, 5))[0]
        if fate in ("failed", "failed and sent"):
            self.add("message.failed", point["point_id"], reason=rng.choice([*SEND, "550 no"]), **columns)
            self.tick()
        if fate == "skipped":
            reason = rng.choice([*SKIPS, "control_group", "vendor_skip"])
            self.add("message.skipped", point["point_id"], reason=reason, **columns)
        if "sent" in fate:
            if channel != "in_app" or rng.random() < 0.5:
                self.add("message.sent", point["point_id"], **columns)
            if channel == "in_app" and rng.random() < 0.8:
                self.add("message.impression", point["point_id"], **columns)
        if "sent" in fate or fate == "nothing":
            kinds = ["delivered", "opened", "clicked", "replied", "unsubscribed", "complained", "failed"]
            chances = [0.6, 0.4, 0.25, 0.1, 0.1, 0.1, 0.1]
            if channel == "in_app":
                kinds, chances = ["interacted", "dismissed", "opened", "clicked"], [0.5, 0.25, 0.05, 0.05]
            for kind, chance in zip(kinds, chances, strict=True):
                if rng.random() < chance:
                    self.tick()
                    more: dict[str, Any] = {"reason": rng.choice(SEND)} if kind == "failed" else {}
                    if kind in ("opened", "clicked") and rng.random() < 0.3:
                        more["is_machine"] = rng.choice((True, True, False))
                    self.add(f"message.{kind}", point["point_id"], **columns, **more)
            if rng.random() < 0.5:
                self.at = begin  # the run moves on while the outcomes are still to come

    def leave_the_run(self, point: dict[str, Any]) -> None:
        rng = self.rng
        reason = rng.choice(
            [*OTHER_EXITS, *OTHER_EXITS, *INTERNAL, *INTERNAL, *SEND, "goal", "a vendor's error"]
        )
        detail = None
        if reason == "goal" and rng.random() < 0.7:
            goal = rng.choice(self.document["goals"])
            detail = rng.choice(
                [goal["goal_id"], goal["title"] or goal["event"], goal["event"], "no such goal"]
            )
        if reason == "cancel_event" and rng.random() < 0.9:
            detail = "order_cancelled"
        self.tick()
        where = rng.choice(
            (point["point_id"], point["point_id"], None, rng.choice(self.version["points"])["point_id"])
        )
        self.add("run.exited", where, reason=reason, reason_detail=detail)

    def end(self, point: dict[str, Any]) -> None:
        rng = self.rng
        if rng.random() < 0.25:
            self.add("point.completed", point["point_id"])
        self.tick()
        where = rng.choice((None, point["point_id"]))
        self.add("run.exited", where, reason="completed" if rng.random() < 0.9 else rng.choice(OTHER_EXITS))


def log(rng: Random, document: Document, users: int | None = None, dirt: float = 1.0) -> list[Row]:
    """A few users' walks, then everything that can go wrong with a log."""
    start = datetime.fromisoformat(document["x_start"])
    runs: list[list[Row]] = []
    rows: list[Row] = []
    for number in range(users or rng.choice((1, 2, 4, 8, 12, 20))):
        user, devices = f"u{number}", [f"d{number}", f"d{number}b"]
        own: list[Row] = []
        at = start + rng.choice(STEPS) + rng.choice(STEPS)
        for turn in range(rng.choice((1, 1, 1, 2, 3))):
            device = rng.choice([None, *devices])
            nameless = rng.random() < 0.08
            walk = Walk(
                rng, document, None if nameless else user, device or (devices[0] if nameless else None),
                f"r{number}.{turn}", at, [],
            )  # fmt: skip
            walk.pass_through()
            if rng.random() < 0.15:
                for row in walk.rows:
                    row["device_id"] = rng.choice([row["device_id"], *devices])
            order_of_source(rng, walk.rows)
            runs.append(walk.rows)
            own += walk.rows
            at = rng.choice([row["occurred_at"] for row in walk.rows]) + rng.choice(STEPS)
        rows += own + reachings(rng, document, own)
    for run in runs:
        if rng.random() < 0.12 * dirt:
            gone = run[: rng.choice((1, 1, 2, 3))]
            rows = [row for row in rows if not any(row is other for other in gone)]
    identify(rng, rows)
    for _ in range(rng.choice((0, 3, 6, 12, 16)) if dirt else 0):
        if rows:
            rng.choice(DIRT)(rng, document, rows)
    rng.shuffle(rows)
    return rows


def order_of_source(rng: Random, rows: list[Row]) -> None:
    """The source's own order: for all rows of the run, for some of them, or (mostly) not told."""
    told = rng.choice((0.0, 0.0, 0.8, 1.0))
    for place, row in enumerate(rows):
        if rng.random() < told:
            row["seq"] = place


def reachings(rng: Random, document: Document, own: list[Row]) -> list[Row]:
    """Goals of a user: in a run or naming none, at the times of other rows and at the edges of windows."""
    rows = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        near = rng.choice(own)
        goal = rng.choice(document["goals"])
        at = near["occurred_at"] + rng.choice(STEPS)
        ends = [row["occurred_at"] for row in own if row["kind"] == "run.exited"]
        if ends and rng.random() < 0.4:
            edge = timedelta(days=goal["conversion_days"])
            at = rng.choice(ends) + edge + rng.choice((timedelta(0), timedelta(0), timedelta(microseconds=1)))
        money = (
            {}
            if rng.random() < 0.4
            else {"value": float(rng.randint(0, 50)), "currency": rng.choice(("EUR", "USD", None))}
        )
        stated = rng.random() < 0.6
        rows.append(
            {
                "occurred_at": at,
                "kind": "goal.reached",
                "user_id": near["user_id"],
                "device_id": near["device_id"],
                "journey_id": "j",
                "version": near["version"] if rng.random() < 0.5 else None,
                "run_id": near["run_id"] if stated else None,
                "goal_id": goal["goal_id"],
                "source": "shop",
                "seq": rng.choice((None, None, None, rng.randint(0, 9))),
                **money,
            }
        )
    return rows


def identify(rng: Random, rows: list[Row]) -> None:
    """Event ids in no order that means anything; a few rows without one."""
    numbers = list(range(len(rows)))
    rng.shuffle(numbers)
    for number, row in zip(numbers, rows, strict=True):
        row["event_id"] = f"e{number:03d}" if rng.random() < 0.93 else None


# ---------------------------------------------------------------- dirt


def _fresh(rng: Random, row: Row, **columns: Any) -> Row:
    return {**row, "event_id": f"x{rng.randrange(10**6):06d}", **columns}


def _of(rng: Random, rows: list[Row], *kinds: str) -> Row | None:
    found = [row for row in rows if row["kind"] and row["kind"].startswith(kinds)]
    return rng.choice(found) if found else None


def drop_rows(rng: Random, document: Document, rows: list[Row]) -> None:
    for _ in range(rng.randint(1, 3)):
        if len(rows) > 1:
            rows.pop(rng.randrange(len(rows)))


def drop_a_send(rng: Random, document: Document, rows: list[Row]) -> None:
    if row := _of(rng, rows, "message.sent", "message.impression"):
        rows.remove(row)


def duplicate(rng: Random, document: Document, rows: list[Row]) -> None:
    row = rng.choice(rows)
    rows.append({**row, "source": rng.choice((row["source"], "again"))})


def conflict(rng: Random, document: Document, rows: list[Row]) -> None:
    row = rng.choice(rows)
    if row["event_id"] is not None:
        change = rng.choice(({"user_id": "u9"}, {"reason_detail": "other"}, {"value": 7.5}, {"seq": 99}))
        rows.append({**row, **change})


def one_bad_cell(rng: Random, document: Document, rows: list[Row]) -> None:
    """A word nobody knows, or a time nobody can read."""
    row = rng.choice(rows)
    faults: list[tuple[str, Any]] = [("journey_id", "k"), ("version", 77), ("point_id", "ZZ")]
    faults += [("occurred_at", "yesterday"), ("kind", "run.paused"), ("channel", "pigeon")]
    column, value = rng.choice(faults)
    if row["kind"] == "goal.reached" and column in ("version", "point_id"):
        column, value = "goal_id", "g9"
    if isinstance(row["occurred_at"], str) or row["kind"] == "run.paused":
        return
    rows.append(_fresh(rng, row, **{column: value}))


def bad_goal(rng: Random, document: Document, rows: list[Row]) -> None:
    if row := _of(rng, rows, "goal."):
        rows.append(_fresh(rng, row, goal_id="g9"))


def bad_branch(rng: Random, document: Document, rows: list[Row]) -> None:
    if row := _of(rng, rows, "point.completed"):
        rows.append(_fresh(rng, row, branch=rng.choice(("variant:Z", "sideways", None))))


def missing_cell(rng: Random, document: Document, rows: list[Row]) -> None:
    row = rng.choice(rows)
    column = rng.choice(
        ("occurred_at", "kind", "user_id", "journey_id", "version", "run_id", "point_id", "reason")
    )
    rows.append(_fresh(rng, row, **{column: None}))


def foreign_reason(rng: Random, document: Document, rows: list[Row]) -> None:
    row = _of(rng, rows, "message.failed", "message.skipped", "point.skipped", "wait.started", "run.exited")
    if row:
        row["reason"] = rng.choice(("frequency_capped", "delay", "hard_bounce", "goal", "a vendor's word"))


def again(kind: str) -> Any:
    def add(rng: Random, document: Document, rows: list[Row]) -> None:
        """The same thing a second time, under another id, at once or later."""
        row = _of(rng, rows, kind)
        if row and isinstance(row["occurred_at"], datetime):
            rows.append(_fresh(rng, row, occurred_at=row["occurred_at"] + rng.choice(STEPS)))

    return add


def misplaced(kind: str, *, later: bool) -> Any:
    def add(rng: Random, document: Document, rows: list[Row]) -> None:
        """Something of a run after its exit, or before its entry."""
        anchor = _of(rng, rows, kind)
        if anchor is None or not isinstance(anchor["occurred_at"], datetime):
            return
        run = anchor["run_id"]
        own = [
            row
            for row in rows
            if row["run_id"] == run and row["kind"] not in ("run.entered", "run.exited", None)
        ]
        if own:
            shift = rng.choice(STEPS)
            at = anchor["occurred_at"] + shift if later else anchor["occurred_at"] - shift
            row = _fresh(rng, rng.choice(own), occurred_at=at)
            if row.get("message_id"):
                row["message_id"] = rng.choice((row["message_id"], f"{row['message_id']}-late"))
            rows.append(row)

    return add


def message_without_run(rng: Random, document: Document, rows: list[Row]) -> None:
    if row := _of(rng, rows, "message."):
        if rng.random() < 0.5:
            row["run_id"] = None
        else:
            rows.append(_fresh(rng, row, run_id=None, message_id=f"m{rng.randrange(10**6)}"))


def only_outcomes(rng: Random, document: Document, rows: list[Row]) -> None:
    """A run that the log knows by outcomes and goals alone."""
    run = rng.choice([row["run_id"] for row in rows] or [None])
    kinds = ("message.delivered", "message.opened", "message.clicked", "goal.reached")
    if run is not None:
        rows[:] = [row for row in rows if row["run_id"] != run or row["kind"] in kinds] or rows


def another_run(rng: Random, document: Document, rows: list[Row]) -> None:
    """A reaching that names a run nobody has heard of."""
    if row := _of(rng, rows, "goal."):
        rows.append(_fresh(rng, row, run_id="r-unheard"))


DIRT = [
    drop_rows,
    drop_a_send,
    duplicate,
    duplicate,
    conflict,
    conflict,
    one_bad_cell,
    one_bad_cell,
    one_bad_cell,
    one_bad_cell,
    one_bad_cell,
    bad_goal,
    bad_branch,
    bad_branch,
    missing_cell,
    foreign_reason,
    again("run.entered"),
    again("run.exited"),
    again("run.exited"),
    again("point.completed"),
    again("point.completed"),
    again("message.failed"),
    again("point.entered"),
    misplaced("run.exited", later=True),
    misplaced("run.exited", later=True),
    misplaced("run.entered", later=False),
    misplaced("run.entered", later=False),
    message_without_run,
    message_without_run,
    only_outcomes,
    another_run,
]


# ---------------------------------------------------------------- queries

PRESETS = ("today", "yesterday", "7d", "30d", "this_week", "this_month")


@dataclass(frozen=True)
class Asked:
    """A query and how the public face is asked for the same."""

    query: Query
    preset: str | None = None
    users: tuple[str, ...] | None = None
    entry: str | None = None
    variant: str | None = None
    turn: int = 0  # picks among the ways in which a table is asked for

    def __str__(self) -> str:
        query = self.query
        parts = [f"clock={query.clock}", f"as_of={query.as_of}", f"machine={query.machine}"]
        parts += [f"period={self.preset or (str(query.start), str(query.end))}"]
        parts += [f"users={self.users}"] if self.users is not None else []
        parts += [f"entry={self.entry}"] if self.entry is not None else []
        parts += [f"variant={self.variant}"] if self.variant is not None else []
        return " ".join(parts)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def preset_start_end(name: str, as_of: datetime, zone: ZoneInfo) -> tuple[datetime, datetime | None]:
    """The presets of METRICS.md 3 over local calendar days; None: open, it ends just after as_of."""
    today = as_of.astimezone(zone).date()
    if name == "yesterday":
        return midnight(today - timedelta(days=1), zone), midnight(today, zone)
    first = {
        "today": today,
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
        "this_week": today - timedelta(days=today.weekday()),
        "this_month": today.replace(day=1),
    }[name]
    return midnight(first, zone), None


def query(rng: Random, reading: Reading) -> Asked:
    """A period with odd edges, an as_of at or between events, either clock."""
    times = sorted({row.at for row in reading.loaded}) or [datetime(2026, 1, 1, tzinfo=UTC)]
    edges = [*times, *(at + timedelta(microseconds=1) for at in times), times[0] - timedelta(days=1)]
    edges += [midnight(at.astimezone(reading.plan.zone).date(), reading.plan.zone) for at in times[:5]]
    clock = rng.choice(("activity", "activity", "cohort"))
    machine = rng.random() < 0.25
    # Without any loaded row there is no default instant.
    as_of = (
        None
        if rng.random() < 0.5 and reading.loaded
        else rng.choice([*times, times[-1], times[-1] + timedelta(days=40)])
    )
    start = end = preset = None
    how = rng.random()
    if how < 0.5:
        start, end = sorted((rng.choice(edges), rng.choice(edges)))
        if start == end:
            end = start + timedelta(days=1)
    elif how < 0.7:
        preset = rng.choice(PRESETS)
        start, end = preset_start_end(preset, as_of or times[-1], reading.plan.zone)
    users = entry = variant = keep = None
    which = rng.random()
    if which < 0.12 and reading.runs:
        users = tuple(sorted({rng.choice(list(reading.runs.values())).user for _ in range(2)}))
        keep = kept_users(users)
    elif which < 0.2:
        entry = "E"
        keep = kept_entry("E")
    elif which < 0.28:
        variant = "A"
        keep = kept_variant("A", as_of)
    narrowed = Query(start, end, as_of, clock, None, machine, keep)
    return Asked(narrowed, preset, users, entry, variant, turn=rng.randrange(1000))


def kept_users(users: tuple[str, ...]) -> Any:
    def keep(run: Run) -> bool:
        return run.user in users

    return keep


def kept_entry(entry: str) -> Any:
    def keep(run: Run) -> bool:
        return run.entry_point == entry

    return keep


def kept_variant(variant: str, as_of: datetime | None) -> Any:
    def keep(run: Run) -> bool:
        return run.variant == variant and (as_of is None or run.variant_at <= as_of)

    return keep


def example(seed: int | Random) -> tuple[Document, list[Row], Random]:
    """Journey and log of a seed, and the generator for what is asked of them."""
    rng = Random(seed) if isinstance(seed, int) else seed
    document = journey(rng)
    return document, log(rng, document), rng
