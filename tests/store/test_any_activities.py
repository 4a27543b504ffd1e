"""Whatever loads of activities come, go and come again, a store tells what one log of all its sessions tells."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from random import Random

import polars as pl
import pytest
from same import assert_same

import journey_nb as jn
from journey_nb.events import EventLog
from journey_nb.store import StoreError

SEEDS = max(2, int(os.environ.get("JOURNEY_NB_SEEDS", 0)) // 40)
Session = list[tuple[str, str, str, str, int]]


def log_of(sessions: list[Session]) -> EventLog:
    rows = [row for session in sessions for row in session]
    frame = pl.DataFrame(rows, schema=["who", "visit", "what", "is", "at"], orient="row")
    return EventLog.from_activities(
        frame, user="who", activity="what", time="at", session="visit", lifecycle="is", time_unit="s"
    )


def session(rng: Random, number: int) -> Session:
    """Some activities of a user, some at one time, some that are told again, some that begin or end only."""
    at, rows = rng.randrange(10**6), []
    for _ in range(rng.choice((1, 2, 3, 5))):
        at += rng.choice((0, 0, 1, 3600, 90_000))
        what = rng.choice("abcdef")
        for life in rng.choice((["start"], ["complete"], ["start", "complete"])):
            at += rng.choice((0, 60)) if life == "complete" else 0
            rows += [(f"u{number % 7}", f"s{number}", what, life, at)] * rng.choice((1, 1, 1, 2))
    return rows


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_loads_of_activities_end_in_the_numbers_of_one_log(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    every = [session(rng, number) for number in range(20)]
    journey = jn.Journey.discover(log_of(every), min_share=rng.choice((0, 0.2)))
    store = jn.Store(tmp_path)
    store.add(journey)
    loads: list[list[Session]] = []
    for turn in range(6):
        some = rng.sample(every, rng.choice((1, 3, 6)))
        here = [one for load in loads for one in load]
        whole = [one[1:] if one not in here and len(one) > 1 and rng.random() < 0.1 else one for one in some]
        going_on = {one[0][1] for one in here if one not in whole} & {one[0][1] for one in whole}
        if going_on:
            with pytest.raises(StoreError, match=f"{len(going_on)} runs of"):
                store.append(log_of(whole))
        else:
            store.append(log_of(whole), batch=f"{turn}")
            if rng.random() < 0.7:
                loads.append(whole)
            else:
                store.undo(f"{turn}")
        if rng.random() < 0.2:
            gone = f"u{rng.randrange(7)}"
            store.erase(gone)
            loads = [[one for one in load if one[0][0] != gone] for load in loads]
        if rng.random() < 0.2:
            store.rebuild(journey.journey_id)
        told = store[journey.journey_id].facts
        once = list({one[0][1]: one for load in loads for one in load}.values())
        if once:
            wanted = jn.JourneyStats(journey, log_of(once)).facts
            assert told.read - told.duplicates == wanted.read - wanted.duplicates
            assert_same(told, replace(wanted, read=told.read, duplicates=told.duplicates))
        else:
            assert told.runs.is_empty()
        assert store.check() == []
