"""The menus that views of statistics share: which days they cover, and by which clock they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from markupsafe import Markup

from journey_nb.metrics.scope import Clock
from journey_nb.period import PRESETS
from journey_nb.render.panels import template
from journey_nb.style import word

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats


def when_html(stats: JourneyStats, locale: str = "en") -> Markup:
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
