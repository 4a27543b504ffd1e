"""Messages: what was sent over each channel and from each point, and what became of it.

All counts are of distinct messages of the send cohort: those sent (failed, skipped) in the period,
with their outcomes up to ``as_of`` (METRICS.md, sections 3 and 5).
"""

from __future__ import annotations

import polars as pl

from journey_nb.journey import CHANNELS, near
from journey_nb.metrics.goals import firsts, latest
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, RATE, TEXT, rate, shaped

COMMUNICATIONS: dict[str, pl.DataType] = {
    "channel": TEXT,
    "sent": COUNT,
    "delivered": COUNT,
    "opened": COUNT,
    "clicked": COUNT,
    "sent_users": COUNT,
    "opened_users": COUNT,
    "clicked_users": COUNT,
    "engagement_rate": RATE,
    "unsubscribed": COUNT,
    "failed": COUNT,
    "bounced": COUNT,
    "skipped": COUNT,
    "goal_users": COUNT,
}
MESSAGES: dict[str, pl.DataType] = {
    "point_id": TEXT,
    "title": TEXT,
    "channel": TEXT,
    "sent": COUNT,
    "delivered": COUNT,
    "opened": COUNT,
    "open_rate": RATE,
    "clicked": COUNT,
    "click_rate": RATE,
    "sent_users": COUNT,
    "opened_users": COUNT,
    "clicked_users": COUNT,
    "unsubscribed": COUNT,
    "failed": COUNT,
    "bounced": COUNT,
    "skipped": COUNT,
    "goal_after_interaction": COUNT,
    "goal_after_interaction_rate": RATE,
    "goal_users": COUNT,
    "goal_direct": COUNT,
    "goal_indirect": COUNT,
}
DELIVERY_ISSUES: dict[str, pl.DataType] = {
    "channel": TEXT,
    "outcome": TEXT,
    "reason": TEXT,
    "count": COUNT,
    "rate": RATE,
}

_SENT = pl.col("fate") == "sent"
FLAGS: dict[str, pl.Expr] = {
    "sent": _SENT,
    "delivered": pl.col("delivered"),
    "opened": pl.col("opened"),
    "clicked": pl.col("clicked"),
    "shown": _SENT & pl.col("shown_at").is_not_null(),
    "interacted": _SENT & pl.col("interacted_at").is_not_null(),
    "unsubscribed": _SENT & pl.col("unsubscribed_at").is_not_null(),
    "failed": pl.col("fate") == "failed",
    "bounced": pl.col("bounced"),
    "skipped": pl.col("fate") == "skipped",
    # An opened or clicked message arrived, receipt or not; a receipt or a failure tells that
    # the channel reports on delivery at all.
    "_arrived": pl.col("delivered") | pl.col("opened") | pl.col("clicked"),
    "_reported": pl.col("delivered") | pl.col("bounced"),
}
"""What a message of :attr:`Scope.messages` may count as."""

# (numerator, denominator) of engagement_rate, in messages; other channels: clicked of sent.
_ENGAGEMENT = {
    "email": ("clicked", "_arrived"),
    "push": ("opened", "sent"),
    "sms": ("delivered", "sent"),
    "whatsapp": ("opened", "_arrived"),
    "in_app": ("interacted", "sent"),
}


def tally(messages: pl.DataFrame, key: str) -> pl.DataFrame:
    """Messages by ``key``: how many count as each of :data:`FLAGS`, and the users of some of them."""
    user = pl.col("user")
    return messages.group_by(key).agg(
        *(flag.sum().cast(COUNT).alias(name) for name, flag in FLAGS.items()),
        *(
            user.filter(FLAGS[name]).n_unique().alias(f"{name}_users")
            for name in ("sent", "opened", "clicked")
        ),
    )


def communications(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """A row per channel designed or seen; ``goal_users`` are credited to a message of the channel."""
    reached = firsts(scope).select(message="credit_message")
    channel_of = scope.facts.messages.select("message", "channel")
    credited = reached.join(channel_of, on="message").group_by("channel").agg(goal_users=pl.len())
    table = (
        pl.DataFrame({"channel": scope.channels}, schema={"channel": pl.Enum(CHANNELS)})
        .join(tally(scope.messages, "channel"), on="channel", how="left", maintain_order="left")
        .join(credited, on="channel", how="left", maintain_order="left")
        .with_columns(pl.exclude("channel").fill_null(0))
        .with_columns(_engaged=_engagement(0), _engaged_of=_engagement(1))
        .with_columns(engagement_rate=rate("_engaged", "_engaged_of"))
    )
    return shaped(table, COMMUNICATIONS, ["_engaged", "_engaged_of"], bases=bases)


def _engagement(part: int) -> pl.Expr:
    """The numerator (0) or denominator (1) of engagement_rate."""
    # Deliveries serve as a denominator only where at least 1 % of the sends are reported on.
    reported = pl.col("_reported") * 100 >= pl.col("sent")
    choice = pl.col("sent" if part else "clicked")
    for channel, names in _ENGAGEMENT.items():
        chosen = pl.col(names[part])
        if names[part] == "_arrived":
            chosen = pl.when(reported).then(chosen).otherwise("sent")
        choice = pl.when(pl.col("channel") == channel).then(chosen).otherwise(choice)
    return choice


def messages(scope: Scope, channel: str | None = None, goal: str | None = None) -> pl.DataFrame:
    """A row per message point, in the order of points; goal columns are of ``goal``, or of any.

    Points that are not on the shown version have a row if they have something to count.
    """
    sent = _of_channel(scope.on_version(scope.messages), channel)
    table = (
        _message_points(scope, channel)
        .join(tally(sent, "point"), on="point", how="left", maintain_order="left")
        .join(_after_interaction(scope, sent, goal), on="point", how="left", maintain_order="left")
        .join(_credited(scope, channel, goal), on="point", how="left", maintain_order="left")
        .with_columns(pl.selectors.unsigned_integer().cast(COUNT))
        .with_columns(pl.selectors.integer().fill_null(0))
        .with_columns(
            open_rate=rate("opened", "sent"),
            click_rate=rate("clicked", "sent"),
            goal_after_interaction_rate=rate("goal_after_interaction", "sent_users"),
        )
    )
    counts = [name for name, dtype in MESSAGES.items() if dtype == COUNT]
    return shaped(table.filter(pl.col("on_version") | (pl.sum_horizontal(counts) > 0)), MESSAGES)


def _message_points(scope: Scope, channel: str | None) -> pl.DataFrame:
    points = scope.points.filter("is_message")
    if channel is None:
        return points
    used = _of_channel(scope.facts.messages, channel)["point"].unique()
    return points.filter((pl.col("channel") == channel) | pl.col("point").is_in(used.implode())).with_columns(
        channel=pl.lit(channel)
    )


def _after_interaction(scope: Scope, sent: pl.DataFrame, goal: str | None) -> pl.DataFrame:
    """Users who engaged with a message of the point and later, in the same run, reached the goal."""
    return (
        sent.filter(FLAGS["sent"] & pl.col("engaged_at").is_not_null())
        .join(latest(scope, goal), on="run")
        .filter(pl.col("engaged_order") < pl.col("order"))
        .group_by("point")
        .agg(goal_after_interaction=pl.col("user").n_unique())
    )


def _credited(scope: Scope, channel: str | None, goal: str | None) -> pl.DataFrame:
    reached = scope.on_version(firsts(scope, goal)).select("credit", message="credit_message")
    origin = _of_channel(scope.facts.messages, channel).select("message", "point")
    return (
        reached.join(origin, on="message")
        .group_by("point")
        .agg(
            goal_users=pl.len(),
            goal_direct=(pl.col("credit") == "direct").sum(),
            goal_indirect=(pl.col("credit") == "indirect").sum(),
        )
    )


def delivery_issues(scope: Scope, channel: str | None = None, *, bases: bool = False) -> pl.DataFrame:
    """Why messages failed, bounced or were skipped, by channel; rates are of the channel's attempts."""
    attempts = _of_channel(scope.messages, channel).with_columns(pl.len().over("channel").alias("_attempts"))
    outcomes = {
        "failed": (FLAGS["failed"], "fail_reason"),
        "bounced": (FLAGS["bounced"], "bounce_reason"),
        "skipped": (FLAGS["skipped"], "skip_reason"),
    }
    table = pl.concat(
        attempts.filter(flag)
        .group_by("channel", "_attempts", reason=reason)
        .agg(count=pl.len())
        .with_columns(outcome=pl.lit(outcome, pl.Enum(list(outcomes))))
        for outcome, (flag, reason) in outcomes.items()
    )
    table = table.sort("channel", "outcome", "reason").with_columns(rate=rate("count", "_attempts"))
    return shaped(table, DELIVERY_ISSUES, ["_attempts"], bases=bases)


def _of_channel(frame: pl.DataFrame, channel: str | None) -> pl.DataFrame:
    if channel is None:
        return frame
    if channel not in CHANNELS:
        raise ValueError(f"no channel {channel!r}{near(channel, CHANNELS)}; there are {', '.join(CHANNELS)}")
    return frame.filter(pl.col("channel") == channel)
