"""Counts day by day as lines, drawn here: a window opens with them, and no charting library is as quick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import ceil

from journey_nb.render.text import fit, xml
from journey_nb.render.text import width as extent
from journey_nb.style import format, palette

_HEIGHT = 200
_LETTERS = 12  # their size
_APART = 14  # pixels between two texts in a row, at least
_NARROW = 20  # of the narrowest label with what is beside it
_LINE = 24  # height of a row of the legend
_SAMPLE = 22  # width of a line in it
_EDGE = 32  # beside the days: half a label stands out under the first and the last of them
_UNDER = 26  # for their labels
_DAYS = (1, 2, 7, 14)  # from label to label; where they are too many, months
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 600)
_TICKS = 7  # at most so many numbers above 0

Lines = Mapping[str, Sequence[int | None]]
Marks = list[tuple[date, str]]


def days_svg(days: Sequence[date], lines: Lines, *, width: int = 420, locale: str = "") -> str:
    """Lines over days, with a legend above them; readable on light and dark grounds alike.

    Parameters
    ----------
    days
        The days, in their order; from one to the next runs a line, though there may be others between.
    lines
        By its name what each line tells of these days; None where it tells nothing of one.
    width
        Pixels from the first day to the last.

    Examples
    --------
    >>> svg = days_svg([date(2026, 3, 1), date(2026, 3, 2)], {"Sent": [3, 5]})
    >>> svg.startswith("<svg") and ">Sent</text>" in svg and ">2 Mar</text>" in svg
    True
    """
    numbers = _numbers(max((n or 0 for line in lines.values() for n in line), default=0))
    labels = [format.number(number, locale) for number in numbers]
    left = max(_EDGE, ceil(max(extent(label, _LETTERS) for label in labels)) + 16)
    legend, rows = _legend(list(lines), left, left + width)
    top = rows * _LINE + 14
    first, last = (days[0], days[-1]) if days else (date(1970, 1, 1), date(1970, 1, 1))
    span = (last - first).days

    def x(day: date) -> float:
        return round(left + (width * (day - first).days / span if span else width / 2), 1)

    def y(number: int) -> float:
        return round(top + _HEIGHT * (1 - number / numbers[-1]), 1)

    def way() -> Iterator[str]:
        yield from _grid(zip(map(y, numbers), labels, strict=True), left, left + width)
        yield _axis(left, top, left + width, top + _HEIGHT)
        for day, label in _marks(first, last, width, locale) if days else ():
            yield _mark(x(day), top + _HEIGHT, label)
        for place, line in enumerate(lines.values()):
            yield _line(
                [None if n is None else (x(day), y(n)) for day, n in zip(days, line, strict=True)], place
            )

    whole = f"{left + width + _EDGE}", f"{top + _HEIGHT + _UNDER}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole[0]}" height="{whole[1]}" '
        f'viewBox="0 0 {whole[0]} {whole[1]}" font-family="{palette.PICTURE_FONT}" font-size="{_LETTERS}" '
        f'fill="{palette.TEXT_ANY}">{legend}{"".join(way())}</svg>'
    )


# What stands beside and under the lines.


def _numbers(most: int) -> list[int]:
    """Round numbers from 0 to what no count exceeds.

    Examples
    --------
    >>> _numbers(7), _numbers(0), _numbers(1_234)
    ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1], [0, 200, 400, 600, 800, 1000, 1200, 1400])
    """
    step = next(
        digit * 10**power for power in range(400) for digit in (1, 2, 5) if digit * 10**power * _TICKS >= most
    )
    return list(range(0, max(1, -(-most // step)) * step + 1, step))


def _marks(first: date, last: date, width: int, locale: str) -> Marks:
    """The days that have a label, as many as have room beside each other; of months their first days."""
    marks: Marks = []
    for marks in _choices(first, last, (last - first).days * _NARROW // width, locale):
        room = max((extent(label, _LETTERS) for _, label in marks), default=0) + _APART
        apart = min(((later - day).days for (day, _), (later, _) in pairwise(marks)), default=0)
        if len(marks) == 1 or (marks and apart * width >= room * (last - first).days):
            return marks
    return marks[:1]


def _choices(first: date, last: date, least: int, locale: str) -> Iterator[Marks]:
    """Ways to mark days at least so many apart, the closest first: every day, …, Mondays, every other Monday, months, years."""
    span = range(first.toordinal(), last.toordinal() + 1)
    for step in (step for step in _DAYS if step >= least):
        days = [date.fromordinal(day) for day in span if (day - 1) % step == 0]
        yield [(day, format.day(day, locale, year=False)) for day in days]
    months = range(first.year * 12 + first.month - (first.day == 1), last.year * 12 + last.month)
    for step in (step for step in _MONTHS if step * 31 >= least or step == _MONTHS[-1]):
        heads = [date(month // 12, month % 12 + 1, 1) for month in months if month % step == 0]
        yield [(day, str(day.year) if day.month == 1 else format.month(day.month, locale)) for day in heads]


def _legend(names: Sequence[str], left: int, right: int) -> tuple[str, int]:
    """What each line is, in as many rows as that takes; and how many these are."""
    parts: list[str] = []
    x, row = left, 0
    for place, name in enumerate(names):
        name = fit(name, right - left - _SAMPLE - 6, _LETTERS)
        wide = _SAMPLE + 6 + ceil(extent(name, _LETTERS))
        if x > left and x + wide > right:
            x, row = left, row + 1
        y = row * _LINE + 15
        parts.append(f'<path d="M{x},{y}h{_SAMPLE}" {_stroke(place)}/>{_text(x + _SAMPLE + 6, y + 4, name)}')
        x += wide + _APART
    return "".join(parts), row + 1


def _grid(levels: Iterator[tuple[float, str]], left: int, right: int) -> Iterator[str]:
    for y, label in levels:
        yield f'<path d="M{left},{y}H{right}" stroke="{palette.LINE_ANY}" stroke-opacity=".25"/>'
        yield _text(left - 8, y + 4, label, "end")


def _axis(left: int, top: int, right: int, bottom: int) -> str:
    return f'<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="{palette.LINE_ANY}"/>'


def _mark(x: float, bottom: int, label: str) -> str:
    tick = f'<path d="M{x},{bottom}v5" stroke="{palette.LINE_ANY}"/>'
    return tick + _text(x, bottom + 19, label, "middle")


def _text(x: float, y: float, text: str, anchor: str = "") -> str:
    return f'<text x="{x}" y="{y}"{f" text-anchor={anchor!r}" if anchor else ""}>{xml(text)}</text>'


# The lines.


def _line(places: Sequence[tuple[float, float] | None], place: int) -> str:
    """From day to day where it tells something of both; a day by itself is a dot."""
    steps, dots = [], []
    pen = "M"
    for before, here, after in zip([None, *places], places, [*places[1:], None], strict=False):
        if here is None:
            pen = "M"
        elif before is None and after is None:
            dots.append(f'<circle cx="{here[0]}" cy="{here[1]}" r="3" fill="{_colour(place)}"/>')
        else:
            steps.append(f"{pen}{here[0]},{here[1]}")
            pen = "L"
    return (f'<path d="{"".join(steps)}" {_stroke(place)}/>' if steps else "") + "".join(dots)


def _stroke(place: int) -> str:
    dashes = palette.DASHES[place % len(palette.DASHES)]
    dashed = f' stroke-dasharray="{" ".join(map(str, dashes))}"' if dashes else ""
    return f'fill="none" stroke="{_colour(place)}" stroke-width="2" stroke-linejoin="round"{dashed}'


def _colour(place: int) -> str:
    return palette.SERIES_ANY[place % len(palette.SERIES_ANY)]
