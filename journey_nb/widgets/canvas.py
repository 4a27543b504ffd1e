"""JourneyCanvas: the canvas with hands. Python draws it; the browser moves, selects and asks."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from journey_nb.journey import near
from journey_nb.render import Canvas, Html
from journey_nb.render.detail import detail_html
from journey_nb.render.heat import MEASURES
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import when_html
from journey_nb.style import palette, word
from journey_nb.style.locales import asked
from journey_nb.widgets._export import Exporting

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

_WORDS = ("version", "heat", "compare", "show_metrics", "find_path", "find_hint", "find", "nearest",
          "zoom", "zoom_in", "zoom_out", "fit")  # fmt: skip


class JourneyCanvas(Exporting):
    """The live canvas of a journey: zoom, select, open a step, choose the period, find a user's path.

    What people do with it is readable here, and what is set here they see: ``selected``, ``opened``,
    ``period``, ``clock``, ``user``, ``heat``, ``metrics`` and ``stats`` are traits, to be watched with
    ``observe``. A setting that cannot be is refused, and the picture stays.

    Parameters
    ----------
    stats
        The statistics to draw, with their period, clock, version and comparison.
    goal
        The goal by which tests are judged; by default the journey's first.
    folder
        Where exported files are written; made when the first one is.
    theme
        ``auto`` follows the notebook, or the reader's system outside one; else ``light`` or ``dark``.
    locale
        The language of its words and numbers (en, fr, ko), by default that of ``set_locale``.
    **traits
        What to begin with: selected, user, heat, metrics.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> widget = jn.JourneyCanvas(jn.JourneyStats(journey, simulate(journey, users=50)))
    >>> widget.period = "7d"
    >>> widget.stats.chosen
    '7d'
    """

    _actions: ClassVar[Mapping[str, str]] = {
        **Exporting._actions,
        "open": "_open",
        "close": "_close",
        "version": "_choose_version",
        "heat": "_choose_heat",
        "compare": "_choose_compare",
        "find": "_find",
        "clear": "_clear",
    }

    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    """The id of the selected point."""
    opened = traitlets.Unicode(None, allow_none=True)
    """The id of the point whose detail window is open."""
    user = traitlets.Unicode(None, allow_none=True)
    """The user or device whose newest run is lit up."""
    heat = traitlets.Unicode(None, allow_none=True)
    """What the cards are tinted by: share, drop_rate, time or conversion."""
    metrics = traitlets.Bool(True).tag(sync=True)
    """Whether every card shows its numbers; otherwise the one under the pointer or the focus does."""

    # What the browser is handed; drawn here, never set by people.
    picture = traitlets.Bytes().tag(sync=True)
    """The SVG, compressed: a tenth of its size on the wire."""
    graph = traitlets.Dict().tag(sync=True)
    """The points that each point leads to: where arrow keys go."""
    detail = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        stats: JourneyStats,
        *,
        goal: str | None = None,
        folder: str | Path = "exports",
        theme: palette.Theme = "auto",
        locale: str = "",
        **traits: Any,
    ) -> None:
        known = ("selected", "user", "heat", "metrics")
        for name in traits:
            if name not in known:
                raise TypeError(
                    f"JourneyCanvas takes no {name!r}{near(name, known)}; it takes {', '.join(known)}"
                )
        self.goal = goal
        self.folder = Path(folder)
        self._missing = ""
        self._drawn: Canvas | None = None
        words = {name: word(name, locale) for name in ("tools", "minimap", "keyboard")}
        frame = template("view.html").render(words=words, locale=asked(locale))
        super().__init__(stats, kind="canvas", theme=theme, locale=locale, frame=frame)
        for name, value in traits.items():
            setattr(self, name, value)

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        return self._canvas.alt

    @property
    def figure(self) -> Html:
        """The static copy, with its tables under it."""
        return self._canvas.figure

    # What may be set: it is drawn before it is so, and what cannot be drawn is refused.

    def _show(self, stats: JourneyStats) -> None:
        self._draw(stats, self.user, self.heat)

    @traitlets.validate("user", "heat", "selected", "opened")
    def _check(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if not value:
            return None
        name = proposal["trait"].name
        if name == "user":
            if self.stats.user_path(value).is_empty():
                raise KeyError(f"{value!r} is not in this journey{near(value, self.stats.nearest(value))}")
            self._draw(self.stats, value, self.heat)
        elif name == "heat":
            self._draw(self.stats, self.user, value)
        elif value not in (known := self.stats.journey.points()):
            raise KeyError(f"{self.stats.journey.label!r} has no point {value!r}{near(value, known)}")
        elif name == "opened":
            self.detail = self._detail(self.stats, value)
        return value

    @traitlets.observe("stats")
    def _follow_journey(self, _: Any) -> None:
        known = self.stats.journey.points()
        for name in ("selected", "opened"):
            if getattr(self, name) not in known:
                setattr(self, name, None)
        if self.user and self.stats.user_path(self.user).is_empty():
            self.user = None

    @traitlets.observe("user", "heat")
    def _follow_drawn(self, change: Any) -> None:
        if change["new"] is None:  # which traitlets does not have checked
            self._draw(self.stats, self.user, self.heat)
        self.said = self.alt

    @traitlets.observe("theme")
    def _follow_theme(self, _: Any) -> None:
        if self._drawn:
            self._draw(self.stats, self.user, self.heat)

    @traitlets.observe("opened")
    def _follow_opened(self, change: Any) -> None:
        if change["new"] is None:
            self.detail = ""

    @traitlets.observe("metrics")
    def _follow_metrics(self, _: Any) -> None:
        if self._drawn:
            self.tools = self._tools(self.stats, self.user, self.heat)

    # What the browser asks for.

    def _open(self, request: Mapping[str, Any]) -> None:
        self.opened = request["point"]

    def _close(self, _: Mapping[str, Any]) -> None:
        self.opened = None

    def _choose_version(self, request: Mapping[str, Any]) -> None:
        self.stats = self.stats.version(int(request["value"]) if request["value"] else None)

    def _choose_heat(self, request: Mapping[str, Any]) -> None:
        self.heat = request["value"]

    def _choose_compare(self, request: Mapping[str, Any]) -> None:
        self.stats = self.stats.compare("previous" if request["value"] else None)

    def _find(self, request: Mapping[str, Any]) -> None:
        user = str(request["user"]).strip()
        if self.stats.user_path(user).is_empty():
            self._missing = user
            self.said = word("not_here", self.locale, user=clean(user))
        else:
            self._missing = ""
            self.user = user
        self.tools = self._tools(self.stats, self.user, self.heat)

    def _clear(self, _: Mapping[str, Any]) -> None:
        self._missing = ""
        self.user = None

    # What it is drawn of.

    @property
    def _canvas(self) -> Canvas:
        assert self._drawn is not None  # made with the stats
        return self._drawn

    def _draw(self, stats: JourneyStats, user: str | None, heat: str | None) -> None:
        path = stats.user_path(user) if user else None
        path = None if path is None or path.is_empty() else path
        drawn = Canvas(stats, path=path, heat=heat, goal=self.goal, theme=self.theme, locale=self.locale)
        svg = drawn.svg
        if self._drawn and (new := [fault for fault in drawn.faults if fault not in self._drawn.faults]):
            raise ValueError(" ".join(new))  # the picture there is, is better than part of one
        detail = self._detail(stats, self.opened if self.opened in stats.journey.points() else None)
        with self.hold_sync():
            self._drawn = drawn
            self.picture = gzip.compress(svg.encode(), mtime=0)
            self.graph = _graph(drawn)
            self.tools = self._tools(stats, user, heat)
            self.detail = detail
            self.error = ""

    def _detail(self, stats: JourneyStats, point: str | None) -> str:
        return str(detail_html(stats, point, goal=self.goal, locale=self.locale)) if point else ""

    def _tools(self, stats: JourneyStats, user: str | None, heat: str | None) -> str:
        def said(name: str) -> str:
            return word(name, self.locale)

        journey = stats.journey
        every = [("", said("every_version"))]
        versions = [
            (str(v.version), word("version_n", self.locale, version=v.version)) for v in journey.versions
        ]
        return template("tools.html").render(
            words={name: said(name) for name in _WORDS},
            when=when_html(stats, self.locale),
            versions=every + versions if len(versions) > 1 else [],
            version=str(stats.scope.version or ""),
            heats=[("", said("heat.none")), *((name, said(f"heat.{name}")) for name in MEASURES)],
            heat=heat or "",
            compare=stats.comparing,
            nothing_before=said("no_previous") if stats.comparing and stats.previous_scope is None else "",
            metrics=self.metrics,
            user=clean(user or self._missing),
            clear=word("find_clear", self.locale, user=clean(user)) if user else "",
            missing=word("not_here", self.locale, user=clean(self._missing)) if self._missing else "",
            near=stats.nearest(self._missing) if self._missing else [],
        )


def _graph(drawn: Canvas) -> dict[str, list[str]]:
    """Where each point of the drawn version leads."""
    version = drawn.stats.journey.version(drawn.version)
    return {
        point.point_id: [branch.target for branch in version.outgoing(point.point_id)]
        for point in version.points
    }
