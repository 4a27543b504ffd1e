"""The statistics of experiments, on plain counts; scipy and numpy are loaded where they are used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from journey_nb.metrics.intervals import Z95

Z80 = 0.8416212335729143  # the 80 % point of the normal distribution: the power
GRID = 1001  # points over each posterior, for up to 16 arms; of more fewer, for they share theirs


def two_proportion_p(converted: int, n: int, base_converted: int, base_n: int) -> float | None:
    """The two-sided p-value of the pooled two-proportion z-test; None without units.

    Examples
    --------
    >>> round(two_proportion_p(60, 500, 40, 500), 4)
    0.035
    """
    if not n or not base_n:
        return None
    pooled = (converted + base_converted) / (n + base_n)
    variance = pooled * (1 - pooled) * (1 / n + 1 / base_n)
    if variance == 0:
        return 1.0
    z = (converted / n - base_converted / base_n) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values adjusted for their number (Holm 1979); None stays None and counts for nothing.

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    adjusted: list[float | None] = [None] * len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    highest = 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = highest
    return adjusted


def always_valid(
    converted: int, n: int, base_converted: int, base_n: int, scale: float
) -> tuple[float, float, float] | None:
    """Bounds and p-value of a difference of rates that hold however often one looks; None without units.

    The mixture sequential probability ratio test with a normal mixture of standard deviation ``scale``
    (Robbins 1970; Johari, Koomen, Pekelis and Walsh 2022, "Always Valid Inference"), which must be chosen
    before the data are seen: about the difference one hopes for. The rates in the variance are drawn a
    little towards one half (Agresti and Caffo 2000), so that an arm without conversions has a variance.
    """
    if not n or not base_n:
        return None
    difference = converted / n - base_converted / base_n
    variance = _variance(converted, n) + _variance(base_converted, base_n)
    total = variance + scale**2
    half = math.sqrt((2 * math.log(1 / 0.05) + math.log(total / variance)) * variance * total) / scale
    evidence = scale**2 * difference**2 / (2 * variance * total) - math.log(total / variance) / 2
    return max(-1.0, difference - half), min(1.0, difference + half), min(1.0, math.exp(-evidence))


def _variance(converted: int, n: int) -> float:
    rate = (converted + 1) / (n + 2)
    return rate * (1 - rate) / n


def probability_best(arms: Sequence[tuple[int, int]]) -> list[float]:
    """For each (converted, n) the probability that its true rate is the highest, from uniform priors.

    The integral of each posterior's density times the others' distribution functions, by the trapezoid
    rule over points that lie close where any posterior is: no random draws, and the probabilities sum to 1.

    Examples
    --------
    >>> [round(p, 3) for p in probability_best([(40, 500), (60, 500)])]
    [0.018, 0.982]
    """
    import numpy as np
    from scipy.special import betainc, expit

    if len(arms) < 2:
        return [1.0] * len(arms)
    shapes = [(converted + 1, n - converted + 1) for converted, n in arms]
    points = min(GRID, max(GRID // 8, 16 * GRID // len(arms)))
    spread = np.linspace(-9, 9, points)  # deviations of the log odds, which are nearly normal
    odds = (math.log(a / b) + math.sqrt(1 / a + 1 / b) * spread for a, b in shapes)
    grid = np.unique(np.concatenate([[0.0], *map(expit, odds), [1.0]]))
    below = np.stack([betainc(a, b, grid) for a, b in shapes])
    # The others' product is that of those before times that of those after: not one anew for every arm.
    after = np.cumprod(below[:0:-1], axis=0)[::-1]
    best, before = [], np.ones_like(grid)
    for i, own in enumerate(below):
        others = before * after[i] if i < len(after) else before
        best.append(float(((others[1:] + others[:-1]) / 2 * np.diff(own)).sum()))
        before = before * own
    total = sum(best)
    return [p / total for p in best]


def ratio_p(observed: Mapping[str, int], expected: Mapping[str, float]) -> float | None:
    """The χ² p-value that units fell as expected; None where fewer than two shares leave nothing to test."""
    from scipy.special import chdtrc

    if any(n and not expected.get(key) for key, n in observed.items()):
        return 0.0  # units where none should be
    keys = [key for key, n in expected.items() if n]
    if len(keys) < 2:
        return None
    chi2 = sum((observed.get(key, 0) - expected[key]) ** 2 / expected[key] for key in keys)
    return float(chdtrc(len(keys) - 1, chi2))


def sample_per_arm(base: float, other: float) -> int | None:
    """Units each arm needs to tell two rates apart: two-sided 5 %, power 80 %; None where they are equal.

    Examples
    --------
    >>> sample_per_arm(0.10, 0.12)
    3841
    """
    if base == other or not (0 <= base <= 1 and 0 <= other <= 1):
        return None
    mean = (base + other) / 2
    spread = Z95 * math.sqrt(2 * mean * (1 - mean))
    spread += Z80 * math.sqrt(base * (1 - base) + other * (1 - other))
    return math.ceil((spread / (other - base)) ** 2)
