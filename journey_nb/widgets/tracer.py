"""PathTracer: one user's run lit on the canvas, its steps in words beside it, and the ways most taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl
import traitlets

from journey_nb.metrics import paths
from journey_nb.render import Canvas, Html, figure_html
from journey_nb.render.tools import frame_html
from journey_nb.render.trace import trace_html, ways_table
from journey_nb.style import word
from journey_nb.widgets.canvas import JourneyCanvas


class PathTracer(JourneyCanvas):
    """Find a user or device, go through their runs step by step, or light up one of the frequent paths.

    A run is drawn on its own version's graph, with when it came to each step and what was done there; a list
    beside the canvas tells the same in words. ``user`` and ``run``, or ``path``, say what is lit up; they and
    the other traits of :class:`JourneyCanvas` can be read, set and watched.

    Parameters
    ----------
    stats
        The statistics to look in; the frequent paths are those of their period.
    goal, theme, locale
        As in :class:`JourneyCanvas`.
    **traits
        What to begin with: user, run, path, selected, heat, metrics.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=7))
    >>> tracer = jn.PathTracer(stats, user=stats.users()["user_id"][0])
    >>> tracer.path = stats.paths()["path"][0].to_list()
    >>> tracer.user is None
    True
    """

    _actions: ClassVar[Mapping[str, str]] = {
        **JourneyCanvas._actions,
        "run": "_choose_run",
        "path": "_choose_path",
    }
    _begins = (*JourneyCanvas._begins, "path")
    _shown = (*JourneyCanvas._shown, "path")

    path = traitlets.List(traitlets.Unicode(), None, allow_none=True)
    """The frequent path that is lit up: point ids in order."""

    panel = traitlets.Unicode().tag(sync=True)

    def _frame_html(self, locale: str) -> str:
        return frame_html(locale, beside=word("user_path", locale))

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        trace = self._trace(self._now)
        return f"{trace.alt(self.locale)} {super().alt}" if trace else super().alt

    @property
    def figure(self) -> Html:
        """The static copy, with the run's steps and what was done there, or the frequent paths, under it."""
        canvas = self._canvas
        trace = self._trace(self._now)
        tables = (
            {"user_runs": trace.runs, "user_path": trace.path, "user_events": trace.events}
            if trace
            else {"frequent": ways_table(canvas.stats)}
        )
        return figure_html(canvas.svg, tables, self.alt, notes=canvas.faults, locale=self.locale)

    def users(self) -> pl.DataFrame:
        """The people of what is selected, as a frame: see :meth:`JourneyCanvas.users`."""
        if not self.path:
            return super().users()
        everybody: pl.DataFrame = self.stats.users()
        took = paths.took(self.stats.scope, self.path)
        return everybody.filter(pl.col("run_id").is_in(took.implode()))

    @traitlets.validate("path")
    def _check_path(self, proposal: Any) -> list[str] | None:
        path: list[str] | None = proposal["value"]
        if not path:
            return None
        for point in path:
            self.stats.journey.point(point)  # names the near miss
        self._draw(path=path, user=None, run=None)
        return path

    @traitlets.observe("path")
    def _follow_path(self, change: Any) -> None:
        self._follow_drawn(change)

    def _gives_way(self, name: str) -> tuple[str, ...]:
        if name == "path" and self.path:
            return ("user", "run")
        return ("run", "path") if name == "user" and self.user else super()._gives_way(name)

    def _choose_run(self, request: Mapping[str, Any]) -> None:
        self.run = request["value"]

    def _choose_path(self, request: Mapping[str, Any]) -> None:
        self.path = json.loads(request["value"] or "null")

    def _still(self, stats: Any) -> dict[str, Any]:
        known = stats.journey.points()
        path = self.path if all(point in known for point in self.path or ()) else None
        return {**super()._still(stats), "path": path}

    def _lit(self, now: Mapping[str, Any]) -> dict[str, Any]:
        return {"path": now["path"]} if now["path"] else super()._lit(now)

    def _parts(self, now: Mapping[str, Any], drawn: Canvas) -> dict[str, Any]:
        panel = trace_html(now["stats"], self._trace(now), now["path"], locale=self.locale)
        return {**super()._parts(now, drawn), "panel": str(panel)}

    def _menus(self, now: Mapping[str, Any]) -> dict[str, Any]:
        return {"versions": [], "heats": []}  # the run says which version
