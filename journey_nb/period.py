"""Periods: presets and dates as instants in a journey's zone, and the period before each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from journey_nb.journey import near

Preset = Literal["launch", "today", "yesterday", "7d", "30d", "this_week", "this_month"]
PRESETS: tuple[str, ...] = get_args(Preset)
Moment = date | datetime | str
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """Instants ``[start, end)`` and, unless it is since launch, how to find the period before.

    ``days`` is the number of local calendar days the whole period has, also while it is under way.
    """

    start: datetime
    end: datetime
    days: int | None = None
    month: bool = False


def check(name: str) -> None:
    """Refuse a name that is no preset, naming the nearest."""
    if name not in PRESETS:
        raise ValueError(
            f"unknown period {name!r}{near(name, PRESETS)} (use one of {', '.join(PRESETS)}, or two dates: "
            "2026-03-01..2026-03-31)"
        )


def asked(text: str, zone: ZoneInfo) -> tuple[str, str] | None:
    """The two ends of a text ``first..last``; None for the name of a preset.

    Raises
    ------
    ValueError
        When it is neither; the message names the nearest preset.

    Examples
    --------
    >>> asked("2026-03-01..2026-03-31", ZoneInfo("UTC")), asked("7d", ZoneInfo("UTC"))
    (('2026-03-01', '2026-03-31'), None)
    """
    first, dots, last = text.partition("..")
    if not dots:
        check(text)
        return None
    between(first, last, zone)
    return first, last


def preset(name: str, zone: ZoneInfo, as_of: datetime, launch: datetime) -> Period:
    """The period of a preset as seen at an instant (METRICS.md, section 3).

    Raises
    ------
    ValueError
        On an unknown preset; the message names the nearest.
    """
    check(name)
    end, today = as_of + TICK, as_of.astimezone(zone).date()
    if name == "launch":
        return Period(min(launch, end), end)
    if name == "yesterday":
        return Period(midnight(today - timedelta(days=1), zone), midnight(today, zone), days=1)
    if name == "this_month":
        return Period(midnight(today.replace(day=1), zone), end, month=True)
    back = {"today": 0, "7d": 6, "30d": 29, "this_week": today.weekday()}[name]
    days = {"today": 1, "7d": 7, "30d": 30, "this_week": 7}[name]
    return Period(midnight(today - timedelta(days=back), zone), end, days)


def between(start: Moment, end: Moment, zone: ZoneInfo) -> Period:
    """The period of two dates (the end date inclusive) or two instants (the end exclusive).

    Raises
    ------
    ValueError
        When the end lies before the start, or a text is no ISO date or time.
    """
    first, last = _moment(start), _moment(end)
    begin = _instant(first, zone)
    stop = _instant(last if isinstance(last, datetime) else last + timedelta(days=1), zone)
    if stop < begin:
        raise ValueError(f"the period ends ({end}) before it begins ({start}): swap the two")
    length = _by_the_clock(stop, zone) - _by_the_clock(begin, zone)
    return Period(begin, stop, days=max(1, -(-length // timedelta(days=1))))


def of_numpy(value: Any) -> Any:
    """A single value of numpy as Python has it; others as they are."""
    if getattr(value, "ndim", 1) != 0:
        return value
    if type(value).__name__ == "datetime64" and isinstance(value.item(), int):
        value = value.astype("datetime64[us]")  # Python knows no nanoseconds
    return value.item()


def previous(period: Period, zone: ZoneInfo, as_of: datetime) -> Period | None:
    """The period just before, cut at the same local time when this one is under way; None since launch."""
    end = min(period.end, as_of + TICK)
    if period.month:
        first = period.start.astimezone(zone).date()
        before = (first - timedelta(days=1)).replace(day=1)
        stop = _shifted(end, before - first, zone)
        return Period(midnight(before, zone), min(stop, period.start))
    if period.days is None:
        return None
    back = timedelta(days=-period.days)
    start = _shifted(period.start, back, zone)
    return Period(start, max(start, _shifted(end, back, zone)), period.days)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def local_days(start: datetime, end: datetime, zone: ZoneInfo) -> list[date]:
    """Every local day that ``[start, end)`` touches."""
    if end <= start:
        return []
    first, last = start.astimezone(zone).date(), (end - TICK).astimezone(zone).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _shifted(instant: datetime, by: timedelta, zone: ZoneInfo) -> datetime:
    """The same local time some days off: a day has 23 hours where clocks go forward."""
    return (_by_the_clock(instant, zone) + by).replace(tzinfo=zone).astimezone(UTC)


def _by_the_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows; the begin of a day is 00:00, also where clocks go forward then and show 01:00."""
    local = instant.astimezone(zone)
    return datetime.combine(local, time() if instant == midnight(local.date(), zone) else local.time())


def _moment(value: Moment) -> date | datetime:
    given = value = of_numpy(value)
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
    except ValueError:
        pass
    if not isinstance(value, date):  # times too
        raise ValueError(f"no date or time: {given!r} (write 2026-03-01 or 2026-03-01T12:00)")
    if not 1900 <= value.year < 2200:
        raise ValueError(f"{value} lies outside the years 1900 to 2199")
    return value


def _instant(value: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        return midnight(value, zone)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def instant(value: Moment, zone: ZoneInfo) -> datetime:
    """An instant from a date (its end), a time (in the zone, unless it has its own) or an ISO text."""
    moment = _moment(value)
    if not isinstance(moment, datetime):
        return midnight(moment + timedelta(days=1), zone) - TICK
    return _instant(moment, zone)
