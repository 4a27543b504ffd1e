"""Lines over days: what they tell can be read off them, whatever the days and the numbers."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import combinations, pairwise
from random import Random
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from fabricate import HOSTILE

from journey_nb import charts
from journey_nb.render.days import days_svg
from journey_nb.render.figure import daily_html
from journey_nb.render.text import width as extent
from journey_nb.style import LOCALES, column, format

_NS = "{http://www.w3.org/2000/svg}"


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]


class Seen:
    """What a reader sees of a picture."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)
        self.texts = [(node.text or "", *self._box(node)) for node in self.root.iter(f"{_NS}text")]
        self.lines = [
            [tuple(map(float, place)) for place in re.findall(r"([\d.]+),([\d.]+)", node.get("d", ""))]
            for node in self.root.iter(f"{_NS}path")
            if node.get("stroke-linejoin") and "h" not in node.get("d", "")
        ]

    @staticmethod
    def _box(node: Any) -> tuple[float, float, float, float]:
        x, y, wide = float(node.get("x")), float(node.get("y")), extent(node.text or "", 12)
        left = x - {"": 0, "middle": wide / 2, "end": wide}[node.get("text-anchor", "")]
        return left, y - 10, left + wide, y + 2

    def scale(self) -> tuple[float, float]:
        """Where 0 stands, and how many pixels one is."""
        numbers = [
            (int(re.sub(r"\D", "", text)), top + 6)
            for text, left, top, right, bottom in self.texts
            if re.fullmatch(r"[\d,\s]+", text) and right <= self.axis + 0.1
        ]
        (zero, low), (most, high) = min(numbers), max(numbers)
        assert zero == 0
        return low, (low - high) / most

    @property
    def axis(self) -> float:
        return next(
            float(found[1])
            for node in self.root.iter(f"{_NS}path")
            if (found := re.fullmatch(r"M([\d.]+),[\d.]+V[\d.]+H[\d.]+", node.get("d", "")))
        )


def some(rng: Random) -> tuple[list[date], dict[str, list[int | None]], int, str]:
    days = days_from(
        date(2024, 1, 1) + timedelta(days=rng.randrange(800)), rng.choice([2, 7, 30, 90, 365, 1500])
    )
    most = rng.choice([1, 9, 1_000, 7_654_321])
    locale = rng.choice(LOCALES)
    names = rng.sample(["entrances", "completed", "drop_offs", "sent", "clicked"], rng.randint(1, 4))
    lines: dict[str, list[int | None]] = {
        column(name, locale): [rng.randint(0, most) for _ in days] for name in names
    }
    return days, lines, rng.choice([420, 720]), locale


@pytest.mark.parametrize("seed", range(30))
def test_lines_stand_where_their_counts_are(seed: int) -> None:
    days, lines, width, locale = some(Random(seed))
    seen = Seen(days_svg(days, lines, width=width, locale=locale))
    low, one = seen.scale()
    assert len(seen.lines) == len(lines)
    for line, counts in zip(seen.lines, lines.values(), strict=True):
        assert [(low - y) / one for _, y in line] == pytest.approx(counts, abs=0.11 / one)
        steps = {round(later - before, 1) for (before, _), (later, _) in pairwise(line)}
        assert max(steps) - min(steps) < 0.21  # a day is as wide as any other


@pytest.mark.parametrize("seed", range(30))
def test_texts_stand_beside_each_other_within_the_picture(seed: int) -> None:
    days, lines, width, locale = some(Random(seed))
    seen = Seen(days_svg(days, lines, width=width, locale=locale))
    wide, high = (float(seen.root.get(name, 0)) for name in ("width", "height"))
    for text, left, top, right, bottom in seen.texts:
        assert left >= 0, text
        assert top >= 0, text
        assert right <= wide, text
        assert bottom <= high, text
    for (one, *a), (other, *b) in combinations(seen.texts, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 31, 60, 100, 200, 400, 800, 2_000, 20_000])
def test_some_days_are_named_however_many_there_are(count: int) -> None:
    days = days_from(date(2026, 2, 23), count)
    shown = [text for text, *_ in Seen(days_svg(days, {"Sent": [1] * count})).texts]
    months = {format.month(number) for number in range(1, 13)}
    named = [text for text in shown if set(text.split()) & months or re.fullmatch(r"2\d{3}", text)]
    assert 1 <= len(named) <= 14


def test_days_of_which_nothing_is_told_are_not_bridged_and_a_single_one_is_a_dot() -> None:
    days = days_from(date(2026, 3, 1), 6)
    svg = days_svg(days, {"Sent": [1, 2, None, 3, None, 4]})
    assert svg.count("<circle") == 2
    assert len(Seen(svg).lines) == 1
    assert days_svg(days[:1], {"Sent": [7]}).count("<circle") == 1


def test_nothing_makes_an_empty_picture() -> None:
    assert [text for text, *_ in Seen(days_svg([], {})).texts] == ["0", "1"]


def test_names_of_any_kind_stay_harmless() -> None:
    days = days_from(date(2026, 3, 1), 2)
    svg = days_svg(days, {name: [1, 2] for name in HOSTILE})
    assert "<script" not in svg
    ElementTree.fromstring(svg)


def test_they_say_what_the_chart_says() -> None:
    days = days_from(date(2026, 3, 28), 5)
    rows = [
        {"date": day, "metric": metric, "breakdown": None, "count": count}
        for day in days
        for metric, count in (("entrances", 100), ("drop_offs", -5))
    ]
    table = pl.DataFrame(rows, schema_overrides={"breakdown": pl.String})
    for locale in LOCALES:
        drawn = daily_html(table, ["entrances", "drop_offs"], locale=locale)
        chart = charts.daily(table, ["entrances", "drop_offs"], locale=locale)
        assert drawn.text == chart.to_dict()["description"]


def test_hidden_counts_are_not_added_up_in_words() -> None:
    rows = [
        {"date": date(2026, 3, day), "metric": "sent", "breakdown": "push", "count": 10} for day in (1, 2)
    ]
    assert repr(daily_html(pl.DataFrame(rows), ["sent"])).endswith(": Sent 20.")
    assert repr(daily_html(pl.DataFrame(rows), ["sent"], least=10)).endswith("2 Mar 2026: Sent.")
    assert repr(daily_html(pl.DataFrame(rows).clear(), ["sent"])) == "By day: Sent 0."
