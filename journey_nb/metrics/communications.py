"""Messages: what was sent over each channel and from each point, and what became of it.

All counts are of distinct messages of the send cohort: those sent (failed, skipped) in the period,
with their outcomes up to ``as_of`` (METRICS.md, sections 3 and 5).
"""

from __future__ import annotations

import polars as pl

from journey_nb.journey import CHANNELS
from journey_nb.metrics.counts import FLAGS, of_channel
from journey_nb.metrics.definitions import schema
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import COUNT, rate, shaped

# (numerator, denominator) of engagement_rate, in messages; other channels: clicked of sent.
_ENGAGEMENT = {
    "email": ("clicked", "_arrived"),
    "push": ("opened", "sent"),
    "sms": ("delivered", "sent"),
    "whatsapp": ("opened", "_arrived"),
    "in_app": ("interacted", "sent"),
}


def communications(scope: Scope, *, bases: bool = False) -> pl.DataFrame:
    """A row per channel designed or seen; ``goal_users`` are credited to a message of the channel."""
    counts = scope.counts
    sent = counts.messages().group_by("channel").agg(pl.col(name).sum() for name in FLAGS)
    credited = counts.credited().group_by("channel").agg(goal_users=pl.col("users").sum())
    table = (
        pl.DataFrame({"channel": scope.channels}, schema={"channel": pl.Enum(CHANNELS)})
        .join(sent, on="channel", how="left", maintain_order="left")
        .join(counts.message_users("channel"), on="channel", how="left", maintain_order="left")
        .join(credited, on="channel", how="left", maintain_order="left")
        .with_columns(pl.exclude("channel").fill_null(0))
        .with_columns(_engaged=_engagement(0), _engaged_of=_engagement(1))
        .with_columns(engagement_rate=rate("_engaged", "_engaged_of"))
    )
    return shaped(table, "communications", ["_engaged", "_engaged_of"], bases=bases)


def _engagement(part: int) -> pl.Expr:
    """The numerator (0) or denominator (1) of engagement_rate."""
    # Deliveries serve as a denominator only where at least 1 % of the sends have a receipt.
    reported = pl.col("delivered") * 100 >= pl.col("sent")
    choice = pl.col("sent" if part else "clicked")
    for channel, names in _ENGAGEMENT.items():
        chosen = pl.col(names[part])
        if names[part] == "_arrived":
            chosen = pl.when(reported).then(chosen).otherwise("_unbounced")
        choice = pl.when(pl.col("channel") == channel).then(chosen).otherwise(choice)
    return choice


def messages(scope: Scope, channel: str | None = None, goal: str | None = None) -> pl.DataFrame:
    """A row per message point, in the order of points; goal columns are of ``goal``, or of any.

    Points that are not on the shown version have a row if they have something to count.
    """
    counts = scope.counts_on_version
    sent = of_channel(counts.messages(), channel)
    later = counts.after_interaction(goal, channel).rename({"users": "goal_after_interaction"})
    table = (
        _message_points(scope, channel)
        .join(
            sent.group_by("point").agg(pl.col(name).sum() for name in FLAGS),
            on="point",
            how="left",
            maintain_order="left",
        )
        .join(counts.message_users("point", channel), on="point", how="left", maintain_order="left")
        .join(later, on="point", how="left", maintain_order="left")
        .join(_credited(scope, channel, goal), on="point", how="left", maintain_order="left")
        .with_columns(pl.selectors.integer().fill_null(0))
        .with_columns(
            open_rate=rate("opened", "sent"),
            click_rate=rate("clicked", "sent"),
            goal_after_interaction_rate=rate("goal_after_interaction", "sent_users"),
        )
    )
    counted = [name for name, dtype in schema("messages").items() if dtype == COUNT]
    return shaped(table.filter(pl.col("on_version") | (pl.sum_horizontal(counted) > 0)), "messages")


def _message_points(scope: Scope, channel: str | None) -> pl.DataFrame:
    points = scope.points.filter("is_message")
    if channel is None:
        return points
    used = of_channel(scope.counts.origins(), channel)["point"]
    return points.filter((pl.col("channel") == channel) | pl.col("point").is_in(used.implode())).with_columns(
        channel=pl.lit(channel)
    )


def _credited(scope: Scope, channel: str | None, goal: str | None) -> pl.DataFrame:
    users, credit = pl.col("users"), pl.col("credit")
    reached = of_channel(scope.counts_on_version.credited(goal), channel)
    return reached.group_by("point").agg(
        goal_users=users.sum(),
        goal_direct=users.filter(credit == "direct").sum(),
        goal_indirect=users.filter(credit == "indirect").sum(),
    )


def delivery_issues(
    scope: Scope, channel: str | None = None, *, bases: bool = False, also: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Why messages failed, bounced or were skipped, by channel; rates are of the channel's attempts.

    The reasons in ``also`` (channel, outcome, reason) have a row even where nothing met them, if anything was attempted.
    """
    attempts = (
        scope.counts.messages()
        .group_by("channel")
        .agg(_attempts=pl.sum_horizontal(pl.col("sent", "failed", "skipped").sum()))
    )
    key = ["channel", "outcome", "reason"]
    issues = of_channel(scope.counts.issues(), channel).select(*key, "count")
    if also is not None:
        issues = pl.concat([issues, also.select(key).with_columns(count=0).cast(issues.schema)])
    table = (
        issues.group_by(key)
        .agg(pl.col("count").sum())
        .join(attempts, on="channel", maintain_order="left")
        .sort(key)
        .with_columns(rate=rate("count", "_attempts"))
    )
    return shaped(table, "delivery_issues", ["_attempts"], bases=bases)
