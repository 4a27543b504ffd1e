from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_nb.metrics.intervals import newcombe, wilson, with_intervals


def bounds(numerator: int, denominator: int) -> tuple[float | None, float | None]:
    low, high = wilson(pl.lit(numerator), pl.lit(denominator))
    return pl.select(low.alias("low"), high.alias("high")).row(0)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),  # Newcombe 1998, Two-sided confidence intervals, table I
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (20, 20, (0.8389, 1.0)),
    ],
)
def test_wilson_gives_the_published_bounds(
    numerator: int, denominator: int, expected: tuple[float, float]
) -> None:
    assert bounds(numerator, denominator) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    low, high = bounds(*counts)
    assert low is not None
    assert high is not None
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


def test_no_bounds_without_a_denominator_or_above_1() -> None:
    assert bounds(0, 0) == bounds(5, 1) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Newcombe 1998, Interval estimation for the difference, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ],
)
def test_newcombe_gives_the_published_bounds(
    first: tuple[int, int], second: tuple[int, int], expected: tuple[float, float]
) -> None:
    low, high = newcombe(*map(pl.lit, (*first, *second)))
    assert pl.select(low.alias("low"), high.alias("high")).row(0) == pytest.approx(expected, abs=5e-5)


def test_bounds_and_the_small_mark_stand_right_after_their_rate() -> None:
    frame = pl.DataFrame(
        {
            "sent": [40, 29, 0],
            "opened": [10, 40, 0],
            "open_rate": [0.25, 1.38, None],
            "title": ["a", "b", "c"],
        }
    )
    table = with_intervals(frame, {"open_rate": ("opened", "sent")})
    assert table.columns == [
        "sent",
        "opened",
        "open_rate",
        "open_rate_low",
        "open_rate_high",
        "open_rate_small",
        "title",
    ]
    assert table["open_rate_small"].to_list() == [False, True, True]
    assert table["open_rate_low"].is_null().to_list() == [False, True, True]


def test_a_rate_may_rest_on_an_expression() -> None:
    frame = pl.DataFrame({"failed": [1], "sent": [9], "rate": [0.1]})
    table = with_intervals(frame, {"rate": ("failed", pl.col("sent") + pl.col("failed"))})
    assert table.select("rate_low", "rate_high").row(0) == pytest.approx(bounds(1, 10))
