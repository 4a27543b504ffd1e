"""JourneyCanvas: the canvas with hands. Python draws it; the browser moves, selects and asks."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
import traitlets

from journey_nb.exports import MessageRuns, step_users
from journey_nb.files import whole
from journey_nb.journey import near
from journey_nb.render import Canvas, Html
from journey_nb.render.canvas import meanings
from journey_nb.render.detail import PEOPLE, People, detail_html
from journey_nb.render.heat import MEASURES
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.render.tools import frame_html, when_html
from journey_nb.render.trace import Trace
from journey_nb.stats import user_ids
from journey_nb.style import palette, word
from journey_nb.widgets._base import takes
from journey_nb.widgets._export import Exporting
from journey_nb.widgets._page import page

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

_WORDS = ("version", "heat", "compare", "show_metrics", "find_path", "find_hint", "find", "suggestions", "nearest",
          "zoom", "zoom_in", "zoom_out", "fit")  # fmt: skip


class JourneyCanvas(Exporting):
    """The live canvas of a journey: zoom, select, open a step, choose the period, find a user's path.

    What people do with it is readable here, and what is set here they see: ``selected``, ``opened``,
    ``period``, ``clock``, ``user``, ``run``, ``heat``, ``metrics`` and ``stats`` are traits, to be watched
    with ``observe``. A setting that cannot be is refused, and the picture stays.

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
        What to begin with: selected, user, run, heat, metrics.

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
        "statistics": "_choose_full",
        "page": "_turn",
        "version": "_choose_version",
        "heat": "_choose_heat",
        "compare": "_choose_compare",
        "suggest": "_suggest",
        "find": "_find",
        "clear": "_clear",
    }
    _begins: ClassVar[tuple[str, ...]] = ("selected", "user", "run", "heat", "metrics")
    """The traits that it may be made with."""
    _shown: ClassVar[tuple[str, ...]] = ("stats", "user", "run", "heat", "theme", "locale")
    """The traits of which it is drawn."""

    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    """The id of the selected point."""
    opened = traitlets.Unicode(None, allow_none=True)
    """The id of the point whose detail window is open."""
    full = traitlets.Bool(False)
    """Whether the window of a message shows its full statistics."""
    user = traitlets.Unicode(None, allow_none=True)
    """The user or device of whom a run is lit up."""
    run = traitlets.Unicode(None, allow_none=True)
    """The id of that run; by default their newest."""
    heat = traitlets.Unicode(None, allow_none=True)
    """What the cards are tinted by: share, drop_rate, time or conversion."""
    metrics = traitlets.Bool(True).tag(sync=True)
    """Whether every card shows its numbers; otherwise the one under the pointer or the focus does."""

    # What the browser is handed; drawn here, never set by people.
    picture = traitlets.Bytes().tag(sync=True)
    """The SVG, compressed: a tenth of its size on the wire."""
    graph = traitlets.Dict().tag(sync=True)
    """The points that each point leads to: where arrow keys go."""
    meanings = traitlets.Dict().tag(sync=True)
    """What its numbers count, by table and column."""
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
        takes(type(self), traits, self._begins)
        self.goal = goal
        self.folder = Path(folder)
        self._missing = self._typed = ""
        self._first = 0  # of the rows on the page of a message's users
        self._sent: MessageRuns | None = None  # whose page that is
        self._drawn: Canvas | None = None
        self._now: Mapping[str, Any] = {}
        super().__init__(stats, kind="canvas", meanings=meanings(locale), theme=theme, locale=locale)
        for name in self._begins:  # a run is one of the user's
            if name in traits:
                setattr(self, name, traits[name])

    def _frame_html(self, locale: str) -> str:
        return frame_html(locale)

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        return self._canvas.alt

    @property
    def figure(self) -> Html:
        """The static copy, with its tables under it."""
        return self._canvas.figure

    def save(self, path: str | Path, *, periods: Sequence[str] | None = None, users: Any = ()) -> Path:
        """Write it, whole or not at all: as .html a page that lives without a kernel, a network or this package.

        The page begins as the canvas stands, with its period, clock, version, heat map and user. One zooms and
        pans it, opens a step, changes the period, lights up the path of a user; all that is computed now and
        travels along. Where no script may run it is the static picture with its tables. Who waits at a step is
        named, as on the canvas: to show it to others, take ``stats.under(pseudonyms)``, or ``stats.small_groups(5)``,
        of which the page says so and names nobody. As .svg and .png it is the picture, as of
        :meth:`Canvas.save <journey_nb.render.Canvas.save>`.

        Parameters
        ----------
        path
            Ends in .html, .svg or .png.
        periods
            Those that can be chosen on a page: presets, or two dates as ``first..last``; by default launch, 30d
            and 7d.
        users
            The users or devices whose newest run can be lit up on it: ids, or a frame with a column user_id.

        Raises
        ------
        KeyError, TypeError, ValueError
            When a user is not in the journey, a period is none, one is no list, the page is larger than mail takes
            (25 MB; of many steps, periods and users), the name ends otherwise, or a picture is to have periods or
            users.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> widget = jn.JourneyCanvas(jn.JourneyStats(journey, simulate(journey, users=20)))
        >>> with TemporaryDirectory() as folder:
        ...     widget.save(f"{folder}/welcome.html", periods=["launch"]).name
        'welcome.html'
        """
        path = Path(path)
        if path.suffix.lower() != ".html":
            if periods is not None or len(user_ids(users)):
                raise ValueError(
                    f"{path.name} is a picture of what the canvas shows now; to choose users and periods end the name in .html"
                )
            return self._canvas.save(path)
        content = page(self, ("launch", "30d", "7d") if periods is None else periods, users)
        with whole(path) as part:
            part.write_bytes(content)
        return path

    def users(self) -> pl.DataFrame:
        """The people of what is selected, as a frame: ``stats.where(users=widget.users())`` counts only them.

        Returns
        -------
        polars.DataFrame
            Of the user who is lit up every run, as of ``stats.user_runs``; else who took the path that is lit up in
            the period (a :class:`PathTracer` has one), as of ``stats.users``; else who came to the selected point in
            the period or stood there as it began, a row per visit, as the file of its step users; with nothing
            selected ``stats.users()``. Each has user_id and run_id.

        Raises
        ------
        ValueError
            Where small groups are hidden.

        Examples
        --------
        >>> import journey_nb as jn
        >>> from journey_nb.simulate import simulate
        >>> journey = jn.Journey.sample("welcome")
        >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=7))
        >>> widget = jn.JourneyCanvas(stats, selected="hello_push")
        >>> came = stats.points().filter(point_id="hello_push")["entered"].item()
        >>> widget.users().height == came
        True
        """
        stats: JourneyStats = self.stats
        if self.user:
            return stats.user_runs(self.user)
        return step_users(stats, self.selected) if self.selected else stats.users()

    # What may be set: it is drawn before it is so, and what cannot be drawn is refused.

    def _show(self, stats: JourneyStats) -> None:
        self._draw(stats=stats, **self._still(stats))

    def _reword(self) -> None:
        self.meanings = meanings(self.locale)
        super()._reword()

    def _still(self, stats: JourneyStats) -> dict[str, Any]:
        """What of what is lit up is in other statistics too."""
        runs = stats.user_runs(self.user)["run_id"].to_list() if self.user else []
        return {"user": self.user if runs else None, "run": self.run if self.run in runs else None}

    @traitlets.validate("heat", "user", "run", "selected", "opened")
    def _check(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if not value:
            return None
        name = proposal["trait"].name
        if name == "heat":
            self._draw(heat=value)
        elif name == "user":
            if self.stats.user_runs(value).is_empty():
                raise KeyError(f"{value!r} is not in this journey{near(value, self.stats.nearest(value))}")
            self._draw(user=value, run=None, path=None)
        elif name == "run":
            if not self.user:
                raise ValueError(f"run {value!r} of whom? Set user first")
            if value not in (runs := self.stats.user_runs(self.user)["run_id"].to_list()):
                raise KeyError(f"{self.user!r} has no run {value!r}{near(value, runs)}")
            self._draw(run=value)
        else:
            self.stats.journey.point(value)  # names the near miss
            if name == "opened":
                again = value == self.opened
                self._first = self._first if again else 0
                self.detail = self._detail(self.stats, value, again and self.full, self._first)
        return value

    @traitlets.validate("full")
    def _check_full(self, proposal: Any) -> bool:
        full: bool = proposal["value"]
        if full != self.full:
            self._first, self._sent = 0, None
            self.detail = self._detail(self.stats, self.opened, full)
        return full

    @traitlets.observe("stats")
    def _follow_journey(self, _: Any) -> None:
        if self._sent and self._sent.stats is not self.stats:
            self._sent = None
        known = self.stats.journey.points()
        for name in ("selected", "opened"):
            if getattr(self, name) not in known:
                setattr(self, name, None)
        for name, value in self._still(self.stats).items():
            setattr(self, name, value)

    @traitlets.observe("user", "run", "heat")
    def _follow_drawn(self, change: Any) -> None:
        with self.hold_trait_notifications():
            for name in self._gives_way(change["name"]):
                setattr(self, name, None)
        self._draw()  # None is not checked by traitlets, so not drawn yet
        self.said = self._news

    def _gives_way(self, name: str) -> tuple[str, ...]:
        """What is no longer lit up once this trait is set."""
        return ("run",) if name == "user" else ()

    @traitlets.observe("theme")
    def _follow_theme(self, _: Any) -> None:
        if self._drawn:
            self._draw()

    @traitlets.observe("opened")
    def _follow_opened(self, change: Any) -> None:
        self.full, self._sent = False, None
        if change["new"] is None:
            self.detail = ""

    @traitlets.observe("metrics", "has_when")
    def _follow_metrics(self, _: Any) -> None:
        if self._drawn:
            self.tools = self._tools(self._now)

    # What the browser asks for.

    def _open(self, request: Mapping[str, Any]) -> None:
        self.opened = request["point"]

    def _close(self, _: Mapping[str, Any]) -> None:
        self.opened = None

    def _choose_full(self, request: Mapping[str, Any]) -> None:
        self.full = bool(request["value"])

    def _turn(self, request: Mapping[str, Any]) -> None:
        first = int(request["value"])
        self.detail = self._detail(self.stats, self.opened, self.full, first)
        self._first = first

    def _choose_version(self, request: Mapping[str, Any]) -> None:
        self.stats = self.stats.version(int(request["value"]) if request["value"] else None)

    def _choose_heat(self, request: Mapping[str, Any]) -> None:
        self.heat = request["value"]

    def _choose_compare(self, request: Mapping[str, Any]) -> None:
        self.stats = self.stats.compare("previous" if request["value"] else None)

    def _suggest(self, request: Mapping[str, Any]) -> None:
        self._typed = str(request["value"]).strip()
        self.tools = self._tools(self._now)
        if self._typed:
            self.said = word("suggested", self.locale, count=len(self.stats.beginning(self._typed)))

    def _find(self, request: Mapping[str, Any]) -> None:
        user = str(request["user"])
        self._typed = self._missing = ""
        # An id may begin or end with spaces; what is typed may, too.
        if self.stats.user_runs(user).is_empty():
            user = user.strip()
        if self.stats.user_runs(user).is_empty():
            self._missing = user
            self.said = word("not_here", self.locale, user=clean(user))
        else:
            self.user = user
            if run := request.get("run"):
                self.run = run
        self.tools = self._tools(self._now)

    def _clear(self, _: Mapping[str, Any]) -> None:
        self._typed = self._missing = ""
        self.user = None
        self.tools = self._tools(self._now)

    # What it is drawn of.

    @property
    def _canvas(self) -> Canvas:
        assert self._drawn is not None  # made with the stats
        return self._drawn

    @property
    def _news(self) -> str:
        """What is said when something else is lit up."""
        trace = self._trace(self._now)
        return trace.alt(self.locale) if trace else self.alt

    def _draw(self, **changes: Any) -> None:
        """Draw it, some of its traits being otherwise; where that fails, change nothing and raise."""
        now = {name: changes.get(name, getattr(self, name)) for name in self._shown}
        if now == self._now:
            return
        drawn = Canvas(now["stats"], heat=now["heat"], goal=self.goal, theme=now["theme"], locale=now["locale"],
                       **self._lit(now))  # fmt: skip
        if self._drawn and self._drawn.stats is now["stats"]:
            drawn.take(self._drawn)
        drawn.svg  # noqa: B018 - its faults are known once it is drawn
        was = self._drawn if self._drawn and self._drawn.locale == drawn.locale else drawn
        if new := [fault for fault in drawn.faults if fault not in was.faults]:  # told in one language
            raise ValueError(" ".join(new))  # the picture there is, is better than part of one
        parts = self._parts(now, drawn)
        with self.hold_sync():
            self._drawn, self._now = drawn, now
            for name, part in {**parts, "error": ""}.items():
                setattr(self, name, part)

    def _trace(self, now: Mapping[str, Any]) -> Trace | None:
        return Trace(now["stats"], now["user"], now["run"]) if now.get("user") else None

    def _lit(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """The way that is lit up, as Canvas takes it."""
        trace = self._trace(now)
        return {"path": trace.path, "events": trace.events} if trace else {}

    def _parts(self, now: Mapping[str, Any], drawn: Canvas) -> dict[str, Any]:
        """What the browser is handed."""
        stats: JourneyStats = now["stats"]
        return {
            "picture": gzip.compress(drawn.svg.encode(), mtime=0),
            "graph": drawn.graph,
            "tools": self._tools(now),
            "detail": self._detail(stats, self.opened, self.full, self._first),
        }

    def _detail(self, stats: JourneyStats, point: str | None, full: bool, first: int = 0) -> str:
        if point not in (points := stats.journey.points()):
            return ""
        full = full and points[point].type == "message"
        people = self._people(stats, point, first) if full else None
        return str(detail_html(stats, point, people=people, goal=self.goal, locale=self.locale))

    def _people(self, stats: JourneyStats, point: str, first: int) -> People:
        """A page of those whom a message went to; past the end, the last one."""
        asked = MessageRuns(stats, point, self.goal)
        sent = self._sent if self._sent == asked else asked
        first = max(0, min(first, (sent.rows.height - 1) // PEOPLE * PEOPLE))
        self._sent = sent  # which may have been long in reading
        return People(sent.page(first, PEOPLE), first, sent.rows.height)

    def _tools(self, now: Mapping[str, Any]) -> str:
        def said(name: str) -> str:
            return word(name, self.locale)

        stats: JourneyStats = now["stats"]
        user = now["user"]
        return template("tools.html").render(
            words={name: said(name) for name in _WORDS},
            when=when_html(stats, self.locale) if self.has_when else "",
            **self._menus(now),
            metrics=self.metrics,
            people=not stats.least,
            user=clean(user or self._missing),
            suggestions=stats.beginning(self._typed) if self._typed else [],
            clear=word("find_clear", self.locale, user=clean(user)) if user else "",
            missing=word("not_here", self.locale, user=clean(self._missing)) if self._missing else "",
            near=stats.nearest(self._missing) if self._missing else [],
        )

    def _menus(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """What there is to choose of versions, heat maps and comparison."""

        def said(name: str) -> str:
            return word(name, self.locale)

        stats: JourneyStats = now["stats"]
        every = [("", said("every_version"))]
        versions = [
            (str(v.version), word("version_n", self.locale, version=v.version))
            for v in stats.journey.versions
        ]
        return {
            "versions": every + versions if len(versions) > 1 else [],
            "version": str(stats.scope.version or ""),
            "heats": [("", said("heat.none")), *((name, said(f"heat.{name}")) for name in MEASURES)],
            "heat": now["heat"] or "",
            "compare": stats.comparing,
            "nothing_before": said("no_previous") if stats.comparing and stats.previous_scope is None else "",
        }
