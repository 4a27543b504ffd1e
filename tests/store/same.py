"""Facts told without the ids and positions that only their own fold knows, so that two folds can be compared."""

from __future__ import annotations

import polars as pl
from polars.testing import assert_frame_equal

from journey_nb.facts import Facts
from journey_nb.metrics.cube import steps

OWN = ("run", "user", "visit", "message", "order", "left_order", "skip_order", "sent_order", "engaged_order",
       "skipped_order", "credit_message")  # fmt: skip
TOLD = ("row", "source", "detail")  # positions in the source


def told(facts: Facts) -> dict[str, pl.DataFrame]:
    """Every table, sorted, by the ids of the log."""
    runs = facts.runs.select("run", of="run_id")
    messages = facts.messages.select("message", "message_id")
    users = facts.users.with_row_index("user").select(pl.col("user").cast(pl.UInt32), who="user_id")
    frames = {}
    for name in ("runs", "visits", "waits", "messages", "goals", "events", "devices"):
        frame = getattr(facts, name)
        if "run" in frame.columns:
            frame = frame.join(runs, on="run", how="left")
        if "user" in frame.columns:
            frame = frame.join(users, on="user", how="left")
        if "message" in frame.columns and name != "messages":
            frame = frame.join(messages, on="message", how="left")
        if "credit_message" in frame.columns:
            frame = frame.join(
                messages.rename({"message": "credit_message"}), on="credit_message", how="left"
            )
        if name == "visits":  # their order within a run is a fact of its own
            frame = frame.sort("order").with_columns(step=pl.int_range(pl.len()).over("run"))
        if name == "events":
            frame = frame.sort("order").with_columns(step=pl.int_range(pl.len()).over("run"))
        frame = frame.select(column for column in frame.columns if column not in OWN)
        frames[name] = frame.sort(frame.columns, nulls_last=True)
    bad = facts.quarantined.select(pl.exclude(TOLD))
    frames["quarantined"] = bad.sort(bad.columns, nulls_last=True)
    frames["stays"] = stays(facts)
    frames["numbers"] = pl.DataFrame(
        {
            "read": [facts.read],
            "duplicates": [facts.duplicates],
            "first": [facts.first_at],
            "last": [facts.last_at],
        }
    )
    return frames


def stays(facts: Facts) -> pl.DataFrame:
    """The completed stays and how many there are of each: of a store as its layers list them, and take them back."""
    own = steps(facts)
    told = getattr(facts, "steps", [(1, own)])
    signed = [
        some.with_columns(pl.col("point").cast(pl.String), n=pl.lit(sign, pl.Int64))
        for sign, some in [(0, own), *told]
    ]
    net = pl.concat(signed).group_by(own.columns).agg(pl.col("n").sum())
    return net.filter(pl.col("n") != 0).sort(own.columns)


def assert_same(left: Facts, right: Facts) -> None:
    for (name, one), other in zip(told(left).items(), told(right).values(), strict=True):
        try:
            assert_frame_equal(one, other)
        except AssertionError as error:
            error.add_note(
                f"in {name}: {one.join(other, on=one.columns, how='anti', nulls_equal=True)} {other.join(one, on=one.columns, how='anti', nulls_equal=True)}"
            )
            raise
