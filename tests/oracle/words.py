"""The words of METRICS.md, sections 1 and 2, restated: kinds, reasons, channels, what a row must have."""

from __future__ import annotations

KINDS = (
    "run.entered point.entered wait.started message.sent message.failed message.skipped message.delivered "
    "message.impression message.opened message.clicked message.interacted message.replied message.dismissed "
    "message.unsubscribed message.complained goal.reached point.skipped point.completed run.exited"
).split()
RANK = {kind: place for place, kind in enumerate(KINDS)}

ATTEMPTS = ("message.sent", "message.failed", "message.skipped")
OUTCOMES = tuple(k for k in KINDS if k.startswith("message.") and k not in ATTEMPTS)
ENGAGEMENTS = ("message.opened", "message.clicked", "message.interacted", "message.replied")
IN_APP_ONLY = ("message.impression", "message.interacted", "message.dismissed")

CHANNELS = "push web_push email sms in_app whatsapp line kakao webhook other".split()

OTHER_EXITS = (
    "goal cancel_event exit_criteria timed_out dead_end removed journey_finished version_removed".split()
)
INTERNAL = (
    "account_suspended time_unresolved device_not_found user_not_found user_mismatch filter_not_found "
    "tag_not_found content_not_found request_error quota_exceeded expired_in_pause internal_unknown"
).split()
SEND = (
    "app_uninstalled token_invalid address_invalid gateway_blocked hard_bounce carrier_rejected "
    "provider_error send_unknown"
).split()
SKIPS = (
    "frequency_capped opted_out no_device control_group not_reachable quiet_hours_lapsed content_aborted "
    "duplicate rate_limited filtered skip_unknown"
).split()
WAITS = "delay trigger silent_hours send_time engagement rate_limit wait_unknown".split()

REASONS_OF = {
    "run.exited": (["completed", *OTHER_EXITS, *INTERNAL, *SEND], "internal_unknown"),
    "message.failed": (SEND, "send_unknown"),
    "message.skipped": (SKIPS, "skip_unknown"),
    "point.skipped": (SKIPS, "skip_unknown"),
    "wait.started": (WAITS, "wait_unknown"),
}

ALWAYS = ("occurred_at", "kind", "user_id", "journey_id")
NEEDS = {
    "run.entered": ("run_id", "point_id"),
    "point.entered": ("run_id", "point_id"),
    "wait.started": ("run_id", "point_id", "reason"),
    "point.completed": ("run_id", "point_id"),
    "point.skipped": ("run_id", "point_id", "reason"),
    "goal.reached": ("goal_id",),
    "run.exited": ("run_id", "reason"),
    **{kind: ("point_id", "channel", "message_id") for kind in KINDS if kind.startswith("message.")},
    "message.failed": ("point_id", "channel", "message_id", "reason"),
    "message.skipped": ("point_id", "channel", "message_id", "reason"),
}

COLUMNS = (
    "event_id occurred_at kind user_id device_id journey_id version run_id point_id branch channel message_id "
    "variant goal_id reason reason_detail due_at value currency is_machine seq source"
).split()

QUARANTINE_RULES = (
    "missing bad_time unknown_kind unknown_channel unknown_journey unknown_version unknown_point unknown_branch "
    "unknown_goal conflict second_entry before_entry second_exit after_exit second_completion unresolved_message"
).split()
