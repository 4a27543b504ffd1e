"""Facts made by hand: name the columns that matter, the rest are null (or their usual value)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from journey_nb.events.words import KINDS, REASONS
from journey_nb.facts import CREDITS, OUTCOMES, Folded
from journey_nb.journey import CHANNELS, Journey
from journey_nb.metrics.scope import TICK, Scope

START = datetime(2026, 1, 5, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
CHANNEL, REASON = pl.Enum(CHANNELS), pl.Enum(REASONS)
Rows = Iterable[Mapping[str, Any]]


def at(minutes: float = 0, *, days: float = 0) -> datetime:
    """An instant, counted from the first one of the tests (midnight UTC of Monday, 5 January 2026)."""
    return START + timedelta(minutes=minutes, days=days)


def a_journey(**changes: Any) -> Journey:
    """E entry → A push → W delay → X exit, with the goals buy and join."""
    document = {
        "journey_id": "j",
        "title": "J",
        "goals": [{"goal_id": "buy", "title": "Buy"}, {"goal_id": "join", "title": "Join"}],
        "versions": [
            {
                "version": 1,
                "published_at": "2026-01-01T00:00:00Z",
                "points": [
                    {"point_id": "E", "type": "entry_api", "title": "Entry"},
                    {"point_id": "A", "type": "message", "title": "Push", "channel": "push"},
                    {"point_id": "W", "type": "delay", "title": "Wait"},
                    {"point_id": "X", "type": "exit", "title": "Exit"},
                ],
                "branches": [
                    {"source": "E", "target": "A"},
                    {"source": "A", "target": "W"},
                    {"source": "W", "target": "X"},
                ],
            }
        ],
    }
    return Journey.model_validate({**document, **changes})


def _schemas(journey: Journey) -> dict[str, dict[str, Any]]:
    point = pl.Enum(list(journey.points()))
    goal = pl.Enum([goal.goal_id for goal in journey.goals])
    key = pl.UInt32
    message_times = {
        f"{name}_at": TIME
        for name in (
            *("sent", "failed", "bounced", "skipped", "delivered", "opened", "clicked", "opened_any"),
            *("clicked_any", "shown", "interacted", "dismissed", "replied", "unsubscribed"),
            *("complained", "engaged"),
        )
    }
    return {
        "runs": {
            "run": key, "run_id": pl.String, "user": key, "user_id": pl.String, "device_id": pl.String,
            "version": pl.Int32, "run_no": pl.Int64, "entry_point": point, "entered_at": TIME,
            "first_at": TIME, "last_at": TIME, "left_at": TIME, "reason": REASON,
            "reason_detail": pl.String, "exit_point": point, "truncated": pl.Boolean,
            "inside": pl.Boolean, "variant": pl.String, "variant_at": TIME, "derived": pl.Boolean,
        },
        "visits": {
            "run": key, "user": key, "visit": key, "point": point, "arrived_at": TIME, "left_at": TIME,
            "outcome": OUTCOMES, "branch": pl.String, "traversed": pl.Boolean, "known": pl.Boolean,
            "to_point": point, "derived": pl.Boolean, "skip_at": TIME, "skip_reason": REASON,
            "version": pl.Int32, "left_version": pl.Int32, "order": pl.Int64, "left_order": pl.Int64,
            "skip_order": pl.Int64,
        },
        "waits": {
            "run": key, "visit": key, "point": point, "at": TIME, "cause": REASON, "due_at": TIME,
        },
        "messages": {
            "message": key, "message_id": pl.String, "run": key, "user": key, "point": point,
            "channel": CHANNEL, "variant": pl.String, **message_times, "sent_inferred": pl.Boolean,
            "fail_reason": REASON, "bounce_reason": REASON, "skip_reason": REASON,
            "opened_inferred": pl.Boolean, "version": pl.Int32, "sent_order": pl.Int64,
            "engaged_order": pl.Int64, "skipped_order": pl.Int64,
        },
        "goals": {
            "goal": goal, "run": key, "user": key, "at": TIME, "order": pl.Int64, "value": pl.Float64,
            "currency": pl.String, "counts": pl.Boolean, "implied": pl.Boolean, "here": point,
            "credit": CREDITS, "credit_message": key, "credit_point": point, "credit_channel": CHANNEL,
        },
        "events": {
            "run": key, "at": TIME, "kind": pl.Enum(KINDS), "point": point, "message": key,
            "machine": pl.Boolean, "order": pl.Int64,
        },
        "devices": {"run": key, "user": key, "device_id": pl.String},
    }  # fmt: skip


def make_facts(journey: Journey, **tables: Rows) -> Folded:
    """Facts with these rows; ids are numbered, users taken from runs, flags false but ``counts`` and ``inside``."""
    frames = {}
    user_of_run: dict[int, int] = {}
    for name, schema in _schemas(journey).items():
        rows = [dict(row) for row in tables.get(name, ())]
        for number, row in enumerate(rows):
            _complete(name, number, row, user_of_run)
            if unknown := set(row) - set(schema):
                raise KeyError(f"{name} has no {sorted(unknown)}")
            row.update(
                {flag: False for flag, dtype in schema.items() if dtype == pl.Boolean and flag not in row}
            )
        frames[name] = pl.DataFrame(rows, schema=schema)
    times = [value for frame in frames.values() for value in _times(frame)]
    rest = {
        "users": _users(frames),
        "quarantined": pl.DataFrame(),
        "read": 0,
        "duplicates": 0,
        "first_at": min(times, default=START),
        "last_at": max(times, default=START),
    }
    known = {field.name for field in fields(Folded)}
    return Folded(**{name: value for name, value in {**frames, **rest}.items() if name in known})


def _complete(name: str, number: int, row: dict[str, Any], user_of_run: dict[int, int]) -> None:
    if name == "runs":
        row.setdefault("run", number)
        row.setdefault("user", number)
        user_of_run[row["run"]] = row["user"]
        known = {key: row[key] for key in ("entered_at", "left_at") if row.get(key)}
        usual = {
            "run_id": f"r{row['run']}", "user_id": f"u{row['user']}", "run_no": 1, "version": 1, "inside": True,
            "truncated": "entered_at" not in row, "entry_point": "E" if "entered_at" in row else None,
            "first_at": min(known.values(), default=START), "last_at": max(known.values(), default=START),
        }  # fmt: skip
    else:
        row.setdefault("run", 0)
        usual = {"user": user_of_run.get(row["run"], row["run"])} if name not in ("waits", "events") else {}
        if name == "visits":
            usual |= {"visit": number, "version": 1, "left_version": 1 if row.get("left_at") else None}
            arrived, left, skip = (_micros(row.get(f"{name}_at")) for name in ("arrived", "left", "skip"))
            usual |= {"order": -1 if arrived is None else arrived, "left_order": left, "skip_order": skip}
        elif name == "messages":
            usual |= {
                "message": number,
                "message_id": f"m{number}",
                "point": "A",
                "channel": "push",
                "version": 1,
            }
            usual |= {
                f"{name}_order": _micros(row.get(f"{name}_at")) for name in ("sent", "engaged", "skipped")
            }
        elif name == "goals":
            usual |= {"goal": "buy", "order": _micros(row["at"]), "counts": True}
            usual |= {"credit_channel": "push" if "credit_message" in row else None}
        elif name == "events":
            usual |= {"order": number}
    for key, value in usual.items():
        row.setdefault(key, value)


def _micros(time: datetime | None) -> int | None:
    # Rows made by hand are read in order of time.
    return None if time is None else int((time - START) / TICK)


def _times(frame: pl.DataFrame) -> list[datetime]:
    columns = [name for name, dtype in frame.schema.items() if dtype == TIME and name != "due_at"]
    return [
        value for name in columns for value in (frame[name].min(), frame[name].max()) if value is not None
    ]


def make_scope(journey: Journey | None = None, *, facts: Folded | None = None, **options: Any) -> Scope:
    """A scope over hand-made rows (``runs=``, ``visits=`` …); the period is the first 30 days unless told."""
    journey = journey or a_journey()
    rows = {name: options.pop(name) for name in _schemas(journey) if name in options}
    facts = facts or make_facts(journey, **rows)
    options = {"start": at(), "end": at(days=30), "as_of": at(days=60) - TICK, **options}
    return Scope(journey=journey, facts=facts, **options)


def _users(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The user_id behind each id that any table carries."""
    told = dict(frames["runs"].select("user", "user_id").drop_nulls().iter_rows())
    ids = pl.concat(frame["user"] for frame in frames.values() if "user" in frame.columns).drop_nulls()
    names = [told.get(user, f"user {user}") for user in range(int(ids.max()) + 1 if ids.len() else 0)]  # type: ignore[arg-type]
    return pl.DataFrame({"user_id": names}, schema={"user_id": pl.String})
