"""Dashboard: performance, audience, communications and campaign health beside the canvas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from journey_nb.journey import near
from journey_nb.render import Html
from journey_nb.render.dashboard import Choice, alt, dashboard_html, heads_html
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import when_html
from journey_nb.style import palette, word
from journey_nb.style.words import value as worded
from journey_nb.widgets._base import takes
from journey_nb.widgets._export import Exporting

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

_CHOICES = tuple(choice.name for choice in fields(Choice))


class Dashboard(Exporting):
    """Four parts, each with its headline numbers, that open into details, lists and files.

    What people do with it is readable here, and what is set here they see; each trait can be watched
    with ``observe``. A setting that cannot be is refused, and what was shown stays.

    Parameters
    ----------
    stats
        The statistics to show, with their period, clock, version and comparison.
    folder
        Where exported files are written; made when the first one is.
    theme
        ``auto`` follows the notebook, or the reader's system outside one; else ``light`` or ``dark``.
    locale
        The language of its words and numbers (en, fr, ko), by default that of ``set_locale``.
    **traits
        What to begin with: opened, channel, goal, search, page, user, run, selected.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> widget = jn.Dashboard(jn.JourneyStats(journey, simulate(journey, users=50)), opened="audience")
    >>> widget.search = "u0000001"
    >>> "u0000001" in widget.panel
    True
    """

    _actions: ClassVar[Mapping[str, str]] = {
        **Exporting._actions,
        "part": "_choose_part",
        "channel": "_choose_channel",
        "goal": "_choose_goal",
        "search": "_search",
        "page": "_choose_page",
        "user": "_choose_user",
        "point": "_choose_point",
    }

    opened = traitlets.Unicode(None, allow_none=True)
    """The part whose details are open: performance, audience, communications or health."""
    channel = traitlets.Unicode(None, allow_none=True)
    """The channel whose tab is shown; by default the first."""
    goal = traitlets.Unicode(None, allow_none=True)
    """The goal by which points are credited and messages judged; any by default."""
    search = traitlets.Unicode()
    """What user or device ids of the list contain."""
    page = traitlets.Int(0, min=0)
    """Which page of users, or of messages, is listed."""
    user = traitlets.Unicode(None, allow_none=True)
    """The user picked from the list."""
    run = traitlets.Unicode(None, allow_none=True)
    """The id of that user's run that was picked."""
    selected = traitlets.Unicode(None, allow_none=True)
    """The id of the message point picked from the table."""

    # What the browser is handed; drawn here, never set by people.
    panel = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        stats: JourneyStats,
        *,
        folder: str | Path = "exports",
        theme: palette.Theme = "auto",
        locale: str = "",
        **traits: Any,
    ) -> None:
        takes(type(self), traits, _CHOICES)
        self.folder = Path(folder)
        self._heads: dict[str, Html] = {}
        self._drawn = Choice()
        super().__init__(stats, kind="panel", theme=theme, locale=locale)
        for name, value in traits.items():
            setattr(self, name, value)

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        return alt(self.stats, self._heads, self.locale)

    @property
    def figure(self) -> Html:
        """The static copy: the same without its controls."""
        return dashboard_html(self.stats, self._chosen, heads=self._heads, locale=self.locale)

    # What may be set: it is drawn before it is so, and what cannot be drawn is refused.

    def _show(self, stats: JourneyStats) -> None:
        chosen, heads = self._chosen.left(stats), heads_html(stats, self.locale)
        panel = dashboard_html(stats, chosen, heads=heads, live=True, locale=self.locale)
        tools = self._tools(stats)
        with self.hold_sync():
            self._heads, self._drawn = heads, chosen
            self.panel, self.tools, self.error = str(panel), tools, ""

    def _tools(self, stats: JourneyStats) -> str:
        return template("row.html").render(inner=when_html(stats, self.locale)) if self.has_when else ""

    @traitlets.observe("has_when")
    def _follow_when(self, _: Any) -> None:
        self.tools = self._tools(self.stats)

    def _draw(self, chosen: Choice) -> None:
        chosen = chosen.left(self.stats)
        if chosen != self._drawn:
            panel = dashboard_html(self.stats, chosen, heads=self._heads, live=True, locale=self.locale)
            self._drawn, self.panel = chosen, str(panel)

    @traitlets.validate(*_CHOICES)
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        Choice(**{name: value}).check(self.stats)
        if name == "user" and value is not None and self.stats.user_path(value).is_empty():
            raise KeyError(f"{value!r} is not in this journey{near(value, self.stats.nearest(value))}")
        if name == "run" and value is not None and value not in (runs := self._runs):
            raise KeyError(f"{self.user!r} has no run {value!r}{near(value, runs)}")
        self._draw(self._chosen.then(name, value))
        return value

    @traitlets.observe(*_CHOICES)
    def _follow_choice(self, change: Any) -> None:
        before: dict[str, Any] = {change["name"]: change["old"]}
        chosen = replace(self._chosen, **before).then(change["name"], change["new"])
        self._draw(chosen)  # traitlets has None not checked
        self.page, self.run = chosen.page, chosen.run

    @traitlets.observe("stats")
    def _follow_journey(self, _: Any) -> None:
        left = self._chosen.left(self.stats)
        runs = self._runs
        if not runs:
            left = replace(left, user=None, run=None)
        elif self.run not in runs:
            left = replace(left, run=None)
        for name, value in vars(left).items():
            if value != getattr(self, name):
                setattr(self, name, value)

    @property
    def _runs(self) -> list[str]:
        """The runs of the user."""
        runs: list[str] = self.stats.user_runs(self.user)["run_id"].to_list() if self.user else []
        return runs

    @property
    def _chosen(self) -> Choice:
        return Choice(**{name: getattr(self, name) for name in _CHOICES})

    # What the browser asks for.

    def _choose_part(self, request: Mapping[str, Any]) -> None:
        self.opened = None if request["value"] == self.opened else request["value"]
        if self.opened:
            self.said = word("details_of", self.locale, part=word(f"part.{self.opened}", self.locale))

    def _choose_channel(self, request: Mapping[str, Any]) -> None:
        self.channel = request["value"]
        self.said = worded(self.channel, self.locale)

    def _choose_goal(self, request: Mapping[str, Any]) -> None:
        self.goal = request["value"] or None
        goal = self.stats.journey.goal(self.goal).label if self.goal else word("any_goal", self.locale)
        self.said = clean(goal)

    def _search(self, request: Mapping[str, Any]) -> None:
        self.search = str(request["text"]).strip()
        self._say_rows()

    def _choose_page(self, request: Mapping[str, Any]) -> None:
        self.page = int(request["value"])
        self._say_rows()

    def _choose_user(self, request: Mapping[str, Any]) -> None:
        user, run = request["value"], request.get("run")
        is_off = user == self.user and self.run in (None, run)
        self.user = None if is_off else user
        self.run = None if is_off else run

    def _choose_point(self, request: Mapping[str, Any]) -> None:
        self.selected = None if request["value"] == self.selected else request["value"]

    def _say_rows(self) -> None:
        self.said = word("page_n", self.locale, page=self.page + 1)
