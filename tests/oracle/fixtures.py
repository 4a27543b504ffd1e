"""The worked cases of METRICS.md 13 as data: journey, rows, query, and what each table must say.

Times are minutes after T0 unless a case says otherwise. ``expect`` maps a table (with arguments) to conditions: a
selector of rows, and the values those rows must have; a selector that must find nothing has the values None.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oracle.tables import Query

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
Row = dict[str, Any]


def minute(n: float) -> datetime:
    return T0 + timedelta(minutes=n)


def document(
    *, e_keys: tuple[tuple[str, str], ...] = (("default", "A"),), a_target: str = "W", timezone: str = "UTC"
) -> dict[str, Any]:
    """E entry, A message (push), W delay, I message (in_app), X exit."""
    points = [
        {"point_id": "E", "type": "activity" if len(e_keys) > 1 else "entry_api", "title": "Entry"},
        {"point_id": "A", "type": "message", "channel": "push", "title": "Push"},
        {"point_id": "W", "type": "delay", "title": "Delay"},
        {"point_id": "I", "type": "message", "channel": "in_app", "title": "In-app"},
        {"point_id": "X", "type": "exit", "title": "Exit"},
    ]
    ways = [
        *(("E", key, target) for key, target in e_keys),
        ("A", "default", a_target),
        ("W", "default", "I"),
    ]
    ways += [("I", "default", "X")]
    return {
        "format": "journey/1",
        "journey_id": "j",
        "title": "Worked cases",
        "timezone": timezone,
        "origin": "discovered" if len(e_keys) > 1 else "designed",
        "goals": [
            {
                "goal_id": "g1",
                "title": "Purchase",
                "event": "purchase",
                "conversion_days": 30,
                "ends_journey": True,
            }
        ],
        "versions": [
            {
                "version": 1,
                "published_at": "2026-01-01T00:00:00+00:00",
                "points": points,
                "branches": [{"source": s, "key": k, "target": t} for s, k, t in ways],
            }
        ],
    }


def row(kind: str, at: float | datetime, point: str | None = None, **columns: Any) -> Row:
    """A row of run r1 of user u1 at a minute."""
    made: Row = {
        "occurred_at": at if isinstance(at, datetime) else minute(at),
        "kind": kind,
        "user_id": "u1",
        "journey_id": "j",
        "version": 1,
        "run_id": "r1",
        "point_id": point,
        "source": "test",
    }
    if kind.startswith("message."):
        made |= {"message_id": f"m-{point}", "channel": "in_app" if point == "I" else "push"}
    made |= columns
    run = made["run_id"] or "none"
    made.setdefault(
        "event_id", f"{run}-{kind}-{point}-{made['occurred_at'].isoformat()}-{made.get('goal_id')}"
    )
    return made


def goal(at: float | datetime, **columns: Any) -> Row:
    return row("goal.reached", at, goal_id="g1", **columns)


@dataclass(frozen=True)
class Check:
    """Rows of a table that match ``where`` must be one row with these values (or none, when values is None)."""

    table: str
    values: dict[str, Any] | None
    where: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str
    journey: dict[str, Any]
    rows: list[Row]
    checks: list[Check]
    query: Query = field(default_factory=Query)
    duplicates: int = 0
    quarantine: tuple[tuple[int, str], ...] = ()


E0, A1 = row("run.entered", 0, "E"), row("point.entered", 1, "A")
A1_SENT = row("message.sent", 1, "A")
A1_DONE, W1 = row("point.completed", 1, "A"), row("point.entered", 1, "W")


def point(where: str, **values: Any) -> Check:
    return Check("points", values, {"point_id": where})


def _conflict_rows() -> list[Row]:
    """The same send three times; the third time with another user, whichever content stays."""
    sent = row("message.sent", 1, "A", event_id="one")
    return [E0, A1, sent, deepcopy(sent), {**sent, "user_id": "u2"}]


def _conflict_quarantine() -> tuple[tuple[int, str], ...]:
    from oracle.reading import filled, row_hash

    rows = _conflict_rows()
    same, other = row_hash(filled(rows[2])), row_hash(filled(rows[4]))
    return ((4 if same < other else 2, "conflict"),)


def _february() -> list[Row]:
    rows = [row("run.entered", datetime(2026, 2, 10, tzinfo=UTC), "E", run_id="feb", user_id="f")]
    for n in range(5):
        own = {"run_id": f"jan{n}", "user_id": f"j{n}"}
        rows.append(row("run.entered", datetime(2026, 1, 20, n, tzinfo=UTC), "E", **own))
        rows.append(goal(datetime(2026, 2, 12, n, tzinfo=UTC), **own))
    return rows


FEBRUARY = {"start": datetime(2026, 2, 1, tzinfo=UTC), "end": datetime(2026, 3, 1, tzinfo=UTC)}
NIGHT = [
    row("run.entered", datetime(2026, 3, 28, 21, tzinfo=UTC), "E"),
    row("point.entered", datetime(2026, 3, 28, 22, tzinfo=UTC), "W"),  # 23:00 in Paris
    row("point.completed", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "W"),  # 03:30 in Paris
]
DAY = 24 * 60

CASES = [
    Case(
        "two keys, two targets",
        document(e_keys=(("a", "A"), ("b", "X"))),
        [E0, A1],
        [
            Check("branches", {"runs": 1, "share": 1.0, "target": "A"}, {"source": "E", "branch": "a"}),
            Check("branches", {"runs": 0, "share": 0.0, "target": "X"}, {"source": "E", "branch": "b"}),
            Check("branches", None, {"source": "E", "branch": None}),
        ],
    ),
    Case(
        "two keys, one target",
        document(e_keys=(("a", "A"), ("b", "A"))),
        [E0, A1],
        [
            Check("branches", {"runs": 0, "share": None}, {"source": "E", "branch": "a"}),
            Check("branches", {"runs": 0, "share": None}, {"source": "E", "branch": "b"}),
            Check(
                "branches",
                {"runs": 1, "users": 1, "target": None, "share": None, "label": "unknown"},
                {"source": "E", "branch": None},
            ),
        ],
    ),
    Case(
        "arrival completes the point before",
        document(),
        [E0, A1],
        [point("E", entered=1, completed=1, waiting=0), point("A", entered=1, completed=0, waiting=1)],
    ),
    Case(
        "a failed message drops nobody",
        document(a_target="X"),
        [
            E0,
            A1,
            row("message.failed", 1, "A", reason="token_invalid"),
            row("point.completed", 2, "A"),
            row("point.entered", 2, "X"),
            row("run.exited", 2, reason="completed"),
        ],
        [
            point("A", entered=1, completed=1, dropped=0, failed=1, sent=0),
            point("X", entered=1, completed=1, dropped=0),
            Check("health", {"drop_offs": 0}),
            Check("audience", {"completed": 1, "failed_messages": 1}),
            Check(
                "drops",
                {"grain": "message", "class": "send_error", "reason": "token_invalid", "count": 1},
                arguments={"point_id": "A"},
            ),
        ],
    ),
    Case(
        "outcomes after the exit",
        document(),
        [
            E0,
            A1_SENT,
            row("run.exited", 2, reason="completed"),
            row("message.delivered", 3, "A"),
            row("message.failed", 4, "A", reason="hard_bounce"),
        ],
        [
            Check(
                "communications",
                {"sent": 1, "delivered": 1, "bounced": 1, "failed": 0, "skipped": 0},
                {"channel": "push"},
            ),
            Check(
                "delivery_issues", {"outcome": "bounced", "reason": "hard_bounce", "count": 1, "rate": 1.0}
            ),
        ],
    ),
    Case(
        "indirect credit, goal at the delay",
        document(),
        [E0, A1, A1_SENT, A1_DONE, W1, goal(10)],
        [
            Check(
                "credit",
                {"users": 1.0, "direct": 0, "indirect": 1},
                {"point_id": "A"},
                arguments={"goal": "g1"},
            ),
            point("W", goal_here=1, goal_users=0),
            point("A", goal_here=0, goal_users=1),
        ],
    ),
    Case(
        "a click implies an open",
        document(),
        [E0, A1, A1_SENT, row("message.clicked", 2, "A"), goal(3)],
        [
            Check("messages", {"sent": 1, "opened": 1, "clicked": 1, "goal_direct": 1}, {"point_id": "A"}),
            Check("credit", {"direct": 1, "indirect": 0}, {"point_id": "A"}, arguments={"goal": "g1"}),
        ],
    ),
    Case(
        "in-app interaction",
        document(),
        [E0, row("message.impression", 1, "I"), row("message.interacted", 2, "I"), goal(3)],
        [
            Check("credit", {"direct": 1}, {"point_id": "I"}, arguments={"goal": "g1"}),
            point("I", sent=1, shown=1, interacted=1, opened=0, clicked=0),
        ],
    ),
    Case(
        "value adds up",
        document(),
        [E0, goal(5, value=10.0, currency="EUR"), goal(6, value=20.0, currency="EUR")],
        [
            Check(
                "goals",
                {"users": 1, "runs": 1, "events": 2, "value": 30.0, "currency": "EUR"},
                {"goal_id": "g1"},
            )
        ],
    ),
    Case(
        "two runs of one user",
        document(),
        [
            row("run.entered", 0, "E"),
            goal(1 * DAY),
            row("run.entered", 1.5 * DAY, "E", run_id="r2"),
            goal(2 * DAY, run_id="r2"),
        ],
        [
            Check("goals", {"users": 1, "runs": 2, "events": 2}, {"goal_id": "g1"}),
            Check("daily", {"count": 1}, {"date": (T0 + timedelta(days=1)).date()}, {"by": "goal"}),
            Check("daily", {"count": 0}, {"date": (T0 + timedelta(days=2)).date()}, {"by": "goal"}),
        ],
    ),
    Case(
        "an exit by goal implies the goal",
        document(),
        [E0, row("run.exited", 2, reason="goal", reason_detail="g1")],
        [
            Check("goals", {"users": 1, "events": 1, "value": None}, {"goal_id": "g1"}),
            point("E", exited=1, exits_goal=1, goal_here=1),
        ],
    ),
    Case(
        "twice the same, then a conflict",
        document(),
        _conflict_rows(),
        [Check("health", {"messages_sent": 1})],
        duplicates=1,
        quarantine=_conflict_quarantine(),
    ),
    Case(
        "the log begins mid-way",
        document(),
        [row("point.completed", 3, "A")],
        [
            Check("audience", {"entrances": 0, "in_journey_before": 1, "in_journey": 1}),
            point("A", waiting_before=1, entered=0, completed=1, waiting=0, seconds_p50=None),
        ],
    ),
    Case(
        "February, activity",
        document(),
        _february(),
        [
            Check(
                "goals",
                {"users": 5, "entrances": 1, "conversion_rate": 5.0, "user_rate": 5.0},
                {"goal_id": "g1"},
            )
        ],
        Query(**FEBRUARY),
    ),
    Case(
        "February, cohort",
        document(),
        _february(),
        [Check("goals", {"users": 0, "entrances": 1, "conversion_rate": 0.0}, {"goal_id": "g1"})],
        Query(**FEBRUARY, clock="cohort"),
    ),
    Case(
        "the night clocks go forward",
        document(timezone="Europe/Paris"),
        NIGHT,
        [
            point("W", completed=1, seconds_p50=12_600.0, seconds_p90=12_600.0),
        ],
    ),
]
