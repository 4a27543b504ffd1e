"""Pictures and pages as they were when somebody last looked at them; see conftest.py."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE, chain, journey, tables, tangle, welcome

from journey_nb.render import canvas_svg, page_html
from journey_nb.render.days import days_svg
from journey_nb.render.panels import cards, table

PATH = ["in", "hello", "split", "mail_b", "pause", "check", "split", "mail_c", "pause"]


def gapped() -> tuple[pl.DataFrame, pl.DataFrame]:
    points, branches = tables(welcome())
    more = pl.when(pl.col("point_id") == "mail_b").then(pl.col("entered") + 3).otherwise(pl.col("entered"))
    old = points.filter(point_id="hello").with_columns(
        point_id=pl.lit("gone"), title=pl.lit("An old message")
    )
    return pl.concat([points.with_columns(entered=more), old]), branches


def pinned() -> str:
    places = {"in": (0, 0), "hello": (336, 0), "wait": (672, 0), "split": (1008, 96)}
    document = welcome().model_dump(mode="json")
    for point in document["versions"][0]["points"]:
        if point["point_id"] in places:
            point["position"] = dict(zip("xy", places[point["point_id"]], strict=True))
    fixed = journey([], []).model_validate(document)
    return canvas_svg(fixed, None, *tables(fixed), theme="light")


def pictures() -> dict[str, str]:
    some = chain(list(HOSTILE[:4]))
    return {
        "welcome": canvas_svg(
            welcome(),
            None,
            *gapped(),
            variants={"split": "winner B"},
            subtitle="1 – 31 Oct 2026",
            theme="auto",
        ),
        "path": canvas_svg(welcome(), None, *tables(welcome()), path=PATH, theme="dark"),
        "bare": canvas_svg(welcome(), theme="light", locale="fr"),
        "hostile": canvas_svg(some, None, *tables(some), theme="light", locale="ko"),
        "loops": canvas_svg(tangle(12, seed=5, loops=0.4), theme="light"),
        "pins": pinned(),
    }


@pytest.mark.parametrize("name", ["welcome", "path", "bare", "hostile", "loops", "pins"])
def test_canvas(name: str, golden_svg: Any) -> None:
    assert pictures()[name] == golden_svg(name=name)


def test_days(golden_svg: Any) -> None:
    days = [date(2026, 2, 23) + timedelta(days=n) for n in range(40)]
    lines = {
        "Entrées": [1_200 + 29 * (n % 7) - 11 * n for n in range(40)],
        "Terminés": [None if n in (12, 13, 15) else 400 + 7 * n for n in range(40)],
        "Abandons <b>par erreur</b>": [5 * n % 60 for n in range(40)],
        "Sorties du parcours": [700 - 13 * (n % 5) for n in range(40)],
    }
    assert days_svg(days, lines, locale="fr") == golden_svg(name="days")


def test_page(golden_html: Any) -> None:
    points, branches = tables(welcome())
    numbers = pl.DataFrame(
        {
            "entrances": [12_345],
            "entrances_prev": [12_000],
            "entrances_change": [0.02875],
            "open_rate": [0.25],
        }
    )
    parts = [
        "<h1>Welcome series</h1><p>What one journey did.</p><h2>Health</h2>",
        cards(numbers),
        "<h2>Steps</h2>",
        table(
            points, "Steps", columns=["title", "type", "channel", "entered", "waiting", "sent", "seconds_p50"]
        ),
        table(branches, locale="fr", limit=5),
    ]
    assert page_html(HOSTILE[0], parts) == golden_html(name="page")
