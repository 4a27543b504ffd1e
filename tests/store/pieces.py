"""Made-up logs with all that may be wrong with one, and the pieces in which they come into a store."""

from __future__ import annotations

from random import Random

import polars as pl
from compare import frame_of
from oracle import strategies

import journey_nb as jn


def logs(seed: int) -> tuple[jn.Journey, pl.DataFrame, Random]:
    """A made-up journey and a dirty log of it."""
    document, rows, rng = strategies.example(seed)
    journey = jn.Journey.model_validate(document)
    frame = frame_of([row for row in rows if row.get("journey_id") == journey.journey_id])
    return journey, frame.with_row_index("place"), rng


def batches(rng: Random, frame: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows in any order, cut anywhere, some of them in two batches."""
    count = rng.randint(1, 9)
    order = list(range(frame.height))
    rng.shuffle(order)
    again = [place for place in order if rng.random() < 0.1]
    places = [(place, rng.randrange(count)) for place in order + again]
    return [frame[[place for place, batch in places if batch == number]] for number in range(count)]


def share_ids(rng: Random, frame: pl.DataFrame) -> pl.DataFrame:
    """Ids of one user in rows of another: what no clean log has, and what must not matter where rows come apart."""
    if frame.height < 4:
        return frame
    for name in rng.sample(["event_id", "run_id", "message_id", "user_id", "device_id"], 2):
        some, other = (rng.randrange(frame.height) for _ in range(2))
        frame = frame.with_columns(frame[name].scatter(some, frame[name][other]))
    return frame
