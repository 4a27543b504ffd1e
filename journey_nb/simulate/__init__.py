"""Made-up logs: a journey run over an invented audience, as the canonical event log.

Every run is a number and every column an array: the simulation goes from point to point, and all
runs that reached a point are moved on at once. What may end a run from outside (a goal, a cancel
event, a timeout) is a moment kept beside it; whoever would stay at a point past that moment is
taken out there. So the log obeys METRICS.md, section 2, by construction.

``scenario`` is the journey made ready, ``people`` who may enter it, and ``behaviour`` what they are like.
``runs`` keeps what is known of each run, ``entries`` says when they begin, and ``moves`` takes them from
one ``visit`` to the next: what happens there is in ``points`` and ``messages``. What is drawn by lot is
in ``luck``, the time in ``clock``, what is written in ``log``, and what numpy lacks in ``arrays``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from journey_nb.events.words import COLUMNS
from journey_nb.files import whole
from journey_nb.journey import Journey
from journey_nb.simulate.behaviour import RESPONSES, Behaviour, Response
from journey_nb.simulate.log import Counts
from journey_nb.simulate.luck import Luck
from journey_nb.simulate.moves import Moves
from journey_nb.simulate.people import People, audience
from journey_nb.simulate.runs import Runs
from journey_nb.simulate.scenario import Scenario

__all__ = ["RESPONSES", "Behaviour", "Response", "audience", "simulate", "simulate_to"]

Progress = Callable[[int, int], None]


def simulate(
    journey: Journey,
    users: int = 20_000,
    *,
    seed: int = 0,
    start: datetime | None = None,
    days: int = 90,
    behaviour: Behaviour | None = None,
    dirty: float = 0.0,
) -> pl.DataFrame:
    """Run a journey over a made-up audience; the same arguments give the same log, byte for byte.

    Parameters
    ----------
    journey
        A designed journey. All its published versions take part, each from its ``published_at``.
    users
        Size of the audience; :func:`audience` with the same ``seed`` gives their attributes.
    start
        When the log begins (a time without a zone is UTC); by default when the journey was launched.
    days
        Length of the log in local calendar days. Who is under way at its end stays under way.
    behaviour
        What people do; see :class:`Behaviour`.
    dirty
        Share of the rows that come twice, and share of the rows that come late (out of order).

    Returns
    -------
    polars.DataFrame
        The canonical log (METRICS.md, section 2), ordered by time.

    Examples
    --------
    >>> from journey_nb import Journey
    >>> from journey_nb.simulate import simulate
    >>> log = simulate(Journey.sample("welcome"), users=100)
    >>> log["kind"][0]
    'run.entered'
    """
    scenario = Scenario.of(journey, users, seed, start, days, behaviour or Behaviour())
    return next(_chunks(scenario, max(users, 1), dirty))


def simulate_to(
    path: str | Path,
    journey: Journey,
    users: int = 20_000,
    *,
    seed: int = 0,
    start: datetime | None = None,
    days: int = 90,
    behaviour: Behaviour | None = None,
    dirty: float = 0.0,
    chunk: int = 25_000,
    progress: Progress | None = None,
) -> Path:
    """Simulate into a Parquet file, a chunk of users at a time, for logs larger than memory.

    Takes the arguments of :func:`simulate`, and with ``users`` ≤ ``chunk`` writes the same rows; with
    more it is as deterministic, but rows are ordered by time within each chunk only. ``progress`` is
    called after each chunk with the users done and the users in all. The file appears whole or not
    at all.
    """
    from polars.io.plugins import register_io_source

    scenario = Scenario.of(journey, users, seed, start, days, behaviour or Behaviour())

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield from _chunks(scenario, chunk, dirty, progress)

    with whole(path) as part:
        register_io_source(source, schema=COLUMNS).sink_parquet(part, engine="streaming")
    return Path(path)


def _chunks(
    scenario: Scenario, chunk: int, dirty: float, progress: Progress | None = None
) -> Iterator[pl.DataFrame]:
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; give 1 or more users at a time")
    counts = Counts()
    for first in range(0, max(scenario.users, 1), chunk):
        last = min(first + chunk, scenario.users)
        runs = Runs(scenario, People(scenario, first, last), Luck(np.random.PCG64([scenario.seed, first])))
        Moves(runs).run()
        yield _soil(runs.log.frame(runs.user, counts), dirty, scenario.seed + first)
        if progress:
            progress(last, scenario.users)


def _soil(log: pl.DataFrame, dirty: float, seed: int) -> pl.DataFrame:
    """Let a share of the rows come twice and another share come late; no row is made wrong."""
    if not dirty or log.is_empty():
        return log
    if not 0 <= dirty <= 1:
        raise ValueError(f"dirty is {dirty}; give a share of 0 to 1")
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    rows = np.concatenate([np.arange(len(log)), np.flatnonzero(rng.random(len(log)) < dirty)])
    place = rows + np.where(rng.random(len(rows)) < dirty, rng.exponential(len(log) / 10, len(rows)), 0)
    return log[rows[np.argsort(place, kind="stable")]]
