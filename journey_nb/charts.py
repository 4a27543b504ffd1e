"""Charts of the tables, as Altair charts that show everywhere without a network.

Frames in, charts out. Importing this module makes ``journey_nb`` Altair's renderer: Altair's own
asks a CDN for scripts, which fails offline and in saved notebooks.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from math import fsum
from typing import Any, TypeVar

import polars as pl

from journey_nb.imports import lean_jsonschema
from journey_nb.metrics.small import total
from journey_nb.metrics.table import rate
from journey_nb.style import column, format, palette
from journey_nb.style.locales import language
from journey_nb.style.said import is_mixed, listed, mixed, of_days
from journey_nb.style.words import value, word

with lean_jsonschema():
    import altair as alt

_Chart = TypeVar("_Chart", alt.Chart, alt.LayerChart)

WIDTH = 720
_ROW = 26  # height of a bar's band
_SCALE = 2  # pixels of a picture to one of the screen: sharp on screens that are finer


def daily(
    table: pl.DataFrame,
    metrics: Sequence[str] = ("entrances", "completed", "drop_offs"),
    *,
    locale: str = "",
) -> alt.Chart:
    """Lines of daily counts, one a metric; ``table`` is ``stats.daily()``."""
    rows = (
        table.filter(pl.col("metric").cast(pl.String).is_in(metrics))
        .group_by("date", pl.col("metric").cast(pl.String), maintain_order=True)
        .agg(total(pl.col("count")))
    )
    names = {metric: column(metric, locale) for metric in metrics}
    sums = dict(rows.group_by("metric").agg(total(pl.col("count"))).iter_rows())
    said = of_days(rows["date"].unique().sort().to_list(), sums, list(names), locale)
    series = alt.Scale(domain=list(names.values()), range=_colours(len(names)))
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolStrokeWidth=3)
    # Days are calendar days of the journey's zone: as UTC they stay what they are on every machine.
    day = alt.X(
        "utcyearmonthdate(date):T",
        title=None,
        axis=alt.Axis(grid=False, labelOverlap=True, labelExpr=_day_labels(locale)),
    )
    chart: alt.Chart = (
        _chart(_days(rows, names, locale))
        .mark_line(
            strokeWidth=2,
            interpolate="monotone",
            point={"size": 14, "opacity": 0} if rows.height > 400 else {"size": 16},
        )
        .encode(
            x=day,
            y=alt.Y("count:Q", title=None, axis=alt.Axis(tickMinStep=1, labelExpr=_count_labels(locale))),
            color=alt.Color("name:N", scale=series, legend=legend),
            strokeDash=alt.StrokeDash(
                "name:N",
                scale=alt.Scale(
                    domain=list(names.values()),
                    range=[dashes or (1, 0) for dashes in palette.DASHES[: len(names)]],
                ),
                legend=legend,
            ),
            tooltip=[
                alt.Tooltip("day:N", title=column("date", locale)),
                alt.Tooltip("name:N", title=column("metric", locale)),
                alt.Tooltip("said:N", title=column("count", locale)),
            ],
        )
        .properties(height=200)
    )
    return _finished(chart, said)


def goals(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """Bars of the users who reached each goal, with the conversion rate; ``table`` is ``stats.goals()``."""
    rows = table.unique("goal_id", keep="first", maintain_order=True)
    data = [
        {
            "name": _short(row["title"] or row["goal_id"]),
            "users": max(row["users"], 0),
            "label": f"{format.count(row['users'], locale)}  ·  {format.percent(row['conversion_rate'], locale)}"
            + " *" * is_mixed("conversion_rate", row["conversion_rate"]),
        }
        for row in rows.iter_rows(named=True)
    ]
    said = listed(f"{row['name']} {row['label'].replace('  ·  ', ', ')}" for row in data)
    return _finished(
        _bars(data, "users", locale), f"{word('goals', locale)}: {said}. {mixed(rows, locale)}".strip()
    )


def ranking(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """Bars of the users who reached any goal, by journey, the most first; ``table`` is the campaign statistics."""
    rows = table.sort("Goals", descending=True, maintain_order=True)
    data = [
        {
            "name": _short(title),
            "users": max(users, 0),
            "label": f"{format.count(users, locale)}  ·  {format.percent(share, locale)}",
        }
        for title, users, share in rows.select(
            "Title", "Goals", share=rate("Goals", "Total reach")
        ).iter_rows()
    ]
    said = listed(f"{row['name']} {row['label'].replace('  ·  ', ', ')}" for row in data)
    return _finished(_bars(data, "users", locale), f"{word('goals', locale)}: {said}.")


def channels(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """Bars of what became of each channel's messages; ``table`` is ``stats.communications()``."""
    stages = ("sent", "delivered", "opened", "clicked")
    names = [column(stage, locale) for stage in stages]
    data = [
        {
            "channel": value(row["channel"], locale),
            "stage": name,
            "count": max(row[stage], 0),
            "label": format.count(row[stage], locale),
        }
        for row in table.iter_rows(named=True)
        for stage, name in zip(stages, names, strict=True)
        if row[stage]
    ]
    said = listed(f"{row['channel']}, {row['stage']} {row['label']}" for row in data)
    chart = _grouped(
        data,
        "channel",
        names,
        channel=column("channel", locale),
        stage=column("metric", locale),
        label=column("count", locale),
    )
    return _finished(chart, f"{word('communications', locale)}: {said}.")


def response_times(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """Bars of how many messages were first opened and clicked how soon; ``table`` is ``stats.response_times()``."""
    names = {outcome: column(outcome, locale) for outcome in table["outcome"].unique(maintain_order=True)}
    data = [
        {
            "took": format.span(row["seconds"], row["seconds_to"], locale),
            "stage": names[row["outcome"]],
            "count": max(row["messages"], 0),
            "label": format.count(row["messages"], locale) if row["messages"] else "",
        }
        for row in table.iter_rows(named=True)
    ]
    said = listed(f"{row['stage']}, {row['took']}: {row['label']}" for row in data if row["label"])
    chart = _grouped(
        data, "took", list(names.values()),
        took=column("took", locale), stage=column("outcome", locale), label=column("messages", locale),
    )  # fmt: skip
    return _finished(chart, f"{word('response_times', locale)}: {said}.")


def time_in_step(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """How long people stay at each step, from the median to the 90th percentile; ``table`` is ``stats.points()``."""
    data = [
        {
            "name": _short(row["title"] or row["point_id"]),
            # A logarithmic axis has no zero; below a second all is at once.
            "p50": max(1.0, row["seconds_p50"]),
            "p90": max(1.0, row["seconds_p90"]),
            "label": f"{format.duration(row['seconds_p50'], locale)}  …  {format.duration(row['seconds_p90'], locale)}",
        }
        for row in table.drop_nulls("seconds_p50").iter_rows(named=True)
        if row["seconds_p90"] >= 1
    ]
    median, slow = column("seconds_p50", locale), column("seconds_p90", locale)
    ticks = {
        second: format.duration(second, locale)
        for second in (1, 60, 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
    }
    labels = " : ".join(f"datum.value == {second} ? '{text}'" for second, text in ticks.items()) + " : ''"
    x = alt.X(
        "p50:Q",
        title=None,
        scale=alt.Scale(type="log", nice=False, domain=_span(data)),
        axis=alt.Axis(values=list(ticks), labelExpr=labels),
    )
    y = _names(data)
    base = _chart(data).encode(y=y, tooltip=_tooltip(name=word("point", locale), label=f"{median} … {slow}"))
    range_ = base.mark_rule(
        strokeWidth=6, strokeCap="round", opacity=0.45, color=palette.SERIES_ANY[0]
    ).encode(x=x, x2="p90:Q")
    dot = base.mark_point(filled=True, size=70, opacity=1, color=palette.SERIES_ANY[0]).encode(x=x)
    text = base.mark_text(align="left", dx=10, color=palette.TEXT_ANY).encode(
        x=alt.X("p90:Q"), text="label:N"
    )
    said = listed(f"{row['name']} {row['label'].replace('  …  ', ' … ')}" for row in data)
    return _finished(_sized(range_ + dot + text, len(data)), f"{median} … {slow}: {said}.")


def variants(table: pl.DataFrame, *, locale: str = "") -> alt.LayerChart:
    """The rate of each variant with its 95 % interval; ``table`` is that of ``stats.variants(…)``."""
    from journey_nb.metrics.intervals import wilson

    low, high = wilson(pl.col("converted"), pl.col("assigned"))
    data = [
        {
            "name": _short(row["variant"])
            + (f" ({column('is_control', locale).lower()})" if row["is_control"] else ""),
            "rate": row["rate"],
            "low": row["low"],
            "high": row["high"],
            "label": format.percent(row["rate"], locale, 2),
        }
        for row in table.with_columns(low=low, high=high).drop_nulls("rate").iter_rows(named=True)
    ]
    x = alt.X(
        "rate:Q",
        title=None,
        axis=alt.Axis(tickCount=6, labelExpr=_number_labels(".1%", locale)),
        scale=alt.Scale(zero=False, padding=20),
    )
    base = _chart(data).encode(
        y=_names(data),
        tooltip=_tooltip(name=column("variant", locale), label=column("rate", locale)),
    )
    interval = base.mark_rule(
        strokeWidth=4, strokeCap="round", opacity=0.45, color=palette.SERIES_ANY[0]
    ).encode(x=alt.X("low:Q"), x2="high:Q")
    dot = base.mark_point(filled=True, size=90, opacity=1, color=palette.SERIES_ANY[0]).encode(x=x)
    text = base.mark_text(dy=-12, color=palette.TEXT_ANY).encode(x=x, text="label:N")
    said = listed(f"{row['name']} {row['label']}" for row in data)
    return _finished(_sized(interval + dot + text, len(data), row=40), f"{word('variants', locale)}: {said}.")


# ---------------------------------------------------------------------------------------------------

_LABEL = 250  # pixels that a name may take


def _names(data: list[dict[str, Any]], field: str = "name") -> alt.Y:
    """The axis of names, with room for them in whatever font the reader has."""
    room = max((fsum(14 if letter > "\u1100" else 7.4 for letter in row[field]) for row in data), default=0)
    axis = alt.Axis(
        ticks=False, domain=False, labelPadding=8, labelLimit=_LABEL, minExtent=min(_LABEL, room) + 8
    )
    return alt.Y(f"{field}:N", title=None, sort=None, axis=axis)


def _chart(data: list[dict[str, Any]]) -> alt.Chart:
    rows = _Rows(values=[])  # type: ignore[no-untyped-call]
    rows.values = data  # unseen by Altair's checks, which take longer over them than all the rest
    return alt.Chart(rows).properties(width=WIDTH)


class _Rows(alt.Data):
    """Rows as Vega takes them: plain texts and numbers."""


def _days(rows: pl.DataFrame, names: dict[str, str], locale: str) -> list[dict[str, Any]]:
    return [
        {
            "date": day.isoformat(),
            "day": format.day(day, locale),
            "name": names[metric],
            "count": max(count, 0),
            "said": format.count(count, locale),
        }
        for day, metric, count in rows.select("date", "metric", "count").iter_rows()
    ]


def _day_labels(locale: str) -> str:
    """Vega's expression for a day of the axis; its own formats know no other language."""
    months = json.dumps([format.month(number, locale) for number in range(1, 13)])
    day, month = "utcdate(datum.value)", f"{months}[utcmonth(datum.value)]"
    return f"{month} + ' ' + {day} + '일'" if language(locale) == "ko" else f"{day} + ' ' + {month}"


def _number_labels(pattern: str, locale: str) -> str:
    """Vega's expression for a number of the axis, with the locale's own signs."""
    group, point, percent = format.signs(locale)
    text = f"format(datum.value, '{pattern}')"
    for sign, own in ((",", "\t"), (".", point), ("\t", group), ("%", percent)):
        text = f"join(split({text}, {json.dumps(sign)}), {json.dumps(own)})" if sign != own else text
    return text


def _count_labels(locale: str) -> str:
    """Labels of whole numbers: an axis this short may have ticks between them."""
    return f"datum.value % 1 ? '' : {_number_labels(',d', locale)}"


def _bars(data: list[dict[str, Any]], field: str, locale: str) -> alt.LayerChart:
    base = _chart(data).encode(
        y=_names(data),
        x=alt.X(f"{field}:Q", title=None, axis=None, scale=alt.Scale(nice=False)),
        tooltip=_tooltip(name=column("title", locale), label=column(field, locale)),
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height=16, color=palette.SERIES_ANY[0])
    text = base.mark_text(align="left", dx=6, color=palette.TEXT_ANY).encode(text="label:N")
    return _sized(bars + text, len(data))


def _grouped(data: list[dict[str, Any]], field: str, names: list[str], **said: str) -> alt.LayerChart:
    """Bars beside each other, a few for each value of a field; ``said`` are the titles in the tooltip."""
    base = _chart(data).encode(
        y=_names(data, field).scale(paddingInner=0.3),
        yOffset=alt.YOffset("stage:N", sort=names, scale=alt.Scale(paddingInner=0.15)),
        x=alt.X("count:Q", title=None, axis=None, scale=alt.Scale(nice=False)),
    )
    colour = alt.Color(
        "stage:N",
        scale=alt.Scale(domain=names, range=_colours(len(names))),
        legend=alt.Legend(title=None, orient="top", symbolType="square"),
    )
    chart = base.mark_bar(cornerRadiusEnd=2).encode(color=colour, tooltip=_tooltip(**said))
    text = base.mark_text(align="left", dx=4, color=palette.TEXT_ANY).encode(text="label:N")
    groups = len({row[field] for row in data})
    return _sized(chart + text, groups, row=len(names) * 17)


def _sized(chart: alt.LayerChart, rows: int, row: int = _ROW) -> alt.LayerChart:
    return chart.properties(width=WIDTH, height=max(1, rows) * row + 8)


def _span(data: list[dict[str, Any]]) -> list[float]:
    """From before the shortest stay to beyond the longest, so that its label has room."""
    first, last = min((row["p50"] for row in data), default=1), max((row["p90"] for row in data), default=60)
    return [max(1.0, first / 3), last * (last / first) ** 0.32 * 3]


def _tooltip(**fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields.items()]


def _colours(count: int) -> list[str]:
    return [palette.SERIES_ANY[n % len(palette.SERIES_ANY)] for n in range(count)]


_LONGEST = 36  # letters of a title on an axis


def _short(text: str) -> str:
    """A title as an axis can hold it, without characters that a picture may not carry."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[: 2 * _LONGEST])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _finished(chart: _Chart, description: str) -> _Chart:
    """The chart in the house's dress; a transparent ground suits light and dark themes."""
    text, line = palette.TEXT_ANY, palette.LINE_ANY
    dressed: _Chart = chart.properties(description=description).configure(
        background="transparent",
        aria=False,  # it would read out the numbers drawn, where those told are others
        padding={"left": 8, "top": 8, "right": 24, "bottom": 8},
        font=palette.PICTURE_FONT,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=text,
            titleColor=text,
            gridColor=line,
            gridOpacity=0.25,
            domainColor=line,
            tickColor=line,
            labelFontSize=12,
        ),
        legend=alt.LegendConfig(labelColor=text, titleColor=text, labelFontSize=12),
        text=alt.MarkConfig(fontSize=12),
    )
    return dressed


def spec_of(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """A chart as Vega-Lite; the rows of one of this module are not gone through, for they are plain already."""
    if not isinstance(chart, alt.Chart | alt.LayerChart) or not isinstance(chart.data, _Rows):
        return chart.to_dict(validate=False)
    bare = chart.copy(deep=False)
    bare.data = alt.Data(values=[])
    return bare.to_dict(validate=False) | {"data": {"values": chart.data.values}}


def offline(spec: dict[str, Any], **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Altair's renderer without a network: live in JupyterLab, a picture elsewhere, a sentence in text.

    JupyterLab knows Vega-Lite up to 5, under whose name the specification is given. The picture is a PNG,
    which every viewer shows: of SVG some, such as GitHub's, show nothing.
    """
    import vl_convert

    said = spec.get("description") or "a chart"
    live = {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
    png = _packed(vl_convert.vegalite_to_png(spec, scale=_SCALE))
    width, height = (int.from_bytes(png[at : at + 4]) // _SCALE for at in (16, 20))  # as its head says
    data = {
        "application/vnd.vegalite.v5+json": live,
        "image/png": b64encode(png).decode(),
        "text/plain": said,
    }
    return data, {
        "application/vnd.vegalite.v5+json": {"embed_options": {"actions": False}},
        "image/png": {"width": width, "height": height, "alt": said},
    }


def _packed(png: bytes) -> bytes:
    """The same picture in half of its bytes or fewer, for notebooks are kept and mailed: it was packed in haste."""
    chunks, at = dict[bytes, bytes](), 8  # a head, then its parts: how long, of which kind, what, and a sum
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + size]
        at += 12 + size
    chunks[b"IDAT"] = zlib.compress(zlib.decompress(chunks[b"IDAT"]), 9)
    parts = (
        struct.pack(">I4s", len(what), kind) + what + struct.pack(">I", zlib.crc32(kind + what))
        for kind, what in chunks.items()
    )
    return png[:8] + b"".join(parts)


alt.renderers.register("journey_nb", offline)
alt.renderers.enable("journey_nb")
