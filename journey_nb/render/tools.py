"""What people work live views with, as HTML: the menus of period and clock, the buttons of exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from markupsafe import Markup

from journey_nb.metrics.scope import Clock
from journey_nb.period import PRESETS
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.style import format, word
from journey_nb.style.locales import asked

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats


def when_html(stats: JourneyStats, locale: str = "") -> Markup:
    """The period menu with its dates, and the clock switch; they ask for period, dates and clock.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> html = when_html(jn.JourneyStats(journey, simulate(journey, users=20)).period("7d"))
    >>> '<option value="7d" selected>Last 7 days</option>' in html
    True
    """
    days = stats.scope.days
    names = {"period": "period", "clock": "clock", "apply": "apply"}
    names |= {"first": "period.first", "last": "period.last"}
    html = template("when.html").render(
        words={name: word(key, locale) for name, key in names.items()},
        periods=[(name, word(f"period.{name}", locale)) for name in (*PRESETS, "custom")],
        period=stats.chosen if stats.chosen in PRESETS else "custom",
        first=days[0].isoformat() if days else "",
        last=days[-1].isoformat() if days else "",
        clocks=[(name, word(f"clock.{name}", locale)) for name in get_args(Clock)],
        clock=stats.scope.clock,
    )
    return Markup(html)


def frame_html(locale: str = "", beside: str = "") -> str:
    """The parts of a live canvas, still empty; ``beside`` is the name of the panel beside it, if there is one."""
    words = {name: word(name, locale) for name in ("tools", "minimap", "keyboard", "unanswered")}
    return template("view.html").render(words=words, beside=beside, locale=asked(locale))


def panel_frame_html(locale: str = "") -> str:
    """The parts of a live panel, still empty."""
    words = {name: word(name, locale) for name in ("tools", "unanswered")}
    return template("panel.html").render(words=words, locale=asked(locale))


def control(name: str, **fields: Any) -> Markup:
    """A control of the template controls.html."""
    return Markup(getattr(template("controls.html").module, name)(**fields).strip())


def csv(what: str, locale: str = "", *, named: str = "", **of: str | None) -> Markup:
    """The button that asks for an export: of a list that stands there, or of something that is named.

    Examples
    --------
    >>> str(csv("users"))
    '<button type="button" data-action="export" data-what="users" aria-label="Export as CSV: User list">CSV</button>'
    """
    name = word(f"export.{what}", locale)
    told = word("csv_of", locale, what=f"{name}, {clean(named)}" if named else name)
    given = {key: value for key, value in of.items() if value}
    return control("csv", what=what, label=name if named else word("csv", locale), told=told, **given)


def pager(page: int, found: int, size: int, locale: str = "") -> Markup:
    """The pages of a list of which one row more than a page was looked for.

    Examples
    --------
    >>> "Rows 51 – 53" in pager(1, 3, 50), "Rows 0 – 0" in pager(0, 0, 50)
    (True, True)
    """
    last = page * size + min(found, size)
    first = min(page * size + 1, last)  # 0 where there is none
    label = word("page_rows", locale, first=format.number(first, locale), last=format.number(last, locale))
    return control(
        "pager", label=label, before=word("page_before", locale), after=word("page_after", locale), page=page,
        is_last=found <= size,
    )  # fmt: skip
