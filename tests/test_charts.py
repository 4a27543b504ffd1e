"""The charts: what they hold, say and ask for."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import altair as alt
import nbformat
import polars as pl
import pytest
import vl_convert

import journey_nb as jn
from journey_nb import charts
from journey_nb.render.figure import chart_html
from journey_nb.style import format

DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(5)]
DAILY = pl.DataFrame(
    [
        {"date": day, "metric": metric, "breakdown": part, "count": count + n}
        for n, day in enumerate(DAYS)
        for metric, part, count in (
            ("entrances", None, 100),
            ("drop_offs", "internal_error", 1),
            ("drop_offs", "send_error", 2),
        )
    ]
)
GOALS = pl.DataFrame(
    {
        "goal_id": ["buy", "buy", "nps"],
        "title": ["Buy", "Buy", ""],
        "users": [12, 12, 0],
        "conversion_rate": [0.12, 0.12, None],
        "currency": ["EUR", "USD", None],
    }
)
CHANNELS = pl.DataFrame(
    {
        "channel": ["push", "in_app"],
        "sent": [40, 7],
        "delivered": [39, 0],
        "opened": [4, 0],
        "clicked": [1, 0],
    }
)
POINTS = pl.DataFrame(
    {
        "point_id": ["in", "wait"],
        "title": ["In", "Wait"],
        "seconds_p50": [0.0, 7200.0],
        "seconds_p90": [0.0, 86400.0],
    }
)
VARIANTS = pl.DataFrame(
    {
        "variant": ["A", "B"],
        "is_control": [True, False],
        "assigned": [200, 210],
        "converted": [20, 42],
        "rate": [0.1, 0.2],
    }
)

MAKERS: dict[str, tuple[Callable[..., Any], pl.DataFrame]] = {
    "daily": (charts.daily, DAILY),
    "goals": (charts.goals, GOALS),
    "channels": (charts.channels, CHANNELS),
    "time_in_step": (charts.time_in_step, POINTS),
    "variants": (charts.variants, VARIANTS),
}
every = pytest.mark.parametrize(("make", "table"), MAKERS.values(), ids=MAKERS)


@every
def test_shows_offline_wherever_a_notebook_is_opened(make: Callable[..., Any], table: pl.DataFrame) -> None:
    data, metadata = make(table)._repr_mimebundle_()
    assert set(data) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    nbformat.validate(output, "display_data", version=4)
    assert metadata["image/png"]["alt"] == data["text/plain"]
    width, height = metadata["image/png"]["width"], metadata["image/png"]["height"]
    png = b64decode(data["image/png"])
    assert png[16:24] == (2 * width).to_bytes(4) + (2 * height).to_bytes(4)
    made = vl_convert.vegalite_to_png(make(table).to_dict(), scale=2)
    assert pixels(png) == pixels(made)
    assert len(png) < len(made)


@every
def test_a_picture_of_a_chart_asks_for_nothing_and_says_what_it_shows(
    make: Callable[..., Any], table: pl.DataFrame
) -> None:
    svg = picture(make(table))
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", svg))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert 'fill="white"' not in svg  # the ground is the reader's
    assert chart_html(make(table)).text == make(table).to_dict()["description"]


@every
def test_a_chart_is_written_down_as_altair_does_it(make: Callable[..., Any], table: pl.DataFrame) -> None:
    chart = make(table)
    assert charts.spec_of(chart) == chart.to_dict()


def test_so_is_a_chart_of_somebody_else() -> None:
    own = alt.Chart(alt.Data(values=[{"a": 1}])).mark_bar().encode(x="a:Q")
    days = alt.Data(values=[{"d": date(2026, 1, 1)}])
    told = alt.Data(values=[{"d": "31/01/2026"}], format=alt.DataFormat(parse={"d": "date:'%d/%m/%Y'"}))
    dated = [alt.Chart(data).mark_point().encode(x="d:T") for data in (days, told)]
    for chart in (own, own | own, alt.Chart("rows.csv").mark_bar().encode(x="a:Q"), *dated):
        assert charts.spec_of(chart) == chart.to_dict()


def test_a_hidden_group_is_told_as_such_and_not_as_the_0_that_is_drawn() -> None:
    chart = charts.daily(DAILY.with_columns(count=pl.lit(-5)), ["entrances"])
    assert (
        chart_html(chart).text == "By day, 28 Mar 2026 – 1 Apr 2026: Entrances < 25."
    )  # five days of fewer than 5
    assert "aria-label" not in vl_convert.vegalite_to_svg(chart.to_dict())


@every
@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_speaks_the_languages(make: Callable[..., Any], table: pl.DataFrame, locale: str) -> None:
    assert make(table, locale=locale).to_dict()["description"] != make(table).to_dict()["description"]


@every
def test_an_empty_table_makes_an_empty_chart(make: Callable[..., Any], table: pl.DataFrame) -> None:
    assert picture(make(table.clear())).startswith("<svg")


def test_daily_adds_the_parts_of_a_metric_and_says_the_sums() -> None:
    spec = charts.daily(DAILY, ["entrances", "drop_offs"]).to_dict()
    assert spec["description"] == "By day, 28 Mar 2026 – 1 Apr 2026: Entrances 510; Drop-offs 35."
    drops = [row["count"] for row in spec["data"]["values"] if row["name"] == "Drop-offs"]
    assert drops == [3, 5, 7, 9, 11]


def test_days_stay_the_journeys_days_on_every_machine() -> None:
    spec = charts.daily(DAILY).to_dict()
    assert spec["encoding"]["x"]["timeUnit"] == "utcyearmonthdate"
    assert spec["data"]["values"][0]["date"] == "2026-03-28"


def pixels(png: bytes) -> bytes:
    """What is packed in a PNG."""
    packed, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body).to_bytes(4) == png[at + 8 + size : at + 12 + size]
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    return zlib.decompress(packed)


def picture(chart: Any) -> str:
    """The SVG in a chart's <img>."""
    found = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)"', chart_html(chart).html)
    assert found
    return b64decode(found[1]).decode()


def words(svg: str) -> str:
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


@pytest.mark.parametrize(("locale", "day"), [("en", "29 Mar"), ("fr", "29 mars"), ("ko", "3월 29일")])
def test_axes_speak_the_languages(locale: str, day: str) -> None:
    many = DAILY.with_columns(pl.col("count") * 100)
    chart = charts.daily(many, locale=locale)
    axis = words(picture(chart))
    assert day in axis
    assert {"en": "10,000", "fr": "10\u202f000", "ko": "10,000"}[locale] in axis
    assert chart.to_dict()["data"]["values"][0]["day"] == format.day(DAYS[0], locale)
    rates = words(picture(charts.variants(VARIANTS, locale=locale)))
    assert ("10,0\u202f%" in rates) == (locale == "fr")


def test_goals_stand_once_whatever_their_currencies() -> None:
    assert charts.goals(GOALS).to_dict()["description"] == "Goals: Buy 12, 12%; nps 0, –."


def test_a_picture_says_a_number_with_all_its_digits() -> None:
    assert "10.15%" in words(picture(charts.variants(VARIANTS.with_columns(rate=pl.lit(0.10153)))))


def test_steps_without_a_stay_are_left_out() -> None:
    assert charts.time_in_step(POINTS).to_dict()["description"].endswith("Wait 2 h … 1 d.")


def test_titles_of_any_kind_stay_harmless_and_short() -> None:
    titles = ["<script>alert(1)</script>]]>\"'", "ٱلْعَرَبِيَّة 환영 🎉", "line\nbreak\x00\x0b", "x" * 1_000_000]
    table = (
        POINTS.head(1)
        .select(pl.exclude("title", "seconds_p90"))
        .join(pl.DataFrame({"title": titles}), how="cross")
    )
    svg = picture(charts.time_in_step(table.with_columns(seconds_p90=pl.lit(60.0))))
    assert "<script" not in svg
    assert "\x00" not in svg
    assert "\x0b" not in svg
    assert len(svg) < 100_000


def test_a_long_description_is_cut_and_counted() -> None:
    many = pl.concat([POINTS.tail(1).with_columns(point_id=pl.lit(f"p{n}")) for n in range(40)])
    assert charts.time_in_step(many).to_dict()["description"].endswith("; + 28.")


def test_the_numbers_are_those_of_the_tables(welcome_stats: jn.JourneyStats) -> None:
    channels = welcome_stats.communications()
    values = charts.channels(channels).to_dict()["data"]["values"]
    assert sum(row["count"] for row in values if row["stage"] == "Sent") == channels["sent"].sum()
    daily = charts.daily(welcome_stats.daily(), ["entrances"]).to_dict()["data"]["values"]
    assert sum(row["count"] for row in daily) == welcome_stats.health()["entrances"].item()


def test_the_renderer_is_ours_and_another_can_be_chosen() -> None:
    assert alt.renderers.active == "journey_nb"
