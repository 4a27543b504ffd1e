"""The words of an event log: its columns, the kinds of events and their reasons, the rules that rows are judged by."""

from __future__ import annotations

from functools import cache

import polars as pl

from journey_nb.journey import CHANNELS

UTC = pl.Datetime("us", "UTC")

# Kinds in the order in which equal times of one run are read (METRICS.md, section 2).
KINDS: tuple[str, ...] = (
    "run.entered",
    "point.entered",
    "wait.started",
    "message.sent",
    "message.failed",
    "message.skipped",
    "message.delivered",
    "message.impression",
    "message.opened",
    "message.clicked",
    "message.interacted",
    "message.replied",
    "message.dismissed",
    "message.unsubscribed",
    "message.complained",
    "goal.reached",
    "point.skipped",
    "point.completed",
    "run.exited",
)
KIND = pl.Enum(KINDS)
MESSAGE_KINDS = tuple(kind for kind in KINDS if kind.startswith("message."))
ATTEMPT_KINDS = ("message.sent", "message.failed", "message.skipped")
OUTCOME_KINDS = tuple(kind for kind in MESSAGE_KINDS if kind not in ATTEMPT_KINDS)

INTERNAL_ERRORS = (
    "account_suspended",
    "time_unresolved",
    "device_not_found",
    "user_not_found",
    "user_mismatch",
    "filter_not_found",
    "tag_not_found",
    "content_not_found",
    "request_error",
    "quota_exceeded",
    "expired_in_pause",
    "internal_unknown",
)
SEND_ERRORS = (
    "app_uninstalled",
    "token_invalid",
    "address_invalid",
    "gateway_blocked",
    "hard_bounce",
    "carrier_rejected",
    "provider_error",
    "send_unknown",
)
EXITS = (
    "goal",
    "cancel_event",
    "exit_criteria",
    "timed_out",
    "dead_end",
    "removed",
    "journey_finished",
    "version_removed",
)
SKIPS = (
    "frequency_capped",
    "opted_out",
    "no_device",
    "control_group",
    "not_reachable",
    "quiet_hours_lapsed",
    "content_aborted",
    "duplicate",
    "rate_limited",
    "filtered",
    "skip_unknown",
)
WAITS = (
    "delay",
    "trigger",
    "silent_hours",
    "send_time",
    "engagement",
    "rate_limit",
    "wait_unknown",
)
EXIT_REASONS = ("completed", *EXITS, *INTERNAL_ERRORS, *SEND_ERRORS)
REASONS: tuple[str, ...] = (*EXIT_REASONS, *SKIPS, *WAITS)

# Which reasons each kind may carry, and the word a foreign one is read as.
KIND_REASONS: dict[str, tuple[tuple[str, ...], str]] = {
    "run.exited": (EXIT_REASONS, "internal_unknown"),
    "message.failed": (SEND_ERRORS, "send_unknown"),
    "message.skipped": (SKIPS, "skip_unknown"),
    "point.skipped": (SKIPS, "skip_unknown"),
    "wait.started": (WAITS, "wait_unknown"),
}

COLUMNS: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "occurred_at": UTC,
    "kind": KIND,
    "user_id": pl.String(),
    "device_id": pl.String(),
    "journey_id": pl.String(),
    "version": pl.Int32(),
    "run_id": pl.String(),
    "point_id": pl.String(),
    "branch": pl.String(),
    "channel": pl.Enum(CHANNELS),
    "message_id": pl.String(),
    "variant": pl.String(),
    "goal_id": pl.String(),
    "reason": pl.Enum(REASONS),
    "reason_detail": pl.String(),
    "due_at": UTC,
    "value": pl.Float64(),
    "currency": pl.String(),
    "is_machine": pl.Boolean(),
    "seq": pl.Int64(),
    "source": pl.String(),
}

DERIVED = "derived:"
"""How the run ids begin of sources that name no runs."""

# Columns without a value make the row unreadable (beside occurred_at, kind, user_id, journey_id, version).
_RUN = ("run_id",)
_MESSAGE = ("point_id", "channel", "message_id")
KIND_NEEDS: dict[str, tuple[str, ...]] = {
    "run.entered": (*_RUN, "point_id"),
    "point.entered": (*_RUN, "point_id"),
    "wait.started": (*_RUN, "point_id", "reason"),
    "point.completed": (*_RUN, "point_id"),
    "point.skipped": (*_RUN, "point_id", "reason"),
    **dict.fromkeys(MESSAGE_KINDS, _MESSAGE),
    "message.failed": (*_MESSAGE, "reason"),
    "message.skipped": (*_MESSAGE, "reason"),
    "goal.reached": ("goal_id",),
    "run.exited": (*_RUN, "reason"),
}

# The rules a row is judged by, itself alone, in the order in which a broken one is told; then dedupe.
RULES: tuple[str, ...] = (
    "missing",
    "bad_time",
    "bad_value",
    "unknown_kind",
    "unknown_channel",
    "unknown_journey",
    "unknown_version",
    "unknown_point",
    "unknown_branch",
    "unknown_goal",
    "conflict",
)

QUARANTINE: dict[str, pl.DataType] = {
    "row": pl.UInt64(),
    "rule": pl.String(),
    "detail": pl.String(),
    **COLUMNS,
    "reason": pl.String(),  # in the source's own words: a row may be read again, once its journey or version is known
}

# Columns whose cells may hold what cannot be read: "given <column>" says that there is something,
# "raw <column>" what it is.
FALLIBLE = ("occurred_at", "due_at", "kind", "channel", "reason", "version", "value", "is_machine", "seq")
TIMES = ("occurred_at", "due_at")

# Columns that are coded by a list of known words; "word <column>" keeps a word that is not on it.
CODED = ("reason", "point_id", "goal_id")
WORDS = tuple(f"word {name}" for name in CODED)


# It is asked for dozens of times in a fold.
@cache
def of_kind(*kinds: str) -> pl.Expr:
    """Whether a row is of one of these kinds."""
    if len(kinds) == 1:
        return pl.col("kind") == pl.lit(kinds[0], KIND)
    return pl.col("kind").is_in(pl.Series(kinds, dtype=KIND).implode())
