"""Every table of METRICS.md 5, 6, 7 and 11, counted run by run from a Reading."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from oracle.numbers import (
    holm,
    kaplan_meier,
    newcombe,
    percentile,
    probability_best,
    ratio,
    two_proportions,
)
from oracle.reading import GoalEvent, Message, Reading, Run, Visit, before
from oracle.words import CHANNELS, INTERNAL, RANK, SEND

Table = list[dict[str, Any]]
US = timedelta(microseconds=1)
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Query:
    """What a table is asked for; instants with a time zone, None for the defaults of METRICS.md 3."""

    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None
    clock: str = "activity"
    version: int | None = None
    machine: bool = False
    keep: Callable[[Run], bool] | None = None


class Scope:
    """A reading seen through a query: which runs, which events, which state."""

    def __init__(self, reading: Reading, query: Query) -> None:
        self.reading, self.plan, self.query = reading, reading.plan, query
        self.as_of = query.as_of or reading.last_at
        self.start = query.start or self.plan.launched_at or reading.first_at
        self.end = query.end or self.as_of + US
        self.cohort = query.clock == "cohort"
        self.shown = query.version or self.plan.newest
        kept = [run for run in reading.runs.values() if query.keep is None or query.keep(run)]
        self.runs = {run.run_id: run for run in kept if run.first_at <= self.as_of}
        self.entered = [
            run for run in self.runs.values() if run.entered_at is not None and self.in_period(run.entered_at)
        ]
        self.members = {run.run_id for run in self.entered} if self.cohort else set(self.runs)

    def in_period(self, at: datetime) -> bool:
        return self.start <= at < self.end and at <= self.as_of

    def counts(self, run: str | None, at: datetime | None) -> bool:
        """Whether something of a run at an instant is counted by the clock."""
        if at is None or run not in self.members:
            return False
        return at <= self.as_of if self.cohort else self.in_period(at)

    def seen(self, at: datetime | None) -> bool:
        return at is not None and at <= self.as_of

    def by_state(self, at: datetime | None) -> bool:
        """Whether an event is part of the state after the period."""
        return self.seen(at) and (self.cohort or at < self.end)

    def by_start(self, at: datetime | None) -> bool:
        return self.seen(at) and at < self.start

    # runs

    def inside_before(self) -> list[Run]:
        if self.cohort:
            return []
        return [
            run
            for run in self.runs.values()
            if run.inside
            and (run.truncated or self.by_start(run.entered_at))
            and not self.by_start(run.left_at)
        ]

    def inside_after(self) -> list[Run]:
        return [
            run
            for run in (self.runs[run_id] for run_id in self.members)
            if run.inside
            and (run.truncated or self.by_state(run.entered_at))
            and not self.by_state(run.left_at)
        ]

    def left(self, *statuses: str) -> list[Run]:
        return [
            run
            for run in self.runs.values()
            if run.end_status in statuses and self.counts(run.run_id, run.left_at)
        ]

    # visits

    def visits(self) -> list[Visit]:
        chosen = [visit for run_id in self.members for visit in self.runs[run_id].visits]
        if self.query.version is not None:
            chosen = [visit for visit in chosen if visit.version == self.query.version]
        return chosen

    def open_before(self, visit: Visit) -> bool:
        if self.cohort:
            return False
        return (visit.arrived_at is None or self.by_start(visit.arrived_at)) and not self.by_start(
            visit.left_at
        )

    def open_after(self, visit: Visit) -> bool:
        return (visit.arrived_at is None or self.by_state(visit.arrived_at)) and not self.by_state(
            visit.left_at
        )

    # messages

    def fate(self, message: Message) -> tuple[str, datetime] | None:
        """sent, failed or skipped as known at as_of, and the instant the message belongs to."""
        for name, row in (("sent", message.sent), ("failed", message.failed), ("skipped", message.skipped)):
            if row is not None and self.seen(row.at):
                return name, row.at
        return None

    def messages(self, fate: str | None = None) -> list[Message]:
        """Messages whose instant is counted, of one fate or all."""
        found = []
        for message in self.reading.messages.values():
            known = self.fate(message)
            if known is None or fate not in (None, known[0]) or not self.counts(message.run, known[1]):
                continue
            if self.query.version in (None, message.version):
                found.append(message)
        return found

    def opened_at(self, message: Message) -> datetime | None:
        return message.opened_any_at if self.query.machine else message.opened_at

    def clicked_at(self, message: Message) -> datetime | None:
        return message.clicked_any_at if self.query.machine else message.clicked_at

    def received(self, message: Message) -> bool:
        """Delivered by a receipt, or by what can only follow delivery."""
        marks = (message.delivered_at, self.opened_at(message), self.clicked_at(message))
        return any(self.seen(at) for at in marks)

    def bounced(self, message: Message) -> bool:
        return message.bounced is not None and self.seen(message.bounced.at)

    def users_of(self, messages: Iterable[Message]) -> int:
        return len({self.runs[message.run].user for message in messages})

    def message_numbers(self, messages: list[Message]) -> dict[str, int]:
        """Counts of distinct messages and users among messages of all fates."""
        fates = {message.message_id: self.fate(message)[0] for message in messages}
        sent = [message for message in messages if fates[message.message_id] == "sent"]
        opened = [message for message in sent if self.seen(self.opened_at(message))]
        clicked = [message for message in sent if self.seen(self.clicked_at(message))]
        shown = [message for message in sent if message.channel == "in_app"]
        return {
            "sent": len(sent),
            "delivered": sum(self.seen(message.delivered_at) for message in sent),
            "received": sum(self.received(message) for message in sent),
            "unbounced": sum(
                not self.bounced(message) or message in opened or message in clicked for message in sent
            ),
            "opened": len(opened),
            "clicked": len(clicked),
            "shown": len(shown),
            "interacted": sum(self.seen(message.interacted_at) for message in sent),
            "dismissed": sum(self.seen(message.dismissed_at) for message in sent),
            "replied": sum(self.seen(message.replied_at) for message in sent),
            "sent_users": self.users_of(sent),
            "opened_users": self.users_of(opened),
            "clicked_users": self.users_of(clicked),
            "unsubscribed": sum(self.seen(message.unsubscribed_at) for message in sent),
            "failed": sum(fate == "failed" for fate in fates.values()),
            "bounced": sum(self.bounced(message) for message in sent),
            "skipped": sum(fate == "skipped" for fate in fates.values()),
        }

    # goals

    def goals(self, goal: str | None = None) -> list[GoalEvent]:
        """Counted reachings in the period, in order of time, run number and reading."""
        found = [
            event
            for event in self.reading.goals
            if event.counts and (goal is None or event.goal == goal) and self.counts(event.run, event.at)
        ]
        return sorted(found, key=lambda event: (event.at, self.runs[event.run].run_no, event.pos))

    def first_by_user(self, goal: str | None = None) -> list[GoalEvent]:
        firsts: dict[str, GoalEvent] = {}
        for event in self.goals(goal):
            firsts.setdefault(event.user, event)
        return list(firsts.values())

    def local_day(self, at: datetime) -> date:
        return at.astimezone(self.plan.zone).date()

    def points(self) -> dict[str, dict[str, Any]]:
        return self.plan.points(self.shown)


def label(point: dict[str, Any]) -> str:
    return point.get("title") or point["point_id"]


def errors(runs: Iterable[Run], words: list[str]) -> int:
    return sum(run.reason in words for run in runs)


# ---------------------------------------------------------------- one-row tables


def health(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    dropped = scope.left("dropped")
    sent = scope.messages("sent")
    reporting = {message.channel for message in reading.messages.values() if _tells_of_opens(scope, message)}
    of_reporting = [message for message in sent if message.channel in reporting]
    opened = sum(scope.seen(scope.opened_at(message)) for message in of_reporting)
    return [
        {
            "entrances": len(scope.entered),
            "messages_sent": len(sent),
            "messages_opened": opened,
            "open_rate": ratio(opened, len(of_reporting)),
            "drop_offs": len(dropped),
            "internal_errors": errors(dropped, INTERNAL),
            "send_errors": errors(dropped, SEND),
            "goals_reached": sum(len(scope.first_by_user(goal)) for goal in scope.plan.goals),
        }
    ]


def _tells_of_opens(scope: Scope, message: Message) -> bool:
    """An open, or a click that counts, for it implies one; what follows a machine's click is the machine's."""
    for row in message.rows:
        if not scope.seen(row.at) or row.kind not in ("message.opened", "message.clicked"):
            continue
        if row.kind == "message.clicked" and not row.machine:
            return True
        if scope.query.machine or (row.kind == "message.opened" and not row.machine):
            return True
        clicks = [other.at for other in message.rows if other.kind == "message.clicked"]
        if row.kind == "message.opened" and all(row.at < at for at in clicks):
            return True
    return False


def audience(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    inside, dropped = scope.inside_after(), scope.left("dropped")
    return [
        {
            "in_journey_before": len(scope.inside_before()),
            "entrances": len(scope.entered),
            "unique_entrants": len({run.user for run in scope.entered}),
            "in_journey": len(inside),
            "in_journey_users": len({run.user for run in inside}),
            "exits": len(scope.left("completed", "exited")),
            "completed": len(scope.left("completed")),
            "internal_errors": errors(dropped, INTERNAL),
            "send_errors": errors(dropped, SEND),
            "failed_messages": len(scope.messages("failed")),
        }
    ]


# ---------------------------------------------------------------- daily


def daily(reading: Reading, query: Query, by: str = "journey", place: str = "send") -> Table:
    scope = Scope(reading, query)
    days = []
    if scope.start < scope.end:
        day, last = scope.local_day(scope.start), scope.local_day(scope.end - US)
        while day <= last:
            days.append(day)
            day += timedelta(days=1)
    counts: Counter[tuple[date, str, str | None]] = Counter()
    series: list[tuple[str, str | None]] = []
    if by == "journey":
        series += [(metric, None) for metric in ("entrances", "exits", "completed")]
        series += [("drop_offs", "internal_error"), ("drop_offs", "send_error")]
        _daily_runs(scope, counts)
    if by in ("journey", "channel", "point"):
        series += [(metric, kind) for metric in MESSAGE_METRICS for kind in _message_kinds(scope, by)]
        _daily_messages(scope, counts, by, place)
    if by in ("journey", "goal"):
        series += [("goals", kind) for kind in (scope.plan.goals if by == "goal" else [None])]
        for goal in scope.plan.goals:
            for event in scope.first_by_user(goal):
                counts[_day(scope, event.run, event.at), "goals", goal if by == "goal" else None] += 1
    return [
        {"date": day, "metric": metric, "breakdown": kind, "count": counts[day, metric, kind]}
        for day in days
        for metric, kind in series
    ]


MESSAGE_METRICS = "sent delivered opened clicked impressions interacted dismissed replied unsubscribed failed skipped".split()


def _day(scope: Scope, run: str, at: datetime) -> date:
    """On the cohort clock everything stands on the day its run entered."""
    return scope.local_day(scope.runs[run].entered_at if scope.cohort else at)


def _daily_runs(scope: Scope, counts: Counter[tuple[date, str, str | None]]) -> None:
    for run in scope.entered:
        counts[scope.local_day(run.entered_at), "entrances", None] += 1
    for run in scope.left("completed", "exited"):
        counts[_day(scope, run.run_id, run.left_at), "exits", None] += 1
    for run in scope.left("completed"):
        counts[_day(scope, run.run_id, run.left_at), "completed", None] += 1
    for run in scope.left("dropped"):
        kind = "internal_error" if run.reason in INTERNAL else "send_error"
        counts[_day(scope, run.run_id, run.left_at), "drop_offs", kind] += 1


def _message_kinds(scope: Scope, by: str) -> list[str | None]:
    if by == "journey":
        return [None]
    points = scope.points().values()
    messages = scope.reading.messages.values()
    if by == "channel":
        channels = {point.get("channel") for point in points if point["type"] == "message"}
        channels |= {message.channel for message in messages}
        return [channel for channel in CHANNELS if channel in channels]
    seen = {message.point for message in messages}
    return [point["point_id"] for point in points if point["type"] == "message" or point["point_id"] in seen]


def _daily_messages(scope: Scope, counts: Counter[tuple[date, str, str | None]], by: str, place: str) -> None:
    for message in scope.messages():
        fate, at = scope.fate(message)
        kind = {"journey": None, "channel": message.channel, "point": message.point}[by]
        marks = {fate: at}
        if fate == "sent":
            marks["impressions"] = at if message.channel == "in_app" else None
            marks["delivered"] = message.delivered_at
            marks["opened"], marks["clicked"] = scope.opened_at(message), scope.clicked_at(message)
            marks["interacted"], marks["dismissed"] = message.interacted_at, message.dismissed_at
            marks["replied"], marks["unsubscribed"] = message.replied_at, message.unsubscribed_at
        for metric, when in marks.items():
            if scope.seen(when):
                counts[_day(scope, message.run, when if place == "event" else at), metric, kind] += 1


# ---------------------------------------------------------------- users


def users(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    rows = []
    for run_id in scope.members:
        run = scope.runs[run_id]
        inside = run.truncated or scope.by_state(run.entered_at)
        if run.inside and inside and (scope.cohort or not scope.by_start(run.left_at)):
            rows.append(_user_row(scope, run))
    return rows


def _user_row(scope: Scope, run: Run) -> dict[str, Any]:
    points = scope.points()
    left = scope.by_state(run.left_at)
    completed = [v for v in run.visits if v.outcome == "completed" and scope.by_state(v.left_at)]
    last = completed[-1].point if completed else None
    if left and run.exit_point is not None:
        last = run.exit_point
    step = label(points[last]) if last else None
    if left and run.reason == "cancel_event":
        step = f"Exited by cancel event: {run.detail}" if run.detail else "Exited by cancel event"
    seen = [row.at for row in run.rows if scope.by_state(row.at)]
    return {
        "user_id": run.user,
        "device_id": run.device,
        "run_id": run.run_id,
        "run_no": run.run_no,
        "status": run.end_status if left else "in_progress",
        "last_step": step,
        "last_point_id": last,
        "entered_at": run.entered_at,
        "updated_at": max(seen, default=None),
        "left_at": run.left_at if left else None,
        "reason": run.reason if left else None,
    }


# ---------------------------------------------------------------- goals


def goals(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    entrances, entrants = len(scope.entered), len({run.user for run in scope.entered})
    table = []
    for goal_id, goal in scope.plan.goals.items():
        events = scope.goals(goal_id)
        people, runs = len({event.user for event in events}), len({event.run for event in events})
        money = [event for event in events if event.value is not None]
        for currency in sorted({event.currency for event in money}, key=lambda c: (c is not None, c)) or [
            None
        ]:
            values = [event.value for event in money if event.currency == currency]
            table.append(
                {
                    "goal_id": goal_id,
                    "title": goal.get("title") or goal_id,
                    "users": people,
                    "runs": runs,
                    "events": len(events),
                    "entrances": entrances,
                    "conversion_rate": ratio(people, entrances),
                    "user_rate": ratio(people, entrants),
                    "run_rate": ratio(runs, entrances),
                    "value": sum(values) if values else None,
                    "currency": currency,
                }
            )
    return table


def mixed_cohorts(row: dict[str, Any]) -> bool:
    """Goals of earlier entrants: a rate above 1 is marked."""
    return any(
        row[rate] is not None and row[rate] > 1 for rate in ("conversion_rate", "user_rate", "run_rate")
    )


def credit(
    reading: Reading,
    query: Query,
    goal: str | None = None,
    rule: str = "engaged",
    first: float = 0.4,
    last: float = 0.4,
    half_life: timedelta = timedelta(days=7),
) -> Table:
    """Users' first reachings shared out over points; the default rule also tells direct from indirect."""
    scope = Scope(reading, query)
    shares: defaultdict[str | None, float] = defaultdict(float, {None: 0.0})
    kinds: Counter[tuple[str | None, str | None]] = Counter()
    for event in scope.first_by_user(goal):
        if rule == "engaged":
            shares[event.credit_point] += 1
            kinds[event.credit_point, event.credit] += 1
        else:
            for point, share in _shares(scope, event, rule, first, last, half_life):
                shares[point] += share
    told = rule == "engaged"
    return [
        {
            "point_id": point,
            "users": float(share),
            "direct": kinds[point, "direct"] if told else None,
            "indirect": kinds[point, "indirect"] if told else None,
        }
        for point, share in shares.items()
    ]


def _shares(
    scope: Scope, event: GoalEvent, rule: str, first: float, last: float, half_life: timedelta
) -> list[tuple[str | None, float]]:
    if rule == "entry":
        return [(scope.runs[event.run].entry_point, 1.0)]
    points = [message.point for message in event.touches]
    n = len(points)
    if n == 0:
        return [(None, 1.0)]
    if rule == "first_touch":
        weights = [1.0] + [0.0] * (n - 1)
    elif rule == "last_touch":
        weights = [0.0] * (n - 1) + [1.0]
    elif rule == "linear":
        weights = [1.0] * n
    elif rule == "position_based":
        middle = (1 - first - last) / (n - 2) if n > 2 else 0.0
        weights = [1.0] if n == 1 else [first, *[middle] * (n - 2), last]
    elif rule == "time_decay":
        ages = [(event.at - message.sent.at) / half_life for message in event.touches]
        weights = [2.0**-age for age in ages]
    else:
        raise ValueError(rule)
    return [(point, weight / sum(weights)) for point, weight in zip(points, weights, strict=True) if weight]


# ---------------------------------------------------------------- messages


def _engagement_rate(channel: str, counts: dict[str, int]) -> float | None:
    sent = counts["sent"]
    has_receipts = sent and counts["delivered"] / sent >= 0.01
    delivered = counts["received"] if has_receipts else counts["unbounced"]
    part, whole = {
        "email": (counts["clicked"], delivered),
        "push": (counts["opened"], sent),
        "sms": (counts["delivered"], sent),
        "whatsapp": (counts["opened"], delivered),
        "in_app": (counts["interacted"], counts["shown"]),
    }.get(channel, (counts["clicked"], sent))
    return ratio(part, whole)


def communications(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    credited = Counter(
        reading.messages[event.credit_message].channel
        for event in scope.first_by_user()
        if event.credit_message
    )
    table = []
    for channel in _message_kinds(scope, "channel"):
        counts = scope.message_numbers([m for m in scope.messages() if m.channel == channel])
        columns = "sent delivered opened clicked sent_users opened_users clicked_users".split()
        table.append(
            {
                "channel": channel,
                **{column: counts[column] for column in columns},
                "engagement_rate": _engagement_rate(channel, counts),
                **{column: counts[column] for column in "unsubscribed failed bounced skipped".split()},
                "goal_users": credited[channel],
            }
        )
    return table


def _message_points(scope: Scope) -> list[dict[str, Any]]:
    seen = {message.point for message in scope.reading.messages.values()}
    return [p for p in scope.points().values() if p["type"] == "message" or p["point_id"] in seen]


def _channel_of(scope: Scope, point: dict[str, Any]) -> str | None:
    """That of the point's messages; its own only where it has none."""
    own = [m for m in scope.reading.messages.values() if m.point == point["point_id"]]
    return (
        min(own, key=lambda m: min(row.plain_order for row in m.rows)).channel
        if own
        else point.get("channel")
    )


def messages(reading: Reading, query: Query, channel: str | None = None, goal: str | None = None) -> Table:
    scope = Scope(reading, query)
    shown = {point["point_id"] for point in scope.plan.versions[scope.shown].get("points", ())}
    credited: Counter[tuple[str | None, str | None]] = Counter(
        (event.credit_point, event.credit)
        for event in scope.first_by_user(goal)
        if query.version in (None, scope.runs[event.run].version)
    )
    table = []
    for point in _message_points(scope):
        point_id = point["point_id"]
        own = [message for message in scope.messages() if message.point == point_id]
        counts = scope.message_numbers(own)
        after = _users_after_interaction(scope, [m for m in own if scope.fate(m)[0] == "sent"], goal)
        direct, indirect = credited[point_id, "direct"], credited[point_id, "indirect"]
        row = {
            "point_id": point_id,
            "title": label(point),
            "channel": _channel_of(scope, point),
            "sent": counts["sent"],
            "delivered": counts["delivered"],
            "opened": counts["opened"],
            "open_rate": ratio(counts["opened"], counts["sent"]),
            "clicked": counts["clicked"],
            "click_rate": ratio(counts["clicked"], counts["sent"]),
            **{c: counts[c] for c in "sent_users opened_users clicked_users".split()},
            **{c: counts[c] for c in "unsubscribed failed bounced skipped".split()},
            "goal_after_interaction": after,
            "goal_after_interaction_rate": ratio(after, counts["sent_users"]),
            "goal_users": direct + indirect,
            "goal_direct": direct,
            "goal_indirect": indirect,
        }
        something = any(isinstance(value, int) and value for value in row.values())
        if (point_id in shown or something) and channel in (None, row["channel"]):
            table.append(row)
    return table


def _users_after_interaction(scope: Scope, sent: list[Message], goal: str | None) -> int:
    """Users who engaged with one of these messages and later, in the same run, reached the goal."""
    found = set()
    for event in scope.reading.goals:
        if not event.counts or goal not in (None, event.goal) or not scope.seen(event.at):
            continue
        for message in sent:
            if message.run != event.run:
                continue
            if any(before(row, event) for row in message.engagements):
                found.add(event.user)
    return len(found)


def delivery_issues(reading: Reading, query: Query, channel: str | None = None) -> Table:
    scope = Scope(reading, query)
    attempts: Counter[str] = Counter()
    issues: Counter[tuple[str, str, str]] = Counter()
    for message in scope.messages():
        attempts[message.channel] += 1
        fate, _ = scope.fate(message)
        if fate == "sent" and scope.bounced(message):
            issues[message.channel, "bounced", message.bounced.reason] += 1
        elif fate == "failed":
            issues[message.channel, "failed", message.failed.reason] += 1
        elif fate == "skipped":
            issues[message.channel, "skipped", message.skipped.reason] += 1
    return [
        {"channel": own, "outcome": outcome, "reason": reason, "count": count, "rate": count / attempts[own]}
        for (own, outcome, reason), count in issues.items()
        if channel in (None, own)
    ]


# ---------------------------------------------------------------- points and branches

OF_MESSAGES = "sent delivered opened clicked shown interacted dismissed replied failed unsubscribed".split()


def points(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    shown = {point["point_id"] for point in scope.plan.versions[scope.shown].get("points", ())}
    message_points = {point["point_id"] for point in _message_points(scope)}
    here = _goal_here(scope)
    credited = Counter(
        event.credit_point
        for event in scope.first_by_user()
        if event.credit_message and query.version in (None, scope.runs[event.run].version)
    )
    table = []
    for point_id, point in scope.points().items():
        visits = [visit for visit in scope.visits() if visit.point == point_id]
        left = [visit for visit in visits if scope.counts(visit.run, visit.left_at)]
        completed = [visit for visit in left if visit.outcome == "completed"]
        exited = [visit for visit in left if visit.outcome == "exited"]
        seconds = [(v.left_at - v.arrived_at).total_seconds() for v in completed if v.arrived_at is not None]
        counts: dict[str, Any] = dict.fromkeys(OF_MESSAGES)
        if point_id in message_points:
            counts = scope.message_numbers([m for m in scope.messages() if m.point == point_id])
        row = {
            "point_id": point_id,
            "title": label(point),
            "type": point["type"],
            "channel": _channel_of(scope, point),
            "waiting_before": sum(scope.open_before(visit) for visit in visits),
            "entered": sum(scope.counts(visit.run, visit.arrived_at) for visit in visits),
            "completed": len(completed),
            "waiting": sum(scope.open_after(visit) for visit in visits),
            "exited": len(exited),
            "dropped": sum(visit.outcome == "dropped" for visit in left),
            "skipped": sum(any(scope.seen(skip.at) for skip in visit.skips) for visit in completed),
            "exits_goal": sum(visit.exit_reason == "goal" for visit in exited),
            "exits_cancel": sum(visit.exit_reason == "cancel_event" for visit in exited),
            "goal_here": len(here[point_id]),
            "goal_users": credited[point_id],
            **{column: counts[column] for column in OF_MESSAGES},
            "seconds_p50": percentile(seconds, 0.5),
            "seconds_p90": percentile(seconds, 0.9),
        }
        if point_id in shown or any(isinstance(value, int) and value for value in row.values()):
            table.append(row)
    return table


def _goal_here(scope: Scope) -> defaultdict[str | None, set[str]]:
    """Per point the users whose run stood there at its first goal in the period."""
    here: defaultdict[str | None, set[str]] = defaultdict(set)
    done: set[str | None] = set()
    for event in sorted(scope.goals(), key=lambda event: event.pos):
        if event.run not in done:
            done.add(event.run)
            if scope.query.version in (None, scope.runs[event.run].version):
                here[event.here].add(event.user)
    return here


def branches(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    traversals: defaultdict[tuple[str, str | None], list[Visit]] = defaultdict(list)
    for run_id in scope.members:
        for visit in scope.runs[run_id].visits:
            counted = visit.traversed and scope.counts(run_id, visit.left_at)
            if counted and query.version in (None, visit.left_version):
                traversals[visit.point, visit.branch if visit.known else None].append(visit)
    designed: dict[tuple[str, str], dict[str, Any]] = {}
    for number in [scope.shown, *sorted((n for n in scope.plan.versions if n != scope.shown), reverse=True)]:
        for branch in scope.plan.versions[number].get("branches", ()):
            key = (branch["source"], branch.get("key", "default"))
            if number == scope.shown or key in traversals:
                designed.setdefault(key, branch)
    table = []
    for source, key in [*designed, *(edge for edge in traversals if edge not in designed)]:
        own = traversals[source, key]
        whole = sum(len(visits) for (s, k), visits in traversals.items() if s == source and k is not None)
        branch = designed.get((source, key))
        table.append(
            {
                "source": source,
                "branch": key,
                "target": branch["target"] if branch else None,
                "label": branch.get("label") if branch else "unknown",
                "runs": len(own),
                "users": len({scope.runs[visit.run].user for visit in own}),
                "share": ratio(len(own), whole) if key is not None else None,
            }
        )
    return table


def waiting(reading: Reading, query: Query) -> Table:
    scope = Scope(reading, query)
    held: defaultdict[tuple[str, str | None], list[tuple[Visit, datetime | None, datetime | None]]] = (
        defaultdict(list)
    )
    for visit in scope.visits():
        if not scope.open_after(visit):
            continue
        waits = [wait for wait in visit.waits if scope.by_state(wait.at)]
        cause, since, due = None, visit.arrived_at, None
        if waits:
            cause, since, due = waits[-1].cause, waits[-1].at, waits[-1].due
        held[visit.point, cause].append((visit, since, due))
    all_points = scope.points()
    return [
        {
            "point_id": point,
            "title": label(all_points[point]),
            "type": all_points[point]["type"],
            "cause": cause,
            "runs": len(own),
            "users": len({scope.runs[visit.run].user for visit, _, _ in own}),
            "oldest_since": min((since for _, since, _ in own if since is not None), default=None),
            "next_due": min((due for _, _, due in own if due is not None), default=None),
        }
        for (point, cause), own in held.items()
    ]


WAIT_LENGTHS = [
    (0, 3600),
    (3600, 21600),
    (21600, 86400),
    (86400, 172800),
    (172800, 604800),
    (604800, 2592000),
    (2592000, None),
]
RESPONSE_LENGTHS = [
    *(
        (0, 60),
        (60, 300),
        (300, 900),
        (900, 3600),
        (3600, 10800),
        (10800, 21600),
        (21600, 43200),
        (43200, 86400),
    ),
    *((86400, 172800), (172800, 604800), (604800, None)),
]


def _within(took: timedelta, first: int, last: int | None) -> bool:
    return took >= timedelta(seconds=first) and (last is None or took < timedelta(seconds=last))


def waiting_times(reading: Reading, query: Query, point_id: str) -> Table:
    scope = Scope(reading, query)
    counts: Counter[tuple[str | None, int | None, int | None]] = Counter()
    read_at = scope.as_of + timedelta(microseconds=1)
    read_at = read_at if scope.cohort else min(read_at, scope.end)
    for visit in scope.visits():
        if visit.point != point_id or not scope.open_after(visit):
            continue
        waits = [wait for wait in visit.waits if scope.by_state(wait.at)]
        cause, since = (waits[-1].cause, waits[-1].at) if waits else (None, visit.arrived_at)
        if since is None:
            counts[cause, None, None] += 1
        for first, last in WAIT_LENGTHS:
            if since is not None and _within(read_at - since, first, last):
                counts[cause, first, last] += 1
    return [{"cause": c, "seconds": a, "seconds_to": b, "runs": n} for (c, a, b), n in counts.items()]


def response_times(reading: Reading, query: Query, point_id: str) -> Table:
    scope = Scope(reading, query)
    every = [message for message in reading.messages.values() if message.point == point_id]
    own = [message for message in scope.messages("sent") if message.point == point_id]
    most = Counter(message.channel for message in every)
    channel = min(
        (c for c in most if most[c] == max(most.values())), default=scope.points()[point_id].get("channel")
    )
    marks: dict[str, Callable[[Message], datetime | None]] = {
        "opened": scope.opened_at,
        "clicked": scope.clicked_at,
    }
    if channel == "in_app":
        marks = {"interacted": lambda message: message.interacted_at}
    table = []
    for outcome, at in marks.items():
        answers = [(at(message), message.sent.at) for message in own if scope.seen(at(message))]
        took = [max(answered - sent, timedelta(0)) for answered, sent in answers]
        for first, last in RESPONSE_LENGTHS:
            count = sum(_within(one, first, last) for one in took)
            table.append({"outcome": outcome, "seconds": first, "seconds_to": last, "messages": count})
    return table


def drops(reading: Reading, query: Query, point_id: str | None = None) -> Table:
    scope = Scope(reading, query)
    counts: Counter[tuple[str | None, str, str, str]] = Counter()
    for run in scope.left("dropped"):
        if query.version not in (None, run.version):
            continue
        kind = "internal_error" if run.reason in INTERNAL else "send_error"
        counts[run.exit_point, "run", kind, run.reason] += 1
    for message in scope.messages():
        fate, _ = scope.fate(message)
        if fate == "failed":
            counts[message.point, "message", "send_error", message.failed.reason] += 1
        elif fate == "skipped":
            counts[message.point, "message", "skipped", message.skipped.reason] += 1
        elif scope.bounced(message):
            counts[message.point, "message", "send_error", message.bounced.reason] += 1
    all_points = scope.points()
    return [
        {
            "point_id": point,
            "title": label(all_points[point]) if point else None,
            "grain": grain,
            "class": kind,
            "reason": reason,
            "count": count,
        }
        for (point, grain, kind, reason), count in counts.items()
        if point_id in (None, point)
    ]


def card_drop_offs(reading: Reading, query: Query, point_id: str) -> int:
    """The "Drop-offs" of a message's card: failed + bounced + skipped messages."""
    return sum(row["count"] for row in drops(reading, query, point_id) if row["grain"] == "message")


# ---------------------------------------------------------------- time


def time_to_goal(reading: Reading, query: Query, goal: str, start: str = "entry") -> Table:
    scope = Scope(reading, query)
    subjects = []
    for run in scope.runs.values():
        began, pos = _began(scope, run, start)
        if began is None:
            continue
        reached = [
            event.at
            for event in reading.goals
            if event.run == run.run_id and event.goal == goal and event.counts and event.pos > pos
            and scope.seen(event.at)
        ]  # fmt: skip
        until = scope.as_of
        if run.left_at is not None:
            until = min(until, run.left_at + scope.plan.window(goal))
        last = min(reached) if reached else until
        subjects.append(((last - began) // DAY, bool(reached)))
    return kaplan_meier(subjects)


def median_day(rows: Table) -> int | None:
    """The first day by which half of the runs had reached the goal."""
    return next((row["day"] for row in rows if row["survival"] <= 0.5), None)


def _began(scope: Scope, run: Run, start: str) -> tuple[datetime | None, float]:
    if start == "entry":
        return (run.entered_at, -1) if run in scope.entered else (None, -1)
    for visit in run.visits:
        if (
            visit.point == start
            and visit.arrived_at is not None
            and scope.counts(run.run_id, visit.arrived_at)
        ):
            return visit.arrived_at, visit.opened_pos
    return None, -1


def cohorts(reading: Reading, query: Query, by: str = "week", goal: str | None = None) -> Table:
    """Entry cohort × age in calendar periods: users whose run had reached a goal by the end of that age."""
    scope = Scope(reading, query)
    members: defaultdict[date, list[Run]] = defaultdict(list)
    for run in scope.entered:
        members[_first_day(scope.local_day(run.entered_at), by)].append(run)
    now = scope.local_day(scope.as_of)
    table = []
    for cohort, runs in sorted(members.items()):
        users_of_cohort = {run.user for run in runs}
        run_ids = {run.run_id for run in runs}
        reachings = [
            (event.user, _age(cohort, scope.local_day(event.at), by))
            for event in reading.goals
            if event.run in run_ids and event.counts and goal in (None, event.goal) and scope.seen(event.at)
        ]
        for age in range(_age(cohort, now, by) + 1):
            reached = {user for user, when in reachings if when <= age}
            table.append(
                {
                    "cohort": cohort,
                    "age": age,
                    "runs": len(runs),
                    "users": len(users_of_cohort),
                    "reached": len(reached),
                    "rate": len(reached) / len(users_of_cohort),
                    "immature": age == _age(cohort, now, by),
                }
            )
    return table


def _first_day(day: date, by: str) -> date:
    return {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[by]


def _age(cohort: date, day: date, by: str) -> int:
    if by == "month":
        return (day.year - cohort.year) * 12 + day.month - cohort.month
    return (day - cohort).days // {"day": 1, "week": 7}[by]


# ---------------------------------------------------------------- experiments


def incremental(reading: Reading, query: Query, goal: str) -> Table:
    """Users first sent a message against users first held back (skips with reason control_group), from then on."""
    scope = Scope(reading, query)
    sent = [
        Assignment("sent", scope.runs[message.run], message.sent.at, message.sent.pos, message.sent.rank)
        for message in reading.messages.values()
        if message.run in scope.runs
        and (scope.fate(message) or ("",))[0] == "sent"
        and scope.in_period(message.sent.at)
    ]
    # A user is what the first message made of them: later ones move nobody.
    firsts = _first_of_users([*sent, *_held_back(scope)]).values()
    sides = [[one for one in firsts if one.variant == name] for name in ("sent", "held")]
    (n, hits), (control_n, control_hits) = (
        (len(side), sum(_converted(scope, one, goal, "user") for one in side)) for side in sides
    )
    low, high = newcombe(hits, n, control_hits, control_n)
    told = n > 0 and control_n > 0
    difference = hits / n - control_hits / control_n if told else None
    row = {
        "treated": n,
        "treated_reached": hits,
        "treated_rate": ratio(hits, n),
        "control": control_n,
        "control_reached": control_hits,
        "control_rate": ratio(control_hits, control_n),
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "incremental_users": difference * n if told else None,
    }
    values: tuple[Counter[str | None], Counter[str | None]] = (Counter(), Counter())
    for side, of_side in zip(sides, values, strict=True):
        for event in (event for one in side for event in _later(scope, one, goal, "user")):
            if event.value is not None:
                of_side[event.currency] += event.value
    treated, control = values
    return [
        {
            **row,
            "incremental_value": treated[c] - control[c] * n / control_n
            if control_n and c in {*treated, *control}
            else None,
            "currency": c,
        }
        for c in ({*treated, *control} or {None})
    ]


def _held_back(scope: Scope) -> Iterable[Assignment]:
    for message in scope.reading.messages.values():
        fate, skipped = scope.fate(message), message.skipped
        held = fate is not None and fate[0] == "skipped" and skipped.reason == "control_group"
        if held and message.run in scope.runs and scope.in_period(skipped.at):
            yield Assignment("held", scope.runs[message.run], skipped.at, skipped.pos, skipped.rank)
    for run in scope.runs.values():
        for visit in run.visits:
            for skip in visit.skips[:1]:
                if skip.reason == "control_group" and scope.in_period(skip.at):
                    yield Assignment("held", run, skip.at, skip.pos, skip.rank)


def _first_of_users(found: Iterable[Assignment]) -> dict[str, Assignment]:
    firsts: dict[str, Assignment] = {}
    for one in sorted(found, key=lambda one: (one.at, one.run.run_no, one.pos)):
        firsts.setdefault(one.run.user, one)
    return firsts


@dataclass
class Assignment:
    variant: str
    run: Run
    at: datetime
    pos: float
    after: float  # rank that the assignment has among events of other runs at the same instant


def assignments(scope: Scope, point_id: str) -> list[Assignment]:
    found = []
    for run in scope.runs.values():
        for visit in run.visits:
            if visit.point == point_id and visit.known and (visit.branch or "").startswith("variant:"):
                variant = visit.branch.removeprefix("variant:")
                found.append(Assignment(variant, run, visit.left_at, visit.left_pos, RANK["point.completed"]))
    for message in scope.reading.messages.values():
        if (
            message.point == point_id
            and message.variant is not None
            and message.sent
            and message.run in scope.runs
        ):
            sent = message.sent
            found.append(
                Assignment(
                    message.variant.removeprefix("variant:"),
                    scope.runs[message.run],
                    sent.at,
                    sent.pos,
                    sent.rank,
                )
            )
    # Of the assignment cohort: assigned in the period, on either clock.
    return sorted((a for a in found if scope.in_period(a.at)), key=lambda a: (a.at, a.run.run_no, a.pos))


def variants(reading: Reading, query: Query, point_id: str, goal: str, unit: str = "user") -> Table:
    scope = Scope(reading, replace(query, clock="activity"))  # always of the assignment cohort
    units, _ = assigned_units(scope, point_id, unit)
    names, control = _arms(scope, point_id, units.values())
    hits: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    immature: Counter[str] = Counter()
    for assigned in units.values():
        totals[assigned.variant] += 1
        hits[assigned.variant] += _converted(scope, assigned, goal, unit)
        immature[assigned.variant] += _window_open(scope, assigned, goal, unit)
    ps = holm([
        None if name == control else two_proportions(hits[name], totals[name], hits[control], totals[control])
        for name in names
    ])  # fmt: skip
    best = probability_best(tuple(hits[name] for name in names), tuple(totals[name] for name in names))
    table = []
    for name, p_value, chance in zip(names, ps, best, strict=True):
        rate, base = ratio(hits[name], totals[name]), ratio(hits[control], totals[control])
        told = name != control and rate is not None and base is not None
        low, high = (
            newcombe(hits[name], totals[name], hits[control], totals[control]) if told else (None, None)
        )
        table.append(
            {
                "variant": name,
                "is_control": name == control,
                "assigned": totals[name],
                "converted": hits[name],
                "rate": rate,
                "difference": rate - base if told else None,
                "difference_low": low,
                "difference_high": high,
                "lift": (rate - base) / base if told and base else None,
                "p_value": p_value,
                "probability_best": chance,
                "immature": immature[name],
            }
        )
    return table


def assigned_units(scope: Scope, point_id: str, unit: str) -> tuple[dict[str, Assignment], set[str]]:
    """First assignment of each unit; and the units seen in two variants, which stand in none."""
    firsts: dict[str, Assignment] = {}
    crossed = set()
    for one in assignments(scope, point_id):
        key = one.run.user if unit == "user" else one.run.run_id
        if firsts.setdefault(key, one).variant != one.variant:
            crossed.add(key)
    if unit == "run":
        return firsts, set()
    return {key: one for key, one in firsts.items() if key not in crossed}, crossed


def _arms(scope: Scope, point_id: str, units: Iterable[Assignment]) -> tuple[list[str], str | None]:
    # Those of the shown version (else of the newest that has the split), then others that were assigned.
    assigned = {one.variant for one in units}
    names, marked, drawn = [], [], False
    for number in [scope.shown, *sorted((n for n in scope.plan.versions if n != scope.shown), reverse=True)]:
        branches = [b for b in scope.plan.ways(number, point_id) if b.get("key", "").startswith("variant:")]
        for branch in branches:
            name = branch["key"].removeprefix("variant:")
            if name not in names and (not drawn or name in assigned):
                names.append(name)
            if branch.get("control"):
                marked.append(name)
        drawn = drawn or bool(branches)
    names += sorted(assigned - set(names))
    return names, next((name for name in marked if name in names), names[0] if names else None)


def _own_runs(scope: Scope, one: Assignment, unit: str) -> list[Run]:
    return [
        run for run in scope.runs.values() if run is one.run or (unit == "user" and run.user == one.run.user)
    ]


def _converted(scope: Scope, one: Assignment, goal: str, unit: str) -> bool:
    return any(True for _ in _later(scope, one, goal, unit))


def _later(scope: Scope, one: Assignment, goal: str, unit: str) -> Iterator[GoalEvent]:
    """The reachings after an assignment, in any run of the unit."""
    own = {run.run_id for run in _own_runs(scope, one, unit)}
    for event in scope.reading.goals:
        if event.run in own and event.goal == goal and event.counts and scope.seen(event.at):
            if event.run == one.run.run_id:
                later = event.pos > one.pos
            else:
                later = (event.at, RANK["goal.reached"]) > (one.at, one.after)
            if later:
                yield event


def _window_open(scope: Scope, one: Assignment, goal: str, unit: str) -> bool:
    run = one.run
    return not scope.seen(run.left_at) or run.left_at + scope.plan.window(goal) > scope.as_of


# ---------------------------------------------------------------- paths


def _runs_of(scope: Scope, user: str) -> list[Run]:
    """Every run of a user or device, newest first."""
    own = [
        run for run in scope.runs.values() if run.user == user or any(row.device == user for row in run.rows)
    ]
    return sorted(
        own,
        key=lambda run: (not run.truncated, run.entered_at or run.first_at, run.run_no, run.run_id),
        reverse=True,
    )


def _visits_seen(scope: Scope, run: Run) -> list[Visit]:
    return [visit for visit in run.visits if visit.arrived_at is None or scope.seen(visit.arrived_at)]


def user_path(reading: Reading, query: Query, user: str) -> Table:
    """Every run of a user or device, newest first, a row per visit."""
    scope = Scope(reading, query)
    table = []
    for run in _runs_of(scope, user):
        seen = _visits_seen(scope, run)
        head = {
            "run_id": run.run_id,
            "run_no": run.run_no,
            "status": run.end_status if scope.seen(run.left_at) else "in_progress",
        }
        if not seen:
            table.append(dict.fromkeys(COLUMNS["user_path"]) | head | {"version": run.version})
        for step, visit in enumerate(seen, 1):
            left = scope.seen(visit.left_at)
            table.append(
                {
                    **head,
                    "step_no": step,
                    "point_id": visit.point,
                    "arrived_at": visit.arrived_at,
                    "left_at": visit.left_at if left else None,
                    "branch": visit.branch if left else None,
                    "message_id": _message_at(scope, run, visit),
                    "outcome": visit.outcome if left else "in_progress",
                    "goal_id": _goal_at(scope, run, visit),
                    "version": run.version,
                }
            )
    return table


def user_runs(reading: Reading, query: Query, user: str) -> Table:
    """A row per run of a user or device, newest first."""
    scope = Scope(reading, query)
    table = []
    for run in _runs_of(scope, user):
        left = scope.seen(run.left_at)
        goals = [g for g in reading.goals if g.run == run.run_id and g.counts and scope.seen(g.at)]
        table.append(
            {
                "run_id": run.run_id,
                "run_no": run.run_no,
                "user_id": run.user,
                "device_id": run.device,
                "status": run.end_status if left else "in_progress",
                "version": run.version,
                "entered_at": run.entered_at,
                "left_at": run.left_at if left else None,
                "reason": run.reason if left else None,
                "goals": list(dict.fromkeys(g.goal for g in sorted(goals, key=lambda g: (g.at, g.pos)))),
                "run_id_quality": "told",
            }
        )
    return table


def user_events(reading: Reading, query: Query, user: str) -> Table:
    """What was done in the runs of a user or device."""
    scope = Scope(reading, query)
    table = []
    for run in _runs_of(scope, user):
        visits = _visits_seen(scope, run)

        def step(point: str | None, pos: float, visits: list[Visit] = visits) -> int | None:
            """The last visit of the point that had begun by then."""
            begun = [n for n, v in enumerate(visits, 1) if v.point == point and v.opened_pos < pos]
            return max(begun, default=None)

        done: Table = []
        for message in reading.messages.values():
            if message.run == run.run_id:
                own = [row for row in message.rows if row.run == run.run_id and scope.seen(row.at)]
                first = min(own, key=lambda row: row.pos, default=None)
                place = step(first.point, first.pos) if first else None
                head = {"step_no": place, "point_id": message.point, "message_id": message.message_id}
                done += [head | row for row in _done_with(scope, message)]
        for goal in reading.goals:
            if goal.run == run.run_id and goal.counts and scope.seen(goal.at):
                done.append({"step_no": step(goal.here, goal.pos), "at": goal.at, "kind": "goal.reached",
                             "point_id": goal.here, "goal_id": goal.goal})  # fmt: skip
        for number, visit in enumerate(visits, 1):
            head = {"step_no": number, "point_id": visit.point}
            for wait in visit.waits:
                if scope.seen(wait.at) and (visit.left_at is None or wait.at <= visit.left_at):
                    done.append(
                        head
                        | {"at": wait.at, "kind": "wait.started", "reason": wait.cause, "due_at": wait.due}
                    )
            for skip in visit.skips[:1]:
                if scope.seen(skip.at):
                    done.append(head | {"at": skip.at, "kind": "point.skipped", "reason": skip.reason})
        table += [dict.fromkeys(COLUMNS["user_events"]) | {"run_id": run.run_id} | row for row in done]
    return table


def _done_with(scope: Scope, message: Message) -> Iterator[dict[str, Any]]:
    """What became of a message, the first time each."""
    known = scope.fate(message)
    if known is None:
        return
    fate, at = known
    if fate != "sent":
        told = message.failed if fate == "failed" else message.skipped
        assert told is not None
        yield {"kind": f"message.{fate}", "at": at, "reason": told.reason}
        return
    yield {"kind": "message.impression" if message.channel == "in_app" else "message.sent", "at": at}
    if scope.bounced(message):
        assert message.bounced is not None
        yield {"kind": "message.failed", "at": message.bounced.at, "reason": message.bounced.reason}
    first = {
        "delivered": message.delivered_at,
        "opened": scope.opened_at(message),
        "clicked": scope.clicked_at(message),
        "interacted": message.interacted_at,
        "dismissed": message.dismissed_at,
        "replied": message.replied_at,
        "unsubscribed": message.unsubscribed_at,
        "complained": min((row.at for row in message.rows if row.kind == "message.complained"), default=None),
    }
    yield from ({"kind": f"message.{name}", "at": at} for name, at in first.items() if scope.seen(at))


def _message_at(scope: Scope, run: Run, visit: Visit) -> str | None:
    later = [v.opened_pos for v in run.visits if v.point == visit.point and v.opened_pos > visit.opened_pos]
    until = min(later, default=float("inf"))
    for row in run.rows:
        at_point = row.kind.startswith("message.") and row.point == visit.point and scope.seen(row.at)
        if at_point and visit.opened_pos < row.pos < until:
            return row.message
    return None


def _goal_at(scope: Scope, run: Run, visit: Visit) -> str | None:
    own = [
        event
        for event in scope.reading.goals
        if event.run == run.run_id and event.counts and scope.seen(event.at)
    ]
    for event in sorted(own, key=lambda event: event.pos):
        if visit.opened_pos < event.pos and (visit.left_pos is None or event.pos <= visit.left_pos):
            return event.goal
    return None


def paths(reading: Reading, query: Query, top: int = 20, collapse_loops: bool = True) -> Table:
    """The ways of the runs that entered in the period, as far as they had come."""
    scope = Scope(reading, query)
    runs: defaultdict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in scope.entered:
        way = [
            visit.point
            for visit in run.visits
            if visit.arrived_at is None or scope.by_state(visit.arrived_at)
        ]
        if collapse_loops:
            way = list(dict.fromkeys(way))
        runs[tuple(way)].append(run)
    reached = {event.run for event in scope.goals()}
    table = [
        {
            "path": list(way),
            "runs": len(own),
            "users": len({run.user for run in own}),
            "share": len(own) / len(scope.entered),
            "converted": sum(run.run_id in reached for run in own),
            "rate": sum(run.run_id in reached for run in own) / len(own),
        }
        for way, own in runs.items()
    ]
    return sorted(table, key=lambda row: (-row["runs"], row["path"]))[:top]


# ---------------------------------------------------------------- invariants


def broken_invariants(reading: Reading, query: Query) -> list[str]:
    """The equations of METRICS.md 9 that do not hold (none should be listed)."""
    scope, faults = Scope(reading, query), []
    people = audience(reading, query)[0]
    dropped = people["internal_errors"] + people["send_errors"]
    if people["in_journey_before"] + people["entrances"] != people["exits"] + dropped + people["in_journey"]:
        faults.append(f"9.1 {people}")
    for row in points(reading, query):
        if row["waiting_before"] + row["entered"] != sum(
            row[c] for c in "completed waiting exited dropped".split()
        ):
            faults.append(f"9.2 {row}")
    for row in communications(reading, query):
        if max(row["delivered"], row["opened"], row["clicked"], row["bounced"]) > row["sent"]:
            faults.append(f"9.4 {row}")
    for goal in [None, *scope.plan.goals]:
        users_of_goal = len(scope.first_by_user(goal))
        for rule in (
            "engaged",
            "first_touch",
            "last_touch",
            "linear",
            "position_based",
            "time_decay",
            "entry",
        ):
            if abs(sum(row["users"] for row in credit(reading, query, goal, rule)) - users_of_goal) > 1e-9:
                faults.append(f"9.5 {goal} {rule}")
    whole = daily(reading, query)
    if query.clock == "activity":
        for metric, total in (
            ("entrances", people["entrances"]),
            ("exits", people["exits"]),
            ("drop_offs", dropped),
        ):
            if sum(row["count"] for row in whole if row["metric"] == metric) != total:
                faults.append(f"9.6 {metric}")
    return faults


# ---------------------------------------------------------------- the columns of METRICS.md 5, 7 and 11, in order

COLUMNS: dict[str, list[str]] = {
    name: columns.split()
    for name, columns in {
        "health": "entrances messages_sent messages_opened open_rate drop_offs internal_errors send_errors goals_reached",
        "daily": "date metric breakdown count",
        "audience": "in_journey_before entrances unique_entrants in_journey in_journey_users exits completed "
        "internal_errors send_errors failed_messages",
        "users": "user_id device_id run_id run_no status last_step last_point_id entered_at updated_at left_at reason",
        "goals": "goal_id title users runs events entrances conversion_rate user_rate run_rate value currency",
        "communications": "channel sent delivered opened clicked sent_users opened_users clicked_users "
        "engagement_rate unsubscribed failed bounced skipped goal_users",
        "messages": "point_id title channel sent delivered opened open_rate clicked click_rate sent_users "
        "opened_users clicked_users unsubscribed failed bounced skipped goal_after_interaction "
        "goal_after_interaction_rate goal_users goal_direct goal_indirect",
        "delivery_issues": "channel outcome reason count rate",
        "points": "point_id title type channel waiting_before entered completed waiting exited dropped skipped "
        "exits_goal exits_cancel goal_here goal_users sent delivered opened clicked shown interacted dismissed "
        "replied failed unsubscribed seconds_p50 seconds_p90",
        "branches": "source branch target label runs users share",
        "waiting": "point_id title type cause runs users oldest_since next_due",
        "waiting_times": "cause seconds seconds_to runs",
        "response_times": "outcome seconds seconds_to messages",
        "drops": "point_id title grain class reason count",
        "credit": "point_id users direct indirect",
        "variants": "variant is_control assigned converted rate difference difference_low difference_high lift "
        "p_value probability_best immature",
        "user_path": "run_id run_no status step_no point_id arrived_at left_at branch message_id outcome goal_id version",
        "user_runs": "run_id run_no user_id device_id status version entered_at left_at reason goals run_id_quality",
        "user_events": "run_id step_no at kind point_id message_id goal_id reason due_at",
        "paths": "path runs users share converted rate",
        "time_to_goal": "day at_risk reached survival low high",
        "cohorts": "cohort age runs users reached rate immature",
        "incremental": "treated treated_reached treated_rate control control_reached control_rate "
        "difference difference_low difference_high incremental_users incremental_value currency",
    }.items()
}
