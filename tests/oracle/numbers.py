"""Intervals, tests and survival, in plain floats (METRICS.md 5, 7, 14.23)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import accumulate

Z = 1.959963984540054


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest ranks."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def wilson(hits: int, n: int) -> tuple[float | None, float | None]:
    if n == 0:
        return None, None
    rate = hits / n
    centre = rate + Z * Z / (2 * n)
    spread = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    whole = 1 + Z * Z / n
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


def newcombe(hits: int, n: int, control_hits: int, control_n: int) -> tuple[float | None, float | None]:
    """Newcombe's hybrid score interval of the difference to control."""
    if n == 0 or control_n == 0:
        return None, None
    rate, control = hits / n, control_hits / control_n
    (low, high), (control_low, control_high) = wilson(hits, n), wilson(control_hits, control_n)
    difference = rate - control
    return (
        difference - math.sqrt((rate - low) ** 2 + (control_high - control) ** 2),
        difference + math.sqrt((high - rate) ** 2 + (control - control_low) ** 2),
    )


def two_proportions(hits: int, n: int, control_hits: int, control_n: int) -> float | None:
    """Two-sided p of the pooled z test."""
    if n == 0 or control_n == 0:
        return None
    pooled = (hits + control_hits) / (n + control_n)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / control_n))
    if error == 0:
        return 1.0
    return math.erfc(abs(hits / n - control_hits / control_n) / error / math.sqrt(2))


def holm(values: Sequence[float | None]) -> list[float | None]:
    told = sorted((value, place) for place, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    floor = 0.0
    for step, (value, place) in enumerate(told):
        floor = max(floor, min(1.0, (len(told) - step) * value))
        adjusted[place] = floor
    return adjusted


@cache
def probability_best(hits: tuple[int, ...], totals: tuple[int, ...], steps: int = 2000) -> list[float]:
    """Probability that each arm has the highest rate, uniform priors: a midpoint sum of density × the others' cdf."""
    densities = []
    for hit, n in zip(hits, totals, strict=True):
        scale = math.lgamma(n + 2) - math.lgamma(hit + 1) - math.lgamma(n - hit + 1)
        xs = ((i + 0.5) / steps for i in range(steps))
        density = [math.exp(scale + hit * math.log(x) + (n - hit) * math.log1p(-x)) / steps for x in xs]
        densities.append([d / sum(density) for d in density])
    below = [[up_to - d / 2 for up_to, d in zip(accumulate(own), own, strict=True)] for own in densities]
    return [
        sum(
            own[i] * math.prod(cdf[i] for other, cdf in enumerate(below) if other != arm)
            for i in range(steps)
        )
        for arm, own in enumerate(densities)
    ]


def chi_square_p(observed: Sequence[int], shares: Sequence[float]) -> float | None:
    from scipy.stats import chi2

    whole, total = sum(shares), sum(observed)
    if not whole or not total or len(observed) < 2:
        return None
    expected = [total * share / whole for share in shares]
    if any(e == 0 for e in expected):
        return None
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    return float(chi2.sf(statistic, len(observed) - 1))


def kaplan_meier(subjects: Sequence[tuple[int, bool]]) -> list[dict[str, float | int | None]]:
    """A row (day, at_risk, reached, survival, low, high) for every day followed; log-log bounds, none at 0 or 1."""
    rows: list[dict[str, float | int | None]] = []
    survival, greenwood = 1.0, 0.0
    for day in range(max((time for time, _ in subjects), default=-1) + 1):
        at_risk = sum(time >= day for time, _ in subjects)
        reached = sum(time == day and event for time, event in subjects)
        survival *= 1 - reached / at_risk
        low = high = None
        if reached < at_risk:
            greenwood += reached / (at_risk * (at_risk - reached))
        if 0 < survival < 1:
            spread = Z * math.sqrt(greenwood) / math.log(survival)
            low, high = survival ** math.exp(-spread), survival ** math.exp(spread)
        rows.append(
            {
                "day": day,
                "at_risk": at_risk,
                "reached": reached,
                "survival": survival,
                "low": low,
                "high": high,
            }
        )
    return rows
