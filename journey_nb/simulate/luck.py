"""What is drawn by lot: of a generator, or of a person's own number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from journey_nb.simulate.arrays import Array
from journey_nb.simulate.clock import DAY


class Luck(np.random.Generator):
    """A generator with the draws that a simulation makes again and again."""

    def some(self, count: int, share: float | Array) -> Array:
        """Whether each of so many belongs to a share of them."""
        return self.random(count) < share

    def spread(self, median: int, count: int, sigma: float = 0.9) -> Array:
        """Spans of time around a median, with a long tail; at least a moment."""
        spans = np.minimum(self.lognormal(np.log(median), sigma, count), 400.0 * DAY)
        return np.maximum(spans, 1_000).astype(np.int64)


def own_chance(people: Array, seed: int, salt: str) -> Array:
    """A number of [0, 1) for each person that depends on nobody else (splitmix64)."""
    key = np.frombuffer(hashlib.sha256(f"{seed}|{salt}".encode()).digest()[:8], dtype=np.uint64)
    mixed = people.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    chance: Array = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / float(2**53)
    return chance


def by_shares(chance: Array, shares: Sequence[float]) -> Array:
    """Which of several each chance falls on, by their shares."""
    bounds = np.cumsum(np.asarray(shares, dtype=float))
    which: Array = np.searchsorted(bounds, chance * bounds[-1], side="right")
    return np.minimum(which, len(shares) - 1)
