"""A page that stands alone: no network, both themes, at home on a phone and on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

from journey_nb.render.panels import Html, template
from journey_nb.render.text import clean
from journey_nb.style import palette
from journey_nb.style.locales import asked


def page_html(title: str, parts: Iterable[str | Html], *, runs: str = "", locale: str = "") -> str:
    """A whole page of parts that are HTML already; its policy lets a browser load nothing from anywhere.

    Parameters
    ----------
    title
        Of the window; escaped here.
    parts
        Figures, panels and texts, one below the other.
    runs
        The one script that the policy lets run, and what it imports from blobs of its own making; by default none.

    Examples
    --------
    >>> page = page_html("<b>", ["<h1>Hello</h1>"])
    >>> "<title>&lt;b&gt;</title>" in page and "<h1>Hello</h1>" in page and "http://" not in page
    True
    """
    return template("page.html").render(
        title=clean(title),
        parts=[Markup(str(part)) for part in parts],
        runs=Markup(runs),
        sha256=f"sha256-{b64encode(sha256(runs.encode()).digest()).decode()}",
        locale=asked(locale),
        css=Markup(_css()),
    )


@cache
def _css() -> str:
    css = Path(__file__).with_name("templates").joinpath("page.css").read_text("utf-8")
    return palette.resolve(" ".join(css.replace("%FONT%", palette.FONT).split()), "auto")
