"""The live canvas as one file: what the browser asks a kernel for is computed beforehand, and travels along."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from journey_nb.journey import near
from journey_nb.period import PRESETS
from journey_nb.render import Canvas, covered, covers, page_html, redaction_html
from journey_nb.render.detail import detail_html
from journey_nb.render.figure import by_title, tables_html
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import frame_html
from journey_nb.render.trace import Trace
from journey_nb.stats import user_ids
from journey_nb.style import word
from journey_nb.widgets._base import bundle

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats
    from journey_nb.widgets.canvas import JourneyCanvas

MOST = 25_000_000
"""Bytes of a page: mail servers take no larger file."""

_STAY = ("css", "meanings", "locale", "theme", "selected", "metrics")
"""The traits of a canvas that its page begins with."""
_WORDS = ("period", "user_path", "show_metrics", "zoom", "zoom_in", "zoom_out", "fit")

# The one script of a page: the browser's half of the notebook is run out of the page itself.
_RUNS = """
const kept = (name) => document.getElementById(name).textContent;
const views = URL.createObjectURL(new Blob([kept("jnb-views")], { type: "text/javascript" }));
await (await import(views)).page(kept("jnb-states"));
"""


def page(view: JourneyCanvas, periods: Sequence[str], users: Any) -> bytes:
    """A page that begins as the view stands; these periods and users can be chosen on it, besides its own.

    Raises
    ------
    KeyError, TypeError, ValueError
        When a user is not in the journey, a period is none, one is no list, or the page is too large.
    """
    stats = view.stats
    for name, given in {"periods": periods, "users": users}.items():
        if isinstance(given, str):
            raise TypeError(f"{name} is a list, not a text: {name}=[{given!r}]")
    wanted = user_ids(users).to_list()
    for user in wanted:
        if stats.user_runs(user).is_empty():
            raise KeyError(f"{user!r} is not in this journey{near(user, stats.nearest(user))}")
    by_period = {found.chosen: found for found in (stats.period(period) for period in periods)}
    by_period.setdefault(stats.chosen, stats)
    people = tuple(dict.fromkeys((*wanted, *filter(None, [view.user]))))
    kept = _Kept(view, by_period, people)
    states = b64encode(gzip.compress(json.dumps(kept.states()).encode(), mtime=0)).decode()
    alive = template("alive.html").render(views=Markup(bundle()), states=states)
    still = kept.canvas(stats.chosen, view.user or "").figure
    made = page_html(
        stats.journey.label,
        [*redaction_html(stats, view.locale), still, alive],
        runs=_RUNS,
        locale=view.locale,
    ).encode()
    if len(made) > MOST:
        raise ValueError(
            f"the page would have {len(made) / 1e6:.0f} MB, more than the {MOST / 1e6:.0f} that are mailed: "
            "save fewer users or periods"
        )
    return made


@dataclass
class _Kept:
    """What a page keeps of a view: each of its states, by period and by the user who is lit up, "" for none."""

    view: JourneyCanvas
    by_period: Mapping[str, JourneyStats]
    people: tuple[str, ...]

    def __post_init__(self) -> None:
        self._plain = {period: self._canvas(stats) for period, stats in self.by_period.items()}

    def states(self) -> dict[str, Any]:
        """All of it, as widget_js/src/page.ts reads it."""
        view = self.view
        return {
            "traits": {name: getattr(view, name) for name in _STAY}
            | {"frame": frame_html(view.locale), "error": "", "export": "", "every": 0},
            "period": view.stats.chosen,
            "user": view.user or "",
            "pictures": {
                period: {user: self._picture(period, user) for user in ("", *self.people)}
                for period in self.by_period
            },
            "details": {period: self._details(stats) for period, stats in self.by_period.items()},
            "tables": {
                period: tables_html(
                    canvas.tables,
                    dress=by_title(canvas.stats.journey, canvas.stats.scope.version),
                    locale=view.locale,
                )
                for period, canvas in self._plain.items()
            },
        }

    def canvas(self, period: str, user: str) -> Canvas:
        """The picture over a period, with the path of a user."""
        if not user:
            return self._plain[period]
        trace = self._trace(period, user)
        drawn = self._canvas(self.by_period[period], path=trace.path, events=trace.events)
        drawn.take(self._plain[period])
        return drawn

    def _canvas(self, stats: JourneyStats, **lit: Any) -> Canvas:
        view = self.view
        return Canvas(stats, heat=view.heat, goal=view.goal, theme=view.theme, locale=view.locale, **lit)

    def _trace(self, period: str, user: str) -> Trace:
        run = self.view.run if user == self.view.user else None
        return Trace(self.by_period[period], user, run)

    def _picture(self, period: str, user: str) -> dict[str, Any]:
        drawn, locale = self.canvas(period, user), self.view.locale
        return {
            "picture": drawn.svg,
            "alt": drawn.alt,
            "said": self._trace(period, user).alt(locale) if user else covers(drawn.stats, locale),
            "graph": drawn.graph,
            "tools": [self._tools(period, user, metrics) for metrics in (False, True)],
        }

    def _tools(self, period: str, user: str, metrics: bool) -> str:
        locale = self.view.locale
        names = {
            name: word(f"period.{name}", locale) if name in PRESETS else covered(stats, locale)
            for name, stats in self.by_period.items()
        }
        return template("page_tools.html").render(
            words={name: word(name, locale) for name in _WORDS},
            periods=list(names.items()),
            period=period,
            users=[("", word("no_path", locale)), *((user, clean(user)) for user in self.people)],
            user=user,
            metrics=metrics,
        )

    def _details(self, stats: JourneyStats) -> dict[str, str]:
        goal, locale = self.view.goal, self.view.locale
        return {
            point: str(detail_html(stats, point, goal=goal, asks=False, locale=locale))
            for point in stats.journey.points()
        }
