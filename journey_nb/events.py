"""The event log: its columns, kinds and reasons; loading, dedupe and quarantine."""

from __future__ import annotations

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
    "kind": pl.Enum(KINDS),
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

# Columns without a value make the row unreadable (beside occurred_at, kind, user_id, journey_id, version).
_RUN = ("run_id",)
_MESSAGE = ("point_id", "channel", "message_id")
KIND_NEEDS: dict[str, tuple[str, ...]] = {
    "run.entered": (*_RUN, "point_id"),
    "point.entered": (*_RUN, "point_id"),
    "wait.started": (*_RUN, "point_id", "reason"),
    "point.completed": (*_RUN, "point_id"),
    "point.skipped": (*_RUN, "point_id", "reason"),
    **{kind: _MESSAGE for kind in MESSAGE_KINDS},
    "message.failed": (*_MESSAGE, "reason"),
    "message.skipped": (*_MESSAGE, "reason"),
    "goal.reached": ("goal_id",),
    "run.exited": (*_RUN, "reason"),
}
