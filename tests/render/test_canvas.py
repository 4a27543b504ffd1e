"""The canvas as text: what it says, that it is sound XML, and that hostile texts stay texts."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE, chain, journey, tables, tangle, welcome

from journey_nb.journey import Journey
from journey_nb.render.canvas import canvas_alt, canvas_svg
from journey_nb.style import format, palette, word

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def by(root: ET.Element, attribute: str) -> dict[str, ET.Element]:
    return {element.get(attribute, ""): element for element in root.iter() if element.get(attribute)}


def said(element: ET.Element) -> str:
    return "".join(element.itertext())


def numbers(svg: str) -> dict[str, str]:
    return {name: said(element) for name, element in by(parsed(svg), "data-key").items()}


@pytest.mark.parametrize("locale", ["en", "fr", "ko"])
def test_a_narrow_picture_tells_its_period_to_the_end_above_its_steps(locale: str) -> None:
    narrow = chain(["Hello"])
    days = " – ".join(format.day(date(2025, month, 28), locale) for month in (9, 12))
    covers = f"{word('all_versions', locale, count=12)} · {days} · {word('clock_activity', locale)}"
    root, bare = (
        parsed(canvas_svg(narrow, None, *tables(narrow), subtitle=told, locale=locale))
        for told in (covers, "")
    )
    lines = [line for line in root.iter(f"{SVG}text") if line.get("class") == "sub"]
    told = " · ".join(map(said, lines)).replace("\N{NO-BREAK SPACE}", " ")
    assert covers in told.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "…" not in told
    further = float(lines[-1].get("y", 0)) - float(lines[0].get("y", 0))
    assert further > 0
    assert float(root.get("height", 0)) - float(bare.get("height", 0)) == further


def test_every_point_and_branch_is_drawn_once_and_can_be_found() -> None:
    root = parsed(canvas_svg(welcome(), None, *tables(welcome())))
    version = welcome().version()
    assert list(by(root, "data-point")) == [point.point_id for point in version.points]
    assert list(by(root, "data-branch")) == [f"{b.source}|{b.key}" for b in version.branches]
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert root.get("role") == "img"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("how", [{"heat": "share"}, {"path": ["signup", "hello_push"]}])
def test_without_its_rules_no_shape_is_black(theme: Any, how: dict[str, Any]) -> None:
    root = parsed(canvas_svg(welcome(), None, *tables(welcome()), theme=theme, notes=["a note"], **how))
    around = {child: parent for parent in root.iter() for child in parent}
    colours = asdict(palette.DARK if theme == "dark" else palette.LIGHT)
    shapes = [shape for name in ("rect", "path") for shape in root.iter(SVG + name)]
    assert len(shapes) > 30
    for shape in shapes:
        within = shape
        while (fill := within.get("fill")) is None and within in around:
            within = around[within]
        assert fill == "none" or fill in colours.values(), ET.tostring(shape)


def test_numbers_are_those_of_the_tables() -> None:
    points, branches = tables(welcome())
    shown = numbers(canvas_svg(welcome(), None, points, branches))
    hello = points.row(by_predicate=pl.col("point_id") == "hello", named=True)
    assert shown["points.hello.entered"] == f"{hello['entered']:,}"
    assert shown["points.hello.opened"] == f"{hello['opened']:,}"
    assert shown["points.hello.opened_rate"] == f"{hello['opened'] / hello['sent']:.1%}".replace(".0%", "%")
    assert shown["points.wait.waiting"] == f"{points.filter(point_id='wait')['waiting'].item():,}"
    for row in branches.iter_rows(named=True):
        assert shown[f"branches.{row['source']}|{row['branch']}.runs"] == f"{row['runs']:,}"


def test_drop_offs_of_a_message_are_failed_bounced_and_skipped_messages() -> None:
    points, branches = tables(welcome())
    messages = pl.DataFrame({"point_id": ["hello"], "failed": [3], "bounced": [20], "skipped": [100]})
    shown = numbers(canvas_svg(welcome(), None, points, branches, messages=messages))
    assert shown["points.hello.drop_offs"] == "123"
    assert "points.hello.failed" not in shown
    assert "points.mail_a.failed" in shown, "without its messages only the failed are known, and called so"


def test_a_point_that_does_not_add_up_says_by_how_much() -> None:
    points, branches = tables(welcome())
    more = pl.when(pl.col("point_id") == "hello").then(pl.col("entered") + 3).otherwise(pl.col("entered"))
    svg = canvas_svg(welcome(), None, points.with_columns(entered=more), branches)
    gaps = {name: text for name, text in numbers(svg).items() if name.endswith(".gap")}
    assert gaps == {"points.hello.gap": "Does not add up: +3"}
    assert ".gap" not in canvas_svg(welcome(), None, points, branches)
    assert "Steps that do not add up: 1." in canvas_alt(welcome(), None, points.with_columns(entered=more))


@pytest.mark.parametrize("locale", ["en", "fr", "ko"])
@pytest.mark.parametrize("more", [99_999, -99_999, 999_400_000, -123_456_789])
def test_a_gap_is_never_cut(locale: str, more: int) -> None:
    points, branches = tables(welcome())
    svg = canvas_svg(welcome(), None, points.with_columns(pl.col("entered") + more), branches, locale=locale)
    gap = word("off_by", locale, gap=format.signed(more, locale))
    assert numbers(svg)["points.hello.gap"] == " ".join(gap.split())


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        ("winner variant:B", "Winner: B"),
        ("winner B", "Winner: B"),
        ("no difference yet", "No difference yet"),
        ("too few", "Too few to tell"),
        ("unequal split", "Unequal split"),
        ("too early", "Too early to tell"),
    ],
)
def test_the_verdict_of_a_split_stands_on_its_card(verdict: str, text: str) -> None:
    svg = canvas_svg(welcome(), None, *tables(welcome()), variants={"split": verdict})
    root = parsed(svg)
    assert text in said(by(root, "data-point")["split"])
    best = [element for element in root.iter() if element.get("class") == "pill best"]
    assert len(best) == text.startswith("Winner")
    assert all(said(element).startswith("B") for element in best)


def test_a_path_is_numbered_and_the_rest_dimmed() -> None:
    way = ["in", "hello", "split", "mail_b", "pause", "check", "split", "mail_c"]
    root = parsed(canvas_svg(welcome(), None, *tables(welcome()), path=way))
    cards = by(root, "data-point")
    assert cards["split"].get("class") == "card on"
    assert said(cards["split"]).endswith("3·7")
    assert cards["wait"].get("class") == "card dim"
    lines = {name: element.get("class") for name, element in by(root, "data-branch").items()}
    assert lines["check|no"] == "e on"
    assert lines["hello|opened"] == "e dim"
    assert "A path of 8 steps is highlighted: Signed up → Hello push" in canvas_alt(welcome(), path=way)


def test_a_path_of_visits_follows_the_branch_that_was_taken() -> None:
    two = journey(
        [
            {"point_id": "in", "type": "entry_api"},
            {"point_id": "c", "type": "split_condition"},
            {"point_id": "out", "type": "exit"},
        ],
        [
            {"source": "in", "target": "c"},
            *({"source": "c", "target": "out", "key": key} for key in ("yes", "no")),
        ],
    )
    path = pl.DataFrame({"point_id": ["in", "c", "out"], "branch": ["default", "no", None]})
    lines = {
        name: e.get("class") for name, e in by(parsed(canvas_svg(two, path=path)), "data-branch").items()
    }
    assert lines == {"in|default": "e on", "c|yes": "e dim", "c|no": "e on"}


def test_points_of_other_versions_stand_apart() -> None:
    points, branches = tables(welcome())
    old = points.filter(point_id="hello").with_columns(
        point_id=pl.lit("gone"), title=pl.lit("An old message")
    )
    root = parsed(canvas_svg(welcome(), None, pl.concat([points, old]), branches))
    assert by(root, "data-point")["gone"].get("class") == "card away"
    assert "Not on this version" in said(root)
    assert "Not on this version" not in canvas_svg(welcome(), None, points, branches)


def test_runs_that_left_by_a_branch_not_drawn_are_counted_on_their_point() -> None:
    points, branches = tables(welcome())
    rows = [("hello", None, 4), ("hello", "default", 2)]
    odd = pl.DataFrame(
        [
            {
                "source": s,
                "branch": b,
                "target": None,
                "label": "unknown",
                "runs": n,
                "users": n,
                "share": None,
            }
            for s, b, n in rows
        ],
        schema=branches.schema,
    )
    shown = numbers(canvas_svg(welcome(), None, points, pl.concat([branches, odd])))
    assert shown["points.hello.by_unknown"] == "Unknown branch: 4"
    assert shown["points.hello.by_others"] == "Other branches: 2"


def test_the_bare_design_has_no_numbers() -> None:
    svg = canvas_svg(welcome())
    assert "data-key" not in svg
    assert "without numbers" in canvas_alt(welcome())


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_stay_texts(title: str) -> None:
    odd = chain([title])
    svg = canvas_svg(odd, None, *tables(odd))
    root = parsed(svg)  # XML readers refuse control characters and lone surrogates
    assert {element.tag for element in root.iter()} <= {
        SVG + name
        for name in (
            "svg",
            "g",
            "rect",
            "path",
            "text",
            "tspan",
            "use",
            "symbol",
            "defs",
            "marker",
            "style",
            "title",
            "desc",
        )
    }
    assert (
        max(
            len(line)
            for element in root.iter()
            for line in (element.text or "").split("\n")
            if element.tag != SVG + "style"
        )
        < 1_000
    )
    assert svg.encode("utf-8")
    assert len(svg) < 40_000
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", svg)


def test_hostile_ids_can_still_be_found() -> None:
    name = "<\"'&> ]]> 한"
    odd = journey(
        [{"point_id": name, "type": "entry_api"}, {"point_id": "b", "type": "exit"}],
        [{"source": name, "target": "b"}],
    )
    root = parsed(canvas_svg(odd, None, *tables(odd)))
    assert name in by(root, "data-point")
    assert f"{name}|default" in by(root, "data-branch")
    assert f"points.{name}.entered" in by(root, "data-key")


def test_nothing_outside_the_picture_is_named() -> None:
    svg = canvas_svg(welcome(), None, *tables(welcome()), variants={"split": "winner B"})
    assert re.findall(r"[a-z]+://[^\"' ]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\((?!#)|@import|<script|<image|href=\"(?!#)", svg)


def test_a_fixed_theme_needs_no_variables_and_auto_follows_the_reader() -> None:
    light, dark, auto = (canvas_svg(welcome(), theme=theme) for theme in ("light", "dark", "auto"))
    assert "var(" not in light
    assert "var(" not in dark
    assert light != dark
    assert "prefers-color-scheme:dark" in auto
    assert "--jnb-surface" in auto


@pytest.mark.parametrize(("locale", "text"), [("fr", "Entrés"), ("ko", "진입"), ("fr-CA", "Entrés")])
def test_words_and_numbers_follow_the_locale(locale: str, text: str) -> None:
    assert text in said(parsed(canvas_svg(welcome(), None, *tables(welcome()), locale=locale)))


def test_empty_and_odd_versions_are_drawn() -> None:
    empty = Journey.model_validate({"journey_id": "x", "versions": [{"version": 1}]})
    assert "no points" in said(parsed(canvas_svg(empty)))
    lonely = journey([{"point_id": "a", "type": "exit"}], [])
    assert "data-point" in canvas_svg(lonely, None, *(frame.clear() for frame in tables(lonely)))


def test_the_same_input_gives_the_same_picture() -> None:
    assert canvas_svg(welcome(), None, *tables(welcome())) == canvas_svg(welcome(), None, *tables(welcome()))


@pytest.mark.slow  # of a busy machine's clock nothing follows
def test_five_hundred_points_are_quick_and_small() -> None:
    large = tangle(500)
    points, branches = tables(large)
    start = time.process_time()
    svg = canvas_svg(large, None, points, branches)
    assert time.process_time() - start < 1.5
    assert len(svg) < 500 * 1_500
