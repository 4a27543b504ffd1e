"""What every live view shares: the bundle, the colours, requests that cannot fail unseen, the static copy."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import anywidget
import traitlets
from IPython import get_ipython
from ipywidgets import Layout

from journey_nb.journey import near
from journey_nb.metrics.scope import Clock
from journey_nb.render import Html, covers
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import panel_frame_html
from journey_nb.stats import wanted
from journey_nb.style import palette, word
from journey_nb.style.locales import asked
from journey_nb.widgets._shown import boxed, show

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

# Of all views, for some follow others. JupyterLab may hand one request to the thread of the cells and the next to
# another beside it.
_one_at_a_time = RLock()
_cells: list[bool] = []  # one for each cell that runs now, and for each that it runs itself

_STATIC = Path(__file__).parents[1] / "static"

# What a host such as JupyterLab may set, and which of our colours it then is; the others keep their
# contrast on these. In the dark, cards stand out by being lighter than the ground.
_HOST = {"surface": "--jp-layout-color1", "text": "--jp-content-font-color1", "line": "--jp-border-color1"}
_GROUND = {"light": "--jp-layout-color2", "dark": "--jp-layout-color0"}


class _Abstract(ABCMeta, traitlets.MetaHasTraits):
    """Classes with traits of which some methods are for their heirs to write."""


class Shown(traitlets.Any):
    """Statistics; None only as long as there are none yet, for traitlets has no None checked that it allows."""

    allow_none = False


class View(anywidget.AnyWidget, metaclass=_Abstract):
    """A live view. A request of the browser names an action of ``_actions``; one that fails is painted."""

    _actions: ClassVar[Mapping[str, str]] = {}
    """Method by action: what ``data-action`` in the templates may ask the kernel for."""

    kind = traitlets.Enum(("canvas", "panel")).tag(sync=True)
    """Which of the browser's halves brings it to life: a picture's, with a panel beside it, or of HTML alone."""
    css = traitlets.Unicode().tag(sync=True)  # a trait called style is ipywidgets' own
    """Its style sheet, which stays within it."""
    error = traitlets.Unicode().tag(sync=True)
    """What went wrong last, as HTML; empty when nothing did."""
    frame = traitlets.Unicode().tag(sync=True)
    """What stays while it lives: the parts that the others fill, as HTML."""
    tools = traitlets.Unicode().tag(sync=True)
    """Its menus and buttons, as HTML."""
    export = traitlets.Unicode().tag(sync=True)
    """What is being exported or changed, as the HTML of a window; empty when nothing is."""
    said = traitlets.Unicode().tag(sync=True)
    """What is read aloud next."""
    locale = traitlets.Unicode().tag(sync=True)
    """The language of its words and numbers."""

    comes = traitlets.Bool(False).tag(sync=True)
    """Whether it is to come into sight: a reader has opened it elsewhere, and it has not been seen yet."""

    every = traitlets.Float(0, min=0).tag(sync=True)
    """Seconds between two looks at what is watched; 0 where nothing is."""

    theme = traitlets.Enum(get_args(palette.Theme), "auto").tag(sync=True)
    """The notebook's or the reader's own, or ``light`` or ``dark``."""

    @traitlets.default("layout")
    def _as_wide_as_its_place(self) -> Layout:
        # What is in the view asks for no width of its own, so a box would give it none.
        return Layout(width="100%", min_width="0")

    def __init__(self, *, locale: str = "", **traits: Any) -> None:
        self._failed = ""  # the action whose error is painted
        self._asker = ""  # which of several views of this widget asks
        locale = asked(locale)
        frame = self._frame_html(locale)
        super().__init__(_esm=bundle(), css=style(), locale=locale, frame=frame, **traits)
        self.on_msg(self._asked)
        self.observe(self._follow_locale, "locale")  # from now on, when there is something to be said anew

    @property
    @abstractmethod
    def alt(self) -> str:
        """What it shows, in a few sentences."""

    @property
    @abstractmethod
    def figure(self) -> Html:
        """The static copy."""

    @abstractmethod
    def _reword(self) -> None:
        """Draw it anew, in the language that it has now."""

    def _frame_html(self, locale: str) -> str:
        """Its frame: that of a panel."""
        return panel_frame_html(locale)

    def _asked(self, _: Any, request: Any, __: Any) -> None:
        """Meet a request, or paint in the cell what failed; what was shown before stays, and an answer goes in any case."""
        with _one_at_a_time:
            self._meet(request)

    def _meet(self, request: Any) -> None:
        given = request if isinstance(request, dict) else {}
        action, self._asker = str(given.get("action")), str(given.get("view", ""))
        # What a request of the reader's own met with stays until the next of these.
        told = self.error if action == "look" and self._failed != "look" else ""
        try:
            if action not in self._actions:
                raise ValueError(f"there is no action {request!r}; there are {', '.join(self._actions)}")
            answer: Callable[[Mapping[str, Any]], None] = getattr(self, self._actions[action])
            if action == "look" and _cells:
                return
            answer(request)
            self.error = told
        except Exception as error:
            self._paint(error, action)
        finally:  # also where the kernel is interrupted: who asked waits for it
            self.send({"done": action, "view": self._asker})

    @traitlets.validate("locale")
    def _check_locale(self, proposal: Any) -> str:
        return asked(proposal["value"])

    def _follow_locale(self, _: Any) -> None:
        with self.hold_sync():
            self.frame, self.said = self._frame_html(self.locale), ""
            self._reword()

    @traitlets.observe("every")
    def _follow_every(self, _: Any) -> None:
        if shell := get_ipython():
            _heed(shell)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser has set, or paint what failed and have the browser show what is so."""
        # What is of ipywidgets itself comes in a form of its own.
        ours = [name for name in sync_data if name in self.keys and not name.startswith(("_", "layout"))]
        with _one_at_a_time:
            try:
                for name in ours:  # ipywidgets sets first, and looks then
                    getattr(type(self), name)._validate(self, sync_data[name])
                super().set_state(sync_data)
                if self._failed == "set":
                    self._failed = self.error = ""
            except Exception as error:
                self._paint(error, "set")
                self.send_state(ours)

    def _paint(self, error: Exception, action: str) -> None:
        self._failed = action
        told = self._told(error)
        self.error = template("error.html").render(told=told, dismiss=word("dismiss", self.locale))

    def _told(self, error: Exception) -> str:
        """What went wrong, in words."""
        name = "" if isinstance(error, (traitlets.TraitError, ValueError)) else f"{type(error).__name__}: "
        return word("last_good", self.locale, error=clean(f"{name}{error}", 400))

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import display

        display(show(self, [self]), raw=True)


boxed(View)  # which takes effect in a notebook only


def takes(kind: type[Any], given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse what a view cannot begin with, naming the near miss."""
    for name in given:
        if name in _VERBS:
            raise TypeError(
                f"{kind.__name__} takes no {name!r}, which statistics choose: {kind.__name__}(stats.{name}(…))"
            )
        if name not in known:
            raise TypeError(
                f"{kind.__name__} takes no {name!r}{near(name, known)}; it takes {', '.join(known)}"
            )


# What a view shows because its statistics do.
_VERBS = ("period", "clock", "as_of", "version", "compare", "machine", "where", "small_groups", "history")


def told_by_stats(verb: str) -> property:
    """What only the statistics of a view choose: set on the view it would change nothing, without a word."""

    def refuse(_: Any, value: Any) -> None:
        told = "" if value is True else repr(value)
        raise AttributeError(
            f"{verb} is chosen by its statistics: widget.stats = widget.stats.{verb}({told})"
        )

    return property(None, refuse)


class OfStats(View):
    """A view of statistics, whose period and clock can be chosen; its tools have :func:`when_html`.

    What is chosen is drawn before it is so, by ``_show``; what cannot be drawn is refused.
    """

    _actions: ClassVar[Mapping[str, str]] = {
        "period": "_choose_period",
        "dates": "_choose_dates",
        "clock": "_choose_clock",
        "look": "_look",
        "dismiss": "_dismiss",
    }

    stats = Shown(None)
    """The statistics that are shown."""
    period = traitlets.Unicode("launch").tag(sync=True)
    """Their period: a preset, or ``first..last``."""
    clock = traitlets.Enum(get_args(Clock), "activity")
    """Their clock: events at their own time (activity), or the runs that entered (cohort)."""

    version, compare = told_by_stats("version"), told_by_stats("compare")

    has_when = traitlets.Bool(True)
    """Whether its tools have the period and the clock; in a workspace they stand above all."""

    _source: Callable[[], JourneyStats] | None = None

    def __init__(self, stats: JourneyStats, **traits: Any) -> None:
        stats = wanted(stats)
        super().__init__(period=stats.chosen, clock=stats.scope.clock, **traits)
        self.stats = stats

    @abstractmethod
    def _show(self, stats: JourneyStats) -> None:
        """Draw statistics that are not its own yet; where that fails, change nothing and raise."""

    def _reword(self) -> None:
        self._show(self.stats)

    @traitlets.validate("stats")
    def _check_stats(self, proposal: Any) -> JourneyStats:
        stats = wanted(proposal["value"])
        self._show(stats)
        return stats

    @traitlets.validate("period")
    def _check_period(self, proposal: Any) -> str:
        period: str = proposal["value"]
        return wanted(self.stats).period(period).chosen if self.stats else period

    @traitlets.observe("period")
    def _follow_period(self, change: Any) -> None:
        if self.stats and self.stats.chosen != change["new"]:
            self._restate(self.stats.period(change["new"]), change)

    @traitlets.observe("clock")
    def _follow_clock(self, change: Any) -> None:
        if self.stats and self.stats.scope.clock != change["new"]:
            self._restate(self.stats.clock(change["new"]), change)

    @traitlets.observe("stats")
    def _follow_stats(self, _: Any) -> None:
        self.period, self.clock = self.stats.chosen, self.stats.scope.clock
        self.said = covers(self.stats, self.locale)

    def _restate(self, stats: JourneyStats, change: Any) -> None:
        try:
            self.stats = stats
        except Exception:
            setattr(self, change["name"], change["old"])  # as what is drawn
            raise

    def watch(self, every: float = 1.0, source: Callable[[], JourneyStats] | None = None) -> None:
        """Follow what the statistics come from: numbers that change are replaced, where they stand.

        The browser asks, one question at a time, and only while the view can be seen; while a cell runs, nothing is
        read. So it costs nothing in a hidden tab, or once the view is gone.

        Parameters
        ----------
        every
            Seconds between an answer and the next question; 0 to stop.
        source
            Gives the newest statistics; their period and the like are set as those on display are. By default it
            is the store they come from, which is only read where something was loaded or changed.

        Raises
        ------
        ValueError
            When the statistics come from no store, and there is no other source.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> widget = jn.JourneyCanvas(jn.JourneyStats(journey, simulate(journey, users=50)))
        >>> widget.watch(5, lambda: jn.JourneyStats(journey, simulate(journey, users=60)))
        """
        if every and source is None and self.stats.store is None:
            raise ValueError(
                "these statistics come from no store: watch(source=lambda: JourneyStats(journey, EventLog.read(…))) "
                "reads a growing log again"
            )
        self._source, self.every = source, every

    def _look(self, _: Mapping[str, Any]) -> None:
        stats = self._source() if self._source else self.stats.store[self.stats.journey.journey_id]
        if stats.facts is not self.stats.facts or stats.journey != self.stats.journey:
            self.stats = stats.like(self.stats)

    def _choose_period(self, request: Mapping[str, Any]) -> None:
        self.period = request["value"]

    def _choose_dates(self, request: Mapping[str, Any]) -> None:
        self.period = f"{request['first']}..{request['last']}"

    def _choose_clock(self, request: Mapping[str, Any]) -> None:
        self.clock = request["value"]

    def _dismiss(self, _: Mapping[str, Any]) -> None:
        """The error goes, as it does after every request that is met."""


@cache
def _heed(shell: Any) -> None:
    """Know from now on whether a cell runs: JupyterLab has requests met beside it."""
    # Not pre_execute and post_execute, which ipykernel tells of the messages of a view, too.
    shell.events.register("pre_run_cell", lambda _: _cells.append(True))
    shell.events.register("post_run_cell", lambda _: _cells and _cells.pop())


@cache
def bundle() -> str:
    """The browser's half, as ``make bundle`` has built it."""
    return (_STATIC / "views.js").read_text("utf-8")


@cache
def style() -> str:
    """The style of the live views: both themes, each colour the host's where it has one."""
    rules = Path(__file__).with_name("view.css").read_text("utf-8")
    rules = " ".join(rules.replace("%FONT%", palette.FONT).replace("%FORCED%", _forced()).split())
    return (
        f":host,.view .jnb{{{_colours('light')}}}"
        f":host([data-theme=dark]),:host([data-theme=dark]) .view .jnb{{{_colours('dark')}}}{rules}"
    )


def _forced() -> str:
    """Our colours by name as those that a reader has forced on every page."""
    forced = {"ground": "Canvas", "surface": "Canvas", "accent": "Highlight"}
    return ";".join(
        f"--jnb-{name.replace('_', '-')}:{forced.get(name, 'Canvas' if name.endswith('_soft') else 'CanvasText')}"
        for name in asdict(palette.LIGHT)
    )


def _colours(theme: str) -> str:
    ours = palette.LIGHT if theme == "light" else palette.DARK
    host = {**_HOST, "ground": _GROUND[theme]}
    told = [f"color-scheme:{theme}"]
    for declaration in palette.variables(ours).split(";"):
        name, colour = declaration.removeprefix("--jnb-").split(":")
        told.append(f"--jnb-{name}:" + (f"var({host[name]},{colour})" if name in host else colour))
    return ";".join(told)
