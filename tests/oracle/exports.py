"""The files of METRICS.md 8, read as section 15 says, counted from a Reading."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from oracle import tables
from oracle.numbers import ratio
from oracle.reading import Message, Reading
from oracle.tables import OF_MESSAGES, Query, Scope, Table

UNITS = {
    **dict.fromkeys("goal_here goal_users sent_users opened_users clicked_users".split(), "users"),
    **dict.fromkeys("goal_after_interaction goal_direct goal_indirect".split(), "users"),
    **dict.fromkeys("waiting_before entered completed waiting exited dropped".split(), "visits"),
    **dict.fromkeys("exits_goal exits_cancel".split(), "visits"),
    **dict.fromkeys((*OF_MESSAGES, "bounced"), "messages"),
    **dict.fromkeys("seconds_p50 seconds_p90".split(), "seconds"),
}
RATES = {
    "open_rate": ("opened", "sent"),
    "click_rate": ("clicked", "sent"),
    "goal_after_interaction_rate": ("goal_after_interaction", "sent_users"),
}
DEPARTURES = "completed exited dropped skipped exits_goal exits_cancel".split()


def _days(reading: Reading, query: Query) -> list[date]:
    return sorted({row["date"] for row in tables.daily(reading, query)})


def _fraction(part: float, whole: float) -> float | None:
    found = ratio(part, whole)
    return None if found is None else round(found, 6)


# ---------------------------------------------------------------- goals


def goal_statistics(reading: Reading, query: Query, goal: str | None = None) -> Table:
    scope, table = Scope(reading, query), []
    entered: Counter[date] = Counter(scope.local_day(run.entered_at) for run in scope.entered)
    for goal_id, design in scope.plan.goals.items():
        if goal not in (None, goal_id):
            continue
        conditions = design.get("conditions")
        head = {
            "goal": goal_id,
            "event": design.get("event") or None,
            "conditions": json.dumps(conditions, ensure_ascii=False) if conditions else None,
            "conversion days": design.get("conversion_days", 30),
        }
        firsts = scope.first_by_user(goal_id)
        kinds = Counter((event.credit_point, event.credit) for event in firsts)
        on: Counter[date] = Counter(tables._day(scope, event.run, event.at) for event in firsts)
        direct, indirect = (
            sum(n for (_, kind), n in kinds.items() if kind == name) for name in ("direct", "indirect")
        )
        rows: Table = [
            {"entrances": len(scope.entered), "users": len(firsts), "direct": direct, "indirect": indirect}
        ]
        rows += [{"date": day, "entrances": entered[day], "users": on[day]} for day in _days(reading, query)]
        for point in scope.points():
            direct, indirect = kinds[point, "direct"], kinds[point, "indirect"]
            if direct + indirect:
                rows.append(
                    {"users": direct + indirect, "point": point, "direct": direct, "indirect": indirect}
                )
        rows.append({"users": kinds[None, None], "point": "unattributed", "direct": 0, "indirect": 0})
        for row in rows:
            rate = _fraction(row["users"], row.get("entrances", 0))
            table.append(dict.fromkeys(COLUMNS["goal_statistics"]) | head | row | {"rate": rate})
    return table


# ---------------------------------------------------------------- points


def point_statistics(reading: Reading, query: Query, point_id: str) -> Table:
    scope = Scope(reading, query)
    rows = [
        *_numbers(reading, query, point_id),
        *_by_day(scope, reading, query, point_id),
        *_reasons(scope, point_id),
    ]
    return [dict.fromkeys(COLUMNS["point_statistics"]) | row for row in rows]


def _numbers(reading: Reading, query: Query, point_id: str) -> Iterator[dict[str, Any]]:
    told: set[tuple[str, str]] = set()
    for name in ("points", "messages"):
        for row in getattr(tables, name)(reading, query):
            if row["point_id"] != point_id:
                continue
            for metric, value in row.items():
                if metric in RATES:
                    part, over = (row[of] for of in RATES[metric])
                    yield {"metric": metric, "value": _fraction(part, over), "numerator": part, "denominator": over,
                           "unit": "share"}  # fmt: skip
                unit = (
                    ("visits" if name == "points" else "messages")
                    if metric == "skipped"
                    else UNITS.get(metric)
                )
                missing = value is None and unit != "seconds"
                if unit and not missing and (metric, unit) not in told:
                    told.add((metric, unit))
                    yield {"metric": metric, "value": value, "unit": unit}


def _by_day(scope: Scope, reading: Reading, query: Query, point_id: str) -> Iterator[dict[str, Any]]:
    counts: Counter[tuple[date, str]] = Counter()
    for visit in scope.visits():
        if visit.point != point_id:
            continue
        if scope.counts(visit.run, visit.arrived_at):
            counts[tables._day(scope, visit.run, visit.arrived_at), "entered"] += 1
        if scope.counts(visit.run, visit.left_at):
            day = tables._day(scope, visit.run, visit.left_at)
            counts[day, visit.outcome] += 1
            counts[day, "skipped"] += visit.outcome == "completed" and bool(visit.skips)
            if visit.outcome == "exited" and visit.exit_reason in ("goal", "cancel_event"):
                counts[day, "exits_goal" if visit.exit_reason == "goal" else "exits_cancel"] += 1
    own = [message for message in scope.messages() if message.point == point_id]
    for message in own:
        day = tables._day(scope, message.run, scope.fate(message)[1])
        for metric, n in scope.message_numbers([message]).items():
            if metric in OF_MESSAGES:
                counts[day, metric] += n
    series = ["entered", *DEPARTURES]
    if point_id in {point["point_id"] for point in tables._message_points(scope)}:
        series += OF_MESSAGES
    for day in _days(reading, query):
        for metric in series:
            unit = "visits" if metric == "skipped" else UNITS[metric]
            yield {"metric": metric, "value": counts[day, metric], "unit": unit, "date": day}


def _reasons(scope: Scope, point_id: str) -> Iterator[dict[str, Any]]:
    version = scope.query.version
    left = Counter(
        (run.end_status, run.reason)
        for run in scope.left("dropped", "exited")
        if run.exit_point == point_id and version in (None, run.version)
    )
    lost = Counter(
        (outcome, reason)
        for message in scope.messages()
        if message.point == point_id
        for outcome, reason in [_outcome(scope, message)]
        if outcome != "sent"
    )
    for counts, unit in ((left, "runs"), (lost, "messages")):
        for metric, reason in sorted(counts):
            yield {"metric": metric, "value": counts[metric, reason], "unit": unit, "reason": reason}


def _outcome(scope: Scope, message: Message) -> tuple[str, str | None]:
    fate, _ = scope.fate(message)
    if fate == "sent":
        return ("bounced", message.bounced.reason) if scope.bounced(message) else ("sent", None)
    return fate, getattr(message, fate).reason


# ---------------------------------------------------------------- lists


def point_users(reading: Reading, query: Query, point_id: str, goal: str | None = None) -> Table:
    scope = Scope(reading, query)
    own = [message for message in scope.messages() if message.point == point_id]
    reached = defaultdict(list)
    for event in reading.goals:
        if event.counts and scope.seen(event.at) and goal in (None, event.goal):
            reached[event.credit_message].append(event.at)
    table = []
    for message in sorted(own, key=lambda m: (scope.fate(m)[1], m.message_id)):
        fate, at = scope.fate(message)
        run = scope.runs[message.run]
        times = {
            "sent_at": at,
            "delivered_at": message.delivered_at,
            "opened_at": scope.opened_at(message),
            "clicked_at": scope.clicked_at(message),
        }
        outcome, reason = _outcome(scope, message)
        table.append(
            {
                "user_id": run.user,
                "device_id": run.device,
                **{
                    name: when if fate == "sent" and scope.seen(when) else None
                    for name, when in times.items()
                },
                "goal_at": min(reached[message.message_id], default=None),
                "outcome": outcome,
                "reason": reason,
            }
        )
    return table


def step_users(reading: Reading, query: Query, point_id: str) -> Table:
    scope = Scope(reading, query)
    own = [
        visit
        for visit in scope.visits()
        if visit.point == point_id and (scope.counts(visit.run, visit.arrived_at) or scope.open_before(visit))
    ]
    table = []
    for visit in sorted(own, key=lambda v: (v.arrived_at is not None, v.arrived_at, v.run, v.opened_pos)):
        run, left = scope.runs[visit.run], scope.by_state(visit.left_at)
        skips = [skip.reason for skip in visit.skips if scope.by_state(skip.at)]
        gone = run.reason if left and visit.outcome != "completed" else None
        table.append(
            {
                "journey": scope.plan.document.get("title") or scope.plan.journey_id,
                "point": point_id,
                "user_id": run.user,
                "device_id": run.device,
                "run_id": run.run_id,
                "entered_at": visit.arrived_at,
                "left_at": visit.left_at if left else None,
                "outcome": visit.outcome if left else None,
                "branch": visit.branch if left else None,
                "reason": skips[0] if skips else gone,
            }
        )
    return table


# ---------------------------------------------------------------- campaigns


def campaign_numbers(reading: Reading, query: Query) -> Table:
    """The numbers of the campaign statistics, the extended ones too, and the revenue of each currency."""
    scope = Scope(reading, query)
    sent, table = scope.messages("sent"), {}
    lost = [run.user for run in scope.left("dropped", "exited") if run.reason != "goal"]
    clicks, pooled = {}, [0, 0]
    for channel in (
        "push",
        "email",
        "sms",
        "whatsapp",
        "in_app",
        "line",
        "kakao",
        "web_push",
        "webhook",
        "other",
    ):
        own = [message for message in sent if message.channel == channel]
        numbers = scope.message_numbers(own)
        reported = [message for message in reading.messages.values() if message.channel == channel]
        tells = {
            name: any(scope.seen(getattr(scope, f"{name}_at")(message)) for message in reported)
            for name in ("clicked", "opened")
        }
        told = "clicked" if tells["clicked"] else "opened" if tells["opened"] and channel == "push" else None
        clicks[channel] = ratio(numbers[told] if told else 0, len(own))
        if told:
            pooled[0] += numbers[told]
            pooled[1] += len(own)
        table[channel] = numbers | {"own": own, "users": lambda name, own=own: _users(scope, own, name)}
    shows = sum(
        max(1, _seen_rows(scope, message, "message.impression")) for message in table["in_app"]["own"]
    )
    interacted = table["in_app"]["users"]("interacted")
    row = {
        "Total reach": len(scope.entered),
        "Unique users": scope.users_of(sent),
        "Users inside": len({run.user for run in scope.inside_after()}),
        "Drop-off": len(set(lost)),
        "Total sends": len(sent),
        "Average CTR": ratio(*pooled),
        "Goals": len(scope.first_by_user()),
        "Push sends": table["push"]["sent"],
        "Push CTR": clicks["push"],
        "Email sends": table["email"]["sent"],
        "Email CTR": clicks["email"],
        "Email clicks": sum(
            max(1, _seen_rows(scope, message, "message.clicked"))
            for message in table["email"]["own"]
            if scope.clicked_at(message) is not None
        ),
        "Email unsubscribes": len(table["email"]["users"]("unsubscribed")),
        "SMS sends": table["sms"]["sent"],
        "SMS delivered": table["sms"]["delivered"],
        "WhatsApp sends": table["whatsapp"]["sent"],
        "WhatsApp opens": table["whatsapp"]["opened"],
        "In-App shows": shows,
        "In-App interactions": len(interacted),
        "In-App skips": len(table["in_app"]["users"]("dismissed") - interacted),
        "LINE sends": table["line"]["sent"],
        "LINE delivered": table["line"]["delivered"],
        "LINE CTR": clicks["line"],
        "Kakao sends": table["kakao"]["sent"],
        "Kakao delivered": table["kakao"]["delivered"],
        "Kakao CTR": clicks["kakao"],
        "Web push sends": table["web_push"]["sent"],
        "Web push CTR": clicks["web_push"],
        "Webhook sends": table["webhook"]["sent"],
        "Webhook failures": sum(message.channel == "webhook" for message in scope.messages("failed")),
    }
    money: defaultdict[str, float] = defaultdict(float)
    for event in scope.goals():
        if event.value is not None:
            money[f"Revenue {event.currency}" if event.currency else "Revenue"] += event.value
    row |= {name: money[name] for name in sorted(money)} or {"Revenue": None}
    return [{name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}]


def _seen_rows(scope: Scope, message: Message, kind: str) -> int:
    return sum(
        row.kind == kind and scope.seen(row.at) and (scope.query.machine or not row.machine)
        for row in message.rows
    )


def _users(scope: Scope, own: list[Message], name: str) -> set[str]:
    return {scope.runs[message.run].user for message in own if _seen_rows(scope, message, f"message.{name}")}


COLUMNS = {
    "goal_statistics": ["goal", "event", "conditions", "conversion days", "date", "entrances", "users", "rate", "point",
                        "direct", "indirect"],
    "point_statistics": "metric value numerator denominator unit date reason".split(),
    "point_users": "user_id device_id sent_at delivered_at opened_at clicked_at goal_at outcome reason".split(),
    "step_users": "journey point user_id device_id run_id entered_at left_at outcome branch reason".split(),
}  # fmt: skip
