"""A picture with its table under it, as it is shown in a notebook, a report and a page.

The picture travels as an ``<img>``: an inline SVG loses its shapes where notebooks clean untrusted
output, an image does not.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence

import polars as pl
from markupsafe import Markup

from journey_nb.render.panels import Html, table, template
from journey_nb.render.text import clean
from journey_nb.style import word


def figure_html(
    svg: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
    alt: str = "",
    *,
    notes: Sequence[str] = (),
    locale: str = "en",
) -> Html:
    """A picture, what it shows in words, and its tables folded up under it.

    Parameters
    ----------
    svg
        The picture.
    tables
        Its tables by title.
    alt
        What it shows; read aloud instead of it, and shown as text where no picture can be.
    notes
        Sentences under the picture, such as why a part is missing.

    Examples
    --------
    >>> html = str(figure_html("<svg xmlns='http://www.w3.org/2000/svg'/>", alt="nothing"))
    >>> html.startswith("<figure") and "data:image/svg+xml;base64," in html and "<svg" not in html
    True
    """
    found = re.search(r'<svg[^>]*? width="(\d+)"', svg)
    folded = [
        (word("table_of", locale, title=clean(title)), Markup(table(frame, locale=locale)))
        for title, frame in (tables or {}).items()
    ]
    html = template("figure.html").render(
        data=b64encode(svg.encode("utf-8")).decode(), alt=alt, tables=folded, width=found[1] if found else "",
        notes=[clean(note, 400) for note in notes],
    )  # fmt: skip
    return Html(html, alt)
