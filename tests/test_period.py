"""Periods: presets, dates, the period before, days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_nb.period import PRESETS, TICK, between, instant, midnight, preset, previous

PARIS = ZoneInfo("Europe/Paris")
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC",
            "Europe/Paris",
            "America/New_York",
            "Asia/Seoul",
            "Africa/Cairo",
            "America/Havana",
        )
    ]
)
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", utc(2026, 4, 14, 22), None),
        ("yesterday", utc(2026, 4, 13, 22), utc(2026, 4, 14, 22)),
        ("7d", utc(2026, 4, 8, 22), None),
        ("30d", utc(2026, 3, 16, 23), None),  # before the clocks went forward
        ("this_week", utc(2026, 4, 12, 22), None),
        ("this_month", utc(2026, 3, 31, 22), None),
        ("launch", utc(2026, 1, 1), None),
    ],
)
def test_presets_are_local_days(name: str, start: datetime, end: datetime | None) -> None:
    as_of = utc(2026, 4, 15, 10)  # a Wednesday, noon in Paris
    found = preset(name, PARIS, as_of, launch=utc(2026, 1, 1))
    assert (found.start, found.end) == (start, end or as_of + TICK)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'this_week'"):
        preset("this_wek", PARIS, utc(2026, 4, 15), utc(2026, 1, 1))


def test_the_end_date_is_inclusive_and_the_end_instant_is_not() -> None:
    assert between("2026-03-29", date(2026, 3, 29), PARIS).end - utc(2026, 3, 28, 23) == timedelta(hours=23)
    exact = between("2026-03-29T01:00", datetime(2026, 3, 29, 4, tzinfo=UTC), PARIS)
    assert (exact.start, exact.end) == (utc(2026, 3, 29, 0), utc(2026, 3, 29, 4))
    with pytest.raises(ValueError, match="swap the two"):
        between("2026-03-30", "2026-03-28", PARIS)


@pytest.mark.parametrize("odd", ["soon", None, 1773000000, 1.5, np.datetime64("NaT"), np.int64(5)])
def test_what_is_no_date_is_refused(odd: Any) -> None:
    for asked in (lambda: between(odd, "2026-03-28", PARIS), lambda: instant(odd, PARIS)):
        with pytest.raises(ValueError, match="no date or time"):
            asked()


def test_times_of_numpy_are_taken() -> None:
    whole = between("2026-03-01", "2026-03-05", PARIS)
    assert between(np.datetime64("2026-03-01"), np.datetime64("2026-03-05"), PARIS) == whole
    for unit in ("h", "us", "ns"):
        assert instant(np.datetime64("2026-03-01T10", unit), PARIS) == utc(2026, 3, 1, 9)


def test_as_of_a_date_is_its_last_instant() -> None:
    assert instant("2026-03-29", PARIS) == utc(2026, 3, 29, 22) - TICK


def test_the_month_before_is_cut_at_the_same_local_time() -> None:
    as_of = utc(2026, 4, 15, 10)
    before = previous(preset("this_month", PARIS, as_of, as_of), PARIS, as_of)
    assert before is not None
    assert (before.start, before.end) == (utc(2026, 2, 28, 23), utc(2026, 3, 15, 11) + TICK)


def test_nothing_comes_before_the_launch() -> None:
    as_of = utc(2026, 4, 15, 10)
    assert previous(preset("launch", PARIS, as_of, utc(2026, 1, 1)), PARIS, as_of) is None


@given(st.sampled_from([name for name in PRESETS if name != "launch"]), ZONES, INSTANTS)
def test_the_period_before_ends_where_this_one_begins_or_earlier(
    name: str, zone: ZoneInfo, as_of: datetime
) -> None:
    now = preset(name, zone, as_of, as_of)
    before = previous(now, zone, as_of)
    assert before is not None
    assert before.start < before.end <= now.start
    for start in (
        before.start,
        now.start,
    ):  # the begin of a day, which is no midnight where clocks go forward then
        assert start == midnight(start.astimezone(zone).date(), zone)
    if now.days is not None:
        gap = now.start.astimezone(zone).date() - before.start.astimezone(zone).date()
        assert gap == timedelta(days=now.days)


@given(st.dates(date(2024, 1, 1), date(2027, 12, 1)), st.integers(0, 40), ZONES)
def test_whole_days_have_as_many_days_before(first: date, more: int, zone: ZoneInfo) -> None:
    last = first + timedelta(days=more)
    now = between(first, last, zone)
    before = previous(now, zone, utc(2030, 1, 1))
    assert before is not None
    assert (now.days, before.end) == (more + 1, now.start)
    assert before.start == midnight(first - timedelta(days=more + 1), zone)


def test_days_that_begin_at_one_o_clock_have_whole_days_before() -> None:
    zone = ZoneInfo("Africa/Cairo")  # on 24 April 2026 clocks go forward at midnight
    for first, last in ((24, 24), (23, 23), (17, 23)):
        now = between(date(2026, 4, first), date(2026, 4, last), zone)
        before = previous(now, zone, utc(2026, 6, 1))
        assert before is not None
        days = last - first + 1
        assert (now.days, before.end) == (days, now.start)
        assert before.start == midnight(date(2026, 4, first - days), zone)
