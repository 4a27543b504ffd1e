"""The one formatter: numbers, rates, durations, dates and money as people read them.

Strings only, no HTML. ``None`` and NaN read as an en dash everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from journey_nb.style.locales import language

NOTHING = "–"
_NARROW = "\u202f"  # narrow no-break space: French groups and units
_NBSP = "\u00a0"


@dataclass(frozen=True)
class _Locale:
    group: str
    point: str
    percent: str
    compact: tuple[tuple[int, str], ...]  # largest first: from this number on, in this unit
    months: tuple[str, ...]
    units: tuple[str, str, str, str]  # day, hour, minute, second


_LOCALES: dict[str, _Locale] = {
    "en": _Locale(
        ",", ".", "%",
        ((10**9, "B"), (10**6, "M"), (10**3, "k")),
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        (" d", " h", " min", " s"),
    ),
    "fr": _Locale(
        _NARROW, ",", _NARROW + "%",
        ((10**9, _NBSP + "Md"), (10**6, _NBSP + "M"), (10**3, _NBSP + "k")),
        ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
        (" j", " h", " min", " s"),
    ),
    "ko": _Locale(
        ",", ".", "%",
        ((10**8, "억"), (10**4, "만")),
        tuple(f"{month}월" for month in range(1, 13)),
        ("일", "시간", "분", "초"),
    ),
}  # fmt: skip

_CURRENCIES = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "KRW": "₩", "INR": "₹"}
_WHOLE_CURRENCIES = {"JPY", "KRW", "VND", "CLP"}


def _locale(locale: str) -> _Locale:
    return _LOCALES.get(language(locale), _LOCALES["en"])


def _missing(value: float | None) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: float | None, locale: str = "", digits: int | None = None) -> str:
    """A number with its thousands grouped; whole numbers without decimals.

    Examples
    --------
    >>> number(1234567), number(0.5), number(None)
    ('1,234,567', '0.5', '–')
    >>> number(1234.5, "fr", digits=2) == "1\u202f234,50"
    True
    """
    if value is None or _missing(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if digits is None:
        digits = 0 if float(value).is_integer() else 2
        text = f"{abs(value):,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if digits else text
    else:
        text = f"{abs(value):,.{digits}f}"
    style = _locale(locale)
    whole, _, rest = text.partition(".")
    text = whole.replace(",", style.group) + (style.point + rest if rest else "")
    return "−" + text if value < 0 and text.strip("0.,") else text


def count(value: float | None, locale: str = "", *, short: bool = False) -> str:
    """How many there are; below 0 that there are fewer than so many, which are not told.

    Examples
    --------
    >>> count(1234567), count(1234567, short=True), count(-5), count(0), count(None)
    ('1,234,567', '1.23M', '< 5', '0', '–')
    """
    if value is not None and value < 0:
        return f"< {number(-value, locale)}"
    return compact(value, locale) if short else number(value, locale)


def compact(value: float | None, locale: str = "") -> str:
    """A number short enough for a card: exact below 100,000, then with a unit.

    Examples
    --------
    >>> compact(12_345), compact(123_456), compact(99_999_999)
    ('12,345', '123k', '100M')
    >>> compact(1_234_567), compact(2_346_000, "ko")
    ('1.23M', '235만')
    """
    if value is None or _missing(value) or abs(value) < 100_000 or math.isinf(value):
        return number(value, locale)
    style = _locale(locale)
    for place, (size, unit) in enumerate(style.compact):
        if abs(value) >= size:
            scaled = _three_digits(abs(value) / size)
            if scaled >= 1000 and place and style.compact[place - 1][0] == size * 1000:
                size, unit = style.compact[place - 1]
                scaled = _three_digits(abs(value) / size)
            return number(math.copysign(scaled, value), locale) + unit
    return number(value, locale)


def _three_digits(value: float) -> float:
    return round(value, max(0, 2 - math.floor(math.log10(value)))) if value else 0.0


def percent(rate: float | None, locale: str = "", digits: int = 1) -> str:
    """A rate of 0…1 as a percentage: so little that is not none, and so much that is not all, are told apart from these.

    Examples
    --------
    >>> percent(0.1234), percent(1.0), percent(0.9997), percent(0.0004), percent(None)
    ('12.3%', '100%', '>99.9%', '<0.1%', '–')
    """
    return _percent(rate, locale, digits, most=True)


def _percent(rate: float | None, locale: str, digits: int, *, most: bool) -> str:
    """Where 100 % is ``most``, what is nearly that is told apart from it."""
    if rate is None or _missing(rate):
        return NOTHING
    style, value = _locale(locale), rate * 100
    least = 10.0**-digits
    if 0 < abs(value) < least / 2:
        return ("<" if value > 0 else ">−") + number(least, locale, digits) + style.percent
    if most and 100 - least / 2 <= abs(value) < 100:
        return (">" if value > 0 else "<−") + number(100 - least, locale, digits) + style.percent
    text = number(value, locale, digits)
    if digits and text.endswith(style.point + "0" * digits):
        text = text[: -digits - 1]
    return text + style.percent


def signed(value: float | None, locale: str = "") -> str:
    """A number with its sign, zero without; short where it is large.

    Examples
    --------
    >>> signed(3), signed(-1200), signed(0), signed(2_500_000)
    ('+3', '−1,200', '0', '+2.5M')
    """
    text = compact(value, locale)
    return "+" + text if value is not None and not _missing(value) and value > 0 else text


def change(relative: float | None, locale: str = "") -> str:
    """A relative change with its sign, as the ``_change`` columns hold it.

    Examples
    --------
    >>> change(0.05), change(-0.5), change(-0.9997), change(0.9997), change(None)
    ('+5%', '−50%', '<−99.9%', '+100%', '–')
    """
    text = _percent(relative, locale, 1, most=relative is not None and relative < 0)
    return "+" + text if relative is not None and not _missing(relative) and relative > 0 else text


def duration(seconds: float | timedelta | None, locale: str = "") -> str:
    """A length of time in its two largest units.

    Examples
    --------
    >>> duration(11_100), duration(45), duration(187_200), duration(0.25)
    ('3 h 05 min', '45 s', '2 d 4 h', '<1 s')
    """
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if seconds is None or _missing(seconds) or math.isinf(seconds):
        return NOTHING
    day, hour, minute, second = _locale(locale).units
    if 0 < abs(seconds) < 1:
        return f"<1{second}"
    sign, total = ("−" if seconds < 0 else ""), round(abs(seconds))
    days, hours, minutes = total // 86_400, total // 3_600 % 24, total // 60 % 60
    if total >= 86_400:
        text = f"{number(days, locale)}{day}" + (f" {hours}{hour}" if hours else "")
    elif total >= 3_600:
        text = f"{hours}{hour}" + (f" {minutes:02}{minute}" if minutes else "")
    elif total >= 60:
        text = f"{minutes}{minute}" + (f" {total % 60:02}{second}" if total < 600 and total % 60 else "")
    else:
        text = f"{total}{second}"
    return sign + text


def span(least: float | None, most: float | None, locale: str = "") -> str:
    """A length of time, in seconds, that is known within bounds.

    Examples
    --------
    >>> span(0, 60), span(60, 300), span(604_800, None), span(None, None)
    ('< 1 min', '1 min – 5 min', '≥ 7 d', '–')
    """
    if least is None:
        return NOTHING
    if most is None:
        return f"≥ {duration(least, locale)}"
    until = duration(most, locale)
    return f"{duration(least, locale)} – {until}" if least else f"< {until}"


def day(value: date | None, locale: str = "", *, year: bool = True) -> str:
    """A calendar day; without its year where that is told elsewhere.

    Examples
    --------
    >>> day(date(2026, 11, 5)), day(date(2026, 11, 5), "ko"), day(date(2026, 11, 5), year=False)
    ('5 Nov 2026', '2026년 11월 5일', '5 Nov')
    """
    if value is None:
        return NOTHING
    month = _locale(locale).months[value.month - 1]
    if language(locale) == "ko":
        return f"{value.year}년 " * year + f"{month} {value.day}일"
    return f"{value.day} {month}" + f" {value.year}" * year


def month(number: int, locale: str = "") -> str:
    """A month's short name.

    Examples
    --------
    >>> month(3), month(3, "fr"), month(3, "ko")
    ('Mar', 'mars', '3월')
    """
    return _locale(locale).months[number - 1]


def signs(locale: str = "") -> tuple[str, str, str]:
    """What groups thousands, what begins the decimals, and what says per cent.

    Examples
    --------
    >>> signs("en")
    (',', '.', '%')
    """
    style = _locale(locale)
    return style.group, style.point, style.percent


def moment(value: datetime | None, locale: str = "") -> str:
    """A day and the time on it, to the minute, in the zone the value carries.

    Examples
    --------
    >>> moment(datetime(2026, 11, 5, 14, 5))
    '5 Nov 2026 14:05'
    """
    return NOTHING if value is None else f"{day(value, locale)} {value:%H:%M}"


def instant(value: datetime | None, locale: str = "") -> str:
    """A moment that says its zone, for lists of what each has a zone of its own.

    Examples
    --------
    >>> from datetime import UTC
    >>> instant(datetime(2026, 11, 5, 14, 5, tzinfo=UTC))
    '5 Nov 2026 14:05 UTC'
    """
    return NOTHING if value is None else f"{moment(value, locale)} {value:%Z}"


def money(value: float | None, currency: str | None = None, locale: str = "") -> str:
    """An amount of money; a currency without a symbol keeps its code.

    Examples
    --------
    >>> money(1234.5, "EUR"), money(1234.5, "KRW"), money(-3, "USD"), money(2, "JPY")
    ('€1,234.50', '₩1,235', '−$3.00', '¥2')
    """
    if value is None or _missing(value):
        return NOTHING
    amount = math.floor(abs(value) + 0.5) if currency in _WHOLE_CURRENCIES else abs(value)
    text = number(amount, locale, 0 if currency in _WHOLE_CURRENCIES else 2)
    sign = "−" if value < 0 else ""
    symbol = _CURRENCIES.get(currency or "")
    if not symbol or language(locale) == "fr":
        return f"{sign}{text}{_NBSP}{symbol or currency}" if currency else sign + text
    return f"{sign}{symbol}{text}"
