"""What only a browser can tell: that no text leaves its card and no label covers a card, as measured there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE, chain, tables, tangle, welcome

import journey_nb as jn
from journey_nb.render import canvas_svg, page_html
from journey_nb.render.figure import daily_html
from journey_nb.render.panels import cards, table

pytestmark = pytest.mark.browser

# Boxes on the screen of every text, card and label, and of what each text belongs to.
MEASURE = """() => {
  const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const texts = (g, outer) => [...g.querySelectorAll('text')].filter(t => !t.closest('.step'))
    .map(t => ({text: t.textContent.slice(0, 60), box: box(t), room: box(outer)}));
  const cards = [...document.querySelectorAll('svg .card')], pills = [...document.querySelectorAll('svg .pill')];
  const svg = document.querySelector('svg');
  return {
    svg: box(svg),
    cards: cards.map(c => box(c.querySelector('.c'))),
    pills: pills.map(p => box(p.querySelector('.p'))),
    texts: [...cards.flatMap(c => texts(c, c.querySelector('.c'))), ...pills.flatMap(p => texts(p, p.querySelector('.p')))],
    within: cards.map(c => [...c.querySelectorAll('text')].filter(t => !t.closest('.step')).map(box)),
    heads: [...document.querySelectorAll('svg > text')].map(box),
  };
}"""

Rect = list[float]


def meet(one: Rect, two: Rect, by: float = 0.5) -> bool:
    return one[0] < two[2] - by and two[0] < one[2] - by and one[1] < two[3] - by and two[1] < one[3] - by


def inside(one: Rect, room: Rect, by: float = 0.5) -> bool:
    return (
        one[0] >= room[0] - by
        and one[1] >= room[1] - by
        and one[2] <= room[2] + by
        and one[3] <= room[3] + by
    )


def pairs(items: list[Rect]) -> Iterator[tuple[Rect, Rect]]:
    return ((one, two) for at, one in enumerate(items) for two in items[at + 1 :])


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    opened = chromium.new_page(viewport={"width": 1200, "height": 900})
    yield opened
    opened.close()


def gapped(points: pl.DataFrame) -> pl.DataFrame:
    """Every account out by a lot, so that every card carries its note."""
    return points.with_columns(pl.col("entered") * 1_000 + 7, exited=pl.lit(12_345), goal_here=pl.lit(99_999))


def pictures() -> dict[str, str]:
    hostile = chain(list(HOSTILE))
    wide = tables(welcome(), runs=98_765_432)
    return {
        "welcome": canvas_svg(welcome(), None, *tables(welcome()), variants={"split": "winner B"}),
        "french": canvas_svg(
            welcome(), None, *tables(welcome()), variants={"split": "no difference yet"}, locale="fr"
        ),
        "korean": canvas_svg(
            welcome(), None, *tables(welcome()), variants={"split": "winner B"}, locale="ko"
        ),
        "hostile": canvas_svg(hostile, None, *tables(hostile), path=["in", *(f"m{n}" for n in range(10))]),
        "large numbers, gaps": canvas_svg(welcome(), None, gapped(wide[0]), wide[1], locale="fr"),
        "tangle": canvas_svg(tangle(40, loops=0.3), None, *tables(tangle(40, loops=0.3))),
        "bare": canvas_svg(hostile, subtitle=HOSTILE[2] * 3),
    }


@pytest.mark.parametrize(
    "name", ["welcome", "french", "korean", "hostile", "large numbers, gaps", "tangle", "bare"]
)
def test_no_text_leaves_its_card_and_nothing_overlaps(page: Any, name: str) -> None:
    page.set_content(f"<body style='margin:0'>{pictures()[name]}</body>")
    found = page.evaluate(MEASURE)
    assert found["texts"]
    assert [text for text in found["texts"] if not inside(text["box"], text["room"])] == []
    assert [pair for pair in pairs(found["cards"]) if meet(*pair)] == []
    assert [pair for pair in pairs(found["pills"]) if meet(*pair)] == []
    assert [(card, pill) for card in found["cards"] for pill in found["pills"] if meet(card, pill)] == []
    everything = [*found["cards"], *found["pills"], *found["heads"]]
    assert [box for box in everything if not inside(box, found["svg"])] == []


@pytest.mark.parametrize("name", ["welcome", "french", "large numbers, gaps", "hostile"])
def test_texts_of_a_card_stand_clear_of_each_other(page: Any, name: str) -> None:
    page.set_content(f"<body style='margin:0'>{pictures()[name]}</body>")
    for texts in page.evaluate(MEASURE)["within"]:
        # Line boxes are taller than their letters; what counts is that lines do not run into each other.
        assert [pair for pair in pairs(texts) if meet(*pair, by=4.5)] == []


def test_a_saved_page_fits_every_screen_and_asks_nobody_for_anything(
    chromium: Any, welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    parts = [
        "<h1>Welcome</h1>",
        cards(welcome_stats.health()),
        jn.canvas(welcome_stats).figure,
        table(welcome_stats.messages()),
    ]
    path.write_text(page_html("Welcome", parts), encoding="utf-8")
    for width in (390, 1200):
        opened = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme="dark")
        asked: list[str] = []
        opened.on("request", lambda request, asked=asked: asked.append(request.url))
        opened.goto(path.as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.evaluate("document.querySelector('figure img').naturalWidth") > 400
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        opened.close()


def test_a_picture_that_is_scrolled_on_a_narrow_page_is_seen_to_go_on(
    chromium: Any, welcome_stats: jn.JourneyStats
) -> None:
    chart = daily_html(welcome_stats.daily(), ["entrances", "completed"], width=900)
    opened = chromium.new_page()
    opened.set_content(page_html("Welcome", [chart, jn.canvas(welcome_stats).figure]))
    measured = """at => {
      const after = getComputedStyle(at.querySelector('img')).paddingRight;
      return [at.scrollWidth > at.clientWidth, after, getComputedStyle(at).maskImage];
    }"""
    for width, media, scrolls in ((400, "screen", True), (700, "screen", False), (400, "print", False)):
        opened.set_viewport_size({"width": width, "height": 800})
        opened.emulate_media(media=media)
        for room in opened.locator("figure > div").all():
            does, after, mask = room.evaluate(measured)
            assert does == scrolls
            assert (mask != "none") == scrolls
            # So much stands after the picture as fades: scrolled to its end, all of it is clear.
            assert mask.endswith(f" {after})") if scrolls else after == "0px"
    opened.close()


def test_the_picture_follows_the_reader_s_theme(chromium: Any) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        opened = chromium.new_page(color_scheme=scheme)
        opened.set_content(canvas_svg(welcome()))
        colours[scheme] = opened.evaluate("getComputedStyle(document.querySelector('svg .c')).fill")
        opened.close()
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(29, 35, 43)"}
