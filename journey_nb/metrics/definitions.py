"""Every column of every table: its place, its type, and what it means, the words behind ``stats.explain``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from journey_nb.journey import near

EVENT = "each event at its own time; on the cohort clock those of the runs that entered, up to as_of"
STATE = "as it stands at the end of the period, or at as_of if that comes first (cohort clock: at as_of)"
OPENING = "as it stood at the start of the period (cohort clock: 0)"
SEND = "messages sent, failed or skipped in the period, with what happened to them up to as_of"
FOLLOWED = "what began in the period, followed up to as_of, on either clock"
SEEN = "up to as_of, whatever the period"
DESIGN = "none: it is as designed"


@dataclass(frozen=True)
class Definition:
    """What one column of one table means.

    Attributes
    ----------
    name
        ``table.column``.
    counts
        What it counts or says.
    over
        Of what: a row of its table; of a rate, what it is divided by.
    unit
        What one of it is: runs, users, messages, visits …
    clock
        Which instant decides whether it belongs to the period.
    source
        The section of METRICS.md that defines it.
    numerator, denominator
        Of a rate: what is divided by what.
    also
        Other tables with a column of that name.
    added
        What ``intervals`` or ``compare`` tell of ``counts`` in this column, if it is one of theirs.
    version
        What :meth:`JourneyStats.version` counts, where that is not what its own row happened on.
    """

    name: str
    counts: str
    over: str
    unit: str
    clock: str
    source: str
    numerator: str | None = None
    denominator: str | None = None
    also: tuple[str, ...] = ()
    added: str = ""
    version: str = ""

    def __str__(self) -> str:
        counts = f"{self.added} of {self.counts}" if self.added else self.counts
        lines = [f"{self.name}: {counts}", f"  unit: {self.unit}", f"  over: {self.over}"]
        if self.numerator:
            lines.append(f"  rate: {self.numerator} / {self.denominator}")
        if self.version:
            lines.append(f"  of one version: {self.version}")
        lines += [f"  clock: {self.clock}", f"  defined in: METRICS.md, {self.source}"]
        if self.also:
            lines.append(f"  also in: {', '.join(self.also)}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(name: str) -> Definition:
    """What a column counts, over what, and by which clock.

    Parameters
    ----------
    name
        A column (``open_rate``; the first table that has it, the others are named) or
        ``table.column`` (``points.entered``), also of those that ``intervals`` and ``compare`` add.

    Raises
    ------
    KeyError
        When no table has it; the message names the near miss.

    Examples
    --------
    >>> print(explain("health.open_rate"))
    health.open_rate: share of the sent messages that were opened
      unit: share, 0 to 1
      over: the journey
      rate: messages_opened / messages sent on channels that report opens
      clock: messages sent, failed or skipped in the period, with what happened to them up to as_of
      defined in: METRICS.md, sections 5 and 14.14
    """
    name = str(name)
    if told := found(name):
        return told
    if name in _ALL:
        raise KeyError(f"{name!r} is a table; its columns are {', '.join(_ALL[name].columns)}")
    known = names() if "." in name else list(dict.fromkeys(map(_column, names())))
    raise KeyError(f"no column {name!r} in any table{near(name, known)}")


def found(name: str) -> Definition | None:
    """What :func:`explain` tells of a column; None where no table has it."""
    homes = [table for table in _ALL if _column(name) in _ALL[table].columns and _of(name, table)]
    if homes:
        first, *others = homes
        return replace(_define(first, _column(name)), also=tuple(f"{t}.{_column(name)}" for t in others))
    for suffix, words in _ADDED.items():
        if name.endswith(suffix) and (told := found(name.removesuffix(suffix))):
            return replace(told, name=f"{told.name}{suffix}", added=words)
    return None


def names() -> list[str]:
    """Every column of every table and export, as ``table.column``."""
    return [f"{table}.{column}" for table, of in _ALL.items() for column in of.columns]


def columns_of(table: str) -> list[str]:
    """The columns of a table or an export that are explained, in their order."""
    return list(_ALL[table].columns)


def schema(table: str, zone: str | None = None) -> dict[str, pl.DataType]:
    """The columns of a table or an export in their order, with their types; times are of the zone."""
    types = {**_TYPES, _TIME: pl.Datetime("us", zone)}
    return {
        name: told.dtype or types.get(told.unit, pl.Int64()) for name, told in _ALL[table].columns.items()
    }


def _column(name: str) -> str:
    return name.rpartition(".")[2]


def _of(name: str, table: str) -> bool:
    return name.rpartition(".")[0] in ("", table)


def _define(table: str, column: str) -> Definition:
    of = _ALL[table]
    told = of.columns[column]
    return Definition(
        name=f"{table}.{column}",
        counts=told.counts,
        over=of.row,
        unit=told.unit,
        clock=told.clock or of.clock,
        source=told.source or of.source,
        numerator=told.numerator,
        denominator=told.denominator,
        version=_OF_VERSION.get(f"{table}.{column}", ""),
    )


@dataclass(frozen=True)
class _Column:
    counts: str
    unit: str
    clock: str = ""
    source: str = ""
    numerator: str | None = None
    denominator: str | None = None
    dtype: pl.DataType | None = None  # where it does not follow from the unit


@dataclass(frozen=True)
class _Table:
    row: str
    clock: str
    source: str
    columns: dict[str, _Column]


def _word(counts: str, clock: str = DESIGN, dtype: pl.DataType | None = None) -> _Column:
    return _Column(counts, "text", clock, dtype=dtype)


def _rate(counts: str, numerator: str, denominator: str, source: str = "", clock: str = "") -> _Column:
    return _Column(counts, "share, 0 to 1", clock, source, numerator, denominator)


def _time(counts: str, clock: str = "") -> _Column:
    return _Column(counts, _TIME, clock)


_ENTRY = "by the version on which the run entered, wherever it went over to another"
_OF_VERSION = {
    **dict.fromkeys(("points.goal_here", "points.goal_users"), _ENTRY),
    **dict.fromkeys((f"messages.goal_{name}" for name in ("users", "direct", "indirect")), _ENTRY),
    "drops.count": f"runs {_ENTRY}; messages by that of their first row",
}
_TIME = "time in the journey's zone"
_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "day": pl.Date(),
    **dict.fromkeys(("share, 0 to 1", "difference of shares", "ratio", "probability", "money"), pl.Float64()),
}
"""What a column of a unit is made of; the others are counts."""

_ADDED = {
    "_low": "lower 95 % Wilson bound",
    "_high": "upper 95 % Wilson bound",
    "_small": "whether it rests on fewer than 30: the small mark",
    "_prev": "the same in the period before,",
    "_change": "relative change against the period before",
}

_POINT = {
    "point_id": _word("the point's id, the same in every version"),
    "title": _word("the point's title as the shown version has it, else the newest"),
}
_CHANNEL = _Column(
    "the channel of a message's first row; of a point without messages the designed one",
    "text",
    DESIGN,
    "section 14.8d",
)
_CURRENCY = _word("the currency of the value; currencies are never added", EVENT)

_RUNS = {
    "entrances": _Column("runs that entered", "runs"),
    "internal_errors": _Column("runs dropped by an internal error", "runs", "", "sections 2 and 4"),
    "send_errors": _Column("runs dropped by a send error", "runs", "", "sections 2 and 4"),
}
_OUTCOMES = {
    "sent": _Column("messages sent; in-app: shown at least once", "messages"),
    "delivered": _Column("sent messages with a delivery receipt", "messages"),
    "opened": _Column(
        "sent messages opened or clicked by a person (by machines too if asked for)", "messages"
    ),
    "clicked": _Column("sent messages clicked by a person (by machines too if asked for)", "messages"),
    "failed": _Column("messages that failed and were never sent", "messages", "", "sections 5 and 14.10"),
    "bounced": _Column("sent messages that failed after the sending", "messages", "", "sections 5 and 14.10"),
    "skipped": _Column(
        "messages passed over, neither sent nor failed", "messages", "", "sections 5 and 14.10"
    ),
    "unsubscribed": _Column("sent messages from which a person unsubscribed", "messages"),
    "shown": _Column(
        "in-app messages shown; the first impression, or one inferred", "messages", "", "section 14.11"
    ),
    "interacted": _Column("in-app messages interacted with", "messages", "", "section 14.11"),
    "dismissed": _Column(
        "in-app messages dismissed, interacted with or not", "messages", "", "section 14.11"
    ),
    "replied": _Column("sent messages with a reply", "messages"),
    "sent_users": _Column("distinct users a message was sent to", "users"),
    "opened_users": _Column("distinct users who opened one of these messages", "users"),
    "clicked_users": _Column("distinct users who clicked one of these messages", "users"),
}
_GOAL_USERS = _Column(
    "users whose first reaching in the period is credited here", "users", EVENT, "section 6"
)


def _outcomes(*chosen: str) -> dict[str, _Column]:
    return {name: _OUTCOMES[name] for name in chosen}


TABLES: dict[str, _Table] = {
    "health": _Table("the journey", EVENT, "section 5", {
        "entrances": _RUNS["entrances"],
        "messages_sent": _Column("messages sent, all channels; in-app: shown", "messages", SEND),
        "messages_opened": _Column("sent messages opened, on channels that report opens", "messages", SEND, "sections 5 and 14.14"),
        "open_rate": _rate("share of the sent messages that were opened", "messages_opened", "messages sent on channels that report opens", "sections 5 and 14.14", SEND),
        "drop_offs": _Column("runs dropped by an internal or a send error", "runs", "", "sections 4 and 5"),
        "internal_errors": _RUNS["internal_errors"],
        "send_errors": _RUNS["send_errors"],
        "goals_reached": _Column("users who reached a goal, added over the goals", "users"),
    }),
    "daily": _Table("a local day, a metric and a breakdown; zero included", EVENT, "sections 5, 14.12 and 14.13", {
        "date": _Column("the local calendar day", "day", "the sending's day for messages, unless place='event'; the entry's day on the cohort clock"),
        "metric": _word("what is counted: entrances, exits, completed, drop_offs, messages by outcome, goals"),
        "breakdown": _word("the channel, point, goal or error class; null for the whole journey"),
        "count": _Column("how many that day; goals are a user's first reaching in the period", "runs, messages or users"),
    }),
    "audience": _Table("the journey", EVENT, "sections 5 and 9", {
        "in_journey_before": _Column("runs inside as the period begins", "runs", OPENING),
        "entrances": _RUNS["entrances"],
        "unique_entrants": _Column("distinct users who entered", "users"),
        "in_journey": _Column("runs inside", "runs", STATE),
        "in_journey_users": _Column("distinct users inside", "users", STATE),
        "exits": _Column("runs that left without an error: completed or exited", "runs"),
        "completed": _Column("runs that left with reason completed", "runs"),
        "internal_errors": _RUNS["internal_errors"],
        "send_errors": _RUNS["send_errors"],
        "failed_messages": replace(_OUTCOMES["failed"], clock=SEND),
    }),
    "users": _Table("a run inside at any time in the period (cohort clock: entered in it)", STATE, "sections 4, 5 and 14.15", {
        "user_id": _word("the person", STATE),
        "device_id": _word("the device of the run's entry, else of its first row", STATE),
        "run_id": _word("the run", STATE),
        "run_no": _Column("1st, 2nd … run of that user, by entry time", "number"),
        "status": _word("in_progress, completed, exited or dropped", STATE),
        "last_step": _word("title of the point last completed; of a run that left elsewhere, of where it left, or the cancel event", STATE),
        "last_point_id": _word("the point of last_step", STATE),
        "entered_at": _time("when the run entered; null if the log begins mid-way"),
        "updated_at": _time("the run's latest row, engagement and goals included"),
        "left_at": _time("when it left; null while inside"),
        "reason": _word("why it left", STATE),
    }),
    "goals": _Table("a goal, and a currency where there are several", EVENT, "sections 5, 6 and 14.16", {
        "goal_id": _word("the goal's id"),
        "title": _word("the goal's title"),
        "users": _Column("distinct users who reached it inside the window of a run", "users"),
        "runs": _Column("runs that reached it", "runs"),
        "events": _Column("all reachings inside their run's window", "reachings"),
        "entrances": _RUNS["entrances"],
        "conversion_rate": _rate("users who reached it per entrance; above 1 it is marked mixed_cohorts", "users", "entrances", "sections 3 and 5"),
        "user_rate": _rate("users who reached it per user who entered", "users", "distinct users who entered"),
        "run_rate": _rate("runs that reached it per entrance", "runs", "entrances"),
        "value": _Column("money of all reachings inside their window; null where none carried any", "money"),
        "currency": _CURRENCY,
    }),
    "credit": _Table("a point, and null for unattributed", EVENT, "section 6", {
        "point_id": _word("the point credited; null: no message before the goal"),
        "users": _Column("users credited to it, in shares under rules that share", "users", dtype=pl.Float64()),
        "direct": _Column("of these, by a message engaged with before the goal", "users"),
        "indirect": _Column("of these, by a message only sent or shown before the goal", "users"),
    }),
    "communications": _Table("a channel designed or seen", SEND, "section 5", {
        "channel": _CHANNEL,
        **_outcomes("sent", "delivered", "opened", "clicked", "sent_users", "opened_users", "clicked_users"),
        "engagement_rate": _rate(
            "share of messages engaged with, as the channel has it",
            "email clicked, push opened, sms delivered, whatsapp opened, in_app interacted, others clicked",
            "email and whatsapp delivered (not bounced, if under 1 % of the sends have a receipt), in_app shown, others sent",
            "sections 5 and 14.14",
        ),
        **_outcomes("unsubscribed", "failed", "bounced", "skipped"),
        "goal_users": _GOAL_USERS,
    }),
    "messages": _Table("a message point", SEND, "sections 5, 6 and 14.17", {
        **_POINT,
        "channel": _CHANNEL,
        **_outcomes("sent", "delivered", "opened"),
        "open_rate": _rate("share of the sent messages that were opened", "opened", "sent"),
        "clicked": _OUTCOMES["clicked"],
        "click_rate": _rate("share of the sent messages that were clicked", "clicked", "sent"),
        **_outcomes("sent_users", "opened_users", "clicked_users", "unsubscribed", "failed", "bounced", "skipped"),
        "goal_after_interaction": _Column("users who engaged with it, not by machine, and later reached the goal in that run's window", "users", "", "sections 5 and 14.18"),
        "goal_after_interaction_rate": _rate("share of the users it was sent to who engaged and later reached the goal", "goal_after_interaction", "sent_users"),
        "goal_users": _GOAL_USERS,
        "goal_direct": _Column("of goal_users, by engagement before the goal", "users", EVENT, "section 6"),
        "goal_indirect": _Column("of goal_users, by a sending alone", "users", EVENT, "section 6"),
    }),
    "delivery_issues": _Table("a channel, an outcome and a reason", SEND, "sections 5 and 14.21", {
        "channel": _CHANNEL,
        "outcome": _word("failed, bounced or skipped", SEND),
        "reason": _word("why; a vendor's unknown word stays in reason_detail", SEND),
        "count": _Column("messages with that outcome for that reason", "messages"),
        "rate": _rate("share of the channel's attempts", "count", "attempts: sent + failed + skipped of the channel"),
    }),
    "points": _Table("a point", EVENT, "sections 5, 9 and 14.17", {
        **_POINT,
        "type": _word("what kind of point it is"),
        "channel": _CHANNEL,
        "waiting_before": _Column("visits open as the period begins", "visits", OPENING),
        "entered": _Column("arrivals; a loop counts each time", "visits"),
        "completed": _Column("visits left by a branch, or by a run that ended as completed", "visits"),
        "waiting": _Column("visits open", "visits", STATE),
        "exited": _Column("visits closed by a run that left without an error", "visits"),
        "dropped": _Column("visits closed by a run that an error dropped (left by error)", "visits"),
        "skipped": _Column("completed visits whose action was passed over", "visits"),
        "exits_goal": _Column("of exited, by a goal that ends the journey", "visits"),
        "exits_cancel": _Column("of exited, by a cancel event", "visits"),
        "goal_here": _Column("users whose run stood here when it first reached a goal in the period", "users", "", "sections 5 and 14.18"),
        "goal_users": _GOAL_USERS,
        **{
            name: replace(_OUTCOMES[name], clock=SEND)
            for name in ("sent", "delivered", "opened", "clicked", "shown", "interacted", "dismissed", "replied", "failed",
                         "unsubscribed")
        },
        "seconds_p50": _Column("median time of the visits completed in the period", "seconds", "", "sections 5 and 14.23", dtype=pl.Float64()),
        "seconds_p90": _Column("time that 90 % of the visits completed in the period did not exceed", "seconds", "", "sections 5 and 14.23", dtype=pl.Float64()),
    }),
    "branches": _Table("a branch, by source and key", EVENT, "sections 5 and 14.19", {
        "source": _word("the point it leaves"),
        "branch": _word("its key; null: by no known branch"),
        "target": _word("where it leads on the shown version"),
        "label": _word("as designed; 'unknown' for traversals by no known branch"),
        "runs": _Column("traversals", "traversals"),
        "users": _Column("distinct users who took it", "users"),
        "share": _rate("share of the source's traversals", "runs", "the source's traversals by known branches"),
    }),
    "waiting": _Table("a point and a cause of waiting", STATE, "sections 5 and 14.20", {
        **_POINT,
        "type": _word("what kind of point it is"),
        "cause": _word("the visit's last wait.started; null without one", STATE),
        "runs": _Column("open visits", "visits"),
        "users": _Column("distinct users who stand there", "users"),
        "oldest_since": _time("since when the first of them waits"),
        "next_due": _time("the earliest planned end; past if overdue"),
    }),
    "drops": _Table("a point, a grain, a class and a reason", EVENT, "section 5", {
        **_POINT,
        "grain": _word("run or message; the two are never added"),
        "class": _word("internal_error, send_error (for messages failed and bounced) or skipped"),
        "reason": _word("why", EVENT),
        "count": _Column("runs dropped, or messages lost", "runs or messages"),
    }),
    "waiting_times": _Table("a cause of waiting at the point, and a length", STATE, "sections 5 and 14.20", {
        "cause": _word("the visit's last wait.started; null without one", STATE),
        "seconds": _Column("they have waited at least so long; null: since before the log begins", "seconds"),
        "seconds_to": _Column("and less than this; null: no end", "seconds"),
        "runs": _Column("open visits", "visits"),
    }),
    "response_times": _Table("an outcome of the point's messages, and a length", SEND, "section 5", {
        "outcome": _word("opened, clicked or (in-app) interacted", SEND),
        "seconds": _Column("it took at least so long from the sending", "seconds"),
        "seconds_to": _Column("and less than this; null: no end", "seconds"),
        "messages": _Column("messages of which the first such response came then", "messages"),
    }),
    "reconciliation": _Table("a check, of the journey or of a point", EVENT, "section 9", {
        "point_id": _word("the point; null: the journey"),
        "check": _word("runs, credit, visits or arrivals: what must balance"),
        "left": _Column("what came: before + in", "runs, users or visits"),
        "right": _Column("what it became: out + after", "runs, users or visits"),
        "gap": _Column("left less right; 0 where all adds up", "runs, users or visits"),
    }),
    "time_to_goal": _Table("24 hours since the start", FOLLOWED, "section 5", {
        "day": _Column("whole days of 24 hours since the entry, or the first arrival at the point", "days"),
        "at_risk": _Column("runs that had not reached the goal and were still followed as the day begins", "runs"),
        "reached": _Column("runs that first reached it on that day", "runs"),
        "survival": _rate("share that has not reached the goal by the end of that day (Kaplan–Meier)", "runs not yet there", "runs, those no longer followed set aside"),
        "low": _Column("lower 95 % bound of survival (log-log); null where it is 0 or 1", "share, 0 to 1"),
        "high": _Column("upper 95 % bound of survival (log-log); null where it is 0 or 1", "share, 0 to 1"),
    }),
    "cohorts": _Table("an entry cohort and its age", FOLLOWED, "section 5", {
        "cohort": _Column("the first local day of the day, week or month of the entry", "day"),
        "age": _Column("calendar days, weeks or months since the cohort's", "days, weeks or months"),
        "runs": _Column("runs that entered in the cohort", "runs"),
        "users": _Column("distinct users of these runs", "users"),
        "reached": _Column("of these users, those whose run had reached a goal by the end of that age", "users"),
        "rate": _rate("share of the cohort's users who had reached a goal by then", "reached", "users"),
        "immature": _Column("whether that age is not over yet: the rate may still grow", "yes or no", dtype=pl.Boolean()),
    }),
    "incremental": _Table("the journey, and a currency where there are several", FOLLOWED, "section 5", {
        "treated": _Column("users whose first message in the period was sent; with a hold-out list, users who entered and are not on it", "users"),
        "treated_reached": _Column("of these, those who later reached the goal", "users"),
        "treated_rate": _rate("share of the treated who reached the goal", "treated_reached", "treated"),
        "control": _Column("users whose first message was skipped as control_group; with a hold-out list, users who entered and are on it", "users"),
        "control_reached": _Column("of these, those who later reached the goal", "users"),
        "control_rate": _rate("share of the control group who reached the goal", "control_reached", "control"),
        "difference": _Column("treated_rate less control_rate", "difference of shares"),
        "difference_low": _Column("lower 95 % bound of the difference (Newcombe)", "difference of shares"),
        "difference_high": _Column("upper 95 % bound of the difference (Newcombe)", "difference of shares"),
        "incremental_users": _Column("difference times treated: users who would not have reached the goal", "users", dtype=pl.Float64()),
        "incremental_value": _Column("value of the treated less what it would be at the control's value a user", "money"),
        "currency": _CURRENCY,
    }),
    "variants": _Table("a variant", FOLLOWED, "sections 7 and 14.24", {
        "variant": _word("the branch's key, or the variant the messages carry"),
        "is_control": _word("whether it is the control: the one marked, else the first", dtype=pl.Boolean()),
        "assigned": _Column("units first assigned in the period; users seen in two variants are crossed and in none", "users or runs"),
        "converted": _Column("of these, those who reached the goal after the assignment, inside a window", "users or runs"),
        "rate": _rate("share of the assigned who converted", "converted", "assigned"),
        "difference": _Column("rate less the control's", "difference of shares"),
        "difference_low": _Column("lower 95 % bound (Newcombe; always valid if sequential)", "difference of shares"),
        "difference_high": _Column("upper 95 % bound (Newcombe; always valid if sequential)", "difference of shares"),
        "lift": _Column("difference relative to the control's rate", "ratio"),
        "p_value": _Column("two-proportion test against the control, adjusted by Holm over the variants", "probability"),
        "probability_best": _Column("that its true rate is the highest (beta-binomial, uniform prior)", "probability"),
        "immature": _Column("of the assigned, those whose window is still open", "users or runs"),
    }),
    "user_path": _Table("a visit of a run of the user, newest run first", SEEN, "section 11", {
        "run_id": _word("the run", SEEN),
        "run_no": _Column("1st, 2nd … run of that user", "number"),
        "status": _word("of the run: in_progress, completed, exited or dropped", SEEN),
        "step_no": _Column("1st, 2nd … visit of the run", "number"),
        "point_id": _word("where", SEEN),
        "arrived_at": _time("when it came; null: stood there before the log begins"),
        "left_at": _time("when it left; null: still there"),
        "branch": _word("the branch taken", SEEN),
        "message_id": _word("the first message of that visit", SEEN),
        "outcome": _word("completed, in_progress (●), exited (⤴) or dropped (!)", SEEN),
        "goal_id": _word("the first goal reached during the visit", SEEN),
        "version": _Column("the version of the run, on whose graph it is drawn", "number"),
    }),
    "user_runs": _Table("a run of the user, newest first", SEEN, "section 11", {
        "run_id": _word("the run", SEEN),
        "run_no": _Column("1st, 2nd … run of that user", "number"),
        "user_id": _word("the person", SEEN),
        "device_id": _word("the device of the run's entry, else of its first row", SEEN),
        "status": _word("in_progress, completed, exited or dropped", SEEN),
        "version": _Column("the version of the run, on whose graph it is drawn", "number"),
        "entered_at": _time("when it began; null: before the log does"),
        "left_at": _time("when it ended; null: it has not"),
        "reason": _word("why it ended", SEEN),
        "goals": _word("the goals it reached, in their order", SEEN, dtype=pl.List(pl.String())),
        "run_id_quality": _word("told, or derived where the log has no run ids", SEEN),
    }),
    "user_events": _Table("something done in a run of the user, step by step", SEEN, "section 11", {
        "run_id": _word("the run", SEEN),
        "step_no": _Column("the step it was done at (a message's: that which sent it); null: at none", "number"),
        "at": _time("when it first was"),
        "kind": _word("what became of a message, goal.reached, wait.started or point.skipped", SEEN),
        "point_id": _word("where", SEEN),
        "message_id": _word("with which message", SEEN),
        "goal_id": _word("which goal was reached", SEEN),
        "reason": _word("why it failed, was skipped or waits", SEEN),
        "due_at": _time("of a wait, its planned end"),
    }),
    "paths": _Table("a way through the journey, the most taken first", EVENT, "section 11", {
        "path": _word("the points in order, each where it was first met unless loops are kept", dtype=pl.List(pl.String())),
        "runs": _Column("runs that entered in the period and went that way", "runs"),
        "users": _Column("distinct users of these runs", "users"),
        "share": _rate("share of all runs that entered", "runs", "runs that entered in the period"),
        "converted": _Column("of these runs, those that reached a goal", "runs"),
        "rate": _rate("share of these runs that reached a goal", "converted", "runs"),
    }),
}  # fmt: skip
"""The metric dictionary, table by table, column by column in their order."""


def _ctr(channel: str, clicked: str = "clicked messages") -> _Column:
    return _rate(
        f"share of the {channel} messages sent that were clicked",
        clicked,
        f"{channel} messages sent",
        "",
        SEND,
    )


def _sent_by(channel: str) -> _Column:
    return _Column(f"messages sent by {channel}", "messages", SEND)


def _arrived_by(channel: str) -> _Column:
    return _Column(f"messages sent by {channel} with a delivery receipt", "messages", SEND)


EXPORTS: dict[str, _Table] = {
    "campaign_statistics": _Table("a journey", EVENT, "section 8", {
        "Title": _word("the journey's title, else its id"),
        "Status": _word("Draft, Active, Paused, Finished or Archived"),
        "Created at": _word("when the journey was made, with offset"),
        "Category": _word("the journey's category"),
        "Type": _word("AudienceBased, TriggerBased, ApiBased or Mixed"),
        "UUID": _word("the journey's id"),
        "Total reach": _RUNS["entrances"],
        "Unique users": _Column("distinct users a message was sent to", "users", SEND),
        "Users inside": _Column("distinct users inside", "users", STATE),
        "Drop-off": _Column("distinct users dropped, or exited other than by goal", "users"),
        "Total sends": _Column("messages sent, all channels; in-app: shown", "messages", SEND),
        "Average CTR": _rate("share of the messages sent that were clicked, pooled over channels that report clicks", "clicked messages", "messages sent", "", SEND),
        "Goals": _Column("distinct users who reached any goal", "users"),
        "Push sends": _sent_by("push"),
        "Push CTR": _ctr("push", "clicked messages; opened where the source reports only opens"),
        "Email sends": _sent_by("email"),
        "Email CTR": _ctr("email"),
        "Email clicks": _Column("click events of the email messages sent", "clicks", SEND),
        "Email unsubscribes": _Column("distinct users who unsubscribed from one of them", "users", SEND),
        "SMS sends": _sent_by("SMS"),
        "SMS delivered": _arrived_by("SMS"),
        "WhatsApp sends": _sent_by("WhatsApp"),
        "WhatsApp opens": _Column("messages sent by WhatsApp that were opened", "messages", SEND),
        "In-App shows": _Column("impressions", "impressions", SEND),
        "In-App interactions": _Column("distinct users who interacted with an in-app message", "users", SEND),
        "In-App skips": _Column("distinct users who dismissed one and never interacted", "users", SEND),
        "LINE sends": _sent_by("LINE"),
        "LINE delivered": _arrived_by("LINE"),
        "LINE CTR": _ctr("LINE"),
        "Kakao sends": _sent_by("Kakao"),
        "Kakao delivered": _arrived_by("Kakao"),
        "Kakao CTR": _ctr("Kakao"),
        "Web push sends": _sent_by("web push"),
        "Web push CTR": _ctr("web push"),
        "Webhook sends": _sent_by("webhook"),
        "Webhook failures": _Column("messages by webhook that failed and were never sent", "messages", SEND),
        "Revenue": _Column("money of all goals reached inside their window; a column for each currency", "money", "", "sections 6 and 15"),
    }),
    "goal_statistics": _Table("a goal, in all, on a day or at a point credited", EVENT, "sections 6, 8 and 15", {
        "goal": _word("the goal's id"),
        "event": _word("the event by which it is reached"),
        "conditions": _word("what that event must meet, as JSON"),
        "conversion days": _Column("days after the run's end in which it still counts", "days", DESIGN),
        "date": _Column("the local calendar day; null: all of them", "day", "the reaching's day; the entry's on the cohort clock"),
        "entrances": _RUNS["entrances"],
        "users": _Column("users who first reached it in the period; at a point, those credited to it", "users"),
        "rate": _rate("users who reached it per entrance", "users", "entrances"),
        "point": _word("the point credited; unattributed: none; null: all"),
        "direct": _Column("users credited by engagement before the goal", "users"),
        "indirect": _Column("users credited by a sending alone", "users"),
    }),
    "point_statistics": _Table("a number of the point: in all, on a day or for a reason", EVENT, "sections 5, 8 and 15", {
        "metric": _word("the column of points() or messages() that it is"),
        "value": _Column("the number itself", "as the column unit says", dtype=pl.Float64()),
        "numerator": _Column("of a rate: what is divided", "users or messages"),
        "denominator": _Column("of a rate: by what it is divided", "users or messages"),
        "unit": _word("what one of it is: visits, runs, messages, users, seconds, share"),
        "date": _Column("the local calendar day; null: all of them", "day", "arrivals and departures on their own day, messages on the sending's; the entry's on the cohort clock"),
        "reason": _word("why runs left or messages were lost; null: whatever the reason", EVENT),
    }),
    "point_users": _Table("a message of the point", SEND, "sections 8 and 15", {
        "user_id": _word("the person", SEND),
        "device_id": _word("the device of the run's entry, else of its first row", SEND),
        "sent_at": _time("when it was sent; in-app: first shown"),
        "delivered_at": _time("when its receipt came"),
        "opened_at": _time("when a person first opened or clicked it (a machine too if asked for)"),
        "clicked_at": _time("when a person first clicked it (a machine too if asked for)"),
        "goal_at": _time("when a goal credited to it was first reached", SEEN),
        "outcome": _word("sent, bounced (sent, then failed), failed or skipped", SEND),
        "reason": _word("why it bounced, failed or was skipped", SEND),
    }),
    "step_users": _Table("a visit of the point", EVENT, "section 8", {
        "journey": _word("the journey's title, else its id"),
        "point": _word("the point's id"),
        "user_id": _word("the person", EVENT),
        "device_id": _word("the device of the run's entry, else of its first row", EVENT),
        "run_id": _word("the run", EVENT),
        "entered_at": _time("when it came; null: stood there before the log begins"),
        "left_at": _time("when it left; null: still there"),
        "outcome": _word("completed, exited or dropped; null: still there", EVENT),
        "branch": _word("the branch taken", EVENT),
        "reason": _word("why it was passed over, or why the run left", EVENT),
    }),
}  # fmt: skip
"""The columns of the files that are no tables of the dashboards."""

_ALL = TABLES | EXPORTS
