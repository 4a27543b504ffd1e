"""A picture with its table under it, as it is shown in a notebook, a report and a page.

The picture travels as an ``<img>``: an inline SVG loses its shapes where notebooks clean untrusted
output, an image does not.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
from markupsafe import Markup

from journey_nb.metrics.small import total
from journey_nb.render.days import days_svg
from journey_nb.render.panels import LIMIT, Html, table, template
from journey_nb.render.text import clean
from journey_nb.style import column, format, word
from journey_nb.style.said import of_days

if TYPE_CHECKING:
    import altair as alt

    from journey_nb.journey import Journey

Dress = Mapping[str, Callable[[Mapping[str, Any]], str]]
"""What stands in the cells of a column, made of the row."""

DAYS = 60
"""Days listed under a picture of them, the newest first; the others are counted below."""


ON_PAPER = ("points", "branches")
"""Tables that are printed, folded up or not: of a long journey a page holds a picture that nobody can read."""


def figure_html(
    svg: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
    alt: str = "",
    *,
    notes: Sequence[str] = (),
    dress: Dress | None = None,
    limit: int = LIMIT,
    locale: str = "",
) -> Html:
    """A picture, what it shows in words, and its tables folded up under it.

    Parameters
    ----------
    svg
        The picture.
    tables
        Its tables by name.
    alt
        What it shows; read aloud instead of it, and shown as text where no picture can be.
    notes
        Sentences under the picture, such as why a part is missing.
    dress
        What stands in columns of the tables, as of :func:`table <journey_nb.render.panels.table>`.
    limit
        Rows shown of each table.

    Examples
    --------
    >>> html = str(figure_html("<svg xmlns='http://www.w3.org/2000/svg'/>", alt="nothing"))
    >>> html.startswith("<figure") and "data:image/svg+xml;base64," in html and "<svg" not in html
    True
    """
    found = re.search(r'<svg[^>]*? width="(\d+)"', svg)
    html = template("figure.html").render(
        data=b64encode(svg.encode("utf-8")).decode(), alt=alt, tables=tables_html(tables or {}, dress=dress, limit=limit, locale=locale), width=found[1] if found else "",
        notes=[clean(note, 400) for note in notes],
    )  # fmt: skip
    return Html(html, alt)


def by_title(journey: Journey, version: int | None = None) -> Dress:
    """How tables call steps: by title, as the picture does; those of one title by their ids besides.

    Examples
    --------
    >>> import journey_nb as jn
    >>> by_title(jn.Journey.sample("welcome"))["target"]({"target": "hello_push"})
    'Welcome push'
    """
    titles = {name: clean(point.label) for name, point in journey.points(version).items()}
    often = Counter(titles.values())
    told = {name: title if often[title] == 1 else f"{title} ({name})" for name, title in titles.items()}

    def called(row: Mapping[str, Any], name: str) -> str:
        point = row[name]
        return format.NOTHING if point is None else told.get(point, clean(point))

    columns = {"title": "point_id", "source": "source", "target": "target"}
    return {name: partial(called, name=of) for name, of in columns.items()}


def tables_html(
    tables: Mapping[str, pl.DataFrame],
    *,
    dress: Dress | None = None,
    limit: int = LIMIT,
    locale: str = "",
) -> Markup:
    """Tables by name, each folded up; the headings of numbers say what these count.

    Examples
    --------
    >>> tables_html({"points": pl.DataFrame({"entered": [3]})}).startswith('<details class="paper"><summary>Table: Steps')
    True
    """
    folded = [
        (
            word("table_of", locale, title=word(name, locale)),
            Markup(table(frame, of=name, dress=dress, limit=limit, locale=locale)),
            name in ON_PAPER,
        )
        for name, frame in tables.items()
    ]
    return Markup(template("tables.html").render(tables=folded))


def chart_html(
    chart: alt.TopLevelMixin,
    tables: Mapping[str, pl.DataFrame] | None = None,
    *,
    locale: str = "",
) -> Html:
    """A chart of :mod:`journey_nb.charts` as a picture with its tables, as reports and panels show it.

    Examples
    --------
    >>> from journey_nb import charts
    >>> row = {"goal_id": "buy", "title": "Buy", "users": 12, "conversion_rate": 0.12}
    >>> chart_html(charts.goals(pl.DataFrame([row])))
    Goals: Buy 12, 12%.
    """
    import vl_convert

    from journey_nb.charts import spec_of

    spec = spec_of(chart)
    svg = _lean(vl_convert.vegalite_to_svg(spec))
    return figure_html(svg, tables, spec["description"], locale=locale)


def daily_html(
    table: pl.DataFrame, metrics: Sequence[str], *, width: int = 420, least: int = 0, locale: str = ""
) -> Html:
    """Counts day by day as a picture with its table; ``table`` is ``stats.daily()`` or rows of it.

    Its text says how many of each there are in all; not where groups smaller than ``least`` are hidden, whose rounded
    counts add up to less.

    Examples
    --------
    >>> from datetime import date
    >>> row = {"date": date(2026, 3, 1), "metric": "sent", "breakdown": "push", "count": 3}
    >>> repr(daily_html(pl.DataFrame([row]), ["sent"]))
    'By day, 1 Mar 2026 – 1 Mar 2026: Sent 3.'
    """
    metrics, name = list(dict.fromkeys(metrics)), pl.col("metric").cast(pl.String)
    rows = table.filter(name.is_in(metrics)).group_by("date", metric=name).agg(total(pl.col("count")))
    days = rows.pivot("metric", on_columns=metrics, index="date", values="count").sort("date")
    # What is hidden is drawn as 0, and told as hidden.
    heights = days.select(pl.col(metrics).clip(lower_bound=0))
    lines = {column(metric, locale): heights[metric].to_list() for metric in metrics}
    dates = days["date"].to_list()
    svg = days_svg(dates, lines, width=width, locale=locale)
    sums = None if least else dict(rows.group_by("metric").agg(total(pl.col("count"))).iter_rows())
    told = of_days(dates, sums, metrics, locale)
    newest = days.reverse()  # which are looked for
    return figure_html(svg, {"daily": newest}, told, limit=DAYS, locale=locale)


def responses_html(table: pl.DataFrame, *, locale: str = "") -> Html:
    """How soon messages were answered as a small picture with its table; ``table`` is ``stats.response_times()``.

    Examples
    --------
    >>> row = {"outcome": "opened", "seconds": 0, "seconds_to": 60, "messages": 3}
    >>> repr(responses_html(pl.DataFrame([row])))
    'Time from sending: Opened, < 1 min: 3.'
    """
    from journey_nb.charts import response_times

    chart = response_times(table, locale=locale).properties(width=300)
    wide = spans(table, locale).pivot("outcome", index="took", values="messages")
    return chart_html(chart, {"response_times": wide}, locale=locale)


def spans(table: pl.DataFrame, locale: str = "") -> pl.DataFrame:
    """A table of lengths, with each in words (took) in place of its bounds."""
    bounds = table.select("seconds", "seconds_to").iter_rows()
    took = pl.Series("took", [format.span(least, most, locale) for least, most in bounds], dtype=pl.String)
    at = table.columns.index("seconds")
    return table.select(*table.columns[:at], took, *table.columns[at + 2 :])


def _lean(svg: str) -> str:
    """A chart in a quarter of its letters: to a tenth of a pixel, its font named once, nothing for scripts."""
    font = _FONT.search(svg)
    svg = _TAG.sub(_leaner, svg)  # what is written between the tags stays as it is
    # They are numbered by what was drawn before, and one picture is the same each time.
    clips = {clip: f"c{n}" for n, clip in enumerate(dict.fromkeys(_CLIP.findall(svg)))}
    svg = _CLIP.sub(lambda clip: clips[clip[0]], svg)
    return svg.replace("<svg", f"<svg{font[0]}", 1) if font else svg


def _leaner(tag: re.Match[str]) -> str:
    return _LONG.sub(r"\1", _SAID.sub("", _FONT.sub("", tag[0])))


_CLIP = re.compile(r'(?<=id=")clip\d+(?=")|(?<=url\(#)clip\d+(?=\))')
_TAG = re.compile(r"<[^>]*>")
_FONT = re.compile(r' font-family="[^"]*"')
_SAID = re.compile(
    r' (?:aria-[a-z]+|role|class|pointer-events|stroke-miterlimit)="[^"]*"'
)  # an <img> says its alt
_LONG = re.compile(r"(\d\.\d)\d+")
