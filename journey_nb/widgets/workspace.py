"""Workspace: canvas, dashboard and tracer as one screen, which look at the same statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import polars as pl
import traitlets
from ipywidgets import Box, Layout
from markupsafe import Markup

from journey_nb.journey import Journey
from journey_nb.metrics.scope import Clock
from journey_nb.render import Html, covers
from journey_nb.render.dashboard import goals_html
from journey_nb.render.journeys import menu_html
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import when_html
from journey_nb.stats import JourneyStats, wanted
from journey_nb.style import format, palette, word
from journey_nb.style.locales import asked
from journey_nb.style.words import value as worded
from journey_nb.widgets._base import OfStats, Shown, View, takes, told_by_stats
from journey_nb.widgets._status import Managing
from journey_nb.widgets.canvas import JourneyCanvas
from journey_nb.widgets.dashboard import Dashboard
from journey_nb.widgets.tracer import PathTracer

if TYPE_CHECKING:
    from journey_nb.store import Store

_SHARED = ("stats", "user", "run", "selected")
_LOOKS = ("theme", "locale")
_ROW, _BESIDE = "1 1 100%", "2 1 380px"  # how wide a part would be; it shrinks to its place
# What each part shows besides, as to_python() writes it down.
_OWN = {
    "head": ("goals",),
    "canvas": ("heat", "metrics", "opened", "full"),
    "dashboard": ("opened", "channel", "goal", "search", "page"),
    "tracer": ("path", "heat", "metrics", "opened", "full"),
}

_ONLY_HIDDEN = (
    "if not stats.pseudonymous:",
    "    raise ValueError('stats must be those under pseudonyms, of which the workspace was made')",
)


class Head(Managing, OfStats):
    """The head of a workspace: title, status with its menu, goals, period and clock."""

    _actions: ClassVar[Mapping[str, str]] = {**OfStats._actions, **Managing._actions, "goals": "_open_goals"}

    goals = traitlets.Bool(False)
    """Whether the goals are open, with their conditions and windows."""

    # What the browser is handed; drawn here, never set by people.
    panel = traitlets.Unicode().tag(sync=True)

    def __init__(self, stats: JourneyStats, *, theme: palette.Theme = "auto", locale: str = "") -> None:
        super().__init__(stats, kind="panel", theme=theme, locale=locale)

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        journey = self.stats.journey
        said = (clean(journey.label), worded(journey.status, self.locale), self._badge(self.stats))
        return ". ".join(said) + "."

    @property
    def figure(self) -> Html:
        """The static copy: what its alt says, and over which days."""
        return Html.escaped(f"{self.alt} {covers(self.stats, self.locale)}.")

    def _show(self, stats: JourneyStats) -> None:
        panel = self._panel(stats, self.goals)
        tools = template("row.html").render(inner=when_html(stats, self.locale))
        with self.hold_sync():
            self.panel, self.tools, self.error = panel, tools, ""

    @traitlets.validate("goals")
    def _check_goals(self, proposal: Any) -> bool:
        goals: bool = proposal["value"]
        self.panel = self._panel(self.stats, goals)
        return goals

    def _open_goals(self, _: Mapping[str, Any]) -> None:
        self.goals = not self.goals

    def _panel(self, stats: JourneyStats, goals: bool) -> str:
        journey = stats.journey
        menu = menu_html(journey.journey_id, journey.label, journey.status, locale=self.locale)
        return template("head.html").render(
            title=clean(journey.label),
            status=worded(journey.status, self.locale),
            menu=menu if stats.store is not None else "",
            badge=self._badge(stats),
            goals=Markup(goals_html(stats, self.locale)) if goals else "",
        )

    def _badge(self, stats: JourneyStats) -> str:
        return word("goals_n", self.locale, count=format.number(len(stats.journey.goals), self.locale))

    @property
    def _registry(self) -> Store | None:
        store: Store | None = self.stats.store
        return store

    def _changed(self, journey: Journey) -> None:
        if journey.journey_id == self.stats.journey.journey_id:  # not its clone
            self.stats = self.stats.store[journey.journey_id].like(self.stats)


class Workspace(Box):  # type: ignore[misc]  # ipywidgets tells no types
    """Canvas, dashboard and path tracer as one screen: what is chosen in one is so in all.

    ``stats``, ``period``, ``clock``, ``user``, ``run`` and ``selected`` are shared, ``theme`` and ``locale`` too:
    traits of the workspace and of each part, to be read, set and watched with ``observe``. The parts are ``canvas``, ``dashboard`` and
    ``tracer``, and ``head``, which has the period, the goals and, for statistics out of a store, the menu that
    pauses, clones, renames or stops the journey.

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
        What to begin with: user, run, selected.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> workspace = jn.Workspace(jn.JourneyStats(journey, simulate(journey, users=50, seed=7)))
    >>> workspace.dashboard.user = "u0000001"
    >>> workspace.tracer.user, workspace.canvas.user
    ('u0000001', 'u0000001')
    >>> workspace.period = "30d"
    >>> workspace.canvas.stats is workspace.dashboard.stats is workspace.tracer.stats is workspace.stats
    True
    """

    stats = Shown(None)
    """The statistics that are shown."""
    period = traitlets.Unicode("launch")
    """Their period: a preset, or ``first..last``."""
    clock = traitlets.Enum(get_args(Clock), "activity")
    """Their clock."""
    user = traitlets.Unicode(None, allow_none=True)
    """The user or device of whom a run is lit up."""
    run = traitlets.Unicode(None, allow_none=True)
    """The id of that run; by default their newest."""
    selected = traitlets.Unicode(None, allow_none=True)
    """The id of the selected point."""
    theme = traitlets.Unicode()
    """The notebook's or the reader's own (auto), or ``light`` or ``dark``."""
    locale = traitlets.Unicode()
    """The language of its words and numbers."""
    version, compare = told_by_stats("version"), told_by_stats("compare")

    def __init__(
        self,
        stats: JourneyStats,
        *,
        folder: str | Path = "exports",
        theme: palette.Theme = "auto",
        locale: str = "",
        **traits: Any,
    ) -> None:
        known = _SHARED[1:]
        takes(type(self), traits, known)
        self._given = wanted(stats)
        told: dict[str, Any] = {"theme": theme, "locale": locale}
        self.head = Head(stats, **told)
        self.canvas = JourneyCanvas(stats, folder=folder, **told)
        self.dashboard = Dashboard(stats, folder=folder, **told)
        self.tracer = PathTracer(stats, folder=folder, **told)
        self._following = True
        layout = Layout(
            display="flex", flex_flow="row wrap", grid_gap="12px", overflow="visible", margin="12px 0"
        )
        super().__init__(
            self._parts(), layout=layout, stats=stats, period=stats.chosen, clock=stats.scope.clock,
            theme=theme, locale=self.head.locale,
        )  # fmt: skip
        self._following = False
        for part, room in zip(self.children, (_ROW, "3 1 560px", _BESIDE, _ROW), strict=True):
            place: Layout = part.layout
            place.flex, place.width, place.max_width, place.margin = room, "auto", "100%", "0"
        self.dashboard.observe(self._make_room, "opened")
        for part in (self.canvas, self.dashboard, self.tracer):
            part.has_when = False  # the head has
        for part in (self, *self.children):
            part.observe(self._share, [name for name in (*_SHARED, *_LOOKS) if part.has_trait(name)])
        for name in known:  # a run is one of the user's
            if name in traits:
                setattr(self, name, traits[name])

    def _parts(self) -> tuple[View, ...]:
        return self.head, self.canvas, self.dashboard, self.tracer

    def watch(self, every: float = 1.0, source: Callable[[], JourneyStats] | None = None) -> None:
        """Follow what is loaded, in all parts; the options are those of :meth:`JourneyCanvas.watch`."""
        self.head.watch(every, source)

    def close(self) -> None:
        """Let go of the views, in the kernel and in the browser, where else they would stay as long as the kernel does."""
        for part in self.children:
            part.close()
            part.layout.close()
        super().close()
        self.layout.close()

    @property
    def views(self) -> tuple[View, ...]:
        """The live views that it is made of."""
        return self._parts()

    def _share(self, change: Any) -> None:
        """What one part was set to, all are; where one cannot be, all are as before."""
        if self._following:
            return
        name, self._following = change["name"], True
        try:
            self._set(name, change["new"])
            if name == "user":
                self._set("run", None)  # the last was another's
        except Exception:
            self._set(name, change["old"])
            raise
        finally:
            self._take(change["owner"] if change["owner"] is not self else self.canvas)
            self._following = False

    def _make_room(self, change: Any) -> None:
        """Details are wide: their dashboard has a row of its own while they are open."""
        self.dashboard.layout.flex = _ROW if change["new"] else _BESIDE

    def _set(self, name: str, value: Any) -> None:
        for part in (self, *self.children):
            if part.has_trait(name) and getattr(part, name) is not value:
                setattr(part, name, value)

    def _take(self, part: Any) -> None:
        """Have oneself as a part is, or another where it has not: it may have let go of what other statistics lack."""
        for name in (*_SHARED, *_LOOKS):
            setattr(
                self, name, getattr(next(one for one in (part, *self.children) if one.has_trait(name)), name)
            )
        self.period, self.clock = self.stats.chosen, self.stats.scope.clock

    @traitlets.observe("period", "clock")
    def _follow_when(self, change: Any) -> None:
        name = change["name"]
        if self._following or getattr(self.head, name) == change["new"]:
            return
        try:
            setattr(self.head, name, change["new"])
        except Exception:
            setattr(self, name, change["old"])
            raise

    def users(self) -> pl.DataFrame:
        """The people of what is selected, as a frame: see :meth:`JourneyCanvas.users`."""
        return self.tracer.users()  # which shares the selection, and alone has a path

    def to_python(self) -> str:
        """The code for what is on the screen.

        Statistics out of a store are read of it again; those of a log are taken from the variable ``stats``: the
        ones that the workspace was given, or those of the log before anything was chosen. Where people stand under
        pseudonyms they must be the ones given, and the code refuses others, which would show who is who.

        Raises
        ------
        ValueError
            When people came under pseudonyms only after the workspace was made: no code has their key.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=7))
        >>> workspace = jn.Workspace(stats.period("30d"), user="u0000001")
        >>> workspace.dashboard.opened = "audience"
        >>> print(workspace.to_python())
        import journey_nb as jn
        <BLANKLINE>
        stats = stats.period('30d')
        workspace = jn.Workspace(stats, user='u0000001')
        workspace.dashboard.opened = 'audience'
        workspace
        >>> again = {"stats": stats}
        >>> exec(workspace.to_python(), again)
        >>> again["workspace"].dashboard.panel == workspace.dashboard.panel
        True
        """
        store, journey, hidden = self.stats.store, self.stats.journey, self.stats.pseudonymous
        if hidden and not self._given.pseudonymous:
            raise ValueError(
                "these statistics came under pseudonyms only now, and no code may hold their key: begin with "
                "jn.Workspace(stats.under(pseudonyms)), of which to_python() tells the rest"
            )
        source = "stats" if store is None else f"jn.Store({str(store.path)!r})[{journey.journey_id!r}]"
        given = {name: value for name in _SHARED[1:] if (value := getattr(self, name)) is not None}
        looks = {"folder": str(self.canvas.folder), "theme": self.head.theme, "locale": self.head.locale}
        usual = {"folder": "exports", "theme": "auto", "locale": asked("")}
        given |= {name: value for name, value in looks.items() if value != usual[name]}
        begins = [f", {name}={value!r}" for name, value in given.items()]
        lines = [
            "import journey_nb as jn",
            "",
            *(_ONLY_HIDDEN if hidden else ()),
            f"stats = {source}{self.stats.verbs(self._given if store is None else None)}",
            f"workspace = jn.Workspace(stats{''.join(begins)})",
            *self._settings(),
            "workspace",
        ]
        return "\n".join(lines)

    def _settings(self) -> Iterator[str]:
        for part, names in _OWN.items():
            view = getattr(self, part)
            for name in names:
                if (value := getattr(view, name)) != view.traits()[name].default_value and value is not None:
                    yield f"workspace.{part}.{name} = {value!r}"
